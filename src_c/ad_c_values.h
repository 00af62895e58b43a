/* ad_c_values.h -- places of their own for the values of loops.
 *
 * The frame hands one place to many values, and not in the same order in each turn of a loop.  So within a run the
 * values that statements of a loop give are moved to places behind the frame: those of one statement all to
 * one place, if each is read for the last time before the next is given, or else to one after the other. */
#ifndef AD_C_VALUES_H
#define AD_C_VALUES_H

#include "ad_c_roll.h"
#include "ad_c_statements.h"

/* Change the places of statements; the writer's n_moved grows to what that needs. */
enum ad_status ad_c_move_values(struct ad_c_run *run, const struct ad_repeat *repeats,
                                int64_t n_repeats);

#endif

/* ad_taylor.h -- Taylor series through a stretch of tape. */
#ifndef AD_TAYLOR_H
#define AD_TAYLOR_H

#include "ad_sweep.h"

/*
 * ad_sweep_taylor() pushes paths through instructions first .. last, to any order.
 *
 * The lanes of the work's 'tan' are Taylor coefficients: coefficient k is the k-th derivative along
 * the path divided by k!.  Begin with ad_work_begin(tape, AD_SWEEP_FORWARD, low, order + 1), and
 * seed lanes 1 .. order of the slots from 'low' to the first result of 'first'; lane 0 is filled in
 * with the values on the tape.  A slot whose lanes are all zero is a constant, and a derivative
 * with respect to it, even an infinite one, plays no part.
 *
 * Time grows with the square of the order.  Where an op has no Taylor series the lanes become nan
 * or infinite.
 *
 * Returns AD_OK, AD_NO_MEMORY, AD_CONST_CHANGED, or AD_NO_SERIES for a rule of the user's.
 */
enum ad_status ad_sweep_taylor(struct ad_tape *tape, int32_t first, int32_t last);

#endif

/* ad_level.h -- which instructions of a program wait for which.
 *
 * The level of an instruction is one more than the highest level of its operands; inputs and
 * constants have level 0.  Instructions of one level do not depend on each other. */
#ifndef AD_LEVEL_H
#define AD_LEVEL_H

#include "ad_program.h"

/*
 * ad_level_sort() finds the level of each instruction and writes the instructions to 'order', those
 * of lower levels first and in their order within each.  Both have room for tape->n.
 */
enum ad_status ad_level_sort(const struct ad_program *program, int32_t *level, int32_t *order);

#endif

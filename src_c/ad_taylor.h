/* ad_taylor.h -- Taylor series through a stretch of tape. */
#ifndef AD_TAYLOR_H
#define AD_TAYLOR_H

#include "ad_sweep.h"

/*
 * ad_taylor_begin() makes room for the Taylor coefficients of the slots from 'low' to the end of
 * the tape, as order + 1 lanes in the work's 'tan': coefficient k is the k-th derivative along the
 * path divided by k!.  Those of the slots before the results of instruction 'first' are zero, to be
 * seeded (lane 1 with a direction, say); the others are unset.
 */
enum ad_status ad_taylor_begin(struct ad_tape *tape, int32_t low, int32_t first, int order);

/*
 * ad_sweep_taylor() pushes the seeded paths through instructions first .. last.
 *
 * Lane 0 of the seeded slots is filled in with their values.  A slot whose other lanes are all zero
 * is a constant, and a derivative with respect to it, even an infinite one, plays no part.  Where
 * an op has no Taylor series the lanes become nan or infinite.  Time grows with the square of the
 * order.
 *
 * Returns AD_OK, AD_NO_MEMORY, AD_CONST_CHANGED, or AD_NO_SERIES for a rule of the user's.
 */
enum ad_status ad_sweep_taylor(struct ad_tape *tape, int32_t first, int32_t last);

#endif

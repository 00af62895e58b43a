/* ad_norm.h -- the Euclidean norm over the last dimension (AD_NORM) in sweeps.
 *
 * It is not a square root of a sum of squares, because that has no usable derivative at zero: here the
 * gradient x / |x| is 0 at zero by convention, and the second derivative is nan, in every mode; that of functions
 * of the norm may exist, and is left to ad_emit_norm.h. */
#ifndef AD_NORM_H
#define AD_NORM_H

#include "ad_tape.h"

/* Is instruction i a norm, AD_NORM or hypot? */
bool ad_norm_is(const struct ad_tape *tape, int32_t i);

/* Is instruction i a norm that is 0 somewhere?  Second derivatives by ad_norm_curve() and its
 * like are not to be had from it then: see ad_emit_norm.h. */
bool ad_norm_vanishes(const struct ad_tape *tape, int32_t i);

/* The tangents of instruction i; adjoints pushed to the operand from a buffer of 'lanes'
 * lanes; and the part of the second-order sweep that the curvature adds to dadj.  All may return
 * AD_NO_MEMORY. */
enum ad_status ad_norm_forward(struct ad_tape *tape, int32_t i);
enum ad_status ad_norm_reverse(struct ad_tape *tape, int32_t i, double *buffer, int lanes);
enum ad_status ad_norm_curve(struct ad_tape *tape, int32_t i);

#endif

/* ad_norm.h -- the Euclidean norm over the last dimension (AD_NORM) in sweeps.
 *
 * It is not a square root of a sum of squares, because that has no usable derivative at zero: here the
 * gradient x / |x| is 0 at zero by convention, and the second derivative is nan, in every mode. */
#ifndef AD_NORM_H
#define AD_NORM_H

#include "ad_tape.h"

/* The tangents of instruction i; adjoints pushed to the operand from a buffer of 'lanes'
 * lanes; and the part of the second-order sweep that the curvature adds to dadj.  All may return
 * AD_NO_MEMORY. */
enum ad_status ad_norm_forward(struct ad_tape *tape, int32_t i);
enum ad_status ad_norm_reverse(struct ad_tape *tape, int32_t i, double *buffer, int lanes);
enum ad_status ad_norm_curve(struct ad_tape *tape, int32_t i);

#endif

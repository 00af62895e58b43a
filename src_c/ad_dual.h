/* ad_dual.h -- the rows read as dual numbers: a value with k tangents, and no tape.
 *
 * A tangent that is zero contributes exactly zero, whatever the partial, and where ad_op_cuts() a
 * partial that is zero contributes zero, whatever the tangent. */
#ifndef AD_DUAL_H
#define AD_DUAL_H

#include "ad_ops.h"

/*
 * ad_dual_op() returns the value of one op and fills ydot[0..k-1] with its tangents.
 *
 * 'x' holds AD_MAX_ARGS numbers; those beyond the op's own arguments are ignored.  xdot[i] points at
 * the k tangents of argument i, or is NULL for a constant.  'p' is the parameter of a FAMILY op.
 *
 * 'ydot' overlaps no tangents of arguments.
 */
double ad_dual_op(enum ad_op op, double p, const double *x, int k, const double *const *xdot,
                  double *ydot);

/*
 * ad_dual_vector() does the same for n elements: y[0..n-1], and ydot[j][0..n-1] for direction j < k.
 *
 * 'a' holds one vector per argument, and xdot[i * k + j] the tangent of argument i along direction j;
 * the constant 0 says that there is none.  Where no argument has one along direction j, ydot[j] is not
 * looked at.  No result overlaps an argument or a tangent of one.
 * 'scratch' holds AD_MAX_WORDS doubles for each element of a tile: AD_DUAL_SCRATCH(n).
 */
#define AD_DUAL_SCRATCH(n) (AD_MAX_WORDS * ((AD_MIN((size_t)(n), AD_TILE) + 7) & ~(size_t)7))
void ad_dual_vector(enum ad_op op, double p, size_t n, const struct ad_vec *a, int k,
                    const struct ad_vec *xdot, double *y, double *const *ydot, double *scratch);

#endif

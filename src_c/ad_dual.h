/* ad_dual.h -- the rows read as dual numbers: a value with k tangents, and no tape. */
#ifndef AD_DUAL_H
#define AD_DUAL_H

#include "ad_ops.h"

/*
 * ad_dual_op() returns the value of one op and fills ydot[0..k-1] with its tangents.
 *
 * 'x' holds AD_MAX_ARGS numbers; those beyond the op's own arguments are ignored.  xdot[i] points at
 * the k tangents of argument i, or is NULL for a constant.  'p' is the parameter of a FAMILY op.  A
 * tangent that is zero contributes exactly zero, whatever the partial, and a zero partial of a SELECT
 * op cuts its argument off, whatever the tangent.
 *
 * 'ydot' overlaps no tangents of arguments.
 */
double ad_dual_op(enum ad_op op, double p, const double *x, int k, const double *const *xdot,
                  double *ydot);

#endif

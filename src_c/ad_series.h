/* ad_series.h -- the rows of the op table read as truncated Taylor series.
 *
 * A path x(t) is given by its Taylor coefficients: coefficient k is the k-th derivative along the
 * path divided by k!.  Pushed through an op they give the coefficients of the result; this is
 * forward mode to any order, in O(order^2) per op.
 */
#ifndef AD_SERIES_H
#define AD_SERIES_H

#include "ad_ops.h"

/*
 * The coefficients of n paths: 'c' has shape (degree + 1, n), coefficient-major.  Coefficients
 * beyond 'degree' are zero by construction and are not stored: a constant has degree 0, x + t v has
 * degree 1. Such a zero cuts off whatever it meets, even an infinite derivative, and costs nothing.
 * A coefficient that is stored and only happens to be zero does not: 0 * inf is nan.
 */
struct ad_series {
    const double *c; /* NULL for an argument beyond the op's own */
    int degree;
};

/*
 * Memory that the functions below need while they run; it grows as needed and can serve any number
 * of calls, one at a time.  Start from {NULL, 0}; ad_series_work_free() leaves it in that state.
 */
struct ad_series_work {
    void *block;
    size_t nbytes;
};

void ad_series_work_free(struct ad_series_work *work);

/*
 * ad_series_forward() pushes n paths through one op.
 *
 * 'a' holds the ad_ops[op].n_args arguments; 'p' is the parameter of a FAMILY op.  'y' receives all
 * order + 1 coefficients, shape (order + 1, n), and overlaps no argument.  Coefficient 0 is
 * ad_op_value(), or ad_op_vector() where n > 1.
 *
 * Where the result has no Taylor series (sqrt at 0, x**2.5 beyond its second derivative at 0) its
 * coefficients are nan or infinite.  Kinks follow the partials of the row: abs at 0 has slope 0.
 *
 * Returns the degree of the result: its coefficients beyond are zero by construction.  Returns -1
 * if out of memory.
 */
int ad_series_forward(enum ad_op op, double p, size_t n, int order,
                      const struct ad_series a[AD_MAX_ARGS], double *y,
                      struct ad_series_work *work);

/*
 * ad_series_reverse() adds the adjoints of the arguments' coefficients.
 *
 * 'a' and 'y' are the arguments and the result of ad_series_forward().  'ybar', shape (order + 1,
 * n), holds the derivative of some number with respect to each coefficient of y; its derivative
 * with respect to each coefficient of argument i is added to abar[i], same shape, for those that
 * are not NULL.  Coefficients beyond a degree count: they are zero, but one may ask what changing
 * them does. An adjoint that is zero adds exactly zero, whatever the derivative it meets.
 *
 * The abar may be one and the same array; they do not overlap anything else.  Returns false if out
 * of memory; abar is then undefined.
 */
bool ad_series_reverse(enum ad_op op, double p, size_t n, int order,
                       const struct ad_series a[AD_MAX_ARGS], struct ad_series y,
                       const double *ybar, double *const abar[AD_MAX_ARGS],
                       struct ad_series_work *work);

#endif

/* ad_functions.h -- functions of several arguments with their derivatives in each, by name.
 *
 * A kernel computes one derivative at one point.  What it cannot compute to about nine digits it says is
 * lost; outside of the domain the result is NaN.
 */
#ifndef AD_FUNCTIONS_H
#define AD_FUNCTIONS_H

#include "ad_base.h"

enum { AD_FUNCTION_ORDERS = 4, AD_FUNCTION_ARGS = 6 };

/* 'order' holds the orders of the derivatives, 'x' the arguments; *lost is set, never cleared. */
typedef double ad_kernel(const int *order, const double *x, bool *lost);

struct ad_function {
    const char *name;
    int n_orders, n_args;
    ad_kernel *kernel;
};

/* All of them; one without a name comes last. */
extern const struct ad_function ad_functions[];

/* NULL if there is no function of that name. */
const struct ad_function *ad_function_find(const char *name);

/*
 * ad_function_vector() computes y[i] for i < n from the vectors x[0 .. n_args-1].  It returns the first i at
 * which the result is lost, and n if there is none.
 */
size_t ad_function_vector(const struct ad_function *f, const int *order, size_t n,
                          const double *const *x, double *y);

#endif

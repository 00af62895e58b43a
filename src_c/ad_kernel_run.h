/* ad_kernel_run.h -- running kernels. */
#ifndef AD_KERNEL_RUN_H
#define AD_KERNEL_RUN_H

#include "ad_kernel.h"

/*
 * ad_kernel_run() computes the results of the whole batch into y.  args[k] is operand k, in C order.
 *
 * Returns AD_OK; AD_NO_MEMORY; AD_SINGULAR, AD_NOT_POSITIVE, AD_NO_CONVERGENCE, AD_DEGENERATE or
 * AD_COMPLEX for what the matrices are; or what ad_lapack() returns.
 */
enum ad_status ad_kernel_run(const struct ad_kernel *kernel, const double *const *args, double *y);

#endif

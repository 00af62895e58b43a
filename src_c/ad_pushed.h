/* ad_pushed.h -- the sparse Hessian of a program by edges that are recorded (ad_push.h): its entries are sums of
 * their weights. */
#ifndef AD_PUSHED_H
#define AD_PUSHED_H

#include "ad_pattern.h"
#include "ad_program.h"

/*
 * ad_derive_pushed_hessian() makes the program of the second derivatives of the one output, of one element.
 *
 * Inputs: those of 'from'.  Outputs: with 'keep' that of 'from', and its gradient by each wanted input; then the
 * entries of 'pattern', row by row, which is that of ad_depend_hessian().
 *
 * AD_NO_EDGES where they are not to be had by edges, or would cost more than all lanes of a colouring.
 */
enum ad_status ad_derive_pushed_hessian(const struct ad_program *from, int n_wanted,
                                        const int *wanted, bool keep,
                                        const struct ad_pattern *pattern, struct ad_program **to);

#endif

/* ad_pushed.h -- the sparse Hessian of a program by edges that are recorded (ad_push.h): its entries are sums of
 * their weights. */
#ifndef AD_PUSHED_H
#define AD_PUSHED_H

#include "ad_pattern.h"
#include "ad_program.h"

struct ad_pushed {
    int64_t edges;  /* between views of the inputs */
    bool guarded;   /* the last guard tells whether all entries count: see below */
    double cost[2]; /* estimates, in numbers that are computed: of edges, and of lanes */
};

/*
 * ad_derive_pushed_hessian() makes the program of the second derivatives of the one output, of one element.
 *
 * Inputs: those of 'from'.  Outputs: with 'keep' that of 'from', and its gradient by each wanted input; then the
 * entries of 'pattern', row by row, which is that of ad_depend_hessian().  Its guards are those of 'from', and one
 * more unless all weights are constant, which fails where one is not finite.  Then lanes decide: ad_jacobian.h.
 *
 * AD_NO_EDGES where they are not to be had by edges, or are likely to cost more than lanes would.
 */
enum ad_status ad_derive_pushed_hessian(const struct ad_program *from, int n_wanted,
                                        const int *wanted, bool keep,
                                        const struct ad_pattern *pattern, struct ad_program **to,
                                        struct ad_pushed *pushed);

#endif

/* ad_edge.h -- edge-pushing: a whole sparse Hessian in one reverse sweep, without a pattern and colours.
 *
 * From the output down, a slot hands its adjoint and its edges (ad_edge_pool.h) to its operands, and leaves
 * between these the edges of its own second partials: R. M. Gower and M. P. Mello, A new framework for
 * the computation of Hessians, Optim. Methods Softw. 27 (2012); M. Wang, A. Gebremedhin and A. Pothen,
 * Capitalizing on live variables, Math. Program. Comput. 8 (2016).  Work and memory are those of the edges.
 *
 * The sweep says AD_NO_EDGES, and another way must be taken,
 * - where there is linear algebra, a rule or hook written in Python, a norm of 0 or a long running sum from the
 *   end: their second derivatives are not to be had, or not cheaply, as edges;
 * - where an adjoint is not finite, or a weight no normal number though its factors are not 0: at poles, where second
 *   derivatives are nan, and next to overflow and underflow, where the order of the products matters;
 * - where there are more edges than AD_EDGES_MOST, or more than 'most' were made in all. */
#ifndef AD_EDGE_H
#define AD_EDGE_H

#include "ad_pattern.h"
#include "ad_tape.h"

/*
 * ad_edge_hessian() differentiates the sum of a view's elements by the 'n' slots from 'low' on, which are those of
 * inputs.  'gradient' has room for n.  The matrix is symmetric, its entries are '*data', the caller's to
 * free; there are no zeros among them, neither those of structure nor those of chance.
 *
 * On failure the matrix is zeros and 'gradient' undefined.  Returns AD_OK, AD_NO_EDGES, AD_CONST_CHANGED or
 * AD_NO_MEMORY.
 */
enum ad_status ad_edge_hessian(struct ad_tape *tape, const struct ad_view *output, int32_t low,
                               int32_t n, int64_t most, double *gradient,
                               struct ad_pattern *pattern, double **data);

/* What there is to do between the inputs and an output, whether the output depends on it or not. */
struct ad_edge_cost {
    int64_t slots;    /* results, each to be taken out once */
    int64_t operands; /* places that they push to */
    int64_t curved;   /* results with second partials */
    bool known; /* false: AD_NO_EDGES, if the output depends on what is not to be pushed through */
};

/* The same stretch of tape, looked at instruction by instruction: no element is touched, but for norms. */
struct ad_edge_cost ad_edge_cost_of(const struct ad_tape *tape, const struct ad_view *output,
                                    int32_t low);

#endif

/* ad_edge_pool.h -- nodes of a graph, their adjoints, and edges with weights between them.
 *
 * A node is a number in evaluation order.  An edge {v, u}, u < v, carries the second derivative of the
 * result by v and u, and is kept with v; that by v twice is the *loop* of v.  Edges are appended as they come,
 * also the same edge again, and put together when they are taken.  Only weights other than 0 are
 * edges: what cancels is none.
 *
 * All edges lie in one pool, those given back are used first.  What fails is noted in 'status', and asked for
 * when convenient. */
#ifndef AD_EDGE_POOL_H
#define AD_EDGE_POOL_H

#include <float.h>
#include <math.h>

#include "ad_pattern.h"

enum { AD_EDGES_MOST = 1 << 27 /* in a pool: two gigabytes */ };

struct ad_edge {
    double weight;
    int32_t to;   /* the smaller node */
    int32_t next; /* in the list of the larger one, or of free edges; 0: none */
};

struct ad_edge_node {
    double adjoint, loop;
    int32_t head, count; /* its edges to smaller nodes */
    int32_t limit;       /* at most so many before they are put together; 0: AD_EDGES_FEW */
    int32_t place;       /* while edges are put together: where the one to this node is */
};

enum { AD_EDGES_FEW = 64 };

/* Edges of one node that were taken out, one for each node they lead to. */
struct ad_edge_room {
    int32_t *to;
    double *weight;
    int64_t capacity;
};

struct ad_edge_pool {
    struct ad_edge_node *nodes;
    struct ad_edge *edges; /* the first is none */
    int64_t n_edges, capacity;
    int64_t appended, most; /* edges so far, and how many there may be before it is AD_NO_EDGES */
    int32_t free;
    struct ad_edge_room taken, spare;
    bool strange; /* a weight is no normal number, though its factors are not 0 */
    enum ad_status status;
};

/* AD_NO_MEMORY, or AD_OK; to be freed in either case. */
enum ad_status ad_edge_pool_new(int64_t n_nodes, struct ad_edge_pool *pool);
void ad_edge_pool_free(struct ad_edge_pool *pool);

/* For the functions here: one more edge, whatever is in the list. */
void ad_edge_append(struct ad_edge_pool *pool, int32_t from, int32_t to, double weight);

/* Is a weight a number that later factors cannot turn out to have made too much or too little of? */
AD_INLINE bool ad_edge_is_ordinary(double weight)
{
    return fabs(weight) >= DBL_MIN && fabs(weight) <= DBL_MAX;
}

/* Add to the second derivative by two nodes, in either order.  By one node twice it counts twice: as the
 * two mixed derivatives of f(a, b) do where a and b are one. */
AD_INLINE void ad_edge_add(struct ad_edge_pool *pool, int32_t a, int32_t b, double weight)
{
    int32_t from = AD_MAX(a, b), to = AD_MIN(a, b);
    struct ad_edge *first;

    pool->strange |= !ad_edge_is_ordinary(weight);
    if (a == b) {
        pool->nodes[a].loop += 2 * weight;
        return;
    }
    first = &pool->edges[pool->nodes[from].head];
    if (first->to == to) /* an edge that is none leads to -1 */
        first->weight += weight;
    else
        ad_edge_append(pool, from, to, weight);
}

AD_INLINE void ad_edge_add_loop(struct ad_edge_pool *pool, int32_t a, double weight)
{
    pool->strange |= !ad_edge_is_ordinary(weight);
    pool->nodes[a].loop += weight;
}

/* Is nothing to be pushed from a node? */
AD_INLINE bool ad_edge_is_idle(const struct ad_edge_node *node)
{
    return node->adjoint == 0 && node->loop == 0 && node->head == 0;
}

/*
 * ad_edge_push() takes node v out: its adjoint, loop and edges go to its n operands, which are distinct and
 * earlier, with partials d[], none of them 0.  What v's own second partials add is added by ad_edge_add().
 */
void ad_edge_push(struct ad_edge_pool *pool, int32_t v, int64_t n, const int32_t *operand,
                  const double *d);
/* The same for the operands of which there may be several of one: 'operand' and 'd' are put in order. */
void ad_edge_push_sum(struct ad_edge_pool *pool, int32_t v, int64_t n, int32_t *operand, double *d);

/*
 * The matrix of what is left between the first n nodes, symmetric, with no zeros.  '*data', its entries, is the
 * caller's.  On failure both are zeros.
 */
enum ad_status ad_edge_matrix(struct ad_edge_pool *pool, int32_t n, struct ad_pattern *pattern,
                              double **data);

#endif

/* ad_push.h -- edge-pushing, recorded: second derivatives as edges between views, their weights as new
 * instructions.
 *
 * ad_edge.h pushes edges between slots, and their weights are numbers.  Here an edge joins two views of one shape:
 * it stands for the product of each element of one with the same element of the other, each with a weight of its own.
 * Elementwise instructions and slices hand edges on as a whole, so that a diagonal of a banded Hessian is one
 * edge, however long, and its weights are an expression over arrays.
 *
 * A weight is finite only if all that it is a product of is, but for second partials and adjoints one of which is 0:
 * these count as nothing.  At any other point it is not known what to make of nan, or of 0 times infinity, and another
 * way must be taken, which the rules for tangents lead.
 *
 * AD_NO_EDGES, and another way must be taken, where curvature meets what does not go element by element: a sum of more
 * than a few elements, products of matrices, norms, linear algebra, rules; or more edges than AD_PUSH_MOST. */
#ifndef AD_PUSH_H
#define AD_PUSH_H

#include "ad_emit.h"

enum { AD_PUSH_MOST = 1024 /* edges, at any time */ };

/* 'loop': each element with itself, once.  Otherwise the product counts twice, as the matrix is symmetric. */
struct ad_push_edge {
    struct ad_view a, b, w; /* slots; the weights, or a number; holding references */
    int32_t instr[2];       /* that produced a, and b: not later */
    bool loop;
    int32_t next; /* of the same instr[0]; -1 ends */
};

struct ad_push {
    struct ad_reverse_visitor visitor;
    struct ad_tape *tape;
    struct ad_adjoints *adjoints; /* while they are recorded */
    int64_t most;                 /* slots of the tape */
    struct ad_push_edge *edges;
    int32_t n, capacity;
    int32_t *first;          /* of each instruction, -1 for none */
    int32_t n_first, unused; /* edges that are used again */
};

/*
 * The visitor of ad_emit_reverse_seen() that pushes edges; those that are left then are between inputs, and are the
 * second derivatives.  It gives up, AD_NO_EDGES, once the tape has more than 'most' slots.  Also after a failure
 * ad_push_end() is to follow.
 */
enum ad_status ad_push_begin(struct ad_push *push, struct ad_tape *tape, int64_t most);
void ad_push_end(struct ad_push *push);

#endif

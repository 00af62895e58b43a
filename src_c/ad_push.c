/* ad_push.c -- from instruction to instruction: edges are pushed to its operands, and those of its own
 * curvature left between them. */
#include "ad_push.h"

#include <stdlib.h>
#include <string.h>

#include "ad_adjoints.h"
#include "ad_emit_algebra.h"
#include "ad_push_terms.h"
#include "ad_through.h"

enum { MOST_PIECES = 8 /* instructions that one list may read */ };

/* ---- edges ---- */

static void drop_edge(const struct ad_push_edge *edge)
{
    ad_view_drop(&edge->a);
    ad_view_drop(&edge->b);
    ad_view_drop(&edge->w);
}

/* Two weights of one edge: their sum. */
static enum ad_status add_weight(struct ad_push *push, struct ad_push_edge *edge,
                                 const struct ad_view *w)
{
    struct ad_view args[AD_MAX_ARGS] = {edge->w, *w, ad_view_number(0)}, sum;
    enum ad_status status = ad_emit_op(push->tape, AD_OP_add, 0, args, &sum);

    if (status)
        return status;
    ad_view_drop(&edge->w);
    edge->w = sum;
    return AD_OK;
}

static bool joins(const struct ad_push_edge *edge, const struct ad_push_edge *other)
{
    if (edge->loop != other->loop || edge->instr[1] != other->instr[1])
        return false;
    return (ad_view_same(&edge->a, &other->a) && ad_view_same(&edge->b, &other->b)) ||
           (ad_view_same(&edge->a, &other->b) && ad_view_same(&edge->b, &other->a));
}

/* One more edge, or more weight of one that there is. */
static enum ad_status store_edge(struct ad_push *push, const struct ad_push_edge *edge)
{
    int32_t *first = &push->first[edge->instr[0]], k;

    for (k = *first; k >= 0; k = push->edges[k].next)
        if (joins(&push->edges[k], edge))
            return add_weight(push, &push->edges[k], &edge->w);
    if (push->unused < 0) {
        if (push->n == AD_PUSH_MOST)
            return AD_NO_EDGES;
        if (push->n == push->capacity) {
            int32_t capacity = 2 * push->capacity + 16;
            struct ad_push_edge *grown = realloc(push->edges, (size_t)capacity * sizeof *grown);

            if (!grown)
                return AD_NO_MEMORY;
            push->edges = grown;
            push->capacity = capacity;
        }
        k = push->n++;
    } else {
        k = push->unused;
        push->unused = push->edges[k].next;
    }
    push->edges[k] = *edge;
    push->edges[k].next = *first;
    *first = k;
    ad_view_hold(&edge->a);
    ad_view_hold(&edge->b);
    ad_view_hold(&edge->w);
    return AD_OK;
}

/* Where both ends stand still, weights are added up. */
static enum ad_status sum_still(struct ad_push *push, struct ad_push_edge *edge)
{
    uint32_t axes = 0;
    double count = 1;
    struct ad_view sum;
    enum ad_status status;

    if (edge->a.place != AD_SLOTS || edge->b.place != AD_SLOTS)
        return AD_OK;
    for (int d = 0; d < edge->a.ndim; d++)
        if (edge->a.shape[d] > 1 && edge->a.stride[d] == 0 && edge->b.stride[d] == 0) {
            axes |= 1u << d;
            count *= (double)edge->a.shape[d];
        }
    if (!axes)
        return AD_OK;
    if (edge->w.place == AD_NUMBER) {
        sum = ad_view_number(edge->w.in.number * count);
    } else {
        status = ad_record_sum(push->tape, &edge->w, axes, &sum);
        if (status)
            return status;
        ad_view_drop(&edge->w);
    }
    edge->w = sum;
    for (int d = 0; d < edge->a.ndim; d++)
        if (axes >> d & 1)
            edge->a.shape[d] = edge->b.shape[d] = 1;
    return AD_OK;
}

/* An edge whose ends each lie in one instruction; consumes its references. */
static enum ad_status add_plain(struct ad_push *push, struct ad_push_edge *edge)
{
    enum ad_status status = sum_still(push, edge);

    ad_view_squeeze(&edge->a);
    ad_view_squeeze(&edge->b);
    if (edge->w.place != AD_NUMBER)
        ad_view_squeeze(&edge->w);
    if (!status && !edge->loop && ad_view_same(&edge->a, &edge->b)) {
        struct ad_view args[AD_MAX_ARGS] = {edge->w, ad_view_number(2), ad_view_number(0)}, twice;

        status = ad_emit_op(push->tape, AD_OP_mul, 0, args, &twice);
        if (!status) {
            ad_view_drop(&edge->w);
            edge->w = twice;
            edge->loop = true;
        }
    }
    if (edge->instr[0] < edge->instr[1]) {
        struct ad_view view = edge->a;
        int32_t instr = edge->instr[0];

        edge->a = edge->b;
        edge->b = view;
        edge->instr[0] = edge->instr[1];
        edge->instr[1] = instr;
    }
    if (!status)
        status = store_edge(push, edge);
    drop_edge(edge);
    return status;
}

/* The instruction of a slot, if that is active: else -1. */
static int32_t owner_of(const struct ad_push *push, int32_t slot)
{
    const struct ad_adjoints *e = push->adjoints;

    return slot >= e->low && slot < INT32_MAX && e->active[slot - e->low]
               ? ad_tape_producer(push->tape, slot)
               : -1;
}

/* Instructions of the elements of a list, -1 for what is not active; n receives how many differ. */
static enum ad_status owners_of(const struct ad_push *push, const struct ad_view *view,
                                int32_t *owner, int32_t *pieces, int *n)
{
    const struct ad_tape *tape = push->tape;
    int32_t i = -1;

    *n = 0;
#define OWNER(j, slot)                                                                             \
    do {                                                                                           \
        if (i < 0 || (slot) < tape->dst[i] || (slot) - tape->dst[i] >= ad_tape_length(tape, i))    \
            i = owner_of(push, slot);                                                              \
        owner[j] = i;                                                                              \
        for (int k = 0; k <= *n && *n <= MOST_PIECES; k++)                                         \
            if (k == *n) {                                                                         \
                pieces[(*n)++] = i;                                                                \
                break;                                                                             \
            } else if (pieces[k] == i) {                                                           \
                break;                                                                             \
            }                                                                                      \
    } while (0)
    AD_EACH_SLOT(tape, view, OWNER);
    return *n > MOST_PIECES ? AD_NO_EDGES : AD_OK;
}

/* The elements of an edge at some positions; its references are its own. */
static enum ad_status select_edge(struct ad_push *push, const struct ad_push_edge *edge, int64_t n,
                                  const int64_t *positions, struct ad_push_edge *some)
{
    struct ad_view w = edge->w;
    enum ad_status status;

    *some = *edge;
    some->b = some->w = ad_view_number(0);
    if (w.place != AD_NUMBER)
        ad_view_broadcast(&w, edge->a.ndim, edge->a.shape);
    status = ad_view_select(push->tape, &edge->a, n, positions, &some->a);
    if (status)
        some->a = ad_view_number(0);
    if (!status)
        status = ad_view_select(push->tape, &edge->b, n, positions, &some->b);
    if (status)
        some->b = ad_view_number(0);
    if (!status)
        status = ad_view_select(push->tape, &w, n, positions, &some->w);
    if (status) {
        some->w = ad_view_number(0);
        drop_edge(some);
    }
    return status;
}

static enum ad_status add_edge(struct ad_push *push, struct ad_push_edge *edge);

/* A list that reads several instructions, an edge for each that is active; consumes nothing. */
static enum ad_status add_pieces(struct ad_push *push, const struct ad_push_edge *edge,
                                 const int32_t *owner, const int32_t *pieces, int n_pieces,
                                 int64_t *positions)
{
    int64_t size = ad_view_size(&edge->a);
    enum ad_status status = AD_OK;

    for (int k = 0; k < n_pieces && !status; k++) {
        struct ad_push_edge some;
        int64_t n = 0;

        if (pieces[k] < 0)
            continue;
        for (int64_t j = 0; j < size; j++)
            if (owner[j] == pieces[k])
                positions[n++] = j;
        status = select_edge(push, edge, n, positions, &some);
        if (!status)
            status = add_edge(push, &some);
    }
    return status;
}

/* Any edge between views of one shape; consumes its references. */
static enum ad_status add_edge(struct ad_push *push, struct ad_push_edge *edge)
{
    int64_t size = ad_view_size(&edge->a);
    enum ad_status status = AD_OK;

    if (size == 0 || ad_is_number(&edge->w, 0)) {
        drop_edge(edge);
        return AD_OK;
    }
    for (int end = 0; end < 2; end++) {
        const struct ad_view *view = end ? &edge->b : &edge->a;
        int32_t pieces[MOST_PIECES + 1], *owner;
        int64_t *positions;
        int n;

        if (view->place == AD_SLOTS) {
            edge->instr[end] = owner_of(push, ad_view_lowest(view));
            if (edge->instr[end] < 0) {
                drop_edge(edge);
                return AD_OK;
            }
            continue;
        }
        owner = malloc((size_t)size * sizeof *owner);
        positions = malloc((size_t)size * sizeof *positions);
        status = owner && positions ? owners_of(push, view, owner, pieces, &n) : AD_NO_MEMORY;
        edge->instr[end] = pieces[0];
        if (!status && (n > 1 || pieces[0] < 0)) {
            status = add_pieces(push, edge, owner, pieces, n, positions);
            n = 0;
        }
        free(owner);
        free(positions);
        if (status || n == 0) {
            drop_edge(edge);
            return status;
        }
    }
    return add_plain(push, edge);
}

/* ---- pushing ---- */

/* An edge along terms: at its first end, and unless 'second' is NULL, at its second; 'loop' if these are one. */
static enum ad_status push_along(struct ad_push *push, const struct ad_push_edge *edge,
                                 const struct ad_push_term *first,
                                 const struct ad_push_term *second, bool loop)
{
    struct ad_push_edge to = {.a = edge->a, .b = edge->b, .w = edge->w, .loop = loop};
    const struct ad_push_term *ends[2] = {first, second};
    int64_t n = 0, *at = NULL, *of_first = NULL, *of_second = NULL;
    enum ad_status status = AD_OK;

    if (first->at || (second && second->at)) { /* the elements that both have */
        int64_t most = first->at ? first->n : second->n;

        at = malloc(3 * (size_t)most * sizeof *at);
        if (!at)
            return AD_NO_MEMORY;
        of_first = at + most;
        of_second = of_first + most;
        for (int64_t j = 0, k = 0; j < most;) {
            int64_t here = first->at ? first->at[j] : second->at[j];

            if (first->at && second && second->at) {
                while (k < second->n && second->at[k] < here)
                    k++;
                if (k == second->n)
                    break;
                if (second->at[k] > here) {
                    j++;
                    continue;
                }
            }
            at[n] = here;
            of_first[n] = first->at ? j : here;
            of_second[n++] = !second || !second->at ? here : first->at ? k : j;
            j++;
        }
    }
    if (at && n == 0) {
        free(at);
        return AD_OK;
    }
    if (at) {
        status = select_edge(push, edge, n, at, &to);
        if (!status) {
            ad_view_drop(&to.a);
            status = ad_view_select(push->tape, &first->operand, n, of_first, &to.a);
            if (status)
                to.a = ad_view_number(0);
        } else {
            to.a = to.b = to.w = ad_view_number(0);
        }
        if (!status && second) {
            ad_view_drop(&to.b);
            status = ad_view_select(push->tape, &second->operand, n, of_second, &to.b);
            if (status)
                to.b = ad_view_number(0);
        }
        to.loop = loop;
    } else {
        to.a = first->operand;
        if (second)
            to.b = second->operand;
        ad_view_hold(&to.a);
        ad_view_hold(&to.b);
        ad_view_hold(&to.w);
    }
    for (int k = 0; k < 2 && ends[k] && !status; k++) {
        struct ad_view partial = ends[k]->partial, w;

        if (at && partial.place != AD_NUMBER) {
            ad_view_broadcast(&partial, edge->a.ndim, edge->a.shape);
            status = ad_view_select(push->tape, &partial, n, at, &partial);
            if (status)
                break;
        } else {
            ad_view_hold(&partial);
        }
        /* a plain product: where 0 meets infinity it is not known which of them is to count, and nan says so */
        struct ad_view args[AD_MAX_ARGS] = {to.w, partial, ad_view_number(0)};

        status = ad_emit_op(push->tape, AD_OP_mul, 0, args, &w);
        ad_view_drop(&partial);
        if (!status) {
            ad_view_drop(&to.w);
            to.w = w;
        }
    }
    free(at);
    if (status) {
        drop_edge(&to);
        return status;
    }
    if (to.w.place != AD_NUMBER)
        ad_view_broadcast(&to.w, to.a.ndim, to.a.shape);
    return add_edge(push, &to);
}

/* In the shape of the results, if the end is all of them: so that strides of operands are strides again. */
static void reshape_edge(const struct ad_tape *tape, int32_t i, struct ad_push_edge *edge)
{
    struct ad_view like, views[3] = {edge->a, edge->b, edge->w};
    struct ad_elementwise x;

    if (ad_tape_code(tape, i) >= AD_N_OPS || edge->a.place != AD_SLOTS ||
        edge->a.base != tape->dst[i] || !ad_view_is_contiguous(&edge->a) ||
        ad_view_size(&edge->a) != ad_tape_length(tape, i))
        return;
    ad_elementwise_read(tape, i, &x);
    like = x.y;
    ad_view_squeeze(&like);
    for (int k = 0; k < 3; k++)
        if (views[k].place != AD_NUMBER && !ad_view_reshape(&views[k], like.ndim, like.shape))
            return;
    edge->a = views[0];
    edge->b = views[1];
    edge->w = views[2];
}

static enum ad_status push_edge(struct ad_push *push, int32_t i, struct ad_push_edge *edge)
{
    struct ad_push_terms first = {0}, second = {0};
    enum ad_status status;

    reshape_edge(push->tape, i, edge);
    status = ad_push_terms_of(push->adjoints, i, &edge->a, &first);
    if (edge->loop) {
        for (int j = 0; j < first.n && !status; j++)
            for (int k = 0; k <= j && !status; k++)
                status = push_along(push, edge, &first.term[j], &first.term[k], j == k);
    } else if (edge->instr[1] == i) {
        if (!status)
            status = ad_push_terms_of(push->adjoints, i, &edge->b, &second);
        for (int j = 0; j < first.n && !status; j++)
            for (int k = 0; k < second.n && !status; k++)
                status = push_along(push, edge, &first.term[j], &second.term[k], false);
    } else {
        for (int j = 0; j < first.n && !status; j++)
            status = push_along(push, edge, &first.term[j], NULL, false);
    }
    ad_push_terms_drop(&first);
    ad_push_terms_drop(&second);
    return status;
}

/* ---- curvature ---- */

/* The second partials of an elementwise instruction times its adjoint g, in the shape of the results. */
static enum ad_status leave_curvature(struct ad_push *push, const struct ad_elementwise *x,
                                      const struct ad_view *g)
{
    struct ad_tape *tape = push->tape;
    struct ad_view a[AD_MAX_ARGS], slope;
    int n_args = ad_ops[x->op].n_args;
    enum ad_status status = AD_OK;

    memcpy(a, x->a, sizeof a);
    for (int j = 0; j < n_args; j++)
        ad_emit_simplify(tape, &a[j]);
    for (int k = 0; k < n_args && !status; k++) {
        if (!ad_adjoints_active(push->adjoints, &x->a[k]))
            continue;
        status = ad_emit_partial(tape, x->op, k, x->p, a, &x->y, &slope);
        if (status)
            return status;
        for (int j = 0; j <= k && !status; j++) {
            struct ad_push_edge edge = {.a = x->a[j], .b = x->a[k], .loop = j == k};
            struct ad_view h;

            if (!ad_adjoints_active(push->adjoints, &x->a[j]))
                continue;
            status = ad_emit_second(tape, x->op, j, k, x->p, a, &x->y, &slope, &h);
            if (status)
                break;
            /* what a tangent does that meets an adjoint in a product: 0 where either is */
            status = ad_emit_push(tape, AD_OP_mul0, 1, &h, g, &edge.w);
            ad_view_drop(&h);
            if (status)
                break;
            ad_emit_simplify(tape, &edge.w);
            if (edge.w.place != AD_NUMBER)
                ad_view_broadcast(&edge.w, x->y.ndim, x->y.shape);
            ad_view_hold(&edge.a);
            ad_view_hold(&edge.b);
            status = add_edge(push, &edge);
        }
        ad_view_drop(&slope);
    }
    return status;
}

/* Has it second derivatives that are not to be recorded as edges? */
static bool curves_otherwise(const struct ad_push *push, int32_t i)
{
    const struct ad_tape *tape = push->tape;
    int code = ad_tape_code(tape, i);
    struct ad_view views[2];

    if (code < AD_N_OPS)
        return code == AD_OP_hypot || code == AD_OP_plus0 || code == AD_OP_taint ||
               ad_ops[code].curvature == AD_POLE;
    if (code == AD_MATMUL) {
        ad_tape_views(tape, i, views, 2);
        return ad_adjoints_active(push->adjoints, &views[0]) &&
               ad_adjoints_active(push->adjoints, &views[1]);
    }
    return code == AD_NORM || ad_tape_has_rule(tape, i);
}

static enum ad_status visit_elementwise(struct ad_push *push, int32_t i)
{
    struct ad_elementwise x;
    struct ad_view g;
    enum ad_status status;

    ad_elementwise_read(push->tape, i, &x);
    if (ad_ops[x.op].curvature < AD_CURVED)
        return AD_OK;
    status = ad_adjoints_of(push->adjoints, i, &g);
    if (status || ad_is_number(&g, 0))
        return status;
    ad_view_hold(&g);
    if (g.place != AD_NUMBER)
        status = ad_emit_reshaped(push->tape, &g, x.y.ndim, x.y.shape);
    else
        g.ndim = 0;
    if (!status)
        status = leave_curvature(push, &x, &g);
    ad_view_drop(&g);
    return status;
}

static enum ad_status visit(struct ad_reverse_visitor *self, struct ad_adjoints *adjoints,
                            int32_t i)
{
    struct ad_push *push = (struct ad_push *)self; /* its first member */
    struct ad_tape *tape = push->tape;
    enum ad_status status = AD_OK;

    push->adjoints = adjoints;
    if (tape->n_notes > 0 || tape->n_slots > push->most)
        return AD_NO_EDGES;
    if (ad_tape_code(tape, i) == AD_INPUT)
        return AD_OK;
    if (curves_otherwise(push, i))
        return AD_NO_EDGES;
    if (ad_tape_code(tape, i) < AD_N_OPS)
        status = visit_elementwise(push, i);
    while (push->first[i] >= 0 && !status) {
        int32_t k = push->first[i];
        struct ad_push_edge edge = push->edges[k];

        push->first[i] = edge.next;
        push->edges[k].a = push->edges[k].b = push->edges[k].w = ad_view_number(0);
        push->edges[k].next = push->unused;
        push->unused = k;
        status = push_edge(push, i, &edge);
        drop_edge(&edge);
    }
    return status;
}

enum ad_status ad_push_begin(struct ad_push *push, struct ad_tape *tape, int64_t most)
{
    *push = (struct ad_push){
        .visitor = {visit}, .tape = tape, .most = most, .unused = -1, .n_first = tape->n};
    push->first = malloc(((size_t)tape->n + 1) * sizeof *push->first);
    if (!push->first)
        return AD_NO_MEMORY;
    for (int32_t i = 0; i < tape->n; i++)
        push->first[i] = -1;
    return AD_OK;
}

void ad_push_end(struct ad_push *push)
{
    for (int32_t k = 0; k < push->n; k++)
        drop_edge(&push->edges[k]);
    free(push->edges);
    free(push->first);
}

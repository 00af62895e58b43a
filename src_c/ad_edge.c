/* ad_edge.c -- the reverse sweep that pushes edges, instruction by instruction. */
#include "ad_edge.h"

#include <stdlib.h>
#include <string.h>

#include "ad_draw.h"
#include "ad_edge_pool.h"
#include "ad_emit_algebra.h"
#include "ad_index.h"
#include "ad_lanes.h"
#include "ad_norm.h"

/* Rows up to which a running sum from the end is taken as so many sums. */
enum { SHORT_ROW = 256 };

/* Results up to which an array instruction is taken point by point. */
enum { FEW_POINTS = 8 };

struct sweep {
    struct ad_tape *tape;
    int32_t low; /* node v is slot low + v */
    struct ad_edge_pool pool;
    char *room; /* of the instruction under way */
    size_t room_size, room_used;
};

/* ---- room that is used again ---- */

static bool room_begin(struct sweep *w, size_t nbytes)
{
    w->room_used = 0;
    if (nbytes <= w->room_size)
        return true;
    free(w->room);
    w->room = malloc(nbytes);
    w->room_size = w->room ? nbytes : 0;
    return w->room != NULL;
}

static void *room_take(struct sweep *w, int64_t n, size_t size)
{
    void *part = w->room + w->room_used;

    w->room_used += ((size_t)n * size + 15) & ~(size_t)15;
    ad_assert(w->room_used <= w->room_size);
    return part;
}

/* Bytes that hold n of a size, taken as above. */
static size_t bytes(int64_t n, size_t size)
{
    return (size_t)n * size + 16;
}

/* ---- nodes ---- */

static int32_t node_of(const struct sweep *w, int32_t slot)
{
    return slot < w->low ? -1 : slot - w->low;
}

/* The nodes of a view in C order, -1 for what is no variable. */
static void nodes_of(const struct sweep *w, const struct ad_view *view, int32_t *nodes)
{
#define TAKE_NODE(j, slot) nodes[j] = node_of(w, slot)
    AD_EACH_SLOT(w->tape, view, TAKE_NODE);
}

static bool any_busy(const struct sweep *w, int32_t first, int64_t n)
{
    for (int64_t v = first; v < first + n; v++)
        if (!ad_edge_is_idle(&w->pool.nodes[v]))
            return true;
    return false;
}

static enum ad_status status_of(const struct sweep *w)
{
    return w->pool.status ? w->pool.status : w->pool.strange ? AD_NO_EDGES : AD_OK;
}

/* ---- elementwise instructions ---- */

/* An op at one point: where its operands are, and its partials. */
struct point {
    int n;
    int32_t node[AD_MAX_ARGS];
    double a[AD_MAX_ARGS], d[AD_MAX_ARGS], h[AD_MAX_ARGS][AD_MAX_ARGS];
    unsigned depends[AD_MAX_ARGS]; /* as ad_op_second() says */
};

/* A second partial of 0 may be one that was too small: it is exact only between moderate factors. */
static bool is_doubtful(const struct point *p, double g)
{
    bool extreme = ad_is_extreme(g);

    for (int j = 0; j < p->n; j++)
        extreme |= ad_is_extreme(p->a[j]);
    return extreme;
}

static void push_curvature(struct ad_edge_pool *pool, const struct point *p, double g)
{
    for (int j = 0; j < p->n; j++) {
        if (p->node[j] < 0)
            continue;
        pool->strange |= !(fabs(p->a[j]) <= DBL_MAX); /* partials there are those of no function */
        for (int k = 0; k <= j; k++) {
            double h = p->h[j][k];

            if (p->node[k] < 0 || !((p->depends[j] >> k | p->depends[k] >> j) & 1))
                continue;
            /* at some corners the mixed partials of an op differ, and the matrix is not symmetric */
            if ((h == 0) != (p->h[k][j] == 0) || (h == 0 && is_doubtful(p, g)))
                pool->strange = true;
            else if (h != 0 && j == k)
                ad_edge_add_loop(pool, p->node[j], g * h);
            else if (h != 0)
                ad_edge_add(pool, p->node[j], p->node[k], g * h);
        }
    }
}

/* Push node v, whose operands are in 'p', to them. */
static void push_point(struct ad_edge_pool *pool, int32_t v, struct point *p, bool curved)
{
    double g = pool->nodes[v].adjoint;
    int n = 0;

    if (curved && g != 0)
        push_curvature(pool, p, g);
    for (int j = 0; j < p->n; j++) {
        int k = 0;

        if (p->node[j] < 0)
            continue;
        while (k < n && p->node[k] != p->node[j])
            k++;
        if (k < n) {
            p->d[k] += p->d[j];
        } else {
            p->node[n] = p->node[j];
            p->d[n++] = p->d[j];
        }
    }
    for (int j = n - 1; j >= 0; j--)
        if (p->d[j] == 0) {
            n--;
            p->node[j] = p->node[n];
            p->d[j] = p->d[n];
        }
    ad_edge_push(pool, v, n, p->node, p->d);
}

/* The partials of an op at p->a; those of a product, the commonest, without reading its row. */
static void point_partials(struct point *p, enum ad_op op, double parameter, double y)
{
    if (ad_ops[op].curvature < AD_CURVED) {
        ad_op_partials(op, parameter, p->a[0], p->a[1], p->a[2], y, p->d);
    } else if (op == AD_OP_mul) {
        p->d[0] = p->a[1];
        p->d[1] = p->a[0];
        p->depends[0] = 2;
        p->depends[1] = 1;
        p->h[0][1] = p->h[1][0] = 1;
    } else {
        ad_op_second(op, parameter, p->a, y, p->d, p->h, p->depends);
    }
}

static void push_scalar(struct sweep *w, int32_t i)
{
    const struct ad_tape *tape = w->tape;
    enum ad_op op = (enum ad_op)ad_tape_code(tape, i);
    int32_t slot[2] = {tape->a[i], tape->b[i]}, v = tape->dst[i] - w->low;
    struct point p;

    if (ad_edge_is_idle(&w->pool.nodes[v]))
        return;
    p.n = ad_ops[op].n_args;
    p.a[2] = 0;
    for (int j = 0; j < 2; j++) {
        p.node[j] = node_of(w, slot[j]);
        p.a[j] = tape->value[slot[j]];
    }
    point_partials(&p, op, ad_tape_parameter(tape, i), tape->value[tape->dst[i]]);
    push_point(&w->pool, v, &p, ad_ops[op].curvature >= AD_CURVED);
}

/* The operands of an array instruction, dense; one number repeated has no vector. */
struct operands {
    int n;
    double parameter;
    int32_t *node[AD_MAX_ARGS];
    double *value[AD_MAX_ARGS]; /* or NULL */
    double number[AD_MAX_ARGS];
};

static bool operands_of(struct sweep *w, int32_t i, int64_t size, size_t more, struct operands *o)
{
    struct ad_view views[AD_MAX_ARGS];

    o->n = ad_ops[ad_tape_code(w->tape, i)].n_args;
    memcpy(&o->parameter, &w->tape->aux[w->tape->a[i] + 3], sizeof o->parameter);
    ad_tape_views(w->tape, i, views, o->n);
    if (!room_begin(w, (size_t)o->n * (bytes(size, sizeof(int32_t)) + bytes(size, sizeof(double))) +
                           more))
        return false;
    for (int j = 0; j < o->n; j++) {
        o->node[j] = room_take(w, size, sizeof(int32_t));
        o->value[j] = NULL;
        nodes_of(w, &views[j], o->node[j]);
        if (views[j].place == AD_NUMBER) {
            o->number[j] = views[j].in.number;
        } else {
            o->value[j] = room_take(w, size, sizeof(double));
            ad_view_read(&views[j], w->tape->value, o->value[j]);
        }
    }
    return true;
}

static void point_at(const struct operands *o, int64_t j, struct point *p)
{
    p->n = o->n;
    p->a[1] = p->a[2] = 0;
    for (int k = 0; k < o->n; k++) {
        p->node[k] = o->node[k][j];
        p->a[k] = o->value[k] ? o->value[k][j] : o->number[k];
    }
}

/* The partials of a tile of points. */
struct tile {
    struct ad_vec d[AD_MAX_ARGS];
    struct ad_vec h[AD_MAX_ARGS][AD_MAX_ARGS];
    double numbers[AD_MAX_ARGS][AD_MAX_ARGS][AD_TILE]; /* of h */
};

static void tile_partials(struct sweep *w, enum ad_op op, const struct operands *o, int32_t dst,
                          int64_t start, int64_t n, struct tile *tile)
{
    struct ad_vec a[AD_MAX_ARGS] = {{NULL, 0}}, y = {w->tape->value + dst + start, 0};
    double *scratch = w->tape->scratch;

    for (int k = 0; k < o->n; k++)
        a[k] = o->value[k] ? (struct ad_vec){o->value[k] + start, 0}
                           : (struct ad_vec){NULL, o->number[k]};
    for (int k = 0; k < o->n; k++, scratch += AD_PARTIAL_SCRATCH)
        tile->d[k] = ad_op_vector_partial(op, k, o->parameter, (size_t)n, a, y, scratch);
    for (int k = 0; k < o->n && ad_ops[op].curvature >= AD_CURVED; k++) {
        ad_op_vector_second(op, k, o->parameter, (size_t)n, a, y, tile->d, tile->h[k], scratch);
        for (int j = 0; j < o->n; j++)
            if (tile->h[k][j].v) {
                memcpy(tile->numbers[k][j], tile->h[k][j].v, (size_t)n * sizeof(double));
                tile->h[k][j].v = tile->numbers[k][j];
            }
    }
}

AD_INLINE double vec_at(const struct ad_vec *vec, int64_t j)
{
    return vec->v ? vec->v[j] : vec->c;
}

/* Edges within an instruction lead to smaller slots: its last element comes first. */
static enum ad_status push_elements(struct sweep *w, int32_t i)
{
    enum ad_op op = (enum ad_op)ad_tape_code(w->tape, i);
    int32_t dst = w->tape->dst[i], first = dst - w->low;
    int64_t size = ad_tape_length(w->tape, i);
    bool curved = ad_ops[op].curvature >= AD_CURVED;
    struct operands o;
    struct point p;
    struct tile *tile;

    if (!any_busy(w, first, size))
        return AD_OK;
    if (!operands_of(w, i, size, bytes(1, sizeof *tile), &o))
        return AD_NO_MEMORY;
    tile = room_take(w, 1, sizeof *tile);
    for (int64_t end = size, start; end > 0 && !status_of(w); end = start) {
        start = (end - 1) / AD_TILE * AD_TILE;
        if (!any_busy(w, first + (int32_t)start, end - start))
            continue;
        if (size > FEW_POINTS)
            tile_partials(w, op, &o, dst, start, end - start, tile);
        for (int64_t j = end - 1; j >= start; j--) {
            int32_t v = first + (int32_t)j;

            if (ad_edge_is_idle(&w->pool.nodes[v]))
                continue;
            if (op == AD_OP_hypot && w->tape->value[dst + j] == 0)
                return AD_NO_EDGES;
            point_at(&o, j, &p);
            if (size <= FEW_POINTS)
                point_partials(&p, op, o.parameter, w->tape->value[dst + j]);
            for (int k = 0; k < o.n && size > FEW_POINTS; k++) {
                p.d[k] = vec_at(&tile->d[k], j - start);
                p.depends[k] = 0;
                for (int l = 0; l < o.n && curved; l++) {
                    p.h[k][l] = vec_at(&tile->h[k][l], j - start);
                    p.depends[k] |= (unsigned)(tile->h[k][l].v || tile->h[k][l].c != 0) << l;
                }
            }
            push_point(&w->pool, v, &p, curved);
        }
    }
    return AD_OK;
}

/* ---- linear instructions ---- */

/* Terms of the results of an instruction, as they come. */
struct terms {
    int64_t n;
    int32_t *from; /* nodes; -1: none */
    int32_t *to;   /* results, counted from the first */
    double *d;     /* NULL: 1 */
};

/* Room for terms and for what push_terms() needs. */
static bool terms_begin(struct sweep *w, int32_t i, int64_t most, bool weighted, size_t more,
                        struct terms *terms)
{
    size_t nbytes = 3 * bytes(most, sizeof(int32_t)) + 2 * bytes(most, sizeof(double)) +
                    bytes(ad_tape_length(w->tape, i) + 2, sizeof(int64_t)) + more;

    if (!room_begin(w, nbytes))
        return false;
    terms->n = 0;
    terms->from = room_take(w, most, sizeof(int32_t));
    terms->to = room_take(w, most, sizeof(int32_t));
    terms->d = weighted ? room_take(w, most, sizeof(double)) : NULL;
    return true;
}

static void term_add(struct terms *terms, int32_t from, int64_t to)
{
    terms->from[terms->n] = from;
    terms->to[terms->n++] = (int32_t)to;
}

/* Sort the terms by results, and push these from the last to the first. */
static void push_terms(struct sweep *w, int32_t i, const struct terms *terms)
{
    int32_t first = w->tape->dst[i] - w->low, n = ad_tape_length(w->tape, i);
    int64_t *start = room_take(w, n + 2, sizeof *start);
    int32_t *operand = room_take(w, terms->n, sizeof *operand);
    double *d = room_take(w, terms->n, sizeof *d);

    memset(start, 0, ((size_t)n + 2) * sizeof *start);
    for (int64_t k = 0; k < terms->n; k++)
        start[terms->to[k] + 2] += terms->from[k] >= 0;
    for (int32_t v = 0; v < n; v++)
        start[v + 2] += start[v + 1];
    for (int64_t k = 0; k < terms->n; k++)
        if (terms->from[k] >= 0) {
            int64_t at = start[terms->to[k] + 1]++;

            operand[at] = terms->from[k];
            d[at] = terms->d ? terms->d[k] : 1;
        }
    for (int32_t v = n - 1; v >= 0 && !status_of(w); v--)
        if (!ad_edge_is_idle(&w->pool.nodes[first + v]))
            ad_edge_push_sum(&w->pool, first + v, start[v + 1] - start[v], operand + start[v],
                             d + start[v]);
}

static enum ad_status push_addto(struct sweep *w, int32_t i)
{
    const int64_t *block = w->tape->aux + w->tape->a[i], *words = block + AD_BLOCK_HEADER;
    struct ad_span_room from_room, to_room;
    struct ad_view from, to;
    struct terms terms;
    int64_t most = 0;

    for (int64_t v = 0; v < block[1]; v += 2) {
        words = ad_view_decode(ad_view_decode(words, &from), &to);
        most += ad_view_size(&to);
    }
    if (!terms_begin(w, i, most, false, 0, &terms))
        return AD_NO_MEMORY;
    words = block + AD_BLOCK_HEADER;
    for (int64_t v = 0; v < block[1]; v += 2) {
        int64_t size;

        words = ad_view_decode(ad_view_decode(words, &from), &to);
        size = ad_view_size(&to);
        for (int64_t start = 0, n; start < size; start += n) {
            n = ad_tile_size(&to, size, start);
            struct ad_span in = ad_span_of(&from, 0, w->tape->value, start, n, &from_room);
            struct ad_span out = ad_span_of(&to, 0, w->tape->value, start, n, &to_room);

            for (int64_t j = 0; j < n; j++) {
                int64_t slot = ad_span_slot(&in, j);

                if (slot >= w->low)
                    term_add(&terms, (int32_t)slot - w->low, ad_span_slot(&out, j));
            }
        }
    }
    push_terms(w, i, &terms);
    return AD_OK;
}

static enum ad_status push_gather(struct sweep *w, int32_t i)
{
    bool gather = ad_tape_code(w->tape, i) == AD_GATHER;
    struct ad_view views[2];
    int64_t size, row, m, width;
    struct terms terms;
    double *index, *identity, *at;
    int32_t *node;

    ad_tape_views(w->tape, i, views, 2);
    size = ad_view_size(&views[0]);
    row = views[0].shape[views[0].ndim - 1];
    m = ad_view_size(&views[1]);
    if (row == 0 || m == 0)
        return AD_OK;
    width = gather ? row : w->tape->aux[w->tape->a[i] + 4]; /* what the indices count in */
    if (!terms_begin(w, i, size / row * m, false,
                     2 * bytes(m, sizeof(double)) + bytes(width, sizeof(double)) +
                         bytes(size, sizeof(int32_t)),
                     &terms))
        return AD_NO_MEMORY;
    index = room_take(w, m, sizeof *index);
    at = room_take(w, m, sizeof *at);
    identity = room_take(w, width, sizeof *identity);
    node = room_take(w, size, sizeof *node);
    nodes_of(w, &views[0], node);
    ad_view_read(&views[1], w->tape->value, index);
    for (int64_t j = 0; j < width; j++)
        identity[j] = (double)j;
    ad_index_take(1, width, m, index, identity, at, 1); /* nan: no such element */
    for (int64_t r = 0; r < size / row; r++)
        for (int64_t j = 0; j < m; j++) {
            if (isnan(at[j]))
                return AD_NO_EDGES;
            if (gather)
                term_add(&terms, node[r * row + (int64_t)at[j]], r * m + j);
            else
                term_add(&terms, node[r * row + j], r * width + (int64_t)at[j]);
        }
    push_terms(w, i, &terms);
    return AD_OK;
}

/* The elements that attain the extremum share evenly. */
static enum ad_status push_extremum(struct sweep *w, int32_t i)
{
    const double *y = w->tape->value + w->tape->dst[i];
    struct ad_view view;
    int64_t size, row;
    struct terms terms;
    double *x;
    int32_t *node;

    ad_tape_views(w->tape, i, &view, 1);
    size = ad_view_size(&view);
    row = view.shape[view.ndim - 1];
    if (!terms_begin(w, i, size, true, bytes(size, sizeof *x) + bytes(size, sizeof *node), &terms))
        return AD_NO_MEMORY;
    x = room_take(w, size, sizeof *x);
    node = room_take(w, size, sizeof *node);
    ad_view_read(&view, w->tape->value, x);
    nodes_of(w, &view, node);
    for (int64_t r = 0; row > 0 && r < size / row; r++) {
        int64_t ties = 0, was = terms.n;

        for (int64_t j = r * row; j < (r + 1) * row; j++)
            if (x[j] == y[r] || (x[j] != x[j] && y[r] != y[r])) {
                ties++;
                term_add(&terms, node[j], r);
            }
        for (int64_t k = was; k < terms.n; k++)
            terms.d[k] = 1 / (double)ties;
    }
    push_terms(w, i, &terms);
    return AD_OK;
}

/* A sum from the start is the one before and one element more. */
static void push_cumsum_on(struct sweep *w, int32_t first, const int32_t *node, int64_t size,
                           int64_t row)
{
    static const double ones[2] = {1, 1};

    for (int64_t j = size - 1; j >= 0 && !status_of(w); j--) {
        int32_t v = first + (int32_t)j, operand[2];
        int n = 0;

        if (ad_edge_is_idle(&w->pool.nodes[v]))
            continue;
        if (node[j] >= 0)
            operand[n++] = node[j];
        if (j % row != 0)
            operand[n++] = v - 1;
        ad_edge_push(&w->pool, v, n, operand, ones);
    }
}

/* One from the end has the next slot for its own operand, against the order of the sweep: adjoints are added
 * up beforehand, and edges are pushed to all elements of a row that is short. */
static enum ad_status push_cumsum_back(struct sweep *w, int32_t i, int32_t first,
                                       const int32_t *node, int64_t size, int64_t row)
{
    struct ad_edge_node *nodes = w->pool.nodes;
    bool edges = false;
    struct terms terms;

    for (int64_t r = 0; r < size / row; r++) {
        double g = 0;

        for (int64_t j = r * row; j < (r + 1) * row; j++) {
            g += nodes[first + j].adjoint;
            nodes[first + j].adjoint = 0;
            if (node[j] >= 0)
                nodes[node[j]].adjoint += g;
            edges |= !ad_edge_is_idle(&nodes[first + j]);
        }
    }
    if (!edges)
        return AD_OK;
    if (row > SHORT_ROW)
        return AD_NO_EDGES;
    if (!terms_begin(w, i, size * row, false, 0, &terms))
        return AD_NO_MEMORY;
    for (int64_t j = 0; j < size; j++)
        for (int64_t k = j; k < (j / row + 1) * row; k++)
            term_add(&terms, node[k], j);
    push_terms(w, i, &terms);
    return AD_OK;
}

static enum ad_status push_cumsum(struct sweep *w, int32_t i)
{
    int32_t first = w->tape->dst[i] - w->low, *node;
    int64_t size = ad_tape_length(w->tape, i);
    struct ad_view view;
    enum ad_status status = AD_OK;

    ad_tape_views(w->tape, i, &view, 1);
    node = malloc((size_t)size * sizeof *node);
    if (!node)
        return AD_NO_MEMORY;
    nodes_of(w, &view, node);
    if (w->tape->aux[w->tape->a[i] + 4])
        status = push_cumsum_back(w, i, first, node, size, view.shape[view.ndim - 1]);
    else
        push_cumsum_on(w, first, node, size, view.shape[view.ndim - 1]);
    free(node);
    return status;
}

/* ---- norms and products ---- */

/* With u = x / |x| the second partials are (1 - u u') / |x|. */
static enum ad_status push_norm(struct sweep *w, int32_t i)
{
    const double *y = w->tape->value + w->tape->dst[i];
    struct ad_view view;
    int64_t size, row;
    double *x, *d;
    int32_t *node, *operand, first = w->tape->dst[i] - w->low;

    ad_tape_views(w->tape, i, &view, 1);
    size = ad_view_size(&view);
    row = view.shape[view.ndim - 1];
    if (!room_begin(w, bytes(size, sizeof *x) + bytes(row, sizeof *d) + bytes(size, sizeof *node) +
                           bytes(row, sizeof *operand)))
        return AD_NO_MEMORY;
    x = room_take(w, size, sizeof *x);
    d = room_take(w, row, sizeof *d);
    node = room_take(w, size, sizeof *node);
    operand = room_take(w, row, sizeof *operand);
    ad_view_read(&view, w->tape->value, x);
    nodes_of(w, &view, node);
    for (int64_t r = ad_tape_length(w->tape, i) - 1; r >= 0 && !status_of(w); r--) {
        int32_t v = first + (int32_t)r;
        double g = w->pool.nodes[v].adjoint;
        int64_t n = 0;

        if (ad_edge_is_idle(&w->pool.nodes[v]))
            continue;
        if (y[r] == 0)
            return AD_NO_EDGES;
        for (int64_t j = r * row; j < (r + 1) * row; j++)
            if (node[j] >= 0) {
                operand[n] = node[j];
                d[n++] = x[j] / y[r];
            }
        for (int64_t j = 0; j < n && g != 0 && !w->pool.status; j++) {
            if (fabs(d[j]) != 1)
                ad_edge_add_loop(&w->pool, operand[j], g * (1 - d[j] * d[j]) / y[r]);
            for (int64_t k = 0; k < j && d[j] != 0; k++)
                if (d[k] != 0)
                    ad_edge_add(&w->pool, operand[j], operand[k], -g * d[j] * d[k] / y[r]);
        }
        ad_edge_push_sum(&w->pool, v, n, operand, d);
    }
    return AD_OK;
}

static enum ad_status push_matmul(struct sweep *w, int32_t i)
{
    struct ad_view views[2];
    int64_t m, k, n, size[2], results = ad_tape_length(w->tape, i);
    double *value[2], *d;
    int32_t *node[2], *operand, first = w->tape->dst[i] - w->low;
    int last;

    ad_tape_views(w->tape, i, views, 2);
    last = views[0].ndim - 1;
    m = views[0].shape[last - 1];
    k = views[0].shape[last];
    n = views[1].shape[last];
    size[0] = ad_view_size(&views[0]);
    size[1] = ad_view_size(&views[1]);
    if (!room_begin(w, 2 * (bytes(AD_MAX(size[0], size[1]), sizeof(double)) +
                            bytes(AD_MAX(size[0], size[1]), sizeof(int32_t))) +
                           bytes(2 * k, sizeof *d) + bytes(2 * k, sizeof *operand)))
        return AD_NO_MEMORY;
    for (int side = 0; side < 2; side++) {
        value[side] = room_take(w, size[side], sizeof(double));
        node[side] = room_take(w, size[side], sizeof(int32_t));
        ad_view_read(&views[side], w->tape->value, value[side]);
        nodes_of(w, &views[side], node[side]);
    }
    d = room_take(w, 2 * k, sizeof *d);
    operand = room_take(w, 2 * k, sizeof *operand);
    for (int64_t r = results - 1; r >= 0 && !status_of(w); r--) {
        int64_t left = r / n * k, right = r / (m * n) * k * n + r % n, n_operands = 0;
        int32_t v = first + (int32_t)r;
        double g = w->pool.nodes[v].adjoint;

        if (ad_edge_is_idle(&w->pool.nodes[v]))
            continue;
        for (int64_t l = 0; l < k; l++) {
            int64_t at[2] = {left + l, right + l * n};

            for (int side = 0; side < 2; side++)
                if (node[side][at[side]] >= 0) {
                    operand[n_operands] = node[side][at[side]];
                    d[n_operands++] = value[1 - side][at[1 - side]];
                }
            if (node[0][at[0]] >= 0 && node[1][at[1]] >= 0 && g != 0)
                ad_edge_add(&w->pool, node[0][at[0]], node[1][at[1]], g);
        }
        ad_edge_push_sum(&w->pool, v, n_operands, operand, d);
    }
    return AD_OK;
}

/* ---- the sweep ---- */

static enum ad_status push_instr(struct sweep *w, int32_t i)
{
    int code = ad_tape_code(w->tape, i);

    if (code == AD_INPUT || !any_busy(w, w->tape->dst[i] - w->low, ad_tape_length(w->tape, i)))
        return AD_OK;
    if (code < AD_N_OPS)
        return push_elements(w, i);
    switch ((enum ad_code)code) {
    case AD_ADDTO:
        return push_addto(w, i);
    case AD_GATHER:
    case AD_SCATTER:
        return push_gather(w, i);
    case AD_EXTREMUM:
        return push_extremum(w, i);
    case AD_CUMSUM:
        return push_cumsum(w, i);
    case AD_NORM:
        return push_norm(w, i);
    case AD_MATMUL:
        return push_matmul(w, i);
    case AD_KERNEL:
    case AD_CALL:
        return AD_NO_EDGES;
    case AD_INPUT:
    case AD_ARGSORT:
        return AD_OK; /* no derivative goes through */
    case AD_DRAW:
        break;
    }
    ad_unreachable();
    return AD_OK;
}

/* The last instruction that a view reads from; -1 if it is constant. */
static int32_t last_of(const struct ad_tape *tape, const struct ad_view *view)
{
    int32_t highest = -1;

#define HIGHEST(j, slot) highest = (j) >= 0 ? AD_MAX(highest, slot) : highest
    AD_EACH_SLOT(tape, view, HIGHEST);
    return highest < 0 ? -1 : ad_tape_producer(tape, highest);
}

static bool has_notes(const struct ad_tape *tape, int32_t first, int32_t last)
{
    return ad_tape_notes_before(tape, last + 1) > ad_tape_notes_before(tape, first);
}

static enum ad_status sweep_down(struct sweep *w, const struct ad_view *output, int32_t first,
                                 int32_t last)
{
    enum ad_status status = AD_OK;

#define SEED(j, slot)                                                                              \
    if ((slot) >= w->low && (j) >= 0)                                                              \
    w->pool.nodes[(slot) - w->low].adjoint += 1
    AD_EACH_SLOT(w->tape, output, SEED);
    for (int32_t i = last; i >= first && !status; i--) {
        if (ad_tape_is_array(w->tape, i))
            status = push_instr(w, i);
        else
            push_scalar(w, i);
        if (!status)
            status = status_of(w);
    }
    return status;
}

enum ad_status ad_edge_hessian(struct ad_tape *tape, const struct ad_view *output, int32_t low,
                               int32_t n, int64_t most, double *gradient,
                               struct ad_pattern *pattern, double **data)
{
    int32_t first = low < tape->n_slots ? ad_tape_producer(tape, low) : tape->n, floor,
            last = last_of(tape, output);
    struct sweep w = {.tape = tape, .low = low};
    enum ad_status status;

    memset(pattern, 0, sizeof *pattern);
    *data = NULL;
    if (last >= first && has_notes(tape, first, last))
        return AD_NO_EDGES;
    status = ad_draw_find(tape, first, last);
    if (!status && !ad_tape_constants_intact(tape, first, last))
        status = AD_CONST_CHANGED;
    if (status)
        return status;
    floor = ad_tape_enter(tape, tape->n);
    status = ad_edge_pool_new(tape->n_slots - low, &w.pool);
    w.pool.most = most;
    if (!status)
        status = sweep_down(&w, output, first, last);
    if (!status)
        status = ad_edge_matrix(&w.pool, n, pattern, data);
    for (int32_t j = 0; j < n && !status; j++)
        gradient[j] = w.pool.nodes[j].adjoint;
    ad_edge_pool_free(&w.pool);
    free(w.room);
    ad_tape_leave(tape, floor);
    return status;
}

/* ---- what it costs ---- */

/* Slots that the results of an array instruction push to, one counted as often as it is read. */
static int64_t operands_read(const struct ad_tape *tape, int32_t i)
{
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    int code = ad_tape_code(tape, i);
    int64_t n = 0;

    if (code == AD_GATHER)
        return block[2];
    for (int64_t v = 0; v < block[1]; v++) {
        struct ad_view view;

        words = ad_view_decode(words, &view);
        if (code == AD_MATMUL)
            return 2 * view.shape[view.ndim - 1] * block[2];
        if (view.place == AD_SLOTS || view.place == AD_LIST)
            n += ad_view_size(&view);
        if (code == AD_SCATTER)
            break;
    }
    return n;
}

struct ad_edge_cost ad_edge_cost_of(const struct ad_tape *tape, const struct ad_view *output,
                                    int32_t low)
{
    int32_t last = last_of(tape, output),
            first = low < tape->n_slots ? ad_tape_producer(tape, low) + 1 : tape->n;
    struct ad_edge_cost cost = {.known = last < first || !has_notes(tape, first, last)};

    for (int32_t i = first; i <= last; i++) {
        int code = ad_tape_code(tape, i);
        int64_t n = ad_tape_length(tape, i);

        if (code == AD_INPUT)
            continue;
        cost.slots += n;
        if (code < AD_N_OPS ? ad_ops[code].curvature >= AD_CURVED
                            : code == AD_NORM || code == AD_MATMUL)
            cost.curved += n;
        cost.operands += ad_tape_is_array(tape, i) ? operands_read(tape, i) : ad_ops[code].n_args;
        cost.known &= !ad_tape_has_rule(tape, i) && !ad_norm_vanishes(tape, i);
    }
    return cost;
}

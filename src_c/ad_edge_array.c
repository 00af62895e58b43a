/* ad_edge_array.c -- edges pushed through sums, moves, norms and products. */
#include "ad_edge_array.h"

#include <stdlib.h>
#include <string.h>

#include "ad_index.h"
#include "ad_lanes.h"

/* Rows up to which a running sum from the end is taken as so many sums. */
enum { SHORT_ROW = 256 };

/* ---- linear instructions ---- */

/* Terms of the results of an instruction, as they come. */
struct terms {
    int64_t n;
    int32_t *from; /* nodes; -1: none */
    int32_t *to;   /* results, counted from the first */
    double *d;     /* NULL: 1 */
};

/* Room for terms and for what push_terms() needs. */
static bool terms_begin(struct ad_edge_sweep *w, int32_t i, int64_t most, bool weighted,
                        size_t more, struct terms *terms)
{
    size_t nbytes = 3 * ad_edge_bytes(most, sizeof(int32_t)) +
                    2 * ad_edge_bytes(most, sizeof(double)) +
                    ad_edge_bytes(ad_tape_length(w->tape, i) + 2, sizeof(int64_t)) + more;

    if (!ad_edge_room_begin(w, nbytes))
        return false;
    terms->n = 0;
    terms->from = ad_edge_room_take(w, most, sizeof(int32_t));
    terms->to = ad_edge_room_take(w, most, sizeof(int32_t));
    terms->d = weighted ? ad_edge_room_take(w, most, sizeof(double)) : NULL;
    return true;
}

static void term_add(struct terms *terms, int32_t from, int64_t to)
{
    terms->from[terms->n] = from;
    terms->to[terms->n++] = (int32_t)to;
}

/* Sort the terms by results, and push these from the last to the first. */
static void push_terms(struct ad_edge_sweep *w, int32_t i, const struct terms *terms)
{
    int32_t first = w->tape->dst[i] - w->low, n = ad_tape_length(w->tape, i);
    int64_t *start = ad_edge_room_take(w, n + 2, sizeof *start);
    int32_t *operand = ad_edge_room_take(w, terms->n, sizeof *operand);
    double *d = ad_edge_room_take(w, terms->n, sizeof *d);

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
    for (int32_t v = n - 1; v >= 0 && !ad_edge_status(w); v--)
        if (!ad_edge_is_idle(&w->pool.nodes[first + v]))
            ad_edge_push_sum(&w->pool, first + v, start[v + 1] - start[v], operand + start[v],
                             d + start[v]);
}

enum ad_status ad_edge_push_addto(struct ad_edge_sweep *w, int32_t i)
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

enum ad_status ad_edge_push_gather(struct ad_edge_sweep *w, int32_t i)
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
                     2 * ad_edge_bytes(m, sizeof(double)) + ad_edge_bytes(width, sizeof(double)) +
                         ad_edge_bytes(size, sizeof(int32_t)),
                     &terms))
        return AD_NO_MEMORY;
    index = ad_edge_room_take(w, m, sizeof *index);
    at = ad_edge_room_take(w, m, sizeof *at);
    identity = ad_edge_room_take(w, width, sizeof *identity);
    node = ad_edge_room_take(w, size, sizeof *node);
    ad_edge_nodes(w, &views[0], node);
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
enum ad_status ad_edge_push_extremum(struct ad_edge_sweep *w, int32_t i)
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
    if (!terms_begin(w, i, size, true,
                     ad_edge_bytes(size, sizeof *x) + ad_edge_bytes(size, sizeof *node), &terms))
        return AD_NO_MEMORY;
    x = ad_edge_room_take(w, size, sizeof *x);
    node = ad_edge_room_take(w, size, sizeof *node);
    ad_view_read(&view, w->tape->value, x);
    ad_edge_nodes(w, &view, node);
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
static void push_cumsum_on(struct ad_edge_sweep *w, int32_t first, const int32_t *node,
                           int64_t size, int64_t row)
{
    static const double ones[2] = {1, 1};

    for (int64_t j = size - 1; j >= 0 && !ad_edge_status(w); j--) {
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
static enum ad_status push_cumsum_back(struct ad_edge_sweep *w, int32_t i, int32_t first,
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

enum ad_status ad_edge_push_cumsum(struct ad_edge_sweep *w, int32_t i)
{
    int32_t first = w->tape->dst[i] - w->low, *node;
    int64_t size = ad_tape_length(w->tape, i);
    struct ad_view view;
    enum ad_status status = AD_OK;

    ad_tape_views(w->tape, i, &view, 1);
    node = malloc((size_t)size * sizeof *node);
    if (!node)
        return AD_NO_MEMORY;
    ad_edge_nodes(w, &view, node);
    if (w->tape->aux[w->tape->a[i] + 4])
        status = push_cumsum_back(w, i, first, node, size, view.shape[view.ndim - 1]);
    else
        push_cumsum_on(w, first, node, size, view.shape[view.ndim - 1]);
    free(node);
    return status;
}

/* ---- norms and products ---- */

/* With u = x / |x| the second partials are (1 - u u') / |x|. */
enum ad_status ad_edge_push_norm(struct ad_edge_sweep *w, int32_t i)
{
    const double *y = w->tape->value + w->tape->dst[i];
    struct ad_view view;
    int64_t size, row;
    double *x, *d;
    int32_t *node, *operand, first = w->tape->dst[i] - w->low;

    ad_tape_views(w->tape, i, &view, 1);
    size = ad_view_size(&view);
    row = view.shape[view.ndim - 1];
    if (!ad_edge_room_begin(w, ad_edge_bytes(size, sizeof *x) + ad_edge_bytes(row, sizeof *d) +
                                   ad_edge_bytes(size, sizeof *node) +
                                   ad_edge_bytes(row, sizeof *operand)))
        return AD_NO_MEMORY;
    x = ad_edge_room_take(w, size, sizeof *x);
    d = ad_edge_room_take(w, row, sizeof *d);
    node = ad_edge_room_take(w, size, sizeof *node);
    operand = ad_edge_room_take(w, row, sizeof *operand);
    ad_view_read(&view, w->tape->value, x);
    ad_edge_nodes(w, &view, node);
    for (int64_t r = ad_tape_length(w->tape, i) - 1; r >= 0 && !ad_edge_status(w); r--) {
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

enum ad_status ad_edge_push_matmul(struct ad_edge_sweep *w, int32_t i)
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
    if (!ad_edge_room_begin(w, 2 * (ad_edge_bytes(AD_MAX(size[0], size[1]), sizeof(double)) +
                                    ad_edge_bytes(AD_MAX(size[0], size[1]), sizeof(int32_t))) +
                                   ad_edge_bytes(2 * k, sizeof *d) +
                                   ad_edge_bytes(2 * k, sizeof *operand)))
        return AD_NO_MEMORY;
    for (int side = 0; side < 2; side++) {
        value[side] = ad_edge_room_take(w, size[side], sizeof(double));
        node[side] = ad_edge_room_take(w, size[side], sizeof(int32_t));
        ad_view_read(&views[side], w->tape->value, value[side]);
        ad_edge_nodes(w, &views[side], node[side]);
    }
    d = ad_edge_room_take(w, 2 * k, sizeof *d);
    operand = ad_edge_room_take(w, 2 * k, sizeof *operand);
    for (int64_t r = results - 1; r >= 0 && !ad_edge_status(w); r--) {
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

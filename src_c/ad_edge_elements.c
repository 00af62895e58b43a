/* ad_edge_elements.c -- edges pushed through one op, at a point or at many. */
#include "ad_edge_elements.h"

#include <string.h>

#include "ad_emit_algebra.h"

/* Results up to which an array instruction is taken point by point. */
enum { FEW_POINTS = 8 };

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

void ad_edge_push_scalar(struct ad_edge_sweep *w, int32_t i)
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
        p.node[j] = ad_edge_node(w, slot[j]);
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

static bool operands_of(struct ad_edge_sweep *w, int32_t i, int64_t size, size_t more,
                        struct operands *o)
{
    struct ad_view views[AD_MAX_ARGS];

    o->n = ad_ops[ad_tape_code(w->tape, i)].n_args;
    memcpy(&o->parameter, &w->tape->aux[w->tape->a[i] + 3], sizeof o->parameter);
    ad_tape_views(w->tape, i, views, o->n);
    if (!ad_edge_room_begin(w, (size_t)o->n * (ad_edge_bytes(size, sizeof(int32_t)) +
                                               ad_edge_bytes(size, sizeof(double))) +
                                   more))
        return false;
    for (int j = 0; j < o->n; j++) {
        o->node[j] = ad_edge_room_take(w, size, sizeof(int32_t));
        o->value[j] = NULL;
        ad_edge_nodes(w, &views[j], o->node[j]);
        if (views[j].place == AD_NUMBER) {
            o->number[j] = views[j].in.number;
        } else {
            o->value[j] = ad_edge_room_take(w, size, sizeof(double));
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

static void tile_partials(struct ad_edge_sweep *w, enum ad_op op, const struct operands *o,
                          int32_t dst, int64_t start, int64_t n, struct tile *tile)
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
enum ad_status ad_edge_push_elements(struct ad_edge_sweep *w, int32_t i)
{
    enum ad_op op = (enum ad_op)ad_tape_code(w->tape, i);
    int32_t dst = w->tape->dst[i], first = dst - w->low;
    int64_t size = ad_tape_length(w->tape, i);
    bool curved = ad_ops[op].curvature >= AD_CURVED;
    struct operands o;
    struct point p;
    struct tile *tile;

    if (!ad_edge_any_busy(w, first, size))
        return AD_OK;
    if (!operands_of(w, i, size, ad_edge_bytes(1, sizeof *tile), &o))
        return AD_NO_MEMORY;
    tile = ad_edge_room_take(w, 1, sizeof *tile);
    for (int64_t end = size, start; end > 0 && !ad_edge_status(w); end = start) {
        start = (end - 1) / AD_TILE * AD_TILE;
        if (!ad_edge_any_busy(w, first + (int32_t)start, end - start))
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

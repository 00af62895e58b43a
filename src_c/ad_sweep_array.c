/* ad_sweep_array.c -- sweeps through array instructions.
 *
 * Elementwise ones are done tile by tile, where the partials of a tile are found once and serve all
 * lanes.  Structural ones are linear (or bilinear), so one pair of functions moves tangents forward and
 * adjoints back through them. */
#include "ad_sweep_array.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ad_gather.h"
#include "ad_lanes.h"
#include "ad_norm.h"
#include "ad_point.h"
#include "ad_product.h"

/* ---- elementwise instructions ---- */

/* One tile of an elementwise instruction: where its operands are, and their values. */
struct tile {
    int64_t n;
    struct ad_span span[AD_MAX_ARGS];
    struct ad_vec a[AD_MAX_ARGS], y;
    struct ad_span_room room[AD_MAX_ARGS];
};

static void load_tile(const struct ad_tape *tape, const struct ad_view *views, int n_args,
                      int32_t dst, int64_t size, int64_t start, struct tile *tile)
{
    tile->n = ad_tile_size(&views[0], size, start);
    for (int j = 0; j < AD_MAX_ARGS; j++)
        tile->a[j] = (struct ad_vec){NULL, 0};
    for (int j = 0; j < n_args; j++) {
        tile->span[j] = ad_span_of(&views[j], 0, tape->value, start, tile->n, &tile->room[j]);
        tile->a[j] = ad_span_values(&tile->span[j], tape->value, tile->n, tile->room[j].values);
    }
    tile->y = (struct ad_vec){tape->value + dst + start, 0};
}

static double block_parameter(const int64_t *block)
{
    double p;

    memcpy(&p, block + 3, sizeof p);
    return p;
}

static void forward_op(struct ad_tape *tape, int32_t i, enum ad_op op, double *room)
{
    struct ad_work *work = tape->work;
    const int64_t *block = tape->aux + tape->a[i];
    int n_args = ad_ops[op].n_args, lanes = work->lanes;
    int32_t low = work->low, dst = tape->dst[i];
    double p = block_parameter(block);
    struct ad_view views[AD_MAX_ARGS];
    struct tile tile;

    ad_tape_views(tape, i, views, n_args);
    for (int64_t start = 0; start < block[2]; start += tile.n) {
        struct ad_span out = {AD_SPAN_RUN, dst + (int32_t)start, NULL, {NULL, 0}};

        load_tile(tape, views, n_args, dst, block[2], start, &tile);
        for (int j = 0; j < n_args; j++) {
            const double *from = ad_lanes_of(lanes, work->tan, low, &tile.span[j], tile.n, room);

            struct ad_vec d;

            if (!from)
                continue;
            d = ad_op_vector_partial(op, j, p, (size_t)tile.n, tile.a, tile.y, tape->scratch);
            ad_lanes_push(lanes, work->tan, low, &out, from, d, ad_op_cuts(op), tile.n);
            if (ad_ops[op].curvature == AD_POLE)
                ad_lanes_keep_nan(lanes, work->tan + (out.slot - (int64_t)low) * lanes, d, tile.n);
        }
    }
}

static void reverse_op(struct ad_tape *tape, int32_t i, enum ad_op op)
{
    struct ad_work *work = tape->work;
    const int64_t *block = tape->aux + tape->a[i];
    int n_args = ad_ops[op].n_args, lanes = work->lanes;
    int32_t low = work->low, dst = tape->dst[i];
    double p = block_parameter(block);
    struct ad_view views[AD_MAX_ARGS];
    struct tile tile;

    ad_tape_views(tape, i, views, n_args);
    for (int64_t start = 0; start < block[2]; start += tile.n) {
        const double *g = work->adj + (dst - low + start) * lanes;

        tile.n = ad_tile_size(&views[0], block[2], start);
        if (ad_all_zero(g, tile.n * lanes))
            continue;
        load_tile(tape, views, n_args, dst, block[2], start, &tile);
        for (int j = 0; j < n_args; j++)
            if (!ad_span_is_fixed(&tile.span[j], low))
                ad_lanes_push(
                    lanes, work->adj, low, &tile.span[j], g,
                    ad_op_vector_partial(op, j, p, (size_t)tile.n, tile.a, tile.y, tape->scratch),
                    ad_op_cuts(op), tile.n);
    }
}

/* sum[i] += h[i] * tangent[i], all lanes; a tangent 0 adds nothing, even to an infinite h. */
AD_INLINE void add_curvature(int lanes, double *sum, struct ad_vec h, const double *tangent,
                             int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double c = h.v ? h.v[i] : h.c;

        for (int l = 0; l < lanes; l++)
            sum[i * lanes + l] += ad_mul0(tangent[i * lanes + l], c);
    }
}

/* The same for 'h', the second partials of 'arg' by argument 'by', of which some may be out of range. */
static void add_curvature_bent(int lanes, double *sum, enum ad_op op, int arg, int by, double p,
                               const struct tile *tile, struct ad_vec h, const double *tangent)
{
    const double *t = tangent;
    double a[AD_MAX_ARGS];

    for (int64_t i = 0; i < tile->n; i++, t += lanes) {
        bool normal = isnormal(h.v[i]);

        for (int k = 0; k < AD_MAX_ARGS && !normal; k++)
            a[k] = tile->a[k].v ? tile->a[k].v[i] : tile->a[k].c;
        for (int l = 0; l < lanes; l++)
            sum[i * lanes + l] +=
                AD_LIKELY(normal || !ad_is_extreme(t[l]))
                    ? ad_mul0(t[l], h.v[i])
                    : ad_op_bend(op, arg, by, p, a, tile->y.v ? tile->y.v[i] : tile->y.c, t[l]);
    }
}

static bool all_normal(const double *v, int64_t n)
{
    bool normal = true;

    for (int64_t i = 0; i < n; i++)
        normal &= fabs(v[i]) >= DBL_MIN && fabs(v[i]) <= DBL_MAX;
    return normal;
}

/* 'room': (AD_MAX_ARGS + 1) * AD_TILE * lanes doubles; 'scratch': AD_SCRATCH. */
static void second_op(struct ad_tape *tape, int32_t i, enum ad_op op, double *room)
{
    struct ad_work *work = tape->work;
    const int64_t *block = tape->aux + tape->a[i];
    int n_args = ad_ops[op].n_args, lanes = work->lanes;
    int32_t low = work->low, dst = tape->dst[i];
    double p = block_parameter(block);
    bool cuts = ad_op_cuts(op);
    struct ad_view views[AD_MAX_ARGS];
    struct tile tile;

    ad_tape_views(tape, i, views, n_args);
    for (int64_t start = 0; start < block[2]; start += tile.n) {
        const double *g = work->adj + (dst - low + start), *tangent[AD_MAX_ARGS];
        const double *dg = work->dadj + (dst - low + start) * lanes;
        double *sum = room + AD_MAX_ARGS * AD_TILE * lanes, *scratch = tape->scratch;
        struct ad_vec d[AD_MAX_ARGS] = {{NULL, 0}}, h[AD_MAX_ARGS];

        tile.n = ad_tile_size(&views[0], block[2], start);
        if (ad_all_zero(g, tile.n) && ad_all_zero(dg, tile.n * lanes))
            continue;
        load_tile(tape, views, n_args, dst, block[2], start, &tile);
        for (int j = 0; j < n_args; j++) {
            d[j] = ad_op_vector_partial(op, j, p, (size_t)tile.n, tile.a, tile.y, scratch);
            scratch += AD_PARTIAL_SCRATCH;
            tangent[j] = ad_lanes_of(lanes, work->tan, low, &tile.span[j], tile.n,
                                     room + j * AD_TILE * lanes);
        }
        for (int j = 0; j < n_args; j++) {
            if (ad_span_is_fixed(&tile.span[j], low))
                continue;
            ad_lanes_push(1, work->adj, low, &tile.span[j], g, d[j], cuts, tile.n);
            ad_lanes_push(lanes, work->dadj, low, &tile.span[j], dg, d[j], cuts, tile.n);
            if (ad_ops[op].curvature < AD_CURVED)
                continue;
            ad_op_vector_second(op, j, p, (size_t)tile.n, tile.a, tile.y, d, h, scratch);
            memset(sum, 0, (size_t)(tile.n * lanes) * sizeof *sum);
            for (int k = 0; k < n_args; k++)
                if (tangent[k] && (h[k].v || h[k].c != 0)) {
                    if (AD_UNLIKELY(h[k].v && !all_normal(h[k].v, tile.n)))
                        add_curvature_bent(lanes, sum, op, j, k, p, &tile, h[k], tangent[k]);
                    else
                        add_curvature(lanes, sum, h[k], tangent[k], tile.n);
                }
            for (int64_t e = 0; e < tile.n; e++)
                for (int l = 0; l < lanes; l++)
                    sum[e * lanes + l] = g[e] == 0 ? 0 : g[e] * sum[e * lanes + l];
            ad_lanes_push(lanes, work->dadj, low, &tile.span[j], sum, ad_one, false, tile.n);
        }
    }
}

/* ---- structural instructions: linear maps, forward and transposed, on any buffer ---- */

/* 'room' holds AD_TILE * lanes. */
static void move_addto(struct ad_tape *tape, int32_t i, bool reverse, double *buffer, int lanes,
                       double *room)
{
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    int32_t low = tape->work->low, dst = tape->dst[i];
    struct ad_span_room from_room, to_room;
    struct ad_view from, to;

    for (int64_t v = 0; v < block[1]; v += 2) {
        int64_t size;

        words = ad_view_decode(ad_view_decode(words, &from), &to);
        size = ad_view_size(&to);
        for (int64_t start = 0, n; start < size; start += n) {
            n = ad_tile_size(&to, size, start);
            struct ad_span in = ad_span_of(&from, 0, tape->value, start, n, &from_room);
            struct ad_span out = ad_span_of(&to, dst, tape->value, start, n, &to_room);
            const struct ad_span *source = reverse ? &out : &in, *target = reverse ? &in : &out;
            const double *data;

            if (ad_span_is_fixed(target, low))
                continue;
            data = ad_lanes_of(lanes, buffer, low, source, n, room);
            if (data)
                ad_lanes_push(lanes, buffer, low, target, data, ad_one, false, n);
        }
    }
}

static void move_cumsum(struct ad_tape *tape, int32_t i, bool reverse, double *buffer, int lanes,
                        double *room)
{
    const int64_t *block = tape->aux + tape->a[i];
    int64_t size = block[2], row;
    double *y = buffer + (int64_t)(tape->dst[i] - tape->work->low) * lanes;
    bool from_end = (block[4] != 0) != reverse;
    struct ad_view from;

    ad_tape_views(tape, i, &from, 1);
    row = from.shape[from.ndim - 1];
    if (reverse)
        memcpy(room, y, (size_t)(size * lanes) * sizeof *room);
    else
        ad_work_get(tape, buffer, lanes, &from, room);
    for (int64_t start = 0; start < size; start += row)
        for (int64_t j = 1; j < row; j++) {
            int64_t to = start + (from_end ? row - 1 - j : j), source = from_end ? to + 1 : to - 1;

            for (int l = 0; l < lanes; l++)
                room[to * lanes + l] += room[source * lanes + l];
        }
    if (reverse)
        ad_work_add(tape, buffer, lanes, &from, room);
    else
        memcpy(y, room, (size_t)(size * lanes) * sizeof *room);
}

/* The elements that attain the extremum share evenly. */
static void move_extremum(struct ad_tape *tape, int32_t i, bool reverse, double *buffer, int lanes,
                          double *room)
{
    int64_t size = tape->aux[tape->a[i] + 2], row;
    int32_t dst = tape->dst[i];
    double *y = buffer + (int64_t)(dst - tape->work->low) * lanes;
    struct ad_view from, line;

    ad_tape_views(tape, i, &from, 1);
    row = from.shape[from.ndim - 1];
    line = from;
    for (int64_t e = 0; e < size; e++) {
        double *x = room, *moved = room + row;
        int64_t ties = 0, rest = e;

        line.ndim = 1;
        line.shape[0] = row;
        line.stride[0] = from.stride[from.ndim - 1];
        line.base = from.base;
        for (int d = from.ndim - 2; d >= 0; d--) {
            line.base += rest % from.shape[d] * from.stride[d];
            rest /= from.shape[d];
        }
        for (int64_t start = 0, n; start < row; start += n) {
            struct ad_span_room values;

            n = ad_tile_size(&line, row, start);
            struct ad_span span = ad_span_of(&line, 0, tape->value, start, n, &values);
            struct ad_vec v = ad_span_values(&span, tape->value, n, values.values);

            for (int64_t j = 0; j < n; j++) {
                double at = v.v ? v.v[j] : v.c, best = tape->value[dst + e];

                x[start + j] = at == best || (at != at && best != best);
                ties += x[start + j] != 0;
            }
        }
        if (reverse) {
            for (int64_t j = 0; j < row; j++)
                for (int l = 0; l < lanes; l++)
                    moved[j * lanes + l] = x[j] == 0 ? 0 : y[e * lanes + l] / (double)ties;
            ad_work_add(tape, buffer, lanes, &line, moved);
        } else {
            ad_work_get(tape, buffer, lanes, &line, moved);
            for (int64_t j = 0; j < row; j++)
                for (int l = 0; l < lanes; l++)
                    if (x[j] != 0)
                        y[e * lanes + l] += moved[j * lanes + l] / (double)ties;
        }
    }
}

/* ---- all of them ---- */

/* Doubles that moving 'lanes' through instruction i may need as room. */
static int64_t room_size(const struct ad_tape *tape, int32_t i, int lanes)
{
    const int64_t *block = tape->aux + tape->a[i];
    struct ad_view from;
    int code = ad_tape_code(tape, i);

    if (code < AD_N_OPS)
        return (int64_t)(AD_MAX_ARGS + 1) * AD_TILE * lanes;
    if (code == AD_CUMSUM)
        return block[2] * lanes;
    if (code == AD_EXTREMUM) {
        ad_tape_views(tape, i, &from, 1);
        return from.shape[from.ndim - 1] * (lanes + 1);
    }
    return (int64_t)AD_TILE * lanes;
}

/* Move lanes of one buffer through a linear instruction; false if it is not one. */
static bool move_linear(struct ad_tape *tape, int32_t i, bool reverse, double *buffer, int lanes,
                        double *room)
{
    int code = ad_tape_code(tape, i);

    if (code == AD_ADDTO)
        move_addto(tape, i, reverse, buffer, lanes, room);
    else if (code == AD_CUMSUM)
        move_cumsum(tape, i, reverse, buffer, lanes, room);
    else if (code == AD_EXTREMUM)
        move_extremum(tape, i, reverse, buffer, lanes, room);
    else
        return code == AD_INPUT;
    return true;
}

enum ad_status ad_sweep_array(struct ad_tape *tape, int32_t i, enum ad_sweep_kind kind)
{
    struct ad_work *work = tape->work;
    int code = ad_tape_code(tape, i), lanes = work->lanes;
    bool reverse = kind != AD_SWEEP_FORWARD;
    enum ad_status status = AD_OK;
    double *room;

    if (code == AD_INPUT || tape->aux[tape->a[i] + 2] == 0)
        return AD_OK;
    if (ad_tape_has_rule(tape, i)) {
        if (kind == AD_SWEEP_FORWARD)
            return tape->hooks->forward(tape, i, lanes);
        return tape->hooks->reverse(tape, i, kind == AD_SWEEP_SECOND ? -lanes : lanes);
    }
    if (code == AD_NORM) {
        if (kind == AD_SWEEP_FORWARD)
            return ad_norm_forward(tape, i);
        if (kind == AD_SWEEP_SECOND) {
            status = ad_norm_curve(tape, i);
            if (!status)
                status = ad_norm_reverse(tape, i, work->dadj, lanes);
            lanes = 1;
        }
        return status ? status : ad_norm_reverse(tape, i, work->adj, lanes);
    }
    if (code == AD_ARGSORT)
        return AD_OK; /* no derivative goes through indices */
    if (code == AD_GATHER || code == AD_SCATTER) {
        if (kind == AD_SWEEP_FORWARD)
            return ad_gather_move(tape, i, false, work->tan, lanes);
        if (kind == AD_SWEEP_REVERSE)
            return ad_gather_move(tape, i, true, work->adj, lanes);
        status = ad_gather_move(tape, i, true, work->dadj, lanes);
        return status ? status : ad_gather_move(tape, i, true, work->adj, 1);
    }
    if (code == AD_MATMUL) {
        if (kind == AD_SWEEP_FORWARD)
            return ad_product_forward(tape, i);
        if (kind == AD_SWEEP_REVERSE)
            return ad_product_reverse(tape, i, work->adj, lanes, NULL);
        status = ad_product_reverse(tape, i, work->dadj, lanes, work->tan);
        return status ? status : ad_product_reverse(tape, i, work->adj, 1, NULL);
    }
    room = malloc((size_t)AD_MAX(room_size(tape, i, lanes), 1) * sizeof *room);
    if (!room)
        return AD_NO_MEMORY;
    if (code < AD_N_OPS) {
        if (kind == AD_SWEEP_FORWARD)
            forward_op(tape, i, (enum ad_op)code, room);
        else if (kind == AD_SWEEP_REVERSE)
            reverse_op(tape, i, (enum ad_op)code);
        else
            second_op(tape, i, (enum ad_op)code, room);
    } else if (kind == AD_SWEEP_SECOND) {
        move_linear(tape, i, true, work->adj, 1, room);
        move_linear(tape, i, true, work->dadj, lanes, room);
    } else {
        move_linear(tape, i, reverse, reverse ? work->adj : work->tan, lanes, room);
    }
    free(room);
    return status;
}

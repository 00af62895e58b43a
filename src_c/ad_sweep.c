/* ad_sweep.c -- forward, reverse and second-order sweeps in numbers.
 *
 * Scalar instructions are handled in place; array instructions tile by tile, where the partials of a
 * tile are found once and serve all lanes.  Structural instructions are linear (or bilinear), so one
 * pair of functions moves tangents forward and adjoints back through them. */
#include "ad_sweep.h"

#include <stdlib.h>
#include <string.h>

#include "ad_lanes.h"
#include "ad_norm.h"
#include "ad_point.h"
#include "ad_product.h"

/* ---- workspace ---- */

static bool zeroed(double **buffer, int64_t *capacity, int64_t n)
{
    if (n > *capacity) {
        /* The old contents are not wanted: calloc gives large blocks already zero. */
        double *fresh = calloc((size_t)n, sizeof *fresh);

        if (!fresh)
            return false;
        free(*buffer);
        *buffer = fresh;
        *capacity = n;
        return true;
    }
    if (n > 0)
        memset(*buffer, 0, (size_t)n * sizeof **buffer);
    return true;
}

enum ad_status ad_work_begin(struct ad_tape *tape, enum ad_sweep_kind kind, int32_t low, int lanes)
{
    struct ad_work *work = tape->work;
    int64_t slots = tape->n_slots - low, n = slots * lanes;
    bool ok = true;

    work->low = low;
    work->lanes = lanes;
    work->reached = NULL;
    if (kind != AD_SWEEP_REVERSE)
        ok = zeroed(&work->tan, &work->capacity[0], n);
    if (kind != AD_SWEEP_FORWARD)
        ok = ok && zeroed(&work->adj, &work->capacity[1], kind == AD_SWEEP_SECOND ? slots : n);
    if (kind == AD_SWEEP_SECOND)
        ok = ok && zeroed(&work->dadj, &work->capacity[2], n);
    return ok ? AD_OK : AD_NO_MEMORY;
}

/* ---- elementwise array instructions ---- */

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

/* Where a row has a POLE, a tangent of zero does not hide a partial that is nan: see ad_flow(). */
static void keep_nan(int lanes, double *to, struct ad_vec d, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double p = d.v ? d.v[i] : d.c;

        if (p != p)
            for (int l = 0; l < lanes; l++)
                to[i * lanes + l] = p;
    }
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
                keep_nan(lanes, work->tan + (out.slot - (int64_t)low) * lanes, d, tile.n);
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
                if (tangent[k] && (h[k].v || h[k].c != 0))
                    add_curvature(lanes, sum, h[k], tangent[k], tile.n);
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

/* ---- array instructions ---- */

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

static enum ad_status sweep_array(struct ad_tape *tape, int32_t i, enum ad_sweep_kind kind)
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

/* ---- scalar instructions ---- */

/* With one lane: each row pushes its adjoint straight to its operands. */
AD_INLINE void reverse_scalar(const double *value, double *adj, int32_t low, int code, int32_t a,
                              int32_t b, double y, double g)
{
    const double x = value[a], z = value[b], w = 0;

    (void)x, (void)z, (void)w, (void)y;
#define TO(slot, name, curvature, partial)                                                         \
    if ((slot) >= low)                                                                             \
        adj[(slot) - low] += ad_push((curvature) == AD_SELECT || AD_OP_##name == AD_OP_mul0 ||     \
                                         AD_OP_##name == AD_OP_mul00,                              \
                                     g, partial);
#define LINEAR AD_LINEAR
#define SELECT AD_SELECT
#define CURVED AD_CURVED
#define POLE AD_POLE
#define ONE(name, dx, curvature, parameter)                                                        \
    case AD_OP_##name: {                                                                           \
        const double p = parameter;                                                                \
        (void)p;                                                                                   \
        TO(a, name, curvature, dx)                                                                 \
        return;                                                                                    \
    }
#define TWO(name, dx, dz, curvature)                                                               \
    case AD_OP_##name: {                                                                           \
        const double p = 0;                                                                        \
        (void)p;                                                                                   \
        TO(a, name, curvature, dx)                                                                 \
        TO(b, name, curvature, dz)                                                                 \
        return;                                                                                    \
    }
    switch ((enum ad_op)code) {
#define UNARY(name, ufunc, v, dx, curvature, ...) ONE(name, dx, curvature, 0)
#define HIDDEN_UNARY(name, v, dx, curvature, ...) ONE(name, dx, curvature, 0)
#define FAMILY(name, ufunc, v, dx, ...) ONE(name, dx, CURVED, z)
#define BINARY(name, ufunc, v, dx, dz, curvature, ...) TWO(name, dx, dz, curvature)
#define HIDDEN_BINARY(name, v, dx, dz, curvature, ...) TWO(name, dx, dz, curvature)
#define TERNARY(name, ...) /* always recorded as an array instruction */                           \
    case AD_OP_##name:                                                                             \
        return;
#include "ad_ops.def"
    case AD_N_OPS:
        return;
    }
#undef ONE
#undef TWO
}

static void reverse_scalar_lanes(struct ad_tape *tape, int32_t i)
{
    struct ad_work *work = tape->work;
    int code = ad_tape_code(tape, i), lanes = work->lanes, n_args = ad_ops[code].n_args;
    int32_t low = work->low, at[2] = {tape->a[i], tape->b[i]};
    const double *value = tape->value, *g = work->adj + (int64_t)(tape->dst[i] - low) * lanes;
    double d[AD_MAX_ARGS];
    bool cuts = ad_op_cuts((enum ad_op)code);

    if (ad_all_zero(g, lanes))
        return;
    ad_op_partials((enum ad_op)code, ad_tape_parameter(tape, i), value[at[0]], value[at[1]], 0,
                   value[tape->dst[i]], d);
    for (int j = 0; j < n_args; j++) {
        double *to = work->adj + (int64_t)(at[j] - low) * lanes;

        if (at[j] < low)
            continue;
        for (int l = 0; l < lanes; l++)
            to[l] += ad_push(cuts, g[l], d[j]);
    }
}

AD_INLINE void forward_lanes(const int lanes, double *to, const double *from, double d,
                             enum ad_curvature curvature)
{
    if (curvature == AD_SELECT && d == 0)
        return;
    for (int l = 0; l < lanes; l++)
        to[l] += ad_flow(curvature, from[l], d);
}

static void forward_scalar(struct ad_tape *tape, int32_t i)
{
    struct ad_work *work = tape->work;
    int code = ad_tape_code(tape, i), lanes = work->lanes, n_args = ad_ops[code].n_args;
    int32_t low = work->low, at[2] = {tape->a[i], tape->b[i]};
    const double *value = tape->value;
    double *to = work->tan + (int64_t)(tape->dst[i] - low) * lanes, d[AD_MAX_ARGS];
    enum ad_curvature curvature = ad_ops[code].curvature;

    if (at[0] < low && (n_args < 2 || at[1] < low))
        return;
    ad_op_partials((enum ad_op)code, ad_tape_parameter(tape, i), value[at[0]], value[at[1]], 0,
                   value[tape->dst[i]], d);
    for (int j = 0; j < n_args; j++) {
        const double *from = work->tan + (int64_t)(at[j] - low) * lanes;

        if (at[j] < low)
            continue;
        if (lanes == AD_LANES)
            forward_lanes(AD_LANES, to, from, d[j], curvature);
        else
            forward_lanes(lanes, to, from, d[j], curvature);
    }
}

AD_INLINE void second_lanes(const int lanes, double *to, const double *dg, double d, bool cut,
                            double g, int n_args, const double *h, const double *const *tangent)
{
    for (int l = 0; l < lanes && !cut; l++)
        to[l] += dg[l] == 0 ? 0 : dg[l] * d;
    for (int k = 0; k < n_args; k++) {
        double c = g == 0 || h[k] == 0 ? 0 : g * h[k];

        if (c != 0 && tangent[k])
            for (int l = 0; l < lanes; l++)
                to[l] += ad_mul0(tangent[k][l], c);
    }
}

static void second_scalar(struct ad_tape *tape, int32_t i)
{
    struct ad_work *work = tape->work;
    int code = ad_tape_code(tape, i), lanes = work->lanes, n_args = ad_ops[code].n_args;
    int32_t low = work->low, at[2] = {tape->a[i], tape->b[i]};
    int64_t y = tape->dst[i] - low;
    const double *value = tape->value, *dg = work->dadj + y * lanes, *tangent[2];
    const double a[AD_MAX_ARGS] = {value[at[0]], value[at[1]], 0};
    double d[AD_MAX_ARGS], h[AD_MAX_ARGS][AD_MAX_ARGS], g = work->adj[y];
    bool cuts = ad_op_cuts((enum ad_op)code);

    if (g == 0 && ad_all_zero(dg, lanes))
        return;
    ad_op_second((enum ad_op)code, ad_tape_parameter(tape, i), a, value[tape->dst[i]], d, h);
    for (int j = 0; j < n_args; j++)
        tangent[j] = at[j] < low ? NULL : work->tan + (int64_t)(at[j] - low) * lanes;
    for (int j = 0; j < n_args; j++) {
        double *to = work->dadj + (int64_t)(at[j] - low) * lanes;
        bool cut = cuts && d[j] == 0;

        if (at[j] < low)
            continue;
        work->adj[at[j] - low] += ad_push(cuts, g, d[j]);
        if (lanes == AD_LANES)
            second_lanes(AD_LANES, to, dg, d[j], cut, g, n_args, h[j], tangent);
        else
            second_lanes(lanes, to, dg, d[j], cut, g, n_args, h[j], tangent);
    }
}

/* ---- the sweeps ---- */

static bool any_reached(const uint8_t *reached, int32_t n)
{
    return memchr(reached, 1, (size_t)n) != NULL;
}

enum ad_status ad_sweep_forward(struct ad_tape *tape, int32_t first, int32_t last)
{
    enum ad_status status = AD_OK;
    int32_t floor;

    if (!ad_tape_constants_intact(tape, first, last))
        return AD_CONST_CHANGED;
    floor = ad_tape_enter(tape, tape->n);
    for (int32_t i = first; i <= last && !status; i++) {
        if (ad_tape_is_array(tape, i))
            status = sweep_array(tape, i, AD_SWEEP_FORWARD);
        else
            forward_scalar(tape, i);
    }
    ad_tape_leave(tape, floor);
    return status;
}

static enum ad_status reverse_stretch(struct ad_tape *tape, int32_t first, int32_t last)
{
    struct ad_work *work = tape->work;
    int32_t low = work->low;
    enum ad_status status = AD_OK;

    for (int32_t i = last; i >= first && !status; i--) {
        if (AD_UNLIKELY(ad_tape_is_array(tape, i))) {
            status = sweep_array(tape, i, AD_SWEEP_REVERSE);
        } else if (work->lanes == 1) {
            int32_t dst = tape->dst[i];
            double g = work->adj[dst - low];

            if (g != 0)
                reverse_scalar(tape->value, work->adj, low, tape->op[i], tape->a[i], tape->b[i],
                               tape->value[dst], g);
        } else {
            reverse_scalar_lanes(tape, i);
        }
    }
    return status;
}

/* Call the notes of an instruction whose adjoints are complete, in the order they were made. */
static enum ad_status call_notes(struct ad_tape *tape, int32_t instr)
{
    const struct ad_work *work = tape->work;
    enum ad_status status = AD_OK;

    if (!any_reached(work->reached + (tape->dst[instr] - work->low), ad_tape_length(tape, instr)))
        return AD_OK;
    for (int32_t k = ad_tape_notes_before(tape, instr);
         k < tape->n_notes && tape->notes[k].instr == instr && !status; k++)
        status = tape->hooks->note(tape, &tape->notes[k], work->lanes);
    return status;
}

enum ad_status ad_sweep_reverse(struct ad_tape *tape, int32_t first, int32_t last)
{
    enum ad_status status = AD_OK;
    int32_t floor;

    if (!ad_tape_constants_intact(tape, first, last))
        return AD_CONST_CHANGED;
    floor = ad_tape_enter(tape, tape->n);
    if (tape->work->reached) /* stop at the notes */
        for (int32_t k; !status && (k = ad_tape_notes_before(tape, last + 1) - 1) >= 0;) {
            int32_t stop = tape->notes[k].instr;

            if (stop < first)
                break;
            status = reverse_stretch(tape, stop + 1, last);
            if (!status)
                status = call_notes(tape, stop);
            if (!status)
                status = reverse_stretch(tape, stop, stop);
            last = stop - 1;
        }
    if (!status)
        status = reverse_stretch(tape, first, last);
    ad_tape_leave(tape, floor);
    return status;
}

enum ad_status ad_sweep_second(struct ad_tape *tape, int32_t first, int32_t last)
{
    enum ad_status status = AD_OK;
    int32_t floor;

    if (!ad_tape_constants_intact(tape, first, last))
        return AD_CONST_CHANGED;
    floor = ad_tape_enter(tape, tape->n);
    for (int32_t i = last; i >= first && !status; i--) {
        if (ad_tape_is_array(tape, i))
            status = sweep_array(tape, i, AD_SWEEP_SECOND);
        else
            second_scalar(tape, i);
    }
    ad_tape_leave(tape, floor);
    return status;
}

/* ---- dependence, whatever the values ---- */

/* Set reached for the elements of 'target' where 'source' is; both NULL-terminated by size. */
static void reach(const struct ad_tape *tape, const struct ad_view *target,
                  const struct ad_view *source, int32_t dst, int32_t low, uint8_t *reached)
{
    int64_t size = ad_view_size(target);
    struct ad_span_room target_room, source_room;

    for (int64_t start = 0, n; start < size; start += n) {
        n = ad_tile_size(target, size, start);
        struct ad_span to = ad_span_of(target, dst, tape->value, start, n, &target_room);
        struct ad_span from = ad_span_of(source, dst, tape->value, start, n, &source_room);

        for (int64_t j = 0; j < n; j++) {
            int64_t t = ad_span_slot(&to, j), s = ad_span_slot(&from, j);

            if (t >= low && s >= low && reached[s - low])
                reached[t - low] = 1;
        }
    }
}

enum ad_status ad_tape_depends(struct ad_tape *tape, int32_t first, int32_t last, int32_t low,
                               uint8_t *reached)
{
    for (int32_t i = last; i >= first; i--) {
        int32_t dst = tape->dst[i], length = ad_tape_length(tape, i);
        int code = ad_tape_code(tape, i);

        if (length == 0 || !any_reached(reached + (dst - low), length))
            continue;
        if (!ad_tape_is_array(tape, i)) {
            if (tape->a[i] >= low)
                reached[tape->a[i] - low] = 1;
            if (tape->b[i] >= low)
                reached[tape->b[i] - low] = 1;
            continue;
        }
        const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
        struct ad_view view, to;

        for (int64_t v = 0; v < block[1]; v++) {
            words = ad_view_decode(words, &view);
            if (code == AD_ADDTO) { /* element by element */
                words = ad_view_decode(words, &to);
                v++;
                reach(tape, &view, &to, dst, low, reached);
            } else if (code < AD_N_OPS) {
                to = ad_view_slots(0, view.ndim, view.shape);
                to.place = AD_OWN;
                reach(tape, &view, &to, dst, low, reached);
            } else { /* each result may depend on each operand */
                struct ad_view any = ad_view_slots(0, 0, NULL);

                any.place = AD_OWN;
                any.base = (uint8_t *)memchr(reached + (dst - low), 1, (size_t)length) -
                           (reached + (dst - low));
                ad_view_broadcast(&any, view.ndim, view.shape);
                reach(tape, &view, &any, dst, low, reached);
            }
        }
    }
    return AD_OK;
}

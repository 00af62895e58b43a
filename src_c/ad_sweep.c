/* ad_sweep.c -- forward, reverse and second-order sweeps in numbers.
 *
 * Scalar instructions are handled here, array instructions in ad_sweep_array.c. */
#include "ad_sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ad_draw.h"
#include "ad_lanes.h"
#include "ad_point.h"

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
    return ok ? ad_tape_make_scratch(tape) : AD_NO_MEMORY;
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
    enum ad_curvature curvature = ad_op_cuts((enum ad_op)code) ? AD_SELECT : ad_ops[code].curvature;

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

/* In all lanes what h, out of range, counts for with an extreme tangent or adjoint; false if none is. */
static bool bend_lanes(int lanes, double *to, enum ad_op op, int arg, int by, double p,
                       const double *a, double y, double g, const double *tangent)
{
    bool extreme = ad_is_extreme(g);

    for (int l = 0; l < lanes && !extreme; l++)
        extreme = ad_is_extreme(tangent[l]);
    for (int l = 0; l < lanes && extreme; l++)
        if (tangent[l] != 0)
            to[l] += g * ad_op_bend(op, arg, by, p, a, y, tangent[l]);
    return extreme;
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
    unsigned depends[AD_MAX_ARGS];
    bool cuts = ad_op_cuts((enum ad_op)code);

    if (g == 0 && ad_all_zero(dg, lanes))
        return;
    ad_op_second((enum ad_op)code, ad_tape_parameter(tape, i), a, value[tape->dst[i]], d, h,
                 depends);
    for (int j = 0; j < n_args; j++)
        tangent[j] = at[j] < low ? NULL : work->tan + (int64_t)(at[j] - low) * lanes;
    for (int j = 0; j < n_args; j++) {
        double *to = work->dadj + (int64_t)(at[j] - low) * lanes;
        bool cut = cuts && d[j] == 0;

        if (at[j] < low)
            continue;
        work->adj[at[j] - low] += ad_push(cuts, g, d[j]);
        for (int k = 0; k < n_args && g != 0; k++)
            if (AD_UNLIKELY((depends[j] >> k & 1) && tangent[k] && !isnormal(g * h[j][k])) &&
                bend_lanes(lanes, to, (enum ad_op)code, j, k, ad_tape_parameter(tape, i), a,
                           value[tape->dst[i]], g, tangent[k]))
                h[j][k] = 0;
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
    enum ad_status status = ad_draw_find(tape, first, last);
    int32_t floor;

    if (!status && !ad_tape_constants_intact(tape, first, last))
        status = AD_CONST_CHANGED;
    if (status)
        return status;
    floor = ad_tape_enter(tape, tape->n);
    for (int32_t i = first; i <= last && !status; i++) {
        if (ad_tape_is_array(tape, i))
            status = ad_sweep_array(tape, i, AD_SWEEP_FORWARD);
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
            status = ad_sweep_array(tape, i, AD_SWEEP_REVERSE);
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
    enum ad_status status = ad_draw_find(tape, first, last);
    int32_t floor;

    if (!status && !ad_tape_constants_intact(tape, first, last))
        status = AD_CONST_CHANGED;
    if (status)
        return status;
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
    enum ad_status status = ad_draw_find(tape, first, last);
    int32_t floor;

    if (!status && !ad_tape_constants_intact(tape, first, last))
        status = AD_CONST_CHANGED;
    if (status)
        return status;
    floor = ad_tape_enter(tape, tape->n);
    for (int32_t i = last; i >= first && !status; i--) {
        if (ad_tape_is_array(tape, i))
            status = ad_sweep_array(tape, i, AD_SWEEP_SECOND);
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
    enum ad_status status = ad_draw_find(tape, first, last);

    for (int32_t i = last; i >= first && !status; i--) {
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
    return status;
}

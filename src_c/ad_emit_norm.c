/* ad_emit_norm.c -- second derivatives at the zeros of norms. */
#include "ad_emit_norm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ad_emit_algebra.h"
#include "ad_emit_forward.h"
#include "ad_norm.h"

enum {
    MOST_NORMS = 32,  /* of which each takes a forward emission */
    MOST_SCALES = 401 /* of the second direction: 2**-200 .. 2**200 */
};

/* ---- expressions: each result is held until the end ---- */

static struct ad_view keep(struct ad_norms *s, struct ad_view view)
{
    if (s->n_held == s->room) {
        int room = 2 * s->room + 16;
        struct ad_view *held = realloc(s->held, (size_t)room * sizeof *held);

        if (!held) {
            ad_view_drop(&view);
            s->status = AD_NO_MEMORY;
            return ad_view_number(0);
        }
        s->held = held;
        s->room = room;
    }
    s->held[s->n_held++] = view;
    return view;
}

static struct ad_view op3(struct ad_norms *s, enum ad_op op, struct ad_view x, struct ad_view z,
                          struct ad_view w)
{
    struct ad_view args[AD_MAX_ARGS] = {x, z, w}, result;

    if (!s->status)
        s->status = ad_emit_op(s->tape, op, 0, args, &result);
    return s->status ? ad_view_number(0) : keep(s, result);
}

static struct ad_view op2(struct ad_norms *s, enum ad_op op, struct ad_view x, struct ad_view z)
{
    return op3(s, op, x, z, ad_view_number(0));
}

static struct ad_view op1(struct ad_norms *s, enum ad_op op, struct ad_view x)
{
    return op2(s, op, x, ad_view_number(0));
}

static struct ad_view sum(struct ad_norms *s, struct ad_view x, uint32_t axes)
{
    struct ad_view result;

    if (x.place == AD_NUMBER || x.ndim == 0)
        return x;
    if (!s->status)
        s->status = ad_record_sum(s->tape, &x, axes, &result);
    return s->status ? ad_view_number(0) : keep(s, result);
}

/* As one number. */
static struct ad_view total(struct ad_norms *s, struct ad_view x)
{
    x = sum(s, x, (1u << x.ndim) - 1);
    if (x.place != AD_NUMBER)
        x.ndim = 0;
    return x;
}

static struct ad_view constant(struct ad_norms *s, const double *data, int ndim,
                               const int64_t *shape)
{
    struct ad_view view = ad_view_slots(0, ndim, shape);

    if (s->status)
        return ad_view_number(0);
    view.place = AD_ARRAY;
    view.in.array = ad_array_copy(data, ad_shape_size(ndim, shape));
    if (!view.in.array) {
        s->status = AD_NO_MEMORY;
        return ad_view_number(0);
    }
    return keep(s, view);
}

/* Numbers of which sums and differences do not happen to be 0. */
static struct ad_view weights(struct ad_norms *s, int ndim, const int64_t *shape)
{
    int64_t n = ad_shape_size(ndim, shape);
    double *data = malloc((size_t)AD_MAX(n, 1) * sizeof *data);
    struct ad_view view = ad_view_number(0);

    for (int64_t j = 0; data && j < n; j++)
        data[j] = 1 + fmod((double)j * 0.61803398874989485, 1);
    if (!data)
        s->status = AD_NO_MEMORY;
    else
        view = constant(s, data, ndim, shape);
    free(data);
    return view;
}

static struct ad_view nan_where(struct ad_norms *s, struct ad_view condition)
{
    return op3(s, AD_OP_where, condition, ad_view_number(NAN), ad_view_number(0));
}

/* ---- which they are ---- */

/* The results of instruction i in their shape. */
static struct ad_view results_of(const struct ad_tape *tape, int32_t i)
{
    struct ad_view from;

    if (!ad_tape_is_array(tape, i))
        return ad_view_slots(tape->dst[i], 0, NULL);
    ad_tape_views(tape, i, &from, 1);
    return ad_view_slots(tape->dst[i], from.ndim - (ad_tape_code(tape, i) == AD_NORM), from.shape);
}

/* The operands; of a hypot two. */
static int operands_of(const struct ad_tape *tape, int32_t i, struct ad_view *x)
{
    int n = ad_tape_code(tape, i) == AD_NORM ? 1 : 2;

    if (ad_tape_is_array(tape, i)) {
        ad_tape_views(tape, i, x, n);
    } else {
        x[0] = ad_view_slots(tape->a[i], 0, NULL);
        x[1] = ad_view_slots(tape->b[i], 0, NULL);
    }
    return n;
}

static bool is_same(const struct ad_view *a, const struct ad_view *b)
{
    bool same =
        a->place == AD_SLOTS && b->place == AD_SLOTS && a->base == b->base && a->ndim == b->ndim;

    for (int d = 0; d < a->ndim && same; d++)
        same = a->shape[d] == b->shape[d] && (a->shape[d] == 1 || a->stride[d] == b->stride[d]);
    return same;
}

/* The first norm with the operands of norm k. */
static int first_like(const struct ad_norms *s, int k)
{
    const struct ad_tape *tape = s->tape;
    int32_t i = s->norm[k].instr;
    struct ad_view x[2], z[2];
    int n = operands_of(tape, i, x);

    for (int l = 0; l < k; l++) {
        int32_t other = s->norm[l].instr;
        bool same = s->norm[l].same == l && ad_tape_code(tape, other) == ad_tape_code(tape, i);

        if (same)
            operands_of(tape, other, z);
        for (int j = 0; j < n && same; j++)
            same = is_same(&x[j], &z[j]);
        if (same)
            return l;
    }
    return k;
}

/* Two directions, which differ by a power of two that is another for each of up to MOST_SCALES results. */
static void seed_norm(struct ad_norms *s, struct ad_norm_at_zero *norm, int64_t *counter)
{
    int64_t shape[AD_MAX_DIMS] = {2}, n = ad_view_size(&norm->r);
    double *data = malloc(3 * (size_t)AD_MAX(n, 1) * sizeof *data);
    struct ad_view zero;

    if (!data) {
        s->status = AD_NO_MEMORY;
        return;
    }
    for (int64_t j = 0; j < n; j++) {
        int exponent = (int)((*counter)++ % MOST_SCALES) - MOST_SCALES / 2;

        data[j] = 1;
        data[n + j] = ldexp(1, exponent);
        data[2 * n + j] = ldexp(1, -exponent);
    }
    if (norm->r.ndim)
        memcpy(shape + 1, norm->r.shape, (size_t)norm->r.ndim * sizeof *shape);
    zero = op2(s, AD_OP_equal, norm->r, ad_view_number(0));
    norm->seed = op2(s, AD_OP_mul, zero, constant(s, data, norm->r.ndim + 1, shape));
    norm->scale = constant(s, data + 2 * n, norm->r.ndim, norm->r.shape);
    free(data);
}

enum ad_status ad_norms_begin(struct ad_norms *s, struct ad_tape *tape, int32_t first, int32_t end,
                              int32_t low, const uint8_t *active)
{
    int64_t counter = 0;
    int room = 0;

    memset(s, 0, sizeof *s);
    s->tape = tape;
    for (int32_t i = first; i < end; i++) {
        int code = ad_tape_code(tape, i);
        struct ad_norm_at_zero norm = {.instr = i};

        if (AD_LIKELY(code != AD_NORM && code != AD_OP_hypot) || ad_tape_length(tape, i) == 0 ||
            (active && !active[tape->dst[i] - low]) ||
            !(tape->program || ad_norm_vanishes(tape, i)))
            continue;
        if (s->n == room) {
            struct ad_norm_at_zero *more;

            room = 2 * room + 4;
            more = realloc(s->norm, (size_t)room * sizeof *more);
            if (!more)
                return AD_NO_MEMORY;
            s->norm = more;
        }
        norm.r = results_of(tape, i);
        norm.moves = ad_view_number(0);
        s->too_many |= norm.r.ndim + 2 > AD_MAX_DIMS;
        s->norm[s->n++] = norm;
    }
    s->too_many |= s->n > MOST_NORMS;
    s->differs = ad_view_number(0);
    for (int k = 0; k < s->n && !s->status && !s->too_many; k++) {
        struct ad_norm_at_zero *norm = &s->norm[k];

        norm->same = first_like(s, k);
        if (norm->same == k) {
            seed_norm(s, norm, &counter);
        } else {
            norm->seed = s->norm[norm->same].seed;
            norm->scale = s->norm[norm->same].scale;
        }
    }
    s->alone = counter == 1;
    return s->status;
}

void ad_norms_end(struct ad_norms *s)
{
    while (s->n_held > 0)
        ad_view_drop(&s->held[--s->n_held]);
    free(s->held);
    free(s->norm);
}

int ad_norms_find(const struct ad_norms *s, int32_t i)
{
    for (int k = 0; k < s->n; k++)
        if (s->norm[k].instr == i)
            return k;
    return -1;
}

/* ---- adjoints ---- */

/* Derivatives of n views along both directions of all norms: each (2, *shape), or a number. */
static void push(struct ad_norms *s, int n, const struct ad_view *of, struct ad_view *tangents)
{
    struct ad_view *r = malloc(2 * (size_t)s->n * sizeof *r);

    if (!r)
        s->status = AD_NO_MEMORY;
    for (int k = 0; k < s->n && r; k++) {
        r[k] = s->norm[k].r;
        r[s->n + k] = s->norm[k].seed;
    }
    if (!s->status)
        s->status = ad_emit_forward_lanes(s->tape, 2, s->n, r, r + s->n, n, of, tangents);
    for (int j = 0; j < n; j++)
        tangents[j] = s->status ? ad_view_number(0) : keep(s, tangents[j]);
    free(r);
}

static struct ad_view lane(const struct ad_view *tangent, int l)
{
    struct ad_view view = *tangent;

    if (view.place == AD_NUMBER)
        return ad_view_number(view.in.number);
    view.base += l * view.stride[0];
    view.ndim--;
    memmove(view.shape, view.shape + 1, (size_t)view.ndim * sizeof *view.shape);
    memmove(view.stride, view.stride + 1, (size_t)view.ndim * sizeof *view.stride);
    return view;
}

/* With a dimension of length 1 at the end, as operands of an AD_NORM have it. */
static struct ad_view as_column(struct ad_view view)
{
    if (view.place == AD_NUMBER)
        return view;
    view.shape[view.ndim] = 1;
    view.stride[view.ndim++] = 0;
    return view;
}

/* The derivative of adjoint g by norm k itself, where both are 0; nan where there is none. */
static struct ad_view slope(struct ad_norms *s, int k, const struct ad_view *g)
{
    struct ad_view scale = s->norm[k].scale, tangent, one, other, sure;

    if (s->too_many || g->place == AD_NUMBER)
        return ad_view_number(NAN);
    push(s, 1, g, &tangent);
    if (ad_tape_code(s->tape, s->norm[k].instr) == AD_NORM)
        scale = as_column(scale);
    one = lane(&tangent, 0);
    other = op2(s, AD_OP_mul, lane(&tangent, 1), scale);
    if (!s->alone)
        s->differs = op2(s, AD_OP_add, s->differs, total(s, op2(s, AD_OP_not_equal, one, other)));
    sure = op2(s, AD_OP_gate, op2(s, AD_OP_equal, one, other),
               op2(s, AD_OP_equal, *g, ad_view_number(0)));
    return op3(s, AD_OP_where, sure, one, ad_view_number(NAN));
}

/* What of the n operands belongs to a norm that is 0, into 'still', all of it 0; and a sum of it over each norm. */
static struct ad_view moves_of_norm(struct ad_norms *s, int k, struct ad_view zero, int n,
                                    const struct ad_view *x, struct ad_view *still)
{
    bool rows = ad_tape_code(s->tape, s->norm[k].instr) == AD_NORM;
    struct ad_view moves = ad_view_number(0), part;

    for (int j = 0; j < n; j++) {
        still[j] = op2(s, AD_OP_gate, zero, x[j]);
        if (still[j].place == AD_NUMBER)
            continue;
        part = op2(s, AD_OP_mul, weights(s, still[j].ndim, still[j].shape), still[j]);
        if (j > 0) /* the weights are the same */
            part = op2(s, AD_OP_mul, part, ad_view_number(1.7320508075688773));
        if (rows)
            part = sum(s, part, 1u << (x->ndim - 1));
        moves = op2(s, AD_OP_add, moves, part);
    }
    return moves;
}

enum ad_status ad_norms_reverse(struct ad_norms *s, int k, const struct ad_view *g, int n,
                                const struct ad_view *x, struct ad_view *results)
{
    bool rows = ad_tape_code(s->tape, s->norm[k].instr) == AD_NORM;
    struct ad_view y = rows ? as_column(s->norm[k].r) : s->norm[k].r;
    struct ad_view zero = op2(s, AD_OP_equal, y, ad_view_number(0)),
                   other = op2(s, AD_OP_not_equal, y, ad_view_number(0)), q = slope(s, k, g), moves,
                   still[2], nothing;

    moves = moves_of_norm(s, k, zero, n, x, still);
    s->norm[k].moves = moves;
    nothing =
        op2(s, AD_OP_mul0, moves,
            op3(s, AD_OP_where, op2(s, AD_OP_equal, q, q), ad_view_number(0), ad_view_number(NAN)));
    /* nothing is known of third derivatives */
    q = op2(s, AD_OP_plus0, q, op2(s, AD_OP_mul0, moves, ad_view_number(NAN)));
    for (int j = 0; j < n; j++) {
        struct ad_view p = op2(s, AD_OP_mul0, *g, op2(s, AD_OP_div0, x[j], y)), d;

        d = op2(s, AD_OP_add, op2(s, AD_OP_mul0, still[j], q), nothing);
        d = op3(s, AD_OP_where, other, p, d);
        d = op2(s, AD_OP_sub0, d, op1(s, AD_OP_stop, d));
        results[j] = op2(s, AD_OP_plus0, op1(s, AD_OP_stop, p), d);
    }
    for (int j = 0; j < n && !s->status; j++)
        ad_view_hold(&results[j]);
    return s->status;
}

/* 0, and its derivative is 0 unless an element of an input moves where 'hit' is not 0. */
static struct ad_view moves_of(struct ad_norms *s, const struct ad_view *input, struct ad_view hit)
{
    struct ad_view still = op2(s, AD_OP_sub0, *input, op1(s, AD_OP_stop, *input));

    still = op2(s, AD_OP_mul, weights(s, input->ndim, input->shape), still);
    return total(s, op2(s, AD_OP_gate, hit, still));
}

static enum ad_status finish(struct ad_norms *s, int n_inputs, const struct ad_view *inputs,
                             struct ad_view *adjoints, struct ad_view *tangents)
{
    struct ad_view moves = ad_view_number(0), hits = s->differs, nothing;

    for (int k = 0; k < s->n; k++)
        moves = op2(s, AD_OP_add, moves, total(s, s->norm[k].moves));
    if (moves.place == AD_NUMBER)
        return s->status;
    if (s->too_many)
        hits = ad_view_number(1);
    else
        push(s, n_inputs, adjoints, tangents);
    for (int k = 0; k < n_inputs && !s->too_many; k++) {
        struct ad_view hit = lane(&tangents[k], 1);

        if (hit.place == AD_NUMBER)
            continue;
        hit = op2(s, AD_OP_not_equal, hit, ad_view_number(0));
        hits = op2(s, AD_OP_add, hits, total(s, hit));
        moves = op2(s, AD_OP_add, moves, moves_of(s, &inputs[k], hit));
    }
    if (ad_is_number(&hits, 0))
        return s->status;
    nothing = op2(s, AD_OP_mul0, moves, nan_where(s, hits));
    for (int k = 0; k < n_inputs && !s->status; k++) {
        struct ad_view old = adjoints[k], now;

        if (old.place == AD_NUMBER)
            ad_view_broadcast(&old, inputs[k].ndim, inputs[k].shape);
        now = op2(s, AD_OP_taint, old, nothing);
        if (s->status)
            break;
        ad_view_hold(&now);
        ad_view_drop(&adjoints[k]);
        adjoints[k] = now;
    }
    return s->status;
}

enum ad_status ad_norms_finish(struct ad_norms *s, int n_inputs, const struct ad_view *inputs,
                               struct ad_view *adjoints)
{
    struct ad_view *tangents;
    enum ad_status status;

    if (s->n == 0 || n_inputs == 0)
        return AD_OK;
    tangents = malloc((size_t)n_inputs * sizeof *tangents);
    if (!tangents)
        return AD_NO_MEMORY;
    status = finish(s, n_inputs, inputs, adjoints, tangents);
    free(tangents);
    return status;
}

/* ---- tangents ---- */

/* Derivatives of n views along one direction of all norms, and of inputs unless there are none. */
static void push_once(struct ad_norms *s, int n_inputs, const struct ad_view *inputs, int n,
                      const struct ad_view *of, struct ad_view *tangents)
{
    int m = n_inputs + s->n;
    struct ad_view *from = malloc(2 * (size_t)m * sizeof *from);

    if (!from)
        s->status = AD_NO_MEMORY;
    for (int k = 0; k < n_inputs && from; k++) {
        from[k] = inputs[k];
        from[m + k] = weights(s, inputs[k].ndim, inputs[k].shape);
    }
    for (int k = 0; k < s->n && from; k++) {
        from[n_inputs + k] = s->norm[k].r;
        from[m + n_inputs + k] = lane(&s->norm[k].seed, 1);
    }
    if (!s->status)
        s->status = ad_emit_forward(s->tape, m, from, from + m, n, of, tangents);
    for (int j = 0; j < n; j++)
        tangents[j] = s->status ? ad_view_number(0) : keep(s, tangents[j]);
    free(from);
}

static struct ad_view is_hit(struct ad_norms *s, struct ad_view tangent)
{
    return op2(s, AD_OP_not_equal, tangent, ad_view_number(0));
}

/* How many operands of norm k, where it is 0, move in each lane: tangents of shape (lanes, *shape of x[j]), the
 * result of shape (lanes, 1, ..., 1) with 'ndim' dimensions of an output; a number without lanes. */
static struct ad_view moving(struct ad_norms *s, int64_t lanes, struct ad_view zero, int n,
                             const struct ad_view *tangents)
{
    struct ad_view found = ad_view_number(0);

    for (int j = 0; j < n; j++) {
        struct ad_view hit = op2(s, AD_OP_gate, zero, is_hit(s, tangents[j]));

        if (lanes && hit.place != AD_NUMBER && hit.ndim > 1)
            hit = sum(s, hit, ((1u << hit.ndim) - 1) & ~1u);
        else if (!lanes)
            hit = total(s, hit);
        if (hit.place != AD_NUMBER)
            hit.ndim = lanes ? 1 : 0;
        found = op2(s, AD_OP_add, found, hit);
    }
    return found;
}

/* A number of each lane, in a shape that broadcasts with (lanes, ...) of as many dimensions more. */
static struct ad_view over_lanes(struct ad_view view, int ndim)
{
    for (int d = 0; d < ndim && view.place != AD_NUMBER && view.ndim > 0; d++)
        view = as_column(view);
    return view;
}

/*
 * Let no second derivative follow from a tangent t of an output y where a norm counts: where dy/dr or its derivative
 * by r or by an input is not 0, which t is a product of with 0, if what the norm is of moves; or where dt/dr is not 0.
 * 'moved' are tangents of two operands of each norm, 'room' is for 3 views of each output.
 */
static enum ad_status taint_tangents(struct ad_norms *s, int64_t lanes, int n_inputs,
                                     const struct ad_view *inputs, int n,
                                     const struct ad_view *outputs, struct ad_view *tangents,
                                     const struct ad_view *moved, struct ad_view *room)
{
    struct ad_view moves = ad_view_number(0), zeros = ad_view_number(0), met = ad_view_number(0),
                   *slope_of = room, *curve_of = room + n, *across = room + 2 * n;

    for (int k = 0; k < s->n; k++) {
        struct ad_view x[2], still[2], r = s->norm[k].r, zero;
        int m = operands_of(s->tape, s->norm[k].instr, x);

        if (ad_tape_code(s->tape, s->norm[k].instr) == AD_NORM)
            r = as_column(r);
        zero = op2(s, AD_OP_equal, r, ad_view_number(0));
        zeros = op2(s, AD_OP_add, zeros, total(s, zero));
        met = op2(s, AD_OP_add, met, moving(s, lanes, zero, m, moved + 2 * k));
        moves = op2(s, AD_OP_add, moves, total(s, moves_of_norm(s, k, zero, m, x, still)));
    }
    for (int k = 0; k < n_inputs; k++)
        moves = op2(s, AD_OP_add, moves, moves_of(s, &inputs[k], ad_view_number(1)));
    if (!s->too_many) {
        push_once(s, 0, NULL, n, outputs, slope_of);
        push_once(s, n_inputs, inputs, n, slope_of, curve_of);
        push_once(s, 0, NULL, n, tangents, across);
    }
    for (int k = 0; k < n && !s->status; k++) {
        struct ad_view hits = zeros, now, old = tangents[k];

        if (!s->too_many) {
            hits = op2(s, AD_OP_add, is_hit(s, slope_of[k]), is_hit(s, curve_of[k]));
            hits = op2(s, AD_OP_gate, hits, over_lanes(met, outputs[k].ndim));
            hits = op2(s, AD_OP_add, hits, is_hit(s, across[k]));
        }
        if (ad_is_number(&hits, 0))
            continue;
        if (old.place == AD_NUMBER) { /* as wide as it may have to be */
            int64_t shape[AD_MAX_DIMS] = {lanes};
            int lead = lanes > 0;

            if (outputs[k].ndim + lead > AD_MAX_DIMS)
                return AD_TOO_MANY_DIMS;
            if (outputs[k].ndim)
                memcpy(shape + lead, outputs[k].shape, (size_t)outputs[k].ndim * sizeof *shape);
            ad_view_broadcast(&old, outputs[k].ndim + lead, shape);
        }
        now = op2(s, AD_OP_taint, old, op2(s, AD_OP_mul0, moves, nan_where(s, hits)));
        if (s->status)
            break;
        ad_view_hold(&now);
        ad_view_drop(&tangents[k]);
        tangents[k] = now;
    }
    return s->status;
}

static enum ad_status forward(struct ad_tape *tape, int64_t lanes, int n_inputs,
                              const struct ad_view *inputs, const struct ad_view *seeds,
                              int n_outputs, const struct ad_view *outputs,
                              struct ad_view *tangents)
{
    return lanes ? ad_emit_forward_lanes(tape, lanes, n_inputs, inputs, seeds, n_outputs, outputs,
                                         tangents)
                 : ad_emit_forward(tape, n_inputs, inputs, seeds, n_outputs, outputs, tangents);
}

/* The same for what may be differentiated again, with norms among it. */
static enum ad_status forward_norms(struct ad_norms *s, int64_t lanes, int n_inputs,
                                    const struct ad_view *inputs, const struct ad_view *seeds,
                                    int n, const struct ad_view *outputs, struct ad_view *tangents)
{
    int m = n + 2 * s->n;
    struct ad_view *of = malloc((2 * (size_t)m + 3 * (size_t)n) * sizeof *of), *found = of + m;
    enum ad_status status;

    if (!of)
        return AD_NO_MEMORY;
    memcpy(of, outputs, (size_t)n * sizeof *of);
    for (int k = 0; k < s->n; k++) {
        of[n + 2 * k + 1] = ad_view_number(0); /* of an AD_NORM */
        operands_of(s->tape, s->norm[k].instr, of + n + 2 * k);
    }
    status = forward(s->tape, lanes, n_inputs, inputs, seeds, m, of, found);
    if (!status) {
        for (int k = n; k < m; k++)
            keep(s, found[k]);
        status = s->status ? s->status
                           : taint_tangents(s, lanes, n_inputs, inputs, n, outputs, found,
                                            found + n, found + m);
        for (int k = 0; k < n; k++)
            if (status)
                ad_view_drop(&found[k]);
            else
                tangents[k] = found[k];
    }
    free(of);
    return status;
}

enum ad_status ad_norms_forward(struct ad_tape *tape, int64_t lanes, int n_inputs,
                                const struct ad_view *inputs, const struct ad_view *seeds,
                                int n_outputs, const struct ad_view *outputs,
                                struct ad_view *tangents)
{
    struct ad_norms s;
    int32_t low = tape->n_slots, end = tape->n, n_consts = tape->n_consts,
            floor = ad_tape_enter(tape, INT32_MAX);
    enum ad_status status;

    for (int k = 0; k < n_inputs; k++) {
        int32_t lowest = ad_view_lowest(&inputs[k]);

        low = AD_MIN(low, lowest);
    }
    status = ad_norms_begin(&s, tape, low < tape->n_slots ? ad_tape_producer(tape, low) : end, end,
                            low, NULL);
    if (!status && (s.n == 0 || n_outputs == 0))
        status = forward(tape, lanes, n_inputs, inputs, seeds, n_outputs, outputs, tangents);
    else if (!status)
        status = forward_norms(&s, lanes, n_inputs, inputs, seeds, n_outputs, outputs, tangents);
    ad_norms_end(&s);
    if (status)
        ad_tape_cut(tape, end, n_consts);
    ad_tape_leave(tape, floor);
    return status;
}

/* ad_unroll.c -- vectors of few elements as scalars. */
#include "ad_unroll.h"

#include <string.h>

enum { NONE = INT32_MIN };

static bool is_elementwise(int code)
{
    return code < AD_N_OPS && ad_ops[code].n_args < 3; /* a scalar has two operands */
}

static bool is_constant(const struct ad_tape *to, int32_t slot, double c)
{
    return slot < 0 && ad_same_bits(to->value[slot], c);
}

/* Is it a product that is 0 because its first, or either, operand is a constant 0?  Such a constant is a seed: a
 * direction in which nothing moves, so that in AD_OP_flow too it hides a partial that is nan. */
static bool vanishes(const struct ad_tape *to, int code, int32_t a, int32_t b)
{
    bool left = is_constant(to, a, 0), right = is_constant(to, b, 0);

    if (code == AD_OP_mul00)
        return left || right;
    return (code == AD_OP_mul0 || code == AD_OP_gate || code == AD_OP_flow) && left;
}

/* The slot of op(a, b), new only if it has to be; NONE without memory.  'zero' is the slot of what is 0
 * whatever the numbers are, as products with seeds are: only that is left out of sums, so that -0.0 + 0.0
 * of the user's stays 0.0. */
static int32_t scalar(struct ad_rewrite *r, int32_t zero, int code, int32_t a, int32_t b)
{
    struct ad_tape *to = r->to->tape;
    bool product = ad_op_is_product(code);
    int32_t slot;

    if (vanishes(to, code, a, b))
        return zero;
    if (a == zero && b == zero && code == AD_OP_add)
        return zero;
    if (a < 0 && b < 0)
        slot = ad_rewrite_const(
            r, ad_op_value((enum ad_op)code, to->value[b], to->value[a], to->value[b], 0));
    else if (code == AD_OP_add && a == zero)
        return b;
    else if ((code == AD_OP_add || code == AD_OP_sub) && b == zero)
        return a;
    else if (product && is_constant(to, a, 1))
        return b;
    else if (product && is_constant(to, b, 1))
        return a;
    else {
        if (ad_tape_grow(to, 1, 1, 0, 0))
            return NONE;
        ad_tape_push(to, code, a, b, 0);
        return to->n_slots - 1;
    }
    return slot == AD_GONE ? NONE : slot;
}

/* Where the n elements of a view of 'from' are now. */
static enum ad_status slots_of(struct ad_rewrite *r, const struct ad_view *view, int64_t n,
                               int32_t *slot)
{
    const struct ad_tape *tape = r->from->tape;
    struct ad_span_room room;

    for (int64_t start = 0, k; start < n; start += k) {
        k = AD_MIN(ad_tile_size(view, n, start), n - start);
        struct ad_span span = ad_span_of(view, 0, tape->value, start, k, &room);

        for (int64_t j = 0; j < k; j++) {
            int32_t *now = &slot[start + j];

            switch (span.kind) {
            case AD_SPAN_FIXED:
                *now = ad_rewrite_const(r, span.fixed.v ? span.fixed.v[j] : span.fixed.c);
                break;
            case AD_SPAN_RUN:
                *now = ad_rewrite_slot(r, span.slot + (int32_t)j);
                break;
            case AD_SPAN_ONE:
                *now = ad_rewrite_slot(r, span.slot);
                break;
            case AD_SPAN_MANY:
                *now = ad_rewrite_slot(r, span.slots[j]);
                break;
            }
            if (*now == AD_GONE)
                return AD_NO_MEMORY;
        }
    }
    return AD_OK;
}

static enum ad_status unroll_op(struct ad_rewrite *r, int32_t zero, int32_t i)
{
    const struct ad_tape *tape = r->from->tape;
    int code = ad_tape_code(tape, i), n_args = ad_ops[code].n_args;
    int32_t n = ad_tape_length(tape, i), a[AD_UNROLL_MOST], b[AD_UNROLL_MOST];
    struct ad_view views[AD_MAX_ARGS];
    double p;
    enum ad_status status;

    ad_tape_views(tape, i, views, AD_MAX_ARGS);
    status = slots_of(r, &views[0], n, a);
    if (!status && n_args > 1)
        status = slots_of(r, &views[1], n, b);
    memcpy(&p, tape->aux + tape->a[i] + 3, sizeof p);
    for (int32_t j = 0; j < n && !status; j++) {
        int32_t second = n_args > 1            ? b[j]
                         : ad_ops[code].family ? ad_rewrite_const(r, p)
                                               : a[j],
                now = second == AD_GONE ? NONE : scalar(r, zero, code, a[j], second);

        ad_rewrite_set(r, tape->dst[i] + j, now);
        if (now == NONE)
            status = AD_NO_MEMORY;
    }
    return status;
}

static enum ad_status unroll_addto(struct ad_rewrite *r, int32_t zero, int32_t i)
{
    const struct ad_tape *tape = r->from->tape;
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    int32_t n = ad_tape_length(tape, i), result[AD_UNROLL_MOST];
    int32_t part[AD_UNROLL_MOST], count[AD_UNROLL_MOST] = {0};
    struct ad_view from, to;
    struct ad_span_room room;
    enum ad_status status = AD_OK;

    for (int32_t j = 0; j < n; j++)
        result[j] = NONE;
    for (int64_t v = 0; v < block[1] && !status; v += 2) {
        int64_t size;

        words = ad_view_decode(ad_view_decode(words, &from), &to);
        size = ad_view_size(&to);
        status = slots_of(r, &from, size, part);
        for (int64_t start = 0, k; start < size && !status; start += k) {
            k = AD_MIN(ad_tile_size(&to, size, start), size - start);
            struct ad_span span = ad_span_of(&to, 0, tape->value, start, k, &room);

            for (int64_t j = 0; j < k && !status; j++) {
                int32_t at = span.kind == AD_SPAN_MANY  ? span.slots[j]
                             : span.kind == AD_SPAN_RUN ? span.slot + (int32_t)j
                                                        : span.slot;

                result[at] = result[at] == NONE
                                 ? part[start + j]
                                 : scalar(r, zero, AD_OP_add, result[at], part[start + j]);
                if (result[at] == NONE)
                    status = AD_NO_MEMORY;
                count[at]++;
            }
        }
    }
    for (int32_t j = 0; j < n && !status; j++) {
        if (count[j] == 0)
            result[j] = zero;
        else if (count[j] == 1 && !block[4] && result[j] != zero) { /* 0.0 + -0.0 is 0.0 */
            int32_t nothing = ad_rewrite_const(r, 0);

            result[j] = nothing == AD_GONE ? NONE : scalar(r, zero, AD_OP_add, nothing, result[j]);
            if (result[j] == NONE)
                status = AD_NO_MEMORY;
        }
        ad_rewrite_set(r, tape->dst[i] + j, result[j]);
    }
    return status;
}

/* How many elements an instruction looks at: those of its results, or what it adds. */
static int64_t elements(const struct ad_tape *tape, int32_t i)
{
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    int64_t n = block[2];
    struct ad_view view;

    for (int64_t v = 0; v < block[1]; v++) {
        words = ad_view_decode(words, &view);
        n = AD_MAX(n, ad_view_size(&view));
    }
    return n;
}

/* Is this a program of few elements, and none of them the user's rules? */
static bool is_small(const struct ad_program *program)
{
    const struct ad_tape *tape = program->tape;
    int64_t n = 0, n_arrays = 0;

    if (ad_program_needs_values(program) || !tape->symbolic)
        return false;
    for (int32_t i = program->n_inputs; i < tape->n && n <= AD_UNROLL_MOST; i++)
        if (ad_tape_is_array(tape, i)) {
            n += elements(tape, i);
            n_arrays++;
        }
    return n <= AD_UNROLL_MOST && n_arrays > 0;
}

enum ad_status ad_pass_unroll(const struct ad_program *from, struct ad_program **to)
{
    const struct ad_tape *tape = from->tape;
    struct ad_rewrite r;
    bool small = is_small(from);
    enum ad_status status = ad_rewrite_begin(&r, from);
    int32_t zero = NONE;

    if (!status)
        status = ad_tape_grow(r.to->tape, 0, 0, 1, 0);
    if (!status)
        zero = ad_tape_const(r.to->tape, 0); /* one of its own */
    for (int32_t i = from->n_inputs; i < tape->n && !status; i++) {
        int code = ad_tape_code(tape, i);

        ad_tape_here(r.to->tape, ad_tape_origin(tape, i));
        if (!small)
            status = ad_rewrite_copy(&r, i);
        else if (!ad_tape_is_array(tape, i) && is_elementwise(code)) {
            int32_t a = ad_rewrite_slot(&r, tape->a[i]), b = ad_rewrite_slot(&r, tape->b[i]),
                    now = a == AD_GONE || b == AD_GONE ? NONE : scalar(&r, zero, code, a, b);

            status = now == NONE ? AD_NO_MEMORY : AD_OK;
            ad_rewrite_set(&r, tape->dst[i], now);
        } else if (is_elementwise(code))
            status = unroll_op(&r, zero, i);
        else if (code == AD_ADDTO)
            status = unroll_addto(&r, zero, i);
        else
            status = ad_rewrite_copy(&r, i);
    }
    return ad_rewrite_end(&r, status, to);
}

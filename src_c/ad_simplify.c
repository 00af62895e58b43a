/* ad_simplify.c -- constants and identities. */
#include "ad_simplify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- constants ---- */

static bool is_fixed(const struct ad_view *view)
{
    switch (view->place) {
    case AD_NUMBER:
    case AD_ARRAY:
        return true;
    case AD_SLOTS:
        return view->base < 0;
    case AD_LIST:
        for (int64_t j = 0; j < view->in.list->n; j++)
            if (view->in.list->slot[j] >= 0)
                return false;
        return true;
    case AD_OWN:
    case AD_OWN_LIST:
        return true;
    }
    ad_unreachable();
    return false;
}

/* How many numbers a view of constants is made of. */
static int64_t numbers_of(const struct ad_view *view)
{
    int64_t n = 1;

    if (view->place == AD_NUMBER || view->place == AD_OWN || view->place == AD_OWN_LIST)
        return 1;
    for (int d = 0; d < view->ndim; d++)
        if (view->stride[d] != 0)
            n *= view->shape[d];
    return n;
}

/* Are the operands of instruction i constants that take about as much room as its results? */
static bool may_fold(const struct ad_tape *tape, int32_t i)
{
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    int64_t room = 64;
    struct ad_view view;

    for (int64_t v = 0; v < block[1]; v++) {
        words = ad_view_decode(words, &view);
        if (!is_fixed(&view))
            return false;
        room += 2 * numbers_of(&view);
    }
    return block[2] <= room;
}

/* Sums of a small whole number are the same however they are formed. */
static bool is_small_whole(double c)
{
    return fabs(c) <= 1024 && rint(c) == c && !(c == 0 && signbit(c));
}

/* The results of old instruction i are those of the newest, which is taken back. */
static enum ad_status fix(struct ad_rewrite *r, int32_t i)
{
    struct ad_tape *to = r->to->tape;
    int32_t length = ad_tape_length(r->from->tape, i);
    const double *values = to->value + to->dst[to->n - 1];
    bool same = length > 0 && is_small_whole(values[0]);
    enum ad_status status;

    for (int32_t j = 1; j < length && same; j++)
        same = ad_same_bits(values[j], values[0]);
    status = ad_rewrite_fixed(r, i, same ? 1 : length, values);
    if (status)
        return status;
    ad_tape_cut(to, to->n - 1, to->n_consts);
    return AD_OK;
}

enum ad_status ad_pass_constants(const struct ad_program *from, struct ad_program **to)
{
    const struct ad_tape *tape = from->tape;
    struct ad_rewrite r;
    enum ad_status status = ad_rewrite_begin(&r, from);

    for (int32_t i = from->n_inputs; i < tape->n && !status; i++) {
        struct ad_tape *now = r.to->tape;

        if (!ad_tape_is_array(tape, i) && ad_rewrite_may_change(&r, i)) {
            int32_t a = ad_rewrite_slot(&r, tape->a[i]), b = ad_rewrite_slot(&r, tape->b[i]);

            if (a == AD_GONE || b == AD_GONE) {
                status = AD_NO_MEMORY;
                continue;
            }
            if (a < 0 && b < 0) {
                double p = now->value[b];
                int32_t c = ad_rewrite_const(&r, ad_op_value((enum ad_op)ad_tape_code(tape, i), p,
                                                             now->value[a], now->value[b], 0));

                ad_rewrite_set(&r, tape->dst[i], c);
                status = c == AD_GONE ? AD_NO_MEMORY : AD_OK;
                continue;
            }
        }
        status = ad_rewrite_copy(&r, i);
        if (!status && ad_tape_is_array(tape, i) && ad_rewrite_may_change(&r, i) &&
            ad_tape_length(tape, i) > 0 && may_fold(now, now->n - 1)) {
            status = ad_tape_compute(now, now->n - 1);
            if (!status)
                status = fix(&r, i);
        }
    }
    return ad_rewrite_end(&r, status, to);
}

/* ---- identities ---- */

/* Which of them: those of ad_pass_copies(), of ad_pass_identities(), or of ad_pass_values(). */
enum which { COPIES, ALL, VALUES };

/* What is known of an operand. */
struct operand {
    bool fixed;   /* it is the number c everywhere */
    bool negated; /* it is -x, and x is at hand */
    double c;
};

/* What becomes of an instruction. */
struct outcome {
    enum { KEEP, TAKE, NUMBER, CHANGE } kind;
    int op;       /* CHANGE: to this op */
    int args[2];  /* TAKE: the first; CHANGE: which operands it gets */
    bool bare[2]; /* x, where the operand is -x */
    double c;     /* NUMBER; CHANGE: takes the place of the second operand if 'scaled' */
    bool scaled;
};

static bool is(const struct operand *x, double c)
{
    return x->fixed && ad_same_bits(x->c, c);
}

static bool is_zero(const struct operand *x)
{
    return x->fixed && x->c == 0;
}

/* A number with an exact reciprocal. */
static bool is_power_of_two(const struct operand *x)
{
    int exponent;

    return x->fixed && isfinite(x->c) && fabs(frexp(x->c, &exponent)) == 0.5 && exponent > -1000 &&
           exponent < 1000;
}

static struct outcome take(int arg)
{
    return (struct outcome){.kind = TAKE, .args = {arg}};
}

static struct outcome number(double c)
{
    return (struct outcome){.kind = NUMBER, .c = c};
}

static struct outcome change(enum ad_op op, int first, int second)
{
    return (struct outcome){.kind = CHANGE, .op = op, .args = {first, second}};
}

static struct outcome change_bare(enum ad_op op, int first, int bare)
{
    struct outcome out = change(op, first, bare);

    out.bare[1] = true;
    return out;
}

/* Identities of the arithmetic ops. */
static struct outcome arithmetic(int op, const struct operand *x)
{
    for (int k = 0; k < 2; k++) {
        if (op == AD_OP_add && is(&x[k], -0.0))
            return take(1 - k);
        if (op == AD_OP_mul && is(&x[k], 1))
            return take(1 - k);
        if (op == AD_OP_mul && is(&x[k], -1))
            return change(AD_OP_neg, 1 - k, 1 - k);
    }
    if (op == AD_OP_sub) {
        if (is(&x[1], 0))
            return take(0);
        if (is(&x[0], -0.0))
            return change(AD_OP_neg, 1, 1);
    }
    if (op == AD_OP_div && is(&x[1], 1))
        return take(0);
    if (op == AD_OP_div && is(&x[1], -1))
        return change(AD_OP_neg, 0, 0);
    if (op == AD_OP_div && is_power_of_two(&x[1])) {
        struct outcome out = change(AD_OP_mul, 0, 1);

        out.scaled = true;
        out.c = 1 / x[1].c;
        return out;
    }
    return (struct outcome){.kind = KEEP};
}

/* Identities that do not depend on which number a constant is; those of a parameter count as such. */
static struct outcome uniform_identity(int op, double p, const struct operand *x)
{
    if (op == AD_OP_powi && p == 0)
        return number(1);
    if (op == AD_OP_powi && p == 1)
        return take(0);
    if (op == AD_OP_powi && p == 2)
        return change(AD_OP_square, 0, 0);
    if (op == AD_OP_add && x[1].negated)
        return change_bare(AD_OP_sub, 0, 1);
    if (op == AD_OP_add && x[0].negated)
        return change_bare(AD_OP_sub, 1, 0);
    if (op == AD_OP_sub && x[1].negated)
        return change_bare(AD_OP_add, 0, 1);
    return (struct outcome){.kind = KEEP};
}

/* All others. */
static struct outcome constant_identity(int op, const struct operand *x)
{
    bool zero_left = is_zero(&x[0]), other_left = x[0].fixed && x[0].c != 0;

    if (op == AD_OP_add || op == AD_OP_sub || op == AD_OP_mul || op == AD_OP_div)
        return arithmetic(op, x);
    if (op == AD_OP_pow && (is_zero(&x[1]) || is(&x[0], 1)))
        return number(1);
    if (op == AD_OP_pow && is(&x[1], 1))
        return take(0);
    if (op == AD_OP_where && x[0].fixed)
        return take(zero_left ? 2 : 1);
    if ((op == AD_OP_mul00 || op == AD_OP_gate) && (zero_left || is_zero(&x[1])))
        return number(0);
    if (op == AD_OP_div0 && zero_left)
        return number(0);
    if (op == AD_OP_mul0) { /* not of a gate, which makes 0 of -0 too */
        if (zero_left)
            return number(0);
        if (is(&x[0], 1))
            return take(1);
        if (other_left && isfinite(x[0].c))
            return change(AD_OP_mul, 0, 1);
    }
    if (op == AD_OP_flow && other_left && isfinite(x[0].c))
        return is(&x[0], 1) ? take(1) : change(AD_OP_mul, 0, 1);
    return (struct outcome){.kind = KEEP};
}

/* x, whose first operand has its value but not its derivatives. */
static bool is_for_derivatives(int op)
{
    return op == AD_OP_plus0 || op == AD_OP_taint || op == AD_OP_stop;
}

static struct outcome identity(int op, double p, const struct operand *x, enum which which)
{
    struct outcome out = {.kind = KEEP};

    if (which == VALUES)
        return is_for_derivatives(op) ? take(0) : out;
    out = uniform_identity(op, p, x);
    return out.kind == KEEP && which == ALL ? constant_identity(op, x) : out;
}

struct identities {
    struct ad_rewrite r;
    uint8_t *negated; /* of each new slot: 1 for the first result of a negation */
    enum which which;
};

static void describe_slot(const struct identities *s, int32_t slot, struct operand *x)
{
    x->fixed = slot < 0;
    x->negated = slot >= 0 && s->negated[slot];
    x->c = slot < 0 ? s->r.to->tape->value[slot] : 0;
}

/* The operand of the negation that made a slot. */
static int32_t bare_slot(const struct identities *s, int32_t slot)
{
    const struct ad_tape *to = s->r.to->tape;

    return to->a[ad_tape_producer(to, slot)];
}

static enum ad_status simplify_scalar(struct identities *s, int32_t i)
{
    struct ad_rewrite *r = &s->r;
    struct ad_tape *to = r->to->tape;
    const struct ad_tape *tape = r->from->tape;
    int op = ad_tape_code(tape, i), n = ad_ops[op].n_args;
    int32_t slot[2] = {ad_rewrite_slot(r, tape->a[i]), ad_rewrite_slot(r, tape->b[i])};
    struct operand x[2];
    struct outcome out;

    if (slot[0] == AD_GONE || slot[1] == AD_GONE)
        return AD_NO_MEMORY;
    for (int k = 0; k < 2; k++) {
        describe_slot(s, slot[k], &x[k]);
        if (x[k].negated && ad_tape_is_array(to, ad_tape_producer(to, slot[k])))
            x[k].negated = false;
    }
    if (op == AD_OP_neg && x[0].negated && s->which != VALUES) {
        ad_rewrite_set(r, tape->dst[i], bare_slot(s, slot[0]));
        return AD_OK;
    }
    out = identity(op, ad_ops[op].family ? to->value[slot[1]] : 0, x, s->which);
    if (out.kind == KEEP) {
        enum ad_status status = ad_rewrite_copy(r, i);

        if (!status)
            s->negated[to->n_slots - 1] = op == AD_OP_neg;
        return status;
    }
    if (out.kind == TAKE) {
        ad_assert(out.args[0] < n);
        ad_rewrite_set(r, tape->dst[i], slot[out.args[0]]);
        return AD_OK;
    }
    if (out.kind == NUMBER) {
        ad_rewrite_set(r, tape->dst[i], ad_rewrite_const(r, out.c));
        return ad_rewrite_now(r, tape->dst[i]) == AD_GONE ? AD_NO_MEMORY : AD_OK;
    }
    int32_t now[2];

    (void)n;
    for (int k = 0; k < 2; k++) {
        now[k] = slot[out.args[k]];
        if (out.bare[k])
            now[k] = bare_slot(s, now[k]);
    }
    if (out.scaled)
        now[1] = ad_rewrite_const(r, out.c);
    if (now[1] == AD_GONE || ad_tape_grow(to, 1, 1, 0, 0))
        return AD_NO_MEMORY;
    ad_tape_here(to, ad_tape_origin(tape, i));
    ad_tape_push(to, out.op, now[0], now[1], tape->value[tape->dst[i]]);
    s->negated[to->n_slots - 1] = out.op == AD_OP_neg;
    ad_rewrite_results(r, i, to->n_slots - 1);
    return AD_OK;
}

/* The operand of the negation whose results, all of them, 'view' is; borrowed. */
static bool bare_view(const struct identities *s, const struct ad_view *view, struct ad_view *bare)
{
    const struct ad_tape *to = s->r.to->tape;
    int32_t i;

    if (view->place != AD_SLOTS || view->base < 0 || !s->negated[view->base] ||
        !ad_view_is_contiguous(view))
        return false;
    i = ad_tape_producer(to, (int32_t)view->base);
    if (!ad_tape_is_array(to, i) || ad_tape_length(to, i) != ad_view_size(view))
        return false;
    ad_tape_views(to, i, bare, 1);
    return bare->ndim == view->ndim &&
           !memcmp(bare->shape, view->shape, (size_t)view->ndim * sizeof *view->shape);
}

static void describe_view(const struct identities *s, const struct ad_view *view, struct operand *x)
{
    struct ad_view bare;

    x->fixed = view->place == AD_NUMBER || (view->place == AD_SLOTS && view->base < 0);
    if (x->fixed)
        x->c = view->place == AD_NUMBER ? view->in.number : s->r.to->tape->value[view->base];
    x->negated = bare_view(s, view, &bare);
}

/* Take back the newest instruction, whose results are those of 'view'; false if they cannot be. */
static bool take_view(struct identities *s, int32_t i, const struct ad_view *view)
{
    struct ad_tape *to = s->r.to->tape;
    int64_t base = view->base;

    if (view->place != AD_SLOTS || base < 0 || !ad_view_is_contiguous(view))
        return false;
    ad_tape_cut(to, to->n - 1, to->n_consts);
    ad_rewrite_results(&s->r, i, (int32_t)base);
    return true;
}

static enum ad_status change_block(struct identities *s, int32_t i, const struct outcome *out,
                                   const struct ad_view *views)
{
    struct ad_tape *to = s->r.to->tape;
    int64_t size = ad_tape_length(to, to->n - 1);
    struct ad_view now[2];
    int n = ad_ops[out->op].n_args;
    enum ad_status status;

    for (int k = 0; k < n; k++) {
        now[k] = views[out->args[k]];
        if (out->bare[k])
            bare_view(s, &views[out->args[k]], &now[k]);
        if (out->scaled && k == 1) {
            now[k] = ad_view_number(out->c);
            ad_view_broadcast(&now[k], views[0].ndim, views[0].shape);
        }
        ad_view_hold(&now[k]);
    }
    ad_tape_cut(to, to->n - 1, to->n_consts);
    status = ad_record_block(to, out->op, 0, 0, size, n, now);
    for (int k = 0; k < n; k++)
        ad_view_drop(&now[k]);
    if (!status && !to->symbolic) {
        const struct ad_tape *tape = s->r.from->tape;

        memcpy(to->value + to->dst[to->n - 1], tape->value + tape->dst[i],
               (size_t)size * sizeof *to->value);
    }
    return status;
}

/* Take back the newest instruction, whose results are the number c. */
static enum ad_status take_number(struct identities *s, int32_t i, double c)
{
    struct ad_rewrite *r = &s->r;
    struct ad_tape *to = r->to->tape;
    enum ad_status status = ad_rewrite_fixed(r, i, 1, &c);

    if (status)
        return status;
    ad_tape_cut(to, to->n - 1, to->n_consts);
    return AD_OK;
}

/* Instruction i has been copied; see whether something simpler does. */
static enum ad_status simplify_block(struct identities *s, int32_t i)
{
    struct ad_tape *to = s->r.to->tape;
    int op = ad_tape_code(to, to->n - 1);
    int32_t length = ad_tape_length(to, to->n - 1);
    struct ad_view views[AD_MAX_ARGS], bare;
    struct operand x[AD_MAX_ARGS] = {{0}}, *taken;
    struct outcome out;
    double p;
    enum ad_status status = AD_OK;

    ad_tape_views(to, to->n - 1, views, AD_MAX_ARGS);
    memcpy(&p, to->aux + to->a[to->n - 1] + 3, sizeof p);
    for (int k = 0; k < ad_ops[op].n_args; k++)
        describe_view(s, &views[k], &x[k]);
    if (op == AD_OP_neg && s->which != VALUES && x[0].negated && bare_view(s, &views[0], &bare) &&
        take_view(s, i, &bare))
        return AD_OK;
    out = identity(op, p, x, s->which);
    switch (out.kind) {
    case TAKE:
        if (take_view(s, i, &views[out.args[0]]))
            return AD_OK;
        taken = &x[out.args[0]];
        if (taken->fixed && (length == 1 || is_small_whole(taken->c)))
            return take_number(s, i, taken->c);
        if (s->which == VALUES) { /* a copy at least, which does not read the rest */
            out = change(AD_OP_stop, 0, 0);
            status = change_block(s, i, &out, views);
            op = out.op;
        }
        break;
    case NUMBER:
        return take_number(s, i, out.c);
    case CHANGE:
        status = change_block(s, i, &out, views);
        op = out.op;
        break;
    case KEEP:
        break;
    }
    if (!status)
        s->negated[to->dst[to->n - 1]] = op == AD_OP_neg;
    return status;
}

/* Old instruction i, whose results are those of other slots, each given once: let its readers see
 * them. */
static enum ad_status see_through(struct ad_rewrite *r, int32_t i)
{
    const struct ad_tape *tape = r->from->tape;
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    struct ad_view from, to;
    struct ad_span_room from_room, to_room;

    if (!r->through) {
        r->through = calloc((size_t)AD_MAX(tape->n_slots, 1), sizeof *r->through);
        if (!r->through)
            return AD_NO_MEMORY;
    }
    for (int64_t v = 0; v < block[1]; v += 2) {
        words = ad_view_decode(ad_view_decode(words, &from), &to);
        if (from.place != AD_SLOTS && from.place != AD_LIST)
            continue;
        int64_t size = ad_view_size(&to);

        for (int64_t start = 0, n; start < size; start += n) {
            n = ad_tile_size(&to, size, start);
            struct ad_span in = ad_span_of(&from, 0, tape->value, start, n, &from_room);
            struct ad_span out = ad_span_of(&to, tape->dst[i], tape->value, start, n, &to_room);

            for (int64_t j = 0; j < n && in.kind != AD_SPAN_FIXED; j++) {
                int32_t source = in.kind == AD_SPAN_MANY  ? in.slots[j]
                                 : in.kind == AD_SPAN_RUN ? in.slot + (int32_t)j
                                                          : in.slot;
                int32_t target = out.kind == AD_SPAN_MANY  ? out.slots[j]
                                 : out.kind == AD_SPAN_RUN ? out.slot + (int32_t)j
                                                           : out.slot;

                if (source >= 0)
                    r->through[target] = source + r->through[source] - target;
            }
        }
    }
    return AD_OK;
}

static enum ad_status apply_identities(const struct ad_program *from, struct ad_program **to,
                                       enum which which)
{
    const struct ad_tape *tape = from->tape;
    struct identities s = {.which = which};
    enum ad_status status = ad_rewrite_begin(&s.r, from);

    s.negated = calloc((size_t)tape->n_slots + 1, 1); /* the new tape has no more slots */
    if (!s.negated)
        status = AD_NO_MEMORY;
    for (int32_t i = from->n_inputs; i < tape->n && !status; i++) {
        bool may = ad_rewrite_may_change(&s.r, i);

        if (may && !ad_tape_is_array(tape, i)) {
            status = simplify_scalar(&s, i);
            continue;
        }
        status = ad_rewrite_copy(&s.r, i);
        if (status || !may || ad_tape_length(tape, i) == 0)
            continue;
        if (ad_tape_code(tape, i) < AD_N_OPS)
            status = simplify_block(&s, i);
        else if (which != VALUES && ad_tape_code(tape, i) == AD_ADDTO && tape->aux[tape->a[i] + 4])
            status = see_through(&s.r, i);
    }
    free(s.negated);
    return ad_rewrite_end(&s.r, status, to);
}

enum ad_status ad_pass_copies(const struct ad_program *from, struct ad_program **to)
{
    return apply_identities(from, to, COPIES);
}

enum ad_status ad_pass_identities(const struct ad_program *from, struct ad_program **to)
{
    return apply_identities(from, to, ALL);
}

enum ad_status ad_pass_values(const struct ad_program *from, struct ad_program **to)
{
    struct ad_program *copies;
    bool any = false;
    enum ad_status status;

    *to = NULL;
    for (int32_t i = 0; i < from->tape->n && !any; i++)
        any = ad_tape_code(from->tape, i) == AD_OP_plus0 ||
              ad_tape_code(from->tape, i) == AD_OP_taint;
    if (!any)
        return AD_OK;
    status = apply_identities(from, &copies, VALUES);
    if (!status) {
        status = ad_pass_dead(copies, to);
        ad_program_free(copies);
    }
    return status;
}

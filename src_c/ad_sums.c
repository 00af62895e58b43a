/* ad_sums.c -- from chains of additions to sums, and from sums over lists to sums over runs. */
#include "ad_sums.h"
#include "ad_sort.h"

#include <stdlib.h>
#include <string.h>

/* ---- chains ---- */

/* Of an addition: not known, within a sum, the last of a sum, or to stay an addition. */
enum role { NONE, PART, SUM, STAYS };

struct chains {
    struct ad_rewrite r;
    uint8_t *uses;   /* of each old slot: 0, 1, or 2 for more */
    int32_t *terms;  /* of each old slot: terms of the chain that ends there; 0 if none does */
    uint8_t *begun;  /* of each old slot: 1 if that chain is known to add up terms */
    uint8_t *role;   /* of each old slot */
    int32_t *stack;  /* old slots of terms yet to be visited */
    int32_t *listed; /* new slots of the terms of a sum */
};

static void use_slot(struct chains *c, int32_t slot)
{
    if (slot >= 0 && c->uses[slot] < 2)
        c->uses[slot]++;
}

/* A view uses a slot once if it is all there is to it. */
static void use_view(struct chains *c, const struct ad_view *view)
{
    int64_t size = ad_view_size(view);
    struct ad_span_room room;

    if (view->place == AD_LIST) {
        for (int64_t j = 0; j < view->in.list->n; j++)
            use_slot(c, view->in.list->slot[j]);
    } else if (view->place == AD_SLOTS && view->base >= 0) {
        for (int64_t start = 0, n; start < size; start += n) {
            n = ad_tile_size(view, size, start);
            struct ad_span span = ad_span_of(view, 0, NULL, start, n, &room);

            for (int64_t j = 0; j < n; j++)
                use_slot(c, span.kind == AD_SPAN_MANY  ? span.slots[j]
                            : span.kind == AD_SPAN_RUN ? span.slot + (int32_t)j
                                                       : span.slot);
        }
    }
}

static void count_uses(struct chains *c)
{
    const struct ad_program *from = c->r.from;
    const struct ad_tape *tape = from->tape;
    struct ad_view view;

    for (int k = 0; k < from->n_outputs; k++)
        use_view(c, &from->outputs[k]);
    for (int g = 0; g < from->n_guards; g++)
        use_view(c, &from->guards[g].view);
    for (int32_t i = from->n_inputs; i < tape->n; i++) {
        if (ad_tape_is_array(tape, i)) {
            const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;

            for (int64_t v = 0; v < block[1]; v++) {
                words = ad_view_decode(words, &view);
                use_view(c, &view);
            }
            continue;
        }
        use_slot(c, tape->a[i]);
        if (ad_ops[ad_tape_code(tape, i)].n_args > 1)
            use_slot(c, tape->b[i]);
    }
}

static bool is_addition(const struct chains *c, int32_t i)
{
    const struct ad_tape *tape = c->r.from->tape;
    int code = ad_tape_code(tape, i);

    return !ad_tape_is_array(tape, i) && (code == AD_OP_add || code == AD_OP_sub) &&
           ad_rewrite_may_change(&c->r, i);
}

/* How many terms operand k of addition i is, if it is part of its chain; else 0. */
static int32_t terms_of(const struct chains *c, int32_t i, int k)
{
    const struct ad_tape *tape = c->r.from->tape;
    int32_t slot = k ? tape->b[i] : tape->a[i];

    if (slot < 0 || c->uses[slot] != 1 || (k && ad_tape_code(tape, i) == AD_OP_sub))
        return 0;
    return c->terms[slot];
}

static bool is_zero(const struct ad_tape *tape, int32_t slot)
{
    return slot < 0 && tape->value[slot] == 0;
}

static bool has_begun(const struct chains *c, int32_t i, int k)
{
    const struct ad_tape *tape = c->r.from->tape;

    return terms_of(c, i, k) > 0 && c->begun[k ? tape->b[i] : tape->a[i]];
}

/*
 * Which operands of addition i are parts of its chain: one that has begun, or else the longer one;
 * and the other if it is long.  A chain begins with total = 0 + (a + b), or with (a + b) + (c + d),
 * where a + b is one term. Returns whether the chain has begun.
 */
static bool parts_of(const struct chains *c, int32_t i, bool *part)
{
    const struct ad_tape *tape = c->r.from->tape;
    int32_t left = terms_of(c, i, 0), right = terms_of(c, i, 1);
    bool one = has_begun(c, i, 0), other = has_begun(c, i, 1);
    bool begins = is_zero(tape, tape->a[i]) || is_zero(tape, tape->b[i]) ||
                  (left == right && left > 0 && one == other);

    part[0] = left >= AD_SUM_MIN || (!begins && left > 0 && (one == other ? left > right : one));
    part[1] =
        right >= AD_SUM_MIN || (!begins && right > 0 && (one == other ? right > left : other));
    return begins || one || other;
}

/* Find how long chains are, and which of them become sums. */
static enum ad_status find_sums(struct chains *c)
{
    const struct ad_tape *tape = c->r.from->tape;
    int32_t *alike = calloc((size_t)tape->n + 2, sizeof *alike); /* chains of so many terms */
    bool part[2];

    if (!alike)
        return AD_NO_MEMORY;
    for (int32_t i = c->r.from->n_inputs; i < tape->n; i++) {
        int32_t dst = tape->dst[i];

        if (!is_addition(c, i))
            continue;
        c->begun[dst] = parts_of(c, i, part);
        c->terms[dst] = (part[0] ? terms_of(c, i, 0) : 1) + (part[1] ? terms_of(c, i, 1) : 1);
        /* its operands' chains go on */
        for (int k = 0; k < 2; k++)
            if (part[k])
                alike[terms_of(c, i, k)]--;
        alike[c->terms[dst]]++;
    }
    for (int32_t i = tape->n - 1; i >= c->r.from->n_inputs; i--) {
        int32_t dst = tape->dst[i];

        if (!is_addition(c, i))
            continue;
        if (c->role[dst] == NONE && c->terms[dst] >= AD_SUM_MIN &&
            4 * (int64_t)(alike[c->terms[dst]] - 1) < c->terms[dst])
            c->role[dst] = SUM;
        if (c->role[dst] == NONE)
            c->role[dst] = STAYS;
        parts_of(c, i, part);
        for (int k = 0; k < 2; k++)
            if (part[k])
                c->role[k ? tape->b[i] : tape->a[i]] = c->role[dst] == STAYS ? STAYS : PART;
    }
    free(alike);
    return AD_OK;
}

/* The new slot of a term, or of its negative. */
static int32_t term(struct chains *c, int32_t slot, bool negative)
{
    struct ad_tape *to = c->r.to->tape;
    int32_t now = ad_rewrite_slot(&c->r, slot);

    if (now == AD_GONE || !negative)
        return now;
    if (now < 0)
        return ad_rewrite_const(&c->r, -to->value[now]);
    if (ad_tape_grow(to, 1, 1, 0, 0))
        return AD_GONE;
    ad_tape_push(to, AD_OP_neg, now, now, -to->value[now]);
    return to->n_slots - 1;
}

/* Write the terms of the sum that ends in instruction i, first to last, to the end of c->listed. */
static enum ad_status list_terms(struct chains *c, int32_t i, int32_t *n_listed)
{
    const struct ad_tape *tape = c->r.from->tape;
    int32_t sum = tape->dst[i], most = c->terms[sum], at = most, n_stack = 0;

    c->stack[n_stack++] = sum;
    while (n_stack > 0) {
        int32_t slot = c->stack[--n_stack];
        bool negative = false;

        /* down the right-hand sides; what is on the left waits */
        while (slot == sum || (slot >= 0 && c->role[slot] == PART)) {
            int32_t j = ad_tape_producer(tape, slot);

            c->stack[n_stack++] = tape->a[j];
            negative = ad_tape_code(tape, j) == AD_OP_sub;
            slot = tape->b[j];
            if (negative)
                break; /* what is subtracted is one term */
        }
        if (is_zero(tape, slot))
            continue;
        ad_assert(at > 0);
        ad_tape_here(c->r.to->tape, ad_tape_origin(tape, i));
        c->listed[--at] = term(c, slot, negative);
        if (c->listed[at] == AD_GONE)
            return AD_NO_MEMORY;
    }
    *n_listed = most - at;
    memmove(c->listed, c->listed + at, (size_t)*n_listed * sizeof *c->listed);
    return AD_OK;
}

static enum ad_status make_sum(struct chains *c, int32_t i)
{
    struct ad_rewrite *r = &c->r;
    const struct ad_tape *tape = r->from->tape;
    struct ad_tape *to = r->to->tape;
    int32_t n;
    int64_t size;
    enum ad_status status = list_terms(c, i, &n);

    if (status)
        return status;
    if (n == 0) {
        ad_rewrite_set(r, tape->dst[i], ad_rewrite_const(r, 0));
        return ad_rewrite_now(r, tape->dst[i]) == AD_GONE ? AD_NO_MEMORY : AD_OK;
    }
    struct ad_list *list = ad_list_new(&to->lists, n);

    if (!list)
        return AD_NO_MEMORY;
    memcpy(list->slot, c->listed, (size_t)n * sizeof *list->slot);
    size = n;
    struct ad_view pair[2] = {ad_view_slots(0, 1, &size), ad_view_slots(0, 1, &size)};

    pair[0].place = AD_LIST;
    pair[0].in.list = list;
    pair[1].place = AD_OWN;
    pair[1].stride[0] = 0;
    status = ad_record_block(to, AD_ADDTO, 0, 0, 1, 2, pair);
    ad_list_drop(list);
    if (status)
        return status;
    if (!to->symbolic)
        to->value[to->n_slots - 1] = tape->value[tape->dst[i]];
    ad_rewrite_results(r, i, to->n_slots - 1);
    return AD_OK;
}

enum ad_status ad_pass_sums(const struct ad_program *from, struct ad_program **to)
{
    const struct ad_tape *tape = from->tape;
    size_t n = (size_t)tape->n_slots + 1;
    struct chains c = {.uses = calloc(n, 1),
                       .terms = calloc(n, sizeof *c.terms),
                       .begun = calloc(n, 1),
                       .role = calloc(n, 1),
                       .stack = malloc((n + 1) * sizeof *c.stack),
                       .listed = malloc(n * sizeof *c.listed)};
    enum ad_status status = ad_rewrite_begin(&c.r, from);

    if (!c.uses || !c.terms || !c.begun || !c.role || !c.stack || !c.listed)
        status = AD_NO_MEMORY;
    if (!status) {
        count_uses(&c);
        status = find_sums(&c);
    }
    for (int32_t i = from->n_inputs; i < tape->n && !status; i++) {
        uint8_t role = ad_tape_length(tape, i) == 1 ? c.role[tape->dst[i]] : NONE;

        if (role == NONE || role == STAYS)
            status = ad_rewrite_copy(&c.r, i);
        else if (role == SUM)
            status = make_sum(&c, i);
    }
    free(c.uses);
    free(c.terms);
    free(c.begun);
    free(c.role);
    free(c.stack);
    free(c.listed);
    return ad_rewrite_end(&c.r, status, to);
}

/* ---- runs ---- */

/* A term of a sum over a list: the instruction of the new tape that made it, plus one, or 0 for
 * constants and scalars; and its slot. */
static uint64_t key_of(const struct ad_tape *to, int32_t slot)
{
    uint64_t maker = 0;

    if (slot >= 0) {
        int32_t i = ad_tape_producer(to, slot);

        if (ad_tape_is_array(to, i))
            maker = (uint64_t)i + 1;
    }
    return maker << 32 | (uint32_t)slot;
}

enum { RUN_MIN = 8, RUNS_MAX = 64 };

/* How many keys from the first on are evenly spaced slots of one instruction, or the same one. */
static int64_t run_length(const uint64_t *key, int64_t n)
{
    uint64_t step;
    int64_t j = 1;

    if (key[0] >> 32 == 0 || n < 2)
        return 1;
    step = key[1] - key[0];
    while (j < n && key[j] >> 32 == key[0] >> 32 && key[j] - key[j - 1] == step)
        j++;
    return j;
}

static bool is_sum_over_list(const struct ad_view *pair)
{
    if (pair[0].place != AD_LIST || pair[1].place != AD_OWN || ad_view_size(&pair[0]) < RUN_MIN)
        return false;
    for (int d = 0; d < pair[1].ndim; d++)
        if (pair[1].stride[d] != 0)
            return false;
    return true;
}

/* The keys of the elements of a list. */
static void read_keys(const struct ad_tape *to, const struct ad_view *list, int64_t n,
                      uint64_t *key)
{
    struct ad_span_room room;

    for (int64_t start = 0, k; start < n; start += k) {
        k = ad_tile_size(list, n, start);
        struct ad_span span = ad_span_of(list, 0, to->value, start, k, &room);

        if (span.kind == AD_SPAN_MANY)
            for (int64_t j = 0; j < k; j++)
                key[start + j] = key_of(to, span.slots[j]);
        else /* one element, over and over */
            for (int64_t j = 0; j < k; j++)
                key[start + j] = key_of(to, list->in.list->slot[list->base]);
    }
}

/*
 * Split the sum over a list, 'pair', into sums over runs and over a list of what is left: writes at
 * most RUNS_MAX + 1 pairs, each with a reference, and passes how many.
 */
static enum ad_status split_sum(struct ad_tape *to, const struct ad_view *pair,
                                struct ad_view *pairs, int *n_pairs)
{
    int64_t n = ad_view_size(&pair[0]), rest = 0;
    uint64_t *key = malloc(2 * (size_t)n * sizeof *key);
    int found = 0;

    if (!key)
        return AD_NO_MEMORY;
    read_keys(to, &pair[0], n, key);
    ad_sort_keys(n, key, NULL, key + n, NULL);
    for (int64_t j = 0, run; j < n; j += run) {
        run = run_length(key + j, n - j);
        if (run >= RUN_MIN && found < RUNS_MAX) {
            pairs[2 * found] = ad_view_slots((int32_t)(uint32_t)key[j], 1, &run);
            pairs[2 * found++].stride[0] = (int64_t)(key[j + 1] - key[j]);
        } else {
            run = AD_MIN(run, RUN_MIN - 1); /* the last of these may begin a run */
            run = AD_MAX(run - 1, 1);
            for (int64_t k = 0; k < run; k++)
                key[rest++] = key[j + k];
        }
    }
    if (rest > 0) {
        struct ad_list *list = ad_list_new(&to->lists, rest);

        if (!list) {
            free(key);
            return AD_NO_MEMORY;
        }
        for (int64_t j = 0; j < rest; j++)
            list->slot[j] = (int32_t)(uint32_t)key[j];
        pairs[2 * found] = ad_view_slots(0, 1, &rest);
        pairs[2 * found].place = AD_LIST;
        pairs[2 * found++].in.list = list;
    }
    free(key);
    for (int v = 0; v < found; v++) {
        pairs[2 * v + 1] = ad_view_slots(pair[1].base, 1, pairs[2 * v].shape);
        pairs[2 * v + 1].place = AD_OWN;
        pairs[2 * v + 1].stride[0] = 0;
    }
    *n_pairs = found;
    return AD_OK;
}

/* The newest instruction, an AD_ADDTO, again with its sums over lists split. */
static enum ad_status split_newest(struct ad_rewrite *r)
{
    struct ad_tape *to = r->to->tape;
    int32_t newest = to->n - 1;
    const int64_t *block = to->aux + to->a[newest];
    int64_t n = block[1], size = block[2], extra = block[4];
    struct ad_view *old = malloc((size_t)AD_MAX(n, 1) * sizeof *old), *pairs;
    int n_lists = 0, n_pairs = 0, found;
    enum ad_status status = AD_OK;

    if (!old)
        return AD_NO_MEMORY;
    ad_tape_views(to, newest, old, (int)n);
    for (int64_t v = 0; v < n; v += 2)
        n_lists += is_sum_over_list(&old[v]);
    pairs =
        n_lists ? malloc(((size_t)n + (size_t)n_lists * 2 * (RUNS_MAX + 1)) * sizeof *pairs) : NULL;
    if (!pairs) {
        free(old);
        return n_lists ? AD_NO_MEMORY : AD_OK;
    }
    for (int64_t v = 0; v < n && !status; v += 2) {
        if (is_sum_over_list(&old[v])) {
            status = split_sum(to, &old[v], pairs + 2 * n_pairs, &found);
            n_pairs += status ? 0 : found;
            continue;
        }
        for (int k = 0; k < 2; k++) {
            ad_view_copy(&pairs[2 * n_pairs + k], &old[v + k]);
            ad_view_hold(&old[v + k]);
        }
        n_pairs++;
    }
    if (!status) {
        ad_tape_cut(to, newest, to->n_consts);
        status = ad_record_block(to, AD_ADDTO, 0, extra, size, 2 * n_pairs, pairs);
    }
    for (int v = 0; v < 2 * n_pairs; v++)
        ad_view_drop(&pairs[v]);
    free(pairs);
    free(old);
    return status;
}

enum ad_status ad_pass_runs(const struct ad_program *from, struct ad_program **to)
{
    const struct ad_tape *tape = from->tape;
    struct ad_rewrite r;
    enum ad_status status = ad_rewrite_begin(&r, from);

    for (int32_t i = from->n_inputs; i < tape->n && !status; i++) {
        status = ad_rewrite_copy(&r, i);
        if (!status && ad_tape_code(tape, i) == AD_ADDTO && ad_rewrite_may_change(&r, i))
            status = split_newest(&r);
    }
    return ad_rewrite_end(&r, status, to);
}

/* ad_emit_forward.c -- forward: from the oldest instruction to the newest.
 *
 * The tangent of an instruction's results is a sum of terms c * base.  Along one direction there is one
 * term: base is the number 1, and c the tangent.  Along lanes, c has the shape of the results, and base
 * one more dimension before it.  Partials multiply c, which costs one lane; lanes are multiplied, and
 * terms added up, where an instruction that is not elementwise needs the tangent itself. */
#include "ad_emit_forward.h"

#include <stdlib.h>
#include <string.h>

#include "ad_emit_algebra.h"

enum { MAX_TERMS = 4, ROOM = AD_MAX_ARGS * MAX_TERMS, NONE = INT32_MIN };

struct term {
    struct ad_view c, base; /* each holds a reference */
    bool cuts;              /* a c of 0 cuts off even an infinite base */
};

/* The terms of elements of this shape. */
struct terms {
    int n, ndim;
    int64_t shape[AD_MAX_DIMS];
    struct term term[ROOM];
};

struct emitter {
    struct ad_tape *tape;
    int32_t first, end; /* instructions with a tangent, or none yet */
    int32_t low, high;  /* their slots */
    int32_t n_consts;   /* at the start */
    int32_t floor;      /* for ad_tape_leave() */
    int64_t lanes;      /* 0: one direction, and no dimension for it */
    int64_t *at;        /* of each instruction: its terms in 'words', -1 for none */
    uint8_t
        *uses; /* of each instruction: how often those that the outputs need read it, at most 2 */
    /* of each instruction whose results are inputs in part, or in another order: a list of all its
     * tangents' slots, (lanes, length), NONE where no input is.  NULL if there is no such instruction */
    struct ad_list **seeded;
    int64_t *words; /* n_words, of word_capacity: see store_terms() */
    int64_t n_words, word_capacity;
};

/* ---- terms ---- */

static void drop_terms(struct terms *terms)
{
    while (terms->n > 0) {
        terms->n--;
        ad_view_drop(&terms->term[terms->n].c);
        ad_view_drop(&terms->term[terms->n].base);
    }
}

/* Are these the same elements?  Numbers are compared as they are, lists and arrays by what is in them. */
static bool is_same(const struct ad_view *a, const struct ad_view *b)
{
    if (a->place != b->place || a->ndim != b->ndim || a->base != b->base)
        return false;
    for (int d = 0; d < a->ndim; d++)
        if (a->shape[d] != b->shape[d] || (a->shape[d] > 1 && a->stride[d] != b->stride[d]))
            return false;
    if (a->place == AD_NUMBER)
        return a->in.number == b->in.number;
    if (a->place == AD_LIST)
        return a->in.list->n == b->in.list->n &&
               !memcmp(a->in.list->slot, b->in.list->slot,
                       (size_t)a->in.list->n * sizeof *a->in.list->slot);
    if (a->place == AD_ARRAY)
        return a->in.array == b->in.array ||
               (a->in.array->n == b->in.array->n &&
                !memcmp(a->in.array->data, b->in.array->data,
                        (size_t)a->in.array->n * sizeof *a->in.array->data));
    return true;
}

static void no_terms(struct terms *terms, int ndim, const int64_t *shape)
{
    terms->n = 0;
    terms->ndim = ndim;
    if (ndim)
        memcpy(terms->shape, shape, (size_t)ndim * sizeof *shape);
}

/* Stretch a view to (lanes, *shape). */
static enum ad_status stretch(const struct emitter *e, struct ad_view *view, int ndim,
                              const int64_t *shape)
{
    int64_t with_lanes[AD_MAX_DIMS + 1];
    int lead = e->lanes > 0;

    if (ndim + lead > AD_MAX_DIMS)
        return AD_TOO_MANY_DIMS;
    with_lanes[0] = e->lanes;
    if (ndim)
        memcpy(with_lanes + lead, shape, (size_t)ndim * sizeof *shape);
    return ad_view_broadcast(view, lead + ndim, with_lanes) ? AD_OK : AD_SHAPES_DIFFER;
}

/* Add c * base, whose references are given up. */
static enum ad_status add_term(struct emitter *e, struct terms *terms, struct term *term)
{
    int ndim = terms->ndim;
    const int64_t *shape = terms->shape;
    enum ad_status status = AD_OK;

    if (term->base.place != AD_NUMBER)
        status = stretch(e, &term->base, ndim, shape);
    if (term->c.place != AD_NUMBER)
        ad_view_broadcast(&term->c, ndim, shape);
    if (status || ad_is_number(&term->c, 0) || ad_is_number(&term->base, 0)) {
        ad_view_drop(&term->c);
        ad_view_drop(&term->base);
        return status;
    }
    for (int k = 0; k < terms->n; k++) {
        struct term *old = &terms->term[k];
        struct ad_view args[AD_MAX_ARGS] = {old->c, term->c, ad_view_number(0)};

        if (!is_same(&old->base, &term->base))
            continue;
        old->c = ad_view_number(0);
        status = ad_emit_op(e->tape, AD_OP_add, 0, args, &old->c);
        if (old->c.place != AD_NUMBER)
            ad_view_broadcast(&old->c, ndim, shape);
        old->cuts |= term->cuts;
        ad_view_drop(&args[0]);
        ad_view_drop(&args[1]);
        ad_view_drop(&term->base);
        return status;
    }
    ad_assert(terms->n < ROOM);
    terms->term[terms->n++] = *term;
    return AD_OK;
}

/* c * base */
static enum ad_status scaled(struct emitter *e, const struct term *term, struct ad_view *product)
{
    struct ad_view args[AD_MAX_ARGS] = {term->base, term->c, ad_view_number(0)};

    if (args[0].place == AD_SLOTS)
        ad_emit_simplify(e->tape, &args[0]);
    if (args[1].place == AD_SLOTS)
        ad_emit_simplify(e->tape, &args[1]);
    if (ad_is_number(&args[1], -1))
        return ad_emit_op(e->tape, AD_OP_neg, 0, args, product);
    return ad_emit_op(e->tape,
                      args[1].place == AD_NUMBER ? AD_OP_mul
                      : term->cuts               ? AD_OP_mul00
                                                 : AD_OP_mul0,
                      0, args, product);
}

/* The sum of terms: the tangent itself, of shape (lanes, *shape), or a number. */
static enum ad_status sum_of(struct emitter *e, const struct terms *terms, struct ad_view *t)
{
    enum ad_status status = AD_OK;
    int start = 0;

    *t = ad_view_number(0);
    while (start < terms->n - 1 && ad_is_number(&terms->term[start].c, -1))
        start++; /* subtract rather than negate and add */
    for (int j = 0; j < terms->n && !status; j++) {
        const struct term *term = &terms->term[(start + j) % terms->n];
        struct ad_view args[AD_MAX_ARGS] = {*t, ad_view_number(0), ad_view_number(0)};
        bool minus = j > 0 && ad_is_number(&term->c, -1);

        if (minus) {
            args[1] = term->base;
            ad_view_hold(&args[1]);
        } else {
            status = scaled(e, term, &args[1]);
        }
        *t = ad_view_number(0);
        if (!status)
            status = ad_emit_op(e->tape, minus ? AD_OP_sub : AD_OP_add, 0, args, t);
        ad_view_drop(&args[0]);
        ad_view_drop(&args[1]);
    }
    if (!status && t->place != AD_NUMBER)
        status = stretch(e, t, terms->ndim, terms->shape);
    if (status) {
        ad_view_drop(t);
        *t = ad_view_number(0);
    }
    return status;
}

/* The one term that is this tangent, whose reference it takes. */
static struct term whole_term(const struct emitter *e, const struct ad_view *t)
{
    struct term term = {ad_view_number(1), *t, false};

    if (e->lanes == 0) {
        term.c = *t;
        term.base = ad_view_number(1);
    }
    return term;
}

/* Replace terms by their sum. */
static enum ad_status add_up(struct emitter *e, struct terms *terms)
{
    struct ad_view t;
    struct term term;
    enum ad_status status = sum_of(e, terms, &t);

    drop_terms(terms);
    if (status)
        return status;
    term = whole_term(e, &t);
    return add_term(e, terms, &term);
}

/* ---- terms of instructions, kept in words: n, ndim and shape; then cuts, c and base of each ---- */

/* Without references of their own. */
static void load_terms(const struct emitter *e, int32_t i, struct terms *terms)
{
    const int64_t *words;

    no_terms(terms, 0, NULL);
    if (e->at[i - e->first] < 0)
        return;
    words = e->words + e->at[i - e->first];
    no_terms(terms, (int)words[1], words + 2);
    terms->n = (int)words[0];
    words += 2 + terms->ndim;
    for (int k = 0; k < terms->n; k++) {
        struct term *term = &terms->term[k];

        term->cuts = *words++ != 0;
        words = ad_view_decode(ad_view_decode(words, &term->c), &term->base);
    }
}

static void clear_terms(struct emitter *e, int32_t i)
{
    struct terms terms;

    load_terms(e, i, &terms);
    drop_terms(&terms);
    e->at[i - e->first] = -1;
}

/* The terms, whose references are given up, are those of instruction i. */
static enum ad_status store_terms(struct emitter *e, int32_t i, struct terms *terms)
{
    int64_t need = e->n_words + 2 + AD_MAX_DIMS + terms->n * (1 + 2 * (4 + 2 * AD_MAX_DIMS)),
            *words;

    clear_terms(e, i);
    if (terms->n == 0)
        return AD_OK;
    if (need > e->word_capacity) {
        int64_t *grown = realloc(e->words, 2 * (size_t)need * sizeof *grown);

        if (!grown) {
            drop_terms(terms);
            return AD_NO_MEMORY;
        }
        e->words = grown;
        e->word_capacity = 2 * need;
    }
    e->at[i - e->first] = e->n_words;
    words = e->words + e->n_words;
    *words++ = terms->n;
    *words++ = terms->ndim;
    if (terms->ndim)
        memcpy(words, terms->shape, (size_t)terms->ndim * sizeof *words);
    words += terms->ndim;
    for (int k = 0; k < terms->n; k++) {
        *words++ = terms->term[k].cuts;
        words = ad_view_encode(ad_view_encode(words, &terms->term[k].c), &terms->term[k].base);
    }
    e->n_words = words - e->words;
    return AD_OK;
}

/* The same, added up if the terms are many, or would be multiplied more than once. */
static enum ad_status set_terms(struct emitter *e, int32_t i, struct terms *terms)
{
    enum ad_status status = AD_OK;

    if (terms->n > 1 && (terms->n > AD_MIN(MAX_TERMS, e->lanes) || e->uses[i - e->first] > 1))
        status = add_up(e, terms);
    return status ? status : store_terms(e, i, terms);
}

/* The tangent of instruction i is t, whose reference is given up, of shape (lanes, *shape). */
static enum ad_status set_tangent(struct emitter *e, int32_t i, struct ad_view *t, int ndim,
                                  const int64_t *shape)
{
    struct terms terms;
    struct term term = whole_term(e, t);
    enum ad_status status;

    no_terms(&terms, ndim, shape);
    status = add_term(e, &terms, &term);
    return status ? status : store_terms(e, i, &terms);
}

/* Let instruction i have one term at most, with a factor of 1. */
static enum ad_status add_up_of(struct emitter *e, int32_t i)
{
    struct terms terms;
    struct ad_view t;
    enum ad_status status;

    load_terms(e, i, &terms);
    if (terms.n == 0 || e->lanes == 0 || (terms.n == 1 && ad_is_number(&terms.term[0].c, 1)))
        return AD_OK;
    status = sum_of(e, &terms, &t);
    return status ? status : set_tangent(e, i, &t, terms.ndim, terms.shape);
}

/* ---- elements of tangents, for operands ---- */

/* The elements of a list whose slots turn out to be evenly spaced are slots again; consumes 'view'. */
static void list_to_slots(struct ad_view *view)
{
    const int32_t *slot = view->in.list->slot + view->base;
    struct ad_view run = *view;
    int64_t size = ad_view_size(view), index[AD_MAX_DIMS] = {0}, at = 0, want = slot[0];

    run.place = AD_SLOTS;
    run.base = slot[0];
    run.in.bits = 0;
    for (int d = 0; d < view->ndim; d++)
        if (view->shape[d] > 1)
            run.stride[d] = (int64_t)slot[view->stride[d]] - slot[0];
    for (int64_t j = 0; j < size; j++) {
        if (slot[at] != want || slot[at] < 0)
            return;
        for (int d = view->ndim - 1; d >= 0; d--) {
            at += view->stride[d];
            want += run.stride[d];
            if (++index[d] < view->shape[d])
                break;
            at -= view->shape[d] * view->stride[d];
            want -= view->shape[d] * run.stride[d];
            index[d] = 0;
        }
    }
    ad_view_drop(view);
    *view = run;
}

/* The elements of 'flat', of shape (size) behind 'lead' dimensions of lanes, that the list of slots names,
 * counted from slot dst. */
static enum ad_status listed(struct emitter *e, const struct ad_view *flat, int lead,
                             const struct ad_view *operand, int32_t dst, struct ad_view *result)
{
    const struct ad_list *from = operand->in.list;
    int64_t lanes = lead ? e->lanes : 1, step = flat->stride[lead];
    struct ad_list *list = NULL;
    double *data = NULL;

    *result = *operand;
    if (operand->ndim + lead > AD_MAX_DIMS)
        return AD_TOO_MANY_DIMS;
    for (int d = operand->ndim - 1; d >= 0 && lead; d--) {
        result->shape[d + 1] = operand->shape[d];
        result->stride[d + 1] = operand->stride[d];
    }
    result->ndim += lead;
    if (lead) {
        result->shape[0] = lanes;
        result->stride[0] = from->n;
    }
    if (flat->place == AD_ARRAY)
        data = malloc((size_t)AD_MAX(lanes * from->n, 1) * sizeof *data);
    else
        list = ad_list_new(&e->tape->lists, lanes * from->n);
    if (!data && !list)
        return AD_NO_MEMORY;
    for (int64_t l = 0; l < lanes; l++)
        for (int64_t j = 0; j < from->n; j++) {
            int64_t at =
                flat->base + (lead ? l * flat->stride[0] : 0) + (from->slot[j] - dst) * step;

            if (data)
                data[l * from->n + j] = flat->in.array->data[at];
            else
                list->slot[l * from->n + j] =
                    flat->place == AD_LIST ? flat->in.list->slot[at] : (int32_t)at;
        }
    result->place = data ? AD_ARRAY : AD_LIST;
    if (list) {
        result->in.list = list;
        return AD_OK;
    }
    result->in.array = ad_array_copy(data, lanes * from->n);
    free(data);
    return result->in.array ? AD_OK : AD_NO_MEMORY;
}

/*
 * The elements that 'operand' views among those of an instruction, whose results begin with slot dst: of
 * 'whole', which has one element for each result in C order, of any shape, behind 'lead' dimensions of
 * lanes.
 */
static enum ad_status elements_of(struct emitter *e, const struct ad_view *whole, int lead,
                                  int64_t size, const struct ad_view *operand, int32_t dst,
                                  struct ad_view *result)
{
    const int64_t flat_shape[2] = {e->lanes, size};
    int64_t shape[AD_MAX_DIMS + 1], step;
    int ndim = lead + operand->ndim;
    struct ad_view flat = *whole;
    enum ad_status status = AD_OK;

    *result = ad_view_number(0);
    if (whole->place == AD_NUMBER) {
        result->in.number = whole->in.number;
        return AD_OK;
    }
    if (ndim > AD_MAX_DIMS)
        return AD_TOO_MANY_DIMS;
    shape[0] = e->lanes;
    if (operand->ndim)
        memcpy(shape + lead, operand->shape, (size_t)operand->ndim * sizeof *shape);
    ad_view_hold(&flat);
    if (!ad_view_reshape(&flat, lead + 1, flat_shape + 1 - lead)) {
        if (operand->place == AD_SLOTS && operand->base == dst && ad_view_size(operand) == size &&
            ad_view_is_contiguous(operand) && ad_view_reshape(&flat, ndim, shape)) {
            *result = flat;
            return AD_OK;
        }
        status = ad_emit_reshaped(e->tape, &flat, lead + 1, flat_shape + 1 - lead);
    }
    if (status)
        return status;
    if (operand->place == AD_LIST) {
        status = listed(e, &flat, lead, operand, dst, result);
        ad_view_drop(&flat);
        return status;
    }
    step = flat.stride[lead];
    *result = flat;
    result->base += (operand->base - dst) * step;
    result->ndim = ndim;
    memcpy(result->shape, shape, (size_t)ndim * sizeof *shape);
    for (int d = 0; d < operand->ndim; d++)
        result->stride[lead + d] = operand->stride[d] * step;
    if (result->place == AD_LIST)
        list_to_slots(result);
    return AD_OK;
}

/* The only instruction that a view reads which may have terms; 'end' if it reads none, -1 if several. */
static int32_t source_of(const struct emitter *e, const struct ad_view *view)
{
    struct ad_tape *tape = e->tape;
    int32_t low = INT32_MAX, high = NONE;

    if (ad_view_size(view) == 0)
        return e->end;
    if (view->place == AD_SLOTS) {
        low = high = ad_view_lowest(view);
    } else if (view->place == AD_LIST) {
        for (int64_t j = 0; j < view->in.list->n; j++) {
            low = AD_MIN(low, view->in.list->slot[j]);
            high = AD_MAX(high, view->in.list->slot[j]);
        }
    }
    if (low == INT32_MAX || high < e->low || low >= e->high)
        return e->end;
    if (low < e->low || ad_tape_producer(tape, low) != ad_tape_producer(tape, high))
        return -1;
    return ad_tape_producer(tape, low);
}

/* A slot with element 'off' of lane l of a flat tangent; a constant one is made where it is none yet. */
static enum ad_status slot_of(struct emitter *e, const struct ad_view *flat, int64_t l, int64_t off,
                              int32_t *slot)
{
    struct ad_tape *tape = e->tape;
    int lead = e->lanes > 0;
    int64_t at = 0;
    enum ad_status status;

    if (flat->place != AD_NUMBER)
        at = flat->base + off * flat->stride[lead] + (lead ? l * flat->stride[0] : 0);
    if (flat->place == AD_SLOTS) {
        *slot = (int32_t)at;
        return AD_OK;
    }
    if (flat->place == AD_LIST) {
        *slot = flat->in.list->slot[at];
        return AD_OK;
    }
    status = ad_tape_grow(tape, 0, 0, 1, 0);
    if (!status)
        *slot = ad_tape_const(tape, flat->place == AD_NUMBER ? flat->in.number
                                                             : flat->in.array->data[at]);
    return status;
}

/* The tangent of instruction i as (lanes, length), or a number; holds a reference. */
static enum ad_status flat_tangent(struct emitter *e, int32_t i, struct ad_view *flat)
{
    int64_t shape[2] = {e->lanes, ad_tape_length(e->tape, i)};
    int lead = e->lanes > 0;
    struct terms terms;
    enum ad_status status = add_up_of(e, i);

    *flat = ad_view_number(0);
    if (status)
        return status;
    load_terms(e, i, &terms);
    if (terms.n == 0)
        return AD_OK;
    *flat = lead ? terms.term[0].base : terms.term[0].c;
    ad_view_hold(flat);
    if (flat->place == AD_NUMBER)
        return AD_OK;
    return ad_emit_reshaped(e->tape, flat, lead + 1, shape + 1 - lead);
}

/* The tangent of a list of slots of several instructions, or a number. */
static enum ad_status gathered(struct emitter *e, const struct ad_view *view, struct ad_view *t)
{
    struct ad_tape *tape = e->tape;
    const struct ad_list *from = view->in.list;
    int lead = e->lanes > 0;
    int64_t lanes = AD_MAX(e->lanes, 1);
    int32_t source = -1, zero;
    struct ad_view flat = ad_view_number(0);
    struct ad_list *list = NULL;
    enum ad_status status = AD_OK;

    *t = ad_view_number(0);
    if (view->ndim + lead > AD_MAX_DIMS)
        return AD_TOO_MANY_DIMS;
    for (int64_t j = 0; j < from->n && !status; j++) {
        int32_t slot = from->slot[j];

        if (slot < e->low || slot >= e->high)
            continue;
        if (source < 0 || slot < tape->dst[source] ||
            slot >= tape->dst[source] + ad_tape_length(tape, source)) {
            source = ad_tape_producer(tape, slot);
            ad_view_drop(&flat);
            status = flat_tangent(e, source, &flat);
        }
        if (status || ad_is_number(&flat, 0))
            continue;
        if (!list) {
            status = ad_tape_grow(tape, 0, 0, 1, 0);
            list = status ? NULL : ad_list_new(&tape->lists, lanes * from->n);
            if (!list) {
                status = AD_NO_MEMORY;
                continue;
            }
            zero = ad_tape_const(tape, 0);
            for (int64_t k = 0; k < list->n; k++)
                list->slot[k] = zero;
        }
        for (int64_t l = 0; l < lanes && !status; l++)
            status = slot_of(e, &flat, l, slot - tape->dst[source], &list->slot[l * from->n + j]);
    }
    ad_view_drop(&flat);
    if (!list)
        return status;
    if (status) {
        ad_list_drop(list);
        return status;
    }
    *t = *view;
    t->place = AD_LIST;
    t->in.list = list;
    t->ndim = view->ndim + lead;
    for (int d = view->ndim - 1; d >= 0; d--) {
        t->shape[d + lead] = view->shape[d];
        t->stride[d + lead] = view->stride[d];
    }
    if (lead) {
        t->shape[0] = lanes;
        t->stride[0] = from->n;
    }
    return AD_OK;
}

/* The terms of a view, each with references of its own. */
static enum ad_status terms_of(struct emitter *e, const struct ad_view *view, struct terms *terms)
{
    int32_t i = source_of(e, view);
    struct terms whole;
    enum ad_status status = AD_OK;

    no_terms(terms, view->ndim, view->shape);
    if (i == e->end)
        return AD_OK;
    if (i < 0) {
        struct term term;
        struct ad_view t;

        status = gathered(e, view, &t);
        if (status)
            return status;
        term = whole_term(e, &t);
        return add_term(e, terms, &term);
    }
    load_terms(e, i, &whole);
    for (int k = 0; k < whole.n && !status; k++) {
        struct term term = {.cuts = whole.term[k].cuts};
        int64_t size = ad_tape_length(e->tape, i);
        int32_t dst = e->tape->dst[i];

        status = elements_of(e, &whole.term[k].c, 0, size, view, dst, &term.c);
        if (status)
            break;
        status = elements_of(e, &whole.term[k].base, e->lanes > 0, size, view, dst, &term.base);
        if (status)
            ad_view_drop(&term.c);
        else
            status = add_term(e, terms, &term);
    }
    if (status)
        drop_terms(terms);
    return status;
}

/* The tangent of a view: of shape (lanes, *shape), or a number; holds a reference. */
static enum ad_status tangent_of(struct emitter *e, const struct ad_view *view, struct ad_view *t)
{
    int32_t i = source_of(e, view);
    struct terms terms;
    enum ad_status status = AD_OK;

    *t = ad_view_number(0);
    if (i >= 0 && i < e->end)
        status = add_up_of(e, i); /* once for all that view it */
    if (!status)
        status = terms_of(e, view, &terms);
    if (status)
        return status;
    status = sum_of(e, &terms, t);
    drop_terms(&terms);
    return status;
}

/* ---- instructions ---- */

static enum ad_status forward_words(struct emitter *e, int32_t i, enum ad_op op, double p,
                                    struct ad_view *a, const struct ad_view *y)
{
    struct ad_tape *tape = e->tape;
    struct ad_view targets[AD_MAX_ARGS], partial;
    struct terms terms, in;
    bool pole = ad_ops[op].curvature == AD_POLE;
    enum ad_status status = AD_OK;

    memcpy(targets, a, sizeof targets);
    for (int j = 0; j < ad_ops[op].n_args; j++)
        ad_emit_simplify(tape, &a[j]);
    no_terms(&terms, y->ndim, y->shape);
    for (int j = 0; j < ad_ops[op].n_args && !status; j++) {
        status = terms_of(e, &targets[j], &in);
        if (status || in.n == 0)
            continue;
        if (pole && e->lanes) /* the partial does not commute with lanes that are 0 */
            status = add_up(e, &in);
        if (!status)
            status = ad_emit_partial(tape, op, j, p, a, y, &partial);
        if (status) {
            drop_terms(&in);
            continue;
        }
        for (int k = 0; k < in.n && !status; k++) {
            struct term term = in.term[k];
            struct ad_view *moves = pole && e->lanes ? &term.base : &term.c, from = *moves;

            if (from.place == AD_SLOTS)
                ad_emit_simplify(tape, &from);
            status = ad_emit_flow(tape, op, j, &from, &partial, moves);
            if (status)
                continue;
            if (moves == &term.c)
                ad_view_hold(&term.base);
            term.cuts |= ad_op_cuts(op) && partial.place != AD_NUMBER;
            status = add_term(e, &terms, &term);
        }
        ad_view_drop(&partial);
        drop_terms(&in);
    }
    if (status) {
        drop_terms(&terms);
        return status;
    }
    return set_terms(e, i, &terms);
}

/* What is added up in an AD_ADDTO, and where. */
struct sum {
    struct ad_view *from, *to; /* n of each, of 'capacity'; both hold references */
    int n, capacity;
};

static enum ad_status sum_room(struct sum *sum, int n)
{
    int capacity = 2 * (sum->n + n);
    struct ad_view *views;

    if (sum->n + n <= sum->capacity)
        return AD_OK;
    views = realloc(sum->from, (size_t)capacity * sizeof *views);
    if (!views)
        return AD_NO_MEMORY;
    sum->from = views;
    views = realloc(sum->to, (size_t)capacity * sizeof *views);
    if (!views)
        return AD_NO_MEMORY;
    sum->to = views;
    sum->capacity = capacity;
    return AD_OK;
}

static void sum_free(struct sum *sum)
{
    while (sum->n > 0) {
        sum->n--;
        ad_view_drop(&sum->from[sum->n]);
        ad_view_drop(&sum->to[sum->n]);
    }
    free(sum->from);
    free(sum->to);
}

/* Where the lanes of a part go, if 'own' is where one lane of 'size' results goes; holds a reference. */
static enum ad_status lanes_own(const struct emitter *e, const struct ad_view *own, int64_t size,
                                struct ad_view *to)
{
    int64_t lanes = e->lanes, n;

    *to = *own;
    ad_view_hold(to);
    if (lanes == 0)
        return AD_OK;
    if (own->ndim == AD_MAX_DIMS) {
        ad_view_drop(to);
        return AD_TOO_MANY_DIMS;
    }
    for (int d = own->ndim - 1; d >= 0; d--) {
        to->shape[d + 1] = own->shape[d];
        to->stride[d + 1] = own->stride[d];
    }
    to->ndim++;
    to->shape[0] = lanes;
    to->stride[0] = size;
    if (own->place == AD_OWN)
        return AD_OK;
    n = own->in.list->n;
    ad_view_drop(to);
    to->stride[0] = n;
    to->in.list = ad_list_new(NULL, lanes * n);
    if (!to->in.list)
        return AD_NO_MEMORY;
    for (int64_t l = 0; l < lanes; l++)
        for (int64_t j = 0; j < n; j++)
            to->in.list->slot[l * n + j] = (int32_t)(own->in.list->slot[j] + l * size);
    return AD_OK;
}

static bool is_whole(const struct ad_view *to, int64_t size)
{
    return to->place == AD_OWN && to->base == 0 && ad_view_size(to) == size &&
           ad_view_is_contiguous(to);
}

static enum ad_status forward_addto(struct emitter *e, int32_t i)
{
    struct ad_tape *tape = e->tape;
    int64_t n = tape->aux[tape->a[i] + 1] / 2, size = tape->aux[tape->a[i] + 2],
            at = AD_BLOCK_HEADER;
    struct sum sum = {NULL, NULL, 0, 0};
    struct ad_view from, own, t;
    struct terms terms;
    enum ad_status status = AD_OK;

    for (int64_t v = 0; v < n && !status; v++) {
        const int64_t *block = tape->aux + tape->a[i]; /* recording may move it */

        at = ad_view_decode(ad_view_decode(block + at, &from), &own) - block;
        status = terms_of(e, &from, &terms);
        if (status)
            break;
        if (n == 1 && is_whole(&own, size)) /* a copy */
            return set_terms(e, i, &terms);
        status = sum_room(&sum, terms.n);
        for (int k = 0; k < terms.n && !status; k++) {
            status = lanes_own(e, &own, size, &sum.to[sum.n]);
            if (status)
                break;
            status = scaled(e, &terms.term[k], &sum.from[sum.n]);
            if (status)
                ad_view_drop(&sum.to[sum.n]);
            sum.n += !status;
        }
        drop_terms(&terms);
    }
    t = ad_view_number(0);
    if (!status && sum.n) {
        int64_t shape[2] = {e->lanes, size};

        status = size > INT32_MAX / AD_MAX(e->lanes, 1) ? AD_NO_SLOTS : AD_OK;
        if (!status)
            status = ad_record_addto(tape, size * AD_MAX(e->lanes, 1), sum.n, sum.from, sum.to, &t);
        if (!status && e->lanes)
            t = ad_view_slots(t.base, 2, shape);
    }
    sum_free(&sum);
    return status ? status : set_tangent(e, i, &t, 1, &size);
}

/* ---- matrix products ---- */

static void set_dim(struct ad_view *view, int d, const struct ad_view *from, int from_d)
{
    view->shape[d] = from->shape[from_d];
    view->stride[d] = from->stride[from_d];
}

static struct ad_view swapped(const struct ad_view *matrix)
{
    struct ad_view view = *matrix;
    int last = view.ndim - 1;

    set_dim(&view, last, matrix, last - 1);
    set_dim(&view, last - 1, matrix, last);
    return view;
}

/* Is lane l of t, (lanes, 1, n), the unit vector l? */
static bool is_identity(const struct ad_view *t)
{
    if (t->place != AD_ARRAY || t->ndim != 3 || t->shape[1] != 1 || t->shape[0] != t->shape[2])
        return false;
    for (int64_t l = 0; l < t->shape[0]; l++)
        for (int64_t j = 0; j < t->shape[2]; j++)
            if (t->in.array->data[t->base + l * t->stride[0] + j * t->stride[2]] != (l == j))
                return false;
    return true;
}

/* (lanes, *batch, m, k) times one (k, n), as one product of many rows; copies where strides ask for it. */
static enum ad_status product_of_rows(struct emitter *e, const struct ad_view *t,
                                      const struct ad_view *matrix, struct ad_view *product)
{
    struct ad_view rows = *t;
    int last = t->ndim - 1;
    int64_t shape[AD_MAX_DIMS], two[2] = {ad_shape_size(last, t->shape), t->shape[last]};
    enum ad_status status;

    memcpy(shape, t->shape, sizeof shape);
    shape[last] = matrix->shape[1];
    ad_view_hold(&rows);
    status = ad_emit_reshaped(e->tape, &rows, 2, two);
    if (!status)
        status = ad_record_matmul(e->tape, &rows, matrix, product);
    ad_view_drop(&rows);
    if (!status)
        *product = ad_view_slots(product->base, last + 1, shape);
    return status;
}

/* (lanes, *batch, 1, k) times (*batch, k, n), a product of 'lanes' rows for each of the batch. */
static enum ad_status product_of_lanes(struct emitter *e, const struct ad_view *t,
                                       const struct ad_view *matrix, struct ad_view *product)
{
    struct ad_view rows = *t, found;
    int nb = matrix->ndim - 2;
    enum ad_status status;

    rows.ndim = nb + 2;
    for (int d = 0; d < nb; d++)
        set_dim(&rows, d, t, d + 1);
    set_dim(&rows, nb, t, 0);
    set_dim(&rows, nb + 1, t, nb + 2);
    status = ad_record_matmul(e->tape, &rows, matrix, &found);
    if (status)
        return status;
    *product = found;
    product->ndim = nb + 3;
    set_dim(product, 0, &found, nb);
    for (int d = 0; d < nb; d++)
        set_dim(product, d + 1, &found, d);
    product->shape[nb + 1] = 1;
    product->stride[nb + 1] = 0;
    set_dim(product, nb + 2, &found, nb + 1);
    return AD_OK;
}

/* From this many columns on, a product for each lane is as good as one for all of what must be copied. */
enum { MANY_COLUMNS = 16, FEW_ROWS = 4 };

/* Each lane of 't' times 'other', or the other way round if 't' is on the right. */
static enum ad_status lanes_product(struct emitter *e, const struct ad_view *t,
                                    const struct ad_view *other, bool right,
                                    struct ad_view *product)
{
    struct ad_view left = right ? swapped(t) : *t, matrix = right ? swapped(other) : *other, one;
    int nb = other->ndim - 2;
    int64_t rows = left.shape[nb + 1];
    bool shared = true;
    enum ad_status status;

    one = matrix;
    one.ndim = 2;
    for (int d = 0; d < nb; d++)
        shared &= matrix.stride[d] == 0 || matrix.shape[d] == 1;
    for (int d = 0; d < 2; d++)
        set_dim(&one, d, &matrix, nb + d);
    if (nb == 0 && is_identity(&left)) {
        *product = one;
        product->ndim = 3;
        product->shape[1] = 1;
        product->stride[1] = 0;
        set_dim(product, 2, &one, 1);
        ad_view_hold(product);
    } else if (shared &&
               (!right || rows == 1 || (rows < MANY_COLUMNS && one.shape[1] >= FEW_ROWS))) {
        status = product_of_rows(e, &left, &one, product);
        if (status)
            return status;
    } else if (rows == 1) {
        status = product_of_lanes(e, &left, &matrix, product);
        if (status)
            return status;
    } else {
        return right ? ad_record_matmul(e->tape, other, t, product)
                     : ad_record_matmul(e->tape, t, other, product);
    }
    if (right)
        *product = swapped(product);
    return AD_OK;
}

static enum ad_status forward_matmul(struct emitter *e, int32_t i)
{
    struct ad_tape *tape = e->tape;
    struct ad_view views[2], t, product;
    struct terms terms;
    struct term term;
    enum ad_status status = AD_OK;

    ad_tape_views(tape, i, views, 2);
    no_terms(&terms, views[0].ndim, views[0].shape);
    terms.shape[terms.ndim - 1] = views[1].shape[terms.ndim - 1];
    for (int side = 0; side < 2 && !status; side++) {
        const struct ad_view *other = &views[1 - side];

        status = tangent_of(e, &views[side], &t);
        if (status || ad_is_number(&t, 0))
            continue;
        status = stretch(e, &t, views[side].ndim, views[side].shape);
        if (!status && e->lanes)
            status = lanes_product(e, &t, other, side == 1, &product);
        else if (!status)
            status = side ? ad_record_matmul(tape, other, &t, &product)
                          : ad_record_matmul(tape, &t, other, &product);
        ad_view_drop(&t);
        if (status)
            continue;
        term = whole_term(e, &product);
        status = add_term(e, &terms, &term);
    }
    if (status) {
        drop_terms(&terms);
        return status;
    }
    return set_terms(e, i, &terms);
}

/* ---- other instructions ---- */

static enum ad_status forward_along(struct emitter *e, int32_t i)
{
    struct ad_tape *tape = e->tape;
    int code = ad_tape_code(tape, i), lead = e->lanes > 0, last;
    struct ad_view from, t, weights, product, result;
    enum ad_status status;

    ad_tape_views(tape, i, &from, 1);
    last = from.ndim - 1;
    status = tangent_of(e, &from, &t);
    if (status || ad_is_number(&t, 0))
        return status;
    if (code == AD_CUMSUM) {
        status = stretch(e, &t, from.ndim, from.shape);
        if (!status)
            status = ad_record_along(tape, AD_CUMSUM, &t, tape->aux[tape->a[i] + 4], &result);
        ad_view_drop(&t);
        return status ? status : set_tangent(e, i, &result, from.ndim, from.shape);
    }
    status = ad_emit_row_weights(tape, i, &from, &weights);
    if (!status)
        status = ad_emit_weigh(tape, i, &weights, &t, &product);
    ad_view_drop(&t);
    if (!status)
        status = stretch(e, &product, from.ndim, from.shape);
    if (!status)
        status = ad_record_sum(tape, &product, 1u << (last + lead), &result);
    if (status)
        return status;
    result.ndim--; /* the last, of length 1 */
    return set_tangent(e, i, &result, last, from.shape);
}

/* The operands' tangents along one lane, as a rule is given them, and what it makes of them. */
static enum ad_status call_lane(struct emitter *e, int32_t i, int n, const struct ad_view *tangents,
                                int64_t lane, struct ad_view *result)
{
    struct ad_view *one = malloc((size_t)AD_MAX(n, 1) * sizeof *one);
    enum ad_status status;

    if (!one)
        return AD_NO_MEMORY;
    for (int j = 0; j < n; j++) {
        one[j] = tangents[j];
        if (e->lanes == 0 || one[j].place == AD_NUMBER)
            continue;
        one[j].base += lane * one[j].stride[0];
        one[j].ndim--;
        for (int d = 0; d < one[j].ndim; d++)
            set_dim(&one[j], d, &tangents[j], d + 1);
    }
    status = e->tape->hooks->emit_forward(e->tape, i, one, result);
    free(one);
    return status;
}

static enum ad_status forward_call(struct emitter *e, int32_t i)
{
    struct ad_tape *tape = e->tape;
    int n = (int)tape->aux[tape->a[i] + 1], done = 0;
    int64_t size = tape->aux[tape->a[i] + 2], lanes = AD_MAX(e->lanes, 1);
    struct ad_view *views = malloc(2 * (size_t)AD_MAX(n, 1) * sizeof *views), *tangents = views + n,
                   own = ad_view_slots(0, 1, &size), t = ad_view_number(0);
    struct sum sum = {NULL, NULL, 0, 0};
    bool moves = false;
    enum ad_status status = AD_OK;

    if (!views)
        return AD_NO_MEMORY;
    own.place = AD_OWN;
    ad_tape_views(tape, i, views, n);
    for (; done < n && !status; done++) {
        status = tangent_of(e, &views[done], &tangents[done]);
        moves |= !status && !ad_is_number(&tangents[done], 0);
    }
    if (status)
        done--; /* the last one holds nothing */
    if (!status && moves && e->lanes == 0)
        status = call_lane(e, i, n, tangents, 0, &t);
    for (int64_t l = 0; l < lanes && !status && moves && e->lanes; l++) {
        status = sum_room(&sum, 1);
        if (!status)
            status = call_lane(e, i, n, tangents, l, &sum.from[sum.n]);
        if (status)
            break;
        if (sum.from[sum.n].place == AD_NUMBER)
            sum.from[sum.n].ndim = 0;
        own.base = l * size;
        sum.to[sum.n++] = own;
    }
    if (!status && sum.n) {
        int64_t shape[2] = {lanes, size};

        status = size > INT32_MAX / lanes
                     ? AD_NO_SLOTS
                     : ad_record_addto(tape, size * lanes, sum.n, sum.from, sum.to, &t);
        if (!status)
            t = ad_view_slots(t.base, 2, shape);
    }
    sum_free(&sum);
    while (done-- > 0)
        ad_view_drop(&tangents[done]);
    free(views);
    return status ? status : set_tangent(e, i, &t, 1, &size);
}

/* Where results of instruction i are inputs, their seeds count rather than its rule. */
static enum ad_status take_seeds(struct emitter *e, int32_t i)
{
    struct ad_list *list = e->seeded[i - e->first];
    int64_t lanes = AD_MAX(e->lanes, 1), shape[2] = {lanes, ad_tape_length(e->tape, i)};
    struct ad_view flat, t = ad_view_slots(0, 2, shape);
    enum ad_status status = flat_tangent(e, i, &flat);

    for (int64_t j = 0; j < list->n && !status; j++)
        if (list->slot[j] == NONE)
            status = slot_of(e, &flat, j / shape[1], j % shape[1], &list->slot[j]);
    ad_view_drop(&flat);
    if (status)
        return status;
    t.place = AD_LIST;
    t.in.list = list;
    ad_view_hold(&t);
    if (e->lanes == 0) {
        t.ndim = 1;
        set_dim(&t, 0, &t, 1);
    }
    return set_tangent(e, i, &t, 1, shape + 1);
}

static enum ad_status forward_instr(struct emitter *e, int32_t i)
{
    struct ad_tape *tape = e->tape;
    int code = ad_tape_code(tape, i);
    struct ad_view y, a[AD_MAX_ARGS] = {{0}};
    double p;

    if (code == AD_INPUT)
        return AD_OK;
    if (!ad_tape_is_array(tape, i)) {
        a[0] = ad_view_slots(tape->a[i], 0, NULL);
        a[1] = ad_view_slots(tape->b[i], 0, NULL);
        y = ad_view_slots(tape->dst[i], 0, NULL);
        return forward_words(e, i, (enum ad_op)code, ad_tape_parameter(tape, i), a, &y);
    }
    if (code == AD_ADDTO)
        return forward_addto(e, i);
    if (code == AD_MATMUL)
        return forward_matmul(e, i);
    if (code == AD_CUMSUM || code == AD_EXTREMUM || code == AD_NORM)
        return forward_along(e, i);
    if (code == AD_CALL)
        return forward_call(e, i);
    ad_tape_views(tape, i, a, ad_ops[code].n_args);
    memcpy(&p, tape->aux + tape->a[i] + 3, sizeof p);
    y = ad_view_slots(tape->dst[i], a[0].ndim, a[0].shape);
    return forward_words(e, i, (enum ad_op)code, p, a, &y);
}

/* ---- beginning and end ---- */

static void count_use(struct emitter *e, const struct ad_view *view)
{
    int32_t i = source_of(e, view);

    if (i == e->end)
        return;
    if (i >= 0) {
        e->uses[i - e->first] = e->uses[i - e->first] ? 2 : 1;
        return;
    }
    for (int64_t j = 0; j < view->in.list->n; j++) {
        int32_t slot = view->in.list->slot[j];

        if (slot >= e->low && slot < e->high)
            e->uses[ad_tape_producer(e->tape, slot) - e->first] = 2;
    }
}

static void count_uses(struct emitter *e, int n_outputs, const struct ad_view *outputs)
{
    const struct ad_tape *tape = e->tape;
    struct ad_view view;

    for (int k = 0; k < n_outputs; k++)
        count_use(e, &outputs[k]);
    for (int32_t i = e->end - 1; i >= e->first; i--) {
        if (!e->uses[i - e->first])
            continue;
        if (ad_tape_is_array(tape, i)) {
            const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;

            for (int64_t v = 0; v < block[1]; v++) {
                words = ad_view_decode(words, &view);
                if (view.place == AD_SLOTS || view.place == AD_LIST)
                    count_use(e, &view);
            }
        } else {
            view = ad_view_slots(tape->a[i], 0, NULL);
            count_use(e, &view);
            view = ad_view_slots(tape->b[i], 0, NULL);
            if (tape->b[i] != tape->a[i])
                count_use(e, &view);
        }
    }
}

static enum ad_status seed_slot(struct emitter *e, int32_t slot, int32_t from, int64_t size)
{
    int32_t i = ad_tape_producer(e->tape, slot);
    int64_t lanes = AD_MAX(e->lanes, 1), length = ad_tape_length(e->tape, i);
    struct ad_list **list = &e->seeded[i - e->first];

    if (!*list) {
        *list = ad_list_new(&e->tape->lists, lanes * length);
        if (!*list)
            return AD_NO_MEMORY;
        for (int64_t j = 0; j < lanes * length; j++)
            (*list)->slot[j] = NONE;
    }
    for (int64_t l = 0; l < lanes; l++)
        (*list)->slot[l * length + slot - e->tape->dst[i]] = (int32_t)(from + l * size);
    return AD_OK;
}

/* The seed of inputs that are not just one instruction's results in their order. */
static enum ad_status seed_ragged(struct emitter *e, const struct ad_view *input,
                                  const struct ad_view *seed)
{
    struct ad_tape *tape = e->tape;
    int64_t size = ad_view_size(input);
    struct ad_view copy;
    enum ad_status status = ad_record_copy(tape, seed, &copy);

    if (!status && !e->seeded) {
        e->seeded = calloc((size_t)(e->end - e->first), sizeof(struct ad_list *));
        if (!e->seeded)
            status = AD_NO_MEMORY;
    }
#define SEED(j, slot)                                                                              \
    if (!status && (slot) >= e->low)                                                               \
    status = seed_slot(e, slot, (int32_t)(copy.base + (j)), size)
    if (!status)
        AD_EACH_SLOT(tape, input, SEED);
    return status;
}

static enum ad_status seed_input(struct emitter *e, const struct ad_view *input,
                                 const struct ad_view *given)
{
    struct ad_view seed = *given;
    int32_t i = source_of(e, input);
    enum ad_status status = stretch(e, &seed, input->ndim, input->shape);

    if (status || i == e->end)
        return status;
    if (i < 0 || input->place != AD_SLOTS || input->base != e->tape->dst[i] ||
        ad_view_size(input) != ad_tape_length(e->tape, i) || !ad_view_is_contiguous(input))
        return seed_ragged(e, input, &seed);
    if (e->seeded && e->seeded[i - e->first]) {
        ad_list_drop(e->seeded[i - e->first]);
        e->seeded[i - e->first] = NULL;
    }
    e->uses[i - e->first] = 0; /* its rule is not needed any more */
    ad_view_hold(&seed);
    return set_tangent(e, i, &seed, input->ndim, input->shape);
}

static enum ad_status emitter_begin(struct emitter *e, struct ad_tape *tape, int64_t lanes,
                                    int n_inputs, const struct ad_view *inputs)
{
    size_t n;

    memset(e, 0, sizeof *e);
    e->tape = tape;
    e->lanes = lanes;
    e->n_consts = tape->n_consts;
    e->floor = ad_tape_enter(tape, INT32_MAX);
    e->end = tape->n;
    e->low = e->high = tape->n_slots;
    for (int k = 0; k < n_inputs; k++)
        e->low = AD_MIN(e->low, ad_view_lowest(&inputs[k]));
    e->first = e->low < e->high ? ad_tape_producer(tape, e->low) : tape->n;
    if (e->first < tape->n)
        e->low = tape->dst[e->first];
    n = (size_t)(e->end - e->first) + 1;
    e->at = malloc(n * sizeof *e->at);
    e->uses = calloc(n, 1);
    for (size_t j = 0; j < n && e->at; j++)
        e->at[j] = -1;
    if (!e->at || !e->uses)
        return AD_NO_MEMORY;
    return ad_tape_constants_intact(tape, e->first, e->end - 1) ? AD_OK : AD_CONST_CHANGED;
}

/* After a failure the tape is cut back to where it was. */
static void emitter_end(struct emitter *e, enum ad_status status)
{
    for (int32_t i = e->first; i < e->end; i++) {
        if (e->at && e->at[i - e->first] >= 0)
            clear_terms(e, i);
        if (e->seeded && e->seeded[i - e->first])
            ad_list_drop(e->seeded[i - e->first]);
    }
    if (status)
        ad_tape_cut(e->tape, e->end, e->n_consts);
    ad_tape_leave(e->tape, e->floor);
    free(e->at);
    free(e->uses);
    free((void *)e->seeded);
    free(e->words);
}

static enum ad_status emit(struct ad_tape *tape, int64_t lanes, int n_inputs,
                           const struct ad_view *inputs, const struct ad_view *seeds, int n_outputs,
                           const struct ad_view *outputs, struct ad_view *tangents)
{
    struct emitter e;
    enum ad_status status;
    int done = 0;

    status = emitter_begin(&e, tape, lanes, n_inputs, inputs);
    if (!status)
        count_uses(&e, n_outputs, outputs);
    for (int k = 0; k < n_inputs && !status; k++)
        status = seed_input(&e, &inputs[k], &seeds[k]);
    for (int32_t i = e.first; i < e.end && !status; i++) {
        if (tape->origin)
            ad_tape_here(tape, ad_tape_origin(tape, i));
        if (e.uses[i - e.first])
            status = forward_instr(&e, i);
        if (!status && e.seeded && e.seeded[i - e.first])
            status = take_seeds(&e, i);
    }
    for (; done < n_outputs && !status; done++)
        status = tangent_of(&e, &outputs[done], &tangents[done]);
    if (status)
        while (--done > 0)
            ad_view_drop(&tangents[done - 1]);
    emitter_end(&e, status);
    return status;
}

enum ad_status ad_emit_forward(struct ad_tape *tape, int n_inputs, const struct ad_view *inputs,
                               const struct ad_view *seeds, int n_outputs,
                               const struct ad_view *outputs, struct ad_view *tangents)
{
    return emit(tape, 0, n_inputs, inputs, seeds, n_outputs, outputs, tangents);
}

enum ad_status ad_emit_forward_lanes(struct ad_tape *tape, int64_t lanes, int n_inputs,
                                     const struct ad_view *inputs, const struct ad_view *seeds,
                                     int n_outputs, const struct ad_view *outputs,
                                     struct ad_view *tangents)
{
    ad_assert(lanes > 0);
    return emit(tape, lanes, n_inputs, inputs, seeds, n_outputs, outputs, tangents);
}

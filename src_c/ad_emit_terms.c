/* ad_emit_terms.c -- terms c * base, added up as late as may be. */
#include "ad_emit_terms.h"

#include <stdlib.h>
#include <string.h>

enum { FEW_TERMS = 4 }; /* that are kept apart though their lanes will be multiplied */

void ad_terms_drop(struct ad_terms *terms)
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

void ad_terms_none(struct ad_terms *terms, int ndim, const int64_t *shape)
{
    terms->n = 0;
    terms->ndim = ndim;
    if (ndim)
        memcpy(terms->shape, shape, (size_t)ndim * sizeof *shape);
}

enum ad_status ad_terms_stretch(const struct ad_forward *e, struct ad_view *view, int ndim,
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

enum ad_status ad_terms_add(struct ad_forward *e, struct ad_terms *terms, struct ad_term *term)
{
    int ndim = terms->ndim;
    const int64_t *shape = terms->shape;
    enum ad_status status = AD_OK;

    if (term->base.place != AD_NUMBER)
        status = ad_terms_stretch(e, &term->base, ndim, shape);
    if (term->c.place != AD_NUMBER)
        ad_view_broadcast(&term->c, ndim, shape);
    if (status || ad_is_number(&term->c, 0) || ad_is_number(&term->base, 0)) {
        ad_view_drop(&term->c);
        ad_view_drop(&term->base);
        return status;
    }
    for (int k = 0; k < terms->n; k++) {
        struct ad_term *old = &terms->term[k];
        struct ad_view args[AD_MAX_ARGS] = {old->c, term->c, ad_view_number(0)};

        if (!is_same(&old->base, &term->base))
            continue;
        old->c = ad_view_number(0);
        status = ad_emit_op(e->tape, AD_OP_add, 0, args, &old->c);
        if (old->c.place != AD_NUMBER)
            ad_view_broadcast(&old->c, ndim, shape);
        old->cuts |= term->cuts;
        old->unit &= term->unit;
        ad_view_drop(&args[0]);
        ad_view_drop(&args[1]);
        ad_view_drop(&term->base);
        return status;
    }
    ad_assert(terms->n < AD_TERM_ROOM);
    terms->term[terms->n++] = *term;
    return AD_OK;
}

/* c * base */
static enum ad_status scaled(struct ad_forward *e, const struct ad_term *term,
                             struct ad_view *product)
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

enum ad_status ad_parts_room(struct ad_parts *sum, int n)
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

/* Where the lanes of a part go, if 'own' is where one lane of 'size' results goes; holds a reference. */
static enum ad_status lanes_own(const struct ad_forward *e, const struct ad_view *own, int64_t size,
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

/* Where c goes, if base is 1 in one lane of each element at most: element r of one lane goes where 'own' says. */
static enum ad_status add_unit_part(struct ad_forward *e, struct ad_parts *sum,
                                    const struct ad_terms *terms, const struct ad_term *term,
                                    const struct ad_view *own, int64_t size)
{
    int64_t n = ad_shape_size(terms->ndim, terms->shape), m = 0, step,
            *position = malloc(2 * (size_t)AD_MAX(n, 1) * sizeof *position),
            *element = position + n; /* m of each: where it goes, and which it is */
    double *base = malloc((size_t)AD_MAX(n * e->lanes, 1) * sizeof *base);
    struct ad_view *from = &sum->from[sum->n], *to = &sum->to[sum->n], c = term->c;
    bool even = true;
    enum ad_status status = AD_OK;

    ad_assert(term->base.place == AD_ARRAY || term->base.place == AD_NUMBER);
    ad_view_hold(&c);
    if (!position || !base) {
        status = AD_NO_MEMORY;
        goto end;
    }
    ad_view_read(&term->base, e->tape->value, base);
    for (int64_t r = 0; r < n; r++) {
        int64_t at = own->base, left = r, lane = 0;

        while (lane < e->lanes && base[lane * n + r] == 0)
            lane++;
        if (lane == e->lanes)
            continue;
        for (int d = own->ndim - 1; d >= 0; d--) {
            at += left % own->shape[d] * own->stride[d];
            left /= own->shape[d];
        }
        element[m] = r;
        position[m++] = (own->place == AD_OWN ? at : own->in.list->slot[at]) + lane * size;
    }
    if (m == 0)
        goto end;
    step = m > 1 ? position[1] - position[0] : 1;
    for (int64_t j = 1; j < m; j++)
        even &= position[j] - position[j - 1] == step;
    if (c.place == AD_ARRAY && m < n) { /* lists are of slots */
        struct ad_view constant = c;

        c = ad_view_number(0);
        status = ad_record_copy(e->tape, &constant, &c);
        ad_view_drop(&constant);
    }
    if (!status && m < n && c.place != AD_NUMBER && !ad_view_pick(&c, &e->tape->lists, element, m))
        status = AD_NO_MEMORY;
    if (status)
        goto end;
    if (m < n || c.place == AD_NUMBER)
        *to = ad_view_slots(0, 1, &m);
    else
        *to = ad_view_slots(0, terms->ndim, terms->shape);
    if (even) {
        to->place = AD_OWN;
        to->base = position[0];
        for (int d = 0; d < to->ndim; d++)
            to->stride[d] *= step;
    } else {
        to->place = AD_OWN_LIST;
        to->in.list = ad_list_new(NULL, m);
        if (!to->in.list) {
            status = AD_NO_MEMORY;
            goto end;
        }
        for (int64_t j = 0; j < m; j++)
            to->in.list->slot[j] = (int32_t)position[j];
    }
    *from = c;
    ad_view_hold(from);
    sum->n++;
end:
    ad_view_drop(&c);
    free(position);
    free(base);
    return status;
}

enum ad_status ad_parts_add(struct ad_forward *e, struct ad_parts *sum,
                            const struct ad_terms *terms, const struct ad_view *own, int64_t size)
{
    enum ad_status status = ad_parts_room(sum, terms->n);

    /* those for all lanes come first: they need no zeros */
    for (int k = 0; k < terms->n && !status; k++) {
        if (terms->term[k].unit)
            continue;
        status = lanes_own(e, own, size, &sum->to[sum->n]);
        if (status)
            break;
        status = scaled(e, &terms->term[k], &sum->from[sum->n]);
        if (status)
            ad_view_drop(&sum->to[sum->n]);
        sum->n += !status;
    }
    for (int k = 0; k < terms->n && !status; k++)
        if (terms->term[k].unit)
            status = add_unit_part(e, sum, terms, &terms->term[k], own, size);
    return status;
}

enum ad_status ad_parts_end(struct ad_forward *e, struct ad_parts *sum, enum ad_status status,
                            int64_t size, struct ad_view *t)
{
    int64_t shape[2] = {e->lanes, size}, lanes = AD_MAX(e->lanes, 1);

    *t = ad_view_number(0);
    if (!status && size > INT32_MAX / lanes)
        status = AD_NO_SLOTS;
    if (!status && sum->n)
        status = ad_record_addto(e->tape, size * lanes, sum->n, sum->from, sum->to, t);
    if (!status && sum->n && e->lanes)
        *t = ad_view_slots(t->base, 2, shape);
    while (sum->n > 0) {
        sum->n--;
        ad_view_drop(&sum->from[sum->n]);
        ad_view_drop(&sum->to[sum->n]);
    }
    free(sum->from);
    free(sum->to);
    return status;
}

/* The sum of terms some of which are unit: (lanes, *shape). */
static enum ad_status sum_of_units(struct ad_forward *e, const struct ad_terms *terms,
                                   struct ad_view *t)
{
    struct ad_view own = ad_view_slots(0, terms->ndim, terms->shape);
    struct ad_parts sum = {NULL, NULL, 0, 0};
    int64_t size = ad_view_size(&own), shape[AD_MAX_DIMS + 1] = {e->lanes};
    enum ad_status status;

    if (terms->ndim == AD_MAX_DIMS)
        return AD_TOO_MANY_DIMS;
    own.place = AD_OWN;
    status = ad_parts_add(e, &sum, terms, &own, size);
    status = ad_parts_end(e, &sum, status, size, t);
    if (terms->ndim)
        memcpy(shape + 1, terms->shape, (size_t)terms->ndim * sizeof *shape);
    if (!status && t->place != AD_NUMBER)
        *t = ad_view_slots(t->base, terms->ndim + 1, shape);
    return status;
}

/* Are all lanes one short vector, of which to put one number in its place costs as much as all? */
static bool is_vector(const struct ad_forward *e, const struct ad_terms *terms)
{
    return e->serial && ad_shape_size(terms->ndim, terms->shape) == 1;
}

enum ad_status ad_terms_sum(struct ad_forward *e, const struct ad_terms *terms, struct ad_view *t)
{
    enum ad_status status = AD_OK;
    int start = 0;

    *t = ad_view_number(0);
    for (int k = 0; k < terms->n && !is_vector(e, terms); k++)
        if (terms->term[k].unit && !(terms->n == 1 && ad_is_number(&terms->term[k].c, 1)))
            return sum_of_units(e, terms, t);
    while (start < terms->n - 1 && ad_is_number(&terms->term[start].c, -1))
        start++; /* subtract rather than negate and add */
    for (int j = 0; j < terms->n && !status; j++) {
        const struct ad_term *term = &terms->term[(start + j) % terms->n];
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
        status = ad_terms_stretch(e, t, terms->ndim, terms->shape);
    if (status) {
        ad_view_drop(t);
        *t = ad_view_number(0);
    }
    return status;
}

/* Is t, of shape (lanes, ...), 1 in one lane at most for each element, and else 0? */
static bool is_unit(const struct ad_forward *e, const struct ad_view *t)
{
    int64_t n = e->lanes ? ad_view_size(t) / e->lanes : 0;
    uint8_t *taken;
    bool unit = true;
    double *numbers;

    if (t->place != AD_ARRAY || n == 0)
        return false;
    taken = calloc((size_t)n, 1);
    numbers = malloc((size_t)(n * e->lanes) * sizeof *numbers);
    unit = taken && numbers; /* or it is not known to be */
    if (unit)
        ad_view_read(t, e->tape->value, numbers);
    for (int64_t j = 0; j < n * e->lanes && unit; j++) {
        unit = numbers[j] == 0 || (numbers[j] == 1 && !taken[j % n]);
        taken[j % n] |= numbers[j] != 0;
    }
    free(taken);
    free(numbers);
    return unit;
}

struct ad_term ad_terms_whole(const struct ad_forward *e, const struct ad_view *t)
{
    struct ad_term term = {.c = ad_view_number(1), .base = *t, .unit = is_unit(e, t)};

    if (e->lanes == 0) {
        term.c = *t;
        term.base = ad_view_number(1);
    }
    return term;
}

enum ad_status ad_terms_add_up(struct ad_forward *e, struct ad_terms *terms)
{
    struct ad_view t;
    struct ad_term term;
    enum ad_status status = ad_terms_sum(e, terms, &t);

    ad_terms_drop(terms);
    if (status)
        return status;
    term = ad_terms_whole(e, &t);
    return ad_terms_add(e, terms, &term);
}

/* ---- terms of instructions, kept in words: n, ndim and shape; then cuts, c and base of each ---- */

void ad_terms_load(const struct ad_forward *e, int32_t i, struct ad_terms *terms)
{
    const int64_t *words;

    ad_terms_none(terms, 0, NULL);
    if (e->at[i - e->first] < 0)
        return;
    words = e->words + e->at[i - e->first];
    ad_terms_none(terms, (int)words[1], words + 2);
    terms->n = (int)words[0];
    words += 2 + terms->ndim;
    for (int k = 0; k < terms->n; k++) {
        struct ad_term *term = &terms->term[k];

        term->cuts = *words & 1;
        term->unit = *words++ >> 1;
        words = ad_view_decode(ad_view_decode(words, &term->c), &term->base);
    }
}

void ad_terms_clear(struct ad_forward *e, int32_t i)
{
    struct ad_terms terms;

    ad_terms_load(e, i, &terms);
    ad_terms_drop(&terms);
    e->at[i - e->first] = -1;
}

static enum ad_status store(struct ad_forward *e, int32_t i, struct ad_terms *terms)
{
    int64_t need = e->n_words + 2 + AD_MAX_DIMS + terms->n * (1 + 2 * (4 + 2 * AD_MAX_DIMS)),
            *words;

    ad_terms_clear(e, i);
    if (terms->n == 0)
        return AD_OK;
    if (need > e->word_capacity) {
        int64_t *grown = realloc(e->words, 2 * (size_t)need * sizeof *grown);

        if (!grown) {
            ad_terms_drop(terms);
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
        *words++ = terms->term[k].cuts | terms->term[k].unit << 1;
        words = ad_view_encode(ad_view_encode(words, &terms->term[k].c), &terms->term[k].base);
    }
    e->n_words = words - e->words;
    return AD_OK;
}

enum ad_status ad_terms_set(struct ad_forward *e, int32_t i, struct ad_terms *terms)
{
    bool units = true;
    enum ad_status status = AD_OK;

    for (int k = 0; k < terms->n; k++)
        units &= terms->term[k].unit;
    units &= !is_vector(e, terms);
    if (terms->n > 1 && (terms->n > AD_MIN(units ? AD_MAX_TERMS : FEW_TERMS, e->lanes) ||
                         (e->uses[i - e->first] > 1 && !units)))
        status = ad_terms_add_up(e, terms);
    return status ? status : store(e, i, terms);
}

enum ad_status ad_tangent_set(struct ad_forward *e, int32_t i, struct ad_view *t, int ndim,
                              const int64_t *shape)
{
    struct ad_terms terms;
    struct ad_term term = ad_terms_whole(e, t);
    enum ad_status status;

    ad_terms_none(&terms, ndim, shape);
    status = ad_terms_add(e, &terms, &term);
    return status ? status : store(e, i, &terms);
}

enum ad_status ad_terms_add_up_of(struct ad_forward *e, int32_t i)
{
    struct ad_terms terms;
    struct ad_view t;
    enum ad_status status;

    ad_terms_load(e, i, &terms);
    if (terms.n == 0 || e->lanes == 0 || (terms.n == 1 && ad_is_number(&terms.term[0].c, 1)))
        return AD_OK;
    status = ad_terms_sum(e, &terms, &t);
    return status ? status : ad_tangent_set(e, i, &t, terms.ndim, terms.shape);
}

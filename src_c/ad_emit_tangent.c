/* ad_emit_tangent.c -- views of tangents, as operands view the results they are tangents of. */
#include "ad_emit_tangent.h"

#include <stdlib.h>
#include <string.h>

/* The elements of a list whose slots turn out to be evenly spaced results of one instruction are slots
 * again; consumes 'view', of which no dimension is 0. */
static void list_to_slots(const struct ad_tape *tape, struct ad_view *view)
{
    const int32_t *slot = view->in.list->slot + view->base;
    struct ad_view run = *view;
    int64_t size = ad_view_size(view), index[AD_MAX_DIMS] = {0}, at = 0, want = slot[0];
    int32_t low = slot[0], high = slot[0];

    run.place = AD_SLOTS;
    run.base = slot[0];
    run.in.bits = 0;
    for (int d = 0; d < view->ndim; d++)
        if (view->shape[d] > 1)
            run.stride[d] = (int64_t)slot[view->stride[d]] - slot[0];
    for (int64_t j = 0; j < size; j++) {
        if (slot[at] != want)
            return;
        low = AD_MIN(low, slot[at]);
        high = AD_MAX(high, slot[at]);
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
    if (low < 0 || ad_tape_producer(tape, low) != ad_tape_producer(tape, high))
        return;
    ad_view_drop(view);
    *view = run;
}

/* The elements of 'flat', of shape (size) behind 'lead' dimensions of lanes, that the list of slots names,
 * counted from slot dst. */
static enum ad_status listed(struct ad_forward *e, const struct ad_view *flat, int lead,
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
static enum ad_status elements_of(struct ad_forward *e, const struct ad_view *whole, int lead,
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
        list_to_slots(e->tape, result);
    return AD_OK;
}

int32_t ad_tangent_source(const struct ad_forward *e, const struct ad_view *view)
{
    struct ad_tape *tape = e->tape;
    int32_t low = INT32_MAX, high = AD_NO_TANGENT, i;

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
    if (low < e->low)
        return -1;
    i = ad_tape_producer(tape, low);
    return high < tape->dst[i] + ad_tape_length(tape, i) ? i : -1;
}

enum ad_status ad_tangent_slot(struct ad_forward *e, const struct ad_view *flat, int64_t l,
                               int64_t off, int32_t *slot)
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

enum ad_status ad_tangent_flat(struct ad_forward *e, int32_t i, struct ad_view *flat)
{
    int64_t shape[2] = {e->lanes, ad_tape_length(e->tape, i)};
    int lead = e->lanes > 0;
    struct ad_terms terms;
    enum ad_status status = ad_terms_add_up_of(e, i);

    *flat = ad_view_number(0);
    if (status)
        return status;
    ad_terms_load(e, i, &terms);
    if (terms.n == 0)
        return AD_OK;
    *flat = lead ? terms.term[0].base : terms.term[0].c;
    ad_view_hold(flat);
    if (flat->place == AD_NUMBER)
        return AD_OK;
    return ad_emit_reshaped(e->tape, flat, lead + 1, shape + 1 - lead);
}

/* The tangent of a list of slots of several instructions, or a number. */
static enum ad_status gathered(struct ad_forward *e, const struct ad_view *view, struct ad_view *t)
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
            status = ad_tangent_flat(e, source, &flat);
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
            status = ad_tangent_slot(e, &flat, l, slot - tape->dst[source],
                                     &list->slot[l * from->n + j]);
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

enum ad_status ad_terms_of(struct ad_forward *e, const struct ad_view *view, struct ad_terms *terms)
{
    int32_t i = ad_tangent_source(e, view);
    struct ad_terms whole;
    enum ad_status status = AD_OK;

    ad_terms_none(terms, view->ndim, view->shape);
    if (i == e->end)
        return AD_OK;
    if (i < 0) {
        struct ad_term term;
        struct ad_view t;

        status = gathered(e, view, &t);
        if (status)
            return status;
        term = ad_terms_whole(e, &t);
        return ad_terms_add(e, terms, &term);
    }
    ad_terms_load(e, i, &whole);
    for (int k = 0; k < whole.n && !status; k++) {
        struct ad_term term = {.cuts = whole.term[k].cuts, .unit = whole.term[k].unit};
        int64_t size = ad_tape_length(e->tape, i);
        int32_t dst = e->tape->dst[i];

        status = elements_of(e, &whole.term[k].c, 0, size, view, dst, &term.c);
        if (status)
            break;
        status = elements_of(e, &whole.term[k].base, e->lanes > 0, size, view, dst, &term.base);
        term.unit &= term.base.place == AD_ARRAY || term.base.place == AD_NUMBER;
        if (status)
            ad_view_drop(&term.c);
        else
            status = ad_terms_add(e, terms, &term);
    }
    if (status)
        ad_terms_drop(terms);
    return status;
}

enum ad_status ad_tangent_of(struct ad_forward *e, const struct ad_view *view, struct ad_view *t)
{
    int32_t i = ad_tangent_source(e, view);
    struct ad_terms terms;
    enum ad_status status = AD_OK;

    *t = ad_view_number(0);
    if (i >= 0 && i < e->end)
        status = ad_terms_add_up_of(e, i); /* once for all that view it */
    if (!status)
        status = ad_terms_of(e, view, &terms);
    if (status)
        return status;
    status = ad_terms_sum(e, &terms, t);
    ad_terms_drop(&terms);
    return status;
}

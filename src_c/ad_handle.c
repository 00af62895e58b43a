/* ad_handle.c -- what holds on to values: where they are, and assignment to their elements. */
#include "ad_tape.h"

#include <stdlib.h>
#include <string.h>

/* The newest instruction that a view reads. */
static int32_t newest(const struct ad_tape *tape, const struct ad_view *view)
{
    int64_t high = 0;

    if (tape->n_slots == 0)
        return tape->n - 1;
    if (view->place == AD_LIST) {
        for (int64_t j = 0; j < view->in.list->n; j++)
            high = AD_MAX(high, view->in.list->slot[j]);
    } else {
        high = view->base;
        for (int d = 0; d < view->ndim; d++) {
            if (view->shape[d] == 0)
                return ad_tape_producer(tape, (int32_t)view->base);
            high += AD_MAX(view->stride[d], 0) * (view->shape[d] - 1);
        }
    }
    return ad_tape_producer(tape, (int32_t)AD_MIN(AD_MAX(high, 0), tape->n_slots - 1));
}

bool ad_handle_view(struct ad_handle *handle, struct ad_tape *tape, const struct ad_view *view)
{
    struct ad_view *copy;

    ad_assert(tape->n > 0);
    if (view->ndim == 0 && view->place == AD_SLOTS && view->base >= 0) {
        int32_t slot = (int32_t)view->base;

        ad_handle_scalar(handle, tape, ad_tape_producer(tape, slot), slot);
        return true;
    }
    if (view->ndim == 0 && view->place == AD_LIST && view->in.list->slot[view->base] >= 0) {
        int32_t slot = view->in.list->slot[view->base];

        ad_view_drop(view);
        ad_handle_scalar(handle, tape, ad_tape_producer(tape, slot), slot);
        return true;
    }
    copy = malloc(sizeof *copy);
    if (!copy)
        return false;
    ad_view_copy(copy, view);
    ad_handle_scalar(handle, tape, newest(tape, view), 0);
    handle->view = copy;
    return true;
}

void ad_handle_drop_view(struct ad_handle *handle)
{
    ad_view_drop(handle->view);
    free(handle->view);
    handle->view = NULL;
}

/* The slots of elements start .. start + n of a span; constants become constant slots, for which there
 * is room. */
static void bind(struct ad_tape *tape, const struct ad_span *span, int64_t n, int32_t *slot)
{
    int32_t first = span->slot;

    if (span->kind == AD_SPAN_RUN) {
        for (int64_t i = 0; i < n; i++)
            slot[i] = first + (int32_t)i;
    } else if (span->kind == AD_SPAN_MANY) {
        memcpy(slot, span->slots, (size_t)n * sizeof *slot);
    } else if (span->kind == AD_SPAN_FIXED && span->fixed.v) {
        for (int64_t i = 0; i < n; i++)
            slot[i] = ad_tape_const(tape, span->fixed.v[i]);
    } else {
        if (span->kind == AD_SPAN_FIXED)
            first = ad_tape_const(tape, span->fixed.c);
        for (int64_t i = 0; i < n; i++)
            slot[i] = first;
    }
}

bool ad_tape_narrow(struct ad_tape *tape, struct ad_view *view)
{
    int64_t size = ad_view_size(view), i = 1;
    const int32_t *slot;

    if (view->place != AD_LIST || view->ndim == 0 || size == 0 || size >= view->in.list->n)
        return true;
    if (!ad_view_narrow(view, &tape->lists))
        return false;
    slot = view->in.list->slot;
    while (i < size && slot[i] == slot[i - 1] + 1)
        i++;
    if (i == size && slot[0] >= 0 &&
        ad_tape_producer(tape, slot[0]) == ad_tape_producer(tape, slot[size - 1])) {
        int32_t first = slot[0];

        ad_view_drop(view);
        view->place = AD_SLOTS;
        view->base = first;
    }
    return true;
}

enum ad_status ad_handle_own(struct ad_handle *handle)
{
    struct ad_tape *tape = handle->tape;
    struct ad_view *view = handle->view;
    struct ad_span_room room;
    struct ad_list *list;
    int64_t size = ad_view_size(view);
    enum ad_status status;

    if (view->place == AD_LIST && view->in.list->refs == 1 && view->base == 0 &&
        view->in.list->n == size && ad_view_is_contiguous(view))
        return AD_OK;
    status = ad_tape_grow(tape, 0, 0, size, 0);
    if (status)
        return status;
    list = ad_list_new(&tape->lists, size);
    if (!list)
        return AD_NO_MEMORY;
    for (int64_t start = 0, n; start < size; start += n) {
        n = ad_tile_size(view, size, start);
        struct ad_span span = ad_span_of(view, 0, tape->value, start, n, &room);

        bind(tape, &span, n, list->slot + start);
    }
    ad_view_drop(view);
    view->place = AD_LIST;
    view->in.list = list;
    view->base = 0;
    ad_strides(view->ndim, view->shape, view->stride);
    return AD_OK;
}

enum { FEW = 16 };

/* The n slots of all elements of a view, or one that stands for a number: in 'few', or to be freed. */
static enum ad_status slots_of(struct ad_tape *tape, const struct ad_view *value, int32_t few[FEW],
                               int32_t **slots, int64_t *n)
{
    int64_t size = value->place == AD_NUMBER ? 1 : ad_view_size(value);
    struct ad_span_room room;
    enum ad_status status = ad_tape_grow(tape, 0, 0, size, 0);
    int32_t *slot = few;

    if (status)
        return status;
    if (size > FEW)
        slot = malloc((size_t)size * sizeof *slot);
    if (!slot)
        return AD_NO_MEMORY;
    if (value->place == AD_NUMBER)
        slot[0] = ad_tape_const(tape, value->in.number);
    else
        for (int64_t start = 0, part; start < size; start += part) {
            part = ad_tile_size(value, size, start);
            struct ad_span span = ad_span_of(value, 0, tape->value, start, part, &room);

            bind(tape, &span, part, slot + start);
        }
    *slots = slot;
    *n = size;
    return AD_OK;
}

/* Let go of the n slots that slots_of() found; from now on the handle needs what they need. */
static void need_slots(struct ad_handle *handle, const int32_t *few, int32_t *slots, int64_t n)
{
    int32_t newest_slot = 0;

    for (int64_t i = 0; i < n; i++)
        newest_slot = AD_MAX(newest_slot, slots[i]);
    ad_handle_need(handle, ad_tape_producer(handle->tape, newest_slot));
    if (slots != few)
        free(slots);
}

enum ad_status ad_handle_assign(struct ad_handle *handle, int64_t n, const int64_t *positions,
                                const struct ad_view *value)
{
    int32_t *to = handle->view->in.list->slot, few[FEW], *from;
    int64_t m;
    enum ad_status status = slots_of(handle->tape, value, few, &from, &m);

    if (status)
        return status;
    ad_assert(m > 0 || n == 0);
    for (int64_t i = 0, j = 0; i < n; i++) {
        to[positions[i]] = from[j];
        if (++j == m)
            j = 0;
    }
    need_slots(handle, few, from, m);
    return AD_OK;
}

AD_VECTOR static void choose_one(int64_t n, const unsigned char *mask, int32_t from, int32_t *to)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = mask[i] ? from : to[i];
}

AD_VECTOR static void choose_each(int64_t n, const unsigned char *mask, const int32_t *from,
                                  int32_t *to)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = mask[i] ? from[i] : to[i];
}

enum ad_status ad_handle_assign_where(struct ad_handle *handle, const unsigned char *mask,
                                      bool in_turn, const struct ad_view *value)
{
    const struct ad_list *list = handle->view->in.list;
    int32_t *to = list->slot, few[FEW], *from;
    int64_t m;
    enum ad_status status = slots_of(handle->tape, value, few, &from, &m);

    if (status)
        return status;
    ad_assert(m > 0);
    if (m == 1)
        choose_one(list->n, mask, from[0], to);
    else if (m == list->n && !in_turn)
        choose_each(list->n, mask, from, to);
    else
        for (int64_t i = 0, j = 0; i < list->n; i++) {
            if (mask[i])
                to[i] = from[j];
            if ((mask[i] || !in_turn) && ++j == m)
                j = 0;
        }
    need_slots(handle, few, from, m);
    return AD_OK;
}

void ad_handle_need(struct ad_handle *handle, int32_t instr)
{
    struct ad_tape *tape = handle->tape;
    struct ad_view *view = handle->view;

    if (instr <= handle->instr)
        return;
    ad_handle_unlink(handle);
    ad_handle_scalar(handle, tape, instr, handle->slot);
    handle->view = view;
}

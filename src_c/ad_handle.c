/* ad_handle.c -- what holds on to values: where they are, and assignment to their elements. */
#include "ad_tape.h"

#include <stdlib.h>

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

    if (span->kind == AD_SPAN_FIXED && !span->fixed.v)
        first = ad_tape_const(tape, span->fixed.c);
    for (int64_t i = 0; i < n; i++)
        switch (span->kind) {
        case AD_SPAN_RUN:
            slot[i] = first + (int32_t)i;
            break;
        case AD_SPAN_ONE:
            slot[i] = first;
            break;
        case AD_SPAN_MANY:
            slot[i] = span->slots[i];
            break;
        case AD_SPAN_FIXED:
            slot[i] = span->fixed.v ? ad_tape_const(tape, span->fixed.v[i]) : first;
            break;
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

enum ad_status ad_handle_assign(struct ad_handle *handle, const int64_t *positions,
                                const struct ad_view *value)
{
    struct ad_tape *tape = handle->tape;
    int32_t *slot = handle->view->in.list->slot, newest_slot = 0, from[AD_TILE];
    int64_t size = ad_view_size(value);
    struct ad_span_room room;
    enum ad_status status = ad_tape_grow(tape, 0, 0, size, 0);

    if (status)
        return status;
    for (int64_t start = 0, n; start < size; start += n) {
        n = ad_tile_size(value, size, start);
        struct ad_span span = ad_span_of(value, 0, tape->value, start, n, &room);

        bind(tape, &span, n, from);
        for (int64_t i = 0; i < n; i++) {
            slot[positions[start + i]] = from[i];
            newest_slot = AD_MAX(newest_slot, from[i]);
        }
    }
    ad_handle_need(handle, ad_tape_producer(tape, newest_slot));
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

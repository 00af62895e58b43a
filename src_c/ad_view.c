/* ad_view.c -- shapes and strides, and tiles of them. */
#include "ad_view.h"

#include "ad_special.h"

#include <stdlib.h>
#include <string.h>

struct ad_list *ad_list_new(struct ad_list **head, int64_t n)
{
    struct ad_list *list = malloc(sizeof *list);

    if (!list)
        return NULL;
    list->slot = malloc((size_t)AD_MAX(n, 1) * sizeof *list->slot);
    if (!list->slot) {
        free(list);
        return NULL;
    }
    list->n = n;
    list->refs = 1;
    list->head = head;
    list->prev = list->next = NULL;
    if (head) {
        list->next = *head;
        if (*head)
            (*head)->prev = list;
        *head = list;
    }
    return list;
}

void ad_list_drop(struct ad_list *list)
{
    if (--list->refs > 0)
        return;
    if (list->next)
        list->next->prev = list->prev;
    if (list->prev)
        list->prev->next = list->next;
    else if (list->head)
        *list->head = list->next;
    free(list->slot);
    free(list);
}

/* A 64-bit sum that any single change alters: eight lanes of multiply and add. */
AD_VECTOR static uint64_t checksum(const double *data, int64_t n)
{
    uint64_t lane[8] = {1, 2, 3, 4, 5, 6, 7, 8}, sum = 0, bits;
    int64_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++) {
            memcpy(&bits, data + i + j, sizeof bits);
            lane[j] = lane[j] * 0x9E3779B97F4A7C15u + bits;
        }
    for (; i < n; i++) {
        memcpy(&bits, data + i, sizeof bits);
        lane[i & 7] = lane[i & 7] * 0x9E3779B97F4A7C15u + bits;
    }
    for (int j = 0; j < 8; j++)
        sum = (sum ^ lane[j]) * 0xBF58476D1CE4E5B9u;
    return sum;
}

static struct ad_array *array_new(const double *data, int64_t n)
{
    struct ad_array *array = calloc(1, sizeof *array);

    if (array) {
        array->data = data;
        array->n = n;
        array->refs = 1;
    }
    return array;
}

struct ad_array *ad_array_room(int64_t n, double **data)
{
    double *room = malloc((size_t)AD_MAX(n, 1) * sizeof *room);
    struct ad_array *array = room ? array_new(room, n) : NULL;

    if (!array)
        free(room);
    *data = room;
    return array;
}

struct ad_array *ad_array_copy(const double *data, int64_t n)
{
    double *copy;
    struct ad_array *array = ad_array_room(n, &copy);

    if (array && n)
        memcpy(copy, data, (size_t)n * sizeof *data);
    return array;
}

AD_VECTOR static void read_truths(double *y, const unsigned char *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i];
}

struct ad_array *ad_array_of_truths(const unsigned char *data, int64_t n)
{
    double *numbers;
    struct ad_array *array = ad_array_room(n, &numbers);

    if (array)
        read_truths(numbers, data, n);
    return array;
}

AD_VECTOR static void read_integers(double *y, const int64_t *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (double)x[i];
}

struct ad_array *ad_array_of_integers(const int64_t *data, int64_t n)
{
    double *numbers;
    struct ad_array *array = ad_array_room(n, &numbers);

    if (array)
        read_integers(numbers, data, n);
    return array;
}

struct ad_array *ad_array_share(const double *data, int64_t n, void *owner,
                                void (*release)(void *owner), bool checked)
{
    struct ad_array *array = array_new(data, n);

    if (array) {
        array->owner = owner;
        array->release = release;
        array->checked = checked;
        if (checked)
            array->sum = checksum(data, n);
    }
    return array;
}

void ad_array_drop(struct ad_array *array)
{
    if (--array->refs > 0)
        return;
    if (array->owner)
        array->release(array->owner);
    else
        free((void *)(uintptr_t)array->data);
    free(array);
}

bool ad_array_intact(const struct ad_array *array)
{
    return !array->checked || checksum(array->data, array->n) == array->sum;
}

void ad_view_hold(const struct ad_view *view)
{
    if (view->place == AD_LIST || view->place == AD_OWN_LIST)
        view->in.list->refs++;
    else if (view->place == AD_ARRAY)
        view->in.array->refs++;
}

void ad_view_drop(const struct ad_view *view)
{
    if (view->place == AD_LIST || view->place == AD_OWN_LIST)
        ad_list_drop(view->in.list);
    else if (view->place == AD_ARRAY)
        ad_array_drop(view->in.array);
}

int32_t ad_view_lowest(const struct ad_view *view)
{
    int64_t low = INT32_MAX;

    if (view->place == AD_LIST) {
        for (int64_t j = 0; j < view->in.list->n; j++)
            if (view->in.list->slot[j] >= 0)
                low = AD_MIN(low, view->in.list->slot[j]);
    } else if (view->place == AD_SLOTS) {
        low = view->base;
        for (int d = 0; d < view->ndim; d++) {
            if (view->shape[d] == 0)
                return INT32_MAX;
            low += AD_MIN(view->stride[d], 0) * (view->shape[d] - 1);
        }
    }
    return low < 0 || low > INT32_MAX ? INT32_MAX : (int32_t)low;
}

int64_t ad_shape_size(int ndim, const int64_t *shape)
{
    int64_t size = 1;

    for (int d = 0; d < ndim; d++)
        if (AD_LIKELY((size | shape[d]) <= INT32_MAX))
            size *= shape[d];
        else
            size = size > 0 && shape[d] > INT64_MAX / size ? INT64_MAX : size * shape[d];
    return size;
}

int64_t ad_view_size(const struct ad_view *view)
{
    return ad_shape_size(view->ndim, view->shape);
}

void ad_strides(int ndim, const int64_t *shape, int64_t *stride)
{
    uint64_t step = 1; /* wraps around where the shape is beyond any tape, and is then refused */

    for (int d = ndim - 1; d >= 0; d--) {
        stride[d] = (int64_t)step;
        step *= (uint64_t)AD_MAX(shape[d], 1);
    }
}

void ad_view_set_slots(struct ad_view *view, int64_t base, int ndim, const int64_t *shape)
{
    view->place = AD_SLOTS;
    view->ndim = ndim;
    view->base = base;
    view->in.bits = 0;
    for (int d = 0; d < ndim; d++)
        view->shape[d] = shape[d];
    ad_strides(ndim, shape, view->stride);
}

struct ad_view ad_view_slots(int64_t base, int ndim, const int64_t *shape)
{
    struct ad_view view;

    ad_view_set_slots(&view, base, ndim, shape);
    return view;
}

struct ad_view ad_view_number(double number)
{
    struct ad_view view;

    view.place = AD_NUMBER;
    view.ndim = 0;
    view.base = 0;
    view.in.number = number;
    return view;
}

bool ad_view_is_contiguous(const struct ad_view *view)
{
    int64_t step = 1;

    if (view->place == AD_NUMBER)
        return false;
    for (int d = view->ndim - 1; d >= 0; d--) {
        if (view->shape[d] == 0)
            return true;
        if (view->shape[d] != 1 && view->stride[d] != step)
            return false;
        step *= view->shape[d];
    }
    return true;
}

/* The old dimensions, those of length 1 dropped, are matched in groups against the new ones; within a
 * group the strides must nest.  The method is NumPy's (_attempt_nocopy_reshape), from its description. */
bool ad_view_reshape(struct ad_view *view, int ndim, const int64_t *shape)
{
    int64_t old_shape[AD_MAX_DIMS], old_stride[AD_MAX_DIMS], stride[AD_MAX_DIMS];
    int n_old = 0, o = 0, n = 0;

    if (view->place == AD_NUMBER || ad_view_size(view) == 0) {
        view->ndim = ndim;
        memcpy(view->shape, shape, (size_t)ndim * sizeof *shape);
        memset(view->stride, 0, (size_t)ndim * sizeof *shape);
        return true;
    }
    for (int d = 0; d < view->ndim; d++)
        if (view->shape[d] != 1) {
            old_shape[n_old] = view->shape[d];
            old_stride[n_old++] = view->stride[d];
        }
    while (n < ndim && o < n_old) {
        int o_end = o + 1, n_end = n + 1;
        int64_t o_size = old_shape[o], n_size = shape[n];

        while (o_size != n_size) {
            if (n_size < o_size)
                n_size *= shape[n_end++];
            else
                o_size *= old_shape[o_end++];
        }
        for (int d = o; d < o_end - 1; d++)
            if (old_stride[d] != old_stride[d + 1] * old_shape[d + 1])
                return false;
        stride[n_end - 1] = old_stride[o_end - 1];
        for (int d = n_end - 1; d > n; d--)
            stride[d - 1] = stride[d] * shape[d];
        o = o_end;
        n = n_end;
    }
    for (; n < ndim; n++)
        stride[n] = 0; /* what is left has length 1 */
    view->ndim = ndim;
    memcpy(view->shape, shape, (size_t)ndim * sizeof *shape);
    memcpy(view->stride, stride, (size_t)ndim * sizeof *shape);
    return true;
}

bool ad_view_broadcast(struct ad_view *view, int ndim, const int64_t *shape)
{
    int64_t stride[AD_MAX_DIMS];
    int extra = ndim - view->ndim;

    if (extra < 0)
        return false;
    for (int d = 0; d < ndim; d++) {
        int64_t length = d < extra ? 1 : view->shape[d - extra];

        if (length != shape[d] && length != 1)
            return false;
        stride[d] = length == 1 ? 0 : view->stride[d - extra];
    }
    view->ndim = ndim;
    memcpy(view->shape, shape, (size_t)ndim * sizeof *shape);
    memcpy(view->stride, stride, (size_t)ndim * sizeof *shape);
    return true;
}

bool ad_broadcast_shape(int n, const struct ad_view *const *views, int *ndim, int64_t *shape)
{
    int nd = 0;

    for (int i = 0; i < n; i++)
        nd = AD_MAX(nd, views[i]->ndim);
    for (int d = 0; d < nd; d++)
        shape[d] = 1;
    for (int i = 0; i < n; i++) {
        int extra = nd - views[i]->ndim;

        for (int d = extra; d < nd; d++) {
            int64_t length = views[i]->shape[d - extra];

            if (length == 1)
                continue;
            if (shape[d] != 1 && shape[d] != length)
                return false;
            shape[d] = length;
        }
    }
    *ndim = nd;
    return true;
}

void ad_views_collapse(int n, struct ad_view *views)
{
    int ndim = views[0].ndim, out = 0;

    for (int d = 0; d < ndim; d++) {
        bool merge = out > 0;

        if (views[0].shape[d] == 1)
            continue;
        for (int i = 0; i < n && merge; i++)
            merge = views[i].stride[out - 1] == views[i].stride[d] * views[i].shape[d];
        for (int i = 0; i < n; i++) {
            if (merge) {
                views[i].shape[out - 1] *= views[i].shape[d];
                views[i].stride[out - 1] = views[i].stride[d];
            } else {
                views[i].shape[out] = views[i].shape[d];
                views[i].stride[out] = views[i].stride[d];
            }
        }
        out += !merge;
    }
    for (int i = 0; i < n; i++)
        views[i].ndim = out;
}

/* ---- tiles ---- */

enum { LONG_ROW = 64 };

int64_t ad_tile_size(const struct ad_view *view, int64_t size, int64_t start)
{
    int64_t left = size - start;

    if (view->ndim > 1) {
        int64_t row = view->shape[view->ndim - 1];

        if (row >= LONG_ROW)
            left = row - start % row;
    }
    return AD_MIN(left, AD_TILE);
}

/* Where element 'start' lies, counted from the base; index[] receives its coordinates. */
static int64_t locate(const struct ad_view *view, int64_t start, int64_t *index)
{
    int64_t at = 0;

    for (int d = view->ndim - 1; d >= 0; d--) {
        index[d] = start % view->shape[d];
        start /= view->shape[d];
        at += index[d] * view->stride[d];
    }
    return at;
}

/* Call EMIT(i, at) for the n elements from 'start' on, 'at' counted from the base. */
#define WALK(view, start, n, EMIT)                                                                 \
    do {                                                                                           \
        int64_t walk_index[AD_MAX_DIMS], walk_at = locate(view, start, walk_index);                \
        int walk_last = (view)->ndim - 1;                                                          \
        int64_t walk_step = (view)->stride[walk_last];                                             \
        for (int64_t i = 0; i < (n);) {                                                            \
            int64_t row = AD_MIN((view)->shape[walk_last] - walk_index[walk_last], (n) - i);       \
            for (int64_t j = 0; j < row; j++, i++, walk_at += walk_step)                           \
                EMIT(i, walk_at);                                                                  \
            if (i == (n))                                                                          \
                break;                                                                             \
            walk_at -= (view)->shape[walk_last] * walk_step;                                       \
            walk_index[walk_last] = 0;                                                             \
            for (int d = walk_last - 1; d >= 0; d--) {                                             \
                walk_at += (view)->stride[d];                                                      \
                if (++walk_index[d] < (view)->shape[d])                                            \
                    break;                                                                         \
                walk_at -= (view)->shape[d] * (view)->stride[d];                                   \
                walk_index[d] = 0;                                                                 \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* Is the tile one element repeated (0), consecutive (1), or neither (-1)?  Its start is *at. */
static int tile_step(const struct ad_view *view, int64_t start, int64_t n, int64_t *at)
{
    int64_t index[AD_MAX_DIMS];
    int last = view->ndim - 1;

    if (view->ndim == 0) {
        *at = 0;
        return 0;
    }
    if (view->ndim == 1) {
        *at = start * view->stride[0];
        return n == 1 || view->stride[0] == 0 ? 0 : view->stride[0] == 1 ? 1 : -1;
    }
    *at = locate(view, start, index);
    if (n == 1)
        return 0;
    if (index[last] + n <= view->shape[last])
        return view->stride[last] == 0 ? 0 : view->stride[last] == 1 ? 1 : -1;
    for (int d = 0; d < view->ndim; d++)
        if (view->stride[d] != 0)
            return ad_view_is_contiguous(view) ? 1 : -1;
    return 0;
}

struct ad_span ad_span_of(const struct ad_view *view, int32_t dst, const double *value,
                          int64_t start, int64_t n, struct ad_span_room *room)
{
    struct ad_span span = {AD_SPAN_FIXED, 0, NULL, {NULL, 0}};
    int64_t at, base = view->base;
    int step;

    if (view->place == AD_NUMBER) {
        span.fixed.c = view->in.number;
        return span;
    }
    step = tile_step(view, start, n, &at);
    at += base;
    switch (view->place) {
    case AD_ARRAY: {
        const double *data = view->in.array->data;

        if (step == 0) {
            span.fixed.c = data[at];
        } else if (step == 1) {
            span.fixed.v = data + at;
        } else {
#define GATHER(i, at) room->values[i] = data[base + (at)]
            WALK(view, start, n, GATHER);
            span.fixed.v = room->values;
        }
        return span;
    }
    case AD_OWN:
        base += dst;
        at += dst; /* fall through */
    case AD_SLOTS:
        span.slot = (int32_t)at;
        if (step == 0 && at < 0) {
            span.fixed.c = value[at];
        } else if (step >= 0) {
            span.kind = step == 0 ? AD_SPAN_ONE : AD_SPAN_RUN;
        } else {
#define NUMBER(i, at) room->slots[i] = (int32_t)(base + (at))
            WALK(view, start, n, NUMBER);
            span.kind = AD_SPAN_MANY;
            span.slots = room->slots;
        }
        return span;
    case AD_LIST: {
        const int32_t *slot = view->in.list->slot;

        if (step == 0) {
            span.kind = AD_SPAN_ONE;
            span.slot = slot[at];
            if (span.slot < 0) {
                span.kind = AD_SPAN_FIXED;
                span.fixed.c = value[span.slot];
            }
        } else {
            span.kind = AD_SPAN_MANY;
            if (step == 1) {
                span.slots = slot + at;
            } else {
#define LOOK_UP(i, at) room->slots[i] = slot[base + (at)]
                WALK(view, start, n, LOOK_UP);
                span.slots = room->slots;
            }
        }
        return span;
    }
    case AD_OWN_LIST: {
        const int32_t *slot = view->in.list->slot;

        span.kind = AD_SPAN_MANY;
        if (view->ndim == 0) {
            room->slots[0] = slot[base] + dst;
        } else {
#define LOOK_UP_OWN(i, at) room->slots[i] = slot[base + (at)] + dst
            WALK(view, start, n, LOOK_UP_OWN);
        }
        span.slots = room->slots;
        return span;
    }
    case AD_NUMBER:
        break;
    }
    ad_unreachable();
    return span;
}

struct ad_vec ad_span_values(const struct ad_span *span, const double *value, int64_t n,
                             double *values)
{
    switch (span->kind) {
    case AD_SPAN_FIXED:
        return span->fixed;
    case AD_SPAN_RUN:
        return (struct ad_vec){value + span->slot, 0};
    case AD_SPAN_ONE:
        return (struct ad_vec){NULL, value[span->slot]};
    case AD_SPAN_MANY:
        for (int64_t i = 0; i < n; i++)
            values[i] = value[span->slots[i]];
        return (struct ad_vec){values, 0};
    }
    ad_unreachable();
    return span->fixed;
}

/* Is any of n numbers, times 'factor', not a number? */
AD_VECTOR static bool run_has_nan(const double *x, double factor, int64_t n)
{
    int bad = 0;

    for (int64_t i = 0; i < n; i++)
        bad |= x[i] * factor != x[i] * factor;
    return bad;
}

bool ad_view_has_nan(const struct ad_view *view, const double *value, bool infinite)
{
    int64_t size = ad_view_size(view);
    double factor = infinite ? 0 : 1; /* of infinities, 0 makes nan */
    struct ad_span_room room;

    for (int64_t start = 0, n; start < size; start += n) {
        n = ad_tile_size(view, size, start);
        struct ad_span span = ad_span_of(view, 0, value, start, n, &room);
        struct ad_vec x = ad_span_values(&span, value, n, room.values);

        if (run_has_nan(x.v ? x.v : &x.c, factor, x.v ? n : 1))
            return true;
    }
    return false;
}

AD_VECTOR static void exponents(const double *x, int64_t n, int32_t *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = ad_exponent(x[i]);
}

void ad_view_exponents(const struct ad_view *view, const double *value, int32_t *out)
{
    int64_t size = ad_view_size(view);
    struct ad_span_room room;

    for (int64_t start = 0, n; start < size; start += n) {
        n = ad_tile_size(view, size, start);
        struct ad_span span = ad_span_of(view, 0, value, start, n, &room);
        struct ad_vec x = ad_span_values(&span, value, n, room.values);

        if (x.v)
            exponents(x.v, n, out + start);
        else
            for (int64_t i = start; i < start + n; i++)
                out[i] = ad_exponent(x.c);
    }
}

/* Two dimensions of slots or of an array, of which the last is so short that tiles would not pay. */
static void read_short_rows(const struct ad_view *view, const double *data, double *out)
{
    int64_t n = view->shape[0], row = view->shape[1], next = view->stride[0],
            step = view->stride[1];

    if (row == 2)
        for (int64_t i = 0; i < n; i++) {
            out[2 * i] = data[i * next];
            out[2 * i + 1] = data[i * next + step];
        }
    else
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < row; j++)
                *out++ = data[i * next + j * step];
}

void ad_view_read(const struct ad_view *view, const double *value, double *out)
{
    int64_t size = ad_view_size(view);
    struct ad_span_room room;

    if (view->ndim == 2 && view->shape[1] < LONG_ROW &&
        (view->place == AD_SLOTS || view->place == AD_ARRAY)) {
        read_short_rows(view, (view->place == AD_ARRAY ? view->in.array->data : value) + view->base,
                        out);
        return;
    }
    for (int64_t start = 0, n; start < size; start += n) {
        n = ad_tile_size(view, size, start);
        struct ad_span span = ad_span_of(view, 0, value, start, n, &room);
        struct ad_vec x = ad_span_values(&span, value, n, room.values);

        if (x.v)
            memcpy(out + start, x.v, (size_t)n * sizeof *out);
        else
            for (int64_t i = 0; i < n; i++)
                out[start + i] = x.c;
    }
}

/* Lets go of what the view was. */
static void become_list(struct ad_view *view, struct ad_list *list)
{
    ad_view_drop(view);
    *view = ad_view_slots(0, 1, &list->n);
    view->place = AD_LIST;
    view->in.list = list;
}

bool ad_view_pick(struct ad_view *view, struct ad_list **head, const int64_t *positions, int64_t n)
{
    struct ad_list *list = ad_list_new(head, n);
    int64_t index[AD_MAX_DIMS];

    if (!list)
        return false;
    for (int64_t i = 0; i < n; i++) {
        int64_t at = view->base + locate(view, positions[i], index);

        list->slot[i] = view->place == AD_LIST ? view->in.list->slot[at] : (int32_t)at;
    }
    become_list(view, list);
    return true;
}

/* slot[i] = base + index[i] * stride, negative indices counted from the end; are all within? */
AD_VECTOR static bool number_slots(int64_t n, const int64_t *index, int64_t length, int64_t base,
                                   int64_t stride, int32_t *slot)
{
    uint64_t out = 0;

    for (int64_t i = 0; i < n; i++) {
        int64_t at = index[i] + (index[i] < 0 ? length : 0);

        out |= (uint64_t)((uint64_t)at >= (uint64_t)length);
        slot[i] = (int32_t)(base + at * stride);
    }
    return !out;
}

int64_t ad_view_take(struct ad_view *view, struct ad_list **head, const int64_t *index, int64_t n)
{
    struct ad_list *list = ad_list_new(head, n);
    int64_t length = view->shape[0], bad = 0;

    ad_assert(view->ndim == 1 && (view->place == AD_SLOTS || view->place == AD_LIST));
    if (!list)
        return -1;
    if (!number_slots(n, index, length, view->base, view->stride[0], list->slot)) {
        ad_list_drop(list);
        while (index[bad] >= -length && index[bad] < length)
            bad++;
        return bad;
    }
    if (view->place == AD_LIST)
        for (int64_t i = 0; i < n; i++)
            list->slot[i] = view->in.list->slot[list->slot[i]];
    become_list(view, list);
    return n;
}

bool ad_view_narrow(struct ad_view *view, struct ad_list **head)
{
    const int32_t *slot = view->in.list->slot + view->base;
    int64_t size = ad_view_size(view);
    struct ad_list *list = ad_list_new(head, size);

    if (!list)
        return false;
#define NARROW(i, at) list->slot[i] = slot[at]
    if (view->ndim == 0)
        NARROW(0, 0);
    else if (size > 0)
        WALK(view, 0, size, NARROW);
    ad_view_drop(view);
    view->in.list = list;
    view->base = 0;
    ad_strides(view->ndim, view->shape, view->stride);
    return true;
}

void ad_view_positions(const struct ad_view *view, int64_t *at)
{
    int64_t size = ad_view_size(view);

#define POSITION(i, offset) at[i] = view->base + (offset)
    if (view->ndim == 0)
        POSITION(0, 0);
    else if (size > 0)
        WALK(view, 0, size, POSITION);
}

/* ad_adjoints.c -- contributions to adjoints, kept until an instruction is reached, and then added up. */
#include "ad_adjoints.h"

#include <stdlib.h>
#include <string.h>

#include "ad_draw.h"
#include "ad_emit_algebra.h"

enum { NONE = INT32_MIN }; /* for a slot: no adjoint */

bool ad_adjoints_active(const struct ad_adjoints *e, const struct ad_view *view)
{
    if (view->place == AD_SLOTS) { /* instructions are active as a whole */
        int32_t low = ad_view_lowest(view);

        return low >= e->low && low != INT32_MAX && e->active[low - e->low];
    }
    if (view->place == AD_LIST)
        for (int64_t j = 0; j < view->in.list->n; j++) {
            int32_t slot = view->in.list->slot[j];

            if (slot >= e->low && e->active[slot - e->low])
                return true;
        }
    return false;
}

/* Mark what depends on the inputs; an input's own slots are marked by the caller. */
static void mark_inputs(struct ad_adjoints *e, int n_inputs, const struct ad_view *inputs)
{
    for (int i = 0; i < n_inputs; i++) {
#define MARK(j, slot)                                                                              \
    if ((slot) >= e->low)                                                                          \
    e->active[(slot) - e->low] = 1
        AD_EACH_SLOT(e->tape, &inputs[i], MARK);
    }
}

static void mark_active(struct ad_adjoints *e)
{
    const struct ad_tape *tape = e->tape;

    for (int32_t i = e->first; i < e->end; i++) {
        bool active = false;

        if (ad_tape_is_array(tape, i)) {
            const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
            struct ad_view view;
            /* an input within a larger instruction makes all of it active */
            const uint8_t *own = e->active + (tape->dst[i] - e->low);

            active = block[2] > 0 && memchr(own, 1, (size_t)block[2]);
            for (int64_t v = 0; v < block[1] && !active; v++) {
                words = ad_view_decode(words, &view);
                active = ad_adjoints_active(e, &view);
            }
            if (active && block[2] > 0)
                memset(e->active + (tape->dst[i] - e->low), 1, (size_t)block[2]);
        } else if ((tape->a[i] >= e->low && e->active[tape->a[i] - e->low]) ||
                   (tape->b[i] >= e->low && e->active[tape->b[i] - e->low])) {
            e->active[tape->dst[i] - e->low] = 1;
        }
    }
}

enum ad_status ad_adjoints_begin(struct ad_adjoints *e, struct ad_tape *tape, int n_inputs,
                                 const struct ad_view *inputs)
{
    size_t slots, instrs;
    enum ad_status status;

    memset(e, 0, sizeof *e);
    e->tape = tape;
    e->n_consts = tape->n_consts;
    e->floor = ad_tape_enter(tape, INT32_MAX);
    e->low = tape->n_slots;
    for (int i = 0; i < n_inputs; i++) {
        int32_t low = ad_view_lowest(&inputs[i]);

        e->low = AD_MIN(e->low, low);
    }
    e->first = e->low < tape->n_slots ? ad_tape_producer(tape, e->low) : tape->n;
    if (e->first < tape->n)
        e->low = tape->dst[e->first];
    e->end = tape->n;
    status = ad_draw_find(tape, e->first, e->end - 1);
    if (status)
        return status;
    slots = (size_t)(tape->n_slots - e->low) + 1;
    instrs = (size_t)(e->end - e->first) + 1;
    e->latest = malloc(slots * sizeof *e->latest);
    e->parts_of = malloc(instrs * sizeof *e->parts_of);
    e->active = calloc(slots, 1);
    if (!e->latest || !e->parts_of || !e->active)
        return AD_NO_MEMORY;
    for (size_t i = 0; i < slots; i++)
        e->latest[i] = NONE;
    for (size_t i = 0; i < instrs; i++)
        e->parts_of[i] = -1;
    mark_inputs(e, n_inputs, inputs);
    mark_active(e);
    return ad_tape_constants_intact(tape, e->first, e->end - 1) ? AD_OK : AD_CONST_CHANGED;
}

void ad_adjoints_end(struct ad_adjoints *e, enum ad_status status)
{
    for (int64_t i = 0; i < e->n_parts; i++) {
        ad_view_drop(&e->parts[i].from);
        ad_view_drop(&e->parts[i].to);
    }
    if (status)
        ad_tape_cut(e->tape, e->end, e->n_consts);
    ad_tape_leave(e->tape, e->floor);
    free(e->latest);
    free(e->parts_of);
    free(e->active);
    free(e->parts);
}

enum ad_status ad_adjoints_part(struct ad_tape *tape, const struct ad_view *whole,
                                const struct ad_view *own, struct ad_view *result)
{
    int64_t step = whole->place == AD_NUMBER ? 0 : whole->stride[0];

    *result = *whole;
    if (whole->place == AD_NUMBER) {
        result->ndim = 0;
        return AD_OK;
    }
    result->ndim = own->ndim;
    memcpy(result->shape, own->shape, sizeof result->shape);
    memcpy(result->stride, own->stride, sizeof result->stride);
    if (own->place == AD_OWN) {
        result->base += own->base * step;
        for (int d = 0; d < own->ndim; d++)
            result->stride[d] *= step;
        ad_view_hold(result);
        return AD_OK;
    }
    if (whole->place == AD_ARRAY) { /* constants: first made slots */
        struct ad_view copy;
        enum ad_status status = ad_record_copy(tape, whole, &copy);

        return status ? status : ad_adjoints_part(tape, &copy, own, result);
    }
    struct ad_list *list = ad_list_new(&tape->lists, own->in.list->n);

    if (!list)
        return AD_NO_MEMORY;
    for (int64_t j = 0; j < list->n; j++) {
        int64_t at = whole->base + own->in.list->slot[j] * step;

        list->slot[j] = whole->place == AD_LIST ? whole->in.list->slot[at] : (int32_t)at;
    }
    result->place = AD_LIST;
    result->in.list = list;
    result->base = own->base;
    return AD_OK;
}

/* ---- adding to them ---- */

/* latest[slot] += the scalar 'source'. */
static enum ad_status add_scalar(struct ad_adjoints *e, int32_t slot, const struct ad_view *source)
{
    struct ad_tape *tape = e->tape;
    int32_t *latest = &e->latest[slot - e->low];
    struct ad_view args[AD_MAX_ARGS] = {*source, ad_view_number(0), ad_view_number(0)}, sum;
    enum ad_status status = AD_OK;

    if (*latest != NONE) {
        args[1] = ad_view_slots(*latest, 0, NULL);
        ad_emit_simplify(tape, &args[1]);
        ad_emit_simplify(tape, &args[0]);
        status = ad_emit_op(tape, AD_OP_add, 0, args, &sum);
        if (status)
            return status;
    } else {
        sum = *source;
        ad_view_hold(&sum);
    }
    if (sum.place == AD_SLOTS) {
        *latest = (int32_t)sum.base;
    } else if (sum.place == AD_LIST) {
        *latest = sum.in.list->slot[sum.base];
    } else {
        status = ad_tape_grow(tape, 0, 0, 1, 0);
        if (!status)
            *latest = ad_tape_const(tape, sum.place == AD_NUMBER ? sum.in.number
                                                                 : sum.in.array->data[sum.base]);
    }
    ad_view_drop(&sum);
    return status;
}

static enum ad_status add_part(struct ad_adjoints *e, int32_t instr, const struct ad_view *from,
                               const struct ad_view *to)
{
    struct ad_adjoint_part *part;

    if (e->n_parts == e->part_capacity) {
        int64_t capacity = 2 * e->part_capacity + 16;
        struct ad_adjoint_part *grown = realloc(e->parts, (size_t)capacity * sizeof *grown);

        if (!grown)
            return AD_NO_MEMORY;
        e->parts = grown;
        e->part_capacity = capacity;
    }
    part = &e->parts[e->n_parts];
    part->from = *from;
    part->to = *to;
    part->next = e->parts_of[instr - e->first];
    ad_view_hold(from);
    ad_view_hold(to);
    e->parts_of[instr - e->first] = e->n_parts++;
    return AD_OK;
}

/* Add each element of 'source' to the slot in the same place of 'target'. */
static enum ad_status add_each(struct ad_adjoints *e, const struct ad_view *target,
                               const struct ad_view *source)
{
    struct ad_tape *tape = e->tape;
    int64_t size = ad_view_size(target);
    enum ad_status status = AD_OK;
    struct ad_span_room to_room, from_room;

    for (int64_t start = 0, n; start < size; start += n) {
        n = ad_tile_size(target, size, start);
        struct ad_span to = ad_span_of(target, 0, tape->value, start, n, &to_room);
        struct ad_span from = ad_span_of(source, 0, tape->value, start, n, &from_room);

        for (int64_t j = 0; j < n && !status; j++) {
            int32_t slot = to.kind == AD_SPAN_MANY  ? to.slots[j]
                           : to.kind == AD_SPAN_RUN ? to.slot + (int32_t)j
                           : to.kind == AD_SPAN_ONE ? to.slot
                                                    : NONE;
            struct ad_view element;

            if (slot < e->low || !e->active[slot - e->low])
                continue;
            if (from.kind == AD_SPAN_FIXED)
                element = ad_view_number(from.fixed.v ? from.fixed.v[j] : from.fixed.c);
            else
                element = ad_view_slots(from.kind == AD_SPAN_MANY  ? from.slots[j]
                                        : from.kind == AD_SPAN_RUN ? from.slot + j
                                                                   : from.slot,
                                        0, NULL);
            status = add_scalar(e, slot, &element);
        }
    }
    return status;
}

enum { FEW = 16 };

enum ad_status ad_adjoints_add(struct ad_adjoints *e, const struct ad_view *target,
                               const struct ad_view *source)
{
    struct ad_tape *tape = e->tape;
    int64_t size = ad_view_size(target);
    struct ad_view from = *source, to;
    int32_t instr, low, high;

    if (ad_is_number(source, 0) || size == 0 || !ad_adjoints_active(e, target))
        return AD_OK;
    ad_view_broadcast(&from, target->ndim, target->shape);
    if (size == 1 && target->place == AD_SLOTS && target->ndim == 0)
        return add_scalar(e, (int32_t)target->base, source);
    if (target->place == AD_SLOTS) {
        instr = ad_tape_producer(tape, ad_view_lowest(target));
        if (!ad_tape_is_array(tape, instr)) { /* a scalar, stretched */
            enum ad_status status = AD_OK;

            if (size > 1)
                status = ad_record_sum(tape, &from, (1u << from.ndim) - 1, &from);
            from.ndim = 0;
            return status ? status : add_scalar(e, tape->dst[instr], &from);
        }
        to = *target;
        to.place = AD_OWN;
        to.base -= tape->dst[instr];
        return add_part(e, instr, &from, &to);
    }
    /* A list: many elements of one instruction at once, others one by one. */
    if (target->in.list->n < FEW)
        return add_each(e, target, &from);
    low = INT32_MAX;
    high = NONE;
    for (int64_t j = 0; j < target->in.list->n; j++) {
        low = AD_MIN(low, target->in.list->slot[j]);
        high = AD_MAX(high, target->in.list->slot[j]);
    }
    if (low < e->low || !ad_tape_is_array(tape, ad_tape_producer(tape, low)) ||
        ad_tape_producer(tape, low) != ad_tape_producer(tape, high))
        return add_each(e, target, &from);
    instr = ad_tape_producer(tape, low);
    to = *target;
    to.place = AD_OWN_LIST;
    to.in.list = ad_list_new(NULL, target->in.list->n);
    if (!to.in.list)
        return AD_NO_MEMORY;
    for (int64_t j = 0; j < target->in.list->n; j++)
        to.in.list->slot[j] = target->in.list->slot[j] - tape->dst[instr];
    enum ad_status status = add_part(e, instr, &from, &to);

    ad_list_drop(to.in.list);
    return status;
}

/* Are these all the slots of an instruction of 'size', in order? */
static bool is_whole(const struct ad_view *to, int64_t size)
{
    return to->place == AD_OWN && to->base == 0 && ad_view_size(to) == size &&
           ad_view_is_contiguous(to);
}

/* A list of one slot, or of constants that are equal, as a view without a list; consumes 'view', of one
 * dimension. */
static void simplify_list(const struct ad_tape *tape, struct ad_view *view)
{
    const int32_t *slot = view->in.list->slot;
    int64_t n = view->in.list->n;
    bool same = slot[0] < 0;

    for (int64_t j = 1; j < n && same; j++)
        same = slot[j] < 0 && tape->value[slot[j]] == tape->value[slot[0]];
    if (n == 1 || same) {
        struct ad_view simple = same ? ad_view_number(tape->value[slot[0]]) : *view;

        if (same) {
            ad_view_broadcast(&simple, 1, &n);
        } else {
            simple.place = AD_SLOTS;
            simple.base = slot[0];
            simple.in.bits = 0;
        }
        ad_view_drop(view);
        *view = simple;
    }
}

/* The slots of array instruction i that have scalar adjoints, as one more part. */
static enum ad_status add_scalars_as_part(struct ad_adjoints *e, int32_t i)
{
    struct ad_tape *tape = e->tape;
    int32_t length = ad_tape_length(tape, i), *latest = e->latest + (tape->dst[i] - e->low);
    int64_t n = 0, at = 0;
    struct ad_view from, to;
    enum ad_status status;

    for (int32_t j = 0; j < length; j++)
        n += latest[j] != NONE;
    if (n == 0)
        return AD_OK;
    from = ad_view_slots(0, 1, &n);
    from.place = AD_LIST;
    from.in.list = ad_list_new(&tape->lists, n);
    to = ad_view_slots(0, 1, &n);
    to.place = AD_OWN;
    if (!from.in.list)
        return AD_NO_MEMORY;
    if (n < length) {
        to.place = AD_OWN_LIST;
        to.in.list = ad_list_new(NULL, n);
        if (!to.in.list) {
            ad_list_drop(from.in.list);
            return AD_NO_MEMORY;
        }
    }
    for (int32_t j = 0; j < length; j++) {
        if (latest[j] == NONE)
            continue;
        from.in.list->slot[at] = latest[j];
        if (n < length)
            to.in.list->slot[at] = j;
        at++;
        latest[j] = NONE;
    }
    simplify_list(tape, &from);
    status = add_part(e, i, &from, &to);
    ad_view_drop(&from);
    ad_view_drop(&to);
    return status;
}

enum ad_status ad_adjoints_replace(struct ad_adjoints *e, int32_t i, const struct ad_view *g)
{
    int64_t size = ad_tape_length(e->tape, i);
    struct ad_view whole = ad_view_slots(0, 1, &size), number = *g;

    if (ad_tape_is_array(e->tape, i)) {
        whole.place = AD_OWN;
        e->parts_of[i - e->first] = -1;
        return add_part(e, i, g, &whole);
    }
    number.ndim = 0;
    e->latest[e->tape->dst[i] - e->low] = NONE;
    return add_scalar(e, e->tape->dst[i], &number);
}

/* ---- asking for them ---- */

enum ad_status ad_adjoints_of(struct ad_adjoints *e, int32_t i, struct ad_view *g)
{
    struct ad_tape *tape = e->tape;
    int64_t size, first, n = 0, at = 0;
    enum ad_status status;

    *g = ad_view_number(0);
    if (!ad_tape_is_array(tape, i)) {
        if (e->latest[tape->dst[i] - e->low] != NONE) {
            *g = ad_view_slots(e->latest[tape->dst[i] - e->low], 0, NULL);
            ad_emit_simplify(tape, g);
        }
        return AD_OK;
    }
    size = tape->aux[tape->a[i] + 2];
    status = add_scalars_as_part(e, i);
    if (status)
        return status;
    first = e->parts_of[i - e->first];
    if (first < 0)
        return AD_OK;
    for (int64_t k = first; k >= 0; k = e->parts[k].next)
        n++;
    if (n > 1 || !is_whole(&e->parts[first].to, size)) {
        struct ad_view *views = malloc(2 * (size_t)n * sizeof *views), sum;

        if (!views)
            return AD_NO_MEMORY;
        for (int64_t k = first; k >= 0; k = e->parts[k].next, at++) {
            views[n - 1 - at] = e->parts[k].from;
            views[2 * n - 1 - at] = e->parts[k].to;
        }
        status = ad_record_addto(tape, size, (int)n, views, views + n, &sum);
        free(views);
        if (status)
            return status;
        status = ad_adjoints_replace(e, i, &sum);
        if (status)
            return status;
        first = e->parts_of[i - e->first];
    }
    *g = e->parts[first].from;
    return AD_OK;
}

enum ad_status ad_adjoints_of_input(struct ad_adjoints *e, const struct ad_view *input,
                                    struct ad_view *result)
{
    struct ad_tape *tape = e->tape;
    int32_t low = ad_view_lowest(input);
    struct ad_view g, own = *input;
    int64_t size, n = ad_view_size(input), at = 0;
    enum ad_status status = AD_OK;

    *result = ad_view_number(0);
    if (low == INT32_MAX || n == 0)
        return AD_OK;
    if (input->place == AD_SLOTS) {
        int32_t i = ad_tape_producer(tape, low);

        status = ad_adjoints_of(e, i, &g);
        if (status || ad_is_number(&g, 0))
            return status;
        size = ad_tape_is_array(tape, i) ? tape->aux[tape->a[i] + 2] : 1;
        ad_view_hold(&g);
        status = g.place == AD_NUMBER ? AD_OK : ad_emit_reshaped(tape, &g, 1, &size);
        own.place = AD_OWN;
        own.base -= tape->dst[i];
        if (!status)
            status = ad_adjoints_part(tape, &g, &own, result);
        ad_view_drop(&g);
        return status;
    }
    /* Slots of several instructions: a list of their adjoints' slots. */
    struct ad_list *list = ad_list_new(&tape->lists, n);

    if (!list)
        return AD_NO_MEMORY;
    for (int64_t j = 0; j < n; j++)
        list->slot[j] = NONE;
#define COLLECT(j, found) list->slot[at++] = (found) + 0 * (int32_t)(j)
    AD_EACH_SLOT(tape, input, COLLECT);
    for (int64_t j = 0; j < n; j++) {
        int32_t slot = list->slot[j], i;
        double c = 0;
        struct ad_view one, position = ad_view_slots(0, 0, NULL);

        list->slot[j] = NONE;
        one = ad_view_number(0);
        if (slot >= e->low) {
            i = ad_tape_producer(tape, slot);
            status = ad_adjoints_of(e, i, &g);
            size = ad_tape_is_array(tape, i) ? tape->aux[tape->a[i] + 2] : 1;
            if (!status && g.place != AD_NUMBER) {
                ad_view_hold(&g);
                status = ad_emit_reshaped(tape, &g, 1, &size);
                position.place = AD_OWN;
                position.base = slot - tape->dst[i];
                if (!status)
                    status = ad_adjoints_part(tape, &g, &position, &one);
                ad_view_drop(&g);
            } else {
                one = g;
            }
            if (status) {
                ad_list_drop(list);
                return status;
            }
        }
        if (one.place == AD_SLOTS) {
            list->slot[j] = (int32_t)one.base;
        } else if (one.place == AD_LIST) {
            list->slot[j] = one.in.list->slot[one.base];
            ad_view_drop(&one);
        } else {
            c = one.place == AD_NUMBER ? one.in.number : one.in.array->data[one.base];
            ad_view_drop(&one);
            status = ad_tape_grow(tape, 0, 0, 1, 0);
            if (status) {
                ad_list_drop(list);
                return status;
            }
            list->slot[j] = ad_tape_const(tape, c);
        }
    }
    *result = ad_view_slots(0, input->ndim, input->shape);
    result->place = AD_LIST;
    result->in.list = list;
    return AD_OK;
}

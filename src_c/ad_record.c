/* ad_record.c -- instructions appended to a tape, and computed. */
#include "ad_tape.h"

#include <stdlib.h>
#include <string.h>

static int64_t view_words(const struct ad_view *view)
{
    return 4 + 2 * view->ndim;
}

/* Takes references of its own to what the views point at; 'room' slots are made ready. */
static enum ad_status append_block(struct ad_tape *tape, int code, double p, int64_t extra,
                                   int64_t size, int64_t room, int n, const struct ad_view *views)
{
    int64_t words = AD_BLOCK_HEADER, *block;
    enum ad_status status;

    for (int v = 0; v < n; v++)
        words += view_words(&views[v]);
    status = ad_tape_grow(tape, 1, room, 0, words);
    if (status)
        return status;
    block = tape->aux + tape->n_aux;
    block[0] = words;
    block[1] = n;
    block[2] = size;
    memcpy(block + 3, &p, sizeof p);
    block[4] = extra;
    block += AD_BLOCK_HEADER;
    for (int v = 0; v < n; v++) {
        block = ad_view_encode(block, &views[v]);
        tape->n_checked += views[v].place == AD_ARRAY && views[v].in.array->checked;
        ad_view_hold(&views[v]);
    }
    tape->op[tape->n] = (uint16_t)(code | AD_FLAG_ARRAY);
    tape->dst[tape->n] = tape->n_slots;
    tape->a[tape->n] = (int32_t)tape->n_aux;
    tape->b[tape->n] = 0;
    tape->handle[tape->n] = NULL;
    tape->n++;
    tape->n_slots += (int32_t)size;
    tape->n_aux += words;
    return AD_OK;
}

enum ad_status ad_record_block(struct ad_tape *tape, int code, double p, int64_t extra,
                               int64_t size, int n, const struct ad_view *views)
{
    return append_block(tape, code, p, extra, size, size, n, views);
}

enum ad_status ad_outline_block(struct ad_tape *tape, int code, double p, int64_t extra,
                                int64_t size, int n, const struct ad_view *views)
{
    ad_assert(tape->symbolic);
    if (size > AD_TAPE_MOST - tape->n_slots)
        return AD_NO_SLOTS;
    return append_block(tape, code, p, extra, size, 0, n, views);
}

enum ad_status ad_outline_scalar(struct ad_tape *tape, int code, int32_t a, int32_t b)
{
    enum ad_status status = ad_tape_grow(tape, 1, 0, 0, 0);

    ad_assert(tape->symbolic);
    if (!status && tape->n_slots >= AD_TAPE_MOST)
        status = AD_NO_SLOTS;
    if (status)
        return status;
    tape->op[tape->n] = (uint16_t)code;
    tape->dst[tape->n] = tape->n_slots++;
    tape->a[tape->n] = a;
    tape->b[tape->n] = b;
    tape->handle[tape->n++] = NULL;
    return AD_OK;
}

/* Compute the newest instruction, or take it back. */
static enum ad_status compute_newest(struct ad_tape *tape)
{
    enum ad_status status = tape->symbolic ? AD_OK : ad_tape_compute(tape, tape->n - 1);

    if (status)
        ad_tape_cut(tape, tape->n - 1, tape->n_consts);
    return status;
}

enum ad_status ad_record_input(struct ad_tape *tape, int64_t n, const double *values)
{
    enum ad_status status = ad_record_block(tape, AD_INPUT, 0, 0, n, 0, NULL);

    if (!status && values && n)
        memcpy(tape->value + tape->dst[tape->n - 1], values, (size_t)n * sizeof *values);
    return status;
}

/* A scalar op on scalars: two operands inline. */
static enum ad_status record_scalar(struct ad_tape *tape, enum ad_op op, double p, int n,
                                    const struct ad_view *const *args, struct ad_view *result)
{
    int32_t slot[2];
    double x[2] = {0, 0};
    struct ad_span_room room;
    enum ad_status status = ad_tape_grow(tape, 1, 1, 2, 0);

    if (status)
        return status;
    for (int i = 0; i < n; i++) {
        struct ad_span span = ad_span_of(args[i], 0, tape->value, 0, 1, &room);

        /* a constant is copied: each instruction gives back its own when it is popped */
        slot[i] = span.kind == AD_SPAN_FIXED ? ad_tape_const(tape, span.fixed.c) : span.slot;
        x[i] = tape->value[slot[i]];
    }
    if (ad_ops[op].family)
        slot[1] = ad_tape_const(tape, p);
    else if (n == 1)
        slot[1] = slot[0];
    ad_tape_push(tape, op, slot[0], slot[1],
                 tape->symbolic ? 0 : ad_op_value(op, p, x[0], x[1], 0));
    *result = ad_view_slots(tape->n_slots - 1, 0, NULL);
    return AD_OK;
}

enum ad_status ad_record_op(struct ad_tape *tape, enum ad_op op, double p,
                            const struct ad_view *const *args, struct ad_view *result)
{
    int n = ad_ops[op].n_args, ndim;
    int64_t shape[AD_MAX_DIMS], size;
    struct ad_view views[AD_MAX_ARGS + 1];
    bool numbers = true;
    enum ad_status status;

    for (int i = 0; i < n; i++)
        numbers &= args[i]->place == AD_NUMBER && args[i]->ndim == 0;
    if (numbers) {
        *result =
            ad_view_number(ad_op_value(op, p, args[0]->in.number, n > 1 ? args[1]->in.number : 0,
                                       n > 2 ? args[2]->in.number : 0));
        return AD_OK;
    }
    if (!ad_broadcast_shape(n, args, &ndim, shape))
        return AD_SHAPES_DIFFER;
    if (ndim == 0 && n <= 2)
        return record_scalar(tape, op, p, n, args, result);
    size = ad_shape_size(ndim, shape);
    if (size > AD_TAPE_MOST)
        return AD_NO_SLOTS;
    for (int i = 0; i < n; i++) {
        ad_view_copy(&views[i], args[i]);
        ad_view_broadcast(&views[i], ndim, shape);
    }
    ad_view_set_slots(&views[n], 0, ndim, shape);
    if (ndim > 1)
        ad_views_collapse(n + 1, views);
    status = ad_record_block(tape, op, p, 0, size, n, views);
    if (!status)
        status = compute_newest(tape);
    if (!status)
        ad_view_set_slots(result, tape->dst[tape->n - 1], ndim, shape);
    return status;
}

/*
 * Do the parts lie side by side, as copies and concatenations do, so that each of 'size' slots is
 * given exactly once?  A part takes 'run' neighbours out of every 'step' slots, 'count' times.
 */
static bool lie_side_by_side(int64_t size, int n, const struct ad_view *pairs)
{
    int64_t at = 0, count = 1, step = 0;

    for (int i = 0; i < n; i++) {
        struct ad_view to = pairs[2 * i + 1];
        int64_t run = 1, times = 1, apart = 0;

        if (ad_view_size(&to) == 0)
            continue;
        ad_views_collapse(1, &to);
        if (to.ndim > 0 && to.stride[to.ndim - 1] == 1)
            run = to.shape[--to.ndim];
        if (to.ndim > 0) {
            times = to.shape[0];
            apart = to.stride[0];
        }
        if (at == 0) {
            count = times;
            step = apart;
        }
        if (to.place != AD_OWN || to.base != at || to.ndim > 1 || times != count || apart != step)
            return false;
        at += run;
    }
    return at * count == size && (count == 1 || at == step);
}

enum ad_status ad_record_addto(struct ad_tape *tape, int64_t size, int n,
                               const struct ad_view *from, const struct ad_view *to,
                               struct ad_view *result)
{
    struct ad_view few[8] = {0}, *pairs = few;
    enum ad_status status = AD_OK;

    if (n > 4) {
        pairs = malloc(2 * (size_t)n * sizeof *pairs);
        if (!pairs)
            return AD_NO_MEMORY;
    }
    for (int i = 0; i < n && !status; i++) {
        pairs[2 * i] = from[i];
        pairs[2 * i + 1] = to[i];
        if (!ad_view_broadcast(&pairs[2 * i], to[i].ndim, to[i].shape))
            status = AD_SHAPES_DIFFER;
        else if (ad_view_size(&to[i]) == INT64_MAX)
            status = AD_NO_SLOTS;
        else
            ad_views_collapse(2, pairs + 2 * i);
    }
    if (!status)
        status = ad_record_block(tape, AD_ADDTO, 0, lie_side_by_side(size, n, pairs), size, 2 * n,
                                 pairs);
    if (!status)
        status = compute_newest(tape);
    if (!status)
        *result = ad_view_slots(tape->dst[tape->n - 1], 1, &size);
    if (pairs != few)
        free(pairs);
    return status;
}

enum ad_status ad_record_copy(struct ad_tape *tape, const struct ad_view *from,
                              struct ad_view *result)
{
    struct ad_view to = ad_view_slots(0, from->ndim, from->shape);
    enum ad_status status;

    to.place = AD_OWN;
    status = ad_record_addto(tape, ad_view_size(from), 1, from, &to, result);
    if (!status)
        *result = ad_view_slots(result->base, to.ndim, to.shape);
    return status;
}

enum ad_status ad_record_sum(struct ad_tape *tape, const struct ad_view *from, uint32_t axes,
                             struct ad_view *result)
{
    int64_t shape[AD_MAX_DIMS] = {0};
    struct ad_view to;
    enum ad_status status;

    for (int d = 0; d < from->ndim; d++)
        shape[d] = axes >> d & 1 ? 1 : from->shape[d];
    to = ad_view_slots(0, from->ndim, shape);
    to.place = AD_OWN;
    ad_view_broadcast(&to, from->ndim, from->shape);
    status = ad_record_addto(tape, ad_shape_size(to.ndim, shape), 1, from, &to, result);
    if (!status)
        *result = ad_view_slots(result->base, to.ndim, shape);
    return status;
}

enum ad_status ad_record_matmul(struct ad_tape *tape, const struct ad_view *a,
                                const struct ad_view *b, struct ad_view *result)
{
    struct ad_view views[2] = {*a, *b}, batch[2] = {*a, *b};
    const struct ad_view *both[2] = {&batch[0], &batch[1]};
    int64_t shape[AD_MAX_DIMS];
    int ndim;
    enum ad_status status;

    if (a->ndim < 2 || b->ndim < 2 || a->shape[a->ndim - 1] != b->shape[b->ndim - 2])
        return AD_SHAPES_DIFFER;
    batch[0].ndim -= 2;
    batch[1].ndim -= 2;
    if (!ad_broadcast_shape(2, both, &ndim, shape))
        return AD_SHAPES_DIFFER;
    for (int i = 0; i < 2; i++) {
        const struct ad_view *from = i ? b : a;

        shape[ndim] = from->shape[from->ndim - 2];
        shape[ndim + 1] = from->shape[from->ndim - 1];
        ad_view_broadcast(&views[i], ndim + 2, shape);
    }
    shape[ndim] = a->shape[a->ndim - 2];
    status = ad_record_block(tape, AD_MATMUL, 0, 0, ad_shape_size(ndim + 2, shape), 2, views);
    if (!status)
        status = compute_newest(tape);
    if (!status)
        *result = ad_view_slots(tape->dst[tape->n - 1], ndim + 2, shape);
    return status;
}

enum ad_status ad_record_along(struct ad_tape *tape, enum ad_code code, const struct ad_view *from,
                               int64_t extra, struct ad_view *result)
{
    int ndim = code == AD_CUMSUM || code == AD_ARGSORT ? from->ndim : from->ndim - 1;
    enum ad_status status;

    if (from->ndim == 0)
        return AD_SHAPES_DIFFER;
    if (code == AD_EXTREMUM && from->shape[ndim] == 0)
        return AD_EMPTY;
    status = ad_record_block(tape, code, 0, extra, ad_shape_size(ndim, from->shape), 1, from);
    if (!status)
        status = compute_newest(tape);
    if (!status)
        *result = ad_view_slots(tape->dst[tape->n - 1], ndim, from->shape);
    return status;
}

/* Along the last dimension, which becomes n. */
static enum ad_status record_at(struct ad_tape *tape, int code, int64_t extra, int64_t n,
                                const struct ad_view *x, const struct ad_view *index,
                                struct ad_view *result)
{
    struct ad_view views[2] = {*x, *index};
    int64_t shape[AD_MAX_DIMS];
    enum ad_status status;

    memcpy(shape, x->shape, sizeof shape);
    shape[x->ndim - 1] = n;
    status = ad_record_block(tape, code, 0, extra, ad_shape_size(x->ndim, shape), 2, views);
    if (!status)
        status = compute_newest(tape);
    if (!status)
        *result = ad_view_slots(tape->dst[tape->n - 1], x->ndim, shape);
    return status;
}

enum ad_status ad_record_gather(struct ad_tape *tape, const struct ad_view *x,
                                const struct ad_view *index, struct ad_view *result)
{
    if (x->ndim == 0 || index->ndim != 1)
        return AD_SHAPES_DIFFER;
    return record_at(tape, AD_GATHER, 0, index->shape[0], x, index, result);
}

enum ad_status ad_record_scatter(struct ad_tape *tape, const struct ad_view *x,
                                 const struct ad_view *index, int64_t n, struct ad_view *result)
{
    if (x->ndim == 0 || index->ndim != 1 || x->shape[x->ndim - 1] != index->shape[0])
        return AD_SHAPES_DIFFER;
    return record_at(tape, AD_SCATTER, n, n, x, index, result);
}

enum ad_status ad_record_kernel(struct ad_tape *tape, int64_t extra, double p, int n,
                                const struct ad_view *args, struct ad_view *result)
{
    struct ad_kernel kernel;
    int64_t shape[AD_MAX_DIMS];
    int leading;
    enum ad_status status;

    if (ad_kernel_read(extra, p, n, args, &kernel))
        return AD_SHAPES_DIFFER;
    leading = args[0].ndim - ad_kernel_row(kernel.name)->dims[0];
    if (leading + kernel.ndim > AD_MAX_DIMS)
        return AD_TOO_MANY_DIMS;
    memcpy(shape, args[0].shape, (size_t)leading * sizeof *shape);
    for (int d = 0; d < kernel.ndim; d++)
        shape[leading + d] = kernel.shape[d];
    status = ad_record_block(tape, AD_KERNEL, p, extra, ad_shape_size(leading + kernel.ndim, shape),
                             n, args);
    if (!status) {
        /* LAPACK may be loaded now, by Python, which may collect tensors: what is newest must stay. */
        int32_t floor = ad_tape_enter(tape, INT32_MAX);

        status = compute_newest(tape);
        ad_tape_leave(tape, floor);
    }
    if (!status)
        *result = ad_view_slots(tape->dst[tape->n - 1], leading + kernel.ndim, shape);
    return status;
}

enum ad_status ad_record_call(struct ad_tape *tape, void *rule, int n, const struct ad_view *args,
                              int64_t size, const double *values, struct ad_view *result)
{
    enum ad_status status =
        ad_record_block(tape, AD_CALL, 0, (int64_t)(uintptr_t)rule, size, n, args);

    if (status) {
        tape->hooks->release(rule);
        return status;
    }
    if (size && values)
        memcpy(tape->value + tape->dst[tape->n - 1], values, (size_t)size * sizeof *values);
    *result = ad_view_slots(tape->dst[tape->n - 1], 1, &size);
    return AD_OK;
}

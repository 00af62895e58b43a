/* ad_batch.c -- instructions over lanes. */
#include "ad_batch.h"

#include <stdlib.h>
#include <string.h>

#include "ad_linalg.h"

enum {
    MOST_ALONG = 64, /* elements of the rows of a running sum or an extremum */
    MOST_DIMS = AD_MAX_DIMS - 3
};

struct batch {
    const struct ad_program *from;
    const struct ad_tape *tape; /* of 'from' */
    struct ad_program *to;
    const uint8_t *shared; /* of each input */
    int64_t lanes;
    int32_t *first; /* of each instruction of 'from': the first of its new slots */
    int64_t left;   /* how many more copies of single elements may be made */
    bool unfit;     /* the program cannot be done, or not well */
};

/* An AD_ADDTO under way: pairs of views. */
struct addto {
    struct ad_view *views;
    int64_t n, capacity;
    int32_t source; /* the instruction of the element that the last pair ends with, or -1 */
};

static enum ad_status unfit(struct batch *b)
{
    b->unfit = true;
    return AD_NO_SLOTS; /* any failure will do */
}

/* ---- where things are now ---- */

static bool is_shared(const struct batch *b, int32_t i)
{
    return i < b->from->n_inputs && b->shared[i];
}

/* How far apart the results of instruction i are now. */
static int64_t step_of(const struct batch *b, int32_t i)
{
    return is_shared(b, i) ? 1 : b->lanes;
}

static int64_t place_of(const struct batch *b, int32_t slot, int64_t *step)
{
    int32_t i = ad_tape_producer(b->tape, slot);

    *step = step_of(b, i);
    return b->first[i] + (slot - b->tape->dst[i]) * *step;
}

/* Append a dimension, of the lanes. */
static void add_lanes(const struct batch *b, struct ad_view *view, int64_t stride)
{
    view->shape[view->ndim] = b->lanes;
    view->stride[view->ndim++] = stride;
}

/* Number 'slot' of each row. */
static struct ad_view lanes_of(const struct batch *b, int32_t slot)
{
    struct ad_view view;
    int64_t step;

    if (slot < 0) {
        view = ad_view_number(b->tape->value[slot]);
        add_lanes(b, &view, 0);
        return view;
    }
    view = ad_view_slots(place_of(b, slot, &step), 0, NULL);
    add_lanes(b, &view, step > 1);
    return view;
}

/* The first and last slot of a view of slots that has elements. */
static void reach_of(const struct ad_view *view, int64_t *low, int64_t *high)
{
    *low = *high = view->base;
    for (int d = 0; d < view->ndim; d++) {
        int64_t far = view->stride[d] * (view->shape[d] - 1);

        *low += AD_MIN(far, 0);
        *high += AD_MAX(far, 0);
    }
}

/* One number in the shape of a view. */
static struct ad_view number_like(const struct ad_view *view, double number)
{
    struct ad_view now = *view;

    now.place = AD_NUMBER;
    now.base = 0;
    now.in.number = number;
    for (int d = 0; d < now.ndim; d++)
        now.stride[d] = 0;
    return now;
}

/* The elements of a view in each row, as a view with lanes behind; false if there is none. */
static bool view_now(const struct batch *b, const struct ad_view *view, struct ad_view *now)
{
    int64_t size = ad_view_size(view), low, high, step;

    if (size == 0 || view->place == AD_NUMBER) {
        *now = number_like(view, size ? view->in.number : 0);
        add_lanes(b, now, 0);
        return true;
    }
    *now = *view;
    if (view->place == AD_ARRAY) {
        add_lanes(b, now, 0);
        return true;
    }
    if (view->place != AD_SLOTS)
        return false;
    reach_of(view, &low, &high);
    if (low < 0) {
        if (low != high)
            return false;
        *now = number_like(view, b->tape->value[low]);
        add_lanes(b, now, 0);
        return true;
    }
    if (ad_tape_producer(b->tape, (int32_t)low) != ad_tape_producer(b->tape, (int32_t)high))
        return false; /* a view is of results of one instruction */
    now->base = place_of(b, (int32_t)low, &step) + (view->base - low) * step;
    for (int d = 0; d < now->ndim; d++)
        now->stride[d] *= step;
    add_lanes(b, now, step > 1);
    return true;
}

/* ---- recording ---- */

static enum ad_status record(struct batch *b, int code, double p, int64_t extra, int64_t size,
                             int64_t n, const struct ad_view *views, int32_t *first)
{
    enum ad_status status;

    *first = b->to->tape->n_slots;
    status = ad_outline_block(b->to->tape, code, p, extra, size, (int)n, views);
    return status == AD_NO_SLOTS ? unfit(b) : status;
}

/* An elementwise op over operands of one shape; 'result' is a view of that shape. */
static enum ad_status record_op(struct batch *b, enum ad_op op, double p,
                                const struct ad_view *args, struct ad_view *result)
{
    struct ad_view views[AD_MAX_ARGS];
    int64_t size = ad_view_size(&args[0]);
    enum ad_status status;
    int32_t first;

    for (int v = 0; v < ad_ops[op].n_args; v++)
        views[v] = args[v];
    ad_views_collapse(ad_ops[op].n_args, views);
    status = record(b, op, p, 0, size, ad_ops[op].n_args, views, &first);
    *result = ad_view_slots(first, args[0].ndim, args[0].shape);
    return status;
}

static enum ad_status record_two(struct batch *b, enum ad_op op, struct ad_view x, struct ad_view z,
                                 struct ad_view *result)
{
    return record_op(b, op, 0, (struct ad_view[]){x, z}, result);
}

/* ---- AD_ADDTO ---- */

/* Room for one more pair; NULL without memory. */
static struct ad_view *one_more(struct addto *sum)
{
    if (sum->n + 2 > sum->capacity) {
        int64_t capacity = AD_MAX(2 * sum->capacity, 8);
        struct ad_view *views = realloc(sum->views, (size_t)capacity * sizeof *views);

        if (!views)
            return NULL;
        sum->views = views;
        sum->capacity = capacity;
    }
    sum->n += 2;
    return sum->views + sum->n - 2;
}

static enum ad_status add_pair(struct addto *sum, const struct ad_view *from,
                               const struct ad_view *to)
{
    struct ad_view *pair = one_more(sum);

    if (!pair)
        return AD_NO_MEMORY;
    pair[0] = *from;
    pair[1] = *to;
    ad_views_collapse(2, pair);
    sum->source = -1;
    return AD_OK;
}

/* The lanes 'from' of instruction 'source' added to the lanes of result 'at'; one pair does for neighbours. */
static enum ad_status add_element(struct batch *b, struct addto *sum, int32_t source,
                                  struct ad_view from, int64_t at)
{
    struct ad_view to = ad_view_slots(at * b->lanes, 1, from.shape);
    enum ad_status status;

    to.place = AD_OWN;
    if (source >= 0 && sum->source == source) {
        struct ad_view *last = sum->views + sum->n - 2;

        if (from.stride[0] == 1 && from.base == last->base + last->shape[0] &&
            to.base == last[1].base + last->shape[0]) {
            last->shape[0] += b->lanes;
            last[1].shape[0] += b->lanes;
            return AD_OK;
        }
    }
    status = b->left-- > 0 ? add_pair(sum, &from, &to) : unfit(b);
    sum->source = source;
    return status;
}

/* The elements of 'from' one by one; the j-th is added to result to[j], or without 'to' to the j-th. */
static enum ad_status add_elements(struct batch *b, struct addto *sum, const struct ad_view *from,
                                   const struct ad_view *to)
{
    int64_t n = ad_view_size(from);
    int64_t *at = malloc((2 * (size_t)n + 1) * sizeof *at), *where = at + n;
    enum ad_status status = at ? AD_OK : AD_NO_MEMORY;

    if (at)
        ad_view_positions(from, at);
    if (at && to)
        ad_view_positions(to, where);
    for (int64_t j = 0; j < n && !status; j++) {
        int64_t target = !to ? j : to->place == AD_OWN ? where[j] : to->in.list->slot[where[j]];
        struct ad_view element;
        int32_t source = -1;

        if (from->place == AD_NUMBER || from->place == AD_ARRAY) {
            element = ad_view_number(from->place == AD_NUMBER ? from->in.number
                                                              : from->in.array->data[at[j]]);
            add_lanes(b, &element, 0);
        } else {
            int32_t slot = from->place == AD_LIST ? from->in.list->slot[at[j]] : (int32_t)at[j];

            element = lanes_of(b, slot);
            if (slot >= 0)
                source = ad_tape_producer(b->tape, slot);
        }
        status = add_element(b, sum, source, element, target);
    }
    free(at);
    return status;
}

static enum ad_status record_addto(struct batch *b, const struct addto *sum, bool once,
                                   int64_t size, int32_t *first)
{
    return record(b, AD_ADDTO, 0, once, size, sum->n, sum->views, first);
}

/* The elements of a view in each row, copied together if need be. */
static enum ad_status view_of(struct batch *b, const struct ad_view *view, struct ad_view *now)
{
    struct addto sum = {NULL, 0, 0, -1};
    enum ad_status status;
    int32_t first;

    if (view->ndim > MOST_DIMS)
        return unfit(b);
    if (view_now(b, view, now))
        return AD_OK;
    status = add_elements(b, &sum, view, NULL);
    if (!status)
        status = record_addto(b, &sum, true, ad_view_size(view) * b->lanes, &first);
    free(sum.views);
    if (status)
        return status;
    *now = ad_view_slots(first, view->ndim, view->shape);
    for (int d = 0; d < now->ndim; d++)
        now->stride[d] *= b->lanes;
    add_lanes(b, now, 1);
    return AD_OK;
}

/* 0.0 + the sum of 'x' over dimension 'd', from its first element to its last. */
static enum ad_status record_sum(struct batch *b, const struct ad_view *x, int d,
                                 struct ad_view *result)
{
    struct addto sum = {NULL, 0, 0, -1};
    int64_t shape[AD_MAX_DIMS], step = 1;
    struct ad_view to = *x;
    enum ad_status status;
    int32_t first;
    int ndim = 0;

    to.place = AD_OWN;
    to.base = 0;
    for (int e = x->ndim - 1; e >= 0; e--) {
        to.stride[e] = e == d ? 0 : step;
        step *= e == d ? 1 : x->shape[e];
    }
    for (int e = 0; e < x->ndim; e++)
        if (e != d)
            shape[ndim++] = x->shape[e];
    status = add_pair(&sum, x, &to);
    if (!status)
        status = record_addto(b, &sum, false, step, &first);
    free(sum.views);
    if (!status)
        *result = ad_view_slots(first, ndim, shape);
    return status;
}

/* Every second index of dimension 'd', from 'start' on. */
static struct ad_view every_second(const struct ad_view *view, int d, int64_t start)
{
    struct ad_view half = *view;

    half.base += start * half.stride[d];
    half.shape[d] /= 2;
    half.stride[d] *= 2;
    return half;
}

/* The part of a view from 'start' to 'start' + n in dimension 'd'. */
static struct ad_view part_of(const struct ad_view *view, int d, int64_t start, int64_t n)
{
    struct ad_view part = *view;

    part.shape[d] = n;
    if (view->place != AD_NUMBER)
        part.base += start * view->stride[d];
    return part;
}

static struct ad_view without(const struct ad_view *view, int d)
{
    struct ad_view rest = *view;

    for (int e = d; e + 1 < view->ndim; e++) {
        rest.shape[e] = view->shape[e + 1];
        rest.stride[e] = view->stride[e + 1];
    }
    rest.ndim--;
    return rest;
}

/*
 * The sum of rows x[..., :, lane] as sum_run() in ad_compute.c has it: eight running sums, added up in pairs,
 * and the rest of the row.
 */
static enum ad_status record_eight(struct batch *b, const struct ad_view *x, struct ad_view *result)
{
    int d = x->ndim - 2;
    int64_t n = x->shape[d], eights = n / 8;
    struct ad_view part = part_of(x, d, 0, 8 * eights), rest = part_of(x, d, 8 * eights, n % 8);
    struct ad_view total;
    enum ad_status status = AD_OK;

    if (eights) {
        /* from (..., n, lanes) to (..., eights, 8, lanes) */
        part.ndim++;
        part.shape[d + 2] = part.shape[d + 1];
        part.stride[d + 2] = part.stride[d + 1];
        part.shape[d + 1] = 8;
        part.stride[d + 1] = part.stride[d];
        part.shape[d] = eights;
        part.stride[d] *= 8;
        status = record_sum(b, &part, d, &total);
        for (int halves = 0; halves < 3 && !status; halves++)
            status = record_two(b, AD_OP_add, every_second(&total, d, 0),
                                every_second(&total, d, 1), &total);
        if (status)
            return status;
        *result = total = without(&total, d);
    }
    if (n % 8 || !eights) {
        status = record_sum(b, &rest, d, result);
        if (!status && eights)
            status = record_two(b, AD_OP_add, total, *result, result);
    }
    return status;
}

/* A row of one number over and over, n times. */
static enum ad_status record_times(struct batch *b, const struct ad_view *x, int64_t n,
                                   struct ad_view *result)
{
    struct ad_view one = without(x, x->ndim - 2);

    return record_two(b, AD_OP_mul, number_like(&one, (double)n), one, result);
}

/* The sum of rows x[..., :, lane] as sum_view() in ad_compute.c has it: pairwise over tiles. */
static enum ad_status record_row_sum(struct batch *b, const struct ad_view *x,
                                     struct ad_view *result)
{
    int d = x->ndim - 2, levels = 0;
    struct ad_view part[48];
    bool repeats = x->place == AD_NUMBER || x->stride[d] == 0, full[48] = {false}, any = false;
    enum ad_status status = AD_OK;

    for (int64_t start = 0, n; start < x->shape[d] && !status; start += n) {
        struct ad_view tile, sum;
        int level = 0;

        n = AD_MIN(x->shape[d] - start, AD_TILE);
        tile = part_of(x, d, start, n);
        status = repeats ? record_times(b, &tile, n, &sum) : record_eight(b, &tile, &sum);
        for (; full[level] && !status; level++) {
            status = record_two(b, AD_OP_add, sum, part[level], &sum);
            full[level] = false;
        }
        part[level] = sum;
        full[level] = true;
        levels = AD_MAX(levels, level + 1);
    }
    for (int level = 0; level < levels && !status; level++) {
        if (!full[level])
            continue;
        /* the first is added to 0.0, which makes -0.0 of repeated numbers 0.0 */
        if (any)
            status = record_two(b, AD_OP_add, *result, part[level], result);
        else if (repeats)
            status = record_two(b, AD_OP_add, part[level], number_like(&part[level], 0), result);
        else
            *result = part[level];
        any = true;
    }
    return status;
}

/* Is a pair added up row by row?  As compute_addto_pair() in ad_compute.c has it. */
static bool sums_rows(const struct ad_view *to)
{
    return ad_view_size(to) > 1 && to->place == AD_OWN && to->stride[to->ndim - 1] == 0 &&
           (to->ndim < 2 || to->shape[to->ndim - 1] >= 16);
}

static enum ad_status batch_pair(struct batch *b, struct addto *sum, const struct ad_view *from,
                                 const struct ad_view *to)
{
    struct ad_view x, y = *to;
    enum ad_status status;

    if (ad_view_size(from) == 0)
        return AD_OK;
    if (from->ndim > MOST_DIMS)
        return unfit(b);
    if (sums_rows(to)) {
        status = view_of(b, from, &x);
        if (!status)
            status = record_row_sum(b, &x, &x);
        if (status)
            return status;
        y = without(to, to->ndim - 1);
    } else if (to->place != AD_OWN || !view_now(b, from, &x)) {
        return add_elements(b, sum, from, to);
    }
    y.base *= b->lanes;
    for (int d = 0; d < y.ndim; d++)
        y.stride[d] *= b->lanes;
    add_lanes(b, &y, 1);
    return add_pair(sum, &x, &y);
}

static enum ad_status batch_addto(struct batch *b, int32_t i)
{
    const int64_t *block = b->tape->aux + b->tape->a[i], *words = block + AD_BLOCK_HEADER;
    struct addto sum = {NULL, 0, 0, -1};
    enum ad_status status = AD_OK;

    for (int64_t v = 0; v < block[1] && !status; v += 2) {
        struct ad_view from, to;

        words = ad_view_decode(ad_view_decode(words, &from), &to);
        status = batch_pair(b, &sum, &from, &to);
    }
    if (!status)
        status = record_addto(b, &sum, block[4] != 0, block[2] * b->lanes, &b->first[i]);
    free(sum.views);
    return status;
}

/* ---- other instructions ---- */

static enum ad_status batch_scalar(struct batch *b, int32_t i)
{
    enum ad_op op = (enum ad_op)ad_tape_code(b->tape, i);
    struct ad_view args[2] = {lanes_of(b, b->tape->a[i]), lanes_of(b, b->tape->b[i])}, result;
    enum ad_status status = record_op(b, op, ad_tape_parameter(b->tape, i), args, &result);

    b->first[i] = (int32_t)result.base;
    return status;
}

static enum ad_status batch_op(struct batch *b, int32_t i, const struct ad_view *views)
{
    const int64_t *block = b->tape->aux + b->tape->a[i];
    enum ad_op op = (enum ad_op)ad_tape_code(b->tape, i);
    struct ad_view args[AD_MAX_ARGS], result;
    enum ad_status status = AD_OK;
    double p;

    memcpy(&p, block + 3, sizeof p);
    for (int v = 0; v < ad_ops[op].n_args && !status; v++)
        status = view_of(b, &views[v], &args[v]);
    if (!status)
        status = record_op(b, op, p, args, &result);
    if (!status)
        b->first[i] = (int32_t)result.base;
    return status;
}

/* c[i, j] = 0.0 + a[i, 0] b[0, j] + a[i, 1] b[1, j] + ...: the plain loop of ad_matmul(). */
static enum ad_status batch_matmul(struct batch *b, int32_t i, const struct ad_view *views)
{
    int nb = views[0].ndim - 2;
    int64_t m = views[0].shape[nb], k = views[0].shape[nb + 1], n = views[1].shape[nb + 1];
    struct ad_view x, z, product;
    enum ad_status status;

    if (m * k * n > AD_MATMUL_SMALL)
        return unfit(b);
    status = view_of(b, &views[0], &x);
    if (!status)
        status = view_of(b, &views[1], &z);
    if (status)
        return status;
    /* both as (..., k, m, n, lanes) */
    for (int v = 0; v < 2; v++) {
        struct ad_view *view = v ? &z : &x;
        int64_t strides[4] = {view->stride[nb + (v ? 0 : 1)], v ? 0 : view->stride[nb],
                              v ? view->stride[nb + 1] : 0, view->stride[nb + 2]};

        memcpy(view->shape + nb, (int64_t[]){k, m, n, b->lanes}, 4 * sizeof *view->shape);
        memcpy(view->stride + nb, strides, sizeof strides);
        view->ndim = nb + 4;
    }
    if (k == 0)
        return unfit(b);
    status = record_two(b, AD_OP_mul, x, z, &product);
    if (!status)
        status = record_sum(b, &product, nb, &product);
    if (!status)
        b->first[i] = (int32_t)product.base;
    return status;
}

/* Results that are views of one shape, side by side in the dimension before the lanes. */
static enum ad_status side_by_side(struct batch *b, int64_t n, const struct ad_view *parts,
                                   int32_t *first)
{
    struct addto sum = {NULL, 0, 0, -1};
    enum ad_status status = AD_OK;
    int64_t size = ad_view_size(&parts[0]);

    for (int64_t j = 0; j < n && !status; j++) {
        struct ad_view to = ad_view_slots(0, parts[j].ndim, parts[j].shape);

        to.place = AD_OWN;
        to.base = j * b->lanes;
        for (int d = 0; d + 1 < to.ndim; d++)
            to.stride[d] *= n;
        status = add_pair(&sum, &parts[j], &to);
    }
    if (!status)
        status = record_addto(b, &sum, true, n * size, first);
    free(sum.views);
    return status;
}

static enum ad_status batch_cumsum(struct batch *b, int32_t i, const struct ad_view *views)
{
    const int64_t *block = b->tape->aux + b->tape->a[i];
    struct ad_view parts[MOST_ALONG], x;
    int d = views[0].ndim - 1;
    int64_t n = views[0].shape[d];
    enum ad_status status;

    if (n > MOST_ALONG)
        return unfit(b);
    status = view_of(b, &views[0], &x);
    for (int64_t j = 0; j < n && !status; j++) {
        int64_t at = block[4] ? n - 1 - j : j;
        struct ad_view one = part_of(&x, d, at, 1);

        parts[at] = without(&one, d);
        if (j > 0)
            status =
                record_two(b, AD_OP_add, parts[at], parts[block[4] ? at + 1 : at - 1], &parts[at]);
    }
    return status ? status : side_by_side(b, n, parts, &b->first[i]);
}

static enum ad_status batch_extremum(struct batch *b, int32_t i, const struct ad_view *views)
{
    const int64_t *block = b->tape->aux + b->tape->a[i];
    int d = views[0].ndim - 1;
    int64_t n = views[0].shape[d];
    struct ad_view x, best, one;
    enum ad_status status;

    if (n > MOST_ALONG)
        return unfit(b);
    status = view_of(b, &views[0], &x);
    if (status)
        return status;
    one = part_of(&x, d, 0, 1);
    best = without(&one, d);
    for (int64_t j = 1; j < n && !status; j++) {
        one = part_of(&x, d, j, 1);
        status =
            record_two(b, block[4] ? AD_OP_minimum : AD_OP_maximum, best, without(&one, d), &best);
    }
    if (status)
        return status;
    if (n == 1) /* a copy, since what it is of may be anywhere */
        return side_by_side(b, 1, &best, &b->first[i]);
    b->first[i] = (int32_t)best.base;
    return AD_OK;
}

static enum ad_status batch_norm(struct batch *b, int32_t i, const struct ad_view *views)
{
    struct ad_view x, sum;
    enum ad_status status = view_of(b, &views[0], &x);

    if (!status)
        status = record_two(b, AD_OP_mul, x, x, &x);
    if (!status)
        status = record_eight(b, &x, &sum);
    if (!status)
        status = record_op(b, AD_OP_sqrt, 0, &sum, &sum);
    if (!status)
        b->first[i] = (int32_t)sum.base;
    return status;
}

static enum ad_status batch_instruction(struct batch *b, int32_t i)
{
    int code = ad_tape_code(b->tape, i);
    struct ad_view views[AD_MAX_ARGS];

    b->first[i] = b->to->tape->n_slots;
    if (!ad_tape_is_array(b->tape, i))
        return batch_scalar(b, i);
    if (ad_tape_length(b->tape, i) == 0)
        return AD_OK;
    if (code == AD_ADDTO)
        return batch_addto(b, i);
    if (ad_tape_has_rule(b->tape, i) || code == AD_INPUT || code == AD_ARGSORT ||
        code == AD_GATHER || code == AD_SCATTER)
        return unfit(b);
    ad_tape_views(b->tape, i, views, AD_MAX_ARGS);
    switch (code) {
    case AD_MATMUL:
        return batch_matmul(b, i, views);
    case AD_CUMSUM:
        return batch_cumsum(b, i, views);
    case AD_EXTREMUM:
        return batch_extremum(b, i, views);
    case AD_NORM:
        return batch_norm(b, i, views);
    default:
        return batch_op(b, i, views);
    }
}

/* ---- all of it ---- */

static enum ad_status batch_input(struct batch *b, int k)
{
    struct ad_view input = b->from->inputs[k];
    enum ad_status status;

    b->first[k] = b->to->tape->n_slots;
    if (!b->shared[k]) {
        if (input.ndim > MOST_DIMS)
            return unfit(b);
        add_lanes(b, &input, 1);
    }
    status = ad_program_add_input(b->to, input.ndim, input.shape, NULL);
    return status == AD_NO_SLOTS ? unfit(b) : status;
}

static enum ad_status batch_output(struct batch *b, const struct ad_view *view)
{
    struct ad_view now;
    enum ad_status status = view_of(b, view, &now);

    return status ? status : ad_program_add_output(b->to, &now);
}

enum ad_status ad_batch_new(const struct ad_program *from, int64_t lanes, const uint8_t *shared,
                            struct ad_program **to)
{
    struct batch b = {from, from->tape, ad_program_new(), shared, lanes, NULL, 0, false};
    enum ad_status status = AD_OK;

    ad_assert(lanes >= 8);
    *to = NULL;
    b.left = 4 * (int64_t)b.tape->n + 65536;
    b.first = malloc(((size_t)b.tape->n + 1) * sizeof *b.first);
    if (!b.first || !b.to)
        status = AD_NO_MEMORY;
    for (int k = 0; k < from->n_inputs && !status; k++)
        status = batch_input(&b, k);
    if (!status) {
        b.to->tape->symbolic = true;
        b.to->tape->hooks = b.tape->hooks;
    }
    for (int32_t i = from->n_inputs; i < b.tape->n && !status; i++)
        status = batch_instruction(&b, i);
    for (int k = 0; k < from->n_outputs && !status; k++)
        status = batch_output(&b, &from->outputs[k]);
    for (int g = 0; g < from->n_guards && !status; g++)
        status = batch_output(&b, &from->guards[g].view);
    free(b.first);
    if (status) {
        ad_program_free(b.to);
        return b.unfit ? AD_OK : status;
    }
    *to = b.to;
    return AD_OK;
}

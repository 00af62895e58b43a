/* program_views.h -- steps of random programs that only make views: each is a shape and a map from new
 * elements to old ones. */
#ifndef PROGRAM_VIEWS_H
#define PROGRAM_VIEWS_H

#include "program_values.h"

static struct value *view_step(struct program *p, int from, struct ad_view *view,
                               const int64_t *map)
{
    int64_t shape[AD_MAX_DIMS];
    struct value *value;

    memcpy(shape, view->shape, sizeof shape);
    value = new_value(p, view->ndim, shape);
    for (int64_t i = 0; i < value->size; i++)
        value->cell[i] = p->value[from].cell[map[i]];
    attach(p, value, view);
    check_values(p, value, 0, "a view");
    note_shape(value->ndim, value->shape);
    return value;
}

/* Element 'flat' of 'shape' in C order: its coordinates. */
static void unravel(int64_t flat, int ndim, const int64_t *shape, int64_t *index)
{
    for (int d = ndim - 1; d >= 0; d--) {
        index[d] = flat % shape[d];
        flat /= shape[d];
    }
}

static int64_t ravel(int ndim, const int64_t *shape, const int64_t *index)
{
    int64_t flat = 0;

    for (int d = 0; d < ndim; d++)
        flat = flat * shape[d] + index[d];
    return flat;
}

static struct ad_view borrowed_view(struct program *p, int from)
{
    struct ad_view view = view_of(&p->value[from]);

    ad_view_hold(&view);
    return view;
}

static void slice_step(struct program *p)
{
    int from = pick_value(p), out = 0;
    const struct value *x = &p->value[from];
    struct ad_view view = borrowed_view(p, from), old = view;
    int64_t start[AD_MAX_DIMS], step[AD_MAX_DIMS], kept[AD_MAX_DIMS], *map;

    check_note("v%d = v%d[", p->n, from);
    for (int d = 0; d < x->ndim; d++) {
        int64_t n = x->shape[d], count;
        bool index = n > 0 && rng_int(&p->rng, 0, 5) == 0;

        start[d] = n ? rng_int(&p->rng, 0, n - 1) : 0;
        step[d] = rng_int(&p->rng, 0, 2)   ? 1
                  : rng_int(&p->rng, 0, 1) ? -1
                                           : rng_int(&p->rng, -3, 3);
        if (step[d] == 0)
            step[d] = 2;
        if (!index && rng_int(&p->rng, 0, 1)) /* often the whole dimension */
            start[d] = step[d] > 0 ? 0 : AD_MAX(n - 1, 0);
        count = n == 0        ? 0
                : step[d] > 0 ? (n - 1 - start[d]) / step[d] + 1
                              : start[d] / -step[d] + 1;
        if (!index && rng_int(&p->rng, 0, 3) == 0)
            count = rng_int(&p->rng, 0, count);
        check_note(index ? "%" PRId64 ", " : "%" PRId64 "::%" PRId64 " of %" PRId64 ", ", start[d],
                   step[d], count);
        view.base += start[d] * old.stride[d];
        if (!index) {
            view.shape[out] = count;
            view.stride[out] = step[d] * old.stride[d];
            kept[out++] = d;
        }
    }
    check_note("]");
    view.ndim = out;
    map = malloc((size_t)(size_of(out, view.shape) + 1) * sizeof *map);
    for (int64_t i = 0; i < size_of(out, view.shape); i++) {
        int64_t index[AD_MAX_DIMS], at[AD_MAX_DIMS];

        unravel(i, out, view.shape, index);
        memcpy(at, start, sizeof at);
        for (int d = 0; d < out; d++)
            at[kept[d]] += index[d] * step[kept[d]];
        map[i] = ravel(x->ndim, x->shape, at);
    }
    view_step(p, from, &view, map);
    free(map);
}

/* The last two dimensions exchanged, or all of them in any order. */
static void transpose_value(struct program *p, int from, bool last_two)
{
    int axes[AD_MAX_DIMS];
    const struct value *x = &p->value[from];
    struct ad_view view = borrowed_view(p, from), old = view;
    int64_t *map = malloc((size_t)(x->size + 1) * sizeof *map);

    check_note("v%d = transpose(v%d: ", p->n, from);
    for (int d = 0; d < x->ndim; d++) {
        int other = (int)rng_int(&p->rng, 0, d);

        axes[d] = axes[other];
        axes[other] = d;
    }
    for (int d = 0; d < x->ndim && last_two; d++)
        axes[d] = d < x->ndim - 2 ? d : 2 * x->ndim - 3 - d;
    for (int d = 0; d < x->ndim; d++) {
        check_note("%d ", axes[d]);
        view.shape[d] = old.shape[axes[d]];
        view.stride[d] = old.stride[axes[d]];
    }
    check_note(")");
    for (int64_t i = 0; i < x->size; i++) {
        int64_t index[AD_MAX_DIMS], at[AD_MAX_DIMS];

        unravel(i, x->ndim, view.shape, index);
        for (int d = 0; d < x->ndim; d++)
            at[axes[d]] = index[d];
        map[i] = ravel(x->ndim, x->shape, at);
    }
    view_step(p, from, &view, map);
    free(map);
}

static void transpose_step(struct program *p)
{
    transpose_value(p, pick_value(p), false);
}

/* A shape of up to 4 dimensions for 'size' elements. */
static int random_shape(struct program *p, int64_t size, int64_t *shape)
{
    int ndim = 0;

    if (size == 0) {
        shape[0] = rng_int(&p->rng, 0, 3);
        shape[1] = 0;
        return 2;
    }
    while (ndim < 3 && rng_int(&p->rng, 0, 2)) {
        int64_t n = rng_int(&p->rng, 1, 8);

        if (size % n == 0) {
            shape[ndim++] = n;
            size /= n;
        }
    }
    if (size > 1 || rng_int(&p->rng, 0, 1))
        shape[ndim++] = size;
    return ndim;
}

static void reshape_step(struct program *p)
{
    int from = pick_value(p), ndim;
    const struct value *x = &p->value[from];
    struct ad_view view = borrowed_view(p, from);
    int64_t shape[AD_MAX_DIMS], *map = malloc((size_t)(x->size + 1) * sizeof *map);

    check_note("v%d = reshape(v%d)", p->n, from);
    ndim = random_shape(p, x->size, shape);
    if (!ad_view_reshape(&view, ndim, shape)) {
        struct ad_view copy = {0};

        check_note(" by copy");
        TRY(p, ad_record_copy(p->tape, &view, &copy));
        ad_view_drop(&view);
        view = copy;
        CHECK(ad_view_reshape(&view, ndim, shape), "a copy has any shape");
    }
    for (int64_t i = 0; i < x->size; i++)
        map[i] = i;
    view_step(p, from, &view, map);
    free(map);
}

/* Element 'flat' of 'shape' seen through NumPy's broadcasting in a value. */
static int64_t stretched(const struct value *x, int64_t flat, int ndim, const int64_t *shape)
{
    int64_t index[AD_MAX_DIMS], at[AD_MAX_DIMS];

    unravel(flat, ndim, shape, index);
    for (int d = 0; d < x->ndim; d++)
        at[d] = x->shape[d] == 1 ? 0 : index[ndim - x->ndim + d];
    return ravel(x->ndim, x->shape, at);
}

static void broadcast_step(struct program *p)
{
    int from = pick_value(p), extra, ndim;
    const struct value *x = &p->value[from];
    struct ad_view view = borrowed_view(p, from);
    int64_t shape[AD_MAX_DIMS], size, *map;

    extra = x->ndim < 3 ? (int)rng_int(&p->rng, 0, 1) : 0;
    ndim = x->ndim + extra;
    for (int d = 0; d < ndim; d++) {
        int64_t n = d < extra ? 1 : x->shape[d - extra];

        shape[d] = n != 1 ? n : rng_int(&p->rng, 0, 3) ? rng_int(&p->rng, 1, 7) : 1;
    }
    size = size_of(ndim, shape);
    if (size > MAX_SIZE) {
        ad_view_drop(&view);
        return;
    }
    check_note("v%d = broadcast(v%d)", p->n, from);
    map = malloc((size_t)(size + 1) * sizeof *map);
    for (int64_t i = 0; i < size; i++)
        map[i] = stretched(x, i, ndim, shape);
    CHECK(ad_view_broadcast(&view, ndim, shape), "broadcast");
    view_step(p, from, &view, map);
    free(map);
}

static void pick_step(struct program *p)
{
    int from = pick_value(p), ndim;
    const struct value *x = &p->value[from];
    struct ad_view view;
    int64_t n = rng_int(&p->rng, 0, 3) ? rng_int(&p->rng, 0, 12) : rng_int(&p->rng, 0, 700), *map,
            shape[AD_MAX_DIMS];

    if (!tracked(x) || (x->size == 0 && n > 0))
        return;
    check_note("v%d = v%d[list of %" PRId64 "]", p->n, from, n);
    view = borrowed_view(p, from);
    map = malloc((size_t)(n + 1) * sizeof *map);
    for (int64_t i = 0; i < n; i++)
        map[i] = rng_int(&p->rng, 0, x->size - 1);
    TRY(p, status_of(ad_view_pick(&view, &p->tape->lists, map, n)));
    ndim = random_shape(p, n, shape);
    CHECK(ad_view_reshape(&view, ndim, shape), "a list has any shape");
    view_step(p, from, &view, map);
    free(map);
}

#endif

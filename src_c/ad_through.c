/* ad_through.c -- strides through strides, and lists where these do not do. */
#include "ad_through.h"

#include <stdlib.h>
#include <string.h>

void ad_view_results(const struct ad_view *view, int32_t first, int64_t *at)
{
    int64_t n = ad_view_size(view);

    ad_view_positions(view, at);
    for (int64_t j = 0; j < n; j++)
        at[j] = (view->place == AD_LIST ? view->in.list->slot[at[j]] : at[j]) - first;
}

/*
 * A step of so many results is one of so many rows, columns and so on of the operand, if no step carries
 * over from one of these into another.
 */
static bool by_strides(const struct ad_view *operand, const struct ad_view *results, int32_t first,
                       struct ad_view *through)
{
    struct ad_view o = *operand;
    int64_t unit[AD_MAX_DIMS], low[AD_MAX_DIMS], high[AD_MAX_DIMS], rest = results->base - first;

    ad_views_collapse(1, &o);
    ad_strides(o.ndim, o.shape, unit);
    ad_view_copy(through, results);
    through->place = operand->place;
    through->in = operand->in;
    through->base = o.base;
    for (int t = 0; t < o.ndim; t++) {
        low[t] = high[t] = rest / unit[t];
        rest %= unit[t];
        through->base += low[t] * o.stride[t];
    }
    for (int d = 0; d < results->ndim; d++) {
        int64_t step = results->stride[d], left = step < 0 ? -step : step;

        through->stride[d] = 0;
        if (results->shape[d] <= 1)
            continue;
        for (int t = 0; t < o.ndim; t++) {
            int64_t steps = left / unit[t] * (step < 0 ? -1 : 1);

            left %= unit[t];
            through->stride[d] += steps * o.stride[t];
            low[t] += AD_MIN(steps, 0) * (results->shape[d] - 1);
            high[t] += AD_MAX(steps, 0) * (results->shape[d] - 1);
        }
    }
    for (int t = 0; t < o.ndim; t++)
        if (low[t] < 0 || high[t] >= o.shape[t])
            return false;
    return true;
}

/* A list of evenly spaced results of one array instruction becomes a view of slots. */
static void straighten(const struct ad_tape *tape, struct ad_view *view)
{
    const int32_t *slot = view->in.list->slot;
    int64_t n = view->in.list->n, step = n > 1 ? (int64_t)slot[1] - slot[0] : 0;
    int32_t i;

    if (n == 0 || slot[0] < 0 || slot[n - 1] < 0)
        return;
    i = ad_tape_producer(tape, slot[0]);
    if (slot[n - 1] < tape->dst[i] || slot[n - 1] - tape->dst[i] >= ad_tape_length(tape, i))
        return;
    for (int64_t j = 1; j < n; j++)
        if (slot[j] - (int64_t)slot[j - 1] != step)
            return;
    struct ad_view run = ad_view_slots(slot[0], 1, &n);

    run.stride[0] = step;
    ad_view_drop(view);
    *view = run;
}

/* Constants at some places are an array of their own. */
static enum ad_status select_constants(const struct ad_view *view, int64_t n,
                                       const int64_t *positions, struct ad_view *selected)
{
    int64_t size = ad_view_size(view);
    double *all = malloc((size_t)AD_MAX(size, 1) * sizeof *all),
           *some = malloc((size_t)AD_MAX(n, 1) * sizeof *some);

    *selected = ad_view_slots(0, 1, &n);
    selected->place = AD_ARRAY;
    selected->in.array = NULL;
    if (all && some) {
        ad_view_read(view, NULL, all);
        for (int64_t j = 0; j < n; j++)
            some[j] = all[positions[j]];
        selected->in.array = ad_array_copy(some, n);
    }
    free(all);
    free(some);
    return selected->in.array ? AD_OK : AD_NO_MEMORY;
}

enum ad_status ad_view_select(struct ad_tape *tape, const struct ad_view *view, int64_t n,
                              const int64_t *positions, struct ad_view *selected)
{
    if (view->place == AD_NUMBER) {
        *selected = ad_view_number(view->in.number);
        return AD_OK;
    }
    if (view->place == AD_ARRAY)
        return select_constants(view, n, positions, selected);
    *selected = *view;
    ad_view_hold(selected);
    if (!ad_view_pick(selected, &tape->lists, positions, n)) {
        ad_view_drop(selected);
        return AD_NO_MEMORY;
    }
    straighten(tape, selected);
    return AD_OK;
}

enum ad_status ad_view_through(struct ad_tape *tape, const struct ad_view *operand,
                               const struct ad_view *results, int32_t first,
                               struct ad_view *through)
{
    int64_t n = ad_view_size(results), *at;
    enum ad_status status;

    if (operand->place == AD_NUMBER) {
        *through = ad_view_number(operand->in.number);
        return AD_OK;
    }
    if (results->place == AD_SLOTS && by_strides(operand, results, first, through)) {
        ad_view_hold(through);
        return AD_OK;
    }
    at = malloc((size_t)AD_MAX(n, 1) * sizeof *at);
    if (!at)
        return AD_NO_MEMORY;
    ad_view_results(results, first, at);
    status = ad_view_select(tape, operand, n, at, through);
    free(at);
    if (!status)
        ad_view_reshape(through, results->ndim, results->shape);
    return status;
}

bool ad_view_same(const struct ad_view *a, const struct ad_view *b)
{
    if (a->place != b->place || a->ndim != b->ndim || a->base != b->base)
        return false;
    for (int d = 0; d < a->ndim; d++)
        if (a->shape[d] != b->shape[d] || (a->stride[d] != b->stride[d] && a->shape[d] > 1))
            return false;
    if (a->place != AD_LIST || a->in.list == b->in.list)
        return a->place == AD_SLOTS || a->in.bits == b->in.bits;
    return a->in.list->n == b->in.list->n &&
           memcmp(a->in.list->slot, b->in.list->slot,
                  (size_t)a->in.list->n * sizeof *a->in.list->slot) == 0;
}

void ad_view_squeeze(struct ad_view *view)
{
    int ndim = 0;

    for (int d = 0; d < view->ndim; d++)
        if (view->shape[d] != 1) {
            view->shape[ndim] = view->shape[d];
            view->stride[ndim++] = view->stride[d];
        }
    view->ndim = ndim;
}

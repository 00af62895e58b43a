/* ad_pushed.c -- where the weights of edges go among the entries. */
#include "ad_pushed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ad_derivation.h"
#include "ad_push.h"
#include "ad_through.h"

/* The entries, as they come together. */
struct entries {
    struct ad_derivation *d;
    const struct ad_pattern *pattern;
    int n_wanted;
    int64_t n_parts, capacity, n_contributions;
    struct part {
        struct ad_view from, to; /* holding references */
        int64_t n;
        int32_t first; /* entry that is given first */
    } *parts;
};

/* Rows or columns of the elements of a view of one of the wanted inputs. */
static void numbers_of(const struct entries *e, const struct ad_view *view, int64_t *number)
{
    int64_t n = ad_view_size(view), first = 0;
    int32_t low =
        (int32_t)(view->place == AD_LIST ? view->in.list->slot[view->base] : ad_view_lowest(view));

    for (int k = 0; k < e->n_wanted; k++) {
        const struct ad_view *input = &e->d->inputs[k];
        int64_t size = ad_view_size(input);

        if (low >= input->base && low < input->base + size) {
            ad_view_results(view, (int32_t)input->base, number);
            for (int64_t j = 0; j < n; j++)
                number[j] += first;
            return;
        }
        first += size;
    }
    ad_unreachable();
}

/* The entry in a row and column, or -1; '*rank' is where in its row the one before was, and this one is. */
static int64_t entry_at(const struct ad_pattern *pattern, int64_t row, int64_t column,
                        int64_t *rank)
{
    int64_t low = pattern->start[row], high = pattern->start[row + 1], near = low + *rank;

    if (near >= high || pattern->column[near] != column) {
        while (low < high) {
            int64_t middle = low + (high - low) / 2;

            if (pattern->column[middle] < column)
                low = middle + 1;
            else
                high = middle;
        }
        near = low;
        if (near == pattern->start[row + 1] || pattern->column[near] != column)
            return -1;
        *rank = near - pattern->start[row];
    }
    return near;
}

/* Where the elements of a view of the shape of 'like' go, if they are evenly spaced. */
static bool by_strides(const struct ad_view *like, const int32_t *entry, struct ad_view *to)
{
    int64_t n = ad_view_size(like), unit[AD_MAX_DIMS], *at = malloc((size_t)n * sizeof *at);
    bool same = at != NULL;

    if (!at)
        return false;
    ad_strides(like->ndim, like->shape, unit);
    *to = ad_view_slots(entry[0], like->ndim, like->shape);
    to->place = AD_OWN;
    for (int d = 0; d < like->ndim; d++)
        to->stride[d] = like->shape[d] > 1 ? entry[unit[d]] - entry[0] : 0;
    ad_view_positions(to, at);
    for (int64_t j = 0; j < n && same; j++)
        same = at[j] == entry[j];
    free(at);
    return same;
}

static enum ad_status add_part(struct entries *e, const struct ad_view *like,
                               const struct ad_view *w, int64_t n, const int64_t *row,
                               const int64_t *column)
{
    struct ad_list *list = ad_list_new(NULL, n);
    int64_t rank = 0;
    struct part *part;

    if (!list)
        return AD_NO_MEMORY;
    for (int64_t j = 0; j < n; j++) {
        int64_t entry = entry_at(e->pattern, row[j], column[j], &rank);

        if (entry < 0) { /* both are found independently; if they differ, trust neither */
            ad_list_drop(list);
            return AD_NO_EDGES;
        }
        list->slot[j] = (int32_t)entry;
    }
    if (e->n_parts == e->capacity) {
        int64_t capacity = 2 * e->capacity + 16;
        struct part *grown = realloc(e->parts, (size_t)capacity * sizeof *grown);

        if (!grown) {
            ad_list_drop(list);
            return AD_NO_MEMORY;
        }
        e->parts = grown;
        e->capacity = capacity;
    }
    part = &e->parts[e->n_parts++];
    part->from = *w;
    part->n = n;
    part->first = list->slot[0];
    ad_view_hold(w);
    if (by_strides(like, list->slot, &part->to)) {
        ad_list_drop(list);
    } else {
        part->to = ad_view_slots(0, like->ndim, like->shape);
        part->to.place = AD_OWN_LIST;
        part->to.in.list = list;
    }
    e->n_contributions += n;
    return AD_OK;
}

static enum ad_status add_edge(struct entries *e, const struct ad_push_edge *edge)
{
    int64_t n = ad_view_size(&edge->a), *row = malloc(2 * (size_t)n * sizeof *row),
            *column = row + n;
    enum ad_status status = AD_OK;

    if (!row)
        return AD_NO_MEMORY;
    numbers_of(e, &edge->a, row);
    numbers_of(e, &edge->b, column);
    status = add_part(e, &edge->a, &edge->w, n, row, column);
    if (!status && !edge->loop)
        status = add_part(e, &edge->a, &edge->w, n, column, row);
    free(row);
    return status;
}

/* Parts of one length that give entries later come first, so that they can be added up in one loop: see
 * ad_overlap.h. */
static int later_first(const void *a, const void *b)
{
    const struct part *first = a, *second = b;

    if (first->n != second->n)
        return (first->n < second->n) - (first->n > second->n);
    return (first->first < second->first) - (first->first > second->first);
}

static enum ad_status add_entries(struct entries *e)
{
    int64_t size = e->pattern->start[e->pattern->n_rows];
    struct ad_view *views = malloc((size_t)AD_MAX(2 * e->n_parts, 1) * sizeof *views), whole;
    enum ad_status status = views ? AD_OK : AD_NO_MEMORY;

    if (!status) {
        if (e->n_parts)
            qsort(e->parts, (size_t)e->n_parts, sizeof *e->parts, later_first);
        for (int64_t k = 0; k < e->n_parts; k++) {
            views[k] = e->parts[k].from;
            views[e->n_parts + k] = e->parts[k].to;
        }
        if (e->n_parts) {
            status = ad_record_addto(e->d->r.to->tape, size, (int)e->n_parts, views,
                                     views + e->n_parts, &whole);
        } else {
            whole = ad_view_number(0);
            ad_view_broadcast(&whole, 1, &size);
        }
    }
    free(views);
    return status ? status : ad_program_add_output(e->d->r.to, &whole);
}

/* The gradient becomes outputs if 'keep'; edges are left in 'push'. */
static enum ad_status push_edges(struct ad_derivation *d, int n_wanted, bool keep,
                                 struct ad_push *push)
{
    struct ad_view one = ad_view_number(1);
    enum ad_status status = ad_emit_reverse_seen(d->r.to->tape, 1, d->outputs, &one, n_wanted,
                                                 d->inputs, d->results, &push->visitor);

    if (status)
        return status;
    if (keep)
        return ad_derivation_results(d, n_wanted, 0, d->inputs);
    for (int k = 0; k < n_wanted; k++)
        ad_view_drop(&d->results[k]);
    return AD_OK;
}

/*
 * A guard that fails if any weight is not finite: the sum of all of them, less itself, is 0 then and only then.
 * (A sum may overflow though its terms are finite, and fails as well.)
 */
static enum ad_status guard_weights(struct ad_derivation *d, const struct ad_push *push,
                                    bool *guarded)
{
    struct ad_tape *tape = d->r.to->tape;
    struct ad_view *views = malloc((size_t)AD_MAX(2 * push->n, 1) * sizeof *views), sum, zero;
    const struct ad_view *args[AD_MAX_ARGS] = {&sum, &sum};
    const double expected = 0;
    int n = 0;
    enum ad_status status = views ? AD_OK : AD_NO_MEMORY;

    for (int32_t k = 0; k < push->n && !status; k++) {
        const struct ad_view *w = &push->edges[k].w;

        if (w->place == AD_NUMBER && !isfinite(w->in.number))
            status = AD_NO_EDGES;
        if (w->place == AD_NUMBER)
            continue;
        views[n] = *w;
        views[push->n + n] = *w;
        views[push->n + n].place = AD_OWN;
        views[push->n + n].base = 0;
        memset(views[push->n + n++].stride, 0, sizeof views->stride);
    }
    *guarded = n > 0;
    if (!status && n > 0)
        status = ad_record_addto(tape, 1, n, views, views + push->n, &sum);
    free(views);
    if (status || n == 0)
        return status;
    status = ad_record_op(tape, AD_OP_sub, 0, args, &zero);
    return status ? status : ad_program_add_guard(d->r.to, AD_GUARD_VALUE, -1, &zero, &expected);
}

/*
 * What edges and lanes are likely to cost, in numbers.  Of those that are recorded for edges about half are common
 * subexpressions or of a gradient that nobody asked for; what is added to entries is read and written.  Lanes take the
 * gradient and what it changes by in each of as many lanes as a row has entries: scattered and gathered, or of a scalar
 * instruction, eight at once.
 */
static double cost_of_edges(const struct entries *e, int64_t n_recorded)
{
    return (double)n_recorded / 2 + 2 * (double)e->n_contributions;
}

static double cost_of_lanes(const struct entries *e, const struct ad_tape *tape)
{
    const struct ad_pattern *pattern = e->pattern;
    double lanes =
        ceil((double)pattern->start[pattern->n_rows] / (double)AD_MAX(pattern->n_rows, 1));
    int64_t n_scalars = 0;

    for (int32_t i = 0; i < tape->n; i++)
        n_scalars += !ad_tape_is_array(tape, i);
    return (1 + 3 * lanes) * (double)(tape->n_slots - n_scalars) +
           (1 + 3 * (1 + lanes / 8)) * (double)n_scalars;
}

enum ad_status ad_derive_pushed_hessian(const struct ad_program *from, int n_wanted,
                                        const int *wanted, bool keep,
                                        const struct ad_pattern *pattern, struct ad_program **to,
                                        struct ad_pushed *pushed)
{
    struct ad_derivation d;
    struct ad_push push = {.n = 0};
    struct entries e = {.d = &d, .pattern = pattern, .n_wanted = n_wanted};
    enum ad_status status = ad_derivation_begin(&d, from);

    *pushed = (struct ad_pushed){.edges = 0};
    if (!status)
        status = ad_derivation_copy(&d);
    for (int k = 0; k < n_wanted && !status; k++)
        d.inputs[k] = d.r.to->inputs[wanted[k]];
    pushed->cost[1] = cost_of_lanes(&e, from->tape);
    if (!status)
        status =
            ad_push_begin(&push, d.r.to->tape, from->tape->n_slots + 2 * (int64_t)pushed->cost[1]);
    if (!status)
        status = push_edges(&d, n_wanted, keep, &push);
    for (int32_t i = 0; i < push.n_first && !status; i++)
        for (int32_t k = push.first[i]; k >= 0 && !status; k = push.edges[k].next) {
            status = add_edge(&e, &push.edges[k]);
            pushed->edges++;
        }
    if (!status) {
        pushed->cost[0] = cost_of_edges(&e, d.r.to->tape->n_slots - from->tape->n_slots);
        status = pushed->cost[0] <= pushed->cost[1] ? AD_OK : AD_NO_EDGES;
    }
    if (!status)
        status = guard_weights(&d, &push, &pushed->guarded);
    if (!status)
        status = add_entries(&e);
    for (int64_t k = 0; k < e.n_parts; k++) {
        ad_view_drop(&e.parts[k].from);
        ad_view_drop(&e.parts[k].to);
    }
    free(e.parts);
    ad_push_end(&push);
    return ad_derivation_end(&d, status, keep, to);
}

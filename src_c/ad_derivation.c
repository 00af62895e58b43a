/* ad_derivation.c -- a program copied, with room for emission on the copy. */
#include "ad_derivation.h"

#include <stdlib.h>

/* A shape with a dimension of lanes before it; the shape itself of 0 lanes. */
static enum ad_status with_lanes(int64_t lanes, const struct ad_view *like, struct ad_view *shaped)
{
    int lead = lanes > 0;

    if (like->ndim + lead > AD_MAX_DIMS)
        return AD_TOO_MANY_DIMS;
    shaped->ndim = like->ndim + lead;
    shaped->shape[0] = lanes;
    for (int d = 0; d < like->ndim; d++)
        shaped->shape[lead + d] = like->shape[d];
    return AD_OK;
}

enum ad_status ad_derivation_seed(struct ad_derivation *d, int64_t lanes,
                                  const struct ad_view *like)
{
    struct ad_program *program = d->r.to;
    struct ad_tape *tape = program->tape;
    struct ad_view shaped;
    enum ad_status status = with_lanes(lanes, like, &shaped);

    if (!status)
        status = ad_program_add_input(program, shaped.ndim, shaped.shape, NULL);
    if (!status && !tape->symbolic)
        for (int32_t slot = tape->dst[tape->n - 1]; slot < tape->n_slots; slot++)
            tape->value[slot] = 1;
    return status;
}

enum ad_status ad_derivation_colors(const struct ad_view *like, int64_t lanes, const int32_t *color,
                                    int64_t first, struct ad_view *seed)
{
    int64_t n = ad_view_size(like);
    struct ad_view shaped;
    double *data;
    enum ad_status status = with_lanes(lanes, like, &shaped);

    if (status)
        return status;
    data = calloc((size_t)AD_MAX(lanes * n, 1), sizeof *data);
    if (!data)
        return AD_NO_MEMORY;
    for (int64_t j = 0; j < n; j++) {
        int64_t lane = color ? color[first + j] : first + j;

        if (lane >= 0)
            data[lane * n + j] = 1;
    }
    *seed = ad_view_slots(0, shaped.ndim, shaped.shape);
    seed->place = AD_ARRAY;
    seed->in.array = ad_array_copy(data, lanes * n);
    free(data);
    return seed->in.array ? AD_OK : AD_NO_MEMORY;
}

enum ad_status ad_derivation_begin(struct ad_derivation *d, const struct ad_program *from)
{
    enum ad_status status = ad_rewrite_begin(&d->r, from);
    size_t n = (size_t)AD_MAX(from->n_inputs, from->n_outputs) + 1;

    d->n_outputs = 0;
    d->outputs = malloc(n * sizeof *d->outputs);
    d->inputs = malloc(n * sizeof *d->inputs);
    d->seeds = malloc(n * sizeof *d->seeds);
    d->results = malloc(n * sizeof *d->results);
    if (!d->outputs || !d->inputs || !d->seeds || !d->results)
        return AD_NO_MEMORY;
    if (!status)
        d->r.to->tape->symbolic = !ad_program_needs_values(from);
    return status;
}

enum ad_status ad_derivation_copy(struct ad_derivation *d)
{
    const struct ad_program *from = d->r.from;
    enum ad_status status = AD_OK;

    for (int32_t i = from->n_inputs; i < from->tape->n && !status; i++)
        status = ad_rewrite_copy(&d->r, i);
    for (int k = 0; k < from->n_outputs && !status; k++) {
        status = ad_rewrite_view(&d->r, &from->outputs[k], &d->outputs[k]);
        d->n_outputs += !status;
    }
    return status;
}

enum ad_status ad_derivation_results(struct ad_derivation *d, int n, int64_t lanes,
                                     const struct ad_view *like)
{
    enum ad_status status = AD_OK;
    struct ad_view shaped;

    for (int k = 0; k < n; k++) {
        if (!status)
            status = with_lanes(lanes, &like[k], &shaped);
        if (!status) {
            ad_view_broadcast(&d->results[k], shaped.ndim, shaped.shape);
            status = ad_program_add_output(d->r.to, &d->results[k]);
        }
        ad_view_drop(&d->results[k]);
    }
    return status;
}

static void reverse_views(struct ad_view *views, int n)
{
    for (int k = 0; k < n / 2; k++) {
        struct ad_view view = views[k];

        views[k] = views[n - 1 - k];
        views[n - 1 - k] = view;
    }
}

enum ad_status ad_derivation_end(struct ad_derivation *d, enum ad_status status, bool keep,
                                 struct ad_program **to)
{
    int n = d->r.to ? d->r.to->n_outputs : 0;

    for (int k = 0; k < d->n_outputs; k++)
        ad_view_drop(&d->outputs[k]);
    free(d->outputs);
    free(d->inputs);
    free(d->seeds);
    free(d->results);
    status = ad_rewrite_end(&d->r, status, to);
    if (status)
        return status;
    if (!keep)
        while ((*to)->n_outputs > n)
            ad_view_drop(&(*to)->outputs[--(*to)->n_outputs]);
    reverse_views((*to)->outputs, n);
    reverse_views((*to)->outputs + n, (*to)->n_outputs - n);
    reverse_views((*to)->outputs, (*to)->n_outputs);
    return AD_OK;
}

enum ad_status ad_derivation_drop_inputs(const struct ad_program *from, int n,
                                         struct ad_program **to)
{
    struct ad_program fewer = *from;
    struct ad_rewrite r;
    uint8_t *used = malloc((size_t)from->tape->n + 1);
    enum ad_status status;

    fewer.n_inputs = n;
    status = ad_rewrite_begin(&r, &fewer);
    if (!used)
        status = AD_NO_MEMORY;
    else
        ad_program_used(&fewer, used);
    for (int32_t i = n; i < from->tape->n && !status; i++) {
        if (!used[i])
            continue;
        if (i < from->n_inputs) {
            int64_t size = ad_tape_length(from->tape, i);
            struct ad_view one = ad_view_number(1), ones;

            ad_view_broadcast(&one, 1, &size);
            status = ad_record_copy(r.to->tape, &one, &ones);
            if (!status)
                ad_rewrite_results(&r, i, (int32_t)ones.base);
        } else {
            status = ad_rewrite_copy(&r, i);
        }
    }
    free(used);
    return ad_rewrite_end(&r, status, to);
}

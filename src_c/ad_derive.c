/* ad_derive.c -- programs copied, and derivatives emitted on the copy. */
#include "ad_derive.h"

#include <stdlib.h>

#include "ad_emit.h"
#include "ad_rewrite.h"

/* A derivation under way: the copy, and the views that emission is given and gives. */
struct derivation {
    struct ad_rewrite r;
    struct ad_view *outputs; /* n_outputs of 'from' on the new tape, each holding a reference */
    int n_outputs;           /* so far */
    struct ad_view *seeds, *inputs, *results;
};

/* Do emission and its rules need values?  They are called only for instructions of these kinds. */
static bool needs_values(const struct ad_program *program)
{
    const struct ad_tape *tape = program->tape;

    if (tape->n_notes > 0)
        return true;
    for (int32_t i = 0; i < tape->n; i++)
        if (ad_tape_code(tape, i) == AD_CALL)
            return true;
    return false;
}

/* An input of this shape, after those of 'from'. */
static enum ad_status add_seed(struct ad_program *program, int ndim, const int64_t *shape)
{
    enum ad_status status = ad_program_add_input(program, ndim, shape, NULL);
    struct ad_tape *tape = program->tape;

    if (!status && !tape->symbolic)
        for (int32_t slot = tape->dst[tape->n - 1]; slot < tape->n_slots; slot++)
            tape->value[slot] = 1;
    return status;
}

/* The copy has inputs only, so that others may be added. */
static enum ad_status derivation_begin(struct derivation *d, const struct ad_program *from)
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
        d->r.to->tape->symbolic = !needs_values(from);
    return status;
}

/* All instructions, and where the outputs are now. */
static enum ad_status derivation_copy(struct derivation *d)
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

/* Results become outputs, in the shapes of 'like'; gives up the references to them. */
static enum ad_status take_results(struct derivation *d, int n, const struct ad_view *like)
{
    enum ad_status status = AD_OK;

    for (int k = 0; k < n; k++) {
        ad_view_broadcast(&d->results[k], like[k].ndim, like[k].shape);
        if (!status)
            status = ad_program_add_output(d->r.to, &d->results[k]);
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

/* The results, which are outputs already, go behind those of 'from', or instead of them. */
static enum ad_status derivation_end(struct derivation *d, enum ad_status status, bool keep,
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

enum ad_status ad_derive_reverse(const struct ad_program *from, int n_wanted, const int *wanted,
                                 bool ones, bool keep, struct ad_program **to)
{
    struct derivation d;
    enum ad_status status = derivation_begin(&d, from);

    for (int k = 0; k < from->n_outputs && !status; k++) {
        if (ones) {
            d.seeds[k] = ad_view_number(1);
        } else {
            status = add_seed(d.r.to, from->outputs[k].ndim, from->outputs[k].shape);
            if (!status)
                d.seeds[k] = d.r.to->inputs[from->n_inputs + k];
        }
    }
    if (!status)
        status = derivation_copy(&d);
    for (int k = 0; k < n_wanted && !status; k++)
        d.inputs[k] = d.r.to->inputs[wanted[k]];
    if (!status)
        status = ad_emit_reverse(d.r.to->tape, from->n_outputs, d.outputs, d.seeds, n_wanted,
                                 d.inputs, d.results);
    if (!status)
        status = take_results(&d, n_wanted, d.inputs);
    return derivation_end(&d, status, keep, to);
}

enum ad_status ad_derive_forward(const struct ad_program *from, int n_wanted, const int *wanted,
                                 bool keep, struct ad_program **to)
{
    struct derivation d;
    enum ad_status status = derivation_begin(&d, from);

    for (int k = 0; k < n_wanted && !status; k++)
        status = add_seed(d.r.to, from->inputs[wanted[k]].ndim, from->inputs[wanted[k]].shape);
    if (!status)
        status = derivation_copy(&d);
    for (int k = 0; k < n_wanted && !status; k++) {
        d.inputs[k] = d.r.to->inputs[wanted[k]];
        d.seeds[k] = d.r.to->inputs[from->n_inputs + k];
    }
    if (!status)
        status = ad_emit_forward(d.r.to->tape, n_wanted, d.inputs, d.seeds, from->n_outputs,
                                 d.outputs, d.results);
    if (!status)
        status = take_results(&d, from->n_outputs, from->outputs);
    return derivation_end(&d, status, keep, to);
}

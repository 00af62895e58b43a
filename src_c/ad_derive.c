/* ad_derive.c -- programs copied, and derivatives emitted on the copy. */
#include "ad_derive.h"

#include "ad_derivation.h"
#include "ad_emit.h"
#include "ad_emit_along.h"

enum ad_status ad_derive_reverse(const struct ad_program *from, int n_wanted, const int *wanted,
                                 bool ones, bool keep, struct ad_program **to)
{
    struct ad_derivation d;
    enum ad_status status = ad_derivation_begin(&d, from);

    for (int k = 0; k < from->n_outputs && !status; k++) {
        if (ones) {
            d.seeds[k] = ad_view_number(1);
        } else {
            status = ad_derivation_seed(&d, 0, &from->outputs[k]);
            if (!status)
                d.seeds[k] = d.r.to->inputs[from->n_inputs + k];
        }
    }
    if (!status)
        status = ad_derivation_copy(&d);
    for (int k = 0; k < n_wanted && !status; k++)
        d.inputs[k] = d.r.to->inputs[wanted[k]];
    if (!status)
        status = ad_emit_reverse(d.r.to->tape, from->n_outputs, d.outputs, d.seeds, n_wanted,
                                 d.inputs, d.results);
    if (!status)
        status = ad_derivation_results(&d, n_wanted, 0, d.inputs);
    return ad_derivation_end(&d, status, keep, to);
}

static enum ad_status forward(const struct ad_program *from, int64_t lanes, int n_wanted,
                              const int *wanted, bool keep, struct ad_program **to)
{
    struct ad_derivation d;
    enum ad_status status = ad_derivation_begin(&d, from);

    for (int k = 0; k < n_wanted && !status; k++)
        status = ad_derivation_seed(&d, lanes, &from->inputs[wanted[k]]);
    if (!status)
        status = ad_derivation_copy(&d);
    for (int k = 0; k < n_wanted && !status; k++) {
        d.inputs[k] = d.r.to->inputs[wanted[k]];
        d.seeds[k] = d.r.to->inputs[from->n_inputs + k];
    }
    if (!status)
        status = ad_emit_along(d.r.to->tape, lanes, n_wanted, d.inputs, d.seeds, from->n_outputs,
                               d.outputs, d.results);
    if (!status)
        status = ad_derivation_results(&d, from->n_outputs, lanes, from->outputs);
    return ad_derivation_end(&d, status, keep, to);
}

enum ad_status ad_derive_forward(const struct ad_program *from, int n_wanted, const int *wanted,
                                 bool keep, struct ad_program **to)
{
    return forward(from, 0, n_wanted, wanted, keep, to);
}

enum ad_status ad_derive_forward_lanes(const struct ad_program *from, int64_t lanes, int n_wanted,
                                       const int *wanted, bool keep, struct ad_program **to)
{
    ad_assert(lanes > 0);
    return forward(from, lanes, n_wanted, wanted, keep, to);
}

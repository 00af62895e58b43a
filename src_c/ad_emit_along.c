/* ad_emit_along.c -- forward emission, by adjoints where they know more. */
#include "ad_emit_along.h"

#include <stdlib.h>

#include "ad_emit.h"
#include "ad_emit_algebra.h"
#include "ad_emit_norm.h"
#include "ad_norm.h"

enum { MOST_BACKWARDS = 4 }; /* outputs, of which each takes a reverse emission */

static int32_t lowest_of(const struct ad_tape *tape, int n, const struct ad_view *views)
{
    int32_t low = tape->n_slots;

    for (int k = 0; k < n; k++) {
        int32_t lowest = ad_view_lowest(&views[k]);

        low = AD_MIN(low, lowest);
    }
    return low;
}

/* Is there a norm that may be 0, and are the outputs few numbers? */
static bool go_backwards(const struct ad_tape *tape, int n_inputs, const struct ad_view *inputs,
                         int n, const struct ad_view *outputs)
{
    int32_t low = lowest_of(tape, n_inputs, inputs);
    bool norms = false;

    if (n > MOST_BACKWARDS || low == tape->n_slots)
        return false;
    for (int k = 0; k < n; k++)
        if (outputs[k].ndim > 0)
            return false;
    for (int32_t i = ad_tape_producer(tape, low); i < tape->n; i++) {
        if (ad_tape_code(tape, i) == AD_KERNEL) /* with equal eigenvalues, forward is what knows */
            return false;
        norms |= tape->program ? ad_norm_is(tape, i) : ad_norm_vanishes(tape, i);
    }
    return norms;
}

/* The sum of seed times adjoint over all elements of an input, in each lane. */
static enum ad_status contract(struct ad_tape *tape, int64_t lanes, const struct ad_view *input,
                               const struct ad_view *seed, const struct ad_view *adjoint,
                               struct ad_view *result)
{
    struct ad_view args[AD_MAX_ARGS] = {*seed, *adjoint, ad_view_number(0)}, terms;
    enum ad_status status = ad_emit_op(tape, AD_OP_mul0, 0, args, &terms);
    uint32_t axes;

    if (status)
        return status;
    *result = terms;
    if (terms.place == AD_NUMBER) { /* all elements have it */
        *result = ad_view_number(terms.in.number * (double)ad_view_size(input));
        return AD_OK;
    }
    axes = (1u << terms.ndim) - 1;
    if (lanes > 0)
        axes &= ~1u;
    if (axes) {
        status = ad_record_sum(tape, &terms, axes, result);
        ad_view_drop(&terms);
    }
    result->ndim = lanes > 0;
    return status;
}

static enum ad_status along_gradient(struct ad_tape *tape, int64_t lanes, int n_inputs,
                                     const struct ad_view *inputs, const struct ad_view *seeds,
                                     const struct ad_view *gradient, struct ad_view *tangent)
{
    enum ad_status status = AD_OK;

    *tangent = ad_view_number(0);
    for (int k = 0; k < n_inputs && !status; k++) {
        struct ad_view args[AD_MAX_ARGS] = {*tangent, ad_view_number(0), ad_view_number(0)}, sum;

        if (ad_is_number(&gradient[k], 0))
            continue;
        status = contract(tape, lanes, &inputs[k], &seeds[k], &gradient[k], &args[1]);
        if (status)
            break;
        status = ad_emit_op(tape, AD_OP_add, 0, args, &sum);
        ad_view_drop(&args[1]);
        if (status)
            break;
        ad_view_drop(tangent);
        *tangent = sum;
    }
    if (status)
        ad_view_drop(tangent);
    return status;
}

static enum ad_status along_gradients(struct ad_tape *tape, int64_t lanes, int n_inputs,
                                      const struct ad_view *inputs, const struct ad_view *seeds,
                                      int n, const struct ad_view *outputs,
                                      struct ad_view *tangents)
{
    int32_t end = tape->n, n_consts = tape->n_consts, floor;
    struct ad_view *gradient = malloc((size_t)n_inputs * sizeof *gradient);
    struct ad_view one = ad_view_number(1);
    enum ad_status status = AD_OK;
    int done = 0;

    if (!gradient)
        return AD_NO_MEMORY;
    floor = ad_tape_enter(tape, INT32_MAX);
    while (done < n && !status) {
        status = ad_emit_reverse(tape, 1, &outputs[done], &one, n_inputs, inputs, gradient);
        if (status)
            break;
        status = along_gradient(tape, lanes, n_inputs, inputs, seeds, gradient, &tangents[done]);
        for (int k = 0; k < n_inputs; k++)
            ad_view_drop(&gradient[k]);
        done += !status;
    }
    if (status) {
        while (done > 0)
            ad_view_drop(&tangents[--done]);
        ad_tape_cut(tape, end, n_consts);
    }
    ad_tape_leave(tape, floor);
    free(gradient);
    return status;
}

enum ad_status ad_emit_along(struct ad_tape *tape, int64_t lanes, int n_inputs,
                             const struct ad_view *inputs, const struct ad_view *seeds,
                             int n_outputs, const struct ad_view *outputs, struct ad_view *tangents)
{
    return (go_backwards(tape, n_inputs, inputs, n_outputs, outputs) ? along_gradients
                                                                     : ad_norms_forward)(
        tape, lanes, n_inputs, inputs, seeds, n_outputs, outputs, tangents);
}

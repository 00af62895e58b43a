/* ad_emit.c -- reverse: from the newest instruction to the oldest, each by its rule. */
#include "ad_emit.h"

#include <stdlib.h>
#include <string.h>

#include "ad_adjoints.h"
#include "ad_emit_algebra.h"
#include "ad_emit_norm.h"

static enum ad_status reverse_words(struct ad_adjoints *e, int32_t i, enum ad_op op, double p,
                                    struct ad_view *a, const struct ad_view *y,
                                    const struct ad_view *g)
{
    struct ad_tape *tape = e->tape;
    const struct ad_op_info *info = &ad_ops[op];
    struct ad_view targets[AD_MAX_ARGS];
    enum ad_status status = AD_OK;

    (void)i;
    memcpy(targets, a, sizeof targets);
    for (int j = 0; j < info->n_args; j++)
        ad_emit_simplify(tape, &a[j]);
    for (int j = 0; j < info->n_args && !status; j++) {
        struct ad_view partial, product;

        if (!ad_adjoints_active(e, &targets[j]))
            continue;
        status = ad_emit_partial(tape, op, j, p, a, y, &partial);
        if (status)
            return status;
        status = ad_emit_push(tape, op, j, g, &partial, &product);
        ad_view_drop(&partial);
        if (status)
            return status;
        status = ad_adjoints_add(e, &targets[j], &product);
        ad_view_drop(&product);
    }
    return status;
}

static enum ad_status reverse_addto(struct ad_adjoints *e, int32_t i, const struct ad_view *g)
{
    struct ad_tape *tape = e->tape;
    int64_t at = AD_BLOCK_HEADER, n = tape->aux[tape->a[i] + 1], size = tape->aux[tape->a[i] + 2];
    struct ad_view flat = *g, from, to, source;
    enum ad_status status;

    ad_view_hold(&flat);
    status = ad_emit_reshaped(tape, &flat, 1, &size);
    for (int64_t v = 0; v < n && !status; v += 2) {
        const int64_t *block = tape->aux + tape->a[i]; /* recording may move it */

        at = ad_view_decode(ad_view_decode(block + at, &from), &to) - block;
        if (!ad_adjoints_active(e, &from))
            continue;
        status = ad_adjoints_part(tape, &flat, &to, &source);
        if (!status) {
            status = ad_adjoints_add(e, &from, &source);
            ad_view_drop(&source);
        }
    }
    ad_view_drop(&flat);
    return status;
}

static struct ad_view swapped(const struct ad_view *matrix)
{
    struct ad_view view = *matrix;
    int last = view.ndim - 1;

    view.shape[last] = matrix->shape[last - 1];
    view.shape[last - 1] = matrix->shape[last];
    view.stride[last] = matrix->stride[last - 1];
    view.stride[last - 1] = matrix->stride[last];
    return view;
}

static enum ad_status reverse_matmul(struct ad_adjoints *e, int32_t i, const struct ad_view *g)
{
    struct ad_tape *tape = e->tape;
    struct ad_view views[2], shaped = *g, product;
    int64_t shape[AD_MAX_DIMS];
    int ndim;
    enum ad_status status;

    ad_tape_views(tape, i, views, 2);
    ndim = views[0].ndim;
    memcpy(shape, views[0].shape, sizeof shape);
    shape[ndim - 1] = views[1].shape[ndim - 1];
    ad_view_hold(&shaped);
    if (shaped.place == AD_NUMBER)
        ad_view_broadcast(&shaped, ndim, shape);
    status = ad_emit_reshaped(tape, &shaped, ndim, shape);
    for (int side = 0; side < 2 && !status; side++) {
        struct ad_view other = swapped(&views[1 - side]);

        if (!ad_adjoints_active(e, &views[side]))
            continue;
        status = side ? ad_record_matmul(tape, &other, &shaped, &product)
                      : ad_record_matmul(tape, &shaped, &other, &product);
        if (!status)
            status = ad_adjoints_add(e, &views[side], &product);
    }
    ad_view_drop(&shaped);
    return status;
}

static enum ad_status reverse_along(struct ad_adjoints *e, int32_t i, const struct ad_view *g)
{
    struct ad_tape *tape = e->tape;
    int code = ad_tape_code(tape, i);
    int64_t extra = tape->aux[tape->a[i] + 4];
    struct ad_view from, shaped = *g, moved, weights;
    enum ad_status status;

    ad_tape_views(tape, i, &from, 1);
    ad_view_hold(&shaped);
    if (shaped.place == AD_NUMBER)
        shaped.ndim = 0;
    if (code == AD_CUMSUM) {
        if (shaped.place == AD_NUMBER)
            ad_view_broadcast(&shaped, from.ndim, from.shape);
        status = ad_emit_reshaped(tape, &shaped, from.ndim, from.shape);
        if (!status)
            status = ad_record_along(tape, AD_CUMSUM, &shaped, !extra, &moved);
    } else {
        int64_t shape[AD_MAX_DIMS];

        memcpy(shape, from.shape, sizeof shape);
        shape[from.ndim - 1] = 1;
        status =
            shaped.place == AD_NUMBER ? AD_OK : ad_emit_reshaped(tape, &shaped, from.ndim, shape);
        if (!status)
            status = ad_emit_row_weights(tape, i, &from, &weights);
        if (!status)
            status = ad_emit_weigh(tape, i, &weights, &shaped, &moved);
    }
    ad_view_drop(&shaped);
    if (status)
        return status;
    status = ad_adjoints_add(e, &from, &moved);
    ad_view_drop(&moved);
    return status;
}

/* An AD_NORM, or a hypot of arguments 'a', that may be 0: norm k of 'norms'. */
static enum ad_status reverse_norm(struct ad_adjoints *e, struct ad_norms *norms, int k, int32_t i,
                                   const struct ad_view *g)
{
    struct ad_tape *tape = e->tape;
    struct ad_view a[2], shaped = *g, results[2];
    int n = ad_tape_code(tape, i) == AD_NORM ? 1 : 2, ndim = 0;
    int64_t shape[AD_MAX_DIMS];
    enum ad_status status = AD_OK;

    if (ad_tape_is_array(tape, i)) {
        ad_tape_views(tape, i, a, n);
        ndim = a[0].ndim;
        memcpy(shape, a[0].shape, sizeof shape);
        if (n == 1)
            shape[ndim - 1] = 1;
    } else {
        a[0] = ad_view_slots(tape->a[i], 0, NULL);
        a[1] = ad_view_slots(tape->b[i], 0, NULL);
    }
    ad_view_hold(&shaped);
    if (shaped.place == AD_NUMBER)
        shaped.ndim = 0;
    else
        status = ad_emit_reshaped(tape, &shaped, ndim, shape);
    if (!status)
        status = ad_norms_reverse(norms, k, &shaped, n, a, results);
    ad_view_drop(&shaped);
    if (status)
        return status;
    for (int j = 0; j < n; j++) {
        if (!status && ad_adjoints_active(e, &a[j]))
            status = ad_adjoints_add(e, &a[j], &results[j]);
        ad_view_drop(&results[j]);
    }
    return status;
}

/* AD_GATHER and AD_SCATTER are each the transpose of the other. */
static enum ad_status reverse_gather(struct ad_adjoints *e, int32_t i, const struct ad_view *g)
{
    struct ad_tape *tape = e->tape;
    int64_t shape[AD_MAX_DIMS];
    struct ad_view views[2], shaped = *g, moved;
    bool gather = ad_tape_code(tape, i) == AD_GATHER;
    int last;
    enum ad_status status = AD_OK;

    ad_tape_views(tape, i, views, 2);
    last = views[0].ndim - 1;
    memcpy(shape, views[0].shape, sizeof shape);
    shape[last] = gather ? views[1].shape[0] : tape->aux[tape->a[i] + 4];
    ad_view_hold(&shaped);
    if (shaped.place == AD_NUMBER) {
        shaped.ndim = 0;
        ad_view_broadcast(&shaped, last + 1, shape);
    } else {
        status = ad_emit_reshaped(tape, &shaped, last + 1, shape);
    }
    if (!status)
        status = gather ? ad_record_scatter(tape, &shaped, &views[1], views[0].shape[last], &moved)
                        : ad_record_gather(tape, &shaped, &views[1], &moved);
    ad_view_drop(&shaped);
    if (status)
        return status;
    status = ad_adjoints_add(e, &views[0], &moved);
    ad_view_drop(&moved);
    return status;
}

static enum ad_status reverse_call(struct ad_adjoints *e, int32_t i, const struct ad_view *g)
{
    struct ad_tape *tape = e->tape;
    int n = (int)tape->aux[tape->a[i] + 1];
    int64_t size = tape->aux[tape->a[i] + 2];
    struct ad_view *views = malloc(2 * (size_t)AD_MAX(n, 1) * sizeof *views), *grads = views + n,
                   flat = *g;
    enum ad_status status;

    if (!views)
        return AD_NO_MEMORY;
    ad_view_hold(&flat);
    status = ad_emit_reshaped(tape, &flat, 1, &size);
    if (!status && flat.place == AD_NUMBER)
        ad_view_broadcast(&flat, 1, &size);
    ad_tape_views(tape, i, views, n);
    if (!status)
        status = tape->hooks->emit_reverse(tape, i, &flat, grads);
    if (!status)
        for (int j = 0; j < n; j++) {
            if (!status)
                status = ad_adjoints_add(e, &views[j], &grads[j]);
            ad_view_drop(&grads[j]);
        }
    ad_view_drop(&flat);
    free(views);
    return status;
}

static enum ad_status reverse_instr(struct ad_adjoints *e, struct ad_norms *norms, int32_t i)
{
    struct ad_tape *tape = e->tape;
    int code = ad_tape_code(tape, i);
    struct ad_view g, y, a[AD_MAX_ARGS] = {{0}};
    double p;
    enum ad_status status;

    if (code == AD_INPUT || ad_tape_length(tape, i) == 0 || !e->active[tape->dst[i] - e->low])
        return AD_OK;
    status = ad_adjoints_of(e, i, &g);
    if (status || ad_is_number(&g, 0))
        return status;
    if (AD_UNLIKELY(norms->n > 0)) {
        int k = ad_norms_find(norms, i);

        if (k >= 0)
            return reverse_norm(e, norms, k, i, &g);
    }
    if (!ad_tape_is_array(tape, i)) {
        a[0] = ad_view_slots(tape->a[i], 0, NULL);
        a[1] = ad_view_slots(tape->b[i], 0, NULL);
        y = ad_view_slots(tape->dst[i], 0, NULL);
        p = ad_tape_parameter(tape, i);
        return reverse_words(e, i, (enum ad_op)code, p, a, &y, &g);
    }
    if (code == AD_ADDTO)
        return reverse_addto(e, i, &g);
    if (code == AD_MATMUL)
        return reverse_matmul(e, i, &g);
    if (code == AD_CUMSUM || code == AD_EXTREMUM || code == AD_NORM)
        return reverse_along(e, i, &g);
    if (code == AD_ARGSORT)
        return AD_OK; /* no derivative goes through indices */
    if (code == AD_GATHER || code == AD_SCATTER)
        return reverse_gather(e, i, &g);
    if (ad_tape_has_rule(tape, i))
        return reverse_call(e, i, &g);
    ad_tape_views(tape, i, a, ad_ops[code].n_args);
    memcpy(&p, tape->aux + tape->a[i] + 3, sizeof p);
    y = ad_view_slots(tape->dst[i], a[0].ndim, a[0].shape);
    ad_view_hold(&g);
    if (g.place != AD_NUMBER)
        status = ad_emit_reshaped(tape, &g, y.ndim, y.shape);
    else
        g.ndim = 0;
    if (!status)
        status = reverse_words(e, i, (enum ad_op)code, p, a, &y, &g);
    ad_view_drop(&g);
    return status;
}

/* Let the notes of instruction i, whose adjoint is complete, put another in its place. */
static enum ad_status reverse_notes(struct ad_adjoints *e, int32_t i)
{
    struct ad_tape *tape = e->tape;
    struct ad_view g, flat, found;
    int64_t size = ad_tape_length(tape, i);
    enum ad_status status = AD_OK;

    if (size == 0 || !e->active[tape->dst[i] - e->low])
        return AD_OK;
    for (int32_t k = ad_tape_notes_before(tape, i);
         k < tape->n_notes && tape->notes[k].instr == i && !status; k++) {
        status = ad_adjoints_of(e, i, &g);
        if (status || (g.place == AD_NUMBER && g.in.number == 0))
            return status;
        flat = g;
        ad_view_hold(&flat);
        if (g.place == AD_NUMBER)
            ad_view_broadcast(&flat, 1, &size);
        else
            status = ad_emit_reshaped(tape, &flat, 1, &size);
        if (!status)
            status = tape->hooks->emit_note(tape, &tape->notes[k], &flat, &found);
        ad_view_drop(&flat);
        if (status)
            return status;
        status = ad_adjoints_replace(e, i, &found);
        ad_view_drop(&found);
    }
    return status;
}

enum ad_status ad_emit_reverse_seen(struct ad_tape *tape, int n_outputs,
                                    const struct ad_view *outputs, const struct ad_view *seeds,
                                    int n_inputs, const struct ad_view *inputs,
                                    struct ad_view *adjoints, struct ad_reverse_visitor *visitor)
{
    struct ad_adjoints e;
    struct ad_norms norms = {0};
    enum ad_status status;
    int done = 0;

    status = ad_adjoints_begin(&e, tape, n_inputs, inputs);
    if (!status)
        status = ad_norms_begin(&norms, tape, e.first, e.end, e.low, e.active);
    for (int i = 0; i < n_outputs && !status; i++)
        status = ad_adjoints_add(&e, &outputs[i], &seeds[i]);
    for (int32_t i = e.end - 1; i >= e.first && !status; i--) {
        if (tape->origin)
            ad_tape_here(tape, ad_tape_origin(tape, i));
        if (AD_UNLIKELY(tape->n_notes > 0))
            status = reverse_notes(&e, i);
        if (!status && visitor && ad_tape_length(tape, i) > 0 && e.active[tape->dst[i] - e.low])
            status = visitor->visit(visitor, &e, i);
        if (!status)
            status = reverse_instr(&e, &norms, i);
    }
    for (; done < n_inputs && !status; done++)
        status = ad_adjoints_of_input(&e, &inputs[done], &adjoints[done]);
    if (!status) {
        status = ad_norms_finish(&norms, n_inputs, inputs, adjoints);
        done += status != AD_OK;
    }
    ad_norms_end(&norms);
    if (status)
        while (--done > 0)
            ad_view_drop(&adjoints[done - 1]);
    ad_adjoints_end(&e, status);
    return status;
}

enum ad_status ad_emit_reverse(struct ad_tape *tape, int n_outputs, const struct ad_view *outputs,
                               const struct ad_view *seeds, int n_inputs,
                               const struct ad_view *inputs, struct ad_view *adjoints)
{
    return ad_emit_reverse_seen(tape, n_outputs, outputs, seeds, n_inputs, inputs, adjoints, NULL);
}

/* ad_edge.c -- the reverse sweep that pushes edges, instruction by instruction. */
#include "ad_edge.h"

#include <stdlib.h>
#include <string.h>

#include "ad_draw.h"
#include "ad_edge_array.h"
#include "ad_edge_elements.h"
#include "ad_emit_algebra.h"
#include "ad_norm.h"

/* ---- the sweep ---- */

static enum ad_status push_instr(struct ad_edge_sweep *w, int32_t i)
{
    int code = ad_tape_code(w->tape, i);

    if (code == AD_INPUT ||
        !ad_edge_any_busy(w, w->tape->dst[i] - w->low, ad_tape_length(w->tape, i)))
        return AD_OK;
    if (code < AD_N_OPS)
        return ad_edge_push_elements(w, i);
    switch ((enum ad_code)code) {
    case AD_ADDTO:
        return ad_edge_push_addto(w, i);
    case AD_GATHER:
    case AD_SCATTER:
        return ad_edge_push_gather(w, i);
    case AD_EXTREMUM:
        return ad_edge_push_extremum(w, i);
    case AD_CUMSUM:
        return ad_edge_push_cumsum(w, i);
    case AD_NORM:
        return ad_edge_push_norm(w, i);
    case AD_MATMUL:
        return ad_edge_push_matmul(w, i);
    case AD_KERNEL:
    case AD_CALL:
        return AD_NO_EDGES;
    case AD_INPUT:
    case AD_ARGSORT:
        return AD_OK; /* no derivative goes through */
    case AD_DRAW:
        break;
    }
    ad_unreachable();
    return AD_OK;
}

/* The last instruction that a view reads from; -1 if it is constant. */
static int32_t last_of(const struct ad_tape *tape, const struct ad_view *view)
{
    int32_t highest = -1;

#define HIGHEST(j, slot) highest = (j) >= 0 ? AD_MAX(highest, slot) : highest
    AD_EACH_SLOT(tape, view, HIGHEST);
    return highest < 0 ? -1 : ad_tape_producer(tape, highest);
}

static bool has_notes(const struct ad_tape *tape, int32_t first, int32_t last)
{
    return ad_tape_notes_before(tape, last + 1) > ad_tape_notes_before(tape, first);
}

static enum ad_status sweep_down(struct ad_edge_sweep *w, const struct ad_view *output,
                                 int32_t first, int32_t last)
{
    enum ad_status status = AD_OK;

#define SEED(j, slot)                                                                              \
    if ((slot) >= w->low && (j) >= 0)                                                              \
    w->pool.nodes[(slot) - w->low].adjoint += 1
    AD_EACH_SLOT(w->tape, output, SEED);
    for (int32_t i = last; i >= first && !status; i--) {
        if (ad_tape_is_array(w->tape, i))
            status = push_instr(w, i);
        else
            ad_edge_push_scalar(w, i);
        if (!status)
            status = ad_edge_status(w);
    }
    return status;
}

enum ad_status ad_edge_hessian(struct ad_tape *tape, const struct ad_view *output, int32_t low,
                               int32_t n, int64_t most, double *gradient,
                               struct ad_pattern *pattern, double **data)
{
    int32_t first = low < tape->n_slots ? ad_tape_producer(tape, low) : tape->n, floor,
            last = last_of(tape, output);
    struct ad_edge_sweep w = {.tape = tape, .low = low};
    enum ad_status status;

    memset(pattern, 0, sizeof *pattern);
    *data = NULL;
    if (last >= first && has_notes(tape, first, last))
        return AD_NO_EDGES;
    status = ad_draw_find(tape, first, last);
    if (!status && !ad_tape_constants_intact(tape, first, last))
        status = AD_CONST_CHANGED;
    if (!status)
        status = ad_tape_make_scratch(tape);
    if (status)
        return status;
    floor = ad_tape_enter(tape, tape->n);
    status = ad_edge_pool_new(tape->n_slots - low, &w.pool);
    w.pool.most = most;
    if (!status)
        status = sweep_down(&w, output, first, last);
    if (!status)
        status = ad_edge_matrix(&w.pool, n, pattern, data);
    for (int32_t j = 0; j < n && !status; j++)
        gradient[j] = w.pool.nodes[j].adjoint;
    ad_edge_pool_free(&w.pool);
    free(w.room);
    ad_tape_leave(tape, floor);
    return status;
}

/* ---- what it costs ---- */

/* Slots that the results of an array instruction push to, one counted as often as it is read. */
static int64_t operands_read(const struct ad_tape *tape, int32_t i)
{
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    int code = ad_tape_code(tape, i);
    int64_t n = 0;

    if (code == AD_GATHER)
        return block[2];
    for (int64_t v = 0; v < block[1]; v++) {
        struct ad_view view;

        words = ad_view_decode(words, &view);
        if (code == AD_MATMUL)
            return 2 * view.shape[view.ndim - 1] * block[2];
        if (view.place == AD_SLOTS || view.place == AD_LIST)
            n += ad_view_size(&view);
        if (code == AD_SCATTER)
            break;
    }
    return n;
}

struct ad_edge_cost ad_edge_cost_of(const struct ad_tape *tape, const struct ad_view *output,
                                    int32_t low)
{
    int32_t last = last_of(tape, output),
            first = low < tape->n_slots ? ad_tape_producer(tape, low) + 1 : tape->n;
    struct ad_edge_cost cost = {.known = last < first || !has_notes(tape, first, last)};

    for (int32_t i = first; i <= last; i++) {
        int code = ad_tape_code(tape, i);
        int64_t n = ad_tape_length(tape, i);

        if (code == AD_INPUT)
            continue;
        cost.slots += n;
        if (code < AD_N_OPS ? ad_ops[code].curvature >= AD_CURVED
                            : code == AD_NORM || code == AD_MATMUL)
            cost.curved += n;
        cost.operands += ad_tape_is_array(tape, i) ? operands_read(tape, i) : ad_ops[code].n_args;
        cost.known &= !ad_tape_has_rule(tape, i) && !ad_norm_vanishes(tape, i);
    }
    return cost;
}

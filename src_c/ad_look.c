/* ad_look.c -- programs and plans counted, and the producers of what is read. */
#include "ad_look.h"

#include <stdlib.h>
#include <string.h>

void ad_look_instrs(const struct ad_program *program, int32_t *code, int32_t *length,
                    int32_t *origin, uint8_t *array)
{
    const struct ad_tape *tape = program->tape;

    for (int32_t i = 0; i < tape->n; i++) {
        code[i] = ad_tape_code(tape, i);
        length[i] = ad_tape_length(tape, i);
        origin[i] = ad_tape_origin(tape, i);
        array[i] = ad_tape_is_array(tape, i);
    }
}

void ad_look_steps(const struct ad_plan *plan, struct ad_look_steps *steps)
{
    *steps = (struct ad_look_steps){0};
    for (int64_t k = 0; k < plan->n_steps; k++) {
        const struct ad_plan_step *step = &plan->steps[k];

        if (step->kind == AD_PLAN_RUN) {
            steps->runs++;
        } else if (step->kind == AD_PLAN_GROUP) {
            steps->groups++;
            steps->moves += step->end - step->first;
            steps->elements += step->n;
        } else {
            steps->singles++;
        }
    }
    steps->words = plan->code.n_words - steps->runs; /* each run has one that ends it */
    steps->constant_bytes = plan->code.n_numbers * (int64_t)sizeof *plan->code.numbers;
    for (int64_t k = 0; k < plan->code.n_arrays; k++)
        steps->constant_bytes += plan->code.arrays[k]->n * (int64_t)sizeof(double);
}

/* ---- what reads what ---- */

struct graphing {
    const struct ad_tape *tape;
    struct ad_graph *graph;
    int64_t reader, n;
    int64_t *last; /* of each instruction: the last that read it, -1: none */
};

static enum ad_status add(struct graphing *g, int32_t i)
{
    struct ad_graph *graph = g->graph;

    if (g->last[i] == g->reader)
        return AD_OK;
    if (g->n == graph->capacity) {
        int64_t capacity = 2 * graph->capacity + 16;
        int32_t *from = realloc(graph->from, (size_t)capacity * sizeof *from);

        if (!from)
            return AD_NO_MEMORY;
        graph->from = from;
        graph->capacity = capacity;
    }
    g->last[i] = g->reader;
    graph->from[g->n++] = i;
    return AD_OK;
}

static bool holds(const struct ad_tape *tape, int32_t i, int64_t slot)
{
    return tape->dst[i] <= slot && slot < tape->dst[i] + (int64_t)ad_tape_length(tape, i);
}

static enum ad_status add_slot(struct graphing *g, int64_t slot, int32_t *last)
{
    if (slot < 0 || (*last >= 0 && holds(g->tape, *last, slot)))
        return AD_OK;
    *last = ad_tape_producer(g->tape, (int32_t)slot);
    return add(g, *last);
}

/* Element by element. */
static enum ad_status add_elements(struct graphing *g, const struct ad_view *view, int64_t n)
{
    int64_t index[AD_MAX_DIMS] = {0}, at = view->base;
    int32_t last = -1;
    enum ad_status status = AD_OK;

    for (int64_t j = 0; j < n && !status; j++) {
        status = add_slot(g, view->place == AD_LIST ? view->in.list->slot[at] : at, &last);
        for (int d = view->ndim - 1; d >= 0; d--) {
            at += view->stride[d];
            if (++index[d] < view->shape[d])
                break;
            at -= index[d] * view->stride[d];
            index[d] = 0;
        }
    }
    return status;
}

/* The producers of the elements of a view. */
static enum ad_status add_view(struct graphing *g, const struct ad_view *view)
{
    int64_t n = ad_view_size(view);

    if (n == 0 || (view->place != AD_SLOTS && view->place != AD_LIST))
        return AD_OK;
    if (view->place == AD_SLOTS) {
        int32_t low = ad_view_lowest(view);
        int64_t high = view->base;

        for (int d = 0; d < view->ndim; d++)
            high += AD_MAX(view->stride[d], 0) * (view->shape[d] - 1);
        if (low != INT32_MAX) {
            int32_t i = ad_tape_producer(g->tape, low);

            if (holds(g->tape, i, high))
                return add(g, i);
        }
    }
    return add_elements(g, view, n);
}

static enum ad_status add_operands(struct graphing *g, int32_t i)
{
    const struct ad_tape *tape = g->tape;
    enum ad_status status = AD_OK;

    if (ad_tape_code(tape, i) == AD_INPUT)
        return AD_OK;
    if (!ad_tape_is_array(tape, i)) {
        int32_t last = -1;

        status = add_slot(g, tape->a[i], &last);
        return status ? status : add_slot(g, tape->b[i], &last);
    }
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;

    for (int64_t v = 0; v < block[1] && !status; v++) {
        struct ad_view view;

        words = ad_view_decode(words, &view);
        status = add_view(g, &view);
    }
    return status;
}

enum ad_status ad_graph_new(const struct ad_program *program, struct ad_graph *graph)
{
    const struct ad_tape *tape = program->tape;
    int64_t n = tape->n, n_outputs = program->n_outputs;
    struct graphing g = {.tape = tape, .graph = graph};
    enum ad_status status = AD_OK;

    *graph = (struct ad_graph){.n_readers = n + n_outputs + program->n_guards};
    graph->start = calloc((size_t)graph->n_readers + 1, sizeof *graph->start);
    g.last = malloc((size_t)AD_MAX(n, 1) * sizeof *g.last);
    if (!graph->start || !g.last)
        status = AD_NO_MEMORY;
    for (int64_t i = 0; i < n && !status; i++)
        g.last[i] = -1;
    for (g.reader = 0; g.reader < graph->n_readers && !status; g.reader++) {
        int64_t r = g.reader;

        if (r < n)
            status = add_operands(&g, (int32_t)r);
        else if (r < n + n_outputs)
            status = add_view(&g, &program->outputs[r - n]);
        else
            status = add_view(&g, &program->guards[r - n - n_outputs].view);
        graph->start[r + 1] = g.n;
    }
    free(g.last);
    if (status)
        ad_graph_free(graph);
    return status;
}

void ad_graph_free(struct ad_graph *graph)
{
    free(graph->start);
    free(graph->from);
    memset(graph, 0, sizeof *graph);
}

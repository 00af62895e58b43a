/* frozen.h -- random programs, frozen: what the tests of programs and passes have in common. */
#ifndef FROZEN_H
#define FROZEN_H

#include "ad_rewrite.h"
#include "program.h"

/*
 * frozen() freezes what was recorded so far: its input is the vector of inputs, its outputs are all living
 * values, and some of the elements are guarded.  An allocation may fail.
 */
static inline struct ad_program *frozen(struct program *p)
{
    struct ad_program from = {.tape = p->tape}, *to = NULL;
    struct ad_view input, outputs[MAX_VALUES];
    struct ad_guard guards[MAX_VALUES];
    double expected[MAX_VALUES];

    input = ad_view_slots(0, 1, p->value[0].shape);
    from.inputs = &input;
    from.n_inputs = 1;
    from.outputs = outputs;
    from.guards = guards;
    for (int v = 0; v < p->n; v++) {
        const struct value *value = &p->value[v];

        if (!value->alive)
            continue;
        outputs[from.n_outputs++] = view_of(value);
        if (value->handle.tape && value->ndim == 0) {
            struct ad_view view = view_of(value);

            ad_view_read(&view, p->tape->value, &expected[from.n_guards]);
            guards[from.n_guards] =
                (struct ad_guard){AD_GUARD_VALUE, -1, view, 1, &expected[from.n_guards]};
            from.n_guards++;
        }
    }
    if (ad_program_copy(&from, &to))
        CHECK(ad_program_copy(&from, &to) == AD_OK, "not frozen");
    return to;
}

/* The number in a slot becomes the only output of a program, which is freed if that fails. */
static inline enum ad_status only_output(struct ad_program **p, int64_t slot)
{
    struct ad_view output = ad_view_slots(slot, 0, NULL);
    enum ad_status status;

    ad_program_clear_outputs(*p);
    status = ad_program_add_output(*p, &output);
    if (status) {
        ad_program_free(*p);
        *p = NULL;
    }
    return status;
}

/* The outputs of a program, one after the other; their sizes are those of its views. */
struct results {
    int64_t size;
    double *data, **output;
};

static inline struct results results_of(const struct ad_program *program)
{
    struct results r = {0, NULL, malloc(((size_t)program->n_outputs + 1) * sizeof(double *))};

    for (int k = 0; k < program->n_outputs; k++)
        r.size += ad_view_size(&program->outputs[k]);
    r.data = calloc((size_t)r.size + 1, sizeof *r.data);
    r.size = 0;
    for (int k = 0; k < program->n_outputs; k++) {
        r.output[k] = r.data + r.size;
        r.size += ad_view_size(&program->outputs[k]);
    }
    return r;
}

static inline void results_free(struct results *r)
{
    free(r->data);
    free((void *)r->output);
}

/* Replay, in spite of an allocation that is to fail. */
static inline void replay(struct ad_program *p, const double *x, struct results *r, int *failed)
{
    enum ad_status status = ad_program_replay(p, &x, r->output, failed);

    if (status == AD_NO_MEMORY)
        status = ad_program_replay(p, &x, r->output, failed);
    CHECK(status == AD_OK, "replay: %s", ad_status_text(status));
}

/* Are the results the same, bit by bit (any nan is as good as another)? */
static inline void check_same_results(const struct results *a, const struct results *b,
                                      const char *what)
{
    CHECK(a->size == b->size, "%s: %" PRId64 " results, not %" PRId64, what, a->size, b->size);
    for (int64_t j = 0; j < a->size; j++)
        CHECK(same_number(a->data[j], b->data[j]), "%s: result %" PRId64 " is %.17g, not %.17g",
              what, j, a->data[j], b->data[j]);
}

/* Inputs as they were recorded, or random ones. */
static inline double *recorded_inputs(const struct program *p)
{
    double *x = malloc(((size_t)p->value[0].size + 1) * sizeof *x);

    for (int64_t i = 0; i < p->value[0].size; i++)
        x[i] = p->value[0].cell[i].v;
    return x;
}

#endif

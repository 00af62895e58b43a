/* program.h -- random programs on a tape, and what their values and derivatives should be. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "program_rule.h"

static void program_begin(struct program *p, uint64_t seed, int64_t n_inputs)
{
    struct ad_view view;
    struct value *x;
    double *numbers = malloc((size_t)(n_inputs + 1) * sizeof *numbers);

    memset(p, 0, sizeof *p);
    p->rng.state = seed;
    CHECK(p->tape != NULL || (p->tape = ad_tape_new()) != NULL || (p->tape = ad_tape_new()) != NULL,
          "no tape");
    p->tape->hooks = &rule_hooks;
    x = new_value(p, 1, &n_inputs);
    for (int64_t i = 0; i < n_inputs; i++) {
        x->cell[i] = (struct cell){rng_uniform(&p->rng, -1.5, 1.5), rng_uniform(&p->rng, -1, 1),
                                   rng_uniform(&p->rng, -1, 1), 0, (uint64_t)1 << i % 64};
        if (rng_int(&p->rng, 0, 9) == 0)
            x->cell[i].v = (double)rng_int(&p->rng, -1, 1);
        numbers[i] = x->cell[i].v;
    }
    TRY(p, ad_tape_room(p->tape, n_inputs));
    TRY(p, ad_record_input(p->tape, n_inputs, numbers));
    view = ad_view_slots(p->tape->dst[p->tape->n - 1], 1, &n_inputs);
    attach(p, x, &view);
    check_values(p, x, 0, "the inputs");
    check_note("seed %" PRIu64 ": v0 = %" PRId64 " inputs\n", seed, n_inputs);
    free(numbers);
}

static void program_step(struct program *p)
{
    static void (*const steps[])(struct program *) = {
        op_step,      op_step,        op_step,     op_step,    op_step,       op_step,
        slice_step,   transpose_step, pick_step,   sum_step,   along_step,    matmul_step,
        reshape_step, broadcast_step, call_step,   addto_step, constant_step, assign_step,
        reshape_step, matmul_step,    gather_step,
    };

    steps[rng_int(&p->rng, 0, (int64_t)(sizeof steps / sizeof *steps) - 1)](p);
    if (rng_int(&p->rng, 0, 7) == 0 && p->n > 4) {
        int v = (int)rng_int(&p->rng, 1, p->n - 1);

        if (p->value[v].alive)
            check_note("drop v%d\n", v);
        drop_value(&p->value[v]);
    }
    if (rng_int(&p->rng, 0, 11) == 0) {
        check_note("compact\n");
        ad_tape_compact(p->tape);
        for (int v = 0; v < p->n; v++)
            if (p->value[v].alive)
                check_values(p, &p->value[v], 0, "after compaction");
    }
}

/* A program of so many steps, or of fewer if it gets full. */
static void program_make(struct program *p, uint64_t seed, int n_steps, int64_t n_inputs)
{
    check_clear();
    program_begin(p, seed, n_inputs);
    for (int i = 0; i < n_steps && p->n < MAX_VALUES - 2; i++)
        program_step(p);
}

/* Runs the one program that arguments name: its seed, steps and inputs, and the allocation that is to fail, or -1.
 * Are there such arguments? */
static inline bool program_named(int argc, char **argv, void (*run)(uint64_t, int, int64_t, long))
{
    if (argc != 5)
        return false;
    run(strtoull(argv[1], NULL, 10), atoi(argv[2]), atol(argv[3]), atol(argv[4]));
    return true;
}

static void program_end(struct program *p)
{
    for (int v = 0; v < p->n; v++)
        drop_value(&p->value[v]);
    CHECK(p->tape->n == 0 && p->tape->n_slots == 0 && p->tape->n_aux == 0, "not all was popped");
    CHECK(p->tape->n_consts == 0, "%d constants are left", p->tape->n_consts);
    CHECK(p->tape->lists == NULL, "lists are left");
    CHECK(p->tape->n_handles == 0, "handles are left");
    CHECK(n_rules == 0, "%d rules are left", n_rules);
    ad_tape_free(p->tape);
    p->tape = NULL;
}

#endif

/* ad_plan.h -- a program made ready to run: what ad_run.c reads, and nothing that it does not need.
 *
 * A plan never changes once it is made, and any number of threads may run it, each with a frame of
 * its own.  It depends on the program no more. */
#ifndef AD_PLAN_H
#define AD_PLAN_H

#include "ad_lower.h"

enum ad_plan_step_kind {
    AD_PLAN_RUN,
    AD_PLAN_GROUP,
    AD_PLAN_MATMUL,
    AD_PLAN_CUMSUM,
    AD_PLAN_EXTREMUM,
    AD_PLAN_NORM,
    AD_PLAN_ARGSORT,
    AD_PLAN_GATHER,
    AD_PLAN_SCATTER,
    AD_PLAN_KERNEL,
    AD_PLAN_CALL
};

struct ad_plan_step {
    enum ad_plan_step_kind kind;
    bool flag;     /* the instruction's 'extra' */
    int32_t instr; /* of a single, -1 of others */
    int64_t first, before,
        end; /* words of a run; moves of a group: [first, before) are made once */
    int64_t n, row,
        tile; /* a group's elements, and those of its rows and tiles; a single's results */
    const struct ad_ref
        *streams; /* what a group reads and writes in memory that caches do not hold */
    int n_streams;
    /* Of zeros that are put down bit by bit: those of the last move before the loop, filled[k] of which are there
     * before the elements up to (k + 1) * AD_TILE are taken; or NULL. */
    const int64_t *filled;
    const struct ad_walk *views; /* operands of a single */
    int n_views;
    struct ad_ref y;
    void *rule;
    const struct ad_kernel *kernel; /* of a kernel */
};

/* n numbers from an input, from 'at' on, to the frame. */
struct ad_load {
    int32_t input;
    int64_t at, to, n;
};

/* What is read after the last step: an output or a guard. */
struct ad_reading {
    struct ad_walk walk;
    int64_t n;
    bool run; /* consecutive elements, from walk.base on */
};

/*
 * A program as a function of machine code, such as a compiler makes of what ad_to_c() writes: returns -1, or that a
 * guard differs.  'work' begins as a frame does.
 */
typedef int ad_native(const double *const *inputs, double *const *outputs, double *work);

struct ad_plan {
    ad_native *native; /* tried first, unless NULL; set before the first frame is made */
    int64_t n_native;  /* doubles that it works in */
    struct ad_lowered code;
    int n_guards, n_spaces, n_loads;
    int64_t n_steps, n_sums;
    int64_t numbers_at, n_frame, n_tiles, n_room; /* doubles */
    struct ad_load *loads;
    struct ad_plan_step *steps;
    struct ad_reading *outputs; /* n 0: written already, or empty */
    struct ad_reading *guards;
    double **expected; /* of each guard */
    const struct ad_call_hooks *hooks;
};

/* The plan of a program, which may be freed then; its rules and constant arrays are held. */
enum ad_status ad_plan_new(const struct ad_program *program, struct ad_plan **plan);
/* The same plan, which knows in code.word_instr what its words are part of: to find out where the
 * time goes. */
enum ad_status ad_plan_new_traced(const struct ad_program *program, struct ad_plan **plan);
/* Accepts NULL. */
void ad_plan_free(struct ad_plan *plan);

/* What ad_run() will read of the plan, in bytes, and a frame of it. */
int64_t ad_plan_bytes(const struct ad_plan *plan);
int64_t ad_plan_frame_bytes(const struct ad_plan *plan);

#endif

/* ad_program.h -- a frozen recording: a tape of its own, what goes in and comes out, and the decisions
 * that must be taken again as they were.
 *
 * Nothing changes a program once it is made but ad_derive.c and the passes, which make new ones from
 * it.  The values on its tape are those of the recording, or undefined if the tape is symbolic;
 * constants always hold.  Its tape has no handles and belongs to no thread. */
#ifndef AD_PROGRAM_H
#define AD_PROGRAM_H

#include "ad_tape.h"

/* A line of the user's code. */
struct ad_origin {
    char *file, *function; /* both owned */
    int32_t line;
};

enum ad_guard_kind {
    AD_GUARD_TRUTH, /* the truth of a comparison */
    AD_GUARD_MASK,  /* an array of truths, 0 or 1 each */
    AD_GUARD_VALUE  /* numbers that left the recording by item(), detach(), numpy() */
};

/* Numbers that Python saw and acted upon: a replay in which they differ does not count. */
struct ad_guard {
    enum ad_guard_kind kind;
    int32_t origin;      /* index in the program's origins, -1 if not known */
    struct ad_view view; /* holds a reference */
    int64_t n;           /* elements of the view */
    double *expected;    /* n of them in C order; compared bit by bit; owned */
};

struct ad_program {
    struct ad_tape *tape;
    struct ad_view
        *inputs; /* n_inputs: input k is instruction k, an AD_INPUT, the whole of it in C order */
    struct ad_view *outputs; /* n_outputs, of any kind and shape; each holds a reference */
    struct ad_guard *guards; /* n_guards, in the order in which Python met them */
    struct ad_origin *origins;
    int n_inputs, n_outputs, n_guards, n_origins;
    int guard_capacity, origin_capacity;
    /* Numbers of all inputs, one after the other, at which ad_program_wake() finds the values of a symbolic
     * tape, or NULL; owned. */
    double *point;
};

/* An empty program with an empty tape, or NULL without memory. */
struct ad_program *ad_program_new(void);
/* Accepts NULL. */
void ad_program_free(struct ad_program *program);

/* Append an input of this shape; before anything else is recorded.  'values' may be NULL. */
enum ad_status ad_program_add_input(struct ad_program *program, int ndim, const int64_t *shape,
                                    const double *values);
/* Append an output; takes a reference of its own. */
enum ad_status ad_program_add_output(struct ad_program *program, const struct ad_view *view);
/* Append a guard; takes a reference of its own and copies 'expected'. */
enum ad_status ad_program_add_guard(struct ad_program *program, enum ad_guard_kind kind,
                                    int32_t origin, const struct ad_view *view,
                                    const double *expected);
/* The index of an origin, appended if it is new; -1 without memory.  Copies the texts. */
int32_t ad_program_origin(struct ad_program *program, const char *file, const char *function,
                          int32_t line);
/* The same origins again. */
enum ad_status ad_program_copy_origins(struct ad_program *to, const struct ad_program *from);
/* Drop all outputs, to append others. */
void ad_program_clear_outputs(struct ad_program *program);

/* Give a symbolic program room for its values, undefined, so that it can be replayed. */
enum ad_status ad_program_settle(struct ad_program *program);

/*
 * ad_program_replay() runs the program on its own tape, one instruction after the other: the plain
 * meaning of a program, with which faster ways of running it are compared.
 *
 * inputs[k] and outputs[k] are arrays in C order.  *failed receives the first guard that differs, or -1;
 * then the outputs are those of the path that was recorded, and do not count.  The values on the tape are
 * overwritten; it is not symbolic any more.
 */
enum ad_status ad_program_replay(struct ad_program *program, const double *const *inputs,
                                 double *const *outputs, int *failed);

/* Give a symbolic program that has a point the values there, as its rules need them for emission. */
enum ad_status ad_program_wake(struct ad_program *program);
/* Numbers of all inputs. */
int64_t ad_program_input_size(const struct ad_program *program);

/* Do emission and its rules need the values on the tape?  There are rules of the user's only then. */
bool ad_program_needs_values(const struct ad_program *program);

/* Are two numbers the same, bit by bit? */
bool ad_same_bits(double a, double b);

#endif

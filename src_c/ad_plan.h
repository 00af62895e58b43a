/* ad_plan.h -- a program made ready to run: what ad_run.c reads, and nothing that it does not need.
 *
 * A plan never changes once it is made, and any number of threads may run it, each with a frame of its own.  It
 * depends on the program no more.
 *
 * Memory is a number of *spaces*, each found by a base pointer: the frame, the inputs, the outputs, the constant
 * arrays; tiles; and the rows that operands of a group have come to.  A run is a list of 16-byte
 * instructions on the frame; a group is a list of *moves*, each a loop over the elements of a tile. */
#ifndef AD_PLAN_H
#define AD_PLAN_H

#include "ad_fuse.h"

enum {
    AD_SUM_CHUNK = AD_TILE
}; /* numbers that are summed up before they are added to other sums */

/* Then one for each input, output, array, and place of AD_MOVE_LOCATE. */
enum { AD_SPACE_FRAME, AD_SPACE_TILES, AD_SPACE_INPUTS };

/* ---- runs ----
 *
 * Ops of a few machine instructions have codes of their own for two of them in a row, and for vectors of up to
 * AD_SHORT elements, of which all AD_SHORT are computed, since numbers behind the last do no harm.  These lists were
 * found by measuring; any op may stand in them. */

#define AD_PAIRED_FIRST(DO) DO(add) DO(sub) DO(mul) DO(mul0)
#define AD_PAIRED_SECOND(DO, first) DO(first, add) DO(first, sub) DO(first, mul) DO(first, mul0)
#define AD_SHORT_UNARY(DO) DO(neg) DO(square) DO(sqrt) DO(reciprocal)
#define AD_SHORT_BINARY(DO) DO(add) DO(sub) DO(mul) DO(div) DO(mul0) DO(mul00) DO(flow) DO(gate)

/* Codes beyond those of the scalar ops. */
enum ad_word_code {
    AD_WORD_ADD = AD_N_OPS, /* v[d] += v[a] */
    AD_WORD_FIRST,          /* v[d] = 0.0 + v[a] */
    AD_WORD_MOVE,           /* move number d */
    AD_WORD_END,
/* v[d...] = op(v[a...], v[b...]), in _1 and _2 the first or second of them one number */
#define ONE_CODE(name) AD_WORD_SHORT_##name,
#define THREE_CODES(name) AD_WORD_SHORT_##name, AD_WORD_SHORT_##name##_1, AD_WORD_SHORT_##name##_2,
    AD_SHORT_UNARY(ONE_CODE) AD_SHORT_BINARY(THREE_CODES)
#undef ONE_CODE
#undef THREE_CODES
/* this word and the next, which in _1 and _2 has the result of this one as its a or b */
#define PAIR_CODES(first, second)                                                                  \
    AD_WORD_##first##_##second, AD_WORD_##first##_##second##_1, AD_WORD_##first##_##second##_2,
#define PAIRS(first) AD_PAIRED_SECOND(PAIR_CODES, first)
        AD_PAIRED_FIRST(PAIRS)
#undef PAIRS
#undef PAIR_CODES
            AD_N_WORDS
};

struct ad_word_of_run {
    int32_t code;
    int32_t d, a, b; /* places in the frame */
};

/* ---- moves ---- */

/* Where the elements of a tile begin: 'at' in the space, and if they step, further on with each tile. */
struct ad_ref {
    int32_t space;
    int32_t step; /* 0: the same for all tiles; 1: element 'start' for the tile that starts there */
    int64_t at;
};

/* A view by elements: base + index * stride over ndim dimensions, looked up in a list if there is one. */
struct ad_walk {
    int32_t space;
    int32_t ndim;
    const int64_t *shape, *stride;
    int64_t base;
    const int32_t *list; /* positions in the space, or NULL */
};

enum ad_move_kind {
    AD_MOVE_LOOP,   /* y = loop(x, z, w) */
    AD_MOVE_VECTOR, /* the same by ad_op_vector() */
    AD_MOVE_GATHER, /* y = the elements of 'walk' */
    AD_MOVE_LOCATE, /* space 'y.space' = where 'walk' is, its last dimension being a run or one number */
    AD_MOVE_COPY,    /* y = x */
    AD_MOVE_FIRST,   /* y = 0.0 + x */
    AD_MOVE_ADD,     /* y += x */
    AD_MOVE_PUT,     /* elements of 'walk' = x */
    AD_MOVE_SCATTER, /* elements of 'walk' += x */
    AD_MOVE_SUM, /* rows of x summed up, each added to an element of 'walk'; bit 1 of 'single': the
                        elements of a row are the same */
    AD_MOVE_FILL /* n numbers p from y on */
};

struct ad_move {
    uint8_t kind;
    uint8_t single; /* bit i: operand i is one number */
    uint16_t op;
    int32_t sum;          /* AD_MOVE_SUM: its number */
    ad_vector_loop *loop; /* AD_MOVE_LOOP */
    int64_t n; /* AD_MOVE_SUM: elements of a row; AD_MOVE_FILL: numbers; in runs: elements */
    double p;
    struct ad_ref y, x[AD_MAX_ARGS];
    struct ad_walk walk;
};

/* ---- steps ---- */

enum ad_plan_step_kind {
    AD_PLAN_RUN,
    AD_PLAN_GROUP,
    AD_PLAN_MATMUL,
    AD_PLAN_CUMSUM,
    AD_PLAN_EXTREMUM,
    AD_PLAN_NORM,
    AD_PLAN_CALL
};

struct ad_plan_step {
    enum ad_plan_step_kind kind;
    bool flag; /* the instruction's 'extra' */
    int64_t first, before,
        end; /* words of a run; moves of a group: [first, before) are made once */
    int64_t n, row,
        tile; /* a group's elements, and those of its rows and tiles; a single's results */
    const struct ad_walk *views; /* operands of a single */
    int n_views;
    struct ad_ref y;
    void *rule;
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

struct ad_plan {
    int n_inputs, n_outputs, n_guards, n_loads, n_spaces, n_fixed;
    int64_t n_steps, n_words, n_moves, n_sums;
    int64_t n_numbers, n_frame, n_tiles, n_room; /* doubles */
    struct ad_load *loads;
    struct ad_plan_step *steps;
    struct ad_word_of_run *words;
    struct ad_move *moves;
    double *numbers;            /* at its end */
    struct ad_reading *outputs; /* n 0: written already, or empty */
    struct ad_reading *guards;
    double **expected;        /* of each guard */
    struct ad_array **arrays; /* held, n_fixed of them */
    const struct ad_call_hooks *hooks;
    struct ad_pool *pool; /* lists, shapes and strides */
};

/* The plan of a program, which may be freed then; its rules and constant arrays are held. */
enum ad_status ad_plan_new(const struct ad_program *program, struct ad_plan **plan);
/* Accepts NULL. */
void ad_plan_free(struct ad_plan *plan);

/* What ad_run() will read of the plan, in bytes, and a frame of it. */
int64_t ad_plan_bytes(const struct ad_plan *plan);
int64_t ad_plan_frame_bytes(const struct ad_plan *plan);

#endif

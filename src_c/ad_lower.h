/* ad_lower.h -- from members of steps to what is carried out.
 *
 * A run becomes *words* of 16 bytes that work on the frame; a group becomes *moves*, each a loop
 * over the elements of a tile.  A word can also say to make a move, for what has no word of its
 * own. */
#ifndef AD_LOWER_H
#define AD_LOWER_H

#include "ad_fuse.h"
#include "ad_words.h"

/* Memory is a number of *spaces*, each found by a base pointer: these, then one for each input,
 * output, constant array, and place of AD_MOVE_LOCATE. */
enum { AD_SPACE_FRAME, AD_SPACE_TILES, AD_SPACE_INPUTS };

/* ---- moves ---- */

/* Where the elements of a tile begin: 'at' in the space, and if they step, further on with each
 * tile. */
struct ad_ref {
    int32_t space;
    int32_t step; /* 0: the same for all tiles; 1: element 'start' for the tile that starts there */
    int64_t at;
};

/* A view by elements: base + index * stride over ndim dimensions, looked up in a list if there is
 * one. */
struct ad_walk {
    int32_t space;
    int32_t ndim;
    const int64_t *shape, *stride;
    int64_t base;
    const int32_t *list; /* positions in the space, or NULL */
};

enum ad_move_kind {
    AD_MOVE_LOOP,    /* y = loop(x, z, w) */
    AD_MOVE_VECTOR,  /* the same by ad_op_vector() */
    AD_MOVE_GATHER,  /* y = the elements of 'walk' */
    AD_MOVE_LOCATE,  /* space 'y.space' = where 'walk' is, its last dimension being a run or one
                        number */
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
    uint8_t chained; /* of a chain (see ad_moves.h), the first move: how many there are; or 0 */
    int32_t sum;     /* AD_MOVE_SUM: its number */
    int32_t instr;   /* what it is part of */
    ad_vector_loop *loop; /* AD_MOVE_LOOP */
    int64_t n; /* AD_MOVE_SUM: elements of a row; AD_MOVE_FILL: numbers; in runs: elements */
    double p;
    struct ad_ref y, x[AD_MAX_ARGS];
    struct ad_walk walk;
};

/* ---- all of them ---- */

struct ad_lowered {
    int n_inputs, n_outputs;
    int64_t n_words, n_moves, n_numbers, n_arrays;
    struct ad_word_of_run *words;
    int32_t *word_instr; /* traced: what each word is part of, -1 for the last of a run; or NULL */
    struct ad_move *moves;
    double *numbers;          /* constants, each once, to be found in the frame */
    struct ad_array **arrays; /* constant arrays, held */
    struct ad_pool *pool;     /* lists, shapes and strides */
};

void ad_lowered_free(struct ad_lowered *code);

enum { AD_LOWER_VECTORS = 32 };

struct ad_lowering {
    const struct ad_program *program;
    const struct ad_tape *tape;
    const struct ad_fusion *fusion;
    struct ad_lowered code;
    uint8_t *begun;                /* of each AD_ADDTO: has it zeros? */
    bool in_frame, lists_in_frame; /* where inputs are read, as slots and as lists */
    bool traced;                   /* word_instr is wanted */
    int32_t instr;                 /* under way, -1: none */

    /* the step under way, or NULL */
    const struct ad_step *step;
    int64_t tile; /* elements of its tiles */
    int32_t n_tiles, n_located, n_sums;
    int64_t first_move;
    bool fills; /* there are fills, to be made before the loop of the group */

    int32_t *number_table; /* indices of numbers + 1, hashed into 2**number_bits entries */
    int number_bits;
    int64_t
        vectors[AD_LOWER_VECTORS]; /* where the newest vectors of constants are among the numbers */
    int n_vectors;
    int64_t words_capacity, word_instr_capacity, moves_capacity, numbers_capacity, arrays_capacity;
};

enum ad_status ad_lowering_begin(struct ad_lowering *b, const struct ad_program *program,
                                 const struct ad_fusion *fusion);
/* Frees all but the code. */
void ad_lowering_end(struct ad_lowering *b);

/* The next member of b->step is a scalar, an elementwise op, or a pair of an AD_ADDTO. */
enum ad_status ad_lower_member(struct ad_lowering *b, const struct ad_member *member);
/* After the last member of a run that began with word 'first': its words two by two, and the last
 * one. */
enum ad_status ad_lower_end_run(struct ad_lowering *b, int64_t first);

/* The elements of a view. */
enum ad_status ad_lower_view(struct ad_lowering *b, const struct ad_view *view,
                             struct ad_walk *walk);
/* Where the results of an instruction are, from number 'offset' on. */
struct ad_ref ad_lower_result(const struct ad_lowering *b, int32_t i, int64_t offset);
bool ad_walk_is_run(const struct ad_walk *walk);
/* Memory that goes with the code; NULL if there is none. */
void *ad_lower_room(struct ad_lowering *b, size_t size);
/* Where the numbers begin in the frame, behind the results, and the room to gather short operands
 * in. */
int64_t ad_lower_numbers_at(const struct ad_fusion *fusion);

#endif

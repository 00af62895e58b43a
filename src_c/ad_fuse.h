/* ad_fuse.h -- how a program is best carried out: which instructions share a loop, and where their
 * results live.
 *
 * The instructions that outputs and guards need are put into *steps*, carried out one after the other.  A
 * step is
 *
 *   a run     scalars and vectors of at most AD_SHORT elements, one instruction after the other;
 *   a group   instructions over one number of elements, in one loop: all of them for a first tile of elements,
 *             then all of them for the next;
 *   a single  one instruction that is neither: a matrix product, running sums, a rule of the user's ...
 *
 * Within a group an instruction may read another's result at its own element only.  A result that is
 * read in no other way lives in a tile, which holds no more than the elements under way; any other has a
 * place in the *frame*, an array of doubles, or is written into an output at once.  Places and tiles are
 * used again once nothing reads them any more.
 *
 * An AD_ADDTO takes part pair by pair: its pairs may be in several steps, in their order.  Whatever is
 * added to one slot is added in the order of the program, so sums have the bits of ad_program_replay().
 * This knows no kernels: it serves the interpreter and the writer of C alike. */
#ifndef AD_FUSE_H
#define AD_FUSE_H

#include "ad_program.h"

enum {
    AD_SHORT = 8, /* elements of the longest vector in a run */
    AD_LONG_ROW =
        64 /* from so many elements on, a row of a broadcast or strided operand is walked by itself */
};

enum ad_step_kind { AD_STEP_RUN, AD_STEP_GROUP, AD_STEP_SINGLE };

struct ad_member {
    int32_t instr;
    int32_t pair; /* of an AD_ADDTO: where the pair begins in its block, 0 if it has none */
};

struct ad_step {
    enum ad_step_kind kind;
    int32_t first, end; /* its members */
    int64_t n;          /* a group's elements */
    int64_t row;     /* a group's tiles do not cross the ends of rows of so many elements, at least
                           AD_LONG_ROW; 0: there are no rows */
    int32_t n_tiles; /* tiles that are in use at once */
};

/* Where the results of one instruction are. */
struct ad_result {
    int32_t step;   /* in which they are complete; -1: nothing needs them */
    int32_t tile;   /* number of the tile, or -1 */
    int32_t output; /* the output they are written to, or -1 */
    int64_t place;  /* of the first in the frame, or -1.  An input has one if some of it is wanted
                       there: see 'wanted' */
};

struct ad_fusion {
    const struct ad_program *program;
    struct ad_step *steps;
    struct ad_member *members;
    struct ad_result *results; /* of each instruction */
    uint8_t *wanted;           /* of each input slot: is it read in the frame? */
    int32_t *producers;        /* of the first of every 2**bucket_bits slots */
    int bucket_bits;
    int32_t n_steps, n_members;
    int64_t n_frame; /* doubles in the frame */
};

/* The instruction that produced a slot. */
AD_INLINE int32_t ad_fusion_producer(const struct ad_fusion *fusion, int32_t slot)
{
    const int32_t *dst = fusion->program->tape->dst;
    const int32_t *bucket = fusion->producers + (slot >> fusion->bucket_bits);
    int32_t low = bucket[0], high = bucket[1];

    /* in [low, high], and the last whose results begin at or before the slot */
    while (low < high) {
        int32_t middle = high - (high - low) / 2;

        if (dst[middle] <= slot)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

enum ad_status ad_fusion_new(const struct ad_program *program, struct ad_fusion *fusion);
void ad_fusion_free(struct ad_fusion *fusion);

/* What a pair of an AD_ADDTO does, by the view it adds to. */
enum ad_pair_kind {
    AD_PAIR_SUM,    /* each row of ad_pair_row() elements to one slot */
    AD_PAIR_RANGE,  /* to consecutive slots */
    AD_PAIR_SCATTER /* to slots here and there, perhaps several times to the same */
};
enum ad_pair_kind ad_pair_kind(const struct ad_view *to);
int64_t ad_pair_row(const struct ad_view *to);

/* The views of a member that is an array instruction: all operands, or the two of its pair.  Returns how many
 * there are; *words is where to decode the first. */
int ad_member_views(const struct ad_tape *tape, const struct ad_member *member,
                    const int64_t **words);
/* Are the elements of a list found in one block of memory: one input, or one instruction's results? */
bool ad_list_is_compact(const struct ad_fusion *fusion, const struct ad_view *view);

#endif

/* ad_group.h -- which instructions of a program share a loop.
 *
 * The instructions that outputs and guards need are put into *steps*, carried out one after the
 * other.  A step is
 *
 *   a run     scalars and vectors of at most AD_SHORT elements, one instruction after the other;
 *   a group   instructions over one number of elements, in one loop: all of them for a first
 *             tile of elements, then all of them for the next;
 *   a single  one instruction that is neither: a matrix product, running sums, a rule of the
 *             user's ...
 *
 * Within a group an instruction may read another's result at its own element only.
 *
 * An AD_ADDTO takes part pair by pair: its pairs may be in several steps.  Whatever is added to one
 * slot is added in the order of the program, so sums have the bits of ad_program_replay(). */
#ifndef AD_GROUP_H
#define AD_GROUP_H

#include "ad_program.h"

enum {
    AD_SHORT = 8,    /* elements of the longest vector in a run */
    AD_LONG_ROW = 64 /* elements of the shortest row of an operand that is walked by itself */
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

struct ad_grouping {
    const struct ad_program *program;
    struct ad_step *steps;
    struct ad_member *members; /* in the order of their steps */
    int32_t *step_of;   /* of each instruction, in which its results are complete; -1: not needed */
    int32_t *producers; /* of the first of every 2**bucket_bits slots */
    int bucket_bits;
    int32_t n_steps, n_members;
};

enum ad_status ad_grouping_new(const struct ad_program *program, struct ad_grouping *grouping);
void ad_grouping_free(struct ad_grouping *grouping);

/* The instruction that produced a slot. */
AD_INLINE int32_t ad_grouping_producer(const struct ad_grouping *grouping, int32_t slot)
{
    const int32_t *dst = grouping->program->tape->dst;
    const int32_t *bucket = grouping->producers + (slot >> grouping->bucket_bits);
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

/* Room for one more in an array of n; false without memory, the array then being as it was. */
bool ad_one_more(void **array, int64_t n, int64_t *capacity, size_t each);

/* What a pair of an AD_ADDTO does, by the view it adds to. */
enum ad_pair_kind {
    AD_PAIR_SUM,    /* each row of ad_pair_row() elements to one slot */
    AD_PAIR_RANGE,  /* to consecutive slots */
    AD_PAIR_SCATTER /* to slots here and there, perhaps several times to the same */
};
enum ad_pair_kind ad_pair_kind(const struct ad_view *to);
int64_t ad_pair_row(const struct ad_view *to);

/* The views of a member that is an array instruction: all operands, or the two of its pair. Returns
 * how many there are; *words is where to decode the first. */
int ad_member_views(const struct ad_tape *tape, const struct ad_member *member,
                    const int64_t **words);
/* Are the elements of a list in one block of memory: one input, or one instruction's results? */
bool ad_list_is_compact(const struct ad_grouping *grouping, const struct ad_view *view);
/* Is the view all results of instruction i, in their order? */
bool ad_view_is_whole(const struct ad_tape *tape, const struct ad_view *view, int32_t i);

#endif

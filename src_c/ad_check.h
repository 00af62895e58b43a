/* ad_check.h -- is a program in order?  The rules that every instruction, view, output and guard keeps,
 * in one place: programs that are about to be written, and what is read from a file, are held against
 * them before anything is run.
 *
 * A program that keeps them can be replayed, rewritten and derived without reading or writing a number
 * that is not its own. */
#ifndef AD_CHECK_H
#define AD_CHECK_H

#include "ad_program.h"

/* Of elements in a view (lengths of 0 counted as 1), of slots, of instructions. */
enum { AD_MOST_ELEMENTS = INT32_MAX - 16 };
/* Of strides, either way, so that a step beyond either end of a view still is a number. */
#define AD_MOST_STRIDE ((int64_t)1 << 48)

/* The part of a view or of an instruction that is to blame. */
enum ad_part {
    AD_PART_WHOLE,
    AD_PART_PLACE,
    AD_PART_LIST,
    AD_PART_BASE,
    AD_PART_SHAPE, /* fault.dim */
    AD_PART_STRIDE /* fault.dim */
};

/* What is wrong, where, and what would be right: one sentence in three parts. */
struct ad_fault {
    char field[160]; /* "instruction 12 operand 1 stride 0" */
    char expected[200], found[200];
    int64_t offset; /* of the field in a file; -1 in a program in memory */
    enum ad_part part;
    int dim;
};

/* All set the parts of a fault and return AD_BAD_PROGRAM. */
enum ad_status ad_fault_text(struct ad_fault *fault, const char *field, const char *expected,
                             const char *found);
enum ad_status ad_fault_range(struct ad_fault *fault, const char *field, int64_t low, int64_t high,
                              int64_t found);
/* Put "what index " before the field; an index below 0 is left out. */
void ad_fault_within(struct ad_fault *fault, const char *what, int64_t index);

/* The least and the greatest entry of a list; low > high if it has none. */
struct ad_bounds {
    int32_t low, high;
};
struct ad_bounds ad_list_bounds(const struct ad_list *list);

/*
 * ad_check_shape() holds for lengths from 0 on, whose product, zeros counted as ones, is at most
 * AD_MOST_ELEMENTS.
 *
 * ad_check_view() holds for a view that reads constants, slots below 'end', arrays, and nothing else;
 * if 'own' is not negative, for one that counts from the first of the 'own' results of its
 * instruction.  'entries' are the bounds of its list, if it has one.  The instructions that produce slots
 * below 'end' are on the tape.
 */
enum ad_status ad_check_shape(int ndim, const int64_t *shape, struct ad_fault *fault);
enum ad_status ad_check_view(const struct ad_tape *tape, int32_t end, int64_t own,
                             struct ad_bounds entries, const struct ad_view *view,
                             struct ad_fault *fault);

/*
 * ad_check_scalar() and ad_check_block() tell whether the parts of an instruction, of which the views
 * were checked each, fit one another and the code: as many as it takes, of the shapes it takes, and as
 * many results as it gives.  The scalar's results would begin at slot 'end'.
 */
enum ad_status ad_check_scalar(const struct ad_tape *tape, int code, int32_t a, int32_t b,
                               int32_t end, struct ad_fault *fault);
enum ad_status ad_check_block(int code, double p, int64_t extra, int64_t size, int64_t n,
                              const struct ad_view *views, struct ad_fault *fault);

/* All of a program.  AD_NO_MEMORY may be returned too. */
enum ad_status ad_program_check(const struct ad_program *program, struct ad_fault *fault);

#endif

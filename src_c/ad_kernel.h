/* ad_kernel.h -- linear algebra, and what runs along sequences, as instructions: a table of kernels that
 * compute all of their results at once from all of their operands.
 *
 * Their derivatives are rules written in operations on tensors, which the core reaches as those of an
 * AD_CALL; the values need neither Python nor its lock. */
#ifndef AD_KERNEL_H
#define AD_KERNEL_H

#include "ad_status.h"
#include "ad_view.h"

/* The numbers of ad_kernel.def. */
enum ad_kernel_name {
#define KERNEL(number, name, args, d0, d1, d2, dy) AD_KERNEL_##name = number,
#include "ad_kernel.def"
    AD_KERNEL_NUMBERS /* one more than the last */
};

enum { AD_KERNEL_MOST_ARGS = 3, AD_KERNEL_FLAGS = 8 };

/* Flags of 'gaps': what to do about equal eigenvalues. */
enum ad_ties {
    AD_TIES_VANISH,   /* 0 if the numerator is next to nothing, else AD_DEGENERATE */
    AD_TIES_FAIL,     /* AD_DEGENERATE */
    AD_TIES_NAN,      /* nan */
    AD_TIES_NEAR_FAIL /* AD_DEGENERATE, of nearly equal ones too */
};

/* A flag of 'gaps' beside these: vectors left over are asked for, so that they are like others. */
enum { AD_SHOWN = 4 };

/* A flag of 'vectors' beside AD_SHOWN: as those of singular values are, left above right. */
enum { AD_OF_VALUES = 1 };

/* Flags of 'eigh' and 'eigvalsh': LAPACK reads the upper triangle, on which the signs of the vectors
 * depend; the triangle that it does not read is not there, so that no derivative goes to it. */
enum { AD_FROM_UPPER = 1, AD_ONE_TRIANGLE = 2 };

/* Flags of 'triangle', and of 'solve_triangular' beside 1: below the diagonal; ones on the diagonal,
 * whatever is there. */
enum { AD_BELOW = 2, AD_UNIT = 4 };

/* Flags of 'solve_banded' beside 1: A is definite; only the diagonals on one side are there. */
enum { AD_DEFINITE = 2, AD_ONE_SIDE = 4 };

/* A flag of 'convolve' beside enum ad_overlap: the second vector is read from its end. */
enum { AD_BACKWARDS = 4 };

/* A kernel with all that is known before its operands' values are. */
struct ad_kernel {
    enum ad_kernel_name name;
    int flags, n_args, ndim; /* dimensions of a result, of one of the batch */
    int64_t first, count, batches;
    double p;
    int64_t rows[AD_KERNEL_MOST_ARGS], cols[AD_KERNEL_MOST_ARGS]; /* of each operand */
    int64_t shape[2], size; /* of a result, of one of the batch */
};

/*
 * What an instruction's 'extra' holds: number, flags and places; -1 if they are beyond their limits,
 * which are AD_KERNEL_FLAGS and 2**24, or if there is no such kernel.
 */
int64_t ad_kernel_extra(int number, int flags, int64_t first, int64_t count);

/*
 * ad_kernel_read() tells which kernel runs on 'n' operands of these shapes; only their dimensions are
 * looked at.  Returns NULL, or what it needs and does not have, in words.
 */
const char *ad_kernel_read(int64_t extra, double p, int n, const struct ad_view *views,
                           struct ad_kernel *kernel);
/* The same of shapes alone. */
const char *ad_kernel_read_shapes(int64_t extra, double p, int n, const int *ndim,
                                  const int64_t *const *shape, struct ad_kernel *kernel);

/* The row of a number; NULL if there is none. */
struct ad_kernel_row {
    const char *name;
    int n_args, dims[AD_KERNEL_MOST_ARGS + 1];
};
const struct ad_kernel_row *ad_kernel_row(int64_t number);

#endif

/* ad_gather.h -- reading and adding at computed indices (AD_GATHER, AD_SCATTER): values, and sweeps.
 *
 * Both are linear in the first operand, and each the transpose of the other; no derivative goes through
 * the indices. */
#ifndef AD_GATHER_H
#define AD_GATHER_H

#include "ad_tape.h"

/* Rows, and elements of a row before and after, of an AD_GATHER or AD_SCATTER. */
struct ad_gather {
    int64_t rows, from, to, indices;
};
struct ad_gather ad_gather_sizes(int code, int64_t extra, int ndim, const int64_t *shape,
                                 int64_t indices);

/* The results from dense operands. */
void ad_gather_values(int code, const struct ad_gather *sizes, const double *x, const double *index,
                      double *y);

/* Move lanes of one buffer through instruction i, or through its transpose. */
enum ad_status ad_gather_move(struct ad_tape *tape, int32_t i, bool reverse, double *buffer,
                              int lanes);

#endif

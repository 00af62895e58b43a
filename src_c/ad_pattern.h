/* ad_pattern.h -- where a sparse matrix has entries. */
#ifndef AD_PATTERN_H
#define AD_PATTERN_H

#include "ad_base.h"
#include "ad_status.h"

/* A sparse matrix of truths by rows: row r has columns column[start[r] .. start[r + 1]), ascending. */
struct ad_pattern {
    int64_t n_rows, n_columns;
    int64_t *start;  /* n_rows + 1 of them */
    int32_t *column; /* start[n_rows] of them */
};

void ad_pattern_free(struct ad_pattern *pattern); /* what it points at; accepts zeros */

/* Room for n_entries; 'start' and 'column' are left to be filled, start[0] and start[n_rows] are not. */
enum ad_status ad_pattern_new(int64_t n_rows, int64_t n_columns, int64_t n_entries,
                              struct ad_pattern *pattern);

/* On failure *transposed is zeros. */
enum ad_status ad_pattern_transpose(const struct ad_pattern *pattern,
                                    struct ad_pattern *transposed);

/*
 * *symmetric: is it?  If so mate[k] is the entry (c, r) for entry k, (r, c).  AD_NO_SLOTS if there are more than
 * INT32_MAX entries.
 */
enum ad_status ad_pattern_mates(const struct ad_pattern *pattern, int32_t *mate, bool *symmetric);

#endif

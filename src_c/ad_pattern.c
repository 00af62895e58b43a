/* ad_pattern.c -- patterns made, transposed and freed. */
#include "ad_pattern.h"

#include <stdlib.h>
#include <string.h>

void ad_pattern_free(struct ad_pattern *pattern)
{
    free(pattern->start);
    free(pattern->column);
    memset(pattern, 0, sizeof *pattern);
}

enum ad_status ad_pattern_new(int64_t n_rows, int64_t n_columns, int64_t n_entries,
                              struct ad_pattern *pattern)
{
    pattern->n_rows = n_rows;
    pattern->n_columns = n_columns;
    pattern->start = malloc((size_t)(n_rows + 1) * sizeof *pattern->start);
    pattern->column = malloc((size_t)AD_MAX(n_entries, 1) * sizeof *pattern->column);
    if (!pattern->start || !pattern->column) {
        ad_pattern_free(pattern);
        return AD_NO_MEMORY;
    }
    pattern->start[0] = 0;
    pattern->start[n_rows] = n_entries;
    return AD_OK;
}

enum ad_status ad_pattern_transpose(const struct ad_pattern *pattern, struct ad_pattern *transposed)
{
    int64_t n = pattern->n_columns, n_entries = pattern->start[pattern->n_rows], *start;
    enum ad_status status = ad_pattern_new(n + 1, pattern->n_rows, n_entries, transposed);

    if (status)
        return status;
    transposed->n_rows = n;
    start = transposed->start; /* n + 2 of them: the last is room */
    memset(start, 0, (size_t)(n + 2) * sizeof *start);
    for (int64_t k = 0; k < n_entries; k++)
        start[pattern->column[k] + 2]++;
    for (int64_t c = 0; c < n; c++)
        start[c + 2] += start[c + 1];
    /* start[c + 1] is where the next entry of c goes, and in the end where those of c + 1 begin */
    for (int64_t r = 0; r < pattern->n_rows; r++)
        for (int64_t k = pattern->start[r]; k < pattern->start[r + 1]; k++)
            transposed->column[start[pattern->column[k] + 1]++] = (int32_t)r;
    return AD_OK;
}

enum ad_status ad_pattern_mates(const struct ad_pattern *pattern, int32_t *mate, bool *symmetric)
{
    int64_t n = pattern->n_rows, *next; /* of each row: its first entry that is no mate yet */

    *symmetric = n == pattern->n_columns;
    if (pattern->start[n] > INT32_MAX)
        return AD_NO_SLOTS;
    next = malloc((size_t)(n + 1) * sizeof *next);
    if (!next)
        return AD_NO_MEMORY;
    memcpy(next, pattern->start, (size_t)n * sizeof *next);
    /* entries (r, c) of a column come by ascending r, as (c, r) stand in row c */
    for (int64_t r = 0; r < n && *symmetric; r++)
        for (int64_t k = pattern->start[r]; k < pattern->start[r + 1] && *symmetric; k++) {
            int64_t c = pattern->column[k], at = next[c]++;

            *symmetric = at < pattern->start[c + 1] && pattern->column[at] == r;
            mate[k] = (int32_t)at;
        }
    free(next);
    return AD_OK;
}

/* ad_color.c -- greedy colouring, column by column. */
#include "ad_color.h"

#include <stdlib.h>
#include <string.h>

/* Columns and rows with 'alone' set are left out; NULL: none. */
static enum ad_status color_rest(const struct ad_pattern *pattern, int64_t limit,
                                 const uint8_t *alone, int32_t *color, int64_t *n_colors)
{
    int64_t n = pattern->n_columns, longest = 0;
    struct ad_pattern rows_of = {0, 0, NULL, NULL};
    int32_t *taken; /* of each colour: the last column that may not have it, and 1 */
    enum ad_status status;

    for (int64_t r = 0; r < pattern->n_rows; r++)
        if (!(alone && alone[r]))
            longest = AD_MAX(longest, pattern->start[r + 1] - pattern->start[r]);
    if (!alone && longest > limit) {
        *n_colors = limit + 1;
        return AD_OK;
    }
    *n_colors = 0;
    taken = calloc((size_t)AD_MIN(n, limit) + 1, sizeof *taken);
    status = taken ? ad_pattern_transpose(pattern, &rows_of) : AD_NO_MEMORY;
    for (int64_t c = 0; c < n && !status; c++)
        color[c] = -1;
    for (int64_t c = 0; c < n && !status; c++) {
        int32_t first = 0, now = (int32_t)c + 1;

        if (alone && alone[c])
            continue;
        for (int64_t k = rows_of.start[c]; k < rows_of.start[c + 1]; k++) {
            int64_t r = rows_of.column[k];

            for (int64_t j = pattern->start[r]; j < pattern->start[r + 1] && !(alone && alone[r]);
                 j++)
                if (color[pattern->column[j]] >= 0)
                    taken[color[pattern->column[j]]] = now;
        }
        while (taken[first] == now)
            first++;
        *n_colors = AD_MAX(*n_colors, first + 1);
        if (first >= limit)
            break;
        color[c] = first;
    }
    *n_colors = AD_MIN(*n_colors, limit + 1);
    ad_pattern_free(&rows_of);
    free(taken);
    return status;
}

enum ad_status ad_color_columns(const struct ad_pattern *pattern, int64_t limit, int32_t *color,
                                int64_t *n_colors)
{
    return color_rest(pattern, limit, NULL, color, n_colors);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Rows much longer than the median are LONG times as long, and longer than SHORT. */
enum { LONG = 4, SHORT = 8 };

enum ad_status ad_color_symmetric(const struct ad_pattern *pattern, int64_t limit, int32_t *color,
                                  uint8_t *alone, int64_t *n_colors)
{
    int64_t n = pattern->n_rows, n_alone = 0, long_row, n_rest,
            *length = malloc((size_t)AD_MAX(n, 1) * sizeof *length);
    enum ad_status status = AD_OK;

    if (!length)
        return AD_NO_MEMORY;
    for (int64_t r = 0; r < n; r++)
        length[r] = pattern->start[r + 1] - pattern->start[r];
    qsort(length, (size_t)n, sizeof *length, compare);
    long_row = n ? AD_MAX(SHORT, LONG * length[n / 2]) : 0;
    free(length);
    for (int64_t r = 0; r < n; r++) {
        alone[r] = pattern->start[r + 1] - pattern->start[r] > long_row;
        n_alone += alone[r];
    }
    if (n_alone == 0)
        return color_rest(pattern, limit, NULL, color, n_colors);
    *n_colors = limit + 1;
    if (n_alone < limit)
        status = color_rest(pattern, limit - n_alone, alone, color, n_colors);
    n_rest = *n_colors;
    if (status || n_alone + n_rest > limit) {
        *n_colors = limit + 1;
        return status;
    }
    *n_colors += n_alone;
    for (int64_t c = 0; c < n; c++)
        if (alone[c])
            color[c] = (int32_t)n_rest++;
    return AD_OK;
}

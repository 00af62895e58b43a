/* ad_color.c -- greedy colouring with a set of the colours that each row has. */
#include "ad_color.h"

#include <stdlib.h>
#include <string.h>

/* Columns and rows with 'alone' set are left out; NULL: none. */
static enum ad_status color_rest(const struct ad_pattern *pattern, int64_t limit,
                                 const uint8_t *alone, int32_t *color, int64_t *n_colors)
{
    int64_t words = limit / 64 + 1;
    struct ad_pattern rows_of = {0, 0, NULL, NULL};
    uint64_t *taken = calloc((size_t)(pattern->n_rows + 1) * (size_t)words, sizeof *taken),
             *forbidden = taken ? taken + pattern->n_rows * words : NULL;
    enum ad_status status = taken ? ad_pattern_transpose(pattern, &rows_of) : AD_NO_MEMORY;

    *n_colors = 0;
    for (int64_t c = 0; c < pattern->n_columns && !status; c++) {
        int64_t w = 0, first;

        if (alone && alone[c])
            continue;
        memset(forbidden, 0, (size_t)words * sizeof *forbidden);
        for (int64_t k = rows_of.start[c]; k < rows_of.start[c + 1]; k++)
            if (!(alone && alone[rows_of.column[k]]))
                for (int64_t j = 0; j < words; j++)
                    forbidden[j] |= taken[rows_of.column[k] * words + j];
        while (w < words && ~forbidden[w] == 0)
            w++;
        for (first = 64 * w; first < 64 * words && forbidden[w] >> first % 64 & 1; first++)
            ;
        *n_colors = AD_MAX(*n_colors, first + 1);
        if (first >= limit)
            break;
        color[c] = (int32_t)first;
        for (int64_t k = rows_of.start[c]; k < rows_of.start[c + 1]; k++)
            taken[rows_of.column[k] * words + w] |= (uint64_t)1 << first % 64;
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

/* ad_color.h -- columns of a sparse matrix that can share one direction. */
#ifndef AD_COLOR_H
#define AD_COLOR_H

#include "ad_pattern.h"

/*
 * ad_color_columns() gives each column a colour 0 .. *n_colors - 1, so that no two columns of one colour
 * share a row: the sum of the columns of a colour tells each of them.  Greedy, in the order of the
 * columns: a band of width b takes b colours.
 *
 * ad_color_symmetric() does so for a symmetric matrix; there rows that are much longer than others, which
 * have alone[r] set, do not count, and columns of the same number have a colour of their own: what is in
 * such a row is known from its column.  An arrow takes 2 colours.
 *
 * 'color' has room for n_columns, 'alone' for n_columns.  More than 'limit' colours are not looked for:
 * then *n_colors is limit + 1, and the colours are undefined.
 *
 * Time is that of the entries times the length of their rows.
 */
enum ad_status ad_color_columns(const struct ad_pattern *pattern, int64_t limit, int32_t *color,
                                int64_t *n_colors);
enum ad_status ad_color_symmetric(const struct ad_pattern *pattern, int64_t limit, int32_t *color,
                                  uint8_t *alone, int64_t *n_colors);

#endif

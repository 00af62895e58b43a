/* ad_bicolor.h -- rows and columns of a sparse matrix that can share one direction.
 *
 * A star bicolouring: some rows and some columns have colours, apart from each other; the rest have -1.  Each
 * entry can be read either from the product of the matrix and the columns of one colour, or from that of the rows
 * of one colour and the matrix.  Where there are dense rows and dense columns, a few colours do: an arrow takes
 * 3, whatever its size. */
#ifndef AD_BICOLOR_H
#define AD_BICOLOR_H

#include "ad_order.h"

/*
 * Every entry has its row or its column coloured, and on a path of four, (r, c), (s, c), (s, d), the coloured
 * ones of r and s, and of c and d, are not of one colour both; neighbours of one without colour differ.
 *
 * By which of the two an entry is read is settled first: rows and columns of few entries are taken out in turn,
 * in the way that raises the least number of colours least (Coleman and Verma 1998); then columns and rows
 * are coloured greedily, in the order 'how' of the bipartite graph.  Colours of columns or of rows alone are
 * taken where they are fewer.
 *
 * Time is that of the entries times the number of colours.  AD_NO_SLOTS: more than INT32_MAX rows and
 * columns together.
 */
enum ad_status ad_color_bicolor(const struct ad_pattern *pattern, enum ad_order how,
                                int32_t *row_color, int32_t *column_color, int64_t *n_row_colors,
                                int64_t *n_column_colors);

#endif

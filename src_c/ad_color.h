/* ad_color.h -- columns of a sparse matrix that can share one direction.
 *
 * A colouring gives each column a colour 0 .. *n_colors - 1; the matrix times the sum of the columns of the
 * identity that have one colour is what is computed (a *lane*), and ad_recover.h reads the entries from the lanes.
 *
 * All are greedy: each column in its turn gets the least colour that is left to it.  'order' is which comes when,
 * see ad_order.h; NULL: as they are.  'color' has room for n_columns.  More than 'limit' colours are not
 * looked for: then *n_colors is limit + 1, and the colours are undefined. */
#ifndef AD_COLOR_H
#define AD_COLOR_H

#include "ad_pattern.h"

/*
 * ad_color_columns(): no two columns of one colour share a row (a distance-2 colouring of columns); a band
 * of width b takes b colours.  Time is that of the entries times the length of their rows.
 */
enum ad_status ad_color_columns(const struct ad_pattern *pattern, const int32_t *order,
                                int64_t limit, int32_t *color, int64_t *n_colors);

/*
 * Of a symmetric pattern, seen as a graph: a vertex is a row and its column, an edge an entry off the diagonal.
 * Neighbours have different colours, and
 *
 * ad_color_star(): a path of four vertices has at least three, so that the vertices of any two colours
 * form stars.  An edge can be read at the ends of its star.  An arrow takes 2 colours, a band of width
 * 3 takes 3.
 *
 * ad_color_acyclic(): a cycle has at least three, so that the vertices of any two colours form trees.
 * Edges are read at the leaves, those further in by substitution.  A tree takes 2 colours.
 *
 * Time is that of the edges times the number of colours next to a vertex, so that dense rows cost no more than
 * their length (Gebremedhin, Tarafdar, Manne, Pothen 2007, with the two-coloured stars and trees of a vertex
 * listed by colour, not by edge).  AD_NO_SLOTS if there are more than INT32_MAX entries.
 */
enum ad_status ad_color_star(const struct ad_pattern *symmetric, const int32_t *order,
                             int64_t limit, int32_t *color, int64_t *n_colors);
enum ad_status ad_color_acyclic(const struct ad_pattern *symmetric, const int32_t *order,
                                int64_t limit, int32_t *color, int64_t *n_colors);

/*
 * The fewest colours of some tries that ad_recover_star() can read from: stars in the natural order and
 * smallest-last, and columns that share no row, which are stars too and the better ones on some grids.
 */
enum ad_status ad_color_symmetric(const struct ad_pattern *symmetric, int64_t limit, int32_t *color,
                                  int64_t *n_colors);

#endif

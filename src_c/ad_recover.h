/* ad_recover.h -- where the entries of a sparse matrix are read from the products with its colours.
 *
 * The product with a colour is a *lane*: the sum of its columns, one number for each row. */
#ifndef AD_RECOVER_H
#define AD_RECOVER_H

#include "ad_pattern.h"

/*
 * A symmetric matrix with a colouring of ad_color_star(): entry k is element row[k] of lane lane[k].  It is
 * that of its own row if no other column of the colour meets the row, else that of its mate's.
 */
enum ad_status ad_recover_star(const struct ad_pattern *symmetric, const int32_t *color,
                               int32_t *row, int32_t *lane);

/*
 * A matrix with colours of ad_color_bicolor(): entry k, (r, c), is element r of the columns' lane lane[k], or if
 * that is negative, element c of the rows' lane -1 - lane[k].
 */
enum ad_status ad_recover_bicolor(const struct ad_pattern *pattern, const int32_t *row_color,
                                  const int32_t *column_color, int32_t *lane);

/*
 * A symmetric matrix with a colouring of ad_color_acyclic(): its edges one by one, leaves of the trees first.
 * Of step s, entry[s] is the only one of its row and its column's colour that is not known by then, and mate[s] is
 * the entry on the other side; both have room for half of the entries.  AD_NO_SLOTS if there are more than
 * INT32_MAX entries.
 */
enum ad_status ad_recover_acyclic(const struct ad_pattern *symmetric, const int32_t *color,
                                  int32_t *entry, int32_t *mate, int64_t *n_steps);

/* The numbers: 'lanes' (n, n_colors) are used up, data[k] becomes entry k. */
void ad_recover_substitute(const struct ad_pattern *symmetric, const int32_t *color,
                           int64_t n_colors, int64_t n_steps, const int32_t *entry,
                           const int32_t *mate, double *lanes, double *data);

#endif

/* ad_order.h -- in which order vertices are coloured.
 *
 * Greedy colourings (ad_color.h) give a vertex the least colour that its neighbours leave: how many they
 * take depends on the order (Gebremedhin, Manne, Pothen 2005, section 5).  Equal ones come in their
 * natural order at first. */
#ifndef AD_ORDER_H
#define AD_ORDER_H

#include "ad_pattern.h"

enum ad_order {
    AD_ORDER_NATURAL,
    AD_ORDER_LARGEST_FIRST, /* by falling degree */
    AD_ORDER_SMALLEST_LAST, /* the last has the least degree, the one before it the least without the last .. */
    AD_ORDER_INCIDENCE /* next is one with most neighbours before it */
};

/*
 * order[0 .. n - 1] become the vertices.  ad_order_vertices(): rows of a symmetric pattern, neighbours
 * where it has an entry off the diagonal; time is that of the entries.  ad_order_columns(): columns, neighbours
 * if they share a row; time is that of the entries times the length of their rows.
 */
enum ad_status ad_order_vertices(const struct ad_pattern *symmetric, enum ad_order how,
                                 int32_t *order);
enum ad_status ad_order_columns(const struct ad_pattern *pattern, enum ad_order how,
                                int32_t *order);

#endif

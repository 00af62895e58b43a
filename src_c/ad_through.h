/* ad_through.h -- views seen through views: of what an operand shows, the elements that a view of the results
 * names. */
#ifndef AD_THROUGH_H
#define AD_THROUGH_H

#include "ad_tape.h"

/* Which results a view of slots names, counted from slot 'first' on, in C order. */
void ad_view_results(const struct ad_view *view, int32_t first, int64_t *at);

/*
 * The elements of 'operand' at the places that 'results' names, a view of slots of which 'first' is the one
 * of element 0 of 'operand' in C order.  *through has the shape of 'results' and a reference of its own; it is a
 * list where strides cannot express it, and a number where 'operand' is one.
 */
enum ad_status ad_view_through(struct ad_tape *tape, const struct ad_view *operand,
                               const struct ad_view *results, int32_t first,
                               struct ad_view *through);

/* n elements of a view, by their positions in C order: of one dimension, else as above. */
enum ad_status ad_view_select(struct ad_tape *tape, const struct ad_view *view, int64_t n,
                              const int64_t *positions, struct ad_view *selected);

/* Do two views name the same slots, element by element?  Shapes must be equal too. */
bool ad_view_same(const struct ad_view *a, const struct ad_view *b);

/* Without dimensions of length 1. */
void ad_view_squeeze(struct ad_view *view);

#endif

/* ad_draw.h -- results that are elements of others: sorted, parted, made a set.
 *
 * The values are known at once, and sorting values takes a fraction of what sorting with places does.
 * Which element each of them is, only derivatives ask: an AD_DRAW says where they were drawn from, until
 * ad_draw_find() makes it the AD_ADDTO of those elements that it stands for.  Whatever sweeps over a tape
 * calls that first, so that no sweep meets an AD_DRAW.  The tape of a program has none. */
#ifndef AD_DRAW_H
#define AD_DRAW_H

#include "ad_tape.h"

/*
 * m elements of each row of 'from', rows along its last dimension: the values are to be written to the
 * newest instruction's slots, in any order.  Each must be that of an element, and no more of them equal
 * than there are elements; of equal ones the first are drawn.  A nan equals a nan.
 */
enum ad_status ad_record_draw(struct ad_tape *tape, const struct ad_view *from, int64_t m,
                              struct ad_view *result);
/* The rows in ascending order, nan last. */
enum ad_status ad_record_sort(struct ad_tape *tape, const struct ad_view *from,
                              struct ad_view *result);

/* Sets in ascending order, of elements of one dimension. */
enum ad_set_of {
    AD_SET_OF_ALL,     /* each number once; nan too */
    AD_SET_OF_NUMBERS, /* the same, but each nan is another */
    AD_SET_COMMON,     /* those that are in the second set too, where no nan is */
    AD_SET_MISSING,    /* those that are not */
    AD_SET_ONE_SIDED /* of the first 'split' elements and of those behind, what one of the two has */
};

/*
 * 'second' is 'n_second' numbers, of AD_SET_COMMON and AD_SET_MISSING only.  'count', of AD_SET_OF_ALL and
 * AD_SET_OF_NUMBERS only, receives how many elements each is of; NULL, or room for as many as there are.
 */
enum ad_status ad_record_set(struct ad_tape *tape, enum ad_set_of kind, const struct ad_view *from,
                             int64_t split, int64_t n_second, const double *second, int64_t *count,
                             struct ad_view *result);

/*
 * Elements of 'from', of one dimension, added up in bins: result[at[j]] += element j.  Each place is one of
 * 0 ... n_bins - 1; see ad_index_range().
 */
enum ad_status ad_record_bins(struct ad_tape *tape, const struct ad_view *from, const int64_t *at,
                              int64_t n_bins, struct ad_view *result);

/* Let no instruction of first ... last be an AD_DRAW; slots stay where they are. */
enum ad_status ad_draw_find_all(struct ad_tape *tape, int32_t first, int32_t last);

AD_INLINE enum ad_status ad_draw_find(struct ad_tape *tape, int32_t first, int32_t last)
{
    return AD_LIKELY(tape->n_draws == 0) ? AD_OK : ad_draw_find_all(tape, first, last);
}

#endif

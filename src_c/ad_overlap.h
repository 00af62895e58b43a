/* ad_overlap.h -- parts of an AD_ADDTO that share a loop, which takes element 0 of each, then element 1 of each, and
 * so on: is each result still added to in the order of the parts? */
#ifndef AD_OVERLAP_H
#define AD_OVERLAP_H

#include "ad_view.h"

struct ad_overlap {
    int32_t
        *last; /* of each result the last element that was added to it, counted from 'base' + 1 */
    int64_t size;
    int32_t base; /* what is not above it is of earlier loops */
    int32_t most; /* elements of the longest part of this loop */
};

/* False without memory.  Also then ad_overlap_end() is to follow. */
bool ad_overlap_begin(struct ad_overlap *overlap, int64_t size);
void ad_overlap_end(struct ad_overlap *overlap);
/* A new loop begins. */
void ad_overlap_restart(struct ad_overlap *overlap);
/* May a part that adds to 'to', an AD_OWN or AD_OWN_LIST view, follow in the same loop? */
bool ad_overlap_follows(const struct ad_overlap *overlap, const struct ad_view *to);
/* It does. */
void ad_overlap_add(struct ad_overlap *overlap, const struct ad_view *to);

#endif

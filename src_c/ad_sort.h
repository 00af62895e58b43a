/* ad_sort.h -- sorting in linear time. */
#ifndef AD_SORT_H
#define AD_SORT_H

#include "ad_base.h"

/*
 * ad_sort_keys() sorts n keys, and n items with them unless 'item' is NULL; equal keys keep their
 * order.  The spare arrays are room for as many.  Returns how many elements were moved.
 */
int64_t ad_sort_keys(int64_t n, uint64_t *key, int32_t *item, uint64_t *spare_key,
                     int32_t *spare_item);

#endif

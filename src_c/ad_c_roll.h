/* ad_c_roll.h -- finding what repeats itself in a long row of statements. */
#ifndef AD_C_ROLL_H
#define AD_C_ROLL_H

#include "ad_base.h"
#include "ad_status.h"

/* 'count' times 'period' statements from 'first' on; count 1: they do not repeat. */
struct ad_repeat {
    int64_t first, period, count;
};

/*
 * ad_find_repeats() cuts a row of n statements into stretches, in order and without gaps.
 *
 * Of a stretch that repeats itself statement j of each turn has the same kinds[j]; equal kinds stand for
 * statements that differ in their operands only.  *repeats is to be freed.  Linear in n.
 */
enum ad_status ad_find_repeats(const uint64_t *kinds, int64_t n, struct ad_repeat **repeats,
                               int64_t *n_repeats);

#endif

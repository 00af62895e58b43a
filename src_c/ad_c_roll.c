/* ad_c_roll.c -- repeats, found by the next place where the same few kinds follow each other. */
#include "ad_c_roll.h"

#include <stdlib.h>
#include <string.h>

enum {
    GRAM = 8,        /* kinds that must agree before a period is tried */
    CANDIDATES = 16, /* periods that are tried at one place */
    LEAST_COUNT = 4, /* turns that are worth a loop */
    LEAST_TOTAL = 24,
    WORK = 64 /* comparisons per statement, then no more periods are tried */
};

/* next[m]: the next place with the grams of m, or -1. */
static enum ad_status find_next(const uint64_t *kinds, int64_t n, int64_t *next)
{
    int bits = 4;
    int64_t *newest;
    uint64_t mask;

    while ((int64_t)1 << bits < 2 * n)
        bits++;
    mask = ((uint64_t)1 << bits) - 1;
    newest = malloc(((size_t)mask + 1) * sizeof *newest);
    if (!newest)
        return AD_NO_MEMORY;
    for (uint64_t j = 0; j <= mask; j++)
        newest[j] = -1;
    for (int64_t m = n - 1; m >= 0; m--) {
        uint64_t hash = 0;

        next[m] = -1;
        if (m + GRAM > n)
            continue;
        for (int j = 0; j < GRAM; j++)
            hash = (hash ^ kinds[m + j]) * 0x9E3779B97F4A7C15u;
        /* another gram with this hash costs a comparison that fails, no more */
        next[m] = newest[hash >> 20 & mask];
        newest[hash >> 20 & mask] = m;
    }
    free(newest);
    return AD_OK;
}

/* The best repeat that begins at m. */
static struct ad_repeat best_at(const uint64_t *kinds, int64_t n, const int64_t *next, int64_t m,
                                int64_t *work)
{
    struct ad_repeat best = {m, 1, 1};
    int64_t other = next[m];

    for (int c = 0; c < CANDIDATES && other >= 0 && *work > 0; c++, other = next[other]) {
        int64_t period = other - m, same = 0, count;

        while (other + same < n && kinds[m + same] == kinds[other + same])
            same++;
        *work -= same + 1;
        count = same / period + 1;
        if (count >= LEAST_COUNT && count * period >= LEAST_TOTAL &&
            count * period > best.count * best.period)
            best = (struct ad_repeat){m, period, count};
        if (best.count > 1 && best.count * best.period >= n - m - best.period)
            break; /* there is no more to gain */
    }
    return best;
}

enum ad_status ad_find_repeats(const uint64_t *kinds, int64_t n, struct ad_repeat **repeats,
                               int64_t *n_repeats)
{
    int64_t *next = malloc(((size_t)n + 1) * sizeof *next), work = WORK * n;
    /* a repeat has LEAST_TOTAL statements at least, and at most one stretch lies before it */
    size_t most = 2 * ((size_t)n / LEAST_TOTAL + 1);
    struct ad_repeat *found = malloc(most * sizeof *found);
    enum ad_status status = next && found ? find_next(kinds, n, next) : AD_NO_MEMORY;

    *n_repeats = 0;
    for (int64_t m = 0; m < n && !status;) {
        struct ad_repeat best = best_at(kinds, n, next, m, &work);
        struct ad_repeat *last = *n_repeats ? &found[*n_repeats - 1] : NULL;

        if (best.count == 1 && last && last->count == 1) {
            last->period++;
        } else {
            ad_assert((size_t)*n_repeats < most);
            found[(*n_repeats)++] = best;
        }
        m += best.period * best.count;
    }
    free(next);
    if (status)
        free(found);
    *repeats = status ? NULL : found;
    return status;
}

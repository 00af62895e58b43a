/* ad_entries.h -- elements of some arrays on a tape, put in their places in another. */
#ifndef AD_ENTRIES_H
#define AD_ENTRIES_H

#include "ad_tape.h"

/* Which elements of one array, and where they go. */
struct ad_entries {
    int64_t n, *from; /* positions in the array, in C order */
    int32_t *to;      /* positions where they are put */
};

/* Room for as many as 'most'; n is 0.  Accept zeros when they are freed. */
enum ad_status ad_entries_new(int64_t most, struct ad_entries *entries);
void ad_entries_free(struct ad_entries *entries);

/*
 * ad_entries_put() records entries[k] of results[k], n arrays or numbers, each place named at most once, among
 * zeros of 'size' elements.  *whole is a number if there are none, and holds a reference.
 */
enum ad_status ad_entries_put(struct ad_tape *tape, int64_t size, int n,
                              const struct ad_view *const *results,
                              const struct ad_entries *entries, struct ad_view *whole);

/*
 * All of them together: element i of *whole, of 'size' elements and one dimension, is element from[i] of results[source[i]],
 * of n.
 */
enum ad_status ad_entries_gather(struct ad_tape *tape, int64_t size, int n,
                                 const struct ad_view *const *results, const int32_t *source,
                                 const int64_t *from, struct ad_view *whole);

#endif

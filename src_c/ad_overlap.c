/* ad_overlap.c -- the last element that was added to each result. */
#include "ad_overlap.h"

#include <stdlib.h>
#include <string.h>

bool ad_overlap_begin(struct ad_overlap *overlap, int64_t size)
{
    *overlap = (struct ad_overlap){.size = size};
    overlap->last = calloc((size_t)AD_MAX(size, 1), sizeof *overlap->last);
    return overlap->last != NULL;
}

void ad_overlap_end(struct ad_overlap *overlap)
{
    free(overlap->last);
}

void ad_overlap_restart(struct ad_overlap *overlap)
{
    if (overlap->base > INT32_MAX / 2 - overlap->most) {
        memset(overlap->last, 0, (size_t)overlap->size * sizeof *overlap->last);
        overlap->base = 0;
    } else {
        overlap->base += overlap->most;
    }
    overlap->most = 0;
}

/* Call EACH(j, slot) for the results that the elements of 'to' go to. */
#define EACH_RESULT(to, EACH)                                                                      \
    do {                                                                                           \
        int64_t for_size = ad_view_size(to);                                                       \
        struct ad_span_room for_room;                                                              \
        for (int64_t for_start = 0, for_n; for_start < for_size; for_start += for_n) {             \
            for_n = ad_tile_size(to, for_size, for_start);                                         \
            struct ad_span for_span = ad_span_of(to, 0, NULL, for_start, for_n, &for_room);        \
            for (int64_t for_i = 0; for_i < for_n; for_i++)                                        \
                EACH((int32_t)(for_start + for_i),                                                 \
                     for_span.kind == AD_SPAN_MANY  ? for_span.slots[for_i]                        \
                     : for_span.kind == AD_SPAN_RUN ? for_span.slot + (int32_t)for_i               \
                                                    : for_span.slot);                              \
        }                                                                                          \
    } while (0)

bool ad_overlap_follows(const struct ad_overlap *overlap, const struct ad_view *to)
{
    bool ahead = false;

#define IS_AHEAD(j, slot) ahead |= overlap->last[slot] > overlap->base + 1 + (j)
    EACH_RESULT(to, IS_AHEAD);
    return !ahead;
}

void ad_overlap_add(struct ad_overlap *overlap, const struct ad_view *to)
{
#define LAST(j, slot) overlap->last[slot] = AD_MAX(overlap->last[slot], overlap->base + 1 + (j))
    EACH_RESULT(to, LAST);
    overlap->most = AD_MAX(overlap->most, (int32_t)ad_view_size(to));
}

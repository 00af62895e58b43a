/* ad_entries.c -- lists of elements, added into zeros by one instruction. */
#include "ad_entries.h"

#include <stdlib.h>
#include <string.h>

enum ad_status ad_entries_new(int64_t most, struct ad_entries *entries)
{
    entries->n = 0;
    entries->from = malloc((size_t)AD_MAX(most, 1) * sizeof *entries->from);
    entries->to = malloc((size_t)AD_MAX(most, 1) * sizeof *entries->to);
    return entries->from && entries->to ? AD_OK : AD_NO_MEMORY;
}

void ad_entries_free(struct ad_entries *entries)
{
    free(entries->from);
    free(entries->to);
}

/* A part of an AD_ADDTO that puts entries of 'result'. */
static enum ad_status part_of(struct ad_tape *tape, const struct ad_view *result,
                              const struct ad_entries *entries, struct ad_view *from,
                              struct ad_view *to)
{
    if (result->place == AD_ARRAY || result->place == AD_NUMBER) { /* lists are of slots */
        enum ad_status status = ad_record_copy(tape, result, from);

        if (status)
            return status;
    } else {
        *from = *result;
        ad_view_hold(from);
    }
    if (!ad_view_pick(from, &tape->lists, entries->from, entries->n)) {
        ad_view_drop(from);
        return AD_NO_MEMORY;
    }
    *to = ad_view_slots(0, 1, &entries->n);
    to->place = AD_OWN_LIST;
    to->in.list = ad_list_new(NULL, entries->n);
    if (!to->in.list) {
        ad_view_drop(from);
        return AD_NO_MEMORY;
    }
    if (entries->n)
        memcpy(to->in.list->slot, entries->to, (size_t)entries->n * sizeof *entries->to);
    return AD_OK;
}

enum ad_status ad_entries_put(struct ad_tape *tape, int64_t size, int n,
                              const struct ad_view *const *results,
                              const struct ad_entries *entries, struct ad_view *whole)
{
    struct ad_view *from = calloc((size_t)AD_MAX(2 * n, 1), sizeof *from),
                   *to = from ? from + n : NULL;
    int parts = 0;
    enum ad_status status = from ? AD_OK : AD_NO_MEMORY;

    *whole = ad_view_number(0);
    for (int k = 0; k < n && !status; k++)
        if (entries[k].n && !(results[k]->place == AD_NUMBER && results[k]->in.number == 0)) {
            status = part_of(tape, results[k], &entries[k], &from[parts], &to[parts]);
            parts += !status;
        }
    if (!status && parts)
        status = ad_record_addto(tape, size, parts, from, to, whole);
    while (parts-- > 0) {
        ad_view_drop(&from[parts]);
        ad_view_drop(&to[parts]);
    }
    free(from);
    return status;
}

enum ad_status ad_entries_gather(struct ad_tape *tape, int64_t size, int n,
                                 const struct ad_view *const *results, const int32_t *source,
                                 const int64_t *from, struct ad_view *whole)
{
    struct ad_entries *entries = calloc((size_t)AD_MAX(n, 1), sizeof *entries);
    int64_t *count = calloc((size_t)AD_MAX(n, 1), sizeof *count);
    enum ad_status status = !entries || !count ? AD_NO_MEMORY
                            : size > INT32_MAX ? AD_NO_SLOTS
                                               : AD_OK;

    for (int64_t i = 0; i < size && !status; i++)
        count[source[i]]++;
    for (int k = 0; k < n && !status; k++)
        status = ad_entries_new(count[k], &entries[k]);
    for (int64_t i = 0; i < size && !status; i++) {
        struct ad_entries *part = &entries[source[i]];

        part->from[part->n] = from[i];
        part->to[part->n++] = (int32_t)i;
    }
    if (!status)
        status = ad_entries_put(tape, size, n, results, entries, whole);
    if (!status && whole->place == AD_NUMBER)
        ad_view_broadcast(whole, 1, &size);
    for (int k = 0; k < n && entries; k++)
        ad_entries_free(&entries[k]);
    free(entries);
    free(count);
    return status;
}

/* ad_sort.c -- by digits, from the lowest; short arrays by insertion. */
#include "ad_sort.h"

#include <string.h>

static void insert(int64_t n, uint64_t *key, int32_t *item)
{
    for (int64_t j = 1; j < n; j++) {
        uint64_t one = key[j];
        int32_t its = item ? item[j] : 0;
        int64_t at = j;

        for (; at > 0 && key[at - 1] > one; at--) {
            key[at] = key[at - 1];
            if (item)
                item[at] = item[at - 1];
        }
        key[at] = one;
        if (item)
            item[at] = its;
    }
}

int64_t ad_sort_keys(int64_t n, uint64_t *key, int32_t *item, uint64_t *spare_key,
                     int32_t *spare_item)
{
    enum { BITS = 11, DIGITS = 1 << BITS, SHORT = 64 };
    uint64_t differ = 0, *const given = key, *swap_keys;
    int32_t *swap_items;
    int64_t count[DIGITS + 1], moved = n;
    bool sorted = true;

    for (int64_t j = 1; j < n; j++) {
        differ |= key[j] ^ key[0];
        sorted &= key[j - 1] <= key[j];
    }
    if (sorted)
        return moved;
    if (n < SHORT) {
        insert(n, key, item);
        return moved;
    }
    for (int shift = 0; shift < 64 && differ >> shift; shift += BITS) {
        if ((differ >> shift & (DIGITS - 1)) == 0)
            continue;
        memset(count, 0, sizeof count);
        for (int64_t j = 0; j < n; j++)
            count[(key[j] >> shift & (DIGITS - 1)) + 1]++;
        for (int d = 0; d < DIGITS; d++)
            count[d + 1] += count[d];
        for (int64_t j = 0; j < n; j++) {
            int64_t at = count[key[j] >> shift & (DIGITS - 1)]++;

            spare_key[at] = key[j];
            if (item)
                spare_item[at] = item[j];
        }
        swap_keys = key, key = spare_key, spare_key = swap_keys;
        swap_items = item, item = spare_item, spare_item = swap_items;
        moved += n;
    }
    if (key != given) { /* the last pass wrote into what was to spare */
        memcpy(spare_key, key, (size_t)n * sizeof *key);
        if (item)
            memcpy(spare_item, item, (size_t)n * sizeof *item);
    }
    return moved;
}

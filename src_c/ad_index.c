/* ad_index.c -- sorting by indices, and following them. */
#include "ad_index.h"

#include <math.h>
#include <string.h>

#include "ad_sort.h"

/* Keys that are ordered as the numbers are: -0.0 with 0.0, and every nan behind infinity. */
static uint64_t key_of(double x)
{
    uint64_t bits;

    if (x != x)
        return UINT64_MAX;
    x += 0.0; /* -0.0 becomes 0.0 */
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

void ad_index_sort(int64_t rows, int64_t n, const double *x, double *y, void *room)
{
    uint64_t *key = room, *spare_key = key + n;
    int32_t *item = (int32_t *)(spare_key + n), *spare_item = item + n;

    for (int64_t r = 0; r < rows; r++, x += n, y += n) {
        for (int64_t j = 0; j < n; j++) {
            key[j] = key_of(x[j]);
            item[j] = (int32_t)j;
        }
        ad_sort_keys(n, key, item, spare_key, spare_item);
        for (int64_t j = 0; j < n; j++)
            y[j] = item[j];
    }
}

/* Which of n elements an index names, -1 if none. */
static int64_t place_of(double index, int64_t n)
{
    int64_t at;

    if (!(index >= -(double)n && index < (double)n))
        return -1;
    at = (int64_t)index;
    if ((double)at != index)
        return -1;
    return at < 0 ? at + n : at;
}

void ad_index_take(int64_t rows, int64_t n, int64_t m, const double *index, const double *x,
                   double *y, int lanes)
{
    for (int64_t r = 0; r < rows; r++, x += n * lanes)
        for (int64_t j = 0; j < m; j++, y += lanes) {
            int64_t at = place_of(index[j], n);

            for (int l = 0; l < lanes; l++)
                y[l] = at < 0 ? NAN : x[at * lanes + l];
        }
}

void ad_index_put(int64_t rows, int64_t n, int64_t m, const double *index, const double *x,
                  double *y, int lanes)
{
    for (int64_t r = 0; r < rows; r++, y += n * lanes) {
        bool good = true;

        for (int64_t j = 0; j < n * lanes; j++)
            y[j] = 0;
        for (int64_t j = 0; j < m; j++, x += lanes) {
            int64_t at = place_of(index[j], n);

            good &= at >= 0;
            for (int l = 0; l < lanes && at >= 0; l++)
                y[at * lanes + l] += x[l];
        }
        for (int64_t j = 0; j < n * lanes && !good; j++)
            y[j] = NAN;
    }
}

/* ad_index.c -- sorting by indices, and following them. */
#include "ad_index.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ad_sort.h"

/* Rows from which on NumPy's way is the faster one. */
enum { LONG = 64 };

ad_argsort_loop *ad_argsort_simd;
ad_sort_loop *ad_sort_by_numpy;

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

/* One row by its digits. */
static void sort_by_keys(int64_t n, const double *x, double *y, void *room)
{
    uint64_t *key = room, *spare_key = key + n;
    int32_t *item = (int32_t *)(spare_key + n), *spare_item = item + n;

    for (int64_t j = 0; j < n; j++) {
        key[j] = key_of(x[j]);
        item[j] = (int32_t)j;
    }
    ad_sort_keys(n, key, item, spare_key, spare_item);
    for (int64_t j = 0; j < n; j++)
        y[j] = item[j];
}

/* One row by NumPy; what it leaves in any order, the indices of equal numbers, is sorted then.  False
 * if it fails. */
static bool sort_by_loop(int64_t n, const double *x, double *y, void *room)
{
    intptr_t *order = room;
    uint64_t *tied = (uint64_t *)room + n, *spare = tied + n;

    for (int64_t j = 0; j < n; j++)
        order[j] = (intptr_t)j;
    if (ad_argsort_simd((void *)(uintptr_t)x, order, (intptr_t)n, NULL))
        return false;
    for (int64_t first = 0, end; first < n; first = end) {
        double one = x[order[first]];

        y[first] = (double)order[first];
        for (end = first + 1; end < n; end++) {
            double next = x[order[end]];

            if (next != one && (next == next || one == one))
                break;
            tied[end - first] = (uint64_t)order[end];
        }
        if (end == first + 1)
            continue;
        tied[0] = (uint64_t)order[first];
        ad_sort_keys(end - first, tied, NULL, spare, NULL);
        for (int64_t j = first; j < end; j++)
            y[j] = (double)tied[j - first];
    }
    return true;
}

void ad_index_sort(int64_t rows, int64_t n, const double *x, double *y, void *room)
{
    for (int64_t r = 0; r < rows; r++, x += n, y += n)
        if (n < LONG || !ad_argsort_simd || !sort_by_loop(n, x, y, room))
            sort_by_keys(n, x, y, room);
}

enum ad_status ad_sort_rows(int64_t rows, int64_t n, double *x)
{
    double *room;

    if (n < 2)
        return AD_OK;
    if (ad_sort_by_numpy) {
        for (int64_t r = 0; r < rows; r++)
            if (ad_sort_by_numpy(x + r * n, (intptr_t)n, NULL))
                return AD_NO_MEMORY;
        return AD_OK;
    }
    room = malloc((size_t)(2 * n + ad_index_room(n)) * sizeof *room);
    if (!room)
        return AD_NO_MEMORY;
    for (int64_t r = 0; r < rows; r++, x += n) {
        memcpy(room, x, (size_t)n * sizeof *x);
        ad_index_sort(1, n, room, room + n, room + 2 * n);
        for (int64_t j = 0; j < n; j++)
            x[j] = room[(int64_t)room[n + j]];
    }
    free(room);
    return AD_OK;
}

/* How many numbers are less than one, and in *nans whether any is none. */
AD_VECTOR static int64_t count_less(int64_t n, const double *x, double value, bool *nans)
{
    int64_t less = 0, bad = 0;

    for (int64_t j = 0; j < n; j++) {
        less += x[j] < value;
        bad |= x[j] != x[j];
    }
    *nans = bad != 0;
    return less;
}

int64_t ad_place_of_rank(int64_t n, const double *x, int64_t rank, double value)
{
    bool nans;
    int64_t equals = rank - count_less(n, x, value, &nans), j = 0;

    if (nans) {
        for (j = n - 1; x[j] == x[j]; j--)
            ;
        return j;
    }
    for (; j < n; j++)
        if (x[j] == value && equals-- == 0)
            break;
    ad_assert(j < n);
    return j;
}

int64_t ad_index_unique(int64_t n, const double *x, bool equal_nan, int64_t *first,
                        int64_t *inverse, int64_t *count, double *room)
{
    int64_t m = -1;
    double last = 0;

    ad_index_sort(1, n, x, room, room + n);
    for (int64_t j = 0; j < n; j++) {
        int64_t at = (int64_t)room[j];
        bool same = x[at] == last || (equal_nan && x[at] != x[at] && last != last);

        if (j == 0 || !same) {
            first[++m] = at;
            count[m] = 0;
        }
        count[m]++;
        inverse[at] = m;
        last = x[at];
    }
    return m + 1;
}

AD_VECTOR void ad_index_range(int64_t n, const int64_t *at, int64_t *low, int64_t *high)
{
    int64_t least = *low, most = *high;

    for (int64_t j = 0; j < n; j++) {
        least = AD_MIN(least, at[j]);
        most = AD_MAX(most, at[j]);
    }
    *low = least;
    *high = most;
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

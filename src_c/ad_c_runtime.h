/* ad_c_runtime.h -- what the C that ad_to_c() writes calls: its text goes into each file.
 *
 * Nothing but C99 is used, and nothing of the other headers.  Sums are those of ad_run.c: eight running sums over
 * AD_CHUNK elements at a time, chunks in pairs of equal count. */
#ifndef AD_C_RUNTIME_H
#define AD_C_RUNTIME_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Before a loop whose turns do not depend on each other. */
#if defined(__GNUC__) && !defined(__clang__)
#define AD_INDEPENDENT _Pragma("GCC ivdep")
#define AD_ROLLED _Pragma("GCC unroll 1") /* and of few turns: unrolled it would be no vector */
#define AD_UNROLLED                                                                                \
    _Pragma("GCC unroll 64") /* of a constant number of turns, inside of a vector's */
#else
#define AD_INDEPENDENT
#define AD_ROLLED
#define AD_UNROLLED
#endif
#if defined(__GNUC__)
#define AD_INLINE static inline __attribute__((always_inline))
#else
#define AD_INLINE static inline
#endif

/* Before a function that is not to become part of the one that calls it, which would be too long to compile. */
#if defined(__GNUC__)
#define AD_APART __attribute__((noinline))
#else
#define AD_APART
#endif

/* Over the elements of a short vector; the result is an operand itself, or no part of one. */
#define AD_EACH AD_INDEPENDENT AD_ROLLED for (int j = 0; j < 8; j++)

/* y, or 0: without a branch, so that loops over it become vectors whatever the compiler makes of choices. */
static inline double ad_if(int keep, double y)
{
    uint64_t bits;

    memcpy(&bits, &y, sizeof bits);
    bits &= -(uint64_t)(keep != 0);
    memcpy(&y, &bits, sizeof y);
    return y;
}

enum { AD_CHUNK = 512, AD_BLOCK = 64 };

/* A sum under way. */
struct ad_sum {
    double lane[8], rest;
    int64_t filled; /* elements of the chunk so far */
    uint64_t count; /* chunks so far */
    double part[48];
};

/* n more elements of a chunk that has 'size' in all. */
static inline void ad_sum_part(struct ad_sum *sum, const double *x, int64_t n, int64_t size)
{
    const int64_t whole = size - size % 8;
    int64_t i = 0;

    for (; i < n && sum->filled % 8 && sum->filled < whole; i++)
        sum->lane[sum->filled++ % 8] += x[i];
    if (sum->filled < whole && n - i >= 8) {
        const int64_t blocks = (n - i) - (n - i) % 8;
        double lane[8];

        memcpy(lane, sum->lane, sizeof lane);
        for (int64_t b = i; b < i + blocks; b += 8)
            for (int j = 0; j < 8; j++)
                lane[j] += x[b + j];
        memcpy(sum->lane, lane, sizeof lane);
        sum->filled += blocks;
        i += blocks;
    }
    for (; i < n && sum->filled < whole; i++)
        sum->lane[sum->filled++ % 8] += x[i];
    for (; i < n; i++, sum->filled++)
        sum->rest += x[i];
}

static inline double ad_sum_lanes(const double *lane, double rest)
{
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
           ((lane[4] + lane[5]) + (lane[6] + lane[7])) + rest;
}

static inline void ad_sum_end_chunk(struct ad_sum *sum, double x)
{
    int level = 0;

    for (uint64_t digit = sum->count; digit & 1; digit >>= 1)
        x += sum->part[level++];
    sum->part[level] = x;
    sum->count++;
    memset(sum->lane, 0, sizeof sum->lane);
    sum->rest = 0;
    sum->filled = 0;
}

/* Take in elements i .. end, which begin at x, up to the end of a row of 'row' elements, or of one number if they
 * are the 'same'.  Returns the element that follows; *total is the row's if it ends there. */
static inline int64_t ad_sum_row(struct ad_sum *sum, const double *x, int64_t i, int64_t end,
                                 int64_t row, int same, double *total)
{
    const int64_t row_end = i - i % row + row;
    int level = 0;

    *total = 0;
    end = end < row_end ? end : row_end;
    while (i < end) {
        const int64_t at = i % row, in_chunk = at % AD_CHUNK, left = row - (at - in_chunk);
        const int64_t chunk = left < AD_CHUNK ? left : AD_CHUNK;
        const int64_t n = end - i < chunk - in_chunk ? end - i : chunk - in_chunk;

        if (same)
            sum->filled += n;
        else
            ad_sum_part(sum, x, n, chunk);
        if (sum->filled == chunk)
            ad_sum_end_chunk(sum, same ? (double)chunk * *x : ad_sum_lanes(sum->lane, sum->rest));
        x += same ? 0 : n;
        i += n;
    }
    if (i < row_end)
        return i;
    for (uint64_t digit = sum->count; digit; digit >>= 1, level++)
        if (digit & 1)
            *total += sum->part[level];
    sum->count = 0;
    return i;
}

/* The sum of up to eight elements. */
static inline double ad_sum_few(const double *x, int n)
{
    double lane[8] = {0}, rest = 0;

    for (int j = 0; j < n; j++) {
        if (n == 8)
            lane[j] += x[j];
        else
            rest += x[j];
    }
    return 0.0 + ad_sum_lanes(lane, rest);
}

/* The norm of n numbers: 32 running sums, those of ad_sum_of_squares(). */
static inline double ad_norm(const double *x, int64_t n)
{
    double lane[32] = {0}, rest = 0;
    int64_t i = 0;

    for (; i + 32 <= n; i += 32)
        for (int j = 0; j < 32; j++)
            lane[j] += x[i + j] * x[i + j];
    for (; i < n; i++)
        rest += x[i] * x[i];
    for (int half = 16; half > 0; half /= 2)
        for (int j = 0; j < half; j++)
            lane[j] += lane[j + half];
    return sqrt(lane[0] + rest);
}

/* Merge the runs [0, middle) and [middle, n) of 'key', with what belongs to each in 'item'. */
static inline void ad_merge(const double *key, const double *item, int64_t middle, int64_t n,
                            double *to_key, double *to_item)
{
    int64_t i = 0, j = middle, k = 0;

    if (middle < n && key[middle] < key[middle - 1])
        for (; i < middle && j < n; k++) {
            const int64_t second = key[j] < key[i], from = second ? j : i;

            to_key[k] = key[from];
            to_item[k] = item[from];
            j += second;
            i += 1 - second;
        }
    for (; i < middle; i++, k++)
        to_key[k] = key[i], to_item[k] = item[i];
    for (; j < n; j++, k++)
        to_key[k] = key[j], to_item[k] = item[j];
}

/* y = the indices that sort x: equal numbers keep their order, nan come last.  'room' holds 3 n.
 * Runs are sorted by insertion, then merged, the numbers moving along with their indices. */
static inline void ad_argsort(const double *x, int64_t n, double *y, double *room)
{
    enum { RUN = 16 };
    double *key = room, *item = y, *to_key = room + n, *to_item = room + 2 * n;
    int64_t numbers = 0, nans = 0;

    for (int64_t i = 0; i < n; i++) {
        to_item[nans] = (double)i;
        key[numbers] = x[i];
        item[numbers] = (double)i;
        nans += x[i] != x[i];
        numbers += x[i] == x[i];
    }
    memcpy(y + numbers, to_item, (size_t)nans * sizeof *y);
    for (int64_t first = 0; first < numbers; first += RUN) {
        const int64_t end = numbers - first < RUN ? numbers : first + RUN;

        for (int64_t i = first + 1; i < end; i++) {
            const double one = key[i], its = item[i];
            int64_t at = i;

            for (; at > first && one < key[at - 1]; at--) {
                key[at] = key[at - 1];
                item[at] = item[at - 1];
            }
            key[at] = one;
            item[at] = its;
        }
    }
    for (int64_t run = RUN; run < numbers; run *= 2) {
        double *swap;

        for (int64_t first = 0; first < numbers; first += 2 * run) {
            const int64_t left = numbers - first, middle = left < run ? left : run;

            ad_merge(key + first, item + first, middle, left < 2 * run ? left : 2 * run,
                     to_key + first, to_item + first);
        }
        swap = key, key = to_key, to_key = swap;
        swap = item, item = to_item, to_item = swap;
    }
    if (item != y)
        memcpy(y, item, (size_t)numbers * sizeof *y);
}

/* Which of n elements an index names, counted from the end where it is negative; -1 if none. */
static inline int64_t ad_place(double index, int64_t n)
{
    if (!(index >= -(double)n && index < (double)n) || (double)(int64_t)index != index)
        return -1;
    return index < 0 ? (int64_t)index + n : (int64_t)index;
}

/* y (rows, m) = the elements of x (rows, n) that the indices name, nan for one that names none. */
static inline void ad_take(int64_t rows, int64_t n, int64_t m, const double *index, const double *x,
                           double *y)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < m; j++) {
            const int64_t at = ad_place(index[j], n);

            y[r * m + j] = at < 0 ? (double)NAN : x[r * n + at];
        }
}

/* y (rows, n) = zeros to which x (rows, m) is added where the indices say; nan if one names none. */
static inline void ad_put(int64_t rows, int64_t n, int64_t m, const double *index, const double *x,
                          double *y)
{
    int good = 1;

    for (int64_t j = 0; j < m; j++)
        good &= ad_place(index[j], n) >= 0;
    for (int64_t j = 0; j < rows * n; j++)
        y[j] = good ? 0 : (double)NAN;
    for (int64_t r = 0; r < rows && good; r++)
        for (int64_t j = 0; j < m; j++)
            y[r * n + ad_place(index[j], n)] += x[r * m + j];
}

/* c (m, n) = a (m, k) b (k, n), each element summed up from the first product to the last.  'row' and 'col' are the
 * distances of neighbours in a column and in a row; c is in C order and overlaps neither. */
static inline void ad_matmul(const double *a, int64_t a_row, int64_t a_col, const double *b,
                             int64_t b_row, int64_t b_col, int64_t m, int64_t k, int64_t n,
                             double *c)
{
    double block[AD_BLOCK * AD_BLOCK]; /* of b */

    for (int64_t j = 0; j < m * n; j++)
        c[j] = 0;
    for (int64_t first = 0; first < n; first += AD_BLOCK)
        for (int64_t top = 0; top < k; top += AD_BLOCK) {
            const int64_t width = n - first < AD_BLOCK ? n - first : AD_BLOCK;
            const int64_t height = k - top < AD_BLOCK ? k - top : AD_BLOCK;

            for (int64_t p = 0; p < height; p++)
                for (int64_t j = 0; j < width; j++)
                    block[p * AD_BLOCK + j] = b[(top + p) * b_row + (first + j) * b_col];
            for (int64_t i = 0; i < m; i++) {
                double *const to = c + i * n + first;

                for (int64_t p = 0; p < height; p++) {
                    const double x = a[i * a_row + (top + p) * a_col];

                    AD_INDEPENDENT
                    for (int64_t j = 0; j < width; j++)
                        to[j] += x * block[p * AD_BLOCK + j];
                }
            }
        }
}

#endif

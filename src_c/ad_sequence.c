/* ad_sequence.c -- products, recurrences, convolutions and broken lines along vectors. */
#include "ad_sequence.h"

#include <math.h>
#include <string.h>

void ad_cumprod(int64_t n, const double *x, double *y)
{
    double product = 1;

    for (int64_t k = 0; k < n; k++)
        y[k] = product *= x[k];
}

void ad_recurrence(bool from_end, int64_t n, const double *a, const double *b, double *y)
{
    double last = 0;

    if (from_end)
        for (int64_t k = n - 1; k >= 0; k--)
            y[k] = last = (last == 0 ? 0 : a[k + 1] * last) + b[k];
    else
        for (int64_t k = 0; k < n; k++)
            y[k] = last = (last == 0 ? 0 : a[k] * last) + b[k];
}

/* ---- convolutions ---- */

enum { TILE = 512, TAPS = 4 }; /* sums at a time, which stay in the first cache; terms of each */

int64_t ad_convolved(enum ad_overlap overlap, int64_t n, int64_t m)
{
    if (n == 0 || m == 0)
        return 0;
    switch (overlap) {
    case AD_OVERLAP_ANY:
        return n + m - 1;
    case AD_OVERLAP_ALL:
        return AD_MAX(n, m) - AD_MIN(n, m) + 1;
    case AD_OVERLAP_SAME:
        return AD_MAX(n, m);
    }
    ad_unreachable();
    return 0;
}

/* y[k] += b[0] a[k] + b[1] a[k - 1] + ... */
AD_VECTOR static void add_taps(int64_t n, const double *restrict a, const double *b,
                               double *restrict y)
{
    double b0 = b[0], b1 = b[1], b2 = b[2], b3 = b[3];

    for (int64_t k = 0; k < n; k++)
        y[k] = (((y[k] + b0 * a[k]) + b1 * a[k - 1]) + b2 * a[k - 2]) + b3 * a[k - 3];
}

AD_VECTOR static void add_tap(int64_t n, const double *restrict a, double b, double *restrict y)
{
    for (int64_t k = 0; k < n; k++)
        y[k] += b * a[k];
}

/* Sums first ... first + count - 1 of all, b being the shorter vector, or from its end. */
static void convolve_part(int64_t first, int64_t count, bool backwards, int64_t n, const double *a,
                          int64_t m, const double *b, double *y)
{
    memset(y, 0, (size_t)count * sizeof *y);
    for (int64_t start = first; start < first + count; start += TILE, y += TILE) {
        int64_t end = AD_MIN(start + TILE, first + count), j = 0;

        while (j < m) {
            double taps[TAPS];

            for (int64_t t = 0; t < TAPS && j + t < m; t++)
                taps[t] = b[backwards ? m - 1 - j - t : j + t];
            if (j + TAPS <= m && start - (j + TAPS - 1) >= 0 && end - j <= n) {
                add_taps(end - start, a + start - j, taps, y);
                j += TAPS;
            } else {
                int64_t from = AD_MAX(start, j), to = AD_MIN(end, n + j);

                if (from < to)
                    add_tap(to - from, a + from - j, taps[0], y + (from - start));
                j++;
            }
        }
    }
}

void ad_convolve(enum ad_overlap overlap, bool backwards, int64_t n, const double *a, int64_t m,
                 const double *b, double *y)
{
    int64_t count = ad_convolved(overlap, n, m), least = AD_MIN(n, m);
    int64_t first = overlap == AD_OVERLAP_ANY   ? 0
                    : overlap == AD_OVERLAP_ALL ? least - 1
                                                : (least - 1) / 2;

    if (n >= m)
        convolve_part(first, count, backwards, n, a, m, b, y);
    else if (!backwards)
        convolve_part(first, count, false, m, b, n, a, y);
    else { /* both backwards and what comes of it too is the same */
        convolve_part(n + m - 1 - first - count, count, true, m, b, n, a, y);
        for (int64_t k = 0; k < count / 2; k++) {
            double last = y[count - 1 - k];

            y[count - 1 - k] = y[k];
            y[k] = last;
        }
    }
}

/* ---- broken lines ---- */

enum { FEW_KNOTS = 16 }; /* that are all compared with, by vector instructions */

/* place[i]: how many knots are less than x[i], or not greater. */
AD_VECTOR static void place_among_few(bool or_equal, int64_t n, const double *restrict x, int64_t m,
                                      const double *xp, double *restrict place)
{
    for (int64_t i = 0; i < n; i++)
        place[i] = 0;
    for (int64_t j = 0; j < m; j++) {
        double knot = xp[j];

        if (or_equal)
            for (int64_t i = 0; i < n; i++)
                place[i] += knot <= x[i] ? 1.0 : 0.0;
        else
            for (int64_t i = 0; i < n; i++)
                place[i] += knot < x[i] ? 1.0 : 0.0;
    }
}

int64_t ad_knots(bool or_equal, double x, int64_t m, const double *xp)
{
    const double *low = xp;

    for (int64_t left = m; left > 0;) {
        int64_t half = (left + 1) / 2;

        /* no branch, which would be predicted wrongly every other time */
        low += (or_equal ? low[half - 1] <= x : low[half - 1] < x) ? half : 0;
        left -= half;
    }
    return low - xp;
}

static void place_all(bool or_equal, int64_t n, const double *x, int64_t m, const double *xp,
                      double *place)
{
    if (m <= FEW_KNOTS)
        place_among_few(or_equal, n, x, m, xp, place);
    else
        for (int64_t i = 0; i < n; i++)
            place[i] = (double)ad_knots(or_equal, x[i], m, xp);
}

/* NumPy's value between knots j and j + 1, to the last bit: from the other end where that is nan. */
static double value_on(double x, const double *xp, const double *f, int64_t j)
{
    double slope = (f[j + 1] - f[j]) / (xp[j + 1] - xp[j]), y = slope * (x - xp[j]) + f[j];

    if (isnan(y)) {
        y = slope * (x - xp[j + 1]) + f[j + 1];
        if (isnan(y) && f[j] == f[j + 1])
            y = f[j];
    }
    return y;
}

/* 'after' knots are not greater than x. */
static double value_at(double x, int64_t after, int64_t m, const double *xp, const double *f)
{
    int64_t j = after - 1;

    if (isnan(x) && m > 1)
        return x;
    if (after == 0)
        return f[0];
    return j == m - 1 || xp[j] == x ? f[j] : value_on(x, xp, f, j);
}

/* On the piece before knot 'place'. */
static double slope_at(double x, int64_t place, int64_t m, const double *xp, const double *f)
{
    if (isnan(x))
        return x;
    if (place == 0 || place == m)
        return 0;
    return (f[place] - f[place - 1]) / (xp[place] - xp[place - 1]);
}

static void add_value(double g, double x, int64_t after, int64_t m, const double *xp, double *y)
{
    int64_t j = after - 1;

    if (after == 0)
        y[0] += g;
    else if (j == m - 1 || xp[j] == x)
        y[j] += g;
    else {
        double part = (x - xp[j]) / (xp[j + 1] - xp[j]);

        y[j] += (1 - part) * g;
        y[j + 1] += part * g;
    }
}

static void add_slope(double g, int64_t place, int64_t m, const double *xp, double *y)
{
    if (place == 0 || place == m)
        return;
    g /= xp[place] - xp[place - 1];
    y[place - 1] -= g;
    y[place] += g;
}

void ad_line(enum ad_line kind, int64_t n, const double *x, int64_t m, const double *xp,
             const double *f, double *y)
{
    double before[TILE], after[TILE];

    for (int64_t length; n > 0; n -= length, x += length, y += length) {
        length = AD_MIN(n, TILE);
        if (kind == AD_LINE_SLOPES || kind == AD_LINE_SLOPES_LEFT)
            place_all(false, length, x, m, xp, before);
        if (kind != AD_LINE_SLOPES_LEFT)
            place_all(true, length, x, m, xp, after);
        for (int64_t i = 0; i < length; i++)
            if (kind < AD_LINE_SLOPES)
                y[i] = value_at(x[i], (int64_t)after[i], m, xp, f);
            else if (kind == AD_LINE_SLOPES_LEFT)
                y[i] = slope_at(x[i], (int64_t)before[i], m, xp, f);
            else {
                y[i] = slope_at(x[i], (int64_t)after[i], m, xp, f);
                if (kind == AD_LINE_SLOPES && before[i] != after[i])
                    y[i] = 0.5 * (y[i] + slope_at(x[i], (int64_t)before[i], m, xp, f));
            }
    }
}

void ad_line_transposed(enum ad_line kind, int64_t n, const double *x, int64_t m, const double *xp,
                        const double *g, double *y)
{
    double before[TILE], after[TILE];

    memset(y, 0, (size_t)m * sizeof *y);
    for (int64_t length; n > 0; n -= length, x += length, g += length) {
        length = AD_MIN(n, TILE);
        place_all(false, length, x, m, xp, before);
        place_all(true, length, x, m, xp, after);
        for (int64_t i = 0; i < length; i++) {
            double share = kind == AD_LINE_SLOPES ? 0.5 * g[i] : g[i];

            if (g[i] == 0)
                continue;
            if (kind < AD_LINE_SLOPES)
                add_value(g[i], x[i], (int64_t)after[i], m, xp, y);
            if (kind == AD_LINE_SLOPES || kind == AD_LINE_SLOPES_LEFT)
                add_slope(share, (int64_t)before[i], m, xp, y);
            if (kind == AD_LINE_SLOPES || kind == AD_LINE_SLOPES_RIGHT)
                add_slope(share, (int64_t)after[i], m, xp, y);
        }
    }
}

/* test_sequence.c -- what runs along vectors, by definition and against the transposes; their kernels over
 * a batch, which need neither LAPACK nor memory. */
#include <math.h>
#include <string.h>

#include "ad_kernel_run.h"
#include "ad_sequence.h"
#include "check.h"

enum { MOST = 1200 };

static struct rng rng = {3};

static void fill(int64_t n, double *x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = rng_uniform(&rng, -1, 1);
}

static void expect(const char *what, double got, double want)
{
    CHECK(fabs(got - want) <= 1e-12 * (1 + fabs(want)), "%s: %.17g, not %.17g", what, got, want);
}

static double dot(int64_t n, const double *x, const double *y)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static void check_products(int64_t n)
{
    double a[MOST], b[MOST], y[MOST], g[MOST], back[MOST], product = 1;

    fill(n, a);
    fill(n, b);
    fill(n, g);
    if (n > 3)
        a[n / 2] = 0;
    ad_cumprod(n, a, y);
    for (int64_t i = 0; i < n; i++)
        CHECK(y[i] == (product *= a[i]), "product %" PRId64, i);
    ad_recurrence(false, n, a, b, y);
    for (int64_t i = 0; i < n; i++)
        expect("recurrence", y[i], (i ? a[i] * y[i - 1] : 0) + b[i]);
    ad_recurrence(true, n, a, g, back);
    expect("its transpose", dot(n, back, b), dot(n, g, y));
    if (n == 0)
        return;
    memset(b, 0, sizeof b); /* nothing comes of nothing, whatever it is multiplied by */
    a[n / 2] = INFINITY;
    ad_recurrence(false, n, a, b, y);
    ad_recurrence(true, n, a, b, back);
    for (int64_t i = 0; i < n; i++)
        CHECK(y[i] == 0 && back[i] == 0, "element %" PRId64 " of nothing", i);
}

static void check_convolution(int64_t n, int64_t m)
{
    static double a[MOST], b[MOST], y[2 * MOST], full[2 * MOST];

    fill(n, a);
    fill(m, b);
    for (int back = 0; back < 2; back++) {
        memset(full, 0, sizeof full);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < m; j++)
                full[i + j] += a[i] * b[back ? m - 1 - j : j];
        for (int overlap = 0; overlap < 3; overlap++) {
            int64_t least = AD_MIN(n, m), count = ad_convolved((enum ad_overlap)overlap, n, m),
                    first = overlap == AD_OVERLAP_ANY   ? 0
                            : overlap == AD_OVERLAP_ALL ? least - 1
                                                        : (least - 1) / 2;

            ad_convolve((enum ad_overlap)overlap, back, n, a, m, b, y);
            for (int64_t k = 0; k < count; k++)
                expect("convolution", y[k], full[first + k]);
        }
    }
}

/* Values between knots, at them and outside, and slopes against differences; f is curved. */
static void check_line(int64_t n, int64_t m)
{
    static double x[MOST], xp[MOST], f[MOST], y[MOST], g[MOST], back[MOST], moved[MOST];
    const double h = 1e-7;

    for (int64_t j = 0; j < m; j++) {
        xp[j] = (double)j + rng_uniform(&rng, 0, 0.5);
        f[j] = xp[j] * xp[j];
    }
    fill(n, g);
    for (int64_t i = 0; i < n; i++)
        x[i] = i % 5 == 4 ? xp[i % m] : rng_uniform(&rng, -2, (double)m + 1);
    ad_line(AD_LINE_VALUES, n, x, m, xp, f, y);
    for (int64_t i = 0; i < n; i++) {
        int64_t j = 0;

        while (j < m && xp[j] <= x[i])
            j++;
        CHECK(ad_knots(true, x[i], m, xp) == j, "knots up to %g", x[i]);
        expect("line", y[i],
               j == 0   ? f[0]
               : j == m ? f[m - 1]
                        : f[j - 1] + (f[j] - f[j - 1]) * (x[i] - xp[j - 1]) / (xp[j] - xp[j - 1]));
    }
    for (int side = AD_LINE_SLOPES_LEFT; side <= AD_LINE_SLOPES_RIGHT; side++) {
        ad_line((enum ad_line)side, n, x, m, xp, f, y);
        for (int64_t i = 0; i < n; i++) {
            double to = x[i] + (side == AD_LINE_SLOPES_LEFT ? -h : h), both[2];

            ad_line(AD_LINE_VALUES, 1, &to, m, xp, f, &both[0]);
            ad_line(AD_LINE_VALUES, 1, &x[i], m, xp, f, &both[1]);
            CHECK(fabs(y[i] - (both[0] - both[1]) / (to - x[i])) < 1e-4 * (double)m,
                  "slope at %g: %g", x[i], y[i]);
            moved[i] = side == AD_LINE_SLOPES_LEFT ? 0.5 * y[i] : moved[i] + 0.5 * y[i];
        }
    }
    ad_line(AD_LINE_SLOPES, n, x, m, xp, f, y);
    for (int64_t i = 0; i < n; i++)
        expect("mean slope", y[i], moved[i]);
    for (int kind = 0; kind < AD_LINE_KINDS; kind++) {
        ad_line((enum ad_line)kind, n, x, m, xp, f, y);
        ad_line_transposed((enum ad_line)kind, n, x, m, xp, g, back);
        CHECK(fabs(dot(n, g, y) - dot(m, back, f)) < 1e-10 * (1 + (double)(n * m * m)),
              "transpose of line %d", kind);
    }
}

/* What is no line: nan, equal knots, knots in no order. */
static void check_odd_lines(void)
{
    const double xp[4] = {0, 1, 1, 2}, f[4] = {0, 1, 5, 6}, odd[3] = {NAN, 2, -INFINITY},
                 x[3] = {1, NAN, 0.5};
    double y[3], back[4], g[3] = {1, 1, 1};

    ad_line(AD_LINE_VALUES, 3, x, 4, xp, f, y);
    CHECK(y[0] == 5 && isnan(y[1]) && y[2] == 0.5, "%g %g %g", y[0], y[1], y[2]);
    ad_line(AD_LINE_SLOPES, 3, x, 4, xp, f, y);
    CHECK(y[0] == 1 && isnan(y[1]) && y[2] == 1, "slopes %g %g %g", y[0], y[1], y[2]);
    for (int kind = 0; kind < AD_LINE_KINDS; kind++) { /* nothing is read that is not there */
        ad_line((enum ad_line)kind, 3, x, 3, odd, f, y);
        ad_line_transposed((enum ad_line)kind, 3, odd, 3, odd, g, back);
    }
}

static void check_kernel(int number, int flags, int64_t first, int n_args, const int64_t *lengths,
                         int64_t length)
{
    static double x[3][2 * MOST], y[2 * MOST], one[MOST];
    int64_t shapes[3][2];
    int ndim[3] = {2, 2, 2}, flat[3] = {1, 1, 1};
    const int64_t *shape[3] = {shapes[0], shapes[1], shapes[2]}, *row[3];
    const double *args[3] = {x[0], x[1], x[2]}, *last[3];
    struct ad_kernel kernel;
    int64_t extra = ad_kernel_extra(number, flags, first, 0);
    const char *needs;

    for (int a = 0; a < n_args; a++) {
        shapes[a][0] = 2;
        shapes[a][1] = lengths[a];
        fill(2 * lengths[a], x[a]);
        row[a] = &shapes[a][1];
        last[a] = x[a] + lengths[a];
    }
    needs = ad_kernel_read_shapes(extra, 0, n_args, ndim, shape, &kernel);
    CHECK(!needs && kernel.size == length, "kernel %d needs %s", number, needs ? needs : "");
    CHECK(ad_kernel_run(&kernel, args, y) == AD_OK, "kernel %d", number);
    CHECK(!ad_kernel_read_shapes(extra, 0, n_args, flat, row, &kernel), "kernel %d", number);
    CHECK(ad_kernel_run(&kernel, last, one) == AD_OK, "kernel %d alone", number);
    CHECK(memcmp(y + length, one, (size_t)length * sizeof *y) == 0, "kernel %d: batch", number);
    shapes[n_args - 1][1] = 0; /* as many as all others, or not empty */
    CHECK(n_args == 1 || ad_kernel_read_shapes(extra, 0, n_args, ndim, shape, &kernel),
          "kernel %d of an empty vector", number);
}

int main(void)
{
    for (int64_t n = 0; n < 9; n++)
        check_products(n);
    check_products(100);
    for (int64_t n = 1; n < 10; n++)
        for (int64_t m = 1; m < 10; m++)
            check_convolution(n, m);
    check_convolution(1100, 7);
    check_convolution(3, 700);
    check_convolution(600, 601);
    for (int64_t m = 1; m < 24; m++)
        check_line(40, m);
    check_line(1100, 5);
    check_line(1100, 40);
    check_odd_lines();
    check_kernel(AD_KERNEL_cumprod, 0, 0, 1, (const int64_t[]){5}, 5);
    for (int flags = 0; flags < 2; flags++)
        check_kernel(AD_KERNEL_recurrence, flags, 0, 2, (const int64_t[]){5, 5}, 5);
    for (int back = 0; back <= AD_BACKWARDS; back += AD_BACKWARDS) {
        check_kernel(AD_KERNEL_convolve, AD_OVERLAP_ANY + back, 0, 2, (const int64_t[]){5, 3}, 7);
        check_kernel(AD_KERNEL_convolve, AD_OVERLAP_ALL + back, 0, 2, (const int64_t[]){3, 5}, 3);
        check_kernel(AD_KERNEL_convolve, AD_OVERLAP_SAME + back, 0, 2, (const int64_t[]){5, 4}, 5);
    }
    for (int kind = 0; kind < AD_LINE_KINDS; kind++) {
        check_kernel(AD_KERNEL_line, 0, kind, 3, (const int64_t[]){7, 4, 4}, 7);
        check_kernel(AD_KERNEL_line, 1, kind, 3, (const int64_t[]){7, 4, 7}, 4);
    }
    printf("test_sequence: ok\n");
    return 0;
}

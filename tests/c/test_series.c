/* test_series.c -- identities that the series of every row must satisfy, and the exact cases.
 *
 * Comparison with mpmath is made from Python; here the sanitizers watch. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ad_series.h"

enum { ORDER = 6, N = 300 /* more than two tiles */ };

static int failures;

static void expect(bool ok, const char *what, const char *name, double got, double wanted)
{
    if (!ok) {
        printf("%s(%s): got %.17g, expected %.17g\n", what, name, got, wanted);
        failures++;
    }
}

/* Uniform in (lo, hi), from a generator that is the same everywhere. */
static double uniform(double lo, double hi)
{
    static uint64_t state = 20240229;

    state = state * 6364136223846793005u + 1442695040888963407u;
    return lo + (hi - lo) * (double)(state >> 11) / 9007199254740992.0;
}

static bool close_to(double a, double b, double scale)
{
    return (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-11 * scale + 1e-300;
}

/* From y' = sum d_i a_i' it follows that k y_k = sum_i sum_j j (a_i)_j dy_k/d(a_i)_j.  Forward and
 * reverse are found by different recurrences wherever a row has a step of its own. */
static void test_row(enum ad_op op, double p, struct ad_series_work *work)
{
    static double a[AD_MAX_ARGS][ORDER + 1][N], bar[AD_MAX_ARGS][ORDER + 1][N];
    static double y[ORDER + 1][N], ybar[ORDER + 1][N];
    const struct ad_op_info *info = &ad_ops[op];
    struct ad_series args[AD_MAX_ARGS] = {{NULL, 0}};
    double *bars[AD_MAX_ARGS] = {NULL};

    for (int i = 0; i < info->n_args; i++) {
        double lo = op == AD_OP_powi ? 0.9 : fmax(info->domain[i][0], -3);
        double hi = op == AD_OP_powi ? 1.1 : fmin(info->domain[i][1], lo + 4);

        for (int k = 0; k <= ORDER; k++)
            for (int e = 0; e < N; e++)
                a[i][k][e] = k == 0 ? uniform(lo + 0.1 * (hi - lo), hi - 0.1 * (hi - lo))
                                    : uniform(-0.2, 0.2);
        args[i] = (struct ad_series){&a[i][0][0], ORDER};
        bars[i] = &bar[i][0][0];
    }
    if (op == AD_OP_gate) /* its first argument is a piecewise constant */
        memset(a[0][1], 0, sizeof a[0] - sizeof a[0][0]);

    expect(ad_series_forward(op, p, N, ORDER, args, &y[0][0], work) >= 0, "forward", info->name, 0,
           1);
    for (int k = 0; k <= ORDER; k++) {
        memset(bar, 0, sizeof bar);
        memset(ybar, 0, sizeof ybar);
        for (int e = 0; e < N; e++)
            ybar[k][e] = 1;
        expect(ad_series_reverse(op, p, N, ORDER, args, (struct ad_series){&y[0][0], ORDER},
                                 &ybar[0][0], bars, work),
               "reverse", info->name, 0, 1);
        for (int e = 0; e < N; e++) {
            double sum = 0, scale = 0;

            for (int i = 0; i < info->n_args; i++)
                for (int j = 1; j <= ORDER; j++) {
                    sum += j * a[i][j][e] * bar[i][j][e];
                    scale += fabs(j * a[i][j][e] * bar[i][j][e]);
                }
            expect(close_to(k * y[k][e], sum, scale), "k y_k = sum j x_j dy_k/dx_j", info->name,
                   k * y[k][e], sum);
        }
    }

    /* One path alone gives what it gives among others. */
    for (int e = 0; e < N; e += 37) {
        double one[AD_MAX_ARGS][ORDER + 1], single[ORDER + 1];
        struct ad_series alone[AD_MAX_ARGS] = {{NULL, 0}};

        for (int i = 0; i < info->n_args; i++) {
            for (int k = 0; k <= ORDER; k++)
                one[i][k] = a[i][k][e];
            alone[i] = (struct ad_series){one[i], ORDER};
        }
        ad_series_forward(op, p, 1, ORDER, alone, single, work);
        for (int k = 0; k <= ORDER; k++)
            expect(close_to(single[k], y[k][e], fabs(y[k][e]) + 1e-3), "alone", info->name,
                   single[k], y[k][e]);
        expect(single[0] == ad_op_value(op, p, one[0][0], info->n_args > 1 ? one[1][0] : 0,
                                        info->n_args > 2 ? one[2][0] : 0),
               "value", info->name, single[0], y[0][e]);
    }

    /* Stored zeros change nothing. */
    for (int e = 0; e < N; e += 37) {
        double full[AD_MAX_ARGS][ORDER + 1] = {{0}}, want[ORDER + 1], got[ORDER + 1];
        struct ad_series stored[AD_MAX_ARGS] = {{NULL, 0}}, cut[AD_MAX_ARGS] = {{NULL, 0}};

        for (int i = 0; i < info->n_args; i++) {
            full[i][0] = a[i][0][e];
            full[i][1] = i == 1 ? 0 : a[i][1][e];
            stored[i] = (struct ad_series){full[i], ORDER};
            cut[i] = (struct ad_series){full[i], i == 1 ? 0 : 1};
        }
        ad_series_forward(op, p, 1, ORDER, stored, want, work);
        ad_series_forward(op, p, 1, ORDER, cut, got, work);
        for (int k = 0; k <= ORDER; k++)
            expect(close_to(got[k], want[k], fabs(want[k]) + 1e-3), "degree", info->name, got[k],
                   want[k]);
    }
}

/* Coefficients of op at (x0 + x1 t, z0 + z1 t); a constant where the slope is 0. */
static const double *line(enum ad_op op, double p, double x0, double x1, double z0, double z1)
{
    static double y[32];
    struct ad_series_work work = {NULL, 0};
    double x[2] = {x0, x1}, z[2] = {z0, z1};
    struct ad_series a[AD_MAX_ARGS] = {{x, x1 != 0}, {z, z1 != 0}, {NULL, 0}};

    ad_series_forward(op, p, 1, 31, a, y, &work);
    ad_series_work_free(&work);
    return y;
}

static void test_exact(void)
{
    const double *y;

    for (int n = 0; n <= 24; n++) {
        y = line(AD_OP_powi, n, 0, 1, 0, 0);
        for (int k = 0; k < 32; k++)
            expect(y[k] == (k == n), "x**n at 0", "powi", y[k], k == n);
        y = line(AD_OP_powi, n, -3, 2, 0, 0);
        for (int k = n + 1; k < 32; k++)
            expect(y[k] == 0, "beyond the degree", "powi", y[k], 0);
    }
    y = line(AD_OP_powi, 24, 1e-20, 1, 0, 0); /* the value underflows, coefficient 20 does not */
    expect(fabs(y[20] / 10626e-80 - 1) < 1e-13, "C(24, 20) x**4", "powi", y[20], 10626e-80);
    y = line(AD_OP_pow, 0, 1e-200, 1, 2.5, 0);
    expect(fabs(y[2] / 1.875e-100 - 1) < 1e-12, "x**2.5 near 0", "pow", y[2], 1.875e-100);
    y = line(AD_OP_pow, 0, 0, 1, 3, 0);
    for (int k = 0; k < 32; k++)
        expect(y[k] == (k == 3), "x**3.0 at 0", "pow", y[k], k == 3);

    y = line(AD_OP_powi, 2.5, 4, 1, 0, 0); /* no integer, but nothing breaks */
    expect(fabs(y[1] / 20 - 1) < 1e-13, "x**2.5", "powi", y[1], 20);
    y = line(AD_OP_powi, NAN, 4, 1, 0, 0);
    expect(isnan(y[1]), "x**nan", "powi", y[1], NAN);

    /* No Taylor series, no number. */
    y = line(AD_OP_pow, 0, 0, 1, 2.5, 0);
    expect(y[2] == 0 && !isfinite(y[3]), "x**2.5 at 0", "pow", y[3], NAN);
    y = line(AD_OP_pow, 0, 0, 1, 2, 1);
    expect(y[2] == 1 && !isfinite(y[3]), "x**(2+x) at 0", "pow", y[3], NAN);
    y = line(AD_OP_sqrt, 0, 0, 1, 0, 0);
    expect(!isfinite(y[1]), "sqrt at 0", "sqrt", y[1], NAN);
    y = line(AD_OP_log, 0, 0, 1, 0, 0);
    expect(!isfinite(y[1]), "log at 0", "log", y[1], NAN);
    y = line(AD_OP_hypot, 0, 0, 1, 0, 0);
    expect(y[1] == 0 && !isfinite(y[2]), "norm at 0", "hypot", y[2], NAN);

    /* What is not taken, or is zero throughout, contributes nothing. */
    y = line(AD_OP_xlogy, 0, 0, 0, 0, 1);
    for (int k = 0; k < 32; k++)
        expect(y[k] == 0, "0 log(x) at 0", "xlogy", y[k], 0);
    y = line(AD_OP_maximum, 0, 1, 2, -INFINITY, NAN);
    expect(y[0] == 1 && y[1] == 2, "the smaller one", "maximum", y[1], 2);
    y = line(AD_OP_abs, 0, 0, 1, 0, 0);
    expect(y[1] == 0, "slope at 0", "abs", y[1], 0);
}

int main(void)
{
    struct ad_series_work work = {NULL, 0};

    for (int op = 0; op < AD_N_OPS; op++)
        test_row((enum ad_op)op, 0, &work);
    for (double p = -3; p <= 3; p++)
        test_row(AD_OP_powi, p, &work);
    test_row(AD_OP_powi, 11, &work);
    test_row(AD_OP_powi, 1500, &work);
    test_row(AD_OP_polygamma, 2, &work);
    test_row(AD_OP_sinc, 3, &work);
    test_exact();
    ad_series_work_free(&work);
    printf("test_series: %s\n", failures ? "FAILED" : "ok");
    return failures != 0;
}

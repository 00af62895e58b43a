/* test_dual.c -- rows as dual numbers: vectors against numbers, numbers against partials. */
#include "ad_dual.h"
#include "check.h"

enum { MAX_LANES = 11 };

/* A number of the row's domain, or anything; a tangent is often zero. */
static double argument(struct rng *rng, enum ad_op op, int i)
{
    double lo = fmax(ad_ops[op].domain[i][0], -3), hi = fmin(ad_ops[op].domain[i][1], 3);

    return rng_int(rng, 0, 9) == 0 ? 0 : rng_uniform(rng, lo, hi);
}

static double tangent(struct rng *rng)
{
    return rng_int(rng, 0, 3) == 0 ? 0 : rng_uniform(rng, -2, 2);
}

static double *numbers(size_t n)
{
    double *a = malloc(n * sizeof *a + 1); /* of the very size, so that the sanitizers see beyond */

    CHECK(a, "no memory for %zu numbers", n);
    return a;
}

static void test_numbers(struct rng *rng, enum ad_op op, double p)
{
    double x[AD_MAX_ARGS] = {0}, xdot[AD_MAX_ARGS][MAX_LANES], ydot[MAX_LANES], d[AD_MAX_ARGS];
    const double *dots[AD_MAX_ARGS] = {NULL};
    int k = (int)rng_int(rng, 0, MAX_LANES), n_args = ad_ops[op].n_args;
    double y;

    for (int i = 0; i < n_args; i++) {
        x[i] = argument(rng, op, i);
        check_note("argument %d: %.17g\n", i, x[i]);
        for (int j = 0; j < k; j++)
            xdot[i][j] = tangent(rng);
        if (rng_int(rng, 0, 2) > 0)
            dots[i] = xdot[i];
    }
    y = ad_dual_op(op, p, x, k, dots, ydot);
    CHECK(same_number(y, ad_op_value(op, p, x[0], x[1], x[2])), "value %.17g", y);
    ad_op_partials(op, p, x[0], x[1], x[2], y, d);
    for (int j = 0; j < k; j++) {
        double sum = 0, scale = 0;

        for (int i = 0; i < n_args; i++)
            /* zero hides an infinity, and nan too but for that of a POLE */
            if (dots[i] && (xdot[i][j] != 0 || (ad_ops[op].curvature == AD_POLE && isnan(d[i]))) &&
                !(ad_op_cuts(op) && d[i] == 0)) {
                sum += d[i] * xdot[i][j];
                scale += fabs(d[i] * xdot[i][j]);
            }
        CHECK(close_to(ydot[j], sum, scale), "tangent %d: %.17g, expected %.17g", j, ydot[j], sum);
    }
}

static void test_vector(struct rng *rng, enum ad_op op, double p, size_t n)
{
    int k = (int)rng_int(rng, 0, 4), n_args = ad_ops[op].n_args;
    struct ad_vec a[AD_MAX_ARGS] = {{NULL, 0}}, xdot[AD_MAX_ARGS * 4] = {{NULL, 0}};
    double *kept[AD_MAX_ARGS * 5], *y = numbers(n), *ydot[4] = {NULL};
    double *scratch = numbers(AD_DUAL_SCRATCH(n));
    int n_kept = 0;

    for (int i = 0; i < n_args; i++) {
        a[i].c = argument(rng, op, i);
        if (rng_int(rng, 0, 3) > 0) {
            a[i].v = kept[n_kept] = numbers(n);
            for (size_t e = 0; e < n; e++)
                kept[n_kept][e] = argument(rng, op, i);
            n_kept++;
        }
        for (int j = 0; j < k; j++) {
            struct ad_vec *t = &xdot[i * k + j];

            t->c = tangent(rng);
            if (rng_int(rng, 0, 2) > 0) {
                t->v = kept[n_kept] = numbers(n);
                for (size_t e = 0; e < n; e++)
                    kept[n_kept][e] = tangent(rng);
                n_kept++;
            }
            if ((t->v || t->c != 0) && !ydot[j])
                ydot[j] = numbers(n);
        }
    }
    ad_dual_vector(op, p, n, a, k, xdot, y, ydot, scratch);
    for (size_t e = 0; e < n; e++) {
        double x[AD_MAX_ARGS] = {0}, dots[AD_MAX_ARGS][4], expected[4], value;
        const double *pointers[AD_MAX_ARGS] = {dots[0], dots[1], dots[2]};

        for (int i = 0; i < n_args; i++) {
            x[i] = a[i].v ? a[i].v[e] : a[i].c;
            for (int j = 0; j < k; j++)
                dots[i][j] = xdot[i * k + j].v ? xdot[i * k + j].v[e] : xdot[i * k + j].c;
        }
        value = ad_dual_op(op, p, x, k, pointers, expected);
        CHECK(close_to(y[e], value, fabs(value)), "element %zu: %.17g, expected %.17g", e, y[e],
              value);
        for (int j = 0; j < k; j++) {
            /* to a vector, a tangent that is 0 everywhere is absent, and meets no POLE */
            if (ad_ops[op].curvature == AD_POLE && isnan(expected[j]))
                continue;
            CHECK(close_to(ydot[j] ? ydot[j][e] : 0, expected[j], fabs(expected[j])),
                  "element %zu, tangent %d: %.17g, expected %.17g", e, j, ydot[j] ? ydot[j][e] : 0,
                  expected[j]);
        }
        if (e == 20 && n > 600) /* the middle of a tile is like its beginning */
            e = n - 600;
    }
    while (n_kept > 0)
        free(kept[--n_kept]);
    for (int j = 0; j < k; j++)
        free(ydot[j]);
    free(y);
    free(scratch);
}

int main(void)
{
    static const size_t sizes[] = {0, 1, 2, 7, 8, 9, 511, 512, 513, 1100};
    struct rng rng = {2024};

    for (int op = 0; op < AD_N_OPS; op++) {
        double p = ad_ops[op].family ? (double)rng_int(&rng, 0, 3) : 0;

        for (int turn = 0; turn < 20; turn++) {
            check_clear();
            check_note("%s of numbers, p = %g\n", ad_ops[op].name, p);
            test_numbers(&rng, (enum ad_op)op, p);
        }
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            check_clear();
            check_note("%s of %zu numbers, p = %g\n", ad_ops[op].name, sizes[s], p);
            test_vector(&rng, (enum ad_op)op, p, sizes[s]);
        }
    }
    return 0;
}

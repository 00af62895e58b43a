/* test_functions.c -- the kernels of special functions, far out and at the ends, while the sanitizers watch.
 *
 * Comparison with mpmath is made from Python; here each derivative is held against differences of the one below
 * it, and arguments of all kinds go in. */
#include "ad_functions.h"
#include "check.h"

static double value_at(const struct ad_function *f, const int *order, const double *x, bool *lost)
{
    *lost = false;
    return f->kernel(order, x, lost);
}

/* What is given to a kernel beside the arguments: values of the function, which scale the result. */
static int free_arguments(const struct ad_function *f)
{
    const char *const given[] = {"gammainc", "betainc", "dawsn", "stdtr"};
    const int extra[] = {2, 2, 1, 1};

    for (int i = 0; i < 4; i++)
        if (strcmp(f->name, given[i]) == 0)
            return f->n_args - extra[i];
    return f->n_args;
}

static void test_any_arguments(const struct ad_function *f)
{
    static const double numbers[] = {
        0,    -0.0, 1,     -1,    0.5,   -0.5,  2,    -3,   1e-300, -1e-300,  1e-8,      0.999,
        1e-3, 14.9, 15.1,  40,    -40,   150.5, 1e3,  -1e3, 1e6,    -1e6,     1e300,     -1e300,
        -7.3, 3,    1.001, 1e-16, 0.999, 20,    2e-5, 1e12, 60,     INFINITY, -INFINITY, NAN,
    };
    const int n = sizeof numbers / sizeof *numbers;
    struct rng rng = {1};
    double x[AD_FUNCTION_ARGS];
    int order[AD_FUNCTION_ORDERS];

    for (int turn = 0; turn < 1000; turn++) {
        check_clear();
        check_note("%s", f->name);
        for (int i = 0; i < f->n_args; i++) {
            x[i] = numbers[rng_int(&rng, 0, n - 1)] * rng_uniform(&rng, 0.9, 1);
            if (turn % 3 == 0)
                x[i] = numbers[rng_int(&rng, 0, n - 1)];
            check_note(", x[%d] = %.17g", i, x[i]);
        }
        for (int i = 0; i < f->n_orders; i++) {
            order[i] = (int)rng_int(&rng, i == 0, 2);
            check_note(", order[%d] = %d", i, order[i]);
        }
        bool lost, again;
        const double y = value_at(f, order, x, &lost);
        CHECK(same_number(y, value_at(f, order, x, &again)) && lost == again, "state is kept");
        bool missing = false;
        for (int i = 0; i < f->n_args; i++)
            missing |= isnan(x[i]);
        CHECK(!missing || f->n_args != free_arguments(f) || isnan(y), "%.17g of a nan", y);
    }
}

/* Richardson's central difference of the derivative of orders 'order' in argument i. */
static double difference(const struct ad_function *f, const int *order, const double *x, int i,
                         double h)
{
    double at[AD_FUNCTION_ARGS], d[2];
    bool lost;

    memcpy(at, x, sizeof at);
    for (int k = 0; k < 2; k++, h *= 2) {
        at[i] = x[i] + h;
        d[k] = value_at(f, order, at, &lost);
        at[i] = x[i] - h;
        d[k] = (d[k] - value_at(f, order, at, &lost)) / (2 * h);
    }
    return d[0] + (d[0] - d[1]) / 3;
}

/* Where the orders are those of the first arguments, and nothing is given beside these. */
static void test_differences(const struct ad_function *f, int least)
{
    struct rng rng = {7};
    double x[AD_FUNCTION_ARGS];
    int order[AD_FUNCTION_ORDERS] = {0};
    bool lost;

    for (int turn = 0; turn < 200; turn++)
        for (int i = 0; i < f->n_orders; i++) {
            check_clear();
            check_note("%s, orders in argument %d", f->name, i);
            for (int j = 0; j < f->n_args; j++) {
                x[j] = rng_uniform(&rng, 1.2, 6);
                if (j == f->n_args - 1 && strncmp(f->name, "hyp2f1", 6) == 0)
                    x[j] = rng_uniform(&rng, -2, 0.6);
                check_note(", %.17g", x[j]);
            }
            for (int j = 0; j < f->n_orders; j++)
                order[j] = j == i ? least + turn % 2 : 0;
            const double step = difference(f, order, x, i, 2e-3 * fmin(1, fabs(x[i])));
            const double size = fabs(value_at(f, order, x, &lost));
            order[i]++;
            const double y = value_at(f, order, x, &lost);
            CHECK(!lost, "the result is lost");
            CHECK(fabs(y - step) <= 1e-6 * (fabs(y) + size), "%.17g, by differences %.17g", y,
                  step);
        }
}

static void test_vectors(void)
{
    const struct ad_function *const f = ad_function_find("jv");
    const double v[] = {0.5, 1, 2}, far[] = {1, 1e12, 1e13}, near[] = {1, 2, 3};
    double y[3];
    bool lost;

    CHECK(f && !ad_function_find("nothing"), "the table");
    CHECK(ad_function_vector(f, (int[]){1}, 3, (const double *[]){v, near}, y) == 3, "all is well");
    for (int i = 0; i < 3; i++)
        CHECK(y[i] == value_at(f, (int[]){1}, (double[]){v[i], near[i]}, &lost), "element %d", i);
    CHECK(ad_function_vector(f, (int[]){1}, 3, (const double *[]){v, far}, y) == 1,
          "the first lost");
    CHECK(ad_function_vector(f, (int[]){1}, 0, (const double *[]){v, far}, y) == 0,
          "nothing to do");
}

int main(void)
{
    static const struct {
        const char *name;
        int least; /* order from which the kernel is made */
    } smooth[] = {
        {"psi_difference", 0},
        {"stirling", 0},
        {"zeta", 0},
        {"riemann_zeta", 0},
        {"student_peak", 0},
        {"jv", 0},
        {"yv", 0},
        {"iv", 0},
        {"kv", 0},
        {"ive", 0},
        {"kve", 0},
        {"hyp0f1", 0},
        {"hyp1f1", 0},
        {"hyp2f1", 0},
        {"ellipkm1", 1},
    };

    for (const struct ad_function *f = ad_functions; f->name; f++)
        test_any_arguments(f);
    for (size_t i = 0; i < sizeof smooth / sizeof *smooth; i++) {
        const struct ad_function *const f = ad_function_find(smooth[i].name);
        /* psi_difference, stirling and peak count an order that is not that of an argument alone */
        if (strcmp(f->name, "psi_difference") != 0)
            test_differences(f, smooth[i].least);
    }
    test_vectors();
    printf("test_functions: ok\n");
    return 0;
}

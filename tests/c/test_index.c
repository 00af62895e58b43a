/* test_index.c -- computed indices: order, places that are none, and the transpose. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ad_index.h"
#include "ad_tape.h"
#include "check.h"

static void check_order(int64_t n, const double *x)
{
    double *y = malloc((size_t)(n + ad_index_room(n) + 1) * sizeof *y);

    ad_index_sort(1, n, x, y, y + n);
    for (int64_t j = 0; j < n; j++)
        CHECK(y[j] >= 0 && y[j] < (double)n && y[j] == floor(y[j]), "index %g", y[j]);
    for (int64_t j = 1; j < n; j++) {
        int64_t i = (int64_t)y[j - 1], k = (int64_t)y[j];
        bool both = x[i] == x[k] || (isnan(x[i]) && isnan(x[k]));

        CHECK(both ? i < k : isnan(x[k]) || x[i] < x[k], "%g is before %g", x[i], x[k]);
    }
    free(y);
}

static const double *sorted_by;

/* The later of equal numbers first: as NumPy's may, and as what is asked for never is. */
static int compare(const void *a, const void *b)
{
    intptr_t i = *(const intptr_t *)a, j = *(const intptr_t *)b;
    double x = sorted_by[i], z = sorted_by[j];

    if (x == z || (isnan(x) && isnan(z)))
        return i < j ? 1 : -1;
    return isnan(z) || x < z ? -1 : 1;
}

static int sort_backwards(void *x, intptr_t *order, intptr_t n, void *array)
{
    (void)array;
    sorted_by = x;
    qsort(order, (size_t)n, sizeof *order, compare);
    return 0;
}

static int sort_nothing(void *x, intptr_t *order, intptr_t n, void *array)
{
    (void)x, (void)n, (void)array;
    order[0] = -1;
    return -1;
}

static void test_order(ad_argsort_loop *loop)
{
    static const double odd[] = {0.0,    -0.0,    INFINITY, -INFINITY, NAN, -NAN,
                                 5e-324, -5e-324, DBL_MAX,  -DBL_MAX,  1.0, -1.0};
    enum { N_ODD = sizeof odd / sizeof *odd, MOST = 300 };
    struct rng rng = {1};
    double x[MOST];

    ad_argsort_simd = loop;
    for (int round = 0; round < 200; round++) {
        int64_t n = rng_int(&rng, 0, round % 2 ? MOST : 70);

        for (int64_t j = 0; j < n; j++)
            x[j] =
                rng_int(&rng, 0, 2) ? odd[rng_int(&rng, 0, N_ODD - 1)] : rng_uniform(&rng, -3, 3);
        check_order(n, x);
    }
    ad_argsort_simd = NULL;
}

static void test_places(void)
{
    const double x[] = {10, 20, 30, 11, 21, 31};
    const double good[] = {2, -3, 0, -1}, bad[] = {3, -4, 0.5, NAN, INFINITY, 1e300};
    const double ones[] = {1, 2, 4, 8, 1, 2, 4, 8};
    double y[8];

    ad_index_take(2, 3, 4, good, x, y, 1);
    CHECK(y[0] == 30 && y[1] == 10 && y[2] == 10 && y[3] == 30 && y[5] == 11, "taken");
    ad_index_put(2, 3, 4, good, ones, y, 1);
    CHECK(y[0] == 6 && y[1] == 0 && y[2] == 9 && y[3] == 6, "put");
    for (size_t j = 0; j < sizeof bad / sizeof *bad; j++) {
        const double index[] = {1, bad[j]};

        ad_index_take(1, 3, 2, index, x, y, 1);
        CHECK(y[0] == 20 && isnan(y[1]), "%g: taken", bad[j]);
        ad_index_put(1, 3, 2, index, ones, y, 1);
        CHECK(isnan(y[0]) && isnan(y[1]) && isnan(y[2]), "%g: put", bad[j]);
    }
    ad_index_take(2, 0, 0, good, x, y, 1);
    ad_index_take(1, 0, 1, good, x, y, 1);
    CHECK(isnan(y[0]), "of nothing");
}

/* What reading and adding give is checked in random programs; here what is refused. */
static void test_refused(void)
{
    struct ad_tape *tape = ad_tape_new();
    const double values[] = {1, 2, 3};
    int64_t three = 3, two = 2;
    struct ad_view x, index, scalar = ad_view_slots(0, 0, NULL), y;

    CHECK(ad_record_input(tape, 3, values) == AD_OK, "input");
    x = ad_view_slots(0, 1, &three);
    index = ad_view_slots(0, 1, &two);
    CHECK(ad_record_gather(tape, &scalar, &index, &y) == AD_SHAPES_DIFFER, "of a scalar");
    CHECK(ad_record_gather(tape, &x, &scalar, &y) == AD_SHAPES_DIFFER, "by a scalar");
    CHECK(ad_record_scatter(tape, &x, &index, 5, &y) == AD_SHAPES_DIFFER, "too few indices");
    CHECK(tape->n == 1, "something was recorded");
    ad_tape_free(tape);
}

int main(void)
{
    test_order(NULL);
    test_order(sort_backwards);
    test_order(sort_nothing);
    test_places();
    test_refused();
    printf("test_index: ok\n");
    return 0;
}

/* test_taylor.c -- Taylor series through a tape, against the other sweeps and closed forms. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ad_emit.h"
#include "ad_taylor.h"

static int failures;

static void expect(double got, double wanted, const char *what, int k)
{
    if (!(fabs(got - wanted) <= 1e-12 * (fabs(wanted) + 1))) {
        printf("%s, coefficient %d: got %.17g, expected %.17g\n", what, k, got, wanted);
        failures++;
    }
}

static void check(enum ad_status status)
{
    if (status) {
        printf("%s\n", ad_status_text(status));
        failures++;
    }
}

/* Seed lane 1 of the first n slots with v, and sweep over the whole tape. */
static void sweep(struct ad_tape *tape, const double *v, int n, int order)
{
    check(ad_taylor_begin(tape, 0, 1, order));
    for (int i = 0; i < n; i++)
        tape->work->tan[i * (order + 1) + 1] = v[i];
    check(ad_sweep_taylor(tape, 1, tape->n - 1));
}

/* exp(x) / x + 3, all scalars. */
static void test_scalar(void)
{
    enum { ORDER = 12 };
    struct ad_tape *tape = ad_tape_new();
    double x = 2, one = 1, term = exp(2), sum = 0;
    int32_t e, three;

    check(ad_record_input(tape, 1, &x));
    check(ad_tape_room(tape, 8));
    e = tape->dst[ad_tape_push(tape, AD_OP_exp, 0, 0, exp(2))];
    e = tape->dst[ad_tape_push(tape, AD_OP_div, e, 0, exp(2) / 2)];
    three = ad_tape_const(tape, 3);
    e = tape->dst[ad_tape_push(tape, AD_OP_add, e, three, exp(2) / 2 + 3)];
    sweep(tape, &one, 1, ORDER);
    /* x y = exp(x): 2 y_k + y_{k-1} = exp(2) / k! */
    for (int k = 0; k <= ORDER; k++) {
        sum = (term - sum) / 2;
        expect(tape->work->tan[e * (ORDER + 1) + k], k == 0 ? sum + 3 : sum, "exp(x) / x + 3", k);
        term /= k + 1;
    }
    ad_tape_free(tape);
}

/* sum_i cumsum(M sin(x))_i max(x) x_i^3 over a vector longer than a tile. */
static void test_array(void)
{
    enum { N = 300, ORDER = 2 };
    struct ad_tape *tape = ad_tape_new();
    static double x[N], v[N], m[N * N], tan[1], hv[N];
    int64_t vector[1] = {N}, column[2] = {N, 1}, square[2] = {N, N};
    struct ad_view in = ad_view_slots(0, 1, vector), matrix, y, s, p, largest;
    const struct ad_view *args[AD_MAX_ARGS] = {&in};
    double curvature = 0, coefficient[ORDER + 1];

    for (int i = 0; i < N; i++) {
        x[i] = sin(i * 0.7) + 0.01 * i;
        v[i] = cos(i * 1.3);
        for (int j = 0; j < N; j++)
            m[i * N + j] = 1.0 / (1 + i + 2 * j);
    }
    check(ad_record_input(tape, N, x));
    check(ad_record_op(tape, AD_OP_sin, 0, args, &s));
    matrix = ad_view_slots(0, 2, square);
    matrix.place = AD_ARRAY;
    matrix.in.array = ad_array_copy(m, N * N);
    ad_view_reshape(&s, 2, column);
    check(ad_record_matmul(tape, &matrix, &s, &y));
    ad_view_drop(&matrix);
    ad_view_reshape(&y, 1, vector);
    check(ad_record_along(tape, AD_CUMSUM, &y, 0, &y));
    check(ad_record_along(tape, AD_EXTREMUM, &in, 0, &largest));
    args[0] = &y;
    args[1] = &largest;
    check(ad_record_op(tape, AD_OP_mul, 0, args, &y));
    args[0] = &in;
    check(ad_record_op(tape, AD_OP_powi, 3, args, &p));
    args[0] = &y;
    args[1] = &p;
    check(ad_record_op(tape, AD_OP_mul, 0, args, &p));
    check(ad_record_sum(tape, &p, 1, &y));
    ad_view_reshape(&y, 0, vector);

    sweep(tape, v, N, ORDER);
    ad_work_get(tape, tape->work->tan, ORDER + 1, &y, coefficient);
    expect(coefficient[0], tape->value[y.base], "array program", 0);

    check(ad_work_begin(tape, AD_SWEEP_SECOND, 0, 1));
    ad_work_add(tape, tape->work->tan, 1, &in, v);
    check(ad_sweep_forward(tape, 1, tape->n - 1));
    ad_work_get(tape, tape->work->tan, 1, &y, tan);
    expect(coefficient[1] / tan[0], 1, "array program", 1);
    ad_work_add(tape, tape->work->adj, 1, &y, &(double){1});
    check(ad_sweep_second(tape, 1, tape->n - 1));
    ad_work_get(tape, tape->work->dadj, 1, &in, hv);
    for (int i = 0; i < N; i++)
        curvature += v[i] * hv[i];
    expect(2 * coefficient[2] / curvature, 1, "array program", 2);

    /* Along nothing, all is constant. */
    memset(v, 0, sizeof v);
    sweep(tape, v, N, ORDER);
    ad_work_get(tape, tape->work->tan, ORDER + 1, &y, coefficient);
    expect(coefficient[0], tape->value[y.base], "no direction", 0);
    expect(coefficient[1], 0, "no direction", 1);
    ad_tape_free(tape);
}

/* x (3 x 2) times its transpose, a product of two variables: degree 2, exactly. */
static void test_matmul(void)
{
    enum { ORDER = 4 };
    struct ad_tape *tape = ad_tape_new();
    const double x[6] = {1, 2, 3, 4, 5, 6}, v[6] = {1, 0, -1, 2, 0, 1};
    int64_t shape[2] = {3, 2};
    struct ad_view a = ad_view_slots(0, 2, shape), b = a, y;
    double c[9 * (ORDER + 1)];

    check(ad_record_input(tape, 6, x));
    b.shape[0] = 2, b.shape[1] = 3;
    b.stride[0] = 1, b.stride[1] = 2;
    check(ad_record_matmul(tape, &a, &b, &y));
    sweep(tape, v, 6, ORDER);
    ad_work_get(tape, tape->work->tan, ORDER + 1, &y, c);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            double want[ORDER + 1] = {0};

            for (int l = 0; l < 2; l++) {
                want[0] += x[2 * i + l] * x[2 * j + l];
                want[1] += x[2 * i + l] * v[2 * j + l] + v[2 * i + l] * x[2 * j + l];
                want[2] += v[2 * i + l] * v[2 * j + l];
            }
            for (int k = 0; k <= ORDER; k++)
                expect(c[(3 * i + j) * (ORDER + 1) + k], want[k], "x x^T", k);
        }
    ad_tape_free(tape);
}

int main(void)
{
    test_scalar();
    test_array();
    test_matmul();
    printf("test_taylor: %s\n", failures ? "FAILED" : "ok");
    return failures != 0;
}

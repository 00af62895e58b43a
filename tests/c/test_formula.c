/* test_formula.c -- formulas as one instruction, against the same rows one by one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ad_formula.h"
#include "ad_sweep.h"

extern long n_live, fail_in, n_failed;

static int failures;

#define CHECK(truth, ...)                                                                          \
    do {                                                                                           \
        if (!(truth)) {                                                                            \
            printf("line %d: ", __LINE__);                                                         \
            printf(__VA_ARGS__);                                                                   \
            printf("\n");                                                                          \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

enum { N = 700, LANES = 3 }; /* numbers: more than a tile */

/* ---- z * w, of given parts a, b, c, d ---- */

static struct ad_formula_step product_steps[] = {
    {AD_OP_mul, {0, 2}}, {AD_OP_mul, {1, 3}}, {AD_OP_sub, {4, 5}},
    {AD_OP_mul, {0, 3}}, {AD_OP_mul, {1, 2}}, {AD_OP_add, {7, 8}},
};
static const struct ad_formula product = {
    .n_given = 4, .n_steps = 6, .n_outputs = 2, .steps = product_steps, .outputs = {6, 9}};

static void product_loop(char **args, const intptr_t *n, const intptr_t *stride, void *data)
{
    CHECK(data == NULL, "data that nobody gave");
    for (intptr_t i = 0; i < *n; i++) {
        const double *z = (double *)(args[0] + i * stride[0]);
        const double *w = (double *)(args[1] + i * stride[1]);
        double *y = (double *)(args[2] + i * stride[2]);

        y[0] = z[0] * w[0] - z[1] * w[1];
        y[1] = z[0] * w[1] + z[1] * w[0];
    }
}

static const struct ad_complex_call product_call = {
    .loop = product_loop, .n_args = 2, .parts = {{0, 0}, {1, 0}, {2, 0}, {3, 0}}};

/* ---- the rule ---- */

static int held;

static void release(void *rule)
{
    CHECK(rule == &product, "another rule");
    held--;
}

static enum ad_status forward(struct ad_tape *tape, int32_t i, int lanes)
{
    return ad_formula_forward(tape, i, &product, lanes);
}

static enum ad_status reverse(struct ad_tape *tape, int32_t i, int lanes)
{
    return ad_formula_reverse(tape, i, &product, lanes);
}

static const struct ad_call_hooks hooks = {
    .release = release, .forward = forward, .reverse = reverse};

/* A tape with 4 N numbers, and views of them as a, b, c, d: 'spread' lets c and d be one number each. */
static struct ad_tape *new_tape(bool spread, struct ad_view *views, const struct ad_view **args)
{
    struct ad_tape *tape = ad_tape_new();
    double *x = malloc(4 * N * sizeof *x);
    const int64_t n = N, one = 1;

    tape->hooks = &hooks;
    for (int i = 0; i < 4 * N; i++)
        x[i] = sin(1.0 + i * i % 97);
    CHECK(ad_record_input(tape, 4 * N, x) == AD_OK, "no input");
    free(x);
    for (int k = 0; k < 4; k++) {
        views[k] = ad_view_slots(k * N, 1, spread && k > 1 ? &one : &n);
        args[k] = &views[k];
    }
    return tape;
}

static enum ad_status record(struct ad_tape *tape, enum ad_complex_way way,
                             const struct ad_view *const *args, struct ad_view *y)
{
    struct ad_complex_call call = product_call;

    call.way = way;
    held++;
    return ad_complex_record(tape, &call, (void *)(uintptr_t)&product, &product, 4, args, &y[0],
                             &y[1]);
}

static void record_rows(struct ad_tape *tape, const struct ad_view *const *args, struct ad_view *y)
{
    struct ad_view steps[6];
    const struct ad_view *all[10];

    for (int k = 0; k < 10; k++)
        all[k] = k < 4 ? args[k] : &steps[k - 4];
    for (int k = 0; k < 6; k++) {
        const struct ad_view *two[] = {all[product_steps[k].args[0]],
                                       all[product_steps[k].args[1]]};

        CHECK(ad_record_op(tape, product_steps[k].op, 0, two, &steps[k]) == AD_OK, "no row");
    }
    y[0] = steps[2];
    y[1] = steps[5];
}

static void same(const double *got, const double *wanted, int64_t n, const char *what)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(got[i] - wanted[i]) <= 1e-14)) {
            CHECK(false, "%s: element %d is %.17g, expected %.17g", what, (int)i, got[i],
                  wanted[i]);
            return;
        }
}

/* Values, tangents and adjoints, along three lanes, of one way and of rows. */
static void test_way(enum ad_complex_way way, bool spread)
{
    struct ad_view views[4], y[2], rows[2];
    const struct ad_view *args[4];
    struct ad_tape *tape = new_tape(spread, views, args);
    double *lanes[2];

    CHECK(record(tape, way, args, y) == AD_OK, "not recorded");
    record_rows(tape, args, rows);
    for (int k = 0; k < 2; k++)
        same(tape->value + y[k].base, tape->value + rows[k].base, N, "a value");

    CHECK(ad_work_begin(tape, AD_SWEEP_FORWARD, 0, LANES) == AD_OK, "no work");
    for (int i = 0; i < 4 * N * LANES; i++)
        tape->work->tan[i] = cos(i);
    CHECK(ad_sweep_forward(tape, 1, tape->n - 1) == AD_OK, "no forward sweep");
    for (int k = 0; k < 2; k++)
        same(tape->work->tan + y[k].base * LANES, tape->work->tan + rows[k].base * LANES, N * LANES,
             "a tangent");

    for (int way_of_two = 0; way_of_two < 2; way_of_two++) {
        const struct ad_view *out = way_of_two ? rows : y;

        CHECK(ad_work_begin(tape, AD_SWEEP_REVERSE, 0, LANES) == AD_OK, "no work");
        for (int k = 0; k < 2; k++) /* those of a tile are zeros, which push nothing */
            for (int i = 600; i < N * LANES; i++)
                tape->work->adj[out[k].base * LANES + i] = cos(i + k);
        CHECK(ad_sweep_reverse(tape, 1, tape->n - 1) == AD_OK, "no reverse sweep");
        lanes[way_of_two] = malloc(4 * N * LANES * sizeof(double));
        memcpy(lanes[way_of_two], tape->work->adj, 4 * N * LANES * sizeof(double));
    }
    same(lanes[0], lanes[1], 4 * N * LANES, "an adjoint");
    free(lanes[0]);
    free(lanes[1]);
    ad_tape_free(tape);
    CHECK(held == 0, "%d references to the rule are left", held);
}

/* ---- |z|, one row whose values are another loop's ---- */

static void test_modulus(void)
{
    struct ad_formula_step step = {AD_OP_hypot, {0, 1}};
    struct ad_formula modulus = {
        .n_given = 2, .n_steps = 1, .n_outputs = 1, .steps = &step, .outputs = {2}};
    struct ad_complex_call call = {
        .way = AD_COMPLEX_MODULUS, .n_args = 1, .real = true, .parts = {{0, 0}, {1, 0}}};
    const double extreme[] = {3,      4,      0,   0,      1e-200, 1e-200, 1e200, 1e200,
                              5e-324, 5e-324, NAN, 1e-200, -0.0,   0.0,    NAN,   INFINITY};
    const int64_t n = 8;
    struct ad_tape *tape = ad_tape_new();
    struct ad_view views[2], y;
    const struct ad_view *args[] = {&views[0], &views[1]};

    CHECK(ad_record_input(tape, 16, extreme) == AD_OK, "no input");
    for (int k = 0; k < 2; k++) {
        views[k] = ad_view_slots(k, 1, &n);
        views[k].stride[0] = 2;
    }
    CHECK(ad_complex_record(tape, &call, NULL, &modulus, 2, args, &y, NULL) == AD_OK, "no modulus");
    CHECK(ad_tape_code(tape, 1) == AD_OP_hypot, "a modulus is no row");
    for (int i = 0; i < n; i++) {
        double got = tape->value[y.base + i], wanted = hypot(extreme[2 * i], extreme[2 * i + 1]);

        CHECK(got == wanted || (got != got && wanted != wanted) ||
                  fabs(got - wanted) <= 3e-16 * wanted,
              "modulus %d is %g, expected %g", i, got, wanted);
    }
    ad_tape_free(tape);
}

/* ---- other ways ---- */

/* Values of a call whose formula is of no account to them. */
static void compute_way(enum ad_complex_way way, int n_args, struct ad_tape *tape,
                        const struct ad_view *const *args, struct ad_view *y)
{
    struct ad_complex_call call = {
        .way = way, .n_args = n_args, .parts = {{0, 0}, {1, 0}, {2, 0}, {3, 0}}};

    held++;
    CHECK(ad_complex_record(tape, &call, (void *)(uintptr_t)&product, &product, 2 * n_args, args,
                            &y[0], &y[1]) == AD_OK,
          "way %d is not recorded", (int)way);
}

/* z / w times w is z, and so with 1 / w; exp(log1p(z)) is 1 + z. */
static void test_other_ways(bool spread)
{
    struct ad_view views[4], quotient[2], inverse[2], log[2];
    const struct ad_view *args[4], *last[2];
    struct ad_tape *tape = new_tape(spread, views, args);

    last[0] = args[2];
    last[1] = args[3];
    compute_way(AD_COMPLEX_QUOTIENT, 2, tape, args, quotient);
    compute_way(AD_COMPLEX_QUOTIENT, 1, tape, last, inverse);
    compute_way(AD_COMPLEX_LOG1P, 1, tape, args, log);
    for (int64_t i = 0; i < N; i++) {
        const double *v = tape->value;
        double a = v[views[0].base + i * views[0].stride[0]];
        double b = v[views[1].base + i * views[1].stride[0]];
        int64_t at = spread ? 0 : i;
        double c = v[views[2].base + at], d = v[views[3].base + at];
        double re = v[quotient[0].base + i], im = v[quotient[1].base + i];
        double modulus = exp(v[log[0].base + i]), angle = v[log[1].base + i];

        CHECK(fabs(re * c - im * d - a) < 1e-14 && fabs(re * d + im * c - b) < 1e-14, "quotient %d",
              (int)i);
        re = v[inverse[0].base + at];
        im = v[inverse[1].base + at];
        CHECK(fabs(re * c - im * d - 1) < 1e-14 && fabs(re * d + im * c) < 1e-14, "inverse %d",
              (int)i);
        CHECK(fabs(modulus * cos(angle) - 1 - a) < 1e-14 && fabs(modulus * sin(angle) - b) < 1e-14,
              "log1p %d", (int)i);
    }
    ad_tape_free(tape);
    CHECK(held == 0, "%d references to the rule are left", held);
}

/* Of one mask for both parts; whatever allocation fails, nothing is recorded. */
static void test_choices(void)
{
    const int64_t shape[] = {2, N};
    unsigned char truth[N];
    double numbers[N];
    bool failed = true;

    for (int64_t i = 0; i < N; i++)
        numbers[i] = truth[i] = i % 3 > 0;
    for (long n = 0; failed; n++) {
        struct ad_view views[4], x = ad_view_slots(0, 2, shape), y;
        const struct ad_view *args[4];
        long live = n_live, before = n_failed;
        struct ad_tape *tape = new_tape(false, views, args);
        struct ad_view mask = ad_view_slots(0, 1, shape + 1);
        enum ad_status status;

        mask.place = AD_ARRAY;
        mask.in.array = ad_array_copy(numbers, N);
        fail_in = n;
        status = ad_pair_choose(tape, &mask, truth, &x, -3, &y);
        fail_in = -1;
        failed = n_failed > before;
        CHECK((status == AD_OK) != failed, "allocation %ld: status %d", n, (int)status);
        CHECK(tape->n == 1 + !failed, "allocation %ld: %d instructions", n, (int)tape->n);
        for (int64_t i = 0; i < 2 * N && !failed; i++)
            CHECK(tape->value[y.base + i] == (truth[i % N] ? tape->value[i] : -3), "choice %d",
                  (int)i);
        ad_view_drop(&mask);
        ad_tape_free(tape);
        CHECK(n_live == live, "leaked at allocation %ld", n);
    }
}

/* ---- pairs ---- */

static void test_pairs(void)
{
    struct ad_view views[4];
    const struct ad_view *args[4];
    struct ad_tape *tape = new_tape(false, views, args);
    double *z = malloc(4 * N * sizeof *z), *re = z + 2 * N, *im = z + 3 * N;
    struct ad_view zero = ad_view_number(-2);

    ad_complex_read(&views[0], &views[1], tape->value, z);
    ad_complex_split(z, N, re, im);
    CHECK(memcmp(re, tape->value, N * sizeof *re) == 0, "real parts are not those read");
    CHECK(memcmp(im, tape->value + N, N * sizeof *im) == 0, "imaginary parts are not those read");
    ad_view_broadcast(&zero, 1, views[0].shape);
    ad_complex_read(&views[0], &zero, tape->value, z);
    CHECK(z[1] == -2 && z[2 * N - 1] == -2, "a number is not repeated");
    free(z);
    ad_tape_free(tape);
}

/* ---- failure ---- */

static void test_shapes_that_differ(void)
{
    struct ad_view views[4], y[2];
    const struct ad_view *args[4];
    struct ad_tape *tape = new_tape(false, views, args);

    views[1].shape[0] = 3;
    CHECK(record(tape, AD_COMPLEX_LOOP, args, y) == AD_SHAPES_DIFFER, "shapes fit");
    CHECK(held == 0, "a reference to the rule is left");
    CHECK(tape->n == 1, "something was recorded");
    ad_tape_free(tape);
}

/* Whatever allocation fails, the tape is as it was and nothing leaks. */
static void test_without_memory(void)
{
    bool failed = true;

    for (long n = 0; failed; n++) {
        struct ad_view views[4], y[2];
        const struct ad_view *args[4];
        long live = n_live, before = n_failed;
        struct ad_tape *tape = new_tape(false, views, args);
        enum ad_status status;

        fail_in = n;
        status = record(tape, AD_COMPLEX_STEPS, args, y);
        if (!status)
            status = ad_work_begin(tape, AD_SWEEP_FORWARD, 0, 1);
        if (!status)
            status = ad_sweep_forward(tape, 1, 1);
        if (!status)
            status = ad_work_begin(tape, AD_SWEEP_REVERSE, 0, 1);
        if (!status)
            tape->work->adj[4 * N] = 1;
        if (!status)
            status = ad_sweep_reverse(tape, 1, 1);
        fail_in = -1;
        failed = n_failed > before;
        CHECK((status == AD_NO_MEMORY) == failed, "allocation %ld: status %d", n, (int)status);
        ad_tape_free(tape);
        CHECK(n_live == live, "leaked at allocation %ld", n);
        CHECK(held == 0, "allocation %ld: %d references to the rule are left", n, held);
    }
}

int main(void)
{
    for (int spread = 0; spread < 2; spread++) {
        test_way(AD_COMPLEX_LOOP, spread);
        test_way(AD_COMPLEX_STEPS, spread);
        test_way(AD_COMPLEX_PRODUCT, spread);
    }
    test_other_ways(false);
    test_other_ways(true);
    test_modulus();
    test_choices();
    test_pairs();
    test_shapes_that_differ();
    test_without_memory();
    printf("%s\n", failures ? "FAILED" : "passed");
    return failures > 0;
}

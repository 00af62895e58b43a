/* test_unroll.c -- programs of few elements, as scalars, give what they gave as vectors. */
#include "ad_unroll.h"
#include "frozen.h"

static struct program program; /* large */
static long n_unrolled;        /* programs in which vectors became scalars */

static int64_t n_vectors(const struct ad_program *p)
{
    int64_t n = 0;

    for (int32_t i = p->n_inputs; i < p->tape->n; i++)
        n += ad_tape_is_array(p->tape, i);
    return n;
}

static void check_unrolled(struct program *p)
{
    struct ad_program *first = frozen(p), *scalars = NULL;
    double *x = recorded_inputs(p);
    struct results a, b;
    int failed, failed_too;

    first->tape->symbolic = !ad_program_needs_values(first);
    if (ad_pass_unroll(first, &scalars))
        CHECK(ad_pass_unroll(first, &scalars) == AD_OK, "unroll");
    n_unrolled += n_vectors(scalars) < n_vectors(first);
    a = results_of(first);
    b = results_of(scalars);
    for (int turn = 0; turn < 2; turn++) {
        replay(first, x, &a, &failed);
        replay(scalars, x, &b, &failed_too);
        for (int64_t j = 0; j < a.size; j++) /* sums are added up in another order */
            CHECK(close_to(a.data[j], b.data[j], fabs(a.data[j])),
                  "result %" PRId64 " is %.17g, not %.17g", j, b.data[j], a.data[j]);
        for (int64_t i = 0; i < p->value[0].size; i++)
            x[i] = i % 3 ? x[i] + 0.25 : 0.0;
    }
    ad_program_free(scalars);
    ad_program_free(first);
    results_free(&a);
    results_free(&b);
    free(x);
}

static void run(uint64_t seed, int n_steps, int64_t n_inputs, long fail)
{
    program_make(&program, seed, n_steps, n_inputs);
    fail_in = fail;
    check_unrolled(&program);
    fail_in = -1;
    program_end(&program);
    CHECK(n_live == 0, "%ld blocks are left", n_live);
}

/* x * [1, 0] + [0, y]: what ones and zeros leave is x and y themselves. */
static void test_seeds(void)
{
    struct ad_program *p = ad_program_new(), *scalars;
    const double one_zero[2] = {1, 0}, zero_one[2] = {0, 1};
    int64_t two = 2;
    struct ad_view seeds[2], products[2], sum;
    const struct ad_view *args[2];

    CHECK(p != NULL, "no program");
    p->tape->symbolic = true;
    CHECK(!ad_program_add_input(p, 0, NULL, NULL) && !ad_program_add_input(p, 0, NULL, NULL),
          "inputs");
    for (int k = 0; k < 2; k++) {
        seeds[k] = ad_view_slots(0, 1, &two);
        seeds[k].place = AD_ARRAY;
        seeds[k].in.array = ad_array_copy(k ? zero_one : one_zero, 2);
        args[0] = &seeds[k];
        args[1] = &p->inputs[k];
        CHECK(!ad_record_op(p->tape, AD_OP_mul0, 0, args, &products[k]), "product");
        ad_view_drop(&seeds[k]);
    }
    args[0] = &products[0];
    args[1] = &products[1];
    CHECK(!ad_record_op(p->tape, AD_OP_add, 0, args, &sum) && !ad_program_add_output(p, &sum),
          "sum");
    CHECK(!ad_pass_unroll(p, &scalars), "unroll");
    CHECK(scalars->tape->n == 2, "%d instructions, not the inputs alone", scalars->tape->n);
    ad_program_free(scalars);
    ad_program_free(p);
}

int main(void)
{
    const int64_t n_inputs[] = {1, 2, 4, 12};
    long n_cases = 0;

    test_seeds();
    for (uint64_t seed = 0; seed < 1500; seed++)
        run(seed, 2 + (int)(seed % 12), n_inputs[seed % 4], -1);
    CHECK(n_unrolled > 100, "only %ld programs were unrolled", n_unrolled);
    for (uint64_t seed = 2000; seed < 2040; seed++)
        for (long n = 0;; n++, n_cases++) {
            long failed = n_failed;

            run(seed, 2 + (int)(seed % 8), n_inputs[seed % 3], n);
            if (n_failed == failed)
                break;
        }
    printf("test_unroll: ok, %ld unrolled, %ld with an allocation that fails\n", n_unrolled,
           n_cases);
    return 0;
}

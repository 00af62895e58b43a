/* test_rewrite.c -- frozen programs, copied and freed of dead code, replay as they were recorded. */
#include "frozen.h"

static struct program program; /* large */
static long n_dropped;         /* instructions that ad_pass_dead() left out */

static void check_frozen(struct program *p)
{
    struct ad_program *first = frozen(p), *second = NULL, *lean = NULL;
    double *x = recorded_inputs(p);
    struct results a, b, c, recorded;
    int failed;

    recorded = results_of(first);
    a = results_of(first);
    for (int k = 0; k < first->n_outputs; k++)
        ad_view_read(&first->outputs[k], first->tape->value, recorded.output[k]);
    replay(first, x, &a, &failed);
    CHECK(failed < 0, "guard %d fails at the inputs that were recorded", failed);
    check_same_results(&a, &recorded, "replay");

    /* other inputs; guards decide by the recorded numbers */
    for (int64_t i = 0; i < p->value[0].size; i++)
        x[i] += 0.25 * (double)(i % 3);
    replay(first, x, &a, &failed);
    if (ad_program_copy(first, &second))
        CHECK(ad_program_copy(first, &second) == AD_OK, "copy");
    b = results_of(second);
    int failed_copy;

    replay(second, x, &b, &failed_copy);
    check_same_results(&b, &a, "a copy");
    CHECK(failed_copy == failed, "guard %d fails, not %d", failed_copy, failed);
    if (ad_pass_dead(second, &lean))
        CHECK(ad_pass_dead(second, &lean) == AD_OK, "dead code");
    ad_program_free(second);
    c = results_of(lean);
    replay(lean, x, &c, &failed_copy);
    check_same_results(&c, &a, "without dead code");
    CHECK(failed_copy == failed, "guard %d fails, not %d", failed_copy, failed);
    n_dropped += first->tape->n - lean->tape->n;
    ad_program_free(lean);
    ad_program_free(first);
    results_free(&a);
    results_free(&b);
    results_free(&c);
    results_free(&recorded);
    free(x);
}

static void run(uint64_t seed, int n_steps, int64_t n_inputs, long fail)
{
    program_make(&program, seed, n_steps, n_inputs);
    fail_in = fail;
    check_frozen(&program);
    fail_in = -1;
    program_end(&program);
    CHECK(n_live == 0, "%ld blocks are left", n_live);
}

static void test_origins(void)
{
    struct ad_program *p = ad_program_new();
    char name[32];

    CHECK(p != NULL, "no program");
    for (int32_t line = 0; line < 100; line++) {
        snprintf(name, sizeof name, "file %d", line % 7);
        CHECK(ad_program_origin(p, name, "f", line) == line, "line %d", line);
        CHECK(ad_program_origin(p, name, "f", line) == line, "line %d again", line);
    }
    ad_program_free(p);
}

int main(void)
{
    const int64_t n_inputs[] = {1, 4, 12, 36, 150, 1100};
    long n_cases = 0;

    test_origins();
    for (uint64_t seed = 0; seed < 1000; seed++)
        run(seed, 5 + (int)(seed % 40), n_inputs[(seed + seed / 6) % 6], -1);
    CHECK(n_dropped > 0, "no dead code was found");
    for (uint64_t seed = 2000; seed < 2040; seed++)
        for (long n = 0;; n++, n_cases++) {
            long failed = n_failed;

            run(seed, 3 + (int)(seed % 16), seed % 2 ? 4 : 12, n);
            if (n_failed == failed)
                break;
        }
    printf("test_rewrite: ok, %ld with an allocation that fails\n", n_cases);
    return 0;
}

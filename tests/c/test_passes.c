/* test_passes.c -- each pass alone: it keeps the bits of random programs, and does what it says on small
 * ones. */
#include "ad_simplify.h"
#include "frozen.h"

typedef enum ad_status pass(const struct ad_program *from, struct ad_program **to);

static const struct {
    const char *name;
    pass *pass;
    bool exact; /* every bit is kept */
} passes[] = {
    {"dead", ad_pass_dead, true},
    {"constants", ad_pass_constants, true},
    {"identities", ad_pass_identities, true},
    {"common", ad_pass_common, true},
};

enum { N_PASSES = sizeof passes / sizeof *passes };

static struct program program; /* large */
static long
    n_saved[N_PASSES]; /* instructions that a pass left out, alone or with dead code after it */

static void replay(struct ad_program *p, const double *x, struct results *r, int *failed)
{
    enum ad_status status = ad_program_replay(p, &x, r->output, failed);

    if (status) { /* the allocation that was to fail */
        CHECK(status == AD_NO_MEMORY, "replay: %s", ad_status_text(status));
        CHECK(ad_program_replay(p, &x, r->output, failed) == AD_OK, "replay again");
    }
}

static struct ad_program *passed(const struct ad_program *from, pass *do_pass, const char *name)
{
    struct ad_program *to = NULL;
    enum ad_status status = do_pass(from, &to);

    if (status) {
        CHECK(status == AD_NO_MEMORY && !to, "%s: %s", name, ad_status_text(status));
        CHECK(do_pass(from, &to) == AD_OK, "%s again", name);
    }
    return to;
}

/* Inputs that try an identity where it might not hold. */
static double odd_number(struct rng *rng)
{
    static const double odd[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1, -1, 5e-324, 1.7e308, -2};

    return rng_int(rng, 0, 2) ? odd[rng_int(rng, 0, 9)] : rng_uniform(rng, -3, 3);
}

/* Do both programs give the same for several inputs, the recorded ones first? */
static void check_same_program(struct ad_program *a, struct ad_program *b, struct program *p,
                               bool exact, const char *name)
{
    double *x = recorded_inputs(p);
    struct results ra = results_of(a), rb = results_of(b);
    int failed_a, failed_b;

    for (int trial = 0; trial < 4; trial++) {
        replay(a, x, &ra, &failed_a);
        replay(b, x, &rb, &failed_b);
        if (exact) {
            check_same_results(&rb, &ra, name);
            CHECK(failed_a == failed_b, "%s: guard %d fails, not %d", name, failed_b, failed_a);
        } else if (trial == 0) {
            for (int64_t j = 0; j < ra.size; j++)
                CHECK(close_to(rb.data[j], ra.data[j], 100),
                      "%s: result %" PRId64 " is %.17g, not %.17g", name, j, rb.data[j],
                      ra.data[j]);
        }
        for (int64_t i = 0; i < p->value[0].size; i++)
            x[i] = trial == 0 ? x[i] + 0.25 * (double)(i % 3) : odd_number(&p->rng);
    }
    results_free(&ra);
    results_free(&rb);
    free(x);
}

static void check_passes(struct program *p)
{
    struct ad_program *first = frozen(p);

    if (!first)
        first = frozen(p);
    CHECK(first != NULL, "not frozen");
    for (int k = 0; k < N_PASSES; k++) {
        struct ad_program *once = passed(first, passes[k].pass, passes[k].name), *lean;

        check_same_program(first, once, p, passes[k].exact, passes[k].name);
        lean = passed(once, ad_pass_dead, "dead code");
        check_same_program(once, lean, p, true, passes[k].name);
        n_saved[k] += first->tape->n - lean->tape->n;
        ad_program_free(once);
        ad_program_free(lean);
    }
    ad_program_free(first);
}

static void run(uint64_t seed, int n_steps, int64_t n_inputs, long fail)
{
    check_clear();
    program_begin(&program, seed, n_inputs);
    for (int i = 0; i < n_steps && program.n < MAX_VALUES - 2; i++)
        program_step(&program);
    fail_in = fail;
    check_passes(&program);
    fail_in = -1;
    program_end(&program);
    CHECK(n_live == 0, "%ld blocks are left", n_live);
}

int main(void)
{
    const int64_t n_inputs[] = {1, 4, 12, 36, 150, 1100};
    long n_cases = 0;

    for (uint64_t seed = 0; seed < 1000; seed++)
        run(seed, 5 + (int)(seed % 40), n_inputs[(seed + seed / 6) % 6], -1);
    for (int k = 0; k < N_PASSES; k++)
        CHECK(n_saved[k] > 0, "%s did nothing", passes[k].name);
    for (uint64_t seed = 2000; seed < 2020; seed++)
        for (long n = 0;; n++, n_cases++) {
            long failed = n_failed;

            run(seed, 3 + (int)(seed % 16), seed % 2 ? 4 : 12, n);
            if (n_failed == failed)
                break;
        }
    printf("test_passes: ok, %ld with an allocation that fails\n", n_cases);
    return 0;
}

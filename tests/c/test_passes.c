/* test_passes.c -- each pass alone: it keeps the bits of random programs, and does what it says on small
 * ones. */
#include "ad_reroll.h"
#include "ad_simplify.h"
#include "ad_sums.h"
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
    {"sums", ad_pass_sums, false},
    {"reroll", ad_pass_reroll, true},
    {"runs", ad_pass_runs, false},
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

/* ---- small programs ---- */

/* A program under way: what Python would record. */
static struct ad_program *small;

static struct ad_view input(int64_t n)
{
    double *x = malloc((size_t)(n + 1) * sizeof *x);

    for (int64_t i = 0; i < n; i++)
        x[i] = 0.5 + 0.25 * (double)(i % 7) - 0.125 * (double)(i % 11);
    CHECK(ad_program_add_input(small, 1, &n, x) == AD_OK, "input");
    free(x);
    return small->inputs[small->n_inputs - 1];
}

static struct ad_view at(const struct ad_view *x, int64_t i)
{
    return ad_view_slots(x->base + i, 0, NULL);
}

static struct ad_view op3(enum ad_op op, double p, struct ad_view a, struct ad_view b,
                          struct ad_view c)
{
    const struct ad_view *args[AD_MAX_ARGS] = {&a, &b, &c};
    struct ad_view y;

    CHECK(ad_record_op(small->tape, op, p, args, &y) == AD_OK, "%s", ad_ops[op].name);
    return y;
}

static struct ad_view op2(enum ad_op op, struct ad_view a, struct ad_view b)
{
    return op3(op, 0, a, b, b);
}

static struct ad_view op1(enum ad_op op, struct ad_view a)
{
    return op3(op, 0, a, a, a);
}

static struct ad_view num(double c)
{
    return ad_view_number(c);
}

static void output(struct ad_view y)
{
    CHECK(ad_program_add_output(small, &y) == AD_OK, "output");
}

static void begin(void)
{
    check_clear();
    small = ad_program_new();
    CHECK(small != NULL, "no program");
}

/* How many instructions of a program are scalar, or vector with an operand that is a list. */
static int n_scalar(const struct ad_program *p)
{
    int n = 0;

    for (int32_t i = 0; i < p->tape->n; i++)
        n += !ad_tape_is_array(p->tape, i);
    return n;
}

static int n_lists(const struct ad_program *p)
{
    int n = 0;

    for (int32_t i = 0; i < p->tape->n; i++) {
        struct ad_view views[16];
        int n_views = ad_tape_is_array(p->tape, i) ? ad_tape_views(p->tape, i, views, 16) : 0;

        for (int v = 0; v < n_views; v++)
            n += views[v].place == AD_LIST;
    }
    return n;
}

/* The passes, one after the other; the first frees 'small'. */
static struct ad_program *after(struct ad_program *from, pass *do_pass)
{
    struct ad_program *to = passed(from, do_pass, "a pass");

    ad_program_free(from);
    return to;
}

/* The results of two programs of one input. */
static void check_small(struct ad_program *a, struct ad_program *b, double tolerance)
{
    int64_t n = ad_view_size(&a->inputs[0]);
    double *x = malloc((size_t)(n + 1) * sizeof *x);
    struct results ra = results_of(a), rb = results_of(b);
    int failed;

    for (int64_t i = 0; i < n; i++)
        x[i] = 0.3 + 0.1 * (double)(i % 13);
    replay(a, x, &ra, &failed);
    replay(b, x, &rb, &failed);
    CHECK(ra.size == rb.size, "sizes differ");
    for (int64_t j = 0; j < ra.size; j++)
        CHECK(tolerance > 0 ? fabs(ra.data[j] - rb.data[j]) <= tolerance * fabs(ra.data[j])
                            : same_number(ra.data[j], rb.data[j]),
              "result %" PRId64 " is %.17g, not %.17g", j, rb.data[j], ra.data[j]);
    results_free(&ra);
    results_free(&rb);
    free(x);
}

static void print(const struct ad_program *p)
{
    for (int32_t i = 0; i < p->tape->n && i < 40; i++) {
        int code = ad_tape_code(p->tape, i);

        printf("%4d %d.. %s", i, p->tape->dst[i], code < AD_N_OPS ? ad_ops[code].name : "-");
        if (ad_tape_is_array(p->tape, i)) {
            struct ad_view views[16];
            int n = ad_tape_views(p->tape, i, views, 16);

            for (int v = 0; v < n && v < 16; v++) {
                printf("  %d+%d (", (int)views[v].place, (int)views[v].base);
                for (int d = 0; d < views[v].ndim; d++)
                    printf("%d*%d ", (int)views[v].shape[d], (int)views[v].stride[d]);
                printf(")");
            }
        } else
            printf("  %d %d", p->tape->a[i], p->tape->b[i]);
        printf("\n");
    }
}

static void rosenbrock(int64_t n)
{
    struct ad_view x, total = num(0);

    begin();
    x = input(n);
    for (int64_t i = 0; i < n - 1; i++) {
        struct ad_view a =
            op2(AD_OP_sub, at(&x, i + 1), op3(AD_OP_powi, 2, at(&x, i), num(0), num(0)));

        a = op2(AD_OP_mul, num(100), op3(AD_OP_powi, 2, a, num(0), num(0)));
        total = op2(AD_OP_add, total, a);
        a = op3(AD_OP_powi, 2, op2(AD_OP_sub, num(1), at(&x, i)), num(0), num(0));
        total = op2(AD_OP_add, total, a);
    }
    output(total);
}

static void test_rosenbrock(void)
{
    struct ad_program *p, *first;

    rosenbrock(1000);
    first = small;
    CHECK(ad_program_copy(first, &p) == AD_OK, "copy");
    p = after(p, ad_pass_dead);
    p = after(p, ad_pass_constants);
    p = after(p, ad_pass_identities);
    p = after(p, ad_pass_common);
    p = after(p, ad_pass_sums);
    p = after(p, ad_pass_reroll);
    p = after(p, ad_pass_runs);
    p = after(p, ad_pass_identities);
    p = after(p, ad_pass_dead);
    print(p);
    CHECK(n_scalar(p) == 0, "%d scalars", n_scalar(p));
    CHECK(n_lists(p) == 0, "%d lists", n_lists(p));
    CHECK(p->tape->n == 8, "%d instructions", p->tape->n);
    check_small(first, p, 1e-13);
    ad_program_free(first);
    ad_program_free(p);
}

int main(void)
{
    const int64_t n_inputs[] = {1, 4, 12, 36, 150, 1100};
    long n_cases = 0;

    test_rosenbrock();
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

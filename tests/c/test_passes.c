/* test_passes.c -- each pass alone: it keeps the bits of random programs, and does what it says on small
 * ones. */
#include "ad_common.h"
#include "ad_optimise.h"
#include "ad_simplify.h"
#include "ad_sums.h"
#include "frozen.h"

typedef enum ad_status pass(const struct ad_program *from, struct ad_program **to);

static enum ad_status optimise(const struct ad_program *from, struct ad_program **to)
{
    return ad_optimise(from, true, to, NULL);
}

static enum ad_status optimise_exactly(const struct ad_program *from, struct ad_program **to)
{
    return ad_optimise(from, false, to, NULL);
}

static const struct {
    const char *name;
    pass *pass;
    bool exact; /* every bit is kept */
} passes[] = {
    {"dead", ad_pass_dead, true},     {"constants", ad_pass_constants, true},
    {"copies", ad_pass_copies, true}, {"identities", ad_pass_identities, true},
    {"common", ad_pass_common, true}, {"sums", ad_pass_sums, false},
    {"reroll", ad_pass_reroll, true}, {"runs", ad_pass_runs, false},
    {"all", optimise, false},         {"all that are exact", optimise_exactly, true},
};

enum { N_PASSES = sizeof passes / sizeof *passes };

static struct program program; /* large */
static long
    n_saved[N_PASSES]; /* instructions that a pass left out, alone or with dead code after it */

/* Each view of slots must lie within what one instruction produced. */
static void check_view(const struct ad_tape *tape, const struct ad_view *view)
{
    int64_t low = view->base, high = view->base;

    if (view->place != AD_SLOTS || view->base < 0 || ad_view_size(view) == 0)
        return;
    for (int d = 0; d < view->ndim; d++) {
        low += AD_MIN(view->stride[d], 0) * (view->shape[d] - 1);
        high += AD_MAX(view->stride[d], 0) * (view->shape[d] - 1);
    }
    CHECK(low >= 0 && high < tape->n_slots &&
              ad_tape_producer(tape, (int32_t)low) == ad_tape_producer(tape, (int32_t)high),
          "a view of slots %" PRId64 " to %" PRId64 " is of several instructions", low, high);
}

static void check_views(const struct ad_program *p)
{
    for (int32_t i = 0; i < p->tape->n; i++) {
        const int64_t *block = p->tape->aux + p->tape->a[i], *words = block + AD_BLOCK_HEADER;
        struct ad_view view;

        for (int64_t v = 0; ad_tape_is_array(p->tape, i) && v < block[1]; v++) {
            words = ad_view_decode(words, &view);
            check_view(p->tape, &view);
        }
    }
    for (int k = 0; k < p->n_outputs; k++)
        check_view(p->tape, &p->outputs[k]);
    for (int g = 0; g < p->n_guards; g++)
        check_view(p->tape, &p->guards[g].view);
}

static struct ad_program *passed(const struct ad_program *from, pass *do_pass, const char *name)
{
    struct ad_program *to = NULL;
    enum ad_status status = do_pass(from, &to);

    if (status) {
        CHECK(status == AD_NO_MEMORY && !to, "%s: %s", name, ad_status_text(status));
        CHECK(do_pass(from, &to) == AD_OK, "%s again", name);
    }
    check_views(to);
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

/* All passes, or only one of them. */
static void check_passes(struct program *p, int only)
{
    struct ad_program *first = frozen(p);

    for (int k = 0; k < N_PASSES; k++) {
        struct ad_program *once, *lean;

        if (only >= 0 && k != only)
            continue;
        once = passed(first, passes[k].pass, passes[k].name);
        check_same_program(first, once, p, passes[k].exact, passes[k].name);
        lean = passed(once, ad_pass_dead, "dead code");
        check_same_program(once, lean, p, true, passes[k].name);
        n_saved[k] += first->tape->n - lean->tape->n;
        ad_program_free(once);
        ad_program_free(lean);
    }
    ad_program_free(first);
}

static void run(uint64_t seed, int n_steps, int64_t n_inputs, long fail, int only)
{
    program_make(&program, seed, n_steps, n_inputs);
    fail_in = fail;
    check_passes(&program, only);
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

/* Have two programs of the same inputs, two at most, the same results? */
static void check_small(struct ad_program *a, struct ad_program *b, double tolerance)
{
    struct results ra = results_of(a), rb = results_of(b);
    const double *inputs[2];
    double *x = malloc(1000 * 1000 / 8 * sizeof *x);
    int64_t used = 0;
    int failed;

    for (int k = 0; k < a->n_inputs; k++) {
        inputs[k] = x + used;
        for (int64_t i = 0; i < ad_view_size(&a->inputs[k]); i++)
            x[used++] = 0.3 + 0.1 * (double)(i % 13) + k;
    }
    CHECK(ad_program_replay(a, inputs, ra.output, &failed) == AD_OK, "replay");
    CHECK(ad_program_replay(b, inputs, rb.output, &failed) == AD_OK, "replay");
    CHECK(ra.size == rb.size, "sizes differ");
    for (int64_t j = 0; j < ra.size; j++)
        CHECK(tolerance > 0 ? fabs(ra.data[j] - rb.data[j]) <= tolerance * fabs(ra.data[j])
                            : same_number(ra.data[j], rb.data[j]),
              "result %" PRId64 " is %.17g, not %.17g", j, rb.data[j], ra.data[j]);
    results_free(&ra);
    results_free(&rb);
    free(x);
}

/* What is left of 'small' when all passes have run: so many vector instructions, scalar ones, and lists. */
static void check_rolled(int vectors, int scalars, int lists, const char *what)
{
    struct ad_program *exact = passed(small, optimise_exactly, what),
                      *p = passed(small, optimise, what);
    int n = p->tape->n - p->n_inputs - n_scalar(p);

    check_small(small, exact, 0);
    check_small(small, p, 1e-12);
    CHECK(n == vectors, "%s: %d vector instructions, not %d", what, n, vectors);
    CHECK(n_scalar(p) == scalars, "%s: %d scalars, not %d", what, n_scalar(p), scalars);
    CHECK(n_lists(p) == lists, "%s: %d lists, not %d", what, n_lists(p), lists);
    ad_program_free(exact);
    ad_program_free(p);
    ad_program_free(small);
    CHECK(n_live == 0, "%ld blocks are left", n_live);
}

static struct ad_view sub(struct ad_view a, struct ad_view b)
{
    return op2(AD_OP_sub, a, b);
}

static struct ad_view add(struct ad_view a, struct ad_view b)
{
    return op2(AD_OP_add, a, b);
}

static struct ad_view mul(struct ad_view a, struct ad_view b)
{
    return op2(AD_OP_mul, a, b);
}

static struct ad_view squared(struct ad_view a)
{
    return op3(AD_OP_powi, 2, a, a, a);
}

static void rosenbrock(int64_t n)
{
    struct ad_view x, total = num(0);

    begin();
    x = input(n);
    for (int64_t i = 0; i < n - 1; i++) {
        struct ad_view a = squared(sub(at(&x, i + 1), squared(at(&x, i))));

        total = add(total, mul(num(100), a));
        total = add(total, squared(sub(num(1), at(&x, i))));
    }
    output(total);
}

static void test_rosenbrock(void)
{
    const int64_t sizes[] = {30, 1000, 4000};

    for (int k = 0; k < 3; k++) {
        rosenbrock(sizes[k]);
        check_rolled(7, 0, 0, "Rosenbrock");
    }
}

/* sum of (a exp(-b t_i) + c - y_i)**2: constants become arrays, parameters are repeated. */
static void test_data_points(void)
{
    struct ad_view x, total = num(0);

    begin();
    x = input(3);
    for (int i = 0; i < 50; i++) {
        struct ad_view y = op1(AD_OP_exp, op1(AD_OP_neg, mul(at(&x, 1), num(0.1 * i))));

        y = sub(add(mul(at(&x, 0), y), at(&x, 2)), num(sin(i)));
        total = add(total, squared(y));
    }
    output(total);
    /* one t is 1, but its product is one of many */
    check_rolled(8, 0, 0, "data points");
}

/* Five points of a grid, each of whose inner points has an output. */
static void test_stencil(void)
{
    enum { ROWS = 12, COLS = 17 };
    struct ad_view u;

    begin();
    u = input(ROWS * COLS);
    for (int i = 1; i < ROWS - 1; i++)
        for (int j = 1; j < COLS - 1; j++) {
            int k = i * COLS + j;
            struct ad_view y = add(at(&u, k + 1), at(&u, k - 1));

            y = add(y, at(&u, k + COLS));
            y = add(y, at(&u, k - COLS));
            y = sub(y, mul(num(4), at(&u, k)));
            output(mul(y, squared(at(&u, k))));
        }
    check_rolled(7, 0, 0, "a stencil");
}

/* All products of the elements of two vectors, in two loops; and of pairs i < j. */
static void test_double_loops(void)
{
    struct ad_view x, y, total = num(0);

    begin();
    x = input(10);
    y = input(20);
    for (int i = 0; i < 10; i++)
        for (int j = 0; j < 20; j++)
            total = add(total, op1(AD_OP_sin, mul(at(&x, i), at(&y, j))));
    output(total);
    struct ad_program *p = passed(small, optimise, "two loops");

    CHECK(p->tape->n == 5 && n_lists(p) == 0, "%d instructions", p->tape->n);
    ad_program_free(p);
    ad_program_free(small);

    begin();
    x = input(20);
    total = num(0);
    for (int i = 0; i < 20; i++)
        for (int j = i + 1; j < 20; j++)
            total = add(total, op1(AD_OP_sqrt, add(num(1), squared(sub(at(&x, i), at(&x, j))))));
    output(total);
    check_rolled(5, 0, 2, "pairs");
}

/* Chains side by side become a chain of vectors; one alone stays. */
static void test_chains(void)
{
    struct ad_view x, y[16];

    for (int n = 16; n > 0; n -= 15) {
        begin();
        x = input(n);
        for (int k = 0; k < n; k++)
            y[k] = at(&x, k);
        for (int step = 0; step < 20; step++)
            for (int k = 0; k < n; k++)
                y[k] = add(y[k], mul(num(0.1), op1(AD_OP_sin, y[k])));
        for (int k = 0; k < n; k++)
            output(y[k]);
        check_rolled(n == 16 ? 60 : 0, n == 16 ? 0 : 60, 0, "chains");
    }
}

/* Two patterns with the same op and operands from the same vector, in turns: one instruction. */
static void test_turns(void)
{
    struct ad_view x;

    begin();
    x = input(40);
    for (int i = 0; i < 38; i++) {
        output(op1(AD_OP_exp, sub(at(&x, i + 1), at(&x, i))));
        output(op1(AD_OP_cos, sub(at(&x, i + 2), at(&x, i))));
    }
    check_rolled(3, 0, 0, "in turns");

    /* ... and one of them with exceptions, so that no loop has both */
    begin();
    x = input(400);
    for (int i = 0; i < 380; i++) {
        output(op1(AD_OP_exp, sub(at(&x, i + 1), at(&x, i))));
        if (i % 7 != 3)
            output(op1(AD_OP_cos, sub(at(&x, i + 20), at(&x, i))));
    }
    struct ad_program *p = passed(small, optimise, "in turns");

    check_small(small, p, 0);
    CHECK(n_scalar(p) == 0, "%d scalars", n_scalar(p));
    ad_program_free(p);
    ad_program_free(small);
}

/* Time steps on a grid between fixed ends, one a variable and one a constant, or on a ring: the neighbours of the
 * outermost points come from elsewhere, and are put beside the others. */
static void test_boundaries(void)
{
    enum { N = 40, STEPS = 6 };

    for (int ring = 0; ring < 2; ring++) {
        struct ad_view x, u[N + 2];

        begin();
        x = input(N + 1);
        for (int i = 0; i < N; i++)
            u[i + 1] = at(&x, i);
        for (int step = 0; step < STEPS; step++) {
            struct ad_view next[N + 2];

            u[0] = ring ? u[N] : at(&x, N);
            u[N + 1] = ring ? u[1] : num(0.75);
            for (int i = 1; i <= N; i++)
                next[i] =
                    add(u[i], mul(num(0.1), add(sub(u[i + 1], u[i - 1]), op1(AD_OP_sin, u[i]))));
            memcpy(u + 1, next + 1, N * sizeof *u);
        }
        for (int i = 1; i <= N; i++)
            output(u[i]);
        /* five ops and two operands put together in each step; on the ring, where in the first step the inputs
         * are both ends of one vector, too */
        check_rolled(7 * STEPS, 0, 0, ring ? "a ring" : "fixed ends");
    }
}

/* Terms that are sums of a few: the first is one like the others. */
static void test_short_sums(void)
{
    struct ad_view x;

    for (int zero = 0; zero < 2; zero++) {
        struct ad_view total = num(0);

        begin();
        x = input(80);
        for (int i = 0; i < 40; i++) {
            struct ad_view e = add(squared(at(&x, 2 * i)), op1(AD_OP_sin, at(&x, 2 * i + 1)));

            total = i || zero ? add(total, e) : e;
        }
        output(total);
        /* square, sin, add, and the sum; two terms are at a level of their own if there is no 0 */
        check_rolled(4, 0, 0, "short sums");
    }
}

/* ---- random loops ---- */

enum { LONGEST = 60, BODY = 7 };

/* An index that a loop might use at i, within n. */
static int loop_index(int way, int i, int n, struct rng *rng)
{
    switch (way) {
    case 0:
        return i;
    case 1:
        return (i + 1) % n;
    case 2:
        return AD_MAX(i - 2, 0);
    case 3:
        return n - 1 - i;
    case 4:
        return 2 * i % n;
    case 5:
        return i / 3;
    case 6:
        return i % 4 % n;
    case 7:
        return 0;
    default:
        return (int)rng_int(rng, 0, n - 1);
    }
}

/* A loop, or several, of a few statements; each reads the input, what statements before it have made, or what
 * it made itself the time before, at some index.  Some numbers are kept, some are added up. */
static void random_loops(struct rng *rng)
{
    static const enum ad_op ops[] = {AD_OP_add, AD_OP_sub, AD_OP_mul,  AD_OP_add,  AD_OP_sin,
                                     AD_OP_neg, AD_OP_div, AD_OP_powi, AD_OP_where};
    static struct ad_view made[BODY][LONGEST];
    struct ad_view x, total = num(0);
    int n = (int)rng_int(rng, 2, LONGEST), n_body = (int)rng_int(rng, 1, BODY), n_inner;

    begin();
    x = input(LONGEST);
    n_inner = rng_int(rng, 0, 2) ? 1 : (int)rng_int(rng, 2, 5);
    for (int b = 0; b < n_body; b++)
        for (int i = 0; i < n; i++)
            made[b][i] = num(0.5 * b);
    int op[BODY], source[BODY][2], way[BODY][2], kept[BODY], odd[BODY];

    for (int b = 0; b < n_body; b++) {
        op[b] = (int)rng_int(rng, 0, 8);
        kept[b] = (int)rng_int(rng, 0, 4);
        odd[b] = rng_int(rng, 0, 3) ? -1 : (int)rng_int(rng, 0, n - 1);
        for (int k = 0; k < 2; k++) {
            source[b][k] = (int)rng_int(rng, -3, b);
            way[b][k] = rng_int(rng, 0, 1) ? 0 : (int)rng_int(rng, 0, 8);
        }
        check_note("%s %d[%d] %d[%d]%s%s\n", ad_ops[ops[op[b]]].name, source[b][0], way[b][0],
                   source[b][1], way[b][1],
                   kept[b] == 1   ? " kept"
                   : kept[b] == 2 ? " added"
                                  : "",
                   odd[b] < 0 ? "" : " but once");
    }
    for (int inner = 0; inner < n_inner; inner++)
        for (int i = 0; i < n; i++)
            for (int b = 0; b < n_body; b++) {
                struct ad_view args[2], y;

                if (odd[b] == i)
                    continue;
                for (int k = 0; k < 2; k++) {
                    int from = source[b][k], j = loop_index(way[b][k], i, n, rng);

                    args[k] = from == -3   ? num(0.25 * (double)(i % 5))
                              : from == -2 ? num(3)
                              : from == -1 ? at(&x, j)
                                           : made[from][j];
                }
                y = op3(ops[op[b]], 2, args[0], args[1], num(1));
                made[b][i] = y;
                if (kept[b] == 1 && y.place != AD_NUMBER && small->n_outputs < 300)
                    output(y);
                if (kept[b] == 2)
                    total = add(total, y);
            }
    for (int i = 0; i < n; i++)
        output(made[n_body - 1][i]);
    output(total);
}

static void test_random_loops(void)
{
    int64_t rolled = 0, lists = 0;

    for (uint64_t seed = 0; seed < 700; seed++) {
        struct rng rng = {seed};
        struct ad_pass_report report;
        struct ad_program *exact, *all;
        struct results a, b;
        int failed;

        random_loops(&rng);
        check_note("seed %" PRIu64 "\n", seed);
        CHECK(ad_optimise(small, false, &exact, &report) == AD_OK, "optimise");
        CHECK(ad_optimise(small, true, &all, NULL) == AD_OK, "optimise");
        rolled += report.reroll.rolled;
        lists += report.reroll.lists;
        a = results_of(small);
        b = results_of(small);
        for (int trial = 0; trial < 3; trial++) {
            double x[LONGEST];

            for (int i = 0; i < LONGEST; i++)
                x[i] = trial == 0 ? rng_uniform(&rng, 0.5, 1.5) : odd_number(&rng);
            replay(small, x, &a, &failed);
            replay(exact, x, &b, &failed);
            check_same_results(&b, &a, "exactly");
            if (trial > 0)
                continue;
            replay(all, x, &b, &failed);
            for (int64_t j = 0; j < a.size; j++)
                CHECK(close_to(b.data[j], a.data[j], 1e3 * fabs(a.data[j])) ||
                          fabs(a.data[j]) > 1e6,
                      "result %" PRId64 " is %.17g, not %.17g", j, b.data[j], a.data[j]);
        }
        check_views(all);
        ad_program_free(all);

        /* nothing depends on values but those of constants */
        small->tape->symbolic = true;
        for (int32_t slot = 0; slot < small->tape->n_slots; slot++)
            small->tape->value[slot] = NAN;
        CHECK(ad_optimise(small, false, &all, NULL) == AD_OK, "optimise");
        CHECK(all->tape->symbolic && all->tape->n == exact->tape->n, "a symbolic program differs");
        all->tape->symbolic = false;
        double x[LONGEST];

        for (int i = 0; i < LONGEST; i++)
            x[i] = 0.5 + 0.01 * i;
        replay(exact, x, &a, &failed);
        replay(all, x, &b, &failed);
        check_same_results(&b, &a, "of symbols");
        results_free(&a);
        results_free(&b);
        ad_program_free(exact);
        ad_program_free(all);
        ad_program_free(small);
    }
    CHECK(rolled > 10000 && lists > 100, "%" PRId64 " were rolled, with %" PRId64 " lists", rolled,
          lists);
}

/* Ops of three arguments are recorded as arrays of one element. */
static void test_ternary(void)
{
    struct ad_view x, total = num(0);

    begin();
    x = input(30);
    for (int i = 0; i < 30; i++) {
        struct ad_view y = op3(AD_OP_clip, 0, at(&x, i), num(-0.5), num(0.01 * i));

        total = add(total, op3(AD_OP_where, 0, op2(AD_OP_above, y, num(0)), y, num(0.25)));
    }
    output(total);
    check_rolled(4, 0, 0, "three arguments");
}

static int n_after(pass *do_pass)
{
    struct ad_program *p = passed(small, do_pass, "a pass"),
                      *lean = passed(p, ad_pass_dead, "dead code");
    int n = lean->tape->n - lean->n_inputs;

    check_small(small, lean, 0);
    ad_program_free(p);
    ad_program_free(lean);
    return n;
}

/* What ad_simplify.h says, one by one, on numbers and on vectors. */
static void test_identities(void)
{
    enum { X = -1 }; /* stands for the input */
    const struct {
        enum ad_op op;
        double p, a, b, c;
        int n; /* instructions that are left */
    } cases[] = {
        {AD_OP_mul, 0, X, 1, 0, 0},    {AD_OP_mul, 0, 1, X, 0, 0},    {AD_OP_mul, 0, -2, X, 0, 1},
        {AD_OP_mul, 0, X, 0, 0, 1},    {AD_OP_div, 0, X, 1, 0, 0},    {AD_OP_div, 0, 1, X, 0, 1},
        {AD_OP_sub, 0, X, 0, 0, 0},    {AD_OP_sub, 0, X, -0.0, 0, 1}, {AD_OP_add, 0, X, -0.0, 0, 0},
        {AD_OP_add, 0, -0.0, X, 0, 0}, {AD_OP_add, 0, X, 0, 0, 1},    {AD_OP_pow, 0, X, 1, 0, 0},
        {AD_OP_pow, 0, X, 0, 0, 0},    {AD_OP_pow, 0, X, 2, 0, 1},    {AD_OP_powi, 1, X, 0, 0, 0},
        {AD_OP_powi, 0, X, 0, 0, 0},   {AD_OP_powi, 3, X, 0, 0, 1},   {AD_OP_mul0, 0, 0, X, 0, 0},
        {AD_OP_mul0, 0, 1, X, 0, 0},   {AD_OP_mul0, 0, X, 1, 0, 1},   {AD_OP_mul00, 0, X, 0, 0, 0},
        {AD_OP_gate, 0, 0, X, 0, 0},   {AD_OP_gate, 0, 1, X, 0, 1},   {AD_OP_flow, 0, 1, X, 0, 0},
        {AD_OP_flow, 0, 0, X, 0, 1},   {AD_OP_div0, 0, 0, X, 0, 0},   {AD_OP_where, 0, 2, X, 3, 0},
        {AD_OP_where, 0, 0, X, 3, 0},  {AD_OP_where, 0, 0, 3, X, 0},  {AD_OP_where, 0, X, 3, 2, 1},
    };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (int vector = 0; vector < 2; vector++) {
            struct ad_view x, args[3];
            double number[3] = {cases[k].a, cases[k].b, cases[k].c};

            begin();
            check_note("%s, case %d", ad_ops[cases[k].op].name, (int)k);
            x = input(9);
            if (!vector)
                x = at(&x, 4);
            for (int j = 0; j < 3; j++)
                args[j] = number[j] == X ? x : num(number[j]);
            x = op3(cases[k].op, cases[k].p, args[0], args[1], args[2]);
            output(x);
            CHECK(n_after(ad_pass_identities) == cases[k].n, "%d are left, not %d",
                  n_after(ad_pass_identities), cases[k].n);
            ad_program_free(small);
        }
    for (int vector = 0; vector < 2; vector++) {
        struct ad_view x, y;

        begin();
        x = input(9);
        y = vector ? ad_view_slots(x.base, 1, (int64_t[]){4}) : at(&x, 1);
        x = vector ? ad_view_slots(x.base + 4, 1, (int64_t[]){4}) : at(&x, 2);
        output(op1(AD_OP_neg, op1(AD_OP_neg, x))); /* x */
        output(add(y, op1(AD_OP_neg, x)));         /* y - x */
        output(add(op1(AD_OP_neg, x), y));         /* y - x */
        output(sub(y, op1(AD_OP_neg, x)));         /* y + x */
        output(mul(num(-1), x));                   /* -x */
        output(op2(AD_OP_div, x, num(8)));         /* x * 0.125 */
        output(squared(x));                        /* square */
        CHECK(n_after(ad_pass_identities) == 6, "%d are left", n_after(ad_pass_identities));
        ad_program_free(small);
    }
}

static void test_constants(void)
{
    struct ad_view x, two, big;
    double values[6] = {1, 2, 3, 4, 5, 6};
    int64_t n = 6, many = 100000;
    struct ad_program *p;

    begin();
    x = input(6);
    two = ad_view_slots(0, 1, &n);
    two.place = AD_ARRAY;
    two.in.array = ad_array_copy(values, n);
    big = op1(AD_OP_exp, mul(two, num(3)));
    output(mul(x, big));
    output(mul(at(&x, 0), op2(AD_OP_pow, at(&big, 3), num(0.5))));
    CHECK(n_after(ad_pass_constants) == 2, "%d are left", n_after(ad_pass_constants));
    ad_view_drop(&two);
    ad_program_free(small);

    /* a number that fills a large array is not made one */
    begin();
    x = input(6);
    two = num(3);
    ad_view_broadcast(&two, 1, &many);
    output(mul(at(&x, 0), op1(AD_OP_exp, two)));
    CHECK(n_after(ad_pass_constants) == 2, "%d are left", n_after(ad_pass_constants));
    ad_program_free(small);

    begin();
    x = input(6);
    for (int i = 0; i < 6; i++)
        output(mul(num(7), at(&x, i)));
    p = passed(small, ad_pass_constants, "constants");
    CHECK(p->tape->n_consts == 1, "%d constants", p->tape->n_consts);
    ad_program_free(p);
    ad_program_free(small);
}

static void test_common(void)
{
    struct ad_view x, y;

    for (int vector = 0; vector < 2; vector++) {
        begin();
        x = input(6);
        y = vector ? ad_view_slots(x.base, 1, (int64_t[]){3}) : at(&x, 1);
        x = vector ? ad_view_slots(x.base + 3, 1, (int64_t[]){3}) : at(&x, 2);
        output(op1(AD_OP_sin, mul(x, y)));
        output(op1(AD_OP_sin, mul(y, x)));
        output(sub(x, y));
        output(sub(y, x));
        output(op3(AD_OP_powi, 3, x, x, x));
        output(op3(AD_OP_powi, 3, x, x, x));
        output(op3(AD_OP_powi, 4, x, x, x));
        CHECK(n_after(ad_pass_common) == 6, "%d are left", n_after(ad_pass_common));
        ad_program_free(small);
    }
}

/* A copy, and the parts of what was put side by side, are read where they come from. */
static void test_copies(void)
{
    struct ad_view x, y, both, parts[4];

    begin();
    x = input(12);
    CHECK(ad_record_copy(small->tape, &x, &y) == AD_OK, "copy");
    output(op1(AD_OP_sin, y));
    parts[0] = ad_view_slots(x.base, 1, (int64_t[]){4});
    parts[1] = ad_view_slots(x.base + 8, 1, (int64_t[]){4});
    parts[2] = ad_view_slots(0, 1, (int64_t[]){4});
    parts[3] = ad_view_slots(4, 1, (int64_t[]){4});
    parts[2].place = parts[3].place = AD_OWN;
    CHECK(ad_record_addto(small->tape, 8, 2, parts, parts + 2, &both) == AD_OK, "side by side");
    output(op1(AD_OP_cos, ad_view_slots(both.base + 4, 1, (int64_t[]){4})));
    output(op1(AD_OP_exp, at(&both, 1)));
    CHECK(n_after(ad_pass_identities) == 3, "%d are left", n_after(ad_pass_identities));
    output(op1(AD_OP_tan, both)); /* this reads both parts at once */
    CHECK(n_after(ad_pass_identities) == 5, "%d are left", n_after(ad_pass_identities));
    ad_program_free(small);
}

/* Which chains become sums, and of how many terms. */
static void test_sums(void)
{
    struct ad_view x, total, inner, views[2];
    struct ad_program *p;

    for (int n = 6; n < 10; n++) { /* terms, after a 0 */
        begin();
        x = input(12);
        total = num(0);
        for (int i = 0; i < n; i++)
            total = i % 2 ? sub(total, at(&x, i)) : add(total, at(&x, i));
        output(total);
        p = passed(small, ad_pass_sums, "sums");
        CHECK(n_scalar(p) == (n == 6 ? 6 : n / 2), "%d scalars", n_scalar(p));
        check_small(small, p, 1e-14);
        ad_program_free(p);
        ad_program_free(small);
    }
    /* a partial sum that is seen is a sum of its own, and a long chain within a chain a part of it */
    begin();
    x = input(60);
    total = num(0);
    for (int i = 0; i < 20; i++)
        total = add(total, at(&x, i));
    output(total);
    for (int i = 20; i < 40; i += 10) {
        inner = at(&x, i);
        for (int j = 1; j < 10; j++)
            inner = add(inner, at(&x, i + j));
        total = add(total, inner);
    }
    for (int i = 40; i < 50; i++)
        total = add(total, at(&x, i));
    output(total);
    p = passed(small, ad_pass_sums, "sums");
    CHECK(p->tape->n == 3, "%d instructions", p->tape->n);
    ad_tape_views(p->tape, 2, views, 2);
    CHECK(ad_view_size(&views[0]) == 31, "%" PRId64 " terms", ad_view_size(&views[0]));
    check_small(small, p, 1e-14);
    ad_program_free(p);
    ad_program_free(small);

    /* the terms of a sum over a list, as runs */
    begin();
    x = input(100);
    total = num(0);
    for (int i = 0; i < 40; i++)
        total = add(add(total, at(&x, 39 - i)), at(&x, 50 + (i & 31) + (i & 7)));
    output(total);
    struct ad_program *sums = passed(small, ad_pass_sums, "sums");

    p = passed(sums, ad_pass_runs, "runs");
    CHECK(n_lists(sums) == 1, "%d lists", n_lists(sums));
    ad_tape_views(p->tape, 1, views, 2);
    CHECK(views[0].place == AD_SLOTS && views[0].shape[0] >= 40, "no run");
    check_small(small, p, 1e-13);
    ad_program_free(p);
    ad_program_free(sums);
    ad_program_free(small);
}

/* What is looked at grows as the program does. */
static void test_linear(void)
{
    struct ad_pass_report report;
    struct ad_program *p;
    int64_t steps[2];

    for (int k = 0; k < 2; k++) {
        int64_t n = k ? 8000 : 1000;

        rosenbrock(n);
        CHECK(ad_optimise(small, true, &p, &report) == AD_OK, "optimise");
        steps[k] = report.reroll.steps;
        CHECK(report.reroll.rolled == 6 * (n - 1), "%" PRId64 " rolled", report.reroll.rolled);
        CHECK(report.reroll.vectors == 6, "%" PRId64 " vectors", report.reroll.vectors);
        CHECK(report.passes[0].before.instructions == small->tape->n &&
                  report.passes[report.n_passes - 1].after.slots == p->tape->n_slots,
              "the report does not say how large the programs are");
        ad_program_free(p);
        ad_program_free(small);
    }
    CHECK(steps[1] < 9 * steps[0], "%" PRId64 " steps, %" PRId64 " before", steps[1], steps[0]);
}

/* Every scalar instruction is accounted for. */
static void test_report(void)
{
    struct ad_view x, y;
    struct ad_pass_report report;
    struct ad_program *p;

    begin();
    x = input(30);
    for (int i = 0; i < 30; i++)
        output(op1(AD_OP_sin, at(&x, i)));
    for (int i = 0; i < 3; i++)
        output(op1(AD_OP_cos, at(&x, i)));
    y = op1(AD_OP_tan, op1(AD_OP_sin, at(&x, 0)));
    for (int i = 0; i < 5; i++)
        y = op1(AD_OP_exp, y);
    output(y);
    CHECK(ad_optimise(small, true, &p, &report) == AD_OK, "optimise");
    CHECK(report.reroll.rolled == 30 && report.reroll.vectors == 1, "rolled");
    CHECK(report.reroll.left[AD_SCALAR_FEW] == 3, "few");
    CHECK(report.reroll.left[AD_SCALAR_SERIAL] == 6, "serial");
    CHECK(report.reroll.left[AD_SCALAR_NOTED] == 0, "noted");
    for (int k = 0; k < AD_N_SCALAR_REASONS; k++)
        CHECK(strlen(ad_scalar_reason_text((enum ad_scalar_reason)k)) > 0, "no text");
    ad_program_free(p);
    ad_program_free(small);
}

int main(void)
{
    const int64_t n_inputs[] = {1, 4, 12, 36, 150, 1100};
    long n_cases = 0;

    test_identities();
    test_constants();
    test_common();
    test_copies();
    test_sums();
    test_rosenbrock();
    test_data_points();
    test_stencil();
    test_double_loops();
    test_chains();
    test_turns();
    test_boundaries();
    test_short_sums();
    test_ternary();
    test_random_loops();
    test_linear();
    test_report();
    for (uint64_t seed = 0; seed < 200; seed++)
        run(seed, 5 + (int)(seed % 40), n_inputs[(seed + seed / 6) % 6], -1, -1);
    for (int k = 0; k < N_PASSES; k++)
        CHECK(n_saved[k] > 0, "%s did nothing", passes[k].name);
    for (uint64_t seed = 2000; seed < 2000 + 2 * N_PASSES; seed++)
        for (long n = 0;; n++, n_cases++) {
            long failed = n_failed;

            run(seed, 3 + (int)(seed % 16), seed % 2 ? 4 : 12, n, (int)(seed % N_PASSES));
            if (n_failed == failed)
                break;
        }
    printf("test_passes: ok, %ld with an allocation that fails\n", n_cases);
    return 0;
}

/* test_edge.c -- Hessians pushed edge by edge: closed forms, the hyper-dual cells of random programs, and
 * allocations that fail. */
#include "ad_edge.h"

#include "ad_edge_pool.h"
#include "program.h"

static struct program program; /* large */
static long n_compared, n_refused, n_all;

void counted_free(void *block); /* of what the core allocated */

struct hessian {
    int32_t n;
    double *gradient, *data;
    struct ad_pattern pattern;
};

static void hessian_free(struct hessian *h)
{
    free(h->gradient);
    counted_free(h->data);
    ad_pattern_free(&h->pattern);
}

static double entry(const struct hessian *h, int64_t r, int64_t c)
{
    for (int64_t k = h->pattern.start[r]; k < h->pattern.start[r + 1]; k++)
        if (h->pattern.column[k] == c)
            return h->data[k];
    return 0;
}

/* Columns ascend, nothing is 0, and the matrix is its own mirror image. */
static void check_form(const struct hessian *h)
{
    CHECK(h->pattern.n_rows == h->n && h->pattern.n_columns == h->n, "its shape");
    CHECK(h->pattern.start[0] == 0, "its start");
    for (int64_t r = 0; r < h->n; r++)
        for (int64_t k = h->pattern.start[r]; k < h->pattern.start[r + 1]; k++) {
            int32_t c = h->pattern.column[k];

            CHECK(c >= 0 && c < h->n, "column %d", c);
            CHECK(k == h->pattern.start[r] || c > h->pattern.column[k - 1], "order of columns");
            CHECK(h->data[k] != 0, "a zero at %d, %d", (int)r, c);
            CHECK(entry(h, c, r) == h->data[k], "not symmetric at %d, %d", (int)r, c);
        }
}

/* By the first n slots; an allocation may fail. */
static enum ad_status hessian_of(struct ad_tape *tape, const struct ad_view *output, int32_t n,
                                 struct hessian *h)
{
    long failed = n_failed;
    enum ad_status status;

    h->n = n;
    h->gradient = malloc(((size_t)n + 1) * sizeof *h->gradient);
    status = ad_edge_hessian(tape, output, 0, n, INT64_MAX, h->gradient, &h->pattern, &h->data);
    if (n_failed > failed && status) {
        CHECK(status == AD_NO_MEMORY, "%s without memory", ad_status_text(status));
        CHECK(!h->data && !h->pattern.start && !h->pattern.column, "what failed left something");
        status = ad_edge_hessian(tape, output, 0, n, INT64_MAX, h->gradient, &h->pattern, &h->data);
    }
    CHECK(tape->busy == 0, "the tape is still busy");
    CHECK(status == AD_OK || status == AD_NO_EDGES, "%s", ad_status_text(status));
    CHECK(status == AD_OK || (!h->data && !h->pattern.start), "a matrix that is none");
    if (!status)
        check_form(h);
    return status;
}

/* ---- random programs ---- */

/* The sum of a value's elements: its derivatives along the two directions, and along both. */
static void check_value(struct program *p, const struct value *value)
{
    const struct cell *x = p->value[0].cell;
    struct ad_view view = value->handle.tape ? ad_handle_get(&value->handle) : value->constant;
    double d1 = 0, d12 = 0, want_d1 = 0, want_d12 = 0, scale = 0;
    struct hessian h;

    n_all++;
    if (hessian_of(p->tape, &view, (int32_t)p->value[0].size, &h)) {
        n_refused++;
        hessian_free(&h);
        return;
    }
    for (int64_t j = 0; j < value->size; j++) {
        want_d1 += value->cell[j].d1;
        want_d12 += value->cell[j].d12;
        scale += fabs(value->cell[j].d12) + fabs(value->cell[j].d1);
    }
    for (int64_t r = 0; r < h.n; r++) {
        d1 += h.gradient[r] * x[r].d1;
        for (int64_t k = h.pattern.start[r]; k < h.pattern.start[r + 1]; k++) {
            d12 += h.data[k] * x[r].d1 * x[h.pattern.column[k]].d2;
            scale += fabs(h.data[k]);
        }
        scale += fabs(h.gradient[r]);
    }
    if (isfinite(want_d1) && isfinite(want_d12) && isfinite(scale)) {
        CHECK(close_to(d1, want_d1, scale), "slope %.17g, not %.17g", d1, want_d1);
        CHECK(close_to(d12, want_d12, scale), "curvature %.17g, not %.17g", d12, want_d12);
        n_compared++;
    }
    hessian_free(&h);
}

static void run(uint64_t seed, int n_steps, int64_t n_inputs, long fail)
{
    program_make(&program, seed, n_steps, n_inputs);
    fail_in = fail;
    for (int v = 1; v < program.n; v++)
        if (program.value[v].alive) {
            check_note("Hessian of v%d\n", v);
            check_value(&program, &program.value[v]);
        }
    fail_in = -1;
    program_end(&program);
    CHECK(n_live == 0, "%ld blocks are left", n_live);
}

/* ---- closed forms ---- */

static void ok(enum ad_status status)
{
    CHECK(status == AD_OK, "%s", ad_status_text(status));
}

static struct ad_tape *tape_of(int64_t n, const double *x, struct ad_view *input)
{
    struct ad_tape *tape = ad_tape_new();

    CHECK(tape != NULL, "no tape");
    ok(ad_tape_grow(tape, 1 << 17, 1 << 17, 16,
                    0)); /* there are no handles: nothing may be squeezed out */
    ok(ad_record_input(tape, n, x));
    *input = ad_view_slots(0, 1, &n);
    return tape;
}

static int32_t scalar(struct ad_tape *tape, enum ad_op op, int32_t a, int32_t b)
{
    double value =
        ad_op_value(op, ad_ops[op].family ? tape->value[b] : 0, tape->value[a], tape->value[b], 0);

    return tape->dst[ad_tape_push(tape, op, a, b, value)];
}

static void end(struct ad_tape *tape)
{
    ad_tape_cut(tape, 0, 0);
    ad_tape_free(tape);
}

static void check_entry(const struct hessian *h, int r, int c, double want)
{
    CHECK(close_to(entry(h, r, c), want, fabs(want)), "[%d, %d] is %.17g, not %.17g", r, c,
          entry(h, r, c), want);
}

/* x0 * x0 * x1 + x1 / x2, with an operand that occurs twice, and an input that is alone. */
static void test_scalars(void)
{
    const double x[4] = {1.5, -0.5, 2.0, 7.0};
    struct ad_view input, output;
    struct ad_tape *tape = tape_of(4, x, &input);
    struct hessian h;
    int32_t s = scalar(tape, AD_OP_mul, 0, 0), y;

    check_clear();
    s = scalar(tape, AD_OP_mul, s, 1);
    y = scalar(tape, AD_OP_add, s, scalar(tape, AD_OP_div, 1, 2));
    output = ad_view_slots(y, 0, NULL);
    CHECK(hessian_of(tape, &output, 4, &h) == AD_OK, "not pushed");
    check_entry(&h, 0, 0, 2 * x[1]);
    check_entry(&h, 0, 1, 2 * x[0]);
    check_entry(&h, 1, 2, -1 / (x[2] * x[2]));
    check_entry(&h, 2, 2, 2 * x[1] / (x[2] * x[2] * x[2]));
    CHECK(h.pattern.start[4] == 6, "%d entries", (int)h.pattern.start[4]);
    CHECK(h.gradient[0] == 2 * x[0] * x[1] && h.gradient[3] == 0, "the gradient");
    hessian_free(&h);
    end(tape);
}

/* A weight that leaves the range of doubles on its way, though the second derivative is 2, is refused; one that
 * does not is pushed. */
static void test_ranges(void)
{
    static const double factors[3][2] = {{1e-200, 1e200}, {1e200, 1e-200}, {1e-100, 1e100}};
    const double x[1] = {3};
    struct hessian h;

    check_clear();
    for (int k = 0; k < 3; k++) {
        struct ad_view input, output;
        struct ad_tape *tape = tape_of(1, x, &input);
        int32_t y = scalar(tape, AD_OP_mul, 0, ad_tape_const(tape, factors[k][0]));

        y = scalar(tape, AD_OP_mul, y, ad_tape_const(tape, factors[k][1]));
        y = scalar(tape, AD_OP_mul, y, y);
        output = ad_view_slots(y, 0, NULL);
        CHECK(hessian_of(tape, &output, 1, &h) == (k < 2 ? AD_NO_EDGES : AD_OK), "case %d", k);
        if (k == 2)
            check_entry(&h, 0, 0, 2);
        hessian_free(&h);
        end(tape);
    }
}

/* A slot that very many products share: its list is put together again and again, and stays short. */
static void test_shared(void)
{
    enum { N = 150, TURNS = 400 };
    double x[N];
    struct ad_view input, output;
    struct ad_tape *tape;
    struct hessian h;
    int32_t y = -1;

    for (int i = 0; i < N; i++)
        x[i] = 0.1 * i + 1;
    tape = tape_of(N, x, &input);
    check_clear();
    for (int turn = 0; turn < TURNS; turn++)
        for (int i = 0; i < N - 1; i++) {
            int32_t s = scalar(tape, AD_OP_mul, i, N - 1);

            y = y < 0 ? s : scalar(tape, AD_OP_add, y, s);
        }
    output = ad_view_slots(y, 0, NULL);
    CHECK(hessian_of(tape, &output, N, &h) == AD_OK, "not pushed");
    CHECK(h.pattern.start[N] == 2 * (N - 1), "%d entries", (int)h.pattern.start[N]);
    for (int i = 0; i < N - 1; i++)
        check_entry(&h, i, N - 1, TURNS);
    hessian_free(&h);
    end(tape);
}

/* An edge whose weights cancel is none, and what none of the variables reaches has no entries. */
static void test_cancelled(void)
{
    const double x[2] = {2, 3};
    struct ad_view input, output;
    struct ad_tape *tape = tape_of(2, x, &input);
    struct hessian h;
    int32_t y =
        scalar(tape, AD_OP_sub, scalar(tape, AD_OP_mul, 0, 1), scalar(tape, AD_OP_mul, 1, 0));

    check_clear();
    output = ad_view_slots(y, 0, NULL);
    CHECK(hessian_of(tape, &output, 2, &h) == AD_OK, "not pushed");
    CHECK(h.pattern.start[2] == 0, "%d entries", (int)h.pattern.start[2]);
    hessian_free(&h);
    output = ad_view_number(1);
    CHECK(hessian_of(tape, &output, 2, &h) == AD_OK, "not pushed");
    CHECK(h.pattern.start[2] == 0 && h.gradient[0] == 0, "a constant");
    hessian_free(&h);
    end(tape);
}

static void test_cost(void)
{
    const double x[2] = {2, 3};
    struct ad_view input, output;
    struct ad_tape *tape = tape_of(2, x, &input);
    struct ad_edge_cost cost;
    int32_t y = scalar(tape, AD_OP_add, scalar(tape, AD_OP_mul, 0, 1), 0);

    output = ad_view_slots(y, 0, NULL);
    cost = ad_edge_cost_of(tape, &output, 0);
    CHECK(cost.slots == 2 && cost.curved == 1 && cost.operands == 4 && cost.known, "scalars");
    ok(ad_record_along(tape, AD_NORM, &input, 0, &output));
    cost = ad_edge_cost_of(tape, &output, 0);
    CHECK(cost.slots == 3 && cost.curved == 2 && cost.operands == 6 && cost.known, "a norm");
    end(tape);
}

int main(int argc, char **argv)
{
    const int64_t n_inputs[] = {1, 4, 12, 36, 150, 1100};
    long n_cases = 0;

    if (program_named(argc, argv, run))
        return 0;
    test_scalars();
    test_ranges();
    test_shared();
    test_cancelled();
    test_cost();
    for (uint64_t seed = 0; seed < 200; seed++)
        run(seed, 3 + (int)(seed % 24), n_inputs[(seed + seed / 6) % 6], -1);
    CHECK(n_refused < n_all / 2 && n_compared > n_all / 3, "%ld of %ld refused, %ld compared",
          n_refused, n_all, n_compared);
    for (uint64_t seed = 2000; seed < 2020; seed++)
        for (long n = 0;; n += 1 + n / 40, n_cases++) { /* fewer where there are many */
            long failed = n_failed;

            run(seed, 3 + (int)(seed % 16), seed % 2 ? 4 : 7, n);
            if (n_failed == failed)
                break;
        }
    printf("test_edge: ok, %ld Hessians, %ld of %ld refused, %ld with an allocation that fails\n",
           n_compared, n_refused, n_all, n_cases);
    return 0;
}

/* test_push.c -- sparse Hessians by recorded edges: closed forms, dense Hessians of random programs, and allocations
 * that fail; and the order in which parts of a sum are added up. */
#include "ad_depend.h"
#include "ad_frame.h"
#include "ad_jacobian.h"
#include "ad_overlap.h"
#include "ad_run.h"
#include "building.h"
#include "frozen.h"

static struct program program; /* large */
static long n_compared, n_refused, n_doubted;

/* Once more if the allocation that was to fail did. */
#define MAKE(call)                                                                                 \
    do {                                                                                           \
        long make_failed = n_failed;                                                               \
        enum ad_status make_status = call;                                                         \
                                                                                                   \
        if (n_failed > make_failed && make_status) {                                               \
            CHECK(make_status == AD_NO_MEMORY, "%s", ad_status_text(make_status));                 \
            make_status = call;                                                                    \
        }                                                                                          \
        status = make_status;                                                                      \
    } while (0)

/* The program of the sum of all elements of output k. */
static enum ad_status sum_of_output(const struct ad_program *from, int k, struct ad_program **to)
{
    struct ad_rewrite r;
    struct ad_view output, total = ad_view_number(0);
    enum ad_status status = ad_rewrite_begin(&r, from);

    for (int32_t i = from->n_inputs; i < from->tape->n && !status; i++)
        status = ad_rewrite_copy(&r, i);
    if (!status) {
        status = ad_rewrite_view(&r, &from->outputs[k], &output);
        if (!status) {
            status = ad_record_sum(r.to->tape, &output, (1u << output.ndim) - 1, &total);
            ad_view_drop(&output);
        }
    }
    status = ad_rewrite_end(&r, status, to);
    if (status)
        return status;
    return only_output(to, total.base);
}

/* What ad_run() makes of a program: the same bits as a replay. */
static void check_run(const struct ad_program *made, const double *x, const struct results *want,
                      int want_failed)
{
    struct results got = results_of(made);
    struct ad_plan *plan = NULL;
    struct ad_frame *frame;
    enum ad_status status;
    int failed;

    MAKE(ad_plan_new(made, &plan));
    ok(status);
    frame = ad_frame_new(plan);
    if (!frame)
        frame = ad_frame_new(plan);
    CHECK(frame != NULL, "no frame");
    ok(ad_run(plan, frame, &x, got.output, &failed));
    CHECK(failed == want_failed, "guard %d, not %d", failed, want_failed);
    check_same_results(&got, want, "run and replay");
    ad_frame_free(frame);
    ad_plan_free(plan);
    results_free(&got);
}

static double *dense_hessian(struct ad_program *one, const double *x, struct results *dense)
{
    const int wanted[1] = {0};
    struct ad_program *hessian = NULL;
    enum ad_status status;
    int failed;

    MAKE(ad_derive_hessian(one, 1, wanted, false, &hessian));
    ok(status);
    *dense = results_of(hessian);
    hessian->tape->symbolic = false;
    replay(hessian, x, dense, &failed);
    ad_program_free(hessian);
    return dense->data;
}

/* By edges, if they may be had, against all columns. */
static void check_hessian(struct ad_program *one, const double *x, bool keep)
{
    const int wanted[1] = {0};
    struct ad_depend_question question = {
        .program = one, .n_wanted = 1, .wanted = wanted, .n_outputs = 1, .most = INT32_MAX};
    struct ad_pattern pattern = {0, 0, NULL, NULL};
    struct ad_pushed pushed;
    struct ad_program *made = NULL;
    struct results got, dense;
    bool known;
    int failed;
    int64_t n = ad_view_size(&one->inputs[0]), skip = keep ? 1 + n : 0;
    double scale = 1;
    enum ad_status status;

    MAKE(ad_depend_hessian(&question, &known, &pattern));
    ok(status);
    MAKE(ad_derive_pushed_hessian(one, 1, wanted, keep, &pattern, &made, &pushed));
    CHECK(status == AD_OK || status == AD_NO_EDGES, "%s", ad_status_text(status));
    CHECK((status == AD_OK) == (made != NULL), "a program that is none");
    if (status) {
        n_refused++;
        ad_pattern_free(&pattern);
        return;
    }
    CHECK(made->n_guards == one->n_guards + pushed.guarded, "%d guards", made->n_guards);
    got = results_of(made);
    CHECK(got.size == skip + pattern.start[n], "%d results", (int)got.size);
    made->tape->symbolic = false;
    replay(made, x, &got, &failed);
    check_run(made, x, &got, failed);
    CHECK(failed < 0 || (pushed.guarded && failed == made->n_guards - 1), "guard %d", failed);
    n_doubted += failed >= 0;
    dense_hessian(one, x, &dense);
    for (int64_t k = 0; k < n * n; k++)
        scale = fabs(dense.data[k]) > scale ? fabs(dense.data[k]) : scale;
    for (int64_t r = 0; r < n && failed < 0; r++) {
        int64_t k = pattern.start[r];

        for (int64_t c = 0; c < n; c++) {
            double want = dense.data[r * n + c], is = 0;

            if (k < pattern.start[r + 1] && pattern.column[k] == c)
                is = got.data[skip + k++];
            CHECK(close_to(is, want, scale), "[%d, %d] is %.17g, not %.17g", (int)r, (int)c, is,
                  want);
            n_compared++;
        }
    }
    results_free(&dense);
    results_free(&got);
    ad_program_free(made);
    ad_pattern_free(&pattern);
}

static void run(uint64_t seed, int n_steps, int64_t n_inputs, long fail)
{
    struct ad_program *first;
    double *x;
    enum ad_status status;

    program_make(&program, seed, n_steps, n_inputs);
    fail_in = fail;
    first = frozen(&program);
    x = recorded_inputs(&program);
    for (int k = 1; k < first->n_outputs; k += 2) {
        struct ad_program *one = NULL;

        check_note("Hessian of output %d\n", k);
        MAKE(sum_of_output(first, k, &one));
        ok(status);
        check_hessian(one, x, k % 4 == 1);
        ad_program_free(one);
    }
    fail_in = -1;
    free(x);
    ad_program_free(first);
    program_end(&program);
    CHECK(n_live == 0, "%ld blocks are left", n_live);
}

/* ---- closed forms ---- */

/* The Hessian of the sum of 'a', whose entries are few edges; the caller's to free. */
static struct ad_program *hessian_of(struct ad_program *p, struct ad_view a, int64_t edges,
                                     struct ad_pattern *pattern)
{
    const int wanted[1] = {0};
    struct ad_program *made = NULL;
    struct ad_view total = sum(p, a);
    struct ad_pushed pushed;

    ok(ad_program_add_output(p, &total));
    ok(ad_derive_sparse_hessian(p, 1, wanted, false, pattern, &made, &pushed));
    CHECK(pushed.edges == edges, "%d edges, not %d", (int)pushed.edges, (int)edges);
    CHECK(edges == 0 || pushed.cost[0] <= pushed.cost[1], "costs %g and %g", pushed.cost[0],
          pushed.cost[1]);
    return made;
}

/* sum(x[1:] * x[:-1] ** 2): two diagonals are two edges, whatever their length. */
static void test_bands(void)
{
    enum { N = 40000 };
    double *x = malloc(N * sizeof *x), *entries, *outputs[1];
    const double *inputs[1] = {x};
    int64_t n = N;
    struct ad_program *p = ad_program_new(), *made;
    struct ad_view head, tail;
    struct ad_pattern pattern;
    struct ad_plan *plan;
    struct ad_frame *frame;
    int failed;

    for (int i = 0; i < N; i++)
        x[i] = 0.001 * (i % 1000) - 0.3;
    ok(ad_program_add_input(p, 1, &n, x));
    head = slice(p->inputs[0], 0, N - 1);
    tail = slice(p->inputs[0], 1, N - 1);
    made = hessian_of(p, op(p, AD_OP_mul, tail, op(p, AD_OP_square, head, head)), 2, &pattern);
    entries = malloc((size_t)pattern.start[N] * sizeof *entries);
    outputs[0] = entries;
    ok(ad_plan_new(made, &plan));
    frame = ad_frame_new(plan);
    ok(ad_run(plan, frame, inputs, outputs, &failed));
    CHECK(failed == -1, "guard %d", failed);
    for (int64_t r = 0; r < N; r++)
        for (int64_t k = pattern.start[r]; k < pattern.start[r + 1]; k++) {
            int64_t c = pattern.column[k];
            double want = c == r ? (r < N - 1 ? 2 * x[r + 1] : 0) : 2 * x[c < r ? c : r];

            CHECK(fabs(entries[k] - want) <= 1e-14, "[%d, %d] is %.17g, not %.17g", (int)r, (int)c,
                  entries[k], want);
        }
    ad_frame_free(frame);
    ad_plan_free(plan);
    free(entries);
    free(x);
    ad_pattern_free(&pattern);
    ad_program_free(made);
    ad_program_free(p);
}

/* A square of a sum of many is no sum over elements: lanes are taken. */
static void test_refused(void)
{
    enum { N = 30 };
    double x[N] = {0};
    int64_t n = N;
    struct ad_program *p = ad_program_new(), *made;
    struct ad_view total;
    struct ad_pattern pattern;

    ok(ad_program_add_input(p, 1, &n, x));
    ok(ad_record_sum(p->tape, &p->inputs[0], 1, &total));
    made = hessian_of(p, op(p, AD_OP_square, total, total), 0, &pattern);
    CHECK(pattern.start[N] == N * N, "%d entries", (int)pattern.start[N]);
    ad_pattern_free(&pattern);
    ad_program_free(made);
    ad_program_free(p);
}

/* The root of a square at 0, where 0 meets infinity, is for the last guard. */
static void test_doubt(void)
{
    enum { N = 30 };
    double x[N], entries[N], *outputs[1] = {entries};
    const double *inputs[1] = {x};
    int64_t n = N;
    struct ad_program *p = ad_program_new(), *made;
    struct ad_view root;
    struct ad_pattern pattern;
    int failed;

    for (int i = 0; i < N; i++)
        x[i] = i + 1;
    ok(ad_program_add_input(p, 1, &n, x));
    root = op(p, AD_OP_sqrt, p->inputs[0], p->inputs[0]);
    made = hessian_of(p, op(p, AD_OP_square, root, root), 1, &pattern);
    ok(ad_program_settle(made));
    ok(ad_program_replay(made, inputs, outputs, &failed));
    CHECK(failed == -1, "guard %d", failed);
    for (int i = 0; i < N; i++)
        CHECK(fabs(entries[i]) < 1e-15, "%.17g", entries[i]);
    x[7] = 0;
    ok(ad_program_replay(made, inputs, outputs, &failed));
    CHECK(failed == made->n_guards - 1, "guard %d", failed);
    ad_pattern_free(&pattern);
    ad_program_free(made);
    ad_program_free(p);
}

/* Parts at stride 3, the second three results behind the first or before it. */
static void test_overlap(void)
{
    int64_t n = 20;
    struct ad_overlap overlap;
    struct ad_view to = ad_view_slots(3, 1, &n), behind = ad_view_slots(0, 1, &n),
                   ahead = ad_view_slots(6, 1, &n), apart = ad_view_slots(1, 1, &n);
    struct ad_view *views[4] = {&to, &behind, &ahead, &apart};

    for (int k = 0; k < 4; k++) {
        views[k]->place = AD_OWN;
        views[k]->stride[0] = 3;
    }
    CHECK(ad_overlap_begin(&overlap, 70), "no memory");
    ad_overlap_add(&overlap, &to);
    CHECK(ad_overlap_follows(&overlap, &behind), "behind");
    CHECK(!ad_overlap_follows(&overlap, &ahead), "ahead");
    CHECK(ad_overlap_follows(&overlap, &apart), "apart");
    ad_overlap_restart(&overlap);
    CHECK(ad_overlap_follows(&overlap, &ahead), "in another loop");
    ad_overlap_end(&overlap);
    fail_in = 0;
    CHECK(!ad_overlap_begin(&overlap, 70), "memory there was none");
    fail_in = -1;
    ad_overlap_end(&overlap);
}

/* Two ranges, one behind the other, and numbers added here and there, some of them to results of the next
 * tile: all in one loop, and the bits of one after the other. */
static void test_mixed_parts(void)
{
    enum { N = 2000, SIZE = N + 40 };
    const int64_t n = N, bases[2] = {3, 0};
    double x[3 * N];

    for (int i = 0; i < 3 * N; i++)
        x[i] = sin(i) * exp(cos(7 * i));
    for (int shift = -1; shift < 6; shift++) {
        int64_t n_inputs = 3 * N;
        struct ad_program *p = ad_program_new();
        struct ad_view from[3], to[3], result;
        struct results got;
        int failed;

        check_clear();
        check_note("shift %d\n", shift);
        ok(ad_program_add_input(p, 1, &n_inputs, x));
        for (int k = 0; k < 3; k++) {
            from[k] = slice(p->inputs[0], k * n, n);
            to[k] = ad_view_slots(k < 2 ? bases[k] : 0, 1, &n);
            to[k].place = AD_OWN;
        }
        to[2].place = AD_OWN_LIST;
        to[2].in.list = ad_list_new(NULL, n);
        for (int i = 0; i < N; i++) /* pairs change places */
            to[2].in.list->slot[i] = shift < 0 ? (i * 7) % SIZE : (i ^ 1) + shift;
        ok(ad_record_addto(p->tape, SIZE, 3, from, to, &result));
        ok(ad_program_add_output(p, &result));
        ad_list_drop(to[2].in.list);
        got = results_of(p);
        replay(p, x, &got, &failed);
        check_run(p, x, &got, -1);
        results_free(&got);
        ad_program_free(p);
    }
}

int main(int argc, char **argv)
{
    const int64_t n_inputs[] = {1, 4, 12, 36, 60};
    long n_cases = 0;

    if (program_named(argc, argv, run))
        return 0;
    test_bands();
    test_refused();
    test_doubt();
    test_overlap();
    test_mixed_parts();
    for (uint64_t seed = 0; seed < 120; seed++)
        run(seed, 3 + (int)(seed % 12), n_inputs[(seed + seed / 5) % 5], -1);
    CHECK(n_compared > 1000, "%ld compared, %ld refused", n_compared, n_refused);
    for (uint64_t seed = 2000; seed < 2006; seed++)
        for (long n = 0;; n += 1 + n / 30, n_cases++) { /* fewer where there are many */
            long failed = n_failed;

            run(seed, 3 + (int)(seed % 9), seed % 2 ? 4 : 7, n);
            if (n_failed == failed)
                break;
        }
    printf("test_push: ok, %ld entries, %ld refused, %ld doubted, %ld with an allocation that "
           "fails\n",
           n_compared, n_refused, n_doubted, n_cases);
    return 0;
}

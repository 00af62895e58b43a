/* test_run.c -- plans run as ad_program_replay() does, bit by bit. */
#include <pthread.h>

#include "ad_run.h"
#include "frozen.h"
#include "op_outputs.h"

static struct program program; /* large */
static long n_steps[AD_PLAN_CALL + 1], n_fused,
    n_moves[AD_MOVE_FILL + 1], /* seen, by their kinds */
    n_chains, n_shifted, n_in_place;

/* A plan and a frame, made in spite of an allocation that is to fail. */
static struct ad_plan *plan_of(const struct ad_program *p, struct ad_frame **frame)
{
    struct ad_plan *plan = NULL;
    enum ad_status status = ad_plan_new(p, &plan);

    if (status) {
        CHECK(status == AD_NO_MEMORY && !plan, "plan: %s", ad_status_text(status));
        status = ad_plan_new(p, &plan);
    }
    CHECK(status == AD_OK, "plan: %s", ad_status_text(status));
    *frame = ad_frame_new(plan);
    if (!*frame)
        *frame = ad_frame_new(plan);
    CHECK(*frame != NULL, "no frame");
    return plan;
}

static void count_move(const struct ad_move *move)
{
    bool op = move->kind == AD_MOVE_LOOP && move->y.space == AD_SPACE_FRAME && move->y.step;

    n_moves[move->kind]++;
    n_chains += move->chained > 0;
    n_shifted += move->chained > 0 && move->y.at > move[move->chained - 1].y.at;
    for (int v = 0; v < ad_ops[move->op].n_args && op; v++)
        n_in_place += move->x[v].space == AD_SPACE_FRAME && move->x[v].at == move->y.at;
}

static void count_steps(const struct ad_plan *plan)
{
    for (int64_t k = 0; k < plan->n_steps; k++) {
        const struct ad_plan_step *step = &plan->steps[k];

        n_steps[step->kind]++;
        n_fused += step->kind == AD_PLAN_GROUP && step->end - step->before > 1;
    }
    for (int64_t m = 0; m < plan->code.n_moves; m++)
        count_move(&plan->code.moves[m]);
}

static void check_outcomes(const struct ad_program *p, const struct ad_plan *plan,
                           const struct ad_frame *frame)
{
    for (int g = 0; g < p->n_guards; g++) {
        int64_t n = p->guards[g].n;
        double *seen = malloc(((size_t)n + 1) * sizeof *seen),
               *now = malloc(((size_t)n + 1) * sizeof *now);

        ad_view_read(&p->guards[g].view, p->tape->value, seen);
        ad_frame_outcome(plan, frame, g, now);
        for (int64_t j = 0; j < n; j++)
            CHECK(same_number(now[j], seen[j]), "guard %d saw %.17g, not %.17g", g, now[j],
                  seen[j]);
        free(seen);
        free(now);
    }
}

static void check_run(struct program *p)
{
    struct ad_program *first = frozen(p);
    double *x = recorded_inputs(p);
    struct results a, b;
    struct ad_frame *frame;
    struct ad_plan *plan;
    int failed, failed_run;
    const double *input = x;

    plan = plan_of(first, &frame);
    count_steps(plan);
    a = results_of(first);
    b = results_of(first);
    for (int round = 0; round < 3; round++) {
        replay(first, x, &a, &failed);
        CHECK(ad_run(plan, frame, &input, b.output, &failed_run) == AD_OK, "run");
        check_same_results(&b, &a, "run");
        CHECK(failed == failed_run, "guard %d fails, not %d", failed_run, failed);
        CHECK(round > 0 || failed < 0, "guard %d fails", failed);
        check_outcomes(first, plan, frame);
        for (int64_t i = 0; i < p->value[0].size && round < 2; i++)
            x[i] += 0.25 * (double)(i % (3 + round));
    }
    ad_program_free(first);
    /* the plan depends on the program no more */
    memset(b.data, 0, (size_t)b.size * sizeof *b.data);
    CHECK(ad_run(plan, frame, &input, b.output, &failed_run) == AD_OK, "run");
    check_same_results(&b, &a, "run without the program");
    ad_frame_free(frame);
    ad_plan_free(plan);
    results_free(&a);
    results_free(&b);
    free(x);
}

static void run(uint64_t seed, int length, int64_t n_inputs, long fail)
{
    program_make(&program, seed, length, n_inputs);
    fail_in = fail;
    check_run(&program);
    fail_in = -1;
    program_end(&program);
    CHECK(n_live == 0, "%ld blocks are left", n_live);
}

/* A program of one input of n numbers, run and replayed. */
static void compare(struct ad_program *p, double *x, int64_t n)
{
    struct results a = results_of(p), b = results_of(p);
    const double *input = x;
    struct ad_frame *frame;
    struct ad_plan *plan = plan_of(p, &frame);
    int failed;

    count_steps(plan);
    for (int64_t j = 0; j < n; j += 3)
        x[j] = 0.9 - 0.8 * x[j];
    replay(p, x, &a, &failed);
    CHECK(ad_run(plan, frame, &input, b.output, &failed) == AD_OK, "run");
    check_same_results(&b, &a, "run");
    ad_frame_free(frame);
    ad_plan_free(plan);
    ad_program_free(p);
    results_free(&a);
    results_free(&b);
}

/* ---- every op, over every kind of operand ---- */

static void check_op(enum ad_op op, struct rng *rng)
{
    static const int64_t shapes[][2] = {{0, 0},   {1, 0}, {5, 0},  {8, 0},   {9, 0},
                                        {700, 0}, {3, 5}, {4, 80}, {3, 600}, {70, 10}};
    enum { N = 5000 };
    struct ad_program *p = ad_program_new();
    double *numbers = malloc(N * sizeof *numbers), *x = malloc(N * sizeof *x);
    struct ad_array *array;

    check_clear();
    check_note("op %s\n", ad_ops[op].name);
    for (int j = 0; j < N; j++) {
        numbers[j] = rng_uniform(rng, 0.1, 0.9);
        x[j] = rng_int(rng, 0, 9) ? rng_uniform(rng, 0.1, 0.9) : 0;
    }
    array = ad_array_copy(numbers, N);
    CHECK(p && array && !ad_program_add_input(p, 1, &(int64_t){N}, x), "no program");
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        for (int round = 0; round < 8; round++)
            add_op_outputs(p, op, rng, shapes[k], 1000, array);
    compare(p, x, N);
    ad_array_drop(array);
    free(numbers);
    free(x);
    CHECK(n_live == 0, "%ld blocks are left", n_live);
}

/* What random programs have not: norms of rows that lie as they are, transposed, and listed; and
 * the columns of a matrix put side by side. */
static void test_others(void)
{
    double x[40];
    struct ad_program *p = ad_program_new();
    struct ad_view rows = ad_view_slots(0, 2, (int64_t[]){4, 10}), columns = rows, picked = rows,
                   norms;
    const int64_t positions[] = {3, 3, 17, 39, 0, 5};

    check_clear();
    for (int j = 0; j < 40; j++)
        x[j] = j % 7 - 3;
    CHECK(p && !ad_program_add_input(p, 1, &(int64_t){40}, x), "no program");
    columns.shape[0] = 10;
    columns.shape[1] = 4;
    columns.stride[0] = 1;
    columns.stride[1] = 10;
    CHECK(ad_view_pick(&picked, &p->tape->lists, positions, 6), "no list");
    for (int k = 0; k < 3; k++) {
        const struct ad_view *from = k == 0 ? &rows : k == 1 ? &columns : &picked;

        CHECK(!ad_record_along(p->tape, AD_NORM, from, 0, &norms), "norm");
        CHECK(!ad_program_add_output(p, &norms), "output");
    }
    ad_view_drop(&picked);
    for (int64_t n = 4; n <= 20; n += 16) {
        struct ad_view from[2], to[2], matrix;

        for (int k = 0; k < 2; k++) {
            from[k] = ad_view_slots(n * k, 1, &n);
            to[k] = ad_view_slots(k, 1, &n);
            to[k].stride[0] = 2;
            to[k].place = AD_OWN;
        }
        CHECK(!ad_record_addto(p->tape, 2 * n, 2, from, to, &matrix), "columns");
        CHECK(!ad_program_add_output(p, &matrix), "output");
    }
    compare(p, x, 40);
    CHECK(n_live == 0, "%ld blocks are left", n_live);
}

/* ---- sums of ranges that begin a few elements apart, and of what is computed in their group ---- */

static void check_ranges(struct rng *rng, int64_t n)
{
    enum { MOST = 8, APART = 12 };
    int64_t n_inputs = n + APART;
    struct ad_program *p = ad_program_new();
    double *x = malloc((size_t)n_inputs * sizeof *x);

    check_clear();
    check_note("ranges of %" PRId64 "\n", n);
    for (int64_t j = 0; j < n_inputs; j++)
        x[j] = rng_int(rng, 0, 5) ? rng_uniform(rng, -1, 1) : -0.0;
    CHECK(p && !ad_program_add_input(p, 1, &n_inputs, x), "no program");
    for (int round = 0; round < 12; round++) {
        struct ad_view pairs[2 * MOST], sum;
        int n_pairs = (int)rng_int(rng, 1, MOST);
        int64_t at = round % 3 ? rng_int(rng, 0, APART) : 0, size = n + APART;

        if (round % 3 == 0)
            size = n;
        for (int k = 0; k < n_pairs; k++) {
            struct ad_view *from = &pairs[2 * k], *to = from + 1;

            *from = ad_view_slots(rng_int(rng, 0, APART), 1, &n);
            if (rng_int(rng, 0, 4)) { /* else it is a part of the inputs */
                struct ad_view factor = ad_view_number(rng_uniform(rng, -1, 1)), product;
                const struct ad_view *args[AD_MAX_ARGS] = {from, &factor};

                CHECK(!ad_record_op(p->tape, AD_OP_mul, 0, args, &product), "mul");
                *from = product;
            }
            *to = ad_view_slots(at, 1, &n);
            to->place = AD_OWN;
            at = rng_int(rng, 0, 8) ? rng_int(rng, AD_MAX(at - 3, 0), at) : at;
        }
        CHECK(!ad_record_block(p->tape, AD_ADDTO, 0, 0, size, 2 * n_pairs, pairs), "sum");
        sum = ad_view_slots(p->tape->dst[p->tape->n - 1], 1, &size);
        CHECK(!ad_program_add_output(p, &sum), "output");
    }
    compare(p, x, n_inputs);
    free(x);
    CHECK(n_live == 0, "%ld blocks are left", n_live);
}

/* ---- two threads in one plan ---- */

struct runner {
    const struct ad_plan *plan;
    struct ad_frame *frame;
    const double *x;
    struct results results;
};

static void *run_often(void *argument)
{
    struct runner *runner = argument;
    int failed;

    for (int round = 0; round < 200; round++)
        if (ad_run(runner->plan, runner->frame, &runner->x, runner->results.output, &failed))
            return runner;
    return NULL;
}

static void test_threads(uint64_t seed)
{
    struct runner runner[2];
    struct ad_program *p;
    pthread_t thread[2];
    int64_t size;

    program_make(&program, seed, 30, 700);
    p = frozen(&program);
    size = program.value[0].size;
    for (int k = 0; k < 2; k++) {
        double *x = recorded_inputs(&program);

        for (int64_t i = 0; i < size; i++)
            x[i] += 0.125 * k;
        runner[k] = (struct runner){.x = x, .results = results_of(p)};
        runner[k].plan = k ? runner[0].plan : plan_of(p, &runner[0].frame);
        if (k)
            runner[k].frame = ad_frame_new(runner[k].plan);
    }
    for (int k = 0; k < 2; k++)
        CHECK(!pthread_create(&thread[k], NULL, run_often, &runner[k]), "no thread");
    for (int k = 0; k < 2; k++) {
        struct results expected = results_of(p);
        void *failure;
        int failed;

        pthread_join(thread[k], &failure);
        CHECK(!failure, "a run failed");
        replay(p, runner[k].x, &expected, &failed);
        check_same_results(&runner[k].results, &expected, "in a thread");
        results_free(&expected);
    }
    ad_frame_free(runner[0].frame);
    ad_frame_free(runner[1].frame);
    ad_plan_free((struct ad_plan *)(uintptr_t)runner[0].plan);
    for (int k = 0; k < 2; k++) {
        results_free(&runner[k].results);
        free((void *)(uintptr_t)runner[k].x);
    }
    ad_program_free(p);
    program_end(&program);
    CHECK(n_live == 0, "%ld blocks are left", n_live);
}

int main(void)
{
    const int64_t n_inputs[] = {1, 4, 12, 36, 150, 1100};
    struct rng rng = {7};
    long n_cases = 0;

    for (int op = 0; op < AD_N_OPS; op++)
        check_op((enum ad_op)op, &rng);
    test_others();
    for (int64_t n = 10; n < 70000; n += 3 * n / 2 + 3)
        check_ranges(&rng, n);
    for (uint64_t seed = 5000; seed < 5005; seed++)
        test_threads(seed);
    for (uint64_t seed = 0; seed < 1000; seed++)
        run(seed, 5 + (int)(seed % 40), n_inputs[(seed + seed / 6) % 6], -1);
    for (int kind = 0; kind <= AD_PLAN_CALL; kind++)
        CHECK(n_steps[kind] > 0 || kind == AD_PLAN_KERNEL, "no step of kind %d", kind);
    for (int kind = 0; kind <= AD_MOVE_FILL; kind++)
        CHECK(n_moves[kind] > 0, "no move of kind %d", kind);
    CHECK(n_fused > 0, "no group of several");
    CHECK(n_chains > 0 && n_shifted > 0, "%ld chains, %ld of them shifted", n_chains, n_shifted);
    CHECK(n_in_place > 0, "no op whose results take the place of an operand");
    for (uint64_t seed = 2000; seed < 2040; seed++)
        for (long n = 0;; n++, n_cases++) {
            long failed = n_failed;

            run(seed, 3 + (int)(seed % 16), seed % 2 ? 4 : 12, n);
            if (n_failed == failed)
                break;
        }
    printf("test_run: ok, %ld groups, %ld of several, %ld with an allocation that fails\n",
           n_steps[AD_PLAN_GROUP], n_fused, n_cases);
    return 0;
}

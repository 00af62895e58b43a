/* test_run.c -- plans run as ad_program_replay() does, bit by bit. */
#include <pthread.h>

#include "ad_run.h"
#include "frozen.h"

static struct program program; /* large */
static long n_groups, n_fused, n_words, n_singles;

static void replay(struct ad_program *p, const double *x, struct results *r, int *failed)
{
    enum ad_status status = ad_program_replay(p, &x, r->output, failed);

    if (status == AD_NO_MEMORY) /* the allocation that was to fail */
        status = ad_program_replay(p, &x, r->output, failed);
    CHECK(status == AD_OK, "replay: %s", ad_status_text(status));
}

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

static void count_steps(const struct ad_plan *plan)
{
    n_words += plan->n_words;
    for (int64_t k = 0; k < plan->n_steps; k++) {
        const struct ad_plan_step *step = &plan->steps[k];

        n_groups += step->kind == AD_PLAN_GROUP;
        n_fused += step->kind == AD_PLAN_GROUP && step->end - step->before > 1;
        n_singles += step->kind > AD_PLAN_GROUP;
    }
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

    if (!first)
        first = frozen(p);
    CHECK(first != NULL, "not frozen");
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

static void run(uint64_t seed, int n_steps, int64_t n_inputs, long fail)
{
    check_clear();
    program_begin(&program, seed, n_inputs);
    for (int i = 0; i < n_steps && program.n < MAX_VALUES - 2; i++)
        program_step(&program);
    fail_in = fail;
    check_run(&program);
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
    CHECK(n_groups > 0 && n_fused > 0 && n_words > 0 && n_singles > 0, "kinds of steps");
    for (uint64_t seed = 2000; seed < 2040; seed++)
        for (long n = 0;; n++, n_cases++) {
            long failed = n_failed;

            run(seed, 3 + (int)(seed % 16), seed % 2 ? 4 : 12, n);
            if (n_failed == failed)
                break;
        }
    printf("test_run: ok, %ld groups, %ld of several, %ld with an allocation that fails\n",
           n_groups, n_fused, n_cases);
    return 0;
}

/* test_profile.c -- profiled runs find what runs find, and their times add up; what is seen of a
 * program is what is in it. */
#include <math.h>

#include "ad_look.h"
#include "ad_profile.h"
#include "frozen.h"

static struct program program; /* large */
static long n_kinds[AD_PLAN_CALL + 1], n_words, n_pairs, n_edges;

/* ---- profiles ---- */

static void check_traced(const struct ad_program *p, const struct ad_plan *plan)
{
    for (int64_t k = 0; k < plan->code.n_words; k++) {
        bool end = plan->code.words[k].code == AD_WORD_END;
        int32_t i = plan->code.word_instr[k];

        CHECK(end ? i == -1 : i >= p->n_inputs && i < p->tape->n, "word %" PRId64 " is of %d", k,
              i);
        /* a word of one scalar op is of an instruction with that op */
        if (plan->code.words[k].code < AD_N_OPS)
            CHECK(plan->code.words[k].code == ad_tape_code(p->tape, i), "word of another op");
        n_words++;
        n_pairs += plan->code.words[k].code >= AD_WORD_TWO;
    }
    for (int64_t m = 0; m < plan->code.n_moves; m++) {
        const struct ad_move *move = &plan->code.moves[m];

        CHECK(move->instr >= p->n_inputs && move->instr < p->tape->n, "move of %d", move->instr);
        if (move->kind == AD_MOVE_VECTOR || move->kind == AD_MOVE_LOOP)
            CHECK(move->op == ad_tape_code(p->tape, move->instr), "move of another op");
    }
    for (int64_t k = 0; k < plan->n_steps; k++) {
        n_kinds[plan->steps[k].kind]++;
        CHECK((plan->steps[k].instr >= 0) == (plan->steps[k].kind > AD_PLAN_GROUP), "a single");
    }
}

/* Each instruction that is part of a step takes time, and no other does. */
static void check_seconds(const struct ad_program *p, const struct ad_profile *profile,
                          const double *seconds, const struct ad_plan *plan)
{
    uint8_t *part = calloc((size_t)p->tape->n + 1, 1);
    double sum = profile->ends;

    CHECK(profile->total > 0 && isfinite(profile->total), "%g seconds", profile->total);
    CHECK(profile->parts > 0 && isfinite(profile->parts), "parts of %g seconds", profile->parts);
    for (int64_t k = 0; k < plan->code.n_words; k++)
        if (plan->code.word_instr[k] >= 0)
            part[plan->code.word_instr[k]] = 1;
    for (int64_t m = 0; m < plan->code.n_moves; m++)
        part[plan->code.moves[m].instr] = 1;
    for (int64_t k = 0; k < plan->n_steps; k++)
        if (plan->steps[k].instr >= 0)
            part[plan->steps[k].instr] = 1;
    for (int32_t i = 0; i < p->tape->n; i++) {
        CHECK(isfinite(seconds[i]) && (seconds[i] > 0) == part[i], "instruction %d: %g seconds", i,
              seconds[i]);
        sum += seconds[i];
    }
    CHECK(fabs(sum - profile->total) <= 1e-9 * profile->total, "%g seconds of %g", sum,
          profile->total);
    free(part);
}

static void check_profile(struct program *from, int64_t rounds)
{
    struct ad_program *p = frozen(from);
    double *x = recorded_inputs(from), *seconds;
    const double *input = x;
    struct ad_plan *plan = NULL;
    struct ad_frame *frame;
    struct ad_profile profile;
    struct results a, b;
    enum ad_status status;
    int failed;

    for (int64_t i = 0; i < from->value[0].size; i++)
        x[i] += 0.125 * (double)(i % 3);
    a = results_of(p);
    b = results_of(p);
    seconds = malloc(((size_t)p->tape->n + 1) * sizeof *seconds);
    status = ad_plan_new_traced(p, &plan);
    if (status) {
        CHECK(status == AD_NO_MEMORY && !plan, "plan: %s", ad_status_text(status));
        status = ad_plan_new_traced(p, &plan);
    }
    CHECK(!status, "plan: %s", ad_status_text(status));
    frame = ad_frame_new(plan);
    if (!frame)
        frame = ad_frame_new(plan);
    check_traced(p, plan);
    CHECK(!ad_run(plan, frame, &input, a.output, &failed), "run");
    for (int again = 0; again < 2; again++) {
        status =
            ad_profile_run(plan, frame, &input, b.output, 0, rounds, p->tape->n, seconds, &profile);
        if (status == AD_NO_MEMORY) /* the allocation that was to fail */
            status = ad_profile_run(plan, frame, &input, b.output, 0, rounds, p->tape->n, seconds,
                                    &profile);
        CHECK(!status, "profile: %s", ad_status_text(status));
        CHECK(profile.failed == failed, "guard %d fails, not %d", profile.failed, failed);
        CHECK(profile.n_rounds == (rounds < 3 ? rounds : 3), "%" PRId64 " rounds",
              profile.n_rounds);
        check_same_results(&b, &a, "profile");
        check_seconds(p, &profile, seconds, plan);
    }
    /* words that are timed many times over leave nothing behind */
    memset(b.data, 0, (size_t)b.size * sizeof *b.data);
    CHECK(!ad_run(plan, frame, &input, b.output, &failed), "run");
    check_same_results(&b, &a, "a run after a profile");
    ad_frame_free(frame);
    ad_plan_free(plan);
    ad_program_free(p);
    results_free(&a);
    results_free(&b);
    free(seconds);
    free(x);
}

/* ---- graphs ---- */

/* Mark what is read, element by element. */
static void mark(const struct ad_program *p, const struct ad_view *view, uint8_t *reads)
{
    int64_t n = ad_view_size(view), *at = malloc(((size_t)n + 1) * sizeof *at);

    if (view->place == AD_SLOTS || view->place == AD_LIST) {
        ad_view_positions(view, at);
        for (int64_t j = 0; j < n; j++) {
            int64_t slot = view->place == AD_LIST ? view->in.list->slot[at[j]] : at[j];

            if (slot >= 0)
                reads[ad_tape_producer(p->tape, (int32_t)slot)] = 1;
        }
    }
    free(at);
}

static void mark_reader(const struct ad_program *p, int64_t r, uint8_t *reads)
{
    const struct ad_tape *tape = p->tape;
    struct ad_view views[64];
    int64_t beyond = r - tape->n;

    if (beyond >= p->n_outputs) {
        mark(p, &p->guards[beyond - p->n_outputs].view, reads);
    } else if (beyond >= 0) {
        mark(p, &p->outputs[beyond], reads);
    } else if (ad_tape_is_array(tape, (int32_t)r)) {
        int n = ad_tape_code(tape, (int32_t)r) == AD_INPUT
                    ? 0
                    : ad_tape_views(tape, (int32_t)r, views, 64);

        for (int v = 0; v < n; v++)
            mark(p, &views[v], reads);
    } else if (ad_tape_code(tape, (int32_t)r) != AD_INPUT) {
        struct ad_view a = ad_view_slots(tape->a[r], 0, NULL),
                       b = ad_view_slots(tape->b[r], 0, NULL);

        mark(p, &a, reads);
        mark(p, &b, reads);
    }
}

static void check_graph(const struct ad_program *p)
{
    struct ad_graph graph;
    enum ad_status status = ad_graph_new(p, &graph);
    uint8_t *reads = malloc((size_t)p->tape->n + 1), *found = malloc((size_t)p->tape->n + 1);

    if (status) {
        CHECK(status == AD_NO_MEMORY && !graph.start && !graph.from, "a graph is left");
        status = ad_graph_new(p, &graph);
    }
    CHECK(!status, "graph: %s", ad_status_text(status));
    CHECK(graph.n_readers == p->tape->n + p->n_outputs + p->n_guards, "readers");
    for (int64_t r = 0; r < graph.n_readers; r++) {
        memset(reads, 0, (size_t)p->tape->n);
        memset(found, 0, (size_t)p->tape->n);
        mark_reader(p, r, reads);
        for (int64_t k = graph.start[r]; k < graph.start[r + 1]; k++) {
            CHECK(!found[graph.from[k]], "reader %" PRId64 " reads %d twice", r, graph.from[k]);
            found[graph.from[k]] = 1;
            n_edges++;
        }
        CHECK(!memcmp(reads, found, (size_t)p->tape->n), "reader %" PRId64, r);
    }
    ad_graph_free(&graph);
    free(reads);
    free(found);
}

static void check_counts(const struct ad_program *p)
{
    struct ad_look_steps steps;
    struct ad_plan *plan = NULL;

    if (ad_plan_new(p, &plan) && ad_plan_new(p, &plan))
        CHECK(false, "no plan");
    CHECK(!plan->code.word_instr, "a plan that nobody asked to trace is traced");
    ad_look_steps(plan, &steps);
    CHECK(steps.runs + steps.groups + steps.singles == plan->n_steps, "steps");
    CHECK(steps.words + steps.runs == plan->code.n_words, "words");
    ad_plan_free(plan);
}

/* A chain of scalars, which random programs have not: most words do two of them. */
static void test_chain(void)
{
    static const enum ad_op ops[] = {AD_OP_mul, AD_OP_add, AD_OP_sin, AD_OP_sub, AD_OP_mul};
    enum { N = 60 };
    const double x[2] = {0.75, 1.25}, *input = x;
    struct ad_program *p = ad_program_new();
    double y, expected, seconds[N + 1], *output = &y;
    struct ad_plan *plan = NULL;
    struct ad_profile profile;
    struct ad_frame *frame;
    struct ad_view view;
    int failed;

    check_clear();
    CHECK(p && !ad_program_add_input(p, 1, &(int64_t){2}, x), "no program");
    for (int k = 0; k < N; k++) {
        enum ad_op op = ops[k % 5];
        int32_t a = p->tape->n_slots - 1, b = op == AD_OP_sin ? a : k % 2;

        CHECK(!ad_tape_room(p->tape, 1), "no room");
        ad_tape_push(p->tape, op, a, b, 0);
    }
    view = ad_view_slots(p->tape->n_slots - 1, 0, NULL);
    CHECK(!ad_program_add_output(p, &view), "output");
    CHECK(!ad_program_replay(p, &input, &output, &failed), "replay");
    expected = y;
    CHECK(!ad_plan_new_traced(p, &plan), "no plan");
    frame = ad_frame_new(plan);
    check_traced(p, plan);
    CHECK(!ad_profile_run(plan, frame, &input, &output, 0, 20, p->tape->n, seconds, &profile),
          "profile");
    CHECK(same_number(y, expected) && profile.n_rounds == 3 && profile.failed < 0,
          "%.17g, not %.17g", y, expected);
    check_seconds(p, &profile, seconds, plan);
    check_graph(p);
    ad_frame_free(frame);
    ad_plan_free(plan);
    ad_program_free(p);
    CHECK(n_live == 0, "%ld blocks are left", n_live);
}

static void run(uint64_t seed, int length, int64_t n_inputs, long fail)
{
    struct ad_program *p;

    program_make(&program, seed, length, n_inputs);
    fail_in = fail;
    check_profile(&program, 1 + (int64_t)(seed % 4));
    p = frozen(&program);
    check_graph(p);
    check_counts(p);
    ad_program_free(p);
    fail_in = -1;
    program_end(&program);
    CHECK(n_live == 0, "%ld blocks are left", n_live);
}

int main(void)
{
    const int64_t n_inputs[] = {1, 4, 12, 36, 150, 1100};
    long n_cases = 0;

    test_chain();
    for (uint64_t seed = 0; seed < 300; seed++)
        run(seed, 5 + (int)(seed % 40), n_inputs[(seed + seed / 6) % 6], -1);
    for (int kind = 0; kind <= AD_PLAN_CALL; kind++) /* random programs have neither of the two */
        CHECK(n_kinds[kind] > 0 || kind == AD_PLAN_NORM || kind == AD_PLAN_KERNEL,
              "no step of kind %d", kind);
    CHECK(n_words > 0 && n_pairs > 0 && n_edges > 0, "no words, or no edges");
    for (uint64_t seed = 2000; seed < 2012; seed++)
        for (long n = 0;; n++, n_cases++) {
            long failed = n_failed;

            run(seed, 3 + (int)(seed % 16), seed % 2 ? 4 : 12, n);
            if (n_failed == failed)
                break;
        }
    printf("test_profile: ok, %ld words, %ld edges, %ld with an allocation that fails\n", n_words,
           n_edges, n_cases);
    return 0;
}

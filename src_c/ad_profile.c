/* ad_profile.c -- clocks around the parts of a run. */
#if !defined(_WIN32) && !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 199309L /* clock_gettime() */
#endif
#include "ad_profile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ad_frame.h"

/* What takes no longer than the clock still takes some time. */
#define LEAST 2e-10

/* Classes of words that do the same: codes, then moves by their kinds and ops, then ops that are called. */
enum {
    AT_LEAST = 3,
    COPIES = 16,
    MOVE_CLASSES = AD_N_WORDS,
    VALUE_CLASSES = MOVE_CLASSES + (AD_MOVE_FILL + 1) * AD_N_OPS,
    N_CLASSES = VALUE_CLASSES + AD_N_OPS
};

struct profiling {
    const struct ad_plan *plan;
    struct ad_frame *frame;
    const double *const *inputs;
    double *const *outputs;
    double clock, no_word; /* seconds to read the clock, and with no word run in between */
    double run, begin, end;
    double *step, *word, *move; /* the shortest times of each */
    double *round;              /* of each move of the step under way, in this round */
    double class_time[N_CLASSES], class_n[N_CLASSES];
    int failed;
};

static double now(void)
{
    struct timespec t;

#ifdef CLOCK_MONOTONIC
    clock_gettime(CLOCK_MONOTONIC, &t);
#else
    timespec_get(&t, TIME_UTC);
#endif
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A clock that is set back in between says nothing. */
static void keep_shortest(double *shortest, double t)
{
    if (t >= 0 && t < *shortest)
        *shortest = t;
}

static double beyond(double t, double clock)
{
    return isfinite(t) ? AD_MAX(t - clock, LEAST) : LEAST;
}

/* ---- rounds ---- */

static void time_the_clock(struct profiling *p)
{
    const struct ad_word_of_run end = {.code = AD_WORD_END};

    p->clock = p->no_word = INFINITY;
    for (int k = 0; k < 200; k++) {
        double start = now(), middle = now();

        ad_run_words(p->plan, &end, p->frame);
        keep_shortest(&p->no_word, now() - middle);
        keep_shortest(&p->clock, middle - start);
    }
}

static enum ad_status run_n(struct profiling *p, int64_t n)
{
    double start = now();
    enum ad_status status = AD_OK;

    for (int64_t k = 0; k < n && !status; k++)
        status = ad_run(p->plan, p->frame, p->inputs, p->outputs, &p->failed);
    keep_shortest(&p->run, (now() - start) / (double)n);
    return status;
}

static enum ad_status by_steps(struct profiling *p)
{
    double start = now(), end;
    enum ad_status status = AD_OK;

    ad_run_begin(p->plan, p->frame, p->inputs, p->outputs);
    keep_shortest(&p->begin, now() - start);
    for (int64_t k = 0; k < p->plan->n_steps && !status; k++) {
        start = now();
        status = ad_run_step(p->plan, p->frame, k);
        keep_shortest(&p->step[k], now() - start);
    }
    if (status)
        return status;
    start = now();
    (void)ad_run_end(p->plan, p->frame, p->outputs);
    end = now();
    keep_shortest(&p->end, end - start);
    return AD_OK;
}

/* One word, or several that are done at once.  A word takes less time than the clock: it is timed COPIES
 * times over, its results going to the spare numbers at the end of the frame.  A move may add to what
 * is there, and is timed once. */
static void run_word(struct profiling *p, int64_t k)
{
    const struct ad_word_of_run *word = p->plan->code.words + k;
    int64_t n = ad_words_at_once(word), spare = p->plan->n_frame - AD_SHORT;
    struct ad_word_of_run copies[AD_WORDS_AT_ONCE * COPIES + 1], once[AD_WORDS_AT_ONCE + 1];
    double start;

    memcpy(once, word, (size_t)n * sizeof *word);
    once[n].code = AD_WORD_END;
    if (word->code == AD_WORD_MOVE) {
        start = now();
        ad_run_words(p->plan, once, p->frame);
        keep_shortest(&p->word[k], now() - start);
        return;
    }
    for (int64_t j = 0; j < n * COPIES; j++) {
        copies[j] = word[j % n];
        copies[j].d = (int32_t)spare;
    }
    copies[n * COPIES].code = AD_WORD_END;
    memset(p->frame->value + spare, 0, AD_SHORT * sizeof(double));
    start = now();
    ad_run_words(p->plan, copies, p->frame);
    keep_shortest(&p->word[k], p->no_word + (now() - start - p->no_word) / COPIES);
    ad_run_words(p->plan, once, p->frame);
}

static void run_by_words(struct profiling *p, const struct ad_plan_step *step)
{
    const struct ad_word_of_run *words = p->plan->code.words;

    for (int64_t k = step->first; words[k].code != AD_WORD_END; k += ad_words_at_once(&words[k]))
        run_word(p, k);
}

static void run_by_moves(struct profiling *p, const struct ad_plan_step *step)
{
    const struct ad_move *moves = p->plan->code.moves;
    struct ad_frame *frame = p->frame;

    for (int64_t m = step->first; m < step->before; m++) {
        double start = now();

        ad_move_make(&moves[m], frame->base, frame->sums, 0, 0);
        p->round[m] = AD_MAX(now() - start - p->clock, 0);
    }
    memset(p->round + step->before, 0, (size_t)(step->end - step->before) * sizeof *p->round);
    for (int64_t at = 0, n; at < step->n; at += n) {
        n = ad_step_tile(step, at);
        for (int64_t m = step->before; m < step->end; m += ad_moves_at_once(&moves[m])) {
            double start = now();

            ad_move_make(&moves[m], frame->base, frame->sums, at, n);
            p->round[m] += AD_MAX(now() - start - p->clock, 0);
        }
    }
    for (int64_t m = step->first; m < step->end; m++)
        keep_shortest(&p->move[m], p->round[m]);
}

static enum ad_status by_pieces(struct profiling *p)
{
    enum ad_status status = AD_OK;

    ad_run_begin(p->plan, p->frame, p->inputs, p->outputs);
    for (int64_t k = 0; k < p->plan->n_steps && !status; k++) {
        const struct ad_plan_step *step = &p->plan->steps[k];

        if (step->kind == AD_PLAN_RUN)
            run_by_words(p, step);
        else if (step->kind == AD_PLAN_GROUP)
            run_by_moves(p, step);
        else
            status = ad_run_step(p->plan, p->frame, k);
    }
    if (!status)
        p->failed = ad_run_end(p->plan, p->frame, p->outputs);
    return status;
}

/* ---- what the times say ---- */

static int class_of(const struct ad_plan *plan, const struct ad_word_of_run *word)
{
    const struct ad_move *move;

    if (word->code == AD_WORD_VALUE)
        return VALUE_CLASSES + word[1].code;
    if (word->code != AD_WORD_MOVE)
        return word->code;
    move = &plan->code.moves[word->d];
    return MOVE_CLASSES + move->kind * AD_N_OPS + move->op;
}

static void sum_up_classes(struct profiling *p)
{
    const struct ad_plan *plan = p->plan;

    for (int64_t k = 0; k < plan->code.n_words; k += ad_words_at_once(&plan->code.words[k])) {
        int c = class_of(plan, &plan->code.words[k]);

        if (plan->code.words[k].code == AD_WORD_END)
            continue;
        p->class_time[c] += beyond(p->word[k], p->no_word);
        p->class_n[c]++;
    }
}

/* Add 'scale' times its weight to the seconds of each instruction; returns the sum of the weights. */
static double share_run(const struct profiling *p, const struct ad_plan_step *step, double scale,
                        double *seconds)
{
    const struct ad_word_of_run *words = p->plan->code.words;
    double sum = 0;

    for (int64_t k = step->first, n; words[k].code != AD_WORD_END; k += n) {
        int c = class_of(p->plan, &words[k]);
        double weight = p->class_time[c] / p->class_n[c];

        n = ad_words_at_once(&words[k]);
        for (int64_t j = k; j < k + n && scale > 0; j++)
            seconds[p->plan->code.word_instr[j]] += scale * weight / (double)n;
        sum += weight;
    }
    return sum;
}

static double share_group(const struct profiling *p, const struct ad_plan_step *step, double scale,
                          double *seconds)
{
    double sum = 0;

    for (int64_t m = step->first; m < step->end; m++) {
        double weight = beyond(p->move[m], 0);

        if (scale > 0)
            seconds[p->plan->code.moves[m].instr] += scale * weight;
        sum += weight;
    }
    return sum;
}

static void share_out(struct profiling *p, double *seconds, struct ad_profile *profile)
{
    const struct ad_plan *plan = p->plan;
    double ends = beyond(p->begin, p->clock) + beyond(p->end, p->clock), scale;

    sum_up_classes(p);
    profile->total = p->run;
    profile->parts = ends;
    for (int64_t k = 0; k < plan->n_steps; k++)
        profile->parts += p->step[k] = beyond(p->step[k], p->clock);
    scale = profile->total / profile->parts;
    profile->ends = ends * scale;
    for (int64_t k = 0; k < plan->n_steps; k++) {
        const struct ad_plan_step *step = &plan->steps[k];
        double time = scale * p->step[k], sum;

        if (step->kind == AD_PLAN_RUN || step->kind == AD_PLAN_GROUP) {
            double (*share)(const struct profiling *, const struct ad_plan_step *, double,
                            double *) = step->kind == AD_PLAN_RUN ? share_run : share_group;

            sum = share(p, step, 0, seconds);
            if (sum > 0)
                share(p, step, time / sum, seconds);
            else
                profile->ends += time; /* a step that does nothing */
        } else {
            seconds[step->instr] += time;
        }
    }
}

/* ---- all of it ---- */

static double *infinities(int64_t n)
{
    double *t = malloc((size_t)AD_MAX(n, 1) * sizeof *t);

    for (int64_t k = 0; t && k < n; k++)
        t[k] = INFINITY;
    return t;
}

static enum ad_status make_rounds(struct profiling *p, double budget, int64_t most, int64_t *n)
{
    double begin = now(), start;
    int64_t at_once = 1;
    enum ad_status status = run_n(p, 1);

    time_the_clock(p);
    /* runs that take no longer than the clock are timed many at a time */
    if (!status) {
        start = now();
        status = run_n(p, 1);
        start = AD_MAX(now() - start, 1e-8);
        at_once = start < 1e-5 ? (int64_t)(2e-5 / start) + 1 : 1;
        p->run = INFINITY;
    }
    for (*n = 0; !status && *n < most && (*n < AT_LEAST || now() - begin < budget); ++*n) {
        status = run_n(p, at_once);
        if (!status)
            status = by_steps(p);
        if (!status)
            status = by_pieces(p);
    }
    return status;
}

enum ad_status ad_profile_run(const struct ad_plan *plan, struct ad_frame *frame,
                              const double *const *inputs, double *const *outputs, double budget,
                              int64_t most, int64_t n_instrs, double *seconds,
                              struct ad_profile *profile)
{
    struct profiling *p = calloc(1, sizeof *p);
    enum ad_status status = AD_NO_MEMORY;

    *profile = (struct ad_profile){.failed = -1};
    memset(seconds, 0, (size_t)n_instrs * sizeof *seconds);
    if (!p)
        return AD_NO_MEMORY;
    p->plan = plan;
    p->frame = frame;
    p->inputs = inputs;
    p->outputs = outputs;
    p->failed = -1;
    p->run = p->begin = p->end = INFINITY;
    p->step = infinities(plan->n_steps);
    p->word = infinities(plan->code.n_words);
    p->move = infinities(plan->code.n_moves);
    p->round = infinities(plan->code.n_moves);
    if (p->step && p->word && p->move && p->round)
        status = make_rounds(p, budget, AD_MAX(most, 1), &profile->n_rounds);
    if (!status) {
        share_out(p, seconds, profile);
        profile->failed = p->failed;
    }
    free(p->step);
    free(p->word);
    free(p->move);
    free(p->round);
    free(p);
    return status;
}

/* ad_run.c -- carrying out a plan: runs, groups, and what is neither. */
#include "ad_run.h"

#include <stdlib.h>
#include <string.h>

#include "ad_frame.h"
#include "ad_gather.h"
#include "ad_index.h"
#include "ad_kernel_run.h"
#include "ad_linalg.h"
#include "ad_moves.h"
#include "ad_point.h"
#include "ad_point_value.h"

enum { CACHE_LINE = 64, DOUBLES_IN_LINE = CACHE_LINE / sizeof(double) };

struct ad_frame *ad_frame_new(const struct ad_plan *plan)
{
    struct ad_frame *frame = calloc(1, sizeof *frame);
    int64_t n_tiles = (plan->n_tiles + 7) & ~(int64_t)7,
            n_frame = (plan->n_frame + 7) & ~(int64_t)7;
    size_t n = (size_t)AD_MAX(n_frame + n_tiles + plan->n_room, plan->n_native) +
               CACHE_LINE / sizeof(double);
    int most = 1;

    if (!frame)
        return NULL;
    for (int64_t k = 0; k < plan->n_steps; k++)
        most = AD_MAX(most, plan->steps[k].n_views);
    frame->block = calloc(n, sizeof(double));
    frame->base = calloc((size_t)plan->n_spaces + 1, sizeof *frame->base);
    frame->sums = calloc((size_t)plan->n_sums + 1, sizeof *frame->sums);
    frame->args = calloc((size_t)most, sizeof *frame->args);
    if (!frame->block || !frame->base || !frame->sums || !frame->args) {
        ad_frame_free(frame);
        return NULL;
    }
    frame->value =
        (double *)(((uintptr_t)frame->block + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1));
    frame->base[AD_SPACE_FRAME] = frame->value;
    frame->base[AD_SPACE_TILES] = frame->value + n_frame;
    frame->room = frame->value + n_frame + n_tiles;
    for (int k = 0; k < plan->code.n_arrays; k++)
        frame->base[AD_SPACE_INPUTS + plan->code.n_inputs + plan->code.n_outputs + k] =
            (double *)(uintptr_t)plan->code.arrays[k]->data;
    if (plan->code.n_numbers)
        memcpy(frame->value + plan->numbers_at, plan->code.numbers,
               (size_t)plan->code.n_numbers * sizeof *plan->code.numbers);
    return frame;
}

void ad_frame_free(struct ad_frame *frame)
{
    if (!frame)
        return;
    free(frame->block);
    free((void *)frame->base);
    free(frame->sums);
    free((void *)frame->args);
    free(frame);
}

/* ---- groups ---- */

/* How far the memory of the next tile has been asked for: a line of a stream. */
struct fetching {
    int stream;
    int64_t line;
};

static void fetch_lines(const struct ad_plan_step *step, double *const *base, int64_t start,
                        int64_t n, struct fetching *at)
{
    const int64_t n_lines = step->tile / DOUBLES_IN_LINE;

    while (n > 0 && at->stream < step->n_streams) {
        const double *from = ad_ref_at(base, &step->streams[at->stream], start);
        const int64_t end = AD_MIN(at->line + n, n_lines);

        n -= end - at->line;
        for (; at->line < end; at->line++)
            AD_FETCH(from + at->line * DOUBLES_IN_LINE);
        if (at->line == n_lines)
            *at = (struct fetching){at->stream + 1, 0};
    }
}

/* The zeros that the elements before 'end' add to; *done of them are there already. */
static void fill_ahead(const struct ad_plan *plan, const struct ad_plan_step *step,
                       double *const *base, int64_t end, int64_t *done)
{
    const struct ad_move *fill = &plan->code.moves[step->before - 1];
    int64_t filled;

    if (!step->filled)
        return;
    filled = step->filled[(end - 1) / AD_TILE];
    if (filled > *done)
        memset(ad_ref_at(base, &fill->y, 0) + *done, 0, (size_t)(filled - *done) * sizeof(double));
    *done = filled;
}

/* Memory is asked for the next tile bit by bit while this one is computed: a page, which a tile may
 * be, is how far the processor looks ahead by itself. */
static void run_from_memory(const struct ad_plan *plan, const struct ad_plan_step *step,
                            struct ad_frame *frame)
{
    const struct ad_move *moves = plan->code.moves;
    const int64_t n_lines = step->n_streams * (step->tile / DOUBLES_IN_LINE),
                  n_moves = step->end - step->before, at_once = (n_lines + n_moves - 1) / n_moves;
    int64_t filled = 0;

    for (int64_t start = 0, n; start < step->n; start += n) {
        struct fetching at = {0, 0};
        bool more;

        n = ad_step_tile(step, start);
        more = start + n + step->tile <= step->n;
        fill_ahead(plan, step, frame->base, start + n, &filled);
        for (int64_t m = step->before, made; m < step->end; m += made) {
            made = ad_moves_at_once(&moves[m]);
            if (more)
                fetch_lines(step, frame->base, start + n, made * at_once, &at);
            ad_move_make(&moves[m], frame->base, frame->sums, start, n);
        }
    }
}

static void run_group(const struct ad_plan *plan, const struct ad_plan_step *step,
                      struct ad_frame *frame)
{
    const struct ad_move *moves = plan->code.moves;
    int64_t before = step->before - (step->filled != NULL), filled = 0;

    for (int64_t m = step->first; m < before; m++)
        ad_move_make(&moves[m], frame->base, frame->sums, 0, 0);
    if (step->n_streams > 0) {
        run_from_memory(plan, step, frame);
        return;
    }
    for (int64_t start = 0, n; start < step->n; start += n) {
        n = ad_step_tile(step, start);
        fill_ahead(plan, step, frame->base, start + n, &filled);
        for (int64_t m = step->before; m < step->end; m += ad_moves_at_once(&moves[m]))
            ad_move_make(&moves[m], frame->base, frame->sums, start, n);
    }
}

/* ---- runs ---- */

/* With labels that can be kept in a table each word jumps to the next by itself, so that the
 * processor learns which follows which; other compilers have a switch. */
#if defined(__GNUC__)
#define AD_THREADED 1
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic" /* computed goto is no ISO C */
/* The words of a long run come from beyond the second level of cache, each once, and the processor
 * itself looks no further than a page ahead.  Whatever is there may be asked for. */
#define FETCH_AHEAD() __builtin_prefetch((const void *)((uintptr_t)word + AHEAD))
#else
#define AD_THREADED 0
#define FETCH_AHEAD() ((void)0)
#endif
enum { AHEAD = 6400 }; /* bytes, found by measuring */

#if AD_THREADED
#define WORD(code) do_##code:
#define NEXT(n)                                                                                    \
    do {                                                                                           \
        word += (n);                                                                               \
        FETCH_AHEAD();                                                                             \
        goto *labels[word->code];                                                                  \
    } while (0)
#else
#define WORD(code) case code:
#define NEXT(n)                                                                                    \
    do {                                                                                           \
        word += (n);                                                                               \
        FETCH_AHEAD();                                                                             \
        goto next;                                                                                 \
    } while (0)
#endif

#define RUN_WORDS run_words_anywhere
#define RUN_WORDS_FOR
#include "ad_run_words.h"
#if AD_TARGETS
#define RUN_WORDS run_words_avx2
#define RUN_WORDS_FOR __attribute__((target("avx2")))
#include "ad_run_words.h"
#define RUN_WORDS run_words_avx512
#define RUN_WORDS_FOR __attribute__((target("arch=x86-64-v4")))
#include "ad_run_words.h"
#endif

#if AD_THREADED
#pragma GCC diagnostic pop
#endif

bool ad_target_is_usable(enum ad_target target)
{
#if AD_TARGETS
    if (target == AD_TARGET_AVX512)
        return __builtin_cpu_supports("x86-64-v4");
    if (target == AD_TARGET_AVX2)
        return __builtin_cpu_supports("avx2");
#endif
    return target == AD_TARGET_ANY;
}

void ad_run_words_for(enum ad_target target, const struct ad_plan *plan,
                      const struct ad_word_of_run *word, struct ad_frame *frame)
{
    switch (target) {
#if AD_TARGETS
    case AD_TARGET_AVX512:
        run_words_avx512(plan, word, frame);
        return;
    case AD_TARGET_AVX2:
        run_words_avx2(plan, word, frame);
        return;
#else
    case AD_TARGET_AVX512:
    case AD_TARGET_AVX2:
#endif
    case AD_TARGET_ANY:
    case AD_N_TARGETS:
        break;
    }
    run_words_anywhere(plan, word, frame);
}

void ad_run_words(const struct ad_plan *plan, const struct ad_word_of_run *word,
                  struct ad_frame *frame)
{
    int target = AD_N_TARGETS - 1;

    while (!ad_target_is_usable((enum ad_target)target))
        target--;
    ad_run_words_for((enum ad_target)target, plan, word, frame);
}

/* ---- singles ---- */

/* The elements of an operand in C order: where they are, or gathered in *room, which moves on. */
static const double *dense(const struct ad_frame *frame, const struct ad_walk *walk, double **room)
{
    int64_t n = ad_shape_size(walk->ndim, walk->shape), step = 1;
    bool run = !walk->list;
    double *y = *room;

    for (int d = walk->ndim - 1; d >= 0; d--) {
        run &= walk->shape[d] == 1 || walk->stride[d] == step;
        step *= walk->shape[d];
    }
    if (run || n == 0)
        return frame->base[walk->space] + walk->base;
    ad_walk_gather(walk, frame->base[walk->space], 0, n, y);
    *room += n;
    return y;
}

/* One matrix of an operand; that of a list is gathered. */
static struct ad_matrix matrix_of(const struct ad_frame *frame, const struct ad_walk *walk,
                                  int64_t batch, double *room)
{
    int last = walk->ndim - 1;
    int64_t index[AD_MAX_DIMS], offset = ad_walk_locate(walk, walk->ndim - 2, batch, index);
    struct ad_matrix m = {NULL, walk->shape[last - 1], walk->shape[last], walk->stride[last - 1],
                          walk->stride[last]};

    m.data = frame->base[walk->space] + walk->base + offset;
    if (walk->list)
        ad_matrix_gather(&m, frame->base[walk->space], walk->list + walk->base + offset, room);
    return m;
}

static void run_matmul(const struct ad_plan_step *step, struct ad_frame *frame)
{
    const struct ad_walk *a = &step->views[0], *b = &step->views[1];
    int nb = a->ndim - 2;
    int64_t batches = ad_shape_size(nb, a->shape), m = a->shape[nb], k = a->shape[nb + 1],
            n = b->shape[nb + 1];

    for (int64_t batch = 0; batch < batches; batch++)
        ad_matmul(matrix_of(frame, a, batch, frame->room),
                  matrix_of(frame, b, batch, frame->room + m * k),
                  ad_ref_at(frame->base, &step->y, batch * m * n));
}

static void run_cumsum(const struct ad_plan_step *step, struct ad_frame *frame)
{
    const struct ad_walk *from = &step->views[0];
    int64_t row = from->shape[from->ndim - 1];
    double *y = ad_ref_at(frame->base, &step->y, 0);

    ad_walk_gather(from, frame->base[from->space], 0, step->n, y);
    for (int64_t start = 0; start < step->n; start += row)
        for (int64_t i = 1; i < row; i++) {
            if (step->flag)
                y[start + row - 1 - i] += y[start + row - i];
            else
                y[start + i] += y[start + i - 1];
        }
}

/* ad_maximum() or, with 'least', ad_minimum(), of numbers in no order that a processor could guess. */
AD_INLINE double better(double best, double x, bool least)
{
    return (least ? best < x : best > x) | (best != best) ? best : x;
}

/* The extrema of rows; some rows at once, since each comparison in one waits for that before. */
AD_INLINE void extrema(double *y, const double *x, int64_t row, int64_t n_rows, bool least)
{
    enum { ROWS = 8 };
    int64_t r = 0;

    for (; r + ROWS <= n_rows; r += ROWS, x += ROWS * row) {
        double best[ROWS];

        for (int k = 0; k < ROWS; k++)
            best[k] = x[k * row];
        for (int64_t j = 1; j < row; j++)
            for (int k = 0; k < ROWS; k++)
                best[k] = better(best[k], x[k * row + j], least);
        for (int k = 0; k < ROWS; k++)
            y[r + k] = best[k];
    }
    for (; r < n_rows; r++, x += row) {
        double best = x[0];

        for (int64_t j = 1; j < row; j++)
            best = better(best, x[j], least);
        y[r] = best;
    }
}

static void run_extremum(const struct ad_plan_step *step, struct ad_frame *frame)
{
    const struct ad_walk *from = &step->views[0];
    int64_t row = from->shape[from->ndim - 1];
    double *room = frame->room, *y = ad_ref_at(frame->base, &step->y, 0);
    const double *x = dense(frame, from, &room);

    if (step->flag)
        extrema(y, x, row, step->n, true);
    else
        extrema(y, x, row, step->n, false);
}

static void run_norm(const struct ad_plan_step *step, struct ad_frame *frame)
{
    const struct ad_walk *from = &step->views[0];
    int64_t row = from->shape[from->ndim - 1];
    double *room = frame->room, *y = ad_ref_at(frame->base, &step->y, 0);
    const double *x = dense(frame, from, &room);

    for (int64_t i = 0; i < step->n; i++)
        y[i] = sqrt(ad_sum_of_squares(x + i * row, row));
}

static void run_argsort(const struct ad_plan_step *step, struct ad_frame *frame)
{
    const struct ad_walk *from = &step->views[0];
    int64_t row = from->shape[from->ndim - 1];
    double *room = frame->room;
    const double *x = dense(frame, from, &room);

    ad_index_sort(row ? step->n / row : 0, row, x, ad_ref_at(frame->base, &step->y, 0), room);
}

static void run_gather(const struct ad_plan_step *step, struct ad_frame *frame, int code)
{
    const struct ad_walk *from = &step->views[0], *at = &step->views[1];
    int64_t rows = ad_shape_size(from->ndim - 1, from->shape);
    struct ad_gather sizes =
        ad_gather_sizes(code, rows ? step->n / rows : 0, from->ndim, from->shape, at->shape[0]);
    double *room = frame->room;
    const double *x = dense(frame, from, &room), *index = dense(frame, at, &room);

    ad_gather_values(code, &sizes, x, index, ad_ref_at(frame->base, &step->y, 0));
}

static enum ad_status run_call(const struct ad_plan *plan, const struct ad_plan_step *step,
                               struct ad_frame *frame)
{
    double *room = frame->room;

    for (int v = 0; v < step->n_views; v++)
        frame->args[v] = dense(frame, &step->views[v], &room);
    return plan->hooks->replay(step->rule, frame->args, ad_ref_at(frame->base, &step->y, 0));
}

static enum ad_status run_kernel(const struct ad_plan_step *step, struct ad_frame *frame)
{
    double *room = frame->room;

    for (int v = 0; v < step->n_views; v++)
        frame->args[v] = dense(frame, &step->views[v], &room);
    return ad_kernel_run(step->kernel, frame->args, ad_ref_at(frame->base, &step->y, 0));
}

/* ---- all of it ---- */

static void read_out(const struct ad_frame *frame, const struct ad_reading *reading, double *out)
{
    const double *from = frame->base[reading->walk.space];

    if (!reading->run)
        ad_walk_gather(&reading->walk, from, 0, reading->n, out);
    else if (reading->n == 1)
        *out = from[reading->walk.base];
    else
        memcpy(out, from + reading->walk.base, (size_t)reading->n * sizeof *out);
}

void ad_frame_outcome(const struct ad_plan *plan, const struct ad_frame *frame, int guard,
                      double *out)
{
    if (plan->guards[guard].n)
        read_out(frame, &plan->guards[guard], out);
}

static bool guard_holds(const struct ad_plan *plan, struct ad_frame *frame, int g)
{
    const struct ad_reading *reading = &plan->guards[g];
    const double *seen = frame->base[reading->walk.space] + reading->walk.base;

    if (reading->n == 0)
        return true;
    if (!reading->run) {
        read_out(frame, reading, frame->room);
        seen = frame->room;
    }
    return memcmp(seen, plan->expected[g], (size_t)reading->n * sizeof *seen) == 0;
}

enum ad_status ad_run_step(const struct ad_plan *plan, struct ad_frame *frame, int64_t k)
{
    const struct ad_plan_step *step = &plan->steps[k];

    switch (step->kind) {
    case AD_PLAN_RUN:
        ad_run_words(plan, plan->code.words + step->first, frame);
        return AD_OK;
    case AD_PLAN_GROUP:
        run_group(plan, step, frame);
        return AD_OK;
    case AD_PLAN_MATMUL:
        run_matmul(step, frame);
        return AD_OK;
    case AD_PLAN_CUMSUM:
        run_cumsum(step, frame);
        return AD_OK;
    case AD_PLAN_EXTREMUM:
        run_extremum(step, frame);
        return AD_OK;
    case AD_PLAN_NORM:
        run_norm(step, frame);
        return AD_OK;
    case AD_PLAN_ARGSORT:
        run_argsort(step, frame);
        return AD_OK;
    case AD_PLAN_GATHER:
        run_gather(step, frame, AD_GATHER);
        return AD_OK;
    case AD_PLAN_SCATTER:
        run_gather(step, frame, AD_SCATTER);
        return AD_OK;
    case AD_PLAN_KERNEL:
        return run_kernel(step, frame);
    case AD_PLAN_CALL:
        return run_call(plan, step, frame);
    }
    ad_unreachable();
    return AD_OK;
}

void ad_run_begin(const struct ad_plan *plan, struct ad_frame *frame, const double *const *inputs,
                  double *const *outputs)
{
    double **base = frame->base + AD_SPACE_INPUTS;

    for (int k = 0; k < plan->code.n_inputs; k++)
        base[k] = (double *)(uintptr_t)inputs[k];
    for (int k = 0; k < plan->code.n_outputs; k++)
        base[plan->code.n_inputs + k] = outputs[k];
    for (int j = 0; j < plan->n_loads; j++) {
        const struct ad_load *load = &plan->loads[j];

        memcpy(frame->value + load->to, inputs[load->input] + load->at,
               (size_t)load->n * sizeof *frame->value);
    }
}

int ad_run_end(const struct ad_plan *plan, struct ad_frame *frame, double *const *outputs)
{
    int failed = -1;

    for (int g = 0; g < plan->n_guards && failed < 0; g++)
        if (!guard_holds(plan, frame, g))
            failed = g;
    for (int k = 0; k < plan->code.n_outputs; k++)
        if (plan->outputs[k].n)
            read_out(frame, &plan->outputs[k], outputs[k]);
    return failed;
}

enum ad_status ad_run(const struct ad_plan *plan, struct ad_frame *frame,
                      const double *const *inputs, double *const *outputs, int *failed)
{
    enum ad_status status = AD_OK;

    *failed = -1;
    /* where it finds another way, the words decide: their last digits are those of the recording */
    if (plan->native && plan->native(inputs, outputs, frame->value) < 0)
        return AD_OK;
    ad_run_begin(plan, frame, inputs, outputs);
    for (int64_t k = 0; k < plan->n_steps && !status; k++)
        status = ad_run_step(plan, frame, k);
    if (!status)
        *failed = ad_run_end(plan, frame, outputs);
    return status;
}

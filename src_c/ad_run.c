/* ad_run.c -- carrying out a plan: words, moves, and what is neither. */
#include "ad_run.h"

#include <stdlib.h>
#include <string.h>

#include "ad_linalg.h"
#include "ad_point.h"
#include "ad_point_value.h"

/* A sum under way, in the order of ad_compute.c: eight running sums, and a rest, over AD_SUM_CHUNK elements; then
 * chunks in pairs of equal count. */
struct ad_sum {
    double lane[8], rest;
    int64_t filled; /* elements of the chunk so far */
    uint64_t count; /* chunks so far */
    double part[48];
};

struct ad_frame {
    double *value;
    double **base; /* of each space */
    double *room;
    struct ad_sum *sums;
    const double **args; /* of a rule */
    void *block;         /* value, tiles, room */
};

enum { CACHE_LINE = 64 };

struct ad_frame *ad_frame_new(const struct ad_plan *plan)
{
    struct ad_frame *frame = calloc(1, sizeof *frame);
    int64_t n_tiles = (plan->n_tiles + 7) & ~(int64_t)7,
            n_frame = (plan->n_frame + 7) & ~(int64_t)7;
    size_t n = (size_t)(n_frame + n_tiles + plan->n_room) + CACHE_LINE / sizeof(double);
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
    for (int k = 0; k < plan->n_fixed; k++)
        frame->base[AD_SPACE_INPUTS + plan->n_inputs + plan->n_outputs + k] =
            (double *)(uintptr_t)plan->arrays[k]->data;
    if (plan->n_numbers)
        memcpy(frame->value + plan->n_frame - AD_SHORT - plan->n_numbers, plan->numbers,
               (size_t)plan->n_numbers * sizeof *plan->numbers);
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

/* ---- walks ---- */

/* Where element 'flat' is, counted from the base. */
static int64_t locate(const struct ad_walk *walk, int ndim, int64_t flat, int64_t *index)
{
    int64_t at = 0;

    for (int d = ndim - 1; d > 0; d--) {
        index[d] = flat % walk->shape[d];
        flat /= walk->shape[d];
        at += index[d] * walk->stride[d];
    }
    if (ndim > 0) {
        index[0] = flat;
        at += flat * walk->stride[0];
    }
    return at;
}

/* Call ROW(i, at, n) for stretches of the last dimension: elements i .. i + n of those asked for begin at 'at' and
 * are walk_step apart. */
#define WALK_ROWS(walk, start, size, ROW)                                                          \
    do {                                                                                           \
        int64_t walk_index[AD_MAX_DIMS] = {0};                                                     \
        int walk_last = (walk)->ndim - 1;                                                          \
        int64_t walk_at = (walk)->base + locate((walk), (walk)->ndim, (start), walk_index);        \
        int64_t walk_row = walk_last < 0 ? 1 : (walk)->shape[walk_last];                           \
        int64_t walk_step = walk_last < 0 ? 0 : (walk)->stride[walk_last];                         \
        int64_t walk_begin = walk_last < 0 ? 0 : walk_index[walk_last];                            \
        for (int64_t walk_i = 0; walk_i < (size);) {                                               \
            int64_t walk_n = AD_MIN(walk_row - walk_begin, (size) - walk_i);                       \
            ROW(walk_i, walk_at, walk_n);                                                          \
            walk_i += walk_n;                                                                      \
            if (walk_i >= (size))                                                                  \
                break;                                                                             \
            walk_at -= walk_begin * walk_step;                                                     \
            walk_begin = 0;                                                                        \
            for (int d = walk_last - 1; d >= 0; d--) {                                             \
                walk_at += (walk)->stride[d];                                                      \
                if (++walk_index[d] < (walk)->shape[d])                                            \
                    break;                                                                         \
                walk_at -= (walk)->shape[d] * (walk)->stride[d];                                   \
                walk_index[d] = 0;                                                                 \
            }                                                                                      \
        }                                                                                          \
    } while (0)

AD_VECTOR static void add_run(double *y, const double *x, int64_t n)
{
    AD_INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] += x[i];
}

/* The step between the elements of a row. */
static int64_t row_step(const struct ad_walk *walk)
{
    return walk->ndim ? walk->stride[walk->ndim - 1] : 0;
}

enum { LONG = 32 }; /* so many doubles are worth a call */

static void gather(const struct ad_walk *walk, const double *from, int64_t start, int64_t n,
                   double *y)
{
    const int32_t *list = walk->list;

#define LISTED(i, at, m)                                                                           \
    for (int64_t j = 0; j < (m); j++)                                                              \
    y[(i) + j] = from[list[(at) + j * walk_step]]
#define RUN(i, at, m)                                                                              \
    do {                                                                                           \
        if ((m) >= LONG)                                                                           \
            memcpy(y + (i), from + (at), (size_t)(m) * sizeof *y);                                 \
        else                                                                                       \
            AD_INDEPENDENT for (int64_t j = 0; j < (m); j++) y[(i) + j] = from[(at) + j];          \
    } while (0)
#define SAME(i, at, m)                                                                             \
    for (int64_t j = 0; j < (m); j++)                                                              \
    y[(i) + j] = from[at]
#define SPACED(i, at, m)                                                                           \
    for (int64_t j = 0; j < (m); j++)                                                              \
    y[(i) + j] = from[(at) + j * walk_step]
    if (list)
        WALK_ROWS(walk, start, n, LISTED);
    else if (row_step(walk) == 1)
        WALK_ROWS(walk, start, n, RUN);
    else if (row_step(walk) == 0)
        WALK_ROWS(walk, start, n, SAME);
    else
        WALK_ROWS(walk, start, n, SPACED);
}

/* x is n elements, or one if 'step' is 0. */
static void put(const struct ad_walk *walk, double *to, int64_t start, int64_t n, const double *x,
                int64_t step)
{
    const int32_t *list = walk->list;

#define PUT_LISTED(i, at, m)                                                                       \
    for (int64_t j = 0; j < (m); j++)                                                              \
    to[list[(at) + j * walk_step]] = x[((i) + j) * step]
#define PUT_SPACED(i, at, m)                                                                       \
    for (int64_t j = 0; j < (m); j++)                                                              \
    to[(at) + j * walk_step] = x[((i) + j) * step]
    if (list)
        WALK_ROWS(walk, start, n, PUT_LISTED);
    else
        WALK_ROWS(walk, start, n, PUT_SPACED);
}

static void scatter(const struct ad_walk *walk, double *to, int64_t start, int64_t n,
                    const double *x, int64_t step)
{
    const int32_t *list = walk->list;

#define ADD_LISTED(i, at, m)                                                                       \
    for (int64_t j = 0; j < (m); j++)                                                              \
    to[list[(at) + j * walk_step]] += x[((i) + j) * step]
#define ADD_UP(i, at, m)                                                                           \
    do {                                                                                           \
        double total = to[at];                                                                     \
        for (int64_t j = 0; j < (m); j++)                                                          \
            total += x[((i) + j) * step];                                                          \
        to[at] = total;                                                                            \
    } while (0)
#define ADD_RUN(i, at, m)                                                                          \
    do {                                                                                           \
        if ((m) >= LONG)                                                                           \
            add_run(to + (at), x + (i), m);                                                        \
        else                                                                                       \
            AD_INDEPENDENT for (int64_t j = 0; j < (m); j++) to[(at) + j] += x[(i) + j];           \
    } while (0)
#define ADD_SPACED(i, at, m)                                                                       \
    for (int64_t j = 0; j < (m); j++)                                                              \
    to[(at) + j * walk_step] += x[((i) + j) * step]
    if (list)
        WALK_ROWS(walk, start, n, ADD_LISTED);
    else if (row_step(walk) == 0)
        WALK_ROWS(walk, start, n, ADD_UP);
    else if (row_step(walk) == 1 && step == 1)
        WALK_ROWS(walk, start, n, ADD_RUN);
    else
        WALK_ROWS(walk, start, n, ADD_SPACED);
}

/* ---- sums ---- */

/* Whole blocks of eight. */
AD_VECTOR static void add_blocks(double *lane, const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += 8)
        for (int j = 0; j < 8; j++)
            lane[j] += x[i + j];
}

/* n more elements of a chunk that has 'size' in all. */
static void sum_part(struct ad_sum *sum, const double *x, int64_t n, int64_t size)
{
    int64_t whole = size & ~(int64_t)7, i = 0;

    for (; i < n && (sum->filled & 7) && sum->filled < whole; i++)
        sum->lane[sum->filled++ & 7] += x[i];
    if (sum->filled < whole && n - i >= 8) {
        int64_t blocks = (n - i) & ~(int64_t)7;

        add_blocks(sum->lane, x + i, blocks);
        sum->filled += blocks;
        i += blocks;
    }
    for (; i < n && sum->filled < whole; i++)
        sum->lane[sum->filled++ & 7] += x[i];
    for (; i < n; i++, sum->filled++)
        sum->rest += x[i];
}

static void end_chunk(struct ad_sum *sum, bool same, double c)
{
    const double *lane = sum->lane;
    double x = same ? (double)sum->filled * c
                    : ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
                          ((lane[4] + lane[5]) + (lane[6] + lane[7])) + sum->rest;
    int level = 0;

    for (uint64_t digit = sum->count; digit & 1; digit >>= 1)
        x += sum->part[level++];
    sum->part[level] = x;
    sum->count++;
    memset(sum->lane, 0, sizeof sum->lane);
    sum->rest = 0;
    sum->filled = 0;
}

static double end_sum(struct ad_sum *sum)
{
    double total = 0;
    int level = 0;

    for (uint64_t digit = sum->count; digit; digit >>= 1, level++)
        if (digit & 1)
            total += sum->part[level];
    sum->count = 0;
    return total;
}

/* Elements start .. start + n, of which each row is added to an element of the walk where it ends. */
static void sum_rows(const struct ad_move *move, struct ad_sum *sum, double *to, int64_t start,
                     int64_t n, const double *x)
{
    int64_t row = move->n, at = row > start ? start : start % row,
            r = row > start ? 0 : start / row;
    int64_t step = move->single & 1 ? 0 : 1, index[AD_MAX_DIMS];
    bool same = move->single & 2;

    while (n > 0) {
        int64_t in_chunk = at % AD_SUM_CHUNK, chunk = AD_MIN(row - (at - in_chunk), AD_SUM_CHUNK);
        int64_t m = AD_MIN(n, chunk - in_chunk);

        if (same)
            sum->filled += m;
        else
            sum_part(sum, x, m, chunk);
        if (sum->filled == chunk)
            end_chunk(sum, same, *x);
        x += m * step;
        at += m;
        n -= m;
        if (at == row) {
            to[move->walk.base + locate(&move->walk, move->walk.ndim, r, index)] += end_sum(sum);
            at = 0;
            r++;
        }
    }
}

/* ---- moves ---- */

AD_VECTOR static void first_run(double *y, const double *x, int64_t n)
{
    AD_INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = 0.0 + x[i];
}

static void fill(double *y, int64_t n, double c)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = c;
}

static void add_number(double *y, int64_t n, double c)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += c;
}

AD_INLINE double *at(double *const *base, const struct ad_ref *ref, int64_t start)
{
    return base[ref->space] + ref->at + ref->step * start;
}

static void vector_move(const struct ad_move *move, double *const *base, int64_t start, int64_t n)
{
    struct ad_vec args[AD_MAX_ARGS] = {{NULL, 0}};

    for (int v = 0; v < ad_ops[move->op].n_args; v++) {
        const double *x = at(base, &move->x[v], start);

        if (move->single >> v & 1)
            args[v].c = *x;
        else
            args[v].v = x;
    }
    ad_op_vector((enum ad_op)move->op, move->p, (size_t)n, args, at(base, &move->y, start));
}

static void make_move(const struct ad_move *move, struct ad_frame *frame, int64_t start, int64_t n)
{
    double **base = frame->base;
    int64_t index[AD_MAX_DIMS];

    switch ((enum ad_move_kind)move->kind) {
    case AD_MOVE_LOOP:
        move->loop(move->p, (size_t)n, at(base, &move->x[0], start), at(base, &move->x[1], start),
                   at(base, &move->x[2], start), at(base, &move->y, start));
        return;
    case AD_MOVE_VECTOR:
        vector_move(move, base, start, n);
        return;
    case AD_MOVE_GATHER:
        gather(&move->walk, base[move->walk.space], start, n, at(base, &move->y, start));
        return;
    case AD_MOVE_LOCATE:
        base[move->y.space] = base[move->walk.space] + move->walk.base +
                              locate(&move->walk, move->walk.ndim, start, index);
        return;
    case AD_MOVE_COPY:
        if (move->single & 1)
            fill(at(base, &move->y, start), n, *at(base, &move->x[0], start));
        else
            memcpy(at(base, &move->y, start), at(base, &move->x[0], start),
                   (size_t)n * sizeof(double));
        return;
    case AD_MOVE_FIRST:
        if (move->single & 1)
            fill(at(base, &move->y, start), n, 0.0 + *at(base, &move->x[0], start));
        else
            first_run(at(base, &move->y, start), at(base, &move->x[0], start), n);
        return;
    case AD_MOVE_ADD:
        if (move->single & 1)
            add_number(at(base, &move->y, start), n, *at(base, &move->x[0], start));
        else
            add_run(at(base, &move->y, start), at(base, &move->x[0], start), n);
        return;
    case AD_MOVE_PUT:
        put(&move->walk, base[move->walk.space], start, n, at(base, &move->x[0], start),
            move->single & 1 ? 0 : 1);
        return;
    case AD_MOVE_SCATTER:
        scatter(&move->walk, base[move->walk.space], start, n, at(base, &move->x[0], start),
                move->single & 1 ? 0 : 1);
        return;
    case AD_MOVE_SUM:
        sum_rows(move, &frame->sums[move->sum], base[move->walk.space], start, n,
                 at(base, &move->x[0], start));
        return;
    case AD_MOVE_FILL:
        if (move->p == 0 && !signbit(move->p))
            memset(at(base, &move->y, 0), 0, (size_t)move->n * sizeof(double));
        else
            fill(at(base, &move->y, 0), move->n, move->p);
        return;
    }
    ad_unreachable();
}

static void run_group(const struct ad_plan *plan, const struct ad_plan_step *step,
                      struct ad_frame *frame)
{
    const struct ad_move *moves = plan->moves;

    for (int64_t m = step->first; m < step->before; m++)
        make_move(&moves[m], frame, 0, 0);
    for (int64_t start = 0, n; start < step->n; start += n) {
        n = AD_MIN(step->tile, step->n - start);
        if (step->row)
            n = AD_MIN(n, step->row - start % step->row);
        for (int64_t m = step->before; m < step->end; m++)
            make_move(&moves[m], frame, start, n);
    }
}

/* ---- runs ---- */

/* With labels that can be kept in a table each word jumps to the next by itself, so that the processor learns which
 * follows which; other compilers have a switch. */
#if defined(__GNUC__)
#define AD_THREADED 1
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic" /* computed goto is no ISO C */
#else
#define AD_THREADED 0
#endif

#if AD_THREADED
#define WORD(code) do_##code:
#define NEXT(n)                                                                                    \
    do {                                                                                           \
        word += (n);                                                                               \
        goto *labels[word->code];                                                                  \
    } while (0)
#else
#define WORD(code) case code:
#define NEXT(n)                                                                                    \
    do {                                                                                           \
        word += (n);                                                                               \
        goto next;                                                                                 \
    } while (0)
#endif

static void run_words(const struct ad_plan *plan, const struct ad_word_of_run *word,
                      struct ad_frame *frame)
{
    double *v = frame->value;

#if AD_THREADED
    static const void *const labels[AD_N_WORDS] = {
#define OP_LABEL(name) [AD_OP_##name] = &&do_AD_OP_##name,
#define LABEL(code) [code] = &&do_##code,
#define SHORT_LABEL(name) LABEL(AD_WORD_SHORT_##name)
#define SHORT_LABELS(name)                                                                         \
    LABEL(AD_WORD_SHORT_##name)                                                                    \
    LABEL(AD_WORD_SHORT_##name##_1) LABEL(AD_WORD_SHORT_##name##_2)
#define PAIR_LABELS(one, two)                                                                      \
    LABEL(AD_WORD_##one##_##two)                                                                   \
    LABEL(AD_WORD_##one##_##two##_1) LABEL(AD_WORD_##one##_##two##_2)
#define ALL_PAIR_LABELS(one) AD_PAIRED_SECOND(PAIR_LABELS, one)
#define UNARY(name, ...) OP_LABEL(name)
#define HIDDEN_UNARY(name, ...) OP_LABEL(name)
#define FAMILY(name, ...) OP_LABEL(name)
#define BINARY(name, ...) OP_LABEL(name)
#define HIDDEN_BINARY(name, ...) OP_LABEL(name)
#define TERNARY(name, ...) /* always recorded as an array instruction */
#include "ad_ops.def"
        LABEL(AD_WORD_ADD) LABEL(AD_WORD_FIRST) LABEL(AD_WORD_MOVE) LABEL(AD_WORD_END)
            AD_SHORT_UNARY(SHORT_LABEL) AD_SHORT_BINARY(SHORT_LABELS)
                AD_PAIRED_FIRST(ALL_PAIR_LABELS)};

    NEXT(0);
#else
next:
    switch (word->code) {
#endif

    /* ops of the table */
#define SCALAR(name)                                                                               \
    WORD(AD_OP_##name)                                                                             \
    v[word->d] = ad_point_value(AD_OP_##name, v[word->b], v[word->a], v[word->b], 0);              \
    NEXT(1);
#define UNARY(name, ...) SCALAR(name)
#define HIDDEN_UNARY(name, ...) SCALAR(name)
#define FAMILY(name, ...) SCALAR(name)
#define BINARY(name, ...) SCALAR(name)
#define HIDDEN_BINARY(name, ...) SCALAR(name)
#define TERNARY(name, ...)
#include "ad_ops.def"

    /* two of them; the first result may be an operand of the second in other ways, so it is stored before */
#define TWO(code, one, two, x, z)                                                                  \
    WORD(code)                                                                                     \
    {                                                                                              \
        const double y = ad_point_value(AD_OP_##one, 0, v[word->a], v[word->b], 0);                \
                                                                                                   \
        v[word->d] = y;                                                                            \
        v[word[1].d] = ad_point_value(AD_OP_##two, 0, x, z, 0);                                    \
        NEXT(2);                                                                                   \
    }
#define TWO_FORMS(one, two)                                                                        \
    TWO(AD_WORD_##one##_##two, one, two, v[word[1].a], v[word[1].b])                               \
    TWO(AD_WORD_##one##_##two##_1, one, two, y, v[word[1].b])                                      \
    TWO(AD_WORD_##one##_##two##_2, one, two, v[word[1].a], y)
#define ALL_TWO_FORMS(one) AD_PAIRED_SECOND(TWO_FORMS, one)
    AD_PAIRED_FIRST(ALL_TWO_FORMS)

    /* short vectors; the result is an operand itself, or no part of one */
#define FEW(code, name, x_j, z_j)                                                                  \
    WORD(code)                                                                                     \
    {                                                                                              \
        const double *xs = v + word->a, *zs = v + word->b, x_one = *xs, z_one = *zs;               \
        double *y = v + word->d;                                                                   \
                                                                                                   \
        (void)x_one, (void)z_one;                                                                  \
        AD_INDEPENDENT                                                                             \
        for (int j = 0; j < AD_SHORT; j++)                                                         \
            y[j] = ad_point_value(AD_OP_##name, 0, x_j, z_j, 0);                                   \
        NEXT(1);                                                                                   \
    }
#define ONE_FORM(name) FEW(AD_WORD_SHORT_##name, name, xs[j], zs[j])
#define THREE_FORMS(name)                                                                          \
    FEW(AD_WORD_SHORT_##name, name, xs[j], zs[j])                                                  \
    FEW(AD_WORD_SHORT_##name##_1, name, x_one, zs[j])                                              \
    FEW(AD_WORD_SHORT_##name##_2, name, xs[j], z_one)
    AD_SHORT_UNARY(ONE_FORM)
    AD_SHORT_BINARY(THREE_FORMS)

    WORD(AD_WORD_ADD)
    v[word->d] += v[word->a];
    NEXT(1);

    WORD(AD_WORD_FIRST)
    v[word->d] = 0.0 + v[word->a];
    NEXT(1);

    WORD(AD_WORD_MOVE)
    make_move(&plan->moves[word->d], frame, 0, plan->moves[word->d].n);
    NEXT(1);

    WORD(AD_WORD_END)
    return;
#if !AD_THREADED
}
#endif
}

#if AD_THREADED
#pragma GCC diagnostic pop
#endif

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
    if (run)
        return frame->base[walk->space] + walk->base;
    gather(walk, frame->base[walk->space], 0, n, y);
    *room += n;
    return y;
}

/* One matrix of an operand; that of a list is gathered. */
static struct ad_matrix matrix_of(const struct ad_frame *frame, const struct ad_walk *walk,
                                  int64_t batch, double *room)
{
    int last = walk->ndim - 1;
    int64_t index[AD_MAX_DIMS], offset = locate(walk, walk->ndim - 2, batch, index);
    struct ad_matrix m = {NULL, walk->shape[last - 1], walk->shape[last], walk->stride[last - 1],
                          walk->stride[last]};

    m.data = frame->base[walk->space] + walk->base + offset;
    if (walk->list) {
        const int32_t *list = walk->list + walk->base + offset;

        for (int64_t i = 0; i < m.rows; i++)
            for (int64_t j = 0; j < m.cols; j++)
                room[i * m.cols + j] =
                    frame->base[walk->space][list[i * m.row_stride + j * m.col_stride]];
        m.data = room;
        m.row_stride = m.cols;
        m.col_stride = 1;
    }
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
                  at(frame->base, &step->y, batch * m * n));
}

static void run_cumsum(const struct ad_plan_step *step, struct ad_frame *frame)
{
    const struct ad_walk *from = &step->views[0];
    int64_t row = from->shape[from->ndim - 1];
    double *y = at(frame->base, &step->y, 0);

    gather(from, frame->base[from->space], 0, step->n, y);
    for (int64_t start = 0; start < step->n; start += row)
        for (int64_t i = 1; i < row; i++) {
            if (step->flag)
                y[start + row - 1 - i] += y[start + row - i];
            else
                y[start + i] += y[start + i - 1];
        }
}

static void run_extremum(const struct ad_plan_step *step, struct ad_frame *frame)
{
    const struct ad_walk *from = &step->views[0];
    int64_t row = from->shape[from->ndim - 1];
    double *room = frame->room, *y = at(frame->base, &step->y, 0);
    const double *x = dense(frame, from, &room);

    for (int64_t i = 0; i < step->n; i++) {
        double best = x[i * row];

        for (int64_t j = 1; j < row; j++)
            best = step->flag ? ad_minimum(best, x[i * row + j]) : ad_maximum(best, x[i * row + j]);
        y[i] = best;
    }
}

AD_VECTOR static double sum_of_squares(const double *x, int64_t n)
{
    double lane[8] = {0}, rest = 0;
    int64_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++)
            lane[j] += x[i + j] * x[i + j];
    for (; i < n; i++)
        rest += x[i] * x[i];
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
           ((lane[4] + lane[5]) + (lane[6] + lane[7])) + rest;
}

static void run_norm(const struct ad_plan_step *step, struct ad_frame *frame)
{
    const struct ad_walk *from = &step->views[0];
    int64_t row = from->shape[from->ndim - 1];
    double *room = frame->room, *y = at(frame->base, &step->y, 0);
    const double *x = dense(frame, from, &room);

    for (int64_t i = 0; i < step->n; i++)
        y[i] = sqrt(sum_of_squares(x + i * row, row));
}

static enum ad_status run_call(const struct ad_plan *plan, const struct ad_plan_step *step,
                               struct ad_frame *frame)
{
    double *room = frame->room;

    for (int v = 0; v < step->n_views; v++)
        frame->args[v] = dense(frame, &step->views[v], &room);
    return plan->hooks->replay(step->rule, frame->args, at(frame->base, &step->y, 0));
}

/* ---- all of it ---- */

static void read_out(const struct ad_frame *frame, const struct ad_reading *reading, double *out)
{
    const double *from = frame->base[reading->walk.space];

    if (!reading->run)
        gather(&reading->walk, from, 0, reading->n, out);
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
        run_words(plan, plan->words + step->first, frame);
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
    case AD_PLAN_CALL:
        return run_call(plan, step, frame);
    }
    ad_unreachable();
    return AD_OK;
}

enum ad_status ad_run(const struct ad_plan *plan, struct ad_frame *frame,
                      const double *const *inputs, double *const *outputs, int *failed)
{
    enum ad_status status = AD_OK;
    double **base = frame->base + AD_SPACE_INPUTS;

    *failed = -1;
    for (int k = 0; k < plan->n_inputs; k++)
        base[k] = (double *)(uintptr_t)inputs[k];
    for (int k = 0; k < plan->n_outputs; k++)
        base[plan->n_inputs + k] = outputs[k];
    for (int j = 0; j < plan->n_loads; j++) {
        const struct ad_load *load = &plan->loads[j];

        memcpy(frame->value + load->to, inputs[load->input] + load->at,
               (size_t)load->n * sizeof *frame->value);
    }
    for (int64_t k = 0; k < plan->n_steps && !status; k++)
        status = ad_run_step(plan, frame, k);
    for (int g = 0; g < plan->n_guards && !status && *failed < 0; g++)
        if (!guard_holds(plan, frame, g))
            *failed = g;
    for (int k = 0; k < plan->n_outputs && !status; k++)
        if (plan->outputs[k].n)
            read_out(frame, &plan->outputs[k], outputs[k]);
    return status;
}

/* ad_moves.c -- the loops of moves. */
#include "ad_moves.h"

#include <math.h>
#include <string.h>

/* ---- walks ---- */

int64_t ad_walk_locate(const struct ad_walk *walk, int ndim, int64_t flat, int64_t *index)
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

/* Call ROW(i, at, n) for stretches of the last dimension: elements i .. i + n of those asked for
 * begin at 'at' and are walk_step apart. */
#define WALK_ROWS(walk, start, size, ROW)                                                          \
    do {                                                                                           \
        int64_t walk_index[AD_MAX_DIMS] = {0};                                                     \
        int walk_last = (walk)->ndim - 1;                                                          \
        int64_t walk_at =                                                                          \
            (walk)->base + ad_walk_locate((walk), (walk)->ndim, (start), walk_index);              \
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

/* Of elements start .. start + n of a plane whose rows are one element each: how many short rows
 * are there as a whole? *head receives the elements before them. */
static int64_t short_rows(const struct ad_walk *walk, int64_t start, int64_t n, int64_t *head)
{
    int64_t row = walk->ndim == 2 ? walk->shape[1] : 0;

    if (row == 0 || row >= LONG || row_step(walk) != 0 || walk->list)
        return 0;
    *head = (row - start % row) % row;
    return *head < n ? (n - *head) / row : 0;
}

/* The element of the row that begins at element 'start' of a plane. */
static int64_t row_place(const struct ad_walk *walk, int64_t start)
{
    return walk->base + start / walk->shape[1] * walk->stride[0];
}

AD_VECTOR static void spread_rows(double *y, const double *x, int64_t step, int64_t row,
                                  int64_t n_rows)
{
    for (int64_t r = 0; r < n_rows; r++, y += row, x += step) {
        const double c = *x;

        for (int64_t j = 0; j < row; j++)
            y[j] = c;
    }
}

enum { ROWS = 8 }; /* sums under way at once, since each addition to one waits for that before */

AD_VECTOR static void add_up_rows(double *y, int64_t step, const double *x, int64_t row,
                                  int64_t n_rows)
{
    int64_t r = 0;

    for (; r + ROWS <= n_rows; r += ROWS, x += ROWS * row) {
        double total[ROWS];

        for (int k = 0; k < ROWS; k++)
            total[k] = y[(r + k) * step];
        for (int64_t j = 0; j < row; j++)
            for (int k = 0; k < ROWS; k++)
                total[k] += x[k * row + j];
        for (int k = 0; k < ROWS; k++)
            y[(r + k) * step] = total[k];
    }
    for (; r < n_rows; r++, x += row)
        for (int64_t j = 0; j < row; j++)
            y[r * step] += x[j];
}

void ad_walk_gather(const struct ad_walk *walk, const double *from, int64_t start, int64_t n,
                    double *y)
{
    const int32_t *list = walk->list;
    int64_t head = 0, n_rows = short_rows(walk, start, n, &head);

    if (n_rows > 1) {
        int64_t tail = head + n_rows * walk->shape[1];

        ad_walk_gather(walk, from, start, head, y);
        spread_rows(y + head, from + row_place(walk, start + head), walk->stride[0], walk->shape[1],
                    n_rows);
        ad_walk_gather(walk, from, start + tail, n - tail, y + tail);
        return;
    }

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
    int64_t head = 0, n_rows = step ? short_rows(walk, start, n, &head) : 0;

    if (n_rows > 1 && walk->stride[0] != 0) {
        int64_t tail = head + n_rows * walk->shape[1];

        scatter(walk, to, start, head, x, step);
        add_up_rows(to + row_place(walk, start + head), walk->stride[0], x + head, walk->shape[1],
                    n_rows);
        scatter(walk, to, start + tail, n - tail, x + tail, step);
        return;
    }

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

/* Whole rows of at most a chunk, each added to an element of its own: what sum_part(), end_chunk()
 * and end_sum() do, with the lanes in registers. */
AD_VECTOR static void sum_short_rows(double *to, int64_t to_step, const double *x, int64_t row,
                                     int64_t n_rows)
{
    for (int64_t r = 0; r < n_rows; r++, x += row) {
        double lane[8] = {0}, rest = 0;
        int64_t i = 0;

        for (; i + 8 <= row; i += 8)
            for (int j = 0; j < 8; j++)
                lane[j] += x[i + j];
        for (; i < row; i++)
            rest += x[i];
        to[r * to_step] += ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
                           ((lane[4] + lane[5]) + (lane[6] + lane[7])) + rest;
    }
}

/* Elements start .. start + n; each row is added to an element of the walk where it ends. */
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

        if (at == 0 && row <= AD_MIN(n, AD_SUM_CHUNK) && step && !same && move->walk.ndim <= 1) {
            int64_t n_rows = n / row, to_step = row_step(&move->walk);

            sum_short_rows(to + move->walk.base + r * to_step, to_step, x, row, n_rows);
            r += n_rows;
            x += n_rows * row;
            n -= n_rows * row;
            continue;
        }
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
            to[move->walk.base + ad_walk_locate(&move->walk, move->walk.ndim, r, index)] +=
                end_sum(sum);
            at = 0;
            r++;
        }
    }
}

/* ---- chains ---- */

#define CHAIN(name, sum)                                                                           \
    AD_VECTOR static void name(double *y, const double *const *x, int64_t n)                       \
    {                                                                                              \
        const double *a = x[0], *b = x[1], *c = x[2], *d = x[3], *e = x[4], *f = x[5];             \
                                                                                                   \
        (void)c, (void)d, (void)e, (void)f;                                                        \
        AD_INDEPENDENT                                                                             \
        for (int64_t i = 0; i < n; i++)                                                            \
            y[i] = sum;                                                                            \
    }
CHAIN(chain_2, 0.0 + a[i] + b[i])
CHAIN(chain_3, 0.0 + a[i] + b[i] + c[i])
CHAIN(chain_4, 0.0 + a[i] + b[i] + c[i] + d[i])
CHAIN(chain_5, 0.0 + a[i] + b[i] + c[i] + d[i] + e[i])
CHAIN(chain_6, 0.0 + a[i] + b[i] + c[i] + d[i] + e[i] + f[i])

/* Element i, counted from the beginning of this tile, of an operand whose last elements before it are
 * kept[0 .. shift). */
static double chained(const double *x, const double *kept, int64_t shift, int64_t i)
{
    return i < 0 ? kept[shift + i] : x[i];
}

/* What is before the first element and behind the last is left out: it is no -0.0 that 0.0 is added to. */
static void make_chain(const struct ad_move *move, double *const *base, int64_t start, int64_t n)
{
    static void (*const loops[])(double *, const double *const *, int64_t) = {
        NULL, NULL, chain_2, chain_3, chain_4, chain_5, chain_6};
    const int n_args = move->chained;
    const struct ad_ref *to = &move[n_args - 1].y;
    const double *x[AD_CHAIN_MOST] = {NULL}, *at[AD_CHAIN_MOST] = {NULL};
    int64_t shift[AD_CHAIN_MOST], reach = move->y.at - to->at, head = AD_MIN(reach, n);
    double *y = ad_ref_at(base, to, start), *kept = ad_ref_at(base, &move->x[1], start);

    for (int k = 0; k < n_args; k++) {
        x[k] = ad_ref_at(base, &move[k].x[0], start);
        shift[k] = move[k].y.at - to->at;
        at[k] = x[k] + (head - shift[k]);
    }
    if (reach == 0) {
        loops[n_args](y, x, n);
        return;
    }
    if (start == 0)
        memset(kept, 0, (size_t)n_args * AD_CHAIN_REACH * sizeof *kept);
    for (int64_t j = 0; j < head; j++) {
        y[j] = 0.0;
        for (int k = 0; k < n_args; k++)
            y[j] += chained(x[k], kept + k * AD_CHAIN_REACH, shift[k], j - shift[k]);
    }
    loops[n_args](y + head, at, n - head);
    for (int k = 0; k < n_args; k++)
        for (int64_t j = 0; j < shift[k]; j++)
            kept[k * AD_CHAIN_REACH + j] =
                chained(x[k], kept + k * AD_CHAIN_REACH, shift[k], n - shift[k] + j);
    for (int64_t j = 0; j < reach && start + n == move->n; j++) {
        y[n + j] = 0.0;
        for (int k = 0; k < n_args; k++)
            y[n + j] += j < shift[k] ? kept[k * AD_CHAIN_REACH + j] : 0.0;
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

static void vector_move(const struct ad_move *move, double *const *base, int64_t start, int64_t n)
{
    struct ad_vec args[AD_MAX_ARGS] = {{NULL, 0}};

    for (int v = 0; v < ad_ops[move->op].n_args; v++) {
        const double *x = ad_ref_at(base, &move->x[v], start);

        if (move->single >> v & 1)
            args[v].c = *x;
        else
            args[v].v = x;
    }
    ad_op_vector((enum ad_op)move->op, move->p, (size_t)n, args, ad_ref_at(base, &move->y, start));
}

void ad_move_make(const struct ad_move *move, double **base, struct ad_sum *sums, int64_t start,
                  int64_t n)
{
    int64_t index[AD_MAX_DIMS];

    if (move->chained) {
        make_chain(move, base, start, n);
        return;
    }
    switch ((enum ad_move_kind)move->kind) {
    case AD_MOVE_LOOP:
        move->loop(move->p, (size_t)n, ad_ref_at(base, &move->x[0], start),
                   ad_ref_at(base, &move->x[1], start), ad_ref_at(base, &move->x[2], start),
                   ad_ref_at(base, &move->y, start));
        return;
    case AD_MOVE_VECTOR:
        vector_move(move, base, start, n);
        return;
    case AD_MOVE_GATHER:
        ad_walk_gather(&move->walk, base[move->walk.space], start, n,
                       ad_ref_at(base, &move->y, start));
        return;
    case AD_MOVE_LOCATE:
        base[move->y.space] = base[move->walk.space] + move->walk.base +
                              ad_walk_locate(&move->walk, move->walk.ndim, start, index);
        return;
    case AD_MOVE_COPY:
        if (move->single & 1)
            fill(ad_ref_at(base, &move->y, start), n, *ad_ref_at(base, &move->x[0], start));
        else
            memcpy(ad_ref_at(base, &move->y, start), ad_ref_at(base, &move->x[0], start),
                   (size_t)n * sizeof(double));
        return;
    case AD_MOVE_FIRST:
        if (move->single & 1)
            fill(ad_ref_at(base, &move->y, start), n, 0.0 + *ad_ref_at(base, &move->x[0], start));
        else
            first_run(ad_ref_at(base, &move->y, start), ad_ref_at(base, &move->x[0], start), n);
        return;
    case AD_MOVE_ADD:
        if (move->single & 1)
            add_number(ad_ref_at(base, &move->y, start), n, *ad_ref_at(base, &move->x[0], start));
        else
            add_run(ad_ref_at(base, &move->y, start), ad_ref_at(base, &move->x[0], start), n);
        return;
    case AD_MOVE_PUT:
        put(&move->walk, base[move->walk.space], start, n, ad_ref_at(base, &move->x[0], start),
            move->single & 1 ? 0 : 1);
        return;
    case AD_MOVE_SCATTER:
        scatter(&move->walk, base[move->walk.space], start, n, ad_ref_at(base, &move->x[0], start),
                move->single & 1 ? 0 : 1);
        return;
    case AD_MOVE_SUM:
        sum_rows(move, &sums[move->sum], base[move->walk.space], start, n,
                 ad_ref_at(base, &move->x[0], start));
        return;
    case AD_MOVE_FILL:
        if (move->p == 0 && !signbit(move->p))
            memset(ad_ref_at(base, &move->y, 0), 0, (size_t)move->n * sizeof(double));
        else
            fill(ad_ref_at(base, &move->y, 0), move->n, move->p);
        return;
    }
    ad_unreachable();
}

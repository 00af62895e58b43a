/* ad_ahead.c -- how far the moves of a group have got in a range, by elements of the group. */
#include "ad_ahead.h"

#include <math.h>

#include "ad_moves.h"

enum { FAR = 1 << 15 /* numbers that are not expected in the first caches */ };

/* Elements of the group up to each end of AD_TILE, and how far into the range they reach. */
struct reach {
    const struct ad_move *fill;
    int64_t n_tiles, *filled;
};

static void reaches(struct reach *reach, int64_t element, int64_t at)
{
    int64_t *filled = &reach->filled[element / AD_TILE], from = reach->fill->y.at;

    if (at >= from && at < from + reach->fill->n)
        *filled = AD_MAX(*filled, at + 1 - from);
}

static void reaches_walk(struct reach *reach, const struct ad_walk *walk)
{
    int last = walk->ndim - 1;
    int64_t index[AD_MAX_DIMS], n = ad_shape_size(walk->ndim, walk->shape),
                                row = last < 0 ? 1 : walk->shape[last],
                                step = last < 0 ? 0 : walk->stride[last];

    for (int64_t k = 0; k < n; k += row) {
        int64_t at = walk->base + ad_walk_locate(walk, walk->ndim, k, index);

        for (int64_t j = 0; j < row; j++, at += step)
            reaches(reach, k + j, walk->list ? walk->list[at] : at);
    }
}

/* All of it is wanted before the first element. */
static void reaches_all(struct reach *reach)
{
    reach->filled[0] = reach->fill->n;
}

static void reaches_ref(struct reach *reach, const struct ad_ref *ref, int64_t n)
{
    int64_t from = reach->fill->y.at, size = reach->fill->n;

    if (ref->space != reach->fill->y.space || ref->at >= from + size ||
        ref->at + (ref->step ? n : 1) <= from)
        return;
    if (!ref->step) {
        reaches_all(reach);
        return;
    }
    for (int64_t k = 0; k < reach->n_tiles; k++) {
        int64_t end = ref->at + AD_MIN((k + 1) * AD_TILE, n) - from;

        reach->filled[k] = AD_MAX(reach->filled[k], AD_MIN(end, size));
    }
}

static void reaches_move(struct reach *reach, const struct ad_move *move, int64_t n)
{
    switch ((enum ad_move_kind)move->kind) {
    case AD_MOVE_PUT:
    case AD_MOVE_SCATTER:
        reaches_ref(reach, &move->x[0], n);
        if (move->walk.space == reach->fill->y.space)
            reaches_walk(reach, &move->walk);
        return;
    case AD_MOVE_COPY:
    case AD_MOVE_FIRST:
    case AD_MOVE_ADD:
        reaches_ref(reach, &move->x[0], n);
        reaches_ref(reach, &move->y, n);
        return;
    case AD_MOVE_LOOP:
    case AD_MOVE_VECTOR:
        for (int v = 0; v < ad_ops[move->op].n_args; v++)
            reaches_ref(reach, &move->x[v], n);
        reaches_ref(reach, &move->y, n);
        return;
    case AD_MOVE_SUM:
    case AD_MOVE_GATHER:
    case AD_MOVE_LOCATE:
        if (move->walk.space == reach->fill->y.space)
            reaches_all(reach);
        return;
    case AD_MOVE_FILL:
        return;
    }
    ad_unreachable();
}

enum ad_status ad_fill_ahead(struct ad_lowering *b, struct ad_move *moves, int64_t before,
                             int64_t end, int64_t n, const int64_t **filled)
{
    struct reach reach = {.n_tiles = (n + AD_TILE - 1) / AD_TILE};
    int64_t longest = 0;

    *filled = NULL;
    for (int64_t m = 1; m < before; m++)
        if (moves[m].n > moves[longest].n)
            longest = m;
    if (before == 0 || moves[longest].p != 0 || signbit(moves[longest].p) ||
        moves[longest].n < FAR || n < FAR)
        return AD_OK;
    reach.filled = ad_lower_room(b, (size_t)reach.n_tiles * sizeof *reach.filled);
    if (!reach.filled)
        return AD_NO_MEMORY;
    for (int64_t k = 0; k < reach.n_tiles; k++)
        reach.filled[k] = 0;
    struct ad_move fill = moves[longest];

    moves[longest] = moves[before - 1];
    moves[before - 1] = fill;
    reach.fill = &fill;
    for (int64_t m = before; m < end; m++)
        reaches_move(&reach, &moves[m], n);
    for (int64_t k = 1; k < reach.n_tiles; k++)
        reach.filled[k] = AD_MAX(reach.filled[k], reach.filled[k - 1]);
    reach.filled[reach.n_tiles - 1] = fill.n;
    *filled = reach.filled;
    return AD_OK;
}

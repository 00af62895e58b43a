/* ad_plan.c -- the steps of a plan, and what comes before and after them. */
#include "ad_plan.h"

#include <stdlib.h>
#include <string.h>

#include "ad_ahead.h"
#include "ad_index.h"
#include "ad_moves.h"

enum {
    MOST_STREAMS = 8,
    FAR = 1 << 15 /* elements of a vector that is not expected in the first caches */
};

struct planning {
    struct ad_fusion fusion;
    struct ad_lowering lower;
    struct ad_plan *plan;
    int64_t steps_capacity, loads_capacity;
};

static enum ad_status status_of(bool done)
{
    return done ? AD_OK : AD_NO_MEMORY;
}

static enum ad_status plan_kernel(struct planning *p, const int64_t *block,
                                  struct ad_plan_step *step)
{
    struct ad_kernel *kernel = ad_lower_room(&p->lower, sizeof *kernel);
    const int64_t *words = block + AD_BLOCK_HEADER;
    struct ad_view views[AD_KERNEL_MOST_ARGS];
    const char *unfit;
    double parameter;

    if (!kernel)
        return AD_NO_MEMORY;
    memcpy(&parameter, block + 3, sizeof parameter);
    for (int v = 0; v < step->n_views; v++)
        words = ad_view_decode(words, &views[v]);
    unfit = ad_kernel_read(block[4], parameter, step->n_views, views, kernel);
    ad_assert(!unfit);
    (void)unfit;
    step->kernel = kernel;
    return AD_OK;
}

static enum ad_status plan_single(struct planning *p, int32_t i, struct ad_plan_step *step)
{
    struct ad_lowering *b = &p->lower;
    static const enum ad_plan_step_kind kinds[] = {
        [AD_MATMUL - AD_INPUT] = AD_PLAN_MATMUL,     [AD_CUMSUM - AD_INPUT] = AD_PLAN_CUMSUM,
        [AD_EXTREMUM - AD_INPUT] = AD_PLAN_EXTREMUM, [AD_NORM - AD_INPUT] = AD_PLAN_NORM,
        [AD_ARGSORT - AD_INPUT] = AD_PLAN_ARGSORT,   [AD_GATHER - AD_INPUT] = AD_PLAN_GATHER,
        [AD_SCATTER - AD_INPUT] = AD_PLAN_SCATTER,   [AD_KERNEL - AD_INPUT] = AD_PLAN_KERNEL,
        [AD_CALL - AD_INPUT] = AD_PLAN_CALL};
    const int64_t *block = b->tape->aux + b->tape->a[i], *words = block + AD_BLOCK_HEADER;
    struct ad_walk *walks = ad_lower_room(b, (size_t)AD_MAX(block[1], 1) * sizeof *walks);
    int64_t room = 0;
    enum ad_status status = status_of(walks != NULL);

    for (int64_t v = 0; v < block[1] && !status; v++) {
        struct ad_view view;

        words = ad_view_decode(words, &view);
        status = ad_lower_view(b, &view, &walks[v]);
        room += ad_view_size(&view);
    }
    if (status)
        return status;
    step->kind = kinds[ad_tape_code(b->tape, i) - AD_INPUT];
    step->instr = i;
    step->flag = block[4] != 0;
    step->n = block[2];
    step->views = walks;
    step->n_views = (int)block[1];
    step->y = block[2] ? ad_lower_result(b, i, 0) : (struct ad_ref){AD_SPACE_FRAME, 0, 0};
    if (step->kind == AD_PLAN_ARGSORT)
        room += ad_index_room(walks[0].shape[walks[0].ndim - 1]);
    p->plan->n_room = AD_MAX(p->plan->n_room, room);
    if (step->kind == AD_PLAN_KERNEL)
        return plan_kernel(p, block, step);
    if (step->kind == AD_PLAN_CALL) {
        step->rule = (void *)(uintptr_t)block[4];
        p->plan->hooks->hold(step->rule);
    }
    return AD_OK;
}

/* Elements of a tile, so that tiles of all results stay in the first cache. */
static int64_t tile_of(const struct ad_step *step)
{
    int64_t tile = step->n_tiles <= 8 ? 512 : step->n_tiles <= 20 ? 256 : 128;

    tile = AD_MIN(tile, step->n);
    if (step->row)
        tile = AD_MIN(tile, step->row);
    return (tile + 7) & ~(int64_t)7;
}

/* Moves to be made before the loop come first. */
static enum ad_status end_group(const struct ad_lowering *b, struct ad_plan_step *step)
{
    int64_t n = b->code.n_moves - step->first, at = 0;
    struct ad_move *moves = b->code.moves + step->first, *sorted;

    step->before = step->first;
    step->end = b->code.n_moves;
    if (!b->fills)
        return AD_OK;
    sorted = malloc((size_t)n * sizeof *sorted);
    if (!sorted)
        return AD_NO_MEMORY;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t m = 0; m < n; m++)
            if ((moves[m].kind == AD_MOVE_FILL) == (pass == 0)) {
                step->before += pass == 0;
                sorted[at++] = moves[m];
            }
    memcpy(moves, sorted, (size_t)n * sizeof *sorted);
    free(sorted);
    return AD_OK;
}

/* May the moves, of which the second adds to what the first has begun, be parts of one chain? */
static bool may_chain(const struct ad_move *first, const struct ad_move *next, int64_t low)
{
    return next->kind == AD_MOVE_ADD && !next->single && next->y.space == first->y.space &&
           next->y.step == first->y.step && next->y.at <= low &&
           first->y.at - next->y.at <= AD_CHAIN_REACH;
}

/*
 * What is first in its place, and what is added to it, as chains.  Operands that are gathered come first.  The results
 * that a chain leaves to the next tile are beyond its lowest range in this one; scattered parts, which follow that range
 * (ad_overlap.h), do not add to them yet.
 */
static void chain_moves(struct ad_lowering *b, const struct ad_plan_step *step)
{
    struct ad_move *moves = b->code.moves;

    for (int64_t m = step->before; m < step->end; m++) {
        struct ad_move *first = &moves[m];
        int64_t low = first->y.at, next = m + 1;
        int n = 1;

        if (first->kind != AD_MOVE_FIRST || first->single ||
            step->tile < AD_CHAIN_MOST * AD_CHAIN_REACH)
            continue;
        for (; next < step->end && n < AD_CHAIN_MOST && moves[next].instr == first->instr; next++) {
            struct ad_move move = moves[next];

            if (move.kind == AD_MOVE_GATHER || move.kind == AD_MOVE_LOCATE) {
                memmove(first + 1, first, (size_t)(&moves[next] - first) * sizeof *first);
                *first++ = move;
            } else if (may_chain(first, &move, low)) {
                low = move.y.at;
                n++;
            } else {
                break;
            }
        }
        if (n > 1) {
            first->chained = (uint8_t)n;
            first->x[1] = (struct ad_ref){AD_SPACE_TILES, 0, 0};
            if (low < first->y.at)
                first->x[1].at = b->n_tiles++ * b->tile;
        }
        m = next - 1;
    }
}

/* A place in memory of which each tile reads or writes a stretch, once; at most MOST_STREAMS. */
static void add_stream(struct ad_ref *streams, int *n, const struct ad_ref *ref)
{
    enum { CLOSE = 64 };
    bool known = ref->space == AD_SPACE_TILES || ref->space < 0 || !ref->step;

    for (int k = 0; k < *n && !known; k++)
        known = streams[k].space == ref->space && streams[k].at - ref->at < CLOSE &&
                ref->at - streams[k].at < CLOSE;
    if (!known && *n < MOST_STREAMS)
        streams[(*n)++] = *ref;
}

/* What the moves of a long group read and write. */
static enum ad_status find_streams(struct ad_lowering *b, struct ad_plan_step *step)
{
    struct ad_ref streams[MOST_STREAMS], *kept;
    int n = 0;

    if (step->n < FAR)
        return AD_OK;
    for (int64_t m = step->before; m < step->end; m++) {
        const struct ad_move *move = &b->code.moves[m];

        switch ((enum ad_move_kind)move->kind) {
        case AD_MOVE_LOOP:
        case AD_MOVE_VECTOR:
            for (int v = 0; v < ad_ops[move->op].n_args; v++)
                add_stream(streams, &n, &move->x[v]);
            add_stream(streams, &n, &move->y);
            break;
        case AD_MOVE_COPY:
        case AD_MOVE_FIRST:
        case AD_MOVE_ADD:
            add_stream(streams, &n, &move->x[0]);
            add_stream(streams, &n, &move->y);
            break;
        case AD_MOVE_PUT:
        case AD_MOVE_SCATTER:
        case AD_MOVE_SUM:
            add_stream(streams, &n, &move->x[0]);
            break;
        case AD_MOVE_GATHER:
        case AD_MOVE_LOCATE:
        case AD_MOVE_FILL:
            break;
        }
    }
    kept = ad_lower_room(b, (size_t)AD_MAX(n, 1) * sizeof *kept);
    if (!kept)
        return AD_NO_MEMORY;
    memcpy(kept, streams, (size_t)n * sizeof *kept);
    step->streams = kept;
    step->n_streams = n;
    return AD_OK;
}

static enum ad_status plan_step(struct planning *p, const struct ad_step *from)
{
    struct ad_plan *plan = p->plan;
    struct ad_lowering *b = &p->lower;
    bool group = from->kind == AD_STEP_GROUP;
    struct ad_plan_step step = {.kind = group ? AD_PLAN_GROUP : AD_PLAN_RUN,
                                .first = group ? b->code.n_moves : b->code.n_words,
                                .instr = -1,
                                .n = from->n,
                                .row = from->row,
                                .tile = group ? tile_of(from) : 0};
    enum ad_status status = AD_OK;

    if (!ad_one_more((void **)&plan->steps, plan->n_steps, &p->steps_capacity, sizeof step))
        return AD_NO_MEMORY;
    b->step = from;
    b->in_frame = from->kind == AD_STEP_RUN;
    b->fills = false;
    b->tile = step.tile;
    b->n_tiles = from->n_tiles;
    b->n_located = b->n_sums = 0;
    b->first_move = b->code.n_moves;
    for (int32_t m = from->first; m < from->end && !status; m++)
        status = from->kind == AD_STEP_SINGLE
                     ? plan_single(p, p->fusion.grouping.members[m].instr, &step)
                     : ad_lower_member(b, &p->fusion.grouping.members[m]);
    if (!status && from->kind == AD_STEP_RUN)
        status = ad_lower_end_run(b, step.first);
    if (!status && group)
        status = end_group(b, &step);
    if (status)
        return status;
    if (group)
        chain_moves(b, &step);
    if (group)
        status = find_streams(b, &step);
    if (group && !status)
        status = ad_fill_ahead(b, b->code.moves + step.first, step.before - step.first,
                               step.end - step.first, step.n, &step.filled);
    if (status)
        return status;
    plan->n_sums = AD_MAX(plan->n_sums, b->n_sums);
    plan->n_tiles = AD_MAX(plan->n_tiles, b->n_tiles * b->tile);
    plan->n_spaces = AD_MAX(plan->n_spaces, b->n_located);
    plan->steps[plan->n_steps++] = step;
    return AD_OK;
}

/* Stretches of the inputs that are wanted in the frame; small gaps are loaded along. */
static enum ad_status plan_loads(struct planning *p)
{
    struct ad_plan *plan = p->plan;
    const struct ad_tape *tape = p->lower.tape;
    enum { GAP = 8 };

    for (int k = 0; k < p->lower.code.n_inputs; k++) {
        const uint8_t *wanted = p->fusion.wanted + tape->dst[k];
        int64_t n = p->fusion.results[k].place < 0 ? 0 : ad_tape_length(tape, k), end;

        for (int64_t j = 0; j < n; j = end) {
            end = j + 1;
            if (!wanted[j])
                continue;
            for (int64_t more = end; more < n && more < end + GAP; more++)
                if (wanted[more])
                    end = more + 1;
            if (!ad_one_more((void **)&plan->loads, plan->n_loads, &p->loads_capacity,
                             sizeof *plan->loads))
                return AD_NO_MEMORY;
            plan->loads[plan->n_loads++] =
                (struct ad_load){k, j, p->fusion.results[k].place + j, end - j};
        }
    }
    return AD_OK;
}

static enum ad_status plan_reading(struct ad_lowering *b, const struct ad_view *view,
                                   struct ad_reading *reading)
{
    enum ad_status status = ad_lower_view(b, view, &reading->walk);

    reading->n = ad_view_size(view);
    reading->run = ad_walk_is_run(&reading->walk);
    return status;
}

static enum ad_status plan_ends(struct planning *p)
{
    struct ad_plan *plan = p->plan;
    struct ad_lowering *b = &p->lower;
    enum ad_status status = AD_OK;

    b->step = NULL;
    b->in_frame = false;
    for (int k = 0; k < b->code.n_outputs && !status; k++) {
        struct ad_reading *output = &plan->outputs[k];

        status = plan_reading(b, &b->program->outputs[k], output);
        if (!status && output->n > 0 && output->run &&
            output->walk.space == AD_SPACE_INPUTS + b->code.n_inputs + k)
            output->n = 0; /* there already */
    }
    b->in_frame = b->lists_in_frame = true; /* where they are to be found after a run */
    for (int g = 0; g < plan->n_guards && !status; g++) {
        const struct ad_guard *guard = &b->program->guards[g];

        plan->expected[g] = ad_lower_room(b, (size_t)AD_MAX(guard->n, 1) * sizeof(double));
        if (!plan->expected[g])
            return AD_NO_MEMORY;
        if (guard->n)
            memcpy(plan->expected[g], guard->expected, (size_t)guard->n * sizeof(double));
        plan->n_room = AD_MAX(plan->n_room, guard->n);
        status = plan_reading(b, &guard->view, &plan->guards[g]);
    }
    return status;
}

/* Spaces of located rows come after those of arrays, which are all known now. */
static void number_spaces(struct ad_plan *plan)
{
    int first =
        AD_SPACE_INPUTS + plan->code.n_inputs + plan->code.n_outputs + (int)plan->code.n_arrays;

    for (int64_t m = 0; m < plan->code.n_moves; m++) {
        struct ad_move *move = &plan->code.moves[m];

        if (move->y.space < 0)
            move->y.space = first - 1 - move->y.space;
        for (int v = 0; v < AD_MAX_ARGS; v++)
            if (move->x[v].space < 0)
                move->x[v].space = first - 1 - move->x[v].space;
    }
    plan->n_spaces += first;
}

static enum ad_status build(struct planning *p)
{
    struct ad_plan *plan = p->plan;
    const struct ad_program *program = p->lower.program;
    enum ad_status status = AD_OK;

    plan->n_guards = program->n_guards;
    plan->hooks = program->tape->hooks;
    plan->outputs = calloc((size_t)program->n_outputs + 1, sizeof *plan->outputs);
    plan->guards = calloc((size_t)program->n_guards + 1, sizeof *plan->guards);
    plan->expected = calloc((size_t)program->n_guards + 1, sizeof *plan->expected);
    if (!plan->outputs || !plan->guards || !plan->expected)
        return AD_NO_MEMORY;
    for (int32_t k = 0; k < p->fusion.grouping.n_steps && !status; k++)
        status = plan_step(p, &p->fusion.grouping.steps[k]);
    if (!status)
        status = plan_loads(p);
    if (!status)
        status = plan_ends(p);
    plan->numbers_at = ad_lower_numbers_at(&p->fusion);
    plan->n_frame = plan->numbers_at + p->lower.code.n_numbers + AD_SHORT;
    if (!status && plan->n_frame > INT32_MAX)
        status = AD_NO_SLOTS;
    return status;
}

static enum ad_status make(const struct ad_program *program, bool traced, struct ad_plan **plan)
{
    struct planning p = {.plan = NULL};
    enum ad_status status = ad_fusion_new(program, &p.fusion);

    *plan = NULL;
    if (status)
        return status;
    p.plan = calloc(1, sizeof *p.plan);
    status = ad_lowering_begin(&p.lower, program, &p.fusion);
    p.lower.traced = traced;
    if (!p.plan)
        status = AD_NO_MEMORY;
    if (!status)
        status = build(&p);
    ad_lowering_end(&p.lower);
    ad_fusion_free(&p.fusion);
    if (p.plan)
        p.plan->code = p.lower.code;
    if (status) {
        ad_plan_free(p.plan);
        return status;
    }
    number_spaces(p.plan);
    *plan = p.plan;
    return AD_OK;
}

enum ad_status ad_plan_new(const struct ad_program *program, struct ad_plan **plan)
{
    return make(program, false, plan);
}

enum ad_status ad_plan_new_traced(const struct ad_program *program, struct ad_plan **plan)
{
    return make(program, true, plan);
}

void ad_plan_free(struct ad_plan *plan)
{
    if (!plan)
        return;
    for (int64_t k = 0; k < plan->n_steps; k++)
        if (plan->steps[k].kind == AD_PLAN_CALL)
            plan->hooks->release(plan->steps[k].rule);
    ad_lowered_free(&plan->code);
    free(plan->loads);
    free(plan->steps);
    free(plan->outputs);
    free(plan->guards);
    free((void *)plan->expected);
    free(plan);
}

int64_t ad_plan_bytes(const struct ad_plan *plan)
{
    return (int64_t)sizeof *plan + plan->n_steps * (int64_t)sizeof *plan->steps +
           plan->code.n_words * (int64_t)sizeof *plan->code.words +
           plan->code.n_moves * (int64_t)sizeof *plan->code.moves +
           plan->code.n_numbers * (int64_t)sizeof *plan->code.numbers;
}

int64_t ad_plan_frame_bytes(const struct ad_plan *plan)
{
    return (plan->n_frame + plan->n_tiles + plan->n_room) * (int64_t)sizeof(double) +
           plan->n_spaces * (int64_t)sizeof(double *);
}

/* ad_map.c -- rows to lanes, lanes to rows, and what runs in between. */
#include "ad_map.h"

#include <stdlib.h>
#include <string.h>

enum {
    MOST_LANES = 512,
    LEAST_LANES = 32,
    CACHE_BYTES = 1 << 18, /* what a frame of lanes should not exceed: most of a second cache */
    MOST_BYTES = 1 << 22,  /* what it must not exceed */
    LONG_VECTOR = 192      /* results per instruction from which on lanes bring nothing */
};

struct ad_map {
    const struct ad_plan *plan; /* of one row; not owned */
    struct ad_plan *batch;      /* of 'lanes' rows, or NULL */
    int64_t lanes;              /* 1 without 'batch' */
    int n_inputs, n_outputs, n_guards;
    int64_t *sizes;    /* of each input, output and guard: elements in one row */
    uint8_t *shared;   /* of each input */
    double **expected; /* of each guard, what it has to see */
    double *numbers;   /* what they point into */
};

struct ad_map_work {
    struct ad_frame *frame;
    double *room;          /* of the buffers, for the inputs, outputs and guards in turn */
    double **buffers;      /* of each of them: its elements, lane by lane */
    const double **inputs; /* of the run under way */
    double **outputs;      /* outputs and guards */
};

static int64_t n_ends(const struct ad_map *map)
{
    return map->n_inputs + map->n_outputs + map->n_guards;
}

/* ---- making a map ---- */

static enum ad_status plan_lanes(const struct ad_program *program, const uint8_t *shared,
                                 int64_t lanes, struct ad_plan **plan)
{
    struct ad_program *batch;
    enum ad_status status = ad_batch_new(program, lanes, shared, &batch);

    *plan = NULL;
    if (status || !batch)
        return status;
    status = ad_plan_new(batch, plan);
    ad_program_free(batch);
    return status == AD_NO_SLOTS ? AD_OK : status;
}

/* As many lanes as leave the frame in the cache, a power of two. */
static enum ad_status choose_lanes(struct ad_map *map, const struct ad_program *program)
{
    int64_t bytes = ad_plan_frame_bytes(map->plan), lanes = MOST_LANES;
    enum ad_status status;

    if (bytes > MOST_BYTES / LEAST_LANES * 4) /* though it may come down, it will hardly so far */
        return AD_OK;
    for (;;) {
        status = plan_lanes(program, map->shared, lanes, &map->batch);
        if (status || !map->batch)
            return status;
        bytes = ad_plan_frame_bytes(map->batch);
        map->lanes = lanes;
        if (bytes <= CACHE_BYTES || (lanes == LEAST_LANES && bytes <= MOST_BYTES))
            return AD_OK;
        ad_plan_free(map->batch);
        map->batch = NULL;
        map->lanes = 1;
        if (lanes == LEAST_LANES)
            return AD_OK;
        while (lanes > LEAST_LANES && bytes > CACHE_BYTES) {
            lanes /= 2;
            bytes /= 2;
        }
    }
}

/* Are the results of an instruction few, on the average? */
static bool has_short_vectors(const struct ad_program *program)
{
    const struct ad_tape *tape = program->tape;
    int64_t slots = tape->n_slots, instructions = tape->n - program->n_inputs;

    for (int k = 0; k < program->n_inputs; k++)
        slots -= ad_tape_length(tape, k);
    return slots < LONG_VECTOR * instructions;
}

static bool copy_ends(struct ad_map *map, const struct ad_program *program, const uint8_t *shared)
{
    int64_t n = 0, *size, at = 0;

    map->n_inputs = program->n_inputs;
    map->n_outputs = program->n_outputs;
    map->n_guards = program->n_guards;
    size = map->sizes = malloc(((size_t)n_ends(map) + 1) * sizeof *size);
    map->shared = malloc((size_t)program->n_inputs + 1);
    map->expected = malloc(((size_t)program->n_guards + 1) * sizeof *map->expected);
    if (!map->sizes || !map->shared || !map->expected)
        return false;
    for (int k = 0; k < program->n_inputs; k++)
        *size++ = ad_view_size(&program->inputs[k]);
    for (int k = 0; k < program->n_outputs; k++)
        *size++ = ad_view_size(&program->outputs[k]);
    for (int g = 0; g < program->n_guards; g++)
        n += *size++ = program->guards[g].n;
    if (program->n_inputs)
        memcpy(map->shared, shared, (size_t)program->n_inputs);
    map->numbers = malloc(((size_t)n + 1) * sizeof *map->numbers);
    if (!map->numbers)
        return false;
    for (int g = 0; g < program->n_guards; at += program->guards[g++].n) {
        map->expected[g] = map->numbers + at;
        if (program->guards[g].n)
            memcpy(map->expected[g], program->guards[g].expected,
                   (size_t)program->guards[g].n * sizeof *map->numbers);
    }
    return true;
}

enum ad_status ad_map_new(const struct ad_program *program, const struct ad_plan *plan,
                          const uint8_t *shared, bool one_by_one, struct ad_map **map)
{
    struct ad_map *made = calloc(1, sizeof *made);
    enum ad_status status = AD_OK;

    *map = NULL;
    if (!made)
        return AD_NO_MEMORY;
    made->plan = plan;
    made->lanes = 1;
    if (!copy_ends(made, program, shared))
        status = AD_NO_MEMORY;
    else if (!one_by_one && has_short_vectors(program))
        status = choose_lanes(made, program);
    if (status)
        ad_map_free(made);
    else
        *map = made;
    return status;
}

void ad_map_free(struct ad_map *map)
{
    if (!map)
        return;
    ad_plan_free(map->batch);
    free(map->sizes);
    free(map->shared);
    free((void *)map->expected);
    free(map->numbers);
    free(map);
}

int64_t ad_map_lanes(const struct ad_map *map)
{
    return map->lanes;
}

enum ad_status ad_map_batch(const struct ad_map *map, const struct ad_program *program,
                            struct ad_program **batch)
{
    *batch = NULL;
    return map->batch ? ad_batch_new(program, map->lanes, map->shared, batch) : AD_OK;
}

void ad_map_use_native(struct ad_map *map, ad_native *native, int64_t n_work)
{
    ad_assert(map->batch);
    map->batch->native = native;
    map->batch->n_native = n_work;
}

struct ad_map_work *ad_map_work_new(const struct ad_map *map)
{
    struct ad_map_work *work = calloc(1, sizeof *work);
    int64_t n = 0, ends = n_ends(map);

    if (!work)
        return NULL;
    for (int64_t k = 0; k < ends; k++)
        n += k < map->n_inputs && map->shared[k] ? 0 : map->sizes[k] * map->lanes;
    work->frame = ad_frame_new(map->batch ? map->batch : map->plan);
    work->room = malloc(((size_t)n + 1) * sizeof *work->room);
    work->buffers = malloc(((size_t)ends + 1) * sizeof *work->buffers);
    work->inputs = malloc(((size_t)map->n_inputs + 1) * sizeof *work->inputs);
    work->outputs = malloc(((size_t)ends + 1) * sizeof *work->outputs);
    if (!work->frame || !work->room || !work->buffers || !work->inputs || !work->outputs) {
        ad_map_work_free(work);
        return NULL;
    }
    n = 0;
    for (int64_t k = 0; k < ends; k++) {
        work->buffers[k] = work->room + n;
        n += k < map->n_inputs && map->shared[k] ? 0 : map->sizes[k] * map->lanes;
    }
    return work;
}

void ad_map_work_free(struct ad_map_work *work)
{
    if (!work)
        return;
    ad_frame_free(work->frame);
    free(work->room);
    free((void *)work->buffers);
    free((void *)work->inputs);
    free((void *)work->outputs);
    free(work);
}

/* ---- rows and lanes ---- */

enum { BLOCK = 8 }; /* elements that are moved together: a line of the cache */

/* Rows that lie one after the other; with a constant size the compiler makes shuffles of it. */
AD_INLINE void deal(const double *restrict rows, int64_t n, int64_t size, int64_t step,
                    double *restrict lanes)
{
    for (int64_t r = 0; r < n; r++)
        for (int64_t j = 0; j < size; j++)
            lanes[j * step + r] = rows[r * size + j];
}

AD_INLINE void collect(const double *restrict lanes, int64_t n, int64_t size, int64_t step,
                       double *restrict rows)
{
    for (int64_t r = 0; r < n; r++)
        for (int64_t j = 0; j < size; j++)
            rows[r * size + j] = lanes[j * step + r];
}

/* Element j of row r < n to lanes[j * step + r]; the lanes behind are those of the last row. */
AD_VECTOR static void rows_to_lanes(const struct ad_rows *rows, int64_t first, int64_t n,
                                    int64_t size, int64_t step, double *lanes)
{
    const double *from = rows->data + first * rows->row_stride;
    bool dense = rows->stride == 1 && rows->row_stride == size;

    if (dense && size == 2)
        deal(from, n, 2, step, lanes);
    else if (dense && size == 3)
        deal(from, n, 3, step, lanes);
    else if (dense && size == 4)
        deal(from, n, 4, step, lanes);
    else
        for (int64_t block = 0; block < size; block += BLOCK)
            for (int64_t j = block; j < AD_MIN(block + BLOCK, size); j++)
                for (int64_t r = 0; r < n; r++)
                    lanes[j * step + r] = from[r * rows->row_stride + j * rows->stride];
    for (int64_t j = 0; j < size; j++)
        for (int64_t r = n; r < step; r++)
            lanes[j * step + r] = lanes[j * step + n - 1];
}

AD_VECTOR static void lanes_to_rows(const double *lanes, int64_t n, int64_t size, int64_t step,
                                    double *rows)
{
    if (size == 2)
        collect(lanes, n, 2, step, rows);
    else if (size == 3)
        collect(lanes, n, 3, step, rows);
    else if (size == 4)
        collect(lanes, n, 4, step, rows);
    else
        for (int64_t block = 0; block < size; block += BLOCK)
            for (int64_t r = 0; r < n; r++)
                for (int64_t j = block; j < AD_MIN(block + BLOCK, size); j++)
                    rows[r * size + j] = lanes[j * step + r];
}

/* ---- running ---- */

/* Returns how many rows fail. */
static int64_t check_guards(const struct ad_map *map, const struct ad_map_work *work, int64_t n,
                            int32_t *failed)
{
    int64_t n_failed = 0;

    for (int64_t r = 0; r < n; r++)
        failed[r] = -1;
    for (int g = map->n_guards - 1; g >= 0; g--) { /* the first that fails is to stay */
        const double *seen = work->buffers[map->n_inputs + map->n_outputs + g];

        for (int64_t j = 0; j < map->sizes[map->n_inputs + map->n_outputs + g]; j++)
            for (int64_t r = 0; r < n; r++)
                if (!ad_same_bits(seen[j * map->lanes + r], map->expected[g][j]))
                    failed[r] = g;
    }
    for (int64_t r = 0; r < n; r++)
        n_failed += failed[r] >= 0;
    return n_failed;
}

/* Up to 'lanes' rows side by side. */
static enum ad_status run_lanes(const struct ad_map *map, struct ad_map_work *work,
                                const struct ad_rows *inputs, double *const *outputs, int64_t first,
                                int64_t n, int32_t *failed, int64_t *n_failed)
{
    bool full = n == map->lanes;
    enum ad_status status;
    int none;

    for (int k = 0; k < map->n_inputs; k++) {
        const struct ad_rows *rows = &inputs[k];

        if (map->shared[k]) {
            work->inputs[k] = rows->data;
        } else if (full && map->sizes[k] == 1 && rows->row_stride == 1) {
            work->inputs[k] = rows->data + first;
        } else {
            rows_to_lanes(rows, first, n, map->sizes[k], map->lanes, work->buffers[k]);
            work->inputs[k] = work->buffers[k];
        }
    }
    for (int k = 0; k < map->n_outputs; k++)
        work->outputs[k] = full && map->sizes[map->n_inputs + k] == 1
                               ? outputs[k] + first
                               : work->buffers[map->n_inputs + k];
    for (int g = 0; g < map->n_guards; g++)
        work->outputs[map->n_outputs + g] = work->buffers[map->n_inputs + map->n_outputs + g];
    status = ad_run(map->batch, work->frame, work->inputs, work->outputs, &none);
    if (status)
        return status;
    for (int k = 0; k < map->n_outputs; k++) {
        int64_t size = map->sizes[map->n_inputs + k];

        if (work->outputs[k] == work->buffers[map->n_inputs + k])
            lanes_to_rows(work->outputs[k], n, size, map->lanes, outputs[k] + first * size);
    }
    *n_failed += check_guards(map, work, n, failed + first);
    return AD_OK;
}

/* Without lanes the buffers hold one row. */
static enum ad_status run_row(const struct ad_map *map, struct ad_map_work *work,
                              const struct ad_rows *inputs, double *const *outputs, int64_t r,
                              int32_t *failed, int64_t *n_failed)
{
    enum ad_status status;
    int guard;

    for (int k = 0; k < map->n_inputs; k++) {
        const struct ad_rows *rows = &inputs[k];

        work->inputs[k] = rows->data + r * rows->row_stride;
        if (rows->stride != 1 && map->sizes[k] > 1) {
            rows_to_lanes(rows, r, 1, map->sizes[k], 1, work->buffers[k]);
            work->inputs[k] = work->buffers[k];
        }
    }
    for (int k = 0; k < map->n_outputs; k++)
        work->outputs[k] = outputs[k] + r * map->sizes[map->n_inputs + k];
    status = ad_run(map->plan, work->frame, work->inputs, work->outputs, &guard);
    failed[r] = guard;
    *n_failed += guard >= 0;
    return status;
}

enum ad_status ad_map_run(const struct ad_map *map, struct ad_map_work *work,
                          const struct ad_rows *inputs, double *const *outputs, int64_t first,
                          int64_t n, int32_t *failed, int64_t *n_failed)
{
    enum ad_status status = AD_OK;

    *n_failed = 0;
    for (int64_t r = first, end = first + n, few; r < end && !status; r += few) {
        few = AD_MIN(map->lanes, end - r);
        status = map->batch ? run_lanes(map, work, inputs, outputs, r, few, failed, n_failed)
                            : run_row(map, work, inputs, outputs, r, failed, n_failed);
    }
    return status;
}

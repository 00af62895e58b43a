/* ad_sets.c -- the table of shapes, and unions of runs. */
#include "ad_sets.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SHAPES = 256, FIRST_RUNS = 1024, FIRST_TABLE = 1024 };

void ad_sets_free(struct ad_sets *sets)
{
    free(sets->runs);
    free(sets->start);
    free(sets->count);
    free(sets->table);
    free(sets->unions);
    memset(sets, 0, sizeof *sets);
}

enum ad_status ad_sets_new(int64_t limit, struct ad_sets *sets)
{
    memset(sets, 0, sizeof *sets);
    sets->limit = limit;
    sets->run_capacity = FIRST_RUNS;
    sets->shape_capacity = FIRST_SHAPES;
    sets->table_size = FIRST_TABLE;
    sets->runs = malloc(FIRST_RUNS * sizeof *sets->runs);
    sets->start = malloc((FIRST_SHAPES + 1) * sizeof *sets->start);
    sets->count = malloc(FIRST_SHAPES * sizeof *sets->count);
    sets->table = calloc(FIRST_TABLE, sizeof *sets->table);
    sets->unions = calloc((size_t)1 << AD_UNION_BITS, sizeof *sets->unions);
    if (!sets->runs || !sets->start || !sets->count || !sets->table || !sets->unions) {
        ad_sets_free(sets);
        return AD_NO_MEMORY;
    }
    sets->start[0] = sets->start[1] = 0; /* shape 0 is empty, */
    sets->runs[0] = (struct ad_run){0, 1};
    sets->start[2] = sets->n_runs = 1; /* shape 1 is one element: ad_sets_one() */
    sets->count[0] = 0;
    sets->count[1] = 1;
    sets->n_shapes = 2;
    return AD_OK;
}

static uint64_t hash(const struct ad_run *runs, int64_t n)
{
    uint64_t h = (uint64_t)n;

    for (int64_t k = 0; k < n; k++) {
        h = (h ^ (uint32_t)runs[k].start) * 0x9e3779b97f4a7c15u;
        h = (h ^ (uint32_t)runs[k].end ^ h >> 32) * 0xc2b2ae3d27d4eb4fu;
    }
    return h ^ h >> 29;
}

/* Twice the room of an array, whose elements have 'size' bytes. */
static bool grow(void *array, int64_t capacity, size_t size)
{
    void **at = array, *more = realloc(*at, 2 * (size_t)capacity * size);

    if (more)
        *at = more;
    return more != NULL;
}

static enum ad_status room(struct ad_sets *sets, int64_t n)
{
    if (sets->n_runs + n > sets->limit || sets->n_shapes == INT32_MAX)
        return AD_NO_SLOTS;
    while (sets->n_runs + n > sets->run_capacity) {
        if (!grow(&sets->runs, sets->run_capacity, sizeof *sets->runs))
            return AD_NO_MEMORY;
        sets->run_capacity *= 2;
    }
    if (sets->n_shapes == sets->shape_capacity) {
        if (sets->shape_capacity > INT32_MAX / 2 ||
            !grow(&sets->count, sets->shape_capacity, sizeof *sets->count) ||
            !grow(&sets->start, sets->shape_capacity + 1, sizeof *sets->start))
            return AD_NO_MEMORY;
        sets->shape_capacity *= 2;
    }
    return AD_OK;
}

static enum ad_status grow_table(struct ad_sets *sets)
{
    int64_t size = 2 * sets->table_size;
    int32_t *table = calloc((size_t)size, sizeof *table);

    if (!table)
        return AD_NO_MEMORY;
    for (int32_t s = 1; s < sets->n_shapes; s++) {
        uint64_t at = hash(sets->runs + sets->start[s], sets->start[s + 1] - sets->start[s]) &
                      (uint64_t)(size - 1);

        while (table[at])
            at = (at + 1) & (uint64_t)(size - 1);
        table[at] = s;
    }
    free(sets->table);
    sets->table = table;
    sets->table_size = size;
    return AD_OK;
}

/* The shape of the n runs that lie behind the last of the table, whose first begins with 0. */
static enum ad_status shape_of(struct ad_sets *sets, int64_t n, int32_t *shape)
{
    const struct ad_run *runs = sets->runs + sets->n_runs;
    uint64_t at;
    int64_t count = 0;
    enum ad_status status = AD_OK;

    if (n == 1 && runs[0].end == 1) { /* shape 1, which is not in the table */
        *shape = 1;
        return AD_OK;
    }
    if (2 * sets->n_shapes >= sets->table_size)
        status = grow_table(sets);
    if (status)
        return status;
    at = hash(runs, n) & (uint64_t)(sets->table_size - 1);
    for (; sets->table[at]; at = (at + 1) & (uint64_t)(sets->table_size - 1)) {
        int32_t s = sets->table[at];

        if (sets->start[s + 1] - sets->start[s] == n &&
            memcmp(sets->runs + sets->start[s], runs, (size_t)n * sizeof *runs) == 0) {
            *shape = s;
            return AD_OK;
        }
    }
    for (int64_t k = 0; k < n; k++)
        count += runs[k].end - runs[k].start;
    sets->n_runs += n;
    *shape = sets->table[at] = sets->n_shapes++;
    sets->count[*shape] = count;
    sets->start[sets->n_shapes] = sets->n_runs;
    return AD_OK;
}

/* Put the union of shape a, and shape b shifted, behind the last run; returns how many runs it has. */
static int64_t merge(struct ad_sets *sets, int32_t a, int32_t b, int32_t shift)
{
    const struct ad_run *x = sets->runs + sets->start[a], *x_end = sets->runs + sets->start[a + 1],
                        *y = sets->runs + sets->start[b], *y_end = sets->runs + sets->start[b + 1];
    struct ad_run *out = sets->runs + sets->n_runs;
    int64_t n = 0;

    while (x < x_end || y < y_end) {
        struct ad_run next;

        if (y == y_end || (x < x_end && x->start <= y->start + shift)) {
            next = *x++;
        } else {
            next = (struct ad_run){y->start + shift, y->end + shift};
            y++;
        }
        if (n && next.start <= out[n - 1].end)
            out[n - 1].end = AD_MAX(out[n - 1].end, next.end);
        else
            out[n++] = next;
    }
    return n;
}

enum ad_status ad_sets_unite_new(struct ad_sets *sets, struct ad_set *to, struct ad_set set)
{
    struct ad_set a = *to, b = set;
    int64_t most;
    int32_t shape;
    enum ad_status status;

    if (a.first > b.first || (a.first == b.first && a.shape > b.shape)) {
        b = *to;
        a = set;
    }
    most = sets->start[a.shape + 1] - sets->start[a.shape] + sets->start[b.shape + 1] -
           sets->start[b.shape];
    status = room(sets, most);
    if (!status)
        status = shape_of(sets, merge(sets, a.shape, b.shape, b.first - a.first), &shape);
    if (status)
        return status;
    sets->unions[ad_union_place(a.shape, b.shape, b.first - a.first)] =
        (struct ad_union){a.shape, b.shape, b.first - a.first, shape};
    *to = (struct ad_set){shape, a.first};
    return AD_OK;
}

enum ad_status ad_unite_add(struct ad_sets *sets, struct ad_unite *unite, struct ad_set set)
{
    int k = 0;

    for (; unite->n >> k & 1; k++) {
        enum ad_status status = ad_sets_unite(sets, &set, unite->level[k]);

        if (status)
            return status;
    }
    unite->level[k] = set;
    unite->n++;
    return AD_OK;
}

enum ad_status ad_unite_end(struct ad_sets *sets, const struct ad_unite *unite, struct ad_set *all)
{
    *all = (struct ad_set){0, 0};
    for (int k = 0; unite->n >> k; k++)
        if (unite->n >> k & 1) {
            enum ad_status status = ad_sets_unite(sets, all, unite->level[k]);

            if (status)
                return status;
        }
    return AD_OK;
}

/* ad_edge_pool.c -- edges appended, put together, pushed, and read out as a matrix. */
#include "ad_edge_pool.h"

#include <stdlib.h>
#include <string.h>

/* ---- the pool ---- */

enum ad_status ad_edge_pool_new(int64_t n_nodes, struct ad_edge_pool *pool)
{
    enum { START = 1 << 10 };

    memset(pool, 0, sizeof *pool);
    pool->nodes = calloc((size_t)n_nodes + 1, sizeof *pool->nodes);
    pool->edges = malloc(START * sizeof *pool->edges);
    pool->capacity = START;
    if (!pool->nodes || !pool->edges)
        return AD_NO_MEMORY;
    pool->edges[0] = (struct ad_edge){0, -1, 0};
    pool->n_edges = 1;
    pool->most = INT64_MAX;
    return AD_OK;
}

static void room_free(struct ad_edge_room *room)
{
    free(room->to);
    free(room->weight);
}

void ad_edge_pool_free(struct ad_edge_pool *pool)
{
    free(pool->nodes);
    free(pool->edges);
    room_free(&pool->taken);
    room_free(&pool->spare);
    memset(pool, 0, sizeof *pool);
}

static bool pool_grow(struct ad_edge_pool *pool)
{
    int64_t capacity = 2 * pool->capacity;
    struct ad_edge *edges;

    if (pool->status)
        return false;
    if (capacity > AD_EDGES_MOST) {
        pool->status = AD_NO_EDGES;
        return false;
    }
    edges = realloc(pool->edges, (size_t)capacity * sizeof *edges);
    if (!edges) {
        pool->status = AD_NO_MEMORY;
        return false;
    }
    pool->edges = edges;
    pool->capacity = capacity;
    return true;
}

static bool room_for(struct ad_edge_pool *pool, struct ad_edge_room *room, int64_t n)
{
    if (n <= room->capacity)
        return true;
    n = AD_MAX(2 * n, AD_EDGES_FEW);
    room_free(room);
    room->to = malloc((size_t)n * sizeof *room->to);
    room->weight = malloc((size_t)n * sizeof *room->weight);
    room->capacity = room->to && room->weight ? n : 0;
    if (room->capacity == 0)
        pool->status = AD_NO_MEMORY;
    return room->capacity != 0;
}

/* ---- lists ---- */

/* Take the edges of v out of its list; those to one node become one, and it goes if its weight is 0. */
static int64_t take(struct ad_edge_pool *pool, int32_t v, struct ad_edge_room *room)
{
    struct ad_edge_node *node = &pool->nodes[v];
    int64_t n = 0, kept = 0;
    int32_t last = 0;

    if (node->head == 0 || !room_for(pool, room, node->count))
        return 0;
    for (int32_t k = node->head; k; k = pool->edges[k].next) {
        const struct ad_edge *edge = &pool->edges[k];
        int32_t place = pool->nodes[edge->to].place;

        last = k;
        if (place < n && room->to[place] == edge->to) {
            room->weight[place] += edge->weight;
            continue;
        }
        pool->nodes[edge->to].place = (int32_t)n;
        room->to[n] = edge->to;
        room->weight[n++] = edge->weight;
    }
    pool->edges[last].next = pool->free;
    pool->free = node->head;
    node->head = node->count = 0;
    for (int64_t i = 0; i < n; i++)
        if (room->weight[i] != 0) {
            room->to[kept] = room->to[i];
            room->weight[kept++] = room->weight[i];
        }
    return kept;
}

AD_INLINE void append(struct ad_edge_pool *pool, int32_t from, int32_t to, double weight)
{
    struct ad_edge_node *node = &pool->nodes[from];
    int32_t k = pool->free;

    if (k) {
        pool->free = pool->edges[k].next;
    } else {
        if (AD_UNLIKELY(pool->n_edges == pool->capacity) && !pool_grow(pool))
            return;
        k = (int32_t)pool->n_edges++;
    }
    pool->edges[k] = (struct ad_edge){weight, to, node->head};
    node->head = k;
    node->count++;
}

/* Put the edges of a node together; a list at least doubles before that is done again. */
static void tidy(struct ad_edge_pool *pool, int32_t v)
{
    int64_t n = take(pool, v, &pool->spare);

    for (int64_t i = n - 1; i >= 0; i--) /* the newest first, as before */
        append(pool, v, pool->spare.to[i], pool->spare.weight[i]);
    pool->nodes[v].limit = (int32_t)(2 * n);
}

void ad_edge_append(struct ad_edge_pool *pool, int32_t from, int32_t to, double weight)
{
    struct ad_edge_node *node = &pool->nodes[from];

    append(pool, from, to, weight);
    if (AD_UNLIKELY(++pool->appended > pool->most) && !pool->status)
        pool->status = AD_NO_EDGES;
    if (AD_UNLIKELY(node->count > AD_EDGES_FEW && node->count > node->limit))
        tidy(pool, from);
}

/* ---- pushing ---- */

void ad_edge_push(struct ad_edge_pool *pool, int32_t v, int64_t n, const int32_t *operand,
                  const double *d)
{
    struct ad_edge_node *node = &pool->nodes[v];
    double g = node->adjoint, loop = node->loop;
    int64_t n_taken = take(pool, v, &pool->taken);

    node->adjoint = node->loop = 0;
    for (int64_t k = 0; k < n; k++) {
        if (g != 0) {
            pool->strange |= !(fabs(g * d[k]) <= DBL_MAX);
            pool->nodes[operand[k]].adjoint += g * d[k];
        }
        for (int64_t i = 0; i < n_taken; i++)
            ad_edge_add(pool, operand[k], pool->taken.to[i], pool->taken.weight[i] * d[k]);
    }
    for (int64_t k = 0; k < n && loop != 0; k++) {
        double once = loop * d[k];

        ad_edge_add_loop(pool, operand[k], once * d[k]);
        for (int64_t j = 0; j < k && !pool->status; j++)
            ad_edge_add(pool, operand[k], operand[j], once * d[j]);
    }
}

void ad_edge_push_sum(struct ad_edge_pool *pool, int32_t v, int64_t n, int32_t *operand, double *d)
{
    int64_t distinct = 0, kept = 0;

    for (int64_t k = 0; k < n; k++) {
        int32_t place = pool->nodes[operand[k]].place;

        if (place < distinct && operand[place] == operand[k]) {
            d[place] += d[k];
            continue;
        }
        pool->nodes[operand[k]].place = (int32_t)distinct;
        operand[distinct] = operand[k];
        d[distinct++] = d[k];
    }
    for (int64_t k = 0; k < distinct; k++)
        if (d[k] != 0) {
            operand[kept] = operand[k];
            d[kept++] = d[k];
        }
    ad_edge_push(pool, v, kept, operand, d);
}

/* ---- the matrix ---- */

/* Rows are filled from the left: those of smaller nodes first, the diagonal, those of larger nodes. */
static void fill(const struct ad_edge_pool *pool, int32_t n, int64_t *next,
                 struct ad_pattern *pattern, double *data)
{
    for (int32_t v = 0; v < n; v++) { /* right of the diagonal, columns ascending */
        const struct ad_edge_node *node = &pool->nodes[v];
        int64_t at = pattern->start[v] + node->count;

        next[v] = at;
        if (node->loop != 0) {
            pattern->column[at] = v;
            data[at] = node->loop;
            next[v]++;
        }
        for (int32_t k = node->head; k; k = pool->edges[k].next) {
            int64_t to = next[pool->edges[k].to]++;

            pattern->column[to] = v;
            data[to] = pool->edges[k].weight;
        }
    }
    memcpy(next, pattern->start, (size_t)n * sizeof *next);
    for (int32_t u = 0; u < n; u++) { /* the same mirrored */
        const struct ad_edge_node *node = &pool->nodes[u];
        int64_t right = pattern->start[u] + node->count + (node->loop != 0);

        for (int64_t k = right; k < pattern->start[u + 1]; k++) {
            int64_t to = next[pattern->column[k]]++;

            pattern->column[to] = u;
            data[to] = data[k];
        }
    }
}

enum ad_status ad_edge_matrix(struct ad_edge_pool *pool, int32_t n, struct ad_pattern *pattern,
                              double **data)
{
    int64_t *length, n_entries = 0;

    memset(pattern, 0, sizeof *pattern);
    *data = NULL;
    for (int32_t v = 0; v < n && !pool->status; v++)
        tidy(pool, v);
    length = calloc((size_t)n + 1, sizeof *length);
    if (!length)
        pool->status = AD_NO_MEMORY;
    for (int32_t v = 0; v < n && !pool->status; v++) {
        length[v] += pool->nodes[v].count + (pool->nodes[v].loop != 0);
        n_entries += 2 * pool->nodes[v].count + (pool->nodes[v].loop != 0);
        for (int32_t k = pool->nodes[v].head; k; k = pool->edges[k].next)
            length[pool->edges[k].to]++;
    }
    if (!pool->status)
        pool->status = ad_pattern_new(n, n, n_entries, pattern);
    if (!pool->status) {
        *data = malloc((size_t)AD_MAX(n_entries, 1) * sizeof **data);
        if (!*data) {
            ad_pattern_free(pattern);
            pool->status = AD_NO_MEMORY;
        }
    }
    if (!pool->status) {
        for (int32_t v = 0; v < n; v++)
            pattern->start[v + 1] = pattern->start[v] + length[v];
        fill(pool, n, length, pattern, *data);
    }
    free(length);
    return pool->status;
}

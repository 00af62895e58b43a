/* ad_order.c -- orders by degree, kept in buckets. */
#include "ad_order.h"

#include <stdlib.h>

#include "ad_buckets.h"

/* Vertices are rows of 'rows', or columns of it: then 'columns' is its transpose. */
struct graph {
    const struct ad_pattern *rows, *columns;
    int64_t n;
    int32_t *listed; /* of each vertex: the last one it was listed for, and 1 */
    int32_t *list;
};

/* The neighbours of v, each once; of rows there may be v itself among them. */
static int64_t neighbours(struct graph *g, int64_t v, const int32_t **list)
{
    int64_t n = 0;

    if (!g->columns) {
        *list = g->rows->column + g->rows->start[v];
        return g->rows->start[v + 1] - g->rows->start[v];
    }
    *list = g->list;
    g->listed[v] = (int32_t)v + 1;
    for (int64_t k = g->columns->start[v]; k < g->columns->start[v + 1]; k++) {
        int64_t r = g->columns->column[k];

        for (int64_t j = g->rows->start[r]; j < g->rows->start[r + 1]; j++) {
            int32_t c = g->rows->column[j];

            if (g->listed[c] != (int32_t)v + 1) {
                g->listed[c] = (int32_t)v + 1;
                g->list[n++] = c;
            }
        }
    }
    return n;
}

/*
 * Take out one of the least key, lessen those of its neighbours by 1, and so on.  With degrees for keys that
 * is smallest-last, from its end; with one key for all, the most neighbours taken out are the least key.
 */
static void peel(struct graph *g, struct ad_buckets *b, bool backwards, int32_t *order)
{
    int64_t least = 0;

    for (int64_t v = g->n - 1; v >= 0; v--)
        ad_bucket_put(b, (int32_t)v);
    for (int64_t i = 0; i < g->n; i++) {
        const int32_t *list;
        int64_t count;
        int32_t v;

        while (b->head[least] < 0)
            least++;
        v = b->head[least];
        ad_bucket_take(b, v);
        b->key[v] = -1; /* taken out */
        order[backwards ? g->n - 1 - i : i] = v;
        count = neighbours(g, v, &list);
        for (int64_t k = 0; k < count; k++) {
            int32_t w = list[k];

            if (b->key[w] >= 0)
                ad_bucket_lower(b, w);
        }
        if (least > 0)
            least--;
    }
}

/* By falling key, equal ones in their natural order; 'place' is room for a number per key and one more. */
static void sort_falling(int64_t n, const int32_t *key, int64_t n_keys, int32_t *place,
                         int32_t *order)
{
    for (int64_t k = 0; k <= n_keys; k++)
        place[k] = 0;
    for (int64_t v = 0; v < n; v++)
        place[n_keys - key[v]]++;
    for (int64_t k = 0; k < n_keys; k++)
        place[k + 1] += place[k];
    /* place[n_keys - 1 - key] is now where those of 'key' begin */
    for (int64_t v = 0; v < n; v++)
        order[place[n_keys - 1 - key[v]]++] = (int32_t)v;
}

static enum ad_status order_graph(struct graph *g, enum ad_order how, int32_t *order)
{
    size_t n = (size_t)g->n + 1;
    struct ad_buckets b;
    int32_t *room, most = 0;

    if (how == AD_ORDER_NATURAL) {
        for (int64_t v = 0; v < g->n; v++)
            order[v] = (int32_t)v;
        return AD_OK;
    }
    room = calloc(6 * n, sizeof *room);
    if (!room)
        return AD_NO_MEMORY;
    b = (struct ad_buckets){room, room + n, room + 2 * n, room + 3 * n};
    g->listed = room + 4 * n;
    g->list = room + 5 * n;
    for (int64_t v = 0; v < g->n; v++) {
        const int32_t *list;
        int64_t count = neighbours(g, v, &list);

        for (int64_t k = 0; k < count; k++)
            b.key[v] += list[k] != v;
        most = AD_MAX(most, b.key[v]);
    }
    for (int64_t v = 0; v < g->n; v++)
        g->listed[v] = 0; /* they are all listed again */
    if (how == AD_ORDER_LARGEST_FIRST) {
        sort_falling(g->n, b.key, (int64_t)most + 1, b.head, order);
    } else {
        if (how == AD_ORDER_INCIDENCE)
            for (int64_t v = 0; v < g->n; v++)
                b.key[v] = most;
        for (size_t k = 0; k < n; k++)
            b.head[k] = -1;
        peel(g, &b, how == AD_ORDER_SMALLEST_LAST, order);
    }
    free(room);
    return AD_OK;
}

enum ad_status ad_order_vertices(const struct ad_pattern *symmetric, enum ad_order how,
                                 int32_t *order)
{
    struct graph g = {.rows = symmetric, .n = symmetric->n_rows};

    return order_graph(&g, how, order);
}

enum ad_status ad_order_columns(const struct ad_pattern *pattern, enum ad_order how, int32_t *order)
{
    struct ad_pattern columns;
    struct graph g = {.rows = pattern, .columns = &columns, .n = pattern->n_columns};
    enum ad_status status = ad_pattern_transpose(pattern, &columns);

    if (!status)
        status = order_graph(&g, how, order);
    ad_pattern_free(&columns);
    return status;
}

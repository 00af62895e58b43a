/* ad_color.c -- greedy colouring, vertex by vertex. */
#include "ad_color.h"

#include <stdlib.h>
#include <string.h>

#include "ad_order.h"

/* ---- columns that share no row ---- */

enum ad_status ad_color_columns(const struct ad_pattern *pattern, const int32_t *order,
                                int64_t limit, int32_t *color, int64_t *n_colors)
{
    int64_t n = pattern->n_columns, longest = 0;
    struct ad_pattern rows_of = {0, 0, NULL, NULL};
    int32_t *taken; /* of each colour: the last column that may not have it, and 1 */
    enum ad_status status;

    for (int64_t r = 0; r < pattern->n_rows; r++)
        longest = AD_MAX(longest, pattern->start[r + 1] - pattern->start[r]);
    *n_colors = limit + 1;
    if (longest > limit)
        return AD_OK;
    taken = calloc((size_t)AD_MIN(n, limit) + 1, sizeof *taken);
    status = taken ? ad_pattern_transpose(pattern, &rows_of) : AD_NO_MEMORY;
    if (!status)
        *n_colors = 0;
    for (int64_t c = 0; c < n && !status; c++)
        color[c] = -1;
    for (int64_t i = 0; i < n && !status; i++) {
        int64_t c = order ? order[i] : i;
        int32_t first = 0, now = (int32_t)c + 1;

        for (int64_t k = rows_of.start[c]; k < rows_of.start[c + 1]; k++) {
            int64_t r = rows_of.column[k];

            for (int64_t j = pattern->start[r]; j < pattern->start[r + 1]; j++)
                if (color[pattern->column[j]] >= 0)
                    taken[color[pattern->column[j]]] = now;
        }
        while (taken[first] == now)
            first++;
        *n_colors = AD_MAX(*n_colors, first + 1);
        if (first >= limit)
            break;
        color[c] = first;
    }
    ad_pattern_free(&rows_of);
    free(taken);
    return status;
}

/* ---- stars and trees of two colours ---- */

/* All edges between a vertex and its neighbours of one colour, which are in one star or tree: a *group*. */
struct member {
    int32_t color, group;
};

struct color_state {
    int32_t taken; /* the last vertex that may not have the colour, and 1 */
    int32_t seen;  /* the last vertex that had a neighbour of the colour, and 1 */
    int32_t first; /* its first neighbour of the colour; -1: its members' colours are taken */
};

struct groups {
    const struct ad_pattern *pattern;
    int32_t *color;         /* of each vertex; -1: not yet */
    struct member *member;  /* of vertex v: from start[v] of the pattern on */
    int32_t *n_members;     /* of each vertex */
    int32_t n_groups;       /* at most as many as edges */
    int32_t *hub;           /* stars: the vertex in the middle; -1: of one edge, which has none */
    int32_t *parent;        /* trees: a group that it is a part of, or itself */
    int32_t *visit;         /* trees: the last vertex that met it, and 1 */
    struct color_state *of; /* colours */
};

static void groups_free(struct groups *g)
{
    free(g->member);
    free(g->n_members);
    free(g->hub);
    free(g->parent);
    free(g->visit);
    free(g->of);
}

static enum ad_status groups_new(const struct ad_pattern *pattern, bool stars, int64_t limit,
                                 int32_t *color, struct groups *g)
{
    int64_t n = pattern->n_rows, n_entries = pattern->start[n];
    size_t n_edges = (size_t)n_entries / 2 + 1;

    *g = (struct groups){.pattern = pattern, .color = color};
    if (n_entries > INT32_MAX)
        return AD_NO_SLOTS;
    g->member = malloc(((size_t)n_entries + 1) * sizeof *g->member);
    g->n_members = calloc((size_t)n + 1, sizeof *g->n_members);
    g->of = calloc((size_t)AD_MIN(n, limit) + 1, sizeof *g->of);
    if (stars) {
        g->hub = malloc(n_edges * sizeof *g->hub);
    } else {
        g->parent = malloc(n_edges * sizeof *g->parent);
        g->visit = calloc(n_edges, sizeof *g->visit);
    }
    if (!g->member || !g->n_members || !g->of || (stars ? !g->hub : !g->parent || !g->visit)) {
        groups_free(g);
        return AD_NO_MEMORY;
    }
    for (int64_t v = 0; v < n; v++)
        color[v] = -1;
    return AD_OK;
}

static const struct member *members(const struct groups *g, int64_t v, int64_t *n)
{
    *n = g->n_members[v];
    return g->member + g->pattern->start[v];
}

static int32_t group_of(const struct groups *g, int64_t v, int32_t color)
{
    int64_t n;
    const struct member *m = members(g, v, &n);

    for (int64_t k = 0; k < n; k++)
        if (m[k].color == color)
            return m[k].group;
    return -1;
}

static void join(struct groups *g, int64_t v, int32_t color, int32_t group)
{
    g->member[g->pattern->start[v] + g->n_members[v]++] = (struct member){color, group};
}

static int32_t root_of(struct groups *g, int32_t group)
{
    while (g->parent[group] != group)
        group = g->parent[group] = g->parent[g->parent[group]];
    return group;
}

/* The edge from v, which has just got its colour, to w: in the group of its colours at either end, or a new. */
static void add_edge(struct groups *g, int64_t v, int64_t w)
{
    int32_t of_v = group_of(g, v, g->color[w]), of_w = group_of(g, w, g->color[v]);

    if (of_v >= 0 && of_w >= 0) {
        g->parent[root_of(g, of_w)] = root_of(g, of_v); /* two trees: such an edge joins no stars */
    } else if (of_w >= 0) {
        join(g, v, g->color[w], of_w);
        if (g->hub)
            g->hub[of_w] = (int32_t)w;
    } else if (of_v >= 0) {
        join(g, w, g->color[v], of_v);
        if (g->hub)
            g->hub[of_v] = (int32_t)v;
    } else {
        int32_t group = g->n_groups++;

        join(g, v, g->color[w], group);
        join(g, w, g->color[v], group);
        if (g->hub)
            g->hub[group] = -1;
        else
            g->parent[group] = group;
    }
}

static void take_members(struct groups *g, int64_t w, int32_t now)
{
    int64_t n;
    const struct member *m = members(g, w, &n);

    for (int64_t k = 0; k < n; k++)
        g->of[m[k].color].taken = now;
}

/*
 * Colours that v may not have, for stars: those of its neighbours; of two neighbours of one colour, those next to
 * either (v would be in the middle of a path of four); and those of hubs next to a neighbour (v would be at
 * its end).
 */
static void take_for_stars(struct groups *g, int64_t v, int32_t now)
{
    const struct ad_pattern *p = g->pattern;

    for (int64_t k = p->start[v]; k < p->start[v + 1]; k++) {
        int32_t w = p->column[k];
        struct color_state *of;

        if (w == v || g->color[w] < 0)
            continue;
        of = &g->of[g->color[w]];
        of->taken = now;
        if (of->seen != now) {
            int64_t n;
            const struct member *m = members(g, w, &n);

            of->seen = now;
            of->first = w;
            for (int64_t j = 0; j < n; j++)
                if (g->hub[m[j].group] >= 0 && g->hub[m[j].group] != w)
                    g->of[m[j].color].taken = now;
            continue;
        }
        if (of->first >= 0)
            take_members(g, of->first, now);
        of->first = -1;
        take_members(g, w, now);
    }
}

/* For trees: those of its neighbours, and those of a tree that two of its neighbours are in. */
static void take_for_trees(struct groups *g, int64_t v, int32_t now)
{
    const struct ad_pattern *p = g->pattern;

    for (int64_t k = p->start[v]; k < p->start[v + 1]; k++)
        if (p->column[k] != v && g->color[p->column[k]] >= 0)
            g->of[g->color[p->column[k]]].taken = now;
    for (int64_t k = p->start[v]; k < p->start[v + 1]; k++) {
        int32_t w = p->column[k];
        int64_t n;
        const struct member *m;

        if (w == v || g->color[w] < 0)
            continue;
        m = members(g, w, &n);
        for (int64_t j = 0; j < n; j++) {
            int32_t root;

            if (g->of[m[j].color].taken == now)
                continue;
            root = root_of(g, m[j].group);
            if (g->visit[root] == now)
                g->of[m[j].color].taken = now;
            g->visit[root] = now;
        }
    }
}

static enum ad_status color_graph(const struct ad_pattern *pattern, bool stars,
                                  const int32_t *order, int64_t limit, int32_t *color,
                                  int64_t *n_colors)
{
    int64_t n = pattern->n_rows, n_off = 0;
    struct groups g;
    enum ad_status status;

    for (int64_t v = 0; v < n; v++)
        for (int64_t k = pattern->start[v]; k < pattern->start[v + 1]; k++)
            n_off += pattern->column[k] != v;
    *n_colors = limit + 1;
    /* the edges of any two colours, of which there are a and b vertices, are fewer than a + b: of k
     * colours all edges are fewer than (k - 1) n */
    if (n && (limit < 1 || n_off / 2 > (limit - 1) * n))
        return AD_OK;
    status = groups_new(pattern, stars, limit, color, &g);
    if (status)
        return status;
    *n_colors = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t v = order ? order[i] : i;
        int32_t now = (int32_t)v + 1, first = 0;

        if (stars)
            take_for_stars(&g, v, now);
        else
            take_for_trees(&g, v, now);
        while (g.of[first].taken == now)
            first++;
        *n_colors = AD_MAX(*n_colors, first + 1);
        if (first >= limit)
            break;
        color[v] = first;
        for (int64_t k = pattern->start[v]; k < pattern->start[v + 1]; k++)
            if (pattern->column[k] != v && color[pattern->column[k]] >= 0)
                add_edge(&g, v, pattern->column[k]);
    }
    groups_free(&g);
    return AD_OK;
}

enum ad_status ad_color_star(const struct ad_pattern *symmetric, const int32_t *order,
                             int64_t limit, int32_t *color, int64_t *n_colors)
{
    return color_graph(symmetric, true, order, limit, color, n_colors);
}

enum ad_status ad_color_acyclic(const struct ad_pattern *symmetric, const int32_t *order,
                                int64_t limit, int32_t *color, int64_t *n_colors)
{
    return color_graph(symmetric, false, order, limit, color, n_colors);
}

/* With three there is nothing to be gained: two are enough for stars alone. */
enum { FEW = 3 };

enum ad_status ad_color_symmetric(const struct ad_pattern *symmetric, int64_t limit, int32_t *color,
                                  int64_t *n_colors)
{
    size_t n = (size_t)symmetric->n_rows;
    int32_t *tried, *order;
    enum ad_status status = ad_color_star(symmetric, NULL, limit, color, n_colors);

    if (status || *n_colors <= FEW)
        return status;
    tried = malloc((n + 1) * sizeof *tried);
    order = malloc((n + 1) * sizeof *order);
    if (!tried || !order)
        status = AD_NO_MEMORY;
    for (int k = 0; k < 2 && !status; k++) {
        int64_t less = *n_colors - 1, found = *n_colors;

        if (k == 0) {
            status = ad_color_columns(symmetric, NULL, less, tried, &found);
        } else {
            status = ad_order_vertices(symmetric, AD_ORDER_SMALLEST_LAST, order);
            if (!status)
                status = ad_color_star(symmetric, order, less, tried, &found);
        }
        if (!status && found <= less) {
            memcpy(color, tried, n * sizeof *color);
            *n_colors = found;
        }
    }
    free(tried);
    free(order);
    return status;
}

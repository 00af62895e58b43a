/* ad_recover.c -- entries that are alone in their row with their colour. */
#include "ad_recover.h"

#include <stdlib.h>

/* How many entries of a row have each colour, counted when the row is met. */
struct count {
    int32_t row; /* for which it counts, and 1 */
    int32_t n;
};

static void count_row(const struct ad_pattern *pattern, int64_t r, const int32_t *color,
                      struct count *count)
{
    for (int64_t k = pattern->start[r]; k < pattern->start[r + 1]; k++) {
        int32_t c = color[pattern->column[k]];

        if (c < 0)
            continue;
        if (count[c].row != (int32_t)r + 1)
            count[c] = (struct count){(int32_t)r + 1, 0};
        count[c].n++;
    }
}

enum ad_status ad_recover_star(const struct ad_pattern *symmetric, const int32_t *color,
                               int32_t *row, int32_t *lane)
{
    int64_t n = symmetric->n_rows;
    struct count *count = calloc((size_t)n + 1, sizeof *count);

    if (!count)
        return AD_NO_MEMORY;
    for (int64_t r = 0; r < n; r++) {
        count_row(symmetric, r, color, count);
        for (int64_t k = symmetric->start[r]; k < symmetric->start[r + 1]; k++) {
            int32_t c = symmetric->column[k];
            bool own = count[color[c]].n == 1;

            row[k] = own ? (int32_t)r : c;
            lane[k] = own ? color[c] : color[r];
        }
    }
    free(count);
    return AD_OK;
}

enum ad_status ad_recover_bicolor(const struct ad_pattern *pattern, const int32_t *row_color,
                                  const int32_t *column_color, int32_t *lane)
{
    struct count *count = calloc((size_t)pattern->n_columns + 1, sizeof *count);

    if (!count)
        return AD_NO_MEMORY;
    for (int64_t r = 0; r < pattern->n_rows; r++) {
        count_row(pattern, r, column_color, count);
        for (int64_t k = pattern->start[r]; k < pattern->start[r + 1]; k++) {
            int32_t c = column_color[pattern->column[k]];

            lane[k] = c >= 0 && count[c].n == 1 ? c : -1 - row_color[r];
        }
    }
    free(count);
    return AD_OK;
}

/* Entries of one row whose columns have one colour, as long as they are not known. */
struct unknown {
    int32_t n;
    int32_t entries; /* all of them, by exclusive or: the last one itself */
};

struct trees {
    int32_t *mate;       /* of each entry */
    int32_t *at;         /* of each entry: its unknowns */
    struct unknown *all; /* those of row r from start[r] on */
    int32_t *ready;      /* where one is left */
    struct count *place; /* of each colour, of the row under way: n is its unknowns */
};

static enum ad_status trees_new(const struct ad_pattern *symmetric, struct trees *t)
{
    size_t n = (size_t)symmetric->n_rows + 1, n_entries;

    *t = (struct trees){NULL, NULL, NULL, NULL, NULL};
    if (symmetric->start[symmetric->n_rows] > INT32_MAX)
        return AD_NO_SLOTS;
    n_entries = (size_t)symmetric->start[symmetric->n_rows] + 1;
    t->mate = malloc(n_entries * sizeof *t->mate);
    t->at = malloc(n_entries * sizeof *t->at);
    t->all = calloc(n_entries, sizeof *t->all);
    t->ready = malloc(n_entries * sizeof *t->ready);
    t->place = calloc(n, sizeof *t->place);
    return t->mate && t->at && t->all && t->ready && t->place ? AD_OK : AD_NO_MEMORY;
}

static void trees_free(struct trees *t)
{
    free(t->mate);
    free(t->at);
    free(t->all);
    free(t->ready);
    free(t->place);
}

/* What is unknown at first; returns where one is left, as many of 'ready'. */
static int64_t trees_fill(const struct ad_pattern *symmetric, const int32_t *color, struct trees *t)
{
    int64_t n_ready = 0;

    for (int64_t r = 0; r < symmetric->n_rows; r++) {
        int32_t end = (int32_t)symmetric->start[r];

        for (int64_t k = symmetric->start[r]; k < symmetric->start[r + 1]; k++) {
            struct count *place = &t->place[color[symmetric->column[k]]];

            if (symmetric->column[k] == r)
                continue;
            if (place->row != (int32_t)r + 1)
                *place = (struct count){(int32_t)r + 1, end++};
            t->at[k] = place->n;
            t->all[place->n].n++;
            t->all[place->n].entries ^= (int32_t)k;
        }
        for (int32_t u = (int32_t)symmetric->start[r]; u < end; u++)
            if (t->all[u].n == 1)
                t->ready[n_ready++] = u;
    }
    return n_ready;
}

enum ad_status ad_recover_acyclic(const struct ad_pattern *symmetric, const int32_t *color,
                                  int32_t *entry, int32_t *mate, int64_t *n_steps)
{
    struct trees t;
    bool is_symmetric = true;
    enum ad_status status = trees_new(symmetric, &t);

    *n_steps = 0;
    if (!status)
        status = ad_pattern_mates(symmetric, t.mate, &is_symmetric);
    ad_assert(is_symmetric);
    for (int64_t n_ready = status ? 0 : trees_fill(symmetric, color, &t); n_ready > 0;) {
        const struct unknown *known = &t.all[t.ready[--n_ready]];
        struct unknown *other;
        int32_t k = known->entries;

        if (known->n != 1) /* it was known from its mate */
            continue;
        entry[*n_steps] = k;
        mate[(*n_steps)++] = t.mate[k];
        t.all[t.at[k]].n = 0;
        other = &t.all[t.at[t.mate[k]]];
        other->entries ^= t.mate[k];
        if (--other->n == 1)
            t.ready[n_ready++] = t.at[t.mate[k]];
    }
    trees_free(&t);
    return status;
}

void ad_recover_substitute(const struct ad_pattern *symmetric, const int32_t *color,
                           int64_t n_colors, int64_t n_steps, const int32_t *entry,
                           const int32_t *mate, double *lanes, double *data)
{
    for (int64_t r = 0; r < symmetric->n_rows; r++)
        for (int64_t k = symmetric->start[r]; k < symmetric->start[r + 1]; k++)
            if (symmetric->column[k] == r)
                data[k] = lanes[r * n_colors + color[r]];
    for (int64_t s = 0; s < n_steps; s++) {
        int64_t r = symmetric->column[mate[s]], c = symmetric->column[entry[s]];
        double value = lanes[r * n_colors + color[c]];

        data[entry[s]] = data[mate[s]] = value;
        lanes[c * n_colors + color[r]] -= value;
    }
}

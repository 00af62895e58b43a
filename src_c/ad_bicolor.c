/* ad_bicolor.c -- which entries are read by columns and which by rows, and the colours of both. */
#include "ad_bicolor.h"

#include <stdlib.h>
#include <string.h>

#include "ad_buckets.h"
#include "ad_color.h"

/* Rows or columns: 'lines' of the matrix, and those that cross them. */
struct side {
    const struct ad_pattern *lines;
    int32_t
        *time; /* when each line was taken out: an entry is read with the line taken out later */
    struct ad_pattern
        read;       /* of each line: the entries that are read with the lines that cross it */
    int32_t *order; /* in which the lines are coloured */
    struct ad_buckets left; /* lines by how many of their entries are left */
    int64_t least, most;    /* no key is less; the colours that the crossing lines need so far */
};

static void side_free(struct side *side)
{
    free(side->time);
    free(side->order);
    free(side->left.key);
    ad_pattern_free(&side->read);
}

static enum ad_status side_new(const struct ad_pattern *lines, struct side *side)
{
    size_t n = (size_t)lines->n_rows + 1, n_keys = (size_t)lines->n_columns + 1;
    int32_t *room;
    enum ad_status status;

    memset(side, 0, sizeof *side);
    side->lines = lines;
    side->time = malloc(n * sizeof *side->time);
    side->order = malloc(n * sizeof *side->order);
    side->left.key = room = malloc((3 * n + n_keys) * sizeof *room);
    status =
        ad_pattern_new(lines->n_rows, lines->n_columns, lines->start[lines->n_rows], &side->read);
    if (!status && (!side->time || !side->order || !room))
        status = AD_NO_MEMORY;
    if (status)
        return status;
    side->left.next = room + n;
    side->left.prior = room + 2 * n;
    side->left.head = room + 3 * n;
    for (size_t k = 0; k < n_keys; k++)
        side->left.head[k] = -1;
    for (int64_t v = lines->n_rows - 1; v >= 0; v--) {
        side->left.key[v] = (int32_t)(lines->start[v + 1] - lines->start[v]);
        ad_bucket_put(&side->left, (int32_t)v);
    }
    return AD_OK;
}

/* ---- which entries are read by what ---- */

/* A line with the least number of entries left. */
static int32_t shortest(struct side *side)
{
    while (side->left.head[side->least] < 0)
        side->least++;
    return side->left.head[side->least];
}

static int64_t length_of(const struct side *side, int32_t line)
{
    return side->lines->start[line + 1] - side->lines->start[line];
}

/*
 * How many colours the crossing lines need at least if this one is taken out: those of the entries that are left
 * differ, and if there are others, at least one more.
 */
static int64_t needed(const struct side *side, int32_t line)
{
    int64_t left = side->left.key[line];

    return AD_MAX(side->most, left + (left > 0 && left < length_of(side, line)));
}

/* Take out a line: what is left of it is read with the lines that cross it. */
static void take_out(struct side *side, struct side *crossing, int32_t line, int32_t now)
{
    const struct ad_pattern *lines = side->lines;

    side->most = needed(side, line);
    ad_bucket_take(&side->left, line);
    side->time[line] = now;
    for (int64_t k = lines->start[line]; k < lines->start[line + 1]; k++)
        if (crossing->time[lines->column[k]] < 0)
            ad_bucket_lower(&crossing->left, lines->column[k]);
    if (crossing->least > 0)
        crossing->least--;
}

/* Coleman and Verma's order of minimal non-zero counts; of equals the line that is shorter as a whole. */
static void settle(struct side *rows, struct side *columns)
{
    int64_t n_rows = rows->lines->n_rows, n_columns = columns->lines->n_rows;

    for (int64_t v = 0; v < n_rows; v++)
        rows->time[v] = -1;
    for (int64_t v = 0; v < n_columns; v++)
        columns->time[v] = -1;
    for (int32_t now = 0; n_rows || n_columns; now++) {
        int32_t row = n_rows ? shortest(rows) : -1, column = n_columns ? shortest(columns) : -1;
        bool take_row = column < 0;

        if (row >= 0 && column >= 0) {
            int64_t by_row = needed(rows, row) + columns->most,
                    by_column = rows->most + needed(columns, column);

            take_row = by_row != by_column ? by_row < by_column
                                           : length_of(rows, row) <= length_of(columns, column);
        }
        if (take_row) {
            take_out(rows, columns, row, now);
            n_rows--;
        } else {
            take_out(columns, rows, column, now);
            n_columns--;
        }
    }
}

static void fill_read(struct side *side, const struct side *crossing)
{
    const struct ad_pattern *lines = side->lines;
    int64_t n = 0;

    for (int64_t v = 0; v < lines->n_rows; v++) {
        side->read.start[v] = n;
        for (int64_t k = lines->start[v]; k < lines->start[v + 1]; k++)
            if (side->time[v] < crossing->time[lines->column[k]])
                side->read.column[n++] = lines->column[k];
    }
    side->read.start[lines->n_rows] = n;
}

/* ---- colours ---- */

static void take_colors(const struct ad_pattern *lines, int64_t line, const int32_t *color,
                        int32_t *taken, int32_t now)
{
    for (int64_t k = lines->start[line]; k < lines->start[line + 1]; k++)
        if (color[lines->column[k]] >= 0)
            taken[color[lines->column[k]]] = now;
}

/*
 * Colour those lines that an entry is read with.  Two of them that are crossed by one line differ if the entry
 * of either is read with it: the product of all lines of a colour has the entry by itself.
 */
static enum ad_status color_side(const struct side *side, const struct side *crossing,
                                 int32_t *color, int64_t *n_colors)
{
    const struct ad_pattern *lines = side->lines;
    int64_t n = lines->n_rows;
    int32_t *taken = calloc((size_t)n + 1, sizeof *taken);

    if (!taken)
        return AD_NO_MEMORY;
    *n_colors = 0;
    for (int64_t v = 0; v < n; v++)
        color[v] = -1;
    for (int64_t i = 0; i < n; i++) {
        int32_t v = side->order[i], now = v + 1, first = 0;
        bool read = false;

        for (int64_t k = lines->start[v]; k < lines->start[v + 1]; k++) {
            int32_t by = lines->column[k];
            bool here = crossing->time[by] < side->time[v];

            read |= here;
            take_colors(here ? crossing->lines : &crossing->read, by, color, taken, now);
        }
        if (!read)
            continue;
        while (taken[first] == now)
            first++;
        color[v] = first;
        *n_colors = AD_MAX(*n_colors, first + 1);
    }
    free(taken);
    return AD_OK;
}

/* The orders of rows and of columns in the order of both as vertices of the bipartite graph. */
static enum ad_status order_sides(struct side *rows, struct side *columns, enum ad_order how)
{
    const struct ad_pattern *by_row = rows->lines, *by_column = columns->lines;
    int64_t m = by_row->n_rows, n = by_column->n_rows, n_entries = by_row->start[m], at_row = 0,
            at_column = 0;
    struct ad_pattern both;
    int32_t *order = malloc((size_t)(m + n + 1) * sizeof *order);
    enum ad_status status = ad_pattern_new(m + n, m + n, 2 * n_entries, &both);

    if (!status && !order)
        status = AD_NO_MEMORY;
    if (!status) {
        for (int64_t r = 0; r < m; r++)
            both.start[r] = by_row->start[r];
        for (int64_t c = 0; c < n; c++)
            both.start[m + c] = n_entries + by_column->start[c];
        for (int64_t k = 0; k < n_entries; k++) {
            both.column[k] = (int32_t)(m + by_row->column[k]);
            both.column[n_entries + k] = by_column->column[k];
        }
        status = ad_order_vertices(&both, how, order);
    }
    for (int64_t k = 0; k < m + n && !status; k++)
        if (order[k] < m)
            rows->order[at_row++] = order[k];
        else
            columns->order[at_column++] = (int32_t)(order[k] - m);
    ad_pattern_free(&both);
    free(order);
    return status;
}

/* Lines alone, where they take fewer colours than *n_colors + *n_crossing. */
static enum ad_status try_alone(const struct side *side, const struct side *crossing,
                                int32_t *color, int64_t *n_colors, int32_t *crossing_color,
                                int64_t *n_crossing)
{
    int64_t n = side->lines->n_rows, found, limit = *n_colors + *n_crossing - 1;
    int32_t *alone;
    enum ad_status status;

    if (limit < 1)
        return AD_OK;
    alone = malloc((size_t)(n + 1) * sizeof *alone);
    if (!alone)
        return AD_NO_MEMORY;
    status = ad_color_columns(crossing->lines, side->order, limit, alone, &found);
    if (!status && found <= limit) {
        memcpy(color, alone, (size_t)n * sizeof *color);
        *n_colors = found;
        for (int64_t v = 0; v < crossing->lines->n_rows; v++)
            crossing_color[v] = -1;
        *n_crossing = 0;
    }
    free(alone);
    return status;
}

enum ad_status ad_color_bicolor(const struct ad_pattern *pattern, enum ad_order how,
                                int32_t *row_color, int32_t *column_color, int64_t *n_row_colors,
                                int64_t *n_column_colors)
{
    struct ad_pattern transposed;
    struct side rows = {.lines = NULL}, columns = {.lines = NULL};
    enum ad_status status;

    if (pattern->n_rows + pattern->n_columns > INT32_MAX)
        return AD_NO_SLOTS;
    status = ad_pattern_transpose(pattern, &transposed);
    if (!status)
        status = side_new(pattern, &rows);
    if (!status)
        status = side_new(&transposed, &columns);
    if (!status)
        status = order_sides(&rows, &columns, how);
    if (!status) {
        settle(&rows, &columns);
        fill_read(&rows, &columns);
        fill_read(&columns, &rows);
        status = color_side(&columns, &rows, column_color, n_column_colors);
    }
    if (!status)
        status = color_side(&rows, &columns, row_color, n_row_colors);
    if (!status)
        status = try_alone(&columns, &rows, column_color, n_column_colors, row_color, n_row_colors);
    if (!status)
        status = try_alone(&rows, &columns, row_color, n_row_colors, column_color, n_column_colors);
    side_free(&rows);
    side_free(&columns);
    ad_pattern_free(&transposed);
    return status;
}

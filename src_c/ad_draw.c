/* ad_draw.c -- values that are drawn from others, and the places where these are. */
#include "ad_draw.h"

#include <stdlib.h>
#include <string.h>

#include "ad_index.h"

/* ---- recording ---- */

enum ad_status ad_record_draw(struct ad_tape *tape, const struct ad_view *from, int64_t m,
                              struct ad_view *result)
{
    int last = from->ndim - 1;
    int64_t shape[AD_MAX_DIMS], size;
    struct ad_view views[2];
    enum ad_status status;

    ad_assert(!tape->symbolic && !tape->program);
    if (last < 0)
        return AD_SHAPES_DIFFER;
    memcpy(shape, from->shape, (size_t)last * sizeof *shape);
    shape[last] = m;
    size = ad_shape_size(last + 1, shape);
    ad_view_copy(&views[0], from);
    ad_view_set_slots(&views[1], 0, last + 1, shape);
    views[1].place = AD_OWN;
    status = ad_record_block(tape, AD_DRAW, 0, 0, size, 2, views);
    if (status)
        return status;
    tape->n_draws++;
    ad_view_set_slots(result, tape->dst[tape->n - 1], last + 1, shape);
    return AD_OK;
}

enum ad_status ad_record_sort(struct ad_tape *tape, const struct ad_view *from,
                              struct ad_view *result)
{
    int64_t n = from->ndim ? from->shape[from->ndim - 1] : 0;
    enum ad_status status = ad_record_draw(tape, from, n, result);

    if (status)
        return status;
    ad_view_read(from, tape->value, tape->value + result->base);
    status = ad_sort_rows(n ? ad_view_size(from) / n : 0, n, tape->value + result->base);
    if (status)
        ad_tape_cut(tape, tape->n - 1, tape->n_consts);
    return status;
}

/* ---- sets ---- */

/* How many of the sorted numbers are no nan. */
static int64_t without_nan(int64_t n, const double *x)
{
    while (n > 0 && x[n - 1] != x[n - 1])
        n--;
    return n;
}

/* Keep one of equal numbers of a sorted row; how many are left. */
static int64_t distinct(int64_t n, double *x, bool equal_nan)
{
    int64_t m = n > 0, end = without_nan(n, x);
    double last = n > 0 ? x[0] : 0;

    for (int64_t j = 1; j < end; j++) {
        double next = x[j];

        x[m] = next;
        m += next != last;
        last = next;
    }
    if (end < n) { /* nan */
        m = end > 0 ? m : 0;
        n = equal_nan ? end + 1 : n;
        memmove(x + m, x + end, (size_t)(n - end) * sizeof *x);
        m += n - end;
    }
    return m;
}

/* Those of x that are in y, or those that are not, to the front of x; both are sorted and distinct. */
static int64_t select_by(int64_t n, double *x, int64_t n_other, const double *y, bool common)
{
    int64_t m = 0, k = 0;

    for (int64_t j = 0; j < n; j++) {
        while (k < n_other && y[k] < x[j])
            k++;
        x[m] = x[j];
        m += (k < n_other && y[k] == x[j]) == common;
    }
    return m;
}

/* What one of x and y has and the other has not, to 'out', sorted; x and y are sorted and distinct. */
static int64_t one_sided(int64_t n, const double *x, int64_t n_other, const double *y, double *out)
{
    int64_t n_x = without_nan(n, x), n_y = without_nan(n_other, y), m = 0, i = 0, k = 0;

    while (i < n_x || k < n_y) {
        if (k == n_y || (i < n_x && x[i] < y[k]))
            out[m++] = x[i++];
        else if (i == n_x || y[k] < x[i])
            out[m++] = y[k++];
        else
            i++, k++;
    }
    for (; i < n; i++)
        out[m++] = x[i];
    for (; k < n_other; k++)
        out[m++] = y[k];
    return m;
}

/* How many elements of a sorted row each of its different numbers is of. */
static void count_equals(int64_t n, const double *x, bool equal_nan, int64_t *count)
{
    int64_t end = without_nan(n, x), m = -1;

    for (int64_t j = 0; j < end; j++) {
        if (j == 0 || x[j] != x[j - 1])
            count[++m] = 0;
        count[m]++;
    }
    if (end < n && equal_nan)
        count[++m] = n - end;
    for (int64_t j = end; j < n && !equal_nan; j++)
        count[++m] = 1;
}

/* Each number once; *n becomes how many there are. */
static enum ad_status sort_distinct(int64_t *n, double *x)
{
    enum ad_status status = ad_sort_rows(1, *n, x);

    if (!status)
        *n = distinct(*n, x, true);
    return status;
}

/* Makes the n elements at x the set, of *m; room is for n + n_second numbers. */
static enum ad_status make_set(enum ad_set_of kind, int64_t n, double *x, int64_t split,
                               int64_t n_second, double *room, int64_t *count, int64_t *m)
{
    double *second = room;
    enum ad_status status;

    if (kind == AD_SET_OF_ALL || kind == AD_SET_OF_NUMBERS) {
        status = ad_sort_rows(1, n, x);
        if (status)
            return status;
        if (count)
            count_equals(n, x, kind == AD_SET_OF_ALL, count);
        *m = distinct(n, x, kind == AD_SET_OF_ALL);
        return AD_OK;
    }
    if (kind == AD_SET_ONE_SIDED) {
        memcpy(room, x, (size_t)n * sizeof *room);
        second = room + split;
        n_second = n - split;
        n = split;
    }
    status = sort_distinct(&n_second, second);
    if (!status)
        status = sort_distinct(&n, kind == AD_SET_ONE_SIDED ? room : x);
    if (!status && kind == AD_SET_ONE_SIDED)
        *m = one_sided(n, room, n_second, second, x);
    else if (!status)
        *m = select_by(n, x, n_second, second, kind == AD_SET_COMMON);
    return status;
}

enum ad_status ad_record_set(struct ad_tape *tape, enum ad_set_of kind, const struct ad_view *from,
                             int64_t split, int64_t n_second, const double *second, int64_t *count,
                             struct ad_view *result)
{
    int64_t n = ad_view_size(from), m = 0, most = kind == AD_SET_ONE_SIDED ? n : n_second;
    double *room;
    enum ad_status status;

    if (from->ndim != 1)
        return AD_SHAPES_DIFFER;
    /* The values are made where the slots will be, before it is known how many there are. */
    status = ad_tape_grow(tape, 1, n, 0, AD_BLOCK_HEADER + 2 * (4 + 2 * (int64_t)from->ndim));
    if (status)
        return status;
    room = malloc((size_t)(most + 1) * sizeof *room);
    if (!room)
        return AD_NO_MEMORY;
    if (kind != AD_SET_ONE_SIDED && n_second)
        memcpy(room, second, (size_t)n_second * sizeof *room);
    ad_view_read(from, tape->value, tape->value + tape->n_slots);
    status = make_set(kind, n, tape->value + tape->n_slots, split, n_second, room, count, &m);
    free(room);
    return status ? status : ad_record_draw(tape, from, m, result);
}

/* ---- bins ---- */

/* y[at[j]] += x[j], from zeros, and the same places as slots. */
static void fill_bins(int64_t n, const int64_t *at, const double *x, int32_t *slot, double *y)
{
    for (int64_t j = 0; j < n; j++) {
        slot[j] = (int32_t)at[j];
        y[at[j]] += x[j];
    }
}

enum ad_status ad_record_bins(struct ad_tape *tape, const struct ad_view *from, const int64_t *at,
                              int64_t n_bins, struct ad_view *result)
{
    int64_t n = ad_view_size(from);
    struct ad_view pair[2];
    double *copy = NULL;
    bool in_place = from->place == AD_SLOTS && ad_view_is_contiguous(from);
    enum ad_status status;

    if (from->ndim != 1)
        return AD_SHAPES_DIFFER;
    ad_view_copy(&pair[0], from);
    ad_view_set_slots(&pair[1], 0, 1, &n);
    pair[1].place = AD_OWN_LIST;
    pair[1].in.list = ad_list_new(NULL, n);
    if (!in_place)
        copy = malloc((size_t)(n + 1) * sizeof *copy);
    status = pair[1].in.list && (in_place || copy)
                 ? ad_record_block(tape, AD_ADDTO, 0, 0, n_bins, 2, pair)
                 : AD_NO_MEMORY;
    if (!status) {
        double *y = tape->value + tape->dst[tape->n - 1];

        memset(y, 0, (size_t)n_bins * sizeof *y);
        if (copy)
            ad_view_read(from, tape->value, copy);
        fill_bins(n, at, copy ? copy : tape->value + from->base, pair[1].in.list->slot, y);
        ad_view_set_slots(result, tape->dst[tape->n - 1], 1, &n_bins);
    }
    free(copy);
    if (pair[1].in.list)
        ad_list_drop(pair[1].in.list);
    return status;
}

/* ---- where they are ---- */

/* What finding the elements of rows of n among rows of 'n' takes. */
struct finder {
    int64_t n, m;   /* elements of a row, and drawn from it */
    double *x;      /* the elements of all rows, */
    int64_t *at;    /* and their places in their view */
    double *order;  /* of one row: the places that sort it, */
    double *sorted; /* and those that sort what was drawn */
    double *room;
};

static bool ascends(int64_t n, const double *y)
{
    for (int64_t j = 1; j < n; j++)
        if (!(y[j - 1] <= y[j] || y[j] != y[j]))
            return false;
    return true;
}

static bool same(double a, double b)
{
    return a == b || (a != a && b != b);
}

/* slot[j] = the slot of the element that is the drawn number y[j], for one row. */
static void find_row(const struct finder *f, const double *x, const int64_t *at, const double *y,
                     const struct ad_view *from, int32_t *slot)
{
    bool in_order = ascends(f->m, y);

    ad_index_sort(1, f->n, x, f->order, f->room);
    if (!in_order)
        ad_index_sort(1, f->m, y, f->sorted, f->room);
    for (int64_t j = 0, k = 0; j < f->m; j++, k++) {
        int64_t to = in_order ? j : (int64_t)f->sorted[j];

        while (k < f->n && !same(x[(int64_t)f->order[k]], y[to]))
            k++;
        ad_assert(k < f->n);
        slot[to] = (int32_t)at[(int64_t)f->order[k]];
        if (from->place == AD_LIST)
            slot[to] = from->in.list->slot[slot[to]];
    }
}

/* Make an AD_DRAW the AD_ADDTO of what was drawn. */
static enum ad_status find(struct ad_tape *tape, int32_t i)
{
    int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    struct ad_view views[2];
    struct finder f = {0};
    int64_t size, rows;
    struct ad_list *list = ad_list_new(&tape->lists, block[2]);
    double *memory;

    if (!list)
        return AD_NO_MEMORY;
    ad_tape_views(tape, i, views, 2);
    f.n = views[0].shape[views[0].ndim - 1];
    f.m = views[1].shape[views[1].ndim - 1];
    size = ad_view_size(&views[0]);
    rows = f.n ? size / f.n : 0;
    memory = malloc((size_t)(size + f.n + f.m + ad_index_room(f.n) + 1) * sizeof *memory);
    f.at = malloc((size_t)(size + 1) * sizeof *f.at);
    if (!memory || !f.at) {
        free(memory);
        free(f.at);
        ad_list_drop(list);
        return AD_NO_MEMORY;
    }
    f.x = memory;
    f.order = f.x + size;
    f.sorted = f.order + f.n;
    f.room = f.sorted + f.m;
    ad_view_read(&views[0], tape->value, f.x);
    ad_view_positions(&views[0], f.at);
    for (int64_t r = 0; r < rows; r++)
        find_row(&f, f.x + r * f.n, f.at + r * f.n, tape->value + tape->dst[i] + r * f.m, &views[0],
                 list->slot + r * f.m);
    free(memory);
    free(f.at);
    ad_view_drop(&views[0]);
    ad_view_set_slots(&views[0], 0, 1, &block[2]);
    views[0].place = AD_LIST;
    views[0].in.list = list;
    ad_view_set_slots(&views[1], 0, 1, &block[2]);
    views[1].place = AD_OWN;
    words = ad_view_encode(words, &views[0]); /* of one dimension, so that there is room for them */
    ad_view_encode(words, &views[1]);
    block[4] = 1; /* each slot is given exactly once */
    tape->op[i] = AD_ADDTO | AD_FLAG_ARRAY;
    tape->n_draws--;
    return AD_OK;
}

enum ad_status ad_draw_find_all(struct ad_tape *tape, int32_t first, int32_t last)
{
    enum ad_status status = AD_OK;

    for (int32_t i = last; i >= first && tape->n_draws > 0 && !status; i--)
        if (ad_tape_code(tape, i) == AD_DRAW)
            status = find(tape, i);
    return status;
}

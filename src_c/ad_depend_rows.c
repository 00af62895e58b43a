/* ad_depend_rows.c -- sets of columns through products, running sums, rows and rules. */
#include "ad_depend_rows.h"

#include <stdlib.h>
#include <string.h>

#include "ad_emit_algebra.h"
#include "ad_kernel.h"

uint8_t ad_depend_asked(const struct ad_depend *d, int32_t i)
{
    uint8_t found = 0;

    for (int32_t j = 0; j < ad_tape_length(d->tape, i); j++)
        found |= d->asked[d->tape->dst[i] + j];
    return found;
}

enum ad_status ad_depend_pair(struct ad_depend *d, struct ad_set a, struct ad_set b)
{
    const struct ad_set each[2] = {a, b}, with[2] = {b, a};
    struct ad_pair *met;
    enum ad_status status = AD_OK;

    if (ad_set_is_empty(a) || ad_set_is_empty(b))
        return AD_OK;
    met = &d->met[ad_union_place(a.shape ^ a.first, b.shape, b.first) % AD_DEPEND_MET];
    if (ad_set_same(a, met->a) && ad_set_same(b, met->b))
        return AD_OK;
    *met = (struct ad_pair){a, b};
    d->work += ad_set_count(&d->sets, a) + ad_set_count(&d->sets, b);
    if (d->work > 2 * (int64_t)AD_DEPEND_MOST)
        return AD_NO_SLOTS;
    for (int side = 0; side < (ad_set_same(a, b) ? 1 : 2); side++) {
        int64_t n;
        const struct ad_run *runs = ad_set_runs(&d->sets, each[side], &n);
        int64_t at = runs - d->sets.runs;

        for (int64_t k = 0; k < n; k++) /* the table may move */
            for (int32_t e = d->sets.runs[at + k].start; e < d->sets.runs[at + k].end && !status;
                 e++)
                status = ad_sets_unite(&d->sets, &d->row[each[side].first + e], with[side]);
    }
    return status;
}

/* The unions of runs of 'row' elements of a view, one after the other. */
static enum ad_status unite_rows(struct ad_depend *d, const struct ad_view *view, int64_t row,
                                 struct ad_set *rows)
{
    struct ad_unite unite;
    enum ad_status status = AD_OK;

    unite.n = 0;
#define UNITE_ROW(j, slot)                                                                         \
    do {                                                                                           \
        if ((slot) >= 0 && !status && !ad_set_is_empty(d->set[slot]))                              \
            status = ad_unite_add(&d->sets, &unite, d->set[slot]);                                 \
        if (((j) + 1) % row == 0 && !status) {                                                     \
            status = ad_unite_end(&d->sets, &unite, &rows[(j) / row]);                             \
            unite.n = 0;                                                                           \
        }                                                                                          \
    } while (0)
    if (!ad_depend_is_constant(view) && row > 0)
        AD_EACH_SLOT(d->tape, view, UNITE_ROW);
    return status;
}

/* The slots of a view in C order; constants have negative ones.  NULL without memory. */
static int32_t *slots_of(const struct ad_tape *tape, const struct ad_view *view)
{
    int32_t *slots = malloc((size_t)AD_MAX(ad_view_size(view), 1) * sizeof *slots);

#define TAKE_SLOT(j, slot) slots[j] = (slot)
    if (slots)
        AD_EACH_SLOT(tape, view, TAKE_SLOT);
    return slots;
}

/* A product of matrices, element by element: a constant that is 0 cuts its factor off. */
enum ad_status ad_depend_matmul(struct ad_depend *d, int32_t i)
{
    const struct ad_tape *tape = d->tape;
    struct ad_view views[2];
    int32_t *slots[2], dst = tape->dst[i];
    double *constant[2] = {NULL, NULL};
    int last;
    int64_t m, k, n, batches;
    enum ad_status status = AD_OK;

    if (!ad_depend_asked(d, i))
        return AD_OK;
    ad_tape_views(tape, i, views, 2);
    last = views[0].ndim - 1;
    m = views[0].shape[last - 1];
    k = views[0].shape[last];
    n = views[1].shape[last];
    batches = ad_shape_size(last - 1, views[0].shape);
    for (int side = 0; side < 2; side++) {
        slots[side] = slots_of(tape, &views[side]);
        if (ad_depend_is_constant(&views[side])) {
            constant[side] = malloc((size_t)AD_MAX(ad_view_size(&views[side]), 1) * sizeof(double));
            if (constant[side])
                ad_view_read(&views[side], tape->value, constant[side]);
        }
        if (!slots[side] || (ad_depend_is_constant(&views[side]) && !constant[side]))
            status = AD_NO_MEMORY;
    }
    for (int64_t j = 0; j < batches * m * n && !status; j++) {
        int64_t left = j / n * k, right = j / (m * n) * k * n + j % n;
        uint8_t asked = d->asked[dst + j];
        struct ad_unite unite;

        unite.n = 0;
        for (int64_t l = 0; l < k && asked && !status; l++) {
            int64_t at[2] = {left + l, right + l * n};
            struct ad_set sets[2];

            for (int side = 0; side < 2; side++)
                sets[side] = slots[side][at[side]] >= 0 ? d->set[slots[side][at[side]]]
                                                        : (struct ad_set){0, 0};
            for (int side = 0; side < 2 && asked & AD_NEEDED && !status; side++)
                if (!ad_set_is_empty(sets[side]) &&
                    !(constant[1 - side] && constant[1 - side][at[1 - side]] == 0))
                    status = ad_unite_add(&d->sets, &unite, sets[side]);
            if (asked & AD_LIVE && !status)
                status = ad_depend_pair(d, sets[0], sets[1]);
        }
        if (asked & AD_NEEDED && !status)
            status = ad_unite_end(&d->sets, &unite, &d->set[dst + j]);
    }
    for (int side = 0; side < 2; side++) {
        free(slots[side]);
        free(constant[side]);
    }
    return status;
}

enum ad_status ad_depend_cumsum(struct ad_depend *d, int32_t i)
{
    const struct ad_tape *tape = d->tape;
    int64_t dst = tape->dst[i], n = ad_tape_length(tape, i), row;
    bool backwards = tape->aux[tape->a[i] + 4] != 0;
    struct ad_view from;
    enum ad_status status = AD_OK;

    if (!(ad_depend_asked(d, i) & AD_NEEDED))
        return AD_OK;
    ad_tape_views(tape, i, &from, 1);
    row = from.shape[from.ndim - 1];
    if (ad_depend_is_constant(&from))
        return AD_OK;
#define TAKE_SET(j, slot)                                                                          \
    if ((slot) >= 0)                                                                               \
    d->set[dst + (j)] = d->set[slot]
    AD_EACH_SLOT(tape, &from, TAKE_SET);
    for (int64_t j = 1; j < n && !status; j++) {
        int64_t to = backwards ? n - 1 - j : j, before = backwards ? to + 1 : to - 1;

        if (to / row == before / row)
            status = ad_sets_unite(&d->sets, &d->set[dst + to], d->set[dst + before]);
    }
    return status;
}

/* Elements that are the extremum of their row, by the values on the tape. */
static enum ad_status depend_local_extremum(struct ad_depend *d, int32_t i,
                                            const struct ad_view *from, int64_t row)
{
    const double *value = d->tape->value;
    int64_t dst = d->tape->dst[i];
    enum ad_status status = AD_OK;

#define UNITE_EXTREMUM(j, slot)                                                                    \
    if ((slot) >= 0 && !status && value[slot] == value[dst + (j) / row])                           \
    status = ad_sets_unite(&d->sets, &d->set[dst + (j) / row], d->set[slot])
    AD_EACH_SLOT(d->tape, from, UNITE_EXTREMUM);
    return status;
}

/* Results that depend on the whole of a row of the first operand: 'each' results on one row. */
enum ad_status ad_depend_row(struct ad_depend *d, int32_t i)
{
    const struct ad_tape *tape = d->tape;
    int code = ad_tape_code(tape, i);
    int64_t dst = tape->dst[i], n = ad_tape_length(tape, i), row, n_rows;
    struct ad_view from;
    struct ad_set *rows;
    enum ad_status status;

    if (!ad_depend_asked(d, i))
        return AD_OK;
    ad_tape_views(tape, i, &from, 1);
    row = from.shape[from.ndim - 1];
    n_rows = row ? ad_view_size(&from) / row : 0;
    if (ad_depend_is_constant(&from) || n_rows == 0)
        return AD_OK;
    if (code == AD_EXTREMUM && d->local)
        return depend_local_extremum(d, i, &from, row);
    rows = calloc((size_t)n_rows, sizeof *rows);
    if (!rows)
        return AD_NO_MEMORY;
    status = unite_rows(d, &from, row, rows);
    for (int64_t r = 0; r < n_rows && !status; r++) {
        for (int64_t j = 0; j < n / n_rows; j++)
            d->set[dst + r * (n / n_rows) + j] = rows[r];
        if (code == AD_NORM && d->asked[dst + r] & AD_LIVE)
            status = ad_depend_pair(d, rows[r], rows[r]);
    }
    free(rows);
    return status;
}

/* Rules of kernels, batch by batch, and of the user's: all results on all operands. */
enum ad_status ad_depend_rule(struct ad_depend *d, int32_t i)
{
    const struct ad_tape *tape = d->tape;
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    int64_t dst = tape->dst[i], n_views = block[1], batches = 1, each;
    uint8_t asked = ad_depend_asked(d, i);
    struct ad_set *all, *rows;
    struct ad_view views[AD_KERNEL_MOST_ARGS];
    struct ad_kernel kernel;
    enum ad_status status = AD_OK;

    if (!asked)
        return AD_OK;
    if (ad_tape_code(tape, i) == AD_KERNEL) {
        double p;

        memcpy(&p, &block[3], sizeof p);
        ad_tape_views(tape, i, views, AD_KERNEL_MOST_ARGS);
        if (!ad_kernel_read(block[4], p, (int)n_views, views, &kernel))
            batches = AD_MAX(kernel.batches, 1);
    }
    each = block[2] / batches;
    all = calloc(2 * (size_t)batches, sizeof *all);
    if (!all)
        return AD_NO_MEMORY;
    rows = all + batches;
    for (int64_t v = 0; v < n_views && !status; v++) {
        struct ad_view view;

        words = ad_view_decode(words, &view);
        memset(rows, 0, (size_t)batches * sizeof *rows);
        status = unite_rows(d, &view, ad_view_size(&view) / batches, rows);
        for (int64_t b = 0; b < batches && !status; b++)
            status = ad_sets_unite(&d->sets, &all[b], rows[b]);
    }
    for (int64_t b = 0; b < batches && !status; b++) {
        for (int64_t j = 0; j < each; j++)
            d->set[dst + b * each + j] = all[b];
        if (asked & AD_LIVE)
            status = ad_depend_pair(d, all[b], all[b]);
    }
    free(all);
    return status;
}

/* ad_depend.c -- sets of columns, one bit each, carried from slot to slot. */
#include "ad_depend.h"

#include <stdlib.h>
#include <string.h>

#include "ad_emit_algebra.h"

/* Words of sets in memory at a time: columns beyond are left to another pass. */
enum { AT_A_TIME = 1 << 22 };

struct depend {
    const struct ad_tape *tape;
    int64_t words; /* of each set */
    uint64_t *set; /* of each slot; then one of no slot, for rows */
};

static uint64_t *set_of(const struct depend *d, int64_t slot)
{
    return d->set + slot * d->words;
}

static void unite(const struct depend *d, uint64_t *to, const uint64_t *from)
{
    for (int64_t w = 0; w < d->words; w++)
        to[w] |= from[w];
}

static bool is_constant(const struct ad_view *view)
{
    return view->place == AD_NUMBER || view->place == AD_ARRAY ||
           (view->place == AD_SLOTS && view->base < 0);
}

/* Is the partial 0 whatever the arguments? */
static bool ignores(enum ad_op op, int arg)
{
    const struct ad_word *word = ad_ops[op].partial[arg];

    return word[0].op == AD_W_CONST && word[0].c == 0 && word[1].op == AD_W_END;
}

static void depend_words(const struct depend *d, int32_t i, enum ad_op op,
                         const struct ad_view *views)
{
    int32_t dst = d->tape->dst[i];

    for (int arg = 0; arg < ad_ops[op].n_args; arg++) {
        if (is_constant(&views[arg]) || ignores(op, arg))
            continue;
#define UNITE(j, slot)                                                                             \
    if ((slot) >= 0)                                                                               \
    unite(d, set_of(d, dst + (j)), set_of(d, slot))
        AD_EACH_SLOT(d->tape, &views[arg], UNITE);
    }
}

static void depend_addto(const struct depend *d, int32_t i)
{
    const struct ad_tape *tape = d->tape;
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    struct ad_span_room from_room, to_room;
    struct ad_view from, to;

    for (int64_t v = 0; v < block[1]; v += 2) {
        words = ad_view_decode(ad_view_decode(words, &from), &to);
        if (is_constant(&from))
            continue;
        for (int64_t start = 0, n, size = ad_view_size(&to); start < size; start += n) {
            n = ad_tile_size(&to, size, start);
            struct ad_span a = ad_span_of(&from, 0, tape->value, start, n, &from_room);
            struct ad_span b = ad_span_of(&to, tape->dst[i], tape->value, start, n, &to_room);

            for (int64_t j = 0; j < n && a.kind != AD_SPAN_FIXED; j++) {
                int64_t slot = a.kind == AD_SPAN_MANY  ? a.slots[j]
                               : a.kind == AD_SPAN_RUN ? a.slot + j
                                                       : a.slot;
                int64_t at = b.kind == AD_SPAN_MANY  ? b.slots[j]
                             : b.kind == AD_SPAN_RUN ? b.slot + j
                                                     : b.slot;

                if (slot >= 0)
                    unite(d, set_of(d, at), set_of(d, slot));
            }
        }
    }
}

/* Each result depends on its row of the left operand and its column of the right. */
static enum ad_status depend_matmul(const struct depend *d, int32_t i)
{
    const struct ad_tape *tape = d->tape;
    struct ad_view views[2];
    int last;
    int64_t m, k, n, batches, dst = tape->dst[i];
    uint64_t *rows, *columns;

    ad_tape_views(tape, i, views, 2);
    last = views[0].ndim - 1;
    m = views[0].shape[last - 1];
    k = views[0].shape[last];
    n = views[1].shape[last];
    batches = ad_shape_size(last - 1, views[0].shape);
    rows = calloc((size_t)(batches * (m + n) * d->words + 1), sizeof *rows);
    if (!rows)
        return AD_NO_MEMORY;
    columns = rows + batches * m * d->words;
#define UNITE_ROW(j, slot)                                                                         \
    if ((slot) >= 0)                                                                               \
    unite(d, rows + (j) / k * d->words, set_of(d, slot))
#define UNITE_COLUMN(j, slot)                                                                      \
    if ((slot) >= 0)                                                                               \
    unite(d, columns + ((j) / (k * n) * n + (j) % n) * d->words, set_of(d, slot))
    if (!is_constant(&views[0]))
        AD_EACH_SLOT(tape, &views[0], UNITE_ROW);
    if (!is_constant(&views[1]))
        AD_EACH_SLOT(tape, &views[1], UNITE_COLUMN);
    for (int64_t j = 0; j < batches * m * n; j++) {
        unite(d, set_of(d, dst + j), rows + j / n * d->words);
        unite(d, set_of(d, dst + j), columns + (j / (m * n) * n + j % n) * d->words);
    }
    free(rows);
    return AD_OK;
}

static void depend_along(const struct depend *d, int32_t i)
{
    const struct ad_tape *tape = d->tape;
    int64_t row, dst = tape->dst[i], extra = tape->aux[tape->a[i] + 4], n;
    bool running = ad_tape_code(tape, i) == AD_CUMSUM;
    struct ad_view from;

    ad_tape_views(tape, i, &from, 1);
    if (is_constant(&from))
        return;
    row = from.shape[from.ndim - 1];
    n = ad_view_size(&from);
#define UNITE_ALONG(j, slot)                                                                       \
    if ((slot) >= 0)                                                                               \
    unite(d, set_of(d, dst + (running ? (j) : (j) / row)), set_of(d, slot))
    AD_EACH_SLOT(tape, &from, UNITE_ALONG);
    for (int64_t j = 1; j < n && running; j++) {
        int64_t to = extra ? n - 1 - j : j, before = extra ? to + 1 : to - 1;

        if (to / row == before / row)
            unite(d, set_of(d, dst + to), set_of(d, dst + before));
    }
}

/* All results on all of the first 'most' operands. */
static void depend_call(const struct depend *d, int32_t i, int64_t most)
{
    const struct ad_tape *tape = d->tape;
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    uint64_t *all = set_of(d, tape->n_slots);
    struct ad_view view;

    memset(all, 0, (size_t)d->words * sizeof *all);
    for (int64_t v = 0; v < AD_MIN(most, block[1]); v++) {
        words = ad_view_decode(words, &view);
#define UNITE_ALL(j, slot)                                                                         \
    if ((slot) >= 0 && (j) >= 0)                                                                   \
    unite(d, all, set_of(d, slot))
        if (!is_constant(&view))
            AD_EACH_SLOT(tape, &view, UNITE_ALL);
    }
    for (int64_t j = 0; j < block[2]; j++)
        unite(d, set_of(d, tape->dst[i] + j), all);
}

static enum ad_status depend_instr(const struct depend *d, int32_t i)
{
    const struct ad_tape *tape = d->tape;
    int code = ad_tape_code(tape, i);
    struct ad_view views[AD_MAX_ARGS];

    if (!ad_tape_is_array(tape, i)) {
        const int32_t args[2] = {tape->a[i], tape->b[i]};

        for (int arg = 0; arg < ad_ops[code].n_args; arg++)
            if (args[arg] >= 0 && !ignores((enum ad_op)code, arg))
                unite(d, set_of(d, tape->dst[i]), set_of(d, args[arg]));
        return AD_OK;
    }
    if (code == AD_MATMUL)
        return depend_matmul(d, i);
    if (code == AD_ADDTO) {
        depend_addto(d, i);
    } else if (code == AD_CUMSUM || code == AD_EXTREMUM || code == AD_NORM) {
        depend_along(d, i);
    } else if (ad_tape_has_rule(tape, i)) {
        depend_call(d, i, INT64_MAX);
    } else if (code == AD_GATHER || code == AD_SCATTER) {
        depend_call(d, i, 1); /* no derivative goes through the indices */
    } else if (code != AD_ARGSORT) {
        ad_tape_views(tape, i, views, ad_ops[code].n_args);
        depend_words(d, i, (enum ad_op)code, views);
    }
    return AD_OK;
}

/* Columns 64 * from .. 64 * (from + d->words) - 1 of all rows into 'rows', of 'words' words each. */
static enum ad_status pass(const struct depend *d, const struct ad_program *program, int n_wanted,
                           const int *wanted, int first, int n_outputs, int64_t from, int64_t words,
                           uint64_t *rows)
{
    const struct ad_tape *tape = d->tape;
    int64_t column = -64 * from, row = 0;
    enum ad_status status = AD_OK;

    memset(d->set, 0, (size_t)(tape->n_slots + 1) * (size_t)d->words * sizeof *d->set);
    for (int k = 0; k < n_wanted; k++) {
        const struct ad_view *input = &program->inputs[wanted[k]];

        for (int64_t j = 0; j < ad_view_size(input); j++, column++)
            if (column >= 0 && column < 64 * d->words)
                set_of(d, input->base + j)[column / 64] |= (uint64_t)1 << column % 64;
    }
    for (int32_t i = program->n_inputs; i < tape->n && !status; i++)
        status = depend_instr(d, i);
    for (int k = first; k < first + n_outputs && !status; k++) {
        const struct ad_view *output = &program->outputs[k];

#define TAKE(j, slot)                                                                              \
    if ((slot) >= 0)                                                                               \
    memcpy(rows + (row + (j)) * words + from, set_of(d, slot), (size_t)d->words * sizeof *rows)
        if (!is_constant(output))
            AD_EACH_SLOT(tape, output, TAKE);
        row += ad_view_size(output);
    }
    return status;
}

static bool has(const uint64_t *row, int64_t column)
{
    return row[column / 64] >> column % 64 & 1;
}

static enum ad_status pattern_of(const uint64_t *rows, int64_t words, bool *known,
                                 struct ad_pattern *pattern)
{
    int64_t n_entries = 0, n = pattern->n_columns;

    pattern->start = malloc((size_t)(pattern->n_rows + 1) * sizeof *pattern->start);
    if (!pattern->start)
        return AD_NO_MEMORY;
    for (int64_t r = 0; r < pattern->n_rows; r++) {
        pattern->start[r] = n_entries;
        for (int64_t c = 0; c < n; c++)
            n_entries += has(rows + r * words, c);
    }
    pattern->start[pattern->n_rows] = n_entries;
    *known = n_entries <= pattern->n_rows * n / 2;
    if (!*known) {
        ad_pattern_free(pattern);
        return AD_OK;
    }
    pattern->column = malloc((size_t)AD_MAX(n_entries, 1) * sizeof *pattern->column);
    if (!pattern->column)
        return AD_NO_MEMORY;
    n_entries = 0;
    for (int64_t r = 0; r < pattern->n_rows; r++)
        for (int64_t c = 0; c < n; c++)
            if (has(rows + r * words, c))
                pattern->column[n_entries++] = (int32_t)c;
    return AD_OK;
}

enum ad_status ad_depend_find(const struct ad_program *program, int n_wanted, const int *wanted,
                              int first, int n_outputs, bool *known, struct ad_pattern *pattern)
{
    struct depend d = {program->tape, 0, NULL};
    int64_t slots = program->tape->n_slots + 1, words, each;
    uint64_t *rows;
    enum ad_status status = AD_OK;

    memset(pattern, 0, sizeof *pattern);
    *known = false;
    for (int k = 0; k < n_wanted; k++)
        pattern->n_columns += ad_view_size(&program->inputs[wanted[k]]);
    for (int k = first; k < first + n_outputs; k++)
        pattern->n_rows += ad_view_size(&program->outputs[k]);
    words = (pattern->n_columns + 63) / 64;
    if (words == 0 || words > AD_DEPEND_MOST / (slots + pattern->n_rows))
        return AD_OK;
    each = AD_MIN(words, AD_MAX(1, AT_A_TIME / slots));
    d.set = malloc((size_t)(slots * each) * sizeof *d.set);
    rows = calloc((size_t)(pattern->n_rows * words + 1), sizeof *rows);
    if (!d.set || !rows)
        status = AD_NO_MEMORY;
    for (int64_t from = 0; from < words && !status; from += each) {
        d.words = AD_MIN(each, words - from);
        status = pass(&d, program, n_wanted, wanted, first, n_outputs, from, words, rows);
    }
    if (!status)
        status = pattern_of(rows, words, known, pattern);
    if (status)
        ad_pattern_free(pattern);
    free(d.set);
    free(rows);
    return status;
}

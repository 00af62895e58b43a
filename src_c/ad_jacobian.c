/* ad_jacobian.c -- columns in lanes, compressed by colours, and put into blocks. */
#include "ad_jacobian.h"

#include <stdlib.h>
#include <string.h>

#include "ad_color.h"
#include "ad_depend.h"
#include "ad_derivation.h"
#include "ad_emit.h"
#include "ad_entries.h"
#include "ad_jacobian_bicolor.h"
#include "ad_recover.h"

/* Which matrix, and how it is laid out: columns are elements of the wanted inputs, one lane each or
 * shared; rows are elements of outputs first .. first + n_outputs - 1. */
struct matrix {
    const struct ad_program *program;
    const int *wanted;
    int n_wanted, first, n_outputs;
    bool symmetric;                 /* outputs are the gradient by the wanted inputs */
    const struct ad_pattern *order; /* wanted are its entries alone, row by row; or NULL */
    bool across;                    /* its rows are the columns */
    bool
        by_column; /* block [w][o] has shape (*input w, *output o); else [o][w] the other way round */
};

/* Which lane a column has. */
struct plan {
    int64_t n_columns, lanes;
    bool shared; /* else there is one for each, in order */
    int32_t *color;
    int32_t *row, *lane; /* where each entry is read; NULL: in its own row and its column's lane */
    struct ad_pattern pattern;
};

static void plan_free(struct plan *plan)
{
    free(plan->color);
    free(plan->row);
    free(plan->lane);
    ad_pattern_free(&plan->pattern);
}

static int64_t columns_of(const struct matrix *m)
{
    int64_t n = 0;

    for (int k = 0; k < m->n_wanted; k++)
        n += ad_view_size(&m->program->inputs[m->wanted[k]]);
    return n;
}

static enum ad_status recover_plan(struct plan *plan)
{
    size_t n = (size_t)plan->pattern.start[plan->pattern.n_rows] + 1;

    plan->row = malloc(n * sizeof *plan->row);
    plan->lane = malloc(n * sizeof *plan->lane);
    if (!plan->row || !plan->lane)
        return AD_NO_MEMORY;
    return ad_recover_star(&plan->pattern, plan->color, plan->row, plan->lane);
}

/* Share lanes, if that takes no more than 'most' of them. */
static enum ad_status color_plan(const struct matrix *m, int64_t most, struct plan *plan)
{
    size_t n = (size_t)AD_MAX(plan->n_columns, 1);
    int64_t limit = AD_MIN(most, m->order ? plan->n_columns : plan->n_columns / 2), n_colors;
    enum ad_status status;

    plan->color = malloc(n * sizeof *plan->color);
    if (!plan->color)
        return AD_NO_MEMORY;
    status = m->symmetric ? ad_color_symmetric(&plan->pattern, limit, plan->color, &n_colors)
                          : ad_color_columns(&plan->pattern, NULL, limit, plan->color, &n_colors);
    if (status || n_colors > limit)
        return status;
    plan->shared = true;
    plan->lanes = AD_MAX(n_colors, 1);
    return m->symmetric ? recover_plan(plan) : AD_OK;
}

/* A plan of the matrix whose pattern is known, or not: 'pattern' is taken over. */
static enum ad_status plan_of(const struct matrix *m, bool known, struct ad_pattern *pattern,
                              struct plan *plan)
{
    memset(plan, 0, sizeof *plan);
    plan->pattern = *pattern;
    plan->n_columns = columns_of(m);
    plan->lanes = AD_MAX(plan->n_columns, 1);
    return known ? color_plan(m, plan->n_columns, plan) : AD_OK;
}

/* The shape of a block, and where its dimensions of the input and of the output begin. */
static enum ad_status block_shape(const struct matrix *m, const struct ad_view *input,
                                  const struct ad_view *output, struct ad_view *block,
                                  int *of_input, int *of_output)
{
    if (input->ndim + output->ndim > AD_MAX_DIMS)
        return AD_TOO_MANY_DIMS;
    *of_input = m->by_column ? 0 : output->ndim;
    *of_output = m->by_column ? input->ndim : 0;
    block->ndim = input->ndim + output->ndim;
    for (int d = 0; d < input->ndim; d++)
        block->shape[*of_input + d] = input->shape[d];
    for (int d = 0; d < output->ndim; d++)
        block->shape[*of_output + d] = output->shape[d];
    return AD_OK;
}

/* The block whose columns are lanes of 'result' from 'column' on. */
static enum ad_status block_of_lanes(struct ad_derivation *d, const struct matrix *m,
                                     const struct ad_view *input, const struct ad_view *output,
                                     const struct ad_view *result, int64_t column)
{
    int of_input = 0, of_output = 0;
    int64_t stride[AD_MAX_DIMS];
    struct ad_view block = *result;
    enum ad_status status = block_shape(m, input, output, &block, &of_input, &of_output);

    if (status)
        return status;
    block.base += column * result->stride[0];
    ad_strides(input->ndim, input->shape, stride);
    for (int j = 0; j < input->ndim; j++)
        block.stride[of_input + j] = stride[j] * result->stride[0];
    for (int j = 0; j < output->ndim; j++)
        block.stride[of_output + j] = result->stride[j + 1];
    return ad_program_add_output(d->r.to, &block);
}

/*
 * The block of input w, whose first column is 'column', and output o, whose first row is 'row': its
 * entries are scattered into zeros.
 */
static enum ad_status block_of_entries(struct ad_derivation *d, const struct matrix *m,
                                       const struct plan *plan, int w, int64_t column, int o,
                                       int64_t row)
{
    const struct ad_view *input = &m->program->inputs[m->wanted[w]],
                         *output = &m->program->outputs[m->first + o];
    int64_t n_columns = ad_view_size(input), n_rows = ad_view_size(output), n = 0,
            size = n_rows * n_columns;
    /* read in their own row; and in that of their mate, which is their column */
    struct ad_entries entries[2] = {{0, NULL, NULL}, {0, NULL, NULL}};
    const struct ad_view *results[2] = {&d->results[o], &d->results[m->symmetric ? w : o]};
    struct ad_view block, whole;
    int of_input, of_output;
    enum ad_status status = block_shape(m, input, output, &block, &of_input, &of_output);

    if (!status && size > INT32_MAX)
        status = AD_NO_SLOTS;
    for (int64_t k = plan->pattern.start[row]; k < plan->pattern.start[row + n_rows]; k++)
        n += plan->pattern.column[k] >= column && plan->pattern.column[k] < column + n_columns;
    for (int j = 0; j < 2 && !status; j++)
        status = ad_entries_new(n, &entries[j]);
    for (int64_t r = 0; r < n_rows && !status; r++)
        for (int64_t k = plan->pattern.start[row + r]; k < plan->pattern.start[row + r + 1]; k++) {
            int64_t c = plan->pattern.column[k] - column;
            struct ad_entries *put;
            bool mate;

            if (c < 0 || c >= n_columns)
                continue;
            mate = plan->row && plan->row[k] != row + r;
            put = &entries[mate];
            put->from[put->n] = mate         ? plan->lane[k] * n_columns + c
                                : plan->lane ? plan->lane[k] * n_rows + r
                                             : plan->color[column + c] * n_rows + r;
            put->to[put->n++] = (int32_t)(m->by_column ? c * n_rows + r : r * n_columns + c);
        }
    if (!status)
        status = ad_entries_put(d->r.to->tape, size, 2, results, entries, &whole);
    if (!status && whole.place == AD_NUMBER)
        ad_view_broadcast(&whole, block.ndim, block.shape);
    else if (!status)
        whole = ad_view_slots(whole.base, block.ndim, block.shape);
    if (!status)
        status = ad_program_add_output(d->r.to, &whole);
    for (int j = 0; j < 2; j++)
        ad_entries_free(&entries[j]);
    return status;
}

/* All entries of m->order, one after the other. */
static enum ad_status add_entries(struct ad_derivation *d, const struct matrix *m,
                                  const struct plan *plan)
{
    const struct ad_pattern *order = m->order;
    int64_t size = order->start[order->n_rows], n_rows = 0;
    struct ad_entries *entries = calloc((size_t)AD_MAX(m->n_outputs, 1), sizeof *entries);
    const struct ad_view **results = calloc((size_t)AD_MAX(m->n_outputs, 1), sizeof *results);
    int32_t *output = NULL; /* of each row */
    int64_t *first = calloc((size_t)m->n_outputs + 1, sizeof *first), *count = NULL;
    struct ad_view whole;
    enum ad_status status = AD_OK;

    if (first)
        for (int o = 0; o < m->n_outputs; o++)
            first[o + 1] = n_rows += ad_view_size(&m->program->outputs[m->first + o]);
    output = malloc((size_t)AD_MAX(n_rows, 1) * sizeof *output);
    count = calloc((size_t)AD_MAX(m->n_outputs, 1), sizeof *count);
    if (!entries || !results || !output || !first || !count)
        status = AD_NO_MEMORY;
    else if (size > INT32_MAX)
        status = AD_NO_SLOTS;
    for (int o = 0; o < m->n_outputs && !status; o++)
        for (int64_t r = first[o]; r < first[o + 1]; r++)
            output[r] = o;
    for (int pass = 0; pass < 2 && !status; pass++) {
        int64_t at = 0;

        for (int64_t i = 0; i < order->n_rows; i++)
            for (int64_t k = order->start[i]; k < order->start[i + 1]; k++, at++) {
                int64_t r = m->across ? order->column[k] : i, c = m->across ? i : order->column[k],
                        lane;
                int32_t o;

                lane = plan->shared ? plan->color[c] : c;
                if (plan->row) { /* symmetric: 'order' is its pattern */
                    r = plan->row[k];
                    lane = plan->lane[k];
                }
                o = output[r];
                if (pass == 0) {
                    count[o]++;
                    continue;
                }
                entries[o].from[entries[o].n] = lane * (first[o + 1] - first[o]) + r - first[o];
                entries[o].to[entries[o].n++] = (int32_t)at;
            }
        for (int o = 0; o < m->n_outputs && pass == 0 && !status; o++) {
            results[o] = &d->results[o];
            status = ad_entries_new(count[o], &entries[o]);
        }
    }
    if (!status && m->n_outputs == 1 && results[0]->place == AD_SLOTS) { /* they are in order */
        struct ad_view now = *results[0];

        status =
            ad_view_pick(&now, &d->r.to->tape->lists, entries[0].from, size) ? AD_OK : AD_NO_MEMORY;
        if (!status) {
            status = ad_program_add_output(d->r.to, &now);
            ad_view_drop(&now);
        }
    } else if (!status) {
        status = ad_entries_put(d->r.to->tape, size, m->n_outputs, results, entries, &whole);
        if (!status) {
            if (whole.place == AD_NUMBER)
                ad_view_broadcast(&whole, 1, &size);
            status = ad_program_add_output(d->r.to, &whole);
        }
    }
    for (int o = 0; o < m->n_outputs && entries; o++)
        ad_entries_free(&entries[o]);
    free(entries);
    free(results);
    free(output);
    free(first);
    free(count);
    return status;
}

static enum ad_status add_blocks(struct ad_derivation *d, const struct matrix *m,
                                 const struct plan *plan)
{
    int n_blocks = m->n_wanted * m->n_outputs;
    enum ad_status status = AD_OK;

    for (int b = 0; b < n_blocks && !status; b++) {
        int w = m->by_column ? b / m->n_outputs : b % m->n_wanted,
            o = m->by_column ? b % m->n_outputs : b / m->n_wanted;
        int64_t column = 0, row = 0;

        for (int k = 0; k < w; k++)
            column += ad_view_size(&m->program->inputs[m->wanted[k]]);
        for (int k = 0; k < o; k++)
            row += ad_view_size(&m->program->outputs[m->first + k]);
        status = plan->shared
                     ? block_of_entries(d, m, plan, w, column, o, row)
                     : block_of_lanes(d, m, &m->program->inputs[m->wanted[w]],
                                      &m->program->outputs[m->first + o], &d->results[o], column);
    }
    return status;
}

/* The program of all blocks or entries, behind the outputs of the matrix' program if 'keep'. */
static enum ad_status derive_blocks(const struct matrix *m, const struct plan *plan, bool keep,
                                    struct ad_program **to)
{
    struct ad_derivation d;
    int n_seeds = 0, n_results = 0;
    int64_t column = 0;
    enum ad_status status = ad_derivation_begin(&d, m->program);

    if (!status)
        status = ad_derivation_copy(&d);
    for (; n_seeds < m->n_wanted && !status; n_seeds++) {
        d.inputs[n_seeds] = d.r.to->inputs[m->wanted[n_seeds]];
        status = ad_derivation_colors(&d.inputs[n_seeds], plan->lanes,
                                      plan->shared ? plan->color : NULL, column, &d.seeds[n_seeds]);
        if (status)
            break;
        column += ad_view_size(&d.inputs[n_seeds]);
    }
    if (!status) {
        status = ad_emit_forward_lanes(d.r.to->tape, plan->lanes, m->n_wanted, d.inputs, d.seeds,
                                       m->n_outputs, d.outputs + m->first, d.results);
        n_results = status ? 0 : m->n_outputs;
    }
    for (int o = 0; o < n_results; o++)
        if (d.results[o].place == AD_NUMBER && !status) {
            const struct ad_view *like = &m->program->outputs[m->first + o];
            int64_t shape[AD_MAX_DIMS + 1] = {plan->lanes};

            if (like->ndim == AD_MAX_DIMS)
                status = AD_TOO_MANY_DIMS;
            else if (like->ndim)
                memcpy(shape + 1, like->shape, (size_t)like->ndim * sizeof *shape);
            if (!status)
                ad_view_broadcast(&d.results[o], like->ndim + 1, shape);
        }
    if (!status)
        status = m->order ? add_entries(&d, m, plan) : add_blocks(&d, m, plan);
    while (n_results-- > 0)
        ad_view_drop(&d.results[n_results]);
    while (n_seeds-- > 0)
        ad_view_drop(&d.seeds[n_seeds]);
    return ad_derivation_end(&d, status, keep, to);
}

/* The ways to a Jacobian: columns in forward lanes, rows in reverse lanes, and some of either. */
struct ways {
    struct plan columns, rows;
    struct ad_bicoloring both;
};

static void ways_free(struct ways *ways)
{
    plan_free(&ways->columns);
    plan_free(&ways->rows);
    ad_bicoloring_free(&ways->both);
}

/* Those to a matrix whose pattern, which is taken over, is known or not; without colours so far. */
static enum ad_status ways_of(int64_t n_rows, int64_t n_columns, bool known,
                              struct ad_pattern *pattern, struct ways *ways)
{
    memset(ways, 0, sizeof *ways);
    ways->columns.pattern = *pattern;
    ways->columns.n_columns = n_columns;
    ways->columns.lanes = AD_MAX(n_columns, 1);
    ways->rows.n_columns = n_rows;
    ways->rows.lanes = AD_MAX(n_rows, 1);
    return known ? ad_pattern_transpose(pattern, &ways->rows.pattern) : AD_OK;
}

/* How many lanes of one kind take the time of these of both. */
static int64_t lanes_worth(int64_t forward, int64_t reverse)
{
    return 1 + forward + 2 * reverse;
}

static int64_t longest_row(const struct ad_pattern *pattern)
{
    int64_t longest = 0;

    for (int64_t r = 0; r < pattern->n_rows; r++)
        longest = AD_MAX(longest, pattern->start[r + 1] - pattern->start[r]);
    return longest;
}

/*
 * Could lanes of both kinds be fewer by far?  Columns take as many as the longest row has entries at least, and
 * rows as many as the longest column; of any kind there are as many as it takes for all entries.
 */
static bool is_crossed(const struct ways *ways)
{
    const struct ad_pattern *pattern = &ways->columns.pattern;
    int64_t n = AD_MAX(pattern->n_rows, pattern->n_columns),
            least = (pattern->start[pattern->n_rows] + n - 1) / AD_MAX(n, 1);

    return lanes_worth(1, least - 1) < longest_row(pattern) &&
           lanes_worth(1, least - 1) < longest_row(&ways->rows.pattern);
}

/* Colour what may be taken, if the pattern is known, and settle *mode. */
static enum ad_status choose_way(const struct matrix *m, bool known, struct ways *ways,
                                 enum ad_jacobian_mode *mode)
{
    const struct ad_bicoloring *both = &ways->both;
    int64_t most = INT64_MAX; /* lanes of one kind that are better than those of both */
    enum ad_status status = AD_OK;

    if (*mode == AD_JACOBIAN_BOTH || (*mode == AD_JACOBIAN_AUTO && m->order && is_crossed(ways)))
        status = ad_bicoloring_of(&ways->columns.pattern, &ways->both);
    if (status || *mode == AD_JACOBIAN_BOTH)
        return status;
    if (both->n_row_colors && both->n_column_colors)
        most = lanes_worth(both->n_column_colors, both->n_row_colors);
    if (known && *mode != AD_JACOBIAN_REVERSE)
        status = color_plan(m, most, &ways->columns);
    if (known && !status && *mode != AD_JACOBIAN_FORWARD)
        status = color_plan(m, most, &ways->rows);
    if (*mode == AD_JACOBIAN_AUTO)
        *mode = AD_MIN(ways->columns.lanes, ways->rows.lanes) > most ? AD_JACOBIAN_BOTH
                : ways->rows.lanes < ways->columns.lanes             ? AD_JACOBIAN_REVERSE
                                                                     : AD_JACOBIAN_FORWARD;
    return status;
}

/*
 * Reverse lanes: adjoints are linear in their seeds, so their derivatives by the seeds, which are inputs
 * of the reverse program, are the rows of the Jacobian; the seeds themselves are not needed then.
 */
static enum ad_status reverse_blocks(const struct ad_program *from, int n_wanted, const int *wanted,
                                     const struct plan *plan, const struct ad_pattern *order,
                                     bool keep, struct ad_program **to)
{
    struct ad_program *reverse = NULL, *blocks = NULL;
    int *seeds = malloc((size_t)AD_MAX(from->n_outputs, 1) * sizeof *seeds),
        n_kept = keep ? from->n_outputs : 0;
    struct matrix m = {.wanted = seeds,
                       .n_wanted = from->n_outputs,
                       .first = n_kept,
                       .n_outputs = n_wanted,
                       .order = order,
                       .across = true,
                       .by_column = true};
    enum ad_status status = seeds ? AD_OK : AD_NO_MEMORY;

    for (int k = 0; k < from->n_outputs && !status; k++)
        seeds[k] = from->n_inputs + k;
    if (!status)
        status = ad_derive_reverse(from, n_wanted, wanted, false, keep, &reverse);
    m.program = reverse;
    if (!status)
        status = derive_blocks(&m, plan, true, &blocks);
    if (!status) { /* the adjoints along the seeds, which lie between */
        int n = blocks->n_outputs - n_kept - n_wanted;

        for (int k = n_kept; k < n_kept + n_wanted; k++)
            ad_view_drop(&blocks->outputs[k]);
        memmove(blocks->outputs + n_kept, blocks->outputs + n_kept + n_wanted,
                (size_t)n * sizeof *blocks->outputs);
        blocks->n_outputs -= n_wanted;
        status = ad_derivation_drop_inputs(blocks, from->n_inputs, to);
    }
    ad_program_free(reverse);
    ad_program_free(blocks);
    free(seeds);
    return status;
}

/* The Jacobian, or its entries alone: then *entries is their pattern. */
static enum ad_status derive_jacobian(const struct ad_program *from, int n_wanted,
                                      const int *wanted, enum ad_jacobian_mode mode, bool keep,
                                      struct ad_pattern *entries, struct ad_jacobian_lanes *lanes,
                                      struct ad_program **to)
{
    struct matrix m = {
        .program = from, .wanted = wanted, .n_wanted = n_wanted, .n_outputs = from->n_outputs};
    struct ad_depend_question question = {
        .program = from, .n_wanted = n_wanted, .wanted = wanted, .n_outputs = from->n_outputs};
    struct ad_pattern pattern;
    struct ways ways;
    int64_t n_rows = 0, n_columns = columns_of(&m);
    bool known;
    enum ad_status status;

    *to = NULL;
    for (int k = 0; k < from->n_outputs; k++)
        n_rows += ad_view_size(&from->outputs[k]);
    question.most = entries ? INT32_MAX : n_rows * n_columns / 2;
    status = ad_depend_jacobian(&question, &known, &pattern);
    if (!status && entries && !known)
        status = AD_NO_SLOTS;
    if (status)
        return status;
    status = ways_of(n_rows, n_columns, known, &pattern, &ways);
    m.order = entries ? &ways.columns.pattern : NULL;
    if (!status)
        status = choose_way(&m, known, &ways, &mode);
    *lanes = (struct ad_jacobian_lanes){0, 0};
    if (!status && mode == AD_JACOBIAN_FORWARD) {
        lanes->forward = ways.columns.lanes;
        status = derive_blocks(&m, &ways.columns, keep, to);
    } else if (!status && mode == AD_JACOBIAN_REVERSE) {
        lanes->reverse = ways.rows.lanes;
        status = reverse_blocks(from, n_wanted, wanted, &ways.rows, m.order, keep, to);
    } else if (!status) {
        *lanes = (struct ad_jacobian_lanes){ways.both.n_column_colors, ways.both.n_row_colors};
        status =
            ad_derive_bicolored_jacobian(from, n_wanted, wanted, keep, m.order, &ways.both, to);
    }
    if (!status && entries) {
        *entries = ways.columns.pattern;
        ways.columns.pattern = (struct ad_pattern){0, 0, NULL, NULL};
    }
    ways_free(&ways);
    return status;
}

enum ad_status ad_derive_jacobian(const struct ad_program *from, int n_wanted, const int *wanted,
                                  enum ad_jacobian_mode mode, bool keep, struct ad_program **to)
{
    struct ad_jacobian_lanes lanes;

    ad_assert(mode != AD_JACOBIAN_BOTH);
    return derive_jacobian(from, n_wanted, wanted, mode, keep, NULL, &lanes, to);
}

enum ad_status ad_derive_sparse_jacobian(const struct ad_program *from, int n_wanted,
                                         const int *wanted, enum ad_jacobian_mode mode, bool keep,
                                         struct ad_pattern *entries,
                                         struct ad_jacobian_lanes *lanes, struct ad_program **to)
{
    memset(entries, 0, sizeof *entries);
    return derive_jacobian(from, n_wanted, wanted, mode, keep, entries, lanes, to);
}

static enum ad_status derive_hessian(const struct ad_program *from, int n_wanted, const int *wanted,
                                     bool keep, struct ad_pattern *entries, struct ad_program **to,
                                     struct ad_pushed *pushed)
{
    struct ad_program *reverse = NULL, *gradient = NULL;
    struct matrix m = {.program = from,
                       .wanted = wanted,
                       .n_wanted = n_wanted,
                       .first = keep,
                       .n_outputs = n_wanted,
                       .symmetric = true,
                       .by_column = true};
    int64_t n = columns_of(&m);
    struct ad_depend_question question = {.program = from,
                                          .n_wanted = n_wanted,
                                          .wanted = wanted,
                                          .n_outputs = 1,
                                          .most = entries ? INT32_MAX : n * n / 2};
    struct ad_pattern pattern = {0, 0, NULL, NULL};
    struct plan plan = {.lanes = 0};
    bool known;
    enum ad_status status;

    *to = NULL;
    if (from->n_outputs != 1 || ad_view_size(&from->outputs[0]) != 1)
        return AD_SHAPES_DIFFER;
    status = ad_depend_hessian(&question, &known, &pattern);
    if (!status && entries && !known)
        status = AD_NO_SLOTS;
    if (!status && pushed) {
        status = ad_derive_pushed_hessian(from, n_wanted, wanted, keep, &pattern, to, pushed);
        if (status != AD_NO_EDGES) {
            *entries = pattern;
            if (status)
                ad_pattern_free(entries);
            return status;
        }
        pushed->edges = 0;
        status = AD_OK;
    }
    if (!status)
        status = ad_derive_reverse(from, n_wanted, wanted, true, keep, &reverse);
    if (!status)
        status = ad_pass_dead(reverse, &gradient);
    m.program = gradient;
    m.order = entries ? &pattern : NULL;
    if (!status)
        status = plan_of(&m, known, &pattern, &plan);
    else
        plan.pattern = pattern;
    if (!status)
        status = derive_blocks(&m, &plan, keep, to);
    if (!status && entries) {
        *entries = plan.pattern;
        plan.pattern = (struct ad_pattern){0, 0, NULL, NULL};
    }
    plan_free(&plan);
    ad_program_free(reverse);
    ad_program_free(gradient);
    return status;
}

enum ad_status ad_derive_hessian(const struct ad_program *from, int n_wanted, const int *wanted,
                                 bool keep, struct ad_program **to)
{
    return derive_hessian(from, n_wanted, wanted, keep, NULL, to, NULL);
}

enum ad_status ad_derive_sparse_hessian(const struct ad_program *from, int n_wanted,
                                        const int *wanted, bool keep, struct ad_pattern *entries,
                                        struct ad_program **to, struct ad_pushed *pushed)
{
    memset(entries, 0, sizeof *entries);
    if (pushed)
        *pushed = (struct ad_pushed){.edges = 0};
    return derive_hessian(from, n_wanted, wanted, keep, entries, to, pushed);
}

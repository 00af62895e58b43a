/* ad_jacobian.c -- columns in lanes, compressed by colours, and put into blocks. */
#include "ad_jacobian.h"

#include <stdlib.h>
#include <string.h>

#include "ad_color.h"
#include "ad_depend.h"
#include "ad_derivation.h"
#include "ad_emit.h"
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

static enum ad_status color_plan(const struct matrix *m, struct plan *plan)
{
    size_t n = (size_t)AD_MAX(plan->n_columns, 1);
    int64_t limit = m->order ? plan->n_columns : plan->n_columns / 2, n_colors;
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
    return known ? color_plan(m, plan) : AD_OK;
}

/* The seed of wanted input k, whose first column is 'column': (lanes, *shape), ones where a lane has a
 * column of the input. */
static enum ad_status seed_of(const struct matrix *m, const struct plan *plan, int k,
                              int64_t column, struct ad_view *seed)
{
    const struct ad_view *input = &m->program->inputs[m->wanted[k]];
    int64_t shape[AD_MAX_DIMS + 1] = {plan->lanes}, n = ad_view_size(input);
    double *data;

    if (input->ndim == AD_MAX_DIMS)
        return AD_TOO_MANY_DIMS;
    data = calloc((size_t)AD_MAX(plan->lanes * n, 1), sizeof *data);
    if (!data)
        return AD_NO_MEMORY;
    for (int64_t j = 0; j < n; j++)
        data[(plan->shared ? plan->color[column + j] : column + j) * n + j] = 1;
    if (input->ndim)
        memcpy(shape + 1, input->shape, (size_t)input->ndim * sizeof *shape);
    *seed = ad_view_slots(0, input->ndim + 1, shape);
    seed->place = AD_ARRAY;
    seed->in.array = ad_array_copy(data, plan->lanes * n);
    free(data);
    return seed->in.array ? AD_OK : AD_NO_MEMORY;
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

/* Entries of one block that are read from one result. */
struct entries {
    int64_t n, *from; /* positions in the result, in C order */
    int32_t *to;      /* positions in the block */
};

/* A part of an AD_ADDTO that puts entries of 'result' into a block. */
static enum ad_status part_of_block(struct ad_tape *tape, const struct ad_view *result,
                                    const struct entries *entries, struct ad_view *from,
                                    struct ad_view *to)
{
    if (result->place == AD_ARRAY || result->place == AD_NUMBER) { /* lists are of slots */
        enum ad_status status = ad_record_copy(tape, result, from);

        if (status)
            return status;
    } else {
        *from = *result;
        ad_view_hold(from);
    }
    if (!ad_view_pick(from, &tape->lists, entries->from, entries->n)) {
        ad_view_drop(from);
        return AD_NO_MEMORY;
    }
    *to = ad_view_slots(0, 1, &entries->n);
    to->place = AD_OWN_LIST;
    to->in.list = ad_list_new(NULL, entries->n);
    if (!to->in.list) {
        ad_view_drop(from);
        return AD_NO_MEMORY;
    }
    if (entries->n)
        memcpy(to->in.list->slot, entries->to, (size_t)entries->n * sizeof *entries->to);
    return AD_OK;
}

/*
 * Put entries of results in their places: parts[k] of results[k], each at most once, among zeros of 'size'
 * elements.  *whole is a number if there are none, and holds a reference.
 */
static enum ad_status put_entries(struct ad_derivation *d, int64_t size, int n,
                                  const struct ad_view *const *results,
                                  const struct entries *entries, struct ad_view *whole)
{
    struct ad_view *from = calloc((size_t)AD_MAX(2 * n, 1), sizeof *from),
                   *to = from ? from + n : NULL;
    int parts = 0;
    enum ad_status status = from ? AD_OK : AD_NO_MEMORY;

    *whole = ad_view_number(0);
    for (int k = 0; k < n && !status; k++)
        if (entries[k].n && !(results[k]->place == AD_NUMBER && results[k]->in.number == 0)) {
            status =
                part_of_block(d->r.to->tape, results[k], &entries[k], &from[parts], &to[parts]);
            parts += !status;
        }
    if (!status && parts)
        status = ad_record_addto(d->r.to->tape, size, parts, from, to, whole);
    while (parts-- > 0) {
        ad_view_drop(&from[parts]);
        ad_view_drop(&to[parts]);
    }
    free(from);
    return status;
}

static enum ad_status entries_new(int64_t most, struct entries *entries)
{
    entries->n = 0;
    entries->from = malloc((size_t)AD_MAX(most, 1) * sizeof *entries->from);
    entries->to = malloc((size_t)AD_MAX(most, 1) * sizeof *entries->to);
    return entries->from && entries->to ? AD_OK : AD_NO_MEMORY;
}

static void entries_free(struct entries *entries)
{
    free(entries->from);
    free(entries->to);
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
    struct entries entries[2] = {{0, NULL, NULL}, {0, NULL, NULL}};
    const struct ad_view *results[2] = {&d->results[o], &d->results[m->symmetric ? w : o]};
    struct ad_view block, whole;
    int of_input, of_output;
    enum ad_status status = block_shape(m, input, output, &block, &of_input, &of_output);

    if (!status && size > INT32_MAX)
        status = AD_NO_SLOTS;
    for (int64_t k = plan->pattern.start[row]; k < plan->pattern.start[row + n_rows]; k++)
        n += plan->pattern.column[k] >= column && plan->pattern.column[k] < column + n_columns;
    for (int j = 0; j < 2 && !status; j++)
        status = entries_new(n, &entries[j]);
    for (int64_t r = 0; r < n_rows && !status; r++)
        for (int64_t k = plan->pattern.start[row + r]; k < plan->pattern.start[row + r + 1]; k++) {
            int64_t c = plan->pattern.column[k] - column;
            struct entries *put;
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
        status = put_entries(d, size, 2, results, entries, &whole);
    if (!status && whole.place == AD_NUMBER)
        ad_view_broadcast(&whole, block.ndim, block.shape);
    else if (!status)
        whole = ad_view_slots(whole.base, block.ndim, block.shape);
    if (!status)
        status = ad_program_add_output(d->r.to, &whole);
    for (int j = 0; j < 2; j++)
        entries_free(&entries[j]);
    return status;
}

/* All entries of m->order, one after the other. */
static enum ad_status add_entries(struct ad_derivation *d, const struct matrix *m,
                                  const struct plan *plan)
{
    const struct ad_pattern *order = m->order;
    int64_t size = order->start[order->n_rows], n_rows = 0;
    struct entries *entries = calloc((size_t)AD_MAX(m->n_outputs, 1), sizeof *entries);
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
            status = entries_new(count[o], &entries[o]);
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
        status = put_entries(d, size, m->n_outputs, results, entries, &whole);
        if (!status) {
            if (whole.place == AD_NUMBER)
                ad_view_broadcast(&whole, 1, &size);
            status = ad_program_add_output(d->r.to, &whole);
        }
    }
    for (int o = 0; o < m->n_outputs && entries; o++)
        entries_free(&entries[o]);
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
        status = seed_of(m, plan, n_seeds, column, &d.seeds[n_seeds]);
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

/* The program without inputs from n on: what still reads one reads ones instead. */
static enum ad_status drop_inputs(const struct ad_program *from, int n, struct ad_program **to)
{
    struct ad_program fewer = *from;
    struct ad_rewrite r;
    uint8_t *used = malloc((size_t)from->tape->n + 1);
    enum ad_status status;

    fewer.n_inputs = n;
    status = ad_rewrite_begin(&r, &fewer);
    if (!used)
        status = AD_NO_MEMORY;
    else
        ad_program_used(&fewer, used);
    for (int32_t i = n; i < from->tape->n && !status; i++) {
        if (!used[i])
            continue;
        if (i < from->n_inputs) {
            int64_t size = ad_tape_length(from->tape, i);
            struct ad_view one = ad_view_number(1), ones;

            ad_view_broadcast(&one, 1, &size);
            status = ad_record_copy(r.to->tape, &one, &ones);
            if (!status)
                ad_rewrite_results(&r, i, (int32_t)ones.base);
        } else {
            status = ad_rewrite_copy(&r, i);
        }
    }
    free(used);
    return ad_rewrite_end(&r, status, to);
}

/*
 * Reverse lanes: adjoints are linear in their seeds, so their derivatives by the seeds, which are inputs
 * of the reverse program, are the rows of the Jacobian; the seeds themselves are not needed then.
 */
static enum ad_status reverse_blocks(const struct ad_program *from, int n_wanted, const int *wanted,
                                     bool known, struct ad_pattern *pattern,
                                     const struct ad_pattern *order, bool keep,
                                     struct ad_program **to)
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
    struct plan plan = {.pattern = *pattern};
    enum ad_status status = seeds ? AD_OK : AD_NO_MEMORY;

    for (int k = 0; k < from->n_outputs && !status; k++)
        seeds[k] = from->n_inputs + k;
    if (!status)
        status = ad_derive_reverse(from, n_wanted, wanted, false, keep, &reverse);
    m.program = reverse;
    if (!status)
        status = plan_of(&m, known, pattern, &plan);
    if (!status)
        status = derive_blocks(&m, &plan, true, &blocks);
    if (!status) { /* the adjoints along the seeds, which lie between */
        int n = blocks->n_outputs - n_kept - n_wanted;

        for (int k = n_kept; k < n_kept + n_wanted; k++)
            ad_view_drop(&blocks->outputs[k]);
        memmove(blocks->outputs + n_kept, blocks->outputs + n_kept + n_wanted,
                (size_t)n * sizeof *blocks->outputs);
        blocks->n_outputs -= n_wanted;
        status = drop_inputs(blocks, from->n_inputs, to);
    }
    plan_free(&plan);
    ad_program_free(reverse);
    ad_program_free(blocks);
    free(seeds);
    return status;
}

/* The Jacobian, or its entries alone: then *entries is their pattern. */
static enum ad_status derive_jacobian(const struct ad_program *from, int n_wanted,
                                      const int *wanted, enum ad_jacobian_mode mode, bool keep,
                                      struct ad_pattern *entries, struct ad_program **to)
{
    struct matrix m = {
        .program = from, .wanted = wanted, .n_wanted = n_wanted, .n_outputs = from->n_outputs};
    struct ad_depend_question question = {
        .program = from, .n_wanted = n_wanted, .wanted = wanted, .n_outputs = from->n_outputs};
    struct ad_pattern pattern, transposed = {0, 0, NULL, NULL};
    struct plan plan, across;
    int64_t n_rows = 0;
    bool known, reverse;
    enum ad_status status;

    *to = NULL;
    for (int k = 0; k < from->n_outputs; k++)
        n_rows += ad_view_size(&from->outputs[k]);
    question.most = entries ? INT32_MAX : n_rows * columns_of(&m) / 2;
    status = ad_depend_jacobian(&question, &known, &pattern);
    if (!status && entries && !known)
        status = AD_NO_SLOTS;
    if (status)
        return status;
    m.order = entries ? &pattern : NULL;
    if (known)
        status = ad_pattern_transpose(&pattern, &transposed);
    memset(&across, 0, sizeof across);
    across.n_columns = across.lanes = n_rows;
    across.pattern = transposed;
    if (!status)
        status = plan_of(&m, known, &pattern, &plan);
    else
        plan = (struct plan){.pattern = pattern};
    if (!status && known && mode == AD_JACOBIAN_AUTO)
        status = color_plan(&m, &across);
    reverse =
        mode == AD_JACOBIAN_REVERSE || (mode == AD_JACOBIAN_AUTO && across.lanes < plan.lanes);
    if (!status && !reverse)
        status = derive_blocks(&m, &plan, keep, to);
    if (!status && reverse) {
        status = reverse_blocks(from, n_wanted, wanted, known, &across.pattern, m.order, keep, to);
        across.pattern = (struct ad_pattern){0, 0, NULL, NULL};
    }
    if (!status && entries) {
        *entries = plan.pattern;
        plan.pattern = (struct ad_pattern){0, 0, NULL, NULL};
    }
    plan_free(&plan);
    plan_free(&across);
    return status;
}

enum ad_status ad_derive_jacobian(const struct ad_program *from, int n_wanted, const int *wanted,
                                  enum ad_jacobian_mode mode, bool keep, struct ad_program **to)
{
    return derive_jacobian(from, n_wanted, wanted, mode, keep, NULL, to);
}

enum ad_status ad_derive_sparse_jacobian(const struct ad_program *from, int n_wanted,
                                         const int *wanted, enum ad_jacobian_mode mode, bool keep,
                                         struct ad_pattern *entries, struct ad_program **to)
{
    memset(entries, 0, sizeof *entries);
    return derive_jacobian(from, n_wanted, wanted, mode, keep, entries, to);
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

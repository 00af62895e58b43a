/* ad_jacobian_bicolor.c -- forward lanes and reverse lanes on one tape. */
#include "ad_jacobian_bicolor.h"

#include <stdlib.h>

#include "ad_bicolor.h"
#include "ad_derivation.h"
#include "ad_emit.h"
#include "ad_entries.h"
#include "ad_recover.h"

void ad_bicoloring_free(struct ad_bicoloring *colors)
{
    free(colors->row);
    free(colors->column);
    *colors = (struct ad_bicoloring){NULL, NULL, 0, 0};
}

enum ad_status ad_bicoloring_of(const struct ad_pattern *pattern, struct ad_bicoloring *colors)
{
    enum ad_status status = AD_NO_MEMORY;

    colors->row = malloc((size_t)AD_MAX(pattern->n_rows, 1) * sizeof *colors->row);
    colors->column = malloc((size_t)AD_MAX(pattern->n_columns, 1) * sizeof *colors->column);
    colors->n_row_colors = colors->n_column_colors = 0;
    if (colors->row && colors->column)
        status = ad_color_bicolor(pattern, AD_ORDER_NATURAL, colors->row, colors->column,
                                  &colors->n_row_colors, &colors->n_column_colors);
    if (status)
        ad_bicoloring_free(colors);
    return status;
}

/* Lanes of arrays that follow one another: elements of these are the lines with colours. */
struct lanes {
    int n;
    const struct ad_view *inputs; /* n of them */
    const int32_t *color;         /* of each of their elements */
    int64_t n_colors;
};

/* Results of 'lanes': (n_colors, *shape of the output), or numbers.  Passes them, unless there are no colours. */
static enum ad_status emit_lanes(struct ad_tape *tape, const struct lanes *lanes, int n_outputs,
                                 const struct ad_view *outputs, struct ad_view *results)
{
    struct ad_view *seeds = calloc((size_t)AD_MAX(lanes->n, 1), sizeof *seeds);
    int64_t first = 0;
    int n_seeds = 0;
    enum ad_status status = seeds ? AD_OK : AD_NO_MEMORY;

    for (; n_seeds < lanes->n && !status; n_seeds++) {
        status = ad_derivation_colors(&lanes->inputs[n_seeds], lanes->n_colors, lanes->color, first,
                                      &seeds[n_seeds]);
        if (status)
            break;
        first += ad_view_size(&lanes->inputs[n_seeds]);
    }
    if (!status)
        status = ad_emit_forward_lanes(tape, lanes->n_colors, lanes->n, lanes->inputs, seeds,
                                       n_outputs, outputs, results);
    while (n_seeds-- > 0)
        ad_view_drop(&seeds[n_seeds]);
    free(seeds);
    return status;
}

/* A number of lanes, spread to as many elements as the others have. */
static void spread(struct ad_view *result, int64_t n_colors, const struct ad_view *like)
{
    int64_t n = n_colors * ad_view_size(like);

    if (result->place == AD_NUMBER)
        ad_view_broadcast(result, 1, &n);
}

/* Of each element of n arrays that follow one another: which array it is of, and which of its elements. */
struct places {
    int32_t *array;
    int64_t *element, *size; /* the latter of each array */
};

static enum ad_status places_of(int n, const struct ad_view *arrays, struct places *places)
{
    int64_t total = 0, at = 0;

    for (int k = 0; k < n; k++)
        total += ad_view_size(&arrays[k]);
    places->array = malloc((size_t)AD_MAX(total, 1) * sizeof *places->array);
    places->element = malloc((size_t)AD_MAX(total, 1) * sizeof *places->element);
    places->size = malloc((size_t)AD_MAX(n, 1) * sizeof *places->size);
    if (!places->array || !places->element || !places->size)
        return AD_NO_MEMORY;
    for (int k = 0; k < n; k++) {
        places->size[k] = ad_view_size(&arrays[k]);
        for (int64_t i = 0; i < places->size[k]; i++, at++) {
            places->array[at] = k;
            places->element[at] = i;
        }
    }
    return AD_OK;
}

static void places_free(struct places *places)
{
    free(places->array);
    free(places->element);
    free(places->size);
}

/*
 * The entries from the results of forward lanes, (n_column_colors, *shape of the output), and behind them
 * those of reverse lanes, (n_row_colors, *shape of the input).
 */
static enum ad_status add_entries(struct ad_program *program, const struct ad_pattern *pattern,
                                  const struct ad_bicoloring *colors, int n_outputs,
                                  const struct ad_view *outputs, int n_wanted,
                                  const struct ad_view *inputs, const struct ad_view *results)
{
    int64_t n_entries = pattern->start[pattern->n_rows];
    size_t room = (size_t)AD_MAX(n_entries, 1);
    int32_t *lane = malloc(room * sizeof *lane), *source = malloc(room * sizeof *source);
    int64_t *from = malloc(room * sizeof *from);
    const struct ad_view **all = malloc((size_t)AD_MAX(n_outputs + n_wanted, 1) * sizeof *all);
    struct places rows = {NULL, NULL, NULL}, columns = {NULL, NULL, NULL};
    struct ad_view whole;
    enum ad_status status = lane && source && from && all ? AD_OK : AD_NO_MEMORY;

    if (!status)
        status = places_of(n_outputs, outputs, &rows);
    if (!status)
        status = places_of(n_wanted, inputs, &columns);
    if (!status)
        status = ad_recover_bicolor(pattern, colors->row, colors->column, lane);
    for (int k = 0; k < n_outputs + n_wanted && !status; k++)
        all[k] = &results[k];
    for (int64_t r = 0; r < pattern->n_rows && !status; r++)
        for (int64_t k = pattern->start[r]; k < pattern->start[r + 1]; k++) {
            bool by_row = lane[k] < 0;
            const struct places *places = by_row ? &columns : &rows;
            int64_t line = by_row ? pattern->column[k] : r;
            int32_t array = places->array[line];

            source[k] = by_row ? n_outputs + array : array;
            from[k] =
                (by_row ? -1 - lane[k] : lane[k]) * places->size[array] + places->element[line];
        }
    if (!status)
        status = ad_entries_gather(program->tape, n_entries, n_outputs + n_wanted, all, source,
                                   from, &whole);
    if (!status) {
        status = ad_program_add_output(program, &whole);
        ad_view_drop(&whole);
    }
    places_free(&rows);
    places_free(&columns);
    free(lane);
    free(source);
    free(from);
    free(all);
    return status;
}

/*
 * On 'reverse', whose inputs behind those of 'from' are the adjoints of its outputs, and which has the adjoints of
 * the wanted inputs behind these: tangents of the outputs along the wanted inputs, and tangents of the adjoints
 * along the adjoints that go in, which are rows of the Jacobian as adjoints are linear in these.
 */
static enum ad_status both_lanes(const struct ad_program *from, const struct ad_program *reverse,
                                 int n_wanted, const int *wanted, bool keep,
                                 const struct ad_pattern *pattern,
                                 const struct ad_bicoloring *colors, struct ad_program **to)
{
    struct ad_derivation d;
    int n = from->n_outputs, n_columns = 0, n_rows = 0;
    struct ad_view *results = calloc((size_t)AD_MAX(n + n_wanted, 1), sizeof *results);
    enum ad_status status = ad_derivation_begin(&d, reverse);
    struct lanes columns = {n_wanted, d.inputs, colors->column, colors->n_column_colors},
                 rows = {n, d.seeds, colors->row, colors->n_row_colors};

    if (!status && !results)
        status = AD_NO_MEMORY;
    if (!status)
        status = ad_derivation_copy(&d);
    for (int k = 0; k < n_wanted && !status; k++)
        d.inputs[k] = d.r.to->inputs[wanted[k]];
    for (int k = 0; k < n && !status; k++)
        d.seeds[k] = d.r.to->inputs[from->n_inputs + k];
    if (!status && columns.n_colors) {
        status = emit_lanes(d.r.to->tape, &columns, n, d.outputs, results);
        n_columns = status ? 0 : n;
    }
    if (!status && rows.n_colors) {
        status = emit_lanes(d.r.to->tape, &rows, n_wanted, d.outputs + n, results + n);
        n_rows = status ? 0 : n_wanted;
    }
    for (int k = 0; k < n_columns; k++)
        spread(&results[k], columns.n_colors, &from->outputs[k]);
    for (int k = 0; k < n_rows; k++)
        spread(&results[n + k], rows.n_colors, &d.inputs[k]);
    if (!status)
        status =
            add_entries(d.r.to, pattern, colors, n, from->outputs, n_wanted, d.inputs, results);
    for (int k = 0; k < n_columns; k++)
        ad_view_drop(&results[k]);
    for (int k = 0; k < n_rows; k++)
        ad_view_drop(&results[n + k]);
    free(results);
    status = ad_derivation_end(&d, status, keep, to);
    if (!status && keep) { /* the adjoints lie between */
        struct ad_program *program = *to;

        for (int k = n; k < n + n_wanted; k++)
            ad_view_drop(&program->outputs[k]);
        program->outputs[n] = program->outputs[n + n_wanted];
        program->n_outputs -= n_wanted;
    }
    return status;
}

enum ad_status ad_derive_bicolored_jacobian(const struct ad_program *from, int n_wanted,
                                            const int *wanted, bool keep,
                                            const struct ad_pattern *pattern,
                                            const struct ad_bicoloring *colors,
                                            struct ad_program **to)
{
    struct ad_program *reverse = NULL, *both = NULL;
    enum ad_status status = ad_derive_reverse(from, n_wanted, wanted, false, true, &reverse);

    *to = NULL;
    if (!status)
        status = both_lanes(from, reverse, n_wanted, wanted, keep, pattern, colors, &both);
    if (!status)
        status = ad_derivation_drop_inputs(both, from->n_inputs, to);
    ad_program_free(reverse);
    ad_program_free(both);
    return status;
}

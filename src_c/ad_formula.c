/* ad_formula.c -- formulas as one instruction. */
#include "ad_formula.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ad_lanes.h"

/* ---- pairs of numbers, as NumPy has complex ones ---- */

AD_VECTOR static void join_runs(double *z, const double *re, const double *im, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        z[2 * i] = re[i];
        z[2 * i + 1] = im[i];
    }
}

static void join(double *z, struct ad_vec re, struct ad_vec im, int64_t n)
{
    if (re.v && im.v) {
        join_runs(z, re.v, im.v, n);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        z[2 * i] = re.v ? re.v[i] : re.c;
        z[2 * i + 1] = im.v ? im.v[i] : im.c;
    }
}

AD_VECTOR void ad_complex_split(const double *z, int64_t n, double *re, double *im)
{
    for (int64_t i = 0; i < n; i++) {
        re[i] = z[2 * i];
        im[i] = z[2 * i + 1];
    }
}

void ad_complex_read(const struct ad_view *re, const struct ad_view *im, const double *value,
                     double *z)
{
    struct ad_span_room room[2];
    int64_t size = ad_view_size(re);

    for (int64_t start = 0, n; start < size; start += n) {
        n = ad_tile_size(re, size, start);
        struct ad_span a = ad_span_of(re, 0, value, start, n, &room[0]);
        struct ad_span b = ad_span_of(im, 0, value, start, n, &room[1]);

        join(z + 2 * start, ad_span_values(&a, value, n, room[0].values),
             ad_span_values(&b, value, n, room[1].values), n);
    }
}

/* ---- a tile at a time ---- */

/* The numbers of a tile: of what is given, and of the steps. */
struct tile {
    const struct ad_formula *formula;
    int64_t n;
    struct ad_span span[AD_FORMULA_GIVEN];
    struct ad_vec given[AD_FORMULA_GIVEN];
    struct ad_span_room room[AD_FORMULA_GIVEN];
    struct ad_vec *y; /* of each step */
    double *values;   /* n_steps runs of 'longest' */
    double *moves;    /* n_steps runs of 'longest' elements, all lanes: tangents or adjoints */
    bool *moved;      /* of each step, whether there are any */
    int64_t longest;
    int lanes;
};

static bool tile_new(struct tile *tile, const struct ad_formula *formula, int64_t size, int lanes)
{
    size_t steps = (size_t)formula->n_steps;

    tile->formula = formula;
    tile->lanes = lanes;
    tile->longest = AD_MIN(AD_MAX(size, 1), (int64_t)AD_TILE);
    tile->y = malloc(steps * (sizeof *tile->y + sizeof *tile->moved) +
                     steps * (size_t)(tile->longest * (1 + lanes)) * sizeof(double));
    if (!tile->y)
        return false;
    tile->values = (double *)(tile->y + steps);
    tile->moves = tile->values + (int64_t)steps * tile->longest;
    tile->moved = (bool *)(tile->moves + (int64_t)steps * tile->longest * lanes);
    return true;
}

static struct ad_vec at_place(const struct tile *tile, int place)
{
    const struct ad_formula *f = tile->formula;

    if (place < f->n_given)
        return tile->given[place];
    if (place < f->n_given + f->n_numbers)
        return (struct ad_vec){NULL, f->numbers[place - f->n_given].in.number};
    return tile->y[place - f->n_given - f->n_numbers];
}

/* The step at a place; negative if none is. */
static int step_at(const struct ad_formula *f, int place)
{
    return place - f->n_given - f->n_numbers;
}

static void arguments(const struct tile *tile, const struct ad_formula_step *step, struct ad_vec *a)
{
    for (int j = 0; j < AD_MAX_ARGS; j++)
        a[j] =
            j < ad_ops[step->op].n_args ? at_place(tile, step->args[j]) : (struct ad_vec){NULL, 0};
}

/* The values of the operands' elements from 'start' on, as many as make a tile, and of all steps. */
static void load(struct tile *tile, const struct ad_tape *tape, const struct ad_view *views,
                 int64_t size, int64_t start)
{
    const struct ad_formula *f = tile->formula;

    tile->n = ad_tile_size(&views[0], size, start);
    for (int j = 0; j < f->n_given; j++) {
        tile->span[j] = ad_span_of(&views[j], 0, tape->value, start, tile->n, &tile->room[j]);
        tile->given[j] = ad_span_values(&tile->span[j], tape->value, tile->n, tile->room[j].values);
    }
    for (int k = 0; k < f->n_steps; k++) {
        struct ad_vec a[AD_MAX_ARGS];
        double *y = tile->values + k * tile->longest;

        arguments(tile, &f->steps[k], a);
        if (a[0].v || a[1].v || a[2].v) {
            ad_op_vector(f->steps[k].op, 0, (size_t)tile->n, a, y);
            tile->y[k] = (struct ad_vec){y, 0};
        } else {
            tile->y[k] =
                (struct ad_vec){NULL, ad_op_value(f->steps[k].op, 0, a[0].c, a[1].c, a[2].c)};
        }
        tile->moved[k] = false;
    }
}

/* ---- recording ---- */

/* One part after the other of what stays in the nearest memory: two results to be written at once, far
 * from each other, are slower. */
AD_VECTOR static void multiply_runs(int64_t n, const double *restrict a, const double *restrict b,
                                    const double *restrict c, const double *restrict d,
                                    double *restrict re, double *restrict im)
{
    for (int64_t start = 0; start < n; start += AD_TILE) {
        int64_t end = AD_MIN(start + AD_TILE, n);

        for (int64_t i = start; i < end; i++)
            re[i] = a[i] * c[i] - b[i] * d[i];
        for (int64_t i = start; i < end; i++)
            im[i] = a[i] * d[i] + b[i] * c[i];
    }
}

/* |a + i b|; of squares that are far from over- and underflow as their root. */
AD_VECTOR static bool moduli_runs(int64_t n, const double *restrict a, const double *restrict b,
                                  double *restrict y)
{
    int good = 1;

    for (int64_t i = 0; i < n; i++) {
        double square = a[i] * a[i] + b[i] * b[i];

        good &= square > 1e-280 && square < 1e300;
        y[i] = sqrt(square);
    }
    return good;
}

static void moduli(int64_t n, const double *a, const double *b, double *y)
{
    if (!moduli_runs(n, a, b, y))
        for (int64_t i = 0; i < n; i++)
            if (!(y[i] > 1e-140 && y[i] < 1e150))
                y[i] = hypot(a[i], b[i]);
}

/* (a + i b) / (c + i d), by the ratio of the lesser part of the divisor to the greater. */
AD_VECTOR static void divide_runs(int64_t n, const double *restrict a, const double *restrict b,
                                  const double *restrict c, const double *restrict d,
                                  double *restrict re, double *restrict im)
{
    for (int64_t i = 0; i < n; i++) {
        bool first = fabs(c[i]) >= fabs(d[i]);
        double great = first ? c[i] : d[i], small = first ? d[i] : c[i];
        double ratio = small / great, scale = great + small * ratio;
        double x = first ? a[i] : a[i] * ratio, z = first ? b[i] * ratio : b[i];
        double u = first ? b[i] : b[i] * ratio, v = first ? a[i] * ratio : a[i];

        re[i] = (x + z) / scale;
        im[i] = (u - v) / scale;
    }
}

AD_VECTOR static void invert_runs(int64_t n, const double *restrict c, const double *restrict d,
                                  double *restrict re, double *restrict im)
{
    for (int64_t i = 0; i < n; i++) {
        bool first = fabs(c[i]) >= fabs(d[i]);
        double great = first ? c[i] : d[i], small = first ? d[i] : c[i];
        double ratio = small / great, scale = great + small * ratio;

        re[i] = (first ? 1.0 : ratio) / scale;
        im[i] = (first ? -ratio : -1.0) / scale;
    }
}

static double log_of_modulus(double a, double b)
{
    bool first = fabs(a) >= fabs(b);
    double great = first ? a : b, small = first ? b : a;

    if (fabs(great) > 0.5 && fabs(great) < 2)
        return 0.5 * log1p((great - 1) * (great + 1) + small * small);
    return log(hypot(a, b));
}

static void log1p_runs(int64_t n, const double *a, const double *b, double *re, double *im)
{
    for (int64_t i = 0; i < n; i++) {
        bool near = fabs(a[i]) < 0.5 && fabs(b[i]) < 0.5;

        re[i] =
            near ? 0.5 * log1p(a[i] * (2 + a[i]) + b[i] * b[i]) : log_of_modulus(1 + a[i], b[i]);
        im[i] = atan2(b[i], 1 + a[i]);
    }
}

/* A vector as n numbers that lie one after another. */
static const double *run_of(struct ad_vec v, int64_t n, double *room)
{
    if (v.v)
        return v.v;
    for (int64_t i = 0; i < n; i++)
        room[i] = v.c;
    return room;
}

/* n results of NumPy's loop. */
static void loop_over(const struct ad_complex_call *call, const struct ad_vec *parts, int64_t n,
                      double *re, double *im)
{
    double in[AD_FORMULA_GIVEN / 2][2 * AD_TILE], out[2 * AD_TILE];
    char *args[AD_FORMULA_GIVEN / 2 + 1];
    intptr_t stride[AD_FORMULA_GIVEN / 2 + 1], count = (intptr_t)n;

    for (int k = 0; k < call->n_args; k++) {
        const struct ad_vec *v = &parts[2 * k];

        args[k] = (char *)in[k];
        stride[k] = v[0].v || v[1].v ? 2 * (intptr_t)sizeof(double) : 0;
        join(in[k], v[0], v[1], stride[k] ? n : 1);
    }
    args[call->n_args] = call->real ? (char *)re : (char *)out;
    stride[call->n_args] = (intptr_t)sizeof(double) * (call->real ? 1 : 2);
    call->loop(args, &count, stride, call->data);
    if (!call->real)
        ad_complex_split(out, n, re, im);
}

static void in_one_loop(const struct ad_complex_call *call, const double *const *runs, int64_t n,
                        double *re, double *im)
{
    if (call->way == AD_COMPLEX_MODULUS)
        moduli(n, runs[0], runs[1], re);
    else if (call->way == AD_COMPLEX_LOG1P)
        log1p_runs(n, runs[0], runs[1], re, im);
    else if (call->way == AD_COMPLEX_PRODUCT)
        multiply_runs(n, runs[0], runs[1], runs[2], runs[3], re, im);
    else if (call->n_args == 1)
        invert_runs(n, runs[0], runs[1], re, im);
    else
        divide_runs(n, runs[0], runs[1], runs[2], runs[3], re, im);
}

/* Where all parts are runs of numbers: no tiles, whose many streams would keep memory waiting. */
static bool compute_runs(struct ad_tape *tape, const struct ad_complex_call *call,
                         const struct ad_view *views, int64_t size, int32_t dst)
{
    const double *runs[AD_FORMULA_GIVEN] = {NULL};

    for (int k = 0; k < 2 * call->n_args; k++) {
        const struct ad_view *view = &views[AD_MAX(call->parts[k].given, 0)];

        if (call->parts[k].given < 0 || view->ndim != 1 || view->stride[0] != 1 ||
            (view->place != AD_SLOTS && view->place != AD_ARRAY))
            return false;
        runs[k] = (view->place == AD_ARRAY ? view->in.array->data : tape->value) + view->base;
    }
    in_one_loop(call, runs, size, tape->value + dst, tape->value + dst + size);
    return true;
}

/* Tile by tile, in one go. */
static void compute(struct ad_tape *tape, const struct ad_complex_call *call,
                    const struct ad_view *views, int64_t size, int32_t dst)
{
    struct ad_span_room room[AD_FORMULA_GIVEN];
    int n_parts = 2 * call->n_args;

    if (call->way != AD_COMPLEX_LOOP && compute_runs(tape, call, views, size, dst))
        return;
    for (int64_t start = 0, n; start < size; start += n) {
        double *re = tape->value + dst + start, *im = re + size;
        struct ad_vec v[AD_FORMULA_GIVEN] = {{NULL, 0}};
        const double *runs[AD_FORMULA_GIVEN];

        n = ad_tile_size(&views[0], size, start);
        for (int k = 0; k < n_parts; k++) {
            struct ad_complex_part part = call->parts[k];

            v[k] = (struct ad_vec){NULL, part.number};
            if (part.given >= 0) {
                struct ad_span span =
                    ad_span_of(&views[part.given], 0, tape->value, start, n, &room[k]);

                v[k] = ad_span_values(&span, tape->value, n, room[k].values);
            }
        }
        if (call->way == AD_COMPLEX_LOOP) {
            loop_over(call, v, n, re, im);
            continue;
        }
        for (int k = 0; k < n_parts; k++)
            runs[k] = run_of(v[k], n, room[k].values);
        in_one_loop(call, runs, n, re, im);
    }
}

/* By the formula itself. */
static enum ad_status compute_steps(struct ad_tape *tape, const struct ad_formula *formula,
                                    const struct ad_view *views, int64_t size, int32_t dst)
{
    struct tile tile;

    if (!tile_new(&tile, formula, size, 0))
        return AD_NO_MEMORY;
    for (int64_t start = 0; start < size; start += tile.n) {
        load(&tile, tape, views, size, start);
        for (int k = 0; k < formula->n_outputs; k++) {
            struct ad_vec y = at_place(&tile, formula->outputs[k]);
            double *to = tape->value + dst + k * size + start;

            if (y.v)
                memcpy(to, y.v, (size_t)tile.n * sizeof *to);
            for (int64_t i = 0; i < tile.n && !y.v; i++)
                to[i] = y.c;
        }
    }
    free(tile.y);
    return AD_OK;
}

enum ad_status ad_complex_record(struct ad_tape *tape, const struct ad_complex_call *call,
                                 void *rule, const struct ad_formula *formula, int n,
                                 const struct ad_view *const *args, struct ad_view *re,
                                 struct ad_view *im)
{
    struct ad_view views[AD_FORMULA_GIVEN];
    int64_t shape[AD_MAX_DIMS], size = 0;
    int ndim;
    enum ad_status status = AD_OK;

    ad_assert(n <= AD_FORMULA_GIVEN && call->n_args <= AD_FORMULA_GIVEN / 2);
    if (!ad_broadcast_shape(n, args, &ndim, shape))
        status = AD_SHAPES_DIFFER;
    else
        size = ad_shape_size(ndim, shape);
    if (size > AD_TAPE_MOST / 2)
        status = AD_NO_SLOTS;
    if (!status) {
        for (int i = 0; i < n; i++) {
            ad_view_copy(&views[i], args[i]);
            ad_view_broadcast(&views[i], ndim, shape);
        }
        ad_views_collapse(n, views);
        status = ad_record_block(tape, rule ? AD_CALL : (int)formula->steps[0].op, 0,
                                 (int64_t)(uintptr_t)rule, call->real ? size : 2 * size, n, views);
    }
    if (status) {
        if (rule)
            tape->hooks->release(rule);
        return status;
    }
    if (call->way != AD_COMPLEX_STEPS)
        compute(tape, call, views, size, tape->dst[tape->n - 1]);
    else
        status = compute_steps(tape, formula, views, size, tape->dst[tape->n - 1]);
    if (status) {
        ad_tape_cut(tape, tape->n - 1, tape->n_consts);
        return status;
    }
    ad_view_set_slots(re, tape->dst[tape->n - 1], ndim, shape);
    if (!call->real)
        ad_view_set_slots(im, tape->dst[tape->n - 1] + size, ndim, shape);
    return AD_OK;
}

AD_VECTOR static void choose_runs(int64_t n, const unsigned char *restrict truth,
                                  const double *restrict x, double other, double *restrict y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = truth[i] ? x[i] : other;
}

enum ad_status ad_pair_choose(struct ad_tape *tape, const struct ad_view *mask,
                              const unsigned char *truth, const struct ad_view *x, double other,
                              struct ad_view *result)
{
    struct ad_view views[4] = {*mask, *x, ad_view_number(other)};
    int64_t size = ad_view_size(x);
    enum ad_status status;

    for (int i = 0; i < 3; i++)
        ad_view_broadcast(&views[i], x->ndim, x->shape);
    ad_view_set_slots(&views[3], 0, x->ndim, x->shape);
    ad_views_collapse(4, views);
    status = ad_record_block(tape, AD_OP_where, 0, 0, size, 3, views);
    if (status)
        return status;
    for (int part = 0; part < 2; part++)
        choose_runs(size / 2, truth, tape->value + x->base + part * x->stride[0], other,
                    tape->value + tape->dst[tape->n - 1] + part * (size / 2));
    ad_view_set_slots(result, tape->dst[tape->n - 1], x->ndim, x->shape);
    return AD_OK;
}

/* ---- sweeps ---- */

static double *moves_of(const struct tile *tile, int step)
{
    return tile->moves + (int64_t)step * tile->longest * tile->lanes;
}

/* The moves of a step, zeros if there were none yet. */
static double *moves_begun(struct tile *tile, int step)
{
    double *moves = moves_of(tile, step);

    if (!tile->moved[step])
        memset(moves, 0, (size_t)(tile->n * tile->lanes) * sizeof *moves);
    tile->moved[step] = true;
    return moves;
}

static const struct ad_span whole = {AD_SPAN_RUN, 0, NULL, {NULL, 0}};

enum ad_status ad_formula_forward(struct ad_tape *tape, int32_t i, const struct ad_formula *formula,
                                  int lanes)
{
    struct ad_work *work = tape->work;
    int64_t size = tape->aux[tape->a[i] + 2] / formula->n_outputs;
    int32_t low = work->low;
    double *to = work->tan + (int64_t)(tape->dst[i] - low) * lanes;
    double *room = malloc((size_t)(formula->n_given * AD_TILE * lanes) * sizeof *room);
    struct ad_view views[AD_FORMULA_GIVEN];
    struct tile tile;

    if (!room || !tile_new(&tile, formula, size, lanes)) {
        free(room);
        return AD_NO_MEMORY;
    }
    ad_tape_views(tape, i, views, formula->n_given);
    for (int64_t start = 0; start < size; start += tile.n) {
        const double *given[AD_FORMULA_GIVEN];

        load(&tile, tape, views, size, start);
        for (int j = 0; j < formula->n_given; j++)
            given[j] = ad_lanes_of(lanes, work->tan, low, &tile.span[j], tile.n,
                                   room + j * AD_TILE * lanes);
        for (int k = 0; k < formula->n_steps; k++) {
            const struct ad_formula_step *step = &formula->steps[k];
            struct ad_vec a[AD_MAX_ARGS];

            arguments(&tile, step, a);
            for (int j = 0; j < ad_ops[step->op].n_args; j++) {
                int place = step->args[j], source = step_at(formula, place);
                const double *from = NULL;
                double *moves;
                struct ad_vec d;

                if (place < formula->n_given)
                    from = given[place];
                else if (source >= 0 && tile.moved[source])
                    from = moves_of(&tile, source);
                if (!from)
                    continue;
                d = ad_op_vector_partial(step->op, j, 0, (size_t)tile.n, a, tile.y[k],
                                         tape->scratch);
                moves = moves_begun(&tile, k);
                ad_lanes_push(lanes, moves, 0, &whole, from, d, ad_op_cuts(step->op), tile.n);
                if (ad_ops[step->op].curvature == AD_POLE)
                    ad_lanes_keep_nan(lanes, moves, d, tile.n);
            }
        }
        for (int k = 0; k < formula->n_outputs; k++) {
            int step = step_at(formula, formula->outputs[k]);

            memcpy(to + (k * size + start) * lanes, moves_begun(&tile, step),
                   (size_t)(tile.n * lanes) * sizeof *to);
        }
    }
    free(tile.y);
    free(room);
    return AD_OK;
}

enum ad_status ad_formula_reverse(struct ad_tape *tape, int32_t i, const struct ad_formula *formula,
                                  int lanes)
{
    struct ad_work *work = tape->work;
    int64_t size = tape->aux[tape->a[i] + 2] / formula->n_outputs;
    int32_t low = work->low;
    const double *g = work->adj + (int64_t)(tape->dst[i] - low) * lanes;
    struct ad_view views[AD_FORMULA_GIVEN];
    struct tile tile;

    if (!tile_new(&tile, formula, size, lanes))
        return AD_NO_MEMORY;
    ad_tape_views(tape, i, views, formula->n_given);
    for (int64_t start = 0; start < size; start += tile.n) {
        bool any = false;

        tile.n = ad_tile_size(&views[0], size, start);
        for (int k = 0; k < formula->n_outputs; k++)
            any |= !ad_all_zero(g + (k * size + start) * lanes, tile.n * lanes);
        if (!any)
            continue;
        load(&tile, tape, views, size, start);
        for (int k = 0; k < formula->n_outputs; k++)
            ad_lanes_push(lanes, moves_begun(&tile, step_at(formula, formula->outputs[k])), 0,
                          &whole, g + (k * size + start) * lanes, ad_one, false, tile.n);
        for (int k = formula->n_steps - 1; k >= 0; k--) {
            const struct ad_formula_step *step = &formula->steps[k];
            struct ad_vec a[AD_MAX_ARGS];

            if (!tile.moved[k] || ad_all_zero(moves_of(&tile, k), tile.n * lanes))
                continue;
            arguments(&tile, step, a);
            for (int j = 0; j < ad_ops[step->op].n_args; j++) {
                int place = step->args[j], target = step_at(formula, place);
                bool operand = place < formula->n_given;

                if (operand ? ad_span_is_fixed(&tile.span[place], low) : target < 0)
                    continue;
                ad_lanes_push(lanes, operand ? work->adj : moves_begun(&tile, target),
                              operand ? low : 0, operand ? &tile.span[place] : &whole,
                              moves_of(&tile, k),
                              ad_op_vector_partial(step->op, j, 0, (size_t)tile.n, a, tile.y[k],
                                                   tape->scratch),
                              ad_op_cuts(step->op), tile.n);
            }
        }
    }
    free(tile.y);
    return AD_OK;
}

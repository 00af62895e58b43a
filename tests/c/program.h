/* program.h -- random programs on a tape, and what their values and derivatives should be.
 *
 * Each value of a program has, beside its handle on the tape, its elements as hyper-dual numbers: the
 * value, its derivatives along two directions of the inputs, and the second derivative along both.
 * They are found element by element, by plain loops over indices, with the op table read at a point:
 * no views, tiles, sweeps or emission. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "ad_emit.h"
#include "ad_sweep.h"
#include "check.h"

enum { MAX_VALUES = 64, MAX_SHAPE = 16, MAX_SIZE = 4000 };

struct cell {
    double v, d1, d2, d12;
    uint64_t dep; /* bit i: depends on an input whose number is i modulo 64, whatever the values */
};

struct value {
    struct ad_handle handle; /* tape NULL: a constant, or no value any more */
    struct ad_view constant; /* then this, with a reference */
    bool alive;
    int ndim;
    int64_t shape[AD_MAX_DIMS], size;
    struct cell *cell;
};

struct program {
    struct ad_tape *tape;
    struct rng rng;
    int n;
    struct value value[MAX_VALUES]; /* the first is the inputs, as one vector */
    bool whole;                     /* has an instruction whose results depend on all operands */
    long allocations_fail_in;       /* see allow_failure(); negative: never */
};

/* ---- calls that may run out of memory ----
 *
 * TRY(program, call) makes a call that returns a status, AD_OK in the end.  If the allocation that is
 * to fail falls into it, it must say so, leave the tape as it was, and work when made again. */

struct snapshot {
    int32_t n, n_slots;
    int64_t n_aux, n_lists, n_handles, n_checked;
    int busy;
    uint64_t values;
};

static struct snapshot snapshot_of(const struct ad_tape *tape)
{
    struct snapshot s = {tape->n,         tape->n_slots,   tape->n_aux, 0,
                         tape->n_handles, tape->n_checked, tape->busy,  0};

    for (const struct ad_list *list = tape->lists; list; list = list->next)
        s.n_lists++;
    for (int32_t slot = 0; slot < tape->n_slots; slot++) {
        uint64_t bits;

        memcpy(&bits, tape->value + slot, sizeof bits);
        s.values = s.values * 0x9E3779B97F4A7C15u + bits;
    }
    return s;
}

static void check_snapshot(const struct ad_tape *tape, const struct snapshot *before)
{
    struct snapshot now = snapshot_of(tape);

    CHECK(now.n == before->n, "instructions: %d, before %d", now.n, before->n);
    CHECK(now.n_slots == before->n_slots, "slots: %d, before %d", now.n_slots, before->n_slots);
    CHECK(now.n_aux == before->n_aux, "words differ");
    CHECK(now.n_lists == before->n_lists, "lists: %" PRId64 ", before %" PRId64, now.n_lists,
          before->n_lists);
    CHECK(now.n_handles == before->n_handles, "handles differ");
    CHECK(now.n_checked == before->n_checked, "checked constants differ");
    CHECK(now.busy == before->busy, "busy: %d, before %d", now.busy, before->busy);
    CHECK(now.values == before->values, "values differ");
}

#define TRY(program, call)                                                                         \
    do {                                                                                           \
        bool try_watched = fail_in >= 0;                                                           \
        struct snapshot try_before = {0};                                                          \
        long try_failed = n_failed;                                                                \
        enum ad_status try_status;                                                                 \
                                                                                                   \
        if (try_watched)                                                                           \
            try_before = snapshot_of((program)->tape);                                             \
        try_status = (call);                                                                       \
        if (n_failed > try_failed && try_status != AD_OK) {                                        \
            CHECK(try_status == AD_NO_MEMORY, "status %d without memory: %s", try_status, #call);  \
            check_snapshot((program)->tape, &try_before);                                          \
            try_status = (call);                                                                   \
        }                                                                                          \
        CHECK(try_status == AD_OK, "status %d: %s", try_status, #call);                            \
    } while (0)

static enum ad_status status_of(bool ok)
{
    return ok ? AD_OK : AD_NO_MEMORY;
}

/* ---- values ---- */

static struct ad_view view_of(const struct value *value)
{
    return value->handle.tape ? ad_handle_get(&value->handle) : value->constant;
}

/* Numbers of a view as they are, checked against what they should be, and taken over: roundings of
 * sums must not add up to other branches. */
static void check_values(const struct program *p, struct value *value, double scale,
                         const char *what)
{
    struct ad_view view = view_of(value);
    double *got = malloc((size_t)(value->size + 1) * sizeof *got);

    CHECK(view.ndim == value->ndim, "%s: %d dimensions, not %d", what, view.ndim, value->ndim);
    for (int d = 0; d < view.ndim; d++)
        CHECK(view.shape[d] == value->shape[d], "%s: shape differs", what);
    ad_view_read(&view, p->tape->value, got);
    for (int64_t i = 0; i < value->size; i++) {
        double want = value->cell[i].v;

        CHECK(scale > 0 ? close_to(got[i], want, scale) : same_number(got[i], want),
              "%s: element %" PRId64 " is %.17g, not %.17g", what, i, got[i], want);
        value->cell[i].v = got[i];
    }
    free(got);
}

static int64_t size_of(int ndim, const int64_t *shape)
{
    int64_t size = 1;

    for (int d = 0; d < ndim; d++)
        size *= shape[d];
    return size;
}

/* A new value of a program, its cells yet to be filled. */
static struct value *new_value(struct program *p, int ndim, const int64_t *shape)
{
    struct value *value = &p->value[p->n++];

    CHECK(p->n <= MAX_VALUES, "too many values");
    memset(value, 0, sizeof *value);
    value->alive = true;
    value->ndim = ndim;
    if (ndim)
        memcpy(value->shape, shape, (size_t)ndim * sizeof *shape);
    value->size = size_of(ndim, shape);
    value->cell = calloc((size_t)value->size + 1, sizeof *value->cell);
    return value;
}

/* Let a value hold a view, whose reference it takes. */
static void attach(struct program *p, struct value *value, const struct ad_view *view)
{
    if (view->place == AD_NUMBER || view->place == AD_ARRAY)
        value->constant = *view;
    else
        TRY(p, status_of(ad_handle_view(&value->handle, p->tape, view)));
}

static void drop_value(struct value *value)
{
    if (!value->alive)
        return;
    if (value->handle.tape)
        ad_handle_drop(&value->handle);
    else
        ad_view_drop(&value->constant);
    free(value->cell);
    value->alive = false;
    value->handle.tape = NULL;
}

static int pick_value(struct program *p)
{
    int v;

    do
        v = rng_int(&p->rng, 0, 3) ? (int)rng_int(&p->rng, AD_MAX(0, p->n - 8), p->n - 1)
                                   : (int)rng_int(&p->rng, 0, p->n - 1);
    while (!p->value[v].alive);
    return v;
}

static bool tracked(const struct value *value)
{
    return value->handle.tape != NULL;
}

static void note_shape(int ndim, const int64_t *shape)
{
    check_note(" (");
    for (int d = 0; d < ndim; d++)
        check_note(d ? ", %" PRId64 : "%" PRId64, shape[d]);
    check_note(")\n");
}

/* ---- steps that only make views: each is a shape and a map from new elements to old ones ---- */

static struct value *view_step(struct program *p, int from, struct ad_view *view,
                               const int64_t *map)
{
    int64_t shape[AD_MAX_DIMS];
    struct value *value;

    memcpy(shape, view->shape, sizeof shape);
    value = new_value(p, view->ndim, shape);
    for (int64_t i = 0; i < value->size; i++)
        value->cell[i] = p->value[from].cell[map[i]];
    attach(p, value, view);
    check_values(p, value, 0, "a view");
    note_shape(value->ndim, value->shape);
    return value;
}

/* Element 'flat' of 'shape' in C order: its coordinates. */
static void unravel(int64_t flat, int ndim, const int64_t *shape, int64_t *index)
{
    for (int d = ndim - 1; d >= 0; d--) {
        index[d] = flat % shape[d];
        flat /= shape[d];
    }
}

static int64_t ravel(int ndim, const int64_t *shape, const int64_t *index)
{
    int64_t flat = 0;

    for (int d = 0; d < ndim; d++)
        flat = flat * shape[d] + index[d];
    return flat;
}

static struct ad_view borrowed_view(struct program *p, int from)
{
    struct ad_view view = view_of(&p->value[from]);

    ad_view_hold(&view);
    return view;
}

static void slice_step(struct program *p)
{
    int from = pick_value(p), out = 0;
    const struct value *x = &p->value[from];
    struct ad_view view = borrowed_view(p, from), old = view;
    int64_t start[AD_MAX_DIMS], step[AD_MAX_DIMS], kept[AD_MAX_DIMS], *map;

    check_note("v%d = v%d[", p->n, from);
    for (int d = 0; d < x->ndim; d++) {
        int64_t n = x->shape[d], count;
        bool index = n > 0 && rng_int(&p->rng, 0, 5) == 0;

        start[d] = n ? rng_int(&p->rng, 0, n - 1) : 0;
        step[d] = rng_int(&p->rng, 0, 2)   ? 1
                  : rng_int(&p->rng, 0, 1) ? -1
                                           : rng_int(&p->rng, -3, 3);
        if (step[d] == 0)
            step[d] = 2;
        if (!index && rng_int(&p->rng, 0, 1)) /* often the whole dimension */
            start[d] = step[d] > 0 ? 0 : AD_MAX(n - 1, 0);
        count = n == 0        ? 0
                : step[d] > 0 ? (n - 1 - start[d]) / step[d] + 1
                              : start[d] / -step[d] + 1;
        if (!index && rng_int(&p->rng, 0, 3) == 0)
            count = rng_int(&p->rng, 0, count);
        check_note(index ? "%" PRId64 ", " : "%" PRId64 "::%" PRId64 " of %" PRId64 ", ", start[d],
                   step[d], count);
        view.base += start[d] * old.stride[d];
        if (!index) {
            view.shape[out] = count;
            view.stride[out] = step[d] * old.stride[d];
            kept[out++] = d;
        }
    }
    check_note("]");
    view.ndim = out;
    map = malloc((size_t)(size_of(out, view.shape) + 1) * sizeof *map);
    for (int64_t i = 0; i < size_of(out, view.shape); i++) {
        int64_t index[AD_MAX_DIMS], at[AD_MAX_DIMS];

        unravel(i, out, view.shape, index);
        memcpy(at, start, sizeof at);
        for (int d = 0; d < out; d++)
            at[kept[d]] += index[d] * step[kept[d]];
        map[i] = ravel(x->ndim, x->shape, at);
    }
    view_step(p, from, &view, map);
    free(map);
}

/* The last two dimensions exchanged, or all of them in any order. */
static void transpose_value(struct program *p, int from, bool last_two)
{
    int axes[AD_MAX_DIMS];
    const struct value *x = &p->value[from];
    struct ad_view view = borrowed_view(p, from), old = view;
    int64_t *map = malloc((size_t)(x->size + 1) * sizeof *map);

    check_note("v%d = transpose(v%d: ", p->n, from);
    for (int d = 0; d < x->ndim; d++) {
        int other = (int)rng_int(&p->rng, 0, d);

        axes[d] = axes[other];
        axes[other] = d;
    }
    for (int d = 0; d < x->ndim && last_two; d++)
        axes[d] = d < x->ndim - 2 ? d : 2 * x->ndim - 3 - d;
    for (int d = 0; d < x->ndim; d++) {
        check_note("%d ", axes[d]);
        view.shape[d] = old.shape[axes[d]];
        view.stride[d] = old.stride[axes[d]];
    }
    check_note(")");
    for (int64_t i = 0; i < x->size; i++) {
        int64_t index[AD_MAX_DIMS], at[AD_MAX_DIMS];

        unravel(i, x->ndim, view.shape, index);
        for (int d = 0; d < x->ndim; d++)
            at[axes[d]] = index[d];
        map[i] = ravel(x->ndim, x->shape, at);
    }
    view_step(p, from, &view, map);
    free(map);
}

static void transpose_step(struct program *p)
{
    transpose_value(p, pick_value(p), false);
}

/* A shape of up to 4 dimensions for 'size' elements. */
static int random_shape(struct program *p, int64_t size, int64_t *shape)
{
    int ndim = 0;

    if (size == 0) {
        shape[0] = rng_int(&p->rng, 0, 3);
        shape[1] = 0;
        return 2;
    }
    while (ndim < 3 && rng_int(&p->rng, 0, 2)) {
        int64_t n = rng_int(&p->rng, 1, 8);

        if (size % n == 0) {
            shape[ndim++] = n;
            size /= n;
        }
    }
    if (size > 1 || rng_int(&p->rng, 0, 1))
        shape[ndim++] = size;
    return ndim;
}

static void reshape_step(struct program *p)
{
    int from = pick_value(p), ndim;
    const struct value *x = &p->value[from];
    struct ad_view view = borrowed_view(p, from);
    int64_t shape[AD_MAX_DIMS], *map = malloc((size_t)(x->size + 1) * sizeof *map);

    check_note("v%d = reshape(v%d)", p->n, from);
    ndim = random_shape(p, x->size, shape);
    if (!ad_view_reshape(&view, ndim, shape)) {
        struct ad_view copy = {0};

        check_note(" by copy");
        TRY(p, ad_record_copy(p->tape, &view, &copy));
        ad_view_drop(&view);
        view = copy;
        CHECK(ad_view_reshape(&view, ndim, shape), "a copy has any shape");
    }
    for (int64_t i = 0; i < x->size; i++)
        map[i] = i;
    view_step(p, from, &view, map);
    free(map);
}

/* Element 'flat' of 'shape' seen through NumPy's broadcasting in a value. */
static int64_t stretched(const struct value *x, int64_t flat, int ndim, const int64_t *shape)
{
    int64_t index[AD_MAX_DIMS], at[AD_MAX_DIMS];

    unravel(flat, ndim, shape, index);
    for (int d = 0; d < x->ndim; d++)
        at[d] = x->shape[d] == 1 ? 0 : index[ndim - x->ndim + d];
    return ravel(x->ndim, x->shape, at);
}

static void broadcast_step(struct program *p)
{
    int from = pick_value(p), extra, ndim;
    const struct value *x = &p->value[from];
    struct ad_view view = borrowed_view(p, from);
    int64_t shape[AD_MAX_DIMS], size, *map;

    extra = x->ndim < 3 ? (int)rng_int(&p->rng, 0, 1) : 0;
    ndim = x->ndim + extra;
    for (int d = 0; d < ndim; d++) {
        int64_t n = d < extra ? 1 : x->shape[d - extra];

        shape[d] = n != 1 ? n : rng_int(&p->rng, 0, 3) ? rng_int(&p->rng, 1, 7) : 1;
    }
    size = size_of(ndim, shape);
    if (size > MAX_SIZE) {
        ad_view_drop(&view);
        return;
    }
    check_note("v%d = broadcast(v%d)", p->n, from);
    map = malloc((size_t)(size + 1) * sizeof *map);
    for (int64_t i = 0; i < size; i++)
        map[i] = stretched(x, i, ndim, shape);
    CHECK(ad_view_broadcast(&view, ndim, shape), "broadcast");
    view_step(p, from, &view, map);
    free(map);
}

static void pick_step(struct program *p)
{
    int from = pick_value(p), ndim;
    const struct value *x = &p->value[from];
    struct ad_view view;
    int64_t n = rng_int(&p->rng, 0, 3) ? rng_int(&p->rng, 0, 12) : rng_int(&p->rng, 0, 700), *map,
            shape[AD_MAX_DIMS];

    if (!tracked(x) || (x->size == 0 && n > 0))
        return;
    check_note("v%d = v%d[list of %" PRId64 "]", p->n, from, n);
    view = borrowed_view(p, from);
    map = malloc((size_t)(n + 1) * sizeof *map);
    for (int64_t i = 0; i < n; i++)
        map[i] = rng_int(&p->rng, 0, x->size - 1);
    TRY(p, status_of(ad_view_pick(&view, &p->tape->lists, map, n)));
    ndim = random_shape(p, n, shape);
    CHECK(ad_view_reshape(&view, ndim, shape), "a list has any shape");
    view_step(p, from, &view, map);
    free(map);
}

/* ---- steps that record ---- */

/* The hyper-dual value of an op; false if it, or a derivative of it, is too large to compare. */
static bool op_cell(enum ad_op op, double parameter, const struct cell *a, struct cell *y)
{
    const struct ad_op_info *info = &ad_ops[op];
    double d[AD_MAX_ARGS], h[AD_MAX_ARGS][AD_MAX_ARGS], x[AD_MAX_ARGS] = {0};

    for (int i = 0; i < info->n_args; i++) {
        x[i] = a[i].v;
        if (!(x[i] > info->domain[i][0] && x[i] < info->domain[i][1]))
            return false;
    }
    *y = (struct cell){.v = ad_op_value(op, parameter, x[0], x[1], x[2])};
    if (!(fabs(y->v) < 30))
        return false;
    ad_op_second(op, parameter, x, y->v, d, h);
    for (int i = 0; i < info->n_args; i++) {
        y->dep |= a[i].dep;
        if (a[i].d1 == 0 && a[i].d2 == 0 && a[i].d12 == 0)
            continue;
        if (!(fabs(d[i]) < 100))
            return false;
        y->d1 += d[i] * a[i].d1;
        y->d2 += d[i] * a[i].d2;
        y->d12 += d[i] * a[i].d12;
        for (int j = 0; j < info->n_args; j++) {
            if (a[j].d1 == 0 && a[j].d2 == 0)
                continue;
            if (!(fabs(h[i][j]) < 1000))
                return false;
            y->d12 += h[i][j] * a[i].d1 * a[j].d2;
        }
    }
    return fabs(y->d1) < 1e4 && fabs(y->d2) < 1e4 && fabs(y->d12) < 1e6;
}

static void op_step(struct program *p)
{
    enum ad_op op;
    int from[AD_MAX_ARGS], n, ndim = 0;
    int64_t shape[AD_MAX_DIMS];
    double parameter = 0;
    struct ad_view views[AD_MAX_ARGS], result = {0};
    const struct ad_view *pointers[AD_MAX_ARGS];
    struct value *y;

    for (int attempt = 0;; attempt++) {
        bool fits;

        if (attempt == 30)
            return;
        op = (enum ad_op)rng_int(&p->rng, 0, AD_N_OPS - 1);
        if (rng_int(&p->rng, 0, 2) == 0)
            op = (enum ad_op)rng_int(&p->rng, AD_OP_add, AD_OP_div);
        n = ad_ops[op].n_args;
        parameter = ad_ops[op].family ? (double)rng_int(&p->rng, 0, 3) : 0;
        for (int i = 0; i < n; i++) {
            from[i] = pick_value(p);
            views[i] = view_of(&p->value[from[i]]);
            pointers[i] = &views[i];
        }
        if (!ad_broadcast_shape(n, pointers, &ndim, shape) || size_of(ndim, shape) > MAX_SIZE)
            continue;
        y = new_value(p, ndim, shape);
        fits = true;
        for (int64_t i = 0; i < y->size && fits; i++) {
            struct cell a[AD_MAX_ARGS];

            for (int j = 0; j < n; j++) {
                const struct value *x = &p->value[from[j]];

                a[j] = x->cell[stretched(x, i, ndim, shape)];
            }
            fits = op_cell(op, parameter, a, &y->cell[i]);
        }
        if (fits)
            break;
        free(y->cell);
        p->n--;
    }
    check_note("v%d = %s", p->n - 1, ad_ops[op].name);
    if (ad_ops[op].family)
        check_note("[%g]", parameter);
    for (int i = 0; i < n; i++)
        check_note(i ? ", v%d" : "(v%d", from[i]);
    check_note(")");
    note_shape(ndim, shape);
    TRY(p, ad_tape_room(p->tape, y->size));
    for (int i = 0; i < n; i++)
        views[i] = view_of(&p->value[from[i]]);
    TRY(p, ad_record_op(p->tape, op, parameter, pointers, &result));
    attach(p, y, &result);
    check_values(p, y, 0, "an op");
}

/* y += x, elements of a sum. */
static void add_cell(struct cell *y, const struct cell *x, double weight)
{
    y->v += weight * x->v;
    y->d1 += weight * x->d1;
    y->d2 += weight * x->d2;
    y->d12 += weight * x->d12;
    y->dep |= x->dep;
}

static bool moderate(const struct value *y)
{
    for (int64_t i = 0; i < y->size; i++)
        if (!(fabs(y->cell[i].v) < 100 && fabs(y->cell[i].d1) < 1e4 && fabs(y->cell[i].d2) < 1e4 &&
              fabs(y->cell[i].d12) < 1e6))
            return false;
    return true;
}

/* Take back a value whose numbers are out of hand, before it is recorded. */
static void forget(struct program *p, struct value *y)
{
    free(y->cell);
    p->n--;
    check_note(" not done\n");
}

static void sum_step(struct program *p)
{
    int from = pick_value(p);
    const struct value *x = &p->value[from];
    uint32_t axes = (uint32_t)rng_int(&p->rng, 0, (1 << x->ndim) - 1);
    int64_t shape[AD_MAX_DIMS];
    struct ad_view view, result = {0};
    struct value *y;

    check_note("v%d = sum(v%d, axes %x)", p->n, from, axes);
    for (int d = 0; d < x->ndim; d++)
        shape[d] = axes >> d & 1 ? 1 : x->shape[d];
    y = new_value(p, x->ndim, shape);
    for (int64_t i = 0; i < x->size; i++) {
        int64_t index[AD_MAX_DIMS];

        unravel(i, x->ndim, x->shape, index);
        for (int d = 0; d < x->ndim; d++)
            if (axes >> d & 1)
                index[d] = 0;
        add_cell(&y->cell[ravel(x->ndim, shape, index)], &x->cell[i], 1);
    }
    if (!moderate(y) || !tracked(x)) {
        forget(p, y);
        return;
    }
    note_shape(y->ndim, y->shape);
    TRY(p, ad_tape_room(p->tape, y->size));
    view = view_of(x);
    TRY(p, ad_record_sum(p->tape, &view, axes, &result));
    attach(p, y, &result);
    check_values(p, y, 100, "a sum");
}

static void along_step(struct program *p)
{
    int from = pick_value(p), code = rng_int(&p->rng, 0, 1) ? AD_CUMSUM : AD_EXTREMUM;
    const struct value *x = &p->value[from];
    int64_t extra = rng_int(&p->rng, 0, 1), row;
    struct ad_view view, result = {0};
    struct value *y;

    if (x->ndim == 0 || !tracked(x))
        return;
    row = x->shape[x->ndim - 1];
    if (code == AD_EXTREMUM && row == 0)
        return;
    check_note("v%d = %s[%" PRId64 "](v%d)", p->n, code == AD_CUMSUM ? "cumsum" : "extremum", extra,
               from);
    y = new_value(p, code == AD_CUMSUM ? x->ndim : x->ndim - 1, x->shape);
    for (int64_t start = 0; start < x->size; start += row) {
        const struct cell *line = x->cell + start;

        if (code == AD_CUMSUM) {
            for (int64_t i = 0; i < row; i++)
                for (int64_t j = extra ? i : 0; j < (extra ? row : i + 1); j++)
                    add_cell(&y->cell[start + i], &line[j], 1);
        } else {
            double best = line[0].v, ties = 0;
            struct cell *out = &y->cell[start / row];

            for (int64_t j = 1; j < row; j++)
                best = extra ? fmin(best, line[j].v) : fmax(best, line[j].v);
            for (int64_t j = 0; j < row; j++)
                ties += line[j].v == best;
            for (int64_t j = 0; j < row; j++) {
                if (line[j].v == best)
                    add_cell(out, &line[j], 1 / ties);
                out->dep |= line[j].dep;
            }
            out->v = best;
        }
    }
    if (!moderate(y)) {
        forget(p, y);
        return;
    }
    p->whole = true;
    note_shape(y->ndim, y->shape);
    TRY(p, ad_tape_room(p->tape, y->size));
    view = view_of(x);
    TRY(p, ad_record_along(p->tape, (enum ad_code)code, &view, extra, &result));
    attach(p, y, &result);
    check_values(p, y, 100, "along the last dimension");
}

/* Elements of v at the indices that sort w, or the other way: zeros to which they are added there. */
static void gather_step(struct program *p)
{
    int from = pick_value(p), by = pick_value(p), last = p->value[from].ndim - 1;
    const struct value *x = &p->value[from], *key = &p->value[by];
    bool gather = rng_int(&p->rng, 0, 1);
    int64_t shape[AD_MAX_DIMS], m = key->size, n, more = rng_int(&p->rng, 0, 2);
    struct ad_view view, index = {0}, result = {0};
    double *at, *keys;
    struct value *y;

    if (last < 0 || !tracked(x) || key->ndim != 1 || !tracked(key))
        return;
    n = x->shape[last];
    if (gather ? m > n : m != n)
        return;
    memcpy(shape, x->shape, sizeof shape);
    shape[last] = gather ? m : m + more;
    check_note("v%d = %s(v%d, argsort v%d)", p->n, gather ? "gather" : "scatter", from, by);
    y = new_value(p, x->ndim, shape);
    note_shape(y->ndim, y->shape);
    TRY(p, ad_tape_room(p->tape, m + y->size));
    view = view_of(key);
    TRY(p, ad_record_along(p->tape, AD_ARGSORT, &view, 0, &index));
    at = malloc((size_t)(2 * m + 1) * sizeof *at);
    keys = at + m;
    ad_view_read(&index, p->tape->value, at);
    ad_view_read(&view, p->tape->value, keys);
    for (int64_t j = 1; j < m; j++) {
        double a = keys[(int64_t)at[j - 1]], b = keys[(int64_t)at[j]];

        CHECK(a < b || (a == b && at[j - 1] < at[j]), "sorted: %.17g before %.17g", a, b);
    }
    for (int64_t r = 0; n > 0 && r < x->size / n; r++)
        for (int64_t j = 0; j < m; j++) {
            if (gather)
                y->cell[r * m + j] = x->cell[r * n + (int64_t)at[j]];
            else
                add_cell(&y->cell[r * shape[last] + (int64_t)at[j]], &x->cell[r * n + j], 1);
        }
    for (int64_t i = 0; i < y->size; i++)
        for (int64_t j = 0; j < x->size; j++)
            y->cell[i].dep |= x->cell[j].dep;
    p->whole = true;
    view = view_of(x);
    TRY(p, gather ? ad_record_gather(p->tape, &view, &index, &result)
                  : ad_record_scatter(p->tape, &view, &index, shape[last], &result));
    attach(p, y, &result);
    check_values(p, y, 0, "at computed indices");
    free(at);
}

/* y += a * b */
static void add_product(struct cell *y, const struct cell *a, const struct cell *b)
{
    y->v += a->v * b->v;
    y->d1 += a->d1 * b->v + a->v * b->d1;
    y->d2 += a->d2 * b->v + a->v * b->d2;
    y->d12 += a->d12 * b->v + a->d1 * b->d2 + a->d2 * b->d1 + a->v * b->d12;
    y->dep |= a->dep | b->dep;
}

static void matmul_step(struct program *p)
{
    int left = pick_value(p), right = pick_value(p), ndim;
    const struct value *a, *b;
    struct ad_view va, vb, result = {0};
    const struct ad_view *both[2] = {&va, &vb};
    int64_t shape[AD_MAX_DIMS], m, k, n;
    struct value *y;

    for (int attempt = 0; attempt < 5 && p->value[left].ndim < 2; attempt++)
        left = pick_value(p);
    if (p->value[left].ndim >= 2 && rng_int(&p->rng, 0, 1)) { /* or few would fit */
        transpose_value(p, left, true);
        right = p->n - 1;
    }
    a = &p->value[left];
    b = &p->value[right];
    va = view_of(a);
    vb = view_of(b);
    if (a->ndim < 2 || b->ndim < 2 || a->shape[a->ndim - 1] != b->shape[b->ndim - 2] ||
        !(tracked(a) || tracked(b)))
        return;
    va.ndim -= 2;
    vb.ndim -= 2;
    if (!ad_broadcast_shape(2, both, &ndim, shape))
        return;
    m = a->shape[a->ndim - 2];
    k = a->shape[a->ndim - 1];
    n = b->shape[b->ndim - 1];
    shape[ndim++] = m;
    shape[ndim++] = n;
    if (size_of(ndim, shape) * AD_MAX(k, 1) > MAX_SIZE)
        return;
    check_note("v%d = matmul(v%d, v%d)", p->n, left, right);
    y = new_value(p, ndim, shape);
    for (int64_t i = 0; i < y->size; i++) {
        int64_t index[AD_MAX_DIMS], row, col, at[AD_MAX_DIMS];

        unravel(i, ndim, shape, index);
        row = index[ndim - 2];
        col = index[ndim - 1];
        for (int64_t j = 0; j < k; j++) {
            int64_t pa, pb;

            for (int d = 0; d < a->ndim - 2; d++)
                at[d] = a->shape[d] == 1 ? 0 : index[ndim - a->ndim + d];
            at[a->ndim - 2] = row;
            at[a->ndim - 1] = j;
            pa = ravel(a->ndim, a->shape, at);
            for (int d = 0; d < b->ndim - 2; d++)
                at[d] = b->shape[d] == 1 ? 0 : index[ndim - b->ndim + d];
            at[b->ndim - 2] = j;
            at[b->ndim - 1] = col;
            pb = ravel(b->ndim, b->shape, at);
            add_product(&y->cell[i], &a->cell[pa], &b->cell[pb]);
        }
    }
    if (!moderate(y)) {
        forget(p, y);
        return;
    }
    p->whole = true;
    note_shape(ndim, shape);
    TRY(p, ad_tape_room(p->tape, y->size));
    va = view_of(a);
    vb = view_of(b);
    TRY(p, ad_record_matmul(p->tape, &va, &vb, &result));
    attach(p, y, &result);
    check_values(p, y, 100, "a matrix product");
}

/* Several values added to zeros: side by side, in reverse, summed up, or at listed places. */
static void addto_step(struct program *p)
{
    int n = (int)rng_int(&p->rng, 1, 7), used = 0;
    int64_t total = 0, shape[1], offset = 0;
    int from[8];
    struct ad_view views[16], result = {0};
    struct value *y;
    bool any = false;

    for (int i = 0; i < n; i++) {
        from[used] = pick_value(p);
        if (total + p->value[from[used]].size > MAX_SIZE)
            continue;
        total += p->value[from[used]].size;
        any |= tracked(&p->value[from[used++]]);
    }
    if (!any)
        return;
    shape[0] = total + rng_int(&p->rng, 0, 2);
    y = new_value(p, 1, shape);
    check_note("v%d = addto(", p->n - 1);
    for (int i = 0; i < used; i++) {
        const struct value *x = &p->value[from[i]];
        struct ad_view *to = &views[used + i];
        int way = (int)rng_int(&p->rng, 0, 3);

        *to = ad_view_slots(offset, x->ndim, x->shape);
        to->place = AD_OWN;
        check_note("v%d %s, ", from[i],
                   way == 0   ? "reversed"
                   : way == 1 ? "summed"
                   : way == 2 ? "listed"
                              : "beside");
        if (way == 0)
            for (int d = 0; d < x->ndim; d++) {
                to->base += to->stride[d] * AD_MAX(x->shape[d] - 1, 0);
                to->stride[d] = -to->stride[d];
            }
        if (way == 1 && shape[0] > offset)
            for (int d = 0; d < x->ndim; d++)
                to->stride[d] = 0;
        if (way == 2 && shape[0] > 0) {
            to->place = AD_OWN_LIST;
            to->base = 0;
            to->in.list = NULL;
            TRY(p, status_of((to->in.list = ad_list_new(NULL, x->size)) != NULL));
            for (int64_t j = 0; j < x->size; j++)
                to->in.list->slot[j] = (int32_t)rng_int(&p->rng, 0, shape[0] - 1);
        }
        for (int64_t j = 0; j < x->size; j++) {
            int64_t at = offset + j;

            if (way == 0)
                at = offset + x->size - 1 - j;
            if (way == 1 && shape[0] > offset)
                at = offset;
            if (to->place == AD_OWN_LIST)
                at = to->in.list->slot[j];
            add_cell(&y->cell[at], &x->cell[j], 1);
        }
        offset += x->size;
    }
    check_note(")");
    note_shape(1, shape);
    if (moderate(y)) {
        TRY(p, ad_tape_room(p->tape, y->size));
        for (int i = 0; i < used; i++)
            views[i] = view_of(&p->value[from[i]]);
        TRY(p, ad_record_addto(p->tape, shape[0], used, views, views + used, &result));
        attach(p, y, &result);
    } else {
        forget(p, y);
        y = NULL;
    }
    for (int i = 0; i < used; i++)
        ad_view_drop(&views[used + i]);
    if (y)
        check_values(p, y, 100, "an addto");
}

/* A value of its own, some of whose elements are bound to those of another. */
static void assign_step(struct program *p)
{
    int to = pick_value(p), from = pick_value(p);
    const struct value *x = &p->value[to], *from_value = &p->value[from];
    struct value *y;
    struct ad_view view, value;
    int64_t positions[64], n = AD_MIN(from_value->size, 64);

    if (!tracked(x) || x->size == 0 || x->ndim == 0)
        return;
    check_note("v%d = v%d, bound to v%d at", p->n, to, from);
    y = new_value(p, x->ndim, x->shape);
    memcpy(y->cell, x->cell, (size_t)x->size * sizeof *x->cell);
    view = borrowed_view(p, to);
    TRY(p, status_of(ad_handle_view(&y->handle, p->tape, &view)));
    TRY(p, ad_tape_room(p->tape, 8));
    TRY(p, ad_handle_own(&y->handle));
    for (int64_t i = 0; i < n; i++) {
        positions[i] = rng_int(&p->rng, 0, x->size - 1);
        check_note(" %" PRId64, positions[i]);
    }
    value = borrowed_view(p, from);
    if (n == from_value->size) {
        for (int64_t i = 0; i < n; i++)
            y->cell[positions[i]] = from_value->cell[i];
    } else { /* the first number everywhere */
        for (int d = 0; d < value.ndim; d++)
            value.shape[d] = AD_MIN(value.shape[d], 1);
        n = ad_view_size(&value);
        if (n)
            y->cell[positions[0]] = from_value->cell[0];
    }
    note_shape(y->ndim, y->shape);
    TRY(p, ad_handle_assign(&y->handle, positions, &value));
    ad_view_drop(&value);
    check_values(p, y, 0, "an assignment");
}

static void release_numbers(void *owner)
{
    free(owner);
}

static void constant_step(struct program *p)
{
    int64_t shape[AD_MAX_DIMS] = {0}, n = rng_int(&p->rng, 0, 4) ? rng_int(&p->rng, 1, 12) : 0;
    int ndim = rng_int(&p->rng, 0, 2) ? random_shape(p, n, shape) : 0, way;
    struct value *y = new_value(p, ndim, shape);
    struct ad_view view = ad_view_slots(0, ndim, shape);
    double *numbers = malloc((size_t)(y->size + 1) * sizeof *numbers);

    way = ndim == 0 ? 0 : (int)rng_int(&p->rng, 1, 3);
    for (int64_t i = 0; i < y->size; i++)
        y->cell[i].v = numbers[i] =
            rng_int(&p->rng, 0, 1) ? (double)rng_int(&p->rng, -2, 3) : rng_uniform(&p->rng, -2, 2);
    check_note("v%d = %s", p->n - 1,
               way == 0   ? "number"
               : way == 1 ? "copied constants"
               : way == 2 ? "shared constants"
                          : "checked constants");
    note_shape(ndim, shape);
    if (way == 0) {
        view = ad_view_number(numbers[0]);
        free(numbers);
    } else {
        view.place = AD_ARRAY;
        view.in.array = NULL;
        if (way == 1) {
            TRY(p, status_of((view.in.array = ad_array_copy(numbers, y->size)) != NULL));
            free(numbers);
        } else {
            TRY(p, status_of((view.in.array = ad_array_share(numbers, y->size, numbers,
                                                             release_numbers, way == 3)) != NULL));
        }
    }
    attach(p, y, &view);
    check_values(p, y, 0, "constants");
}

/* ---- a rule of the user's: the product of two vectors, element by element ---- */

struct rule {
    int refs;
    int64_t size;
};

static int n_rules;

static struct rule *rule_new(int64_t size)
{
    struct rule *rule = malloc(sizeof *rule);

    *rule = (struct rule){1, size};
    n_rules++;
    return rule;
}

static void rule_hold(void *rule)
{
    ((struct rule *)rule)->refs++;
}

static void rule_release(void *rule)
{
    if (--((struct rule *)rule)->refs > 0)
        return;
    n_rules--;
    free(rule);
}

static enum ad_status rule_replay(void *rule, const double *const *args, double *result)
{
    for (int64_t i = 0; i < ((struct rule *)rule)->size; i++)
        result[i] = 0 + args[0][i] * args[1][i]; /* as add_product() starts from 0 */
    return AD_OK;
}

static enum ad_status rule_save(void *rule, unsigned char **data, int64_t *nbytes)
{
    *data = malloc(1);
    if (!*data)
        return AD_NO_MEMORY;
    **data = (unsigned char)('a' + ((struct rule *)rule)->size % 26);
    *nbytes = 1;
    return AD_OK;
}

static enum ad_status rule_load(const unsigned char *data, int64_t nbytes, int64_t size, int n,
                                const struct ad_view *args, char why[AD_WHY], void **rule)
{
    bool fit = n == 2;

    for (int j = 0; j < n && fit; j++)
        fit = args[j].ndim == 1 && args[j].shape[0] == size;
    if (nbytes != 1 || *data != 'a' + size % 26 || !fit) {
        snprintf(why, AD_WHY, "a rule of other shapes");
        return AD_BAD_PROGRAM;
    }
    *rule = rule_new(size);
    return *rule ? AD_OK : AD_NO_MEMORY;
}

/* Rooms of doubles for a rule: n of 'size' numbers. */
static double *rule_room(int64_t size, int n)
{
    return malloc((size_t)(size * n + 1) * sizeof(double));
}

static enum ad_status rule_forward(struct ad_tape *tape, int32_t instr, int lanes)
{
    int64_t size = tape->aux[tape->a[instr] + 2];
    double *x[2], *t[2], *room = rule_room(size, 2 + 2 * lanes);
    double *to = tape->work->tan + (tape->dst[instr] - tape->work->low) * (int64_t)lanes;
    struct ad_view views[2];

    ad_tape_views(tape, instr, views, 2);
    for (int j = 0; j < 2; j++) {
        x[j] = room + j * size;
        t[j] = room + 2 * size + j * size * lanes;
        ad_view_read(&views[j], tape->value, x[j]);
        ad_work_get(tape, tape->work->tan, lanes, &views[j], t[j]);
    }
    for (int64_t i = 0; i < size; i++)
        for (int l = 0; l < lanes; l++)
            to[i * lanes + l] = x[1][i] * t[0][i * lanes + l] + x[0][i] * t[1][i * lanes + l];
    free(room);
    return AD_OK;
}

/* Adjoints of the operands in 'buffer' from those of the results. */
static void rule_pull(struct ad_tape *tape, int32_t instr, double *buffer, int lanes)
{
    int64_t size = tape->aux[tape->a[instr] + 2];
    double *x = rule_room(size, 1), *g = rule_room(size, lanes);
    const double *from = buffer + (tape->dst[instr] - tape->work->low) * (int64_t)lanes;
    struct ad_view views[2];

    ad_tape_views(tape, instr, views, 2);
    for (int j = 0; j < 2; j++) {
        ad_view_read(&views[1 - j], tape->value, x);
        for (int64_t i = 0; i < size * lanes; i++)
            g[i] = from[i] == 0 ? 0 : from[i] * x[i / lanes];
        ad_work_add(tape, buffer, lanes, &views[j], g);
    }
    free(x);
    free(g);
}

static enum ad_status rule_reverse(struct ad_tape *tape, int32_t instr, int lanes)
{
    int64_t size = tape->aux[tape->a[instr] + 2];
    const double *g = tape->work->adj + (tape->dst[instr] - tape->work->low);
    struct ad_view views[2];
    double *t;

    if (lanes > 0) {
        rule_pull(tape, instr, tape->work->adj, lanes);
        return AD_OK;
    }
    lanes = -lanes;
    t = rule_room(size, lanes);
    ad_tape_views(tape, instr, views, 2);
    for (int j = 0; j < 2; j++) {
        ad_work_get(tape, tape->work->tan, lanes, &views[1 - j], t);
        for (int64_t i = 0; i < size * lanes; i++)
            t[i] *= g[i / lanes];
        ad_work_add(tape, tape->work->dadj, lanes, &views[j], t);
    }
    rule_pull(tape, instr, tape->work->dadj, lanes);
    rule_pull(tape, instr, tape->work->adj, 1);
    free(t);
    return AD_OK;
}

static enum ad_status rule_product(struct ad_tape *tape, const struct ad_view *a,
                                   const struct ad_view *b, struct ad_view *result)
{
    const struct ad_view *args[AD_MAX_ARGS] = {a, b};

    return ad_record_op(tape, AD_OP_mul, 0, args, result);
}

static enum ad_status rule_emit_reverse(struct ad_tape *tape, int32_t instr,
                                        const struct ad_view *g, struct ad_view *adjoints)
{
    struct ad_view views[2];
    enum ad_status status;

    ad_tape_views(tape, instr, views, 2);
    status = rule_product(tape, g, &views[1], &adjoints[0]);
    return status ? status : rule_product(tape, g, &views[0], &adjoints[1]);
}

static enum ad_status rule_emit_forward(struct ad_tape *tape, int32_t instr,
                                        const struct ad_view *tangents, struct ad_view *result)
{
    struct ad_view views[2], part[2];
    const struct ad_view *args[AD_MAX_ARGS] = {&part[0], &part[1]};
    enum ad_status status = AD_OK;

    ad_tape_views(tape, instr, views, 2);
    for (int j = 0; j < 2 && !status; j++) {
        if (tangents[j].place == AD_NUMBER)
            part[j] = ad_view_number(0);
        else
            status = rule_product(tape, &tangents[j], &views[1 - j], &part[j]);
    }
    return status ? status : ad_record_op(tape, AD_OP_add, 0, args, result);
}

static const struct ad_call_hooks rule_hooks = {.hold = rule_hold,
                                                .release = rule_release,
                                                .replay = rule_replay,
                                                .save = rule_save,
                                                .load = rule_load,
                                                .forward = rule_forward,
                                                .reverse = rule_reverse,
                                                .emit_reverse = rule_emit_reverse,
                                                .emit_forward = rule_emit_forward};

static void call_step(struct program *p)
{
    int left = pick_value(p), right = pick_value(p);
    const struct value *a, *b;
    struct ad_view views[2], result = {0};
    struct value *y;
    double *values;

    if (p->value[right].ndim != 1 || p->value[right].size != p->value[left].size)
        right = left;
    a = &p->value[left];
    b = &p->value[right];

    if (a->ndim != 1 || b->ndim != 1 || a->size != b->size || a->size == 0 || !tracked(a) ||
        !tracked(b))
        return;
    check_note("v%d = rule(v%d, v%d)", p->n, left, right);
    y = new_value(p, 1, a->shape);
    values = malloc((size_t)(y->size + 1) * sizeof *values);
    for (int64_t i = 0; i < y->size; i++) {
        add_product(&y->cell[i], &a->cell[i], &b->cell[i]);
        values[i] = y->cell[i].v;
    }
    if (!moderate(y)) {
        forget(p, y);
        free(values);
        return;
    }
    note_shape(1, y->shape);
    p->whole = true;
    TRY(p, ad_tape_room(p->tape, y->size));
    views[0] = view_of(a);
    views[1] = view_of(b);
    TRY(p, ad_record_call(p->tape, rule_new(y->size), 2, views, y->size, values, &result));
    attach(p, y, &result);
    check_values(p, y, 0, "a rule");
    free(values);
}

/* ---- programs ---- */

static void program_begin(struct program *p, uint64_t seed, int64_t n_inputs)
{
    struct ad_view view;
    struct value *x;
    double *numbers = malloc((size_t)(n_inputs + 1) * sizeof *numbers);

    memset(p, 0, sizeof *p);
    p->rng.state = seed;
    CHECK(p->tape != NULL || (p->tape = ad_tape_new()) != NULL || (p->tape = ad_tape_new()) != NULL,
          "no tape");
    p->tape->hooks = &rule_hooks;
    x = new_value(p, 1, &n_inputs);
    for (int64_t i = 0; i < n_inputs; i++) {
        x->cell[i] = (struct cell){rng_uniform(&p->rng, -1.5, 1.5), rng_uniform(&p->rng, -1, 1),
                                   rng_uniform(&p->rng, -1, 1), 0, (uint64_t)1 << i % 64};
        if (rng_int(&p->rng, 0, 9) == 0)
            x->cell[i].v = (double)rng_int(&p->rng, -1, 1);
        numbers[i] = x->cell[i].v;
    }
    TRY(p, ad_tape_room(p->tape, n_inputs));
    TRY(p, ad_record_input(p->tape, n_inputs, numbers));
    view = ad_view_slots(p->tape->dst[p->tape->n - 1], 1, &n_inputs);
    attach(p, x, &view);
    check_values(p, x, 0, "the inputs");
    check_note("seed %" PRIu64 ": v0 = %" PRId64 " inputs\n", seed, n_inputs);
    free(numbers);
}

static void program_step(struct program *p)
{
    static void (*const steps[])(struct program *) = {
        op_step,    op_step,       op_step,        op_step,        op_step,
        op_step,    slice_step,    transpose_step, pick_step,      sum_step,
        along_step, matmul_step,   reshape_step,   broadcast_step, call_step,
        addto_step, constant_step, assign_step,    reshape_step,   matmul_step,
        gather_step,
    };

    steps[rng_int(&p->rng, 0, (int64_t)(sizeof steps / sizeof *steps) - 1)](p);
    if (rng_int(&p->rng, 0, 7) == 0 && p->n > 4) {
        int v = (int)rng_int(&p->rng, 1, p->n - 1);

        if (p->value[v].alive)
            check_note("drop v%d\n", v);
        drop_value(&p->value[v]);
    }
    if (rng_int(&p->rng, 0, 11) == 0) {
        check_note("compact\n");
        ad_tape_compact(p->tape);
        for (int v = 0; v < p->n; v++)
            if (p->value[v].alive)
                check_values(p, &p->value[v], 0, "after compaction");
    }
}

static void program_end(struct program *p)
{
    for (int v = 0; v < p->n; v++)
        drop_value(&p->value[v]);
    CHECK(p->tape->n == 0 && p->tape->n_slots == 0 && p->tape->n_aux == 0, "not all was popped");
    CHECK(p->tape->n_consts == 0, "%d constants are left", p->tape->n_consts);
    CHECK(p->tape->lists == NULL, "lists are left");
    CHECK(p->tape->n_handles == 0, "handles are left");
    CHECK(n_rules == 0, "%d rules are left", n_rules);
    ad_tape_free(p->tape);
    p->tape = NULL;
}

#endif

/* program_steps.h -- steps of random programs that record, and what their values and derivatives are.
 *
 * They are found element by element, by plain loops over indices, with the op table read at a point:
 * no views, tiles, sweeps or emission. */
#ifndef PROGRAM_STEPS_H
#define PROGRAM_STEPS_H

#include "program_views.h"

/* The hyper-dual value of an op; false if it, or a derivative of it, is too large to compare. */
static bool op_cell(enum ad_op op, double parameter, const struct cell *a, struct cell *y)
{
    const struct ad_op_info *info = &ad_ops[op];
    double d[AD_MAX_ARGS], h[AD_MAX_ARGS][AD_MAX_ARGS], x[AD_MAX_ARGS] = {0};
    unsigned depends[AD_MAX_ARGS];

    for (int i = 0; i < info->n_args; i++) {
        x[i] = a[i].v;
        if (!(x[i] > info->domain[i][0] && x[i] < info->domain[i][1]))
            return false;
    }
    *y = (struct cell){.v = ad_op_value(op, parameter, x[0], x[1], x[2])};
    if (!(fabs(y->v) < 30))
        return false;
    ad_op_second(op, parameter, x, y->v, d, h, depends);
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
        if (op == AD_OP_plus0 || op == AD_OP_taint)
            op = AD_OP_add; /* what these two add is 0, which a random number is not */
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
    int64_t positions[64], m = from_value->size, n = m ? rng_int(&p->rng, 0, 63) : 0;
    unsigned char *mask;

    if (!tracked(x) || x->size == 0 || x->ndim == 0)
        return;
    check_note("v%d = v%d, bound to v%d at", p->n, to, from);
    y = new_value(p, x->ndim, x->shape);
    memcpy(y->cell, x->cell, (size_t)x->size * sizeof *x->cell);
    view = borrowed_view(p, to);
    TRY(p, status_of(ad_handle_view(&y->handle, p->tape, &view)));
    TRY(p, ad_tape_room(p->tape, 8));
    TRY(p, ad_handle_own(&y->handle));
    value = borrowed_view(p, from);
    if (rng_int(&p->rng, 0, 1) || !m) {
        for (int64_t i = 0; i < n; i++) {
            positions[i] = rng_int(&p->rng, 0, x->size - 1);
            check_note(" %" PRId64, positions[i]);
            y->cell[positions[i]] = from_value->cell[i % m];
        }
        note_shape(y->ndim, y->shape);
        TRY(p, ad_handle_assign(&y->handle, n, positions, &value));
    } else {
        bool in_turn = rng_int(&p->rng, 0, 1);

        mask = malloc((size_t)x->size);
        n = 0;
        for (int64_t i = 0; i < x->size; i++) {
            mask[i] = (unsigned char)rng_int(&p->rng, 0, 1);
            check_note(mask[i] ? " +" : " -");
            if (mask[i])
                y->cell[i] = from_value->cell[(in_turn ? n++ : i) % m];
        }
        note_shape(y->ndim, y->shape);
        TRY(p, ad_handle_assign_where(&y->handle, mask, in_turn, &value));
        free(mask);
    }
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

#endif

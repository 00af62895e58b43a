/* ad_product.c -- matrix products in sweeps: each lane is a product of its own. */
#include "ad_product.h"

#include <stdlib.h>
#include <string.h>

#include "ad_lanes.h"
#include "ad_linalg.h"

/* One operand of one batch: its view, and its values or one lane of a buffer as a matrix. */
static struct ad_view batch_view(const struct ad_view *view, int64_t batch)
{
    struct ad_view one_batch = *view;
    int nb = view->ndim - 2;

    for (int d = nb - 1; d >= 0; d--) {
        one_batch.base += batch % view->shape[d] * view->stride[d];
        batch /= view->shape[d];
    }
    one_batch.ndim = 2;
    for (int d = 0; d < 2; d++) {
        one_batch.shape[d] = view->shape[nb + d];
        one_batch.stride[d] = view->stride[nb + d];
    }
    return one_batch;
}

static struct ad_matrix dense(const double *data, int64_t rows, int64_t cols)
{
    return (struct ad_matrix){data, rows, cols, cols, 1};
}

static struct ad_matrix transposed(struct ad_matrix m)
{
    return (struct ad_matrix){m.data, m.cols, m.rows, m.col_stride, m.row_stride};
}

/* The values of one operand; affine views are used where they lie. */
static struct ad_matrix value_matrix(const struct ad_tape *tape, const struct ad_view *view,
                                     double *room)
{
    if (view->place == AD_SLOTS || view->place == AD_ARRAY) {
        const double *data = view->place == AD_ARRAY ? view->in.array->data : tape->value;

        return (struct ad_matrix){data + view->base, view->shape[0], view->shape[1],
                                  view->stride[0], view->stride[1]};
    }
    ad_view_read(view, tape->value, room);
    return dense(room, view->shape[0], view->shape[1]);
}

static bool is_variable(const struct ad_view *view, int32_t low)
{
    int64_t least = view->base;

    if (view->place == AD_LIST)
        return true;
    if (view->place != AD_SLOTS)
        return false;
    for (int d = 0; d < view->ndim; d++)
        least += AD_MIN(view->stride[d], 0) * (view->shape[d] - 1);
    return least >= low;
}

/* Lane 'lane' of interleaved lanes, alone; and back, added. */
static void take_lane(const double *from, int lanes, int lane, int64_t n, double *to)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = from[i * lanes + lane];
}

static void add_lane(double *to, int lanes, int lane, int64_t n, const double *from)
{
    for (int64_t i = 0; i < n; i++)
        to[i * lanes + lane] += from[i];
}

/* Rooms of a product: two operands' values, two operands' lanes, the result and one lane of each. */
struct product {
    int64_t m, k, n, batches;
    struct ad_view a, b;
    double *room, *va, *vb, *la, *lb, *one_a, *one_b, *one_y, *ta, *tb;
};

static enum ad_status product_begin(struct ad_tape *tape, int32_t i, int lanes,
                                    struct product *product)
{
    struct ad_view views[2];
    int64_t ka, kb;
    int nb;

    ad_tape_views(tape, i, views, 2);
    nb = views[0].ndim - 2;
    product->a = views[0];
    product->b = views[1];
    product->m = views[0].shape[nb];
    product->k = views[0].shape[nb + 1];
    product->n = views[1].shape[nb + 1];
    product->batches = 1;
    for (int d = 0; d < nb; d++)
        product->batches *= views[0].shape[d];
    ka = product->m * product->k;
    kb = product->k * product->n;
    product->room = malloc((size_t)((ka + kb) * (3 + lanes) + product->m * product->n + 1) *
                           sizeof *product->room);
    if (!product->room)
        return AD_NO_MEMORY;
    product->va = product->room;
    product->vb = product->va + ka;
    product->la = product->vb + kb;
    product->lb = product->la + ka * lanes;
    product->one_a = product->lb + kb * lanes;
    product->one_b = product->one_a + ka;
    product->ta = product->one_b + kb;
    product->tb = product->ta + ka;
    product->one_y = product->tb + kb;
    return AD_OK;
}

enum ad_status ad_product_forward(struct ad_tape *tape, int32_t i)
{
    struct ad_work *work = tape->work;
    int lanes = work->lanes;
    struct product q;
    enum ad_status status = product_begin(tape, i, lanes, &q);

    if (status)
        return status;
    for (int64_t batch = 0; batch < q.batches; batch++) {
        struct ad_view a = batch_view(&q.a, batch), b = batch_view(&q.b, batch);
        struct ad_matrix va = value_matrix(tape, &a, q.va), vb = value_matrix(tape, &b, q.vb);
        double *y = work->tan + (tape->dst[i] - work->low + batch * q.m * q.n) * lanes;

        for (int side = 0; side < 2; side++) {
            const struct ad_view *view = side ? &b : &a;
            double *all = side ? q.lb : q.la, *single = side ? q.one_b : q.one_a;
            int64_t size = side ? q.k * q.n : q.m * q.k;

            if (!is_variable(view, work->low))
                continue;
            ad_work_get(tape, work->tan, lanes, view, all);
            for (int l = 0; l < lanes; l++) {
                take_lane(all, lanes, l, size, single);
                ad_matmul(side ? va : dense(single, q.m, q.k), side ? dense(single, q.k, q.n) : vb,
                          q.one_y);
                add_lane(y, lanes, l, q.m * q.n, q.one_y);
            }
        }
    }
    free(q.room);
    return AD_OK;
}

enum ad_status ad_product_reverse(struct ad_tape *tape, int32_t i, double *buffer, int lanes,
                                  const double *tan)
{
    struct ad_work *work = tape->work;
    int32_t low = work->low;
    struct product q;
    enum ad_status status = product_begin(tape, i, lanes, &q);

    if (status)
        return status;
    for (int64_t batch = 0; batch < q.batches; batch++) {
        int64_t at = tape->dst[i] - low + batch * q.m * q.n, size = q.m * q.n;
        struct ad_view a = batch_view(&q.a, batch), b = batch_view(&q.b, batch);
        struct ad_matrix va = value_matrix(tape, &a, q.va), vb = value_matrix(tape, &b, q.vb);
        bool to_a = is_variable(&a, low), to_b = is_variable(&b, low);

        memset(q.la, 0, (size_t)(q.m * q.k * lanes) * sizeof *q.la);
        memset(q.lb, 0, (size_t)(q.k * q.n * lanes) * sizeof *q.lb);
        for (int l = 0; l < lanes; l++) {
            struct ad_matrix g = dense(q.one_y, q.m, q.n);

            take_lane(buffer + at * lanes, lanes, l, size, q.one_y);
            if (ad_all_zero(q.one_y, size))
                continue;
            if (to_a) {
                ad_matmul(g, transposed(vb), q.ta);
                add_lane(q.la, lanes, l, q.m * q.k, q.ta);
            }
            if (to_b) {
                ad_matmul(transposed(va), g, q.tb);
                add_lane(q.lb, lanes, l, q.k * q.n, q.tb);
            }
        }
        if (to_a)
            ad_work_add(tape, buffer, lanes, &a, q.la);
        if (to_b)
            ad_work_add(tape, buffer, lanes, &b, q.lb);
        if (!tan || !to_a || !to_b || ad_all_zero(work->adj + at, size))
            continue;
        struct ad_matrix g = dense(work->adj + at, q.m, q.n);
        double *ga = malloc((size_t)((q.m * q.k + q.k * q.n) * lanes + 1) * sizeof *ga);

        if (!ga) {
            free(q.room);
            return AD_NO_MEMORY;
        }
        double *gb = ga + q.m * q.k * lanes;

        memset(ga, 0, (size_t)((q.m * q.k + q.k * q.n) * lanes) * sizeof *ga);
        ad_work_get(tape, tan, lanes, &a, q.la);
        ad_work_get(tape, tan, lanes, &b, q.lb);
        for (int l = 0; l < lanes; l++) {
            take_lane(q.la, lanes, l, q.m * q.k, q.one_a);
            take_lane(q.lb, lanes, l, q.k * q.n, q.one_b);
            ad_matmul(g, transposed(dense(q.one_b, q.k, q.n)), q.ta);
            add_lane(ga, lanes, l, q.m * q.k, q.ta);
            ad_matmul(transposed(dense(q.one_a, q.m, q.k)), g, q.tb);
            add_lane(gb, lanes, l, q.k * q.n, q.tb);
        }
        ad_work_add(tape, buffer, lanes, &a, ga);
        ad_work_add(tape, buffer, lanes, &b, gb);
        free(ga);
    }
    free(q.room);
    return AD_OK;
}

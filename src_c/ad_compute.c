/* ad_compute.c -- the values of array instructions. */
#include <stdlib.h>
#include <string.h>

#include "ad_gather.h"
#include "ad_index.h"
#include "ad_kernel_run.h"
#include "ad_linalg.h"
#include "ad_point.h"
#include "ad_tape.h"

static void compute_op(struct ad_tape *tape, enum ad_op op, double p, const struct ad_view *views,
                       int64_t size, int32_t dst)
{
    int n_args = ad_ops[op].n_args;
    struct ad_span_room room[AD_MAX_ARGS];
    struct ad_vec a[AD_MAX_ARGS] = {{NULL, 0}};
    double *y = tape->value + dst;
    bool whole = views[0].ndim <= 1;

    /* Runs and repeated numbers need no tiles. */
    for (int i = 0; i < n_args && whole; i++) {
        bool run = views[i].ndim == 1 && views[i].stride[0] == 1;

        if (views[i].place == AD_NUMBER)
            a[i] = (struct ad_vec){NULL, views[i].in.number};
        else if (views[i].place == AD_LIST ||
                 !(run || views[i].ndim == 0 || views[i].stride[0] == 0))
            whole = false;
        else {
            const double *data = views[i].place == AD_ARRAY ? views[i].in.array->data : tape->value;

            data += views[i].base;
            a[i] = run ? (struct ad_vec){data, 0} : (struct ad_vec){NULL, size ? *data : 0};
        }
    }
    if (whole) {
        ad_op_vector(op, p, (size_t)size, a, y);
        return;
    }
    for (int64_t start = 0, n; start < size; start += n) {
        n = ad_tile_size(&views[0], size, start);
        for (int i = 0; i < n_args; i++) {
            struct ad_span span = ad_span_of(&views[i], 0, tape->value, start, n, &room[i]);

            a[i] = ad_span_values(&span, tape->value, n, room[i].values);
        }
        ad_op_vector(op, p, (size_t)n, a, y + start);
    }
}

/* The sum of n consecutive numbers: eight running sums, so that SIMD and rounding both profit. */
AD_VECTOR static double sum_run(const double *x, int64_t n)
{
    double lane[8] = {0}, rest = 0;
    int64_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++)
            lane[j] += x[i + j];
    for (; i < n; i++)
        rest += x[i];
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
           ((lane[4] + lane[5]) + (lane[6] + lane[7])) + rest;
}

/* Sums of tiles, added in pairs of equal count like the digits of a binary counter, which keeps the
 * rounding error of a long sum at the logarithm of its length. */
struct pairwise {
    double part[48];
    uint64_t count;
};

static void pairwise_add(struct pairwise *sum, double x)
{
    int level = 0;

    for (uint64_t digit = sum->count; digit & 1; digit >>= 1)
        x += sum->part[level++];
    sum->part[level] = x;
    sum->count++;
}

static double pairwise_total(const struct pairwise *sum)
{
    double total = 0;
    int level = 0;

    for (uint64_t digit = sum->count; digit; digit >>= 1, level++)
        if (digit & 1)
            total += sum->part[level];
    return total;
}

static double sum_view(struct ad_tape *tape, const struct ad_view *from, int64_t start,
                       int64_t size, struct ad_span_room *room)
{
    struct pairwise sum = {.count = 0};

    for (int64_t end = start + size, n; start < end; start += n) {
        n = AD_MIN(ad_tile_size(from, end, start), end - start);
        struct ad_span span = ad_span_of(from, 0, tape->value, start, n, room);
        struct ad_vec x = ad_span_values(&span, tape->value, n, room->values);

        pairwise_add(&sum, x.v ? sum_run(x.v, n) : (double)n * x.c);
    }
    return pairwise_total(&sum);
}

AD_VECTOR static void add_run(double *y, const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += x[i];
}

static void compute_addto_pair(struct ad_tape *tape, const struct ad_view *from,
                               const struct ad_view *to, int32_t dst)
{
    int64_t size = ad_view_size(to);
    struct ad_span_room from_room, to_room;

    if (size > 1 && to->place == AD_OWN && to->stride[to->ndim - 1] == 0 &&
        (to->ndim < 2 || to->shape[to->ndim - 1] >= 16)) { /* rows that are summed up */
        int64_t row = to->shape[to->ndim - 1];

        for (int64_t start = 0; start < size; start += row) {
            struct ad_span at = ad_span_of(to, dst, tape->value, start, 1, &to_room);

            tape->value[at.slot] += sum_view(tape, from, start, row, &from_room);
        }
        return;
    }
    for (int64_t start = 0, n; start < size; start += n) {
        n = ad_tile_size(to, size, start);
        struct ad_span in = ad_span_of(from, 0, tape->value, start, n, &from_room);
        struct ad_span out = ad_span_of(to, dst, tape->value, start, n, &to_room);
        struct ad_vec x = ad_span_values(&in, tape->value, n, from_room.values);

        if (out.kind == AD_SPAN_RUN && x.v) {
            add_run(tape->value + out.slot, x.v, n);
            continue;
        }
        for (int64_t i = 0; i < n; i++) {
            int64_t at = out.kind == AD_SPAN_MANY  ? out.slots[i]
                         : out.kind == AD_SPAN_RUN ? out.slot + i
                                                   : out.slot;

            tape->value[at] += x.v ? x.v[i] : x.c;
        }
    }
}

/* A pair of an instruction that gives each slot exactly once: nothing is added, nothing zeroed. */
static void compute_copy_pair(struct ad_tape *tape, const struct ad_view *from,
                              const struct ad_view *to, int32_t dst)
{
    int64_t size = ad_view_size(to);
    struct ad_span_room from_room, to_room;

    if (to->place == AD_OWN && ad_view_is_contiguous(to)) {
        ad_view_read(from, tape->value, tape->value + dst + to->base);
        return;
    }
    for (int64_t start = 0, n; start < size; start += n) {
        n = ad_tile_size(to, size, start);
        struct ad_span in = ad_span_of(from, 0, tape->value, start, n, &from_room);
        struct ad_span out = ad_span_of(to, dst, tape->value, start, n, &to_room);
        struct ad_vec x = ad_span_values(&in, tape->value, n, from_room.values);

        if (out.kind == AD_SPAN_RUN && x.v) {
            memcpy(tape->value + out.slot, x.v, (size_t)n * sizeof *x.v);
            continue;
        }
        for (int64_t i = 0; i < n; i++) {
            int64_t at = out.kind == AD_SPAN_MANY ? out.slots[i] : out.slot + i;

            tape->value[at] = x.v ? x.v[i] : x.c;
        }
    }
}

/* The matrices of a view's last two dimensions, batch by batch; a list is gathered. */
static struct ad_matrix matrix_of(const struct ad_tape *tape, const struct ad_view *view,
                                  int64_t offset, double *room)
{
    int last = view->ndim - 1;
    struct ad_matrix m = {NULL, view->shape[last - 1], view->shape[last], view->stride[last - 1],
                          view->stride[last]};

    if (view->place == AD_NUMBER) {
        room[0] = view->in.number;
        m.data = room;
        m.row_stride = m.col_stride = 0;
    } else if (view->place == AD_LIST) {
        ad_matrix_gather(&m, tape->value, view->in.list->slot + view->base + offset, room);
    } else {
        m.data =
            (view->place == AD_ARRAY ? view->in.array->data : tape->value) + view->base + offset;
    }
    return m;
}

static enum ad_status compute_matmul(struct ad_tape *tape, const struct ad_view *views, int32_t dst)
{
    int ndim = views[0].ndim, nb = ndim - 2;
    int64_t m = views[0].shape[nb], k = views[0].shape[nb + 1], n = views[1].shape[nb + 1],
            batches = 1, each = 1, steps[2] = {0, 0};
    int64_t left = views[0].place == AD_LIST ? m * k : 1;
    int64_t right = views[1].place == AD_LIST ? k * n : 1;
    double small[2],
        *room = left + right > 2 ? malloc((size_t)(left + right) * sizeof *room) : small;

    if (!room)
        return AD_NO_MEMORY;
    for (int d = 0; d < nb; d++)
        batches *= views[0].shape[d];
    if (nb > 0 && views[0].place != AD_LIST && views[1].place != AD_LIST) {
        /* the last of the leading dimensions at once */
        each = views[0].shape[nb - 1];
        for (int i = 0; i < 2; i++)
            steps[i] = views[i].place == AD_NUMBER ? 0 : views[i].stride[nb - 1];
    }
    for (int64_t batch = 0; batch < batches; batch += each) {
        int64_t offset[2] = {0, 0}, rest = batch;

        for (int d = nb - 1; d >= 0; d--) {
            int64_t index = rest % views[0].shape[d];

            rest /= views[0].shape[d];
            offset[0] += index * views[0].stride[d];
            offset[1] += index * views[1].stride[d];
        }
        ad_matmul_each(each, matrix_of(tape, &views[0], offset[0], room),
                       matrix_of(tape, &views[1], offset[1], room + left), steps,
                       tape->value + dst + batch * m * n);
    }
    if (room != small)
        free(room);
    return AD_OK;
}

static void compute_cumsum(struct ad_tape *tape, const struct ad_view *from, bool from_end,
                           int64_t size, int32_t dst)
{
    int64_t row = from->shape[from->ndim - 1];
    double *y = tape->value + dst;

    ad_view_read(from, tape->value, y);
    for (int64_t start = 0; start < size; start += row)
        for (int64_t i = 1; i < row; i++) {
            if (from_end)
                y[start + row - 1 - i] += y[start + row - i];
            else
                y[start + i] += y[start + i - 1];
        }
}

/* The elements of a view where they stand in order, or NULL. */
static const double *in_place(const struct ad_tape *tape, const struct ad_view *view)
{
    if (view->place == AD_NUMBER || view->place == AD_LIST || !ad_view_is_contiguous(view))
        return NULL;
    return (view->place == AD_ARRAY ? view->in.array->data : tape->value) + view->base;
}

/* The elements of a view in order: where they stand, or copied into *room, which free() takes
 * either way; NULL without memory. */
static const double *elements_of(const struct ad_tape *tape, const struct ad_view *view,
                                 double **room)
{
    const double *x = in_place(tape, view);

    *room = NULL;
    if (x)
        return x;
    *room = malloc((size_t)AD_MAX(ad_view_size(view), 1) * sizeof **room);
    if (*room)
        ad_view_read(view, tape->value, *room);
    return *room;
}

/* ad_minimum() and ad_maximum() without branches. */
AD_INLINE double further(double x, double z, bool least)
{
    return ((least ? x < z : x > z) | (x != x)) ? x : z;
}

/* The extremum of n elements.  Lanes of their own, as one chain of comparisons waits for each; but
 * of zeros the last counts in one chain, so that a result of zero is found again by that. */
AD_INLINE double extremum_of(const double *x, int64_t n, bool least)
{
    enum { LANES = 64 };
    double best[LANES], found;
    int64_t j = LANES;

    if (n >= 2 * LANES) {
        memcpy(best, x, sizeof best);
        for (; j + LANES <= n; j += LANES)
            for (int k = 0; k < LANES; k++)
                best[k] = further(best[k], x[j + k], least);
        found = best[0];
        for (int k = 1; k < LANES; k++)
            found = further(found, best[k], least);
        for (; j < n; j++)
            found = further(found, x[j], least);
        if (found != 0)
            return found;
    }
    found = x[0];
    for (j = 1; j < n; j++)
        found = further(found, x[j], least);
    return found;
}

AD_VECTOR static double least_of(const double *x, int64_t n)
{
    return extremum_of(x, n, true);
}

AD_VECTOR static double greatest_of(const double *x, int64_t n)
{
    return extremum_of(x, n, false);
}

static enum ad_status compute_extremum(struct ad_tape *tape, const struct ad_view *from, bool least,
                                       int64_t size, int32_t dst)
{
    int64_t row = from->shape[from->ndim - 1];
    double *room;
    const double *x = elements_of(tape, from, &room);

    if (!x)
        return AD_NO_MEMORY;
    for (int64_t i = 0; i < size; i++)
        tape->value[dst + i] = least ? least_of(x + i * row, row) : greatest_of(x + i * row, row);
    free(room);
    return AD_OK;
}

static enum ad_status compute_norm(struct ad_tape *tape, const struct ad_view *from, int64_t size,
                                   int32_t dst)
{
    int64_t row = from->shape[from->ndim - 1];
    double *room;
    const double *x = elements_of(tape, from, &room);

    if (!x)
        return AD_NO_MEMORY;
    for (int64_t i = 0; i < size; i++)
        tape->value[dst + i] = sqrt(ad_sum_of_squares(x + i * row, row));
    free(room);
    return AD_OK;
}

static enum ad_status compute_argsort(struct ad_tape *tape, const struct ad_view *from,
                                      int64_t size, int32_t dst)
{
    int64_t row = from->shape[from->ndim - 1];
    double *x = malloc((size_t)(size + ad_index_room(row) + 1) * sizeof *x);

    if (!x)
        return AD_NO_MEMORY;
    ad_view_read(from, tape->value, x);
    ad_index_sort(row ? size / row : 0, row, x, tape->value + dst, x + size);
    free(x);
    return AD_OK;
}

static enum ad_status compute_gather(struct ad_tape *tape, int code, int64_t extra,
                                     const struct ad_view *views, int32_t dst)
{
    struct ad_gather sizes =
        ad_gather_sizes(code, extra, views[0].ndim, views[0].shape, ad_view_size(&views[1]));
    double *room = NULL, *at_room = NULL;
    const double *x = elements_of(tape, &views[0], &room);
    const double *at = x ? elements_of(tape, &views[1], &at_room) : NULL;

    if (at)
        ad_gather_values(code, &sizes, x, at, tape->value + dst);
    free(room);
    free(at_room);
    return at ? AD_OK : AD_NO_MEMORY;
}

static enum ad_status compute_kernel(struct ad_tape *tape, double p, int64_t extra, int n,
                                     const struct ad_view *views, int32_t dst)
{
    struct ad_kernel kernel;
    const double *args[AD_KERNEL_MOST_ARGS];
    const char *unfit = ad_kernel_read(extra, p, n, views, &kernel);
    int64_t room = 0;
    double *copies = NULL, *to;
    enum ad_status status;

    ad_assert(!unfit);
    (void)unfit;
    for (int a = 0; a < n; a++) {
        args[a] = in_place(tape, &views[a]);
        room += args[a] ? 0 : ad_view_size(&views[a]);
    }
    if (room) {
        copies = malloc((size_t)room * sizeof *copies);
        if (!copies)
            return AD_NO_MEMORY;
    }
    to = copies;
    for (int a = 0; a < n; a++)
        if (!args[a]) {
            ad_view_read(&views[a], tape->value, to);
            args[a] = to;
            to += ad_view_size(&views[a]);
        }
    status = ad_kernel_run(&kernel, args, tape->value + dst);
    free(copies);
    return status;
}

enum ad_status ad_tape_compute(struct ad_tape *tape, int32_t i)
{
    int code = ad_tape_code(tape, i);
    int32_t dst = tape->dst[i];

    if (!ad_tape_is_array(tape, i)) {
        double p = tape->value[tape->b[i]];

        tape->value[dst] =
            ad_op_value((enum ad_op)code, p, tape->value[tape->a[i]], tape->value[tape->b[i]], 0);
        return AD_OK;
    }
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    struct ad_view views[AD_MAX_ARGS];
    double p;

    if (code == AD_ADDTO) {
        if (!block[4])
            memset(tape->value + dst, 0, (size_t)block[2] * sizeof *tape->value);
        for (int64_t v = 0; v < block[1]; v += 2) {
            words = ad_view_decode(ad_view_decode(words, &views[0]), &views[1]);
            if (block[4])
                compute_copy_pair(tape, &views[0], &views[1], dst);
            else
                compute_addto_pair(tape, &views[0], &views[1], dst);
        }
        return AD_OK;
    }
    if (code == AD_INPUT || code == AD_CALL)
        return AD_OK; /* their values are given */
    ad_tape_views(tape, i, views, AD_MAX_ARGS);
    if (code == AD_MATMUL)
        return compute_matmul(tape, views, dst);
    if (code == AD_CUMSUM) {
        compute_cumsum(tape, views, block[4] != 0, block[2], dst);
        return AD_OK;
    }
    if (code == AD_NORM)
        return compute_norm(tape, views, block[2], dst);
    if (code == AD_EXTREMUM)
        return compute_extremum(tape, views, block[4] != 0, block[2], dst);
    if (code == AD_ARGSORT)
        return compute_argsort(tape, views, block[2], dst);
    if (code == AD_GATHER || code == AD_SCATTER)
        return compute_gather(tape, code, block[4], views, dst);
    memcpy(&p, block + 3, sizeof p);
    if (code == AD_KERNEL)
        return compute_kernel(tape, p, block[4], (int)block[1], views, dst);
    compute_op(tape, (enum ad_op)code, p, views, block[2], dst);
    return AD_OK;
}

/* ad_taylor.c -- Taylor series through a stretch of tape.
 *
 * Elementwise instructions go through the rows read as series, a tile at a time: the coefficients
 * of a slot lie side by side on the tape's work, those of a tile are turned to lie in rows.
 * Structural instructions are linear, so coefficients move through them as tangents do; matrix
 * products are bilinear, one Cauchy product, and so is what runs along sequences, element by element.
 */
#include "ad_taylor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ad_draw.h"
#include "ad_linalg.h"
#include "ad_sequence.h"
#include "ad_series.h"

enum { TILE = 128 }; /* elements of an array instruction at a time */

struct sweep {
    struct ad_tape *tape;
    int order;
    int32_t low;
    int32_t *degree; /* of each slot from 'low' on: its coefficients beyond are zero */
    double *room;    /* AD_MAX_ARGS + 1 tiles of order + 1 rows, once there is need */
    struct ad_series_work series;
};

static double *lanes_of(const struct sweep *s, int64_t slot)
{
    return s->tape->work->tan + (slot - s->low) * (s->order + 1);
}

static int32_t degree_of(const struct sweep *s, int64_t slot)
{
    return slot < s->low ? 0 : s->degree[slot - s->low];
}

static int64_t slot_of(const struct ad_span *span, int64_t i)
{
    switch (span->kind) {
    case AD_SPAN_RUN:
        return span->slot + i;
    case AD_SPAN_ONE:
        return span->slot;
    case AD_SPAN_MANY:
        return span->slots[i];
    case AD_SPAN_FIXED:
        break;
    }
    return -1;
}

/* Consecutive variables?  A run lies within one instruction, hence on one side of low. */
static bool is_run(const struct sweep *s, const struct ad_span *span)
{
    return span->kind == AD_SPAN_RUN && span->slot >= s->low;
}

AD_VECTOR static int32_t largest(const int32_t *degree, int64_t n)
{
    int32_t most = 0;

    for (int64_t i = 0; i < n; i++)
        most = AD_MAX(most, degree[i]);
    return most;
}

/* Lanes of n slots to rows and back; lane 0 is left to the values. */
AD_VECTOR static void to_rows(const double *lanes, int64_t n_lanes, int64_t n, int32_t degree,
                              double *rows, int64_t stride)
{
    for (int32_t k = 1; k <= degree; k++)
        for (int64_t i = 0; i < n; i++)
            rows[k * stride + i] = lanes[i * n_lanes + k];
}

AD_VECTOR static void from_rows(const double *rows, int64_t stride, int64_t n, int32_t degree,
                                double *lanes, int64_t n_lanes)
{
    for (int32_t k = 1; k <= degree; k++)
        for (int64_t i = 0; i < n; i++)
            lanes[i * n_lanes + k] = rows[k * stride + i];
    for (int64_t i = 0; degree + 1 < n_lanes && i < n; i++)
        for (int64_t k = degree + 1; k < n_lanes; k++)
            lanes[i * n_lanes + k] = 0;
}

static int32_t view_degree(const struct sweep *s, const struct ad_view *view, int64_t start,
                           int64_t end)
{
    struct ad_span_room room;
    int32_t degree = 0;

    for (int64_t n; start < end; start += n) {
        n = AD_MIN(ad_tile_size(view, end, start), end - start);
        struct ad_span span = ad_span_of(view, 0, s->tape->value, start, n, &room);

        if (is_run(s, &span))
            degree = AD_MAX(degree, largest(s->degree + (span.slot - s->low), n));
        else if (span.kind == AD_SPAN_MANY)
            for (int64_t i = 0; i < n; i++)
                degree = AD_MAX(degree, degree_of(s, span.slots[i]));
        else if (span.kind == AD_SPAN_ONE)
            degree = AD_MAX(degree, degree_of(s, span.slot));
    }
    return degree;
}

/* Coefficients 0 .. degree of elements start .. start + n, in rows 'stride' apart. */
static void load(const struct sweep *s, const struct ad_view *view, int64_t start, int64_t n,
                 int32_t degree, double *c, int64_t stride)
{
    struct ad_span_room room;

    for (int64_t end = start + n, m; start < end; start += m, c += m) {
        m = AD_MIN(ad_tile_size(view, end, start), end - start);
        struct ad_span span = ad_span_of(view, 0, s->tape->value, start, m, &room);
        struct ad_vec value = ad_span_values(&span, s->tape->value, m, room.values);

        for (int64_t i = 0; i < m; i++)
            c[i] = value.v ? value.v[i] : value.c;
        if (is_run(s, &span)) {
            to_rows(lanes_of(s, span.slot), s->order + 1, m, degree, c, stride);
            continue;
        }
        for (int64_t i = 0; i < m; i++) {
            int64_t slot = slot_of(&span, i);
            const double *from = slot < s->low ? NULL : lanes_of(s, slot);

            for (int32_t k = 1; k <= degree; k++)
                c[k * stride + i] = from ? from[k] : 0;
        }
    }
}

/* The results dst .. dst + n from rows of coefficients. */
static void store(const struct sweep *s, int32_t dst, int64_t n, int32_t degree, const double *c,
                  int64_t stride)
{
    from_rows(c, stride, n, degree, lanes_of(s, dst), s->order + 1);
    for (int64_t i = 0; i < n; i++) {
        lanes_of(s, dst + i)[0] = s->tape->value[dst + i];
        s->degree[dst - s->low + i] = degree;
    }
}

static enum ad_status scalar_op(struct sweep *s, int32_t i)
{
    const struct ad_tape *tape = s->tape;
    enum ad_op op = (enum ad_op)ad_tape_code(tape, i);
    int32_t at[2] = {tape->a[i], tape->b[i]}, dst = tape->dst[i], degree = 0;
    struct ad_series a[AD_MAX_ARGS] = {{NULL, 0}};

    for (int j = 0; j < ad_ops[op].n_args; j++) {
        a[j].c = at[j] < s->low ? tape->value + at[j] : lanes_of(s, at[j]);
        a[j].degree = degree_of(s, at[j]);
        degree = AD_MAX(degree, a[j].degree);
    }
    if (degree == 0) {
        store(s, dst, 1, 0, NULL, 0);
        return AD_OK;
    }
    degree =
        ad_series_forward(op, tape->value[at[1]], 1, s->order, a, lanes_of(s, dst), &s->series);
    s->degree[dst - s->low] = degree;
    return degree < 0 ? AD_NO_MEMORY : AD_OK;
}

static enum ad_status array_op(struct sweep *s, int32_t i)
{
    const struct ad_tape *tape = s->tape;
    enum ad_op op = (enum ad_op)ad_tape_code(tape, i);
    const int64_t *block = tape->aux + tape->a[i];
    int n_args = ad_ops[op].n_args;
    int64_t each = (int64_t)(s->order + 1) * TILE;
    struct ad_series a[AD_MAX_ARGS] = {{NULL, 0}};
    struct ad_view views[AD_MAX_ARGS];
    double p, *y;

    if (!s->room)
        s->room = malloc((size_t)((AD_MAX_ARGS + 1) * each) * sizeof *s->room);
    if (!s->room)
        return AD_NO_MEMORY;
    y = s->room + AD_MAX_ARGS * each;
    memcpy(&p, block + 3, sizeof p);
    ad_tape_views(tape, i, views, n_args);
    for (int64_t start = 0, n; start < block[2]; start += n) {
        int32_t dst = tape->dst[i] + (int32_t)start, degree = 0;

        n = AD_MIN(ad_tile_size(&views[0], block[2], start), TILE);
        for (int j = 0; j < n_args; j++) {
            a[j].degree = view_degree(s, &views[j], start, start + n);
            a[j].c = s->room + j * each;
            degree = AD_MAX(degree, a[j].degree);
        }
        if (degree > 0) {
            for (int j = 0; j < n_args; j++)
                load(s, &views[j], start, n, a[j].degree, s->room + j * each, n);
            degree = ad_series_forward(op, p, (size_t)n, s->order, a, y, &s->series);
        }
        if (degree < 0)
            return AD_NO_MEMORY;
        store(s, dst, n, degree, y, n);
    }
    return AD_OK;
}

/* Sums, copies and the like: as tangents move, and the values on top. */
static enum ad_status linear(struct sweep *s, int32_t i)
{
    struct ad_tape *tape = s->tape;
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    int32_t degree = 0;
    struct ad_view view;

    for (int64_t v = 0; v < block[1]; v++) {
        words = ad_view_decode(words, &view);
        if (view.place != AD_OWN && view.place != AD_OWN_LIST)
            degree = AD_MAX(degree, view_degree(s, &view, 0, ad_view_size(&view)));
    }
    memset(lanes_of(s, tape->dst[i]), 0,
           (size_t)(ad_tape_length(tape, i) * (s->order + 1)) * sizeof(double));
    if (degree > 0) {
        enum ad_status status = ad_sweep_forward(tape, i, i);

        if (status)
            return status;
    }
    for (int32_t slot = tape->dst[i]; slot < tape->dst[i] + block[2]; slot++) {
        lanes_of(s, slot)[0] = tape->value[slot];
        s->degree[slot - s->low] = degree;
    }
    return AD_OK;
}

static enum ad_status matmul(struct sweep *s, int32_t i)
{
    const struct ad_tape *tape = s->tape;
    int64_t size = tape->aux[tape->a[i] + 2], length[2], m, inner, n, batches;
    int32_t degree[2], degrees;
    struct ad_view views[2];
    double *c[2], *y, *product;

    ad_tape_views(tape, i, views, 2);
    for (int j = 0; j < 2; j++) {
        length[j] = ad_view_size(&views[j]);
        degree[j] = view_degree(s, &views[j], 0, length[j]);
    }
    degrees = AD_MIN(s->order, degree[0] + degree[1]);
    m = views[0].shape[views[0].ndim - 2];
    inner = views[0].shape[views[0].ndim - 1];
    n = views[1].shape[views[1].ndim - 1];
    batches = m * n > 0 ? size / (m * n) : 0;
    c[0] = malloc((size_t)((degree[0] + 1) * length[0] + (degree[1] + 1) * length[1] +
                           (degrees + 1) * size + m * n + 1) *
                  sizeof *y);
    if (!c[0])
        return AD_NO_MEMORY;
    c[1] = c[0] + (degree[0] + 1) * length[0];
    y = c[1] + (degree[1] + 1) * length[1];
    product = y + (degrees + 1) * size;
    memset(y, 0, (size_t)((degrees + 1) * size) * sizeof *y);
    for (int j = 0; j < 2; j++)
        load(s, &views[j], 0, length[j], degree[j], c[j], length[j]);
    for (int64_t batch = 0; batch < batches; batch++)
        for (int32_t k = 1; k <= degrees; k++)
            for (int32_t j = AD_MAX(0, k - degree[1]); j <= AD_MIN(k, degree[0]); j++) {
                struct ad_matrix a = {c[0] + j * length[0] + batch * m * inner, m, inner, inner, 1};
                struct ad_matrix b = {c[1] + (k - j) * length[1] + batch * inner * n, inner, n, n,
                                      1};
                double *to = y + k * size + batch * m * n;

                ad_matmul(a, b, product);
                for (int64_t e = 0; e < m * n; e++)
                    to[e] += product[e];
            }
    store(s, tape->dst[i], size, degrees, y, size);
    free(c[0]);
    return AD_OK;
}

/* y y = q, the sum of squares.  At zero there is no series: the first coefficient follows the
 * convention of the gradient, and the others are nan. */
static enum ad_status norm(struct sweep *s, int32_t i)
{
    struct ad_tape *tape = s->tape;
    int64_t count = tape->aux[tape->a[i] + 2], total;
    struct ad_view from;
    int32_t degree, degrees;
    double *c, *y;

    ad_tape_views(tape, i, &from, 1);
    total = ad_view_size(&from);
    degree = view_degree(s, &from, 0, total);
    degrees = degree > 0 ? s->order : 0;
    c = malloc((size_t)((degree + 1) * total + (degrees + 1) * count + 1) * sizeof *c);
    if (!c)
        return AD_NO_MEMORY;
    y = c + (degree + 1) * total;
    load(s, &from, 0, total, degree, c, total);
    for (int64_t r = 0; r < count; r++) {
        int64_t length = total / count;
        double y0 = tape->value[tape->dst[i] + r];

        y[r] = y0;
        for (int32_t k = 1; k <= degrees; k++) {
            double q = 0;

            for (int32_t j = AD_MAX(0, k - degree); j <= AD_MIN(k, degree); j++)
                for (int64_t e = r * length; e < (r + 1) * length; e++)
                    q += c[j * total + e] * c[(k - j) * total + e];
            for (int32_t j = 1; j < k; j++)
                q -= y[j * count + r] * y[(k - j) * count + r];
            y[k * count + r] = y0 != 0 ? q / (2 * y0) : k == 1 ? 0 : NAN;
        }
    }
    store(s, tape->dst[i], count, degrees, y, count);
    free(c);
    return AD_OK;
}

/* ---- sequences ---- */

/* Coefficients of the operands and of the result of a kernel, in rows 'length' apart. */
struct coefficients {
    int32_t degree[AD_KERNEL_MOST_ARGS], degrees;
    int64_t length[AD_KERNEL_MOST_ARGS], size;
    double *c[AD_KERNEL_MOST_ARGS], *y;
};

/* Of all of the batch; to be freed by free(k->c[0]). */
static enum ad_status load_operands(const struct sweep *s, int32_t i, int n, int64_t more,
                                    struct coefficients *k)
{
    struct ad_view views[AD_KERNEL_MOST_ARGS];
    int64_t room = 0;

    ad_tape_views(s->tape, i, views, n);
    k->size = ad_tape_length(s->tape, i);
    k->degrees = 0;
    for (int a = 0; a < n; a++) {
        k->length[a] = ad_view_size(&views[a]);
        k->degree[a] = view_degree(s, &views[a], 0, k->length[a]);
        room += (k->degree[a] + 1) * k->length[a];
        if (k->degree[a] > 0)
            k->degrees = s->order;
    }
    k->c[0] = calloc((size_t)(room + (k->degrees + 1) * k->size + more + 1), sizeof *k->c[0]);
    if (!k->c[0])
        return AD_NO_MEMORY;
    for (int a = 0; a < n; a++) {
        double *behind = k->c[a] + (k->degree[a] + 1) * k->length[a];

        load(s, &views[a], 0, k->length[a], k->degree[a], k->c[a], k->length[a]);
        if (a + 1 < n)
            k->c[a + 1] = behind;
        else
            k->y = behind;
    }
    return AD_OK;
}

/* Coefficient 'order' of the product of element i of an operand and element j of the result. */
static double times_result(const struct coefficients *k, int32_t order, int64_t i, int64_t j)
{
    double sum = 0;

    for (int32_t d = 0; d <= AD_MIN(order, k->degree[0]); d++)
        sum += k->c[0][d * k->length[0] + i] * k->y[(order - d) * k->size + j];
    return sum;
}

/* Running products, and recurrences, which have a second operand. */
static void recur(const struct coefficients *k, const struct ad_kernel *kernel)
{
    int64_t n = kernel->size;
    bool product = kernel->n_args == 1, from_end = kernel->flags != 0;

    for (int64_t e = 0; e < k->size; e++) {
        int64_t at = from_end ? k->size - 1 - e : e, last = from_end ? at + 1 : at - 1;

        for (int32_t order = 0; order <= k->degrees; order++) {
            double *y = &k->y[order * k->size + at];

            if (e % n > 0)
                *y = times_result(k, order, from_end ? last : at, last);
            else if (product && order <= k->degree[0])
                *y = k->c[0][order * k->size + at];
            if (!product && order <= k->degree[1])
                *y += k->c[1][order * k->size + at];
        }
    }
}

static void convolve(const struct coefficients *k, const struct ad_kernel *kernel)
{
    int64_t n = kernel->cols[0], m = kernel->cols[1], size = kernel->size;
    double *part = k->y + (k->degrees + 1) * k->size;

    for (int32_t order = 1; order <= k->degrees; order++)
        for (int32_t j = AD_MAX(0, order - k->degree[1]); j <= AD_MIN(order, k->degree[0]); j++)
            for (int64_t batch = 0; batch < kernel->batches; batch++) {
                double *to = k->y + order * k->size + batch * size;

                ad_convolve((enum ad_overlap)(kernel->flags & ~AD_BACKWARDS),
                            (kernel->flags & AD_BACKWARDS) != 0, n,
                            k->c[0] + j * k->length[0] + batch * n, m,
                            k->c[1] + (order - j) * k->length[1] + batch * m, part);
                for (int64_t e = 0; e < size; e++)
                    to[e] += part[e];
            }
}

/* Coefficient 'order' of an operand's element, 0 beyond its degree. */
static double coefficient(const struct coefficients *k, int arg, int32_t order, int64_t i)
{
    return order > k->degree[arg] ? 0 : k->c[arg][order * k->length[arg] + i];
}

/* Adds 'share' of the coefficients of point i, on the piece before knot 'place' of a line whose knots are
 * m elements of the operands from 'first' on; 'slope' is room for a coefficient of each order. */
static void add_piece(const struct coefficients *k, int64_t i, int64_t place, int64_t first,
                      int64_t m, bool slopes, double share, double *slope)
{
    int64_t to = first + AD_MIN(place, m - 1), from = first + AD_MAX(place - 1, 0);

    for (int32_t order = 0; order <= k->degrees; order++) {
        double y = slopes ? 0 : coefficient(k, 2, order, from);

        if (from != to) { /* the slope is f / x, both from knot to knot */
            double rest = coefficient(k, 2, order, to) - coefficient(k, 2, order, from);

            for (int32_t d = 1; d <= order; d++)
                rest -= (coefficient(k, 1, d, to) - coefficient(k, 1, d, from)) * slope[order - d];
            slope[order] = rest / (k->c[1][to] - k->c[1][from]);
            for (int32_t d = 0; d <= order && !slopes; d++)
                y += (coefficient(k, 0, d, i) - coefficient(k, 1, d, from)) * slope[order - d];
            if (slopes)
                y = slope[order];
        }
        k->y[order * k->size + i] += share * y;
    }
}

static void line(const struct coefficients *k, const struct ad_kernel *kernel)
{
    int64_t n = kernel->cols[0], m = kernel->cols[1];
    double *slope = k->y + (k->degrees + 1) * k->size;
    bool slopes = kernel->first >= AD_LINE_SLOPES;
    int side = (int)kernel->first % AD_LINE_SLOPES; /* 0: both */

    for (int64_t i = 0; i < k->size; i++) {
        int64_t first = i / n * m;

        if (side != 2)
            add_piece(k, i, ad_knots(false, k->c[0][i], m, k->c[1] + first), first, m, slopes,
                      side ? 1 : 0.5, slope);
        if (side != 1)
            add_piece(k, i, ad_knots(true, k->c[0][i], m, k->c[1] + first), first, m, slopes,
                      side ? 1 : 0.5, slope);
    }
}

static enum ad_status through_kernel(struct sweep *s, int32_t i)
{
    const int64_t *block = s->tape->aux + s->tape->a[i];
    struct ad_view views[AD_KERNEL_MOST_ARGS];
    struct ad_kernel kernel;
    struct coefficients k;
    enum ad_status status;

    ad_tape_views(s->tape, i, views, AD_KERNEL_MOST_ARGS);
    if (ad_kernel_read(block[4], 0, (int)block[1], views, &kernel))
        return AD_NO_SERIES;
    if (kernel.name != AD_KERNEL_cumprod && kernel.name != AD_KERNEL_recurrence &&
        kernel.name != AD_KERNEL_convolve && (kernel.name != AD_KERNEL_line || kernel.flags))
        return AD_NO_SERIES;
    status = load_operands(s, i, kernel.n_args, AD_MAX(kernel.size, s->order + 1), &k);
    if (status)
        return status;
    if (k.degrees > 0) {
        if (kernel.name == AD_KERNEL_convolve)
            convolve(&k, &kernel);
        else if (kernel.name == AD_KERNEL_line)
            line(&k, &kernel);
        else
            recur(&k, &kernel);
    }
    store(s, s->tape->dst[i], k.size, k.degrees, k.y, k.size);
    free(k.c[0]);
    return AD_OK;
}

static enum ad_status instruction(struct sweep *s, int32_t i)
{
    int code = ad_tape_code(s->tape, i);

    if (!ad_tape_is_array(s->tape, i))
        return scalar_op(s, i);
    if (code < AD_N_OPS)
        return array_op(s, i);
    switch ((enum ad_code)code) {
    case AD_INPUT:
    case AD_ADDTO:
    case AD_CUMSUM:
    case AD_EXTREMUM:
    case AD_ARGSORT:
    case AD_GATHER:
    case AD_SCATTER:
        return linear(s, i);
    case AD_MATMUL:
        return matmul(s, i);
    case AD_NORM:
        return norm(s, i);
    case AD_KERNEL:
        return through_kernel(s, i);
    case AD_CALL:
        return AD_NO_SERIES;
    case AD_DRAW:
        break;
    }
    ad_unreachable();
    return AD_OK;
}

enum ad_status ad_taylor_begin(struct ad_tape *tape, int32_t low, int32_t first, int order)
{
    struct ad_work *work = tape->work;
    int64_t n = (int64_t)(tape->n_slots - low) * (order + 1);
    int64_t seeded = (first < tape->n ? tape->dst[first] : tape->n_slots) - low;

    work->low = low;
    work->lanes = order + 1;
    if (n > work->capacity[0]) {
        double *fresh = malloc((size_t)n * sizeof *fresh);

        if (!fresh)
            return AD_NO_MEMORY;
        free(work->tan);
        work->tan = fresh;
        work->capacity[0] = n;
    }
    if (seeded > 0)
        memset(work->tan, 0, (size_t)(seeded * (order + 1)) * sizeof *work->tan);
    return AD_OK;
}

enum ad_status ad_sweep_taylor(struct ad_tape *tape, int32_t first, int32_t last)
{
    int32_t low = tape->work->low, inputs, floor;
    struct sweep s = {.tape = tape, .order = tape->work->lanes - 1, .low = low};
    enum ad_status status = ad_draw_find(tape, first, last);

    if (!status && !ad_tape_constants_intact(tape, first, last))
        status = AD_CONST_CHANGED;
    if (status)
        return status;
    s.degree = malloc((size_t)AD_MAX(tape->n_slots - low, 1) * sizeof *s.degree);
    if (!s.degree)
        return AD_NO_MEMORY;
    inputs = first < tape->n ? tape->dst[first] : tape->n_slots;
    for (int32_t slot = low; slot < inputs; slot++) {
        double *lanes = lanes_of(&s, slot);
        int32_t degree = s.order;

        lanes[0] = tape->value[slot];
        while (degree > 0 && lanes[degree] == 0)
            degree--;
        s.degree[slot - low] = degree;
    }
    floor = ad_tape_enter(tape, tape->n);
    for (int32_t i = first; i <= last && !status; i++)
        status = instruction(&s, i);
    ad_tape_leave(tape, floor);
    ad_series_work_free(&s.series);
    free(s.room);
    free(s.degree);
    return status;
}

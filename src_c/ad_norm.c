/* ad_norm.c -- the Euclidean norm in numbers. */
#include "ad_norm.h"

#include <math.h>
#include <stdlib.h>

#include "ad_lanes.h"
#include "ad_point.h"

bool ad_norm_is(const struct ad_tape *tape, int32_t i)
{
    int code = ad_tape_code(tape, i);

    return code == AD_NORM || code == AD_OP_hypot;
}

bool ad_norm_vanishes(const struct ad_tape *tape, int32_t i)
{
    const double *value = tape->value + tape->dst[i];
    int32_t n = ad_tape_length(tape, i);

    if (AD_LIKELY(!ad_norm_is(tape, i)))
        return false;
    for (int32_t j = 0; j < n; j++)
        if (value[j] == 0)
            return true;
    return false;
}

/* The operand of a norm, dense: rows of 'length' numbers, and room for as many lanes. */
struct rows {
    struct ad_view from;
    int64_t count, length;
    double *x, *lanes;
};

static enum ad_status rows_begin(const struct ad_tape *tape, int32_t i, int lanes,
                                 struct rows *rows)
{
    int64_t size;

    ad_tape_views(tape, i, &rows->from, 1);
    rows->count = tape->aux[tape->a[i] + 2];
    rows->length = rows->from.shape[rows->from.ndim - 1];
    size = rows->count * rows->length;
    rows->x = malloc((size_t)(size * (1 + lanes) + 1) * sizeof *rows->x);
    if (!rows->x)
        return AD_NO_MEMORY;
    rows->lanes = rows->x + size;
    ad_view_read(&rows->from, tape->value, rows->x);
    return AD_OK;
}

enum ad_status ad_norm_forward(struct ad_tape *tape, int32_t i)
{
    int lanes = tape->work->lanes;
    double *to = tape->work->tan + (int64_t)(tape->dst[i] - tape->work->low) * lanes;
    struct rows rows;
    enum ad_status status = rows_begin(tape, i, lanes, &rows);

    if (status)
        return status;
    ad_work_get(tape, tape->work->tan, lanes, &rows.from, rows.lanes);
    for (int64_t r = 0; r < rows.count; r++)
        for (int64_t j = r * rows.length; j < (r + 1) * rows.length; j++)
            for (int l = 0; l < lanes; l++)
                to[r * lanes + l] += ad_flow(AD_CURVED, rows.lanes[j * lanes + l],
                                             ad_div0(rows.x[j], tape->value[tape->dst[i] + r]));
    free(rows.x);
    return AD_OK;
}

enum ad_status ad_norm_reverse(struct ad_tape *tape, int32_t i, double *buffer, int lanes)
{
    const double *g = buffer + (int64_t)(tape->dst[i] - tape->work->low) * lanes;
    struct rows rows;
    enum ad_status status = rows_begin(tape, i, lanes, &rows);

    if (status)
        return status;
    for (int64_t r = 0; r < rows.count; r++)
        for (int64_t j = r * rows.length; j < (r + 1) * rows.length; j++)
            for (int l = 0; l < lanes; l++)
                rows.lanes[j * lanes + l] = ad_push(
                    false, g[r * lanes + l], ad_div0(rows.x[j], tape->value[tape->dst[i] + r]));
    ad_work_add(tape, buffer, lanes, &rows.from, rows.lanes);
    free(rows.x);
    return AD_OK;
}

/* With u = x / |x|, the derivative of u along t is (t - u (u.t)) / |x|; at zero it is nan, but for a row
 * that stands still. */
enum ad_status ad_norm_curve(struct ad_tape *tape, int32_t i)
{
    struct ad_work *work = tape->work;
    int lanes = work->lanes;
    struct rows rows;
    enum ad_status status = rows_begin(tape, i, lanes, &rows);

    if (status)
        return status;
    ad_work_get(tape, work->tan, lanes, &rows.from, rows.lanes);
    for (int64_t r = 0; r < rows.count; r++) {
        double y = tape->value[tape->dst[i] + r], g = work->adj[tape->dst[i] - work->low + r];
        const double *x = rows.x + r * rows.length;
        double *t = rows.lanes + r * rows.length * lanes;

        for (int l = 0; l < lanes; l++) {
            double along = 0;
            bool still = true;

            for (int64_t j = 0; j < rows.length; j++) {
                along += ad_div0(x[j], y) * t[j * lanes + l];
                still &= t[j * lanes + l] == 0;
            }
            for (int64_t j = 0; j < rows.length; j++)
                t[j * lanes + l] = g == 0 || still ? 0
                                   : y == 0
                                       ? NAN
                                       : g * ((t[j * lanes + l] - ad_div0(x[j], y) * along) / y);
        }
    }
    ad_work_add(tape, work->dadj, lanes, &rows.from, rows.lanes);
    free(rows.x);
    return AD_OK;
}

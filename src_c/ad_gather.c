/* ad_gather.c -- reading and adding at computed indices. */
#include "ad_gather.h"

#include <stdlib.h>
#include <string.h>

#include "ad_index.h"
#include "ad_lanes.h"

struct ad_gather ad_gather_sizes(int code, int64_t extra, int ndim, const int64_t *shape,
                                 int64_t indices)
{
    return (struct ad_gather){ad_shape_size(ndim - 1, shape), shape[ndim - 1],
                              code == AD_GATHER ? indices : extra, indices};
}

void ad_gather_values(int code, const struct ad_gather *sizes, const double *x, const double *index,
                      double *y)
{
    if (code == AD_GATHER)
        ad_index_take(sizes->rows, sizes->from, sizes->indices, index, x, y, 1);
    else
        ad_index_put(sizes->rows, sizes->to, sizes->indices, index, x, y, 1);
}

enum ad_status ad_gather_move(struct ad_tape *tape, int32_t i, bool reverse, double *buffer,
                              int lanes)
{
    int code = ad_tape_code(tape, i);
    double *y = buffer + (int64_t)(tape->dst[i] - tape->work->low) * lanes, *index, *x;
    struct ad_view views[2];
    struct ad_gather sizes;

    ad_tape_views(tape, i, views, 2);
    sizes = ad_gather_sizes(code, tape->aux[tape->a[i] + 4], views[0].ndim, views[0].shape,
                            ad_view_size(&views[1]));
    index = malloc((size_t)(sizes.indices + sizes.rows * sizes.from * lanes + 1) * sizeof *index);
    if (!index)
        return AD_NO_MEMORY;
    x = index + sizes.indices;
    ad_view_read(&views[1], tape->value, index);
    if (!reverse)
        ad_work_get(tape, buffer, lanes, &views[0], x);
    if (code == AD_GATHER && !reverse)
        ad_index_take(sizes.rows, sizes.from, sizes.indices, index, x, y, lanes);
    else if (code == AD_GATHER)
        ad_index_put(sizes.rows, sizes.from, sizes.indices, index, y, x, lanes);
    else if (!reverse)
        ad_index_put(sizes.rows, sizes.to, sizes.indices, index, x, y, lanes);
    else
        ad_index_take(sizes.rows, sizes.to, sizes.indices, index, y, x, lanes);
    if (reverse)
        ad_work_add(tape, buffer, lanes, &views[0], x);
    free(index);
    return AD_OK;
}

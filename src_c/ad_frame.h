/* ad_frame.h -- the inside of a frame: for ad_run.c, and for ad_profile.c, which reads the clock. */
#ifndef AD_FRAME_H
#define AD_FRAME_H

#include "ad_moves.h"
#include "ad_plan.h"

struct ad_frame {
    double *value;
    double **base; /* of each space */
    double *room;
    struct ad_sum *sums;
    const double **args; /* of a rule */
    void *block;         /* value, tiles, room */
};

/* The elements of the tile of a group that begins at 'start'. */
AD_INLINE int64_t ad_step_tile(const struct ad_plan_step *step, int64_t start)
{
    int64_t n = AD_MIN(step->tile, step->n - start);

    return step->row ? AD_MIN(n, step->row - start % step->row) : n;
}

#endif

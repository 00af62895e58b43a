/* ad_work.h -- the buffers of sweeps: a tape owns them, sweeps fill them. */
#ifndef AD_WORK_H
#define AD_WORK_H

#include "ad_base.h"

/* The buffers of a sweep; kept with the tape and used again. */
struct ad_work {
    double *tan; /* tangents, of 'lanes' */
    double
        *adj; /* adjoints: of 'lanes' after ad_sweep_reverse, of one lane after ad_sweep_second */
    double *dadj; /* tangents of the adjoints, of 'lanes' */
    int64_t capacity[3];
    const uint8_t
        *reached; /* of each slot from 'low': does an output depend on it; the caller's.  NULL
                             * in a sweep without notes */
    int32_t low;
    int lanes;
};

struct ad_work *ad_work_new(void);
void ad_work_free(struct ad_work *work); /* accepts NULL */

#endif

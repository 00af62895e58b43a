/* ad_work.c -- making and freeing the buffers; filling them is ad_sweep.c. */
#include "ad_work.h"

#include <stdlib.h>

struct ad_work *ad_work_new(void)
{
    return calloc(1, sizeof(struct ad_work));
}

void ad_work_free(struct ad_work *work)
{
    if (!work)
        return;
    free(work->tan);
    free(work->adj);
    free(work->dadj);
    free(work);
}

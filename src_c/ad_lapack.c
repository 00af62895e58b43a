/* ad_lapack.c -- which functions there are, and where they come from. */
#include "ad_lapack.h"

#include <stdatomic.h>

const struct ad_lapack_row ad_lapack_rows[] = {
#define LAPACK(name, library, arguments) {#name, library, offsetof(struct ad_lapack, name)},
#include "ad_lapack.def"
};
const int ad_n_lapack_rows = sizeof ad_lapack_rows / sizeof *ad_lapack_rows;

/* Set once and for all; threads that come to it at the same time set the same. */
static _Atomic(const struct ad_lapack *) given;
static enum ad_status (*load)(void);

void ad_lapack_give(const struct ad_lapack *functions)
{
    atomic_store(&given, functions);
}

void ad_lapack_set_loader(enum ad_status (*loader)(void))
{
    load = loader;
}

enum ad_status ad_lapack(const struct ad_lapack **functions)
{
    enum ad_status status;

    *functions = atomic_load(&given);
    if (*functions)
        return AD_OK;
    status = load ? load() : AD_NO_LAPACK;
    *functions = atomic_load(&given);
    return status || *functions ? status : AD_NO_LAPACK;
}

/* ad_lapack.h -- BLAS and LAPACK, through pointers that somebody else provides.
 *
 * The core links against neither.  The binding takes the pointers from SciPy, when a kernel asks for
 * them for the first time; tests give plain loops. */
#ifndef AD_LAPACK_H
#define AD_LAPACK_H

#include "ad_base.h"
#include "ad_status.h"

struct ad_lapack {
#define LAPACK(name, library, arguments) void(*name) arguments;
#include "ad_lapack.def"
};

/* Where a function's pointer belongs: "dgetrf" of "lapack" at 'offset' in struct ad_lapack. */
struct ad_lapack_row {
    const char *name, *library;
    size_t offset;
};
extern const struct ad_lapack_row ad_lapack_rows[];
extern const int ad_n_lapack_rows;

/*
 * ad_lapack() passes the functions, all of them there.  If none were given yet it calls the loader,
 * which is to call ad_lapack_give(); threads may do so at once.
 *
 * Returns AD_OK, what the loader returned, or AD_NO_LAPACK without one.  The functions given must stay.
 */
enum ad_status ad_lapack(const struct ad_lapack **functions);
void ad_lapack_give(const struct ad_lapack *functions);
void ad_lapack_set_loader(enum ad_status (*loader)(void));

#endif

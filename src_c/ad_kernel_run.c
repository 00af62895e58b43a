/* ad_kernel_run.c -- a kernel over a batch. */
#include "ad_kernel_run.h"

#include <stdlib.h>

#include "ad_kernel_parts.h"

static struct ad_kernel_room room_of(const struct ad_kernel *kernel)
{
    const struct ad_kernel_room rooms[] = {ad_kernel_solve_room(kernel), ad_kernel_det_room(kernel),
                                           ad_kernel_spectral_room(kernel),
                                           ad_kernel_dense_room(kernel)};
    struct ad_kernel_room most = {0, 0};

    for (size_t j = 0; j < sizeof rooms / sizeof *rooms; j++) {
        most.doubles = AD_MAX(most.doubles, rooms[j].doubles);
        most.ints = AD_MAX(most.ints, rooms[j].ints);
    }
    return most;
}

static enum ad_status run_item(const struct ad_item *item)
{
    switch (item->kernel->name) {
    case AD_KERNEL_lu:
    case AD_KERNEL_lu_solve:
    case AD_KERNEL_cholesky:
    case AD_KERNEL_solve_triangular:
    case AD_KERNEL_sylvester:
    case AD_KERNEL_solve_banded:
    case AD_KERNEL_plu:
    case AD_KERNEL_interchange:
        return ad_kernel_solve(item);
    case AD_KERNEL_lu_det:
    case AD_KERNEL_lu_logdet:
    case AD_KERNEL_lu_cofactor:
    case AD_KERNEL_lu_cofactor_move:
        return ad_kernel_det(item);
    case AD_KERNEL_eigh:
    case AD_KERNEL_svd:
    case AD_KERNEL_spectrum:
    case AD_KERNEL_vectors:
    case AD_KERNEL_spectral:
    case AD_KERNEL_spectral_basis:
    case AD_KERNEL_gaps:
    case AD_KERNEL_eig_values:
    case AD_KERNEL_eig_vectors:
    case AD_KERNEL_gap_inverses:
    case AD_KERNEL_alike:
        return ad_kernel_spectral(item);
    case AD_KERNEL_qr:
    case AD_KERNEL_pinv:
    case AD_KERNEL_eig:
    case AD_KERNEL_expm:
        return ad_kernel_dense(item);
    case AD_KERNEL_NUMBERS:
        break;
    }
    ad_unreachable();
    return AD_OK;
}

enum ad_status ad_kernel_run(const struct ad_kernel *kernel, const double *const *args, double *y)
{
    struct ad_kernel_room room = room_of(kernel);
    struct ad_item item = {.kernel = kernel};
    enum ad_status status = AD_OK;

    if (kernel->size == 0 || kernel->batches == 0)
        return AD_OK;
    status = ad_lapack(&item.lapack);
    if (status)
        return status;
    item.room = malloc((size_t)AD_MAX(room.doubles, 1) * sizeof *item.room);
    item.ints = malloc((size_t)AD_MAX(room.ints, 1) * sizeof *item.ints);
    if (!item.room || !item.ints)
        status = AD_NO_MEMORY;
    for (int64_t batch = 0; batch < kernel->batches && !status; batch++) {
        for (int a = 0; a < kernel->n_args; a++)
            item.x[a] = args[a] + batch * kernel->rows[a] * kernel->cols[a];
        item.y = y + batch * kernel->size;
        status = run_item(&item);
    }
    free(item.room);
    free(item.ints);
    return status;
}

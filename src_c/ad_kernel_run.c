/* ad_kernel_run.c -- a kernel over a batch. */
#include "ad_kernel_run.h"

#include <stdlib.h>

#include "ad_kernel_parts.h"
#include "ad_sequence.h"

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

/* Those that need neither LAPACK nor room. */
static bool run_sequence(const struct ad_item *item)
{
    const struct ad_kernel *k = item->kernel;
    int64_t n = k->cols[0], m = k->cols[1];

    switch ((int)k->name) {
    case AD_KERNEL_cumprod:
        ad_cumprod(n, item->x[0], item->y);
        return true;
    case AD_KERNEL_recurrence:
        ad_recurrence(k->flags != 0, n, item->x[0], item->x[1], item->y);
        return true;
    case AD_KERNEL_convolve:
        ad_convolve((enum ad_overlap)(k->flags & ~AD_BACKWARDS), (k->flags & AD_BACKWARDS) != 0, n,
                    item->x[0], m, item->x[1], item->y);
        return true;
    case AD_KERNEL_line:
        (k->flags ? ad_line_transposed : ad_line)((enum ad_line)k->first, n, item->x[0], m,
                                                  item->x[1], item->x[2], item->y);
        return true;
    default:
        return false;
    }
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
    case AD_KERNEL_triangle:
    case AD_KERNEL_lu_inverse:
    case AD_KERNEL_cholesky_solve:
    case AD_KERNEL_plu_solve:
        return ad_kernel_solve(item);
    case AD_KERNEL_lu_det:
    case AD_KERNEL_lu_logdet:
    case AD_KERNEL_lu_cofactor:
    case AD_KERNEL_lu_cofactor_move:
        return ad_kernel_det(item);
    case AD_KERNEL_eigh:
    case AD_KERNEL_eigvalsh:
    case AD_KERNEL_svd:
    case AD_KERNEL_svdvals:
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
    case AD_KERNEL_eigvals:
    case AD_KERNEL_eig_like:
    case AD_KERNEL_expm:
    case AD_KERNEL_lstsq:
    case AD_KERNEL_lstsq_all:
    case AD_KERNEL_polar:
        return ad_kernel_dense(item);
    case AD_KERNEL_cumprod:
    case AD_KERNEL_recurrence:
    case AD_KERNEL_convolve:
    case AD_KERNEL_line:
    case AD_KERNEL_NUMBERS:
        break;
    }
    ad_unreachable();
    return AD_OK;
}

static void set_item(struct ad_item *item, const double *const *args, double *y, int64_t batch)
{
    const struct ad_kernel *kernel = item->kernel;

    for (int a = 0; a < kernel->n_args; a++)
        item->x[a] = args[a] + batch * kernel->rows[a] * kernel->cols[a];
    item->y = y + batch * kernel->size;
}

enum ad_status ad_kernel_run(const struct ad_kernel *kernel, const double *const *args, double *y)
{
    struct ad_item item = {.kernel = kernel};
    struct ad_kernel_room room;
    enum ad_status status = AD_OK;
    int64_t batch = 0;

    if (kernel->size == 0 || kernel->batches == 0)
        return AD_OK;
    for (set_item(&item, args, y, 0); run_sequence(&item); set_item(&item, args, y, batch))
        if (++batch == kernel->batches)
            return AD_OK;
    room = room_of(kernel);
    status = ad_lapack(&item.lapack);
    if (status)
        return status;
    item.room = malloc((size_t)AD_MAX(room.doubles, 1) * sizeof *item.room);
    item.ints = malloc((size_t)AD_MAX(room.ints, 1) * sizeof *item.ints);
    if (!item.room || !item.ints)
        status = AD_NO_MEMORY;
    for (; batch < kernel->batches && !status; batch++) {
        set_item(&item, args, y, batch);
        status = run_item(&item);
    }
    free(item.room);
    free(item.ints);
    return status;
}

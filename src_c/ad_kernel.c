/* ad_kernel.c -- which kernels there are, and what they take. */
#include "ad_kernel.h"

#include <string.h>

#include "ad_sequence.h"

static const struct ad_kernel_row rows[AD_KERNEL_NUMBERS] = {
#define KERNEL(number, name, args, d0, d1, d2, dy) [number] = {#name, args, {d0, d1, d2, dy}},
#include "ad_kernel.def"
};

const struct ad_kernel_row *ad_kernel_row(int64_t number)
{
    return number > 0 && number < AD_KERNEL_NUMBERS && rows[number].name ? &rows[number] : NULL;
}

/* ---- what 'extra' holds: 8 bits of number, 8 of flags, and 23 for each place ---- */

enum { PLACE_BITS = 23 };
#define PLACES ((int64_t)1 << PLACE_BITS)

int64_t ad_kernel_extra(int number, int flags, int64_t first, int64_t count)
{
    if (!ad_kernel_row(number) || flags < 0 || flags >= AD_KERNEL_FLAGS || first < 0 ||
        first >= PLACES || count < 0 || count >= PLACES)
        return -1;
    return number | flags << 8 | first << 16 | count << (16 + PLACE_BITS);
}

/* ---- shapes ---- */

static bool square(const struct ad_kernel *k, int arg)
{
    return k->rows[arg] == k->cols[arg];
}

static bool factor(const struct ad_kernel *k)
{
    return k->rows[0] == k->cols[0] + 1;
}

static const char *give(struct ad_kernel *k, int64_t rows_out, int64_t cols_out)
{
    int64_t size;

    k->shape[0] = rows_out;
    k->shape[1] = cols_out;
    size = ad_shape_size(2, k->shape);
    k->size = size;
    return size <= INT32_MAX ? NULL : "a result of fewer than 2**31 elements";
}

/* The size of a matrix, INT64_MAX where that is too small. */
static int64_t sized(int64_t m, int64_t n)
{
    const int64_t shape[2] = {m, n};

    return ad_shape_size(2, shape);
}

/* NULL, or what the shapes of the operands should have been. */
static const char *shape_of(struct ad_kernel *k)
{
    int64_t m = k->rows[0], n = k->cols[0];

    switch (k->name) {
    case AD_KERNEL_lu:
    case AD_KERNEL_eigh:
    case AD_KERNEL_eig:
        return square(k, 0) ? give(k, n + 1, n) : "a square matrix";
    case AD_KERNEL_eig_like:
        return square(k, 0) && k->cols[1] == n ? give(k, n + 1, n)
                                               : "a square matrix and as many eigenvalues";
    case AD_KERNEL_eigvals:
    case AD_KERNEL_eigvalsh:
        return square(k, 0) ? give(k, n, 1) : "a square matrix";
    case AD_KERNEL_svdvals:
        return give(k, AD_MIN(m, n), 1);
    case AD_KERNEL_triangle:
        return give(k, m, n);
    case AD_KERNEL_cholesky:
    case AD_KERNEL_expm:
        return square(k, 0) ? give(k, n, n) : "a square matrix";
    case AD_KERNEL_lu_solve:
        return factor(k) && k->rows[1] == n ? give(k, n, k->cols[1])
                                            : "a factor and a matrix of as many rows";
    case AD_KERNEL_lu_det:
        return factor(k) ? give(k, 1, 1) : "a factor";
    case AD_KERNEL_lu_logdet:
        return factor(k) ? give(k, 2, 1) : "a factor";
    case AD_KERNEL_lu_cofactor:
        return factor(k) ? give(k, n, n) : "a factor";
    case AD_KERNEL_lu_cofactor_move:
    case AD_KERNEL_spectral_basis:
        return factor(k) && square(k, 1) && k->cols[1] == n ? give(k, n, n)
                                                            : "a factor and a matrix of its size";
    case AD_KERNEL_lu_inverse:
        return factor(k) ? give(k, n, n) : "a factor";
    case AD_KERNEL_plu_solve:
        return square(k, 0) && k->cols[1] == n && k->rows[2] == n
                   ? give(k, n, k->cols[2])
                   : "a square matrix, as many pivots and a matrix of as many rows";
    case AD_KERNEL_cholesky_solve:
    case AD_KERNEL_solve_triangular:
        return square(k, 0) && k->rows[1] == n ? give(k, n, k->cols[1])
                                               : "a square matrix and one of as many rows";
    case AD_KERNEL_svd:
        return give(k, m + n + 1, m + n);
    case AD_KERNEL_spectrum:
    case AD_KERNEL_eig_values:
        return factor(k) ? give(k, n, 1) : "a factor";
    case AD_KERNEL_eig_vectors:
        return factor(k) ? give(k, n, n) : "a factor";
    case AD_KERNEL_gap_inverses:
        return k->flags == AD_TIES_FAIL || k->flags == AD_TIES_NAN ? give(k, n, n)
                                                                   : "a way with equal numbers";
    case AD_KERNEL_vectors:
        return factor(k) && k->first + k->count <= n ? give(k, n, k->count)
                                                     : "a factor of as many vectors as are wanted";
    case AD_KERNEL_spectral:
        return factor(k) && k->cols[1] == n ? give(k, n, n) : "a factor and as many numbers";
    case AD_KERNEL_alike:
        return factor(k) && k->cols[1] == n ? give(k, n, 1) : "a factor and as many numbers";
    case AD_KERNEL_gaps:
        return factor(k) && k->rows[1] == n && k->first + k->cols[1] <= n &&
                       k->flags <= (AD_TIES_NEAR_FAIL | AD_SHOWN)
                   ? give(k, n, k->cols[1])
                   : "a factor and some of its columns";
    case AD_KERNEL_qr:
        return m >= n ? give(k, m + n, n) : "a matrix of no more columns than rows";
    case AD_KERNEL_polar:
        return m >= n ? give(k, m + n, n) : "a matrix of no more columns than rows";
    case AD_KERNEL_pinv:
        return give(k, n, m);
    case AD_KERNEL_sylvester:
        return square(k, 0) && square(k, 1) && k->rows[2] == m && k->cols[2] == k->cols[1]
                   ? give(k, m, k->cols[1])
                   : "two square matrices and one of their sizes";
    case AD_KERNEL_solve_banded:
        return m == k->first + k->count + 1 && k->rows[1] == n &&
                       (!(k->flags & AD_ONE_SIDE) ||
                        (k->flags & AD_DEFINITE && (k->first == 0 || k->count == 0)))
                   ? give(k, n, k->cols[1])
                   : "the diagonals of a matrix and a matrix of as many rows";
    case AD_KERNEL_plu:
        return square(k, 0) ? give(k, n + 2, n) : "a square matrix";
    case AD_KERNEL_interchange:
        return k->rows[1] == n ? give(k, n, k->cols[1]) : "as many pivots as rows";
    case AD_KERNEL_lstsq:
        return k->rows[1] == m ? give(k, n, k->cols[1]) : "two matrices of as many rows";
    case AD_KERNEL_lstsq_all:
        return k->rows[1] == m
                   ? give(k, AD_MIN(sized(n, k->cols[1]), INT32_MAX) + AD_MIN(m, n) + 1, 1)
                   : "two matrices of as many rows";
    case AD_KERNEL_cumprod:
        return give(k, n, 1);
    case AD_KERNEL_recurrence:
        return k->cols[1] == n ? give(k, n, 1) : "two vectors of one length";
    case AD_KERNEL_convolve:
        return (k->flags & ~AD_BACKWARDS) <= AD_OVERLAP_SAME && n && k->cols[1]
                   ? give(k,
                          ad_convolved((enum ad_overlap)(k->flags & ~AD_BACKWARDS), n, k->cols[1]),
                          1)
                   : "two vectors that are not empty";
    case AD_KERNEL_line:
        return k->flags <= 1 && k->first < AD_LINE_KINDS && k->cols[1] &&
                       k->cols[2] == (k->flags ? n : k->cols[1])
                   ? give(k, k->flags ? k->cols[1] : n, 1)
                   : "points, knots and as many numbers";
    case AD_KERNEL_NUMBERS:
        break;
    }
    return "a kernel that there is";
}

const char *ad_kernel_read_shapes(int64_t extra, double p, int n, const int *ndim,
                                  const int64_t *const *shape, struct ad_kernel *k)
{
    const struct ad_kernel_row *row = ad_kernel_row(extra & 0xff);
    int leading;

    if (extra < 0 || !row || (extra >> 8 & 0xff) >= AD_KERNEL_FLAGS)
        return "a kernel that there is";
    if (n != row->n_args)
        return "as many operands as the kernel has";
    leading = ndim[0] - row->dims[0];
    memset(k, 0, sizeof *k);
    k->name = (enum ad_kernel_name)(extra & 0xff);
    k->flags = (int)(extra >> 8 & 0xff);
    k->first = extra >> 16 & (PLACES - 1);
    k->count = extra >> (16 + PLACE_BITS);
    k->p = p;
    k->n_args = n;
    k->ndim = row->dims[AD_KERNEL_MOST_ARGS];
    if (leading < 0)
        return "matrices";
    k->batches = ad_shape_size(leading, shape[0]);
    for (int a = 0; a < n; a++) {
        if (ndim[a] != leading + row->dims[a])
            return "operands of the same leading dimensions";
        for (int d = 0; d < leading; d++)
            if (shape[a][d] != shape[0][d])
                return "operands of the same leading dimensions";
        k->rows[a] = row->dims[a] == 2 ? shape[a][leading] : 1;
        k->cols[a] = shape[a][ndim[a] - 1];
    }
    return shape_of(k);
}

const char *ad_kernel_read(int64_t extra, double p, int n, const struct ad_view *views,
                           struct ad_kernel *kernel)
{
    int ndim[AD_KERNEL_MOST_ARGS];
    const int64_t *shape[AD_KERNEL_MOST_ARGS];

    if (n < 1 || n > AD_KERNEL_MOST_ARGS)
        return "as many operands as the kernel has";
    for (int a = 0; a < n; a++) {
        ndim[a] = views[a].ndim;
        shape[a] = views[a].shape;
    }
    return ad_kernel_read_shapes(extra, p, n, ndim, shape, kernel);
}

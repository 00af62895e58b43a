/* ad_kernel_solve.c -- factors of matrices and the systems they solve; what other kernels use of them. */
#include <math.h>
#include <string.h>

#include "ad_kernel_parts.h"

static double one = 1, nothing = 0;

void ad_transposed(int64_t rows, int64_t cols, const double *x, double *y)
{
    enum { BLOCK = 16 }; /* so that neither side is read a whole row apart for long */

    for (int64_t i0 = 0; i0 < rows; i0 += BLOCK)
        for (int64_t j0 = 0; j0 < cols; j0 += BLOCK)
            for (int64_t i = i0; i < AD_MIN(i0 + BLOCK, rows); i++)
                for (int64_t j = j0; j < AD_MIN(j0 + BLOCK, cols); j++)
                    y[j * rows + i] = x[i * cols + j];
}

void ad_set_identity(int64_t n, double *y)
{
    memset(y, 0, (size_t)(n * n) * sizeof *y);
    for (int64_t i = 0; i < n; i++)
        y[i * n + i] = 1;
}

/* LAPACK sees a matrix by rows as its transpose by columns: y^T = op(b)^T op(a)^T. */
void ad_multiply(const struct ad_lapack *lapack, bool at, bool bt, int64_t m, int64_t k, int64_t n,
                 const double *a, const double *b, double *y)
{
    int rows = (int)n, cols = (int)m, inner = (int)k, lda = (int)AD_MAX(at ? m : k, 1),
        ldb = (int)AD_MAX(bt ? k : n, 1), ldy = (int)AD_MAX(n, 1);

    if (m * n == 0)
        return;
    if (k == 0) {
        memset(y, 0, (size_t)(m * n) * sizeof *y);
        return;
    }
    lapack->dgemm(bt ? "T" : "N", at ? "T" : "N", &rows, &cols, &inner, &one,
                  (double *)(uintptr_t)b, &ldb, (double *)(uintptr_t)a, &lda, &nothing, y, &ldy);
}

/* M X = B, or M^T X = B, in place in X (n, k) by rows, of a triangle M by columns: to LAPACK it is
 * X^T M^T = B^T, or X^T M = B^T. */
static void solve_columns(const struct ad_lapack *lapack, bool transposed, bool lower, bool unit,
                          int64_t n, int64_t k, const double *m, double *x)
{
    char *uplo = lower ? "L" : "U", *diag = unit ? "U" : "N";
    int rows = (int)k, cols = (int)n, step = 1;
    double *matrix = (double *)(uintptr_t)m;

    if (k == 1 && n > 0)
        lapack->dtrsv(uplo, transposed ? "T" : "N", diag, &cols, matrix, &cols, x, &step);
    else if (n * k > 0)
        lapack->dtrsm("R", uplo, transposed ? "N" : "T", diag, &rows, &cols, &one, matrix, &cols, x,
                      &rows);
}

/* By rows T is its transpose by columns. */
void ad_triangular(const struct ad_lapack *lapack, bool transposed, bool lower, bool unit,
                   int64_t n, int64_t k, const double *t, double *x)
{
    solve_columns(lapack, !transposed, !lower, unit, n, k, t, x);
}

/* Is a number on the diagonal 0? */
static bool has_zero(int64_t n, const double *t)
{
    for (int64_t i = 0; i < n; i++)
        if (t[i * n + i] == 0)
            return true;
    return false;
}

/* ---- LU ---- */

enum ad_status ad_lu(const struct ad_lapack *lapack, int64_t n, const double *a, double *lu,
                     int *pivot)
{
    int size = (int)n, info = 0;

    ad_transposed(n, n, a, lu);
    if (n > 0)
        lapack->dgetrf(&size, &size, lu, &size, pivot, &info);
    return AD_OK; /* where U has a zero, those that divide by it say so */
}

static void swap_rows(int64_t k, double *x, double *z)
{
    for (int64_t j = 0; j < k; j++) {
        double kept = x[j];

        x[j] = z[j];
        z[j] = kept;
    }
}

enum ad_status ad_lu_solve(const struct ad_lapack *lapack, bool transposed, int64_t n, int64_t k,
                           const double *lu, const int *pivot, double *x)
{
    if (has_zero(n, lu))
        return AD_SINGULAR;
    if (transposed) {
        solve_columns(lapack, true, false, false, n, k, lu, x);
        solve_columns(lapack, true, true, true, n, k, lu, x);
        for (int64_t i = n - 1; i >= 0; i--)
            if (pivot[i] - 1 != i)
                swap_rows(k, x + i * k, x + (pivot[i] - 1) * k);
        return AD_OK;
    }
    for (int64_t i = 0; i < n; i++)
        if (pivot[i] - 1 != i)
            swap_rows(k, x + i * k, x + (pivot[i] - 1) * k);
    solve_columns(lapack, false, true, true, n, k, lu, x);
    solve_columns(lapack, false, false, false, n, k, lu, x);
    return AD_OK;
}

void ad_take_pivots(int64_t n, const double *factor, int *pivot)
{
    for (int64_t i = 0; i < n; i++) {
        double p = factor[n * n + i];

        pivot[i] = p >= 1 && p <= (double)n ? (int)p : (int)i + 1;
    }
}

/* A factor of LU: what dgetrf makes of A, column by column, and the pivots. */
static enum ad_status lu(const struct ad_item *item)
{
    int64_t n = item->kernel->cols[0];
    enum ad_status status = ad_lu(item->lapack, n, item->x[0], item->y, item->ints);

    for (int64_t i = 0; i < n; i++)
        item->y[n * n + i] = item->ints[i];
    return status;
}

static enum ad_status lu_solve(const struct ad_item *item)
{
    int64_t n = item->kernel->cols[0], k = item->kernel->cols[1];

    ad_take_pivots(n, item->x[0], item->ints);
    memcpy(item->y, item->x[1], (size_t)(n * k) * sizeof *item->y);
    return ad_lu_solve(item->lapack, item->kernel->flags & 1, n, k, item->x[0], item->ints,
                       item->y);
}

enum { INVERSE_BLOCK = 64 }; /* columns that dgetri takes at once */

static enum ad_status lu_inverse(const struct ad_item *item)
{
    int64_t n = item->kernel->cols[0];
    int size = (int)n, info = 0, lwork = (int)(INVERSE_BLOCK * n);
    double *inverse = item->room;

    if (has_zero(n, item->x[0]))
        return AD_SINGULAR;
    ad_take_pivots(n, item->x[0], item->ints);
    memcpy(inverse, item->x[0], (size_t)(n * n) * sizeof *inverse);
    item->lapack->dgetri(&size, inverse, &size, item->ints, inverse + n * n, &lwork, &info);
    ad_transposed(n, n, inverse, item->y);
    return AD_OK;
}

/* Rows 0 ... n - 1: L below the diagonal, U from it on; then which row of A comes first, second, ...;
 * then the pivots, from 0 on, as SciPy has them. */
static enum ad_status plu(const struct ad_item *item)
{
    int64_t n = item->kernel->cols[0];
    double *order = item->y + n * n, *pivots = order + n;

    ad_lu(item->lapack, n, item->x[0], item->room, item->ints);
    ad_transposed(n, n, item->room, item->y);
    for (int64_t i = 0; i < n; i++) {
        order[i] = (double)i;
        pivots[i] = item->ints[i] - 1;
    }
    for (int64_t i = 0; i < n; i++)
        swap_rows(1, order + i, order + item->ints[i] - 1);
    return AD_OK;
}

/* Whatever the pivots are, only rows that there are are read. */
static void interchange_rows(bool back, int64_t n, int64_t k, const double *pivots, double *x)
{
    for (int64_t step = 0; step < n; step++) {
        int64_t i = back ? n - 1 - step : step;
        double with = pivots[i];

        if (with >= 0 && with < (double)n && (int64_t)with != i)
            swap_rows(k, x + i * k, x + (int64_t)with * k);
    }
}

static enum ad_status interchange(const struct ad_item *item)
{
    int64_t n = item->kernel->cols[0], k = item->kernel->cols[1];

    memcpy(item->y, item->x[1], (size_t)(n * k) * sizeof *item->y);
    interchange_rows(item->kernel->flags & 1, n, k, item->x[0], item->y);
    return AD_OK;
}

/* P A = L U, of L and U by rows. */
static enum ad_status plu_solve(const struct ad_item *item)
{
    int64_t n = item->kernel->cols[0], k = item->kernel->cols[2];
    const double *packed = item->x[0];
    double *x = item->y;

    if (has_zero(n, packed))
        return AD_SINGULAR;
    memcpy(x, item->x[2], (size_t)(n * k) * sizeof *x);
    if (item->kernel->flags & 1) {
        ad_triangular(item->lapack, true, false, false, n, k, packed, x);
        ad_triangular(item->lapack, true, true, true, n, k, packed, x);
        interchange_rows(true, n, k, item->x[1], x);
        return AD_OK;
    }
    interchange_rows(false, n, k, item->x[1], x);
    ad_triangular(item->lapack, false, true, true, n, k, packed, x);
    ad_triangular(item->lapack, false, false, false, n, k, packed, x);
    return AD_OK;
}

/* ---- Cholesky, triangles ---- */

/* What lies below a diagonal, or above, without the diagonal if 'strictly'; 0 elsewhere. */
static void take_triangle(bool below, bool strictly, int64_t m, int64_t n, const double *x,
                          double *y)
{
    for (int64_t i = 0; i < m; i++, x += n, y += n) {
        int64_t first = below ? 0 : AD_MIN(i + strictly, n),
                end = below ? AD_MIN(i + !strictly, n) : n;

        memset(y, 0, (size_t)first * sizeof *y);
        memcpy(y + first, x + first, (size_t)(end - first) * sizeof *y);
        memset(y + end, 0, (size_t)(n - end) * sizeof *y);
    }
}

static enum ad_status triangle(const struct ad_item *item)
{
    int64_t m = item->kernel->rows[0], n = item->kernel->cols[0];
    bool unit = item->kernel->flags & AD_UNIT;

    take_triangle(item->kernel->flags & AD_BELOW, unit, m, n, item->x[0], item->y);
    for (int64_t i = 0; i < AD_MIN(m, n) && unit; i++)
        item->y[i * n + i] = 1;
    return AD_OK;
}

/* The lower triangle by rows is the upper one by columns. */
static enum ad_status cholesky(const struct ad_item *item)
{
    int64_t n = item->kernel->cols[0];
    int size = (int)n, info = 0;
    bool upper = item->kernel->flags & 1;

    take_triangle(!upper, false, n, n, item->x[0], item->y);
    item->lapack->dpotrf(upper ? "L" : "U", &size, item->y, &size, &info);
    return info ? AD_NOT_POSITIVE : AD_OK;
}

static enum ad_status cholesky_solve(const struct ad_item *item)
{
    int64_t n = item->kernel->cols[0], k = item->kernel->cols[1];
    bool upper = item->kernel->flags & 1;

    if (has_zero(n, item->x[0]))
        return AD_SINGULAR;
    memcpy(item->y, item->x[1], (size_t)(n * k) * sizeof *item->y);
    ad_triangular(item->lapack, upper, !upper, false, n, k, item->x[0], item->y);
    ad_triangular(item->lapack, !upper, !upper, false, n, k, item->x[0], item->y);
    return AD_OK;
}

static enum ad_status solve_triangular(const struct ad_item *item)
{
    int64_t n = item->kernel->cols[0], k = item->kernel->cols[1];
    int flags = item->kernel->flags;

    if (!(flags & AD_UNIT) && has_zero(n, item->x[0]))
        return AD_SINGULAR;
    memcpy(item->y, item->x[1], (size_t)(n * k) * sizeof *item->y);
    ad_triangular(item->lapack, flags & 1, flags & AD_BELOW, flags & AD_UNIT, n, k, item->x[0],
                  item->y);
    return AD_OK;
}

/* ---- Sylvester ---- */

/*
 * With A = U S U^T and B = V T V^T of Schur's form, S Y + Y T = U^T C V, and X = U Y V^T; the same with
 * both transposed, except for S and T being so.
 */
static enum ad_status sylvester(const struct ad_item *item)
{
    const struct ad_kernel *kernel = item->kernel;
    const struct ad_lapack *lapack = item->lapack;
    int64_t m = kernel->rows[0], n = kernel->cols[1], most = AD_MAX(m, n);
    int sizes[2] = {(int)m, (int)n}, sdim = 0, info = 0, plus = 1, lwork = (int)(8 * most);
    double *schur[2] = {item->room, item->room + m * m},
           *vectors[2] = {item->room + m * m + n * n, item->room + 2 * m * m + n * n},
           *wr = item->room + 2 * (m * m + n * n), *wi = wr + most, *work = wi + most,
           *c = work + 8 * most, *part = c + m * n, scale = 1;
    const char *trans = kernel->flags & 1 ? "T" : "N";

    for (int a = 0; a < 2; a++) {
        ad_transposed(sizes[a], sizes[a], item->x[a], schur[a]);
        lapack->dgees("V", "N", NULL, &sizes[a], schur[a], &sizes[a], &sdim, wr, wi, vectors[a],
                      &sizes[a], work, &lwork, NULL, &info);
        if (info)
            return AD_NO_CONVERGENCE;
    }
    /* by columns, as what U and V are: (U^T C V)^T by rows is V^T C^T U, where U by rows is U^T */
    ad_multiply(lapack, false, false, m, m, n, vectors[0], item->x[2], part);
    ad_multiply(lapack, false, true, m, n, n, part, vectors[1], item->y);
    ad_transposed(m, n, item->y, c);
    lapack->dtrsyl((char *)(uintptr_t)trans, (char *)(uintptr_t)trans, &plus, &sizes[0], &sizes[1],
                   schur[0], &sizes[0], schur[1], &sizes[1], c, &sizes[0], &scale, &info);
    if (info)
        return AD_SINGULAR;
    ad_transposed(n, m, c, part); /* Y by rows */
    ad_multiply(lapack, true, false, m, m, n, vectors[0], part, c);
    ad_multiply(lapack, false, false, m, n, n, c, vectors[1], item->y);
    if (scale != 1)
        for (int64_t i = 0; i < m * n; i++)
            item->y[i] /= scale;
    return AD_OK;
}

/* ---- bands ---- */

/* Row 'above' + i - j of the diagonals, column j, is A[i, j]. */
static enum ad_status solve_definite_band(const struct ad_item *item)
{
    const struct ad_kernel *kernel = item->kernel;
    int64_t n = kernel->cols[0], k = kernel->cols[1];
    bool from_below = kernel->flags & AD_ONE_SIDE && kernel->first > 0;
    int64_t most = from_below ? kernel->first : kernel->count;
    int sizes[4] = {(int)n, (int)most, (int)k, (int)most + 1}, info = 0;
    double *band = item->room, *x = band + (most + 1) * n;

    ad_transposed(most + 1, n, item->x[0], band);
    ad_transposed(n, k, item->x[1], x);
    item->lapack->dpbsv(from_below ? "L" : "U", &sizes[0], &sizes[1], &sizes[2], band, &sizes[3], x,
                        &sizes[0], &info);
    if (info)
        return AD_NOT_POSITIVE;
    ad_transposed(k, n, x, item->y);
    return AD_OK;
}

static enum ad_status solve_banded(const struct ad_item *item)
{
    const struct ad_kernel *kernel = item->kernel;
    int64_t n = kernel->cols[0], k = kernel->cols[1], below = kernel->first, above = kernel->count;
    bool transposed = kernel->flags & 1;
    int64_t kl = transposed ? above : below, ku = transposed ? below : above, ld = 2 * kl + ku + 1;
    int sizes[5] = {(int)n, (int)kl, (int)ku, (int)k, (int)ld}, info = 0;
    double *band = item->room, *x = item->room + ld * n;

    memset(band, 0, (size_t)(ld * n) * sizeof *band);
    for (int64_t row = 0; row <= below + above; row++)
        for (int64_t j = 0; j < n; j++) {
            int64_t i = row - above + j;

            if (i < 0 || i >= n)
                continue;
            if (transposed)
                band[i * ld + kl + ku + j - i] = item->x[0][row * n + j];
            else
                band[j * ld + kl + ku + i - j] = item->x[0][row * n + j];
        }
    ad_transposed(n, k, item->x[1], x);
    item->lapack->dgbsv(&sizes[0], &sizes[1], &sizes[2], &sizes[3], band, &sizes[4], item->ints, x,
                        &sizes[0], &info);
    if (info)
        return AD_SINGULAR;
    ad_transposed(k, n, x, item->y);
    return AD_OK;
}

/* ---- all of them ---- */

struct ad_kernel_room ad_kernel_solve_room(const struct ad_kernel *kernel)
{
    int64_t m = kernel->rows[0], n = kernel->cols[0];

    switch ((int)kernel->name) {
    case AD_KERNEL_lu:
    case AD_KERNEL_lu_solve:
        return (struct ad_kernel_room){0, n};
    case AD_KERNEL_plu:
        return (struct ad_kernel_room){n * n, n};
    case AD_KERNEL_lu_inverse:
        return (struct ad_kernel_room){n * n + INVERSE_BLOCK * n, n};
    case AD_KERNEL_sylvester: {
        int64_t l = kernel->cols[1];

        return (struct ad_kernel_room){2 * (m * m + l * l) + 10 * AD_MAX(m, l) + 2 * m * l, 0};
    }
    case AD_KERNEL_solve_banded:
        return (struct ad_kernel_room){
            n * (2 * AD_MAX(kernel->first, kernel->count) + m) + n * kernel->cols[1], n};
    default:
        return (struct ad_kernel_room){0, 0};
    }
}

enum ad_status ad_kernel_solve(const struct ad_item *item)
{
    switch ((int)item->kernel->name) {
    case AD_KERNEL_lu:
        return lu(item);
    case AD_KERNEL_lu_solve:
        return lu_solve(item);
    case AD_KERNEL_plu:
        return plu(item);
    case AD_KERNEL_interchange:
        return interchange(item);
    case AD_KERNEL_triangle:
        return triangle(item);
    case AD_KERNEL_lu_inverse:
        return lu_inverse(item);
    case AD_KERNEL_cholesky_solve:
        return cholesky_solve(item);
    case AD_KERNEL_plu_solve:
        return plu_solve(item);
    case AD_KERNEL_cholesky:
        return cholesky(item);
    case AD_KERNEL_solve_triangular:
        return solve_triangular(item);
    case AD_KERNEL_sylvester:
        return sylvester(item);
    default:
        ad_assert(item->kernel->name == AD_KERNEL_solve_banded);
        return item->kernel->flags & AD_DEFINITE ? solve_definite_band(item) : solve_banded(item);
    }
}

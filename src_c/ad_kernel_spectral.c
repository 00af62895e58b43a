/* ad_kernel_spectral.c -- eigenvalues of symmetric matrices, singular values, and what their derivatives
 * are made of.
 *
 * A factor F has the eigenvalues w in its first row, ascending, and V below, its columns the
 * eigenvectors.  Eigenvalues are taken to be equal if they differ by less than rounding can tell.
 *
 * The eigenvalue of a vector that a singular value decomposition has left over is -0.0, and no other is.
 * It is 0 of every matrix of that shape, and what is made of the other vectors depends on no choice among
 * those left over: so there is nothing to divide by the difference of two of these. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ad_kernel_parts.h"

/* ---- factors ---- */

/* Room for dsyevd; its blocks are of up to BLOCK columns. */
enum { BLOCK = 64 };

static int64_t eigh_room(int64_t n, bool vectors)
{
    return vectors ? 1 + 6 * n + 2 * n * n : 1 + (BLOCK + 2) * n;
}

/* Ascending eigenvalues into y, and eigenvectors row by row below. */
static enum ad_status eigh(const struct ad_item *item, bool vectors)
{
    int64_t n = item->kernel->cols[0];
    int size = (int)n, info = 0, lwork = (int)eigh_room(n, vectors), liwork = (int)(3 + 5 * n);
    double *a = item->room, *work = a + n * n;

    if (item->kernel->flags & AD_ONE_TRIANGLE)
        ad_transposed(n, n, item->x[0], a);
    else
        memcpy(a, item->x[0], (size_t)(n * n) * sizeof *a);
    item->lapack->dsyevd(vectors ? "V" : "N", item->kernel->flags & AD_FROM_UPPER ? "U" : "L",
                         &size, a, &size, item->y, work, &lwork, item->ints, &liwork, &info);
    for (int64_t i = 0; i < n; i++)
        item->y[i] += 0.0; /* -0.0 is 0.0 */
    if (vectors)
        ad_transposed(n, n, a, item->y + n);
    return info ? AD_NO_CONVERGENCE : AD_OK;
}

int64_t ad_svd_room(int64_t m, int64_t n, bool thin)
{
    int64_t least = AD_MIN(m, n);

    return (thin ? (m + n) * least : m * m + n * n) + 4 * least * least + 7 * least + AD_MAX(m, n);
}

enum ad_status ad_svd(const struct ad_lapack *lapack, bool thin, int64_t m, int64_t n, double *work,
                      double *u, double *s, double *vt, double *room, int *ints)
{
    int64_t least = AD_MIN(m, n), mu = thin ? least : m, nv = thin ? least : n;
    int rows = (int)m, cols = (int)n, few = (int)AD_MAX(nv, 1), info = 0,
        lwork = (int)AD_MIN(ad_svd_room(m, n, thin) - m * mu - nv * n, INT32_MAX);
    double *by_columns[2] = {room, room + m * mu};

    if (least == 0) {
        ad_set_identity(mu, u);
        ad_set_identity(nv, vt);
        return AD_OK;
    }
    lapack->dgesdd(thin ? "S" : "A", &rows, &cols, work, &rows, s, by_columns[0], &rows,
                   by_columns[1], &few, room + m * mu + nv * n, &lwork, ints, &info);
    ad_transposed(mu, m, by_columns[0], u);
    ad_transposed(n, nv, by_columns[1], vt);
    return info ? AD_NO_CONVERGENCE : AD_OK;
}

static int64_t svdvals_room(int64_t m, int64_t n)
{
    return 10 * AD_MIN(m, n) + AD_MAX(m, n) + BLOCK * (m + n);
}

/* Singular values alone; where A lies by rows LAPACK sees its transpose, which has the same. */
static enum ad_status svdvals(const struct ad_item *item)
{
    int64_t m = item->kernel->rows[0], n = item->kernel->cols[0];
    int rows = (int)n, cols = (int)m, least = 1, info = 0, lwork = (int)svdvals_room(m, n);
    double *a = item->room;

    memcpy(a, item->x[0], (size_t)(m * n) * sizeof *a);
    item->lapack->dgesdd("N", &rows, &cols, a, &rows, item->y, NULL, &least, NULL, &least,
                         a + m * n, &lwork, item->ints, &info);
    return info ? AD_NO_CONVERGENCE : AD_OK;
}

/* Eigenvalue -s of (u, -v) and s of (u, v), each over sqrt(2), and -0.0 of the vectors left over. */
static enum ad_status svd(const struct ad_item *item)
{
    int64_t m = item->kernel->rows[0], n = item->kernel->cols[0], size = m + n, k = AD_MIN(m, n);
    double *a = item->room, *u = a + m * n, *vt = u + m * m, *s = vt + n * n, *room = s + k,
           *w = item->y, *v = item->y + size;
    const double half = sqrt(0.5);
    enum ad_status status;

    ad_transposed(m, n, item->x[0], a);
    status = ad_svd(item->lapack, false, m, n, a, u, s, vt, room, item->ints);
    memset(item->y, 0, (size_t)((size + 1) * size) * sizeof *item->y);
    for (int64_t j = 0; j < k; j++) {
        int64_t minus = j, plus = size - 1 - j;

        w[minus] = 0.0 - s[j];
        w[plus] = s[j] + 0.0;
        for (int64_t i = 0; i < m; i++)
            v[i * size + minus] = v[i * size + plus] = half * u[i * m + j];
        for (int64_t i = 0; i < n; i++) {
            v[(m + i) * size + minus] = -half * vt[j * n + i];
            v[(m + i) * size + plus] = half * vt[j * n + i];
        }
    }
    for (int64_t j = k; j < size - k; j++)
        w[j] = -0.0;
    for (int64_t j = k; j < m; j++)
        for (int64_t i = 0; i < m; i++)
            v[i * size + j] = u[i * m + j];
    for (int64_t j = k; j < n; j++)
        for (int64_t i = 0; i < n; i++)
            v[(m + i) * size + j] = vt[j * n + i];
    return status;
}

/* ---- equal eigenvalues ----
 *
 * Differences that rounding makes are none: such eigenvalues are equal.  Those that are small beside the
 * eigenvalues themselves are divided by only where nothing else will do, since a quotient of differences
 * loses as many digits as they have in common; to take such eigenvalues for equal loses no more than the
 * other half of the digits. */

static const double SMALL = 1e-8, NEGLIGIBLE = 1e-9;

/* The greatest difference that is none. */
static double rounding_of(int64_t n, const double *w)
{
    double most = 0;

    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(w[i]));
    return 16 * (double)n * DBL_EPSILON * most;
}

static bool nearly_equal(double w, double z, double rounding)
{
    return fabs(w - z) <= fmax(rounding, SMALL * fmin(fabs(w), fabs(z)));
}

/* Where the run of equal, or nearly equal, eigenvalues that begins with the i-th ends. */
static int64_t end_of_run(int64_t n, const double *w, double rounding, bool nearly, int64_t i)
{
    do
        i++;
    while (i < n &&
           (nearly ? nearly_equal(w[i], w[i - 1], rounding) : w[i] - w[i - 1] <= rounding));
    return i;
}

/*
 * AD_DEGENERATE if g differs where w does not.  A function of the eigenvalues differs as they do: by as
 * much, relative to itself, as rounding is of an eigenvalue; tenfold for steep ones, but never by a tenth.
 */
static enum ad_status alike(int64_t n, const double *w, const double *g)
{
    double rounding = rounding_of(n, w), most = 0;

    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(g[i]));
    for (int64_t i = 0, end; i < n; i = end) {
        end = end_of_run(n, w, rounding, false, i);
        for (int64_t j = i + 1; j < end; j++) {
            double share = fmin(0.1, 10 * rounding / fabs(w[j]));

            if (fabs(g[j] - g[i]) > NEGLIGIBLE * most + share * fmax(fabs(g[i]), fabs(g[j])))
                return AD_DEGENERATE;
        }
    }
    return AD_OK;
}

static enum ad_status spectral(const struct ad_item *item)
{
    int64_t n = item->kernel->cols[0];
    const double *w = item->x[0], *v = w + n, *g = item->x[1];
    enum ad_status status = alike(n, w, g);

    if (status)
        return status;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            item->room[i * n + j] = v[i * n + j] * g[j];
    ad_multiply(item->lapack, false, true, n, n, n, item->room, v, item->y);
    return AD_OK;
}

/* Turn the columns first ... first + k - 1 of V such that E is diagonal between them. */
static enum ad_status turn(const struct ad_item *item, int64_t n, int64_t first, int64_t k)
{
    const struct ad_lapack *lapack = item->lapack;
    double *some = item->room, *moved = some + n * k, *p = moved + n * k, *w = p + k * k,
           *work = w + k;
    int size = (int)k, info = 0, lwork = (int)(1 + 6 * k + 2 * k * k), liwork = (int)(3 + 5 * k);

    for (int64_t i = 0; i < n; i++)
        memcpy(some + i * k, item->y + i * n + first, (size_t)k * sizeof *some);
    ad_multiply(lapack, false, false, n, n, k, item->x[1], some, moved);
    ad_multiply(lapack, true, false, k, n, k, some, moved, p);
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < i; j++)
            p[i * k + j] = p[j * k + i] = (p[i * k + j] + p[j * k + i]) / 2;
    lapack->dsyevd("V", "L", &size, p, &size, w, work, &lwork, item->ints, &liwork, &info);
    if (info)
        return AD_NO_CONVERGENCE;
    ad_multiply(lapack, false, true, n, k, k, some, p, moved); /* p by rows is the transpose */
    for (int64_t i = 0; i < n; i++)
        memcpy(item->y + i * n + first, moved + i * k, (size_t)k * sizeof *some);
    return AD_OK;
}

static enum ad_status spectral_basis(const struct ad_item *item)
{
    int64_t n = item->kernel->cols[0];
    const double *w = item->x[0];
    double rounding = rounding_of(n, w);
    enum ad_status status = AD_OK;

    memcpy(item->y, w + n, (size_t)(n * n) * sizeof *item->y);
    for (int64_t i = 0, end; i < n && !status; i = end) {
        end = end_of_run(n, w, rounding, true, i);
        if (end > i + 1)
            status = turn(item, n, i, end - i);
    }
    return status;
}

/* x / (z - w), of different columns; AD_DEGENERATE if that has no answer. */
static enum ad_status divide(double x, double w, double z, bool negligible, double rounding,
                             enum ad_ties ties, double *y)
{
    bool equal = fabs(z - w) <= rounding, nearly = nearly_equal(w, z, rounding);

    *y = x / (z - w);
    switch (ties) {
    case AD_TIES_VANISH:
        if (!nearly || (!equal && !negligible))
            return AD_OK;
        *y = 0;
        return negligible ? AD_OK : AD_DEGENERATE;
    case AD_TIES_FAIL:
        return equal ? AD_DEGENERATE : AD_OK;
    case AD_TIES_NAN:
        if (equal)
            *y = NAN;
        return AD_OK;
    case AD_TIES_NEAR_FAIL:
        return nearly ? AD_DEGENERATE : AD_OK;
    }
    ad_unreachable();
    return AD_OK;
}

static bool is_left_over(double w)
{
    return w == 0 && signbit(w);
}

static enum ad_status gaps(const struct ad_item *item)
{
    const struct ad_kernel *kernel = item->kernel;
    int64_t n = kernel->cols[0], k = kernel->cols[1];
    const double *w = item->x[0], *m = item->x[1];
    double rounding = rounding_of(n, w), most = 0;
    enum ad_ties ties = (enum ad_ties)(kernel->flags & ~AD_SHOWN);
    bool shown = kernel->flags & AD_SHOWN;
    enum ad_status status = AD_OK;

    for (int64_t i = 0; i < n * k; i++)
        most = fmax(most, fabs(m[i]));
    for (int64_t i = 0; i < n; i++)
        for (int64_t col = 0; col < k && !status; col++) {
            int64_t j = kernel->first + col;
            double *y = item->y + i * k + col, x = m[i * k + col];

            *y = 0;
            if (i != j && (shown || !is_left_over(w[i]) || !is_left_over(w[j])))
                status = divide(x, w[i], w[j], fabs(x) <= NEGLIGIBLE * most, rounding, ties, y);
        }
    return status;
}

/* 1 / (w[j] - w[i]), of eigenvalues in any order. */
static enum ad_status gap_inverses(const struct ad_item *item)
{
    int64_t n = item->kernel->cols[0];
    const double *w = item->x[0];
    double rounding = rounding_of(n, w);
    enum ad_status status = AD_OK;

    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n && !status; j++) {
            double *y = item->y + i * n + j;

            *y = 0;
            if (i != j)
                status =
                    divide(1, w[i], w[j], false, rounding, (enum ad_ties)item->kernel->flags, y);
        }
    return status;
}

static enum ad_status vectors(const struct ad_item *item)
{
    const struct ad_kernel *kernel = item->kernel;
    int64_t n = kernel->cols[0], count = kernel->shape[1];
    const double root = sqrt(2);

    for (int64_t i = 0; i < n; i++) {
        const double *from = item->x[0] + (i + 1) * n + kernel->first;
        double *y = item->y + i * count;

        if (kernel->name == AD_KERNEL_vectors && kernel->flags & AD_OF_VALUES)
            for (int64_t j = 0; j < count; j++)
                y[j] = from[count - 1 - j] * root;
        else
            memcpy(y, from, (size_t)count * sizeof *y);
    }
    return AD_OK;
}

/* ---- all of them ---- */

struct ad_kernel_room ad_kernel_spectral_room(const struct ad_kernel *kernel)
{
    int64_t m = kernel->rows[0], n = kernel->cols[0];

    switch ((int)kernel->name) {
    case AD_KERNEL_eigh:
    case AD_KERNEL_eigvalsh:
        return (struct ad_kernel_room){n * n + eigh_room(n, kernel->name == AD_KERNEL_eigh),
                                       3 + 5 * n};
    case AD_KERNEL_svdvals:
        return (struct ad_kernel_room){m * n + svdvals_room(m, n), 8 * AD_MIN(m, n)};
    case AD_KERNEL_svd:
        return (struct ad_kernel_room){
            m * n + m * m + n * n + AD_MIN(m, n) + ad_svd_room(m, n, false), 8 * AD_MIN(m, n)};
    case AD_KERNEL_spectral:
        return (struct ad_kernel_room){n * n, 0};
    case AD_KERNEL_spectral_basis:
        return (struct ad_kernel_room){5 * n * n + 7 * n + 1, 3 + 5 * n};
    default:
        return (struct ad_kernel_room){0, 0};
    }
}

enum ad_status ad_kernel_spectral(const struct ad_item *item)
{
    switch ((int)item->kernel->name) {
    case AD_KERNEL_eigh:
        return eigh(item, true);
    case AD_KERNEL_eigvalsh:
        return eigh(item, false);
    case AD_KERNEL_svd:
        return svd(item);
    case AD_KERNEL_svdvals:
        return svdvals(item);
    case AD_KERNEL_gap_inverses:
        return gap_inverses(item);
    case AD_KERNEL_alike:
        memcpy(item->y, item->x[1], (size_t)item->kernel->size * sizeof *item->y);
        return alike(item->kernel->cols[0], item->x[0], item->y);
    case AD_KERNEL_spectrum:
    case AD_KERNEL_eig_values:
        memcpy(item->y, item->x[0], (size_t)item->kernel->size * sizeof *item->y);
        return AD_OK;
    case AD_KERNEL_vectors:
    case AD_KERNEL_eig_vectors:
        return vectors(item);
    case AD_KERNEL_spectral:
        return spectral(item);
    case AD_KERNEL_spectral_basis:
        return spectral_basis(item);
    default:
        ad_assert(item->kernel->name == AD_KERNEL_gaps);
        return gaps(item);
    }
}

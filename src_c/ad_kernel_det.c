/* ad_kernel_det.c -- the determinant, and its gradient and second derivative, of singular matrices too.
 *
 * Where A is well away from singular its cofactors are det(A) A^-T.  Elsewhere A = U S V^T gives
 * cof(A) = det(U) det(V) U cof(S) V^T, and the cofactors of a diagonal matrix are products of all of its
 * elements but one. */
#include <math.h>
#include <string.h>

#include "ad_kernel_parts.h"

static double sign_of(int64_t n, const double *lu, const int *pivot)
{
    double sign = 1;

    for (int64_t i = 0; i < n; i++)
        if ((pivot[i] - 1 != i) != (lu[i * n + i] < 0))
            sign = -sign;
    return sign;
}

static double determinant(int64_t n, const double *lu, const int *pivot)
{
    double det = sign_of(n, lu, pivot);

    for (int64_t i = 0; i < n; i++)
        det *= fabs(lu[i * n + i]);
    return det;
}

static enum ad_status logdet(const struct ad_item *item, int64_t n)
{
    double sign = sign_of(n, item->x[0], item->ints), sum = 0;

    for (int64_t i = 0; i < n; i++) {
        double u = fabs(item->x[0][i * n + i]);

        if (u == 0)
            sign = 0;
        sum += log(u);
    }
    item->y[0] = sign;
    item->y[1] = sign == 0 ? -INFINITY : sum;
    return AD_OK;
}

static bool far_from_singular(int64_t n, const double *lu)
{
    double least = INFINITY, most = 0;

    for (int64_t i = 0; i < n; i++) {
        least = fmin(least, fabs(lu[i * n + i]));
        most = fmax(most, fabs(lu[i * n + i]));
    }
    return least > 1e-6 * most;
}

/* A by columns from its factors, row by row of P A = L U. */
static void multiply_out(int64_t n, const double *lu, const int *pivot, double *a)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = i <= j ? lu[j * n + i] : 0;

            for (int64_t l = 0; l < AD_MIN(i, j + 1); l++)
                sum += lu[l * n + i] * lu[j * n + l];
            a[j * n + i] = sum;
        }
    for (int64_t i = n - 1; i >= 0; i--)
        for (int64_t j = 0; j < n && pivot[i] - 1 != i; j++) {
            double kept = a[j * n + i];

            a[j * n + i] = a[j * n + pivot[i] - 1];
            a[j * n + pivot[i] - 1] = kept;
        }
}

/* +1 or -1 of an orthogonal matrix. */
static double orientation(const struct ad_item *item, int64_t n, const double *q, double *room)
{
    ad_lu(item->lapack, n, q, room, item->ints);
    return sign_of(n, room, item->ints);
}

/* All elements of s multiplied, but i and j. */
static double all_but(int64_t n, const double *s, int64_t i, int64_t j)
{
    double product = 1;

    for (int64_t l = 0; l < n; l++)
        if (l != i && l != j)
            product *= s[l];
    return product;
}

/* The cofactors of diag(s), or with E in its place 'e' their derivative along E, into c. */
static void diagonal_cofactors(int64_t n, const double *s, const double *e, double *c)
{
    memset(c, 0, (size_t)(n * n) * sizeof *c);
    for (int64_t i = 0; i < n; i++) {
        if (!e) {
            c[i * n + i] = all_but(n, s, i, i);
            continue;
        }
        for (int64_t j = 0; j < n; j++)
            if (j != i) {
                double rest = all_but(n, s, i, j);

                c[i * n + i] += rest * e[j * n + j];
                c[i * n + j] = -rest * e[j * n + i];
            }
    }
}

/* By singular values; 'e' as above. */
static enum ad_status cofactors_of_any(const struct ad_item *item, int64_t n, const double *e)
{
    const struct ad_lapack *lapack = item->lapack;
    double *a = item->room, *u = a + n * n, *vt = u + n * n, *s = vt + n * n, *c = s + n,
           *moved = c + n * n, *room = moved + n * n, sign;
    enum ad_status status;

    multiply_out(n, item->x[0], item->ints, a);
    status = ad_svd(lapack, false, n, n, a, u, s, vt, room, item->ints);
    if (status)
        return status;
    if (e) {
        ad_multiply(lapack, true, false, n, n, n, u, e, c);
        ad_multiply(lapack, false, true, n, n, n, c, vt, moved);
    }
    diagonal_cofactors(n, s, e ? moved : NULL, c);
    sign = orientation(item, n, u, room) * orientation(item, n, vt, room);
    for (int64_t i = 0; i < n * n; i++)
        c[i] *= sign;
    ad_multiply(lapack, false, false, n, n, n, u, c, moved);
    ad_multiply(lapack, false, false, n, n, n, moved, vt, item->y);
    return AD_OK;
}

static enum ad_status cofactor(const struct ad_item *item, int64_t n)
{
    double det;
    enum ad_status status;

    if (!far_from_singular(n, item->x[0]))
        return cofactors_of_any(item, n, NULL);
    det = determinant(n, item->x[0], item->ints);
    ad_set_identity(n, item->y);
    status = ad_lu_solve(item->lapack, true, n, n, item->x[0], item->ints, item->y);
    for (int64_t i = 0; i < n * n; i++)
        item->y[i] *= det;
    return status;
}

/* det (tr(A^-1 E) A^-T - A^-T E^T A^-T) */
static enum ad_status cofactor_move(const struct ad_item *item, int64_t n)
{
    const double *e = item->x[1];
    double *inverse = item->room, *c = inverse + n * n, trace = 0, det;
    enum ad_status status;

    if (!far_from_singular(n, item->x[0]))
        return cofactors_of_any(item, n, e);
    det = determinant(n, item->x[0], item->ints);
    ad_set_identity(n, inverse);
    status = ad_lu_solve(item->lapack, true, n, n, item->x[0], item->ints, inverse);
    if (status)
        return status;
    for (int64_t i = 0; i < n * n; i++)
        trace += inverse[i] * e[i];
    ad_multiply(item->lapack, false, true, n, n, n, inverse, e, c);
    ad_multiply(item->lapack, false, false, n, n, n, c, inverse, item->y);
    for (int64_t i = 0; i < n * n; i++)
        item->y[i] = det * (trace * inverse[i] - item->y[i]);
    return AD_OK;
}

struct ad_kernel_room ad_kernel_det_room(const struct ad_kernel *kernel)
{
    int64_t n = kernel->cols[0];

    switch ((int)kernel->name) {
    case AD_KERNEL_lu_det:
    case AD_KERNEL_lu_logdet:
        return (struct ad_kernel_room){0, n};
    case AD_KERNEL_lu_cofactor:
    case AD_KERNEL_lu_cofactor_move:
        return (struct ad_kernel_room){5 * n * n + n + AD_MAX(ad_svd_room(n, n, false), n * n),
                                       8 * n};
    default:
        return (struct ad_kernel_room){0, 0};
    }
}

enum ad_status ad_kernel_det(const struct ad_item *item)
{
    int64_t n = item->kernel->cols[0];

    ad_take_pivots(n, item->x[0], item->ints);
    switch ((int)item->kernel->name) {
    case AD_KERNEL_lu_det:
        item->y[0] = determinant(n, item->x[0], item->ints);
        return AD_OK;
    case AD_KERNEL_lu_logdet:
        return logdet(item, n);
    case AD_KERNEL_lu_cofactor:
        return cofactor(item, n);
    default:
        ad_assert(item->kernel->name == AD_KERNEL_lu_cofactor_move);
        return cofactor_move(item, n);
    }
}

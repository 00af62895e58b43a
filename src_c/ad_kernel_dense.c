/* ad_kernel_dense.c -- QR, pseudo-inverse, eigenvalues of any matrix, exponential. */
#include <math.h>
#include <string.h>

#include "ad_kernel_parts.h"

enum { QR_BLOCK = 64 };

static enum ad_status qr(const struct ad_item *item)
{
    int64_t m = item->kernel->rows[0], n = item->kernel->cols[0];
    int rows = (int)m, cols = (int)n, info = 0, lwork = (int)(QR_BLOCK * n);
    double *a = item->room, *tau = a + m * n, *work = tau + n, *r = item->y + m * n;

    ad_transposed(m, n, item->x[0], a);
    item->lapack->dgeqrf(&rows, &cols, a, &rows, tau, work, &lwork, &info);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            r[i * n + j] = j < i ? 0 : a[j * m + i];
    item->lapack->dorgqr(&rows, &cols, &cols, a, &rows, tau, work, &lwork, &info);
    ad_transposed(n, m, a, item->y);
    return AD_OK;
}

static enum ad_status pinv(const struct ad_item *item)
{
    int64_t m = item->kernel->rows[0], n = item->kernel->cols[0], k = AD_MIN(m, n);
    double *a = item->room, *u = a + m * n, *vt = u + m * k, *s = vt + k * n, *room = s + k;
    enum ad_status status;

    ad_transposed(m, n, item->x[0], a);
    status = ad_svd(item->lapack, true, m, n, a, u, s, vt, room, item->ints);
    if (status)
        return status;
    for (int64_t j = 0; j < k; j++)
        for (int64_t i = 0; i < n; i++)
            vt[j * n + i] = s[j] > item->kernel->p * s[0] ? vt[j * n + i] / s[j] : 0;
    ad_multiply(item->lapack, true, true, n, k, m, vt, u, item->y);
    return AD_OK;
}

/* A = U P, with A = W diag(s) V^T: U = W V^T and P = V diag(s) V^T. */
static enum ad_status polar(const struct ad_item *item)
{
    int64_t m = item->kernel->rows[0], n = item->kernel->cols[0];
    double *a = item->room, *w = a + m * n, *vt = w + m * n, *s = vt + n * n, *room = s + n;
    enum ad_status status;

    ad_transposed(m, n, item->x[0], a);
    status = ad_svd(item->lapack, true, m, n, a, w, s, vt, room, item->ints);
    if (status)
        return status;
    ad_multiply(item->lapack, false, false, m, n, n, w, vt, item->y);
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < n; i++)
            a[j * n + i] = s[j] * vt[j * n + i];
    ad_multiply(item->lapack, true, false, n, n, n, vt, a, item->y + m * n);
    return AD_OK;
}

/* ---- least squares ---- */

enum { LEAF = 25 }; /* LAPACK's SMLSIZ: the size of what divide and conquer does not divide */

static struct ad_kernel_room lstsq_room(int64_t m, int64_t n, int64_t k)
{
    int64_t least = AD_MIN(m, n), levels = 1;

    for (int64_t size = least / (LEAF + 1); size > 0; size /= 2)
        levels++;
    return (struct ad_kernel_room){m * n + AD_MAX(m, n) * k + least /* A, B and singular values */
                                       + 12 * AD_MAX(m, n) + 2 * least * LEAF + 8 * least * levels +
                                       least * k + (LEAF + 1) * (LEAF + 1) + least * least +
                                       QR_BLOCK * (AD_MAX(m, n) + k),
                                   3 * least * levels + 11 * least};
}

/* X, and with 'all' singular values and the rank behind it. */
static enum ad_status lstsq(const struct ad_item *item, bool all)
{
    int64_t m = item->kernel->rows[0], n = item->kernel->cols[0], k = item->kernel->cols[1],
            most = AD_MAX(m, n);
    int rows = (int)m, cols = (int)n, rhs = (int)k, ldb = (int)most, info = 0, rank = 0, lwork;
    double *a = item->room, *b = a + m * n, *s = b + most * k, *work = s + AD_MIN(m, n),
           cutoff = item->kernel->p;

    if (m == 0 || n == 0) {
        memset(item->y, 0, (size_t)item->kernel->size * sizeof *item->y);
        return AD_OK;
    }
    lwork = (int)(lstsq_room(m, n, k).doubles - (work - a));
    ad_transposed(m, n, item->x[0], a);
    for (int64_t j = 0; j < k; j++)
        for (int64_t i = 0; i < m; i++)
            b[j * most + i] = item->x[1][i * k + j];
    item->lapack->dgelsd(&rows, &cols, &rhs, a, &rows, b, &ldb, s, &cutoff, &rank, work, &lwork,
                         item->ints, &info);
    if (info)
        return AD_NO_CONVERGENCE;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < k; j++)
            item->y[i * k + j] = b[j * most + i];
    if (all) {
        memcpy(item->y + n * k, s, (size_t)AD_MIN(m, n) * sizeof *s);
        item->y[n * k + AD_MIN(m, n)] = rank;
    }
    return AD_OK;
}

/* ---- eigenvalues ---- */

enum { EIG_BLOCK = 40 }; /* doubles that dgeev works in, of each column: its blocks are of 32 */

/* Eigenvalues into w, and eigenvectors row by row into 'to' unless that is NULL. */
static enum ad_status eig(const struct ad_item *item, double *w, double *to)
{
    int64_t n = item->kernel->cols[0];
    int size = (int)n, info = 0, lwork = (int)(EIG_BLOCK * n), least = 1;
    double *a = item->room, *wi = a + n * n, *v = wi + n, *work = v + n * n;

    ad_transposed(n, n, item->x[0], a);
    item->lapack->dgeev("N", to ? "V" : "N", &size, a, &size, w, wi, NULL, &least, v, &size, work,
                        &lwork, &info);
    if (info)
        return AD_NO_CONVERGENCE;
    for (int64_t i = 0; i < n; i++)
        if (wi[i] != 0)
            return AD_COMPLEX;
    if (to)
        ad_transposed(n, n, v, to);
    return AD_OK;
}

/* How many elements come before the i-th when they are sorted. */
static int64_t rank_of(int64_t n, const double *w, int64_t i)
{
    int64_t rank = 0;

    for (int64_t j = 0; j < n; j++)
        rank += w[j] < w[i] || (w[j] == w[i] && j < i);
    return rank;
}

/* Without vectors LAPACK need not find eigenvalues in the order in which it finds them with vectors. */
static enum ad_status eig_like(const struct ad_item *item)
{
    int64_t n = item->kernel->cols[0];
    double *f = item->room + 2 * n * n + (1 + EIG_BLOCK) * n;
    enum ad_status status = eig(item, f, f + n);

    if (status)
        return status;
    memcpy(item->y, f,
           (size_t)((n + 1) * n) * sizeof *f); /* whatever w is, all columns are there */
    for (int64_t j = 0; j < n; j++)
        item->ints[j] = (int)j;
    for (int64_t j = 0; j < n; j++)
        item->ints[rank_of(n, item->x[1], j)] = (int)j;
    for (int64_t j = 0; j < n; j++) {
        int64_t to = item->ints[rank_of(n, f, j)];

        for (int64_t i = 0; i <= n; i++)
            item->y[i * n + to] = f[i * n + j];
    }
    return AD_OK;
}

/* ---- the exponential: Pade approximants, scaling and squaring ----
 *
 * Higham, The scaling and squaring method for the matrix exponential revisited, 2005: which degree will
 * do for a matrix of a given norm, and that of the highest beyond which it is scaled. */

static const struct {
    int degree;
    double norm;
} pades[] = {{3, 1.495585217958292e-2},
             {5, 2.539398330063230e-1},
             {7, 9.504178996162932e-1},
             {9, 2.097847961257068e0},
             {13, 5.371920351148152e0}};

enum { MOST_DEGREE = 13, N_PADES = 5 };

static double norm_of(int64_t n, const double *a)
{
    double most = 0;

    for (int64_t j = 0; j < n; j++) {
        double sum = 0;

        for (int64_t i = 0; i < n; i++)
            sum += fabs(a[i * n + j]);
        most = sum > most || isnan(sum) ? sum : most;
    }
    return most;
}

/* y += sum of c[j] times power j, where power 0 is the identity and 1, 2, 3 are A^2, A^4, A^6. */
static void add_powers(int64_t n, int n_powers, const double *c, int step,
                       const double *const *power, double *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i * n + i] += c[0];
    for (int j = 1; j < n_powers; j++)
        for (int64_t i = 0; i < n * n; i++)
            y[i] += c[j * step] * power[j][i];
}

/* The exponential of 'a' into y; 'room' for 8 n^2 doubles. */
static enum ad_status exponential(const struct ad_item *item, int64_t n, double *a, double *y)
{
    const struct ad_lapack *lapack = item->lapack;
    int64_t size = n * n;
    double *power[5] = {NULL, item->room + size, item->room + 2 * size, item->room + 3 * size,
                        item->room + 4 * size},
           *u = item->room + 5 * size, *v = item->room + 6 * size, *part = item->room + 7 * size,
           c[MOST_DEGREE + 1] = {1}, norm = norm_of(n, a);
    int pade = 0, degree, squarings = 0;
    enum ad_status status;

    if (!(norm <= 1e300)) {
        for (int64_t i = 0; i < size; i++)
            y[i] = NAN;
        return AD_OK;
    }
    while (pade + 1 < N_PADES && norm > pades[pade].norm)
        pade++;
    degree = pades[pade].degree;
    if (norm > pades[pade].norm) {
        frexp(norm / pades[pade].norm, &squarings);
        for (int64_t i = 0; i < size; i++)
            a[i] = ldexp(a[i], -squarings);
    }
    for (int j = 1; j <= degree; j++)
        c[j] = c[j - 1] * (degree - j + 1) / ((2 * degree - j + 1) * j);
    ad_multiply(lapack, false, false, n, n, n, a, a, power[1]);
    for (int j = 2; j <= AD_MIN(degree / 2, degree == MOST_DEGREE ? 3 : 4); j++)
        ad_multiply(lapack, false, false, n, n, n, power[1], power[j - 1], power[j]);
    memset(part, 0, (size_t)size * sizeof *part);
    memset(y, 0, (size_t)size * sizeof *y);
    if (degree == MOST_DEGREE) { /* the powers beyond the sixth times the sixth */
        const double *const beyond[4] = {NULL, power[1], power[2], power[3]};
        double odd[4] = {0, c[9], c[11], c[13]}, even[4] = {0, c[8], c[10], c[12]};

        add_powers(n, 4, odd, 1, beyond, y);
        ad_multiply(lapack, false, false, n, n, n, power[3], y, part);
        memset(y, 0, (size_t)size * sizeof *y);
        add_powers(n, 4, even, 1, beyond, y);
        ad_multiply(lapack, false, false, n, n, n, power[3], y, v);
        memcpy(y, v, (size_t)size * sizeof *y);
        add_powers(n, 4, c + 1, 2, (const double *const *)power, part);
        add_powers(n, 4, c, 2, (const double *const *)power, y);
    } else {
        add_powers(n, degree / 2 + 1, c + 1, 2, (const double *const *)power, part);
        add_powers(n, degree / 2 + 1, c, 2, (const double *const *)power, y);
    }
    ad_multiply(lapack, false, false, n, n, n, a, part, u);
    for (int64_t i = 0; i < size; i++) {
        v[i] = y[i] - u[i];
        y[i] += u[i];
    }
    ad_lu(lapack, n, v, part, item->ints);
    status = ad_lu_solve(lapack, false, n, n, part, item->ints, y);
    for (; squarings > 0 && !status; squarings--) {
        ad_multiply(lapack, false, false, n, n, n, y, y, part);
        memcpy(y, part, (size_t)size * sizeof *y);
    }
    return status;
}

static enum ad_status expm(const struct ad_item *item)
{
    int64_t n = item->kernel->cols[0];

    memcpy(item->room, item->x[0], (size_t)(n * n) * sizeof *item->room);
    return exponential(item, n, item->room, item->y);
}

/* ---- all of them ---- */

struct ad_kernel_room ad_kernel_dense_room(const struct ad_kernel *kernel)
{
    int64_t m = kernel->rows[0], n = kernel->cols[0], k = AD_MIN(m, n);

    switch ((int)kernel->name) {
    case AD_KERNEL_qr:
        return (struct ad_kernel_room){m * n + n + QR_BLOCK * n, 0};
    case AD_KERNEL_pinv:
        return (struct ad_kernel_room){m * n + (m + n) * k + k + ad_svd_room(m, n, true), 8 * k};
    case AD_KERNEL_lstsq:
    case AD_KERNEL_lstsq_all:
        return lstsq_room(m, n, kernel->cols[1]);
    case AD_KERNEL_polar:
        return (struct ad_kernel_room){2 * m * n + n * n + n + ad_svd_room(m, n, true), 8 * n};
    case AD_KERNEL_eig:
    case AD_KERNEL_eigvals:
        return (struct ad_kernel_room){2 * n * n + (1 + EIG_BLOCK) * n, 0};
    case AD_KERNEL_eig_like:
        return (struct ad_kernel_room){3 * n * n + (2 + EIG_BLOCK) * n, n};
    case AD_KERNEL_expm:
        return (struct ad_kernel_room){8 * n * n, n};
    default:
        return (struct ad_kernel_room){0, 0};
    }
}

enum ad_status ad_kernel_dense(const struct ad_item *item)
{
    int64_t n = item->kernel->cols[0];

    switch ((int)item->kernel->name) {
    case AD_KERNEL_qr:
        return qr(item);
    case AD_KERNEL_pinv:
        return pinv(item);
    case AD_KERNEL_lstsq:
        return lstsq(item, false);
    case AD_KERNEL_lstsq_all:
        return lstsq(item, true);
    case AD_KERNEL_polar:
        return polar(item);
    case AD_KERNEL_eig:
        return eig(item, item->y, item->y + n);
    case AD_KERNEL_eigvals:
        return eig(item, item->y, NULL);
    case AD_KERNEL_eig_like:
        return eig_like(item);
    default:
        ad_assert(item->kernel->name == AD_KERNEL_expm);
        return expm(item);
    }
}

/* lapack.h -- BLAS and LAPACK as plain loops, for the tests of kernels.
 *
 * Arguments are Fortran's.  Schur forms and eigenvalues are of symmetric matrices only, which is what the
 * tests give; workspaces are written to their ends, so that one too short is seen by the sanitizers. */
#ifndef LAPACK_H
#define LAPACK_H

#include "ad_lapack.h"
#include "check.h"

#define AT(a, ld, i, j) (a)[(size_t)(j) * (size_t)(ld) + (size_t)(i)]

static void use_up(double *work, const int *lwork)
{
    for (int i = 0; i < *lwork; i++)
        work[i] = NAN;
}

static void plain_dgemm(char *ta, char *tb, int *m, int *n, int *k, double *alpha, double *a,
                        int *lda, double *b, int *ldb, double *beta, double *c, int *ldc)
{
    for (int i = 0; i < *m; i++)
        for (int j = 0; j < *n; j++) {
            double sum = 0;

            for (int l = 0; l < *k; l++)
                sum += (*ta == 'T' ? AT(a, *lda, l, i) : AT(a, *lda, i, l)) *
                       (*tb == 'T' ? AT(b, *ldb, j, l) : AT(b, *ldb, l, j));
            AT(c, *ldc, i, j) = *alpha * sum + (*beta == 0 ? 0 : *beta * AT(c, *ldc, i, j));
        }
}

/* B op(A)^-1 in place; the core calls it with side R alone. */
static void plain_dtrsm(char *side, char *uplo, char *trans, char *diag, int *m, int *n,
                        double *alpha, double *a, int *lda, double *b, int *ldb)
{
    bool t = *trans == 'T', upper = (*uplo == 'U') != t;

    CHECK(*side == 'R' && *alpha == 1, "dtrsm of side %c", *side);
    for (int step = 0; step < *n; step++) {
        int j = upper ? step : *n - 1 - step;

        for (int i = 0; i < *m; i++) {
            for (int l = upper ? 0 : j + 1; l < (upper ? j : *n); l++)
                AT(b, *ldb, i, j) -=
                    AT(b, *ldb, i, l) * (t ? AT(a, *lda, j, l) : AT(a, *lda, l, j));
            if (*diag == 'N')
                AT(b, *ldb, i, j) /= AT(a, *lda, j, j);
        }
    }
}

/* op(A)^-1 x in place. */
static void plain_dtrsv(char *uplo, char *trans, char *diag, int *n, double *a, int *lda, double *x,
                        int *step)
{
    bool t = *trans == 'T', upper = (*uplo == 'U') != t;

    CHECK(*step == 1, "dtrsv of step %d", *step);
    for (int k = 0; k < *n; k++) {
        int i = upper ? *n - 1 - k : k;

        for (int l = upper ? i + 1 : 0; l < (upper ? *n : i); l++)
            x[i] -= x[l] * (t ? AT(a, *lda, l, i) : AT(a, *lda, i, l));
        if (*diag == 'N')
            x[i] /= AT(a, *lda, i, i);
    }
}

static void plain_dgetrf(int *m, int *n, double *a, int *lda, int *pivot, int *info)
{
    *info = 0;
    for (int k = 0; k < AD_MIN(*m, *n); k++) {
        int best = k;

        for (int i = k; i < *m; i++)
            if (fabs(AT(a, *lda, i, k)) > fabs(AT(a, *lda, best, k)))
                best = i;
        pivot[k] = best + 1;
        for (int j = 0; j < *n; j++) {
            double kept = AT(a, *lda, k, j);

            AT(a, *lda, k, j) = AT(a, *lda, best, j);
            AT(a, *lda, best, j) = kept;
        }
        if (AT(a, *lda, k, k) == 0) {
            *info = *info ? *info : k + 1;
            continue;
        }
        for (int i = k + 1; i < *m; i++) {
            AT(a, *lda, i, k) /= AT(a, *lda, k, k);
            for (int j = k + 1; j < *n; j++)
                AT(a, *lda, i, j) -= AT(a, *lda, i, k) * AT(a, *lda, k, j);
        }
    }
}

/* A = U^T U, or L L^T with L = U^T */
static void plain_dpotrf(char *uplo, int *n, double *a, int *lda, int *info)
{
    const int lower = *uplo == 'L', row = lower ? *lda : 1, col = lower ? 1 : *lda;

    *info = 0;
    for (int j = 0; j < *n; j++)
        for (int i = 0; i <= j; i++) {
            double sum = a[i * row + j * col];

            for (int l = 0; l < i; l++)
                sum -= a[l * row + i * col] * a[l * row + j * col];
            if (i == j && !(sum > 0)) {
                *info = j + 1;
                return;
            }
            a[i * row + j * col] = i == j ? sqrt(sum) : sum / a[i * row + i * col];
        }
}

/* Jacobi's method: eigenvalues ascending in w, eigenvectors in place of A. */
static void plain_dsyevd(char *job, char *uplo, int *n, double *a, int *lda, double *w,
                         double *work, int *lwork, int *iwork, int *liwork, int *info)
{
    size_t size = (size_t)*n;
    double *v = calloc(size * size + 1, sizeof *v), *s = calloc(size * size + 1, sizeof *s);

    CHECK((*job == 'V' || *job == 'N') && v && s && (*uplo == 'L' || *uplo == 'U'), "dsyevd");
    use_up(work, lwork);
    for (int i = 0; i < *liwork; i++)
        iwork[i] = -1;
    *info = 0;
    for (int i = 0; i < *n; i++)
        for (int j = 0; j < *n; j++) {
            bool read = (*uplo == 'L') == (i >= j);

            AT(s, *n, i, j) = read || i == j ? AT(a, *lda, i, j) : AT(a, *lda, j, i);
            AT(v, *n, i, j) = i == j;
            if (isnan(AT(s, *n, i, j)))
                *info = 1;
        }
    for (int sweep = 0; sweep < 60; sweep++)
        for (int p = 0; p < *n; p++)
            for (int q = p + 1; q < *n; q++) {
                double apq = AT(s, *n, p, q), theta, t, c, r;

                if (apq == 0)
                    continue;
                theta = (AT(s, *n, q, q) - AT(s, *n, p, p)) / (2 * apq);
                t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
                c = 1 / sqrt(t * t + 1);
                r = t * c;
                for (int i = 0; i < *n; i++) {
                    double x = AT(s, *n, i, p), z = AT(s, *n, i, q);

                    AT(s, *n, i, p) = c * x - r * z;
                    AT(s, *n, i, q) = r * x + c * z;
                    x = AT(v, *n, i, p);
                    z = AT(v, *n, i, q);
                    AT(v, *n, i, p) = c * x - r * z;
                    AT(v, *n, i, q) = r * x + c * z;
                }
                for (int j = 0; j < *n; j++) {
                    double x = AT(s, *n, p, j), z = AT(s, *n, q, j);

                    AT(s, *n, p, j) = c * x - r * z;
                    AT(s, *n, q, j) = r * x + c * z;
                }
            }
    for (int j = 0; j < *n; j++) {
        int place = 0;

        for (int l = 0; l < *n; l++)
            place +=
                AT(s, *n, l, l) < AT(s, *n, j, j) || (AT(s, *n, l, l) == AT(s, *n, j, j) && l < j);
        w[place] = AT(s, *n, j, j);
        for (int i = 0; i < *n; i++)
            AT(a, *lda, i, place) = AT(v, *n, i, j);
    }
    free(v);
    free(s);
}

/* By the eigenvectors of A^T A and A A^T, made to go together. */
static void plain_dgesdd(char *job, int *m, int *n, double *a, int *lda, double *s, double *u,
                         int *ldu, double *vt, int *ldvt, double *work, int *lwork, int *iwork,
                         int *info)
{
    bool alone = *job == 'N';
    int k = AD_MIN(*m, *n), most = AD_MAX(*m, *n), mu = *job == 'A' ? *m : k,
        nv = *job == 'A' ? *n : k, lw = 1, li = 1, dummy_int = 0;
    double *left = calloc((size_t)(most * most) + 1, sizeof *left),
           *right = calloc((size_t)(most * most) + 1, sizeof *right),
           *w = calloc((size_t)most + 1, sizeof *w),
           *w_left = calloc((size_t)most + 1, sizeof *w_left), dummy = 0;

    CHECK(left && right && w && w_left, "dgesdd");
    use_up(work, lwork);
    for (int i = 0; i < 8 * k; i++)
        iwork[i] = -1;
    for (int i = 0; i < *m; i++)
        for (int j = 0; j < *m; j++)
            for (int l = 0; l < *n; l++)
                AT(left, *m, i, j) += AT(a, *lda, i, l) * AT(a, *lda, j, l);
    for (int i = 0; i < *n; i++)
        for (int j = 0; j < *n; j++)
            for (int l = 0; l < *m; l++)
                AT(right, *n, i, j) += AT(a, *lda, l, i) * AT(a, *lda, l, j);
    plain_dsyevd("V", "L", m, left, m, w_left, &dummy, &lw, &dummy_int, &li, info);
    plain_dsyevd("V", "L", n, right, n, w, &dummy, &lw, &dummy_int, &li, info);
    for (int j = 0; j < k && alone; j++)
        s[j] = sqrt(*m < *n ? w_left[k - 1 - j] : w[k - 1 - j]);
    for (int j = 0; j < mu && !alone; j++)
        for (int i = 0; i < *m; i++)
            AT(u, *ldu, i, j) = AT(left, *m, i, *m - 1 - j);
    for (int j = 0; j < nv && !alone; j++) {
        double sign = 1;

        if (j < k) {
            double sum = 0;

            for (int i = 0; i < *m; i++)
                for (int l = 0; l < *n; l++)
                    sum += AT(u, *ldu, i, j) * AT(a, *lda, i, l) * AT(right, *n, l, *n - 1 - j);
            s[j] = fabs(sum);
            sign = sum < 0 ? -1 : 1;
        }
        for (int i = 0; i < *n; i++)
            AT(vt, *ldvt, j, i) = sign * AT(right, *n, i, *n - 1 - j);
    }
    free(left);
    free(right);
    free(w);
    free(w_left);
}

/* Q by Gram and Schmidt, R in A; Q waits for dorgqr in a place of its own. */
static double kept_q[4096];

static void plain_dgeqrf(int *m, int *n, double *a, int *lda, double *tau, double *work, int *lwork,
                         int *info)
{
    double r[64 * 64] = {0};

    CHECK(*m * *n <= 4096 && *n <= 64, "dgeqrf of (%d, %d)", *m, *n);
    use_up(work, lwork);
    use_up(tau, n);
    *info = 0;
    for (int j = 0; j < *n; j++) {
        double size = 0;

        for (int pass = 0; pass < 2; pass++)
            for (int l = 0; l < j; l++) {
                double sum = 0;

                for (int i = 0; i < *m; i++)
                    sum += AT(kept_q, *m, i, l) * AT(a, *lda, i, j);
                r[l * 64 + j] += sum;
                for (int i = 0; i < *m; i++)
                    AT(a, *lda, i, j) -= sum * AT(kept_q, *m, i, l);
            }
        for (int i = 0; i < *m; i++)
            size += AT(a, *lda, i, j) * AT(a, *lda, i, j);
        r[j * 64 + j] = sqrt(size);
        for (int i = 0; i < *m; i++)
            AT(kept_q, *m, i, j) = AT(a, *lda, i, j) / sqrt(size);
    }
    for (int j = 0; j < *n; j++)
        for (int i = 0; i <= j; i++)
            AT(a, *lda, i, j) = r[i * 64 + j];
}

static void plain_dorgqr(int *m, int *n, int *k, double *a, int *lda, double *tau, double *work,
                         int *lwork, int *info)
{
    CHECK(*n == *k && isnan(tau[0]), "dorgqr");
    use_up(work, lwork);
    *info = 0;
    for (int j = 0; j < *n; j++)
        for (int i = 0; i < *m; i++)
            AT(a, *lda, i, j) = AT(kept_q, *m, i, j);
}

/* Without vectors eigenvalues come in another order, as they may. */
static void plain_dgeev(char *left, char *right, int *n, double *a, int *lda, double *wr,
                        double *wi, double *vl, int *ldvl, double *vr, int *ldvr, double *work,
                        int *lwork, int *info)
{
    int li = 1, dummy = 0;

    CHECK(*left == 'N' && (*right == 'V' || *right == 'N') && !vl && *ldvl == 1, "dgeev");
    for (int i = 0; i < *n; i++)
        for (int j = 0; j < *n; j++)
            AT(vr, *ldvr, i, j) = AT(a, *lda, i, j);
    plain_dsyevd("V", "L", n, vr, ldvr, wr, work, lwork, &dummy, &li, info);
    for (int i = 0; i < *n; i++)
        wi[i] = *n > 1 && AT(a, *lda, 0, 1) == -AT(a, *lda, 1, 0) && AT(a, *lda, 0, 1) != 0 ? 1 : 0;
    for (int i = 0; i < *n / 2 && *right == 'N'; i++) {
        double kept = wr[i];

        wr[i] = wr[*n - 1 - i];
        wr[*n - 1 - i] = kept;
    }
}

static void plain_dgees(char *job, char *sort, int (*select)(double *, double *), int *n, double *a,
                        int *lda, int *sdim, double *wr, double *wi, double *vs, int *ldvs,
                        double *work, int *lwork, int *bwork, int *info)
{
    int li = 1, dummy = 0;

    CHECK(*job == 'V' && *sort == 'N' && !select && !bwork && *sdim == 0, "dgees");
    for (int i = 0; i < *n; i++)
        for (int j = 0; j < *n; j++)
            AT(vs, *ldvs, i, j) = AT(a, *lda, i, j);
    plain_dsyevd("V", "L", n, vs, ldvs, wr, work, lwork, &dummy, &li, info);
    for (int i = 0; i < *n; i++) {
        wi[i] = 0;
        for (int j = 0; j < *n; j++)
            AT(a, *lda, i, j) = i == j ? wr[i] : 0;
    }
}

static void plain_dtrsyl(char *ta, char *tb, int *sign, int *m, int *n, double *a, int *lda,
                         double *b, int *ldb, double *c, int *ldc, double *scale, int *info)
{
    CHECK(*ta == *tb && *sign == 1, "dtrsyl");
    *info = 0;
    *scale = 0.5;
    for (int i = 0; i < *m; i++)
        for (int j = 0; j < *n; j++) {
            double sum = AT(a, *lda, i, i) + AT(b, *ldb, j, j);

            *info |= sum == 0;
            AT(c, *ldc, i, j) *= *scale / sum;
        }
}

/* A dense system in place of a banded one. */
static void eliminate(int n, int k, double *a, double *b, int ldb, int *info)
{
    int pivot[64];

    CHECK(n <= 64, "%d unknowns", n);
    plain_dgetrf(&n, &n, a, &n, pivot, info);
    if (*info)
        return;
    for (int j = 0; j < k; j++) {
        for (int i = 0; i < n; i++) {
            double kept = AT(b, ldb, i, j);

            AT(b, ldb, i, j) = AT(b, ldb, pivot[i] - 1, j);
            AT(b, ldb, pivot[i] - 1, j) = kept;
        }
        for (int i = 0; i < n; i++)
            for (int l = 0; l < i; l++)
                AT(b, ldb, i, j) -= AT(a, n, i, l) * AT(b, ldb, l, j);
        for (int i = n - 1; i >= 0; i--) {
            for (int l = i + 1; l < n; l++)
                AT(b, ldb, i, j) -= AT(a, n, i, l) * AT(b, ldb, l, j);
            AT(b, ldb, i, j) /= AT(a, n, i, i);
        }
    }
}

/* From the factors of P A = L U, by columns of the identity. */
static void plain_dgetri(int *n, double *a, int *lda, int *pivot, double *work, int *lwork,
                         int *info)
{
    double inverse[64 * 64] = {0};

    CHECK(*n <= 64, "%d unknowns", *n);
    use_up(work, lwork);
    *info = 0;
    for (int j = 0; j < *n; j++) {
        double *x = inverse + j * *n;
        int one = 1;

        x[j] = 1;
        for (int i = 0; i < *n; i++) {
            double kept = x[i];

            x[i] = x[pivot[i] - 1];
            x[pivot[i] - 1] = kept;
        }
        plain_dtrsv("L", "N", "U", n, a, lda, x, &one);
        plain_dtrsv("U", "N", "N", n, a, lda, x, &one);
    }
    for (int j = 0; j < *n; j++)
        for (int i = 0; i < *n; i++)
            AT(a, *lda, i, j) = AT(inverse, *n, i, j);
}

/* By normal equations: of matrices of full rank. */
static void plain_dgelsd(int *m, int *n, int *k, double *a, int *lda, double *b, int *ldb,
                         double *s, double *rcond, int *rank, double *work, int *lwork, int *iwork,
                         int *info)
{
    int least = AD_MIN(*m, *n), levels = 1;
    bool tall = *m >= *n;
    static double square[64 * 64], rhs[64 * 64];

    CHECK(*rcond >= 0 && *ldb >= AD_MAX(*m, *n) && *k <= 64, "dgelsd");
    use_up(work, lwork);
    while (least / 26 >> levels > 0)
        levels++;
    for (int i = 0; i < 3 * least * levels + 11 * least; i++)
        iwork[i] = -1;
    for (int i = 0; i < least; i++) {
        s[i] = i; /* which these are not */
        for (int j = 0; j < least; j++) {
            AT(square, least, i, j) = 0;
            for (int l = 0; l < AD_MAX(*m, *n); l++)
                AT(square, least, i, j) += tall ? AT(a, *lda, l, i) * AT(a, *lda, l, j)
                                                : AT(a, *lda, i, l) * AT(a, *lda, j, l);
        }
        for (int j = 0; j < *k; j++) {
            AT(rhs, least, i, j) = tall ? 0 : AT(b, *ldb, i, j);
            for (int l = 0; l < *m && tall; l++)
                AT(rhs, least, i, j) += AT(a, *lda, l, i) * AT(b, *ldb, l, j);
        }
    }
    eliminate(least, *k, square, rhs, least, info);
    for (int i = 0; i < *n; i++)
        for (int j = 0; j < *k; j++) {
            AT(b, *ldb, i, j) = tall ? AT(rhs, least, i, j) : 0;
            for (int l = 0; l < *m && !tall; l++)
                AT(b, *ldb, i, j) += AT(a, *lda, l, i) * AT(rhs, least, l, j);
        }
    *rank = least;
}

static void plain_dgbsv(int *n, int *kl, int *ku, int *k, double *band, int *ld, int *pivot,
                        double *b, int *ldb, int *info)
{
    double a[64 * 64] = {0};

    for (int j = 0; j < *n; j++) {
        pivot[j] = 0;
        for (int i = AD_MAX(0, j - *ku); i <= AD_MIN(*n - 1, j + *kl); i++)
            AT(a, *n, i, j) = AT(band, *ld, *kl + *ku + i - j, j);
    }
    eliminate(*n, *k, a, b, *ldb, info);
}

static void plain_dpbsv(char *uplo, int *n, int *kd, int *k, double *band, int *ld, double *b,
                        int *ldb, int *info)
{
    double a[64 * 64] = {0};

    for (int j = 0; j < *n; j++)
        for (int i = AD_MAX(0, j - *kd); i <= j; i++)
            AT(a, *n, i, j) = AT(a, *n, j, i) =
                *uplo == 'U' ? AT(band, *ld, *kd + i - j, j) : AT(band, *ld, j - i, i);
    if (*n && a[0] <= 0)
        *info = 1;
    else
        eliminate(*n, *k, a, b, *ldb, info);
}

static const struct ad_lapack plain_lapack = {
#define LAPACK(name, library, arguments) .name = plain_##name,
#include "ad_lapack.def"
};

#endif

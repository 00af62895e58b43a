/*
 * The Hessian of the area of a surface over the unit square, heights u at m x m points: the sum of
 * sqrt(1 + c (a^2 + b^2)) / (m - 1)^2 over the cells, a and b being the differences along the two
 * diagonals of a cell and c = (m - 1)^2 / 2.
 *
 * Written are the entries of the CSR matrix, whose pattern does not change: the points around each
 * point, as far as there are any, by rows.
 */

#include <math.h>
#include <stddef.h>

#define OPAQUE __attribute__((noipa))

/* Second derivatives of the m - 1 cells below row 'u', at 1 ... m - 1 of three arrays whose ends,
 * 0 and m, stand for cells outside and are zero. */
static void cells(size_t m, const double *restrict u, double *restrict aa, double *restrict ab,
                  double *restrict bb)
{
    double c = 0.5 * (double)(m - 1) * (double)(m - 1);
    for (size_t j = 0; j + 1 < m; j++) {
        double a = u[m + j + 1] - u[j], b = u[m + j] - u[j + 1];
        double s = 1.0 + c * (a * a + b * b), k = 0.5 / (s * sqrt(s));
        aa[j + 1] = k * (1.0 + c * b * b);
        ab[j + 1] = -k * c * a * b;
        bb[j + 1] = k * (1.0 + c * a * a);
    }
}

/* 'work' is six rows of m + 1: the cells above and below the row of points at hand. */
OPAQUE static void hessian(size_t m, const double *u, double *restrict work, double *restrict h)
{
    double *up = work, *down = work + 3 * (m + 1);
    for (size_t k = 0; k < 6 * (m + 1); k++)
        work[k] = 0.0;
    for (size_t i = 0; i < m; i++) {
        double *aa = down, *ab = aa + m + 1, *bb = ab + m + 1;
        if (i + 1 < m)
            cells(m, u + i * m, aa, ab, bb);
        else
            for (size_t k = 0; k < 3 * (m + 1); k++)
                down[k] = 0.0;
        const double *taa = up, *tab = taa + m + 1, *tbb = tab + m + 1;
        for (size_t j = 0; j < m; j++) {
            int left = j > 0, right = j + 1 < m;
            if (i > 0) {
                if (left)
                    *h++ = -taa[j];
                *h++ = -tab[j] - tab[j + 1];
                if (right)
                    *h++ = -tbb[j + 1];
            }
            if (left)
                *h++ = tab[j] + ab[j];
            *h++ = taa[j] + tbb[j + 1] + bb[j] + aa[j + 1];
            if (right)
                *h++ = tab[j + 1] + ab[j + 1];
            if (i + 1 < m) {
                if (left)
                    *h++ = -bb[j];
                *h++ = -ab[j] - ab[j + 1];
                if (right)
                    *h++ = -aa[j + 1];
            }
        }
        double *free = up;
        up = down;
        down = free;
    }
}

void surface_hessian_entries(size_t times, size_t m, const double *u, double *work, double *h)
{
    while (times--)
        hessian(m, u, work, h);
}

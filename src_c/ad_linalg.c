/* ad_linalg.c -- dense linear algebra through the loops the binding found. */
#include "ad_linalg.h"

#include <string.h>

ad_matmul_loop *ad_matmul_blas;

void ad_matmul(struct ad_matrix a, struct ad_matrix b, double *c)
{
    int64_t m = a.rows, k = a.cols, n = b.cols;

    if (ad_matmul_blas && m * k * n > AD_MATMUL_SMALL) {
        const intptr_t each = sizeof(double);
        intptr_t dimensions[4] = {1, (intptr_t)m, (intptr_t)k, (intptr_t)n};
        intptr_t strides[9] = {0,
                               0,
                               0,
                               (intptr_t)a.row_stride * each,
                               (intptr_t)a.col_stride * each,
                               (intptr_t)b.row_stride * each,
                               (intptr_t)b.col_stride * each,
                               (intptr_t)n * each,
                               each};
        char *args[3] = {(char *)(uintptr_t)a.data, (char *)(uintptr_t)b.data, (char *)c};

        ad_matmul_blas(args, dimensions, strides, NULL);
        return;
    }
    memset(c, 0, (size_t)(m * n) * sizeof *c);
    for (int64_t i = 0; i < m; i++)
        for (int64_t l = 0; l < k; l++) {
            double x = a.data[i * a.row_stride + l * a.col_stride];

            for (int64_t j = 0; j < n; j++)
                c[i * n + j] += x * b.data[l * b.row_stride + j * b.col_stride];
        }
}

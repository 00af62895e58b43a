/* ad_linalg.h -- dense linear algebra on strided matrices of doubles. */
#ifndef AD_LINALG_H
#define AD_LINALG_H

#include "ad_base.h"

/* A rows x cols matrix; strides in elements. */
struct ad_matrix {
    const double *data;
    int64_t rows, cols, row_stride, col_stride;
};

/* NumPy's inner loop of matmul (which calls its BLAS), set once by the binding; NULL: a plain loop. */
typedef void ad_matmul_loop(char **args, const intptr_t *dimensions, const intptr_t *strides,
                            void *data);
extern ad_matmul_loop *ad_matmul_blas;

enum { AD_MATMUL_SMALL = 64 }; /* up to so many products a plain loop is faster than BLAS */

/* c = a b, c contiguous (a.rows, b.cols), overlapping neither. */
void ad_matmul(struct ad_matrix a, struct ad_matrix b, double *c);

/* The same of 'count' pairs whose matrices are 'steps' apart, into consecutive ones. */
void ad_matmul_each(int64_t count, struct ad_matrix a, struct ad_matrix b, const int64_t *steps,
                    double *c);

/* Put the matrix whose elements are values[slot[...]], by its strides, into 'room' in C order. */
void ad_matrix_gather(struct ad_matrix *matrix, const double *values, const int32_t *slot,
                      double *room);

/* The sum of n squares. */
double ad_sum_of_squares(const double *x, int64_t n);

#endif

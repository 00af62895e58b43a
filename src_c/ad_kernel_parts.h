/* ad_kernel_parts.h -- what the files of kernels share: one kernel on one of the batch. */
#ifndef AD_KERNEL_PARTS_H
#define AD_KERNEL_PARTS_H

#include "ad_kernel.h"
#include "ad_lapack.h"

/* One of the batch: its operands and its result, and room of ad_kernel_..._room() doubles. */
struct ad_item {
    const struct ad_kernel *kernel;
    const struct ad_lapack *lapack;
    const double *x[AD_KERNEL_MOST_ARGS];
    double *y, *room;
    int *ints; /* as many as the room says */
};

/* Doubles and integers that a kernel works in. */
struct ad_kernel_room {
    int64_t doubles, ints;
};

/* The files of kernels, each with the kernels it has; the room of others is none. */
struct ad_kernel_room ad_kernel_solve_room(const struct ad_kernel *kernel);
struct ad_kernel_room ad_kernel_det_room(const struct ad_kernel *kernel);
struct ad_kernel_room ad_kernel_spectral_room(const struct ad_kernel *kernel);
struct ad_kernel_room ad_kernel_dense_room(const struct ad_kernel *kernel);
enum ad_status ad_kernel_solve(const struct ad_item *item);
enum ad_status ad_kernel_det(const struct ad_item *item);
enum ad_status ad_kernel_spectral(const struct ad_item *item);
enum ad_status ad_kernel_dense(const struct ad_item *item);

/* ---- matrices row by row ---- */

/* y (cols, rows) = x (rows, cols) transposed, apart from it. */
void ad_transposed(int64_t rows, int64_t cols, const double *x, double *y);
/* The identity. */
void ad_set_identity(int64_t n, double *y);
/* y (m, n) = a b, or of the transposed where 'at' or 'bt'; a and b as they are in memory row by row. */
void ad_multiply(const struct ad_lapack *lapack, bool at, bool bt, int64_t m, int64_t k, int64_t n,
                 const double *a, const double *b, double *y);
/*
 * Solve T X = B (or T^T X = B) for X (n, k) in place, T row by row.
 */
void ad_triangular(const struct ad_lapack *lapack, bool transposed, bool lower, bool unit,
                   int64_t n, int64_t k, const double *t, double *x);
/* The LU factors of A (n, n) into lu, column by column as LAPACK has them; 'pivot' from 1 on. */
enum ad_status ad_lu(const struct ad_lapack *lapack, int64_t n, const double *a, double *lu,
                     int *pivot);
/* A X = B, or A^T X = B, in place in X (n, k), from those factors; AD_SINGULAR if they are. */
enum ad_status ad_lu_solve(const struct ad_lapack *lapack, bool transposed, int64_t n, int64_t k,
                           const double *lu, const int *pivot, double *x);
/* The pivots of a factor of LU; what is none, in a factor that is none, leaves its row where it is. */
void ad_take_pivots(int64_t n, const double *factor, int *pivot);
/*
 * A = U diag(s) V^T, s descending, with U (m, m) and V^T (n, n), or the first min(m, n) columns and rows
 * of them if 'thin', row by row; 'work' is A column by column, and is lost.  'room' is for
 * ad_svd_room() doubles, 'ints' for 8 min(m, n) integers.
 */
enum ad_status ad_svd(const struct ad_lapack *lapack, bool thin, int64_t m, int64_t n, double *work,
                      double *u, double *s, double *vt, double *room, int *ints);
int64_t ad_svd_room(int64_t m, int64_t n, bool thin);

#endif

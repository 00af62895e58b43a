/* ad_linalg.c -- dense linear algebra through the loops the binding found. */
#include "ad_linalg.h"

#include <stdbool.h>
#include <string.h>

ad_matmul_loop *ad_matmul_blas;

/*
 * OpenBLAS has kernels that take the operands as they lie, for up to 100^3 multiplications; beyond,
 * it copies both first, which takes up to half of the time where a tall matrix meets a small one.
 * Such a product is cut into blocks of rows, unless it is so long that BLAS might give it to
 * several threads. Only one whose rows are whole vectors and whose sums are not too long to be
 * formed at once: there all kernels give the same bits.
 */
enum { UNCOPIED = 1000000, CUT = 4 * UNCOPIED, FEW = 16384, DEEP = 256, VECTOR = 8 };

/* The rows of a block, of which the last may have VECTOR - 1 more. */
static int64_t block_rows(int64_t m, int64_t k, int64_t n, bool rows_lie)
{
    int64_t most, blocks, rows;

    if (m * k * n <= UNCOPIED || m * k * n > CUT || k * n > FEW || k > DEEP || n % VECTOR != 0 ||
        !rows_lie)
        return m;
    most = UNCOPIED / (k * n) - 2 * VECTOR;
    blocks = (m + most - 1) / most;
    rows = (m + blocks - 1) / blocks;
    return (rows + VECTOR - 1) / VECTOR * VECTOR;
}

/* ---- by two columns ----
 *
 * BLAS copies both operands first, and reads those of two columns as if they were many: where rows and
 * columns are runs of numbers, every number is read once here. */

enum { TWO = 2 };

#ifdef __GNUC__

enum { LANES = 8 };

typedef double lanes __attribute__((vector_size(LANES * sizeof(double)), aligned(8), may_alias));

static bool is_by_two(struct ad_matrix a, struct ad_matrix b)
{
    return b.cols == TWO && a.cols >= LANES && a.col_stride == 1 && b.row_stride == 1;
}

static double sum_of_lanes(const lanes *v)
{
    return (((*v)[0] + (*v)[1]) + ((*v)[2] + (*v)[3])) +
           (((*v)[4] + (*v)[5]) + ((*v)[6] + (*v)[7]));
}

/* Fewer numbers than lanes, and zeros. */
AD_INLINE void put_padded(lanes *v, const double *x, int64_t n)
{
    memset(v, 0, sizeof *v);
    memcpy(v, x, (size_t)n * sizeof *x);
}

/* The products of two rows, p and q, with two columns: of p with x and y, of q with x and y. */
AD_VECTOR static void two_by_two(int64_t k, const double *p, const double *q, const double *x,
                                 const double *y, double *c)
{
    lanes sums[TWO * TWO], px = {0}, py = {0}, qx = {0}, qy = {0};
    int64_t l = 0;

    for (; l + LANES <= k; l += LANES) {
        lanes u = *(const lanes *)(x + l), v = *(const lanes *)(y + l);
        lanes a = *(const lanes *)(p + l), b = *(const lanes *)(q + l);

        px += a * u;
        py += a * v;
        qx += b * u;
        qy += b * v;
    }
    if (l < k) {
        lanes u, v, a, b;

        put_padded(&u, x + l, k - l);
        put_padded(&v, y + l, k - l);
        put_padded(&a, p + l, k - l);
        put_padded(&b, q + l, k - l);
        px += a * u;
        py += a * v;
        qx += b * u;
        qy += b * v;
    }
    sums[0] = px;
    sums[1] = py;
    sums[2] = qx;
    sums[3] = qy;
    for (int i = 0; i < TWO * TWO; i++)
        c[i] = sum_of_lanes(&sums[i]);
}

static void by_two(struct ad_matrix a, struct ad_matrix b, double *c)
{
    const double *x = b.data, *y = b.data + b.col_stride, *row = a.data;
    double last[TWO * TWO];
    int64_t i = 0;

    for (; i + 1 < a.rows; i += TWO, row += TWO * a.row_stride)
        two_by_two(a.cols, row, row + a.row_stride, x, y, c + TWO * i);
    if (i < a.rows) {
        two_by_two(a.cols, row, row, x, y, last);
        memcpy(c + TWO * i, last, TWO * sizeof *c);
    }
}

#else

static bool is_by_two(struct ad_matrix a, struct ad_matrix b)
{
    (void)a;
    (void)b;
    return false;
}

static void by_two(struct ad_matrix a, struct ad_matrix b, double *c)
{
    (void)a;
    (void)b;
    (void)c;
}

#endif

/* ---- any ---- */

void ad_matmul(struct ad_matrix a, struct ad_matrix b, double *c)
{
    int64_t m = a.rows, k = a.cols, n = b.cols;
    bool large = ad_matmul_blas && m * k * n > AD_MATMUL_SMALL;

    /* Without BLAS all sums are formed in the order of the C that ad_to_c() writes. */
    if (large && is_by_two(a, b)) {
        by_two(a, b, c);
        return;
    }
    if (large) {
        const intptr_t each = sizeof(double);
        int64_t block = block_rows(m, k, n, b.col_stride == 1);
        intptr_t dimensions[4] = {1, 0, (intptr_t)k, (intptr_t)n};
        intptr_t strides[9] = {0,
                               0,
                               0,
                               (intptr_t)a.row_stride * each,
                               (intptr_t)a.col_stride * each,
                               (intptr_t)b.row_stride * each,
                               (intptr_t)b.col_stride * each,
                               (intptr_t)n * each,
                               each};

        for (int64_t i = 0, rows; i < m; i += rows) {
            char *args[3] = {(char *)(uintptr_t)(a.data + i * a.row_stride),
                             (char *)(uintptr_t)b.data, (char *)(c + i * n)};

            rows = m - i < block + VECTOR ? m - i : block;
            dimensions[1] = (intptr_t)rows;
            ad_matmul_blas(args, dimensions, strides, NULL);
        }
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

void ad_matmul_each(int64_t count, struct ad_matrix a, struct ad_matrix b, const int64_t *steps,
                    double *c)
{
    const int64_t m = a.rows, k = a.cols, n = b.cols, each = sizeof(double);

    if (ad_matmul_blas && m * k * n > AD_MATMUL_SMALL && m * k * n <= UNCOPIED &&
        !is_by_two(a, b)) {
        const intptr_t dimensions[4] = {(intptr_t)count, (intptr_t)m, (intptr_t)k, (intptr_t)n},
                       strides[9] = {(intptr_t)(steps[0] * each),
                                     (intptr_t)(steps[1] * each),
                                     (intptr_t)(m * n * each),
                                     (intptr_t)(a.row_stride * each),
                                     (intptr_t)(a.col_stride * each),
                                     (intptr_t)(b.row_stride * each),
                                     (intptr_t)(b.col_stride * each),
                                     (intptr_t)(n * each),
                                     (intptr_t)each};
        char *args[3] = {(char *)(uintptr_t)a.data, (char *)(uintptr_t)b.data, (char *)c};

        ad_matmul_blas(args, dimensions, strides, NULL);
        return;
    }
    for (int64_t i = 0; i < count; i++, a.data += steps[0], b.data += steps[1], c += m * n)
        ad_matmul(a, b, c);
}

void ad_matrix_gather(struct ad_matrix *matrix, const double *values, const int32_t *slot,
                      double *room)
{
    int64_t cols = matrix->cols;

    for (int64_t i = 0; i < matrix->rows; i++)
        for (int64_t j = 0; j < cols; j++)
            room[i * cols + j] = values[slot[i * matrix->row_stride + j * matrix->col_stride]];
    matrix->data = room;
    matrix->row_stride = cols;
    matrix->col_stride = 1;
}

AD_VECTOR double ad_sum_of_squares(const double *x, int64_t n)
{
    enum { SUMS = 32 }; /* several vectors, as each waits for the one before */
    double lane[SUMS] = {0}, rest = 0;
    int64_t i = 0;

    for (; i + SUMS <= n; i += SUMS)
        for (int j = 0; j < SUMS; j++)
            lane[j] += x[i + j] * x[i + j];
    for (; i < n; i++)
        rest += x[i] * x[i];
    for (int half = SUMS / 2; half > 0; half /= 2)
        for (int j = 0; j < half; j++)
            lane[j] += lane[j + half];
    return lane[0] + rest;
}

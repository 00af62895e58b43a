/* test_linalg.c -- kernels: what their results must fulfil, shapes they refuse, programs of them, and
 * allocations that fail. */
#include "ad_io.h"
#include "ad_kernel_run.h"
#include "ad_linalg.h"
#include "ad_plan.h"
#include "ad_run.h"
#include "lapack.h"

enum { MOST = 4096, BATCHES = 3 };

struct operand {
    int ndim;
    int64_t shape[3];
    double x[MOST];
};

static struct rng rng = {1};

static void set(struct operand *a, int64_t rows, int64_t cols)
{
    a->ndim = 3;
    a->shape[0] = BATCHES;
    a->shape[1] = rows;
    a->shape[2] = cols;
    CHECK(BATCHES * rows * cols <= MOST, "an operand of (%" PRId64 ", %" PRId64 ")", rows, cols);
    for (int64_t i = 0; i < BATCHES * rows * cols; i++)
        a->x[i] = rng_uniform(&rng, -1, 1);
}

/* Element (i, j) of one of the batch. */
static double at(const struct operand *a, int64_t batch, int64_t i, int64_t j)
{
    return a->x[(batch * a->shape[1] + i) * a->shape[2] + j];
}

static void set_at(struct operand *a, int64_t batch, int64_t i, int64_t j, double x)
{
    a->x[(batch * a->shape[1] + i) * a->shape[2] + j] = x;
}

/* Symmetric and positive definite. */
static void set_definite(struct operand *a, int64_t n)
{
    set(a, n, n);
    for (int64_t b = 0; b < BATCHES; b++)
        for (int64_t i = 0; i < n; i++) {
            for (int64_t j = 0; j < i; j++)
                set_at(a, b, i, j, at(a, b, j, i));
            set_at(a, b, i, i, (double)(n + i + 1));
        }
}

static enum ad_status try_kernel(int number, int flags, int64_t first, int64_t count, double p,
                                 int n, const struct operand *const *args, struct operand *y)
{
    int ndim[3];
    const int64_t *shape[3];
    const double *data[3];
    struct ad_kernel kernel;
    const char *needs;

    for (int a = 0; a < n; a++) {
        ndim[a] = args[a]->ndim;
        shape[a] = args[a]->shape;
        data[a] = args[a]->x;
    }
    needs = ad_kernel_read_shapes(ad_kernel_extra(number, flags, first, count), p, n, ndim, shape,
                                  &kernel);
    CHECK(!needs, "kernel %d needs %s", number, needs);
    y->ndim = 1 + kernel.ndim;
    y->shape[0] = BATCHES;
    y->shape[1] = kernel.shape[0];
    y->shape[2] = kernel.ndim == 2 ? kernel.shape[1] : 1;
    return ad_kernel_run(&kernel, data, y->x);
}

#define RUN(name, flags, first, count, p, y, ...)                                                  \
    do {                                                                                           \
        const struct operand *run_args[] = {__VA_ARGS__};                                          \
        enum ad_status run_status =                                                                \
            try_kernel(AD_KERNEL_##name, flags, first, count, p,                                   \
                       (int)(sizeof run_args / sizeof *run_args), run_args, y);                    \
        CHECK(run_status == AD_OK, #name ": %s", ad_status_text(run_status));                      \
    } while (0)

static void expect(const char *what, double got, double want)
{
    CHECK(fabs(got - want) <= 1e-8 * (1 + fabs(want)), "%s: %.17g, not %.17g", what, got, want);
}

/* Sum over l of op(a)[i, l] op(b)[l, j]. */
static double product(const struct operand *a, bool ta, const struct operand *b, bool tb,
                      int64_t batch, int64_t i, int64_t j)
{
    int64_t n = a->shape[ta ? 1 : 2];
    double sum = 0;

    for (int64_t l = 0; l < n; l++)
        sum += (ta ? at(a, batch, l, i) : at(a, batch, i, l)) *
               (tb ? at(b, batch, j, l) : at(b, batch, l, j));
    return sum;
}

#define EACH(y)                                                                                    \
    for (int64_t b = 0; b < BATCHES; b++)                                                          \
        for (int64_t i = 0; i < (y).shape[1]; i++)                                                 \
            for (int64_t j = 0; j < (y).shape[2]; j++)

static void check_systems(int64_t n, int64_t k)
{
    static struct operand a, original, rhs, f, x, l, packed, pivots;

    set(&a, n, n);
    set(&rhs, n, k);
    original = a;
    RUN(lu, 0, 0, 0, 0, &f, &a);
    for (int trans = 0; trans < 2; trans++) {
        RUN(lu_solve, trans, 0, 0, 0, &x, &f, &rhs);
        EACH(rhs) expect("lu_solve", product(&a, trans, &x, false, b, i, j), at(&rhs, b, i, j));
    }
    set(&a, n, n);
    for (int flags = 0; flags < 8; flags++) {
        static struct operand t;

        t = a;
        EACH(t)
        {
            if ((flags & 2) ? j > i : i > j)
                set_at(&t, b, i, j, 0);
            else if (i == j)
                set_at(&t, b, i, j, flags & 4 ? 1 : 2 + at(&a, b, i, j));
        }
        RUN(solve_triangular, flags, 0, 0, 0, &x, &t, &rhs);
        EACH(rhs)
        expect("solve_triangular", product(&t, flags & 1, &x, false, b, i, j), at(&rhs, b, i, j));
    }
    RUN(lu_inverse, 0, 0, 0, 0, &x, &f);
    EACH(x) expect("lu_inverse", product(&original, false, &x, false, b, i, j), i == j);
    for (int flags = 0; flags < 8; flags++) {
        RUN(triangle, flags, 0, 0, 0, &x, &rhs);
        EACH(rhs)
        {
            bool unit = flags & AD_UNIT, there = flags & AD_BELOW ? i >= j : i <= j;
            double want = there ? at(&rhs, b, i, j) : 0;

            CHECK(at(&x, b, i, j) == (unit && i == j ? 1 : want), "triangle %d", flags);
        }
    }
    set_definite(&a, n);
    for (int upper = 0; upper < 2; upper++) {
        RUN(cholesky, upper, 0, 0, 0, &l, &a);
        EACH(a) expect("cholesky", product(&l, upper, &l, !upper, b, i, j), at(&a, b, i, j));
        EACH(a) if (upper ? i > j : i < j) CHECK(at(&l, b, i, j) == 0, "a triangle");
        RUN(cholesky_solve, upper, 0, 0, 0, &x, &l, &rhs);
        EACH(rhs)
        expect("cholesky_solve", product(&a, false, &x, false, b, i, j), at(&rhs, b, i, j));
    }
    set(&a, n, n);
    RUN(plu, 0, 0, 0, 0, &packed, &a);
    EACH(a)
    {
        int64_t row = (int64_t)at(&packed, b, n, i);
        double sum = 0;

        for (int64_t m = 0; m <= AD_MIN(i, j); m++)
            sum += (m == i ? 1 : at(&packed, b, i, m)) * at(&packed, b, m, j);
        expect("plu", sum, at(&a, b, row, j));
    }
    l = packed;
    l.shape[1] = n;
    pivots.ndim = 2;
    pivots.shape[0] = BATCHES;
    pivots.shape[1] = n;
    for (int64_t b = 0; b < BATCHES; b++)
        for (int64_t i = 0; i < n; i++) {
            for (int64_t j = 0; j < n; j++)
                set_at(&l, b, i, j, at(&packed, b, i, j));
            pivots.x[b * n + i] = at(&packed, b, n + 1, i);
        }
    for (int trans = 0; trans < 2; trans++) {
        RUN(plu_solve, trans, 0, 0, 0, &x, &l, &pivots, &rhs);
        EACH(rhs) expect("plu_solve", product(&a, trans, &x, false, b, i, j), at(&rhs, b, i, j));
    }
}

static void check_bands(int64_t n, int64_t below, int64_t above)
{
    static struct operand band, rhs, x, a;

    set(&band, below + above + 1, n);
    for (int64_t b = 0; b < BATCHES; b++)
        for (int64_t j = 0; j < n; j++)
            set_at(&band, b, above, j, 5);
    set(&rhs, n, 2);
    set(&a, n, n);
    EACH(a)
    set_at(&a, b, i, j, i - j > below || j - i > above ? 0 : at(&band, b, above + i - j, j));
    for (int trans = 0; trans < 2; trans++) {
        RUN(solve_banded, trans, below, above, 0, &x, &band, &rhs);
        EACH(rhs) expect("solve_banded", product(&a, trans, &x, false, b, i, j), at(&rhs, b, i, j));
    }
    if (below != above)
        return;
    EACH(a) set_at(&a, b, i, j, i > j ? at(&a, b, j, i) : at(&a, b, i, j));
    RUN(solve_banded, 2, below, above, 0, &x, &band, &rhs);
    EACH(rhs) expect("definite band", product(&a, false, &x, false, b, i, j), at(&rhs, b, i, j));
    for (int lower = 0; lower < 2; lower++) {
        set(&band, above + 1, n);
        EACH(band)
        {
            int64_t row = lower ? j + i : j - above + i;

            if (row >= 0 && row < n)
                set_at(&band, b, i, j, at(&a, b, row, j));
        }
        RUN(solve_banded, AD_DEFINITE | AD_ONE_SIDE, lower ? above : 0, lower ? 0 : above, 0, &x,
            &band, &rhs);
        EACH(rhs)
        expect("one side of a band", product(&a, false, &x, false, b, i, j), at(&rhs, b, i, j));
    }
}

static void check_determinants(int64_t n)
{
    static struct operand a, f, det, logdet, cofactor, moved, e, shifted, other;
    const double h = 1e-5;

    for (int singular = 0; singular < 2; singular++) {
        set(&a, n, n);
        set(&e, n, n);
        EACH(a) if (singular && i == n - 1) set_at(&a, b, i, j, n == 1 ? 0 : at(&a, b, 0, j));
        RUN(lu, 0, 0, 0, 0, &f, &a);
        RUN(lu_det, 0, 0, 0, 0, &det, &f);
        RUN(lu_logdet, 0, 0, 0, 0, &logdet, &f);
        for (int64_t b = 0; b < BATCHES && !singular; b++)
            expect("logdet", logdet.x[2 * b] * exp(logdet.x[2 * b + 1]), det.x[b]);
        RUN(lu_cofactor, 0, 0, 0, 0, &cofactor, &f);
        EACH(cofactor)
        expect("cofactor", product(&a, false, &cofactor, true, b, i, j), i == j ? det.x[b] : 0);
        RUN(lu_cofactor_move, 0, 0, 0, 0, &moved, &f, &e);
        shifted = a;
        EACH(a) set_at(&shifted, b, i, j, at(&a, b, i, j) + h * at(&e, b, i, j));
        RUN(lu, 0, 0, 0, 0, &f, &shifted);
        RUN(lu_cofactor, 0, 0, 0, 0, &other, &f);
        EACH(a) set_at(&shifted, b, i, j, at(&a, b, i, j) - h * at(&e, b, i, j));
        RUN(lu, 0, 0, 0, 0, &f, &shifted);
        RUN(lu_cofactor, 0, 0, 0, 0, &cofactor, &f);
        EACH(moved)
        {
            double want = (at(&other, b, i, j) - at(&cofactor, b, i, j)) / (2 * h);

            CHECK(fabs(at(&moved, b, i, j) - want) < 1e-5 * (1 + fabs(want)),
                  "cofactor_move: %.17g, not %.17g", at(&moved, b, i, j), want);
        }
    }
}

static void check_spectra(int64_t m, int64_t n)
{
    static struct operand a, f, w, v, g, y, e, some;
    int64_t size = m + n;

    set_definite(&a, n);
    RUN(eigh, 0, 0, 0, 0, &f, &a);
    RUN(spectrum, 0, 0, 0, 0, &w, &f);
    RUN(vectors, 0, 0, n, 0, &v, &f);
    EACH(v)
    expect("eigh", product(&a, false, &v, false, b, i, j), at(&v, b, i, j) * w.x[b * n + j]);
    g = w;
    g.ndim = 2;
    g.shape[1] = n;
    RUN(spectral, 0, 0, 0, 0, &y, &f, &g);
    EACH(y) expect("spectral", at(&y, b, i, j), at(&a, b, i, j));
    set_definite(&e, n);
    RUN(spectral_basis, 0, 0, 0, 0, &y, &f, &e);
    EACH(y) CHECK(at(&y, b, i, j) == at(&v, b, i, j), "spectral_basis without equal eigenvalues");
    if (n > 1) {
        set(&some, n, n - 1);
        for (int flags = 0; flags < 4; flags++) {
            RUN(gaps, flags, 1, 0, 0, &y, &f, &some);
            EACH(y)
            expect("gaps", at(&y, b, i, j) * (w.x[b * n + j + 1] - w.x[b * n + i]),
                   i == j + 1 ? 0 : at(&some, b, i, j));
        }
    }
    for (int upper = 0; upper < 2; upper++) {
        static struct operand half, values;

        half = a;
        EACH(half) if (upper ? i > j : i < j) set_at(&half, b, i, j, NAN);
        RUN(eigvalsh, AD_ONE_TRIANGLE | upper * AD_FROM_UPPER, 0, 0, 0, &values, &half);
        for (int64_t i = 0; i < BATCHES * n; i++)
            expect("eigvalsh", values.x[i], w.x[i]);
    }
    /* the identity: all eigenvalues are equal */
    EACH(a) set_at(&a, b, i, j, i == j);
    RUN(eigh, 0, 0, 0, 0, &f, &a);
    RUN(spectral_basis, 0, 0, 0, 0, &v, &f, &e);
    for (int64_t b = 0; b < BATCHES; b++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = 0;

                for (int64_t l = 0; l < n; l++)
                    sum += at(&v, b, l, i) * product(&e, false, &v, false, b, l, j);
                if (i != j)
                    expect("spectral_basis", sum, 0);
            }
    if (n > 1) {
        const struct operand *few[] = {&f, &g}, *pair[] = {&f, &e};

        CHECK(try_kernel(AD_KERNEL_spectral, 0, 0, 0, 0, 2, few, &y) == AD_DEGENERATE, "spectral");
        CHECK(try_kernel(AD_KERNEL_alike, 0, 0, 0, 0, 2, few, &y) == AD_DEGENERATE, "alike");
        CHECK(try_kernel(AD_KERNEL_gaps, 0, 0, 0, 0, 2, pair, &y) == AD_DEGENERATE, "gaps");
        CHECK(try_kernel(AD_KERNEL_gaps, 1, 0, 0, 0, 2, pair, &y) == AD_DEGENERATE, "gaps");
        RUN(gaps, 2, 0, 0, 0, &y, &f, &e);
        CHECK(isnan(at(&y, 0, 0, 1)) && at(&y, 0, 0, 0) == 0, "gaps of equal eigenvalues");
    }
    set(&a, m, n);
    RUN(svd, 0, 0, 0, 0, &f, &a);
    RUN(spectrum, 0, 0, 0, 0, &g, &f);
    g.ndim = 2;
    RUN(spectral, 0, 0, 0, 0, &y, &f, &g);
    EACH(y)
    expect("svd", at(&y, b, i, j),
           i < m && j >= m   ? at(&a, b, i, j - m)
           : i >= m && j < m ? at(&a, b, j, i - m)
                             : 0);
    RUN(vectors, 0, size - AD_MIN(m, n), AD_MIN(m, n), 0, &v, &f);
    RUN(vectors, AD_OF_VALUES, size - AD_MIN(m, n), AD_MIN(m, n), 0, &some, &f);
    EACH(v)
    expect("vectors of values", at(&some, b, i, v.shape[2] - 1 - j), sqrt(2) * at(&v, b, i, j));
    CHECK(y.shape[1] == size, "svd of %" PRId64, y.shape[1]);
    RUN(svdvals, 0, 0, 0, 0, &y, &a);
    for (int64_t b = 0; b < BATCHES; b++)
        for (int64_t i = 0; i < AD_MIN(m, n); i++)
            CHECK(fabs(y.x[b * AD_MIN(m, n) + i] - g.x[(b + 1) * size - 1 - i]) < 1e-6, "svdvals");
}

static void check_dense(int64_t m, int64_t n)
{
    static struct operand a, y, q, r, c, x, other;

    set(&a, m, n);
    if (m >= n && n > 0) {
        RUN(qr, 0, 0, 0, 0, &y, &a);
        set(&q, m, n);
        set(&r, n, n);
        EACH(q) set_at(&q, b, i, j, at(&y, b, i, j));
        EACH(r) set_at(&r, b, i, j, at(&y, b, m + i, j));
        EACH(q) expect("qr", product(&q, false, &r, false, b, i, j), at(&a, b, i, j));
        EACH(r) expect("q", product(&q, true, &q, false, b, i, j), i == j);
    }
    RUN(pinv, 0, 0, 0, 1e-12, &y, &a);
    set(&c, m, m);
    EACH(c) set_at(&c, b, i, j, product(&a, false, &y, false, b, i, j));
    EACH(a) expect("pinv", product(&c, false, &a, false, b, i, j), at(&a, b, i, j));
    EACH(c) expect("projection", at(&c, b, i, j), at(&c, b, j, i));
    set(&c, m, 3);
    RUN(lstsq, 0, 0, 0, 0, &x, &a, &c);
    set(&other, n, 3);
    EACH(other) expect("lstsq", at(&x, b, i, j), product(&y, false, &c, false, b, i, j));
    RUN(lstsq_all, 0, 0, 0, 0, &other, &a, &c);
    for (int64_t b = 0; b < BATCHES; b++) {
        int64_t least = AD_MIN(m, n), each = 3 * n + least + 1;

        for (int64_t i = 0; i < 3 * n; i++)
            expect("X of lstsq_all", other.x[b * each + i], x.x[b * 3 * n + i]);
        for (int64_t i = 0; i <= least; i++)
            expect("the rest of lstsq_all", other.x[b * each + 3 * n + i], (double)i);
    }
    if (m >= n && n > 0) {
        RUN(polar, 0, 0, 0, 0, &y, &a);
        EACH(q) set_at(&q, b, i, j, at(&y, b, i, j));
        EACH(r) set_at(&r, b, i, j, at(&y, b, m + i, j));
        EACH(q) expect("polar", product(&q, false, &r, false, b, i, j), at(&a, b, i, j));
        EACH(r) expect("U of polar", product(&q, true, &q, false, b, i, j), i == j);
        EACH(r) expect("P of polar", at(&r, b, i, j), at(&r, b, j, i));
    }
    set_definite(&a, n);
    RUN(eig, 0, 0, 0, 0, &y, &a);
    RUN(eig_vectors, 0, 0, 0, 0, &q, &y);
    RUN(eig_values, 0, 0, 0, 0, &r, &y);
    EACH(q) expect("eig", product(&a, false, &q, false, b, i, j), at(&q, b, i, j) * r.x[b * n + j]);
    RUN(eigvals, 0, 0, 0, 0, &r, &a);
    r.ndim = 2;
    r.shape[1] = n;
    RUN(eig_like, 0, 0, 0, 0, &y, &a, &r);
    RUN(eig_vectors, 0, 0, 0, 0, &q, &y);
    EACH(q)
    expect("eig_like", product(&a, false, &q, false, b, i, j), at(&q, b, i, j) * r.x[b * n + j]);
    for (int64_t b = 0; b < BATCHES; b++)
        for (int64_t i = 0; i < n; i++)
            expect("values of eig_like", at(&y, b, 0, i), r.x[b * n + i]);
    other = r;
    for (int64_t i = 0; i < BATCHES * n; i++)
        other.x[i] = i % 2 ? NAN : 1; /* no eigenvalues: any order, of all columns or some twice */
    RUN(eig_like, 0, 0, 0, 0, &x, &a, &other);
    RUN(gap_inverses, 1, 0, 0, 0, &y, &r);
    for (int power = 0; power < 12; power++) { /* exp(a) exp(-a) = 1, through all degrees */
        static struct operand minus;

        set(&a, n, n);
        EACH(a) set_at(&a, b, i, j, ldexp(at(&a, b, i, j), power - 8));
        minus = a;
        EACH(a) set_at(&minus, b, i, j, -at(&a, b, i, j));
        RUN(expm, 0, 0, 0, 0, &x, &a);
        RUN(expm, 0, 0, 0, 0, &other, &minus);
        EACH(a) CHECK(fabs(product(&x, false, &other, false, b, i, j) - (i == j)) < 1e-4, "expm");
    }
    set_definite(&a, m);
    set_definite(&q, n);
    set(&c, m, n);
    for (int trans = 0; trans < 2; trans++) {
        RUN(sylvester, trans, 0, 0, 0, &x, &a, &q, &c);
        EACH(c)
        expect("sylvester",
               product(&a, false, &x, false, b, i, j) + product(&x, false, &q, false, b, i, j),
               at(&c, b, i, j));
    }
}

/* ---- what is refused ---- */

static void check_refused(void)
{
    static struct operand a, y;
    const struct operand *one[] = {&a};
    struct ad_kernel kernel;
    int ndim[3] = {2, 2, 2};
    const int64_t square[3] = {3, 3, 3}, wide[3] = {3, 4, 4}, *shapes[3] = {wide, square, square};

    CHECK(ad_kernel_extra(0, 0, 0, 0) < 0 && ad_kernel_extra(AD_KERNEL_NUMBERS, 0, 0, 0) < 0 &&
              ad_kernel_extra(1, AD_KERNEL_FLAGS, 0, 0) < 0 && ad_kernel_extra(1, -1, 0, 0) < 0 &&
              ad_kernel_extra(1, 0, (int64_t)1 << 23, 0) < 0 && ad_kernel_extra(1, 0, 0, -1) < 0,
          "an extra beyond its limits");
    for (int number = 1; number < AD_KERNEL_NUMBERS; number++)
        for (int n = 0; n <= 3; n++) /* whatever comes is refused, or has a size */
            for (int64_t extra = number; extra < (int64_t)8 << 8; extra += 1 << 8) {
                const char *needs = ad_kernel_read_shapes(extra, 0, n, ndim, shapes, &kernel);

                CHECK(needs || kernel.size >= 0, "kernel %d", number);
                CHECK(!needs || strlen(needs) > 3, "kernel %d", number);
            }
    CHECK(ad_kernel_read_shapes(-1, 0, 1, ndim, shapes, &kernel), "-1");
    set(&a, 2, 2);
    for (int64_t i = 0; i < BATCHES * 4; i++)
        a.x[i] = i % 4 == 1 ? 1 : i % 4 == 2 ? -1 : 0;
    CHECK(try_kernel(AD_KERNEL_eig, 0, 0, 0, 0, 1, one, &y) == AD_COMPLEX, "eig");
    CHECK(try_kernel(AD_KERNEL_cholesky, 0, 0, 0, 0, 1, one, &y) == AD_NOT_POSITIVE, "cholesky");
    for (int64_t i = 0; i < BATCHES * 4; i++)
        a.x[i] = 1;
    RUN(lu, 0, 0, 0, 0, &y, &a);
    const struct operand *two[] = {&y, &a};
    static struct operand x;
    CHECK(try_kernel(AD_KERNEL_lu_solve, 0, 0, 0, 0, 2, two, &x) == AD_SINGULAR, "lu_solve");
    for (int64_t i = 0; i < BATCHES * 6; i++)
        y.x[i] =
            i % 3 ? 1e300 : NAN; /* no factor, and no pivots: nothing is read that is not there */
    y.ndim = 3;
    y.shape[1] = 3;
    y.shape[2] = 2;
    RUN(lu_solve, 0, 0, 0, 0, &x, &y, &a);
    RUN(lu_cofactor, 0, 0, 0, 0, &x, &y);
    a.x[0] = NAN;
    CHECK(try_kernel(AD_KERNEL_eigh, 0, 0, 0, 0, 1, one, &y) == AD_NO_CONVERGENCE, "eigh of nan");
}

/* ---- programs, and allocations that fail ---- */

/* The program as a file has it; files with another number, flag or place of a kernel are refused, or
 * describe a program in order. */
static enum ad_status written_and_read(struct ad_program **p)
{
    struct ad_program *read = NULL, *other = NULL;
    struct ad_fault fault;
    unsigned char *data = NULL;
    size_t nbytes = 0;
    enum ad_status status = ad_io_write(*p, &data, &nbytes, &fault);

    if (!status)
        status = ad_io_read(data, nbytes, NULL, &read, &fault);
    for (size_t at = 0; at + 8 < nbytes && !status; at++) {
        uint64_t sum;

        if (data[at] == 0)
            continue;
        data[at] ^= (unsigned char)(1 << at % 8);
        sum = ad_crc64(data, nbytes - 8);
        for (int k = 0; k < 8; k++)
            data[nbytes - 8 + (size_t)k] = (unsigned char)(sum >> 8 * k);
        if (ad_io_read(data, nbytes, NULL, &other, &fault) == AD_OK)
            CHECK(ad_program_check(other, &fault) == AD_OK, "%s", fault.field);
        ad_program_free(other);
        other = NULL;
        data[at] ^= (unsigned char)(1 << at % 8);
    }
    ad_io_free(data);
    if (!status) {
        ad_program_free(*p);
        *p = read;
    } else {
        ad_program_free(read);
    }
    return status;
}

/* x -> A^-1 A[:, :1] + log det A, of two matrices, replayed both ways; how many allocations failed. */
static void run_program(long fail)
{
    struct ad_program *p;
    struct ad_plan *plan = NULL;
    struct ad_frame *frame = NULL;
    struct ad_view f, x, part, d;
    const int64_t shape[3] = {2, 3, 3};
    double a[18], x_out[6], d_out[4], *outputs[2] = {x_out, d_out}, again[6], d_again[4],
                                      *others[2] = {again, d_again};
    const double *inputs[1] = {a};
    int failed;
    enum ad_status status;

    for (int i = 0; i < 18; i++)
        a[i] = rng_uniform(&rng, -1, 1) + (i % 9 % 4 == 0 ? 4 : 0);
    fail_in = fail;
    p = ad_program_new();
    status = p ? ad_program_add_input(p, 3, shape, a) : AD_NO_MEMORY;
    if (!status)
        status = ad_record_kernel(p->tape, ad_kernel_extra(AD_KERNEL_lu, 0, 0, 0), 0, 1,
                                  &p->inputs[0], &f);
    if (!status) {
        struct ad_view both[2];

        part = p->inputs[0];
        part.shape[2] = 1;
        both[0] = f;
        both[1] = part;
        status =
            ad_record_kernel(p->tape, ad_kernel_extra(AD_KERNEL_lu_solve, 0, 0, 0), 0, 2, both, &x);
        both[1].shape[1] = 2;
        if (!status)
            CHECK(ad_record_kernel(p->tape, ad_kernel_extra(AD_KERNEL_lu_solve, 0, 0, 0), 0, 2,
                                   both, &d) == AD_SHAPES_DIFFER,
                  "rows that do not fit");
    }
    if (!status)
        status =
            ad_record_kernel(p->tape, ad_kernel_extra(AD_KERNEL_lu_logdet, 0, 0, 0), 0, 1, &f, &d);
    if (!status)
        status = ad_program_add_output(p, &x);
    if (!status)
        status = ad_program_add_output(p, &d);
    if (!status)
        status = ad_program_replay(p, inputs, outputs, &failed);
    if (!status)
        status = written_and_read(&p);
    if (!status)
        status = ad_plan_new(p, &plan);
    if (!status) {
        frame = ad_frame_new(plan);
        status = frame ? AD_OK : AD_NO_MEMORY;
    }
    if (!status)
        status = ad_run(plan, frame, inputs, others, &failed);
    fail_in = -1;
    CHECK(status == AD_OK || (fail >= 0 && status == AD_NO_MEMORY), "%s", ad_status_text(status));
    for (int i = 0; i < 6 && !status; i++) {
        CHECK(x_out[i] == again[i], "element %d by replay and by plan", i);
        expect("solve", x_out[i], i % 3 == 0); /* the first column of the identity */
    }
    for (int i = 0; i < 4 && !status; i++)
        CHECK(d_out[i] == d_again[i], "logdet %d by replay and by plan", i);
    ad_frame_free(frame);
    ad_plan_free(plan);
    ad_program_free(p);
    CHECK(n_live == 0, "%ld blocks are left", n_live);
}

static int n_loads;
static struct ad_tape *collected; /* a tape, something of which goes while functions are loaded */

static enum ad_status load(void)
{
    n_loads++;
    if (n_loads == 1)
        return AD_CALL_FAILED;
    if (collected)
        ad_tape_pop(collected);
    ad_lapack_give(&plain_lapack);
    return AD_OK;
}

static void check_loader(void)
{
    const struct ad_lapack *found;
    const int64_t square[2] = {2, 2};
    const struct ad_view a = ad_view_slots(0, 2, square);
    struct ad_view result;

    CHECK(ad_lapack(&found) == AD_NO_LAPACK, "functions out of nowhere");
    ad_lapack_set_loader(load);
    CHECK(ad_lapack(&found) == AD_CALL_FAILED, "a loader that fails");
    collected = ad_tape_new();
    CHECK(collected && ad_record_input(collected, 4, (const double[4]){2, 0, 0, 3}) == AD_OK &&
              ad_record_kernel(collected, ad_kernel_extra(AD_KERNEL_expm, 0, 0, 0), 0, 1, &a,
                               &result) == AD_OK,
          "a kernel that is the first to need a function");
    CHECK(collected->n == 2 && result.base == collected->dst[1], "the kernel was taken back");
    expect("exp(2)", collected->value[result.base], exp(2));
    ad_tape_free(collected);
    CHECK(ad_lapack(&found) == AD_OK && found == &plain_lapack, "a loader");
    CHECK(ad_lapack(&found) == AD_OK && n_loads == 2, "loaded %d times", n_loads);
    for (int k = 0; k < ad_n_lapack_rows; k++)
        CHECK(ad_lapack_rows[k].offset == (size_t)k * sizeof found->dgemm, "row %d", k);
}

static void no_blas(char **args, const intptr_t *dimensions, const intptr_t *strides, void *data)
{
    (void)args, (void)dimensions, (void)strides, (void)data;
    CHECK(false, "BLAS was called for two columns");
}

/* Products with two columns, each of which is a run of numbers. */
static void check_two_columns(int64_t rows, int64_t length)
{
    static double a[8 * 64], b[2 * 64], c[2 * 8];
    struct ad_matrix left = {a, rows, length, length + 1, 1}, right = {b, length, 2, 1, length};

    for (int64_t i = 0; i < rows * (length + 1); i++)
        a[i] = rng_uniform(&rng, -1, 1);
    for (int64_t i = 0; i < 2 * length; i++)
        b[i] = rng_uniform(&rng, -1, 1);
    ad_matmul(left, right, c);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < 2; j++) {
            double sum = 0;

            for (int64_t k = 0; k < length; k++)
                sum += a[i * (length + 1) + k] * b[j * length + k];
            CHECK(fabs(c[2 * i + j] - sum) < 1e-13,
                  "(%" PRId64 ", %" PRId64 ") times two columns: %g, expected %g", rows, length,
                  c[2 * i + j], sum);
        }
}

int main(void)
{
    long n_cases = 0;

    check_loader();
    ad_matmul_blas = no_blas;
    for (int64_t length = 8; length < 36; length++)
        check_two_columns(5 + length % 3, length);
    ad_matmul_blas = NULL;
    for (int64_t n = 0; n < 6; n++) {
        check_systems(n, 1 + n % 3);
        if (n > 0)
            check_determinants(n);
        for (int64_t m = 0; m < 6; m++) {
            if (n > 0)
                check_spectra(m, n);
            check_dense(m, n);
        }
        for (int64_t below = 0; below < 3 && n > 0; below++)
            for (int64_t above = 0; above < 3; above++)
                check_bands(n + 3, below, above);
    }
    check_systems(20, 3); /* more than a block of a transposition */
    check_refused();
    run_program(-1);
    for (long n = 0;; n++, n_cases++) {
        long failed = n_failed;

        run_program(n);
        if (n_failed == failed)
            break;
    }
    CHECK(n_cases > 10, "only %ld allocations", n_cases);
    printf("test_linalg: ok, %ld with an allocation that fails\n", n_cases);
    return 0;
}

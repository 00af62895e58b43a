/* test_jacobian.c -- Jacobians and Hessians of known programs: what they cost, and closed forms; matrix
 * products of lanes against one direction at a time. */
#include "ad_jacobian.h"

#include "ad_rewrite.h"
#include "building.h"

/* ---- building programs ---- */

static struct ad_view number(double c)
{
    return ad_view_number(c);
}

static struct ad_program *lean(struct ad_program *p)
{
    struct ad_program *dead_free;

    ok(ad_pass_dead(p, &dead_free));
    ad_program_free(p);
    return dead_free;
}

static double *replayed(struct ad_program *p, const double *const *inputs)
{
    double *outputs[64], *all;
    int64_t n = 0;
    int failed;

    for (int k = 0; k < p->n_outputs; k++)
        n += ad_view_size(&p->outputs[k]);
    all = malloc(((size_t)n + 1) * sizeof *all);
    n = 0;
    for (int k = 0; k < p->n_outputs; k++) {
        outputs[k] = all + n;
        n += ad_view_size(&p->outputs[k]);
    }
    p->tape->symbolic = false; /* all values are about to be computed */
    ok(ad_program_replay(p, inputs, outputs, &failed));
    return all;
}

/* Instructions but inputs, those with more than 'large' results, and the results of all. */
struct cost {
    int n, n_large;
    int64_t elements;
};

static struct cost cost_of(const struct ad_program *p, int64_t large)
{
    struct cost cost = {0, 0, 0};

    for (int32_t i = p->n_inputs; i < p->tape->n; i++) {
        cost.n++;
        cost.n_large += ad_tape_length(p->tape, i) > large;
        cost.elements += ad_tape_length(p->tape, i);
    }
    return cost;
}

static void check_close(double got, double want, const char *what, int64_t i, int64_t j)
{
    CHECK(close_to(got, want, fabs(want)), "%s[%" PRId64 ", %" PRId64 "] is %.17g, not %.17g", what,
          i, j, got, want);
}

static const int WANTED[2] = {0, 1};

/* ---- Hessians ---- */

/* sum 100 (x[1:] - x[:-1]**2)**2 + (1 - x[:-1])**2 */
static struct ad_program *rosenbrock(int64_t n, const double *x)
{
    struct ad_program *p = program_of(n, x);
    struct ad_view a = slice(p->inputs[0], 1, n - 1), b = slice(p->inputs[0], 0, n - 1),
                   r = op(p, AD_OP_sub, a, op(p, AD_OP_square, b, b)),
                   s = op(p, AD_OP_sub, number(1), b),
                   f = op(p, AD_OP_add, op(p, AD_OP_mul, number(100), op(p, AD_OP_square, r, r)),
                          op(p, AD_OP_square, s, s));

    f = sum(p, f);
    ok(ad_program_add_output(p, &f));
    return p;
}

static void test_rosenbrock(int64_t n)
{
    double *x = malloc((size_t)n * sizeof *x), *h;
    const double *inputs[1] = {x};
    struct ad_program *p, *hessian;
    struct cost cost;

    for (int64_t i = 0; i < n; i++)
        x[i] = 0.3 + 0.1 * (double)(i % 7);
    p = rosenbrock(n, x);
    ok(ad_derive_hessian(p, 1, WANTED, false, &hessian));
    hessian = lean(hessian);
    cost = cost_of(hessian, 3 * n);
    CHECK(cost.n < 20 && cost.n_large <= 1, "%d instructions, %d large", cost.n, cost.n_large);
    CHECK(cost.elements <= n * n + 20 * n, "%" PRId64 " elements", cost.elements);
    h = replayed(hessian, inputs);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double want = 0;

            if (i == j && i > 0)
                want += 200;
            if (i == j && i + 1 < n)
                want += 1200 * x[i] * x[i] - 400 * x[i + 1] + 2;
            if (j == i + 1 || i == j + 1)
                want = -400 * x[AD_MIN(i, j)];
            check_close(h[i * n + j], want, "Hessian", i, j);
        }
    free(h);
    free(x);
    ad_program_free(hessian);
    ad_program_free(p);
}

/* exp(x[0]) times the sum of x[1:]**2: an arrow, and so 2 lanes. */
static void test_arrow(void)
{
    enum { N = 60 };
    double x[N], *h;
    const double *inputs[1] = {x};
    struct ad_program *p, *hessian;
    struct ad_view first, rest, f;
    struct cost cost;
    double square = 0;

    for (int i = 0; i < N; i++)
        x[i] = 0.5 - 0.1 * i;
    p = program_of(N, x);
    first = slice(p->inputs[0], 0, 1);
    rest = slice(p->inputs[0], 1, N - 1);
    f = sum(p, op(p, AD_OP_mul, op(p, AD_OP_exp, first, first), op(p, AD_OP_square, rest, rest)));
    ok(ad_program_add_output(p, &f));
    ok(ad_derive_hessian(p, 1, WANTED, false, &hessian));
    hessian = lean(hessian);
    cost = cost_of(hessian, 2 * N);
    CHECK(cost.n_large <= 1, "%d instructions of more than 2 lanes", cost.n_large);
    h = replayed(hessian, inputs);
    for (int i = 1; i < N; i++)
        square += x[i] * x[i];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            check_close(h[i * N + j],
                        i && j   ? i == j ? 2 * exp(x[0]) : 0
                        : i || j ? 2 * x[i + j] * exp(x[0])
                                 : square * exp(x[0]),
                        "Hessian", i, j);
    free(h);
    ad_program_free(hessian);
    ad_program_free(p);
}

/* A constant matrix with a period that is no divisor of its width. */
static struct ad_view matrix_of(int64_t rows, int64_t columns, double *data)
{
    const int64_t shape[2] = {rows, columns};
    struct ad_view a = ad_view_slots(0, 2, shape);

    for (int64_t i = 0; i < rows * columns; i++)
        data[i] = (double)(i * 7919 % 101) / 50 - 1;
    a.place = AD_ARRAY;
    a.in.array = ad_array_copy(data, rows * columns);
    CHECK(a.in.array != NULL, "no memory");
    return a;
}

/* sum log(1 + exp(A w)): one pass over all elements of A, and one product. */
static void test_logistic(void)
{
    enum { M = 300, N = 12 };
    const int64_t m = M, column[2] = {N, 1};
    double w[N], *data = malloc(M * N * sizeof *data), *h;
    const double *inputs[1] = {w};
    struct ad_program *p, *hessian;
    struct ad_view a = matrix_of(M, N, data), x, z, f;
    int n_passes = 0, n_products = 0;

    for (int j = 0; j < N; j++)
        w[j] = 0.1 * j - 0.5;
    p = program_of(N, w);
    x = p->inputs[0];
    CHECK(ad_view_reshape(&x, 2, column), "reshape");
    ok(ad_record_matmul(p->tape, &a, &x, &z));
    ad_array_drop(a.in.array);
    CHECK(ad_view_reshape(&z, 1, &m), "reshape");
    f = sum(p, op(p, AD_OP_softplus, z, z));
    ok(ad_program_add_output(p, &f));
    ok(ad_derive_hessian(p, 1, WANTED, false, &hessian));
    hessian = lean(hessian);
    for (int32_t i = 1; i < hessian->tape->n; i++) {
        n_passes += ad_tape_length(hessian->tape, i) == M * N;
        n_products += ad_tape_code(hessian->tape, i) == AD_MATMUL &&
                      ad_tape_length(hessian->tape, i) == N * N;
    }
    CHECK(n_passes == 1 && n_products == 1, "%d passes, %d products", n_passes, n_products);
    h = replayed(hessian, inputs);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double want = 0;

            for (int r = 0; r < M; r++) {
                double t = 0, s;

                for (int k = 0; k < N; k++)
                    t += data[r * N + k] * w[k];
                s = 1 / (1 + exp(-t));
                want += data[r * N + i] * data[r * N + j] * s * (1 - s);
            }
            check_close(h[i * N + j], want, "Hessian", i, j);
        }
    free(h);
    free(data);
    ad_program_free(hessian);
    ad_program_free(p);
}

static void test_refused(void)
{
    double x[3] = {1, 2, 3};
    struct ad_program *p = program_of(3, x), *hessian;
    struct ad_view y = op(p, AD_OP_square, p->inputs[0], p->inputs[0]);

    ok(ad_program_add_output(p, &y));
    CHECK(ad_derive_hessian(p, 1, WANTED, false, &hessian) == AD_SHAPES_DIFFER && !hessian,
          "the Hessian of an array");
    ad_program_free(p);
}

/* ---- Jacobians ---- */

/* x[1:] * x[:-1] by forward lanes that are shared; their sum by one reverse lane. */
static void test_modes(void)
{
    enum { N = 50 };
    double x[N], *j;
    const double *inputs[1] = {x};

    for (int i = 0; i < N; i++)
        x[i] = 1 + 0.1 * i;
    for (int total = 0; total < 2; total++) {
        struct ad_program *p = program_of(N, x), *jacobian;
        struct ad_view y =
            op(p, AD_OP_mul, slice(p->inputs[0], 1, N - 1), slice(p->inputs[0], 0, N - 1));
        struct cost cost;

        if (total)
            y = sum(p, y);
        ok(ad_program_add_output(p, &y));
        ok(ad_derive_jacobian(p, 1, WANTED, AD_JACOBIAN_AUTO, false, &jacobian));
        jacobian = lean(jacobian);
        cost = cost_of(jacobian, 2 * N);
        CHECK(cost.n_large == !total, "%d large instructions", cost.n_large);
        CHECK(jacobian->n_inputs == 1, "%d inputs", jacobian->n_inputs);
        j = replayed(jacobian, inputs);
        for (int i = 0; i < N; i++) {
            double left = i ? x[i - 1] : 0, right = i + 1 < N ? x[i + 1] : 0;

            if (total)
                check_close(j[i], left + right, "gradient", 0, i);
            for (int r = 0; r < N - 1 && !total; r++)
                check_close(j[r * N + i], r == i ? right : r == i - 1 ? left : 0, "Jacobian", r, i);
        }
        free(j);
        ad_program_free(jacobian);
        ad_program_free(p);
    }
}

/* Products (batch, m, k) times (batch, k, n); an operand that is shared has no batch of its own. */
static void check_product(int64_t batch, int64_t m, int64_t k, int64_t n, bool share_left,
                          bool share_right)
{
    enum { LANES = 3 };
    const int64_t shape[2][3] = {{batch, m, k}, {batch, k, n}};
    int64_t size[2];
    struct ad_program *p = ad_program_new(), *lanes, *one;
    struct ad_view views[2], y;
    double *x[2], *t[2], *got, *want;

    check_clear();
    check_note("batch %d, (%d, %d) times (%d, %d), shared %d %d\n", (int)batch, (int)m, (int)k,
               (int)k, (int)n, share_left, share_right);
    CHECK(p != NULL, "no program");
    for (int s = 0; s < 2; s++) {
        int shared = s ? share_right : share_left;

        size[s] = ad_shape_size(3 - shared, shape[s] + shared);
        x[s] = malloc((size_t)size[s] * sizeof *x[s]);
        t[s] = malloc((size_t)size[s] * LANES * sizeof *t[s]);
        for (int64_t i = 0; i < size[s] * LANES; i++)
            t[s][i] = sin((double)(i * (3 + s)));
        for (int64_t i = 0; i < size[s]; i++)
            x[s][i] = cos((double)(i * (2 + s)));
        ok(ad_program_add_input(p, 3 - shared, shape[s] + shared, x[s]));
    }
    for (int s = 0; s < 2; s++)
        views[s] = p->inputs[s];
    ok(ad_record_matmul(p->tape, &views[0], &views[1], &y));
    y = op(p, AD_OP_sin, y, y);
    ok(ad_program_add_output(p, &y));
    for (int which = 0; which < 3; which++) { /* by the left, by the right, by both */
        int n_wanted = which == 2 ? 2 : 1;
        const int *wanted = which == 1 ? WANTED + 1 : WANTED;
        const double *inputs[4] = {x[0], x[1], t[wanted[0]], t[1]};

        ok(ad_derive_forward_lanes(p, LANES, n_wanted, wanted, false, &lanes));
        ok(ad_derive_forward(p, n_wanted, wanted, false, &one));
        got = replayed(lanes, inputs);
        for (int l = 0; l < LANES; l++) {
            for (int s = 0; s < n_wanted; s++)
                inputs[2 + s] = t[wanted[s]] + l * size[wanted[s]];
            want = replayed(one, inputs);
            for (int64_t i = 0; i < batch * m * n; i++)
                check_close(got[l * batch * m * n + i], want[i], "tangent", l, i);
            free(want);
        }
        free(got);
        ad_program_free(one);
        ad_program_free(lanes);
    }
    for (int s = 0; s < 2; s++) {
        free(x[s]);
        free(t[s]);
    }
    ad_program_free(p);
}

static void test_products(void)
{
    const int64_t shapes[][3] = {{5, 4, 1}, {1, 4, 3}, {5, 4, 20}, {5, 4, 3}, {2, 4, 3}, {1, 1, 1}};

    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int64_t batch = 1; batch < 4; batch += 2)
            for (int shared = 0; shared < 4; shared++)
                if (batch == 1 || shared < 3)
                    check_product(batch, shapes[s][0], shapes[s][1], shapes[s][2], shared & 1,
                                  shared & 2);
}

int main(void)
{
    test_rosenbrock(40);
    test_rosenbrock(300);
    test_arrow();
    test_logistic();
    test_refused();
    test_modes();
    test_products();
    CHECK(n_live == 0, "%ld blocks are left", n_live);
    printf("test_jacobian: ok\n");
    return 0;
}

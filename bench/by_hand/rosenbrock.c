/*
 * The chained Rosenbrock function by hand: sum over i of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2.
 *
 * Each function does its work 'times' times, so that the one call from Python that starts it is
 * divided away.  The kernels are opaque to the loops around them: none is hoisted.
 */

#include <stddef.h>

#define OPAQUE __attribute__((noipa))

/* Value, and gradient into g, shape (n,): the loop as anybody writes it.  One chain of additions
 * makes the value, as in the Python loop; the gradient is what the compiler can make vectors of. */
OPAQUE static double gradient(size_t n, const double *restrict x, double *restrict g)
{
    double total = 0.0, carry = 0.0;
    for (size_t i = 0; i + 1 < n; i++) {
        double t = x[i + 1] - x[i] * x[i], u = 1.0 - x[i];
        total += 100.0 * t * t + u * u;
        g[i] = carry - 400.0 * t * x[i] - 2.0 * u;
        carry = 200.0 * t;
    }
    g[n - 1] = carry;
    return total;
}

enum { LANES = 16 };

/* The same with sixteen partial sums, and nothing carried from one turn to the next. */
OPAQUE static double gradient_reassociated(size_t n, const double *restrict x, double *restrict g)
{
    double sums[LANES] = {0.0}, total = 0.0;
    size_t i = 1;
    double t0 = x[1] - x[0] * x[0], u0 = 1.0 - x[0];
    total = 100.0 * t0 * t0 + u0 * u0;
    g[0] = -400.0 * t0 * x[0] - 2.0 * u0;
    for (; i + LANES < n; i += LANES)
        for (size_t k = 0; k < LANES; k++) {
            const double *p = x + i + k;
            double t = p[1] - p[0] * p[0], u = 1.0 - p[0], before = p[0] - p[-1] * p[-1];
            sums[k] += 100.0 * t * t + u * u;
            g[i + k] = 200.0 * before - 400.0 * t * p[0] - 2.0 * u;
        }
    for (; i + 1 < n; i++) {
        double t = x[i + 1] - x[i] * x[i], u = 1.0 - x[i], before = x[i] - x[i - 1] * x[i - 1];
        total += 100.0 * t * t + u * u;
        g[i] = 200.0 * before - 400.0 * t * x[i] - 2.0 * u;
    }
    g[n - 1] = 200.0 * (x[n - 1] - x[n - 2] * x[n - 2]);
    for (size_t k = 0; k < LANES; k++)
        total += sums[k];
    return total;
}

/* The Hessian, (n, n) and dense, of which only the three diagonals are written: the rest is zero
 * beforehand. */
OPAQUE static void hessian(size_t n, const double *restrict x, double *restrict h)
{
    double carry = 0.0;
    for (size_t i = 0; i + 1 < n; i++) {
        h[i * n + i] = carry + 1200.0 * x[i] * x[i] - 400.0 * x[i + 1] + 2.0;
        h[i * n + i + 1] = h[(i + 1) * n + i] = -400.0 * x[i];
        carry = 200.0;
    }
    h[n * n - 1] = carry;
}

/* The same, sparse: the 3 n - 2 entries of its three diagonals, row by row. */
OPAQUE static void hessian_entries(size_t n, const double *restrict x, double *restrict h)
{
    h[0] = 1200.0 * x[0] * x[0] - 400.0 * x[1] + 2.0;
    for (size_t i = 1; i + 1 < n; i++) {
        double *row = h + 3 * i - 1;
        row[-1] = row[0] = -400.0 * x[i - 1];
        row[1] = 1200.0 * x[i] * x[i] - 400.0 * x[i + 1] + 202.0;
    }
    h[3 * n - 4] = h[3 * n - 5] = -400.0 * x[n - 2];
    h[3 * n - 3] = 200.0;
}

void rosenbrock_gradient(size_t times, size_t n, const double *x, double *value, double *g)
{
    while (times--)
        *value = gradient(n, x, g);
}

void rosenbrock_gradient_reassociated(size_t times, size_t n, const double *x, double *value,
                                      double *g)
{
    while (times--)
        *value = gradient_reassociated(n, x, g);
}

void rosenbrock_hessian(size_t times, size_t n, const double *x, double *h)
{
    while (times--)
        hessian(n, x, h);
}

void rosenbrock_hessian_entries(size_t times, size_t n, const double *x, double *h)
{
    while (times--)
        hessian_entries(n, x, h);
}

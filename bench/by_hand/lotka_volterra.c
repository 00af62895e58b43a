/*
 * Runge-Kutta steps of the Lotka-Volterra equations by hand:
 *
 *     u' = u (a - b v),   v' = v (d u - c),   result u(T)^2 + v(T)^2
 *
 * with its gradient and Hessian in p = (u(0), v(0), a, b, c, d).  Each function does its work
 * 'times' times, so that the one call from Python that starts it is divided away.
 */

#include <stddef.h>
#include <string.h>

#define OPAQUE __attribute__((noipa))

enum { INPUTS = 6, STEPS = 1000, STAGES = 4 };

/* Eight numbers side by side, of which six are used: one per input. */
typedef double lanes __attribute__((vector_size(64)));

/* States at the four stages of each step, for the way back. */
static double us[STEPS][STAGES], vs[STEPS][STAGES];

/* By adjoints: forward through the steps, keeping the stages; then back. */
OPAQUE static double gradient(const double *restrict p, double h, double *restrict g)
{
    const double a = p[2], b = p[3], c = p[4], d = p[5];
    const double weight[STAGES] = {h / 6.0, h / 3.0, h / 3.0, h / 6.0};
    const double reach[STAGES] = {0.0, 0.5 * h, 0.5 * h, h};
    double u = p[0], v = p[1];
    for (size_t i = 0; i < STEPS; i++) {
        double ku = 0.0, kv = 0.0, du = 0.0, dv = 0.0;
#pragma GCC unroll 4
        for (size_t s = 0; s < STAGES; s++) {
            double x = u + reach[s] * ku, y = v + reach[s] * kv;
            us[i][s] = x;
            vs[i][s] = y;
            ku = x * (a - b * y);
            kv = y * (d * x - c);
            du += weight[s] * ku;
            dv += weight[s] * kv;
        }
        u += du;
        v += dv;
    }
    double ubar = 2.0 * u, vbar = 2.0 * v, abar = 0.0, bbar = 0.0, cbar = 0.0, dbar = 0.0;
    for (size_t i = STEPS; i-- > 0;) {
        double xbar = 0.0, ybar = 0.0, du = 0.0, dv = 0.0;
#pragma GCC unroll 4
        for (size_t s = STAGES; s-- > 0;) {
            double ku = weight[s] * ubar, kv = weight[s] * vbar;
            if (s + 1 < STAGES) {
                ku += reach[s + 1] * xbar;
                kv += reach[s + 1] * ybar;
            }
            double x = us[i][s], y = vs[i][s], kux = ku * x, kvy = kv * y;
            abar += kux;
            bbar -= kux * y;
            cbar -= kvy;
            dbar += kvy * x;
            xbar = ku * (a - b * y) + kvy * d;
            ybar = kv * (d * x - c) - kux * b;
            du += xbar;
            dv += ybar;
        }
        ubar += du;
        vbar += dv;
    }
    g[0] = ubar, g[1] = vbar, g[2] = abar, g[3] = bbar, g[4] = cbar, g[5] = dbar;
    return u * u + v * v;
}

static lanes us1[STEPS][STAGES], vs1[STEPS][STAGES]; /* tangents of us and vs */

/* A state and its tangents along the six inputs. */
struct state {
    double u, v;
    lanes u1, v1;
};

/* The end of the steps.  A caller that keeps the stages, in us, vs, us1 and vs1, has code of its own. */
static inline __attribute__((always_inline)) struct state tangents(const double *restrict p,
                                                                   double h, int keep)
{
    const double a = p[2], b = p[3], c = p[4], d = p[5];
    const double weight[STAGES] = {h / 6.0, h / 3.0, h / 3.0, h / 6.0};
    const double reach[STAGES] = {0.0, 0.5 * h, 0.5 * h, h};
    const lanes ea = {0, 0, 1}, eb = {0, 0, 0, 1}, ec = {0, 0, 0, 0, 1}, ed = {0, 0, 0, 0, 0, 1};
    double u = p[0], v = p[1];
    lanes u1 = {1}, v1 = {0, 1};
    for (size_t i = 0; i < STEPS; i++) {
        double ku = 0.0, kv = 0.0, du = 0.0, dv = 0.0;
        lanes ku1 = {0}, kv1 = {0}, du1 = {0}, dv1 = {0};
#pragma GCC unroll 4
        for (size_t s = 0; s < STAGES; s++) {
            double x = u + reach[s] * ku, y = v + reach[s] * kv;
            lanes x1 = u1 + reach[s] * ku1, y1 = v1 + reach[s] * kv1;
            double q = a - b * y, r = d * x - c;
            if (keep)
                us[i][s] = x, vs[i][s] = y, us1[i][s] = x1, vs1[i][s] = y1;
            ku = x * q;
            kv = y * r;
            ku1 = x1 * q + x * (ea - eb * y - b * y1);
            kv1 = y1 * r + y * (ed * x - ec + d * x1);
            du += weight[s] * ku;
            dv += weight[s] * kv;
            du1 += weight[s] * ku1;
            dv1 += weight[s] * kv1;
        }
        u += du;
        v += dv;
        u1 += du1;
        v1 += dv1;
    }
    return (struct state){u, v, u1, v1};
}

/* The gradient by tangents along the six inputs: no memory, and the lanes cost what one number does. */
OPAQUE static double gradient_forward(const double *restrict p, double h, double *restrict g)
{
    struct state end = tangents(p, h, 0);

    for (size_t i = 0; i < INPUTS; i++)
        g[i] = 2.0 * end.u * end.u1[i] + 2.0 * end.v * end.v1[i];
    return end.u * end.u + end.v * end.v;
}

/* Tangents along the six inputs of everything that the adjoint computes.  (Packed second-order
 * tangents, forward only, took 1.3 times as long.) */

OPAQUE static void hessian(const double *restrict p, double h, double *restrict rows)
{
    const double a = p[2], b = p[3], c = p[4], d = p[5];
    const double weight[STAGES] = {h / 6.0, h / 3.0, h / 3.0, h / 6.0};
    const double reach[STAGES] = {0.0, 0.5 * h, 0.5 * h, h};
    const lanes ea = {0, 0, 1}, eb = {0, 0, 0, 1}, ec = {0, 0, 0, 0, 1}, ed = {0, 0, 0, 0, 0, 1};
    const struct state end = tangents(p, h, 1);
    double ubar = 2.0 * end.u, vbar = 2.0 * end.v;
    lanes ubar1 = 2.0 * end.u1, vbar1 = 2.0 * end.v1, abar1 = {0}, bbar1 = {0}, cbar1 = {0},
          dbar1 = {0};
    for (size_t i = STEPS; i-- > 0;) {
        double xbar = 0.0, ybar = 0.0, du = 0.0, dv = 0.0;
        lanes xbar1 = {0}, ybar1 = {0}, du1 = {0}, dv1 = {0};
#pragma GCC unroll 4
        for (size_t s = STAGES; s-- > 0;) {
            double next = s + 1 < STAGES ? reach[s + 1] : 0.0;
            double ku = weight[s] * ubar + next * xbar, kv = weight[s] * vbar + next * ybar;
            lanes ku1 = weight[s] * ubar1 + next * xbar1, kv1 = weight[s] * vbar1 + next * ybar1;
            double x = us[i][s], y = vs[i][s], kux = ku * x, kvy = kv * y;
            lanes x1 = us1[i][s], y1 = vs1[i][s];
            lanes kux1 = ku1 * x + ku * x1, kvy1 = kv1 * y + kv * y1;
            double q = a - b * y, r = d * x - c;
            lanes q1 = ea - eb * y - b * y1, r1 = ed * x - ec + d * x1;
            abar1 += kux1;
            bbar1 -= kux1 * y + kux * y1;
            cbar1 -= kvy1;
            dbar1 += kvy1 * x + kvy * x1;
            xbar = ku * q + kvy * d;
            ybar = kv * r - kux * b;
            xbar1 = ku1 * q + ku * q1 + kvy1 * d + kvy * ed;
            ybar1 = kv1 * r + kv * r1 - kux1 * b - kux * eb;
            du += xbar;
            dv += ybar;
            du1 += xbar1;
            dv1 += ybar1;
        }
        ubar += du;
        vbar += dv;
        ubar1 += du1;
        vbar1 += dv1;
    }
    const lanes bars[INPUTS] = {ubar1, vbar1, abar1, bbar1, cbar1, dbar1};
    for (size_t i = 0; i < INPUTS; i++)
        memcpy(rows + INPUTS * i, &bars[i], INPUTS * sizeof(double));
}

void lotka_volterra_gradient(size_t times, const double *p, double h, double *value, double *g)
{
    while (times--)
        *value = gradient(p, h, g);
}

void lotka_volterra_gradient_forward(size_t times, const double *p, double h, double *value,
                                     double *g)
{
    while (times--)
        *value = gradient_forward(p, h, g);
}

void lotka_volterra_hessian(size_t times, const double *p, double h, double *rows)
{
    while (times--)
        hessian(p, h, rows);
}

/* ad_special_hyper.c -- hypergeometric functions with derivatives in all arguments, elliptic integrals.
 *
 * DLMF is the NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov.
 *
 * Values are polynomials in the steps (u, v, w) of up to three parameters, truncated at the orders asked for in
 * each.  A parameter that steps is a number plus a linear form in u, v, w; multiplication and division by such a
 * factor is all that power series need.
 */
#include "ad_special_hyper.h"

#include "ad_jet.h"
#include "ad_quadrature.h"

#include <math.h>

static const double PI = 3.14159265358979323846;

enum { BOX_ORDER = 3, BOX_SIZE = (BOX_ORDER + 1) * (BOX_ORDER + 1) * (BOX_ORDER + 1) };
enum { MOST_TERMS = 200000 };

/* The orders kept, and with them the distance of coefficients that differ by one in an order. */
struct box {
    int top[3], stride[3], size;
};

/* value + form[0] u + form[1] v + form[2] w. */
struct factor {
    double value, form[3];
};

static bool box_set(struct box *box, const int *order, int n)
{
    for (int i = 0; i < 3; i++) {
        box->top[i] = i < n ? order[i] : 0;
        if (box->top[i] > BOX_ORDER)
            return false;
    }
    box->stride[2] = 1;
    box->stride[1] = box->top[2] + 1;
    box->stride[0] = box->stride[1] * (box->top[1] + 1);
    box->size = box->stride[0] * (box->top[0] + 1);
    return true;
}

/* What the form takes from the coefficients next to c[at]. */
static double from_below(const struct box *box, const struct factor *f, const double *c, int at)
{
    double sum = 0;
    int rest = at;

    for (int i = 0; i < 3; i++) {
        const int order = rest / box->stride[i];
        rest -= order * box->stride[i];
        if (order && f->form[i] != 0)
            sum += f->form[i] * c[at - box->stride[i]];
    }
    return sum;
}

/* c *= f + m. */
static void box_times(const struct box *box, const struct factor *f, double m, double *c)
{
    for (int at = box->size - 1; at >= 0; at--)
        c[at] = c[at] * (f->value + m) + from_below(box, f, c, at);
}

/* c /= f + m. */
static void box_over(const struct box *box, const struct factor *f, double m, double *c)
{
    for (int at = 0; at < box->size; at++)
        c[at] = (c[at] - from_below(box, f, c, at)) / (f->value + m);
}

/* c *= exp(f), where exp(f.value) is given. */
static void box_times_exp(const struct box *box, const struct factor *f, double value, double *c)
{
    double term[BOX_SIZE];
    const struct factor form = {0, {f->form[0], f->form[1], f->form[2]}};

    for (int at = 0; at < box->size; at++)
        term[at] = c[at] *= value;
    for (int k = 1; k <= 3 * BOX_ORDER; k++) {
        box_times(box, &form, 0, term);
        for (int at = 0; at < box->size; at++)
            c[at] += term[at] /= k;
    }
}

static double largest(const struct box *box, const double *c)
{
    double most = 0;

    for (int at = 0; at < box->size; at++)
        most = fmax(most, fabs(c[at]));
    return most;
}

/* A sum, its derivative in x, and the size of the terms it was summed from, all to be multiplied by 2^exponent. */
struct series {
    double sum[BOX_SIZE], slope[BOX_SIZE], size;
    int exponent;
};

/* Sum of (top_0)_m (top_1)_m / (below)_m x^m / m!; 'top_1' may be NULL. */
static void power_series(const struct box *box, const struct factor *top_0,
                         const struct factor *top_1, const struct factor *below, double x,
                         struct series *s)
{
    double term[BOX_SIZE] = {1};
    const double wait = fmax(fmax(-top_0->value, -below->value), top_1 ? -top_1->value : 0) + 1;
    bool more = true;

    s->size = 0;
    s->exponent = 0;
    for (int at = 0; at < box->size; at++)
        s->sum[at] = s->slope[at] = 0;
    for (int m = 0; more && m < MOST_TERMS; m++) {
        double most = 0;
        more = m < wait && m < 1000;
        for (int at = 0; at < box->size; at++) {
            s->sum[at] += term[at];
            s->slope[at] += m * term[at];
            more |= fabs(term[at]) * (m + 1) > 1e-18 * fabs(s->sum[at]);
            most = fmax(most, fabs(term[at]));
        }
        s->size += most;
        if (s->size > 0x1p500) {
            s->exponent += 600;
            s->size *= 0x1p-600;
            for (int at = 0; at < box->size; at++) {
                s->sum[at] *= 0x1p-600;
                s->slope[at] *= 0x1p-600;
                term[at] *= 0x1p-600;
            }
        }
        box_times(box, top_0, m, term);
        if (top_1)
            box_times(box, top_1, m, term);
        box_over(box, below, m, term);
        for (int at = 0; at < box->size; at++)
            term[at] *= x / (m + 1);
    }
    for (int at = 0; at < box->size && x != 0; at++)
        s->slope[at] /= x;
    if (more)
        s->size = INFINITY;
}

/* How many times larger the terms are than what became of them. */
static double loss(const struct box *box, const struct series *s)
{
    return s->size / largest(box, s->sum);
}

static const double MOST_LOSS = 1e6; /* nine digits of sixteen are left */

static double scaled_exp(double x, int exponent)
{
    return x < -700 || x > 700 ? exp(x + exponent * 0.69314718055994531) : ldexp(exp(x), exponent);
}

static bool is_pole(double b)
{
    return b <= 0 && b == rint(b);
}

/* The sum as it is, or by Kummer's transformation exp(x) 1F1(b - a; b; -x) (DLMF 13.2.39). */
double ad_hyp1f1(const int *order, const double *arg, bool *lost)
{
    const int k = order[2];
    const double x = arg[2];
    struct factor a = {arg[0], {1, 0, 0}}, b = {arg[1], {0, 1, 0}};
    struct box box;
    struct series s, other;

    if (!isfinite(arg[0]) || !isfinite(arg[1]) || !isfinite(x) || is_pole(b.value))
        return NAN;
    if (!box_set(&box, order, 2)) {
        *lost = true;
        return NAN;
    }
    const struct factor up_a = {a.value + k, {1, 0, 0}}, up_b = {b.value + k, {0, 1, 0}};
    const struct factor rest = {b.value - a.value, {-1, 1, 0}};
    const bool turned = x < -1;
    power_series(&box, turned ? &rest : &up_a, NULL, &up_b, fabs(x) * (turned || x > 0 ? 1 : -1),
                 &s);
    bool kummer = turned;
    if (!(loss(&box, &s) < 1e3)) {
        power_series(&box, turned ? &up_a : &rest, NULL, &up_b, turned ? x : -x, &other);
        if (loss(&box, &other) < loss(&box, &s)) {
            s = other;
            kummer = !turned;
        }
    }
    if (!(loss(&box, &s) < MOST_LOSS))
        *lost = true;
    const double size = scaled_exp(kummer ? x : 0, s.exponent);
    for (int m = 0; m < k; m++) {
        box_times(&box, &a, m, s.sum);
        box_over(&box, &b, m, s.sum);
    }
    return s.sum[box.size - 1] * size * ad_factorial(order[0]) * ad_factorial(order[1]);
}

/* From x0 = 1 - y0 to 1 - y by Taylor series of the differential equation (DLMF 15.10.1)
 *
 *     x (1-x) F'' + (c - (a+b+1) x) F' - a b F = 0,
 *
 * whose coefficients f_m at x0 obey
 *
 *     x0 y0 (m+1) (m+2) f_{m+2} = (m+a) (m+b) f_m - (m+1) (m (1 - 2 x0) + c - (a+b+1) x0) f_{m+1},
 *
 * in steps of half the distance to the singularity at 1. */
static void step_to(const struct box *box, const struct factor *a, const struct factor *b,
                    const struct factor *c, double y0, double y, struct series *s)
{
    double f[2][BOX_SIZE], next[BOX_SIZE], part[BOX_SIZE], sum[BOX_SIZE], slope[BOX_SIZE];

    while (y0 > y) {
        const bool last = y0 <= 2 * y;
        const double h = last ? y0 - y : 0.5 * y0, x0 = 1 - y0;
        struct factor middle = {c->value - (a->value + b->value + 1) * x0, {0, 0, 0}};
        for (int i = 0; i < 3; i++)
            middle.form[i] = c->form[i] - (a->form[i] + b->form[i]) * x0;
        for (int at = 0; at < box->size; at++) {
            f[0][at] = s->sum[at];
            f[1][at] = s->slope[at] * h; /* f_m h^m from here on */
            sum[at] = f[0][at] + f[1][at];
            slope[at] = f[1][at];
        }
        int calm = 0;
        for (int m = 0; calm < 3 && m < 5000; m++) {
            bool more = false;
            for (int at = 0; at < box->size; at++) {
                next[at] = f[0][at];
                part[at] = f[1][at];
            }
            box_times(box, a, m, next);
            box_times(box, b, m, next);
            box_times(box, &middle, m * (1 - 2 * x0), part);
            for (int at = 0; at < box->size; at++) {
                next[at] = (next[at] * h / (m + 1) - part[at]) * h / (x0 * y0 * (m + 2));
                sum[at] += next[at];
                slope[at] += (m + 2) * next[at];
                more |= fabs(next[at]) * (m + 2) > 1e-18 * fabs(sum[at]);
                f[0][at] = f[1][at];
                f[1][at] = next[at];
            }
            calm = more ? 0 : calm + 1;
        }
        for (int at = 0; at < box->size; at++) {
            s->sum[at] = sum[at];
            s->slope[at] = slope[at] / h;
        }
        s->size = fmax(s->size, largest(box, sum));
        y0 = last ? y : y0 - h;
    }
}

/* 2F1(a, b; c; x) with y = 1 - x > 0. */
static void hyp2f1(const struct box *box, const struct factor *a, const struct factor *b,
                   const struct factor *c, double x, double y, struct series *s)
{
    if (x < -0.5) { /* y^-a 2F1(a, c - b; c; x / (x-1)) (DLMF 15.8.1) */
        const bool swap = c->value < b->value && c->value >= a->value;
        const struct factor *first = swap ? b : a, *second = swap ? a : b;
        const double log_y = log(y);
        struct factor rest = {c->value - second->value, {0, 0, 0}}, power = {0, {0, 0, 0}};
        for (int i = 0; i < 3; i++) {
            rest.form[i] = c->form[i] - second->form[i];
            power.form[i] = -log_y * first->form[i];
        }
        hyp2f1(box, first, &rest, c, -x / y, 1 / y, s);
        box_times_exp(box, &power, pow(y, -first->value), s->sum);
        s->size *= pow(y, -first->value);
        return;
    }
    power_series(box, a, b, c, x < 0.55 ? x : 0.5, s);
    if (x >= 0.55)
        step_to(box, a, b, c, 0.5, y, s);
}

double ad_hyp2f1(const int *order, const double *arg, bool *lost)
{
    const int k = order[3];
    const double x = arg[3];
    const struct factor a = {arg[0], {1, 0, 0}}, b = {arg[1], {0, 1, 0}}, c = {arg[2], {0, 0, 1}};
    const struct factor up_a = {arg[0] + k, {1, 0, 0}}, up_b = {arg[1] + k, {0, 1, 0}};
    const struct factor up_c = {arg[2] + k, {0, 0, 1}};
    struct box box;
    struct series s;

    if (!isfinite(arg[0]) || !isfinite(arg[1]) || !isfinite(arg[2]) || !(x <= 1) || isinf(x) ||
        is_pole(arg[2]))
        return NAN;
    if (!box_set(&box, order, 3) || x == 1) {
        *lost = true;
        return NAN;
    }
    hyp2f1(&box, &up_a, &up_b, &up_c, x, 1 - x, &s);
    if (!(loss(&box, &s) < MOST_LOSS))
        *lost = true;
    for (int m = 0; m < k; m++) {
        box_times(&box, &a, m, s.sum);
        box_times(&box, &b, m, s.sum);
        box_over(&box, &c, m, s.sum);
    }
    return ldexp(s.sum[box.size - 1], s.exponent) * ad_factorial(order[0]) *
           ad_factorial(order[1]) * ad_factorial(order[2]);
}

/* ---- elliptic integrals ------------------------------------------------------------------------- */

/* (a)_n (b)_n / n! 2F1(a+n, b+n; 1+n; 1 - p), the n-th derivative in m = 1 - p of 2F1(a, b; 1; m), as
 * p^(1-a-b-n) 2F1(1-a, 1-b; 1+n; 1 - p) (DLMF 15.8.1). */
static double complete(int n, double a, double b, double p)
{
    const struct factor u = {1 - a, {0}}, v = {1 - b, {0}}, w = {1 + n, {0}};
    struct box box;
    struct series s;
    double y = pow(p, 1 - a - b - n);

    box_set(&box, NULL, 0);
    hyp2f1(&box, &u, &v, &w, 1 - p, p, &s);
    for (int k = 0; k < n; k++)
        y *= (a + k) * (b + k) / (k + 1);
    return y * s.sum[0];
}

double ad_ellipkm1(const int *order, const double *arg, bool *lost)
{
    const int n = order[0];
    const double p = arg[0];

    (void)lost;
    if (!(p > 0) || isinf(p))
        return NAN;
    const double y = 0.5 * PI * complete(n, 0.5, 0.5, p);
    return n % 2 ? -y : y;
}

/* d^n/dm^n (1 - m sin^2)^power, without the constant factor. */
static double integrand(int n, double power, double angle, double m)
{
    const double s = sin(angle), c = cos(angle), square = s * s;
    const double root = m > 0.5 ? c * c + (1 - m) * square : 1 - m * square;

    return pow(square, n) * pow(root, power - n);
}

static double gauss(int n, double power, double m, double low, double high)
{
    const double middle = 0.5 * (low + high), half = 0.5 * (high - low);
    double sum = 0;

    for (int i = 0; i < AD_GAUSS_HALF; i++)
        sum += ad_gauss_weight[i] * (integrand(n, power, middle - half * ad_gauss_node[i], m) +
                                     integrand(n, power, middle + half * ad_gauss_node[i], m));
    return half * sum;
}

/* Halves until the rule agrees with itself. */
static double adaptive(int n, double power, double m, double low, double high, double whole,
                       int depth)
{
    const double middle = 0.5 * (low + high);
    const double left = gauss(n, power, m, low, middle), right = gauss(n, power, m, middle, high);

    if (depth == 0 || fabs(left + right - whole) <= 1e-14 * fabs(whole))
        return left + right;
    return adaptive(n, power, m, low, middle, left, depth - 1) +
           adaptive(n, power, m, middle, high, right, depth - 1);
}

static double incomplete(int n, double power, double phi, double m)
{
    if (!isfinite(phi) || !isfinite(m))
        return NAN;
    const double turns = rint(phi / PI), rest = phi - turns * PI, size = fabs(rest);
    if ((turns != 0 && m >= 1) || m * sin(size) * sin(size) >= 1)
        return NAN;
    double y = adaptive(n, power, m, 0, size, gauss(n, power, m, 0, size), 45);
    for (int k = 0; k < n; k++)
        y *= k - power;
    y = copysign(y, rest * y);
    if (turns != 0)
        y += turns * PI * complete(n, -power, 0.5, 1 - m);
    return y;
}

double ad_ellipkinc(const int *order, const double *arg, bool *lost)
{
    (void)lost;
    return incomplete(order[0], -0.5, arg[0], arg[1]);
}

double ad_ellipeinc(const int *order, const double *arg, bool *lost)
{
    (void)lost;
    return incomplete(order[0], 0.5, arg[0], arg[1]);
}

/* ad_special_tails.c -- incomplete gamma and beta functions without the factor that makes them small. */
#include "ad_special_tails.h"

#include "ad_quadrature.h"

#include <math.h>

static double power(double x, int n)
{
    double p = 1;

    for (int k = 0; k < n; k++)
        p *= x;
    return p;
}

/* The integrand falls off from s = scale on, whatever the moment: below exp(-60) of its height nothing counts. */
static bool negligible(double h, int moments, double s, double scale)
{
    return h < -60 - moments * log1p(s / scale);
}

/* 1 + ratio(1) + ratio(1) ratio(2) + ..., where ratio(n) = x (c + n - 1) / (d + n - 1), or x / (d + n - 1) if c
 * is infinite: what is positive and falls to half or less at each n. */
static double halving_series(double c, double d, double x)
{
    double term = 1, sum = 1;

    for (int n = 0; n < 60 && term > 1e-17 * sum; n++) {
        term *= isinf(c) ? x / (d + n) : x * (c + n) / (d + n);
        sum += term;
    }
    return sum;
}

/* The moment of no order above x, by Legendre's continued fraction, forwards by Lentz's method. */
static double gamma_fraction(double a, double x)
{
    double b = x + 1 - a, c = INFINITY, d = 1 / b, value = d, change = 0;

    for (int n = 1; n < 500 && fabs(change - 1) > 1e-16; n++) {
        const double over = -n * (n - a);
        b += 2;
        d = 1 / (b + over * d);
        c = b + over / c;
        change = c * d;
        value *= change;
    }
    return value;
}

static double gamma_moment(const int *order, double a, double x, int side)
{
    const int i = order[0], j = order[1];
    double scale = 1 / (fabs(a - x) + sqrt(x)), sum = 0;

    if (!(a > 0 && x > 0) || isinf(a) || isinf(x))
        return NAN;
    if (i + j == 0 && side < 0 && x < 0.5 * (a + 1))
        return halving_series(INFINITY, a + 1, x) / a;
    if (i + j == 0 && side > 0 && x > 2 * a + 30)
        return gamma_fraction(a, x);
    if (side < 0 && scale < 1 / a)
        scale = 1 / a;
    for (int k = 0; k < AD_HALF_LINE_MOST; k++) {
        double weight;
        const double s = ad_half_line(k, scale, &weight), w = -expm1(side * s);
        const double h = side * a * s + x * w;
        if (negligible(h, i + j, s, scale))
            break;
        sum += weight * exp(h) * power(side * s, i) * power(w, j);
    }
    return sum;
}

double ad_gamma_lower(const int *order, const double *x, bool *lost)
{
    (void)lost;
    return gamma_moment(order, x[0], x[1], -1);
}

double ad_gamma_upper(const int *order, const double *x, bool *lost)
{
    (void)lost;
    return gamma_moment(order, x[0], x[1], 1);
}

double ad_beta_lower(const int *order, const double *x, bool *lost)
{
    const int i = order[0], j = order[1], n = order[2];
    const double a = x[0], b = x[1], r = x[2], slope = a - b * r;
    double scale = 1 / ((slope > 0 ? slope : 0) + sqrt(b * r * (1 + r))), sum = 0;

    (void)lost;
    if (!(a > 0 && b > 0 && r > 0) || isinf(a) || isinf(b) || isinf(r))
        return NAN;
    if (i + j + n == 0 && fmax(1, (a + b) / (a + 1)) * (r / (1 + r)) < 0.5)
        return halving_series(a + b, a + 1, r / (1 + r)) / (a * (1 + r));
    if (scale < 1 / a)
        scale = 1 / a;
    for (int k = 0; k < AD_HALF_LINE_MOST; k++) {
        double weight;
        const double s = ad_half_line(k, scale, &weight), w = -expm1(-s), log_r = log1p(r * w);
        const double h = -a * s + (b - 1 - n) * log_r;
        if (negligible(h, i + j + n, s, scale))
            break;
        sum += weight * exp(h) * power(-s, i) * power(log_r, j) * power(w, n);
    }
    return sum;
}

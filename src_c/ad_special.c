/* ad_special.c -- special functions that C does not have.
 *
 * DLMF is the NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov.
 * Tables of coefficients were computed with 60 digits and rounded.
 */
#define _DEFAULT_SOURCE /* lgamma_r */

#include "ad_special.h"

#include "ad_base.h"

static const double PI = 3.14159265358979323846;
static const double SQRT_PI = 1.77245385090551602730;
static const double SQRT_HALF = 0.70710678118654752440;

/* c[0] + c[1] t + ... + c[n-1] t^(n-1). */
static double polynomial(const double *c, int n, double t)
{
    double sum = c[n - 1];
    for (int i = n - 2; i >= 0; i--)
        sum = sum * t + c[i];
    return sum;
}

double ad_lgamma(double x)
{
#ifdef _WIN32
    return lgamma(x);
#else
    int sign;
    return lgamma_r(x, &sign);
#endif
}

/* ---- erfcx and its derivatives --------------------------------------------------------------- */

/* exp(a b), where the rounding error of the product matters: relative error e in exp's argument t
 * is relative error t e in its value. */
static double exp_product(double a, double b)
{
    const double t = a * b;
    const double value = exp(t);
    return isfinite(t) && value <= 1e308 ? value + value * fma(a, b, -t) : value;
}

/* exp(x^2) erfc(x) for x >= 0.
 *
 * (1 + 2x) erfcx(x) varies between 1 and 1.3 on [0, inf] and is smooth in t = (x - 4) / (x + 4),
 * which maps that interval to [-1, 1] (idea: Shepherd and Laframboise, Math. Comp. 36 (1981) 249).
 * The Chebyshev series below is written in powers of t; their absolute values sum to 1.8, so that
 * Horner's rule loses nothing. */
static double erfcx_positive(double x)
{
    static const double c[] = {
        1.2329951186255526,     -0.1396211168405625,     0.015379652102619604,
        0.068097054254690398,   -0.10103906603630056,    0.093732834998438264,
        -0.066330365812186973,  0.037167515535929112,    -0.016197734059799265,
        0.0050319699926699331,  -0.00075777326137309558, -0.00019925677576336479,
        0.00015062149001240471, -2.4398944545280832e-05, -1.1221287012353486e-05,
        5.7092060530721826e-06, 2.919733377963012e-07,   -8.2491984275083543e-07,
        7.7469927270179414e-08, 1.1009737295274889e-07,  -2.0560649275699201e-08,
        -1.4709550868669278e-08, 3.1695881915648173e-09, 1.7903326159489847e-09,
        -2.6595996902426892e-10, -1.3746529890011639e-10,
    };
    if (x > 1e8) /* 1 / (x sqrt(pi)) (1 - 1 / (2 x^2) + ...) */
        return 1.0 / SQRT_PI / x;
    return polynomial(c, (int)(sizeof c / sizeof *c), (x - 4) / (x + 4)) / (1 + 2 * x);
}

static double erfcx(double x)
{
    return x < 0 ? 2 * exp_product(x, x) - erfcx_positive(-x) : erfcx_positive(x);
}

/* Repeated integrals of erfc (DLMF 7.18) give the derivatives:
 *
 *     D_n = d^n/dx^n erfcx(x) = (-2)^n n! w_n,     w_n = exp(x^2) i^n erfc(x) > 0,
 *
 * which obey
 *
 *     2 n w_n = w_{n-2} - 2 x w_{n-1}       D_n = 2 x D_{n-1} + 2 (n-1) D_{n-2}
 *
 * with w_{-1} = 2 / sqrt(pi) in the place of the missing start.  The solutions grow and decay
 * against each other as exp(+-x sqrt(2n)).  For x < 0 w_n is the growing one: forward recurrence,
 * all terms of one sign.  For x > 0 it is the decaying one, and the ratios r_n = w_n / w_{n-1} are
 * found backwards,
 *
 *     r_n = 1 / (2 x + 2 (n+1) r_{n+1}),
 *
 * a positive continued fraction in which an error shrinks by exp(-2 x (sqrt(2m) - sqrt(2n))) from m
 * down to n.  Where that takes too many steps, the first ratio comes from the integrals
 *
 *     w_m = 2 / (sqrt(pi) m!) a_m,     a_m = int_0^inf u^m exp(-u^2 - 2 x u) du.
 *
 * With u = exp(s) the integrand is a bump that is almost Gaussian, and the trapezoidal rule
 * converges geometrically: 2 pi^2 (sigma / h)^2 is the number of e-folds of its error.  Terms are
 * positive throughout, so no digits are lost anywhere. */

/* r_m = a_m / (m a_{m-1}), m >= 16. */
static double erfcx_ratio_by_quadrature(int m, double x)
{
    const double root = sqrt(x * x + 2 * m);
    const double u0 = m / (x + root);     /* where the integrand of a_{m-1} ds is largest */
    const double h = 0.45 / sqrt(2.0 * m); /* its sigma is 1 / sqrt(2m) or more */
    double lower = 1, upper = u0;          /* sums for a_{m-1} and a_m, the peak included */
    for (int side = -1; side <= 1; side += 2) {
        for (int j = side;; j += side) {
            const double growth = expm1(j * h); /* u / u0 - 1 */
            const double drop = m * j * h - u0 * growth * (u0 * (growth + 2) + 2 * x);
            if (drop < -42)
                break;
            lower += exp(drop);
            upper += exp(drop) * u0 * (1 + growth);
        }
    }
    return upper / (m * lower);
}

double ad_erfcx(double p, double x)
{
    const int n = (int)p;
    if (n == 0 || isnan(x))
        return erfcx(x);
    if (x * sqrt(2.0 * n) < 0.35) { /* the solutions have parted by a factor of two at most */
        double before = erfcx(x), d = 2 * x * before - 2 / SQRT_PI;
        for (int k = 2; k <= n; k++) {
            const double next = 2 * x * d + 2 * (k - 1) * before;
            before = d;
            d = next;
        }
        return d;
    }
    /* exp(-38) is 2^-55. */
    const double root = 19 / x + sqrt(2.0 * n), steps = 0.5 * root * root + 2;
    int m;
    double ratio;
    if (steps < n + 60.0) {
        m = (int)steps + 1;
        ratio = 1 / (x + sqrt(x * x + 2.0 * m)); /* the fixed point of the recurrence at n = m */
    } else {
        m = n > 16 ? n : 16;
        ratio = erfcx_ratio_by_quadrature(m, x);
    }
    for (int k = m - 1; k >= n; k--)
        ratio = 1 / (2 * x + 2 * (k + 1) * ratio);
    double d = erfcx(x);
    for (int k = n; k >= 1; k--) {
        d *= -2 * k * ratio;
        ratio = 1 / (2 * x + 2 * k * ratio);
    }
    return d;
}

/* With q(x) = erfc(x / sqrt(2)) / 2 = exp(-x^2 / 2) erfcx(x / sqrt(2)) / 2 the upper tail:
 * log(1 - q(x)), and for x < 0 log(q(-x)) = log(erfcx(-x / sqrt(2)) / 2) - x^2 / 2, both negative. */
double ad_log_ndtr(double x)
{
    if (x < 0)
        return log(0.5 * erfcx_positive(-x * SQRT_HALF)) - 0.5 * x * x;
    return log1p(-0.5 * erfcx_positive(x * SQRT_HALF) * exp_product(-0.5 * x, x));
}

/* ---- inverse of erf -------------------------------------------------------------------------- */

/* Halley's method on f(y) = erf(y) - x.  As f'' = -2 y f', the step is u / (1 + y u) with u = f / f'.
 * It cubes the relative error, which is 2e-3 after Winitzki's approximation
 * erf(y)^2 = 1 - exp(-y^2 (4/pi + a y^2) / (1 + a y^2)), solved for y^2.
 *
 * From 1/2 on, f is taken from erfc(y) = 1 - x, which is exact, and divided by exp(-y^2):
 * the residual's rounding error is then 1 / y^2 ulp of y. */
double ad_erfinv(double x)
{
    const double a = 0.147, size = fabs(x);
    if (!(size < 1))
        return size == 1 ? copysign(INFINITY, x) : NAN;
    if (size < 1e-8) /* sqrt(pi)/2 (x + pi x^3 / 12 + ...) */
        return 0.5 * SQRT_PI * x;
    const double log_rest = log((1 - size) * (1 + size));
    const double half = 2 / (PI * a) + 0.5 * log_rest;
    double y = sqrt(-log_rest / a / (sqrt(half * half - log_rest / a) + half));
    for (int i = 0; i < 2; i++) {
        const double e = exp_product(y, y);
        const double residual = size < 0.5 ? (erf(y) - size) * e : (1 - size) * e - erfcx_positive(y);
        const double u = 0.5 * SQRT_PI * residual;
        y -= u / (1 + y * u);
    }
    return copysign(y, x);
}

/* ---- polygamma ------------------------------------------------------------------------------- */

/* n! zeta(n + 1, x) for x > 0, n >= 1, by Euler and Maclaurin (DLMF 25.11.5 and 2.10.1), s = n + 1:
 *
 *     zeta(s, x) = sum_{k<N} (x+k)^-s + X^-s (X / (s-1) + 1/2 + sum_j c_j / X),     X = x + N,
 *     c_1 = s B_2 / 2!,   c_{j+1} / c_j = (s+2j-1) (s+2j) / X^2  B_{2j+2} / (2j+2)!  (2j)! / B_2j.
 *
 * B_2j / (2j)! falls as (2 pi)^-2j.  n! is multiplied between two halves of each power, so that
 * neither overflows nor underflows when the product does not. */
static double factorial_times_power(int n, double x)
{
    const int half = (n + 1) / 2;
    return pow(x, -half) * tgamma(n + 1.0) * pow(x, half - n - 1);
}

static double scaled_zeta(int n, double x)
{
    static const double bernoulli[] = {
        /* B_2j / (2j)!, j = 1, 2, ... */
        0.083333333333333329,    -0.0013888888888888889,  3.3068783068783071e-05,
        -8.2671957671957675e-07, 2.08767569878681e-08,    -5.2841901386874932e-10,
        1.3382536530684679e-11,  -3.3896802963225827e-13, 8.5860620562778452e-15,
        -2.1748686985580619e-16, 5.5090028283602295e-18,  -1.3954464685812522e-19,
    };
    const double s = n + 1.0, enough = 10 + 0.5 * n;
    double sum = 0;
    while (x < enough) {
        const double term = factorial_times_power(n, x);
        sum += term;
        x += 1;
        /* What is left is below term times int_1^inf (1 + t/x)^-s dt < x/n (1 + 1/x)^-n. */
        if (!(term < INFINITY) || (n > 20 && sum > 1e20 * factorial_times_power(n, x) * x))
            return sum;
    }
    double tail = x / n + 0.5, rising = s / x;
    for (int j = 1; j <= (int)(sizeof bernoulli / sizeof *bernoulli); j++) {
        tail += bernoulli[j - 1] * rising;
        rising *= (s + 2 * j - 1) / x * ((s + 2 * j) / x);
    }
    return sum + factorial_times_power(n, x) * tail;
}

/* Digamma for x > 0: log x - 1/(2x) - sum_j B_2j / (2j x^2j) (DLMF 5.11.2) from 10 on, and
 * psi(x) = psi(x + 1) - 1/x below; near its zero x0 the Taylor series there, because those two would
 * keep absolute digits only. */
static double digamma_positive(double x)
{
    static const double zero = 1.4616321449683622, zero_rest = 9.5499954299656977e-17;
    static const double at_zero[] = {
        /* psi^(k)(x0) / k!, k = 1, 2, ... */
        0.9676722454476212,      -0.44276316898359208,    0.25849976095565103,
        -0.16394270544240652,    0.10782405069126237,     -0.072199561256454714,
        0.04880428816414311,     -0.033161126474847362,   0.022597648232218104,
        -0.01542476590494896,    0.010538791616612175,    -0.0072045343863568687,
        0.0049267813957298533,   -0.0033698016554393282,  0.002305126326734928,
        -0.0015769367714301972,  0.0010788252019162967,   -0.00073807093899600515,
        0.00050495326583460199,  -0.00034546802510630769, 0.00023635601564027053,
    };
    static const double stirling[] = {
        /* B_2j / (2j), j = 1, 2, ... */
        0.083333333333333333, -0.0083333333333333333, 0.003968253968253968,
        -0.0041666666666666667, 0.0075757575757575758, -0.021092796092796093,
        0.083333333333333333, -0.44325980392156863,
    };
    if (fabs(x - zero) < 0.25) {
        const double d = (x - zero) - zero_rest;
        return d * polynomial(at_zero, (int)(sizeof at_zero / sizeof *at_zero), d);
    }
    double below = 0;
    for (; x < 10; x += 1)
        below += 1 / x;
    const double v = 1 / x / x;
    return log(x) - 0.5 / x - v * polynomial(stirling, (int)(sizeof stirling / sizeof *stirling), v)
           - below;
}

/* For x < 0 the terms (x+k)^-s of zeta(s, x) left of 0 are reflected.  With d = x - rint(x), exact,
 * and r = d mod 1 the distance from the next pole on the left, those terms are
 * (-1)^s (zeta(s, 1 - r) - zeta(s, 1 - x)).  For digamma the same sum is -pi cot(pi x) (DLMF 5.5.4). */
double ad_polygamma(double p, double x)
{
    const int n = (int)p;
    if (isnan(x))
        return x;
    if (x > 0) {
        if (n == 0)
            return digamma_positive(x);
        if (isinf(x))
            return 0;
        return n % 2 ? scaled_zeta(n, x) : -scaled_zeta(n, x);
    }
    const double d = x - rint(x);
    if (isinf(x))
        return NAN;
    if (d == 0) {
        if (n % 2)
            return INFINITY;
        return x == 0 ? copysign(INFINITY, -x) : NAN;
    }
    if (n == 0) {
        const double cot = fabs(d) < 0.25 ? 1 / tan(PI * d) : copysign(tan(PI * (0.5 - fabs(d))), d);
        return digamma_positive(1 - x) - PI * cot;
    }
    const double left = d > 0 ? d : 1 + d, right = d > 0 ? 1 - d : -d;
    const double reflected = scaled_zeta(n, right) - scaled_zeta(n, 1 - x);
    return n % 2 ? scaled_zeta(n, left) + reflected : reflected - scaled_zeta(n, left);
}

/* ---- sinc and its derivatives ---------------------------------------------------------------- */

/* With z = pi x and S_n = d^n/dz^n sin z = sin(z + n pi / 2), differentiating z f(z) = sin z gives
 *
 *     z f_n + n f_{n-1} = S_n,     f_n = d^n/dz^n (sin z / z) = int_0^1 t^n cos(t z + n pi/2) dt.
 *
 * Upwards an error grows by n / z a step, downwards by z / n: upwards for n <= z; else downwards from
 * an N so large that the missing f_N, below 1 / (N+1), no longer counts at n. */
double ad_sinc(double p, double x)
{
    const int n = (int)p;
    if (!(fabs(x) < INFINITY))
        return isnan(x) ? x : 0;
    const double z = PI * fabs(x);
    /* sin and cos of pi x from its exact distance to the next multiple of 1/2. */
    const double quarter = rint(2 * fabs(x)), d = PI * (fabs(x) - 0.5 * quarter);
    const double sin_d = sin(d), cos_d = cos(d);
    const int turn = (int)fmod(quarter, 4); /* pi x = d + turn pi / 2 */
    const double cycle[4] = {sin_d, cos_d, -sin_d, -cos_d}; /* S_n = cycle[(n + turn) % 4] */

    double f;
    if (n == 0) {
        f = z == 0 ? 1 : cycle[turn] / z;
    } else if (n <= z) {
        f = cycle[turn] / z;
        for (int k = 1; k <= n; k++)
            f = (cycle[(k + turn) % 4] - k * f) / z;
    } else {
        int top = n;
        for (double weight = 1; weight > 1e-18; weight *= z / top)
            top++;
        f = 0;
        for (int k = top; k > n; k--)
            f = (cycle[(k + turn) % 4] - z * f) / k;
    }
    for (int k = 0; k < n; k++)
        f *= PI;
    return x < 0 && n % 2 ? -f : f;
}

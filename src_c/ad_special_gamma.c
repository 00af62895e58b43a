/* ad_special_gamma.c -- derivatives in their parameters of the functions around the gamma function.
 *
 * DLMF is the NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov.
 */
#include "ad_special_gamma.h"

#include "ad_jet.h"
#include "ad_quadrature.h"
#include "ad_special.h"

#include <math.h>

static const double PI = 3.14159265358979323846;

/* ---- logarithms of gamma functions ------------------------------------------------------------ */

void ad_jet_lgamma(int n, double x, double *c)
{
    double factorial = 1;

    c[0] = 0;
    for (int k = 1; k <= n; k++) {
        factorial *= k;
        c[k] = ad_polygamma(k - 1, x) / factorial;
    }
}

/* Left of 1/2 by reflection: 1/Gamma(x) = Gamma(1 - x) sin(pi x) / pi. */
void ad_jet_rgamma(int n, double x, double *c)
{
    double g[AD_JET_SIZE], e[AD_JET_SIZE], s[AD_JET_SIZE], unused[AD_JET_SIZE];

    if (x >= 0.5) {
        ad_jet_lgamma(n, x, g);
        for (int k = 1; k <= n; k++)
            g[k] = -g[k];
        c[0] = exp(-ad_lgamma(x));
        ad_jet_exp(n, g, c);
        return;
    }
    ad_jet_lgamma(n, 1 - x, g);
    for (int k = 1; k <= n; k += 2)
        g[k] = -g[k];
    e[0] = exp(ad_lgamma(1 - x)) / PI;
    ad_jet_exp(n, g, e);
    ad_jet_sin_cos_pi(n, x, s, unused);
    ad_jet_mul(n, e, s, c);
}

/* For b small beside a its Taylor series, whose terms fall at least like 4^-k. */
double ad_psi_difference(const int *order, const double *x, bool *lost)
{
    const int n = order[0];
    const double a = x[0], b = x[1];
    double sum = 0, power = 1;

    (void)lost;
    if (!(a > 0 && fabs(b) < 0.25 * a))
        return ad_polygamma(n, a + b) - ad_polygamma(n, a);
    for (int k = 1; k < 60; k++) {
        power *= b / k;
        const double term = power * ad_polygamma(n + k, a);
        sum += term;
        if (fabs(term) <= 1e-17 * fabs(sum))
            break;
    }
    return sum;
}

/* From 10 on DLMF 5.11.1, differentiated: the sum of B_2j / (2j (2j-1)) x^(1-2j). */
double ad_stirling(const int *order, const double *x, bool *lost)
{
    static const double c[] = {
        0.083333333333333333,    -0.0027777777777777778, 0.00079365079365079365,
        -0.00059523809523809524, 0.00084175084175084175, -0.0019175269175269175,
        0.0064102564102564103,   -0.029550653594771242,  0.17964437236883057,
        -1.3924322169059011,     13.402864044168392,
    };
    const int n = order[0];
    const double z = x[0];

    (void)lost;
    if (!(z > 0))
        return NAN;
    if (z >= 10) {
        double sum = 0, last = INFINITY;
        for (int j = 1; j <= (int)(sizeof c / sizeof *c); j++) {
            double term = c[j - 1] * pow(z, 1 - 2 * j - n);
            for (int k = 0; k < n; k++)
                term *= 1 - 2 * j - k;
            if (fabs(term) >= last)
                break;
            sum += term;
            last = fabs(term);
        }
        return sum;
    }
    if (n == 0)
        return ad_lgamma(z) - (z - 0.5) * log(z) + z - 0.91893853320467274; /* log(2 pi) / 2 */
    if (n == 1)
        return ad_polygamma(0, z) - log(z) + 0.5 / z;
    /* the n-th derivative of (z - 1/2) log z is (-1)^n ((n-2)! z^(1-n) + (n-1)!/2 z^-n) */
    const double rest = ad_factorial(n - 2) * pow(z, 1 - n) * (1 + 0.5 * (n - 1) / z);
    return ad_polygamma(n - 1, z) - (n % 2 ? -rest : rest);
}

/* Where x is near z, with v = (x - z) / (x + z): log(x/z) = 2 atanh(v) (Loader's bd0). */
double ad_deviance(const int *order, const double *x, bool *lost)
{
    const double a = x[0], z = x[1], d = a - z, v = d / (a + z);

    (void)order;
    (void)lost;
    if (!(a >= 0 && z >= 0))
        return NAN;
    if (z == 0)
        return a;
    if (!(fabs(v) < 0.1))
        return d - z * log(a / z);
    double sum = d * v, power = -2 * z * v, last;
    for (int k = 1; k < 40; k++) {
        power *= v * v;
        last = sum;
        sum += power / (2 * k + 1);
        if (sum == last)
            break;
    }
    return sum;
}

/* ---- the incomplete gamma function ------------------------------------------------------------- */

/* P(a, x) = x^a / Gamma(a+1) M,  M = 1 + sum_k (-x)^k / k! a / (a + k)      (DLMF 8.7.1) for x <= 1;
 * m[] becomes M(a + t) / M(a). */
static void gammainc_series(int n, double a, double x, double *m)
{
    double term = 1;

    for (int k = 0; k <= n; k++)
        m[k] = k == 0;
    for (int k = 1; k < 40; k++) {
        double power = 1 / (a + k);
        term *= -x / k;
        m[0] += term * a * power;
        for (int i = 1; i <= n; i++) {
            power /= -(a + k);
            m[i] -= term * k * power;
        }
        if (fabs(term) < 1e-18)
            break;
    }
    for (int k = n; k >= 0; k--)
        m[k] /= m[0];
}

/* G = int_0^inf exp(h(s)) ds over its value at t = 0, where with side = -1
 *     P = x^a exp(-x) / Gamma(a) G,   h = -(a+t) s + x (1 - exp(-s))    (t = x exp(-s) in DLMF 8.2.1),
 * and with side = 1
 *     Q = x^a exp(-x) / Gamma(a) G,   h = (a+t) s - x (exp(s) - 1). */
static void gammainc_integral(int n, double a, double x, int side, double *g)
{
    double scale = 1 / (fabs(a - x) + sqrt(x));

    if (side < 0 && scale < 1 / a)
        scale = 1 / a;
    for (int k = 0; k <= n; k++)
        g[k] = 0;
    for (int k = 0; k < AD_HALF_LINE_MOST; k++) {
        double weight;
        const double s = ad_half_line(k, scale, &weight);
        const double h = side < 0 ? -a * s - x * expm1(-s) : a * s - x * expm1(s);
        if (h < -60 - n * log1p(s / scale))
            break;
        double term = weight * exp(h);
        for (int i = 0; i <= n; i++) {
            g[i] += term;
            term *= side * s / (i + 1);
        }
    }
    for (int k = n; k >= 0; k--)
        g[k] /= g[0];
}

double ad_gammainc(const int *order, const double *arg, bool *lost)
{
    const int n = order[0];
    const double a = arg[0], x = arg[1];
    double g[AD_JET_SIZE], l[AD_JET_SIZE], e[AD_JET_SIZE], ratio[AD_JET_SIZE];
    const bool upper = x > 1 && x > a;

    (void)lost;
    if (!(a > 0 && x >= 0) || isinf(a))
        return NAN;
    if (x == 0 || isinf(x))
        return 0;
    if (x <= 1)
        gammainc_series(n, a, x, g);
    else
        gammainc_integral(n, a, x, upper ? 1 : -1, g);
    /* 1 / Gamma(a) = a / Gamma(a+1), where the derivatives of small a do not cancel */
    const bool shifted = x <= 1 || a < 1;
    ad_jet_lgamma(n, shifted ? a + 1 : a, l);
    for (int k = 1; k <= n; k++)
        l[k] = -l[k];
    l[1] += log(x);
    e[0] = 1;
    ad_jet_exp(n, l, e);
    for (int k = n; k > 0 && shifted && x > 1; k--)
        e[k] += e[k - 1] / a;
    ad_jet_mul(n, e, g, ratio);
    return ad_factorial(n) * ratio[n] * (upper ? -arg[3] : arg[2]);
}

/* ---- the incomplete beta function -------------------------------------------------------------- */

enum { BETA_SIZE = 5 }; /* orders 0 .. 4 in each of a and b */
typedef double beta_jet[BETA_SIZE][BETA_SIZE];

/* I_x(a, b) = x^a y^(b-1) / B(a, b) G,  y = 1 - x,  with t = x exp(-s) in DLMF 8.17.1:
 *
 *     G = int_0^inf exp(-a s) R^(b-1) ds,      R(s) = (1 - x exp(-s)) / y >= 1.
 *
 * For small a, where G is nearly 1/a, by parts:  a G = 1 + (b-1) x/y int exp(-(a+1) s) R^(b-2) ds. */
static void betainc_integral(int ni, int nj, double a, double b, double x, double y, beta_jet g)
{
    const bool parts = a < 1;
    const double slope = a - b * x / y;
    double scale = 1 / ((slope > 0 ? slope : 0) + sqrt(b * x) / y), moments[BETA_SIZE][BETA_SIZE];

    if (scale < 1 / a)
        scale = 1 / a;
    if (parts && scale > 1)
        scale = 1;
    for (int i = 0; i <= ni; i++)
        for (int j = 0; j <= nj; j++)
            moments[i][j] = 0;
    for (int k = 0; k < AD_HALF_LINE_MOST; k++) {
        double weight;
        const double s = ad_half_line(k, scale, &weight), log_r = log1p(-x / y * expm1(-s));
        const double h = parts ? -(a + 1) * s + (b - 2) * log_r : -a * s + (b - 1) * log_r;
        if (h < -60 - (ni + nj) * log1p(s / scale))
            break;
        double row = weight * exp(h);
        for (int i = 0; i <= ni; i++) {
            double term = row;
            for (int j = 0; j <= nj; j++) {
                moments[i][j] += term;
                term *= log_r / (j + 1);
            }
            row *= -s / (i + 1);
        }
    }
    for (int i = 0; i <= ni; i++)
        for (int j = 0; j <= nj; j++) {
            if (parts)
                g[i][j] =
                    (i + j == 0) + x / y * ((b - 1) * moments[i][j] + (j ? moments[i][j - 1] : 0));
            else
                g[i][j] = moments[i][j];
        }
}

static double psi_step(int n, double a, double b)
{
    bool lost = false;

    return ad_psi_difference(&n, (const double[]){a, b}, &lost);
}

/* Of log(x^a y^b Gamma(a+b) / (Gamma(a) Gamma(b))), with a+1 for a in the second gamma function if 'small_a', b+1
 * for b in the third if 'small_b', and a+b+1 in the first if both: the poles of these are in other factors. */
static void betainc_factor(int ni, int nj, double a, double b, double log_x, double log_y,
                           bool small_a, bool small_b, beta_jet l)
{
    const int both = small_a && small_b;
    const double up_a = a + small_a, up_b = b + small_b;

    for (int i = 0; i <= ni; i++)
        for (int j = 0; j <= nj; j++) {
            double c = 0;
            if (i && j)
                c = ad_polygamma(i + j - 1, a + b + both);
            else if (i)
                c = psi_step(i - 1, up_a, b + (both - small_a));
            else if (j)
                c = psi_step(j - 1, up_b, a + (both - small_b));
            l[i][j] = c / (ad_factorial(i) * ad_factorial(j));
        }
    if (ni)
        l[1][0] += log_x;
    if (nj)
        l[0][1] += log_y;
}

/* Of (b+v) / (a+b+u+v) over its value, or if not 'both', of (b+v) / b: the poles that the factor leaves out. */
static void betainc_poles(int ni, int nj, double a, double b, bool both, beta_jet r)
{
    const double sum = a + b;

    for (int i = 0; i <= ni; i++)
        for (int j = 0; j <= nj; j++) {
            const int m = i + j;
            if (!both)
                r[i][j] = i ? 0 : j == 0 ? 1 : j == 1 ? 1 / b : 0;
            else if (j == 0)
                r[i][j] = pow(-sum, -m);
            else
                r[i][j] = pow(-sum, -m) / b *
                          ((i ? b * ad_binomial(m - 1, i - 1) : 0) - a * ad_binomial(m - 1, i));
        }
}

static void beta_jet_mul(int ni, int nj, beta_jet a, beta_jet b, beta_jet c)
{
    for (int i = 0; i <= ni; i++)
        for (int j = 0; j <= nj; j++) {
            c[i][j] = 0;
            for (int k = 0; k <= i; k++)
                for (int m = 0; m <= j; m++)
                    c[i][j] += a[k][m] * b[i - k][j - m];
        }
}

/* e = exp(l), l[0][0] = 0. */
static void beta_jet_exp(int ni, int nj, beta_jet l, beta_jet e)
{
    for (int i = 0; i <= ni; i++)
        for (int j = 0; j <= nj; j++) {
            double sum = 0;
            for (int k = 0; k <= i; k++)
                for (int m = 0; m <= j; m++)
                    if (k + m)
                        sum += (i ? k : m) * l[k][m] * e[i - k][j - m];
            e[i][j] = i + j ? sum / (i ? i : j) : 1;
        }
}

/* The derivative of orders i, j over the value, for x below the mean. */
static double betainc_lower(int i, int j, double a, double b, double x, double y, double log_x,
                            double log_y)
{
    beta_jet g, l, e, product;
    const bool small_a = a < 1, small_b = b < 1;

    betainc_integral(i, j, a, b, x, y, g);
    betainc_factor(i, j, a, b, log_x, log_y, small_a, small_b, l);
    beta_jet_exp(i, j, l, e);
    beta_jet_mul(i, j, e, g, product);
    if (small_b) {
        betainc_poles(i, j, a, b, small_a, l);
        beta_jet_mul(i, j, product, l, e);
        return ad_factorial(i) * ad_factorial(j) * e[i][j] / g[0][0];
    }
    return ad_factorial(i) * ad_factorial(j) * product[i][j] / g[0][0];
}

double ad_betainc(const int *order, const double *arg, bool *lost)
{
    const int i = order[0], j = order[1];
    const double a = arg[0], b = arg[1], x = arg[2], y = 1 - x;

    (void)lost;
    if (!(a > 0 && b > 0 && x >= 0 && x <= 1) || isinf(a) || isinf(b))
        return NAN;
    if (x == 0 || x == 1)
        return 0;
    if (b * x <= a * y)
        return arg[3] * betainc_lower(i, j, a, b, x, y, log(x), log1p(-x));
    return -arg[4] * betainc_lower(j, i, b, a, y, x, log1p(-x), log(x));
}

/* ---- the zeta function ------------------------------------------------------------------------- */

/* Coefficient n of zeta(s + t, q) by Euler and Maclaurin (DLMF 25.11.28), X = q + N:
 *
 *     sum_{k<N} (q+k)^-s + X^(1-s) / (s-1) + X^-s / 2 + sum_j B_2j / (2j)! (s)_{2j-1} X^(1-s-2j). */
static void hurwitz(int n, double s, double q, double *c)
{
    static const double bernoulli[] = {
        /* B_2j / (2j)! */
        8.3333333333333333e-2,   -1.3888888888888889e-3,  3.3068783068783069e-5,
        -8.2671957671957672e-7,  2.0876756987868099e-8,   -5.2841901386874932e-10,
        1.3382536530684679e-11,  -3.3896802963225829e-13, 8.5860620562778446e-15,
        -2.1748686985580619e-16, 5.5090028283602295e-18,  -1.3954464685812523e-19,
    };
    const int terms = q < 20 ? 20 : 0;
    const double x = q + terms, log_x = log(x), power = pow(x, -s);
    double e[AD_JET_SIZE], rest[AD_JET_SIZE], tail[AD_JET_SIZE], rising[AD_JET_SIZE];

    for (int i = 0; i <= n; i++)
        c[i] = 0;
    for (int k = 0; k < terms; k++) {
        double term = pow(q + k, -s);
        for (int i = 0; i <= n; i++) {
            c[i] += term;
            term *= -log(q + k) / (i + 1);
        }
    }
    e[0] = power;
    for (int i = 1; i <= n; i++)
        e[i] = -e[i - 1] * log_x / i;
    double inverse = x / (s - 1);
    for (int i = 0; i <= n; i++) {
        rest[i] = inverse + 0.5 * (i == 0);
        inverse /= -(s - 1);
        rising[i] = i == 0 ? s / x : i == 1 ? 1 / x : 0; /* (s + t)_{2j-1} X^(1-2j) */
    }
    for (int j = 1; j <= (int)(sizeof bernoulli / sizeof *bernoulli); j++) {
        for (int i = 0; i <= n; i++)
            rest[i] += bernoulli[j - 1] * rising[i];
        for (int step = 2 * j - 1; step <= 2 * j; step++)
            for (int i = n; i >= 0; i--)
                rising[i] = (rising[i] * (s + step) + (i ? rising[i - 1] : 0)) / x;
    }
    ad_jet_mul(n, e, rest, tail);
    for (int i = 0; i <= n; i++)
        c[i] += tail[i];
}

double ad_zeta(const int *order, const double *arg, bool *lost)
{
    const int n = order[0];
    double c[AD_JET_SIZE];

    (void)lost;
    if (!(arg[0] > 1 && arg[1] > 0) || isinf(arg[1]))
        return isinf(arg[1]) && arg[0] > 1 ? 0 : NAN;
    if (isinf(arg[0]))
        return NAN;
    hurwitz(n, arg[0], arg[1], c);
    return ad_factorial(n) * c[n];
}

/* Well left of 0 by DLMF 25.4.1:  zeta(s) = 2 (2 pi)^(s-1) sin(pi s / 2) Gamma(1 - s) zeta(1 - s). */
double ad_riemann_zeta(const int *order, const double *arg, bool *lost)
{
    const int n = order[0];
    const double s = arg[0];
    double c[AD_JET_SIZE], g[AD_JET_SIZE], e[AD_JET_SIZE], sine[AD_JET_SIZE], cosine[AD_JET_SIZE];

    (void)lost;
    if (isnan(s) || s == 1 || s == -INFINITY)
        return NAN;
    if (isinf(s))
        return 0;
    if (s >= -0.5) {
        hurwitz(n, s, 1, c);
        return ad_factorial(n) * c[n];
    }
    hurwitz(n, 1 - s, 1, c);
    ad_jet_lgamma(n, 1 - s, g);
    for (int k = 1; k <= n; k += 2) {
        c[k] = -c[k];
        g[k] = -g[k];
    }
    if (n)
        g[1] += 1.8378770664093455; /* log(2 pi) */
    e[0] = exp(ad_lgamma(1 - s) + (s - 1) * 1.8378770664093455) * 2;
    ad_jet_exp(n, g, e);
    ad_jet_mul(n, e, c, g);
    ad_jet_sin_cos_pi(n, 0.5 * s, sine, cosine);
    for (int k = 0; k <= n; k++)
        sine[k] = ldexp(sine[k], -k);
    ad_jet_mul(n, g, sine, c);
    return ad_factorial(n) * c[n];
}

/* ---- Dawson's integral ------------------------------------------------------------------------- */

/* D' = 1 - 2 x D,  D_{n+1} = -2 x D_n - 2 n D_{n-1}, where the terms cancel more and more for large x; there
 * the asymptotic series sum_k (2k-1)!! / 2^(k+1) x^-(2k+1) (DLMF 7.12), differentiated. */
double ad_dawsn(const int *order, const double *arg, bool *lost)
{
    const int n = order[0];
    const double x = arg[0];

    (void)lost;
    if (isinf(x))
        return 0;
    if (fabs(x) < 6) {
        double before = arg[1], d = 1 - 2 * x * before;
        for (int k = 1; k < n; k++) {
            const double next = -2 * x * d - 2 * k * before;
            before = d;
            d = next;
        }
        return d;
    }
    double sum = 0, term = 0.5 * ad_factorial(n) * pow(x, -n - 1), last = INFINITY;
    for (int k = 0; k < 60 && fabs(term) < last; k++) {
        sum += term;
        last = fabs(term);
        if (last < 1e-18 * fabs(sum))
            break;
        term *= (2 * k + 1) / (2 * x * x) * (2 * k + 1 + n) * (2 * k + 2 + n) /
                ((2 * k + 1.0) * (2 * k + 2));
    }
    return n % 2 ? -sum : sum;
}

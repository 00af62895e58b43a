/* ad_special_bessel.c -- Bessel functions and their derivatives in the order.
 *
 * DLMF is the NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov.
 *
 * Two methods give all derivatives in the order v at once.  Power series, whose terms are multiplied as truncated
 * Taylor series in v; and contour integrals of exp(x sinh t - v t) (DLMF 10.9.17, 10.9.18) and of
 * exp(x cosh t - v t) (10.32.12), where d^n/dv^n is the factor (-t)^n.  On a path of steepest descent such an
 * integrand is a bump without oscillation, so that the trapezoidal rule from its peak outwards converges
 * geometrically, and nothing cancels.  A step is chosen so small that the error is below 1e-15: half the
 * standard deviation of the bump, and a fraction of the distance to the nearest singularity of the path.
 *
 * Coefficient k of a result c[] is the k-th derivative in v, divided by k!.
 */
#include "ad_special_bessel.h"

#include "ad_jet.h"
#include "ad_special.h"
#include "ad_special_gamma.h"

#include <math.h>

static const double PI = 3.14159265358979323846;

enum { MOST_STEPS = 20000 };

/* Beyond, sines and cosines of x have less than ten digits. */
static const double FAR = 2e6;

/* ---- paths -------------------------------------------------------------------------------------- */

/* c[k] += Im or Re of (-t)^k / k! exp(re + i im) (slope + i) weight, t = u + i v: into 'real' and 'imag'. */
static void add_point(int n, double u, double v, double re, double im, double slope, double weight,
                      double *real, double *imag)
{
    const double size = weight * exp(re), c = size * cos(im), s = size * sin(im);
    double a = c * slope - s, b = c + s * slope;

    for (int k = 0; k <= n; k++) {
        if (real)
            real[k] += a;
        if (imag)
            imag[k] += b;
        const double next = -(a * u - b * v) / (k + 1);
        b = -(a * v + b * u) / (k + 1);
        a = next;
    }
}

/* sin v - v cos v, without cancellation for small v > 0. */
static double sine_excess(double v)
{
    const double s = v * v;

    if (v > 0.5)
        return sin(v) - v * cos(v);
    return v * s / 3 * (1 - s / 10 * (1 - s / 28 * (1 - s / 54 * (1 - s / 88 * (1 - s / 130)))));
}

/* w - sin w. */
static double sine_lag(double w)
{
    const double s = w * w;

    if (fabs(w) > 0.5)
        return w - sin(w);
    return w * s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72 * (1 - s / 110 * (1 - s / 156)))));
}

static void clear(int n, double *c)
{
    for (int k = 0; k <= n; k++)
        c[k] = 0;
}

/* ---- power series: J for sign = -1, I for sign = 1 ------------------------------------------------ */

/* sum_m (sign x^2/4)^m / (m! Gamma(v+m+1)) (x/2)^v, times exp(shift); v >= 0. */
static void power_series(int n, double v, double x, int sign, double shift, double *c)
{
    double term[AD_JET_SIZE], g[AD_JET_SIZE];
    const double q = 0.25 * x * x * sign;

    ad_jet_lgamma(n, v + 1, g);
    for (int k = 1; k <= n; k++)
        g[k] = -g[k];
    if (n)
        g[1] += log(0.5 * x);
    term[0] = exp(v * log(0.5 * x) - ad_lgamma(v + 1) + shift);
    ad_jet_exp(n, g, term);
    clear(n, c);
    for (int m = 1; m < MOST_STEPS; m++) {
        bool more = false;
        for (int k = 0; k <= n; k++) {
            const double sum = c[k] + term[k];
            more |= fabs(term[k]) > 1e-18 * fabs(sum);
            c[k] = sum;
        }
        if (!more && m > fabs(q) / (v + 1))
            break;
        for (int k = 0; k <= n; k++) /* times q / (m (v + m + t)) */
            term[k] = (term[k] * q / m - (k ? term[k - 1] : 0)) / (v + m);
    }
}

/* ---- K ------------------------------------------------------------------------------------------ */

/* d^n/dv^n d^k/dx^k exp(x) K_v(x), times exp(shift), v >= 0, from DLMF 10.32.9:
 *
 *     int_0^inf t^n cosh(v t) (1 - cosh t)^k exp(-x (cosh t - 1)) dt,     sinh for odd n. */
static double modified_k(int n, int k, double v, double x, double shift)
{
    const double ratio = v / x;
    const double peak = ratio < 1e200 ? asinh(ratio) : log(v) - log(x) + 0.69314718055994531;
    double step = 0.5 / sqrt(hypot(x, v)), sum = 0;

    if (step > 0.15)
        step = 0.15;
    const double start = rint(peak / step);
    for (int side = 1; side >= -1; side -= 2) {
        double last = 0;
        for (double j = side > 0 ? start : start - 1; j >= 0; j += side) {
            const double t = j * step, half = sinh(0.5 * t), lift = 2 * half * half;
            double e = v * t - x * lift + shift;
            if (k && t > 0)
                e += k * log(lift);
            double term = exp(e) * (n % 2 ? -expm1(-2 * v * t) : 1 + exp(-2 * v * t)) * 0.5;
            for (int i = 0; i < n; i++)
                term *= t;
            if (t == 0)
                term = k ? 0 : 0.5 * term;
            sum += term;
            if (term <= last && ((term <= 1e-18 * sum && sum > 0) || e < -760))
                break;
            last = term;
        }
    }
    return k % 2 ? -sum * step : sum * step;
}

/* The same for all n up to the given one, as coefficients; any v, in which K is even. */
static void modified_k_jet(int n, int k, double v, double x, double shift, double *c)
{
    for (int i = 0; i <= n; i++) {
        c[i] = modified_k(i, k, fabs(v), x, shift) / ad_factorial(i);
        if (v < 0 && i % 2)
            c[i] = -c[i];
    }
}

double ad_kve(const int *order, const double *arg, bool *lost)
{
    const double v = arg[0], x = arg[1];

    (void)lost;
    if (!(x > 0) || isnan(v) || isinf(v))
        return NAN;
    if (isinf(x))
        return 0;
    const double y = modified_k(order[0], order[1], fabs(v), x, 0);
    return v < 0 && order[0] % 2 ? -y : y;
}

double ad_kv(const int *order, const double *arg, bool *lost)
{
    const double v = arg[0], x = arg[1];

    (void)lost;
    if (!(x > 0) || isnan(v) || isinf(v))
        return NAN;
    if (isinf(x))
        return 0;
    const double y = modified_k(order[0], 0, fabs(v), x, -x);
    return v < 0 && order[0] % 2 ? -y : y;
}

/* ---- I ------------------------------------------------------------------------------------------ */

static const double SERIES_I = 15; /* up to this x by power series */

/* d^k/dx^k exp(-x) I_v(x), v >= 0, x > 0, on the path sinh u = kappa v / sin v from infinity - i pi to infinity +
 * i pi, which goes steepest down from the saddle if kappa = v / x; not lower than some fraction of the bump's
 * width above the real axis, where it has a corner. */
static void contour_i(int n, int k, double v, double x, double *c)
{
    double kappa = v / x, real[AD_JET_SIZE];

    if (kappa < 0.5 / sqrt(x))
        kappa = 0.5 / sqrt(x);
    const double step = 0.35 / sqrt(hypot(x, v)) / PI;
    clear(n, c);
    for (int j = 0; j < MOST_STEPS; j++) {
        const double s = tanh(j * step), a = PI * s, sine = j ? sin(PI * (1 - s)) : 1;
        const double rise = j ? kappa * a / sine : kappa;
        const double u = asinh(rise), cosine = cos(a), half = sinh(0.5 * u);
        const double slope = j ? kappa * sine_excess(a) / (sine * sine * hypot(1, rise)) : 0;
        const double half_sine = sin(0.5 * a);
        const double lift = 2 * half * half * cosine - 2 * half_sine * half_sine;
        const double turn = rise * sin(a);
        const double re = x * lift - v * u, im = x * turn - v * a;
        if (j && (re < -745 || (re < -50 && j > 40 && re < -60 - v * asinh(kappa))))
            break;
        double weight = PI * (1 - s * s) * step / PI, part[AD_JET_SIZE];
        if (j == 0)
            weight *= 0.5;
        clear(n, part);
        clear(n, real);
        add_point(n, u, a, re, im, slope, weight, real, part);
        for (int i = 0; i < k; i++) /* times lift + i turn */
            for (int m = 0; m <= n; m++) {
                const double old = part[m];
                part[m] = old * lift + real[m] * turn;
                real[m] = real[m] * lift - old * turn;
            }
        for (int m = 0; m <= n; m++)
            c[m] += part[m];
    }
}

static void modified_i_jet(int n, int k, double v, double x, double *c);

/* By v >= 0 only. */
static void modified_i_right(int n, int k, double v, double x, double *c)
{
    double part[AD_JET_SIZE];

    if (x > SERIES_I) {
        contour_i(n, k, v, x, c);
        return;
    }
    if (k == 0) {
        power_series(n, v, x, 1, -x, c);
        return;
    }
    clear(n, c); /* (exp(-x) I_v)' = exp(-x) ((I_{v-1} + I_{v+1}) / 2 - I_v) */
    for (int j = 0; j <= k; j++)
        for (int i = 0; i <= j; i++) {
            const double weight = ldexp(ad_binomial(k, j) * ad_binomial(j, i), -j);
            modified_i_jet(n, 0, v - j + 2 * i, x, part);
            for (int m = 0; m <= n; m++)
                c[m] += (k - j) % 2 ? -weight * part[m] : weight * part[m];
        }
}

/* sin(pi v) d^k/dx^k exp(-x) K_v(x) 2 / pi, what I_-v has more than I_v (DLMF 10.27.2). */
static void difference_i(int n, int k, double v, double x, double *c)
{
    double s[AD_JET_SIZE], unused[AD_JET_SIZE], part[AD_JET_SIZE], sum[AD_JET_SIZE];

    clear(n, sum);
    for (int j = 0; j <= k; j++) { /* exp(-2x) times exp(x) K */
        modified_k_jet(n, j, v, x, -2 * x, part);
        for (int m = 0; m <= n; m++)
            sum[m] += ad_binomial(k, j) * pow(-2, k - j) * part[m];
    }
    ad_jet_sin_cos_pi(n, v, s, unused);
    ad_jet_mul(n, sum, s, c);
    for (int m = 0; m <= n; m++)
        c[m] *= 2 / PI;
}

/* For small v the odd derivatives are small, and the even part of I in v is told from the odd one, which is half
 * the difference above: its own derivatives follow from those of even order at 0. */
static void modified_i_jet(int n, int k, double v, double x, double *c)
{
    const double size = fabs(v);
    double odd[AD_JET_SIZE], even[AD_JET_SIZE];

    modified_i_right(n, k, size, x, c);
    if (size < 0.01 && n > 0) {
        modified_i_right(n + 7 < AD_JET_ORDER ? n + 7 : AD_JET_ORDER, k, 0, x, even);
        difference_i(n, k, size, x, odd);
        for (int m = 1; m <= n; m += 2) {
            double sum = 0, power = size;
            for (int j = m + 1; j <= n + 7 && j <= AD_JET_ORDER; j += 2) {
                sum += even[j] * ad_binomial(j, m) * power;
                power *= size * size;
            }
            c[m] = sum - 0.5 * odd[m];
        }
    }
    if (v < 0) {
        difference_i(n, k, size, x, odd);
        for (int m = 0; m <= n; m++)
            c[m] = m % 2 ? -(c[m] + odd[m]) : c[m] + odd[m];
    }
}

double ad_ive(const int *order, const double *arg, bool *lost)
{
    const int n = order[0];
    const double v = arg[0], x = arg[1];
    double c[AD_JET_SIZE];

    (void)lost;
    if (x < 0 && n == 0 && v == rint(v)) { /* I_v(-x) = (-1)^v I_v(x) */
        const double y = ad_ive(order, (const double[]){v, -x}, lost);
        return (fmod(v, 2) != 0) != (order[1] % 2 != 0) ? -y : y;
    }
    if (!(x > 0) || isnan(v) || isinf(v)) {
        if (x == 0 && n == 0 && v == rint(v) && order[1] == 1) /* the mean of both sides */
            return fabs(v) == 1 ? 0.5 : 0;
        return NAN;
    }
    if (isinf(x))
        return 0;
    modified_i_jet(n, order[1], v, x, c);
    return ad_factorial(n) * c[n];
}

double ad_iv(const int *order, const double *arg, bool *lost)
{
    const double y = ad_ive((const int[]){order[0], 0}, arg, lost);

    return arg[1] > 700 ? y * exp(0.5 * arg[1]) * exp(0.5 * arg[1]) : y * exp(arg[1]);
}

/* ---- J and Y ------------------------------------------------------------------------------------ */

/* J_v(x), v >= x or nearly so: the path cosh u = kappa a / sin a from infinity - i pi to infinity + i pi
 * (DLMF 10.9.17), the steepest one if kappa = v / x.  Where the two saddles meet, a little outside of them. */
static void contour_j(int n, double v, double x, double *c)
{
    double kappa = v / x;
    const double least = 1 + 0.5 / cbrt(x * x);

    if (kappa < least)
        kappa = least;
    const double above = kappa - 1, u0 = log1p(above + sqrt(above * (2 + above)));
    double width = 1 / sqrt(x * sinh(u0)), corner = sqrt(6 * above);
    if (corner > 2)
        corner = 2;
    double step = 0.5 * width;
    if (step > corner / 8)
        step = corner / 8;
    step /= PI;
    clear(n, c);
    const double top = x * sinh(u0) - v * u0;
    for (int j = 0; j < MOST_STEPS; j++) {
        const double s = tanh(j * step), a = PI * s, sine = j ? sin(PI * (1 - s)) : 1;
        /* cosh u - 1 */
        const double rise = j ? above * a / sine + sine_lag(a) / sine : above;
        const double u = log1p(rise + sqrt(rise * (2 + rise))), root = sqrt(rise * (2 + rise));
        const double slope = j ? kappa * sine_excess(a) / (sine * sine * root) : 0;
        const double re = x * root * cos(a) - v * u, im = (x * kappa - v) * a;
        if (j && (re < -745 || re < top - 50))
            break;
        add_point(n, u, a, re, im, slope, (j ? 1 : 0.5) * (1 - s * s) * step, NULL, c);
    }
}

/* J and Y as real and imaginary part of the Hankel function (DLMF 10.9.18), on a path
 *
 *     cosh u = (sin b + cos b (a - b)) / sin a,     0 < a < pi,
 *
 * from -infinity to infinity + i pi, which goes steepest down from the saddle i b if cos b = v / x. */
static void hankel(int n, double v, double x, double cos_b, double *j, double *y)
{
    const double sin_b = sqrt((1 - cos_b) * (1 + cos_b)), b = acos(cos_b);
    const double start = log(b / (PI - b)), stretch = PI / (b * (PI - b));
    double step = 0.35 * stretch / sqrt(x * sin_b);

    if (step > 0.1)
        step = 0.1;
    clear(n, j);
    clear(n, y);
    for (int side = -1; side <= 1; side += 2) {
        for (int i = 0; i < MOST_STEPS; i++) {
            const double s = start + side * (i + 0.5) * step, e = exp(-fabs(s));
            const double a = s > 0 ? PI / (1 + e) : PI * e / (1 + e);
            const double rest = s > 0 ? PI * e / (1 + e) : PI / (1 + e); /* pi - a */
            const double w = a - b, sine = sin(a < rest ? a : rest), half = sin(0.5 * w);
            const double gap = sin_b * 2 * half * half + cos_b * sine_lag(w);
            const double rise = gap / sine; /* cosh u - 1 */
            const double root = sqrt(rise * (2 + rise)), size = log1p(rise + root);
            const double u = side * size, sinh_u = side * root, cosine = cos(a);
            /* d(cosh u)/da / sinh u */
            const double slope = (2 * sin(0.5 * (a + b)) * half - rise * cosine) / (sine * sinh_u);
            const double re = x * sinh_u * cosine - v * u;
            const double im = x * (sin_b + cos_b * w) - v * a;
            if (re < -60 || !(rise < 1e300))
                break;
            add_point(n, u, a, re, im, slope, a * rest / PI * step / PI, y, j);
        }
    }
    for (int k = 0; k <= n; k++)
        y[k] = -y[k];
}

/* Up to this order the Hankel function is computed for itself. */
static double hankel_limit(double x)
{
    return x > 3 ? x - cbrt(x) : 1.5;
}

static void bessel_j(int n, double v, double x, double *c)
{
    double y[AD_JET_SIZE];

    if (x * x <= 16 + 6 * v)
        power_series(n, v, x, -1, 0, c);
    else if (v <= hankel_limit(x))
        hankel(n, v, x, v / x, c, y);
    else
        contour_j(n, v, x, c);
}

/* Upwards from orders at which it is not yet large. */
static void bessel_y(int n, double v, double x, double *c)
{
    const double limit = hankel_limit(x);
    double before[AD_JET_SIZE], unused[AD_JET_SIZE];

    if (x > 3 && v <= limit) {
        hankel(n, v, x, v / x, unused, c);
        return;
    }
    const double steps = x > 3 ? ceil(v + 1 - limit) : floor(v + 0.5), first = v - steps;
    hankel(n, first, x, x > 3 ? first / x : 0, unused, before);
    if (steps == 0) {
        for (int k = 0; k <= n; k++)
            c[k] = before[k];
        return;
    }
    hankel(n, first + 1, x, x > 3 ? (first + 1) / x : 0, unused, c);
    for (double i = 1; i < steps; i++) {
        for (int k = n; k >= 0; k--) {
            const double next = 2 / x * ((first + i) * c[k] + (k ? c[k - 1] : 0)) - before[k];
            before[k] = c[k];
            unused[k] = next;
        }
        for (int k = 0; k <= n; k++)
            c[k] = unused[k];
        if (!(fabs(c[n]) < 1e300)) { /* Y itself may still be finite, but not for long */
            for (int k = 0; k <= n; k++)
                c[k] = -INFINITY;
            return;
        }
    }
}

/* J, or Y, of any order v; the reflection of DLMF 10.4.6 and 10.4.7 for negative ones. */
static void bessel(int n, double v, double x, bool second, double *c)
{
    double j[AD_JET_SIZE], y[AD_JET_SIZE], s[AD_JET_SIZE], cosine[AD_JET_SIZE], part[AD_JET_SIZE];

    if (v >= 0) {
        if (second)
            bessel_y(n, v, x, c);
        else
            bessel_j(n, v, x, c);
        return;
    }
    bessel_j(n, -v, x, j);
    bessel_y(n, -v, x, y);
    ad_jet_sin_cos_pi(n, -v, s, cosine);
    ad_jet_mul(n, j, second ? s : cosine, c);
    ad_jet_mul(n, y, second ? cosine : s, part);
    for (int k = 0; k <= n; k++) {
        c[k] += second ? part[k] : -part[k];
        if (k % 2)
            c[k] = -c[k];
    }
}

static double bessel_order(int n, double v, double x, bool second, bool *lost)
{
    double c[AD_JET_SIZE];

    if (!(x >= 0) || isnan(v) || isinf(v))
        return NAN;
    if (x == 0)
        return second || v <= 0 ? NAN : 0;
    if (isinf(x))
        return 0;
    if (x > FAR || fabs(v) > FAR)
        *lost = true;
    else {
        bessel(n, v, x, second, c);
        return ad_factorial(n) * c[n];
    }
    return NAN;
}

double ad_jv(const int *order, const double *arg, bool *lost)
{
    return bessel_order(order[0], arg[0], arg[1], false, lost);
}

double ad_yv(const int *order, const double *arg, bool *lost)
{
    return bessel_order(order[0], arg[0], arg[1], true, lost);
}

/* ---- 0F1 ---------------------------------------------------------------------------------------- */

/* The power series, and for large -x Gamma(b) z^(1-b) J_{b-1}(2 z), z = sqrt(-x) (DLMF 10.16.9); its derivative in
 * x is 0F1(; b+1; x) / b. */
double ad_hyp0f1(const int *order, const double *arg, bool *lost)
{
    const int n = order[0], k = order[1];
    const double b = arg[0] + k, x = arg[1], z = sqrt(fabs(x));
    double c[AD_JET_SIZE], g[AD_JET_SIZE], e[AD_JET_SIZE], sum[AD_JET_SIZE];

    if (isnan(b) || isnan(x) || isinf(b) || isinf(x) || (arg[0] <= 0 && arg[0] == rint(arg[0])))
        return NAN;
    if (x >= -16 - fabs(b)) { /* sum of x^m / (m! (b)_m) */
        double term[AD_JET_SIZE];
        clear(n, sum);
        clear(n, term);
        term[0] = 1;
        for (int m = 0; m < MOST_STEPS; m++) {
            bool more = m <= 2 - b;
            for (int i = 0; i <= n; i++) {
                sum[i] += term[i];
                more |= fabs(term[i]) > 1e-18 * fabs(sum[i]);
            }
            if (!more)
                break;
            for (int i = 0; i <= n; i++)
                term[i] = (term[i] * x / (m + 1) - (i ? term[i - 1] : 0)) / (b + m);
        }
    } else {
        if (2 * z > FAR || fabs(b) > FAR) {
            *lost = true;
            return NAN;
        }
        bessel(n, b - 1, 2 * z, false, c);
        e[0] = 1;
        clear(n, g);
        if (n)
            g[1] = -log(z);
        ad_jet_exp(n, g, e);
        ad_jet_mul(n, e, c, sum);
        double size = exp((1 - b) * log(z));
        if (b < 0.5) {
            ad_jet_rgamma(n, b, g);
        } else {
            size = exp(ad_lgamma(b) + (1 - b) * log(z));
            ad_jet_lgamma(n, b, c);
            for (int i = 1; i <= n; i++)
                c[i] = -c[i];
            g[0] = 1;
            ad_jet_exp(n, c, g);
        }
        ad_jet_div(n, sum, g, c);
        for (int i = 0; i <= n; i++)
            sum[i] = c[i] * size;
    }
    for (int j = 0; j < k; j++) /* over (b)_k, in the first b */
        for (int i = 0; i <= n; i++)
            sum[i] = (sum[i] - (i ? sum[i - 1] : 0)) / (arg[0] + j);
    return ad_factorial(n) * sum[n];
}

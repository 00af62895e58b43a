/* ad_special_student.c -- Student's distribution, whose derivatives in the degrees of freedom nearly cancel.
 *
 * For many degrees of freedom v the distribution tends to the normal one and its derivatives in v fall as 1 / v^2,
 * while those of each of its factors fall as 1 / v: the differences are written out here.
 */
#include "ad_special_student.h"

#include "ad_jet.h"
#include "ad_quadrature.h"
#include "ad_special.h"
#include "ad_special_gamma.h"

#include <math.h>

enum { MOST = 3 };

/* For small r the sum over k >= 2 of (-1)^k (k-1) / k r^k. */
static double excess(double r)
{
    double power = -r, sum = 0;

    if (!(fabs(r) < 0.1))
        return log1p(r) - r / (1 + r);
    for (int k = 2; k < 20; k++) {
        power *= -r;
        sum += power * (k - 1) / k;
    }
    return sum;
}

double ad_log1p_excess(const int *order, const double *x, bool *lost)
{
    (void)order;
    (void)lost;
    return excess(x[0]);
}

/* With a = v / 2 the peak is Gamma(a + 1/2) / (Gamma(a) sqrt(2 pi a)), and by what Stirling's formula leaves over,
 * its logarithm is S(a + 1/2) - S(a) + a log(1 + 1/(2a)) - 1/2 - log(2 pi) / 2. */
double ad_student_peak(const int *order, const double *x, bool *lost)
{
    const int n = order[0];
    const double v = x[0], a = 0.5 * v, up = a + 0.5, e = 0.5 / a;

    if (!(v > 0))
        return NAN;
    if (n >= 2) {
        const double power = ad_factorial(n - 1) * pow(v, -n) * 0.5;
        const double step = ad_psi_difference(&(int){n - 1}, (double[]){a, 0.5}, lost);
        return ldexp(step, -n) + (n % 2 ? -power : power);
    }
    const double step = ad_stirling(&n, &up, lost) - ad_stirling(&n, &a, lost);
    if (n == 1)
        return 0.5 * (step + excess(e));
    return step + a * log1p(e) - 0.5 - 0.91893853320467274;
}

/* Coefficient k of the logarithm of the density at s, s^2 / v = r, as a series in a step of v. */
static void log_density(int n, double v, double r, const double *peak, double *l)
{
    const double square = r * v, b = v, a = v + square, ratio = square / (a * b);

    l[0] = 0;
    if (n >= 1)
        l[1] = peak[1] - 0.5 * excess(r) + 0.5 * r / (1 + r) / v;
    if (n >= 2)
        l[2] = peak[2] - 0.25 * ratio / (a * b) * (a + b - b * square);
    if (n >= 3)
        l[3] = peak[3] - ratio / (a * b) / (12 * a * b) *
                             (b * square * (a + 2 * b) - 2 * (a * a + a * b + b * b));
}

/* With s = sqrt(v) sinh(w) the density times ds is cosh(w)^-v dw: outside by the tail, whose value is given; near 0
 * by the integral from 0. */
double ad_stdtr(const int *order, const double *x, bool *lost)
{
    const int n = order[0];
    const double v = x[0], t = fabs(x[1]), tail = x[2], start = asinh(t / sqrt(v));
    double peak[MOST + 1] = {0}, l[MOST + 1], e[MOST + 1], sum = 0, total = 0;

    if (!(v > 0) || isnan(t) || isinf(v))
        return NAN;
    if (n > MOST) {
        *lost = true;
        return NAN;
    }
    if (isinf(t))
        return 0;
    for (int k = 1; k <= n; k++)
        peak[k] = ad_student_peak(&k, &v, lost) / ad_factorial(k);
    e[0] = 1;
    if (t <= 1) {
        for (int i = -AD_GAUSS_HALF; i < AD_GAUSS_HALF; i++) {
            const int at = i < 0 ? -1 - i : i;
            const double node = i < 0 ? -ad_gauss_node[at] : ad_gauss_node[at];
            const double w = 0.5 * start * (1 + node), s = sinh(w);
            log_density(n, v, s * s, peak, l);
            ad_jet_exp(n, l, e);
            sum += ad_gauss_weight[at] * exp(-0.5 * v * log1p(s * s)) * e[n];
        }
        const int zero = 0;
        sum *= 0.5 * start * sqrt(v) * exp(ad_student_peak(&zero, &v, lost)) * ad_factorial(n);
        return x[1] < 0 ? -sum : sum;
    }
    const double scale = 1 / (v * tanh(start) + sqrt(v) / cosh(start));
    for (int k = 0; k < AD_HALF_LINE_MOST; k++) {
        double weight;
        const double step = ad_half_line(k, scale, &weight), s = sinh(start + step);
        /* log(cosh(start + step) / cosh(start)) */
        const double rise =
            step + log1p(exp(-2 * start) * expm1(-2 * step) / (1 + exp(-2 * start)));
        if (v * rise > 60 + n * log1p(step / scale))
            break;
        weight *= exp(-v * rise);
        total += weight;
        if (s > 1e150)
            continue; /* the density is below 1e-300 */
        log_density(n, v, s * s, peak, l);
        ad_jet_exp(n, l, e);
        sum += weight * e[n];
    }
    sum *= tail / total * ad_factorial(n);
    return x[1] < 0 ? sum : -sum;
}

/* ad_gamma.h -- the gamma function, without calls and branches, for the compiler to vectorise loops over it. */
#ifndef AD_GAMMA_H
#define AD_GAMMA_H

#include "ad_elementary.h"

/*
 * Gamma(x): NaN at negative integers and at -inf, an infinity of the sign of a zero.
 *
 * From a negative x the reflection formula leads to 1 - x, Gamma(x) Gamma(1 - x) = pi / sin(pi x), and from
 * below 3 up to three factors to z >= 3. There, by Stirling's formula,
 *
 *     Gamma(z) = exp(t) (sqrt(2 pi) + c(1/z) / z),     t = (z - 1/2) log(z) - z,
 *
 * with the Chebyshev series of c in powers of 6/z - 1. The rounding error of t would be that of the result,
 * so that t is given in two parts: log(z) as in ad_ln(), with s = f / (2 + f) also in two parts, the first of
 * which, and the first of ln 2, are multiples of 2^-28. Their sum and its product with z - 1/2, rounded to a
 * multiple of 2^-12, are exact.
 */
AD_INLINE double ad_gamma(double x)
{
    static const double c[] = {
        0.21014843252028756,     0.0010752056833167134,  -0.00018581693356669565,
        3.0383560985550393e-06,  1.2112909538417175e-06, -1.2168750985336808e-07,
        -1.068611491118912e-08,  4.183917226036364e-09,  -2.5410075152724074e-10,
        -1.177575968367505e-10,  3.430513151553608e-11,  -1.094986908399637e-12,
        -1.7840498260985455e-12, 4.2670454581433927e-13,
    };
    static const double atanh_rest[] = {
        0.6666666666666666,  0.4,
        0.2857142857142857,  0.2222222222222222,
        0.18181818181818182, 0.15384615384615385,
        0.13333333333333333, 0.11764705882352941,
        0.10526315789473684, 0.09523809523809523,
    };
    const int negative = x < 0;
    const double positive = ad_choice(negative, 1 - x, x);
    const double lost = ad_choice(negative, (1 - positive) - x, 0); /* what this rounding took */
    const double n = ad_choice(positive < 3, 1, 0) + ad_choice(positive < 2, 1, 0) +
                     ad_choice(positive < 1, 1, 0);
    const double sum = positive + n, z = ad_choice(sum > 200, 200, sum);
    const double z_rest = (positive - (sum - n)) + lost;
    const double factors = ad_choice(positive < 3, positive, 1) *
                           ad_choice(positive < 2, positive + 1, 1) *
                           ad_choice(positive < 1, positive + 2, 1);

    /* z = 2^k m, as in ad_ln() */
    const uint64_t low = UINT64_C(0x3fe6a09e667f3bcd);
    const uint64_t bits = ad_bits(z) - low + (UINT64_C(1023) << 52);
    const double k = ad_of_bits(bits >> 52 | UINT64_C(0x4330000000000000)) - (0x1p52 + 1023);
    const double m = ad_of_bits((bits & UINT64_C(0x000fffffffffffff)) + low), f = m - 1;

    /* s = f / (m + 1) = s_hi + s_lo; s_hi times m_hi is exact */
    const double s = f / (1 + m), s_hi = (s + 0x1.8p24) - 0x1.8p24, m_hi = ad_upper_half(m);
    const double s_lo = (((f - s_hi) - s_hi * m_hi) - s_hi * (m - m_hi)) / (1 + m);
    const double square = s * s;
    const double log_hi = k * 0x1.62e42fep-1 + 2 * s_hi;
    const double log_lo =
        k * 1.8206359985041462e-09 + (2 * s_lo + s * (square * AD_POLYNOMIAL(atanh_rest, square)));

    const double a = z - 0.5, a_hi = (a + 0x1.8p40) - 0x1.8p40;
    const double product = a_hi * log_hi, main = product - z, back = main + z;
    const double rest = ((product - back) - (z - (back - main))) + (a - a_hi) * log_hi +
                        a * log_lo + z_rest * (log_hi - 0.5 / z); /* the derivative of log Gamma */
    const double t = main + rest, t_lo = (main - t) + rest;
    const double root = 2.5066282746310005 + AD_POLYNOMIAL(c, 6 / z - 1) / z;

    const double turned = 3.14159265358979323846 / (ad_sin_pi(x) * root) * factors;
    const double side = ad_choice(negative, -1, 1);
    const double y = ad_times_exp(ad_choice(negative, turned, root), side * t, side * t_lo) /
                     ad_choice(negative, 1, factors);
    const int whole = x == rint(x);
    const double exact = ad_choice(whole & (x < 18), ad_choice(negative, NAN, rint(y)), y);

    return ad_choice(x > 172, INFINITY, exact);
}

#endif

/* ad_elementary.h -- polynomials, exp, log and sin as building blocks: no calls, branches or tables, so that
 * loops over what is made of them are vectorised, and a number has the same bits alone and in a vector.
 *
 * Where a result would lose digits of its argument, the argument is given in two parts, hi + lo.
 */
#ifndef AD_ELEMENTARY_H
#define AD_ELEMENTARY_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "ad_base.h"

/* c[0] + c[1] t + ... + c[n-1] t^(n-1), n >= 4 a constant: even and odd powers apart are two short chains
 * instead of a long one.  c[0], which is the largest, is added to all the rest, so that there is one rounding
 * of its size. */
AD_INLINE double ad_polynomial(const double *c, int n, double t)
{
    const double s = t * t;
    double even = c[(n - 1) & ~1], odd = c[(n & ~1) - 1];

    AD_UNROLLED
    for (int i = ((n - 1) & ~1) - 2; i >= 2; i -= 2)
        even = even * s + c[i];
    AD_UNROLLED
    for (int i = (n & ~1) - 3; i >= 1; i -= 2)
        odd = odd * s + c[i];
    return c[0] + (t * odd + s * even);
}
#define AD_POLYNOMIAL(c, t) ad_polynomial(c, (int)(sizeof(c) / sizeof *(c)), t)

/* ---- bits of a number ------------------------------------------------------------------------ */

AD_INLINE uint64_t ad_bits(double x)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

AD_INLINE double ad_of_bits(uint64_t bits)
{
    double x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

/* x if the condition holds, else z: both are computed.  Of a plain choice between long expressions
 * compilers make a branch, and no vector. */
AD_INLINE double ad_choice(int condition, double x, double z)
{
    const uint64_t mask = -(uint64_t)(condition != 0);

    return ad_of_bits((ad_bits(x) & mask) | (ad_bits(z) & ~mask));
}

/* x without the lower half of its digits, so that the square of what is left is exact. */
AD_INLINE double ad_upper_half(double x)
{
    return ad_of_bits(ad_bits(x) & UINT64_C(0xfffffffff8000000));
}

/* 2^k for integers -1022 <= k <= 1023: the sum holds k + 1023, the bits of the exponent, in the
 * lowest bits of its mantissa. */
AD_INLINE double ad_power_of_two(double k)
{
    return ad_of_bits(ad_bits(k + (0x1.8p52 + 1023)) << 52);
}

/* ---- exp ------------------------------------------------------------------------------------- */

/*
 * f exp(hi + lo) to within an ulp, for |hi| <= 1400, beyond the range of results.
 *
 * With hi = k ln 2 + r, |r| <= ln(2) / 2, it is 2^k exp(r). The first part of ln 2 has so few
 * digits that its product with k is exact. The Taylor polynomial of exp(r) ends at degree 13, where
 * what is left out is below 2^-57. The power of two is given in two factors, so that only the last
 * product is rounded where the result is subnormal.
 */
AD_INLINE double ad_times_exp(double f, double hi, double lo)
{
    const double k = (hi * 1.4426950408889634 + 0x1.8p52) - 0x1.8p52; /* rint(hi / ln 2) */
    const double r = (hi - k * 0x1.62e42feep-1) - (k * 0x1.a39ef35793c76p-33 - lo), s = r * r;
    const double even =
        1.0 / 2 +
        s * (1.0 / 24 +
             s * (1.0 / 720 + s * (1.0 / 40320 + s * (1.0 / 3628800 + s * (1.0 / 479001600)))));
    const double odd =
        1.0 / 6 +
        s * (1.0 / 120 +
             s * (1.0 / 5040 + s * (1.0 / 362880 + s * (1.0 / 39916800 + s * (1.0 / 6227020800)))));
    const double first = k < -1000 ? -1000 : k > 1000 ? 1000 : k;

    return f * (1 + (r + s * (even + r * odd))) * ad_power_of_two(first) *
           ad_power_of_two(k - first);
}

/* exp(-|x|). */
AD_INLINE double ad_exp_minus_abs(double x)
{
    return ad_times_exp(1, fabs(x) > 746 ? -746.0 : -fabs(x), 0); /* exp(-746) is 0 */
}

/* f exp(c x^2) for c = 1, -1 or -1/2, whose products are exact.  The square is given to exp in two
 * parts: its rounding error would be that of the result, times x^2. */
AD_INLINE double ad_times_exp_square(double f, double c, double x)
{
    const double most = c == -0.5 ? 40 : 30; /* past the end of the range */
    const double a = fabs(x) > most ? most : fabs(x);
    const double h = ad_upper_half(a);

    return ad_times_exp(f, c * (h * h), c * ((a - h) * (a + h)));
}

/* ---- log ------------------------------------------------------------------------------------- */

/*
 * log(x) to within an ulp.
 *
 * With x = 2^k m, m in [sqrt(1/2), sqrt(2)), f = m - 1 and s = f / (2 + f), it is k ln 2 + log(1 + f) and
 * log(1 + f) = 2 atanh(s) = 2 s + s R, R = 2/3 s^2 + 2/5 s^4 + ...; with h = f^2 / 2 that is f - (h - s (h + R)),
 * where f is exact and the rest small.
 */
AD_INLINE double ad_ln(double x)
{
    static const double c[] = {
        0.6666666666666666,  0.4,
        0.2857142857142857,  0.2222222222222222,
        0.18181818181818182, 0.15384615384615385,
        0.13333333333333333, 0.11764705882352941,
        0.10526315789473684, 0.09523809523809523,
    };
    const uint64_t low = UINT64_C(0x3fe6a09e667f3bcd); /* of sqrt(1/2) */
    const int small = x < 2.2250738585072014e-308;
    const uint64_t bits = ad_bits(small ? x * 0x1p54 : x) - low + (UINT64_C(1023) << 52);
    /* 2^52 + 1023 + k */
    const double raised = ad_of_bits(bits >> 52 | UINT64_C(0x4330000000000000));
    const double k = raised - (small ? 0x1p52 + 1023 + 54 : 0x1p52 + 1023);
    const double f = ad_of_bits((bits & UINT64_C(0x000fffffffffffff)) + low) - 1;
    const double s = f / (2 + f), square = s * s, h = 0.5 * f * f;
    const double rest = square * AD_POLYNOMIAL(c, square);
    const double y = k * 0x1.62e42feep-1 - ((h - (s * (h + rest) + k * 0x1.a39ef35793c76p-33)) - f);

    return ad_choice((x > 0) & (x <= 1.7976931348623157e308), y,
                     ad_choice(x == 0, -INFINITY, ad_choice(x > 0, x, NAN)));
}

/* log(1 + x): the logarithm of the rounded sum, and what it was rounded by. */
AD_INLINE double ad_ln1p(double x)
{
    const double u = 1 + x, lost = x < 1 ? x - (u - 1) : 1 - (u - x);
    const double y = ad_ln(u);

    return ad_choice(x == 0, x,
                     ad_choice((u > 0) & (u <= 1.7976931348623157e308), y + lost / u, y));
}

/* ---- sin ------------------------------------------------------------------------------------- */

/* sin(pi x): sin or cos, by their Taylor polynomials, of what pi x is beyond a multiple of pi / 2, which
 * is found exactly. */
AD_INLINE double ad_sin_pi(double x)
{
    const double r = x - 2 * rint(0.5 * x), quarter = rint(2 * r), turns = fabs(quarter);
    const double d = 3.14159265358979323846 * (r - 0.5 * quarter), s = d * d;
    const double sine =
        -1.0 / 6 +
        s * (1.0 / 120 +
             s * (-1.0 / 5040 +
                  s * (1.0 / 362880 + s * (-1.0 / 39916800 +
                                           s * (1.0 / 6227020800 + s * (-1.0 / 1307674368000))))));
    const double cosine =
        1.0 / 24 +
        s * (-1.0 / 720 +
             s * (1.0 / 40320 +
                  s * (-1.0 / 3628800 + s * (1.0 / 479001600 + s * (-1.0 / 87178291200 +
                                                                    s * (1.0 / 20922789888000))))));

    return ad_choice(turns == 1, quarter * (1 - s * (0.5 - s * cosine)),
                     (1 - turns) * (d + d * s * sine));
}

#endif

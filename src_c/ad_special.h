/* ad_special.h -- the functions in the value column of ad_ops.def that C does not have.
 *
 * A NaN argument gives NaN, except where a comment says otherwise; infinities give the limit.  No
 * function keeps state, so threads may share all of them.  The short ones are inline, and free of
 * calls where possible, for the compiler to vectorise the loops over them.
 */
#ifndef AD_SPECIAL_H
#define AD_SPECIAL_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/*
 * The parameter p of a FAMILY row is a double that holds an integer: how often to differentiate.
 * These functions give NaN for a negative p, and for one beyond the largest they are made for.
 */
enum {
    AD_MOST_POLYGAMMA = 170, /* 171! is no double */
    AD_MOST_SINC = 600,      /* nor is pi^621 */
    AD_MOST_ERFCX = 1000,
    AD_MOST_MILLS = 64
};

/* log|Gamma(x)|, without the global sign of lgamma(). */
double ad_lgamma(double x);

/* p-th derivative of digamma for all real x.  At a pole: the infinity of both sides if they agree; at
 * +-0 the one on the side of the sign; else NaN. */
double ad_polygamma(double p, double x);

/* The y with erf(y) = x; NaN for |x| > 1. */
double ad_erfinv(double x);

/* The standard normal distribution function, and its inverse: NaN outside of [0, 1]. */
double ad_ndtr(double x);
double ad_ndtri(double p);

/* The y with erfc(y) = x; NaN outside of [0, 2]. */
double ad_erfcinv(double x);

/* The gamma function: NaN at negative integers and at -inf, an infinity of the sign of a zero. */
double ad_gamma(double x);

/* log of the standard normal distribution function. */
double ad_log_ndtr(double x);

/* p-th derivative of phi(x) / Phi(x), the normal density over the distribution function (the inverse
 * of a Mills ratio). */
double ad_mills(double p, double x);

/* p-th derivative of exp(x^2) erfc(x). */
double ad_erfcx(double p, double x);

/* p-th derivative of sin(pi x) / (pi x). */
double ad_sinc_of_order(double p, double x);

/* x to the power of an integer. */
static inline double ad_powi(double p, double x)
{
    return p == 2 ? x * x : p == 1 ? x : p == -1 ? 1 / x : pow(x, p);
}

/* sin(pi x) / (pi x), without a call or a branch: sin and cos of what pi x is beyond a multiple of
 * pi / 2, which is found exactly, by their Taylor polynomials. */
static inline double ad_sinc_itself(double x)
{
    const double pi = 3.14159265358979323846, a = fabs(x), r = a - 2 * rint(0.5 * a);
    const double quarter = rint(2 * r), turns = fabs(quarter), d = pi * (r - 0.5 * quarter);
    const double s = d * d;
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
    const double top =
        turns == 1 ? quarter * (1 - s * (0.5 - s * cosine)) : (1 - turns) * (d + d * s * sine);
    const double y = a == 0 ? 1 : top / (pi * a);

    return a > 1.7976931348623157e308 ? 0 : y;
}

/* p-th derivative of sinc(x). */
static inline double ad_sinc(double p, double x)
{
    return p == 0 ? ad_sinc_itself(x) : ad_sinc_of_order(p, x);
}

static inline double ad_sign(double x)
{
    return x > 0 ? 1 : x < 0 ? -1 : x == 0 ? 0 : x;
}

/* C leaves open which of 0 and -0 is larger, and compilers answer one way in loops and another
 * elsewhere.  Here a maximum of two zeros is the second, as NumPy's is on x86 everywhere; fmax is the
 * first, as NumPy's is of two numbers: of arrays it is now one, now the other. */
static inline double ad_maximum(double x, double z)
{
    return x > z || x != x ? x : z;
}

static inline double ad_minimum(double x, double z)
{
    return x < z || x != x ? x : z;
}

static inline double ad_fmax(double x, double z)
{
    return x >= z || z != z ? x : z;
}

static inline double ad_fmin(double x, double z)
{
    return x <= z || z != z ? x : z;
}

/* With lo > hi the result is hi, as in NumPy; of x and a bound that are both zero it is x. */
static inline double ad_clip(double x, double lo, double hi)
{
    double y = x >= lo || x != x ? x : lo;

    return y <= hi || y != y ? y : hi;
}

/* The share of x in a maximum of x and z: 1 if x > z, 0 if x < z, 1/2 if equal.  NaN counts as
 * smaller than every number and equal to itself, which is the choice of fmax. */
static inline double ad_above(double x, double z)
{
    const double x_wins = (x > z) | ((z != z) & (x == x)) ? 0.5 : 0.0;
    const double z_wins = (x < z) | ((x != x) & (z == z)) ? 0.5 : 0.0;
    return 0.5 + x_wins - z_wins;
}

/* 0 for x < 0, z at 0, 1 for x > 0; nan for nan. */
static inline double ad_heaviside(double x, double z)
{
    double y = x > 0 ? 1.0 : x;

    y = x < 0 ? 0.0 : y;
    return x == 0 ? z : y;
}

/* fmod(x, z) without its loop over the bits of the quotient.  Rounded, the quotient has reached at
 * most the next integer, and what is left of x in either case is a multiple of z's last bit and not
 * larger than z, so that fma() gives it exactly. */
static inline double ad_fmod(double x, double z)
{
    const double a = fabs(x), b = fabs(z), quotient = a / b;
    double r;

    if (a < b)
        return x;
    if (!(quotient < 0x1p52))
        return fmod(x, z);
    r = fma(-(double)(int64_t)quotient, b, a);
    return copysign(r < 0 ? r + b : r, x);
}

/* Remainder of the floor division, with the sign of z: Python's x % z. */
static inline double ad_remainder(double x, double z)
{
    const double r = ad_fmod(x, z);
    return r == 0 ? copysign(0.0, z) : (r < 0) != (z < 0) ? r + z : r;
}

/* floor(x / z) of the exact quotient, Python's x // z: the rounded one may have reached the next
 * integer, as 1.0 / 0.1 does; where it is farther from all integers than its rounding took it, its
 * floor is right.  For z = 0 it is x / z. */
static inline double ad_floor_divide(double x, double z)
{
    const double near = x / z;

    if (fabs(near - rint(near)) > 0x1p-52 * fabs(near))
        return floor(near);

    const double r = ad_fmod(x, z), quotient = (x - r) / z - (r != 0 && (r < 0) != (z < 0));

    return z == 0 ? x / z : quotient == 0 ? copysign(0.0, x / z) : rint(quotient);
}

/* 2^k for integers -1022 <= k <= 1023: the sum holds k + 1023, the bits of the exponent, in the
 * lowest bits of its mantissa. */
static inline double ad_power_of_two(double k)
{
    const double sum = k + (0x1.8p52 + 1023);
    uint64_t bits;
    double y;

    memcpy(&bits, &sum, sizeof bits);
    bits <<= 52;
    memcpy(&y, &bits, sizeof y);
    return y;
}

/* x over the power of 2 that leaves a magnitude in [1/2, 1), as of frexp; 0 and what is not finite as it is.
 * A subnormal number is made a normal one first, whose exponent can be overwritten. */
static inline double ad_mantissa(double x)
{
    const double normal = fabs(x) < 2.2250738585072014e-308 ? x * 0x1p54 : x;
    uint64_t bits;
    double y;

    memcpy(&bits, &normal, sizeof bits);
    bits = (bits & UINT64_C(0x800fffffffffffff)) | UINT64_C(0x3fe0000000000000);
    memcpy(&y, &bits, sizeof y);
    return x == 0 || !isfinite(x) ? x : y;
}

/* The exponent of that power of 2; 0 for 0 and what is not finite. */
static inline int32_t ad_exponent(double x)
{
    const int small = fabs(x) < 2.2250738585072014e-308;
    const double normal = small ? x * 0x1p54 : x;
    uint64_t bits;

    memcpy(&bits, &normal, sizeof bits);
    bits = (bits >> 52 & 0x7ff) - (small ? 1022u + 54 : 1022u);
    return (int32_t)(uint32_t)(x == 0 || !isfinite(x) ? 0 : bits);
}

static inline double ad_mantissa_slope(double x)
{
    return x == 0 || !isfinite(x) ? 1 : ad_mantissa(x) / x;
}

/*
 * exp(-|x|) to within an ulp, without a call, a branch or a table, so that loops over it are
 * vectorised.
 *
 * With -|x| = k ln 2 + r, |r| <= ln(2) / 2, it is 2^k exp(r). The first part of ln 2 has so few
 * digits that its product with k is exact. The Taylor polynomial of exp(r) ends at degree 13, where
 * what is left out is below 2^-57; even and odd powers apart are two short chains instead of a long
 * one. The power of two is given in two factors, so that only the last product is rounded where the
 * result is subnormal.
 */
static inline double ad_exp_minus_abs(double x)
{
    const double a = fabs(x) > 746 ? -746.0 : -fabs(x);              /* exp(-746) is 0 */
    const double k = (a * 1.4426950408889634 + 0x1.8p52) - 0x1.8p52; /* rint(a / ln 2) */
    const double r = (a - k * 0x1.62e42feep-1) - k * 0x1.a39ef35793c76p-33, s = r * r;
    const double even =
        1.0 / 2 +
        s * (1.0 / 24 +
             s * (1.0 / 720 + s * (1.0 / 40320 + s * (1.0 / 3628800 + s * (1.0 / 479001600)))));
    const double odd =
        1.0 / 6 +
        s * (1.0 / 120 +
             s * (1.0 / 5040 + s * (1.0 / 362880 + s * (1.0 / 39916800 + s * (1.0 / 6227020800)))));
    const double first = k < -1000 ? -1000 : k;

    return (1 + (r + s * (even + r * odd))) * ad_power_of_two(first) * ad_power_of_two(k - first);
}

/* Neither branch can overflow, and both keep their digits: exp is taken of -|x| only. */
static inline double ad_logistic(double x)
{
    const double e = ad_exp_minus_abs(x);
    return (x < 0 ? e : 1.0) / (1.0 + e);
}

/* The derivative of tanh, 1 / cosh(x)^2, without the digits that 1 - tanh(x)^2 loses. */
static inline double ad_tanh_slope(double x)
{
    const double e = ad_exp_minus_abs(2 * x);
    return 4 * e / ((1.0 + e) * (1.0 + e));
}

/* log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)). */
static inline double ad_softplus(double x)
{
    return (x > 0 ? x : 0.0) + log1p(exp(-fabs(x)));
}

/* log(p / (1 - p)), with its digits around 1/2, where 2 p - 1 is exact. */
static inline double ad_logit(double p)
{
    const double s = 2 * (p - 0.5);

    return fabs(s) < 0.4 ? log1p(s) - log1p(-s) : log(p / (1 - p));
}

/* cos(x) - 1. */
static inline double ad_cosm1(double x)
{
    const double s = sin(0.5 * x);
    return -2 * s * s;
}

/* log(exp(x) + exp(z)).  Equal arguments, infinite ones too, are a case of their own, because
 * inf - inf is NaN. */
static inline double ad_logaddexp(double x, double z)
{
    return x == z ? x + 0.69314718055994531 : (x < z ? z : x) + log1p(exp(-fabs(x - z)));
}

/* log2(2^x + 2^z). */
static inline double ad_logaddexp2(double x, double z)
{
    return x == z ? x + 1.0 : (x < z ? z : x) + 1.4426950408889634 * log1p(exp2(-fabs(x - z)));
}

/* x log(z), and 0 for x = 0 unless z is NaN. */
static inline double ad_xlogy(double x, double z)
{
    return x == 0 && z == z ? 0.0 : x * log(z);
}

/* -x log(x), its limit 0 at 0, and -inf below. */
static inline double ad_entr(double x)
{
    return x < 0 ? -INFINITY : x == 0 ? 0.0 : -x * log(x);
}

/* x log(1 + z), and 0 for x = 0 unless z is NaN. */
static inline double ad_xlog1py(double x, double z)
{
    return x == 0 && z == z ? 0.0 : x * log1p(z);
}

#endif

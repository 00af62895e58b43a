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

#include "ad_elementary.h"
#include "ad_gamma.h"
#include "ad_normal.h"

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

/* p-th derivative of phi(x) / Phi(x), the normal density over the distribution function (the inverse
 * of a Mills ratio). */
double ad_mills_of_order(double p, double x);

static inline double ad_mills(double p, double x)
{
    return p == 0 ? ad_mills_itself(x) : ad_mills_of_order(p, x);
}

/* p-th derivative of exp(x^2) erfc(x). */
double ad_erfcx_of_order(double p, double x);

static inline double ad_erfcx(double p, double x)
{
    return p == 0 ? ad_erfcx_itself(x) : ad_erfcx_of_order(p, x);
}

/* p-th derivative of sin(pi x) / (pi x). */
double ad_sinc_of_order(double p, double x);

/* x to the power of an integer. */
static inline double ad_powi(double p, double x)
{
    return p == 2 ? x * x : p == 1 ? x : p == -1 ? 1 / x : pow(x, p);
}

/* sin(pi x) / (pi x), without a call or a branch. */
static inline double ad_sinc_itself(double x)
{
    const double pi = 3.14159265358979323846, a = fabs(x);

    return a == 0 ? 1 : a > 1.7976931348623157e308 ? 0 : ad_sin_pi(a) / (pi * a);
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

/* Remainder of the floor division, with the sign of z: Python's x % z. */
static inline double ad_remainder(double x, double z)
{
    const double r = fmod(x, z);
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

    const double r = fmod(x, z), quotient = (x - r) / z - (r != 0 && (r < 0) != (z < 0));

    return z == 0 ? x / z : quotient == 0 ? copysign(0.0, x / z) : rint(quotient);
}

/* x over the power of 2 that leaves a magnitude in [1/2, 1), as of frexp; 0 and what is not finite as it is.
 * A subnormal number is made a normal one first, whose exponent can be overwritten. */
static inline double ad_mantissa(double x)
{
    const double normal = fabs(x) < 2.2250738585072014e-308 ? x * 0x1p54 : x;
    const uint64_t digits = ad_bits(normal) & UINT64_C(0x800fffffffffffff);

    return x == 0 || !isfinite(x) ? x : ad_of_bits(digits | UINT64_C(0x3fe0000000000000));
}

/* The exponent of that power of 2; 0 for 0 and what is not finite. */
static inline int32_t ad_exponent(double x)
{
    const int small = fabs(x) < 2.2250738585072014e-308;
    const double normal = small ? x * 0x1p54 : x;
    const uint64_t bits = (ad_bits(normal) >> 52 & 0x7ff) - (small ? 1022u + 54 : 1022u);

    return (int32_t)(uint32_t)(x == 0 || !isfinite(x) ? 0 : bits);
}

static inline double ad_mantissa_slope(double x)
{
    return x == 0 || !isfinite(x) ? 1 : ad_mantissa(x) / x;
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
    return (x > 0 ? x : 0.0) + ad_ln1p(ad_exp_minus_abs(x));
}

/* log(p / (1 - p)): around 1/2 of 1 + w, w = 2 s / (1 - s) with s = 2 p - 1, which is exact. */
static inline double ad_logit(double p)
{
    const double s = 2 * (p - 0.5), w = 2 * s / (1 - s), u = 1 + w;
    const int near = fabs(s) < 0.4;
    const double lost = ad_choice(w < 1, w - (u - 1), 1 - (u - w)) / u;

    return ad_ln(ad_choice(near, u, p / (1 - p))) + ad_choice(near, lost, 0);
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
    return x == z ? x + 0.69314718055994531 : (x < z ? z : x) + ad_ln1p(ad_exp_minus_abs(x - z));
}

/* log2(2^x + 2^z). */
static inline double ad_logaddexp2(double x, double z)
{
    return x == z ? x + 1.0 : (x < z ? z : x) + 1.4426950408889634 * log1p(exp2(-fabs(x - z)));
}

/* x log(z), and 0 for x = 0 unless z is NaN. */
static inline double ad_xlogy(double x, double z)
{
    return ad_choice((x == 0) & (z == z), 0, x * ad_ln(z));
}

/* -x log(x), its limit 0 at 0, and -inf below. */
static inline double ad_entr(double x)
{
    return ad_choice(x == 0, 0, ad_choice(x < 0, -INFINITY, -x * ad_ln(x)));
}

/* x log(1 + z), and 0 for x = 0 unless z is NaN. */
static inline double ad_xlog1py(double x, double z)
{
    return ad_choice((x == 0) & (z == z), 0, x * ad_ln1p(z));
}

#endif

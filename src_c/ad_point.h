/* ad_point.h -- the rows read as numbers at one point: the vocabulary bound to C arithmetic.
 *
 * Include, then bind the row macros, then include "ad_ops.def".  In the derivative columns x, z, w are
 * the arguments, y the value and p the parameter. */
#ifndef AD_POINT_H
#define AD_POINT_H

#include <math.h>

#include "ad_ops.h"
#include "ad_special.h"

#define INF INFINITY
#define X x
#define Z z
#define W w
#define Y y
#define P p
#define CONST(c) ((double)(c))
#define ADD(a, b) ((a) + (b))
#define SUB(a, b) ((a) - (b))
#define MUL(a, b) ((a) * (b))
#define DIV(a, b) ((a) / (b))
#define NEG(a) (-(a))
#define SQRT(a) sqrt(a)
#define EXP(a) exp(a)
#define LOG(a) log(a)
#define LOG1P(a) log1p(a)
#define SIN(a) sin(a)
#define COS(a) cos(a)
#define SINH(a) sinh(a)
#define COSH(a) cosh(a)
#define HYPOT(a, b) hypot(a, b)
#define POW(a, b) pow(a, b)
#define COPYSIGN(a, b) copysign(a, b)
#define MAXIMUM(a, b) ad_maximum(a, b)
#define TANH(a) tanh(a)
#define TANH_SLOPE(a) ad_tanh_slope(a)
#define LOGISTIC(a) ad_logistic(a)
#define SIGN(a) ad_sign(a)
#define RINT(a) rint(a)
#define NONZERO(a) ((double)((a) != 0))
#define MANTISSA_SLOPE(a) ad_mantissa_slope(a)
#define ABOVE(a, b) ad_above(a, b)
#define MUL0(a, b) ad_mul0(a, b)
#define DIV0(a, b) ad_div0(a, b)
#define POWLOG(a, b) ad_powlog(a, b)
#define SUB0(a, b) ad_sub0(a, b)
#define RECIP0(a) ad_recip0(a)
#define POLYGAMMA(n, a) ad_polygamma(p + (n), a)
#define SINC(n, a) ad_sinc(p + (n), a)
#define MILLS(n, a) ad_mills(p + (n), a)
#define ERFCX(n, a) ad_erfcx(p + (n), a)
#define POWI(n, a) ad_powi(p + (n), a)

/* Words that are used with the argument written once. */
AD_INLINE double ad_mul0(double a, double b)
{
    return a == 0 ? 0 : a * b;
}

AD_INLINE double ad_div0(double a, double b)
{
    return a == 0 && b == b ? 0 : a / b;
}

AD_INLINE double ad_powlog(double a, double b)
{
    return a == 0 && b > 0 ? 0 : log(a);
}

AD_INLINE double ad_sub0(double a, double b)
{
    return a == b ? 0 : a - b;
}

/* A tangent times a partial of an op of the given curvature.  A zero tangent gives zero, since the
 * operand stands still; but where a POLE has a partial of nan there is no derivative, and nan stays. */
AD_INLINE double ad_flow(enum ad_curvature curvature, double tangent, double partial)
{
    if (tangent == 0 && (curvature != AD_POLE || partial == partial))
        return 0;
    return tangent * partial;
}

AD_INLINE double ad_recip0(double a)
{
    return a == 0 ? 0 : 1 / a;
}

/* g times a partial, where a zero adjoint, and a zero partial of an op that cuts, give exactly zero. */
AD_INLINE double ad_push(bool cuts, double g, double partial)
{
    if (cuts && partial == 0)
        return 0;
    return g == 0 ? 0 : g * partial;
}

#endif

/* ad_point_value.h -- the value column read as functions of numbers, one for each row of up to two
 * arguments.
 *
 * What becomes part of its caller is left to the compiler, which knows the sizes: a few instructions
 * do, and of a long series there is one copy for all callers. */
#ifndef AD_POINT_VALUE_H
#define AD_POINT_VALUE_H

#include "ad_special.h"

#if defined(__GNUC__)
#define AD_MAY_BE_UNUSED __attribute__((unused))
#else
#define AD_MAY_BE_UNUSED
#endif

#define POINT(name, value)                                                                         \
    AD_MAY_BE_UNUSED static double ad_point_##name(double p, double x, double z)                   \
    {                                                                                              \
        (void)p, (void)x, (void)z;                                                                 \
        return value;                                                                              \
    }
#define UNARY(name, ufunc, value, ...) POINT(name, value)
#define HIDDEN_UNARY(name, value, ...) POINT(name, value)
#define FAMILY(name, ufunc, value, ...) POINT(name, value)
#define BINARY(name, ufunc, value, ...) POINT(name, value)
#define HIDDEN_BINARY(name, value, ...) POINT(name, value)
#define TERNARY(name, ...)
#include "ad_ops.def"
#undef POINT

#endif

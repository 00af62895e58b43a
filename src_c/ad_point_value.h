/* ad_point_value.h -- the value column read inline: with a constant op code nothing but the row's own
 * arithmetic is left. */
#ifndef AD_POINT_VALUE_H
#define AD_POINT_VALUE_H

#include "ad_ops.h"
#include "ad_special.h"

AD_INLINE double ad_point_value(enum ad_op op, double p, double x, double z, double w)
{
    (void)p, (void)z, (void)w;
    switch (op) {
#define ROW(name, value)                                                                           \
    case AD_OP_##name:                                                                             \
        return value;
#define UNARY(name, ufunc, value, ...) ROW(name, value)
#define HIDDEN_UNARY(name, value, ...) ROW(name, value)
#define FAMILY(name, ufunc, value, ...) ROW(name, value)
#define BINARY(name, ufunc, value, ...) ROW(name, value)
#define HIDDEN_BINARY(name, value, ...) ROW(name, value)
#define TERNARY(name, ufunc, value, ...) ROW(name, value)
#include "ad_ops.def"
#undef ROW
    case AD_N_OPS:
        break;
    }
    ad_unreachable();
    return 0;
}

#endif

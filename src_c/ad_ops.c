/* ad_ops.c -- the rows read as data: names, domains, and the derivative columns as postfix words. */
#include <math.h>

#include "ad_ops.h"

#define INF INFINITY
#define LEAF(word) {AD_W_##word, 0}
#define X LEAF(X)
#define Z LEAF(Z)
#define W LEAF(W)
#define Y LEAF(Y)
#define P LEAF(P)
#define CONST(c) {AD_W_CONST, c}
#define ADD(a, b) a, b, {AD_OP_add, 0}
#define SUB(a, b) a, b, {AD_OP_sub, 0}
#define MUL(a, b) a, b, {AD_OP_mul, 0}
#define DIV(a, b) a, b, {AD_OP_div, 0}
#define NEG(a) a, {AD_OP_neg, 0}
#define SQRT(a) a, {AD_OP_sqrt, 0}
#define EXP(a) a, {AD_OP_exp, 0}
#define LOG(a) a, {AD_OP_log, 0}
#define LOG1P(a) a, {AD_OP_log1p, 0}
#define SIN(a) a, {AD_OP_sin, 0}
#define COS(a) a, {AD_OP_cos, 0}
#define SINH(a) a, {AD_OP_sinh, 0}
#define COSH(a) a, {AD_OP_cosh, 0}
#define HYPOT(a, b) a, b, {AD_OP_hypot, 0}
#define POW(a, b) a, b, {AD_OP_pow, 0}
#define COPYSIGN(a, b) a, b, {AD_OP_copysign, 0}
#define MAXIMUM(a, b) a, b, {AD_OP_maximum, 0}
#define TANH(a) a, {AD_OP_tanh, 0}
#define TANH_SLOPE(a) a, {AD_OP_tanh_slope, 0}
#define LOGISTIC(a) a, {AD_OP_logistic, 0}
#define SIGN(a) a, {AD_OP_sign, 0}
#define RINT(a) a, {AD_OP_rint, 0}
#define NONZERO(a) a, {AD_OP_nonzero, 0}
#define MANTISSA_SLOPE(a) a, {AD_OP_mantissa_slope, 0}
#define ABOVE(a, b) a, b, {AD_OP_above, 0}
#define MUL0(a, b) a, b, {AD_OP_mul0, 0}
#define DIV0(a, b) a, b, {AD_OP_div0, 0}
#define POWLOG(a, b) a, b, {AD_OP_powlog, 0}
#define SUB0(a, b) a, b, {AD_OP_sub0, 0}
#define RECIP0(a) a, {AD_OP_recip0, 0}
/* clang-format off */
#define POLYGAMMA(n, a) a, {AD_OP_polygamma, n}
#define SINC(n, a) a, {AD_OP_sinc, n}
#define MILLS(n, a) a, {AD_OP_mills, n}
#define ERFCX(n, a) a, {AD_OP_erfcx, n}
#define POWI(n, a) a, {AD_OP_powi, n}
/* clang-format on */

/* One array per derivative; its size is fixed, so a row with too many words does not compile. */
#define WORDS(array, ...)                                                                          \
    static const struct ad_word array[AD_MAX_WORDS] = {__VA_ARGS__, {AD_W_END, 0}};
#define UNARY(name, ufunc, value, dx, ...) WORDS(dx_##name, dx)
#define HIDDEN_UNARY(name, value, dx, ...) WORDS(dx_##name, dx)
#define FAMILY(name, ufunc, value, dx, ...) WORDS(dx_##name, dx)
#define BINARY(name, ufunc, value, dx, dz, ...) WORDS(dx_##name, dx) WORDS(dz_##name, dz)
#define HIDDEN_BINARY(name, value, dx, dz, ...) WORDS(dx_##name, dx) WORDS(dz_##name, dz)
#define TERNARY(name, ufunc, value, dx, dz, dw, ...)                                               \
    WORDS(dx_##name, dx) WORDS(dz_##name, dz) WORDS(dw_##name, dw)
#define HIDDEN_TERNARY(name, value, dx, dz, dw, ...)                                               \
    WORDS(dx_##name, dx) WORDS(dz_##name, dz) WORDS(dw_##name, dw)
#include "ad_ops.def"

#define LINEAR AD_LINEAR
#define SELECT AD_SELECT
#define CURVED AD_CURVED
#define POLE AD_POLE

const struct ad_op_info ad_ops[AD_N_OPS] = {
#define UNARY(name, ufunc, value, dx, curvature, lo, hi)                                           \
    {#name, #ufunc, 1, false, false, curvature, {{lo, hi}}, {dx_##name}},
#define HIDDEN_UNARY(name, value, dx, curvature, lo, hi)                                           \
    {#name, #name, 1, true, false, curvature, {{lo, hi}}, {dx_##name}},
#define FAMILY(name, ufunc, value, dx, lo, hi)                                                     \
    {#name, #ufunc, 1, false, true, AD_CURVED, {{lo, hi}}, {dx_##name}},
#define BINARY(name, ufunc, value, dx, dz, curvature, xlo, xhi, zlo, zhi)                          \
    {#name, #ufunc, 2, false, false, curvature, {{xlo, xhi}, {zlo, zhi}}, {dx_##name, dz_##name}},
#define HIDDEN_BINARY(name, value, dx, dz, curvature, xlo, xhi, zlo, zhi)                          \
    {#name, #name, 2, true, false, curvature, {{xlo, xhi}, {zlo, zhi}}, {dx_##name, dz_##name}},
#define TERNARY(name, ufunc, value, dx, dz, dw, curvature)                                         \
    {#name,                                                                                        \
     #ufunc,                                                                                       \
     3,                                                                                            \
     false,                                                                                        \
     false,                                                                                        \
     curvature,                                                                                    \
     {{-INF, INF}, {-INF, INF}, {-INF, INF}},                                                      \
     {dx_##name, dz_##name, dw_##name}},
#define HIDDEN_TERNARY(name, value, dx, dz, dw, curvature)                                         \
    {#name,                                                                                        \
     #name,                                                                                        \
     3,                                                                                            \
     true,                                                                                         \
     false,                                                                                        \
     curvature,                                                                                    \
     {{-INF, INF}, {-INF, INF}, {-INF, INF}},                                                      \
     {dx_##name, dz_##name, dw_##name}},
#include "ad_ops.def"
};

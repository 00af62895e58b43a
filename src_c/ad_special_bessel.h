/* ad_special_bessel.h -- kernels, as ad_functions.h explains them, of Bessel functions.
 *
 * order and arguments of each, x > 0:
 *
 *   jv, yv, iv, kv  (n; v, x)     d^n/dv^n of J_v(x), Y_v(x), I_v(x), K_v(x)
 *   ive, kve        (n, k; v, x)  d^n/dv^n d^k/dx^k of exp(-x) I_v(x), exp(x) K_v(x)
 *   hyp0f1          (n, k; b, x)  d^n/db^n d^k/dx^k of 0F1(; b; x), all real x
 */
#ifndef AD_SPECIAL_BESSEL_H
#define AD_SPECIAL_BESSEL_H

#include "ad_base.h"

double ad_jv(const int *order, const double *x, bool *lost);
double ad_yv(const int *order, const double *x, bool *lost);
double ad_iv(const int *order, const double *x, bool *lost);
double ad_kv(const int *order, const double *x, bool *lost);
double ad_ive(const int *order, const double *x, bool *lost);
double ad_kve(const int *order, const double *x, bool *lost);
double ad_hyp0f1(const int *order, const double *x, bool *lost);

#endif

/* ad_special_gamma.h -- kernels, as ad_functions.h explains them, of the family of the gamma function.
 *
 * order and arguments of each; P and Q are the values of the function and of its complement:
 *
 *   psi_difference  (n; a, b)         psi_n(a + b) - psi_n(a), psi_n the n-th derivative of digamma
 *   stirling        (n; x)            n-th derivative of log Gamma(x) - (x - 1/2) log x + x - log(2 pi) / 2
 *   deviance        (; x, z)          x - z - z log(x / z)
 *   gammainc        (n; a, x, P, Q)   d^n/da^n of the lower incomplete gamma function P(a, x), n >= 1
 *   betainc         (i, j; a, b, x, P, Q)  d^i/da^i d^j/db^j of I_x(a, b), i + j >= 1
 *   zeta            (n; s, q)         d^n/ds^n of Hurwitz' zeta function, s > 1
 *   riemann_zeta    (n; s)            d^n/ds^n of Riemann's
 *   dawsn           (n; x, D)         n-th derivative of Dawson's integral, whose value is D
 */
#ifndef AD_SPECIAL_GAMMA_H
#define AD_SPECIAL_GAMMA_H

#include "ad_base.h"

double ad_psi_difference(const int *order, const double *x, bool *lost);
double ad_stirling(const int *order, const double *x, bool *lost);
double ad_deviance(const int *order, const double *x, bool *lost);
double ad_gammainc(const int *order, const double *x, bool *lost);
double ad_betainc(const int *order, const double *x, bool *lost);
double ad_zeta(const int *order, const double *x, bool *lost);
double ad_riemann_zeta(const int *order, const double *x, bool *lost);
double ad_dawsn(const int *order, const double *x, bool *lost);

/* Taylor coefficients 0 .. n of log Gamma(x + t) - log Gamma(x), x > 0. */
void ad_jet_lgamma(int n, double x, double *c);

/* The same of 1 / Gamma(x + t), all real x. */
void ad_jet_rgamma(int n, double x, double *c);

#endif

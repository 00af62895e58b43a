/* ad_special_tails.h -- what is left of the incomplete gamma and beta functions when the factor is taken off
 * that makes them small: kernels as ad_functions.h says, by ad_quadrature.h's rule.
 *
 *   gamma_lower  (i, j; a, x)   d^i/da^i d^j/dx^j of  int_0^inf exp(-a s + x (1 - exp(-s))) ds,
 *                               which is P(a, x) Gamma(a) exp(x) / x^a; for x below a
 *   gamma_upper  (i, j; a, x)   d^i/da^i d^j/dx^j of  int_0^inf exp(a s - x (exp(s) - 1)) ds,
 *                               which is Q(a, x) Gamma(a) exp(x) / x^a; for x above a
 *   beta_lower   (i, j, k; a, b, r)  int_0^inf (-s)^i log(R)^j w^k R^(b-1-k) exp(-a s) ds,
 *                               w = 1 - exp(-s), R = 1 + r w; of orders 0 it is
 *                               I_x(a, b) B(a, b) / (x^a y^(b-1)), r = x / y, y = 1 - x; for b r below a
 */
#ifndef AD_SPECIAL_TAILS_H
#define AD_SPECIAL_TAILS_H

#include <stdbool.h>

double ad_gamma_lower(const int *order, const double *x, bool *lost);
double ad_gamma_upper(const int *order, const double *x, bool *lost);
double ad_beta_lower(const int *order, const double *x, bool *lost);

#endif

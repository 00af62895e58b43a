/* ad_special_hyper.h -- kernels, as ad_functions.h explains them, of hypergeometric functions and elliptic
 * integrals.
 *
 * order and arguments of each:
 *
 *   hyp1f1     (i, j, k; a, b, x)        d^i/da^i d^j/db^j d^k/dx^k of 1F1(a; b; x)
 *   hyp2f1     (i, j, l, k; a, b, c, x)  d^i/da^i d^j/db^j d^l/dc^l d^k/dx^k of 2F1(a, b; c; x), x < 1
 *   ellipkm1   (n; p)                    d^n/dp^n of K(1 - p), n >= 1
 *   ellipkinc  (n; phi, m)               d^n/dm^n of F(phi | m), n >= 1
 *   ellipeinc  (n; phi, m)               d^n/dm^n of E(phi | m), n >= 1
 */
#ifndef AD_SPECIAL_HYPER_H
#define AD_SPECIAL_HYPER_H

#include "ad_base.h"

double ad_hyp1f1(const int *order, const double *x, bool *lost);
double ad_hyp2f1(const int *order, const double *x, bool *lost);
double ad_ellipkm1(const int *order, const double *x, bool *lost);
double ad_ellipkinc(const int *order, const double *x, bool *lost);
double ad_ellipeinc(const int *order, const double *x, bool *lost);

#endif

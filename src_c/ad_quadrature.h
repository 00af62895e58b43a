/* ad_quadrature.h -- rules for integrals of smooth functions. */
#ifndef AD_QUADRATURE_H
#define AD_QUADRATURE_H

#include "ad_base.h"

/* Gauss and Legendre's rule of twenty points on [-1, 1]: the ten on the right with their weights. */
enum { AD_GAUSS_HALF = 10 };
extern const double ad_gauss_node[AD_GAUSS_HALF], ad_gauss_weight[AD_GAUSS_HALF];

/*
 * ad_half_line() gives point k = 0, 1, ... of a rule on (0, inf) and its weight: the trapezoidal rule in tau,
 * s = scale exp(tau - exp(-tau)), for integrands that are about constant up to s = scale and then fall at least
 * exponentially.  The caller stops where the integrand is negligible.
 */
enum { AD_HALF_LINE_MOST = 400 };
double ad_half_line(int k, double scale, double *weight);

#endif

/* ad_jet.h -- truncated Taylor series in one variable, coefficient k in c[k], k <= n.
 *
 * Results may overlap no argument, unless a comment says so.
 */
#ifndef AD_JET_H
#define AD_JET_H

#include "ad_base.h"

enum { AD_JET_ORDER = 12, AD_JET_SIZE = AD_JET_ORDER + 1 };

/* c = a b. */
static inline void ad_jet_mul(int n, const double *a, const double *b, double *c)
{
    for (int k = 0; k <= n; k++) {
        c[k] = 0;
        for (int j = 0; j <= k; j++)
            c[k] += a[j] * b[k - j];
    }
}

/* c = a / b, b[0] not 0. */
static inline void ad_jet_div(int n, const double *a, const double *b, double *c)
{
    for (int k = 0; k <= n; k++) {
        c[k] = a[k];
        for (int j = 0; j < k; j++)
            c[k] -= c[j] * b[k - j];
        c[k] /= b[0];
    }
}

/* c = exp(g), given c[0]: the caller knows how to compute it. */
static inline void ad_jet_exp(int n, const double *g, double *c)
{
    for (int k = 1; k <= n; k++) {
        c[k] = 0;
        for (int j = 1; j <= k; j++)
            c[k] += j * g[j] * c[k - j];
        c[k] /= k;
    }
}

/* sin(pi (x + t)) and cos(pi (x + t)). */
void ad_jet_sin_cos_pi(int n, double x, double *s, double *c);

static inline double ad_factorial(int n)
{
    double f = 1;
    for (int k = 2; k <= n; k++)
        f *= k;
    return f;
}

static inline double ad_binomial(int n, int k)
{
    double c = 1;
    for (int j = 0; j < k; j++)
        c = c * (n - j) / (j + 1);
    return c;
}

#endif

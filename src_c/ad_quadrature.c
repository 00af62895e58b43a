/* ad_quadrature.c -- rules for integrals of smooth functions. */
#include "ad_quadrature.h"

#include <math.h>

const double ad_gauss_node[AD_GAUSS_HALF] = {
    0.076526521133497334, 0.22778585114164508, 0.37370608871541956, 0.5108670019508271,
    0.63605368072651503,  0.74633190646015079, 0.83911697182221882, 0.91223442825132591,
    0.96397192727791379,  0.99312859918509492,
};

const double ad_gauss_weight[AD_GAUSS_HALF] = {
    0.15275338713072585,  0.14917298647260375,  0.14209610931838205,  0.13168863844917663,
    0.11819453196151842,  0.10193011981724044,  0.083276741576704749, 0.062672048334109064,
    0.040601429800386941, 0.017614007139152118,
};

double ad_half_line(int k, double scale, double *weight)
{
    const double step = 0.0625, tau = -3.75 + k * step, e = exp(-tau);
    const double s = scale * exp(tau - e);

    *weight = s * (1 + e) * step;
    return s;
}

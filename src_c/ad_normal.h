/* ad_normal.h -- the error functions, the normal distribution, and their inverses.
 *
 * All come from two functions that keep their digits everywhere: exp(x^2) erfc(x) for x >= 0, and the y of
 * erf(y) = s given s and 1 - s.  A NaN gives NaN, an infinity the limit.  There are no calls and no
 * branches, for the compiler to vectorise the loops over them.
 */
#ifndef AD_NORMAL_H
#define AD_NORMAL_H

#include "ad_elementary.h"

#define AD_SQRT_HALF 0.70710678118654752440

/*
 * exp(x^2) erfc(x) for x >= 0.
 *
 * It falls like 1 / (sqrt(pi) x) (DLMF 7.12.1). (1 + x) times it is therefore nearly constant, and smooth in
 * t = (x - 4) / (x + 4), which maps [0, inf] to [-1, 1] (idea: Shepherd and Laframboise, Math. Comp. 36
 * (1981) 249). Its Chebyshev series is written in powers of t.
 */
AD_INLINE double ad_erfcx_positive(double x)
{
    static const double c[] = {
        0.6849972881253069,      -0.19934458280036707,    0.11704966551044224,
        -0.04808038122130931,    0.003962055681303,       0.01531250967934832,
        -0.017515654646768204,   0.012161784752327175,    -0.00606873521768341,
        0.0021164215893195166,   -0.00038976749365136323, -6.013679869852093e-05,
        6.403274051753607e-05,   -1.3151055331882063e-05, -4.138415348077945e-06,
        2.6501345097438584e-06,  4.0285329470106016e-09,  -3.6411954181777864e-07,
        5.131334593621251e-08,   4.7099635022733495e-08,  -1.1396979080247648e-08,
        -6.17471900110668e-09,   1.6844354122037873e-09,  7.459562329711124e-10,
        -1.3957574032767495e-10, -5.725027019066754e-11,
    };

    const double a = x > 1e17 ? 1e17 : x; /* infinity has no ratio to itself */

    return AD_POLYNOMIAL(c, 2 * a / (a + 4) - 1) / (1 + x);
}

AD_INLINE double ad_erfcx_itself(double x)
{
    const double upper = ad_erfcx_positive(fabs(x));

    return x < 0 ? ad_times_exp_square(2, 1, x) - upper : upper;
}

AD_INLINE double ad_erfc(double x)
{
    const double upper = ad_times_exp_square(ad_erfcx_positive(fabs(x)), -1, x);

    return x < 0 ? 2 - upper : upper;
}

/* Up to 1/2 by its power series. */
AD_INLINE double ad_erf(double x)
{
    static const double c[] = {
        1.1283791670955126,      -0.37612638903183754,    0.11283791670955126,
        -0.026866170645131252,   0.005223977625442188,    -0.0008548327023450853,
        0.00012055332981789664,  -1.492565035840625e-05,  1.6462114365889248e-06,
        -1.6365844691234924e-07, 1.4807192815879218e-08,  -1.2290555301717928e-09,
        9.422759064650411e-11,   -6.7113668551641105e-12,
    };
    const double upper = ad_times_exp_square(ad_erfcx_positive(fabs(x)), -1, x);

    return ad_choice(fabs(x) < 0.5, x * AD_POLYNOMIAL(c, x * x), copysign(1 - upper, x));
}

/* q(x) = erfc(x / sqrt(2)) / 2 for x >= 0. */
AD_INLINE double ad_normal_tail(double x)
{
    return ad_times_exp_square(0.5 * ad_erfcx_positive(x * AD_SQRT_HALF), -0.5, x);
}

/* The standard normal distribution function. */
AD_INLINE double ad_ndtr(double x)
{
    const double upper = ad_normal_tail(fabs(x));

    return x < 0 ? upper : 1 - upper;
}

/* Its logarithm: log(1 - q(x)), and for x < 0 log(q(-x)) = log(erfcx(-x / sqrt(2)) / 2) - x^2 / 2, both negative. */
AD_INLINE double ad_log_ndtr(double x)
{
    const double half = 0.5 * ad_erfcx_positive(fabs(x) * AD_SQRT_HALF);
    const double q = ad_times_exp_square(half, -0.5, x);
    const double u = 1 - q, y = ad_ln(x < 0 ? half : u);

    return ad_choice(x < 0, y - 0.5 * x * x, y + ((1 - u) - q) / u);
}

/* The inverse of a Mills ratio: the normal density over the distribution function. */
AD_INLINE double ad_mills_itself(double x)
{
    const double half = 0.5 * ad_erfcx_positive(fabs(x) * AD_SQRT_HALF);
    const double density = ad_times_exp_square(0.39894228040143268, -0.5, x); /* 1 / sqrt(2 pi) */

    const double whole = 1 - ad_times_exp_square(half, -0.5, x);

    return (x < 0 ? 0.39894228040143268 : density) / (x < 0 ? half : whole);
}

/* ---- inverses -------------------------------------------------------------------------------- */

/*
 * The y >= 0 with erf(y) = s and erfc(y) = c, given s + c = 1 in [0, 1]: the digits of each count where it is
 * small.
 *
 * y / s is smooth in w = -log(1 - s^2) up to 8, and y / sqrt(w) from there on in 1 / (1 + sqrt(w)), up to the
 * least subnormal c: Chebyshev series, written in powers of a t in [-1, 1].  They are nearly constant, and
 * w is added to the dominant sqrt(pi) / 2 of the first: little rounding of theirs is seen in y, and half of
 * that of w.
 */
AD_INLINE double ad_erf_inverse(double s, double c)
{
    static const double near_0[] = {
        0.24313804674355385,    -0.01478336140586341,    -0.014100878401488081,
        0.010837326121415932,   -0.003229147617233522,   -0.0007427285238472015,
        0.0012409479845074231,  -0.0005149577041518219,  -3.286524685777348e-05,
        0.00015411040742868782, -7.782773432787451e-05,  2.577232587011668e-06,
        1.940790179380347e-05,  -1.1586834433783111e-05, 1.2676203707457796e-06,
        2.4197281546937235e-06, -1.7109639017288213e-06, 3.223924611296665e-07,
        2.9337810287857015e-07, -2.782265129550311e-07,  6.745287767637969e-08,
        5.974663607705166e-08,  -4.435021858953124e-08,  -3.516503506841751e-09,
        9.607168577333592e-09,  -4.2667596496398475e-10, -8.489980084661822e-10,
    };
    static const double far[] = {
        0.9751896257665648,      -0.030996893919615437,   -0.006092345811334605,
        0.0023265296660171376,   0.0002779629776295064,   0.0001235760031960412,
        -2.8181210227047467e-05, 1.2009114191489958e-05,  -6.442101847707412e-06,
        3.239302429706891e-06,   -2.147832813191715e-06,  -5.226896845950832e-09,
        -2.83848488872411e-06,   -3.7484109815600987e-06, -5.363602632876623e-06,
        -5.421290932381695e-07,  1.1219142642615546e-05,  1.4941830495579176e-05,
        -7.960972343509137e-06,  -2.8832058601357553e-05, -2.1975087023879616e-06,
        3.4696469639612086e-05,  1.0923095835774169e-05,  -3.0690498096913466e-05,
        -1.286693816255071e-05,  2.0679226788330536e-05,  9.000003344226689e-06,
        -1.0427141561106301e-05, -4.017071736755436e-06,  3.7290375827330443e-06,
        1.0661021074869774e-06,  -8.45017992297678e-07,   -1.2985071550892436e-07,
        9.183098240884115e-08,
    };
    const double w = -ad_ln(c * (1 + s)), v = sqrt(w < 8 ? 8 : w);
    const double near = s * (0.88622692545275801 + w * AD_POLYNOMIAL(near_0, 0.25 * w - 1));
    const double distant = v * AD_POLYNOMIAL(far, 8.852279544929566 / (1 + v) - 1.3122497193978684);

    return ad_choice(w < 8, near, distant); /* infinite with w, or nan */
}

/* The y with erf(y) = x; NaN for |x| > 1. */
AD_INLINE double ad_erfinv(double x)
{
    return copysign(ad_erf_inverse(fabs(x), 1 - fabs(x)), x);
}

/* The y with erfc(y) = x; NaN outside of [0, 2]. */
AD_INLINE double ad_erfcinv(double x)
{
    const double c = x < 1 ? x : 2 - x, y = ad_erf_inverse(1 - c, c);

    return x > 1 ? -y : y;
}

/* The inverse of the standard normal distribution function: NaN outside of [0, 1]. */
AD_INLINE double ad_ndtri(double p)
{
    const double c = 2 * (p < 0.5 ? p : 1 - p), y = ad_erf_inverse(1 - c, c) / AD_SQRT_HALF;

    return p < 0.5 ? -y : y;
}

#endif

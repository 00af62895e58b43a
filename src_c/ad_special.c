/* ad_special.c -- special functions that C does not have.
 *
 * DLMF is the NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov.
 * Tables of coefficients were computed with 60 digits and rounded.
 */
#define _DEFAULT_SOURCE /* lgamma_r */

#include "ad_special.h"

#include "ad_base.h"

static const double PI = 3.14159265358979323846;
static const double SQRT_PI = 1.77245385090551602730;

/* c[0] + c[1] t + ... + c[n-1] t^(n-1). */
static double polynomial(const double *c, int n, double t)
{
    double sum = c[n - 1];
    for (int i = n - 2; i >= 0; i--)
        sum = sum * t + c[i];
    return sum;
}

/* p as an int, or -1 if it is none of 0 .. most. */
static int order_of(double p, int most)
{
    return p >= 0 && p <= most ? (int)p : -1;
}

double ad_lgamma(double x)
{
#ifdef _WIN32
    return lgamma(x);
#else
    int sign;
    return lgamma_r(x, &sign);
#endif
}

/* ---- erfcx and its derivatives --------------------------------------------------------------- */

/* D_n = d^n/dx^n exp(x^2) erfc(x) for x >= 0 and 1 <= n <= 4.
 *
 * D_n falls from (-1)^n n! / Gamma(1 + n/2) at 0 like (-1)^n n! / (sqrt(pi) x^(n+1)) (DLMF 7.12.1).
 * (1 + x)^(n+1) D_n is therefore nearly constant, and smooth in t = (x - 4) / (x + 4), which maps
 * [0, inf] to [-1, 1] (idea: Shepherd and Laframboise, Math. Comp. 36 (1981) 249).  Its Chebyshev
 * series are written in powers of t; row n - 1 holds D_n's. */
enum { ERFCX_ROWS = 4 };

static double erfcx_slope(int n, double x)
{
    static const double c[ERFCX_ROWS][33] = {
        {-0.80958765237553632,    0.39549281038851192,     -0.19097099450548036,
         0.006258557207684293,    0.094017910259318022,    -0.10607993522475823,
         0.068285989259746258,    -0.024378361219609564,   -0.0018136078826957803,
         0.008891788808258843,    -0.0061921771296198193,  0.0021673857857405455,
         -0.00011491894709935918, -0.00026846330933252203, 0.00010757904281658659,
         9.1708676779588135e-06,  -1.8795253883901145e-05, 2.4785945098858586e-06,
         2.5971568192228354e-06,  -7.7639213330371906e-07, -3.4688770154010143e-07,
         1.6097583493178784e-07,  4.743558661955985e-08,   -2.8340476691067213e-08,
         -5.9626283299115871e-09, 3.9451407741471997e-09,  4.6872431916417144e-10,
         -3.13170703859571e-10},
        {1.8663583112438926,      -1.128572566506002,      0.34085247713241545,
         0.36106198920624133,     -0.62059440521385811,    0.45980538381674507,
         -0.14675641420157209,    -0.071292660695484053,   0.12126394182355638,
         -0.071050385639816888,   0.012755786745099406,    0.012063688382549544,
         -0.010547133864266558,   0.0028678893846338701,   0.00080304268472293407,
         -0.0008054891523644604,  8.7541571929024709e-05,  0.00012652543973421394,
         -4.1940844456547293e-05, -1.6662303734280475e-05, 1.0122238374249931e-05,
         2.1194193131195211e-06,  -2.0741369538446366e-06, -2.8027472601626578e-07,
         3.7851057792218229e-07,  3.5302199214111282e-08,  -5.455301098634336e-08,
         -2.8315323720536261e-09, 4.4113063628541731e-09},
        {-6.3044327877979294,     4.0939264375600253,      -0.092777727762017606,
         -3.1611078304072455,     3.5130747074268807,      -1.5736178266614347,
         -0.51363662132257437,    1.2751617794813521,      -0.81883489359144268,
         0.088946365055324814,    0.25257607853186503,     -0.19630390343515855,
         0.036821708883756979,    0.036564373313235796,    -0.026752268408762925,
         0.0020966409252006746,   0.0052625944415348389,   -0.0019147433163096896,
         -0.00069022274212651692, 0.00053935194540329654,  6.5951937894777229e-05,
         -0.00012262537732208177, -3.4269536034476611e-06, 2.5821327095387752e-05,
         -2.4829487849611495e-07, -4.9330569669140648e-06, 7.7077291781776675e-08,
         7.3683560286986393e-07,  -6.2601827995136499e-09, -6.064104636690164e-08},
        {27.776435174666734,      -17.515159519332627,     -7.0447998211693976,
         23.867532258823044,      -18.92668293625271,      1.0657441988783032,
         11.354367627796199,      -10.270672302163669,     2.0660329888272462,
         3.4791903925416325,      -3.2915277780484051,     0.65405384640366671,
         0.84908683830982268,     -0.66487159705109611,    0.042048226549930401,
         0.17682575615921697,     -0.074243462721026013,   -0.02354204142696633,
         0.024489876694578468,    0.00075996479158714286,  -0.0060661121760081449,
         0.00059893025806899891,  0.0013949504193595168,   -0.00023434153805602456,
         -0.00032061598680296237, 5.9579008623062456e-05,  7.2811696638563965e-05,
         -1.1615439107168171e-05, -1.4859147512999877e-05, 1.6108728291666585e-06,
         2.2785813237446205e-06,  -1.182123727380433e-07,  -1.8546689281392037e-07},
    };
    static const int n_terms[ERFCX_ROWS] = {28, 29, 30, 33};
    double value = polynomial(c[n - 1], n_terms[n - 1], 1 - 8 / (x + 4));
    for (int k = 0; k <= n; k++)
        value /= 1 + x;
    return value;
}

/* Repeated integrals of erfc (DLMF 7.18) give the derivatives:
 *
 *     D_n = d^n/dx^n erfcx(x) = (-2)^n n! w_n,     w_n = exp(x^2) i^n erfc(x) > 0,
 *
 * which obey
 *
 *     2 n w_n = w_{n-2} - 2 x w_{n-1}       D_n = 2 x D_{n-1} + 2 (n-1) D_{n-2}
 *
 * with w_{-1} = 2 / sqrt(pi) in the place of the missing start.  The solutions grow and decay
 * against each other as exp(+-x sqrt(2n)).  For x < 0 w_n is the growing one: forward recurrence,
 * all terms of one sign.  For x > 0 it is the decaying one, and the ratios r_n = w_n / w_{n-1} are
 * found backwards,
 *
 *     r_n = 1 / (2 x + 2 (n+1) r_{n+1}),
 *
 * a positive continued fraction in which an error shrinks by exp(-2 x (sqrt(2m) - sqrt(2n))) from m
 * down to n.  Where that takes too many steps, the first ratio comes from the integrals
 *
 *     w_m = 2 / (sqrt(pi) m!) a_m,     a_m = int_0^inf u^m exp(-u^2 - 2 x u) du.
 *
 * With u = exp(s) the integrand is a bump that is almost Gaussian, and the trapezoidal rule
 * converges geometrically: 2 pi^2 (sigma / h)^2 is the number of e-folds of its error.  Terms are
 * positive throughout, so no digits are lost anywhere. */

/* r_m = a_m / (m a_{m-1}), m >= 16. */
static double erfcx_ratio_by_quadrature(int m, double x)
{
    const double root = sqrt(x * x + 2 * m);
    const double u0 = m / (x + root);      /* where the integrand of a_{m-1} ds is largest */
    const double h = 0.45 / sqrt(2.0 * m); /* its sigma is 1 / sqrt(2m) or more */
    double lower = 1, upper = u0;          /* sums for a_{m-1} and a_m, the peak included */
    for (int side = -1; side <= 1; side += 2) {
        for (int j = side;; j += side) {
            const double growth = expm1(j * h); /* u / u0 - 1 */
            const double drop = m * j * h - u0 * growth * (u0 * (growth + 2) + 2 * x);
            if (drop < -42)
                break;
            lower += exp(drop);
            upper += exp(drop) * u0 * (1 + growth);
        }
    }
    return upper / (m * lower);
}

double ad_erfcx_of_order(double p, double x)
{
    const int n = order_of(p, AD_MOST_ERFCX);
    if (n < 0)
        return NAN;
    if (n == 0 || isnan(x))
        return ad_erfcx_itself(x);
    if (x >= 0 && n <= ERFCX_ROWS)
        return erfcx_slope(n, x);
    if (x * sqrt(2.0 * n) < 0.35) { /* the solutions have parted by a factor of two at most */
        double before = ad_erfcx_itself(x), d = 2 * x * before - 2 / SQRT_PI;
        for (int k = 2; k <= n; k++) {
            const double next = 2 * x * d + 2 * (k - 1) * before;
            before = d;
            d = next;
        }
        return d;
    }
    /* exp(-38) is 2^-55.  The bound on the steps is good for small x, where they are many. */
    const double root = 19 / x + sqrt(2.0 * n);
    int m = n;
    double ratio;
    if (0.5 * root * root < n + 60.0) {
        double half = 1; /* 1 / r_m if the r_m were all alike */
        for (double error = 1; error > 1e-17; error *= 2 * m / (half * half)) {
            m++;
            half = x + sqrt(x * x + 2 * m);
        }
        ratio = 1 / half;
    } else {
        m = n > 16 ? n : 16;
        ratio = erfcx_ratio_by_quadrature(m, x);
    }
    for (int k = m - 1; k >= n; k--)
        ratio = 1 / (2 * x + 2 * (k + 1) * ratio);
    double d = ad_erfcx_itself(x);
    for (int k = n; k >= 1; k--) {
        d *= -2 * k * ratio;
        ratio = 1 / (2 * x + 2 * k * ratio);
    }
    return d;
}

/* ---- the normal distribution ----------------------------------------------------------------- */

/* m(x) = phi(x) / Phi(x) and its derivatives m_n, where phi = Phi' is the normal density.
 *
 * m' = -m (x + m), so that for x >= 0, m = exp(-x^2/2) / sqrt(2 pi) / (1 - q(x)) and
 *
 *     m_{n+1} = -sum_k C(n, k) m_{n-k} (x + m)_k,
 *
 * the recurrence of the Hermite polynomials as m vanishes.  For x < 0 its terms cancel, because
 * m = -x + small.  There Phi(x) exp(x^2/2) = F(x) / 2 with F(x) = erfcx(-x / sqrt(2)), hence
 *
 *     m = sqrt(2 / pi) / F,     m_n = (log F)_{n+1} - [n = 1].
 *
 * All derivatives of F are positive: F is the generating function of moments M_n = F_n / F of a normal
 * variable cut off at 0, and those of log F are its cumulants,
 *
 *     K_n = M_n - sum_{k=1}^{n-1} C(n-1, k-1) K_k M_{n-k},
 *
 * where only small factors cancel: far out the variable is exponential with K_n = (n-1)! / |x|^n. */
double ad_mills_of_order(double p, double x)
{
    const int n = order_of(p, AD_MOST_MILLS);
    double d[AD_MOST_MILLS + 2], other[AD_MOST_MILLS + 2];
    if (n < 0)
        return NAN;
    if (!(x < 0)) {
        d[0] = ad_mills_itself(x);
        if (d[0] == 0)
            return 0;
        other[0] = x + d[0];
        for (int i = 0; i < n; i++) {
            double sum = 0, binomial = 1;
            for (int k = 0; k <= i; k++) {
                sum += binomial * d[i - k] * other[k];
                binomial *= (double)(i - k) / (k + 1);
            }
            d[i + 1] = -sum;
            other[i + 1] = d[i + 1] + (i == 0);
        }
        return d[n];
    }
    if (n == 0)
        return ad_mills_itself(x);
    const double f = ad_erfcx_positive(-x * AD_SQRT_HALF);
    double *moment = d, *cumulant = other, scale = 1 / f;
    for (int i = 1; i <= n + 1; i++) {
        double sum = 0, binomial = 1;
        scale *= -AD_SQRT_HALF;
        moment[i] = scale * ad_erfcx(i, -x * AD_SQRT_HALF);
        for (int k = 1; k < i; k++) {
            sum += binomial * cumulant[k] * moment[i - k];
            binomial *= (double)(i - k) / k;
        }
        cumulant[i] = moment[i] - sum;
    }
    return cumulant[n + 1] - (n == 1);
}

/* ---- polygamma ------------------------------------------------------------------------------- */

/* n! x^-(n+1), also where the power alone would underflow. */
static double factorial_over_power(int n, double factorial, double x)
{
    if (n == 1)
        return 1 / x / x;
    const double power = pow(x, -n - 1);
    return power > 1e-290 ? factorial * power : pow(x, -n / 2) * factorial * pow(x, n / 2 - n - 1);
}

/* n! zeta(n + 1, x) for x > 0, n >= 1, by Euler and Maclaurin (DLMF 2.10.1), X = x + N:
 *
 *     sum_{k<N} n! (x+k)^-(n+1) + (n-1)! X^-n (1 + n/X (1/2 + sum_j b_j)),
 *     b_1 = B_2/2! (n+1)/X,     b_{j+1} = b_j (n+2j) (n+2j+1) / X^2 (B_{2j+2} / (2j+2)!) / (B_2j / (2j)!).
 *
 * B_2j / (2j)! falls as (2 pi)^-2j, so that X = 10 + n/2 and 12 terms are enough. */
static double scaled_zeta(int n, double x)
{
    static const double bernoulli[] = {
        /* B_2j / (2j)!, j = 1, 2, ... */
        0.083333333333333329,    -0.0013888888888888889,  3.3068783068783071e-05,
        -8.2671957671957675e-07, 2.08767569878681e-08,    -5.2841901386874932e-10,
        1.3382536530684679e-11,  -3.3896802963225827e-13, 8.5860620562778452e-15,
        -2.1748686985580619e-16, 5.5090028283602295e-18,  -1.3954464685812522e-19,
    };
    const double factorial = tgamma(n + 1.0);
    double sum = 0;
    for (; x < 10 + 0.5 * n; x += 1) {
        const double term = factorial_over_power(n, factorial, x);
        sum += term;
        if (term * x < 1e-18 * n * sum) /* the integral of the rest, from x on */
            return sum;
    }
    double tail = 0.5, rising = (n + 1) / x;
    for (int j = 1; j <= (int)(sizeof bernoulli / sizeof *bernoulli); j++) {
        tail += bernoulli[j - 1] * rising;
        rising *= (n + 2 * j) / x * ((n + 2 * j + 1) / x);
    }
    return sum + factorial_over_power(n - 1, factorial / n, x) * (1 + n / x * tail);
}

/* Digamma for x > 0.  On [1, 2] it is (x - x0) g(x), x0 its zero in two parts and g a Chebyshev
 * series, written in powers of t = 2x - 3: relative digits across the zero.  psi(x+1) = psi(x) + 1/x
 * leads there from (0, 1), and from (2, 8) by sums of positive terms.  From 8 on
 * log x - 1/(2x) - sum_j B_2j / (2j x^2j) (DLMF 5.11.2). */
static double digamma_positive(double x)
{
    static const double zero = 1.4616321449683622, zero_rest = 9.5499954299656977e-17;
    static const double g[] = {
        0.95105587603183284,     -0.21181371064073029,    0.060135621060196841,
        -0.018550615381735008,   0.0059367952783017609,   -0.0019350666648613071,
        0.00063688803038658166,  -0.00021074841138175561, 6.9950188251127936e-05,
        -2.3258242519113285e-05, 7.7412345086363639e-06,  -2.5780939540457722e-06,
        8.5890607219306946e-07,  -2.8631611668831928e-07, 9.5432982882782746e-08,
        -3.1629111474084543e-08, 1.0527692435026686e-08,  -3.7083753242807277e-09,
        1.2469984616707403e-09,  -2.7580994814376999e-10, 8.7345284291429526e-11,
        -8.5055076601326096e-11, 2.9186227321682609e-11,
    };
    static const double stirling[] = {
        /* B_2j / (2j), j = 1, 2, ... */
        0.083333333333333333,  -0.0083333333333333333, 0.003968253968253968, -0.0041666666666666667,
        0.0075757575757575758, -0.021092796092796093,  0.083333333333333333, -0.44325980392156863,
    };
    if (x >= 8) {
        const double v = 1 / x / x;
        return log(x) - 0.5 / x - v * AD_POLYNOMIAL(stirling, v);
    }
    double steps = 0;
    if (x < 1) {
        steps = -1 / x;
        x += 1;
    }
    while (x > 2) {
        x -= 1;
        steps += 1 / x;
    }
    return ((x - zero) - zero_rest) * AD_POLYNOMIAL(g, 2 * x - 3) + steps;
}

/* For x < 0 the terms (x+k)^-s of zeta(s, x) left of 0 are reflected.  With d = x - rint(x), exact,
 * and r = d mod 1 the distance from the next pole on the left, those terms are
 * (-1)^s (zeta(s, 1 - r) - zeta(s, 1 - x)).  For digamma the same sum is -pi cot(pi x) (DLMF 5.5.4). */
double ad_polygamma(double p, double x)
{
    const int n = order_of(p, AD_MOST_POLYGAMMA);
    if (n < 0 || isnan(x))
        return NAN;
    if (x > 0) {
        if (n == 0)
            return digamma_positive(x);
        if (isinf(x))
            return 0;
        return n % 2 ? scaled_zeta(n, x) : -scaled_zeta(n, x);
    }
    const double d = x - rint(x);
    if (isinf(x))
        return NAN;
    if (d == 0) {
        if (n % 2)
            return INFINITY;
        return x == 0 ? copysign(INFINITY, -x) : NAN;
    }
    if (n == 0) {
        const double cot =
            fabs(d) < 0.25 ? 1 / tan(PI * d) : copysign(tan(PI * (0.5 - fabs(d))), d);
        return digamma_positive(1 - x) - PI * cot;
    }
    const double left = d > 0 ? d : 1 + d, right = d > 0 ? 1 - d : -d;
    const double reflected = scaled_zeta(n, right) - scaled_zeta(n, 1 - x);
    return n % 2 ? scaled_zeta(n, left) + reflected : reflected - scaled_zeta(n, left);
}

/* ---- sinc and its derivatives ---------------------------------------------------------------- */

/* With z = pi x and S_n = d^n/dz^n sin z = sin(z + n pi / 2), differentiating z f(z) = sin z gives
 *
 *     z f_n + n f_{n-1} = S_n,     f_n = d^n/dz^n (sin z / z) = int_0^1 t^n cos(t z + n pi/2) dt.
 *
 * Upwards an error grows by n / z a step, downwards by z / n: upwards for n <= z; else downwards from
 * an N so large that the missing f_N, below 1 / (N+1), no longer counts at n. */
double ad_sinc_of_order(double p, double x)
{
    const int n = order_of(p, AD_MOST_SINC);
    if (n < 0 || isnan(x))
        return NAN;
    if (n == 0)
        return ad_sinc_itself(x);
    if (isinf(x))
        return 0;
    const double z = PI * fabs(x);
    /* sin and cos of pi x from its exact distance to a multiple of 2, and to one of 1/2. */
    const double r = fabs(x) - 2 * rint(0.5 * fabs(x));
    const int quarter = (int)rint(2 * r);
    const double d = PI * (r - 0.5 * quarter), sin_d = sin(d), cos_d = cos(d);
    const int turn = (quarter + 4) % 4;                     /* sin(pi x) = sin(d + turn pi / 2) */
    const double cycle[4] = {sin_d, cos_d, -sin_d, -cos_d}; /* S_n = cycle[(n + turn) % 4] */

    double f;
    if (n <= z) {
        f = cycle[turn] / z;
        for (int k = 1; k <= n; k++)
            f = (cycle[(k + turn) % 4] - k * f) / z;
    } else {
        int top = n + 1; /* f_{n+1} is needed at least, the leading term of an odd f_n at 0 */
        for (double weight = 1; weight > 1e-18; weight *= z / top)
            top++;
        f = 0;
        for (int k = top; k > n; k--)
            f = (cycle[(k + turn) % 4] - z * f) / k;
    }
    /* PI is short of pi by 3.9e-17 pi. */
    f *= pow(PI, n) * (1 + 3.8981718325193755e-17 * n);
    return x < 0 && n % 2 ? -f : f;
}

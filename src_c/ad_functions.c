/* ad_functions.c -- the table of functions with derivatives in their parameters. */
#include "ad_functions.h"

#include "ad_special_bessel.h"
#include "ad_special_gamma.h"
#include "ad_special_hyper.h"
#include "ad_special_student.h"
#include "ad_special_tails.h"

#include <string.h>

const struct ad_function ad_functions[] = {
    /* name, orders, arguments, kernel */
    {"psi_difference", 1, 2, ad_psi_difference},
    {"stirling", 1, 1, ad_stirling},
    {"deviance", 0, 2, ad_deviance},
    {"gammainc", 1, 4, ad_gammainc},
    {"betainc", 2, 5, ad_betainc},
    {"gamma_lower", 2, 2, ad_gamma_lower},
    {"gamma_upper", 2, 2, ad_gamma_upper},
    {"beta_lower", 3, 3, ad_beta_lower},
    {"zeta", 1, 2, ad_zeta},
    {"riemann_zeta", 1, 1, ad_riemann_zeta},
    {"dawsn", 1, 2, ad_dawsn},
    {"student_peak", 1, 1, ad_student_peak},
    {"log1p_excess", 0, 1, ad_log1p_excess},
    {"stdtr", 1, 3, ad_stdtr},
    {"jv", 1, 2, ad_jv},
    {"yv", 1, 2, ad_yv},
    {"iv", 1, 2, ad_iv},
    {"kv", 1, 2, ad_kv},
    {"ive", 2, 2, ad_ive},
    {"kve", 2, 2, ad_kve},
    {"hyp0f1", 2, 2, ad_hyp0f1},
    {"hyp1f1", 3, 3, ad_hyp1f1},
    {"hyp2f1", 4, 4, ad_hyp2f1},
    {"ellipkm1", 1, 1, ad_ellipkm1},
    {"ellipkinc", 1, 2, ad_ellipkinc},
    {"ellipeinc", 1, 2, ad_ellipeinc},
    {NULL, 0, 0, NULL},
};

const struct ad_function *ad_function_find(const char *name)
{
    for (const struct ad_function *f = ad_functions; f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

size_t ad_function_vector(const struct ad_function *f, const int *order, size_t n,
                          const double *const *x, double *y)
{
    size_t first = n;

    for (size_t i = 0; i < n; i++) {
        double at[AD_FUNCTION_ARGS];
        bool lost = false;
        for (int k = 0; k < f->n_args; k++)
            at[k] = x[k][i];
        y[i] = f->kernel(order, at, &lost);
        if (lost && first == n)
            first = i;
    }
    return first;
}

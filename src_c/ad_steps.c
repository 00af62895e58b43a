/* ad_steps.c -- the steps that series are made of, each a recurrence for coefficient k. */
#include "ad_steps.h"

#include <math.h>

/* A row may be left out: then the general rule serves it. */
const struct ad_recurrence ad_recurrences[AD_N_OPS] = {
    [AD_OP_mul] = {.step = AD_STEP_PRODUCT},
    [AD_OP_mul0] = {.step = AD_STEP_PRODUCT, .cuts = true},
    [AD_OP_mul00] = {.step = AD_STEP_PRODUCT, .cuts = true},
    [AD_OP_square] = {.step = AD_STEP_PRODUCT},
    [AD_OP_div] = {.step = AD_STEP_QUOTIENT},
    [AD_OP_div0] = {.step = AD_STEP_QUOTIENT, .cuts = true},
    [AD_OP_reciprocal] = {.step = AD_STEP_QUOTIENT},
    [AD_OP_recip0] = {.step = AD_STEP_QUOTIENT},
    [AD_OP_sqrt] = {.step = AD_STEP_ROOT},
    [AD_OP_exp] = {.step = AD_STEP_EXP},
    [AD_OP_log] = {.step = AD_STEP_LOG},
    [AD_OP_sin] = {.step = AD_STEP_PAIR, .companion = AD_OP_cos, .sign = {1, -1}},
    [AD_OP_cos] = {.step = AD_STEP_PAIR, .companion = AD_OP_sin, .sign = {-1, 1}},
    [AD_OP_sinh] = {.step = AD_STEP_PAIR, .companion = AD_OP_cosh, .sign = {1, 1}},
    [AD_OP_cosh] = {.step = AD_STEP_PAIR, .companion = AD_OP_sinh, .sign = {1, 1}},
    [AD_OP_logistic] = {.step = AD_STEP_LOGISTIC},
    [AD_OP_powi] = {.step = AD_STEP_POWI},
    [AD_OP_pow] = {.step = AD_STEP_POWER},
};

/* Each is compiled twice: for one path, where the coefficients of an operand lie side by side, and
 * for n paths in rows. */

AD_INLINE const double *row(const struct ad_operand *s, int k, bool scalar)
{
    return s->c + (size_t)k * (scalar ? 1 : s->stride);
}

AD_INLINE double *result(const struct ad_node *v, int k, bool scalar)
{
    return v->rows + (size_t)k * (scalar ? 1 : v->r.stride);
}

/* r = sum_{j=lo..hi} w_j a_j b_{k-j}, w_j = 1 or, if weighted, j. */
AD_INLINE void sum_products(double *restrict r, const struct ad_operand *a,
                            const struct ad_operand *b, int k, int lo, int hi, bool weighted,
                            size_t n, bool scalar)
{
    int j = AD_MAX(lo, k - b->degree);

    hi = AD_MIN(hi, a->degree);
    if (scalar) {
        const double *ac = a->c, *bc = b->c + k;
        double even = 0, odd = 0;

        for (; j < hi; j += 2) {
            even += (weighted ? j * ac[j] : ac[j]) * bc[-j];
            odd += (weighted ? (j + 1) * ac[j + 1] : ac[j + 1]) * bc[-j - 1];
        }
        if (j == hi)
            even += (weighted ? j * ac[j] : ac[j]) * bc[-j];
        r[0] = even + odd;
        return;
    }
    for (size_t i = 0; i < n; i++)
        r[i] = 0;
    for (; j + 1 <= hi; j += 2) {
        const double *a0 = row(a, j, scalar), *a1 = row(a, j + 1, scalar);
        const double *b0 = row(b, k - j, scalar), *b1 = row(b, k - j - 1, scalar);
        double w0 = weighted ? j : 1, w1 = weighted ? j + 1 : 1;

        for (size_t i = 0; i < n; i++)
            r[i] += w0 * a0[i] * b0[i] + w1 * a1[i] * b1[i];
    }
    if (j == hi) {
        const double *a0 = row(a, j, scalar), *b0 = row(b, k - j, scalar);
        double w0 = weighted ? j : 1;

        for (size_t i = 0; i < n; i++)
            r[i] += w0 * a0[i] * b0[i];
    }
}

/* r = sum_{j=lo..k-lo} a_j a_{k-j} */
AD_INLINE void sum_squares(double *restrict r, const struct ad_operand *a, int k, int lo, size_t n,
                           bool scalar)
{
    const double *middle = row(a, k / 2, scalar);
    bool even = k % 2 == 0 && k / 2 >= lo && k / 2 <= a->degree;

    sum_products(r, a, a, k, lo, (k - 1) / 2, false, n, scalar);
    for (size_t i = 0; i < n; i++)
        r[i] = 2 * r[i] + (even ? middle[i] * middle[i] : 0);
}

/* Is the whole of a zero?  Of an operand that is still growing one cannot say. */
static bool is_all_zero(const struct ad_operand *a, size_t i)
{
    for (int j = 0; j <= a->degree; j++)
        if (a->c[(size_t)j * a->stride + i] != 0)
            return false;
    return a->complete;
}

AD_INLINE void step_product(const struct ad_node *v, int k, size_t n, bool scalar)
{
    double *restrict r = result(v, k, scalar);

    if (v->a[0].c == v->a[1].c)
        sum_squares(r, &v->a[0], k, 0, n, scalar);
    else
        sum_products(r, &v->a[0], &v->a[1], k, 0, k, false, n, scalar);
    if (ad_recurrences[v->op].cuts)
        for (size_t i = 0; i < n; i++)
            if (!isfinite(r[i]) &&
                (is_all_zero(&v->a[0], i) || (v->op == AD_OP_mul00 && is_all_zero(&v->a[1], i))))
                r[i] = 0;
}

AD_INLINE void step_quotient(const struct ad_node *v, int k, size_t n, bool scalar)
{
    const double *a = k <= v->a[0].degree ? row(&v->a[0], k, scalar) : NULL, *b = v->a[1].c;
    double *restrict r = result(v, k, scalar);

    sum_products(r, &v->a[1], &v->r, k, 1, k, false, n, scalar);
    for (size_t i = 0; i < n; i++)
        r[i] = ((a ? a[i] : 0) - r[i]) / b[i];
    if (ad_recurrences[v->op].cuts)
        for (size_t i = 0; i < n; i++)
            if (!isfinite(r[i]) && is_all_zero(&v->a[0], i))
                r[i] = 0;
}

AD_INLINE void step_root(const struct ad_node *v, int k, size_t n, bool scalar)
{
    const double *a = k <= v->a[0].degree ? row(&v->a[0], k, scalar) : NULL, *r0 = v->r.c;
    double *restrict r = result(v, k, scalar);

    sum_squares(r, &v->r, k, 1, n, scalar);
    for (size_t i = 0; i < n; i++)
        r[i] = ((a ? a[i] : 0) - r[i]) / (2 * r0[i]);
}

/* r_k = (sum_j j a_j d_{k-j}) scale / k */
AD_INLINE void integrate(double *restrict r, const struct ad_operand *a, const struct ad_operand *d,
                         double scale, int k, size_t n, bool scalar)
{
    sum_products(r, a, d, k, 1, k, true, n, scalar);
    for (size_t i = 0; i < n; i++)
        r[i] = scale * r[i] / k;
}

AD_INLINE void step_log(const struct ad_node *v, int k, size_t n, bool scalar)
{
    const double *a = k <= v->a[0].degree ? row(&v->a[0], k, scalar) : NULL, *a0 = v->a[0].c;
    double *restrict r = result(v, k, scalar);

    sum_products(r, &v->r, &v->a[0], k, 1, k - 1, true, n, scalar);
    for (size_t i = 0; i < n; i++)
        r[i] = ((a ? a[i] : 0) - r[i] / k) / a0[i];
}

AD_INLINE void step_pair(const struct ad_node *v, int k, size_t n, bool scalar)
{
    const double *sign = ad_recurrences[v->op].sign;
    struct ad_operand companion = v->r;

    companion.c = v->more;
    companion.stride = n;
    integrate(result(v, k, scalar), &v->a[0], &companion, sign[0], k, n, scalar);
    integrate(v->more + (size_t)k * n, &v->a[0], &v->r, sign[1], k, n, scalar);
}

/* With c = 1 - r and q = r c: r' = q a', and c_k = -r_k for k > 0.  c_0 is kept, for the digits
 * that 1 - r_0 would lose. */
AD_INLINE void step_logistic(const struct ad_node *v, int k, size_t n, bool scalar)
{
    double *restrict r = result(v, k, scalar);
    double *restrict qk = v->more + (size_t)k * n;
    const double *r0 = v->r.c, *c0 = v->more + (size_t)(v->r.degree + 1) * n;
    struct ad_operand q = v->r;

    q.c = v->more;
    q.stride = n;
    integrate(r, &v->a[0], &q, 1, k, n, scalar);
    sum_squares(qk, &v->r, k, 1, n, scalar);
    for (size_t i = 0; i < n; i++)
        qk[i] = r[i] * (c0[i] - r0[i]) - qk[i];
}

AD_INLINE void step_combine(const struct ad_node *v, int k, size_t n, bool scalar)
{
    double *restrict r = result(v, k, scalar);

    for (size_t i = 0; i < n; i++)
        r[i] = 0;
    for (int j = 0; j < ad_ops[v->op].n_args; j++) {
        const double *a, *d = v->more ? v->more + (size_t)j * n : NULL;

        if (k > v->a[j].degree)
            continue;
        a = row(&v->a[j], k, scalar);
        for (size_t i = 0; i < n; i++) {
            double factor = d ? d[i] : v->factor[j];

            r[i] += factor == 0 ? 0 : factor * a[i];
        }
    }
}

/* d u_m/dx = u_{m+1}, u_0 = r.  Coefficient k of u_0 takes k - 1 of u_1, ..., 0 of u_k. */
AD_INLINE void step_family(const struct ad_node *v, int k, size_t n, bool scalar)
{
    struct ad_operand u[2] = {{v->more, n, k, false, false}, v->r};
    struct ad_vec args[AD_MAX_ARGS] = {{v->a[0].c, 0}};
    /* u_m has degree + 1 - m rows; start with u_k. */
    double *rows = v->more;

    for (int m = 1; m < k; m++)
        rows += (size_t)(v->r.degree + 1 - m) * n;
    if (scalar)
        rows[0] = ad_op_value(v->op, v->p + k, args[0].v[0], 0, 0);
    else
        ad_op_vector(v->op, v->p + k, n, args, rows);
    for (int i = 1; i <= k; i++) {
        int m = k - i;
        double *u_m = rows - (size_t)(v->r.degree + 1 - m) * n;

        u[0].c = rows;
        if (m == 0)
            integrate(result(v, k, scalar), &v->a[0], &u[0], 1, k, n, scalar);
        else
            integrate(u_m + (size_t)i * n, &v->a[0], &u[0], 1, i, n, scalar);
        rows = u_m;
    }
}

/* Coefficient k of element i of a power, where the recurrence fails: x_0 is 0, or x_0**z_0 is 0 or
 * infinite though coefficients are not, or x_0 < 0 under a varying z. */
static double odd_power(const struct ad_node *v, int k, size_t i)
{
    const struct ad_operand *x = &v->a[0], *z = &v->a[1];
    double *scaled = v->more, *exponents = scaled + k + 1, *logs = exponents + k + 1;
    double *products = logs + k + 1, *g = products + k + 1;
    double x0 = x->c[i], z0 = z->c[i], rho = INFINITY, scale;
    bool varies = false, whole = z0 == rint(z0);

#define X_(j) x->c[(size_t)(j) * x->stride + i]
#define Z_(j) z->c[(size_t)(j) * z->stride + i]
#define R_(j) v->rows[(size_t)(j) * v->r.stride + i]
    for (int j = 1; j <= AD_MIN(k, z->degree); j++)
        varies |= Z_(j) != 0;
    if (x0 == 0) {
        int known = AD_MIN(x->degree, x->complete ? x->degree : k), m = 1;
        double first;

        if (z0 == 0 && !varies)
            return 0;
        if (!(z0 > 0))
            return NAN;
        /* x = x_m t^m + ... */
        while (m <= known && X_(m) == 0)
            m++;
        if (m > known && known < v->limit && known == x->degree)
            return 0; /* x is 0 */
        first = m * z0;
        if (k < first)
            return 0;
        if (m > known || !whole)
            return NAN;
        if (k == first)
            return pow(X_(m), z0);
        if (varies)
            return NAN; /* t**k log(t) */
        /* t^(m z) u^z with u_j = x_{m+j}. */
        scale = 0;
        for (int j = 1, r = k - (int)first; j <= AD_MIN(r, x->degree - m); j++)
            scale += (z0 * j - (r - j)) * X_(m + j) * R_(k - j);
        return scale / ((k - first) * X_(m));
    }
    if (x0 < 0 && (varies || !whole))
        return NAN;
    /* x = x_0 u(t / rho), with rho such that no coefficient of u exceeds 1; then u**z has moderate
     * coefficients g_k, and those of x**z are x_0**z_0 rho**-k g_k. */
    for (int j = 1; j <= AD_MIN(k, x->degree); j++)
        rho = fmin(rho, pow(fabs(x0 / X_(j)), 1.0 / j));
    if (!(rho > 0 && isfinite(x0)))
        return NAN;
    if (isinf(rho))
        rho = 1;
    for (int j = 0; j <= k; j++) {
        scaled[j] = j <= x->degree ? X_(j) / x0 * pow(rho, j) : 0;
        exponents[j] = j <= z->degree ? Z_(j) * pow(rho, j) : 0;
    }
    logs[0] = log(fabs(x0));
    products[0] = z0 * logs[0];
    g[0] = 1;
    for (int m = 1; m <= k; m++) {
        logs[m] = scaled[m];
        for (int j = 1; j < m; j++)
            logs[m] -= j * logs[j] * scaled[m - j] / m;
        products[m] = 0;
        for (int j = 0; j <= m; j++)
            products[m] += exponents[j] * logs[m - j];
        g[m] = 0;
        for (int j = 1; j <= m; j++)
            g[m] += (varies ? j * products[j] : (z0 * j - (m - j)) * scaled[j]) * g[m - j] / m;
    }
#undef X_
#undef Z_
#undef R_
    if (g[k] == 0)
        return 0;
    scale = exp(products[0] - k * log(rho) + log(fabs(g[k])));
    return (g[k] < 0) != (x0 < 0 && fmod(z0, 2) != 0) ? -scale : scale;
}

AD_INLINE void step_power(const struct ad_node *v, int k, size_t n, bool scalar)
{
    const struct ad_operand *x = &v->a[0], *z = &v->a[1];
    bool constant = z->degree == 0;
    double *restrict r = result(v, k, scalar);
    const double *x0 = x->c, *z0 = z->c, *r0 = v->r.c;

    if (constant) {
        /* x r' = z r x' */
        for (size_t i = 0; i < n; i++)
            r[i] = 0;
        for (int j = 1; j <= AD_MIN(k, x->degree); j++) {
            const double *a = row(x, j, scalar), *b = row(&v->r, k - j, scalar);

            for (size_t i = 0; i < n; i++)
                r[i] += (z0[i] * j - (k - j)) * a[i] * b[i];
        }
        for (size_t i = 0; i < n; i++)
            r[i] /= k * x0[i];
    } else {
        integrate(r, &v->a[2], &v->r, 1, k, n, scalar);
    }
    for (size_t i = 0; i < n; i++)
        if (!(isnan(r0[i]) || (isnormal(r0[i]) && (x0[i] > 0 || (x0[i] < 0 && constant)))))
            r[i] = odd_power(v, k, i);
}

AD_INLINE void step_rule(const struct ad_node *v, int k, size_t n, bool scalar)
{
    double *restrict r = result(v, k, scalar);
    double sum[AD_STEP_TILE];
    bool first = true;

    for (int j = 0; j < ad_ops[v->op].n_args; j++) {
        if (!v->d[j].c)
            continue;
        if (first) {
            sum_products(r, &v->a[j], &v->d[j], k, 1, k, true, n, scalar);
        } else {
            sum_products(sum, &v->a[j], &v->d[j], k, 1, k, true, n, scalar);
            for (size_t i = 0; i < n; i++)
                r[i] += sum[i];
        }
        first = false;
    }
    for (size_t i = 0; i < n; i++)
        r[i] /= k;
}

AD_INLINE void value(enum ad_op op, const struct ad_node *v, const double *x, size_t n, double *r,
                     bool scalar)
{
    struct ad_vec args[AD_MAX_ARGS] = {{x, 0}, {v->value_args[1].c, 0}, {v->value_args[2].c, 0}};

    if (scalar)
        r[0] =
            ad_op_value(op, v->p, x[0], args[1].v ? args[1].v[0] : 0, args[2].v ? args[2].v[0] : 0);
    else
        ad_op_vector(op, v->p, n, args, r);
}

/* Coefficient 0, and what the later ones need with it. */
AD_INLINE void step_start(const struct ad_node *v, size_t n, bool scalar)
{
    const struct ad_operand *a = v->value_args;
    double *more = v->more;

    value(v->op, v, a[0].c, n, v->rows, scalar);
    if (v->step == AD_STEP_PAIR) {
        value(ad_recurrences[v->op].companion, v, a[0].c, n, more, scalar);
    } else if (v->step == AD_STEP_LOGISTIC) {
        double *c0 = more + (size_t)(v->r.degree + 1) * n;

        for (size_t i = 0; i < n; i++)
            more[i] = -a[0].c[i];
        value(v->op, v, more, n, c0, scalar);
        for (size_t i = 0; i < n; i++)
            more[i] = v->r.c[i] * c0[i];
    } else if (v->step == AD_STEP_COMBINE && more) {
        int n_args = ad_ops[v->op].n_args;

        for (size_t i = 0; i < n; i++) {
            double d[AD_MAX_ARGS];

            ad_op_partials(v->op, v->p, a[0].c[i], a[1].c ? a[1].c[i] : 0, a[2].c ? a[2].c[i] : 0,
                           v->rows[i], d);
            for (int j = 0; j < n_args; j++)
                more[(size_t)j * n + i] = d[j];
        }
    }
}

AD_INLINE void step(const struct ad_node *v, int k, size_t n, bool scalar)
{
    switch (v->step) {
    case AD_STEP_RULE:
        step_rule(v, k, n, scalar);
        return;
    case AD_STEP_COMBINE:
        step_combine(v, k, n, scalar);
        return;
    case AD_STEP_FAMILY:
        step_family(v, k, n, scalar);
        return;
    case AD_STEP_PRODUCT:
        step_product(v, k, n, scalar);
        return;
    case AD_STEP_QUOTIENT:
        step_quotient(v, k, n, scalar);
        return;
    case AD_STEP_ROOT:
        step_root(v, k, n, scalar);
        return;
    case AD_STEP_EXP:
        integrate(result(v, k, scalar), &v->a[0], &v->r, 1, k, n, scalar);
        return;
    case AD_STEP_LOG:
        step_log(v, k, n, scalar);
        return;
    case AD_STEP_PAIR:
        step_pair(v, k, n, scalar);
        return;
    case AD_STEP_LOGISTIC:
        step_logistic(v, k, n, scalar);
        return;
    case AD_STEP_POWER:
        step_power(v, k, n, scalar);
        return;
    case AD_STEP_CONSTANT: /* has no coefficient beyond 0 */
    case AD_STEP_POWI:     /* has no node */
        break;
    }
    ad_unreachable();
}

static void run_scalar(const struct ad_node *first, int order)
{
    for (const struct ad_node *v = first; v; v = v->next)
        step_start(v, 1, true);
    for (int k = 1; k <= order; k++)
        for (const struct ad_node *v = first; v; v = v->next)
            if (k <= v->r.degree)
                step(v, k, 1, true);
}

AD_VECTOR static void run_vector(const struct ad_node *first, int order, size_t n)
{
    for (const struct ad_node *v = first; v; v = v->next)
        step_start(v, n, false);
    for (int k = 1; k <= order; k++)
        for (const struct ad_node *v = first; v; v = v->next)
            if (k <= v->r.degree)
                step(v, k, n, false);
}

void ad_steps_run(const struct ad_node *first, int order, size_t n, bool scalar)
{
    if (scalar)
        run_scalar(first, order);
    else
        run_vector(first, order, n);
}

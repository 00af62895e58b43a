/* ad_series.c -- the rows read as truncated Taylor series.
 *
 * With d_i(t) = df/da_i along the path, two rules serve every row to any order (Griewank & Walther,
 * Evaluating Derivatives, 2nd ed., ch. 13):
 *
 *     forward   y' = sum_i d_i a_i'     =>  k y_k = sum_i sum_{j=1..k} j (a_i)_j (d_i)_{k-j}
 *     reverse   dy_k/d(a_i)_j = (d_i)_{k-j}  =>  abar_j += sum_{k>=j} ybar_k d_{k-j}
 *
 * d_i is the derivative column, whose words are rows themselves: they are expanded by the same
 * forward rule until only steps remain that have a recurrence of their own.  The expansion is a
 * list of nodes, each with the array of its coefficients, and the list is run through for k = 0, 1,
 * 2, ... Coefficient k of y needs d only up to k - 1, which is why d may depend on y, and why the
 * nodes of d stop one order earlier.
 *
 * Long arrays are taken in tiles, so that the coefficients of all nodes stay in the cache.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ad_series.h"

enum {
    TILE = 128,
    /* x**p by products of x up to this |p|.  Beyond, the recurrence of POWER, which one product
     * costs as much as, but which loses all if x0**p underflows. */
    MAX_CHAIN = 1024
};

/* How coefficient k of a node is found; a, b are its operands, r its result. */
enum step {
    RULE,     /* the forward rule above */
    CONSTANT, /* only coefficient 0 is not zero */
    COMBINE,  /* r_k = sum_i d_i (a_i)_k, numbers d_i; the rows that are LINEAR or SELECT */
    FAMILY,   /* a row whose derivative is the row at the next parameter */
    PRODUCT,  /* r = a b */
    QUOTIENT, /* r b = a */
    ROOT,     /* r r = a */
    EXP,      /* r' = r a' */
    LOG,      /* a r' = a' */
    PAIR,     /* r' = s c', c' = s2 r a': sin and cos, sinh and cosh */
    LOGISTIC, /* r' = r (1 - r) a' */
    POWI,     /* expanded into products */
    POWER     /* r = a**b */
};

/* The rows that have a step of their own.  A row may be left out: then RULE serves it. */
static const struct recurrence {
    enum step step;
    enum ad_op companion; /* of PAIR */
    double sign[2];       /* r' = sign[0] companion a', companion' = sign[1] r a' */
    bool cuts;            /* 0 where all of the first argument is 0, whatever the second */
} recurrences[AD_N_OPS] = {
    [AD_OP_mul] = {.step = PRODUCT},
    [AD_OP_mul0] = {.step = PRODUCT, .cuts = true},
    [AD_OP_square] = {.step = PRODUCT},
    [AD_OP_div] = {.step = QUOTIENT},
    [AD_OP_div0] = {.step = QUOTIENT, .cuts = true},
    [AD_OP_reciprocal] = {.step = QUOTIENT},
    [AD_OP_recip0] = {.step = QUOTIENT},
    [AD_OP_sqrt] = {.step = ROOT},
    [AD_OP_exp] = {.step = EXP},
    [AD_OP_log] = {.step = LOG},
    [AD_OP_sin] = {.step = PAIR, .companion = AD_OP_cos, .sign = {1, -1}},
    [AD_OP_cos] = {.step = PAIR, .companion = AD_OP_sin, .sign = {-1, 1}},
    [AD_OP_sinh] = {.step = PAIR, .companion = AD_OP_cosh, .sign = {1, 1}},
    [AD_OP_cosh] = {.step = PAIR, .companion = AD_OP_sinh, .sign = {1, 1}},
    [AD_OP_logistic] = {.step = LOGISTIC},
    [AD_OP_powi] = {.step = POWI},
    [AD_OP_pow] = {.step = POWER},
};

/* The coefficients of n paths as the nodes see them. */
struct operand {
    const double *c; /* coefficient k starts at c + k * stride */
    size_t stride;
    int degree;
    bool complete; /* all coefficients are known before the first step */
    bool zero;     /* the literal 0 */
};

struct node {
    enum step step;
    enum ad_op op; /* its value is coefficient 0 */
    double p;
    int limit;                              /* no coefficient beyond was asked for */
    struct operand value_args[AD_MAX_ARGS]; /* the arguments of 'op' */
    struct operand a[AD_MAX_ARGS];          /* the operands of 'step' */
    struct operand d[AD_MAX_ARGS];          /* RULE: the partials; c is NULL where a is constant */
    double factor[AD_MAX_ARGS];             /* COMBINE: the partials, where they are numbers */
    struct operand r;
    double *rows; /* r, to be written */
    double *more; /* further rows, see step_*() */
    struct node *next;
};

/* Nodes and their arrays lie one after the other in one block.  If it is too small, nothing more is
 * written, and 'used' goes on counting. */
struct plan {
    char *block;
    size_t nbytes, used;
    size_t n; /* elements in this tile */
    struct node *first, **last;
    struct operand literals[4]; /* those met so far, as far as they fit */
    double literal_values[4];
    int n_literals;
    struct node spare; /* what new_node() returns when there is no room */
};

/* ---- building the list of nodes ---- */

static void *take(struct plan *plan, size_t nbytes)
{
    size_t start = plan->used;

    plan->used += (nbytes + 7) & ~(size_t)7;
    return plan->used <= plan->nbytes ? plan->block + start : NULL;
}

static double *take_rows(struct plan *plan, int n_rows)
{
    return take(plan, (size_t)n_rows * plan->n * sizeof(double));
}

static struct node *new_node(struct plan *plan, enum step step, enum ad_op op, double p,
                             const struct operand *args, int degree, int limit,
                             const struct operand *out)
{
    struct node *node = take(plan, sizeof *node);

    if (node) {
        *plan->last = node;
        plan->last = &node->next;
    } else {
        node = &plan->spare;
    }
    node->step = step;
    node->op = op;
    node->p = p;
    node->limit = limit;
    for (int i = 0; i < AD_MAX_ARGS; i++)
        node->value_args[i] = i < ad_ops[op].n_args ? args[i] : (struct operand){.c = NULL};
    node->next = NULL;
    node->more = NULL;
    if (out) {
        node->r = *out;
        node->r.degree = degree;
        node->r.complete = node->r.zero = false;
    } else {
        node->r = (struct operand){take_rows(plan, degree + 1), plan->n, degree, false, false};
    }
    node->rows = (double *)(uintptr_t)node->r.c;
    return node;
}

static struct operand literal(struct plan *plan, double c)
{
    struct operand r = {NULL, plan->n, 0, true, c == 0};
    double *row;

    for (int i = 0; i < plan->n_literals; i++)
        if (plan->literal_values[i] == c)
            return plan->literals[i];
    r.c = row = take_rows(plan, 1);
    for (size_t i = 0; row && i < plan->n; i++)
        row[i] = c;
    if (row && plan->n_literals < 4) {
        plan->literals[plan->n_literals] = r;
        plan->literal_values[plan->n_literals++] = c;
    }
    return r;
}

/* The same op of the same operands, if there is a node of it. */
static const struct node *find(const struct plan *plan, enum ad_op op, double p,
                               const struct operand *args, int limit)
{
    for (const struct node *node = plan->first; node; node = node->next) {
        bool same =
            node->op == op && node->p == p && (node->limit >= limit || node->step == CONSTANT);

        for (int i = 0; same && i < ad_ops[op].n_args; i++)
            same = node->value_args[i].c == args[i].c;
        if (same)
            return node;
    }
    return NULL;
}

static bool is_zero(const struct ad_word *words)
{
    return words->op == AD_W_CONST && words->c == 0 && words[1].op == AD_W_END;
}

/* Is the derivative the same row at the next parameter? */
static bool is_family(enum ad_op op)
{
    const struct ad_word *words = ad_ops[op].partial[0];

    return words[0].op == AD_W_X && words[1].op == (int)op && words[1].c == 1 &&
           words[2].op == AD_W_END;
}

static struct operand build_op(struct plan *plan, enum ad_op op, double p,
                               const struct operand *args, int limit, const struct operand *out);

/* A derivative column, to coefficient 'limit'. */
static struct operand build_words(struct plan *plan, const struct ad_word *word,
                                  const struct operand *args, struct operand y, double p, int limit)
{
    struct operand stack[AD_MAX_WORDS + AD_MAX_ARGS];
    int top = 0;

    for (; word->op != AD_W_END; word++) {
        if (word->op >= 0) {
            top -= ad_ops[word->op].n_args;
            stack[top] =
                build_op(plan, (enum ad_op)word->op, p + word->c, stack + top, limit, NULL);
        } else if (word->op == AD_W_CONST) {
            stack[top] = literal(plan, word->c);
        } else if (word->op == AD_W_P) {
            stack[top] = literal(plan, p);
        } else {
            stack[top] = word->op == AD_W_Y ? y : args[AD_W_X - word->op];
        }
        top++;
    }
    ad_assert(top == 1);
    return stack[0];
}

static struct operand build_product(struct plan *plan, enum ad_op op, double p,
                                    const struct operand *args, struct operand a, struct operand b,
                                    int limit, const struct operand *out)
{
    int degree = AD_MIN(limit, a.degree + b.degree);
    struct node *node = new_node(plan, PRODUCT, op, p, args, degree, limit, out);

    node->a[0] = a;
    node->a[1] = b;
    return node->r;
}

/* x**p = x x ... x by squares: exact zeros stay exact at x0 = 0 as elsewhere, and no coefficient is
 * lost when x0**p underflows.  The bits of p are taken from the top, so that one factor of every
 * other product is x, which is often of degree 1. */
static struct operand build_powi(struct plan *plan, double p, const struct operand *args, int limit,
                                 const struct operand *out)
{
    struct operand pair[AD_MAX_ARGS] = {args[0], args[0]}, base = args[0], r;
    unsigned exponent = (unsigned)fabs(p), bit = MAX_CHAIN;

    if (p < 0) {
        struct operand one[AD_MAX_ARGS] = {args[0]};

        base = build_op(plan, AD_OP_reciprocal, 0, one, limit, NULL);
    }
    while (!(bit & exponent))
        bit >>= 1;
    r = pair[0] = pair[1] = base;
    for (bit >>= 1; bit; bit >>= 1) {
        bool odd = bit & exponent, last = bit == 1;

        pair[0] = pair[1] = r;
        r = last && !odd ? build_product(plan, AD_OP_powi, p, args, r, r, limit, out)
                         : build_product(plan, AD_OP_mul, 0, pair, r, r, limit, NULL);
        pair[0] = r;
        pair[1] = base;
        if (odd)
            r = last ? build_product(plan, AD_OP_powi, p, args, r, base, limit, out)
                     : build_product(plan, AD_OP_mul, 0, pair, r, base, limit, NULL);
    }
    return r;
}

/* b log(a), for a**b with a varying b. */
static struct operand build_exponent(struct plan *plan, const struct operand *args, int limit)
{
    struct operand pair[AD_MAX_ARGS] = {args[1]};

    pair[1] = build_op(plan, AD_OP_log, 0, args, limit, NULL);
    return build_product(plan, AD_OP_mul, 0, pair, pair[0], pair[1], limit, NULL);
}

/* The nodes of one op, to coefficient 'limit'.  The result goes to 'out' if that is not NULL. */
static struct operand build_op(struct plan *plan, enum ad_op op, double p,
                               const struct operand *args, int limit, const struct operand *out)
{
    const struct ad_op_info *info = &ad_ops[op];
    struct recurrence recurrence = recurrences[op];
    bool selects = info->curvature != AD_CURVED;
    struct operand exponent = {NULL, 0, 0, false, false};
    int degree = 0, n_more = 0;
    struct node *node;

    p = info->family ? p : 0;
    if (!out) {
        const struct node *known = find(plan, op, p, args, limit);

        if (known)
            return known->r;
        if (recurrence.step == PRODUCT && (args[0].zero || (info->n_args > 1 && args[1].zero)))
            return args[0].zero ? args[0] : args[1];
    }
    for (int i = 0; i < info->n_args; i++)
        if (!is_zero(info->partial[i]))
            degree = AD_MAX(degree, args[i].degree);
    degree = degree && !selects ? limit : AD_MIN(degree, limit);
    if (recurrence.step == POWI && degree) {
        if (p == 0)
            degree = 0;
        else if (p == 1 || fabs(p) >= MAX_CHAIN)
            recurrence.step = p == 1 ? COMBINE : POWER;
        else if (p == -1)
            recurrence.step = QUOTIENT;
        else
            return build_powi(plan, p, args, limit, out);
        if (p == 1)
            degree = AD_MIN(limit, args[0].degree);
    }
    if (degree == 0)
        recurrence.step = CONSTANT;
    else if (selects)
        recurrence.step = COMBINE;
    else if (is_family(op))
        recurrence.step = FAMILY;
    if (recurrence.step == PRODUCT)
        return build_product(plan, op, p, args, args[0], args[info->n_args - 1], limit, out);
    if (recurrence.step == QUOTIENT && info->n_args == 2 && args[1].degree == 0)
        degree = AD_MIN(limit, args[0].degree);

    if (recurrence.step == POWER && info->n_args == 2 && args[1].degree > 0)
        exponent = build_exponent(plan, args, limit);

    node = new_node(plan, recurrence.step, op, p, args, degree, limit, out);
    for (int i = 0; i < info->n_args; i++)
        node->a[i] = args[i];
    switch (recurrence.step) {
    case CONSTANT:
    case PRODUCT:
    case ROOT:
    case EXP:
    case LOG:
    case POWI:
        break;
    case RULE:
        for (int i = 0; i < info->n_args; i++) {
            node->d[i].c = NULL;
            if (args[i].degree > 0 && !is_zero(info->partial[i])) {
                struct operand d =
                    build_words(plan, info->partial[i], args, node->r, p, degree - 1);

                node->d[i] = d;
            }
        }
        return node->r;
    case COMBINE:
        /* Partials that are numbers are kept as such; if one is not, all get a row. */
        for (int i = 0; i < info->n_args; i++) {
            const struct ad_word *words = info->partial[i];

            node->factor[i] = op == AD_OP_powi ? 1 : words->c;
            if (op != AD_OP_powi && (words->op != AD_W_CONST || words[1].op != AD_W_END))
                n_more = info->n_args;
        }
        break;
    case FAMILY:
        n_more = degree * (degree + 1) / 2;
        break;
    case QUOTIENT:
        if (info->n_args == 1) {
            node->a[1] = args[0];
            node->a[0] = (struct operand){NULL, 0, 0, true, false};
        }
        break;
    case PAIR:
        n_more = degree + 1;
        break;
    case LOGISTIC:
        n_more = degree + 2;
        break;
    case POWER:
        if (op == AD_OP_powi)
            node->a[1] = literal(plan, p);
        node->a[2] = exponent;
        node->more = take(plan, 5 * (size_t)(degree + 1) * sizeof(double));
        break;
    }
    if (n_more)
        node->more = take_rows(plan, n_more);
    return node->r;
}

/* ---- the steps: coefficient k of a node, from coefficients 0..k of its operands ---- */

/* Each is compiled twice: for one path, where the coefficients of an operand lie side by side, and
 * for n paths in rows. */

AD_INLINE const double *row(const struct operand *s, int k, bool scalar)
{
    return s->c + (size_t)k * (scalar ? 1 : s->stride);
}

AD_INLINE double *result(const struct node *v, int k, bool scalar)
{
    return v->rows + (size_t)k * (scalar ? 1 : v->r.stride);
}

/* r = sum_{j=lo..hi} w_j a_j b_{k-j}, w_j = 1 or, if weighted, j. */
AD_INLINE void sum_products(double *restrict r, const struct operand *a, const struct operand *b,
                            int k, int lo, int hi, bool weighted, size_t n, bool scalar)
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
AD_INLINE void sum_squares(double *restrict r, const struct operand *a, int k, int lo, size_t n,
                           bool scalar)
{
    const double *middle = row(a, k / 2, scalar);
    bool even = k % 2 == 0 && k / 2 >= lo && k / 2 <= a->degree;

    sum_products(r, a, a, k, lo, (k - 1) / 2, false, n, scalar);
    for (size_t i = 0; i < n; i++)
        r[i] = 2 * r[i] + (even ? middle[i] * middle[i] : 0);
}

/* Is the whole of a zero?  Of an operand that is still growing one cannot say. */
static bool is_all_zero(const struct operand *a, size_t i)
{
    for (int j = 0; j <= a->degree; j++)
        if (a->c[(size_t)j * a->stride + i] != 0)
            return false;
    return a->complete;
}

AD_INLINE void step_product(const struct node *v, int k, size_t n, bool scalar)
{
    double *restrict r = result(v, k, scalar);

    if (v->a[0].c == v->a[1].c)
        sum_squares(r, &v->a[0], k, 0, n, scalar);
    else
        sum_products(r, &v->a[0], &v->a[1], k, 0, k, false, n, scalar);
    if (recurrences[v->op].cuts)
        for (size_t i = 0; i < n; i++)
            if (!isfinite(r[i]) && is_all_zero(&v->a[0], i))
                r[i] = 0;
}

AD_INLINE void step_quotient(const struct node *v, int k, size_t n, bool scalar)
{
    const double *a = k <= v->a[0].degree ? row(&v->a[0], k, scalar) : NULL, *b = v->a[1].c;
    double *restrict r = result(v, k, scalar);

    sum_products(r, &v->a[1], &v->r, k, 1, k, false, n, scalar);
    for (size_t i = 0; i < n; i++)
        r[i] = ((a ? a[i] : 0) - r[i]) / b[i];
    if (recurrences[v->op].cuts)
        for (size_t i = 0; i < n; i++)
            if (!isfinite(r[i]) && is_all_zero(&v->a[0], i))
                r[i] = 0;
}

AD_INLINE void step_root(const struct node *v, int k, size_t n, bool scalar)
{
    const double *a = k <= v->a[0].degree ? row(&v->a[0], k, scalar) : NULL, *r0 = v->r.c;
    double *restrict r = result(v, k, scalar);

    sum_squares(r, &v->r, k, 1, n, scalar);
    for (size_t i = 0; i < n; i++)
        r[i] = ((a ? a[i] : 0) - r[i]) / (2 * r0[i]);
}

/* r_k = (sum_j j a_j d_{k-j}) scale / k */
AD_INLINE void integrate(double *restrict r, const struct operand *a, const struct operand *d,
                         double scale, int k, size_t n, bool scalar)
{
    sum_products(r, a, d, k, 1, k, true, n, scalar);
    for (size_t i = 0; i < n; i++)
        r[i] = scale * r[i] / k;
}

AD_INLINE void step_log(const struct node *v, int k, size_t n, bool scalar)
{
    const double *a = k <= v->a[0].degree ? row(&v->a[0], k, scalar) : NULL, *a0 = v->a[0].c;
    double *restrict r = result(v, k, scalar);

    sum_products(r, &v->r, &v->a[0], k, 1, k - 1, true, n, scalar);
    for (size_t i = 0; i < n; i++)
        r[i] = ((a ? a[i] : 0) - r[i] / k) / a0[i];
}

AD_INLINE void step_pair(const struct node *v, int k, size_t n, bool scalar)
{
    const double *sign = recurrences[v->op].sign;
    struct operand companion = v->r;

    companion.c = v->more;
    companion.stride = n;
    integrate(result(v, k, scalar), &v->a[0], &companion, sign[0], k, n, scalar);
    integrate(v->more + (size_t)k * n, &v->a[0], &v->r, sign[1], k, n, scalar);
}

/* With c = 1 - r and q = r c: r' = q a', and c_k = -r_k for k > 0.  c_0 is kept, for the digits
 * that 1 - r_0 would lose. */
AD_INLINE void step_logistic(const struct node *v, int k, size_t n, bool scalar)
{
    double *restrict r = result(v, k, scalar);
    double *restrict qk = v->more + (size_t)k * n;
    const double *r0 = v->r.c, *c0 = v->more + (size_t)(v->r.degree + 1) * n;
    struct operand q = v->r;

    q.c = v->more;
    q.stride = n;
    integrate(r, &v->a[0], &q, 1, k, n, scalar);
    sum_squares(qk, &v->r, k, 1, n, scalar);
    for (size_t i = 0; i < n; i++)
        qk[i] = r[i] * (c0[i] - r0[i]) - qk[i];
}

AD_INLINE void step_combine(const struct node *v, int k, size_t n, bool scalar)
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
AD_INLINE void step_family(const struct node *v, int k, size_t n, bool scalar)
{
    struct operand u[2] = {{v->more, n, k, false, false}, v->r};
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
static double odd_power(const struct node *v, int k, size_t i)
{
    const struct operand *x = &v->a[0], *z = &v->a[1];
    double *scaled = v->more, *exponents = scaled + k + 1, *logs = exponents + k + 1;
    double *products = logs + k + 1, *g = products + k + 1;
    double x0 = x->c[i], z0 = z->c[i], rho = INFINITY, scale;
    bool varies = false, whole = z0 == rint(z0);

#define X_(j) x->c[(size_t)(j)*x->stride + i]
#define Z_(j) z->c[(size_t)(j)*z->stride + i]
#define R_(j) v->rows[(size_t)(j)*v->r.stride + i]
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

AD_INLINE void step_power(const struct node *v, int k, size_t n, bool scalar)
{
    const struct operand *x = &v->a[0], *z = &v->a[1];
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

AD_INLINE void step_rule(const struct node *v, int k, size_t n, bool scalar)
{
    double *restrict r = result(v, k, scalar);
    double sum[TILE];
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

AD_INLINE void value(enum ad_op op, const struct node *v, const double *x, size_t n, double *r,
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
AD_INLINE void step_start(const struct node *v, size_t n, bool scalar)
{
    const struct operand *a = v->value_args;
    double *more = v->more;

    value(v->op, v, a[0].c, n, v->rows, scalar);
    if (v->step == PAIR) {
        value(recurrences[v->op].companion, v, a[0].c, n, more, scalar);
    } else if (v->step == LOGISTIC) {
        double *c0 = more + (size_t)(v->r.degree + 1) * n;

        for (size_t i = 0; i < n; i++)
            more[i] = -a[0].c[i];
        value(v->op, v, more, n, c0, scalar);
        for (size_t i = 0; i < n; i++)
            more[i] = v->r.c[i] * c0[i];
    } else if (v->step == COMBINE && more) {
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

AD_INLINE void step(const struct node *v, int k, size_t n, bool scalar)
{
    switch (v->step) {
    case RULE:
        step_rule(v, k, n, scalar);
        return;
    case COMBINE:
        step_combine(v, k, n, scalar);
        return;
    case FAMILY:
        step_family(v, k, n, scalar);
        return;
    case PRODUCT:
        step_product(v, k, n, scalar);
        return;
    case QUOTIENT:
        step_quotient(v, k, n, scalar);
        return;
    case ROOT:
        step_root(v, k, n, scalar);
        return;
    case EXP:
        integrate(result(v, k, scalar), &v->a[0], &v->r, 1, k, n, scalar);
        return;
    case LOG:
        step_log(v, k, n, scalar);
        return;
    case PAIR:
        step_pair(v, k, n, scalar);
        return;
    case LOGISTIC:
        step_logistic(v, k, n, scalar);
        return;
    case POWER:
        step_power(v, k, n, scalar);
        return;
    case CONSTANT: /* has no coefficient beyond 0 */
    case POWI:     /* has no node */
        break;
    }
    ad_unreachable();
}

static void run_scalar(const struct node *first, int order)
{
    for (const struct node *v = first; v; v = v->next)
        step_start(v, 1, true);
    for (int k = 1; k <= order; k++)
        for (const struct node *v = first; v; v = v->next)
            if (k <= v->r.degree)
                step(v, k, 1, true);
}

AD_VECTOR static void run_vector(const struct node *first, int order, size_t n)
{
    for (const struct node *v = first; v; v = v->next)
        step_start(v, n, false);
    for (int k = 1; k <= order; k++)
        for (const struct node *v = first; v; v = v->next)
            if (k <= v->r.degree)
                step(v, k, n, false);
}

/* ---- the interface ---- */

void ad_series_work_free(struct ad_series_work *work)
{
    free(work->block);
    *work = (struct ad_series_work){NULL, 0};
}

static void plan_start(struct plan *plan, const struct ad_series_work *work, size_t n)
{
    plan->block = work->block;
    plan->nbytes = work->nbytes;
    plan->used = 0;
    plan->n = n;
    plan->first = NULL;
    plan->last = &plan->first;
    plan->n_literals = 0;
}

/* True if the plan fitted; otherwise there is room for it now, or *failed. */
static bool plan_fits(const struct plan *plan, struct ad_series_work *work, bool *failed)
{
    if (AD_LIKELY(plan->used <= plan->nbytes))
        return true;
    ad_series_work_free(work);
    work->block = malloc(plan->used);
    work->nbytes = work->block ? plan->used : 0;
    *failed = !work->block;
    return false;
}

static void plan_run(const struct plan *plan, int order, bool scalar)
{
    if (scalar)
        run_scalar(plan->first, order);
    else
        run_vector(plan->first, order, plan->n);
}

/* Elements from 'start' on. */
static struct operand operand(struct ad_series a, size_t start, size_t n, int order)
{
    return (struct operand){a.c ? a.c + start : NULL, n, AD_MIN(a.degree, order), true, false};
}

int ad_series_forward(enum ad_op op, double p, size_t n, int order,
                      const struct ad_series a[AD_MAX_ARGS], double *y, struct ad_series_work *work)
{
    struct operand args[AD_MAX_ARGS];
    struct plan plan;
    int degree = 0;
    bool failed = false;

    for (size_t i = 0; i < n; i += TILE) {
        struct operand out = {y + i, n, 0, false, false};

        for (int j = 0; j < ad_ops[op].n_args; j++)
            args[j] = operand(a[j], i, n, order);
        do {
            if (failed)
                return -1;
            plan_start(&plan, work, AD_MIN(n - i, TILE));
            degree = build_op(&plan, op, p, args, order, &out).degree;
        } while (!plan_fits(&plan, work, &failed));
        plan_run(&plan, order, n == 1);
    }
    for (size_t i = (size_t)(degree + 1) * n; i < (size_t)(order + 1) * n; i++)
        y[i] = 0;
    return degree;
}

/* abar_j += sum_{k>=j} ybar_k d_{k-j} over n elements; 'stride' is that of ybar and abar. */
AD_VECTOR static void convolve_back(const double *ybar, const struct operand *d, double *abar,
                                    size_t stride, size_t n, int order, bool selects)
{
    for (int j = 0; j <= order; j++) {
        double *restrict to = abar + (size_t)j * stride;

        for (int k = j; k <= AD_MIN(order, j + d->degree); k++) {
            const double *from = ybar + (size_t)k * stride;
            const double *partial = d->c + (size_t)(k - j) * d->stride;

            for (size_t i = 0; i < n; i++)
                to[i] += from[i] == 0 || (selects && partial[i] == 0) ? 0 : from[i] * partial[i];
        }
    }
}

bool ad_series_reverse(enum ad_op op, double p, size_t n, int order,
                       const struct ad_series a[AD_MAX_ARGS], struct ad_series y,
                       const double *ybar, double *const abar[AD_MAX_ARGS],
                       struct ad_series_work *work)
{
    const struct ad_op_info *info = &ad_ops[op];
    bool selects = info->curvature != AD_CURVED, failed = false;
    int limit = selects ? 0 : order;
    struct operand args[AD_MAX_ARGS], d[AD_MAX_ARGS];
    struct plan plan;

    for (size_t i = 0; i < n; i += TILE) {
        for (int j = 0; j < info->n_args; j++)
            args[j] = operand(a[j], i, n, limit);
        do {
            if (failed)
                return false;
            plan_start(&plan, work, AD_MIN(n - i, TILE));
            for (int j = 0; j < info->n_args; j++)
                if (abar[j] && !is_zero(info->partial[j]))
                    d[j] = build_words(&plan, info->partial[j], args, operand(y, i, n, limit),
                                       info->family ? p : 0, limit);
        } while (!plan_fits(&plan, work, &failed));
        plan_run(&plan, limit, n == 1);
        for (int j = 0; j < info->n_args; j++)
            if (abar[j] && !is_zero(info->partial[j]) && !d[j].zero)
                convolve_back(ybar + i, &d[j], abar[j] + i, n, plan.n, order, selects);
    }
    return true;
}

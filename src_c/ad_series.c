/* ad_series.c -- the rows read as truncated Taylor series.
 *
 * With d_i(t) = df/da_i along the path, two rules serve every row to any order (Griewank & Walther,
 * Evaluating Derivatives, 2nd ed., ch. 13):
 *
 *     forward   y' = sum_i d_i a_i'     =>  k y_k = sum_i sum_{j=1..k} j (a_i)_j (d_i)_{k-j}
 *     reverse   dy_k/d(a_i)_j = (d_i)_{k-j}  =>  abar_j += sum_{k>=j} ybar_k d_{k-j}
 *
 * d_i is the derivative column, whose words are rows themselves: they are expanded by the same
 * forward rule until only steps remain that have a recurrence of their own (ad_steps.h).  The
 * expansion is a list of nodes, run through for k = 0, 1, 2, ...  Coefficient k of y needs d only
 * up to k - 1, which is why d may depend on y, and why the nodes of d stop one order earlier.
 *
 * Long arrays are taken in tiles, so that the coefficients of all nodes stay in the cache.
 */
#include "ad_series.h"

#include <math.h>
#include <stdlib.h>

#include "ad_steps.h"

enum {
    /* x**p is found by products up to this |p|, and beyond by AD_STEP_POWER, whose one recurrence
     * costs as much as one product. */
    MAX_CHAIN = 1024
};

/* Nodes and their arrays lie one after the other in one block.  If it is too small, nothing more is
 * written, and 'used' goes on counting. */
struct plan {
    char *block;
    size_t nbytes, used;
    size_t n; /* elements in this tile */
    struct ad_node *first, **last;
    struct ad_operand literals[4]; /* those met so far, as far as they fit */
    double literal_values[4];
    int n_literals;
    struct ad_node spare; /* what new_node() returns when there is no room */
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

static struct ad_node *new_node(struct plan *plan, enum ad_step step, enum ad_op op, double p,
                                const struct ad_operand *args, int degree, int limit,
                                const struct ad_operand *out)
{
    struct ad_node *node = take(plan, sizeof *node);

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
        node->value_args[i] = i < ad_ops[op].n_args ? args[i] : (struct ad_operand){.c = NULL};
    node->next = NULL;
    node->more = NULL;
    if (out) {
        node->r = *out;
        node->r.degree = degree;
        node->r.complete = node->r.zero = false;
    } else {
        node->r = (struct ad_operand){take_rows(plan, degree + 1), plan->n, degree, false, false};
    }
    node->rows = (double *)(uintptr_t)node->r.c;
    return node;
}

static struct ad_operand literal(struct plan *plan, double c)
{
    struct ad_operand r = {NULL, plan->n, 0, true, c == 0};
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
static const struct ad_node *find(const struct plan *plan, enum ad_op op, double p,
                                  const struct ad_operand *args, int limit)
{
    for (const struct ad_node *node = plan->first; node; node = node->next) {
        bool same = node->op == op && node->p == p && node->limit >= limit;

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

static struct ad_operand build_op(struct plan *plan, enum ad_op op, double p,
                                  const struct ad_operand *args, int limit,
                                  const struct ad_operand *out);

/* A derivative column, to coefficient 'limit'. */
static struct ad_operand build_words(struct plan *plan, const struct ad_word *word,
                                     const struct ad_operand *args, struct ad_operand y, double p,
                                     int limit)
{
    struct ad_operand stack[AD_MAX_WORDS + AD_MAX_ARGS];
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

static struct ad_operand build_product(struct plan *plan, enum ad_op op, double p,
                                       const struct ad_operand *args, struct ad_operand a,
                                       struct ad_operand b, int limit, const struct ad_operand *out)
{
    int degree = AD_MIN(limit, a.degree + b.degree);
    struct ad_node *node = new_node(plan, AD_STEP_PRODUCT, op, p, args, degree, limit, out);

    node->a[0] = a;
    node->a[1] = b;
    return node->r;
}

/* x**p = x x ... x by squares: exact zeros stay exact at x0 = 0 as elsewhere, and no coefficient is
 * lost when x0**p underflows.  The bits of p are taken from the top, so that one factor of every
 * other product is x, which is often of degree 1. */
static struct ad_operand build_powi(struct plan *plan, double p, const struct ad_operand *args,
                                    int limit, const struct ad_operand *out)
{
    struct ad_operand pair[AD_MAX_ARGS] = {args[0], args[0]}, base = args[0], r;
    unsigned exponent = (unsigned)fabs(p), bit = MAX_CHAIN;

    if (p < 0) {
        struct ad_operand one[AD_MAX_ARGS] = {args[0]};

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
static struct ad_operand build_exponent(struct plan *plan, const struct ad_operand *args, int limit)
{
    struct ad_operand pair[AD_MAX_ARGS] = {args[1]};

    pair[1] = build_op(plan, AD_OP_log, 0, args, limit, NULL);
    return build_product(plan, AD_OP_mul, 0, pair, pair[0], pair[1], limit, NULL);
}

/* The nodes of one op, to coefficient 'limit'.  The result goes to 'out' if that is not NULL. */
static struct ad_operand build_op(struct plan *plan, enum ad_op op, double p,
                                  const struct ad_operand *args, int limit,
                                  const struct ad_operand *out)
{
    const struct ad_op_info *info = &ad_ops[op];
    struct ad_recurrence recurrence = ad_recurrences[op];
    bool selects = info->curvature < AD_CURVED;
    struct ad_operand exponent = {NULL, 0, 0, false, false};
    int degree = 0, n_more = 0, most = limit;
    struct ad_node *node;

    p = info->family ? p : 0;
    if (!out) {
        const struct ad_node *known = find(plan, op, p, args, limit);

        if (known)
            return known->r;
        if (recurrence.step == AD_STEP_PRODUCT &&
            (args[0].zero || (info->n_args > 1 && args[1].zero)))
            return args[0].zero ? args[0] : args[1];
    }
    for (int i = 0; i < info->n_args; i++)
        if (!is_zero(info->partial[i]))
            degree = AD_MAX(degree, args[i].degree);
    if (degree == 0)
        most = INT32_MAX; /* not only within the limit */
    degree = degree && !selects ? limit : AD_MIN(degree, limit);
    if (recurrence.step == AD_STEP_POWI && degree) {
        if (p == 0)
            degree = 0;
        else if (p == 1)
            recurrence.step = AD_STEP_COMBINE;
        else if (!(fabs(p) < MAX_CHAIN && p == rint(p)))
            recurrence.step = AD_STEP_POWER;
        else if (p == -1)
            recurrence.step = AD_STEP_QUOTIENT;
        else
            return build_powi(plan, p, args, limit, out);
        if (p == 1)
            degree = AD_MIN(limit, args[0].degree);
    }
    if (degree == 0)
        recurrence.step = AD_STEP_CONSTANT;
    else if (selects)
        recurrence.step = AD_STEP_COMBINE;
    else if (is_family(op))
        recurrence.step = AD_STEP_FAMILY;
    if (recurrence.step == AD_STEP_PRODUCT)
        return build_product(plan, op, p, args, args[0], args[info->n_args - 1], limit, out);
    if (recurrence.step == AD_STEP_QUOTIENT && info->n_args == 2 && args[1].degree == 0)
        degree = AD_MIN(limit, args[0].degree);

    if (recurrence.step == AD_STEP_POWER && info->n_args == 2 && args[1].degree > 0)
        exponent = build_exponent(plan, args, limit);

    node = new_node(plan, recurrence.step, op, p, args, degree, most, out);
    for (int i = 0; i < info->n_args; i++)
        node->a[i] = args[i];
    switch (recurrence.step) {
    case AD_STEP_CONSTANT:
    case AD_STEP_PRODUCT:
    case AD_STEP_ROOT:
    case AD_STEP_EXP:
    case AD_STEP_LOG:
    case AD_STEP_POWI:
        break;
    case AD_STEP_RULE:
        for (int i = 0; i < info->n_args; i++) {
            node->d[i].c = NULL;
            if (args[i].degree > 0 && !is_zero(info->partial[i])) {
                struct ad_operand d =
                    build_words(plan, info->partial[i], args, node->r, p, degree - 1);

                node->d[i] = d;
            }
        }
        return node->r;
    case AD_STEP_COMBINE:
        /* Partials that are numbers are kept as such; if one is not, all get a row. */
        for (int i = 0; i < info->n_args; i++) {
            const struct ad_word *words = info->partial[i];

            node->factor[i] = op == AD_OP_powi ? 1 : words->c;
            if (op != AD_OP_powi && (words->op != AD_W_CONST || words[1].op != AD_W_END))
                n_more = info->n_args;
        }
        break;
    case AD_STEP_FAMILY:
        n_more = degree * (degree + 1) / 2;
        break;
    case AD_STEP_QUOTIENT:
        if (info->n_args == 1) {
            node->a[1] = args[0];
            node->a[0] = (struct ad_operand){NULL, 0, 0, true, false};
        }
        break;
    case AD_STEP_PAIR:
        n_more = degree + 1;
        break;
    case AD_STEP_LOGISTIC:
        n_more = degree + 2;
        break;
    case AD_STEP_POWER:
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

/* Elements from 'start' on. */
static struct ad_operand operand(struct ad_series a, size_t start, size_t n, int order)
{
    return (struct ad_operand){a.c ? a.c + start : NULL, n, AD_MIN(a.degree, order), true, false};
}

int ad_series_forward(enum ad_op op, double p, size_t n, int order,
                      const struct ad_series a[AD_MAX_ARGS], double *y, struct ad_series_work *work)
{
    struct ad_operand args[AD_MAX_ARGS];
    struct plan plan;
    int degree = 0;
    bool failed = false;

    for (size_t i = 0; i < n; i += AD_STEP_TILE) {
        struct ad_operand out = {y + i, n, 0, false, false};

        for (int j = 0; j < ad_ops[op].n_args; j++)
            args[j] = operand(a[j], i, n, order);
        do {
            if (failed)
                return -1;
            plan_start(&plan, work, AD_MIN(n - i, AD_STEP_TILE));
            degree = build_op(&plan, op, p, args, order, &out).degree;
        } while (!plan_fits(&plan, work, &failed));
        ad_steps_run(plan.first, order, plan.n, n == 1);
    }
    for (size_t i = (size_t)(degree + 1) * n; i < (size_t)(order + 1) * n; i++)
        y[i] = 0;
    return degree;
}

/* abar_j += sum_{k>=j} ybar_k d_{k-j} over n elements; 'stride' is that of ybar and abar. */
AD_VECTOR static void convolve_back(const double *ybar, const struct ad_operand *d, double *abar,
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
    bool selects = info->curvature < AD_CURVED, failed = false;
    int limit = selects ? 0 : order;
    struct ad_operand args[AD_MAX_ARGS], d[AD_MAX_ARGS];
    struct plan plan;

    for (size_t i = 0; i < n; i += AD_STEP_TILE) {
        for (int j = 0; j < info->n_args; j++)
            args[j] = operand(a[j], i, n, limit);
        do {
            if (failed)
                return false;
            plan_start(&plan, work, AD_MIN(n - i, AD_STEP_TILE));
            for (int j = 0; j < info->n_args; j++)
                if (abar[j] && !is_zero(info->partial[j]))
                    d[j] = build_words(&plan, info->partial[j], args, operand(y, i, n, limit),
                                       info->family ? p : 0, limit);
        } while (!plan_fits(&plan, work, &failed));
        ad_steps_run(plan.first, limit, plan.n, n == 1);
        for (int j = 0; j < info->n_args; j++)
            if (abar[j] && !is_zero(info->partial[j]) && !d[j].zero)
                convolve_back(ybar + i, &d[j], abar[j] + i, n, plan.n, order, selects);
    }
    return true;
}

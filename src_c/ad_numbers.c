/* ad_numbers.c -- the rows read as numbers: values and first partials at a point and over vectors.
 *
 * Vector partials and all second partials are found by running the words of the derivative column,
 * each word being a row itself: over tiles that stay in the L1 cache the interpreter costs nothing,
 * and long transcendental vectors reach NumPy's SIMD loops. */
#include "ad_point.h"
#include "ad_special.h"

struct ad_simd ad_simd[AD_N_OPS];

static double point_value(enum ad_op op, double p, double x, double z, double w)
{
    (void)p, (void)z, (void)w;
    switch (op) {
#define ROW(name, value)                                                                           \
    case AD_OP_##name:                                                                             \
        return value;
#define UNARY(name, ufunc, value, ...) ROW(name, value)
#define HIDDEN_UNARY(name, value, ...) ROW(name, value)
#define FAMILY(name, ufunc, value, ...) ROW(name, value)
#define BINARY(name, ufunc, value, ...) ROW(name, value)
#define HIDDEN_BINARY(name, value, ...) ROW(name, value)
#define TERNARY(name, ufunc, value, ...) ROW(name, value)
#include "ad_ops.def"
#undef ROW
    case AD_N_OPS:
        break;
    }
    ad_unreachable();
    return 0;
}

double ad_op_value(enum ad_op op, double p, double x, double z, double w)
{
    if (ad_simd[op].loop) { /* the same bits as in a vector */
        char *args[AD_MAX_ARGS + 1] = {(char *)&x, (char *)&z, (char *)&w, NULL};
        intptr_t one = 1, stride[AD_MAX_ARGS + 1] = {0};
        double y;

        args[ad_ops[op].n_args] = (char *)&y;
        ad_simd[op].loop(args, &one, stride, ad_simd[op].data);
        return y;
    }
    return point_value(op, p, x, z, w);
}

void ad_op_partials(enum ad_op op, double p, double x, double z, double w, double y, double *d)
{
    (void)p, (void)x, (void)z, (void)w, (void)y;
    switch (op) {
#define ONE(name, dx)                                                                              \
    case AD_OP_##name:                                                                             \
        d[0] = dx;                                                                                 \
        return;
#define TWO(name, dx, dz)                                                                          \
    case AD_OP_##name:                                                                             \
        d[0] = dx;                                                                                 \
        d[1] = dz;                                                                                 \
        return;
#define UNARY(name, ufunc, value, dx, ...) ONE(name, dx)
#define HIDDEN_UNARY(name, value, dx, ...) ONE(name, dx)
#define FAMILY(name, ufunc, value, dx, ...) ONE(name, dx)
#define BINARY(name, ufunc, value, dx, dz, ...) TWO(name, dx, dz)
#define HIDDEN_BINARY(name, value, dx, dz, ...) TWO(name, dx, dz)
#define TERNARY(name, ufunc, value, dx, dz, dw, ...)                                               \
    case AD_OP_##name:                                                                             \
        d[0] = dx;                                                                                 \
        d[1] = dz;                                                                                 \
        d[2] = dw;                                                                                 \
        return;
#include "ad_ops.def"
    case AD_N_OPS:
        break;
    }
    ad_unreachable();
}

/* ---- values over vectors: one loop per row, for each choice of arguments that are one number ---- */

#define LOOP(name, x_i, z_i, w_i, value)                                                           \
    AD_VECTOR static void loop_##name(double p, size_t n, const double *xs, const double *zs,      \
                                      const double *ws, double *y)                                 \
    {                                                                                              \
        const double x_one = *xs, z_one = *zs, w_one = *ws;                                        \
                                                                                                   \
        (void)p, (void)x_one, (void)z_one, (void)w_one;                                            \
        AD_INDEPENDENT                                                                             \
        for (size_t i = 0; i < n; i++) {                                                           \
            const double x = x_i, z = z_i, w = w_i;                                                \
                                                                                                   \
            (void)x, (void)z, (void)w;                                                             \
            y[i] = value;                                                                          \
        }                                                                                          \
    }
#define ONE_LOOP(name, value) LOOP(name, xs[i], 0, 0, value)
#define TWO_LOOPS(name, value)                                                                     \
    LOOP(name, xs[i], zs[i], 0, value)                                                             \
    LOOP(name##_1, x_one, zs[i], 0, value)                                                         \
    LOOP(name##_2, xs[i], z_one, 0, value)
#define UNARY(name, ufunc, value, ...) ONE_LOOP(name, value)
#define HIDDEN_UNARY(name, value, ...) ONE_LOOP(name, value)
/* Of a family order 0 is compiled apart, the only one that may be free of calls. */
#define FAMILY(name, ufunc, value, ...)                                                            \
    AD_INLINE void turns_##name(double p, size_t n, const double *xs, double *y)                   \
    {                                                                                              \
        AD_INDEPENDENT                                                                             \
        for (size_t i = 0; i < n; i++) {                                                           \
            const double x = xs[i];                                                                \
                                                                                                   \
            y[i] = value;                                                                          \
        }                                                                                          \
    }                                                                                              \
    AD_VECTOR static void loop_##name(double p, size_t n, const double *xs, const double *zs,      \
                                      const double *ws, double *y)                                 \
    {                                                                                              \
        (void)zs, (void)ws;                                                                        \
        if (p == 0)                                                                                \
            turns_##name(0, n, xs, y);                                                             \
        else                                                                                       \
            turns_##name(p, n, xs, y);                                                             \
    }
#define BINARY(name, ufunc, value, ...) TWO_LOOPS(name, value)
#define HIDDEN_BINARY(name, value, ...) TWO_LOOPS(name, value)
#define TERNARY(name, ufunc, value, ...)                                                           \
    LOOP(name, xs[i], zs[i], ws[i], value)                                                         \
    LOOP(name##_1, x_one, zs[i], ws[i], value)                                                     \
    LOOP(name##_2, xs[i], z_one, ws[i], value)                                                     \
    LOOP(name##_3, x_one, z_one, ws[i], value)                                                     \
    LOOP(name##_4, xs[i], zs[i], w_one, value)                                                     \
    LOOP(name##_5, x_one, zs[i], w_one, value)                                                     \
    LOOP(name##_6, xs[i], z_one, w_one, value)
#include "ad_ops.def"

static ad_vector_loop *const loops[AD_N_OPS][7] = {
#define ONE_LOOP_OF(name) [AD_OP_##name] = {loop_##name},
#define TWO_LOOPS_OF(name) [AD_OP_##name] = {loop_##name, loop_##name##_1, loop_##name##_2},
#define UNARY(name, ...) ONE_LOOP_OF(name)
#define HIDDEN_UNARY(name, ...) ONE_LOOP_OF(name)
#define FAMILY(name, ...) ONE_LOOP_OF(name)
#define BINARY(name, ...) TWO_LOOPS_OF(name)
#define HIDDEN_BINARY(name, ...) TWO_LOOPS_OF(name)
#define TERNARY(name, ...)                                                                         \
    [AD_OP_##name] = {loop_##name,     loop_##name##_1, loop_##name##_2, loop_##name##_3,          \
                      loop_##name##_4, loop_##name##_5, loop_##name##_6},
#include "ad_ops.def"
};

ad_vector_loop *ad_op_loop(enum ad_op op, unsigned single)
{
    ad_assert(single + 1 < 1u << ad_ops[op].n_args);
    return ad_simd[op].loop ? NULL : loops[op][single];
}

static void simd_vector(enum ad_op op, size_t n, const struct ad_vec *a, double *y)
{
    int n_args = ad_ops[op].n_args;
    char *args[AD_MAX_ARGS + 1];
    intptr_t stride[AD_MAX_ARGS + 1], size = (intptr_t)n;

    for (int i = 0; i < n_args; i++) {
        args[i] = (char *)(uintptr_t)(a[i].v ? a[i].v : &a[i].c);
        stride[i] = a[i].v ? (intptr_t)sizeof(double) : 0;
    }
    args[n_args] = (char *)y;
    stride[n_args] = sizeof(double);
    ad_simd[op].loop(args, &size, stride, ad_simd[op].data);
}

static void fill(double *y, size_t n, double c)
{
    for (size_t i = 0; i < n; i++)
        y[i] = c;
}

void ad_op_vector(enum ad_op op, double p, size_t n, const struct ad_vec *a, double *y)
{
    const double *args[AD_MAX_ARGS] = {NULL};
    unsigned single = 0;
    int n_args = ad_ops[op].n_args;

    if (n == 0)
        return;
    for (int i = 0; i < n_args; i++) {
        args[i] = a[i].v ? a[i].v : &a[i].c;
        single |= a[i].v ? 0 : 1u << i;
    }
    for (int i = n_args; i < AD_MAX_ARGS; i++)
        args[i] = args[0];
    if (single + 1 == 1u << n_args)
        fill(y, n, ad_op_value(op, p, *args[0], *args[1], *args[2]));
    else if (ad_simd[op].loop)
        simd_vector(op, n, a, y);
    else
        loops[op][single](p, n, args[0], args[1], args[2], y);
}

/* ---- words over vectors ---- */

static double *take(double **scratch, size_t n)
{
    double *tile = *scratch;

    *scratch += (n + 7) & ~(size_t)7;
    return tile;
}

static struct ad_vec constant(double c)
{
    return (struct ad_vec){NULL, c};
}

static bool is_constant(struct ad_vec a, double c)
{
    return !a.v && a.c == c;
}

static struct ad_vec apply(enum ad_op op, double p, size_t n, const struct ad_vec *a,
                           double **scratch)
{
    bool varies = false;
    double *y;

    for (int i = 0; i < ad_ops[op].n_args; i++)
        varies |= a[i].v != NULL;
    if (!varies)
        return constant(ad_op_value(op, p, a[0].c, ad_ops[op].n_args > 1 ? a[1].c : 0,
                                    ad_ops[op].n_args > 2 ? a[2].c : 0));
    y = take(scratch, n);
    ad_op_vector(op, p, n, a, y);
    return (struct ad_vec){y, 0};
}

static struct ad_vec partial(enum ad_op op, int arg, double p, size_t n, const struct ad_vec *a,
                             struct ad_vec y, double **scratch)
{
    struct ad_vec stack[AD_MAX_WORDS + AD_MAX_ARGS];
    int top = 0;

    for (const struct ad_word *word = ad_ops[op].partial[arg]; word->op != AD_W_END; word++) {
        if (word->op >= 0) {
            top -= ad_ops[word->op].n_args;
            stack[top] = apply((enum ad_op)word->op, p + word->c, n, stack + top, scratch);
        } else if (word->op == AD_W_CONST) {
            stack[top] = constant(word->c);
        } else if (word->op == AD_W_P) {
            stack[top] = constant(p);
        } else {
            stack[top] = word->op == AD_W_Y ? y : a[AD_W_X - word->op];
        }
        top++;
    }
    ad_assert(top == 1);
    return stack[0];
}

struct ad_vec ad_op_vector_partial(enum ad_op op, int arg, double p, size_t n,
                                   const struct ad_vec *a, struct ad_vec y, double *scratch)
{
    double *end = scratch;
    struct ad_vec d = partial(op, arg, p, n, a, y, &end);

    ad_assert(n <= AD_TILE && end - scratch <= AD_PARTIAL_SCRATCH);
    return d;
}

/* a + b * c, where a structural zero stays one. */
static struct ad_vec add_product(struct ad_vec a, struct ad_vec b, struct ad_vec c, bool cuts,
                                 size_t n, double **scratch)
{
    struct ad_vec pair[AD_MAX_ARGS] = {b, c, constant(0)};
    struct ad_vec product;

    if (is_constant(b, 0) || is_constant(c, 0))
        return a;
    if (is_constant(b, 1))
        product = c;
    else if (is_constant(c, 1))
        product = b;
    else
        product = apply(cuts ? AD_OP_mul0 : AD_OP_mul, 0, n, pair, scratch);
    if (is_constant(a, 0))
        return product;
    pair[0] = a;
    pair[1] = product;
    return apply(AD_OP_add, 0, n, pair, scratch);
}

/* The derivative column evaluated on values with derivatives: v, and t[j] = dv/d(argument j). */
struct dual_vec {
    struct ad_vec v, t[AD_MAX_ARGS];
};

static void apply_dual(enum ad_op op, double p, int n_args, size_t n, struct dual_vec *args,
                       double **scratch)
{
    struct dual_vec result = {.v = {NULL, 0}};
    struct ad_vec a[AD_MAX_ARGS] = {{NULL, 0}};
    const struct ad_op_info *info = &ad_ops[op];

    for (int i = 0; i < info->n_args; i++)
        a[i] = args[i].v;
    result.v = apply(op, p, n, a, scratch);
    for (int i = 0; i < info->n_args; i++) {
        bool varies = false;
        struct ad_vec d;

        for (int j = 0; j < n_args; j++)
            varies |= !is_constant(args[i].t[j], 0);
        if (!varies)
            continue;
        d = partial(op, i, p, n, a, result.v, scratch);
        for (int j = 0; j < n_args; j++)
            result.t[j] = add_product(result.t[j], d, args[i].t[j], ad_op_cuts(op), n, scratch);
    }
    args[0] = result;
}

void ad_op_vector_second(enum ad_op op, int arg, double p, size_t n, const struct ad_vec *a,
                         struct ad_vec y, const struct ad_vec *d, struct ad_vec *h, double *scratch)
{
    const struct ad_op_info *info = &ad_ops[op];
    struct dual_vec stack[AD_MAX_WORDS + AD_MAX_ARGS];
    double *end = scratch;
    int top = 0;

    for (int j = 0; j < info->n_args; j++)
        h[j] = constant(0);
    if (info->curvature < AD_CURVED)
        return;
    for (const struct ad_word *word = info->partial[arg]; word->op != AD_W_END; word++) {
        if (word->op >= 0) {
            top -= ad_ops[word->op].n_args;
            apply_dual((enum ad_op)word->op, p + word->c, info->n_args, n, stack + top, &end);
        } else {
            struct dual_vec *s = &stack[top];

            for (int j = 0; j < AD_MAX_ARGS; j++)
                s->t[j] = constant(0);
            if (word->op == AD_W_CONST) {
                s->v = constant(word->c);
            } else if (word->op == AD_W_P) {
                s->v = constant(p);
            } else if (word->op == AD_W_Y) {
                s->v = y;
                for (int j = 0; j < info->n_args; j++)
                    s->t[j] = d[j];
            } else {
                s->v = a[AD_W_X - word->op];
                s->t[AD_W_X - word->op] = constant(1);
            }
        }
        top++;
    }
    ad_assert(top == 1 && n <= AD_TILE && end - scratch <= 160 * AD_TILE);
    for (int j = 0; j < info->n_args; j++)
        h[j] = stack[0].t[j];
}

/* ---- second partials at a point ---- */

struct dual_point {
    double v, t[AD_MAX_ARGS];
    bool has[AD_MAX_ARGS]; /* an absent dependence, unlike a zero one, survives inf */
};

/* h[j] is the derivative of partial 'arg' by argument j, times seed[j]; j counts if bit j of the result is set. */
static unsigned second_row(enum ad_op op, int arg, double p, const double *a, double y,
                           const double *d, const double *seed, double *h)
{
    unsigned depends = 0;
    int n_args = ad_ops[op].n_args, top = 0;
    struct dual_point stack[AD_MAX_WORDS + AD_MAX_ARGS];

    for (const struct ad_word *word = ad_ops[op].partial[arg]; word->op != AD_W_END; word++) {
        struct dual_point s = {0, {0}, {false}};

        if (word->op >= 0) {
            const struct ad_op_info *info = &ad_ops[word->op];
            struct dual_point *in = stack + (top -= info->n_args);
            bool cuts = ad_op_cuts((enum ad_op)word->op);
            double q = p + word->c, in2 = info->n_args > 1 ? in[1].v : 0,
                   in3 = info->n_args > 2 ? in[2].v : 0, e[AD_MAX_ARGS];

            s.v = ad_op_value((enum ad_op)word->op, q, in[0].v, in2, in3);
            ad_op_partials((enum ad_op)word->op, q, in[0].v, in2, in3, s.v, e);
            for (int i = 0; i < info->n_args; i++)
                for (int j = 0; j < n_args; j++) {
                    if (!in[i].has[j] || (cuts && e[i] == 0))
                        continue;
                    s.t[j] += in[i].t[j] * e[i];
                    s.has[j] = true;
                }
        } else if (word->op == AD_W_CONST) {
            s.v = word->c;
        } else if (word->op == AD_W_P) {
            s.v = p;
        } else if (word->op == AD_W_Y) {
            s.v = y;
            for (int j = 0; j < n_args; j++) {
                s.t[j] = d[j] * seed[j];
                s.has[j] = true;
            }
        } else {
            s.v = a[AD_W_X - word->op];
            s.t[AD_W_X - word->op] = seed[AD_W_X - word->op];
            s.has[AD_W_X - word->op] = true;
        }
        stack[top++] = s;
    }
    for (int j = 0; j < n_args; j++) {
        h[j] = stack[0].t[j];
        depends |= (unsigned)stack[0].has[j] << j;
    }
    return depends;
}

void ad_op_second(enum ad_op op, double p, const double *a, double y, double *d,
                  double h[AD_MAX_ARGS][AD_MAX_ARGS], unsigned *depends)
{
    static const double ones[AD_MAX_ARGS] = {1, 1, 1};
    int n_args = ad_ops[op].n_args;

    ad_op_partials(op, p, a[0], a[1], a[2], y, d);
    for (int i = 0; i < n_args; i++) {
        depends[i] = 0;
        if (ad_ops[op].curvature >= AD_CURVED)
            depends[i] = second_row(op, i, p, a, y, d, ones, h[i]);
        else
            for (int j = 0; j < n_args; j++)
                h[i][j] = 0;
    }
}

double ad_op_bend(enum ad_op op, int arg, int by, double p, const double *a, double y,
                  double tangent)
{
    double d[AD_MAX_ARGS], h[AD_MAX_ARGS], seed[AD_MAX_ARGS] = {0};

    ad_op_partials(op, p, a[0], a[1], a[2], y, d);
    seed[by] = tangent;
    second_row(op, arg, p, a, y, d, seed, h);
    return h[by];
}

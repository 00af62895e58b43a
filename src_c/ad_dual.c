/* ad_dual.c -- value and tangents of single ops, of numbers and of vectors. */
#include "ad_dual.h"

#include "ad_point.h"

double ad_dual_op(enum ad_op op, double p, const double *x, int k, const double *const *xdot,
                  double *ydot)
{
    double d[AD_MAX_ARGS], y = ad_op_value(op, p, x[0], x[1], x[2]);
    enum ad_curvature curvature = ad_ops[op].curvature;
    bool cuts = ad_op_cuts(op), empty = true;

    ad_op_partials(op, p, x[0], x[1], x[2], y, d);
    for (int i = 0; i < ad_ops[op].n_args; i++) {
        const double *dot = xdot[i];
        double partial = d[i];

        if (!dot || (cuts && partial == 0))
            continue;
        if (empty)
            for (int j = 0; j < k; j++)
                ydot[j] = ad_flow(curvature, dot[j], partial);
        else
            for (int j = 0; j < k; j++)
                ydot[j] += ad_flow(curvature, dot[j], partial);
        empty = false;
    }
    if (empty)
        for (int j = 0; j < k; j++)
            ydot[j] = 0;
    return y;
}

/* ---- vectors: 'to' becomes, or gains, tangent times partial ---- */

enum rule { PLAIN, CUTS /* ad_op_cuts() */, POLE };

static enum rule rule_of(enum ad_op op)
{
    return ad_op_cuts(op) ? CUTS : ad_ops[op].curvature == AD_POLE ? POLE : PLAIN;
}

AD_INLINE double product(double t, double d, enum rule rule)
{
    return rule == CUTS && d == 0 ? 0 : ad_flow(rule == POLE ? AD_POLE : AD_CURVED, t, d);
}

#define RUN(name, T, D, ASSIGN)                                                                    \
    AD_VECTOR static void name(size_t n, struct ad_vec t, struct ad_vec d, enum rule rule,         \
                               double *restrict to)                                                \
    {                                                                                              \
        (void)t, (void)d;                                                                          \
        if (rule == CUTS)                                                                          \
            for (size_t i = 0; i < n; i++)                                                         \
                to[i] ASSIGN product(T, D, CUTS);                                                  \
        else if (rule == POLE)                                                                     \
            for (size_t i = 0; i < n; i++)                                                         \
                to[i] ASSIGN product(T, D, POLE);                                                  \
        else                                                                                       \
            for (size_t i = 0; i < n; i++)                                                         \
                to[i] ASSIGN product(T, D, PLAIN);                                                 \
    }
RUN(set_vv, t.v[i], d.v[i], =)
RUN(set_vs, t.v[i], d.c, =)
RUN(set_sv, t.c, d.v[i], =)
RUN(set_ss, t.c, d.c, =)
RUN(add_vv, t.v[i], d.v[i], +=)
RUN(add_vs, t.v[i], d.c, +=)
RUN(add_sv, t.c, d.v[i], +=)
RUN(add_ss, t.c, d.c, +=)

static void (*const runs[2][2][2])(size_t, struct ad_vec, struct ad_vec, enum rule, double *) = {
    {{set_ss, set_sv}, {set_vs, set_vv}},
    {{add_ss, add_sv}, {add_vs, add_vv}},
};

static struct ad_vec from(struct ad_vec a, size_t start)
{
    if (a.v)
        a.v += start;
    return a;
}

static bool is_zero(struct ad_vec a)
{
    return !a.v && a.c == 0;
}

void ad_dual_vector(enum ad_op op, double p, size_t n, const struct ad_vec *a, int k,
                    const struct ad_vec *xdot, double *y, double *const *ydot, double *scratch)
{
    int n_args = ad_ops[op].n_args;
    enum rule rule = rule_of(op);

    for (size_t start = 0; start < n; start += AD_TILE) {
        size_t m = AD_MIN(n - start, (size_t)AD_TILE);
        struct ad_vec tile[AD_MAX_ARGS], value = {y + start, 0};

        for (int i = 0; i < n_args; i++)
            tile[i] = from(a[i], start);
        ad_op_vector(op, p, m, tile, y + start);
        for (int i = 0; i < n_args; i++) {
            struct ad_vec d = {NULL, 0};
            bool known = false;

            for (int j = 0; j < k; j++) {
                struct ad_vec t = from(xdot[i * k + j], start);
                bool gains = false;

                if (is_zero(t))
                    continue;
                if (!known)
                    d = ad_op_vector_partial(op, i, p, m, tile, value, scratch);
                known = true;
                for (int before = 0; before < i; before++)
                    gains |= !is_zero(xdot[before * k + j]);
                runs[gains][t.v != NULL][d.v != NULL](m, t, d, rule, ydot[j] + start);
            }
        }
    }
}

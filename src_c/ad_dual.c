/* ad_dual.c -- values and tangents of single ops. */
#include "ad_dual.h"

double ad_dual_op(enum ad_op op, double p, const double *x, int k, const double *const *xdot,
                  double *ydot)
{
    double d[AD_MAX_ARGS], y = ad_op_value(op, p, x[0], x[1], x[2]);
    bool select = ad_ops[op].curvature == AD_SELECT, empty = true;

    ad_op_partials(op, p, x[0], x[1], x[2], y, d);
    for (int i = 0; i < ad_ops[op].n_args; i++) {
        const double *dot = xdot[i];
        double partial = d[i];

        if (!dot || (select && partial == 0))
            continue;
        if (empty)
            for (int j = 0; j < k; j++)
                ydot[j] = dot[j] == 0 ? 0 : dot[j] * partial;
        else
            for (int j = 0; j < k; j++)
                ydot[j] += dot[j] == 0 ? 0 : dot[j] * partial;
        empty = false;
    }
    if (empty)
        for (int j = 0; j < k; j++)
            ydot[j] = 0;
    return y;
}

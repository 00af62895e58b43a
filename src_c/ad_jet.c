/* ad_jet.c -- truncated Taylor series: the functions that are too long to be inline. */
#include "ad_jet.h"

#include <math.h>

static const double PI = 3.14159265358979323846;

void ad_jet_sin_cos_pi(int n, double x, double *s, double *c)
{
    const double turn = rint(x), d = PI * (x - turn);
    const double side = fmod(turn, 2) == 0 ? 1 : -1;
    const double cycle[4] = {side * sin(d), side * cos(d), -side * sin(d), -side * cos(d)};
    double power = 1; /* pi^k / k! */

    for (int k = 0; k <= n; k++) {
        s[k] = power * cycle[k % 4];
        c[k] = power * cycle[(k + 1) % 4];
        power *= PI / (k + 1);
    }
}

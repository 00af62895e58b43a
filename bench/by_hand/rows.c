/*
 * The gradient of one function of three inputs over the rows of a matrix, by hand, with the
 * functions of the C library:
 *
 *     u = x y + sin z,   f = exp(-u^2) sqrt(1 + x^2 + y^2) + log(1 + z^2) + x / y - z / 2
 */

#include <math.h>
#include <stddef.h>

/* 'rows' and 'gradients' have shape (n, 3). */
void rows_gradient(size_t times, size_t n, const double *restrict rows, double *restrict gradients)
{
    while (times--)
        for (size_t i = 0; i < n; i++) {
            double x = rows[3 * i], y = rows[3 * i + 1], z = rows[3 * i + 2];
            double u = x * y + sin(z), bell = exp(-u * u);
            double root = sqrt(1.0 + x * x + y * y), inverse = 1.0 / y;
            double ubar = -2.0 * u * bell * root, rootbar = bell / root;
            gradients[3 * i] = ubar * y + rootbar * x + inverse;
            gradients[3 * i + 1] = ubar * x + rootbar * y - x * inverse * inverse;
            gradients[3 * i + 2] = ubar * cos(z) + 2.0 * z / (1.0 + z * z) - 0.5;
        }
}

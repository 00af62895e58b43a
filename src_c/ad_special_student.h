/* ad_special_student.h -- kernels, as ad_functions.h explains them, of Student's distribution.
 *
 * order and arguments of each; f is the density with df degrees of freedom:
 *
 *   student_peak  (n; df)           n-th derivative of log f(0) in df
 *   log1p_excess  (; r)             log(1 + r) - r / (1 + r)
 *   stdtr         (n; df, t, tail)  d^n/d(df)^n of the distribution function, n = 1 .. 3; its value at -|t| is tail
 */
#ifndef AD_SPECIAL_STUDENT_H
#define AD_SPECIAL_STUDENT_H

#include "ad_base.h"

double ad_student_peak(const int *order, const double *x, bool *lost);
double ad_log1p_excess(const int *order, const double *x, bool *lost);
double ad_stdtr(const int *order, const double *x, bool *lost);

#endif

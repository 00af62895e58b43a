/* ad_sequence.h -- what runs along vectors: products and linear recurrences, convolutions, broken lines.
 *
 * Each is linear in some of its arguments, and so are the transposes; together they are closed under
 * derivatives, which is how adcore/rules/sequences.py writes those of every order without a division. */
#ifndef AD_SEQUENCE_H
#define AD_SEQUENCE_H

#include "ad_base.h"

/* y[k] = x[0] ... x[k]. */
void ad_cumprod(int64_t n, const double *x, double *y);

/*
 * y[k] = a[k] y[k - 1] + b[k], from y[-1] = 0 on; or the transpose of what that does to b, from the end:
 * y[k] = a[k + 1] y[k + 1] + b[k].  A y of exactly 0 passes on exactly 0, whatever a is.
 */
void ad_recurrence(bool from_end, int64_t n, const double *a, const double *b, double *y);

/* Which sums of a convolution there are. */
enum ad_overlap {
    AD_OVERLAP_ANY, /* n + m - 1 of them */
    AD_OVERLAP_ALL, /* where the shorter vector lies within the longer one */
    AD_OVERLAP_SAME /* as many as the longer vector has elements, from the middle */
};

/* How many sums; 0 of an empty vector. */
int64_t ad_convolved(enum ad_overlap overlap, int64_t n, int64_t m);
/* y[k] = sum of a[i] b[k - i], or with b from its end if 'backwards'; a has n elements, b has m. */
void ad_convolve(enum ad_overlap overlap, bool backwards, int64_t n, const double *a, int64_t m,
                 const double *b, double *y);

/*
 * The broken line through knots, flat outside of them, at n points x: a matrix W (n, m) with which its
 * values are W f, and one of its slopes, D f.  xp ascends; between equal knots there is no piece.  At a
 * knot the slope is the mean of those on both sides.  Each side also has kinds of its own, whose derivatives
 * are of the same side, so that means of those of any order are what they are taken to be.
 */
enum ad_line {
    AD_LINE_VALUES,      /* W */
    AD_LINE_VALUES_LEFT, /* the same numbers */
    AD_LINE_VALUES_RIGHT,
    AD_LINE_SLOPES, /* D */
    AD_LINE_SLOPES_LEFT,
    AD_LINE_SLOPES_RIGHT,
    AD_LINE_KINDS
};

/* How many of the knots are less than x, or not greater if 'or_equal'. */
int64_t ad_knots(bool or_equal, double x, int64_t m, const double *xp);
/* y (n) = matrix f, f of m elements; m is not 0. */
void ad_line(enum ad_line kind, int64_t n, const double *x, int64_t m, const double *xp,
             const double *f, double *y);
/* y (m) = matrix^T g, g of n elements.  A g of exactly 0 adds nothing. */
void ad_line_transposed(enum ad_line kind, int64_t n, const double *x, int64_t m, const double *xp,
                        const double *g, double *y);

#endif

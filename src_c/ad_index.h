/* ad_index.h -- indices that are computed: sorting by them, and reading and adding where they say.
 *
 * An index is a whole number as a double, from -n to n - 1 of n elements, counted from the end where it
 * is negative.  Whether it is one is asked at every element: what a bad index reads is nan, and where
 * one adds to a row, the row becomes nan. */
#ifndef AD_INDEX_H
#define AD_INDEX_H

#include "ad_base.h"
#include "ad_status.h"

/* Doubles that sorting n numbers needs as room. */
AD_INLINE int64_t ad_index_room(int64_t n)
{
    return 3 * n;
}

/* How NumPy sorts the n indices in 'order' by the doubles at 'x': nan last, equal ones in any order.
 * It needs no GIL.  Nonzero where it fails, and the indices are then of no use. */
typedef int ad_argsort_loop(void *x, intptr_t *order, intptr_t n, void *array);
/* NULL unless it has been given one that is made of vector instructions. */
extern ad_argsort_loop *ad_argsort_simd;

/* How NumPy sorts the n doubles at 'x', nan last; NULL unless it has been given. */
typedef int ad_sort_loop(void *x, intptr_t n, void *array);
extern ad_sort_loop *ad_sort_by_numpy;

/* Sort each row of n numbers in place, nan last.  AD_NO_MEMORY if it fails; the rows are then in any order. */
enum ad_status ad_sort_rows(int64_t rows, int64_t n, double *x);

/*
 * The place of the element of a rank, from 0, in a row of n whose element of that rank is 'value'; equal
 * ones keep their order.  Where a nan is in the row, the place of the last nan.
 */
int64_t ad_place_of_rank(int64_t n, const double *x, int64_t rank, double value);

/* y = the indices that sort each row of n numbers: equal ones keep their order, nan come last. */
void ad_index_sort(int64_t rows, int64_t n, const double *x, double *y, void *room);

/*
 * Where the different numbers among n are: of each, in ascending order, nan last, 'first' is the place of its
 * first element, and 'count' how many there are; 'inverse' is, of each element, which of them it is.  Returns
 * how many they are.  'room' is for n + ad_index_room(n) doubles.
 */
int64_t ad_index_unique(int64_t n, const double *x, bool equal_nan, int64_t *first,
                        int64_t *inverse, int64_t *count, double *room);

/* The least and the greatest of n whole numbers and what *low and *high are. */
void ad_index_range(int64_t n, const int64_t *at, int64_t *low, int64_t *high);

/* y (rows, m, lanes) = the elements of x (rows, n, lanes) that the m indices name. */
void ad_index_take(int64_t rows, int64_t n, int64_t m, const double *index, const double *x,
                   double *y, int lanes);
/* The transpose: y (rows, n, lanes) = zeros, to which x (rows, m, lanes) is added where the m indices
 * say, in their order. */
void ad_index_put(int64_t rows, int64_t n, int64_t m, const double *index, const double *x,
                  double *y, int lanes);

#endif

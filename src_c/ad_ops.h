/* ad_ops.h -- the op table as an enum, as data, and as arithmetic on numbers. */
#ifndef AD_OPS_H
#define AD_OPS_H

#include <float.h>
#include <math.h>

#include "ad_base.h"

enum ad_op {
#define UNARY(name, ...) AD_OP_##name,
#define HIDDEN_UNARY(name, ...) AD_OP_##name,
#define FAMILY(name, ...) AD_OP_##name,
#define BINARY(name, ...) AD_OP_##name,
#define HIDDEN_BINARY(name, ...) AD_OP_##name,
#define TERNARY(name, ...) AD_OP_##name,
#include "ad_ops.def"
    AD_N_OPS
};

/* The last two have second derivatives. */
enum ad_curvature { AD_LINEAR, AD_SELECT, AD_CURVED, AD_POLE };

/* A derivative column is kept as words in postfix order, closed by AD_W_END.  A word is an op code
 * (a FAMILY op at parameter p + c), or one of these. */
enum {
    AD_W_X = -1,
    AD_W_Z = -2,
    AD_W_W = -3,
    AD_W_Y = -4,
    AD_W_P = -5,
    AD_W_CONST = -6,
    AD_W_END = -7
};

struct ad_word {
    int op;
    double c; /* the constant, or the step of a FAMILY parameter */
};

enum { AD_MAX_ARGS = 3, AD_MAX_WORDS = 24 /* per derivative, AD_W_END included */ };

struct ad_op_info {
    const char *name;
    const char *ufunc; /* the NumPy or SciPy ufunc of the same meaning */
    int n_args;
    bool hidden; /* not a public function */
    bool family; /* takes a parameter */
    enum ad_curvature curvature;
    double domain[AD_MAX_ARGS][2];              /* open interval of each argument */
    const struct ad_word *partial[AD_MAX_ARGS]; /* derivative with respect to each argument */
};

extern const struct ad_op_info ad_ops[AD_N_OPS];

/*
 * ad_op_cuts() tells whether a partial that is zero cuts its argument off, whatever the tangent does:
 * in SELECT rows, and in the products that are 0 where a factor is.
 */
AD_INLINE bool ad_op_cuts(enum ad_op op)
{
    return op == AD_OP_mul0 || op == AD_OP_mul00 || ad_ops[op].curvature == AD_SELECT;
}

/* Is it a product but for what it makes of zeros? */
AD_INLINE bool ad_op_is_product(int op)
{
    return op == AD_OP_mul || op == AD_OP_mul0 || op == AD_OP_mul00 || op == AD_OP_flow ||
           op == AD_OP_gate;
}

/*
 * ad_op_value() is the value of one op; arguments beyond the op's own are ignored.  'p' is the
 * parameter of a FAMILY op.
 */
double ad_op_value(enum ad_op op, double p, double x, double z, double w);

/*
 * ad_op_partials() fills d[0..n_args-1] with the first partial derivatives, given the arguments and
 * the value 'y'.
 */
void ad_op_partials(enum ad_op op, double p, double x, double z, double w, double y, double *d);

/*
 * ad_op_second() fills the first partials d[] and the second partials h[][]: h[i][j] is the derivative
 * of d[i] with respect to argument j, and it is 0 by structure unless bit j of depends[i] is set.  Rows and
 * columns beyond n_args are left alone.
 */
void ad_op_second(enum ad_op op, double p, const double *a, double y, double *d,
                  double h[AD_MAX_ARGS][AD_MAX_ARGS], unsigned *depends);

/*
 * h[arg][by] * tangent, where h alone is out of range: with the tangent put in before the words are run.  That
 * is wanted where h, times an adjoint that is to come, is not a normal number, and one of the factors is extreme
 * enough to bring the product back.
 */
double ad_op_bend(enum ad_op op, int arg, int by, double p, const double *a, double y,
                  double tangent);

static inline bool ad_is_extreme(double factor)
{
    double size = fabs(factor);

    return (size > 1e50 && size <= DBL_MAX) || (size < 1e-50 && size > 0);
}

/*
 * A vector that may be one number repeated: 'v' NULL means 'c' everywhere.
 */
struct ad_vec {
    const double *v;
    double c;
};

/* Elements that the functions below treat in one call, and the doubles of scratch they may need. */
enum {
    AD_TILE = 512,
    AD_PARTIAL_SCRATCH = AD_MAX_WORDS * AD_TILE,
    AD_SCRATCH = AD_MAX_ARGS * AD_PARTIAL_SCRATCH + 160 * AD_TILE
};

/*
 * ad_op_vector() computes y[i] for i < n; 'y' overlaps no argument unless they are the same vector.
 * n is not bounded.  Arguments beyond the op's own are not looked at.
 */
void ad_op_vector(enum ad_op op, double p, size_t n, const struct ad_vec *a, double *y);

/*
 * ad_op_loop() is the loop in which ad_op_vector() does so, for arguments of which those whose bit is set in
 * 'single' are one number repeated, at least one being a vector.  Arguments beyond the op's own are the first one
 * again.  NULL if NumPy's loop is to be used.
 */
typedef void ad_vector_loop(double p, size_t n, const double *x, const double *z, const double *w,
                            double *y);
ad_vector_loop *ad_op_loop(enum ad_op op, unsigned single);

/*
 * ad_op_vector_partial() returns the partial of 'op' with respect to argument 'arg' over n <= AD_TILE
 * elements.  The result is a constant, an argument, or lies in 'scratch' (AD_PARTIAL_SCRATCH doubles),
 * where it holds until 'scratch' is used again.
 */
struct ad_vec ad_op_vector_partial(enum ad_op op, int arg, double p, size_t n,
                                   const struct ad_vec *a, struct ad_vec y, double *scratch);

/*
 * ad_op_vector_second() returns in h[j] the derivative of partial 'arg' with respect to argument j,
 * n <= AD_TILE elements each, given the first partials d[].  A structural zero has v NULL and c 0.
 * 'scratch' holds 160 * AD_TILE doubles.
 */
void ad_op_vector_second(enum ad_op op, int arg, double p, size_t n, const struct ad_vec *a,
                         struct ad_vec y, const struct ad_vec *d, struct ad_vec *h,
                         double *scratch);

/*
 * NumPy's SIMD inner loops, by op code: set once, before the first use, by the binding, from the
 * function pointers inside the ufunc objects.  NULL where there is none.  Signature and strides (in
 * bytes) are NumPy's.
 */
typedef void ad_simd_loop(char **args, const intptr_t *dimensions, const intptr_t *strides,
                          void *data);
struct ad_simd {
    ad_simd_loop *loop;
    void *data;
};
extern struct ad_simd ad_simd[AD_N_OPS];

#endif

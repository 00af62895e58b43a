/* ad_formula.h -- several rows of the op table as one instruction: functions of complex numbers.
 *
 * A formula says what a function does to the parts of its arguments, in rows.  Recorded as one AD_CALL its
 * results are those of NumPy's loop of complex numbers, and nothing in between is kept: sweeps compute the
 * rows of a tile again, and go through them as they go through rows on the tape. */
#ifndef AD_FORMULA_H
#define AD_FORMULA_H

#include "ad_tape.h"

enum { AD_FORMULA_GIVEN = 4 }; /* operands at most: the parts of two complex numbers */

/* Places: of what is given, then of constants, then of earlier steps. */
struct ad_formula_step {
    enum ad_op op;
    int args[AD_MAX_ARGS];
};

struct ad_formula {
    int n_given, n_numbers, n_steps, n_outputs;
    struct ad_view *numbers; /* constants */
    struct ad_formula_step *steps;
    int outputs[2]; /* places of steps, of the real and of the imaginary part */
};

/* A part of an argument: an operand, or, where 'given' is negative, a number. */
struct ad_complex_part {
    int given;
    double number;
};

/* How values are computed. */
enum ad_complex_way {
    AD_COMPLEX_LOOP,     /* by NumPy's loop */
    AD_COMPLEX_STEPS,    /* by the formula */
    AD_COMPLEX_PRODUCT,  /* as the product of two arguments */
    AD_COMPLEX_QUOTIENT, /* as their quotient, or as the reciprocal of one: Smith's algorithm */
    AD_COMPLEX_LOG1P,    /* as log(1 + z) of one, to all digits near 0 and near |1 + z| = 1 */
    AD_COMPLEX_MODULUS   /* as that of one, which is real */
};

/* A call of one or two arguments, whose parts are in pairs; 'real' results have no imaginary part. */
struct ad_complex_call {
    enum ad_complex_way way;
    ad_simd_loop *loop;
    void *data;
    int n_args;
    bool real;
    struct ad_complex_part parts[AD_FORMULA_GIVEN];
};

/*
 * ad_complex_record() appends the results of a call for n operands that broadcast together, to a shape of a
 * dimension or more: of an AD_CALL whose rule, of which a reference is taken over, has the formula, and whose
 * results are all real parts, then all imaginary ones.  Or, if 'rule' is NULL, of the one row that is in the
 * formula.
 *
 * *re and *im, the latter unless results are real, become views of the results.
 */
enum ad_status ad_complex_record(struct ad_tape *tape, const struct ad_complex_call *call,
                                 void *rule, const struct ad_formula *formula, int n,
                                 const struct ad_view *const *args, struct ad_view *re,
                                 struct ad_view *im);

/* Tangents forward, and adjoints back, through such an AD_CALL. */
enum ad_status ad_formula_forward(struct ad_tape *tape, int32_t i, const struct ad_formula *formula,
                                  int lanes);
enum ad_status ad_formula_reverse(struct ad_tape *tape, int32_t i, const struct ad_formula *formula,
                                  int lanes);

/* Numbers of two views of one shape as pairs, and pairs as n numbers in either run. */
void ad_complex_read(const struct ad_view *re, const struct ad_view *im, const double *value,
                     double *z);
void ad_complex_split(const double *z, int64_t n, double *re, double *im);

/*
 * ad_pair_choose() appends an AD_OP_where: the elements of *x, of both parts in a first dimension of
 * length 2, where 'truth' is not 0, and 'other' elsewhere.  There is one truth for both parts of each
 * element, in C order; *mask has them as numbers.  *x is a view of slots, contiguous but for the first
 * dimension; *result becomes that of the results.
 */
enum ad_status ad_pair_choose(struct ad_tape *tape, const struct ad_view *mask,
                              const unsigned char *truth, const struct ad_view *x, double other,
                              struct ad_view *result);

#endif

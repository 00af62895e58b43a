/* ad_steps.h -- the steps that series are made of.
 *
 * A derivative column is expanded (in ad_series.c) into a list of nodes, each with the array of its
 * coefficients; the list is run through for k = 0, 1, 2, ...  A step finds coefficient k of one
 * node from coefficients 0 .. k of its operands.
 */
#ifndef AD_STEPS_H
#define AD_STEPS_H

#include "ad_ops.h"

enum { AD_STEP_TILE = 128 }; /* the elements a run takes at most */

/* How coefficient k of a node is found; a, b are its operands, r its result. */
enum ad_step {
    AD_STEP_RULE,     /* k r_k = sum_i sum_{j=1..k} j (a_i)_j (d_i)_{k-j} */
    AD_STEP_CONSTANT, /* only coefficient 0 is not zero */
    AD_STEP_COMBINE,  /* r_k = sum_i d_i (a_i)_k, numbers d_i; the rows that are LINEAR or SELECT */
    AD_STEP_FAMILY,   /* a row whose derivative is the row at the next parameter */
    AD_STEP_PRODUCT,  /* r = a b */
    AD_STEP_QUOTIENT, /* r b = a */
    AD_STEP_ROOT,     /* r r = a */
    AD_STEP_EXP,      /* r' = r a' */
    AD_STEP_LOG,      /* a r' = a' */
    AD_STEP_PAIR,     /* r' = s0 c a', c' = s1 r a': sin and cos, sinh and cosh */
    AD_STEP_LOGISTIC, /* r' = r (1 - r) a' */
    AD_STEP_POWI,     /* expanded into products */
    AD_STEP_POWER     /* r = a**b */
};

/* What a row's own step needs to know; AD_STEP_RULE for the rows that have none. */
struct ad_recurrence {
    enum ad_step step;
    enum ad_op companion; /* of AD_STEP_PAIR */
    double sign[2];       /* r' = sign[0] companion a', companion' = sign[1] r a' */
    bool cuts;            /* 0 where all of the first argument is 0, whatever the second */
};

extern const struct ad_recurrence ad_recurrences[AD_N_OPS];

/* The coefficients of n paths as the nodes see them. */
struct ad_operand {
    const double *c; /* coefficient k starts at c + k * stride */
    size_t stride;
    int degree;
    bool complete; /* all coefficients are known before the first step */
    bool zero;     /* the literal 0 */
};

struct ad_node {
    enum ad_step step;
    enum ad_op op; /* its value is coefficient 0 */
    double p;
    int limit;                                 /* coefficients beyond were not asked for */
    struct ad_operand value_args[AD_MAX_ARGS]; /* the arguments of 'op' */
    struct ad_operand a[AD_MAX_ARGS];          /* the operands of 'step' */
    struct ad_operand d[AD_MAX_ARGS];          /* RULE: the partials; c NULL where a is constant */
    double factor[AD_MAX_ARGS];                /* COMBINE: the partials, if all are numbers */
    struct ad_operand r;
    double *rows; /* those of r, to be written */
    /* COMBINE: the partials, a row each, or NULL.  PAIR: the coefficients of c.  LOGISTIC: of
     * r (1 - r), and then 1 - r_0.  FAMILY: of the next members, each one row shorter.  POWER:
     * room. */
    double *more;
    struct ad_node *next;
};

/*
 * ad_steps_run() computes coefficients 0 .. order of all nodes of a list, each up to its degree.
 *
 * A node's operands come before it, but for the partials of AD_STEP_RULE, which come after and of
 * which it needs coefficients up to k - 1 only.  'scalar': n is 1, and all strides are 1.
 */
void ad_steps_run(const struct ad_node *first, int order, size_t n, bool scalar);

#endif

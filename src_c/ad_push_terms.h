/* ad_push_terms.h -- what the results of an instruction change by, element by element, as its operands change. */
#ifndef AD_PUSH_TERMS_H
#define AD_PUSH_TERMS_H

#include "ad_adjoints.h"

enum { AD_PUSH_TERMS = 8 /* that an element may be a sum of */ };

/* What some elements change by, as an operand changes. */
struct ad_push_term {
    struct ad_view operand,
        partial;    /* in the shape of the elements, or a number; holding references */
    int64_t n, *at; /* which elements, ascending; NULL: all of them */
};

struct ad_push_terms {
    int n;
    struct ad_push_term term[AD_PUSH_TERMS];
};

/*
 * The terms of the results of instruction i that 'end' names, operands that are active alone.  Also after a failure
 * ad_push_terms_drop() is to follow.  AD_NO_EDGES if there are too many, or it is no instruction that goes element by
 * element.
 */
enum ad_status ad_push_terms_of(const struct ad_adjoints *adjoints, int32_t i,
                                const struct ad_view *end, struct ad_push_terms *terms);
void ad_push_terms_drop(struct ad_push_terms *terms);

/* An elementwise instruction: its operands, its value and its parameter. */
struct ad_elementwise {
    enum ad_op op;
    double p;
    struct ad_view a[AD_MAX_ARGS], y; /* borrowed from the tape */
};

void ad_elementwise_read(const struct ad_tape *tape, int32_t i, struct ad_elementwise *x);

#endif

/* ad_c_statements.h -- runs taken apart: words and moves as statements over places of the function's memory. */
#ifndef AD_C_STATEMENTS_H
#define AD_C_STATEMENTS_H

#include "ad_c_write.h"

enum ad_c_kind {
    AD_C_OP,    /* y = op(x) */
    AD_C_COPY,  /* y = x */
    AD_C_FIRST, /* y = 0.0 + x */
    AD_C_ADD,   /* y += x */
    AD_C_SUM,   /* y += the sum of 'width' elements of x */
    AD_C_SAME   /* y += the sum of 'width' times x */
};

enum { AD_C_PLACES = 1 + AD_MAX_ARGS };

/* Over 'width' elements from the places on; places whose bit is set in 'single' stay. */
struct ad_c_statement {
    uint8_t kind, n_args, single;
    uint16_t op;
    int32_t width;
    double p;
    struct ad_c_place place[AD_C_PLACES]; /* the result, then the arguments */
};

/* The statements of a run, in order; owned. */
struct ad_c_run {
    struct ad_c_writer *w;
    struct ad_c_statement *statements;
    int64_t n, capacity;
};

/* Add the statements of a run of the plan; what there is so far is to be freed in any case. */
enum ad_status ad_c_take_apart(struct ad_c_run *run, const struct ad_plan_step *step);

/* Statements that differ in where their operands are, and in nothing else, are of one kind and have equal numbers. */
bool ad_c_same_kind(const struct ad_c_statement *a, const struct ad_c_statement *b);
uint64_t ad_c_kind_of(const struct ad_c_statement *s);

/* How many elements operand v has, the result being 0. */
AD_INLINE int64_t ad_c_width(const struct ad_c_statement *s, int v)
{
    if (s->kind == AD_C_SUM && v == 1)
        return s->width;
    return s->single >> v & 1 ? 1 : s->width;
}

/* Does the statement change its result, rather than give it? */
AD_INLINE bool ad_c_changes(const struct ad_c_statement *s)
{
    return s->kind == AD_C_ADD || s->kind == AD_C_SUM || s->kind == AD_C_SAME;
}

#endif

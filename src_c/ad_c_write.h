/* ad_c_write.h -- what the parts of the writer of C have in common. */
#ifndef AD_C_WRITE_H
#define AD_C_WRITE_H

#include "ad_c_text.h"
#include "ad_plan.h"

/* ---- places ---- */

/* A place in the memory of the function: element 'at' of a space of the plan. */
enum {
    AD_C_NUMBER = -1, /* the space of numbers of the plan, written as literals */
    AD_C_STRIP = 256  /* elements that the loops of a group hand over at a time */
};
struct ad_c_place {
    int32_t space;
    int64_t at;
};

/* How the last loop of a run that has to do with a place uses it. */
struct ad_c_claim {
    int32_t loop;  /* its number; 0: none has */
    int32_t first; /* of the 'width' places that are one variable of the loop */
    uint8_t width; /* 0: they are in memory */
};

struct ad_c_writer {
    const struct ad_plan *plan;
    const char *name;                   /* of the function; tables begin with it */
    struct ad_text tables, parts, body; /* what stands before the function, and in it */
    uint8_t *ops;                       /* of each op: how is it called? */
    uint8_t *used;                      /* of each space: is it? */
    bool numbers_in_table;              /* are numbers looked up? */
    bool numbers_in_frame;              /* are they read as part of the frame? */
    int n_kept;                         /* strips of AD_C_STRIP numbers that are in use at once */
    int n_tables;                       /* written so far */
    int n_parts;                        /* the same */
    struct ad_c_claim *claims;          /* of each place, for ad_c_run.c */
    int64_t n_claims;                   /* places that it has room for */
    int32_t loop;                       /* loops of runs so far */
    int64_t n_moved;                    /* places behind the frame */
};

/* The place of one element; numbers in the frame become AD_C_NUMBER. */
struct ad_c_place ad_c_place(const struct ad_c_writer *w, int32_t space, int64_t at);

/* Where the frame ends, and places of the function's own begin. */
AD_INLINE int64_t ad_c_frame_end(const struct ad_c_writer *w)
{
    return (w->plan->n_frame + 7) & ~(int64_t)7;
}
/* Let there be claims to all places. */
enum ad_status ad_c_frame_claims(struct ad_c_writer *w);

/* Add the name of a space, which is then declared. */
void ad_c_space(struct ad_c_writer *w, struct ad_text *text, int32_t space);
/* Add one element: "x0[12]", or a literal. */
void ad_c_element(struct ad_c_writer *w, struct ad_text *text, struct ad_c_place place);
/* Declare the spaces that are used, but for arrays, which are tables. */
void ad_c_declare(struct ad_c_writer *w, struct ad_text *text);

/*
 * What is written between these two becomes a function of its own, which is called: compilers take longer for one long
 * function than for many that do the same.  The first returns false without memory; if it
 * does not, the second is due.
 */
struct ad_c_part {
    struct ad_text body;
    uint8_t *used;
};
bool ad_c_begin_part(struct ad_c_writer *w, struct ad_c_part *part);
void ad_c_end_part(struct ad_c_writer *w, struct ad_c_part *part);
/* Write a table of positions before the function, of which there are n; returns its number. */
int ad_c_table(struct ad_c_writer *w, const int32_t *positions, int64_t n);
/* Add the element of a walk whose number in C order is the expression 'index'. */
void ad_c_walk(struct ad_c_writer *w, struct ad_text *text, const struct ad_walk *walk,
               const char *index);
/* The number of the walk's table, or -1; to be asked for once, before ad_c_listed(). */
int ad_c_walk_table(struct ad_c_writer *w, const struct ad_walk *walk);
/* The same as ad_c_walk(), of which the table is there. */
void ad_c_listed(struct ad_c_writer *w, struct ad_text *text, const struct ad_walk *walk, int table,
                 const char *index);
/* Add "op(", which is to be followed by the arguments; p is that of a FAMILY row.  In a loop that is to become
 * vectors, 'each', it is a function without branches. */
enum { AD_C_ONE = 1, AD_C_EACH = 2, AD_C_OVER = 4 }; /* bits of the writer's ops */
void ad_c_call(struct ad_c_writer *w, struct ad_text *text, enum ad_op op, bool each);
/* Begin a call of an op with many elements: "over_exp(". */
void ad_c_call_over(struct ad_c_writer *w, struct ad_text *text, enum ad_op op);

/* The value column of an op, as text; and where in it, if it is "... ? 0 : ...", the choice ends. */
#define AD_C_OR_ELSE " ? 0 : "
const char *ad_c_value(enum ad_op op);
const char *ad_c_choice(enum ad_op op);

/* ---- ad_c_run.c ---- */

/* Write a run: straight, but what repeats itself as loops. */
enum ad_status ad_c_run(struct ad_c_writer *w, const struct ad_plan_step *step);

/* ---- ad_c_group.c ---- */

enum ad_status ad_c_group(struct ad_c_writer *w, const struct ad_plan_step *step);

#endif

/* ad_vector.h -- one vector instruction out of scalar ones: the order of its elements, and its
 * operands. */
#ifndef AD_VECTOR_H
#define AD_VECTOR_H

#include "ad_rewrite.h"

enum {
    AD_NEST = 4,      /* dimensions of an operand */
    AD_VECTOR_MIN = 8 /* a vector has at least so many elements */
};

/* Where an operand comes from, if not from an array instruction. */
enum { AD_HOME_SCALAR = -1, AD_HOME_CONSTANT = -2, AD_HOME_NOTHING = -3 };

/* A scalar instruction. */
struct ad_item {
    int32_t instr;             /* of the old tape */
    int32_t slot[AD_MAX_ARGS]; /* its operands on the new one */
    int32_t param;             /* the same for a FAMILY parameter, or 0 */
};

/* Items that do the same with operands from the same places. */
struct ad_group {
    int op;
    int32_t param;             /* slot of a FAMILY parameter */
    int32_t home[AD_MAX_ARGS]; /* instruction that an operand comes from, or AD_HOME_... */
    int32_t count, start;      /* items pick[start .. start + count) */
    int32_t first;             /* one of them, when the group was found */
    bool mixed;                /* some of them have operands from elsewhere */
};

/* Loops over the items of a vector, the last dimension fastest. */
struct ad_nest {
    int ndim;
    int64_t shape[AD_NEST];
};

struct ad_vector_counts {
    int64_t rolled;  /* scalar instructions that became part of vectors */
    int64_t vectors; /* how many vectors */
    int64_t lists;   /* operands of these that are lists */
    int64_t steps;   /* elements looked at */
};

/* Vectors under way. */
struct ad_vectors {
    struct ad_rewrite r;
    struct ad_vector_counts counts;
    int32_t *home; /* of each new slot: the array instruction that made it, or AD_HOME_SCALAR */
    int64_t home_room;
    struct ad_item *items;
    int32_t *pick;   /* items, group by group; groups may be put in another order */
    int32_t *spare;  /* room for as many */
    double *numbers; /* the same */
};

/* Operand k of item j of those in pick[]. */
AD_INLINE int32_t ad_vectors_operand(const struct ad_vectors *w, const int32_t *pick, int64_t j,
                                     int k)
{
    return w->items[pick[j]].slot[k];
}

/* Note where the results of the newest instruction come from. */
enum ad_status ad_vectors_settle(struct ad_vectors *w);

/* Find the loops over n items in which the operands named in args[] are evenly spaced; false if
 * there are none. */
bool ad_vectors_nest(struct ad_vectors *w, const int32_t *pick, int64_t n, int n_args,
                     const int *args, struct ad_nest *nest);
/* Make the longest loop the innermost one if that is short, and put the items in that order. */
void ad_vectors_turn(struct ad_vectors *w, int32_t *pick, int64_t n, struct ad_nest *nest);
/* Can the operands of a group be put together from a few runs, in the order there is, so that none
 * is a list? */
bool ad_vectors_is_line(struct ad_vectors *w, const struct ad_group *g);

/*
 * Record the items of a group as one instruction, in the order of pick[].  In a nest all operands
 * are evenly spaced or constant.  Without one, nest is NULL: operands that consist of a few runs
 * are put together by an instruction of their own, and the others become lists.
 */
enum ad_status ad_vectors_record(struct ad_vectors *w, const struct ad_group *g,
                                 const struct ad_nest *nest);

#endif

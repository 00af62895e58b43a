/* ad_sets.h -- sets of numbers, each kept once whatever it is shifted by.
 *
 * The neighbours that the points of a stencil depend on are the same set everywhere, but for a shift: a set
 * is a *shape*, which is kept in the table, and the shift from it.  A shape is runs of consecutive
 * numbers, so that all of a million numbers are one run.  Unions are remembered: those along a
 * band or a grid cost a look-up each. */
#ifndef AD_SETS_H
#define AD_SETS_H

#include "ad_base.h"
#include "ad_status.h"

struct ad_set {
    int32_t shape; /* 0: the empty set */
    int32_t first; /* its least element; 0 if it is empty */
};

struct ad_run {
    int32_t start, end; /* start .. end - 1; of a shape: counted from the least element */
};

/* A union that was made: of two shapes, the second shifted by 'shift', not below 0. */
struct ad_union {
    int32_t a, b, shift, shape;
};

struct ad_sets {
    struct ad_run *runs; /* of the shapes, one shape after the other */
    int64_t n_runs, run_capacity, limit;
    int64_t *start; /* of each shape: shape s has runs start[s] .. start[s + 1) */
    int64_t *count; /* elements of each shape */
    int32_t n_shapes, shape_capacity;
    int32_t *table; /* shapes by their contents; 0: none */
    int64_t table_size;
    struct ad_union *unions; /* by their operands */
};

/* Tables of at most 'limit' runs: what needs more is AD_NO_SLOTS. */
enum ad_status ad_sets_new(int64_t limit, struct ad_sets *sets);
void ad_sets_free(struct ad_sets *sets); /* accepts zeros */

AD_INLINE struct ad_set ad_sets_one(int32_t element)
{
    return (struct ad_set){1, element};
}

AD_INLINE bool ad_set_is_empty(struct ad_set set)
{
    return set.shape == 0;
}

AD_INLINE bool ad_set_same(struct ad_set a, struct ad_set b)
{
    return a.shape == b.shape && a.first == b.first;
}

/* *to becomes its union with 'set'. */
enum ad_status ad_sets_unite_new(struct ad_sets *sets, struct ad_set *to, struct ad_set set);

enum { AD_UNION_BITS = 15 };

AD_INLINE uint32_t ad_union_place(int32_t a, int32_t b, int32_t shift)
{
    uint64_t key = ((uint64_t)(uint32_t)a * 0x9e3779b97f4a7c15u) ^
                   ((uint64_t)(uint32_t)b * 0xc2b2ae3d27d4eb4fu) ^
                   ((uint64_t)(uint32_t)shift * 0x165667b19e3779f9u);

    return (uint32_t)(key >> (64 - AD_UNION_BITS));
}

AD_INLINE enum ad_status ad_sets_unite(struct ad_sets *sets, struct ad_set *to, struct ad_set set)
{
    struct ad_set a = *to, b = set;
    const struct ad_union *known;

    if (ad_set_same(a, b) || b.shape == 0)
        return AD_OK;
    if (a.shape == 0) {
        *to = b;
        return AD_OK;
    }
    if (a.first > b.first || (a.first == b.first && a.shape > b.shape)) {
        b = *to;
        a = set;
    }
    known = &sets->unions[ad_union_place(a.shape, b.shape, b.first - a.first)];
    if (AD_LIKELY(known->a == a.shape && known->b == b.shape &&
                  known->shift == b.first - a.first)) {
        *to = (struct ad_set){known->shape, a.first};
        return AD_OK;
    }
    return ad_sets_unite_new(sets, to, set);
}

/* How many elements a set has. */
AD_INLINE int64_t ad_set_count(const struct ad_sets *sets, struct ad_set set)
{
    return sets->count[set.shape];
}

/* Its runs, to which set.first is to be added; *n of them. */
AD_INLINE const struct ad_run *ad_set_runs(const struct ad_sets *sets, struct ad_set set,
                                           int64_t *n)
{
    *n = sets->start[set.shape + 1] - sets->start[set.shape];
    return sets->runs + sets->start[set.shape];
}

/*
 * A union of many sets, made like a sum by pairs: the work is that of the elements times the logarithm of
 * the number of sets, in whatever order they come.
 */
struct ad_unite {
    struct ad_set level[64]; /* level k holds 2**k sets, if bit k of n is set */
    uint64_t n;
};
enum ad_status ad_unite_add(struct ad_sets *sets, struct ad_unite *unite, struct ad_set set);
enum ad_status ad_unite_end(struct ad_sets *sets, const struct ad_unite *unite, struct ad_set *all);

#endif

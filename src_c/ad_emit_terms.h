/* ad_emit_terms.h -- tangents while they are being emitted.
 *
 * The tangent of an instruction's results is a sum of terms c * base.  Along one direction there is one
 * term: base is the number 1, and c the tangent.  Along lanes, c has the shape of the results, and base
 * one more dimension before it.  Partials multiply c, which costs one lane; lanes are multiplied, and
 * terms added up, where an instruction that is not elementwise needs the tangent itself.  Of seeds that are
 * unit vectors nothing is multiplied even then: c is put where the ones are.
 *
 * Functions that take terms or a tangent to keep give up the references in them, on failure too. */
#ifndef AD_EMIT_TERMS_H
#define AD_EMIT_TERMS_H

#include "ad_emit_algebra.h"

enum { AD_MAX_TERMS = 8, AD_TERM_ROOM = AD_MAX_ARGS * AD_MAX_TERMS, AD_NO_TANGENT = INT32_MIN };

struct ad_term {
    struct ad_view c, base; /* each holds a reference */
    bool cuts;              /* a c of 0 cuts off even an infinite base */
    bool unit;              /* base is constant: of each element one lane at most is 1, others 0 */
};

/* The terms of elements of this shape. */
struct ad_terms {
    int n, ndim;
    int64_t shape[AD_MAX_DIMS];
    struct ad_term term[AD_TERM_ROOM];
};

/* A forward emission under way. */
struct ad_forward {
    struct ad_tape *tape;
    int32_t first, end; /* instructions with a tangent, or none yet */
    int32_t low, high;  /* their slots */
    int32_t n_consts;   /* at the start */
    int32_t floor;      /* for ad_tape_leave() */
    int64_t lanes;      /* 0: one direction, and no dimension for it */
    bool serial;        /* many scalars: the lanes of each are one vector */
    int64_t *at;        /* of each instruction: its terms in 'words', -1 for none */
    uint8_t
        *uses; /* of each instruction: how often those that the outputs need read it, at most 2 */
    /* of each instruction whose results are inputs in part, or in another order: a list of all its
     * tangents' slots, (lanes, length), AD_NO_TANGENT where no input is.  NULL if there is no such instruction */
    struct ad_list **seeded;
    int64_t *words; /* n_words, of word_capacity: see ad_terms_store() */
    int64_t n_words, word_capacity;
};

/* ---- terms by themselves ---- */

void ad_terms_none(struct ad_terms *terms, int ndim, const int64_t *shape);
void ad_terms_drop(struct ad_terms *terms);
/* Stretch a view to (lanes, *shape). */
enum ad_status ad_terms_stretch(const struct ad_forward *e, struct ad_view *view, int ndim,
                                const int64_t *shape);
/* Add a term, with its references; it is merged with another of the same base. */
enum ad_status ad_terms_add(struct ad_forward *e, struct ad_terms *terms, struct ad_term *term);
/* The one term that is this tangent, whose reference it takes. */
struct ad_term ad_terms_whole(const struct ad_forward *e, const struct ad_view *t);
/* The sum of terms: the tangent itself, of shape (lanes, *shape), or a number. */
enum ad_status ad_terms_sum(struct ad_forward *e, const struct ad_terms *terms, struct ad_view *t);
/* Replace terms by their sum. */
enum ad_status ad_terms_add_up(struct ad_forward *e, struct ad_terms *terms);

/* ---- sums of many parts, as one AD_ADDTO ---- */

/* What is added up in an AD_ADDTO, and where. */
struct ad_parts {
    struct ad_view *from, *to; /* n of each, of 'capacity'; both hold references */
    int n, capacity;
};

enum ad_status ad_parts_room(struct ad_parts *sum, int n);
/* Add terms where 'own' says that one lane of 'size' results goes. */
enum ad_status ad_parts_add(struct ad_forward *e, struct ad_parts *sum,
                            const struct ad_terms *terms, const struct ad_view *own, int64_t size);
/* Record what was added: (lanes, size), or a number if it is nothing.  The parts are dropped, after a
 * failure, given or met here, too. */
enum ad_status ad_parts_end(struct ad_forward *e, struct ad_parts *sum, enum ad_status status,
                            int64_t size, struct ad_view *t);

/* ---- terms of instruction i ---- */

/* Without references of their own. */
void ad_terms_load(const struct ad_forward *e, int32_t i, struct ad_terms *terms);
void ad_terms_clear(struct ad_forward *e, int32_t i);
/* Keep terms, added up if they are many, or their lanes would be multiplied more than once. */
enum ad_status ad_terms_set(struct ad_forward *e, int32_t i, struct ad_terms *terms);
/* Keep t, of shape (lanes, *shape), as the only term. */
enum ad_status ad_tangent_set(struct ad_forward *e, int32_t i, struct ad_view *t, int ndim,
                              const int64_t *shape);
/* Let the instruction have one term at most, with a factor of 1. */
enum ad_status ad_terms_add_up_of(struct ad_forward *e, int32_t i);

#endif

/* ad_adjoints.h -- adjoints under way, as they are recorded in reverse.
 *
 * Adjoints are never changed once recorded.  A scalar slot has the slot of its latest sum; an array
 * instruction gathers contributions (a view, and where in its result they go) until it is reached,
 * and adds them with one instruction, so that slices cost what they touch. */
#ifndef AD_ADJOINTS_H
#define AD_ADJOINTS_H

#include "ad_tape.h"

/* A contribution to the adjoint of an instruction's results. */
struct ad_adjoint_part {
    struct ad_view from, to; /* 'from' holds a reference; 'to' is AD_OWN or AD_OWN_LIST */
    int64_t next;            /* of the same instruction; -1 ends */
};

struct ad_adjoints {
    struct ad_tape *tape;
    int32_t low, first,
        end;           /* slots from low, instructions from first, up to end, all at the start */
    int32_t n_consts;  /* at the start */
    int32_t floor;     /* for ad_tape_leave() */
    int32_t *latest;   /* adjoint of a slot, or INT32_MIN for none */
    int64_t *parts_of; /* first part of each instruction, -1 for none */
    uint8_t *active;   /* slots that depend on an input */
    struct ad_adjoint_part *parts;
    int64_t n_parts, part_capacity;
};

/* Begin at the end of the tape, without any adjoint; what depends on the inputs is active.  Also after a
 * failure ad_adjoints_end() is to follow. */
enum ad_status ad_adjoints_begin(struct ad_adjoints *e, struct ad_tape *tape, int n_inputs,
                                 const struct ad_view *inputs);
/* After a failure the tape is cut back to where it was. */
void ad_adjoints_end(struct ad_adjoints *e, enum ad_status status);

/* Does anything that a view reads depend on an input? */
bool ad_adjoints_active(const struct ad_adjoints *e, const struct ad_view *view);
/* The elements of flat 'whole' (one dimension, or a number) that an AD_OWN view names. */
enum ad_status ad_adjoints_part(struct ad_tape *tape, const struct ad_view *whole,
                                const struct ad_view *own, struct ad_view *result);
/* The adjoint of what 'target' views grows by 'source', which has its shape or is a number. */
enum ad_status ad_adjoints_add(struct ad_adjoints *e, const struct ad_view *target,
                               const struct ad_view *source);
/* Put 'g', of one dimension or a scalar, in the place of the adjoint of instruction i's results. */
enum ad_status ad_adjoints_replace(struct ad_adjoints *e, int32_t i, const struct ad_view *g);
/* The adjoint of instruction i's results: borrowed from its only part, after parts are added up.  The
 * view is a number if there is none. */
enum ad_status ad_adjoints_of(struct ad_adjoints *e, int32_t i, struct ad_view *g);
/* The adjoint of an input, whose instructions' adjoints are complete. */
enum ad_status ad_adjoints_of_input(struct ad_adjoints *e, const struct ad_view *input,
                                    struct ad_view *result);

#endif

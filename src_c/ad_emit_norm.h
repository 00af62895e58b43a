/* ad_emit_norm.h -- adjoints through norms whose value may be 0, where they have no derivative.
 *
 * For f = phi(r), r = |x|, the adjoint of x is phi'(r) x / r, by convention 0 at x = 0.  If phi'(0) is 0, f
 * may still have a second derivative there: phi''(0) times the identity.  No local rule can tell phi''(0), as
 * what moves r and what r moves are both 0 by convention.  So at x = 0 the adjoint is recorded as
 *
 *     0 + x q        q the derivative of phi'(r) by r
 *
 * q is found by forward emission from all norms at once, along two directions that tell each norm from the
 * others: where they disagree (|x| |y|), and where phi'(0) is not 0, q is nan.  Where r reaches an adjoint of
 * the inputs in any other way (|x| x[0]), f has no second derivative, and those along what moves the norm, or
 * that adjoint's input, are nan.  So are third derivatives along what moves the norm.
 *
 * All of it is the second operand of a plus0, which programs that are run and not derived leave out. */
#ifndef AD_EMIT_NORM_H
#define AD_EMIT_NORM_H

#include "ad_tape.h"

struct ad_norm_at_zero {
    int32_t instr; /* AD_NORM, or hypot */
    struct ad_view r;
    int same; /* the first of those that have the same operands: one norm, as far as directions go */
    struct ad_view seed;  /* (2, *shape of r): two directions, 0 where r is not */
    struct ad_view scale; /* the second direction's reciprocal, a constant in the shape of r */
    struct ad_view
        moves; /* 0, and its derivative is 0 if what are zeros stay; no slots if not reached */
};

struct ad_norms {
    struct ad_tape *tape;
    enum ad_status status; /* the first failure; what comes after does nothing */
    struct ad_norm_at_zero *norm;
    int n;
    bool too_many;          /* to find q: it is nan */
    bool alone;             /* there is but one number that is a norm */
    struct ad_view differs; /* how many slopes depend on another norm too: a number or one slot */
    struct ad_view *held;
    int n_held, room;
};

/* Those of instructions first .. end - 1 that are active, slot by slot from 'low' on (NULL: all are), and 0 somewhere; on the
 * tape of a program, which may be run with other numbers, all of them.  ad_norms_end() is to follow. */
enum ad_status ad_norms_begin(struct ad_norms *s, struct ad_tape *tape, int32_t first, int32_t end,
                              int32_t low, const uint8_t *active);
void ad_norms_end(struct ad_norms *s);

/* Which of them instruction i is; -1 for none. */
int ad_norms_find(const struct ad_norms *s, int32_t i);
/*
 * Adjoints of the n operands x of norm k, given that of its result, in a shape that broadcasts to theirs:
 * AD_NORM has one operand, hypot two.  Results are passed with a reference each.
 */
enum ad_status ad_norms_reverse(struct ad_norms *s, int k, const struct ad_view *g, int n,
                                const struct ad_view *x, struct ad_view *results);
/* Complete the adjoints of inputs, once all norms are done; they are replaced. */
enum ad_status ad_norms_finish(struct ad_norms *s, int n_inputs, const struct ad_view *inputs,
                               struct ad_view *adjoints);

/*
 * ad_emit_forward(), or with 'lanes' ad_emit_forward_lanes(), for tangents that may be differentiated again.  No
 * rule can give the second derivatives of what follows a norm that is 0, as all that leads there is 0 by
 * convention: they are nan unless the norm counts nothing at first and second order.  ad_emit_along.h asks the
 * adjoints where it can.
 */
enum ad_status ad_norms_forward(struct ad_tape *tape, int64_t lanes, int n_inputs,
                                const struct ad_view *inputs, const struct ad_view *seeds,
                                int n_outputs, const struct ad_view *outputs,
                                struct ad_view *tangents);

#endif

/* ad_emit.h -- derivatives as programs: the rules of the sweeps, appended to the tape as ordinary
 * instructions, so that they can be differentiated again. */
#ifndef AD_EMIT_H
#define AD_EMIT_H

#include "ad_emit_forward.h"
#include "ad_tape.h"

struct ad_adjoints;

/*
 * ad_emit_reverse() records the adjoints of 'inputs', given adjoints 'seeds' of 'outputs' (broadcast
 * to their shapes), through the instructions of the tape as it stands, down to the lowest slot of the
 * inputs.
 *
 * adjoints[i] receives a view in the shape of inputs[i], or an AD_NUMBER, 0 if no instruction leads
 * there.  What it points at is passed with one reference.  Nothing is popped meanwhile; make handles of
 * the results, then call ad_tape_pop().  On failure no view is passed, and the tape is as it was but
 * for what has a handle.
 */
enum ad_status ad_emit_reverse(struct ad_tape *tape, int n_outputs, const struct ad_view *outputs,
                               const struct ad_view *seeds, int n_inputs,
                               const struct ad_view *inputs, struct ad_view *adjoints);

/* Is shown each active instruction, from the newest to the oldest, when its adjoint is complete and not yet pushed
 * on: ad_adjoints_of() tells it.  May record. */
struct ad_reverse_visitor {
    enum ad_status (*visit)(struct ad_reverse_visitor *self, struct ad_adjoints *adjoints,
                            int32_t instr);
};

/* The same with a visitor, who has seen all when it returns. */
enum ad_status ad_emit_reverse_seen(struct ad_tape *tape, int n_outputs,
                                    const struct ad_view *outputs, const struct ad_view *seeds,
                                    int n_inputs, const struct ad_view *inputs,
                                    struct ad_view *adjoints, struct ad_reverse_visitor *visitor);

#endif

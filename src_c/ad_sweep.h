/* ad_sweep.h -- numeric derivatives of a stretch of tape, over several directions (lanes) at once.
 *
 * A sweep covers the slots from 'low' to the end of the tape.  Operands below 'low' and constants are
 * not variables.  Lanes lie side by side: lane l of slot s is buffer[(s - low) * lanes + l].
 *
 * In every reverse sweep an adjoint that is exactly zero contributes exactly zero, whatever the local
 * partial, and so does a zero partial of a SELECT op. */
#ifndef AD_SWEEP_H
#define AD_SWEEP_H

#include "ad_lanes.h"
#include "ad_sweep_array.h"

/*
 * ad_work_begin() zeroes buffers for slots from 'low' to the end of the tape: tangents and adjoints of
 * 'lanes' each as asked, and for 'second' all three.
 */
enum ad_status ad_work_begin(struct ad_tape *tape, enum ad_sweep_kind kind, int32_t low, int lanes);

/* Tangents of instructions first .. last, in order, from tangents seeded in tan. */
enum ad_status ad_sweep_forward(struct ad_tape *tape, int32_t first, int32_t last);
/* Adjoints, from last down to first, from adjoints seeded in adj.  Notes are called if work->reached is
 * set, for which 'low' must be the first slot of an instruction; in second order never. */
enum ad_status ad_sweep_reverse(struct ad_tape *tape, int32_t first, int32_t last);
/* Forward over reverse: from tan (a forward sweep's) and adj seeded in one lane, fills adj and dadj.
 * A seed in dadj is the tangent of the seed in adj. */
enum ad_status ad_sweep_second(struct ad_tape *tape, int32_t first, int32_t last);

/*
 * ad_tape_depends() sets reached[s - low] = 1 for each slot s >= low that the slots already set depend
 * on, through instructions last down to first, whatever the values.
 */
enum ad_status ad_tape_depends(struct ad_tape *tape, int32_t first, int32_t last, int32_t low,
                               uint8_t *reached);

#endif

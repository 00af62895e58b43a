/* ad_emit_forward.h -- tangents recorded as ordinary instructions, along one direction or several. */
#ifndef AD_EMIT_FORWARD_H
#define AD_EMIT_FORWARD_H

#include "ad_tape.h"

/*
 * ad_emit_forward() records the tangents of 'outputs', given tangents 'seeds' of 'inputs' (broadcast to
 * their shapes).  Conventions are those of ad_emit_reverse(); only what the outputs need is recorded.
 * An input that is named twice has the later seed.
 */
enum ad_status ad_emit_forward(struct ad_tape *tape, int n_inputs, const struct ad_view *inputs,
                               const struct ad_view *seeds, int n_outputs,
                               const struct ad_view *outputs, struct ad_view *tangents);

/*
 * ad_emit_forward_lanes() does so along 'lanes' directions at once, 1 or more: seeds have the shape
 * (lanes, *shape of the input), or are numbers; tangents have the shape (lanes, *shape of the output), or
 * are numbers.
 *
 * Cost: an elementwise op is recorded once, not once per lane, while what it depends on comes from few
 * places; lanes are multiplied where something else needs them.  A matrix product of all lanes is one
 * product with more rows wherever its operands allow it, and none at all where the seeds are an identity
 * matrix.  Rules of the user's are called lane by lane.
 */
enum ad_status ad_emit_forward_lanes(struct ad_tape *tape, int64_t lanes, int n_inputs,
                                     const struct ad_view *inputs, const struct ad_view *seeds,
                                     int n_outputs, const struct ad_view *outputs,
                                     struct ad_view *tangents);

#endif

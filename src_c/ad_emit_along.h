/* ad_emit_along.h -- tangents as programs that may be differentiated again. */
#ifndef AD_EMIT_ALONG_H
#define AD_EMIT_ALONG_H

#include "ad_tape.h"

/*
 * ad_emit_forward(), or with 'lanes' ad_emit_forward_lanes().  Where a norm may be 0, of a few outputs that are
 * single numbers the tangents are their gradients times the seeds, since reverse emission knows what comes
 * after the norm; those of other outputs are ad_norms_forward()'s.
 */
enum ad_status ad_emit_along(struct ad_tape *tape, int64_t lanes, int n_inputs,
                             const struct ad_view *inputs, const struct ad_view *seeds,
                             int n_outputs, const struct ad_view *outputs,
                             struct ad_view *tangents);

#endif

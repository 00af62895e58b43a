/* ad_sweep_array.h -- one array instruction in a sweep. */
#ifndef AD_SWEEP_ARRAY_H
#define AD_SWEEP_ARRAY_H

#include "ad_tape.h"

enum ad_sweep_kind { AD_SWEEP_FORWARD, AD_SWEEP_REVERSE, AD_SWEEP_SECOND };

/* Take the tape's work through array instruction i: tangents forward, or adjoints, or both, back. */
enum ad_status ad_sweep_array(struct ad_tape *tape, int32_t i, enum ad_sweep_kind kind);

#endif

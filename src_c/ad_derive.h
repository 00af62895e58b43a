/* ad_derive.h -- derivatives of a program as programs.
 *
 * Each function makes a new program from a frozen one by emission (ad_emit.h) on a copy of its tape; the
 * new one can be derived again, and so on to any order.  Guards and origins come along.  What the new
 * program does not need is still there: ad_pass_dead() takes it out.
 *
 * 'wanted' names inputs of 'from' by their index, each at most once.  Outputs of 'from' need not depend on
 * them, and may be constants: zero derivatives are AD_NUMBER views of the right shape.
 *
 * Unless 'from' has an AD_CALL or a note, whose rules look at values, the new tape is symbolic and costs
 * no arithmetic, however large its arrays.  Otherwise values are those of the recording, and each
 * input added here is 1.
 *
 * On failure *to is NULL. */
#ifndef AD_DERIVE_H
#define AD_DERIVE_H

#include "ad_program.h"

/*
 * ad_derive_reverse() makes the program of the adjoints of inputs.
 *
 * Inputs: those of 'from'; then, unless 'ones', the adjoint of each output of 'from', in its shape; with
 * 'ones' each adjoint is 1.  Outputs: with 'keep' those of 'from'; then the adjoint of each wanted input,
 * in its shape.
 */
enum ad_status ad_derive_reverse(const struct ad_program *from, int n_wanted, const int *wanted,
                                 bool ones, bool keep, struct ad_program **to);

/*
 * ad_derive_forward() makes the program of the tangents of the outputs.
 *
 * Inputs: those of 'from'; then the tangent of each wanted input, in its shape; others do not move.
 * Outputs: with 'keep' those of 'from'; then the tangent of each, in its shape.
 */
enum ad_status ad_derive_forward(const struct ad_program *from, int n_wanted, const int *wanted,
                                 bool keep, struct ad_program **to);

/*
 * ad_derive_forward_lanes() does so along 'lanes' directions at once, 1 or more: tangents, those that go
 * in and those that come out, have a dimension of that length before their own.  Costs are those of
 * ad_emit_forward_lanes().
 */
enum ad_status ad_derive_forward_lanes(const struct ad_program *from, int64_t lanes, int n_wanted,
                                       const int *wanted, bool keep, struct ad_program **to);

#endif

/* ad_derivation.h -- what derivations of programs share: a copy of the program, on which derivatives are
 * emitted.
 *
 *     status = ad_derivation_begin(&d, from);          inputs are there; ad_derivation_seed() adds others
 *     status = ad_derivation_copy(&d);                 unless it failed before, as all below
 *     emit from d.outputs, with d.inputs and d.seeds, into d.results
 *     status = ad_derivation_results(&d, ...);         or outputs of d.r.to added otherwise
 *     status = ad_derivation_end(&d, status, keep, &to);
 */
#ifndef AD_DERIVATION_H
#define AD_DERIVATION_H

#include "ad_rewrite.h"

struct ad_derivation {
    struct ad_rewrite r;
    struct ad_view *outputs; /* n_outputs of 'from' on the new tape, each holding a reference */
    int n_outputs;           /* so far */
    struct ad_view *inputs, *seeds, *results; /* room for as many as 'from' has inputs or outputs */
};

enum ad_status ad_derivation_begin(struct ad_derivation *d, const struct ad_program *from);
/* An input of the shape of 'like', with a dimension of lanes before it unless they are 0. */
enum ad_status ad_derivation_seed(struct ad_derivation *d, int64_t lanes,
                                  const struct ad_view *like);
/*
 * A constant (lanes, *shape of 'like') that holds a reference: ones where an element has the colour of the lane, and
 * zeros alone for a negative colour.  The colours are color[first], color[first + 1] ..., or first, first + 1 ... if
 * 'color' is NULL.
 */
enum ad_status ad_derivation_colors(const struct ad_view *like, int64_t lanes, const int32_t *color,
                                    int64_t first, struct ad_view *seed);
/* All instructions, and where the outputs are now. */
enum ad_status ad_derivation_copy(struct ad_derivation *d);
/* n results become outputs, in the shapes of 'like' with lanes; gives up the references to them. */
enum ad_status ad_derivation_results(struct ad_derivation *d, int n, int64_t lanes,
                                     const struct ad_view *like);
/* What was made an output so far goes behind the outputs of 'from', or, without 'keep', instead of them. */
enum ad_status ad_derivation_end(struct ad_derivation *d, enum ad_status status, bool keep,
                                 struct ad_program **to);

/* The program without inputs from n on: what still reads one reads ones instead. */
enum ad_status ad_derivation_drop_inputs(const struct ad_program *from, int n,
                                         struct ad_program **to);

#endif

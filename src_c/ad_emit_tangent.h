/* ad_emit_tangent.h -- the tangents of operands: elements of those of instructions. */
#ifndef AD_EMIT_TANGENT_H
#define AD_EMIT_TANGENT_H

#include "ad_emit_terms.h"

/* The only instruction that a view reads which may have terms; 'end' if it reads none, -1 if several. */
int32_t ad_tangent_source(const struct ad_forward *e, const struct ad_view *view);
/* The terms of a view, each with references of its own. */
enum ad_status ad_terms_of(struct ad_forward *e, const struct ad_view *view,
                           struct ad_terms *terms);
/* The tangent of a view: of shape (lanes, *shape), or a number; holds a reference. */
enum ad_status ad_tangent_of(struct ad_forward *e, const struct ad_view *view, struct ad_view *t);
/* The tangent of instruction i as (lanes, length), or a number; holds a reference. */
enum ad_status ad_tangent_flat(struct ad_forward *e, int32_t i, struct ad_view *flat);
/* A slot with element 'off' of lane l of a flat tangent; a constant one is made where it is none yet. */
enum ad_status ad_tangent_slot(struct ad_forward *e, const struct ad_view *flat, int64_t l,
                               int64_t off, int32_t *slot);

#endif

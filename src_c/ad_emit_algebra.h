/* ad_emit_algebra.h -- what both directions of emission share: ops on views with the identities that
 * cost nothing, and the partials of the table read as new instructions.
 *
 * Results are passed with one reference.  A zero is an AD_NUMBER, so that it is never computed with. */
#ifndef AD_EMIT_ALGEBRA_H
#define AD_EMIT_ALGEBRA_H

#include "ad_tape.h"

AD_INLINE bool ad_is_number(const struct ad_view *view, double c)
{
    return view->place == AD_NUMBER && view->in.number == c;
}

/* An op over views, or less where 0 and 1 make it less. */
enum ad_status ad_emit_op(struct ad_tape *tape, enum ad_op op, double p, const struct ad_view *args,
                          struct ad_view *result);

/* The partial of 'op' with respect to argument 'arg', given arguments 'a' and value 'y'. */
enum ad_status ad_emit_partial(struct ad_tape *tape, enum ad_op op, int arg, double p,
                               const struct ad_view *a, const struct ad_view *y,
                               struct ad_view *result);
/* The derivative of that partial with respect to argument 'by', whose own partial is 'slope'. */
enum ad_status ad_emit_second(struct ad_tape *tape, enum ad_op op, int arg, int by, double p,
                              const struct ad_view *a, const struct ad_view *y,
                              const struct ad_view *slope, struct ad_view *result);
/* An adjoint times a partial of argument 'arg': see ad_push() and ad_op_cuts(). */
enum ad_status ad_emit_push(struct ad_tape *tape, enum ad_op op, int arg, const struct ad_view *g,
                            const struct ad_view *partial, struct ad_view *result);
/* The same for a tangent: see ad_flow(). */
enum ad_status ad_emit_flow(struct ad_tape *tape, enum ad_op op, int arg,
                            const struct ad_view *tangent, const struct ad_view *partial,
                            struct ad_view *result);

/* What the elements x of a row contribute to its result y, in the shape of x = 'from', for AD_EXTREMUM or
 * AD_NORM i: equal(x, y) over the number of ties, or x / y, and 0 at zero. */
enum ad_status ad_emit_row_weights(struct ad_tape *tape, int32_t i, const struct ad_view *from,
                                   struct ad_view *weights);
/* Weights times what moves through row instruction i. */
enum ad_status ad_emit_weigh(struct ad_tape *tape, int32_t i, const struct ad_view *weights,
                             const struct ad_view *moving, struct ad_view *result);

/* Give a view the shape; copies where strides cannot.  Consumes 'view', and on failure leaves a number. */
enum ad_status ad_emit_reshaped(struct ad_tape *tape, struct ad_view *view, int ndim,
                                const int64_t *shape);
/* Operand views for words: constants as numbers, so that they fold and are not shared. */
void ad_emit_simplify(const struct ad_tape *tape, struct ad_view *view);

/* Call EACH(j, slot) for the elements of a view of slots; constants have negative slots,
 * numbers and arrays INT32_MIN. */
#define AD_EACH_SLOT(tape, view, EACH)                                                             \
    do {                                                                                           \
        struct ad_span_room for_room;                                                              \
        int64_t for_size = ad_view_size(view);                                                     \
        for (int64_t for_start = 0, for_n; for_start < for_size; for_start += for_n) {             \
            for_n = ad_tile_size(view, for_size, for_start);                                       \
            struct ad_span for_span =                                                              \
                ad_span_of(view, 0, (tape)->value, for_start, for_n, &for_room);                   \
            for (int64_t for_i = 0; for_i < for_n; for_i++) {                                      \
                int32_t for_slot = for_span.kind == AD_SPAN_MANY  ? for_span.slots[for_i]          \
                                   : for_span.kind == AD_SPAN_RUN ? for_span.slot + (int32_t)for_i \
                                   : for_span.kind == AD_SPAN_ONE ? for_span.slot                  \
                                                                  : INT32_MIN;                     \
                EACH(for_start + for_i, for_slot);                                                 \
            }                                                                                      \
        }                                                                                          \
    } while (0)

#endif

/* ad_lanes.h -- lanes of numbers on their way between the buffers of a sweep and tiles. */
#ifndef AD_LANES_H
#define AD_LANES_H

#include "ad_tape.h"
#include "ad_work.h"

/* Lanes that the compiled loops know best; any number works. */
enum { AD_LANES = 8 };

static const struct ad_vec ad_one = {NULL, 1};

/* The slot of element i of a span; a negative number if it is no variable. */
AD_INLINE int64_t ad_span_slot(const struct ad_span *span, int64_t i)
{
    switch (span->kind) {
    case AD_SPAN_FIXED:
        return -1;
    case AD_SPAN_RUN:
        return span->slot + i;
    case AD_SPAN_ONE:
        return span->slot;
    case AD_SPAN_MANY:
        return span->slots[i];
    }
    ad_unreachable();
    return -1;
}

/* Is no element of the span a variable?  Runs lie within one instruction, hence on one side of low. */
AD_INLINE bool ad_span_is_fixed(const struct ad_span *span, int32_t low)
{
    return span->kind == AD_SPAN_FIXED || (span->kind != AD_SPAN_MANY && span->slot < low);
}

bool ad_all_zero(const double *x, int64_t n);

/* buffer[to] += from * d over n elements: the one way in which tangents and adjoints move.  A zero in
 * 'from' adds zero whatever d is, and so does a zero d if it 'cuts': see ad_op_cuts(). */
void ad_lanes_push(int lanes, double *buffer, int32_t low, const struct ad_span *to,
                   const double *from, struct ad_vec d, bool cuts, int64_t n);

/* Where a row has a POLE, a tangent of zero does not hide a partial 'd' that is nan: see ad_flow(). */
void ad_lanes_keep_nan(int lanes, double *to, struct ad_vec d, int64_t n);

/* The lanes of a span, contiguous; NULL if all are zero.  'room' holds AD_TILE * lanes. */
const double *ad_lanes_of(int lanes, const double *buffer, int32_t low, const struct ad_span *span,
                          int64_t n, double *room);

/* Add to, or read, the lanes of a view; 'data' is contiguous, (size, lanes).  Elements that are not
 * variables of the sweep are passed over, and read as zero. */
void ad_work_add(const struct ad_tape *tape, double *buffer, int lanes, const struct ad_view *view,
                 const double *data);
void ad_work_get(const struct ad_tape *tape, const double *buffer, int lanes,
                 const struct ad_view *view, double *data);

#endif

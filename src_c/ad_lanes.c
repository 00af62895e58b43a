/* ad_lanes.c -- moving lanes: runs of slots by SIMD loops, scattered ones one by one. */
#include "ad_lanes.h"

#include <string.h>

bool ad_all_zero(const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (x[i] != 0)
            return false;
    return true;
}

AD_VECTOR static void add_run(double *to, const double *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] += from[i];
}

/* to[i] += from[i] * d, a zero in 'from' giving zero; 'from' and 'to' do not overlap. */
AD_VECTOR static void push_run(double *restrict to, const double *restrict from,
                               const double *restrict d, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double t = from[i] * d[i];

        to[i] += from[i] == 0 ? 0 : t;
    }
}

AD_VECTOR static void push_run_const(double *restrict to, const double *restrict from, double d,
                                     int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double t = from[i] * d;

        to[i] += from[i] == 0 ? 0 : t;
    }
}

/* A zero partial of an op that cuts stops even infinite adjoints: see ad_op_cuts(). */
AD_VECTOR static void push_run_cut(double *restrict to, const double *restrict from,
                                   const double *restrict d, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double t = from[i] * d[i];

        to[i] += from[i] == 0 || d[i] == 0 ? 0 : t;
    }
}

AD_VECTOR static double sum_products(const double *restrict from, struct ad_vec d, bool cuts,
                                     int64_t n)
{
    double lane[8] = {0};

    for (int64_t i = 0; i < n; i++) {
        double p = d.v ? d.v[i] : d.c, t = from[i] * p;

        lane[i & 7] += from[i] == 0 || (cuts && p == 0) ? 0 : t;
    }
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
           ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

/* The same for any number of lanes and any span; inlined for the common numbers of lanes. */
AD_INLINE void push_lanes(const int lanes, double *buffer, int32_t low, const struct ad_span *to,
                          const double *from, struct ad_vec d, bool cuts, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t slot = ad_span_slot(to, i);
        double p = d.v ? d.v[i] : d.c, *at = buffer + (slot - low) * lanes;

        if (slot < low || (cuts && p == 0))
            continue;
        for (int l = 0; l < lanes; l++) {
            double f = from[i * lanes + l];

            at[l] += f == 0 ? 0 : f * p;
        }
    }
}

AD_VECTOR static void push_8(double *buffer, int32_t low, const struct ad_span *to,
                             const double *from, struct ad_vec d, bool cuts, int64_t n)
{
    push_lanes(AD_LANES, buffer, low, to, from, d, cuts, n);
}

void ad_lanes_push(int lanes, double *buffer, int32_t low, const struct ad_span *to,
                   const double *from, struct ad_vec d, bool cuts, int64_t n)
{
    if (ad_span_is_fixed(to, low) || (!d.v && d.c == 0 && cuts))
        return;
    if (!d.v && d.c == 1 && to->kind == AD_SPAN_RUN) {
        add_run(buffer + (to->slot - (int64_t)low) * lanes, from, n * lanes);
    } else if (lanes == 1 && to->kind == AD_SPAN_RUN) {
        double *at = buffer + (to->slot - low);

        if (!d.v)
            push_run_const(at, from, d.c, n);
        else if (cuts)
            push_run_cut(at, from, d.v, n);
        else
            push_run(at, from, d.v, n);
    } else if (lanes == 1 && to->kind == AD_SPAN_ONE) {
        buffer[to->slot - low] += sum_products(from, d, cuts, n);
    } else if (lanes == 1) {
        push_lanes(1, buffer, low, to, from, d, cuts, n);
    } else if (lanes == AD_LANES) {
        push_8(buffer, low, to, from, d, cuts, n);
    } else {
        push_lanes(lanes, buffer, low, to, from, d, cuts, n);
    }
}

void ad_lanes_keep_nan(int lanes, double *to, struct ad_vec d, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double p = d.v ? d.v[i] : d.c;

        if (p != p)
            for (int l = 0; l < lanes; l++)
                to[i * lanes + l] = p;
    }
}

/* room[i] = the lanes of element i; inlined for the common numbers of lanes. */
AD_INLINE void take_lanes(const int lanes, const double *buffer, int32_t low,
                          const struct ad_span *span, int64_t n, double *room)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t slot = ad_span_slot(span, i);

        for (int l = 0; l < lanes; l++)
            room[i * lanes + l] = slot < low ? 0 : buffer[(slot - low) * lanes + l];
    }
}

const double *ad_lanes_of(int lanes, const double *buffer, int32_t low, const struct ad_span *span,
                          int64_t n, double *room)
{
    if (ad_span_is_fixed(span, low))
        return NULL;
    if (span->kind == AD_SPAN_RUN)
        return buffer + (span->slot - (int64_t)low) * lanes;
    if (lanes == 1)
        take_lanes(1, buffer, low, span, n, room);
    else if (lanes == AD_LANES)
        take_lanes(AD_LANES, buffer, low, span, n, room);
    else
        take_lanes(lanes, buffer, low, span, n, room);
    return room;
}

void ad_work_add(const struct ad_tape *tape, double *buffer, int lanes, const struct ad_view *view,
                 const double *data)
{
    int64_t size = ad_view_size(view);
    struct ad_span_room room;

    for (int64_t start = 0, n; start < size; start += n) {
        n = ad_tile_size(view, size, start);
        struct ad_span span = ad_span_of(view, 0, tape->value, start, n, &room);

        ad_lanes_push(lanes, buffer, tape->work->low, &span, data + start * lanes, ad_one, false,
                      n);
    }
}

void ad_work_get(const struct ad_tape *tape, const double *buffer, int lanes,
                 const struct ad_view *view, double *data)
{
    int64_t size = ad_view_size(view);
    struct ad_span_room room;

    for (int64_t start = 0, n; start < size; start += n) {
        n = ad_tile_size(view, size, start);
        struct ad_span span = ad_span_of(view, 0, tape->value, start, n, &room);
        const double *from =
            ad_lanes_of(lanes, buffer, tape->work->low, &span, n, data + start * lanes);

        if (!from)
            memset(data + start * lanes, 0, (size_t)(n * lanes) * sizeof *data);
        else if (from != data + start * lanes)
            memcpy(data + start * lanes, from, (size_t)(n * lanes) * sizeof *data);
    }
}

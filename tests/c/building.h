/* building.h -- known programs, written operation by operation. */
#ifndef BUILDING_H
#define BUILDING_H

#include "ad_program.h"
#include "check.h"

static inline void ok(enum ad_status status)
{
    CHECK(status == AD_OK, "%s", ad_status_text(status));
}

static inline struct ad_view op(struct ad_program *p, enum ad_op code, struct ad_view a,
                                struct ad_view b)
{
    const struct ad_view *args[AD_MAX_ARGS] = {&a, &b};
    struct ad_view result = {0};

    ok(ad_record_op(p->tape, code, 0, args, &result));
    return result;
}

static inline struct ad_view slice(struct ad_view view, int64_t from, int64_t n)
{
    view.base += from * view.stride[0];
    view.shape[0] = n;
    return view;
}

static inline struct ad_view sum(struct ad_program *p, struct ad_view a)
{
    struct ad_view result = {0};

    ok(ad_record_sum(p->tape, &a, (1u << a.ndim) - 1, &result));
    result.ndim = 0;
    return result;
}

static inline struct ad_program *program_of(int64_t n, const double *x)
{
    struct ad_program *p = ad_program_new();

    CHECK(p != NULL, "no program");
    ok(ad_program_add_input(p, 1, &n, x));
    return p;
}

#endif

/* program_values.h -- the values of random programs, and calls that may run out of memory.
 *
 * Each value of a program has, beside its handle on the tape, its elements as hyper-dual numbers: the
 * value, its derivatives along two directions of the inputs, and the second derivative along both. */
#ifndef PROGRAM_VALUES_H
#define PROGRAM_VALUES_H

#include "ad_sweep.h"
#include "check.h"

enum { MAX_VALUES = 64, MAX_SHAPE = 16, MAX_SIZE = 4000 };

struct cell {
    double v, d1, d2, d12;
    uint64_t dep; /* bit i: depends on an input whose number is i modulo 64, whatever the values */
};

struct value {
    struct ad_handle handle; /* tape NULL: a constant, or no value any more */
    struct ad_view constant; /* then this, with a reference */
    bool alive;
    int ndim;
    int64_t shape[AD_MAX_DIMS], size;
    struct cell *cell;
};

struct program {
    struct ad_tape *tape;
    struct rng rng;
    int n;
    struct value value[MAX_VALUES]; /* the first is the inputs, as one vector */
    bool whole;                     /* has an instruction whose results depend on all operands */
    long allocations_fail_in;       /* see allow_failure(); negative: never */
};

/* ---- calls that may run out of memory ----
 *
 * TRY(program, call) makes a call that returns a status, AD_OK in the end.  If the allocation that is
 * to fail falls into it, it must say so, leave the tape as it was, and work when made again. */

struct snapshot {
    int32_t n, n_slots;
    int64_t n_aux, n_lists, n_handles, n_checked;
    int busy;
    uint64_t values;
};

static struct snapshot snapshot_of(const struct ad_tape *tape)
{
    struct snapshot s = {tape->n,         tape->n_slots,   tape->n_aux, 0,
                         tape->n_handles, tape->n_checked, tape->busy,  0};

    for (const struct ad_list *list = tape->lists; list; list = list->next)
        s.n_lists++;
    for (int32_t slot = 0; slot < tape->n_slots; slot++) {
        uint64_t bits;

        memcpy(&bits, tape->value + slot, sizeof bits);
        s.values = s.values * 0x9E3779B97F4A7C15u + bits;
    }
    return s;
}

static void check_snapshot(const struct ad_tape *tape, const struct snapshot *before)
{
    struct snapshot now = snapshot_of(tape);

    CHECK(now.n == before->n, "instructions: %d, before %d", now.n, before->n);
    CHECK(now.n_slots == before->n_slots, "slots: %d, before %d", now.n_slots, before->n_slots);
    CHECK(now.n_aux == before->n_aux, "words differ");
    CHECK(now.n_lists == before->n_lists, "lists: %" PRId64 ", before %" PRId64, now.n_lists,
          before->n_lists);
    CHECK(now.n_handles == before->n_handles, "handles differ");
    CHECK(now.n_checked == before->n_checked, "checked constants differ");
    CHECK(now.busy == before->busy, "busy: %d, before %d", now.busy, before->busy);
    CHECK(now.values == before->values, "values differ");
}

#define TRY(program, call)                                                                         \
    do {                                                                                           \
        bool try_watched = fail_in >= 0;                                                           \
        struct snapshot try_before = {0};                                                          \
        long try_failed = n_failed;                                                                \
        enum ad_status try_status;                                                                 \
                                                                                                   \
        if (try_watched)                                                                           \
            try_before = snapshot_of((program)->tape);                                             \
        try_status = (call);                                                                       \
        if (n_failed > try_failed && try_status != AD_OK) {                                        \
            CHECK(try_status == AD_NO_MEMORY, "status %d without memory: %s", try_status, #call);  \
            check_snapshot((program)->tape, &try_before);                                          \
            try_status = (call);                                                                   \
        }                                                                                          \
        CHECK(try_status == AD_OK, "status %d: %s", try_status, #call);                            \
    } while (0)

static enum ad_status status_of(bool ok)
{
    return ok ? AD_OK : AD_NO_MEMORY;
}

/* ---- values ---- */

static struct ad_view view_of(const struct value *value)
{
    return value->handle.tape ? ad_handle_get(&value->handle) : value->constant;
}

/* Numbers of a view as they are, checked against what they should be, and taken over: roundings of
 * sums must not add up to other branches. */
static void check_values(const struct program *p, struct value *value, double scale,
                         const char *what)
{
    struct ad_view view = view_of(value);
    double *got = malloc((size_t)(value->size + 1) * sizeof *got);

    CHECK(view.ndim == value->ndim, "%s: %d dimensions, not %d", what, view.ndim, value->ndim);
    for (int d = 0; d < view.ndim; d++)
        CHECK(view.shape[d] == value->shape[d], "%s: shape differs", what);
    ad_view_read(&view, p->tape->value, got);
    for (int64_t i = 0; i < value->size; i++) {
        double want = value->cell[i].v;

        CHECK(scale > 0 ? close_to(got[i], want, scale) : same_number(got[i], want),
              "%s: element %" PRId64 " is %.17g, not %.17g", what, i, got[i], want);
        value->cell[i].v = got[i];
    }
    free(got);
}

static int64_t size_of(int ndim, const int64_t *shape)
{
    int64_t size = 1;

    for (int d = 0; d < ndim; d++)
        size *= shape[d];
    return size;
}

/* A new value of a program, its cells yet to be filled. */
static struct value *new_value(struct program *p, int ndim, const int64_t *shape)
{
    struct value *value = &p->value[p->n++];

    CHECK(p->n <= MAX_VALUES, "too many values");
    memset(value, 0, sizeof *value);
    value->alive = true;
    value->ndim = ndim;
    if (ndim)
        memcpy(value->shape, shape, (size_t)ndim * sizeof *shape);
    value->size = size_of(ndim, shape);
    value->cell = calloc((size_t)value->size + 1, sizeof *value->cell);
    return value;
}

/* Let a value hold a view, whose reference it takes. */
static void attach(struct program *p, struct value *value, const struct ad_view *view)
{
    if (view->place == AD_NUMBER || view->place == AD_ARRAY)
        value->constant = *view;
    else
        TRY(p, status_of(ad_handle_view(&value->handle, p->tape, view)));
}

static void drop_value(struct value *value)
{
    if (!value->alive)
        return;
    if (value->handle.tape)
        ad_handle_drop(&value->handle);
    else
        ad_view_drop(&value->constant);
    free(value->cell);
    value->alive = false;
    value->handle.tape = NULL;
}

static int pick_value(struct program *p)
{
    int v;

    do
        v = rng_int(&p->rng, 0, 3) ? (int)rng_int(&p->rng, AD_MAX(0, p->n - 8), p->n - 1)
                                   : (int)rng_int(&p->rng, 0, p->n - 1);
    while (!p->value[v].alive);
    return v;
}

static bool tracked(const struct value *value)
{
    return value->handle.tape != NULL;
}

static void note_shape(int ndim, const int64_t *shape)
{
    check_note(" (");
    for (int d = 0; d < ndim; d++)
        check_note(d ? ", %" PRId64 : "%" PRId64, shape[d]);
    check_note(")\n");
}

#endif

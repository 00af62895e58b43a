/* test_views.c -- views, tiles of them, and the rows of the table over tiles, each against plain loops. */
#include <math.h>

#include "ad_view.h"
#include "check.h"

/* ---- the table ---- */

/* Words over tiles against the same row at a point; scratch is bounded by assertions of the core. */
static void test_table(void)
{
    static double a[AD_MAX_ARGS][AD_TILE], y[AD_TILE];
    static double scratch[AD_SCRATCH], partials[AD_MAX_ARGS][AD_PARTIAL_SCRATCH];
    struct rng rng = {1};

    for (int op = 0; op < AD_N_OPS; op++)
        for (int varying = 1; varying < 1 << ad_ops[op].n_args; varying++) {
            const struct ad_op_info *info = &ad_ops[op];
            double p = info->family ? 2 : 0;
            struct ad_vec args[AD_MAX_ARGS] = {{NULL, 0}}, d[AD_MAX_ARGS], h[AD_MAX_ARGS];

            check_clear();
            check_note("op %s, arguments %x vary", info->name, (unsigned)varying);
            for (int j = 0; j < info->n_args; j++) {
                double lo = fmax(info->domain[j][0], -2), hi = fmin(info->domain[j][1], lo + 4);

                for (int i = 0; i < AD_TILE; i++)
                    a[j][i] = rng_uniform(&rng, lo + 0.05, hi - 0.05);
                args[j] =
                    varying >> j & 1 ? (struct ad_vec){a[j], 0} : (struct ad_vec){NULL, a[j][0]};
            }
            ad_op_vector((enum ad_op)op, p, AD_TILE, args, y);
            for (int j = 0; j < info->n_args; j++)
                d[j] = ad_op_vector_partial((enum ad_op)op, j, p, AD_TILE, args,
                                            (struct ad_vec){y, 0}, partials[j]);
            for (int j = 0; j < info->n_args; j++) {
                ad_op_vector_second((enum ad_op)op, j, p, AD_TILE, args, (struct ad_vec){y, 0}, d,
                                    h, scratch + AD_MAX_ARGS * AD_PARTIAL_SCRATCH);
                for (int i = 0; i < AD_TILE; i++) {
                    double x[AD_MAX_ARGS] = {0}, dx[AD_MAX_ARGS], hx[AD_MAX_ARGS][AD_MAX_ARGS];
                    unsigned depends[AD_MAX_ARGS];

                    for (int k = 0; k < info->n_args; k++)
                        x[k] = args[k].v ? args[k].v[i] : args[k].c;
                    CHECK(same_number(y[i], ad_op_value((enum ad_op)op, p, x[0], x[1], x[2])),
                          "value at %g, %g, %g", x[0], x[1], x[2]);
                    ad_op_second((enum ad_op)op, p, x, y[i], dx, hx, depends);
                    CHECK(close_to(d[j].v ? d[j].v[i] : d[j].c, dx[j], fabs(dx[j])),
                          "partial %d at %g, %g, %g", j, x[0], x[1], x[2]);
                    for (int k = 0; k < info->n_args; k++)
                        CHECK(close_to(h[k].v ? h[k].v[i] : h[k].c, hx[j][k], fabs(hx[j][k])),
                              "second partial %d, %d at %g, %g, %g: %g, not %g", j, k, x[0], x[1],
                              x[2], h[k].v ? h[k].v[i] : h[k].c, hx[j][k]);
                }
            }
        }
}

/* ---- views and tiles ---- */

/* Where element 'flat' of a view lies, by plain arithmetic. */
static int64_t place_of(const struct ad_view *view, int64_t flat)
{
    int64_t where = view->base;

    for (int d = view->ndim - 1; d >= 0; d--) {
        where += flat % view->shape[d] * view->stride[d];
        flat /= view->shape[d];
    }
    return where;
}

/* A view of random shape, strides of any sign and zeros among them, within 'room' elements. */
static struct ad_view random_view(struct rng *rng, int64_t room)
{
    struct ad_view view = ad_view_slots(0, 0, NULL);
    int64_t low = 0, high = 0;

    view.ndim = (int)rng_int(rng, 0, 4);
    for (int d = 0; d < view.ndim; d++) {
        int64_t most = d == view.ndim - 1 && rng_int(rng, 0, 2) == 0 ? 700 : 6;

        view.shape[d] = rng_int(rng, 0, 15) ? rng_int(rng, 1, most) : 0;
        view.stride[d] = rng_int(rng, 0, 3) ? rng_int(rng, -2, 2) : rng_int(rng, -7, 7);
        if (rng_int(rng, 0, 2) == 0)
            view.stride[d] = 1;
        low += AD_MIN(0, view.stride[d] * (view.shape[d] - 1));
        high += AD_MAX(0, view.stride[d] * (view.shape[d] - 1));
    }
    if (rng_int(rng, 0, 2) == 0)
        ad_strides(view.ndim, view.shape, view.stride);
    low = high = 0;
    for (int d = 0; d < view.ndim; d++) {
        low += AD_MIN(0, view.stride[d] * (view.shape[d] - 1));
        high += AD_MAX(0, view.stride[d] * (view.shape[d] - 1));
    }
    if (high - low + 1 > room || ad_view_size(&view) > 20000)
        return random_view(rng, room);
    view.base = rng_int(rng, -low, room - 1 - high);
    return view;
}

static void note_view(const struct ad_view *view)
{
    check_note("place %d, base %" PRId64 ":", view->place, view->base);
    for (int d = 0; d < view->ndim; d++)
        check_note(" %" PRId64 " by %" PRId64 ",", view->shape[d], view->stride[d]);
}

/* Tiles of views over every place against element-by-element look-up. */
static void test_tiles(void)
{
    enum { ROOM = 30000 };
    struct rng rng = {2};
    double *values = malloc(ROOM * sizeof *values);
    int32_t dst = 17;
    struct ad_array *array;

    for (int i = 0; i < ROOM; i++)
        values[i] = i;
    array = ad_array_copy(values, ROOM);
    for (int round = 0; round < 3000; round++) {
        struct ad_view view = random_view(&rng, ROOM - dst);
        int64_t size = ad_view_size(&view), total = 0;
        struct ad_span_room room;

        view.place = (enum ad_place)rng_int(&rng, AD_SLOTS, AD_OWN_LIST);
        check_clear();
        note_view(&view);
        if (view.place == AD_ARRAY)
            view.in.array = array;
        if (view.place == AD_NUMBER)
            view.in.number = 0.5;
        if (view.place == AD_LIST || view.place == AD_OWN_LIST) {
            view.in.list = ad_list_new(NULL, ROOM);
            for (int i = 0; i < ROOM; i++)
                view.in.list->slot[i] = (int32_t)rng_int(&rng, 0, ROOM - dst - 1);
        }
        for (int64_t start = 0, n; start < size; start += n) {
            n = ad_tile_size(&view, size, start);
            CHECK(n >= 1 && n <= AD_TILE && start + n <= size, "tile of %" PRId64, n);
            struct ad_span span = ad_span_of(&view, dst, values, start, n, &room);
            double *read = malloc(AD_TILE * sizeof *read);
            struct ad_vec v = ad_span_values(&span, values, n, read);

            for (int64_t i = 0; i < n; i++) {
                int64_t where = place_of(&view, start + i), slot = where;
                double want;

                if (view.place == AD_LIST || view.place == AD_OWN_LIST)
                    slot = view.in.list->slot[where];
                if (view.place == AD_OWN || view.place == AD_OWN_LIST)
                    slot += dst;
                want = view.place == AD_NUMBER ? 0.5 : values[slot];
                CHECK((v.v ? v.v[i] : v.c) == want, "element %" PRId64 ": %g, not %g", start + i,
                      v.v ? v.v[i] : v.c, want);
            }
            free(read);
            total += n;
        }
        CHECK(total == size, "tiles cover %" PRId64 " of %" PRId64, total, size);
        if (view.place == AD_LIST || view.place == AD_OWN_LIST)
            ad_list_drop(view.in.list);
    }
    ad_array_drop(array);
    free(values);
}

/* A change of shape or of the number of dimensions must leave the elements where they are. */
static void test_shapes(void)
{
    struct rng rng = {3};
    long n_reshaped = 0, n_contiguous = 0;

    for (int round = 0; round < 5000; round++) {
        struct ad_view view = random_view(&rng, 30000), other = view, pair[2];
        int64_t size = ad_view_size(&view), left = size, shape[AD_MAX_DIMS];
        bool contiguous = true;
        int ndim = 0;

        check_clear();
        note_view(&view);
        while (size > 0 && ndim < 4) {
            int64_t n = rng_int(&rng, 1, 7);

            if (left % n == 0) {
                shape[ndim++] = n;
                left /= n;
            }
            if (rng_int(&rng, 0, 3) == 0)
                break;
        }
        shape[ndim++] = left;
        if (ad_view_reshape(&other, ndim, shape)) {
            n_reshaped++;
            for (int64_t i = 0; i < size; i++)
                CHECK(place_of(&other, i) == place_of(&view, i), "reshaped: element %" PRId64, i);
        } else {
            /* then some step between neighbours cannot be expressed: at the least it is no run */
            CHECK(!ad_view_is_contiguous(&view), "a contiguous view has any shape");
        }
        for (int64_t i = 0; i < size; i++)
            contiguous &= place_of(&view, i) == place_of(&view, 0) + i;
        CHECK(size == 0 || ad_view_is_contiguous(&view) == contiguous, "contiguous: %d",
              contiguous);
        n_contiguous += contiguous;

        pair[0] = view;
        pair[1] = random_view(&rng, 30000);
        memcpy(pair[1].shape, view.shape, sizeof view.shape);
        pair[1].ndim = view.ndim;
        for (int d = 0; d < view.ndim; d++)
            pair[1].stride[d] = rng_int(&rng, 0, 1) ? view.stride[d] : rng_int(&rng, -3, 3);
        other = pair[1];
        ad_views_collapse(2, pair);
        CHECK(pair[0].ndim == pair[1].ndim && pair[0].ndim <= view.ndim, "collapsed dimensions");
        for (int64_t i = 0; i < size; i++)
            CHECK(place_of(&pair[0], i) == place_of(&view, i) &&
                      place_of(&pair[1], i) == place_of(&other, i),
                  "collapsed: element %" PRId64, i);
    }
    CHECK(n_reshaped > 500 && n_contiguous > 500, "%ld reshaped, %ld contiguous", n_reshaped,
          n_contiguous);
}

/* Where the elements are, and a list of them alone, against the definition. */
static void test_positions(void)
{
    struct rng rng = {4};

    for (int round = 0; round < 2000; round++) {
        struct ad_view view = random_view(&rng, 3000);
        int64_t size = ad_view_size(&view), *at = malloc((size_t)(size + 1) * sizeof *at);
        struct ad_list *lists = NULL;
        struct ad_view part = view;

        check_clear();
        note_view(&view);
        ad_view_positions(&view, at);
        for (int64_t i = 0; i < size; i++)
            CHECK(at[i] == place_of(&view, i), "position %" PRId64, i);
        part.place = AD_LIST;
        part.in.list = ad_list_new(&lists, 3000);
        CHECK(part.in.list != NULL, "a list");
        for (int i = 0; i < 3000; i++)
            part.in.list->slot[i] = 7 - i;
        CHECK(ad_view_narrow(&part, &lists), "a narrow list");
        CHECK(lists == part.in.list && !lists->next && lists->n == size, "the only list");
        CHECK(ad_view_is_contiguous(&part) && part.base == 0, "in C order");
        for (int64_t i = 0; i < size; i++)
            CHECK(lists->slot[i] == 7 - at[i], "slot of element %" PRId64, i);
        ad_view_drop(&part);
        free(at);
    }
}

/* Lists of the elements at indices, of slots and of a list, against the definition. */
static void test_take(void)
{
    const int64_t index[6] = {4, -1, 0, -5, 2, 2}, places[6] = {4, 4, 0, 0, 2, 2};
    struct ad_list *lists = NULL;
    struct ad_view view = ad_view_slots(7, 1, (int64_t[]){5}), again;

    check_clear();
    view.stride[0] = -3;
    for (fail_in = 0; fail_in < 2; fail_in++) {
        long turn = fail_in;

        CHECK(ad_view_take(&view, &lists, index, 6) == -1 && !lists, "no memory");
        fail_in = turn;
    }
    fail_in = -1;
    CHECK(ad_view_take(&view, &lists, index, 6) == 6, "of slots");
    CHECK(view.place == AD_LIST && view.ndim == 1 && view.shape[0] == 6, "a list");
    for (int i = 0; i < 6; i++)
        CHECK(view.in.list->slot[i] == 7 - 3 * places[i], "slot of element %d", i);
    again = view;
    ad_view_hold(&again);
    again.base = 1; /* without the first */
    again.shape[0] = 5;
    CHECK(ad_view_take(&again, &lists, index, 6) == 6, "of a list");
    for (int i = 0; i < 6; i++)
        CHECK(again.in.list->slot[i] == view.in.list->slot[1 + places[i]], "element %d", i);
    ad_view_drop(&again);
    CHECK(ad_view_take(&view, &lists, (int64_t[]){5, 6, -6}, 3) == 1, "one too many");
    CHECK(ad_view_take(&view, &lists, (int64_t[]){5, -7}, 2) == 1, "one too few");
    CHECK(view.in.list->n == 6 && view.in.list->refs == 1, "which leaves the view as it was");
    CHECK(ad_view_take(&view, &lists, index, 0) == 0 && view.shape[0] == 0, "none");
    ad_view_drop(&view);
    CHECK(lists == NULL, "no list is left");
}

/* A nan at each place of a view, and beside it. */
static void test_nan(void)
{
    double value[300] = {0};
    struct ad_view rows = ad_view_slots(0, 2, (int64_t[]){3, 70}), odd = rows, one;

    check_clear();
    odd.stride[1] = 1;
    odd.stride[0] = 100;
    CHECK(!ad_view_has_nan(&odd, value, false), "none");
    for (int i = 0; i < 300; i++) {
        value[i] = NAN;
        CHECK(ad_view_has_nan(&odd, value, false) == (i % 100 < 70), "at %d", i);
        CHECK(ad_view_has_nan(&rows, value, false) == (i < 210), "in a run, at %d", i);
        value[i] = 0;
    }
    one = ad_view_number(NAN);
    CHECK(ad_view_has_nan(&one, value, false), "a number");
    one = ad_view_number(INFINITY);
    CHECK(!ad_view_has_nan(&one, value, false) && ad_view_has_nan(&one, value, true), "infinity");
}

static void test_broadcast(void)
{
    struct ad_view a = ad_view_slots(0, 2, (int64_t[]){3, 1}),
                   b = ad_view_slots(0, 1, (int64_t[]){4}), c = ad_view_slots(0, 1, (int64_t[]){0});
    const struct ad_view *ab[2] = {&a, &b}, *ac[2] = {&a, &c}, *bc[2] = {&b, &c};
    int64_t shape[AD_MAX_DIMS], huge[2] = {(int64_t)1 << 40, (int64_t)1 << 40};
    int ndim;

    CHECK(ad_broadcast_shape(2, ab, &ndim, shape) && ndim == 2 && shape[0] == 3 && shape[1] == 4,
          "(3, 1) and (4,)");
    CHECK(ad_broadcast_shape(2, ac, &ndim, shape) && ndim == 2 && shape[1] == 0, "(3, 1) and (0,)");
    CHECK(!ad_broadcast_shape(2, bc, &ndim, shape), "(4,) and (0,)");
    CHECK(!ad_view_broadcast(&b, 1, (int64_t[]){5}) && !ad_view_broadcast(&a, 1, shape), "refused");
    CHECK(ad_shape_size(2, huge) == INT64_MAX, "sizes do not wrap around");
    CHECK(ad_shape_size(2, (int64_t[]){(int64_t)1 << 40, 0}) == 0, "nothing");
    CHECK(ad_shape_size(2, (int64_t[]){100000, 100000}) == 10000000000, "beyond 2**31");
}

int main(void)
{
    test_table();
    test_tiles();
    test_shapes();
    test_positions();
    test_take();
    test_nan();
    test_broadcast();
    CHECK(n_live == 0, "%ld blocks are left", n_live);
    printf("views and tiles: ok\n");
    return 0;
}

/* test_core.c -- the C core alone, piece by piece: recording, reclaim, limits, sweeps and emission at
 * their edges.  Random programs are in test_programs.c. */
#include "ad_emit.h"
#include "ad_linalg.h"
#include "ad_sweep.h"
#include "ad_taylor.h"
#include "check.h"

static struct ad_tape *tape;

static void ok(enum ad_status status)
{
    CHECK(status == AD_OK, "%s", ad_status_text(status));
}

static struct ad_view input(int ndim, const int64_t *shape, const double *values)
{
    struct ad_view view;

    ok(ad_tape_room(tape, ad_shape_size(ndim, shape)));
    ok(ad_record_input(tape, ad_shape_size(ndim, shape), values));
    view = ad_view_slots(tape->dst[tape->n - 1], ndim, shape);
    return view;
}

static struct ad_view vector(int64_t n, const double *values)
{
    return input(1, &n, values);
}

static struct ad_view op2(enum ad_op op, struct ad_view a, struct ad_view b)
{
    const struct ad_view *args[AD_MAX_ARGS] = {&a, &b, &b};
    struct ad_view result;

    ok(ad_record_op(tape, op, 0, args, &result));
    return result;
}

static struct ad_view op1(enum ad_op op, struct ad_view a)
{
    return op2(op, a, a);
}

static struct ad_view sum_all(struct ad_view a)
{
    struct ad_view result;

    ok(ad_record_sum(tape, &a, (1u << a.ndim) - 1, &result));
    result.ndim = 0;
    return result;
}

/* Element i of a vector. */
static struct ad_view at(struct ad_view a, int64_t i)
{
    a.base += i * a.stride[0];
    a.ndim = 0;
    return a;
}

static struct ad_view slice(struct ad_view a, int64_t start, int64_t n, int64_t step)
{
    a.base += start * a.stride[0];
    a.shape[0] = n;
    a.stride[0] *= step;
    return a;
}

static double number(struct ad_view a)
{
    double x;

    CHECK(ad_view_size(&a) == 1, "one number");
    ad_view_read(&a, tape->value, &x);
    return x;
}

static double element(struct ad_view view, int64_t i)
{
    double *values = malloc((size_t)(ad_view_size(&view) + 1) * sizeof *values), x;

    ad_view_read(&view, tape->value, values);
    x = values[i];
    free(values);
    return x;
}

/* Take all instructions back: nothing has a handle here. */
static void clear(void)
{
    ad_tape_pop(tape);
    CHECK(tape->n == 0 && tape->n_slots == 0 && tape->n_aux == 0 && tape->n_notes == 0, "popped");
    CHECK(tape->lists == NULL && tape->n_consts == 0, "lists and constants are gone");
}

/* Adjoints of all slots for a scalar. */
static enum ad_status reverse(struct ad_view y, int lanes)
{
    double seed[16];

    for (int l = 0; l < lanes; l++)
        seed[l] = 1;
    ok(ad_work_begin(tape, AD_SWEEP_REVERSE, 0, lanes));
    ad_work_add(tape, tape->work->adj, lanes, &y, seed);
    return ad_sweep_reverse(tape, 0, tape->n - 1);
}

/* Tangents of all slots, those of x being one. */
static enum ad_status forward(struct ad_view x)
{
    ok(ad_work_begin(tape, AD_SWEEP_FORWARD, 0, 1));
    for (int64_t i = 0; i < ad_view_size(&x); i++)
        tape->work->tan[x.base + i] = 1;
    return ad_sweep_forward(tape, ad_tape_producer(tape, (int32_t)x.base) + 1, tape->n - 1);
}

/* Adjoints and their tangents, for a scalar, the tangents of x being one. */
static enum ad_status second(struct ad_view x, struct ad_view y)
{
    enum ad_status status;
    double seed = 1;
    int32_t first = ad_tape_producer(tape, (int32_t)x.base) + 1;

    ok(ad_work_begin(tape, AD_SWEEP_SECOND, 0, 1));
    for (int64_t i = 0; i < ad_view_size(&x); i++)
        tape->work->tan[x.base + i] = 1;
    ad_work_add(tape, tape->work->adj, 1, &y, &seed);
    status = ad_sweep_forward(tape, first, tape->n - 1);
    return status ? status : ad_sweep_second(tape, first, tape->n - 1);
}

/* The emitted gradient of a scalar. */
static struct ad_view gradient(struct ad_view y, struct ad_view x)
{
    struct ad_view seed = ad_view_number(1), g;

    ok(ad_emit_reverse(tape, 1, &y, &seed, 1, &x, &g));
    CHECK(ad_view_broadcast(&g, x.ndim, x.shape), "its shape");
    return g;
}

static void test_status(void)
{
    for (int s = 0; s < AD_N_STATUS; s++)
        CHECK(strlen(ad_status_text((enum ad_status)s)) > 1, "status %d has a text", s);
    CHECK(strcmp(ad_status_exception(AD_NO_MEMORY), "MemoryError") == 0, "its exception");
}

/* ---- recording ---- */

static void test_signed_zeros(void)
{
    const double zeros[] = {-0.0, 0.0, -0.0, 1, -0.0, 0.0};
    struct ad_view x = input(2, (int64_t[]){2, 3}, zeros), y, parts[4], to[4], t = x;

    ok(ad_record_copy(tape, &x, &y));
    for (int i = 0; i < 6; i++)
        CHECK(same_number(tape->value[y.base + i], zeros[i]), "copied %d", i);
    t.shape[0] = 3;
    t.shape[1] = 2;
    t.stride[0] = 1;
    t.stride[1] = 3;
    ok(ad_record_copy(tape, &t, &y));
    for (int i = 0; i < 6; i++)
        CHECK(same_number(tape->value[y.base + i], zeros[i % 2 * 3 + i / 2]), "transposed %d", i);
    for (int axis = 0; axis < 2; axis++) { /* concatenate x, x and a number */
        int64_t shape[2] = {2, 3}, offset = 0;

        shape[axis] = axis ? 7 : 5;
        for (int i = 0; i < 3; i++) {
            parts[i] = i < 2 ? x : ad_view_number(-0.0);
            to[i] = ad_view_slots(0, 2, shape);
            to[i].place = AD_OWN;
            to[i].base = offset * to[i].stride[axis];
            to[i].shape[axis] = i < 2 ? x.shape[axis] : 1;
            offset += to[i].shape[axis];
        }
        ok(ad_record_addto(tape, shape[0] * shape[1], 3, parts, to, &y));
        for (int64_t i = 0; i < 2; i++)
            for (int64_t j = 0; j < 3; j++)
                for (int k = 0; k < 2; k++) {
                    int64_t row = axis ? i : i + 2 * k, col = axis ? j + 3 * k : j;

                    CHECK(same_number(tape->value[y.base + row * shape[1] + col], zeros[i * 3 + j]),
                          "joined along %d: %d, %d", axis, (int)row, (int)col);
                }
        CHECK(signbit(tape->value[y.base + shape[0] * shape[1] - 1]), "joined number");
    }
    /* a sum, and what is not given, is +0 */
    parts[0] = at(slice(x, 0, 1, 1), 0);
    parts[1] = at(slice(x, 0, 1, 1), 0);
    to[0] = to[1] = ad_view_slots(0, 0, NULL);
    to[0].place = to[1].place = AD_OWN;
    ok(ad_record_addto(tape, 2, 2, parts, to, &y));
    CHECK(!signbit(tape->value[y.base]) && !signbit(tape->value[y.base + 1]), "twice and never");
    to[1].base = 1;
    ok(ad_record_addto(tape, 3, 2, parts, to, &y));
    CHECK(!signbit(tape->value[y.base + 2]), "never");
    ok(ad_tape_compute(tape, tape->n - 1));
    CHECK(!signbit(tape->value[y.base + 2]), "never, computed again");
    clear();
}

static int n_released;

static void release_owner(void *owner)
{
    (void)owner;
    n_released++;
}

static void test_constants(void)
{
    double *numbers = malloc(1000 * sizeof *numbers);
    struct ad_view x, y, c = ad_view_slots(0, 1, (int64_t[]){1000});
    struct ad_handle handle;

    for (int i = 0; i < 1000; i++)
        numbers[i] = i;
    c.place = AD_ARRAY;

    c.in.array = ad_array_copy(numbers, 1000); /* copied: changes do not matter */
    x = vector(1000, numbers);
    y = sum_all(op2(AD_OP_mul, x, c));
    ad_view_drop(&c);
    numbers[500] = 7;
    ok(reverse(y, 1));
    CHECK(tape->work->adj[500] == 500, "copied");
    clear();

    for (int checked = 0; checked < 2; checked++) {
        struct ad_view g = ad_view_number(1), found;

        numbers[999] = 999;
        n_released = 0;
        c.in.array = ad_array_share(numbers, 1000, numbers, release_owner, checked != 0);
        x = vector(1000, numbers);
        y = sum_all(op2(AD_OP_mul, x, c));
        ad_view_drop(&c);
        CHECK(n_released == 0 && tape->n_checked == checked, "held by the tape");
        ok(forward(x));
        ok(reverse(y, 1));
        numbers[999] = 998;
        if (checked) {
            int32_t n = tape->n;

            CHECK(forward(x) == AD_CONST_CHANGED, "forward");
            CHECK(reverse(y, 1) == AD_CONST_CHANGED && reverse(y, 3) == AD_CONST_CHANGED,
                  "reverse");
            CHECK(second(x, y) == AD_CONST_CHANGED, "second order");
            CHECK(ad_emit_reverse(tape, 1, &y, &g, 1, &x, &found) == AD_CONST_CHANGED, "emission");
            CHECK(ad_emit_forward(tape, 1, &x, &g, 1, &y, &found) == AD_CONST_CHANGED, "emission");
            ok(ad_taylor_begin(tape, 0, 1, 2));
            CHECK(ad_sweep_taylor(tape, 1, tape->n - 1) == AD_CONST_CHANGED, "Taylor");
            CHECK(tape->n == n && tape->busy == 0 && tape->floor == 0, "as before");
            ok(ad_work_begin(tape, AD_SWEEP_REVERSE, 0, 1));
            ok(ad_sweep_reverse(tape, tape->n - 1, tape->n - 1)); /* does not read it */
            numbers[999] = 999;
            ok(reverse(y, 1));
        }
        ad_handle_scalar(&handle, tape, tape->n - 1, (int32_t)y.base);
        ad_tape_compact(tape);
        CHECK(n_released == 0 && tape->n_checked == checked, "kept by compaction");
        ad_handle_drop(&handle);
        CHECK(n_released == 1 && tape->n_checked == 0 && tape->n == 0, "released with the block");
    }
    free(numbers);
}

static void test_limits(void)
{
    struct ad_view x = vector(3, NULL), y, huge;
    int32_t n = tape->n, slots = tape->slot_capacity;

    CHECK(ad_tape_room(tape, (int64_t)1 << 31) == AD_NO_SLOTS, "room");
    CHECK(ad_tape_room(tape, INT64_MAX) == AD_NO_SLOTS, "room");
    CHECK(ad_tape_grow(tape, 0, 0, (int64_t)1 << 31, 0) == AD_NO_SLOTS, "constants");
    CHECK(ad_tape_grow(tape, 0, 0, 0, INT64_MAX) == AD_NO_SLOTS, "words");
    CHECK(ad_record_input(tape, (int64_t)1 << 31, NULL) == AD_NO_SLOTS, "input");
    CHECK(ad_record_input(tape, INT32_MAX - 4, NULL) == AD_NO_SLOTS, "input");
    for (int64_t length = (int64_t)1 << 16; length;
         length = length == 1 << 16 ? (int64_t)1 << 40 : 0) {
        const struct ad_view *args[2] = {&huge, &huge};

        huge = at(x, 1);
        int64_t square[2] = {length, length};

        CHECK(ad_view_broadcast(&huge, 2, square), "a view costs nothing");
        CHECK(ad_record_op(tape, AD_OP_add, 0, args, &y) == AD_NO_SLOTS, "op");
        CHECK(ad_record_copy(tape, &huge, &y) == AD_NO_SLOTS, "copy");
        CHECK(ad_record_along(tape, AD_CUMSUM, &huge, 0, &y) == AD_NO_SLOTS, "cumsum");
        CHECK(ad_record_matmul(tape, &huge, &huge, &y) != AD_OK, "matmul");
    }
    CHECK(tape->n == n && tape->slot_capacity == slots && tape->n_aux > 0, "nothing was allocated");
    clear();
}

static void test_shape_errors(void)
{
    struct ad_view a = input(2, (int64_t[]){2, 3}, NULL), b = vector(4, NULL), s = at(b, 0), y,
                   none = input(2, (int64_t[]){3, 0}, NULL),
                   to = ad_view_slots(0, 1, (int64_t[]){3});
    const struct ad_view *ab[2] = {&a, &b};
    int32_t n = tape->n;

    to.place = AD_OWN;
    CHECK(ad_record_op(tape, AD_OP_add, 0, ab, &y) == AD_SHAPES_DIFFER, "op");
    CHECK(ad_record_matmul(tape, &a, &a, &y) == AD_SHAPES_DIFFER, "(2, 3) times (2, 3)");
    CHECK(ad_record_matmul(tape, &a, &b, &y) == AD_SHAPES_DIFFER, "a vector");
    CHECK(ad_record_addto(tape, 3, 1, &b, &to, &y) == AD_SHAPES_DIFFER, "addto");
    CHECK(ad_record_along(tape, AD_CUMSUM, &s, 0, &y) == AD_SHAPES_DIFFER, "no last dimension");
    CHECK(ad_record_along(tape, AD_EXTREMUM, &none, 0, &y) == AD_EMPTY, "maximum of nothing");
    CHECK(tape->n == n, "nothing was recorded");
    clear();
}

/* Empty arrays through every instruction, sweep and emission. */
static void test_empty(void)
{
    for (int way = 0; way < 5; way++) {
        struct ad_view x = vector(3, (double[]){1, 2, 3}), none = slice(x, 1, 0, 1), y = none, z, g,
                       seed = ad_view_number(1);
        double values[4] = {0};

        check_clear();
        check_note("way %d", way);
        if (way == 0)
            y = op2(AD_OP_mul, none, ad_view_number(2));
        if (way == 1)
            ok(ad_record_along(tape, AD_CUMSUM, &none, 0, &y));
        if (way == 2) {
            z = ad_view_slots(none.base, 2, (int64_t[]){2, 0});
            ok(ad_record_matmul(tape, &z, &z, &y) == AD_SHAPES_DIFFER ? AD_OK : AD_NO_MEMORY);
            g = ad_view_slots(none.base, 2, (int64_t[]){0, 2});
            ok(ad_record_matmul(tape, &z, &g, &y)); /* zeros (2, 2) */
            CHECK(y.shape[0] == 2 && tape->value[y.base + 3] == 0, "sums of nothing");
        }
        if (way == 3)
            ok(ad_record_copy(tape, &none, &y));
        z = sum_all(y);
        CHECK(number(z) == 0 && !signbit(number(z)), "the sum of nothing");
        z = op2(AD_OP_add, z, at(x, 0));
        if (way == 4)
            CHECK(ad_tape_length(tape, 1) == 1, "the sum alone");
        ok(reverse(z, 2));
        CHECK(tape->work->adj[0] == 1 && tape->work->adj[2] == 0, "reverse");
        ok(forward(x));
        CHECK(tape->work->tan[z.base] == 1, "forward");
        ok(second(x, z));
        g = gradient(z, x);
        ad_view_read(&g, tape->value, values);
        CHECK(values[0] == 1 && values[1] == 0, "emitted");
        ad_view_drop(&g);
        ok(ad_emit_reverse(tape, 1, &y, &seed, 1, &none, &g));
        ad_view_drop(&g);
        ok(ad_emit_forward(tape, 1, &none, &seed, 1, &y, &g));
        ad_view_drop(&g);
        clear();
    }
    /* nothing but an empty input, and sweeps over no slots */
    struct ad_view x = vector(0, NULL), y = sum_all(op1(AD_OP_exp, x)), g;

    ok(ad_work_begin(tape, AD_SWEEP_SECOND, tape->n_slots, 3));
    ok(reverse(y, 1));
    g = gradient(y, x);
    ad_view_drop(&g);
    clear();
}

static void test_many_dimensions(void)
{
    int64_t shape[AD_MAX_DIMS], axes = (1 << AD_MAX_DIMS) - 1;
    double values[64];
    struct ad_view x, y, z, g;

    for (int d = 0; d < AD_MAX_DIMS; d++)
        shape[d] = d % 3 ? 1 : 2;
    for (int i = 0; i < 64; i++)
        values[i] = 1 + 0.01 * i;
    x = input(AD_MAX_DIMS, shape, values);
    y = x;
    for (int d = 0; d < AD_MAX_DIMS; d++) { /* dimensions reversed */
        y.shape[d] = x.shape[AD_MAX_DIMS - 1 - d];
        y.stride[d] = x.stride[AD_MAX_DIMS - 1 - d];
    }
    z = op2(AD_OP_mul, x, x);
    CHECK(z.ndim == AD_MAX_DIMS && tape->value[z.base + 63] == values[63] * values[63], "op");
    ok(ad_record_copy(tape, &y, &z));
    CHECK(tape->value[z.base + 1] == values[32], "copy: the first dimension is now the last");
    ok(ad_record_sum(tape, &y, (uint32_t)axes, &z));
    CHECK(z.ndim == AD_MAX_DIMS && close_to(number(z), 64 + 0.01 * 63 * 32, 64), "sum");
    ok(ad_record_along(tape, AD_EXTREMUM, &y, 0, &z));
    CHECK(z.ndim == AD_MAX_DIMS - 1, "extremum");
    z = sum_all(z);
    g = gradient(z, x);
    ok(reverse(z, 1));
    for (int i = 0; i < 64; i++)
        CHECK(tape->work->adj[x.base + i] == tape->value[g.base + i], "gradient %d", i);
    ad_view_drop(&g);
    clear();
}

static void test_aliasing(void)
{
    struct ad_view x = input(2, (int64_t[]){2, 2}, (double[]){1, 2, 3, 4}), y = x, t = x;
    const struct ad_view *args[AD_MAX_ARGS] = {&y, &y, &y};

    t.stride[0] = 1;
    t.stride[1] = 2;
    ok(ad_record_op(tape, AD_OP_fma, 0, args, &y)); /* x x + x */
    CHECK(tape->value[y.base + 3] == 20, "result and all operands are one");
    y = t;
    ok(ad_record_copy(tape, &y, &y));
    CHECK(y.ndim == 2 && y.shape[1] == 2 && tape->value[y.base + 1] == 3, "copy");
    y = t;
    ok(ad_record_sum(tape, &y, 2, &y));
    CHECK(y.ndim == 2 && y.shape[1] == 1 && tape->value[y.base + 1] == 6, "sum");
    y = t;
    ok(ad_record_matmul(tape, &y, &y, &y));
    CHECK(tape->value[y.base] == 7 && tape->value[y.base + 3] == 22, "matrix product");
    y = t;
    ok(ad_record_along(tape, AD_CUMSUM, &y, 0, &y));
    CHECK(tape->value[y.base + 1] == 4, "cumsum");
    y = t;
    ok(ad_record_along(tape, AD_EXTREMUM, &y, 1, &y));
    CHECK(y.ndim == 1 && tape->value[y.base + 1] == 2, "minimum");
    clear();
}

/* ---- handles, popping, compaction ---- */

static void test_producer(void)
{
    int32_t first[40], n = 0;
    struct rng rng = {4};

    for (int i = 0; i < 40; i++) { /* instructions of none, one and several slots, in any order */
        int64_t length = (int64_t[]){0, 0, 1, 1, 1, 5}[rng_int(&rng, 0, 5)];

        if (length == 1 && tape->n_slots > 0)
            ad_tape_push(tape, AD_OP_neg, 0, 0, 1);
        else
            (void)vector(length, NULL);
        first[i] = n;
        n += tape->n_slots - n;
    }
    for (int i = 0; i < 40; i++)
        for (int32_t s = first[i]; s < (i < 39 ? first[i + 1] : n); s++)
            CHECK(ad_tape_producer(tape, s) == i, "slot %d is of %d, not %d", s, i,
                  ad_tape_producer(tape, s));
    clear();
}

/* A loop whose garbage is stuck under what it keeps runs in constant memory. */
static void test_reclaim(void)
{
    struct ad_handle x, next, element;
    struct ad_view view, list;
    int32_t capacity = 0;

    view = vector(5, (double[]){1, 2, 3, 4, 5});
    CHECK(ad_handle_view(&x, tape, &view), "a handle");
    for (int i = 0; i < 30000; i++) {
        struct ad_view step;

        ok(ad_tape_room(tape, 8));
        view = ad_handle_get(&x);
        step =
            op2(AD_OP_mul, op2(AD_OP_sub, view, op2(AD_OP_mul, ad_view_number(0.1), at(view, 0))),
                at(view, 1));
        (void)step;
        ok(ad_record_input(tape, 5, (double[]){1, 2, 3, 4, 5}));
        view = ad_view_slots(tape->dst[tape->n - 1], 1, (int64_t[]){5});
        CHECK(ad_handle_view(&next, tape, &view), "a handle");
        ad_handle_drop(&x);
        view = ad_handle_get(&next); /* a list with constants, and an element that outlive it */
        ad_view_hold(&view);
        CHECK(ad_view_pick(&view, &tape->lists, (int64_t[]){0, 4}, 2), "a list");
        CHECK(ad_handle_view(&x, tape, &view), "a handle");
        ok(ad_handle_own(&x));
        list = ad_view_number(i);
        ok(ad_handle_assign(&x, 1, (int64_t[]){1}, &list));
        ad_handle_scalar(&element, tape, next.instr, (int32_t)ad_handle_get(&next).base + 2);
        ad_handle_drop(&next);
        if (i == 15000)
            capacity = tape->capacity + tape->slot_capacity + tape->const_capacity;
        view = ad_handle_get(&x);
        CHECK(number(at(view, 0)) == 1 && number(at(view, 1)) == i, "values in step %d", i);
        CHECK(tape->value[element.slot] == 3, "an element in step %d", i);
        ad_handle_drop(&element);
    }
    CHECK(tape->capacity + tape->slot_capacity + tape->const_capacity == capacity, "it grows");
    CHECK(capacity < 60000, "%d", capacity);
    ad_handle_drop(&x);
    clear();
}

/* Constants are shared by lists; each use must not become a constant of its own. */
static void test_compaction_of_shared_constants(void)
{
    struct ad_view x = vector(2, (double[]){1, 2}), list = x;
    struct ad_handle handle[3];
    int64_t n = 40000, *positions = calloc((size_t)n, sizeof *positions);

    ad_view_hold(&list);
    CHECK(ad_view_pick(&list, &tape->lists, positions, n), "a list");
    for (int64_t i = 0; i < n; i++)
        list.in.list->slot[i] = i % 2 ? 0 : -1;
    CHECK(ad_tape_const(tape, 7.5) == -1, "the constant");
    for (int k = 0; k < 3; k++) {
        ad_view_hold(&list);
        CHECK(ad_handle_view(&handle[k], tape, &list), "a handle");
    }
    ad_view_drop(&list);
    ad_tape_compact(tape);
    CHECK(tape->n_consts == 1, "%d constants", tape->n_consts);
    list = ad_handle_get(&handle[2]);
    CHECK(number(at(list, 0)) == 7.5 && number(at(list, 1)) == 1, "values");
    for (int k = 0; k < 3; k++)
        ad_handle_drop(&handle[k]);
    free(positions);
    clear();
}

/* A part of a list lets go of the whole: as slots if one instruction produced them in a row. */
static void test_narrow(void)
{
    struct ad_view x = vector(4, (double[]){1, 2, 3, 4}), y = vector(2, (double[]){5, 6}), list = x;
    struct ad_list *whole;

    ad_view_hold(&list);
    CHECK(ad_view_pick(&list, &tape->lists, (int64_t[]){3, 1, 2, 3, 0, 0}, 6), "a list");
    whole = list.in.list;
    whole->slot[4] =
        (int32_t)y.base; /* 4 2 3 4 5 1: the last slot of x is next to the first of y */
    for (int way = 0; way < 5; way++) {
        static const int start[] = {1, 0, 3, 1, 0}, n[] = {3, 3, 2, 0, 6};
        static const double want[][6] = {{2, 3, 4}, {4, 2, 3}, {4, 5}, {0}, {4, 2, 3, 4, 5, 1}};
        struct ad_view part = slice(list, start[way], n[way], 1);

        ad_view_hold(&part);
        if (way == 1) {
            fail_in = 0;
            CHECK(!ad_tape_narrow(tape, &part) && part.in.list == whole, "no memory");
            fail_in = -1;
        }
        CHECK(ad_tape_narrow(tape, &part), "way %d", way);
        CHECK((part.place == AD_SLOTS) == (way == 0), "way %d: slots", way);
        CHECK((whole->refs > 1) == (way > 2), "way %d: %d references", way, (int)whole->refs);
        for (int i = 0; i < n[way]; i++)
            CHECK(element(part, i) == want[way][i], "way %d: %g", way, element(part, i));
        ad_view_drop(&part);
    }
    ad_view_drop(&list);
    clear();
}

static void test_orphan(void)
{
    struct ad_tape *main_tape = tape;
    struct ad_handle older, newer;

    for (int order = 0; order < 2; order++) {
        long live = n_live;
        struct ad_view x;

        tape = ad_tape_new();
        x = vector(3, NULL);
        ad_handle_scalar(&older, tape, 0, 0);
        x = op1(AD_OP_exp, x);
        ad_handle_scalar(&newer, tape, 1, (int32_t)x.base);
        (void)op1(AD_OP_sin, x); /* without a handle */
        ad_tape_free(tape);
        CHECK(tape->orphan && tape->n == 2, "the tape waits for its handles");
        ad_handle_drop(order ? &older : &newer);
        CHECK(n_live > live, "and for the last of them");
        ad_handle_drop(order ? &newer : &older);
        CHECK(n_live == live, "then it goes");
    }
    tape = main_tape;
    ad_tape_free(NULL);
}

static void test_tape_without_memory(void)
{
    for (long n = 0;; n++) {
        long live = n_live, failed = n_failed;
        struct ad_tape *other;

        fail_in = n;
        other = ad_tape_new();
        fail_in = -1;
        CHECK((other == NULL) == (n_failed > failed), "allocation %ld", n);
        ad_tape_free(other);
        CHECK(n_live == live, "leaked at allocation %ld", n);
        if (other)
            break;
    }
}

/* ---- sweeps ---- */

static void test_zero_adjoints(void)
{
    /* sqrt'(0) is infinite; log of it -inf: what is multiplied by 0 must not reach x */
    for (int size = 1; size <= 40; size += 39) {
        struct ad_view x, y, z, g;
        double zeros[40] = {0}, values[40];

        x = vector(size, zeros);
        y = op1(AD_OP_sqrt, size == 1 ? at(x, 0) : x);
        z = op2(AD_OP_add, op2(AD_OP_mul, y, ad_view_number(0)), size == 1 ? at(x, 0) : x);
        if (size > 1)
            z = sum_all(z);
        for (int lanes = 1; lanes <= 9; lanes += 4) {
            ok(reverse(z, lanes));
            for (int i = 0; i < size * lanes; i++)
                CHECK(tape->work->adj[i] == 1, "%d elements, %d lanes: %g", size, lanes,
                      tape->work->adj[i]);
        }
        ok(second(x, z));
        for (int i = 0; i < size; i++)
            CHECK(tape->work->adj[i] == 1 && tape->work->dadj[i] == 0, "second order: %g, %g",
                  tape->work->adj[i], tape->work->dadj[i]);
        g = gradient(z, x);
        ad_view_read(&g, tape->value, values);
        CHECK(values[0] == 1, "emitted: %g", values[0]);
        ad_view_drop(&g);
        clear();
    }
}

static void test_ties(void)
{
    struct ad_view x = vector(5, (double[]){3, 1, 3, 2, 3}), y, g;

    for (int least = 0; least < 2; least++) {
        const double want[2][5] = {{1. / 3, 0, 1. / 3, 0, 1. / 3}, {0, 1, 0, 0, 0}};

        ok(ad_record_along(tape, AD_EXTREMUM, &x, least, &y));
        ok(reverse(y, 3));
        g = gradient(y, x);
        for (int i = 0; i < 5; i++) {
            CHECK(close_to(tape->work->adj[i * 3 + 2], want[least][i], 1), "reverse %d", i);
            CHECK(close_to(tape->value[g.base + i], want[least][i], 1), "emitted %d", i);
        }
        ad_view_drop(&g);
    }
    clear();
}

/* ---- emission ---- */

/* Tangents where inputs of one instruction have seeds of their own, or none. */
static void test_ragged_seeds(void)
{
    for (int way = 0; way < 6; way++) {
        struct ad_view x = vector(6, (double[]){1, 2, 3, 4, 5, 6}), in[3], seed[3], y, t,
                       reversed = slice(x, 5, 6, -1);
        double want[6] = {0};
        int n_inputs = 3;

        check_clear();
        check_note("way %d", way);
        for (int k = 0; k < 3; k++) {
            bool zero = way < 4 && way == k;

            in[k] = slice(x, 2 * k, 2, 1);
            seed[k] = ad_view_number(zero ? 0 : 10 + k);
            want[2 * k] = want[2 * k + 1] = zero ? 0 : 10 + k;
        }
        if (way == 4) { /* the inputs in another order */
            struct ad_view first = in[0];

            in[0] = in[2];
            in[2] = first;
            want[0] = want[1] = 12;
            want[4] = want[5] = 10;
        }
        if (way == 5) { /* a list */
            n_inputs = 1;
            in[0] = x;
            ad_view_hold(&in[0]);
            CHECK(ad_view_pick(&in[0], &tape->lists, (int64_t[]){1, 0, 4, 2}, 4), "a list");
            seed[0] = slice(vector(4, (double[]){20, 21, 22, 23}), 0, 4, 1);
            memcpy(want, (double[]){21, 20, 23, 0, 22, 0}, sizeof want);
        }
        y = op2(AD_OP_mul, reversed, reversed);
        ok(ad_emit_forward(tape, n_inputs, in, seed, 1, &y, &t));
        for (int i = 0; i < 6; i++)
            CHECK(element(t, i) == 2 * (6 - i) * want[5 - i], "tangent %d: %g", i, element(t, i));
        ad_view_drop(&t);
        if (way == 5)
            ad_view_drop(&in[0]);
        clear();
    }
}

/* The cost of an emitted gradient does not depend on how far a scalar is stretched. */
static void test_stretched_scalar(void)
{
    struct ad_view x = vector(2000, NULL), s, y, g;
    int32_t before;

    for (int i = 0; i < 2000; i++)
        tape->value[i] = 0.001 * i;
    s = op2(AD_OP_mul, at(x, 7), ad_view_number(3));
    y = sum_all(op2(AD_OP_mul, x, s));
    before = tape->n;
    g = gradient(y, x);
    CHECK(tape->n - before < 12, "%d instructions", tape->n - before);
    CHECK(close_to(element(g, 7), number(s) + 3 * 0.001 * 1999 * 1000, 6000), "%g", element(g, 7));
    CHECK(element(g, 8) == number(s), "%g", element(g, 8));
    ad_view_drop(&g);
    clear();
}

/* The adjoint of a sum of a product is a number stretched to a matrix. */
static void test_product_of_number(void)
{
    struct ad_view a = input(2, (int64_t[]){2, 3}, (double[]){1, 2, 3, 4, 5, 6}),
                   b = input(2, (int64_t[]){3, 2}, (double[]){1, -1, 2, -2, 3, 5}), y, g;

    ok(ad_record_matmul(tape, &a, &b, &y));
    g = gradient(sum_all(y), b);
    for (int i = 0; i < 6; i++)
        CHECK(element(g, i) == 5 + 2 * (i / 2), "%d: %g", i, element(g, i));
    ad_view_drop(&g);
    clear();
}

/* An input that is a list, and one that is no input of the output. */
static void test_list_inputs(void)
{
    struct ad_view x = vector(4, (double[]){1, 2, 3, 4}), in[2] = {x, x}, g[2], y, z,
                   seed = ad_view_number(1);

    z = op2(AD_OP_mul, at(x, 1), at(x, 1)); /* a scalar instruction */
    ad_view_hold(&in[0]);
    CHECK(ad_view_pick(&in[0], &tape->lists, (int64_t[]){3, 1, 0}, 3), "a list");
    in[0].in.list->slot[1] = (int32_t)z.base;
    in[1] = at(x, 2);
    y = sum_all(op2(AD_OP_mul, in[0], in[0]));
    ok(ad_emit_reverse(tape, 1, &y, &seed, 2, in, g));
    CHECK(element(g[0], 0) == 8 && element(g[0], 1) == 8 && element(g[0], 2) == 2, "%g, %g, %g",
          element(g[0], 0), element(g[0], 1), element(g[0], 2));
    CHECK(g[1].place == AD_NUMBER || element(g[1], 0) == 0, "not an input");
    ad_view_drop(&g[0]);
    ad_view_drop(&g[1]);
    ad_view_drop(&in[0]);
    clear();
}

/* ---- rules and notes ---- */

static int n_notes_called;
static struct ad_handle inner;

static void release_nothing(void *object)
{
    (void)object;
    n_released++;
}

static enum ad_status double_note(struct ad_tape *t, const struct ad_note *note, int lanes)
{
    int64_t n = (int64_t)ad_tape_length(t, note->instr) * lanes;
    double *g = t->work->adj + (int64_t)(t->dst[note->instr] - t->work->low) * lanes;

    for (int64_t i = 0; i < n; i++)
        g[i] *= 2;
    n_notes_called++;
    return AD_OK;
}

static enum ad_status emit_double_note(struct ad_tape *t, const struct ad_note *note,
                                       const struct ad_view *g, struct ad_view *result)
{
    struct ad_view two = ad_view_number(2);
    const struct ad_view *args[AD_MAX_ARGS] = {g, &two};

    (void)note;
    return ad_record_op(t, AD_OP_mul, 0, args, result);
}

/* While it is called a rule records, lets go of what it recorded, and asks for a compaction. */
static enum ad_status busy_rule(struct ad_tape *t, int32_t instr, int lanes)
{
    int32_t n = t->n;

    (void)instr, (void)lanes;
    for (int i = 0; i < 100; i++) {
        struct ad_view y = ad_view_slots(0, 0, NULL);

        ok(ad_tape_room(t, 2));
        y = op1(AD_OP_exp, y);
        ad_handle_scalar(&inner, t, t->n - 1, (int32_t)y.base);
        ad_handle_drop(&inner);
        CHECK(t->n == n, "the rule's own is popped: %d, %d", t->n, n);
    }
    ad_tape_compact(t);
    CHECK(t->n == n, "no compaction in a sweep");
    return AD_OK;
}

static const struct ad_call_hooks hooks = {.release = release_nothing,
                                           .forward = busy_rule,
                                           .reverse = busy_rule,
                                           .note = double_note,
                                           .emit_note = emit_double_note};

static void test_rules(void)
{
    struct ad_view x = vector(2, (double[]){1, 2}), y, g, unused;
    struct ad_handle handle[2], dead;
    static int rule;

    tape->hooks = &hooks;
    n_released = 0;
    ok(ad_record_call(tape, &rule, 1, &x, 1, (double[]){3}, &unused));
    ad_handle_scalar(&dead, tape, tape->n - 1, (int32_t)unused.base);
    y = op2(AD_OP_mul, at(x, 0), at(x, 1));
    ok(forward(x));
    ok(reverse(y, 1));
    CHECK(n_released == 0, "the rule is there");

    /* notes: on an array, on a scalar, and on what is about to go */
    ok(ad_tape_add_note(tape, 0, &rule));
    ok(ad_tape_add_note(tape, tape->n - 1, &rule));
    ok(ad_tape_add_note(tape, 1, &rule));
    ok(ad_tape_add_note(tape, 0, &rule));
    CHECK(tape->n_notes == 4 && ad_tape_notes_before(tape, 1) == 2, "notes are in order");
    ad_handle_scalar(&handle[0], tape, tape->n - 1, (int32_t)y.base);
    ad_handle_scalar(&handle[1], tape, 0, 0);
    ad_handle_drop(&dead);
    ad_tape_compact(tape);
    CHECK(n_released == 2, "a rule and its note are gone: %d", n_released);
    CHECK(tape->n == 2 && tape->n_notes == 3 && tape->notes[2].instr == 1, "the others moved");
    y = ad_handle_get(&handle[0]);
    x = ad_view_slots(handle[1].slot, 1, (int64_t[]){2});

    uint8_t reached[3] = {1, 1, 1};
    double seed = 1;

    for (int with = 0; with < 2; with++) {
        n_notes_called = 0;
        ok(ad_work_begin(tape, AD_SWEEP_REVERSE, 0, 1));
        ad_work_add(tape, tape->work->adj, 1, &y, &seed);
        tape->work->reached = with ? reached : NULL;
        ok(ad_sweep_reverse(tape, 0, tape->n - 1));
        CHECK(n_notes_called == (with ? 3 : 0), "%d notes called", n_notes_called);
        CHECK(tape->work->adj[0] == (with ? 16 : 2), "adjoint %g", tape->work->adj[0]);
    }
    g = gradient(y, x);
    CHECK(element(g, 0) == 16 && element(g, 1) == 8, "emitted %g, %g", element(g, 0),
          element(g, 1));
    ad_view_drop(&g);
    ad_tape_pop(tape);

    for (int i = 0; i < 10; i++) { /* without memory a note is released */
        int before = n_released, n = tape->n_notes;

        fail_in = 0;
        if (ad_tape_add_note(tape, 0, &rule) == AD_NO_MEMORY)
            CHECK(n_released == before + 1 && tape->n_notes == n, "the note is released");
        fail_in = -1;
    }
    ad_handle_drop(&handle[0]);
    ad_handle_drop(&handle[1]);
    CHECK(tape->n_notes == 0, "notes go with their instructions");
    clear();
}

int main(void)
{
    long live = n_live;

    tape = ad_tape_new();
    CHECK(tape != NULL, "a tape");
    test_status();
    test_signed_zeros();
    test_constants();
    test_limits();
    test_shape_errors();
    test_empty();
    test_many_dimensions();
    test_aliasing();
    test_producer();
    test_reclaim();
    test_compaction_of_shared_constants();
    test_narrow();
    test_orphan();
    test_tape_without_memory();
    test_zero_adjoints();
    test_ties();
    test_ragged_seeds();
    test_stretched_scalar();
    test_product_of_number();
    test_list_inputs();
    test_rules();
    ad_tape_free(tape);
    CHECK(n_live == live, "%ld blocks are left", n_live - live);
    printf("the core: ok\n");
    return 0;
}

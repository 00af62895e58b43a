/* test_io.c -- programs written and read again are the same; files that are not in order are refused,
 * and what is not refused runs within its own memory. */
#include "ad_io.h"
#include "frozen.h"

static struct program program; /* large */

/* ---- files ---- */

struct file {
    unsigned char *data;
    size_t n;
};

static void put_word_at(unsigned char *at, uint64_t word, int nbytes)
{
    for (int j = 0; j < nbytes; j++)
        at[j] = (unsigned char)(word >> 8 * j);
}

/* Make size and checksum right again: what is wrong is for the validator to find. */
static void seal(struct file *f)
{
    if (f->n < AD_IO_HEADER + AD_IO_SUM)
        return;
    put_word_at(f->data + AD_IO_MAGIC + 8, f->n, 8);
    put_word_at(f->data + f->n - AD_IO_SUM, ad_crc64(f->data, f->n - AD_IO_SUM), AD_IO_SUM);
}

/* The file of a program, in memory of exactly its size; the caller's to free. */
static struct file file_of(const struct ad_program *p)
{
    struct file f = {NULL, 0};
    struct ad_fault fault = {.field = ""};
    unsigned char *data = NULL;
    enum ad_status status = ad_io_write(p, &data, &f.n, &fault);

    CHECK(status == AD_OK, "write: %s: %s: expected %s, found %s", ad_status_text(status),
          fault.field, fault.expected, fault.found);
    f.data = malloc(f.n);
    memcpy(f.data, data, f.n);
    ad_io_free(data);
    return f;
}

static void check_same_file(const struct file *a, const struct file *b, const char *what)
{
    CHECK(a->n == b->n, "%s: %zu bytes, not %zu", what, a->n, b->n);
    for (size_t j = 0; j < a->n; j++)
        CHECK(a->data[j] == b->data[j], "%s: byte %zu is %d, not %d", what, j, a->data[j],
              b->data[j]);
}

static struct ad_program *read_back(const struct file *f)
{
    struct ad_fault fault = {.field = ""};
    struct ad_program *p = NULL;
    enum ad_status status = ad_io_read(f->data, f->n, &rule_hooks, &p, &fault);

    CHECK(status == AD_OK, "read: %s: %s at %" PRId64 ": expected %s, found %s",
          ad_status_text(status), fault.field, fault.offset, fault.expected, fault.found);
    CHECK(ad_program_check(p, &fault) == AD_OK, "check: %s: expected %s, found %s", fault.field,
          fault.expected, fault.found);
    return p;
}

/* The status of reading 'f', which is refused. */
static struct ad_fault refused(const struct file *f, const char *what)
{
    struct ad_fault fault = {.field = ""};
    struct ad_program *p = NULL;
    enum ad_status status = ad_io_read(f->data, f->n, &rule_hooks, &p, &fault);

    CHECK(status == AD_BAD_PROGRAM, "%s: %s", what, ad_status_text(status));
    CHECK(!p, "%s: a program all the same", what);
    CHECK(fault.field[0] && fault.expected[0], "%s: no field is named", what);
    CHECK(fault.offset >= 0 && fault.offset <= (int64_t)f->n, "%s: offset %" PRId64, what,
          fault.offset);
    return fault;
}

/* ---- programs to write ---- */

/* Origins of all kinds on the instructions of a program. */
static void give_origins(struct ad_program *p)
{
    struct ad_tape *tape = p->tape;
    char name[40];

    for (int32_t j = 0; j < 5; j++) {
        snprintf(name, sizeof name, "mod\xc3\xa8le %d \xe2\x88\x82.py", j % 2);
        if (ad_program_origin(p, name, j ? "f" : "", 10 * j - 1) < 0)
            return;
    }
    ad_tape_here(tape, -1);
    for (int32_t i = 0; i < tape->n; i++)
        tape->origin[i] = i % (p->n_origins + 1) - 1;
    for (int g = 0; g < p->n_guards; g++) {
        p->guards[g].origin = g % p->n_origins;
        p->guards[g].kind = (enum ad_guard_kind)(g % 3);
    }
}

/* What random programs do not do: a norm, and FAMILY rows with their parameters. */
static void give_more(struct ad_program *p)
{
    struct ad_view x = p->inputs[0], y, first = ad_view_slots(0, 0, NULL);
    const struct ad_view *args[] = {&x, NULL, NULL}, *scalar[] = {&first, NULL, NULL};

    CHECK(ad_record_along(p->tape, AD_NORM, &x, 0, &y) == AD_OK, "norm");
    CHECK(ad_program_add_output(p, &y) == AD_OK, "output");
    CHECK(ad_record_op(p->tape, AD_OP_mills, 2, args, &y) == AD_OK, "mills");
    CHECK(ad_program_add_output(p, &y) == AD_OK, "output");
    CHECK(ad_record_op(p->tape, AD_OP_powi, -3, scalar, &y) == AD_OK, "powi");
    CHECK(ad_program_add_output(p, &y) == AD_OK, "output");
}

/* A program; 'program' is what it was recorded from. */
static struct ad_program *random_program(uint64_t seed, int n_steps, int64_t n_inputs)
{
    struct ad_program *p;

    program_make(&program, seed, n_steps, n_inputs);
    p = frozen(&program);
    give_more(p);
    give_origins(p);
    return p;
}

/* The gradient of the sum of all outputs, appended as an output. */
static void append_gradient(struct ad_program *p)
{
    struct ad_view *seeds = malloc(((size_t)p->n_outputs + 1) * sizeof *seeds);
    struct ad_view *gradients = malloc(((size_t)p->n_inputs + 1) * sizeof *gradients);
    enum ad_status status;

    for (int k = 0; k < p->n_outputs; k++) {
        seeds[k] = ad_view_number(1);
        ad_view_broadcast(&seeds[k], p->outputs[k].ndim, p->outputs[k].shape);
    }
    status = ad_emit_reverse(p->tape, p->n_outputs, p->outputs, seeds, p->n_inputs, p->inputs,
                             gradients);
    CHECK(status == AD_OK, "gradient: %s", ad_status_text(status));
    for (int k = 0; k < p->n_inputs; k++) {
        CHECK(ad_program_add_output(p, &gradients[k]) == AD_OK, "an output more");
        ad_view_drop(&gradients[k]);
    }
    free(seeds);
    free(gradients);
}

static void check_same_replay(struct ad_program *a, struct ad_program *b, const double *x)
{
    struct results ra = results_of(a), rb = results_of(b);
    int failed[2];

    replay(a, x, &ra, &failed[0]);
    replay(b, x, &rb, &failed[1]);
    CHECK(ra.size == rb.size, "%" PRId64 " results, not %" PRId64, rb.size, ra.size);
    for (int64_t j = 0; j < ra.size; j++)
        CHECK(ad_same_bits(ra.data[j], rb.data[j]), "result %" PRId64 " is %.17g, not %.17g", j,
              rb.data[j], ra.data[j]);
    CHECK(failed[0] == failed[1], "guard %d fails, not %d", failed[1], failed[0]);
    results_free(&ra);
    results_free(&rb);
}

static long n_files, n_bytes, n_guards_seen;

static void check_round_trip(uint64_t seed, int n_steps, int64_t n_inputs)
{
    struct ad_program *first = random_program(seed, n_steps, n_inputs), *second, *third;
    double *x = recorded_inputs(&program);
    struct file a = file_of(first), b, c;

    second = read_back(&a);
    third = read_back(&a);
    b = file_of(second);
    check_same_file(&b, &a, "written again");
    CHECK(second->tape->symbolic && second->tape->n == first->tape->n, "another tape");
    CHECK(second->n_origins == first->n_origins && second->n_guards == first->n_guards, "lost");
    for (int32_t i = 0; i < first->tape->n; i++)
        CHECK(ad_tape_origin(first->tape, i) == ad_tape_origin(second->tape, i),
              "instruction %d: origin", i);

    CHECK(ad_program_settle(second) == AD_OK, "settle");
    check_same_replay(first, second, x);
    for (int64_t i = 0; i < program.value[0].size; i++)
        x[i] += 0.25 * (double)(i % 3);
    check_same_replay(first, second, x);

    first->tape->symbolic = true; /* derivatives of both, without values to look at */
    append_gradient(first);
    append_gradient(third);
    CHECK(ad_program_settle(first) == AD_OK && ad_program_settle(third) == AD_OK, "settle");
    check_same_replay(first, third, x);
    c = file_of(third);
    ad_program_free(second);
    second = read_back(&c);
    CHECK(ad_program_settle(second) == AD_OK, "settle");
    check_same_replay(third, second, x);

    n_files++;
    n_bytes += (long)a.n;
    n_guards_seen += first->n_guards;
    ad_program_free(first);
    ad_program_free(second);
    ad_program_free(third);
    free(a.data);
    free(b.data);
    free(c.data);
    free(x);
    program_end(&program);
    CHECK(n_live == 0, "%ld blocks are left", n_live);
}

/* ---- what is shared, and what is not saved ---- */

static struct ad_view array_view(struct ad_array *array)
{
    struct ad_view view = ad_view_slots(0, 1, &array->n);

    view.place = AD_ARRAY;
    view.in.array = array;
    return view;
}

/* x * c + c, three numbers each: one array, seen twice and a third time as an output. */
static struct ad_program *shared_array(bool checked, double *numbers)
{
    struct ad_program *p = ad_program_new();
    int64_t n = 3;
    struct ad_array *array = checked
                                 ? ad_array_share(numbers, n, numbers, (void (*)(void *))free, true)
                                 : ad_array_copy(numbers, n);
    struct ad_view c = array_view(array), y;
    const struct ad_view *args[] = {NULL, &c, NULL};

    CHECK(ad_program_add_input(p, 1, &n, NULL) == AD_OK, "input");
    args[0] = &p->inputs[0];
    p->tape->symbolic = true;
    CHECK(ad_record_op(p->tape, AD_OP_mul, 0, args, &y) == AD_OK, "mul");
    args[0] = &y;
    CHECK(ad_record_op(p->tape, AD_OP_add, 0, args, &y) == AD_OK, "add");
    CHECK(ad_program_add_output(p, &y) == AD_OK && ad_program_add_output(p, &c) == AD_OK, "out");
    ad_array_drop(array);
    return p;
}

static void test_sharing(void)
{
    double numbers[] = {0.5, -0.0, INFINITY}, x[] = {1, 2, 3}, y[3], z[3];
    double *outputs[] = {y, z}, *shared = malloc(sizeof numbers);
    const double *inputs[] = {x};
    struct ad_program *p = shared_array(false, numbers), *q;
    struct ad_fault fault;
    unsigned char *data;
    size_t nbytes;
    struct file f = file_of(p);
    const struct ad_array *array;
    struct ad_view views[2];
    int failed, n_times = 0;

    for (size_t j = 0; j + sizeof numbers <= f.n; j++) /* little-endian hosts */
        n_times += !memcmp(f.data + j, numbers, sizeof numbers);
    CHECK(n_times <= 1, "the array is written %d times", n_times);
    q = read_back(&f);
    ad_tape_views(q->tape, 1, views, 2);
    array = views[1].in.array;
    ad_tape_views(q->tape, 2, views, 2);
    CHECK(array == views[1].in.array && array == q->outputs[1].in.array, "the array is not shared");
    CHECK(array->refs == 3, "%" PRId64 " references", array->refs);
    CHECK(ad_program_settle(q) == AD_OK, "settle");
    CHECK(ad_program_replay(q, inputs, outputs, &failed) == AD_OK, "replay");
    CHECK(y[0] == 1.0 && y[1] == 0.0 && isinf(y[2]) && signbit(z[1]), "wrong numbers");
    ad_program_free(p);
    ad_program_free(q);
    free(f.data);

    memcpy(shared, numbers, sizeof numbers);
    p = shared_array(true, shared);
    shared[1] = 7;
    CHECK(ad_io_write(p, &data, &nbytes, &fault) == AD_CONST_CHANGED, "a constant was changed");
    ad_program_free(p);
}

static void let_go(void *object)
{
    ++*(int *)object;
}

static void test_not_saved(void)
{
    static const struct ad_call_hooks hooks = {.hold = let_go, .release = let_go};
    int64_t n = 2;
    const double values[] = {1, 2};

    for (int note = 0; note < 2; note++) {
        struct ad_program *p = ad_program_new();
        struct ad_fault fault;
        struct ad_view y;
        unsigned char *data = NULL;
        size_t nbytes;
        int released = 0;

        p->tape->hooks = &hooks;
        CHECK(ad_program_add_input(p, 1, &n, values) == AD_OK, "input");
        ad_tape_here(p->tape, ad_program_origin(p, "model.py", "loss", 33));
        if (note) {
            CHECK(ad_record_copy(p->tape, &p->inputs[0], &y) == AD_OK, "copy");
            CHECK(ad_tape_add_note(p->tape, 1, &released) == AD_OK, "note");
        } else {
            CHECK(ad_record_call(p->tape, &released, 1, p->inputs, n, values, &y) == AD_OK, "call");
        }
        CHECK(ad_program_check(p, &fault) == AD_OK, "not in order: %s", fault.field);
        CHECK(ad_io_write(p, &data, &nbytes, &fault) == AD_NOT_SAVED, "saved");
        CHECK(!strcmp(fault.field, "instruction 1 op"), "field %s", fault.field);
        CHECK(strstr(fault.found, note ? "hook" : "rule") && strstr(fault.found, "model.py:33"),
              "found %s", fault.found);
        ad_program_free(p);
        CHECK(released == 1, "released %d times", released);
    }
}

static void test_beyond_limits(void)
{
    struct ad_program *p = ad_program_new();
    int64_t big[] = {60000, 60000};
    struct ad_view sum, all;
    struct ad_fault fault;
    unsigned char *data;
    size_t nbytes;
    double x = 1;

    CHECK(ad_program_add_input(p, 0, NULL, &x) == AD_OK, "input");
    p->tape->symbolic = true;
    all = p->inputs[0];
    CHECK(ad_view_broadcast(&all, 2, big), "broadcast");
    CHECK(ad_record_sum(p->tape, &all, 3, &sum) == AD_OK, "sum");
    CHECK(ad_io_write(p, &data, &nbytes, &fault) == AD_BAD_PROGRAM, "written");
    CHECK(!strcmp(fault.field, "instruction 1 operand 0 length 0"), "field %s", fault.field);
    ad_program_free(p);

    p = ad_program_new();
    CHECK(ad_program_add_input(p, 0, NULL, &x) == AD_OK, "input");
    CHECK(ad_program_origin(p, "\xff.py", "f", 1) == 0, "origin");
    CHECK(ad_io_write(p, &data, &nbytes, &fault) == AD_BAD_PROGRAM, "written");
    CHECK(!strcmp(fault.field, "origin 0 file"), "field %s", fault.field);
    ad_program_free(p);
}

/* ---- one file, byte by byte: the format as documented ---- */

/* y = x[1:3] * x[0] of x with 4 elements, seen at f.py:7, guarded to be (1, 2). */
static const unsigned char golden[] = {
    /* 0: magic, version, bytes */
    0x89, 'A', 'D', 'C', '\r', '\n', 0x1a, '\n', 2, 0, 0, 0, 0, 0, 0, 0, 0x53, 1, 0, 0, 0, 0, 0, 0,
    /* 24: op names */
    1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 'm', 'u', 'l',
    /* 43: origins */
    1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 'f', '.', 'p', 'y', 1, 0, 0, 0, 0, 0, 0, 0, 'f',
    7, 0, 0, 0,
    /* 76: constants, constant arrays, lists */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    /* 100: inputs: origin, dimensions, shape */
    1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0,
    /* 124: instructions: op, form, origin, results, parameter, extra, operands */
    1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,
    /* 172: its operands: place, dimensions, shape, base, stride */
    0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    /* 236: outputs */
    1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0,
    1, 0, 0, 0, 0, 0, 0, 0,
    /* 276: guards: kind, origin, view, numbers */
    1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0,
    1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f,
    /* 324: point */
    0, 0, 0, 0, 0, 0, 0, 0,
    /* checksum */
    0, 0, 0, 0, 0, 0, 0, 0};

static struct ad_program *golden_program(void)
{
    struct ad_program *p = ad_program_new();
    int64_t four = 4, two = 2;
    const double one = 1;
    struct ad_view a, b = ad_view_slots(0, 0, NULL), y;
    const struct ad_view *args[] = {&a, &b, NULL};
    int32_t origin = ad_program_origin(p, "f.py", "f", 7);

    CHECK(ad_program_add_input(p, 1, &four, NULL) == AD_OK, "input");
    a = ad_view_slots(1, 1, &two);
    p->tape->symbolic = true;
    ad_tape_here(p->tape, origin);
    CHECK(ad_record_op(p->tape, AD_OP_mul, 0, args, &y) == AD_OK, "mul");
    CHECK(ad_program_add_output(p, &y) == AD_OK, "output");
    y = ad_view_slots(4, 0, NULL);
    CHECK(ad_program_add_guard(p, AD_GUARD_VALUE, origin, &y, &one) == AD_OK, "guard");
    return p;
}

/* Changes of the golden file, and what is said of them. */
static const struct {
    size_t offset;
    int nbytes;
    int64_t word;
    const char *field;
    int64_t at; /* -1: where it was changed */
} changes[] = {
    {8, 8, 3, "version", -1},
    {24, 8, 1 << 20, "op names", -1},
    {32, 8, -1, "op name 0", -1},
    {40, 1, 'M', "op name 0", -1},
    {43, 8, 100, "origins", -1},
    {59, 1, 0, "origin 0 file", -1},
    {59, 1, 0x80, "origin 0 file", -1},
    {76, 8, 1000, "constants", -1},
    {84, 8, -5, "constant arrays", -1},
    {92, 8, INT64_MAX, "lists", -1},
    {100, 8, 1 << 30, "inputs", -1},
    {108, 4, 1, "input 0 origin", -1},
    {112, 4, 17, "input 0 dimensions", -1},
    {116, 8, -1, "input 0 length 0", -1},
    {116, 8, INT32_MAX, "input 0 length 0", -1},
    {124, 8, 100, "instructions", -1},
    {132, 2, 1, "instruction 1 op", -1},
    {134, 2, 2, "instruction 1 form", -1},
    {134, 2, 0, "point", 164}, /* x[2] * x[0], and nothing more */
    {136, 4, -2, "instruction 1 origin", -1},
    {140, 8, 3, "instruction 1 results", 132},
    {140, 8, -1, "instruction 1 results", -1},
    {140, 8, INT32_MAX, "instruction 1 results", -1},
    {148, 8, 1, "instruction 1 parameter", -1},
    {156, 8, 1, "instruction 1 extra", 132},
    {164, 8, 1, "instruction 1 operands", 132},
    {164, 8, 99, "instruction 1 operands", -1},
    {172, 4, 6, "instruction 1 operand 0 place", -1},
    {172, 4, AD_OWN, "instruction 1 operand 0 place", -1},
    {172, 4, AD_LIST, "instruction 1 operand 0 list", 188},
    {172, 4, AD_ARRAY, "instruction 1 operand 0 array", 188},
    {176, 4, -1, "instruction 1 operand 0 dimensions", -1},
    {180, 8, 4, "instruction 1 operand 0 stride 0", 196},
    {180, 8, 3, "instruction 1 operand 1 length 0", 132},
    {180, 8, 0, "instruction 1 operand 0 base", 188},
    {188, 8, 4, "instruction 1 operand 0 base", -1},
    {188, 8, -1, "instruction 1 operand 0 base", -1},
    {188, 8, INT64_MIN, "instruction 1 operand 0 base", -1},
    {196, 8, 3, "instruction 1 operand 0 stride 0", -1},
    {196, 8, -2, "instruction 1 operand 0 stride 0", -1},
    {196, 8, INT64_MIN, "instruction 1 operand 0 stride 0", -1},
    {196, 8, INT64_MAX, "instruction 1 operand 0 stride 0", -1},
    {260, 8, 6, "output 0 base", -1},
    {260, 8, 3, "output 0 stride 0", 268},
    {284, 4, 3, "guard 0 kind", -1},
    {288, 4, 1, "guard 0 origin", -1},
    {308, 8, 0, "guard 0 numbers", -1},
    {324, 8, 1, "point", -1},
};

static void test_golden(void)
{
    struct ad_program *p = golden_program(), *q;
    struct file want = {malloc(sizeof golden), sizeof golden}, got = file_of(p);

    memcpy(want.data, golden, sizeof golden);
    seal(&want);
    check_same_file(&got, &want, "the documented file");
    q = read_back(&want);
    CHECK(!strcmp(q->origins[0].file, "f.py") && q->origins[0].line == 7, "another origin");
    for (size_t j = 0; j < sizeof changes / sizeof *changes; j++) {
        struct ad_fault fault;
        char what[80];

        snprintf(what, sizeof what, "change %zu, at %zu", j, changes[j].offset);
        memcpy(want.data, golden, sizeof golden);
        put_word_at(want.data + changes[j].offset, (uint64_t)changes[j].word, changes[j].nbytes);
        seal(&want);
        fault = refused(&want, what);
        CHECK(!strcmp(fault.field, changes[j].field), "%s: field '%s', expected %s, found %s", what,
              fault.field, fault.expected, fault.found);
        CHECK(fault.offset == (changes[j].at < 0 ? (int64_t)changes[j].offset : changes[j].at),
              "%s: offset %" PRId64, what, fault.offset);
    }
    ad_program_free(p);
    ad_program_free(q);
    free(want.data);
    free(got.data);
}

/* A small file may describe large results; reading it makes no room for them. */
static void test_outline(void)
{
    struct file f = {malloc(sizeof golden), sizeof golden};
    struct ad_program *p;

    memcpy(f.data, golden, sizeof golden);
    put_word_at(f.data + 116, AD_MOST_ELEMENTS - 2, 8);
    put_word_at(f.data + 260, AD_MOST_ELEMENTS - 2, 8); /* output and guard move with it */
    put_word_at(f.data + 300, AD_MOST_ELEMENTS - 2, 8);
    seal(&f);
    p = read_back(&f);
    CHECK(p->tape->n_slots == AD_MOST_ELEMENTS, "%d slots", p->tape->n_slots);
    CHECK(p->tape->slot_capacity < 10000, "room for %d slots", p->tape->slot_capacity);
    ad_program_free(p);
    free(f.data);
}

/* ---- files that were changed ---- */

static void check_every_change(const struct file *file)
{
    struct file f = {NULL, 0};
    char what[80];

    for (f.n = 0; f.n < file->n; f.n++) {
        f.data = malloc(f.n + !f.n); /* of its exact size, for the sanitizer to watch */
        memcpy(f.data, file->data, f.n);
        snprintf(what, sizeof what, "cut to %zu bytes", f.n);
        refused(&f, what);
        seal(&f);
        refused(&f, what);
        free(f.data);
    }
    f.data = malloc(f.n);
    memcpy(f.data, file->data, f.n);
    for (size_t bit = 0; bit < 8 * f.n; bit++) {
        f.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        snprintf(what, sizeof what, "bit %zu of byte %zu", bit % 8, bit / 8);
        refused(&f, what);
        f.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    free(f.data);
}

enum { MOST_WORK = 1 << 14 };

/* How many elements a replay looks at, or more than MOST_WORK. */
static int64_t work_of(const struct ad_program *p)
{
    const struct ad_tape *tape = p->tape;
    int64_t work = tape->n_slots, n = 0;
    struct ad_view view;

    for (int32_t i = p->n_inputs; i < tape->n; i++) {
        if (!ad_tape_is_array(tape, i))
            continue;
        const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;

        for (int64_t v = 0; v < block[1] && work <= MOST_WORK; v++) {
            words = ad_view_decode(words, &view);
            n = ad_view_size(&view);
            work += n;
            if (ad_tape_code(tape, i) == AD_MATMUL) /* rows, columns and batches of none, too */
                for (int d = 0; d < view.ndim; d++)
                    work += view.shape[d];
            if (ad_tape_code(tape, i) == AD_MATMUL && n <= MOST_WORK)
                work += n * view.shape[view.ndim - 1];
        }
    }
    for (int k = 0; k < p->n_outputs && work <= MOST_WORK; k++)
        work += ad_view_size(&p->outputs[k]);
    for (int g = 0; g < p->n_guards && work <= MOST_WORK; g++)
        work += p->guards[g].n;
    return work;
}

static long n_fuzzed, n_accepted, n_replayed;

/* What is read is in order, and its values and gradients stay within its memory. */
static void check_accepted(struct ad_program *p)
{
    struct file f = file_of(p);
    struct ad_program *again = read_back(&f);
    struct file g = file_of(again);

    n_accepted++;
    check_same_file(&g, &f, "accepted, and written again");
    ad_program_free(again);
    free(f.data);
    free(g.data);
    if (work_of(p) > MOST_WORK)
        return;
    append_gradient(p);
    if (work_of(p) > 100 * MOST_WORK)
        return;
    CHECK(ad_program_settle(p) == AD_OK, "settle");

    double **x = malloc(((size_t)p->n_inputs + 1) * sizeof *x);
    struct results r = results_of(p);
    int failed;

    for (int k = 0; k < p->n_inputs; k++)
        x[k] = calloc((size_t)ad_view_size(&p->inputs[k]) + 1, sizeof **x);
    CHECK(ad_program_replay(p, (const double *const *)x, r.output, &failed) == AD_OK, "replay");
    CHECK(failed < p->n_guards, "guard %d", failed);
    for (int k = 0; k < p->n_inputs; k++)
        free(x[k]);
    free((void *)x);
    results_free(&r);
    n_replayed++;
}

static uint64_t odd_word(struct rng *rng)
{
    static const int64_t words[] = {0,         1,         -1,        2,       -2,
                                    3,         15,        16,        17,      INT32_MAX,
                                    INT32_MIN, INT64_MAX, INT64_MIN, 1 << 16, AD_MOST_ELEMENTS,
                                    1 << 30,   0x7ff0,    511,       512,     4096};
    uint64_t bits = (uint64_t)words[rng_int(rng, 0, sizeof words / sizeof *words - 1)];

    return rng_int(rng, 0, 3) ? bits : rng_bits(rng) >> rng_int(rng, 0, 63);
}

/* One change of a file: words, bytes and bits, pieces that go, come twice, or come from another. */
static void mutate(struct rng *rng, struct file *f, const struct file *other)
{
    size_t body = f->n - AD_IO_HEADER - AD_IO_SUM, at, n;
    unsigned char *bytes = f->data + AD_IO_HEADER;
    int kind = (int)rng_int(rng, 0, 9), width = 1 << rng_int(rng, 0, 3);

    at = (size_t)rng_int(rng, 0, (int64_t)body - 9);
    n = (size_t)rng_int(rng, 1, 40);
    if (kind < 4) {
        put_word_at(bytes + at, odd_word(rng), width);
    } else if (kind < 7) { /* a number a little larger or smaller: what is nearly in order */
        uint64_t word = 0;

        for (int j = 0; j < width; j++)
            word |= (uint64_t)bytes[at + (size_t)j] << 8 * j;
        put_word_at(bytes + at, word + (uint64_t)rng_int(rng, -3, 3), width);
    } else if (kind == 7) {
        bytes[at] ^= (unsigned char)(1 << rng_int(rng, 0, 7));
    } else if (kind == 8 && at + n < body) {
        memmove(bytes + at, bytes + at + n, body + AD_IO_SUM - at - n);
        f->n -= n;
    } else {
        size_t from = (size_t)rng_int(rng, 0, (int64_t)other->n - 50);

        f->data = realloc(f->data, f->n + n);
        bytes = f->data + AD_IO_HEADER;
        memmove(bytes + at + n, bytes + at, body + AD_IO_SUM - at);
        memcpy(bytes + at, other->data + from, n);
        f->n += n;
    }
}

static void fuzz(uint64_t seed, const struct file *file, const struct file *other)
{
    struct rng rng = {seed};
    struct file f = {malloc(file->n), file->n};
    struct ad_program *p = NULL;
    struct ad_fault fault = {.field = ""};
    enum ad_status status;

    check_clear();
    check_note("fuzz seed %" PRIu64, seed);
    memcpy(f.data, file->data, f.n);
    for (int64_t n = rng_int(&rng, 1, 3); n > 0; n--)
        mutate(&rng, &f, other);
    f.data = realloc(f.data, f.n);
    seal(&f);
    status = ad_io_read(f.data, f.n, &rule_hooks, &p, &fault);
    CHECK(status == AD_OK || (status == AD_BAD_PROGRAM && fault.field[0]), "%s",
          ad_status_text(status));
    CHECK(status == AD_OK || (fault.offset >= AD_IO_HEADER && fault.offset <= (int64_t)f.n),
          "%s: offset %" PRId64 " of %zu", fault.field, fault.offset, f.n);
    if (p)
        check_accepted(p);
    ad_program_free(p);
    free(f.data);
    n_fuzzed++;
}

/* ---- without memory ---- */

static void test_allocations(uint64_t seed)
{
    struct ad_program *first = random_program(seed, 3 + (int)(seed % 16), 4), *p;
    struct file f = file_of(first);
    long before, count;

    for (long n = 0;; n++) {
        struct ad_fault fault = {.field = ""};
        unsigned char *data = NULL;
        size_t nbytes = 0;
        enum ad_status status;

        before = n_failed;
        count = n_live;
        fail_in = n;
        status = ad_io_write(first, &data, &nbytes, &fault);
        fail_in = -1;
        ad_io_free(data);
        CHECK(status == (n_failed > before ? AD_NO_MEMORY : AD_OK), "write: status %d", status);
        CHECK(n_live == count, "%ld blocks are left", n_live - count);
        if (n_failed == before)
            break;
    }
    for (long n = 0;; n++) {
        struct ad_fault fault = {.field = ""};
        enum ad_status status;

        before = n_failed;
        count = n_live;
        fail_in = n;
        status = ad_io_read(f.data, f.n, &rule_hooks, &p, &fault);
        fail_in = -1;
        CHECK(status == (n_failed > before ? AD_NO_MEMORY : AD_OK), "read: status %d", status);
        CHECK((p != NULL) == (status == AD_OK), "a program, or none");
        ad_program_free(p);
        CHECK(n_live == count, "%ld blocks are left", n_live - count);
        if (n_failed == before)
            break;
    }
    ad_program_free(first);
    free(f.data);
    program_end(&program);
}

static void test_parts(void)
{
    static const char *const good[] = {"", "a", "\xc3\xa9", "\xe2\x88\x82", "\xf0\x9f\x90\x8d"};
    static const char *const bad[] = {
        "\x80",         "\xc3",         "\xc0\x80",         "\xc1\xbf",
        "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
        "\xff",         "a\xe2\x88",    "\xf5\x80\x80\x80"};

    /* the check value of CRC-64/XZ in the published catalogues */
    CHECK(ad_crc64((const unsigned char *)"123456789", 9) == 0x995DC9BBDF1939FAu, "CRC-64/XZ");
    for (size_t j = 0; j < sizeof good / sizeof *good; j++)
        CHECK(ad_is_utf8((const unsigned char *)good[j], strlen(good[j])), "text %zu", j);
    for (size_t j = 0; j < sizeof bad / sizeof *bad; j++)
        CHECK(!ad_is_utf8((const unsigned char *)bad[j], strlen(bad[j])), "bad text %zu", j);
    for (int i = 0; i < AD_N_CODES; i++)
        for (int j = 0; j < i; j++)
            CHECK(strcmp(ad_code_name(i), ad_code_name(j)) != 0, "%s twice", ad_code_name(i));
    CHECK(!ad_code_name(AD_N_CODES), "a name beyond the last");
}

/* ---- all of it ---- */

enum { N_SMALL = 16, N_FUZZ = 30000 };

/* Codes and places that the files to be changed are made of: a bit each. */
static uint64_t kinds_in(const struct ad_program *p)
{
    const struct ad_tape *tape = p->tape;
    uint64_t kinds = 0;
    struct ad_view view;

    for (int32_t i = p->n_inputs; i < tape->n; i++) {
        int code = ad_tape_code(tape, i);

        kinds |= code < AD_N_OPS ? 1 : (uint64_t)2 << (code - AD_N_OPS);
        if (!ad_tape_is_array(tape, i)) {
            kinds |= (uint64_t)1 << 48;
            continue;
        }
        const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;

        for (int64_t v = 0; v < block[1]; v++) {
            words = ad_view_decode(words, &view);
            kinds |= (uint64_t)1 << (32 + view.place);
        }
    }
    return kinds;
}

/* With an argument: so many files are changed. */
int main(int n_args, char **args)
{
    const int64_t n_inputs[] = {1, 4, 12, 36, 150, 1100};
    const uint64_t all_kinds = ((uint64_t)1 << 48) | ((uint64_t)0x3f << 32) | 1 |
                               ((((uint64_t)4 << (AD_CALL - AD_N_OPS)) - 4) &
                                ~((uint64_t)2 << (AD_KERNEL - AD_N_OPS))); /* test_linalg.c */
    uint64_t n_fuzz = n_args > 1 ? strtoull(args[1], NULL, 10) : N_FUZZ, kinds = 0;
    struct file small[N_SMALL];

    test_parts();
    test_golden();
    test_outline();
    test_sharing();
    test_not_saved();
    test_beyond_limits();
    for (uint64_t seed = 0; seed < 600; seed++)
        check_round_trip(seed, 5 + (int)(seed % 40), n_inputs[(seed + seed / 6) % 6]);
    CHECK(n_guards_seen > 100, "%ld guards", n_guards_seen);
    for (uint64_t seed = 0; seed < 40; seed++)
        test_allocations(seed);
    for (int j = 0; j < N_SMALL; j++) {
        struct ad_program *p = random_program(1000 + (uint64_t)j, 6 + 2 * j, j % 2 ? 4 : 12);

        small[j] = file_of(p);
        kinds |= kinds_in(p);
        ad_program_free(p);
        program_end(&program);
        if (j < 4)
            check_every_change(&small[j]);
    }
    CHECK(kinds == all_kinds, "kinds %" PRIx64 ", not %" PRIx64, kinds, all_kinds);
    for (uint64_t seed = 0; seed < n_fuzz; seed++)
        fuzz(seed, &small[seed % N_SMALL], &small[seed / N_SMALL % N_SMALL]);
    CHECK(n_accepted >= n_fuzzed / 50 && n_replayed >= n_fuzzed / 100,
          "%ld of %ld accepted, %ld run", n_accepted, n_fuzzed, n_replayed);
    for (int j = 0; j < N_SMALL; j++)
        free(small[j].data);
    CHECK(n_live == 0, "%ld blocks are left", n_live);
    printf("test_io: ok, %ld files of %ld bytes on average; of %ld that were changed %ld are in "
           "order, and %ld ran\n",
           n_files, n_bytes / n_files, n_fuzzed, n_accepted, n_replayed);
    return 0;
}

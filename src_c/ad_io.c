/* ad_io.c -- writing programs. */
#include "ad_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As in PNG: a byte beyond ASCII, a name, and line ends that a transfer as text would change. */
const unsigned char ad_io_magic[AD_IO_MAGIC] = {0x89, 'A', 'D', 'C', '\r', '\n', 0x1a, '\n'};

/* These numbers are in files, where nothing may be inserted before them. */
_Static_assert(AD_SLOTS == 0 && AD_LIST == 1 && AD_ARRAY == 2 && AD_NUMBER == 3 && AD_OWN == 4 &&
                   AD_OWN_LIST == 5,
               "places are part of the file format");
_Static_assert(AD_GUARD_TRUTH == 0 && AD_GUARD_MASK == 1 && AD_GUARD_VALUE == 2,
               "kinds of guards are part of the file format");

uint64_t ad_crc64(const unsigned char *data, size_t nbytes)
{
    uint64_t table[256], crc = UINT64_MAX;

    for (unsigned byte = 0; byte < 256; byte++) {
        uint64_t rest = byte;

        for (int bit = 0; bit < 8; bit++)
            rest = rest >> 1 ^ (rest & 1 ? 0xC96C5795D7870F42u : 0);
        table[byte] = rest;
    }
    for (size_t i = 0; i < nbytes; i++)
        crc = crc >> 8 ^ table[(crc ^ data[i]) & 0xff];
    return ~crc;
}

const char *ad_code_name(int code)
{
    static const char *const beyond[] = {
        [AD_INPUT - AD_N_OPS] = "@input",       [AD_ADDTO - AD_N_OPS] = "@addto",
        [AD_MATMUL - AD_N_OPS] = "@matmul",     [AD_CUMSUM - AD_N_OPS] = "@cumsum",
        [AD_EXTREMUM - AD_N_OPS] = "@extremum", [AD_NORM - AD_N_OPS] = "@norm",
        [AD_ARGSORT - AD_N_OPS] = "@argsort",   [AD_GATHER - AD_N_OPS] = "@gather",
        [AD_SCATTER - AD_N_OPS] = "@scatter",   [AD_KERNEL - AD_N_OPS] = "@kernel",
        [AD_CALL - AD_N_OPS] = "@call",
    };

    if (code < AD_N_OPS)
        return ad_ops[code].name;
    return code < AD_N_CODES ? beyond[code - AD_N_OPS] : NULL;
}

bool ad_is_utf8(const unsigned char *text, size_t nbytes)
{
    for (size_t i = 0; i < nbytes;) {
        unsigned char lead = text[i++];
        int more = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
        uint32_t point = more == 0 ? lead : lead & (0x3fu >> more);
        const uint32_t least[] = {1, 0x80, 0x800, 0x10000};

        if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || nbytes - i < (size_t)more)
            return false;
        for (int j = 0; j < more; j++, i++) {
            if ((text[i] & 0xc0) != 0x80)
                return false;
            point = point << 6 | (text[i] & 0x3fu);
        }
        if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
            return false;
    }
    return true;
}

/* ---- things that are written once and referred to by number, in the order of their first use ---- */

struct registry {
    const void **thing; /* n of them, by number */
    int64_t *hashed;    /* open addressing: numbers, -1 where free */
    int64_t n, capacity;
};

static void registry_free(struct registry *r)
{
    free((void *)r->thing);
    free(r->hashed);
}

/* Where 'thing' is hashed, or would be. */
static int64_t *place_of(const struct registry *r, const void *thing)
{
    uint64_t hash = (uint64_t)(uintptr_t)thing * 0x9E3779B97F4A7C15u;
    uint64_t at = hash >> 20 & (uint64_t)(2 * r->capacity - 1);

    while (r->hashed[at] >= 0 && r->thing[r->hashed[at]] != thing)
        at = (at + 1) & (uint64_t)(2 * r->capacity - 1);
    return &r->hashed[at];
}

static bool registry_grow(struct registry *r)
{
    int64_t capacity = r->capacity ? 2 * r->capacity : 16; /* a power of two */
    const void **thing = realloc((void *)r->thing, (size_t)capacity * sizeof *thing);
    int64_t *hashed;

    if (!thing)
        return false;
    r->thing = thing;
    hashed = malloc(2 * (size_t)capacity * sizeof *hashed);
    if (!hashed)
        return false;
    free(r->hashed);
    r->hashed = hashed;
    r->capacity = capacity;
    for (int64_t j = 0; j < 2 * capacity; j++)
        hashed[j] = -1;
    for (int64_t j = 0; j < r->n; j++)
        *place_of(r, thing[j]) = j;
    return true;
}

/* The number of a thing, given to it here if it has none; -1 without memory. */
static int64_t number_of(struct registry *r, const void *thing)
{
    int64_t *at;

    if (r->n == r->capacity && !registry_grow(r))
        return -1;
    at = place_of(r, thing);
    if (*at < 0) {
        *at = r->n;
        r->thing[r->n++] = thing;
    }
    return *at;
}

/* ---- bytes ---- */

struct writer {
    const struct ad_program *program;
    unsigned char *data;
    size_t n, capacity;
    bool failed; /* without memory; what is put from then on is lost */
    struct registry lists, arrays;
    int32_t number_of_code[AD_N_CODES]; /* in the file's table of names, -1: not used */
};

static void put(struct writer *w, const void *bytes, size_t n)
{
    if (n > w->capacity - w->n && !w->failed) {
        size_t capacity = AD_MAX(w->capacity + w->capacity / 2, w->n + n + 1024);
        unsigned char *data = realloc(w->data, capacity);

        w->failed = !data;
        if (data) {
            w->data = data;
            w->capacity = capacity;
        }
    }
    if (w->failed)
        return;
    if (n)
        memcpy(w->data + w->n, bytes, n);
    w->n += n;
}

static void put_word(struct writer *w, uint64_t word, int nbytes)
{
    unsigned char bytes[8];

    for (int j = 0; j < nbytes; j++)
        bytes[j] = (unsigned char)(word >> 8 * j);
    put(w, bytes, (size_t)nbytes);
}

static void put_u32(struct writer *w, uint32_t word)
{
    put_word(w, word, 4);
}

static void put_i32(struct writer *w, int32_t word)
{
    put_word(w, (uint32_t)word, 4);
}

static void put_i64(struct writer *w, int64_t word)
{
    put_word(w, (uint64_t)word, 8);
}

static void put_f64(struct writer *w, double number)
{
    uint64_t bits;

    memcpy(&bits, &number, sizeof bits);
    put_word(w, bits, 8);
}

static void put_text(struct writer *w, const char *text)
{
    size_t n = strlen(text);

    put_i64(w, (int64_t)n);
    put(w, text, n);
}

static void put_numbers(struct writer *w, int64_t n, const double *numbers)
{
    put_i64(w, n);
    for (int64_t j = 0; j < n; j++)
        put_f64(w, numbers[j]);
}

/* ---- views ---- */

/* What a view refers to gets its number. */
static void note_view(struct writer *w, const struct ad_view *view)
{
    if (view->place == AD_LIST || view->place == AD_OWN_LIST)
        w->failed |= number_of(&w->lists, view->in.list) < 0;
    else if (view->place == AD_ARRAY)
        w->failed |= number_of(&w->arrays, view->in.array) < 0;
}

/* What decides nothing, as strides between no elements, is written as 0: equal bytes of equal
 * programs. */
static void put_view(struct writer *w, const struct ad_view *view)
{
    bool empty = ad_view_size(view) == 0;

    put_u32(w, (uint32_t)view->place);
    put_u32(w, (uint32_t)view->ndim);
    for (int d = 0; d < view->ndim; d++)
        put_i64(w, view->shape[d]);
    if (view->place == AD_NUMBER) {
        put_f64(w, view->in.number);
        return;
    }
    if (view->place == AD_ARRAY)
        put_i64(w, number_of(&w->arrays, view->in.array));
    else if (view->place == AD_LIST || view->place == AD_OWN_LIST)
        put_i64(w, number_of(&w->lists, view->in.list));
    put_i64(w, empty ? 0 : view->base);
    for (int d = 0; d < view->ndim; d++)
        put_i64(w, empty ? 0 : view->stride[d]);
}

/* ---- sections ---- */

static void note_views(struct writer *w)
{
    const struct ad_program *program = w->program;
    const struct ad_tape *tape = program->tape;
    struct ad_view view;

    for (int32_t i = program->n_inputs; i < tape->n; i++) {
        if (!ad_tape_is_array(tape, i))
            continue;
        const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;

        for (int64_t v = 0; v < block[1]; v++) {
            words = ad_view_decode(words, &view);
            note_view(w, &view);
        }
    }
    for (int k = 0; k < program->n_outputs; k++)
        note_view(w, &program->outputs[k]);
    for (int g = 0; g < program->n_guards; g++)
        note_view(w, &program->guards[g].view);
}

/* The names of the codes that are used, in the order of their first use. */
static void put_names(struct writer *w)
{
    const struct ad_tape *tape = w->program->tape;
    int codes[AD_N_CODES], n = 0;

    for (int code = 0; code < AD_N_CODES; code++)
        w->number_of_code[code] = -1;
    for (int32_t i = w->program->n_inputs; i < tape->n; i++) {
        int code = ad_tape_code(tape, i);

        if (w->number_of_code[code] < 0) {
            w->number_of_code[code] = n;
            codes[n++] = code;
        }
    }
    put_i64(w, n);
    for (int j = 0; j < n; j++)
        put_text(w, ad_code_name(codes[j]));
}

static void put_tables(struct writer *w)
{
    const struct ad_program *program = w->program;
    const struct ad_tape *tape = program->tape;

    put_i64(w, program->n_origins);
    for (int j = 0; j < program->n_origins; j++) {
        put_text(w, program->origins[j].file);
        put_text(w, program->origins[j].function);
        put_i32(w, program->origins[j].line);
    }
    put_i64(w, tape->n_consts);
    for (int32_t j = 1; j <= tape->n_consts; j++)
        put_f64(w, tape->value[-j]);
    put_i64(w, w->arrays.n);
    for (int64_t j = 0; j < w->arrays.n; j++) {
        const struct ad_array *array = w->arrays.thing[j];

        put_numbers(w, array->n, array->data);
    }
    put_i64(w, w->lists.n);
    for (int64_t j = 0; j < w->lists.n; j++) {
        const struct ad_list *list = w->lists.thing[j];

        put_u32(w, list->head ? AD_IO_OF_SLOTS : AD_IO_OF_RESULTS);
        put_i64(w, list->n);
        for (int64_t i = 0; i < list->n; i++)
            put_i32(w, list->slot[i]);
    }
}

/* The bytes of a rule, behind its operands. */
static void put_rule(struct writer *w, void *rule)
{
    unsigned char *data = NULL;
    int64_t n = 0;

    if (w->program->tape->hooks->save(rule, &data, &n)) {
        w->failed = true; /* it could be saved a moment ago */
        return;
    }
    put_i64(w, n);
    put(w, data, (size_t)n);
    free(data);
}

/* Where the rules find values, if there are rules. */
static void put_point(struct writer *w, bool rules)
{
    const struct ad_program *program = w->program;

    put_numbers(w, rules ? ad_program_input_size(program) : 0,
                program->point ? program->point : program->tape->value);
}

static void put_instructions(struct writer *w)
{
    const struct ad_program *program = w->program;
    const struct ad_tape *tape = program->tape;
    struct ad_view view;
    double p;

    put_i64(w, program->n_inputs);
    for (int32_t k = 0; k < program->n_inputs; k++) {
        const struct ad_view *input = &program->inputs[k];

        put_i32(w, ad_tape_origin(tape, k));
        put_i32(w, input->ndim);
        for (int d = 0; d < input->ndim; d++)
            put_i64(w, input->shape[d]);
    }
    put_i64(w, tape->n - program->n_inputs);
    for (int32_t i = program->n_inputs; i < tape->n; i++) {
        int code = ad_tape_code(tape, i);

        put_word(w, (uint64_t)w->number_of_code[code], 2);
        put_word(w, ad_tape_is_array(tape, i) ? AD_IO_ARRAY : AD_IO_SCALAR, 2);
        put_i32(w, ad_tape_origin(tape, i));
        if (!ad_tape_is_array(tape, i)) {
            put_i32(w, tape->a[i]);
            put_i32(w, tape->b[i]);
            continue;
        }
        const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;

        memcpy(&p, block + 3, sizeof p);
        put_i64(w, block[2]);
        put_f64(w, code < AD_N_OPS && ad_ops[code].family ? p : 0);
        put_i64(w, code == AD_CALL ? 0 : block[4]);
        put_i64(w, block[1]);
        for (int64_t v = 0; v < block[1]; v++) {
            words = ad_view_decode(words, &view);
            put_view(w, &view);
        }
        if (code == AD_CALL)
            put_rule(w, (void *)(uintptr_t)block[4]);
    }
}

static void put_results(struct writer *w)
{
    const struct ad_program *program = w->program;

    put_i64(w, program->n_outputs);
    for (int k = 0; k < program->n_outputs; k++)
        put_view(w, &program->outputs[k]);
    put_i64(w, program->n_guards);
    for (int g = 0; g < program->n_guards; g++) {
        const struct ad_guard *guard = &program->guards[g];

        put_u32(w, (uint32_t)guard->kind);
        put_i32(w, guard->origin);
        put_view(w, &guard->view);
        put_numbers(w, guard->n, guard->expected);
    }
}

/* ---- what cannot be written ---- */

/* Python objects on instruction i. */
static enum ad_status not_saved(const struct ad_program *program, int32_t i, const char *what,
                                struct ad_fault *fault)
{
    int32_t origin = ad_tape_origin(program->tape, i);
    char found[sizeof fault->found];

    if (origin >= 0)
        snprintf(found, sizeof found, "%s, recorded at %.100s:%d in %.40s", what,
                 program->origins[origin].file, (int)program->origins[origin].line,
                 program->origins[origin].function);
    else
        snprintf(found, sizeof found, "%s", what);
    ad_fault_text(fault, "op", "an operation of adcore's own", found);
    ad_fault_within(fault, "instruction", i);
    return AD_NOT_SAVED;
}

static enum ad_status check_rule(const struct ad_program *program, int32_t i)
{
    const struct ad_tape *tape = program->tape;
    unsigned char *data = NULL;
    int64_t n;
    enum ad_status status;

    if (!tape->hooks->save)
        return AD_NOT_SAVED;
    status = tape->hooks->save((void *)(uintptr_t)tape->aux[tape->a[i] + 4], &data, &n);
    free(data);
    return status;
}

static enum ad_status check_saved(const struct ad_program *program, struct ad_fault *fault)
{
    const struct ad_tape *tape = program->tape;
    enum ad_status status = ad_program_check(program, fault);

    if (status)
        return status;
    for (int32_t i = 0; i < tape->n; i++)
        if (ad_tape_code(tape, i) == AD_CALL) {
            status = check_rule(program, i);
            if (status)
                return status == AD_NOT_SAVED
                           ? not_saved(program, i, "a rule written in Python", fault)
                           : status;
        }
    if (tape->n_notes > 0)
        return not_saved(program, tape->notes[0].instr, "a hook written in Python", fault);
    for (int j = 0; j < program->n_origins; j++) {
        const struct ad_origin *origin = &program->origins[j];
        bool file = ad_is_utf8((const unsigned char *)origin->file, strlen(origin->file));

        if (file && ad_is_utf8((const unsigned char *)origin->function, strlen(origin->function)))
            continue;
        ad_fault_text(fault, file ? "function" : "file", "text in UTF-8", "other bytes");
        ad_fault_within(fault, "origin", j);
        return AD_BAD_PROGRAM;
    }
    return AD_OK;
}

/* ---- all of it ---- */

/* Words in the finished header and behind the last section. */
static void finish(struct writer *w)
{
    size_t nbytes = w->n + AD_IO_SUM;

    if (w->failed)
        return;
    for (int j = 0; j < 8; j++)
        w->data[AD_IO_MAGIC + 8 + j] = (unsigned char)((uint64_t)nbytes >> 8 * j);
    put_word(w, ad_crc64(w->data, w->n), AD_IO_SUM);
}

enum ad_status ad_io_write(const struct ad_program *program, unsigned char **data, size_t *nbytes,
                           struct ad_fault *fault)
{
    struct writer w = {.program = program};
    enum ad_status status = check_saved(program, fault);

    if (status)
        return status;
    note_views(&w);
    for (int64_t j = 0; j < w.arrays.n && !status; j++)
        if (!ad_array_intact(w.arrays.thing[j]))
            status = AD_CONST_CHANGED;
    put(&w, ad_io_magic, AD_IO_MAGIC);
    put_i64(&w, AD_IO_VERSION);
    put_i64(&w, 0); /* bytes of the file */
    put_names(&w);
    put_tables(&w);
    put_instructions(&w);
    put_results(&w);
    put_point(&w, w.number_of_code[AD_CALL] >= 0);
    finish(&w);
    registry_free(&w.lists);
    registry_free(&w.arrays);
    if (w.failed || status) {
        free(w.data);
        return status ? status : AD_NO_MEMORY;
    }
    *data = w.data;
    *nbytes = w.n;
    return AD_OK;
}

void ad_io_free(unsigned char *data)
{
    free(data);
}

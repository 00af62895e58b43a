/* ad_io_read.c -- reading programs.  Every count is held against the bytes that are left before anything is
 * allocated for it, and every instruction against the rules of ad_check.h before the next is read. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ad_io.h"

/* The fewest bytes of what may be repeated: what a count is held against. */
enum {
    LEAST_NAME = 8,
    LEAST_ORIGIN = 20,
    LEAST_ARRAY = 8,
    LEAST_LIST = 12,
    LEAST_INPUT = 8,
    LEAST_INSTRUCTION = 16,
    LEAST_VIEW = 16,
    LEAST_GUARD = 8 + LEAST_VIEW + 8
};

struct reader {
    const unsigned char *data;
    size_t nbytes, at; /* the sum at the end not counted */
    struct ad_program *program;
    struct ad_fault *fault;
    const struct ad_call_hooks *hooks; /* or NULL */
    bool rules;                        /* are there any? */
    int64_t n_codes, n_arrays, n_lists;
    int *code;                /* n_codes of them, by their number in the file */
    struct ad_array **arrays; /* n_arrays; one reference each, until all is read */
    struct ad_list **lists;   /* n_lists; the same */
    struct ad_bounds *bounds; /* of each list */
};

/* ---- faults with their offset ---- */

static enum ad_status at_offset(struct reader *r, size_t offset)
{
    r->fault->offset = (int64_t)offset;
    return AD_BAD_PROGRAM;
}

static enum ad_status fault_range(struct reader *r, size_t offset, const char *field, int64_t low,
                                  int64_t high, int64_t found)
{
    ad_fault_range(r->fault, field, low, high, found);
    return at_offset(r, offset);
}

static enum ad_status fault_text(struct reader *r, size_t offset, const char *field,
                                 const char *expected, const char *found)
{
    ad_fault_text(r->fault, field, expected, found);
    return at_offset(r, offset);
}

/* Say within what a field lies, if there is a fault. */
static enum ad_status within(struct reader *r, enum ad_status status, const char *what,
                             int64_t index)
{
    if (status == AD_BAD_PROGRAM)
        ad_fault_within(r->fault, what, index);
    return status;
}

/* ---- words ---- */

static size_t left(const struct reader *r)
{
    return r->nbytes - r->at;
}

static uint64_t word_at(const unsigned char *bytes, int nbytes)
{
    uint64_t word = 0;

    for (int j = 0; j < nbytes; j++)
        word |= (uint64_t)bytes[j] << 8 * j;
    return word;
}

static double number_at(const unsigned char *bytes)
{
    uint64_t bits = word_at(bytes, 8);
    double number;

    memcpy(&number, &bits, sizeof number);
    return number;
}

static enum ad_status need(struct reader *r, const char *field, size_t nbytes)
{
    char expected[32], found[32];

    if (nbytes <= left(r))
        return AD_OK;
    snprintf(expected, sizeof expected, "%zu bytes", nbytes);
    snprintf(found, sizeof found, "%zu bytes left", left(r));
    return fault_text(r, r->at, field, expected, found);
}

static enum ad_status take_word(struct reader *r, const char *field, int nbytes, uint64_t *word)
{
    enum ad_status status = need(r, field, (size_t)nbytes);

    if (status)
        return status;
    *word = word_at(r->data + r->at, nbytes);
    r->at += (size_t)nbytes;
    return AD_OK;
}

static enum ad_status take_i64(struct reader *r, const char *field, int64_t *number)
{
    uint64_t word = 0;
    enum ad_status status = take_word(r, field, 8, &word);

    *number = (int64_t)word;
    return status;
}

/* A 32-bit number from low to high. */
static enum ad_status take_i32(struct reader *r, const char *field, int64_t low, int64_t high,
                               int32_t *number)
{
    uint64_t word = 0;
    enum ad_status status = take_word(r, field, 4, &word);

    *number = (int32_t)(uint32_t)word;
    if (!status && (*number < low || *number > high))
        status = fault_range(r, r->at - 4, field, low, high, *number);
    return status;
}

static enum ad_status take_f64(struct reader *r, const char *field, double *number)
{
    enum ad_status status = need(r, field, 8);

    *number = 0;
    if (status)
        return status;
    *number = number_at(r->data + r->at);
    r->at += 8;
    return AD_OK;
}

/* How many things follow, of 'least' bytes or more each. */
static enum ad_status take_count(struct reader *r, const char *field, size_t least, int64_t *count)
{
    enum ad_status status = take_i64(r, field, count);
    int64_t most = AD_MIN((int64_t)(left(r) / least), AD_MOST_ELEMENTS);

    if (!status && (*count < 0 || *count > most))
        status = fault_range(r, r->at - 8, field, 0, most, *count);
    return status;
}

/* A text, with a NUL at its end; the caller's. */
static enum ad_status take_text(struct reader *r, const char *field, char **text)
{
    int64_t n = 0;
    enum ad_status status = take_count(r, field, 1, &n);
    const unsigned char *bytes = r->data + r->at;

    *text = NULL;
    if (status)
        return status;
    if (!ad_is_utf8(bytes, (size_t)n) || memchr(bytes, 0, (size_t)n))
        return fault_text(r, r->at, field, "text in UTF-8, without a NUL", "other bytes");
    *text = malloc((size_t)n + 1);
    if (!*text)
        return AD_NO_MEMORY;
    memcpy(*text, bytes, (size_t)n);
    (*text)[n] = '\0';
    r->at += (size_t)n;
    return AD_OK;
}

/* n numbers, the caller's. */
static enum ad_status take_numbers(struct reader *r, const char *field, int64_t *n,
                                   double **numbers)
{
    enum ad_status status = take_count(r, field, 8, n);

    *numbers = NULL;
    if (status)
        return status;
    *numbers = malloc((size_t)AD_MAX(*n, 1) * sizeof **numbers);
    if (!*numbers)
        return AD_NO_MEMORY;
    for (int64_t j = 0; j < *n; j++, r->at += 8)
        (*numbers)[j] = number_at(r->data + r->at);
    return AD_OK;
}

/* How many things of 'each' bytes in memory follow, and room for them, all zero, in *table. */
static enum ad_status take_table(struct reader *r, const char *field, size_t least, int64_t *count,
                                 void *table, size_t each)
{
    enum ad_status status = take_count(r, field, least, count);
    void **room = table;

    if (status)
        return status;
    *room = calloc((size_t)AD_MAX(*count, 1), each);
    return *room ? AD_OK : AD_NO_MEMORY;
}

/* ---- header ---- */

static enum ad_status read_header(struct reader *r, size_t nbytes)
{
    char expected[40], found[40];
    uint64_t size, sum, version;

    if (nbytes < AD_IO_HEADER + AD_IO_SUM)
        return need(r, "header", AD_IO_HEADER + AD_IO_SUM);
    if (memcmp(r->data, ad_io_magic, AD_IO_MAGIC))
        return fault_text(r, 0, "magic", "the first bytes of an adcore program", "other bytes");
    size = word_at(r->data + AD_IO_MAGIC + 8, 8);
    if (size != nbytes)
        return fault_range(r, AD_IO_MAGIC + 8, "size of the file", (int64_t)nbytes, (int64_t)nbytes,
                           (int64_t)size);
    sum = word_at(r->data + nbytes - AD_IO_SUM, AD_IO_SUM);
    if (sum != ad_crc64(r->data, nbytes - AD_IO_SUM)) {
        snprintf(expected, sizeof expected, "%016" PRIx64, ad_crc64(r->data, nbytes - AD_IO_SUM));
        snprintf(found, sizeof found, "%016" PRIx64, sum);
        return fault_text(r, nbytes - AD_IO_SUM, "checksum", expected, found);
    }
    version = word_at(r->data + AD_IO_MAGIC, 8);
    if (version != AD_IO_VERSION)
        return fault_range(r, AD_IO_MAGIC, "version", AD_IO_VERSION, AD_IO_VERSION,
                           (int64_t)version);
    r->at = AD_IO_HEADER;
    r->nbytes = nbytes - AD_IO_SUM;
    return AD_OK;
}

/* ---- tables ---- */

/* A code that a file may use; AD_N_CODES if there is none of this name. */
static int code_of(const struct reader *r, const char *name)
{
    int code = 0;

    while (code < AD_N_CODES && (code == AD_INPUT || (code == AD_CALL && !r->hooks) ||
                                 strcmp(ad_code_name(code), name) != 0))
        code++;
    return code;
}

static enum ad_status read_names(struct reader *r)
{
    enum ad_status status =
        take_table(r, "op names", LEAST_NAME, &r->n_codes, &r->code, sizeof *r->code);

    for (int64_t j = 0; j < r->n_codes && !status; j++) {
        size_t offset = r->at + 8;
        char *name;

        status = within(r, take_text(r, "", &name), "op name", j);
        if (status)
            break;
        r->code[j] = code_of(r, name);
        if (r->code[j] == AD_N_CODES) {
            status = fault_text(r, offset, "", "an op that this version of adcore has", name);
            within(r, status, "op name", j);
        }
        free(name);
    }
    return status;
}

static enum ad_status read_origin(struct reader *r, struct ad_origin *origin)
{
    enum ad_status status = take_text(r, "file", &origin->file);

    if (!status)
        status = take_text(r, "function", &origin->function);
    if (!status)
        status = take_i32(r, "line", INT32_MIN, INT32_MAX, &origin->line);
    return status;
}

static enum ad_status read_origins(struct reader *r)
{
    struct ad_program *program = r->program;
    int64_t n = 0;
    enum ad_status status =
        take_table(r, "origins", LEAST_ORIGIN, &n, &program->origins, sizeof *program->origins);

    if (status)
        return status;
    program->origin_capacity = (int)n;
    for (int64_t j = 0; j < n && !status; j++) {
        program->n_origins++; /* the program's to free, even if only half of it is there */
        status = within(r, read_origin(r, &program->origins[j]), "origin", j);
    }
    return status;
}

static enum ad_status read_consts(struct reader *r)
{
    struct ad_tape *tape = r->program->tape;
    int64_t n = 0;
    enum ad_status status = take_count(r, "constants", 8, &n);

    if (!status)
        status = ad_tape_grow(tape, 0, 0, n, 0);
    for (int64_t j = 0; j < n && !status; j++, r->at += 8)
        ad_tape_const(tape, number_at(r->data + r->at));
    return status;
}

static enum ad_status read_arrays(struct reader *r)
{
    int64_t n = 0;
    enum ad_status status =
        take_table(r, "constant arrays", LEAST_ARRAY, &n, &r->arrays, sizeof *r->arrays);

    for (; r->n_arrays < n && !status; r->n_arrays += !status) {
        struct ad_array **array = &r->arrays[r->n_arrays];
        double *numbers;
        int64_t size = 0;

        status =
            within(r, take_numbers(r, "numbers", &size, &numbers), "constant array", r->n_arrays);
        if (status)
            break;
        *array = ad_array_copy(numbers, size);
        if (!*array)
            status = AD_NO_MEMORY;
        free(numbers);
    }
    return status;
}

static enum ad_status read_list(struct reader *r, struct ad_list **list)
{
    int64_t n = 0;
    int32_t kind = 0;
    enum ad_status status = take_i32(r, "kind", AD_IO_OF_SLOTS, AD_IO_OF_RESULTS, &kind);

    if (!status)
        status = take_count(r, "entries", 4, &n);
    if (status)
        return status;
    *list = ad_list_new(kind == AD_IO_OF_SLOTS ? &r->program->tape->lists : NULL, n);
    if (!*list)
        return AD_NO_MEMORY;
    for (int64_t j = 0; j < n; j++, r->at += 4)
        (*list)->slot[j] = (int32_t)(uint32_t)word_at(r->data + r->at, 4);
    return AD_OK;
}

static enum ad_status read_lists(struct reader *r)
{
    int64_t n = 0;
    enum ad_status status = take_table(r, "lists", LEAST_LIST, &n, &r->lists, sizeof *r->lists);

    if (status)
        return status;
    r->bounds = calloc((size_t)AD_MAX(n, 1), sizeof *r->bounds);
    if (!r->bounds)
        return AD_NO_MEMORY;
    for (; r->n_lists < n && !status; r->n_lists += !status) {
        status = within(r, read_list(r, &r->lists[r->n_lists]), "list", r->n_lists);
        if (!status)
            r->bounds[r->n_lists] = ad_list_bounds(r->lists[r->n_lists]);
    }
    return status;
}

/* ---- views ---- */

static enum ad_status take_shape(struct reader *r, int *ndim, int64_t *shape)
{
    size_t offset;
    int32_t n = 0;
    enum ad_status status = take_i32(r, "dimensions", 0, AD_MAX_DIMS, &n);

    *ndim = n;
    if (!status)
        status = need(r, "shape", (size_t)n * 8);
    if (status)
        return status;
    offset = r->at;
    for (int d = 0; d < n; d++, r->at += 8)
        shape[d] = (int64_t)word_at(r->data + r->at, 8);
    status = ad_check_shape(n, shape, r->fault);
    return status ? at_offset(r, offset + 8 * (size_t)r->fault->dim) : AD_OK;
}

/* The number of one of n things, and what it stands for. */
static enum ad_status take_index(struct reader *r, const char *field, int64_t n, int64_t *index)
{
    enum ad_status status = take_i64(r, field, index);

    if (!status && (*index < 0 || *index >= n))
        status = fault_range(r, r->at - 8, field, 0, n - 1, *index);
    return status;
}

/* The fields of a view after its shape, which tells whether the rest decides anything. */
static enum ad_status take_strides(struct reader *r, struct ad_view *view)
{
    enum ad_status status = need(r, "strides", (size_t)view->ndim * 8);
    bool empty = ad_view_size(view) == 0;

    for (int d = 0; d < view->ndim && !status; d++) {
        char field[32];

        snprintf(field, sizeof field, "stride %d", d);
        status = take_i64(r, field, &view->stride[d]);
        if (!status && empty && view->stride[d] != 0)
            status = fault_range(r, r->at - 8, field, 0, 0, view->stride[d]);
    }
    return status;
}

/* A view, held against slots below 'end', or against the 'own' results of its instruction.  What it
 * refers to belongs to the reader; it holds no reference. */
static enum ad_status take_view(struct reader *r, int32_t end, int64_t own, struct ad_view *view)
{
    const struct ad_tape *tape = r->program->tape;
    struct ad_bounds entries = {INT32_MAX, INT32_MIN};
    size_t start = r->at, offset[] = {start, start, start, start, start, start};
    int32_t place = 0;
    int64_t index = 0;
    enum ad_status status = take_i32(r, "place", AD_SLOTS, AD_OWN_LIST, &place);

    memset(view, 0, sizeof *view);
    view->place = (enum ad_place)place;
    if (!status)
        status = take_shape(r, &view->ndim, view->shape);
    if (status)
        return status;
    offset[AD_PART_LIST] = r->at;
    if (place == AD_NUMBER) {
        status = take_f64(r, "number", &view->in.number);
    } else if (place == AD_ARRAY) {
        status = take_index(r, "array", r->n_arrays, &index);
        if (!status)
            view->in.array = r->arrays[index];
    } else if (place == AD_LIST || place == AD_OWN_LIST) {
        status = take_index(r, "list", r->n_lists, &index);
        if (!status) {
            view->in.list = r->lists[index];
            entries = r->bounds[index];
        }
    }
    if (status)
        return status;
    offset[AD_PART_BASE] = r->at;
    if (place != AD_NUMBER) {
        status = take_i64(r, "base", &view->base);
        if (!status && ad_view_size(view) == 0 && view->base != 0)
            status = fault_range(r, r->at - 8, "base", 0, 0, view->base);
        offset[AD_PART_STRIDE] = r->at;
        if (!status)
            status = take_strides(r, view);
    }
    if (status)
        return status;
    status = ad_check_view(tape, end, own, entries, view, r->fault);
    return status ? at_offset(r, offset[r->fault->part] + 8 * (size_t)r->fault->dim) : AD_OK;
}

/* ---- inputs and instructions ---- */

static enum ad_status take_origin(struct reader *r, int32_t *origin)
{
    return take_i32(r, "origin", -1, r->program->n_origins - 1, origin);
}

/* Room on the tape for the results of an instruction, as far as numbers go. */
static enum ad_status check_total(struct reader *r, size_t offset, int64_t size)
{
    int64_t most = AD_MOST_ELEMENTS - r->program->tape->n_slots;

    return size < 0 || size > most ? fault_range(r, offset, "results", 0, most, size) : AD_OK;
}

static enum ad_status read_input(struct reader *r, struct ad_view *input)
{
    struct ad_tape *tape = r->program->tape;
    int32_t origin = -1;
    size_t offset = r->at;
    int64_t shape[AD_MAX_DIMS], size;
    int ndim;
    enum ad_status status = take_origin(r, &origin);

    if (!status)
        status = take_shape(r, &ndim, shape);
    if (status)
        return status;
    size = ad_shape_size(ndim, shape);
    status = check_total(r, offset, size);
    if (status)
        return status;
    *input = ad_view_slots(tape->n_slots, ndim, shape);
    ad_tape_here(tape, origin);
    return ad_outline_block(tape, AD_INPUT, 0, 0, size, 0, NULL);
}

static enum ad_status read_inputs(struct reader *r)
{
    struct ad_program *program = r->program;
    int64_t n = 0;
    enum ad_status status =
        take_table(r, "inputs", LEAST_INPUT, &n, &program->inputs, sizeof *program->inputs);

    for (; program->n_inputs < n && !status; program->n_inputs += !status)
        status = within(r, read_input(r, &program->inputs[program->n_inputs]), "input",
                        program->n_inputs);
    return status;
}

static enum ad_status read_scalar(struct reader *r, int code, size_t offset)
{
    struct ad_tape *tape = r->program->tape;
    int32_t a = 0, b = 0;
    enum ad_status status = take_i32(r, "operand 0", INT32_MIN, INT32_MAX, &a);

    if (!status)
        status = take_i32(r, "operand 1", INT32_MIN, INT32_MAX, &b);
    if (!status)
        status = check_total(r, offset, 1);
    if (status)
        return status;
    status = ad_check_scalar(tape, code, a, b, tape->n_slots, r->fault);
    if (status)
        return at_offset(r, offset);
    return ad_outline_scalar(tape, code, a, b);
}

/* The rule of an AD_CALL, whose reference goes to the tape with the block; as the block's 'extra'. */
static enum ad_status read_rule(struct reader *r, int64_t size, int64_t n,
                                const struct ad_view *views, int64_t *extra)
{
    void *rule = NULL;
    char why[AD_WHY] = "";
    int64_t nbytes = 0;
    enum ad_status status = take_count(r, "rule", 1, &nbytes);

    if (status)
        return status;
    status = r->hooks->load(r->data + r->at, nbytes, size, (int)n, views, why, &rule);
    if (status == AD_BAD_PROGRAM)
        return fault_text(r, r->at, "rule", "a rule that this version of adcore has", why);
    r->at += (size_t)nbytes;
    r->rules = true;
    *extra = (int64_t)(uintptr_t)rule;
    return status;
}

static enum ad_status read_block(struct reader *r, int code, size_t offset)
{
    struct ad_tape *tape = r->program->tape;
    struct ad_view few[AD_MAX_ARGS], *views = few;
    int64_t size = 0, extra = 0, n = 0;
    bool family = code < AD_N_OPS && ad_ops[code].family;
    double p = 0;
    enum ad_status status = take_i64(r, "results", &size);

    if (!status)
        status = check_total(r, r->at - 8, size);
    if (!status)
        status = take_f64(r, "parameter", &p);
    if (!status && !family && !ad_same_bits(p, 0))
        status = fault_text(r, r->at - 8, "parameter", "0", "another number");
    if (!status)
        status = take_i64(r, "extra", &extra);
    if (!status)
        status = take_count(r, "operands", LEAST_VIEW, &n);
    if (status)
        return status;
    if (n > AD_MAX_ARGS) {
        views = malloc((size_t)n * sizeof *views);
        if (!views)
            return AD_NO_MEMORY;
    }
    for (int64_t v = 0; v < n && !status; v++) {
        int64_t own = code == AD_ADDTO && v % 2 ? size : -1;

        status = within(r, take_view(r, tape->n_slots, own, &views[v]), "operand", v);
    }
    if (!status) {
        status = ad_check_block(code, p, extra, size, n, views, r->fault);
        if (status)
            at_offset(r, offset);
    }
    if (!status && code == AD_CALL) {
        if (extra != 0)
            status = fault_range(r, offset, "extra", 0, 0, extra);
        else
            status = read_rule(r, size, n, views, &extra);
    }
    if (!status) {
        status = ad_outline_block(tape, code, p, extra, size, (int)n, views);
        if (status && code == AD_CALL)
            r->hooks->release((void *)(uintptr_t)extra);
    }
    if (views != few)
        free(views);
    return status;
}

static enum ad_status read_instruction(struct reader *r)
{
    size_t offset = r->at;
    uint64_t number = 0, form = 0;
    int32_t origin = -1;
    enum ad_status status = take_word(r, "op", 2, &number);

    if (!status && number >= (uint64_t)r->n_codes)
        status = fault_range(r, offset, "op", 0, r->n_codes - 1, (int64_t)number);
    if (!status)
        status = take_word(r, "form", 2, &form);
    if (!status && form > AD_IO_ARRAY)
        status = fault_range(r, offset + 2, "form", AD_IO_SCALAR, AD_IO_ARRAY, (int64_t)form);
    if (!status)
        status = take_origin(r, &origin);
    if (status)
        return status;
    ad_tape_here(r->program->tape, origin);
    if (form == AD_IO_SCALAR)
        return read_scalar(r, r->code[number], offset);
    return read_block(r, r->code[number], offset);
}

static enum ad_status read_instructions(struct reader *r)
{
    int64_t n = 0;
    enum ad_status status = take_count(r, "instructions", LEAST_INSTRUCTION, &n);

    for (int64_t j = 0; j < n && !status; j++)
        status = within(r, read_instruction(r), "instruction", r->program->tape->n);
    return status;
}

/* ---- outputs and guards ---- */

static enum ad_status read_outputs(struct reader *r)
{
    struct ad_program *program = r->program;
    int64_t n = 0;
    enum ad_status status =
        take_table(r, "outputs", LEAST_VIEW, &n, &program->outputs, sizeof *program->outputs);

    for (int64_t k = 0; k < n && !status; k++) {
        struct ad_view *view = &program->outputs[k];

        status = within(r, take_view(r, program->tape->n_slots, -1, view), "output", k);
        if (!status) {
            ad_view_hold(view);
            program->n_outputs++;
        }
    }
    return status;
}

static enum ad_status read_guard(struct reader *r)
{
    struct ad_program *program = r->program;
    int32_t kind = 0, origin = -1;
    double *expected;
    int64_t n = 0;
    struct ad_view view;
    enum ad_status status = take_i32(r, "kind", AD_GUARD_TRUTH, AD_GUARD_VALUE, &kind);

    if (!status)
        status = take_origin(r, &origin);
    if (!status)
        status = take_view(r, program->tape->n_slots, -1, &view);
    if (status)
        return status;
    size_t offset = r->at;

    status = take_numbers(r, "numbers", &n, &expected);
    if (!status && n != ad_view_size(&view))
        status = fault_range(r, offset, "numbers", ad_view_size(&view), ad_view_size(&view), n);
    if (!status)
        status = ad_program_add_guard(program, (enum ad_guard_kind)kind, origin, &view, expected);
    free(expected);
    return status;
}

static enum ad_status read_guards(struct reader *r)
{
    int64_t n = 0;
    enum ad_status status = take_count(r, "guards", LEAST_GUARD, &n);

    for (int64_t g = 0; g < n && !status; g++)
        status = within(r, read_guard(r), "guard", g);
    return status;
}

/* Where the rules find values, if there are rules. */
static enum ad_status read_point(struct reader *r)
{
    size_t offset = r->at;
    int64_t n = 0, size = r->rules ? ad_program_input_size(r->program) : 0;
    double *numbers;
    enum ad_status status = take_numbers(r, "point", &n, &numbers);

    if (!status && n != size)
        status = fault_range(r, offset, "point", size, size, n);
    if (!status && r->rules)
        r->program->point = numbers;
    else
        free(numbers);
    return status;
}

/* ---- all of it ---- */

static enum ad_status read_program(struct reader *r)
{
    static enum ad_status (*const sections[])(struct reader *) = {
        read_names,  read_origins,      read_consts,  read_arrays, read_lists,
        read_inputs, read_instructions, read_outputs, read_guards, read_point,
    };
    enum ad_status status;

    r->program = ad_program_new();
    if (!r->program)
        return AD_NO_MEMORY;
    r->program->tape->symbolic = true;
    r->program->tape->hooks = r->hooks;
    for (size_t s = 0; s < sizeof sections / sizeof *sections; s++) {
        status = sections[s](r);
        if (status)
            return status;
    }
    ad_tape_here(r->program->tape, -1);
    return left(r) ? fault_range(r, r->at, "bytes after the point", 0, 0, (int64_t)left(r)) : AD_OK;
}

enum ad_status ad_io_read(const unsigned char *data, size_t nbytes,
                          const struct ad_call_hooks *hooks, struct ad_program **program,
                          struct ad_fault *fault)
{
    struct reader r = {.data = data, .nbytes = nbytes, .fault = fault, .hooks = hooks};
    enum ad_status status = read_header(&r, nbytes);

    if (!status)
        status = read_program(&r);
    for (int64_t j = 0; j < r.n_arrays; j++)
        ad_array_drop(r.arrays[j]);
    for (int64_t j = 0; j < r.n_lists; j++)
        ad_list_drop(r.lists[j]);
    free(r.code);
    free((void *)r.arrays);
    free((void *)r.lists);
    free(r.bounds);
    if (status) {
        ad_program_free(r.program);
        r.program = NULL;
    }
    *program = r.program;
    return status;
}

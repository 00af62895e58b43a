/* ad_program.c -- making programs, and running them in the plainest way. */
#include "ad_program.h"

#include <stdlib.h>
#include <string.h>

struct ad_program *ad_program_new(void)
{
    struct ad_program *program = calloc(1, sizeof *program);

    if (!program)
        return NULL;
    program->tape = ad_tape_new();
    if (program->tape) {
        program->tape->program = program;
        ad_tape_enter(program->tape, INT32_MAX); /* nothing is popped or moved, ever */
    }
    if (!program->tape || ad_tape_keep_origins(program->tape)) {
        ad_program_free(program);
        return NULL;
    }
    return program;
}

void ad_program_free(struct ad_program *program)
{
    if (!program)
        return;
    ad_program_clear_outputs(program);
    for (int g = 0; g < program->n_guards; g++) {
        ad_view_drop(&program->guards[g].view);
        free(program->guards[g].expected);
    }
    for (int j = 0; j < program->n_origins; j++) {
        free(program->origins[j].file);
        free(program->origins[j].function);
    }
    free(program->inputs);
    free(program->outputs);
    free(program->guards);
    free(program->origins);
    free(program->point);
    if (program->tape) {
        program->tape->program = NULL;
        ad_tape_leave(program->tape, 0); /* a tensor that got away frees it with itself */
        ad_tape_free(program->tape);
    }
    free(program);
}

static void *grown(void *array, int n, size_t each)
{
    return realloc(array, (size_t)n * each);
}

enum ad_status ad_program_add_input(struct ad_program *program, int ndim, const int64_t *shape,
                                    const double *values)
{
    struct ad_tape *tape = program->tape;
    struct ad_view *inputs = grown(program->inputs, program->n_inputs + 1, sizeof *inputs);
    enum ad_status status;

    if (!inputs)
        return AD_NO_MEMORY;
    program->inputs = inputs;
    ad_assert(tape->n == program->n_inputs);
    status = ad_record_input(tape, ad_shape_size(ndim, shape), values);
    if (status)
        return status;
    inputs[program->n_inputs++] = ad_view_slots(tape->dst[tape->n - 1], ndim, shape);
    return AD_OK;
}

enum ad_status ad_program_add_output(struct ad_program *program, const struct ad_view *view)
{
    struct ad_view *outputs = grown(program->outputs, program->n_outputs + 1, sizeof *outputs);

    if (!outputs)
        return AD_NO_MEMORY;
    program->outputs = outputs;
    outputs[program->n_outputs++] = *view;
    ad_view_hold(view);
    return AD_OK;
}

void ad_program_clear_outputs(struct ad_program *program)
{
    while (program->n_outputs > 0)
        ad_view_drop(&program->outputs[--program->n_outputs]);
}

enum ad_status ad_program_add_guard(struct ad_program *program, enum ad_guard_kind kind,
                                    int32_t origin, const struct ad_view *view,
                                    const double *expected)
{
    int64_t n = ad_view_size(view);
    double *copy;

    if (program->n_guards == program->guard_capacity) {
        int capacity = 2 * program->guard_capacity + 4;
        struct ad_guard *guards = grown(program->guards, capacity, sizeof *guards);

        if (!guards)
            return AD_NO_MEMORY;
        program->guards = guards;
        program->guard_capacity = capacity;
    }
    copy = malloc((size_t)AD_MAX(n, 1) * sizeof *copy);
    if (!copy)
        return AD_NO_MEMORY;
    if (n)
        memcpy(copy, expected, (size_t)n * sizeof *copy);
    program->guards[program->n_guards++] = (struct ad_guard){kind, origin, *view, n, copy};
    ad_view_hold(view);
    return AD_OK;
}

static char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);

    if (copy)
        memcpy(copy, text, size);
    return copy;
}

int32_t ad_program_origin(struct ad_program *program, const char *file, const char *function,
                          int32_t line)
{
    struct ad_origin *origin;

    for (int32_t j = program->n_origins - 1; j >= 0; j--) {
        origin = &program->origins[j];
        if (origin->line == line && !strcmp(origin->file, file) &&
            !strcmp(origin->function, function))
            return j;
    }
    if (program->n_origins == program->origin_capacity) {
        int capacity = 2 * program->origin_capacity + 16;
        struct ad_origin *origins = grown(program->origins, capacity, sizeof *origins);

        if (!origins)
            return -1;
        program->origins = origins;
        program->origin_capacity = capacity;
    }
    origin = &program->origins[program->n_origins];
    origin->file = copy_text(file);
    origin->function = copy_text(function);
    origin->line = line;
    if (!origin->file || !origin->function) {
        free(origin->file);
        free(origin->function);
        return -1;
    }
    return program->n_origins++;
}

enum ad_status ad_program_copy_origins(struct ad_program *to, const struct ad_program *from)
{
    for (int j = 0; j < from->n_origins; j++)
        if (ad_program_origin(to, from->origins[j].file, from->origins[j].function,
                              from->origins[j].line) < 0)
            return AD_NO_MEMORY;
    return AD_OK;
}

bool ad_program_needs_values(const struct ad_program *program)
{
    const struct ad_tape *tape = program->tape;

    if (tape->n_notes > 0)
        return true;
    for (int32_t i = 0; i < tape->n; i++)
        if (ad_tape_code(tape, i) == AD_CALL)
            return true;
    return false;
}

bool ad_same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* The results of an AD_CALL, from the values of its operands. */
static enum ad_status replay_call(struct ad_tape *tape, int32_t i)
{
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    int n = (int)block[1];
    struct ad_view view;
    double **args = calloc((size_t)AD_MAX(n, 1), sizeof *args);
    enum ad_status status = args ? AD_OK : AD_NO_MEMORY;

    for (int k = 0; k < n && !status; k++) {
        words = ad_view_decode(words, &view);
        args[k] = malloc((size_t)AD_MAX(ad_view_size(&view), 1) * sizeof *args[k]);
        if (args[k])
            ad_view_read(&view, tape->value, args[k]);
        else
            status = AD_NO_MEMORY;
    }
    if (!status)
        status = tape->hooks->replay((void *)(uintptr_t)block[4], (const double *const *)args,
                                     tape->value + tape->dst[i]);
    for (int k = 0; k < n && args; k++)
        free(args[k]);
    free((void *)args);
    return status;
}

static bool holds(const struct ad_guard *guard, const double *value, double *room)
{
    ad_view_read(&guard->view, value, room);
    for (int64_t j = 0; j < guard->n; j++)
        if (!ad_same_bits(room[j], guard->expected[j]))
            return false;
    return true;
}

enum ad_status ad_program_settle(struct ad_program *program)
{
    enum ad_status status = ad_tape_grow(program->tape, 0, 1, 0, 0);

    if (!status)
        program->tape->symbolic = false;
    return status;
}

static enum ad_status compute_all(struct ad_program *program)
{
    struct ad_tape *tape = program->tape;
    enum ad_status status = AD_OK;

    for (int32_t i = program->n_inputs; i < tape->n && !status; i++)
        status = ad_tape_code(tape, i) == AD_CALL ? replay_call(tape, i) : ad_tape_compute(tape, i);
    return status;
}

int64_t ad_program_input_size(const struct ad_program *program)
{
    int64_t size = 0;

    for (int k = 0; k < program->n_inputs; k++)
        size += ad_view_size(&program->inputs[k]);
    return size;
}

enum ad_status ad_program_wake(struct ad_program *program)
{
    struct ad_tape *tape = program->tape;
    int64_t size = ad_program_input_size(program);
    enum ad_status status;

    if (!program->point || !tape->symbolic)
        return AD_OK;
    status = ad_program_settle(program);
    if (status)
        return status;
    if (size)
        memcpy(tape->value, program->point, (size_t)size * sizeof *tape->value);
    status = compute_all(program);
    tape->symbolic = status != AD_OK;
    return status;
}

enum ad_status ad_program_replay(struct ad_program *program, const double *const *inputs,
                                 double *const *outputs, int *failed)
{
    struct ad_tape *tape = program->tape;
    int64_t most = 1;
    double *room;
    enum ad_status status = tape->symbolic ? ad_program_settle(program) : AD_OK;

    *failed = -1;
    if (status)
        return status;
    for (int g = 0; g < program->n_guards; g++)
        most = AD_MAX(most, program->guards[g].n);
    room = malloc((size_t)most * sizeof *room);
    if (!room)
        return AD_NO_MEMORY;
    for (int k = 0; k < program->n_inputs; k++) {
        int64_t size = ad_view_size(&program->inputs[k]);

        if (size)
            memcpy(tape->value + program->inputs[k].base, inputs[k], (size_t)size * sizeof *room);
    }
    status = compute_all(program);
    for (int g = 0; g < program->n_guards && !status && *failed < 0; g++)
        if (!holds(&program->guards[g], tape->value, room))
            *failed = g;
    for (int k = 0; k < program->n_outputs && !status; k++)
        ad_view_read(&program->outputs[k], tape->value, outputs[k]);
    free(room);
    return status;
}

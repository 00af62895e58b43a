/* ad_to_c.c -- the whole function: what is neither run nor group, and what surrounds them. */
#include "ad_to_c.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ad_c_write.h"

/* ---- ops ---- */

static const char *const arguments[] = {"", "double x", "double x, double z",
                                        "double x, double z, double w"};

/* over_name(): its arguments are p if the op is one of a FAMILY, n, each operand with the distance of its
 * elements, and the result.  By a loop of NumPy's, or as a loop that calls op_name(). */
static void add_over(struct ad_text *text, enum ad_op op, bool loop)
{
    static const char operands[] = "xzw";
    const struct ad_op_info *info = &ad_ops[op];

    ad_text_add(text, "static inline void over_%s(%sint64_t n", info->name,
                info->family ? "double p, " : "");
    for (int v = 0; v < info->n_args; v++)
        ad_text_add(text, ", const double *%c, int64_t d%c", operands[v], operands[v]);
    ad_text_add(text, ", double *y)\n{\n");
    if (loop) {
        ad_text_add(text, "    char *args[] = {");
        for (int v = 0; v < info->n_args; v++)
            ad_text_add(text, "(char *)%c, ", operands[v]);
        ad_text_add(text, "(char *)y};\n    const intptr_t size = (intptr_t)n, steps[] = {");
        for (int v = 0; v < info->n_args; v++)
            ad_text_add(text, "(intptr_t)d%c * 8, ", operands[v]);
        ad_text_add(text, "8};\n\n    ad_loop_%s.call(args, &size, steps, ad_loop_%s.data);\n}\n\n",
                    info->name, info->name);
        return;
    }
    ad_text_add(text, "    for (int64_t i = 0; i < n; i++)\n        y[i] = op_%s(%s", info->name,
                info->family ? "p, " : "");
    for (int v = 0; v < info->n_args; v++)
        ad_text_add(text, "%s%c[i * d%c]", v ? ", " : "", operands[v], operands[v]);
    ad_text_add(text, ");\n}\n\n");
}

/* An op that is a loop of NumPy's: of one element, too, for the same bits. */
static void add_by_loop(struct ad_text *text, enum ad_op op)
{
    static const char *const one[] = {"1", "1, &x, 0", "1, &x, 0, &z, 0", "1, &x, 0, &z, 0, &w, 0"};
    int n_args = ad_ops[op].n_args;

    ad_text_add(text, "struct ad_loop ad_loop_%s;\n\n", ad_ops[op].name);
    add_over(text, op, true);
    ad_text_add(text,
                "static inline double op_%s(%s)\n{\n    double y;\n\n    over_%s(%s, &y);\n"
                "    return y;\n}\n\n",
                ad_ops[op].name, arguments[n_args], ad_ops[op].name, one[n_args]);
}

void ad_c_ops(struct ad_text *text, const uint8_t *ops, bool loops)
{
    if (loops)
        ad_text_add(text, "struct ad_loop {\n"
                          "    void (*call)(char **, const intptr_t *, const intptr_t *, void *);\n"
                          "    void *data;\n};\n\n");
    for (enum ad_op op = 0; op < AD_N_OPS; op++) {
        const char *value = ad_c_value(op), *choice = ad_c_choice(op);

        if (loops && ad_simd[op].loop && !ad_ops[op].family && ops[op] & (AD_C_ONE | AD_C_OVER)) {
            add_by_loop(text, op);
            continue;
        }
        if (ops[op] & AD_C_ONE)
            ad_text_add(text, "static inline double op_%s(%s%s)\n{\n    return %s;\n}\n\n",
                        ad_ops[op].name, ad_ops[op].family ? "double p, " : "",
                        arguments[ad_ops[op].n_args], value);
        if (ops[op] & AD_C_EACH)
            ad_text_add(
                text, "static inline double each_%s(%s)\n{\n    return ad_if(!(%.*s), %s);\n}\n\n",
                ad_ops[op].name, arguments[ad_ops[op].n_args], (int)(choice - value), value,
                choice + strlen(AD_C_OR_ELSE));
        if (ops[op] & AD_C_OVER)
            add_over(text, op, false);
    }
}

/* ---- singles ---- */

/* Pointers to where a single reads and writes. */
static void add_pointer(struct ad_c_writer *w, const char *name, int32_t space, int64_t at)
{
    struct ad_text *text = &w->body;

    ad_text_add(text, "    %sdouble *const %s = ", *name == 'y' ? "" : "const ", name);
    if (ad_c_place(w, space, at).space == AD_C_NUMBER) {
        ad_text_add(text, "%s_numbers + %" PRId64, w->name, at - w->plan->numbers_at);
        w->numbers_in_table = true;
    } else {
        ad_c_space(w, text, space);
        ad_text_add(text, " + %" PRId64, at);
    }
    ad_text_add(text, ";\n");
}

/* The elements of an operand, one after the other in 'room' from 'used' on. */
static void add_gathered(struct ad_c_writer *w, const char *name, const struct ad_walk *walk,
                         int64_t *used)
{
    struct ad_text *text = &w->body;
    int64_t n = ad_shape_size(walk->ndim, walk->shape);
    int table = ad_c_walk_table(w, walk);

    ad_text_add(text,
                "    double *const %s = room + %" PRId64 ";\n"
                "    for (int64_t i = 0; i < %" PRId64 "; i++)\n        %s[i] = ",
                name, *used, n, name);
    ad_c_listed(w, text, walk, table, "i");
    ad_text_add(text, ";\n");
    *used += n;
}

static void add_offset_of_batch(struct ad_text *text, const struct ad_walk *walk, bool gathered)
{
    int64_t inner = 1,
            each = gathered ? walk->shape[walk->ndim - 2] * walk->shape[walk->ndim - 1] : 0;

    if (gathered) {
        ad_text_add(text, " + batch * %" PRId64, each);
        return;
    }
    for (int d = walk->ndim - 3; d >= 0; inner *= walk->shape[d--])
        if (walk->stride[d] && walk->shape[d] > 1)
            ad_text_add(text, " + batch / %" PRId64 " %% %" PRId64 " * (%" PRId64 ")", inner,
                        walk->shape[d], walk->stride[d]);
}

static void add_matmul(struct ad_c_writer *w, const struct ad_plan_step *step)
{
    static const char *const names[] = {"a", "b"};
    struct ad_text *text = &w->body;
    const struct ad_walk *a = &step->views[0], *b = &step->views[1];
    int nb = a->ndim - 2;
    int64_t used = 0, m = a->shape[nb], k = a->shape[nb + 1], n = b->shape[nb + 1];

    for (int v = 0; v < 2; v++) {
        if (step->views[v].list)
            add_gathered(w, names[v], &step->views[v], &used);
        else
            add_pointer(w, names[v], step->views[v].space, step->views[v].base);
    }
    add_pointer(w, "y", step->y.space, step->y.at);
    ad_text_add(text,
                "    for (int64_t batch = 0; batch < %" PRId64 "; batch++)\n        ad_matmul(",
                ad_shape_size(nb, a->shape));
    for (int v = 0; v < 2; v++) {
        const struct ad_walk *walk = &step->views[v];

        ad_text_add(text, "%s", names[v]);
        add_offset_of_batch(text, walk, walk->list != NULL);
        ad_text_add(text, ", %" PRId64 ", %" PRId64 ", ",
                    walk->list ? walk->shape[nb + 1] : walk->stride[nb],
                    walk->list ? 1 : walk->stride[nb + 1]);
    }
    ad_text_add(text, "%" PRId64 ", %" PRId64 ", %" PRId64 ", y + batch * %" PRId64 ");\n", m, k, n,
                m * n);
}

static void add_along(struct ad_c_writer *w, const struct ad_plan_step *step)
{
    struct ad_text *text = &w->body;
    const struct ad_walk *from = &step->views[0];
    int64_t row = from->shape[from->ndim - 1], used = 0;
    int table;

    add_pointer(w, "y", step->y.space, step->y.at);
    if (step->kind == AD_PLAN_CUMSUM) {
        table = ad_c_walk_table(w, from);
        ad_text_add(text,
                    "    for (int64_t i = 0; i < %" PRId64 "; i++)\n        y[i] = ", step->n);
        ad_c_listed(w, text, from, table, "i");
        ad_text_add(text,
                    ";\n"
                    "    for (int64_t i = 0; i < %" PRId64 "; i += %" PRId64 ")\n"
                    "        for (int64_t j = 1; j < %" PRId64 "; j++)\n",
                    step->n, row, row);
        if (step->flag)
            ad_text_add(text, "            y[i + %" PRId64 " - 1 - j] += y[i + %" PRId64 " - j];\n",
                        row, row);
        else
            ad_text_add(text, "            y[i + j] += y[i + j - 1];\n");
        return;
    }
    if (ad_walk_is_run(from))
        add_pointer(w, "a", from->space, from->base);
    else
        add_gathered(w, "a", from, &used);
    ad_text_add(text, "    for (int64_t i = 0; i < %" PRId64 "; i++) {\n", step->n);
    if (step->kind == AD_PLAN_NORM) {
        ad_text_add(text, "        y[i] = ad_norm(a + i * %" PRId64 ", %" PRId64 ");\n", row, row);
    } else {
        enum ad_op op = step->flag ? AD_OP_minimum : AD_OP_maximum;

        ad_text_add(text,
                    "        double best = a[i * %" PRId64 "];\n\n"
                    "        for (int64_t j = 1; j < %" PRId64 "; j++)\n            best = ",
                    row, row);
        ad_c_call(w, text, op, false);
        ad_text_add(text, "best, a[i * %" PRId64 " + j]);\n        y[i] = best;\n", row);
    }
    ad_text_add(text, "    }\n");
}

/* An operand of a single, one element after the other. */
static void add_dense(struct ad_c_writer *w, const char *name, const struct ad_walk *walk,
                      int64_t *used)
{
    if (ad_walk_is_run(walk))
        add_pointer(w, name, walk->space, walk->base);
    else
        add_gathered(w, name, walk, used);
}

static void add_argsort(struct ad_c_writer *w, const struct ad_plan_step *step)
{
    const struct ad_walk *from = &step->views[0];
    int64_t row = from->shape[from->ndim - 1], used = 0;

    add_pointer(w, "y", step->y.space, step->y.at);
    add_dense(w, "a", from, &used);
    ad_text_add(&w->body,
                "    for (int64_t i = 0; i < %" PRId64 "; i += %" PRId64 ")\n"
                "        ad_argsort(a + i, %" PRId64 ", y + i, room + %" PRId64 ");\n",
                step->n, AD_MAX(row, 1), row, used);
}

static void add_gather(struct ad_c_writer *w, const struct ad_plan_step *step)
{
    const struct ad_walk *from = &step->views[0], *at = &step->views[1];
    int64_t rows = ad_shape_size(from->ndim - 1, from->shape), used = 0;

    add_pointer(w, "y", step->y.space, step->y.at);
    add_dense(w, "a", from, &used);
    add_dense(w, "b", at, &used);
    ad_text_add(&w->body, "    ad_%s(%" PRId64 ", %" PRId64 ", %" PRId64 ", b, a, y);\n",
                step->kind == AD_PLAN_GATHER ? "take" : "put", rows,
                step->kind == AD_PLAN_GATHER ? from->shape[from->ndim - 1]
                : rows                       ? step->n / rows
                                             : 0,
                at->shape[0]);
}

/* Running products and recurrences, as ad_sequence.c has them; false of other kernels. */
static bool add_recurrence(struct ad_c_writer *w, const struct ad_plan_step *step)
{
    struct ad_text *text = &w->body;
    const struct ad_kernel *kernel = step->kernel;
    int64_t n = kernel->cols[0], used = 0;

    if (kernel->name != AD_KERNEL_cumprod && kernel->name != AD_KERNEL_recurrence)
        return false;
    ad_text_add(text, "    {\n");
    add_pointer(w, "y", step->y.space, step->y.at);
    add_dense(w, "a", &step->views[0], &used);
    if (kernel->name == AD_KERNEL_recurrence)
        add_dense(w, "b", &step->views[1], &used);
    ad_text_add(text, "    for (int64_t i = 0; i < %" PRId64 "; i += %" PRId64 ") {\n", step->n,
                AD_MAX(n, 1));
    if (kernel->name == AD_KERNEL_cumprod)
        ad_text_add(text,
                    "        double last = 1;\n\n"
                    "        for (int64_t j = i; j < i + %" PRId64 "; j++)\n"
                    "            y[j] = last *= a[j];\n",
                    n);
    else if (kernel->flags)
        ad_text_add(text,
                    "        double last = 0;\n\n"
                    "        for (int64_t j = i + %" PRId64 " - 1; j >= i; j--)\n"
                    "            y[j] = last = (last == 0 ? 0 : a[j + 1] * last) + b[j];\n",
                    n);
    else
        ad_text_add(text,
                    "        double last = 0;\n\n"
                    "        for (int64_t j = i; j < i + %" PRId64 "; j++)\n"
                    "            y[j] = last = (last == 0 ? 0 : a[j] * last) + b[j];\n",
                    n);
    ad_text_add(text, "    }\n    }\n");
    return true;
}

static enum ad_status add_step(struct ad_c_writer *w, const struct ad_plan_step *step)
{
    switch (step->kind) {
    case AD_PLAN_RUN:
        return ad_c_run(w, step);
    case AD_PLAN_GROUP:
        return ad_c_group(w, step);
    case AD_PLAN_MATMUL:
    case AD_PLAN_CUMSUM:
    case AD_PLAN_EXTREMUM:
    case AD_PLAN_NORM:
    case AD_PLAN_ARGSORT:
    case AD_PLAN_GATHER:
    case AD_PLAN_SCATTER:
        ad_text_add(&w->body, "    {\n");
        if (step->kind == AD_PLAN_MATMUL)
            add_matmul(w, step);
        else if (step->kind == AD_PLAN_ARGSORT)
            add_argsort(w, step);
        else if (step->kind == AD_PLAN_GATHER || step->kind == AD_PLAN_SCATTER)
            add_gather(w, step);
        else
            add_along(w, step);
        ad_text_add(&w->body, "    }\n");
        return AD_OK;
    case AD_PLAN_KERNEL:
        return add_recurrence(w, step) ? AD_OK : AD_CALL_FAILED;
    case AD_PLAN_CALL:
        return AD_CALL_FAILED;
    }
    ad_unreachable();
    return AD_OK;
}

/* ---- the function ---- */

enum { FEW_LOADS = 8 };

static void add_loads(struct ad_c_writer *w, struct ad_text *text)
{
    const struct ad_plan *plan = w->plan;

    if (plan->n_loads == 0)
        return;
    w->used[AD_SPACE_FRAME] = 1;
    for (int j = 0; j < plan->n_loads && plan->n_loads <= FEW_LOADS; j++)
        ad_text_add(text,
                    "    memcpy(v + %" PRId64 ", inputs[%" PRId32 "] + %" PRId64 ", %" PRId64
                    " * sizeof(double));\n",
                    plan->loads[j].to, plan->loads[j].input, plan->loads[j].at, plan->loads[j].n);
    if (plan->n_loads <= FEW_LOADS)
        return;
    ad_text_add(&w->tables, "static const int64_t %s_loads[][4] = {\n", w->name);
    for (int j = 0; j < plan->n_loads; j++)
        ad_text_add(&w->tables, "    {%" PRId64 ", %" PRId32 ", %" PRId64 ", %" PRId64 "},\n",
                    plan->loads[j].to, plan->loads[j].input, plan->loads[j].at, plan->loads[j].n);
    ad_text_add(&w->tables, "};\n");
    ad_text_add(text,
                "    for (int32_t k = 0; k < %d; k++) {\n"
                "        const int64_t *const load = %s_loads[k];\n\n"
                "        memcpy(v + load[0], inputs[load[1]] + load[2],\n"
                "               (size_t)load[3] * sizeof(double));\n"
                "    }\n",
                plan->n_loads, w->name);
}

/* to[i] = each element of a reading, which are read where the run ended. */
static void add_reading(struct ad_c_writer *w, const struct ad_reading *reading, const char *to)
{
    struct ad_text *text = &w->body;
    int table = ad_c_walk_table(w, &reading->walk);

    ad_text_add(text, "    for (int64_t i = 0; i < %" PRId64 "; i++)\n        %s[i] = ", reading->n,
                to);
    ad_c_listed(w, text, &reading->walk, table, "i");
    ad_text_add(text, ";\n");
}

static void add_guard(struct ad_c_writer *w, int g)
{
    const struct ad_reading *reading = &w->plan->guards[g];
    struct ad_text *text = &w->body;

    if (reading->n == 0)
        return;
    ad_text_add(&w->tables, "static const uint64_t %s_g%d[] = {", w->name, g);
    for (int64_t j = 0; j < reading->n; j++) {
        uint64_t bits;

        memcpy(&bits, &w->plan->expected[g][j], sizeof bits);
        ad_text_add(&w->tables, "%sUINT64_C(0x%" PRIx64 ")",
                    j == 0  ? ""
                    : j % 4 ? ", "
                            : ",\n    ",
                    bits);
    }
    ad_text_add(&w->tables, "};\n");
    add_reading(w, reading, "room");
    ad_text_add(text,
                "    if (memcmp(room, %s_g%d, sizeof %s_g%d) != 0)\n"
                "        return %d;\n",
                w->name, g, w->name, g, g);
}

/* A table of doubles. */
static void add_numbers(struct ad_c_writer *w, const char *kind, int k, const double *numbers,
                        int64_t n)
{
    struct ad_text *text = &w->tables;

    ad_text_add(text, "static const double %s_%s", w->name, kind);
    if (k >= 0)
        ad_text_add(text, "%d", k);
    ad_text_add(text, "[] = {");
    for (int64_t j = 0; j < n; j++) {
        ad_text_add(text, j == 0 ? "" : j % 8 ? ", " : ",\n    ");
        ad_text_number(text, numbers[j]);
    }
    ad_text_add(text, n ? "};\n" : "0};\n");
}

static enum ad_status write_body(struct ad_c_writer *w)
{
    const struct ad_plan *plan = w->plan;
    enum ad_status status = AD_OK;

    for (int64_t k = 0; k < plan->n_steps && !status; k++)
        status = add_step(w, &plan->steps[k]);
    for (int g = 0; g < plan->n_guards && !status; g++)
        add_guard(w, g);
    for (int k = 0; k < plan->code.n_outputs && !status; k++) {
        char to[24];
        struct ad_text name = {NULL, 0, 0, false};

        if (!plan->outputs[k].n)
            continue;
        ad_c_space(w, &name, AD_SPACE_INPUTS + plan->code.n_inputs + k);
        if (!name.failed && name.n < sizeof to) {
            memcpy(to, name.data, name.n + 1);
            add_reading(w, &plan->outputs[k], to);
        } else {
            status = AD_NO_MEMORY;
        }
        ad_text_free(&name);
    }
    return status;
}

/* Tables, declarations and the body together. */
static void put_together(struct ad_c_writer *w, struct ad_c_function *function)
{
    const struct ad_plan *plan = w->plan;
    struct ad_text head = {NULL, 0, 0, false}, *text = &function->text;
    int64_t n_frame = (ad_c_frame_end(w) + w->n_moved + 7) & ~(int64_t)7,
            n_strips = (int64_t)w->n_kept * AD_C_STRIP;

    add_loads(w, &head);
    if (w->numbers_in_frame) {
        w->used[AD_SPACE_FRAME] = 1;
        w->numbers_in_table = true;
        ad_text_add(&head, "    memcpy(v + %" PRId64 ", %s_numbers, sizeof %s_numbers);\n",
                    w->plan->numbers_at, w->name, w->name);
    }
    if (w->numbers_in_table)
        add_numbers(w, "numbers", -1, plan->code.numbers, plan->code.n_numbers);
    for (int k = 0; k < (int32_t)plan->code.n_arrays; k++)
        if (w->used[AD_SPACE_INPUTS + plan->code.n_inputs + plan->code.n_outputs + k])
            add_numbers(w, "a", k, plan->code.arrays[k]->data, plan->code.arrays[k]->n);
    ad_text_join(text, &w->tables);
    ad_text_join(text, &w->parts);
    ad_text_add(text,
                "int %s(const double *const *inputs, double *const *outputs, double *work)\n{\n",
                w->name);
    ad_c_declare(w, text);
    if (n_strips)
        ad_text_add(text, "    double *restrict const strips = work + %" PRId64 ";\n", n_frame);
    if (plan->n_room)
        ad_text_add(text, "    double *restrict const room = work + %" PRId64 ";\n",
                    n_frame + n_strips);
    ad_text_add(text, "\n    (void)inputs, (void)outputs, (void)work;\n%s",
                plan->n_room ? "    (void)room;\n" : "");
    ad_text_join(text, &head);
    ad_text_join(text, &w->body);
    ad_text_add(text, "    return -1;\n}\n");
    if (head.failed || w->tables.failed || w->parts.failed || w->body.failed)
        text->failed = true;
    function->n_work = n_frame + n_strips + plan->n_room;
    ad_text_free(&head);
}

/* The first instruction that calls something from outside; -1 if there is none. */
static int32_t find_call(const struct ad_program *program)
{
    for (int32_t i = program->n_inputs; i < program->tape->n; i++)
        if (ad_tape_is_array(program->tape, i) && ad_tape_has_rule(program->tape, i))
            return i;
    return -1;
}

enum ad_status ad_to_c(const struct ad_program *program, const char *name,
                       struct ad_c_function *function)
{
    struct ad_plan *plan = NULL;
    struct ad_c_writer w = {.name = name, .ops = function->ops};
    enum ad_status status;

    memset(function, 0, sizeof *function);
    function->call = -1;
    status = ad_plan_new(program, &plan);
    if (status)
        return status;
    w.plan = plan;
    w.used = calloc((size_t)plan->n_spaces + 1, 1);
    status = w.used ? write_body(&w) : AD_NO_MEMORY;
    if (status == AD_CALL_FAILED)
        function->call = find_call(program);
    if (!status)
        put_together(&w, function);
    if (!status && function->text.failed)
        status = AD_NO_MEMORY;
    ad_text_free(&w.tables);
    ad_text_free(&w.parts);
    ad_text_free(&w.body);
    free(w.used);
    free(w.claims);
    ad_plan_free(plan);
    return status;
}

void ad_c_function_free(struct ad_c_function *function)
{
    ad_text_free(&function->text);
}

/* ad_c_write.c -- names, literals, tables and walks. */
#include "ad_c_write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct ad_c_place ad_c_place(const struct ad_c_writer *w, int32_t space, int64_t at)
{
    int64_t number = at - w->plan->numbers_at;

    if (space == AD_SPACE_FRAME && number >= 0 && number < w->plan->code.n_numbers)
        return (struct ad_c_place){AD_C_NUMBER, number};
    return (struct ad_c_place){space, at};
}

enum ad_status ad_c_frame_claims(struct ad_c_writer *w)
{
    int64_t n = ad_c_frame_end(w) + w->n_moved + 1;
    struct ad_c_claim *more;

    if (n <= w->n_claims)
        return AD_OK;
    more = realloc(w->claims, (size_t)n * sizeof *more);
    if (!more)
        return AD_NO_MEMORY;
    memset(more + w->n_claims, 0, (size_t)(n - w->n_claims) * sizeof *more);
    w->claims = more;
    w->n_claims = n;
    return AD_OK;
}

void ad_c_space(struct ad_c_writer *w, struct ad_text *text, int32_t space)
{
    const struct ad_plan *plan = w->plan;
    int32_t k = space - AD_SPACE_INPUTS;

    w->used[space] = 1;
    if (space == AD_SPACE_FRAME)
        ad_text_add(text, "v");
    else if (k < plan->code.n_inputs)
        ad_text_add(text, "x%" PRId32, k);
    else if ((k -= plan->code.n_inputs) < plan->code.n_outputs)
        ad_text_add(text, "y%" PRId32, k);
    else if ((k -= plan->code.n_outputs) < (int32_t)plan->code.n_arrays)
        ad_text_add(text, "%s_a%" PRId32, w->name, k);
    else
        ad_text_add(text, "q%" PRId32, k - (int32_t)plan->code.n_arrays);
}

void ad_c_declare(struct ad_c_writer *w, struct ad_text *text)
{
    int n_inputs = w->plan->code.n_inputs;

    for (int k = 0; k < n_inputs; k++)
        if (w->used[AD_SPACE_INPUTS + k])
            ad_text_add(text, "    const double *restrict const x%d = inputs[%d];\n", k, k);
    for (int k = 0; k < w->plan->code.n_outputs; k++)
        if (w->used[AD_SPACE_INPUTS + n_inputs + k])
            ad_text_add(text, "    double *restrict const y%d = outputs[%d];\n", k, k);
    if (w->used[AD_SPACE_FRAME])
        ad_text_add(text, "    double *restrict const v = work;\n");
}

bool ad_c_begin_part(struct ad_c_writer *w, struct ad_c_part *part)
{
    uint8_t *used = calloc((size_t)w->plan->n_spaces + 1, 1);

    if (!used)
        return false;
    *part = (struct ad_c_part){w->body, w->used};
    w->body = (struct ad_text){NULL, 0, 0, false};
    w->used = used;
    return true;
}

void ad_c_end_part(struct ad_c_writer *w, struct ad_c_part *part)
{
    int32_t arrays = AD_SPACE_INPUTS + w->plan->code.n_inputs + w->plan->code.n_outputs;

    ad_text_add(
        &w->parts,
        "AD_APART static void %s_part%d(const double *const *inputs, double *const *outputs, "
        "double *work)\n{\n",
        w->name, w->n_parts);
    ad_c_declare(w, &w->parts);
    ad_text_add(&w->parts, "\n    (void)inputs, (void)outputs, (void)work;\n");
    ad_text_join(&w->parts, &w->body);
    ad_text_add(&w->parts, "}\n\n");
    for (int32_t k = arrays; k < w->plan->n_spaces; k++)
        part->used[k] |= w->used[k];
    ad_text_free(&w->body);
    free(w->used);
    w->body = part->body;
    w->used = part->used;
    ad_text_add(&w->body, "    %s_part%d(inputs, outputs, work);\n", w->name, w->n_parts++);
}

void ad_c_element(struct ad_c_writer *w, struct ad_text *text, struct ad_c_place place)
{
    if (place.space == AD_C_NUMBER) {
        ad_text_number(text, w->plan->code.numbers[place.at]);
        return;
    }
    ad_c_space(w, text, place.space);
    ad_text_add(text, "[%" PRId64 "]", place.at);
}

int ad_c_table(struct ad_c_writer *w, const int32_t *positions, int64_t n)
{
    ad_text_add(&w->tables, "static const int32_t %s_t%d[] = {", w->name, w->n_tables);
    for (int64_t j = 0; j < n; j++)
        ad_text_add(&w->tables, "%s%" PRId32,
                    j == 0   ? ""
                    : j % 16 ? ", "
                             : ",\n    ",
                    positions[j]);
    ad_text_add(&w->tables, "%s};\n", n ? "" : "0");
    return w->n_tables++;
}

/* How many entries of its list a walk may look up. */
static int64_t list_length(const struct ad_walk *walk)
{
    int64_t n = walk->base + 1;

    for (int d = 0; d < walk->ndim; d++) {
        if (walk->shape[d] == 0)
            return 0;
        n += AD_MAX(walk->stride[d], 0) * (walk->shape[d] - 1);
    }
    return n;
}

int ad_c_walk_table(struct ad_c_writer *w, const struct ad_walk *walk)
{
    int64_t n = list_length(walk);

    if (!walk->list)
        return -1;
    for (int64_t j = 0; j < n && walk->space == AD_SPACE_FRAME; j++)
        w->numbers_in_frame |= walk->list[j] >= w->plan->numbers_at;
    return ad_c_table(w, walk->list, n);
}

/* Where element 'index' is, counted from the base: "i / 3 * 5 + i % 3 * 2". */
static void add_offset(struct ad_text *text, const struct ad_walk *walk, const char *index)
{
    int64_t inner = 1;
    int first = 0;

    while (first < walk->ndim - 1 && walk->shape[first] == 1)
        first++; /* the first that counts needs no "%" */
    for (int d = walk->ndim - 1; d >= first; inner *= walk->shape[d--]) {
        if (walk->stride[d] == 0 || walk->shape[d] == 1)
            continue;
        ad_text_add(text, " + %s", index);
        if (inner != 1)
            ad_text_add(text, " / %" PRId64, AD_MAX(inner, 1));
        if (d > first)
            ad_text_add(text, " %% %" PRId64, AD_MAX(walk->shape[d], 1));
        if (walk->stride[d] != 1)
            ad_text_add(text, " * %s%" PRId64 "%s", walk->stride[d] < 0 ? "(" : "", walk->stride[d],
                        walk->stride[d] < 0 ? ")" : "");
    }
}

void ad_c_listed(struct ad_c_writer *w, struct ad_text *text, const struct ad_walk *walk, int table,
                 const char *index)
{
    if (!walk->list && walk->space == AD_SPACE_FRAME && walk->base >= w->plan->numbers_at) {
        /* one number, however often */
        ad_c_element(w, text, ad_c_place(w, walk->space, walk->base));
        return;
    }
    ad_c_space(w, text, walk->space);
    if (walk->list)
        ad_text_add(text, "[%s_t%d", w->name, table);
    ad_text_add(text, "[%" PRId64, walk->base);
    add_offset(text, walk, index);
    ad_text_add(text, walk->list ? "]]" : "]");
}

void ad_c_walk(struct ad_c_writer *w, struct ad_text *text, const struct ad_walk *walk,
               const char *index)
{
    ad_c_listed(w, text, walk, ad_c_walk_table(w, walk), index);
}

/* ---- ops ---- */

/* The value column, as text. */
static const char *const values[AD_N_OPS] = {
#define ROW(name, value) [AD_OP_##name] = #value,
#define UNARY(name, ufunc, value, ...) ROW(name, value)
#define HIDDEN_UNARY(name, value, ...) ROW(name, value)
#define FAMILY(name, ufunc, value, ...) ROW(name, value)
#define BINARY(name, ufunc, value, ...) ROW(name, value)
#define HIDDEN_BINARY(name, value, ...) ROW(name, value)
#define TERNARY(name, ufunc, value, ...) ROW(name, value)
#include "ad_ops.def"
#undef ROW
};

const char *ad_c_value(enum ad_op op)
{
    return values[op];
}

const char *ad_c_choice(enum ad_op op)
{
    return strstr(values[op], AD_C_OR_ELSE);
}

void ad_c_call(struct ad_c_writer *w, struct ad_text *text, enum ad_op op, bool each)
{
    each = each && ad_c_choice(op);
    w->ops[op] |= each ? AD_C_EACH : AD_C_ONE;
    ad_text_add(text, "%s_%s(", each ? "each" : "op", ad_ops[op].name);
}

void ad_c_call_over(struct ad_c_writer *w, struct ad_text *text, enum ad_op op)
{
    w->ops[op] |= AD_C_ONE | AD_C_OVER;
    ad_text_add(text, "over_%s(", ad_ops[op].name);
}

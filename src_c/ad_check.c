/* ad_check.c -- the rules of instructions and views, held against what is there. */
#include "ad_check.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- faults ---- */

enum ad_status ad_fault_text(struct ad_fault *fault, const char *field, const char *expected,
                             const char *found)
{
    snprintf(fault->field, sizeof fault->field, "%s", field);
    snprintf(fault->expected, sizeof fault->expected, "%s", expected);
    snprintf(fault->found, sizeof fault->found, "%s", found);
    fault->offset = -1;
    fault->part = AD_PART_WHOLE;
    fault->dim = 0;
    return AD_BAD_PROGRAM;
}

enum ad_status ad_fault_range(struct ad_fault *fault, const char *field, int64_t low, int64_t high,
                              int64_t found)
{
    char expected[64], number[32];

    if (low == high)
        snprintf(expected, sizeof expected, "%" PRId64, low);
    else if (low > high)
        snprintf(expected, sizeof expected, "nothing to refer to");
    else
        snprintf(expected, sizeof expected, "%" PRId64 " to %" PRId64, low, high);
    snprintf(number, sizeof number, "%" PRId64, found);
    return ad_fault_text(fault, field, expected, number);
}

void ad_fault_within(struct ad_fault *fault, const char *what, int64_t index)
{
    char text[2 * sizeof fault->field], number[32] = "";

    if (index >= 0)
        snprintf(number, sizeof number, " %" PRId64, index);
    snprintf(text, sizeof text, "%.60s%s%s%s", what, number, fault->field[0] ? " " : "",
             fault->field);
    snprintf(fault->field, sizeof fault->field, "%.159s", text);
}

static enum ad_status blame(struct ad_fault *fault, enum ad_part part, int dim)
{
    fault->part = part;
    fault->dim = dim;
    return AD_BAD_PROGRAM;
}

static enum ad_status blame_dim(struct ad_fault *fault, enum ad_part part, int dim, int64_t low,
                                int64_t high, int64_t found)
{
    char field[32];

    snprintf(field, sizeof field, "%s %d", part == AD_PART_SHAPE ? "length" : "stride", dim);
    ad_fault_range(fault, field, low, high, found);
    return blame(fault, part, dim);
}

/* ---- views ---- */

struct ad_bounds ad_list_bounds(const struct ad_list *list)
{
    struct ad_bounds bounds = {INT32_MAX, INT32_MIN};

    for (int64_t j = 0; j < list->n; j++) {
        bounds.low = AD_MIN(bounds.low, list->slot[j]);
        bounds.high = AD_MAX(bounds.high, list->slot[j]);
    }
    return bounds;
}

enum ad_status ad_check_shape(int ndim, const int64_t *shape, struct ad_fault *fault)
{
    int64_t most = AD_MOST_ELEMENTS;

    for (int d = 0; d < ndim; d++) {
        if (shape[d] < 0 || shape[d] > most)
            return blame_dim(fault, AD_PART_SHAPE, d, 0, most, shape[d]);
        most /= AD_MAX(shape[d], 1);
    }
    return AD_OK;
}

static enum ad_status check_entries(struct ad_bounds entries, int64_t low, int64_t high,
                                    struct ad_fault *fault)
{
    if (entries.low > entries.high || (entries.low >= low && entries.high <= high))
        return AD_OK;
    ad_fault_range(fault, "entry of its list", low, high,
                   entries.low < low ? entries.low : entries.high);
    return blame(fault, AD_PART_LIST, 0);
}

/* The numbers that base + i may take, from *low to *high, by the place of the view. */
static enum ad_status reach_of(const struct ad_tape *tape, int32_t end, int64_t own,
                               struct ad_bounds entries, const struct ad_view *view, int64_t *low,
                               int64_t *high, struct ad_fault *fault)
{
    bool is_own = view->place == AD_OWN || view->place == AD_OWN_LIST;

    if (is_own != (own >= 0)) {
        ad_fault_text(fault, "place", own >= 0 ? "one of the instruction's results" : "an operand",
                      is_own ? "results" : "an operand");
        return blame(fault, AD_PART_PLACE, 0);
    }
    if ((view->place == AD_LIST && !view->in.list->head) ||
        (view->place == AD_OWN_LIST && view->in.list->head)) {
        ad_fault_text(fault, "list", is_own ? "a list of results" : "a list of slots",
                      is_own ? "one of slots" : "one of results");
        return blame(fault, AD_PART_LIST, 0);
    }
    *low = 0;
    switch (view->place) {
    case AD_SLOTS:
        *low = -tape->n_consts;
        *high = (int64_t)end - 1;
        if (view->base >= 0 && view->base < end) { /* what one instruction produced */
            int32_t i = ad_tape_producer(tape, (int32_t)view->base);

            *low = tape->dst[i];
            *high = AD_MIN(*low + ad_tape_length(tape, i), end) - 1;
        } else if (view->base >= -tape->n_consts && view->base < 0) { /* one constant */
            *low = *high = view->base;
        }
        return AD_OK;
    case AD_LIST:
        *high = view->in.list->n - 1;
        return check_entries(entries, -tape->n_consts, (int64_t)end - 1, fault);
    case AD_OWN_LIST:
        *high = view->in.list->n - 1;
        return check_entries(entries, 0, own - 1, fault);
    case AD_ARRAY:
        *high = view->in.array->n - 1;
        return AD_OK;
    case AD_OWN:
        *high = own - 1;
        return AD_OK;
    case AD_NUMBER:
        *high = 0;
        return AD_OK;
    }
    ad_fault_range(fault, "place", AD_SLOTS, AD_OWN_LIST, (int64_t)view->place);
    return blame(fault, AD_PART_PLACE, 0);
}

enum ad_status ad_check_view(const struct ad_tape *tape, int32_t end, int64_t own,
                             struct ad_bounds entries, const struct ad_view *view,
                             struct ad_fault *fault)
{
    int64_t low, high, least = view->base, most = view->base;
    enum ad_status status = reach_of(tape, end, own, entries, view, &low, &high, fault);

    if (status)
        return status;
    if (view->ndim < 0 || view->ndim > AD_MAX_DIMS)
        return ad_fault_range(fault, "dimensions", 0, AD_MAX_DIMS, view->ndim);
    status = ad_check_shape(view->ndim, view->shape, fault);
    if (status || view->place == AD_NUMBER)
        return status;
    if (ad_view_size(view) == 0) { /* nothing is read, wherever it would be */
        low = -AD_MOST_STRIDE;
        high = AD_MOST_STRIDE;
    }
    if (view->base < low || view->base > high) {
        ad_fault_range(fault, "base", low, high, view->base);
        return blame(fault, AD_PART_BASE, 0);
    }
    for (int d = 0; d < view->ndim; d++) {
        int64_t step = view->stride[d], times = view->shape[d] - 1;
        int64_t back = AD_MOST_STRIDE, on = AD_MOST_STRIDE;

        if (times > 0 && ad_view_size(view) > 0) {
            back = AD_MIN(back, (least - low) / times);
            on = AD_MIN(on, (high - most) / times);
        }
        if (step < -back || step > on)
            return blame_dim(fault, AD_PART_STRIDE, d, -back, on, step);
        if (times > 0) {
            least += AD_MIN(step, 0) * times;
            most += AD_MAX(step, 0) * times;
        }
    }
    return AD_OK;
}

/* ---- instructions ---- */

static enum ad_status check_operand(const struct ad_tape *tape, const char *field, int32_t slot,
                                    int32_t end, struct ad_fault *fault)
{
    if (slot >= -tape->n_consts && slot < end)
        return AD_OK;
    return ad_fault_range(fault, field, -tape->n_consts, (int64_t)end - 1, slot);
}

/* The parameter of a FAMILY row is a whole number, infinities among them. */
static enum ad_status check_parameter(double p, struct ad_fault *fault)
{
    char found[32];

    if (p == rint(p))
        return AD_OK;
    snprintf(found, sizeof found, "%.17g", p);
    return ad_fault_text(fault, "parameter", "a whole number", found);
}

enum ad_status ad_check_scalar(const struct ad_tape *tape, int code, int32_t a, int32_t b,
                               int32_t end, struct ad_fault *fault)
{
    enum ad_status status;

    if (code >= AD_N_OPS || ad_ops[code].n_args > 2)
        return ad_fault_text(fault, "op", "an op of one or two arguments",
                             code < AD_N_OPS ? ad_ops[code].name : "an op on arrays");
    status = check_operand(tape, "operand 0", a, end, fault);
    if (status)
        return status;
    if (ad_ops[code].family) {
        status = check_operand(tape, "parameter", b, 0, fault);
        return status ? status : check_parameter(tape->value[b], fault);
    }
    if (ad_ops[code].n_args == 1)
        return a == b ? AD_OK : ad_fault_range(fault, "operand 1", a, a, b);
    return check_operand(tape, "operand 1", b, end, fault);
}

/* Views v and w agree in dimensions first .. last - 1, which both have. */
static enum ad_status check_lengths(const struct ad_view *views, int64_t v, int64_t w, int first,
                                    int last, struct ad_fault *fault)
{
    for (int d = first; d < last; d++)
        if (views[v].shape[d] != views[w].shape[d]) {
            blame_dim(fault, AD_PART_SHAPE, d, views[w].shape[d], views[w].shape[d],
                      views[v].shape[d]);
            ad_fault_within(fault, "operand", v);
            return blame(fault, AD_PART_WHOLE, 0);
        }
    return AD_OK;
}

static enum ad_status check_ndim(const struct ad_view *views, int64_t v, int low, int high,
                                 struct ad_fault *fault)
{
    if (views[v].ndim >= low && views[v].ndim <= high)
        return AD_OK;
    ad_fault_range(fault, "dimensions", low, high, views[v].ndim);
    ad_fault_within(fault, "operand", v);
    return AD_BAD_PROGRAM;
}

static enum ad_status check_same_shape(const struct ad_view *views, int64_t v, int64_t w,
                                       struct ad_fault *fault)
{
    enum ad_status status = check_ndim(views, v, views[w].ndim, views[w].ndim, fault);

    return status ? status : check_lengths(views, v, w, 0, views[w].ndim, fault);
}

/* How many views a code takes, -1 for any; and the highest 'extra', from 0. */
static bool signature_of(int code, int64_t *n_views, int64_t *most_extra)
{
    *most_extra = 0;
    if (code < AD_N_OPS) {
        *n_views = ad_ops[code].n_args;
        return code >= 0;
    }
    switch (code) {
    case AD_INPUT:
        *n_views = 0;
        return true;
    case AD_ADDTO:
        *n_views = -1;
        *most_extra = 1;
        return true;
    case AD_MATMUL:
        *n_views = 2;
        return true;
    case AD_CUMSUM:
    case AD_EXTREMUM:
        *most_extra = 1;
        *n_views = 1;
        return true;
    case AD_NORM:
    case AD_ARGSORT:
        *n_views = 1;
        return true;
    case AD_GATHER:
        *n_views = 2;
        return true;
    case AD_SCATTER:
        *n_views = 2;
        *most_extra = AD_MOST_ELEMENTS; /* the length of a row */
        return true;
    case AD_KERNEL:
        *n_views = -1;
        *most_extra = INT64_MAX; /* read with the shapes */
        return true;
    case AD_CALL:
        *n_views = -1;
        *most_extra = INT64_MAX; /* a rule */
        return true;
    default:
        return false;
    }
}

static enum ad_status size_of_kernel(double p, int64_t extra, int64_t n,
                                     const struct ad_view *views, int64_t *size,
                                     struct ad_fault *fault)
{
    struct ad_kernel kernel;
    const char *needs = ad_kernel_read(extra, p, (int)AD_MIN(n, INT32_MAX), views, &kernel);

    if (needs)
        return ad_fault_text(fault, "kernel", needs, "others");
    *size = kernel.batches * kernel.size;
    return AD_OK;
}

/* The results of a code that takes 'views', as far as these tell: *size, else left as it is. */
static enum ad_status size_of(int code, double p, int64_t extra, int64_t n,
                              const struct ad_view *views, int64_t *size, struct ad_fault *fault)
{
    int last = n > 0 ? views[0].ndim - 1 : 0;
    enum ad_status status = AD_OK;

    if (code == AD_KERNEL)
        return size_of_kernel(p, extra, n, views, size, fault);
    if (code < AD_N_OPS) {
        for (int64_t v = 1; v < n && !status; v++)
            status = check_same_shape(views, v, 0, fault);
        *size = ad_view_size(&views[0]);
    } else if (code == AD_ADDTO) {
        for (int64_t v = 0; v < n && !status; v += 2)
            status = check_same_shape(views, v, v + 1, fault);
    } else if (code == AD_MATMUL) {
        int64_t shape[AD_MAX_DIMS];

        status = check_ndim(views, 0, 2, AD_MAX_DIMS, fault);
        if (!status)
            status = check_ndim(views, 1, last + 1, last + 1, fault);
        if (!status)
            status = check_lengths(views, 1, 0, 0, last - 1, fault);
        if (status)
            return status;
        if (views[1].shape[last - 1] != views[0].shape[last]) {
            blame_dim(fault, AD_PART_SHAPE, last - 1, views[0].shape[last], views[0].shape[last],
                      views[1].shape[last - 1]);
            ad_fault_within(fault, "operand", 1);
            return blame(fault, AD_PART_WHOLE, 0);
        }
        memcpy(shape, views[0].shape, (size_t)last * sizeof *shape);
        shape[last] = views[1].shape[last];
        *size = ad_shape_size(last + 1, shape);
    } else if (code == AD_GATHER || code == AD_SCATTER) {
        status = check_ndim(views, 0, 1, AD_MAX_DIMS, fault);
        if (!status)
            status = check_ndim(views, 1, 1, 1, fault);
        if (status)
            return status;
        if (code == AD_SCATTER && views[0].shape[last] != views[1].shape[0]) {
            blame_dim(fault, AD_PART_SHAPE, 0, views[0].shape[last], views[0].shape[last],
                      views[1].shape[0]);
            ad_fault_within(fault, "operand", 1);
            return blame(fault, AD_PART_WHOLE, 0);
        }
        *size =
            ad_shape_size(last, views[0].shape) * (code == AD_GATHER ? views[1].shape[0] : extra);
    } else if (code == AD_CUMSUM || code == AD_EXTREMUM || code == AD_NORM || code == AD_ARGSORT) {
        status = check_ndim(views, 0, 1, AD_MAX_DIMS, fault);
        if (status)
            return status;
        if (code == AD_EXTREMUM && views[0].shape[last] == 0)
            return ad_fault_text(fault, "operand 0 last length", "1 or more", "0");
        *size = ad_shape_size(code == AD_CUMSUM || code == AD_ARGSORT ? last + 1 : last,
                              views[0].shape);
    }
    return status;
}

enum ad_status ad_check_block(int code, double p, int64_t extra, int64_t size, int64_t n,
                              const struct ad_view *views, struct ad_fault *fault)
{
    int64_t n_views, most_extra, want = size;
    enum ad_status status;

    if (!signature_of(code, &n_views, &most_extra))
        return ad_fault_range(fault, "op", 0, AD_CALL, code);
    if (n_views >= 0 ? n != n_views : code == AD_ADDTO && n % 2 != 0)
        return ad_fault_range(fault, "operands", n_views >= 0 ? n_views : n + 1,
                              n_views >= 0 ? n_views : n + 1, n);
    if (most_extra < INT64_MAX && (extra < 0 || extra > most_extra))
        return ad_fault_range(fault, "extra", 0, most_extra, extra);
    if (code < AD_N_OPS && ad_ops[code].family) {
        status = check_parameter(p, fault);
        if (status)
            return status;
    }
    status = size_of(code, p, extra, n, views, &want, fault);
    if (!status && want != size)
        status = ad_fault_range(fault, "results", want, want, size);
    return status;
}

/* ---- programs ---- */

static struct ad_bounds bounds_of(const struct ad_view *view)
{
    if (view->place == AD_LIST || view->place == AD_OWN_LIST)
        return ad_list_bounds(view->in.list);
    return (struct ad_bounds){INT32_MAX, INT32_MIN};
}

static enum ad_status check_array_instruction(const struct ad_tape *tape, int32_t i,
                                              struct ad_fault *fault)
{
    const int64_t *block = tape->aux + tape->a[i];
    int code = ad_tape_code(tape, i), n = (int)block[1];
    struct ad_view few[AD_MAX_ARGS], *views = few;
    enum ad_status status = AD_OK;
    double p;

    if (block[2] != ad_tape_length(tape, i))
        return ad_fault_range(fault, "results", block[2], block[2], ad_tape_length(tape, i));
    if (n > AD_MAX_ARGS) {
        views = malloc((size_t)n * sizeof *views);
        if (!views)
            return AD_NO_MEMORY;
    }
    ad_tape_views(tape, i, views, n);
    for (int v = 0; v < n && !status; v++) {
        status = ad_check_view(tape, tape->dst[i], code == AD_ADDTO && v % 2 ? block[2] : -1,
                               bounds_of(&views[v]), &views[v], fault);
        if (status)
            ad_fault_within(fault, "operand", v);
    }
    memcpy(&p, block + 3, sizeof p);
    if (!status)
        status = ad_check_block(code, p, block[4], block[2], n, views, fault);
    if (views != few)
        free(views);
    return status;
}

static enum ad_status check_instructions(const struct ad_program *program, struct ad_fault *fault)
{
    const struct ad_tape *tape = program->tape;
    enum ad_status status = AD_OK;
    int32_t n_slots = 0;

    for (int32_t i = 0; i < tape->n && !status; i++) {
        bool is_input = ad_tape_is_array(tape, i) && ad_tape_code(tape, i) == AD_INPUT;
        int32_t origin = ad_tape_origin(tape, i);

        if (is_input != (i < program->n_inputs))
            status = ad_fault_text(fault, "op", is_input ? "no input" : "an input",
                                   is_input ? "an input" : "none");
        else if (origin < -1 || origin >= program->n_origins)
            status = ad_fault_range(fault, "origin", -1, program->n_origins - 1, origin);
        else if (tape->dst[i] != n_slots)
            status = ad_fault_range(fault, "first slot", n_slots, n_slots, tape->dst[i]);
        else if (ad_tape_is_array(tape, i))
            status = check_array_instruction(tape, i, fault);
        else
            status = ad_check_scalar(tape, ad_tape_code(tape, i), tape->a[i], tape->b[i],
                                     tape->dst[i], fault);
        if (status)
            ad_fault_within(fault, "instruction", i);
        n_slots += ad_tape_length(tape, i);
    }
    return status;
}

static enum ad_status check_inputs(const struct ad_program *program, struct ad_fault *fault)
{
    const struct ad_tape *tape = program->tape;
    enum ad_status status = AD_OK;

    if (program->n_inputs > tape->n)
        return ad_fault_range(fault, "inputs", 0, tape->n, program->n_inputs);
    for (int k = 0; k < program->n_inputs && !status; k++) {
        const struct ad_view *input = &program->inputs[k];

        status = ad_check_shape(input->ndim, input->shape, fault);
        if (!status &&
            (input->place != AD_SLOTS || input->base != tape->dst[k] ||
             ad_view_size(input) != ad_tape_length(tape, k) || !ad_view_is_contiguous(input)))
            status = ad_fault_text(fault, "view", "the results of its instruction, in C order",
                                   "another view");
        if (status)
            ad_fault_within(fault, "input", k);
    }
    return status;
}

enum ad_status ad_program_check(const struct ad_program *program, struct ad_fault *fault)
{
    const struct ad_tape *tape = program->tape;
    enum ad_status status = check_instructions(program, fault);

    if (!status)
        status = check_inputs(program, fault);
    for (int k = 0; k < program->n_outputs && !status; k++) {
        const struct ad_view *view = &program->outputs[k];

        status = ad_check_view(tape, tape->n_slots, -1, bounds_of(view), view, fault);
        if (status)
            ad_fault_within(fault, "output", k);
    }
    for (int g = 0; g < program->n_guards && !status; g++) {
        const struct ad_guard *guard = &program->guards[g];

        status =
            ad_check_view(tape, tape->n_slots, -1, bounds_of(&guard->view), &guard->view, fault);
        if (!status && guard->n != ad_view_size(&guard->view))
            status = ad_fault_range(fault, "numbers", ad_view_size(&guard->view),
                                    ad_view_size(&guard->view), guard->n);
        if (!status && (guard->origin < -1 || guard->origin >= program->n_origins))
            status = ad_fault_range(fault, "origin", -1, program->n_origins - 1, guard->origin);
        if (!status && ((int)guard->kind < AD_GUARD_TRUTH || guard->kind > AD_GUARD_VALUE))
            status =
                ad_fault_range(fault, "kind", AD_GUARD_TRUTH, AD_GUARD_VALUE, (int64_t)guard->kind);
        if (status)
            ad_fault_within(fault, "guard", g);
    }
    return status;
}

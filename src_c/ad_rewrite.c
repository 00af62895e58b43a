/* ad_rewrite.c -- copying instructions from one program to another. */
#include "ad_rewrite.h"

#include <stdlib.h>
#include <string.h>

struct ad_frozen {
    const struct ad_array *array;
    struct ad_array *copy; /* holds one reference */
    struct ad_frozen *next;
};

/* The array itself, or a copy if others might write to it; passed with a reference.  NULL without
 * memory. */
static struct ad_array *frozen_array(struct ad_rewrite *r, struct ad_array *array)
{
    struct ad_frozen *frozen = r->frozen;

    if (!array->checked) {
        array->refs++;
        return array;
    }
    while (frozen && frozen->array != array)
        frozen = frozen->next;
    if (!frozen) {
        frozen = malloc(sizeof *frozen);
        if (!frozen)
            return NULL;
        frozen->copy = ad_array_copy(array->data, array->n);
        if (!frozen->copy) {
            free(frozen);
            return NULL;
        }
        frozen->array = array;
        frozen->next = r->frozen;
        r->frozen = frozen;
    }
    frozen->copy->refs++;
    return frozen->copy;
}

enum ad_status ad_rewrite_begin(struct ad_rewrite *r, const struct ad_program *from)
{
    const struct ad_tape *tape = from->tape;
    size_t n = (size_t)tape->n_consts + (size_t)tape->n_slots + 1;
    enum ad_status status;

    r->from = from;
    r->frozen = NULL;
    r->to = ad_program_new();
    r->slot_block = malloc(n * sizeof *r->slot_block);
    if (!r->to || !r->slot_block)
        return AD_NO_MEMORY;
    r->slot = r->slot_block + tape->n_consts;
    for (size_t j = 0; j < n; j++)
        r->slot_block[j] = AD_GONE;
    r->to->tape->hooks = tape->hooks;
    r->to->tape->symbolic = tape->symbolic;
    status = ad_program_copy_origins(r->to, from);
    for (int k = 0; k < from->n_inputs && !status; k++) {
        const struct ad_view *input = &from->inputs[k];

        status = ad_program_add_input(r->to, input->ndim, input->shape,
                                      tape->symbolic ? NULL : tape->value + input->base);
        if (!status)
            ad_rewrite_results(r, k, r->to->tape->dst[k]);
    }
    return status;
}

int32_t ad_rewrite_slot(struct ad_rewrite *r, int32_t slot)
{
    int32_t *now = &r->slot[slot];

    if (*now == AD_GONE && slot < 0) {
        if (ad_tape_grow(r->to->tape, 0, 0, 1, 0))
            return AD_GONE; /* without memory */
        *now = ad_tape_const(r->to->tape, r->from->tape->value[slot]);
    }
    ad_assert(*now != AD_GONE);
    return *now;
}

static bool is_even(const int32_t *slot, int64_t n)
{
    for (int64_t j = 1; j < n; j++)
        if (slot[j] != slot[0] + j)
            return false;
    return true;
}

static enum ad_status view_of_list(struct ad_rewrite *r, struct ad_view *view, const int32_t *old,
                                   int64_t n)
{
    struct ad_list *list = ad_list_new(&r->to->tape->lists, n);

    if (!list)
        return AD_NO_MEMORY;
    for (int64_t j = 0; j < n; j++) {
        list->slot[j] = ad_rewrite_slot(r, old[j]);
        if (list->slot[j] == AD_GONE) {
            ad_list_drop(list);
            return AD_NO_MEMORY;
        }
    }
    view->place = AD_LIST;
    view->in.list = list;
    return AD_OK;
}

enum ad_status ad_rewrite_view(struct ad_rewrite *r, const struct ad_view *view,
                               struct ad_view *now)
{
    int64_t low = view->base, high = view->base;

    ad_view_copy(now, view);
    if (view->place == AD_LIST)
        return view_of_list(r, now, view->in.list->slot, view->in.list->n);
    if (view->place == AD_OWN_LIST) {
        /* Lists of such views belong to no tape, but to one instruction: each has its own. */
        struct ad_list *list = ad_list_new(NULL, view->in.list->n);

        if (!list)
            return AD_NO_MEMORY;
        memcpy(list->slot, view->in.list->slot, (size_t)list->n * sizeof *list->slot);
        now->in.list = list;
        return AD_OK;
    }
    if (view->place == AD_ARRAY) {
        now->in.array = frozen_array(r, view->in.array);
        return now->in.array ? AD_OK : AD_NO_MEMORY;
    }
    if (view->place != AD_SLOTS)
        return AD_OK;
    for (int d = 0; d < view->ndim; d++) {
        int64_t reach = view->stride[d] * (view->shape[d] - 1);

        if (view->shape[d] == 0) {
            now->base = 0;
            return AD_OK;
        }
        low += AD_MIN(reach, 0);
        high += AD_MAX(reach, 0);
    }
    if (low < 0) { /* one constant, over and over */
        now->base = ad_rewrite_slot(r, (int32_t)view->base);
        return now->base == AD_GONE ? AD_NO_MEMORY : AD_OK;
    }
    if (is_even(r->slot + low, high - low + 1)) {
        ad_assert(r->slot[low] != AD_GONE);
        now->base += r->slot[low] - low;
        return AD_OK;
    }
    int64_t n = ad_view_size(view);
    int32_t *old = malloc((size_t)n * sizeof *old);
    struct ad_span_room room;
    enum ad_status status = old ? AD_OK : AD_NO_MEMORY;

    for (int64_t start = 0, k; start < n && !status; start += k) {
        k = ad_tile_size(view, n, start);
        struct ad_span span = ad_span_of(view, 0, NULL, start, k, &room);

        for (int64_t j = 0; j < k; j++)
            old[start + j] = span.kind == AD_SPAN_MANY  ? span.slots[j]
                             : span.kind == AD_SPAN_RUN ? span.slot + (int32_t)j
                                                        : span.slot;
    }
    if (!status)
        status = view_of_list(r, now, old, n);
    now->base = 0;
    ad_strides(now->ndim, now->shape, now->stride);
    free(old);
    return status;
}

void ad_rewrite_results(struct ad_rewrite *r, int32_t i, int32_t first)
{
    const struct ad_tape *tape = r->from->tape;
    int32_t n = ad_tape_length(tape, i), *slot = r->slot + tape->dst[i];

    for (int32_t j = 0; j < n; j++)
        slot[j] = first + j;
}

static enum ad_status copy_block(struct ad_rewrite *r, int32_t i)
{
    const struct ad_tape *tape = r->from->tape;
    struct ad_tape *to = r->to->tape;
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    int code = ad_tape_code(tape, i), n = (int)block[1], done = 0;
    struct ad_view few[AD_MAX_ARGS], *views = few, view;
    enum ad_status status = AD_OK;
    double p;

    if (n > AD_MAX_ARGS) {
        views = malloc((size_t)n * sizeof *views);
        if (!views)
            return AD_NO_MEMORY;
    }
    for (; done < n && !status; done++) {
        words = ad_view_decode(words, &view);
        status = ad_rewrite_view(r, &view, &views[done]);
    }
    if (status)
        done--; /* the last one holds nothing */
    memcpy(&p, block + 3, sizeof p);
    if (!status)
        status = ad_record_block(to, code, p, block[4], block[2], n, views);
    if (!status && code == AD_CALL)
        to->hooks->hold((void *)(uintptr_t)block[4]);
    while (done-- > 0)
        ad_view_drop(&views[done]);
    if (views != few)
        free(views);
    return status;
}

static enum ad_status copy_notes(struct ad_rewrite *r, int32_t i)
{
    const struct ad_tape *tape = r->from->tape;
    enum ad_status status = AD_OK;

    for (int32_t k = ad_tape_notes_before(tape, i);
         k < tape->n_notes && tape->notes[k].instr == i && !status; k++) {
        tape->hooks->hold(tape->notes[k].hook);
        status = ad_tape_add_note(r->to->tape, r->to->tape->n - 1, tape->notes[k].hook);
    }
    return status;
}

enum ad_status ad_rewrite_copy(struct ad_rewrite *r, int32_t i)
{
    const struct ad_tape *tape = r->from->tape;
    struct ad_tape *to = r->to->tape;
    int32_t length = ad_tape_length(tape, i), dst;
    enum ad_status status;

    ad_tape_here(to, ad_tape_origin(tape, i));
    if (ad_tape_is_array(tape, i)) {
        status = copy_block(r, i);
    } else {
        int32_t a = ad_rewrite_slot(r, tape->a[i]), b = ad_rewrite_slot(r, tape->b[i]);

        status = a == AD_GONE || b == AD_GONE ? AD_NO_MEMORY : ad_tape_grow(to, 1, 1, 0, 0);
        if (!status)
            ad_tape_push(to, ad_tape_code(tape, i), a, b, 0);
    }
    if (!status && tape->n_notes > 0)
        status = copy_notes(r, i);
    if (status)
        return status;
    dst = to->dst[to->n - 1];
    if (!to->symbolic && length)
        memcpy(to->value + dst, tape->value + tape->dst[i], (size_t)length * sizeof *to->value);
    ad_rewrite_results(r, i, dst);
    return AD_OK;
}

enum ad_status ad_rewrite_end(struct ad_rewrite *r, enum ad_status status, struct ad_program **to)
{
    const struct ad_program *from = r->from;
    struct ad_view view;

    for (int k = 0; k < from->n_outputs && !status; k++) {
        status = ad_rewrite_view(r, &from->outputs[k], &view);
        if (!status) {
            status = ad_program_add_output(r->to, &view);
            ad_view_drop(&view);
        }
    }
    for (int g = 0; g < from->n_guards && !status; g++) {
        const struct ad_guard *guard = &from->guards[g];

        status = ad_rewrite_view(r, &guard->view, &view);
        if (!status) {
            status =
                ad_program_add_guard(r->to, guard->kind, guard->origin, &view, guard->expected);
            ad_view_drop(&view);
        }
    }
    while (r->frozen) {
        struct ad_frozen *next = r->frozen->next;

        ad_array_drop(r->frozen->copy);
        free(r->frozen);
        r->frozen = next;
    }
    free(r->slot_block);
    if (status) {
        ad_program_free(r->to);
        r->to = NULL;
    }
    *to = r->to;
    return status;
}

enum ad_status ad_program_copy(const struct ad_program *from, struct ad_program **to)
{
    struct ad_rewrite r;
    enum ad_status status = ad_rewrite_begin(&r, from);

    for (int32_t i = from->n_inputs; i < from->tape->n && !status; i++)
        status = ad_rewrite_copy(&r, i);
    return ad_rewrite_end(&r, status, to);
}

/* ---- dead code ---- */

static void use_slot(const struct ad_tape *tape, int32_t slot, uint8_t *used)
{
    if (slot >= 0)
        used[ad_tape_producer(tape, slot)] = 1;
}

static void use_view(const struct ad_tape *tape, const struct ad_view *view, uint8_t *used)
{
    int32_t low = ad_view_lowest(view);

    if (view->place == AD_LIST)
        for (int64_t j = 0; j < view->in.list->n; j++)
            use_slot(tape, view->in.list->slot[j], used);
    else if (view->place == AD_SLOTS && low != INT32_MAX && ad_view_size(view) > 0)
        use_slot(tape, low, used); /* it stays within what one instruction produced */
}

void ad_program_used(const struct ad_program *program, uint8_t *used)
{
    const struct ad_tape *tape = program->tape;
    struct ad_view view;

    memset(used, 0, (size_t)tape->n);
    memset(used, 1, (size_t)program->n_inputs);
    for (int k = 0; k < program->n_outputs; k++)
        use_view(tape, &program->outputs[k], used);
    for (int g = 0; g < program->n_guards; g++)
        use_view(tape, &program->guards[g].view, used);
    for (int32_t i = tape->n - 1; i >= program->n_inputs; i--) {
        if (!used[i])
            continue;
        if (ad_tape_is_array(tape, i)) {
            const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;

            for (int64_t v = 0; v < block[1]; v++) {
                words = ad_view_decode(words, &view);
                use_view(tape, &view, used);
            }
        } else {
            use_slot(tape, tape->a[i], used);
            use_slot(tape, tape->b[i], used);
        }
    }
}

enum ad_status ad_pass_dead(const struct ad_program *from, struct ad_program **to)
{
    struct ad_rewrite r;
    enum ad_status status = ad_rewrite_begin(&r, from);
    uint8_t *used = malloc((size_t)AD_MAX(from->tape->n, 1));

    if (!used)
        status = AD_NO_MEMORY;
    else
        ad_program_used(from, used);
    for (int32_t i = from->n_inputs; i < from->tape->n && !status; i++)
        if (used[i])
            status = ad_rewrite_copy(&r, i);
    free(used);
    return ad_rewrite_end(&r, status, to);
}

/* ad_rewrite.c -- copying instructions from one program to another. */
#include "ad_rewrite.h"

#include <stdlib.h>
#include <string.h>

enum { LONG = 32 }; /* results of an instruction from which on 'moved' alone tells where they are */

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

    *r = (struct ad_rewrite){.from = from, .to = ad_program_new()};
    r->slot_block = calloc(n, sizeof *r->slot_block);
    r->moved = malloc((size_t)AD_MAX(tape->n, 1) * sizeof *r->moved);
    if (!r->to || !r->slot_block || !r->moved)
        return AD_NO_MEMORY;
    for (int32_t i = 0; i < tape->n; i++)
        r->moved[i] = AD_GONE;
    r->slot = r->slot_block + tape->n_consts;
    r->to->tape->hooks = tape->hooks;
    r->to->tape->symbolic = tape->symbolic;
    /* passes seldom make a program larger; room that is not touched costs nothing */
    status = ad_tape_grow(r->to->tape, tape->n, tape->n_slots, tape->n_consts, tape->n_aux);
    if (!status)
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

/* ---- constants ---- */

static uint32_t hash_number(double c)
{
    uint64_t bits;

    memcpy(&bits, &c, sizeof bits);
    return (uint32_t)(bits * 0x9E3779B97F4A7C15u >> 32);
}

static void enter_const(struct ad_rewrite *r, int32_t slot)
{
    uint32_t mask = (uint32_t)r->const_room - 1, at = hash_number(r->to->tape->value[slot]) & mask;

    while (r->consts[at])
        at = (at + 1) & mask;
    r->consts[at] = slot;
}

static bool grow_consts(struct ad_rewrite *r)
{
    int32_t room = AD_MAX(2 * r->const_room, 16), *old = r->consts, old_room = r->const_room;
    int32_t *table = calloc((size_t)room, sizeof *table);

    if (!table)
        return false;
    r->consts = table;
    r->const_room = room;
    for (int32_t j = 0; j < old_room; j++)
        if (old[j])
            enter_const(r, old[j]);
    free(old);
    return true;
}

int32_t ad_rewrite_const(struct ad_rewrite *r, double c)
{
    struct ad_tape *to = r->to->tape;
    int32_t slot;

    if (2 * (r->n_consts + 1) > r->const_room && !grow_consts(r))
        return AD_GONE;
    for (uint32_t mask = (uint32_t)r->const_room - 1, at = hash_number(c) & mask; r->consts[at];
         at = (at + 1) & mask)
        if (ad_same_bits(to->value[r->consts[at]], c))
            return r->consts[at];
    if (ad_tape_grow(to, 0, 0, 1, 0))
        return AD_GONE;
    slot = ad_tape_const(to, c);
    enter_const(r, slot);
    r->n_consts++;
    return slot;
}

bool ad_rewrite_may_change(const struct ad_rewrite *r, int32_t i)
{
    const struct ad_tape *tape = r->from->tape;
    int code = ad_tape_code(tape, i);

    if (code == AD_INPUT || code == AD_CALL)
        return false;
    return tape->n_notes == 0 || ad_tape_notes_before(tape, i) == ad_tape_notes_before(tape, i + 1);
}

enum ad_status ad_rewrite_fixed(struct ad_rewrite *r, int32_t i, int64_t n, const double *values)
{
    if (!r->fixed) {
        r->fixed = (struct ad_array **)calloc((size_t)r->from->tape->n, sizeof *r->fixed);
        if (!r->fixed)
            return AD_NO_MEMORY;
    }
    r->fixed[i] = ad_array_copy(values, n);
    r->moved[i] = AD_GONE;
    for (int32_t j = 0, length = ad_tape_length(r->from->tape, i); j < length && length < LONG; j++)
        ad_rewrite_set(r, r->from->tape->dst[i] + j, AD_GONE);
    return r->fixed[i] ? AD_OK : AD_NO_MEMORY;
}

int32_t ad_rewrite_slot(struct ad_rewrite *r, int32_t slot)
{
    const struct ad_tape *tape = r->from->tape;
    int32_t now;

    if (r->through && slot >= 0)
        slot += r->through[slot];
    now = ad_rewrite_now(r, slot);
    if (now != AD_GONE)
        return now;
    if (slot < 0) {
        now = ad_rewrite_const(r, tape->value[slot]);
    } else {
        int32_t i = ad_tape_producer(tape, slot);

        ad_assert(r->fixed && r->fixed[i]);
        now = ad_rewrite_const(r, r->fixed[i]->data[r->fixed[i]->n > 1 ? slot - tape->dst[i] : 0]);
    }
    ad_rewrite_set(r, slot, now);
    return now;
}

/* ---- views ---- */

/* Is slot[j] = slot[0] + j * step for j < n? */
static bool is_even(const int32_t *slot, int64_t n, int64_t step)
{
    for (int64_t j = 1; j < n; j++)
        if (slot[j] != slot[0] + j * step)
            return false;
    return true;
}

static bool is_repeated(const double *data, int64_t n)
{
    for (int64_t j = 1; j < n; j++)
        if (!ad_same_bits(data[j], data[0]))
            return false;
    return true;
}

/* Did one instruction of the new tape make both slots, which are no constants? */
static bool is_of_one(const struct ad_rewrite *r, int32_t a, int32_t b)
{
    const struct ad_tape *to = r->to->tape;

    if (a < 0 || b < 0)
        return false;
    return a == b || ad_tape_producer(to, a) == ad_tape_producer(to, b);
}

/* A view of slots of old instruction i, whose results are constants. */
static void view_of_fixed(struct ad_rewrite *r, int32_t i, struct ad_view *view)
{
    struct ad_array *array = r->fixed[i];

    if (array->n == 1 || (!r->spread && is_repeated(array->data, array->n))) {
        view->place = AD_NUMBER;
        view->base = 0;
        view->in.number = array->data[0];
        memset(view->stride, 0, (size_t)view->ndim * sizeof *view->stride);
        return;
    }
    view->place = AD_ARRAY;
    view->base -= r->from->tape->dst[i];
    view->in.array = array;
    array->refs++;
}

/* All elements of the list are constants: a number or an array. */
static enum ad_status view_of_constants(struct ad_rewrite *r, struct ad_view *view,
                                        const struct ad_list *list)
{
    const double *value = r->to->tape->value;
    double *data;

    if (is_even(list->slot, list->n, 0) && (list->n == 1 || !r->spread)) {
        view->place = AD_NUMBER;
        view->base = 0;
        view->in.number = value[list->slot[0]];
        memset(view->stride, 0, (size_t)view->ndim * sizeof *view->stride);
        return AD_OK;
    }
    data = malloc((size_t)list->n * sizeof *data);
    if (!data)
        return AD_NO_MEMORY;
    for (int64_t j = 0; j < list->n; j++)
        data[j] = value[list->slot[j]];
    view->place = AD_ARRAY;
    view->in.array = ad_array_copy(data, list->n);
    free(data);
    return view->in.array ? AD_OK : AD_NO_MEMORY;
}

/* The view of old slots old[0 .. n), found by its base and strides, in the simplest form. */
static enum ad_status view_of_list(struct ad_rewrite *r, struct ad_view *view, const int32_t *old,
                                   int64_t n)
{
    struct ad_list *list = ad_list_new(&r->to->tape->lists, n);
    int64_t step;
    bool fixed = true;

    if (!list)
        return AD_NO_MEMORY;
    for (int64_t j = 0; j < n; j++) {
        list->slot[j] = ad_rewrite_slot(r, old[j]);
        if (list->slot[j] == AD_GONE) {
            ad_list_drop(list);
            return AD_NO_MEMORY;
        }
        fixed &= list->slot[j] < 0;
    }
    view->place = AD_LIST;
    view->in.list = list;
    if (n == 0 || r->as_is)
        return AD_OK;
    if (fixed) {
        enum ad_status status = view_of_constants(r, view, list);

        ad_list_drop(list);
        return status;
    }
    step = n > 1 ? (int64_t)list->slot[1] - list->slot[0] : 1;
    if (step == 0 && r->spread)
        return AD_OK;
    if (is_of_one(r, list->slot[0], list->slot[n - 1]) && is_even(list->slot, n, step)) {
        view->place = AD_SLOTS;
        view->base = list->slot[0] + view->base * step;
        view->in.bits = 0;
        for (int d = 0; d < view->ndim; d++)
            view->stride[d] *= step;
        ad_list_drop(list);
    }
    return AD_OK;
}

/* The same, element by element in C order. */
static enum ad_status view_of_elements(struct ad_rewrite *r, const struct ad_view *view,
                                       struct ad_view *now)
{
    int64_t n = ad_view_size(view);
    int32_t *old = malloc((size_t)AD_MAX(n, 1) * sizeof *old);
    struct ad_span_room room;
    enum ad_status status;

    if (!old)
        return AD_NO_MEMORY;
    for (int64_t start = 0, k; start < n; start += k) {
        k = ad_tile_size(view, n, start);
        struct ad_span span = ad_span_of(view, 0, r->from->tape->value, start, k, &room);

        for (int64_t j = 0; j < k; j++)
            old[start + j] = span.kind == AD_SPAN_MANY  ? span.slots[j]
                             : span.kind == AD_SPAN_RUN ? span.slot + (int32_t)j
                                                        : span.slot;
    }
    now->base = 0;
    ad_strides(now->ndim, now->shape, now->stride);
    status = view_of_list(r, now, old, n);
    free(old);
    return status;
}

/* Are old slots low .. high one run within one new instruction? */
static bool is_run(struct ad_rewrite *r, int32_t low, int32_t high)
{
    int32_t first = ad_rewrite_now(r, low);

    if (high - low >= LONG) {
        const struct ad_tape *tape = r->from->tape;
        int32_t i = ad_tape_producer(tape, low);

        if (r->moved[i] != AD_GONE && high - tape->dst[i] < ad_tape_length(tape, i))
            return true;
    }
    if (first == AD_GONE)
        return false;
    for (int32_t j = 1; j <= high - low; j++)
        if (ad_rewrite_now(r, low + j) != first + j)
            return false;
    return is_of_one(r, first, first + high - low);
}

static enum ad_status view_of_slots(struct ad_rewrite *r, const struct ad_view *view,
                                    struct ad_view *now)
{
    int64_t low = view->base, high = view->base;

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
    if (r->through && (r->through[low] || r->through[high])) {
        int64_t first = low + r->through[low], last = high + r->through[high];

        if (first >= 0 && is_even(r->through + low, high - low + 1, 0) &&
            is_run(r, (int32_t)first, (int32_t)last)) {
            now->base += ad_rewrite_now(r, (int32_t)first) - low;
            return AD_OK;
        }
        if (!r->as_is) {
            enum ad_status status = view_of_elements(r, view, now);

            if (status || now->place != AD_LIST)
                return status;
            ad_list_drop(now->in.list);
            ad_view_copy(now, view);
        }
    }
    if (is_run(r, (int32_t)low, (int32_t)high)) {
        now->base += ad_rewrite_now(r, (int32_t)low) - low;
        return AD_OK;
    }
    if (r->fixed && !r->as_is && ad_rewrite_now(r, (int32_t)low) == AD_GONE) {
        int32_t i = ad_tape_producer(r->from->tape, (int32_t)low);

        if (r->fixed[i]) {
            view_of_fixed(r, i, now);
            return AD_OK;
        }
    }
    return view_of_elements(r, view, now);
}

enum ad_status ad_rewrite_view(struct ad_rewrite *r, const struct ad_view *view,
                               struct ad_view *now)
{
    ad_view_copy(now, view);
    switch (view->place) {
    case AD_SLOTS:
        return view_of_slots(r, view, now);
    case AD_LIST:
        /* of a long list that many views share, each takes its own elements */
        if (ad_view_size(view) < view->in.list->n && !r->as_is)
            return view_of_elements(r, view, now);
        return view_of_list(r, now, view->in.list->slot, view->in.list->n);
    case AD_OWN_LIST: {
        /* Lists of such views belong to no tape, but to one instruction: each has its own. */
        struct ad_list *list = ad_list_new(NULL, view->in.list->n);

        if (!list)
            return AD_NO_MEMORY;
        memcpy(list->slot, view->in.list->slot, (size_t)list->n * sizeof *list->slot);
        now->in.list = list;
        return AD_OK;
    }
    case AD_ARRAY:
        now->in.array = frozen_array(r, view->in.array);
        return now->in.array ? AD_OK : AD_NO_MEMORY;
    case AD_NUMBER:
    case AD_OWN:
        return AD_OK;
    }
    ad_unreachable();
    return AD_OK;
}

void ad_rewrite_results(struct ad_rewrite *r, int32_t i, int32_t first)
{
    const struct ad_tape *tape = r->from->tape;
    int32_t n = ad_tape_length(tape, i);

    r->moved[i] = first;
    for (int32_t j = 0; j < n && n < LONG; j++)
        ad_rewrite_set(r, tape->dst[i] + j, first + j);
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
    r->as_is = code == AD_CALL;
    r->spread = code >= AD_N_OPS;
    for (; done < n && !status; done++) {
        words = ad_view_decode(words, &view);
        status = ad_rewrite_view(r, &view, &views[done]);
    }
    r->as_is = r->spread = false;
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

/* Variables that are no inputs of the program, as a derivative inside of it has them, are constants. */
static enum ad_status bind_variables(struct ad_rewrite *r, int32_t i)
{
    const struct ad_tape *tape = r->from->tape;
    int32_t length = ad_tape_length(tape, i), dst = tape->dst[i];
    enum ad_status status = ad_tape_grow(r->to->tape, 0, 0, length, 0);

    ad_assert(!tape->symbolic);
    for (int32_t j = 0; j < length && !status; j++)
        ad_rewrite_set(r, dst + j, ad_tape_const(r->to->tape, tape->value[dst + j]));
    return status;
}

enum ad_status ad_rewrite_copy(struct ad_rewrite *r, int32_t i)
{
    const struct ad_tape *tape = r->from->tape;
    struct ad_tape *to = r->to->tape;
    int32_t length = ad_tape_length(tape, i), dst;
    enum ad_status status;

    ad_tape_here(to, ad_tape_origin(tape, i));
    if (ad_tape_code(tape, i) == AD_INPUT)
        return bind_variables(r, i);
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

static void reverse_guards(struct ad_guard *guards, int n)
{
    for (int k = 0; k < n / 2; k++) {
        struct ad_guard guard = guards[k];

        guards[k] = guards[n - 1 - k];
        guards[n - 1 - k] = guard;
    }
}

enum ad_status ad_rewrite_end(struct ad_rewrite *r, enum ad_status status, struct ad_program **to)
{
    const struct ad_program *from = r->from;
    int n_of_rules = status ? 0 : r->to->n_guards;
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
    /* Guard k stays guard k; what rules decided while derivatives were emitted comes after. */
    if (!status && n_of_rules > 0) {
        reverse_guards(r->to->guards, n_of_rules);
        reverse_guards(r->to->guards + n_of_rules, from->n_guards);
        reverse_guards(r->to->guards, r->to->n_guards);
    }
    while (r->frozen) {
        struct ad_frozen *next = r->frozen->next;

        ad_array_drop(r->frozen->copy);
        free(r->frozen);
        r->frozen = next;
    }
    for (int32_t i = 0; i < from->tape->n && r->fixed; i++)
        if (r->fixed[i])
            ad_array_drop(r->fixed[i]);
    free((void *)r->fixed);
    free(r->through);
    free(r->consts);
    free(r->moved);
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

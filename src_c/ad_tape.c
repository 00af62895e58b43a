/* ad_tape.c -- growing, recording, popping, compacting. */
#include "ad_tape.h"

#include <stdlib.h>
#include <string.h>

#include "ad_work.h"

enum {
    MIN_SLOTS = 1024,
    MIN_COMPACT = 8192,
    MOST = INT32_MAX - 16 /* of anything: a few more can be counted without overflow */
};

struct ad_tape *ad_tape_new(void)
{
    struct ad_tape *tape = calloc(1, sizeof *tape);

    if (!tape)
        return NULL;
    tape->scratch = malloc(AD_SCRATCH * sizeof *tape->scratch);
    tape->work = ad_work_new();
    if (!tape->scratch || !tape->work || ad_tape_grow(tape, MIN_SLOTS, MIN_SLOTS, MIN_SLOTS, 256)) {
        ad_tape_free(tape);
        return NULL;
    }
    return tape;
}

/* Let go of what a block points at.  Returns the rule of an AD_CALL, which the caller releases once the
 * tape is in order: its end may run any Python code. */
static void *drop_block(struct ad_tape *tape, int32_t i)
{
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    struct ad_view view;

    for (int64_t v = 0; v < block[1]; v++) {
        words = ad_view_decode(words, &view);
        tape->n_checked -= view.place == AD_ARRAY && view.in.array->checked;
        ad_view_drop(&view);
    }
    return ad_tape_code(tape, i) == AD_CALL ? (void *)(uintptr_t)block[4] : NULL;
}

/* Release a rule or a hook; nothing is popped or moved meanwhile. */
static void release(struct ad_tape *tape, void *object)
{
    int32_t floor;

    if (!object)
        return;
    floor = ad_tape_enter(tape, INT32_MAX);
    tape->hooks->release(object);
    ad_tape_leave(tape, floor);
}

void ad_tape_free(struct ad_tape *tape)
{
    if (!tape)
        return;
    if (tape->n_handles > 0) {
        tape->orphan = true;
        ad_tape_pop(tape);
        return;
    }
    while (tape->n_notes > 0)
        release(tape, tape->notes[--tape->n_notes].hook);
    while (tape->n > 0)
        if (ad_tape_is_array(tape, --tape->n))
            release(tape, drop_block(tape, tape->n));
    free(tape->notes);
    free(tape->op);
    free(tape->dst);
    free(tape->a);
    free(tape->b);
    free((void *)tape->handle);
    free(tape->origin);
    free(tape->value_block);
    free(tape->aux);
    free(tape->scratch);
    ad_work_free(tape->work);
    free(tape);
}

/* ---- room ---- */

static bool resize(void *field, int64_t n, size_t each)
{
    void **array = field, *grown = realloc(*array, (size_t)n * each);

    if (!grown)
        return false;
    *array = grown;
    return true;
}

/* Half as much again, at least 'need'. */
static int64_t next_capacity(int64_t capacity, int64_t need)
{
    return AD_MAX(need, AD_MIN(capacity + capacity / 2 + MIN_SLOTS, MOST));
}

static enum ad_status grow_slots(struct ad_tape *tape, int64_t slots, int64_t consts)
{
    int64_t below = tape->const_capacity, above = tape->slot_capacity;
    double *block;

    if (consts > below)
        below = next_capacity(below, consts);
    if (slots > above)
        above = next_capacity(above, slots);
    if (below == tape->const_capacity) { /* only upwards: the block may grow in place */
        if (!resize(&tape->value_block, below + above, sizeof *block))
            return AD_NO_MEMORY;
    } else {
        block = malloc((size_t)(below + above) * sizeof *block);
        if (!block)
            return AD_NO_MEMORY;
        if (tape->value_block)
            memcpy(block + below - tape->n_consts, tape->value - tape->n_consts,
                   (size_t)(tape->n_consts + AD_MIN(tape->n_slots, tape->slot_capacity)) *
                       sizeof *block);
        free(tape->value_block);
        tape->value_block = block;
    }
    tape->value = tape->value_block + below;
    tape->const_capacity = (int32_t)below;
    tape->slot_capacity = (int32_t)above;
    return AD_OK;
}

enum ad_status ad_tape_grow(struct ad_tape *tape, int64_t instrs, int64_t slots, int64_t consts,
                            int64_t words)
{
    if (slots > MOST || consts > MOST || words > MOST)
        return AD_NO_SLOTS;
    instrs += tape->n;
    slots = slots ? slots + tape->n_slots : AD_MIN(tape->n_slots, tape->slot_capacity);
    consts += tape->n_consts;
    words += tape->n_aux;
    if (instrs > MOST || slots > MOST || consts > MOST || words > MOST)
        return AD_NO_SLOTS;
    if (instrs > tape->capacity) {
        int64_t n = next_capacity(tape->capacity, instrs);

        if (!resize(&tape->op, n, sizeof *tape->op) || !resize(&tape->dst, n, sizeof *tape->dst) ||
            !resize(&tape->a, n, sizeof *tape->a) || !resize(&tape->b, n, sizeof *tape->b) ||
            !resize(&tape->handle, n, sizeof *tape->handle) ||
            (tape->origin && !resize(&tape->origin, n, sizeof *tape->origin)))
            return AD_NO_MEMORY;
        tape->capacity = (int32_t)n;
        tape->room = tape->watch ? 0 : tape->capacity;
    }
    if (slots > tape->slot_capacity || consts > tape->const_capacity) {
        enum ad_status status = grow_slots(tape, slots, consts);

        if (status)
            return status;
    }
    if (words > tape->aux_capacity) {
        int64_t n = next_capacity(tape->aux_capacity, words);

        if (!resize(&tape->aux, n, sizeof *tape->aux))
            return AD_NO_MEMORY;
        tape->aux_capacity = n;
    }
    return AD_OK;
}

static int64_t extent(const struct ad_tape *tape)
{
    return (int64_t)tape->n + tape->n_slots + tape->n_consts + tape->n_aux;
}

enum ad_status ad_tape_room_slow(struct ad_tape *tape, int64_t slots, int64_t consts)
{
    if (slots > MOST)
        return AD_NO_SLOTS;
    if (tape->watch)
        tape->watch(tape);
    if (!tape->busy && extent(tape) > 2 * tape->live + MIN_COMPACT)
        ad_tape_compact(tape);
    return ad_tape_grow(tape, 4, slots + 4, consts, 0);
}

/* ---- popping ---- */

/* Constants are given back in the order they were taken. */
static void pop_const(struct ad_tape *tape, int32_t slot)
{
    if (slot < 0 && slot == -tape->n_consts)
        tape->n_consts--;
}

/* Let go of the block and the notes of the newest instruction, which is i and no longer counted. */
static void drop_extras(struct ad_tape *tape, int32_t i)
{
    if (ad_tape_is_array(tape, i)) {
        void *rule = drop_block(tape, i);

        tape->n_aux = tape->a[i];
        release(tape, rule);
    }
    while (tape->n_notes > 0 && tape->notes[tape->n_notes - 1].instr >= i)
        release(tape, tape->notes[--tape->n_notes].hook);
}

void ad_tape_pop(struct ad_tape *tape)
{
    int32_t n = tape->n, floor = tape->floor;

    if (floor == INT32_MAX)
        return;
    while (n > floor && !tape->handle[n - 1]) {
        int32_t i = --n;

        tape->n_slots = tape->dst[i];
        if (AD_UNLIKELY(ad_tape_is_array(tape, i) || tape->n_notes > 0)) {
            tape->n = n;
            drop_extras(tape, i);
            n = tape->n;
        }
        if (!ad_tape_is_array(tape, i)) {
            pop_const(tape, tape->b[i]);
            pop_const(tape, tape->a[i]);
        }
    }
    tape->n = n;
    if (n == 0) {
        if (!tape->lists)
            tape->n_consts = 0;
        tape->live = 0;
        if (tape->orphan && tape->n_handles == 0)
            ad_tape_free(tape);
    }
}

void ad_tape_cut(struct ad_tape *tape, int32_t n, int32_t n_consts)
{
    while (tape->n > n && !tape->handle[tape->n - 1]) {
        int32_t i = --tape->n;

        tape->n_slots = tape->dst[i];
        drop_extras(tape, i);
    }
    if (tape->n == n)
        tape->n_consts = n_consts;
}

/* ---- reading ---- */

const int64_t *ad_view_decode(const int64_t *words, struct ad_view *view)
{
    int ndim = (int)words[3];

    view->place = (enum ad_place)words[0];
    view->base = words[1];
    memcpy(&view->in, words + 2, sizeof view->in);
    view->ndim = ndim;
    memcpy(view->shape, words + 4, (size_t)ndim * sizeof *words);
    memcpy(view->stride, words + 4 + ndim, (size_t)ndim * sizeof *words);
    return words + 4 + 2 * ndim;
}

int64_t *ad_view_encode(int64_t *words, const struct ad_view *view)
{
    int ndim = view->ndim;

    words[0] = view->place;
    words[1] = view->base;
    memcpy(words + 2, &view->in, sizeof view->in);
    words[3] = ndim;
    memcpy(words + 4, view->shape, (size_t)ndim * sizeof *words);
    memcpy(words + 4 + ndim, view->stride, (size_t)ndim * sizeof *words);
    return words + 4 + 2 * ndim;
}

int ad_tape_views(const struct ad_tape *tape, int32_t i, struct ad_view *views, int max)
{
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;

    for (int64_t v = 0; v < block[1] && v < max; v++)
        words = ad_view_decode(words, views + v);
    return (int)block[1];
}

int32_t ad_tape_producer(const struct ad_tape *tape, int32_t slot)
{
    int32_t low = 0, high = tape->n, guess = tape->n - (tape->n_slots - slot);

    /* Mostly the newer instructions are scalars all, one slot each. */
    if (guess >= 0 && guess + 1 < high && tape->dst[guess] == slot && tape->dst[guess + 1] > slot)
        return guess;
    /* dst[low] <= slot < dst[high] */
    while (high - low > 1) {
        int32_t middle = low + (high - low) / 2;

        if (tape->dst[middle] <= slot)
            low = middle;
        else
            high = middle;
    }
    return low;
}

bool ad_tape_reads_below(const struct ad_tape *tape, int32_t first, int32_t below)
{
    struct ad_view view;

    for (int32_t i = first; i < tape->n; i++) {
        if (ad_tape_is_array(tape, i)) {
            const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;

            for (int64_t v = 0; v < block[1]; v++) {
                words = ad_view_decode(words, &view);
                if (ad_view_lowest(&view) < below)
                    return true;
            }
        } else if ((tape->a[i] >= 0 && tape->a[i] < below) ||
                   (tape->b[i] >= 0 && tape->b[i] < below)) {
            return true;
        }
    }
    return false;
}

/* Does a view read any of the slots [from, to)?  Those between its elements count as read. */
static bool view_reads(const struct ad_view *view, int64_t from, int64_t to)
{
    int64_t low = view->base, high = view->base;

    if (view->place == AD_LIST) {
        for (int64_t j = 0; j < view->in.list->n; j++)
            if (view->in.list->slot[j] >= from && view->in.list->slot[j] < to)
                return true;
        return false;
    }
    if (view->place != AD_SLOTS || ad_view_size(view) == 0)
        return false;
    for (int d = 0; d < view->ndim; d++) {
        int64_t reach = (view->shape[d] - 1) * view->stride[d];

        low += AD_MIN(reach, 0);
        high += AD_MAX(reach, 0);
    }
    return low < to && high >= from;
}

bool ad_tape_reads_results(const struct ad_tape *tape, int32_t instr)
{
    int64_t from = tape->dst[instr], to = from + ad_tape_length(tape, instr);
    struct ad_view view;

    for (int32_t i = instr + 1; i < tape->n; i++) {
        if (ad_tape_is_array(tape, i)) {
            const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;

            for (int64_t v = 0; v < block[1]; v++) {
                words = ad_view_decode(words, &view);
                if (view_reads(&view, from, to))
                    return true;
            }
        } else if ((tape->a[i] >= from && tape->a[i] < to) ||
                   (tape->b[i] >= from && tape->b[i] < to)) {
            return true;
        }
    }
    return false;
}

bool ad_tape_constants_intact(const struct ad_tape *tape, int32_t first, int32_t last)
{
    struct ad_view view;

    for (int32_t i = first; i <= last && tape->n_checked > 0; i++) {
        if (!ad_tape_is_array(tape, i))
            continue;
        const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;

        for (int64_t v = 0; v < block[1]; v++) {
            words = ad_view_decode(words, &view);
            if (view.place == AD_ARRAY && !ad_array_intact(view.in.array))
                return false;
        }
    }
    return true;
}

/* ---- notes ---- */

int32_t ad_tape_notes_before(const struct ad_tape *tape, int32_t instr)
{
    int32_t low = 0, high = tape->n_notes;

    while (low < high) {
        int32_t middle = low + (high - low) / 2;

        if (tape->notes[middle].instr < instr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum ad_status ad_tape_add_note(struct ad_tape *tape, int32_t instr, void *hook)
{
    int32_t at = ad_tape_notes_before(tape, instr + 1);

    ad_assert(instr < tape->n);
    if (tape->n_notes == tape->note_capacity) {
        int32_t capacity = 2 * tape->note_capacity + 4;

        if (!resize(&tape->notes, capacity, sizeof *tape->notes)) {
            release(tape, hook);
            return AD_NO_MEMORY;
        }
        tape->note_capacity = capacity;
    }
    memmove(tape->notes + at + 1, tape->notes + at,
            (size_t)(tape->n_notes - at) * sizeof *tape->notes);
    tape->notes[at] = (struct ad_note){instr, hook};
    tape->n_notes++;
    return AD_OK;
}

/* ---- origins ---- */

void ad_tape_watch(struct ad_tape *tape, void (*watch)(struct ad_tape *tape))
{
    tape->watch = watch;
    tape->room = watch ? 0 : tape->capacity;
}

enum ad_status ad_tape_keep_origins(struct ad_tape *tape)
{
    tape->origin = malloc((size_t)AD_MAX(tape->capacity, 1) * sizeof *tape->origin);
    tape->here = -1;
    tape->n_known = 0;
    return tape->origin ? AD_OK : AD_NO_MEMORY;
}

void ad_tape_here(struct ad_tape *tape, int32_t origin)
{
    tape->n_known = AD_MIN(tape->n_known, tape->n); /* some may have been taken back */
    while (tape->n_known < tape->n)
        tape->origin[tape->n_known++] = tape->here;
    tape->here = origin;
}

int32_t ad_tape_origin(const struct ad_tape *tape, int32_t i)
{
    if (!tape->origin)
        return -1;
    return i < tape->n_known ? tape->origin[i] : tape->here;
}

/* ---- handles ---- */

/* The newest instruction that a view reads. */
static int32_t newest(const struct ad_tape *tape, const struct ad_view *view)
{
    int64_t high = 0;

    if (tape->n_slots == 0)
        return tape->n - 1;
    if (view->place == AD_LIST) {
        for (int64_t j = 0; j < view->in.list->n; j++)
            high = AD_MAX(high, view->in.list->slot[j]);
    } else {
        high = view->base;
        for (int d = 0; d < view->ndim; d++) {
            if (view->shape[d] == 0)
                return ad_tape_producer(tape, (int32_t)view->base);
            high += AD_MAX(view->stride[d], 0) * (view->shape[d] - 1);
        }
    }
    return ad_tape_producer(tape, (int32_t)AD_MIN(AD_MAX(high, 0), tape->n_slots - 1));
}

bool ad_handle_view(struct ad_handle *handle, struct ad_tape *tape, const struct ad_view *view)
{
    struct ad_view *copy;

    ad_assert(tape->n > 0);
    if (view->ndim == 0 && view->place == AD_SLOTS && view->base >= 0) {
        int32_t slot = (int32_t)view->base;

        ad_handle_scalar(handle, tape, ad_tape_producer(tape, slot), slot);
        return true;
    }
    if (view->ndim == 0 && view->place == AD_LIST && view->in.list->slot[view->base] >= 0) {
        int32_t slot = view->in.list->slot[view->base];

        ad_view_drop(view);
        ad_handle_scalar(handle, tape, ad_tape_producer(tape, slot), slot);
        return true;
    }
    copy = malloc(sizeof *copy);
    if (!copy)
        return false;
    ad_view_copy(copy, view);
    ad_handle_scalar(handle, tape, newest(tape, view), 0);
    handle->view = copy;
    return true;
}

void ad_handle_drop_view(struct ad_handle *handle)
{
    ad_view_drop(handle->view);
    free(handle->view);
    handle->view = NULL;
}

/* The slots of elements start .. start + n of a span; constants become constant slots, for which there
 * is room. */
static void bind(struct ad_tape *tape, const struct ad_span *span, int64_t n, int32_t *slot)
{
    int32_t first = span->slot;

    if (span->kind == AD_SPAN_FIXED && !span->fixed.v)
        first = ad_tape_const(tape, span->fixed.c);
    for (int64_t i = 0; i < n; i++)
        switch (span->kind) {
        case AD_SPAN_RUN:
            slot[i] = first + (int32_t)i;
            break;
        case AD_SPAN_ONE:
            slot[i] = first;
            break;
        case AD_SPAN_MANY:
            slot[i] = span->slots[i];
            break;
        case AD_SPAN_FIXED:
            slot[i] = span->fixed.v ? ad_tape_const(tape, span->fixed.v[i]) : first;
            break;
        }
}

bool ad_tape_narrow(struct ad_tape *tape, struct ad_view *view)
{
    int64_t size = ad_view_size(view), i = 1;
    const int32_t *slot;

    if (view->place != AD_LIST || view->ndim == 0 || size == 0 || size >= view->in.list->n)
        return true;
    if (!ad_view_narrow(view, &tape->lists))
        return false;
    slot = view->in.list->slot;
    while (i < size && slot[i] == slot[i - 1] + 1)
        i++;
    if (i == size && slot[0] >= 0 &&
        ad_tape_producer(tape, slot[0]) == ad_tape_producer(tape, slot[size - 1])) {
        int32_t first = slot[0];

        ad_view_drop(view);
        view->place = AD_SLOTS;
        view->base = first;
    }
    return true;
}

enum ad_status ad_handle_own(struct ad_handle *handle)
{
    struct ad_tape *tape = handle->tape;
    struct ad_view *view = handle->view;
    struct ad_span_room room;
    struct ad_list *list;
    int64_t size = ad_view_size(view);
    enum ad_status status;

    if (view->place == AD_LIST && view->in.list->refs == 1 && view->base == 0 &&
        view->in.list->n == size && ad_view_is_contiguous(view))
        return AD_OK;
    status = ad_tape_grow(tape, 0, 0, size, 0);
    if (status)
        return status;
    list = ad_list_new(&tape->lists, size);
    if (!list)
        return AD_NO_MEMORY;
    for (int64_t start = 0, n; start < size; start += n) {
        n = ad_tile_size(view, size, start);
        struct ad_span span = ad_span_of(view, 0, tape->value, start, n, &room);

        bind(tape, &span, n, list->slot + start);
    }
    ad_view_drop(view);
    view->place = AD_LIST;
    view->in.list = list;
    view->base = 0;
    ad_strides(view->ndim, view->shape, view->stride);
    return AD_OK;
}

enum ad_status ad_handle_assign(struct ad_handle *handle, const int64_t *positions,
                                const struct ad_view *value)
{
    struct ad_tape *tape = handle->tape;
    int32_t *slot = handle->view->in.list->slot, newest_slot = 0, from[AD_TILE];
    int64_t size = ad_view_size(value);
    struct ad_span_room room;
    enum ad_status status = ad_tape_grow(tape, 0, 0, size, 0);

    if (status)
        return status;
    for (int64_t start = 0, n; start < size; start += n) {
        n = ad_tile_size(value, size, start);
        struct ad_span span = ad_span_of(value, 0, tape->value, start, n, &room);

        bind(tape, &span, n, from);
        for (int64_t i = 0; i < n; i++) {
            slot[positions[start + i]] = from[i];
            newest_slot = AD_MAX(newest_slot, from[i]);
        }
    }
    ad_handle_need(handle, ad_tape_producer(tape, newest_slot));
    return AD_OK;
}

void ad_handle_need(struct ad_handle *handle, int32_t instr)
{
    struct ad_tape *tape = handle->tape;
    struct ad_view *view = handle->view;

    if (instr <= handle->instr)
        return;
    ad_handle_unlink(handle);
    ad_handle_scalar(handle, tape, instr, handle->slot);
    handle->view = view;
}

/* ---- compaction ---- */

static void mark_view(const struct ad_tape *tape, const struct ad_view *view, uint8_t *keep)
{
    if (view->place == AD_LIST) {
        for (int64_t j = 0; j < view->in.list->n; j++)
            if (view->in.list->slot[j] >= 0)
                keep[ad_tape_producer(tape, view->in.list->slot[j])] = 1;
    } else if (view->place == AD_SLOTS && ad_view_lowest(view) != INT32_MAX) {
        /* A view of slots stays within what one instruction produced. */
        keep[ad_tape_producer(tape, ad_view_lowest(view))] = 1;
    }
}

/* Where slots go: constants get new numbers when first met, results move down by their instruction. */
struct renumber {
    const struct ad_tape *tape;
    const int32_t *shift; /* of each instruction: how far its results move down */
    int32_t *moved; /* moved[-slot - 1]: the new slot of a constant, 0 if it was not met yet */
    double *consts; /* constant -1 - i is to be consts[i], for i < n_consts */
    int32_t n_consts;
};

static int32_t renumber_slot(struct renumber *r, int32_t slot)
{
    int32_t *moved;

    if (slot >= 0)
        return slot - r->shift[ad_tape_producer(r->tape, slot)];
    moved = &r->moved[-slot - 1];
    if (*moved == 0) {
        r->consts[r->n_consts++] = r->tape->value[slot];
        *moved = -r->n_consts;
    }
    return *moved;
}

/* The base of a view of slots in the words of a block or in a handle. */
static int64_t renumber_base(struct renumber *r, const struct ad_view *view)
{
    int64_t low = ad_view_lowest(view);

    if (view->place != AD_SLOTS)
        return view->base;
    if (ad_view_size(view) == 0)
        return 0;
    if (view->base < 0)
        return renumber_slot(r, (int32_t)view->base);
    return view->base - r->shift[ad_tape_producer(r->tape, (int32_t)low)];
}

static void mark(const struct ad_tape *tape, uint8_t *keep)
{
    struct ad_view view;

    for (int32_t i = tape->n - 1; i >= 0; i--) {
        for (const struct ad_handle *h = tape->handle[i]; h; h = h->next) {
            keep[i] = 1;
            if (h->view)
                mark_view(tape, h->view, keep);
        }
        if (!keep[i])
            continue;
        if (ad_tape_is_array(tape, i)) {
            const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;

            for (int64_t v = 0; v < block[1]; v++) {
                words = ad_view_decode(words, &view);
                mark_view(tape, &view, keep);
            }
        } else {
            if (tape->a[i] >= 0)
                keep[ad_tape_producer(tape, tape->a[i])] = 1;
            if (tape->b[i] >= 0)
                keep[ad_tape_producer(tape, tape->b[i])] = 1;
        }
    }
}

/* How many rules and notes are on instructions that go. */
static int64_t count_dead(const struct ad_tape *tape, const uint8_t *keep)
{
    int64_t n = 0;

    for (int32_t i = 0; i < tape->n; i++)
        n += !keep[i] && ad_tape_code(tape, i) == AD_CALL;
    for (int32_t k = 0; k < tape->n_notes; k++)
        n += !keep[tape->notes[k].instr];
    return n;
}

static void renumber_block(struct ad_tape *tape, int32_t i, struct renumber *r)
{
    int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    struct ad_view view;

    for (int64_t v = 0; v < block[1]; v++) {
        const int64_t *next = ad_view_decode(words, &view);

        words[1] = renumber_base(r, &view);
        words += next - words;
    }
}

void ad_tape_compact(struct ad_tape *tape)
{
    size_t n = (size_t)AD_MAX(tape->n, 1), n_consts = (size_t)AD_MAX(tape->n_consts, 1);
    int64_t n_aux = 0, n_dead = 0;
    uint8_t *keep = calloc(n, 1);
    int32_t *shift = malloc(n * sizeof *shift), out = 0, n_slots = 0, n_notes = 0, at_note = 0;
    void **dead = NULL; /* rules and hooks, released once all is in order */
    struct renumber r = {tape, shift, calloc(n_consts, sizeof *r.moved),
                         malloc(n_consts * sizeof *r.consts), 0};

    if (tape->busy || !keep || !shift || !r.moved || !r.consts)
        goto end;
    mark(tape, keep);
    dead = malloc((size_t)(count_dead(tape, keep) + 1) * sizeof *dead);
    if (!dead)
        goto end;
    for (int32_t i = 0; i < tape->n; i++) {
        shift[i] = tape->dst[i] - n_slots;
        if (keep[i])
            n_slots += ad_tape_length(tape, i);
    }

    /* Renumber everything that names slots, while dst[] is still the old one. */
    for (struct ad_list *list = tape->lists; list; list = list->next)
        for (int64_t j = 0; j < list->n; j++)
            if (list->slot[j] < 0 || keep[ad_tape_producer(tape, list->slot[j])])
                list->slot[j] = renumber_slot(&r, list->slot[j]);
            else
                list->slot[j] = 0; /* of a block that is about to go */
    for (int32_t i = 0; i < tape->n; i++) {
        if (!keep[i])
            continue;
        for (struct ad_handle *h = tape->handle[i]; h; h = h->next) {
            if (h->view)
                h->view->base = renumber_base(&r, h->view);
            else
                h->slot -= shift[ad_tape_producer(tape, h->slot)];
        }
        if (ad_tape_is_array(tape, i)) {
            renumber_block(tape, i, &r);
        } else {
            bool same = tape->a[i] == tape->b[i];

            tape->a[i] = renumber_slot(&r, tape->a[i]);
            tape->b[i] = same ? tape->a[i] : renumber_slot(&r, tape->b[i]);
        }
    }

    /* Move. */
    for (int32_t i = 0; i < tape->n; i++) {
        int32_t length = ad_tape_length(tape, i), dst = tape->dst[i];

        for (; at_note < tape->n_notes && tape->notes[at_note].instr == i; at_note++) {
            if (keep[i])
                tape->notes[n_notes++] = (struct ad_note){out, tape->notes[at_note].hook};
            else
                dead[n_dead++] = tape->notes[at_note].hook;
        }
        if (!keep[i]) {
            void *rule = ad_tape_is_array(tape, i) ? drop_block(tape, i) : NULL;

            if (rule)
                dead[n_dead++] = rule;
            continue;
        }
        memmove(tape->value + dst - shift[i], tape->value + dst,
                (size_t)length * sizeof *tape->value);
        if (ad_tape_is_array(tape, i)) {
            int64_t words = tape->aux[tape->a[i]];

            memmove(tape->aux + n_aux, tape->aux + tape->a[i], (size_t)words * sizeof *tape->aux);
            tape->a[i] = (int32_t)n_aux;
            n_aux += words;
        }
        tape->op[out] = tape->op[i];
        tape->a[out] = tape->a[i];
        tape->b[out] = tape->b[i];
        tape->handle[out] = tape->handle[i];
        for (struct ad_handle *h = tape->handle[out]; h; h = h->next)
            h->instr = out;
        tape->dst[out++] = dst - shift[i];
    }
    for (int32_t c = 0; c < r.n_consts; c++)
        tape->value[-1 - c] = r.consts[c];
    tape->n = out;
    tape->n_slots = n_slots;
    tape->n_consts = r.n_consts;
    tape->n_aux = n_aux;
    tape->n_notes = n_notes;
    tape->live = extent(tape);
end:
    free(keep);
    free(shift);
    free(r.moved);
    free(r.consts);
    while (n_dead > 0)
        release(tape, dead[--n_dead]);
    free((void *)dead);
}

/* ---- recording ---- */

static int64_t view_words(const struct ad_view *view)
{
    return 4 + 2 * view->ndim;
}

/* Takes references of its own to what the views point at; 'room' slots are made ready. */
static enum ad_status append_block(struct ad_tape *tape, int code, double p, int64_t extra,
                                   int64_t size, int64_t room, int n, const struct ad_view *views)
{
    int64_t words = AD_BLOCK_HEADER, *block;
    enum ad_status status;

    for (int v = 0; v < n; v++)
        words += view_words(&views[v]);
    status = ad_tape_grow(tape, 1, room, 0, words);
    if (status)
        return status;
    block = tape->aux + tape->n_aux;
    block[0] = words;
    block[1] = n;
    block[2] = size;
    memcpy(block + 3, &p, sizeof p);
    block[4] = extra;
    block += AD_BLOCK_HEADER;
    for (int v = 0; v < n; v++) {
        block = ad_view_encode(block, &views[v]);
        tape->n_checked += views[v].place == AD_ARRAY && views[v].in.array->checked;
        ad_view_hold(&views[v]);
    }
    tape->op[tape->n] = (uint16_t)(code | AD_FLAG_ARRAY);
    tape->dst[tape->n] = tape->n_slots;
    tape->a[tape->n] = (int32_t)tape->n_aux;
    tape->b[tape->n] = 0;
    tape->handle[tape->n] = NULL;
    tape->n++;
    tape->n_slots += (int32_t)size;
    tape->n_aux += words;
    return AD_OK;
}

enum ad_status ad_record_block(struct ad_tape *tape, int code, double p, int64_t extra,
                               int64_t size, int n, const struct ad_view *views)
{
    return append_block(tape, code, p, extra, size, size, n, views);
}

enum ad_status ad_outline_block(struct ad_tape *tape, int code, double p, int64_t extra,
                                int64_t size, int n, const struct ad_view *views)
{
    ad_assert(tape->symbolic);
    if (size > MOST - tape->n_slots)
        return AD_NO_SLOTS;
    return append_block(tape, code, p, extra, size, 0, n, views);
}

enum ad_status ad_outline_scalar(struct ad_tape *tape, int code, int32_t a, int32_t b)
{
    enum ad_status status = ad_tape_grow(tape, 1, 0, 0, 0);

    ad_assert(tape->symbolic);
    if (!status && tape->n_slots >= MOST)
        status = AD_NO_SLOTS;
    if (status)
        return status;
    tape->op[tape->n] = (uint16_t)code;
    tape->dst[tape->n] = tape->n_slots++;
    tape->a[tape->n] = a;
    tape->b[tape->n] = b;
    tape->handle[tape->n++] = NULL;
    return AD_OK;
}

/* Compute the newest instruction, or take it back. */
static enum ad_status compute_newest(struct ad_tape *tape)
{
    enum ad_status status = tape->symbolic ? AD_OK : ad_tape_compute(tape, tape->n - 1);

    if (status)
        ad_tape_cut(tape, tape->n - 1, tape->n_consts);
    return status;
}

enum ad_status ad_record_input(struct ad_tape *tape, int64_t n, const double *values)
{
    enum ad_status status = ad_record_block(tape, AD_INPUT, 0, 0, n, 0, NULL);

    if (!status && values && n)
        memcpy(tape->value + tape->dst[tape->n - 1], values, (size_t)n * sizeof *values);
    return status;
}

/* A scalar op on scalars: two operands inline. */
static enum ad_status record_scalar(struct ad_tape *tape, enum ad_op op, double p, int n,
                                    const struct ad_view *const *args, struct ad_view *result)
{
    int32_t slot[2];
    double x[2] = {0, 0};
    struct ad_span_room room;
    enum ad_status status = ad_tape_grow(tape, 1, 1, 2, 0);

    if (status)
        return status;
    for (int i = 0; i < n; i++) {
        struct ad_span span = ad_span_of(args[i], 0, tape->value, 0, 1, &room);

        /* a constant is copied: each instruction gives back its own when it is popped */
        slot[i] = span.kind == AD_SPAN_FIXED ? ad_tape_const(tape, span.fixed.c) : span.slot;
        x[i] = tape->value[slot[i]];
    }
    if (ad_ops[op].family)
        slot[1] = ad_tape_const(tape, p);
    else if (n == 1)
        slot[1] = slot[0];
    ad_tape_push(tape, op, slot[0], slot[1],
                 tape->symbolic ? 0 : ad_op_value(op, p, x[0], x[1], 0));
    *result = ad_view_slots(tape->n_slots - 1, 0, NULL);
    return AD_OK;
}

enum ad_status ad_record_op(struct ad_tape *tape, enum ad_op op, double p,
                            const struct ad_view *const *args, struct ad_view *result)
{
    int n = ad_ops[op].n_args, ndim;
    int64_t shape[AD_MAX_DIMS], size;
    struct ad_view views[AD_MAX_ARGS + 1];
    bool numbers = true;
    enum ad_status status;

    for (int i = 0; i < n; i++)
        numbers &= args[i]->place == AD_NUMBER && args[i]->ndim == 0;
    if (numbers) {
        *result =
            ad_view_number(ad_op_value(op, p, args[0]->in.number, n > 1 ? args[1]->in.number : 0,
                                       n > 2 ? args[2]->in.number : 0));
        return AD_OK;
    }
    if (!ad_broadcast_shape(n, args, &ndim, shape))
        return AD_SHAPES_DIFFER;
    if (ndim == 0 && n <= 2)
        return record_scalar(tape, op, p, n, args, result);
    size = ad_shape_size(ndim, shape);
    if (size > MOST)
        return AD_NO_SLOTS;
    for (int i = 0; i < n; i++) {
        ad_view_copy(&views[i], args[i]);
        ad_view_broadcast(&views[i], ndim, shape);
    }
    ad_view_set_slots(&views[n], 0, ndim, shape);
    if (ndim > 1)
        ad_views_collapse(n + 1, views);
    status = ad_record_block(tape, op, p, 0, size, n, views);
    if (!status)
        status = compute_newest(tape);
    if (!status)
        ad_view_set_slots(result, tape->dst[tape->n - 1], ndim, shape);
    return status;
}

/*
 * Do the parts lie side by side, as copies and concatenations do, so that each of 'size' slots is
 * given exactly once?  A part takes 'run' neighbours out of every 'step' slots, 'count' times.
 */
static bool lie_side_by_side(int64_t size, int n, const struct ad_view *pairs)
{
    int64_t at = 0, count = 1, step = 0;

    for (int i = 0; i < n; i++) {
        struct ad_view to = pairs[2 * i + 1];
        int64_t run = 1, times = 1, apart = 0;

        if (ad_view_size(&to) == 0)
            continue;
        ad_views_collapse(1, &to);
        if (to.ndim > 0 && to.stride[to.ndim - 1] == 1)
            run = to.shape[--to.ndim];
        if (to.ndim > 0) {
            times = to.shape[0];
            apart = to.stride[0];
        }
        if (at == 0) {
            count = times;
            step = apart;
        }
        if (to.place != AD_OWN || to.base != at || to.ndim > 1 || times != count || apart != step)
            return false;
        at += run;
    }
    return at * count == size && (count == 1 || at == step);
}

enum ad_status ad_record_addto(struct ad_tape *tape, int64_t size, int n,
                               const struct ad_view *from, const struct ad_view *to,
                               struct ad_view *result)
{
    struct ad_view few[8] = {0}, *pairs = few;
    enum ad_status status = AD_OK;

    if (n > 4) {
        pairs = malloc(2 * (size_t)n * sizeof *pairs);
        if (!pairs)
            return AD_NO_MEMORY;
    }
    for (int i = 0; i < n && !status; i++) {
        pairs[2 * i] = from[i];
        pairs[2 * i + 1] = to[i];
        if (!ad_view_broadcast(&pairs[2 * i], to[i].ndim, to[i].shape))
            status = AD_SHAPES_DIFFER;
        else if (ad_view_size(&to[i]) == INT64_MAX)
            status = AD_NO_SLOTS;
        else
            ad_views_collapse(2, pairs + 2 * i);
    }
    if (!status)
        status = ad_record_block(tape, AD_ADDTO, 0, lie_side_by_side(size, n, pairs), size, 2 * n,
                                 pairs);
    if (!status)
        status = compute_newest(tape);
    if (!status)
        *result = ad_view_slots(tape->dst[tape->n - 1], 1, &size);
    if (pairs != few)
        free(pairs);
    return status;
}

enum ad_status ad_record_copy(struct ad_tape *tape, const struct ad_view *from,
                              struct ad_view *result)
{
    struct ad_view to = ad_view_slots(0, from->ndim, from->shape);
    enum ad_status status;

    to.place = AD_OWN;
    status = ad_record_addto(tape, ad_view_size(from), 1, from, &to, result);
    if (!status)
        *result = ad_view_slots(result->base, to.ndim, to.shape);
    return status;
}

enum ad_status ad_record_sum(struct ad_tape *tape, const struct ad_view *from, uint32_t axes,
                             struct ad_view *result)
{
    int64_t shape[AD_MAX_DIMS] = {0};
    struct ad_view to;
    enum ad_status status;

    for (int d = 0; d < from->ndim; d++)
        shape[d] = axes >> d & 1 ? 1 : from->shape[d];
    to = ad_view_slots(0, from->ndim, shape);
    to.place = AD_OWN;
    ad_view_broadcast(&to, from->ndim, from->shape);
    status = ad_record_addto(tape, ad_shape_size(to.ndim, shape), 1, from, &to, result);
    if (!status)
        *result = ad_view_slots(result->base, to.ndim, shape);
    return status;
}

enum ad_status ad_record_matmul(struct ad_tape *tape, const struct ad_view *a,
                                const struct ad_view *b, struct ad_view *result)
{
    struct ad_view views[2] = {*a, *b}, batch[2] = {*a, *b};
    const struct ad_view *both[2] = {&batch[0], &batch[1]};
    int64_t shape[AD_MAX_DIMS];
    int ndim;
    enum ad_status status;

    if (a->ndim < 2 || b->ndim < 2 || a->shape[a->ndim - 1] != b->shape[b->ndim - 2])
        return AD_SHAPES_DIFFER;
    batch[0].ndim -= 2;
    batch[1].ndim -= 2;
    if (!ad_broadcast_shape(2, both, &ndim, shape))
        return AD_SHAPES_DIFFER;
    for (int i = 0; i < 2; i++) {
        const struct ad_view *from = i ? b : a;

        shape[ndim] = from->shape[from->ndim - 2];
        shape[ndim + 1] = from->shape[from->ndim - 1];
        ad_view_broadcast(&views[i], ndim + 2, shape);
    }
    shape[ndim] = a->shape[a->ndim - 2];
    status = ad_record_block(tape, AD_MATMUL, 0, 0, ad_shape_size(ndim + 2, shape), 2, views);
    if (!status)
        status = compute_newest(tape);
    if (!status)
        *result = ad_view_slots(tape->dst[tape->n - 1], ndim + 2, shape);
    return status;
}

enum ad_status ad_record_along(struct ad_tape *tape, enum ad_code code, const struct ad_view *from,
                               int64_t extra, struct ad_view *result)
{
    int ndim = code == AD_CUMSUM ? from->ndim : from->ndim - 1;
    enum ad_status status;

    if (from->ndim == 0)
        return AD_SHAPES_DIFFER;
    if (code == AD_EXTREMUM && from->shape[ndim] == 0)
        return AD_EMPTY;
    status = ad_record_block(tape, code, 0, extra, ad_shape_size(ndim, from->shape), 1, from);
    if (!status)
        status = compute_newest(tape);
    if (!status)
        *result = ad_view_slots(tape->dst[tape->n - 1], ndim, from->shape);
    return status;
}

enum ad_status ad_record_kernel(struct ad_tape *tape, int64_t extra, double p, int n,
                                const struct ad_view *args, struct ad_view *result)
{
    struct ad_kernel kernel;
    int64_t shape[AD_MAX_DIMS];
    int leading;
    enum ad_status status;

    if (ad_kernel_read(extra, p, n, args, &kernel))
        return AD_SHAPES_DIFFER;
    leading = args[0].ndim - ad_kernel_row(kernel.name)->dims[0];
    if (leading + kernel.ndim > AD_MAX_DIMS)
        return AD_TOO_MANY_DIMS;
    memcpy(shape, args[0].shape, (size_t)leading * sizeof *shape);
    for (int d = 0; d < kernel.ndim; d++)
        shape[leading + d] = kernel.shape[d];
    status = ad_record_block(tape, AD_KERNEL, p, extra, ad_shape_size(leading + kernel.ndim, shape),
                             n, args);
    if (!status)
        status = compute_newest(tape);
    if (!status)
        *result = ad_view_slots(tape->dst[tape->n - 1], leading + kernel.ndim, shape);
    return status;
}

enum ad_status ad_record_call(struct ad_tape *tape, void *rule, int n, const struct ad_view *args,
                              int64_t size, const double *values, struct ad_view *result)
{
    enum ad_status status =
        ad_record_block(tape, AD_CALL, 0, (int64_t)(uintptr_t)rule, size, n, args);

    if (status) {
        tape->hooks->release(rule);
        return status;
    }
    if (size)
        memcpy(tape->value + tape->dst[tape->n - 1], values, (size_t)size * sizeof *values);
    *result = ad_view_slots(tape->dst[tape->n - 1], 1, &size);
    return AD_OK;
}

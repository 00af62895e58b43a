/* ad_tape.c -- the memory of a tape: growing, reading, popping; what is known of instructions. */
#include "ad_tape.h"

#include <stdlib.h>
#include <string.h>

#include "ad_work.h"

enum { MIN_SLOTS = 1024, MIN_COMPACT = 8192 };

struct ad_tape *ad_tape_new(void)
{
    struct ad_tape *tape = calloc(1, sizeof *tape);

    if (!tape)
        return NULL;
    tape->work = ad_work_new();
    if (!tape->work || ad_tape_grow(tape, MIN_SLOTS, MIN_SLOTS, MIN_SLOTS, 256)) {
        ad_tape_free(tape);
        return NULL;
    }
    return tape;
}

enum ad_status ad_tape_make_scratch(struct ad_tape *tape)
{
    if (!tape->scratch)
        tape->scratch = malloc(AD_SCRATCH * sizeof *tape->scratch);
    return tape->scratch ? AD_OK : AD_NO_MEMORY;
}

void *ad_tape_drop_block(struct ad_tape *tape, int32_t i)
{
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    struct ad_view view;

    for (int64_t v = 0; v < block[1]; v++) {
        words = ad_view_decode(words, &view);
        tape->n_checked -= view.place == AD_ARRAY && view.in.array->checked;
        ad_view_drop(&view);
    }
    tape->n_draws -= ad_tape_code(tape, i) == AD_DRAW;
    return ad_tape_code(tape, i) == AD_CALL ? (void *)(uintptr_t)block[4] : NULL;
}

void ad_tape_release(struct ad_tape *tape, void *object)
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
        ad_tape_release(tape, tape->notes[--tape->n_notes].hook);
    while (tape->n > 0)
        if (ad_tape_is_array(tape, --tape->n))
            ad_tape_release(tape, ad_tape_drop_block(tape, tape->n));
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
    return AD_MAX(need, AD_MIN(capacity + capacity / 2 + MIN_SLOTS, AD_TAPE_MOST));
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
    if (slots > AD_TAPE_MOST || consts > AD_TAPE_MOST || words > AD_TAPE_MOST)
        return AD_NO_SLOTS;
    instrs += tape->n;
    slots = slots ? slots + tape->n_slots : AD_MIN(tape->n_slots, tape->slot_capacity);
    consts += tape->n_consts;
    words += tape->n_aux;
    if (instrs > AD_TAPE_MOST || slots > AD_TAPE_MOST || consts > AD_TAPE_MOST ||
        words > AD_TAPE_MOST)
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

enum ad_status ad_tape_room_slow(struct ad_tape *tape, int64_t slots, int64_t consts)
{
    if (slots > AD_TAPE_MOST)
        return AD_NO_SLOTS;
    if (tape->watch)
        tape->watch(tape);
    if (!tape->busy && ad_tape_extent(tape) > 2 * tape->live + MIN_COMPACT)
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
        void *rule = ad_tape_drop_block(tape, i);

        tape->n_aux = tape->a[i];
        ad_tape_release(tape, rule);
    }
    while (tape->n_notes > 0 && tape->notes[tape->n_notes - 1].instr >= i)
        ad_tape_release(tape, tape->notes[--tape->n_notes].hook);
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
            ad_tape_release(tape, hook);
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

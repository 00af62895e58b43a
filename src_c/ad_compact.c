/* ad_compact.c -- dropping what nothing holds any more from the middle of a tape. */
#include "ad_tape.h"

#include <stdlib.h>
#include <string.h>

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
            void *rule = ad_tape_is_array(tape, i) ? ad_tape_drop_block(tape, i) : NULL;

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
    tape->live = ad_tape_extent(tape);
end:
    free(keep);
    free(shift);
    free(r.moved);
    free(r.consts);
    while (n_dead > 0)
        ad_tape_release(tape, dead[--n_dead]);
    free((void *)dead);
}

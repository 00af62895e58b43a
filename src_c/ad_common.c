/* ad_common.c -- a hash table of instructions, by what they compute. */
#include "ad_common.h"

#include <stdlib.h>
#include <string.h>

/* Instructions of the new tape, by what they compute. */
struct met {
    struct entry {
        uint32_t hash;
        int32_t next; /* instruction + 1; 0: empty */
    } *entry;
    uint32_t mask;
};

/* What it returns is mixed in all bits: to fold it once more would undo that for the lower half. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 32;
}

static uint64_t hash_view(uint64_t hash, const struct ad_view *view)
{
    hash = mix(hash, (uint64_t)view->place);
    hash = mix(hash, (uint64_t)view->base);
    for (int d = 0; d < view->ndim; d++)
        hash = mix(mix(hash, (uint64_t)view->shape[d]), (uint64_t)view->stride[d]);
    if (view->place == AD_LIST || view->place == AD_OWN_LIST)
        for (int64_t j = 0; j < view->in.list->n; j++)
            hash = mix(hash, (uint64_t)view->in.list->slot[j]);
    else if (view->place == AD_ARRAY)
        hash = mix(hash, (uint64_t)(uintptr_t)view->in.array->data);
    else if (view->place == AD_NUMBER)
        hash = mix(hash, (uint64_t)view->in.bits);
    return hash;
}

static bool same_view(const struct ad_view *a, const struct ad_view *b)
{
    size_t size = (size_t)a->ndim * sizeof *a->shape;

    if (a->place != b->place || a->base != b->base || a->ndim != b->ndim ||
        memcmp(a->shape, b->shape, size) != 0 || memcmp(a->stride, b->stride, size) != 0)
        return false;
    if (a->place == AD_LIST || a->place == AD_OWN_LIST)
        return a->in.list->n == b->in.list->n &&
               !memcmp(a->in.list->slot, b->in.list->slot,
                       (size_t)a->in.list->n * sizeof *a->in.list->slot);
    if (a->place == AD_ARRAY)
        return a->in.array->data == b->in.array->data;
    return a->place != AD_NUMBER || a->in.bits == b->in.bits;
}

static bool is_commutative(int code)
{
    return code == AD_OP_add || code == AD_OP_mul;
}

/* Of an instruction of the new tape. */
static uint32_t hash_of(const struct ad_tape *tape, int32_t i)
{
    int code = ad_tape_code(tape, i);
    uint64_t hash = (uint64_t)tape->op[i], operands[2] = {0};

    if (!ad_tape_is_array(tape, i)) {
        int32_t a = tape->a[i], b = tape->b[i];

        if (is_commutative(code) && a > b) {
            a = tape->b[i];
            b = tape->a[i];
        }
        return (uint32_t)mix(hash, (uint64_t)(uint32_t)a << 32 | (uint32_t)b);
    }
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    struct ad_view view;

    for (int k = 1; k < AD_BLOCK_HEADER; k++)
        hash = mix(hash, (uint64_t)block[k]);
    for (int64_t v = 0; v < block[1]; v++) {
        words = ad_view_decode(words, &view);
        if (is_commutative(code))
            operands[v] = hash_view(0, &view);
        else
            hash = hash_view(hash, &view);
    }
    return (uint32_t)mix(hash, operands[0] + operands[1]);
}

static bool same_instruction(const struct ad_tape *tape, int32_t i, int32_t j)
{
    int code = ad_tape_code(tape, i);

    if (tape->op[i] != tape->op[j])
        return false;
    if (!ad_tape_is_array(tape, i))
        return (tape->a[i] == tape->a[j] && tape->b[i] == tape->b[j]) ||
               (is_commutative(code) && tape->a[i] == tape->b[j] && tape->b[i] == tape->a[j]);

    const int64_t *x = tape->aux + tape->a[i], *y = tape->aux + tape->a[j];
    struct ad_view a, b;
    int64_t n = x[1];

    if (memcmp(x, y, AD_BLOCK_HEADER * sizeof *x) != 0)
        return false;
    if (is_commutative(code)) {
        struct ad_view left[2], right[2];

        ad_tape_views(tape, i, left, 2);
        ad_tape_views(tape, j, right, 2);
        return (same_view(&left[0], &right[0]) && same_view(&left[1], &right[1])) ||
               (same_view(&left[0], &right[1]) && same_view(&left[1], &right[0]));
    }
    x += AD_BLOCK_HEADER;
    y += AD_BLOCK_HEADER;
    for (int64_t v = 0; v < n; v++) {
        x = ad_view_decode(x, &a);
        y = ad_view_decode(y, &b);
        if (!same_view(&a, &b))
            return false;
    }
    return true;
}

/* The instruction that does what the newest does, or -1 and the newest is remembered. */
static int32_t meet(struct met *met, const struct ad_tape *tape)
{
    int32_t newest = tape->n - 1;
    uint32_t hash = hash_of(tape, newest), at = hash & met->mask;

    for (; met->entry[at].next; at = (at + 1) & met->mask)
        if (met->entry[at].hash == hash && same_instruction(tape, met->entry[at].next - 1, newest))
            return met->entry[at].next - 1;
    met->entry[at] = (struct entry){hash, newest + 1};
    return -1;
}

enum ad_status ad_pass_common(const struct ad_program *from, struct ad_program **to)
{
    const struct ad_tape *tape = from->tape;
    struct ad_rewrite r;
    struct met met;
    size_t room = 4;
    enum ad_status status = ad_rewrite_begin(&r, from);

    while (room < 2 * (size_t)tape->n)
        room *= 2;
    met.mask = (uint32_t)room - 1;
    met.entry = calloc(room, sizeof *met.entry);
    if (!met.entry)
        status = AD_NO_MEMORY;
    for (int32_t i = from->n_inputs; i < tape->n && !status; i++) {
        int32_t same;

        status = ad_rewrite_copy(&r, i);
        if (status || !ad_rewrite_may_change(&r, i))
            continue;
        same = meet(&met, r.to->tape);
        if (same >= 0) {
            ad_tape_cut(r.to->tape, r.to->tape->n - 1, r.to->tape->n_consts);
            ad_rewrite_results(&r, i, r.to->tape->dst[same]);
        }
    }
    free(met.entry);
    return ad_rewrite_end(&r, status, to);
}

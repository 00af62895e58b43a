/* ad_fuse.c -- steps, tiles and places.
 *
 * Three walks, each linear in the program.  schedule() puts each member into the newest step of its kind that
 * comes late enough for its operands, or opens one at the end.  find_readers() notes how and until when
 * each result is read.  find_places() gives out memory in the order of the steps. */
#include "ad_fuse.h"

#include <stdlib.h>
#include <string.h>

#include "ad_rewrite.h"

enum ad_pair_kind ad_pair_kind(const struct ad_view *to)
{
    int last = to->ndim - 1;

    if (to->place != AD_OWN)
        return AD_PAIR_SCATTER;
    if (last < 0 || (to->stride[last] == 0 && (last < 1 || to->shape[last] >= 16)))
        return AD_PAIR_SUM;
    return ad_view_is_contiguous(to) ? AD_PAIR_RANGE : AD_PAIR_SCATTER;
}

int64_t ad_pair_row(const struct ad_view *to)
{
    return to->ndim ? to->shape[to->ndim - 1] : 1;
}

int ad_member_views(const struct ad_tape *tape, const struct ad_member *member,
                    const int64_t **words)
{
    const int64_t *block = tape->aux + tape->a[member->instr];

    if (ad_tape_code(tape, member->instr) != AD_ADDTO) {
        *words = block + AD_BLOCK_HEADER;
        return (int)block[1];
    }
    *words = block + member->pair;
    return member->pair ? 2 : 0;
}

bool ad_list_is_compact(const struct ad_fusion *fusion, const struct ad_view *view)
{
    const int32_t *slot = view->in.list->slot;
    const struct ad_tape *tape = fusion->program->tape;
    int32_t i, first, end;

    if (view->in.list->n == 0)
        return true;
    if (slot[0] < 0) {
        first = INT32_MIN;
        end = 0;
    } else {
        i = ad_fusion_producer(fusion, slot[0]);
        first = tape->dst[i];
        end = first + ad_tape_length(tape, i);
    }
    for (int64_t j = 0; j < view->in.list->n; j++)
        if (slot[j] < first || slot[j] >= end)
            return false;
    return true;
}

/* ---- which step ---- */

/* Groups by their number of elements: the newest of each. */
struct newest {
    int64_t n; /* 0: none */
    int32_t step;
};

struct schedule {
    struct ad_fusion *fusion;
    int32_t *step_of; /* of each member, in the order of the program */
    int32_t run;      /* the newest run, or -1 */
    int32_t step_capacity, member_capacity;
    struct newest *newest; /* a hash table of 2**bits */
    int bits;
    int32_t n_newest;
    uint8_t *alike; /* of each instruction: its group may read it element by element */
};

static bool grown(void **array, int32_t needed, int32_t *capacity, size_t each)
{
    int64_t more = AD_MIN(2 * (int64_t)*capacity + 64, INT32_MAX);
    void *moved;

    if (needed <= *capacity)
        return true;
    moved = realloc(*array, (size_t)more * each);
    if (!moved)
        return false;
    *array = moved;
    *capacity = (int32_t)more;
    return true;
}

static struct newest *newest_of(struct newest *table, int bits, int64_t n)
{
    uint64_t mask = ((uint64_t)1 << bits) - 1, at = ((uint64_t)n * 0x9E3779B97F4A7C15u) >> 20;

    while (table[at & mask].n && table[at & mask].n != n)
        at++;
    return &table[at & mask];
}

/* The entry for groups of n elements, made if there is none; NULL without memory. */
static struct newest *find_newest(struct schedule *s, int64_t n)
{
    struct newest *entry;

    if (2 * (s->n_newest + 1) > 1 << s->bits) {
        int bits = s->bits + 2;
        struct newest *table = calloc((size_t)1 << bits, sizeof *table);

        if (!table)
            return NULL;
        for (int32_t j = 0; j < 1 << s->bits; j++)
            if (s->newest[j].n)
                *newest_of(table, bits, s->newest[j].n) = s->newest[j];
        free(s->newest);
        s->newest = table;
        s->bits = bits;
    }
    entry = newest_of(s->newest, s->bits, n);
    if (!entry->n) {
        *entry = (struct newest){n, -1};
        s->n_newest++;
    }
    return entry;
}

/* A new step at the end; -1 without memory. */
static int32_t open_step(struct schedule *s, enum ad_step_kind kind, int64_t n, int64_t row)
{
    struct ad_fusion *fusion = s->fusion;

    if (!grown((void **)&fusion->steps, fusion->n_steps + 1, &s->step_capacity,
               sizeof *fusion->steps))
        return -1;
    fusion->steps[fusion->n_steps] = (struct ad_step){kind, 0, 0, n, row, 0};
    return fusion->n_steps++;
}

static enum ad_status append_member(struct schedule *s, int32_t instr, int64_t pair, int32_t step)
{
    struct ad_fusion *fusion = s->fusion;
    int32_t capacity = s->member_capacity;

    if (step < 0)
        return AD_NO_MEMORY;
    if (!grown((void **)&fusion->members, fusion->n_members + 1, &capacity,
               sizeof *fusion->members) ||
        !grown((void **)&s->step_of, fusion->n_members + 1, &s->member_capacity,
               sizeof *s->step_of))
        return AD_NO_MEMORY;
    fusion->members[fusion->n_members] = (struct ad_member){instr, (int32_t)pair};
    s->step_of[fusion->n_members++] = step;
    fusion->steps[step].end++; /* counts, for now */
    fusion->results[instr].step = step;
    return AD_OK;
}

/* How early a member may be: in a step after 'after', and not before 'from'. */
struct earliest {
    int32_t after, from;
};

static void need(struct earliest *earliest, int32_t step, bool may_share)
{
    if (may_share)
        earliest->from = AD_MAX(earliest->from, step);
    else
        earliest->after = AD_MAX(earliest->after, step);
}

static bool allows(const struct earliest *earliest, int32_t step)
{
    return step > earliest->after && step >= earliest->from;
}

/* Is the view all results of instruction i, in their order? */
static bool is_whole(const struct ad_tape *tape, const struct ad_view *view, int32_t i)
{
    return view->place == AD_SLOTS && view->base == tape->dst[i] && ad_view_is_contiguous(view) &&
           ad_view_size(view) == ad_tape_length(tape, i);
}

static void need_slot(const struct schedule *s, struct earliest *earliest, int32_t slot,
                      bool in_run)
{
    if (slot >= s->fusion->program->tape->dst[s->fusion->program->n_inputs]) {
        int32_t step = s->fusion->results[ad_fusion_producer(s->fusion, slot)].step;

        need(earliest, step, in_run && s->fusion->steps[step].kind == AD_STEP_RUN);
    }
}

static void need_view(const struct schedule *s, struct earliest *earliest,
                      const struct ad_view *view, enum ad_step_kind kind)
{
    const struct ad_fusion *fusion = s->fusion;
    const struct ad_tape *tape = fusion->program->tape;
    bool in_run = kind == AD_STEP_RUN;
    int32_t low;

    if (view->place == AD_LIST) {
        for (int64_t j = 0; j < view->in.list->n; j++)
            need_slot(s, earliest, view->in.list->slot[j], in_run);
    } else if (view->place == AD_SLOTS && (low = ad_view_lowest(view)) != INT32_MAX) {
        int32_t i = ad_fusion_producer(fusion, low);

        if (kind == AD_STEP_GROUP && s->alike[i] && is_whole(tape, view, i))
            need(earliest, fusion->results[i].step, true);
        else
            need_slot(s, earliest, low, in_run);
    }
}

/* The step for a member over n elements in rows: the newest that will do, or a new one. */
static int32_t step_for(struct schedule *s, enum ad_step_kind kind, int64_t n, int64_t row,
                        const struct earliest *earliest)
{
    struct newest *newest;
    struct ad_step *step;

    if (kind == AD_STEP_RUN) {
        if (s->run < 0 || !allows(earliest, s->run))
            s->run = open_step(s, kind, 0, 0);
        return s->run;
    }
    if (kind == AD_STEP_SINGLE)
        return open_step(s, kind, n, row);
    newest = find_newest(s, n);
    if (!newest)
        return -1;
    step = newest->step < 0 ? NULL : &s->fusion->steps[newest->step];
    if (step && allows(earliest, newest->step) && (!row || !step->row || step->row == row)) {
        step->row = AD_MAX(step->row, row);
        return newest->step;
    }
    return newest->step = open_step(s, kind, n, row);
}

/* Long rows of operands that are no runs over all elements are walked one by one. */
static int64_t row_of(const struct ad_view *view)
{
    int64_t row = view->ndim > 1 ? view->shape[view->ndim - 1] : 0;

    return row >= AD_LONG_ROW && view->place != AD_NUMBER && !ad_view_is_contiguous(view) ? row : 0;
}

static bool same_view(const struct ad_view *a, const struct ad_view *b)
{
    bool same = a->place == b->place && a->ndim == b->ndim && a->base == b->base;

    for (int d = 0; d < a->ndim && same; d++)
        same = a->shape[d] == b->shape[d] && a->stride[d] == b->stride[d];
    return same;
}

/*
 * May two pairs of one instruction be in one group, so that each slot is added to in their order?  Tile by
 * tile, a later range must not run ahead of an earlier one; sums are added where rows end.
 */
static bool keep_order(const struct ad_view *first, const struct ad_view *second, int64_t n)
{
    enum ad_pair_kind kind = ad_pair_kind(first);

    if (kind != ad_pair_kind(second) || kind == AD_PAIR_SCATTER)
        return false;
    if (kind == AD_PAIR_RANGE)
        return second->base <= first->base;
    return same_view(first, second) || (ad_pair_row(first) == n && ad_pair_row(second) == n);
}

/* An AD_ADDTO whose pairs are being put into steps. */
struct pairs {
    int32_t instr;
    int32_t step;            /* of the pair before, or -1 */
    bool alike;              /* all are whole, and in one group */
    bool chain;              /* each pair of this step keeps the order with the one before */
    struct ad_view previous; /* what the pair before is added to */
    int64_t low, high;       /* the results that pairs of this step are added to */
};

/* The results that are added to, first and last. */
static void reach_of(const struct ad_view *to, int64_t size, int64_t *low, int64_t *high)
{
    *low = 0;
    *high = size - 1;
    if (to->place != AD_OWN)
        return;
    *low = *high = to->base;
    for (int d = 0; d < to->ndim; d++) {
        *low += AD_MIN(to->stride[d] * (to->shape[d] - 1), 0);
        *high += AD_MAX(to->stride[d] * (to->shape[d] - 1), 0);
    }
}

static enum ad_status schedule_pair(struct schedule *s, struct pairs *pairs, const int64_t *words)
{
    const struct ad_tape *tape = s->fusion->program->tape;
    const int64_t *block = tape->aux + tape->a[pairs->instr];
    struct earliest earliest = {-1, pairs->step};
    struct ad_view from, to;
    enum ad_step_kind kind;
    enum ad_status status;
    int64_t n, low, high;
    bool apart, chain;

    ad_view_decode(ad_view_decode(words, &from), &to);
    n = ad_view_size(&to);
    kind = n <= AD_SHORT ? AD_STEP_RUN : AD_STEP_GROUP;
    need_view(s, &earliest, &from, kind);
    reach_of(&to, block[2], &low, &high);
    apart = block[4] || low > pairs->high || high < pairs->low;
    chain = pairs->chain && keep_order(&pairs->previous, &to, n);
    if (pairs->step >= 0 && kind == AD_STEP_GROUP && !apart && !chain)
        earliest.after = AD_MAX(earliest.after, pairs->step);
    status = append_member(s, pairs->instr, words - block,
                           step_for(s, kind, n, row_of(&from), &earliest));
    if (status)
        return status;
    pairs->alike &= ad_pair_kind(&to) == AD_PAIR_RANGE && n == block[2] &&
                    (pairs->step < 0 || pairs->step == s->fusion->results[pairs->instr].step);
    if (pairs->step == s->fusion->results[pairs->instr].step) {
        pairs->chain = chain;
        pairs->low = AD_MIN(pairs->low, low);
        pairs->high = AD_MAX(pairs->high, high);
    } else {
        pairs->chain = true;
        pairs->low = low;
        pairs->high = high;
    }
    pairs->step = s->fusion->results[pairs->instr].step;
    ad_view_copy(&pairs->previous, &to);
    return AD_OK;
}

/*
 * The first two terms of a sum may change places: a + b is b + a.  So if the second of two ranges of one length would
 * run ahead of the first, it is made the first.
 */
static bool should_swap(const int64_t *first, const int64_t *second)
{
    struct ad_view from, a, b;

    ad_view_decode(ad_view_decode(first, &from), &a);
    ad_view_decode(ad_view_decode(second, &from), &b);
    return ad_pair_kind(&a) == AD_PAIR_RANGE && ad_pair_kind(&b) == AD_PAIR_RANGE &&
           ad_view_size(&a) == ad_view_size(&b) && b.base > a.base;
}

static enum ad_status schedule_pairs(struct schedule *s, int32_t i)
{
    const struct ad_tape *tape = s->fusion->program->tape;
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    const int64_t *first = NULL; /* the first pair, while the second is not known */
    struct pairs pairs = {.instr = i, .step = -1, .alike = true};
    enum ad_status status = AD_OK;
    int n_pairs = 0;

    if (block[2] == 0)
        return AD_OK;
    for (int64_t v = 0; v < block[1] && !status; v += 2) {
        const int64_t *pair = words;
        struct ad_view view;

        words = ad_view_decode(ad_view_decode(words, &view), &view);
        if (ad_view_size(&view) == 0)
            continue;
        if (n_pairs++ == 0) {
            first = pair;
            continue;
        }
        if (first && should_swap(first, pair)) {
            const int64_t *second = pair;

            pair = first;
            first = second;
        }
        if (first)
            status = schedule_pair(s, &pairs, first);
        first = NULL;
        if (!status)
            status = schedule_pair(s, &pairs, pair);
    }
    if (first && !status)
        status = schedule_pair(s, &pairs, first);
    if (n_pairs == 0 && !status) { /* nothing but zeros */
        struct earliest any = {-1, -1};

        return append_member(s, i, 0, step_for(s, AD_STEP_RUN, 0, 0, &any));
    }
    s->alike[i] = pairs.alike;
    return status;
}

static enum ad_status schedule_one(struct schedule *s, int32_t i)
{
    const struct ad_tape *tape = s->fusion->program->tape;
    struct earliest earliest = {-1, -1};
    enum ad_step_kind kind = AD_STEP_RUN;
    const int64_t *block, *words;
    int64_t size = 1, row = 0;
    struct ad_view view;

    if (!ad_tape_is_array(tape, i)) {
        need_slot(s, &earliest, tape->a[i], true);
        need_slot(s, &earliest, tape->b[i], true);
        return append_member(s, i, 0, step_for(s, kind, size, row, &earliest));
    }
    if (ad_tape_code(tape, i) == AD_ADDTO)
        return schedule_pairs(s, i);
    block = tape->aux + tape->a[i];
    words = block + AD_BLOCK_HEADER;
    size = block[2];
    if (ad_tape_code(tape, i) >= AD_N_OPS)
        kind = AD_STEP_SINGLE;
    else if (size > AD_SHORT)
        kind = AD_STEP_GROUP;
    if (size == 0 && ad_tape_code(tape, i) != AD_CALL)
        return AD_OK;
    for (int64_t v = 0; v < block[1]; v++) {
        words = ad_view_decode(words, &view);
        need_view(s, &earliest, &view, kind);
        row = AD_MAX(row, row_of(&view));
    }
    s->alike[i] = kind == AD_STEP_GROUP;
    return append_member(s, i, 0, step_for(s, kind, size, row, &earliest));
}

/* Members in the order of their steps. */
static enum ad_status sort_members(struct schedule *s)
{
    struct ad_fusion *fusion = s->fusion;
    struct ad_member *sorted = malloc(((size_t)fusion->n_members + 1) * sizeof *sorted);
    int32_t at = 0;

    if (!sorted)
        return AD_NO_MEMORY;
    for (int32_t k = 0; k < fusion->n_steps; k++) {
        int32_t n = fusion->steps[k].end;

        fusion->steps[k].first = fusion->steps[k].end = at;
        at += n;
    }
    for (int32_t m = 0; m < fusion->n_members; m++)
        sorted[fusion->steps[s->step_of[m]].end++] = fusion->members[m];
    free(fusion->members);
    fusion->members = sorted;
    return AD_OK;
}

static enum ad_status schedule(struct ad_fusion *fusion, const uint8_t *used)
{
    int32_t n = fusion->program->tape->n;
    struct schedule s = {.fusion = fusion, .run = -1, .bits = 4};
    enum ad_status status = AD_OK;

    s.newest = calloc((size_t)1 << s.bits, sizeof *s.newest);
    s.alike = calloc((size_t)n + 1, 1);
    if (!s.newest || !s.alike)
        status = AD_NO_MEMORY;
    for (int32_t i = fusion->program->n_inputs; i < n && !status; i++)
        if (used[i])
            status = schedule_one(&s, i);
    if (!status)
        status = sort_members(&s);
    free(s.newest);
    free(s.alike);
    free(s.step_of);
    return status;
}

/* ---- who reads what ---- */

enum { NEVER = -1, TO_THE_END = INT32_MAX };

/* Of each instruction: the last member that reads it, and how it is read. */
struct readers {
    struct ad_fusion *fusion;
    int32_t *last;
    uint8_t *how;
};
enum {
    READ_HERE = 1, /* by its own group, element by element */
    READ_ELSEWHERE = 2,
    READ_IN_FRAME = 4 /* so that it must not be in an output only */
};

static void read_result(struct readers *r, int32_t i, int32_t when, int how)
{
    r->last[i] = AD_MAX(r->last[i], when);
    r->how[i] |= (uint8_t)how;
}

/* A slot that must be found in the frame. */
static void read_slot(struct readers *r, int32_t slot, int32_t when)
{
    int32_t i;

    if (slot < 0)
        return;
    i = ad_fusion_producer(r->fusion, slot);
    if (i < r->fusion->program->n_inputs) {
        r->fusion->wanted[slot] = 1;
        r->fusion->results[i].place = 0;
    }
    read_result(r, i, when, READ_ELSEWHERE | READ_IN_FRAME);
}

static void read_view(struct readers *r, const struct ad_view *view, int32_t step, int32_t when,
                      bool in_frame)
{
    int32_t low;

    if (view->place == AD_LIST) {
        bool compact = !in_frame && ad_list_is_compact(r->fusion, view);

        for (int64_t j = 0; j < view->in.list->n; j++) {
            int32_t slot = view->in.list->slot[j];

            if (!compact)
                read_slot(r, slot, when);
            else if (slot >= 0) {
                read_result(r, ad_fusion_producer(r->fusion, slot), when, READ_ELSEWHERE);
                break;
            }
        }
    } else if (view->place == AD_SLOTS && (low = ad_view_lowest(view)) != INT32_MAX) {
        int32_t i = ad_fusion_producer(r->fusion, low);
        bool here = step >= 0 && r->fusion->results[i].step == step &&
                    r->fusion->steps[step].kind == AD_STEP_GROUP;

        if (!in_frame) {
            read_result(r, i, when, here ? READ_HERE : READ_ELSEWHERE);
        } else if (i >= r->fusion->program->n_inputs) {
            read_slot(r, low, when);
        } else {
            struct ad_span_room room;

            for (int64_t start = 0, n, size = ad_view_size(view); start < size; start += n) {
                n = ad_tile_size(view, size, start);
                struct ad_span span = ad_span_of(view, 0, NULL, start, n, &room);

                for (int64_t j = 0; j < n; j++)
                    read_slot(r,
                              span.kind == AD_SPAN_MANY  ? span.slots[j]
                              : span.kind == AD_SPAN_RUN ? span.slot + (int32_t)j
                                                         : span.slot,
                              when);
            }
        }
    }
}

static void read_member(struct readers *r, int32_t step, int32_t m)
{
    const struct ad_tape *tape = r->fusion->program->tape;
    const struct ad_member *member = &r->fusion->members[m];
    bool in_run = r->fusion->steps[step].kind == AD_STEP_RUN;
    /* a group reads until its end */
    int32_t when = in_run ? m : r->fusion->steps[step].end - 1, i = member->instr;
    const int64_t *words;
    struct ad_view view;
    int n;

    if (!ad_tape_is_array(tape, i)) {
        read_slot(r, tape->a[i], when);
        read_slot(r, tape->b[i], when);
        return;
    }
    n = ad_member_views(tape, member, &words);
    for (int v = 0; v < n; v++) {
        words = ad_view_decode(words, &view);
        read_view(r, &view, step, when, in_run && view.place == AD_SLOTS);
    }
    if (ad_tape_code(tape, i) == AD_ADDTO)
        r->last[i] = AD_MAX(r->last[i], when); /* it is added to until then */
}

static void find_readers(struct readers *r)
{
    struct ad_fusion *fusion = r->fusion;
    const struct ad_program *program = fusion->program;

    for (int32_t k = 0; k < fusion->n_steps; k++)
        for (int32_t m = fusion->steps[k].first; m < fusion->steps[k].end; m++)
            read_member(r, k, m);
    for (int g = 0; g < program->n_guards; g++)
        read_view(r, &program->guards[g].view, -1, TO_THE_END, true);
    for (int k = 0; k < program->n_outputs; k++)
        read_view(r, &program->outputs[k], -1, TO_THE_END, false);
    for (int k = 0; k < program->n_outputs; k++) {
        const struct ad_view *view = &program->outputs[k];
        int32_t low = ad_view_lowest(view), i;

        if (low == INT32_MAX || view->place != AD_SLOTS)
            continue;
        i = ad_fusion_producer(fusion, low);
        if (i >= program->n_inputs && is_whole(program->tape, view, i) &&
            fusion->results[i].step >= 0 && !(r->how[i] & READ_IN_FRAME) &&
            ad_tape_length(program->tape, i) > AD_SHORT)
            fusion->results[i].output = k;
    }
}

/* ---- memory ---- */

/* Blocks of the frame that are free, by the logarithm of their size in steps of a quarter. */
enum { N_CLASSES = 256 };

struct block {
    int64_t at, size;
    int32_t next;
};

struct memory {
    int64_t end;
    struct block *blocks; /* links of the lists; given back ones are in 'spare' */
    int32_t n_blocks, capacity, spare;
    int32_t classes[N_CLASSES];
};

static int class_of(int64_t size)
{
    int log = 0;

    while (size >> log > 7)
        log++;
    return 4 * log + (int)((size >> log) & 3) + (size >> log > 3 ? 4 : 0);
}

static bool give_back(struct memory *memory, int64_t at, int64_t size)
{
    int32_t b = memory->spare;
    int c = class_of(size);

    if (b >= 0) {
        memory->spare = memory->blocks[b].next;
    } else {
        if (!grown((void **)&memory->blocks, memory->n_blocks + 1, &memory->capacity,
                   sizeof *memory->blocks))
            return false;
        b = memory->n_blocks++;
    }
    memory->blocks[b] = (struct block){at, size, memory->classes[c]};
    memory->classes[c] = b;
    return true;
}

/* A block of exactly 'size' doubles; larger ones are cut, but not down to single numbers.  -1 without memory. */
static int64_t take(struct memory *memory, int64_t size)
{
    int first = class_of(size), end = size == 1 ? first + 1 : N_CLASSES;

    for (int c = first; c < end; c++) {
        int32_t b = memory->classes[c];
        struct block block;

        if (b < 0 || memory->blocks[b].size < size)
            continue; /* of its own class the first one may be too small */
        block = memory->blocks[b];
        memory->classes[c] = block.next;
        memory->blocks[b].next = memory->spare;
        memory->spare = b;
        if (block.size > size && !give_back(memory, block.at + size, block.size - size))
            return -1;
        return block.at;
    }
    memory->end += size;
    return memory->end - size;
}

/* Vectors are rounded up to whole cache lines, so that eight elements at a time may be computed. */
static int64_t room_of(const struct ad_tape *tape, int32_t i)
{
    return ad_tape_is_array(tape, i) ? (ad_tape_length(tape, i) + 7) & ~(int64_t)7 : 1;
}

struct places {
    struct ad_fusion *fusion;
    const struct readers *readers;
    struct memory vectors, scalars; /* scalars lie in blocks of a cache line or more of their own */
    int32_t *first_ending; /* of each member: the first result last read by it, and so on: */
    int32_t *next_ending;  /* of each instruction */
    int64_t scalars_begin;
};

static bool give_place(struct places *p, int32_t i)
{
    struct ad_result *result = &p->fusion->results[i];
    bool array = ad_tape_is_array(p->fusion->program->tape, i);

    if (result->place >= 0 || result->output >= 0 || result->tile >= 0)
        return true;
    result->place = take(array ? &p->vectors : &p->scalars, room_of(p->fusion->program->tape, i));
    return result->place >= 0;
}

static bool end_results(struct places *p, int32_t m)
{
    for (int32_t i = p->first_ending[m]; i >= 0; i = p->next_ending[i]) {
        bool array = ad_tape_is_array(p->fusion->program->tape, i);

        if (p->fusion->results[i].place >= 0 && p->fusion->results[i].output < 0 &&
            !give_back(array ? &p->vectors : &p->scalars, p->fusion->results[i].place,
                       room_of(p->fusion->program->tape, i)))
            return false;
    }
    return true;
}

/* Tiles of a group, taken by members in order and given back after their last reader. */
static void find_tiles(const struct places *p, struct ad_step *step, int32_t *free_tiles,
                       int32_t *last_here)
{
    struct ad_fusion *fusion = p->fusion;
    const struct ad_tape *tape = fusion->program->tape;
    int32_t k = (int32_t)(step - fusion->steps), n_free = 0;

    for (int32_t m = step->end - 1; m >= step->first; m--) {
        const int64_t *words;
        struct ad_view view;
        int n = ad_member_views(tape, &fusion->members[m], &words);

        for (int v = 0; v < n; v++) {
            int32_t low, i;

            words = ad_view_decode(words, &view);
            if (view.place != AD_SLOTS || (low = ad_view_lowest(&view)) == INT32_MAX)
                continue;
            i = ad_fusion_producer(fusion, low);
            if (fusion->results[i].step == k && last_here[i] < 0)
                last_here[i] = m;
        }
    }
    for (int32_t m = step->first; m < step->end; m++) {
        int32_t own = fusion->members[m].instr;
        const int64_t *words;
        struct ad_view view;
        int n;

        if (p->readers->how[own] == READ_HERE && fusion->results[own].tile < 0)
            fusion->results[own].tile = n_free > 0 ? free_tiles[--n_free] : step->n_tiles++;
        n = ad_member_views(tape, &fusion->members[m], &words);
        for (int v = 0; v < n; v++) {
            int32_t low, i;

            words = ad_view_decode(words, &view);
            if (view.place != AD_SLOTS || (low = ad_view_lowest(&view)) == INT32_MAX)
                continue;
            i = ad_fusion_producer(fusion, low);
            if (last_here[i] == m && fusion->results[i].tile >= 0) {
                free_tiles[n_free++] = fusion->results[i].tile;
                last_here[i] = INT32_MAX; /* once only */
            }
        }
    }
}

static enum ad_status give_places(struct places *p, int32_t *free_tiles, int32_t *last_here)
{
    struct ad_fusion *fusion = p->fusion;
    const struct ad_tape *tape = fusion->program->tape;

    for (int32_t k = 0; k < fusion->n_steps; k++) {
        struct ad_step *step = &fusion->steps[k];

        if (step->kind == AD_STEP_GROUP)
            find_tiles(p, step, free_tiles, last_here);
        for (int32_t m = step->first; m < step->end; m++) {
            int32_t i = fusion->members[m].instr;
            /* a scalar may take the place of its operand */
            bool early = step->kind == AD_STEP_RUN && !ad_tape_is_array(tape, i);

            if (early && !end_results(p, m))
                return AD_NO_MEMORY;
            if (!give_place(p, i))
                return AD_NO_MEMORY;
            if (!early && step->kind == AD_STEP_RUN && !end_results(p, m))
                return AD_NO_MEMORY;
        }
        if (step->kind != AD_STEP_RUN && step->end > step->first && !end_results(p, step->end - 1))
            return AD_NO_MEMORY;
    }
    return AD_OK;
}

static void memory_begin(struct memory *memory)
{
    memory->spare = -1;
    for (int c = 0; c < N_CLASSES; c++)
        memory->classes[c] = -1;
}

static enum ad_status find_places(struct ad_fusion *fusion, const struct readers *readers)
{
    const struct ad_tape *tape = fusion->program->tape;
    size_t n = (size_t)tape->n + 1, n_members = (size_t)fusion->n_members + 1;
    struct places p = {.fusion = fusion, .readers = readers};
    int32_t *free_tiles = malloc(n * sizeof *free_tiles),
            *last_here = malloc(n * sizeof *last_here);
    int64_t shift;
    enum ad_status status = AD_NO_MEMORY;

    memory_begin(&p.vectors);
    memory_begin(&p.scalars);
    p.first_ending = malloc(n_members * sizeof *p.first_ending);
    p.next_ending = malloc(n * sizeof *p.next_ending);
    if (!p.first_ending || !p.next_ending || !free_tiles || !last_here)
        goto done;
    for (int32_t m = 0; m < fusion->n_members; m++)
        p.first_ending[m] = -1;
    for (int32_t i = 0; i < tape->n; i++) {
        int32_t last = readers->last[i];

        last_here[i] = -1;
        if (i >= fusion->program->n_inputs && last >= 0 && last < fusion->n_members) {
            p.next_ending[i] = p.first_ending[last];
            p.first_ending[last] = i;
        }
    }
    for (int32_t k = 0; k < fusion->program->n_inputs; k++)
        if (fusion->results[k].place >= 0)
            fusion->results[k].place = take(&p.vectors, room_of(tape, k));
    status = give_places(&p, free_tiles, last_here);
    /* scalars, then vectors, which begin at a cache line */
    shift = (p.scalars.end + 7) & ~(int64_t)7;
    for (int32_t i = 0; i < tape->n; i++)
        if (fusion->results[i].place >= 0 && ad_tape_is_array(tape, i))
            fusion->results[i].place += shift;
    fusion->n_frame = shift + p.vectors.end;
done:
    free(p.vectors.blocks);
    free(p.scalars.blocks);
    free(p.first_ending);
    free(p.next_ending);
    free(free_tiles);
    free(last_here);
    return status;
}

/* ---- all of it ---- */

void ad_fusion_free(struct ad_fusion *fusion)
{
    free(fusion->steps);
    free(fusion->members);
    free(fusion->results);
    free(fusion->wanted);
    free(fusion->producers);
}

static enum ad_status find_producers(struct ad_fusion *fusion)
{
    const struct ad_tape *tape = fusion->program->tape;
    int64_t n;
    int32_t i = 0;

    while (tape->n_slots >> fusion->bucket_bits > 2 * (int64_t)tape->n)
        fusion->bucket_bits++;
    n = ((int64_t)tape->n_slots >> fusion->bucket_bits) + 2;
    fusion->producers = malloc((size_t)n * sizeof *fusion->producers);
    if (!fusion->producers)
        return AD_NO_MEMORY;
    for (int64_t k = 0; k < n; k++) {
        while (i + 1 < tape->n && tape->dst[i + 1] <= k << fusion->bucket_bits)
            i++;
        fusion->producers[k] = i;
    }
    return AD_OK;
}

enum ad_status ad_fusion_new(const struct ad_program *program, struct ad_fusion *fusion)
{
    const struct ad_tape *tape = program->tape;
    size_t n = (size_t)tape->n + 1;
    int32_t n_inputs = program->n_inputs;
    int32_t n_wanted = n_inputs < tape->n ? tape->dst[n_inputs] : tape->n_slots;
    uint8_t *used = malloc(n);
    struct readers readers = {fusion, malloc(n * sizeof *readers.last), calloc(n, 1)};
    enum ad_status status = AD_NO_MEMORY;

    *fusion = (struct ad_fusion){.program = program};
    fusion->results = malloc(n * sizeof *fusion->results);
    fusion->wanted = calloc((size_t)n_wanted + 1, 1);
    if (used && readers.last && readers.how && fusion->results && fusion->wanted) {
        for (size_t i = 0; i < n; i++) {
            fusion->results[i] = (struct ad_result){-1, -1, -1, -1};
            readers.last[i] = NEVER;
        }
        ad_program_used(program, used);
        status = find_producers(fusion);
        if (!status)
            status = schedule(fusion, used);
    }
    if (!status) {
        find_readers(&readers);
        status = find_places(fusion, &readers);
    }
    if (status)
        ad_fusion_free(fusion);
    free(used);
    free(readers.last);
    free(readers.how);
    return status;
}

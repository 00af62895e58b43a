/* ad_group.c -- each member into the newest step of its kind that comes late enough for its
 * operands, or into a new one at the end. */
#include "ad_group.h"

#include <stdlib.h>
#include <string.h>

#include "ad_overlap.h"
#include "ad_rewrite.h"

bool ad_one_more(void **array, int64_t n, int64_t *capacity, size_t each)
{
    int64_t more = 2 * *capacity + 16;
    void *moved;

    if (n < *capacity)
        return true;
    moved = realloc(*array, (size_t)more * each);
    if (!moved)
        return false;
    *array = moved;
    *capacity = more;
    return true;
}

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

bool ad_list_is_compact(const struct ad_grouping *grouping, const struct ad_view *view)
{
    const int32_t *slot = view->in.list->slot;
    const struct ad_tape *tape = grouping->program->tape;
    int32_t i, first, end;

    if (view->in.list->n == 0)
        return true;
    if (slot[0] < 0) {
        first = INT32_MIN;
        end = 0;
    } else {
        i = ad_grouping_producer(grouping, slot[0]);
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
    struct ad_grouping *grouping;
    int32_t *member_step; /* of each member, in the order of the program */
    int32_t run;          /* the newest run, or -1 */
    int64_t step_capacity, member_capacity;
    struct newest *newest; /* a hash table of 2**bits */
    int bits;
    int32_t n_newest;
    uint8_t *alike; /* of each instruction: its group may read it element by element */
};

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
    struct ad_grouping *grouping = s->grouping;

    if (!ad_one_more((void **)&grouping->steps, grouping->n_steps, &s->step_capacity,
                     sizeof *grouping->steps))
        return -1;
    grouping->steps[grouping->n_steps] = (struct ad_step){kind, 0, 0, n, row, 0};
    return grouping->n_steps++;
}

static enum ad_status append_member(struct schedule *s, int32_t instr, int64_t pair, int32_t step)
{
    struct ad_grouping *grouping = s->grouping;
    int64_t capacity = s->member_capacity;

    if (step < 0)
        return AD_NO_MEMORY;
    if (!ad_one_more((void **)&grouping->members, grouping->n_members, &capacity,
                     sizeof *grouping->members) ||
        !ad_one_more((void **)&s->member_step, grouping->n_members, &s->member_capacity,
                     sizeof *s->member_step))
        return AD_NO_MEMORY;
    grouping->members[grouping->n_members] = (struct ad_member){instr, (int32_t)pair};
    s->member_step[grouping->n_members++] = step;
    grouping->steps[step].end++; /* counts, for now */
    grouping->step_of[instr] = step;
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

bool ad_view_is_whole(const struct ad_tape *tape, const struct ad_view *view, int32_t i)
{
    return view->place == AD_SLOTS && view->base == tape->dst[i] && ad_view_is_contiguous(view) &&
           ad_view_size(view) == ad_tape_length(tape, i);
}

static void need_slot(const struct schedule *s, struct earliest *earliest, int32_t slot,
                      bool in_run)
{
    if (slot >= s->grouping->program->tape->dst[s->grouping->program->n_inputs]) {
        int32_t step = s->grouping->step_of[ad_grouping_producer(s->grouping, slot)];

        need(earliest, step, in_run && s->grouping->steps[step].kind == AD_STEP_RUN);
    }
}

static void need_view(const struct schedule *s, struct earliest *earliest,
                      const struct ad_view *view, enum ad_step_kind kind)
{
    const struct ad_grouping *grouping = s->grouping;
    const struct ad_tape *tape = grouping->program->tape;
    bool in_run = kind == AD_STEP_RUN;
    int32_t low;

    if (view->place == AD_LIST) {
        for (int64_t j = 0; j < view->in.list->n; j++)
            need_slot(s, earliest, view->in.list->slot[j], in_run);
    } else if (view->place == AD_SLOTS && (low = ad_view_lowest(view)) != INT32_MAX) {
        int32_t i = ad_grouping_producer(grouping, low);

        if (kind == AD_STEP_GROUP && s->alike[i] && ad_view_is_whole(tape, view, i))
            need(earliest, grouping->step_of[i], true);
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
    step = newest->step < 0 ? NULL : &s->grouping->steps[newest->step];
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
 * May two pairs of one instruction be in one group, so that each slot is added to in their order?
 * Tile by tile, a later range must not run ahead of an earlier one; sums are added where rows end.
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
    int32_t step;               /* of the pair before, or -1 */
    bool alike;                 /* all are whole, and in one group */
    bool chain;                 /* each pair of this step keeps the order with the one before */
    struct ad_view previous;    /* what the pair before is added to */
    int64_t low, high;          /* the results that pairs of this step are added to */
    struct ad_overlap *overlap; /* of pairs of this step, if any is scattered; or NULL */
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
    const struct ad_tape *tape = s->grouping->program->tape;
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
    if (!pairs->overlap)
        chain = pairs->chain && keep_order(&pairs->previous, &to, n);
    else
        chain = pairs->chain && ad_pair_kind(&to) != AD_PAIR_SUM &&
                (apart || ad_overlap_follows(pairs->overlap, &to));
    if (pairs->step >= 0 && kind == AD_STEP_GROUP && !apart && !chain)
        earliest.after = AD_MAX(earliest.after, pairs->step);
    status = append_member(s, pairs->instr, words - block,
                           step_for(s, kind, n, row_of(&from), &earliest));
    if (status)
        return status;
    pairs->alike &= ad_pair_kind(&to) == AD_PAIR_RANGE && n == block[2] &&
                    (pairs->step < 0 || pairs->step == s->grouping->step_of[pairs->instr]);
    if (pairs->overlap && kind == AD_STEP_GROUP) {
        if (pairs->step != s->grouping->step_of[pairs->instr])
            ad_overlap_restart(pairs->overlap);
        ad_overlap_add(pairs->overlap, &to);
    }
    if (pairs->step == s->grouping->step_of[pairs->instr]) {
        pairs->chain = chain;
        pairs->low = AD_MIN(pairs->low, low);
        pairs->high = AD_MAX(pairs->high, high);
    } else {
        pairs->chain = true;
        pairs->low = low;
        pairs->high = high;
    }
    pairs->step = s->grouping->step_of[pairs->instr];
    ad_view_copy(&pairs->previous, &to);
    return AD_OK;
}

/*
 * The first two terms of a sum may change places: a + b is b + a.  So if the second of two ranges
 * of one length would run ahead of the first, it is made the first.
 */
static bool should_swap(const int64_t *first, const int64_t *second)
{
    struct ad_view from, a, b;

    ad_view_decode(ad_view_decode(first, &from), &a);
    ad_view_decode(ad_view_decode(second, &from), &b);
    return ad_pair_kind(&a) == AD_PAIR_RANGE && ad_pair_kind(&b) == AD_PAIR_RANGE &&
           ad_view_size(&a) == ad_view_size(&b) && b.base > a.base;
}

static enum ad_status schedule_each_pair(struct schedule *s, int32_t i, struct ad_overlap *overlap)
{
    const struct ad_tape *tape = s->grouping->program->tape;
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    const int64_t *first = NULL; /* the first pair, while the second is not known */
    struct pairs pairs = {.instr = i, .step = -1, .alike = true, .overlap = overlap};
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

/* Are there several long pairs, some of them scattered, that may add to the same results? */
static bool has_scattered_pairs(const int64_t *block)
{
    const int64_t *words = block + AD_BLOCK_HEADER;
    int n_long = 0, n_scattered = 0;

    for (int64_t v = 0; v < block[1] && !block[4]; v += 2) {
        struct ad_view to;

        words = ad_view_decode(ad_view_decode(words, &to), &to);
        if (ad_view_size(&to) <= AD_SHORT)
            continue;
        n_long++;
        n_scattered += ad_pair_kind(&to) == AD_PAIR_SCATTER;
    }
    return n_long > 1 && n_scattered > 0;
}

static enum ad_status schedule_pairs(struct schedule *s, int32_t i)
{
    const struct ad_tape *tape = s->grouping->program->tape;
    const int64_t *block = tape->aux + tape->a[i];
    struct ad_overlap overlap;
    enum ad_status status;

    if (!has_scattered_pairs(block))
        return schedule_each_pair(s, i, NULL);
    status =
        ad_overlap_begin(&overlap, block[2]) ? schedule_each_pair(s, i, &overlap) : AD_NO_MEMORY;
    ad_overlap_end(&overlap);
    return status;
}

static enum ad_status schedule_one(struct schedule *s, int32_t i)
{
    const struct ad_tape *tape = s->grouping->program->tape;
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
    struct ad_grouping *grouping = s->grouping;
    struct ad_member *sorted = malloc(((size_t)grouping->n_members + 1) * sizeof *sorted);
    int32_t at = 0;

    if (!sorted)
        return AD_NO_MEMORY;
    for (int32_t k = 0; k < grouping->n_steps; k++) {
        int32_t n = grouping->steps[k].end;

        grouping->steps[k].first = grouping->steps[k].end = at;
        at += n;
    }
    for (int32_t m = 0; m < grouping->n_members; m++)
        sorted[grouping->steps[s->member_step[m]].end++] = grouping->members[m];
    free(grouping->members);
    grouping->members = sorted;
    return AD_OK;
}

/* ---- all of it ---- */

static enum ad_status find_producers(struct ad_grouping *grouping)
{
    const struct ad_tape *tape = grouping->program->tape;
    int64_t n;
    int32_t i = 0;

    while (tape->n_slots >> grouping->bucket_bits > 2 * (int64_t)tape->n)
        grouping->bucket_bits++;
    n = ((int64_t)tape->n_slots >> grouping->bucket_bits) + 2;
    grouping->producers = malloc((size_t)n * sizeof *grouping->producers);
    if (!grouping->producers)
        return AD_NO_MEMORY;
    for (int64_t k = 0; k < n; k++) {
        while (i + 1 < tape->n && tape->dst[i + 1] <= k << grouping->bucket_bits)
            i++;
        grouping->producers[k] = i;
    }
    return AD_OK;
}

void ad_grouping_free(struct ad_grouping *grouping)
{
    free(grouping->steps);
    free(grouping->members);
    free(grouping->step_of);
    free(grouping->producers);
}

enum ad_status ad_grouping_new(const struct ad_program *program, struct ad_grouping *grouping)
{
    int32_t n = program->tape->n;
    struct schedule s = {.grouping = grouping, .run = -1, .bits = 4};
    uint8_t *used = malloc((size_t)n + 1);
    enum ad_status status;

    *grouping = (struct ad_grouping){.program = program};
    s.newest = calloc((size_t)1 << s.bits, sizeof *s.newest);
    s.alike = calloc((size_t)n + 1, 1);
    grouping->step_of = malloc(((size_t)n + 1) * sizeof *grouping->step_of);
    status = find_producers(grouping);
    if (!used || !s.newest || !s.alike || !grouping->step_of)
        status = AD_NO_MEMORY;
    if (!status) {
        for (int32_t i = 0; i < n; i++)
            grouping->step_of[i] = -1;
        ad_program_used(program, used);
    }
    for (int32_t i = program->n_inputs; i < n && !status; i++)
        if (used[i])
            status = schedule_one(&s, i);
    if (!status)
        status = sort_members(&s);
    free(used);
    free(s.newest);
    free(s.alike);
    free(s.member_step);
    if (status)
        ad_grouping_free(grouping);
    return status;
}

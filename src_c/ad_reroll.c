/* ad_reroll.c -- scalar instructions, level by level, into vector instructions. */
#include "ad_reroll.h"
#include "ad_sort.h"

#include <stdlib.h>
#include <string.h>

enum { SCALAR = -1, CONSTANT = -2, NOTHING = -3 }; /* where an operand comes from, if no vector */

/* A scalar instruction of the level under way. */
struct item {
    int32_t instr;             /* of the old tape */
    int32_t slot[AD_MAX_ARGS]; /* its operands on the new one */
    int32_t param;             /* the same for a FAMILY parameter, or 0 */
};

/* Items that do the same with operands from the same places. */
struct group {
    int op;
    int32_t param; /* slot of a FAMILY parameter */
    int32_t
        home[AD_MAX_ARGS]; /* instruction that an operand comes from; SCALAR, CONSTANT, NOTHING */
    int32_t count, start;  /* items pick[start .. start + count) */
    int32_t first;         /* one of them, when the group was found */
    bool mixed;            /* some of them have operands from elsewhere */
};

struct roller {
    struct ad_rewrite r;
    struct ad_reroll_report *report;
    int32_t *slot_level; /* of each old slot, while levels are found */
    int32_t *level;      /* of each old instruction */
    int32_t *order;      /* old instructions, level by level */
    int32_t *home;       /* of each new slot: the array instruction that made it, or SCALAR */
    int64_t home_room;

    /* of one level, with room for the largest */
    struct item *items;
    int32_t *group_of; /* of each item */
    struct group *groups;
    int32_t *table;        /* hash table: group or part + 1, 0 where empty */
    int32_t *pick, *spare; /* items, group by group */
    uint64_t *key, *spare_key;
    double *numbers;
    int32_t n_items, n_groups;
};

/* What to try, once each, with a group whose operands are not evenly spaced. */
enum { BY_LINE = 1, BY_CONSTANT = 2, BY_DISTANCE = 4 };

/* What comes after a group that is split is split as well, so a list is better than many parts. */
enum { PARTS_MAX = 16 };

/* Runs that an operand is put together from. */
enum { PIECES_MAX = 16 };

/* Loops over the items of a vector, the last dimension fastest. */
struct nest {
    int ndim;
    int64_t shape[AD_NEST];
};

const char *ad_scalar_reason_text(enum ad_scalar_reason reason)
{
    static const char *const text[] = {
        "part of a chain that runs alone",
        "few others do the same at the same time",
        "has a hook",
    };

    return text[reason];
}

/* ---- levels ---- */

static bool is_rollable(const struct roller *w, int32_t i)
{
    const struct ad_tape *tape = w->r.from->tape;

    if (ad_tape_is_array(tape, i) &&
        (ad_tape_code(tape, i) >= AD_N_OPS || tape->aux[tape->a[i] + 2] != 1))
        return false;
    return ad_rewrite_may_change(&w->r, i);
}

static int32_t level_of_slot(const struct roller *w, int32_t slot)
{
    return slot < 0 ? 0 : w->slot_level[slot];
}

static int32_t level_of_view(const struct roller *w, const struct ad_view *view)
{
    int32_t level = 0, low = ad_view_lowest(view);

    if (view->place == AD_LIST)
        for (int64_t j = 0; j < view->in.list->n; j++)
            level = AD_MAX(level, level_of_slot(w, view->in.list->slot[j]));
    else if (view->place == AD_SLOTS && low != INT32_MAX)
        level = level_of_slot(w, low); /* it stays within what one instruction produced */
    return level;
}

/* One more than the highest level of the operands of instruction i. */
static int32_t level_of(const struct roller *w, int32_t i)
{
    const struct ad_tape *tape = w->r.from->tape;
    int32_t level = 0;

    if (!ad_tape_is_array(tape, i)) {
        int32_t a = level_of_slot(w, tape->a[i]), b = level_of_slot(w, tape->b[i]);

        return 1 + AD_MAX(a, b);
    }
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    struct ad_view view;

    for (int64_t v = 0; v < block[1]; v++) {
        int32_t one;

        words = ad_view_decode(words, &view);
        one = level_of_view(w, &view);
        level = AD_MAX(level, one);
    }
    return 1 + level;
}

/* Find levels and sort by them; *most is how many instructions of a level may be rolled, at most. */
static enum ad_status sort_by_level(struct roller *w, int32_t *most)
{
    const struct ad_tape *tape = w->r.from->tape;
    int32_t n = tape->n, n_levels = 1;
    int32_t *start = calloc((size_t)n + 2, sizeof *start);
    int32_t *rollable = calloc((size_t)n + 2, sizeof *rollable);
    enum ad_status status = start && rollable ? AD_OK : AD_NO_MEMORY;

    *most = 0;
    for (int32_t i = 0; i < n && !status; i++) {
        int32_t length = ad_tape_length(tape, i),
                level = i < w->r.from->n_inputs ? 0 : level_of(w, i);

        w->level[i] = level;
        for (int32_t j = 0; j < length; j++)
            w->slot_level[tape->dst[i] + j] = level;
        n_levels = AD_MAX(n_levels, level + 1);
        start[level + 1]++;
        if (level > 0 && is_rollable(w, i)) {
            rollable[level]++;
            *most = AD_MAX(*most, rollable[level]);
        }
    }
    if (!status) {
        for (int32_t k = 0; k < n_levels; k++)
            start[k + 1] += start[k];
        for (int32_t i = 0; i < n; i++)
            w->order[start[w->level[i]]++] = i;
    }
    free(start);
    free(rollable);
    return status;
}

/* ---- instructions that stay as they are ---- */

/* The results of the newest instruction are at home there. */
static enum ad_status settle(struct roller *w)
{
    const struct ad_tape *to = w->r.to->tape;
    int32_t newest = to->n - 1, home = ad_tape_is_array(to, newest) ? newest : SCALAR;

    if (to->n_slots > w->home_room) {
        int64_t room = to->n_slots + w->home_room / 2;
        int32_t *larger = realloc(w->home, (size_t)room * sizeof *larger);

        if (!larger)
            return AD_NO_MEMORY;
        w->home = larger;
        w->home_room = room;
    }
    for (int32_t slot = to->dst[newest]; slot < to->n_slots; slot++)
        w->home[slot] = home;
    return AD_OK;
}

static enum ad_status copy(struct roller *w, int32_t i)
{
    enum ad_status status = ad_rewrite_copy(&w->r, i);

    return status ? status : settle(w);
}

static enum ad_status leave(struct roller *w, int32_t i, enum ad_scalar_reason reason)
{
    w->report->left[reason]++;
    return copy(w, i);
}

/* ---- the order of a vector: loops whose operands are evenly spaced ---- */

/* Operand k of item j of a vector. */
static int32_t operand(const struct roller *w, const int32_t *pick, int64_t j, int k)
{
    return w->items[pick[j]].slot[k];
}

/* Which operands of a group can be views of slots: those of one vector each, or one slot for all. */
static int views_of(const struct roller *w, const struct group *g, int *args)
{
    int n = 0;

    for (int k = 0; k < AD_MAX_ARGS; k++) {
        bool one = g->home[k] == SCALAR;

        for (int32_t j = 1; j < g->count && one; j++)
            one = operand(w, w->pick + g->start, j, k) == operand(w, w->pick + g->start, 0, k);
        if (g->home[k] >= 0 || one)
            args[n++] = k;
    }
    return n;
}

/* Is operand k of items [0, n) of blocks of 'block' items the same in each, counted from its first? */
static bool repeats(const struct roller *w, const int32_t *pick, int64_t n, int64_t block, int k)
{
    for (int64_t start = block; start < n; start += block) {
        int32_t apart = operand(w, pick, start, k) - operand(w, pick, 0, k);

        for (int64_t j = 1; j < block; j++)
            if (operand(w, pick, start + j, k) - operand(w, pick, j, k) != apart)
                return false;
    }
    return true;
}

/* How many blocks of 'block' items, of n items, follow the first at even distances in all operands? */
static int64_t even_blocks(const struct roller *w, const int32_t *pick, int64_t n, int64_t block,
                           int n_args, const int *args)
{
    int64_t blocks = n / block, even = blocks;

    for (int v = 0; v < n_args; v++) {
        int k = args[v];
        int32_t first = operand(w, pick, 0, k), last = operand(w, pick, block, k);
        int64_t step = (int64_t)last - first;

        for (int64_t b = 2; b < even; b++)
            if (operand(w, pick, b * block, k) != first + b * step)
                even = b;
    }
    return even;
}

/* The loops over n items in which the operands in args[] are evenly spaced; false if there are none. */
static bool find_nest(struct roller *w, const int32_t *pick, int64_t n, int n_args, const int *args,
                      struct nest *nest)
{
    int64_t block = 1;

    nest->ndim = 0;
    do {
        int64_t even = block < n ? even_blocks(w, pick, n, block, n_args, args) : 1;

        w->report->steps += n;
        if (n % (even * block) != 0 || nest->ndim == AD_NEST || (even < 2 && n > 1))
            return false;
        block *= even;
        for (int v = 0; v < n_args; v++)
            if (!repeats(w, pick, n, block, args[v]))
                return false;
        memmove(nest->shape + 1, nest->shape, (size_t)nest->ndim * sizeof *nest->shape);
        nest->shape[0] = even;
        nest->ndim++;
    } while (block < n);
    return true;
}

/* Make the longest loop the innermost one if that is short, and put the items in that order. */
static void turn_nest(struct roller *w, int32_t *pick, int64_t n, struct nest *nest)
{
    int last = nest->ndim - 1, longest = last;
    int64_t inner = 1, outer, middle;

    for (int d = 0; d < last; d++)
        if (nest->shape[d] > nest->shape[longest])
            longest = d;
    if (longest == last || nest->shape[last] >= AD_VECTOR_MIN)
        return;
    /* (outer, length, inner) becomes (outer, inner, length) */
    middle = nest->shape[longest];
    for (int d = longest + 1; d <= last; d++)
        inner *= nest->shape[d];
    outer = n / (middle * inner);
    for (int64_t a = 0; a < outer; a++)
        for (int64_t b = 0; b < middle; b++)
            for (int64_t c = 0; c < inner; c++)
                w->spare[(a * inner + c) * middle + b] = pick[(a * middle + b) * inner + c];
    memcpy(pick, w->spare, (size_t)n * sizeof *pick);
    memmove(nest->shape + longest, nest->shape + longest + 1,
            (size_t)(last - longest) * sizeof *nest->shape);
    nest->shape[last] = middle;
}

/* ---- vector instructions ---- */

/* An operand of constants: a number, or an array over the loops in which it differs. */
static enum ad_status constant_view(struct roller *w, const int32_t *pick, int64_t n, int k,
                                    struct ad_view *view)
{
    const double *value = w->r.to->tape->value;
    int64_t inner = n, block, at = 0;

    for (int64_t j = 0; j < n; j++)
        w->numbers[j] = value[operand(w, pick, j, k)];
    w->report->steps += n;
    /* keep[d]: does it differ along dimension d? */
    for (int d = 0; d < view->ndim; d++) {
        bool differs = false;

        block = inner;
        inner = block / view->shape[d];
        for (int64_t j = 0; j < n && !differs; j++)
            differs = !ad_same_bits(w->numbers[j], w->numbers[j - j % block + j % inner]);
        view->stride[d] = differs ? 1 : 0;
    }
    /* the array has the dimensions that are left, in C order */
    block = 1;
    for (int d = view->ndim - 1; d >= 0; d--)
        if (view->stride[d]) {
            view->stride[d] = block;
            block *= view->shape[d];
        }
    view->base = 0;
    if (block == 1) {
        view->place = AD_NUMBER;
        view->in.number = w->numbers[0];
        return AD_OK;
    }
    if (block < n) {
        int64_t index[AD_NEST] = {0};

        for (int64_t j = 0; j < n; j++) {
            w->numbers[at] = w->numbers[j]; /* at <= j, and what is overwritten has been read */
            at = 0;
            for (int d = view->ndim - 1; d >= 0; d--) {
                if (++index[d] < view->shape[d])
                    break;
                index[d] = 0;
            }
            for (int d = 0; d < view->ndim; d++)
                at += index[d] * view->stride[d];
        }
    }
    view->place = AD_ARRAY;
    view->in.array = ad_array_copy(w->numbers, block);
    return view->in.array ? AD_OK : AD_NO_MEMORY;
}

static enum ad_status list_view(struct roller *w, const int32_t *pick, int64_t n, int k,
                                struct ad_view *view)
{
    struct ad_list *list = ad_list_new(&w->r.to->tape->lists, n);

    if (!list)
        return AD_NO_MEMORY;
    for (int64_t j = 0; j < n; j++)
        list->slot[j] = operand(w, pick, j, k);
    w->report->lists++;
    w->report->steps += n;
    view->place = AD_LIST;
    view->in.list = list;
    ad_strides(view->ndim, view->shape, view->stride);
    return AD_OK;
}

static void slots_view(const struct roller *w, const int32_t *pick, int64_t n, int k,
                       struct ad_view *view)
{
    int64_t inner = n;

    view->place = AD_SLOTS;
    view->base = operand(w, pick, 0, k);
    for (int d = 0; d < view->ndim; d++) {
        inner /= view->shape[d];
        view->stride[d] = view->shape[d] > 1 ? operand(w, pick, inner, k) - view->base : 0;
    }
}

/*
 * The runs that operand k consists of in the order of pick[]: evenly spaced results of one vector, or one slot
 * over and over.  start[] receives where each begins, and the end.  Returns how many there are; 0 if they are
 * too many, or too short.
 */
static int find_pieces(struct roller *w, const int32_t *pick, int32_t n, int k, int32_t *start)
{
    int most = AD_MIN(n / AD_VECTOR_MIN, PIECES_MAX), n_pieces = 0;

    for (int32_t j = 0; j < n;) {
        int32_t slot = operand(w, pick, j, k), end = j + 1;
        int32_t home = slot < 0 ? CONSTANT : w->home[slot], step = 0;

        if (n_pieces == most)
            return 0;
        start[n_pieces++] = j;
        if (end < n)
            step = operand(w, pick, end, k) - slot;
        for (; end < n; end++) {
            int32_t next = operand(w, pick, end, k);

            if (next - operand(w, pick, end - 1, k) != step ||
                (step != 0 && (home < 0 || next < 0 || w->home[next] != home)))
                break;
        }
        j = end;
    }
    start[n_pieces] = n;
    w->report->steps += n;
    return n_pieces;
}

static bool is_constant(const struct roller *w, const int32_t *pick, int32_t n, int k)
{
    for (int32_t j = 0; j < n; j++)
        if (operand(w, pick, j, k) >= 0)
            return false;
    return true;
}

/* An operand put together from its runs by an instruction of its own. */
static enum ad_status pieces_view(struct roller *w, const int32_t *pick, int32_t n, int k,
                                  int n_pieces, const int32_t *start, struct ad_view *view)
{
    struct ad_tape *to = w->r.to->tape;
    struct ad_view pairs[2 * PIECES_MAX];
    enum ad_status status;

    for (int v = 0; v < n_pieces; v++) {
        struct ad_view *from = &pairs[2 * v], *target = from + 1;
        int32_t first = operand(w, pick, start[v], k);
        int64_t length = start[v + 1] - start[v];

        *target = ad_view_slots(start[v], 1, &length);
        target->place = AD_OWN;
        *from = ad_view_slots(first, 1, &length);
        from->stride[0] = length > 1 ? operand(w, pick, start[v] + 1, k) - first : 0;
        if (first < 0) {
            *from = ad_view_number(to->value[first]);
            ad_view_broadcast(from, 1, &length);
        }
    }
    status = ad_record_block(to, AD_ADDTO, 0, 1, n, 2 * n_pieces, pairs);
    if (status)
        return status;
    view->place = AD_SLOTS;
    view->base = to->dst[to->n - 1];
    for (int32_t j = 0; j < n && !to->symbolic; j++)
        to->value[view->base + j] = to->value[operand(w, pick, j, k)];
    return settle(w);
}

/* An operand of items in any order, in one dimension. */
static enum ad_status line_view(struct roller *w, const int32_t *pick, int32_t n, int k,
                                struct ad_view *view)
{
    int32_t start[PIECES_MAX + 1];
    int n_pieces;

    if (is_constant(w, pick, n, k))
        return constant_view(w, pick, n, k, view);
    n_pieces = find_pieces(w, pick, n, k, start);
    if (n_pieces == 0)
        return list_view(w, pick, n, k, view);
    if (n_pieces > 1)
        return pieces_view(w, pick, n, k, n_pieces, start, view);
    slots_view(w, pick, n, k, view);
    return AD_OK;
}

/* The items of a group, in the order of pick[], as one instruction.  In a nest operands are evenly spaced or
 * constant; without one, nest is NULL. */
static enum ad_status emit(struct roller *w, const struct group *g, const struct nest *nest)
{
    struct ad_rewrite *r = &w->r;
    struct ad_tape *to = r->to->tape;
    const struct ad_tape *tape = r->from->tape;
    const struct nest line = {1, {g->count}};
    const int32_t *pick = w->pick + g->start;
    int n_args = ad_ops[g->op].n_args, done = 0;
    struct ad_view views[AD_MAX_ARGS + 1];
    double p = g->param < 0 ? to->value[g->param] : 0;
    int32_t dst;
    enum ad_status status = AD_OK;

    ad_tape_here(to, ad_tape_origin(tape, w->items[pick[0]].instr));
    for (; done < n_args && !status; done++) {
        struct ad_view *view = &views[done];

        *view = nest ? ad_view_slots(0, nest->ndim, nest->shape)
                     : ad_view_slots(0, line.ndim, line.shape);
        if (!nest)
            status = line_view(w, pick, g->count, done, view);
        else if (g->home[done] == CONSTANT)
            status = constant_view(w, pick, g->count, done, view);
        else
            slots_view(w, pick, g->count, done, view);
    }
    if (status)
        done--; /* the last one holds nothing */
    if (!status) {
        views[n_args] = ad_view_slots(0, views[0].ndim, views[0].shape);
        ad_views_collapse(n_args + 1, views);
        status = ad_record_block(to, g->op, p, 0, g->count, n_args, views);
    }
    while (done-- > 0)
        ad_view_drop(&views[done]);
    if (!status)
        status = settle(w);
    if (status)
        return status;
    dst = to->dst[to->n - 1];
    for (int32_t j = 0; j < g->count; j++) {
        int32_t old = tape->dst[w->items[pick[j]].instr];

        r->slot[old] = dst + j;
        if (!to->symbolic)
            to->value[dst + j] = tape->value[old];
    }
    w->report->rolled += g->count;
    w->report->vectors++;
    w->report->steps += g->count;
    return AD_OK;
}

/* ---- sorting and splitting ---- */

/* Sort a group by its operands, the first above the others. */
static void sort_by_operands(struct roller *w, const struct group *g)
{
    int32_t *pick = w->pick + g->start;

    for (int k = AD_MAX_ARGS - 1; k >= 0; k--) {
        if (g->home[k] < 0)
            continue;
        for (int32_t j = 0; j < g->count; j++)
            w->key[j] = (uint64_t)operand(w, pick, j, k);
        w->report->steps += ad_sort_keys(g->count, w->key, pick, w->spare_key, w->spare);
    }
}

static uint32_t hash_key(uint64_t key)
{
    key *= 0x9E3779B97F4A7C15u;
    return (uint32_t)(key ^ key >> 32);
}

/* The mask of a cleared hash table for n entries. */
static uint32_t clear_table(struct roller *w, int32_t n)
{
    uint32_t room = 16;

    while (room < 2 * (uint32_t)n)
        room *= 2;
    memset(w->table, 0, room * sizeof *w->table);
    return room - 1;
}

static uint64_t split_key(const struct roller *w, const struct group *g, int way, int32_t item)
{
    const struct item *it = &w->items[item];
    uint64_t key = 0;

    if (way == BY_LINE)
        return (uint64_t)(uint32_t)ad_tape_origin(w->r.from->tape, it->instr);
    if (way == BY_DISTANCE)
        return g->home[0] >= 0 && g->home[1] >= 0 ? (uint64_t)((int64_t)it->slot[1] - it->slot[0])
                                                  : 0;
    for (int k = 0; k < AD_MAX_ARGS; k++)
        if (g->home[k] == CONSTANT)
            key = key << 21 ^ (uint64_t)(uint32_t)it->slot[k];
    return key;
}

/*
 * Put the items of a group in the order of its parts, which differ in what 'way' says.  parts[] receives
 * where each begins, and the end.  Returns how many there are; 1, and no order is changed, if they would
 * be too small.
 */
static int32_t split(struct roller *w, const struct group *g, int way, int32_t *parts)
{
    int32_t *pick = w->pick + g->start, n_parts = 0;
    int32_t most = AD_MIN(g->count / AD_VECTOR_MIN, PARTS_MAX);
    uint32_t mask = clear_table(w, most);

    w->report->steps += 2 * (int64_t)g->count;
    for (int32_t j = 0; j < g->count; j++) {
        uint64_t key = split_key(w, g, way, pick[j]);
        uint32_t at = hash_key(key) & mask;

        while (w->table[at] && w->spare_key[w->table[at] - 1] != key)
            at = (at + 1) & mask;
        if (!w->table[at]) {
            if (n_parts == most)
                return 1;
            w->spare_key[n_parts] = key;
            parts[n_parts] = 0;
            w->table[at] = ++n_parts;
        }
        w->key[j] = (uint64_t)w->table[at] - 1;
        parts[w->table[at] - 1]++;
    }
    if (n_parts < 2)
        return 1;
    for (int32_t k = 0; k < n_parts; k++)
        if (parts[k] < AD_VECTOR_MIN)
            return 1;
    for (int32_t k = 0, start = 0; k < n_parts; k++) {
        int32_t count = parts[k];

        parts[k] = start;
        start += count;
    }
    for (int32_t j = 0; j < g->count; j++)
        w->spare[parts[w->key[j]]++] = pick[j];
    memcpy(pick, w->spare, (size_t)g->count * sizeof *pick);
    memmove(parts + 1, parts, (size_t)n_parts * sizeof *parts);
    parts[0] = 0;
    return n_parts;
}

/* ---- groups ---- */

static enum ad_status roll(struct roller *w, const struct group *g, int tried);

static enum ad_status leave_group(struct roller *w, const struct group *g)
{
    enum ad_status status = AD_OK;

    for (int32_t j = 0; j < g->count && !status; j++)
        status = leave(w, w->items[w->pick[g->start + j]].instr, AD_SCALAR_FEW);
    return status;
}

static enum ad_status roll_parts(struct roller *w, const struct group *g, int tried,
                                 int32_t n_parts, const int32_t *parts)
{
    enum ad_status status = AD_OK;

    for (int32_t k = 0; k < n_parts && !status; k++) {
        struct group part = *g;

        part.start = g->start + parts[k];
        part.count = parts[k + 1] - parts[k];
        status = roll(w, &part, tried);
    }
    return status;
}

/* Do views of slots do for all operands that are not constants? */
static bool all_views(const struct group *g, int n_args)
{
    int n = 0;

    for (int k = 0; k < AD_MAX_ARGS; k++)
        n += g->home[k] >= SCALAR;
    return n == n_args;
}

static bool same_kind(const struct group *a, const struct group *b)
{
    return a->op == b->op && a->param == b->param && !memcmp(a->home, b->home, sizeof a->home);
}

/* The group of an item, new if there is none like it. */
static int32_t group_of(struct roller *w, const struct group *like, uint32_t mask)
{
    uint64_t key = (uint64_t)like->op << 32 ^ (uint32_t)like->param;
    uint32_t at;

    for (int k = 0; k < AD_MAX_ARGS; k++)
        key = (key ^ (uint32_t)like->home[k]) * 0xBF58476D1CE4E5B9u;
    for (at = hash_key(key) & mask; w->table[at]; at = (at + 1) & mask)
        if (same_kind(&w->groups[w->table[at] - 1], like))
            return w->table[at] - 1;
    w->groups[w->n_groups] = *like;
    w->table[at] = ++w->n_groups;
    return w->n_groups - 1;
}

static struct group kind_of(const struct roller *w, const struct item *item)
{
    const struct ad_tape *tape = w->r.from->tape;
    int op = ad_tape_code(tape, item->instr);
    struct group g = {.op = op, .param = item->param};

    for (int k = 0; k < AD_MAX_ARGS; k++) {
        int32_t slot = item->slot[k];

        g.home[k] = k >= ad_ops[op].n_args ? NOTHING : slot < 0 ? CONSTANT : w->home[slot];
    }
    return g;
}

/* Can operands be put together from runs, in the order there is, so that none is a list? */
static bool is_line(struct roller *w, const struct group *g)
{
    int32_t start[PIECES_MAX + 1];

    for (int k = 0; k < ad_ops[g->op].n_args; k++)
        if (!is_constant(w, w->pick + g->start, g->count, k) &&
            !find_pieces(w, w->pick + g->start, g->count, k, start))
            return false;
    return true;
}

/* Find loops in the order there is, or in that of the operands; the order is as it was if there are none. */
static enum ad_status roll_nest(struct roller *w, const struct group *g, bool *rolled)
{
    int32_t *pick = w->pick + g->start, *as_was;
    int args[AD_MAX_ARGS], n_args = views_of(w, g, args);
    struct nest nest;

    *rolled = true;
    if (find_nest(w, pick, g->count, n_args, args, &nest)) {
        turn_nest(w, pick, g->count, &nest);
        return emit(w, g, &nest);
    }
    as_was = malloc((size_t)g->count * sizeof *as_was);
    if (!as_was)
        return AD_NO_MEMORY;
    memcpy(as_was, pick, (size_t)g->count * sizeof *pick);
    sort_by_operands(w, g);
    *rolled = find_nest(w, pick, g->count, n_args, args, &nest);
    if (!*rolled)
        memcpy(pick, as_was, (size_t)g->count * sizeof *pick);
    free(as_was);
    if (!*rolled)
        return AD_OK;
    turn_nest(w, pick, g->count, &nest);
    return emit(w, g, &nest);
}

/* Vectors of a group whose items are all of its kind, at least AD_VECTOR_MIN of them. */
static enum ad_status roll(struct roller *w, const struct group *g, int tried)
{
    int args[AD_MAX_ARGS];
    bool rolled;
    enum ad_status status;

    if (!all_views(g, views_of(w, g, args))) {
        if (g->count < AD_LIST_MIN && !is_line(w, g))
            return leave_group(w, g);
        return emit(w, g, NULL);
    }
    status = roll_nest(w, g, &rolled);
    if (status || rolled)
        return status;
    if (is_line(w, g))
        return emit(w, g, NULL);
    for (int way = BY_LINE; way <= BY_DISTANCE; way *= 2) {
        int32_t parts[PARTS_MAX + 1], n_parts;

        if (tried & way)
            continue;
        tried |= way;
        n_parts = split(w, g, way, parts);
        if (n_parts > 1)
            return roll_parts(w, g, tried, n_parts, parts);
    }
    return emit(w, g, NULL);
}

/* The same for a group that others joined: all of them, or only those of its kind. */
static enum ad_status roll_mixed(struct roller *w, const struct group *g)
{
    int32_t *pick = w->pick + g->start, n_rest = 0;
    struct group own = *g, rest = *g;
    enum ad_status status;

    if (is_line(w, g))
        return emit(w, g, NULL);
    own.count = 0;
    for (int32_t j = 0; j < g->count; j++) {
        struct group kind = kind_of(w, &w->items[pick[j]]);

        if (same_kind(&kind, g))
            pick[own.count++] = pick[j];
        else
            w->spare[n_rest++] = pick[j];
    }
    memcpy(pick + own.count, w->spare, (size_t)n_rest * sizeof *pick);
    rest.start = g->start + own.count;
    rest.count = n_rest;
    status = roll(w, &own, 0);
    return status ? status : leave_group(w, &rest);
}

/* Give each item its group, and each group its place in pick[]. */
static void place_groups(struct roller *w)
{
    int32_t start = 0;

    for (int32_t k = 0; k < w->n_groups; k++) {
        w->groups[k].start = start;
        start += w->groups[k].count;
        w->groups[k].count = 0;
    }
    for (int32_t j = 0; j < w->n_items; j++) {
        struct group *g = &w->groups[w->group_of[j]];

        w->pick[g->start + g->count++] = j;
    }
}

/* Groups by op and by where operands come from. */
static void find_groups(struct roller *w)
{
    uint32_t mask = clear_table(w, w->n_items);

    w->n_groups = 0;
    for (int32_t j = 0; j < w->n_items; j++) {
        struct group like = kind_of(w, &w->items[j]);

        like.first = j;
        w->group_of[j] = group_of(w, &like, mask);
        w->groups[w->group_of[j]].count++;
    }
    w->report->steps += w->n_items;
}

static int32_t line_of(const struct roller *w, int32_t item)
{
    return ad_tape_origin(w->r.from->tape, w->items[item].instr);
}

/* Where in the table the largest group with the op and the line of 'like' is, or would be. */
static uint32_t host_place(const struct roller *w, const struct group *like, uint32_t mask)
{
    int32_t line = line_of(w, like->first);
    uint64_t key = (uint64_t)like->op << 32 ^ (uint32_t)like->param ^ (uint64_t)line << 42;
    uint32_t at = hash_key(key) & mask;

    for (; w->table[at]; at = (at + 1) & mask) {
        const struct group *g = &w->groups[w->table[at] - 1];

        if (g->op == like->op && g->param == like->param && line_of(w, g->first) == line)
            break;
    }
    return at;
}

/*
 * Items of groups that are too small join the largest group that does the same op on the same line of code: the
 * first and last iterations of a loop, whose neighbours are not what those of the others are.  Left alone,
 * they would make all that reads them differ as well.
 */
static void join_hosts(struct roller *w)
{
    uint32_t mask = clear_table(w, w->n_items);

    for (int32_t k = 0; k < w->n_groups; k++) {
        struct group *g = &w->groups[k];
        uint32_t at;

        if (g->count < AD_VECTOR_MIN)
            continue;
        at = host_place(w, g, mask);
        if (!w->table[at] || w->groups[w->table[at] - 1].count < g->count)
            w->table[at] = k + 1;
    }
    for (int32_t j = 0; j < w->n_items; j++) {
        struct group like = w->groups[w->group_of[j]];
        int32_t host;

        like.first = j;
        host = like.count < AD_VECTOR_MIN ? w->table[host_place(w, &like, mask)] - 1 : -1;
        if (host < 0)
            continue;
        w->group_of[j] = host;
        w->groups[host].mixed = true;
    }
    for (int32_t k = 0; k < w->n_groups; k++)
        w->groups[k].count = 0;
    for (int32_t j = 0; j < w->n_items; j++)
        w->groups[w->group_of[j]].count++;
    w->report->steps += 2 * (int64_t)w->n_items;
}

/* Groups that are too small are put together by op and by which operands are constant; no matter where the
 * others come from, they will be lists. */
static void join_small_groups(struct roller *w)
{
    int32_t n_groups = w->n_groups;
    uint32_t mask = clear_table(w, w->n_items);

    for (int32_t j = 0; j < w->n_items; j++) {
        const struct group *g = &w->groups[w->group_of[j]];
        struct group like = *g;

        if (w->group_of[j] >= n_groups || g->count >= AD_VECTOR_MIN)
            continue;
        for (int k = 0; k < AD_MAX_ARGS; k++)
            like.home[k] = AD_MIN(like.home[k], SCALAR);
        like.count = 0;
        like.mixed = false;
        w->group_of[j] = group_of(w, &like, mask);
        w->groups[w->group_of[j]].count++;
    }
    for (int32_t k = 0; k < n_groups; k++) /* their items are in the others now */
        if (w->groups[k].count < AD_VECTOR_MIN)
            w->groups[k].count = 0;
    w->report->steps += w->n_items;
}

/* ---- the pass ---- */

/* The one element of an operand, as a slot of the new tape. */
static int32_t element(struct ad_rewrite *r, const struct ad_view *view)
{
    switch (view->place) {
    case AD_SLOTS:
        return ad_rewrite_slot(r, (int32_t)view->base);
    case AD_LIST:
        return ad_rewrite_slot(r, view->in.list->slot[view->base]);
    case AD_ARRAY:
        return ad_rewrite_const(r, view->in.array->data[view->base]);
    case AD_NUMBER:
        return ad_rewrite_const(r, view->in.number);
    case AD_OWN:
    case AD_OWN_LIST:
        break;
    }
    ad_unreachable();
    return AD_GONE;
}

static enum ad_status read_item(struct roller *w, int32_t i)
{
    const struct ad_tape *tape = w->r.from->tape;
    struct item *item = &w->items[w->n_items++];
    const struct ad_op_info *op = &ad_ops[ad_tape_code(tape, i)];
    bool found = true;

    *item = (struct item){.instr = i};
    if (ad_tape_is_array(tape, i)) {
        struct ad_view views[AD_MAX_ARGS];
        double p;

        ad_tape_views(tape, i, views, AD_MAX_ARGS);
        for (int k = 0; k < op->n_args; k++)
            item->slot[k] = element(&w->r, &views[k]);
        memcpy(&p, tape->aux + tape->a[i] + 3, sizeof p);
        if (op->family)
            item->param = ad_rewrite_const(&w->r, p);
    } else {
        item->slot[0] = ad_rewrite_slot(&w->r, tape->a[i]);
        if (op->n_args > 1)
            item->slot[1] = ad_rewrite_slot(&w->r, tape->b[i]);
        if (op->family)
            item->param = ad_rewrite_slot(&w->r, tape->b[i]);
    }
    for (int k = 0; k < op->n_args; k++)
        found &= item->slot[k] != AD_GONE;
    return found && item->param != AD_GONE ? AD_OK : AD_NO_MEMORY;
}

static enum ad_status roll_level(struct roller *w, const int32_t *instrs, int32_t n)
{
    const struct ad_tape *tape = w->r.from->tape;
    enum ad_status status = AD_OK;

    w->n_items = 0;
    for (int32_t j = 0; j < n && !status; j++) {
        if (is_rollable(w, instrs[j]))
            status = read_item(w, instrs[j]);
        else if (ad_tape_is_array(tape, instrs[j]))
            status = copy(w, instrs[j]);
        else
            status = leave(w, instrs[j], AD_SCALAR_NOTED);
    }
    if (w->n_items < AD_VECTOR_MIN) {
        for (int32_t j = 0; j < w->n_items && !status; j++)
            status = leave(w, w->items[j].instr, AD_SCALAR_SERIAL);
        return status;
    }
    if (status)
        return status;
    find_groups(w);
    join_hosts(w);
    join_small_groups(w);
    place_groups(w);
    for (int32_t k = 0; k < w->n_groups && !status; k++) {
        const struct group g = w->groups[k];

        status = g.count < AD_VECTOR_MIN ? leave_group(w, &g)
                 : g.mixed               ? roll_mixed(w, &g)
                                         : roll(w, &g, 0);
    }
    return status;
}

static void roller_free(struct roller *w)
{
    free(w->slot_level);
    free(w->level);
    free(w->order);
    free(w->home);
    free(w->items);
    free(w->group_of);
    free(w->groups);
    free(w->table);
    free(w->pick);
    free(w->spare);
    free(w->key);
    free(w->spare_key);
    free(w->numbers);
}

/* Room for 'most' items of a level. */
static enum ad_status roller_room(struct roller *w, int32_t most)
{
    size_t n = (size_t)AD_MAX(most, 1), room = 16;

    while (room < 2 * n)
        room *= 2;
    w->items = malloc(n * sizeof *w->items);
    w->group_of = malloc(n * sizeof *w->group_of);
    w->groups = malloc(2 * n * sizeof *w->groups);
    w->table = malloc(room * sizeof *w->table);
    w->pick = malloc(n * sizeof *w->pick);
    w->spare = malloc(n * sizeof *w->spare);
    w->key = malloc(n * sizeof *w->key);
    w->spare_key = malloc(n * sizeof *w->spare_key);
    w->numbers = malloc(n * sizeof *w->numbers);
    return w->items && w->group_of && w->groups && w->table && w->pick && w->spare && w->key &&
                   w->spare_key && w->numbers
               ? AD_OK
               : AD_NO_MEMORY;
}

enum ad_status ad_reroll(const struct ad_program *from, struct ad_program **to,
                         struct ad_reroll_report *report)
{
    const struct ad_tape *tape = from->tape;
    struct roller w = {.report = report};
    enum ad_status status = ad_rewrite_begin(&w.r, from);
    size_t n = (size_t)AD_MAX(tape->n, 1), n_slots = (size_t)AD_MAX(tape->n_slots, 1);
    int32_t most = 0;

    *report = (struct ad_reroll_report){0};
    w.slot_level = malloc(n_slots * sizeof *w.slot_level);
    w.level = malloc(n * sizeof *w.level);
    w.order = malloc(n * sizeof *w.order);
    w.home = malloc(n_slots * sizeof *w.home);
    w.home_room = (int64_t)n_slots;
    if (!w.slot_level || !w.level || !w.order || !w.home)
        status = AD_NO_MEMORY;
    if (!status)
        status = sort_by_level(&w, &most);
    if (!status)
        status = roller_room(&w, most);
    for (int32_t k = 0; k < from->n_inputs && !status; k++)
        for (int32_t j = 0; j < ad_tape_length(tape, k); j++)
            w.home[tape->dst[k] + j] = k; /* inputs keep their slots */
    for (int32_t start = from->n_inputs, end; start < tape->n && !status; start = end) {
        if (most < AD_VECTOR_MIN) { /* nothing to do: keep the order too */
            end = start + 1;
            status = roll_level(&w, &start, 1);
            continue;
        }
        for (end = start + 1; end < tape->n; end++)
            if (w.level[w.order[end]] != w.level[w.order[start]])
                break;
        status = roll_level(&w, w.order + start, end - start);
    }
    report->steps += tape->n;
    roller_free(&w);
    return ad_rewrite_end(&w.r, status, to);
}

enum ad_status ad_pass_reroll(const struct ad_program *from, struct ad_program **to)
{
    struct ad_reroll_report report;

    return ad_reroll(from, to, &report);
}

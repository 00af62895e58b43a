/* ad_reroll.c -- scalar instructions, level by level, into vector instructions. */
#include "ad_reroll.h"
#include "ad_level.h"
#include "ad_sort.h"

#include <stdlib.h>
#include <string.h>

struct roller {
    struct ad_vectors v; /* its arrays have room for the largest level */
    struct ad_reroll_report *report;
    int32_t *level; /* of each old instruction */
    int32_t *order; /* old instructions, level by level */

    /* of one level, with room for the largest */
    int32_t *group_of; /* of each item */
    struct ad_group *groups;
    int32_t *table; /* hash table: group or part + 1, 0 where empty */
    uint64_t *key, *spare_key;
    int32_t n_items, n_groups;
};

/* What to try, once each, with a group whose operands are not evenly spaced. */
enum { BY_LINE = 1, BY_CONSTANT = 2, BY_DISTANCE = 4 };

/* What comes after a group that is split is split as well, so a list is better than many parts. */
enum { PARTS_MAX = 16 };

const char *ad_scalar_reason_text(enum ad_scalar_reason reason)
{
    static const char *const text[] = {
        "part of a chain that runs alone",
        "few others do the same at the same time",
        "has a hook",
    };

    return text[reason];
}

/* ---- instructions that stay as they are ---- */

static bool is_rollable(const struct roller *w, int32_t i)
{
    const struct ad_tape *tape = w->v.r.from->tape;

    if (ad_tape_is_array(tape, i) &&
        (ad_tape_code(tape, i) >= AD_N_OPS || tape->aux[tape->a[i] + 2] != 1))
        return false;
    return ad_rewrite_may_change(&w->v.r, i);
}

/* How many instructions of one level may be rolled, at most. */
static int32_t most_rollable(const struct roller *w)
{
    int32_t n = w->v.r.from->tape->n, rollable = 0, most = 0;

    for (int32_t j = w->v.r.from->n_inputs; j < n; j++) {
        if (j > 0 && w->level[w->order[j]] != w->level[w->order[j - 1]])
            rollable = 0;
        rollable += is_rollable(w, w->order[j]);
        most = AD_MAX(most, rollable);
    }
    return most;
}

static enum ad_status copy(struct roller *w, int32_t i)
{
    enum ad_status status = ad_rewrite_copy(&w->v.r, i);

    return status ? status : ad_vectors_settle(&w->v);
}

static enum ad_status leave(struct roller *w, int32_t i, enum ad_scalar_reason reason)
{
    w->report->left[reason]++;
    return copy(w, i);
}

/* ---- sorting and splitting ---- */

/* Sort a group by its operands, the first above the others. */
static void sort_by_operands(struct roller *w, const struct ad_group *g)
{
    int32_t *pick = w->v.pick + g->start;

    for (int k = AD_MAX_ARGS - 1; k >= 0; k--) {
        if (g->home[k] < 0)
            continue;
        for (int32_t j = 0; j < g->count; j++)
            w->key[j] = (uint64_t)ad_vectors_operand(&w->v, pick, j, k);
        w->v.counts.steps += ad_sort_keys(g->count, w->key, pick, w->spare_key, w->v.spare);
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

static uint64_t split_key(const struct roller *w, const struct ad_group *g, int way, int32_t item)
{
    const struct ad_item *it = &w->v.items[item];
    uint64_t key = 0;

    if (way == BY_LINE)
        return (uint64_t)(uint32_t)ad_tape_origin(w->v.r.from->tape, it->instr);
    if (way == BY_DISTANCE)
        return g->home[0] >= 0 && g->home[1] >= 0 ? (uint64_t)((int64_t)it->slot[1] - it->slot[0])
                                                  : 0;
    for (int k = 0; k < AD_MAX_ARGS; k++)
        if (g->home[k] == AD_HOME_CONSTANT)
            key = key << 21 ^ (uint64_t)(uint32_t)it->slot[k];
    return key;
}

/*
 * Put the items of a group in the order of its parts, which differ in what 'way' says.  parts[]
 * receives where each begins, and the end.  Returns how many there are; 1, and no order is changed,
 * if they would be too small.
 */
static int32_t split(struct roller *w, const struct ad_group *g, int way, int32_t *parts)
{
    int32_t *pick = w->v.pick + g->start, n_parts = 0;
    int32_t most = AD_MIN(g->count / AD_VECTOR_MIN, PARTS_MAX);
    uint32_t mask = clear_table(w, most);

    w->v.counts.steps += 2 * (int64_t)g->count;
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
        w->v.spare[parts[w->key[j]]++] = pick[j];
    memcpy(pick, w->v.spare, (size_t)g->count * sizeof *pick);
    memmove(parts + 1, parts, (size_t)n_parts * sizeof *parts);
    parts[0] = 0;
    return n_parts;
}

/* ---- groups ---- */

static enum ad_status roll(struct roller *w, const struct ad_group *g, int tried);

static enum ad_status leave_group(struct roller *w, const struct ad_group *g)
{
    enum ad_status status = AD_OK;

    for (int32_t j = 0; j < g->count && !status; j++)
        status = leave(w, w->v.items[w->v.pick[g->start + j]].instr, AD_SCALAR_FEW);
    return status;
}

static enum ad_status roll_parts(struct roller *w, const struct ad_group *g, int tried,
                                 int32_t n_parts, const int32_t *parts)
{
    enum ad_status status = AD_OK;

    for (int32_t k = 0; k < n_parts && !status; k++) {
        struct ad_group part = *g;

        part.start = g->start + parts[k];
        part.count = parts[k + 1] - parts[k];
        status = roll(w, &part, tried);
    }
    return status;
}

/* Which operands of a group can be views of slots: those of one vector each, or one slot for all. */
static int views_of(const struct roller *w, const struct ad_group *g, int *args)
{
    int n = 0;

    for (int k = 0; k < AD_MAX_ARGS; k++) {
        bool one = g->home[k] == AD_HOME_SCALAR;

        for (int32_t j = 1; j < g->count && one; j++)
            one = ad_vectors_operand(&w->v, w->v.pick + g->start, j, k) ==
                  ad_vectors_operand(&w->v, w->v.pick + g->start, 0, k);
        if (g->home[k] >= 0 || one)
            args[n++] = k;
    }
    return n;
}

/* Do views of slots do for all operands that are not constants? */
static bool all_views(const struct ad_group *g, int n_args)
{
    int n = 0;

    for (int k = 0; k < AD_MAX_ARGS; k++)
        n += g->home[k] >= AD_HOME_SCALAR;
    return n == n_args;
}

static bool same_kind(const struct ad_group *a, const struct ad_group *b)
{
    return a->op == b->op && a->param == b->param && !memcmp(a->home, b->home, sizeof a->home);
}

/* The group of an item, new if there is none like it. */
static int32_t group_of(struct roller *w, const struct ad_group *like, uint32_t mask)
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

static struct ad_group kind_of(const struct roller *w, const struct ad_item *item)
{
    const struct ad_tape *tape = w->v.r.from->tape;
    int op = ad_tape_code(tape, item->instr);
    struct ad_group g = {.op = op, .param = item->param};

    for (int k = 0; k < AD_MAX_ARGS; k++) {
        int32_t slot = item->slot[k];

        g.home[k] = k >= ad_ops[op].n_args ? AD_HOME_NOTHING
                    : slot < 0             ? AD_HOME_CONSTANT
                                           : w->v.home[slot];
    }
    return g;
}

/* Find loops in the order there is, or in that of the operands; the order is as it was if there are
 * none. */
static enum ad_status roll_nest(struct roller *w, const struct ad_group *g, bool *rolled)
{
    int32_t *pick = w->v.pick + g->start, *as_was;
    int args[AD_MAX_ARGS], n_args = views_of(w, g, args);
    struct ad_nest nest;

    *rolled = true;
    if (ad_vectors_nest(&w->v, pick, g->count, n_args, args, &nest)) {
        ad_vectors_turn(&w->v, pick, g->count, &nest);
        return ad_vectors_record(&w->v, g, &nest);
    }
    as_was = malloc((size_t)g->count * sizeof *as_was);
    if (!as_was)
        return AD_NO_MEMORY;
    memcpy(as_was, pick, (size_t)g->count * sizeof *pick);
    sort_by_operands(w, g);
    *rolled = ad_vectors_nest(&w->v, pick, g->count, n_args, args, &nest);
    if (!*rolled)
        memcpy(pick, as_was, (size_t)g->count * sizeof *pick);
    free(as_was);
    if (!*rolled)
        return AD_OK;
    ad_vectors_turn(&w->v, pick, g->count, &nest);
    return ad_vectors_record(&w->v, g, &nest);
}

/* Vectors of a group whose items are all of its kind, at least AD_VECTOR_MIN of them. */
static enum ad_status roll(struct roller *w, const struct ad_group *g, int tried)
{
    int args[AD_MAX_ARGS];
    bool rolled;
    enum ad_status status;

    if (!all_views(g, views_of(w, g, args))) {
        if (g->count < AD_LIST_MIN && !ad_vectors_is_line(&w->v, g))
            return leave_group(w, g);
        return ad_vectors_record(&w->v, g, NULL);
    }
    status = roll_nest(w, g, &rolled);
    if (status || rolled)
        return status;
    if (ad_vectors_is_line(&w->v, g))
        return ad_vectors_record(&w->v, g, NULL);
    for (int way = BY_LINE; way <= BY_DISTANCE; way *= 2) {
        int32_t parts[PARTS_MAX + 1], n_parts;

        if (tried & way)
            continue;
        tried |= way;
        n_parts = split(w, g, way, parts);
        if (n_parts > 1)
            return roll_parts(w, g, tried, n_parts, parts);
    }
    return ad_vectors_record(&w->v, g, NULL);
}

/* The same for a group that others joined: all of them, or only those of its kind. */
static enum ad_status roll_mixed(struct roller *w, const struct ad_group *g)
{
    int32_t *pick = w->v.pick + g->start, n_rest = 0;
    struct ad_group own = *g, rest = *g;
    enum ad_status status;

    if (ad_vectors_is_line(&w->v, g))
        return ad_vectors_record(&w->v, g, NULL);
    own.count = 0;
    for (int32_t j = 0; j < g->count; j++) {
        struct ad_group kind = kind_of(w, &w->v.items[pick[j]]);

        if (same_kind(&kind, g))
            pick[own.count++] = pick[j];
        else
            w->v.spare[n_rest++] = pick[j];
    }
    memcpy(pick + own.count, w->v.spare, (size_t)n_rest * sizeof *pick);
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
        struct ad_group *g = &w->groups[w->group_of[j]];

        w->v.pick[g->start + g->count++] = j;
    }
}

/* Groups by op and by where operands come from. */
static void find_groups(struct roller *w)
{
    uint32_t mask = clear_table(w, w->n_items);

    w->n_groups = 0;
    for (int32_t j = 0; j < w->n_items; j++) {
        struct ad_group like = kind_of(w, &w->v.items[j]);

        like.first = j;
        w->group_of[j] = group_of(w, &like, mask);
        w->groups[w->group_of[j]].count++;
    }
    w->v.counts.steps += w->n_items;
}

static int32_t line_of(const struct roller *w, int32_t item)
{
    return ad_tape_origin(w->v.r.from->tape, w->v.items[item].instr);
}

/* Where in the table the largest group with the op and the line of 'like' is, or would be. */
static uint32_t host_place(const struct roller *w, const struct ad_group *like, uint32_t mask)
{
    int32_t line = line_of(w, like->first);
    uint64_t key = (uint64_t)like->op << 32 ^ (uint32_t)like->param ^ (uint64_t)line << 42;
    uint32_t at = hash_key(key) & mask;

    for (; w->table[at]; at = (at + 1) & mask) {
        const struct ad_group *g = &w->groups[w->table[at] - 1];

        if (g->op == like->op && g->param == like->param && line_of(w, g->first) == line)
            break;
    }
    return at;
}

/*
 * Items of groups that are too small join the largest group that does the same op on the same line
 * of code: the first and last iterations of a loop, whose neighbours are not what those of the
 * others are.  Left alone, they would make all that reads them differ as well.
 */
static void join_hosts(struct roller *w)
{
    uint32_t mask = clear_table(w, w->n_items);

    for (int32_t k = 0; k < w->n_groups; k++) {
        struct ad_group *g = &w->groups[k];
        uint32_t at;

        if (g->count < AD_VECTOR_MIN)
            continue;
        at = host_place(w, g, mask);
        if (!w->table[at] || w->groups[w->table[at] - 1].count < g->count)
            w->table[at] = k + 1;
    }
    for (int32_t j = 0; j < w->n_items; j++) {
        struct ad_group like = w->groups[w->group_of[j]];
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
    w->v.counts.steps += 2 * (int64_t)w->n_items;
}

/* Groups that are too small are put together by op and by which operands are constant; no matter
 * where the others come from, they will be lists. */
static void join_small_groups(struct roller *w)
{
    int32_t n_groups = w->n_groups;
    uint32_t mask = clear_table(w, w->n_items);

    for (int32_t j = 0; j < w->n_items; j++) {
        const struct ad_group *g = &w->groups[w->group_of[j]];
        struct ad_group like = *g;

        if (w->group_of[j] >= n_groups || g->count >= AD_VECTOR_MIN)
            continue;
        for (int k = 0; k < AD_MAX_ARGS; k++)
            like.home[k] = AD_MIN(like.home[k], AD_HOME_SCALAR);
        like.count = 0;
        like.mixed = false;
        w->group_of[j] = group_of(w, &like, mask);
        w->groups[w->group_of[j]].count++;
    }
    for (int32_t k = 0; k < n_groups; k++) /* their items are in the others now */
        if (w->groups[k].count < AD_VECTOR_MIN)
            w->groups[k].count = 0;
    w->v.counts.steps += w->n_items;
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
    const struct ad_tape *tape = w->v.r.from->tape;
    struct ad_item *item = &w->v.items[w->n_items++];
    const struct ad_op_info *op = &ad_ops[ad_tape_code(tape, i)];
    bool found = true;

    *item = (struct ad_item){.instr = i};
    if (ad_tape_is_array(tape, i)) {
        struct ad_view views[AD_MAX_ARGS];
        double p;

        ad_tape_views(tape, i, views, AD_MAX_ARGS);
        for (int k = 0; k < op->n_args; k++)
            item->slot[k] = element(&w->v.r, &views[k]);
        memcpy(&p, tape->aux + tape->a[i] + 3, sizeof p);
        if (op->family)
            item->param = ad_rewrite_const(&w->v.r, p);
    } else {
        item->slot[0] = ad_rewrite_slot(&w->v.r, tape->a[i]);
        if (op->n_args > 1)
            item->slot[1] = ad_rewrite_slot(&w->v.r, tape->b[i]);
        if (op->family)
            item->param = ad_rewrite_slot(&w->v.r, tape->b[i]);
    }
    for (int k = 0; k < op->n_args; k++)
        found &= item->slot[k] != AD_GONE;
    return found && item->param != AD_GONE ? AD_OK : AD_NO_MEMORY;
}

static enum ad_status roll_level(struct roller *w, const int32_t *instrs, int32_t n)
{
    const struct ad_tape *tape = w->v.r.from->tape;
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
            status = leave(w, w->v.items[j].instr, AD_SCALAR_SERIAL);
        return status;
    }
    if (status)
        return status;
    find_groups(w);
    join_hosts(w);
    join_small_groups(w);
    place_groups(w);
    for (int32_t k = 0; k < w->n_groups && !status; k++) {
        const struct ad_group g = w->groups[k];

        status = g.count < AD_VECTOR_MIN ? leave_group(w, &g)
                 : g.mixed               ? roll_mixed(w, &g)
                                         : roll(w, &g, 0);
    }
    return status;
}

static void roller_free(struct roller *w)
{
    free(w->level);
    free(w->order);
    free(w->v.home);
    free(w->v.items);
    free(w->group_of);
    free(w->groups);
    free(w->table);
    free(w->v.pick);
    free(w->v.spare);
    free(w->key);
    free(w->spare_key);
    free(w->v.numbers);
}

/* Room for 'most' items of a level. */
static enum ad_status roller_room(struct roller *w, int32_t most)
{
    size_t n = (size_t)AD_MAX(most, 1), room = 16;

    while (room < 2 * n)
        room *= 2;
    w->v.items = malloc(n * sizeof *w->v.items);
    w->group_of = malloc(n * sizeof *w->group_of);
    w->groups = malloc(2 * n * sizeof *w->groups);
    w->table = malloc(room * sizeof *w->table);
    w->v.pick = malloc(n * sizeof *w->v.pick);
    w->v.spare = malloc(n * sizeof *w->v.spare);
    w->key = malloc(n * sizeof *w->key);
    w->spare_key = malloc(n * sizeof *w->spare_key);
    w->v.numbers = malloc(n * sizeof *w->v.numbers);
    return w->v.items && w->group_of && w->groups && w->table && w->v.pick && w->v.spare &&
                   w->key && w->spare_key && w->v.numbers
               ? AD_OK
               : AD_NO_MEMORY;
}

enum ad_status ad_reroll(const struct ad_program *from, struct ad_program **to,
                         struct ad_reroll_report *report)
{
    const struct ad_tape *tape = from->tape;
    struct roller w = {.report = report};
    enum ad_status status = ad_rewrite_begin(&w.v.r, from);
    size_t n = (size_t)AD_MAX(tape->n, 1), n_slots = (size_t)AD_MAX(tape->n_slots, 1);
    int32_t most = 0;

    *report = (struct ad_reroll_report){0};
    w.level = malloc(n * sizeof *w.level);
    w.order = malloc(n * sizeof *w.order);
    w.v.home = malloc(n_slots * sizeof *w.v.home);
    w.v.home_room = (int64_t)n_slots;
    if (!w.level || !w.order || !w.v.home)
        status = AD_NO_MEMORY;
    if (!status)
        status = ad_level_sort(from, w.level, w.order);
    if (!status) {
        most = most_rollable(&w);
        status = roller_room(&w, most);
    }
    for (int32_t k = 0; k < from->n_inputs && !status; k++)
        for (int32_t j = 0; j < ad_tape_length(tape, k); j++)
            w.v.home[tape->dst[k] + j] = k; /* inputs keep their slots */
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
    report->rolled = w.v.counts.rolled;
    report->vectors = w.v.counts.vectors;
    report->lists = w.v.counts.lists;
    report->steps = w.v.counts.steps + tape->n;
    roller_free(&w);
    return ad_rewrite_end(&w.v.r, status, to);
}

enum ad_status ad_pass_reroll(const struct ad_program *from, struct ad_program **to)
{
    struct ad_reroll_report report;

    return ad_reroll(from, to, &report);
}

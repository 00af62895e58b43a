/* ad_lower.c -- words and moves. */
#include "ad_lower.h"

#include <stdlib.h>
#include <string.h>

/* Memory that is freed all at once, in blocks that are cut from the front. */
struct ad_pool {
    struct ad_pool *next;
    size_t used, size; /* words */
    int64_t words[];
};
enum { POOL_WORDS = 4096 };

/* Numbers that operands of a run are gathered in before they are used, behind the frame. */
enum { N_GATHERED = AD_MAX_ARGS * AD_SHORT };

#define ONE_MORE(b, what)                                                                          \
    ad_one_more((void **)&(b)->code.what, (b)->code.n_##what, &(b)->what##_capacity,               \
                sizeof *(b)->code.what)

void *ad_lower_room(struct ad_lowering *b, size_t size)
{
    struct ad_pool *pool = b->code.pool;
    size_t n = (size + sizeof *pool->words - 1) / sizeof *pool->words;

    if (!pool || n > pool->size - pool->used) {
        size_t room = AD_MAX(n, POOL_WORDS);

        pool = malloc(sizeof *pool + room * sizeof *pool->words);
        if (!pool)
            return NULL;
        pool->next = b->code.pool;
        pool->used = 0;
        pool->size = room;
        b->code.pool = pool;
    }
    pool->used += n;
    return pool->words + (pool->used - n);
}

static enum ad_status status_of(bool done)
{
    return done ? AD_OK : AD_NO_MEMORY;
}

/* ---- where things are ---- */

int64_t ad_lower_numbers_at(const struct ad_fusion *fusion)
{
    return fusion->n_frame + N_GATHERED;
}

static int32_t *number_entry(const struct ad_lowering *b, int32_t *table, int bits, double number)
{
    uint64_t mask = ((uint64_t)1 << bits) - 1, at;

    memcpy(&at, &number, sizeof at);
    at = (at * 0x9E3779B97F4A7C15u) >> 24;
    while (table[at & mask] && !ad_same_bits(b->code.numbers[table[at & mask] - 1], number))
        at++;
    return &table[at & mask];
}

/* A number in the frame, once; its place, or -1 without memory. */
static int64_t place_number(struct ad_lowering *b, double number)
{
    struct ad_lowered *code = &b->code;
    int32_t *entry;

    if (2 * (code->n_numbers + 1) > (int64_t)1 << b->number_bits) {
        int bits = b->number_bits;
        int32_t *table;

        while (2 * (code->n_numbers + 1) > (int64_t)1 << bits) /* vectors come several at a time */
            bits += 3;
        table = calloc((size_t)1 << bits, sizeof *table);
        if (!table)
            return -1;
        for (int32_t j = 0; j < code->n_numbers; j++)
            *number_entry(b, table, bits, code->numbers[j]) = j + 1;
        free(b->number_table);
        b->number_table = table;
        b->number_bits = bits;
    }
    entry = number_entry(b, b->number_table, b->number_bits, number);
    if (!*entry) {
        if (!ONE_MORE(b, numbers))
            return -1;
        code->numbers[code->n_numbers++] = number;
        *entry = (int32_t)code->n_numbers;
    }
    return ad_lower_numbers_at(b->fusion) + *entry - 1;
}

/* A few constants side by side in the frame, at a cache line of their own; their place, or -1 without
 * memory.  Loops that were not re-rolled read the same ones again and again. */
static int64_t place_vector(struct ad_lowering *b, const struct ad_view *view)
{
    struct ad_lowered *code = &b->code;
    double numbers[AD_SHORT] = {0};

    ad_assert(ad_view_size(view) <= AD_SHORT);
    ad_view_read(view, b->tape->value, numbers);
    for (int k = 0; k < AD_MIN(b->n_vectors, AD_LOWER_VECTORS); k++)
        if (!memcmp(code->numbers + b->vectors[k], numbers, sizeof numbers))
            return ad_lower_numbers_at(b->fusion) + b->vectors[k];
    while (code->n_numbers % AD_SHORT != 0) {
        if (!ONE_MORE(b, numbers))
            return -1;
        code->numbers[code->n_numbers++] = 0;
    }
    b->vectors[b->n_vectors++ % AD_LOWER_VECTORS] = code->n_numbers;
    for (int j = 0; j < AD_SHORT; j++) {
        if (!ONE_MORE(b, numbers))
            return -1;
        code->numbers[code->n_numbers++] = numbers[j];
    }
    return ad_lower_numbers_at(b->fusion) + code->n_numbers - AD_SHORT;
}

/* The space of a constant array, which is held; -1 without memory. */
static int32_t space_of_array(struct ad_lowering *b, struct ad_array *array)
{
    struct ad_lowered *code = &b->code;
    int first = AD_SPACE_INPUTS + code->n_inputs + code->n_outputs;

    for (int64_t k = code->n_arrays - 1; k >= AD_MAX(0, code->n_arrays - 16); k--)
        if (code->arrays[k]->data == array->data && code->arrays[k]->n == array->n)
            return first + (int32_t)k;
    if (!ONE_MORE(b, arrays))
        return -1;
    if (array->checked) {
        array = ad_array_copy(array->data, array->n);
        if (!array)
            return -1;
    } else {
        array->refs++;
    }
    code->arrays[code->n_arrays] = array;
    return first + (int32_t)code->n_arrays++;
}

/* Where a slot is; 'in_frame': where it is in the frame.  -1 without memory. */
static int32_t find_slot(struct ad_lowering *b, int32_t slot, bool in_frame, int64_t *at)
{
    const struct ad_result *result;
    int32_t i;

    if (slot < 0) {
        *at = place_number(b, b->tape->value[slot]);
        return *at < 0 ? -1 : AD_SPACE_FRAME;
    }
    i = ad_grouping_producer(&b->fusion->grouping, slot);
    result = &b->fusion->results[i];
    *at = slot - b->tape->dst[i];
    if (i < b->program->n_inputs && !in_frame)
        return AD_SPACE_INPUTS + i;
    if (result->output >= 0)
        return AD_SPACE_INPUTS + b->code.n_inputs + result->output;
    ad_assert(result->place >= 0);
    *at += result->place;
    return AD_SPACE_FRAME;
}

/* Where the results of an instruction are, element by element. */
struct ad_ref ad_lower_result(const struct ad_lowering *b, int32_t i, int64_t offset)
{
    const struct ad_result *result = &b->fusion->results[i];

    if (result->tile >= 0)
        return (struct ad_ref){AD_SPACE_TILES, 0, result->tile * b->tile};
    if (result->output >= 0)
        return (struct ad_ref){AD_SPACE_INPUTS + b->code.n_inputs + result->output, 1, offset};
    return (struct ad_ref){AD_SPACE_FRAME, 1, result->place + offset};
}

static void set_dims(struct ad_walk *walk, int64_t *dims, int ndim, const int64_t *shape,
                     const int64_t *stride)
{
    walk->ndim = ndim;
    walk->shape = dims;
    walk->stride = dims + ndim;
    for (int d = 0; d < ndim; d++) {
        dims[d] = shape[d];
        dims[ndim + d] = stride[d];
    }
}

/* Position 'flat' (C order) of a view, counted from its base. */
static int64_t position(const struct ad_view *view, int64_t flat)
{
    int64_t at = 0;

    for (int d = view->ndim - 1; d >= 0; d--) {
        at += flat % view->shape[d] * view->stride[d];
        flat /= view->shape[d];
    }
    return at;
}

/* A list, resolved: in the order of the view, unless it repeats itself too often. */
static enum ad_status walk_of_list(struct ad_lowering *b, const struct ad_view *view, int64_t own,
                                   struct ad_walk *walk)
{
    const struct ad_list *list = view->in.list;
    int64_t size = ad_view_size(view), n, one = 1, at = 0;
    bool flat = size <= 2 * list->n, in_frame, even = true;
    int64_t *dims;
    int32_t *positions;

    n = flat ? size : list->n;
    positions = ad_lower_room(b, (size_t)AD_MAX(n, 1) * sizeof *positions);
    dims = ad_lower_room(b, 2 * (size_t)(view->ndim + 1) * sizeof *dims);
    if (!positions || !dims)
        return AD_NO_MEMORY;
    in_frame = view->place == AD_LIST &&
               (b->lists_in_frame || !ad_list_is_compact(&b->fusion->grouping, view));
    for (int64_t j = 0; j < n; j++) {
        int32_t slot = list->slot[flat ? view->base + position(view, j) : j];

        if (view->place == AD_OWN_LIST)
            at = own + slot;
        else
            walk->space = find_slot(b, slot, in_frame, &at);
        if (walk->space < 0)
            return AD_NO_MEMORY;
        if (at > INT32_MAX)
            return AD_NO_SLOTS;
        positions[j] = (int32_t)at;
        even &= positions[j] == positions[0] + j;
    }
    walk->base = flat ? 0 : view->base;
    walk->list = positions;
    if (!flat) {
        set_dims(walk, dims, view->ndim, view->shape, view->stride);
        return AD_OK;
    }
    if (b->step && b->step->kind == AD_STEP_SINGLE) {
        int64_t stride[AD_MAX_DIMS];

        ad_strides(view->ndim, view->shape, stride);
        set_dims(walk, dims, view->ndim, view->shape, stride);
    } else {
        set_dims(walk, dims, 1, &n, &one);
    }
    if (even && n > 0) {
        walk->base = positions[0];
        walk->list = NULL;
    }
    return AD_OK;
}

/* The elements of a view; of 'own' views, counted from the first result of instruction i. */
static enum ad_status walk_of_view(struct ad_lowering *b, const struct ad_view *view, int32_t i,
                                   struct ad_walk *walk)
{
    struct ad_ref own = {AD_SPACE_FRAME, 0, 0};
    int64_t *dims;

    *walk = (struct ad_walk){.space = AD_SPACE_FRAME, .base = view->base};
    if (view->place == AD_OWN || view->place == AD_OWN_LIST) {
        own = ad_lower_result(b, i, 0);
        walk->space = own.space;
        walk->base += own.at;
    }
    if (view->place == AD_LIST || view->place == AD_OWN_LIST)
        return walk_of_list(b, view, own.at, walk);
    dims = ad_lower_room(b, 2 * (size_t)view->ndim * sizeof *dims);
    if (!dims)
        return AD_NO_MEMORY;
    set_dims(walk, dims, view->ndim, view->shape, view->stride);
    if (view->place == AD_ARRAY) {
        walk->space = space_of_array(b, view->in.array);
        return status_of(walk->space >= 0);
    }
    if (view->place == AD_NUMBER) {
        memset(dims + view->ndim, 0, (size_t)view->ndim * sizeof *dims);
        walk->base = place_number(b, view->in.number);
        return status_of(walk->base >= 0);
    }
    if (view->place == AD_SLOTS && ad_view_size(view) > 0) {
        int32_t low = ad_view_lowest(view);
        int64_t at;

        if (low == INT32_MAX) { /* one constant */
            walk->base = place_number(b, b->tape->value[view->base]);
            return status_of(walk->base >= 0);
        } else {
            walk->space = find_slot(b, low, b->in_frame, &at);
            walk->base = at + (view->base - low);
        }
    }
    return AD_OK;
}

static bool is_single(const struct ad_walk *walk)
{
    for (int d = 0; d < walk->ndim; d++)
        if (walk->shape[d] != 1 && walk->stride[d] != 0)
            return false;
    return !walk->list;
}

bool ad_walk_is_run(const struct ad_walk *walk)
{
    int64_t step = 1;

    for (int d = walk->ndim - 1; d >= 0; d--) {
        if (walk->shape[d] != 1 && walk->stride[d] != step)
            return false;
        step *= walk->shape[d];
    }
    return !walk->list;
}

enum ad_status ad_lower_view(struct ad_lowering *b, const struct ad_view *view,
                             struct ad_walk *walk)
{
    return walk_of_view(b, view, 0, walk);
}

/* ---- moves ---- */

static struct ad_move *add_move(struct ad_lowering *b, enum ad_move_kind kind, int64_t n)
{
    struct ad_lowered *code = &b->code;
    struct ad_move *move;

    if (!ONE_MORE(b, moves))
        return NULL;
    if (b->step->kind == AD_STEP_RUN) {
        if (!ONE_MORE(b, words))
            return NULL;
        if (code->n_moves > INT32_MAX)
            return NULL;
        code->words[code->n_words++] =
            (struct ad_word_of_run){AD_WORD_MOVE, (int32_t)code->n_moves, 0, 0};
    }
    move = &code->moves[code->n_moves++];
    *move = (struct ad_move){.kind = (uint8_t)kind, .instr = b->instr, .n = n};
    return move;
}

static bool same_walk(const struct ad_walk *a, const struct ad_walk *b)
{
    bool same =
        a->space == b->space && a->ndim == b->ndim && a->base == b->base && !a->list && !b->list;

    for (int d = 0; d < a->ndim && same; d++)
        same = a->shape[d] == b->shape[d] && a->stride[d] == b->stride[d];
    return same;
}

/* An operand of n elements as a run or one number; gathered into number k of what is gathered, in a
 * run. */
static enum ad_status operand(struct ad_lowering *b, const struct ad_view *view, int64_t n, int k,
                              struct ad_ref *ref, bool *single)
{
    struct ad_lowered *code = &b->code;
    bool in_group = b->step->kind == AD_STEP_GROUP;
    struct ad_walk walk;
    struct ad_move *move;
    enum ad_move_kind kind = AD_MOVE_GATHER;
    struct ad_view merged;
    enum ad_status status;

    *single = false;
    if (b->step->kind == AD_STEP_RUN && view->place == AD_ARRAY && n > 1 && n <= AD_SHORT) {
        *ref = (struct ad_ref){AD_SPACE_FRAME, 1, place_vector(b, view)};
        return status_of(ref->at >= 0);
    }
    if (in_group && view->place == AD_SLOTS && view->base >= 0 && n > 0) {
        int32_t i = ad_grouping_producer(&b->fusion->grouping, ad_view_lowest(view));

        if (b->fusion->results[i].tile >= 0 &&
            &b->fusion->grouping.steps[b->fusion->grouping.step_of[i]] == b->step) {
            *ref = ad_lower_result(b, i, 0);
            return AD_OK;
        }
    }
    if (b->step->row && view->place != AD_LIST && view->ndim > 1 &&
        view->shape[view->ndim - 1] == b->step->row &&
        (view->stride[view->ndim - 1] == 0 || view->stride[view->ndim - 1] == 1)) {
        kind = AD_MOVE_LOCATE; /* row by row, unless it is a run as a whole */
        ad_view_copy(&merged, view);
    } else {
        ad_view_copy(&merged, view);
        ad_views_collapse(1, &merged);
    }
    status = walk_of_view(b, &merged, 0, &walk);
    if (status)
        return status;
    *ref = (struct ad_ref){walk.space, 1, walk.base};
    if (is_single(&walk)) {
        ref->step = 0;
        *single = true;
        return AD_OK;
    }
    if (ad_walk_is_run(&walk))
        return AD_OK;
    *single = kind == AD_MOVE_LOCATE && walk.stride[walk.ndim - 1] == 0;
    for (int64_t m = code->n_moves - 1; in_group && m >= AD_MAX(b->first_move, code->n_moves - 64);
         m--)
        if (code->moves[m].kind == kind && same_walk(&code->moves[m].walk, &walk)) {
            *ref = code->moves[m].y;
            return AD_OK;
        }
    move = add_move(b, kind, n);
    if (!move)
        return AD_NO_MEMORY;
    move->walk = walk;
    if (kind == AD_MOVE_LOCATE)
        move->y = (struct ad_ref){-1 - b->n_located++, 0, 0}; /* its space: see end_group() */
    else if (in_group)
        move->y = (struct ad_ref){AD_SPACE_TILES, 0, b->n_tiles++ * b->tile};
    else
        move->y = (struct ad_ref){AD_SPACE_FRAME, 0, b->fusion->n_frame + k * AD_SHORT};
    *ref = move->y;
    return AD_OK;
}

static bool in_words(const struct ad_ref *ref)
{
    return ref->space == AD_SPACE_FRAME && ref->at <= INT32_MAX;
}

/* The code of an op over a few elements, or 0. */
static int short_code(enum ad_op op, unsigned single)
{
    switch ((int)op) {
#define UNARY_CODE(name)                                                                           \
    case AD_OP_##name:                                                                             \
        return AD_WORD_SHORT_##name;
#define BINARY_CODE(name)                                                                          \
    case AD_OP_##name:                                                                             \
        return AD_WORD_SHORT_##name + (int)single;
        AD_SHORT_UNARY(UNARY_CODE)
        AD_SHORT_BINARY(BINARY_CODE)
    default:
        return 0;
    }
}

/* An elementwise instruction over a few elements, all in the frame, as one word; false if there is
 * none. */
static bool short_word(struct ad_lowering *b, enum ad_op op, unsigned single,
                       const struct ad_ref *y, const struct ad_ref *x, enum ad_status *status)
{
    int code = short_code(op, single);

    if (b->step->kind != AD_STEP_RUN || !code || ad_simd[op].loop ||
        single + 1 == 1u << ad_ops[op].n_args || !in_words(y) || !in_words(&x[0]) ||
        !in_words(&x[1]))
        return false;
    if (!ONE_MORE(b, words))
        *status = AD_NO_MEMORY;
    else
        b->code.words[b->code.n_words++] =
            (struct ad_word_of_run){code, (int32_t)y->at, (int32_t)x[0].at, (int32_t)x[1].at};
    return true;
}

static enum ad_status lower_op(struct ad_lowering *b, int32_t i)
{
    const int64_t *block = b->tape->aux + b->tape->a[i], *words = block + AD_BLOCK_HEADER;
    enum ad_op op = (enum ad_op)ad_tape_code(b->tape, i);
    int n_args = ad_ops[op].n_args;
    struct ad_ref x[AD_MAX_ARGS] = {{0, 0, 0}}, y = ad_lower_result(b, i, 0);
    struct ad_move *move;
    unsigned singles = 0;
    enum ad_status status = AD_OK;
    bool single;

    for (int v = 0; v < n_args && !status; v++) {
        struct ad_view view;

        words = ad_view_decode(words, &view);
        status = operand(b, &view, block[2], v, &x[v], &single);
        singles |= (unsigned)single << v;
    }
    if (status)
        return status;
    for (int v = n_args; v < AD_MAX_ARGS; v++)
        x[v] = x[0];
    if (short_word(b, op, singles, &y, x, &status))
        return status;
    move = add_move(b, AD_MOVE_VECTOR, block[2]);
    if (!move)
        return AD_NO_MEMORY;
    move->op = (uint16_t)op;
    move->single = (uint8_t)singles;
    memcpy(&move->p, block + 3, sizeof move->p);
    move->y = y;
    memcpy(move->x, x, sizeof x);
    if (singles + 1 < 1u << n_args && ad_op_loop(op, singles)) {
        move->kind = AD_MOVE_LOOP;
        move->loop = ad_op_loop(op, singles);
    }
    return AD_OK;
}

/* ---- sums, copies and the like ---- */

static enum ad_status fill(struct ad_lowering *b, int32_t i, int64_t from, int64_t end, double zero)
{
    struct ad_move *move;

    if (from >= end)
        return AD_OK;
    b->fills = true;
    move = add_move(b, AD_MOVE_FILL, end - from);
    if (!move)
        return AD_NO_MEMORY;
    move->y = ad_lower_result(b, i, from);
    move->y.step = 0;
    move->p = zero;
    return AD_OK;
}

/* Is each result given exactly once, so that no zeros are needed? */
static bool gives_once(const int64_t *block)
{
    const int64_t *words = block + AD_BLOCK_HEADER;
    int64_t total = 0;
    struct ad_view view;

    if (!block[4])
        return false;
    for (int64_t v = 0; v < block[1]; v += 2) {
        words = ad_view_decode(ad_view_decode(words, &view), &view);
        if (view.place != AD_OWN || (view.ndim > 0 && ad_pair_kind(&view) == AD_PAIR_SUM))
            return false;
        total += ad_view_size(&view);
    }
    return total == block[2];
}

static bool in_row_the_same(const struct ad_view *from)
{
    return from->place == AD_NUMBER || from->ndim == 0 || from->stride[from->ndim - 1] == 0;
}

enum begun { NOT_BEGUN, BEGUN, GIVEN_ONCE };

/* A pair of an AD_ADDTO that goes to all of its few results, as one word; false if there is none. */
static bool short_pair(struct ad_lowering *b, enum ad_move_kind kind, bool single,
                       const struct ad_ref *y, const struct ad_ref *x, enum ad_status *status)
{
    struct ad_ref operands[2] = {*y, *x};

    if (kind == AD_MOVE_ADD)
        return short_word(b, AD_OP_add, (unsigned)single << 1, y, operands, status);
    if (kind != AD_MOVE_FIRST || single || b->step->kind != AD_STEP_RUN)
        return false;
    operands[0] = (struct ad_ref){AD_SPACE_FRAME, 0, place_number(b, 0.0)};
    if (operands[0].at < 0)
        *status = AD_NO_MEMORY;
    return *status || short_word(b, AD_OP_add, 1, y, operands, status);
}

/* A pair of an AD_ADDTO. */
static enum ad_status lower_pair(struct ad_lowering *b, const struct ad_member *member)
{
    int32_t i = member->instr;
    const int64_t *block = b->tape->aux + b->tape->a[i], *words = block + member->pair;
    uint8_t *begun = &b->begun[i];
    double zero = block[4] ? -0.0 : 0.0;
    bool first = *begun == NOT_BEGUN, single, once;
    enum ad_move_kind move_kind = AD_MOVE_ADD;
    enum ad_pair_kind kind;
    struct ad_view from, to;
    struct ad_move *move;
    struct ad_ref x;
    int64_t n;
    enum ad_status status = AD_OK;

    if (first)
        *begun = gives_once(block) ? GIVEN_ONCE : BEGUN;
    once = *begun == GIVEN_ONCE;
    if (!member->pair)
        return fill(b, i, 0, block[2], zero);
    words = ad_view_decode(ad_view_decode(words, &from), &to);
    n = ad_view_size(&to);
    kind = ad_pair_kind(&to);
    if (kind == AD_PAIR_SUM && n == 1)
        kind = AD_PAIR_RANGE;
    if (once)
        move_kind = AD_MOVE_COPY;
    /* what is first in its place is written there, not added */
    if (kind == AD_PAIR_RANGE && move_kind != AD_MOVE_COPY && (first || once))
        move_kind = AD_MOVE_FIRST;
    if (first && !once) {
        bool range = move_kind == AD_MOVE_FIRST;

        status = fill(b, i, 0, range ? to.base : block[2], zero);
        if (!status && range)
            status = fill(b, i, to.base + n, block[2], zero);
    }
    if (!status)
        status = operand(b, &from, n, 0, &x, &single);
    if (status)
        return status;
    if (kind == AD_PAIR_RANGE) {
        struct ad_ref y = ad_lower_result(b, i, to.base);

        if (n == 1 && move_kind != AD_MOVE_COPY && b->step->kind == AD_STEP_RUN && in_words(&x) &&
            in_words(&y)) {
            if (!ONE_MORE(b, words))
                return AD_NO_MEMORY;
            b->code.words[b->code.n_words++] =
                (struct ad_word_of_run){move_kind == AD_MOVE_ADD ? AD_WORD_ADD : AD_WORD_FIRST,
                                        (int32_t)y.at, (int32_t)x.at, (int32_t)x.at};
            return AD_OK;
        }
        if (to.base == 0 && n == block[2] && short_pair(b, move_kind, single, &y, &x, &status))
            return status;
        move = add_move(b, move_kind, n);
        if (!move)
            return AD_NO_MEMORY;
        move->y = y;
    } else {
        if (kind == AD_PAIR_SUM)
            move_kind = AD_MOVE_SUM;
        else
            move_kind = move_kind == AD_MOVE_COPY ? AD_MOVE_PUT : AD_MOVE_SCATTER;
        move = add_move(b, move_kind, n);
        if (!move)
            return AD_NO_MEMORY;
        if (kind == AD_PAIR_SUM) { /* one place for each row */
            move->n = ad_pair_row(&to);
            move->sum = b->n_sums++;
            to.ndim = AD_MAX(to.ndim - 1, 0);
        } else {
            ad_views_collapse(1, &to);
        }
        status = walk_of_view(b, &to, i, &move->walk);
    }
    move->x[0] = x;
    move->single = (uint8_t)((unsigned)single | (unsigned)in_row_the_same(&from) << 1);
    return status;
}

/* ---- members ---- */

static enum ad_status lower_scalar(struct ad_lowering *b, int32_t i)
{
    const struct ad_tape *tape = b->tape;
    int code = ad_tape_code(tape, i);
    struct ad_word_of_run *word;
    int64_t x, z;

    if (find_slot(b, tape->a[i], true, &x) < 0 || find_slot(b, tape->b[i], true, &z) < 0 ||
        !ONE_MORE(b, words))
        return AD_NO_MEMORY;
    word = &b->code.words[b->code.n_words++];
    *word =
        (struct ad_word_of_run){code, (int32_t)b->fusion->results[i].place, (int32_t)x, (int32_t)z};
    if (!ad_simd[code].loop)
        return AD_OK;
    word->code = AD_WORD_VALUE;
    if (!ONE_MORE(b, words))
        return AD_NO_MEMORY;
    b->code.words[b->code.n_words++] = (struct ad_word_of_run){.code = code};
    return AD_OK;
}

static enum ad_status lower(struct ad_lowering *b, const struct ad_member *member)
{
    if (!ad_tape_is_array(b->tape, member->instr))
        return lower_scalar(b, member->instr);
    if (ad_tape_code(b->tape, member->instr) == AD_ADDTO)
        return lower_pair(b, member);
    return lower_op(b, member->instr);
}

/* Words from 'first' on are part of the instruction under way. */
static enum ad_status trace(struct ad_lowering *b, int64_t first)
{
    if (!b->traced)
        return AD_OK;
    for (int64_t k = first; k < b->code.n_words; k++) {
        if (!ad_one_more((void **)&b->code.word_instr, k, &b->word_instr_capacity,
                         sizeof *b->code.word_instr))
            return AD_NO_MEMORY;
        b->code.word_instr[k] = b->instr;
    }
    return AD_OK;
}

enum ad_status ad_lower_member(struct ad_lowering *b, const struct ad_member *member)
{
    int64_t first = b->code.n_words;
    enum ad_status status;

    b->instr = member->instr;
    status = lower(b, member);
    return status ? status : trace(b, first);
}

enum ad_status ad_lower_end_run(struct ad_lowering *b, int64_t first)
{
    if (!ONE_MORE(b, words))
        return AD_NO_MEMORY;
    b->code.words[b->code.n_words++] = (struct ad_word_of_run){.code = AD_WORD_END};
    b->instr = -1;
    ad_words_fuse(b->code.words + first, b->code.n_words - first);
    return trace(b, b->code.n_words - 1);
}

/* ---- all of it ---- */

enum ad_status ad_lowering_begin(struct ad_lowering *b, const struct ad_program *program,
                                 const struct ad_fusion *fusion)
{
    *b = (struct ad_lowering){.program = program, .tape = program->tape, .fusion = fusion};
    b->code.n_inputs = program->n_inputs;
    b->code.n_outputs = program->n_outputs;
    b->begun = calloc((size_t)program->tape->n + 1, 1);
    return status_of(b->begun != NULL);
}

void ad_lowering_end(struct ad_lowering *b)
{
    free(b->begun);
    free(b->number_table);
}

void ad_lowered_free(struct ad_lowered *code)
{
    for (int64_t k = 0; k < code->n_arrays; k++)
        ad_array_drop(code->arrays[k]);
    while (code->pool) {
        struct ad_pool *next = code->pool->next;

        free(code->pool);
        code->pool = next;
    }
    free(code->words);
    free(code->word_instr);
    free(code->moves);
    free(code->numbers);
    free((void *)code->arrays);
}

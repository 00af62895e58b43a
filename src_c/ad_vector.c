/* ad_vector.c -- evenly spaced operands, and instructions that have them. */
#include "ad_vector.h"

#include <stdlib.h>
#include <string.h>

/* Runs that an operand is put together from, at most. */
enum { PIECES_MAX = 16 };

enum ad_status ad_vectors_settle(struct ad_vectors *w)
{
    const struct ad_tape *to = w->r.to->tape;
    int32_t newest = to->n - 1, home = ad_tape_is_array(to, newest) ? newest : AD_HOME_SCALAR;

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

/* Is operand k of items [0, n) of blocks of 'block' items the same in each, counted from its first? */
static bool repeats(const struct ad_vectors *w, const int32_t *pick, int64_t n, int64_t block,
                    int k)
{
    for (int64_t start = block; start < n; start += block) {
        int32_t apart = ad_vectors_operand(w, pick, start, k) - ad_vectors_operand(w, pick, 0, k);

        for (int64_t j = 1; j < block; j++)
            if (ad_vectors_operand(w, pick, start + j, k) - ad_vectors_operand(w, pick, j, k) !=
                apart)
                return false;
    }
    return true;
}

/* How many blocks of 'block' items, of n items, follow the first at even distances in all operands? */
static int64_t even_blocks(const struct ad_vectors *w, const int32_t *pick, int64_t n,
                           int64_t block, int n_args, const int *args)
{
    int64_t blocks = n / block, even = blocks;

    for (int v = 0; v < n_args; v++) {
        int k = args[v];
        int32_t first = ad_vectors_operand(w, pick, 0, k),
                last = ad_vectors_operand(w, pick, block, k);
        int64_t step = (int64_t)last - first;

        for (int64_t b = 2; b < even; b++)
            if (ad_vectors_operand(w, pick, b * block, k) != first + b * step)
                even = b;
    }
    return even;
}

bool ad_vectors_nest(struct ad_vectors *w, const int32_t *pick, int64_t n, int n_args,
                     const int *args, struct ad_nest *nest)
{
    int64_t block = 1;

    nest->ndim = 0;
    do {
        int64_t even = block < n ? even_blocks(w, pick, n, block, n_args, args) : 1;

        w->counts.steps += n;
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

void ad_vectors_turn(struct ad_vectors *w, int32_t *pick, int64_t n, struct ad_nest *nest)
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

/* ---- operands and instructions ---- */

/* An operand of constants: a number, or an array over the loops in which it differs. */
static enum ad_status constant_view(struct ad_vectors *w, const int32_t *pick, int64_t n, int k,
                                    struct ad_view *view)
{
    const double *value = w->r.to->tape->value;
    int64_t inner = n, block, at = 0;

    for (int64_t j = 0; j < n; j++)
        w->numbers[j] = value[ad_vectors_operand(w, pick, j, k)];
    w->counts.steps += n;
    /* first, does it differ along each dimension? */
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

static enum ad_status list_view(struct ad_vectors *w, const int32_t *pick, int64_t n, int k,
                                struct ad_view *view)
{
    struct ad_list *list = ad_list_new(&w->r.to->tape->lists, n);

    if (!list)
        return AD_NO_MEMORY;
    for (int64_t j = 0; j < n; j++)
        list->slot[j] = ad_vectors_operand(w, pick, j, k);
    w->counts.lists++;
    w->counts.steps += n;
    view->place = AD_LIST;
    view->in.list = list;
    ad_strides(view->ndim, view->shape, view->stride);
    return AD_OK;
}

static void slots_view(const struct ad_vectors *w, const int32_t *pick, int64_t n, int k,
                       struct ad_view *view)
{
    int64_t inner = n;

    view->place = AD_SLOTS;
    view->base = ad_vectors_operand(w, pick, 0, k);
    for (int d = 0; d < view->ndim; d++) {
        inner /= view->shape[d];
        view->stride[d] =
            view->shape[d] > 1 ? ad_vectors_operand(w, pick, inner, k) - view->base : 0;
    }
}

/*
 * The runs that operand k consists of in the order of pick[]: evenly spaced results of one vector,
 * or one slot over and over.  start[] receives where each begins, and the end.  Returns how many
 * there are; 0 if they are too many, or too short.
 */
static int find_pieces(struct ad_vectors *w, const int32_t *pick, int32_t n, int k, int32_t *start)
{
    int most = AD_MIN(n / AD_VECTOR_MIN, PIECES_MAX), n_pieces = 0;

    for (int32_t j = 0; j < n;) {
        int32_t slot = ad_vectors_operand(w, pick, j, k), end = j + 1;
        int32_t home = slot < 0 ? AD_HOME_CONSTANT : w->home[slot], step = 0;

        if (n_pieces == most)
            return 0;
        start[n_pieces++] = j;
        if (end < n)
            step = ad_vectors_operand(w, pick, end, k) - slot;
        for (; end < n; end++) {
            int32_t next = ad_vectors_operand(w, pick, end, k);

            if (next - ad_vectors_operand(w, pick, end - 1, k) != step ||
                (step != 0 && (home < 0 || next < 0 || w->home[next] != home)))
                break;
        }
        j = end;
    }
    start[n_pieces] = n;
    w->counts.steps += n;
    return n_pieces;
}

static bool is_constant(const struct ad_vectors *w, const int32_t *pick, int32_t n, int k)
{
    for (int32_t j = 0; j < n; j++)
        if (ad_vectors_operand(w, pick, j, k) >= 0)
            return false;
    return true;
}

/* An operand put together from its runs by an instruction of its own. */
static enum ad_status pieces_view(struct ad_vectors *w, const int32_t *pick, int32_t n, int k,
                                  int n_pieces, const int32_t *start, struct ad_view *view)
{
    struct ad_tape *to = w->r.to->tape;
    struct ad_view pairs[2 * PIECES_MAX];
    enum ad_status status;

    for (int v = 0; v < n_pieces; v++) {
        struct ad_view *from = &pairs[2 * v], *target = from + 1;
        int32_t first = ad_vectors_operand(w, pick, start[v], k);
        int64_t length = start[v + 1] - start[v];

        *target = ad_view_slots(start[v], 1, &length);
        target->place = AD_OWN;
        *from = ad_view_slots(first, 1, &length);
        from->stride[0] = length > 1 ? ad_vectors_operand(w, pick, start[v] + 1, k) - first : 0;
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
        to->value[view->base + j] = to->value[ad_vectors_operand(w, pick, j, k)];
    return ad_vectors_settle(w);
}

/* An operand of items in any order, in one dimension. */
static enum ad_status line_view(struct ad_vectors *w, const int32_t *pick, int32_t n, int k,
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

enum ad_status ad_vectors_record(struct ad_vectors *w, const struct ad_group *g,
                                 const struct ad_nest *nest)
{
    struct ad_rewrite *r = &w->r;
    struct ad_tape *to = r->to->tape;
    const struct ad_tape *tape = r->from->tape;
    const struct ad_nest line = {1, {g->count}};
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
        else if (g->home[done] == AD_HOME_CONSTANT)
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
        status = ad_vectors_settle(w);
    if (status)
        return status;
    dst = to->dst[to->n - 1];
    for (int32_t j = 0; j < g->count; j++) {
        int32_t old = tape->dst[w->items[pick[j]].instr];

        ad_rewrite_set(r, old, dst + j);
        if (!to->symbolic)
            to->value[dst + j] = tape->value[old];
    }
    w->counts.rolled += g->count;
    w->counts.vectors++;
    w->counts.steps += g->count;
    return AD_OK;
}

bool ad_vectors_is_line(struct ad_vectors *w, const struct ad_group *g)
{
    int32_t start[PIECES_MAX + 1];

    for (int k = 0; k < ad_ops[g->op].n_args; k++)
        if (!is_constant(w, w->pick + g->start, g->count, k) &&
            !find_pieces(w, w->pick + g->start, g->count, k, start))
            return false;
    return true;
}

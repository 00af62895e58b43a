/* ad_emit_forward.c -- forward: from the oldest instruction to the newest. */
#include "ad_emit_forward.h"

#include <stdlib.h>
#include <string.h>

#include "ad_draw.h"
#include "ad_emit_tangent.h"

static enum ad_status forward_words(struct ad_forward *e, int32_t i, enum ad_op op, double p,
                                    struct ad_view *a, const struct ad_view *y)
{
    struct ad_tape *tape = e->tape;
    struct ad_view targets[AD_MAX_ARGS], partial;
    struct ad_terms terms, in;
    bool pole = ad_ops[op].curvature == AD_POLE;
    enum ad_status status = AD_OK;

    memcpy(targets, a, sizeof targets);
    for (int j = 0; j < ad_ops[op].n_args; j++)
        ad_emit_simplify(tape, &a[j]);
    ad_terms_none(&terms, y->ndim, y->shape);
    for (int j = 0; j < ad_ops[op].n_args && !status; j++) {
        status = ad_terms_of(e, &targets[j], &in);
        if (status || in.n == 0)
            continue;
        if (pole && e->lanes) /* the partial does not commute with lanes that are 0 */
            status = ad_terms_add_up(e, &in);
        if (!status)
            status = ad_emit_partial(tape, op, j, p, a, y, &partial);
        if (status) {
            ad_terms_drop(&in);
            continue;
        }
        for (int k = 0; k < in.n && !status; k++) {
            struct ad_term term = in.term[k];
            struct ad_view *moves = pole && e->lanes ? &term.base : &term.c, from = *moves;

            if (from.place == AD_SLOTS)
                ad_emit_simplify(tape, &from);
            status = ad_emit_flow(tape, op, j, &from, &partial, moves);
            if (status)
                continue;
            if (moves == &term.c)
                ad_view_hold(&term.base);
            else
                term.unit = false;
            term.cuts |= ad_op_cuts(op) && partial.place != AD_NUMBER;
            status = ad_terms_add(e, &terms, &term);
        }
        ad_view_drop(&partial);
        ad_terms_drop(&in);
    }
    if (status) {
        ad_terms_drop(&terms);
        return status;
    }
    return ad_terms_set(e, i, &terms);
}

static bool is_whole(const struct ad_view *to, int64_t size)
{
    return to->place == AD_OWN && to->base == 0 && ad_view_size(to) == size &&
           ad_view_is_contiguous(to);
}

static enum ad_status forward_addto(struct ad_forward *e, int32_t i)
{
    struct ad_tape *tape = e->tape;
    int64_t n = tape->aux[tape->a[i] + 1] / 2, size = tape->aux[tape->a[i] + 2],
            at = AD_BLOCK_HEADER;
    struct ad_parts sum = {NULL, NULL, 0, 0};
    struct ad_view from, own, t;
    struct ad_terms terms;
    enum ad_status status = AD_OK;

    for (int64_t v = 0; v < n && !status; v++) {
        const int64_t *block = tape->aux + tape->a[i]; /* recording may move it */

        at = ad_view_decode(ad_view_decode(block + at, &from), &own) - block;
        status = ad_terms_of(e, &from, &terms);
        if (status)
            break;
        if (n == 1 && is_whole(&own, size)) /* a copy */
            return ad_terms_set(e, i, &terms);
        status = ad_parts_add(e, &sum, &terms, &own, size);
        ad_terms_drop(&terms);
    }
    status = ad_parts_end(e, &sum, status, size, &t);
    return status ? status : ad_tangent_set(e, i, &t, 1, &size);
}

/* ---- matrix products ---- */

static void set_dim(struct ad_view *view, int d, const struct ad_view *from, int from_d)
{
    view->shape[d] = from->shape[from_d];
    view->stride[d] = from->stride[from_d];
}

static struct ad_view swapped(const struct ad_view *matrix)
{
    struct ad_view view = *matrix;
    int last = view.ndim - 1;

    set_dim(&view, last, matrix, last - 1);
    set_dim(&view, last - 1, matrix, last);
    return view;
}

/* Is lane l of t, (lanes, 1, n), the unit vector l? */
static bool is_identity(const struct ad_view *t)
{
    if (t->place != AD_ARRAY || t->ndim != 3 || t->shape[1] != 1 || t->shape[0] != t->shape[2])
        return false;
    for (int64_t l = 0; l < t->shape[0]; l++)
        for (int64_t j = 0; j < t->shape[2]; j++)
            if (t->in.array->data[t->base + l * t->stride[0] + j * t->stride[2]] != (l == j))
                return false;
    return true;
}

/* (lanes, *batch, m, k) times one (k, n), as one product of many rows; copies where strides ask for it. */
static enum ad_status product_of_rows(struct ad_forward *e, const struct ad_view *t,
                                      const struct ad_view *matrix, struct ad_view *product)
{
    struct ad_view rows = *t;
    int last = t->ndim - 1;
    int64_t shape[AD_MAX_DIMS], two[2] = {ad_shape_size(last, t->shape), t->shape[last]};
    enum ad_status status;

    memcpy(shape, t->shape, sizeof shape);
    shape[last] = matrix->shape[1];
    ad_view_hold(&rows);
    status = ad_emit_reshaped(e->tape, &rows, 2, two);
    if (!status)
        status = ad_record_matmul(e->tape, &rows, matrix, product);
    ad_view_drop(&rows);
    if (!status)
        *product = ad_view_slots(product->base, last + 1, shape);
    return status;
}

/* (lanes, *batch, 1, k) times (*batch, k, n), a product of 'lanes' rows for each of the batch. */
static enum ad_status product_of_lanes(struct ad_forward *e, const struct ad_view *t,
                                       const struct ad_view *matrix, struct ad_view *product)
{
    struct ad_view rows = *t, found;
    int nb = matrix->ndim - 2;
    enum ad_status status;

    rows.ndim = nb + 2;
    for (int d = 0; d < nb; d++)
        set_dim(&rows, d, t, d + 1);
    set_dim(&rows, nb, t, 0);
    set_dim(&rows, nb + 1, t, nb + 2);
    status = ad_record_matmul(e->tape, &rows, matrix, &found);
    if (status)
        return status;
    *product = found;
    product->ndim = nb + 3;
    set_dim(product, 0, &found, nb);
    for (int d = 0; d < nb; d++)
        set_dim(product, d + 1, &found, d);
    product->shape[nb + 1] = 1;
    product->stride[nb + 1] = 0;
    set_dim(product, nb + 2, &found, nb + 1);
    return AD_OK;
}

/* From this many columns on, a product for each lane is as good as one for all of what must be copied. */
enum { MANY_COLUMNS = 16, FEW_ROWS = 4 };

/* Each lane of 't' times 'other', or the other way round if 't' is on the right. */
static enum ad_status lanes_product(struct ad_forward *e, const struct ad_view *t,
                                    const struct ad_view *other, bool right,
                                    struct ad_view *product)
{
    struct ad_view left = right ? swapped(t) : *t, matrix = right ? swapped(other) : *other, one;
    int nb = other->ndim - 2;
    int64_t rows = left.shape[nb + 1];
    bool shared = true;
    enum ad_status status;

    one = matrix;
    one.ndim = 2;
    for (int d = 0; d < nb; d++)
        shared &= matrix.stride[d] == 0 || matrix.shape[d] == 1;
    for (int d = 0; d < 2; d++)
        set_dim(&one, d, &matrix, nb + d);
    if (nb == 0 && is_identity(&left)) {
        *product = one;
        product->ndim = 3;
        product->shape[1] = 1;
        product->stride[1] = 0;
        set_dim(product, 2, &one, 1);
        ad_view_hold(product);
    } else if (shared &&
               (!right || rows == 1 || (rows < MANY_COLUMNS && one.shape[1] >= FEW_ROWS))) {
        status = product_of_rows(e, &left, &one, product);
        if (status)
            return status;
    } else if (rows == 1) {
        status = product_of_lanes(e, &left, &matrix, product);
        if (status)
            return status;
    } else {
        return right ? ad_record_matmul(e->tape, other, t, product)
                     : ad_record_matmul(e->tape, t, other, product);
    }
    if (right)
        *product = swapped(product);
    return AD_OK;
}

static enum ad_status forward_matmul(struct ad_forward *e, int32_t i)
{
    struct ad_tape *tape = e->tape;
    struct ad_view views[2], t, product;
    struct ad_terms terms;
    struct ad_term term;
    enum ad_status status = AD_OK;

    ad_tape_views(tape, i, views, 2);
    ad_terms_none(&terms, views[0].ndim, views[0].shape);
    terms.shape[terms.ndim - 1] = views[1].shape[terms.ndim - 1];
    for (int side = 0; side < 2 && !status; side++) {
        const struct ad_view *other = &views[1 - side];

        status = ad_tangent_of(e, &views[side], &t);
        if (status || ad_is_number(&t, 0))
            continue;
        status = ad_terms_stretch(e, &t, views[side].ndim, views[side].shape);
        if (!status && e->lanes)
            status = lanes_product(e, &t, other, side == 1, &product);
        else if (!status)
            status = side ? ad_record_matmul(tape, other, &t, &product)
                          : ad_record_matmul(tape, &t, other, &product);
        ad_view_drop(&t);
        if (status)
            continue;
        term = ad_terms_whole(e, &product);
        status = ad_terms_add(e, &terms, &term);
    }
    if (status) {
        ad_terms_drop(&terms);
        return status;
    }
    return ad_terms_set(e, i, &terms);
}

/* ---- other instructions ---- */

static enum ad_status forward_along(struct ad_forward *e, int32_t i)
{
    struct ad_tape *tape = e->tape;
    int code = ad_tape_code(tape, i), lead = e->lanes > 0, last;
    struct ad_view from, t, weights, product, result;
    enum ad_status status;

    ad_tape_views(tape, i, &from, 1);
    last = from.ndim - 1;
    status = ad_tangent_of(e, &from, &t);
    if (status || ad_is_number(&t, 0))
        return status;
    if (code == AD_CUMSUM) {
        status = ad_terms_stretch(e, &t, from.ndim, from.shape);
        if (!status)
            status = ad_record_along(tape, AD_CUMSUM, &t, tape->aux[tape->a[i] + 4], &result);
        ad_view_drop(&t);
        return status ? status : ad_tangent_set(e, i, &result, from.ndim, from.shape);
    }
    status = ad_emit_row_weights(tape, i, &from, &weights);
    if (!status)
        status = ad_emit_weigh(tape, i, &weights, &t, &product);
    ad_view_drop(&t);
    if (!status)
        status = ad_terms_stretch(e, &product, from.ndim, from.shape);
    if (!status)
        status = ad_record_sum(tape, &product, 1u << (last + lead), &result);
    if (status)
        return status;
    result.ndim--; /* the last, of length 1 */
    return ad_tangent_set(e, i, &result, last, from.shape);
}

static enum ad_status forward_gather(struct ad_forward *e, int32_t i)
{
    struct ad_tape *tape = e->tape;
    int64_t shape[AD_MAX_DIMS], extra = tape->aux[tape->a[i] + 4];
    struct ad_view views[2], t, result;
    bool gather = ad_tape_code(tape, i) == AD_GATHER;
    int ndim;
    enum ad_status status;

    ad_tape_views(tape, i, views, 2);
    ndim = views[0].ndim;
    status = ad_tangent_of(e, &views[0], &t);
    if (status || ad_is_number(&t, 0))
        return status;
    status = ad_terms_stretch(e, &t, ndim, views[0].shape);
    if (!status)
        status = gather ? ad_record_gather(tape, &t, &views[1], &result)
                        : ad_record_scatter(tape, &t, &views[1], extra, &result);
    ad_view_drop(&t);
    memcpy(shape, views[0].shape, sizeof shape);
    shape[ndim - 1] = gather ? views[1].shape[0] : extra;
    return status ? status : ad_tangent_set(e, i, &result, ndim, shape);
}

/* The operands' tangents along one lane, as a rule is given them, and what it makes of them. */
static enum ad_status call_lane(struct ad_forward *e, int32_t i, int n,
                                const struct ad_view *tangents, int64_t lane,
                                struct ad_view *result)
{
    struct ad_view *one = malloc((size_t)AD_MAX(n, 1) * sizeof *one);
    enum ad_status status;

    if (!one)
        return AD_NO_MEMORY;
    for (int j = 0; j < n; j++) {
        one[j] = tangents[j];
        if (e->lanes == 0 || one[j].place == AD_NUMBER)
            continue;
        one[j].base += lane * one[j].stride[0];
        one[j].ndim--;
        for (int d = 0; d < one[j].ndim; d++)
            set_dim(&one[j], d, &tangents[j], d + 1);
    }
    status = e->tape->hooks->emit_forward(e->tape, i, one, result);
    free(one);
    return status;
}

static enum ad_status forward_call(struct ad_forward *e, int32_t i)
{
    struct ad_tape *tape = e->tape;
    int n = (int)tape->aux[tape->a[i] + 1], done = 0;
    int64_t size = tape->aux[tape->a[i] + 2], lanes = AD_MAX(e->lanes, 1);
    struct ad_view *views = malloc(2 * (size_t)AD_MAX(n, 1) * sizeof *views), *tangents = views + n,
                   own = ad_view_slots(0, 1, &size), t = ad_view_number(0);
    struct ad_parts sum = {NULL, NULL, 0, 0};
    bool moves = false;
    enum ad_status status = AD_OK;

    if (!views)
        return AD_NO_MEMORY;
    own.place = AD_OWN;
    ad_tape_views(tape, i, views, n);
    for (; done < n && !status; done++) {
        status = ad_tangent_of(e, &views[done], &tangents[done]);
        moves |= !status && !ad_is_number(&tangents[done], 0);
    }
    if (status)
        done--; /* the last one holds nothing */
    if (!status && moves && e->lanes == 0)
        status = call_lane(e, i, n, tangents, 0, &t);
    for (int64_t l = 0; l < lanes && !status && moves && e->lanes; l++) {
        status = ad_parts_room(&sum, 1);
        if (!status)
            status = call_lane(e, i, n, tangents, l, &sum.from[sum.n]);
        if (status)
            break;
        if (sum.from[sum.n].place == AD_NUMBER)
            sum.from[sum.n].ndim = 0;
        own.base = l * size;
        sum.to[sum.n++] = own;
    }
    if (e->lanes)
        status = ad_parts_end(e, &sum, status, size, &t);
    while (done-- > 0)
        ad_view_drop(&tangents[done]);
    free(views);
    return status ? status : ad_tangent_set(e, i, &t, 1, &size);
}

/* Where results of instruction i are inputs, their seeds count rather than its rule. */
static enum ad_status take_seeds(struct ad_forward *e, int32_t i)
{
    struct ad_list *list = e->seeded[i - e->first];
    int64_t lanes = AD_MAX(e->lanes, 1), shape[2] = {lanes, ad_tape_length(e->tape, i)};
    struct ad_view flat, t = ad_view_slots(0, 2, shape);
    enum ad_status status = ad_tangent_flat(e, i, &flat);

    for (int64_t j = 0; j < list->n && !status; j++)
        if (list->slot[j] == AD_NO_TANGENT)
            status = ad_tangent_slot(e, &flat, j / shape[1], j % shape[1], &list->slot[j]);
    ad_view_drop(&flat);
    if (status)
        return status;
    t.place = AD_LIST;
    t.in.list = list;
    ad_view_hold(&t);
    if (e->lanes == 0) {
        t.ndim = 1;
        set_dim(&t, 0, &t, 1);
    }
    return ad_tangent_set(e, i, &t, 1, shape + 1);
}

static enum ad_status forward_instr(struct ad_forward *e, int32_t i)
{
    struct ad_tape *tape = e->tape;
    int code = ad_tape_code(tape, i);
    struct ad_view y, a[AD_MAX_ARGS] = {{0}};
    double p;

    if (code == AD_INPUT)
        return AD_OK;
    if (!ad_tape_is_array(tape, i)) {
        a[0] = ad_view_slots(tape->a[i], 0, NULL);
        a[1] = ad_view_slots(tape->b[i], 0, NULL);
        y = ad_view_slots(tape->dst[i], 0, NULL);
        return forward_words(e, i, (enum ad_op)code, ad_tape_parameter(tape, i), a, &y);
    }
    if (code == AD_ADDTO)
        return forward_addto(e, i);
    if (code == AD_MATMUL)
        return forward_matmul(e, i);
    if (code == AD_CUMSUM || code == AD_EXTREMUM || code == AD_NORM)
        return forward_along(e, i);
    if (code == AD_ARGSORT)
        return AD_OK; /* no derivative goes through indices */
    if (code == AD_GATHER || code == AD_SCATTER)
        return forward_gather(e, i);
    if (ad_tape_has_rule(tape, i))
        return forward_call(e, i);
    ad_tape_views(tape, i, a, ad_ops[code].n_args);
    memcpy(&p, tape->aux + tape->a[i] + 3, sizeof p);
    y = ad_view_slots(tape->dst[i], a[0].ndim, a[0].shape);
    return forward_words(e, i, (enum ad_op)code, p, a, &y);
}

/* ---- beginning and end ---- */

static void count_use(struct ad_forward *e, const struct ad_view *view)
{
    int32_t i = ad_tangent_source(e, view);

    if (i == e->end)
        return;
    if (i >= 0) {
        e->uses[i - e->first] = e->uses[i - e->first] ? 2 : 1;
        return;
    }
    for (int64_t j = 0; j < view->in.list->n; j++) {
        int32_t slot = view->in.list->slot[j];

        if (slot >= e->low && slot < e->high)
            e->uses[ad_tape_producer(e->tape, slot) - e->first] = 2;
    }
}

static void count_uses(struct ad_forward *e, int n_outputs, const struct ad_view *outputs)
{
    const struct ad_tape *tape = e->tape;
    struct ad_view view;

    for (int k = 0; k < n_outputs; k++)
        count_use(e, &outputs[k]);
    for (int32_t i = e->end - 1; i >= e->first; i--) {
        if (!e->uses[i - e->first])
            continue;
        if (ad_tape_is_array(tape, i)) {
            const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;

            for (int64_t v = 0; v < block[1]; v++) {
                words = ad_view_decode(words, &view);
                if (view.place == AD_SLOTS || view.place == AD_LIST)
                    count_use(e, &view);
            }
        } else {
            view = ad_view_slots(tape->a[i], 0, NULL);
            count_use(e, &view);
            view = ad_view_slots(tape->b[i], 0, NULL);
            if (tape->b[i] != tape->a[i])
                count_use(e, &view);
        }
    }
}

static enum ad_status seed_slot(struct ad_forward *e, int32_t slot, int32_t from, int64_t size)
{
    int32_t i = ad_tape_producer(e->tape, slot);
    int64_t lanes = AD_MAX(e->lanes, 1), length = ad_tape_length(e->tape, i);
    struct ad_list **list = &e->seeded[i - e->first];

    if (!*list) {
        *list = ad_list_new(&e->tape->lists, lanes * length);
        if (!*list)
            return AD_NO_MEMORY;
        for (int64_t j = 0; j < lanes * length; j++)
            (*list)->slot[j] = AD_NO_TANGENT;
    }
    for (int64_t l = 0; l < lanes; l++)
        (*list)->slot[l * length + slot - e->tape->dst[i]] = (int32_t)(from + l * size);
    return AD_OK;
}

/* The seed of inputs that are not just one instruction's results in their order. */
static enum ad_status seed_ragged(struct ad_forward *e, const struct ad_view *input,
                                  const struct ad_view *seed)
{
    struct ad_tape *tape = e->tape;
    int64_t size = ad_view_size(input);
    struct ad_view copy;
    enum ad_status status = ad_record_copy(tape, seed, &copy);

    if (!status && !e->seeded) {
        e->seeded = calloc((size_t)(e->end - e->first), sizeof(struct ad_list *));
        if (!e->seeded)
            status = AD_NO_MEMORY;
    }
#define SEED(j, slot)                                                                              \
    if (!status && (slot) >= e->low)                                                               \
    status = seed_slot(e, slot, (int32_t)(copy.base + (j)), size)
    if (!status)
        AD_EACH_SLOT(tape, input, SEED);
    return status;
}

static enum ad_status seed_input(struct ad_forward *e, const struct ad_view *input,
                                 const struct ad_view *given)
{
    struct ad_view seed = *given;
    int32_t i = ad_tangent_source(e, input);
    enum ad_status status = ad_terms_stretch(e, &seed, input->ndim, input->shape);

    if (status || i == e->end)
        return status;
    if (i < 0 || input->place != AD_SLOTS || input->base != e->tape->dst[i] ||
        ad_view_size(input) != ad_tape_length(e->tape, i) || !ad_view_is_contiguous(input))
        return seed_ragged(e, input, &seed);
    if (e->seeded && e->seeded[i - e->first]) {
        ad_list_drop(e->seeded[i - e->first]);
        e->seeded[i - e->first] = NULL;
    }
    e->uses[i - e->first] = 0; /* its rule is not needed any more */
    ad_view_hold(&seed);
    return ad_tangent_set(e, i, &seed, input->ndim, input->shape);
}

/* From how many scalars on they are chains; how many lanes are computed as one number is. */
enum { MANY_SCALARS = 256, FEW_LANES = 8 };

/* Are there so many scalars that they must be what re-rolling has left: chains? */
static bool has_many_scalars(const struct ad_tape *tape, int32_t first)
{
    int32_t n = 0;

    for (int32_t i = first; i < tape->n && n < MANY_SCALARS; i++)
        n += !ad_tape_is_array(tape, i);
    return n == MANY_SCALARS;
}

static enum ad_status emitter_begin(struct ad_forward *e, struct ad_tape *tape, int64_t lanes,
                                    int n_inputs, const struct ad_view *inputs)
{
    size_t n;

    memset(e, 0, sizeof *e);
    e->tape = tape;
    e->lanes = lanes;
    e->n_consts = tape->n_consts;
    e->floor = ad_tape_enter(tape, INT32_MAX);
    e->end = tape->n;
    e->low = e->high = tape->n_slots;
    for (int k = 0; k < n_inputs; k++)
        e->low = AD_MIN(e->low, ad_view_lowest(&inputs[k]));
    e->first = e->low < e->high ? ad_tape_producer(tape, e->low) : tape->n;
    if (e->first < tape->n)
        e->low = tape->dst[e->first];
    n = (size_t)(e->end - e->first) + 1;
    e->serial = lanes > 2 && lanes <= FEW_LANES && has_many_scalars(tape, e->first);
    e->at = malloc(n * sizeof *e->at);
    e->uses = calloc(n, 1);
    for (size_t j = 0; j < n && e->at; j++)
        e->at[j] = -1;
    if (!e->at || !e->uses)
        return AD_NO_MEMORY;
    if (!ad_tape_constants_intact(tape, e->first, e->end - 1))
        return AD_CONST_CHANGED;
    return ad_draw_find(tape, e->first, e->end - 1);
}

/* After a failure the tape is cut back to where it was. */
static void emitter_end(struct ad_forward *e, enum ad_status status)
{
    for (int32_t i = e->first; i < e->end; i++) {
        if (e->at && e->at[i - e->first] >= 0)
            ad_terms_clear(e, i);
        if (e->seeded && e->seeded[i - e->first])
            ad_list_drop(e->seeded[i - e->first]);
    }
    if (status)
        ad_tape_cut(e->tape, e->end, e->n_consts);
    ad_tape_leave(e->tape, e->floor);
    free(e->at);
    free(e->uses);
    free((void *)e->seeded);
    free(e->words);
}

static enum ad_status emit(struct ad_tape *tape, int64_t lanes, int n_inputs,
                           const struct ad_view *inputs, const struct ad_view *seeds, int n_outputs,
                           const struct ad_view *outputs, struct ad_view *tangents)
{
    struct ad_forward e;
    enum ad_status status;
    int done = 0;

    status = emitter_begin(&e, tape, lanes, n_inputs, inputs);
    if (!status)
        count_uses(&e, n_outputs, outputs);
    for (int k = 0; k < n_inputs && !status; k++)
        status = seed_input(&e, &inputs[k], &seeds[k]);
    for (int32_t i = e.first; i < e.end && !status; i++) {
        if (tape->origin)
            ad_tape_here(tape, ad_tape_origin(tape, i));
        if (e.uses[i - e.first])
            status = forward_instr(&e, i);
        if (!status && e.seeded && e.seeded[i - e.first])
            status = take_seeds(&e, i);
    }
    for (; done < n_outputs && !status; done++)
        status = ad_tangent_of(&e, &outputs[done], &tangents[done]);
    if (status)
        while (--done > 0)
            ad_view_drop(&tangents[done - 1]);
    emitter_end(&e, status);
    return status;
}

enum ad_status ad_emit_forward(struct ad_tape *tape, int n_inputs, const struct ad_view *inputs,
                               const struct ad_view *seeds, int n_outputs,
                               const struct ad_view *outputs, struct ad_view *tangents)
{
    return emit(tape, 0, n_inputs, inputs, seeds, n_outputs, outputs, tangents);
}

enum ad_status ad_emit_forward_lanes(struct ad_tape *tape, int64_t lanes, int n_inputs,
                                     const struct ad_view *inputs, const struct ad_view *seeds,
                                     int n_outputs, const struct ad_view *outputs,
                                     struct ad_view *tangents)
{
    ad_assert(lanes > 0);
    return emit(tape, lanes, n_inputs, inputs, seeds, n_outputs, outputs, tangents);
}

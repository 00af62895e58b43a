/* ad_emit_algebra.c -- the rows read as new instructions. */
#include "ad_emit_algebra.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A number by which all of them are plain products. */
static bool is_factor(const struct ad_view *view)
{
    return view->place == AD_NUMBER && view->in.number != 0 && isfinite(view->in.number);
}

enum ad_status ad_emit_op(struct ad_tape *tape, enum ad_op op, double p, const struct ad_view *args,
                          struct ad_view *result)
{
    const struct ad_view *pointers[AD_MAX_ARGS] = {args, args + 1, args + 2};

    if (ad_op_is_product(op)) {
        bool nothing[2] = {ad_is_number(&args[0], 0), ad_is_number(&args[1], 0)};

        if ((nothing[0] && op != AD_OP_flow) ||
            (nothing[1] && (op == AD_OP_mul || op == AD_OP_mul00 || op == AD_OP_gate))) {
            *result = ad_view_number(0);
            return AD_OK;
        }
        for (int i = 0; i < (op == AD_OP_gate ? 1 : 2); i++) { /* a gate's weight stays one */
            const struct ad_view *other = &args[1 - i];

            if (!is_factor(&args[i]) || (other->place != AD_NUMBER && args[i].ndim > 0))
                continue;
            if (args[i].in.number == 1) {
                *result = *other;
                ad_view_hold(result);
                return AD_OK;
            }
            if (args[i].in.number == -1)
                return ad_emit_op(tape, AD_OP_neg, 0, other, result);
            op = AD_OP_mul;
        }
    }
    if (op == AD_OP_add && (ad_is_number(&args[0], 0) || ad_is_number(&args[1], 0))) {
        *result = args[ad_is_number(&args[0], 0)];
        ad_view_hold(result);
        return AD_OK;
    }
    return ad_record_op(tape, op, p, pointers, result);
}

/* Piecewise constant weights times what moves, exactly 0 where a weight is. */
static enum ad_status gate(struct ad_tape *tape, const struct ad_view *weights,
                           const struct ad_view *moving, struct ad_view *result)
{
    struct ad_view args[AD_MAX_ARGS] = {*weights, *moving, ad_view_number(0)};

    return ad_emit_op(tape, AD_OP_gate, 0, args, result);
}

enum ad_status ad_emit_push(struct ad_tape *tape, enum ad_op op, int arg, const struct ad_view *g,
                            const struct ad_view *partial, struct ad_view *result)
{
    struct ad_view args[AD_MAX_ARGS] = {*g, *partial, ad_view_number(0)};

    if (ad_is_number(partial, 0)) {
        *result = ad_view_number(0);
        return AD_OK;
    }
    if (ad_is_number(partial, -1))
        return ad_emit_op(tape, AD_OP_neg, 0, args, result);
    if (partial->place == AD_NUMBER && isfinite(partial->in.number)) /* 0 * inf is to be 0 */
        return ad_emit_op(tape, AD_OP_mul, 0, args, result);
    if (ad_ops[op].curvature == AD_SELECT)
        return gate(tape, partial, g, result);
    if ((op == AD_OP_mul0 && arg == 1) || op == AD_OP_mul00)
        return ad_emit_op(tape, AD_OP_mul00, 0, args, result);
    return ad_emit_op(tape, AD_OP_mul0, 0, args, result);
}

enum ad_status ad_emit_flow(struct ad_tape *tape, enum ad_op op, int arg,
                            const struct ad_view *tangent, const struct ad_view *partial,
                            struct ad_view *result)
{
    struct ad_view args[AD_MAX_ARGS] = {*tangent, *partial, ad_view_number(0)};

    if (ad_ops[op].curvature == AD_POLE && partial->place != AD_NUMBER)
        return ad_emit_op(tape, AD_OP_flow, 0, args, result);
    return ad_emit_push(tape, op, arg, tangent, partial, result);
}

/* The words are run on the tape. */
enum ad_status ad_emit_partial(struct ad_tape *tape, enum ad_op op, int arg, double p,
                               const struct ad_view *a, const struct ad_view *y,
                               struct ad_view *result)
{
    struct ad_view stack[AD_MAX_WORDS + AD_MAX_ARGS];
    enum ad_status status = AD_OK;
    int top = 0;

    for (const struct ad_word *word = ad_ops[op].partial[arg]; word->op != AD_W_END; word++) {
        struct ad_view *at = &stack[top];

        if (word->op >= 0) {
            int n = ad_ops[word->op].n_args;
            struct ad_view value;

            top -= n;
            status = ad_emit_op(tape, (enum ad_op)word->op, p + word->c, &stack[top], &value);
            for (int i = 0; i < n; i++)
                ad_view_drop(&stack[top + i]);
            if (status) {
                while (top > 0)
                    ad_view_drop(&stack[--top]);
                return status;
            }
            stack[top] = value;
        } else if (word->op == AD_W_CONST) {
            *at = ad_view_number(word->c);
        } else if (word->op == AD_W_P) {
            *at = ad_view_number(p);
        } else {
            *at = word->op == AD_W_Y ? *y : a[AD_W_X - word->op];
            ad_view_hold(at);
        }
        top++;
    }
    *result = stack[0];
    return AD_OK;
}

/* A word's value and its derivative. */
struct jet {
    struct ad_view value, slope;
};

/* The derivative of the word 'op' of 'n' jets, which has the value 'y': the chain rule. */
static enum ad_status word_slope(struct ad_tape *tape, enum ad_op op, double p, int n,
                                 const struct jet *jets, const struct ad_view *y,
                                 struct ad_view *slope)
{
    struct ad_view a[AD_MAX_ARGS] = {{0}};
    enum ad_status status = AD_OK;

    *slope = ad_view_number(0);
    for (int k = 0; k < n; k++)
        a[k] = jets[k].value;
    for (int k = 0; k < n && !status; k++) {
        struct ad_view partial, args[AD_MAX_ARGS] = {*slope, ad_view_number(0), ad_view_number(0)};

        if (ad_is_number(&jets[k].slope, 0))
            continue;
        status = ad_emit_partial(tape, op, k, p, a, y, &partial);
        if (status)
            break;
        status = ad_emit_flow(tape, op, k, &jets[k].slope, &partial, &args[1]);
        ad_view_drop(&partial);
        if (status)
            break;
        *slope = ad_view_number(0);
        status = ad_emit_op(tape, AD_OP_add, 0, args, slope);
        ad_view_drop(&args[0]);
        ad_view_drop(&args[1]);
    }
    if (status) {
        ad_view_drop(slope);
        *slope = ad_view_number(0);
    }
    return status;
}

static void drop_jets(struct jet *jets, int n)
{
    for (int k = 0; k < n; k++) {
        ad_view_drop(&jets[k].value);
        ad_view_drop(&jets[k].slope);
    }
}

/* The words are run on the tape as numbers that move with argument 'by'. */
enum ad_status ad_emit_second(struct ad_tape *tape, enum ad_op op, int arg, int by, double p,
                              const struct ad_view *a, const struct ad_view *y,
                              const struct ad_view *slope, struct ad_view *result)
{
    struct jet stack[AD_MAX_WORDS + AD_MAX_ARGS];
    int top = 0;

    for (const struct ad_word *word = ad_ops[op].partial[arg]; word->op != AD_W_END; word++) {
        struct jet jet = {ad_view_number(0), ad_view_number(0)};

        if (word->op >= 0) {
            enum ad_op code = (enum ad_op)word->op;
            int n = ad_ops[code].n_args;
            struct ad_view args[AD_MAX_ARGS] = {{0}};
            enum ad_status status;

            for (int k = 0; k < n; k++)
                args[k] = stack[top - n + k].value;
            status = ad_emit_op(tape, code, p + word->c, args, &jet.value);
            if (!status) {
                status =
                    word_slope(tape, code, p + word->c, n, &stack[top - n], &jet.value, &jet.slope);
                if (status)
                    ad_view_drop(&jet.value);
            }
            if (status) {
                drop_jets(stack, top);
                return status;
            }
            top -= n;
            drop_jets(&stack[top], n);
        } else if (word->op == AD_W_CONST || word->op == AD_W_P) {
            jet.value = ad_view_number(word->op == AD_W_P ? p : word->c);
        } else {
            jet.value = word->op == AD_W_Y ? *y : a[AD_W_X - word->op];
            jet.slope = word->op == AD_W_Y ? *slope : ad_view_number(AD_W_X - word->op == by);
            ad_view_hold(&jet.value);
            ad_view_hold(&jet.slope);
        }
        stack[top++] = jet;
    }
    ad_view_drop(&stack[0].value);
    *result = stack[0].slope;
    return AD_OK;
}

/* A constant array as consecutive numbers in the shape: constants stay constants. */
static enum ad_status reshaped_array(struct ad_view *view, int ndim, const int64_t *shape)
{
    int64_t n = ad_view_size(view);
    double *data = malloc((size_t)AD_MAX(n, 1) * sizeof *data);
    struct ad_array *array;

    if (!data)
        return AD_NO_MEMORY;
    ad_view_read(view, NULL, data);
    array = ad_array_copy(data, n);
    free(data);
    if (!array)
        return AD_NO_MEMORY;
    ad_view_drop(view);
    *view = ad_view_slots(0, ndim, shape);
    view->place = AD_ARRAY;
    view->in.array = array;
    return AD_OK;
}

enum ad_status ad_emit_reshaped(struct ad_tape *tape, struct ad_view *view, int ndim,
                                const int64_t *shape)
{
    struct ad_view copy;
    enum ad_status status;

    if (ad_view_reshape(view, ndim, shape))
        return AD_OK;
    if (view->place == AD_ARRAY) {
        status = reshaped_array(view, ndim, shape);
        if (status) {
            ad_view_drop(view);
            *view = ad_view_number(0);
        }
        return status;
    }
    status = ad_record_copy(tape, view, &copy);
    ad_view_drop(view);
    *view = status ? ad_view_number(0) : copy;
    if (!status)
        ad_view_reshape(view, ndim, shape);
    return status;
}

void ad_emit_simplify(const struct ad_tape *tape, struct ad_view *view)
{
    if (view->place == AD_SLOTS && view->base < 0)
        *view = ad_view_number(tape->value[view->base]);
    else if (view->place == AD_NUMBER)
        view->ndim = 0;
}

enum ad_status ad_emit_row_weights(struct ad_tape *tape, int32_t i, const struct ad_view *from,
                                   struct ad_view *weights)
{
    struct ad_view args[AD_MAX_ARGS] = {*from, ad_view_number(0), ad_view_number(0)}, best, count;
    enum ad_status status;

    args[1] = ad_view_slots(tape->dst[i], from->ndim - 1, from->shape);
    args[1].shape[args[1].ndim] = 1;
    args[1].stride[args[1].ndim++] = 0;
    ad_view_broadcast(&args[1], from->ndim, from->shape);
    if (ad_tape_code(tape, i) == AD_NORM)
        return ad_emit_op(tape, AD_OP_div0, 0, args, weights);
    status = ad_emit_op(tape, AD_OP_same, 0, args, &best);
    if (!status)
        status = ad_record_sum(tape, &best, 1u << (from->ndim - 1), &count);
    args[0] = best;
    args[1] = count;
    return status ? status : ad_emit_op(tape, AD_OP_div, 0, args, weights);
}

enum ad_status ad_emit_weigh(struct ad_tape *tape, int32_t i, const struct ad_view *weights,
                             const struct ad_view *moving, struct ad_view *result)
{
    struct ad_view args[AD_MAX_ARGS] = {*moving, *weights, ad_view_number(0)};

    if (ad_tape_code(tape, i) == AD_NORM)
        return ad_emit_op(tape, AD_OP_mul0, 0, args, result);
    return gate(tape, weights, moving, result);
}

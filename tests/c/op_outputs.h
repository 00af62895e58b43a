/* op_outputs.h -- an op over every kind of operand, as outputs of a program. */
#ifndef OP_OUTPUTS_H
#define OP_OUTPUTS_H

#include "ad_program.h"
#include "check.h"

/* An operand of 'shape' at random: a part of the input, from one of its first 'starts' elements on, or
 * of constants, or a number. */
static inline struct ad_view operand_of(struct rng *rng, int ndim, const int64_t *shape,
                                        int64_t starts, struct ad_array *array)
{
    struct ad_view view = ad_view_slots(rng_int(rng, 0, starts), ndim, shape);
    int64_t choice = rng_int(rng, 0, 6);

    if (choice == 0)
        return ad_view_number(rng_uniform(rng, 0.1, 0.9));
    if (choice == 1) {
        view.place = AD_ARRAY;
        view.in.array = array;
    }
    if (choice == 2 && ndim > 0) /* the same in each row, or one number */
        view.stride[ndim - 1] = 0;
    if (choice == 3 && ndim > 1)
        view.stride[0] = 0;
    if (choice == 4 && ndim > 0)
        view.stride[ndim - 1] = 2;
    return view;
}

/* Record an op on operands of 'shape', whose dimensions of length 0 do not count.  The result is an
 * output once, and once it is read by others only. */
static inline void add_op_outputs(struct ad_program *p, enum ad_op op, struct rng *rng,
                                  const int64_t shape[2], int64_t starts, struct ad_array *array)
{
    int ndim = (shape[0] > 0) + (shape[1] > 0);
    struct ad_view views[AD_MAX_ARGS], result, twice;
    const struct ad_view *args[AD_MAX_ARGS] = {&views[0], &views[1], &views[2]};
    double parameter = ad_ops[op].family ? (double)rng_int(rng, 0, 3) : 0;

    for (int v = 0; v < ad_ops[op].n_args; v++)
        views[v] = operand_of(rng, ndim, shape, starts, array);
    if (ad_record_op(p->tape, op, parameter, args, &result) || result.place == AD_NUMBER)
        return;
    CHECK(!ad_program_add_output(p, &result), "output");
    args[0] = args[1] = &result;
    CHECK(!ad_record_op(p->tape, AD_OP_sub, 0, args, &result), "sub");
    args[0] = args[1] = &result;
    CHECK(!ad_record_op(p->tape, AD_OP_add, 0, args, &twice), "add");
    CHECK(!ad_program_add_output(p, &twice), "output");
}

#endif

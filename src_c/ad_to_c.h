/* ad_to_c.h -- a program as C99.
 *
 * The text depends on how the program is planned (ad_plan.h): one loop, or a few, for each group; statements for
 * runs, rolled up into loops where they repeat themselves; so that its length does not grow with the
 * number of elements, nor with that of like steps, but for tables of positions and constants.
 *
 * Results are those of ad_run(), bit by bit, where the functions of the C library are those that ad_run() calls,
 * products of matrices are not left to BLAS, and the compiler neither contracts nor reorders arithmetic. */
#ifndef AD_TO_C_H
#define AD_TO_C_H

#include "ad_c_text.h"
#include "ad_program.h"

struct ad_c_function {
    struct ad_text text;   /* tables, and the function */
    uint8_t ops[AD_N_OPS]; /* which ops it calls */
    int64_t n_work;        /* doubles that it works in */
    int32_t
        call; /* the first rule of the user's that is needed, which cannot be written; -1: none */
};

/*
 * ad_to_c() writes
 *
 *     int name(const double *const *inputs, double *const *outputs, double *work);
 *
 * inputs[k] and outputs[k] are arrays in C order that do not overlap; 'work' has n_work doubles, of any value.  It
 * returns -1, or the number of the first guard that differs, and may run in any number of threads at a time.
 * The text needs those of ad_c_runtime.h and ad_c_ops() before it.
 *
 * Returns AD_OK, AD_NO_MEMORY, AD_NO_SLOTS, or AD_CALL_FAILED if there is a rule of the user's: function->call is its
 * instruction.  ad_c_function_free() is due in any case.
 */
enum ad_status ad_to_c(const struct ad_program *program, const char *name,
                       struct ad_c_function *function);
void ad_c_function_free(struct ad_c_function *function);

/*
 * Add the ops that are marked, as functions op_name() of one element and over_name() of many; they call what
 * ad_special.[ch] has.  With 'loops' those that ad_simd[] has a loop of NumPy's for call it by a variable
 * `struct ad_loop ad_loop_name`, to be set to that entry before they are; ad_run() has the same bits then.
 */
void ad_c_ops(struct ad_text *text, const uint8_t *ops, bool loops);

#endif

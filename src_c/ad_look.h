/* ad_look.h -- what there is to see of a program: its instructions, what they read, and the steps
 * of its plan. */
#ifndef AD_LOOK_H
#define AD_LOOK_H

#include "ad_plan.h"

/* Each of the arrays has an element per instruction: the code, the number of results, the index of
 * the origin or -1, and whether it is an array instruction. */
void ad_look_instrs(const struct ad_program *program, int32_t *code, int32_t *length,
                    int32_t *origin, uint8_t *array);

struct ad_look_steps {
    int64_t runs, words;             /* words of all runs */
    int64_t groups, moves, elements; /* moves and elements of all groups */
    int64_t singles;
    int64_t constant_bytes; /* numbers, and arrays that were closed over */
};

void ad_look_steps(const struct ad_plan *plan, struct ad_look_steps *steps);

struct ad_graph {
    int64_t *start; /* n_readers + 1: reader r reads from[start[r]] ... from[start[r + 1] - 1] */
    int32_t *from;  /* instructions, each once per reader, in the order of the operands */
    int64_t n_readers, capacity;
};

/* The readers are all instructions, then the outputs, then the guards.  Linear in the size of their
 * operands; on failure there is nothing to free. */
enum ad_status ad_graph_new(const struct ad_program *program, struct ad_graph *graph);
void ad_graph_free(struct ad_graph *graph);

#endif

/* ad_run.h -- running a plan.
 *
 * ad_run() needs no Python, takes no lock and allocates nothing; a rule of the user's, if there is
 * one, is called through the hooks of the program's tape, which see to the GIL.  Threads may run
 * one plan at a time, each in a frame of its own.
 *
 * Results have the bits of ad_program_replay(): what is added to one number is added in the same
 * order.  Only where an operand is repeated along its rows, a function with a loop of NumPy's may be
 * computed by that loop here and by the C library there, or the other way round. */
#ifndef AD_RUN_H
#define AD_RUN_H

#include "ad_plan.h"

struct ad_frame;

/* The memory of one run at a time, to be used again and again; NULL without memory. */
struct ad_frame *ad_frame_new(const struct ad_plan *plan);
/* Accepts NULL. */
void ad_frame_free(struct ad_frame *frame);

/*
 * inputs[k] and outputs[k] are arrays in C order, read and written where they are; no output
 * overlaps an input or another output.  *failed receives the first guard that differs, or -1: then
 * the outputs are those of the path that was recorded, and do not count.  Fails only as a rule of
 * the user's does.
 */
enum ad_status ad_run(const struct ad_plan *plan, struct ad_frame *frame,
                      const double *const *inputs, double *const *outputs, int *failed);

/* Step k again, in a frame in which ad_run() has been: to find out where the time goes. */
enum ad_status ad_run_step(const struct ad_plan *plan, struct ad_frame *frame, int64_t k);

/* After a run: the numbers that guard 'guard' saw, as many as it has. */
void ad_frame_outcome(const struct ad_plan *plan, const struct ad_frame *frame, int guard,
                      double *out);

#endif

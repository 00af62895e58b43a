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

/*
 * A run in parts, to find out where the time goes: the beginning, each step in order, and the end,
 * which returns the first guard that differs, or -1.
 */
void ad_run_begin(const struct ad_plan *plan, struct ad_frame *frame, const double *const *inputs,
                  double *const *outputs);
enum ad_status ad_run_step(const struct ad_plan *plan, struct ad_frame *frame, int64_t k);
int ad_run_end(const struct ad_plan *plan, struct ad_frame *frame, double *const *outputs);

/* A part of a run of words, as far as an AD_WORD_END. */
void ad_run_words(const struct ad_plan *plan, const struct ad_word_of_run *word,
                  struct ad_frame *frame);

/* The same by what was compiled for one kind of processor, which must be usable here; ad_run_words()
 * takes the last that is. */
enum ad_target { AD_TARGET_ANY, AD_TARGET_AVX2, AD_TARGET_AVX512, AD_N_TARGETS };
bool ad_target_is_usable(enum ad_target target);
void ad_run_words_for(enum ad_target target, const struct ad_plan *plan,
                      const struct ad_word_of_run *word, struct ad_frame *frame);

/* After a run: the numbers that guard 'guard' saw, as many as it has. */
void ad_frame_outcome(const struct ad_plan *plan, const struct ad_frame *frame, int guard,
                      double *out);

#endif

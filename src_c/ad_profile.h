/* ad_profile.h -- where the time of a run goes: a part of it to each instruction. */
#ifndef AD_PROFILE_H
#define AD_PROFILE_H

#include "ad_run.h"

struct ad_profile {
    double total; /* seconds that ad_run() takes, without any clock in between */
    double parts; /* the sum of its parts, each timed by itself: should be near 'total' */
    double ends;  /* of 'total': to load inputs, check guards and write outputs */
    int64_t n_rounds;
    int failed; /* a guard that differs, or -1 */
};

/*
 * ad_profile_run() runs a traced plan again and again: as it is, with a clock around each step, and
 * with a clock around each of what a step is made of, which is one word of a run, or one move for one
 * tile of a group.  Of all rounds the shortest times count, less what it takes to read the clock.
 *
 * A step's time is shared out among its instructions as the times of their words or moves are.  A word
 * is timed many times over, and those that do the same have the mean of their times: a single one takes
 * less than the clock, and how long it waits for the one before is not known.  In the end all are
 * scaled, so that seconds[i], one for each instruction of the program, and 'ends' add up to 'total'.
 *
 * Rounds are made for about 'budget' seconds, at least three and at most 'most'; if that is less than
 * three, as many as that.  inputs and outputs are those of ad_run(), and afterwards what it leaves.
 * AD_NO_MEMORY, or fails as a rule of the user's does.
 */
enum ad_status ad_profile_run(const struct ad_plan *plan, struct ad_frame *frame,
                              const double *const *inputs, double *const *outputs, double budget,
                              int64_t most, int64_t n_instrs, double *seconds,
                              struct ad_profile *profile);

#endif

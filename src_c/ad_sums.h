/* ad_sums.h -- long chains of scalar additions become sums.
 *
 * A program that adds up in a loop, total = total + a, then + b, ..., has one instruction for each
 * addition, each waiting for the one before.  These passes add the same terms in another order, so
 * that results differ by rounding; ad_optimise() leaves them out with reassociate false.
 *
 * A sum starts from 0.0: one whose terms are all -0.0 gives 0.0. */
#ifndef AD_SUMS_H
#define AD_SUMS_H

#include "ad_rewrite.h"

enum { AD_SUM_MIN = 8 /* terms; shorter chains stay */ };

/*
 * A chain of scalar additions and subtractions, each but the last used by the next only, becomes
 * one AD_ADDTO onto one slot, whose one operand lists the terms in the order in which they were
 * added.  It is computed pairwise, in blocks, so that its rounding error does not grow with its
 * length as that of the chain does.  A long chain that is a term of a chain becomes part of it; a
 * term that is subtracted is negated first.
 *
 * Chains of equal length stay as they are where there are many of them, at least a quarter as many
 * as each has terms: they make as many vector additions.
 */
enum ad_status ad_pass_sums(const struct ad_program *from, struct ad_program **to);

/*
 * The terms of sums over lists that are evenly spaced results of one instruction, as those of re-rolled
 * loops are, become views of that instruction; the rest stays a list.
 */
enum ad_status ad_pass_runs(const struct ad_program *from, struct ad_program **to);

#endif

/* ad_unroll.h -- the opposite of re-rolling, where it pays: in a program of little more than scalars. */
#ifndef AD_UNROLL_H
#define AD_UNROLL_H

#include "ad_rewrite.h"

enum {
    AD_UNROLL_MOST = 160
}; /* elements of all vector instructions of a program that is unrolled */

/*
 * Elementwise instructions on few elements, and sums of few, become scalar instructions, so that zeros and
 * ones among their operands, as seeds are, take what they are multiplied with out of the program.
 * Programs with more than AD_UNROLL_MOST elements in vectors, or with rules of the user's, stay as
 * they are.
 *
 * Sums are added up from the first to the last, without what is 0 because a seed is.
 */
enum ad_status ad_pass_unroll(const struct ad_program *from, struct ad_program **to);

#endif

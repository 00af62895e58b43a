/* ad_simplify.h -- passes that make a program smaller and leave every bit of its results.
 *
 * Each makes a new program and leaves the old one as it is; derivatives of the new program are those of
 * the old.  Inputs, rules of the user's and instructions with notes are not touched. */
#ifndef AD_SIMPLIFY_H
#define AD_SIMPLIFY_H

#include "ad_rewrite.h"

/* Instructions on constants are computed, unless their results take much more room than what they are
 * computed from. */
enum ad_status ad_pass_constants(const struct ad_program *from, struct ad_program **to);

/*
 * What reads a copy, or one of several parts put side by side, reads the original instead; and the
 * identities
 *
 *     -(-x), powi(x, 1)  ->  x                      a + -b, a - -b  ->  a - b, a + b
 *     powi(x, 2)         ->  square(x)              powi(x, 0)      ->  1
 *
 * These do not depend on the numbers that constants are, so that the iterations of a loop stay
 * alike.
 */
enum ad_status ad_pass_copies(const struct ad_program *from, struct ad_program **to);

/*
 * The same, and all other identities that hold for every double, signed zeros, infinities and nan
 * included (the sign and payload of a nan excepted), and in every derivative:
 *
 *     x * 1, x / 1, x - 0.0, x + -0.0, pow(x, 1)                      ->  x
 *     x * -1, x / -1, -0.0 - x                                        ->  -x
 *     x / c for c a power of two                                      ->  x * (1 / c)
 *     pow(x, 0), pow(1, x)                                            ->  1
 *     products that are 0 where a factor is, with that factor 0       ->  0
 *     the same with a factor that is another constant                 ->  its product
 *     where(c, a, b) for a constant c                                 ->  a or b
 */
enum ad_status ad_pass_identities(const struct ad_program *from, struct ad_program **to);

/*
 * Of a program that is run and not derived: what is there for the sake of derivatives is left out, which are
 * others then.  *to is NULL if there is nothing of the kind.
 *
 *     plus0(x, z), taint(x, z), stop(x)  ->  x
 */
enum ad_status ad_pass_values(const struct ad_program *from, struct ad_program **to);

#endif

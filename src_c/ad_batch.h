/* ad_batch.h -- a program that does for many rows at a time what another does for one.
 *
 * Each slot of the program becomes 'lanes' of them, side by side, one for each row; each instruction becomes an
 * elementwise one over lanes, or a few of them.  What a row gives has the bits that ad_run() gives for it alone,
 * whatever the other rows hold: sums are added in the same order, and the loops of ops, NumPy's too, give an element
 * the same bits wherever it stands in a vector. */
#ifndef AD_BATCH_H
#define AD_BATCH_H

#include "ad_program.h"

/*
 * Input k has the shape of the program's with 'lanes' behind it, or if shared[k] the program's own: it is the
 * same for all rows.  Outputs have 'lanes' behind their shapes; after them there is one for each guard, holding
 * what it has to see.  There are no guards.  'lanes' is at least 8.
 *
 * AD_OK with *to NULL: the program has instructions that are not worth it, or do not fit: rules of the user's,
 * large matrix products, long running sums, very long lists.
 */
enum ad_status ad_batch_new(const struct ad_program *from, int64_t lanes, const uint8_t *shared,
                            struct ad_program **to);

#endif

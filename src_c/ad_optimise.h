/* ad_optimise.h -- the passes, one after the other. */
#ifndef AD_OPTIMISE_H
#define AD_OPTIMISE_H

#include "ad_reroll.h"

struct ad_pass_size {
    int32_t instructions, slots;
};

enum { AD_MAX_PASSES = 16 };

/* What each pass did, in the order in which they ran. */
struct ad_pass_report {
    int n_passes;
    struct ad_pass_row {
        const char *name;
        struct ad_pass_size before, after;
    } passes[AD_MAX_PASSES];
    struct ad_reroll_report reroll;
};

/*
 * Make the program small and fast.  Without 'reassociate' its results are those of 'from' bit by
 * bit; with it, long sums are added up in another order (ad_sums.h).  'report' may be NULL.
 *
 * The program is symbolic if 'from' is.  Linear in the size of 'from'.
 */
enum ad_status ad_optimise(const struct ad_program *from, bool reassociate, struct ad_program **to,
                           struct ad_pass_report *report);

#endif

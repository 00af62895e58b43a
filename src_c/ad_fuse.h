/* ad_fuse.h -- where the results of a program live while it is carried out.
 *
 * A result that is read by its own group only, element by element, lives in a *tile*, which holds
 * no more than the elements under way.  Any other has a place in the *frame*, an array of doubles,
 * or is written into an output at once.  Places and tiles are used again once nothing reads them
 * any more.
 *
 * This knows no kernels: it serves the interpreter and the writer of C alike. */
#ifndef AD_FUSE_H
#define AD_FUSE_H

#include "ad_group.h"

/* Where the results of one instruction are. */
struct ad_result {
    int32_t tile;   /* number of the tile, or -1 */
    int32_t output; /* the output they are written to, or -1 */
    int64_t place;  /* of the first in the frame, or -1.  An input has one if some of it is wanted
                       there: see 'wanted' */
};

struct ad_fusion {
    struct ad_grouping grouping;
    struct ad_result *results; /* of each instruction */
    uint8_t *wanted;           /* of each input slot: is it read in the frame? */
    int64_t n_frame;           /* doubles in the frame */
};

enum ad_status ad_fusion_new(const struct ad_program *program, struct ad_fusion *fusion);
void ad_fusion_free(struct ad_fusion *fusion);

#endif

/* ad_ahead.h -- zeros that are put down shortly before a group adds to them, while they are in a cache. */
#ifndef AD_AHEAD_H
#define AD_AHEAD_H

#include "ad_lower.h"

/*
 * The moves of a group over n elements, whose fills are moves[0 .. before), in a plan with 'n_tiles' numbers in
 * tiles.  If the longest fill is worth it, it becomes the last of these, and *filled says how much of it is wanted
 * before each AD_TILE elements, the last time all of it; else *filled is NULL.
 */
enum ad_status ad_fill_ahead(struct ad_lowering *b, struct ad_move *moves, int64_t before,
                             int64_t end, int64_t n, const int64_t **filled);

#endif

/* ad_edge_sweep.h -- where the sweep that pushes edges is, for the rules of the instructions. */
#ifndef AD_EDGE_SWEEP_H
#define AD_EDGE_SWEEP_H

#include "ad_edge_pool.h"
#include "ad_tape.h"

struct ad_edge_sweep {
    struct ad_tape *tape;
    int32_t low; /* node v is slot low + v */
    struct ad_edge_pool pool;
    char *room; /* of the instruction under way */
    size_t room_size, room_used;
};

/* Room for the instruction under way, of all parts together: begun once, then taken part by part. */
bool ad_edge_room_begin(struct ad_edge_sweep *w, size_t nbytes);
void *ad_edge_room_take(struct ad_edge_sweep *w, int64_t n, size_t size);

/* Bytes that hold n of a size, taken as above. */
AD_INLINE size_t ad_edge_bytes(int64_t n, size_t size)
{
    return (size_t)n * size + 16;
}

/* The node of a slot; -1 if that is no variable. */
AD_INLINE int32_t ad_edge_node(const struct ad_edge_sweep *w, int32_t slot)
{
    return slot < w->low ? -1 : slot - w->low;
}

/* The nodes of a view in C order, -1 for what is no variable. */
void ad_edge_nodes(const struct ad_edge_sweep *w, const struct ad_view *view, int32_t *nodes);

/* Is there anything to be pushed from one of n nodes? */
bool ad_edge_any_busy(const struct ad_edge_sweep *w, int32_t first, int64_t n);

/* AD_NO_EDGES once a weight was no normal number. */
AD_INLINE enum ad_status ad_edge_status(const struct ad_edge_sweep *w)
{
    return w->pool.status ? w->pool.status : w->pool.strange ? AD_NO_EDGES : AD_OK;
}

#endif

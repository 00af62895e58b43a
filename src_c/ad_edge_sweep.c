/* ad_edge_sweep.c -- room that is used again, and nodes. */
#include "ad_edge_sweep.h"

#include <stdlib.h>

#include "ad_emit_algebra.h"

bool ad_edge_room_begin(struct ad_edge_sweep *w, size_t nbytes)
{
    w->room_used = 0;
    if (nbytes <= w->room_size)
        return true;
    free(w->room);
    w->room = malloc(nbytes);
    w->room_size = w->room ? nbytes : 0;
    return w->room != NULL;
}

void *ad_edge_room_take(struct ad_edge_sweep *w, int64_t n, size_t size)
{
    void *part = w->room + w->room_used;

    w->room_used += ((size_t)n * size + 15) & ~(size_t)15;
    ad_assert(w->room_used <= w->room_size);
    return part;
}

void ad_edge_nodes(const struct ad_edge_sweep *w, const struct ad_view *view, int32_t *nodes)
{
#define TAKE_NODE(j, slot) nodes[j] = ad_edge_node(w, slot)
    AD_EACH_SLOT(w->tape, view, TAKE_NODE);
}

bool ad_edge_any_busy(const struct ad_edge_sweep *w, int32_t first, int64_t n)
{
    for (int64_t v = first; v < first + n; v++)
        if (!ad_edge_is_idle(&w->pool.nodes[v]))
            return true;
    return false;
}

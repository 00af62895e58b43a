/* ad_edge_array.h -- edges pushed through array instructions that are not elementwise, one rule each. */
#ifndef AD_EDGE_ARRAY_H
#define AD_EDGE_ARRAY_H

#include "ad_edge_sweep.h"

enum ad_status ad_edge_push_addto(struct ad_edge_sweep *w, int32_t i);
enum ad_status ad_edge_push_gather(struct ad_edge_sweep *w, int32_t i); /* and AD_SCATTER */
enum ad_status ad_edge_push_extremum(struct ad_edge_sweep *w, int32_t i);
enum ad_status ad_edge_push_cumsum(struct ad_edge_sweep *w, int32_t i);
enum ad_status ad_edge_push_norm(struct ad_edge_sweep *w, int32_t i);
enum ad_status ad_edge_push_matmul(struct ad_edge_sweep *w, int32_t i);

#endif

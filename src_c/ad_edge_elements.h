/* ad_edge_elements.h -- edges pushed through elementwise instructions. */
#ifndef AD_EDGE_ELEMENTS_H
#define AD_EDGE_ELEMENTS_H

#include "ad_edge_sweep.h"

void ad_edge_push_scalar(struct ad_edge_sweep *w, int32_t i);
enum ad_status ad_edge_push_elements(struct ad_edge_sweep *w, int32_t i);

#endif

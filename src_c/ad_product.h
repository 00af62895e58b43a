/* ad_product.h -- matrix products (AD_MATMUL) in sweeps. */
#ifndef AD_PRODUCT_H
#define AD_PRODUCT_H

#include "ad_tape.h"

/* The tangents of instruction i. */
enum ad_status ad_product_forward(struct ad_tape *tape, int32_t i);
/* buffer[a] += g b', buffer[b] += a' g, for all lanes of g; with 'tan' also the products of the
 * adjoint's single lane with the operands' tangents, which is the second-order part. */
enum ad_status ad_product_reverse(struct ad_tape *tape, int32_t i, double *buffer, int lanes,
                                  const double *tan);

#endif

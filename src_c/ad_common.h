/* ad_common.h -- common subexpressions. */
#ifndef AD_COMMON_H
#define AD_COMMON_H

#include "ad_rewrite.h"

/* An instruction that was met before, with the same operands (in either order, if it is a sum or a product
 * of two), is not computed again. */
enum ad_status ad_pass_common(const struct ad_program *from, struct ad_program **to);

#endif

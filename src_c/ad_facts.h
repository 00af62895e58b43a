/* ad_facts.h -- which arguments an op depends on at all, and which of them it bends in together. */
#ifndef AD_FACTS_H
#define AD_FACTS_H

#include "ad_ops.h"

/* Bits of the numbers of the arguments. */
struct ad_facts {
    bool known;
    uint8_t follows;            /* arguments whose partial is not 0 everywhere */
    uint8_t bends[AD_MAX_ARGS]; /* of each argument: those its partial depends on */
};

/* Those of an op with a parameter, of which the first powers do not bend; facts[AD_N_OPS], zeros at first, keeps
 * what is found. */
struct ad_facts ad_facts_at(struct ad_facts *facts, enum ad_op op, double p);

#endif

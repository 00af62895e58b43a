/* ad_depend_rows.h -- what is known while sets of columns are carried from slot to slot; and the
 * instructions whose results depend on whole rows, or on all of their operands. */
#ifndef AD_DEPEND_ROWS_H
#define AD_DEPEND_ROWS_H

#include "ad_facts.h"
#include "ad_sets.h"
#include "ad_tape.h"

enum {
    AD_DEPEND_MET = 1 << 12,
    AD_DEPEND_MOST = 1 << 27 /* runs of sets */
};

/* What is asked of a slot. */
enum {
    AD_LIVE = 1,  /* outputs depend on it, in a Hessian */
    AD_NEEDED = 2 /* its set is asked for */
};

struct ad_depend {
    const struct ad_tape *tape;
    bool local;
    struct ad_sets sets;
    uint8_t *asked;     /* of each slot */
    struct ad_set *set; /* of each slot */
    struct ad_set *row; /* of each column of a Hessian: those it is paired with; or NULL */
    struct ad_pair {    /* some of those that met, by where they are looked for */
        struct ad_set a, b;
    } *met; /* AD_DEPEND_MET */
    int64_t work;
    struct ad_facts facts[AD_N_OPS];
};

AD_INLINE bool ad_depend_is_constant(const struct ad_view *view)
{
    return view->place == AD_NUMBER || view->place == AD_ARRAY ||
           (view->place == AD_SLOTS && view->base < 0);
}

/* What is asked of any of the results of instruction i. */
uint8_t ad_depend_asked(const struct ad_depend *d, int32_t i);
/* Columns of 'a' meet those of 'b' in a bend. */
enum ad_status ad_depend_pair(struct ad_depend *d, struct ad_set a, struct ad_set b);

enum ad_status ad_depend_matmul(struct ad_depend *d, int32_t i);
enum ad_status ad_depend_cumsum(struct ad_depend *d, int32_t i);
enum ad_status ad_depend_row(struct ad_depend *d, int32_t i);
enum ad_status ad_depend_rule(struct ad_depend *d, int32_t i);

#endif

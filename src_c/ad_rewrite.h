/* ad_rewrite.h -- making a program out of another, instruction by instruction: what the passes share.
 *
 *     status = ad_rewrite_begin(&r, from);             inputs are there; all else is to be made
 *     for each instruction i of from->tape that is not an input, while !status:
 *         ad_rewrite_copy(&r, i)                       as it is, with operands where they are now; or
 *         ad_rewrite_view(&r, &operand, &now) ...      record something else on r.to->tape, then
 *         ad_rewrite_results(&r, i, first)             say where the results of i are now; or
 *         nothing at all                               if nothing needs it
 *     status = ad_rewrite_end(&r, status, &to);
 *
 * Instructions with notes, and AD_CALL, must be copied as they are or left out. */
#ifndef AD_REWRITE_H
#define AD_REWRITE_H

#include "ad_program.h"

enum { AD_GONE = INT32_MIN };

struct ad_rewrite {
    const struct ad_program *from;
    struct ad_program *to;
    int32_t *slot_block;
    struct ad_frozen
        *frozen;   /* arrays that others might write to, and the copies that took their place */
    int32_t *slot; /* of each slot of 'from', constants (negative) too: its slot now, or AD_GONE */
};

/* Constant arrays that others might write to are copied.  Values are copied unless the tape of 'from' is symbolic, as that of 'to' then is. */
enum ad_status ad_rewrite_begin(struct ad_rewrite *r, const struct ad_program *from);

/* A view of the new tape with the elements of a view of the old; holds a reference of its own.  Views of
 * slots become lists where their slots are no longer evenly spaced. */
enum ad_status ad_rewrite_view(struct ad_rewrite *r, const struct ad_view *view,
                               struct ad_view *now);
/* The new slot of an old one, constants included; AD_GONE without memory. */
int32_t ad_rewrite_slot(struct ad_rewrite *r, int32_t slot);

enum ad_status ad_rewrite_copy(struct ad_rewrite *r, int32_t i);
/* The results of old instruction i are the new slots first, first + 1, ... */
void ad_rewrite_results(struct ad_rewrite *r, int32_t i, int32_t first);

/* Rewrites outputs and guards, and passes the new program; on failure, given or met here, frees it. */
enum ad_status ad_rewrite_end(struct ad_rewrite *r, enum ad_status status, struct ad_program **to);

/* The same program again. */
enum ad_status ad_program_copy(const struct ad_program *from, struct ad_program **to);

/*
 * ad_program_used() sets used[i] = 1 for each instruction that the outputs, the guards or the inputs need:
 * 'used' has room for tape->n.
 */
void ad_program_used(const struct ad_program *program, uint8_t *used);
/* The program without instructions that nothing needs. */
enum ad_status ad_pass_dead(const struct ad_program *from, struct ad_program **to);

#endif

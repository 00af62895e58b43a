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
        *frozen; /* arrays that others might write to, and the copies that took their place */
    /* Maps of slots are zeros where nothing is said of a slot: pages of large ones are never touched. */
    int32_t *slot;  /* of each slot of 'from', constants (negative) too: see ad_rewrite_now() */
    int32_t *moved; /* of each old instruction: where its results are now, if they are one run
                         within one new instruction; or AD_GONE */
    int32_t
        *through; /* NULL, or of each old slot how far it is to an old slot of the same value, which
                         views name instead where they stay views of slots; owned */
    int32_t last; /* the old instruction whose results were last looked for */
    struct ad_array **fixed;      /* NULL, or of each old instruction its results, if constants:
                                all of them, or one number if they are equal */
    int32_t *consts;              /* hash table of the constants of 'to', 0 where empty */
    int32_t n_consts, const_room; /* a power of two */
    bool as_is;                   /* views keep their kind: operands of an AD_CALL */
    bool spread; /* one element over and over stays a list: a sum of it would round otherwise */
};

/* The slot of an old one, constants included, if it was made a new one; else AD_GONE. */
AD_INLINE int32_t ad_rewrite_now(struct ad_rewrite *r, int32_t slot)
{
    const struct ad_tape *tape = r->from->tape;
    int32_t now = r->slot[slot] ^ AD_GONE;

    if (now != AD_GONE || slot < 0)
        return now;
    if (slot < tape->dst[r->last] || slot - tape->dst[r->last] >= ad_tape_length(tape, r->last))
        r->last = ad_tape_producer(tape, slot);
    return r->moved[r->last] == AD_GONE ? AD_GONE : r->moved[r->last] + slot - tape->dst[r->last];
}

AD_INLINE void ad_rewrite_set(struct ad_rewrite *r, int32_t slot, int32_t now)
{
    r->slot[slot] = now ^ AD_GONE;
}

/* Constant arrays that others might write to are copied.  Values are copied unless the tape of
 * 'from' is symbolic, as that of 'to' then is. */
enum ad_status ad_rewrite_begin(struct ad_rewrite *r, const struct ad_program *from);

/* A view of the new tape with the elements of a view of the old; holds a reference of its own.
 * Views of slots become lists where their slots are no longer evenly spaced, lists become views of
 * slots where they are and one instruction made them all, and what holds constants only becomes a
 * number or an array. */
enum ad_status ad_rewrite_view(struct ad_rewrite *r, const struct ad_view *view,
                               struct ad_view *now);
/* The new slot of an old one, constants included; AD_GONE without memory. */
int32_t ad_rewrite_slot(struct ad_rewrite *r, int32_t slot);
/* The slot of a constant, one for all that are equal bit by bit; AD_GONE without memory. */
int32_t ad_rewrite_const(struct ad_rewrite *r, double c);

/* An AD_INPUT, which is none of the program's inputs here, becomes constants. */
enum ad_status ad_rewrite_copy(struct ad_rewrite *r, int32_t i);
/* The results of old instruction i are the new slots first, first + 1, ... */
void ad_rewrite_results(struct ad_rewrite *r, int32_t i, int32_t first);
/* The results of old instruction i are constants: n of them, or if n is 1, the same for all. */
enum ad_status ad_rewrite_fixed(struct ad_rewrite *r, int32_t i, int64_t n, const double *values);
/* May a pass change or drop old instruction i?  Not inputs, rules, and what has notes. */
bool ad_rewrite_may_change(const struct ad_rewrite *r, int32_t i);

/* Rewrites outputs and guards, and passes the new program; on failure, given or met here, frees it. */
enum ad_status ad_rewrite_end(struct ad_rewrite *r, enum ad_status status, struct ad_program **to);

/* The same program again. */
enum ad_status ad_program_copy(const struct ad_program *from, struct ad_program **to);

/*
 * ad_program_used() sets used[i] = 1 for each instruction that the outputs, the guards or the
 * inputs need: 'used' has room for tape->n.
 */
void ad_program_used(const struct ad_program *program, uint8_t *used);
/* The program without instructions that nothing needs. */
enum ad_status ad_pass_dead(const struct ad_program *from, struct ad_program **to);

#endif

/* ad_reroll.h -- scalar instructions that repeat become vector instructions.
 *
 * The level of an instruction is one more than the highest level of its operands, so that
 * instructions of one level do not depend on each other.  Those of one level that do the same op on
 * results of the same instructions become one vector instruction, whose operands are
 *
 *     evenly spaced slots, in up to AD_NEST dimensions, in the order of the loop or of the slots;
 *     a number, or an array of constants;
 *     a few such runs, which an AD_ADDTO puts side by side;
 *     a list of slots, where nothing else does.
 *
 * The first and last iterations of a loop, whose operands come from elsewhere, join the others of
 * the same line of code.  A group without a good order is split by line, by constant, or by the
 * distance of its operands, if the parts are few and long.  Loops over several indices become
 * instructions in as many dimensions; chains that run side by side become a chain of vectors; a
 * chain that runs alone stays as it is.  Values are the same bit by bit.
 *
 * Linear in the size of the program: operands are sorted by digits. */
#ifndef AD_REROLL_H
#define AD_REROLL_H

#include "ad_vector.h"

/* Fewer that share an op, but not where their operands come from, stay scalar. */
enum { AD_LIST_MIN = 32 };

/* Why a scalar instruction stayed one. */
enum ad_scalar_reason {
    AD_SCALAR_SERIAL, /* hardly anything else is on its level: a chain that runs alone */
    AD_SCALAR_FEW,    /* few on its level are like it */
    AD_SCALAR_NOTED,  /* it has a hook, or is a rule of the user's */
    AD_N_SCALAR_REASONS
};

/* Such a reason in words. */
const char *ad_scalar_reason_text(enum ad_scalar_reason reason);

struct ad_reroll_report {
    int64_t rolled;                    /* scalar instructions that became part of vectors */
    int64_t vectors;                   /* how many vectors */
    int64_t lists;                     /* operands of these that are lists */
    int64_t left[AD_N_SCALAR_REASONS]; /* scalar instructions that stayed, by reason */
    int64_t steps;                     /* elements looked at: grows as the program does */
};

enum ad_status ad_pass_reroll(const struct ad_program *from, struct ad_program **to);
/* The same, and what was done; 'report' is not NULL. */
enum ad_status ad_reroll(const struct ad_program *from, struct ad_program **to,
                         struct ad_reroll_report *report);

#endif

/* ad_optimise.c -- which passes run, and in which order.
 *
 * Dead code goes first, so that the others do not look at it.  Programs of few elements are left to
 * scalars.  Copies are seen through before common subexpressions are looked for, and so are identities that do not make the iterations of a
 * loop differ; the others, x * 1 and the like, wait until loops are re-rolled.  Chains of additions
 * must be sums before that: each addition waits for the one before.  Re-rolling makes runs of what
 * sums list, and lists of copies that can now be read where they came from. */
#include "ad_optimise.h"

#include "ad_common.h"
#include "ad_simplify.h"
#include "ad_sums.h"
#include "ad_unroll.h"

#include <stdlib.h>
#include <string.h>

typedef enum ad_status pass(const struct ad_program *from, struct ad_program **to);

enum when {
    ALWAYS = 0,
    SCALARS = 1,    /* if there are scalar instructions to be re-rolled */
    REASSOCIATE = 2 /* if sums may be added up in another order */
};

static const struct {
    const char *name;
    pass *pass; /* NULL: re-rolling, which reports more */
    int when;
} order[] = {
    {"dead code", ad_pass_dead, ALWAYS},
    {"constants", ad_pass_constants, ALWAYS},
    {"copies", ad_pass_copies, SCALARS},
    {"few elements", ad_pass_unroll, REASSOCIATE},
    {"common subexpressions", ad_pass_common, SCALARS},
    {"sums", ad_pass_sums, SCALARS | REASSOCIATE},
    {"dead code", ad_pass_dead, SCALARS},
    {"re-rolling", NULL, SCALARS},
    {"runs", ad_pass_runs, SCALARS | REASSOCIATE},
    {"identities", ad_pass_identities, ALWAYS},
    {"common subexpressions", ad_pass_common, ALWAYS},
    {"dead code", ad_pass_dead, ALWAYS},
};

enum { N_PASSES = sizeof order / sizeof *order };

/* Are there as many instructions with one result as a vector has elements at least? */
static bool has_scalars(const struct ad_program *program)
{
    const struct ad_tape *tape = program->tape;
    int n = 0;

    for (int32_t i = 0; i < tape->n && n < AD_VECTOR_MIN; i++)
        n += ad_tape_code(tape, i) < AD_N_OPS && ad_tape_length(tape, i) == 1;
    return n == AD_VECTOR_MIN;
}

/* Is there anything that nothing needs? */
static enum ad_status has_dead_code(const struct ad_program *program, bool *has)
{
    int32_t n = program->tape->n;
    uint8_t *used = malloc((size_t)AD_MAX(n, 1));

    if (!used)
        return AD_NO_MEMORY;
    ad_program_used(program, used);
    *has = n > 0 && memchr(used, 0, (size_t)n) != NULL;
    free(used);
    return AD_OK;
}

static struct ad_pass_size size_of(const struct ad_program *program)
{
    return (struct ad_pass_size){program->tape->n, program->tape->n_slots};
}

enum ad_status ad_optimise(const struct ad_program *from, bool reassociate, struct ad_program **to,
                           struct ad_pass_report *report)
{
    struct ad_pass_report unread;
    struct ad_program *last = NULL; /* made by the pass before; NULL before the first */
    int skip = (has_scalars(from) ? 0 : SCALARS) | (reassociate ? 0 : REASSOCIATE);
    enum ad_status status = AD_OK;

    if (!report)
        report = &unread;
    *report = (struct ad_pass_report){0};
    *to = NULL;
    for (int k = 0; k < N_PASSES && !status; k++) {
        const struct ad_program *now = last ? last : from;
        struct ad_pass_row *row = &report->passes[report->n_passes];
        struct ad_program *next = NULL;
        bool needed = true;

        if (order[k].when & skip)
            continue;
        if (order[k].pass == ad_pass_dead)
            status = has_dead_code(now, &needed);
        if (!status && needed)
            status =
                order[k].pass ? order[k].pass(now, &next) : ad_reroll(now, &next, &report->reroll);
        if (status)
            break;
        *row = (struct ad_pass_row){order[k].name, size_of(now), size_of(next ? next : now)};
        report->n_passes++;
        if (next) {
            ad_program_free(last);
            last = next;
        }
    }
    if (status)
        ad_program_free(last);
    else
        *to = last;
    return status;
}

/* ad_optimise.c -- which passes run, and in which order.
 *
 * Dead code goes first, so that the others do not look at it.  Copies are seen through before common
 * subexpressions are looked for, and so are identities that do not make the iterations of a loop differ; the others,
 * x * 1 and the like, wait until loops are re-rolled.  Chains of additions must be sums before that: each addition
 * waits for the one before.  Re-rolling makes runs of what sums list, and lists of copies that can now be read where
 * they came from. */
#include "ad_optimise.h"

#include "ad_common.h"
#include "ad_simplify.h"
#include "ad_sums.h"

typedef enum ad_status pass(const struct ad_program *from, struct ad_program **to);

enum when { ALWAYS, REASSOCIATE };

static const struct {
    const char *name;
    pass *pass; /* NULL: re-rolling, which reports more */
    enum when when;
} order[] = {
    {"dead code", ad_pass_dead, ALWAYS},
    {"constants", ad_pass_constants, ALWAYS},
    {"copies", ad_pass_copies, ALWAYS},
    {"common subexpressions", ad_pass_common, ALWAYS},
    {"sums", ad_pass_sums, REASSOCIATE},
    {"dead code", ad_pass_dead, ALWAYS},
    {"re-rolling", NULL, ALWAYS},
    {"runs", ad_pass_runs, REASSOCIATE},
    {"identities", ad_pass_identities, ALWAYS},
    {"common subexpressions", ad_pass_common, ALWAYS},
    {"dead code", ad_pass_dead, ALWAYS},
};

enum { N_PASSES = sizeof order / sizeof *order };

static struct ad_pass_size size_of(const struct ad_program *program)
{
    return (struct ad_pass_size){program->tape->n, program->tape->n_slots};
}

enum ad_status ad_optimise(const struct ad_program *from, bool reassociate, struct ad_program **to,
                           struct ad_pass_report *report)
{
    struct ad_pass_report unread;
    struct ad_program *last = NULL; /* made by the pass before; NULL before the first */

    if (!report)
        report = &unread;
    *report = (struct ad_pass_report){0};
    *to = NULL;
    for (int k = 0; k < N_PASSES; k++) {
        const struct ad_program *now = last ? last : from;
        struct ad_pass_row *row = &report->passes[report->n_passes];
        struct ad_program *next;
        enum ad_status status;

        if (order[k].when == REASSOCIATE && !reassociate)
            continue;
        status = order[k].pass ? order[k].pass(now, &next) : ad_reroll(now, &next, &report->reroll);
        if (!status)
            *row = (struct ad_pass_row){order[k].name, size_of(now), size_of(next)};
        ad_program_free(last);
        if (status)
            return status;
        report->n_passes++;
        last = next;
    }
    *to = last;
    return AD_OK;
}

/* ad_depend.h -- patterns of a program's derivatives: which elements of its outputs depend on which elements
 * of its inputs, and which pairs of these its output bends in.
 *
 * Patterns are *global*: they hold whatever the inputs are, on the path that was recorded.  With 'local' they
 * are those at the values that are on the tape: branches of where() that are not taken, and elements that
 * are not the maximum, are left out.
 *
 * Elementwise ops, sums, copies, running sums and products of matrices are followed element by element, an
 * argument with a partial that is 0 everywhere not at all, and so are rules that say that they are
 * elementwise, whatever their partials; results of other instructions depend on all of
 * their row, or of their operands.
 *
 * What an element depends on is a set of ad_sets.h: along bands and grids, of any length, each costs a
 * look-up.  If the sets would take more than AD_DEPEND_MOST runs (ad_depend_rows.h) or the pattern
 * have more than 'most' entries, *known is false and the pattern empty. */
#ifndef AD_DEPEND_H
#define AD_DEPEND_H

#include "ad_pattern.h"
#include "ad_program.h"

struct ad_depend_question {
    const struct ad_program *program;
    int n_wanted;
    const int *wanted; /* inputs: columns are their elements, one input after the other */
    int first, n_outputs;
    bool local;
    int64_t most;
};

/* Rows are elements of outputs first .. first + n_outputs - 1, one output after the other. */
enum ad_status ad_depend_jacobian(const struct ad_depend_question *question, bool *known,
                                  struct ad_pattern *pattern);

/*
 * Rows are the columns again: the pattern is symmetric, that of the second derivatives of any combination of
 * the outputs, with nonzero weights that cancel nothing.
 */
enum ad_status ad_depend_hessian(const struct ad_depend_question *question, bool *known,
                                 struct ad_pattern *pattern);

#endif

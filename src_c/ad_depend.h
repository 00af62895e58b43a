/* ad_depend.h -- which elements of a program's outputs depend on which elements of its inputs. */
#ifndef AD_DEPEND_H
#define AD_DEPEND_H

#include "ad_color.h"
#include "ad_program.h"

/*
 * ad_depend_find() finds the pattern of the Jacobian of outputs 'first' .. first + n_outputs - 1 by the
 * wanted inputs, whatever the values: rows are elements of the outputs, one output after the other, and
 * columns those of the inputs.
 *
 * Elementwise ops, sums, copies and running sums are followed element by element, an argument with a
 * partial that is 0 everywhere not at all; results of other instructions depend on all of their row and
 * column, or of their operands.
 *
 * Time is that of the slots times the columns / 64.  If it would be more than AD_DEPEND_MOST words,
 * or the matrix more than half full, *known is false and the pattern empty.
 */
enum { AD_DEPEND_MOST = 1 << 26 };
enum ad_status ad_depend_find(const struct ad_program *program, int n_wanted, const int *wanted,
                              int first, int n_outputs, bool *known, struct ad_pattern *pattern);

#endif

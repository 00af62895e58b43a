/* ad_jacobian_bicolor.h -- a sparse Jacobian as a program, some of its entries read from columns and the others from
 * rows: columns of one colour share a forward lane, rows of one colour a reverse lane. */
#ifndef AD_JACOBIAN_BICOLOR_H
#define AD_JACOBIAN_BICOLOR_H

#include "ad_derive.h"
#include "ad_pattern.h"

/* Colours of ad_color_bicolor(). */
struct ad_bicoloring {
    int32_t *row, *column; /* -1: none */
    int64_t n_row_colors, n_column_colors;
};

void ad_bicoloring_free(struct ad_bicoloring *colors); /* what it points at; accepts zeros */

/* Of the pattern; of rows or of columns alone where these are fewer. */
enum ad_status ad_bicoloring_of(const struct ad_pattern *pattern, struct ad_bicoloring *colors);

/*
 * Inputs: those of 'from'.  Outputs: with 'keep' those of 'from'; then the entries of the pattern, row by row.
 * Rows of it are elements of the outputs, one output after the other, and columns those of the wanted inputs.
 * Both sweeps share what is computed of 'from'.
 */
enum ad_status ad_derive_bicolored_jacobian(const struct ad_program *from, int n_wanted,
                                            const int *wanted, bool keep,
                                            const struct ad_pattern *pattern,
                                            const struct ad_bicoloring *colors,
                                            struct ad_program **to);

#endif

/* ad_jacobian.h -- Jacobians and Hessians of a program as programs, dense and sparse.
 *
 * Conventions are those of ad_derive.h.  Columns go in lanes (ad_emit_forward_lanes()), all in one pass over
 * the program.  If the pattern of the matrix is known to be sparse (ad_depend.h), columns of one colour
 * are added up in one lane (ad_color.h), as long as that takes half as many lanes at most, and
 * the entries are put in their places at the end by one instruction per block; else there is one lane for
 * each column, and the blocks are views.
 *
 * Seeds are constants, an identity matrix where each column has its lane.
 *
 * Cost: with L lanes, about L times the elements of the derivative that goes in lanes, and as much
 * memory; but elementwise ops between the inputs and a sum or product are done once for all lanes. */
#ifndef AD_JACOBIAN_H
#define AD_JACOBIAN_H

#include "ad_derive.h"
#include "ad_pattern.h"
#include "ad_pushed.h"

enum ad_jacobian_mode {
    AD_JACOBIAN_AUTO,    /* the one with fewer lanes; forward if they are as many */
    AD_JACOBIAN_FORWARD, /* tangents of the outputs: a lane for each element of the wanted inputs */
    AD_JACOBIAN_REVERSE, /* adjoints of the wanted inputs: a lane for each element of the outputs */
    AD_JACOBIAN_BOTH     /* of sparse ones: either, each for some of the entries */
};

/* How many lanes of each kind a program has. */
struct ad_jacobian_lanes {
    int64_t forward, reverse;
};

/*
 * ad_derive_jacobian() makes the program of the derivatives of each output by each wanted input.
 *
 * Inputs: those of 'from'.  Outputs: with 'keep' those of 'from'; then for each output, and for each
 * wanted input, a block of shape (*shape of the output, *shape of the input).  AD_TOO_MANY_DIMS if that
 * has more than AD_MAX_DIMS dimensions.
 */
enum ad_status ad_derive_jacobian(const struct ad_program *from, int n_wanted, const int *wanted,
                                  enum ad_jacobian_mode mode, bool keep, struct ad_program **to);

/*
 * ad_derive_hessian() makes the program of the second derivatives of the one output, of one element; any
 * other is AD_SHAPES_DIFFER.
 *
 * Inputs: those of 'from'.  Outputs: with 'keep' that of 'from', and its gradient by each wanted input;
 * then for each wanted input, and for each again, a block of shape (*shape of one, *shape of the other).
 */
enum ad_status ad_derive_hessian(const struct ad_program *from, int n_wanted, const int *wanted,
                                 bool keep, struct ad_program **to);

/*
 * The same of sparse matrices: the one output after what is kept holds the entries of *entries alone, row by
 * row.  Rows of that pattern are elements of the outputs, one output after the other, and columns those
 * of the wanted inputs; it is the caller's.  AD_NO_SLOTS if it has too many entries.
 *
 * Of Jacobians, AD_JACOBIAN_AUTO takes lanes of both kinds where there are dense rows and dense columns.
 */
enum ad_status ad_derive_sparse_jacobian(const struct ad_program *from, int n_wanted,
                                         const int *wanted, enum ad_jacobian_mode mode, bool keep,
                                         struct ad_pattern *entries,
                                         struct ad_jacobian_lanes *lanes, struct ad_program **to);

/*
 * Of a Hessian, unless 'pushed' is NULL, by edges (ad_pushed.h) where that is possible and likely to cost less; then
 * *pushed tells of them, and their number is 0 otherwise.
 */
enum ad_status ad_derive_sparse_hessian(const struct ad_program *from, int n_wanted,
                                        const int *wanted, bool keep, struct ad_pattern *entries,
                                        struct ad_program **to, struct ad_pushed *pushed);

#endif

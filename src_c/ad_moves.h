/* ad_moves.h -- making moves: loops over the elements of a tile. */
#ifndef AD_MOVES_H
#define AD_MOVES_H

#include "ad_lower.h"

enum {
    AD_SUM_CHUNK = AD_TILE
}; /* numbers that are summed up before they are added to other sums */

/* A sum under way, in the order of ad_compute.c: eight running sums, and a rest, over AD_SUM_CHUNK
 * elements; then chunks in pairs of equal count. */
struct ad_sum {
    double lane[8], rest;
    int64_t filled; /* elements of the chunk so far */
    uint64_t count; /* chunks so far */
    double part[48];
};

/* Where the elements of the tile that begins at 'start' are. */
AD_INLINE double *ad_ref_at(double *const *base, const struct ad_ref *ref, int64_t start)
{
    return base[ref->space] + ref->at + ref->step * start;
}

/*
 * A chain: an AD_MOVE_FIRST and the AD_MOVE_ADDs behind it, made at once, so that what they sum up
 * stays in registers.  The ranges that they add to may begin a few elements apart, the first one
 * last: then the ends of the operands are kept until the next tile, in a tile that is x[1] of the
 * first move, AD_CHAIN_REACH numbers for each.
 */
enum { AD_CHAIN_MOST = 6, AD_CHAIN_REACH = 8 };

/* How many moves ad_move_make() makes at once. */
AD_INLINE int ad_moves_at_once(const struct ad_move *move)
{
    return AD_MAX(move->chained, 1);
}

/* Elements start .. start + n; base[] are the spaces, sums[] is zero before a group. */
void ad_move_make(const struct ad_move *move, double **base, struct ad_sum *sums, int64_t start,
                  int64_t n);

/* Where element 'flat' in the C order of the first ndim dimensions is, counted from the base;
 * index[] receives its coordinates. */
int64_t ad_walk_locate(const struct ad_walk *walk, int ndim, int64_t flat, int64_t *index);
/* y = elements start .. start + n, 'from' being their space. */
void ad_walk_gather(const struct ad_walk *walk, const double *from, int64_t start, int64_t n,
                    double *y);

#endif

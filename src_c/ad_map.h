/* ad_map.h -- a program run for each row of a batch.
 *
 * A *map* never changes once it is made, and any number of threads may run it over different rows, each with a
 * *work* of its own.  What a row gives has the bits of ad_run() for it alone, so that it depends neither on how rows
 * are divided among calls nor on their number. */
#ifndef AD_MAP_H
#define AD_MAP_H

#include "ad_batch.h"
#include "ad_run.h"

struct ad_map;
struct ad_map_work;

/*
 * An input of all rows: element j of row r, in C order, is data[r * row_stride + j * stride].  For one that is
 * shared row_stride is 0 and stride 1.
 */
struct ad_rows {
    const double *data;
    int64_t row_stride, stride;
};

/*
 * 'plan' is that of 'program', and has to outlive the map; the program has not.  Inputs with shared[k] nonzero are
 * the same for all rows.  Rows are run side by side, in lanes of one plan, where that is possible and pays; with
 * 'one_by_one' they never are.
 */
enum ad_status ad_map_new(const struct ad_program *program, const struct ad_plan *plan,
                          const uint8_t *shared, bool one_by_one, struct ad_map **map);
/* Accepts NULL. */
void ad_map_free(struct ad_map *map);
/* How many rows are run side by side. */
int64_t ad_map_lanes(const struct ad_map *map);

/*
 * The program that does the rows of ad_map_lanes() side by side, of which a compiler may make a function for
 * ad_map_use_native(); 'program' is the one that the map was made of.  NULL if rows run one by one.
 */
enum ad_status ad_map_batch(const struct ad_map *map, const struct ad_program *program,
                            struct ad_program **batch);
/* Let the rows be run by it, which works in n_work doubles; before the first work is made. */
void ad_map_use_native(struct ad_map *map, ad_native *native, int64_t n_work);

/* NULL without memory. */
struct ad_map_work *ad_map_work_new(const struct ad_map *map);
/* Accepts NULL. */
void ad_map_work_free(struct ad_map_work *work);

/*
 * Rows first .. first + n.  outputs[k] has a row for each row there is, in C order; failed[r] receives the first
 * guard that differs for row r, or -1; where one does, the outputs of that row do not count.  *n_failed is how many
 * such rows there are.  No output overlaps an
 * input or another output.
 */
enum ad_status ad_map_run(const struct ad_map *map, struct ad_map_work *work,
                          const struct ad_rows *inputs, double *const *outputs, int64_t first,
                          int64_t n, int32_t *failed, int64_t *n_failed);

#endif

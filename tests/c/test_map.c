/* test_map.c -- programs run over rows as they are for one row, bit by bit. */
#include "ad_map.h"
#include "frozen.h"

static struct program program; /* large */
static long n_batches, n_refused, n_lanes, n_failed_rows;

/* What ad_run() gives for each row, and the guard that fails. */
struct rows {
    int64_t n, n_inputs, n_outputs;
    double *x, *y;
    int32_t *failed;
};

static struct ad_plan *plan_of(const struct ad_program *p)
{
    struct ad_plan *plan = NULL;
    enum ad_status status = ad_plan_new(p, &plan);

    if (status)
        status = ad_plan_new(p, &plan);
    CHECK(status == AD_OK, "plan: %s", ad_status_text(status));
    return plan;
}

/* Are these the same, bit by bit (any nan is as good as another)? */
static void check_rows(const double *got, const double *want, int64_t n, int64_t row,
                       const char *what)
{
    for (int64_t j = 0; j < n; j++)
        CHECK(same_number(got[j], want[j]),
              "%s: row %" PRId64 ", element %" PRId64 " is %.17g, not %.17g", what, row, j, got[j],
              want[j]);
}

/* The lanes of a batch program, by the plain meaning of programs; shared: the first row in all of them. */
static void check_batch(struct ad_program *p, const struct rows *rows, int64_t lanes,
                        uint8_t shared)
{
    struct ad_program *batch = NULL;
    int64_t n = shared ? 1 : rows->n;
    enum ad_status status = ad_batch_new(p, lanes, &shared, &batch);
    double *x;
    struct results r;
    int failed;

    if (status) {
        CHECK(status == AD_NO_MEMORY && !batch, "batch: %s", ad_status_text(status));
        status = ad_batch_new(p, lanes, &shared, &batch);
    }
    CHECK(status == AD_OK, "batch: %s", ad_status_text(status));
    n_refused += !batch;
    if (!batch)
        return;
    n_batches++;
    status = ad_program_settle(batch);
    if (status)
        status = ad_program_settle(batch);
    CHECK(status == AD_OK, "settle");
    x = malloc(((size_t)(rows->n_inputs * lanes) + 1) * sizeof *x);
    for (int64_t lane = 0; lane < lanes; lane++)
        for (int64_t j = 0; j < rows->n_inputs; j++)
            x[shared ? j : j * lanes + lane] = rows->x[lane % n * rows->n_inputs + j];
    r = results_of(batch);
    replay(batch, x, &r, &failed);
    for (int64_t lane = 0; lane < lanes; lane++)
        for (int64_t j = 0; j < rows->n_outputs; j++) {
            double want = rows->y[lane % n * rows->n_outputs + j];

            CHECK(same_number(r.data[j * lanes + lane], want),
                  "batch: lane %" PRId64 ", element %" PRId64 " is %.17g, not %.17g", lane, j,
                  r.data[j * lanes + lane], want);
        }
    results_free(&r);
    free(x);
    ad_program_free(batch);
}

static void check_map(const struct ad_program *p, const struct ad_plan *plan,
                      const struct rows *rows, bool one_by_one, bool columns)
{
    uint8_t shared = 0;
    struct ad_map *map = NULL;
    struct ad_map_work *work;
    double *y = calloc((size_t)(rows->n * rows->n_outputs) + 1, sizeof *y), *turned = NULL;
    double **outputs = malloc(((size_t)p->n_outputs + 1) * sizeof *outputs);
    int32_t *failed = malloc((size_t)rows->n * sizeof *failed);
    struct ad_rows input = {rows->x, rows->n_inputs, 1};
    enum ad_status status = ad_map_new(p, plan, &shared, one_by_one, &map);
    int64_t at = 0, part = rows->n / 3 + 1, few, n_failed_here = 0, n_expected = 0;

    if (status) {
        CHECK(status == AD_NO_MEMORY && !map, "map: %s", ad_status_text(status));
        status = ad_map_new(p, plan, &shared, one_by_one, &map);
    }
    CHECK(status == AD_OK, "map: %s", ad_status_text(status));
    n_lanes += ad_map_lanes(map) > 1;
    work = ad_map_work_new(map);
    if (!work)
        work = ad_map_work_new(map);
    CHECK(work != NULL, "no work");
    if (columns) {
        turned = malloc((size_t)(rows->n * rows->n_inputs + 1) * sizeof *turned);
        for (int64_t r = 0; r < rows->n; r++)
            for (int64_t j = 0; j < rows->n_inputs; j++)
                turned[j * rows->n + r] = rows->x[r * rows->n_inputs + j];
        input = (struct ad_rows){turned, 1, rows->n};
    }
    for (int k = 0; k < p->n_outputs; k++) {
        outputs[k] = y + rows->n * at;
        at += ad_view_size(&p->outputs[k]);
    }
    for (int64_t first = 0; first < rows->n; first += part, n_failed_here += few)
        CHECK(!ad_map_run(map, work, &input, outputs, first, AD_MIN(part, rows->n - first), failed,
                          &few),
              "map");
    for (int64_t r = 0; r < rows->n; r++) {
        CHECK(failed[r] == rows->failed[r], "row %" PRId64 ": guard %d, not %d", r, failed[r],
              rows->failed[r]);
        n_expected += failed[r] >= 0;
        at = 0;
        for (int k = 0; k < p->n_outputs; k++) {
            int64_t size = ad_view_size(&p->outputs[k]);

            check_rows(outputs[k] + r * size, rows->y + r * rows->n_outputs + at, size, r, "map");
            at += size;
        }
    }
    CHECK(n_failed_here == n_expected, "rows that fail");
    n_failed_rows += n_expected;
    ad_map_work_free(work);
    ad_map_free(map);
    free(y);
    free(turned);
    free((void *)outputs);
    free(failed);
}

/* Maps of a program of one input, over rows around 'x'. */
static void check_program(struct ad_program *p, const double *x, int64_t n_inputs, int64_t n)
{
    struct ad_plan *plan = plan_of(p);
    struct ad_frame *frame = ad_frame_new(plan);
    struct results r = results_of(p);
    struct rows rows = {n, n_inputs, r.size, NULL, NULL, NULL};

    if (!frame)
        frame = ad_frame_new(plan);
    rows.x = malloc((size_t)(n * n_inputs + 1) * sizeof *rows.x);
    rows.y = malloc((size_t)(n * r.size + 1) * sizeof *rows.y);
    rows.failed = malloc((size_t)n * sizeof *rows.failed);
    for (int64_t row = 0; row < n; row++) {
        const double *input = rows.x + row * n_inputs;
        int failed;

        for (int64_t j = 0; j < n_inputs; j++)
            rows.x[row * n_inputs + j] = x[j] + (row % 3 ? 0.125 * (double)((row + j) % 5) : 0);
        CHECK(!ad_run(plan, frame, &input, r.output, &failed), "run");
        rows.failed[row] = failed;
        if (r.size)
            memcpy(rows.y + row * r.size, r.data, (size_t)r.size * sizeof *r.data);
    }
    check_batch(p, &rows, 16, 0);
    check_batch(p, &rows, 64, 1);
    for (int way = 0; way < 4; way++)
        check_map(p, plan, &rows, way & 1, way & 2);
    ad_frame_free(frame);
    ad_plan_free(plan);
    results_free(&r);
    free(rows.x);
    free(rows.y);
    free(rows.failed);
}

static void run(uint64_t seed, int length, int64_t n_inputs, int64_t n, long fail)
{
    struct ad_program *first;
    double *x;

    program_make(&program, seed, length, n_inputs);
    first = frozen(&program);
    x = recorded_inputs(&program);
    fail_in = fail;
    check_program(first, x, n_inputs, n);
    fail_in = -1;
    ad_program_free(first);
    free(x);
    program_end(&program);
    CHECK(n_live == 0, "%ld blocks are left", n_live);
}

int main(void)
{
    static const int64_t n_inputs[] = {1, 4, 12, 36, 150, 1100};
    long n_cases = 0;

    for (uint64_t seed = 0; seed < 400; seed++)
        run(seed, 4 + (int)(seed % 30), n_inputs[(seed + seed / 6) % 6],
            1 + (int64_t)(seed * 11 % 90), -1);
    for (uint64_t seed = 1000; seed < 1004; seed++)
        for (long fail = 0;; fail++, n_cases++) {
            long before = n_failed;

            run(seed, 3 + (int)(seed % 12), 6, 5, fail);
            if (n_failed == before)
                break;
        }
    CHECK(n_batches > 100 && n_lanes > 100 && n_failed_rows > 100,
          "%ld batches, %ld maps with lanes, %ld rows fail", n_batches, n_lanes, n_failed_rows);
    printf("test_map: ok, %ld batches, %ld refused, %ld maps with lanes, %ld rows on other paths, "
           "%ld with an allocation that fails\n",
           n_batches, n_refused, n_lanes, n_failed_rows, n_cases);
    return 0;
}

/* test_draw.c -- sorted elements and sets by value: which they are, is found by the first sweep. */
#include "ad_draw.h"

#include "ad_index.h"
#include "ad_sweep.h"
#include "check.h"

enum { MOST = 40 };

/* Numbers among which some are equal and some nan. */
static void fill(struct rng *rng, int64_t n, double *x)
{
    for (int64_t j = 0; j < n; j++)
        x[j] = rng_int(rng, 0, 9) ? (double)rng_int(rng, -4, 9) : NAN;
}

static bool same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

/*
 * The adjoint 1 + j of result j goes to one element of the same number, the first of equal ones first.  'used'
 * says which elements are drawn already; 'apart' elements make a row, of which 'm' are drawn.
 */
static void check_adjoints(struct ad_tape *tape, int64_t rows, int64_t apart, const double *x,
                           int64_t m, int32_t dst)
{
    const double *adj = tape->work->adj, *y = tape->value + dst;
    double want[MOST] = {0};

    for (int64_t r = 0; r < rows; r++) {
        bool used[MOST] = {false};

        for (int64_t j = 0; j < m; j++) {
            int64_t k = 0;

            while (k < apart && (used[k] || !same(x[r * apart + k], y[r * m + j])))
                k++;
            CHECK(k < apart, "%g is none of the elements", y[r * m + j]);
            used[k] = true;
            want[r * apart + k] = (double)(1 + r * m + j);
        }
    }
    for (int64_t j = 0; j < rows * apart; j++)
        CHECK(adj[j] == want[j], "adjoint %g of element %" PRId64 ", not %g", adj[j], j, want[j]);
}

static enum ad_status sweep(struct ad_tape *tape, int32_t dst, int64_t size)
{
    enum ad_status status = ad_work_begin(tape, AD_SWEEP_REVERSE, 0, 1);

    if (status)
        return status;
    for (int64_t j = 0; j < size; j++)
        tape->work->adj[dst + j] = (double)(1 + j);
    return ad_sweep_reverse(tape, 0, tape->n - 1);
}

/* Rows as they are, or read backwards, or through a list; 'garbage' lies below what is drawn. */
static enum ad_status sort_rows(struct rng *rng, bool backwards, bool listed, bool garbage)
{
    int64_t shape[2] = {rng_int(rng, 0, 3), rng_int(rng, 0, 10)}, size = shape[0] * shape[1];
    double values[MOST], x[MOST];
    int64_t places[MOST];
    struct ad_tape *tape = ad_tape_new();
    struct ad_view from, copied, result;
    struct ad_handle kept;
    enum ad_status status;

    if (!tape)
        return AD_NO_MEMORY;
    fill(rng, size, values);
    status = ad_record_input(tape, size, values);
    from = ad_view_slots(0, 2, shape);
    if (!status && backwards && size) {
        from.base = size - 1;
        from.stride[0] = -shape[1];
        from.stride[1] = -1;
    }
    if (!status && listed) {
        for (int64_t j = 0; j < size; j++)
            places[j] = j;
        if (!ad_view_pick(&from, &tape->lists, places, size))
            status = AD_NO_MEMORY;
        else
            ad_view_reshape(&from, 2, shape);
    }
    if (!status && garbage)
        status = ad_record_copy(tape, &from, &copied);
    if (!status) {
        ad_view_read(&from, tape->value, x);
        status = ad_record_sort(tape, &from, &result);
    }
    ad_view_drop(&from);
    if (!status) {
        for (int64_t j = 1; j < size; j++) {
            double last = tape->value[result.base + j - 1], next = tape->value[result.base + j];

            CHECK(j % shape[1] == 0 || isnan(next) || last <= next, "%g is before %g", last, next);
        }
        CHECK(tape->n_draws == 1, "%d draws", tape->n_draws);
        if (size && garbage && ad_handle_view(&kept, tape, &result)) {
            ad_tape_compact(tape); /* the place of the results, and of a list's slots, moves */
            result = ad_handle_get(&kept);
            ad_handle_unlink(&kept);
            ad_handle_drop_view(&kept);
        }
        status = sweep(tape, (int32_t)result.base, size);
    }
    if (!status && size) {
        double flat[MOST];

        CHECK(tape->n_draws == 0, "%d draws are left", tape->n_draws);
        /* elements in the order of the view; adjoints in that of the slots */
        for (int64_t j = 0; j < size; j++)
            flat[backwards ? size - 1 - j : j] = tape->work->adj[j];
        memcpy(tape->work->adj, flat, (size_t)size * sizeof *flat);
        check_adjoints(tape, shape[0], shape[1], x, shape[1], (int32_t)result.base);
    }
    ad_tape_free(tape);
    return status;
}

static bool is_in(double number, int64_t n, const double *x)
{
    for (int64_t j = 0; j < n; j++)
        if (x[j] == number)
            return true;
    return false;
}

/* The set by comparing each with each, in ascending order; nan at the end. */
static int64_t set_by_hand(enum ad_set_of kind, int64_t n, const double *x, int64_t split,
                           int64_t n_second, const double *second, double *set)
{
    int64_t m = 0, nans[2] = {0, 0}, n_first = kind == AD_SET_ONE_SIDED ? split : n;

    for (double number = -4; number <= 9; number++) {
        bool first = is_in(number, n_first, x), other = is_in(number, n_second, second);

        if (kind == AD_SET_ONE_SIDED)
            other = is_in(number, n - split, x + split);
        if (kind == AD_SET_COMMON      ? first && other
            : kind == AD_SET_MISSING   ? first && !other
            : kind == AD_SET_ONE_SIDED ? first != other
                                       : first)
            set[m++] = number;
    }
    for (int64_t j = 0; j < n; j++)
        nans[j >= n_first] += isnan(x[j]) != 0;
    if (kind == AD_SET_COMMON)
        return m;
    if (kind != AD_SET_OF_NUMBERS)
        for (int k = 0; k < 2; k++)
            nans[k] = nans[k] > 0;
    for (int64_t j = 0; j < nans[0] + nans[1]; j++)
        set[m++] = NAN;
    return m;
}

static enum ad_status make_set(struct rng *rng, enum ad_set_of kind)
{
    int64_t n = rng_int(rng, 0, 12), split = rng_int(rng, 0, (int)n), m,
            n_second = rng_int(rng, 0, 6), count[MOST], total = 0;
    double x[MOST], second[MOST], set[MOST];
    bool counted = kind == AD_SET_OF_ALL || kind == AD_SET_OF_NUMBERS;
    struct ad_tape *tape = ad_tape_new();
    struct ad_view from = ad_view_slots(0, 1, &n), result;
    enum ad_status status;

    if (!tape)
        return AD_NO_MEMORY;
    fill(rng, n, x);
    fill(rng, n_second, second);
    m = set_by_hand(kind, n, x, split, n_second, second, set);
    status = ad_record_input(tape, n, x);
    if (!status)
        status = ad_record_set(tape, kind, &from, split, n_second, second, counted ? count : NULL,
                               &result);
    if (!status) {
        CHECK(result.shape[0] == m, "%" PRId64 " numbers, not %" PRId64, result.shape[0], m);
        for (int64_t j = 0; j < m; j++)
            CHECK(same(tape->value[result.base + j], set[j]), "%g is not %g",
                  tape->value[result.base + j], set[j]);
        for (int64_t j = 0; j < m && counted; j++)
            total += count[j];
        CHECK(!counted || total == n, "%" PRId64 " are counted of %" PRId64, total, n);
        status = sweep(tape, (int32_t)result.base, m);
    }
    if (!status && n)
        check_adjoints(tape, 1, n, x, m, (int32_t)result.base);
    ad_tape_free(tape);
    return status;
}

static enum ad_status add_up(struct rng *rng, bool strided)
{
    int64_t n = rng_int(rng, 0, 9), bins = 5, at[MOST];
    double x[MOST], want[5] = {0};
    struct ad_tape *tape = ad_tape_new();
    struct ad_view from = ad_view_slots(0, 1, &n), result;
    enum ad_status status;

    if (!tape)
        return AD_NO_MEMORY;
    for (int64_t j = 0; j < 2 * n; j++)
        x[j] = rng_uniform(rng, -1, 1);
    from.stride[0] = strided ? 2 : 1;
    for (int64_t j = 0; j < n; j++) {
        at[j] = rng_int(rng, 0, 4);
        want[at[j]] += x[j * from.stride[0]];
    }
    status = ad_record_input(tape, 2 * n, x);
    if (!status)
        status = ad_record_bins(tape, &from, at, bins, &result);
    if (!status) {
        for (int64_t k = 0; k < bins; k++)
            CHECK(tape->value[result.base + k] == want[k], "bin %" PRId64, k);
        status = sweep(tape, (int32_t)result.base, bins);
    }
    for (int64_t j = 0; j < n && !status; j++)
        CHECK(tape->work->adj[j * from.stride[0]] == (double)(1 + at[j]), "of %" PRId64, j);
    ad_tape_free(tape);
    return status;
}

static enum ad_status a_case(int seed)
{
    struct rng rng = {(uint64_t)seed};
    int what = seed % 12;

    if (what < 6)
        return sort_rows(&rng, what % 2, what == 2 || what == 3, what >= 4);
    return what < 11 ? make_set(&rng, (enum ad_set_of)(what - 6)) : add_up(&rng, seed % 24 < 12);
}

static void test_unique(void)
{
    const double x[] = {3, NAN, 1, 3, NAN, -0.0, 0.0};
    int64_t first[7], inverse[7], count[7], low = 0, high = 1;
    double room[28];
    static const int64_t of[] = {2, 3, 1, 2, 3, 0, 0}, odd[] = {2, 3, 1, 2, 4, 0, 0};

    CHECK(ad_index_unique(7, x, true, first, inverse, count, room) == 4, "numbers");
    CHECK(first[0] == 5 && first[1] == 2 && first[2] == 0 && first[3] == 1, "firsts");
    CHECK(count[0] == 2 && count[1] == 1 && count[2] == 2 && count[3] == 2, "counts");
    CHECK(memcmp(inverse, of, sizeof of) == 0, "inverse");
    CHECK(ad_index_unique(7, x, false, first, inverse, count, room) == 5, "numbers, nan apart");
    CHECK(memcmp(inverse, odd, sizeof odd) == 0, "inverse, nan apart");
    ad_index_range(7, of, &low, &high);
    CHECK(low == 0 && high == 3, "range");
    CHECK(ad_place_of_rank(7, x, 2, 1.0) == 4, "the last nan");
    CHECK(ad_place_of_rank(4, x + 2, 0, 1.0) == 4 - 2, "a nan is there");
    CHECK(ad_place_of_rank(2, x + 5, 1, 0.0) == 1, "the second of equal ones");
}

int main(void)
{
    for (int seed = 0; seed < 1200; seed++) {
        check_clear();
        check_note("seed %d", seed);
        CHECK(a_case(seed) == AD_OK, "failed");
    }
    for (int seed = 0; seed < 24; seed++)
        for (long k = 0;; k++) {
            enum ad_status status;

            check_clear();
            check_note("seed %d, allocation %ld fails", seed, k);
            fail_in = k;
            n_failed = 0;
            status = a_case(seed);
            fail_in = -1;
            CHECK(n_live == 0, "%ld blocks are left", n_live);
            CHECK(status == AD_OK || (n_failed && status == AD_NO_MEMORY), "%s",
                  ad_status_text(status));
            if (!n_failed)
                break;
        }
    test_unique();
    printf("test_draw: ok\n");
    return 0;
}

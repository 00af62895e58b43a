/* test_color.c -- colourings of small random patterns by their definitions, and of large ones by known counts;
 * every entry read back; orders by their definitions; every allocation failing once. */
#include "ad_bicolor.h"
#include "ad_color.h"
#include "ad_order.h"
#include "ad_recover.h"
#include "check.h"

enum { MOST = 16, N_ORDERS = 4 };

static void ok(enum ad_status status)
{
    CHECK(status == AD_OK, "%s", ad_status_text(status));
}

/* ---- patterns ---- */

/* A small matrix of truths. */
struct grid {
    int m, n;
    bool has[MOST][MOST];
};

enum kind { SPARSE, THICK, BAND, ARROW, BLOCKS, LONG_LINES, EMPTY, FULL, N_KINDS };

static struct grid random_grid(struct rng *rng, int kind, bool symmetric)
{
    struct grid g = {(int)rng_int(rng, 0, MOST), (int)rng_int(rng, 0, MOST), {{false}}};
    int width = (int)rng_int(rng, 0, 3), one = (int)rng_int(rng, 0, MOST - 1),
        other = (int)rng_int(rng, 0, MOST - 1);

    if (symmetric)
        g.n = g.m;
    for (int r = 0; r < g.m; r++)
        for (int c = 0; c < g.n; c++) {
            int64_t chance = rng_int(rng, 0, 99);
            bool has = false;

            switch (kind) {
            case SPARSE:
                has = chance < 12;
                break;
            case THICK:
                has = chance < 50;
                break;
            case BAND:
                has = abs(r - c) <= width;
                break;
            case ARROW:
                has = r == c || r == one || c == one;
                break;
            case BLOCKS:
                has = r / 4 == c / 4 && chance < 80;
                break;
            case LONG_LINES:
                has = chance < 10 || ((r == one || r == other || c == one) && chance < 85);
                break;
            case EMPTY:
                has = false;
                break;
            default:
                has = true;
            }
            g.has[r][c] = has;
        }
    for (int r = 0; r < g.m && symmetric; r++)
        for (int c = 0; c < r; c++)
            g.has[c][r] = g.has[r][c];
    return g;
}

static struct ad_pattern pattern_of(const struct grid *g)
{
    struct ad_pattern p;
    int64_t n = 0;

    ok(ad_pattern_new(g->m, g->n, g->m * g->n, &p));
    for (int r = 0; r < g->m; r++) {
        p.start[r] = n;
        for (int c = 0; c < g->n; c++)
            if (g->has[r][c])
                p.column[n++] = c;
    }
    p.start[g->m] = n;
    return p;
}

/* Numbers whose sums are exact. */
static void random_values(struct rng *rng, const struct grid *g, bool symmetric,
                          double value[MOST][MOST])
{
    for (int r = 0; r < g->m; r++)
        for (int c = 0; c < g->n; c++)
            value[r][c] = symmetric && c < r ? value[c][r]
                          : g->has[r][c]     ? (double)rng_int(rng, 1, 1 << 20)
                                             : 0;
}

/* ---- definitions ---- */

static void check_columns(const struct grid *g, const int32_t *color)
{
    for (int r = 0; r < g->m; r++)
        for (int a = 0; a < g->n; a++)
            for (int b = 0; b < a; b++)
                CHECK(!(g->has[r][a] && g->has[r][b]) || color[a] != color[b],
                      "columns %d and %d share row %d", a, b, r);
}

static bool edge(const struct grid *g, int a, int b)
{
    return a != b && g->has[a][b];
}

static void check_proper(const struct grid *g, const int32_t *color)
{
    for (int a = 0; a < g->n; a++)
        for (int b = 0; b < a; b++)
            CHECK(!edge(g, a, b) || color[a] != color[b], "%d and %d are neighbours", a, b);
}

/* No path a, b, c, d has two colours. */
static void check_star(const struct grid *g, const int32_t *color)
{
    check_proper(g, color);
    for (int b = 0; b < g->n; b++)
        for (int c = 0; c < g->n; c++)
            for (int a = 0; a < g->n && edge(g, b, c); a++)
                for (int d = 0; d < g->n && edge(g, a, b) && a != c; d++)
                    CHECK(!edge(g, c, d) || d == b || d == a || color[a] != color[c] ||
                              color[b] != color[d],
                          "the path %d %d %d %d has two colours", a, b, c, d);
}

/* What is reached from 'at' along vertices of two colours, but not from where it came: false where some vertex
 * is reached twice. */
static bool is_tree(const struct grid *g, const int32_t *color, int at, int from, int32_t one,
                    int32_t other, bool *seen)
{
    seen[at] = true;
    for (int b = 0; b < g->n; b++)
        if (edge(g, at, b) && b != from && (color[b] == one || color[b] == other) &&
            (seen[b] || !is_tree(g, color, b, at, one, other, seen)))
            return false;
    return true;
}

static void check_acyclic(const struct grid *g, const int32_t *color)
{
    check_proper(g, color);
    for (int32_t one = 0; one < g->n; one++)
        for (int32_t other = 0; other < one; other++) {
            bool seen[MOST] = {false};

            for (int a = 0; a < g->n; a++)
                CHECK((color[a] != one && color[a] != other) || seen[a] ||
                          is_tree(g, color, a, -1, one, other, seen),
                      "a cycle of colours %d and %d", one, other);
        }
}

static void check_bicolor(const struct grid *g, const int32_t *row, const int32_t *column)
{
    for (int r = 0; r < g->m; r++)
        for (int c = 0; c < g->n; c++) {
            if (!g->has[r][c])
                continue;
            CHECK(row[r] >= 0 || column[c] >= 0, "nothing reads (%d, %d)", r, c);
            for (int d = 0; d < g->n; d++)
                CHECK(d == c || !g->has[r][d] || row[r] >= 0 || column[c] != column[d],
                      "columns %d and %d share row %d", c, d, r);
            for (int s = 0; s < g->m; s++) {
                if (s == r || !g->has[s][c])
                    continue;
                CHECK(column[c] >= 0 || row[r] != row[s], "rows %d and %d share column %d", r, s,
                      c);
                for (int d = 0; d < g->n; d++)
                    CHECK(d == c || !g->has[s][d] || row[r] < 0 || column[c] < 0 ||
                              row[r] != row[s] || column[c] != column[d],
                          "the path (%d, %d), (%d, %d) has two colours", r, c, s, d);
            }
        }
}

static void check_range(int n, const int32_t *color, int64_t n_colors, int32_t least)
{
    bool used[2 * MOST] = {false};

    for (int v = 0; v < n; v++) {
        CHECK(color[v] >= least && color[v] < n_colors, "colour %d of %" PRId64, color[v],
              n_colors);
        used[color[v] + 1] = true;
    }
    for (int64_t k = 0; k < n_colors; k++)
        CHECK(used[k + 1], "no one has colour %" PRId64 " of %" PRId64, k, n_colors);
}

/* ---- entries read back ---- */

static void lanes_of(const struct grid *g, double value[MOST][MOST], const int32_t *color,
                     bool rows, double lane[MOST][MOST])
{
    memset(lane, 0, MOST * sizeof *lane);
    for (int r = 0; r < g->m; r++)
        for (int c = 0; c < g->n; c++)
            if (color[rows ? r : c] >= 0)
                lane[color[rows ? r : c]][rows ? c : r] += value[r][c];
}

static void check_recover_star(struct rng *rng, const struct grid *g, const struct ad_pattern *p,
                               const int32_t *color)
{
    double value[MOST][MOST], lanes[MOST][MOST];
    int32_t row[MOST * MOST], lane[MOST * MOST];

    random_values(rng, g, true, value);
    lanes_of(g, value, color, false, lanes);
    ok(ad_recover_star(p, color, row, lane));
    for (int r = 0; r < g->m; r++)
        for (int64_t k = p->start[r]; k < p->start[r + 1]; k++)
            CHECK(lanes[lane[k]][row[k]] == value[r][p->column[k]], "entry (%d, %d)", r,
                  p->column[k]);
}

static void check_recover_bicolor(struct rng *rng, const struct grid *g, const struct ad_pattern *p,
                                  const int32_t *row_color, const int32_t *column_color)
{
    double value[MOST][MOST], of_rows[MOST][MOST], of_columns[MOST][MOST];
    int32_t lane[MOST * MOST];

    random_values(rng, g, false, value);
    lanes_of(g, value, row_color, true, of_rows);
    lanes_of(g, value, column_color, false, of_columns);
    ok(ad_recover_bicolor(p, row_color, column_color, lane));
    for (int r = 0; r < g->m; r++)
        for (int64_t k = p->start[r]; k < p->start[r + 1]; k++)
            CHECK((lane[k] >= 0 ? of_columns[lane[k]][r] : of_rows[-1 - lane[k]][p->column[k]]) ==
                      value[r][p->column[k]],
                  "entry (%d, %d)", r, p->column[k]);
}

static void check_recover_acyclic(struct rng *rng, const struct grid *g, const struct ad_pattern *p,
                                  const int32_t *color, int64_t n_colors)
{
    double value[MOST][MOST], lanes[MOST][MOST], by_row[MOST * MOST], data[MOST * MOST];
    int32_t entry[MOST * MOST], mate[MOST * MOST];
    int64_t n_steps, n_off = 0;

    random_values(rng, g, true, value);
    lanes_of(g, value, color, false, lanes);
    for (int r = 0; r < g->m; r++) {
        for (int64_t k = 0; k < n_colors; k++)
            by_row[r * n_colors + k] = lanes[k][r];
        for (int c = 0; c < g->n; c++)
            n_off += edge(g, r, c);
    }
    ok(ad_recover_acyclic(p, color, entry, mate, &n_steps));
    CHECK(2 * n_steps == n_off, "%" PRId64 " steps for %" PRId64 " entries", n_steps, n_off);
    ad_recover_substitute(p, color, n_colors, n_steps, entry, mate, by_row, data);
    for (int r = 0; r < g->m; r++)
        for (int64_t k = p->start[r]; k < p->start[r + 1]; k++)
            CHECK(data[k] == value[r][p->column[k]], "entry (%d, %d)", r, p->column[k]);
}

/* ---- orders ---- */

/* Neighbours of v among those with 'in' set. */
static int degree(const struct grid *g, int v, const bool *in)
{
    int n = 0;

    for (int w = 0; w < g->n; w++)
        n += in[w] && edge(g, v, w);
    return n;
}

/* 'graph' has an edge between vertices that are neighbours. */
static void check_order(const struct grid *graph, enum ad_order how, const int32_t *order)
{
    bool all[MOST], in[MOST] = {false}, out[MOST];
    int n = graph->n;

    for (int v = 0; v < n; v++)
        all[v] = out[v] = true;
    for (int i = 0; i < n; i++) {
        int v = order[i];

        CHECK(v >= 0 && v < n && out[v], "%d comes twice", v);
        out[v] = false;
        if (how == AD_ORDER_NATURAL)
            CHECK(v == i, "%d is not %d", v, i);
        if (how == AD_ORDER_LARGEST_FIRST && i > 0) {
            int before = degree(graph, order[i - 1], all), here = degree(graph, v, all);

            CHECK(before > here || (before == here && order[i - 1] < v), "%d is too late", v);
        }
        if (how == AD_ORDER_INCIDENCE)
            for (int w = 0; w < n; w++)
                CHECK(!out[w] || degree(graph, w, in) <= degree(graph, v, in), "%d before %d", v,
                      w);
        in[v] = true;
        if (how == AD_ORDER_SMALLEST_LAST)
            for (int j = 0; j < i; j++)
                CHECK(degree(graph, order[j], in) >= degree(graph, v, in), "%d after %d", v,
                      order[j]);
    }
}

static void test_orders(void)
{
    struct rng rng = {1};

    for (int trial = 0; trial < 800; trial++) {
        bool symmetric = trial % 2;
        struct grid g = random_grid(&rng, trial / 2 % N_KINDS, symmetric), graph = g;
        struct ad_pattern p = pattern_of(&g);
        int32_t order[MOST];

        for (int how = 0; how < N_ORDERS; how++) {
            check_clear();
            check_note("trial %d, order %d", trial, how);
            if (symmetric) {
                ok(ad_order_vertices(&p, (enum ad_order)how, order));
                check_order(&g, (enum ad_order)how, order);
            }
            memset(&graph, 0, sizeof graph);
            graph.m = graph.n = g.n;
            for (int r = 0; r < g.m; r++)
                for (int a = 0; a < g.n; a++)
                    for (int b = 0; b < g.n; b++)
                        graph.has[a][b] |= g.has[r][a] && g.has[r][b];
            ok(ad_order_columns(&p, (enum ad_order)how, order));
            check_order(&graph, (enum ad_order)how, order);
        }
        ad_pattern_free(&p);
    }
}

/* ---- colours ---- */

enum method { COLUMNS, STAR, ACYCLIC, N_METHODS };

static enum ad_status color_by(enum method method, const struct ad_pattern *p, const int32_t *order,
                               int64_t limit, int32_t *color, int64_t *n_colors)
{
    return method == COLUMNS ? ad_color_columns(p, order, limit, color, n_colors)
           : method == STAR  ? ad_color_star(p, order, limit, color, n_colors)
                             : ad_color_acyclic(p, order, limit, color, n_colors);
}

static void check_method(struct rng *rng, enum method method, const struct grid *g,
                         const struct ad_pattern *p, const int32_t *order)
{
    int32_t color[MOST], again[MOST];
    int64_t n_colors, found;

    ok(color_by(method, p, order, g->n, color, &n_colors));
    check_range(g->n, color, n_colors, 0);
    if (method == COLUMNS)
        check_columns(g, color);
    if (method == STAR) {
        check_star(g, color);
        check_recover_star(rng, g, p, color);
    }
    if (method == ACYCLIC) {
        check_acyclic(g, color);
        check_recover_acyclic(rng, g, p, color, n_colors);
    }
    ok(color_by(method, p, order, n_colors, again, &found));
    CHECK(found == n_colors && memcmp(color, again, (size_t)g->n * sizeof *color) == 0,
          "other colours with a limit");
    for (int64_t limit = 0; limit < n_colors; limit++) {
        ok(color_by(method, p, order, limit, again, &found));
        CHECK(found == limit + 1, "%" PRId64 " colours, at most %" PRId64, found, limit);
    }
}

static void test_colors(void)
{
    struct rng rng = {2};

    for (int trial = 0; trial < 4000; trial++) {
        bool symmetric = trial % 2;
        struct grid g = random_grid(&rng, trial / 2 % N_KINDS, symmetric);
        struct ad_pattern p = pattern_of(&g);
        int32_t order[MOST], color[MOST], row_color[MOST];
        enum ad_order how = (enum ad_order)rng_int(&rng, 0, N_ORDERS - 1);
        int64_t n_colors, n_row_colors, n_columns, n_rows;
        struct ad_pattern transposed;

        check_clear();
        check_note("trial %d, order %d", trial, (int)how);
        ok(ad_order_columns(&p, how, order));
        check_method(&rng, COLUMNS, &g, &p, rng_int(&rng, 0, 1) ? order : NULL);
        if (symmetric) {
            ok(ad_order_vertices(&p, how, order));
            check_method(&rng, STAR, &g, &p, rng_int(&rng, 0, 1) ? order : NULL);
            check_method(&rng, ACYCLIC, &g, &p, rng_int(&rng, 0, 1) ? order : NULL);
            ok(ad_color_star(&p, NULL, g.n, color, &n_columns));
            ok(ad_color_symmetric(&p, g.n, color, &n_colors));
            CHECK(n_colors <= n_columns, "%" PRId64 " colours", n_colors);
            check_range(g.n, color, n_colors, 0);
            check_recover_star(&rng, &g, &p, color);
            ok(ad_color_symmetric(&p, 1, color, &n_colors));
            CHECK(n_colors <= 2, "%" PRId64 " colours, at most 1", n_colors);
        }
        ok(ad_color_bicolor(&p, how, row_color, color, &n_row_colors, &n_colors));
        check_range(g.m, row_color, n_row_colors, -1);
        check_range(g.n, color, n_colors, -1);
        check_bicolor(&g, row_color, color);
        check_recover_bicolor(&rng, &g, &p, row_color, color);
        ok(ad_pattern_transpose(&p, &transposed));
        ok(ad_color_columns(&p, NULL, g.n, color, &n_columns));
        ok(ad_color_columns(&transposed, NULL, g.m, color, &n_rows));
        if (how == AD_ORDER_NATURAL)
            CHECK(n_row_colors + n_colors <= AD_MIN(n_columns, n_rows),
                  "%" PRId64 " and %" PRId64 " colours", n_row_colors, n_colors);
        ad_pattern_free(&transposed);
        ad_pattern_free(&p);
    }
}

static void test_mates(void)
{
    struct rng rng = {3};

    for (int trial = 0; trial < 500; trial++) {
        struct grid g = random_grid(&rng, trial / 2 % N_KINDS, trial % 2);
        bool expected = g.m == g.n, symmetric;
        int32_t mate[MOST * MOST];
        struct ad_pattern p;

        if (trial % 2 && g.n && rng_int(&rng, 0, 1)) { /* one entry changed */
            bool *has = &g.has[rng_int(&rng, 0, g.n - 1)][rng_int(&rng, 0, g.n - 1)];

            *has = !*has;
        }
        for (int r = 0; r < g.m && expected; r++)
            for (int c = 0; c < g.n; c++)
                expected &= g.has[r][c] == g.has[c][r];
        p = pattern_of(&g);
        ok(ad_pattern_mates(&p, mate, &symmetric));
        CHECK(symmetric == expected, "symmetric: %d", symmetric);
        for (int r = 0; r < g.m && symmetric; r++)
            for (int64_t k = p.start[r]; k < p.start[r + 1]; k++) {
                int32_t c = p.column[k], at = mate[k];

                CHECK(at >= p.start[c] && at < p.start[c + 1] && p.column[at] == r,
                      "mate of (%d, %d)", r, c);
            }
        ad_pattern_free(&p);
    }
}

/* ---- large ones ---- */

/* A diagonal, and a full row and column in the middle. */
static struct ad_pattern arrow_of(int32_t n)
{
    struct ad_pattern p;
    int64_t at = 0;
    int32_t middle = n / 2;

    ok(ad_pattern_new(n, n, 3 * (int64_t)n - 2, &p));
    for (int32_t r = 0; r < n; r++) {
        p.start[r] = at;
        for (int32_t c = 0; c < n && r == middle; c++)
            p.column[at++] = c;
        if (r == middle)
            continue;
        p.column[at++] = AD_MIN(r, middle);
        p.column[at++] = AD_MAX(r, middle);
    }
    p.start[n] = at;
    return p;
}

/* A row of a million would take hours if it were looked at once for each of its entries. */
static void test_long_rows(void)
{
    int32_t n = 1000000, *order = malloc((size_t)n * sizeof *order),
            *color = malloc((size_t)n * sizeof *color), *other = malloc((size_t)n * sizeof *other);
    struct ad_pattern p = arrow_of(n);
    int64_t n_colors, n_other;

    check_clear();
    for (int how = 0; how < N_ORDERS; how++) {
        ok(ad_order_vertices(&p, (enum ad_order)how, order));
        ok(ad_color_star(&p, order, n, color, &n_colors));
        CHECK(n_colors == 2, "%" PRId64 " colours", n_colors);
        ok(ad_color_acyclic(&p, order, n, color, &n_colors));
        CHECK(n_colors == 2, "%" PRId64 " colours", n_colors);
    }
    ok(ad_color_symmetric(&p, n, color, &n_colors));
    CHECK(n_colors == 2, "%" PRId64 " colours", n_colors);
    ok(ad_color_bicolor(&p, AD_ORDER_NATURAL, other, color, &n_other, &n_colors));
    CHECK(n_colors + n_other == 3, "%" PRId64 " and %" PRId64 " colours", n_other, n_colors);
    ad_pattern_free(&p);
    free(order);
    free(color);
    free(other);
}

/* ---- memory ---- */

static enum ad_status everything(const struct ad_pattern *p, int what)
{
    int32_t a[MOST * MOST], b[MOST * MOST], color[MOST];
    int64_t n, m;
    bool symmetric;

    for (int v = 0; v < MOST; v++)
        color[v] = v; /* each its own: any kind of colouring */
    switch (what) {
    case 0:
        return ad_order_vertices(p, AD_ORDER_SMALLEST_LAST, a);
    case 1:
        return ad_order_columns(p, AD_ORDER_INCIDENCE, a);
    case 2:
        return ad_color_columns(p, NULL, MOST, a, &n);
    case 3:
        return ad_color_star(p, NULL, MOST, a, &n);
    case 4:
        return ad_color_acyclic(p, NULL, MOST, a, &n);
    case 5:
        return ad_color_symmetric(p, MOST, a, &n);
    case 6:
        return ad_color_bicolor(p, AD_ORDER_LARGEST_FIRST, a, b, &n, &m);
    case 7:
        return ad_recover_star(p, color, a, b);
    case 8:
        return ad_recover_bicolor(p, color, color, a);
    case 9:
        return ad_recover_acyclic(p, color, a, b, &n);
    default:
        return ad_pattern_mates(p, a, &symmetric);
    }
}

static void test_no_memory(void)
{
    struct grid g = {MOST, MOST, {{false}}};
    struct ad_pattern p;
    int n_cases = 0;

    for (int r = 0; r < MOST; r++)
        for (int c = 0; c < MOST; c++)
            g.has[r][c] = (r + c) % 3 != 1;
    p = pattern_of(&g);
    for (int what = 0; what <= 10; what++)
        for (long k = 0;; k++) {
            long live = n_live;
            enum ad_status status;

            check_clear();
            check_note("function %d, allocation %ld", what, k);
            fail_in = k;
            n_failed = 0;
            status = everything(&p, what);
            fail_in = -1;
            CHECK(n_live == live, "%ld blocks are left", n_live - live);
            CHECK(status == (n_failed ? AD_NO_MEMORY : AD_OK), "%s", ad_status_text(status));
            if (!n_failed)
                break;
            n_cases++;
        }
    CHECK(n_cases > 30, "only %d allocations", n_cases);
    ad_pattern_free(&p);
}

int main(void)
{
    test_orders();
    test_colors();
    test_mates();
    test_long_rows();
    test_no_memory();
    CHECK(n_live == 0, "%ld blocks are left", n_live);
    printf("test_color: ok\n");
    return 0;
}

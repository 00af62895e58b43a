/* test_programs.c -- random programs: every derivative the core can find, one against another and
 * against hyper-dual numbers; then the same with each allocation failing in turn. */
#include "program.h"

#include "ad_taylor.h"

/* The inputs' first slot and instruction, and the newest instruction. */
struct range {
    int32_t low, first, last;
    int64_t n;
};

static struct range range_of(const struct program *p)
{
    int32_t low = (int32_t)view_of(&p->value[0]).base;

    return (struct range){low, p->value[0].handle.instr, p->tape->n - 1, p->value[0].size};
}

/* Outputs of a program, with a weight for each element. */
struct outputs {
    int n;
    int of[3];
    double *weight[3];
};

static void choose_outputs(struct program *p, struct outputs *out)
{
    out->n = (int)rng_int(&p->rng, 1, 3);
    check_note("outputs");
    for (int k = 0; k < out->n; k++) {
        struct value *y;

        out->of[k] = k == 0 ? p->n - 1 : pick_value(p);
        while (!p->value[out->of[k]].alive)
            out->of[k] = pick_value(p);
        y = &p->value[out->of[k]];
        check_note(" v%d", out->of[k]);
        out->weight[k] = malloc((size_t)(y->size + 1) * sizeof(double));
        for (int64_t i = 0; i < y->size; i++)
            out->weight[k][i] = rng_int(&p->rng, 0, 3) ? rng_uniform(&p->rng, -1, 1) : 0;
    }
    check_note("\n");
}

static void free_outputs(struct outputs *out)
{
    for (int k = 0; k < out->n; k++)
        free(out->weight[k]);
}

/* The sum over all outputs of weight times a component of their cells; *scale grows by its size. */
static double weighed(const struct program *p, const struct outputs *out, size_t component,
                      double *scale)
{
    double sum = 0;

    for (int k = 0; k < out->n; k++) {
        const struct value *y = &p->value[out->of[k]];

        for (int64_t i = 0; i < y->size; i++) {
            double x;

            memcpy(&x, (const char *)&y->cell[i] + component, sizeof x);
            sum += out->weight[k][i] * x;
            *scale += fabs(out->weight[k][i] * x);
        }
    }
    return sum;
}

/* Add the weights of the outputs to lane 'lane' of a buffer of adjoints, times 'factor'. */
static void seed_outputs(struct program *p, const struct outputs *out, double *buffer, int lanes,
                         int lane, double factor)
{
    for (int k = 0; k < out->n; k++) {
        const struct value *y = &p->value[out->of[k]];
        struct ad_view view = view_of(y);
        double *data = calloc((size_t)(y->size * lanes + 1), sizeof *data);

        for (int64_t i = 0; i < y->size; i++)
            data[i * lanes + lane] = factor * out->weight[k][i];
        ad_work_add(p->tape, buffer, lanes, &view, data);
        free(data);
    }
}

/* Directions of 'lanes' lanes into tan: lane l is s[l] times the first plus t[l] times the second. */
static void seed_inputs(struct program *p, int lanes, const double *s, const double *t)
{
    const struct value *x = &p->value[0];

    for (int64_t i = 0; i < x->size; i++)
        for (int l = 0; l < lanes; l++)
            p->tape->work->tan[i * lanes + l] = s[l] * x->cell[i].d1 + t[l] * x->cell[i].d2;
}

#define DOT(n, xi, yi)                                                                             \
    double dot = 0, dot_scale = 0;                                                                 \
    for (int64_t i = 0; i < (n); i++) {                                                            \
        dot += (xi) * (yi);                                                                        \
        dot_scale += fabs((xi) * (yi));                                                            \
    }

/* ---- sweeps ---- */

static void check_forward(struct program *p, struct range r, int lanes, const double *s,
                          const double *t)
{
    TRY(p, ad_work_begin(p->tape, AD_SWEEP_FORWARD, r.low, lanes));
    seed_inputs(p, lanes, s, t);
    for (int attempt = 0;; attempt++) { /* a sweep that failed is begun again */
        enum ad_status status = ad_sweep_forward(p->tape, r.first + 1, r.last);

        if (status == AD_OK)
            break;
        CHECK(status == AD_NO_MEMORY && attempt == 0, "status %d", status);
        TRY(p, ad_work_begin(p->tape, AD_SWEEP_FORWARD, r.low, lanes));
        seed_inputs(p, lanes, s, t);
    }
    for (int v = 0; v < p->n; v++) {
        const struct value *y = &p->value[v];
        struct ad_view view;
        double *got;

        if (!y->alive || !tracked(y))
            continue;
        view = view_of(y);
        got = malloc((size_t)(y->size * lanes + 1) * sizeof *got);
        ad_work_get(p->tape, p->tape->work->tan, lanes, &view, got);
        for (int64_t i = 0; i < y->size; i++)
            for (int l = 0; l < lanes; l++) {
                double want = s[l] * y->cell[i].d1 + t[l] * y->cell[i].d2,
                       scale = fabs(s[l] * y->cell[i].d1) + fabs(t[l] * y->cell[i].d2);

                CHECK(close_to(got[i * lanes + l], want, 100 + scale),
                      "tangent of v%d[%" PRId64 "], lane %d of %d: %.17g, not %.17g", v, i, l,
                      lanes, got[i * lanes + l], want);
            }
        free(got);
    }
}

/* Adjoints of the inputs, lane l seeded with factor[l] times the weights; 'adj' has n * lanes. */
static void sweep_reverse(struct program *p, struct range r, const struct outputs *out, int lanes,
                          const double *factor, double *adj)
{
    for (int attempt = 0;; attempt++) {
        enum ad_status status;

        TRY(p, ad_work_begin(p->tape, AD_SWEEP_REVERSE, r.low, lanes));
        for (int l = 0; l < lanes; l++)
            seed_outputs(p, out, p->tape->work->adj, lanes, l, factor[l]);
        status = ad_sweep_reverse(p->tape, r.first + 1, r.last);
        if (status == AD_OK)
            break;
        CHECK(status == AD_NO_MEMORY && attempt == 0, "status %d", status);
    }
    memcpy(adj, p->tape->work->adj, (size_t)(r.n * lanes) * sizeof *adj);
}

/* Gradient (n) and Hessian products (n * lanes) of the weighed outputs. */
static void sweep_second(struct program *p, struct range r, const struct outputs *out, int lanes,
                         const double *s, const double *t, double *adj, double *dadj)
{
    for (int attempt = 0;; attempt++) {
        enum ad_status status;

        TRY(p, ad_work_begin(p->tape, AD_SWEEP_SECOND, r.low, lanes));
        seed_inputs(p, lanes, s, t);
        seed_outputs(p, out, p->tape->work->adj, 1, 0, 1);
        status = ad_sweep_forward(p->tape, r.first + 1, r.last);
        if (!status)
            status = ad_sweep_second(p->tape, r.first + 1, r.last);
        if (status == AD_OK)
            break;
        CHECK(status == AD_NO_MEMORY && attempt == 0, "status %d", status);
    }
    memcpy(adj, p->tape->work->adj, (size_t)r.n * sizeof *adj);
    memcpy(dadj, p->tape->work->dadj, (size_t)(r.n * lanes) * sizeof *dadj);
}

/* ---- emission ---- */

/* A constant array as a view. */
static struct ad_view constants(struct program *p, int ndim, const int64_t *shape,
                                const double *numbers)
{
    struct ad_view view = ad_view_slots(0, ndim, shape);

    view.place = AD_ARRAY;
    view.in.array = NULL;
    TRY(p, status_of((view.in.array = ad_array_copy(numbers, size_of(ndim, shape))) != NULL));
    return view;
}

/* What emission found: handles on the tape, or constants; and the numbers. */
struct found {
    int n;
    struct value value[3];
    double *number[3];
};

/* Hold 'found' in the shapes of what was asked for. */
static void keep(struct program *p, struct found *found, int n, struct ad_view *views,
                 const struct ad_view *like)
{
    found->n = n;
    for (int k = 0; k < n; k++) {
        struct value *value = &found->value[k];

        memset(value, 0, sizeof *value);
        value->alive = true;
        CHECK(views[k].place == AD_NUMBER || ad_view_size(&views[k]) == ad_view_size(&like[k]) ||
                  views[k].ndim == 0,
              "the shape of a result");
        CHECK(ad_view_broadcast(&views[k], like[k].ndim, like[k].shape), "the shape of a result");
        value->ndim = like[k].ndim;
        value->size = ad_view_size(&like[k]);
        found->number[k] = malloc((size_t)(value->size + 1) * sizeof(double));
        ad_view_read(&views[k], p->tape->value, found->number[k]);
        attach(p, value, &views[k]);
    }
    ad_tape_pop(p->tape); /* what the emission recorded last may be of no use */
}

static void drop_found(struct found *found)
{
    for (int k = 0; k < found->n; k++) {
        drop_value(&found->value[k]);
        free(found->number[k]);
    }
}

/* The inputs, as one vector or as two. */
static int input_parts(struct program *p, struct ad_view *parts)
{
    struct ad_view x = view_of(&p->value[0]);
    int64_t cut = x.shape[0] / 3;

    parts[0] = parts[1] = x;
    if (cut == 0 || rng_int(&p->rng, 0, 1))
        return 1;
    parts[0].shape[0] = cut;
    parts[1].shape[0] -= cut;
    parts[1].base += cut;
    return 2;
}

/* Record the adjoints of the inputs, of targets with weights. */
static void emit_reverse(struct program *p, int n_outputs, const struct value *const *outputs,
                         double *const *weights, struct found *found)
{
    struct ad_view out[3], seed[3], in[2], adjoint[2] = {{0}};
    int n_inputs;

    TRY(p, ad_tape_room(p->tape, 8));
    n_inputs = input_parts(p, in);
    for (int k = 0; k < n_outputs; k++) {
        bool equal = true;

        out[k] = view_of(outputs[k]);
        for (int64_t i = 1; i < outputs[k]->size; i++)
            equal &= weights[k][i] == weights[k][0];
        if (equal && outputs[k]->size > 0)
            seed[k] = ad_view_number(weights[k][0]);
        else
            seed[k] = constants(p, out[k].ndim, out[k].shape, weights[k]);
    }
    TRY(p, ad_emit_reverse(p->tape, n_outputs, out, seed, n_inputs, in, adjoint));
    for (int k = 0; k < n_outputs; k++)
        ad_view_drop(&seed[k]);
    keep(p, found, n_inputs, adjoint, in);
}

/* Record the tangents of the outputs along the first (component d1) or second direction. */
static void emit_forward(struct program *p, bool second, int n_outputs,
                         const struct value *const *outputs, struct found *found)
{
    const struct value *x = &p->value[0];
    struct ad_view out[3], seed[2], in[2], tangent[3] = {{0}};
    double *direction = malloc((size_t)(x->size + 1) * sizeof *direction);
    int n_inputs;
    int64_t at = 0;

    TRY(p, ad_tape_room(p->tape, 8));
    n_inputs = input_parts(p, in);
    for (int64_t i = 0; i < x->size; i++)
        direction[i] = second ? x->cell[i].d2 : x->cell[i].d1;
    for (int k = 0; k < n_inputs; k++) {
        seed[k] = constants(p, 1, in[k].shape, direction + at);
        at += in[k].shape[0];
    }
    for (int k = 0; k < n_outputs; k++)
        out[k] = view_of(outputs[k]);
    TRY(p, ad_emit_forward(p->tape, n_inputs, in, seed, n_outputs, out, tangent));
    for (int k = 0; k < n_inputs; k++)
        ad_view_drop(&seed[k]);
    free(direction);
    keep(p, found, n_outputs, tangent, out);
}

/* The inputs' adjoints of 'found' times weights (NULL: the first direction), by a reverse sweep. */
static void sweep_found(struct program *p, const struct found *found, double *const *weights,
                        double *adj)
{
    struct range r = range_of(p);
    const struct cell *direction = p->value[0].cell;

    for (int attempt = 0;; attempt++) {
        enum ad_status status;
        int64_t at = 0;

        TRY(p, ad_work_begin(p->tape, AD_SWEEP_REVERSE, r.low, 1));
        for (int k = 0; k < found->n; k++) {
            struct ad_view view = view_of(&found->value[k]);
            double *data = malloc((size_t)(found->value[k].size + 1) * sizeof *data);

            for (int64_t i = 0; i < found->value[k].size; i++)
                data[i] = weights ? weights[k][i] : direction[at + i].d1;
            ad_work_add(p->tape, p->tape->work->adj, 1, &view, data);
            free(data);
            at += found->value[k].size;
        }
        status = ad_sweep_reverse(p->tape, r.first + 1, r.last);
        if (status == AD_OK)
            break;
        CHECK(status == AD_NO_MEMORY && attempt == 0, "status %d", status);
    }
    memcpy(adj, p->tape->work->adj, (size_t)r.n * sizeof *adj);
}

static void check_vector(const char *what, int64_t n, const double *got, const double *want)
{
    double scale = 0;

    for (int64_t i = 0; i < n; i++)
        scale = fmax(scale, fabs(want[i]));
    for (int64_t i = 0; i < n; i++)
        CHECK(close_to(got[i], want[i], 100 + scale), "%s[%" PRId64 "] is %.17g, not %.17g", what,
              i, got[i], want[i]);
}

/* The numbers of all that was found, one after another. */
static void flatten(const struct found *found, double *to)
{
    for (int k = 0; k < found->n; k++) {
        memcpy(to, found->number[k], (size_t)found->value[k].size * sizeof *to);
        to += found->value[k].size;
    }
}

static bool all_finite(int64_t n, const double *x)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

static long n_third, n_third_finite;

static void check_emission(struct program *p, const struct outputs *out, const double *gradient,
                           const double *product)
{
    const struct value *x = &p->value[0], *targets[3];
    int64_t n = x->size;
    double *got = malloc((size_t)(n + 1) * sizeof *got), *third[2];
    struct snapshot before = snapshot_of(p->tape);
    double *direction[2];
    struct found g, hv, t, t12;
    const struct value *parts[2];
    int64_t at = 0;

    third[0] = malloc((size_t)(n + 1) * sizeof(double));
    third[1] = malloc((size_t)(n + 1) * sizeof(double));
    for (int k = 0; k < out->n; k++)
        targets[k] = &p->value[out->of[k]];

    /* reverse: against the sweep; swept again; and emitted again, along the first direction */
    emit_reverse(p, out->n, targets, out->weight, &g);
    flatten(&g, got);
    check_vector("emitted gradient", n, got, gradient);
    sweep_found(p, &g, NULL, got);
    check_vector("reverse of emitted gradient", n, got, product);
    for (int k = 0; k < g.n; k++) {
        parts[k] = &g.value[k];
        direction[k] = malloc((size_t)(g.value[k].size + 1) * sizeof(double));
        for (int64_t i = 0; i < g.value[k].size; i++)
            direction[k][i] = x->cell[at + i].d1;
        at += g.value[k].size;
    }
    emit_reverse(p, g.n, parts, direction, &hv);
    for (int k = 0; k < g.n; k++)
        free(direction[k]);
    flatten(&hv, got);
    check_vector("twice emitted gradient", n, got, product);
    at = 0;
    for (int k = 0; k < hv.n; k++) {
        direction[k] = malloc((size_t)(hv.value[k].size + 1) * sizeof(double));
        for (int64_t i = 0; i < hv.value[k].size; i++)
            direction[k][i] = x->cell[at + i].d2;
        at += hv.value[k].size;
    }
    sweep_found(p, &hv, direction, third[0]);
    for (int k = 0; k < hv.n; k++)
        free(direction[k]);
    drop_found(&hv);
    drop_found(&g);

    /* forward: against the cells, and emitted again along the second direction */
    emit_forward(p, false, out->n, targets, &t);
    for (int k = 0; k < out->n; k++)
        for (int64_t i = 0; i < targets[k]->size; i++)
            CHECK(close_to(t.number[k][i], targets[k]->cell[i].d1,
                           100 + fabs(targets[k]->cell[i].d1)),
                  "emitted tangent of v%d[%" PRId64 "]: %.17g, not %.17g", out->of[k], i,
                  t.number[k][i], targets[k]->cell[i].d1);
    sweep_found(p, &t, out->weight, got);
    check_vector("reverse of emitted tangent", n, got, product);
    for (int k = 0; k < out->n; k++)
        targets[k] = &t.value[k];
    emit_forward(p, true, out->n, targets, &t12);
    for (int k = 0; k < out->n; k++)
        for (int64_t i = 0; i < t12.value[k].size; i++) {
            double want = p->value[out->of[k]].cell[i].d12;

            CHECK(close_to(t12.number[k][i], want, 1e4 + fabs(want)),
                  "twice emitted tangent of v%d[%" PRId64 "]: %.17g, not %.17g", out->of[k], i,
                  t12.number[k][i], want);
        }
    sweep_found(p, &t12, out->weight, third[1]);
    n_third++;
    if (all_finite(n, third[0]) && all_finite(n, third[1])) {
        n_third_finite++;
        check_vector("third derivative", n, third[1], third[0]);
    }
    drop_found(&t12);
    drop_found(&t);
    check_snapshot(p->tape, &before);
    free(third[0]);
    free(third[1]);
    free(got);
}

/* ---- Taylor series: coefficients 1 and 2 along the first direction ---- */

static void check_taylor(struct program *p, struct range r, const struct outputs *out,
                         const double *product)
{
    enum { LANES = 4 };
    enum ad_status status;
    bool has_calls = false;
    double first = 0, second = 0, want, scale = 0;

    for (int32_t i = r.first; i <= r.last; i++)
        has_calls |= ad_tape_code(p->tape, i) == AD_CALL;
    for (int attempt = 0;; attempt++) {
        const double s[LANES] = {0, 1}, t[LANES] = {0};

        TRY(p, ad_taylor_begin(p->tape, r.low, r.first + 1, LANES - 1));
        seed_inputs(p, LANES, s, t);
        status = ad_sweep_taylor(p->tape, r.first + 1, r.last);
        if (status != AD_NO_MEMORY)
            break;
        CHECK(attempt == 0, "no memory twice");
    }
    if (has_calls) {
        CHECK(status == AD_NO_SERIES, "status %d", status);
        return;
    }
    CHECK(status == AD_OK, "status %d", status);
    for (int k = 0; k < out->n; k++) {
        const struct value *y = &p->value[out->of[k]];
        struct ad_view view = view_of(y);
        double *got = malloc((size_t)(y->size * LANES + 1) * sizeof *got);

        ad_work_get(p->tape, p->tape->work->tan, LANES, &view, got);
        for (int64_t i = 0; i < y->size; i++) {
            first += out->weight[k][i] * got[i * LANES + 1];
            second += out->weight[k][i] * 2 * got[i * LANES + 2];
        }
        free(got);
    }
    want = weighed(p, out, offsetof(struct cell, d1), &scale);
    CHECK(close_to(first, want, 100 + scale), "Taylor coefficient 1: %.17g, not %.17g", first,
          want);
    DOT(r.n, p->value[0].cell[i].d1, product[i])
    CHECK(close_to(second, dot, 1e4 + dot_scale), "Taylor coefficient 2: %.17g, not %.17g",
          second / 2, dot / 2);
}

/* ---- dependence ---- */

static void check_dependence(struct program *p, struct range r)
{
    int v = pick_value(p);
    const struct value *y = &p->value[v];
    int32_t n = p->tape->n_slots - r.low;
    uint8_t *reached;
    uint64_t got = 0;
    int64_t element, one = 1;
    struct ad_view view;

    if (!tracked(y) || y->size == 0)
        return;
    reached = calloc((size_t)n + 1, 1);
    element = rng_int(&p->rng, 0, y->size - 1);
    view = view_of(y);
    ad_view_hold(&view);
    TRY(p, status_of(ad_view_pick(&view, &p->tape->lists, &element, one)));
    if (view.in.list->slot[0] >= r.low)
        reached[view.in.list->slot[0] - r.low] = 1;
    ad_view_drop(&view);
    TRY(p, ad_tape_depends(p->tape, r.first, r.last, r.low, reached));
    for (int64_t i = 0; i < r.n; i++)
        got |= (uint64_t)(reached[i] != 0) << i % 64;
    CHECK(p->whole ? (y->cell[element].dep & ~got) == 0 : y->cell[element].dep == got,
          "v%d[%" PRId64 "] depends on %" PRIx64 ", not %" PRIx64, v, element, got,
          y->cell[element].dep);
    free(reached);
}

/* ---- everything ---- */

static void check_program(struct program *p)
{
    struct range r = range_of(p);
    struct outputs out;
    int lanes = (int)(int[]){1, 2, 3, 8, 11}[rng_int(&p->rng, 0, 4)];
    double s[16] = {1, 0}, t[16] = {0, 1}, scale = 0, want;
    const struct cell *x = p->value[0].cell;
    double *adj, *gradient, *product;

    choose_outputs(p, &out);
    adj = malloc((size_t)(r.n * lanes + 1) * sizeof *adj);
    gradient = malloc((size_t)(r.n + 1) * sizeof *gradient);
    product = malloc((size_t)(r.n * lanes + 1) * sizeof *product);
    for (int l = 2; l < lanes; l++) {
        s[l] = rng_uniform(&p->rng, -1, 1);
        t[l] = rng_int(&p->rng, 0, 1) ? rng_uniform(&p->rng, -1, 1) : 0;
    }
    check_note("%d lanes\n", lanes);
    check_dependence(p, r);
    check_forward(p, r, lanes, s, t);

    sweep_reverse(p, r, &out, lanes, s, adj);
    for (int l = 0; l < lanes; l++) {
        scale = 0;
        want = s[l] * weighed(p, &out, offsetof(struct cell, d1), &scale);
        DOT(r.n, x[i].d1, adj[i * lanes + l])
        CHECK(close_to(dot, want, scale + dot_scale), "<J'w, v> = %.17g, <w, Jv> = %.17g, lane %d",
              dot, want, l);
    }

    sweep_second(p, r, &out, lanes, s, t, gradient, product);
    for (int64_t i = 0; i < r.n; i++)
        adj[i] = adj[i * lanes];
    check_vector("gradient of the second-order sweep", r.n, gradient, adj);
    for (int l = 0; l < lanes; l++) {
        double scale1 = 0, u;

        /* along s d1 + t d2: only lanes without t are known, as the second derivative along both */
        if (t[l] != 0)
            continue;
        u = s[l] * weighed(p, &out, offsetof(struct cell, d12), &scale1);
        DOT(r.n, x[i].d2, product[i * lanes + l])
        CHECK(close_to(dot, u, 100 + scale1 + dot_scale), "<v, Hu> = %.17g, not %.17g, lane %d",
              dot, u, l);
    }
    for (int64_t i = 0; i < r.n; i++)
        product[i] = product[i * lanes];
    check_taylor(p, r, &out, product);
    check_emission(p, &out, gradient, product);
    free(adj);
    free(gradient);
    free(product);
    free_outputs(&out);
}

static struct program program; /* large */

static void run(uint64_t seed, int n_steps, int64_t n_inputs)
{
    program_make(&program, seed, n_steps, n_inputs);
    check_program(&program);
    program_end(&program);
    CHECK(n_live == 0, "%ld blocks are left", n_live);
}

int main(int argc, char **argv)
{
    const int64_t n_inputs[] = {1, 4, 12, 36, 150, 1100};
    long n_cases = 0;

    if (argc ==
        5) { /* one program: seed, steps, inputs, and the allocation that is to fail, or -1 */
        fail_in = atol(argv[4]);
        run(strtoull(argv[1], NULL, 10), atoi(argv[2]), atol(argv[3]));
        return 0;
    }
    for (uint64_t seed = 0; seed < 900; seed++, n_cases++)
        run(seed, 5 + (int)(seed % 40), n_inputs[(seed + seed / 6) % 6]);
    CHECK(n_third_finite > n_third / 2, "few third derivatives: %ld of %ld", n_third_finite,
          n_third);
    printf("%ld random programs\n", n_cases);

    n_cases = 0;
    for (uint64_t seed = 2000; seed < 2060; seed++)
        for (long n = 0;; n++, n_cases++) {
            long failed = n_failed;

            fail_in = n;
            run(seed, 3 + (int)(seed % 16), seed % 2 ? 4 : 12);
            if (n_failed == failed)
                break;
        }
    fail_in = -1;
    printf("%ld programs with an allocation that fails\n", n_cases);
    return 0;
}

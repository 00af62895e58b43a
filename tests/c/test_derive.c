/* test_derive.c -- programs of derivatives, against the hyper-dual cells of random programs. */
#include "ad_jacobian.h"
#include "building.h"
#include "frozen.h"

static struct program program; /* large */
static long n_symbolic, n_compared;
static long n_both; /* Jacobians of which some entries were found by columns and some by rows */

/* Make a call that may run out of memory, and once more if it did. */
#define MAKE(call)                                                                                 \
    do {                                                                                           \
        enum ad_status make_status = (call);                                                       \
                                                                                                   \
        if (make_status) {                                                                         \
            CHECK(make_status == AD_NO_MEMORY, "%s: %s", #call, ad_status_text(make_status));      \
            make_status = (call);                                                                  \
        }                                                                                          \
        CHECK(make_status == AD_OK, "%s again: %s", #call, ad_status_text(make_status));           \
    } while (0)

/* The inputs of a program under test: those of the random program, and what derivation added. */
struct arguments {
    int n;
    const double *data[2 * MAX_VALUES];
};

static struct results replayed(struct ad_program *p, const struct arguments *args)
{
    struct results r = results_of(p);
    int failed;

    CHECK(p->n_inputs == args->n, "%d inputs, not %d", p->n_inputs, args->n);
    n_symbolic += p->tape->symbolic;
    p->tape->symbolic = false; /* all values are about to be computed */
    MAKE(ad_program_replay(p, args->data, r.output, &failed));
    CHECK(failed < 0, "guard %d fails at the inputs that were recorded", failed);
    return r;
}

enum component { D1, D2, D12 };

static double component_of(const struct cell *cell, enum component c)
{
    return c == D1 ? cell->d1 : c == D2 ? cell->d2 : cell->d12;
}

static double *direction_of(const struct program *p, enum component c)
{
    double *t = malloc(((size_t)p->value[0].size + 1) * sizeof *t);

    for (int64_t i = 0; i < p->value[0].size; i++)
        t[i] = component_of(&p->value[0].cell[i], c);
    return t;
}

/* The components of all living values, one after the other, as the outputs of frozen() are. */
static double *components(const struct program *p, enum component c)
{
    int64_t n = 0;
    double *all;

    for (int v = 0; v < p->n; v++)
        n += p->value[v].alive ? p->value[v].size : 0;
    all = malloc(((size_t)n + 1) * sizeof *all);
    n = 0;
    for (int v = 0; v < p->n; v++)
        for (int64_t j = 0; p->value[v].alive && j < p->value[v].size; j++)
            all[n++] = component_of(&p->value[v].cell[j], c);
    return all;
}

static void check_close(int64_t n, const double *got, const double *want, double scale,
                        const char *what)
{
    for (int64_t j = 0; j < n; j++)
        CHECK(close_to(got[j], want[j], scale + fabs(want[j])),
              "%s: element %" PRId64 " is %.17g, not %.17g", what, j, got[j], want[j]);
    n_compared += n;
}

/* <a, b>, and how large its terms are. */
static double dot(int64_t n, const double *a, const double *b, double *scale)
{
    double sum = 0;

    for (int64_t j = 0; j < n; j++) {
        sum += a[j] * b[j];
        *scale += fabs(a[j] * b[j]);
    }
    return sum;
}

/* Weights of the outputs, each 0 now and then; moved[k] is the block of output k. */
static double *random_weights(struct program *p, const struct ad_program *of, int64_t size,
                              struct arguments *args)
{
    double *w = malloc(((size_t)size + 1) * sizeof *w);
    int64_t at = 0;

    for (int k = 0; k < of->n_outputs; k++) {
        int64_t n = ad_view_size(&of->outputs[k]);

        args->data[args->n++] = w + at;
        for (int64_t j = 0; j < n; j++)
            w[at + j] = rng_int(&p->rng, 0, 7) ? rng_uniform(&p->rng, -1, 1) : 0;
        at += n;
    }
    return w;
}

/* Tangents, and tangents of tangents, against the cells. */
static void check_forward(struct program *p, const struct ad_program *first, const double *x)
{
    const int wanted = 0;
    struct ad_program *forward, *twice;
    double *t = direction_of(p, D1), *t2 = direction_of(p, D2), *zero, *want1 = components(p, D1),
           *want2 = components(p, D2), *want12 = components(p, D12);
    struct arguments args = {2, {x, t}};
    struct results value = results_of(first), got;

    MAKE(ad_derive_forward(first, 1, &wanted, true, &forward));
    got = replayed(forward, &args);
    CHECK(got.size == 2 * value.size, "%" PRId64 " results", got.size);
    check_close(value.size, got.data + value.size, want1, 100, "tangents");
    for (int k = 0; k < first->n_outputs; k++)
        ad_view_read(&first->outputs[k], first->tape->value, value.output[k]);
    for (int64_t j = 0; j < value.size; j++)
        CHECK(same_number(got.data[j], value.data[j]), "value %" PRId64 " of forward", j);
    results_free(&got);

    MAKE(ad_derive_forward(forward, 1, &wanted, false, &twice));
    zero = calloc((size_t)p->value[0].size + 1, sizeof *zero);
    args = (struct arguments){3, {x, t, t2}};
    got = replayed(twice, &args);
    check_close(value.size, got.data, want2, 100, "tangents along the other direction");
    check_close(value.size, got.data + value.size, want12, 1e4, "tangents of tangents");
    results_free(&got);
    ad_program_free(twice);
    ad_program_free(forward);
    results_free(&value);
    free(zero);
    free(t);
    free(t2);
    free(want1);
    free(want2);
    free(want12);
}

/* Lanes: lane l moves along s[l] times the first direction plus t[l] times the second. */
static void check_lanes(struct program *p, const struct ad_program *first, const double *x)
{
    const int wanted = 0;
    int64_t n = p->value[0].size, lanes = rng_int(&p->rng, 1, 5), at = 0;
    struct ad_program *forward, *twice;
    double *t1 = direction_of(p, D1), *t2 = direction_of(p, D2), *want1 = components(p, D1),
           *want2 = components(p, D2), *want12 = components(p, D12), s[5], t[5],
           *tangents = malloc(((size_t)(lanes * n) + 1) * sizeof *tangents);
    struct arguments args = {2, {x, tangents}};
    struct results got;

    for (int64_t l = 0; l < lanes; l++) {
        s[l] = rng_uniform(&p->rng, -1, 1);
        t[l] = rng_int(&p->rng, 0, 1) ? rng_uniform(&p->rng, -1, 1) : 0;
        for (int64_t i = 0; i < n; i++)
            tangents[l * n + i] = s[l] * t1[i] + t[l] * t2[i];
    }
    check_note("%" PRId64 " lanes\n", lanes);
    MAKE(ad_derive_forward_lanes(first, lanes, 1, &wanted, false, &forward));
    got = replayed(forward, &args);
    for (int k = 0; k < first->n_outputs; k++) {
        int64_t size = ad_view_size(&first->outputs[k]);

        CHECK(ad_view_size(&forward->outputs[k]) == lanes * size, "size of output %d", k);
        for (int64_t l = 0; l < lanes; l++)
            for (int64_t j = 0; j < size; j++) {
                double a = s[l] * want1[at + j], b = t[l] * want2[at + j],
                       found = got.output[k][l * size + j];

                CHECK(close_to(found, a + b, 100 + fabs(a) + fabs(b)),
                      "output %d[%" PRId64 "], lane %" PRId64 ": %.17g, not %.17g", k, j, l, found,
                      a + b);
            }
        at += size;
    }
    n_compared += got.size;
    results_free(&got);

    /* lane 0, along the first direction alone, moved along the second, which is one lane */
    for (int64_t i = 0; i < n * lanes; i++)
        tangents[i] = i < n ? t1[i] : 0;
    MAKE(ad_derive_forward_lanes(forward, 1, 1, &wanted, false, &twice));
    args = (struct arguments){3, {x, tangents, t2}};
    got = replayed(twice, &args);
    at = 0;
    for (int k = 0; k < first->n_outputs; k++) {
        int64_t size = ad_view_size(&first->outputs[k]);

        check_close(size, got.output[k], want12 + at, 1e4, "lanes of lanes");
        for (int64_t j = size; j < size * lanes; j++)
            CHECK(got.output[k][j] == 0 || isnan(got.output[k][j]), "a lane that does not move");
        at += size;
    }
    results_free(&got);
    ad_program_free(twice);
    ad_program_free(forward);
    free(t1);
    free(t2);
    free(want1);
    free(want2);
    free(want12);
    free(tangents);
}

/* Gradient and Hessian product along the first direction, by sweeps over the recording. */
static void sweep(struct program *p, const double *w, double *gradient, double *product)
{
    struct ad_tape *tape = p->tape;
    const struct value *x = &p->value[0];
    int32_t low = (int32_t)view_of(x).base, first = x->handle.instr + 1;
    enum ad_status status = AD_NO_MEMORY;

    for (int attempt = 0; attempt < 2 && status; attempt++) {
        const double *seed = w;

        MAKE(ad_work_begin(tape, AD_SWEEP_SECOND, low, 1));
        for (int64_t i = 0; i < x->size; i++)
            tape->work->tan[i] = x->cell[i].d1;
        for (int v = 0; v < p->n; v++) {
            struct ad_view view;

            if (!p->value[v].alive)
                continue;
            view = view_of(&p->value[v]);
            ad_work_add(tape, tape->work->adj, 1, &view, seed);
            seed += p->value[v].size;
        }
        status = ad_sweep_forward(tape, first, tape->n - 1);
        if (!status)
            status = ad_sweep_second(tape, first, tape->n - 1);
    }
    CHECK(status == AD_OK, "sweep: %s", ad_status_text(status));
    memcpy(gradient, tape->work->adj, (size_t)x->size * sizeof *gradient);
    memcpy(product, tape->work->dadj, (size_t)x->size * sizeof *product);
}

/* Adjoints against the sweep; the adjoints' tangents against the cells. */
static void check_reverse(struct program *p, const struct ad_program *first, const double *x)
{
    const int wanted = 0;
    int64_t n = p->value[0].size, size;
    struct ad_program *reverse, *product;
    struct results value = results_of(first), got;
    struct arguments args = {1, {x}};
    double *w = random_weights(p, first, value.size, &args), *t = direction_of(p, D1),
           *t2 = direction_of(p, D2), *d1 = components(p, D1), *d2 = components(p, D2),
           *d12 = components(p, D12), *gradient = malloc(((size_t)n + 1) * sizeof *gradient),
           *swept = malloc(((size_t)n + 1) * sizeof *swept),
           *curved = malloc(((size_t)n + 1) * sizeof *curved), scale, a, b;

    size = value.size;
    MAKE(ad_derive_reverse(first, 1, &wanted, false, true, &reverse));
    got = replayed(reverse, &args);
    CHECK(got.size == size + n, "%" PRId64 " results", got.size);
    memcpy(gradient, got.data + size, (size_t)n * sizeof *gradient);
    results_free(&got);
    sweep(p, w, swept, curved);
    check_close(n, gradient, swept, 100, "adjoints");
    for (int k = 0; k < 2; k++) {
        scale = 0;
        a = dot(n, k ? t2 : t, gradient, &scale);
        b = dot(size, k ? d2 : d1, w, &scale);
        CHECK(close_to(a, b, scale), "<J'w, v> = %.17g, <w, Jv> = %.17g", a, b);
    }

    MAKE(ad_derive_forward(reverse, 1, &wanted, true, &product));
    args.data[args.n++] = t;
    got = replayed(product, &args);
    CHECK(got.size == 2 * (size + n), "%" PRId64 " results", got.size);
    check_close(n, got.data + size, gradient, 0, "the adjoints again");
    check_close(size, got.data + size + n, d1, 100, "tangents of kept outputs");
    check_close(n, got.data + 2 * size + n, curved, 100, "tangents of adjoints");
    scale = 100;
    a = dot(n, t2, got.data + 2 * size + n, &scale);
    b = dot(size, d12, w, &scale);
    CHECK(close_to(a, b, scale), "<v, Hu> = %.17g, not %.17g", a, b);
    results_free(&got);
    ad_program_free(product);
    ad_program_free(reverse);
    results_free(&value);
    free(w);
    free(t);
    free(t2);
    free(d1);
    free(d2);
    free(d12);
    free(gradient);
    free(swept);
    free(curved);
}

/* ---- Jacobians and Hessians ---- */

/* The same program with its input in two parts, the first of n inputs. */
static enum ad_status split_input(const struct ad_program *from, int64_t n, struct ad_program **to)
{
    struct ad_program none = *from;
    struct ad_rewrite r;
    int64_t size = ad_view_size(&from->inputs[0]), rest = size - n;
    struct ad_view parts[2], own[2], whole;
    enum ad_status status;

    none.n_inputs = 0;
    status = ad_rewrite_begin(&r, &none);
    for (int k = 0; k < 2 && !status; k++)
        status = ad_program_add_input(r.to, 1, k ? &rest : &n, NULL);
    if (!status)
        r.to->tape->symbolic = false;
    for (int k = 0; k < 2 && !status; k++) {
        parts[k] = r.to->inputs[k];
        own[k] = ad_view_slots(k ? n : 0, 1, k ? &rest : &n);
        own[k].place = AD_OWN;
        for (int64_t j = 0; j < ad_view_size(&parts[k]); j++)
            r.to->tape->value[parts[k].base + j] = from->tape->value[(k ? n : 0) + j];
    }
    if (!status)
        status = ad_record_addto(r.to->tape, size, 2, parts, own, &whole);
    if (!status)
        ad_rewrite_results(&r, 0, (int32_t)whole.base);
    for (int32_t i = 1; i < from->tape->n && !status; i++)
        status = ad_rewrite_copy(&r, i);
    return ad_rewrite_end(&r, status, to);
}

/* The program of the sum of all outputs times weights. */
static enum ad_status weighed_sum(const struct ad_program *from, const double *w,
                                  struct ad_program **to)
{
    struct ad_rewrite r;
    struct ad_view from_views[MAX_VALUES], own[MAX_VALUES], sum, output, weights;
    const struct ad_view *args[AD_MAX_ARGS] = {&output, &weights};
    enum ad_status status = ad_rewrite_begin(&r, from);
    int n = 0;

    for (int32_t i = from->n_inputs; i < from->tape->n && !status; i++)
        status = ad_rewrite_copy(&r, i);
    for (int k = 0; k < from->n_outputs && !status; k++) {
        status = ad_rewrite_view(&r, &from->outputs[k], &output);
        if (status)
            break;
        weights = ad_view_slots(0, output.ndim, output.shape);
        weights.place = AD_ARRAY;
        weights.in.array = ad_array_copy(w, ad_view_size(&output));
        w += ad_view_size(&output);
        status = weights.in.array ? ad_record_op(r.to->tape, AD_OP_mul, 0, args, &from_views[n])
                                  : AD_NO_MEMORY;
        if (weights.in.array)
            ad_array_drop(weights.in.array);
        ad_view_drop(&output);
        own[n] = from_views[n];
        own[n].place = AD_OWN;
        own[n].base = 0;
        memset(own[n].stride, 0, sizeof own[n].stride);
        n += !status;
    }
    if (!status)
        status = ad_record_addto(r.to->tape, 1, n, from_views, own, &sum);
    status = ad_rewrite_end(&r, status, to);
    if (status)
        return status;
    return only_output(to, sum.base);
}

/* Blocks of a Jacobian: rows of the outputs, columns of two inputs, together as one matrix times t. */
static void times(const struct ad_program *from, double *const *block, const double *t,
                  double *product)
{
    for (int o = 0; o < from->n_outputs; o++) {
        int64_t rows = ad_view_size(&from->outputs[o]), at = 0;

        for (int64_t r = 0; r < rows; r++)
            product[r] = 0;
        for (int w = 0; w < from->n_inputs; w++) {
            int64_t columns = ad_view_size(&from->inputs[w]);

            for (int64_t r = 0; r < rows; r++)
                for (int64_t c = 0; c < columns; c++)
                    if (block[o * from->n_inputs + w][r * columns + c] != 0 && t[at + c] != 0)
                        product[r] += block[o * from->n_inputs + w][r * columns + c] * t[at + c];
            at += columns;
        }
        product += rows;
    }
}

static void check_jacobian(struct program *p, const struct ad_program *first, const double *x)
{
    const int wanted[2] = {0, 1};
    const enum ad_jacobian_mode modes[] = {AD_JACOBIAN_AUTO, AD_JACOBIAN_FORWARD,
                                           AD_JACOBIAN_REVERSE};
    int64_t n = p->value[0].size, cut = rng_int(&p->rng, 0, n);
    struct ad_program *split, *jacobian;
    struct results value = results_of(first), got;
    struct arguments args = {2, {x, x + cut}};
    double *t[2] = {direction_of(p, D1), direction_of(p, D2)},
           *want[2] = {components(p, D1), components(p, D2)},
           *product = malloc(((size_t)value.size + 1) * sizeof *product);

    MAKE(split_input(first, cut, &split));
    for (int m = 0; m < 3; m++) {
        bool keep = rng_int(&p->rng, 0, 1);

        if (m == 2 && value.size > 600)
            continue;
        MAKE(ad_derive_jacobian(split, 2, wanted, modes[m], keep, &jacobian));
        got = replayed(jacobian, &args);
        CHECK(got.size == value.size * (n + keep), "size %" PRId64, got.size);
        for (int k = 0; k < 2; k++) {
            times(split, got.output + (keep ? first->n_outputs : 0), t[k], product);
            check_close(value.size, product, want[k], 1000, "Jacobian times direction");
        }
        results_free(&got);
        ad_program_free(jacobian);
    }
    ad_program_free(split);
    results_free(&value);
    free(product);
    for (int k = 0; k < 2; k++) {
        free(t[k]);
        free(want[k]);
    }
}

/* Entries alone, by every way: times the direction they are the tangents. */
static void check_sparse_jacobian(struct program *p, const struct ad_program *first,
                                  const double *x)
{
    const int wanted[2] = {0, 1};
    const enum ad_jacobian_mode modes[] = {AD_JACOBIAN_AUTO, AD_JACOBIAN_FORWARD,
                                           AD_JACOBIAN_REVERSE, AD_JACOBIAN_BOTH};
    int64_t n = p->value[0].size, cut = rng_int(&p->rng, 0, n);
    struct ad_program *split, *jacobian;
    struct results value = results_of(first), got;
    struct arguments args = {2, {x, x + cut}};
    double *t = direction_of(p, D1), *want = components(p, D1),
           *product = malloc(((size_t)value.size + 1) * sizeof *product);

    MAKE(split_input(first, cut, &split));
    for (int m = 0; m < 4; m++) {
        bool keep = rng_int(&p->rng, 0, 1);
        struct ad_pattern entries;
        struct ad_jacobian_lanes lanes;
        const double *entry;

        if (m == 2 && value.size > 600)
            continue;
        MAKE(ad_derive_sparse_jacobian(split, 2, wanted, modes[m], keep, &entries, &lanes,
                                       &jacobian));
        n_both += lanes.forward && lanes.reverse;
        CHECK(entries.n_rows == value.size && entries.n_columns == n, "shape of the pattern");
        CHECK(jacobian->n_inputs == 2, "%d inputs", jacobian->n_inputs);
        got = replayed(jacobian, &args);
        CHECK(got.size == entries.start[value.size] + (keep ? value.size : 0), "size %" PRId64,
              got.size);
        entry = got.output[keep ? first->n_outputs : 0];
        for (int64_t r = 0; r < value.size; r++) {
            product[r] = 0;
            for (int64_t k = entries.start[r]; k < entries.start[r + 1]; k++)
                if (entry[k] != 0)
                    product[r] += entry[k] * t[entries.column[k]];
        }
        check_close(value.size, product, want, 1000, "sparse Jacobian times direction");
        results_free(&got);
        ad_pattern_free(&entries);
        ad_program_free(jacobian);
    }
    ad_program_free(split);
    results_free(&value);
    free(product);
    free(t);
    free(want);
}

/* x[0] * x**2 and sum(x): a dense column, a dense row and a diagonal, in closed form. */
static void check_crossed(int64_t n)
{
    const int wanted[1] = {0};
    const enum ad_jacobian_mode modes[] = {AD_JACOBIAN_AUTO, AD_JACOBIAN_BOTH};
    double *x = malloc((size_t)n * sizeof *x);
    struct arguments args = {1, {x}};
    struct ad_program *p;
    struct ad_view first, f;

    for (int64_t i = 0; i < n; i++)
        x[i] = 0.25 + 0.5 * (double)(i % 5);
    p = program_of(n, x);
    first = slice(p->inputs[0], 0, 1);
    first.ndim = 0;
    f = op(p, AD_OP_mul, op(p, AD_OP_square, p->inputs[0], p->inputs[0]), first);
    ok(ad_program_add_output(p, &f));
    f = sum(p, p->inputs[0]);
    ok(ad_program_add_output(p, &f));
    for (int m = 0; m < 2; m++) {
        struct ad_pattern entries;
        struct ad_jacobian_lanes lanes;
        struct ad_program *jacobian;
        struct results got;

        ok(ad_derive_sparse_jacobian(p, 1, wanted, modes[m], false, &entries, &lanes, &jacobian));
        n_both += lanes.forward && lanes.reverse;
        CHECK(entries.n_rows == n + 1 && entries.start[n + 1] == 3 * n - 1, "crossed pattern");
        got = replayed(jacobian, &args);
        for (int64_t r = 0; r <= n; r++)
            for (int64_t k = entries.start[r]; k < entries.start[r + 1]; k++) {
                int64_t c = entries.column[k];
                double want =
                    r == n ? 1 : (c == 0 ? x[r] * x[r] : 0) + (c == r ? 2 * x[r] * x[0] : 0);

                CHECK(close_to(got.data[k], want, 1), "crossed [%" PRId64 ", %" PRId64 "]", r, c);
            }
        results_free(&got);
        ad_pattern_free(&entries);
        ad_program_free(jacobian);
    }
    ad_program_free(p);
    free(x);
}

static void check_hessian(struct program *p, const struct ad_program *first, const double *x)
{
    const int wanted[2] = {0, 1};
    int64_t n = p->value[0].size, cut = rng_int(&p->rng, 0, n);
    bool keep = rng_int(&p->rng, 0, 1);
    struct ad_program *split, *sum, *hessian;
    struct results value = results_of(first), got;
    struct arguments args = {2, {x, x + cut}}, none = {0, {NULL}};
    double *w = random_weights(p, first, value.size, &none), *t = direction_of(p, D1),
           *gradient = malloc(((size_t)n + 1) * sizeof *gradient),
           *curved = malloc(((size_t)n + 1) * sizeof *curved),
           *product = calloc((size_t)n + 1, sizeof *product);
    int64_t size[2] = {cut, n - cut}, row = 0;

    sweep(p, w, gradient, curved);
    MAKE(weighed_sum(first, w, &sum));
    MAKE(split_input(sum, cut, &split));
    MAKE(ad_derive_hessian(split, 2, wanted, keep, &hessian));
    got = replayed(hessian, &args);
    CHECK(got.size == n * n + (keep ? 1 + n : 0), "size %" PRId64, got.size);
    if (keep)
        check_close(n, got.data + 1, gradient, 100, "gradient of Hessian");
    for (int a = 0; a < 2; a++) {
        for (int64_t r = 0; r < size[a]; r++, row++)
            for (int b = 0; b < 2; b++)
                for (int64_t c = 0; c < size[b]; c++) {
                    double entry = got.output[(keep ? 3 : 0) + 2 * a + b][r * size[b] + c],
                           other = got.output[(keep ? 3 : 0) + 2 * b + a][c * size[a] + r];

                    CHECK(close_to(entry, other, 1000 + fabs(entry)), "not symmetric");
                    if (entry != 0)
                        product[row] += entry * t[(b ? cut : 0) + c];
                }
    }
    check_close(n, product, curved, 1e4, "Hessian times direction");
    results_free(&got);
    ad_program_free(hessian);
    ad_program_free(split);
    ad_program_free(sum);
    results_free(&value);
    free(w);
    free(t);
    free(gradient);
    free(curved);
    free(product);
}

static void run(uint64_t seed, int n_steps, int64_t n_inputs, long fail)
{
    struct ad_program *first;
    double *x;

    program_make(&program, seed, n_steps, n_inputs);
    first = frozen(&program);
    x = recorded_inputs(&program);
    fail_in = fail;
    check_forward(&program, first, x);
    check_lanes(&program, first, x);
    check_reverse(&program, first, x);
    if (n_inputs <= 40) {
        check_jacobian(&program, first, x);
        check_sparse_jacobian(&program, first, x);
        check_hessian(&program, first, x);
    }
    fail_in = -1;
    ad_program_free(first);
    free(x);
    program_end(&program);
    CHECK(n_live == 0, "%ld blocks are left", n_live);
}

int main(int argc, char **argv)
{
    const int64_t n_inputs[] = {1, 4, 12, 36, 150, 1100};
    long n_cases = 0;

    if (program_named(argc, argv, run))
        return 0;
    for (int64_t n = 4; n < 20; n++)
        check_crossed(n);
    for (uint64_t seed = 0; seed < 160; seed++)
        run(seed, 5 + (int)(seed % 40), n_inputs[(seed + seed / 6) % 6], -1);
    CHECK(n_symbolic > 100, "few symbolic tapes");
    CHECK(n_both > 10, "few Jacobians by columns and rows both");
    for (uint64_t seed = 2000; seed < 2016; seed++)
        for (long n = 0;; n += 1 + n / 40, n_cases++) { /* fewer where there are many */
            long failed = n_failed;

            run(seed, 3 + (int)(seed % 16), seed % 2 ? 4 : 7, n);
            if (n_failed == failed)
                break;
        }
    printf("test_derive: ok, %ld numbers, %ld with an allocation that fails\n", n_compared,
           n_cases);
    return 0;
}

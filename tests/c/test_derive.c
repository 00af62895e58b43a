/* test_derive.c -- programs of derivatives, against the hyper-dual cells of random programs. */
#include "ad_derive.h"
#include "frozen.h"

static struct program program; /* large */
static long n_symbolic, n_compared;

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

static void run(uint64_t seed, int n_steps, int64_t n_inputs, long fail)
{
    struct ad_program *first;
    double *x;

    check_clear();
    program_begin(&program, seed, n_inputs);
    for (int i = 0; i < n_steps && program.n < MAX_VALUES - 2; i++)
        program_step(&program);
    first = frozen(&program);
    CHECK(first != NULL, "not frozen");
    x = recorded_inputs(&program);
    fail_in = fail;
    check_forward(&program, first, x);
    check_reverse(&program, first, x);
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

    if (argc ==
        5) { /* one program: seed, steps, inputs, and the allocation that is to fail, or -1 */
        run(strtoull(argv[1], NULL, 10), atoi(argv[2]), atol(argv[3]), atol(argv[4]));
        return 0;
    }
    for (uint64_t seed = 0; seed < 600; seed++)
        run(seed, 5 + (int)(seed % 40), n_inputs[(seed + seed / 6) % 6], -1);
    CHECK(n_symbolic > 100, "few symbolic tapes");
    for (uint64_t seed = 2000; seed < 2030; seed++)
        for (long n = 0;; n++, n_cases++) {
            long failed = n_failed;

            run(seed, 3 + (int)(seed % 16), seed % 2 ? 4 : 12, n);
            if (n_failed == failed)
                break;
        }
    printf("test_derive: ok, %ld numbers, %ld with an allocation that fails\n", n_compared,
           n_cases);
    return 0;
}

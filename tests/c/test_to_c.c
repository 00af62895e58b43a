/* test_to_c.c -- the C of programs, compiled and called: as ad_program_replay() has it, bit by bit.
 *
 * All functions go into one file, which is compiled with warnings as errors.  Functions of the C library are not
 * to be computed by the compiler, whose digits are others. */
#include <dlfcn.h>

#include "ad_to_c.h"
#include "frozen.h"
#include "op_outputs.h"

#define FILE_NAME "build/c/written"
#define COMPILE                                                                                    \
    " -std=c99 -O1 -pedantic -Wall -Wextra -Werror -fno-math-errno -fno-trapping-math "            \
    "-ffp-contract=off -fno-builtin -Isrc_c -shared -fPIC -o " FILE_NAME ".so " FILE_NAME ".c "    \
    "src_c/ad_special.c -lm"

enum { MOST_CASES = 500 };
typedef int function_of_doubles(const double *const *, double *const *, double *);

static struct program program; /* large */
static struct {
    struct ad_program *program;
    int64_t n_inputs, n_work;
    double *x;
} cases[MOST_CASES];
static int n_cases;
static struct ad_text texts;
static uint8_t ops[AD_N_OPS];
static long n_calls, n_guards_failed;

/* Write a program, whose inputs are n numbers; takes both over. */
static void add_case(struct ad_program *p, double *x, int64_t n)
{
    struct ad_c_function function;
    char name[16];
    enum ad_status status;

    CHECK(n_cases < MOST_CASES, "too many cases");
    snprintf(name, sizeof name, "f%d", n_cases);
    status = ad_to_c(p, name, &function);
    CHECK(status == AD_OK, "to_c: %s", ad_status_text(status));
    for (int op = 0; op < AD_N_OPS; op++)
        ops[op] |= function.ops[op];
    ad_text_join(&texts, &function.text);
    cases[n_cases].program = p;
    cases[n_cases].x = x;
    cases[n_cases].n_inputs = n;
    cases[n_cases++].n_work = function.n_work;
    ad_c_function_free(&function);
}

/* A program with a rule of the user's cannot be written, unless nothing needs the rule. */
static void refuse(struct ad_program *p)
{
    struct ad_c_function function;
    enum ad_status status = ad_to_c(p, "f", &function);

    CHECK(status == AD_OK || status == AD_CALL_FAILED, "to_c: %s", ad_status_text(status));
    CHECK(status == AD_OK ||
              (function.call >= 0 && ad_tape_code(p->tape, function.call) == AD_CALL),
          "instruction %d is no rule", function.call);
    n_calls += status != AD_OK;
    ad_c_function_free(&function);
}

static void *load_all(void)
{
    const char *compiler = getenv("CC");
    struct ad_text file = {NULL, 0, 0, false}, command = {NULL, 0, 0, false};
    FILE *to = fopen(FILE_NAME ".c", "w");
    void *library;

    ad_text_add(&file, "#include \"ad_c_runtime.h\"\n#include \"ad_special.h\"\n");
    ad_c_ops(&file, ops, false);
    for (int k = 0; k < n_cases; k++)
        ad_text_add(&file, "int f%d(const double *const *, double *const *, double *);\n", k);
    ad_text_join(&file, &texts);
    CHECK(!file.failed && to && fputs(file.data, to) >= 0 && !fclose(to), "no file");
    ad_text_add(&command, "%s" COMPILE, compiler ? compiler : "cc");
    CHECK(!system(command.data), "the C that was written does not compile: %s", command.data);
    library = dlopen("./" FILE_NAME ".so", RTLD_NOW);
    CHECK(library != NULL, "%s", dlerror());
    ad_text_free(&file);
    ad_text_free(&command);
    return library;
}

static void call_case(void *library, int k)
{
    struct ad_program *p = cases[k].program;
    struct results a = results_of(p), b = results_of(p);
    const double *input = cases[k].x;
    double *work = malloc(((size_t)cases[k].n_work + 1) * sizeof *work);
    function_of_doubles *function;
    void *symbol;
    char name[16];

    check_clear();
    snprintf(name, sizeof name, "f%d", k);
    check_note("%s\n", name);
    symbol = dlsym(library, name);
    CHECK(symbol != NULL, "no function");
    memcpy(&function, &symbol, sizeof function);
    for (int round = 0; round < 3; round++) {
        int failed, failed_here;

        for (int64_t j = 0; j < cases[k].n_work; j++)
            work[j] = 1e300; /* any numbers */
        CHECK(ad_program_replay(p, &input, a.output, &failed) == AD_OK, "replay");
        failed_here = function(&input, b.output, work);
        CHECK(failed == failed_here, "guard %d fails, not %d", failed_here, failed);
        if (failed < 0)
            check_same_results(&b, &a, "C");
        n_guards_failed += failed >= 0;
        for (int64_t i = 0; i < cases[k].n_inputs; i++)
            cases[k].x[i] += 0.25 * (double)(i % (3 + round));
    }
    free(work);
    results_free(&a);
    results_free(&b);
}

/* ---- cases ---- */

static struct ad_program *random_program(uint64_t seed, int length, int64_t n_inputs)
{
    struct ad_program *p;

    program_make(&program, seed, length, n_inputs);
    p = frozen(&program);
    return p;
}

static void add_random(uint64_t seed, int length, int64_t n_inputs)
{
    struct ad_program *p = random_program(seed, length, n_inputs);
    double *x = recorded_inputs(&program);

    if (seed % 2) /* without decisions results are compared for other inputs too */
        while (p->n_guards > 0) {
            ad_view_drop(&p->guards[--p->n_guards].view);
            free(p->guards[p->n_guards].expected);
        }
    if (n_rules > 0) {
        refuse(p);
        ad_program_free(p);
        free(x);
        program_end(&program);
    } else {
        program_end(&program);
        add_case(p, x, n_inputs);
    }
}

/* Every op over numbers, a few elements, rows and many of them, in several kinds of views. */
static void add_op(enum ad_op op, struct rng *rng)
{
    static const int64_t shapes[][2] = {{0, 0},   {1, 0},  {5, 0},  {8, 0},
                                        {700, 0}, {4, 80}, {70, 10}};
    enum { N = 2000 };
    struct ad_program *p = ad_program_new();
    double *x = malloc(N * sizeof *x);
    struct ad_array *array;

    for (int j = 0; j < N; j++)
        x[j] = rng_int(rng, 0, 9) ? rng_uniform(rng, 0.1, 0.9) : 0;
    array = ad_array_copy(x, N);
    CHECK(p && array && !ad_program_add_input(p, 1, &(int64_t){N}, x), "no program");
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        for (int round = 0; round < 4; round++)
            add_op_outputs(p, op, rng, shapes[k], 500, array);
    ad_array_drop(array);
    add_case(p, x, N);
}

/* 'steps' steps of a loop over scalars, and as many that look back at what they found, from the last to the first.
 * If they are not all 'alike', what they keep and a number in them alternate, and both loops have the same ops. */
static struct ad_program *loop_of_scalars(int steps, bool alike, double **x)
{
    struct ad_program *p = ad_program_new();
    struct ad_view u, v, kept[1000];
    const struct ad_view *args[2];

    *x = malloc(3 * sizeof **x);
    (*x)[0] = 0.3;
    (*x)[1] = 0.7;
    (*x)[2] = 0.2;
    CHECK(p && steps <= 1000 && !ad_program_add_input(p, 1, &(int64_t){3}, *x), "no program");
    u = ad_view_slots(0, 0, NULL);
    v = ad_view_slots(1, 0, NULL);
    for (int k = 0; k < 2 * steps; k++) {
        static const enum ad_op steps_ops[] = {AD_OP_mul, AD_OP_sub, AD_OP_mul, AD_OP_add,
                                               AD_OP_sin, AD_OP_sub, AD_OP_mul0};
        struct ad_view number = ad_view_number(k % 2 && !alike ? 0.01 : 0.02),
                       other = ad_view_slots(2, 0, NULL);

        for (int j = 0; j < 7; j++) {
            struct ad_view result;

            args[0] = j % 2 ? &v : &u;
            args[1] = j == 0                 ? &number
                      : j == 2               ? &other
                      : j == 3               ? &u
                      : j == 6 && k >= steps ? &kept[2 * steps - 1 - k]
                                             : &v;
            CHECK(!ad_record_op(p->tape, j == 6 && k < steps && alike ? AD_OP_mul : steps_ops[j], 0,
                                args, &result),
                  "op");
            if (j % 2)
                v = result;
            else
                u = result;
        }
        if (k < steps)
            kept[k] = k % 2 && !alike ? u : v;
    }
    CHECK(!ad_program_add_output(p, &u) && !ad_program_add_output(p, &v), "output");
    return p;
}

static void test_length(void)
{
    size_t n[2];

    for (int k = 0; k < 2; k++) {
        struct ad_c_function function;
        double *x;
        struct ad_program *p = loop_of_scalars(k ? 1000 : 100, true, &x);

        CHECK(!ad_to_c(p, "f", &function), "to_c");
        n[k] = function.text.n;
        ad_c_function_free(&function);
        ad_program_free(p);
        free(x);
    }
    CHECK(n[1] < n[0] + n[0] / 10 /* longer numbers */,
          "%zu characters for 1000 steps, %zu for 100", n[1], n[0]);
}

static void test_no_memory(void)
{
    for (uint64_t seed = 2000; seed < 2020; seed++)
        for (long n = 0;; n++) {
            struct ad_program *p = random_program(seed, 3 + (int)(seed % 16), seed % 2 ? 4 : 12);
            struct ad_c_function function;
            long failed = n_failed;
            enum ad_status status;

            fail_in = n;
            status = ad_to_c(p, "f", &function);
            fail_in = -1;
            CHECK(status == AD_OK || status == AD_NO_MEMORY || status == AD_CALL_FAILED, "to_c: %s",
                  ad_status_text(status));
            ad_c_function_free(&function);
            ad_program_free(p);
            program_end(&program);
            CHECK(n_live == 0, "%ld blocks are left", n_live);
            if (n_failed == failed)
                break;
            CHECK(status != AD_OK, "it works without memory");
        }
}

int main(void)
{
    const int64_t n_inputs[] = {1, 4, 12, 36, 150, 1100};
    struct rng rng = {11};
    double *x;
    struct ad_program *p;
    void *library;

    test_no_memory();
    test_length();
    for (int op = 0; op < AD_N_OPS; op++)
        add_op((enum ad_op)op, &rng);
    for (int k = 0; k < 6; k++) {
        p = loop_of_scalars((const int[]){1, 7, 200}[k / 2], k % 2 == 0, &x);
        add_case(p, x, 3);
    }
    for (uint64_t seed = 0; seed < 160; seed++)
        add_random(seed, 5 + (int)(seed % 40), n_inputs[(seed + seed / 6) % 6]);
    library = load_all();
    for (int k = 0; k < n_cases; k++) {
        call_case(library, k);
        ad_program_free(cases[k].program);
        free(cases[k].x);
    }
    ad_text_free(&texts);
    dlclose(library);
    CHECK(n_calls > 0 && n_guards_failed > 0, "no rule, or no guard, was met");
    printf("test_to_c: ok, %d functions, %ld guards that fail, %ld programs with rules\n", n_cases,
           n_guards_failed, n_calls);
    return 0;
}

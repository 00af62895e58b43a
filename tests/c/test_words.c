/* test_words.c -- every word, by itself and done at once with others, in every variant of the loop over
 * words that this processor can run, beside its plain meaning: element by element, by ad_op_value(). */
#include <float.h>

#include "ad_frame.h"
#include "ad_run.h"
#include "check.h"

enum {
    VECTORS = 12, /* of AD_SHORT numbers each, and behind them: */
    SCALARS = 24,
    N_FRAME = VECTORS * AD_SHORT + SCALARS + AD_SHORT,
    LONGEST = 40 /* sequence of words */
};

static long n_runs[AD_N_TARGETS], n_done[AD_N_WORDS]; /* of each target, and of each code */

/* ---- what a word means ---- */

struct meaning {
    enum ad_op op;
    bool is_short;
    unsigned single; /* bit i: operand i is one number */
};

/* Of a word that is not done at once with others, and has an op. */
static struct meaning meaning_of(int32_t code)
{
    switch (code) {
#define UNARY_MEANS(name)                                                                          \
    case AD_WORD_SHORT_##name:                                                                     \
        return (struct meaning){AD_OP_##name, true, 0};
#define BINARY_MEANS(name)                                                                         \
    case AD_WORD_SHORT_##name:                                                                     \
        return (struct meaning){AD_OP_##name, true, 0};                                            \
    case AD_WORD_SHORT_##name##_1:                                                                 \
        return (struct meaning){AD_OP_##name, true, 1};                                            \
    case AD_WORD_SHORT_##name##_2:                                                                 \
        return (struct meaning){AD_OP_##name, true, 2};
        AD_SHORT_UNARY(UNARY_MEANS)
        AD_SHORT_BINARY(BINARY_MEANS)
    default:
        CHECK(code < AD_N_OPS, "word %d has no op", code);
        return (struct meaning){(enum ad_op)code, false, 0};
    }
}

/* Carries out n words, all as ad_lower.c makes them, before ad_words_fuse(). */
static void carry_out(const struct ad_word_of_run *word, int n, double *v)
{
    for (int k = 0; k < n; k++) {
        struct meaning means;
        double y[AD_SHORT], *to = v + word[k].d;
        const double *a = v + word[k].a, *b = v + word[k].b;

        if (word[k].code == AD_WORD_ADD || word[k].code == AD_WORD_FIRST) {
            *to = (word[k].code == AD_WORD_ADD ? *to : 0.0) + *a;
            continue;
        }
        means = meaning_of(word[k].code == AD_WORD_VALUE ? word[k + 1].code : word[k].code);
        for (int j = 0; j < (means.is_short ? AD_SHORT : 1); j++) {
            double z = b[means.single & 2 ? 0 : j];

            y[j] = ad_op_value(means.op, z, a[means.single & 1 ? 0 : j], z, 0);
        }
        memcpy(to, y, (means.is_short ? AD_SHORT : 1) * sizeof *y);
        k += word[k].code == AD_WORD_VALUE;
    }
}

/* ---- numbers and places ---- */

static void fill(struct rng *rng, double *v)
{
    static const double special[] = {0, -0.0, 1, -1, INFINITY, -INFINITY, NAN, DBL_MIN / 4, -1e308};
    int64_t most = rng_int(rng, 0, 3); /* the fewer of them, the further finite numbers come */

    for (int j = 0; j < N_FRAME; j++)
        v[j] = rng_int(rng, 0, 9) < 2 * most
                   ? special[rng_int(rng, 0, sizeof special / sizeof *special - 1)]
                   : rng_uniform(rng, -2, 2);
}

static int32_t any_vector(struct rng *rng)
{
    return (int32_t)(AD_SHORT * rng_int(rng, 0, VECTORS - 1));
}

static int32_t any_number(struct rng *rng)
{
    return (int32_t)rng_int(rng, rng_int(rng, 0, 3) ? VECTORS * AD_SHORT : 0,
                            N_FRAME - AD_SHORT - 1);
}

/* Eight numbers, seldom those of two vectors: but then with the same rule as ad_fuse.c's, that a result is
 * an operand, or no part of one. */
static int32_t any_operand(struct rng *rng, int32_t d)
{
    int32_t at = any_vector(rng), odd = (int32_t)rng_int(rng, 0, AD_SHORT * (VECTORS - 1));

    return rng_int(rng, 0, 5) || (odd < d + AD_SHORT && d < odd + AD_SHORT) ? at : odd;
}

/* A word with this code, whose operands are often the result of the word before. */
static void make_word(struct rng *rng, int32_t code, const struct ad_word_of_run *before,
                      struct ad_word_of_run *word)
{
    struct meaning means = {AD_OP_add, false, 0};
    int32_t at[2];

    if (code < AD_N_OPS || code >= AD_WORD_END)
        means = meaning_of(code);
    word->code = code;
    word->d = means.is_short ? any_vector(rng) : any_number(rng);
    for (int k = 0; k < 2; k++) {
        bool vector = means.is_short && !(means.single >> k & 1);

        at[k] = vector ? any_operand(rng, word->d) : any_number(rng);
        if (before && rng_int(rng, 0, 2) == 0 && (!vector || before->d % AD_SHORT == 0) &&
            before->d + AD_SHORT <= N_FRAME)
            at[k] = before->d;
    }
    word->a = at[0];
    word->b = at[1];
}

/* ---- the comparison ---- */

static void count_codes(const struct ad_word_of_run *word, int n)
{
    for (int k = 0; k < n; k += ad_words_at_once(word + k))
        n_done[word[k].code]++;
}

/* n words, and room for one more, by each target and by what they mean. */
static void compare(struct rng *rng, struct ad_word_of_run *word, int n)
{
    static double before[N_FRAME], expected[N_FRAME], value[N_FRAME];
    static const struct ad_plan no_plan; /* of moves, which are not words */
    struct ad_frame frame = {.value = value};

    fill(rng, before);
    memcpy(expected, before, sizeof before);
    carry_out(word, n, expected);
    word[n] = (struct ad_word_of_run){.code = AD_WORD_END};
    check_clear();
    for (int k = 0; k < n; k++)
        check_note("word %d: %d to %d of %d, %d\n", k, word[k].code, word[k].d, word[k].a,
                   word[k].b);
    ad_words_fuse(word, n + 1);
    count_codes(word, n);
    for (int target = 0; target < AD_N_TARGETS; target++) {
        if (!ad_target_is_usable((enum ad_target)target))
            continue;
        memcpy(value, before, sizeof before);
        ad_run_words_for((enum ad_target)target, &no_plan, word, &frame);
        for (int j = 0; j < N_FRAME; j++)
            CHECK(same_number(value[j], expected[j]), "target %d: number %d is %.17g, not %.17g",
                  target, j, value[j], expected[j]);
        n_runs[target]++;
    }
}

/* Is this a code of ad_lower.c's, for a word by itself? */
static bool is_plain(int32_t code)
{
    if (code < AD_N_OPS)
        return ad_ops[code].n_args <= 2 && !ad_ops[code].family;
    return code != AD_WORD_MOVE && code != AD_WORD_VALUE && code != AD_WORD_END &&
           code < AD_WORD_TWO;
}

static void test_alone(struct rng *rng)
{
    struct ad_word_of_run word[3];

    for (int round = 0; round < 60; round++)
        for (int32_t code = 0; code < AD_WORD_TWO; code++) {
            if (code < AD_N_OPS && ad_ops[code].n_args <= 2 && !ad_ops[code].family) {
                make_word(rng, code, NULL, word);
                word->code = AD_WORD_VALUE;
                word[1] = (struct ad_word_of_run){.code = code};
                compare(rng, word, 2);
            }
            if (is_plain(code)) {
                make_word(rng, code, NULL, word);
                compare(rng, word, 1);
            }
        }
}

/* A family's parameter is operand b. */
static void test_families(struct rng *rng)
{
    struct ad_word_of_run word[2];

    for (int32_t code = 0; code < AD_N_OPS; code++)
        if (ad_ops[code].family) {
            double v[3], expected;
            struct ad_frame frame = {.value = v};
            static const struct ad_plan no_plan;

            for (int n = 0; n < 4; n++)
                for (int target = 0; target < AD_N_TARGETS; target++) {
                    v[0] = rng_uniform(rng, 0.1, 3);
                    v[1] = n;
                    expected = ad_op_value((enum ad_op)code, n, v[0], n, 0);
                    word[0] = (struct ad_word_of_run){code, 2, 0, 1};
                    word[1] = (struct ad_word_of_run){.code = AD_WORD_END};
                    if (!ad_target_is_usable((enum ad_target)target))
                        continue;
                    ad_run_words_for((enum ad_target)target, &no_plan, word, &frame);
                    CHECK(same_number(v[2], expected), "%s: %.17g, not %.17g", ad_ops[code].name,
                          v[2], expected);
                    n_done[code]++;
                }
        }
}

/* What is done at once, and what must not be, in places that often have something in common. */
static void test_sequences(struct rng *rng)
{
    static const int32_t codes[] = {
        AD_OP_add,
        AD_OP_sub,
        AD_OP_mul,
        AD_OP_mul0,
        AD_OP_neg,
        AD_WORD_ADD,
        AD_WORD_FIRST,
        AD_WORD_SHORT_neg,
        AD_WORD_SHORT_add,
        AD_WORD_SHORT_add,
        AD_WORD_SHORT_add,
        AD_WORD_SHORT_add,
        AD_WORD_SHORT_sub,
        AD_WORD_SHORT_sub,
        AD_WORD_SHORT_add_1,
        AD_WORD_SHORT_mul,
        AD_WORD_SHORT_mul0_1,
        AD_WORD_SHORT_flow_2,
        AD_WORD_SHORT_mul_2,
        AD_WORD_SHORT_mul0_2,
        AD_WORD_SHORT_mul00_2,
    };
    struct ad_word_of_run word[LONGEST + 1];

    for (int round = 0; round < 40000; round++) {
        int n = (int)rng_int(rng, 2, LONGEST);
        int32_t again = 0; /* products come several at a time */

        for (int k = 0; k < n; k++) {
            int32_t code = codes[rng_int(rng, 0, sizeof codes / sizeof *codes - 1)];

            if (rng_int(rng, 0, 1) && again)
                code = rng_int(rng, 0, 1) ? again : AD_WORD_SHORT_add;
            make_word(rng, code, k ? word + k - 1 : NULL, word + k);
            /* the sum of two results, or of one and an earlier sum */
            if (code == AD_WORD_SHORT_add && k > 1 && rng_int(rng, 0, 2) &&
                word[k - 2].d % AD_SHORT == 0 && word[k - 1].d % AD_SHORT == 0 &&
                word[k - 2].d < VECTORS * AD_SHORT && word[k - 1].d < VECTORS * AD_SHORT) {
                word[k].a = word[k - 2].d;
                word[k].b = word[k - 1].d;
            }
            again = code >= AD_WORD_END ? code : 0;
            if (code == AD_WORD_SHORT_add && k > 0)
                again = word[k - 1].code >= AD_WORD_END ? word[k - 1].code : 0;
        }
        compare(rng, word, n);
    }
}

int main(void)
{
    struct rng rng = {11};
    long n_fused = 0;

    test_alone(&rng);
    test_families(&rng);
    test_sequences(&rng);
    for (int32_t code = 0; code < AD_N_WORDS; code++) {
        bool tested = code != AD_WORD_MOVE && code != AD_WORD_END &&
                      (code >= AD_N_OPS || ad_ops[code].n_args <= 2);

        CHECK(!tested || n_done[code] > 20 || (code < AD_N_OPS && n_done[code] > 0),
              "word %d: done %ld times", code, n_done[code]);
        n_fused += code >= AD_WORD_TWO ? n_done[code] : 0;
    }
    printf("test_words: ok, %ld at once; runs: %ld baseline, %ld AVX2, %ld AVX-512\n", n_fused,
           n_runs[AD_TARGET_ANY], n_runs[AD_TARGET_AVX2], n_runs[AD_TARGET_AVX512]);
    return 0;
}

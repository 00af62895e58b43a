/* ad_run_words.h -- the loop over the words of a run, once for each kind of processor.
 *
 * Bind RUN_WORDS, the function's name, and RUN_WORDS_FOR, its attributes, before including it.  Short
 * vectors are one or a few machine instructions where the processor has them. */
#ifndef RUN_WORDS
#error "bind RUN_WORDS and RUN_WORDS_FOR before including ad_run_words.h"
#endif

RUN_WORDS_FOR
static void RUN_WORDS(const struct ad_plan *plan, const struct ad_word_of_run *word,
                      struct ad_frame *frame)
{
    double *v = frame->value;

#if AD_THREADED
    static const void *const labels[AD_N_WORDS] = {
#define OP_LABEL(name) [AD_OP_##name] = &&do_AD_OP_##name,
#define LABEL(code) [code] = &&do_##code,
#define SHORT_LABEL(name) LABEL(AD_WORD_SHORT_##name)
#define SHORT_LABELS(name)                                                                         \
    LABEL(AD_WORD_SHORT_##name)                                                                    \
    LABEL(AD_WORD_SHORT_##name##_1) LABEL(AD_WORD_SHORT_##name##_2)
#define PAIR_LABELS(one, two)                                                                      \
    LABEL(AD_WORD_##one##_##two)                                                                   \
    LABEL(AD_WORD_##one##_##two##_1) LABEL(AD_WORD_##one##_##two##_2)
#define ALL_PAIR_LABELS(one) AD_PAIRED_SECOND(PAIR_LABELS, one)
#define TWICE_LABEL(name) LABEL(AD_WORD_SHORT_##name##_twice)
#define PRODUCT_LABELS(name)                                                                       \
    LABEL(AD_WORD_SHORT_##name##_add_1)                                                            \
    LABEL(AD_WORD_SHORT_##name##_add_2)                                                            \
    LABEL(AD_WORD_SHORT_##name##_both) LABEL(AD_WORD_SHORT_##name##_more)
#define UNARY(name, ...) OP_LABEL(name)
#define HIDDEN_UNARY(name, ...) OP_LABEL(name)
#define FAMILY(name, ...) OP_LABEL(name)
#define BINARY(name, ...) OP_LABEL(name)
#define HIDDEN_BINARY(name, ...) OP_LABEL(name)
#define TERNARY(name, ...) /* always recorded as an array instruction */
#include "ad_ops.def"
        LABEL(AD_WORD_ADD) LABEL(AD_WORD_FIRST) LABEL(AD_WORD_MOVE) LABEL(AD_WORD_VALUE)
            LABEL(AD_WORD_END) AD_SHORT_UNARY(SHORT_LABEL) AD_SHORT_BINARY(SHORT_LABELS)
                AD_PAIRED_FIRST(ALL_PAIR_LABELS) AD_SHORT_PRODUCTS(PRODUCT_LABELS)
                    AD_SHORT_TWICE(TWICE_LABEL)};

    NEXT(0);
#else
next:
    switch (word->code) {
#endif

    /* ops of the table */
#define SCALAR(name)                                                                               \
    WORD(AD_OP_##name)                                                                             \
    v[word->d] = ad_point_##name(v[word->b], v[word->a], v[word->b]);                              \
    NEXT(1);
#define UNARY(name, ...) SCALAR(name)
#define HIDDEN_UNARY(name, ...) SCALAR(name)
#define FAMILY(name, ...) SCALAR(name)
#define BINARY(name, ...) SCALAR(name)
#define HIDDEN_BINARY(name, ...) SCALAR(name)
#define TERNARY(name, ...)
#include "ad_ops.def"

    /* two of them; the first result may be an operand of the second in other ways, so it is stored
     * before */
#define TWO(code, one, two, x, z)                                                                  \
    WORD(code)                                                                                     \
    {                                                                                              \
        const double y = ad_point_##one(0, v[word->a], v[word->b]);                                \
                                                                                                   \
        v[word->d] = y;                                                                            \
        v[word[1].d] = ad_point_##two(0, x, z);                                                    \
        NEXT(2);                                                                                   \
    }
#define TWO_FORMS(one, two)                                                                        \
    TWO(AD_WORD_##one##_##two, one, two, v[word[1].a], v[word[1].b])                               \
    TWO(AD_WORD_##one##_##two##_1, one, two, y, v[word[1].b])                                      \
    TWO(AD_WORD_##one##_##two##_2, one, two, v[word[1].a], y)
#define ALL_TWO_FORMS(one) AD_PAIRED_SECOND(TWO_FORMS, one)
    AD_PAIRED_FIRST(ALL_TWO_FORMS)

    /* Short vectors; the result is an operand itself, or no part of one.  Where an operand is one
     * number, whether it is 0 is asked once: as a condition of each element it would have to be
     * made a mask, which takes longer than the products. */
#define ELEMENTS AD_INDEPENDENT AD_ROLLED for (int j = 0; j < AD_SHORT; j++)
#define EITHER(zero, ...)                                                                          \
    if (zero)                                                                                      \
    __VA_ARGS__ else __VA_ARGS__
#define FEW(code, name, x_j, z_j, zero)                                                            \
    WORD(code)                                                                                     \
    {                                                                                              \
        const double *xs = v + word->a, *zs = v + word->b, x_one = *xs, z_one = *zs;               \
        double *y = v + word->d;                                                                   \
                                                                                                   \
        (void)x_one, (void)z_one;                                                                  \
        EITHER(zero, { ELEMENTS y[j] = ad_point_##name(0, x_j, z_j); })                            \
        NEXT(1);                                                                                   \
    }
#define ONE_FORM(name) FEW(AD_WORD_SHORT_##name, name, xs[j], zs[j], false)
#define THREE_FORMS(name)                                                                          \
    FEW(AD_WORD_SHORT_##name, name, xs[j], zs[j], false)                                           \
    FEW(AD_WORD_SHORT_##name##_1, name, x_one, zs[j], x_one == 0)                                  \
    FEW(AD_WORD_SHORT_##name##_2, name, xs[j], z_one, z_one == 0)
    AD_SHORT_UNARY(ONE_FORM)
    AD_SHORT_BINARY(THREE_FORMS)

    /* a product with one number, and its sum with something else */
#define PRODUCT_ADD(code, name, x_j, z_j)                                                          \
    WORD(code)                                                                                     \
    {                                                                                              \
        const double *xs = v + word->a, z_one = v[word->b];                                        \
        const double *us = v + word[1].a, *ws = v + word[1].b;                                     \
        double *y = v + word->d, *sum = v + word[1].d;                                             \
                                                                                                   \
        (void)us, (void)ws;                                                                        \
        EITHER(z_one == 0, {                                                                       \
            ELEMENTS {                                                                             \
                const double y_j = ad_point_##name(0, xs[j], z_one);                               \
                                                                                                   \
                y[j] = y_j;                                                                        \
                sum[j] = ad_point_add(0, x_j, z_j);                                                \
    }                                                                                              \
    })                                                                                             \
        NEXT(2);                                                                                   \
    }
    /* two of them, and their sum */
#define PRODUCT_BOTH(code, name)                                                                   \
    WORD(code)                                                                                     \
    {                                                                                              \
        const double *xs = v + word->a, x_one = v[word->b];                                        \
        const double *zs = v + word[1].a, z_one = v[word[1].b];                                    \
        double *y = v + word->d, *w = v + word[1].d, *sum = v + word[2].d;                         \
                                                                                                   \
        EITHER(x_one == 0 || z_one == 0, {                                                         \
            ELEMENTS {                                                                             \
                const double y_j = ad_point_##name(0, xs[j], x_one),                               \
                             w_j = ad_point_##name(0, zs[j], z_one);                               \
                                                                                                   \
                y[j] = y_j;                                                                        \
                w[j] = w_j;                                                                        \
                sum[j] = ad_point_add(0, y_j, w_j);                                                \
    }                                                                                              \
    })                                                                                             \
        NEXT(3);                                                                                   \
    }
    /* two of them, added to something one after the other */
#define PRODUCT_MORE(code, name)                                                                   \
    WORD(code)                                                                                     \
    {                                                                                              \
        const double *xs = v + word->a, x_one = v[word->b], *us = v + word[1].a;                   \
        const double *zs = v + word[2].a, z_one = v[word[2].b];                                    \
        double *y = v + word->d, *some = v + word[1].d, *w = v + word[2].d, *all = v + word[3].d;  \
                                                                                                   \
        EITHER(x_one == 0 || z_one == 0, {                                                         \
            ELEMENTS {                                                                             \
                const double y_j = ad_point_##name(0, xs[j], x_one),                               \
                             w_j = ad_point_##name(0, zs[j], z_one),                               \
                             some_j = ad_point_add(0, us[j], y_j);                                 \
                                                                                                   \
                y[j] = y_j;                                                                        \
                some[j] = some_j;                                                                  \
                w[j] = w_j;                                                                        \
                all[j] = ad_point_add(0, some_j, w_j);                                             \
    }                                                                                              \
    })                                                                                             \
        NEXT(4);                                                                                   \
    }
#define PRODUCT_FORMS(name)                                                                        \
    PRODUCT_ADD(AD_WORD_SHORT_##name##_add_1, name, y_j, ws[j])                                    \
    PRODUCT_ADD(AD_WORD_SHORT_##name##_add_2, name, us[j], y_j)                                    \
    PRODUCT_BOTH(AD_WORD_SHORT_##name##_both, name)                                                \
    PRODUCT_MORE(AD_WORD_SHORT_##name##_more, name)
    AD_SHORT_PRODUCTS(PRODUCT_FORMS)

    /* of two vectors, and the result with a third */
#define TWICE(name)                                                                                \
    WORD(AD_WORD_SHORT_##name##_twice)                                                             \
    {                                                                                              \
        const double *xs = v + word->a, *zs = v + word->b, *ws = v + word[1].b;                    \
        double *y = v + word->d, *last = v + word[1].d;                                            \
                                                                                                   \
        ELEMENTS                                                                                   \
        {                                                                                          \
            const double y_j = ad_point_##name(0, xs[j], zs[j]);                                   \
                                                                                                   \
            y[j] = y_j;                                                                            \
            last[j] = ad_point_##name(0, y_j, ws[j]);                                              \
        }                                                                                          \
        NEXT(2);                                                                                   \
    }
    AD_SHORT_TWICE(TWICE)

    WORD(AD_WORD_ADD)
    v[word->d] += v[word->a];
    NEXT(1);

    WORD(AD_WORD_FIRST)
    v[word->d] = 0.0 + v[word->a];
    NEXT(1);

    WORD(AD_WORD_MOVE)
    ad_move_make(&plan->code.moves[word->d], frame->base, frame->sums, 0,
                 plan->code.moves[word->d].n);
    NEXT(1);

    WORD(AD_WORD_VALUE)
    v[word->d] = ad_op_value((enum ad_op)word[1].code, v[word->b], v[word->a], v[word->b], 0);
    NEXT(2);

    WORD(AD_WORD_END)
    return;
#if !AD_THREADED
}
#endif
}

#undef OP_LABEL
#undef LABEL
#undef SHORT_LABEL
#undef SHORT_LABELS
#undef PAIR_LABELS
#undef ALL_PAIR_LABELS
#undef SCALAR
#undef TWO
#undef TWO_FORMS
#undef ALL_TWO_FORMS
#undef ELEMENTS
#undef EITHER
#undef FEW
#undef PRODUCT_ADD
#undef PRODUCT_BOTH
#undef PRODUCT_MORE
#undef PRODUCT_FORMS
#undef TWICE
#undef TWICE_LABEL
#undef PRODUCT_LABELS
#undef ONE_FORM
#undef THREE_FORMS
#undef RUN_WORDS
#undef RUN_WORDS_FOR

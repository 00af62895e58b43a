/* ad_words.c -- which words are done at once. */
#include "ad_words.h"

/* Which operands of a word are the result of another. */
enum { LINK_A = 1, LINK_B = 2 };

static int link_of(const struct ad_word_of_run *first, const struct ad_word_of_run *second)
{
    return (second->a == first->d ? LINK_A : 0) | (second->b == first->d ? LINK_B : 0);
}

/* The code of two scalar ops in a row, 0 if there is none. */
static int scalar_pair(const struct ad_word_of_run *word)
{
    int link = link_of(word, word + 1);

    if (word[0].code >= AD_N_OPS || word[1].code >= AD_N_OPS)
        return 0;
    if (link == (LINK_A | LINK_B))
        link = 0; /* both operands are read from memory */
    switch (word[0].code * AD_N_OPS + word[1].code) {
#define PAIR(one, two)                                                                             \
    case AD_OP_##one *AD_N_OPS + AD_OP_##two:                                                      \
        return AD_WORD_##one##_##two + link;
#define PAIRS(one) AD_PAIRED_SECOND(PAIR, one)
        AD_PAIRED_FIRST(PAIRS)
#undef PAIR
#undef PAIRS
    default:
        return 0;
    }
}

/* ---- short vectors, element by element: no element may be read after it has changed ---- */

/* Have AD_SHORT numbers from a on some, but not all, in common with those from b on? */
static bool overlap(int32_t a, int32_t b)
{
    return a != b && a < b + AD_SHORT && b < a + AD_SHORT;
}

/* Are any of the n numbers from 'at' on among the AD_SHORT from d on? */
static bool reads(int32_t at, int32_t n, int32_t d)
{
    return at < d + AD_SHORT && d < at + n;
}

/* Is this a product of a short vector and one number?  Otherwise both operands are vectors. */
static bool is_product(const struct ad_word_of_run *word)
{
    switch (word->code) {
#define PRODUCT(name)                                                                              \
    case AD_WORD_SHORT_##name##_2:                                                                 \
        return true;
        AD_SHORT_PRODUCTS(PRODUCT)
#undef PRODUCT
    default:
        return false;
    }
}

/*
 * May word[j] be done with word[i], an earlier one, at once, if the operands in 'link', and no others,
 * are given the result of word[i] while it is in a register?  What is one number is read before all else.
 */
static bool fits(const struct ad_word_of_run *word, int i, int j, int link)
{
    const struct ad_word_of_run *first = word + i, *second = word + j;

    if (link_of(first, second) != link || overlap(first->d, second->d) ||
        overlap(first->a, second->d) || (!is_product(first) && overlap(first->b, second->d)))
        return false;
    return (link & LINK_A || !reads(second->a, AD_SHORT, first->d)) &&
           (link & LINK_B || !reads(second->b, is_product(second) ? 1 : AD_SHORT, first->d));
}

/* A product, and its sum with something else. */
static int product_and_sum(const struct ad_word_of_run *word)
{
    int link = link_of(word, word + 1);

    if (word[1].code != AD_WORD_SHORT_add || (link != LINK_A && link != LINK_B) ||
        !fits(word, 0, 1, link))
        return 0;
    switch (word->code) {
#define PAIR(name)                                                                                 \
    case AD_WORD_SHORT_##name##_2:                                                                 \
        return link == LINK_A ? AD_WORD_SHORT_##name##_add_1 : AD_WORD_SHORT_##name##_add_2;
        AD_SHORT_PRODUCTS(PAIR)
#undef PAIR
    default:
        return 0;
    }
}

static int twice(const struct ad_word_of_run *word)
{
    if (word[1].code != word->code || !fits(word, 0, 1, LINK_A))
        return 0;
    switch (word->code) {
#define TWICE(name)                                                                                \
    case AD_WORD_SHORT_##name:                                                                     \
        return AD_WORD_SHORT_##name##_twice;
        AD_SHORT_TWICE(TWICE)
#undef TWICE
    default:
        return 0;
    }
}

/* Two products and their sum. */
static int both_products(const struct ad_word_of_run *word)
{
    if (word[1].code != word->code || word[2].code != AD_WORD_SHORT_add || !fits(word, 0, 1, 0) ||
        !fits(word, 0, 2, LINK_A) || !fits(word, 1, 2, LINK_B))
        return 0;
    switch (word->code) {
#define BOTH(name)                                                                                 \
    case AD_WORD_SHORT_##name##_2:                                                                 \
        return AD_WORD_SHORT_##name##_both;
        AD_SHORT_PRODUCTS(BOTH)
#undef BOTH
    default:
        return 0;
    }
}

/* A product that is added to something, and another that is added to the sum. */
static int more_products(const struct ad_word_of_run *word)
{
    if (word[2].code != word->code || word[1].code != AD_WORD_SHORT_add ||
        word[3].code != AD_WORD_SHORT_add || !fits(word, 0, 1, LINK_B) || !fits(word, 0, 2, 0) ||
        !fits(word, 0, 3, 0) || !fits(word, 1, 2, 0) || !fits(word, 1, 3, LINK_A) ||
        !fits(word, 2, 3, LINK_B))
        return 0;
    switch (word->code) {
#define MORE(name)                                                                                 \
    case AD_WORD_SHORT_##name##_2:                                                                 \
        return AD_WORD_SHORT_##name##_more;
        AD_SHORT_PRODUCTS(MORE)
#undef MORE
    default:
        return 0;
    }
}

void ad_words_fuse(struct ad_word_of_run *words, int64_t n)
{
    for (int64_t k = 0; k + 1 < n; k += ad_words_at_once(words + k)) {
        struct ad_word_of_run *word = words + k;
        int code = k + 3 < n ? more_products(word) : 0;

        if (!code && k + 2 < n)
            code = both_products(word);
        if (!code)
            code = product_and_sum(word);
        if (!code)
            code = twice(word);
        if (!code)
            code = scalar_pair(word);
        if (code)
            word->code = code;
    }
}

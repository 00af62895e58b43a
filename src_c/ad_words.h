/* ad_words.h -- what runs are made of: words that work on the frame, and those that are done at once.
 *
 * Ops of a few machine instructions have codes of their own for vectors of up to AD_SHORT elements, of
 * which all AD_SHORT are computed, since numbers behind the last do no harm; and several words in a row
 * are done at once where a later one reads the result of an earlier one.  A jump to the next word, and
 * the way of a result through memory, cost more than the arithmetic.  The first of such words has the
 * code that says so, the others stay as they are.  All results are stored.
 *
 * The lists were found by measuring; any op of two arguments at most, and without a parameter, may stand
 * in them. */
#ifndef AD_WORDS_H
#define AD_WORDS_H

#include "ad_group.h"

#define AD_PAIRED_FIRST(DO) DO(add) DO(sub) DO(mul) DO(mul0)
#define AD_PAIRED_SECOND(DO, first) DO(first, add) DO(first, sub) DO(first, mul) DO(first, mul0)
#define AD_SHORT_UNARY(DO) DO(neg) DO(square) DO(sqrt) DO(reciprocal)
#define AD_SHORT_BINARY(DO) DO(add) DO(sub) DO(mul) DO(div) DO(mul0) DO(mul00) DO(flow) DO(gate)
/* those whose products with one number are fused with additions */
#define AD_SHORT_PRODUCTS(DO) DO(mul) DO(mul0) DO(mul00)
/* those that are fused with themselves */
#define AD_SHORT_TWICE(DO) DO(add) DO(sub)

/* Codes beyond those of the scalar ops. */
enum ad_word_code {
    AD_WORD_ADD = AD_N_OPS, /* v[d] += v[a] */
    AD_WORD_FIRST,          /* v[d] = 0.0 + v[a] */
    AD_WORD_MOVE,           /* move number d */
    AD_WORD_VALUE,          /* v[d] = ad_op_value() of the op whose code the next word has */
    AD_WORD_END,
/* v[d...] = op(v[a...], v[b...]), in _1 and _2 the first or second of them one number */
#define ONE_CODE(name) AD_WORD_SHORT_##name,
#define THREE_CODES(name) AD_WORD_SHORT_##name, AD_WORD_SHORT_##name##_1, AD_WORD_SHORT_##name##_2,
    AD_SHORT_UNARY(ONE_CODE) AD_SHORT_BINARY(THREE_CODES)
        AD_WORD_TWO, /* the first of those that do two words */
    AD_WORD_BEFORE_TWO = AD_WORD_TWO - 1,
#undef ONE_CODE
#undef THREE_CODES
/* this word and the next, which in _1 and _2 has the result of this one as its a or b */
#define PAIR_CODES(first, second)                                                                  \
    AD_WORD_##first##_##second, AD_WORD_##first##_##second##_1, AD_WORD_##first##_##second##_2,
#define PAIRS(first) AD_PAIRED_SECOND(PAIR_CODES, first)
    AD_PAIRED_FIRST(PAIRS)
#undef PAIRS
#undef PAIR_CODES
/* a short vector times one number, and the next word, which adds that to or is added to by another */
#define CODES(name) AD_WORD_SHORT_##name##_add_1, AD_WORD_SHORT_##name##_add_2,
        AD_SHORT_PRODUCTS(CODES)
#undef CODES
/* of two short vectors, and the result with a third */
#define CODES(name) AD_WORD_SHORT_##name##_twice,
            AD_SHORT_TWICE(CODES)
#undef CODES
                AD_WORD_THREE, /* the first of those that do three words */
    AD_WORD_BEFORE_THREE = AD_WORD_THREE - 1,
/* two short vectors, each times one number, and their sum */
#define CODES(name) AD_WORD_SHORT_##name##_both,
    AD_SHORT_PRODUCTS(CODES)
#undef CODES
        AD_WORD_FOUR, /* the first of those that do four words */
    AD_WORD_BEFORE_FOUR = AD_WORD_FOUR - 1,
/* the same, but added to a short vector one after the other */
#define CODES(name) AD_WORD_SHORT_##name##_more,
    AD_SHORT_PRODUCTS(CODES)
#undef CODES
        AD_N_WORDS
};

struct ad_word_of_run {
    int32_t code;
    int32_t d, a, b; /* places in the frame */
};

enum { AD_WORDS_AT_ONCE = 4 }; /* at most */

/* How many words are done at once. */
AD_INLINE int ad_words_at_once(const struct ad_word_of_run *word)
{
    if (word->code < AD_WORD_TWO)
        return word->code == AD_WORD_VALUE ? 2 : 1;
    return word->code < AD_WORD_THREE ? 2 : word->code < AD_WORD_FOUR ? 3 : 4;
}

/* Of n words, the last of which is AD_WORD_END, as many are done at once as can be. */
void ad_words_fuse(struct ad_word_of_run *words, int64_t n);

#endif

/* ad_facts.c -- read from the words of the op table. */
#include "ad_facts.h"

/* Is the partial 0 whatever the arguments?  What a taint adds is 0 or nan: a pattern without it makes more
 * of the matrix nan, where there is one, but matrices without nan as sparse as they are. */
static bool ignores(enum ad_op op, int arg)
{
    const struct ad_word *word = ad_ops[op].partial[arg];

    return (op == AD_OP_taint && arg == 1) ||
           (word[0].op == AD_W_CONST && word[0].c == 0 && word[1].op == AD_W_END);
}

static uint8_t follows(enum ad_op op)
{
    uint8_t found = 0;

    for (int arg = 0; arg < ad_ops[op].n_args; arg++)
        if (!ignores(op, arg))
            found |= (uint8_t)(1 << arg);
    return found;
}

/* The arguments that a partial depends on, by the words it is written in. */
static uint8_t depends(enum ad_op op, int arg)
{
    uint8_t stack[AD_MAX_WORDS];
    int n = 0;

    for (const struct ad_word *word = ad_ops[op].partial[arg]; word->op != AD_W_END; word++) {
        uint8_t found = 0;

        switch (word->op) {
        case AD_W_X:
        case AD_W_Z:
        case AD_W_W:
            found = (uint8_t)(1 << (AD_W_X - word->op));
            break;
        case AD_W_Y:
            found = follows(op);
            break;
        case AD_W_P:
        case AD_W_CONST:
            break;
        default:
            n -= ad_ops[word->op].n_args;
            for (int k = 0; k < ad_ops[word->op].n_args; k++)
                if (!ignores((enum ad_op)word->op, k))
                    found |= stack[n + k];
        }
        stack[n++] = found;
    }
    return stack[0];
}

struct ad_facts ad_facts_at(struct ad_facts *facts, enum ad_op op, double p)
{
    struct ad_facts found;

    if (!facts[op].known) {
        facts[op].known = true;
        facts[op].follows = follows(op);
        for (int arg = 0; arg < ad_ops[op].n_args; arg++)
            if (ad_ops[op].curvature >= AD_CURVED && facts[op].follows >> arg & 1)
                facts[op].bends[arg] = depends(op, arg) & facts[op].follows;
    }
    found = facts[op];
    if (op == AD_OP_powi && (p == 0 || p == 1))
        found.bends[0] = 0;
    return found;
}

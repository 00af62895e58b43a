/* ad_c_statements.c -- words and moves taken apart. */
#include "ad_c_statements.h"

#include <stdlib.h>
#include <string.h>

/* ---- taking apart ---- */

static enum ad_status append(struct ad_c_run *run, const struct ad_c_statement *statement)
{
    if (run->n == run->capacity) {
        int64_t capacity = 2 * run->capacity + 64;
        struct ad_c_statement *more = realloc(run->statements, (size_t)capacity * sizeof *more);

        if (!more)
            return AD_NO_MEMORY;
        run->statements = more;
        run->capacity = capacity;
    }
    run->statements[run->n++] = *statement;
    return AD_OK;
}

/* The op of a word, which may be the first of several; and whether it is over AD_SHORT elements, of which the
 * operands with a bit in 'single' are one number. */
static enum ad_op op_of_word(int32_t code, bool *is_short, unsigned *single)
{
    *is_short = false;
    *single = 0;
    switch (code) {
#define SHORT(name, bits)                                                                          \
    *is_short = true;                                                                              \
    *single = bits;                                                                                \
    return AD_OP_##name;
#define SHORT_UNARY(name)                                                                          \
    case AD_WORD_SHORT_##name:                                                                     \
        SHORT(name, 0)
#define SHORT_BINARY(name)                                                                         \
    case AD_WORD_SHORT_##name:                                                                     \
        SHORT(name, 0)                                                                             \
    case AD_WORD_SHORT_##name##_1:                                                                 \
        SHORT(name, 1)                                                                             \
    case AD_WORD_SHORT_##name##_2:                                                                 \
        SHORT(name, 2)
#define TWO(one, two)                                                                              \
    case AD_WORD_##one##_##two:                                                                    \
    case AD_WORD_##one##_##two##_1:                                                                \
    case AD_WORD_##one##_##two##_2:                                                                \
        return AD_OP_##one;
#define TWOS(one) AD_PAIRED_SECOND(TWO, one)
#define PRODUCTS(name)                                                                             \
    case AD_WORD_SHORT_##name##_add_1:                                                             \
    case AD_WORD_SHORT_##name##_add_2:                                                             \
    case AD_WORD_SHORT_##name##_both:                                                              \
    case AD_WORD_SHORT_##name##_more:                                                              \
        SHORT(name, 2)
#define TWICE(name)                                                                                \
    case AD_WORD_SHORT_##name##_twice:                                                             \
        SHORT(name, 0)
        AD_SHORT_UNARY(SHORT_UNARY)
        AD_SHORT_BINARY(SHORT_BINARY)
        AD_PAIRED_FIRST(TWOS)
        AD_SHORT_PRODUCTS(PRODUCTS)
        AD_SHORT_TWICE(TWICE)
    default:
        return (enum ad_op)code;
    }
}

static enum ad_status append_word(struct ad_c_run *run, const struct ad_word_of_run *word)
{
    const struct ad_c_writer *w = run->w;
    struct ad_c_statement s = {.width = 1, .n_args = 1, .single = 15};
    int32_t at[AD_C_PLACES] = {word->d, word->a, word->b, word->b};
    bool is_short;
    unsigned single;

    if (word->code == AD_WORD_ADD || word->code == AD_WORD_FIRST) {
        s.kind = word->code == AD_WORD_ADD ? AD_C_ADD : AD_C_FIRST;
    } else {
        int32_t code = word->code == AD_WORD_VALUE ? word[1].code : word->code;
        enum ad_op op = op_of_word(code, &is_short, &single);

        if (op >= AD_N_OPS)
            return AD_BAD_PROGRAM; /* a word that this does not know */
        s.kind = AD_C_OP;
        s.op = (uint16_t)op;
        s.n_args = (uint8_t)ad_ops[op].n_args;
        if (is_short) {
            s.width = AD_SHORT;
            s.single = (uint8_t)(single << 1);
        } else if (ad_ops[op].family) {
            s.p = w->plan->code.numbers[ad_c_place(w, AD_SPACE_FRAME, word->b).at];
        }
    }
    for (int j = 0; j < AD_C_PLACES; j++)
        s.place[j] = ad_c_place(w, AD_SPACE_FRAME, at[j]);
    return append(run, &s);
}

static int64_t walk_position(const struct ad_walk *walk, int ndim, int64_t flat)
{
    int64_t at = walk->base;

    for (int d = ndim - 1; d >= 0; d--) {
        at += flat % walk->shape[d] * walk->stride[d];
        flat /= walk->shape[d];
    }
    return walk->list ? walk->list[at] : at;
}

static struct ad_c_place place_of_ref(const struct ad_c_run *run, const struct ad_ref *ref,
                                      int64_t offset)
{
    return ad_c_place(run->w, ref->space, ref->at + offset);
}

/* One element after the other: gathered, put or added here and there. */
static enum ad_status append_elements(struct ad_c_run *run, const struct ad_move *move)
{
    bool gather = move->kind == AD_MOVE_GATHER;
    struct ad_c_statement s = {.kind = move->kind == AD_MOVE_SCATTER ? AD_C_ADD : AD_C_COPY,
                               .width = 1,
                               .n_args = 1,
                               .single = 15};
    enum ad_status status = AD_OK;

    for (int64_t j = 0; j < move->n && !status; j++) {
        struct ad_c_place walked =
            ad_c_place(run->w, move->walk.space, walk_position(&move->walk, move->walk.ndim, j));

        s.place[0] = gather ? place_of_ref(run, &move->y, j) : walked;
        s.place[1] = gather ? walked : place_of_ref(run, &move->x[0], move->single & 1 ? 0 : j);
        status = append(run, &s);
    }
    return status;
}

static enum ad_status append_sums(struct ad_c_run *run, const struct ad_move *move)
{
    bool one = move->single & 1, same = move->single & 2;
    struct ad_c_statement s = {
        .kind = same ? AD_C_SAME : AD_C_SUM, .width = (int32_t)move->n, .n_args = 1, .single = 15};
    int64_t n_rows = ad_shape_size(move->walk.ndim, move->walk.shape);
    enum ad_status status = AD_OK;

    for (int64_t r = 0; r < n_rows && !status; r++) {
        s.place[0] =
            ad_c_place(run->w, move->walk.space, walk_position(&move->walk, move->walk.ndim, r));
        s.place[1] = place_of_ref(run, &move->x[0], one ? 0 : r * move->n);
        status = append(run, &s);
    }
    return status;
}

static enum ad_status append_move(struct ad_c_run *run, const struct ad_move *move)
{
    struct ad_c_statement s = {.width = (int32_t)move->n,
                               .n_args = 1,
                               .single = (uint8_t)((unsigned)move->single << 1),
                               .op = move->op,
                               .p = move->p};
    enum ad_status status = AD_OK;

    switch ((enum ad_move_kind)move->kind) {
    case AD_MOVE_LOOP:
    case AD_MOVE_VECTOR:
        s.kind = AD_C_OP;
        s.n_args = (uint8_t)ad_ops[move->op].n_args;
        break;
    case AD_MOVE_COPY:
        s.kind = AD_C_COPY;
        break;
    case AD_MOVE_FIRST:
        s.kind = AD_C_FIRST;
        break;
    case AD_MOVE_ADD:
        s.kind = AD_C_ADD;
        break;
    case AD_MOVE_GATHER:
    case AD_MOVE_PUT:
    case AD_MOVE_SCATTER:
        return append_elements(run, move);
    case AD_MOVE_SUM:
        return append_sums(run, move);
    case AD_MOVE_FILL:
        s = (struct ad_c_statement){
            .kind = AD_C_COPY, .width = 1, .n_args = 1, .single = 15, .p = move->p};
        for (int64_t j = 0; j < move->n && !status; j++) {
            s.place[0] = place_of_ref(run, &move->y, j);
            s.place[1] = (struct ad_c_place){AD_C_NUMBER, -1}; /* p */
            status = append(run, &s);
        }
        return status;
    case AD_MOVE_LOCATE: /* rows of operands in a run are gathered */
        ad_unreachable();
    }
    if (s.kind == AD_C_OP && !ad_ops[s.op].family)
        s.p = 0;
    s.place[0] = place_of_ref(run, &move->y, 0);
    for (int v = 0; v < s.n_args; v++)
        s.place[1 + v] = place_of_ref(run, &move->x[v], 0);
    if (s.width == 1)
        s.single = 15;
    return append(run, &s);
}

enum ad_status ad_c_take_apart(struct ad_c_run *run, const struct ad_plan_step *step)
{
    const struct ad_lowered *code = &run->w->plan->code;
    enum ad_status status = AD_OK;

    for (int64_t k = step->first; !status; k++) {
        const struct ad_word_of_run *word = &code->words[k];

        if (word->code == AD_WORD_END)
            break;
        if (word->code == AD_WORD_MOVE)
            status = append_move(run, &code->moves[word->d]);
        else
            status = append_word(run, word);
        k += word->code == AD_WORD_VALUE;
    }
    return status;
}

/* ---- kinds ---- */

bool ad_c_same_kind(const struct ad_c_statement *a, const struct ad_c_statement *b)
{
    bool same = a->kind == b->kind && a->op == b->op && a->width == b->width &&
                a->single == b->single && ad_same_bits(a->p, b->p);

    for (int j = 0; j <= a->n_args && same; j++)
        same = a->place[j].space == b->place[j].space;
    return same;
}

uint64_t ad_c_kind_of(const struct ad_c_statement *s)
{
    uint64_t hash, bits;

    memcpy(&bits, &s->p, sizeof bits);
    hash = ((uint64_t)s->kind << 48 | (uint64_t)s->op << 16 | (uint64_t)(uint32_t)s->width << 8 |
            s->single) *
               0x9E3779B97F4A7C15u ^
           bits;
    for (int j = 0; j <= s->n_args; j++)
        hash = (hash ^ (uint64_t)(uint32_t)s->place[j].space ^ hash >> 29) * 0xBF58476D1CE4E5B9u;
    return hash;
}

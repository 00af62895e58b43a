/* ad_c_run.c -- runs as C: words and moves taken apart into statements, and what repeats itself rolled up. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ad_c_roll.h"
#include "ad_c_write.h"

enum statement_kind {
    OP,    /* y = op(x) */
    COPY,  /* y = x */
    FIRST, /* y = 0.0 + x */
    ADD,   /* y += x */
    SUM,   /* y += the sum of 'width' elements of x */
    SAME   /* y += the sum of 'width' times x */
};

enum { N_PLACES = 1 + AD_MAX_ARGS };

/* Over 'width' elements from the places on; places whose bit is set in 'single' stay. */
struct statement {
    uint8_t kind, n_args, single;
    uint16_t op;
    int32_t width;
    double p;
    struct ad_c_place place[N_PLACES]; /* the result, then the arguments */
};

struct run {
    struct ad_c_writer *w;
    struct statement *statements;
    int64_t n, capacity;
};

/* ---- taking apart ---- */

static enum ad_status append(struct run *run, const struct statement *statement)
{
    if (run->n == run->capacity) {
        int64_t capacity = 2 * run->capacity + 64;
        struct statement *more = realloc(run->statements, (size_t)capacity * sizeof *more);

        if (!more)
            return AD_NO_MEMORY;
        run->statements = more;
        run->capacity = capacity;
    }
    run->statements[run->n++] = *statement;
    return AD_OK;
}

/* The op of a word, which may be the first of two; and whether it is over AD_SHORT elements, of which the
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
#define SHORT_TWOS(one)                                                                            \
    case AD_WORD_SHORT_##one##_add_1:                                                              \
    case AD_WORD_SHORT_##one##_add_2:                                                              \
        SHORT(one, 2)
        AD_SHORT_UNARY(SHORT_UNARY)
        AD_SHORT_BINARY(SHORT_BINARY)
        AD_PAIRED_FIRST(TWOS)
        AD_SHORT_PAIRED(SHORT_TWOS)
    default:
        return (enum ad_op)code;
    }
}

static enum ad_status append_word(struct run *run, const struct ad_word_of_run *word)
{
    const struct ad_c_writer *w = run->w;
    struct statement s = {.width = 1, .n_args = 1, .single = 15};
    int32_t at[N_PLACES] = {word->d, word->a, word->b, word->b};
    bool is_short;
    unsigned single;

    if (word->code == AD_WORD_ADD || word->code == AD_WORD_FIRST) {
        s.kind = word->code == AD_WORD_ADD ? ADD : FIRST;
    } else {
        int32_t code = word->code == AD_WORD_VALUE ? word[1].code : word->code;
        enum ad_op op = op_of_word(code, &is_short, &single);

        if (op >= AD_N_OPS)
            return AD_BAD_PROGRAM; /* a word that this does not know */
        s.kind = OP;
        s.op = (uint16_t)op;
        s.n_args = (uint8_t)ad_ops[op].n_args;
        if (is_short) {
            s.width = AD_SHORT;
            s.single = (uint8_t)(single << 1);
        } else if (ad_ops[op].family) {
            s.p = w->plan->code.numbers[ad_c_place(w, AD_SPACE_FRAME, word->b).at];
        }
    }
    for (int j = 0; j < N_PLACES; j++)
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

static struct ad_c_place place_of_ref(const struct run *run, const struct ad_ref *ref,
                                      int64_t offset)
{
    return ad_c_place(run->w, ref->space, ref->at + offset);
}

/* One element after the other: gathered, put or added here and there. */
static enum ad_status append_elements(struct run *run, const struct ad_move *move)
{
    bool gather = move->kind == AD_MOVE_GATHER;
    struct statement s = {
        .kind = move->kind == AD_MOVE_SCATTER ? ADD : COPY, .width = 1, .n_args = 1, .single = 15};
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

static enum ad_status append_sums(struct run *run, const struct ad_move *move)
{
    bool one = move->single & 1, same = move->single & 2;
    struct statement s = {
        .kind = same ? SAME : SUM, .width = (int32_t)move->n, .n_args = 1, .single = 15};
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

static enum ad_status append_move(struct run *run, const struct ad_move *move)
{
    struct statement s = {.width = (int32_t)move->n,
                          .n_args = 1,
                          .single = (uint8_t)((unsigned)move->single << 1),
                          .op = move->op,
                          .p = move->p};
    enum ad_status status = AD_OK;

    switch ((enum ad_move_kind)move->kind) {
    case AD_MOVE_LOOP:
    case AD_MOVE_VECTOR:
        s.kind = OP;
        s.n_args = (uint8_t)ad_ops[move->op].n_args;
        break;
    case AD_MOVE_COPY:
        s.kind = COPY;
        break;
    case AD_MOVE_FIRST:
        s.kind = FIRST;
        break;
    case AD_MOVE_ADD:
        s.kind = ADD;
        break;
    case AD_MOVE_GATHER:
    case AD_MOVE_PUT:
    case AD_MOVE_SCATTER:
        return append_elements(run, move);
    case AD_MOVE_SUM:
        return append_sums(run, move);
    case AD_MOVE_FILL:
        s = (struct statement){.kind = COPY, .width = 1, .n_args = 1, .single = 15, .p = move->p};
        for (int64_t j = 0; j < move->n && !status; j++) {
            s.place[0] = place_of_ref(run, &move->y, j);
            s.place[1] = (struct ad_c_place){AD_C_NUMBER, -1}; /* p */
            status = append(run, &s);
        }
        return status;
    case AD_MOVE_LOCATE: /* rows of operands in a run are gathered */
        ad_unreachable();
    }
    if (s.kind == OP && !ad_ops[s.op].family)
        s.p = 0;
    s.place[0] = place_of_ref(run, &move->y, 0);
    for (int v = 0; v < s.n_args; v++)
        s.place[1 + v] = place_of_ref(run, &move->x[v], 0);
    if (s.width == 1)
        s.single = 15;
    return append(run, &s);
}

/* ---- kinds ---- */

static bool same_kind(const struct statement *a, const struct statement *b)
{
    bool same = a->kind == b->kind && a->op == b->op && a->width == b->width &&
                a->single == b->single && ad_same_bits(a->p, b->p);

    for (int j = 0; j <= a->n_args && same; j++)
        same = a->place[j].space == b->place[j].space;
    return same;
}

static uint64_t hash_of(const struct statement *s)
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

static int64_t width_of(const struct statement *s, int v)
{
    if (s->kind == SUM && v == 1)
        return s->width;
    return s->single >> v & 1 ? 1 : s->width;
}

/* ---- places of their own ----
 *
 * The frame hands one place to many values, and not in the same order in each turn of a loop.  So within a run the
 * values that statements of a loop give are moved to places behind the frame: those of one statement all to
 * one place, if each is read for the last time before the next is given, or else to one after the other. */

struct renaming {
    struct run *run;
    int32_t *value;     /* of each place of the frame: the statement whose result it holds, or -1 */
    uint8_t *kept;      /* of each: is it part of something longer? */
    int64_t *last_read; /* of the result of each statement */
    int32_t *moved_to;  /* of the same: its place, or -1 */
    uint8_t *is_needed; /* of the same: is it read after the run? */
    int64_t end;        /* of the places so far */
};

/* Does the statement change its result, rather than give it? */
static bool changes(const struct statement *s)
{
    return s->kind == ADD || s->kind == SUM || s->kind == SAME;
}

static bool may_move(const struct renaming *r, const struct statement *s, int v)
{
    return s->place[v].space == AD_SPACE_FRAME && !r->kept[s->place[v].at];
}

static void keep_what_is_long(struct renaming *r)
{
    for (int64_t m = 0; m < r->run->n; m++) {
        const struct statement *s = &r->run->statements[m];

        for (int v = 0; v <= s->n_args; v++) {
            int64_t width = width_of(s, v);

            if (s->place[v].space == AD_SPACE_FRAME && (width > 1 || (s->kind == SUM && v == 1)))
                memset(r->kept + s->place[v].at, 1, (size_t)width);
        }
    }
}

/* Walk through the run: find who reads what, or, once that is known, move it. */
static void walk_values(struct renaming *r, bool move)
{
    for (int64_t p = 0; p < r->run->w->plan->n_frame; p++)
        r->value[p] = -1;
    for (int64_t m = 0; m < r->run->n; m++) {
        struct statement *s = &r->run->statements[m];
        int64_t to = s->place[0].at;
        bool gives = may_move(r, s, 0) && !changes(s);

        for (int v = changes(s) ? 0 : 1; v <= s->n_args; v++) {
            int32_t from;

            if (!may_move(r, s, v) || (from = r->value[s->place[v].at]) < 0)
                continue;
            if (!move)
                r->last_read[from] = m;
            else if (r->moved_to[from] >= 0)
                s->place[v].at = r->moved_to[from];
        }
        if (!gives)
            continue;
        r->value[to] = (int32_t)m;
        if (!move)
            r->last_read[m] = m;
        else if (r->moved_to[m] >= 0)
            s->place[0].at = r->moved_to[m];
    }
}

static void find_new_places(struct renaming *r, const struct ad_repeat *repeat)
{
    for (int64_t j = 0; j < repeat->period; j++) {
        int64_t first = repeat->first + j;
        const struct statement *s = &r->run->statements[first];
        bool one = true, movable = !changes(s);

        for (int64_t k = 0; k < repeat->count; k++) {
            int64_t m = first + k * repeat->period;

            movable &= may_move(r, &r->run->statements[m], 0);
            one &= k == repeat->count - 1 || r->is_needed[m] ||
                   (movable && r->last_read[m] <= m + repeat->period);
        }
        if (!movable || r->end + repeat->count > INT32_MAX)
            continue;
        for (int64_t k = 0; k < repeat->count; k++) {
            int64_t m = first + k * repeat->period;

            if (!r->is_needed[m])
                r->moved_to[m] = (int32_t)(r->end + (one ? 0 : k));
        }
        r->end += one ? 1 : repeat->count;
    }
}

static enum ad_status move_values(struct run *run, const struct ad_repeat *repeats,
                                  int64_t n_repeats)
{
    struct ad_c_writer *w = run->w;
    size_t n = (size_t)run->n + 1, n_frame = (size_t)w->plan->n_frame + 1;
    struct renaming r = {.run = run, .end = ad_c_frame_end(w)};
    enum ad_status status = AD_NO_MEMORY;

    r.value = malloc(n_frame * sizeof *r.value);
    r.kept = calloc(n_frame, 1);
    r.last_read = malloc(n * sizeof *r.last_read);
    r.moved_to = malloc(n * sizeof *r.moved_to);
    r.is_needed = calloc(n, 1);
    if (r.value && r.kept && r.last_read && r.moved_to && r.is_needed) {
        keep_what_is_long(&r);
        walk_values(&r, false);
        for (int64_t p = 0; p < w->plan->n_frame; p++)
            if (r.value[p] >= 0)
                r.is_needed[r.value[p]] = 1;
        for (int64_t m = 0; m < run->n; m++)
            r.moved_to[m] = -1;
        for (int64_t k = 0; k < n_repeats; k++)
            if (repeats[k].count > 1)
                find_new_places(&r, &repeats[k]);
        walk_values(&r, true);
        w->n_moved = AD_MAX(w->n_moved, r.end - ad_c_frame_end(w));
        status = AD_OK;
    }
    free(r.value);
    free(r.kept);
    free(r.last_read);
    free(r.moved_to);
    free(r.is_needed);
    return status;
}

/* ---- places that move from turn to turn ---- */

enum sequence_kind { FIXED, STEPS, LISTED };

/* Where one operand is at turn k: at, at + step k, or looked up. */
struct sequence {
    enum sequence_kind kind;
    int32_t space;
    int64_t at, step;
    int table;
};

struct body {
    const struct statement *first; /* statements of the first turn */
    int64_t period, count;
    struct sequence (*places)[N_PLACES]; /* of each */
    bool rolled;
};

static const struct ad_c_place *place_at(const struct body *body, int64_t j, int v, int64_t turn)
{
    return &body->first[turn * body->period + j].place[v];
}

static struct sequence find_sequence(const struct body *body, int64_t j, int v)
{
    int64_t at = place_at(body, j, v, 0)->at;
    struct sequence sequence = {FIXED, place_at(body, j, v, 0)->space, at, 0, -1};

    if (body->count == 1)
        return sequence;
    sequence.step = place_at(body, j, v, 1)->at - at;
    sequence.kind = sequence.step ? STEPS : FIXED;
    for (int64_t k = 2; k < body->count; k++)
        if (place_at(body, j, v, k)->at != at + k * sequence.step)
            sequence.kind = LISTED;
    return sequence;
}

static enum ad_status add_table(struct run *run, const struct body *body, int64_t j, int v,
                                struct sequence *sequence)
{
    int32_t *positions;

    if (sequence->kind != FIXED && sequence->space == AD_C_NUMBER)
        run->w->numbers_in_table = true;
    if (sequence->kind != LISTED)
        return AD_OK;
    positions = malloc((size_t)body->count * sizeof *positions);
    if (!positions)
        return AD_NO_MEMORY;
    for (int64_t k = 0; k < body->count; k++)
        positions[k] = (int32_t)place_at(body, j, v, k)->at;
    sequence->table = ad_c_table(run->w, positions, body->count);
    free(positions);
    return AD_OK;
}

static int64_t n_listed(const struct body *body)
{
    int64_t n = 0;

    for (int64_t j = 0; j < body->period; j++)
        for (int v = 0; v <= body->first[j].n_args; v++)
            n += find_sequence(body, j, v).kind == LISTED;
    return n;
}

/* What stays in one place of the frame, and shares it with nothing that moves, is a variable of the loop. */
static void find_variables(struct run *run, const struct body *body)
{
    int32_t loop = ++run->w->loop, *in_memory = run->w->in_memory;

    for (int64_t j = 0; j < body->period; j++)
        for (int v = 0; v <= body->first[j].n_args; v++) {
            const struct sequence *s = &body->places[j][v];
            int64_t width = width_of(&body->first[j], v);

            if (s->space != AD_SPACE_FRAME || (s->kind == FIXED && width == 1))
                continue;
            for (int64_t k = 0; k < (s->kind == FIXED ? 1 : body->count); k++)
                for (int64_t e = 0; e < width; e++)
                    in_memory[place_at(body, j, v, k)->at + e] = loop;
        }
    for (int64_t j = 0; j < body->period; j++)
        for (int v = 0; v <= body->first[j].n_args; v++) {
            const struct sequence *s = &body->places[j][v];

            if (s->space == AD_SPACE_FRAME && s->kind == FIXED &&
                width_of(&body->first[j], v) == 1 && in_memory[s->at] != loop)
                in_memory[s->at] = ~loop;
        }
}

static bool is_variable(const struct run *run, const struct body *body, const struct sequence *s)
{
    return body->rolled && s->space == AD_SPACE_FRAME && s->kind == FIXED &&
           run->w->in_memory[s->at] == ~run->w->loop;
}

/* ---- writing ---- */

static void add_place(struct run *run, const struct body *body, int64_t j, int v,
                      const char *element)
{
    struct ad_c_writer *w = run->w;
    struct ad_text *text = &w->body;
    const struct sequence *s = &body->places[j][v];

    if (is_variable(run, body, s)) {
        ad_text_add(text, "r%" PRId64, s->at);
        return;
    }
    if (s->space == AD_C_NUMBER && s->kind == FIXED && (s->at < 0 || !*element)) {
        if (s->at < 0)
            ad_text_number(text, body->first[j].p);
        else
            ad_text_number(text, w->plan->code.numbers[s->at]);
        return;
    }
    if (s->space == AD_C_NUMBER) {
        w->numbers_in_table = true;
        ad_text_add(text, "%s_numbers", w->name);
    } else
        ad_c_space(w, text, s->space);
    if (s->kind == LISTED)
        ad_text_add(text, "[%s_t%d[k]", w->name, s->table);
    else
        ad_text_add(text, "[%" PRId64, s->at);
    if (s->kind == STEPS)
        ad_text_add(text, s->step < 0 ? " - %" PRId64 " * k" : " + %" PRId64 " * k",
                    s->step < 0 ? -s->step : s->step);
    ad_text_add(text, "%s]", element);
}

/* May two sequences name one place at the same turn, or be of more than one element? */
static bool may_meet(const struct sequence *a, const struct sequence *b)
{
    if (a->space != b->space)
        return false;
    if (a->kind == LISTED || b->kind == LISTED)
        return true;
    return a->step != b->step || a->at == b->at;
}

static bool same_sequence(const struct sequence *a, const struct sequence *b)
{
    return a->space == b->space && a->kind == b->kind && a->kind != LISTED && a->at == b->at &&
           a->step == b->step;
}

enum { LOOK_BACK = 256 };

/* The statement of this turn whose result the operand is, if it is known by a name; or -1. */
static int64_t named_result(const struct run *run, const struct body *body, int64_t j, int v)
{
    const struct sequence *wanted = &body->places[j][v];

    if (!body->rolled || wanted->space != AD_SPACE_FRAME || wanted->kind != STEPS)
        return -1;
    for (int64_t m = j - 1; m >= AD_MAX(0, j - LOOK_BACK); m--) {
        const struct sequence *result = &body->places[m][0];
        const struct statement *s = &body->first[m];

        if (is_variable(run, body, result))
            continue;
        if (s->width == 1 && s->kind == OP && same_sequence(result, wanted))
            return m;
        if (s->width != 1 && s->kind != SUM && s->kind != SAME)
            return -1;
        if (may_meet(result, wanted))
            return -1;
    }
    return -1;
}

static void add_operand(struct run *run, const struct body *body, int64_t j, int v)
{
    const struct statement *s = &body->first[j];
    int64_t named = width_of(s, v) == 1 ? named_result(run, body, j, v) : -1;

    if (named >= 0)
        ad_text_add(&run->w->body, "t%" PRId64, named);
    else
        add_place(run, body, j, v, s->single >> v & 1 ? "" : " + j");
}

static void add_statement(struct run *run, const struct body *body, int64_t j)
{
    static const char *const signs[] = {[OP] = " = ",   [COPY] = " = ", [FIRST] = " = 0.0 + ",
                                        [ADD] = " += ", [SUM] = " += ", [SAME] = " += 0.0 + "};
    struct ad_text *text = &run->w->body;
    const struct statement *s = &body->first[j];
    bool named = body->rolled && s->kind == OP && s->width == 1 &&
                 !is_variable(run, body, &body->places[j][0]);

    ad_text_add(text, body->rolled ? "        " : "    ");
    if (s->width > 1 && s->kind != SUM && s->kind != SAME)
        ad_text_add(text, "for (int j = 0; j < %" PRId32 "; j++) ", s->width);
    if (named)
        ad_text_add(text, "const double t%" PRId64, j);
    else
        add_place(run, body, j, 0, s->single & 1 ? "" : " + j");
    ad_text_add(text, "%s", signs[s->kind]);
    if (s->kind == SUM) {
        ad_text_add(text, "ad_sum_few(&");
        /* numbers have no address but in their table */
        add_place(run, body, j, 1, body->places[j][1].space == AD_C_NUMBER ? " + 0" : "");
        ad_text_add(text, ", %" PRId32 ")", s->width);
    } else if (s->kind == SAME) {
        ad_text_add(text, "%" PRId32 ".0 * ", s->width);
        add_operand(run, body, j, 1);
    } else if (s->kind == OP) {
        ad_c_call(run->w, text, (enum ad_op)s->op);
        if (ad_ops[s->op].family) {
            ad_text_number(text, s->p);
            ad_text_add(text, ", ");
        }
        for (int v = 1; v <= s->n_args; v++) {
            ad_text_add(text, v > 1 ? ", " : "");
            add_operand(run, body, j, v);
        }
        ad_text_add(text, ")");
    } else {
        add_operand(run, body, j, 1);
    }
    ad_text_add(text, ";\n");
    if (named) {
        ad_text_add(text, "        ");
        add_place(run, body, j, 0, "");
        ad_text_add(text, " = t%" PRId64 ";\n", j);
    }
}

/* Declare the variables of a loop, or put them back. */
static void add_variables(struct run *run, const struct body *body, bool before)
{
    struct ad_text *text = &run->w->body;

    for (int64_t j = 0; j < body->period; j++)
        for (int v = 0; v <= body->first[j].n_args; v++) {
            const struct sequence *s = &body->places[j][v];

            if (!is_variable(run, body, s))
                continue;
            run->w->used[AD_SPACE_FRAME] = 1;
            if (before)
                ad_text_add(text, "    double r%" PRId64 " = v[%" PRId64 "];\n", s->at, s->at);
            else
                ad_text_add(text, "    v[%" PRId64 "] = r%" PRId64 ";\n", s->at, s->at);
            run->w->in_memory[s->at] = 0; /* once */
        }
}

static enum ad_status write_turns(struct run *run, const struct statement *first, int64_t period,
                                  int64_t count)
{
    struct body body = {.first = first, .period = period, .count = count, .rolled = count > 1};
    struct ad_text *text = &run->w->body;
    enum ad_status status = AD_OK;

    if (period == 0 || count == 0)
        return AD_OK;
    body.places = malloc((size_t)period * sizeof *body.places);
    if (!body.places)
        return AD_NO_MEMORY;
    for (int64_t j = 0; j < period && !status; j++)
        for (int v = 0; v <= first[j].n_args && !status; v++) {
            body.places[j][v] = find_sequence(&body, j, v);
            status = add_table(run, &body, j, v, &body.places[j][v]);
        }
    if (!status && body.rolled)
        status = ad_c_frame_map(run->w);
    if (!status) {
        if (body.rolled) {
            ad_text_add(text, "    {\n");
            find_variables(run, &body);
            add_variables(run, &body, true);
            find_variables(run, &body);
            ad_text_add(text, "    for (int32_t k = 0; k < %" PRId64 "; k++) {\n", count);
        }
        for (int64_t j = 0; j < period; j++)
            add_statement(run, &body, j);
        if (body.rolled) {
            ad_text_add(text, "    }\n");
            add_variables(run, &body, false);
            ad_text_add(text, "    }\n");
        }
    }
    free(body.places);
    return status;
}

/* The first and the last turns, if others move more regularly without them, are written before and after. */
static enum ad_status write_stretch(struct run *run, const struct ad_repeat *repeat)
{
    enum { MOST_BEFORE = 2, MOST_AFTER = 2 };
    const struct statement *first = run->statements + repeat->first;
    int64_t period = repeat->period, least = INT64_MAX;
    int before = 0, after = 0;
    enum ad_status status;

    if (repeat->count == 1)
        return write_turns(run, first, period, 1);
    for (int b = 0; b <= MOST_BEFORE && least > 0; b++)
        for (int a = 0; a <= MOST_AFTER && least > 0 && a + b + 1 < repeat->count; a++) {
            struct body body = {
                .first = first + b * period, .period = period, .count = repeat->count - a - b};
            int64_t n = n_listed(&body);

            if (n < least) {
                least = n;
                before = b;
                after = a;
            }
        }
    for (int b = 0; b < before; b++)
        if ((status = write_turns(run, first + b * period, period, 1)))
            return status;
    status = write_turns(run, first + before * period, period, repeat->count - before - after);
    for (int64_t a = repeat->count - after; a < repeat->count && !status; a++)
        status = write_turns(run, first + a * period, period, 1);
    return status;
}

/* Two kinds of one hash would be one loop: then there is none. */
static void check_repeat(const struct run *run, struct ad_repeat *repeat)
{
    const struct statement *first = run->statements + repeat->first;

    for (int64_t m = repeat->period; m < repeat->count * repeat->period; m++)
        if (!same_kind(&first[m - repeat->period], &first[m])) {
            repeat->period *= repeat->count;
            repeat->count = 1;
            return;
        }
}

enum ad_status ad_c_run(struct ad_c_writer *w, const struct ad_plan_step *step)
{
    struct run run = {.w = w};
    uint64_t *kinds = NULL;
    struct ad_repeat *repeats = NULL;
    int64_t n_repeats = 0;
    bool rolled = false;
    enum ad_status status = AD_OK;

    for (int64_t k = step->first; !status; k++) {
        const struct ad_word_of_run *word = &w->plan->code.words[k];

        if (word->code == AD_WORD_END)
            break;
        if (word->code == AD_WORD_MOVE)
            status = append_move(&run, &w->plan->code.moves[word->d]);
        else
            status = append_word(&run, word);
        k += word->code == AD_WORD_VALUE;
    }
    kinds = malloc(((size_t)run.n + 1) * sizeof *kinds);
    if (!kinds)
        status = AD_NO_MEMORY;
    if (!status) {
        for (int64_t j = 0; j < run.n; j++)
            kinds[j] = hash_of(&run.statements[j]);
        status = ad_find_repeats(kinds, run.n, &repeats, &n_repeats);
    }
    for (int64_t r = 0; r < n_repeats && !status; r++) {
        check_repeat(&run, &repeats[r]);
        rolled |= repeats[r].count > 1;
    }
    if (rolled)
        status = move_values(&run, repeats, n_repeats);
    for (int64_t r = 0; r < n_repeats && !status; r++)
        status = write_stretch(&run, &repeats[r]);
    free(run.statements);
    free(kinds);
    free(repeats);
    return status;
}

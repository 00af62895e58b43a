/* ad_c_run.c -- runs as C: what repeats itself rolled up. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ad_c_roll.h"
#include "ad_c_values.h"

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
    const struct ad_c_statement *first; /* statements of the first turn */
    int64_t period, count;
    struct sequence (*places)[AD_C_PLACES]; /* of each */
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

static enum ad_status add_table(struct ad_c_run *run, const struct body *body, int64_t j, int v,
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

/* ---- variables ---- */

/* May operand v be a variable of the loop: a number or a short vector that stays where it is? */
static bool may_be_variable(const struct body *body, int64_t j, int v)
{
    int64_t width = ad_c_width(&body->first[j], v);

    return body->places[j][v].kind == FIXED && (width == 1 || width == AD_SHORT);
}

/* Claim the places of an operand for a variable, or if there is another claim for memory. */
static void claim(struct ad_c_run *run, const struct body *body, int64_t j, int v)
{
    struct ad_c_claim *claims = run->w->claims;
    int64_t width = ad_c_width(&body->first[j], v);
    bool variable = may_be_variable(body, j, v);
    int64_t turns = body->places[j][v].kind == FIXED ? 1 : body->count;

    for (int64_t k = 0; k < turns; k++) {
        int64_t at = place_at(body, j, v, k)->at;
        struct ad_c_claim own = {run->w->loop, (int32_t)at, variable ? (uint8_t)width : 0};

        for (int64_t p = at; p < at + width; p++) {
            if (claims[p].loop == own.loop &&
                (claims[p].first != own.first || claims[p].width != own.width))
                claims[p].width = 0;
            else
                claims[p] = own;
        }
    }
}

/* Give up the claim of an operand of which a part is in memory; tell if that changes anything. */
static bool give_up(struct ad_c_run *run, const struct body *body, int64_t j, int v)
{
    struct ad_c_claim *claims = run->w->claims + body->places[j][v].at;
    int64_t width = ad_c_width(&body->first[j], v), in_memory = 0;

    for (int64_t e = 0; e < width; e++)
        in_memory += claims[e].width == 0;
    for (int64_t e = 0; e < width && in_memory; e++)
        claims[e].width = 0;
    return in_memory && in_memory < width;
}

/* What stays in one place of the frame, and shares it with nothing else, is a variable of the loop. */
static void find_variables(struct ad_c_run *run, const struct body *body)
{
    bool changed = true;

    run->w->loop++;
    for (int64_t j = 0; j < body->period; j++)
        for (int v = 0; v <= body->first[j].n_args; v++)
            if (body->places[j][v].space == AD_SPACE_FRAME)
                claim(run, body, j, v);
    while (changed) { /* seldom more than once */
        changed = false;
        for (int64_t j = 0; j < body->period; j++)
            for (int v = 0; v <= body->first[j].n_args; v++)
                if (body->places[j][v].space == AD_SPACE_FRAME && may_be_variable(body, j, v))
                    changed |= give_up(run, body, j, v);
    }
}

static bool is_variable(const struct ad_c_run *run, const struct body *body, int64_t j, int v)
{
    const struct sequence *s = &body->places[j][v];

    return body->rolled && s->space == AD_SPACE_FRAME && may_be_variable(body, j, v) &&
           run->w->claims[s->at].width > 0;
}

/* ---- writing ---- */

/* An element of operand v: the first, or the one that a loop over j is at. */
static void add_place(struct ad_c_run *run, const struct body *body, int64_t j, int v, bool each)
{
    struct ad_c_writer *w = run->w;
    struct ad_text *text = &w->body;
    const struct sequence *s = &body->places[j][v];
    bool summed = body->first[j].kind == AD_C_SUM && v == 1; /* found by its address: no literal */

    if (is_variable(run, body, j, v)) {
        ad_text_add(text, "r%" PRId64, s->at);
        if (ad_c_width(&body->first[j], v) > 1)
            ad_text_add(text, each ? "[j]" : "[0]");
        return;
    }
    if (s->space == AD_C_NUMBER && s->kind == FIXED && (s->at < 0 || !(each || summed))) {
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
    ad_text_add(text, each ? " + j]" : "]");
}

/* May two sequences, of so many elements each, have one in common at the same turn? */
static bool may_meet(const struct sequence *a, int64_t n_a, const struct sequence *b, int64_t n_b)
{
    if (a->space != b->space)
        return false;
    return a->kind == LISTED || b->kind == LISTED || a->step != b->step ||
           (a->at < b->at + n_b && b->at < a->at + n_a);
}

static bool same_sequence(const struct sequence *a, const struct sequence *b)
{
    return a->space == b->space && a->kind == b->kind && a->kind != LISTED && a->at == b->at &&
           a->step == b->step;
}

enum { LOOK_BACK = 256 };

/* Is the result of a statement of a loop, which goes to memory, known by a name as well? */
static bool is_named(const struct ad_c_run *run, const struct body *body, int64_t j)
{
    int64_t width = ad_c_width(&body->first[j], 0);

    return body->rolled && body->first[j].kind == AD_C_OP && (width == 1 || width == AD_SHORT) &&
           !is_variable(run, body, j, 0);
}

/* The statement of this turn whose result the operand is, if it is known by a name; or -1. */
static int64_t named_result(const struct ad_c_run *run, const struct body *body, int64_t j, int v)
{
    const struct sequence *wanted = &body->places[j][v];
    int64_t width = ad_c_width(&body->first[j], v);

    if (!body->rolled || wanted->space != AD_SPACE_FRAME || wanted->kind != STEPS)
        return -1;
    for (int64_t m = j - 1; m >= AD_MAX(0, j - LOOK_BACK); m--) {
        const struct sequence *result = &body->places[m][0];
        int64_t n = ad_c_width(&body->first[m], 0);

        if (is_variable(run, body, m, 0))
            continue;
        if (n == width && is_named(run, body, m) && same_sequence(result, wanted))
            return m;
        if (may_meet(result, n, wanted, width))
            return -1;
    }
    return -1;
}

/* Is the statement a loop over its elements? */
static bool is_loop(const struct ad_c_statement *s)
{
    return s->width > 1 && s->kind != AD_C_SUM && s->kind != AD_C_SAME;
}

/* Is the operand one number for all elements, but no literal?  It is read before the loop over them, into a vector of
 * its own for a short one: where a choice depends on it, GCC's comparison of vectors beats that of a number, of which
 * it spreads the outcome bit by bit. */
static bool is_read_before(const struct body *body, int64_t j, int v)
{
    const struct sequence *s = &body->places[j][v];

    return is_loop(&body->first[j]) && ad_c_width(&body->first[j], v) == 1 &&
           (s->space != AD_C_NUMBER || s->kind != FIXED);
}

static void add_operand(struct ad_c_run *run, const struct body *body, int64_t j, int v)
{
    bool each = ad_c_width(&body->first[j], v) > 1;
    int64_t named = named_result(run, body, j, v);

    if (named >= 0)
        ad_text_add(&run->w->body, each ? "t%" PRId64 "[j]" : "t%" PRId64, named);
    else
        add_place(run, body, j, v, each);
}

/* What a statement puts into its result, or adds to it. */
static void add_value(struct ad_c_run *run, const struct body *body, int64_t j)
{
    struct ad_text *text = &run->w->body;
    const struct ad_c_statement *s = &body->first[j];

    switch ((enum ad_c_kind)s->kind) {
    case AD_C_SUM:
        ad_text_add(text, "ad_sum_few(&");
        add_place(run, body, j, 1, false);
        ad_text_add(text, ", %" PRId32 ")", s->width);
        return;
    case AD_C_SAME:
        ad_text_add(text, "0.0 + %" PRId32 ".0 * ", s->width);
        break;
    case AD_C_FIRST:
        ad_text_add(text, "0.0 + ");
        break;
    case AD_C_OP:
        ad_c_call(run->w, text, (enum ad_op)s->op, is_loop(s));
        if (ad_ops[s->op].family) {
            ad_text_number(text, s->p);
            ad_text_add(text, ", ");
        }
        break;
    case AD_C_COPY:
    case AD_C_ADD:
        break;
    }
    for (int v = 1; v <= s->n_args; v++) {
        ad_text_add(text, v > 1 ? ", " : "");
        if (is_read_before(body, j, v))
            ad_text_add(text, s->width == AD_SHORT ? "c%d[j]" : "c%d", v);
        else
            add_operand(run, body, j, v);
    }
    ad_text_add(text, s->kind == AD_C_OP ? ")" : "");
}

static void add_statement(struct ad_c_run *run, const struct body *body, int64_t j)
{
    struct ad_text *text = &run->w->body;
    const struct ad_c_statement *s = &body->first[j];
    const char *indent = body->rolled ? "        " : "    ";
    bool named = is_named(run, body, j), each = ad_c_width(s, 0) > 1, block = false;

    for (int v = 1; v <= s->n_args; v++) {
        if (!is_read_before(body, j, v))
            continue;
        ad_text_add(text, block ? "%s  " : "%s{ ", indent);
        if (s->width == AD_SHORT)
            ad_text_add(text, "double c%d[%d]; AD_EACH c%d[j] = ", v, AD_SHORT, v);
        else
            ad_text_add(text, "const double c%d = ", v);
        add_operand(run, body, j, v);
        ad_text_add(text, ";\n");
        block = true;
    }
    ad_text_add(text, "%s", indent);
    if (is_loop(s) && s->width == AD_SHORT)
        ad_text_add(text, "AD_EACH ");
    else if (is_loop(s))
        ad_text_add(text, "for (int j = 0; j < %" PRId32 "; j++) ", s->width);
    if (named && each)
        ad_text_add(text, "{ t%" PRId64 "[j]", j);
    else if (named)
        ad_text_add(text, "const double t%" PRId64, j);
    else
        add_place(run, body, j, 0, each);
    ad_text_add(text, ad_c_changes(s) ? " += " : " = ");
    add_value(run, body, j);
    ad_text_add(text, ";");
    if (named) {
        ad_text_add(text, each ? " " : "\n%s", indent);
        add_place(run, body, j, 0, each);
        ad_text_add(text, each ? " = t%" PRId64 "[j]; }" : " = t%" PRId64 ";", j);
    }
    ad_text_add(text, block ? " }\n" : "\n");
}

/* Declare the names of short vectors. */
static void add_named(struct ad_c_run *run, const struct body *body)
{
    for (int64_t j = 0; j < body->period; j++)
        if (is_named(run, body, j) && body->first[j].width == AD_SHORT)
            ad_text_add(&run->w->body, "        double t%" PRId64 "[%d];\n", j, AD_SHORT);
}

/* Declare the variables of a loop, or put them back. */
static void add_variables(struct ad_c_run *run, const struct body *body, bool before)
{
    struct ad_text *text = &run->w->body;

    for (int64_t j = 0; j < body->period; j++)
        for (int v = 0; v <= body->first[j].n_args; v++) {
            int64_t at = body->places[j][v].at;
            bool each = ad_c_width(&body->first[j], v) > 1;

            if (!is_variable(run, body, j, v))
                continue;
            run->w->used[AD_SPACE_FRAME] = 1;
            if (each && before)
                ad_text_add(text, "    double r%" PRId64 "[%d];\n", at, AD_SHORT);
            if (each && before)
                ad_text_add(text, "    AD_EACH r%" PRId64 "[j] = v[%" PRId64 " + j];\n", at, at);
            else if (each)
                ad_text_add(text, "    AD_EACH v[%" PRId64 " + j] = r%" PRId64 "[j];\n", at, at);
            else if (before)
                ad_text_add(text, "    double r%" PRId64 " = v[%" PRId64 "];\n", at, at);
            else
                ad_text_add(text, "    v[%" PRId64 "] = r%" PRId64 ";\n", at, at);
            run->w->claims[at].width = 0; /* once */
        }
}

/* A row of statements, or a loop. */
static enum ad_status write_piece(struct ad_c_run *run, const struct ad_c_statement *first,
                                  int64_t period, int64_t count)
{
    struct body body = {.first = first, .period = period, .count = count, .rolled = count > 1};
    struct ad_text *text = &run->w->body;
    enum ad_status status = AD_OK;

    body.places = malloc((size_t)period * sizeof *body.places);
    if (!body.places)
        return AD_NO_MEMORY;
    for (int64_t j = 0; j < period && !status; j++)
        for (int v = 0; v <= first[j].n_args && !status; v++) {
            body.places[j][v] = find_sequence(&body, j, v);
            status = add_table(run, &body, j, v, &body.places[j][v]);
        }
    if (!status && body.rolled)
        status = ad_c_frame_claims(run->w);
    if (!status) {
        if (body.rolled) {
            ad_text_add(text, "    {\n");
            find_variables(run, &body);
            add_variables(run, &body, true);
            find_variables(run, &body);
            ad_text_add(text, "    for (int32_t k = 0; k < %" PRId64 "; k++) {\n", count);
            add_named(run, &body);
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

/* Of one function, but for loops.  With 128 the compiler takes two thirds of the time, but a Hessian of many steps runs
 * a third longer when the turns before and after its loops are cut in two. */
enum { MOST_STATEMENTS = 1024 };

/* 'count' times 'period' statements: a long row of them in functions of its own. */
static enum ad_status write_turns(struct ad_c_run *run, const struct ad_c_statement *first,
                                  int64_t period, int64_t count)
{
    enum ad_status status = AD_OK;
    struct ad_c_part part;

    if (count == 0 || period == 0)
        return AD_OK;
    if (count > 1 || period <= MOST_STATEMENTS)
        return write_piece(run, first, period, count);
    for (int64_t j = 0, n; j < period && !status; j += n) {
        n = AD_MIN(MOST_STATEMENTS, period - j);
        if (!ad_c_begin_part(run->w, &part))
            return AD_NO_MEMORY;
        status = write_piece(run, first + j, n, 1);
        ad_c_end_part(run->w, &part);
    }
    return status;
}

/* The first and the last turns, if others move more regularly without them, are written before and after. */
static enum ad_status write_stretch(struct ad_c_run *run, const struct ad_repeat *repeat)
{
    enum { MOST_BEFORE = 2, MOST_AFTER = 2 };
    const struct ad_c_statement *first = run->statements + repeat->first;
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
static void check_repeat(const struct ad_c_run *run, struct ad_repeat *repeat)
{
    const struct ad_c_statement *first = run->statements + repeat->first;

    for (int64_t m = repeat->period; m < repeat->count * repeat->period; m++)
        if (!ad_c_same_kind(&first[m - repeat->period], &first[m])) {
            repeat->period *= repeat->count;
            repeat->count = 1;
            return;
        }
}

enum ad_status ad_c_run(struct ad_c_writer *w, const struct ad_plan_step *step)
{
    struct ad_c_run run = {.w = w};
    uint64_t *kinds = NULL;
    struct ad_repeat *repeats = NULL;
    int64_t n_repeats = 0;
    bool rolled = false;
    enum ad_status status = ad_c_take_apart(&run, step);

    kinds = malloc(((size_t)run.n + 1) * sizeof *kinds);
    if (!kinds)
        status = AD_NO_MEMORY;
    if (!status) {
        for (int64_t j = 0; j < run.n; j++)
            kinds[j] = ad_c_kind_of(&run.statements[j]);
        status = ad_find_repeats(kinds, run.n, &repeats, &n_repeats);
    }
    for (int64_t r = 0; r < n_repeats && !status; r++) {
        check_repeat(&run, &repeats[r]);
        rolled |= repeats[r].count > 1;
    }
    if (rolled)
        status = ad_c_move_values(&run, repeats, n_repeats);
    for (int64_t r = 0; r < n_repeats && !status; r++)
        status = write_stretch(&run, &repeats[r]);
    free(run.statements);
    free(kinds);
    free(repeats);
    return status;
}

/* ad_c_group.c -- groups as C: one loop over the elements, or several over some hundred at a time.
 *
 * Moves that may share a loop are put into one *section*.  What must wait is in a later one: additions to a
 * range that an earlier one added to elsewhere, scattered ones, and functions that the compiler cannot
 * vectorise among arithmetic that it can, which are called with many elements at a time.  A value that such a
 * call makes, or that another section or a sum needs, is kept in an array of a strip; with one section and no sums there are no strips. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ad_c_write.h"

enum {
    LOOK_BACK = 256, /* of values in memory, how many are known by name */
    MOST_STORES = 64 /* ranges that are written in one section */
};

/* What is known of a move of the group. */
struct about {
    int section;               /* from 1 on; 0: it is in no loop */
    bool kept;                 /* is its value kept in an array of the strip? */
    int32_t from[AD_MAX_ARGS]; /* the moves that its operands are from, or -1: memory */
    int32_t before; /* AD_MOVE_ADD on a tile: the move that gave it its value so far, or -1 */
    int table;      /* of its walk */
};

struct group {
    struct ad_c_writer *w;
    const struct ad_plan_step *step;
    const struct ad_move *moves; /* those in the loop */
    int32_t n;
    struct about *about;
    int n_sections;
    bool strips;
};

static bool is_sum(const struct ad_move *move)
{
    return move->kind == AD_MOVE_SUM;
}

static bool is_scattered(const struct ad_move *move)
{
    return move->kind == AD_MOVE_PUT || move->kind == AD_MOVE_SCATTER;
}

static int n_operands(const struct ad_move *move)
{
    switch ((enum ad_move_kind)move->kind) {
    case AD_MOVE_LOOP:
    case AD_MOVE_VECTOR:
        return ad_ops[move->op].n_args;
    case AD_MOVE_GATHER:
    case AD_MOVE_LOCATE:
    case AD_MOVE_FILL:
        return 0;
    case AD_MOVE_COPY:
    case AD_MOVE_FIRST:
    case AD_MOVE_ADD:
    case AD_MOVE_PUT:
    case AD_MOVE_SCATTER:
    case AD_MOVE_SUM:
        return 1;
    }
    ad_unreachable();
    return 0;
}

/* ---- sections ---- */

/* Is the value column arithmetic that compilers vectorise? */
static bool is_arithmetic(const struct ad_move *move)
{
    if (move->kind != AD_MOVE_LOOP && move->kind != AD_MOVE_VECTOR)
        return true;
    switch ((int)move->op) {
    case AD_OP_powi:
        return move->p == 2 || move->p == 1 || move->p == -1;
    case AD_OP_neg:
    case AD_OP_abs:
    case AD_OP_sign:
    case AD_OP_square:
    case AD_OP_reciprocal:
    case AD_OP_recip0:
    case AD_OP_sqrt:
    case AD_OP_nonzero:
    case AD_OP_mantissa:
    case AD_OP_mantissa_slope:
    case AD_OP_stop:
    case AD_OP_deg2rad:
    case AD_OP_rad2deg:
    case AD_OP_add:
    case AD_OP_sub:
    case AD_OP_mul:
    case AD_OP_div:
    case AD_OP_maximum:
    case AD_OP_minimum:
    case AD_OP_mul0:
    case AD_OP_mul00:
    case AD_OP_flow:
    case AD_OP_div0:
    case AD_OP_sub0:
    case AD_OP_above:
    case AD_OP_equal:
    case AD_OP_same:
    case AD_OP_not_equal:
    case AD_OP_less:
    case AD_OP_less_equal:
    case AD_OP_gate:
    case AD_OP_where:
    case AD_OP_clip:
    case AD_OP_lerp:
        return true;
    default:
        return false;
    }
}

/* Ranges that the section under way has written. */
struct stores {
    const struct ad_move *by[MOST_STORES];
    int n;
};

static bool to_memory(const struct ad_move *move)
{
    return move->y.space != AD_SPACE_TILES;
}

/* Does the move write to where the section wrote, but not at the same elements? */
static bool must_wait(const struct stores *stores, const struct ad_move *move, int64_t n)
{
    for (int j = 0; j < stores->n; j++) {
        const struct ad_ref *y = &stores->by[j]->y;

        if (y->space == move->y.space && y->at != move->y.at && y->at < move->y.at + n &&
            move->y.at < y->at + n)
            return true;
    }
    return stores->n == MOST_STORES;
}

static void find_sections(struct group *g)
{
    struct stores stores = {.n = 0};
    int section = 1;
    bool any = false, arithmetic = true;

    for (int32_t m = 0; m < g->n; m++) {
        const struct ad_move *move = &g->moves[m];
        bool stored = !is_scattered(move) && !is_sum(move) && to_memory(move);

        if (move->kind == AD_MOVE_LOCATE || is_sum(move))
            continue;
        if (any && (is_scattered(move) || is_arithmetic(move) != arithmetic ||
                    (stored && must_wait(&stores, move, g->step->n)))) {
            section++;
            stores.n = 0;
        }
        if (stored)
            stores.by[stores.n++] = move;
        g->about[m].section = section;
        arithmetic = is_arithmetic(move);
        any = true;
        if (is_scattered(move)) {
            section++;
            stores.n = 0;
            any = false;
        }
    }
    g->n_sections = section;
}

/* Which move each operand is from, and which values are kept. */
static enum ad_status find_values(struct group *g)
{
    int64_t tile = AD_MAX(g->step->tile, 1), n_tiles = g->w->plan->n_tiles / tile + 1;
    int32_t *newest = malloc((size_t)n_tiles * sizeof *newest);

    if (!newest)
        return AD_NO_MEMORY;
    for (int64_t t = 0; t < n_tiles; t++)
        newest[t] = -1;
    for (int32_t m = 0; m < g->n; m++) {
        const struct ad_move *move = &g->moves[m];
        struct about *about = &g->about[m];

        for (int v = 0; v < n_operands(move); v++) {
            about->from[v] = move->x[v].space == AD_SPACE_TILES ? newest[move->x[v].at / tile] : -1;
            if (about->from[v] >= 0 && g->about[about->from[v]].section != about->section)
                g->about[about->from[v]].kept = true;
        }
        about->before = -1;
        g->strips |= is_sum(move) || move->kind == AD_MOVE_LOCATE;
        if (move->kind == AD_MOVE_LOCATE || is_sum(move) || is_scattered(move) || to_memory(move))
            continue;
        if (move->kind == AD_MOVE_ADD) {
            about->before = newest[move->y.at / tile];
            if (g->about[about->before].section != about->section)
                g->about[about->before].kept = true;
        }
        newest[move->y.at / tile] = m;
        g->about[m].kept |= !is_arithmetic(move);
        g->strips |= !is_arithmetic(move);
    }
    free(newest);
    g->strips |= g->n_sections > 1;
    return AD_OK;
}

/* ---- writing ---- */

static bool is_located(const struct group *g, int32_t space)
{
    const struct ad_plan *plan = g->w->plan;

    return space >= AD_SPACE_INPUTS + plan->code.n_inputs + plan->code.n_outputs +
                        (int32_t)plan->code.n_arrays;
}

static void add_index(const struct group *g, struct ad_text *text, const struct ad_ref *ref)
{
    if (is_located(g, ref->space))
        ad_text_add(text, "[i - s]");
    else if (ref->at)
        ad_text_add(text, "[%" PRId64 " + i]", ref->at);
    else
        ad_text_add(text, "[i]");
}

/* Operand v of move m, in the loop of its section. */
static void add_operand(struct group *g, struct ad_text *text, int32_t m, int v)
{
    const struct ad_move *move = &g->moves[m];
    const struct ad_ref *x = &move->x[v];
    int32_t from = g->about[m].from[v];

    if (from >= 0 && g->about[from].section == g->about[m].section) {
        ad_text_add(text, "t%" PRId32, from);
    } else if (from >= 0) {
        ad_text_add(text, "k%" PRId32 "[i - s]", from);
    } else if (move->single >> v & 1) {
        struct ad_c_place place = ad_c_place(g->w, x->space, x->at);

        if (place.space == AD_C_NUMBER)
            ad_c_element(g->w, text, place);
        else
            ad_text_add(text, "c%" PRId32 "_%d", m, v);
    } else {
        ad_c_space(g->w, text, x->space);
        add_index(g, text, x);
    }
}

/* The value of a move as an expression. */
static void add_value(struct group *g, struct ad_text *text, int32_t m)
{
    const struct ad_move *move = &g->moves[m];

    if (move->kind == AD_MOVE_GATHER) {
        ad_c_listed(g->w, text, &move->walk, g->about[m].table, "i");
        return;
    }
    if (move->kind != AD_MOVE_LOOP && move->kind != AD_MOVE_VECTOR) {
        ad_text_add(text, move->kind == AD_MOVE_FIRST ? "0.0 + " : "");
        add_operand(g, text, m, 0);
        return;
    }
    ad_c_call(g->w, text, (enum ad_op)move->op, true);
    if (ad_ops[move->op].family) {
        ad_text_number(text, move->p);
        ad_text_add(text, ", ");
    }
    for (int v = 0; v < ad_ops[move->op].n_args; v++) {
        ad_text_add(text, v ? ", " : "");
        add_operand(g, text, m, v);
    }
    ad_text_add(text, ")");
}

static void add_move(struct group *g, int32_t m)
{
    struct ad_text *text = &g->w->body;
    const struct ad_move *move = &g->moves[m];
    const struct about *about = &g->about[m];

    ad_text_add(text, "            ");
    if (is_scattered(move)) {
        ad_c_listed(g->w, text, &move->walk, about->table, "i");
        ad_text_add(text, move->kind == AD_MOVE_PUT ? " = " : " += ");
        add_operand(g, text, m, 0);
        ad_text_add(text, ";\n");
        return;
    }
    if (to_memory(move)) {
        ad_c_space(g->w, text, move->y.space);
        add_index(g, text, &move->y);
        ad_text_add(text, move->kind == AD_MOVE_ADD ? " += " : " = ");
        add_value(g, text, m);
        ad_text_add(text, ";\n");
        return;
    }
    ad_text_add(text, "const double t%" PRId32 " = ", m);
    if (about->before >= 0) {
        bool here = g->about[about->before].section == about->section;

        ad_text_add(text, here ? "t%" PRId32 " + " : "k%" PRId32 "[i - s] + ", about->before);
    }
    add_value(g, text, m);
    ad_text_add(text, ";\n");
    if (about->kept)
        ad_text_add(text, "            k%" PRId32 "[i - s] = t%" PRId32 ";\n", m, m);
}

/* Operands that are one number are read before the loop: those of rows where the row begins. */
static void add_singles(struct group *g, bool located)
{
    struct ad_text *text = &g->w->body;

    for (int32_t m = 0; m < g->n; m++)
        for (int v = 0; v < n_operands(&g->moves[m]); v++) {
            const struct ad_move *move = &g->moves[m];
            const struct ad_ref *x = &move->x[v];

            if (is_sum(move) || !(move->single >> v & 1) || g->about[m].from[v] >= 0 ||
                is_located(g, x->space) != located ||
                ad_c_place(g->w, x->space, x->at).space == AD_C_NUMBER)
                continue;
            ad_text_add(text, "    %sconst double c%" PRId32 "_%d = ", located ? "    " : "", m, v);
            ad_c_element(g->w, text, (struct ad_c_place){x->space, x->at});
            ad_text_add(text, ";\n");
        }
}

/* Operand v of a call with many elements: where they begin, and how far apart they are. */
static void add_vector(struct group *g, int32_t m, int v)
{
    struct ad_text *text = &g->w->body;
    const struct ad_move *move = &g->moves[m];
    const struct ad_ref *x = &move->x[v];
    int32_t from = g->about[m].from[v];

    if (from >= 0) {
        ad_text_add(text, "k%" PRId32 ", 1", from);
    } else if (move->single >> v & 1) {
        ad_text_add(text, "&(const double){");
        add_operand(g, text, m, v);
        ad_text_add(text, "}, 0");
    } else {
        ad_c_space(g->w, text, x->space);
        if (is_located(g, x->space))
            ad_text_add(text, ", 1");
        else
            ad_text_add(text, " + %" PRId64 " + s, 1", x->at);
    }
}

/* A function that is more than arithmetic, of elements s .. e. */
static void add_call(struct group *g, int32_t m)
{
    struct ad_text *text = &g->w->body;
    const struct ad_move *move = &g->moves[m];

    ad_text_add(text, "        ");
    ad_c_call_over(g->w, text, (enum ad_op)move->op);
    if (ad_ops[move->op].family) {
        ad_text_number(text, move->p);
        ad_text_add(text, ", ");
    }
    ad_text_add(text, "e - s, ");
    for (int v = 0; v < ad_ops[move->op].n_args; v++) {
        add_vector(g, m, v);
        ad_text_add(text, ", ");
    }
    if (to_memory(move)) {
        ad_c_space(g->w, text, move->y.space);
        ad_text_add(text, " + %" PRId64 " + s);\n", move->y.at);
    } else {
        ad_text_add(text, "k%" PRId32 ");\n", m);
    }
}

static void add_section(struct group *g, int section)
{
    struct ad_text *text = &g->w->body;
    bool any = false;

    for (int32_t m = 0; m < g->n; m++) {
        if (g->about[m].section != section)
            continue;
        if (!is_arithmetic(&g->moves[m])) {
            add_call(g, m);
            continue;
        }
        if (!any)
            ad_text_add(text, "        %sfor (int64_t i = s; i < e; i++) {\n",
                        is_scattered(&g->moves[m]) ? "" : "AD_INDEPENDENT\n        ");
        any = true;
        add_move(g, m);
    }
    if (any)
        ad_text_add(text, "        }\n");
}

/* Elements s .. e of a sum. */
static void add_sum(struct group *g, int32_t m)
{
    struct ad_text *text = &g->w->body;
    const struct ad_move *move = &g->moves[m];
    const struct ad_ref *x = &move->x[0];
    struct ad_c_place place = ad_c_place(g->w, x->space, x->at);
    char row[40];
    int32_t from = g->about[m].from[0];

    ad_text_add(text,
                "        for (int64_t i = s; i < e;) {\n"
                "            double sum;\n\n"
                "            i = ad_sum_row(&sum%" PRId32 ", ",
                m);
    if (from >= 0) {
        ad_text_add(text, "k%" PRId32, from);
    } else if (place.space == AD_C_NUMBER) {
        ad_text_add(text, "&%s_numbers[%" PRId64 "]", g->w->name, place.at);
        g->w->numbers_in_table = true;
    } else {
        ad_c_space(g->w, text, x->space);
        if (!is_located(g, x->space))
            ad_text_add(text, " + %" PRId64, x->at);
    }
    if (!(move->single & 1))
        ad_text_add(text, from >= 0 || is_located(g, x->space) ? " + (i - s)" : " + i");
    ad_text_add(text, ", i, e, %" PRId64 ", %d, &sum);\n", move->n, (move->single & 2) != 0);
    ad_text_add(text, "            if (i %% %" PRId64 " == 0)\n                ", move->n);
    snprintf(row, sizeof row, "(i - 1) / %" PRId64, move->n);
    ad_c_listed(g->w, text, &move->walk, g->about[m].table, row);
    ad_text_add(text, " += sum;\n        }\n");
}

static void add_strips(struct group *g)
{
    struct ad_text *text = &g->w->body;
    const struct ad_plan_step *step = g->step;
    int n_kept = 0;

    for (int32_t m = 0; m < g->n; m++)
        if (is_sum(&g->moves[m]))
            ad_text_add(text, "    struct ad_sum sum%" PRId32 " = {0};\n", m);
    ad_text_add(text, "    for (int64_t s = 0, e; s < %" PRId64 "; s = e) {\n", step->n);
    if (step->row)
        ad_text_add(text,
                    "        e = s - s %% %" PRId64 " + %" PRId64 ";\n"
                    "        e = e < s + %d ? e : s + %d;\n",
                    step->row, step->row, AD_C_STRIP, AD_C_STRIP);
    else
        ad_text_add(text, "        e = s + %d < %" PRId64 " ? s + %d : %" PRId64 ";\n", AD_C_STRIP,
                    step->n, AD_C_STRIP, step->n);
    for (int32_t m = 0; m < g->n; m++) {
        const struct ad_move *move = &g->moves[m];

        if (g->about[m].kept)
            ad_text_add(text, "        double *const k%" PRId32 " = strips + %d;\n", m,
                        AD_C_STRIP * n_kept++);
        if (move->kind != AD_MOVE_LOCATE)
            continue;
        ad_text_add(text, "        const double *const ");
        ad_c_space(g->w, text, move->y.space);
        ad_text_add(text, " = &");
        ad_c_listed(g->w, text, &move->walk, g->about[m].table, "s");
        ad_text_add(text, ";\n");
    }
    g->w->n_kept = AD_MAX(g->w->n_kept, n_kept);
    add_singles(g, true);
    for (int section = 1; section <= g->n_sections; section++)
        add_section(g, section);
    for (int32_t m = 0; m < g->n; m++)
        if (is_sum(&g->moves[m]))
            add_sum(g, m);
    ad_text_add(text, "    }\n");
}

static void add_fill(struct group *g, const struct ad_move *move)
{
    struct ad_text *text = &g->w->body;

    ad_text_add(text, "    for (int64_t i = 0; i < %" PRId64 "; i++)\n        ", move->n);
    ad_c_space(g->w, text, move->y.space);
    ad_text_add(text, "[%" PRId64 " + i] = ", move->y.at);
    ad_text_number(text, move->p);
    ad_text_add(text, ";\n");
}

enum ad_status ad_c_group(struct ad_c_writer *w, const struct ad_plan_step *step)
{
    struct group g = {.w = w,
                      .step = step,
                      .moves = w->plan->code.moves + step->before,
                      .n = (int32_t)(step->end - step->before)};
    enum ad_status status = AD_OK;

    g.about = calloc((size_t)g.n + 1, sizeof *g.about);
    if (!g.about)
        return AD_NO_MEMORY;
    for (int32_t m = 0; m < g.n; m++)
        g.about[m].table = ad_c_walk_table(w, &g.moves[m].walk);
    find_sections(&g);
    status = find_values(&g);
    if (!status) {
        ad_text_add(&w->body, "    {\n");
        for (int64_t m = step->first; m < step->before; m++)
            add_fill(&g, &w->plan->code.moves[m]);
        add_singles(&g, false);
        if (g.strips) {
            add_strips(&g);
        } else {
            ad_text_add(&w->body, "    const int64_t s = 0, e = %" PRId64 ";\n", step->n);
            add_section(&g, 1);
        }
        ad_text_add(&w->body, "    }\n");
    }
    free(g.about);
    return status;
}

/* ad_depend.c -- sets of columns, carried from slot to slot; where they meet in a bend, they are pairs. */
#include "ad_depend.h"

#include <stdlib.h>
#include <string.h>

#include "ad_depend_rows.h"
#include "ad_emit_algebra.h"
#include "ad_lanes.h"

/* ---- operands of an elementwise instruction ---- */

struct operands {
    int n;
    int64_t size;
    double p;
    uint8_t varies; /* bits of those that are not constant */
    bool scalar;
    int32_t slot[AD_MAX_ARGS];
    struct ad_view views[AD_MAX_ARGS];
};

static void operands_of(const struct ad_tape *tape, int32_t i, struct operands *o)
{
    o->n = ad_ops[ad_tape_code(tape, i)].n_args;
    o->size = ad_tape_length(tape, i);
    o->scalar = !ad_tape_is_array(tape, i);
    o->varies = 0;
    if (o->scalar) {
        o->p = ad_tape_parameter(tape, i);
        o->slot[0] = tape->a[i];
        o->slot[1] = tape->b[i];
        for (int arg = 0; arg < o->n; arg++)
            if (o->slot[arg] >= 0)
                o->varies |= (uint8_t)(1 << arg);
        return;
    }
    memcpy(&o->p, &tape->aux[tape->a[i] + 3], sizeof o->p);
    ad_tape_views(tape, i, o->views, o->n);
    for (int arg = 0; arg < o->n; arg++)
        if (!ad_depend_is_constant(&o->views[arg]))
            o->varies |= (uint8_t)(1 << arg);
}

struct tile {
    int64_t start, n;
    struct ad_span span[AD_MAX_ARGS];
    struct ad_span_room room[AD_MAX_ARGS];
};

/* The tile from t->start on; false at the end. */
static bool tile_of(const struct ad_depend *d, const struct operands *o, struct tile *t)
{
    if (t->start >= o->size)
        return false;
    t->n = o->scalar ? 1 : o->size - t->start;
    for (int arg = 0; arg < o->n && !o->scalar; arg++)
        t->n = AD_MIN(t->n, ad_tile_size(&o->views[arg], o->size, t->start));
    for (int arg = 0; arg < o->n; arg++) {
        if (o->scalar)
            t->span[arg] = (struct ad_span){.kind = AD_SPAN_ONE, .slot = o->slot[arg]};
        else
            t->span[arg] =
                ad_span_of(&o->views[arg], 0, d->tape->value, t->start, t->n, &t->room[arg]);
    }
    return true;
}

AD_INLINE double value_at(const struct ad_tape *tape, const struct ad_span *span, int64_t j)
{
    if (span->kind == AD_SPAN_FIXED)
        return span->fixed.v ? span->fixed.v[j] : span->fixed.c;
    return tape->value[ad_span_slot(span, j)];
}

/* May some arguments of an instruction not count, by what is known of values? */
static bool chooses(const struct ad_depend *d, enum ad_op op, const struct operands *o)
{
    return ad_ops[op].curvature == AD_SELECT &&
           (d->local || (op == AD_OP_where && !(o->varies & 1)));
}

/* Which arguments of element j of a tile count: by a constant condition, or the values on the tape. */
static uint8_t chosen(const struct ad_depend *d, enum ad_op op, double p, const struct tile *t,
                      int64_t j, int32_t dst)
{
    double x[AD_MAX_ARGS] = {0}, partial[AD_MAX_ARGS];
    uint8_t found = 0;

    if (op == AD_OP_where)
        return value_at(d->tape, &t->span[0], j) != 0 ? 2 : 4;
    for (int arg = 0; arg < ad_ops[op].n_args; arg++)
        x[arg] = value_at(d->tape, &t->span[arg], j);
    ad_op_partials(op, p, x[0], x[1], x[2], d->tape->value[dst + t->start + j], partial);
    for (int arg = 0; arg < ad_ops[op].n_args; arg++)
        if (partial[arg] != 0)
            found |= (uint8_t)(1 << arg);
    return found;
}

/* ---- backwards: what is asked for ---- */

static void ask_view(struct ad_depend *d, const struct ad_view *view, uint8_t what)
{
#define ASK(j, slot)                                                                               \
    if ((slot) >= 0 && (j) >= 0)                                                                   \
    d->asked[slot] |= what
    if (!ad_depend_is_constant(view))
        AD_EACH_SLOT(d->tape, view, ASK);
}

static void ask_words(struct ad_depend *d, int32_t i)
{
    enum ad_op op = (enum ad_op)ad_tape_code(d->tape, i);
    int32_t dst = d->tape->dst[i];
    struct operands o;
    struct tile t;
    struct ad_facts facts;
    bool choose;
    uint8_t bent = 0; /* arguments that bend with one that varies */

    operands_of(d->tape, i, &o);
    choose = chooses(d, op, &o);
    facts = ad_facts_at(d->facts, op, o.p);
    for (int arg = 0; arg < o.n; arg++)
        if (o.varies >> arg & 1 && facts.bends[arg] & o.varies)
            bent |= (uint8_t)(1 << arg | (facts.bends[arg] & o.varies));
    for (t.start = 0; tile_of(d, &o, &t); t.start += t.n)
        for (int arg = 0; arg < o.n; arg++) {
            if (!(facts.follows >> arg & 1))
                continue;
            for (int64_t j = 0; j < t.n; j++) {
                int32_t slot = (int32_t)ad_span_slot(&t.span[arg], j);
                uint8_t asked = d->asked[dst + t.start + j];

                if (slot < 0 || !asked || (choose && !(chosen(d, op, o.p, &t, j, dst) >> arg & 1)))
                    continue;
                if (asked & AD_LIVE && bent >> arg & 1)
                    asked |= AD_NEEDED;
                d->asked[slot] |= asked;
            }
        }
}

/* Call EACH(from, to) for the slots of each pair of views of an AD_ADDTO; constants are left out. */
#define EACH_ADDED(d, i, EACH)                                                                     \
    do {                                                                                           \
        const struct ad_tape *of_tape = (d)->tape;                                                 \
        const int64_t *of_block = of_tape->aux + of_tape->a[i],                                    \
                      *of_words = of_block + AD_BLOCK_HEADER;                                      \
        struct ad_span_room from_room, to_room;                                                    \
        struct ad_view from_view, to_view;                                                         \
                                                                                                   \
        for (int64_t of_v = 0; of_v < of_block[1]; of_v += 2) {                                    \
            of_words = ad_view_decode(ad_view_decode(of_words, &from_view), &to_view);             \
            if (ad_depend_is_constant(&from_view))                                                 \
                continue;                                                                          \
            for (int64_t of_at = 0, of_n, of_size = ad_view_size(&to_view); of_at < of_size;       \
                 of_at += of_n) {                                                                  \
                of_n = AD_MIN(ad_tile_size(&to_view, of_size, of_at),                              \
                              ad_tile_size(&from_view, of_size, of_at));                           \
                struct ad_span of_from =                                                           \
                    ad_span_of(&from_view, 0, of_tape->value, of_at, of_n, &from_room);            \
                struct ad_span of_to =                                                             \
                    ad_span_of(&to_view, of_tape->dst[i], of_tape->value, of_at, of_n, &to_room);  \
                                                                                                   \
                for (int64_t of_j = 0; of_j < of_n; of_j++) {                                      \
                    int64_t of_slot = ad_span_slot(&of_from, of_j);                                \
                                                                                                   \
                    if (of_slot >= 0)                                                              \
                        EACH(of_slot, ad_span_slot(&of_to, of_j));                                 \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* The elements of each result of an AD_CALL that goes element by element, and their shape; 0 of any other
 * instruction.  The results stand one after the other. */
static int64_t elements_of(const struct ad_depend *d, int32_t i, int *ndim, int64_t *shape)
{
    const struct ad_tape *tape = d->tape;
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    int64_t size;

    if (ad_tape_code(tape, i) != AD_CALL || !tape->hooks || !tape->hooks->elementwise)
        return 0;
    *ndim = tape->hooks->elementwise((void *)(uintptr_t)block[4], shape);
    if (*ndim < 0)
        return 0;
    size = ad_shape_size(*ndim, shape);
    if (size <= 0 || block[2] % size)
        return 0;
    for (int64_t v = 0; v < block[1]; v++) {
        struct ad_view view;

        words = ad_view_decode(words, &view);
        if (!ad_view_broadcast(&view, *ndim, shape))
            return 0;
    }
    return size;
}

/* Call EACH(from, to) for the slots of operands and of the results that depend on them. */
#define EACH_OPERAND(d, i, n_dims, shape, size, EACH)                                              \
    do {                                                                                           \
        const int64_t *of_block = (d)->tape->aux + (d)->tape->a[i],                                \
                      *of_words = of_block + AD_BLOCK_HEADER;                                      \
                                                                                                   \
        for (int64_t of_v = 0; of_v < of_block[1]; of_v++) {                                       \
            struct ad_view of_view;                                                                \
                                                                                                   \
            of_words = ad_view_decode(of_words, &of_view);                                         \
            if (ad_depend_is_constant(&of_view))                                                   \
                continue;                                                                          \
            ad_view_broadcast(&of_view, n_dims, shape);                                            \
            for (int64_t of_at = (d)->tape->dst[i]; of_at < (d)->tape->dst[i] + of_block[2];       \
                 of_at += (size))                                                                  \
                AD_EACH_SLOT((d)->tape, &of_view, EACH);                                           \
        }                                                                                          \
    } while (0)

static void ask_instr(struct ad_depend *d, int32_t i)
{
    const struct ad_tape *tape = d->tape;
    int code = ad_tape_code(tape, i), ndim;
    int64_t shape[AD_MAX_DIMS], size;
    uint8_t asked;

    if (code < AD_N_OPS) {
        ask_words(d, i);
        return;
    }
    if (code == AD_ADDTO) {
#define ASK_ADDED(from, to) d->asked[from] |= d->asked[to]
        EACH_ADDED(d, i, ASK_ADDED);
        return;
    }
    size = elements_of(d, i, &ndim, shape);
    if (size) {
#define ASK_ELEMENT(j, slot)                                                                       \
    if ((slot) >= 0)                                                                               \
    d->asked[slot] |=                                                                              \
        (uint8_t)(d->asked[of_at + (j)] | (d->asked[of_at + (j)] & AD_LIVE ? AD_NEEDED : 0))
        EACH_OPERAND(d, i, ndim, shape, size, ASK_ELEMENT);
        return;
    }
    asked = ad_depend_asked(d, i);
    if (asked && code != AD_ARGSORT) {
        const int64_t *words = tape->aux + tape->a[i] + AD_BLOCK_HEADER;
        int64_t n = code == AD_GATHER || code == AD_SCATTER ? 1 : tape->aux[tape->a[i] + 1];

        if (asked & AD_LIVE && (code == AD_MATMUL || code == AD_NORM || ad_tape_has_rule(tape, i)))
            asked |= AD_NEEDED;
        for (int64_t v = 0; v < n; v++) {
            struct ad_view view;

            words = ad_view_decode(words, &view);
            ask_view(d, &view, asked);
        }
    }
}

/* ---- forwards: sets, and pairs of them ---- */

static enum ad_status depend_words(struct ad_depend *d, int32_t i)
{
    enum ad_op op = (enum ad_op)ad_tape_code(d->tape, i);
    int32_t dst = d->tape->dst[i];
    bool choose;
    struct operands o;
    struct tile t;
    struct ad_facts facts;
    enum ad_status status = AD_OK;

    operands_of(d->tape, i, &o);
    choose = chooses(d, op, &o);
    facts = ad_facts_at(d->facts, op, o.p);
    facts.follows &= o.varies;
    for (t.start = 0; !status && facts.follows && tile_of(d, &o, &t); t.start += t.n)
        for (int64_t j = 0; j < t.n && !status; j++) {
            int32_t to = dst + (int32_t)(t.start + j);
            struct ad_set sets[AD_MAX_ARGS], all = {0, 0};
            uint8_t counts = facts.follows;

            if (!d->asked[to])
                continue;
            if (choose)
                counts &= chosen(d, op, o.p, &t, j, dst);
            for (int arg = 0; arg < o.n && !status; arg++) {
                int64_t slot = counts >> arg & 1 ? ad_span_slot(&t.span[arg], j) : -1;

                sets[arg] = slot >= 0 ? d->set[slot] : (struct ad_set){0, 0};
                if (d->asked[to] & AD_NEEDED)
                    status = ad_sets_unite(&d->sets, &all, sets[arg]);
            }
            d->set[to] = all;
            for (int arg = 0; arg < o.n && d->asked[to] & AD_LIVE && !status; arg++)
                for (int with = 0; with < o.n && !status; with++)
                    if (facts.bends[arg] >> with & 1 &&
                        (with >= arg || !(facts.bends[with] >> arg & 1)))
                        status = ad_depend_pair(d, sets[arg], sets[with]);
        }
    return status;
}

/* Sums of few terms one after the other, of many by pairs. */
static enum ad_status depend_addto(struct ad_depend *d, int32_t i)
{
    enum { FEW = 4 };
    int32_t dst = d->tape->dst[i], n = ad_tape_length(d->tape, i), *count, *terms = NULL;
    int64_t most = 0, total = 0;
    enum ad_status status = AD_OK;

    if (!(ad_depend_asked(d, i) & AD_NEEDED))
        return AD_OK;
    count = calloc((size_t)n + 2, sizeof *count);
    if (!count)
        return AD_NO_MEMORY;
#define COUNT(from, to)                                                                            \
    if (d->asked[to] & AD_NEEDED && !ad_set_is_empty(d->set[from])) {                              \
        int32_t n_terms = ++count[(to) - dst + 2];                                                 \
                                                                                                   \
        most = AD_MAX(most, n_terms);                                                              \
        total++;                                                                                   \
    }
    EACH_ADDED(d, i, COUNT);
    if (total > INT32_MAX) {
        free(count);
        return AD_NO_SLOTS;
    }
    if (most <= FEW) {
#define UNITE_ADDED(from, to)                                                                      \
    if (d->asked[to] & AD_NEEDED && !status)                                                       \
    status = ad_sets_unite(&d->sets, &d->set[to], d->set[from])
        EACH_ADDED(d, i, UNITE_ADDED);
        free(count);
        return status;
    }
    terms = malloc((size_t)total * sizeof *terms);
    for (int32_t j = 0; j < n; j++)
        count[j + 2] += count[j + 1];
#define SORT(from, to)                                                                             \
    if (d->asked[to] & AD_NEEDED && !ad_set_is_empty(d->set[from]))                                \
    terms[count[(to) - dst + 1]++] = (int32_t)(from)
    if (terms)
        EACH_ADDED(d, i, SORT);
    else
        status = AD_NO_MEMORY;
    for (int32_t j = 0; j < n && !status; j++) {
        struct ad_unite unite;

        unite.n = 0;
        for (int32_t k = count[j]; k < count[j + 1] && !status; k++)
            status = ad_unite_add(&d->sets, &unite, d->set[terms[k]]);
        if (!status)
            status = ad_unite_end(&d->sets, &unite, &d->set[dst + j]);
    }
    free(count);
    free(terms);
    return status;
}

/* A rule that goes element by element. */
static enum ad_status depend_elements(struct ad_depend *d, int32_t i, int ndim,
                                      const int64_t *shape, int64_t size)
{
    int64_t dst = d->tape->dst[i], n = ad_tape_length(d->tape, i);
    enum ad_status status = AD_OK;

#define UNITE_ELEMENT(j, slot)                                                                     \
    if ((slot) >= 0 && d->asked[of_at + (j)] && !status)                                           \
    status = ad_sets_unite(&d->sets, &d->set[of_at + (j)], d->set[slot])
    EACH_OPERAND(d, i, ndim, shape, size, UNITE_ELEMENT);
    for (int64_t j = dst; j < dst + n && !status; j++)
        if (d->asked[j] & AD_LIVE)
            status = ad_depend_pair(d, d->set[j], d->set[j]);
    return status;
}

static enum ad_status depend_instr(struct ad_depend *d, int32_t i)
{
    int code = ad_tape_code(d->tape, i), ndim;
    int64_t shape[AD_MAX_DIMS], size;

    if (code < AD_N_OPS)
        return depend_words(d, i);
    if (code == AD_ADDTO)
        return depend_addto(d, i);
    if (code == AD_MATMUL)
        return ad_depend_matmul(d, i);
    if (code == AD_CUMSUM)
        return ad_depend_cumsum(d, i);
    if (code == AD_EXTREMUM || code == AD_NORM || code == AD_GATHER || code == AD_SCATTER)
        return ad_depend_row(d, i);
    if (!ad_tape_has_rule(d->tape, i))
        return AD_OK;
    size = elements_of(d, i, &ndim, shape);
    return size ? depend_elements(d, i, ndim, shape, size) : ad_depend_rule(d, i);
}

/* ---- questions ---- */

static void depend_free(struct ad_depend *d)
{
    ad_sets_free(&d->sets);
    free(d->asked);
    free(d->set);
    free(d->row);
    free(d->met);
}

static enum ad_status depend_begin(struct ad_depend *d, const struct ad_depend_question *q)
{
    const struct ad_tape *tape = q->program->tape;

    memset(d, 0, sizeof *d);
    d->tape = tape;
    d->local = q->local;
    d->asked = calloc((size_t)tape->n_slots + 1, sizeof *d->asked);
    d->set = calloc((size_t)tape->n_slots + 1, sizeof *d->set);
    return d->asked && d->set ? ad_sets_new(AD_DEPEND_MOST, &d->sets) : AD_NO_MEMORY;
}

static enum ad_status walk(struct ad_depend *d, const struct ad_depend_question *q, uint8_t what)
{
    const struct ad_tape *tape = d->tape;
    int32_t column = 0;
    enum ad_status status = AD_OK;

    for (int k = 0; k < q->n_wanted; k++) {
        const struct ad_view *input = &q->program->inputs[q->wanted[k]];

        for (int64_t j = 0; j < ad_view_size(input); j++)
            d->set[input->base + j] = ad_sets_one(column++);
    }
    for (int k = q->first; k < q->first + q->n_outputs; k++)
        ask_view(d, &q->program->outputs[k], what);
    for (int32_t i = tape->n - 1; i >= q->program->n_inputs; i--)
        ask_instr(d, i);
    for (int32_t i = q->program->n_inputs; i < tape->n && !status; i++)
        status = depend_instr(d, i);
    return status;
}

/* The pattern with these rows, if it is not too large. */
static enum ad_status pattern_of(const struct ad_depend *d, const struct ad_set *rows,
                                 int64_t n_rows, int64_t n_columns, int64_t most, bool *known,
                                 struct ad_pattern *pattern)
{
    int64_t n_entries = 0, k = 0;
    enum ad_status status;

    for (int64_t r = 0; r < n_rows; r++)
        n_entries += ad_set_count(&d->sets, rows[r]);
    *known = n_entries <= most;
    if (!*known)
        return AD_OK;
    status = ad_pattern_new(n_rows, n_columns, n_entries, pattern);
    for (int64_t r = 0; r < n_rows && !status; r++) {
        int64_t n;
        const struct ad_run *runs = ad_set_runs(&d->sets, rows[r], &n);

        pattern->start[r] = k;
        for (int64_t j = 0; j < n; j++)
            for (int32_t e = runs[j].start; e < runs[j].end; e++)
                pattern->column[k++] = rows[r].first + e;
    }
    return status;
}

static int64_t columns_of(const struct ad_depend_question *q)
{
    int64_t n = 0;

    for (int k = 0; k < q->n_wanted; k++)
        n += ad_view_size(&q->program->inputs[q->wanted[k]]);
    return n;
}

/* What takes too many runs is not known. */
static enum ad_status settled(enum ad_status status, bool *known)
{
    if (status)
        *known = false;
    return status == AD_NO_SLOTS ? AD_OK : status;
}

enum ad_status ad_depend_jacobian(const struct ad_depend_question *q, bool *known,
                                  struct ad_pattern *pattern)
{
    struct ad_depend d;
    struct ad_set *rows = NULL;
    int64_t n_rows = 0, row = 0;
    enum ad_status status = depend_begin(&d, q);

    memset(pattern, 0, sizeof *pattern);
    *known = false;
    if (!status)
        status = walk(&d, q, AD_NEEDED);
    for (int k = q->first; k < q->first + q->n_outputs; k++)
        n_rows += ad_view_size(&q->program->outputs[k]);
    if (!status) {
        rows = calloc((size_t)AD_MAX(n_rows, 1), sizeof *rows);
        status = rows ? AD_OK : AD_NO_MEMORY;
    }
    for (int k = q->first; k < q->first + q->n_outputs && !status; k++) {
        const struct ad_view *output = &q->program->outputs[k];

#define TAKE_ROW(j, slot)                                                                          \
    if ((slot) >= 0)                                                                               \
    rows[row + (j)] = d.set[slot]
        if (!ad_depend_is_constant(output))
            AD_EACH_SLOT(d.tape, output, TAKE_ROW);
        row += ad_view_size(output);
    }
    if (!status)
        status = pattern_of(&d, rows, n_rows, columns_of(q), q->most, known, pattern);
    free(rows);
    depend_free(&d);
    return settled(status, known);
}

enum ad_status ad_depend_hessian(const struct ad_depend_question *q, bool *known,
                                 struct ad_pattern *pattern)
{
    struct ad_depend d;
    int64_t n = columns_of(q);
    enum ad_status status = depend_begin(&d, q);

    memset(pattern, 0, sizeof *pattern);
    *known = false;
    if (!status) {
        d.row = calloc((size_t)AD_MAX(n, 1), sizeof *d.row);
        d.met = calloc(AD_DEPEND_MET, sizeof *d.met);
        status = d.row && d.met ? walk(&d, q, AD_LIVE) : AD_NO_MEMORY;
    }
    if (!status)
        status = pattern_of(&d, d.row, n, n, q->most, known, pattern);
    depend_free(&d);
    return settled(status, known);
}

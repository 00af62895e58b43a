/* program_rule.h -- steps of random programs that call a rule of the user's: the product of two vectors,
 * element by element. */
#ifndef PROGRAM_RULE_H
#define PROGRAM_RULE_H

#include "ad_emit.h"
#include "program_steps.h"

struct rule {
    int refs;
    int64_t size;
};

static int n_rules;

static struct rule *rule_new(int64_t size)
{
    struct rule *rule = malloc(sizeof *rule);

    *rule = (struct rule){1, size};
    n_rules++;
    return rule;
}

static void rule_hold(void *rule)
{
    ((struct rule *)rule)->refs++;
}

static void rule_release(void *rule)
{
    if (--((struct rule *)rule)->refs > 0)
        return;
    n_rules--;
    free(rule);
}

static enum ad_status rule_replay(void *rule, const double *const *args, double *result)
{
    for (int64_t i = 0; i < ((struct rule *)rule)->size; i++)
        result[i] = 0 + args[0][i] * args[1][i]; /* as add_product() starts from 0 */
    return AD_OK;
}

static int rule_elementwise(void *rule, int64_t shape[AD_MAX_DIMS])
{
    shape[0] = ((struct rule *)rule)->size;
    return 1;
}

static enum ad_status rule_save(void *rule, unsigned char **data, int64_t *nbytes)
{
    *data = counted_malloc(1); /* the core frees it */
    if (!*data)
        return AD_NO_MEMORY;
    **data = (unsigned char)('a' + ((struct rule *)rule)->size % 26);
    *nbytes = 1;
    return AD_OK;
}

static enum ad_status rule_load(const unsigned char *data, int64_t nbytes, int64_t size, int n,
                                const struct ad_view *args, char why[AD_WHY], void **rule)
{
    bool fit = n == 2;

    for (int j = 0; j < n && fit; j++)
        fit = args[j].ndim == 1 && args[j].shape[0] == size;
    if (nbytes != 1 || *data != 'a' + size % 26 || !fit) {
        snprintf(why, AD_WHY, "a rule of other shapes");
        return AD_BAD_PROGRAM;
    }
    *rule = rule_new(size);
    return *rule ? AD_OK : AD_NO_MEMORY;
}

/* Rooms of doubles for a rule: n of 'size' numbers. */
static double *rule_room(int64_t size, int n)
{
    return malloc((size_t)(size * n + 1) * sizeof(double));
}

static enum ad_status rule_forward(struct ad_tape *tape, int32_t instr, int lanes)
{
    int64_t size = tape->aux[tape->a[instr] + 2];
    double *x[2], *t[2], *room = rule_room(size, 2 + 2 * lanes);
    double *to = tape->work->tan + (tape->dst[instr] - tape->work->low) * (int64_t)lanes;
    struct ad_view views[2];

    ad_tape_views(tape, instr, views, 2);
    for (int j = 0; j < 2; j++) {
        x[j] = room + j * size;
        t[j] = room + 2 * size + j * size * lanes;
        ad_view_read(&views[j], tape->value, x[j]);
        ad_work_get(tape, tape->work->tan, lanes, &views[j], t[j]);
    }
    for (int64_t i = 0; i < size; i++)
        for (int l = 0; l < lanes; l++)
            to[i * lanes + l] = x[1][i] * t[0][i * lanes + l] + x[0][i] * t[1][i * lanes + l];
    free(room);
    return AD_OK;
}

/* Adjoints of the operands in 'buffer' from those of the results. */
static void rule_pull(struct ad_tape *tape, int32_t instr, double *buffer, int lanes)
{
    int64_t size = tape->aux[tape->a[instr] + 2];
    double *x = rule_room(size, 1), *g = rule_room(size, lanes);
    const double *from = buffer + (tape->dst[instr] - tape->work->low) * (int64_t)lanes;
    struct ad_view views[2];

    ad_tape_views(tape, instr, views, 2);
    for (int j = 0; j < 2; j++) {
        ad_view_read(&views[1 - j], tape->value, x);
        for (int64_t i = 0; i < size * lanes; i++)
            g[i] = from[i] == 0 ? 0 : from[i] * x[i / lanes];
        ad_work_add(tape, buffer, lanes, &views[j], g);
    }
    free(x);
    free(g);
}

static enum ad_status rule_reverse(struct ad_tape *tape, int32_t instr, int lanes)
{
    int64_t size = tape->aux[tape->a[instr] + 2];
    const double *g = tape->work->adj + (tape->dst[instr] - tape->work->low);
    struct ad_view views[2];
    double *t;

    if (lanes > 0) {
        rule_pull(tape, instr, tape->work->adj, lanes);
        return AD_OK;
    }
    lanes = -lanes;
    t = rule_room(size, lanes);
    ad_tape_views(tape, instr, views, 2);
    for (int j = 0; j < 2; j++) {
        ad_work_get(tape, tape->work->tan, lanes, &views[1 - j], t);
        for (int64_t i = 0; i < size * lanes; i++)
            t[i] *= g[i / lanes];
        ad_work_add(tape, tape->work->dadj, lanes, &views[j], t);
    }
    rule_pull(tape, instr, tape->work->dadj, lanes);
    rule_pull(tape, instr, tape->work->adj, 1);
    free(t);
    return AD_OK;
}

static enum ad_status rule_product(struct ad_tape *tape, const struct ad_view *a,
                                   const struct ad_view *b, struct ad_view *result)
{
    const struct ad_view *args[AD_MAX_ARGS] = {a, b};

    return ad_record_op(tape, AD_OP_mul, 0, args, result);
}

static enum ad_status rule_emit_reverse(struct ad_tape *tape, int32_t instr,
                                        const struct ad_view *g, struct ad_view *adjoints)
{
    struct ad_view views[2];
    enum ad_status status;

    ad_tape_views(tape, instr, views, 2);
    status = rule_product(tape, g, &views[1], &adjoints[0]);
    return status ? status : rule_product(tape, g, &views[0], &adjoints[1]);
}

static enum ad_status rule_emit_forward(struct ad_tape *tape, int32_t instr,
                                        const struct ad_view *tangents, struct ad_view *result)
{
    struct ad_view views[2], part[2];
    const struct ad_view *args[AD_MAX_ARGS] = {&part[0], &part[1]};
    enum ad_status status = AD_OK;

    ad_tape_views(tape, instr, views, 2);
    for (int j = 0; j < 2 && !status; j++) {
        if (tangents[j].place == AD_NUMBER)
            part[j] = ad_view_number(0);
        else
            status = rule_product(tape, &tangents[j], &views[1 - j], &part[j]);
    }
    return status ? status : ad_record_op(tape, AD_OP_add, 0, args, result);
}

static const struct ad_call_hooks rule_hooks = {.hold = rule_hold,
                                                .release = rule_release,
                                                .replay = rule_replay,
                                                .save = rule_save,
                                                .load = rule_load,
                                                .elementwise = rule_elementwise,
                                                .forward = rule_forward,
                                                .reverse = rule_reverse,
                                                .emit_reverse = rule_emit_reverse,
                                                .emit_forward = rule_emit_forward};

static void call_step(struct program *p)
{
    int left = pick_value(p), right = pick_value(p);
    const struct value *a, *b;
    struct ad_view views[2], result = {0};
    struct value *y;
    double *values;

    if (p->value[right].ndim != 1 || p->value[right].size != p->value[left].size)
        right = left;
    a = &p->value[left];
    b = &p->value[right];

    if (a->ndim != 1 || b->ndim != 1 || a->size != b->size || a->size == 0 || !tracked(a) ||
        !tracked(b))
        return;
    check_note("v%d = rule(v%d, v%d)", p->n, left, right);
    y = new_value(p, 1, a->shape);
    values = malloc((size_t)(y->size + 1) * sizeof *values);
    for (int64_t i = 0; i < y->size; i++) {
        add_product(&y->cell[i], &a->cell[i], &b->cell[i]);
        values[i] = y->cell[i].v;
    }
    if (!moderate(y)) {
        forget(p, y);
        free(values);
        return;
    }
    note_shape(1, y->shape);
    p->whole = true;
    TRY(p, ad_tape_room(p->tape, y->size));
    views[0] = view_of(a);
    views[1] = view_of(b);
    TRY(p, ad_record_call(p->tape, rule_new(y->size), 2, views, y->size, values, &result));
    attach(p, y, &result);
    check_values(p, y, 0, "a rule");
    free(values);
}

#endif

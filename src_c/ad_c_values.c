/* ad_c_values.c -- who reads which value, and where it goes. */
#include "ad_c_values.h"

#include <stdlib.h>
#include <string.h>

struct renaming {
    struct ad_c_run *run;
    int32_t *value;     /* of each place of the frame: the statement whose result it holds, or -1 */
    uint8_t *kept;      /* of the result of each statement: does it stay where it is? */
    uint8_t *is_needed; /* of the same: is it read after the run? */
    int64_t *last_read; /* of the same */
    int32_t *moved_to;  /* of the same: its place, or -1 */
    int64_t end;        /* of the places so far */
};

static bool in_frame(const struct ad_c_statement *s, int v)
{
    return s->place[v].space == AD_SPACE_FRAME;
}

/* The statement that gave all of what operand v reads, or -1.  Results that are read together with other things are
 * kept, and so are parts of results read as something longer. */
static int32_t source_of(struct renaming *r, const struct ad_c_statement *s, int v)
{
    int64_t at = s->place[v].at, width = ad_c_width(s, v);
    int32_t from = r->value[at];
    bool all = from >= 0;

    for (int64_t e = 1; e < width; e++)
        all &= r->value[at + e] == from;
    if (all && r->run->statements[from].place[0].at == at &&
        ad_c_width(&r->run->statements[from], 0) == width)
        return from;
    for (int64_t e = 0; e < width; e++)
        if (r->value[at + e] >= 0)
            r->kept[r->value[at + e]] = 1;
    return -1;
}

/* Walk through the run: find who reads what, or, once that is known, move it. */
static void walk_values(struct renaming *r, bool move)
{
    for (int64_t p = 0; p < r->run->w->plan->n_frame; p++)
        r->value[p] = -1;
    for (int64_t m = 0; m < r->run->n; m++) {
        struct ad_c_statement *s = &r->run->statements[m];
        int64_t to = s->place[0].at, width = ad_c_width(s, 0);
        bool changes = ad_c_changes(s), gives = in_frame(s, 0) && !changes;

        for (int v = changes ? 0 : 1; v <= s->n_args; v++) {
            int32_t from;

            if (!in_frame(s, v))
                continue;
            from = move ? r->value[s->place[v].at] : source_of(r, s, v);
            if (from >= 0 && !move)
                r->last_read[from] = m;
            else if (from >= 0 && r->moved_to[from] >= 0) /* it is read as a whole, then */
                s->place[v].at = r->moved_to[from];
        }
        if (!gives)
            continue;
        for (int64_t e = 0; e < width; e++)
            r->value[to + e] = (int32_t)m;
        if (!move) {
            r->last_read[m] = m;
            r->kept[m] = width != 1 && width != AD_SHORT;
        } else if (r->moved_to[m] >= 0) {
            s->place[0].at = r->moved_to[m];
        }
    }
}

static void find_new_places(struct renaming *r, const struct ad_repeat *repeat)
{
    for (int64_t j = 0; j < repeat->period; j++) {
        int64_t first = repeat->first + j, width = ad_c_width(&r->run->statements[first], 0);
        const struct ad_c_statement *s = &r->run->statements[first];
        bool one = true, movable = in_frame(s, 0) && !ad_c_changes(s);
        int64_t begin = (r->end + width - 1) / width * width;

        for (int64_t k = 0; k < repeat->count && movable; k++) {
            int64_t m = first + k * repeat->period;

            movable = !r->kept[m];
            one &=
                k == repeat->count - 1 || r->is_needed[m] || r->last_read[m] <= m + repeat->period;
        }
        if (!movable || begin + repeat->count * width > INT32_MAX)
            continue;
        for (int64_t k = 0; k < repeat->count; k++) {
            int64_t m = first + k * repeat->period;

            if (!r->is_needed[m])
                r->moved_to[m] = (int32_t)(begin + (one ? 0 : k * width));
        }
        r->end = begin + (one ? width : repeat->count * width);
    }
}

enum ad_status ad_c_move_values(struct ad_c_run *run, const struct ad_repeat *repeats,
                                int64_t n_repeats)
{
    struct ad_c_writer *w = run->w;
    size_t n = (size_t)run->n + 1, n_frame = (size_t)w->plan->n_frame + 1;
    struct renaming r = {.run = run, .end = ad_c_frame_end(w)};
    enum ad_status status = AD_NO_MEMORY;

    r.value = malloc(n_frame * sizeof *r.value);
    r.kept = calloc(n, 1);
    r.is_needed = calloc(n, 1);
    r.last_read = malloc(n * sizeof *r.last_read);
    r.moved_to = malloc(n * sizeof *r.moved_to);
    if (r.value && r.kept && r.is_needed && r.last_read && r.moved_to) {
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
    free(r.is_needed);
    free(r.last_read);
    free(r.moved_to);
    return status;
}

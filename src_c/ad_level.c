/* ad_level.c -- levels, and counting sort by them. */
#include "ad_level.h"

#include <stdlib.h>

struct levels {
    const struct ad_tape *tape;
    int32_t *of_slot; /* of each slot */
};

static int32_t level_of_slot(const struct levels *w, int32_t slot)
{
    return slot < 0 ? 0 : w->of_slot[slot];
}

static int32_t level_of_view(const struct levels *w, const struct ad_view *view)
{
    int32_t level = 0, low = ad_view_lowest(view);

    if (view->place == AD_LIST)
        for (int64_t j = 0; j < view->in.list->n; j++)
            level = AD_MAX(level, level_of_slot(w, view->in.list->slot[j]));
    else if (view->place == AD_SLOTS && low != INT32_MAX)
        level = level_of_slot(w, low); /* it stays within what one instruction produced */
    return level;
}

/* One more than the highest level of the operands of instruction i. */
static int32_t level_of(const struct levels *w, int32_t i)
{
    const struct ad_tape *tape = w->tape;
    int32_t level = 0;

    if (!ad_tape_is_array(tape, i)) {
        int32_t a = level_of_slot(w, tape->a[i]), b = level_of_slot(w, tape->b[i]);

        return 1 + AD_MAX(a, b);
    }
    const int64_t *block = tape->aux + tape->a[i], *words = block + AD_BLOCK_HEADER;
    struct ad_view view;

    for (int64_t v = 0; v < block[1]; v++) {
        int32_t one;

        words = ad_view_decode(words, &view);
        one = level_of_view(w, &view);
        level = AD_MAX(level, one);
    }
    return 1 + level;
}

enum ad_status ad_level_sort(const struct ad_program *program, int32_t *level, int32_t *order)
{
    const struct ad_tape *tape = program->tape;
    int32_t n = tape->n, n_levels = 1;
    struct levels w = {tape, malloc(((size_t)tape->n_slots + 1) * sizeof *w.of_slot)};
    int32_t *start = calloc((size_t)n + 2, sizeof *start);
    enum ad_status status = w.of_slot && start ? AD_OK : AD_NO_MEMORY;

    for (int32_t i = 0; i < n && !status; i++) {
        int32_t length = ad_tape_length(tape, i);

        level[i] = i < program->n_inputs ? 0 : level_of(&w, i);
        for (int32_t j = 0; j < length; j++)
            w.of_slot[tape->dst[i] + j] = level[i];
        n_levels = AD_MAX(n_levels, level[i] + 1);
        start[level[i] + 1]++;
    }
    if (!status) {
        for (int32_t k = 0; k < n_levels; k++)
            start[k + 1] += start[k];
        for (int32_t i = 0; i < n; i++)
            order[start[level[i]]++] = i;
    }
    free(w.of_slot);
    free(start);
    return status;
}

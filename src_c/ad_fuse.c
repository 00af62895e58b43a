/* ad_fuse.c -- tiles and places.
 *
 * find_readers() notes how and until when each result is read; find_places() gives out memory in
 * the order of the steps.  Both are linear in the program. */
#include "ad_fuse.h"

#include <stdlib.h>
#include <string.h>

/* ---- who reads what ---- */

enum { NEVER = -1, SEVERAL = -2, TO_THE_END = INT32_MAX };

/* Of each instruction: the last member that reads it, and how it is read. */
struct readers {
    struct ad_fusion *fusion;
    int32_t *last;
    int32_t *
        sole; /* the only member that reads it, element by element as they are; NEVER, or SEVERAL */
    uint8_t *how;
};
enum {
    READ_HERE = 1, /* by its own group, element by element */
    READ_ELSEWHERE = 2,
    READ_IN_FRAME = 4 /* so that it must not be in an output only */
};

static void read_result(struct readers *r, int32_t i, int32_t when, int how)
{
    r->last[i] = AD_MAX(r->last[i], when);
    r->how[i] |= (uint8_t)how;
    r->sole[i] = SEVERAL;
}

/* The same of all results in their order, by an elementwise op in a group, which is member m. */
static void read_whole(struct readers *r, int32_t i, int32_t when, int how, int32_t m)
{
    bool only = r->sole[i] == NEVER || r->sole[i] == m;

    read_result(r, i, when, how);
    if (only)
        r->sole[i] = m;
}

/* A slot that must be found in the frame. */
static void read_slot(struct readers *r, int32_t slot, int32_t when)
{
    int32_t i;

    if (slot < 0)
        return;
    i = ad_grouping_producer(&r->fusion->grouping, slot);
    if (i < r->fusion->grouping.program->n_inputs) {
        r->fusion->wanted[slot] = 1;
        r->fusion->results[i].place = 0;
    }
    read_result(r, i, when, READ_ELSEWHERE | READ_IN_FRAME);
}

/* 'm': an elementwise op in a group that reads the view, or NEVER. */
static void read_view(struct readers *r, const struct ad_view *view, int32_t step, int32_t when,
                      bool in_frame, int32_t m)
{
    const struct ad_tape *tape = r->fusion->grouping.program->tape;
    int32_t low;

    if (view->place == AD_LIST) {
        bool compact = !in_frame && ad_list_is_compact(&r->fusion->grouping, view);

        for (int64_t j = 0; j < view->in.list->n; j++) {
            int32_t slot = view->in.list->slot[j];

            if (!compact)
                read_slot(r, slot, when);
            else if (slot >= 0) {
                read_result(r, ad_grouping_producer(&r->fusion->grouping, slot), when,
                            READ_ELSEWHERE);
                break;
            }
        }
    } else if (view->place == AD_SLOTS && (low = ad_view_lowest(view)) != INT32_MAX) {
        int32_t i = ad_grouping_producer(&r->fusion->grouping, low);
        bool here = step >= 0 && r->fusion->grouping.step_of[i] == step &&
                    r->fusion->grouping.steps[step].kind == AD_STEP_GROUP;

        if (!in_frame) {
            int how = here ? READ_HERE : READ_ELSEWHERE;

            if (m != NEVER && ad_view_is_whole(tape, view, i))
                read_whole(r, i, when, how, m);
            else
                read_result(r, i, when, how);
        } else if (i >= r->fusion->grouping.program->n_inputs) {
            read_slot(r, low, when);
        } else {
            struct ad_span_room room;

            for (int64_t start = 0, n, size = ad_view_size(view); start < size; start += n) {
                n = ad_tile_size(view, size, start);
                struct ad_span span = ad_span_of(view, 0, NULL, start, n, &room);

                for (int64_t j = 0; j < n; j++)
                    read_slot(r,
                              span.kind == AD_SPAN_MANY  ? span.slots[j]
                              : span.kind == AD_SPAN_RUN ? span.slot + (int32_t)j
                                                         : span.slot,
                              when);
            }
        }
    }
}

static void read_member(struct readers *r, int32_t step, int32_t m)
{
    const struct ad_tape *tape = r->fusion->grouping.program->tape;
    const struct ad_member *member = &r->fusion->grouping.members[m];
    bool in_group = r->fusion->grouping.steps[step].kind == AD_STEP_GROUP;
    bool in_run = r->fusion->grouping.steps[step].kind == AD_STEP_RUN;
    /* a group reads until its end */
    int32_t when = in_run ? m : r->fusion->grouping.steps[step].end - 1, i = member->instr;
    const int64_t *words;
    struct ad_view view;
    int n;

    if (!ad_tape_is_array(tape, i)) {
        read_slot(r, tape->a[i], when);
        read_slot(r, tape->b[i], when);
        return;
    }
    n = ad_member_views(tape, member, &words);
    for (int v = 0; v < n; v++) {
        words = ad_view_decode(words, &view);
        read_view(r, &view, step, when, in_run && view.place == AD_SLOTS,
                  in_group && ad_tape_code(tape, i) < AD_N_OPS ? m : NEVER);
    }
    if (ad_tape_code(tape, i) == AD_ADDTO)
        r->last[i] = AD_MAX(r->last[i], when); /* it is added to until then */
}

static void find_readers(struct readers *r)
{
    struct ad_fusion *fusion = r->fusion;
    const struct ad_program *program = fusion->grouping.program;

    for (int32_t k = 0; k < fusion->grouping.n_steps; k++)
        for (int32_t m = fusion->grouping.steps[k].first; m < fusion->grouping.steps[k].end; m++)
            read_member(r, k, m);
    for (int g = 0; g < program->n_guards; g++)
        read_view(r, &program->guards[g].view, -1, TO_THE_END, true, NEVER);
    for (int k = 0; k < program->n_outputs; k++)
        read_view(r, &program->outputs[k], -1, TO_THE_END, false, NEVER);
    for (int k = 0; k < program->n_outputs; k++) {
        const struct ad_view *view = &program->outputs[k];
        int32_t low = ad_view_lowest(view), i;

        if (low == INT32_MAX || view->place != AD_SLOTS)
            continue;
        i = ad_grouping_producer(&fusion->grouping, low);
        if (i >= program->n_inputs && ad_view_is_whole(program->tape, view, i) &&
            fusion->grouping.step_of[i] >= 0 && !(r->how[i] & READ_IN_FRAME) &&
            ad_tape_length(program->tape, i) > AD_SHORT)
            fusion->results[i].output = k;
    }
}

/* ---- memory ---- */

/* Blocks of the frame that are free, by the logarithm of their size in steps of a quarter. */
enum { N_CLASSES = 256 };

struct block {
    int64_t at, size;
    int32_t next;
};

struct memory {
    int64_t end;
    struct block *blocks; /* links of the lists; given back ones are in 'spare' */
    int32_t n_blocks, spare;
    int64_t capacity;
    int32_t classes[N_CLASSES];
};

static int class_of(int64_t size)
{
    int log = 0;

    while (size >> log > 7)
        log++;
    return 4 * log + (int)((size >> log) & 3) + (size >> log > 3 ? 4 : 0);
}

static bool give_back(struct memory *memory, int64_t at, int64_t size)
{
    int32_t b = memory->spare;
    int c = class_of(size);

    if (b >= 0) {
        memory->spare = memory->blocks[b].next;
    } else {
        if (!ad_one_more((void **)&memory->blocks, memory->n_blocks, &memory->capacity,
                         sizeof *memory->blocks))
            return false;
        b = memory->n_blocks++;
    }
    memory->blocks[b] = (struct block){at, size, memory->classes[c]};
    memory->classes[c] = b;
    return true;
}

/* A block of exactly 'size' doubles; larger ones are cut, but not down to single numbers.  -1
 * without memory. */
static int64_t take(struct memory *memory, int64_t size)
{
    int first = class_of(size), end = size == 1 ? first + 1 : N_CLASSES;

    for (int c = first; c < end; c++) {
        int32_t b = memory->classes[c];
        struct block block;

        if (b < 0 || memory->blocks[b].size < size)
            continue; /* of its own class the first one may be too small */
        block = memory->blocks[b];
        memory->classes[c] = block.next;
        memory->blocks[b].next = memory->spare;
        memory->spare = b;
        if (block.size > size && !give_back(memory, block.at + size, block.size - size))
            return -1;
        return block.at;
    }
    memory->end += size;
    return memory->end - size;
}

/* Vectors are rounded up to whole cache lines, so that eight elements at a time may be computed. */
static int64_t room_of(const struct ad_tape *tape, int32_t i)
{
    return ad_tape_is_array(tape, i) ? (ad_tape_length(tape, i) + 7) & ~(int64_t)7 : 1;
}

struct places {
    struct ad_fusion *fusion;
    const struct readers *readers;
    struct memory vectors, scalars; /* scalars lie in blocks of a cache line or more of their own */
    int32_t *first_ending; /* of each member: the first result last read by it, and so on: */
    int32_t *next_ending;  /* of each instruction */
    uint8_t *inherited;    /* of each instruction: its place is another's now */
    int64_t scalars_begin;
};

/*
 * Let the results of member m of a group have the place of an operand that nothing else reads: each
 * element is read before it is written, and what is in a cache stays there.
 */
static void inherit_place(struct places *p, const struct ad_step *step, int32_t m)
{
    struct ad_fusion *fusion = p->fusion;
    const struct ad_tape *tape = fusion->grouping.program->tape;
    const struct ad_member *member = &fusion->grouping.members[m];
    struct ad_result *result = &fusion->results[member->instr];
    int32_t code = ad_tape_code(tape, member->instr);
    const int64_t *words;
    int n;

    if (result->place >= 0 || result->output >= 0 || result->tile >= 0 || code >= AD_N_OPS ||
        ad_simd[code].loop) /* NumPy's loops are slower then */
        return;
    n = ad_member_views(tape, member, &words);
    for (int v = 0; v < n && result->place < 0; v++) {
        struct ad_view view;
        int32_t low, i;

        words = ad_view_decode(words, &view);
        if (view.place != AD_SLOTS || (low = ad_view_lowest(&view)) == INT32_MAX)
            continue;
        i = ad_grouping_producer(&fusion->grouping, low);
        if (i < fusion->grouping.program->n_inputs || p->readers->sole[i] != m ||
            p->readers->last[i] != step->end - 1 || fusion->results[i].place < 0 ||
            fusion->results[i].output >= 0 ||
            fusion->grouping.step_of[i] == step - fusion->grouping.steps)
            continue;
        result->place = fusion->results[i].place;
        p->inherited[i] = 1;
    }
}

static bool give_place(struct places *p, int32_t i)
{
    struct ad_result *result = &p->fusion->results[i];
    bool array = ad_tape_is_array(p->fusion->grouping.program->tape, i);

    if (result->place >= 0 || result->output >= 0 || result->tile >= 0)
        return true;
    result->place =
        take(array ? &p->vectors : &p->scalars, room_of(p->fusion->grouping.program->tape, i));
    return result->place >= 0;
}

static bool end_results(struct places *p, int32_t m)
{
    for (int32_t i = p->first_ending[m]; i >= 0; i = p->next_ending[i]) {
        bool array = ad_tape_is_array(p->fusion->grouping.program->tape, i);

        if (p->fusion->results[i].place >= 0 && p->fusion->results[i].output < 0 &&
            !p->inherited[i] &&
            !give_back(array ? &p->vectors : &p->scalars, p->fusion->results[i].place,
                       room_of(p->fusion->grouping.program->tape, i)))
            return false;
    }
    return true;
}

static void take_tile(struct ad_step *step, struct ad_result *result, const int32_t *free_tiles,
                      int32_t *n_free)
{
    result->tile = *n_free > 0 ? free_tiles[--*n_free] : step->n_tiles++;
}

/* Tiles of a group, taken by members in order and given back after their last reader. */
static void find_tiles(const struct places *p, struct ad_step *step, int32_t *free_tiles,
                       int32_t *last_here)
{
    struct ad_fusion *fusion = p->fusion;
    const struct ad_tape *tape = fusion->grouping.program->tape;
    int32_t k = (int32_t)(step - fusion->grouping.steps), n_free = 0;

    for (int32_t m = step->end - 1; m >= step->first; m--) {
        const int64_t *words;
        struct ad_view view;
        int n = ad_member_views(tape, &fusion->grouping.members[m], &words);

        for (int v = 0; v < n; v++) {
            int32_t low, i;

            words = ad_view_decode(words, &view);
            if (view.place != AD_SLOTS || (low = ad_view_lowest(&view)) == INT32_MAX)
                continue;
            i = ad_grouping_producer(&fusion->grouping, low);
            if (fusion->grouping.step_of[i] == k && last_here[i] < 0)
                last_here[i] = m;
        }
    }
    for (int32_t m = step->first; m < step->end; m++) {
        int32_t own = fusion->grouping.members[m].instr, code = ad_tape_code(tape, own);
        bool needs_tile = p->readers->how[own] == READ_HERE && fusion->results[own].tile < 0;
        /* NumPy's loops are slower if the result takes the place of an operand */
        bool first = code < AD_N_OPS && ad_simd[code].loop;
        const int64_t *words;
        struct ad_view view;
        int n;

        if (needs_tile && first)
            take_tile(step, &fusion->results[own], free_tiles, &n_free);
        n = ad_member_views(tape, &fusion->grouping.members[m], &words);
        for (int v = 0; v < n; v++) {
            int32_t low, i;

            words = ad_view_decode(words, &view);
            if (view.place != AD_SLOTS || (low = ad_view_lowest(&view)) == INT32_MAX)
                continue;
            i = ad_grouping_producer(&fusion->grouping, low);
            if (last_here[i] == m && fusion->results[i].tile >= 0) {
                free_tiles[n_free++] = fusion->results[i].tile;
                last_here[i] = INT32_MAX; /* once only */
            }
        }
        if (needs_tile && !first)
            take_tile(step, &fusion->results[own], free_tiles, &n_free);
    }
}

static enum ad_status give_places(struct places *p, int32_t *free_tiles, int32_t *last_here)
{
    struct ad_fusion *fusion = p->fusion;
    const struct ad_tape *tape = fusion->grouping.program->tape;

    for (int32_t k = 0; k < fusion->grouping.n_steps; k++) {
        struct ad_step *step = &fusion->grouping.steps[k];

        if (step->kind == AD_STEP_GROUP)
            find_tiles(p, step, free_tiles, last_here);
        for (int32_t m = step->first; m < step->end; m++) {
            int32_t i = fusion->grouping.members[m].instr;
            /* a scalar may take the place of its operand */
            bool early = step->kind == AD_STEP_RUN && !ad_tape_is_array(tape, i);

            if (early && !end_results(p, m))
                return AD_NO_MEMORY;
            if (step->kind == AD_STEP_GROUP)
                inherit_place(p, step, m);
            if (!give_place(p, i))
                return AD_NO_MEMORY;
            if (!early && step->kind == AD_STEP_RUN && !end_results(p, m))
                return AD_NO_MEMORY;
        }
        if (step->kind != AD_STEP_RUN && step->end > step->first && !end_results(p, step->end - 1))
            return AD_NO_MEMORY;
    }
    return AD_OK;
}

static void memory_begin(struct memory *memory)
{
    memory->spare = -1;
    for (int c = 0; c < N_CLASSES; c++)
        memory->classes[c] = -1;
}

static enum ad_status find_places(struct ad_fusion *fusion, const struct readers *readers)
{
    const struct ad_tape *tape = fusion->grouping.program->tape;
    size_t n = (size_t)tape->n + 1, n_members = (size_t)fusion->grouping.n_members + 1;
    struct places p = {.fusion = fusion, .readers = readers};
    int32_t *free_tiles = malloc(n * sizeof *free_tiles),
            *last_here = malloc(n * sizeof *last_here);
    int64_t shift;
    enum ad_status status = AD_NO_MEMORY;

    memory_begin(&p.vectors);
    memory_begin(&p.scalars);
    p.first_ending = malloc(n_members * sizeof *p.first_ending);
    p.next_ending = malloc(n * sizeof *p.next_ending);
    p.inherited = calloc(n, 1);
    if (!p.first_ending || !p.next_ending || !p.inherited || !free_tiles || !last_here)
        goto done;
    for (int32_t m = 0; m < fusion->grouping.n_members; m++)
        p.first_ending[m] = -1;
    for (int32_t i = 0; i < tape->n; i++) {
        int32_t last = readers->last[i];

        last_here[i] = -1;
        if (i >= fusion->grouping.program->n_inputs && last >= 0 &&
            last < fusion->grouping.n_members) {
            p.next_ending[i] = p.first_ending[last];
            p.first_ending[last] = i;
        }
    }
    for (int32_t k = 0; k < fusion->grouping.program->n_inputs; k++)
        if (fusion->results[k].place >= 0)
            fusion->results[k].place = take(&p.vectors, room_of(tape, k));
    status = give_places(&p, free_tiles, last_here);
    /* scalars, then vectors, which begin at a cache line */
    shift = (p.scalars.end + 7) & ~(int64_t)7;
    for (int32_t i = 0; i < tape->n; i++)
        if (fusion->results[i].place >= 0 && ad_tape_is_array(tape, i))
            fusion->results[i].place += shift;
    fusion->n_frame = shift + p.vectors.end;
done:
    free(p.vectors.blocks);
    free(p.scalars.blocks);
    free(p.first_ending);
    free(p.next_ending);
    free(p.inherited);
    free(free_tiles);
    free(last_here);
    return status;
}

/* ---- all of it ---- */

void ad_fusion_free(struct ad_fusion *fusion)
{
    ad_grouping_free(&fusion->grouping);
    free(fusion->results);
    free(fusion->wanted);
}

enum ad_status ad_fusion_new(const struct ad_program *program, struct ad_fusion *fusion)
{
    const struct ad_tape *tape = program->tape;
    size_t n = (size_t)tape->n + 1;
    int32_t n_inputs = program->n_inputs;
    int32_t n_wanted = n_inputs < tape->n ? tape->dst[n_inputs] : tape->n_slots;
    struct readers readers = {fusion, NULL, NULL, NULL};
    enum ad_status status;

    *fusion = (struct ad_fusion){.n_frame = 0};
    status = ad_grouping_new(program, &fusion->grouping);
    if (status)
        return status;
    readers.last = malloc(n * sizeof *readers.last);
    readers.sole = malloc(n * sizeof *readers.sole);
    readers.how = calloc(n, 1);
    fusion->results = malloc(n * sizeof *fusion->results);
    fusion->wanted = calloc((size_t)n_wanted + 1, 1);
    if (readers.last && readers.sole && readers.how && fusion->results && fusion->wanted) {
        for (size_t i = 0; i < n; i++) {
            fusion->results[i] = (struct ad_result){-1, -1, -1};
            readers.last[i] = readers.sole[i] = NEVER;
        }
        find_readers(&readers);
        status = find_places(fusion, &readers);
    } else {
        status = AD_NO_MEMORY;
    }
    free(readers.last);
    free(readers.sole);
    free(readers.how);
    if (status)
        ad_fusion_free(fusion);
    return status;
}

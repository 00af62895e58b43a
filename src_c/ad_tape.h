/* ad_tape.h -- the tape: instructions over one contiguous arena of doubles.
 *
 * A slot is one double.  An instruction produces a contiguous range of slots, in the order of the
 * instructions; its operands are earlier slots or constants.  Scalar constants have negative slot
 * numbers and lie below slot 0 of the same arena, so that value[a] needs no branch.
 *
 * A tape belongs to one thread.  Handles are what the outside holds: the newest instructions without
 * a live handle are popped at once, and garbage below a live handle is squeezed out when the tape is
 * about to grow.  Slot numbers may therefore change in ad_tape_room(), and only there. */
#ifndef AD_TAPE_H
#define AD_TAPE_H

#include "ad_kernel.h"

/* Opcodes beyond the table: instructions with more structure than an elementwise op. */
enum ad_code {
    AD_INPUT = AD_N_OPS, /* a range of independent variables */
    AD_ADDTO,            /* zeros, to which views are added: sum, copy, concatenate, scatter;
                            extra: 1 if each slot is given exactly once, which keeps -0.0 */
    AD_MATMUL,           /* matrix product over leading batch dimensions */
    AD_CUMSUM,           /* running sums along the last dimension; extra: 1 from the end */
    AD_EXTREMUM,         /* maximum (extra 0) or minimum (1) over the last dimension */
    AD_NORM,             /* Euclidean norm over the last dimension */
    AD_ARGSORT,          /* indices that sort along the last dimension: see ad_index.h */
    AD_GATHER,           /* (..., n) and m indices: those elements, (..., m) */
    AD_SCATTER, /* (..., m) and m indices: zeros (..., n) to which they are added; extra: n */
    AD_KERNEL,  /* a kernel of ad_kernel.def; extra: ad_kernel_extra(), parameter: its p */
    AD_CALL,    /* a rule of the user's, called through struct ad_call */
    AD_DRAW /* elements of a view, which ones is not yet known: see ad_draw.h; views: from, own */
};

enum {
    AD_FLAG_ARRAY = 0x8000, /* in op[]: 'a' is the place of a block in aux, not an operand */
    AD_CODE_MASK = 0x7fff
};

/*
 * The block of an array instruction in aux:
 *   [0] words in the block   [1] views   [2] result slots   [3] bits of the parameter (a double)
 *   [4] extra                [5...] the views: place, base, pointer or number, ndim, shapes, strides
 * An AD_ADDTO has pairs of views: from, and an AD_OWN or AD_OWN_LIST view to add to.
 */
enum { AD_BLOCK_HEADER = 5 };

/* What the outside holds; embedded in the Python object.  'tape' NULL: not on a tape. */
struct ad_handle {
    struct ad_tape *tape;
    struct ad_handle *prev, *next; /* handles on the same instruction */
    struct ad_view *view;          /* NULL: the scalar 'slot' */
    int32_t instr;                 /* the newest instruction the handle needs */
    int32_t slot;
};

/* What the user wants to do to the adjoint of all results of an instruction, before it is pushed on:
 * 'hook' is a Python object.  The note goes with the instruction. */
struct ad_note {
    int32_t instr;
    void *hook;
};

enum { AD_WHY = 200 }; /* bytes of a reason, with its NUL */

/*
 * A rule of the user's, or what the rule of an AD_KERNEL is reached by.  'rule' is a Python object; the
 * functions get the GIL themselves.
 *
 * forward() fills the tangents of instruction 'instr' in the tape's work, reverse() adds to the
 * adjoints of its operands, lanes < 0 meaning the second-order sweep over -lanes lanes.  The emit_
 * functions record derivatives: of 'g', the adjoint of the results, one adjoint per operand; of the
 * operands' tangents, the tangent of the results.  A zero is an AD_NUMBER view; what a view points at
 * is passed with one reference.
 *
 * replay() computes the results anew from the operands' values, args[i] in the C order of operand i's
 * shape; it is called without a tape.
 *
 * save() makes the bytes from which load() makes the same rule again, to be freed with free(); AD_NOT_SAVED
 * for a rule that has none.  load() is told how many results there are to be and what views the operands
 * have, and holds the bytes against them: AD_BAD_PROGRAM if they are not in order, with the reason in 'why'.
 * Either may be NULL.
 *
 * elementwise() is the number of dimensions of each of a rule's results, all of one shape, if each of their
 * elements depends on those elements alone that the operands, broadcast to the shape, have in its place;
 * -1 of other rules.  It may be NULL.
 *
 * note() may change the adjoints of the note's instruction in the tape's work; emit_note() is given the
 * adjoint, flat, and passes another one.
 */
struct ad_call_hooks {
    void (*hold)(void *rule);    /* of notes too */
    void (*release)(void *rule); /* of notes too */
    enum ad_status (*replay)(void *rule, const double *const *args, double *result);
    enum ad_status (*save)(void *rule, unsigned char **data, int64_t *nbytes);
    enum ad_status (*load)(const unsigned char *data, int64_t nbytes, int64_t size, int n,
                           const struct ad_view *args, char why[AD_WHY], void **rule);
    enum ad_status (*forward)(struct ad_tape *tape, int32_t instr, int lanes);
    enum ad_status (*reverse)(struct ad_tape *tape, int32_t instr, int lanes);
    enum ad_status (*emit_reverse)(struct ad_tape *tape, int32_t instr, const struct ad_view *g,
                                   struct ad_view *adjoints);
    enum ad_status (*emit_forward)(struct ad_tape *tape, int32_t instr,
                                   const struct ad_view *tangents, struct ad_view *result);
    int (*elementwise)(void *rule, int64_t shape[AD_MAX_DIMS]);
    enum ad_status (*note)(struct ad_tape *tape, const struct ad_note *note, int lanes);
    enum ad_status (*emit_note)(struct ad_tape *tape, const struct ad_note *note,
                                const struct ad_view *g, struct ad_view *result);
};

struct ad_tape {
    /* instructions: n of them */
    uint16_t *op;
    int32_t *dst;              /* first result slot */
    int32_t *a, *b;            /* operands of a scalar; an array's 'a' is its block */
    struct ad_handle **handle; /* live handles on each */
    int32_t n, capacity;
    int32_t room; /* the capacity, or 0 if watch() is to see what is recorded */

    /* slots: value[-n_consts .. n_slots) */
    double *value, *value_block;
    int32_t n_slots, slot_capacity, n_consts, const_capacity;

    int64_t *aux; /* blocks of array instructions */
    int64_t n_aux, aux_capacity;

    struct ad_note *notes; /* n_notes of them, in the order of their instructions */
    int32_t n_notes, note_capacity;

    struct ad_list *lists;
    int64_t live;  /* size of the tape after the last compaction */
    int busy;      /* sweeps and emissions under way: nothing is moved */
    int32_t floor; /* instructions below it are not popped */
    bool orphan;   /* its thread is gone: to be freed with its last handle */
    int64_t n_handles;
    int32_t n_draws;   /* AD_DRAWs on the tape */
    int64_t n_checked; /* views of constant arrays that others might write to */
    double *scratch;   /* see ad_tape_make_scratch(); or NULL */
    struct ad_work *work;
    const struct ad_call_hooks *hooks;

    /* of the tape of a program only */
    struct ad_program *program;
    int32_t
        *origin; /* of each instruction: where it comes from, an index of the program's; or NULL */
    int32_t here, n_known; /* instructions from n_known on come from 'here' */
    void (*watch)(
        struct ad_tape *tape); /* called when something is about to be recorded; or NULL */
    bool symbolic;             /* values are not computed when instructions are recorded */
};

/* An empty tape, or NULL without memory. */
struct ad_tape *ad_tape_new(void);
/* Accepts NULL.  If handles are left, the tape goes with the last of them. */
void ad_tape_free(struct ad_tape *tape);

/* AD_SCRATCH doubles at 'scratch', made only when asked for: the tapes of programs run no sweep. */
enum ad_status ad_tape_make_scratch(struct ad_tape *tape);

/* ---- room: call before reading operands; may compact, so slot numbers change ---- */

enum ad_status ad_tape_room_slow(struct ad_tape *tape, int64_t slots, int64_t consts);

/* Room for a few scalar instructions, or an array instruction of 'slots' results. */
AD_INLINE enum ad_status ad_tape_room(struct ad_tape *tape, int64_t slots)
{
    if (AD_LIKELY(tape->n + 4 <= tape->room && slots <= tape->slot_capacity - tape->n_slots - 4 &&
                  tape->n_consts + 8 <= tape->const_capacity))
        return AD_OK;
    return ad_tape_room_slow(tape, slots, 8);
}

/* The same without compaction: slot numbers stay.  If 'slots' is not 0, an outline gets room for all
 * of its values. */
enum ad_status ad_tape_grow(struct ad_tape *tape, int64_t instrs, int64_t slots, int64_t consts,
                            int64_t words);

/* Squeeze out all instructions that no live handle depends on.  A tape without memory to do so, or
 * with a sweep under way, is left as it is. */
void ad_tape_compact(struct ad_tape *tape);

/* ---- recording ----
 *
 * A function that fails records nothing.  'result' may be one of the operands. */

/* A constant; returns its (negative) slot. */
AD_INLINE int32_t ad_tape_const(struct ad_tape *tape, double c)
{
    int32_t slot = -(++tape->n_consts);

    ad_assert(tape->n_consts <= tape->const_capacity);
    tape->value[slot] = c;
    return slot;
}

/* A scalar instruction of an op with one or two arguments (a family op has its parameter, a constant
 * slot, in 'b'; other unary ops repeat 'a').  Returns the instruction; its slot is the newest. */
AD_INLINE int32_t ad_tape_push(struct ad_tape *tape, int op, int32_t a, int32_t b, double value)
{
    int32_t i = tape->n++;

    ad_assert(tape->n <= tape->capacity && tape->n_slots < tape->slot_capacity);
    tape->op[i] = (uint16_t)op;
    tape->dst[i] = tape->n_slots;
    tape->a[i] = a;
    tape->b[i] = b;
    tape->handle[i] = NULL;
    tape->value[tape->n_slots++] = value;
    return i;
}

/* Independent variables: copies n values, or leaves them unset if 'values' is NULL. */
enum ad_status ad_record_input(struct ad_tape *tape, int64_t n, const double *values);
/* The same values again as new slots that depend on the old: AD_ADDTO of one view. */
enum ad_status ad_record_copy(struct ad_tape *tape, const struct ad_view *from,
                              struct ad_view *result);

/*
 * Record an elementwise op over views, broadcast together; 'result' is the view of the new slots, or
 * of a number if all operands are numbers.  Elements are computed at once.
 */
enum ad_status ad_record_op(struct ad_tape *tape, enum ad_op op, double p,
                            const struct ad_view *const *args, struct ad_view *result);
/*
 * Zeros of 'size' slots to which from[i] is added at to[i] (AD_OWN or AD_OWN_LIST), for i < n.
 */
enum ad_status ad_record_addto(struct ad_tape *tape, int64_t size, int n,
                               const struct ad_view *from, const struct ad_view *to,
                               struct ad_view *result);
/* Sum over the dimensions whose bit is set in 'axes'; they stay with length 1. */
enum ad_status ad_record_sum(struct ad_tape *tape, const struct ad_view *from, uint32_t axes,
                             struct ad_view *result);
/* (..., m, k) times (..., k, n). */
enum ad_status ad_record_matmul(struct ad_tape *tape, const struct ad_view *a,
                                const struct ad_view *b, struct ad_view *result);
/* AD_CUMSUM, AD_ARGSORT, AD_EXTREMUM and AD_NORM, along the last dimension, which the last two drop;
 * AD_EMPTY for an extremum of nothing. */
enum ad_status ad_record_along(struct ad_tape *tape, enum ad_code code, const struct ad_view *from,
                               int64_t extra, struct ad_view *result);
/* AD_GATHER, or AD_SCATTER to rows of n elements: of x, along the last dimension, at indices of one
 * dimension. */
enum ad_status ad_record_gather(struct ad_tape *tape, const struct ad_view *x,
                                const struct ad_view *index, struct ad_view *result);
enum ad_status ad_record_scatter(struct ad_tape *tape, const struct ad_view *x,
                                 const struct ad_view *index, int64_t n, struct ad_view *result);
/*
 * A kernel, from ad_kernel_extra(), over views that have the same leading dimensions; computed at once.
 * AD_SHAPES_DIFFER where the kernel does not take their shapes.
 */
enum ad_status ad_record_kernel(struct ad_tape *tape, int64_t extra, double p, int n,
                                const struct ad_view *args, struct ad_view *result);
/* A rule with its operands; its 'size' results are 'values', or written by the caller if that is NULL.
 * Takes the reference to 'rule'. */
enum ad_status ad_record_call(struct ad_tape *tape, void *rule, int n, const struct ad_view *args,
                              int64_t size, const double *values, struct ad_view *result);

/* An array instruction of any code, its block as above, whose values are left to be computed. */
enum ad_status ad_record_block(struct ad_tape *tape, int code, double p, int64_t extra,
                               int64_t size, int n, const struct ad_view *views);

/*
 * An outline: instructions of a symbolic tape that are recorded without room for their results, which
 * may take far more than what says how to find them.  n_slots may then exceed slot_capacity, until
 * ad_tape_grow() is asked for slots.
 */
enum ad_status ad_outline_block(struct ad_tape *tape, int code, double p, int64_t extra,
                                int64_t size, int n, const struct ad_view *views);
enum ad_status ad_outline_scalar(struct ad_tape *tape, int code, int32_t a, int32_t b);

/* Keep the origin of each instruction, -1 for those there are. */
enum ad_status ad_tape_keep_origins(struct ad_tape *tape);
/* Call watch(tape), which may call ad_tape_here(), before anything is recorded; NULL: no more. */
void ad_tape_watch(struct ad_tape *tape, void (*watch)(struct ad_tape *tape));
/* What is recorded from now on comes from 'origin'. */
void ad_tape_here(struct ad_tape *tape, int32_t origin);
/* The origin of an instruction, -1 if it is not known. */
int32_t ad_tape_origin(const struct ad_tape *tape, int32_t i);

/* Attach a note to an instruction.  Takes the reference to 'hook', also on failure. */
enum ad_status ad_tape_add_note(struct ad_tape *tape, int32_t instr, void *hook);
/* How many notes are on instructions before 'instr'. */
int32_t ad_tape_notes_before(const struct ad_tape *tape, int32_t instr);

/* ---- reading instructions ---- */

AD_INLINE int ad_tape_code(const struct ad_tape *tape, int32_t i)
{
    return tape->op[i] & AD_CODE_MASK;
}

/* The parameter of a scalar instruction, 0 outside the FAMILY rows. */
AD_INLINE double ad_tape_parameter(const struct ad_tape *tape, int32_t i)
{
    return ad_ops[ad_tape_code(tape, i)].family ? tape->value[tape->b[i]] : 0;
}

AD_INLINE bool ad_tape_is_array(const struct ad_tape *tape, int32_t i)
{
    return (tape->op[i] & AD_FLAG_ARRAY) != 0;
}

/* Has the instruction a rule written in operations on tensors, which is reached by the hooks? */
AD_INLINE bool ad_tape_has_rule(const struct ad_tape *tape, int32_t i)
{
    return ad_tape_code(tape, i) == AD_KERNEL || ad_tape_code(tape, i) == AD_CALL;
}

/* How many slots instruction i produced. */
AD_INLINE int32_t ad_tape_length(const struct ad_tape *tape, int32_t i)
{
    return (i + 1 < tape->n ? tape->dst[i + 1] : tape->n_slots) - tape->dst[i];
}

/* The instruction that produced a slot. */
int32_t ad_tape_producer(const struct ad_tape *tape, int32_t slot);
/* Decode the view at 'words'; returns where the next one begins. */
const int64_t *ad_view_decode(const int64_t *words, struct ad_view *view);
/* The same the other way round: 4 + 2 * ndim words. */
int64_t *ad_view_encode(int64_t *words, const struct ad_view *view);
/* The views of array instruction i, up to 'max' of them; returns how many there are. */
int ad_tape_views(const struct ad_tape *tape, int32_t i, struct ad_view *views, int max);
/* Compute the values of instruction i from those of its operands. */
enum ad_status ad_tape_compute(struct ad_tape *tape, int32_t i);
/* Does any instruction in [first, n) read a slot in [0, below)? */
bool ad_tape_reads_below(const struct ad_tape *tape, int32_t first, int32_t below);
/* Does any later instruction read a result of 'instr'? */
bool ad_tape_reads_results(const struct ad_tape *tape, int32_t instr);
/* Are the constant arrays read by instructions [first, last] what they were? */
bool ad_tape_constants_intact(const struct ad_tape *tape, int32_t first, int32_t last);

/* ---- handles ---- */

/* The handle of a scalar result; 'handle' may be raw memory. */
AD_INLINE void ad_handle_scalar(struct ad_handle *handle, struct ad_tape *tape, int32_t instr,
                                int32_t slot)
{
    handle->tape = tape;
    handle->view = NULL;
    handle->instr = instr;
    handle->slot = slot;
    handle->prev = NULL;
    handle->next = tape->handle[instr];
    if (handle->next)
        handle->next->prev = handle;
    tape->handle[instr] = handle;
    tape->n_handles++;
}

/* The handle of a view (takes over one reference to its list); false without memory. */
bool ad_handle_view(struct ad_handle *handle, struct ad_tape *tape, const struct ad_view *view);
/* Take back the newest instructions, as far as they have no handle; done by itself when a handle
 * goes. */
void ad_tape_pop(struct ad_tape *tape);

/* Take back instructions from n on, and constants, so far as no handle is on them. */
void ad_tape_cut(struct ad_tape *tape, int32_t n, int32_t n_consts);

/* Between these, instructions below 'floor' are not popped and nothing is moved; 'floor' INT32_MAX:
 * nothing is popped at all.  ad_tape_enter() returns what ad_tape_leave() needs. */
AD_INLINE int32_t ad_tape_enter(struct ad_tape *tape, int32_t floor)
{
    int32_t was = tape->floor;

    tape->floor = floor;
    tape->busy++;
    return was;
}

AD_INLINE void ad_tape_leave(struct ad_tape *tape, int32_t was)
{
    tape->floor = was;
    tape->busy--;
}

/* Let go of a handle on a tape, and pop what it alone kept. */
AD_INLINE void ad_handle_unlink(struct ad_handle *handle)
{
    struct ad_tape *tape = handle->tape;

    if (handle->next)
        handle->next->prev = handle->prev;
    if (handle->prev)
        handle->prev->next = handle->next;
    else
        tape->handle[handle->instr] = handle->next;
    tape->n_handles--;
}

void ad_handle_drop_view(struct ad_handle *handle);

AD_INLINE void ad_handle_drop(struct ad_handle *handle)
{
    struct ad_tape *tape = handle->tape;

    ad_handle_unlink(handle);
    if (AD_UNLIKELY(handle->view != NULL))
        ad_handle_drop_view(handle);
    if (!tape->handle[tape->n - 1])
        ad_tape_pop(tape); /* may free the tape */
}

/* Let a part of a list hold its own elements only: a run of slots if they are one, else a list.  The
 * whole would have to be copied before the next assignment to it, as long as a part holds it.  False
 * without memory. */
bool ad_tape_narrow(struct ad_tape *tape, struct ad_view *view);

/* The view of any handle on a tape. */
AD_INLINE struct ad_view ad_handle_get(const struct ad_handle *handle)
{
    if (handle->view)
        return *handle->view;
    return ad_view_slots(handle->slot, 0, NULL);
}

/* Make the handle's view a list of its own, contiguous, so that its slots may be rebound. */
enum ad_status ad_handle_own(struct ad_handle *handle);
/* Rebind the elements at n positions (C order), one after another, to those of 'value', over again if
 * they are too few; the handle owns its list.  There is one of 'value' unless n is 0. */
enum ad_status ad_handle_assign(struct ad_handle *handle, int64_t n, const int64_t *positions,
                                const struct ad_view *value);
/* The same of the elements whose byte of 'mask' is not 0: element i is given number i of 'value', or,
 * 'in_turn', those chosen are given its elements in order.  There is one of 'value'. */
enum ad_status ad_handle_assign_where(struct ad_handle *handle, const unsigned char *mask,
                                      bool in_turn, const struct ad_view *value);
/* After rebinding: the handle needs instruction 'instr' as well. */
void ad_handle_need(struct ad_handle *handle, int32_t instr);

/* ---- for the files that keep a tape: ad_tape.c, ad_record.c and ad_compact.c ---- */

enum { AD_TAPE_MOST = INT32_MAX - 16 }; /* of anything: a few more are counted without overflow */

/* How much there is on a tape, of anything. */
AD_INLINE int64_t ad_tape_extent(const struct ad_tape *tape)
{
    return (int64_t)tape->n + tape->n_slots + tape->n_consts + tape->n_aux;
}

/* Let go of what the block of array instruction i points at.  Returns the rule of an AD_CALL, which
 * the caller releases once the tape is in order: its end may run any Python code. */
void *ad_tape_drop_block(struct ad_tape *tape, int32_t i);
/* Release a rule or a hook, or NULL; nothing is popped or moved meanwhile. */
void ad_tape_release(struct ad_tape *tape, void *object);

#endif

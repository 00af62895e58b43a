/* ad_view.h -- views: how an operand finds its elements.
 *
 * A view is a base, a shape and strides over one of four places.  Slicing, reshaping, transposing,
 * broadcasting and indexing make new views and nothing else. */
#ifndef AD_VIEW_H
#define AD_VIEW_H

#include "ad_ops.h"

enum { AD_MAX_DIMS = 16 };

enum ad_place {
    AD_SLOTS,   /* element i is the slot base + i; negative slots are constants */
    AD_LIST,    /* element i is the slot list->slot[base + i] */
    AD_ARRAY,   /* element i is the constant array->data[base + i] */
    AD_NUMBER,  /* every element is the constant 'number' */
    AD_OWN,     /* slot base + i of the result of the instruction that holds the view */
    AD_OWN_LIST /* slot list->slot[base + i], counted from the first of that result */
};

/* Slot numbers, shared by views; changed only while refs is 1. */
struct ad_list {
    int32_t *slot;
    int64_t n;
    int64_t refs;
    struct ad_list *prev, *next; /* all lists of a tape, so that compaction can renumber them */
    struct ad_list **head;       /* where that chain begins; NULL for lists of AD_OWN_LIST views */
};

/* A constant array.  Either 'data' was copied and 'owner' is NULL, or it belongs to 'owner'. */
struct ad_array {
    const double *data;
    int64_t n;
    int64_t refs;
    void *owner;
    void (*release)(void *owner);
    bool checked; /* the owner's data may be written by others: 'sum' tells if it was */
    uint64_t sum;
};

struct ad_view {
    enum ad_place place;
    int ndim;
    int64_t base;
    union {
        struct ad_list *list;
        struct ad_array *array;
        double number;
        int64_t bits;
    } in;
    int64_t shape[AD_MAX_DIMS], stride[AD_MAX_DIMS]; /* ndim of each; strides in elements */
};

/* The used part of a view; most of the struct is room. */
AD_INLINE void ad_view_copy(struct ad_view *to, const struct ad_view *from)
{
    to->place = from->place;
    to->ndim = from->ndim;
    to->base = from->base;
    to->in = from->in;
    for (int d = 0; d < from->ndim; d++) {
        to->shape[d] = from->shape[d];
        to->stride[d] = from->stride[d];
    }
}

/* Lists and arrays are counted; ad_..._new returns NULL without memory. */
struct ad_list *ad_list_new(struct ad_list **head, int64_t n);
void ad_list_drop(struct ad_list *list);
struct ad_array *ad_array_copy(const double *data, int64_t n);
/* An array of its own whose n numbers, at *data, are yet to be written. */
struct ad_array *ad_array_room(int64_t n, double **data);
/* Copies of bytes 0 and 1, and of whole numbers. */
struct ad_array *ad_array_of_truths(const unsigned char *data, int64_t n);
struct ad_array *ad_array_of_integers(const int64_t *data, int64_t n);
struct ad_array *ad_array_share(const double *data, int64_t n, void *owner,
                                void (*release)(void *owner), bool checked);
void ad_array_drop(struct ad_array *array);
/* False if the data changed since ad_array_share(). */
bool ad_array_intact(const struct ad_array *array);

/* Count one more, or one fewer, reference to what the view points at. */
void ad_view_hold(const struct ad_view *view);
void ad_view_drop(const struct ad_view *view);

/* The lowest variable slot of a view; INT32_MAX if it has none. */
int32_t ad_view_lowest(const struct ad_view *view);
/* How many elements a shape has, at most INT64_MAX. */
int64_t ad_shape_size(int ndim, const int64_t *shape);
int64_t ad_view_size(const struct ad_view *view);
/* C-order strides for 'shape'. */
void ad_strides(int ndim, const int64_t *shape, int64_t *stride);
/* A view of consecutive slots in C order; written to *view, or returned. */
void ad_view_set_slots(struct ad_view *view, int64_t base, int ndim, const int64_t *shape);
struct ad_view ad_view_slots(int64_t base, int ndim, const int64_t *shape);
struct ad_view ad_view_number(double number);
/* Are the elements consecutive in C order? */
bool ad_view_is_contiguous(const struct ad_view *view);
/* Give the view another shape of the same size; false if strides cannot express it. */
bool ad_view_reshape(struct ad_view *view, int ndim, const int64_t *shape);
/* Stretch to 'shape' by NumPy's rules; false if they do not allow it. */
bool ad_view_broadcast(struct ad_view *view, int ndim, const int64_t *shape);
/* The common shape of n views; false if there is none. */
bool ad_broadcast_shape(int n, const struct ad_view *const *views, int *ndim, int64_t *shape);
/* Merge neighbouring dimensions, of n views of one shape, wherever all of them allow it. */
void ad_views_collapse(int n, struct ad_view *views);

/* Make the view a new list of the n elements at 'positions' (C order); false without memory. */
bool ad_view_pick(struct ad_view *view, struct ad_list **head, const int64_t *positions, int64_t n);
/* Make a view of one dimension of slots a list of the elements at n indices, which count from the end
 * if negative.  Returns n; the place of the first index that is out of bounds; or -1 without memory. */
int64_t ad_view_take(struct ad_view *view, struct ad_list **head, const int64_t *index, int64_t n);
/* Let a view of a list have a list of its own, of its elements alone; false without memory. */
bool ad_view_narrow(struct ad_view *view, struct ad_list **head);
/* base + strides of every element, in C order. */
void ad_view_positions(const struct ad_view *view, int64_t *at);

/* ---- tiles: up to AD_TILE elements of a view, in C order ---- */

enum ad_span_kind {
    AD_SPAN_FIXED, /* constants: 'fixed' */
    AD_SPAN_RUN,   /* slots slot, slot + 1, ... */
    AD_SPAN_ONE,   /* the same slot each time */
    AD_SPAN_MANY   /* slots[i] */
};

struct ad_span {
    enum ad_span_kind kind;
    int32_t slot;
    const int32_t *slots;
    struct ad_vec fixed;
};

/* Room for the elements of one span. */
struct ad_span_room {
    int32_t slots[AD_TILE];
    double values[AD_TILE];
};

/* How many elements from 'start' on make the next tile: whole rows' parts where rows are long. */
int64_t ad_tile_size(const struct ad_view *view, int64_t size, int64_t start);
/* Elements start .. start + n of the view; 'dst' is the first result slot, for AD_OWN views. */
struct ad_span ad_span_of(const struct ad_view *view, int32_t dst, const double *value,
                          int64_t start, int64_t n, struct ad_span_room *room);
/* The values of a span; 'values' is room for n. */
struct ad_vec ad_span_values(const struct ad_span *span, const double *value, int64_t n,
                             double *values);
/* Is any value of a view not a number?  Or, with 'infinite', is any not finite? */
bool ad_view_has_nan(const struct ad_view *view, const double *value, bool infinite);

/* The exponents of the elements, as frexp gives them. */
void ad_view_exponents(const struct ad_view *view, const double *value, int32_t *out);
/* All values of a view, in C order. */
void ad_view_read(const struct ad_view *view, const double *value, double *out);

#endif

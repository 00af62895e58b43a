"""Elements of a tensor in another order, or some of them, by value: see ad_draw.h.

Only of tensors on the tape of this thread, and not while a program is recorded, in which the order
is data.
"""

cdef dict _sets = {
    "all": AD_SET_OF_ALL, "numbers": AD_SET_OF_NUMBERS, "common": AD_SET_COMMON,
    "missing": AD_SET_MISSING, "one-sided": AD_SET_ONE_SIDED,
}


cpdef bint can_draw(x):
    """Are the functions below for `x`?"""
    return is_tracked(x) and ad_local.program == NULL and (<Tensor>x).h.view != NULL


def sort_last(Tensor x):
    """The elements in ascending order along the last dimension, nan last."""
    cdef ad_tape *tape = this_tape()
    cdef ad_view view, result
    cdef ad_status status
    check(ad_tape_room(tape, 8))
    tensor_view(x, &view)
    with nogil:
        status = ad_record_sort(tape, &view, &result)
    ad_view_drop(&view)
    check(status)
    return settle(tape, &result, True)


def partition_last(Tensor x, kth, kind):
    """The elements as numpy.partition() leaves them along the last dimension."""
    cdef ad_tape *tape = this_tape()
    cdef ad_view view, result
    cdef ad_status status
    cdef cnp.npy_intp dims[AD_MAX_DIMS]
    cdef int d
    check(ad_tape_room(tape, 8))
    tensor_view(x, &view)
    status = ad_record_draw(tape, &view, view.shape[view.ndim - 1], &result)
    if status == AD_OK:
        ad_view_read(&view, tape.value, tape.value + result.base)
    ad_view_drop(&view)
    check(status)
    for d in range(result.ndim):
        dims[d] = result.shape[d]
    try:
        slots = cnp.PyArray_SimpleNewFromData(result.ndim, dims, cnp.NPY_DOUBLE,
                                              tape.value + result.base)
        slots.partition(kth, kind=kind)
    except BaseException:
        ad_tape_pop(tape)
        raise
    return settle(tape, &result, True)


def set_of(str kind, Tensor x, second=None, int64_t split=0):
    """The set that is made of a tensor of one dimension, in ascending order.

    "all" and "numbers" have each number once, nan too or each nan; "common" and "missing" have
    those that are, or are not, among the array `second`; "one-sided" has what only one has of the
    first `split` elements and of those behind.
    """
    cdef cnp.ndarray others
    if second is None:
        return record_set(x, _sets[kind], split, 0, NULL, NULL)
    others = np.ascontiguousarray(second, dtype=np.float64)
    return record_set(x, _sets[kind], split, cnp.PyArray_SIZE(others),
                      <const double *>cnp.PyArray_DATA(others), NULL)


def counted_set(Tensor x, bint equal_nan):
    """The set of all, as set_of() makes it, and how many elements each number is of."""
    cdef cnp.npy_intp n = x.numel()
    cdef cnp.ndarray count = cnp.PyArray_SimpleNew(1, &n, cnp.NPY_INT64)
    found = record_set(x, AD_SET_OF_ALL if equal_nan else AD_SET_OF_NUMBERS, 0, 0, NULL,
                       <int64_t *>cnp.PyArray_DATA(count))
    return found, count[:found.numel()]


cdef Tensor record_set(Tensor x, ad_set_of kind, int64_t split, int64_t n, const double *second,
                       int64_t *count):
    cdef ad_tape *tape = this_tape()
    cdef ad_view view, result
    cdef ad_status status
    check(ad_tape_room(tape, 8))
    tensor_view(x, &view)
    with nogil:
        status = ad_record_set(tape, kind, &view, split, n, second, count, &result)
    ad_view_drop(&view)
    check(status)
    return settle(tape, &result, True)


def located_set(Tensor x, bint equal_nan):
    """(the set of all, where each number is first, which of them each element is, counts)."""
    cdef cnp.ndarray numbers = np.atleast_1d(x.value()), first, inverse, count, room
    cdef cnp.npy_intp n = cnp.PyArray_SIZE(numbers), size = n + ad_index_room(n)
    cdef int64_t m
    first = cnp.PyArray_SimpleNew(1, &n, cnp.NPY_INT64)
    inverse = cnp.PyArray_SimpleNew(1, &n, cnp.NPY_INT64)
    count = cnp.PyArray_SimpleNew(1, &n, cnp.NPY_INT64)
    room = cnp.PyArray_SimpleNew(1, &size, cnp.NPY_DOUBLE)
    with nogil:
        m = ad_index_unique(n, <const double *>cnp.PyArray_DATA(numbers), equal_nan,
                            <int64_t *>cnp.PyArray_DATA(first),
                            <int64_t *>cnp.PyArray_DATA(inverse),
                            <int64_t *>cnp.PyArray_DATA(count), <double *>cnp.PyArray_DATA(room))
    first = first[:m]
    return get_item(x, first), first, inverse, count[:m]


def places_of_ranks(x, tuple ranks):
    """For each rank the place of the element of that rank in each row, of an array of numbers.

    The rows are along the last dimension; equal elements keep their order.  In a row with a nan
    each place is that of the last nan.
    """
    cdef cnp.ndarray numbers = np.ascontiguousarray(x), parted
    cdef int64_t n = numbers.shape[numbers.ndim - 1], rows = numbers.size // n, r, k
    cdef int64_t rank
    cdef const double *row = <const double *>cnp.PyArray_DATA(numbers)
    cdef const double *ordered
    cdef int64_t[:, ::1] at = np.empty((len(ranks), rows), dtype=np.int64)
    parted = numbers.copy()
    parted.partition(list(ranks))
    ordered = <const double *>cnp.PyArray_DATA(parted)
    for k in range(at.shape[0]):
        rank = ranks[k]
        with nogil:
            for r in range(rows):
                at[k, r] = ad_place_of_rank(n, row + r * n, rank, ordered[r * n + rank])
    return np.asarray(at).reshape((len(ranks),) + (<object>numbers).shape[:-1])


def add_at_places(x, places, int64_t least):
    """Zeros to which the elements of `x` are added at `places`; both of one dimension.

    There are as many as the places need, and at least `least`.  NotImplemented unless `x` is a
    tensor of can_draw() and the places are an array of int64 of its shape.
    """
    cdef ad_tape *tape
    cdef ad_view view, result
    cdef ad_status status
    cdef int64_t n, low = 0, high = least - 1
    cdef const int64_t *at
    if not can_draw(x) or (<Tensor>x).h.view.ndim != 1 or not are_places(places) \
            or cnp.PyArray_SIZE(<cnp.ndarray>places) != (<Tensor>x).h.view.shape[0]:
        return NotImplemented
    n = cnp.PyArray_SIZE(<cnp.ndarray>places)
    at = <const int64_t *>cnp.PyArray_DATA(<cnp.ndarray>places)
    ad_index_range(n, at, &low, &high)
    if low < 0:
        raise ValueError("the places must not be negative")
    tape = this_tape()
    check(ad_tape_room(tape, 8))
    tensor_view(<Tensor>x, &view)
    status = ad_record_bins(tape, &view, at, high + 1, &result)
    ad_view_drop(&view)
    check(status)
    return settle(tape, &result, True)


cdef bint are_places(object x):
    """Is this an array of int64 of one dimension, its elements side by side?"""
    return type(x) is cnp.ndarray and cnp.PyArray_NDIM(<cnp.ndarray>x) == 1 \
        and cnp.PyArray_TYPE(<cnp.ndarray>x) == cnp.NPY_INT64 \
        and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>x)


cdef enum:
    MOST_CHOICES = 32


def choose_among(places, list choices):
    """At each place the element of the choice whose number stands there: a list of slots.

    NotImplemented unless `places` is an array of int64, of one dimension, of numbers of choices,
    and these are tensors of can_draw() of its shape.
    """
    cdef ad_tape *tape = this_tape()
    cdef ad_view views[MOST_CHOICES]
    cdef ad_view result
    cdef ad_list *slots
    cdef const int64_t *which
    cdef int64_t n, low = 0, high = 0, at, j
    cdef int n_choices = len(choices), i
    if not are_places(places) or n_choices > MOST_CHOICES:
        return NotImplemented
    n = cnp.PyArray_SIZE(<cnp.ndarray>places)
    which = <const int64_t *>cnp.PyArray_DATA(<cnp.ndarray>places)
    ad_index_range(n, which, &low, &high)
    if low < 0 or high >= n_choices:
        return NotImplemented
    tape = this_tape()
    for x in choices:
        if not can_draw(x) or (<Tensor>x).h.tape != tape or (<Tensor>x).h.view.ndim != 1 \
                or (<Tensor>x).h.view.shape[0] != n:
            return NotImplemented
    check(ad_tape_room(tape, 8))
    slots = ad_list_new(&tape.lists, n)
    if slots == NULL:
        raise MemoryError("no memory for an index list")
    for i in range(n_choices):
        views[i] = (<Tensor>choices[i]).h.view[0]
    for j in range(n):
        i = <int>which[j]
        at = views[i].base + j * views[i].stride[0]
        slots.slot[j] = views[i].in_.list.slot[at] if views[i].place == AD_LIST else <int32_t>at
    result = ad_view_slots(0, 1, &n)
    result.place = AD_LIST
    result.in_.list = slots
    return settle(tape, &result, True)

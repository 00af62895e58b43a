"""Elements of a tensor in another order, or some of them, by value: see ad_draw.h.

Only of tensors on the tape of this thread, and not while a program is recorded, in which the order
is data.
"""

cdef dict _sets = {
    "all": AD_SET_OF_ALL, "numbers": AD_SET_OF_NUMBERS, "common": AD_SET_COMMON,
    "missing": AD_SET_MISSING, "one-sided": AD_SET_ONE_SIDED,
}


def can_draw(x):
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
    cdef ad_tape *tape = this_tape()
    cdef ad_view view, result
    cdef ad_set_of made = _sets[kind]
    cdef ad_status status
    cdef cnp.ndarray others = None
    cdef const double *numbers = NULL
    cdef int64_t n = 0
    if second is not None:
        others = np.ascontiguousarray(numbers_of(second), dtype=np.float64)
        numbers = <const double *>cnp.PyArray_DATA(others)
        n = cnp.PyArray_SIZE(others)
    check(ad_tape_room(tape, 8))
    tensor_view(x, &view)
    with nogil:
        status = ad_record_set(tape, made, &view, split, n, numbers, &result)
    ad_view_drop(&view)
    check(status)
    return settle(tape, &result, True)


def drawn(Tensor x, values):
    """`values`, an array of one dimension, as the elements of `x`, of one too, that they are of."""
    cdef ad_tape *tape = this_tape()
    cdef ad_view view, result
    cdef ad_status status
    cdef cnp.ndarray numbers = np.ascontiguousarray(values, dtype=np.float64)
    cdef int64_t n = cnp.PyArray_SIZE(numbers)
    check(ad_tape_room(tape, 8))
    tensor_view(x, &view)
    status = ad_record_draw(tape, &view, n, &result)
    ad_view_drop(&view)
    check(status)
    memcpy(tape.value + result.base, cnp.PyArray_DATA(numbers), n * sizeof(double))
    return settle(tape, &result, True)


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


def add_at_places(Tensor x, cnp.ndarray places, int64_t least):
    """Zeros to which the elements of `x` are added at `places`, of int64; both of one dimension.

    There are as many as the places need, and at least `least`.
    """
    cdef ad_tape *tape = this_tape()
    cdef ad_view view, to, result
    cdef ad_status status
    cdef const int64_t *at = <const int64_t *>cnp.PyArray_DATA(places)
    cdef int64_t n = cnp.PyArray_SIZE(places), j, low = 0, high = least - 1
    if not cnp.PyArray_ISCARRAY_RO(places):
        return add_at_places(x, np.ascontiguousarray(places), least)
    for j in range(n):
        low = min(low, at[j])
        high = max(high, at[j])
    if low < 0:
        raise ValueError("the places must not be negative")
    check(ad_tape_room(tape, 8))
    tensor_view(x, &view)
    if view.ndim != 1 or view.shape[0] != n:
        ad_view_drop(&view)
        raise ShapeError(f"{n} places for elements of shape {x.shape}")
    to = ad_view_slots(0, 1, &n)
    to.place = AD_OWN_LIST
    to.in_.list = ad_list_new(NULL, n)
    if to.in_.list == NULL or high >= 2147483647:
        ad_view_drop(&view)
        if to.in_.list != NULL:
            ad_view_drop(&to)
        raise MemoryError("no memory for so many places")
    for j in range(n):
        to.in_.list.slot[j] = <int32_t>at[j]
    status = ad_record_addto(tape, high + 1, 1, &view, &to, &result)
    ad_view_drop(&view)
    ad_view_drop(&to)
    check(status)
    return settle(tape, &result, True)

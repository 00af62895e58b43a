"""Assignment: the slots of elements are bound to those of other values, no instruction."""


cdef int refuse_leaf(Tensor t) except -1:
    if t.meta is not None and t.meta.leaf:
        raise TapeError("assigning to elements of a leaf would lose its gradient; write "
                        "y = x.clone() and assign to y")
    return 0


cdef bint stays_constant(Tensor t, object value):
    """Is this a constant tensor that takes the numbers of a value, and nothing of the tape's?"""
    return t.h.tape == NULL and (ad_local.off or (t.meta is not None and t.meta.owner is not None)
                                 or not (is_tracked(value) or _contains_tracked(value)))


cdef int begin_assignment(Tensor t, ad_tape *tape) except -1:
    """Let a tensor be on this thread's tape, where there is room."""
    if t.h.tape == NULL:
        track_constant(t, tape)
    elif t.h.tape != tape:
        raise_foreign(t)
    return 0


cdef int set_item(Tensor t, object key, object value) except -1:
    """Rebind the slots that key picks to those of value."""
    cdef ad_tape *tape = this_tape()
    cdef list picked = []
    cdef ad_view view
    cdef cnp.ndarray at
    cdef int64_t shape[16]
    cdef int d, ndim
    refuse_leaf(t)
    refuse_part(t.part_of, t)
    if type(value) is Dual:
        raise TypeError(
            f"an element of a tensor of shape {t.shape} was assigned a dual number, which carries "
            "the tangents of forward mode (jvp, jacfwd) and does not fit into a tensor.  Make the "
            "array from what is differentiated, as y = adcore.zeros_like(x), or join its elements "
            "with adcore.stack([...])")
    if isinstance(value, cnp.ndarray) and type(value) is not cnp.ndarray:
        refuse_subclass(value)
    if key is Ellipsis and is_tracked(value) and ad_local.off == 0 \
            and (<Tensor>value).h.tape == tape and (<Tensor>value).shape == t.shape:
        stand_for(t, value)
        return 0
    if stays_constant(t, value):
        if isinstance(t.constant, float):
            t.constant = np.array(t.constant)
        t.constant[key] = (<Tensor>value).value() if type(value) is Tensor else value
        if t.constant.ndim == 0:
            t.constant = float(t.constant)
        return pass_on(t)
    if isinstance(value, (list, tuple)):
        value = METHODS["stack_nested"](value) if _contains_tracked(value) \
            else np.asarray(value, dtype=np.float64)
    old_shape = t.shape
    if old_shape == ():
        return set_scalar(t, key, value)
    check(ad_tape_room(tape, 8))
    if PyLong_CheckExact(key) and len(old_shape) == 1:
        index = key
        if not -old_shape[0] <= index < old_shape[0]:
            raise IndexError(f"index {index} is out of bounds for an axis of size {old_shape[0]}")
        at = np.array([index + old_shape[0] if index < 0 else index], dtype=np.int64)
        picked_shape = ()
    else:
        positions(old_shape, key, picked)
        at = picked[0]
        picked_shape = picked[1]
    begin_assignment(t, tape)
    if not operand(value, &view):
        raise TypeError(f"cannot assign a {type(value).__name__} into a tensor; assign a number, "
                        "an array or a tensor")
    try:
        ndim = len(picked_shape)
        for d in range(ndim):
            shape[d] = picked_shape[d]
        while view.ndim > ndim and view.shape[0] == 1:     # as NumPy: leading ones may go
            for d in range(view.ndim - 1):
                view.shape[d] = view.shape[d + 1]
                view.stride[d] = view.stride[d + 1]
            view.ndim -= 1
        if not ad_view_broadcast(&view, ndim, shape):
            raise ShapeError(f"cannot assign a value of shape {shape_of(value)} to elements of "
                             f"shape {tuple(picked_shape)}")
        check(ad_handle_own(&t.h))
        check(ad_handle_assign(&t.h, cnp.PyArray_SIZE(at), <const int64_t *>cnp.PyArray_DATA(at),
                               &view))
    finally:
        ad_view_drop(&view)
    return 0


cdef int set_scalar(Tensor t, object key, object value) except -1:
    """The assignments that an array without dimensions takes: x[()], x[...], x[None], x[mask]."""
    cdef list picked = []
    positions((), key, picked)
    if not is_tracked(value):
        value = constant_tensor(np.asarray(values(value), dtype=np.float64))
    if np.prod(value.shape) != 1:
        raise ShapeError(f"cannot assign a value of shape {value.shape} to elements of "
                         f"shape {picked[1]}")
    if picked[0].size:
        stand_for(t, value.reshape(()))
    return 0


def _contains_tracked(value):
    if isinstance(value, (list, tuple)):
        return any([is_tracked(v) or _contains_tracked(v) for v in value])
    return is_tracked(value)


cdef int track_constant(Tensor t, ad_tape *tape) except -1:
    """Let a constant tensor become a list of constant slots, to be rebound one by one."""
    cdef ad_view view
    cdef cnp.ndarray a = np.array(t.constant, dtype=np.float64)
    cdef ad_list *list
    cdef int64_t n = a.size, j
    cdef int d
    # A handle lives on an instruction: the list needs one to be kept by.
    check(ad_tape_grow(tape, 1, 0, n, 16))
    list = ad_list_new(&tape.lists, n)
    if list == NULL:
        raise MemoryError("no memory for an index list")
    for j in range(n):
        list.slot[j] = ad_tape_const(tape, (<double *>cnp.PyArray_DATA(a))[j])
    check(ad_record_input(tape, 0, NULL))
    view = ad_view_slots(0, 0, NULL)
    view.place = AD_LIST
    view.in_.list = list
    view.ndim = cnp.PyArray_NDIM(a)
    for d in range(view.ndim):
        view.shape[d] = cnp.PyArray_DIM(a, d)
    ad_strides(view.ndim, view.shape, view.stride)
    if not ad_handle_view(&t.h, tape, &view):
        t.h.tape = NULL
        raise MemoryError("no memory for a tensor")
    t.constant = None
    return 0


# ---- at places of the flattened array ----


cdef cnp.ndarray places_of(object places, int64_t size):
    """Places among `size` elements, flat, with none negative; None of what only NumPy can tell."""
    cdef cnp.ndarray at
    cdef cnp.npy_intp n, j
    if type(places) is cnp.ndarray:
        if cnp.PyArray_TYPE(<cnp.ndarray>places) != cnp.NPY_INT64 \
                or not cnp.PyArray_ISBEHAVED_RO(<cnp.ndarray>places):
            return None
        return counted_from_front(places, size)
    if PyLong_CheckExact(places):
        places = (places,)
    elif type(places) is not list and type(places) is not tuple:
        return None
    for i in places:
        if not PyLong_CheckExact(i):
            return None
    n = len(places)
    at = cnp.PyArray_SimpleNew(1, &n, cnp.NPY_INT64)
    for j in range(n):
        (<int64_t *>cnp.PyArray_DATA(at))[j] = places[j]
    return counted_from_front(at, size)


cdef bint can_bind(object x) except -1:
    """Is `x` a tracked Tensor of one element or more, and of a dimension, that is no leaf?"""
    cdef Tensor t
    if type(x) is not Tensor:
        return False
    t = <Tensor>x
    if t.h.tape == NULL or t.h.view == NULL or ad_view_size(t.h.view) == 0:
        return False
    refuse_leaf(t)
    refuse_part(t.part_of, t)
    return True


cdef bint value_view(object value, ad_view *view) except -1:
    """The view of a number, an array or a Tensor of one element or more; False of others."""
    if type(value) is Dual or _contains_tracked(value) and type(value) is not Tensor:
        return False
    if not operand(value, view):
        return False
    if ad_view_size(view) == 0:
        ad_view_drop(view)
        return False
    return True


def put(x, places, value):
    """Assign to the elements of a tracked Tensor at places of the flattened array, one by one.

    The elements of `value` are taken over again if they are too few.  False, and nothing happens,
    for other arguments than a tensor, whole numbers and what can be an operand.
    """
    cdef ad_tape *tape = this_tape()
    cdef Tensor t
    cdef ad_view view
    cdef cnp.ndarray at
    if not can_bind(x):
        return False
    t = x
    at = places_of(places, t.numel())
    if at is None:
        return False
    check(ad_tape_room(tape, 8))
    begin_assignment(t, tape)
    if not value_view(value, &view):
        return False
    try:
        check(ad_handle_own(&t.h))
        check(ad_handle_assign(&t.h, cnp.PyArray_SIZE(at), <const int64_t *>cnp.PyArray_DATA(at),
                               &view))
    finally:
        ad_view_drop(&view)
    return True


def put_where(x, mask, value, bint in_turn):
    """Assign to the elements of a tracked Tensor where an array of truths of its shape holds.

    Element i gets that of `value` with the same number; or, `in_turn`, those where the mask holds
    get the elements in order; over again if they are too few.  False, and nothing happens, for
    other arguments.
    """
    cdef ad_tape *tape = this_tape()
    cdef Tensor t
    cdef ad_view view
    if not can_bind(x) or type(mask) is not cnp.ndarray \
            or cnp.PyArray_TYPE(<cnp.ndarray>mask) != cnp.NPY_BOOL \
            or not cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>mask):
        return False
    t = x
    if cnp.PyArray_SIZE(<cnp.ndarray>mask) != t.numel():
        return False
    check(ad_tape_room(tape, 8))
    begin_assignment(t, tape)
    if not value_view(value, &view):
        return False
    try:
        check(ad_handle_own(&t.h))
        check(ad_handle_assign_where(&t.h, <const unsigned char *>cnp.PyArray_DATA(mask), in_turn,
                                     &view))
    finally:
        ad_view_drop(&view)
    return True

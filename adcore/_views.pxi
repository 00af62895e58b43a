"""Views of tensors: indexing and assignment, shapes, transposition, broadcasting."""


cdef object get_item(Tensor t, object key):
    cdef ad_view view
    cdef list picked
    if t.h.tape == NULL:
        value = np.asarray(t.constant)[key]
        return constant_tensor(float(value) if np.ndim(value) == 0 else np.array(value))
    tensor_view(t, &view)
    if type(key) is tuple and len(<tuple>key) == 1 and type((<tuple>key)[0]) is cnp.ndarray:
        key = (<tuple>key)[0]
    if is_basic(key):
        try:
            apply_basic(&view, key)
            if not ad_tape_narrow(t.h.tape, &view):
                raise MemoryError("no memory for an index list")
        except BaseException:
            ad_view_drop(&view)
            raise
        return settle(t.h.tape, &view, True)
    picked = []
    try:
        if view.ndim == 1 and type(key) is cnp.ndarray and cnp.PyArray_NDIM(key) == 1 \
                and cnp.PyArray_TYPE(<cnp.ndarray>key) == cnp.NPY_BOOL \
                and cnp.PyArray_DIM(<cnp.ndarray>key, 0) == view.shape[0]:
            key = key.nonzero()[0]
        if view.ndim == 1 and type(key) is cnp.ndarray \
                and cnp.PyArray_TYPE(<cnp.ndarray>key) == cnp.NPY_INT64 \
                and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>key):
            take(t.h.tape, &view, key)
        else:
            positions(t.shape, key, picked)
            pick(t.h.tape, &view, picked[0], picked[1])
    except BaseException:
        ad_view_drop(&view)
        raise
    return settle(t.h.tape, &view, True)


cdef int take(ad_tape *tape, ad_view *view, cnp.ndarray index) except -1:
    """Replace a view of one dimension by a list of the elements at the indices."""
    cdef const int64_t *i = <const int64_t *>cnp.PyArray_DATA(index)
    cdef int64_t n = cnp.PyArray_SIZE(index), length = view.shape[0]
    cdef int64_t good = ad_view_take(view, &tape.lists, i, n)
    if good < 0:
        raise MemoryError("no memory for an index list")
    if good < n:
        raise IndexError(f"index {i[good]} is out of bounds for an axis of size {length}")
    set_shape(view, shape_of(index))
    ad_strides(view.ndim, view.shape, view.stride)
    return 0


cdef int pick(ad_tape *tape, ad_view *view, cnp.ndarray at, tuple shape) except -1:
    """Replace the view by a list of the elements at the positions, in the given shape."""
    cdef int d
    if len(shape) > AD_MAX_DIMS:
        raise ShapeError(f"a tensor may have at most {AD_MAX_DIMS} dimensions, got {len(shape)}")
    if not ad_view_pick(view, &tape.lists, <const int64_t *>cnp.PyArray_DATA(at), at.size):
        raise MemoryError("no memory for an index list")
    view.ndim = len(shape)
    for d in range(view.ndim):
        view.shape[d] = shape[d]
    ad_strides(view.ndim, view.shape, view.stride)
    return 0


cdef int set_item(Tensor t, object key, object value) except -1:
    """Rebind the slots that key picks to those of value."""
    cdef ad_tape *tape = this_tape()
    cdef list picked = []
    cdef ad_view view
    cdef cnp.ndarray at
    cdef int64_t shape[16]
    cdef int d, ndim
    if t.meta is not None and t.meta.leaf:
        raise TapeError("assigning to elements of a leaf would lose its gradient; write "
                        "y = x.clone() and assign to y")
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
        replace(t, value)
        return 0
    if t.h.tape == NULL and (ad_local.off or (t.meta is not None and t.meta.owner is not None)
                             or not (is_tracked(value) or _contains_tracked(value))):
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
    if t.h.tape == NULL:
        track_constant(t, tape)
    elif t.h.tape != tape:
        raise_foreign(t)
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
        check(ad_handle_assign(&t.h, <const int64_t *>cnp.PyArray_DATA(at), &view))
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
        replace(t, value.reshape(()))
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


cdef int set_shape(ad_view *view, tuple shape) except -1:
    cdef int d
    if len(shape) > AD_MAX_DIMS:
        raise ShapeError(f"a tensor may have at most {AD_MAX_DIMS} dimensions, got {len(shape)}")
    view.ndim = len(shape)
    for d in range(view.ndim):
        view.shape[d] = shape[d]
    return 0


def reshape(x, shape):
    """`x` in another shape, a view where strides allow it; one length may be -1."""
    cdef Tensor t
    cdef ad_view view, target, copy
    cdef ad_status status
    if type(x) is Dual:
        return mapped(<Dual>x, lambda part: reshape(part, shape), lambda part: reshape(part, shape))
    if type(x) is not Tensor:
        return np.reshape(x, shape)
    t = x
    if t.h.tape == NULL:
        return constant_tensor(_value(np.reshape(t.constant, shape)))
    if type(shape) is not tuple:
        shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    full_shape(t, shape, &target)
    check(ad_tape_room(t.h.tape, ad_view_size(&target)))
    tensor_view(t, &view)
    if not ad_view_reshape(&view, target.ndim, target.shape):
        status = ad_record_copy(t.h.tape, &view, &copy)
        ad_view_drop(&view)
        check(status)
        view = copy
        ad_view_reshape(&view, target.ndim, target.shape)
    return settle(t.h.tape, &view, True)


def _value(array):
    return float(array) if np.ndim(array) == 0 else np.array(array)


cdef int full_shape(Tensor t, tuple shape, ad_view *target) except -1:
    """The shape that a tensor is to get, in which one length may be -1, as that of a view."""
    cdef int64_t size = t.numel(), known = 1
    cdef int d, left_open = -1
    cdef bint fits
    set_shape(target, shape)
    fits = True
    for d in range(target.ndim):
        if target.shape[d] == -1 and left_open < 0:
            left_open = d
        elif target.shape[d] < 0 or (target.shape[d] > 0 and known > size // target.shape[d] > 0):
            fits = False
        else:
            known *= target.shape[d]
    if fits and left_open >= 0 and known > 0 and size % known == 0:
        target.shape[left_open] = size // known
        known = size
    elif left_open >= 0:
        fits = False
    if not fits or known != size:
        raise ShapeError(f"cannot reshape a tensor of shape {t.shape} into {shape}")
    return 0


def transpose(x, axes):
    """`x` with its dimensions in the order `axes`."""
    cdef Tensor t
    cdef ad_view view
    cdef int64_t shape[16]
    cdef int64_t stride[16]
    cdef int d, ndim
    cdef Py_ssize_t a
    cdef uint32_t seen = 0
    if type(x) is Dual:
        return mapped(<Dual>x, lambda part: transpose(part, axes),
                      lambda part: transpose(part, axes))
    if type(x) is not Tensor:
        return np.transpose(x, axes)
    t = x
    if t.h.tape == NULL:
        return constant_tensor(_value(np.transpose(t.constant, axes)))
    if t.h.view == NULL and len(axes) == 0:
        return t.alias()
    tensor_view(t, &view)
    ndim = view.ndim
    d = 0
    for axis in axes:
        a = axis
        if a < 0:
            a += ndim
        if d == ndim or not 0 <= a < ndim or seen >> a & 1:
            break
        seen |= <uint32_t>1 << a
        shape[d] = view.shape[a]
        stride[d] = view.stride[a]
        d += 1
    else:
        if d == ndim:
            memcpy(view.shape, shape, ndim * sizeof(int64_t))
            memcpy(view.stride, stride, ndim * sizeof(int64_t))
            return settle(t.h.tape, &view, True)
    ad_view_drop(&view)
    raise ShapeError(f"axes {axes} do not fit a tensor of shape {t.shape}")


def diagonal(x, int64_t offset, int axis1, int axis2):
    """The elements whose index along `axis2` is that along `axis1` plus `offset`, a view.

    They stand along the last dimension of the result; the axes are not negative.
    """
    cdef Tensor t
    cdef ad_view view
    cdef int64_t length, first
    cdef int64_t step
    cdef int d, kept = 0
    if type(x) is Dual:
        return mapped(<Dual>x, lambda part: diagonal(part, offset, axis1, axis2),
                      lambda part: diagonal(part, offset, axis1, axis2))
    if type(x) is not Tensor or (<Tensor>x).h.tape == NULL:
        found = np.diagonal((<Tensor>x).constant if type(x) is Tensor else x, offset, axis1, axis2)
        return constant_tensor(np.array(found)) if type(x) is Tensor else found
    t = x
    if axis1 == axis2 or not 0 <= axis1 < t.ndim or not 0 <= axis2 < t.ndim:
        raise ShapeError(f"diagonal: axes {axis1} and {axis2} of a tensor of shape {t.shape}")
    tensor_view(t, &view)
    length, first = view.shape[axis1], 0
    if offset < 0:
        length += offset
        first = -offset * view.stride[axis1]
        length = min(length, view.shape[axis2])
    else:
        first = offset * view.stride[axis2]
        length = min(length, view.shape[axis2] - offset)
    if length > 0:
        view.base += first
    step = view.stride[axis1] + view.stride[axis2]
    for d in range(view.ndim):
        if d != axis1 and d != axis2:
            view.shape[kept] = view.shape[d]
            view.stride[kept] = view.stride[d]
            kept += 1
    view.shape[kept] = max(length, 0)
    view.stride[kept] = step
    view.ndim = kept + 1
    return settle(t.h.tape, &view, True)


def broadcast_to(x, shape):
    """`x` stretched to `shape` by NumPy's rules, a view."""
    cdef Tensor t
    cdef ad_view view, target
    if type(x) is Dual:
        return mapped(<Dual>x, lambda part: broadcast_to(part, shape),
                      lambda part: broadcast_to(part, shape))
    if type(x) is not Tensor:
        return np.broadcast_to(x, shape)
    t = x
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if t.h.tape == NULL:
        return constant_tensor(_value(np.broadcast_to(t.constant, shape)))
    tensor_view(t, &view)
    set_shape(&target, shape)
    if not ad_view_broadcast(&view, target.ndim, target.shape):
        ad_view_drop(&view)
        raise ShapeError(f"cannot broadcast a tensor of shape {t.shape} to {shape}")
    return settle(t.h.tape, &view, True)

"""Views of tensors: indexing, shapes, transposition, broadcasting."""


cdef object get_item(Tensor t, object key):
    cdef ad_view view
    cdef list picked
    if t.h.tape == NULL:
        value = np.asarray(t.constant)[key]
        found = constant_tensor(float(value) if np.ndim(value) == 0 else np.array(value))
        return as_part(t, found) if is_basic(key) else found
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
        return part_of_tensor(t, settle(t.h.tape, &view, True))
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
        return as_part(x, mapped(<Dual>x, lambda part: reshape(part, shape),
                                 lambda part: reshape(part, shape)))
    if type(x) is not Tensor:
        return np.reshape(x, shape)
    t = x
    if t.h.tape == NULL:
        return as_part(t, constant_tensor(_value(np.reshape(t.constant, shape))))
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
    return part_of_tensor(t, settle(t.h.tape, &view, True))


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
        return as_part(x, mapped(<Dual>x, lambda part: transpose(part, axes),
                                 lambda part: transpose(part, axes)))
    if type(x) is not Tensor:
        return np.transpose(x, axes)
    t = x
    if t.h.tape == NULL:
        return as_part(t, constant_tensor(_value(np.transpose(t.constant, axes))))
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
            return part_of_tensor(t, settle(t.h.tape, &view, True))
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
        return as_part(x, mapped(<Dual>x, lambda part: diagonal(part, offset, axis1, axis2),
                                 lambda part: diagonal(part, offset, axis1, axis2)))
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
    return part_of_tensor(t, settle(t.h.tape, &view, True))


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

"""Instructions with more structure than an elementwise op: sums, products, concatenation."""


cdef object record_one(Tensor t, int code, int64_t extra, bint keepdims=True):
    """A sum over dimensions (extra their bits), or an instruction along the last one."""
    cdef ad_tape *tape = this_tape()
    cdef ad_view view, result
    cdef ad_status status
    cdef int d, kept = 0
    check(ad_tape_room(tape, t.numel()))
    tensor_view(t, &view)
    if view.place == AD_NUMBER:
        ad_view_broadcast(&view, 0, NULL)
    if code == AD_ADDTO:
        status = ad_record_sum(tape, &view, <uint32_t>extra, &result)
    else:
        status = ad_record_along(tape, code, &view, extra, &result)
    ad_view_drop(&view)
    check(status)
    if not keepdims:
        for d in range(result.ndim):
            if not extra >> d & 1:
                result.shape[kept] = result.shape[d]
                result.stride[kept] = result.stride[d]
                kept += 1
        result.ndim = kept
    return settle(tape, &result, t.h.tape != NULL)


def sum_axes(x, tuple axes=None, bint keepdims=False):
    """The sum of a Tensor over the dimensions `axes`, none negative; None is all."""
    cdef Tensor t = x
    cdef int64_t bits = 0
    if t.ndim == 0:
        return t.alias()
    if axes is None:
        bits = (1 << <int64_t>t.ndim) - 1
    else:
        for a in axes:
            bits |= 1 << <int64_t>a
    return record_one(t, AD_ADDTO, bits, keepdims)


def cumsum_last(x, bint from_end=False):
    """Running sums of a Tensor along its last dimension."""
    return record_one(x, AD_CUMSUM, from_end)


def norm_last(x):
    """The Euclidean norm of a Tensor over its last dimension; its gradient at zero is zero."""
    return record_one(x, AD_NORM, 0)


def extremum_last(x, bint least=False):
    """The maximum, or minimum, of a Tensor over its last dimension; ties share the derivative."""
    return record_one(x, AD_EXTREMUM, least)


def matmul(a, b):
    """The matrix product of operands at least one of which is a Tensor; vectors as in NumPy."""
    cdef ad_tape *tape = this_tape()
    cdef ad_view left, right, result
    cdef ad_status status
    cdef bint row, column
    check(ad_tape_room(tape, 8))
    if not operand(a, &left):
        raise TypeError(f"matmul takes arrays and tensors, got {type(a).__name__}")
    if not operand(b, &right):
        ad_view_drop(&left)
        raise TypeError(f"matmul takes arrays and tensors, got {type(b).__name__}")
    row, column = left.ndim == 1, right.ndim == 1
    if row:
        insert_dim(&left, 0)
    if column:
        insert_dim(&right, 1)
    status = ad_record_matmul(tape, &left, &right, &result)
    ad_view_drop(&left)
    ad_view_drop(&right)
    if status == AD_SHAPES_DIFFER:
        raise ShapeError(f"matmul: shapes {shape_of(a)} and {shape_of(b)} do not fit: the last "
                         "dimension of the first must be the last but one, or only one, of the "
                         "second")
    check(status)
    if column:
        result.ndim -= 1        # of length 1, at the end
    if row:                     # of length 1, before the columns
        result.ndim -= 1
        if not column:
            result.shape[result.ndim - 1] = result.shape[result.ndim]
            result.stride[result.ndim - 1] = result.stride[result.ndim]
    return settle(tape, &result, is_tracked(a) or is_tracked(b))


cdef void insert_dim(ad_view *vector, int at) noexcept:
    """Make a view of one dimension a row (at 0) or a column (at 1)."""
    vector.ndim = 2
    vector.shape[1 - at] = vector.shape[0]
    vector.stride[1 - at] = vector.stride[0]
    vector.shape[at] = 1
    vector.stride[at] = 0


def concatenate(parts, int axis):
    """Operands of the same shape but for `axis` (not negative), at least one a Tensor, joined."""
    cdef ad_tape *tape = this_tape()
    cdef int n = len(parts), i, d, ndim = 0
    cdef int64_t total = 0, size = 1, offset = 0
    cdef int64_t shape[16]
    cdef ad_view *views = <ad_view *>PyMem_Malloc(2 * max(n, 1) * sizeof(ad_view))
    cdef ad_view result
    cdef ad_status status
    cdef int held = 0
    cdef bint tracked = False
    if views == NULL:
        raise MemoryError("no memory to join tensors")
    try:
        check(ad_tape_room(tape, 8))
        for i in range(n):
            if not operand(parts[i], &views[i]):
                raise TypeError(f"concatenate takes arrays and tensors, got "
                                f"{type(parts[i]).__name__}")
            held += 1
            tracked = tracked or is_tracked(parts[i])
            if i == 0:
                ndim = views[0].ndim
                for d in range(ndim):
                    shape[d] = views[0].shape[d]
            if views[i].ndim != ndim or axis >= ndim:
                raise ShapeError(f"concatenate needs operands of equal dimension along axis "
                                 f"{axis}, got shapes {[shape_of(p) for p in parts]}")
            for d in range(ndim):
                if d != axis and views[i].shape[d] != shape[d]:
                    raise ShapeError(f"concatenate along axis {axis}: shapes "
                                     f"{[shape_of(p) for p in parts]} differ elsewhere")
            total += views[i].shape[axis]
        shape[axis] = total
        for d in range(ndim):
            size *= shape[d]
        result = ad_view_slots(0, ndim, shape)
        for i in range(n):
            views[n + i] = result
            views[n + i].place = AD_OWN
            views[n + i].base = offset * result.stride[axis]
            views[n + i].shape[axis] = views[i].shape[axis]
            offset += views[i].shape[axis]
        status = ad_record_addto(tape, size, n, views, views + n, &result)
        check(status)
        result = ad_view_slots(result.base, ndim, shape)
        return settle(tape, &result, tracked)
    finally:
        for i in range(held):
            ad_view_drop(&views[i])
        PyMem_Free(views)


def gather(items, shape=None):
    """Numbers and scalar tensors as one Tensor: a list of their slots, no instruction.

    NotImplemented if there are others among the items.
    """
    cdef ad_tape *tape = this_tape()
    cdef Py_ssize_t n = len(items), j = 0
    cdef bint tracked = False
    cdef ad_view view
    cdef ad_list *slots
    check(ad_tape_room(tape, 8))
    check(ad_tape_grow(tape, 0, 0, n, 0))
    slots = ad_list_new(&tape.lists, n)
    if slots == NULL:
        raise MemoryError("no memory for an index list")
    view = ad_view_slots(0, 0, NULL)
    view.place = AD_LIST
    view.in_.list = slots
    try:
        set_shape(&view, (n,) if shape is None else shape)
        ad_strides(view.ndim, view.shape, view.stride)
        for item in items:
            if is_tracked(item):
                if (<Tensor>item).h.tape != tape:
                    raise_foreign(<Tensor>item)
                if (<Tensor>item).h.view != NULL:
                    ad_view_drop(&view)
                    return NotImplemented
                tracked = True
                slots.slot[j] = (<Tensor>item).h.slot
            else:
                value = (<Tensor>item).constant if type(item) is Tensor else item
                if not (PyFloat_CheckExact(value) or is_plain_scalar(value)):
                    ad_view_drop(&view)
                    return NotImplemented
                slots.slot[j] = ad_tape_const(tape, value)
            j += 1
    except BaseException:
        ad_view_drop(&view)
        raise
    if tracked:
        return settle(tape, &view, True)
    value = view_values(tape, &view)
    ad_view_drop(&view)
    return constant_tensor(value)

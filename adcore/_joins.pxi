"""Parts of tensors, and tensors made of parts."""


# How the parts are made ready to be joined.
cdef enum how_to_join:
    AS_THEY_ARE
    FLAT            # each in one dimension
    NEW_AXIS        # each of length 1 along the axis, which is new
    LEAST_1         # of one dimension at least,
    LEAST_2         # two, and
    LEAST_3         # three, as NumPy's atleast_3d() places them
    AS_COLUMNS      # vectors as columns


cdef dict _how_to_join = {
    "concatenate": AS_THEY_ARE, "append": FLAT, "stack": NEW_AXIS, "hstack": LEAST_1,
    "vstack": LEAST_2, "dstack": LEAST_3, "column_stack": AS_COLUMNS,
}


cdef int put_length_1(ad_view *view, int at) except -1:
    """Give a view a dimension of length 1 at a place."""
    cdef int d
    if view.ndim == AD_MAX_DIMS:
        raise ShapeError(f"a tensor may have at most {AD_MAX_DIMS} dimensions")
    for d in range(view.ndim, at, -1):
        view.shape[d] = view.shape[d - 1]
        view.stride[d] = view.stride[d - 1]
    view.shape[at] = 1
    view.stride[at] = 0
    view.ndim += 1
    return 0


cdef int make_ready(ad_tape *tape, ad_view *view, int how, int axis) except -1:
    """Give a view the shape in which it is to be joined; its reference stays that of the view."""
    cdef ad_view flat
    cdef int64_t size
    if how == FLAT and view.ndim != 1:
        size = ad_view_size(view)
        if view.place == AD_NUMBER or not ad_view_reshape(view, 1, &size):
            check(ad_record_copy(tape, view, &flat))
            ad_view_drop(view)
            view[0] = flat
            ad_view_reshape(view, 1, &size)
    elif how == NEW_AXIS:
        put_length_1(view, axis)
    elif how == AS_COLUMNS:
        while view.ndim < 2:
            put_length_1(view, view.ndim)
    elif how == LEAST_3 and view.ndim == 2:
        put_length_1(view, 2)
    elif how >= LEAST_1:
        while view.ndim < how - LEAST_1 + 1:
            put_length_1(view, 0 if view.ndim < 2 else 2)
    return 0


cdef int raise_unfit(str how, int axis, int n, const ad_view *views) except -1:
    """Say that views do not fit together."""
    cdef int i
    cdef list shapes = [view_shape(&views[i]) for i in range(n)]
    if how == "stack":
        given = sorted({shape[:axis] + shape[axis + 1:] for shape in shapes})
        raise ShapeError(f"stack needs elements of one shape, got {given}")
    if len({len(shape) for shape in shapes}) > 1 or axis >= views[0].ndim:
        raise ShapeError(f"{how} needs operands of equal dimension along axis {axis}, got shapes "
                         f"{shapes}")
    raise ShapeError(f"{how} along axis {axis}: shapes {shapes} differ elsewhere")


cdef object join_views(ad_tape *tape, int n, ad_view *views, int axis, str how, bint tracked):
    """Views joined along an axis.  There is room for 2 n of them; each keeps its reference."""
    cdef int i, d, ndim = views[0].ndim
    cdef int64_t total = 0, size = 1, offset = 0
    cdef int64_t shape[16]
    cdef ad_view result
    cdef bint fits
    for d in range(ndim):
        shape[d] = views[0].shape[d]
    for i in range(n):
        fits = views[i].ndim == ndim and axis < ndim
        for d in range(ndim if fits else 0):
            fits = fits and (d == axis or views[i].shape[d] == shape[d])
        if not fits:
            raise_unfit(how, axis, n, views)
        total += views[i].shape[axis]
    shape[axis] = total
    for d in range(ndim):
        size *= shape[d]
    ad_view_set_slots(&result, 0, ndim, shape)
    for i in range(n):
        ad_view_copy(&views[n + i], &result)
        views[n + i].place = AD_OWN
        views[n + i].base = offset * result.stride[axis]
        views[n + i].shape[axis] = views[i].shape[axis]
        offset += views[i].shape[axis]
    check(ad_record_addto(tape, size, n, views, views + n, &result))
    ad_view_set_slots(&result, result.base, ndim, shape)
    return settle(tape, &result, tracked)


cdef object join_operands(parts, str how, int axis):
    """join() of anything that can be an operand."""
    cdef ad_tape *tape = this_tape()
    cdef int n = len(parts), ready = _how_to_join[how], held = 0, i
    cdef int64_t size = 8
    cdef bint tracked = False
    cdef ad_view few[16]
    cdef ad_view *views = few
    for x in parts:
        if is_tracked(x):
            tracked = True
            if ready == FLAT:       # which may have to copy it
                size += (<Tensor>x).numel()
    if n > 8:
        views = <ad_view *>PyMem_Malloc(2 * n * sizeof(ad_view))
        if views == NULL:
            raise MemoryError("no memory to join tensors")
    try:
        check(ad_tape_room(tape, size))
        for x in parts:
            if not operand(x, &views[held]):
                raise TypeError(f"{how} takes arrays and tensors, got {type(x).__name__}")
            held += 1
            if held == 1:
                if how == "hstack":
                    axis = views[0].ndim > 1
                elif ready == AS_THEY_ARE or ready == NEW_AXIS:
                    axis = axis_of(axis, views[0].ndim + (ready == NEW_AXIS))
            make_ready(tape, &views[held - 1], ready, axis)
        return join_views(tape, n, views, axis, how, tracked)
    finally:
        for i in range(held):
            ad_view_drop(&views[i])
        if views != few:
            PyMem_Free(views)


def join(parts, str how, int axis=0):
    """The parts joined along an axis, made ready as NumPy's function `how` does.

    NotImplemented unless one is a Tensor and the others are tensors, arrays or numbers, in a list
    or a tuple, of a dimension or more where it takes that.
    """
    cdef bint tensors = False
    cdef int ndim = 0
    if type(parts) is not list and type(parts) is not tuple:
        return NotImplemented
    for x in parts:
        if type(x) is Tensor:
            tensors = True
            ndim = (<Tensor>x).ndim
        elif type(x) is cnp.ndarray:
            ndim = cnp.PyArray_NDIM(<cnp.ndarray>x)
        elif is_plain_scalar(x):
            ndim = 0
        else:
            return NotImplemented
        if ndim == 0 and how == "concatenate":
            return NotImplemented
    if not tensors:
        return NotImplemented
    if ndim == 0 and how == "stack" and axis in (0, -1):
        return gather(parts)
    return join_operands(parts, how, axis)


def concatenate(parts, int axis):
    """Operands of the same shape but for `axis` (not negative), at least one a Tensor, joined."""
    return join_operands(parts, "concatenate", axis)


def pad_axis(x, int axis, int64_t before, int64_t after, double fill=0):
    """`x` with so many elements of one number before and after it along an axis, not negative."""
    cdef ad_tape *tape
    cdef Tensor t
    cdef ad_view views[6]
    cdef int64_t shape[16]
    cdef int64_t width
    cdef int n = 0, i
    cdef ad_view *at = NULL
    if type(x) is Dual:
        return dual_of((<Dual>x).level, pad_axis(value_of(<Dual>x), axis, before, after, fill),
                       [None if part is None else pad_axis(part, axis, before, after)
                        for part in tangents_of(<Dual>x)])
    if type(x) is not Tensor or (<Tensor>x).h.tape == NULL:
        widths = [(0, 0)] * np.ndim(values(x))
        widths[axis] = (before, after)
        found = np.pad(values(x), widths, constant_values=fill)
        return constant_tensor(found) if type(x) is Tensor else found
    tape = this_tape()
    check(ad_tape_room(tape, 8))
    t = x
    for i in range(3):
        width = before if i == 0 else after
        if i == 1:
            at = &views[n]
            tensor_view(t, at)
        elif width > 0:
            views[n] = ad_view_number(fill)
        else:
            continue
        n += 1
    memcpy(shape, at.shape, at.ndim * sizeof(int64_t))
    for i in range(n):
        if &views[i] != at:
            shape[axis] = before if &views[i] < at else after
            ad_view_broadcast(&views[i], at.ndim, shape)
    try:
        return join_views(tape, n, views, axis, "pad", True)
    finally:
        ad_view_drop(at)


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


def cut(x, cuts, int axis):
    """The parts of a tracked Tensor between neighbours among `cuts`, along an axis, a list.

    NotImplemented of anything else; the axis is not negative.
    """
    cdef Tensor t
    cdef ad_view whole, view
    cdef Py_ssize_t start, stop = 0, i, length
    cdef list parts = []
    if type(x) is not Tensor or (<Tensor>x).h.tape == NULL:
        return NotImplemented
    t = x
    tensor_view(t, &whole)
    try:
        for i in range(len(cuts) - 1):
            start, stop = cuts[i], cuts[i + 1]
            ad_view_copy(&view, &whole)
            length = PySlice_AdjustIndices(view.shape[axis], &start, &stop, 1)
            if length > 0:
                view.base += start * view.stride[axis]
            view.shape[axis] = length
            parts.append(part_of_tensor(t, part_of(t.h.tape, &view)))
    finally:
        ad_view_drop(&whole)
    return parts


def unstack(x, int axis=0):
    """The parts of a tracked Tensor along an axis, without that dimension, a list; see cut()."""
    cdef Tensor t
    cdef ad_view whole, view
    cdef int64_t i
    cdef int d
    cdef list parts = []
    if type(x) is not Tensor or (<Tensor>x).h.tape == NULL or (<Tensor>x).h.view == NULL:
        return NotImplemented
    t = x
    tensor_view(t, &whole)
    try:
        ad_view_copy(&view, &whole)
        view.ndim -= 1
        for d in range(axis, view.ndim):
            view.shape[d] = whole.shape[d + 1]
            view.stride[d] = whole.stride[d + 1]
        for i in range(whole.shape[axis]):
            view.base = whole.base + i * whole.stride[axis]
            parts.append(part_of_tensor(t, part_of(t.h.tape, &view)))
    finally:
        ad_view_drop(&whole)
    return parts


cdef Tensor part_of(ad_tape *tape, const ad_view *part):
    """The Tensor of a part of a view that somebody holds."""
    cdef ad_view view
    ad_view_copy(&view, part)
    ad_view_hold(&view)
    if view.place == AD_LIST and not ad_tape_narrow(tape, &view):
        ad_view_drop(&view)
        raise MemoryError("no memory for an index list")
    return settle(tape, &view, True)

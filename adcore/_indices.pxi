"""Keys between brackets: the positions they pick, and the views of basic ones."""


cdef int positions(tuple shape, object key, list out) except -1:
    """out = [positions in C order of the elements that key picks, their shape]."""
    cdef int64_t size = 1
    for n in shape:
        size *= n
    if is_basic(key):
        out.extend(positions_basic(shape, key))
        return 0
    if len(shape) == 1 and isinstance(key, cnp.ndarray) \
            and cnp.PyArray_TYPE(<cnp.ndarray>key) == cnp.NPY_INT64:
        out.append(counted_from_front(key, size))
        out.append(shape_of(key))
        return 0
    if len(shape) == 1 and isinstance(key, cnp.ndarray) and key.dtype.kind in "iu":
        picked = np.where(key < 0, key + shape[0], key)
        if picked.size and (picked.min() < 0 or picked.max() >= shape[0]):
            bad = key.ravel()[np.flatnonzero((picked < 0) | (picked >= shape[0])).ravel()[0]]
            raise IndexError(f"index {bad} is out of bounds for an axis of size {shape[0]}")
    else:
        picked = np.arange(size).reshape(shape)[key]
    out.append(np.ascontiguousarray(picked, dtype=np.int64).ravel())
    out.append(shape_of(picked))
    return 0


cdef cnp.ndarray counted_from_front(cnp.ndarray key, int64_t size):
    """Indices along an axis of `size` elements, flat, with none negative."""
    cdef cnp.ndarray at = cnp.PyArray_Flatten(key, cnp.NPY_CORDER)
    cdef int64_t *i = <int64_t *>cnp.PyArray_DATA(at)
    cdef cnp.npy_intp j
    for j in range(cnp.PyArray_SIZE(at)):
        if not -size <= i[j] < size:
            raise IndexError(f"index {i[j]} is out of bounds for an axis of size {size}")
        if i[j] < 0:
            i[j] += size
    return at


cdef tuple positions_basic(tuple shape, object key):
    """The same for integers, slices, newaxis and ellipsis: costs what is picked, not the whole."""
    cdef ad_view view
    cdef int64_t lengths[16]
    cdef int d
    for d in range(len(shape)):
        lengths[d] = shape[d]
    ad_view_set_slots(&view, 0, len(shape), lengths)
    apply_basic(&view, key)
    at = np.empty(ad_view_size(&view), dtype=np.int64)
    ad_view_positions(&view, <int64_t *>cnp.PyArray_DATA(at))
    return at, tuple([view.shape[d] for d in range(view.ndim)])


cdef object plain_key(object key):
    """An index as NumPy takes it: lists become arrays, and tensors are refused."""
    if PyLong_CheckExact(key) or type(key) is slice or type(key) is cnp.ndarray:
        return key
    if type(key) is Tensor:
        if (<Tensor>key).h.tape != NULL:
            if is_stopped(key):
                return index_of((<Tensor>key).value())
            raise NotDifferentiableError(
                "an index cannot be a tracked tensor, because the result does not vary smoothly "
                "with it; write x[i.detach().numpy().astype(int)]")
        raise IndexError("an index must be of integers or booleans, and a tensor is of float64; "
                         "make it by tensor(data, dtype=adcore.int64), or as a NumPy array")
    if type(key) is METHODS["_mask"]:
        return np.asarray(key)
    if type(key) is METHODS["_index"]:
        return np.asarray(key) if key.ndim else int(key)
    if isinstance(key, tuple):
        return tuple([plain_key(list(k) if isinstance(k, tuple) else k) for k in key])
    if isinstance(key, list):
        return np.asarray([plain_key(k) for k in key], dtype=None if key else np.intp)
    return key


cdef object index_of(object numbers):
    """Whole numbers as an index: an int or an array of them."""
    whole = np.asarray(numbers).astype(np.intp)
    if not np.array_equal(whole, numbers):
        raise IndexError(
            "an index must be of integers or booleans, and these numbers are not whole")
    return whole if whole.ndim else int(whole)


cdef bint is_basic(object key):
    if PyLong_CheckExact(key) or type(key) is slice or key is None or key is Ellipsis:
        return True
    if type(key) is cnp.ndarray:
        return False
    if isinstance(key, tuple):
        for k in key:
            if not is_basic(k):
                return False
        return True
    if PyBool_Check(key) or isinstance(key, np.bool_):
        return False
    return isinstance(key, (int, np.integer))


cdef int apply_basic(ad_view *view, object key) except -1:
    """Integers, slices, newaxis and ellipsis, on shape, strides and base."""
    cdef int d = 0, out = 0, n_used = 0, ndim = view.ndim
    cdef int64_t shape[16]
    cdef int64_t stride[16]
    cdef Py_ssize_t start, stop, step, length, index
    cdef bint ellipsis = False
    if not isinstance(key, tuple):
        key = (key,)
    for k in key:
        if k is Ellipsis:
            if ellipsis:
                raise IndexError("an index can only have a single ellipsis ('...')")
            ellipsis = True
        elif k is not None:
            n_used += 1
    if n_used > ndim:
        raise IndexError(f"too many indices: the tensor is {ndim}-dimensional, but {n_used} "
                         "were indexed")
    if not ellipsis:
        key = key + (Ellipsis,)
    for k in key:
        if k is None:
            if out == AD_MAX_DIMS:
                raise ShapeError(f"a tensor may have at most {AD_MAX_DIMS} dimensions")
            shape[out] = 1
            stride[out] = 0
            out += 1
        elif k is Ellipsis:
            for _ in range(ndim - n_used):
                shape[out] = view.shape[d]
                stride[out] = view.stride[d]
                out += 1
                d += 1
        elif isinstance(k, slice):
            PySlice_Unpack(k, &start, &stop, &step)
            length = PySlice_AdjustIndices(view.shape[d], &start, &stop, step)
            if length > 0:
                view.base += start * view.stride[d]
            shape[out] = length
            stride[out] = step * view.stride[d]
            out += 1
            d += 1
        else:
            index = k
            if index < -view.shape[d] or index >= view.shape[d]:
                raise IndexError(f"index {index} is out of bounds for axis {d} with size "
                                 f"{view.shape[d]}")
            view.base += (index + view.shape[d] if index < 0 else index) * view.stride[d]
            d += 1
    view.ndim = out
    for d in range(out):
        view.shape[d] = shape[d]
        view.stride[d] = stride[d]
    return 0

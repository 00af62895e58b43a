"""Instructions with more structure than an elementwise op: sums and products."""


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


def product_last(x):
    """The product of a Tensor over its last dimension, which is not empty.

    Halves are multiplied with halves: no division, so that derivatives are exact at zeros, and each
    element goes through about log2(n) products.
    """
    cdef Tensor t = x
    cdef ad_tape *tape = this_tape()
    cdef ad_view view, low, high, rest
    cdef const ad_view *args[2]
    cdef ad_status status = AD_OK
    cdef bint left = False      # is there a rest?
    cdef int64_t n
    cdef int last = t.ndim - 1
    check(ad_tape_room(tape, t.numel()))
    tensor_view(t, &view)
    if view.place == AD_NUMBER:
        ad_view_drop(&view)
        return constant_tensor(_value(np.prod(t.value(), axis=-1)))
    low = view
    n = view.shape[last]
    while n > 1 and status == AD_OK:
        if n % 2:
            high = low
            high.ndim = last
            high.base += (n - 1) * high.stride[last]
            if left:
                args[0], args[1] = &high, &rest
                status = ad_record_op(tape, AD_OP_mul, 0, args, &rest)
            else:
                rest, left = high, True
        n //= 2
        low.shape[last] = n
        high = low
        high.base += n * high.stride[last]
        args[0], args[1] = &low, &high
        if status == AD_OK:
            status = ad_record_op(tape, AD_OP_mul, 0, args, &low)
    low.ndim = last
    if left and status == AD_OK:
        args[0], args[1] = &low, &rest
        status = ad_record_op(tape, AD_OP_mul, 0, args, &low)
    if not left and view.shape[last] == 1:
        return settle(tape, &low, t.h.tape != NULL)
    ad_view_drop(&view)
    check(status)
    return settle(tape, &low, t.h.tape != NULL)


def polynomial_of_roots(x):
    """The coefficients, the highest power first, of the polynomial with these roots, a Tensor.

    The linear factors are multiplied one by one, in their order.
    """
    cdef Tensor t = x
    cdef ad_tape *tape = this_tape()
    cdef ad_view roots, negative, factor, product
    cdef ad_view parts[4]
    cdef const ad_view *args[2]
    cdef ad_status status
    cdef int64_t n = t.numel(), one = 1, k, length
    check(ad_tape_room(tape, n))
    tensor_view(t, &roots)
    args[0] = &roots
    status = ad_record_op(tape, AD_OP_neg, 0, args, &negative)
    ad_view_drop(&roots)
    product = ad_view_number(1)
    ad_view_broadcast(&product, 1, &one)
    for k in range(n):
        if status != AD_OK:
            break
        factor = negative
        factor.base += k
        factor.ndim = 0
        args[0], args[1] = &product, &factor
        length = k + 1
        parts[0] = product
        if k == 0:
            parts[1] = negative
            parts[1].shape[0] = 1
        else:
            status = ad_record_op(tape, AD_OP_mul, 0, args, &parts[1])
        parts[2] = ad_view_slots(0, 1, &length)
        parts[2].place = AD_OWN
        parts[3] = parts[2]
        parts[3].base = 1
        if status == AD_OK:
            status = ad_record_addto(tape, length + 1, 2, parts, parts + 2, &product)
    check(status)
    return settle(tape, &product, t.h.tape != NULL)


def matmul(a, b):
    """The matrix product of operands at least one of which is a Tensor; vectors as in NumPy."""
    return product_of("matmul", a, b, False, False)


def vecdot(a, b):
    """The products of vectors over the last dimension, at least one operand a Tensor."""
    return product_of("vecdot", a, b, True, True)


def matvec(a, x):
    """Matrices times vectors, at least one operand a Tensor."""
    return product_of("matvec", a, x, False, True)


def vecmat(x, a):
    """Vectors times matrices, at least one operand a Tensor."""
    return product_of("vecmat", x, a, True, False)


cdef object product_of(str name, a, b, bint row, bint column):
    """The matrix product; the first are rows, and the second columns, or what has one dimension."""
    cdef ad_tape *tape = this_tape()
    cdef ad_view left, right, result
    cdef ad_status status = AD_SHAPES_DIFFER
    check(ad_tape_room(tape, 8))
    if not operand(a, &left):
        raise TypeError(f"{name} takes arrays and tensors, got {type(a).__name__}")
    if not operand(b, &right):
        ad_view_drop(&left)
        raise TypeError(f"{name} takes arrays and tensors, got {type(b).__name__}")
    row, column = row or left.ndim == 1, column or right.ndim == 1
    if 0 < left.ndim < AD_MAX_DIMS and 0 < right.ndim < AD_MAX_DIMS:
        if row:
            put_length_1(&left, left.ndim - 1)
        if column:
            put_length_1(&right, right.ndim)
        status = ad_record_matmul(tape, &left, &right, &result)
    ad_view_drop(&left)
    ad_view_drop(&right)
    if status == AD_SHAPES_DIFFER:
        raise ShapeError(f"{name}: shapes {shape_of(a)} and {shape_of(b)} do not fit: the last "
                         "dimension of the first must be the last but one, or only one, of the "
                         "second" if name == "matmul" else
                         f"{name}: shapes {shape_of(a)} and {shape_of(b)} do not fit: they differ "
                         "in length where their products are summed")
    check(status)
    if column:
        result.ndim -= 1        # of length 1, at the end
    if row:                     # of length 1, before the columns
        result.ndim -= 1
        if not column:
            result.shape[result.ndim - 1] = result.shape[result.ndim]
            result.stride[result.ndim - 1] = result.stride[result.ndim]
    return settle(tape, &result, is_tracked(a) or is_tracked(b))


def repeat(Tensor x, int64_t times, int axis):
    """Each part along `axis`, not negative, so many times."""
    cdef ad_tape *tape = this_tape()
    cdef ad_view view, result
    cdef ad_status status
    cdef int d
    if x.h.tape == NULL:
        return constant_tensor(np.repeat(x.constant, times, axis))
    if x.ndim == AD_MAX_DIMS:
        raise ShapeError(f"a tensor of at most {AD_MAX_DIMS - 1} dimensions can be repeated")
    check(ad_tape_room(tape, 8))
    tensor_view(x, &view)
    for d in range(view.ndim, axis + 1, -1):
        view.shape[d] = view.shape[d - 1]
        view.stride[d] = view.stride[d - 1]
    view.shape[axis + 1] = times
    view.stride[axis + 1] = 0
    view.ndim += 1
    status = ad_record_copy(tape, &view, &result)
    ad_view_drop(&view)
    check(status)
    result.ndim -= 1
    result.shape[axis] *= times
    for d in range(axis + 1, result.ndim):
        result.shape[d] = result.shape[d + 1]
    ad_strides(result.ndim, result.shape, result.stride)
    return settle(tape, &result, True)

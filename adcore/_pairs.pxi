"""Functions of complex arrays as instructions on both parts at once.

Results of functions of complex arrays have their parts in one instruction, as far apart from number
to number as the first of them are: a view of real numbers with a dimension of length 2 before all
others.  What is real and the same for both parts is recorded once, of that view, and its result is
of that form again.  Every rule below returns None where this is not the way to a result; what is
recorded while a program is has its parts apart, so that guards and inputs stay what they are.
"""


cdef inline bint pairs_may_be() except -1:
    """Whether pairs are recorded on this thread; if so there is room for some instructions."""
    if ad_local.off or ad_local.program != NULL or ad_local.tape == NULL:
        return False
    check(ad_tape_room(ad_local.tape, 16))
    return True


cdef bint pair_view(object z, ad_view *view) noexcept:
    """The view of both parts of a complex array, which stays theirs; False if there is none.

    It is one of slots, has elements, and leaves room for three dimensions more.
    """
    cdef ad_handle *re
    cdef ad_handle *im
    if type(z) is not _complex_type or type((<ComplexPair>z)._re) is not Tensor \
            or type((<ComplexPair>z)._im) is not Tensor:
        return False
    re, im = &(<Tensor>(<ComplexPair>z)._re).h, &(<Tensor>(<ComplexPair>z)._im).h
    if re.tape == NULL or re.tape != ad_local.tape or im.tape != re.tape or im.instr != re.instr:
        return False
    view.place = AD_SLOTS
    view.shape[0] = 2
    if re.view == NULL or im.view == NULL:
        if re.view != im.view:
            return False
        view.ndim, view.base, view.stride[0] = 1, re.slot, im.slot - re.slot
        return True
    if re.view.place != AD_SLOTS or im.view.place != AD_SLOTS or re.view.base < 0 \
            or im.view.base < 0 or re.view.ndim != im.view.ndim or re.view.ndim > AD_MAX_DIMS - 4:
        return False
    view.ndim, view.base = re.view.ndim + 1, re.view.base
    view.stride[0] = im.view.base - re.view.base
    for d in range(re.view.ndim):
        if re.view.shape[d] != im.view.shape[d] or re.view.stride[d] != im.view.stride[d] \
                or re.view.shape[d] == 0:
            return False
        view.shape[d + 1], view.stride[d + 1] = re.view.shape[d], re.view.stride[d]
    return True


cdef inline void part_of_pair(const ad_view *both, int which, ad_view *part) noexcept:
    """The real part (0) or the imaginary part (1) of a view of both."""
    cdef int d
    part.place, part.ndim = AD_SLOTS, both.ndim - 1
    part.base = both.base + which * both.stride[0]
    for d in range(part.ndim):
        part.shape[d], part.stride[d] = both.shape[d + 1], both.stride[d + 1]


cdef object pair_result(const ad_view *both):
    """The complex array of a view of slots on this thread's tape, of both parts."""
    cdef ad_view part
    part_of_pair(both, 0, &part)
    re = new_result(ad_local.tape, &part, True)
    part.base += both.stride[0]
    return new_complex(re, new_result(ad_local.tape, &part, True))


cdef object part_of_complex(object z, const ad_view *both):
    """pair_result() of what NumPy has as a view of a complex array."""
    cdef ComplexPair whole = z, part = pair_result(both)
    part_of_tensor(<Tensor>whole._re, <Tensor>part._re)
    part_of_tensor(<Tensor>whole._im, <Tensor>part._im)
    return part


cdef int pair_of_numbers(double re, double im, int ndim, ad_view *view) except -1:
    """A constant of both parts, the same for all elements of so many dimensions."""
    cdef double numbers[2]
    cdef int d
    numbers[0], numbers[1] = re, im
    view.place, view.ndim, view.base = AD_ARRAY, ndim + 1, 0
    view.in_.array = ad_array_copy(numbers, 2)
    if view.in_.array == NULL:
        raise MemoryError("no memory for a constant")
    for d in range(ndim + 1):
        view.shape[d], view.stride[d] = 1, 0
    view.shape[0], view.stride[0] = 2, 1
    return 0


def tensor_pair(re, im):
    """Two independent variables for arrays, or numbers, of one shape, in one instruction."""
    cdef Tensor t
    tensors = lift([re, im])[1]
    for t in tensors:
        get_meta(t).leaf = True
    return tensors


# ---- shapes: views of the same instruction ----


cdef object pair_reshape(tuple args):
    cdef ad_view view, target
    cdef int d
    if len(args) != 2 or not pair_view(args[0], &view):
        return None
    shape = args[1]
    if type(shape) is not tuple:
        if not PyLong_CheckExact(shape):
            return None
        shape = (shape,)
    full_shape((<ComplexPair>args[0])._re, shape, &target)
    if target.ndim > AD_MAX_DIMS - 4:
        return None
    for d in range(target.ndim, 0, -1):
        target.shape[d] = target.shape[d - 1]
    target.shape[0] = 2
    if not ad_view_reshape(&view, target.ndim + 1, target.shape):
        return None
    return part_of_complex(args[0], &view)


cdef object pair_transpose(tuple args):
    cdef ad_view view
    cdef ad_view turned
    cdef int d, a
    cdef uint32_t seen = 0
    if len(args) > 2 or not pair_view(args[0], &view):
        return None
    ad_view_copy(&turned, &view)
    axes = args[1] if len(args) == 2 else None
    if axes is not None and (type(axes) is not tuple or len(axes) != view.ndim - 1):
        return None
    for d in range(1, view.ndim):
        a = view.ndim - d if axes is None else axis_of(axes[d - 1], view.ndim - 1) + 1
        if seen >> a & 1:
            return None
        seen |= <uint32_t>1 << a
        turned.shape[d], turned.stride[d] = view.shape[a], view.stride[a]
    return part_of_complex(args[0], &turned)


# ---- sums ----


cdef object sum_of_pair(const ad_view *view, int64_t bits):
    """The sum over the dimensions whose bits are set."""
    cdef ad_view result
    cdef int d, kept = 0
    check(ad_record_sum(ad_local.tape, view, <uint32_t>bits, &result))
    for d in range(result.ndim):
        if not bits >> d & 1:
            result.shape[kept], result.stride[kept] = result.shape[d], result.stride[d]
            kept += 1
    result.ndim = kept
    return pair_result(&result)


cdef object pair_sum(tuple args):
    cdef ad_view view
    cdef int64_t bits = 0
    if len(args) > 2 or not pair_view(args[0], &view) or view.ndim == 1:
        return None
    for a in axes_of(args[1] if len(args) == 2 else None, view.ndim - 1):
        bits |= <int64_t>2 << <int64_t>a
    return sum_of_pair(&view, bits)


cdef object pair_trace(tuple args):
    cdef ad_view view
    if len(args) > 1 or not pair_view(args[0], &view) or view.ndim != 3:
        return None
    view.ndim = 2
    view.shape[1] = min(view.shape[1], view.shape[2])
    view.stride[1] += view.stride[2]
    return sum_of_pair(&view, 2)


cdef object pair_cumsum(tuple args):
    cdef ad_view view, result
    if len(args) > 2 or not pair_view(args[0], &view) or view.ndim != 2 \
            or (len(args) == 2 and args[1] != 0 and args[1] != -1):
        return None
    check(ad_record_along(ad_local.tape, AD_CUMSUM, &view, 0, &result))
    return pair_result(&result)


cdef object pair_diff(tuple args):
    cdef ad_view low, high, result
    cdef const ad_view *both[2]
    cdef int last
    if len(args) > 1 or not pair_view(args[0], &low) or low.ndim < 2:
        return None
    last = low.ndim - 1
    if low.shape[last] < 2:
        return None
    low.shape[last] -= 1
    ad_view_copy(&high, &low)
    high.base += high.stride[last]
    both[0], both[1] = &high, &low
    check(ad_record_op(ad_local.tape, AD_OP_sub, 0, both, &result))
    return pair_result(&result)


cdef object pair_norm(tuple args):
    """The norm of all numbers, which is that of all of their parts."""
    cdef ad_view view, result
    cdef int64_t size
    if len(args) > 1 or not pair_view(args[0], &view):
        return None
    size = ad_view_size(&view)
    if not ad_view_reshape(&view, 1, &size):
        return None
    check(ad_record_along(ad_local.tape, AD_NORM, &view, 0, &result))
    return new_result(ad_local.tape, &result, True)


# ---- joining ----


cdef enum:
    MOST_JOINED = 8


cdef object join_pairs(object parts, int axis, bint stacked):
    cdef ad_view views[2 * MOST_JOINED]
    cdef ad_view result
    cdef int n = 0
    if (type(parts) is not list and type(parts) is not tuple) or not 0 < len(parts) <= MOST_JOINED:
        return None
    for z in parts:
        if not pair_view(z, &views[n]) or (views[n].ndim == 1 and not stacked):
            return None
        n += 1
    axis = axis_of(axis, views[0].ndim - 1 + stacked) + 1
    for i in range(n if stacked else 0):
        if axis > views[i].ndim:
            return None
        put_length_1(&views[i], axis)
    if not views_fit(n, views, axis):
        return None
    record_joined(ad_local.tape, n, views, axis, &result)
    return pair_result(&result)


cdef object join_along(tuple args, bint stacked):
    """join_pairs() of the arguments (parts) or (parts, axis)."""
    if len(args) == 1:
        return join_pairs(args[0], 0, stacked)
    return join_pairs(args[0], args[1], stacked) if len(args) == 2 and type(args[1]) is int \
        else None


cdef object pair_concatenate(tuple args):
    return join_along(args, False)


cdef object pair_stack(tuple args):
    return join_along(args, True)


cdef object pair_roll(tuple args):
    cdef ad_view views[4]
    cdef ad_view result
    cdef int64_t n, by
    cdef int axis = 1
    if not 2 <= len(args) <= 3 or not PyLong_CheckExact(args[1]) or not pair_view(args[0], views):
        return None
    if len(args) == 3 and args[2] is not None:
        if not PyLong_CheckExact(args[2]):
            return None
        axis = axis_of(args[2], views[0].ndim - 1) + 1
    elif views[0].ndim != 2:
        return None
    n = views[0].shape[axis]
    by = args[1] % n
    if by == 0:
        return None
    ad_view_copy(&views[1], &views[0])
    views[0].base += (n - by) * views[0].stride[axis]
    views[0].shape[axis] = by
    views[1].shape[axis] = n - by
    record_joined(ad_local.tape, 2, views, axis, &result)
    return pair_result(&result)


# ---- elementwise ----


cdef int pair_or_number(object x, int ndim, ad_view *view) except -1:
    """The view of a pair of so many dimensions, or of a number; 0 of anything else.

    It holds what it points at.
    """
    if pair_view(x, view):
        return view.ndim == ndim + 1
    cdef double number
    if type(x) is complex:
        pair_of_numbers(x.real, x.imag, ndim, view)
    elif PyFloat_CheckExact(x) or PyLong_CheckExact(x):
        number = x
        if number == 0 and copysign(1, number) > 0:
            view.place, view.ndim, view.base, view.in_.number = AD_NUMBER, 0, 0, 0
        else:
            pair_of_numbers(number, 0.0, ndim, view)
    else:
        return 0
    return 1


cdef cnp.ndarray numbers_of_mask(cnp.ndarray mask):
    """The truths of a large mask as numbers, in one dimension, not to be changed.

    They are kept until another mask comes: what chooses is often the same from step to step.
    """
    cdef _Owner owner = _thread_state.owner
    cdef Py_ssize_t n = cnp.PyArray_SIZE(mask)
    if owner.mask is None or cnp.PyArray_SIZE(owner.mask) != n \
            or memcmp(cnp.PyArray_DATA(owner.mask), cnp.PyArray_DATA(mask), n) != 0:
        owner.mask = None
        numbers = mask.reshape(-1).astype(np.float64)
        numbers.flags.writeable = False
        owner.mask, owner.mask_numbers = mask.copy(), numbers
    return owner.mask_numbers


cdef int mask_view(cnp.ndarray mask, ad_view *view) except -1:
    """array_view() of truths that lie one after another: at once of few, kept of many."""
    cdef int64_t n = cnp.PyArray_SIZE(mask), i
    cdef const cnp.npy_bool *truth = <const cnp.npy_bool *>cnp.PyArray_DATA(mask)
    cdef double *numbers
    cdef int d
    if n > AD_SCRATCH:
        array_view(numbers_of_mask(mask), view)
        if view.place != AD_ARRAY or view.ndim != 1:    # all of them the same
            ad_view_drop(view)
            return array_view(mask, view)
    else:
        check(ad_tape_make_scratch(ad_local.tape))
        numbers = ad_local.tape.scratch
        for i in range(n):
            numbers[i] = truth[i]
        view.place, view.base = AD_ARRAY, 0
        view.in_.array = ad_array_copy(numbers, n)
        if view.in_.array == NULL:
            raise MemoryError("no memory for a constant")
    view.ndim = cnp.PyArray_NDIM(mask)
    for d in range(view.ndim):
        view.shape[d] = cnp.PyArray_DIM(mask, d)
    ad_strides(view.ndim, view.shape, view.stride)
    return 0


cdef bint may_choose(const ad_view *views, object mask, int ndim) noexcept:
    """Is this what ad_pair_choose() does: elements as they lie, by a truth of each, or numbers?"""
    cdef ad_view part
    if views[0].ndim != ndim or views[1].place != AD_SLOTS or views[2].place != AD_NUMBER \
            or cnp.PyArray_TYPE(<cnp.ndarray>mask) != cnp.NPY_BOOL \
            or not cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>mask):
        return False
    for d in range(ndim):
        if views[0].shape[d] != views[1].shape[d + 1]:
            return False
    part_of_pair(&views[1], 0, &part)
    return ad_view_is_contiguous(&part)


cdef object pair_where(tuple args):
    """Choices among pairs and numbers by a constant array."""
    cdef ad_view views[3]
    cdef ad_view result
    cdef const ad_view *given[3]
    cdef int held = 0, ndim = -1, i
    cdef bint fits
    if len(args) != 3 or type(args[0]) is not cnp.ndarray:
        return None
    for x in args[1:]:
        if pair_view(x, &views[0]):
            ndim = views[0].ndim - 1
    if ndim < 0 or cnp.PyArray_NDIM(<cnp.ndarray>args[0]) > ndim:
        return None
    try:
        for i in range(3):
            given[i] = &views[i]
            if i == 0:
                if cnp.PyArray_TYPE(<cnp.ndarray>args[0]) == cnp.NPY_BOOL \
                        and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>args[0]):
                    mask_view(args[0], &views[0])
                else:
                    array_view(args[0], &views[0])
            elif not pair_or_number(args[i], ndim, &views[i]):
                return None
            held += 1
        if may_choose(views, args[0], ndim):
            status = ad_pair_choose(
                ad_local.tape, &views[0],
                <const unsigned char *>cnp.PyArray_DATA(<cnp.ndarray>args[0]), &views[1],
                views[2].in_.number, &result)
        else:
            status = ad_record_op(ad_local.tape, AD_OP_where, 0, given, &result)
    finally:
        for i in range(held):
            ad_view_drop(&views[i])
    if status == AD_SHAPES_DIFFER:
        return None
    check(status)
    return pair_result(&result)


cdef object conjugate_of(object z):
    """The real part as it is, and the imaginary part negated."""
    cdef ad_view view, part, result
    cdef const ad_view *given = &part
    if not pair_view(z, &view):
        return None
    part_of_pair(&view, 1, &part)
    check(ad_record_op(ad_local.tape, AD_OP_neg, 0, &given, &result))
    part_of_pair(&view, 0, &part)
    return new_complex(new_result(ad_local.tape, &part, True),
                       new_result(ad_local.tape, &result, True))


cdef object pair_arithmetic(object ufunc, tuple args):
    """Sums and differences of pairs, and multiples by real numbers."""
    cdef ad_view views[2]
    cdef ad_view result
    cdef const ad_view *given[2]
    cdef ad_op op
    cdef ad_status status
    given[0], given[1] = &views[0], &views[1]
    if ufunc is _add or ufunc is _subtract:
        op = AD_OP_add if ufunc is _add else AD_OP_sub
        if not pair_view(args[0], &views[0]) or not pair_view(args[1], &views[1]) \
                or views[0].ndim != views[1].ndim:
            return None
    elif ufunc is _conjugate:
        return conjugate_of(args[0])
    elif ufunc is _negative:
        op = AD_OP_neg
        if not pair_view(args[0], &views[0]):
            return None
    elif ufunc is _multiply or ufunc is _divide:
        op = AD_OP_mul if ufunc is _multiply else AD_OP_div
        if PyFloat_CheckExact(args[1]) and pair_view(args[0], &views[0]):
            views[1] = ad_view_number(args[1])
        elif op == AD_OP_mul and PyFloat_CheckExact(args[0]) and pair_view(args[1], &views[1]):
            views[0] = ad_view_number(args[0])
        else:
            return None
    else:
        return None
    status = ad_record_op(ad_local.tape, op, 0, given, &result)
    if status == AD_SHAPES_DIFFER:
        return None     # whose error is to be of the operands as they were given
    check(status)
    return pair_result(&result)


cdef int record_formula(ComplexFormula formula, int n, const ad_view *pairs,
                        ad_view *result) except -1:
    """Record a formula, as one instruction, of one pair or two.

    The result is a view of both parts, or of real numbers.
    """
    cdef ad_view parts[4]
    cdef ad_view im
    cdef const ad_view *given[4]
    cdef bint row = formula.c.n_steps == 1
    cdef ad_status status
    cdef int i
    for i in range(2 * n):
        part_of_pair(&pairs[i // 2], i % 2, &parts[i])
        given[i] = &parts[i]
    if not row:
        Py_INCREF(formula)
    status = ad_complex_record(ad_local.tape, &formula.call, NULL if row else <void *>formula,
                               &formula.c, 2 * n, given, result, &im)
    if status == AD_SHAPES_DIFFER:
        shapes = [str(view_shape(&parts[2 * i])) for i in range(n)]
        raise ShapeError(f"{formula.name}: operands of shapes {', '.join(shapes)} do not "
                         "broadcast together")
    check(status)
    if not formula.call.real:
        for i in range(result.ndim, 0, -1):
            result.shape[i], result.stride[i] = result.shape[i - 1], result.stride[i - 1]
        result.ndim += 1
        result.shape[0], result.stride[0] = 2, im.base - result.base
    return 0


cdef object record_of_pairs(ComplexFunction function, tuple args):
    """The result of a function of pairs of tensors on the tape; None if another way is to be."""
    cdef ad_view views[2]
    cdef ad_view result
    cdef ComplexFormula formula
    cdef int n = len(args), i
    if n > 2:
        return None
    for i in range(n):
        if not pair_view(args[i], &views[i]) or views[i].ndim == 1:
            return None
    formula = function.of_parts(n)
    if not formula.whole:
        return None
    record_formula(formula, n, views, &result)
    return new_result(ad_local.tape, &result, True) if formula.call.real else pair_result(&result)

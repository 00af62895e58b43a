"""The ops of the table on tensors and numbers, as functions, operators and ufuncs."""


cdef object record_elementwise(ad_op op, double p, PyObject **args):
    """An op on operands at least one of which is a Tensor; NotImplemented for foreign types."""
    cdef ad_tape *tape = this_tape()
    cdef ad_view views[3]
    cdef const ad_view *pointers[3]
    cdef ad_view result
    cdef ad_status status = AD_OK
    cdef int n = ad_ops[op].n_args, held = 0, i
    cdef bint tracked = False, known = True
    cdef Tensor t
    check(ad_tape_room(tape, 8))
    try:
        for i in range(n):
            pointers[i] = &views[i]
            if type(<object>args[i]) is Tensor:
                t = <Tensor><object>args[i]
                if t.h.tape == tape and t.h.view != NULL:
                    pointers[i] = t.h.view
                    tracked = True
                    views[i].place = AD_NUMBER      # nothing to let go of
                    held += 1
                    continue
                tracked = tracked or t.h.tape != NULL
            if not operand(<object>args[i], &views[i]):
                known = False
                break
            held += 1
        if known:
            status = ad_record_op(tape, op, p, pointers, &result)
    finally:
        for i in range(held):
            ad_view_drop(&views[i])
    if not known:
        return op_on_others(op, p, [<object>args[i] for i in range(n)])
    if status == AD_SHAPES_DIFFER:
        raise ShapeError(
            f"{ad_ops[op].name.decode()}: operands of shapes "
            f"{', '.join([str(shape_of(<object>args[i])) for i in range(n)])} do not broadcast "
            "together")
    check(status)
    return settle(tape, &result, tracked)


cdef object apply_op(ad_op op, double p, tuple args):
    """record_elementwise() with the operands in a tuple."""
    cdef PyObject *items[3]
    cdef int i
    for i in range(ad_ops[op].n_args):
        items[i] = <PyObject *>args[i]
    return record_elementwise(op, p, items)


cdef object apply_two(ad_op op, object left, object right):
    """record_elementwise() of two operands."""
    cdef PyObject *items[3]
    items[0] = <PyObject *>left
    items[1] = <PyObject *>right
    return record_elementwise(op, 0, items)


cdef inline object binary(ad_op op, object left, object right):
    """left op right; numbers and scalar tensors without detours."""
    if op == AD_OP_mul and left is right and type(left) is Tensor:
        return unary(AD_OP_square, <Tensor>left)
    cdef ad_tape *tape = ad_local.tape
    cdef int32_t a = 0, b = 0
    cdef double x, z
    cdef bint left_const = False, right_const = False
    cdef int32_t i
    if tape != NULL and ad_local.off == 0 and ad_tape_room(tape, 1) == AD_OK:
        if type(left) is Tensor and (<Tensor>left).h.tape == tape \
                and (<Tensor>left).h.view == NULL:
            a = (<Tensor>left).h.slot
            x = tape.value[a]
        elif PyFloat_CheckExact(left):
            x = PyFloat_AS_DOUBLE(left)
            left_const = True
        elif PyLong_CheckExact(left):
            x = PyLong_AsDouble(left)
            left_const = True
        else:
            return apply_two(op, left, right)
        if type(right) is Tensor and (<Tensor>right).h.tape == tape \
                and (<Tensor>right).h.view == NULL:
            b = (<Tensor>right).h.slot
            z = tape.value[b]
        elif PyFloat_CheckExact(right):
            z = PyFloat_AS_DOUBLE(right)
            right_const = True
        elif PyLong_CheckExact(right):
            z = PyLong_AsDouble(right)
            right_const = True
        else:
            return apply_two(op, left, right)
        if op == AD_OP_mul and a == b and not left_const and not right_const:
            return unary(AD_OP_square, <Tensor>left)
        if left_const:
            if right_const:
                return apply_two(op, left, right)
            a = ad_tape_const(tape, x)
        elif right_const:
            b = ad_tape_const(tape, z)
        if op == AD_OP_add:     # the first four are inline
            x = ad_point_add(0, x, z)
        elif op == AD_OP_sub:
            x = ad_point_sub(0, x, z)
        elif op == AD_OP_mul:
            x = ad_point_mul(0, x, z)
        elif op == AD_OP_div:
            x = ad_point_div(0, x, z)
        else:
            x = ad_op_value(op, 0, x, z, 0)
        i = ad_tape_push(tape, op, a, b, x)
        return new_scalar(tape, i, tape.dst[i])
    return apply_two(op, left, right)


cdef inline object unary(ad_op op, Tensor t):
    cdef ad_tape *tape = t.h.tape
    cdef int32_t i
    if op == AD_OP_square and tape != NULL and is_root(ad_tape_code(tape, t.h.instr)):
        # the square of a norm has no kink, whatever its spelling
        found = sum_of_squares(t)
        if found is not None:
            return found
    if tape != NULL and tape == ad_local.tape and t.h.view == NULL and ad_local.off == 0 \
            and ad_tape_room(tape, 1) == AD_OK:
        i = ad_tape_push(tape, op, t.h.slot, t.h.slot,
                         ad_op_value(op, 0, tape.value[t.h.slot], 0, 0))
        return new_scalar(tape, i, tape.dst[i])
    return apply_two(op, t, t)


cdef object power(object base, object exponent):
    """base ** exponent: an integer, or an integral constant, gives falling factorials."""
    cdef double p
    if type(base) is Tensor and is_plain_scalar(exponent) and not PyBool_Check(exponent):
        p = float(exponent)
        if p == floor(p) and -2.0 ** 53 < p < 2.0 ** 53:
            return integer_power(<Tensor>base, p)
    return binary(AD_OP_pow, base, exponent)


cdef inline bint is_root(int code) noexcept nogil:
    """Norms and moduli: roots of sums of squares."""
    return code == AD_NORM or code == AD_OP_hypot


cdef Tensor sum_of_squares(Tensor norm):
    """The sum of squares that a norm is the root of, exact at zero too; None for other tensors."""
    cdef ad_tape *tape = norm.h.tape
    cdef ad_view view, rows, squares, sums
    cdef ad_view both[2]
    cdef const ad_view *args[2]
    cdef int32_t i, dst
    if tape == NULL or tape != ad_local.tape or ad_local.off:
        return None
    view = ad_handle_get(&norm.h)
    if view.place != AD_SLOTS or ad_view_size(&view) == 0:
        return None
    i = ad_tape_producer(tape, ad_view_lowest(&view))
    if not is_root(ad_tape_code(tape, i)):
        return None
    check(ad_tape_room(tape, 8))        # may move the tape
    view = ad_handle_get(&norm.h)
    i = ad_tape_producer(tape, ad_view_lowest(&view))
    dst = tape.dst[i]
    if ad_tape_code(tape, i) == AD_OP_hypot:
        hypot_operands(tape, i, both)
        for j in range(2):
            args[0] = &both[j]
            check(ad_record_op(tape, AD_OP_square, 0, args, &squares))
            both[j] = squares
        args[0], args[1] = &both[0], &both[1]
        check(ad_record_op(tape, AD_OP_add, 0, args, &sums))
        view.base += sums.base - dst
        return new_result(tape, &view, True)
    ad_tape_views(tape, i, &rows, 1)
    args[0] = &rows
    check(ad_record_op(tape, AD_OP_square, 0, args, &squares))
    check(ad_record_sum(tape, &squares, <uint32_t>1 << (rows.ndim - 1), &sums))
    view.base += sums.base - dst
    return new_result(tape, &view, True)


cdef int hypot_operands(ad_tape *tape, int32_t i, ad_view *both) except -1:
    """The views of the operands of a hypot."""
    cdef int32_t slots[2]
    if ad_tape_is_array(tape, i):
        ad_tape_views(tape, i, both, 2)
        return 0
    slots[0], slots[1] = tape.a[i], tape.b[i]
    for j in range(2):
        both[j] = ad_view_slots(slots[j], 0, NULL) if slots[j] >= 0 \
            else ad_view_number(tape.value[slots[j]])
    return 0


cdef object integer_power(Tensor base, double p):
    if p == 1:
        return base.alias()
    if p == 2:
        return unary(AD_OP_square, base)
    if p == 0:
        return constant_tensor(1.0 if base.ndim == 0 else np.ones(base.shape))
    if p == -1:
        return unary(AD_OP_reciprocal, base)
    if p > 2 and p % 2 == 0 and base.h.tape != NULL \
            and is_root(ad_tape_code(base.h.tape, base.h.instr)):
        found = sum_of_squares(base)    # even powers of a norm have no kink either
        if found is not None:
            return integer_power(found, p / 2)
    return apply_op(AD_OP_powi, p, (base,))


cdef object call_op(ad_op op, double p, tuple args):
    """An op on anything: a Dual or a Tensor if an argument is one, else a float or an array."""
    cdef bint tensors = False, duals = False
    for a in args:
        if type(a) is Tensor:
            tensors = True
        elif type(a) is Dual:
            duals = True
    if duals:
        out = dual_op(op, p, args)
    elif not tensors:
        out = plain_op(op, p, args)
    elif len(args) == 1 and not ad_ops[op].family:
        return unary(op, <Tensor>args[0])
    else:
        out = apply_op(op, p, args)
    if out is NotImplemented:
        raise_type(op, args)
    return out


def apply(str name, *args, double p=0):
    """The op called `name` on tensors, arrays and numbers; `p` is a FAMILY op's parameter.

    The result is a Tensor if an argument is one, else a float or an array.
    """
    cdef int code = _code_of_name[name]
    if len(args) != ad_ops[code].n_args:
        raise TypeError(f"{name} takes {ad_ops[code].n_args} arguments, got {len(args)}")
    return call_op(code, p, args)


cdef object function_called(PyObject *self, PyObject *const *args, Py_ssize_t n):
    """The C function behind adcore.sin and its like; self is the op code."""
    cdef int code = <object>self
    cdef int n_args = ad_ops[code].n_args, i
    cdef double p = 0
    cdef Py_ssize_t first = 0
    if n == 1 and n_args == 1 and not ad_ops[code].family:
        if type(<object>args[0]) is Tensor:
            return unary(code, <Tensor><object>args[0])
        if type(<object>args[0]) is Dual:
            return dual_unary(code, <Dual><object>args[0])
        if PyFloat_CheckExact(<object>args[0]):
            return ad_op_value(code, 0, PyFloat_AS_DOUBLE(<object>args[0]), 0, 0)
    if ad_ops[code].family and n == 2:
        if type(<object>args[0]) is Tensor or <object>args[0] != floor(<object>args[0]):
            raise TypeError(f"{ad_ops[code].name.decode()}(n, x) needs an integer n, got "
                            f"{<object>args[0]!r}")
        p = <object>args[0]
        first = 1
    elif n != n_args:
        raise TypeError(f"{ad_ops[code].name.decode()} takes {n_args} arguments, got {n}")
    return call_op(code, p, tuple([<object>args[i] for i in range(first, n)]))


cdef extern from *:
    """
    typedef PyObject *(*ad_fastcall)(PyObject *, PyObject *const *, Py_ssize_t);
    static PyObject *ad_function_new(const char *name, const char *doc, ad_fastcall call,
                                     PyObject *self, PyObject *module)
    {   /* lives as long as the process, like the table */
        PyMethodDef *def = (PyMethodDef *)PyMem_Malloc(sizeof *def);

        if (!def)
            return PyErr_NoMemory();
        def->ml_name = name;
        def->ml_meth = (PyCFunction)(void (*)(void))call;
        def->ml_flags = METH_FASTCALL;
        def->ml_doc = doc;
        return PyCFunction_NewEx(def, self, module);
    }
    """
    ctypedef object (*ad_fastcall)(PyObject *, PyObject *const *, Py_ssize_t)
    object ad_function_new(const char *name, const char *doc, ad_fastcall call, object self,
                           object module)


cdef list _kept_bytes = []      # names and docstrings that C points at


def make_function(op, str doc):
    """The Python function of a row, a C function with the given docstring."""
    name_bytes, doc_bytes = op.name.encode(), doc.encode()
    _kept_bytes.append((name_bytes, doc_bytes))
    return ad_function_new(name_bytes, doc_bytes, <ad_fastcall>function_called, op.code, "adcore")


cdef object plain_op(ad_op op, double p, tuple args):
    """An op on plain numbers and arrays: the value as a float or an array."""
    cdef double x[3]
    cdef ad_vec a[3]
    cdef int i
    cdef size_t size
    cdef cnp.ndarray out
    cdef double *y
    memset(x, 0, sizeof(x))
    for i in range(ad_ops[op].n_args):
        if not is_plain_scalar(args[i]):
            break
        x[i] = args[i]
    else:
        return ad_op_value(op, p, x[0], x[1], x[2])
    values = [plain_operand(v) for v in args]
    if any([v is None for v in values]):
        return op_on_others(op, p, args)
    shape = common_shape(op, values)
    if shape == ():
        return plain_op(op, p, tuple(values))
    _kept = [spread(values[i], shape, &a[i]) for i in range(ad_ops[op].n_args)]
    out = new_array(shape)
    size = cnp.PyArray_SIZE(out)
    y = <double *>cnp.PyArray_DATA(out)
    with nogil:
        ad_op_vector(op, p, size, a, y)
    return out


cdef object plain_operand(object x):
    """A number as a float, an array or a list as a float64 array; None for other types."""
    if PyFloat_CheckExact(x):
        return x
    if type(x) is cnp.ndarray and cnp.PyArray_TYPE(<cnp.ndarray>x) == cnp.NPY_DOUBLE \
            and cnp.PyArray_NDIM(<cnp.ndarray>x) > 0:
        return x
    if type(x) is cnp.ndarray and cnp.PyArray_NDIM(<cnp.ndarray>x) > 0 \
            and cnp.PyArray_TYPE(<cnp.ndarray>x) in (cnp.NPY_BOOL, cnp.NPY_INT64):
        return cnp.PyArray_Cast(<cnp.ndarray>x, cnp.NPY_DOUBLE)
    if type(x) is Tensor:
        return (<Tensor>x).constant
    if is_plain_scalar(x):
        return float(x)
    if not isinstance(x, (cnp.ndarray, list, tuple)):
        return None
    if isinstance(x, cnp.ndarray) and type(x) is not cnp.ndarray:
        refuse_subclass(x)
    array = np.asarray(x)
    if array.dtype != np.float64:
        if array.dtype.kind in "Oc":
            return None
        if array.dtype.kind not in "biuf":
            raise_dtype(array)
        array = array.astype(np.float64)
    return array if array.ndim else float(array)


def has_nan(x, bint infinite=False):
    """Is any of these numbers, of a float, an array or a tensor, nan, or also infinite?"""
    cdef ad_view view
    cdef bint found
    if PyFloat_CheckExact(x):
        return not isfinite(x) if infinite else x != x
    if type(x) is Tensor and (<Tensor>x).h.tape != NULL:
        if ad_local.program != NULL:
            return has_nan((<Tensor>x).value(), infinite)     # guarded
        tensor_view(<Tensor>x, &view)
        found = ad_view_has_nan(&view, (<Tensor>x).h.tape.value, infinite)
    else:
        x = (<Tensor>x).constant if type(x) is Tensor else np.asarray(x, dtype=np.float64)
        if PyFloat_CheckExact(x):
            return has_nan(x, infinite)
        array_view(x, &view)
        found = ad_view_has_nan(&view, NULL, infinite)
    ad_view_drop(&view)
    return found


def exponents(x):
    """The exponents that np.frexp gives of a tensor's numbers, which are not copied for it."""
    cdef ad_view view
    cdef cnp.ndarray out
    if type(x) is not Tensor or (<Tensor>x).h.tape == NULL or (<Tensor>x).h.view == NULL or \
            ad_local.program != NULL:
        return np.frexp(numbers_of(x))[1]
    out = np.empty((<Tensor>x).shape, np.int32)
    tensor_view(<Tensor>x, &view)
    ad_view_exponents(&view, (<Tensor>x).h.tape.value, <int32_t *>cnp.PyArray_DATA(out))
    ad_view_drop(&view)
    return out


cdef tuple common_shape(ad_op op, list values):
    """The shape to which numbers and arrays broadcast."""
    cdef tuple shape = None
    cdef bint same = True
    for v in values:
        if not PyFloat_CheckExact(v):
            if shape is None:
                shape = v.shape
            elif v.shape != shape:
                same = False
    if shape is None:
        return ()
    if same:
        return shape
    try:
        return np.broadcast(*values).shape
    except ValueError:
        raise_shapes(op, values)


cdef object spread(object value, tuple shape, ad_vec *vec):
    """A number or an array as a vector over `shape`; returns what must be kept for as long."""
    if PyFloat_CheckExact(value):
        vec.v = NULL
        vec.c = PyFloat_AS_DOUBLE(value)
        return None
    if value.shape != shape:
        value = np.broadcast_to(value, shape)
    if not cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>value):
        value = np.ascontiguousarray(value, dtype=np.float64)
    vec.v = <const double *>cnp.PyArray_DATA(<cnp.ndarray>value)
    vec.c = 0
    return value


cdef cnp.ndarray new_array(tuple shape):
    """An uninitialised array."""
    cdef cnp.npy_intp lengths[64]
    cdef int d, ndim = len(shape)
    for d in range(ndim):
        lengths[d] = shape[d]
    return cnp.PyArray_EMPTY(ndim, lengths, cnp.NPY_DOUBLE, 0)


cdef int raise_type(ad_op op, args) except -1:
    raise TypeError(f"{ad_ops[op].name.decode()} takes numbers, arrays, tensors and duals, got "
                    f"{', '.join([type(a).__name__ for a in args])}")


cdef int raise_shapes(ad_op op, args) except -1:
    raise ShapeError(
        f"{ad_ops[op].name.decode()}: operands of shapes "
        f"{', '.join([str(shape_of(a)) for a in args])} do not broadcast together")


cdef int raise_dtype(array) except -1:
    raise NotDifferentiableError(
        f"an array of dtype {array.dtype} cannot take part in differentiation; "
        "convert it to float64 first")

"""Dual numbers: a value with k tangents, the forward mode that needs no tape.

A Dual belongs to one call of a transform, told by its tag.  An op works at the largest tag among its
operands and takes everything else for constants; values and tangents of that level may be Duals of
smaller tags, and Tensors lie below all Duals.  So perturbations of different calls never mix.

Two forms: flat, where value and tangents are doubles and C does the arithmetic; and boxed, where
they are floats, float64 arrays, Tensors or older Duals, and the words of a row, run on them, give
the partials.  A tangent None is zero.
"""

cdef enum:
    DUAL_INLINE = 8     # tangents inside the object; more are allocated

cdef int64_t last_tag = 0


def new_tag():
    """A tag that no call of a transform has had: larger than all before."""
    global last_tag
    last_tag += 1
    return last_tag


@cython.final
@cython.no_gc
cdef class Dual:
    """A value and its derivatives along k directions.

    Made by the forward-mode transforms, it behaves as the number or array that its value is.

    Parameters
    ----------
    tag : int
        From new_tag(), one for each call of a transform.
    value : float, float64 array, Tensor, or Dual of a smaller tag
    tangents : sequence
        One per direction, of the same shape; None is zero.

    Examples
    --------
    >>> from adcore import _core
    >>> x = _core.Dual(_core.new_tag(), 3.0, (1.0,))
    >>> y = x * x
    >>> y.value, y.tangents
    (9.0, (6.0,))
    """

    cdef int64_t level
    cdef int k
    cdef bint boxed
    cdef double x               # flat: the value, and where the tangents are
    cdef double *dot
    cdef double inside[DUAL_INLINE]
    cdef object of              # boxed: the value, and a tuple of tangents
    cdef tuple dots
    cdef object radicand        # what the row `root` was applied to, if this is its result

    __array_priority__ = 2000.0

    def __cinit__(self):
        self.dot = self.inside

    def __init__(self, int64_t tag, value, tangents):
        cdef Py_ssize_t j
        value = component(value, tag)
        shape = shape_of(value)
        parts = []
        for t in tangents:
            t = None if t is None else component(t, tag)
            if t is not None and shape_of(t) != shape:
                raise ShapeError(f"a tangent of shape {shape_of(t)} does not fit a value of shape "
                                 f"{shape}")
            parts.append(t)
        set_parts(self, tag, value, parts)

    def __dealloc__(self):
        if self.dot != &self.inside[0]:
            PyMem_Free(self.dot)

    # -- what it is --

    @property
    def tag(self):
        """The number of the transform's call that it belongs to."""
        return self.level

    @property
    def value(self):
        """The value at this level: a float, an array, a Tensor or an older Dual."""
        return value_of(self)

    @property
    def tangents(self):
        """One derivative of the value for each direction, a tuple; None is zero."""
        return tangents_of(self)

    @property
    def shape(self):
        """The lengths of the dimensions, a tuple."""
        return shape_of(self.of) if self.boxed else ()

    @property
    def ndim(self):
        """How many dimensions there are."""
        return len(self.shape)

    def dim(self):
        """How many dimensions there are, as torch spells it."""
        return self.ndim

    @property
    def size(self):
        """How many elements there are."""
        size = 1
        for n in self.shape:
            size *= n
        return size

    def numel(self):
        """How many elements there are, as torch spells it."""
        return self.size

    @property
    def dtype(self):
        """float64, always."""
        return np.dtype(np.float64)

    # -- values out --

    def item(self):
        """The value of a single element as a float, a constant from here on."""
        if self.size != 1:
            raise ShapeError(f"item() needs one element, the dual number has shape {self.shape}")
        value = numbers_of(self)
        return float(value if isinstance(value, float) else value.reshape(-1)[0])

    def tolist(self):
        """The values as nested lists of floats, constants from here on."""
        return np.asarray(numbers_of(self)).tolist()

    def detach(self):
        """The values as a constant tensor: derivatives do not flow through it."""
        value = numbers_of(self)
        return constant_tensor(value if isinstance(value, float) else value.copy())

    @property
    def data(self):
        """The values as a constant tensor, as detach() gives."""
        return self.detach()

    def clone(self):
        """The same values and tangents in another object."""
        return dual_of(self.level, value_of(self), list(tangents_of(self)))

    copy = clone
    __copy__ = clone

    def __deepcopy__(self, memo):
        return self.clone()

    def numpy(self):
        """Refused: it would lose the derivative.  Write ``x.detach().numpy()``."""
        raise_lost("numpy()", self)

    def __float__(self):
        raise_lost("float()", self)

    def __int__(self):
        raise_lost("int()", self)

    def __index__(self):
        raise_lost("an index, range() or int()", self)

    def __complex__(self):
        raise_lost("complex()", self)

    def __array__(self, dtype=None, copy=None):
        raise_lost("np.asarray(), or a NumPy function that adcore does not know,", self)

    def __bool__(self):
        if self.size != 1:
            raise ShapeError(f"the truth of a dual number of shape {self.shape} is ambiguous; use "
                             "(x > 0).any() or (x > 0).all()")
        return self.item() != 0

    def __repr__(self):
        parts = ", ".join(["0" if t is None else repr(t) for t in tangents_of(self)])
        return f"Dual({value_of(self)!r}; {parts})"

    def __format__(self, spec):
        return format(self.item(), spec) if self.ndim == 0 and spec else repr(self)

    def __hash__(self):
        return <Py_ssize_t><void *>self >> 4

    # -- operators --

    def __add__(left, right):
        return dual_binary(AD_OP_add, left, right)

    def __sub__(left, right):
        return dual_binary(AD_OP_sub, left, right)

    def __mul__(left, right):
        return dual_binary(AD_OP_mul, left, right)

    def __truediv__(left, right):
        return dual_binary(AD_OP_div, left, right)

    def __mod__(left, right):
        return dual_binary(AD_OP_remainder, left, right)

    def __floordiv__(left, right):
        quotient = dual_binary(AD_OP_div, left, right)
        return quotient if quotient is NotImplemented else dual_unary(AD_OP_floor, <Dual>quotient)

    def __divmod__(left, right):
        return left // right, left % right

    def __pow__(left, right, modulus):
        return dual_power(left, right)

    def __neg__(self):
        return dual_unary(AD_OP_neg, self)

    def __pos__(self):
        return self.clone()

    def __abs__(self):
        return dual_unary(AD_OP_abs, self)

    def __matmul__(left, right):
        return METHODS["matmul"](left, right)

    def __richcmp__(left, right, int how):
        out = PyObject_RichCompare(numbers_of(left), numbers_of(right), how)
        return bool(out) if isinstance(out, np.bool_) else out

    # -- elements --

    def __len__(self):
        shape = self.shape
        if not shape:
            raise TypeError("len() of a scalar dual number")
        return shape[0]

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("iteration over a scalar dual number")
        return iter([self[i] for i in range(len(self))])

    def __getitem__(self, key):
        key = plain_key(key)
        return mapped(self, lambda part: taken(part, key), lambda x: x[key])

    def __contains__(self, x):
        return bool(np.any(np.asarray(numbers_of(self)) == x))

    # -- NumPy --

    def __array_ufunc__(self, ufunc, str method, *inputs, **kwargs):
        cdef object code = _code_of_ufunc.get(ufunc)
        if code is None:
            code = find_ufunc(ufunc)
        if method == "__call__" and not kwargs and code >= 0:
            if code == AD_OP_pow:
                return dual_power(inputs[0], inputs[1])
            return dual_op(code, 0, inputs)
        return METHODS["__array_ufunc__"](ufunc, method, inputs, kwargs)

    def __array_function__(self, function, types, args, kwargs):
        rule = ARRAY_FUNCTIONS.get(function)
        if rule is None:
            raise NotDifferentiableError(
                f"numpy.{function.__name__} of a dual number is not supported; write it with "
                "adcore's functions, or pass x.detach().numpy() for a constant")
        return rule(*args, **kwargs)

    # -- shapes --

    @property
    def T(self):
        """The array with its dimensions reversed."""
        return transpose(self, tuple(range(self.ndim))[::-1])

    def reshape(self, *shape):
        """The same elements in another shape; one length may be -1."""
        if len(shape) == 1 and not isinstance(shape[0], (int, np.integer)):
            shape = tuple(shape[0])
        return reshape(self, shape)

    view = reshape

    def transpose(self, *axes):
        """The dimensions in another order, reversed if none is given."""
        if len(axes) == 1 and not isinstance(axes[0], (int, np.integer)):
            axes = axes[0]
        if not axes:
            axes = tuple(range(self.ndim))[::-1]
        return transpose(self, tuple(axes))


# ---- parts ----


cdef object component(object x, int64_t tag):
    """A value or tangent in the form it is kept in; constant tensors become plain."""
    if PyFloat_CheckExact(x):
        return x
    if type(x) is Tensor:
        return (<Tensor>x).constant if (<Tensor>x).h.tape == NULL else x
    if type(x) is Dual:
        if (<Dual>x).level >= tag:
            raise ValueError(f"a Dual of tag {tag} cannot hold one of tag {(<Dual>x).level}; parts "
                             "of a Dual have smaller tags than itself")
        return x
    if is_plain_scalar(x):
        return float(x)
    array = np.asarray(x)
    if array.dtype != np.float64:
        if array.dtype.kind not in "biuf":
            raise NotDifferentiableError(
                f"an array of dtype {array.dtype} cannot take part in differentiation; "
                "convert it to float64 first")
        array = array.astype(np.float64)
    return array if array.ndim else float(array)


cdef object value_of(Dual d):
    return d.of if d.boxed else d.x


cdef tuple tangents_of(Dual d):
    cdef int j
    return d.dots if d.boxed else tuple([d.dot[j] for j in range(d.k)])


cdef object numbers_of(object x):
    """The numbers below all duals, a float or an array; anything else as it is."""
    while type(x) is Dual:
        x = value_of(<Dual>x)
    return (<Tensor>x).value() if type(x) is Tensor else x


cdef inline Dual new_flat(int64_t tag, int k):
    """A flat Dual whose numbers are yet to be filled in."""
    cdef Dual d = Dual.__new__(Dual)
    d.level = tag
    d.k = k
    if k > DUAL_INLINE:
        room_for(d, k)
    return d


cdef int room_for(Dual d, int k) except -1:
    cdef double *more = <double *>PyMem_Malloc(k * sizeof(double))
    if more == NULL:
        raise MemoryError(f"no memory for {k} tangents")
    d.dot = more
    return 0


cdef int set_parts(Dual d, int64_t tag, object value, list tangents) except -1:
    """Fill in a fresh Dual: flat if all parts are numbers."""
    cdef int j, k = len(tangents)
    cdef bint flat = PyFloat_CheckExact(value)
    for j in range(k):
        t = tangents[j]
        if t is None:
            continue
        if not PyFloat_CheckExact(t):
            flat = False
        elif PyFloat_AS_DOUBLE(t) == 0:
            tangents[j] = None
    d.level = tag
    d.k = k
    if not flat:
        d.boxed = True
        d.of = value
        d.dots = tuple(tangents)
        return 0
    if k > DUAL_INLINE:
        room_for(d, k)
    d.x = value
    for j in range(k):
        t = tangents[j]
        d.dot[j] = 0 if t is None else PyFloat_AS_DOUBLE(t)
    return 0


cdef Dual dual_of(int64_t tag, object value, list tangents):
    """A Dual of parts that are known to fit."""
    cdef Dual d = Dual.__new__(Dual)
    set_parts(d, tag, value, tangents)
    return d


cdef object mapped(Dual d, function, of_radicand=None):
    """A linear function of a Dual, from that of its parts."""
    cdef Dual out
    if not d.boxed:
        value, tangents = d.x, tangents_of(d)
    else:
        value, tangents = d.of, d.dots
    out = dual_of(d.level, component(function(value), d.level),
                  [None if t is None else component(function(t), d.level) for t in tangents])
    if d.radicand is not None and of_radicand is not None:
        out.radicand = of_radicand(d.radicand)
    return out


def map_dual(Dual d, function):
    """`function`, which must be linear, of the value and of each tangent that is not zero."""
    return mapped(d, function)


cdef object taken(object part, object key):
    """part[key], a float if it is a single number."""
    if PyFloat_CheckExact(part):
        part = np.asarray(part)
    out = part[key]
    return float(out) if isinstance(out, np.float64) else _value(out) \
        if isinstance(out, cnp.ndarray) and (<cnp.ndarray>out).ndim == 0 else out


# ---- ops ----


cdef inline object dual_binary(ad_op op, object left, object right):
    """left op right; flat duals and numbers without detours."""
    cdef double x[3]
    cdef const double *dots[2]
    cdef Dual y
    cdef PyObject *top       # the Dual that says tag and number of tangents
    dots[0] = NULL
    dots[1] = NULL
    x[2] = 0
    if type(left) is Dual:
        top = <PyObject *>left
        if (<Dual>left).boxed:
            return dual_op(op, 0, (left, right))
        x[0] = (<Dual>left).x
        dots[0] = (<Dual>left).dot
    else:
        top = <PyObject *>right
        if PyFloat_CheckExact(left):
            x[0] = PyFloat_AS_DOUBLE(left)
        elif PyLong_CheckExact(left):
            x[0] = PyLong_AsDouble(left)
        else:
            return dual_op(op, 0, (left, right))
    if type(right) is Dual:
        if (<Dual>right).boxed or (<Dual>right).level != (<Dual>top).level \
                or (<Dual>right).k != (<Dual>top).k:
            return dual_op(op, 0, (left, right))
        x[1] = (<Dual>right).x
        dots[1] = (<Dual>right).dot
    elif PyFloat_CheckExact(right):
        x[1] = PyFloat_AS_DOUBLE(right)
    elif PyLong_CheckExact(right):
        x[1] = PyLong_AsDouble(right)
    else:
        return dual_op(op, 0, (left, right))
    y = new_flat((<Dual>top).level, (<Dual>top).k)
    y.x = ad_dual_op(op, 0, x, y.k, dots, y.dot)
    return y


cdef inline object dual_unary(ad_op op, Dual a):
    cdef double x[3]
    cdef const double *dots[1]
    cdef Dual y
    if a.boxed or op == AD_OP_root or a.radicand is not None:
        return dual_op(op, 0, (a,))
    x[0] = a.x
    x[1] = 0
    x[2] = 0
    dots[0] = a.dot
    y = new_flat(a.level, a.k)
    y.x = ad_dual_op(op, 0, x, y.k, dots, y.dot)
    return y


cdef object dual_power(object base, object exponent):
    """base ** exponent: an integer, or an integral constant, gives falling factorials."""
    cdef double p
    if type(base) is Dual and isinstance(exponent, (int, float, np.number)) \
            and not PyBool_Check(exponent):
        p = float(exponent)
        if p == floor(p) and -2.0 ** 53 < p < 2.0 ** 53:
            if p == 1:
                return (<Dual>base).clone()
            if p == 2:
                return dual_unary(AD_OP_square, <Dual>base)
            if p == -1:
                return dual_unary(AD_OP_reciprocal, <Dual>base)
            return dual_op(AD_OP_powi, p, (base,))
    return dual_binary(AD_OP_pow, base, exponent)


cdef object dual_op(ad_op op, double p, tuple args):
    """An op on operands at least one of which is a Dual; NotImplemented for foreign types."""
    cdef int i, n = ad_ops[op].n_args, k = 0
    cdef int64_t tag = 0
    cdef bint flat = True
    cdef Dual d, y
    cdef double x[3]
    cdef const double *dots[3]
    memset(x, 0, sizeof(x))
    memset(dots, 0, sizeof(dots))
    for i in range(n):
        a = args[i]
        if type(a) is Dual:
            d = <Dual>a
            if d.level > tag:
                flat = flat and tag == 0
                tag = d.level
                k = d.k
            elif d.level < tag:
                flat = False
            elif d.k != k:
                raise ValueError(f"{ad_ops[op].name.decode()}: dual numbers of the same tag with "
                                 f"{k} and with {d.k} tangents; one tag has one number of tangents")
            flat = flat and not d.boxed
        elif is_plain_scalar(a):
            pass
        elif type(a) is Tensor or isinstance(a, (list, tuple)) or \
                (isinstance(a, cnp.ndarray) and (<cnp.ndarray>a).dtype.kind in "biuf"):
            flat = False
        else:
            return NotImplemented
    if op == AD_OP_square and (<Dual>args[0]).radicand is not None:
        # The square of a norm is the sum of squares it came from, exact at zero too.
        return (<Dual>args[0]).radicand
    if not flat:
        y = boxed_op(op, p, args, tag, k)
    else:
        for i in range(n):
            a = args[i]
            if type(a) is Dual:
                x[i] = (<Dual>a).x
                dots[i] = (<Dual>a).dot
            else:
                x[i] = a
        y = new_flat(tag, k)
        y.x = ad_dual_op(op, p, x, k, dots, y.dot)
    if op == AD_OP_root:
        y.radicand = args[0]
    return y


cdef Dual boxed_op(ad_op op, double p, tuple args, int64_t tag, int k):
    """An op at the level of a tag: the value from the values, tangents by the words of the row."""
    cdef int i, j, n = ad_ops[op].n_args
    cdef list values = [], moves = [], dots = [None] * k
    for i in range(n):
        a = args[i]
        if type(a) is Dual and (<Dual>a).level == tag:
            values.append(value_of(<Dual>a))
            moves.append(tangents_of(<Dual>a))
        else:
            values.append(a if type(a) is Dual else component(a, tag))
            moves.append(None)
    operands = tuple(values)
    value = component(call_op(op, p, operands), tag)
    for i in range(n):
        if moves[i] is None or ad_ops[op].partial[i][0].op == AD_W_CONST \
                and ad_ops[op].partial[i][0].c == 0:
            continue
        partial = None
        for j in range(k):
            t = moves[i][j]
            if t is None or PyFloat_CheckExact(t) and PyFloat_AS_DOUBLE(t) == 0:
                continue
            if partial is None:
                partial = run_words(ad_ops[op].partial[i], p, operands, value)
            part = share(op, partial, t)
            if part is not None:
                dots[j] = part if dots[j] is None else call_op(AD_OP_add, 0, (dots[j], part))
    shape = shape_of(value)
    if shape != ():
        for j in range(k):
            if dots[j] is not None and shape_of(dots[j]) != shape:
                stretched = broadcast_to(dots[j], shape)
                dots[j] = np.array(stretched) if isinstance(stretched, cnp.ndarray) else stretched
    return dual_of(tag, value, dots)


cdef object share(ad_op op, object partial, object tangent):
    """Partial times tangent: what an argument contributes, None for nothing."""
    cdef double c
    if PyFloat_CheckExact(partial):
        c = PyFloat_AS_DOUBLE(partial)
        if c == 0 and ad_ops[op].curvature == AD_SELECT:
            return None
        if c == 1:
            return tangent
        if c == -1:
            return call_op(AD_OP_neg, 0, (tangent,))
    if ad_ops[op].curvature == AD_SELECT:
        return call_op(AD_OP_gate, 0, (partial, tangent))
    return call_op(AD_OP_mul0, 0, (tangent, partial))


cdef object run_words(const ad_word *word, double p, tuple operands, object y):
    """A derivative column run on objects: numbers, arrays, tensors and duals alike."""
    cdef list stack = []
    cdef int n
    while word.op != AD_W_END:
        if word.op >= 0:
            n = ad_ops[word.op].n_args
            args = tuple(stack[len(stack) - n:])
            del stack[len(stack) - n:]
            first = args[0]
            if word.op == AD_OP_mul0 and PyFloat_CheckExact(first) and PyFloat_AS_DOUBLE(first) == 0:
                stack.append(0.0)
            else:
                stack.append(call_op(word.op, p + word.c if ad_ops[word.op].family else 0, args))
        elif word.op == AD_W_CONST:
            stack.append(word.c)
        elif word.op == AD_W_P:
            stack.append(p)
        elif word.op == AD_W_Y:
            stack.append(y)
        else:
            stack.append(operands[AD_W_X - word.op])
        word += 1
    return stack[0]

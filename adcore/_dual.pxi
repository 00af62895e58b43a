"""Dual numbers: a value with k tangents, the forward mode that needs no tape.

A Dual belongs to one call of a transform, told by its tag.  An op works at the largest tag among
its operands and takes everything else for constants; values and tangents of that level may be Duals
of smaller tags, and Tensors lie below all Duals.  So perturbations of different calls never mix.

Two forms: flat, where value and tangents are doubles; and boxed, where they are floats, float64
arrays, Tensors or older Duals.  C does numbers and arrays; on Tensors and Duals the words of a row
are run to get its partials.  A tangent None is zero.
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
    cdef bint own               # boxed: nobody else has the arrays, so they may be written to
    cdef double x               # flat: the value, and where the tangents are
    cdef double *dot
    cdef double inside[DUAL_INLINE]
    cdef object of              # boxed: the value, and a tuple of tangents
    cdef tuple dots
    cdef object radicand        # of a norm, the sum of squares that it is the root of
    cdef Whole *whole           # NULL if there is no part of it
    cdef Whole *part_of         # NULL if it is a part of nothing

    __array_priority__ = 2000.0

    def __cinit__(self):
        self.dot = self.inside

    def __init__(self, int64_t tag, value, tangents):
        cdef list parts = []
        cdef bint scalar
        if tag < 1:
            raise ValueError(f"a tag is a number that new_tag() gave, got {tag}")
        value = handle_of_its_own(component(value, tag))
        scalar = PyFloat_CheckExact(value)
        shape = shape_of(value)
        for t in tangents:
            if t is not None and not (scalar and PyFloat_CheckExact(t)):
                t = handle_of_its_own(component(t, tag))
                if shape_of(t) != shape:
                    raise ShapeError(f"a tangent of shape {shape_of(t)} does not fit a value of "
                                     f"shape {shape}")
            parts.append(t)
        set_parts(self, tag, value, parts)

    def __dealloc__(self):
        if self.dot != &self.inside[0]:
            PyMem_Free(self.dot)
        leave(self.whole, self.part_of)

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
        if ad_local.program != NULL and is_tracked(below_duals(self)):
            return below_duals(self).detach()
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
        raise_lost("float(), or an assignment into a NumPy array (make it by np.zeros_like(x), or "
                   "stack its elements),", self)

    def __int__(self):
        raise_lost("int()", self)

    def __index__(self):
        raise_lost("an index, range() or int()", self)

    def __complex__(self):
        raise_lost("complex()", self)

    def __array__(self, dtype=None, copy=None):
        raise_lost("np.array() or np.asarray() (adcore.numpy.array() takes duals, in lists "
                   "too), or a NumPy function that adcore does not know,", self)

    def __bool__(self):
        if self.size != 1:
            raise ShapeError(f"the truth of a dual number of shape {self.shape} is ambiguous; use "
                             "(x > 0).any() or (x > 0).all()")
        if ad_local.program != NULL:
            return bool(below_duals(self))
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
        return dual_binary(AD_OP_floor_divide, left, right)

    def __divmod__(left, right):
        return left // right, left % right

    def __pow__(left, right, modulus):
        return dual_power(left, right) if modulus is None else NotImplemented

    def __iadd__(self, other):
        return become(self, dual_binary(AD_OP_add, self, other))

    def __isub__(self, other):
        return become(self, dual_binary(AD_OP_sub, self, other))

    def __imul__(self, other):
        return become(self, dual_binary(AD_OP_mul, self, other))

    def __itruediv__(self, other):
        return become(self, dual_binary(AD_OP_div, self, other))

    def __ipow__(self, other):
        return become(self, dual_power(self, other))

    def __imod__(self, other):
        return become(self, dual_binary(AD_OP_remainder, self, other))

    def __imatmul__(self, other):
        return become(self, self @ other)

    def __neg__(self):
        return dual_unary(AD_OP_neg, self)

    def __pos__(self):
        return self.clone()

    def __abs__(self):
        return dual_unary(AD_OP_abs, self)

    def __round__(self, decimals=None):
        return METHODS["round"](self, decimals or 0)

    def __matmul__(left, right):
        return METHODS["matmul"](left, right)

    def __richcmp__(left, right, int how):
        if ad_local.program != NULL:
            a, b = below_duals(left), below_duals(right)
            if is_tracked(a) or is_tracked(b):
                return compare(a, b, how)
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
        cdef Dual out
        if self.boxed and PyLong_CheckExact(key):
            out = element(self, key)
            if out is not None:
                return out
        if ad_local.program != NULL and has_index(key):
            return METHODS["_gather"](self, key)
        key = plain_key(key)
        found = mapped(self, lambda part: taken(part, key), lambda x: x[key])
        return as_part(self, found) if is_basic(key) else found

    def __setitem__(self, key, value):
        expect_real(value)
        assign(self, plain_key(key), value)

    def __contains__(self, x):
        if ad_local.program != NULL:
            return x in below_duals(self)
        return bool(np.any(np.asarray(numbers_of(self)) == x))

    # -- NumPy --

    def __array_ufunc__(self, ufunc, str method, *inputs, **kwargs):
        cdef object code = _code_of_ufunc.get(ufunc)
        if code is None:
            code = find_ufunc(ufunc)
        if method == "__call__" and not kwargs and code >= 0:
            if code == AD_OP_pow:
                return dual_power(inputs[0], inputs[1])
            return dual_binary(code, inputs[0], inputs[1]) if len(inputs) == 2 \
                else dual_op(code, 0, inputs)
        if method == "__call__" and not kwargs:
            rule = UFUNC_RULES.get(ufunc)
            if rule is not None and not is_complex(inputs):
                return rule(*inputs)
        return METHODS["__array_ufunc__"](ufunc, method, inputs, kwargs)

    def __array_function__(self, function, types, args, kwargs):
        if is_complex(args) or (kwargs and is_complex(tuple(kwargs.values()))):
            return METHODS["_complex_function"](function, args, kwargs)
        rule = ARRAY_FUNCTIONS.get(function)
        if rule is None:
            rule = METHODS["_late_rule"](function)
        return rule(*args, **METHODS["_respelled"](function, kwargs)) if kwargs else rule(*args)

    # -- the parts of a complex number --

    @property
    def real(self):
        """The dual number itself: it is real."""
        return self

    @property
    def imag(self):
        """Zeros."""
        return np.zeros(self.shape) if self.ndim else 0.0

    # -- shapes --

    @property
    def T(self):
        """The array with its dimensions reversed."""
        return transpose(self, tuple(range(self.ndim))[::-1])

    def reshape(self, *shape, order="C"):
        """The same elements in another shape; one length may be -1."""
        if len(shape) == 1 and not isinstance(shape[0], (int, np.integer)):
            shape = tuple(shape[0])
        return reshape(self, shape) if order == "C" \
            else ARRAY_FUNCTIONS[np.reshape](self, shape, order)

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
    out = plain_operand(x)
    if out is None:
        raise TypeError(f"a Dual holds numbers, arrays, tensors and older Duals, got a "
                        f"{type(x).__name__}")
    return out


cdef object handle_of_its_own(object x):
    """An array that x += 1 under its old name will not change; plain ones are for the caller."""
    if type(x) is Tensor and (<Tensor>x).h.view != NULL:
        return (<Tensor>x).alias()
    if type(x) is Dual and (<Dual>x).boxed:
        return (<Dual>x).clone()
    return x


cdef object value_of(Dual d):
    d.own = False
    return d.of if d.boxed else d.x


cdef tuple tangents_of(Dual d):
    cdef int j
    d.own = False
    return d.dots if d.boxed else tuple([d.dot[j] for j in range(d.k)])


cdef object become(Dual d, object out):
    """What `d += other` leaves in d, `out` being d + other: arrays change, numbers do not."""
    cdef Dual y
    if not d.boxed or d.ndim == 0:
        return out
    refuse_complex(out)
    refuse_named_part(d.part_of, <PyObject *>d)
    if type(out) is not Dual:
        return out
    y = <Dual>out
    if y.shape != d.shape:
        raise ShapeError(f"a dual number of shape {d.shape} cannot become one of shape {y.shape} "
                         "in place; write y = x + ... instead")
    d.level, d.k, d.own = y.level, y.k, False
    d.of, d.dots, d.radicand = value_of(y), tangents_of(y), y.radicand
    return d


cdef object below_duals(object x):
    """What is below all duals: a float, an array or a tensor; anything else as it is."""
    while type(x) is Dual:
        x = value_of(<Dual>x)
    return x


cdef object numbers_of(object x):
    """The numbers below all duals, a float or an array; anything else as it is."""
    x = below_duals(x)
    return (<Tensor>x).value() if type(x) is Tensor else x


# Flat Duals come and go once per op.  Dead ones wait here, as dead Tensors do.
cdef PyObject *spare_dual[SPARE]
cdef int n_spare_duals = 0
cdef void (*dealloc_dual_by_cython)(PyObject *) noexcept


cdef extern from *:
    """
    struct __pyx_obj_6adcore_5_core_Dual;
    """
    ctypedef struct Dual_fields "struct __pyx_obj_6adcore_5_core_Dual":
        bint boxed
        double *dot
        double inside[8]
        PyObject *radicand


cdef void dealloc_dual(PyObject *o) noexcept:
    """The type's tp_dealloc: keeps the object if it is as good as new."""
    global n_spare_duals
    cdef Dual_fields *d = <Dual_fields *>o
    if n_spare_duals < SPARE and not d.boxed and d.dot == &d.inside[0] \
            and d.radicand == <PyObject *>None:
        spare_dual[n_spare_duals] = o
        n_spare_duals += 1
    else:
        dealloc_dual_by_cython(o)


dealloc_dual_by_cython = (<PyTypeObject *><PyObject *>Dual).tp_dealloc
(<PyTypeObject *><PyObject *>Dual).tp_dealloc = dealloc_dual


cdef inline Dual new_flat(int64_t tag, int k):
    """A flat Dual whose numbers are yet to be filled in."""
    global n_spare_duals
    cdef PyObject *o
    cdef Dual d
    if n_spare_duals > 0:
        n_spare_duals -= 1
        o = spare_dual[n_spare_duals]
        AD_REVIVE(o)
        d = <Dual>o
        Py_DECREF(d)     # the cast took a reference of its own
    else:
        d = Dual.__new__(Dual)
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


def norm_dual(Dual norm, radicand):
    """Let a Dual that is a norm know the sum of squares that it is the root of; returns it."""
    norm.radicand = radicand
    return norm


cdef object mapped(Dual d, function, of_radicand=None):
    """A linear function of a Dual, from that of its parts."""
    cdef Dual out
    out = dual_of(d.level, component(function(value_of(d)), d.level),
                  [None if t is None else component(function(t), d.level) for t in tangents_of(d)])
    if d.radicand is not None and of_radicand is not None:
        out.radicand = of_radicand(d.radicand)
    return out


def map_dual(Dual d, function):
    """`function`, which must be linear, of the value and of each tangent that is not zero."""
    return mapped(d, function)


# ---- elements ----


cdef object taken(object part, object key):
    """part[key], a float if it is a single number."""
    if PyFloat_CheckExact(part):
        part = np.asarray(part)
    out = part[key]
    if type(out) is Tensor or type(out) is Dual:
        return out
    return float(out) if np.ndim(out) == 0 else out


cdef Dual element(Dual d, Py_ssize_t i):
    """One element of a vector of plain numbers; None if it is anything else, or out of bounds."""
    cdef Dual out
    cdef Py_ssize_t at
    cdef int j
    if d.radicand is not None or not is_vector(d.of):
        return None
    at = i + cnp.PyArray_DIM(<cnp.ndarray>d.of, 0) if i < 0 else i
    if not 0 <= at < cnp.PyArray_DIM(<cnp.ndarray>d.of, 0):
        return None
    for t in d.dots:
        if t is not None and not is_vector(t):
            return None
    out = new_flat(d.level, d.k)
    out.x = (<double *>cnp.PyArray_GETPTR1(<cnp.ndarray>d.of, at))[0]
    for j in range(d.k):
        t = d.dots[j]
        out.dot[j] = 0 if t is None else (<double *>cnp.PyArray_GETPTR1(<cnp.ndarray>t, at))[0]
    return out


cdef inline bint is_vector(object x):
    return isinstance(x, cnp.ndarray) and cnp.PyArray_NDIM(<cnp.ndarray>x) == 1 \
        and cnp.PyArray_ISBEHAVED_RO(<cnp.ndarray>x)


cdef int assign(Dual d, object key, object value) except -1:
    """Put a value into the elements that key picks.

    Arrays that others may have are copied, so that slices and copies do not see assignments.
    """
    cdef Dual v = None
    cdef int j
    shape = d.shape
    if shape == ():
        raise IndexError("a scalar dual number has no elements to assign to; bind the name anew")
    refuse_part(d.part_of, d)
    if isinstance(value, (list, tuple)):
        value = METHODS["stack_nested"](value)
    if type(value) is Dual:
        v = <Dual>value
        if v.level > d.level:       # the old d is a constant at the level of the value
            d.of, d.dots = d.clone(), (None,) * v.k
            d.level, d.k, d.own = v.level, v.k, False
        elif v.level < d.level:
            v = None
    if v is not None and v.k != d.k:
        raise ValueError(f"cannot assign a dual number with {v.k} tangents into one with {d.k} of "
                         "the same tag")
    moves = (None,) * d.k if v is None else tangents_of(v)
    of = replaced(d.of, shape, key, component(value, d.level) if v is None else value_of(v), d.own)
    dots = [replaced(d.dots[j], shape, key, moves[j], d.own) for j in range(d.k)]
    d.of, d.dots, d.own, d.radicand = of, tuple(dots), True, None
    return 0


cdef object replaced(object part, tuple shape, object key, object value, bint own):
    """A part with other elements at `key`; None is zero."""
    if value is None:
        if part is None:
            return None
        value = 0.0
    if part is None:
        part, own = np.zeros(shape), True
    if type(value) is Dual and type(part) is not Dual:
        part = dual_of((<Dual>value).level, part, [None] * (<Dual>value).k)
    elif type(value) is Tensor and type(part) is not Tensor and type(part) is not Dual:
        part = constant_tensor(part.copy())
    elif type(part) is not cnp.ndarray:
        part = part.clone()
    elif not own:
        part = part.copy()
    try:
        part[key] = value
    except ValueError:
        raise ShapeError(f"cannot assign a value of shape {shape_of(value)} to elements of shape "
                         f"{np.empty(shape)[key].shape}") from None
    return part


# ---- ops ----


cdef inline object dual_binary(ad_op op, object left, object right):
    """left op right; flat duals and numbers without detours."""
    cdef double x[3]
    cdef const double *dots[2]
    cdef Dual y
    cdef PyObject *top       # the Dual that says tag and number of tangents
    if op == AD_OP_mul and left is right and (<Dual>left).radicand is not None:
        return (<Dual>left).radicand
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
    if op == AD_OP_square and a.radicand is not None:
        return dual_op(op, 0, (a,))
    return of_one(op, 0, a)


cdef inline object of_one(ad_op op, double p, Dual a):
    """An op of one argument."""
    cdef double x[3]
    cdef const double *dots[1]
    cdef Dual y
    if a.boxed or a.radicand is not None:
        return dual_op(op, p, (a,))
    x[0] = a.x
    x[1] = 0
    x[2] = 0
    dots[0] = a.dot
    y = new_flat(a.level, a.k)
    y.x = ad_dual_op(op, p, x, y.k, dots, y.dot)
    return y


cdef object dual_power(object base, object exponent):
    """base ** exponent: an integer, or an integral constant, gives falling factorials."""
    cdef double p
    if type(base) is Dual and (PyLong_CheckExact(exponent) or (
            is_plain_scalar(exponent) and not PyBool_Check(exponent))):
        p = PyLong_AsDouble(exponent) if PyLong_CheckExact(exponent) else exponent
        if p == floor(p) and -2.0 ** 53 < p < 2.0 ** 53:
            if p == 1:
                return (<Dual>base).clone()
            if p == 2:
                return dual_unary(AD_OP_square, <Dual>base)
            if p == -1:
                return dual_unary(AD_OP_reciprocal, <Dual>base)
            if p > 2 and p % 2 == 0 and (<Dual>base).radicand is not None:
                return (<Dual>base).radicand ** (p / 2)     # no kink, as of the square
            return of_one(AD_OP_powi, p, <Dual>base)
    return dual_binary(AD_OP_pow, base, exponent)


cdef object dual_op(ad_op op, double p, tuple args):
    """An op on operands at least one of which is a Dual; NotImplemented for foreign types."""
    cdef int i, n = ad_ops[op].n_args, k = 0
    cdef int64_t tag = 0
    cdef bint flat = True, plain = True     # only numbers; only numbers and arrays
    cdef Dual d, y = None
    cdef double x[3]
    cdef const double *dots[3]
    memset(x, 0, sizeof(x))
    memset(dots, 0, sizeof(dots))
    for i in range(n):
        a = args[i]
        if type(a) is Dual:
            d = <Dual>a
            if d.level != tag and tag != 0:
                plain = False
            elif d.k != k and tag != 0:
                raise ValueError(f"{ad_ops[op].name.decode()}: dual numbers of the same tag with "
                                 f"{k} and with {d.k} tangents; one tag has one number of tangents")
            if d.level > tag:
                tag = d.level
                k = d.k
            flat = flat and not d.boxed
        elif is_plain_scalar(a):
            pass
        elif type(a) is Tensor:
            flat = False
            plain = plain and (<Tensor>a).h.tape == NULL
        elif isinstance(a, cnp.ndarray) and cnp.PyArray_TYPE(<cnp.ndarray>a) != cnp.NPY_OBJECT \
                and not cnp.PyArray_ISCOMPLEX(<cnp.ndarray>a):
            flat = False
        elif isinstance(a, (list, tuple)) and not is_complex(a):
            flat = False
        else:
            return op_on_others(op, p, args)
    if op == AD_OP_square and (<Dual>args[0]).radicand is not None:
        # The square of a norm is the sum of squares it came from, exact at zero too.
        return (<Dual>args[0]).radicand
    if flat and plain:
        for i in range(n):
            a = args[i]
            if type(a) is Dual:
                x[i] = (<Dual>a).x
                dots[i] = (<Dual>a).dot
            else:
                x[i] = a
        y = new_flat(tag, k)
        y.x = ad_dual_op(op, p, x, k, dots, y.dot)
    else:
        if plain:
            y = of_arrays(op, p, args, tag, k)
        if y is None:
            y = of_objects(op, p, args, tag, k)
    return y


cdef Dual of_arrays(ad_op op, double p, tuple args, int64_t tag, int k):
    """An op on arrays and numbers, all in one pass; None if a part is a Tensor or an older Dual."""
    cdef int i, j, n_args = ad_ops[op].n_args
    cdef list values = [], moves = [], keep = [], dots = []
    cdef ad_vec a[3]
    cdef ad_vec *xdot
    cdef double **ydot
    cdef double *scratch
    cdef double *y
    cdef void *room
    cdef size_t size
    for i in range(n_args):
        arg = args[i]
        if type(arg) is Dual:
            value, tangents = value_of(<Dual>arg), tangents_of(<Dual>arg)
        else:
            value, tangents = plain_operand(arg), None
        if type(value) is Tensor or type(value) is Dual:
            return None
        for t in () if tangents is None else tangents:
            if type(t) is Tensor or type(t) is Dual:
                return None
        values.append(value)
        moves.append(tangents)
    shape = common_shape(op, values)
    out = new_array(shape)
    size = cnp.PyArray_SIZE(out)
    room = PyMem_Malloc(n_args * k * sizeof(ad_vec) + k * sizeof(double *)
                        + AD_DUAL_SCRATCH(size) * sizeof(double))
    if room == NULL:
        raise MemoryError("no memory for the tangents of an array")
    try:
        scratch = <double *>room
        xdot = <ad_vec *>(scratch + AD_DUAL_SCRATCH(size))
        ydot = <double **>(xdot + n_args * k)
        dots = [None] * k
        for i in range(n_args):
            keep.append(spread(values[i], shape, &a[i]))
            for j in range(k):
                t = None if moves[i] is None else moves[i][j]
                keep.append(spread(0.0 if t is None else t, shape, &xdot[i * k + j]))
                if dots[j] is None and (xdot[i * k + j].v != NULL or xdot[i * k + j].c != 0):
                    dots[j] = new_array(shape)
        for j in range(k):
            ydot[j] = NULL if dots[j] is None else <double *>cnp.PyArray_DATA(<cnp.ndarray>dots[j])
        y = <double *>cnp.PyArray_DATA(<cnp.ndarray>out)
        with nogil:
            ad_dual_vector(op, p, size, a, k, xdot, y, ydot, scratch)
    finally:
        PyMem_Free(room)
    return dual_of(tag, out, dots)


cdef Dual of_objects(ad_op op, double p, tuple args, int64_t tag, int k):
    """An op at the level of a tag: the value from the values, tangents by the words of the row."""
    cdef int i, j, n = ad_ops[op].n_args
    cdef list values = [], moves = [], dots = [None] * k
    cdef const ad_word *words
    for i in range(n):
        a = args[i]
        if type(a) is Dual and (<Dual>a).level == tag:
            values.append(value_of(<Dual>a))
            moves.append(tangents_of(<Dual>a))
        else:
            values.append(component(a, tag))
            moves.append(None)
    value = component(of_parts(op, p, values), tag)
    for i in range(n):
        words = ad_ops[op].partial[i]
        if moves[i] is None or (words[0].op == AD_W_CONST and words[0].c == 0):
            continue
        partial = None
        for j in range(k):
            t = moves[i][j]
            if t is None:
                continue
            if partial is None:
                partial = run_words(words, p, values, value)
            part = share(op, i, partial, t)
            if part is not None:
                dots[j] = part if dots[j] is None else of_two(AD_OP_add, dots[j], part)
    shape = shape_of(value)
    if shape != ():
        for j in range(k):
            if dots[j] is not None and shape_of(dots[j]) != shape:
                stretched = broadcast_to(dots[j], shape)
                dots[j] = np.array(stretched) if isinstance(stretched, cnp.ndarray) else stretched
    if op == AD_OP_hypot and type(value) is Tensor and not is_compiling():
        for j in range(k):
            dots[j] = unsure(dots[j], [None if m is None else m[j] for m in moves], value)
    return dual_of(tag, value, dots)


def unsure(tangent, list moving, norm):
    """The tangent of a norm that is a tensor: nan where it is 0 and one of its operands moves.

    What is differentiated from here on is a second derivative, which nothing can tell there: the
    tangent, and the adjoint that it meets, are both 0 by convention.
    """
    if tangent is None:
        return None
    zero = np.equal(numbers_of(norm), 0)
    if not np.any(zero):
        return tangent
    moves = False
    for t in moving:
        if t is not None:
            moves = np.logical_or(moves, np.not_equal(numbers_of(t), 0))
    if not np.any(zero & moves):
        return tangent
    return of_two(AD_OP_add, tangent, _value(np.where(zero & moves, np.nan, 0.0)))


cdef object share(ad_op op, int i, object partial, object tangent):
    """What argument i contributes: partial times tangent, None for nothing; see ad_dual.h."""
    cdef double c
    if PyFloat_CheckExact(partial):
        c = PyFloat_AS_DOUBLE(partial)
        if c == 0 and ad_op_cuts(op):
            return None
        if c == 1:
            return tangent
        if c == -1:
            return of_parts(AD_OP_neg, 0, [tangent])
    if ad_ops[op].curvature == AD_SELECT:
        return of_two(AD_OP_gate, partial, tangent)
    if op == AD_OP_mul0 and i == 1 or op == AD_OP_mul00:
        return of_two(AD_OP_mul00, tangent, partial)
    if ad_ops[op].curvature == AD_POLE:
        return of_two(AD_OP_flow, tangent, partial)
    return of_two(AD_OP_mul if is_finite(partial) else AD_OP_mul0, tangent, partial)


cdef bint is_finite(object x):
    """Are the numbers below all duals finite?  Not asked of tensors, which may be run again."""
    while type(x) is Dual:
        x = value_of(<Dual>x)
    if PyFloat_CheckExact(x):
        return isfinite(PyFloat_AS_DOUBLE(x))
    return type(x) is not Tensor and bool(np.isfinite(x).all())


cdef object of_parts(ad_op op, double p, list parts):
    """An op on parts of Duals: numbers, arrays, tensors and older Duals."""
    cdef int n = ad_ops[op].n_args
    if n == 2:
        return of_two(op, parts[0], parts[1])
    if n == 1 and type(parts[0]) is Dual:
        return dual_op(op, p, (parts[0],)) if op == AD_OP_square \
            else of_one(op, p, <Dual>parts[0])
    return call_op(op, p, tuple(parts))


cdef object of_two(ad_op op, object a, object b):
    if type(a) is Dual or type(b) is Dual:
        return dual_binary(op, a, b)
    if type(a) is Tensor or type(b) is Tensor:
        return binary(op, a, b)
    return plain_op(op, 0, (a, b))


cdef object run_words(const ad_word *word, double p, list operands, object y):
    """A derivative column run on objects: numbers, arrays, tensors and duals alike."""
    cdef list stack = []
    cdef int n
    while word.op != AD_W_END:
        if word.op >= 0:
            n = ad_ops[word.op].n_args
            parts = stack[len(stack) - n:]
            del stack[len(stack) - n:]
            first = parts[0]
            if word.op == AD_OP_mul0 and PyFloat_CheckExact(first) \
                    and PyFloat_AS_DOUBLE(first) == 0:
                stack.append(first)
            else:
                stack.append(of_parts(word.op, p + word.c if ad_ops[word.op].family else 0, parts))
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

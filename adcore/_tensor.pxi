"""Tensor: its attributes, methods and operators, and how one is made of data."""


cdef class Meta:
    """What few tensors have: a place for a gradient, hooks."""

    cdef public bint leaf
    cdef public bint retain
    cdef public object grad
    cdef public list hooks
    cdef Tensor owner  # whose values these are: changing them in place changes it


@cython.final
@cython.no_gc
cdef class Tensor:
    """An array, or a number, whose derivatives can be asked for.

    Made by :func:`adcore.tensor` and by the transforms.  It behaves as a float64 NumPy array:
    operators, broadcasting, indexing and assignment, NumPy's functions.  Slices are values, not
    aliases: a slice does not see later assignments, and while what it was taken from is in use it
    cannot be assigned to.

    Examples
    --------
    >>> import adcore
    >>> x = adcore.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    cdef ad_handle h
    cdef object constant
    cdef Meta meta
    cdef Whole *whole       # NULL if there is no part of it
    cdef Whole *part_of     # NULL if it is a part of nothing

    __array_priority__ = 1000.0

    def __dealloc__(self):
        if self.h.tape != NULL:
            ad_handle_drop(&self.h)
        leave(self.whole, self.part_of)

    cdef Tensor alias(self):
        """Another handle on the same slots."""
        cdef ad_view view
        if self.h.tape == NULL:
            return constant_tensor(self.constant)
        tensor_view(self, &view)
        return new_result(self.h.tape, &view, True)

    # -- what it is --

    @property
    def shape(self):
        """The lengths of the dimensions, a tuple."""
        cdef int d
        if self.h.tape == NULL:
            return np.shape(self.constant)
        if self.h.view == NULL:
            return ()
        return tuple([self.h.view.shape[d] for d in range(self.h.view.ndim)])

    @property
    def ndim(self):
        """How many dimensions there are."""
        if self.h.tape == NULL:
            return np.ndim(self.constant)
        return 0 if self.h.view == NULL else self.h.view.ndim

    def dim(self):
        """How many dimensions there are, as torch spells it."""
        return self.ndim

    @property
    def size(self):
        """How many elements there are; called, as torch does, the shape, or one length of it."""
        size = Size(self.numel())
        size.shape = self.shape
        return size

    def numel(self):
        """How many elements there are, as torch spells it."""
        if self.h.tape == NULL:
            return np.size(self.constant)
        return 1 if self.h.view == NULL else ad_view_size(self.h.view)

    @property
    def dtype(self):
        """float64, always."""
        return np.dtype(np.float64)

    @property
    def requires_grad(self):
        """Is the tensor on the tape?"""
        return self.h.tape != NULL

    @property
    def is_leaf(self):
        """Was the tensor made by the user rather than computed from tracked ones?"""
        return self.h.tape == NULL or (self.meta is not None and self.meta.leaf)

    @property
    def grad(self):
        """The gradient that backward() accumulated here, or None."""
        return None if self.meta is None else self.meta.grad

    @grad.setter
    def grad(self, value):
        if value is None and self.meta is None:
            return
        if value is not None and shape_of(value) != self.shape:
            raise ShapeError(f"grad must have the tensor's shape {self.shape}, "
                             f"got {shape_of(value)}")
        get_meta(self).grad = value

    def requires_grad_(self, bint requires_grad=True):
        """Put a constant tensor on the tape as a leaf, in place; returns itself."""
        if requires_grad and self.h.tape == NULL:
            make_leaf(self, self.constant)
        elif not requires_grad and self.h.tape != NULL:
            raise TapeError("a tracked tensor stays tracked; use x.detach() for its value as a "
                            "constant")
        return self

    def retain_grad(self):
        """Let backward() leave a gradient in .grad although this is not a leaf."""
        if self.h.tape == NULL:
            raise TapeError("retain_grad needs a tracked tensor; this one is a constant")
        get_meta(self).retain = True

    def register_hook(self, hook):
        """Call `hook(grad)` when a derivative reaches this tensor; its result replaces it.

        It stays in force when the tensor is dropped but others computed from it are not.  Returns a
        handle with a method remove().
        """
        if self.h.tape == NULL:
            raise TapeError("register_hook needs a tracked tensor; this one is a constant")
        meta = get_meta(self)
        if meta.hooks is None:
            meta.hooks = []
            note_hooks(self)
        meta.hooks.append(hook)
        return HookHandle(meta.hooks, hook)

    # -- values out --

    def numpy(self):
        """A new array of the values of a constant tensor.

        Raises NotDifferentiableError for a tracked one: write ``x.detach().numpy()``.
        """
        if self.h.tape != NULL and not is_stopped(self):
            raise_lost("numpy()", self)
        return np.array(self.value())

    def item(self):
        """The value of a one-element tensor as a float, a constant from here on."""
        if self.numel() != 1:
            raise ShapeError(f"item() needs one element, the tensor has shape {self.shape}")
        value = self.value()
        return float(value if isinstance(value, float) else value.reshape(-1)[0])

    def tolist(self):
        """The values as nested lists of floats, constants from here on."""
        return np.asarray(self.value()).tolist()

    cdef object value(self):
        """The numbers, which Python may act upon."""
        if self.h.tape == NULL:
            return self.constant
        if ad_local.program != NULL:
            return guarded(self, AD_GUARD_VALUE)
        return self.peek()

    cdef object peek(self):
        """The numbers, for a purpose that a replay with others serves again."""
        if self.h.tape == NULL:
            return self.constant
        if self.h.view == NULL:
            return self.h.tape.value[self.h.slot]
        return view_values(self.h.tape, self.h.view)

    @property
    def data(self):
        """The values as a constant tensor; changing or assigning it changes this one in place."""
        cdef Tensor values = self.detach()
        get_meta(values).owner = self
        return values

    @data.setter
    def data(self, value):
        was = ad_local.off
        ad_local.off = 1
        try:
            stand_for(self, value)
        finally:
            ad_local.off = was

    def detach(self):
        """The values as a constant tensor: derivatives do not flow through it."""
        if ad_local.program != NULL and self.h.tape != NULL and self.h.tape == ad_local.tape:
            return apply_op(AD_OP_stop, 0, (self,))
        value = self.value()
        return constant_tensor(value if self.h.tape != NULL or isinstance(value, float)
                               else value.copy())

    def clone(self):
        """The same tensor under another handle, so that assignments to one spare the other."""
        if self.h.tape == NULL:
            return self.detach()
        return self.alias()

    copy = clone
    __copy__ = clone

    def __deepcopy__(self, memo):
        out = self.detach()
        return out.requires_grad_() if self.h.tape != NULL else out

    def __reduce__(self):
        return _unpickle, (np.asarray(self.value()), self.h.tape != NULL)

    def __float__(self):
        if self.h.tape != NULL and not is_stopped(self):
            raise_lost("float(), or an assignment into a NumPy array (make it by np.zeros_like(x), "
                       "or stack its elements),", self)
        return float(self.item())

    def __int__(self):
        if self.h.tape != NULL and not is_stopped(self):
            raise_lost("int()", self)
        return int(self.item())

    def __index__(self):
        if self.h.tape != NULL and is_stopped(self):    # a count of truths, for instance
            return index_of(self.item())
        raise_lost("an index, range() or int()", self)

    def __complex__(self):
        raise_lost("complex()", self)

    def __array__(self, dtype=None, copy=None):
        if self.h.tape != NULL and not is_stopped(self):
            raise_lost("np.array() or np.asarray() (adcore.numpy.array() takes tensors, in lists "
                       "too), or a NumPy function that adcore does not know,", self)
        return np.array(self.value(), dtype=dtype)

    def __bool__(self):
        if self.numel() != 1:
            raise ShapeError(f"the truth of a tensor of shape {self.shape} is ambiguous; use "
                             "(x > 0).any() or (x > 0).all()")
        if ad_local.program != NULL and self.h.tape != NULL:
            return bool(reshape(self, ()) != 0)
        return self.item() != 0

    def __repr__(self):
        text = np.array2string(np.asarray(self.value()), separator=", ", prefix="tensor(")
        return f"tensor({text}{', requires_grad=True' if self.h.tape != NULL else ''})"

    def __format__(self, spec):
        return format(self.item(), spec) if self.ndim == 0 and spec else repr(self)

    def __hash__(self):
        return <Py_ssize_t><void *>self >> 4

    # -- operators --

    def __add__(left, right):
        return binary(AD_OP_add, left, right)

    def __sub__(left, right):
        return binary(AD_OP_sub, left, right)

    def __mul__(left, right):
        return binary(AD_OP_mul, left, right)

    def __truediv__(left, right):
        return binary(AD_OP_div, left, right)

    def __mod__(left, right):
        return binary(AD_OP_remainder, left, right)

    def __floordiv__(left, right):
        return binary(AD_OP_floor_divide, left, right)

    def __divmod__(left, right):
        return left // right, left % right

    def __pow__(left, right, modulus):
        return power(left, right) if modulus is None else NotImplemented

    def __iadd__(self, other):
        return in_place(self, binary(AD_OP_add, self, other))

    def __isub__(self, other):
        return in_place(self, binary(AD_OP_sub, self, other))

    def __imul__(self, other):
        return in_place(self, binary(AD_OP_mul, self, other))

    def __itruediv__(self, other):
        return in_place(self, binary(AD_OP_div, self, other))

    def __ipow__(self, other):
        return in_place(self, power(self, other))

    def __imod__(self, other):
        return in_place(self, self % other)

    def __imatmul__(self, other):
        return in_place(self, self @ other)

    def __neg__(self):
        return unary(AD_OP_neg, self)

    def __pos__(self):
        return self.alias()

    def __abs__(self):
        return unary(AD_OP_abs, self)

    def __round__(self, decimals=None):
        return METHODS["round"](self, decimals or 0)

    def __matmul__(left, right):
        return METHODS["matmul"](left, right)

    def __richcmp__(left, right, int how):
        if type(right) is Dual:
            return NotImplemented
        if ad_local.program != NULL and (is_tracked(left) or is_tracked(right)):
            return compare(left, right, how)
        other = (<Tensor>right).value() if type(right) is Tensor else right
        out = PyObject_RichCompare((<Tensor>left).value(), other, how)
        return bool(out) if isinstance(out, np.bool_) else out

    # -- elements --

    def __len__(self):
        if self.ndim == 0:
            raise TypeError("len() of a scalar tensor")
        return self.shape[0]

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("iteration over a scalar tensor")
        if self.h.tape != NULL:
            return iter(unstack(self))
        return iter([self[i] for i in range(self.shape[0])])

    def __getitem__(self, key):
        cdef ad_handle *h = &self.h
        cdef Py_ssize_t i
        cdef int64_t at
        cdef int32_t slot
        if h.tape != NULL and h.view != NULL and h.view.ndim == 1 and PyLong_CheckExact(key):
            i = key
            if i < 0:
                i += h.view.shape[0]
            if 0 <= i < h.view.shape[0]:
                at = h.view.base + i * h.view.stride[0]
                if h.view.place == AD_SLOTS:
                    if h.tape != ad_local.tape:
                        raise_foreign(self)
                    if ad_local.off == 0:
                        return new_scalar(h.tape, h.instr, <int32_t>at)
                elif h.view.place == AD_LIST and h.tape == ad_local.tape and ad_local.off == 0:
                    slot = h.view.in_.list.slot[at]
                    if slot >= 0:
                        return new_scalar(h.tape, ad_tape_producer(h.tape, slot), slot)
        if ad_local.program != NULL and has_index(key):
            return METHODS["_gather"](self, key)
        return get_item(self, plain_key(key))

    def __setitem__(self, key, value):
        expect_real(value)
        set_item(self, plain_key(key), value)

    def __contains__(self, x):
        if ad_local.program != NULL and is_tracked(self):
            return bool((self == x).any()) if self.ndim else self == x
        return bool(np.any(np.asarray(self.value()) == x))

    # -- NumPy --

    def __array_ufunc__(self, ufunc, str method, *inputs, **kwargs):
        cdef object code = _code_of_ufunc.get(ufunc)
        if code is None:
            code = find_ufunc(ufunc)
        if method == "__call__" and not kwargs:
            for x in inputs:
                if type(x) is Dual:
                    return NotImplemented
            if code >= 0:   # a row
                if code == AD_OP_pow:
                    return power(inputs[0], inputs[1])
                if len(inputs) == 1 and type(inputs[0]) is Tensor:
                    return unary(code, <Tensor>inputs[0])
                if code == AD_OP_mul:
                    return binary(AD_OP_mul, inputs[0], inputs[1])
                return apply_op(code, 0, inputs)
            rule = UFUNC_RULES.get(ufunc)
            if rule is not None:
                found = call_of_ufunc(rule, inputs)
                if found is not None:
                    return found
                if not is_complex(inputs):
                    return rule(*inputs)
        return METHODS["__array_ufunc__"](ufunc, method, inputs, kwargs)

    def __array_function__(self, function, types, args, kwargs):
        for kind in types:
            if kind is Dual:
                return NotImplemented
        if is_complex(args) or (kwargs and is_complex(tuple(kwargs.values()))):
            return METHODS["_complex_function"](function, args, kwargs)
        rule = ARRAY_FUNCTIONS.get(function)
        if rule is None:
            rule = METHODS["_late_rule"](function)
        return rule(*args, **METHODS["_respelled"](function, kwargs)) if kwargs else rule(*args)

    # -- the parts of a complex number --

    @property
    def real(self):
        """The tensor itself: tensors are real."""
        return self

    @property
    def imag(self):
        """Zeros."""
        return np.zeros(self.shape) if self.ndim else 0.0

    # -- shapes: views --

    @property
    def T(self):
        """The tensor with its dimensions reversed."""
        return transpose(self, tuple(range(self.ndim))[::-1])

    def reshape(self, *shape, order="C"):
        """The same elements in another shape; one length may be -1."""
        if len(shape) == 1 and not isinstance(shape[0], (int, np.integer)):
            shape = tuple(shape[0])
        return reshape(self, shape) if order == "C" \
            else ARRAY_FUNCTIONS[np.reshape](self, shape, order)

    view = reshape

    def transpose(self, *axes):
        """The dimensions in another order, reversed if none is given; see Dual.transpose()."""
        return METHODS["transpose"](self, *axes)


dealloc_by_cython = (<PyTypeObject *><PyObject *>Tensor).tp_dealloc
(<PyTypeObject *><PyObject *>Tensor).tp_dealloc = dealloc_tensor
cdef Meta get_meta(Tensor t):
    if t.meta is None:
        t.meta = Meta.__new__(Meta)
    return t.meta


class Size(int):
    """The number of elements, x.size as NumPy has it; called, x.size() and x.size(dim) of torch."""

    def __call__(self, dim=None):
        return self.shape if dim is None else self.shape[dim]


class HookHandle:
    """What register_hook() returns."""

    def __init__(self, hooks, hook):
        self._hooks, self._hook = hooks, hook

    def remove(self):
        """Take the hook away."""
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)


def _unpickle(value, tracked):
    cdef Tensor t = constant_tensor(float(value) if value.ndim == 0 else value)
    return t.requires_grad_() if tracked else t


cdef int raise_lost(str what, object x) except -1:
    kind = "tracked tensor" if type(x) is Tensor else "dual number"
    raise NotDifferentiableError(
        f"{what} of a {kind} of shape {x.shape} would lose its derivative; use adcore's or "
        "NumPy's functions on it, or x.item() or x.detach() to take the value as a constant on "
        "purpose")


cdef object find_ufunc(ufunc):
    """The op code of a ufunc, -1 if there is none; remembered."""
    code = _code_of_ufunc_name.get(ufunc.__name__, -1)
    _code_of_ufunc[ufunc] = code
    return code


cdef int make_leaf(Tensor t, object value) except -1:
    """Turn a fresh or constant Tensor into an independent variable."""
    cdef ad_tape *tape = this_tape()
    cdef cnp.ndarray a = np.ascontiguousarray(value, dtype=np.float64)
    cdef ad_view view
    cdef int d
    cdef object shape = shape_of(value)
    if len(shape) > AD_MAX_DIMS:
        raise ShapeError(f"a tensor may have at most {AD_MAX_DIMS} dimensions, got {len(shape)}")
    check(ad_tape_room(tape, a.size))
    check(ad_record_input(tape, a.size, <const double *>cnp.PyArray_DATA(a)))
    view = ad_view_slots(tape.dst[tape.n - 1], 0, NULL)
    view.ndim = len(shape)
    for d in range(view.ndim):
        view.shape[d] = shape[d]
    ad_strides(view.ndim, view.shape, view.stride)
    if not ad_handle_view(&t.h, tape, &view):
        t.h.tape = NULL
        raise MemoryError("no memory for a tensor")
    t.constant = None
    get_meta(t).leaf = True
    if t.meta.hooks is not None:
        note_hooks(t)
    return 0


cdef int rebind(Tensor t, Tensor source) except -1:
    """Let a tensor stand for what another one stands for."""
    cdef ad_view view
    if t.h.tape != NULL:
        ad_handle_drop(&t.h)
        t.h.tape = NULL
    t.constant = None
    if source.h.tape == NULL:
        t.constant = source.constant
        return 0
    tensor_view(source, &view)
    if not ad_handle_view(&t.h, source.h.tape, &view):
        t.h.tape = NULL
        t.constant = source.value()
        raise MemoryError("no memory for a tensor")
    return 0


def replace(Tensor t, value):
    """stand_for(), unless the tensor is a part of another one that is in use."""
    refuse_part(t.part_of, t)
    return stand_for(t, value)


cdef Tensor stand_for(Tensor t, value):
    """Let a tensor stand for `value`, broadcast to its shape, from here on; returns the tensor.

    What was computed from the tensor keeps to what it was.  A leaf stays a leaf, and can only be
    given another value while recording is off.
    """
    cdef Tensor source
    shape = t.shape
    if type(value) is not Tensor:
        value = tensor(value)
    source = value
    if source.shape != shape:
        if ad_local.off == 0 or source.h.tape == NULL:
            source = broadcast_to(source, shape)
        else:
            source = constant(np.array(np.broadcast_to(source.value(), shape)))
    if t.meta is None or not t.meta.leaf:
        if source.h.tape != NULL and (ad_local.off or
                                      (t.meta is not None and t.meta.owner is not None)):
            source = source.detach()
        rebind(t, source)
        pass_on(t)
        return t
    if ad_local.off == 0:
        raise TapeError("changing a leaf in place would lose its gradient; do it in a "
                        "`with adcore.no_grad():` block, or write y = x.clone() and change y")
    numbers = source.value()
    ad_handle_drop(&t.h)
    t.h.tape = NULL
    t.constant = numbers
    make_leaf(t, numbers)
    return t


cdef int pass_on(Tensor t) except -1:
    """Give the values of x.data, which changed, to x."""
    cdef bint was = ad_local.off
    if t.meta is None or t.meta.owner is None:
        return 0
    ad_local.off = 1
    try:
        stand_for(t.meta.owner, t)
    finally:
        ad_local.off = was
    return 0


cdef object in_place(object left, object out):
    """What `left += right` leaves in left, `out` being left + right: arrays change, numbers do not.

    A name bound to a number on the tape is bound anew, as with Python's own; a leaf and a constant
    are changed in place, as torch does.
    """
    cdef Tensor t
    if type(left) is Tensor and (<Tensor>left).ndim:
        refuse_complex(out)
        refuse_named_part((<Tensor>left).part_of, <PyObject *>left)
    if type(left) is not Tensor or type(out) is not Tensor:
        return out
    t = left
    if t.h.tape != NULL and t.h.view == NULL and (t.meta is None or not t.meta.leaf):
        return out
    if (<Tensor>out).shape != t.shape:
        raise ShapeError(f"a tensor of shape {t.shape} cannot become one of shape "
                         f"{(<Tensor>out).shape} in place; write y = x + ... instead")
    return stand_for(t, out)


def tensor(data, dtype=None, device=None, requires_grad=False):
    """A tensor with the numbers of `data`.

    Parameters
    ----------
    data : number, array_like or nested lists, also with tensors in them
        Copied.  Tensors in nested lists stay differentiable.
    dtype : dtype, optional
        float64, which is what tensors are, also if it is left out.  With an integer or boolean
        dtype the result is a NumPy array: integers and booleans are constants.
    device : optional
        "cpu".
    requires_grad : bool
        Put it on the tape as an independent variable.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import adcore
    >>> adcore.tensor([[1, 2], [3, 4]])
    tensor([[1., 2.],
            [3., 4.]])
    """
    cdef Tensor t
    if device is not None and str(device) != "cpu":
        raise ValueError(f"tensors live on the CPU; leave device out or pass 'cpu', got {device!r}")
    if dtype is not None and np.dtype(dtype).kind == "c":
        return METHODS["_complex_tensor"](data, requires_grad)
    if dtype is not None and np.dtype(dtype) != np.float64:
        return _integers(data, np.dtype(dtype), requires_grad)
    if type(data) is Tensor:
        value = (<Tensor>data).value()
    elif is_complex(data):
        return METHODS["_complex_tensor"](data, requires_grad)
    elif isinstance(data, (list, tuple)) and _has_tensor(data):
        if requires_grad:
            raise NotDifferentiableError(
                "tensor(data, requires_grad=True) makes independent variables, but data contains "
                "tracked tensors; leave requires_grad out to keep their dependence")
        return METHODS["stack_nested"](data)
    else:
        if isinstance(data, cnp.ndarray) and type(data) is not cnp.ndarray:
            refuse_subclass(data)
        value = np.array(data)
        if value.dtype.kind not in "bifu":
            raise TypeError(f"tensor takes real numbers, got an array of dtype {value.dtype}")
        value = value.astype(np.float64)
    value = float(value) if np.ndim(value) == 0 else np.array(value)
    t = constant_tensor(value)
    if requires_grad:
        make_leaf(t, value)
    return t


cdef object _integers(object data, object dtype, bint requires_grad):
    if dtype.kind not in "biu":
        raise TypeError(f"tensors are float64; leave dtype out or pass float64, got {dtype}")
    if requires_grad:
        raise TypeError(f"{dtype} values are constants; leave dtype out to differentiate")
    values = (<Tensor>data).value() if type(data) is Tensor else data
    return np.array(values).astype(dtype)


def constant(value):
    """The constant Tensor of a float or a float64 array, which is not copied."""
    return constant_tensor(value if isinstance(value, float) else _number_or_array(value))


cdef object _number_or_array(cnp.ndarray value):
    return float(value) if cnp.PyArray_NDIM(value) == 0 else value


def _has_tensor(data):
    for x in data:
        if type(x) is Tensor or (isinstance(x, (list, tuple)) and _has_tensor(x)):
            return True
    return False

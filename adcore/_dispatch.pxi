"""Calls of array functions: whether a tensor is among the arguments, and which axes are meant."""

TRACED_TYPES = {Tensor, Dual}   # and complex pairs of them, once there are any
AWARE = set()       # NumPy's functions whose rules take an Index too, without a tensor beside it


cpdef bint is_traced(items) except -1:
    """Whether `items`, or lists and tuples among them, have a Tensor, a Dual or pairs of these."""
    for item in items:
        if PyFloat_CheckExact(item):
            continue
        if type(item) is Tensor or type(item) is Dual:
            return True
        if type(item) is list or type(item) is tuple:
            if is_traced(item):
                return True
        elif type(item) in TRACED_TYPES:
            return True
    return False


@cython.final
cdef class ArrayFunction:
    """A function of NumPy's whose arguments may be tensors.

    A call with a tensor among them is one of its `rule`, any other one of `plain`, NumPy's own.
    `names` has other spellings of its keywords.
    """

    cdef readonly object rule
    cdef readonly object plain
    cdef dict names
    cdef dict differ    # NumPy's names of the parameters for which the rule has others -> those
    cdef dict __dict__

    def __init__(self, rule, plain, dict names=None):
        self.rule, self.plain, self.names = rule, plain, names

    def __call__(self, *args, **kwargs):
        if self.names is not None and kwargs:
            kwargs = {self.names.get(name, name): value for name, value in kwargs.items()}
        if is_traced(args) or (kwargs and is_traced(kwargs.values())):
            if is_complex(args) or (kwargs and is_complex(tuple(kwargs.values()))):
                return METHODS["_complex_function"](self.plain, args, kwargs)
            if not kwargs:
                return self.rule(*args)
            if self.differ is None:
                self.differ = METHODS["_respellings"](self.plain, self.rule)
            if self.differ:
                kwargs = {self.differ.get(name, name): value for name, value in kwargs.items()}
            return self.rule(*args, **kwargs)
        for x in args:
            if type(x) is METHODS["_index"] and self.plain in AWARE:
                return self.rule(*args, **kwargs)
        return self.plain(*args, **kwargs)

    def __repr__(self):
        return f"<{self.rule.__name__} of arrays and tensors>"


# ---- axes ----


cpdef int axis_of(axis, int ndim) except -1:
    """One axis, counted from the front."""
    cdef Py_ssize_t a = axis
    if not -ndim <= a < ndim:
        raise ShapeError(f"axis {axis} does not exist in a tensor of {ndim} dimensions")
    return a + ndim if a < 0 else a


cdef tuple _all_axes = tuple([tuple(range(n)) for n in range(AD_MAX_DIMS + 1)])


cpdef tuple axes_of(axis, int ndim):
    """A tuple of axes counted from the front: None means all."""
    if axis is None:
        return _all_axes[ndim] if ndim <= AD_MAX_DIMS else tuple(range(ndim))
    if not isinstance(axis, (tuple, list)):
        return (axis_of(axis, ndim),)
    axes = tuple([axis_of(a, ndim) for a in axis])
    if len(set(axes)) != len(axes):
        raise ShapeError(f"axis {axis} names a dimension twice")
    return axes

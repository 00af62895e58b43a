# Functions of numbers, arrays and options whose calls are recorded whole, as one call of the plain
# function: see scipy/_valued.py.  Part of _core.pyx.


cdef inline bint is_fixed(object x):
    """Is it a number, a truth, a text or None, none of which can be changed?"""
    return PyFloat_CheckExact(x) or type(x) is int or type(x) is bool or type(x) is str \
        or x is None or isinstance(x, np.generic)


cdef object argument_leaf(object x):
    """A constant argument as a leaf of a call, or NotImplemented.

    Arrays, of real numbers, are copied where the call is recorded, lists here.
    """
    cdef int kind
    if is_fixed(x):
        return x
    if type(x) is cnp.ndarray:
        kind = cnp.PyArray_TYPE(<cnp.ndarray>x)
        if kind == cnp.NPY_DOUBLE or kind < cnp.NPY_FLOAT:
            return x
        return x.astype(np.float64) if x.dtype.kind == "f" else NotImplemented
    if type(x) is list or type(x) is tuple:
        for e in x:
            if not is_fixed(e):
                return NotImplemented
        return list(x) if type(x) is list else x
    return NotImplemented


cdef class WholeFunction:
    """A function, recorded as one call wherever only arguments of certain names are tensors.

    `order` are the names of all arguments, `tracked` those that may be tensors, and `known` those
    and the others that may be given; definition_of(*names) is the definition of a call with these
    for keywords.  All else is left to `otherwise`: duals too, unless `takes_duals`.
    """

    cdef readonly object otherwise, definition_of
    cdef object positional      # the definition of a call without keywords
    cdef readonly tuple order
    cdef readonly frozenset tracked, known
    cdef readonly bint takes_duals

    def __init__(
        self, otherwise, definition_of, tuple order, frozenset tracked, frozenset known,
        bint takes_duals,
    ):
        self.otherwise, self.definition_of, self.order = otherwise, definition_of, order
        self.tracked, self.known = tracked, known
        self.positional = definition_of()

    def __call__(self, *args, **kwargs):
        cdef list leaves = [], operands = [], places = []
        cdef int i = 0
        if len(args) > len(self.order) or ad_local.program != NULL or ad_local.off:
            return self.otherwise(*args, **kwargs)
        for x in args:
            if not self.take(self.order[i], x, leaves, operands, places):
                return self.otherwise(*args, **kwargs)
            i += 1
        for name, x in kwargs.items():
            if not self.take(name, x, leaves, operands, places):
                return self.otherwise(*args, **kwargs)
        if not places:
            return self.otherwise(*args, **kwargs)
        definition = self.definition_of(*kwargs) if kwargs else self.positional
        for i in range(len(leaves)):
            leaves[i] = kept_numbers(leaves[i])
        output, saved = definition.run(leaves)
        return recorded_call(definition, leaves, places, operands, output, saved)

    cdef bint take(self, object name, object x, list leaves, list operands, list places) except -1:
        """Whether an argument may be a leaf, which is added to `leaves`."""
        if is_tracked(x):
            if name not in self.tracked or (type(x) is Dual and not self.takes_duals):
                return False
            places.append(len(leaves))
            operands.append(x)
        else:
            x = argument_leaf(x) if name in self.known else NotImplemented
            if x is NotImplemented:
                return False
        leaves.append(x)
        return True

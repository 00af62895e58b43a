"""Formulas of several rows: traced once, then recorded without a tensor for what is in between."""


cdef class Symbol:
    """A number of a formula that is being traced."""

    cdef Formula formula
    cdef int at

    def __add__(x, y):
        return step_of(AD_OP_add, (x, y))

    def __sub__(x, y):
        return step_of(AD_OP_sub, (x, y))

    def __truediv__(x, y):
        return step_of(AD_OP_div, (x, y))

    def __mul__(x, y):
        return step_of(AD_OP_square, (x,)) if x is y else step_of(AD_OP_mul, (x, y))

    def __pow__(x, y, modulo):
        return step_of(AD_OP_pow, (x, y))

    def __neg__(self):
        return step_of(AD_OP_neg, (self,))

    def __abs__(self):
        return step_of(AD_OP_abs, (self,))


cdef Symbol step_of(ad_op op, tuple numbers):
    """The result of a row of numbers, of which one is a Symbol."""
    for x in numbers:
        if type(x) is Symbol:
            return (<Symbol>x).formula.step(op, numbers)


cdef struct ad_formula_step:
    ad_op op
    int args[3]     # places: of what is given, then of constants, then of earlier steps


cdef class Formula:
    """What a function does with numbers given to it, as rows of the op table.

    It may not look at the numbers; it returns numbers, those it was given among them, or None.
    """

    cdef object name
    cdef int n_given, n_numbers, n_steps
    cdef ad_view *numbers           # constants
    cdef ad_formula_step *steps
    cdef list outputs               # places, floats, None
    cdef list traced                # while tracing: (op, arguments) of the steps, and the constants
    cdef dict known

    def __cinit__(self, name, function, list given):
        """Trace function(*given), in which a Symbol stands wherever `given` has None."""
        cdef int i
        cdef Symbol s
        self.name, self.traced, self.known = name, [], {}
        symbols = []
        args = []
        for x in given:
            if x is None:
                x = self.symbol(len(symbols))
                symbols.append(x)
            args.append(x)
        self.n_given = len(symbols)
        found = function(*args)
        self.outputs = [(<Symbol>y).at if type(y) is Symbol else None if y is None else float(y)
                        for y in found]
        self.settle_places()

    def __dealloc__(self):
        PyMem_Free(self.numbers)
        PyMem_Free(self.steps)

    cdef Symbol symbol(self, int at):
        cdef Symbol s = Symbol.__new__(Symbol)
        s.formula, s.at = self, at
        return s

    cdef Symbol step(self, ad_op op, tuple numbers):
        """The result of a row; of the same row of the same numbers, the same."""
        args = tuple([self.place(x) for x in numbers])
        key = op, repr(args)        # tells places, numbers and signs of zero apart
        if key not in self.known:
            self.known[key] = self.n_given + len(self.traced)
            self.traced.append((op, args))
        return self.symbol(self.known[key])

    cdef object place(self, object x):
        """A place, or the number itself of a constant."""
        if type(x) is Symbol:
            return (<Symbol>x).at
        return float(x)

    cdef int settle_places(self) except -1:
        """Put the constants between what is given and the steps."""
        cdef int k, j
        constants = []
        for _, args in self.traced:
            constants += [a for a in args if type(a) is float]
        self.n_numbers, self.n_steps = len(constants), len(self.traced)
        self.numbers = <ad_view *>PyMem_Malloc(max(self.n_numbers, 1) * sizeof(ad_view))
        self.steps = <ad_formula_step *>PyMem_Malloc(
            max(self.n_steps, 1) * sizeof(ad_formula_step))
        if self.numbers == NULL or self.steps == NULL:
            raise MemoryError("no memory for a formula")
        for k in range(self.n_numbers):
            self.numbers[k] = ad_view_number(constants[k])
        at = iter(range(self.n_given, self.n_given + self.n_numbers))
        for k in range(self.n_steps):
            op, args = self.traced[k]
            self.steps[k].op = op
            for j in range(len(args)):
                self.steps[k].args[j] = next(at) if type(args[j]) is float \
                    else self.moved(args[j])
        self.outputs = [self.moved(y) if type(y) is int else y for y in self.outputs]
        self.traced = self.known = None
        return 0

    cdef int moved(self, int place):
        return place if place < self.n_given else place + self.n_numbers

    cdef list record(self, list given):
        """The results for tensors and constants, at least one a tensor on this thread's tape."""
        cdef ad_tape *tape = this_tape()
        cdef int n = self.n_given + self.n_numbers, held = 0, i, k
        cdef ad_view *views
        cdef const ad_view *args[3]
        cdef ad_formula_step *step
        cdef ad_status status = AD_OK
        check(ad_tape_room(tape, 8))
        views = <ad_view *>PyMem_Malloc((self.n_given + self.n_steps + 1) * sizeof(ad_view))
        if views == NULL:
            raise MemoryError("no memory to record a formula")
        try:
            for i in range(self.n_given):
                if not operand(given[i], &views[i]):
                    raise TypeError(f"{self.name} takes numbers, arrays, tensors and duals, got a "
                                    f"{type(given[i]).__name__}")
                held += 1
            for k in range(self.n_steps):
                step = &self.steps[k]
                for i in range(ad_ops[step.op].n_args):
                    args[i] = self.view_at(views, step.args[i])
                status = ad_record_op(tape, step.op, 0, args, &views[self.n_given + k])
                if status != AD_OK:
                    break
            if status == AD_SHAPES_DIFFER:
                raise ShapeError(
                    f"{self.name}: operands of shapes "
                    f"{', '.join([str(shape_of(x)) for x in given])} do not broadcast together")
            check(status)
            found = []
            for y in self.outputs:
                if type(y) is not int:
                    found.append(y)
                elif y < self.n_given:
                    found.append(given[y])
                else:
                    found.append(number_or_tensor(tape, &views[<int>y - self.n_numbers]))
            return found
        finally:
            for i in range(held):
                ad_view_drop(&views[i])
            PyMem_Free(views)

    cdef inline const ad_view *view_at(self, ad_view *views, int place):
        if place < self.n_given:
            return &views[place]
        if place < self.n_given + self.n_numbers:
            return &self.numbers[place - self.n_given]
        return &views[place - self.n_numbers]


cdef object number_or_tensor(ad_tape *tape, ad_view *view):
    """The result of a step, which is a number if all of its operands were."""
    if view.place == AD_NUMBER and view.ndim == 0:
        return view.in_.number
    return settle(tape, view, True)


# ---- complex numbers ----


cdef class ComplexPair:
    """The two parts of a complex array, of one shape; _owned: they are nobody else's."""

    cdef public object real, imag
    cdef public bint _owned

    def __init__(self, real, imag):
        self.real, self.imag = real, imag


cdef object _complex_type = None    # that derived of ComplexPair


def set_complex_type(kind):
    """The type of complex arrays."""
    global _complex_type
    _complex_type = kind


cdef bint same_shape(Tensor x, Tensor y):
    """Whether both are scalars, or of one shape."""
    cdef const ad_view *a = x.h.view
    cdef const ad_view *b = y.h.view
    if a == NULL or b == NULL:
        return a == b and x.h.tape == y.h.tape
    return a.ndim == b.ndim and memcmp(a.shape, b.shape, a.ndim * sizeof(a.shape[0])) == 0


cdef object new_complex(re, im):
    """A complex array of parts of one shape."""
    cdef ComplexPair z = _complex_type.__new__(_complex_type)
    z.real, z.imag = re, im
    return z


cdef class ComplexFunction:
    """An elementwise function of pairs (re, im), in which a second part None is that of real ones.

    function(*pairs) gives a pair again, or (re, None) if `real`; it may not look at numbers, but
    for a part that is 0.0 as 1j has it.  Where it would not do as a Formula, it is called as it is.
    """

    cdef readonly object name, function
    cdef bint real
    cdef dict formulas      # by what is known of each part

    def __init__(self, name, function, bint real):
        self.name, self.function, self.real = name, function, real
        self.formulas = {}

    def recorded(self, *args):
        """The result as a Complex, or a Tensor; None if another way is to be taken.

        That is of duals, of what is no float64, and where nothing is to be recorded.
        """
        cdef list given = []
        cdef long key = 1
        cdef bint tracked = False
        if ad_local.off:
            return None
        for x in args:
            if type(x) is _complex_type:
                re, im = (<ComplexPair>x).real, (<ComplexPair>x).imag
            elif type(x) is complex:
                re, im = x.real, x.imag
            elif type(x) is cnp.ndarray and cnp.PyArray_ISCOMPLEX(<cnp.ndarray>x) \
                    and cnp.PyArray_NDIM(<cnp.ndarray>x) > 0:
                re, im = np.array(x.real, dtype=np.float64), np.array(x.imag, dtype=np.float64)
            else:
                re, im = x, None
            for part in (re, im):
                key *= 4
                if part is None:
                    continue
                key += 1
                if PyFloat_CheckExact(part) and PyFloat_AS_DOUBLE(part) == 0:
                    key += 1 if 1 / copysign(1, PyFloat_AS_DOUBLE(part)) > 0 else 2
                    continue
                if type(part) is Tensor:
                    tracked = tracked or (<Tensor>part).h.tape != NULL
                elif not is_result(part) and not PyLong_CheckExact(part):
                    return None
                given.append(part)
        if not tracked:
            return None
        formula = self.formulas.get(key)
        if formula is None:
            formula = self.traced(key, len(args))
        re, im = (<Formula>formula).record(given)
        if self.real:
            return re
        if type(re) is Tensor and type(im) is Tensor and same_shape(<Tensor>re, <Tensor>im):
            return new_complex(re, im)
        return complex_pair(re, 0.0 if im is None else im)

    cdef Formula traced(self, long key, int n):
        """The formula of operands of which `key` tells what is known."""
        cdef int i
        places, given = [], []
        for i in range(2 * n - 1, -1, -1):
            kind = key >> 2 * i & 3
            places.append(kind > 0)
            if kind > 0:
                given.append([None, 0.0, -0.0][kind - 1])

        def flat(*parts):
            left = iter(parts)
            parts = [next(left) if there else None for there in places]
            return self.function(*zip(parts[::2], parts[1::2], strict=True))

        found = self.formulas[key] = Formula(self.name, flat, given)
        return found

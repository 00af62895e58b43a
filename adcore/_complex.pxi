"""Complex numbers: pairs of parts, and the elementwise functions of them.

A function of arrays is one instruction whose values are NumPy's, unless more than first derivatives
of it are wanted: then, and of scalars, it is the rows that it is made of.
"""


cdef object _complex_type = None    # that derived of ComplexPair
cdef dict _complex_functions = {}   # ComplexFunctions by ufuncs
cdef frozenset _complex_linear = frozenset()
cdef ComplexFunction _complex_power = None      # of exponents that are no integers


def set_complex_type(kind, dict functions, linear, power):
    """The type of complex arrays, the ComplexFunctions of ufuncs, and functions of either part.

    `power` is the ComplexFunction of powers that are no integers.
    """
    global _complex_type, _complex_functions, _complex_linear, _complex_power
    _complex_type, _complex_functions, _complex_linear = kind, functions, frozenset(linear)
    _complex_power = power


cdef bint same_shape(Tensor x, Tensor y):
    """Whether both are scalars, or of one shape."""
    cdef const ad_view *a = x.h.view
    cdef const ad_view *b = y.h.view
    if a == NULL or b == NULL:
        return a == b and x.h.tape == y.h.tape
    return a.ndim == b.ndim and memcmp(a.shape, b.shape, a.ndim * sizeof(a.shape[0])) == 0


cdef extern from *:
    """
    /* type.__new__(type) of a type that takes nothing there */
    static PyObject *ad_new_object(PyObject *type, PyObject *nothing)
    {
        return ((PyTypeObject *)type)->tp_new((PyTypeObject *)type, nothing, NULL);
    }
    """
    object ad_new_object(object type, object nothing)


cdef object new_complex(re, im):
    """A complex array of parts of one shape."""
    cdef ComplexPair z = ad_new_object(_complex_type, ())
    z._re, z._im = re, im
    return z


cdef class ComplexFunction:
    """An elementwise function of pairs (re, im), in which a second part None is that of real ones.

    function(*pairs) gives a pair again, or (re, None) if `real`; it may not look at numbers, but
    for a part that is 0.0 as 1j has it.  Where it would not do as a Formula, it is called as it is.
    Values are those of `ufunc`, NumPy's, or of the way that has a name: "steps", the formula's own,
    "product", "quotient", "log1p" or "modulus".
    """

    cdef readonly object name, function
    cdef bint real
    cdef ad_complex_way way
    cdef dict formulas      # by what is known of each part
    cdef ComplexFormula of_one, of_two      # of as many pairs, once they have been asked for
    cdef ad_simd_loop *loop
    cdef void *loop_data

    def __init__(self, ufunc, function, bint real, way=None):
        self.name, self.function, self.real = ufunc.__name__, function, real
        self.formulas = {}
        self.way = {None: AD_COMPLEX_LOOP, "steps": AD_COMPLEX_STEPS,
                    "product": AD_COMPLEX_PRODUCT, "quotient": AD_COMPLEX_QUOTIENT,
                    "log1p": AD_COMPLEX_LOG1P, "modulus": AD_COMPLEX_MODULUS}[way]
        types = [cnp.NPY_CDOUBLE] * ufunc.nin + [cnp.NPY_DOUBLE if real else cnp.NPY_CDOUBLE]
        self.loop = <ad_simd_loop *>loop_of(ufunc, types, &self.loop_data)

    def recorded(self, *args):
        """The result as a Complex, or a Tensor; None if another way is to be taken.

        That is of duals, of what is no float64, and where nothing is to be recorded.
        """
        if pairs_may_be() and not ad_local.rows:
            found = record_of_pairs(self, args)
            if found is not None:
                return found
        return self.record(args)

    cdef object record(self, tuple args):
        cdef list given = []
        cdef long key = 1
        cdef bint tracked = False
        cdef ComplexFormula formula
        cdef double number
        if ad_local.off:
            return None
        for x in args:
            if type(x) is _complex_type:
                re, im = (<ComplexPair>x)._re, (<ComplexPair>x)._im
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
                if type(part) is Tensor:
                    tracked = tracked or (<Tensor>part).h.tape != NULL
                elif PyFloat_CheckExact(part):
                    number = PyFloat_AS_DOUBLE(part)
                    if number == 0:
                        key += 1 if copysign(1, number) > 0 else 2
                        continue
                elif not is_result(part) and not PyLong_CheckExact(part):
                    return None
                given.append(part)
        if not tracked:
            return None
        formula = self.formulas.get(key)
        if formula is None:
            formula = self.traced(key, len(args))
        if formula.whole and not ad_local.rows and ad_local.program == NULL:
            found = formula.record_whole(given)
            if found is not None:
                return found
        re, im = formula.record(given)
        if self.real:
            return re
        if type(re) is Tensor and type(im) is Tensor and same_shape(<Tensor>re, <Tensor>im):
            return new_complex(re, im)
        return complex_pair(re, 0.0 if im is None else im)

    cdef ComplexFormula of_parts(self, int n):
        """The formula of one or two operands of which all parts are given."""
        cdef ComplexFormula formula = self.of_one if n == 1 else self.of_two
        cdef long key = 1
        cdef int i
        if formula is None:
            for i in range(2 * n):
                key = 4 * key + 1
            formula = self.formulas.get(key) or self.traced(key, n)
            if n == 1:
                self.of_one = formula
            else:
                self.of_two = formula
        return formula

    cdef ComplexFormula traced(self, long key, int n):
        """The formula of operands of which `key` tells what is known."""
        cdef int i
        places, given = [], []
        for i in range(2 * n - 1, -1, -1):
            kind = key >> 2 * i & 3
            places.append([None, 1, 0.0, -0.0][kind])
            if kind > 0:
                given.append([None, 0.0, -0.0][kind - 1])

        def flat(*parts):
            left = iter(parts)
            parts = [None if place is None else next(left) for place in places]
            return self.function(*zip(parts[::2], parts[1::2], strict=True))

        found = ComplexFormula(self.name, flat, given)
        found.settle_call(self, places)
        self.formulas[key] = found
        return found


cdef class ComplexFormula(Formula):
    """A Formula of complex numbers, and the rule of the instructions that it is recorded as."""

    cdef ad_complex_call call
    cdef bint whole     # whether it can be one instruction

    cdef int settle_call(self, ComplexFunction function, list places) except -1:
        """See whether it can be one instruction; `places` says which parts are given."""
        cdef int i, n = 0
        cdef bint row = function.real and self.c.n_steps == 1 and self.c.n_given == 2
        if (function.loop == NULL and function.way == AD_COMPLEX_LOOP) or self.c.n_outputs == 0:
            return 0
        if function.way == AD_COMPLEX_PRODUCT and len(places) == 2:
            places = places * 2     # a square
        for i in range(self.c.n_outputs):
            if self.c.outputs[i] < self.c.n_given + self.c.n_numbers:
                return 0
        self.call.way, self.call.loop, self.call.data = function.way, function.loop, \
            function.loop_data
        if function.way == AD_COMPLEX_QUOTIENT and self.c.n_given < len(places):
            self.call.way = AD_COMPLEX_STEPS    # which knows what is no part of its arguments
        self.call.n_args, self.call.real = len(places) // 2, function.real
        for i in range(len(places)):
            place = places[i]
            self.call.parts[i].given = -1
            if place == 1 and type(place) is int:
                self.call.parts[i].given = n
                n = (n + 1) % self.c.n_given
            elif place is not None:
                self.call.parts[i].number = place
        self.whole = row or (self.c.n_steps > 3 and self.c.n_outputs == 2 - function.real)
        return 0

    cdef object record_whole(self, list given):
        """The result, recorded as one instruction; None if it is a scalar."""
        cdef ad_tape *tape = this_tape()
        cdef ad_view room[AD_FORMULA_GIVEN]
        cdef const ad_view *views[AD_FORMULA_GIVEN]
        cdef ad_view re, im
        cdef int n = self.c.n_given, held = 0, i
        cdef bint array = False
        cdef bint row = self.c.n_steps == 1
        cdef Tensor t
        cdef ad_status status = AD_OK
        check(ad_tape_room(tape, 8))
        try:
            for i in range(n):
                x = given[i]
                views[i] = &room[i]
                if type(x) is Tensor and (<Tensor>x).h.tape == tape \
                        and (<Tensor>x).h.view != NULL:
                    views[i] = (<Tensor>x).h.view
                    room[i].place = AD_NUMBER       # nothing to let go of
                elif not operand(x, &room[i]):
                    raise TypeError(f"{self.name} takes numbers, arrays, tensors and duals, got a "
                                    f"{type(x).__name__}")
                held += 1
                array = array or views[i].ndim > 0
            if not array:
                return None
            if not row:
                Py_INCREF(self)
            status = ad_complex_record(tape, &self.call, NULL if row else <void *>self,
                                       &self.c, n, views, &re, &im)
        finally:
            for i in range(held):
                ad_view_drop(&room[i])
        if status == AD_SHAPES_DIFFER:
            raise ShapeError(
                f"{self.name}: operands of shapes "
                f"{', '.join([str(shape_of(x)) for x in given])} do not broadcast together")
        check(status)
        t = new_result(tape, &re, True)
        return t if self.call.real else new_complex(t, new_result(tape, &im, True))

    cdef list emitted_from(self, list operands):
        """(variables in place of the operands, the results of these), recorded row by row."""
        fresh = [renew(<Tensor>x) if is_tracked(x) else x for x in operands]
        return [fresh, self.record(fresh)]

    cdef list emit_reverse(self, g, list operands):
        """Adjoints of the operands, recorded."""
        fresh, results = self.emitted_from(operands)
        shapes = [shape_of(results[0])] * self.c.n_outputs
        seeds = split_results(g, shapes)
        at = [i for i in range(len(fresh)) if is_tracked(fresh[i])]
        found = emit_reverse(results[:self.c.n_outputs], seeds, [fresh[i] for i in at])
        adjoints = [None] * len(fresh)
        for i, adjoint in zip(at, found):
            adjoints[i] = adjoint
        return adjoints

    cdef object emit_forward(self, list tangents, list operands):
        """The flat tangent of the results, recorded."""
        fresh, results = self.emitted_from(operands)
        at = [i for i in range(len(fresh)) if tangents[i] is not None and is_tracked(fresh[i])]
        seeds = [broadcast_to(tangents[i], shape_of(fresh[i])) for i in at]
        found = emit_forward([fresh[i] for i in at], seeds, results[:self.c.n_outputs])
        return concatenate([reshape(t, (-1,)) for t in found], 0)


cdef ComplexFormula formula_of(ad_tape *tape, int32_t instr):
    """The formula that an instruction is; None if it is another's."""
    if ad_tape_code(tape, instr) != AD_CALL:
        return None
    rule = <object><void *><Py_ssize_t>tape.aux[tape.a[instr] + 4]
    return rule if type(rule) is ComplexFormula else None


# ---- functions of arrays ----


cdef object of_either_part(function, x, tuple rest):
    """A function of either part, or of those of a list of arrays; None for another way."""
    cdef ComplexPair z
    rule = ARRAY_FUNCTIONS.get(function)
    if rule is None or (rest and is_complex(rest)):
        return None
    if type(x) is _complex_type:
        z = x
        if type(z._re) is not Tensor or type(z._im) is not Tensor:
            return None
        re, im = z._re, z._im
    elif type(x) is list or type(x) is tuple:
        re, im = [], []
        for y in x:
            if type(y) is not _complex_type:
                return None
            z = y
            if type(z._re) is not Tensor or type(z._im) is not Tensor:
                return None
            re.append(z._re)
            im.append(z._im)
    else:
        return None
    re, im = rule(re, *rest), rule(im, *rest)
    if type(re) is Tensor and type(im) is Tensor:
        return new_complex(re, im)
    if type(re) is list or type(re) is tuple:
        return type(re)([complex_pair(x, y) for x, y in zip(re, im, strict=True)])
    return complex_pair(re, im)


cdef int parts_of(object x, list parts) except -1:
    """Append the parts of a complex array of tensors, or of a real array; 0 for anything else."""
    if type(x) is _complex_type and type((<ComplexPair>x)._re) is Tensor \
            and type((<ComplexPair>x)._im) is Tensor:
        parts += [(<ComplexPair>x)._re, (<ComplexPair>x)._im]
    elif type(x) is Tensor:
        parts += [x, None]
    elif type(x) is cnp.ndarray and cnp.PyArray_TYPE(<cnp.ndarray>x) == cnp.NPY_DOUBLE:
        parts += [x, None]
    elif type(x) is cnp.ndarray and cnp.PyArray_TYPE(<cnp.ndarray>x) == cnp.NPY_CDOUBLE:
        parts += [x.real.copy(), x.imag.copy()]
    else:
        return 0
    return 1


cdef ad_status matmul_of(ad_tape *tape, const ad_view *a, const ad_view *b, ad_view *result):
    """The product of two views of a dimension or more; vectors as in NumPy."""
    cdef ad_view left = a[0]
    cdef ad_view right = b[0]
    cdef bint row = left.ndim == 1
    cdef bint column = right.ndim == 1
    cdef ad_status status
    if row:
        put_length_1(&left, 0)
    if column:
        put_length_1(&right, 1)
    status = ad_record_matmul(tape, &left, &right, result)
    if status != AD_OK:
        return status
    if column:
        result.ndim -= 1        # of length 1, at the end
    if row:                     # of length 1, before the columns
        result.ndim -= 1
        if not column:
            result.shape[result.ndim - 1] = result.shape[result.ndim]
            result.stride[result.ndim - 1] = result.stride[result.ndim]
    return AD_OK


cdef object complex_matmul(x, z, int most=AD_MAX_DIMS):
    """The matrix product, recorded without tensors for what is in between; None for another way.

    `most` is how many dimensions an operand may have.
    """
    cdef ad_tape *tape
    cdef ad_view views[4]
    cdef ad_view products[4]    # ac and bd, ad and bc
    cdef bint there[4]
    cdef int *lefts = [0, 1, 0, 1]
    cdef int *rights = [2, 3, 3, 2]
    cdef ad_view sums[2]
    cdef const ad_view *args[2]
    cdef list parts = []
    cdef int k, held = 0
    cdef bint tracked = False
    cdef ad_status status
    if ad_local.off or not parts_of(x, parts) or not parts_of(z, parts):
        return None
    for part in parts:
        tracked = tracked or is_tracked(part)
    if not tracked:
        return None
    tape = this_tape()
    check(ad_tape_room(tape, 16))
    try:
        for part in parts:
            views[held] = ad_view_number(0)
            if part is not None:
                operand(part, &views[held])
                if views[held].place == AD_NUMBER:      # of one number all the same
                    held += 1
                    return None
            held += 1
        if not (0 < views[0].ndim <= most and 0 < views[2].ndim <= most):
            return None
        for k in range(4):
            there[k] = parts[lefts[k]] is not None and parts[rights[k]] is not None
            if there[k]:
                status = matmul_of(tape, &views[lefts[k]], &views[rights[k]], &products[k])
                if status == AD_SHAPES_DIFFER:
                    return None
                check(status)
        for k in range(2):
            sums[k] = products[2 * k if there[2 * k] else 2 * k + 1]
            if there[2 * k] and there[2 * k + 1]:
                args[0], args[1] = &products[2 * k], &products[2 * k + 1]
                check(ad_record_op(tape, AD_OP_add if k else AD_OP_sub, 0, args, &sums[k]))
        return new_complex(settle(tape, &sums[0], True), settle(tape, &sums[1], True))
    finally:
        for k in range(held):
            ad_view_drop(&views[k])


# ---- the type ----


cdef object on_complex(ufunc, tuple args):
    """A ufunc of arguments of which one is complex."""
    function = _complex_functions.get(ufunc)
    if pairs_may_be():
        found = pair_product(args[0], args[1]) if ufunc is _matmul \
            else pair_arithmetic(ufunc, args)
        if found is None and function is not None and not ad_local.rows:
            found = record_of_pairs(<ComplexFunction>function, args)
        if found is not None:
            return found
    if function is not None:
        found = (<ComplexFunction>function).record(args)
        if found is not None:
            return found
    elif ufunc is _matmul:
        found = complex_matmul(args[0], args[1])
        if found is not None:
            return found
    return METHODS["_complex_ufunc"](ufunc, "__call__", args, {})


cdef object part_of_its_own(object x):
    """A part of a complex array that assignments to `x` do not change, and that do not change it.

    Arrays are left as they are.
    """
    cdef Tensor t
    if type(x) is not Tensor or (<Tensor>x).h.tape != NULL:
        return handle_of_its_own(x)
    t = x
    return x if PyFloat_CheckExact(t.constant) else constant_tensor(cnp.PyArray_Copy(t.constant))


def part_alone(x):
    """part_of_its_own(), from Python."""
    return part_of_its_own(x)


cdef object part_in_pair(object x):
    """part_of_its_own() of what may be a slice: so it stays one."""
    cdef Whole *whole
    out = part_of_its_own(x)
    if out is x:
        return x
    if type(x) is Tensor:
        whole = (<Tensor>x).part_of
        (<Tensor>out).part_of = whole
    else:
        whole = (<Dual>x).part_of
        (<Dual>out).part_of = whole
    if whole != NULL:
        whole.refs += 1
    return out


cdef int refuse_part_of_pair(ComplexPair z) except -1:
    """Refuse to change a part of a complex array that is still in use."""
    for x in (z._re, z._im):
        if type(x) is Tensor:
            refuse_part((<Tensor>x).part_of, x)
        elif type(x) is Dual:
            refuse_part((<Dual>x).part_of, x)
    return 0


def refuse_complex_part(z):
    """The same, from Python."""
    refuse_part_of_pair(<ComplexPair?>z)


cdef object pair_in_place(ComplexPair z, object out):
    """What `z += w` leaves in z, `out` being z + w: arrays change, numbers do not."""
    if shape_of(z._re) == () or Py_REFCNT(<PyObject *>z) == 1:
        return out      # the latter of r[1:] += w, which ends with r[1:] = ...
    refuse_part_of_pair(z)
    if type(out) is _complex_type:
        re, im = (<ComplexPair>out)._re, (<ComplexPair>out)._im
    else:
        re, im = np.array(np.real(out)), np.array(np.imag(out))
    if shape_of(re) != shape_of(z._re):
        raise ShapeError(f"a complex array of shape {shape_of(z._re)} cannot become one of shape "
                         f"{shape_of(re)} in place; write y = x + ... instead")
    if type(z._re) is Tensor and type(z._im) is Tensor and type(re) is not Dual \
            and type(im) is not Dual:
        stand_for(<Tensor>z._re, re)
        stand_for(<Tensor>z._im, im)
    elif type(z._re) is Dual and type(z._im) is Dual and type(re) is Dual and type(im) is Dual:
        z._re, z._im = become(<Dual>z._re, re), become(<Dual>z._im, im)
    else:
        METHODS["_complex_set"](z, ..., re, im)
    return z


cdef object _add = np.add, _subtract = np.subtract, _multiply = np.multiply, _divide = np.divide
cdef object _power = np.power, _negative = np.negative, _absolute = np.absolute
cdef object _conjugate = np.conjugate, _matmul = np.matmul, _square = np.square, _dot = np.dot
cdef object _equal = np.equal, _not_equal = np.not_equal
cdef object _reshape = np.reshape, _transpose = np.transpose


cdef class ComplexPair:
    """The two parts of a complex array, of one shape.

    Tensors and duals among them are nobody else's, but for who has asked for `real` and `imag`,
    which NumPy has as views.  Arrays may be somebody's, unless `_owned`.
    """

    cdef public object _re, _im
    cdef public bint _owned

    def __init__(self, real, imag):
        self._re, self._im = part_in_pair(real), part_in_pair(imag)

    @property
    def real(self):
        """The real part."""
        return self._re

    @real.setter
    def real(self, value):
        if value is not self._re:       # as z.real += 1 leaves it
            METHODS["_complex_set"](self, ..., value, None)

    @property
    def imag(self):
        """The imaginary part."""
        return self._im

    @imag.setter
    def imag(self, value):
        if value is not self._im:
            METHODS["_complex_set"](self, ..., None, value)

    def __array_ufunc__(self, ufunc, str method, *inputs, **kwargs):
        if method == "__call__" and not kwargs:
            return on_complex(ufunc, inputs)
        return METHODS["_complex_ufunc"](ufunc, method, inputs, kwargs)

    def __array_function__(self, function, types, args, kwargs):
        if not kwargs:
            found = on_pairs(function, args)
            if found is not None:
                return found
            if function in _complex_linear:
                found = of_either_part(function, args[0], args[1:])
            elif function is _dot and len(args) == 2:
                found = complex_matmul(args[0], args[1], 2)
            if found is not None:
                return found
        return METHODS["_complex_function"](function, args, kwargs)

    def __add__(self, other):
        return on_complex(_add, (self, other))

    def __radd__(self, other):
        return on_complex(_add, (other, self))

    def __sub__(self, other):
        return on_complex(_subtract, (self, other))

    def __rsub__(self, other):
        return on_complex(_subtract, (other, self))

    def __mul__(self, other):
        return on_complex(_multiply, (self, other))

    def __rmul__(self, other):
        return on_complex(_multiply, (other, self))

    def __truediv__(self, other):
        return on_complex(_divide, (self, other))

    def __rtruediv__(self, other):
        return on_complex(_divide, (other, self))

    def __iadd__(self, other):
        return pair_in_place(self, on_complex(_add, (self, other)))

    def __isub__(self, other):
        return pair_in_place(self, on_complex(_subtract, (self, other)))

    def __imul__(self, other):
        return pair_in_place(self, on_complex(_multiply, (self, other)))

    def __itruediv__(self, other):
        return pair_in_place(self, on_complex(_divide, (self, other)))

    def __ipow__(self, other):
        return pair_in_place(self, self ** other)

    def __imatmul__(self, other):
        return pair_in_place(self, on_complex(_matmul, (self, other)))

    def __pow__(self, other, modulo):
        if type(other) is int and other == 2:
            return on_complex(_square, (self,))
        if PyFloat_CheckExact(other) and other != floor(other):
            found = _complex_power.record((self, other))
            if found is not None:
                return found
        return METHODS["_complex_power"](self, other)

    def __rpow__(self, other, modulo):
        return METHODS["_complex_power"](other, self)

    def __getitem__(self, key):
        re, im = self._re[key], self._im[key]
        return new_complex(re, im) if type(re) is Tensor and type(im) is Tensor \
            else complex_pair(re, im)

    def __matmul__(self, other):
        return on_complex(_matmul, (self, other))

    def __rmatmul__(self, other):
        return on_complex(_matmul, (other, self))

    def __eq__(self, other):
        return METHODS["_complex_ufunc"](_equal, "__call__", (self, other), {})

    def __ne__(self, other):
        return METHODS["_complex_ufunc"](_not_equal, "__call__", (self, other), {})

    def __neg__(self):
        return on_complex(_negative, (self,))

    def __pos__(self):
        return complex_pair(part_of_its_own(self._re), part_of_its_own(self._im))

    def __abs__(self):
        return on_complex(_absolute, (self,))

    def reshape(self, *shape):
        """The array in another shape; one length may be -1."""
        args = self, shape[0] if len(shape) == 1 else shape
        found = on_pairs(_reshape, args)
        return np.reshape(*args) if found is None else found

    def transpose(self, *axes):
        """The array with its dimensions in another order, or reversed."""
        args = self, (axes[0] if len(axes) == 1 else axes) or None
        found = on_pairs(_transpose, args)
        return np.transpose(*args) if found is None else found

    def conj(self):
        """The array with its imaginary part negated."""
        return on_complex(_conjugate, (self,))

    conjugate = conj

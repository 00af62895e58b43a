"""Linear algebra of complex matrices by NumPy's inner loops, recorded as one instruction each."""


cdef enum:
    MOST_LOOP_OPERANDS = 2
    MOST_LOOPS = 256        # that are kept


cdef class ComplexLoop:
    """A call of a definition on matrices of given shapes, by the loop that NumPy's function runs.

    `core` has the loop's own dimensions, and `shapes` those of the operands and of the result, all
    of them among the former.  It is what the tape keeps of a call: sweeps make the rule that
    _calls.pxi asks for from the numbers that are on the tape.
    """

    cdef readonly object definition
    cdef ad_simd_loop *loop
    cdef void *loop_data
    cdef list shapes
    cdef int n_args
    cdef Py_ssize_t core[4]
    cdef Py_ssize_t steps[3 * (MOST_LOOP_OPERANDS + 1)]   # bytes: of loops, then within matrices
    cdef int64_t size, out_size
    cdef object structure

    def __init__(self, definition, loop, core, list shapes, structure):
        cdef int k = 0, d
        self.definition, self.shapes, self.structure = definition, shapes, structure
        self.n_args = len(shapes) - 1
        self.loop = <ad_simd_loop *>loop_of(loop, [cnp.NPY_CDOUBLE] * len(shapes), &self.loop_data)
        self.core[0] = 1
        for n in core:
            k += 1
            self.core[k] = n
        k = len(shapes)
        for shape in shapes:
            for d in range(len(shape)):
                self.steps[k] = 2 * sizeof(double) * math.prod(shape[d + 1:])
                k += 1
        self.size = sum([math.prod(shape) for shape in shapes[:self.n_args]])
        self.out_size = math.prod(shapes[self.n_args])

    def usable(self):
        """Whether NumPy has the loop, and there are numbers for it."""
        return self.loop != NULL and self.size > 0

    cdef object record(self, tuple args):
        """The result as a Complex; None where the loop has none, which NumPy's function says."""
        cdef ad_tape *tape = ad_local.tape
        cdef ad_view views[2 * MOST_LOOP_OPERANDS]
        cdef ad_view both, result
        cdef char *data[MOST_LOOP_OPERANDS + 1]
        cdef int64_t length = 2 * (self.size + self.out_size)
        cdef cnp.ndarray kept = None
        cdef double *z
        cdef double *y
        cdef int i
        if length <= AD_SCRATCH:
            check(ad_tape_make_scratch(tape))
            z = tape.scratch
        else:
            kept = spare_room(length)
            z = <double *>cnp.PyArray_DATA(kept)
        for i in range(self.n_args):
            if not pair_view(args[i], &both):
                return None
            part_of_pair(&both, 0, &views[2 * i])
            part_of_pair(&both, 1, &views[2 * i + 1])
            if i > 0 and args[i] is args[0]:
                data[i] = data[0]
                continue
            ad_complex_read(&views[2 * i], &views[2 * i + 1], tape.value, z)
            data[i] = <char *>z
            z += 2 * ad_view_size(&views[2 * i])
        y = z
        data[self.n_args] = <char *>y
        if self.size < LOOP_WITH_LOCK:
            self.loop(data, self.core, self.steps, self.loop_data)
        else:
            with nogil:
                self.loop(data, self.core, self.steps, self.loop_data)
        forget_flags()
        if y[0] != y[0]:
            return None
        Py_INCREF(self)
        status = ad_record_block(tape, AD_CALL, 0, <int64_t><Py_ssize_t><void *>self,
                                 2 * self.out_size, 2 * self.n_args, views)
        if status != AD_OK:
            Py_DECREF(self)
        check(status)
        result = ad_view_slots(tape.dst[tape.n - 1], 0, NULL)
        ad_complex_split(y, self.out_size, tape.value + result.base,
                         tape.value + result.base + self.out_size)
        set_shape(&both, self.shapes[self.n_args])
        result.ndim = both.ndim + 1
        result.shape[0] = 2
        for i in range(both.ndim):
            result.shape[i + 1] = both.shape[i]
        ad_strides(result.ndim, result.shape, result.stride)
        return pair_result(&result)

    # -- what the tape asks --

    cdef CallRecord rule(self, list numbers, list values):
        """The rule of the call, for numbers of the operands' and of the result's parts."""
        cdef CallRecord rule = _call_record.__new__(_call_record)
        rule.definition, rule.numbers, rule.values = self.definition, numbers, values
        rule.structure = self.structure
        rule.tracked = list(range(2 * self.n_args))
        rule.shapes = [self.shapes[self.n_args]] * 2
        return rule

    cdef CallRecord bare_rule(self):
        """The rule where no more is needed of operands and results than their shapes."""
        zeros = [np.broadcast_to(0.0, shape) if shape else 0.0
                 for shape in self.shapes for _ in range(2)]
        return self.rule(zeros[:2 * self.n_args], zeros[2 * self.n_args:])

    cdef CallRecord rule_on(self, ad_tape *tape, int32_t instr):
        """The rule with the numbers that are on a tape."""
        cdef ad_view views[2 * MOST_LOOP_OPERANDS]
        cdef ad_view result
        cdef int i
        ad_tape_views(tape, instr, views, 2 * MOST_LOOP_OPERANDS)
        numbers = [view_values(tape, &views[i]) for i in range(2 * self.n_args)]
        result = ad_view_slots(tape.dst[instr], 0, NULL)
        set_shape(&result, self.shapes[self.n_args])
        ad_strides(result.ndim, result.shape, result.stride)
        values = [view_values(tape, &result)]
        result.base += self.out_size
        values.append(view_values(tape, &result))
        return self.rule(numbers, values)

    @property
    def name(self):
        """What is called, for errors."""
        return self.definition.name

    @property
    def operand_shapes(self):
        """The shapes of the operands' parts."""
        return self.bare_rule().operand_shapes

    def replay(self, operands):
        """The flat results anew, for other numbers in place of the operands."""
        return self.bare_rule().replay(operands)

    def to_bytes(self):
        """What a file keeps; a FormatError says why it cannot."""
        return self.bare_rule().to_bytes()


cdef dict _loops = {}       # ComplexLoops, or None, by functions and shapes
cdef object _solve = np.linalg.solve, _inv = np.linalg.inv, _det = np.linalg.det


cdef object by_loop(object function, tuple args):
    """A function of matrices by its ComplexLoop; None for another way."""
    cdef ad_view view
    key = [function]
    for z in args:
        if not pair_view(z, &view):
            return None
        key.append((<ComplexPair>z)._re.shape)
    key = tuple(key)
    loop = _loops.get(key, False)
    if loop is False:
        if len(_loops) >= MOST_LOOPS:
            _loops.clear()
        loop = _loops[key] = METHODS["_complex_loop"](*key)
    return None if loop is None else (<ComplexLoop>loop).record(args)


cdef object pair_solve(tuple args):
    return by_loop(_solve, args) if len(args) == 2 else None


cdef object pair_inv(tuple args):
    return by_loop(_inv, args) if len(args) == 1 else None


cdef object pair_det(tuple args):
    return by_loop(_det, args) if len(args) == 1 else None

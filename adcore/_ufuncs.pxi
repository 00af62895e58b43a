"""Functions of SciPy whose derivatives are rules in Python, and whose values are ufuncs.

A call whose operands have one shape, or are numbers, is recorded by the inner loop of the ufunc,
without an array being made: it reads the operands on the tape and writes its results there, those
of several results one after the other.  What the tape keeps is an ElementwiseCall, of which a sweep
makes the rule that _calls.pxi asks for.
"""


cdef extern from *:
    """
    #include <fenv.h>

    typedef void ad_ufunc_loop(char **data, const npy_intp *n, const npy_intp *strides, void *more);

    static void forget_flags(void)
    {
        feclearexcept(FE_ALL_EXCEPT);
    }

    static int raise_what_is_set(void)
    {
        return PyErr_Occurred() ? -1 : 0;
    }
    """
    ctypedef void ad_ufunc_loop(char **data, const cnp.npy_intp *n, const cnp.npy_intp *strides,
                                void *more) nogil
    void forget_flags()
    int raise_what_is_set() except -1


cdef enum:
    MOST_LOOP_ARGS = 4
    MOST_LOOP_RESULTS = 4
    MOST_INTEGER = 1 << 30
    LOOP_WITH_LOCK = 1000   # elements below which letting go of Python's lock does not pay


@cython.final
@cython.no_gc
@cython.freelist(256)
cdef class ElementwiseCall:
    """What the tape keeps of a call of an ElementwiseFunction that was recorded by its loop."""

    cdef ElementwiseFunction function
    cdef list given         # per argument: a constant, or None for an operand; None if all are
    cdef unsigned tracked   # bit i: argument i is an operand
    cdef unsigned spread    # bit i: argument i has the shape of a result, else it is a number
    cdef bint whole         # whether the loop is the one that takes integers
    cdef int ndim
    cdef int64_t shape[AD_MAX_DIMS]

    cdef object constant(self, int i):
        """A constant argument, as a rule has it."""
        x = self.given[i]
        return float(x) if PyLong_CheckExact(x) else x

    cdef int64_t size(self):
        cdef int64_t size = 1
        cdef int d
        for d in range(self.ndim):
            size *= self.shape[d]
        return size

    cdef tuple lengths(self):
        return tuple([self.shape[d] for d in range(self.ndim)])

    cdef int compute(self, const double *const *operands, const int64_t *stride,
                     double *y) except -1:
        """The results, of operands whose elements are so far apart, or without gaps if NULL."""
        cdef const double *data[MOST_LOOP_ARGS]
        cdef cnp.npy_intp step[MOST_LOOP_ARGS]
        cdef double number[MOST_LOOP_ARGS]
        cdef long integer[MOST_LOOP_ARGS]
        cdef int i, k = 0
        for i in range(self.function.n_args):
            step[i] = self.spread >> i & 1
            if self.tracked >> i & 1:
                data[i] = operands[k]
                if stride != NULL and step[i]:
                    step[i] = stride[k]
                k += 1
            elif step[i]:
                data[i] = <const double *>cnp.PyArray_DATA(<cnp.ndarray>self.given[i])
            elif self.whole and self.function.whole >> i & 1:
                integer[i] = self.given[i]
                data[i] = <const double *>&integer[i]
            else:
                number[i] = self.given[i]
                data[i] = &number[i]
        return self.function.run_loop(self.whole, self.size(), data, step, y)

    cdef CallRecord rule(self, list numbers, list values):
        """The rule of the call, for numbers of the arguments and of the results."""
        cdef CallRecord rule = _call_record.__new__(_call_record)
        rule.definition, rule.numbers = self.function.definition, numbers
        rule.structure = self.function.structure
        rule.tracked = [i for i in range(self.function.n_args) if self.tracked >> i & 1]
        rule.shapes, rule.values = [self.lengths()] * self.function.n_results, values
        return rule

    cdef CallRecord bare_rule(self):
        """The rule where no more is needed of operands and results than their shapes."""
        zeros = np.broadcast_to(0.0, self.lengths()) if self.ndim else 0.0
        numbers = [(zeros if self.spread >> i & 1 else 0.0) if self.tracked >> i & 1
                   else self.constant(i) for i in range(self.function.n_args)]
        return self.rule(numbers, [zeros] * self.function.n_results)

    cdef CallRecord rule_on(self, ad_tape *tape, int32_t instr):
        """The rule with the numbers that are on a tape."""
        cdef ad_view views[MOST_LOOP_ARGS]
        cdef ad_view result = ad_view_slots(tape.dst[instr], self.ndim, self.shape)
        cdef int i, k = 0
        cdef list numbers = []
        ad_tape_views(tape, instr, views, MOST_LOOP_ARGS)
        for i in range(self.function.n_args):
            if self.tracked >> i & 1:
                numbers.append(view_values(tape, &views[k]))
                k += 1
            else:
                numbers.append(self.constant(i))
        values = []
        for i in range(self.function.n_results):
            values.append(view_values(tape, &result))
            result.base += self.size()
        return self.rule(numbers, values)

    @property
    def name(self):
        """What is called, for errors."""
        return self.function.definition.name

    def to_bytes(self):
        """What a file keeps; a FormatError says why it cannot."""
        return self.bare_rule().to_bytes()


cdef class ElementwiseFunction:
    """A function of numbers, arrays, tensors and duals whose calls are calls of a definition.

    `compute` is what its definition runs, on floats and float64 arrays, for a float or an array;
    `plain` the same where no argument is traced.  `ufunc` has the loops that calls are recorded by,
    if there are any of doubles, or of doubles and integers: `compute` gives the same.  A method
    call_others() of the derived class is called instead unless the arguments are such numbers and
    tracked tensors; or, if `compute` is None, wherever no loop is.
    """

    cdef public object definition
    cdef readonly object compute, plain
    cdef readonly int n_args
    cdef readonly int n_results
    cdef readonly object structure      # of the results: that of a number, or a tuple
    cdef ad_ufunc_loop *loop[2]         # that of doubles, and that of integers and doubles, or NULL
    cdef void *loop_data[2]
    cdef unsigned whole                 # bit i: argument i of the latter is an integer

    def __init__(self, compute, plain, int n_args, ufunc=None, structure=None,
                 bint doubles=True):
        self.compute, self.plain, self.n_args = compute, plain, n_args
        self.n_results = 1
        self.structure = _leaf if structure is None else structure
        self.loop[0] = self.loop[1] = NULL
        if isinstance(ufunc, np.ufunc) and n_args <= MOST_LOOP_ARGS \
                and ufunc.nout <= MOST_LOOP_RESULTS:
            self.n_results = ufunc.nout
            results = [cnp.NPY_DOUBLE] * ufunc.nout
            if doubles:
                self.loop[0] = <ad_ufunc_loop *>loop_of(
                    ufunc, [cnp.NPY_DOUBLE] * n_args + results, &self.loop_data[0])
            for whole in range(1, 1 << n_args):
                types = [cnp.NPY_LONG if whole >> i & 1 else cnp.NPY_DOUBLE for i in range(n_args)]
                self.loop[1] = <ad_ufunc_loop *>loop_of(ufunc, types + results, &self.loop_data[1])
                if self.loop[1] != NULL:
                    self.whole = whole
                    break

    def __call__(self, *args, **kwargs):
        cdef list tracked = [], operands = []
        cdef int i
        if kwargs or len(args) != self.n_args or (ad_local.off and ad_local.program == NULL):
            return self.call_others(*args, **kwargs)
        found = self.record(args)
        if found is not None:
            return found
        if self.compute is None:
            return self.call_others(*args)
        for i in range(self.n_args):
            x = args[i]
            if is_tracked(x):
                tracked.append(i)
                operands.append(x)
            elif not is_result(x):
                return self.call_others(*args)
        if not tracked:
            return as_result(self.plain(*args))
        numbers = [kept_numbers(x) for x in args]
        output = as_result(self.compute(*numbers))
        return recorded_call(self.definition, numbers, tracked, operands, output, None)

    cdef int run_loop(self, bint whole, cnp.npy_intp size, const double *const *data,
                      const cnp.npy_intp *step, double *y) except -1:
        """The inner loop over arguments whose elements are `step` doubles apart."""
        cdef char *pointer[MOST_LOOP_ARGS + MOST_LOOP_RESULTS]
        cdef cnp.npy_intp stride[MOST_LOOP_ARGS + MOST_LOOP_RESULTS]
        cdef int i
        for i in range(self.n_args):
            pointer[i], stride[i] = <char *>data[i], step[i] * <cnp.npy_intp>sizeof(double)
        for i in range(self.n_results):
            pointer[self.n_args + i] = <char *>(y + i * size)
            stride[self.n_args + i] = sizeof(double)
        forget_flags()      # SciPy's loops look at what is raised, theirs or not
        if size < LOOP_WITH_LOCK:
            self.loop[whole](pointer, &size, stride, self.loop_data[whole])
        else:
            with nogil:
                self.loop[whole](pointer, &size, stride, self.loop_data[whole])
        return raise_what_is_set()

    cdef object record(self, tuple args):
        """The result of a call as a Tensor; None where this is not the way to it."""
        cdef ad_tape *tape = ad_local.tape
        cdef Tensor t
        cdef const ad_view *shaped = NULL
        cdef cnp.ndarray array
        cdef unsigned tracked = 0, spread = 0, given = 0, integers = 0
        cdef bint whole
        cdef int i
        if tape == NULL or (self.loop[0] == NULL and self.loop[1] == NULL) \
                or (self.compute is None and ad_local.program != NULL):
            return None
        for i in range(self.n_args):
            x = args[i]
            if type(x) is Tensor:
                t = <Tensor>x
                if t.h.tape != tape:
                    return None
                tracked |= <unsigned>1 << i
                if t.h.view != NULL:
                    if shaped != NULL and not views_agree(shaped, t.h.view):
                        return None
                    spread |= <unsigned>1 << i
                    shaped = t.h.view
            elif PyFloat_CheckExact(x):
                given |= <unsigned>1 << i
            elif PyLong_CheckExact(x) and -MOST_INTEGER < x < MOST_INTEGER:
                given |= <unsigned>1 << i
                integers |= <unsigned>1 << i
            elif is_result(x):
                given |= <unsigned>1 << i
                spread |= <unsigned>1 << i
            else:
                return None
        whole = self.loop[1] != NULL and integers & self.whole == self.whole
        if not tracked or self.loop[whole] == NULL:
            return None
        for i in range(self.n_args):    # arrays stand beside a tensor of their shape
            if given & spread & <unsigned>1 << i:
                array = args[i]
                if shaped == NULL or not cnp.PyArray_ISCARRAY_RO(array) \
                        or not array_has_shape(array, shaped):
                    return None
        return self.record_as(tape, args, tracked, spread, given, whole)

    cdef object record_as(self, ad_tape *tape, tuple args, unsigned tracked, unsigned spread,
                          unsigned given, bint whole):
        cdef ElementwiseCall call = ElementwiseCall.__new__(ElementwiseCall)
        cdef ad_view views[MOST_LOOP_ARGS]
        cdef const double *data[MOST_LOOP_ARGS]
        cdef int64_t stride[MOST_LOOP_ARGS]
        cdef ad_view result
        cdef int i, d, n = 0
        cdef int32_t instr
        cdef int64_t size
        call.function, call.tracked, call.spread, call.whole = self, tracked, spread, whole
        if given:
            call.given = [None if tracked >> i & 1 else kept_numbers(args[i])
                          for i in range(self.n_args)]
        for i in range(self.n_args):
            if tracked & spread & <unsigned>1 << i:
                call.ndim = (<Tensor>args[i]).h.view.ndim
                for d in range(call.ndim):
                    call.shape[d] = (<Tensor>args[i]).h.view.shape[d]
                break
        size = call.size()
        check(ad_tape_room(tape, self.n_results * size))    # may move the slots of the operands
        try:
            for i in range(self.n_args):
                if tracked >> i & 1:
                    tensor_view(<Tensor>args[i], &views[n])
                    n += 1
            Py_INCREF(call)
            check(ad_record_call(tape, <void *>call, n, views, self.n_results * size, NULL,
                                 &result))
            instr = tape.n - 1
            try:
                _kept = [loop_operand(tape, &views[i], &data[i], &stride[i]) for i in range(n)]
                call.compute(data, stride, tape.value + tape.dst[instr])
            except BaseException:
                ad_tape_pop(tape)
                raise
        finally:
            for i in range(n):
                ad_view_drop(&views[i])
        if self.n_results == 1:
            result = ad_view_slots(tape.dst[instr], call.ndim, call.shape)
            return settle(tape, &result, True)
        found = []
        for i in range(self.n_results):
            result = ad_view_slots(tape.dst[instr] + i * size, call.ndim, call.shape)
            found.append(settle(tape, &result, True))
        return tuple(found)


cdef object call_of_ufunc(object rule, tuple args):
    """The call of a rule for a ufunc: at once, if its loop records it; else None."""
    cdef ElementwiseFunction function
    if not isinstance(rule, ElementwiseFunction):
        return None
    function = <ElementwiseFunction>rule
    if len(args) != function.n_args or (ad_local.off and ad_local.program == NULL):
        return None
    return function.record(args)


cdef bint views_agree(const ad_view *a, const ad_view *b) noexcept:
    return a.ndim == b.ndim \
        and memcmp(a.shape, b.shape, a.ndim * sizeof(int64_t)) == 0


cdef bint array_has_shape(cnp.ndarray array, const ad_view *like) noexcept:
    cdef int d
    if cnp.PyArray_NDIM(array) != like.ndim:
        return False
    for d in range(like.ndim):
        if cnp.PyArray_DIM(array, d) != like.shape[d]:
            return False
    return True


cdef object loop_operand(ad_tape *tape, const ad_view *view, const double **data,
                         int64_t *stride):
    """Where the elements of a view are; what was made for that, and must be kept, or None."""
    if view.place == AD_SLOTS and (view.ndim <= 1 or ad_view_is_contiguous(view)):
        data[0] = tape.value + view.base
        stride[0] = view.stride[0] if view.ndim == 1 else 1
        return None
    copied = view_values(tape, view)
    stride[0] = 1
    if PyFloat_CheckExact(copied):
        copied = np.array(copied)
    data[0] = <const double *>cnp.PyArray_DATA(<cnp.ndarray>copied)
    return copied


cdef class RowFunction:
    """A row of the op table under another package's name for it.

    `row` is called if an argument is a tensor and there are no options, else `others`.
    """

    cdef readonly object row, others
    cdef dict __dict__

    def __init__(self, row, others):
        self.row, self.others = row, others

    def __call__(self, *args, **kwargs):
        if not kwargs:
            for x in args:
                if type(x) is Tensor:
                    return self.row(*args)
        return self.others(*args, **kwargs)


cdef inline object as_result(object x):
    """A NumPy number as a float; anything else as it is."""
    return float(x) if isinstance(x, float) and not PyFloat_CheckExact(x) else x

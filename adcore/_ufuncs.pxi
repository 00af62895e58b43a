"""Functions of SciPy whose derivatives are rules in Python, and whose values are ufuncs.

A call whose operands have one shape, or are numbers, is recorded by the inner loop of the ufunc,
without an array being made: it reads the operands on the tape and writes its results there.  What
the tape keeps is an ElementwiseCall, of which a sweep makes the rule that _calls.pxi asks for.
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
    LOOP_WITH_LOCK = 1000   # elements below which letting go of Python's lock does not pay


@cython.final
@cython.no_gc
@cython.freelist(256)
cdef class ElementwiseCall:
    """What the tape keeps of a call of an ElementwiseFunction that was recorded by its loop."""

    cdef ElementwiseFunction function
    cdef list given         # per argument: a constant, or None for an operand; None if all are
    cdef unsigned tracked   # bit i: argument i is an operand
    cdef unsigned spread    # bit i: argument i has the shape of the result, else it is a number
    cdef int ndim
    cdef int64_t shape[AD_MAX_DIMS]

    cdef object constant(self, int i):
        return None if self.given is None else self.given[i]

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
            else:
                number[i] = PyFloat_AS_DOUBLE(self.given[i])
                data[i] = &number[i]
        return self.function.run_loop(self.size(), data, step, y)

    cdef CallRecord rule(self, list numbers, values):
        """The rule of the call, for numbers of the arguments and of the results."""
        cdef CallRecord rule = _call_record.__new__(_call_record)
        rule.definition, rule.numbers, rule.structure = self.function.definition, numbers, _leaf
        rule.tracked = [i for i in range(self.function.n_args) if self.tracked >> i & 1]
        rule.shapes, rule.values = [self.lengths()], [values]
        return rule

    cdef CallRecord bare_rule(self):
        """The rule where no more is needed of operands and results than their shapes."""
        zeros = np.broadcast_to(0.0, self.lengths()) if self.ndim else 0.0
        numbers = [(zeros if self.spread >> i & 1 else 0.0) if self.tracked >> i & 1
                   else self.constant(i) for i in range(self.function.n_args)]
        return self.rule(numbers, zeros)

    cdef CallRecord rule_on(self, ad_tape *tape, int32_t instr):
        """The rule with the numbers that are on a tape."""
        cdef ad_view views[MOST_LOOP_ARGS]
        cdef ad_view results = ad_view_slots(tape.dst[instr], self.ndim, self.shape)
        cdef int i, k = 0
        cdef list numbers = []
        ad_tape_views(tape, instr, views, MOST_LOOP_ARGS)
        for i in range(self.function.n_args):
            if self.tracked >> i & 1:
                numbers.append(view_values(tape, &views[k]))
                k += 1
            else:
                numbers.append(self.constant(i))
        return self.rule(numbers, view_values(tape, &results))

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
    `plain` the same where no argument is traced.  A method call_others() of the derived class is
    called instead unless the arguments are such numbers and tracked tensors.
    """

    cdef public object definition
    cdef readonly object compute, plain
    cdef readonly int n_args
    cdef ad_ufunc_loop *loop    # that of `compute`, a ufunc of doubles; else NULL
    cdef void *loop_data

    def __init__(self, compute, plain, int n_args):
        self.compute, self.plain, self.n_args = compute, plain, n_args
        self.loop = NULL
        if isinstance(compute, np.ufunc) and n_args <= MOST_LOOP_ARGS:
            self.loop = <ad_ufunc_loop *>double_loop(compute, n_args, &self.loop_data)

    def __call__(self, *args, **kwargs):
        cdef list tracked = [], operands = []
        cdef int i
        if kwargs or len(args) != self.n_args or (ad_local.off and ad_local.program == NULL):
            return self.call_others(*args, **kwargs)
        if self.loop != NULL:
            found = self.record(args)
            if found is not None:
                return found
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

    cdef int run_loop(self, cnp.npy_intp size, const double *const *data,
                      const cnp.npy_intp *step, double *y) except -1:
        """The inner loop over arguments whose elements are `step` doubles apart."""
        cdef char *pointer[MOST_LOOP_ARGS + 1]
        cdef cnp.npy_intp stride[MOST_LOOP_ARGS + 1]
        cdef int i
        for i in range(self.n_args):
            pointer[i], stride[i] = <char *>data[i], step[i] * <cnp.npy_intp>sizeof(double)
        pointer[self.n_args], stride[self.n_args] = <char *>y, sizeof(double)
        forget_flags()      # SciPy's loops look at what is raised, theirs or not
        if size < LOOP_WITH_LOCK:
            self.loop(pointer, &size, stride, self.loop_data)
        else:
            with nogil:
                self.loop(pointer, &size, stride, self.loop_data)
        return raise_what_is_set()

    cdef object record(self, tuple args):
        """The result of a call as a Tensor; None where this is not the way to it."""
        cdef ad_tape *tape = ad_local.tape
        cdef Tensor t
        cdef const ad_view *shaped = NULL
        cdef cnp.ndarray array
        cdef unsigned tracked = 0, spread = 0, given = 0
        cdef int i
        if tape == NULL:
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
            elif PyFloat_CheckExact(x) or PyLong_CheckExact(x):
                given |= <unsigned>1 << i
            elif is_result(x):
                given |= <unsigned>1 << i
                spread |= <unsigned>1 << i
            else:
                return None
        if not tracked:
            return None
        for i in range(self.n_args):    # arrays stand beside a tensor of their shape
            if given & spread & <unsigned>1 << i:
                array = args[i]
                if shaped == NULL or not cnp.PyArray_ISCARRAY_RO(array) \
                        or not array_has_shape(array, shaped):
                    return None
        return self.record_as(tape, args, tracked, spread, given)

    cdef Tensor record_as(self, ad_tape *tape, tuple args, unsigned tracked, unsigned spread,
                          unsigned given):
        cdef ElementwiseCall call = ElementwiseCall.__new__(ElementwiseCall)
        cdef ad_view views[MOST_LOOP_ARGS]
        cdef const double *data[MOST_LOOP_ARGS]
        cdef int64_t stride[MOST_LOOP_ARGS]
        cdef ad_view result
        cdef ad_status status
        cdef int i, d, n = 0
        cdef int32_t instr
        call.function, call.tracked, call.spread = self, tracked, spread
        if given:
            call.given = [None if tracked >> i & 1 else kept_numbers(args[i]) if spread >> i & 1
                          else float(args[i]) for i in range(self.n_args)]
        for i in range(self.n_args):
            if tracked & spread & <unsigned>1 << i:
                call.ndim = (<Tensor>args[i]).h.view.ndim
                for d in range(call.ndim):
                    call.shape[d] = (<Tensor>args[i]).h.view.shape[d]
                break
        check(ad_tape_room(tape, call.size()))      # may move the slots of the operands
        try:
            for i in range(self.n_args):
                if tracked >> i & 1:
                    tensor_view(<Tensor>args[i], &views[n])
                    n += 1
            Py_INCREF(call)
            check(ad_record_call(tape, <void *>call, n, views, call.size(), NULL, &result))
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
        if ad_local.off == 0 and call.ndim == 0:
            return new_scalar(tape, instr, tape.dst[instr])
        result = ad_view_slots(tape.dst[instr], call.ndim, call.shape)
        return settle(tape, &result, True)


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



"""Recording programs: a function run once on a tape of its own, with what Python saw guarded."""

cdef extern from "Python.h":
    PyObject *PyEval_GetFrame()
    object PyFrame_GetCode(PyObject *frame)
    PyObject *PyFrame_GetBack(PyObject *frame)
    int PyFrame_GetLasti(PyObject *frame)
    int PyFrame_GetLineNumber(PyObject *frame)
    void Py_XDECREF(PyObject *o)

cdef str _package = __file__[:max(__file__.rfind("/"), __file__.rfind("\\")) + 1]


cdef class _Recording:
    """What is known of the user's code while a program is recorded."""

    cdef ad_program *program
    cdef dict origins       # (id of a code object, instruction) -> origin
    cdef dict own           # id of a code object -> is it adcore's
    cdef list codes         # keeps the code objects, and so their ids

    cdef int32_t here(self) except -2:
        """The origin of what is being recorded: the innermost line outside of adcore."""
        cdef PyObject *frame = PyEval_GetFrame()
        cdef PyObject *back
        cdef bint held = False
        cdef int32_t origin = -1
        while frame != NULL:
            code = PyFrame_GetCode(frame)
            key = id(code)
            own = self.own.get(key)
            if own is None:
                own = self.own[key] = code.co_filename.startswith(_package)
                self.codes.append(code)
            if not own:
                at = (key, PyFrame_GetLasti(frame))
                found = self.origins.get(at)
                if found is None:
                    origin = ad_program_origin(
                        self.program, code.co_filename.encode(), code.co_qualname.encode(),
                        PyFrame_GetLineNumber(frame))
                    self.origins[at] = origin
                else:
                    origin = found
                break
            back = PyFrame_GetBack(frame)
            if held:
                Py_XDECREF(frame)
            frame, held = back, True
        if held:
            Py_XDECREF(frame)
        return origin


cdef void watch_recording(ad_tape *tape) noexcept:
    cdef _Recording recording
    if tape != ad_local.tape or ad_local.program == NULL:
        return
    recording = _thread_state.recording
    try:
        ad_tape_here(tape, recording.here())
    except BaseException:
        pass        # without memory for an origin; the recording goes on without


def is_compiling():
    """Is a program being recorded on this thread?"""
    return ad_local.program != NULL


cdef object guarded(Tensor t, int kind):
    """The numbers of a tensor, which a replay must find again."""
    cdef ad_view view = ad_handle_get(&t.h)
    cdef _Recording recording = getattr(_thread_state, "recording", None)
    cdef int32_t origin = ad_local.tape.here    # while a derivative is recorded: of what it is of
    if recording is not None and recording.program == ad_local.program:
        origin = recording.here()
    value = t.peek()
    cdef cnp.ndarray numbers = np.ascontiguousarray(value, dtype=np.float64)
    check(ad_program_add_guard(ad_local.program, kind, origin, &view,
                               <const double *>cnp.PyArray_DATA(numbers)))
    return value


cdef bint is_stopped(Tensor t):
    """Is this, on the tape of a program, what detach() gave?"""
    cdef ad_view view = ad_handle_get(&t.h)
    cdef int32_t low = ad_view_lowest(&view)
    return ad_local.program != NULL and t.h.tape == ad_local.tape and low != 2147483647 \
        and ad_tape_code(t.h.tape, ad_tape_producer(t.h.tape, low)) == AD_OP_stop


cdef object compare(object left, object right, int how):
    """A comparison on the tape of a program: of scalars a bool, guarded; of arrays a Mask."""
    # < <= == != > >= are numbered so
    cdef int op = [AD_OP_less, AD_OP_less_equal, AD_OP_equal, AD_OP_not_equal, AD_OP_less,
                   AD_OP_less_equal][how]
    out = apply_two(op, right, left) if how > 3 else apply_two(op, left, right)
    if out is NotImplemented:
        return out
    if not is_tracked(out):
        return truths((<Tensor>out).constant)
    if (<Tensor>out).ndim == 0:
        return bool(guarded(<Tensor>out, AD_GUARD_TRUTH))
    return METHODS["_mask"](out)


cdef object truths(object numbers):
    return numbers != 0


def guarded_truths(Tensor t):
    """The truths in a tensor of 0 and 1, a bool or an array, which a replay must find again."""
    if t.h.tape == NULL:
        return truths(t.constant)
    return truths(guarded(t, AD_GUARD_MASK if t.ndim else AD_GUARD_TRUTH))


cdef Tensor tensor_of_input(ad_program *program, int k):
    cdef Tensor t = Tensor.__new__(Tensor)
    cdef ad_view view = program.inputs[k]
    if view.ndim == 0:
        ad_handle_scalar(&t.h, program.tape, k, <int32_t>view.base)
    elif not ad_handle_view(&t.h, program.tape, &view):
        t.h.tape = NULL
        raise MemoryError("no memory for a tensor")
    return t


cdef class Program:
    """A recording: arrays in, arrays out, and the guards that say whether they count.

    Made by record_program().
    """

    cdef ad_program *program
    cdef object lock
    cdef readonly list input_shapes     # one tuple per input
    cdef readonly list output_shapes
    cdef dict known                     # (kind, wanted inputs) -> Program of a derivative

    def __dealloc__(self):
        ad_program_free(self.program)

    cdef int take(self, ad_program *program) except -1:
        """Own a C program from here on."""
        self.program = program
        self.known = {}
        self.lock = __import__("threading").Lock()
        self.input_shapes = [view_shape(&program.inputs[k]) for k in range(program.n_inputs)]
        self.output_shapes = [view_shape(&program.outputs[k]) for k in range(program.n_outputs)]
        return 0

    def run(self, list inputs, list outputs):
        """Fill the outputs; returns (-1, None), or the first guard that differs and what it saw.

        Both are lists of C-contiguous float64 arrays of the program's shapes.
        """
        cdef const double **given = <const double **>PyMem_Malloc(
            (len(inputs) + len(outputs) + 1) * sizeof(double *))
        cdef double **found = <double **>given + len(inputs)
        cdef int failed = -1
        cdef ad_status status
        cdef Py_ssize_t k
        if given == NULL:
            raise MemoryError("no memory to run a program")
        try:
            for k in range(len(inputs)):
                given[k] = <const double *>cnp.PyArray_DATA(<cnp.ndarray?>inputs[k])
            for k in range(len(outputs)):
                found[k] = <double *>cnp.PyArray_DATA(<cnp.ndarray?>outputs[k])
            with self.lock:
                with nogil:
                    status = ad_program_replay(self.program, given, found, &failed)
                check(status)
                return failed, None if failed < 0 else self.outcome(failed)
        finally:
            PyMem_Free(given)

    def derived(self, str kind, tuple wanted):
        """The program of a derivative with respect to the wanted inputs; made when first asked for.

        ==================  =========================  ==========================================
        kind                inputs after the program's outputs
        ==================  =========================  ==========================================
        value_and_grad                                 the program's; an adjoint per wanted input
        grad                                           an adjoint per wanted input
        vjp                 an adjoint per output      the same
        jvp                 a tangent per wanted one   a tangent per output
        ==================  =========================  ==========================================
        """
        found = self.known.get((kind, wanted))
        if found is None:
            with self.lock:
                found = self.known.get((kind, wanted))
                if found is None:
                    found = self.known[kind, wanted] = self.derive(kind, wanted)
        return found

    cdef Program derive(self, str kind, tuple wanted):
        cdef cnp.ndarray picked = np.array(wanted, dtype=np.intc)
        cdef const int *w = <const int *>cnp.PyArray_DATA(picked)
        cdef int n = len(wanted)
        cdef ad_program *raw = NULL
        cdef ad_program *lean = NULL
        cdef Program out = Program.__new__(Program)
        if kind in ("jvp", "value_and_jvp"):
            check(ad_derive_forward(self.program, n, w, kind != "jvp", &raw))
        elif kind in ("grad", "value_and_grad", "vjp"):
            check(ad_derive_reverse(self.program, n, w, kind != "vjp", kind == "value_and_grad",
                                    &raw))
        else:
            raise ValueError(f"no derivative is called {kind!r}")
        try:
            check(ad_pass_dead(raw, &lean))
        finally:
            ad_program_free(raw)
        out.take(lean)
        return out

    cdef object outcome(self, int k):
        """The numbers that guard k saw in the last run, as bytes."""
        cdef ad_guard *guard = &self.program.guards[k]
        cdef cnp.ndarray out = np.empty(guard.n)
        ad_view_read(&guard.view, self.program.tape.value, <double *>cnp.PyArray_DATA(out))
        return out.tobytes()

    @property
    def guards(self):
        """(kind, file, line, function, expected numbers) of each guard."""
        cdef int k
        cdef ad_guard *guard
        out = []
        for k in range(self.program.n_guards):
            guard = &self.program.guards[k]
            expected = np.empty(guard.n)
            memcpy(cnp.PyArray_DATA(<cnp.ndarray>expected), guard.expected,
                   guard.n * sizeof(double))
            out.append((("truth", "mask", "value")[guard.kind], *self.origin(guard.origin),
                        expected))
        return out

    cdef tuple origin(self, int32_t j):
        """(file, line, function)"""
        if j < 0:
            return ("", 0, "")
        return (self.program.origins[j].file.decode(), self.program.origins[j].line,
                self.program.origins[j].function.decode())


def record_program(function, list inputs):
    """Run `function` on a tape of its own.

    Parameters
    ----------
    function : callable
        Called with one tensor per input, or a list of scalar tensors for those marked so; returns a
        list of leaves.
    inputs : list of (array, bool)
        C-contiguous float64 arrays, and whether to give a list of scalars (of one dimension).

    Returns
    -------
    Program
    list
        For each leaf that varies the number of its output, and other leaves as they are: pairs
        (True, k) and (False, leaf).
    """
    cdef ad_program *program = ad_program_new()
    cdef ad_program *frozen = NULL
    cdef ad_local_state outside = ad_local
    cdef int64_t shape[16]
    cdef int d, k = 0
    cdef Tensor t
    cdef ad_view view
    cdef _Recording recording
    cdef Program out
    if program == NULL:
        raise MemoryError("no memory for a program")
    recording_outside = getattr(_thread_state, "recording", None)
    recording = _Recording.__new__(_Recording)
    recording.program = program
    recording.origins, recording.own, recording.codes = {}, {}, []
    program.tape.hooks = &call_hooks
    try:
        for array, _ in inputs:
            if array.ndim > AD_MAX_DIMS:
                raise ShapeError(f"an array may have at most {AD_MAX_DIMS} dimensions")
            for d in range(array.ndim):
                shape[d] = array.shape[d]
            check(ad_program_add_input(program, array.ndim, shape,
                                       <const double *>cnp.PyArray_DATA(<cnp.ndarray?>array)))
        ad_local.tape, ad_local.off, ad_local.program = program.tape, 0, program
        _thread_state.recording = recording
        ad_tape_watch(program.tape, watch_recording)
        try:
            given = []
            for array, scalars in inputs:
                if scalars:
                    view = program.inputs[k]
                    given.append([new_scalar(program.tape, k, <int32_t>(view.base + d))
                                  for d in range(<int>view.shape[0])])
                else:
                    given.append(tensor_of_input(program, k))
                k += 1
            leaves = function(given)
            where = []
            for leaf in leaves:
                if not is_tracked(leaf):
                    where.append((False, leaf))
                    continue
                t = leaf
                if t.h.tape != program.tape:
                    raise_foreign(t)
                view = ad_handle_get(&t.h)
                check(ad_program_add_output(program, &view))
                where.append((True, program.n_outputs - 1))
            given = leaves = leaf = t = None
        finally:
            ad_tape_watch(program.tape, NULL)
            ad_tape_here(program.tape, -1)
            ad_local.tape, ad_local.off = outside.tape, outside.off
            ad_local.program = outside.program
            _thread_state.recording = recording_outside
        check(ad_pass_dead(program, &frozen))
    finally:
        ad_program_free(program)
    out = Program.__new__(Program)
    out.take(frozen)
    return out, where

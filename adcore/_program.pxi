"""Recording programs: a function run once on a tape of its own, with what Python saw guarded."""

cdef extern from "Python.h":
    PyObject *PyEval_GetFrame()
    object PyFrame_GetCode(PyObject *frame)
    PyObject *PyFrame_GetBack(PyObject *frame)
    int PyFrame_GetLasti(PyObject *frame)
    int PyFrame_GetLineNumber(PyObject *frame)
    void Py_XDECREF(PyObject *o)

cdef str folder_of(str file):
    return file[:max(file.rfind("/"), file.rfind("\\")) + 1]


cdef tuple _libraries = (folder_of(__file__), folder_of(np.__file__))


cdef class _Recording:
    """What is known of the user's code while a program is recorded."""

    cdef ad_program *program
    cdef dict origins       # (id of a code object, instruction) -> origin
    cdef dict own           # id of a code object -> is it adcore's or NumPy's
    cdef list codes         # keeps the code objects, and so their ids

    cdef int32_t here(self) except -2:
        """The origin of what is being recorded: the innermost line outside of adcore and NumPy."""
        cdef PyObject *frame = PyEval_GetFrame()
        cdef PyObject *back
        cdef bint held = False
        cdef int32_t origin = -1
        while frame != NULL:
            code = PyFrame_GetCode(frame)
            key = id(code)
            own = self.own.get(key)
            if own is None:
                own = self.own[key] = code.co_filename.startswith(_libraries)
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


def aside(function, *args):
    """function(*args), recorded on this thread's own tape: not part of a program being recorded.

    No tensor of that program may be among what the function reads.
    """
    cdef ad_local_state outside = ad_local
    recording = getattr(_thread_state, "recording", None)
    owner = getattr(_thread_state, "owner", None)
    ad_local.tape = NULL if owner is None else (<_Owner>owner).tape
    ad_local.off, ad_local.program = 0, NULL
    _thread_state.recording = None
    try:
        return function(*args)
    finally:
        restore(outside)
        _thread_state.recording = recording


cdef object guarded(Tensor t, int kind):
    """The numbers of a tensor, which a replay must find again."""
    if t.h.tape != ad_local.tape:
        raise_foreign(t)
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


cdef inline bint stops(int code):
    """Does no derivative go through an op, whose results are plain numbers outside of programs?"""
    return code in (AD_OP_stop, AD_OP_less, AD_OP_less_equal, AD_OP_equal, AD_OP_not_equal,
                    AD_ARGSORT)


cdef bint is_stopped(Tensor t):
    """Is this, on the tape of a program, what would be a constant without it?

    That is if it depends on the inputs through detach(), comparisons and the like alone.
    """
    cdef ad_tape *tape = t.h.tape
    cdef cnp.ndarray reached
    cdef uint8_t *flags
    cdef int32_t i, last
    if ad_local.program == NULL or tape != ad_local.tape:
        return False
    if t.ndim == 0 and stops(ad_tape_code(tape, t.h.instr)):
        return True
    reached = np.zeros(tape.n_slots + 1, dtype=np.uint8)
    slots = slots_of(t)
    reached[slots[slots >= 0]] = 1
    flags = <uint8_t *>cnp.PyArray_DATA(reached)
    last = tape.n - 1
    for i in range(tape.n - 1, -1, -1):
        if stops(ad_tape_code(tape, i)):
            check(ad_tape_depends(tape, i + 1, last, 0, flags))
            memset(flags + tape.dst[i], 0, ad_tape_length(tape, i))
            last = i - 1
    check(ad_tape_depends(tape, 0, last, 0, flags))
    for i in range(tape.n):
        if ad_tape_code(tape, i) == AD_INPUT:
            if reached[tape.dst[i]:tape.dst[i] + ad_tape_length(tape, i)].any():
                return False
    return True


cdef object compare(object left, object right, int how):
    """A comparison on the tape of a program: of scalars a bool, guarded; of arrays a Mask."""
    # < <= == != > >= are numbered so
    cdef int op = [AD_OP_less, AD_OP_less_equal, AD_OP_equal, AD_OP_not_equal, AD_OP_less,
                   AD_OP_less_equal][how]
    out = apply_two(op, right, left) if how > 3 else apply_two(op, left, right)
    if type(out) is not Tensor:     # not an operand, or a complex one
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
    if t.h.tape == NULL or ad_local.program == NULL:    # a mask may outlive its recording
        return truths(t.peek())
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


cdef enum:
    MOST_FRAMES = 8         # kept for the next run; more are made where more threads run at a time
    MOST_SKIPPED = 15       # calls that go by lanes before edges are tried again
    MUCH_WORK = 20000       # bytes of a plan and a frame from which on other threads may run too


cdef int replay_on_tape(ad_program *program, list inputs) except -1:
    """Let the values on the tape be those at the inputs."""
    cdef int k, failed
    cdef const double **given = <const double **>PyMem_Malloc(
        (program.n_inputs + program.n_outputs + 1) * sizeof(double *))
    if given == NULL:
        raise MemoryError()
    cdef double **found = <double **>given + program.n_inputs
    outputs = [np.empty(view_shape(&program.outputs[k])) for k in range(program.n_outputs)]
    try:
        for k in range(program.n_inputs):
            given[k] = <const double *>cnp.PyArray_DATA(<cnp.ndarray?>inputs[k])
        for k in range(program.n_outputs):
            found[k] = <double *>cnp.PyArray_DATA(<cnp.ndarray>outputs[k])
        check(ad_program_replay(program, given, found, &failed))
    finally:
        PyMem_Free(given)
    return 0


cdef tuple taken_pattern(ad_pattern *pattern):
    """(indptr, indices, shape) of a pattern, which is freed; the arrays cannot be written to."""
    cdef int64_t n = pattern.n_rows, n_entries = pattern.start[pattern.n_rows]
    try:
        kind = np.int32 if n_entries <= np.iinfo(np.int32).max else np.int64
        start = np.asarray(<int64_t[:n + 1]>pattern.start).astype(kind)
        column = np.empty(n_entries, np.int32)
        memcpy(cnp.PyArray_DATA(<cnp.ndarray>column), pattern.column, n_entries * sizeof(int32_t))
        start.flags.writeable = column.flags.writeable = False
        return start, column.astype(kind, copy=False), (n, pattern.n_columns)
    finally:
        ad_pattern_free(pattern)


cdef dict sparse_jacobian_modes = {
    "sparse_jacobian": AD_JACOBIAN_AUTO,
    "sparse_jacobian_columns": AD_JACOBIAN_FORWARD,
    "sparse_jacobian_rows": AD_JACOBIAN_REVERSE,
    "sparse_jacobian_bicolor": AD_JACOBIAN_BOTH,
}


cdef class Program:
    """A recording: arrays in, arrays out, and the guards that say whether they count.

    Made by record_program().
    """

    cdef ad_program *program
    cdef ad_program *values             # without what only derivatives need; NULL: the same
    cdef bint has_values                # or it is not known yet
    cdef ad_pass_report report
    cdef bint reassociate
    cdef ad_plan *plan                  # made at the first run
    cdef ad_frame *spare[MOST_FRAMES]   # frames that no run uses at the moment
    cdef int n_spare
    cdef bint alone                     # a run is so short that it keeps the GIL
    cdef ad_native *native              # machine code of the program, or NULL; see use_native()
    cdef int64_t n_native               # doubles that it works in
    cdef object library                 # keeps it loaded
    cdef public object backend          # what compile() has made of it: None before it is asked
    cdef object lock
    cdef readonly list input_shapes     # one tuple per input
    cdef readonly list output_shapes
    cdef dict known                     # (kind, wanted inputs) -> Program of a derivative
    cdef readonly object pattern        # of a sparse derivative, the last output; or None
    cdef readonly object directions     # of a sparse Jacobian: (of columns, of rows)
    cdef readonly tuple pushed          # of one by edges: how many, and costs as in ad_pushed
    cdef tuple asked                    # of one by edges: (Program, kind, wanted) that it is of
    cdef Program lanes                  # the same in lanes, for points where edges do not do
    cdef int n_doubts, n_skipped        # such points in a row; calls to go by lanes unasked
    cdef public object template         # makes the last output what the caller sees, or None

    def __dealloc__(self):
        while self.n_spare > 0:
            self.n_spare -= 1
            ad_frame_free(self.spare[self.n_spare])
        ad_plan_free(self.plan)
        ad_program_free(self.values)
        ad_program_free(self.program)

    cdef const ad_program *to_run(self) except NULL:
        """The program without what only its derivatives need."""
        if not self.has_values:
            check(ad_pass_values(self.program, &self.values))
            self.has_values = True
        return self.program if self.values == NULL else self.values

    cdef int make_plan(self) except -1:
        cdef ad_plan *plan = NULL
        with self.lock:
            if self.plan == NULL:
                check(ad_plan_new(self.to_run(), &plan))
                plan.native, plan.n_native = self.native, self.n_native
                self.alone = ad_plan_bytes(plan) + ad_plan_frame_bytes(plan) < MUCH_WORK
                self.plan = plan
        return 0

    cdef ad_frame *take_frame(self) except NULL:
        cdef ad_frame *frame
        if self.plan == NULL:
            self.make_plan()
        if self.n_spare > 0:
            self.n_spare -= 1
            return self.spare[self.n_spare]
        frame = ad_frame_new(self.plan)
        if frame == NULL:
            raise MemoryError("no memory to run a program")
        return frame

    cdef void give_frame(self, ad_frame *frame) noexcept:
        if self.n_spare < MOST_FRAMES:
            self.spare[self.n_spare] = frame
            self.n_spare += 1
        else:
            ad_frame_free(frame)

    cdef int take(self, ad_program *raw, bint reassociate) except -1:
        """Own a C program from here on, once it is optimised; frees the other."""
        cdef ad_program *optimised = NULL
        try:
            check(ad_optimise(raw, reassociate, &optimised, &self.report))
        finally:
            ad_program_free(raw)
        return self.own(optimised, reassociate)

    cdef int own(self, ad_program *program, bint reassociate) except -1:
        """Own a C program that is optimised, or was before it was saved."""
        cdef int k
        self.program = program
        self.known = {}
        self.lock = __import__("_thread").allocate_lock()
        self.reassociate = reassociate
        self.input_shapes = [view_shape(&self.program.inputs[k])
                             for k in range(self.program.n_inputs)]
        self.output_shapes = [view_shape(&self.program.outputs[k])
                              for k in range(self.program.n_outputs)]
        return 0

    def to_bytes(self):
        """The program as the bytes of a file, for read_program(); see docs/format.md.

        Raises FormatError, naming the line, where a rule in Python is part of it.
        """
        return program_bytes(self.program)

    def run(self, list inputs, list outputs):
        """Fill the outputs; returns (-1, None), or the first guard that differs and what it saw.

        Both are lists of C-contiguous float64 arrays of the program's shapes.
        """
        cdef const double *few[16]
        cdef const double **given = few
        cdef double **found
        cdef ad_frame *frame = self.take_frame()
        cdef int failed = -1
        cdef ad_status status
        cdef Py_ssize_t k, n = len(inputs), m = len(outputs)
        if self.n_skipped > 0:
            self.n_skipped -= 1
            self.give_frame(frame)
            return self.in_lanes().run(inputs, outputs)
        if n + m > 16:
            given = <const double **>PyMem_Malloc((n + m) * sizeof(double *))
            if given == NULL:
                self.give_frame(frame)
                raise MemoryError("no memory to run a program")
        found = <double **>given + n
        try:
            for k in range(n):
                given[k] = <const double *>cnp.PyArray_DATA(<cnp.ndarray?>inputs[k])
            for k in range(m):
                found[k] = <double *>cnp.PyArray_DATA(<cnp.ndarray?>outputs[k])
            if self.alone:
                status = ad_run(self.plan, frame, given, found, &failed)
            else:
                with nogil:
                    status = ad_run(self.plan, frame, given, found, &failed)
            check(status)
            if self.asked is not None:
                if failed >= 0 and failed == self.program.n_guards - 1:
                    self.n_doubts = min(2 * self.n_doubts + 1, MOST_SKIPPED)
                    self.n_skipped = self.n_doubts
                    return self.in_lanes().run(inputs, outputs)
                self.n_doubts = 0
            return failed, None if failed < 0 else self.outcome(frame, failed)
        finally:
            self.give_frame(frame)
            if given != few:
                PyMem_Free(given)

    cdef Program in_lanes(self):
        """Where a weight of an edge is not finite, lanes have rules for what to make of it."""
        cdef Program source
        if self.lanes is None:
            source, kind, wanted = self.asked
            with source.lock:
                if self.lanes is None:
                    self.lanes = source.derive(kind, wanted, False)
        return self.lanes

    def as_c(self, str name):
        """A C function of the program.

        Returns
        -------
        str
            The function and its tables; see ad_to_c.h for how it is called.
        int
            Doubles that it works in.
        bytes
            Which ops it calls, for ops_as_c().
        """
        cdef const ad_program *program = NULL
        with self.lock:
            program = self.to_run()
        written = written_as_c(program, name)
        if len(written) == 1:
            file, line, where = self.origin(ad_tape_origin(program.tape, written[0]))
            if ad_tape_code(program.tape, written[0]) == AD_KERNEL:
                name = kernel_name(program.tape.aux[program.tape.a[written[0]] + 4])
                what = f"{name} cannot be written as C" if name in ("convolve", "line") else \
                    f"linear algebra ({name}) cannot be written as C, which has no LAPACK"
                remedy = "; leave backend=\"c\" out, or use save() instead of to_c()"
            else:
                rule = rule_of(program.tape, written[0])
                what = f"{rule.name} is a rule written in Python, which cannot be written as C"
                remedy = "; write the function in adcore's own functions"
            raise errors.TapeError(what + (f": {file}:{line} in {where}" if file else "") + remedy)
        return written

    def use_native(self, size_t address, int64_t n_work, library):
        """Run the C function at `address`, of which `library` is kept; before the first run."""
        with self.lock:
            if self.plan != NULL:
                raise RuntimeError("the program has been run")
            self.native, self.n_native, self.library = <ad_native *>address, n_work, library

    def derived(self, str kind, tuple wanted):
        """The program of a derivative with respect to the wanted inputs; made when first asked for.

        ==================  =========================  ==========================================
        kind                inputs after the program's outputs
        ==================  =========================  ==========================================
        value_and_grad                                 the program's; an adjoint per wanted input
        grad                                           an adjoint per wanted input
        vjp                 an adjoint per output      the same
        jvp                 a tangent per wanted one   a tangent per output
        value_and_jvp       the same                   the program's; a tangent per output
        jacobian                                       a block per output and wanted input
        hessian                                        a block per wanted input and wanted input
        value_grad_and_...                             value; an adjoint per wanted input; blocks
        sparse_jacobian                                the entries of `pattern`
        sparse_jacobian_...                            the same: by columns, by rows or by both
        sparse_hessian                                 the entries of `pattern`
        value_grad_and_sparse_...                      value; adjoints; the entries of `pattern`
        sparse_hessian_in_lanes                        the entries of `pattern`, not by edges
        ==================  =========================  ==========================================
        """
        found = self.known.get((kind, wanted))
        if found is None:
            with self.lock:
                found = self.known.get((kind, wanted))
                if found is None:
                    found = self.known[kind, wanted] = self.derive(kind, wanted, True)
        return found

    cdef Program derive(self, str kind, tuple wanted, bint by_edges):
        check(ad_program_wake(self.program))
        cdef cnp.ndarray picked = np.array(wanted, dtype=np.intc)
        cdef const int *w = <const int *>cnp.PyArray_DATA(picked)
        cdef int n = len(wanted)
        cdef ad_program *raw = NULL
        cdef ad_pattern entries
        cdef ad_jacobian_lanes lanes
        cdef ad_pushed pushed
        cdef Program out = Program.__new__(Program)
        if kind in ("jvp", "value_and_jvp"):
            check(ad_derive_forward(self.program, n, w, kind != "jvp", &raw))
        elif kind in ("grad", "value_and_grad", "vjp"):
            check(ad_derive_reverse(self.program, n, w, kind != "vjp", kind == "value_and_grad",
                                    &raw))
        elif kind == "jacobian":
            check(ad_derive_jacobian(self.program, n, w, AD_JACOBIAN_AUTO, False, &raw))
        elif kind in ("hessian", "value_grad_and_hessian"):
            check(ad_derive_hessian(self.program, n, w, kind != "hessian", &raw))
        elif kind in sparse_jacobian_modes:
            check(ad_derive_sparse_jacobian(self.program, n, w, sparse_jacobian_modes[kind], False,
                                            &entries, &lanes, &raw))
            out.pattern = taken_pattern(&entries)
            out.directions = lanes.forward, lanes.reverse
        elif kind in ("sparse_hessian", "value_grad_and_sparse_hessian", "sparse_hessian_in_lanes"):
            by_edges = by_edges and kind != "sparse_hessian_in_lanes"
            check(ad_derive_sparse_hessian(self.program, n, w, kind.startswith("value"), &entries,
                                           &raw, &pushed if by_edges else NULL))
            out.pattern = taken_pattern(&entries)
            if by_edges and pushed.edges > 0:
                out.pushed = (pushed.edges, pushed.cost[0], pushed.cost[1])
                if pushed.guarded:
                    out.asked = (self, kind, wanted)
        else:
            raise ValueError(f"no derivative is called {kind!r}")
        out.take(raw, self.reassociate)
        return out

    def depends(self, tuple wanted, bint second, list at=None, int64_t most=2**31 - 1):
        """The pattern of the Jacobian of all outputs, or the Hessian of any of their combinations.

        (indptr, indices, shape) of it as a CSR matrix, rows being elements of the outputs and
        columns of the wanted inputs; with `at`, arrays of all inputs, that at these.  None if it
        has more than `most` entries.
        """
        cdef Program there
        if at is not None:
            there = Program.__new__(Program)
            check(ad_program_copy(self.program, &there.program))
            replay_on_tape(there.program, at)
            return there.depends_on_values(wanted, second, True, most)
        return self.depends_on_values(wanted, second, False, most)

    cdef tuple depends_on_values(self, tuple wanted, bint second, bint local, int64_t most):
        cdef cnp.ndarray picked = np.array(wanted, dtype=np.intc)
        cdef ad_depend_question question
        cdef ad_pattern pattern
        cdef c_bool known
        question.program = self.program
        question.n_wanted = len(wanted)
        question.wanted = <const int *>cnp.PyArray_DATA(picked)
        question.first, question.n_outputs = 0, self.program.n_outputs
        question.local, question.most = local, most
        if second:
            check(ad_depend_hessian(&question, &known, &pattern))
        else:
            check(ad_depend_jacobian(&question, &known, &pattern))
        return taken_pattern(&pattern) if known else None

    cdef object outcome(self, ad_frame *frame, int k):
        """The numbers that guard k saw in a run, as bytes."""
        cdef cnp.ndarray out = np.empty(self.program.guards[k].n)
        ad_frame_outcome(self.plan, frame, k, <double *>cnp.PyArray_DATA(out))
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


# ---- short calls ----


cdef enum:
    MOST_ARGS = 8
    MOST_RESULTS = 8


cdef class Entry:
    """A way in for the commonest calls: floats and arrays, of the shapes of the call before.

    Any other call, and one for which the program does not hold, goes to `slow`; with sparse=True
    to `sparse`, another Entry.
    """

    cdef object slow
    cdef public Entry sparse
    cdef Program program
    cdef bint valued            # the first result is the value: (value, others...)
    cdef int n_args, n_results
    cdef int ndim[MOST_ARGS]    # -1: a float
    cdef cnp.npy_intp *dims[MOST_ARGS]
    cdef int result_ndim[MOST_RESULTS]
    cdef cnp.npy_intp *result_dims[MOST_RESULTS]
    cdef cnp.npy_intp room[2 * MOST_ARGS * MOST_RESULTS]

    def __init__(self, slow):
        self.slow = slow

    def prime(self, Program program, list kinds, bint valued):
        """Let calls with arguments of these kinds, "float" or a shape, run the program."""
        cdef int i, d, at = 0
        self.program = None
        shapes = [*kinds, *program.output_shapes]
        if len(kinds) > MOST_ARGS or len(program.output_shapes) > MOST_RESULTS \
                or sum([len(s) for s in shapes if s != "float"]) > 2 * MOST_ARGS * MOST_RESULTS:
            return
        self.n_args, self.n_results = len(kinds), len(program.output_shapes)
        for i in range(self.n_args + self.n_results):
            shape = shapes[i]
            if i < self.n_args:
                self.ndim[i] = -1 if shape == "float" else len(shape)
                self.dims[i] = &self.room[at]
            else:
                self.result_ndim[i - self.n_args] = len(shape)
                self.result_dims[i - self.n_args] = &self.room[at]
            if shape != "float":
                for d in range(len(shape)):
                    self.room[at] = shape[d]
                    at += 1
        self.valued = valued
        self.program = program

    cdef bint may_fill(self, object out, PyObject *const *args):
        """Can the last result be written into `out`, which no argument shares memory with?"""
        cdef int i, d, last = self.n_results - 1
        cdef cnp.ndarray array, argument
        cdef const char *start
        cdef const char *other
        if type(out) is not cnp.ndarray or self.result_ndim[last] == 0:
            return False
        array = <cnp.ndarray>out
        if cnp.PyArray_TYPE(array) != cnp.NPY_DOUBLE or not cnp.PyArray_ISCARRAY(array) \
                or cnp.PyArray_NDIM(array) != self.result_ndim[last]:
            return False
        for d in range(self.result_ndim[last]):
            if cnp.PyArray_DIM(array, d) != self.result_dims[last][d]:
                return False
        start = <const char *>cnp.PyArray_DATA(array)
        for i in range(self.n_args):
            if self.ndim[i] < 0:
                continue
            argument = <cnp.ndarray><object>args[i]
            other = <const char *>cnp.PyArray_DATA(argument)
            if start < other + cnp.PyArray_NBYTES(argument) \
                    and other < start + cnp.PyArray_NBYTES(array):
                return False
        return True

    cdef object run(self, PyObject *const *args, PyObject *out_given):
        """The result, or None if these arguments are for `slow`.

        `out_given` takes the last of the results, unless it is NULL.
        """
        cdef const double *given[MOST_ARGS]
        cdef double *found[MOST_RESULTS]
        cdef double number[MOST_ARGS]
        cdef double value[MOST_RESULTS]
        cdef Program program = self.program
        cdef cnp.ndarray array
        cdef ad_frame *frame
        cdef ad_status status
        cdef int i, d, failed = -1
        for i in range(self.n_args):
            if self.ndim[i] < 0:
                if not PyFloat_Check(<object>args[i]):
                    return None
                number[i] = PyFloat_AS_DOUBLE(<object>args[i])
                given[i] = &number[i]
                continue
            if type(<object>args[i]) is not cnp.ndarray:
                return None
            array = <cnp.ndarray><object>args[i]
            if cnp.PyArray_TYPE(array) != cnp.NPY_DOUBLE or not cnp.PyArray_ISCARRAY_RO(array) \
                    or cnp.PyArray_NDIM(array) != self.ndim[i]:
                return None
            for d in range(self.ndim[i]):
                if cnp.PyArray_DIM(array, d) != self.dims[i][d]:
                    return None
            given[i] = <const double *>cnp.PyArray_DATA(array)
        if out_given != NULL and not self.may_fill(<object>out_given, args):
            return None
        if program.n_skipped > 0:
            return None
        frame = program.take_frame()
        out = []
        for i in range(self.n_results):
            if self.result_ndim[i] == 0:
                found[i] = &value[i]
            else:
                if out_given != NULL and i == self.n_results - 1:
                    array = <cnp.ndarray><object>out_given
                else:
                    array = fresh_array(self.result_ndim[i], self.result_dims[i])
                found[i] = <double *>cnp.PyArray_DATA(array)
                out.append(array)
        if program.alone:
            status = ad_run(program.plan, frame, given, found, &failed)
        else:
            with nogil:
                status = ad_run(program.plan, frame, given, found, &failed)
        program.give_frame(frame)
        check(status)
        if failed >= 0:
            return None
        if program.template is not None:
            out[-1] = program.template(array)
            if self.n_results == 1:
                return out[0]
        elif self.n_results == 1:
            return value[0] if self.result_ndim[0] == 0 else array
        elif self.n_results == 2 and self.valued and self.result_ndim[1] > 0:
            return value[0], array
        arrays = iter(out)
        return tuple([value[i] if self.result_ndim[i] == 0 else next(arrays)
                      for i in range(self.n_results)])


cdef object entry_called(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names):
    """The C function behind grad and its like of a compiled function; self is the Entry."""
    cdef Entry entry = <Entry><object>self
    cdef Entry short = entry
    cdef Py_ssize_t i, n_names = 0 if names == NULL else len(<tuple>names), n_known = 0
    cdef PyObject *out = NULL
    for i in range(n_names):
        name = (<tuple>names)[i]
        if name == "out":
            out = args[n + i]
            n_known += 1
        elif name == "sparse" and <object>args[n + i] is True and entry.sparse is not None:
            short = entry.sparse
            n_known += 1
    if n_known == n_names and n == short.n_args and short.program is not None \
            and ad_local.program == NULL:
        result = short.run(args, out)
        if result is not None:
            return result
    return entry.slow(*[<object>args[i] for i in range(n)],
                      **{(<tuple>names)[i]: <object>args[n + i] for i in range(n_names)})


cdef extern from *:
    """
    typedef PyObject *(*ad_keyword_call)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);
    static PyObject *ad_method_new(ad_keyword_call call, PyObject *self)
    {
        static PyMethodDef def = {"method of a compiled function", NULL,
                                  METH_FASTCALL | METH_KEYWORDS, NULL};

        def.ml_meth = (PyCFunction)(void (*)(void))call;
        return PyCFunction_NewEx(&def, self, NULL);
    }
    """
    ctypedef object (*ad_keyword_call)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *)
    object ad_method_new(ad_keyword_call call, object self)


def entry_function(Entry entry):
    """A C function that is called as entry.slow is."""
    return ad_method_new(<ad_keyword_call>entry_called, entry)


cdef class Called:
    """A base whose instances are called through the Entry that is given to it as `entry`."""

    cdef public Entry entry

    def __call__(self, *args, **kwargs):
        cdef PyObject *items[MOST_ARGS]
        cdef Py_ssize_t i, n = len(args)
        if not kwargs and n == self.entry.n_args and self.entry.program is not None \
                and ad_local.program == NULL:
            for i in range(n):
                items[i] = <PyObject *>args[i]
            result = self.entry.run(items, NULL)
            if result is not None:
                return result
        return self.entry.slow(*args, **kwargs)


def record_program(function, list inputs, bint reassociate=True):
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
    frozen.tape.symbolic = not ad_program_needs_values(frozen)
    out = Program.__new__(Program)
    out.take(frozen, reassociate)
    return out, where

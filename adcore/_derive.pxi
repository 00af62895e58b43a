"""Derivatives of what is on the tape: numeric sweeps, and emission.

Lanes (directions) are the last axis of every array here.
"""


def lift(leaves):
    """Independent variables for `leaves` (floats and arrays of numbers), in one instruction.

    Returns (flat, tensors): all variables as one flat Tensor, and one Tensor per leaf.
    """
    cdef ad_tape *tape = this_tape()
    cdef int64_t n = 0, offset
    cdef ad_view view
    cdef Tensor flat, t
    cdef int32_t instr, base
    cdef double *to
    cdef int d
    cdef cnp.ndarray array, contiguous
    cdef list out = []
    for leaf in leaves:
        if PyFloat_Check(leaf):     # np.float64 too
            n += 1
        else:
            array = <cnp.ndarray?>leaf
            n += cnp.PyArray_SIZE(array)
    check(ad_tape_room(tape, n))
    check(ad_record_input(tape, n, NULL))
    instr = tape.n - 1
    base = tape.dst[instr]
    to = tape.value + base
    view = ad_view_slots(base, 1, &n)
    flat = Tensor.__new__(Tensor)
    if not ad_handle_view(&flat.h, tape, &view):
        flat.h.tape = NULL
        raise MemoryError("no memory for a tensor")
    offset = 0
    for leaf in leaves:
        if PyFloat_Check(leaf):
            to[offset] = PyFloat_AS_DOUBLE(leaf)
            out.append(new_scalar(tape, instr, base + <int32_t>offset))
            offset += 1
        else:
            array = <cnp.ndarray>leaf
            if cnp.PyArray_NDIM(array) > AD_MAX_DIMS:
                raise ShapeError(f"an array may have at most {AD_MAX_DIMS} dimensions")
            contiguous = np.ascontiguousarray(array, dtype=np.float64)
            memcpy(to + offset, cnp.PyArray_DATA(contiguous),
                   cnp.PyArray_SIZE(array) * sizeof(double))
            view = ad_view_slots(base + offset, 0, NULL)
            view.ndim = cnp.PyArray_NDIM(array)
            for d in range(view.ndim):
                view.shape[d] = cnp.PyArray_DIM(array, d)
            ad_strides(view.ndim, view.shape, view.stride)
            t = Tensor.__new__(Tensor)
            if view.ndim == 0:
                ad_handle_scalar(&t.h, tape, instr, base + <int32_t>offset)
            elif not ad_handle_view(&t.h, tape, &view):
                t.h.tape = NULL
                raise MemoryError("no memory for a tensor")
            out.append(t)
            offset += cnp.PyArray_SIZE(array)
    return flat, out


def lift_floats(list leaves):
    """lift() of a list with nothing but floats in it; None if there is anything else."""
    cdef ad_tape *tape = this_tape()
    cdef int64_t n = len(leaves), i = 0
    cdef ad_view view
    cdef Tensor flat
    cdef int32_t instr, base
    cdef list out
    cdef object leaf
    for leaf in leaves:
        if not PyFloat_CheckExact(leaf):
            return None
    check(ad_tape_room(tape, n))
    check(ad_record_input(tape, n, NULL))
    instr = tape.n - 1
    base = tape.dst[instr]
    ad_view_set_slots(&view, base, 1, &n)
    flat = new_tensor()
    if not ad_handle_view(&flat.h, tape, &view):
        flat.h.tape = NULL
        raise MemoryError("no memory for a tensor")
    out = PyList_New(n)
    for leaf in leaves:
        tape.value[base + i] = PyFloat_AS_DOUBLE(leaf)
        t = new_scalar(tape, instr, <int32_t>(base + i))
        Py_INCREF(t)
        PyList_SET_ITEM(out, i, t)
        i += 1
    return flat, out


def renew(Tensor t):
    """New slots with the values of `t` that depend on it: an input of a nested derivative."""
    return apply_op(AD_OP_mul, 0, (t, 1.0))


cdef ad_tape *tape_of(list tensors) except NULL:
    cdef Tensor t
    for t in tensors:
        if t.h.tape == NULL:
            raise TapeError("a constant tensor has no derivative; make it an independent variable "
                            "with requires_grad_() first")
        if t.h.tape != ad_local.tape:
            raise_foreign(t)
    return this_tape()


cdef int32_t lowest(list inputs) except -1:
    """The first slot of the oldest instruction that holds an input."""
    cdef Tensor t
    cdef int32_t low = 2147483647, slot
    cdef ad_view view
    for t in inputs:
        view = ad_handle_get(&t.h)
        slot = ad_view_lowest(&view)
        low = min(low, slot)
    if low == 2147483647:
        return t.h.tape.n_slots         # nothing but empty inputs
    return t.h.tape.dst[ad_tape_producer(t.h.tape, low)]


cdef int32_t last_instruction(list outputs) except -2:
    cdef Tensor t
    cdef int32_t last = -1
    for t in outputs:
        last = max(last, t.h.instr)
    return last


cdef int seed(Tensor t, double *buffer, int lanes, object data) except -1:
    """Add lanes of numbers, shape t.shape + (lanes,), to the slots of a tensor; None is ones."""
    cdef cnp.ndarray a
    cdef ad_view view = ad_handle_get(&t.h)
    if data is None:
        a = np.ones(t.shape + (lanes,))
    else:
        a = np.ascontiguousarray(data, dtype=np.float64)
        if a.size != t.numel() * lanes:
            raise ShapeError(f"expected {t.shape + (lanes,)} numbers, got {shape_of(data)}")
    ad_work_add(t.h.tape, buffer, lanes, &view, <const double *>cnp.PyArray_DATA(a))
    return 0


cdef object harvest(Tensor t, const double *buffer, int lanes):
    """The lanes of a tensor's slots, shape t.shape + (lanes,)."""
    cdef cnp.ndarray out = np.empty(t.shape + (lanes,))
    cdef ad_view view = ad_handle_get(&t.h)
    ad_work_get(t.h.tape, buffer, lanes, &view, <double *>cnp.PyArray_DATA(out))
    return out


cdef inline int finish(ad_tape *tape, ad_status status) except -1:
    """Drop what rules left on the tape, and raise the exception of `status` unless it is AD_OK."""
    if tape.n > 0 and tape.handle[tape.n - 1] == NULL:
        ad_tape_pop(tape)
    return check(status)


cdef object reach_notes(ad_tape *tape, list outputs, int32_t first, int32_t last):
    """Let the sweep about to begin call the notes that the outputs depend on, if there are any.

    Returns what must be kept until its end.
    """
    cdef cnp.ndarray reached
    cdef uint8_t *flags
    cdef int32_t low = tape.work.low
    if tape.n_notes == 0 or tape.notes[tape.n_notes - 1].instr < first or last < first:
        return None
    reached = np.zeros(tape.n_slots - low + 1, dtype=np.uint8)
    flags = <uint8_t *>cnp.PyArray_DATA(reached)
    for t in outputs:
        slots = slots_of(t)
        reached[slots[slots >= low] - low] = 1
    check(ad_tape_depends(tape, first, last, low, flags))
    tape.work.reached = flags
    return reached


def sweep_reverse(list outputs, list seeds, list inputs, int lanes=1):
    """Adjoints of the inputs, arrays of shape input.shape + (lanes,), given seeds of the outputs.

    A seed has shape output.shape + (lanes,), or is None for ones.
    """
    cdef ad_tape *tape = tape_of(outputs + inputs)
    cdef int32_t low = lowest(inputs), last = last_instruction(outputs), first
    cdef Tensor t
    cdef ad_status status
    first = ad_tape_producer(tape, low) if low < tape.n_slots else tape.n
    if tape.n_notes > 0 and first < tape.n:
        low = tape.dst[first]
    check(ad_work_begin(tape, AD_SWEEP_REVERSE, low, lanes))
    for t, data in zip(outputs, seeds):
        seed(t, tape.work.adj, lanes, data)
    reached = reach_notes(tape, outputs, first, last)
    with nogil:
        status = ad_sweep_reverse(tape, first, last)
    finish(tape, status)
    return [harvest(t, tape.work.adj, lanes) for t in inputs]


def gradient(Tensor output, Tensor flat):
    """The derivative of a scalar output with respect to the variables of `flat`, an array."""
    cdef ad_tape *tape = output.h.tape
    cdef int32_t low, last = output.h.instr, first
    cdef int64_t n = flat.size
    cdef cnp.ndarray out
    cdef cnp.npy_intp length = n
    cdef ad_view view
    cdef ad_status status
    if tape == NULL:
        return np.zeros(n)
    if tape != ad_local.tape:
        raise_foreign(output)
    low = <int32_t>flat.h.view.base
    first = flat.h.instr + 1
    check(ad_work_begin(tape, AD_SWEEP_REVERSE, low, 1))
    if output.h.view == NULL:
        if output.h.slot >= low:
            tape.work.adj[output.h.slot - low] = 1
    else:
        seed(output, tape.work.adj, 1, None)
    reached = reach_notes(tape, [output], first, last) if tape.n_notes > 0 else None
    if last - first > 1000:
        with nogil:
            status = ad_sweep_reverse(tape, first, last)
    else:
        status = ad_sweep_reverse(tape, first, last)
    finish(tape, status)
    out = cnp.PyArray_SimpleNew(1, &length, cnp.NPY_DOUBLE)
    memcpy(cnp.PyArray_DATA(out), tape.work.adj, n * sizeof(double))
    return out


def sweep_forward(list inputs, list seeds, list outputs, int lanes=1):
    """Tangents of the outputs, shape output.shape + (lanes,), given seeds of the inputs.

    The inputs must be the results of one lift().
    """
    cdef ad_tape *tape = tape_of(outputs + inputs)
    cdef int32_t low = lowest(inputs), last = last_instruction(outputs), first
    cdef Tensor t
    cdef ad_status status
    check(ad_work_begin(tape, AD_SWEEP_FORWARD, low, lanes))
    for t, data in zip(inputs, seeds):
        seed(t, tape.work.tan, lanes, data)
    first = last_instruction(inputs) + 1
    with nogil:
        status = ad_sweep_forward(tape, first, last)
    finish(tape, status)
    return [harvest(t, tape.work.tan, lanes) for t in outputs]


def sweep_second(Tensor output, Tensor flat, directions):
    """Gradient, shape (n,), and Hessian products, shape (n, lanes), of a scalar output.

    `directions` has shape (n, lanes).
    """
    cdef ad_tape *tape = tape_of([output, flat])
    cdef int32_t low = <int32_t>flat.h.view.base, last = output.h.instr, first = flat.h.instr + 1
    cdef int lanes = directions.shape[1]
    cdef ad_status status
    check(ad_work_begin(tape, AD_SWEEP_SECOND, low, lanes))
    seed(flat, tape.work.tan, lanes, directions)
    seed(output, tape.work.adj, 1, None)
    with nogil:
        status = ad_sweep_forward(tape, first, last)
        if status == AD_OK:
            status = ad_sweep_second(tape, first, last)
    check(status)
    return harvest(flat, tape.work.adj, 1)[:, 0], harvest(flat, tape.work.dadj, lanes)


def sweep_taylor(Tensor flat, direction, Tensor output, int order):
    """Taylor coefficients of an output along flat + t direction, shape output.shape + (order + 1,).

    Coefficient k is the k-th derivative divided by k!.  `flat` is a lift()'s, `direction` a flat
    array of its size.  None if a rule written in Python is on the way, which has no series, or if
    the output depends on tensors older than `flat`.
    """
    cdef ad_tape *tape = tape_of([output, flat])
    cdef int32_t low = <int32_t>flat.h.view.base
    cdef int32_t first = flat.h.instr + 1, last = output.h.instr
    cdef int lanes = order + 1
    cdef int64_t i, n = flat.size
    cdef const double[::1] v = direction
    cdef ad_view view
    cdef ad_status status
    if v.shape[0] != n:
        raise ShapeError(f"expected a direction of {n} numbers, got {v.shape[0]}")
    view = ad_handle_get(&output.h)
    if ad_view_lowest(&view) < low or reads_outside(flat):
        return None
    check(ad_taylor_begin(tape, low, first, order))
    if order > 0:
        for i in range(n):
            tape.work.tan[i * lanes + 1] = v[i]
    with nogil:
        status = ad_sweep_taylor(tape, first, last)
    if status == AD_NO_SERIES:
        return None
    check(status)
    series = harvest(output, tape.work.tan, lanes)
    series[..., 0] = output.value()     # elements that are constants have no lanes
    return series


def dense_hessian(Tensor output, Tensor flat, int lanes=AD_LANES):
    """Gradient, shape (n,), and Hessian, shape (n, n), of a scalar output; `lanes` at a time."""
    cdef ad_tape *tape = output.h.tape
    cdef int32_t low = <int32_t>flat.h.view.base, last = output.h.instr, first = flat.h.instr + 1
    cdef int64_t n = flat.size, start, j, k
    cdef int m, lane
    cdef cnp.ndarray hessian = np.zeros((n, n))
    cdef cnp.ndarray gradient = np.zeros(n)
    cdef double *h = <double *>cnp.PyArray_DATA(hessian)
    cdef double *g = <double *>cnp.PyArray_DATA(gradient)
    cdef ad_status status = AD_OK
    cdef ad_view view
    if tape == NULL:
        return gradient, hessian
    if tape != ad_local.tape:
        raise_foreign(output)
    cdef double one = 1
    view = ad_handle_get(&output.h)
    with nogil:
        start = 0
        while start < n:
            m = <int>min(lanes, n - start)
            status = ad_work_begin(tape, AD_SWEEP_SECOND, low, m)
            if status != AD_OK:
                break
            for lane in range(m):
                tape.work.tan[(start + lane) * m + lane] = 1
            ad_work_add(tape, tape.work.adj, 1, &view, &one)
            status = ad_sweep_forward(tape, first, last)
            if status == AD_OK:
                status = ad_sweep_second(tape, first, last)
            if status != AD_OK:
                break
            for j in range(n):
                for lane in range(m):
                    h[j * n + start + lane] = tape.work.dadj[j * m + lane]
            start += m
        if status == AD_OK and n > 0:
            memcpy(g, tape.work.adj, n * sizeof(double))
    check(status)
    return gradient, hessian


def needs_emission(Tensor flat):
    """Are second derivatives of what was recorded since `flat` was lifted to be emitted?

    Rules and hooks written in Python, and norms that are 0, have none in numbers.
    """
    cdef ad_tape *tape = flat.h.tape
    cdef int32_t i
    if tape.n_notes > 0 and tape.notes[tape.n_notes - 1].instr > flat.h.instr:
        return True
    for i in range(flat.h.instr + 1, tape.n):
        if ad_tape_has_rule(tape, i) or ad_norm_vanishes(tape, i):
            return True
    return False


def has_kernels(Tensor flat):
    """Is linear algebra among the instructions since `flat` was lifted?"""
    cdef ad_tape *tape = flat.h.tape
    cdef int32_t i
    for i in range(flat.h.instr + 1, tape.n):
        if ad_tape_code(tape, i) == AD_KERNEL:
            return True
    return False


def has_zero_norms(list variables):
    """Is any norm 0 that was recorded since the variables, on a tape whose numbers stay?"""
    cdef ad_tape *tape = tape_of(variables)
    cdef int32_t i
    cdef int32_t low = lowest(variables)
    if tape.program != NULL or low >= tape.n_slots:
        return False
    for i in range(ad_tape_producer(tape, low), tape.n):
        if ad_norm_vanishes(tape, i):
            return True
    return False


def recorded():
    """The number of instructions on this thread's tape, for norms_since()."""
    return 0 if ad_local.tape == NULL else ad_local.tape.n


def norms_since(int32_t mark):
    """Is any norm among what was recorded since recorded() gave `mark`, that is or may become 0?"""
    cdef ad_tape *tape = ad_local.tape
    cdef int32_t i
    if tape == NULL:
        return False
    for i in range(mark, tape.n):
        if is_root(ad_tape_code(tape, i)) if tape.program != NULL else ad_norm_vanishes(tape, i):
            return True
    return False


def reads_outside(Tensor flat):
    """Does anything recorded since `flat` was lifted depend on older tracked tensors?"""
    cdef ad_tape *tape = flat.h.tape
    if flat.h.instr == 0:
        return False
    return ad_tape_reads_below(tape, flat.h.instr + 1, tape.dst[flat.h.instr])


def depends(list outputs, list inputs):
    """For each input, does any output depend on it, whatever the values?"""
    cdef ad_tape *tape = tape_of(outputs + inputs)
    cdef int32_t low = lowest(inputs), last = last_instruction(outputs)
    cdef cnp.ndarray reached = np.zeros(max(tape.n_slots - low, 1), dtype=np.uint8)
    cdef uint8_t *flags = <uint8_t *>cnp.PyArray_DATA(reached)
    for t in outputs:
        slots = slots_of(t)
        reached[slots[slots >= low] - low] = 1
    check(ad_tape_depends(tape, ad_tape_producer(tape, low), last, low, flags))
    out = []
    for t in inputs:
        slots = slots_of(t)
        out.append(bool(reached[slots[slots >= low] - low].any()))
    return out


cdef object slots_of(Tensor t):
    """The slot numbers of a tensor's elements, a flat array."""
    cdef ad_view view = ad_handle_get(&t.h)
    cdef int64_t size = ad_view_size(&view)
    cdef cnp.ndarray every = np.arange(size, dtype=np.int64)
    cdef cnp.ndarray slots = np.empty(size, dtype=np.int32)
    if view.place == AD_SLOTS and ad_view_is_contiguous(&view):
        return np.arange(view.base, view.base + size, dtype=np.int32)
    ad_view_hold(&view)
    if not ad_view_pick(&view, &t.h.tape.lists, <const int64_t *>cnp.PyArray_DATA(every), size):
        ad_view_drop(&view)
        raise MemoryError("no memory for an index list")
    if size:
        memcpy(cnp.PyArray_DATA(slots), view.in_.list.slot, size * sizeof(int32_t))
    ad_view_drop(&view)
    return slots


cdef object emit(list sources, list seeds, list targets, bint reverse):
    cdef int n = len(sources), m = len(targets), i, held = 0, passed = m
    cdef int32_t floor
    cdef ad_tape *tape = tape_of(sources + targets)
    cdef ad_view *views = <ad_view *>PyMem_Malloc((2 * n + 2 * m + 1) * sizeof(ad_view))
    cdef ad_view *source = views
    cdef ad_view *given = views + n
    cdef ad_view *target = views + 2 * n
    cdef ad_view *found = views + 2 * n + m
    cdef ad_status status
    cdef list out = []
    cdef Tensor t
    if views == NULL:
        raise MemoryError("no memory to record a derivative")
    try:
        check(ad_tape_room(tape, 8))
        for i in range(n):
            t = sources[i]
            source[i] = ad_handle_get(&t.h)
            data = 1.0 if seeds[i] is None else seeds[i]
            if shape_of(data) not in (t.shape, ()):
                raise ShapeError(f"the seed of a tensor of shape {t.shape} has shape "
                                 f"{shape_of(data)}")
            if not operand(data, &given[i]):
                raise TypeError(f"a seed must be a number, an array or a tensor, got a "
                                f"{type(data).__name__}")
            held += 1
        for i in range(m):
            t = targets[i]
            target[i] = ad_handle_get(&t.h)
        if reverse:
            status = ad_emit_reverse(tape, n, source, given, m, target, found)
        else:
            status = ad_emit_along(tape, 0, n, source, given, m, target, found)
        if status != AD_OK:
            finish(tape, status)
        floor = ad_tape_enter(tape, 2147483647)     # until all results have their tensors
        passed = 0
        try:
            for i in range(m):
                shape = (<Tensor>targets[i]).shape
                passed += 1
                if found[i].place == AD_NUMBER or found[i].place == AD_ARRAY:
                    value = view_values(tape, &found[i])
                    ad_view_drop(&found[i])
                    out.append(constant_tensor(_value(np.broadcast_to(value, shape))))
                else:
                    ad_view_broadcast(&found[i], target[i].ndim, target[i].shape)
                    out.append(new_result(tape, &found[i], True))
        finally:
            ad_tape_leave(tape, floor)
            ad_tape_pop(tape)
    finally:
        for i in range(held):
            ad_view_drop(&given[i])
        for i in range(passed, m):
            ad_view_drop(&found[i])
        PyMem_Free(views)
    return out


def emit_reverse(list outputs, list seeds, list inputs):
    """Adjoints of the inputs as tensors that can be differentiated again; a seed None is ones."""
    return emit(outputs, seeds, inputs, True)


def emit_forward(list inputs, list seeds, list outputs):
    """Tangents of the outputs as tensors that can be differentiated again."""
    return emit(inputs, seeds, outputs, False)


# ---- state ----


def set_recording(bint on):
    """Turn recording on this thread on or off; returns what it was."""
    was = ad_local.off == 0
    ad_local.off = 0 if on else 1
    return was


def set_rows(bint on):
    """Let functions of complex arrays be recorded row by row on this thread, or as one instruction.

    Sweeps of second and of higher order know rows alone.  Returns what it was.
    """
    was = ad_local.rows != 0
    ad_local.rows = on
    return was


def is_recording_rows():
    """What set_rows() said."""
    return ad_local.rows != 0


def is_recording():
    """Is recording on, on this thread?"""
    return ad_local.off == 0


def tape_stats():
    """The size of this thread's tape, a dict: what is on it, and the bytes it takes."""
    cdef ad_tape *t = this_tape()
    return {
        "instructions": t.n, "slots": t.n_slots, "constants": t.n_consts, "words": t.n_aux,
        "handles": t.n_handles,
        "bytes_in_use": t.n * (2 + 4 + 4 + 4 + sizeof(void *)) + 8 * (t.n_slots + t.n_consts)
        + 8 * t.n_aux,
        "bytes": t.capacity * (2 + 4 + 4 + 4 + sizeof(void *))
        + 8 * (<int64_t>t.slot_capacity + t.const_capacity) + 8 * t.aux_capacity,
    }


def compact():
    """Squeeze out what no live tensor depends on; done by itself when the tape grows."""
    ad_tape_compact(this_tape())


def leaves_below(list roots):
    """The leaf tensors, and those with retain_grad(), recorded up to the newest of `roots`."""
    cdef ad_tape *tape = tape_of(roots)
    cdef ad_handle *handle
    cdef Tensor t
    cdef Py_ssize_t offset
    cdef int32_t i
    cdef list out = []
    t = roots[0]
    offset = <char *>&t.h - <char *><void *>t
    for i in range(last_instruction(roots) + 1):
        handle = tape.handle[i]
        while handle != NULL:
            t = <Tensor><void *>(<char *>handle - offset)
            if t.meta is not None and (t.meta.leaf or t.meta.retain):
                out.append(t)
            handle = handle.next
    return out


# ---- elementwise functions ----


def partials(str name, args, double p=0):
    """The first partial derivatives of an op at a point, a tuple of floats."""
    cdef int code = _code_of_name[name], i
    cdef double x[3]
    cdef double d[3]
    memset(x, 0, sizeof(x))
    for i in range(ad_ops[code].n_args):
        x[i] = args[i]
    ad_op_partials(code, p, x[0], x[1], x[2], ad_op_value(code, p, x[0], x[1], x[2]), d)
    return tuple([d[i] for i in range(ad_ops[code].n_args)])


# ---- NumPy's inner loops ----


cdef extern from "numpy/ufuncobject.h":
    ctypedef struct PyUFuncObject:
        void **functions
        void *const *data
        int ntypes
        const char *types
        int nin
        int nout


cdef void *double_loop(object ufunc, int nin, void **data):
    """The loop of a ufunc from nin doubles to one; NULL if there is none."""
    return loop_of(ufunc, [cnp.NPY_DOUBLE] * (nin + 1), data)


cdef void *loop_of(object ufunc, list types, void **data):
    """The loop of a ufunc, by the types of its arguments and its results; NULL if there is none."""
    cdef PyUFuncObject *u = <PyUFuncObject *><void *>ufunc
    cdef int i, j, width = u.nin + u.nout
    cdef bint match
    for i in range(u.ntypes if width == len(types) else 0):
        match = True
        for j in range(width):
            match = match and u.types[i * width + j] == <char><int>types[j]
        if match:
            data[0] = u.data[i] if u.data != NULL else NULL
            return u.functions[i]
    return NULL


cdef int find_simd_loops() except -1:
    """Hand the core NumPy's own loops for all that is more than arithmetic, or slower there."""
    cdef void *data = NULL
    cdef void *loop
    cheap = {"add", "sub", "mul", "div", "neg", "abs", "square", "reciprocal", "sqrt", "floor",
             "ceil", "trunc", "rint", "maximum", "minimum", "sign", "deg2rad", "rad2deg",
             "fmod", "remainder"}
    for op in OPS:
        if op.hidden or op.name in cheap:
            continue
        ufunc = getattr(np, op.ufunc, None)
        if isinstance(ufunc, np.ufunc):
            loop = double_loop(ufunc, op.n_args, &data)
            if loop != NULL:
                ad_simd[<int>op.code].loop = <ad_simd_loop *>loop
                ad_simd[<int>op.code].data = data
    global ad_matmul_blas
    ad_matmul_blas = <ad_matmul_loop *>double_loop(np.matmul, 2, &data)
    return 0


cdef extern from "numpy/arrayobject.h":
    ctypedef struct PyArray_ArrFuncs:
        void *sort[3]     # by kind: NPY_QUICKSORT is the first
        void *argsort[3]

    PyArray_ArrFuncs *PyDataType_GetArrFuncs(const cnp.PyArray_Descr *descr)


cdef int find_sorts() except -1:
    """Hand the core NumPy's sort and argsort of doubles, which are made of vector instructions.

    Where they are not, the core's own argsort takes less time.
    """
    global ad_argsort_simd, ad_sort_by_numpy
    cdef PyArray_ArrFuncs *found
    descr = cnp.PyArray_DescrFromType(cnp.NPY_DOUBLE)
    found = PyDataType_GetArrFuncs(<const cnp.PyArray_Descr *>descr)
    ad_sort_by_numpy = <ad_sort_loop *>found.sort[0]
    try:
        from numpy._core._multiarray_umath import __cpu_features__ as features
    except ImportError:
        return 0
    if features.get("AVX2") or features.get("AVX512_SKX"):
        ad_argsort_simd = <ad_argsort_loop *>found.argsort[0]
    return 0


find_simd_loops()
find_sorts()

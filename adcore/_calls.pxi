"""Rules written in Python, as one instruction each: how the sweeps call them.

A rule is an object with these methods, on flat results of `size` and one entry per operand:

    reverse(g)               numbers: adjoints of the operands (arrays in their shapes, or None)
    forward(tangents)        numbers: the flat tangent of the results, from arrays or None
    replay(operands)         numbers: the flat results anew; operand_shapes are the operands' shapes
    name, to_bytes()         for errors, and for files: see _named.py; a FormatError says why not
    emit_reverse(g, operands, results)          the same two on tensors, recording what they do;
    emit_forward(tangents, operands, results)   the operands and the flat results are on the tape

A rule whose `definition.elementwise` is true has results of one shape, each element of which
depends on those elements of the operands alone that are, broadcast, in its place: patterns count
on it.

A rule must not keep the tensors on the tape that it is called with: it belongs to the tape.
"""


cdef int keep_call_error(error) except -1:
    """Remember what a rule raised, until the sweep on this thread has come to its end."""
    _thread_state.error = error
    return 0


cdef int take_call_error() except -1:
    """Raise what a rule raised during a sweep."""
    error = getattr(_thread_state, "error", None)
    _thread_state.error = None
    raise error if error is not None else TapeError("a rule failed without an error")


cdef object rule_of(ad_tape *tape, int32_t instr, bint numbers=False):
    """The rule of an instruction; for a numeric sweep it may need the operands' numbers."""
    if ad_tape_code(tape, instr) == AD_KERNEL:
        return kernel_rule_of(tape, instr, numbers)
    rule = <object><void *><Py_ssize_t>tape.aux[tape.a[instr] + 4]
    if type(rule) is ElementwiseCall:
        return (<ElementwiseCall>rule).rule_on(tape, instr) if numbers \
            else (<ElementwiseCall>rule).bare_rule()
    if type(rule) is ComplexLoop:
        return (<ComplexLoop>rule).rule_on(tape, instr) if numbers \
            else (<ComplexLoop>rule).bare_rule()
    return rule


cdef ad_view *call_views(ad_tape *tape, int32_t instr, int *n) except NULL:
    cdef ad_view *views
    n[0] = <int>tape.aux[tape.a[instr] + 1]
    views = <ad_view *>PyMem_Malloc(max(n[0], 1) * sizeof(ad_view))
    if views == NULL:
        raise MemoryError("no memory to call a rule")
    ad_tape_views(tape, instr, views, n[0])
    return views


cdef class Aside:
    """Lets a rule run sweeps of its own in the middle of a sweep: `with Aside.of(tape):`."""

    cdef ad_tape *tape
    cdef ad_work *work

    @staticmethod
    cdef Aside of(ad_tape *tape):
        cdef Aside aside = Aside.__new__(Aside)
        aside.tape = tape
        return aside

    def __enter__(self):
        cdef ad_work *fresh = ad_work_new()
        if fresh == NULL:
            raise MemoryError("no memory to call a rule")
        self.work = self.tape.work
        self.tape.work = fresh

    def __exit__(self, *error):
        ad_work_free(self.tape.work)
        self.tape.work = self.work


cdef void record_on(ad_tape *tape) noexcept:
    """Let this thread record on a tape, its own or that of a program that is being derived."""
    ad_local.tape, ad_local.off, ad_local.program = tape, 0, tape.program


cdef void restore(ad_local_state outside) noexcept:
    ad_local.tape, ad_local.off, ad_local.program = outside.tape, outside.off, outside.program


cdef object view_shape(const ad_view *view):
    return tuple([view.shape[d] for d in range(view.ndim)])


cdef bint view_varies(const ad_view *view, int32_t low):
    return view.place == AD_LIST or (view.place == AD_SLOTS and ad_view_lowest(view) >= low)


cdef ad_status call_forward(ad_tape *tape, int32_t instr, int lanes) noexcept with gil:
    cdef ad_view *views = NULL
    cdef int n = 0, i, lane
    cdef int64_t size = tape.aux[tape.a[instr] + 2]
    cdef cnp.ndarray data, out
    cdef double *to
    cdef ComplexFormula formula = formula_of(tape, instr)
    if formula is not None:
        return ad_formula_forward(tape, instr, &formula.c, lanes)
    try:
        views = call_views(tape, instr, &n)
        rule = rule_of(tape, instr, True)
        seeds = []
        for i in range(n):
            data = np.zeros(view_shape(&views[i]) + (lanes,))
            ad_work_get(tape, tape.work.tan, lanes, &views[i], <double *>cnp.PyArray_DATA(data))
            seeds.append(data if view_varies(&views[i], tape.work.low) else None)
        out = np.empty((size, lanes))
        with Aside.of(tape):
            for lane in range(lanes):
                if lanes == 1:
                    tangents = [None if s is None else s.reshape(s.shape[:-1]) for s in seeds]
                else:
                    tangents = [None if s is None else np.array(s[..., lane]) for s in seeds]
                out[:, lane] = np.reshape(rule.forward(tangents), size)
        to = tape.work.tan + <int64_t>(tape.dst[instr] - tape.work.low) * lanes
        memcpy(to, cnp.PyArray_DATA(out), size * lanes * sizeof(double))
        return AD_OK
    except BaseException as error:
        keep_call_error(error)
        return AD_CALL_FAILED
    finally:
        PyMem_Free(views)


cdef bint all_zero(const double *x, int64_t n) noexcept:
    cdef int64_t i
    for i in range(n):
        if x[i] != 0:
            return False
    return True


cdef cnp.ndarray fresh_vector(cnp.npy_intp n):
    return cnp.PyArray_SimpleNew(1, &n, cnp.NPY_DOUBLE)


cdef cnp.ndarray spread_to_view(object x, const ad_view *view):
    """An array as a contiguous one in the shape of a view."""
    cdef int d
    if type(x) is cnp.ndarray and cnp.PyArray_TYPE(<cnp.ndarray>x) == cnp.NPY_DOUBLE \
            and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>x) \
            and cnp.PyArray_NDIM(<cnp.ndarray>x) == view.ndim:
        for d in range(view.ndim):
            if cnp.PyArray_DIM(<cnp.ndarray>x, d) != view.shape[d]:
                break
        else:
            return x
    return np.ascontiguousarray(np.broadcast_to(x, view_shape(view)), dtype=np.float64)


cdef ad_status call_reverse(ad_tape *tape, int32_t instr, int lanes) noexcept with gil:
    cdef ad_view *views = NULL
    cdef int n = 0, i, lane
    cdef int64_t size = tape.aux[tape.a[instr] + 2]
    cdef int64_t j
    cdef const double *at
    cdef cnp.ndarray g, data
    cdef ComplexFormula formula
    try:
        if lanes < 0:
            raise TapeError("a rule written in Python has no second-order sweep of its own")
        formula = formula_of(tape, instr)
        if formula is not None:
            return ad_formula_reverse(tape, instr, &formula.c, lanes)
        at = tape.work.adj + <int64_t>(tape.dst[instr] - tape.work.low) * lanes
        if all_zero(at, size * lanes) and not (ad_tape_code(tape, instr) == AD_KERNEL
                                               and zero_adjoint_matters(tape, instr)):
            return AD_OK
        views = call_views(tape, instr, &n)
        rule = rule_of(tape, instr, True)
        seeds = []
        for lane in range(lanes):
            g = fresh_vector(size)
            for j in range(size):
                (<double *>cnp.PyArray_DATA(g))[j] = at[j * lanes + lane]
            seeds.append(g)
        with Aside.of(tape):
            parts = [rule.reverse(g) for g in seeds]
        for i in range(n):
            if parts[0][i] is None or not view_varies(&views[i], tape.work.low):
                continue
            if lanes == 1:
                data = spread_to_view(parts[0][i], &views[i])
            else:
                data = np.ascontiguousarray(
                    np.stack([spread_to_view(p[i], &views[i]) for p in parts], axis=-1))
            ad_work_add(tape, tape.work.adj, lanes, &views[i], <double *>cnp.PyArray_DATA(data))
        return AD_OK
    except BaseException as error:
        keep_call_error(error)
        return AD_CALL_FAILED
    finally:
        PyMem_Free(views)


cdef int given_view(object value, const ad_view *like, ad_view *view) except -1:
    """What a rule returned for an operand, stretched to the operand's shape."""
    if value is None:
        view[0] = ad_view_number(0)
        return 0
    if not operand(value, view):
        raise TypeError(f"a derivative rule returned a {type(value).__name__}; it must return "
                        "numbers, arrays or tensors")
    if view.place == AD_NUMBER and view.in_.number == 0:
        return 0
    if not ad_view_broadcast(view, like.ndim, like.shape):
        ad_view_drop(view)
        raise ShapeError(f"a derivative rule returned shape {shape_of(value)} where the operand "
                         f"has shape {view_shape(like)}")
    return 0


cdef Tensor borrowed_tensor(ad_tape *tape, const ad_view *view):
    """A Tensor for a view that somebody else keeps."""
    cdef ad_view copy
    if view.place == AD_NUMBER:
        value = np.full(view_shape(view), view.in_.number)
        return constant_tensor(_value(value))
    if view.place == AD_SLOTS and view.base < 0:
        return constant_tensor(_value(np.full(view_shape(view), tape.value[view.base])))
    copy = view[0]
    ad_view_hold(&copy)
    return new_result(tape, &copy, True)


cdef list operands_of(ad_tape *tape, const ad_view *views, int n):
    cdef int i
    return [borrowed_tensor(tape, &views[i]) for i in range(n)]


cdef Tensor results_of(ad_tape *tape, int32_t instr):
    """The results of a call, as a flat Tensor."""
    cdef ad_view view = ad_view_slots(tape.dst[instr], 1, &tape.aux[tape.a[instr] + 2])
    return new_result(tape, &view, True)


cdef ad_status call_emit_reverse(ad_tape *tape, int32_t instr, const ad_view *g,
                                 ad_view *adjoints) noexcept with gil:
    cdef ad_view *views = NULL
    cdef int n = 0, i, done = 0
    cdef ComplexFormula formula
    cdef ad_local_state outside = ad_local
    record_on(tape)         # what a rule does here is what gets recorded
    try:
        views = call_views(tape, instr, &n)
        formula = formula_of(tape, instr)
        if formula is not None:
            parts = formula.emit_reverse(borrowed_tensor(tape, g), operands_of(tape, views, n))
        else:
            parts = rule_of(tape, instr).emit_reverse(
                borrowed_tensor(tape, g), operands_of(tape, views, n), results_of(tape, instr))
        for i in range(n):
            given_view(parts[i], &views[i], &adjoints[i])
            done += 1
        return AD_OK
    except BaseException as error:
        for i in range(done):
            ad_view_drop(&adjoints[i])
        keep_call_error(error)
        return AD_CALL_FAILED
    finally:
        restore(outside)
        PyMem_Free(views)


cdef ad_status call_emit_forward(ad_tape *tape, int32_t instr, const ad_view *tangents,
                                 ad_view *result) noexcept with gil:
    cdef ad_view *views = NULL
    cdef int n = 0, i
    cdef ComplexFormula formula
    cdef ad_view like
    cdef ad_local_state outside = ad_local
    record_on(tape)         # what a rule does here is what gets recorded
    try:
        views = call_views(tape, instr, &n)
        given = [None if tangents[i].place == AD_NUMBER and tangents[i].in_.number == 0
                 else borrowed_tensor(tape, &tangents[i]) for i in range(n)]
        formula = formula_of(tape, instr)
        if formula is not None:
            out = formula.emit_forward(given, operands_of(tape, views, n))
        else:
            out = rule_of(tape, instr).emit_forward(given, operands_of(tape, views, n),
                                                    results_of(tape, instr))
        like = ad_view_slots(0, 1, &tape.aux[tape.a[instr] + 2])
        given_view(None if out is None else reshape(out, (tape.aux[tape.a[instr] + 2],)), &like,
                   result)
        return AD_OK
    except BaseException as error:
        keep_call_error(error)
        return AD_CALL_FAILED
    finally:
        restore(outside)
        PyMem_Free(views)


cdef void call_hold(void *rule) noexcept with gil:
    Py_INCREF(<object>rule)


cdef void call_release(void *rule) noexcept with gil:
    Py_DECREF(<object>rule)


cdef int call_elementwise(void *rule, int64_t *shape) noexcept with gil:
    cdef ElementwiseCall call
    cdef int ndim = 0
    try:
        if type(<object>rule) is ElementwiseCall:
            call = <ElementwiseCall>rule
            memcpy(shape, call.shape, call.ndim * sizeof(shape[0]))
            return call.ndim
        if type(<object>rule) is not _call_record \
                or not getattr((<CallRecord>rule).definition, "elementwise", False):
            return -1
        for n in (<CallRecord>rule).shapes[0]:
            shape[ndim] = n
            ndim += 1
        return ndim
    except BaseException:
        return -1


cdef ad_status call_replay(void *rule, const double *const *args,
                           double *result) noexcept with gil:
    cdef cnp.ndarray operand, flat
    cdef int i = 0
    try:
        if type(<object>rule) is ElementwiseCall:
            (<ElementwiseCall><object>rule).compute(args, NULL, result)
            return AD_OK
        operands = []
        for shape in (<object>rule).operand_shapes:
            operand = np.empty(shape)
            memcpy(cnp.PyArray_DATA(operand), args[i], cnp.PyArray_NBYTES(operand))
            operands.append(operand if shape else float(operand))
            i += 1
        flat = np.ascontiguousarray((<object>rule).replay(operands), dtype=np.float64)
        memcpy(result, cnp.PyArray_DATA(flat), cnp.PyArray_NBYTES(flat))
        return AD_OK
    except BaseException as error:
        keep_call_error(error)
        return AD_CALL_FAILED


cdef ad_status call_save(void *rule, unsigned char **data, int64_t *nbytes) noexcept with gil:
    cdef bytes saved
    try:
        saved = (<object>rule).to_bytes()
        data[0] = <unsigned char *>malloc(max(len(saved), 1))
        if data[0] == NULL:
            return AD_NO_MEMORY
        nbytes[0] = len(saved)
        memcpy(data[0], <const char *>saved, len(saved))
        return AD_OK
    except errors.FormatError as error:
        keep_call_error(error)
        return AD_NOT_SAVED
    except BaseException as error:
        keep_call_error(error)
        return AD_CALL_FAILED


cdef ad_status call_load(const unsigned char *data, int64_t nbytes, int64_t size, int n,
                         const ad_view *args, char *why, void **rule) noexcept with gil:
    cdef int i
    cdef bytes text
    try:
        shapes = [view_shape(&args[i]) for i in range(n)]
        found = METHODS["_load_rule"]((<const char *>data)[:nbytes], size, shapes)
        Py_INCREF(found)
        rule[0] = <void *>found
        return AD_OK
    except errors.FormatError as error:
        text = str(error).encode("ascii", "replace")[:AD_WHY - 1]
        memcpy(why, <const char *>text, len(text))
        why[len(text)] = 0
        return AD_BAD_PROGRAM
    except BaseException as error:
        keep_call_error(error)
        return AD_CALL_FAILED


# ---- hooks: what the user wants to do to an adjoint ----


cdef class Note:
    """The hooks of a tensor that is all an instruction's results; the instruction keeps it."""

    cdef tuple shape
    cdef list hooks

    cdef object run(self, g):
        """What the hooks make of an adjoint, a Tensor."""
        for hook in list(self.hooks):
            found = hook(g)
            if found is None:
                continue
            if type(found) is not Tensor:
                found = constant(np.array(found, dtype=np.float64))
            if (<Tensor>found).shape != self.shape:
                raise ShapeError(f"a hook returned a gradient of shape {(<Tensor>found).shape} for "
                                 f"a tensor of shape {self.shape}")
            g = found
        return g


cdef ad_status call_note(ad_tape *tape, const ad_note *at, int lanes) noexcept with gil:
    cdef Note note
    cdef int32_t instr = at.instr
    cdef int64_t size = ad_tape_length(tape, instr)
    cdef cnp.ndarray g
    cdef double *adjoint = tape.work.adj + <int64_t>(tape.dst[instr] - tape.work.low) * lanes
    cdef int lane
    try:
        note = <Note>at.hook
        g = np.empty((size, lanes))
        memcpy(cnp.PyArray_DATA(g), adjoint, size * lanes * sizeof(double))
        with Aside.of(tape):
            for lane in range(lanes):
                given = constant(np.array(g[:, lane]).reshape(note.shape))
                g[:, lane] = np.reshape((<Tensor>note.run(given)).value(), -1)
        memcpy(adjoint, cnp.PyArray_DATA(g), size * lanes * sizeof(double))
        return AD_OK
    except BaseException as error:
        keep_call_error(error)
        return AD_CALL_FAILED


cdef ad_status call_emit_note(ad_tape *tape, const ad_note *at, const ad_view *g,
                              ad_view *result) noexcept with gil:
    cdef Note note
    cdef ad_view flat = g[0]
    cdef ad_local_state outside = ad_local
    record_on(tape)         # what a rule does here is what gets recorded
    try:
        note = <Note>at.hook
        found = note.run(reshape(borrowed_tensor(tape, g), note.shape))
        given_view(reshape(found, (flat.shape[0],)), &flat, result)
        return AD_OK
    except BaseException as error:
        keep_call_error(error)
        return AD_CALL_FAILED
    finally:
        restore(outside)


cdef int note_hooks(Tensor t) except -1:
    """Let the hooks of a tensor be called when a sweep reaches it."""
    cdef Note note
    cdef ad_tape *tape = t.h.tape
    if tape != ad_local.tape:
        raise_foreign(t)
    if not t.meta.leaf or ad_tape_length(tape, t.h.instr) != t.numel():
        own_instruction(t)
    note = Note.__new__(Note)
    note.shape = t.shape
    note.hooks = t.meta.hooks
    Py_INCREF(note)
    check(ad_tape_add_note(tape, t.h.instr, <void *>note))
    return 0


cdef int own_instruction(Tensor t) except -1:
    """Make the tensor all the results of an instruction that no other tensor stands for."""
    cdef ad_tape *tape = t.h.tape
    cdef ad_view view = ad_handle_get(&t.h), copied
    cdef int32_t instr = t.h.instr, low, after
    cdef bint whole = view.place == AD_SLOTS and view.base == tape.dst[instr] \
        and ad_view_is_contiguous(&view) and ad_view_size(&view) == ad_tape_length(tape, instr)
    cdef cnp.ndarray reached
    if whole and tape.handle[instr].next == NULL:
        return 0
    # Not yet used, it may as well be a copy.
    low = ad_view_lowest(&view)
    after = tape.dst[instr] + ad_tape_length(tape, instr)
    if low != 2147483647:
        reached = np.zeros(tape.n_slots - low + 1, dtype=np.uint8)
        reached[after - low:] = 1
        check(ad_tape_depends(tape, instr + 1, tape.n - 1, low,
                              <uint8_t *>cnp.PyArray_DATA(reached)))
        slots = slots_of(t)
        if reached[slots[slots >= low] - low].any():
            if whole:
                return 0
            raise TapeError(
                "a hook on part of another tensor must be registered before the part is used; or "
                "make it a tensor of its own: y = x[i] + 0.0")
    check(ad_tape_room(tape, t.numel()))
    view = ad_handle_get(&t.h)
    check(ad_record_copy(tape, &view, &copied))
    return rebind(t, new_result(tape, &copied, True))


cdef ad_call_hooks call_hooks
call_hooks.note = call_note
call_hooks.emit_note = call_emit_note
call_hooks.hold = call_hold
call_hooks.release = call_release
call_hooks.replay = call_replay
call_hooks.save = call_save
call_hooks.load = call_load
call_hooks.elementwise = call_elementwise
call_hooks.forward = call_forward
call_hooks.reverse = call_reverse
call_hooks.emit_reverse = call_emit_reverse
call_hooks.emit_forward = call_emit_forward


# ---- recording ----


cdef class CallRecord:
    """What the tape keeps of a call whose rules are written in Python: see _calls.py.

    The results have the given shapes, and `values` if they are known.
    """

    cdef public object definition, structure, saved
    cdef public list numbers, tracked, shapes, values

    def __init__(self, definition, list numbers, list tracked, structure, list shapes):
        self.definition, self.structure = definition, structure
        self.numbers, self.tracked, self.shapes = numbers, tracked, shapes


cdef object _call_record = None     # the class with the rules
cdef object _leaf = None            # the structure of what is no container


def set_call_record(record, leaf):
    """The subclass of CallRecord that has the rules, and the structure of one number or array."""
    global _call_record, _leaf
    _call_record, _leaf = record, leaf


cdef object kept_numbers(object leaf):
    """The numbers of a leaf, which later changes of a constant do not reach."""
    cdef Tensor t
    if type(leaf) is Tensor:
        t = <Tensor>leaf
        if t.h.tape != NULL or PyFloat_CheckExact(t.constant):
            return t.peek()
        return cnp.PyArray_Copy(t.constant)
    if type(leaf) is cnp.ndarray and not is_frozen(<cnp.ndarray>leaf):
        return cnp.PyArray_NewCopy(<cnp.ndarray>leaf, cnp.NPY_KEEPORDER)
    return leaf


cdef inline bint is_result(object x):
    """Is it a float, or an array that needs no conversion?"""
    return PyFloat_CheckExact(x) or (
        type(x) is cnp.ndarray and cnp.PyArray_NDIM(<cnp.ndarray>x) > 0
        and cnp.PyArray_TYPE(<cnp.ndarray>x) == cnp.NPY_DOUBLE)


def call(definition, list leaves):
    """The output of a call; tracked tensors and duals among its leaves stay differentiable."""
    cdef list tracked = [], operands = []
    cdef int i
    for i in range(len(leaves)):
        leaf = leaves[i]
        if type(leaf) is Dual:
            return METHODS["_call_on_duals"](definition, leaves)
        if is_tracked(leaf):
            tracked.append(i)
            operands.append(leaf)
    if not tracked or (ad_local.off and ad_local.program == NULL):
        return METHODS["_call_on_numbers"](definition, leaves)
    numbers = [kept_numbers(leaf) for leaf in leaves]
    output, saved = definition.run(numbers)
    return recorded_call(definition, numbers, tracked, operands, output, saved)


cdef object recorded_call(definition, list numbers, list tracked, list operands, output, saved):
    """The output of a call that was run on numbers, as tensors."""
    cdef CallRecord rule = _call_record.__new__(_call_record)
    rule.definition, rule.numbers, rule.tracked, rule.saved = definition, numbers, tracked, saved
    if not is_result(output):
        return rule.output(rule.split(record_call(rule, operands, rule.take(output))))
    rule.structure = _leaf
    rule.values = [output]
    rule.shapes = [shape_of(output)]
    return record_call(rule, operands, output)


def split_results(flat, list shapes):
    """Flat results, an array or a Tensor, as one of each of the shapes.

    An array without dimensions becomes a float.
    """
    cdef list out = []
    cdef Tensor t = None
    cdef ad_view view
    cdef int64_t at = 0, size, unit
    cdef int d
    cdef bint tracked = is_tracked(flat)
    for shape in shapes:
        size = 1
        for n in shape:
            size *= n
        if tracked:
            t = <Tensor>flat
            tensor_view(t, &view)
            unit = view.stride[0]       # 0 of an adjoint that is the same everywhere
            view.base += at * unit
            set_shape(&view, shape)
            ad_strides(view.ndim, view.shape, view.stride)
            for d in range(view.ndim):
                view.stride[d] *= unit
            if not ad_tape_narrow(t.h.tape, &view):
                ad_view_drop(&view)
                raise MemoryError("no memory for an index list")
            out.append(settle(t.h.tape, &view, True))
        else:
            part = flat[at:at + size]
            out.append(reshape(part, shape) if shape or type(flat) is Tensor else float(part[0]))
        at += size
    return out


cpdef object record_call(rule, list operands, values):
    """Record `values` (a float or a float64 array) as the results of `rule` on tracked operands.

    Returns a Tensor of their shape; see the top of this file for what a rule is.
    """
    cdef ad_tape *tape = this_tape()
    cdef cnp.ndarray array = None
    cdef int n = len(operands), i, held = 0
    cdef int64_t size = 1
    cdef double number
    cdef const double *data = &number
    cdef ad_view result
    cdef ad_view some[4]
    cdef ad_view *views = some
    if PyFloat_CheckExact(values):
        number = values
    else:
        array = values if is_result(values) and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>values) \
            else np.asarray(values, dtype=np.float64, order="C")
        size = cnp.PyArray_SIZE(array)
        data = <const double *>cnp.PyArray_DATA(array)
        if cnp.PyArray_NDIM(array) > AD_MAX_DIMS:
            raise ShapeError(f"a rule's results may have at most {AD_MAX_DIMS} dimensions, these "
                             f"have {cnp.PyArray_NDIM(array)}")
    if n > 4:
        views = <ad_view *>PyMem_Malloc(n * sizeof(ad_view))
        if views == NULL:
            raise MemoryError("no memory to record a rule")
    try:
        check(ad_tape_room(tape, size))
        for i in range(n):
            if not operand(operands[i], &views[i]):
                raise TypeError(f"a rule's operand must be a number, an array or a tensor, got "
                                f"{type(operands[i]).__name__}")
            held += 1
        Py_INCREF(rule)
        check(ad_record_call(tape, <void *>rule, n, views, size, data, &result))
    finally:
        for i in range(held):
            ad_view_drop(&views[i])
        if views != some:
            PyMem_Free(views)
    if array is None or cnp.PyArray_NDIM(array) == 0:
        return new_scalar(tape, tape.n - 1, tape.dst[tape.n - 1])
    result.ndim = cnp.PyArray_NDIM(array)
    for i in range(result.ndim):
        result.shape[i] = cnp.PyArray_DIM(array, i)
    ad_strides(result.ndim, result.shape, result.stride)
    return new_result(tape, &result, True)

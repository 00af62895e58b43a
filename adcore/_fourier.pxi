"""Fourier transforms recorded as one instruction each: by NumPy's inner loops, in one buffer."""


cdef enum:
    MOST_PASSES = 16        # one for each dimension of a tensor

cdef struct fourier_pass:
    Py_ssize_t before, length, out_length, after    # elements; `before` and `after` the axis
    double factor


cdef enum:
    MOST_SPARE = 2097152    # numbers in a buffer that a thread keeps


cdef cnp.ndarray spare_room(cnp.npy_intp length):
    """A buffer of numbers; that of the call before if it is not too large to be kept."""
    cdef _Owner owner
    if length > MOST_SPARE:
        return fresh_vector(length)
    owner = _thread_state.owner
    if owner.spare is None or cnp.PyArray_SIZE(owner.spare) < length:
        owner.spare = fresh_vector(length)
    return owner.spare


cdef class FourierPlan:
    """A transform of arrays of one shape: what NumPy does along each axis, one after another.

    `loop` is a ufunc of numpy.fft's, from real or complex numbers to such; `passes` has (axis,
    out_length, factor) of each pass.  `rule` is what the tape keeps of it: see _calls.pxi.
    """

    cdef ad_simd_loop *loop
    cdef void *loop_data
    cdef bint real, out_real
    cdef int n_passes
    cdef fourier_pass passes[MOST_PASSES]
    cdef tuple shape, out_shape
    cdef Py_ssize_t size, out_size
    cdef object rule

    def __init__(self, loop, tuple shape, passes, bint real, bint out_real, rule):
        lengths = list(shape)
        self.shape, self.real, self.out_real, self.rule = shape, real, out_real, rule
        types = [cnp.NPY_DOUBLE if real else cnp.NPY_CDOUBLE, cnp.NPY_DOUBLE,
                 cnp.NPY_DOUBLE if out_real else cnp.NPY_CDOUBLE]
        self.loop = <ad_simd_loop *>loop_of(loop, types, &self.loop_data)
        for axis, out_length, factor in passes:
            self.passes[self.n_passes] = fourier_pass(
                math.prod(lengths[:axis]), lengths[axis], out_length,
                math.prod(lengths[axis + 1:]), factor)
            lengths[axis] = out_length
            self.n_passes += 1
        self.out_shape = tuple(lengths)
        self.size, self.out_size = math.prod(shape), math.prod(lengths)

    def usable(self):
        """Whether NumPy has the loop that is needed, and there are numbers to be transformed."""
        return self.loop != NULL and self.size > 0 and len(self.shape) <= AD_MAX_DIMS

    cdef void run(self, const double *x, double *y) noexcept nogil:
        """All passes; x and y may be one buffer if lengths and types do not change."""
        cdef Py_ssize_t unit = sizeof(double) * (1 if self.real else 2)
        cdef Py_ssize_t out_unit = sizeof(double) * (1 if self.out_real else 2)
        cdef Py_ssize_t i, calls
        # Transforms in a call, numbers of each, results of each; bytes from one transform to the
        # next in each of the three arguments, and from number to number, and result to result.
        cdef Py_ssize_t dims[3]
        cdef Py_ssize_t steps[5]
        cdef char *args[3]
        cdef fourier_pass *step
        for k in range(self.n_passes):
            step = &self.passes[k]
            dims[1], dims[2] = step.length, step.out_length
            steps[3], steps[4] = step.after * unit, step.after * out_unit
            if step.after == 1:
                calls, dims[0] = 1, step.before
                steps[0], steps[2] = step.length * unit, step.out_length * out_unit
            else:
                calls, dims[0] = step.before, step.after
                steps[0], steps[2] = unit, out_unit
            steps[1] = 0
            args[1] = <char *>&step.factor
            for i in range(calls):
                args[0] = <char *>x + i * step.length * step.after * unit
                args[2] = <char *>y + i * step.out_length * step.after * out_unit
                self.loop(args, dims, steps, self.loop_data)
            x = y

    def record(self, re, im):
        """The transform of re + i im, or of the real numbers re if im is None.

        NotImplemented unless that is to be recorded as an instruction of tensors and arrays.
        """
        cdef ad_tape *tape
        cdef ad_view views[2]
        cdef ad_view zero
        cdef ad_view result
        cdef Py_ssize_t length
        cdef cnp.ndarray kept = None
        cdef double *x
        cdef double *y
        cdef double *z      # complex numbers
        cdef int n = 1 if im is None else 2, held = 0, i
        cdef int64_t total = self.out_size * (1 if self.out_real else 2)
        cdef ad_status status
        cdef Tensor t
        if ad_local.off or ad_local.program != NULL or self.real and im is not None \
                or not (is_tracked(re) or is_tracked(im)):
            return NotImplemented
        tape = this_tape()
        try:
            check(ad_tape_room(tape, total))
            for i in range(n):
                if not operand(re if i == 0 else im, &views[i]):
                    return NotImplemented
                held += 1
                if views[i].ndim != len(self.shape):
                    return NotImplemented
            length = 2 * max(self.size, self.out_size) + (self.size if self.real else 0)
            if length <= AD_SCRATCH:
                check(ad_tape_make_scratch(tape))
                z = tape.scratch
            else:
                kept = spare_room(length)
                z = <double *>cnp.PyArray_DATA(kept)
            x = z + (length - self.size if self.real else 0)
            if self.real:
                ad_view_read(&views[0], tape.value, x)
            else:
                zero = ad_view_number(0)
                if n == 1:
                    ad_view_broadcast(&zero, views[0].ndim, views[0].shape)
                ad_complex_read(&views[0], &views[1] if n == 2 else &zero, tape.value, z)
            Py_INCREF(self.rule)
            status = ad_record_block(tape, AD_CALL, 0, <int64_t><Py_ssize_t><void *>self.rule,
                                     total, n, views)
            if status != AD_OK:
                Py_DECREF(self.rule)
            check(status)
        finally:
            for i in range(held):
                ad_view_drop(&views[i])
        y = tape.value + tape.dst[tape.n - 1]
        if self.size < LOOP_WITH_LOCK:
            self.run(x, y if self.out_real else z)
        else:
            with nogil:
                self.run(x, y if self.out_real else z)
        raise_what_is_set()
        if not self.out_real:
            ad_complex_split(z, self.out_size, y, y + self.out_size)
        result = ad_view_slots(tape.dst[tape.n - 1], 0, NULL)
        set_shape(&result, self.out_shape)
        ad_strides(result.ndim, result.shape, result.stride)
        t = new_result(tape, &result, True)
        if self.out_real:
            return t
        result = ad_view_slots(tape.dst[tape.n - 1] + self.out_size, 0, NULL)
        set_shape(&result, self.out_shape)
        ad_strides(result.ndim, result.shape, result.stride)
        return new_complex(t, new_result(tape, &result, True))

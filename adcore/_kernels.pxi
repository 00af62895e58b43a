"""Kernels of linear algebra: how they are recorded and run, and how sweeps reach their rules."""

from cpython.pycapsule cimport PyCapsule_GetName, PyCapsule_GetPointer


# ---- BLAS and LAPACK, from SciPy when they are first needed ----


cdef ad_lapack_functions lapack_found


cdef ad_status load_lapack() noexcept with gil:
    cdef int k
    cdef void *function
    try:
        import scipy.linalg.cython_blas
        import scipy.linalg.cython_lapack
        for k in range(ad_n_lapack_rows):
            library = getattr(scipy.linalg, "cython_" + ad_lapack_rows[k].library.decode())
            capsule = library.__pyx_capi__[ad_lapack_rows[k].name.decode()]
            function = PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule))
            memcpy(<char *>&lapack_found + ad_lapack_rows[k].offset, &function, sizeof(function))
        ad_lapack_give(&lapack_found)
        return AD_OK
    except BaseException as error:
        keep_call_error(error)
        return AD_CALL_FAILED


ad_lapack_set_loader(load_lapack)


# ---- the table, as Python sees it ----


cdef dict _kernel_numbers():
    found = {}
    for number in range(AD_KERNEL_NUMBERS):
        if ad_kernel_row(number) != NULL:
            row = ad_kernel_row(number)
            found[row.name.decode()] = (number, tuple([row.dims[k] for k in range(row.n_args)]))
    return found


KERNELS = _kernel_numbers()    # name -> (number, dimensions of each operand but the leading ones)

cdef object _kernel_rule = None


def set_kernel_rule(rule):
    """What makes rule(extra, p, operands, result): see kernel_rule_of()."""
    global _kernel_rule
    _kernel_rule = rule


def kernel_extra(int number, int flags=0, int64_t first=0, int64_t count=0):
    """Number, flags and places of a kernel in one integer."""
    cdef int64_t extra = ad_kernel_extra(number, flags, first, count)
    if extra < 0:
        raise ShapeError(f"flags {flags}, places {first} and {count} are beyond what kernels take")
    return extra


def kernel_name(int64_t extra):
    """The name of a kernel."""
    return ad_kernel_row(extra & 0xff).name.decode()


cdef object kernel_shapes_differ(int64_t extra, list operands, const char *needs):
    shapes = ", ".join([str(shape_of(x)) for x in operands])
    wants = "" if needs == NULL else f"; it takes {needs.decode()}"
    return ShapeError(f"{kernel_name(extra)}: operands of shape {shapes} do not fit{wants}")


cpdef object run_kernel(int64_t extra, double p, list operands):
    """The result of a kernel of plain arrays."""
    cdef ad_kernel kernel
    cdef int ndim[3]
    cdef const int64_t *shape[3]
    cdef const double *data[3]
    cdef cnp.ndarray array, out
    cdef int n = len(operands), k
    cdef int64_t lengths[3][16]
    cdef double *y
    cdef ad_status status
    arrays = []
    for k in range(n):
        array = np.ascontiguousarray(operands[k], dtype=np.float64)
        ndim[k] = cnp.PyArray_NDIM(array)
        if ndim[k] > AD_MAX_DIMS:
            raise ShapeError(f"an array may have at most {AD_MAX_DIMS} dimensions, "
                             f"got {ndim[k]}")
        for d in range(ndim[k]):
            lengths[k][d] = cnp.PyArray_DIM(array, d)
        shape[k] = lengths[k]
        data[k] = <const double *>cnp.PyArray_DATA(array)
        arrays.append(array)
    needs = ad_kernel_read_shapes(extra, p, n, ndim, shape, &kernel)
    if needs != NULL:
        raise kernel_shapes_differ(extra, operands, needs)
    leading = arrays[0].shape[:ndim[0] - ad_kernel_row(extra & 0xff).dims[0]]
    out = np.empty(leading + tuple([kernel.shape[k] for k in range(kernel.ndim)]))
    y = <double *>cnp.PyArray_DATA(out)
    with nogil:
        status = ad_kernel_run(&kernel, data, y)
    check(status)
    return out


def apply_kernel(int64_t extra, double p, list operands):
    """The result of a kernel of arrays and tensors; NotImplemented of duals."""
    cdef bint traced = False
    for x in operands:
        if type(x) is Dual:
            return NotImplemented
        traced = traced or type(x) is Tensor
    return record_kernel(extra, p, operands) if traced else run_kernel(extra, p, operands)


cpdef object record_kernel(int64_t extra, double p, list operands):
    """The result of a kernel as a Tensor; its operands are arrays and tensors."""
    cdef ad_tape *tape = this_tape()
    cdef ad_view views[3]
    cdef ad_view result
    cdef int n = len(operands), k, held = 0
    cdef bint tracked = False
    cdef ad_status status
    cdef ad_kernel kernel
    cdef const char *needs = NULL
    try:
        check(ad_tape_room(tape, 8))
        for k in range(n):
            if not operand(operands[k], &views[k]):
                raise TypeError(f"{kernel_name(extra)} takes arrays and tensors, got "
                                f"{type(operands[k]).__name__}")
            held += 1
            tracked = tracked or is_tracked(operands[k])
        status = ad_record_kernel(tape, extra, p, n, views, &result)
        if status == AD_SHAPES_DIFFER:
            needs = ad_kernel_read(extra, p, n, views, &kernel)
    finally:
        for k in range(held):
            ad_view_drop(&views[k])
    if status == AD_SHAPES_DIFFER:
        raise kernel_shapes_differ(extra, operands, needs)
    check(status)
    return settle(tape, &result, tracked)


# ---- rules ----


cdef object kernel_rule_of(ad_tape *tape, int32_t instr, bint numbers):
    """The rule of a kernel, as _calls.pxi wants it; with operands' numbers for a numeric sweep."""
    cdef ad_view views[3]
    cdef ad_kernel kernel
    cdef const int64_t *block = &tape.aux[tape.a[instr]]
    cdef double p
    cdef int n = ad_tape_views(tape, instr, views, 3), k, leading
    cdef cnp.ndarray result
    memcpy(&p, block + 3, sizeof(p))
    ad_kernel_read(block[4], p, n, views, &kernel)
    leading = views[0].ndim - ad_kernel_row(kernel.name).dims[0]
    shape = tuple([views[0].shape[k] for k in range(leading)]
                  + [kernel.shape[k] for k in range(kernel.ndim)])
    if not numbers:
        return _kernel_rule(block[4], p, shape, None, None)
    result = np.empty(shape)
    memcpy(cnp.PyArray_DATA(result), tape.value + tape.dst[instr],
           block[2] * sizeof(double))
    operands = [np.asarray(view_values(tape, &views[k])) for k in range(n)]
    return _kernel_rule(block[4], p, shape, operands, result)


cdef bint zero_adjoint_matters(ad_tape *tape, int32_t instr) except -1:
    """Does anything read eigenvectors, so that an adjoint of zero may be one of equal eigenvalues?

    That of a tensor that nothing reads is zero too, and that is right.
    """
    cdef const int64_t *block = &tape.aux[tape.a[instr]]
    if block[4] & 0xff != AD_KERNEL_vectors and block[4] & 0xff != AD_KERNEL_eig_vectors:
        return False
    return ad_tape_reads_results(tape, instr)

"""Functions whose calls are calls of a definition, and values those of inner loops of ufuncs."""


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
        output = self.looped(numbers) if self.loop != NULL else None
        if output is None:
            output = as_result(self.compute(*numbers))
        return recorded_call(self.definition, numbers, tracked, operands, output, None)

    cdef object looped(self, list numbers):
        """What `compute` gives, by its inner loop alone; None where it would have to broadcast."""
        cdef char *data[MOST_LOOP_ARGS + 1]
        cdef cnp.npy_intp stride[MOST_LOOP_ARGS + 1]
        cdef double number[MOST_LOOP_ARGS + 1]
        cdef cnp.ndarray first = None, array, out = None
        cdef cnp.npy_intp size = 1
        cdef int i
        for i in range(self.n_args):
            x = numbers[i]
            if PyFloat_CheckExact(x):
                number[i] = PyFloat_AS_DOUBLE(x)
                data[i], stride[i] = <char *>&number[i], 0
                continue
            array = x
            if not cnp.PyArray_ISCARRAY_RO(array):
                return None
            if first is None:
                first = array
            elif not cnp.PyArray_SAMESHAPE(first, array):
                return None
            data[i], stride[i] = <char *>cnp.PyArray_DATA(array), sizeof(double)
        if first is None:
            data[self.n_args] = <char *>&number[self.n_args]
        else:
            size = cnp.PyArray_SIZE(first)
            out = cnp.PyArray_SimpleNew(cnp.PyArray_NDIM(first), cnp.PyArray_DIMS(first),
                                        cnp.NPY_DOUBLE)
            data[self.n_args] = <char *>cnp.PyArray_DATA(out)
        stride[self.n_args] = sizeof(double)
        forget_flags()      # SciPy's loops look at what is raised, theirs or not
        if size < LOOP_WITH_LOCK:
            self.loop(data, &size, stride, self.loop_data)
        else:
            with nogil:
                self.loop(data, &size, stride, self.loop_data)
        raise_what_is_set()
        return number[self.n_args] if out is None else out


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

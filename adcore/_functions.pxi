"""Functions of ad_functions.h on numbers and arrays."""


def special(str name, tuple orders, *args):
    """The derivative of the given orders of a function of the core, of numbers and arrays.

    They broadcast.  The result is a float if all are numbers.
    """
    cdef const ad_function *f = ad_function_find(name.encode())
    cdef int order[4]
    cdef const double *x[6]
    cdef int i
    cdef size_t n, lost
    cdef cnp.ndarray out
    cdef double *y
    if f == NULL or f.n_orders != len(orders) or f.n_args != len(args):
        raise ValueError(f"there is no function {name} of {len(orders)} orders and {len(args)} "
                         "arguments")
    for i in range(f.n_orders):
        order[i] = orders[i]
    values = [plain_operand(a) for a in args]
    shape = None
    for v in values:
        if shape is None:
            shape = shape_of(v)
        elif shape_of(v) != shape:
            shape = np.broadcast_shapes(*[shape_of(w) for w in values])
            break
    spread = [np.full(shape, v) if PyFloat_CheckExact(v) else
              np.ascontiguousarray(v if v.shape == shape else np.broadcast_to(v, shape))
              for v in values]
    for i in range(f.n_args):
        x[i] = <const double *>cnp.PyArray_DATA(<cnp.ndarray>spread[i])
    out = new_array(shape)
    n = cnp.PyArray_SIZE(out)
    y = <double *>cnp.PyArray_DATA(out)
    with nogil:
        lost = ad_function_vector(f, order, n, x, y)
    if lost < n:
        at = ", ".join([repr(float(a.flat[lost])) for a in spread])
        raise NotDifferentiableError(
            f"the derivative of orders {orders} of {name} at ({at}) cannot be computed to nine "
            "digits")
    return out if shape else float(out)

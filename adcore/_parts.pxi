"""Parts of arrays: slices, transposes and other shapes, which NumPy has as views.

Here they are values of their own, so that to change one in place would be lost on the whole, which
NumPy changes with it.  As long as the whole is in use, that is refused.
"""


cdef extern from *:
    Py_ssize_t Py_REFCNT(PyObject *o)


cdef struct Whole:
    int64_t refs    # the array itself while it is there, and its parts
    bint gone       # the array is
    Whole *of       # what it is a part of itself; NULL if of nothing


cdef int join_whole(Whole **part, Whole **whole, Whole *above) except -1:
    """Let an array be a part of another one, which may be a part of what is above."""
    if whole[0] == NULL:
        whole[0] = <Whole *>PyMem_Calloc(1, sizeof(Whole))
        if whole[0] == NULL:
            raise MemoryError("no memory for a part of an array")
        whole[0].refs = 1
        whole[0].of = above
        if above != NULL:
            above.refs += 1
    if part[0] == NULL:
        whole[0].refs += 1
        part[0] = whole[0]
    return 0


cdef void drop_whole(Whole *whole) noexcept:
    """One array fewer refers to it."""
    cdef Whole *above
    while whole != NULL:
        whole.refs -= 1
        if whole.refs > 0:
            return
        above = whole.of
        PyMem_Free(whole)
        whole = above


cdef inline void leave(Whole *whole, Whole *part_of) noexcept:
    """An array is no more that was this whole, and a part of that one; either may be NULL."""
    if whole != NULL:
        whole.gone = True
        drop_whole(whole)
    drop_whole(part_of)


cdef inline Tensor part_of_tensor(Tensor whole, Tensor part):
    """`part`, from now on one of another tensor."""
    if part.h.view != NULL or part.h.tape == NULL:
        join_whole(&part.part_of, &whole.whole, whole.part_of)
    return part


cdef object as_part(object whole, object part):
    """`part`, from now on one of another Tensor, or Dual."""
    if type(part) is Tensor and type(whole) is Tensor:
        return part_of_tensor(<Tensor>whole, <Tensor>part)
    if type(part) is Dual and type(whole) is Dual and (<Dual>part).boxed:
        join_whole(&(<Dual>part).part_of, &(<Dual>whole).whole, (<Dual>whole).part_of)
    return part


cdef inline bint is_lost(const Whole *whole) noexcept:
    """Would others have to see what is done to a part of this?"""
    while whole != NULL:
        if not whole.gone:
            return True
        whole = whole.of
    return False


cdef int raise_part(shape) except -1:
    raise TapeError(
        f"an array of shape {shape} is changed in place that is a part of another one still in "
        "use: a slice, or the same in another shape.  NumPy would change both, here they are "
        "values of their own, and the change would be lost.  Assign to the whole, x[i, j] = y in "
        "place of x[i][j] = y; or change a copy, part = x[i].copy(), or x = x.reshape(n, m).copy() "
        "of the argument of a function")


cdef inline int refuse_part(const Whole *whole, x) except -1:
    """Refuse to change a part of an array that is still in use."""
    if whole != NULL and is_lost(whole):
        raise_part(x.shape)
    return 0


cdef inline int refuse_named_part(const Whole *whole, PyObject *x) except -1:
    """The same, if a name is bound to the part: x[i] += y ends with x[i] = ..., losing nothing."""
    if whole != NULL and Py_REFCNT(x) > 1 and is_lost(whole):
        raise_part((<object>x).shape)
    return 0

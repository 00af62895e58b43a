"""Sparse Hessians of what is on the tape, pushed edge by edge."""


def edge_hessian(Tensor output, Tensor flat, int64_t most=2**63 - 1):
    """(gradient, indptr, indices, data) of a scalar output by the variables of `flat`, a lift()'s.

    The last three are the Hessian by rows, symmetric, columns ascending, with no zeros.  None where
    second derivatives cannot be pushed: linear algebra, rules and hooks in Python, norms that are
    0, points where a second derivative is nan or out of range; and where more than
    `most` edges would have to be pushed.
    """
    cdef ad_tape *tape = output.h.tape
    cdef int64_t n = flat.size
    cdef cnp.ndarray gradient = np.zeros(n)
    cdef double *g = <double *>cnp.PyArray_DATA(gradient)
    cdef int32_t low
    cdef ad_view view
    cdef ad_pattern pattern
    cdef double *entries
    cdef ad_status status
    cdef int64_t n_entries
    if tape == NULL:
        return gradient, np.zeros(n + 1, np.int32), np.zeros(0, np.int32), np.zeros(0)
    if tape != ad_local.tape:
        raise_foreign(output)
    low = <int32_t>flat.h.view.base
    view = ad_handle_get(&output.h)
    with nogil:
        status = ad_edge_hessian(tape, &view, low, <int32_t>n, most, g, &pattern, &entries)
    if status == AD_NO_EDGES:
        return None
    check(status)
    try:
        n_entries = pattern.start[n]
        data = np.empty(n_entries)
        memcpy(cnp.PyArray_DATA(<cnp.ndarray>data), entries, n_entries * sizeof(double))
    finally:
        free(entries)
        indptr, indices, _ = taken_pattern(&pattern)
    return gradient, indptr, indices, data


def edge_cost(Tensor output, Tensor flat):
    """What lies between the variables of `flat` and an output, in no time.

    A dict: `slots`, numbers that were computed; `operands`, how many they were computed from in
    all; `curved`, those of them with second partials; `known`, whether edge_hessian() can be
    expected to go through.  Numbers that the output does not depend on are counted too.
    """
    cdef ad_view view
    cdef ad_edge_cost cost
    if output.h.tape == NULL:
        return {"slots": 0, "operands": 0, "curved": 0, "known": True}
    if output.h.tape != ad_local.tape:
        raise_foreign(output)
    view = ad_handle_get(&output.h)
    cost = ad_edge_cost_of(output.h.tape, &view, <int32_t>flat.h.view.base)
    return {"slots": cost.slots, "operands": cost.operands, "curved": cost.curved,
            "known": bool(cost.known)}

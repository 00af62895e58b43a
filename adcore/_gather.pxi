"""Computed indices on the tape: sorting by them, and reading and adding where they say."""


cdef bint has_index(object key):
    """Is there an Index of rules/indices.py among the items of a key?"""
    if type(key) is tuple:
        for k in key:
            if type(k) is METHODS["_index"]:
                return True
        return False
    return type(key) is METHODS["_index"]


def argsort_last(x):
    """The indices that sort a Tensor along its last dimension: stable, nan last."""
    return record_one(x, AD_ARGSORT, 0)


cdef object record_at(object x, object index, int64_t n):
    """A gather, or a scatter to rows of n elements if n is not negative."""
    cdef ad_tape *tape = this_tape()
    cdef ad_view left, right, result
    cdef ad_status status
    check(ad_tape_room(tape, 8))
    if not operand(x, &left):
        raise TypeError(f"arrays and tensors can be indexed, not a {type(x).__name__}")
    if not operand(index, &right):
        ad_view_drop(&left)
        raise TypeError(f"an index must be a tensor or an array, not a {type(index).__name__}")
    if n < 0:
        status = ad_record_gather(tape, &left, &right, &result)
    else:
        status = ad_record_scatter(tape, &left, &right, n, &result)
    ad_view_drop(&left)
    ad_view_drop(&right)
    check(status)
    return settle(tape, &result, is_tracked(x) or is_tracked(index))


def gather_last(x, index):
    """The elements of `x`, (..., n), at the indices, (m,): (..., m); one of the two a Tensor."""
    return record_at(x, index, -1)


def scatter_last(x, index, int64_t n):
    """Zeros (..., n) to which the elements of `x`, (..., m), are added at the indices, (m,)."""
    if n < 0:
        raise ValueError(f"the length must not be negative, got {n}")
    return record_at(x, index, n)

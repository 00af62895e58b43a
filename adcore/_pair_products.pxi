"""Products of complex arrays: real products of all parts at once, and formulas of halves."""


cdef enum:
    LARGE_PRODUCT = 1 << 18     # products of numbers, beyond which BLAS for complex ones is faster


cdef object pair_product(object z, object w, bint conjugate=False, int most=AD_MAX_DIMS):
    """The matrix product; vectors as in NumPy.  The first may enter as its conjugate.

    Of real products of all parts, recorded at once, re is ac - bd and im is ad + bc.
    """
    cdef ad_tape *tape = ad_local.tape
    cdef ad_view left, right, products, same, crossed, sign, result
    cdef const ad_view *given[3]
    cdef int row, column, d, first, second
    cdef int64_t shape[AD_MAX_DIMS]
    cdef ad_status status
    if not pair_view(z, &left) or not pair_view(w, &right) \
            or not 1 < left.ndim <= min(most, AD_MAX_DIMS - 4) + 1 \
            or not 1 < right.ndim <= min(most, AD_MAX_DIMS - 4) + 1:
        return None
    row, column = left.ndim == 2, right.ndim == 2
    # Dimensions of the products: `first` is that of the parts of z, `second` of those of w.
    if column:          # (k) is a column for either part
        right.shape[0], right.shape[1] = right.shape[1], right.shape[0]
        right.stride[0], right.stride[1] = right.stride[1], right.stride[0]
        if not row:
            shape[0], shape[1] = 2 * left.shape[1], left.shape[2]
            first = 0
            if left.ndim == 3:      # all rows of both parts, if they are one matrix
                ad_view_reshape(&left, 2, shape)
    elif row:
        pass            # a row for either part, of each of the matrices of w
    else:
        if left.ndim == 3 and right.ndim == 3 and not ad_local.rows \
                and left.shape[1] * left.shape[2] * right.shape[2] >= LARGE_PRODUCT:
            found = by_loop(_matmul, (z, w))
            if found is not None:
                return found
        put_length_1(&left, 1)
        put_length_1(&right, 0)
        while left.ndim < right.ndim:
            put_length_1(&left, 2)
        while right.ndim < left.ndim:
            put_length_1(&right, 2)
    status = ad_record_matmul(tape, &left, &right, &products)
    if status == AD_SHAPES_DIFFER:
        return None
    check(status)
    if column and not row and left.ndim == 2:
        ad_view_copy(&same, &products)      # (2 m, 2) -> (2, m, 2)
        shape[0], shape[1], shape[2] = 2, products.shape[0] // 2, 2
        ad_view_reshape(&same, 3, shape)
        ad_view_copy(&products, &same)
    if column:
        first, second = 0, products.ndim - 1
    elif row:
        first, second = products.ndim - 2, 0
    else:
        first, second = 0, 1
    # ac and ad, bd and bc, along w's parts; the others keep their order.
    same.place, same.base, same.ndim = AD_SLOTS, products.base, 1
    same.shape[0], same.stride[0] = 2, products.stride[second]
    for d in range(products.ndim):
        if d != first and d != second:
            same.shape[same.ndim], same.stride[same.ndim] = products.shape[d], products.stride[d]
            same.ndim += 1
    ad_view_copy(&crossed, &same)
    crossed.base += products.stride[first] + products.stride[second]
    crossed.stride[0] = -crossed.stride[0]
    pair_of_numbers(1.0 if conjugate else -1.0, -1.0 if conjugate else 1.0, same.ndim - 1, &sign)
    given[0], given[1], given[2] = &crossed, &sign, &same
    status = ad_record_op(tape, AD_OP_fma, 0, given, &result)
    ad_view_drop(&sign)
    check(status)
    return pair_result(&result)


cdef bint multiply_pairs(const ad_view *z, const ad_view *w, ad_view *result) except -1:
    """Record the products of elements, of a dimension or more; False if rows are wanted."""
    cdef ad_view views[2]
    if ad_local.rows:
        return False
    ad_view_copy(&views[0], z)
    ad_view_copy(&views[1], w)
    record_formula((<ComplexFunction>_complex_functions[_multiply]).of_parts(2), 2, views, result)
    return True


cdef object pair_prod(tuple args):
    """The product of a vector: halves times halves, so that derivatives are exact at zeros."""
    cdef ad_view low, high, rest
    cdef int64_t n
    cdef bint left = False      # is there a rest?
    if len(args) > 1 or ad_local.rows or not pair_view(args[0], &low) or low.ndim != 2 \
            or low.shape[1] < 2:
        return None
    n = low.shape[1]
    while n > 1:
        if n % 2:
            ad_view_copy(&high, &low)
            high.base += (n - 1) * high.stride[1]
            high.shape[1] = 1
            if left:
                multiply_pairs(&high, &rest, &rest)
            else:
                ad_view_copy(&rest, &high)
                left = True
        n //= 2
        low.shape[1] = n
        ad_view_copy(&high, &low)
        high.base += n * high.stride[1]
        multiply_pairs(&low, &high, &low)
    if left:
        multiply_pairs(&low, &rest, &low)
    low.ndim = 1
    return pair_result(&low)


cdef object pair_dot(tuple args):
    return pair_product(args[0], args[1], False, 2) if len(args) == 2 else None


cdef object pair_vdot(tuple args):
    return pair_product(args[0], args[1], True, 1) if len(args) == 2 else None


cdef object pair_outer(tuple args):
    cdef ad_view left, right
    cdef int64_t size
    cdef ad_view result
    if len(args) != 2 or not pair_view(args[0], &left) or not pair_view(args[1], &right) \
            or left.ndim != 2 or right.ndim != 2:
        return None
    put_length_1(&left, 2)
    put_length_1(&right, 1)
    return pair_result(&result) if multiply_pairs(&left, &right, &result) else None


cdef dict _products_of_subscripts = {}


cdef object _is_product = None


def set_products_of_subscripts(function):
    """What gives the dimensions of einsum's two operands if their product is matmul's, else ()."""
    global _is_product
    _is_product = function


cdef object pair_einsum(tuple args):
    """What is a product of two matrices, or of a matrix and a vector, as matmul has it."""
    if len(args) != 3 or type(args[0]) is not str:
        return None
    found = _products_of_subscripts.get(args[0])
    if found is None and len(_products_of_subscripts) < 256:
        found = _products_of_subscripts[args[0]] = _is_product(args[0])
    return pair_product(args[1], args[2]) if found and ndims_are(found, args) else None


cdef bint ndims_are(tuple ndims, tuple args):
    """Are the operands of einsum of the dimensions that their subscripts have?"""
    cdef ad_view view
    for i in range(2):
        if not pair_view(args[i + 1], &view) or view.ndim != ndims[i] + 1:
            return False
    return True

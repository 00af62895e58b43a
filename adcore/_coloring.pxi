"""Colours of sparse matrices, and where entries are read from the products with them.

A pattern is (start, column, number of columns): the index arrays of a CSR matrix, int64 and int32,
with each row sorted and no entry twice.  Arrays of colours are int32.
"""

# Names of orders, as users write them.
COLOR_ORDERS = {
    "natural": AD_ORDER_NATURAL, "largest-first": AD_ORDER_LARGEST_FIRST,
    "smallest-last": AD_ORDER_SMALLEST_LAST, "incidence-degree": AD_ORDER_INCIDENCE,
}


cdef ad_pattern pattern_seen(tuple pattern):
    """A view of the arrays, which stay Python's."""
    cdef cnp.ndarray start, column
    cdef ad_pattern seen
    start, column, seen.n_columns = pattern
    seen.n_rows = start.shape[0] - 1
    seen.start = <int64_t *>cnp.PyArray_DATA(start)
    seen.column = <int32_t *>cnp.PyArray_DATA(column)
    return seen


cdef inline int32_t *int32_data(cnp.ndarray array):
    return <int32_t *>cnp.PyArray_DATA(array)


def pattern_is_symmetric(tuple pattern):
    cdef ad_pattern seen = pattern_seen(pattern)
    cdef cnp.ndarray mate = np.empty(pattern[1].size, np.int32)
    cdef int32_t *at = int32_data(mate)
    cdef c_bool symmetric
    cdef ad_status status
    with nogil:
        status = ad_pattern_mates(&seen, at, &symmetric)
    check(status)
    return bool(symmetric)


def color_lines(tuple pattern, str method, str order):
    """(colours of the columns, their number); method "columns", or of a symmetric pattern "star"
    or "acyclic"."""
    cdef ad_pattern seen = pattern_seen(pattern)
    cdef cnp.ndarray color = np.empty(seen.n_columns, np.int32)
    cdef cnp.ndarray when = np.empty(seen.n_columns, np.int32)
    cdef int32_t *colors = int32_data(color)
    cdef int32_t *orders = int32_data(when)
    cdef int64_t n_colors = 0
    cdef ad_order how = COLOR_ORDERS[order]
    cdef bint star = method == "star", columns = method == "columns"
    cdef ad_status status
    with nogil:
        if columns:
            status = ad_order_columns(&seen, how, orders)
        else:
            status = ad_order_vertices(&seen, how, orders)
        if not status:
            if columns:
                status = ad_color_columns(&seen, orders, seen.n_columns, colors, &n_colors)
            elif star:
                status = ad_color_star(&seen, orders, seen.n_columns, colors, &n_colors)
            else:
                status = ad_color_acyclic(&seen, orders, seen.n_columns, colors, &n_colors)
    check(status)
    return color, n_colors


def color_both(tuple pattern, str order):
    """(colours of the rows, of the columns, how many, how many); -1 is none."""
    cdef ad_pattern seen = pattern_seen(pattern)
    cdef cnp.ndarray row = np.empty(seen.n_rows, np.int32)
    cdef cnp.ndarray column = np.empty(seen.n_columns, np.int32)
    cdef int32_t *rows = int32_data(row)
    cdef int32_t *columns = int32_data(column)
    cdef int64_t n_rows = 0, n_columns = 0
    cdef ad_order how = COLOR_ORDERS[order]
    cdef ad_status status
    with nogil:
        status = ad_color_bicolor(&seen, how, rows, columns, &n_rows, &n_columns)
    check(status)
    return row, column, n_rows, n_columns


def recover_star(tuple pattern, cnp.ndarray color):
    """(row, lane) of each entry: where it is read."""
    cdef ad_pattern seen = pattern_seen(pattern)
    cdef cnp.ndarray row = np.empty(pattern[1].size, np.int32)
    cdef cnp.ndarray lane = np.empty(pattern[1].size, np.int32)
    check(ad_recover_star(&seen, int32_data(color), int32_data(row), int32_data(lane)))
    return row, lane


def recover_bicolor(tuple pattern, cnp.ndarray row_color, cnp.ndarray column_color):
    """The lane of each entry, of the columns; or of the rows, as -1 - lane."""
    cdef ad_pattern seen = pattern_seen(pattern)
    cdef cnp.ndarray lane = np.empty(pattern[1].size, np.int32)
    check(ad_recover_bicolor(&seen, int32_data(row_color), int32_data(column_color),
                             int32_data(lane)))
    return lane


def recover_acyclic(tuple pattern, cnp.ndarray color):
    """(entry, mate) of each step of substitution."""
    cdef ad_pattern seen = pattern_seen(pattern)
    cdef cnp.ndarray entry = np.empty(pattern[1].size, np.int32)
    cdef cnp.ndarray mate = np.empty(pattern[1].size, np.int32)
    cdef int64_t n_steps = 0
    check(ad_recover_acyclic(&seen, int32_data(color), int32_data(entry), int32_data(mate),
                             &n_steps))
    return entry[:n_steps].copy(), mate[:n_steps].copy()


def substitute(tuple pattern, cnp.ndarray color, tuple steps, cnp.ndarray lanes):
    """The entries, from lanes (n, n_colors) of contiguous doubles, which are used up."""
    cdef ad_pattern seen = pattern_seen(pattern)
    cdef cnp.ndarray entry, mate, data = np.empty(pattern[1].size)
    entry, mate = steps
    ad_recover_substitute(&seen, int32_data(color), lanes.shape[1], entry.shape[0],
                          int32_data(entry), int32_data(mate),
                          <double *>cnp.PyArray_DATA(lanes), <double *>cnp.PyArray_DATA(data))
    return data

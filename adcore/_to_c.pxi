"""Programs as C: the text that ad_to_c.h writes."""


cdef str text_of(ad_text *text):
    return "" if text.n == 0 else text.data[:text.n].decode("ascii")


cdef tuple written_as_c(const ad_program *program, str name):
    """What Program.as_c() returns; the number of the instruction if that cannot be written."""
    cdef ad_c_function function
    cdef bytes called = name.encode("ascii")
    cdef const char *c_name = called
    cdef ad_status status
    with nogil:
        status = ad_to_c(program, c_name, &function)
    try:
        if status == AD_CALL_FAILED:
            return (function.call,)
        check(status)
        return (text_of(&function.text), function.n_work,
                (<const char *>function.ops)[:AD_N_OPS])
    finally:
        ad_c_function_free(&function)


def loops_of(bytes used):
    """By name, the addresses of NumPy's loop and of its data, of the ops that are marked."""
    return {
        op.name: (<size_t>ad_simd[<int>op.code].loop, <size_t>ad_simd[<int>op.code].data)
        for op in OPS
        if used[op.code] and not op.family and ad_simd[<int>op.code].loop != NULL
    }


def ops_as_c(bytes used, bint loops=False):
    """The ops that are marked in `used`, as C functions; with `loops` by those of loops_of()."""
    cdef ad_text text
    cdef const uint8_t *marks = <const uint8_t *><const char *>used
    memset(&text, 0, sizeof(text))
    if len(used) != AD_N_OPS:
        raise ValueError(f"there are {AD_N_OPS} ops, not {len(used)}")
    try:
        ad_c_ops(&text, marks, loops)
        if text.failed:
            raise MemoryError("no memory for C")
        return text_of(&text)
    finally:
        ad_text_free(&text)

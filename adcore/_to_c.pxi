"""Programs as C: the text that ad_to_c.h writes."""


cdef str text_of(ad_text *text):
    return "" if text.n == 0 else text.data[:text.n].decode("ascii")


def program_as_c(Program program, str name):
    """A C function of a program.

    Returns
    -------
    str
        The function and its tables; see ad_to_c.h for how it is called.
    int
        Doubles that it works in.
    bytes
        Which ops it calls, for ops_as_c().
    """
    cdef ad_c_function function
    cdef bytes called = name.encode("ascii")
    cdef const char *c_name = called
    cdef ad_status status
    with nogil:
        status = ad_to_c(program.program, c_name, &function)
    try:
        if status == AD_CALL_FAILED:
            file, line, where = program.origin(
                ad_tape_origin(program.program.tape, function.call))
            text = "a rule written in Python cannot be written as C"
            remedy = "; write the function in adcore's own functions"
            if ad_tape_code(program.program.tape, function.call) == AD_KERNEL:
                name = kernel_name(
                    program.program.tape.aux[program.program.tape.a[function.call] + 4])
                text = f"linear algebra ({name}) cannot be written as C: it needs LAPACK"
                remedy = "; compile without backend=\"c\", and save() instead of to_c()"
            raise errors.TapeError(
                text
                + (f": {file}:{line} in {where}" if file else "")
                + remedy)
        check(status)
        return (text_of(&function.text), function.n_work,
                (<const char *>function.ops)[:AD_N_OPS])
    finally:
        ad_c_function_free(&function)


def ops_as_c(bytes used):
    """The ops that are marked in `used`, as C functions."""
    cdef ad_text text
    cdef const uint8_t *marks = <const uint8_t *><const char *>used
    memset(&text, 0, sizeof(text))
    if len(used) != AD_N_OPS:
        raise ValueError(f"there are {AD_N_OPS} ops, not {len(used)}")
    try:
        ad_c_ops(&text, marks)
        if text.failed:
            raise MemoryError("no memory for C")
        return text_of(&text)
    finally:
        ad_text_free(&text)

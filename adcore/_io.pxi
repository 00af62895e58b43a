"""Programs as bytes: what ad_io.h does, with its faults as FormatError."""


cdef int check_file(ad_status status, ad_fault *fault) except -1:
    """Raise what `status` stands for; a FormatError names the field, and its place in a file."""
    if status != AD_BAD_PROGRAM and status != AD_NOT_SAVED:
        return check(status)
    where = f", byte {fault.offset}" if fault.offset >= 0 else ""
    why = getattr(_thread_state, "error", None) if status == AD_NOT_SAVED else None
    _thread_state.error = None
    raise errors.FormatError(
        f"adcore program{' file' if where else ''}: field `{fault.field.decode()}`{where}: "
        f"expected {fault.expected.decode(errors='replace')}, "
        f"found {fault.found.decode(errors='replace')}" + (f": {why}" if why else ""))


cdef bytes program_bytes(ad_program *program):
    """The file of a program: see docs/format.md."""
    cdef unsigned char *data = NULL
    cdef size_t nbytes = 0
    cdef ad_fault fault
    check_file(ad_io_write(program, &data, &nbytes, &fault), &fault)
    try:
        return (<char *>data)[:nbytes]
    finally:
        ad_io_free(data)


cdef ad_program *program_from_bytes(bytes data) except NULL:
    """The program in a file, the caller's; it is symbolic until it is first replayed."""
    cdef ad_program *program = NULL
    cdef ad_fault fault
    cdef const unsigned char *start = data
    cdef size_t nbytes = len(data)
    cdef ad_status status
    with nogil:
        status = ad_io_read(start, nbytes, &call_hooks, &program, &fault)
    check_file(status, &fault)
    return program


def crc64(bytes data):
    """CRC-64/XZ, the checksum of adcore's files."""
    return ad_crc64(data, <size_t>len(data))


def read_program(bytes data, bint reassociate):
    """The Program in a file that Program.to_bytes() gave.

    Raises FormatError, naming the field, where the file is not in order.
    """
    cdef Program out = Program.__new__(Program)
    out.own(program_from_bytes(data), reassociate)
    return out

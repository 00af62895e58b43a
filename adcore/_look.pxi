"""What there is to see of a program: facts, its graph, and where its time goes."""

# The ops of no row; the rows have names of their own.
cdef dict _structural = {
    AD_INPUT: "input", AD_ADDTO: "sum/copy", AD_MATMUL: "matmul", AD_CUMSUM: "cumsum",
    AD_EXTREMUM: "extremum", AD_NORM: "norm", AD_ARGSORT: "argsort", AD_GATHER: "gather",
    AD_SCATTER: "scatter", AD_KERNEL: "kernel", AD_CALL: "call", AD_DRAW: "draw",
}


def op_text(int code):
    """The name of an op in what is shown to users."""
    return OPS[code].name if code < AD_N_OPS else _structural[code]


def program_instrs(Program p):
    """Arrays with one element per instruction: code, results, index of the origin or -1, array?"""
    cdef int64_t n = p.program.tape.n
    cdef cnp.ndarray code = np.empty(n, np.int32), length = np.empty(n, np.int32)
    cdef cnp.ndarray origin = np.empty(n, np.int32), array = np.empty(n, np.uint8)
    ad_look_instrs(p.program, <int32_t *>cnp.PyArray_DATA(code),
                   <int32_t *>cnp.PyArray_DATA(length), <int32_t *>cnp.PyArray_DATA(origin),
                   <uint8_t *>cnp.PyArray_DATA(array))
    return code, length, origin, array


def program_origins(Program p):
    """(file, line, function) of each origin."""
    return [p.origin(j) for j in range(p.program.n_origins)]


def program_derived(Program p):
    """{(kind, wanted inputs): Program} of the derivatives that were asked for so far."""
    return dict(p.known)


def program_facts(Program p):
    """What the passes did, and what the plan, which is made if there is none, consists of."""
    cdef ad_look_steps_counts steps
    cdef ad_pass_row *row
    cdef int k
    if p.plan == NULL:
        p.make_plan()
    ad_look_steps(p.plan, &steps)
    passes = []
    for k in range(p.report.n_passes):
        row = &p.report.passes[k]
        passes.append((row.name.decode(), (row.before.instructions, row.before.slots),
                       (row.after.instructions, row.after.slots)))
    left = {ad_scalar_reason_text(k).decode(): p.report.reroll.left[k]
            for k in range(AD_N_SCALAR_REASONS) if p.report.reroll.left[k]}
    return {
        "passes": passes, "left": left,
        "rolled": p.report.reroll.rolled, "vectors": p.report.reroll.vectors,
        "lists": p.report.reroll.lists,
        "runs": steps.runs, "words": steps.words, "groups": steps.groups, "moves": steps.moves,
        "elements": steps.elements, "singles": steps.singles,
        "constants_bytes": steps.constant_bytes, "plan_bytes": ad_plan_bytes(p.plan),
        "frame_bytes": ad_plan_frame_bytes(p.plan),
    }


def program_graph(Program p):
    """(start, source): reader r reads the instructions source[start[r]:start[r + 1]].

    The readers are the instructions, then the outputs, then the guards.
    """
    cdef ad_graph graph
    cdef cnp.ndarray start, source
    check(ad_graph_new(p.program, &graph))
    try:
        start = np.empty(graph.n_readers + 1, np.int64)
        memcpy(cnp.PyArray_DATA(start), graph.start, (graph.n_readers + 1) * sizeof(int64_t))
        source = np.empty(graph.start[graph.n_readers], np.int32)
        if source.size:
            memcpy(cnp.PyArray_DATA(source), graph.source, source.size * sizeof(int32_t))
    finally:
        ad_graph_free(&graph)
    return start, source


def program_profile(Program p, list inputs, double budget, int64_t most):
    """(seconds of each instruction, seconds of a run, the same by its parts, ends, rounds, guard).

    `inputs` are C-contiguous float64 arrays of the program's shapes; what the outputs become is
    dropped.  See ad_profile.h.
    """
    cdef Py_ssize_t k, n = len(inputs), m = p.program.n_outputs
    cdef cnp.ndarray seconds = np.empty(p.program.tape.n)
    cdef ad_plan *plan = NULL
    cdef ad_frame *frame = NULL
    cdef ad_profile profile
    cdef ad_status status
    cdef const double **given
    cdef double **found
    outputs = [np.empty(shape) for shape in p.output_shapes]
    given = <const double **>PyMem_Malloc((n + m + 1) * sizeof(double *))
    if given == NULL:
        raise MemoryError("no memory to profile a program")
    found = <double **>given + n
    try:
        for k in range(n):
            given[k] = <const double *>cnp.PyArray_DATA(<cnp.ndarray?>inputs[k])
        for k in range(m):
            found[k] = <double *>cnp.PyArray_DATA(<cnp.ndarray?>outputs[k])
        check(ad_plan_new_traced(p.program, &plan))
        frame = ad_frame_new(plan)
        if frame == NULL:
            raise MemoryError("no memory to profile a program")
        with nogil:
            status = ad_profile_run(plan, frame, given, found, budget, most, p.program.tape.n,
                                    <double *>cnp.PyArray_DATA(seconds), &profile)
        check(status)
    finally:
        PyMem_Free(given)
        ad_frame_free(frame)
        ad_plan_free(plan)
    return (seconds, profile.total, profile.parts, profile.ends, profile.n_rounds,
            None if profile.failed < 0 else profile.failed)

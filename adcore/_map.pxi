"""Programs run over the rows of a batch."""


cdef class RowMap:
    """A program made ready to be run for many rows; see by_rows()."""

    cdef Program program
    cdef ad_map *map
    cdef tuple shared
    cdef bint ready       # has there been a work?
    cdef object library   # of machine code
    cdef public object backend  # (what runs it, why not something else), if that was asked for

    def __dealloc__(self):
        ad_map_free(self.map)

    @property
    def lanes(self):
        """How many rows are run side by side."""
        return ad_map_lanes(self.map)

    def work(self):
        """What one thread at a time needs to run."""
        cdef RowWork work = RowWork.__new__(RowWork)
        self.ready = True
        work.map = self
        work.work = ad_map_work_new(self.map)
        if work.work == NULL:
            raise MemoryError("no memory to run a program over rows")
        return work

    def as_c(self, str name):
        """A C function that runs `lanes` rows, as Program.as_c() has it; None if there is no such.

        Then rows are run one by one, by the program.
        """
        cdef ad_program *batch
        check(ad_map_batch(self.map, self.program.to_run(), &batch))
        if batch == NULL:
            return None
        try:
            return written_as_c(batch, name)
        finally:
            ad_program_free(batch)

    def use_native(self, size_t address, int64_t n_work, library):
        """Run rows by the C function at `address`, of which `library` is kept; before work()."""
        if self.ready:
            raise RuntimeError("rows have been run")
        ad_map_use_native(self.map, <ad_native *>address, n_work)
        self.library = library


cdef class RowWork:
    """The memory in which one thread runs a RowMap."""

    cdef RowMap map
    cdef ad_map_work *work

    def __dealloc__(self):
        ad_map_work_free(self.work)

    def run(self, list inputs, list outputs, int64_t first, int64_t n,
            cnp.ndarray[int32_t, ndim=1, mode="c"] failed):
        """Rows first .. first + n; returns for how many of them a guard differs.

        Parameters
        ----------
        inputs : list of float64 arrays
            (N, *shape) for an input of that shape, of at most two dimensions or with rows that are
            contiguous; for one that is shared, contiguous and of the shape itself.
        outputs : list of C-contiguous float64 arrays, (N, *shape) each
        failed : int32 array, (N,)
            Receives the first guard that differs for a row, or -1.
        """
        cdef Program program = self.map.program
        cdef Py_ssize_t k, n_in = len(inputs), n_out = len(outputs)
        cdef ad_rows *rows
        cdef double **found
        cdef cnp.ndarray array
        cdef ad_status status
        cdef int64_t n_failed = 0
        if n_in != program.program.n_inputs or n_out != program.program.n_outputs \
                or first < 0 or n < 0 or first + n > failed.shape[0]:
            raise ValueError("inputs, outputs or rows are not those of the program")
        rows = <ad_rows *>PyMem_Malloc((n_in + 1) * sizeof(ad_rows))
        found = <double **>PyMem_Malloc((n_out + 1) * sizeof(double *))
        try:
            if rows == NULL or found == NULL:
                raise MemoryError("no memory to run a program over rows")
            for k in range(n_in):
                array = inputs[k]
                rows[k].data = <const double *>cnp.PyArray_DATA(array)
                rows[k].row_stride = 0
                rows[k].stride = 1
                if not self.map.shared[k]:
                    rows[k].row_stride = cnp.PyArray_STRIDE(array, 0) // <int>sizeof(double)
                    if array.ndim == 2:
                        rows[k].stride = cnp.PyArray_STRIDE(array, 1) // <int>sizeof(double)
            for k in range(n_out):
                found[k] = <double *>cnp.PyArray_DATA(<cnp.ndarray?>outputs[k])
            with nogil:
                status = ad_map_run(self.map.map, self.work, rows, found, first, n,
                                    <int32_t *>cnp.PyArray_DATA(failed), &n_failed)
            check(status)
            return n_failed
        finally:
            PyMem_Free(rows)
            PyMem_Free(found)


def by_rows(Program program, tuple shared, bint one_by_one):
    """The RowMap of a program, made when first asked for.

    Inputs with shared[k] true are the same for all rows; with `one_by_one` rows are not run side
    by side, which takes longer to make ready.
    """
    cdef RowMap made
    cdef cnp.ndarray flags
    key = ("by rows", shared, one_by_one)
    found = program.known.get(key)
    if found is not None:
        return found
    if program.plan == NULL:
        program.make_plan()
    flags = np.array(shared, dtype=np.uint8)
    made = RowMap.__new__(RowMap)
    made.program, made.shared = program, shared
    check(ad_map_new(program.to_run(), program.plan, <const uint8_t *>cnp.PyArray_DATA(flags),
                     one_by_one, &made.map))
    return program.known.setdefault(key, made)

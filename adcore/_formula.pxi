"""Formulas of several rows: traced once, then recorded without a tensor for what is in between."""


cdef class Symbol:
    """A number of a formula that is being traced."""

    cdef Formula formula
    cdef int at

    def __add__(x, y):
        return step_of(AD_OP_add, (x, y))

    def __sub__(x, y):
        return step_of(AD_OP_sub, (x, y))

    def __truediv__(x, y):
        return step_of(AD_OP_div, (x, y))

    def __mul__(x, y):
        return step_of(AD_OP_square, (x,)) if x is y else step_of(AD_OP_mul, (x, y))

    def __pow__(x, y, modulo):
        return step_of(AD_OP_pow, (x, y))

    def __neg__(self):
        return step_of(AD_OP_neg, (self,))

    def __abs__(self):
        return step_of(AD_OP_abs, (self,))


cdef Symbol step_of(ad_op op, tuple numbers):
    """The result of a row of numbers, of which one is a Symbol."""
    for x in numbers:
        if type(x) is Symbol:
            return (<Symbol>x).formula.step(op, numbers)


cdef class Formula:
    """What a function does with numbers given to it, as rows of the op table.

    It may not look at the numbers; it returns numbers, those it was given among them, or None.
    """

    cdef readonly object name
    cdef ad_formula c
    cdef list outputs               # places, floats, None
    cdef list traced                # while tracing: (op, arguments) of the steps, and the constants
    cdef dict known

    def __cinit__(self, name, function, list given):
        """Trace function(*given), in which a Symbol stands wherever `given` has None."""
        cdef int i
        cdef Symbol s
        self.name, self.traced, self.known = name, [], {}
        symbols = []
        args = []
        for x in given:
            if x is None:
                x = self.symbol(len(symbols))
                symbols.append(x)
            args.append(x)
        self.c.n_given = len(symbols)
        found = function(*args)
        self.outputs = [(<Symbol>y).at if type(y) is Symbol else None if y is None else float(y)
                        for y in found]
        self.settle_places()

    def __dealloc__(self):
        PyMem_Free(self.c.numbers)
        PyMem_Free(self.c.steps)

    cdef Symbol symbol(self, int at):
        cdef Symbol s = Symbol.__new__(Symbol)
        s.formula, s.at = self, at
        return s

    cdef Symbol step(self, ad_op op, tuple numbers):
        """The result of a row; of the same row of the same numbers, the same."""
        args = tuple([self.place(x) for x in numbers])
        key = op, repr(args)        # tells places, numbers and signs of zero apart
        if key not in self.known:
            self.known[key] = self.c.n_given + len(self.traced)
            self.traced.append((op, args))
        return self.symbol(self.known[key])

    cdef object place(self, object x):
        """A place, or the number itself of a constant."""
        if type(x) is Symbol:
            return (<Symbol>x).at
        return float(x)

    cdef int settle_places(self) except -1:
        """Put the constants between what is given and the steps."""
        cdef int k, j
        constants = []
        for _, args in self.traced:
            constants += [a for a in args if type(a) is float]
        self.c.n_numbers, self.c.n_steps = len(constants), len(self.traced)
        self.c.numbers = <ad_view *>PyMem_Malloc(max(self.c.n_numbers, 1) * sizeof(ad_view))
        self.c.steps = <ad_formula_step *>PyMem_Malloc(
            max(self.c.n_steps, 1) * sizeof(ad_formula_step))
        if self.c.numbers == NULL or self.c.steps == NULL:
            raise MemoryError("no memory for a formula")
        for k in range(self.c.n_numbers):
            self.c.numbers[k] = ad_view_number(constants[k])
        at = iter(range(self.c.n_given, self.c.n_given + self.c.n_numbers))
        for k in range(self.c.n_steps):
            op, args = self.traced[k]
            self.c.steps[k].op = op
            for j in range(len(args)):
                self.c.steps[k].args[j] = next(at) if type(args[j]) is float \
                    else self.moved(args[j])
        self.outputs = [self.moved(y) if type(y) is int else y for y in self.outputs]
        for y in self.outputs:
            if y is not None:
                self.c.outputs[self.c.n_outputs] = y if type(y) is int else -1
                self.c.n_outputs += 1
        self.traced = self.known = None
        return 0

    cdef int moved(self, int place):
        return place if place < self.c.n_given else place + self.c.n_numbers

    cdef list record(self, list given):
        """The results for tensors and constants, at least one a tensor on this thread's tape."""
        cdef ad_tape *tape = this_tape()
        cdef int n = self.c.n_given + self.c.n_numbers, held = 0, i, k
        cdef ad_view *views
        cdef const ad_view *args[3]
        cdef ad_formula_step *step
        cdef ad_status status = AD_OK
        check(ad_tape_room(tape, 8))
        views = <ad_view *>PyMem_Malloc((self.c.n_given + self.c.n_steps + 1) * sizeof(ad_view))
        if views == NULL:
            raise MemoryError("no memory to record a formula")
        try:
            for i in range(self.c.n_given):
                if not operand(given[i], &views[i]):
                    raise TypeError(f"{self.name} takes numbers, arrays, tensors and duals, got a "
                                    f"{type(given[i]).__name__}")
                held += 1
            for k in range(self.c.n_steps):
                step = &self.c.steps[k]
                for i in range(ad_ops[step.op].n_args):
                    args[i] = self.view_at(views, step.args[i])
                status = ad_record_op(tape, step.op, 0, args, &views[self.c.n_given + k])
                if status != AD_OK:
                    break
            if status == AD_SHAPES_DIFFER:
                raise ShapeError(
                    f"{self.name}: operands of shapes "
                    f"{', '.join([str(shape_of(x)) for x in given])} do not broadcast together")
            check(status)
            found = []
            for y in self.outputs:
                if type(y) is not int:
                    found.append(y)
                elif y < self.c.n_given:
                    found.append(part_of_its_own(given[y]))
                else:
                    found.append(number_or_tensor(tape, &views[<int>y - self.c.n_numbers]))
            return found
        finally:
            for i in range(held):
                ad_view_drop(&views[i])
            PyMem_Free(views)

    cdef inline const ad_view *view_at(self, ad_view *views, int place):
        if place < self.c.n_given:
            return &views[place]
        if place < self.c.n_given + self.c.n_numbers:
            return &self.c.numbers[place - self.c.n_given]
        return &views[place - self.c.n_numbers]


cdef object number_or_tensor(ad_tape *tape, ad_view *view):
    """The result of a step, which is a number if all of its operands were."""
    if view.place == AD_NUMBER and view.ndim == 0:
        return view.in_.number
    return settle(tape, view, True)

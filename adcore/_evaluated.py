"""Recorded functions of a vector, for solvers: what was computed at the last point is kept."""

import numpy as np
from scipy import sparse

from ._implicit import raveled
from ._sparse import Template
from .compile import compile
from .errors import NotDifferentiableError, ShapeError
from .rules.primitives import as_array, reshape


def vector(name, x):
    """A solver's x as a contiguous vector of floats."""
    try:
        out = np.ascontiguousarray(x, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be a vector of real numbers, got {x!r}") from error
    return out.reshape(-1)


def one_number(y, name):
    """What an objective returned, without axes of length 1."""
    y = as_array(y)
    if not y.ndim:
        return y
    if np.size(y) != 1:
        raise ShapeError(
            f"{name} must return one number, but returned shape {y.shape}: residuals go to "
            "least_squares, equations to root"
        )
    return reshape(y, ())


class Latest:
    """Results at the point that was asked for last.

    Points are told apart by their bits, in a copy: an array that a solver has changed in place is
    another point, and an equal array is the same one.
    """

    def __init__(self):
        self.x, self.kept = None, {}

    def move(self, x):
        """Let go of what is kept unless it is of `x`; returns whether it is."""
        if self.x is not None and np.array_equal(self.x.view(np.int64), x.view(np.int64)):
            return True
        self.x, self.kept = x.copy(), {}
        return False


class Recorded:
    """What functions of a vector of n numbers have in common."""

    def __init__(self, f, n, name):
        self.f, self.n, self.name = f, n, name
        self.latest = Latest()
        self.counts = {"value": 0, "gradient": 0, "jacobian": 0, "hessian": 0}

    def _point(self, x):
        x = vector("x", x)
        if x.size != self.n:
            raise ShapeError(f"x has {x.size} numbers where {self.name} has {self.n} unknowns")
        return x

    def _at(self, x, key, compute):
        x = self._point(x)
        self.latest.move(x)
        kept = self.latest.kept
        if key not in kept:
            self.counts[key] += 1
            kept[key] = compute(self.latest.x)
        return kept[key]


class Scalar(Recorded):
    """A function with one real number as its value.

    Where a value is asked for, the gradient is computed with it, as long as solvers do come back
    for it: the two together cost less than one after the other.
    """

    def __init__(self, f, n, name):
        super().__init__(f, n, name)
        self.compiled = compile(lambda x: one_number(f(x), name))
        self.compiled.name = name
        self.together = True
        self.asked = True  # whether the gradient at the last point was wanted

    def value(self, x):
        """The value, a float."""
        x = self._point(x)
        if not self.latest.move(x):
            self.together, self.asked = self.asked, False
        kept = self.latest.kept
        if "value" not in kept:
            self.counts["value"] += 1
            if self.together:
                self._both()
            else:
                kept["value"] = float(self.compiled(self.latest.x))
        return kept["value"]

    def gradient(self, x):
        """The gradient, (n,), an array of the caller's own."""
        x = self._point(x)
        self.latest.move(x)
        if "gradient" not in self.latest.kept:
            self._both()
        self.asked = True
        return self.latest.kept["gradient"].copy()

    def _both(self):
        self.counts["gradient"] += 1
        kept = self.latest.kept
        kept["value"], kept["gradient"] = self.compiled.value_and_grad(self.latest.x)

    def hessian(self, x):
        """The Hessian, (n, n), dense."""
        return self._at(x, "hessian", self.compiled.hessian).copy()

    def sparse_hessian(self, x):
        """The Hessian as a CSR array."""
        self.counts["hessian"] += 1
        return self.compiled.hessian(self._point(x), sparse=True)

    def hvp(self, x, p):
        """The product of the Hessian and a vector."""
        self.counts["hessian"] += 1
        return self.compiled.hvp((self._point(x),), (self._point(p),))[1]


class Vector(Recorded):
    """A function whose value, of any structure, is taken as one vector."""

    def __init__(self, f, n, name):
        super().__init__(f, n, name)
        self.compiled = compile(lambda x: raveled(f(x)))
        self.compiled.name = name

        def weighted(x, weights):
            return (weights * raveled(f(x))).sum()

        self.weighted = compile(weighted)
        self.weighted.name = f"weighted {name}"

    def value(self, x):
        """The value, (m,), an array of the caller's own."""
        return self._at(x, "value", lambda x: np.array(self.compiled(x), dtype=np.float64)).copy()

    def jacobian(self, x):
        """The Jacobian, (m, n), dense."""
        return self._at(x, "jacobian", self.compiled.jacobian).copy()

    def sparse_jacobian(self, x):
        """The Jacobian as a CSR array."""
        self.counts["jacobian"] += 1
        return self.compiled.jacobian(self._point(x), sparse=True)

    def hessian(self, x, weights):
        """The Hessian of the sum of all values, each times its weight, as a CSR array."""
        self.counts["hessian"] += 1
        return self.weighted.hessian(self._point(x), vector("the weights", weights), sparse=True)


class Fixed:
    """The entries of CSR arrays in the order of a structure that was told to a solver.

    Patterns stay as they are but where a function branches: then the entries are put in their
    places, and one that has no place is an error, never left out.
    """

    def __init__(self, first, lower, name):
        self.lower, self.name = lower, name
        self.shape = first.shape
        self.indptr, self.indices = first.indptr, first.indices
        rows, columns = self._coordinates(first)
        self.picked = np.flatnonzero(columns <= rows) if lower else None
        self.rows, self.columns = self._chosen(rows), self._chosen(columns)

    def _chosen(self, entries):
        return entries if self.picked is None else entries[self.picked]

    @staticmethod
    def _coordinates(matrix):
        rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        return rows, np.asarray(matrix.indices, dtype=rows.dtype)

    def entries(self, matrix):
        """The numbers of a matrix, one for each place of the structure."""
        same = matrix.indices is self.indices and matrix.indptr is self.indptr
        if same or (
            np.array_equal(matrix.indptr, self.indptr)
            and np.array_equal(matrix.indices, self.indices)
        ):
            return self._chosen(matrix.data)
        rows, columns = self._coordinates(matrix)
        data = matrix.data
        if self.lower:
            kept = columns <= rows
            rows, columns, data = rows[kept], columns[kept], data[kept]
        places = self.rows * self.shape[1] + self.columns  # ascending, as in CSR arrays
        wanted = rows * self.shape[1] + columns
        at = np.searchsorted(places, wanted)
        at[at == places.size] = 0
        found = places[at] == wanted if places.size else np.zeros(wanted.size, bool)
        if not found.all():
            i = int(np.argmin(found))
            raise NotDifferentiableError(
                f"{self.name} took another way than at x0, with an entry at ({rows[i]}, "
                f"{columns[i]}) that its pattern there does not have, and the solver keeps the "
                "pattern; write both ways as one with adcore.where, or start where all are present"
            )
        out = np.zeros(places.size)
        out[at] = data
        return out


class Stack:
    """CSR arrays on top of one another, with the same index arrays while theirs are the same."""

    def __init__(self, n):
        self.n = n
        self.parts, self.made = (), None

    def __call__(self, blocks):
        """The blocks as one CSR array."""
        if len(blocks) == 1:
            return blocks[0]
        if not blocks:
            return sparse.csr_array((0, self.n))
        parts = [array for b in blocks for array in (b.indices, b.indptr)]
        if len(parts) != len(self.parts) or any(
            a is not b for a, b in zip(parts, self.parts, strict=True)
        ):
            self.parts = tuple(parts)
            starts = np.cumsum([0, *[b.nnz for b in blocks]])
            rows = [b.indptr[:-1] + s for b, s in zip(blocks, starts, strict=False)]
            kind = np.int32 if max(starts[-1], self.n) < 2**31 else np.int64
            pattern = (
                np.concatenate([*rows, starts[-1:]]).astype(kind),
                np.concatenate([b.indices for b in blocks]).astype(kind),
                (sum(b.shape[0] for b in blocks), self.n),
            )
            self.made = Template(pattern)
        return self.made(np.concatenate([b.data for b in blocks]))

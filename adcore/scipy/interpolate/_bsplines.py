"""B-splines, in the argument, the coefficients and the knots; and interpolation by them."""

import functools
import operator

import numpy as np
import scipy.interpolate as _scipy

from ..._trees import shape_of
from ...errors import NotDifferentiableError
from ...rules.primitives import below, concatenate, cumsum_last, reshape
from ...rules.shapes import moveaxis
from .._leaves import array
from .._valued import Valued
from . import _places as places
from ._banded import band_of, solve_banded, transposed


def _interval(t, k, n, x):
    """The i with t[i] <= x < t[i + 1] from k to n - 1, for each x; beyond the ends the nearest.

    An interval of no length at the end, which knots of more than full multiplicity make, is left
    out: no polynomial belongs to it.
    """
    last = n
    while k > 0 and last > k + 1 and not bool(below(t[last - 1]) < below(t[n])):
        last -= 1
    return places.place(t[k + 1 : last], x) + k


def evaluate(t, c, k, x):
    """A spline at a vector of places, by de Boor's recurrence; c has shape (n or more, ...)."""
    n, ndim = shape_of(t)[0] - k - 1, len(shape_of(c))
    i = _interval(t, k, n, x)
    knots = [places.take(t, i + j) for j in range(1 - k, k + 1)]  # t[i + 1 - k] to t[i + k]
    d = [places.take(c, i + (j - k)) for j in range(k + 1)]
    for r in range(1, k + 1):
        for j in range(k, r - 1, -1):
            low, high = knots[j - 1], knots[j + k - r]
            share = places.columns((x - low) / (high - low), ndim)
            d[j] = (1.0 - share) * d[j - 1] + share * d[j]
    return d[k]


def _evaluated(t, c, k, x, nu, extrapolate, axis):
    """What BSpline gives at places of any shape."""
    at, shape = places.flat(x)
    start, end = t[k], t[shape_of(t)[0] - k - 1]
    if extrapolate == "periodic":
        at = start + (at - start) % (end - start)
    if nu > k:
        out = evaluate(t, c, k, at) * 0.0
    else:
        for _ in range(nu):
            t, c, k = differentiated(t, c, k)
        out = evaluate(t, c, k, at)
    if not extrapolate:
        inside = (at >= start) & (at <= end)
        out = np.where(places.columns(inside, len(shape_of(out))), out, np.nan)
    return places.finished(out, shape, axis)


def _adjoints(k, nu, extrapolate, axis):
    """Adjoints of _evaluated() with these options but of the knots, in numbers: see Valued."""

    def adjoints(leaves, output, ct, wanted):
        del output
        if 0 in wanted or nu > k:
            return None
        t, c, x = leaves
        at = np.asarray(x)
        shape, at, n = at.shape, at.reshape(-1), len(t) - k - 1
        if extrapolate == "periodic":
            at = t[k] + (at - t[k]) % (t[n] - t[k])
        g = places.unfinished(ct, shape, axis)
        order = places.order_of(at)
        if order is not None:
            at, g = at[order], g[order]
        if not extrapolate:
            g = np.where(((at >= t[k]) & (at <= t[n]))[:, None], g, 0.0)
        found = spline_adjoints(t, c, k, at, g, nu, wanted)
        if 2 in wanted:
            found[2] = places.put_back(found[2], order).reshape(shape)
        return [found[i] for i in wanted]

    return adjoints


def spline_adjoints(t, c, k, at, g, nu, wanted):
    """Adjoints of coefficients (1) and places (2), where wanted, for those of rows of values.

    None if that of knots (0) is wanted.
    """
    if 0 in wanted:
        return None
    found = {}
    if 1 in wanted:
        i = _interval(t, k, len(t) - k - 1, at)
        weights = [g * b[:, None] for b in basis(t, k, at, i, nu)]
        n = len(c)
        parts = places.scattered(
            np.concatenate(weights), np.concatenate([i + a for a in range(k + 1)]), n + k
        )
        found[1] = parts[k:].reshape(c.shape)
    if 2 in wanted:
        if nu < k:
            slope = _scipy.BSpline.construct_fast(t, c.reshape(len(c), -1), k)(at, nu + 1)
            found[2] = (slope * g).sum(1)
        else:
            found[2] = np.zeros(at.size)
    return found


@functools.lru_cache(256)
def _evaluation(k, nu, extrapolate, axis):
    """_evaluated() with these options, valued by SciPy where it can."""
    construct = _scipy.BSpline.construct_fast

    def compute(t, c, x):
        return places.in_order(lambda x: construct(t, c, k, extrapolate, axis)(x, nu), x, axis)

    return Valued(
        "BSpline",
        lambda t, c, x: _evaluated(t, c, k, x, nu, extrapolate, axis),
        compute if nu <= k else None,
        _adjoints(k, nu, extrapolate, axis),
    )


def basis(t, k, x, i, nu=0):
    """B[a] for a from 0 to k: the derivative of order nu at x of the basis spline i - k + a."""

    def knot(j):
        return places.take(t, i + j)

    b = [x * 0.0 + 1.0]  # of degree 0
    for degree in range(1, k - nu + 1):
        wider = [0.0] * (degree + 1)
        for a in range(degree):
            low, high = knot(a + 1 - degree), knot(a + 1)
            share = b[a] / (high - low)
            wider[a] = wider[a] + (high - x) * share
            wider[a + 1] = wider[a + 1] + (x - low) * share
        b = wider
    for degree in range(k - nu + 1, k + 1):
        wider = [0.0] * (degree + 1)
        for a in range(degree):
            share = degree * b[a] / (knot(a + 1) - knot(a + 1 - degree))
            wider[a] = wider[a] - share
            wider[a + 1] = wider[a + 1] + share
        b = wider
    return b


def differentiated(t, c, k):
    """(t, c, k) of the derivative; c may be longer than there are splines."""
    n = shape_of(t)[0] - k - 1
    if k == 0:
        raise ValueError("Order of derivative must be <= order of spline")
    steps = places.columns(t[k + 1 : n + k] - t[1:n], len(shape_of(c)))
    if not bool(np.all(below(steps) != 0.0)):
        raise ValueError("The spline has internal repeated knots and is not differentiable")
    return t[1:-1], (c[1:n] - c[: n - 1]) * float(k) / steps, k - 1


def integrated(t, c, k):
    """(t, c, k) of the antiderivative that is 0 at the first knot."""
    n = shape_of(t)[0] - k - 1
    steps = places.columns(t[k + 1 :] - t[:n], len(shape_of(c)))
    sums = c[:n] * steps / (k + 1.0)
    sums = moveaxis(cumsum_last(moveaxis(sums, 0, -1)), -1, 0)
    c = concatenate([np.zeros((1, *shape_of(sums)[1:])), sums], 0)
    return concatenate([t[:1], t, t[-1:]], 0), c, k + 1


class BSpline(_scipy.BSpline):
    """scipy.interpolate.BSpline, differentiable in t, c and where it is called."""

    captured_attributes = True

    def __init__(self, t, c, k, extrapolate=True, axis=0):
        if not places.traced(t, c):
            super().__init__(t, c, k, extrapolate, axis)
            return
        t, c, k = array(t, "t"), array(c, "c"), operator.index(k)
        c, axis = places.moved_first(c, axis)
        n = shape_of(t)[0] - k - 1 if len(shape_of(t)) == 1 else 0
        if k < 0:
            raise ValueError("Spline order cannot be negative.")
        if n < k + 1:
            raise ValueError(f"Need at least {2 * k + 2} knots for degree {k}")
        if not bool(np.all(below(t[1:] - t[:-1]) >= 0.0)):
            raise ValueError("Knots must be in a non-decreasing order.")
        if shape_of(c)[0] < n:
            raise ValueError("Knots, coefficients and degree are inconsistent.")
        extrapolate = extrapolate if extrapolate == "periodic" else bool(extrapolate)
        self._set(t, c, k, extrapolate, axis)

    def _set(self, t, c, k, extrapolate, axis):
        """Make this a spline of tensors."""
        self._t, self._c, self.k, self.extrapolate, self.axis = t, c, k, extrapolate, axis
        self._asarray = places.same
        return self

    @classmethod
    def construct_fast(cls, t, c, k, extrapolate=True, axis=0):
        """A spline without checks."""
        made = object.__new__(cls)
        if places.traced(t, c):
            return made._set(t, c, k, extrapolate, axis)
        found = _scipy.BSpline.construct_fast(t, c, k, extrapolate, axis)
        made.__dict__.update(found.__dict__)
        return made

    def _is_traced(self, *more):
        return places.traced(self._t, self._c, *more)

    def __call__(self, x, nu=0, extrapolate=None):
        """The value, or the derivative of order nu, at x."""
        if not self._is_traced(x):
            return super().__call__(x, nu, extrapolate)
        extrapolate = self.extrapolate if extrapolate is None else extrapolate
        found = _evaluation(self.k, nu, extrapolate, self.axis)
        return found(self._t, self._c, places.as_leaf(x))

    def derivative(self, nu=1):
        """The derivative, a BSpline."""
        if not self._is_traced():
            return _wrapped(super().derivative(nu))
        if nu < 0:
            return self.antiderivative(-nu)
        tck = self._t, self._c, self.k
        for _ in range(nu):
            tck = differentiated(*tck)
        return self.construct_fast(*tck, self.extrapolate, self.axis)

    def antiderivative(self, nu=1):
        """The antiderivative that is 0 at the first knot, a BSpline."""
        if not self._is_traced():
            return _wrapped(super().antiderivative(nu))
        if nu < 0:
            return self.derivative(-nu)
        tck = self._t, self._c, self.k
        for _ in range(nu):
            tck = integrated(*tck)
        extrapolate = False if self.extrapolate == "periodic" else self.extrapolate
        return self.construct_fast(*tck, extrapolate, self.axis)

    def integrate(self, a, b, extrapolate=None):
        """The integral from a to b."""
        if not self._is_traced(a, b):
            return super().integrate(a, b, extrapolate)
        extrapolate = self.extrapolate if extrapolate is None else extrapolate
        t, n = self._t, shape_of(self._t)[0] - self.k - 1
        start, end = t[self.k], t[n]
        whole = self.construct_fast(*integrated(t, self._c, self.k))
        if extrapolate == "periodic":

            def up_to(at):
                turns = np.floor((at - start) / (end - start))
                inside = whole(at - turns * (end - start)) - whole(start)
                return turns * (whole(end) - whole(start)) + inside

            return up_to(b) - up_to(a)
        if not extrapolate:
            a, b = (np.minimum(np.maximum(v, start), end) for v in (a, b))
        return whole(b) - whole(a)

    def insert_knot(self, x, m=1):
        """Insert a knot, into a spline of plain numbers."""
        if self._is_traced(x):
            raise NotDifferentiableError(
                "scipy.interpolate.BSpline.insert_knot of a tensor has no derivative rule"
            )
        return _wrapped(super().insert_knot(x, m))


def _wrapped(made):
    """A spline of SciPy's as one of ours."""
    made.__class__ = BSpline
    return made


# ---- interpolation ----


def make_interp_spline(x, y, k=3, t=None, bc_type=None, axis=0, check_finite=True):
    """scipy.interpolate.make_interp_spline, differentiable in x, y, t and boundary values.

    Returns
    -------
    BSpline
    """
    if not places.traced(x, y, t, _listed(bc_type)):
        return _wrapped(_scipy.make_interp_spline(x, y, k, t, bc_type, axis, check_finite))
    if bc_type == "periodic":
        raise NotDifferentiableError(
            "make_interp_spline of tensors has no periodic boundary conditions; use "
            'adcore.scipy.interpolate.CubicSpline(x, y, bc_type="periodic")'
        )
    k = operator.index(k)
    x, y = array(x, "x"), array(y, "y")
    y, axis = places.moved_first(y, axis)
    if len(shape_of(x)) != 1 or shape_of(x)[0] != shape_of(y)[0]:
        raise ValueError(f"Shapes of x {shape_of(x)} and y {shape_of(y)} are incompatible")
    places.increasing(x, "Expect x to be a 1D strictly increasing sequence.")
    left, right = (bc_type, bc_type) if bc_type is None or isinstance(bc_type, str) else bc_type
    left, right = (_condition(bc, shape_of(y)[1:]) for bc in (left, right))
    if k in (0, 1) and t is None:
        if left or right:
            raise ValueError(f"Too much info for k={k}: bc_type can only be None.")
        knots = [x, x[-1:]] if k == 0 else [x[:1], x, x[-1:]]
        return BSpline.construct_fast(concatenate(knots, 0), y, k, axis=axis)
    t = _knots(x, k, bool(left or right)) if t is None else array(t, "t")
    if places.traced(_listed(bc_type)):
        c = _coefficients(x, y, k, t, left, right)
    else:

        def compute(x, y, t):
            return _scipy.make_interp_spline(x, y, k, t, bc_type, check_finite=check_finite).c

        c = _through(k, left, right, compute)(x, y, t)
    return BSpline.construct_fast(t, c, k, axis=axis)


def _through(k, left, right, compute):
    """_coefficients() as a function of x, y and t, valued by `compute`."""

    def coefficients(x, y, t):
        return _coefficients(x, y, k, t, left, right)

    def adjoints(leaves, output, ct, wanted):
        """That of y alone: the system with the matrix transposed."""
        x, y, t = leaves
        if wanted != [1] or not y.size or output.dtype != np.float64:
            return None
        band = transposed(_collocation(x, k, t, left, right), k, k)
        solution = solve_banded(band, ct.reshape(len(ct), -1), k, k)
        return [solution[len(left) : len(left) + len(x)].reshape(y.shape)]

    return Valued("make_interp_spline", coefficients, compute, adjoints)


def found_by_scipy(x, y, made):
    """(knots, coefficients) of the spline through (x, y), which SciPy has made of their numbers."""
    if made.k < 2:
        spline = make_interp_spline(x, y, made.k)
        return spline._t, spline._c
    t = _knots(x, made.k, False)
    return t, _through(made.k, [], [], lambda *_: made._c)(x, y, t)


def _listed(bc_type):
    """Boundary conditions as lists of what may be tensors."""
    if bc_type is None or isinstance(bc_type, str):
        return []
    return [
        [value for _, value in bc] for bc in bc_type if bc is not None and not isinstance(bc, str)
    ]


def _condition(bc, shape):
    """A boundary condition as a list of (order, value with its elements in a row)."""
    if bc is None or bc == "not-a-knot":
        return []
    if isinstance(bc, str):
        if bc not in ("clamped", "natural"):
            raise ValueError(f"Unknown boundary condition : {bc}")
        bc = [(1 if bc == "clamped" else 2, np.zeros(shape))]
    return [(int(order), reshape(array(v, "a boundary value"), (1, -1))) for order, v in bc]


def _knots(x, k, conditions):
    """The knots that SciPy chooses."""
    if conditions:
        return concatenate([x[:1]] * k + [x] + [x[-1:]] * k, 0)
    inner = (
        x[(k + 1) // 2 : -((k + 1) // 2)] if k % 2 else ((x[1:] + x[:-1]) / 2.0)[k // 2 : -(k // 2)]
    )
    return concatenate([x[:1]] * (k + 1) + [inner] + [x[-1:]] * (k + 1), 0)


def _coefficients(x, y, k, t, left, right):
    """Coefficients of the spline with knots t through (x, y), with derivatives at the ends."""
    n, size = shape_of(x)[0], shape_of(t)[0] - k - 1
    if size - n != len(left) + len(right):
        raise ValueError(
            "The number of derivatives at boundaries does not match: expected "
            f"{size - n}, got {len(left)}+{len(right)}"
        )
    if any(not 0 <= order <= k for order, _ in [*left, *right]):
        raise ValueError("Bad boundary conditions: no such derivative")
    steps, inside = below(t[1:] - t[:-1]), below(t[k] - x[0]) <= 0.0
    if not (bool(np.all(steps >= 0.0)) and bool(inside) and bool(below(x[-1] - t[size]) <= 0.0)):
        raise ValueError("Expect t to be sorted, and x to be within its knots.")
    if 0 in shape_of(y):
        return np.zeros((size, *shape_of(y)[1:]))
    right_side = [reshape(y, (n, -1))]
    right_side = [v for _, v in left] + right_side + [v for _, v in right]
    c = solve_banded(_collocation(x, k, t, left, right), concatenate(right_side, 0), k, k)
    return reshape(c, (size, *shape_of(y)[1:]))


def _collocation(x, k, t, left, right):
    """The band of the matrix from coefficients to values at x, and derivatives at the ends."""
    n, size = shape_of(x)[0], shape_of(t)[0] - k - 1
    # Which splines reach a node follows from the order of nodes and knots, and is plain here: a
    # compiled function is recorded anew where it changes.
    i = np.asarray(places.place(t[k + 1 : size], x)) + k
    rows, columns, parts = [], [], []

    def fill(row, at, i, order):
        for a, b in enumerate(basis(t, k, at, i, order)):
            rows.append(row)
            columns.append(i - k + a)
            parts.append(b)

    for row, (order, _) in enumerate(left):
        fill(np.array([row]), x[:1], i[:1], order)
    fill(np.arange(n) + len(left), x, i, 0)
    for row, (order, _) in enumerate(right):
        fill(np.array([n + len(left) + row]), x[-1:], i[-1:], order)
    return band_of(concatenate(parts, 0), np.concatenate(rows), np.concatenate(columns), size, k, k)


# ---- FITPACK's names ----


def _parts(tck):
    """(t, c, k) of a spline or a tuple."""
    return (tck._t, tck._c, tck.k) if isinstance(tck, _scipy.BSpline) else tck


def _is_spline_of_tensors(tck, *more):
    t, c, _ = _parts(tck)
    return places.traced(t, c, *more)


def splrep(
    x,
    y,
    w=None,
    xb=None,
    xe=None,
    k=3,
    task=0,
    s=None,
    t=None,
    full_output=0,
    per=0,
    quiet=1,
):
    """scipy.interpolate.splrep, of tensors the spline through all points, which s=0 asks for.

    Returns
    -------
    (t, c, k)
    """
    if not places.traced(x, y, w, t):
        return _scipy.splrep(x, y, w, xb, xe, k, task, s, t, full_output, per, quiet)
    others = {"w": w, "xb": xb, "xe": xe, "t": t}
    given = [name for name, v in others.items() if v is not None]
    given += [name for name, v in (("s", s), ("task", task), ("per", per)) if v]
    if given or full_output:
        raise NotDifferentiableError(
            f"splrep of tensors passes through all points, and takes no {', '.join(given)}; of a "
            "smoothing spline the knots follow from the data"
        )
    spline = make_interp_spline(x, y, k)
    return spline.t, concatenate([spline.c, np.zeros(k + 1)], 0), k


def splev(x, tck, der=0, ext=0):
    """scipy.interpolate.splev, differentiable in x and in t and c of tck = (t, c, k)."""
    if not _is_spline_of_tensors(tck, x):
        return _scipy.splev(x, tck, der, ext)
    if isinstance(tck, _scipy.BSpline):
        if ext:
            raise ValueError(f"Extrapolation mode {ext} is not supported by BSpline.")
        return BSpline.construct_fast(*_parts(tck), tck.extrapolate, tck.axis)(x, der, True)
    t, c, k = tck
    if type(c) in (list, tuple):
        raise NotDifferentiableError(
            "splev of tensors takes one spline; call it for each coordinate of a curve"
        )
    spline = BSpline.construct_fast(array(t, "t"), array(c, "c"), k)
    x = array(x, "x")
    start, end = spline._t[k], spline._t[shape_of(t)[0] - k - 1]
    if ext == 3 and der == 0:
        return spline(np.minimum(np.maximum(x, start), end))
    found = spline(x, der)
    if ext in (0, 3):  # FITPACK's derivatives go on beyond the ends with 3, too
        return found
    inside = (x >= start) & (x <= end)
    if ext == 2 and not bool(np.all(inside)):
        raise ValueError("Found x value not in the domain")
    return np.where(inside, found, 0.0)


def splint(a, b, tck, full_output=0):
    """scipy.interpolate.splint, differentiable in a, b and in t and c of tck."""
    if not _is_spline_of_tensors(tck, a, b):
        return _scipy.splint(a, b, tck, full_output)
    if full_output:
        raise NotDifferentiableError("splint of tensors has no full_output; leave it out")
    return BSpline.construct_fast(*_parts(tck)).integrate(a, b, extrapolate=False)


def splder(tck, n=1):
    """scipy.interpolate.splder, differentiable in t and c of tck."""
    return _each(tck, n, differentiated, _scipy.splder, lambda: splantider(tck, -n))


def splantider(tck, n=1):
    """scipy.interpolate.splantider, differentiable in t and c of tck."""
    return _each(tck, n, integrated, _scipy.splantider, lambda: splder(tck, -n))


def _each(tck, n, step, plain, other):
    if not _is_spline_of_tensors(tck):
        return plain(tck, n)
    if n < 0:
        return other()
    parts = _parts(tck)
    for _ in range(n):
        parts = step(*parts)
    if isinstance(tck, _scipy.BSpline):
        return BSpline.construct_fast(*parts, tck.extrapolate, tck.axis)
    t, c, k = parts
    more = shape_of(t)[0] - shape_of(c)[0]  # FITPACK has as many coefficients as knots
    fill = [np.zeros((more, *shape_of(c)[1:]))] if step is differentiated else [c[-1:]] * more
    return t, concatenate([c, *fill], 0), k

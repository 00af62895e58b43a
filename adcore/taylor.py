"""Derivatives of any order along a line, from Taylor series through the tape."""

import math
import operator

import numpy as np

from . import _core
from ._core import Dual, Tensor, complex_pair, is_complex, tensor
from ._named import not_saved
from ._trees import (
    LEAF_TYPES,
    Node,
    Run,
    flatten_values,
    is_tracked,
    same_leaves,
    shape_of,
    unflatten,
)
from .errors import NotDifferentiableError, ShapeError
from .transforms import grad, hvp, jvp


def derivative(f, order=1, holomorphic=False):
    """The `order`-th derivative of a scalar function of one scalar, as a function.

    Its cost grows with the square of the order: f is recorded once, and its Taylor series computed
    in C.  Where f captures something that another transform differentiates, or uses a rule written
    in Python, the derivative is nested forward mode instead, whose cost doubles with each order.

    Parameters
    ----------
    f : callable, float -> float
        Further arguments are passed on, and not differentiated.
        The result may be complex.
    order : int, >= 0
    holomorphic : bool
        f is a holomorphic function of a complex number.

    Returns
    -------
    callable, float -> float
        The derivative itself, not divided by factorial(order).

    Raises
    ------
    ShapeError
        If x or f(x) is not a scalar.

    Examples
    --------
    >>> import adcore
    >>> third = adcore.derivative(lambda x: x**5, order=3)
    >>> third(2.0)
    240.0
    """
    order = _order(order, "derivative")

    if hasattr(f, "derivative_of"):  # derivatives of derivatives are derivatives
        f, inner = f.derivative_of
        return derivative(f, inner + order, holomorphic)

    def derived(x, *args, **kwargs):
        if args or kwargs:
            return derivative(lambda x: f(x, *args, **kwargs), order, holomorphic)(x)
        if is_complex(x) or holomorphic:
            return _holomorphic_derivative(f, order, x, holomorphic)
        if not is_tracked(x):
            x = _point(x, "derivative")
        if shape_of(x) != ():
            raise ShapeError(
                f"derivative needs a scalar x, this one has shape {shape_of(x)}. "
                "Use taylor(f, x, v, order) for a derivative along v, or jacobian(f)."
            )
        return _derivative_at(f, order, x)

    derived.derivative_of = f, order
    return derived


def _holomorphic_derivative(f, order, x, known):
    """The derivative at a complex number: along the real axis, as along any."""
    if not known:
        raise NotDifferentiableError(
            f"derivative needs a real x, got {np.asarray(x).dtype}; pass holomorphic=True if the "
            "function is holomorphic"
        )
    if order == 0:
        return f(x)
    slope = grad(f, holomorphic=True)(x)  # refuses what is not holomorphic
    return slope if order == 1 else _derivative_at(lambda t: f(x + t), order, 0.0)


def _derivative_at(f, order, x):
    """The derivative at a float, a Tensor or a Dual.

    On tracked numbers it is one operation, whose own derivative is the next order: the cost stays
    polynomial.  That would miss what f captures, so then it is nested forward mode.
    """
    tracked = is_tracked(x)
    series = _series(f, x.item() if tracked else x, np.ones(1), order + tracked, "derivative")
    if series is None:
        return _nested(f, order)(x)
    if series is COMPLEX:
        real, imag = (_derivative_at(_part(f, i), order, x) for i in range(2))
        return complex_pair(real, imag)
    if series.ndim > 1:
        raise ShapeError(
            f"derivative needs f to return a scalar, but it returned shape {series.shape[:-1]}. "
            "Use taylor(f, x, v, order)."
        )
    value = _times_factorial(series, order)
    if type(x) is Dual:
        slope = _derivative_at(f, order + 1, x.value)
        tangents = tuple(None if t is None else t * slope for t in x.tangents)
        return Dual(x.tag, _derivative_at(f, order, x.value), tangents)
    if tracked and not _core.is_recording():
        return tensor(value)
    if tracked:
        rule = _NextOrder(f, order, _times_factorial(series, order + 1))
        return _core.record_call(rule, [x], value)
    return value


COMPLEX = object()


def _part(f, i):
    """The real, or the imaginary, part of a complex function."""
    return lambda x: flatten_values(f(x))[0][i]


class _NextOrder:
    """The rule of one derivative as an operation: times the derivative of the next order."""

    def __init__(self, f, order, slope):
        self.f, self.order, self.slope = f, order, slope
        self.operand_shapes = [()]
        name = getattr(f, "__name__", type(f).__name__)
        self.name = f"derivative({name}, {order})"

    def to_bytes(self):
        raise not_saved(self.name)

    def replay(self, operands):
        return np.array([_derivative_at(self.f, self.order, operands[0])])

    def forward(self, tangents):
        return tangents[0] * self.slope

    def reverse(self, g):
        return [g[0] * self.slope]

    def emit_forward(self, tangents, operands, results):
        del results
        return tangents[0] * _derivative_at(self.f, self.order + 1, operands[0])

    def emit_reverse(self, g, operands, results):
        del results
        return [g[0] * _derivative_at(self.f, self.order + 1, operands[0])]


def _times_factorial(series, k):
    # One by one: factorial(k) alone may exceed the largest float.
    return math.prod(range(2, k + 1), start=float(series[k]))


def taylor(f, x, v, order):
    """Taylor coefficients of t -> f(x + t v) at t = 0.

    Parameters
    ----------
    f : callable, array -> array or scalar
        Containers of them do as well.
    x, v : array or scalar of the same shape
        Point and direction.  v is not normalised.  A list or a tuple of numbers is an array.
    order : int, >= 0

    Returns
    -------
    array, shape (order + 1, *f(x).shape)
        Row k is the k-th derivative divided by k!  (multiply by factorial(k) to get derivatives).
        For each leaf, if f returns a container.

    Raises
    ------
    ShapeError
        If x and v differ in shape.

    Examples
    --------
    >>> import adcore
    >>> adcore.taylor(lambda x: adcore.exp(x), [0.0], [1.0], 3).ravel()
    array([1.        , 1.        , 0.5       , 0.16666667])

    References
    ----------
    Griewank and Walther, Evaluating Derivatives, 2nd ed., ch. 13.
    """
    order = _order(order, "taylor")
    f, x, v = _joined_arguments(f, x, v)
    g = _JoinedOutputs(f)
    series = _taylor(g, x, v, order)
    return g.apart(series)


def _joined_arguments(f, x, v):
    """The same function of one vector, if x is a container of more than numbers."""
    leaves, structure = flatten_values(x)
    if not isinstance(structure, Node) and not (
        isinstance(structure, Run) and any(shape_of(leaf) for leaf in leaves)
    ):
        return f, x, v
    shapes = [shape_of(leaf) for leaf in leaves]
    ends = np.cumsum([math.prod(s) for s in shapes]).tolist()

    def of_vector(t):
        parts = [
            t[end - math.prod(s) : end].reshape(s) for s, end in zip(shapes, ends, strict=True)
        ]
        return f(unflatten(structure, parts))

    directions = same_leaves("the direction", v, len(leaves), shapes)
    return of_vector, _vector(leaves), _vector(directions)


def _vector(leaves):
    """All numbers of the leaves as one vector."""
    return np.concatenate([np.ravel(v) for v in leaves]) if leaves else np.zeros(0)


class _JoinedOutputs:
    """A function whose outputs, if it returns a container, are one vector."""

    def __init__(self, f):
        self.f, self.structure = f, None

    def __call__(self, x):
        output = self.f(x)
        if type(output) in LEAF_TYPES:
            return output
        leaves, structure = flatten_values(output)
        if len(leaves) == 1 and leaves[0] is output:
            return output
        self.structure, self.shapes = structure, [shape_of(leaf) for leaf in leaves]
        return _vector(leaves)

    def apart(self, series):
        """The coefficients of the vector as those of each output."""
        if self.structure is None:
            return series
        ends = np.cumsum([math.prod(s) for s in self.shapes]).tolist()
        parts = [
            series[:, end - math.prod(s) : end].reshape((series.shape[0], *s))
            for s, end in zip(self.shapes, ends, strict=True)
        ]
        return unflatten(self.structure, parts)


def _taylor(f, x, v, order):
    """The coefficients of a function of one array that returns one."""
    tracked = is_tracked(x) or is_tracked(v)
    x, v = (a if is_tracked(a) else _point(a, "taylor") for a in (x, v))
    if shape_of(x) != shape_of(v):
        raise ShapeError(
            f"taylor needs a direction in the shape of the point: x has shape {shape_of(x)}, "
            f"v has shape {shape_of(v)}"
        )
    if not tracked:
        series = _series(f, x, np.ravel(v), order, "taylor")
        if series is not None and series is not COMPLEX:
            return np.moveaxis(series, -1, 0)

    def along(t):
        return f(x + t * v)

    return np.stack([_nested(along, k)(0.0) / math.factorial(k) for k in range(order + 1)])


def _series(f, x, v, order, caller):
    """Taylor coefficients of f along x + t v, the coefficients last.

    None if the tape alone does not have them: another transform watches, or a rule written in
    Python has to be asked.  COMPLEX if f returns a complex number or array.
    """
    was, rows = _core.set_recording(True), _core.set_rows(True)
    try:
        flat, (t,) = _core.lift([x])
        y = f(t)
        if isinstance(y, Tensor) and y.requires_grad:
            return _core.sweep_taylor(flat, v, y, order)
        if is_tracked(y):
            return None
        if is_complex(y) and not isinstance(y, (list, tuple)):
            return COMPLEX
        if isinstance(y, (list, tuple, dict)):
            raise NotDifferentiableError(
                f"{caller} needs f to return a number or an array, got a {type(y).__name__}; "
                "make an array of it with adcore.stack"
            )
        constant = _point(y, caller)
        return np.multiply.outer(constant, [1.0] + [0.0] * order)
    finally:
        _core.set_recording(was)
        _core.set_rows(rows)


def third(f, x, u, v):
    """Third derivative of f at x along u and v: sum_jk d^3f/dx_i dx_j dx_k u_j v_k.

    It is exact: forward mode along u, then along v, over reverse mode.  Symmetric in u and v.

    Parameters
    ----------
    f : callable, (n,) -> scalar
    x, u, v : array, shape (n,)
        Point and directions, which are not normalised; numbers and containers do as well.

    Returns
    -------
    array, shape (n,)
        In the structure of x.

    Raises
    ------
    ShapeError
        If u or v differ from x in shape, or if f returns anything but one real number.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> adcore.third(lambda x: x[0] * x[1] * x[2], np.ones(3), [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    array([0., 0., 1.])

    References
    ----------
    Griewank and Walther, Evaluating Derivatives, 2nd ed., ch. 13.
    """
    if isinstance(x, np.ndarray):
        u, v = (d if is_tracked(d) else np.asarray(d, dtype=np.float64) for d in (u, v))

    def along_u(x):
        value, slope = jvp(f, (x,), (u,))
        if shape_of(value) != ():
            raise ShapeError(
                "third needs a function with one real output, but it returned shape "
                f"{shape_of(value)}. Return a scalar such as y.sum(), or use taylor(f, x, v, 3)."
            )
        return slope

    return hvp(along_u, (x,), (v,))[1]


def _order(order, caller):
    """`order` as an int that is not negative."""
    try:
        order = operator.index(order)
    except TypeError:
        raise TypeError(f"{caller} needs an integer order, got {order!r}") from None
    if order < 0:
        raise ValueError(f"{caller} needs an order of 0 or more, got {order}")
    return order


def _point(x, caller):
    """A point or direction as a float or a float64 array."""
    if type(x) is float:
        return x
    x = np.asarray(x.numpy() if type(x) is Tensor else x)
    if x.dtype.kind not in "biuf":
        raise NotDifferentiableError(
            f"{caller} needs real numbers or arrays of them, got {x.dtype} of shape {x.shape}"
        )
    return x.astype(np.float64) if x.ndim else float(x)


def _nested(f, order):
    """The derivative of f as nested forward mode."""
    for _ in range(order):
        f = _slope(f)
    return f


def _slope(f):
    return lambda x: jvp(f, (x,), (1.0,))[1]

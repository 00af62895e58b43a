"""Arrays from tensors, lists of them, ends, shapes and functions."""

import numpy as np

from .. import _core
from ..errors import NotDifferentiableError
from ..rules import primitives, shapes
from ..rules.primitives import as_array, reshape, shape_of, values
from ..rules.table import Dual, Tensor, is_traced, refuse
from ._table import constructor, rule

_ORDERS = ("C", "K", "A", None)


def _array(name, x, dtype=None, order=None, ndmin=0, ndmax=0, copy=None, **others):
    if type(x) is Tensor and dtype is order is None and not (others or ndmax or ndmin > x.ndim):
        return x.copy() if copy else x
    others.pop("subok", None)
    like = others.pop("like", None)
    device = others.pop("device", None)
    if others:
        raise TypeError(f"{name}() got an unexpected keyword argument {next(iter(others))!r}")
    if like is not None or device not in (None, "cpu"):
        raise TypeError(f"{name} of a tensor does not take like= or a device but 'cpu'")
    if order not in _ORDERS:
        raise ValueError(f"{name} of a tensor takes the order 'C', got {order!r}")
    if dtype is not None and np.dtype(dtype) == np.complex128 and hasattr(np, name):
        more = {} if copy is None else {"copy": copy}
        z = _core.complex_pair(as_array(x), 0.0)
        return _core.METHODS["_complex_function"](np.array, (z,), {"ndmin": ndmin, **more})
    if dtype is not None:
        refuse(name, dtype=dtype)
    if ndmax:
        refuse(name, ndmax=ndmax)
    if isinstance(x, np.ndarray) and x.dtype == object:
        x = x.tolist()
    given = x
    x = as_array(x)
    if ndmin > x.ndim:
        x = reshape(x, (1,) * (ndmin - x.ndim) + tuple(x.shape))
    return x.copy() if copy and x is given else x


@constructor()
def array(x, dtype=None, *, copy=True, order="K", ndmin=0, **others):
    """A tensor, or nested lists with tensors in them, as one tensor."""
    if type(x) is list and dtype is None and ndmin == 0 and not others:
        joined = _core.join(x, "stack")
        if joined is not NotImplemented:
            return joined
    return _array("array", x, dtype, order, ndmin, copy=copy, **others)


@constructor()
def asarray(x, dtype=None, order=None, *, copy=None, **others):
    """A tensor as it is; nested lists with tensors in them as one tensor."""
    return _array("asarray", x, dtype, order, copy=copy, **others)


@constructor()
def asanyarray(x, dtype=None, order=None, *, copy=None, **others):
    """A tensor as it is; nested lists with tensors in them as one tensor."""
    return _array("asanyarray", x, dtype, order, copy=copy, **others)


@constructor()
def ascontiguousarray(x, dtype=None, **others):
    """The same as asarray, of one dimension at least."""
    return _array("ascontiguousarray", x, dtype, ndmin=1, **others)


@constructor()
def asfortranarray(x, dtype=None, **others):
    """The same as asarray: a tensor has no order in memory."""
    return _array("asfortranarray", x, dtype, **others)


@constructor()
def asarray_chkfinite(x, dtype=None, order=None):
    """The same as asarray; a ValueError if an element is infinite or nan."""
    x = _array("asarray_chkfinite", x, dtype, order)
    if _core.has_nan(x if type(x) is Tensor else values(x), infinite=True):
        raise ValueError("array must not contain infs or NaNs")
    return x


@rule("require")
def _require(x, dtype=None, requirements=None, *, like=None):
    del requirements, like
    return _array("require", x, dtype)


ours_require = constructor("require")(_require)


@rule("astype")
def _astype(x, dtype, /, *, copy=True, device=None):
    del device
    if isinstance(x, (Tensor, Dual)) and not copy and np.dtype(dtype) == np.float64:
        return x
    return x.astype(dtype)


constructor("astype")(_astype)


@constructor(looks=True)
def fromiter(iter, dtype, count=-1, *, like=None):
    """The numbers that an iterator gives, which may be tensors, as one array."""
    del like
    items = list(iter) if count < 0 else [x for x, _ in zip(iter, range(count), strict=False)]
    if dtype is float:
        joined = _core.join(items, "stack")
        if joined is not NotImplemented:
            return joined
    if not is_traced(items):
        return np.fromiter(items, dtype, count)
    return _array("fromiter", items, dtype)


@rule("full")
@constructor("full")
def _full(shape, fill_value, dtype=None, order="C", *, device=None, like=None):
    del order, device, like
    refuse("full", dtype=dtype)
    return shapes.broadcast_to(as_array(fill_value), shape)


# ---- ranges ----


def _parts(n, endpoint):
    """The parts of the way from the first to the last of n numbers, which nobody can change."""
    step = 1.0 / max(n - 1 if endpoint else n, 1)
    parts = np.arange(0.0, (n - 0.5) * step, step)  # in one pass
    if endpoint and n > 1:
        parts[-1] = 1.0
    parts.flags.writeable = False
    return parts


def _columns(*ends):
    """Ends of ranges as arrays of one shape, and a function that makes room for the range."""
    ends = [as_array(e) for e in ends]
    if all(e.ndim == 0 for e in ends):
        return ends
    return shapes.broadcast_arrays(*ends)


def _rows(t, ndim):
    return t.reshape(-1, *[1] * ndim)


def _count(name, num):
    n = int(num)
    if n < 0:
        raise ValueError(f"{name}: the number of samples must not be negative, got {num}")
    return n


def _ends_put(y, start, stop, endpoint):
    """`y` with the ends themselves in place of what was computed for them."""
    n = y.shape[0]
    ends = [reshape(as_array(e), (1, *y.shape[1:])) for e in (start, stop)]
    if n == 0:
        return y
    if n == 1:
        return ends[0]
    last = ends[1] if endpoint else y[n - 1 :]
    return primitives.concatenate([ends[0], y[1 : n - 1], last], 0)


@rule()
@constructor()
def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0, *, device=None):
    """`num` numbers from start to stop, either of which may be a tensor."""
    del device
    refuse("linspace", dtype=dtype)
    n = _count("linspace", num)
    start, stop = _columns(start, stop)
    y = _core.apply("lerp", _rows(_parts(n, endpoint), start.ndim), start, stop)
    y = shapes.moveaxis(y, 0, axis) if axis != 0 else y
    if not retstep:
        return y
    steps = n - 1 if endpoint else n
    return y, (stop - start) / steps if steps > 0 else (stop - start) * np.nan


@rule()
@constructor()
def logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0):
    """`base` to the powers linspace(start, stop, num); any of the three may be a tensor."""
    refuse("logspace", dtype=dtype)
    if type(base) is not float:
        start, stop, base = _columns(start, stop, base)
    powers = (
        linspace(start, stop, num, endpoint)
        if is_traced([start, stop])
        else np.linspace(start, stop, num, endpoint)
    )
    y = base**powers
    return shapes.moveaxis(y, 0, axis) if axis != 0 else y


@rule()
@constructor()
def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    """`num` numbers from start to stop with one ratio between neighbours."""
    refuse("geomspace", dtype=dtype)
    n = _count("geomspace", num)
    start, stop = _columns(start, stop)
    ratio = stop / start
    if not np.all(np.greater(ratio, 0)):
        raise ValueError("geomspace: the ends must not be 0 and, of real numbers, of one sign")
    y = start * ratio ** _rows(_parts(n, endpoint), start.ndim)
    y = _ends_put(y, start, stop, endpoint)
    return shapes.moveaxis(y, 0, axis) if axis != 0 else y


# ---- grids ----


@rule()
def meshgrid(*arrays, copy=True, sparse=False, indexing="xy"):
    """The coordinates of a grid, from those along each of its dimensions."""
    del copy
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing is 'xy' or 'ij', got {indexing!r}")
    n = len(arrays)
    out = []
    for i, x in enumerate(arrays):
        place = 1 - i if indexing == "xy" and n > 1 and i < 2 else i
        out.append(reshape(as_array(x), (*[1] * place, -1, *[1] * (n - 1 - place))))
    return tuple(out) if sparse else shapes.broadcast_arrays(*out)


@rule()
def ix_(*arrays):
    """Vectors, each along a dimension of its own."""
    n = len(arrays)
    for x in arrays:
        if len(shape_of(x)) != 1:
            raise ValueError("ix_: cross index must be 1 dimensional")
    return tuple(
        [reshape(as_array(x), (*[1] * i, -1, *[1] * (n - 1 - i))) for i, x in enumerate(arrays)]
    )


@rule()
def vander(x, N=None, increasing=False):
    """The matrix whose columns are powers of `x`."""
    x = as_array(x)
    if x.ndim != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    n = x.shape[0] if N is None else N
    columns = [_ones(x.shape[0])]
    while len(columns) < n:
        columns.append(columns[-1] * x if len(columns) > 1 else x)
    if n == 0:
        return np.ones((x.shape[0], 0))
    columns = columns[:n] if increasing else columns[n - 1 :: -1]
    return shapes.column_stack(columns)


def _ones(n):
    """N ones that take no room where there are many."""
    return np.ones(n) if n < 64 else np.broadcast_to(1.0, (n,))


def kaiser_window(n, beta):
    """The points of the Kaiser window, for a tensor beta."""
    from ..scipy.special import i0

    if n == 1:
        return i0(beta * 0.0) * np.ones(1)
    half = (n - 1) / 2.0
    t = (np.arange(n) - half) / half
    return i0(beta * np.sqrt(1 - t * t)) / i0(beta)


@constructor()
def kaiser(M, beta):
    """The Kaiser window, beta being a tensor."""
    n = int(M)
    return kaiser_window(n, beta) if n >= 1 else np.zeros(0)


# ---- joining by brackets ----


class _Brackets:
    """r_ or c_: what stands in the brackets joined, tensors among it."""

    def __init__(self, plain, columns):
        self.plain, self.columns = plain, columns

    def __getitem__(self, key):
        items = key if type(key) is tuple else (key,)
        if not is_traced(items):
            return self.plain[key]
        if isinstance(items[0], str):
            raise NotDifferentiableError(
                f"r_ and c_ of tensors take no directives, got {items[0]!r}; use stack, "
                "concatenate or reshape"
            )
        parts = [self._part(k) for k in items]
        ndim = max(p.ndim for p in parts)
        parts = [reshape(p, (1,) * (ndim - p.ndim) + tuple(p.shape)) for p in parts]
        return primitives.concatenate(parts, ndim - 1 if self.columns else 0)

    def _part(self, k):
        x = as_array(np.r_[k] if isinstance(k, slice) else k)
        if x.ndim == 0:
            x = reshape(x, (1,))
        return reshape(x, (-1, 1)) if self.columns and x.ndim == 1 else x

    def __getattr__(self, name):
        return getattr(self.plain, name)

    def __len__(self):
        return 0


r_ = _Brackets(np.r_, False)
c_ = _Brackets(np.c_, True)

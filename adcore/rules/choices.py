"""Functions that choose among elements, and those whose results do not vary."""

import functools

import numpy as np

from .. import _core, ops
from .._core import is_compiling
from . import primitives
from .indices import Index
from .masks import Mask
from .primitives import as_array, below
from .recorded import observe, observed, stripped, true_places, truths
from .shapes import ravel
from .table import Dual, Tensor, array_function, functions, refuse


@array_function(np.where)
def where(condition, a=None, b=None):
    """Elements of `a` where the condition holds, else of `b`; the branch not taken counts for 0.

    With the condition alone, the indices where it holds.

    Examples
    --------
    >>> f = adcore.elementwise_grad(lambda x: adcore.where(x > 0, adcore.sqrt(x), 0.0))
    >>> f(np.array([-1.0, 0.0, 4.0]))
    array([0.  , 0.  , 0.25])
    """
    if a is None and b is None:
        return np.nonzero(truths(condition))
    if type(condition) is not np.ndarray:
        condition = chooser(condition)
    return _core.apply("where", condition, a, b)


def chooser(condition):
    """The numbers that choose: on the tape of a program they stay there."""
    condition = below(condition)
    return condition.tensor if type(condition) is Mask else condition


_core.add_methods({"where": lambda x, condition, other: where(condition, x, other)})


@array_function(np.select)
def select(conditions, choices, default=0):
    """Elements of the choice whose condition is the first to hold, else `default`.

    Examples
    --------
    >>> f = adcore.elementwise_grad(lambda x: adcore.select([x < 0, x < 1], [-x, x**2], 1.0))
    >>> f(np.array([-3.0, 0.5, 2.0]))
    array([-1.,  1.,  0.])
    """
    out = default
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        out = where(condition, choice, out)
    return out


@array_function(np.clip, method="clip")
def clip(x, a_min=None, a_max=None, out=None, *, min=None, max=None, **others):
    """`x` limited to a_min ... a_max, either of which may be None.

    Examples
    --------
    >>> adcore.elementwise_grad(lambda x: adcore.clip(x, 0.0, 1.0))(np.array([-1.0, 0.5, 1.0]))
    array([0. , 1. , 0.5])
    """
    if out is not None or others:
        refuse("clip", out=out, **others)
    low = min if a_min is None else a_min
    high = max if a_max is None else a_max
    if low is None:
        return x if high is None else _core.apply("minimum", x, high)
    if high is None:
        return _core.apply("maximum", x, low)
    return _core.apply("clip", x, low, high)


@array_function(np.extract)
def extract(condition, x):
    """The elements where the condition holds, in one dimension.

    Examples
    --------
    >>> adcore.extract([True, False], np.array([3.0, 1.0]))
    array([3.])
    """
    x = as_array(x)
    return (x if x.ndim == 1 else ravel(x))[true_places(condition)]


@array_function(np.round, np.around, method="round")
def round(x, decimals=0, out=None):
    """The nearest number of so many decimals, halves to even; its derivative is 0.

    Examples
    --------
    >>> adcore.round(2.5678, 2)
    np.float64(2.57)
    >>> adcore.grad(adcore.round)(2.5)
    0.0
    """
    if out is not None:
        refuse("round", out=out)
    if decimals == 0:
        return _core.apply("rint", x)
    scale = 10.0 ** abs(decimals)
    if decimals < 0:
        return _core.apply("rint", x / scale) * scale
    return _core.apply("rint", x * scale) / scale


around = round


@array_function(np.nan_to_num)
def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    """`x` with numbers in place of nan and infinities; where replaced, the derivative is 0.

    Examples
    --------
    >>> adcore.elementwise_grad(adcore.nan_to_num)(np.array([1.0, np.nan]))
    array([1., 0.])
    """
    numbers = below(x)
    into = x if not copy and isinstance(x, (Tensor, Dual)) and x.ndim else None
    if not is_compiling() and np.isfinite(numbers).all():
        return +as_array(x) if into is None else x
    limit = np.finfo(np.float64).max
    for bad, instead in (
        (np.isnan(numbers), nan),
        (numbers == np.inf, limit if posinf is None else posinf),
        (numbers == -np.inf, -limit if neginf is None else neginf),
    ):
        x = where(bad, instead, x)
    if into is None:
        return x
    into[...] = x
    return into


@array_function(np.sinc)
def sinc(x):
    """sin(pi x) / (pi x), and 1 at 0.

    Examples
    --------
    >>> adcore.sinc(0.5)
    np.float64(0.6366197723675814)
    >>> adcore.derivative(adcore.sinc, 2)(0.0)
    -3.2898681336964524
    """
    return _core.apply("sinc", x)


@array_function(np.copy)
def copy(x, order="K", subok=False):
    """`x` under another name, so that assignments to one spare the other.

    Examples
    --------
    >>> x = adcore.tensor([1.0, 2.0])
    >>> y = adcore.copy(x)
    >>> y[0] = 5.0
    >>> x
    tensor([1., 2.])
    """
    return x.copy()


@array_function(np.real)
def real(x):
    """`x` itself: tensors are real.

    Examples
    --------
    >>> adcore.real(adcore.tensor(2.0))
    tensor(2.)
    """
    return x


@array_function(np.imag)
def imag(x):
    """Zeros: tensors are real.

    Examples
    --------
    >>> adcore.imag(adcore.tensor(2.0))
    0.0
    """
    return x.imag


@array_function(np.angle)
def angle(z, deg=False):
    """The angle of complex numbers, whose derivative is 0 on the real axis along itself.

    Examples
    --------
    >>> adcore.grad(adcore.angle)(3.0 + 4.0j)
    (-0.16+0.12j)
    """
    out = ops.atan2(0.0, z)
    return ops.rad2deg(out) if deg else out


@array_function(np.real_if_close)
def _real_if_close(x, tol=100):
    """`x` itself: tensors are real."""
    del tol
    return x


def _astype(x, dtype, **options):
    """`x` itself if `dtype` is float64, which is what tensors are; or as a complex array."""
    if dtype is float or np.dtype(dtype) == np.float64:
        return x.copy() if options.get("copy", True) else x
    if np.dtype(dtype) == np.complex128:
        return _core.complex_pair(x.copy(), np.zeros(x.shape)[()])
    return refuse("astype", dtype=dtype)


_core.add_methods({"astype": _astype, "conj": real, "conjugate": real})


# ---- constants in the shape of a tensor ----


def constant_like(x, array):
    """A constant array of the same kind as `x`, so that elements can be assigned to it."""
    if type(x) is Dual:
        return Dual(x.tag, constant_like(x.value, array), (None,) * len(x.tangents))
    array = np.asarray(array, dtype=np.float64)
    return _core.constant(array) if type(x) is Tensor else array


def _like(name, x, dtype, shape, others, make):
    """What `make` makes of a shape, float64 that nothing else holds, as constant_like()."""
    if type(x) is Tensor and dtype is None and not others:
        return _core.constant(make(x.shape if shape is None else shape))
    if dtype is not None or others:
        others.pop("device", None)
        refuse(name, dtype=dtype, **others)
    return constant_like(x, make(x.shape if shape is None else shape))


@array_function(np.zeros_like)
def zeros_like(x, dtype=None, order=None, subok=None, shape=None, **others):
    """Zeros in the shape of `x`, a constant tensor.

    Examples
    --------
    >>> adcore.zeros_like(adcore.tensor([1.0, 2.0]))
    tensor([0., 0.])
    """
    return _like("zeros_like", x, dtype, shape, others, np.zeros)


@array_function(np.ones_like)
def ones_like(x, dtype=None, order=None, subok=None, shape=None, **others):
    """Ones in the shape of `x`, a constant tensor.

    Examples
    --------
    >>> adcore.ones_like(adcore.tensor([1.0, 2.0]))
    tensor([1., 1.])
    """
    return _like("ones_like", x, dtype, shape, others, np.ones)


@array_function(np.empty_like)
def empty_like(x, dtype=None, order=None, subok=None, shape=None, **others):
    """Room in the shape of `x`, a constant tensor of any numbers, to be assigned to.

    Examples
    --------
    >>> adcore.empty_like(adcore.tensor([1.0, 2.0])).shape
    (2,)
    """
    return _like("empty_like", x, dtype, shape, others, np.empty)


@array_function(np.full_like)
def full_like(x, fill_value, dtype=None, order=None, subok=None, shape=None, **others):
    """`fill_value` in the shape of `x`, a constant tensor unless the value is a tensor.

    Examples
    --------
    >>> adcore.full_like(adcore.tensor([1.0, 2.0]), 7.0)
    tensor([7., 7.])
    """
    if type(fill_value) is Tensor or type(fill_value) is Dual:
        if dtype is not None or others:
            refuse("full_like", dtype=dtype, **others)
        return primitives.broadcast_to(fill_value, x.shape if shape is None else shape)
    return _like("full_like", x, dtype, shape, others, lambda n: _filled(n, fill_value))


def _filled(shape, value):
    if type(value) is not float:
        return np.full(shape, value, float)
    array = np.empty(shape)
    array.fill(value)
    return array


# ---- results that do not vary: NumPy's own, of the values ----

CONSTANT = (
    *(np.any, np.all, np.argpartition, np.argwhere),
    *(np.nonzero, np.flatnonzero, np.searchsorted, np.digitize, np.lexsort),
    *(np.nanargmax, np.nanargmin, np.isclose, np.allclose, np.array_equal, np.array_equiv),
    *(np.isin, np.isposinf, np.isneginf, np.iscomplex, np.isreal, np.iscomplexobj, np.isrealobj),
    *(np.shape, np.size, np.ndim, np.array2string, np.array_repr, np.array_str, np.result_type),
    *(np.shares_memory, np.may_share_memory, np.histogram_bin_edges),
)
CONSTANT_METHODS = ("any", "all", "nonzero", "searchsorted")
# Those whose results hang on shapes and types alone,
_OF_SHAPES = {
    *(np.shape, np.size, np.ndim, np.result_type, np.shares_memory, np.may_share_memory),
    *(np.iscomplexobj, np.isrealobj),
}
# on which elements are zero, so that their shapes do too,
_OF_TRUTHS = {np.argwhere, np.nonzero, np.flatnonzero}
# and on all values, in no way that has a shape.
_OF_VALUES = {np.array2string, np.array_repr, np.array_str}

# Of indices: what they surely are below.
_LIMITS = {
    np.searchsorted: lambda args: 1 + np.size(args[0]),
    np.digitize: lambda args: 1 + np.size(args[1]) if len(args) > 1 else None,
}


def _constant(function):
    @functools.wraps(function)
    def rule(*args, **kwargs):
        if function in _OF_SHAPES:
            return function(*[_core.peek(below(a)) for a in args], **kwargs)
        if function in _OF_TRUTHS:
            return function(*[truths(as_array(a)) for a in (*args, *kwargs.values())])
        bins = kwargs.get("bins", args[1] if len(args) > 1 else None)
        automatic = function is np.histogram_bin_edges and type(bins) is str
        if function in _OF_VALUES or automatic:
            args, kwargs = stripped(args), {k: stripped(v) for k, v in kwargs.items()}
        out = observed(function, *args, **kwargs)
        if type(out) is Index and function in _LIMITS:
            return Index(out.tensor, out.dtype, below=_LIMITS[function](args))
        return out

    return rule


for _function in CONSTANT:
    array_function(_function)(_constant(_function))
    if _function not in _OF_SHAPES | _OF_TRUTHS | _OF_VALUES:
        observe(_function)
_core.add_methods({name: functions[name] for name in CONSTANT_METHODS})

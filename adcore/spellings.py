"""torch's spellings of the array functions: dim= for axis=, keepdim=, cat, unsqueeze, x.add_() ...

Where NumPy and torch give one name two meanings, NumPy's holds (std, repeat, split), unless an
argument such as dim= tells that torch's is meant.  A spelling of torch's own that is missing raises
an error that says what to write.
"""

import builtins
import functools
import importlib
import typing

import numpy as np

from . import _core, creation, ops, rules
from ._core import Tensor
from .errors import ADError, ShapeError
from .rules.indices import Index
from .rules.masks import Mask
from .rules.primitives import below, values
from .rules.recorded import is_recorded, truths
from .rules.table import with_plain

_public = {**ops.functions, **rules.functions}
functions = {}  # public name -> function


class Pair(typing.NamedTuple):
    """What max, min and sort return if called with dim=: the values, and their indices."""

    values: object
    indices: np.ndarray


def _function(*names, method=None):
    """Make a function public under its own name and `names`, and a method under `method`."""

    def register(f):
        for name in names or (f.__name__,):
            functions[name] = f
        if method is not None:
            _core.add_methods(dict.fromkeys((method,) if isinstance(method, str) else method, f))
        return f

    return register


# ---- dim= for axis= ----

_RESPELLED = {"dim": "axis", "dims": "axis", "keepdim": "keepdims", "shifts": "shift", "input": "x"}


def _axis(options):
    return {_RESPELLED.get(name, name): value for name, value in options.items()}


def _respelled(name, method=None):
    """The function `name`, and the method, which take dim= and keepdim= as well."""
    known = _public[name]
    functions[name] = function = with_plain(known.rule, known.plain, _RESPELLED)
    if method is not None:
        _core.add_methods({method: function})


for _name in ("sum", "mean", "prod", "cumsum", "cumprod", "any", "all", "argmax", "argmin"):
    _respelled(_name, _name)
_respelled("squeeze", "squeeze")
for _name in ("flip", "roll"):
    _respelled(_name, _name)
for _name in ("concatenate", "stack", "diff", "cross", "trapezoid", "count_nonzero", "argsort"):
    _respelled(_name)


def _extremum(name, both):
    rule = _public[name]

    @functools.wraps(rule)
    def function(x, *args, **options):
        if args and type(args[0]) is Tensor:
            return _public[both](x, *args)
        if "other" in options:
            return _public[both](x, options["other"])
        if "dim" not in options:
            return rule(x, *args, **(_axis(options) if options else options))
        axis, keep = options.pop("dim"), options.pop("keepdim", False)
        indices = _public["arg" + name](x, axis=axis, keepdims=keep)
        picked = np.asarray(indices) if keep else np.expand_dims(indices, axis)
        found = _public["take_along_axis"](x, picked, axis)
        return Pair(found if keep else _public["squeeze"](found, axis), indices)

    functions[name] = function
    _core.add_methods({name: function})
    functions["a" + name] = amax = with_plain(rule.rule, rule.plain, _RESPELLED)
    _core.add_methods({"a" + name: amax})


_extremum("max", "maximum")
_extremum("min", "minimum")


def _spread(name):
    rule = _public[name]

    @functools.wraps(rule)
    def function(x, *args, **options):
        if not options.keys() & {"dim", "keepdim", "unbiased", "correction"}:
            return rule(x, *args, **options)
        if "unbiased" in options:
            options["ddof"] = int(options.pop("unbiased"))
        else:
            options["ddof"] = options.pop("correction", 1)
        return rule(x, *args, **_axis(options))

    functions[name] = function
    _core.add_methods({name: function})


_spread("std")
_spread("var")


@_function()
@functools.wraps(_public["sort"])
def sort(x, axis=-1, descending=False, **options):
    if "dim" not in options and not descending:
        return _public["sort"](x, axis, **options)
    axis = options.pop("dim", axis)
    numbers = below(x)
    indices = np.argsort(-numbers if descending else numbers, axis, kind="stable")
    return Pair(_public["take_along_axis"](x, indices, axis), indices)


def _sort_method(x, *args, **options):
    """The sorted values and their indices along dim=, a pair, as torch does."""
    if "dim" not in options and "descending" not in options:
        raise TypeError(
            "x.sort() sorts in place in NumPy and returns a pair in torch; write "
            "adcore.sort(x) for the values, or x.sort(dim=-1) for values and indices"
        )
    return sort(x, *args, **options)


@_function()
@functools.wraps(_public["split"])
def split(x, sections, axis=0, **options):
    if "dim" not in options:
        return _public["split"](x, sections, axis, **options)
    return _split_method(x, sections, **options)


def _split_method(x, sizes, dim=0):
    """Parts of x along `dim` of the given size, or sizes, a tuple, as torch does."""
    if isinstance(sizes, (int, np.integer)):
        cuts = list(range(sizes, x.shape[dim], sizes))
    elif int(np.sum(sizes)) != x.shape[dim]:
        raise ShapeError(f"split: sizes {list(sizes)} do not add up to the length {x.shape[dim]}")
    else:
        cuts = np.cumsum(sizes)[:-1].tolist()
    return tuple(_public["array_split"](x, cuts, dim))


_core.add_methods({"sort": _sort_method, "split": _split_method})


@_function(method="norm")
@functools.wraps(_public["norm"])
def norm(x, ord=None, axis=None, keepdims=False, **options):
    options = _axis(options)
    axis, keepdims = options.pop("axis", axis), options.pop("keepdims", keepdims)
    if "p" in options:  # torch's: of all elements as one vector, if there is no dim
        ord = options.pop("p")
        if axis is None and ord != "nuc":
            x = _public["ravel"](x)
        ord = None if ord == "fro" else ord
    return _public["norm"](x, ord, axis, keepdims, **options)


# ---- functions under other names ----

_OTHER_NAMES = {
    "cat": "concatenate",
    "concat": "concatenate",
    "movedim": "moveaxis",
    "ger": "outer",
    "swapdims": "swapaxes",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arctan2": "atan2",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "sigmoid": "logistic",
    "multiply": "mul",
    "divide": "div",
    "true_divide": "div",
    "subtract": "sub",
    "negative": "neg",
    "absolute": "abs",
    "fix": "trunc",
    "bmm": "matmul",
    "mm": "matmul",
    "mv": "matmul",
}
_OTHER_METHODS = (
    *("arcsin", "arccos", "arctan", "arctan2", "arcsinh", "arccosh", "arctanh", "sigmoid"),
    *("multiply", "divide", "true_divide", "subtract", "negative", "absolute", "mm", "mv", "bmm"),
    *("movedim", "swapdims", "ger"),
)
for _name, _known in _OTHER_NAMES.items():
    functions[_name] = functions.get(_known, _public[_known])
_core.add_methods({name: functions[name] for name in _OTHER_METHODS})
_core.add_methods({name: _public[name] for name in ("tril", "triu", "diag", "inner")})


@_function(method="unsqueeze")
def unsqueeze(x, dim):
    """`x` with a dimension of length 1 inserted at `dim`.

    Examples
    --------
    >>> adcore.unsqueeze(adcore.ones(2), 0)
    tensor([[1., 1.]])
    """
    return _public["expand_dims"](x, dim)


@_function(method="t")
def t(x):
    """A matrix transposed; a vector as it is.

    Examples
    --------
    >>> adcore.t(adcore.ones(1, 3)).shape
    (3, 1)
    """
    if len(np.shape(x) if not hasattr(x, "shape") else x.shape) > 2:
        raise ShapeError(f"t() is of matrices, got shape {x.shape}; use swapaxes or permute")
    return _public["transpose"](x)


def permute(x, dims):
    """`x` with its dimensions in the order `dims`.

    Examples
    --------
    >>> adcore.permute(adcore.ones(1, 2, 3), (2, 0, 1)).shape
    (3, 1, 2)
    """
    return _public["transpose"](x, dims)


functions["permute"] = permute
_core.add_methods({"permute": lambda x, *dims: permute(x, creation._shape(dims))})


@_function()
@functools.wraps(_public["transpose"])
def transpose(x, axes=None, dim1=None, dim0=None):
    if dim0 is not None:
        axes = dim0
    return _public["transpose"](x, axes) if dim1 is None else _public["swapaxes"](x, axes, dim1)


def _expand(x, *sizes):
    """`x` stretched to a shape, -1 keeping a length."""
    sizes = creation._shape(sizes)
    old = (1,) * (len(sizes) - x.ndim) + tuple(x.shape)
    shape = tuple([m if n == -1 else n for n, m in zip(sizes, old, strict=True)])
    return _public["broadcast_to"](x, shape)


_core.add_methods({
    "expand": _expand,
    "expand_as": lambda x, other: _expand(x, *other.shape),
    "view_as": lambda x, other: x.reshape(other.shape),
    "reshape_as": lambda x, other: x.reshape(other.shape),
    "tile": lambda x, *repeats: _public["tile"](x, creation._shape(repeats)),
})  # fmt: skip


@_function(method="unbind")
def unbind(x, dim=0):
    """The parts of `x` along a dimension, a tuple.

    Examples
    --------
    >>> adcore.unbind(adcore.tensor([1.0, 2.0]))
    (tensor(1.), tensor(2.))
    """
    return tuple(_public["moveaxis"](x, dim, 0))


@_function(method="chunk")
def chunk(x, chunks, dim=0):
    """`x` cut along a dimension into at most so many parts of one length, the last may be shorter.

    Examples
    --------
    >>> [part.shape for part in adcore.chunk(adcore.ones(5), 2)]
    [(3,), (2,)]
    """
    length = x.shape[dim]
    each = builtins.max(1, -(-length // chunks))
    return tuple(_public["array_split"](x, list(range(each, length, each)), dim))


@_function(method="gather")
def gather(x, dim, index):
    """The elements that `index`, integers of x's number of dimensions, picks along `dim`.

    Examples
    --------
    >>> adcore.gather(adcore.tensor([[1.0, 2.0], [3.0, 4.0]]), 1, np.array([[1], [0]]))
    tensor([[2.],
            [3.]])
    """
    return _public["take_along_axis"](x, index, dim)


@_function(method="index_select")
def index_select(x, dim, index):
    """The parts of `x` at `index` along `dim`.

    Examples
    --------
    >>> adcore.index_select(adcore.tensor([1.0, 2.0, 3.0]), 0, [2, 0])
    tensor([3., 1.])
    """
    return _public["take"](x, index, dim)


@_function(method="masked_fill")
def masked_fill(x, mask, value):
    """`x` with `value` where the mask holds.

    Examples
    --------
    >>> adcore.masked_fill(adcore.tensor([1.0, 2.0]), [True, False], 0.0)
    tensor([0., 2.])
    """
    return _public["where"](mask, value, x)


@_function(method="masked_select")
def masked_select(x, mask):
    """The elements of `x` where the mask holds.

    Examples
    --------
    >>> adcore.masked_select(adcore.tensor([1.0, 2.0]), [True, False])
    tensor([1.])
    """
    return x[truths(mask)]


# ---- functions of their own ----


@_function("clamp", method="clamp")
def clamp(x, min=None, max=None):
    """`x` limited to min ... max, either of which may be None.

    Examples
    --------
    >>> adcore.clamp(adcore.tensor([-1.0, 3.0]), 0.0, 1.0)
    tensor([0., 1.])
    """
    return _public["clip"](x, min, max)


_core.add_methods({
    "clamp_min": lambda x, min: clamp(x, min),
    "clamp_max": lambda x, max: clamp(x, None, max),
})  # fmt: skip


@_function(method="relu")
def relu(x):
    """The greater of `x` and 0; by adcore's convention its derivative at 0 is 1/2.

    Examples
    --------
    >>> adcore.relu(adcore.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return _public["maximum"](x, 0.0)


@_function(method="rsqrt")
def rsqrt(x):
    """1 / sqrt(x).

    Examples
    --------
    >>> adcore.rsqrt(adcore.tensor(4.0))
    tensor(0.5)
    """
    return _public["reciprocal"](_public["sqrt"](x))


@_function(method="lerp")
def lerp(start, end, weight):
    """The number, or numbers, at `weight` on the way from `start` to `end`.

    Examples
    --------
    >>> adcore.lerp(adcore.tensor(1.0), adcore.tensor(3.0), 0.25)
    tensor(1.5)
    """
    return start + weight * (end - start)


@_function(method="addcmul")
def addcmul(x, a, b, *, value=1):
    """X + value a b.

    Examples
    --------
    >>> adcore.addcmul(adcore.tensor(1.0), adcore.tensor(2.0), adcore.tensor(3.0))
    tensor(7.)
    """
    return x + value * a * b


@_function(method="addcdiv")
def addcdiv(x, a, b, *, value=1):
    """X + value a / b.

    Examples
    --------
    >>> adcore.addcdiv(adcore.tensor(1.0), adcore.tensor(2.0), adcore.tensor(4.0))
    tensor(1.5)
    """
    return x + value * a / b


@_function(method="logsumexp")
def logsumexp(x, dim, keepdim=False):
    """log(sum(exp(x))) along `dim`, without overflow.

    Examples
    --------
    >>> adcore.logsumexp(adcore.tensor([1000.0, 1000.0]), dim=0)
    tensor(1000.69314718)
    """
    highest = _public["max"](below(x), axis=dim, keepdims=True)
    highest = _public["where"](np.isfinite(highest), highest, 0.0)
    if type(highest) is Tensor:
        highest = highest.detach()
    total = _public["sum"](_public["exp"](x - highest), axis=dim, keepdims=True)
    out = _public["log"](total) + highest
    return out if keepdim else _public["squeeze"](out, dim)


@_function(method="softmax")
def softmax(x, dim):
    """exp(x) divided by its sum along `dim`.

    Examples
    --------
    >>> adcore.softmax(adcore.tensor([1000.0, 1000.0]), dim=0)
    tensor([0.5, 0.5])
    """
    return _public["exp"](log_softmax(x, dim))


@_function(method="log_softmax")
def log_softmax(x, dim):
    """The logarithm of softmax(x, dim).

    Examples
    --------
    >>> adcore.log_softmax(adcore.tensor([0.0, 0.0]), dim=0)
    tensor([-0.69314718, -0.69314718])
    """
    return x - logsumexp(x, dim, True)


@_function(method="equal")
def equal(a, b):
    """Whether two tensors are of one shape and have the same numbers.

    Examples
    --------
    >>> adcore.equal(adcore.ones(2), adcore.tensor([1.0, 1.0]))
    True
    """
    return bool(_public["array_equal"](a, b))


@_function()
def numel(x):
    """How many elements there are.

    Examples
    --------
    >>> adcore.numel(adcore.ones(2, 3))
    6
    """
    return x.numel()


def _test(name):
    test = getattr(np, name)

    @functools.wraps(test)
    def function(x):
        return test(x)

    function.__doc__ = (
        f"numpy.{name} of the numbers: booleans, which are constants.\n\nExamples\n--------\n"
        f">>> bool(adcore.{name}(adcore.tensor(1.0)))\n{name == 'isfinite'}\n"
    )
    function.__module__ = __name__
    del function.__wrapped__
    _function(method=name)(function)


for _name in ("isnan", "isinf", "isfinite"):
    _test(_name)


# ---- methods that change a tensor in place ----


def _in_place(compute):
    @functools.wraps(compute)
    def method(x, *args, **options):
        if x.ndim == 0 and not x.is_leaf and _core.is_recording():
            raise ADError(
                "a recorded number cannot be changed in place; bind the result to a name instead, "
                "as in y = y + 1"
            )
        return _core.replace(x, compute(x, *args, **options))

    return method


_IN_PLACE = {
    "add_": lambda x, other, *, alpha=1: x + (other if alpha == 1 else alpha * other),
    "sub_": lambda x, other, *, alpha=1: x - (other if alpha == 1 else alpha * other),
    "mul_": lambda x, other: x * other,
    "div_": lambda x, other: x / other,
    "pow_": lambda x, other: x**other,
    "neg_": lambda x: -x,
    "zero_": lambda _: 0.0,
    "fill_": lambda _, value: value,
    "copy_": lambda _, other: other,
    "clamp_": clamp,
    "addcmul_": addcmul,
    "addcdiv_": addcdiv,
    "lerp_": lerp,
    "normal_": lambda x, mean=0.0, std=1.0: mean + std * creation.randn_like(x),
    "uniform_": lambda x, low=0.0, high=1.0: low + (high - low) * creation.rand_like(x),
}
_core.add_methods({name: _in_place(compute) for name, compute in _IN_PLACE.items()})


# ---- types and places, of which there is one ----


def _cast(x, dtype):
    """The numbers of a tensor in another type; part of what is being recorded if they vary."""
    if not is_recorded(x):
        return np.asarray(values(x)).astype(dtype)
    x = below(x)
    if dtype.kind == "b":
        return Mask(_core.apply("not_equal", x, 0.0))
    return Index(_core.apply("trunc", x).detach(), dtype)


def _to(x, *targets, **options):
    """`x` itself if it is asked for in float64 on the CPU."""
    for target in (*targets, *[v for k, v in options.items() if k in ("dtype", "device")]):
        if type(target) is Tensor or str(target) in ("cpu", "float64"):
            continue
        if isinstance(target, np.dtype) and target.kind in "biu":
            return _cast(x, target)
        raise TypeError(f"tensors are float64 on the CPU, got to({target!r}); leave it out")
    return x


_core.add_methods({
    "to": _to,
    "type": _to,
    "double": lambda x: x,
    "cpu": lambda x: x,
    "contiguous": lambda x: x,
    "long": lambda x: _to(x, creation.int64),
    "bool": lambda x: _cast(x, np.dtype(bool)),
})  # fmt: skip


# ---- what is not here ----

_ELSEWHERE = {
    "float32": "adcore computes in float64; write float64",
    "float16": "adcore computes in float64; write float64",
    "float": "adcore computes in float64; write float64",
    "half": "adcore computes in float64; write float64",
    "bool": "masks are NumPy arrays; write dtype=np.bool_",
    "complex128": "write numpy.complex128; complex tensors are pairs, adcore.Complex",
    "cuda": "adcore runs on the CPU; leave it out",
    "device": "adcore runs on the CPU; leave it out",
    "nn": "there are no layers here; write the model as a function of its parameters",
    "optim": "write the step, x -= rate * x.grad in a no_grad() block, or use SciPy",
    "func": "adcore's own names are those of torch.func: adcore.grad, jvp, vjp, jacrev, jacfwd",
    "special": "its functions have the names of torch.special here: adcore.erfinv, adcore.xlogy",
    "linalg": "write numpy.linalg.norm, multi_dot, matrix_power ..., which take tensors",
    "FloatTensor": "write adcore.tensor(data)",
    "DoubleTensor": "write adcore.tensor(data)",
}


def missing(name):
    """The AttributeError for a name that adcore does not have, with what to write if that is known.

    It is the __getattr__ of the package, which imports `implicit`, `ipopt`, `optimize`, `plot`,
    `problem`, `sparse`, `testing` and `Complex` when asked for them.
    """
    if name in ("implicit", "ipopt", "optimize", "plot", "sparse", "testing"):
        return importlib.import_module(f".{name}", __package__)
    if name == "problem":
        return importlib.import_module("._problem", __package__).problem
    if name == "Complex":
        return importlib.import_module(".complexes", __package__).Complex
    text = f"module 'adcore' has no attribute {name!r}"
    if name in _ELSEWHERE:
        text += f": {_ELSEWHERE[name]}"
    raise AttributeError(text, name=name)


globals().update(functions)
__all__ = [*functions]

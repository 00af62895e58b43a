"""What comparisons of arrays give while a program is recorded: truths that a replay finds anew.

Where the truths stay data, as in where(), they are numbers on the tape, 0 and 1, and cost nothing
but that.  Where Python sees them, as an index or in an `if`, they are guarded: a replay in which
they differ does not count.
"""

import numpy as np

from .. import _core
from .table import Tensor


def _numbers(x):
    """The 0 and 1 of a mask, or of plain truths."""
    return x.tensor if type(x) is Mask else np.asarray(x, dtype=bool).astype(np.float64)


def _connective(op):
    def method(self, other):
        if type(other) is not Mask and np.asarray(other).dtype != bool:
            return NotImplemented
        return Mask(_core.apply(op, self.tensor, _numbers(other)))

    return method


def _arithmetic(name):
    method = getattr(Tensor, name)

    def with_numbers(self, other):
        return method(self.tensor, other.tensor if type(other) is Mask else other)

    return with_numbers


def _comparison(name):
    def compare(self, other):
        return getattr(self.tensor, name)(other.tensor if type(other) is Mask else other)

    return compare


class Mask:
    """An array of truths on the tape of a program, as a NumPy array of bool would be."""

    __slots__ = ("tensor",)

    def __init__(self, tensor):
        self.tensor = tensor

    shape = property(lambda self: self.tensor.shape)
    ndim = property(lambda self: self.tensor.ndim)
    size = property(lambda self: self.tensor.size)
    dtype = np.dtype(bool)
    T = property(lambda self: Mask(self.tensor.T))

    __and__ = __rand__ = _connective("minimum")
    __or__ = __ror__ = _connective("maximum")
    __xor__ = __rxor__ = _connective("not_equal")

    def __invert__(self):
        return Mask(_core.apply("sub", 1.0, self.tensor))

    __add__, __radd__ = _arithmetic("__add__"), _arithmetic("__radd__")
    __sub__, __rsub__ = _arithmetic("__sub__"), _arithmetic("__rsub__")
    __mul__, __rmul__ = _arithmetic("__mul__"), _arithmetic("__rmul__")
    __truediv__, __rtruediv__ = _arithmetic("__truediv__"), _arithmetic("__rtruediv__")
    __pow__, __matmul__ = _arithmetic("__pow__"), _arithmetic("__matmul__")

    def __neg__(self):
        return -self.tensor

    __eq__, __ne__ = _comparison("__eq__"), _comparison("__ne__")
    __lt__, __le__ = _comparison("__lt__"), _comparison("__le__")
    __gt__, __ge__ = _comparison("__gt__"), _comparison("__ge__")
    __hash__ = None

    def __len__(self):
        return len(self.tensor)

    def __iter__(self):
        return iter([self[i] for i in range(len(self))])

    def __getitem__(self, key):
        return _mask(self.tensor[key])

    def __setitem__(self, key, value):
        self.tensor = self.tensor.clone()
        self.tensor[key] = _numbers(value)

    def __getattr__(self, name):
        """Anything else is of the array of truths, which a replay must find again."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(np.asarray(self), name)

    def reshape(self, *shape):
        """The same truths in another shape."""
        return Mask(self.tensor.reshape(*shape))

    def ravel(self):
        """The same truths in one dimension."""
        return Mask(self.tensor.reshape(-1))

    def copy(self):
        """The same truths."""
        return Mask(self.tensor)

    def astype(self, dtype, **options):
        """As numbers, 0 and 1, or as truths."""
        del options
        return self if np.dtype(dtype) == bool else self.tensor

    def any(self, axis=None, out=None, keepdims=False):
        """Whether one of them holds; a bool over all."""
        del out
        return _mask(self.tensor.max(axis=axis, keepdims=keepdims)) if self.size else False

    def all(self, axis=None, out=None, keepdims=False):
        """Whether all of them hold; a bool over all."""
        del out
        return _mask(self.tensor.min(axis=axis, keepdims=keepdims)) if self.size else True

    def sum(self, axis=None, dtype=None, out=None, keepdims=False):
        """How many hold, a whole number."""
        del dtype, out
        return _core.METHODS["_index"](self.tensor.sum(axis=axis, keepdims=keepdims))

    def mean(self, axis=None, dtype=None, out=None, keepdims=False):
        """Which part of them holds."""
        del dtype, out
        return self.tensor.mean(axis=axis, keepdims=keepdims)

    def nonzero(self):
        """Where they hold; a replay must find the same."""
        return np.asarray(self).nonzero()

    def __bool__(self):
        if self.size != 1:
            raise ValueError(
                f"the truth of an array of shape {self.shape} is ambiguous; use .any() or .all()"
            )
        return bool(np.asarray(self).reshape(-1)[0])

    def __array__(self, dtype=None, copy=None):
        del copy
        return np.array(_core.guarded_truths(self.tensor), dtype=dtype)

    def __repr__(self):
        return f"Mask({_core.peek(self.tensor) != 0})"

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        name = ufunc.__name__
        if method == "__call__" and name in _UFUNCS and not kwargs:
            return _UFUNCS[name](*inputs)
        if method == "__call__" and name in _ON_NUMBERS:
            return ufunc(*[x.tensor if type(x) is Mask else x for x in inputs], **kwargs)
        return getattr(ufunc, method)(*_plain(inputs), **kwargs)

    def __array_function__(self, function, types, args, kwargs):
        del types
        if function is np.where or function is np.select:  # these take masks as they are
            return _core.ARRAY_FUNCTIONS[function](*args, **kwargs)
        method = _FUNCTIONS.get(function)
        if method is not None and type(args[0]) is Mask:
            return method(*args, **kwargs)
        return function(*_plain(args), **{k: _plain(v) for k, v in kwargs.items()})


def _mask(tensor):
    """A Mask, or a bool if it is one truth."""
    return Mask(tensor) if tensor.ndim else bool(_core.guarded_truths(tensor))


def _plain(x):
    """Masks as arrays, guarded, also in lists and tuples."""
    if type(x) is Mask:
        return np.asarray(x)
    if type(x) is list or type(x) is tuple:
        return type(x)(_plain(v) for v in x)
    return x


def _logical(name):
    def function(a, b):
        a = a if type(a) is Mask else b.__class__(_numbers(a))
        return getattr(a, name)(b if type(b) is Mask else np.asarray(b, dtype=bool))

    return function


_UFUNCS = {
    **dict.fromkeys(("logical_and", "bitwise_and"), _logical("__and__")),
    **dict.fromkeys(("logical_or", "bitwise_or"), _logical("__or__")),
    **dict.fromkeys(("logical_xor", "bitwise_xor"), _logical("__xor__")),
    **dict.fromkeys(("logical_not", "invert"), Mask.__invert__),
}
_ON_NUMBERS = {"add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "matmul"}
_FUNCTIONS = {
    np.any: Mask.any,
    np.all: Mask.all,
    np.sum: Mask.sum,
    np.mean: Mask.mean,
    np.count_nonzero: Mask.sum,
    np.reshape: Mask.reshape,
    np.ravel: Mask.ravel,
}
_core.add_methods({"_mask": Mask})

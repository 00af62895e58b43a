"""Whole numbers that a replay finds anew: what argsort(), argmax() and counts give in a recording.

Where they stay data, as an index of tensors or in arithmetic, they are numbers on the tape.  Where
Python sees them, by int(), range(), in an `if`, or in a function of NumPy's without a rule, they
are guarded: a replay in which they differ does not count.
"""

import numpy as np

from .. import _core
from ..errors import ShapeError
from . import primitives
from .masks import Mask
from .table import AWARE, Dual, Tensor, public

MOST = 2**53  # whole numbers up to it are exact on the tape


class Index:
    """An array of whole numbers on the tape of a program, as a NumPy array of int64 would be."""

    __slots__ = ("below", "dtype", "tensor")

    def __init__(self, tensor, dtype=np.intp, below=None):
        self.tensor, self.dtype = tensor, np.dtype(dtype)
        self.below = below  # the numbers are surely 0 to below - 1; None if that is not known

    shape = property(lambda self: self.tensor.shape)
    ndim = property(lambda self: self.tensor.ndim)
    size = property(lambda self: self.tensor.size)
    T = property(lambda self: self._moved(self.tensor.T))

    def _moved(self, tensor):
        """Some of these numbers, in another order."""
        return Index(tensor, self.dtype, self.below)

    # -- as NumPy's arrays --

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if method == "__call__" and not kwargs:
            found = _ufunc(ufunc, inputs)
            if found is not NotImplemented:
                return found
        return getattr(ufunc, method)(*plain(inputs), **plain(kwargs))

    def __array_function__(self, function, types, args, kwargs):
        del types
        if function in _DATA_FLOW:
            return _core.ARRAY_FUNCTIONS[function](*args, **kwargs)
        method = _METHODS.get(function)
        if method is not None and type(args[0]) is Index:
            return method(*args, **kwargs)
        return public.get(function, function)(*plain(args), **plain(kwargs))

    def __len__(self):
        return len(self.tensor)

    def __iter__(self):
        return iter([self[i] for i in range(len(self))])

    def __getitem__(self, key):
        return self._moved(self.tensor[key])

    def __getattr__(self, name):
        """Anything else is of the array of numbers, which a replay must find again."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(np.asarray(self), name)

    def reshape(self, *shape):
        """The same numbers in another shape."""
        return self._moved(self.tensor.reshape(*shape))

    def ravel(self):
        """The same numbers in one dimension."""
        return self._moved(self.tensor.reshape(-1))

    flatten = ravel

    def copy(self):
        """The same numbers."""
        return self._moved(self.tensor)

    def astype(self, dtype, **options):
        """As whole numbers, as truths, or as a tensor."""
        del options
        kind = np.dtype(dtype).kind
        if kind in "iu":
            return Index(self.tensor, dtype, self.below)
        return Mask(self.tensor != 0) if kind == "b" else self.tensor

    def sum(self, axis=None, dtype=None, out=None, keepdims=False):
        """The sum, a whole number."""
        del dtype, out
        return Index(self.tensor.sum(axis=axis, keepdims=keepdims))

    def max(self, axis=None, out=None, keepdims=False):
        """The greatest."""
        del out
        return self._moved(self.tensor.max(axis=axis, keepdims=keepdims))

    def min(self, axis=None, out=None, keepdims=False):
        """The least."""
        del out
        return self._moved(self.tensor.min(axis=axis, keepdims=keepdims))

    def mean(self, axis=None, dtype=None, out=None, keepdims=False):
        """The mean, a tensor."""
        del dtype, out
        return self.tensor.mean(axis=axis, keepdims=keepdims)

    # -- where Python sees them --

    def __array__(self, dtype=None, copy=None):
        del copy
        return np.array(guarded(self), dtype=dtype)

    def item(self, *args):
        """One of them, as Python's int."""
        return np.asarray(self).item(*args)

    def __int__(self):
        return int(np.asarray(self))

    __index__ = __int__

    def __float__(self):
        return float(np.asarray(self))

    def __bool__(self):
        if self.size != 1:
            raise ValueError(
                f"the truth of an array of shape {self.shape} is ambiguous; use .any() or .all()"
            )
        return bool(self.tensor.reshape(()) != 0)  # its truth is guarded, not the number

    def __hash__(self):
        return hash(int(self))

    def __repr__(self):
        return f"Index({np.asarray(_core.peek(self.tensor)).astype(self.dtype)})"

    def __format__(self, spec):
        return format(guarded(self)[()], spec)


def guarded(index):
    """The numbers as an array, which a replay must find again."""
    numbers = _core.values if _core.is_compiling() else _core.peek  # it may outlive a recording
    return np.asarray(numbers(index.tensor)).astype(index.dtype)


def plain(x):
    """Indices and masks as arrays, guarded, also in lists, tuples and dicts."""
    if type(x) is Index or type(x) is Mask:
        return np.asarray(x) if x.ndim else np.asarray(x)[()]
    if type(x) is list or type(x) is tuple:
        return type(x)(plain(v) for v in x)
    if type(x) is dict:
        return {k: plain(v) for k, v in x.items()}
    return x


# ---- arithmetic ----

# Ufuncs of whole numbers that give whole numbers, and are the same on the tape.
_WHOLE = {
    *("add", "subtract", "multiply", "negative", "positive", "absolute", "sign", "square"),
    *("maximum", "minimum", "fmax", "fmin"),
}
_SAME = {"floor", "ceil", "rint", "trunc", "positive"}  # of a whole number it is that
_COMPARED = {"less", "less_equal", "equal", "not_equal", "greater", "greater_equal"}
_DIVIDED = {"floor_divide", "remainder"}


def _is_whole(x):
    kind = type(x)
    if kind is Index or kind is Mask or kind is bool or kind is int:
        return True
    return isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "biu"


def _number(x):
    """What stands for `x` on the tape."""
    return x.tensor if type(x) is Index or type(x) is Mask else x


def _ufunc(ufunc, inputs):
    """What a ufunc gives, or NotImplemented if that is only known of numbers that are guarded."""
    name = ufunc.__name__
    numbers = [_number(x) for x in inputs]
    whole = all(map(_is_whole, inputs))
    if name in _COMPARED:
        return _compared(ufunc, numbers)
    if whole and name in _SAME:
        return inputs[0]
    if whole and name in _WHOLE:
        return Index(ufunc(*numbers))
    if whole and name in _DIVIDED:
        return _divided(name, *numbers)
    if whole and any(t[-1] in "bhilqBHILQ" for t in ufunc.types):
        return NotImplemented  # whole numbers as NumPy makes them: powers, bits, divisors
    return ufunc(*numbers)


def _compared(ufunc, numbers):
    a, b = numbers
    signs = {"less": "__lt__", "less_equal": "__le__", "equal": "__eq__", "not_equal": "__ne__"}
    swapped = {"greater": "__lt__", "greater_equal": "__le__"}
    name = ufunc.__name__
    if name in swapped:
        a, b, name = b, a, swapped[name]
    else:
        name = signs[name]
    if type(a) is Tensor or type(a) is Dual:
        return getattr(a, name)(b)
    back = {"__lt__": "__gt__", "__le__": "__ge__", "__eq__": "__eq__", "__ne__": "__ne__"}
    return getattr(b, back[name])(a)


def _divided(name, a, b):
    """Whole quotients, exact below 2**53, or what remains; of divisors that surely are not 0."""
    if type(b) is Tensor or np.any(np.equal(b, 0)):
        return NotImplemented
    quotient = np.floor(a / b)
    return Index(quotient if name == "floor_divide" else a - quotient * b)


def _binary(ufunc):
    def method(self, other):
        return _operated(ufunc, self, other)

    def swapped(self, other):
        return _operated(ufunc, other, self)

    return method, swapped


def _operated(ufunc, a, b):
    found = _ufunc(ufunc, (a, b))
    return ufunc(*plain((a, b))) if found is NotImplemented else found


for _name, _of in {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "truediv": np.true_divide,
    "floordiv": np.floor_divide,
    "mod": np.remainder,
    "pow": np.power,
    "matmul": np.matmul,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "lshift": np.left_shift,
    "rshift": np.right_shift,
}.items():
    _method, _swapped = _binary(_of)
    setattr(Index, f"__{_name}__", _method)
    setattr(Index, f"__r{_name}__", _swapped)
for _name, _of in {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
}.items():
    setattr(Index, f"__{_name}__", _binary(_of)[0])
Index.__neg__ = lambda self: Index(-self.tensor)
Index.__pos__ = lambda self: self
Index.__abs__ = lambda self: Index(abs(self.tensor))


# ---- indexing ----


def along_last(x, index):
    """The elements of `x` along its last dimension at computed indices of one dimension."""
    if type(x) is Dual:
        return _core.map_dual(x, lambda part: along_last(part, index))
    return _core.gather_last(x, index)


def within(index, n):
    """Numbers 0 to n - 1 for indices of n elements, negative ones counted from the end.

    That they are indices at all is guarded, so that a replay where they are not comes back to
    Python, which raises the error.
    """
    if index.below is not None and index.below <= n:
        return index.tensor
    t = index.tensor
    good = _core.apply("minimum", _core.apply("less_equal", -n, t), _core.apply("less", t, n))
    if not bool(Mask(good).all()):
        raise IndexError(f"an index is out of bounds for an axis of {n} elements: {index!r}")
    return _core.apply("where", _core.apply("less", t, 0.0), t + float(n), t)


def gather(x, key):
    """x[key], with computed indices, slices and whole numbers in the key: data flow.

    Truths and new axes in the same key let the indices be guarded.
    """
    shape = primitives.shape_of(x)
    items = key if type(key) is tuple else (key,)
    items = [_plain_item(k) for k in items]
    if sum(k is Ellipsis for k in items) > 1 or not all(map(_is_handled, items)):
        return x[tuple(plain(items))]
    if not any(k is Ellipsis for k in items):
        items.append(Ellipsis)
    at = next(i for i, k in enumerate(items) if k is Ellipsis)
    missing = len(shape) - len(items) + 1
    if missing < 0:
        raise IndexError(
            f"too many indices: the array is {len(shape)}-dimensional, but {len(items) - 1} were "
            "indexed"
        )
    items[at : at + 1] = [slice(None)] * missing
    sliced = tuple([k if type(k) is slice else slice(None) for k in items])
    picked = [d for d, k in enumerate(items) if type(k) is not slice]
    return _at_dims(x[sliced], picked, [items[d] for d in picked])


def _plain_item(k):
    if type(k) is list or (type(k) is Tensor and not k.requires_grad):
        return np.asarray(plain(k))
    return k


def _is_handled(k):
    if k is Ellipsis or type(k) is slice or type(k) is Index:
        return True
    if isinstance(k, np.ndarray):
        return k.dtype.kind in "iu"
    return isinstance(k, int | np.integer) and not isinstance(k, bool)


def _at_dims(x, dims, indices):
    """The elements of `x` where `indices`, one for each of `dims`, say, as NumPy orders them."""
    shape = primitives.shape_of(x)
    flat, stride = None, 1
    for d, k in zip(reversed(dims), reversed(indices), strict=True):
        at = _checked(k, shape[d])
        at = at if stride == 1 else at * float(stride)
        flat = at if flat is None else flat + at
        stride *= shape[d]
    kept = [d for d in range(len(shape)) if d not in dims]
    out = primitives.reshape(
        primitives.transpose(x, (*kept, *dims)), (*[shape[d] for d in kept], stride)
    )
    picked = flat.shape
    out = along_last(out, primitives.reshape(flat, (-1,)))
    out = primitives.reshape(out, (*[shape[d] for d in kept], *picked))
    # NumPy has the picked dimensions where they were if they stood side by side, else in front.
    place = dims[0] if dims[-1] - dims[0] == len(dims) - 1 else 0
    n, m = len(kept), len(picked)
    return primitives.transpose(out, (*range(place), *range(n, n + m), *range(place, n)))


def _checked(k, n):
    """An index of n elements from 0 on, computed or not."""
    if type(k) is Index:
        return within(k, n)
    whole = np.asarray(k)
    if whole.size and not (whole.min() >= -n and whole.max() < n):
        raise IndexError(f"an index is out of bounds for an axis of {n} elements: {k}")
    return np.where(whole < 0, whole + n, whole).astype(np.float64)


def take_along(x, index, axis):
    """take_along_axis() by computed indices, `axis` not negative."""
    shape, picked = primitives.shape_of(x), index.shape
    if len(picked) != len(shape):
        raise ShapeError(
            f"take_along_axis: indices of shape {picked} have not as many dimensions as the data, "
            f"of shape {shape}"
        )
    others = np.ogrid[tuple([slice(n) for n in shape])]
    key = [np.asarray(o) for o in others]
    return gather(x, tuple(index if d == axis else k for d, k in enumerate(key)))


def argsort(x, axis):
    """The indices that sort a tensor along an axis: stable, nan last."""
    if axis is None:
        x, axis = primitives.reshape(x, (-1,)), 0
    n = x.shape[axis]
    order = [d for d in range(x.ndim) if d != axis] + [axis]
    found = _core.argsort_last(primitives.transpose(x, tuple(order)))
    return Index(primitives.transpose(found, tuple(np.argsort(order).tolist())), below=n)


def arg_extremum(x, least, axis, keepdims):
    """The first place of the greatest or least element of a tensor along an axis, or of a nan."""
    if axis is None:
        shape = (1,) * x.ndim
        x, axis = primitives.reshape(x, (-1,)), 0
    else:
        shape = tuple([1 if d == axis else n for d, n in enumerate(x.shape)])
    n = x.shape[axis]
    order = [d for d in range(x.ndim) if d != axis] + [axis]
    last = primitives.transpose(x, tuple(order))
    best = primitives.extremum_last(last, least)
    best = primitives.reshape(best, (*best.shape, 1))
    hit = _core.apply(
        "maximum", _core.apply("equal", last, best), _core.apply("not_equal", last, last)
    )
    places = _core.apply("where", hit, np.arange(float(n)), float(n))
    found = primitives.extremum_last(places, True)
    return Index(primitives.reshape(found, shape) if keepdims else found, below=n)


_METHODS = {
    np.sum: Index.sum,
    np.max: Index.max,
    np.min: Index.min,
    np.mean: Index.mean,
    np.reshape: Index.reshape,
    np.ravel: Index.ravel,
    np.copy: Index.copy,
}
# Functions whose rules know what to do with an Index.
_DATA_FLOW = {
    *(np.take, np.take_along_axis, np.where, np.select, np.bincount),
    *(np.argsort, np.argmax, np.argmin, np.searchsorted, np.digitize),
}
AWARE.update(_DATA_FLOW)
_core.add_methods({"_index": Index, "_gather": gather})

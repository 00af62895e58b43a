"""What an object holds at a moment, as part of the key of a compiled function.

A recording takes the attributes of objects as they are, arrays as copies.  So it holds for the same
object alone, with the same attributes: numbers and arrays bit by bit, containers and objects among
them by what they hold in turn, functions, classes, modules and adcore's own objects by identity.
Snapshots keep no object alive that can be referred to weakly, nor share memory with its arrays.
"""

import collections
import functools
import types
import weakref
from array import array

import numpy as np

from . import _core
from ._core import Dual, Tensor

_PLAIN = frozenset((int, bool, str, bytes, type(None), type(Ellipsis), type(NotImplemented)))
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodWrapperType)
_BY_IDENTITY = (*_FUNCTIONS, type, types.ModuleType)
_HEAP_TYPE = 1 << 9  # a flag of classes that were not there from the start


class Snapshot:
    """An object as it is: equal to another of the same object that holds the same.

    `tracked` tells if a tensor or a dual number of a transform is among what it holds.
    """

    __slots__ = ("_arrays", "_hash", "_name", "_parts", "_who", "tracked")

    def __init__(self, x):
        look = _Look()
        self._name = type(x).__qualname__
        self._parts = look.of_class(x) if isinstance(x, type) else look.at(x)
        self._who = next((part for part in self._parts if type(part) is _Same), None)
        self._arrays, self.tracked = look.arrays, look.tracked
        self._hash = hash(self._parts)

    def keep(self):
        """Copy the arrays, which the object goes on to change."""
        for bits in self._arrays:
            bits.array = bits.array.copy()

    def gone(self):
        """Whether the object is no more."""
        return self._who is not None and self._who.get() is None

    def __eq__(self, other):
        return type(other) is Snapshot and self._parts == other._parts

    def __hash__(self):
        return self._hash

    def __repr__(self):
        return f"<{self._name}>"


def has_state(x):
    """Whether an argument that is neither a number nor a container may hold what can change."""
    if isinstance(x, (types.MethodType, functools.partial)):
        return True
    kind = type(x)
    if isinstance(x, type):
        return bool(x.__flags__ & _HEAP_TYPE)
    if not kind.__flags__ & _HEAP_TYPE or isinstance(x, _BY_IDENTITY) or _is_own(kind):
        return False
    return not hasattr(kind, "__members__")  # an Enum is told by its name


def _is_own(kind):
    return kind.__module__.partition(".")[0] == "adcore"


class _Same:
    """An object by its identity, kept alive only where it cannot be referred to weakly."""

    __slots__ = ("get", "number")

    def __init__(self, x):
        self.number = id(x)
        try:
            self.get = weakref.ref(x)
        except TypeError:
            self.get = lambda: x

    def __eq__(self, other):
        if type(other) is not _Same or self.number != other.number:
            return False
        x = self.get()
        return x is not None and x is other.get()

    def __hash__(self):
        return self.number


_FEW = 2048  # bytes of an array, up to which a copy costs next to nothing


class _Bits:
    """A large array by its bits."""

    __slots__ = ("array", "number")

    def __init__(self, values):
        self.array = values
        few = values.flat[:: values.size // 4].tobytes()  # equality is exact
        self.number = hash((values.shape, values.dtype.str, few))

    def __eq__(self, other):
        if type(other) is not _Bits:
            return False
        a, b = self.array, other.array
        return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(_bytes(a), _bytes(b))

    def __hash__(self):
        return self.number


def _bytes(a):
    flat = np.ascontiguousarray(a).reshape(-1)
    return flat.view(np.int64 if a.dtype.itemsize % 8 == 0 else np.uint8)


class _Look:
    """One look at all that can be reached from an object."""

    def __init__(self):
        self.arrays, self.tracked = [], False
        self.seen = {}  # id -> (number, object); it keeps the objects, and so their ids

    def at(self, x):
        """What stands for an object, in tuples: hashable."""
        kind = type(x)
        if kind in _PLAIN:
            return (kind, x)
        if kind is float:
            return (kind, x if x < 0.0 or x > 0.0 else x.hex())  # zeros have signs, nan is not nan
        if kind is complex:
            return (kind, x.real.hex(), x.imag.hex())
        if id(x) in self.seen:
            return ("again", self.seen[id(x)][0])
        self.seen[id(x)] = (len(self.seen), x)
        if kind is np.ndarray:
            return (kind, self.array(x))
        if isinstance(x, _BY_IDENTITY):
            return (kind, _Same(x))
        if kind is Tensor or kind is Dual:
            return self.tensor(x)
        if kind is types.MethodType:
            return (kind, _Same(x.__func__), self.at(x.__self__))
        if kind is functools.partial:
            return (kind, *map(self.at, (x.func, x.args, x.keywords)))
        if isinstance(x, np.generic):
            return (kind, x.dtype.str, x.tobytes())
        if _is_own(kind):
            return (kind, _Same(x))
        held = self.items(x)
        if held is None:
            return (kind, _who(x), *self.attributes(x, _data_of(kind)))
        return (kind, held, *self.attributes(x, ()))

    def of_class(self, x):
        """What stands for a class that is itself the object; elsewhere it is the name of one."""
        return (type(x), _Same(x), *[(name, self.at(v)) for name, v in _data_of(x).items()])

    def tensor(self, x):
        """A tensor that is a constant; others make what holds them tracked."""
        if type(x) is Dual or x.requires_grad:
            self.tracked = True
            return (type(x), _Same(x))
        return (type(x), self.array(np.array(_core.peek(x))))

    def array(self, values):
        """The elements of an array."""
        if values.dtype.hasobject:
            return (values.shape, *map(self.at, values.ravel().tolist()))
        if values.nbytes <= _FEW:
            return (values.shape, values.dtype.str, values.tobytes())
        self.arrays.append(_Bits(values))
        return self.arrays[-1]

    def items(self, x):
        """What a container holds; None if it is none."""
        if isinstance(x, np.ndarray):
            return self.array(x.view(np.ndarray))
        if isinstance(x, (list, tuple, collections.deque)):
            return tuple(map(self.at, x))
        if isinstance(x, dict):
            return tuple([(self.at(k), self.at(v)) for k, v in x.items()])
        if isinstance(x, (set, frozenset)):
            return frozenset(map(self.at, x))
        if isinstance(x, (bytearray, memoryview, array)):
            return bytes(x)
        return None

    def attributes(self, x, data):
        """Pairs of a name and what stands for the attribute, those of the class first."""
        found = dict(data)
        for name in _slots(type(x)):
            found[name] = getattr(x, name, NotImplemented)  # which stands for an empty slot
        found.update(getattr(x, "__dict__", ()))
        return [(name, self.at(v)) for name, v in found.items()]


@functools.lru_cache(256)
def _slots(kind):
    """The names of the slots of a class, as getattr() takes them."""
    found = []
    for k in kind.__mro__:
        slots = k.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            private = name.startswith("__") and not name.endswith("__")
            found.append(f"_{k.__name__.lstrip('_')}{name}" if private else name)
    return tuple([name for name in found if name not in ("__dict__", "__weakref__")])


def _who(x):
    """What tells an object from others, besides what it holds."""
    if type(x).__eq__ is object.__eq__:
        return _Same(x)
    try:
        hash(x)
    except TypeError:
        return _Same(x)
    return x


def _data_of(kind):
    """The attributes of classes that are neither functions nor what works like them."""
    found = {}
    for k in reversed(kind.__mro__):
        if k.__flags__ & _HEAP_TYPE:
            found.update(vars(k))
    return {
        name: v
        for name, v in found.items()
        if not hasattr(type(v), "__get__") and not name.startswith(("__", "_abc_"))
    }

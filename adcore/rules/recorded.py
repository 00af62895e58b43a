"""What a compiled function finds anew although no derivative sees it: indices, truths, counts.

While a program is recorded, a result of NumPy's that hangs on values is one instruction of the
program.  A replay calls NumPy again.  Truths and whole numbers stay on the tape, as a Mask or an
Index; of other numbers that Python goes on with, those numbers are guarded, not what they are of.
"""

import numpy as np

from .. import _calls, _core
from .._named import Named, found
from .._trees import Leaf, Node, Run, flatten, unflatten
from ..errors import NotDifferentiableError
from .indices import MOST, Index
from .masks import Mask
from .primitives import below, values
from .table import Dual, Tensor


def is_recorded(x):
    """Whether `x` may be other numbers when the program that is being recorded is replayed."""
    if not _core.is_compiling():
        return False
    if type(x) is list or type(x) is tuple:
        return any(map(is_recorded, x))
    x = below(x)
    return type(x) in (Mask, Index) or (type(x) is Tensor and x.requires_grad)


def stripped(item):
    """`item` with numbers in place of tensors and duals, also inside lists."""
    if type(item) is Tensor or type(item) is Dual:
        return values(item)
    if type(item) is list or type(item) is tuple:
        return type(item)([stripped(i) for i in item])
    return item


# ---- results that do not vary ----


observable = {}  # name -> function of NumPy's, or of adcore's, that files may name
_names = {}  # the other way round


def observe(function, name=None):
    """Let observed() call a function, and saved programs name it; returns the function."""
    name = function.__name__ if name is None else name
    if observable.setdefault(name, function) is not function:
        raise ValueError(f"two functions are to be observed as {name!r}")
    _names[function] = name
    return function


class _Observation(Named, saved_as="observed"):
    """The definition of a call of a function, whose derivatives are zero.

    No dataclass, which would double the time that the module takes to import.
    """

    function: str
    structure: Leaf | Node | Run  # of (args, kwargs)
    casts: tuple  # for each leaf: the type that its numbers stand for, "" for their own

    remedy = "it is constant"

    def __init__(self, function, structure, casts):
        if found(observable, function) is None:
            raise ValueError(f"the function {function[:40]!r}, which is none of adcore's")
        if not all(type(c) is str and c in ("", *_TYPES) for c in casts):
            raise ValueError("casts to other types than truths and whole numbers")
        self.function, self.structure, self.casts = function, structure, casts
        self.dtypes = None  # of the results

    @property
    def name(self):
        return self.function

    def run(self, leaves):
        """(output, nothing) of plain leaves."""
        leaves = [
            np.asarray(v).astype(c)[()] if c else v for v, c in zip(leaves, self.casts, strict=True)
        ]
        args, kwargs = unflatten(self.structure, leaves)
        output = observable[self.function](*args, **kwargs)
        parts = [np.asarray(v) for v in flatten(output)[0]]
        self.dtypes = [v.dtype for v in parts]
        for v in parts:
            if v.dtype.kind in "iu" and v.size and not (v.min() >= -MOST and v.max() <= MOST):
                raise NotDifferentiableError(
                    f"{self.function} gives whole numbers beyond 2**53, which a compiled function "
                    "cannot hold"
                )
        return output, None

    def pull(self, leaves, output, saved, ct, wanted):
        """No adjoints."""
        del leaves, output, saved, ct
        return [None] * len(wanted)

    def push(self, leaves, output, saved, tangents):
        """No tangents."""
        del leaves, saved, tangents
        return [None] * len(flatten(output)[0])

    def seen(self, tensor, dtype):
        """A result as Python gets it."""
        tensor = tensor.detach()
        if dtype.kind == "b":
            return Mask(tensor) if tensor.ndim else np.bool_(_core.guarded_truths(tensor))
        if dtype.kind in "iu":
            return Index(tensor, dtype)
        return np.asarray(values(tensor)).astype(dtype)[()]


_TYPES = {"?", *np.typecodes["AllInteger"]}


def observed(function, *args, **kwargs):
    """function(*args, **kwargs), of which there is no derivative, and whose shapes stay.

    `function` must be one that observe() was told of.
    """
    if not is_recorded([*args, *kwargs.values()]):
        return function(
            *[stripped(a) for a in args], **{name: stripped(a) for name, a in kwargs.items()}
        )
    leaves, structure = flatten(([*args], kwargs))
    leaves = [below(v) for v in leaves]
    casts = tuple(v.dtype.char if type(v) in (Mask, Index) else "" for v in leaves)
    definition = _Observation(_names[function], structure, casts)
    numbers = [v.tensor if c else v for v, c in zip(leaves, casts, strict=True)]
    output = _calls.call(definition, numbers)
    parts, structure = flatten(output)
    found = [definition.seen(v, t) for v, t in zip(parts, definition.dtypes, strict=True)]
    return unflatten(structure, found)


def truths(condition):
    """A condition as an array of truths; where Python is to see those of a recording, guarded."""
    if is_recorded(condition):
        return np.asarray(observed(np.not_equal, condition, 0))
    return np.asarray(stripped(condition)) != 0


def true_places(condition):
    """The places of the flattened condition where it holds."""
    if type(condition) is np.ndarray:
        return (condition if condition.ndim == 1 else condition.ravel()).nonzero()[0]
    return np.flatnonzero(truths(condition))

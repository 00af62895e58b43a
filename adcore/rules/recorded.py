"""What a compiled function finds anew although its derivatives do not see it: orders, indices, truths.

While a program is recorded, a result of NumPy's that hangs on values is one instruction of the
program.  A replay calls NumPy again.  Rearranged elements and truths stay on the tape; of indices,
counts and other numbers that Python goes on with, those numbers are guarded, not what they are of.
"""

import numpy as np

from .. import _calls, _core
from .._trees import flatten, unflatten
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
    return type(x) is Mask or (type(x) is Tensor and x.requires_grad)


def stripped(item):
    """`item` with numbers in place of tensors and duals, also inside lists."""
    if type(item) is Tensor or type(item) is Dual:
        return values(item)
    if type(item) is list or type(item) is tuple:
        return type(item)([stripped(i) for i in item])
    return item


# ---- rearranged elements ----


class _Rearrangement:
    """The definition of a call with leaves (key, x): x in the order of the key along an axis.

    It is linear in x, and so is its transpose, which puts the elements back.
    """

    remedy = "it is linear, and has one"

    def __init__(self, name, order, axis, back=False):
        self.name, self.order, self.axis, self.back = name, order, axis, back

    def rule(self, mode):
        """The name of a rule, for errors."""
        return f"the {mode} rule of {self.name}"

    def value(self, leaves):
        """The elements of plain leaves in their new order."""
        key, x = leaves
        order = self.order(key)
        if self.back:
            order = np.argsort(order, self.axis)
        return np.take_along_axis(x, order, self.axis)

    def run(self, leaves):
        """(output, nothing) of plain leaves."""
        return self.value(leaves), None

    def pull(self, leaves, output, saved, ct, wanted):
        """Adjoints of the wanted leaves; none of the key."""
        del output, saved
        if 1 not in wanted or ct[0] is None:
            return [None] * len(wanted)
        transpose = _Rearrangement(self.name, self.order, self.axis, not self.back)
        put_back = _calls.call(transpose, [leaves[0], ct[0]])
        return [put_back if i == 1 else None for i in wanted]

    def push(self, leaves, output, saved, tangents):
        """The tangent of the output."""
        del output, saved
        return [None if tangents[1] is None else _calls.call(self, [leaves[0], tangents[1]])]


def rearranged(name, x, order, axis):
    """The elements of `x` along `axis`, by the indices order(numbers of x), found at each replay."""
    return _calls.call(_Rearrangement(name, order, axis), [below(x), x])


# ---- results that do not vary ----


class _Observation:
    """The definition of a call of NumPy's function, whose derivatives are zero."""

    remedy = "it is constant"

    def __init__(self, function, structure, masks):
        self.function, self.structure, self.masks = function, structure, masks
        self.name = function.__name__
        self.dtypes = None  # of the results

    def rule(self, mode):
        """The name of a rule, for errors."""
        return f"the {mode} rule of {self.name}"

    def run(self, leaves):
        """(output, nothing) of plain leaves."""
        leaves = [v != 0 if m else v for v, m in zip(leaves, self.masks, strict=True)]
        args, kwargs = unflatten(self.structure, leaves)
        output = self.function(*args, **kwargs)
        self.dtypes = [np.asarray(v).dtype for v in flatten(output)[0]]
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
        if dtype == bool:
            return Mask(tensor) if tensor.ndim else np.bool_(_core.guarded_truths(tensor))
        return np.asarray(values(tensor)).astype(dtype)[()]


def observed(function, *args, **kwargs):
    """function(*args, **kwargs), of which there is no derivative, and whose shapes stay."""
    if not is_recorded([*args, *kwargs.values()]):
        return function(
            *[stripped(a) for a in args], **{name: stripped(a) for name, a in kwargs.items()}
        )
    leaves, structure = flatten(([*args], kwargs))
    leaves = [below(v) for v in leaves]
    masks = [type(v) is Mask for v in leaves]
    definition = _Observation(function, structure, masks)
    output = _calls.call(definition, [v.tensor if m else v for v, m in zip(leaves, masks, strict=True)])
    parts, structure = flatten(output)
    found = [definition.seen(v, t) for v, t in zip(parts, definition.dtypes, strict=True)]
    return unflatten(structure, found)


def truths(condition):
    """A condition as an array of truths; where Python is to see those of a recording, guarded."""
    if is_recorded(condition):
        return np.asarray(observed(np.not_equal, condition, 0))
    return np.asarray(stripped(condition)) != 0

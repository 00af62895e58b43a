"""Functions whose value is SciPy's, and whose derivatives are those of adcore's operations.

Recorded afresh such a function is one call: SciPy's code takes less time than many operations do,
of which a derivative records those that it needs.  In a compiled function it is the operations.
"""

import functools
import inspect

import numpy as np

from .. import _calls, _core
from .._core import Dual
from .._named import Named
from .._trees import flatten, shape_of, unflatten
from ..rules.primitives import broadcast_to
from ..transforms import jvp, vjp


class ByOperations(Named):
    """The definition of a call: the derivatives of a function written in operations."""

    remedy = "pass x.detach() for a constant"

    def __init__(self, name, function):
        self.name, self.function = name, function

    def moving(self, leaves, places):
        """The function of the leaves in these places alone."""

        def f(*moved):
            args = list(leaves)
            for i, v in zip(places, moved, strict=True):
                args[i] = v
            return self.function(*args)

        return f, [leaves[i] for i in places]

    def pull(self, leaves, output, saved, ct, wanted):
        """Adjoints of the wanted leaves."""
        del saved
        if all(c is None for c in ct):
            return [None] * len(wanted)
        parts, structure = flatten(output)
        ct = [np.zeros(shape_of(y)) if c is None else c for c, y in zip(ct, parts, strict=True)]
        f, at = self.moving(leaves, wanted)
        with _calls.recording():
            return list(vjp(f, *at)[1](unflatten(structure, ct)))

    def push(self, leaves, output, saved, tangents):
        """Tangents of the output's leaves."""
        del output, saved
        places = [i for i, t in enumerate(tangents) if t is not None]
        f, at = self.moving(leaves, places)
        along = [
            broadcast_to(tangents[i], shape_of(leaves[i]))
            if shape_of(leaves[i]) != shape_of(tangents[i])
            else tangents[i]
            for i in places
        ]
        return flatten(jvp(f, at, along)[1])[0]


class Valued(ByOperations):
    """function(*leaves), written in operations; recorded afresh, one call of `compute`.

    That is the function itself, of plain leaves, unless SciPy has what takes less time.
    """

    def __init__(self, name, function, compute=None):
        self.name, self.function, self.compute = name, function, compute or function

    def run(self, leaves):
        """(SciPy's value, nothing kept) of plain leaves."""
        return self.compute(*leaves), None

    def __call__(self, *leaves):
        """The value of leaves, numbers and float64 arrays among them."""
        if _core.is_compiling():
            return self.function(*leaves)
        for v in leaves:
            if type(v) is Dual:
                return self.function(*leaves)
        return _core.call(self, list(leaves))


class _Whole(ByOperations):
    """A call of a function of SciPy's; leaves are its arguments, the last ones of these names."""

    def __init__(self, plain, rule, names, order, transposed):
        self.name, self.plain, self.rule, self.names = plain.__name__, plain, rule, names
        self.order, self.transposed = order, transposed  # order: the names of all arguments

    def function(self, *leaves):
        """The operations."""
        return self.rule(*self._positional(leaves), **self._named(leaves))

    def run(self, leaves):
        """(SciPy's value, nothing kept) of plain leaves."""
        if not self.names:
            return self.plain(*leaves), None
        return self.plain(*self._positional(leaves), **self._named(leaves)), None

    def pull(self, leaves, output, saved, ct, wanted):
        """Adjoints of the wanted leaves; of a signal alone by the transpose, if there is one."""
        if self.transposed is not None and len(wanted) == 1 and ct[0] is not None:
            args, named = self._positional(leaves), self._named(leaves)
            name = [*self.order[: len(args)], *self.names][wanted[0]]
            found = self.transposed(name, ct, *args, **named)
            if found is not None:
                return [found]
        return super().pull(leaves, output, saved, ct, wanted)

    def _positional(self, leaves):
        return leaves[: len(leaves) - len(self.names)]

    def _named(self, leaves):
        return dict(zip(self.names, leaves[len(leaves) - len(self.names) :], strict=True))


class Whole(_core.WholeFunction):
    """`rule`, recorded as one call of `plain`, a function of SciPy's, where that will do.

    That is where none but the arguments named in `tracked` are tensors, and no others are given but
    those in `constant`; else it is `otherwise`, which calls the rule, and may refuse them.
    transposed(name, ct, *args) may give the adjoint of an argument where no other one is tracked.
    """

    def __init__(self, plain, rule, otherwise, tracked, constant, transposed=None):
        names = frozenset(tracked.split())
        order = tuple(inspect.signature(plain).parameters)
        super().__init__(
            otherwise,
            functools.cache(lambda *given: _Whole(plain, rule, given, order, transposed)),
            order,
            names,
            names | frozenset(constant.split()),
        )
        functools.update_wrapper(self, otherwise)

    def __repr__(self):
        return f"<function {self.__name__} of {self.__module__}>"

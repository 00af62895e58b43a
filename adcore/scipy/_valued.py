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
from ..rules.table import is_traced
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
    adjoints(leaves, output, ct, wanted), if given, are those of the leaves in the places `wanted`
    for the adjoint `ct` of an array, all of them plain; or None where operations will do.
    """

    def __init__(self, name, function, compute=None, adjoints=None):
        self.name, self.function, self.compute = name, function, compute or function
        self.adjoints = adjoints

    def run(self, leaves):
        """(SciPy's value, nothing kept) of plain leaves."""
        return self.compute(*leaves), None

    def pull(self, leaves, output, saved, ct, wanted):
        """Adjoints of the wanted leaves."""
        if self.adjoints is not None and not is_traced(leaves) and not is_traced(ct):
            found = self.adjoints(leaves, output, ct[0], wanted)
            if found is not None:
                return found
        return super().pull(leaves, output, saved, ct, wanted)

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

    def __init__(self, owner, names):
        self.owner, self.names, self.name = owner, names, owner.plain.__name__

    def function(self, *leaves):
        """The operations."""
        return self.owner.rule(*self._positional(leaves), **self._named(leaves))

    def run(self, leaves):
        """(SciPy's value, nothing kept) of plain leaves."""
        if not self.names:
            return self.owner.plain(*leaves), None
        return self.owner.plain(*self._positional(leaves), **self._named(leaves)), None

    def pull(self, leaves, output, saved, ct, wanted):
        """Adjoints of the wanted leaves; by the owner's own, if there are any."""
        if self.owner.adjoints is not None and len(ct) == 1 and ct[0] is not None:
            if not is_traced(leaves) and not is_traced(ct):
                names = [self.order(len(leaves))[i] for i in wanted]
                found = self.owner.adjoints(ct[0], self.given(leaves), output, names)
                if found is not None:
                    return found
            elif len(wanted) == 1 and self._is_linear(leaves, wanted[0]):
                (at,) = wanted
                turned = list(leaves)
                turned[at] = ct[0]
                return [_core.call(_Transposed(self, at, shape_of(leaves[at])), turned)]
        return super().pull(leaves, output, saved, ct, wanted)

    def push(self, leaves, output, saved, tangents):
        """Tangents of the output's leaves: the function of the tangent, where it is linear."""
        places = [i for i, t in enumerate(tangents) if t is not None]
        if len(places) == 1 and self._is_linear(leaves, places[0]):
            (at,) = places
            if shape_of(tangents[at]) == shape_of(leaves[at]):
                return [self.along(leaves, at, tangents[at])]
        return super().push(leaves, output, saved, tangents)

    def along(self, leaves, at, x):
        """The function of x in one place."""
        leaves = list(leaves)
        leaves[at] = x
        if is_traced((x,)):
            return self.owner(*self._positional(leaves), **self._named(leaves))
        return self.run(leaves)[0]

    def _is_linear(self, leaves, at):
        """Whether it is linear in one leaf, others being plain, and its transpose is known."""
        linear = self.owner.linear
        if linear is None or _core.is_compiling():
            return False
        name = self.order(len(leaves))[at]
        if is_traced([v for i, v in enumerate(leaves) if i != at]):
            return False
        return linear(name, self.given(leaves))

    def order(self, n):
        """The names of n leaves."""
        return [*self.owner.order[: n - len(self.names)], *self.names]

    def given(self, leaves):
        """The leaves by name."""
        return dict(zip(self.order(len(leaves)), leaves, strict=True))

    def _positional(self, leaves):
        return leaves[: len(leaves) - len(self.names)]

    def _named(self, leaves):
        return dict(zip(self.names, leaves[len(leaves) - len(self.names) :], strict=True))


class _Transposed(Named):
    """The transpose of a call that is linear in the leaf in one place, which has its argument."""

    remedy = ByOperations.remedy

    def __init__(self, whole, at, shape):
        self.whole, self.at, self.shape, self.name = whole, at, shape, whole.name

    def run(self, leaves):
        """(The adjoint, nothing kept) of plain leaves."""
        whole, (at, ct) = self.whole, (self.at, leaves[self.at])
        given = list(leaves)
        given[at] = np.broadcast_to(0.0, self.shape)
        found = whole.owner.adjoints(ct, whole.given(given), None, [whole.order(len(leaves))[at]])
        if found is None:
            found = ByOperations.pull(whole, given, whole.run(given)[0], None, [ct], [at])
        return found[0], None

    def pull(self, leaves, output, saved, ct, wanted):
        """The function itself."""
        del output, saved, wanted  # that is the one place
        return [self.whole.along(leaves, self.at, ct[0])]

    def push(self, leaves, output, saved, tangents):
        """The transpose of the tangent."""
        del output, saved
        turned, t = list(leaves), tangents[self.at]
        if shape_of(t) != shape_of(leaves[self.at]):
            t = broadcast_to(t, shape_of(leaves[self.at]))
        turned[self.at] = t
        return [_core.call(self, turned) if is_traced((t,)) else self.run(turned)[0]]


class Whole(_core.WholeFunction):
    """`rule`, recorded as one call of `plain`, a function of SciPy's, where that will do.

    That is where none but the arguments named in `tracked` are tensors, and no others are given but
    those in `constant`; else it is `otherwise`, which calls the rule, and may refuse them.

    adjoints(ct, given, output, names) may give the adjoints of the arguments of these names, all
    `given` by name and plain, or None where operations will do.  linear(name, given) says whether
    the function is linear in one argument, of which its adjoint needs no more than the shape.
    """

    def __init__(self, plain, rule, otherwise, tracked, constant, adjoints=None, linear=None):
        self.plain, self.rule, self.adjoints, self.linear = plain, rule, adjoints, linear
        names = frozenset(tracked.split())
        order = tuple(inspect.signature(plain).parameters)
        super().__init__(
            otherwise,
            functools.cache(lambda *given: _Whole(self, given)),
            order,
            names,
            names | frozenset(constant.split()),
            linear is not None,
        )
        functools.update_wrapper(self, otherwise)

    def __repr__(self):
        return f"<function {self.__name__} of {self.__module__}>"

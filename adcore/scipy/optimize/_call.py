"""Calls of SciPy's solvers with something tracked in them: the way that all of them go.

A call of a function of scipy.optimize in which nothing is tracked is SciPy's own.  Else its
arguments are a tree of numbers and functions; SciPy solves in plain numbers, as it was asked to,
and the solution becomes a function of what is tracked (see adcore/_implicit.py).
"""

import functools
import inspect

from scipy.optimize import NonlinearConstraint, OptimizeResult

from ... import _core
from ..._captured import captured
from ..._core import Dual, Tensor
from ..._implicit import expect_at_rest, plain_function, raveled, solution
from ..._trees import flatten, shape_of, unflatten
from ...errors import NotDifferentiableError
from ...rules.primitives import reshape


def traced(tree):
    """Whether a tree holds a tensor or a dual, or a function that reaches a tracked one."""
    leaves, _ = flatten(tree)
    if any(type(v) is Tensor or type(v) is Dual for v in leaves):
        return True
    leaves = [v.fun if isinstance(v, NonlinearConstraint) else v for v in leaves]
    return bool(captured(tuple(v for v in leaves if _is_function(v)))[0])


def _is_function(leaf):
    return callable(leaf) and not isinstance(leaf, type)


class Call:
    """The arguments of a call, by name; those that may be tracked are in `may_vary`."""

    def __init__(self, plain, args, kwargs, may_vary):
        self.plain, self.name = plain, plain.__name__
        signature = inspect.signature(plain)
        bound = signature.bind(*args, **kwargs)
        self.given = {*bound.arguments}
        bound.apply_defaults()
        self.arguments = bound.arguments
        self.rest = [p.name for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD]
        if "args" in self.arguments and not isinstance(self.arguments["args"], tuple):
            self.arguments["args"] = (self.arguments["args"],)
        self.may_vary = may_vary

    def __getitem__(self, name):
        return self.arguments[name]

    def __setitem__(self, name, value):
        self.arguments[name] = value
        self.given.add(name)

    def refuse_others(self):
        """No argument may be tracked that the solution is no function of."""
        for name, v in self.arguments.items():
            leaves = flatten(v)[0]
            if name not in self.may_vary and any(type(x) in (Tensor, Dual) for x in leaves):
                raise NotDifferentiableError(
                    f"scipy.optimize.{self.name} of a tensor as {name} has no derivative; pass "
                    "x.detach().numpy() for a constant"
                )

    # -- the arguments as a tree --

    def take_apart(self):
        """Functions, and all else with None in their places."""
        self.leaves, self.structure = flatten(dict(self.arguments))
        self.places = [i for i, v in enumerate(self.leaves) if _is_function(v)]
        rest = list(self.leaves)
        for i in self.places:
            rest[i] = None
        return [self.leaves[i] for i in self.places], rest

    def together(self, functions, rest):
        """The arguments, by name."""
        leaves = list(rest)
        for i, f in zip(self.places, functions, strict=True):
            leaves[i] = f
        return unflatten(self.structure, leaves)

    def in_numbers(self, arguments, prepare=None):
        """What SciPy finds for plain arguments, of functions that may give constant tensors."""
        leaves, structure = flatten(arguments)
        leaves = [plain_function(self.name, v) if _is_function(v) else v for v in leaves]
        arguments = unflatten(structure, leaves)
        if prepare is not None:
            arguments = prepare(arguments)
        options = {name: v for name, v in arguments.items() if name in self.given}
        for name in self.rest:
            options.update(options.pop(name, {}))
        return self.plain(**options)

    def solved(self, problem, read, prepare=None):
        """The vector of unknowns, tracked, and what SciPy returned.

        Parameters
        ----------
        problem
            residual(arguments, x), unknowns(arguments, x) and revised(arguments, start, x): see
            Minimum, and Equations below.
        read
            read(what SciPy returned) is (x, success, message).
        prepare
            Changes arguments that SciPy does not take in the form that they have here.
        """
        self.refuse_others()
        functions, rest = self.take_apart()
        kept = []

        def residual(functions, rest, x):
            return problem.residual(self.together(functions, rest), x)

        def solve(functions, rest):
            arguments = self.together(functions, rest)
            found = self.in_numbers(arguments, prepare)
            x, success, message = read(found)
            z = problem.unknowns(arguments, x)
            if not success:
                expect_at_rest(self.name, lambda z: problem.residual(arguments, z), z, message)
            kept.append(found)
            return z

        def revised(functions, rest, start, z):
            return problem.revised(self.together(functions, rest), start, z)

        return solution(self.name, functions, rest, residual, solve, revised), kept[-1]


class Equations:
    """f(x) = 0 with the unknowns in some shape; f takes the arguments by name, and x."""

    def __init__(self, shape, f):
        self.shape, self.f = shape, f

    def residual(self, arguments, x):
        """A vector that is zero at the solution."""
        return raveled(self.f(arguments, shaped(x, self.shape)))

    def unknowns(self, arguments, x):
        """The solution as a vector."""
        del arguments
        return raveled(x)

    def revised(self, arguments, start, x):
        """Whatever solves the equations is a solution."""
        del arguments, start, x


def shaped(x, shape):
    """A vector in a shape; a number if it is that of one, a float if plain."""
    if shape == ():
        x = x[0]
        return x if type(x) in (Tensor, Dual) else float(x)
    return x if shape_of(x) == shape else reshape(x, shape)


class WithheldError(NotDifferentiableError, AttributeError):
    """A part of a result that would be a constant although it depends on what is tracked."""


class Result(OptimizeResult):
    """A result whose numbers are tracked; parts that have no derivative are withheld."""

    def _late(self, name):
        late = self.__dict__.get("late", {})
        if name in late:
            self[name] = late[name]()
            return self[name]
        if name in self.__dict__.get("withheld", ()):
            raise WithheldError(
                f"the result's {name} has no derivative with respect to what is tracked, and is "
                "withheld; call the function with plain numbers for it"
            )
        raise AttributeError(name)

    def __getattr__(self, name):
        return self[name] if name in self.keys() else self._late(name)

    def __missing__(self, name):
        try:
            return self._late(name)
        except WithheldError:
            raise
        except AttributeError:
            raise KeyError(name) from None


# Parts of results that are counts, texts and names, the same for small changes of what is tracked.
_CONSTANT = {
    *("success", "status", "message", "nfev", "njev", "nhev", "nit", "ncev", "method", "maxcv"),
    *("converged", "flag", "iterations", "function_calls", "active_mask"),
}


def result(found, values, late=None):
    """SciPy's result with tracked `values`; `late` are computed when they are asked for.

    Counts and texts are kept, except in a program, whose replays go other ways.
    """
    values = dict(values)
    constant = {"success", "converged"} if _core.is_compiling() else _CONSTANT
    for name in found:
        if name in constant and name not in values:
            values[name] = found[name]
    out = Result(values)
    out.__dict__["late"] = dict(late or {})
    out.__dict__["withheld"] = set(found) - set(values)
    return out


def solver(rule, plain, may_vary):
    """A function of SciPy's; rule(call) gives the result of calls with something tracked."""

    @functools.wraps(plain)
    def function(*args, **kwargs):
        if not traced([args, kwargs]):
            return plain(*args, **kwargs)
        return rule(Call(plain, args, kwargs, may_vary))

    return function

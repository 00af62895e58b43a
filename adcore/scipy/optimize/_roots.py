"""Roots and fixed points."""

import numpy as np
import scipy.optimize as _scipy

from ...errors import NotDifferentiableError
from ...rules.primitives import as_array
from ._call import Equations, result, shaped, solver

functions = {}


def _define(rule, *may_vary, names):
    """Let `rule(call)` answer functions of SciPy's."""
    for name in names:
        functions[name] = solver(rule, getattr(_scipy, name), may_vary)


def shape_at(x0):
    """The shape of a starting point."""
    return tuple(as_array(x0).shape)


def first(y, more):
    """What a function returns that gives derivatives too: the value."""
    return y[0] if more else y


def refuse_full_output(call, instead):
    """Some functions return details that are not differentiable."""
    if call["full_output"]:
        raise NotDifferentiableError(
            f"scipy.optimize.{call.name} of tensors does not take full_output; {instead}"
        )


# ---- one unknown, between bounds ----


def _bracketed(call):
    problem = Equations((), lambda given, x: given["f"](x, *given["args"]))
    full = call["full_output"]
    call["full_output"], call["disp"] = True, False
    x, found = call.solved(problem, lambda found: (found[0], found[1].converged, found[1].flag))
    x = x[0]
    return (x, result(found[1], {"root": x})) if full else x


_define(
    _bracketed,
    *("a", "b", "args"),
    names=("bisect", "brenth", "brentq", "ridder", "toms748"),
)


def _root_scalar(call):
    more = any(d and not callable(d) for d in (call["fprime"], call["fprime2"]))
    problem = Equations((), lambda given, x: first(given["f"](x, *given["args"]), more))
    x, found = call.solved(problem, lambda found: (found.root, found.converged, found.flag))
    return result(found, {"root": x[0]})


_define(_root_scalar, "args", "bracket", "x0", "x1", names=("root_scalar",))


def _newton(call):
    shape = shape_at(call["x0"])
    problem = Equations(shape, lambda given, x: given["func"](x, *given["args"]))
    full = call["full_output"]
    call["full_output"], call["disp"] = True, False

    def read(found):
        if shape == ():
            return found[0], found[1].converged, found[1].flag
        return found[0], bool(np.all(found[1])), "some elements did not converge"

    x, found = call.solved(problem, read)
    x = shaped(x, shape)
    if not full:
        return x
    return (x, result(found[1], {"root": x})) if shape == () else (x, *found[1:])


_define(_newton, "args", "x0", "x1", names=("newton",))


# ---- several ----


def _fsolve(call):
    refuse_full_output(call, "scipy.optimize.root has the details that are differentiable")
    n = int(np.prod(shape_at(call["x0"])))
    problem = Equations((n,), lambda given, x: given["func"](x, *given["args"]))
    call["full_output"] = True
    x, _ = call.solved(problem, lambda found: (found[0], found[2] == 1, found[3]))
    return x


_define(_fsolve, "args", "x0", names=("fsolve",))


def _fixed_point(call):
    shape = shape_at(call["x0"])
    problem = Equations(shape, lambda given, x: given["func"](x, *given["args"]) - x)
    x, _ = call.solved(problem, lambda x: (x, True, ""))
    return shaped(x, shape)


_define(_fixed_point, "args", "x0", names=("fixed_point",))

_FLAT = ("hybr", "lm")  # methods that make a vector of the unknowns


def _root(call):
    more = call["jac"] is True
    shape = shape_at(call["x0"])
    if call["method"] in _FLAT:
        shape = (int(np.prod(shape)),)

    def f(given, x):
        return first(given["fun"](x, *given["args"]), more)

    z, found = call.solved(Equations(shape, f), lambda r: (r.x, r.success, r.message))
    x = shaped(z, shape)
    return result(found, {"x": x, "fun": f(call.arguments, x)})


_define(_root, "args", "x0", names=("root",))


def _nonlin(call):
    shape = shape_at(call["xin"])
    problem = Equations(shape, lambda given, x: given["F"](x))
    x, _ = call.solved(problem, lambda x: (x, True, ""))
    return shaped(x, shape)


_define(
    _nonlin,
    "xin",
    names=(
        *("anderson", "broyden1", "broyden2", "diagbroyden", "excitingmixing", "linearmixing"),
        "newton_krylov",
    ),
)

"""Minima: of functions of one variable and of several, with bounds and constraints."""

import dataclasses

import numpy as np
import scipy.optimize as _scipy

from ..._implicit import raveled, scalar
from ..._minima import Minimum
from ...errors import NotDifferentiableError
from ...rules.primitives import as_array, concatenate
from ...rules.shapes import stack
from ._call import result, solver
from ._roots import first, refuse_full_output, shape_at

functions = {}
_INSTEAD = "scipy.optimize.minimize has the details that are differentiable"


def _define(rule, *may_vary, names):
    """Let `rule(call)` answer functions of SciPy's."""
    for name in names:
        functions[name] = solver(rule, getattr(_scipy, name), may_vary)


def refuse_constraints(call):
    """Global solvers penalise what breaks constraints; only minimize() says what holds."""
    given = call["constraints"]
    if given is not None and not (isinstance(given, (tuple, list)) and not given):
        raise NotDifferentiableError(
            f"scipy.optimize.{call.name} of tensors does not take constraints; start "
            "scipy.optimize.minimize, which does, from its solution for plain numbers"
        )


# ---- bounds ----


def limits(bounds, n):
    """(least, greatest), each one number for all or n of them; None if there are none."""
    if bounds is None or (isinstance(bounds, (list, tuple)) and not bounds):
        return None
    if isinstance(bounds, _scipy.Bounds):
        return bounds.lb, bounds.ub
    if not isinstance(bounds, (list, tuple)):
        bounds = list(as_array(bounds))
    if len(bounds) != n:
        raise ValueError(f"there are {len(bounds)} bounds for {n} unknowns")
    sides = []
    for side, none in ((0, -np.inf), (1, np.inf)):
        given = [b[side] for b in bounds]
        sides.append(stack([as_array(none if v is None else v) for v in given]))
    return tuple(sides)


# ---- constraints ----


@dataclasses.dataclass
class _Nonlinear:
    """SciPy's NonlinearConstraint as a tree, so that what its functions reach is found."""

    fun: object
    lb: object
    ub: object
    jac: object
    hess: object
    keep_feasible: object
    finite_diff_rel_step: object
    finite_diff_jac_sparsity: object

    @classmethod
    def of(cls, given):
        return cls(*[getattr(given, field.name) for field in dataclasses.fields(cls)])

    def as_scipys(self):
        return _scipy.NonlinearConstraint(**vars(self))


def as_trees(constraints):
    """Constraints of any of SciPy's forms, as a list of trees."""
    if isinstance(constraints, (dict, _scipy.LinearConstraint, _scipy.NonlinearConstraint)):
        constraints = [constraints]
    out = []
    for c in constraints:
        if isinstance(c, dict) and c.get("type", "").lower() not in ("eq", "ineq"):
            raise ValueError(f"a constraint of type {c.get('type')!r}; it is 'eq' or 'ineq'")
        if isinstance(c, dict) and not isinstance(c.get("args", ()), tuple):
            c = {**c, "args": (c["args"],)}
        out.append(_Nonlinear.of(c) if isinstance(c, _scipy.NonlinearConstraint) else c)
    return out


def as_scipys(arguments):
    """The arguments with constraints as SciPy takes them."""
    given = [c.as_scipys() if type(c) is _Nonlinear else c for c in arguments["constraints"]]
    return {**arguments, "constraints": given}


def constraints_at(arguments, x):
    """The vector that is to be 0, and the vector that is to be at least 0."""
    zero, positive = [], []
    for c in arguments["constraints"]:
        if isinstance(c, dict):
            y = raveled(c["fun"](x, *c.get("args", ())))
            (zero if c["type"].lower() == "eq" else positive).append(y)
            continue
        if type(c) is _Nonlinear:
            y = raveled(c.fun(x))
        else:
            A = c.A.toarray() if hasattr(c.A, "toarray") else np.atleast_2d(c.A)
            y = A @ x
        shape = tuple(y.shape)
        least, greatest = np.broadcast_to(c.lb, shape), np.broadcast_to(c.ub, shape)
        equal = np.flatnonzero(least == greatest)
        low = np.flatnonzero((least != greatest) & np.isfinite(least))
        high = np.flatnonzero((least != greatest) & np.isfinite(greatest))
        if equal.size:
            zero.append(y[equal] - least[equal])
        if low.size:
            positive.append(y[low] - least[low])
        if high.size:
            positive.append(greatest[high] - y[high])
    return _joined(zero), _joined(positive)


def _joined(parts):
    return concatenate(parts, 0) if parts else np.zeros(0)


# ---- several unknowns ----


def minimum_of(name, f, n, bounded=None, constrained=None):
    """The equations of a minimum of f(arguments, x)."""
    return Minimum(name, lambda given, x: scalar(f(given, x)), n, bounded, constrained)


def read(found):
    """What solved() wants to know of an OptimizeResult."""
    return found.x, found.success, found.message


def _minimize(call):
    n = int(np.prod(shape_at(call["x0"])))
    more = call["jac"] is True

    def f(given, x):
        return first(given["fun"](x, *given["args"]), more)

    bounded = constrained = None
    if limits(call["bounds"], n) is not None:
        if isinstance(call["bounds"], _scipy.Bounds):
            sides = limits(call["bounds"], n)
            call["bounds"] = list(
                zip(*[np.broadcast_to(s, (n,)).tolist() for s in sides], strict=True)
            )

        def bounded(given):
            return limits(given["bounds"], n)

    call.arguments["constraints"] = as_trees(call["constraints"])
    if call["constraints"]:
        constrained = constraints_at
    problem = minimum_of(call.name, f, n, bounded, constrained)
    z, found = call.solved(problem, read, as_scipys)
    x = z[:n]
    return result(found, {"x": x, "fun": scalar(f(call.arguments, x))})


_define(_minimize, "args", "x0", "bounds", "constraints", names=("minimize",))


def _fmin(call):
    """The functions of old: the minimum alone."""
    refuse_full_output(call, _INSTEAD)
    arguments = call.arguments
    if arguments.get("retall"):
        raise NotDifferentiableError(f"scipy.optimize.{call.name} of tensors gives no retall")
    name = "func" if "func" in arguments else "f"
    n = int(np.prod(shape_at(arguments["x0"])))
    problem = minimum_of(call.name, lambda given, x: given[name](x, *given["args"]), n)
    call["full_output"] = True
    flag = {"fmin": 4, "fmin_powell": 5, "fmin_bfgs": 6, "fmin_cg": 4, "fmin_ncg": 5}[call.name]

    def read(found):
        return found[0], found[flag] == 0, f"{call.name} ended with warning {found[flag]}"

    return call.solved(problem, read)[0]


_define(
    _fmin,
    *("args", "x0"),
    names=("fmin", "fmin_powell", "fmin_bfgs", "fmin_cg", "fmin_ncg"),
)


# ---- one unknown ----


def _minimize_scalar(call):
    def f(given, x):
        return given["fun"](x[0], *given["args"])

    bounded = None
    if call["bounds"] is not None:

        def bounded(given):
            return limits([given["bounds"]], 1)

    problem = minimum_of(call.name, f, 1, bounded)
    z, found = call.solved(problem, read)
    return result(found, {"x": z[0], "fun": scalar(f(call.arguments, z))})


_define(_minimize_scalar, "args", "bounds", "bracket", names=("minimize_scalar",))


def _line(call):
    refuse_full_output(call, "scipy.optimize.minimize_scalar has them")
    ends = call.name == "fminbound"

    def f(given, x):
        return given["func"](x[0], *given["args"])

    def bounded(given):
        return limits([(given["x1"], given["x2"])], 1)

    problem = minimum_of(call.name, f, 1, bounded if ends else None)
    call["full_output"] = True

    def read(found):
        # fminbound: x, value, whether it failed; the others do not say.
        return found[0], not (ends and found[2]), f"{call.name} did too many steps"

    return call.solved(problem, read)[0][0]


_define(_line, "args", "brack", "x1", "x2", names=("brent", "golden", "fminbound"))


# ---- the least of all minima ----


def _global(call):
    if "constraints" in call.arguments:
        refuse_constraints(call)
    given = call["bounds"]
    if isinstance(given, _scipy.Bounds):
        given = list(zip(given.lb.tolist(), given.ub.tolist(), strict=True))
        call["bounds"] = given
    n = len(given)

    def f(given, x):
        return given["func"](x, *given["args"])

    problem = minimum_of(call.name, f, n, lambda given: limits(given["bounds"], n))
    z, found = call.solved(problem, read)
    return result(found, {"x": z[:n], "fun": scalar(f(call.arguments, z[:n]))})


_define(
    _global,
    *("args", "bounds", "x0"),
    names=("differential_evolution", "dual_annealing", "shgo"),
)


def _basinhopping(call):
    n = int(np.prod(shape_at(call["x0"])))

    def f(given, x):
        return given["func"](x, *((given["minimizer_kwargs"] or {}).get("args", ())))

    if (call["minimizer_kwargs"] or {}).keys() & {"bounds", "constraints"}:
        raise NotDifferentiableError(
            "scipy.optimize.basinhopping of tensors does not take bounds or constraints; start "
            "scipy.optimize.minimize, which does, from its solution for plain numbers"
        )
    z, found = call.solved(
        minimum_of(call.name, f, n),
        lambda r: (r.x, r.lowest_optimization_result.success, r.message),
    )
    return result(found, {"x": z, "fun": scalar(f(call.arguments, z))})


_define(_basinhopping, "x0", "minimizer_kwargs", names=("basinhopping",))

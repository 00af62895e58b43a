"""odeint on tensors and duals."""

import numpy as np
import scipy.integrate as _scipy

from ... import _calls
from ..._captured import captured
from ..._trees import shape_of
from ...errors import NotDifferentiableError, ShapeError
from ...rules.primitives import as_array, values
from .._leaves import leaf
from . import _families as families
from ._ivp import Problem, Solution, checked, tolerances

_TOLERANCE = 1.49012e-8  # SciPy's, of odeint


class Engine:
    """How SciPy's odeint solves a Problem."""

    name = "odeint"

    def __init__(self, size, settings, own):
        self.size, self.settings, self.own = size, settings, own  # own: for the problem itself
        self.info = None

    def solve(self, f, t0, t1, times, y0, theta):
        """The solution at the times, of the problem itself."""
        del t0, t1, theta

        def right(t, y):
            return checked(f(t, y), y.shape, self.name)

        found = _scipy.odeint(right, y0, times, tfirst=True, **self.settings, **self.own)
        if self.own.get("full_output"):
            found, self.info = found
        return found.T

    def solve_derived(self, f, t0, t1, times, y0, units):
        """The solution at the times, of a variational equation."""
        del t0, t1
        settings = dict(self.settings)
        settings.update(tolerances(settings, _TOLERANCE, _TOLERANCE, self.size, units))
        found, info = _scipy.odeint(
            lambda t, y: f(t, y), y0, times, tfirst=True, full_output=True, **settings
        )
        if info["message"] != "Integration successful.":
            raise ArithmeticError(
                f"odeint found the solution, but not its derivatives: {info['message']}"
            )
        return found.T


def odeint(
    func,
    y0,
    t,
    args=(),
    Dfun=None,
    col_deriv=0,
    full_output=0,
    ml=None,
    mu=None,
    rtol=None,
    atol=None,
    tcrit=None,
    h0=0.0,
    hmax=0.0,
    hmin=0.0,
    ixpr=0,
    mxstep=0,
    mxhnil=0,
    mxordn=12,
    mxords=5,
    printmessg=0,
    tfirst=False,
):
    """scipy.integrate.odeint, differentiable in y0, t, args and in what func closes over.

    Derivatives are solutions of the variational equation, as those of solve_ivp() are; with
    LSODA, which odeint is, they are right for stiff equations too.

    Returns
    -------
    y : (len(t), len(y0)); with `full_output`, (y, info)
    """
    settings = {
        "rtol": rtol, "atol": atol, "tcrit": tcrit, "h0": h0, "hmax": hmax, "hmin": hmin,
        "ixpr": ixpr, "mxstep": mxstep, "mxhnil": mxhnil, "mxordn": mxordn, "mxords": mxords,
        "printmessg": printmessg,
    }  # fmt: skip
    own = {"Dfun": Dfun, "col_deriv": col_deriv, "full_output": full_output, "ml": ml, "mu": mu}
    args = args if isinstance(args, tuple) else (args,)
    theta, bind_all = families.binding_of((func, args))
    if not theta and not captured((y0, t, settings))[0]:
        return _scipy.odeint(func, y0, t, args, tfirst=tfirst, **settings, **own)
    if captured(settings)[0]:
        raise NotDifferentiableError(
            "odeint takes no tensors among its options; derivatives are in y0, t, args and what "
            "func closes over"
        )
    y0 = families.flat(leaf(y0, "y0"))
    t = leaf(t, "t")
    if len(shape_of(t)) != 1 or shape_of(t)[0] == 0:
        raise ShapeError(f"odeint needs a vector of times, got shape {shape_of(t)}")
    if own["Dfun"] is not None:
        own["Dfun"] = _plain_jacobian(Dfun, args, tfirst)

    def bind(theta):
        f, rest = bind_all(theta)
        return (lambda t, y: f(t, y, *rest)) if tfirst else (lambda t, y: f(y, t, *rest))

    engine = Engine(shape_of(y0)[0], settings, own)
    y = _calls.call(Solution(Problem(engine, bind)), [t[0], t[-1], t, y0, *theta]).T
    return (y, engine.info) if full_output else y


def _plain_jacobian(Dfun, args, tfirst):
    """The user's Jacobian, which only helps the solver, of (t, y) in numbers."""
    leaves, recipe = captured((Dfun, args))
    f, rest = recipe([families.numbers(v) for v in leaves])

    def jacobian(t, y):
        found = f(t, y, *rest) if tfirst else f(y, t, *rest)
        return np.asarray(values(as_array(found)))

    return jacobian

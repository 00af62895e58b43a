"""solve_ivp on tensors and duals."""

import numpy as np
import scipy.integrate as _scipy

from ... import _calls, _core
from ..._captured import captured
from ..._trees import shape_of
from ...errors import NotDifferentiableError, ShapeError
from ...rules.primitives import as_array, concatenate, values
from ...rules.table import is_traced
from .._leaves import leaf
from . import _families as families
from ._events import EventTimes
from ._ivp import Problem, Solution, checked, tolerances

_IMPLICIT = ("Radau", "BDF", "LSODA")


class Engine:
    """How SciPy's solve_ivp solves a Problem; `events` binds a list of event functions."""

    name = "solve_ivp"

    def __init__(self, size, events, flags, settings):
        self.size, self.events, self.flags, self.settings = size, events, flags, settings
        self.key = self.found = None  # SciPy's last result, and what it is of

    def result(self, f, t0, t1, y0, theta):
        """SciPy's result for the problem itself."""
        key = [np.asarray(v).tobytes() for v in (t0, t1, y0, *theta)]
        if self.key == key:
            return self.found
        settings = dict(self.settings)
        vectorized = settings.get("vectorized")
        right = f if vectorized else lambda t, y: checked(f(t, y), y.shape, self.name)
        events = [_event(g, *flag) for g, flag in zip(self.events(theta), self.flags, strict=True)]
        found = _scipy.solve_ivp(
            right, (t0, t1), y0, dense_output=True, events=events or None, **settings
        )
        if self.found is not None and found.status != self.found.status:
            raise ShapeError(
                "solve_ivp in a compiled function came to another end than when it was recorded: "
                f"{found.message}"
            )
        self.key, self.found = key, found
        return found

    def solve(self, f, t0, t1, times, y0, theta):
        """The solution at the times, of the problem itself."""
        if len(times) == 0:
            return np.empty((len(y0), 0))
        found = self.result(f, t0, t1, y0, theta)
        last = found.t[-1]
        low, high = min(t0, last), max(t0, last)
        slack = 8.0 * np.finfo(float).eps * max(abs(low), abs(high))
        if np.min(times) < low - slack or np.max(times) > high + slack:
            raise ValueError(f"a time is outside of what was integrated, from {low} to {high}")
        return found.sol(np.clip(times, low, high))

    def solve_derived(self, f, t0, t1, times, y0, units):
        """The solution at the times, of a variational equation."""
        settings = dict(self.settings)
        for name in ("jac", "jac_sparsity", "lband", "uband", "vectorized"):
            settings.pop(name, None)
        if settings["method"] in _IMPLICIT:
            settings["jac"] = f.jacobian
        settings.update(tolerances(settings, 1e-3, 1e-6, self.size, units))
        found = _scipy.solve_ivp(f, (t0, t1), y0, dense_output=True, **settings)
        if not found.success:
            raise ArithmeticError(
                f"solve_ivp found the solution, but not its derivatives: {found.message}"
            )
        return found.sol(times)


def _event(g, terminal, direction):
    def event(t, y):
        return float(values(as_array(g(t, y))).reshape(()))

    event.terminal, event.direction = terminal, direction
    return event


def solve_ivp(
    fun,
    t_span,
    y0,
    method="RK45",
    t_eval=None,
    dense_output=False,
    events=None,
    vectorized=False,
    args=None,
    **options,
):
    """scipy.integrate.solve_ivp, differentiable in all but its options.

    That is in y0, t_span, t_eval, args, and in what fun and events close over.  Derivatives are
    solutions of the variational equation, by the same method and to the same
    tolerances: `rtol` holds for them as for y, `atol` for the change of y that a change of 1 in a
    parameter makes, of its own size if that is more than 1.  All methods are differentiable.

    Where fun jumps as y passes some value, a derivative of the solution jumps too, which no
    derivative of fun shows (where fun has a corner, a second derivative): end there with a terminal
    event, and go on from what it gives.

    Returns
    -------
    OdeResult
        As SciPy's.  Of tensors, the times between the ends that the solver chooses if `t_eval` is
        None are constants, or stretch with `t_span` if that is tracked; ``t_events`` and
        ``y_events`` are differentiable, and ``sol`` (of `dense_output`) is within `t_span`.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> from adcore.scipy.integrate import solve_ivp
    >>> def end(rate):
    ...     found = solve_ivp(lambda t, y: -rate * y, (0.0, 1.0), [2.0], rtol=1e-9, atol=1e-9)
    ...     return found.y[0, -1]
    >>> bool(abs(adcore.grad(end)(0.5) + 2.0 * np.exp(-0.5)) < 1e-7)
    True
    """
    given = () if args is None else tuple(args)
    several = isinstance(events, (list, tuple))
    listed = list(events) if several else [] if events is None else [events]
    theta, bind_all = families.binding_of((fun, listed, given))
    times = [t_span[0], t_span[1], t_eval]
    if not theta and not captured((times, y0, options))[0]:
        return _scipy.solve_ivp(
            fun, t_span, y0, method, t_eval, dense_output, events, vectorized, args, **options
        )
    if captured((options, method))[0]:
        raise NotDifferentiableError(
            "solve_ivp takes no tensors among its options; derivatives are in y0, t_span, t_eval, "
            "args and what fun closes over"
        )
    y0 = leaf(y0, "y0")
    if len(shape_of(y0)) != 1:
        raise ShapeError(f"y0 must have one dimension, got shape {shape_of(y0)}")
    t0, t1 = [leaf(t, "a time of t_span") for t in t_span]

    def bind(theta):
        f, _, rest = bind_all(theta)
        if vectorized:
            return lambda t, y: families.flat(f(t, as_array(y).reshape((-1, 1)), *rest))
        return lambda t, y: f(t, y, *rest)

    def bind_plain(theta):
        f, _, rest = bind_all(theta)
        return lambda t, y: f(t, y, *rest)

    def bind_events(theta):
        _, found, rest = bind_all(theta)
        return [lambda t, y, g=g: g(t, y, *rest) for g in found]

    flags = [(getattr(g, "terminal", None), getattr(g, "direction", 0)) for g in listed]
    settings = {"method": method, "vectorized": vectorized, **options}
    engine = Engine(shape_of(y0)[0], bind_events, flags, settings)
    problem = Problem(engine, bind, plain=bind_plain if vectorized else None)
    leaves = [t0, t1, np.empty(0), y0, *theta]

    def find(t0, t1, y0, theta):
        return engine.result(problem.plain(theta), t0, t1, y0, theta).t_events

    plain = [families.numbers(v) for v in leaves]
    start, stop, _, initial, *numbers = plain
    found = _core.aside(engine.result, problem.plain(numbers), start, stop, initial, numbers)
    result = dict(found)
    if listed:
        happened = _calls.call(EventTimes(problem, bind_events, find), leaves)
        result["t_events"] = happened
        result["y_events"] = [
            _at(problem, leaves, t).T if shape_of(t)[0] else np.empty(0) for t in happened
        ]
    end = t1
    if found.status == 1:
        end = _ending(found, flags, happened)
    result["t"] = t = _times(found, t_eval, t0, end)
    result["y"] = _at(problem, leaves, t)
    result["sol"] = Sol(problem, leaves) if dense_output else None
    return type(found)(**result)


def _at(problem, leaves, times):
    return _calls.call(Solution(problem), [*leaves[:2], times, *leaves[3:]])


def _ending(found, flags, happened):
    """The time of the event that ended it."""
    for (terminal, _), numbers, times in zip(flags, found.t_events, happened, strict=True):
        if terminal and len(numbers) and numbers[-1] == found.t[-1]:
            return times[-1]
    last = [
        (abs(numbers[-1] - found.t[0]), i)
        for i, ((terminal, _), numbers) in enumerate(zip(flags, found.t_events, strict=True))
        if terminal and len(numbers)
    ]
    return happened[max(last)[1]][-1]


def _times(found, t_eval, t0, end):
    """The times of the result, as they depend on the ends."""
    if t_eval is not None:
        t_eval = leaf(t_eval, "t_eval")
        reached = families.numbers(t_eval)
        last = found.t[-1] if found.status == -1 else found.sol.ts[-1]
        forward = found.sol.ts[-1] >= found.sol.ts[0]
        count = int(np.sum(reached <= last if forward else reached >= last))
        return t_eval if count == len(reached) else t_eval[:count]
    if not is_traced([t0, end]):
        return found.t
    span = found.t[-1] - found.t[0]
    share = (found.t - found.t[0]) / span if span else np.zeros(len(found.t))
    inner = t0 + share[1:-1] * (end - t0)
    ends = [families.flat(t0), families.flat(end)][: len(found.t)]
    return concatenate([ends[0], families.flat(inner), *ends[1:]], 0)


class Sol:
    """The solution as a function of time: sol(t) has shape (n,), or (n, k) of k times."""

    captured_attributes = True

    def __init__(self, problem, leaves):
        self.problem, self.leaves = problem, leaves

    def __call__(self, t):
        t = leaf(t, "a time")
        y = _at(self.problem, self.leaves, families.flat(t))
        return y if shape_of(t) else y[:, 0]

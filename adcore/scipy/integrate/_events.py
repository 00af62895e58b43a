"""When events happen: g(t, y(t); theta) = 0, differentiated by the implicit function theorem."""

import numpy as np

from ... import _calls, _core
from ..._named import CALLS_BACK
from ..._trees import shape_of
from ...rules.primitives import as_array, stack_nested
from ...transforms import jvp
from . import _families as families
from ._ivp import THETA, along, moved_start


class EventTimes:
    """The times of all events, a vector for each, of leaves [t0, t1, times (unused), y0, *theta].

    ``events(theta)`` is a list of functions (t, y); ``find(t0, t1, y0, theta)`` gives the times in
    plain numbers.
    """

    name = "an event of solve_ivp"
    remedy = "it follows from the implicit function theorem"
    unsaved = CALLS_BACK

    def __init__(self, problem, events, find):
        self.problem, self.events, self.find = problem, events, find

    def rule(self, mode):
        """The name of a rule, for errors."""
        return f"the {mode} rule of {self.name}"

    def value(self, leaves):
        """The output of plain leaves."""
        return self.run(leaves)[0]

    def run(self, leaves):
        """(times, nothing) of plain leaves."""
        t0, t1, _, y0, *theta = leaves
        found = _core.aside(self.find, t0, t1, y0, theta)
        return [np.asarray(t, dtype=float) for t in found], None

    def push(self, leaves, output, saved, tangents):
        """Tangents of the times."""
        del saved
        t0, _, _, y0, *theta = leaves
        t0dot, _, _, y0dot, *thetadot = tangents
        moved = [i for i, v in enumerate(thetadot) if v is not None]
        y0dot = moved_start(self.problem, t0, y0, theta, t0dot, y0dot)
        if y0dot is None and not moved:
            return [None] * len(output)
        found = []
        for which, times in enumerate(output):
            count = shape_of(times)[0]
            if count == 0:
                found.append(None)
                continue
            # y at the times as if these were constant: that they are not, is what is found here.
            y, ydot = along(self.problem, leaves, times, y0dot, moved, thetadot)
            each = [
                self._moved(which, times[i], y[:, i], ydot[:, i], theta, moved, thetadot)
                for i in range(count)
            ]
            found.append(stack_nested(each))
        return found

    def _moved(self, which, t, y, ydot, theta, moved, thetadot):
        """The tangent of one time."""

        def at(t, y, *chosen):
            full = list(theta)
            for i, v in zip(moved, chosen, strict=True):
                full[i] = v
            return as_array(self.events(full)[which](t, y)).reshape(())

        chosen = [theta[i] for i in moved]
        still = [v * 0.0 for v in chosen]
        rate = families.flat(self.problem.bind(theta)(t, y))
        ahead = jvp(at, (t, y, *chosen), (1.0, rate, *still))[1]
        aside = jvp(at, (t, y, *chosen), (0.0 * t, ydot, *[thetadot[i] for i in moved]))[1]
        return -aside / ahead

    def pull(self, leaves, output, saved, ct, wanted):
        """Adjoints of the wanted leaves; none of t1 and of what is unused."""
        moved = [i for i in wanted if i == 0 or i >= THETA - 1]
        found = dict.fromkeys(wanted)
        if moved:
            adjoints = _calls.transposed_push(self, leaves, output, saved, ct, moved)
            found.update(zip(moved, adjoints, strict=True))
        return [found[i] for i in wanted]

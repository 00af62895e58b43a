"""Profiles of compiled functions: the time of each line of the source."""

from dataclasses import dataclass

import numpy as np

from . import _core
from ._look import aligned, derivation, origins_of, place, source_of
from .errors import TapeError

BUDGET = 0.2  # seconds to spend on each program if nothing else is asked for
ENDS = "(inputs read, guards checked, outputs written)"


@dataclass(frozen=True)
class Timing:
    """The time of one program."""

    name: str  # "value", or the derivative
    seconds: float  # of one run, in C, without any clock in between
    parts: float  # the sum of the parts timed one by one, which the shares are taken from
    ends: float  # of `seconds`: to read inputs, check guards and write outputs
    rounds: int


@dataclass(frozen=True)
class Line:
    """A line of the source and its times, in the order of Profile.timings."""

    file: str
    line: int
    function: str
    source: str
    seconds: tuple


@dataclass(frozen=True)
class Profile:
    """Where the time of a compiled function goes; str() is a table.

    The times of the lines and the ends add up to the time of a run.
    """

    name: str
    timings: tuple  # of Timing: the value, then the derivatives
    lines: tuple  # of Line, the one that takes longest first

    def __str__(self):
        heads = [text for t in self.timings for text in (t.name, "")]
        rows = [(*heads, "line", "")]
        rows += [
            (*self._times(line.seconds), place(line.file, line.line), line.source)
            for line in self.lines
        ]
        rows.append((*self._times([t.ends for t in self.timings]), ENDS, ""))
        rows.append((*self._times([t.seconds for t in self.timings]), "all", ""))
        n = len(heads)
        parts = ", ".join(
            f"{100 * t.parts / t.seconds:.0f} % ({t.rounds} rounds)" for t in self.timings
        )
        return "\n".join(
            [
                f"compiled {self.name}",
                *aligned(rows, left={n, n + 1}),
                f"parts timed one by one, before they were scaled to a run: {parts}",
            ]
        )

    __repr__ = __str__

    def _times(self, seconds):
        for t, timing in zip(seconds, self.timings, strict=True):
            yield _time(t) if t > 0 else ""
            yield f"{100 * t / timing.seconds:.1f} %" if t > 0 else ""


def profile(path, arguments, derivative, argnums, repeat):
    """The Profile of the program of a path and of derivatives of it.

    `derivative` is a name, a sequence of names, () for the value alone, or None for the reverse
    derivative that the path has: value_and_grad of a number, vjp of anything else.
    """
    if derivative is None:
        scalar = path.program.output_shapes == [()] and path.structure.key() is None
        derivative = "value_and_grad" if scalar else "vjp"
    names = (derivative,) if isinstance(derivative, str) else tuple(derivative)
    if repeat is not None and repeat < 1:
        raise ValueError(f"repeat is how many rounds are made, at least 1; not {repeat!r}")
    if not path.varies:
        names = ()  # all derivatives are zero, and no program finds them
    wanted = arguments.wanted(argnums) if names else ()
    timings, times = [], {}
    for k, name in enumerate((None, *names)):
        program, inputs = derivation(path, name, wanted, arguments.inputs)
        timing, found = _measure(name or "value", program, inputs, repeat)
        timings.append(timing)
        for at, t in found.items():
            times.setdefault(at, [0.0] * (len(names) + 1))[k] = t
    lines = [
        Line(file, line, function, source_of(file, line), tuple(t))
        for (file, line, function), t in times.items()
    ]
    lines.sort(key=lambda line: -sum(line.seconds))
    return Profile(path.name, tuple(timings), tuple(lines))


def _measure(name, program, inputs, repeat):
    """The Timing of a program, and {(file, line, function): seconds}."""
    budget, most = (BUDGET, 10_000) if repeat is None else (np.inf, repeat)
    seconds, total, parts, ends, rounds, failed = _core.program_profile(
        program, inputs, budget, most
    )
    if failed is not None:
        kind, file, line, function, _ = program.guards[failed]
        raise TapeError(
            f"the {kind} at {place(file, line)} in {function} differs from run to run with the "
            "same arguments, so that there is no one path to profile"
        )
    origins, index = origins_of(program)
    sums = np.bincount(index, seconds, minlength=len(origins))
    found = {}
    for at in np.flatnonzero(sums):
        found[origins[at]] = found.get(origins[at], 0.0) + float(sums[at])
    return Timing(name, total, parts, ends, rounds), found


def _time(t):
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if t >= size:
            return f"{t / size:.3g} {unit}"
    return f"{t / 1e-9:.3g} ns"

"""A compiled function under a transform: one instruction, whose rules are compiled too."""

import numpy as np

from . import _calls, _core
from ._arguments import plain
from ._core import Dual
from ._trees import flatten
from .errors import TapeError


class UnsettledError(TapeError):
    """A function that does not settle was to be one instruction."""


class Call:
    """What _calls.call() has to know of a compiled function, or a derivative, called with tensors.

    `chain` is how it is derived, pairs (kind, wanted) for Program.derived(); the leaves are the
    inputs of the function and then those that each derivation adds.
    """

    remedy = "it is derived from its recording"

    def __init__(self, compiled, arguments, chain=()):
        self.compiled, self.arguments, self.chain = compiled, arguments, chain
        self.name = compiled.name

    def rule(self, mode):
        """The name of a rule, for errors."""
        return f"the {mode} rule of compiled {self.name}"

    def _program(self, path):
        program = path.program
        for kind, wanted in self.chain:
            program = program.derived(kind, wanted)
        return program

    def _replay(self, leaves):
        """(path, arrays) for plain leaves."""
        arrays = [np.ascontiguousarray(v, np.float64).reshape(np.shape(v)) for v in leaves]
        n = len(self.arguments.inputs)
        path, found = self.compiled._replay(
            self.arguments.replaced(arrays[:n]), self._program if self.chain else None, arrays[n:]
        )
        if path is None:
            raise UnsettledError(
                f"compiled {self.name} ceased to settle before it was differentiated; use adcore's "
                "transforms on the function itself"
            )
        return path, found

    def value(self, leaves):
        """The output of plain leaves."""
        return self.run(leaves)[0]

    def run(self, leaves):
        """(output, program) of plain leaves."""
        path, arrays = self._replay(leaves)
        if self.chain:
            return [plain(a) for a in arrays], path
        return path.output(arrays), path

    def _derived(self, leaves, path, kind, wanted, moves):
        """The leaves of the output of a derivation; None if no output varies.

        `moves` are the seeds that it adds, given the path.
        """
        if path is None:
            path, _ = self._replay([_values_below(v) for v in leaves])
        if not path.varies:
            return None
        call = Call(self.compiled, self.arguments, (*self.chain, (kind, wanted)))
        return _calls.call(call, [*leaves, *moves(path)])

    def pull(self, leaves, output, saved, ct, wanted):
        """Adjoints of the wanted leaves."""
        del output

        def moves(path):
            shapes = self._program(path).output_shapes
            given = ct
            if not self.chain:
                given = [c for c, (varies, _) in zip(ct, path.where, strict=True) if varies]
            return [np.zeros(s) if c is None else c for c, s in zip(given, shapes, strict=True)]

        found = self._derived(leaves, saved, "vjp", tuple(wanted), moves)
        return [None] * len(wanted) if found is None else found

    def push(self, leaves, output, saved, tangents):
        """Tangents of the output."""
        wanted = tuple(i for i, t in enumerate(tangents) if t is not None)
        found = self._derived(leaves, saved, "jvp", wanted, lambda _: [tangents[i] for i in wanted])
        if found is None or self.chain:
            return [None] * len(flatten(output)[0]) if found is None else found
        path = saved or self._replay([_values_below(v) for v in leaves])[0]
        return [found[v] if varies else None for varies, v in path.where]


def _values_below(v):
    """The numbers below duals and tensors."""
    while type(v) is Dual:
        v = v.value
    return _core.peek(v)

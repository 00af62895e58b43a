"""The ways through a compiled function.

What a function does for arguments of one structure is a tree of paths.  The root is what it did at
its first call.  A path ends in guards, the numbers that Python saw and acted upon; a replay that
finds other numbers at guard k goes on at the path that `children[k, those numbers]` names, which
shares all guards before k, or is recorded there.  Rules of derivatives may decide things as well:
their guards are counted on after those of the value, and the path that such a guard leads to goes
the way of its parent with other derivatives.
"""

import math
from collections import OrderedDict

import numpy as np

from ._arguments import plain
from ._trees import shape_of, unflatten
from .errors import ShapeError


class Path:
    """One way through a function: its program, and the programs of its derivatives."""

    def __init__(self, name, program, where, structure, dtypes):
        self.name, self.program, self.where, self.structure = name, program, where, structure
        self.dtypes = dtypes  # leaf -> type, of outputs that are truths or whole numbers
        self.children = {}  # (guard, the numbers it saw as bytes) -> Path
        self.parent = self.link = None
        self.varies = any(varies for varies, _ in where)

    @property
    def in_order(self):
        """Whether the results are the program's outputs, each once, one after the other."""
        return all(varies and v == k for k, (varies, v) in enumerate(self.where))

    @property
    def size(self):
        """How many elements the results have."""
        shapes = [self.program.output_shapes[v] if d else shape_of(v) for d, v in self.where]
        return sum(map(math.prod, shapes))

    def children_of_values(self):
        """The children that the value leads to, not a rule of a derivative alone."""
        n = len(self.program.guards) if self.children else 0
        return [child for (guard, _), child in self.children.items() if guard < n]

    def output(self, arrays, zero=False):
        """The result as the function returned it, of the arrays of the program's outputs.

        With `zero` what does not vary is zero, as in a tangent.
        """
        leaves = [
            plain(arrays[v]) if varies else plain(np.zeros(shape_of(v))) if zero else own(v)
            for varies, v in self.where
        ]
        for i, dtype in () if zero else self.dtypes.items():
            leaves[i] = np.asarray(leaves[i]).astype(dtype)[()]
        return unflatten(self.structure, leaves)

    def check_scalar(self, transform, instead):
        """The result must be one real number."""
        what = "a container"
        if len(self.where) == 1:
            varies, v = self.where[0]
            shape = self.program.output_shapes[v] if varies else shape_of(v)
            if shape == () and (varies or isinstance(v, (int, float, np.number))):
                return
            numeric = varies or isinstance(v, np.ndarray)
            what = f"shape {shape}" if numeric else f"a {type(v).__name__}"
        raise ShapeError(
            f"{transform} needs a function with one real output, but {self.name} returned {what}. "
            f"Use {instead}, or return a scalar such as y.sum()."
        )


class Paths:
    """All ways through a function for arguments of one kind."""

    CREDIT = 100.0  # recordings that may be made before calls without one have earned more

    def __init__(self, arguments):
        """Of arguments of this kind, or of None if they are not known."""
        self.arguments = arguments and arguments.outline()
        self.key = arguments and arguments.key
        self.snapshots = [now for _, now in arguments.objects] if arguments else []
        self.root = None
        self.used = OrderedDict()  # path -> None, the one not used for longest first
        self.recorded = 0  # so many paths, those that were let go of included
        self.credit = self.CREDIT
        self.settled = True
        self.in_order = False  # record what is left without changing the order of sums
        self.wanted = -1  # when by the clock of the function

    def gone(self):
        """Whether there will be no arguments of this kind, as one of them is no more."""
        return any(now.gone() for now in self.snapshots)

    def at(self, parent, link):
        """The path at `link` of its parent, or None; the root where the parent is None."""
        return self.root if parent is None else parent.children.get(link)

    def add(self, path, parent, link, most):
        """Take in a path, and beyond `most` let go of the one not used for longest.

        Where others have let go of its parent since, there is no place for it in the tree: it
        serves this once.
        """
        self.credit -= 1.0
        if parent is not None and parent not in self.used:
            return
        path.parent, path.link = parent, link
        if parent is None:
            self.root = path
        else:
            parent.children[link] = path
        self.used[path] = None
        self.recorded += 1
        if len(self.used) > most:
            self._drop(next(iter(self.used)))

    def _drop(self, old):
        """Let go of a path.

        The child that leaves it last takes its place, as it has all guards that lead there; the
        others leave that one as they left the old one.
        """
        del self.used[old]
        heir = max(old.children.values(), key=lambda child: child.link[0], default=None)
        for link, child in old.children.items():
            if child is not heir:
                child.parent = heir
                heir.children[link] = child
        if heir is not None:
            heir.parent, heir.link = old.parent, old.link
        if old.parent is None:
            self.root = heir
        elif heir is not None:
            old.parent.children[old.link] = heir
        else:
            del old.parent.children[old.link]

    def listed(self):
        """All ways of the value as SavedPath, parents before their children.

        Below a path that a derivative's rule leads to there are no other ways of the value.
        """
        from . import _files  # when first needed

        found, at = [], {}
        waiting = [self.root]
        while waiting:
            p = waiting.pop()
            at[p] = len(found)
            parent = None if p.parent is None else at[p.parent]
            saved = _files.SavedPath(parent, p.link, p.structure, p.where, p.dtypes, p.program)
            found.append(saved)
            waiting.extend(reversed(p.children_of_values()))
        return found


def own(v):
    """A copy of an array, which the caller may change, and anything else as it is."""
    return v.copy() if isinstance(v, np.ndarray) else v

"""The arguments of a compiled function: which arrays go in, and the key that is all else.

An argument becomes a Leaf, Floats or a Tree, which builds it again of other inputs, and results in
its structure.
"""

import numpy as np

from . import _core
from ._core import Dual, Tensor
from ._snapshot import Snapshot, has_state
from ._trees import Run, flatten, unflatten
from .errors import ShapeError
from .rules import functions


class Leaf:
    """An argument that is one array or number; `at` is the number of its input."""

    def __init__(self, at):
        self.at = at

    def build(self, values, scalars):
        """The argument with `values`, one per input, in place of the inputs."""
        del scalars
        return values[self.at]


class Floats:
    """A list or a tuple of nothing but floats: one input."""

    def __init__(self, kind, at):
        self.kind, self.at = kind, at

    def build(self, values, scalars):
        """The argument; `scalars` takes a value apart along its first dimension."""
        return self.kind(scalars(values[self.at]))


class Tree:
    """Any other argument: each leaf is the number of an input, or a constant in a tuple."""

    def __init__(self, structure, leaves):
        self.structure, self.leaves = structure, leaves

    def build(self, values, scalars):
        """The argument."""
        del scalars
        return unflatten(
            self.structure, [values[v] if type(v) is int else v[0] for v in self.leaves]
        )


class Arguments:
    """The arguments of one call: the arrays that go in, and the key, which is all else.

    `numeric` are the arguments that derivatives are wanted with respect to: integers there are
    numbers, not part of the key.  `owner` is () or (self,), of a method: it goes before `args`, and
    is not counted among them.
    """

    def __init__(self, name, args, kwargs, numeric=(), owner=()):
        self.name = name
        self.inputs = []  # arrays, and under a transform tensors or duals
        self.traced = False  # whether there are tensors or duals among them
        self.hidden = False  # or in the attributes of an object, where no transform finds them
        self.objects = []  # (object, its snapshot): arguments with attributes
        self.trees, self.places = [], []
        added = [self._add(tree, False) for tree in owner]
        self.owner, kinds = [template for template, _ in added], [kind for _, kind in added]
        self.n_owned = len(self.inputs)  # inputs that come first
        for i, tree in enumerate((*args, *kwargs.values())):
            start = len(self.inputs)
            template, kind = self._add(tree, i in numeric)
            self.trees.append(template)
            self.places.append(range(start, len(self.inputs)))
            kinds.append(kind)
        self.n_args, self.names = len(args), tuple(kwargs)
        self.key = (len(owner) + self.n_args, self.names, tuple(kinds))

    def _input(self, value):
        self.inputs.append(value)
        return len(self.inputs) - 1

    def _add(self, tree, numeric):
        kind = type(tree)
        if kind is float:
            return Leaf(self._input(np.array(tree))), ()
        if kind is np.ndarray and tree.dtype == np.float64 and tree.flags.c_contiguous:
            return Leaf(self._input(tree)), tree.shape
        leaves, structure = flatten(tree)
        if type(structure) is Run and leaves:
            if {float}.issuperset(map(type, leaves)):
                return Floats(kind, self._input(np.array(leaves))), (kind, len(leaves))
            if all(type(v) is float or (traced([v]) and v.shape == ()) for v in leaves):
                self.traced = True
                return Floats(kind, self._input(functions["stack"](leaves))), (kind, len(leaves))
        pairs = [self._leaf(v, numeric) for v in leaves]
        if structure.key() is None and type(pairs[0][0]) is int:
            return Leaf(pairs[0][0]), pairs[0][1]
        described = (structure.key(), *[key for _, key in pairs])
        return Tree(structure, [place for place, _ in pairs]), described

    def _leaf(self, v, numeric):
        """The place of a leaf, and what the key says of it."""
        if type(v) is Dual or (type(v) is Tensor and v.requires_grad):
            self.traced = True
            return self._input(v), v.shape
        if type(v) is Tensor or isinstance(v, (float, int, np.ndarray, np.generic)):
            if isinstance(v, np.ndarray) and type(v) is not np.ndarray:
                _core.refuse_subclass(v)
            array = np.asarray(_core.peek(v))
            real = array.dtype.kind == "f" or (numeric and array.dtype.kind in "iu")
            if real:
                flat = np.ascontiguousarray(array, dtype=np.float64)
                return self._input(flat.reshape(array.shape)), array.shape
            if isinstance(v, np.ndarray) and array.dtype.kind in "biuSU":
                return (v.copy(),), (array.dtype.str, array.shape, array.tobytes())
        described = f"a {type(v).__name__}"
        if isinstance(v, np.ndarray):
            described = f"an array of dtype {v.dtype}"
        if numeric:
            raise TypeError(
                f"{self.name} is to be differentiated with respect to {described}; "
                "derivatives are with respect to real numbers and float arrays: leave it out of "
                "argnums"
            )
        if has_state(v):
            now = Snapshot(v)
            self.hidden |= now.tracked
            self.traced |= now.tracked
            self.objects.append((v, now))
            return (v,), (type(v), now)
        try:
            hash(v)
        except TypeError:
            raise TypeError(
                f"{self.name} was called with {described}, which is neither a real number nor an "
                "array of them, nor can it be told from others by its hash; pass numbers, float "
                "arrays, or hashable objects"
            ) from None
        return (v,), (type(v), v)

    def replaced(self, inputs):
        """The same arguments with other inputs."""
        other = object.__new__(Arguments)
        other.__dict__.update(self.__dict__)
        other.inputs = inputs
        return other

    def outline(self):
        """The same without numbers and objects, of which it keeps none alive."""
        other = self.replaced([])
        other.trees, other.owner, other.objects = (), (), ()
        return other

    def changed(self):
        """The first object whose attributes are other ones by now, or None."""
        return next((x for x, before in self.objects if Snapshot(x) != before), None)

    def call(self, f, values, scalars=list):
        """f() of the arguments with `values`, one per input, in place of the inputs."""
        built = [tree.build(values, scalars) for tree in (*self.owner, *self.trees)]
        n = len(self.owner) + self.n_args
        return f(*built[:n], **dict(zip(self.names, built[n:], strict=True)))

    def chosen(self, argnums):
        """The numbers of the positional arguments that `argnums` names."""
        picked = (argnums,) if isinstance(argnums, int) else tuple(argnums)
        for i in picked:
            if not -self.n_args <= i < self.n_args:
                raise TypeError(
                    f"argnums={argnums} asks for argument {i} of {self.name}, which was called "
                    f"with {self.n_args} positional arguments"
                )
        chosen = [i % self.n_args for i in picked]
        if len(set(chosen)) < len(chosen):
            raise ValueError(
                f"argnums={argnums} names an argument of {self.name} twice; name each once"
            )
        return chosen

    def tree(self, argnums, found):
        """Results found[i], arrays for input i, in the structure of the chosen arguments."""
        built = [self.trees[i].build(found, last_apart) for i in self.chosen(argnums)]
        return built[0] if isinstance(argnums, int) else tuple(built)

    def twice(self, argnums, blocks, axis=0):
        """Results blocks[i][j], of the shapes of inputs i and j, in the structure twice.

        `axis` is how many dimensions stand before these shapes.
        """

        def inner(row):
            return self.tree(argnums, {j: plain(b) for j, b in row.items()})

        def apart(row):
            n = next(iter(row.values())).shape[axis]
            before = (slice(None),) * axis
            return [inner({j: b[(*before, m)] for j, b in row.items()}) for m in range(n)]

        built = []
        for i in self.chosen(argnums):
            whole = type(self.trees[i]) is not Floats
            rows = {k: inner(blocks[k]) for k in self.places[i]} if whole else blocks
            built.append(self.trees[i].build(rows, apart))
        return built[0] if isinstance(argnums, int) else tuple(built)

    def wanted(self, argnums):
        """The inputs that belong to the chosen arguments, in order."""
        found = [k for i in self.chosen(argnums) for k in self.places[i]]
        if not found:
            raise ShapeError(
                f"the arguments {argnums} of {self.name} hold no numbers to differentiate with "
                "respect to"
            )
        return tuple(sorted(set(found)))


def plain(array):
    """A number where an array has no dimensions."""
    return float(array) if np.ndim(array) == 0 else array


def last_apart(array):
    """A list of what is at each place of the last dimension."""
    return array.tolist() if array.ndim == 1 else list(np.moveaxis(array, -1, 0))


def traced(leaves):
    return any(type(v) is Dual or (type(v) is Tensor and v.requires_grad) for v in leaves)

"""Compiled functions: recorded once, replayed without Python, and recorded again where they branch.

What a function does for arguments of one structure is a tree of paths.  The root is what it did at
its first call.  A path ends in guards, the numbers that Python saw and acted upon; a replay that
finds other numbers at guard k goes on at the path that `children[k, those numbers]` names, which
shares all guards before k, or is recorded there.
"""

import contextlib
import copy
import functools
import gc
import importlib
import sys
import threading
import types
import warnings
from collections import OrderedDict

import numpy as np

from . import _calls, _core, transforms
from ._core import Dual, Tensor
from ._trees import Run, flatten, same_leaves, shape_of, unflatten
from .errors import (
    FormatError,
    NotDifferentiableError,
    NotRecordedError,
    ShapeError,
    TapeError,
)
from .rules import functions
from .rules.masks import Mask


def compile(f=None, *, reassociate=True, max_paths=64, backend=None):
    """A function that is recorded at its first call and replayed in C from then on.

    It is called like `f`, and has methods for its derivatives: ``grad``, ``value_and_grad``,
    ``hessian``, ``value_grad_and_hessian``, ``hvp``, ``jvp``, ``vjp`` and ``jacobian``, which take
    and return what the transforms of the same names do.  ``save`` writes it to a file, from which
    load() makes it again; pickle and copy take it too.

    Arrays and floats among the arguments are inputs.  Integers, booleans, strings and None are
    part of what is recorded, as shapes are: other ones are recorded anew.  So is each way that `f`
    can go: the truth of a comparison, a mask used as an index, and a value taken out by ``item()``
    or ``numpy()`` are checked at every call, and where one differs `f` is recorded again for that
    path.  ``where``, ``maximum``, ``clip`` and ``abs`` are computed anew and need no check.
    Arrays that `f` finds outside of its arguments are copied when it is recorded.

    Parameters
    ----------
    f : callable
        Of positional arguments that are numbers, arrays or nested containers of them.  It should
        have no effects besides its result.  Left out, compile() is a decorator with options.
    reassociate : bool
        Whether long sums of scalars may be added up in pairs, which is faster and more accurate
        than from left to right.  Otherwise values are those of plain Python bit by bit.
    max_paths : int
        How many paths are kept at a time; the one not used for longest goes first.
    backend : None or "c"
        With "c" programs are written as C, built by the system's compiler (``CC``, or the first of
        cc, gcc and clang) and kept in ``$XDG_CACHE_HOME/adcore``.  Where there is no compiler a
        warning says so, and the interpreter serves.

    Returns
    -------
    Compiled

    Examples
    --------
    >>> import adcore, numpy as np
    >>> @adcore.compile
    ... def f(x):
    ...     total = 0.0
    ...     for i in range(len(x) - 1):
    ...         total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    ...     return total
    >>> f(np.array([0.5, 1.0])), f.grad(np.array([0.5, 1.0]))
    (56.5, array([-151.,  150.]))
    """
    if f is None:
        return functools.partial(
            compile, reassociate=reassociate, max_paths=max_paths, backend=backend
        )
    if not callable(f):
        raise TypeError(f"compile needs a function, got {f!r}")
    if backend not in (None, "c"):
        raise ValueError(f'backend must be None or "c", got {backend!r}')
    return Compiled(f, reassociate, max_paths, backend)


def load(path, f=None):
    """A compiled function from the file that its ``save`` wrote.

    It replays what was recorded, and is differentiated as before, without the Python function: the
    file holds no code, and nothing in it is run or imported.  All of it is checked before anything
    is replayed.

    Parameters
    ----------
    path : str or path
    f : callable, optional
        The function, to record ways of going that are not in the file.  It must be the function
        that was saved.

    Returns
    -------
    Compiled
        Without `f`, a call with arguments of another structure or shape than any that was saved, or
        for which a comparison comes out in a way that was not, is a NotRecordedError, which names
        the line.

    Raises
    ------
    FormatError
        If the file is truncated, damaged, or not of this format; it names the field.

    Examples
    --------
    >>> import adcore, numpy as np, os, tempfile
    >>> f = adcore.compile(lambda x: (x**3).sum())
    >>> f(np.array([1.0, 2.0]))     # records what there is to save
    9.0
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     f.save(os.path.join(folder, "cubes.adcore"))
    ...     cubes = adcore.load(os.path.join(folder, "cubes.adcore"))
    >>> cubes.grad(np.array([1.0, 3.0]))
    array([ 3., 27.])
    """
    if f is not None and not callable(f):
        raise TypeError(f"load needs a function or None for f, got {f!r}")
    with open(path, "rb") as file:
        return _from_bytes(file.read(), f)


# ---- arguments ----


class _Leaf:
    """An argument that is one array or number; `at` is the number of its input."""

    def __init__(self, at):
        self.at = at

    def build(self, values, scalars):
        """The argument with `values`, one per input, in place of the inputs."""
        del scalars
        return values[self.at]


class _Floats:
    """A list or a tuple of nothing but floats: one input."""

    def __init__(self, kind, at):
        self.kind, self.at = kind, at

    def build(self, values, scalars):
        """The argument; `scalars` takes a value apart along its first dimension."""
        return self.kind(scalars(values[self.at]))


class _Tree:
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
    numbers, not part of the key.
    """

    def __init__(self, name, args, kwargs, numeric=()):
        self.name = name
        self.inputs = []  # arrays, and under a transform tensors or duals
        self.traced = False  # whether there are tensors or duals among them
        self.trees, self.places, kinds = [], [], []
        for i, tree in enumerate((*args, *kwargs.values())):
            start = len(self.inputs)
            template, kind = self._add(tree, i in numeric)
            self.trees.append(template)
            self.places.append(range(start, len(self.inputs)))
            kinds.append(kind)
        self.n_args, self.names = len(args), tuple(kwargs)
        self.key = (self.n_args, self.names, tuple(kinds))

    def _input(self, value):
        self.inputs.append(value)
        return len(self.inputs) - 1

    def _add(self, tree, numeric):
        kind = type(tree)
        if kind is float:
            return _Leaf(self._input(np.array(tree))), ()
        if kind is np.ndarray and tree.dtype == np.float64 and tree.flags.c_contiguous:
            return _Leaf(self._input(tree)), tree.shape
        leaves, structure = flatten(tree)
        if type(structure) is Run and leaves:
            if {float}.issuperset(map(type, leaves)):
                return _Floats(kind, self._input(np.array(leaves))), (kind, len(leaves))
            if all(type(v) is float or (_traced([v]) and v.shape == ()) for v in leaves):
                self.traced = True
                return _Floats(kind, self._input(functions["stack"](leaves))), (kind, len(leaves))
        pairs = [self._leaf(v, numeric) for v in leaves]
        if structure.key() is None and type(pairs[0][0]) is int:
            return _Leaf(pairs[0][0]), pairs[0][1]
        described = (structure.key(), *[key for _, key in pairs])
        return _Tree(structure, [place for place, _ in pairs]), described

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

    def call(self, f, values, scalars=list):
        """f() of the arguments with `values`, one per input, in place of the inputs."""
        built = [tree.build(values, scalars) for tree in self.trees]
        return f(*built[: self.n_args], **dict(zip(self.names, built[self.n_args :], strict=True)))

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
        built = [self.trees[i].build(found, _last_apart) for i in self.chosen(argnums)]
        return built[0] if isinstance(argnums, int) else tuple(built)

    def twice(self, argnums, blocks, axis=0):
        """Results blocks[i][j], of the shapes of inputs i and j, in the structure twice.

        `axis` is how many dimensions stand before these shapes.
        """

        def inner(row):
            return self.tree(argnums, {j: _plain(b) for j, b in row.items()})

        def apart(row):
            n = next(iter(row.values())).shape[axis]
            before = (slice(None),) * axis
            return [inner({j: b[(*before, m)] for j, b in row.items()}) for m in range(n)]

        built = []
        for i in self.chosen(argnums):
            whole = type(self.trees[i]) is not _Floats
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


def _plain(array):
    """A number where an array has no dimensions."""
    return float(array) if np.ndim(array) == 0 else array


def _levels_in_adcore():
    """How many functions of adcore's are on the stack above the user's, the caller included."""
    n, frame = 0, sys._getframe(1)
    while frame is not None and frame.f_globals.get("__package__", "") == __package__:
        n, frame = n + 1, frame.f_back
    return n


def _own(v):
    """A copy of an array, which the caller may change, and anything else as it is."""
    return v.copy() if isinstance(v, np.ndarray) else v


def _last_apart(array):
    """A list of what is at each place of the last dimension."""
    return array.tolist() if array.ndim == 1 else list(np.moveaxis(array, -1, 0))


# ---- paths ----


class _Path:
    """One way through a function: its program, and the programs of its derivatives."""

    def __init__(self, name, program, where, structure, masks):
        self.name, self.program, self.where, self.structure = name, program, where, structure
        self.masks = masks  # the leaves of the result that are truths, 0 and 1 in the program
        self.children = {}  # (guard, the numbers it saw as bytes) -> _Path
        self.parent = self.link = None
        self.varies = any(varies for varies, _ in where)

    def output(self, arrays, zero=False):
        """The result as the function returned it, of the arrays of the program's outputs.

        With `zero` what does not vary is zero, as in a tangent.
        """
        leaves = [
            _plain(arrays[v]) if varies else _plain(np.zeros(shape_of(v))) if zero else _own(v)
            for varies, v in self.where
        ]
        for i in () if zero else self.masks:
            leaves[i] = leaves[i] != 0
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


class _Paths:
    """All ways through a function for arguments of one kind."""

    CREDIT = 100.0  # recordings that may be made before calls without one have earned more

    def __init__(self, arguments):
        self.arguments = arguments  # of this kind, without their numbers
        self.root = None
        self.used = OrderedDict()  # path -> None, the one not used for longest first
        self.recorded = 0  # so many paths, those that were let go of included
        self.credit = self.CREDIT
        self.settled = True

    def add(self, path, parent, link, most):
        """Take in a path, and beyond `most` let go of the one not used for longest."""
        path.parent, path.link = parent, link
        if parent is None:
            self.root = path
        else:
            parent.children[link] = path
        self.used[path] = None
        self.recorded += 1
        self.credit -= 1.0
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
        """All paths as SavedPath, parents before their children."""
        from . import _files  # when first needed

        found, at = [], {}
        waiting = [self.root]
        while waiting:
            p = waiting.pop()
            at[p] = len(found)
            parent = None if p.parent is None else at[p.parent]
            found.append(_files.SavedPath(parent, p.link, p.structure, p.where, p.program))
            waiting.extend(reversed(p.children.values()))
            if p.masks:
                raise FormatError(
                    f"{p.name} returns the truths of a comparison of arrays, which a file cannot "
                    "hold; return numbers: adcore.where(x > 0, 1.0, 0.0)"
                )
        return found


# What to_c() can write: in words, and how it is derived.
_AS_C = {
    "value": ("The value of", ()),
    "gradient": ("The gradient of", ("grad",)),
    "hvp": ("Products of a vector and the Hessian of", ("grad", "jvp")),
    "hessian": ("The Hessian of", ("hessian",)),
    "jacobian": ("The Jacobian of", ("jacobian",)),
    "jvp": ("Products of the Jacobian and a vector of", ("jvp",)),
    "vjp": ("Products of a vector and the Jacobian of", ("vjp",)),
}


class Compiled(_core.Called):
    """A function that is replayed in C: see compile()."""

    MOST_KINDS = 256  # of arguments whose paths are kept at a time

    def __init__(self, f, reassociate, max_paths, backend=None, name=""):
        self.f, self.reassociate, self.max_paths = f, reassociate, max_paths
        self.backend = backend
        if f is None:  # loaded, to be replayed alone
            self.name = self.__name__ = self.__qualname__ = name
        else:
            self.name = getattr(f, "__name__", type(f).__name__)
            functools.update_wrapper(self, f, updated=())
        self._by_key = OrderedDict()  # key of a kind of arguments -> _Paths, used last at the end
        self._warned = self._crowded = False
        self._lock = threading.RLock()
        self.entry = _core.Entry(self._call)
        self._entries = {}
        for name in ("grad", "value_and_grad", "hessian", "value_grad_and_hessian"):
            method = getattr(type(self), "_" + name)
            self._entries[name] = _core.Entry(functools.partial(method, self))
            setattr(self, name, _core.entry_function(self._entries[name]))

    def __repr__(self):
        n = sum(len(paths.used) for paths in self._by_key.values())
        return f"<compiled {self.name}, {n} path{'s' * (n != 1)}>"

    def __get__(self, instance, owner=None):
        return self if instance is None else functools.partial(self, instance)

    def map(
        self,
        *batches,
        derivative=None,
        in_axes=0,
        argnums=0,
        threads=None,
        progress=None,
        out=None,
    ):
        """The value or a derivative for each row of a batch.

        Each row has the bits of a call for it alone, with any number of threads.  Rows that go
        other ways through the function are told apart, and recorded where need be.

        Parameters
        ----------
        *batches : arrays, or nested containers of them
            The arguments, each array with an axis of N rows; a function of a float takes an array
            of N.  Integers in rows are numbers like others.
        derivative : None, "value", "gradient", "value_and_gradient" or "hessian"
            None is the value.
        in_axes : int, None, or a tuple with one of them for each argument
            Which axis has the rows; None for an argument that all rows share.
        argnums : int or tuple of int
            What derivatives are with respect to.
        threads : int, optional
            At most as many threads.  By default as many as there are processors if there is much
            to do.
        progress : bool, optional
            Whether to draw a bar on standard error; by default on a terminal, after 2 seconds.
        out : arrays in the structure of the result, optional
            Where to write it.

        Returns
        -------
        arrays
            In the structure that one call gives, each with the N rows along its first axis.

        Examples
        --------
        >>> import adcore, numpy as np
        >>> f = adcore.compile(lambda x: x[0] ** 2 * np.sin(x[1]))
        >>> f.map(np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]), derivative="gradient")
        array([[0., 1.],
               [0., 4.],
               [0., 9.]])
        """
        from . import _map  # when first needed

        return _map.map_rows(
            self, Arguments, batches, derivative, in_axes, argnums, threads, progress, out
        )

    # -- recording and replaying --

    def _record(self, arguments):
        found = []

        def run(tensors):
            leaves, structure = flatten(arguments.call(self.f, tensors))
            masks = {i for i, v in enumerate(leaves) if type(v) is Mask}
            found.extend([structure, masks])
            return [v.tensor if type(v) is Mask else v for v in leaves]

        marked = [(a, False) for a in arguments.inputs]
        for tree in arguments.trees:
            if type(tree) is _Floats:
                marked[tree.at] = (arguments.inputs[tree.at], True)
        program, where = _core.record_program(run, marked, self.reassociate)
        where = [(varies, v if varies else _constant(self.name, v)) for varies, v in where]
        for varies, v in where:
            if not varies and _holds_tensor(v):
                raise NotDifferentiableError(
                    f"{self.name} returned a {type(v).__name__} with a tensor inside, which a "
                    "replay could not find anew; return numbers and arrays, or lists, tuples, "
                    "dicts, named tuples or dataclasses of them"
                )
        return _Path(self.name, program, where, *found)

    def _grow(self, paths, arguments, parent, link):
        """The path at `link` of its parent, recorded if another thread has not done so by now."""
        with self._lock:
            known = paths.root if parent is None else parent.children.get(link)
            if known is not None:
                return known, False
            if self.f is None:
                raise self._not_recorded(arguments, parent, link)
            path = self._record(arguments)
            paths.add(path, parent, link, max(self.max_paths, 2))
            return path, True

    def _not_recorded(self, arguments, parent, link):
        """The error for a way to go that is not in the file."""
        from . import _files  # when first needed

        remedy = (
            f"call {self.name} so before it is saved, or give the function to record it with: "
            "adcore.load(path, f)"
        )
        if parent is None:
            known = [_files.describe(k) for k, paths in self._by_key.items() if paths.root]
            known = known[:5] + ["..."] * (len(known) > 5)
            return NotRecordedError(
                f"{self.name} was loaded without its function, and saved for arguments "
                f"{' or '.join(known) or 'of no kind'}, not for "
                f"{_files.describe(arguments.key)}; {remedy}"
            )
        kind, file, line, function, expected = parent.program.guards[link[0]]
        now = np.frombuffer(link[1])
        at = int(np.flatnonzero(expected.view(np.int64) != now.view(np.int64))[0])
        before, after = expected[at].item(), now[at].item()
        if kind != "value":
            before, after = bool(before), bool(after)
        what = {"truth": "the comparison", "mask": "the mask", "value": "the value taken out"}[kind]
        where = f"at {file}:{line} in {function}" if file else "at a line that is not known"
        which = f"element {at} of " if expected.size > 1 else ""
        return NotRecordedError(
            f"{self.name} was loaded without its function, and goes a way that was not saved: "
            f"{which}{what} {where} was {before} when it was recorded and is {after} now; {remedy}"
        )

    def _paths(self, arguments):
        key = arguments.key
        paths = self._by_key.get(key)
        if paths is not None:
            with contextlib.suppress(KeyError):  # another thread has let go of it
                self._by_key.move_to_end(key)
            return paths
        kept = _Paths(arguments.replaced([]))
        if self.f is None:
            return kept  # in which nothing will be recorded
        with self._lock:
            paths = self._by_key.setdefault(key, kept)
            many = len(self._by_key) > self.MOST_KINDS
            if many:
                self._by_key.popitem(last=False)
        if many and not self._crowded:
            self._crowded = True
            warnings.warn(
                f"compiled {self.name} was called with more than {self.MOST_KINDS} kinds of "
                "arguments, each of which is recorded; those not used for longest are let go of.  "
                "Integers, other objects and shapes make kinds: pass numbers that change as floats",
                RuntimeWarning,
                stacklevel=_levels_in_adcore() + 1,
            )
        return paths

    def _replay(self, arguments, derive=None, more=(), out=None):
        """(path, arrays of the outputs) of the path's program, or of derive(path).

        `more` are the inputs that the derivation adds; `out` takes the last output of derive(path)
        where that can be written into it.  The arrays are None if the result does not
        vary, so that it has no derivative; both are None if the function does not settle, so that
        Python must run it.
        """
        paths = self._paths(arguments)
        if not paths.settled:
            return None, None
        inputs = arguments.inputs
        path, fresh = paths.root, False
        if path is None:
            path, fresh = self._grow(paths, arguments, None, None)
        while True:
            program, refused = path.program, None
            derived = derive is not None and path.varies
            if derived:
                try:
                    program = self._derived(path, derive, more)
                except ShapeError as error:  # which counts only if this is the path to take
                    refused, derived = error, False
            if self.backend == "c" and program.backend is None:
                self._use_native(program)
            arrays = [np.empty(s) for s in program.output_shapes]
            if derived and _takes(out, arrays[-1:], (*inputs, *more)):
                arrays[-1] = out
            failed, outcome = program.run([*inputs, *more] if derived else inputs, arrays)
            if failed < 0:
                if refused is not None:
                    raise refused
                if path in paths.used:
                    paths.used.move_to_end(path)
                paths.credit = min(paths.credit + 0.1, paths.CREDIT)
                return path, arrays if derived or derive is None else None
            link = (failed, outcome)
            following = path.children.get(link)
            if following is None and (fresh or paths.credit < 1.0):
                paths.settled = False
                self._warn(program, failed, fresh)
                return None, None
            if following is None:
                path, fresh = self._grow(paths, arguments, path, link)
            else:
                path, fresh = following, False

    def _derived(self, path, derive, more):
        """The program derive(path), which takes `more`; a ShapeError if it takes something else."""
        program = derive(path)
        given = [a.shape for a in more]
        expected = program.input_shapes[len(path.program.input_shapes) :]
        if given != expected:
            raise ShapeError(
                f"{self.name} was to be derived along arrays of shapes {given} where {expected} "
                "are expected"
            )
        return program

    def _warn(self, program, failed, fresh):
        kind, file, line, function, _ = program.guards[failed]
        what = {
            "truth": "a comparison",
            "mask": "a mask",
            "value": "a value taken out by item(), detach(), numpy() or the like",
        }[kind]
        how = (
            "comes out otherwise when it is replayed with the same arguments"
            if fresh
            else "comes out otherwise at almost every call"
        )
        warnings.warn(
            f"compiled {self.name} is recorded anew at every call from now on, as slow as without "
            f"compile: {what} at {file}:{line} in {function} {how}.  Write the choice with "
            "adcore.where(), or keep the value in adcore's and NumPy's functions",
            RuntimeWarning,
            stacklevel=_levels_in_adcore() + 1,
        )

    # -- as C --

    def _use_native(self, program):
        from . import _native  # when first needed

        reason = _native.use(program)
        if reason is not None and not self._warned:
            self._warned = True
            warnings.warn(
                f'compiled {self.name} with backend="c" is run by the interpreter: {reason}',
                RuntimeWarning,
                stacklevel=5,
            )

    def to_c(self, *args, derivatives=("value", "gradient"), name=None, argnums=0):
        """The function and its derivatives as one self-contained C99 file with a header.

        Parameters
        ----------
        *args
            Arguments as the function is called with: their shapes, and the way that the function
            goes for them, are what is written.  Without any, those of the only way recorded so far.
        derivatives : sequence of str
            What to write: "value", "gradient", "hvp" (inputs: those of the function, then a vector
            for each argument), "hessian", "jacobian", "jvp", "vjp".
        name : str, optional
            Of the files and, with what is computed behind it, of the functions; the function's own
            if left out.
        argnums : int or tuple of int
            What to differentiate with respect to.

        Returns
        -------
        CSource
            With ``.source``, ``.header``, ``.functions`` and ``.write(folder)``.

        Raises
        ------
        TapeError
            If the function calls a rule written in Python, which C cannot.
        """
        from . import _c_source  # when first needed

        path, arguments = self._path_for_c(args, argnums)
        wanted = () if tuple(derivatives) == ("value",) else arguments.wanted(argnums)
        programs = {}
        for what in derivatives:
            if what not in _AS_C:
                raise ValueError(f"to_c can write {', '.join(_AS_C)}; got {what!r}")
            words, steps = _AS_C[what]
            if what in ("gradient", "hvp", "hessian"):
                path.check_scalar(what, f'derivatives=("jacobian",) for {self.name}')
            program = path.program
            if not path.varies:
                raise TapeError(f"{self.name} returned a constant, of which there is no program")
            for step in steps:
                program = program.derived(step, wanted)
            programs[what] = program, f"{words} {self.name}"
        chosen = _c_source.c_name(self.name if name is None else name)
        return _c_source.c_source(chosen, programs)

    def _path_for_c(self, args, argnums):
        if args:
            arguments = self._arguments(args, {}, argnums)
            if arguments is None:
                raise TypeError(f"to_c of {self.name} needs plain numbers and arrays")
            path, _ = self._replay(arguments)
            if path is None:
                raise TapeError(f"compiled {self.name} does not settle; there is no program of it")
            return path, arguments
        known = [(path, paths) for paths in self._by_key.values() for path in paths.used]
        if len(known) != 1:
            raise TypeError(
                f"to_c of {self.name} needs arguments to go by: {len(known)} ways are recorded"
            )
        path, paths = known[0]
        if paths.arguments is None:
            raise TypeError(f"to_c of {self.name}, which was loaded, needs arguments to go by")
        return path, paths.arguments

    # -- values --

    def _call(self, *args, **kwargs):
        """The value, as f gives it."""
        if _core.is_compiling() and self.f is not None:
            return self.f(*args, **kwargs)  # part of what is being recorded
        arguments = Arguments(self.name, args, kwargs)
        if arguments.traced:
            if self._paths(arguments).settled:
                with contextlib.suppress(_UnsettledError):
                    return _calls.call(_Call(self, arguments), arguments.inputs)
            return self._in_python(*args, **kwargs)
        path, arrays = self._replay(arguments)
        if path is None:
            leaves, structure = flatten(self._in_python(*args, **kwargs))
            return unflatten(structure, [_constant(self.name, v) for v in leaves])
        if path.where == [(True, 0)] and path.structure.key() is None and not path.masks:
            self._prime(self.entry, arguments, path.program, False)
        return path.output(arrays)

    def _prime(self, entry, arguments, program, valued):
        """Let further calls with arguments of this kind take the short way."""
        if not arguments.names and all(type(tree) is _Leaf for tree in arguments.trees):
            kinds = ["float" if k == () else k for k in arguments.key[2]]
            entry.prime(program, kinds, valued)

    @property
    def _in_python(self):
        """The function itself, which does not settle, run on what it was recorded on.

        So x.item() and x.detach() work as they did, also of what is not differentiated.
        """

        @functools.wraps(self.f)
        def run(*args, **kwargs):
            arguments = Arguments(self.name, args, kwargs)
            return arguments.call(
                self.f, [v if type(v) in (Tensor, Dual) else _core.tensor(v) for v in arguments.inputs]
            )

        return run

    # -- derivatives --

    def _grad(self, *args, argnums=0, out=None, **kwargs):
        """As adcore.grad(f, argnums)(*args)."""
        return self._gradient("grad", argnums, args, kwargs, out)

    def _value_and_grad(self, *args, argnums=0, out=None, **kwargs):
        """As adcore.value_and_grad(f, argnums)(*args); `out` takes the gradient."""
        return self._gradient("value_and_grad", argnums, args, kwargs, out)

    def _hessian(self, *args, argnums=0, out=None, **kwargs):
        """As adcore.hessian(f, argnums)(*args)."""
        return self._curvature("hessian", argnums, args, kwargs, out)

    def _value_grad_and_hessian(self, *args, argnums=0, out=None, **kwargs):
        """As adcore.value_grad_and_hessian(f, argnums)(*args); `out` takes the Hessian."""
        return self._curvature("value_grad_and_hessian", argnums, args, kwargs, out)

    def _gradient(self, transform, argnums, args, kwargs, out):
        arguments = self._arguments(args, kwargs, argnums)
        if arguments is None:
            return getattr(transforms, transform)(self, argnums)(*args, **kwargs)
        wanted = arguments.wanted(argnums)
        path, arrays = self._replay(arguments, self._scalar("grad", transform, wanted), out=out)
        if path is None:
            return getattr(transforms, transform)(self._in_python, argnums)(*args, **kwargs)
        if arrays is not None and argnums == 0:
            program = path.program.derived(transform, wanted)
            self._prime(self._entries[transform], arguments, program, True)
        value, arrays = self._value_apart(path, arrays, transform == "value_and_grad")
        if arrays is None:
            arrays = [np.zeros(arguments.inputs[k].shape) for k in wanted]
        found = {k: _plain(a) for k, a in zip(wanted, arrays, strict=True)}
        gradient = _filled(out, arguments.tree(argnums, found))
        return gradient if transform == "grad" else (value, gradient)

    def _curvature(self, transform, argnums, args, kwargs, out):
        arguments = self._arguments(args, kwargs, argnums)
        if arguments is None:
            return getattr(transforms, transform)(self, argnums)(*args, **kwargs)
        wanted = arguments.wanted(argnums)
        n, all_of_it = len(wanted), transform == "value_grad_and_hessian"
        path, arrays = self._replay(arguments, self._scalar("hessian", transform, wanted), out=out)
        if path is None:
            return getattr(transforms, transform)(self._in_python, argnums)(*args, **kwargs)
        if arrays is not None and argnums == 0:
            program = path.program.derived(transform, wanted)
            self._prime(self._entries[transform], arguments, program, True)
        value, arrays = self._value_apart(path, arrays, all_of_it)
        shapes = [arguments.inputs[k].shape for k in wanted]
        if arrays is None:
            arrays = [np.zeros(s) for s in shapes] if all_of_it else []
            arrays += [np.zeros(s + t) for s in shapes for t in shapes]
        blocks = iter(arrays[n:] if all_of_it else arrays)
        blocks = {i: {j: next(blocks) for j in wanted} for i in wanted}
        curvature = _filled(out, arguments.twice(argnums, blocks))
        if not all_of_it:
            return curvature
        found = {k: _plain(a) for k, a in zip(wanted, arrays[:n], strict=True)}
        return value, arguments.tree(argnums, found), curvature

    def _value_apart(self, path, arrays, kept):
        """(value, other arrays) of a program that keeps the value first; value None if not."""
        if not kept:
            return None, arrays
        if arrays is None:
            return float(path.where[0][1]), None
        return float(arrays[0]), arrays[1:]

    def _scalar(self, name, kind, wanted):
        """The derivation of a function that must return one real number."""
        instead = "jacobian" if name == "grad" else "jacobian of grad"

        def derive(path):
            path.check_scalar(name, f"{self.name}.{instead}")
            return path.program.derived(kind, wanted)

        return derive

    def hvp(self, primals, tangents, out=None):
        """As adcore.hvp(f, primals, tangents): (gradient, product); `out` takes the product."""
        leaves, argnums = _directions("hvp", primals, tangents)
        arguments = self._arguments(primals, {}, argnums)
        if arguments is None or _traced(leaves):
            return transforms.hvp(self, primals, tangents)
        wanted = arguments.wanted(argnums)

        def derive(path):
            path.check_scalar("hvp", f"jvp of {self.name}.jacobian")
            gradient = path.program.derived("grad", wanted)
            return gradient.derived("value_and_jvp", wanted)

        seeds = Arguments(self.name, tangents, {}, set(argnums)).inputs
        _expect_shapes(seeds, arguments, wanted)
        path, arrays = self._replay(arguments, derive, seeds)
        if path is None:
            return transforms.hvp(self._in_python, primals, tangents)
        if arrays is None:
            arrays = [np.zeros(arguments.inputs[k].shape) for k in wanted] * 2
        n = len(wanted)
        parts = []
        for half in (arrays[:n], arrays[n:]):
            found = {k: _plain(a) for k, a in zip(wanted, half, strict=True)}
            parts.append(arguments.tree(argnums[0] if len(argnums) == 1 else argnums, found))
        return parts[0], _filled(out, parts[1])

    def jvp(self, primals, tangents):
        """As adcore.jvp(f, primals, tangents): (value, tangent)."""
        leaves, argnums = _directions("jvp", primals, tangents)
        arguments = self._arguments(primals, {}, argnums)
        if arguments is None or _traced(leaves):
            return transforms.jvp(self, primals, tangents)
        wanted = arguments.wanted(argnums)
        seeds = Arguments(self.name, tangents, {}, set(argnums)).inputs
        _expect_shapes(seeds, arguments, wanted)
        path, arrays = self._replay(
            arguments, lambda path: path.program.derived("value_and_jvp", wanted), seeds
        )
        if path is None:
            return transforms.jvp(self._in_python, primals, tangents)
        if arrays is None:
            return path.output([]), path.output([], zero=True)
        n = len(path.program.output_shapes)
        return path.output(arrays[:n]), path.output(arrays[n:], zero=True)

    def vjp(self, *primals):
        """As adcore.vjp(f, *primals): (value, pullback)."""
        argnums = tuple(range(len(primals)))
        arguments = self._arguments(primals, {}, argnums)
        if arguments is None:
            return transforms.vjp(self, *primals)
        wanted = arguments.wanted(argnums)
        path, arrays = self._replay(arguments)
        if path is None:
            return transforms.vjp(self._in_python, *primals)
        value = path.output(arrays)
        copies = arguments.replaced([a.copy() for a in arguments.inputs])

        def pullback(ct):
            shapes = [shape_of(v) for v in flatten(value)[0]]
            given = same_leaves("the cotangent", ct, len(shapes), shapes)
            if _traced(given):
                return transforms.vjp(self, *primals)[1](ct)
            seeds = [
                np.ascontiguousarray(c, np.float64).reshape(s)
                for c, s, (varies, _) in zip(given, shapes, path.where, strict=True)
                if varies
            ]
            _, found = self._replay(copies, lambda p: p.program.derived("vjp", wanted), seeds)
            if found is None:
                found = [np.zeros(copies.inputs[k].shape) for k in wanted]
            found = {k: _plain(a) for k, a in zip(wanted, found, strict=True)}
            return arguments.tree(argnums, found)

        return value, pullback

    def jacobian(self, *args, argnums=0, out=None, **kwargs):
        """As adcore.jacobian(f, argnums)(*args)."""
        arguments = self._arguments(args, kwargs, argnums)
        if arguments is None:
            return transforms.jacobian(self, argnums)(*args, **kwargs)
        wanted = arguments.wanted(argnums)
        path, arrays = self._replay(
            arguments, lambda path: path.program.derived("jacobian", wanted)
        )
        if path is None:
            return transforms.jacobian(self._in_python, argnums)(*args, **kwargs)
        blocks = iter(arrays or ())
        leaves = []
        for varies, v in path.where:
            shape = path.program.output_shapes[v] if varies else shape_of(v)
            found = {
                k: _plain(next(blocks) if varies else np.zeros(shape + arguments.inputs[k].shape))
                for k in wanted
            }
            leaves.append(arguments.tree(argnums, found))
        return _filled(out, unflatten(path.structure, leaves))

    # -- files, pickles and copies --

    def save(self, path):
        """Write all that is recorded to a file, for adcore.load().

        What is kept is every kind of arguments the function was called with, and every way it
        went; derivatives are made anew from these.  Integers, truths, text, bytes and None among
        arguments and constant results are kept with lists, tuples and dicts of them; named tuples,
        dataclasses and other objects are not.

        Raises
        ------
        FormatError
            If no file can hold it, as where a rule written in Python is part of it (custom_vjp and
            the like), or an object that is not data; it names the line or the argument.  Or if
            nothing has been recorded.
        """
        from . import _files  # when first needed

        kinds = self._kinds()
        if not kinds:
            raise FormatError(f"{self.name} has not been called, so that there is nothing to save")
        data = _files.write(self._saved(kinds))
        with open(path, "wb") as file:
            file.write(data)

    def _saved(self, kinds):
        from . import _files  # when first needed

        most = min(max(self.max_paths, 2), _files.MOST)
        return _files.SavedFunction(self.name, self.reassociate, most, kinds)

    def _kinds(self):
        """All that is recorded: pairs (key, SavedPath list)."""
        with self._lock:
            return [(k, paths.listed()) for k, paths in self._by_key.items() if paths.root]

    def _take(self, kinds):
        """Begin with these paths, as _kinds() gives them; returns itself."""
        for key, saved in kinds:
            paths = self._by_key[key] = _Paths(None)
            nodes = []
            for p in saved:
                nodes.append(_Path(self.name, p.program, p.where, p.structure, []))
                parent = None if p.parent is None else nodes[p.parent]
                paths.add(nodes[-1], parent, p.link, len(saved))
            paths.credit = paths.CREDIT
        return self

    def __reduce__(self):
        """All that is recorded, and where the function is to be found."""
        from . import _files  # when first needed

        reference = _reference(self.f)
        try:
            data = _files.write(self._saved(self._kinds()))
        except FormatError:
            if reference is None:
                raise
            data = _files.write(self._saved([]))  # to be recorded again
        return _from_pickle, (data, reference)

    def __deepcopy__(self, memo):
        """A function with the same programs, which never change, and paths of its own."""
        other = memo[id(self)] = type(self).__new__(type(self))
        f = copy.deepcopy(self.f, memo)
        other.__init__(f, self.reassociate, self.max_paths, self.backend, self.name)
        return other._take(self._kinds())

    def __copy__(self):
        return self.__deepcopy__({id(self.f): self.f})

    # -- what there is to see --

    def summary(self):
        """What was recorded, and what became of it: an object whose text is a table.

        For each kind of arguments and each path: the guards with their lines; for the value and
        each derivative that was asked for, instructions and slots before and after each pass, what
        was re-rolled and what was not and why, the steps of the plan, and its memory.
        """
        from . import _summary  # when first needed: imports that a start can do without

        return _summary.summary(self)

    def profile(self, *args, derivative=None, argnums=0, repeat=None, **kwargs):
        """The time that each line of the source takes, of the value and of derivatives.

        Measured in C, without the conversion of arguments; str() of the result is a table.

        Parameters
        ----------
        *args, **kwargs
            Of a call; the path that it takes is profiled.
        derivative : str or sequence of str, optional
            Names of methods: "grad", "value_and_grad", "hessian", "value_grad_and_hessian",
            "jacobian", "jvp", "vjp", "hvp"; () for the value alone.  Left out, it is
            value_and_grad if the result is a number, and vjp if it is not.
        argnums : int or sequence of int
            Which positional arguments the derivatives are with respect to.
        repeat : int, optional
            How many rounds are measured, of which the shortest times count; left out, as many as
            go into a fifth of a second.
        """
        from . import _profile

        arguments, path = self._followed(args, kwargs, argnums if derivative != () else ())
        return _profile.profile(path, arguments, derivative, argnums, repeat)

    def plot(self, path=None, *, args=None, derivative=None, argnums=0):
        """The program as a graph, in the language of Graphviz; notebooks show it drawn.

        Nodes are instructions, with the number of their results and their line; those of a program
        of more than 300 are folded by line, or by function.  Derivatives include what of the value
        they need.

        Parameters
        ----------
        path : str or os.PathLike, optional
            Where to write it: .dot as text, .svg, .png and .pdf drawn, for which Graphviz's
            program dot must be installed.
        args : tuple, optional
            The arguments of a call whose path is meant; left out, it is the path used last.
        derivative : str, optional
            As in profile(); left out, the value.
        argnums : int or sequence of int
            Which positional arguments the derivative is with respect to.
        """
        from . import _look, _plot

        if args is None and derivative is None:
            taken = self._last_path()
            program = taken.program
        elif args is None:
            raise TypeError("the plot of a derivative needs args, the arguments of a call")
        else:
            arguments, taken = self._followed(args, {}, argnums if derivative else ())
            wanted = arguments.wanted(argnums) if derivative else ()
            program, _ = _look.derivation(taken, derivative, wanted, arguments.inputs)
        of = f"{derivative} of {self.name}" if derivative else self.name
        picture = _plot.plot(of, program)
        if path is not None:
            picture.save(path)
        return picture

    def _followed(self, args, kwargs, argnums):
        """(arguments, the path that they take), recorded if it is new."""
        arguments = self._arguments(args, kwargs, argnums)
        if arguments is None:
            raise TypeError(
                f"{self.name} can be looked at with plain numbers and arrays as its arguments, not "
                "with tensors of a transform, nor while another function is recorded"
            )
        path, _ = self._replay(arguments)
        if path is None:
            raise TapeError(
                f"{self.name} does not settle, so that Python runs it at every call: there is no "
                "program to look at; see summary()"
            )
        return arguments, path

    def _last_path(self):
        for paths in reversed(list(self._by_key.values())):
            if paths.used:
                return next(reversed(paths.used))
        raise TapeError(f"{self.name} is not recorded yet: call it, or give args")

    def _arguments(self, args, kwargs, argnums):
        """The arguments, or None if the derivative is to be left to the transforms."""
        if _core.is_compiling():
            return None
        picked = (argnums,) if isinstance(argnums, int) else tuple(argnums)
        numeric = {i % len(args) for i in picked} if args else ()
        arguments = Arguments(self.name, args, kwargs, numeric)
        return None if arguments.traced else arguments


def _from_bytes(data, f):
    from . import _files  # when first needed

    saved = _files.read(data)
    return Compiled(f, saved.reassociate, saved.max_paths, name=saved.name)._take(saved.kinds)


def _from_pickle(data, reference):
    """A pickled function; its Python function is None where that is not found, or has changed."""
    f = None
    if reference is not None:
        module, name, fingerprint = reference
        f = _found(module, name)
        if f is not None and _fingerprint(f) != fingerprint:
            f = None
    return _from_bytes(data, f)


def _reference(f):
    """(module, qualified name, fingerprint) of a function that importing finds; else None."""
    module, name = getattr(f, "__module__", None), getattr(f, "__qualname__", None)
    if module is None or name is None or _found(module, name) is not f:
        return None
    return module, name, _fingerprint(f)


def _found(module, name):
    """What stands under a name in a module, compiled or not; None if there is no such thing."""
    try:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return None
    return found.f if isinstance(found, Compiled) else found


def _fingerprint(f):
    """A number that tells a function's code from other code; of whatever has none, 0."""

    def parts(code):
        return code.co_code, code.co_names, code.co_varnames, [*map(constant, code.co_consts)]

    def constant(c):
        if isinstance(c, frozenset):
            return sorted(map(repr, c))  # which has no order that outlives a process
        return parts(c) if hasattr(c, "co_code") else repr(c)

    code = getattr(f, "__code__", None)
    return 0 if code is None else _core.crc64(repr(parts(code)).encode())


def _filled(out, found):
    """`found`, copied into `out` if that is given: arrays in the same structure."""
    if out is None:
        return found
    leaves, _ = flatten(out)
    values, _ = flatten(found)
    if [shape_of(v) for v in leaves] != [shape_of(v) for v in values]:
        raise ShapeError(
            f"out holds arrays of shapes {[shape_of(v) for v in leaves]}; the result has "
            f"{[shape_of(v) for v in values]}"
        )
    for to, value in zip(leaves, values, strict=True):
        if not isinstance(to, np.ndarray):
            raise TypeError(f"out must hold arrays to write into, not a {type(to).__name__}")
        if to is not value:
            to[...] = value
    return out


def _takes(out, results, inputs):
    """Whether a program can write its last result into `out`, which saves a copy."""
    return (
        type(out) is np.ndarray
        and out.flags.carray
        and out.dtype == np.float64
        and [out.shape] == [a.shape for a in results]
        and not any(np.may_share_memory(out, a) for a in inputs)
    )


def _directions(name, primals, tangents):
    """(all leaves, the numbers of the arguments)."""
    leaves, directions, _ = transforms.tangents_of(primals, tangents, name)
    return [*leaves, *directions], tuple(range(len(primals)))


def _traced(leaves):
    return any(type(v) is Dual or (type(v) is Tensor and v.requires_grad) for v in leaves)


def _expect_shapes(seeds, arguments, wanted):
    given, expected = [s.shape for s in seeds], [arguments.inputs[k].shape for k in wanted]
    if given != expected:
        raise ShapeError(f"the tangents have shapes {given} where {expected} are expected")


def _holds_tensor(v):
    """Whether an object that is not looked into, such as one of a class, leads to a tensor."""
    seen, waiting = set(), [v]
    while waiting and len(seen) < _MOST_SEEN:
        v = waiting.pop()
        if id(v) in seen or isinstance(v, (type, types.ModuleType)):
            continue
        seen.add(id(v))
        if type(v) is Mask or (type(v) is Tensor and v.requires_grad):
            return True
        if isinstance(v, types.FunctionType):  # but not all that its module has
            waiting += [v.__closure__, v.__defaults__, v.__kwdefaults__]
        elif gc.is_tracked(v):
            waiting += gc.get_referents(v)
    return False


_MOST_SEEN = 10_000


def _constant(name, v):
    """A result that does not vary, as a number or an array that nobody else can change."""
    if type(v) is Tensor:
        v = _core.peek(v)
    if type(v) is Dual:
        raise NotDifferentiableError(
            f"{name} returned a dual number although its arguments were none: it uses one from "
            "outside; make that an argument of its own"
        )
    return _own(v)


# ---- under a transform: one instruction, whose rules are compiled too ----


class _UnsettledError(TapeError):
    """A function that does not settle was to be one instruction."""


class _Call:
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
            raise _UnsettledError(
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
            return [_plain(a) for a in arrays], path
        return path.output(arrays), path

    def _derived(self, leaves, path, kind, wanted, moves):
        """The leaves of the output of a derivation; None if no output varies.

        `moves` are the seeds that it adds, given the path.
        """
        if path is None:
            path, _ = self._replay([_values_below(v) for v in leaves])
        if not path.varies:
            return None
        call = _Call(self.compiled, self.arguments, (*self.chain, (kind, wanted)))
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

"""Compiled functions: recorded once, replayed without Python, and recorded again where they branch.

What a function does for arguments of one structure is a tree of paths.  The root is what it did at
its first call.  A path ends in guards, the numbers that Python saw and acted upon; a replay that
finds other numbers at guard k goes on at the path that `children[k, those numbers]` names, which
shares all guards before k, or is recorded there.
"""

import functools
import threading
import warnings
from collections import OrderedDict

import numpy as np

from . import _calls, _core, transforms
from ._core import Dual, Tensor
from ._trees import flatten, same_leaves, shape_of, unflatten
from .errors import NotDifferentiableError, ShapeError, TapeError


def compile(f=None, *, reassociate=True, max_paths=64):
    """A function that is recorded at its first call and replayed in C from then on.

    It is called like `f`, and has methods for its derivatives: ``grad``, ``value_and_grad``,
    ``hessian``, ``value_grad_and_hessian``, ``hvp``, ``jvp``, ``vjp`` and ``jacobian``, which take
    and return what the transforms of the same names do.

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
        return functools.partial(compile, reassociate=reassociate, max_paths=max_paths)
    if not callable(f):
        raise TypeError(f"compile needs a function, got {f!r}")
    return Compiled(f, reassociate, max_paths)


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
        if kind in (list, tuple) and leaves and {float}.issuperset(map(type, leaves)):
            return _Floats(kind, self._input(np.array(leaves))), (kind, len(leaves))
        pairs = [self._leaf(v, numeric) for v in leaves]
        described = (structure.key(), *[key for _, key in pairs])
        return _Tree(structure, [place for place, _ in pairs]), described

    def _leaf(self, v, numeric):
        """The place of a leaf, and what the key says of it."""
        if type(v) is Dual or (type(v) is Tensor and v.requires_grad):
            self.traced = True
            return self._input(v), v.shape
        if type(v) is Tensor or isinstance(v, (float, int, np.ndarray, np.generic)):
            array = np.asarray(_core.peek(v))
            real = array.dtype.kind == "f" or (numeric and array.dtype.kind in "iu")
            if real:
                flat = np.ascontiguousarray(array, dtype=np.float64)
                return self._input(flat.reshape(array.shape)), array.shape
            if isinstance(v, np.ndarray) and array.dtype.kind in "biuSU":
                return (v.copy(),), (array.dtype.str, array.shape, array.tobytes())
        if numeric:
            raise TypeError(
                f"{self.name} is to be differentiated with respect to a {type(v).__name__}; "
                "derivatives are with respect to real numbers and float arrays: leave it out of "
                "argnums"
            )
        try:
            hash(v)
        except TypeError:
            raise TypeError(
                f"{self.name} was called with a {type(v).__name__}, which is neither a number nor "
                "an array, nor can it be told from others by its hash; pass numbers, float arrays, "
                "or hashable objects"
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
        return [i % self.n_args for i in picked]

    def tree(self, argnums, found):
        """Results found[i], arrays for input i, in the structure of the chosen arguments."""
        built = [self.trees[i].build(found, _last_apart) for i in self.chosen(argnums)]
        return built[0] if isinstance(argnums, int) else tuple(built)

    def twice(self, argnums, blocks):
        """Results blocks[i][j], of the shapes of inputs i and j, in the structure twice."""

        def inner(row):
            return self.tree(argnums, {j: _plain(b) for j, b in row.items()})

        def apart(row):
            n = len(next(iter(row.values())))
            return [inner({j: b[m] for j, b in row.items()}) for m in range(n)]

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


def _last_apart(array):
    """A list of what is at each place of the last dimension."""
    return array.tolist() if array.ndim == 1 else list(np.moveaxis(array, -1, 0))


# ---- paths ----


class _Path:
    """One way through a function: its program, and the programs of its derivatives."""

    def __init__(self, name, program, where, structure):
        self.name, self.program, self.where, self.structure = name, program, where, structure
        self.children = {}  # (guard, the numbers it saw as bytes) -> _Path
        self.parent = self.link = None
        self.varies = any(varies for varies, _ in where)

    def output(self, arrays, zero=False):
        """The result as the function returned it, of the arrays of the program's outputs.

        With `zero` what does not vary is zero, as in a tangent.
        """
        leaves = [
            _plain(arrays[v]) if varies else _plain(np.zeros(shape_of(v))) if zero else v
            for varies, v in self.where
        ]
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

    CREDIT = 64.0  # recordings that may be made before calls without one have earned more

    def __init__(self):
        self.root = None
        self.used = OrderedDict()  # path -> None, the one not used for longest first
        self.credit = self.CREDIT
        self.settled = True

    def add(self, path, parent, link, most):
        """Take in a path, and beyond `most` let go of the one not used for longest.

        It must leave no more than one child, which takes its place: that has the guards that lead
        there as well.
        """
        path.parent, path.link = parent, link
        if parent is None:
            self.root = path
        else:
            parent.children[link] = path
        self.used[path] = None
        self.credit -= 1.0
        if len(self.used) > most:
            old = next(p for p in self.used if len(p.children) < 2 and p is not path)
            del self.used[old]
            if old.parent is not None:
                del old.parent.children[old.link]
            for child in old.children.values():
                child.parent, child.link = old.parent, old.link
                if old.parent is None:
                    self.root = child
                else:
                    old.parent.children[old.link] = child


class Compiled(_core.Called):
    """A function that is replayed in C: see compile()."""

    def __init__(self, f, reassociate, max_paths):
        self.f, self.reassociate, self.max_paths = f, reassociate, max_paths
        self.name = getattr(f, "__name__", type(f).__name__)
        functools.update_wrapper(self, f, updated=())
        self._by_key = {}
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

    # -- recording and replaying --

    def _record(self, arguments):
        found = []

        def run(tensors):
            leaves, structure = flatten(arguments.call(self.f, tensors))
            found.append(structure)
            return leaves

        marked = [(a, False) for a in arguments.inputs]
        for tree in arguments.trees:
            if type(tree) is _Floats:
                marked[tree.at] = (arguments.inputs[tree.at], True)
        program, where = _core.record_program(run, marked, self.reassociate)
        where = [(varies, v if varies else _constant(self.name, v)) for varies, v in where]
        return _Path(self.name, program, where, found[0])

    def _grow(self, paths, arguments, parent, link):
        """The path at `link` of its parent, recorded if another thread has not done so by now."""
        with self._lock:
            known = paths.root if parent is None else parent.children.get(link)
            if known is not None:
                return known, False
            path = self._record(arguments)
            paths.add(path, parent, link, max(self.max_paths, 2))
            return path, True

    def _paths(self, arguments):
        paths = self._by_key.get(arguments.key)
        if paths is None:
            with self._lock:
                paths = self._by_key.setdefault(arguments.key, _Paths())
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
            arrays = [np.empty(s) for s in program.output_shapes]
            if derived and _takes(out, arrays[-1:], (*inputs, *more)):
                arrays[-1] = out
            failed, outcome = program.run([*inputs, *more] if derived else inputs, arrays)
            if failed < 0:
                if refused is not None:
                    raise refused
                if path in paths.used:
                    paths.used.move_to_end(path)
                paths.credit = min(paths.credit + 0.25, paths.CREDIT)
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
            stacklevel=4,
        )

    # -- values --

    def _call(self, *args, **kwargs):
        """The value, as f gives it."""
        if _core.is_compiling():
            return self.f(*args, **kwargs)  # part of what is being recorded
        arguments = Arguments(self.name, args, kwargs)
        if arguments.traced:
            return _calls.call(_Call(self, arguments), arguments.inputs)
        path, arrays = self._replay(arguments)
        if path is None:
            return self._in_python(arguments)
        if path.where == [(True, 0)] and path.structure.key() is None:
            self._prime(self.entry, arguments, path.program, False)
        return path.output(arrays)

    def _prime(self, entry, arguments, program, valued):
        """Let further calls with arguments of this kind take the short way."""
        if not arguments.names and all(type(tree) is _Leaf for tree in arguments.trees):
            kinds = ["float" if k == () else k for k in arguments.key[2]]
            entry.prime(program, kinds, valued)

    def _in_python(self, arguments):
        """The value, found by Python: of a function that does not settle."""
        values = [_plain(a) for a in arguments.inputs]
        leaves, structure = flatten(arguments.call(self.f, values, np.ndarray.tolist))
        return unflatten(structure, [_constant(self.name, v) for v in leaves])

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
            return getattr(transforms, transform)(self.f, argnums)(*args, **kwargs)
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
            return getattr(transforms, transform)(self.f, argnums)(*args, **kwargs)
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
            return transforms.hvp(self.f, primals, tangents)
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
            return transforms.jvp(self.f, primals, tangents)
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
            return transforms.vjp(self.f, *primals)
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
            return transforms.jacobian(self.f, argnums)(*args, **kwargs)
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

    def _arguments(self, args, kwargs, argnums):
        """The arguments, or None if the derivative is to be left to the transforms."""
        if _core.is_compiling():
            return None
        picked = (argnums,) if isinstance(argnums, int) else tuple(argnums)
        numeric = {i % len(args) for i in picked} if args else ()
        arguments = Arguments(self.name, args, kwargs, numeric)
        return None if arguments.traced else arguments


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


def _constant(name, v):
    """A result that does not vary, as a number or an array that nobody else can change."""
    if type(v) is Tensor:
        v = _core.peek(v)
    if type(v) is Dual:
        raise NotDifferentiableError(
            f"{name} returned a dual number although its arguments were none: it uses one from "
            "outside; make that an argument of its own"
        )
    return v.copy() if isinstance(v, np.ndarray) else v


# ---- under a transform: one instruction, whose rules are compiled too ----


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
        if path is None and self.chain:
            raise TapeError(
                f"compiled {self.name} does not settle, so that it has no derivative under a "
                "transform; use adcore's transforms on the function itself"
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
        if path is None:
            values = self.arguments.replaced([np.asarray(v, np.float64) for v in leaves])
            return self.compiled._in_python(values), None
        return path.output(arrays), path

    def _derived(self, leaves, path, kind, wanted, moves):
        """The leaves of the output of a derivation; None if no output varies.

        `moves` are the seeds that it adds, given the path.
        """
        if path is None:
            path, _ = self._replay([_values_below(v) for v in leaves])
        if path is None or not path.varies:
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

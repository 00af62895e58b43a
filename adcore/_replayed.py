"""What is recorded of a function: replayed where it holds, and recorded again where it does not."""

import collections
import functools
import gc
import itertools
import sys
import types
import warnings
from _thread import RLock  # threading itself takes long to import

import numpy as np

from . import _core
from ._arguments import Arguments, Floats
from ._core import Dual, Tensor
from ._paths import Path, Paths, own
from ._trees import flatten
from .errors import NotDifferentiableError, NotRecordedError, ShapeError, TapeError
from .rules.indices import Index
from .rules.masks import Mask


class Replayed:
    """A function with all that is recorded of it."""

    MOST_KINDS = 256  # of arguments whose paths are kept at a time

    def __init__(self, f, reassociate, max_paths, backend=None, name=""):
        self.f, self.reassociate, self.max_paths = f, reassociate, max_paths
        self.backend = backend
        if f is None:  # loaded, to be replayed alone
            self.name = self.__name__ = self.__qualname__ = name
        else:
            self.name = name or getattr(f, "__name__", type(f).__name__)
            functools.update_wrapper(self, f, updated=())
        self._by_key = {}  # key of a kind of arguments -> Paths
        self._clock = itertools.count()  # of calls that look for their kind
        self._owner = ()  # of a method: (self,)
        # "gone": how many kinds of arguments were let go of with an object; and warnings given
        self._counts = collections.Counter()
        self._lock = RLock()

    def __repr__(self):
        n = sum(len(paths.used) for paths in list(self._by_key.values()))
        return f"<compiled {self.name}, {n} path{'s' * (n != 1)}>"

    def _given(self, args, kwargs, numeric=()):
        return Arguments(self.name, args, kwargs, numeric, self._owner)

    def _arguments(self, args, kwargs, argnums):
        """The arguments, or None if the derivative is to be left to the transforms."""
        if _core.is_compiling():
            return None
        picked = (argnums,) if isinstance(argnums, int) else tuple(argnums)
        numeric = {i % len(args) for i in picked} if args else ()
        arguments = self._given(args, kwargs, numeric)
        return None if arguments.traced else arguments

    def _paths(self, arguments):
        paths = self._by_key.get(arguments.key)
        if paths is None:
            paths = Paths(arguments)
            if self.f is None:
                return paths  # in which nothing will be recorded
            for now in paths.snapshots:
                now.keep()
            self._make_room()
            paths = self._by_key.setdefault(paths.key, paths)  # at once, so that no lock is needed
        paths.wanted = next(self._clock)
        if paths.key is not None:
            arguments.key = paths.key  # which stays as it is when an object changes
        return paths

    def _make_room(self):
        """Let go of kinds of arguments that will not come again, or are not wanted for longest."""
        known = list(self._by_key.items())
        gone = [key for key, paths in known if paths.gone()]
        many = len(known) - len(gone) >= self.MOST_KINDS
        if many:
            gone.append(min(known, key=lambda item: item[1].wanted)[0])
        for key in gone:
            self._by_key.pop(key, None)
        self._counts["gone"] += len(gone)
        if self._counts["gone"] > self.MOST_KINDS or many:
            self._tell_once(
                "kinds",
                f"compiled {self.name} was called with more than {self.MOST_KINDS} kinds of "
                "arguments, each of which is recorded; those not used for longest are let go of.  "
                "Integers, shapes, other objects and their attributes make kinds: pass numbers "
                "that change as floats, and arrays that change as arguments",
            )

    def _tell_once(self, what, text):
        """Warn, on the line of the user's that called."""
        if not self._counts[what]:
            self._counts[what] += 1
            warnings.warn(text, RuntimeWarning, stacklevel=_levels_in_adcore() + 1)

    @property
    def _in_python(self):
        """The function itself, which does not settle, run on what it was recorded on.

        So x.item() and x.detach() work as they did, also of what is not differentiated.
        """

        @functools.wraps(self.f)
        def run(*args, **kwargs):
            arguments = self._given(args, kwargs)
            return arguments.call(
                self.f,
                [v if type(v) in (Tensor, Dual) else _core.tensor(v) for v in arguments.inputs],
            )

        return run

    def _record(self, arguments, reassociate):
        changed = arguments.changed()
        if changed is not None:
            raise TapeError(
                f"{self.name} goes a way that was not recorded before its argument of type "
                f"{type(changed).__name__} was changed; a derivative that is asked for later, as "
                "of vjp and backward, is that of the function as it was called"
            )
        found = []

        def run(tensors):
            leaves, structure = flatten(arguments.call(self.f, tensors))
            dtypes = {i: v.dtype for i, v in enumerate(leaves) if type(v) in (Mask, Index)}
            found.extend([structure, dtypes])
            return [v.tensor if i in dtypes else v for i, v in enumerate(leaves)]

        marked = [(a, False) for a in arguments.inputs]
        for tree in arguments.trees:
            if type(tree) is Floats:
                marked[tree.at] = (arguments.inputs[tree.at], True)
        program, where = _core.record_program(run, marked, reassociate)
        where = [(varies, v if varies else constant(self.name, v)) for varies, v in where]
        for varies, v in where:
            if not varies and _holds_tensor(v):
                raise NotDifferentiableError(
                    f"{self.name} returned a {type(v).__name__} with a tensor inside, which a "
                    "replay could not find anew; return numbers and arrays, or lists, tuples, "
                    "dicts, named tuples or dataclasses of them"
                )
        dtypes = found[1]
        for i in [i for i in dtypes if not where[i][0]]:
            where[i] = (False, np.asarray(where[i][1]).astype(dtypes.pop(i))[()])
        return Path(self.name, program, where, *found)

    def _grow(self, paths, arguments, parent, link, program=None):
        """(the path at `link` of its parent, whether it was recorded for these arguments).

        `program` is the parent's, or the one derived from it, whose guard did not hold.  The
        function may wait for other threads that call it too: no lock is held while it runs, and of
        those that record the same path at once the first keeps it for all.
        """
        known = paths.at(parent, link)
        if known is not None:
            return known, False
        if self.f is None:
            raise self._not_recorded(arguments, program, link)
        path = self._record(arguments, self.reassociate and not paths.in_order)
        with self._lock:
            known = paths.at(parent, link)
            if known is not None:
                return known, False
            paths.add(path, parent, link, max(self.max_paths, 2))
        return path, True

    def _not_recorded(self, arguments, program, link):
        """The error for a way to go that is not in the file."""
        from . import _files  # when first needed

        remedy = (
            f"call {self.name} so before it is saved, or give the function to record it with: "
            "adcore.load(path, f)"
        )
        if program is None:
            known = [_files.describe(k) for k, paths in self._by_key.items() if paths.root]
            known = known[:5] + ["..."] * (len(known) > 5)
            return NotRecordedError(
                f"{self.name} was loaded without its function, and saved for arguments "
                f"{' or '.join(known) or 'of no kind'}, not for "
                f"{_files.describe(arguments.key)}; {remedy}"
            )
        kind, file, line, function, expected = program.guards[link[0]]
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
            self._prepare(program)
            arrays = _core.empty_results(program.output_shapes)
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
            if following is None and fresh and self.reassociate and not paths.in_order:
                paths.in_order, fresh = True, False  # the last bit of a sum may have decided
            if following is None and (fresh or paths.credit < 1.0):
                with self._lock:
                    known, paths.settled = paths.settled, False
                if known:
                    self._warn(program, failed, fresh)
                return None, None
            if following is None:
                path, fresh = self._grow(paths, arguments, path, link, program)
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

    def _prepare(self, program):
        """Let a Program, or a RowMap, be run as backend="c" asks for."""
        if self.backend != "c" or program.backend is not None:
            return
        from . import _native  # when first needed

        reason = _native.use(program)
        if reason is not None:
            self._tell_once(
                "backend",
                f'compiled {self.name} with backend="c" is run by the interpreter: {reason}',
            )

    def _kinds(self):
        """All that is recorded: pairs (key, SavedPath list)."""
        with self._lock:
            return [(k, paths.listed()) for k, paths in self._by_key.items() if paths.root]

    def _take(self, kinds):
        """Begin with these paths, as _kinds() gives them; returns itself."""
        for key, saved in kinds:
            paths = self._by_key[key] = Paths(None)
            nodes = []
            for p in saved:
                nodes.append(Path(self.name, p.program, p.where, p.structure, p.dtypes))
                parent = None if p.parent is None else nodes[p.parent]
                paths.add(nodes[-1], parent, p.link, len(saved))
            paths.credit = paths.CREDIT
        return self


def constant(name, v):
    """A result that does not vary, as a number or an array that nobody else can change."""
    if type(v) is Tensor:
        v = _core.peek(v)
    if type(v) is Dual:
        raise NotDifferentiableError(
            f"{name} returned a dual number although its arguments were none: it uses one from "
            "outside; make that an argument of its own"
        )
    return own(v)


def _holds_tensor(v):
    """Whether an object that is not looked into, such as one of a class, leads to a tensor."""
    seen, waiting = set(), [v]
    while waiting and len(seen) < _MOST_SEEN:
        v = waiting.pop()
        if id(v) in seen or isinstance(v, (type, types.ModuleType)):
            continue
        seen.add(id(v))
        if type(v) in (Mask, Index) or (type(v) is Tensor and v.requires_grad):
            return True
        if isinstance(v, types.FunctionType):  # but not all that its module has
            waiting += [v.__closure__, v.__defaults__, v.__kwdefaults__]
        elif gc.is_tracked(v):
            waiting += gc.get_referents(v)
    return False


_MOST_SEEN = 10_000


def _takes(out, results, inputs):
    """Whether a program can write its last result into `out`, which saves a copy."""
    return (
        type(out) is np.ndarray
        and out.flags.carray
        and out.dtype == np.float64
        and [out.shape] == [a.shape for a in results]
        and not any(np.may_share_memory(out, a) for a in inputs)
    )


def _levels_in_adcore():
    """How many functions of adcore's are on the stack above the user's, the caller included."""
    n, frame = 0, sys._getframe(1)
    while frame is not None and frame.f_globals.get("__package__", "") == __package__:
        n, frame = n + 1, frame.f_back
    return n

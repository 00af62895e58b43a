"""A compiled function over the rows of a batch.

Rows are run along the path of the first of them; those for which a guard of that path comes out
otherwise are run along the path of the first of these, and so on.  So each row is computed as it is
by itself, whatever the others do.
"""

import itertools
import os
import threading
import time
from concurrent import futures

import numpy as np

from . import _core
from ._core import Dual, Tensor
from ._progress import Bar
from ._trees import filled, flatten, shape_of, unflatten
from .errors import ShapeError

FEW = 64  # rows, up to which it does not pay to make them ready to run side by side
BLOCK = 0.02  # seconds that a block of rows should take
MUCH = 0.01  # seconds of work from which on further threads help

# derivative -> (the transform's name in messages, the kind of program, the method for one row)
KINDS = {
    "value": (None, None, "__call__"),
    "gradient": ("grad", "grad", "grad"),
    "value_and_gradient": ("grad", "value_and_grad", "value_and_grad"),
    "hessian": ("hessian", "hessian", "hessian"),
}


def map_rows(compiled, batches, derivative, in_axes, argnums, threads, progress, out):
    """See Compiled.map()."""
    kind = "value" if derivative is None else derivative
    if kind not in KINDS:
        raise ValueError(f"derivative={derivative!r} is none of {', '.join(map(repr, KINDS))}")
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise ValueError(f"threads={threads!r}: give how many, at least 1, or None")
    if _core.is_compiling():
        raise TypeError(
            f"{compiled.name}.map was called while another function is being compiled; call it "
            "outside, or write a loop over the rows"
        )
    batch = _Batch(compiled.name, batches, in_axes)
    rows = _Rows(compiled, batch, kind, argnums)
    rows.run(_Pace(threads, progress, compiled.name), out)
    return rows.result(out)


# ---- arguments ----


class _Batch:
    """The arguments, as arrays with the rows along the first axis, and what all rows share."""

    def __init__(self, name, batches, in_axes):
        axes = in_axes if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(batches)
        if len(axes) != len(batches):
            raise ValueError(
                f"in_axes={in_axes!r} names {len(axes)} axes for {len(batches)} arguments"
            )
        self.name, self.args, lengths = name, [], {}
        for i, (tree, axis) in enumerate(zip(batches, axes, strict=True)):
            if axis is None:
                self.args.append((None, tree))
                continue
            if not isinstance(axis, int) or isinstance(axis, bool):
                raise TypeError(f"in_axes={in_axes!r}: an axis is an integer or None")
            leaves, structure = flatten(tree)
            arrays = [self._array(i, leaf, axis) for leaf in leaves]
            self.args.append((structure, arrays))
            lengths.update({len(a): i for a in arrays})
        if not lengths:
            raise ValueError(
                f"{name}.map has no argument with rows: give it one with an axis in in_axes"
            )
        if len(lengths) > 1:
            found = " and ".join(f"{n} (argument {i})" for n, i in lengths.items())
            raise ShapeError(f"the arguments of {name}.map have different numbers of rows: {found}")
        (self.n,) = lengths

    def _array(self, i, leaf, axis):
        if type(leaf) is Dual or (type(leaf) is Tensor and leaf.requires_grad):
            raise TypeError(
                f"argument {i} of {self.name}.map is tracked by a transform, which map does not "
                "follow; use a loop over the rows there"
            )
        array = np.asarray(_core.peek(leaf))
        if array.dtype.kind not in "fiu":
            raise TypeError(
                f"argument {i} of {self.name}.map holds {array.dtype} where rows of real numbers "
                "are expected; in_axes=None gives all rows the same argument"
            )
        if array.ndim == 0:
            raise ShapeError(
                f"argument {i} of {self.name}.map holds a single number where one for each row is "
                "expected; in_axes=None gives all rows the same argument"
            )
        if not -array.ndim <= axis < array.ndim:
            raise ShapeError(
                f"argument {i} of {self.name}.map has {array.ndim} dimensions, and no axis {axis}"
            )
        return _strided(np.moveaxis(array, axis, 0))

    def row(self, r):
        """The arguments of one row; ones where there is no row."""
        return [
            arrays
            if structure is None
            else unflatten(structure, [_one(a, r if self.n else None) for a in arrays])
            for structure, arrays in self.args
        ]

    def inputs(self, arguments):
        """(arrays, shared): for each input all rows of it, or if shared what all have."""
        found, shared = arguments.inputs[: arguments.n_owned], [True] * arguments.n_owned
        for (structure, arrays), places in zip(self.args, arguments.places, strict=True):
            own = [arguments.inputs[k] for k in places]
            if structure is None:
                found += own
            elif len(own) == 1 and own[0].ndim == 1 and all(a.ndim == 1 for a in arrays):
                found.append(np.stack(arrays, axis=1))  # a list of floats is one input
            else:
                found += arrays
            shared += [structure is None] * len(own)
        return found, tuple(shared)


def _one(array, r):
    one = np.ones(array.shape[1:]) if r is None else np.ascontiguousarray(array[r])
    return float(one.item()) if array.ndim == 1 else one.reshape(array.shape[1:])


def _strided(array):
    """As float64, with rows that have one stride: as it is where possible."""
    array = np.asarray(array, dtype=np.float64)
    even = array.flags.aligned and all(s % array.itemsize == 0 for s in array.strides)
    if even and (array.ndim <= 2 or (len(array) and array[0].flags.c_contiguous)):
        return array
    return np.ascontiguousarray(array)


# ---- rows ----


class _Rows:
    """All rows of a batch, and the columns of their results."""

    def __init__(self, compiled, batch, kind, argnums):
        self.compiled, self.batch, self.kind, self.argnums = compiled, batch, kind, argnums
        self.n = batch.n
        chosen = (argnums,) if isinstance(argnums, int) else tuple(argnums)
        numeric = {i % len(batch.args) for i in chosen} if kind != "value" else ()
        self.first = compiled._given(batch.row(0), {}, numeric)
        if self.first.traced:
            raise TypeError(
                f"an argument of {compiled.name}.map is tracked by a transform, which map does "
                "not follow; use a loop over the rows there"
            )
        self.inputs, self.shared = batch.inputs(self.first)
        self.wanted = self.derive = None
        if kind != "value":
            self.wanted = self.first.wanted(argnums)
            self.derive = compiled._scalar(*KINDS[kind][:2], self.wanted)
        self.columns = self.structure = self.shapes = None
        self.whole = None  # the result, where there were no columns first

    def _arguments(self, r):
        if self.n == 0:
            return self.first
        shapes = [a.shape for a in self.first.inputs]
        return self.first.replaced(
            [
                np.ascontiguousarray(a if same else a[r]).reshape(shape)
                for a, same, shape in zip(self.inputs, self.shared, shapes, strict=True)
            ]
        )

    def run(self, pace, out):
        """Fill the columns."""
        left = range(self.n)
        while len(left) or self.columns is None:
            at = left[0] if self.n else 0
            path, _ = self.compiled._replay(self._arguments(at), self.derive)
            if path is None:
                return self._one_by_one(left)
            derived = self.derive is not None and path.varies
            program = self.derive(path) if derived else path.program
            sources = self._sources(path)
            if self.columns is None:
                self._make_columns(path, program, sources, out)
            elif path.structure.key() != self.structure.key() or self.shapes != self._shapes(
                program, sources
            ):
                self._differ(at)
            if not self.n:
                return None
            done = len(left)
            left = self._run_path(program, sources, left, pace)
            paths = self.compiled._paths(self.first)
            paths.credit = min(paths.credit + 0.1 * (done - len(left)), paths.CREDIT)
            if len(left) and left[0] == at:  # does not repeat itself: Python has to look at it
                self._one_by_one(left[:1])
                left = left[1:]
        return None

    def _differ(self, r):
        raise ShapeError(
            f"row {r} of {self.compiled.name}.map gives a result of another structure or shape "
            "than the rows before it; map needs results that are alike"
        )

    def _sources(self, path):
        """For each column where it comes from: (True, output of the program), (False, value)."""
        if self.kind == "value":
            return path.where
        n = len(self.wanted) ** (2 if self.kind == "hessian" else 1)
        valued = self.kind == "value_and_gradient"
        if path.varies:
            return [(True, k) for k in range(n + valued)]
        return [(False, v) for _, v in path.where] * valued + [(False, 0.0)] * n

    def _shapes(self, program, sources):
        if self.kind == "value":
            return [program.output_shapes[v] if varies else shape_of(v) for varies, v in sources]
        shapes = [self.first.inputs[k].shape for k in self.wanted]
        if self.kind == "hessian":
            return [s + t for s in shapes for t in shapes]
        return [()] * (self.kind == "value_and_gradient") + shapes

    def _make_columns(self, path, program, sources, out):
        self.structure, self.shapes = path.structure, self._shapes(program, sources)
        shapes = [(self.n, *s) for s in self.shapes]
        real = [varies or np.asarray(v).dtype.kind in "biuf" for varies, v in sources]
        self.columns = _usable(out, shapes, self.inputs) if all(real) else None
        if self.columns is None:
            self.columns = [
                np.empty(s, np.float64 if r else object) for s, r in zip(shapes, real, strict=True)
            ]

    def _run_path(self, program, sources, left, pace):
        """Run rows along one path; returns those that leave it."""
        whole = len(left) == self.n
        inputs = [
            a if same or whole else a[left]
            for a, same in zip(self.inputs, self.shared, strict=True)
        ]
        outputs = [None] * len(program.output_shapes)
        for column, (varies, v) in zip(self.columns, sources, strict=True):
            if varies and outputs[v] is None and whole and column.dtype == np.float64:
                outputs[v] = column
        for k, shape in enumerate(program.output_shapes):
            if outputs[k] is None:
                outputs[k] = np.empty((len(left), *shape))
        rows = _core.by_rows(program, self.shared, len(left) <= FEW)
        self.compiled._prepare(rows)
        failed, n_failed = pace.run(rows, inputs, outputs, len(left))
        if n_failed:
            left, good = np.asarray(left), failed < 0
            at, leaving = left[good], left[~good]
        else:
            at, good, leaving = slice(None) if whole else left, slice(None), ()
        for column, (varies, v) in zip(self.columns, sources, strict=True):
            if not (varies and outputs[v] is column):
                column[at] = outputs[v][good] if varies else v
        return leaving

    # -- results --

    def result(self, out):
        """The results in the structure that one call gives, with the rows along the first axis."""
        return filled(out, self._tree())

    def _tree(self):
        if self.columns is None:
            return self.whole
        if self.kind == "value":
            return unflatten(self.structure, self.columns)
        first, argnums, columns = self.first, self.argnums, self.columns
        if self.kind == "hessian":
            blocks = iter(columns)
            blocks = {i: {j: next(blocks) for j in self.wanted} for i in self.wanted}
            return first.twice(argnums, blocks, axis=1)
        valued = self.kind == "value_and_gradient"
        gradient = first.tree(argnums, dict(zip(self.wanted, columns[valued:], strict=True)))
        return (columns[0], gradient) if valued else gradient

    def _one_by_one(self, left):
        """Rows of a function that does not settle: each by a call, which runs Python."""
        method = getattr(self.compiled, KINDS[self.kind][2])
        options = {} if self.kind == "value" else {"argnums": self.argnums}
        for r in left if self.n else (0,):
            leaves, structure = flatten(method(*self.batch.row(r), **options))
            if self.whole is None and self.columns is None:
                self.whole = unflatten(
                    structure, [np.empty((self.n, *shape_of(v))) for v in leaves]
                )
            columns, expected = flatten(self._tree())
            if structure.key() != expected.key() or any(
                shape_of(v) != c.shape[1:] for v, c in zip(leaves, columns, strict=True)
            ):
                self._differ(r)
            for column, v in zip(columns, leaves, strict=True):
                column[r : r + 1] = v  # nothing if there are no rows


def _usable(out, shapes, inputs):
    """The arrays of `out`, if results can be written into them at once; or None."""
    given = [] if out is None else flatten(out)[0]
    good = len(given) == len(shapes) and all(
        type(a) is np.ndarray
        and a.dtype == np.float64
        and a.shape == shape
        and a.flags.carray
        and not any(np.may_share_memory(a, x) for x in inputs)
        for a, shape in zip(given, shapes, strict=True)
    )
    return given if good else None


# ---- threads ----


class _Pace:
    """How rows are divided into blocks, and blocks among threads; results do not depend on it."""

    FIRST = 1  # rows of the first block, at least; the lanes of the map if they are more

    def __init__(self, threads, progress, name):
        self.threads, self.progress, self.name = threads, progress, name

    def run(self, rows, inputs, outputs, n):
        """Run n rows; returns the guard that differs for each, -1 for none, and for how many."""
        failed, n_failed = np.empty(n, np.int32), 0
        lanes = rows.lanes
        work = rows.work()
        with Bar(n, self.progress, self.name) as bar:
            done, seconds = 0, 0.0
            size = max(self.FIRST, lanes)
            while done < n:
                if self.threads != 1 and self._worth(n - done, size, seconds):
                    n_failed += self._spread(rows, inputs, outputs, failed, done, size, bar)
                    break
                begun = time.perf_counter()
                count = min(size, n - done)
                n_failed += work.run(inputs, outputs, done, count, failed)
                seconds = time.perf_counter() - begun
                done += count
                bar.show(done)
                if count == size and seconds < BLOCK / 2:
                    size *= 2
        return failed, n_failed

    def _worth(self, left, size, seconds):
        """Tell if there are enough rows left for further threads, by what the last block took."""
        if self.threads is not None:
            return left > size // 2
        return seconds > 0.0 and (os.cpu_count() or 1) > 1 and seconds * left / size > MUCH

    def _spread(self, rows, inputs, outputs, failed, done, size, bar):
        """Rows from `done` on, in blocks for threads to take; returns how many leave the path."""
        n = len(failed)
        threads = self.threads or os.cpu_count() or 1
        size = min(size, -(-(n - done) // threads))
        size = -(-size // rows.lanes) * rows.lanes
        starts, lock, finished = itertools.count(done, size), threading.Lock(), [done]
        stopped = threading.Event()

        def run():
            work, n_failed = rows.work(), 0
            while not stopped.is_set():
                with lock:
                    start = next(starts)
                if start >= n:
                    break
                count = min(size, n - start)
                n_failed += work.run(inputs, outputs, start, count, failed)
                with lock:
                    finished[0] += count
            return n_failed

        threads = min(threads, -(-(n - done) // size))
        with futures.ThreadPoolExecutor(threads, thread_name_prefix="adcore-map") as pool:
            running = [pool.submit(run) for _ in range(threads)]
            try:
                while futures.wait(running, timeout=Bar.INTERVAL).not_done:
                    bar.show(finished[0])
            finally:
                stopped.set()
            return sum(task.result() for task in running)

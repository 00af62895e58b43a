"""Compiled functions as bytes and back: the container that docs/format.md describes.

What is written is data: no code, no names of classes, nothing that reading would run or import.
What is read is checked field by field, so that a file that is not in order is a FormatError.
"""

import struct
from dataclasses import dataclass, field

import numpy as np

from . import _core, _snapshot
from ._data import Reader, Writer
from .errors import FormatError

MAGIC = b"\x89ADF\r\n\x1a\n"
VERSION = 2
HEADER, SUM = 24, 8  # bytes before the sections: magic, version, size; and behind them
VARIES, CONSTANT, TYPED = range(3)  # of a leaf
ARRAY, FLOATS_LIST, FLOATS_TUPLE, TREE = range(4)  # of an argument
WHOLE = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")  # types of outputs


@dataclass
class SavedPath:
    """A path, without its derivatives: what Path of _paths.py holds."""

    parent: int | None  # its place in the list of paths; None: the root
    link: tuple[int, bytes] | None  # the guard of the parent that leads here, and what it saw
    structure: object  # of the result
    where: list  # (True, output) or (False, constant) of each leaf of the result
    dtypes: dict  # leaf -> its type, of outputs that are not of float64
    program: _core.Program


@dataclass
class SavedFunction:
    """A compiled function; `kinds` are pairs (key of Arguments, paths)."""

    name: str
    reassociate: bool
    max_paths: int
    kinds: list = field(default_factory=list)


# ---- writing ----


def write(function):
    """The bytes of a SavedFunction; a FormatError names what no file can hold."""
    out = _Writer(function.name)
    out.function(function)
    body = b"".join(out.parts)
    size = HEADER + len(body) + SUM
    data = MAGIC + struct.pack("<QQ", VERSION, size) + body
    return data + struct.pack("<Q", _core.crc64(data))


class _Writer(Writer):
    def function(self, function):
        self.text(function.name)
        self.u32(int(function.reassociate))
        self.u64(function.max_paths)
        self.u64(len(function.kinds))
        for i, ((n_args, names, kinds), paths) in enumerate(function.kinds):
            with self.inside(f"kind {i}"):
                self.u64(n_args)
                self.u64(len(names))
                for name in names:
                    self.text(name)
                for j, kind in enumerate(kinds):
                    which = f"argument {j}" if j < n_args else f"argument {names[j - n_args]}"
                    with self.inside(which):
                        self.argument(kind)
                self.u64(len(paths))
                for j, path in enumerate(paths):
                    with self.inside(f"path {j}"):
                        self.path(path)

    def argument(self, kind):
        """An argument, given what the key says of it."""
        if _is_shape(kind):
            self.u32(ARRAY)
            self.shape(kind)
        elif isinstance(kind[0], type):
            self.u32(FLOATS_LIST if kind[0] is list else FLOATS_TUPLE)
            self.u64(kind[1])
        else:
            self.u32(TREE)
            self.structure(kind[0])
            for j, leaf in enumerate(kind[1:]):
                with self.inside(f"leaf {j}"):
                    if _is_shape(leaf):
                        self.u32(VARIES)
                        self.shape(leaf)
                        continue
                    self.u32(CONSTANT)
                    if isinstance(leaf[1], _snapshot.Snapshot):
                        self.refuse_object(leaf[0])
                    elif isinstance(leaf[0], str):  # an array as (element type, shape, bytes)
                        self.datum(np.ndarray(leaf[1], leaf[0], buffer=leaf[2]))
                    else:
                        self.datum(leaf[1])

    def path(self, path):
        self.u64(0 if path.parent is None else path.parent + 1)
        if path.parent is not None:
            guard, outcome = path.link
            self.u64(guard)
            self.u64(len(outcome) // 8)
            self.parts.append(np.frombuffer(outcome).astype("<f8", copy=False).tobytes())
        self.structure(path.structure.key())
        for j, (varies, v) in enumerate(path.where):
            with self.inside(f"result {j}"):
                dtype = path.dtypes.get(j) if varies else None
                self.u32(TYPED if dtype else VARIES if varies else CONSTANT)
                if dtype:
                    self.text(dtype.str[1:])
                elif not varies:
                    self.datum(v)
        try:
            data = path.program.to_bytes()
        except FormatError as error:
            raise FormatError(f"{self.name} cannot be saved: {self.named()}: {error}") from None
        self.u64(len(data))
        self.parts.append(data)


def _is_shape(key):
    return all(type(length) is int for length in key)


# ---- reading ----


def read(data):
    """The SavedFunction in bytes; FormatError, naming the field, where they are not in order."""
    return _Reader(bytes(data)).function()


class _Reader(Reader):
    what = "adcore function file"

    # -- the function --

    def function(self):
        self.header()
        out = SavedFunction(
            self.text("name"),
            bool(self.u32("reassociate", 1)),
            self.u64("most paths", least=2),
        )
        known = set()
        for i in range(self.count("kinds", 8 * 4)):
            with self.inside(f"kind {i}"):
                at = self.at
                key, shapes = self.key()
                if key in known:
                    self.fail("", at, "arguments unlike those of kinds before", "the same")
                known.add(key)
                out.kinds.append((key, self.paths(shapes, out.reassociate)))
        if self.at != self.end:
            self.fail("end", self.at, "the checksum", f"{self.end - self.at} bytes more")
        return out

    def header(self):
        """Magic, size and checksum before the version: a damaged file is told from a newer one."""
        magic = self.take(len(MAGIC), "magic")
        if magic != MAGIC:
            self.fail("magic", 0, MAGIC.hex(), magic.hex())
        version = self.u64("version", 2**64 - 1)
        size = self.u64("size", 2**64 - 1)
        if size != len(self.data) or size < HEADER + SUM:
            self.fail("size", 16, f"{len(self.data)}, the bytes of the file", size)
        self.end -= SUM
        expected = _core.crc64(self.data[: self.end])
        found = int.from_bytes(self.data[self.end :], "little")
        if found != expected:
            self.fail("checksum", self.end, f"{expected:016x}", f"{found:016x}")
        if version != VERSION:
            self.fail("version", 8, f"{VERSION}, which this adcore reads", version)

    def key(self):
        """(the key of Arguments, the shapes of the inputs)."""
        n_args = self.count("positional arguments", 8)
        names = []
        for i in range(self.count("keyword arguments", 8)):
            at = self.at
            name = self.text(f"keyword {i}")
            if name in names:
                self.fail(f"keyword {i}", at, "a name of its own", repr(name))
            names.append(name)
        kinds, shapes = [], []
        for i in range(n_args + len(names)):
            with self.inside(f"argument {i}"):
                kinds.append(self.argument(shapes))
        return (n_args, tuple(names), tuple(kinds)), shapes

    def argument(self, shapes):
        """What the key says of an argument; appends the shapes of its inputs."""
        tag = self.u32("tag", TREE)
        if tag == ARRAY:
            shapes.append(self.shape("shape"))
            return shapes[-1]
        if tag != TREE:
            n = self.u64("floats", least=1)
            shapes.append((n,))
            return (list if tag == FLOATS_LIST else tuple), n
        structure, n = self.structure()
        described = [structure.key()]
        self.expect_leaves(n)
        for j in range(n):
            with self.inside(f"leaf {j}"):
                if self.u32("tag", CONSTANT) == VARIES:
                    shapes.append(self.shape("shape"))
                    described.append(shapes[-1])
                    continue
                v = self.datum()
                array = isinstance(v, np.ndarray)
                described.append((v.dtype.str, v.shape, v.tobytes()) if array else (type(v), v))
        return tuple(described)

    def paths(self, shapes, reassociate):
        """The paths of a kind of arguments whose inputs have these shapes."""
        paths, sizes, known = [], {}, set()
        for i in range(self.count("paths", 8, least=1)):
            with self.inside(f"path {i}"):
                at = self.at
                parent = self.u64("parent", most=i, least=min(i, 1)) - 1
                link = None
                if i > 0:
                    if parent not in sizes:  # elements of each guard
                        sizes[parent] = [len(g[-1]) for g in paths[parent].program.guards]
                    link = self.link(sizes[parent])
                    if (parent, link) in known:
                        self.fail("parent", at, "a way of its own from there", "one there was")
                    known.add((parent, link))
                path = self.path(shapes, reassociate)
                path.parent, path.link = (None if i == 0 else parent), link
                paths.append(path)
        return paths

    def link(self, sizes):
        """(guard, what it saw) of a path; `sizes` are those of the guards of its parent."""
        if not sizes:
            self.fail("guard", self.at, "a parent with guards", "one without")
        guard = self.u64("guard", most=len(sizes) - 1)
        n = self.u64("outcome", most=sizes[guard], least=sizes[guard])
        outcome = np.frombuffer(self.take(8 * n, "outcome"), "<f8")
        return guard, outcome.astype(np.float64).tobytes()

    def whole_type(self):
        """The type of truths or whole numbers."""
        at = self.at
        elements = self.text("element type")
        if elements not in WHOLE:
            self.fail("element type", at, f"one of {', '.join(WHOLE)}", repr(elements[:20]))
        return np.dtype(elements)

    def path(self, shapes, reassociate):
        structure, n = self.structure()
        self.expect_leaves(n)
        where, dtypes, n_outputs = [], {}, 0
        for j in range(n):
            with self.inside(f"result {j}"):
                tag = self.u32("tag", TYPED)
                if tag == CONSTANT:
                    where.append((False, self.datum()))
                    continue
                where.append((True, n_outputs))
                n_outputs += 1
                if tag == TYPED:
                    dtypes[j] = self.whole_type()
        at = self.at
        data = self.take(self.count("program", 1), "program")
        try:
            program = _core.read_program(data, reassociate)
        except FormatError as error:
            raise FormatError(
                f"adcore function file: field `{self.named('program')}`, from byte {at + 8} on: "
                f"{error}"
            ) from None
        if program.input_shapes != shapes:
            self.fail(
                "program inputs",
                at,
                f"those of the arguments, {shapes[:8]}",
                f"{program.input_shapes[:8]}",
            )
        if len(program.output_shapes) != n_outputs:
            self.fail(
                "program outputs", at, f"{n_outputs}, as results vary", len(program.output_shapes)
            )
        return SavedPath(None, None, structure, where, dtypes, program)


# ---- in words ----


def describe(key):
    """The arguments that a key stands for, as a call would show them."""
    n_args, names, kinds = key
    shown = [_describe_argument(kind) for kind in kinds]
    return f"({', '.join([*shown[:n_args], *map('{}={}'.format, names, shown[n_args:])])})"


def _describe_argument(kind):
    if _is_shape(kind):
        return _describe_leaf(kind)
    if isinstance(kind[0], type):
        return f"{kind[0].__name__} of {kind[1]} floats"
    shown = [_describe_leaf(leaf) for leaf in kind[1:5]] + ["..."] * (len(kind) > 5)
    return shown[0] if kind[0] is None else f"{kind[0][0].__name__} of {', '.join(shown)}"


def _describe_leaf(leaf):
    if leaf == ():
        return "float"
    if _is_shape(leaf):
        return f"array of shape {leaf}"
    if isinstance(leaf[0], str):
        return f"{np.dtype(leaf[0])} array of shape {leaf[1]}"
    return repr(leaf[1])[:40]

"""Compiled functions as bytes and back: the container that docs/format.md describes.

What is written is data: no code, no names of classes, nothing that reading would run or import.
What is read is checked field by field, so that a file that is not in order is a FormatError.
"""

import re
import struct
from dataclasses import dataclass, field

import numpy as np

from . import _core
from ._trees import Leaf, Node, Run
from .errors import FormatError

MAGIC = b"\x89ADF\r\n\x1a\n"
VERSION = 1
HEADER, SUM = 24, 8  # bytes before the sections: magic, version, size; and behind them
MOST = 2**31 - 17  # of anything counted, as in files of programs
MOST_DIMS = 16
MOST_DEPTH = 64  # of containers within containers

# Tags, as they stand in files.
ARRAY, FLOATS_LIST, FLOATS_TUPLE, TREE = range(4)  # of an argument
LEAF, LEAVES_LIST, LEAVES_TUPLE, LIST, TUPLE, DICT = range(6)  # of a structure
VARIES, CONSTANT = range(2)  # of a leaf
NONE, FALSE, TRUE, INT, FLOAT, COMPLEX, TEXT, BYTES, NUMPY_ARRAY, NUMPY_NUMBER = range(10)

KINDS = {LEAVES_LIST: list, LEAVES_TUPLE: tuple, LIST: list, TUPLE: tuple, DICT: dict}
KEY_TYPES = (str, int, bool, bytes, type(None))  # of keys of dicts
# Element types with one meaning on every machine.
ELEMENTS = re.compile(r"b1|[iu][1248]|f[248]|c8|c16|[SU][1-9][0-9]{0,5}")


@dataclass
class SavedPath:
    """A path, without its derivatives: what Path of _paths.py holds."""

    parent: int | None  # its place in the list of paths; None: the root
    link: tuple[int, bytes] | None  # the guard of the parent that leads here, and what it saw
    structure: object  # of the result
    where: list  # (True, output) or (False, constant) of each leaf of the result
    program: _core.Program


@dataclass
class SavedFunction:
    """A compiled function; `kinds` are pairs (key of Arguments, paths)."""

    name: str
    reassociate: bool
    max_paths: int
    kinds: list = field(default_factory=list)


class _Place:
    """Where in a function writing or reading is, for errors: "kind 0 path 2 leaf 1"."""

    def __init__(self):
        self.within = []

    def inside(self, what):
        """For a with statement: what is done there is about `what`."""
        self.within.append(what)
        return self

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:  # else the place is where the fault is
            self.within.pop()

    def named(self, what=""):
        """The place of a field."""
        return " ".join([*self.within, *([what] if what else [])])


# ---- writing ----


def write(function):
    """The bytes of a SavedFunction; a FormatError names what no file can hold."""
    out = _Writer(function.name)
    out.function(function)
    body = b"".join(out.parts)
    size = HEADER + len(body) + SUM
    data = MAGIC + struct.pack("<QQ", VERSION, size) + body
    return data + struct.pack("<Q", _core.crc64(data))


class _Writer(_Place):
    def __init__(self, name):
        super().__init__()
        self.name, self.parts = name, []

    def refuse(self, why):
        raise FormatError(f"{self.name} cannot be saved: {self.named()}: {why}")

    def u32(self, value):
        self.parts.append(struct.pack("<I", value))

    def u64(self, value):
        self.parts.append(struct.pack("<Q", value))

    def text(self, value):
        try:
            encoded = value.encode()
        except UnicodeEncodeError:
            self.refuse(f"the text {value!r} is not Unicode")
        self.u64(len(encoded))
        self.parts.append(encoded)

    def shape(self, shape):
        self.u32(len(shape))
        for length in shape:
            self.u64(length)

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
                    if isinstance(leaf[0], str):  # an array as (element type, shape, bytes)
                        self.datum(np.ndarray(leaf[1], leaf[0], buffer=leaf[2]))
                    else:
                        self.datum(leaf[1])

    def structure(self, key, depth=0):
        """A structure, given its key()."""
        if depth > MOST_DEPTH:
            self.refuse(f"containers nested more than {MOST_DEPTH} deep")
        if key is None:
            self.u32(LEAF)
            return
        kind = key[0]
        if kind not in (list, tuple, dict):
            self.refuse(
                f"a {kind.__module__}.{kind.__qualname__}; files hold lists, tuples and dicts, "
                "and name no classes: pass or return a dict instead"
            )
        if kind is not dict and len(key) == 2 and type(key[1]) is int:
            self.u32(LEAVES_LIST if kind is list else LEAVES_TUPLE)
            self.u64(key[1])
            return
        self.u32({list: LIST, tuple: TUPLE, dict: DICT}[kind])
        self.u64(len(key) - 2)
        for i, part in enumerate(key[2:]):
            if kind is dict:
                name = key[1][i]
                if type(name) not in KEY_TYPES:
                    self.refuse(f"a dict with the key {name!r}; use text")
                self.datum(name)
            self.structure(part, depth + 1)

    def datum(self, v):
        """A constant."""
        kind = type(v)
        if v is None or kind is bool:
            self.u32(NONE if v is None else TRUE if v else FALSE)
        elif kind is int:
            self.u32(INT)
            n = v.bit_length() // 8 + 1
            self.u64(n)
            self.parts.append(v.to_bytes(n, "little", signed=True))
        elif kind is float:
            self.u32(FLOAT)
            self.parts.append(struct.pack("<d", v))
        elif kind is complex:
            self.u32(COMPLEX)
            self.parts.append(struct.pack("<dd", v.real, v.imag))
        elif kind is str:
            self.u32(TEXT)
            self.text(v)
        elif kind is bytes:
            self.u32(BYTES)
            self.u64(len(v))
            self.parts.append(v)
        elif kind is np.ndarray or (isinstance(v, np.generic) and v.dtype.kind in "biufc"):
            self.numpy(v, kind is np.ndarray)
        else:
            self.refuse(
                f"a {kind.__module__}.{kind.__qualname__}; files hold numbers, text, bytes, None "
                "and NumPy's arrays of these"
            )

    def numpy(self, v, is_array):
        elements = v.dtype.str[1:]
        if not ELEMENTS.fullmatch(elements) or not v.dtype.isnative:
            self.refuse(
                f"an array of {v.dtype}; files hold arrays of numbers of up to 16 bytes, truths "
                "and text, in the byte order of the machine"
            )
        self.u32(NUMPY_ARRAY if is_array else NUMPY_NUMBER)
        self.text(elements)
        if is_array:
            self.shape(v.shape)
        self.parts.append(np.asarray(v).astype(v.dtype.newbyteorder("<"), copy=False).tobytes())

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
                self.u32(VARIES if varies else CONSTANT)
                if not varies:
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


class _Reader(_Place):
    def __init__(self, data):
        super().__init__()
        self.data, self.at, self.end = data, 0, len(data)

    def fail(self, what, at, expected, found):
        raise FormatError(
            f"adcore function file: field `{self.named(what)}`, byte {at}: expected {expected}, "
            f"found {found}"
        )

    # -- numbers and texts --

    def take(self, n, what):
        """The next n bytes."""
        if n > self.end - self.at:
            self.fail(what, self.at, f"{n} bytes", f"{self.end - self.at} bytes left")
        self.at += n
        return self.data[self.at - n : self.at]

    def u32(self, what, most):
        found = int.from_bytes(self.take(4, what), "little")
        if found > most:
            self.fail(what, self.at - 4, f"0 to {most}", found)
        return found

    def u64(self, what, most=MOST, least=0):
        found = int.from_bytes(self.take(8, what), "little")
        if not least <= found <= most:
            self.fail(what, self.at - 8, f"{least} to {most}", found)
        return found

    def count(self, what, each, least=0):
        """A number of things of `each` bytes or more that follow."""
        found = self.u64(what, least=least)
        if found * each > self.end - self.at:
            left = self.end - self.at
            self.fail(what, self.at - 8, f"at most {left // each}, as {left} bytes are left", found)
        return found

    def f64(self, what):
        return struct.unpack("<d", self.take(8, what))[0]

    def text(self, what):
        n = self.count(what, 1)
        try:
            return self.take(n, what).decode()
        except UnicodeDecodeError:
            self.fail(what, self.at - n, "UTF-8", "other bytes")

    def shape(self, what):
        n = self.u32(f"{what} dimensions", MOST_DIMS)
        shape, size = [], 1
        for i in range(n):
            shape.append(self.u64(f"{what} length {i}"))
            size *= max(shape[-1], 1)
        if size > MOST:
            self.fail(what, self.at - 8 * n, f"at most {MOST} elements", tuple(shape))
        return tuple(shape)

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

    def expect_leaves(self, n):
        """Check that there is room for n leaves, of four bytes or more each."""
        left = (self.end - self.at) // 4
        if n > left:
            self.fail("leaves", self.at, f"at most {left} leaves, by the bytes left", n)

    def structure(self, depth=0):
        """(structure, its number of leaves)."""
        at = self.at
        if depth > MOST_DEPTH:
            self.fail("structure", at, f"at most {MOST_DEPTH} containers in one another", "more")
        tag = self.u32("structure tag", DICT)
        if tag == LEAF:
            return Leaf(), 1
        kind = KINDS[tag]
        if tag in (LEAVES_LIST, LEAVES_TUPLE):
            n = self.count("structure leaves", 4)
            return Run(kind, n), n
        keys, parts, total = [], [], 0
        for i in range(self.count("structure parts", 4)):
            with self.inside(f"part {i}"):
                at = self.at
                if tag == DICT:
                    keys.append(self.datum())
                    if not isinstance(keys[-1], KEY_TYPES):
                        self.fail("key", at, "text or a whole number", type(keys[-1]).__name__)
                part, n = self.structure(depth + 1)
                parts.append(part)
                total += n
        if len(set(keys)) < len(keys):
            self.fail("structure keys", at, "each key once", "a key twice")
        return Node(kind, keys if tag == DICT else None, parts), total

    def datum(self):
        """A constant."""
        tag = self.u32("constant tag", NUMPY_NUMBER)
        if tag in (NONE, FALSE, TRUE):
            return {NONE: None, FALSE: False, TRUE: True}[tag]
        if tag == INT:
            n = self.count("whole number", 1, least=1)
            v = int.from_bytes(self.take(n, "whole number"), "little", signed=True)
            if v.bit_length() // 8 + 1 != n:
                self.fail("whole number", self.at - n, f"{v.bit_length() // 8 + 1} bytes", n)
            return v
        if tag == FLOAT:
            return self.f64("number")
        if tag == COMPLEX:
            return complex(self.f64("real part"), self.f64("imaginary part"))
        if tag == TEXT:
            return self.text("text")
        if tag == BYTES:
            return self.take(self.count("bytes", 1), "bytes")
        return self.numpy(tag == NUMPY_ARRAY)

    def numpy(self, is_array):
        at = self.at
        elements = self.text("element type")
        if not ELEMENTS.fullmatch(elements) or (not is_array and elements[0] in "SU"):
            self.fail("element type", at, "one of docs/format.md", repr(elements[:20]))
        dtype = np.dtype("<" + elements)
        shape = self.shape("shape") if is_array else ()
        size = 1
        for length in shape:
            size *= length
        at = self.at
        data = self.take(size * dtype.itemsize, "elements")
        if dtype.kind == "b" and max(data, default=0) > 1:
            self.fail("elements", at, "truths, 0 or 1", max(data))
        if dtype.kind == "U" and max(np.frombuffer(data, "<u4"), default=0) > 0x10FFFF:
            self.fail("elements", at, "characters of Unicode", "others")
        array = np.ndarray(shape, dtype, buffer=data).astype(dtype.newbyteorder("="))
        return array if is_array else array[()]

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

    def path(self, shapes, reassociate):
        structure, n = self.structure()
        self.expect_leaves(n)
        where, n_outputs = [], 0
        for j in range(n):
            with self.inside(f"result {j}"):
                if self.u32("tag", CONSTANT) == VARIES:
                    where.append((True, n_outputs))
                    n_outputs += 1
                else:
                    where.append((False, self.datum()))
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
        return SavedPath(None, None, structure, where, program)


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

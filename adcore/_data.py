"""Data as bytes and back: numbers, texts, arrays, and containers of them, as docs/format.md says.

A Writer collects bytes, a Reader takes them apart again field by field; either knows where it is,
so that an error can name the field.
"""

import re
import struct

import numpy as np

from ._trees import Leaf, Node, Pair, Run
from .errors import FormatError

MOST = 2**31 - 17  # of anything counted, as in files of programs
MOST_DIMS = 16
MOST_DEPTH = 64  # of containers within containers

# Tags, as they stand in files.
LEAF, LEAVES_LIST, LEAVES_TUPLE, LIST, TUPLE, DICT, PAIR = range(7)  # of a structure
NONE, FALSE, TRUE, INT, FLOAT, COMPLEX, TEXT, BYTES, NUMPY_ARRAY, NUMPY_NUMBER = range(10)
TUPLE_OF, STRUCTURE = 10, 11  # of a parameter alone

KINDS = {LEAVES_LIST: list, LEAVES_TUPLE: tuple, LIST: list, TUPLE: tuple, DICT: dict}
STRUCTURES = (Leaf, Node, Pair, Run)
KEY_TYPES = (str, int, bool, bytes, type(None))  # of keys of dicts
# Element types with one meaning on every machine.
ELEMENTS = re.compile(r"b1|[iu][1248]|f[248]|c8|c16|[SU][1-9][0-9]{0,5}")


class Place:
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


class Writer(Place):
    """Bytes in `parts`; `name` is whose they are, for errors."""

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

    def structure(self, key, depth=0):
        """A structure, given its key()."""
        if depth > MOST_DEPTH:
            self.refuse(f"containers nested more than {MOST_DEPTH} deep")
        if key is None:
            self.u32(LEAF)
            return
        kind = key[0]
        if kind is complex:
            self.u32(PAIR)
            return
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
            self.refuse_object(kind)

    def refuse_object(self, kind):
        """Raise the error of an object of a type that files do not hold."""
        self.refuse(
            f"a {kind.__module__}.{kind.__qualname__}; files hold numbers, text, bytes, None "
            "and NumPy's arrays of these"
        )

    def parameter(self, v, depth=0):
        """A constant, a structure, or a tuple of parameters."""
        if depth > MOST_DEPTH:
            self.refuse(f"tuples nested more than {MOST_DEPTH} deep")
        if type(v) is tuple:
            self.u32(TUPLE_OF)
            self.u64(len(v))
            for part in v:
                self.parameter(part, depth + 1)
        elif type(v) in STRUCTURES:
            self.u32(STRUCTURE)
            self.structure(v.key())
        else:
            self.datum(v)

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


class Reader(Place):
    """Takes bytes apart from `at` to `end`; `what` they are is for errors."""

    what = "adcore file"

    def __init__(self, data):
        super().__init__()
        self.data, self.at, self.end = data, 0, len(data)

    def fail(self, what, at, expected, found):
        raise FormatError(
            f"{self.what}: field `{self.named(what)}`, byte {at}: expected {expected}, "
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
        tag = self.u32("structure tag", PAIR)
        if tag == LEAF:
            return Leaf(), 1
        if tag == PAIR:
            return Pair(), 2
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

    def parameter(self, depth=0):
        """A constant, a structure, or a tuple of parameters."""
        at = self.at
        if depth > MOST_DEPTH:
            self.fail("parameter", at, f"at most {MOST_DEPTH} tuples in one another", "more")
        tag = self.u32("parameter tag", STRUCTURE)
        if tag == TUPLE_OF:
            return tuple([self.parameter(depth + 1) for _ in range(self.count("tuple", 4))])
        if tag == STRUCTURE:
            return self.structure()[0]
        self.at = at
        return self.datum()

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

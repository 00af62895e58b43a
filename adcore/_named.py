"""Definitions that files can name: what a saved program keeps of a call, and how it is found again.

A definition of the library's own is a class below Named with annotated fields, a dataclass mostly:

    @dataclass
    class Cholesky(Named, saved_as="linalg.cholesky"):
        lower: bool

        def run(self, leaves): ...
        def pull(self, leaves, output, saved, ct, wanted): ...

A file holds its name, its fields, and which leaves the call had.  The name is looked up among the
definitions that the library registered, never among modules, so that a file can run nothing but
these; OWNERS has the modules that register them, and no others are imported.  Fields must be of the
types that it says.  A definition that a file may hold must work for any fields of these types:
raise ValueError in __post_init__ for those that mean nothing.
"""

import importlib
import inspect
import math
import types
import typing

import numpy as np

from ._data import MOST, Reader, Writer
from .errors import FormatError

registered = {}  # name -> definition
# The first word of a name -> the modules that register such names; these alone are ever imported.
OWNERS = {
    "fft": ("adcore.numpy.fft",),
    "interpolate": ("adcore.scipy.interpolate",),
    "linalg": ("adcore.complexes", "adcore.scipy.linalg"),
    "numpy": ("adcore.numpy",),
    "optimize": ("adcore.scipy.optimize",),
    "scipy": ("adcore.scipy.special",),
    "signal": ("adcore.scipy.signal",),
    "special": ("adcore.complexes",),
}
OPERAND, GIVEN = range(2)  # of a leaf of a call
MOST_TEXT = 60  # of a name that an error repeats


def found(names, name):
    """What a registry has under a name, with all that may register it imported; None if nothing."""
    if name not in names:
        for module in OWNERS.get(name.partition(".")[0], ()):
            importlib.import_module(module)
    return names.get(name)


class Named:
    """A base of definitions: see _calls.py for what they do, and above for how they are saved."""

    name = ""  # for errors; saved_as unless it is set
    remedy = "it has one"
    pull = push = None
    elementwise = False  # see _calls.pxi

    def __init_subclass__(cls, saved_as=None, **options):
        super().__init_subclass__(**options)
        if saved_as is None:
            return
        if registered.setdefault(saved_as, cls) is not cls:
            raise TypeError(f"two definitions are to be saved as {saved_as!r}")
        cls.saved_as = saved_as
        if not cls.name:
            cls.name = saved_as

    def rule(self, mode):
        """The name of a rule, for errors."""
        return f"the {mode} rule of {self.name}"

    def value(self, leaves):
        """The output, of a call that nothing depends on."""
        return self.run(leaves)[0]


# ---- writing ----


class _RuleWriter(Writer):
    def refuse(self, why):
        raise FormatError(f"a call of {self.name}: {self.named()}: {why}")


# Why a call is not saved: the attribute `unsaved` of its definition.
OWN_RULES = "is a Python function with rules of its own"
CALLS_BACK = "calls a Python function at every replay"


def not_saved(name, why=OWN_RULES):
    """The error for a call that needs a Python function."""
    return FormatError(
        f"{name} {why}, which no file can hold; write it with adcore's and NumPy's functions, or "
        "pickle the compiled function instead, which keeps where its Python function is to be found"
    )


def to_bytes(definition, numbers, tracked, structure, shapes):
    """The bytes of a call; a FormatError says why there are none."""
    name = getattr(definition, "saved_as", None)
    if name is None:
        raise not_saved(definition.name, getattr(definition, "unsaved", OWN_RULES))
    out = _RuleWriter(definition.name)
    out.text(name)
    fields = _fields(type(definition))
    out.u64(len(fields))
    for field in fields:
        with out.inside(f"parameter {field}"):
            out.text(field)
            out.parameter(getattr(definition, field))
    out.u64(len(numbers))
    for i, v in enumerate(numbers):
        with out.inside(f"leaf {i}"):
            out.u32(OPERAND if i in tracked else GIVEN)
            if i not in tracked:
                out.datum(v)
    with out.inside("output"):
        out.structure(structure.key())
        for shape in shapes:
            out.shape(shape)
    return b"".join(out.parts)


# ---- reading ----


class _RuleReader(Reader):
    what = "rule"

    def fail(self, what, at, expected, found):
        del at  # the place of the rule is in the file's own message
        place = self.named(what)
        raise FormatError(f"{self.what}, {place}: expected {expected}, found {found}")

    def definition(self):
        name = self.text("name")
        cls = found(registered, name)
        if cls is None:
            self.fail("name", self.at, "one of adcore's", repr(name[:MOST_TEXT]))
        self.what = f"rule {name}"
        fields = _fields(cls)
        given = {}
        for _ in range(self.count("parameters", 12)):
            key = self.text("parameter name")
            if key not in fields or key in given:
                self.fail("parameters", self.at, f"{', '.join(fields)}", repr(key[:MOST_TEXT]))
            with self.inside(f"parameter {key}"):
                at = self.at
                given[key] = self.parameter()
                if not _fits(given[key], fields[key]):
                    expected = getattr(fields[key], "__name__", str(fields[key]))
                    self.fail("", at, expected, type(given[key]).__name__)
        if len(given) < len(fields):
            absent = ", ".join(sorted(fields.keys() - given.keys()))
            self.fail("parameters", self.at, f"{', '.join(fields)}", f"no {absent}")
        try:
            return cls(**given)
        except ValueError as error:
            self.fail("parameters", self.at, "other values", str(error))

    def leaves(self, shapes):
        """The leaves, with None for operands, and which are operands."""
        numbers, tracked = [], []
        for i in range(self.count("leaves", 4)):
            with self.inside(f"leaf {i}"):
                if self.u32("tag", GIVEN) == OPERAND:
                    tracked.append(i)
                    numbers.append(None)
                else:
                    numbers.append(self.datum())
        if len(tracked) != len(shapes):
            self.fail("leaves", self.at, f"{len(shapes)} operands", len(tracked))
        return numbers, tracked

    def output(self, size):
        """(structure, shapes) of the output, of `size` elements in all."""
        structure, n = self.structure()
        self.expect_leaves(n)
        shapes = [self.shape("output shape") for _ in range(n)]
        found = sum(map(math.prod, shapes))
        if found != size or found > MOST:
            self.fail("output shapes", self.at, f"{size} elements in all", found)
        return structure, shapes


def from_bytes(data, size, shapes):
    """(definition, leaves, which are operands, structure, shapes of the output) of saved bytes.

    `size` is how many results the instruction has, `shapes` are those of its operands.
    """
    reader = _RuleReader(data)
    definition = reader.definition()
    numbers, tracked = reader.leaves(shapes)
    structure, results = reader.output(size)
    if reader.at != reader.end:
        reader.fail("end", reader.at, "nothing more", f"{reader.end - reader.at} bytes")
    for i, shape in zip(tracked, shapes, strict=True):
        numbers[i] = np.broadcast_to(0.0, shape) if shape else 0.0  # has the shape, and no memory
    return definition, numbers, tracked, structure, results


def _fields(cls):
    """The types of the parameters of a definition, by name."""
    fields = {}
    for base in reversed(cls.__mro__):
        fields.update(inspect.get_annotations(base))
    return fields


def _fits(v, kind):
    """Whether a value is of a type, exactly, or of one of a union."""
    if isinstance(kind, types.UnionType):
        return any(_fits(v, k) for k in typing.get_args(kind))
    return v is None if kind is None else type(v) is kind

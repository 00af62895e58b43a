"""Calls of functions whose derivative rules are written in Python: one instruction each.

A definition says what a call does, given the leaves of its arguments (numbers, arrays, tensors or
duals) as a flat list:

    name, rule(mode), remedy    the function, its "forward" or "reverse" rule, and what to write if
                                there is none: for errors
    value(leaves)               the output, a tree, of a call that nothing depends on
    run(leaves)                 (output, saved) for plain numbers and arrays
    pull(leaves, output, saved, ct, wanted)    J' ct: adjoints of the wanted leaves
    push(leaves, output, saved, tangents)      J v: tangents of the output's leaves

ct and tangents are lists with one entry per leaf of the output, or of the arguments; a tangent None
is zero.  `saved` is what run() returned, or None where leaves are tensors or duals.  A definition
without pull has it as None, and so with push: one is got by transposing the other, which is linear.

So a rule serves everywhere: on plain arrays in the numeric sweeps, on tensors where the derivative
is recorded, on duals in forward mode; and if it is written in adcore's operations it can itself be
differentiated.
"""

import contextlib
import math

import numpy as np

from . import _core, _named
from ._core import Dual, Tensor
from ._trees import PAIR, flatten, shape_of, unflatten
from .errors import NoRuleError, NotDifferentiableError, ShapeError
from .transforms import vjp

call = _core.call  # call(definition, leaves): see the top of this file


def _call_on_numbers(definition, leaves):
    """The output of a call that nothing is to be differentiated through."""
    output = definition.value([plain(v) for v in leaves])
    return _constants(output) if any(type(v) is Tensor for v in leaves) else output


def plain(leaf):
    """The numbers of a leaf: a float or an array if it is a tensor, else itself."""
    if type(leaf) is not Tensor:
        return leaf
    return np.array(_core.peek(leaf)) if leaf.ndim else _core.peek(leaf)


def _constants(output):
    """The output with its numbers and arrays as constant tensors."""
    parts, structure = flatten(output)
    parts = [_core.tensor(plain(v)) if _is_numeric(v) else v for v in parts]
    return unflatten(structure, parts)


def _is_numeric(v):
    return type(v) in (Tensor, Dual) or np.asarray(v).dtype.kind in "fiu"


def _output(definition, v):
    """An output leaf as a float or a float64 array."""
    if (type(v) is Tensor and v.requires_grad) or type(v) is Dual:
        raise NotDifferentiableError(
            f"{definition.name} returned a tracked tensor although its arguments were plain "
            "numbers: it uses a tracked tensor from outside; make that an argument of its own"
        )
    array = np.asarray(plain(v))
    if array.dtype.kind not in "fiub":
        raise NotDifferentiableError(
            f"{definition.name} returned a {type(v).__name__}, which has no derivative; return "
            "numbers, float arrays, or tuples of them"
        )
    return array.astype(np.float64, copy=False) if array.ndim else float(array)


# ---- on the tape ----


def flat_results(values):
    """Floats and arrays as one flat array."""
    if len(values) == 1:
        return np.reshape(values[0], -1)
    return np.concatenate([np.ravel(v) for v in values]) if values else np.empty(0)


class Rule(_core.CallRecord):
    """What the tape keeps of a call; see _calls.pxi for what it is asked."""

    __slots__ = ()

    @property
    def operand_shapes(self):
        """The shapes of the operands."""
        return [np.shape(self.numbers[i]) for i in self.tracked]

    def take(self, output):
        """Keep an output of any structure; its flat results."""
        if type(output) is np.ndarray and output.dtype == complex and output.ndim:
            halves = np.empty((2, *output.shape))
            halves[0], halves[1] = output.real, output.imag
            self.structure, self.shapes = PAIR, [output.shape] * 2
            self.values = [halves[0], halves[1]]
            return halves.reshape(-1)
        parts, self.structure = flatten(output)
        self.values = [_output(self.definition, v) for v in parts]
        self.shapes = [np.shape(v) for v in self.values]
        return flat_results(self.values)

    def split(self, flat):
        """Flat results, or their adjoints, as one number or array per output leaf."""
        return _core.split_results(flat, self.shapes)

    def output(self, parts):
        """The output as the function returned it."""
        return unflatten(self.structure, parts)

    @property
    def name(self):
        """What is called, for errors."""
        return self.definition.name

    def to_bytes(self):
        """What a file keeps; a FormatError says why it cannot."""
        return _named.to_bytes(
            self.definition, self.numbers, self.tracked, self.structure, self.shapes
        )

    # -- in numbers --

    def replay(self, operands):
        """The flat results anew, for other numbers in place of the operands."""
        numbers = list(self.numbers)
        for i, v in zip(self.tracked, operands, strict=True):
            numbers[i] = v
        parts, _ = flatten(self.definition.run(numbers)[0])
        values = [_output(self.definition, v) for v in parts]
        shapes = [np.shape(v) for v in values]
        if shapes != self.shapes:
            raise ShapeError(
                f"{self.definition.name} returned results of shapes {shapes} in a compiled "
                f"function, and {self.shapes} when it was recorded; shapes may not depend on values"
            )
        return flat_results(values)

    def reverse(self, g):
        """Adjoints of the operands, arrays or None, given that of the flat results."""
        d = self.definition
        found = pull(
            d, self.numbers, self.output(self.values), self.saved, self.split(g), self.tracked
        )
        return [
            a if a is None or type(a) is np.ndarray else np.asarray(plain(a), dtype=np.float64)
            for a in found
        ]

    def forward(self, tangents):
        """The flat tangent of the results, given those of the operands, arrays or None."""
        spread = [None] * len(self.numbers)
        for i, t in zip(self.tracked, tangents, strict=True):
            spread[i] = t if t is None or t.ndim else float(t)
        found = push(self.definition, self.numbers, self.output(self.values), self.saved, spread)
        return np.concatenate(
            [
                np.zeros(math.prod(s)) if t is None else np.ravel(plain(t)).astype(np.float64)
                for t, s in zip(found, self.shapes, strict=True)
            ]
        )

    # -- recorded --

    def on_tape(self, operands, results):
        """(leaves, output) as tensors."""
        leaves = list(self.numbers)
        for i, operand in zip(self.tracked, operands, strict=True):
            leaves[i] = operand
        return leaves, self.output(self.split(results))

    def emit_reverse(self, g, operands, results):
        """Adjoints of the operands as tensors."""
        leaves, output = self.on_tape(operands, results)
        found = pull(self.definition, leaves, output, None, self.split(variable(g)), self.tracked)
        for a in found:
            expect_linear(self.definition, "reverse", a)
        return found

    def emit_forward(self, tangents, operands, results):
        """The flat tangent of the results as a tensor."""
        leaves, output = self.on_tape(operands, results)
        spread = [None] * len(leaves)
        for i, t, shape in zip(self.tracked, tangents, self.operand_shapes, strict=True):
            if t is not None:
                t = variable(t)  # of no dimension if it is the same for all elements
                spread[i] = t if t.shape == shape else _core.broadcast_to(t, shape)
        found = push(self.definition, leaves, output, None, spread)
        for t in found:
            expect_linear(self.definition, "forward", t)
        parts = [
            np.zeros(math.prod(s)) if t is None else _core.reshape(t, (-1,))
            for t, s in zip(found, self.shapes, strict=True)
        ]
        tracked = any(type(p) is Tensor for p in parts)
        return _core.concatenate(parts, 0) if tracked else np.concatenate(parts)


def _load_rule(data, size, shapes):
    """The Rule of saved bytes: see _named.from_bytes()."""
    return Rule(*_named.from_bytes(data, size, shapes))


_core.add_methods({"_load_rule": _load_rule, "_call_on_numbers": _call_on_numbers})
_core.set_call_record(Rule, flatten(0.0)[1])


def variable(x):
    """A tensor that is surely tracked, with the values of `x`."""
    if type(x) is Tensor and x.requires_grad:
        return x
    numbers = plain(x)
    return _core.lift([numbers])[1][0]


# ---- on duals ----


def _call_on_duals(definition, leaves):
    tag = max([v.tag for v in leaves if type(v) is Dual])
    duals = [type(v) is Dual and v.tag == tag for v in leaves]
    values = [v.value if d else v for v, d in zip(leaves, duals, strict=True)]
    if any(type(v) is Dual or (type(v) is Tensor and v.requires_grad) for v in values):
        output, saved = call(definition, values), None
        parts, structure = flatten(output)
    else:
        values = [plain(v) for v in values]
        output, saved = definition.run(values)
        parts, structure = flatten(output)
        parts = [_output(definition, v) for v in parts]
        output = unflatten(structure, parts)
    n = max(len(v.tangents) for v, d in zip(leaves, duals, strict=True) if d)
    lanes = []
    for lane in range(n):
        tangents = [v.tangents[lane] if d else None for v, d in zip(leaves, duals, strict=True)]
        lanes.append(push(definition, values, output, saved, tangents))
    out = [Dual(tag, v, tuple(t[i] for t in lanes)) for i, v in enumerate(parts)]
    return unflatten(structure, out)


_core.add_methods({"_call_on_duals": _call_on_duals})


# ---- rules, and their transposes ----


def pull(definition, leaves, output, saved, ct, wanted):
    """Adjoints of the wanted leaves, given those of the output's leaves."""
    if definition.pull:
        with blame(definition, "reverse"):
            found = definition.pull(leaves, output, saved, ct, wanted)
        shapes = [shape_of(leaves[i]) for i in wanted]
        return _checked(definition, "reverse", "an adjoint", found, shapes)
    if not definition.push:
        raise _missing(definition)
    return transposed_push(definition, leaves, output, saved, ct, wanted)


def push(definition, leaves, output, saved, tangents):
    """Tangents of the output's leaves, given those of the arguments' leaves."""
    shapes = [shape_of(v) for v in flatten(output)[0]]
    if all(t is None for t in tangents):
        return [None] * len(shapes)
    if definition.push:
        with blame(definition, "forward"):
            found = definition.push(leaves, output, saved, tangents)
        return _checked(definition, "forward", "a tangent", found, shapes)
    if not definition.pull:
        raise _missing(definition)
    return transposed_pull(definition, leaves, output, saved, tangents)


def transposed_push(definition, leaves, output, saved, ct, wanted):
    """J' ct from v -> J v."""
    shapes = [shape_of(v) for v in flatten(output)[0]]

    def along(*directions):
        tangents = [None] * len(leaves)
        for i, v in zip(wanted, directions, strict=True):
            tangents[i] = v
        return push(definition, leaves, output, saved, tangents)

    inputs = [shape_of(leaves[i]) for i in wanted]
    return _transposed(definition, "forward", along, inputs, shapes, ct, leaves)


def transposed_pull(definition, leaves, output, saved, tangents):
    """J v from ct -> J' ct."""
    wanted = [i for i, t in enumerate(tangents) if t is not None]
    shapes = [shape_of(leaves[i]) for i in wanted]

    def against(*ct):
        return pull(definition, leaves, output, saved, list(ct), wanted)

    inputs = [shape_of(v) for v in flatten(output)[0]]
    given = [tangents[i] for i in wanted]
    return _transposed(definition, "reverse", against, inputs, shapes, given, leaves)


def _transposed(definition, mode, linear, inputs, outputs, weights, leaves):
    """Of a linear function of arrays of shapes `inputs`: its transpose, applied to `weights`."""

    def zeros_filled(*x):
        found = linear(*x)
        for y in found:
            expect_linear(definition, mode, y)
        return [np.zeros(s) if y is None else y for y, s in zip(found, outputs, strict=True)]

    probe = [_probe(s) for s in inputs]
    try:
        with recording():
            along, back = vjp(zeros_filled, *probe)
            found = list(back(list(weights)))
    except NotDifferentiableError:
        if any(type(v) in (Tensor, Dual) for v in (*leaves, *weights)):
            raise
        along, found = linear(*probe), _by_elements(linear, inputs, weights)
    _expect_proportional(definition, mode, along, weights, found)
    return found


def _by_elements(linear, inputs, weights):
    """The transpose of what is linear in plain numbers, called for one element at a time."""
    found = []
    for k, shape in enumerate(inputs):
        total = np.zeros(shape)
        for at in np.ndindex(shape):
            unit = np.zeros(shape)
            unit[at] = 1.0
            x = [np.zeros(s) if s else 0.0 for s in inputs]
            x[k] = unit if shape else 1.0
            parts = zip(linear(*x), weights, strict=True)
            total[at] = sum(np.sum(plain(y) * w) for y, w in parts if y is not None)
        found.append(total if shape else float(total))
    return found


PROBE = -1.5
# How far a rule may be from linear, relative to what is added up: far above rounding errors.
LINEAR_TO = 1e-4


def _numbers(x):
    """The numbers below duals and tensors."""
    while type(x) is Dual:
        x = x.value
    return _core.peek(x)


def _expect_proportional(definition, mode, along, weights, found):
    """Refuse a derivative that is not linear in its seed, as far as the seed _probe() can tell.

    `along` is what it gives for that seed and `found` its transpose applied to `weights`: the
    products of either with the other's seed are the same number.
    """
    pairs = zip(along, weights, strict=True)
    with np.errstate(all="ignore"):
        products = [_numbers(y) * _numbers(w) for y, w in pairs if y is not None]
        adjoints = [PROBE * _numbers(g) for g in found]
        left, right = sum(map(np.sum, products)), sum(map(np.sum, adjoints))
        size = sum(np.sum(np.abs(x)) for x in (*products, *adjoints))
    if np.isfinite(size) and abs(left - right) > LINEAR_TO * size:
        seed = "tangents" if mode == "forward" else "adjoints"
        raise missing(
            f"{definition.rule(mode)} is not linear in the {seed} that it is given: for {seed} of "
            f"{PROBE}, what it returns sums up to {left:.6g} where its own derivative makes that "
            f"{right:.6g}; every term must have one of the {seed} as a factor"
        )


def expect_linear(definition, mode, x):
    """Refuse a derivative that does not depend on its seed, a variable: it was cut off from it."""
    if x is None or type(x) is Dual or (type(x) is Tensor and x.requires_grad):
        return
    if np.any(plain(x)):
        raise NotDifferentiableError(
            f"{definition.rule(mode)} gives numbers that do not depend on the tensors it was "
            "called with, so its derivatives would be lost; write it with adcore's or NumPy's "
            "functions on them, without detach(), item() or code outside of both"
        )


def _probe(shape):
    """Where to take the derivative of a linear function: anywhere, best where others give away."""
    return np.full(shape, PROBE) if shape else PROBE


@contextlib.contextmanager
def recording():
    """Let what is done here be recorded, whatever there is around it."""
    was = _core.set_recording(True)
    try:
        yield
    finally:
        _core.set_recording(was)


def missing(text):
    """The error for a rule that is not there, or not differentiable: it names the function."""
    error = NoRuleError(text)
    error.named = True
    return error


def _missing(definition):
    return missing(f"{definition.name} has no derivative rule; {definition.remedy}")


def _checked(definition, mode, what, found, shapes):
    """What a rule returned, one entry per leaf, each in its leaf's shape."""
    if len(found) != len(shapes):
        raise ShapeError(
            f"{definition.rule(mode)} returned {len(found)} results where "
            f"{len(shapes)} are expected"
        )
    for x, shape in zip(found, shapes, strict=True):
        if x is None or (type(x) is np.ndarray and x.dtype == float and x.shape == shape):
            continue
        if not _is_numeric(x):
            raise NotDifferentiableError(
                f"{definition.rule(mode)} returned a {type(x).__name__} for {what}, expected "
                f"numbers of shape {shape}, or None for zero"
            )
        if shape_of(x) != shape:
            raise ShapeError(
                f"{definition.rule(mode)} returned {what} of shape {shape_of(x)} "
                f"where {shape} is expected"
            )
    return found


class blame:
    """Say which rule it was that tensors could not pass through."""

    __slots__ = ("definition", "mode")

    def __init__(self, definition, mode):
        self.definition, self.mode = definition, mode

    def __enter__(self):
        pass

    def __exit__(self, kind, error, traceback):
        if kind is None or not issubclass(kind, NotDifferentiableError):
            return
        if not getattr(error, "named", False):
            raise missing(
                f"{self.definition.rule(self.mode)} cannot be differentiated: {error}.  A rule "
                "written with adcore's or NumPy's functions, and nothing outside of them, holds at "
                "every order"
            ) from error

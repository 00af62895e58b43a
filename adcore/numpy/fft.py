"""NumPy's fft on numbers, arrays, tensors, duals and complex pairs of them.

Three linear calls do all of it: "fft" and "ifft" along one axis or more, "rfft" of real numbers and
"irfft" back to them along one.  Each is one instruction whose values are NumPy's own, and whose
transpose is another of the three.  Cropping, padding with zeros and shifts are operations on parts.
"""

import functools
import math as _math
from dataclasses import dataclass

import numpy as _numpy

from .. import _calls, _core
from .._named import Named as _Named
from .._trees import PAIR as _PAIR
from .._trees import flatten as _flatten
from .._trees import shape_of as _shape_of
from ..complexes import both as _both
from ..complexes import pair as _pair
from ..complexes import parts as _parts
from ..complexes.arrays import FUNCTIONS as _FUNCTIONS
from ..complexes.arrays import linear as _linear
from ..rules import primitives as _primitives
from ..rules import table as _table

__all__ = list(_numpy.fft.__all__)

_NORMS = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}
_SHAPES = ("fft", "ifft", "rfft", "irfft")


@dataclass
class _Transform(_Named, saved_as="fft"):
    """One linear transform; leaves are the real part and, of complex input, the imaginary."""

    kind: str  # of _KINDS
    axes: tuple  # not negative; one only for rfft and irfft
    n: int  # what irfft makes of the last axis; 0 for the others
    norm: str

    def __post_init__(self):
        if self.kind not in _KINDS or self.norm not in ("backward", "ortho", "forward"):
            raise ValueError("a transform of another kind")
        if not all(type(a) is int and a >= 0 for a in self.axes) or self.n < 0:
            raise ValueError("axes or a length below 0")
        if self.kind in ("rfft", "irfft") and len(self.axes) != 1:
            raise ValueError(f"{self.kind} along {len(self.axes)} axes")
        self.name = f"numpy.fft.{self.kind}"
        self._plans = {}  # by the shapes of what is transformed, and of how many parts

    def recorded(self, leaves):
        """What is recorded of tensors without a detour; NotImplemented if another way is to be."""
        shape = _shape_of(leaves[0])
        key = len(leaves), shape
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= 64:
                self._plans.clear()
            plan = self._plans[key] = _planned(self, *key)
        return plan.record(*leaves, *[None] * (2 - len(leaves))) if plan else NotImplemented

    def run(self, leaves):
        """(output, nothing) of plain leaves."""
        x = leaves[0] if len(leaves) == 1 else _pair(*leaves)
        if len(self.axes) == 1:
            return _along(self.kind, x, self.n, self.axes[0], self.norm), None
        for axis in self.axes[::-1]:  # in NumPy's order
            x = _along(self.kind, x, 0, axis, self.norm)
        return x, None

    def push(self, leaves, output, saved, tangents):
        """The same transform of the tangents."""
        del output, saved
        given = [
            _numpy.zeros(_shape_of(v)) if t is None else t
            for t, v in zip(tangents, leaves, strict=True)
        ]
        return _leaves(_apply(self, given))

    def pull(self, leaves, output, saved, ct, wanted):
        """The transpose: of the conjugate matrix where both sides are complex."""
        del output, saved
        norm = _NORMS[self.norm]
        if self.kind in ("fft", "ifft"):
            other = "ifft" if self.kind == "fft" else "fft"
            back = _leaves(_apply(_definition(other, self.axes, 0, norm), ct))
            return [back[i] for i in wanted]
        (axis,) = self.axes
        if self.kind == "irfft":
            weights = _weights(self.n, 2.0, axis, len(_shape_of(leaves[0])))
            back = _leaves(_apply(_definition("rfft", self.axes, 0, norm), ct))
            return [back[i] * weights for i in wanted]
        shape = _shape_of(leaves[0])
        weights = _weights(shape[axis], 0.5, axis, len(shape))
        back = _definition("irfft", self.axes, shape[axis], norm)
        return [_apply(back, [part * weights for part in ct])]


_KINDS = ("fft", "ifft", "rfft", "irfft")
_definition = functools.lru_cache(256)(_Transform)


# What NumPy's functions call once they have read their arguments, which takes as long as ten points
# do; a release of NumPy's that has them elsewhere is asked by its functions.
_LOOPS = getattr(_numpy.fft, "_pocketfft_umath", None)


def _pass(kind, n, length, norm):
    """(NumPy's loop, length of the result, factor) of a transform of so many numbers."""
    n = n or length
    if norm == "ortho":
        factor = 1.0 / _math.sqrt(n)
    else:
        factor = 1.0 / n if (norm == "forward") is (kind in ("fft", "rfft")) else 1.0
    if kind == "rfft":
        return "rfft_n_odd" if n % 2 else "rfft_n_even", n // 2 + 1, factor
    return kind, n, factor


def _along(kind, x, n, axis, norm):
    """NumPy's transform of an array along one axis; of `n` numbers if it is irfft."""
    if _LOOPS is None or type(x) is not _numpy.ndarray or not x.size:
        return getattr(_numpy.fft, kind)(x, n or None, axis, norm)
    name, out_length, factor = _pass(kind, n, x.shape[axis], norm)
    out = _numpy.empty(
        (*x.shape[:axis], out_length, *x.shape[axis + 1 :]),
        float if kind == "irfft" else complex,
    )
    if axis == x.ndim - 1:
        return getattr(_LOOPS, name)(x, factor, out)
    return getattr(_LOOPS, name)(x, factor, out, axes=[(axis,), (), (axis,)])


class _Linear(_calls.Rule):
    """What the tape keeps of a transform: no numbers, as no derivative needs them."""

    __slots__ = ()

    def reverse(self, g):
        """Adjoints of the operands, arrays."""
        return self.definition.pull(self.numbers, None, None, self.split(g), self.tracked)

    def forward(self, tangents):
        """The flat tangent of the results."""
        return _calls.flat_results(self.definition.push(self.numbers, None, None, tangents))


def _planned(definition, n_leaves, shape):
    """The FourierPlan of a definition for leaves of one shape; None if NumPy's loops are not it."""
    kind = definition.kind
    if _LOOPS is None or (kind == "rfft" and n_leaves > 1):
        return None
    passes = []
    for axis in definition.axes[::-1]:
        name, length, factor = _pass(kind, definition.n, shape[axis], definition.norm)
        passes.append((axis, length, factor))
    out_shape = tuple([length if i == axis else n for i, n in enumerate(shape)])
    leaf = _flatten(0.0)[1]
    rule = _Linear(
        definition,
        [_numpy.broadcast_to(0.0, shape)] * n_leaves,
        list(range(n_leaves)),
        leaf if kind == "irfft" else _PAIR,
        [out_shape] * (1 if kind == "irfft" else 2),
    )
    rule.values = [_numpy.broadcast_to(0.0, s) for s in rule.shapes]
    plan = _core.FourierPlan(
        getattr(_LOOPS, name), shape, passes, kind == "rfft", kind == "irfft", rule
    )
    return plan if plan.usable() else None


def _weights(n, inner, axis, ndim):
    """How often each frequency of n real numbers counts: once at the ends, `inner` between."""
    out = _numpy.full(n // 2 + 1, inner)
    out[0] = 1.0
    if n % 2 == 0:
        out[-1] = 1.0
    return out.reshape((-1, *[1] * (ndim - 1 - axis)))


def _apply(definition, leaves):
    """A call; of plain numbers alone it is NumPy's."""
    found = definition.recorded(leaves)
    if found is not NotImplemented:
        return found
    if _table.is_traced(leaves):
        return _calls.call(definition, leaves)
    return definition.run(leaves)[0]


def _leaves(output):
    """The parts of an output, one if it is real."""
    real, imag = _parts(output)
    return [real] if imag is None else [real, imag]


# ---- lengths and axes ----


def _resized(x, axis, n):
    """X cropped, or padded with zeros, to length n along an axis."""
    if n < 1:
        raise ValueError(f"Invalid number of FFT data points ({n}) specified.")
    shape = _shape_of(x)
    if shape[axis] == n:
        return x
    if shape[axis] > n:
        return x[(*[slice(None)] * axis, slice(n))]
    zeros = _numpy.zeros((*shape[:axis], n - shape[axis], *shape[axis + 1 :]))
    return _table.public[_numpy.concatenate]([x, zeros], axis=axis)


def _complex_resized(x, axis, n):
    real, imag = _parts(x)
    real = _resized(real, axis, n)
    return real if imag is None else _pair(real, _resized(imag, axis, n))


def _axis(axis, ndim):
    if not -ndim <= axis < ndim:
        raise _numpy.exceptions.AxisError(axis, ndim)
    return axis % ndim


def _axes(x, s, axes):
    """(lengths or None, axes) of an n-dimensional transform, as NumPy's."""
    ndim = len(_shape_of(x))
    if axes is None:
        axes = range(ndim) if s is None else range(ndim - len(s), ndim)
    axes = tuple([_axis(a, ndim) for a in axes])
    if s is None:
        s = [None] * len(axes)
    elif len(s) != len(axes):
        raise ValueError("Shape and axes have different lengths.")
    return [None if n in (None, -1) else n for n in s], axes


def _as_array(x):
    """Lists of numbers and tensors as one array."""
    if type(x) in _table.traced_types:
        return x
    return _pair(*_both(x)) if _core.is_complex(x) else _parts(x)[0]


def _check_norm(norm):
    if norm not in _NORMS:
        raise ValueError(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".')
    return norm or "backward"


# ---- the functions ----


def _transform(kind, x, n, axes, norm):
    for length, axis in zip(n, axes, strict=True):
        if length is not None:
            x = _complex_resized(x, axis, length)
    return _apply(_definition(kind, axes, 0, _check_norm(norm)), _leaves(x))


def _fft(kind):
    def rule(a, n=None, axis=-1, norm=None, out=None):
        if out is not None:
            _table.refuse(f"numpy.fft.{kind}", out=out)
        a = _as_array(a)
        return _transform(kind, a, [n], (_axis(axis, len(_shape_of(a))),), norm)

    return rule


def _fftn(kind, default=None):
    def rule(a, s=None, axes=default, norm=None, out=None):
        _table.refuse(f"numpy.fft.{kind}n", out=out)
        a = _as_array(a)
        s, axes = _axes(a, s, axes)
        # An axis that is named again is transformed again.
        for k in range(len(axes) - 1, -1, -1) if len(set(axes)) < len(axes) else ():
            a = _transform(kind, a, s[k : k + 1], axes[k : k + 1], norm)
        return a if len(set(axes)) < len(axes) else _transform(kind, a, s, axes, norm)

    return rule


def _real(x, name):
    real, imag = _parts(_as_array(x))
    if imag is not None:
        raise TypeError(f"{name} takes real numbers, got complex ones; take z.real, or use fft")
    return real


def _rfft(a, n=None, axis=-1, norm=None, out=None):
    _table.refuse("numpy.fft.rfft", out=out)
    a = _real(a, "rfft")
    return _transform("rfft", a, [n], (_axis(axis, len(_shape_of(a))),), norm)


def _irfft(a, n=None, axis=-1, norm=None, out=None):
    if out is not None:
        _table.refuse("numpy.fft.irfft", out=out)
    a = _as_array(a)
    shape = _shape_of(a)
    axis = _axis(axis, len(shape))
    n = 2 * (shape[axis] - 1) if n is None else n
    if n < 1:
        raise ValueError(f"Invalid number of FFT data points ({n}) specified.")
    if shape[axis] != n // 2 + 1:
        a = _complex_resized(a, axis, n // 2 + 1)
    return _apply(_definition("irfft", (axis,), int(n), _check_norm(norm)), _leaves(a))


def _conjugate(z):
    """The conjugate; of what is real, itself."""
    return z.conj() if _core.is_complex(z) else z


def _hfft(a, n=None, axis=-1, norm=None, out=None):
    if out is not None:
        _table.refuse("numpy.fft.hfft", out=out)
    return _irfft(_conjugate(_as_array(a)), n, axis, _NORMS[_check_norm(norm)])


def _ihfft(a, n=None, axis=-1, norm=None, out=None):
    _table.refuse("numpy.fft.ihfft", out=out)
    return _conjugate(_rfft(a, n, axis, _NORMS[_check_norm(norm)]))


def _rfftn(a, s=None, axes=None, norm=None, out=None):
    _table.refuse("numpy.fft.rfftn", out=out)
    a = _real(a, "rfftn")
    s, axes = _axes(a, s, axes)
    a = _transform("rfft", a, s[-1:], axes[-1:], norm)
    return _fftn("fft")(a, s[:-1], axes[:-1], norm) if axes[1:] else a


def _irfftn(a, s=None, axes=None, norm=None, out=None):
    _table.refuse("numpy.fft.irfftn", out=out)
    a = _as_array(a)
    s, axes = _axes(a, s, axes)
    if axes[1:]:
        a = _fftn("ifft")(a, s[:-1], axes[:-1], norm)
    return _irfft(a, s[-1], axes[-1], norm)


def _rfft2(a, s=None, axes=(-2, -1), norm=None, out=None):
    return _rfftn(a, s, axes, norm, out)


def _irfft2(a, s=None, axes=(-2, -1), norm=None, out=None):
    return _irfftn(a, s, axes, norm, out)


def _shift(sign):
    def rule(x, axes=None):
        shape = _shape_of(x)
        if len(shape) == 1 and axes in (None, 0, -1):
            start = -sign * (shape[0] // 2) % max(shape[0], 1)  # which becomes the first
            return _primitives.concatenate([x[start:], x[:start]], 0)
        if axes is None:
            axes = range(len(shape))
        axes = tuple([axes] if isinstance(axes, int) else axes)
        by = [sign * (n // 2) for n in (shape[a] for a in axes)]
        return _table.public[_numpy.roll](x, by, axes)

    return rule


_RULES = {
    "fft": _fft("fft"),
    "ifft": _fft("ifft"),
    "rfft": _rfft,
    "irfft": _irfft,
    "hfft": _hfft,
    "ihfft": _ihfft,
    "fftn": _fftn("fft"),
    "ifftn": _fftn("ifft"),
    "fft2": _fftn("fft", (-2, -1)),
    "ifft2": _fftn("ifft", (-2, -1)),
    "rfftn": _rfftn,
    "irfftn": _irfftn,
    "rfft2": _rfft2,
    "irfft2": _irfft2,
    "fftshift": _shift(1),
    "ifftshift": _shift(-1),
}

for _name, _rule in _RULES.items():
    _function = getattr(_numpy.fft, _name)
    _rule.__name__ = f"_{_name}"
    _rule = functools.wraps(_function)(_rule)
    _rule.__name__ = f"_{_name}"  # an underscore first: not among adcore's own functions
    _table.array_function(_function)(_rule)
    _FUNCTIONS[_function] = _linear(_function, 0) if "shift" in _name else _rule
    globals()[_name] = _table.public[_function]

fftfreq, rfftfreq = _numpy.fft.fftfreq, _numpy.fft.rfftfreq


def __dir__():
    return sorted(__all__)

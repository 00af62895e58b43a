"""The type of complex arrays under differentiation, and how anything becomes one.

What a Complex answers to operators, ufuncs and functions is given to it by dispatch.py.
"""

import math

import numpy as np

from .. import _core
from ..errors import NotDifferentiableError
from ..rules.primitives import shape_of
from ..rules.table import Dual, Tensor, is_traced, public, traced_types


class Complex(_core.ComplexPair):
    """A complex array whose real and imaginary parts are tensors, duals or arrays of one shape.

    Attributes
    ----------
    real, imag : Tensor, Dual, array or float
        Its parts, in the shape of the array.

    Examples
    --------
    >>> x = adcore.tensor([1.0, 2.0], requires_grad=True)
    >>> np.exp(1j * x).real
    tensor([ 0.54030231, -0.41614684], requires_grad=True)
    """

    __slots__ = ()
    __complex_pair__ = True
    __array_priority__ = 2000
    dtype = np.dtype(np.complex128)

    # -- shape --

    @property
    def shape(self):
        """The lengths of its dimensions."""
        return shape_of(self.real)

    @property
    def ndim(self):
        """The number of its dimensions."""
        return len(self.shape)

    @property
    def size(self):
        """The number of its elements."""
        return math.prod(self.shape)

    @property
    def T(self):
        """The array with its dimensions reversed."""
        return self.transpose()

    @property
    def mT(self):
        """The array with its last two dimensions exchanged."""
        return np.matrix_transpose(self)

    def __len__(self):
        if not self.shape:
            raise TypeError("len() of a complex scalar")
        return self.shape[0]

    def __iter__(self):
        return iter([self[i] for i in range(len(self))])

    def __setitem__(self, key, value):
        assign(self, key, *both(value))

    # -- leaves of the tape, as torch has them --

    @property
    def requires_grad(self):
        """Whether a part is tracked."""
        return any(type(x) is Tensor and x.requires_grad for x in (self.real, self.imag))

    def requires_grad_(self, requires_grad=True):
        """Track both parts from here on, as Tensor.requires_grad_() does; returns the array."""
        for x in (self.real, self.imag):
            x.requires_grad_(requires_grad)
        return self

    @property
    def grad(self):
        """The derivatives that backward() left: by the real part + i times by the imaginary."""
        if self.real.grad is None and self.imag.grad is None:
            return None
        found = [np.zeros(self.shape) if x.grad is None else x.grad for x in (self.real, self.imag)]
        return pair(*found)

    @grad.setter
    def grad(self, value):
        real, imag = (None, None) if value is None else both(value)
        self.real.grad, self.imag.grad = real, imag

    def backward(self, gradient=None, **options):
        """As Tensor.backward(), of the sum of real parts of conj(gradient) times the array."""
        if gradient is None:
            raise NotDifferentiableError(
                "backward() of a complex number needs gradient=, or a real number: abs(z) ** 2, "
                "z.real or z.imag"
            )
        real, imag = both(gradient)
        (self.real * real + self.imag * imag).sum().backward(**options)

    # -- out of differentiation --

    def detach(self):
        """The same numbers as a constant: derivatives do not flow through it."""
        return pair(*[x.detach() if is_traced((x,)) else x for x in (self.real, self.imag)])

    def numpy(self):
        """A new array of the numbers of a constant; of one that is tracked, an error."""
        return _plain(*[x.numpy() if is_traced((x,)) else x for x in (self.real, self.imag)])

    def item(self):
        """The number of an array of one element, a constant from here on."""
        return complex(*[x.item() if shape_of(x) or is_traced((x,)) else x for x in self._parts()])

    def tolist(self):
        """The numbers as nested lists, constants from here on."""
        real, imag = (x.tolist() if hasattr(x, "tolist") else x for x in self._parts())
        return _plain(np.asarray(real), np.asarray(imag)).tolist()

    def _parts(self):
        return self.real, self.imag

    def __complex__(self):
        raise NotDifferentiableError(
            "complex(), or an assignment into a NumPy array, of a tracked complex number would "
            "lose its derivative; use it as it is, or z.item() for a constant"
        )

    def __float__(self):
        raise NotDifferentiableError(
            "float() of a complex number would lose its imaginary part; write z.real or abs(z)"
        )

    __int__ = __index__ = __float__

    def __array__(self, dtype=None, copy=None):
        del dtype, copy
        raise NotDifferentiableError(
            "np.array() or np.asarray() of tracked complex numbers would lose their derivative; "
            "use them as they are, join them by np.stack, or take z.detach().numpy() for constants"
        )

    def __bool__(self):
        if self.size != 1:
            raise ValueError("the truth of a complex array is ambiguous; use z.any() or z.all()")
        return bool(self.real != 0) or bool(self.imag != 0)

    def __lt__(self, other):
        raise TypeError(
            "complex numbers have no order; compare abs(z), z.real or z.imag, each for itself"
        )

    __le__ = __gt__ = __ge__ = __lt__

    def __repr__(self):
        with_grad = ", requires_grad=True" if self.requires_grad else ""
        numbers = _plain(*[_core.values(x) for x in self._parts()])
        return f"Complex({np.array2string(np.asarray(numbers), separator=', ')}{with_grad})"

    __hash__ = object.__hash__


traced_types.add(Complex)


def pair(real, imag):
    """The number real + i imag: Complex if a part is a tensor or a dual, else NumPy's."""
    traced = type(real) in traced_types, type(imag) in traced_types
    if traced[0] and traced[1] and real.shape == imag.shape:
        return Complex(real, imag)
    if traced[0] or traced[1]:
        shapes = shape_of(real), shape_of(imag)
        if shapes[0] != shapes[1]:
            shape = np.broadcast_shapes(*shapes)
            real, imag = (
                x if s == shape else _spread(x, shape)
                for x, s in zip((real, imag), shapes, strict=True)
            )
        return Complex(real, imag)
    return _plain(real, imag)


def _spread(x, shape):
    """A part in a larger shape."""
    return np.full(shape, x) if type(x) is float else public[np.broadcast_to](x, shape)


def _plain(real, imag):
    """The same of numbers and arrays."""
    if type(real) is type(imag) is np.ndarray and real.shape == imag.shape:
        out = np.empty(real.shape, np.complex128)
        out.real, out.imag = real, imag
        return out if out.ndim else complex(out)
    out = np.empty(np.broadcast_shapes(np.shape(real), np.shape(imag)), np.complex128)
    out.real, out.imag = real, imag
    return out if out.ndim else complex(out)


def parts(x):
    """(re, im) of anything array-like; im is None of what is real."""
    if type(x) is Complex:
        return x.real, x.imag
    if type(x) is Tensor or type(x) is Dual:
        return x, None
    if isinstance(x, (list, tuple)) and is_traced(x):
        if _core.is_complex(x):
            return parts(stacked(x))
        return _core.METHODS["stack_nested"](x), None
    if hasattr(x, "tensor"):  # a Mask or an Index: whole numbers that vary
        return x.tensor, None
    x = np.asarray(x)
    if x.dtype.kind != "c":
        return (x, None) if x.ndim else (x.item(), None)
    return (x.real.copy(), x.imag.copy()) if x.ndim else (float(x.real), float(x.imag))


def both(x):
    """(re, im) of anything array-like, zeros where it is real."""
    real, imag = parts(x)
    if imag is None:
        imag = np.zeros(shape_of(real))[()]
    return real, imag


def stacked(items):
    """A nested list of numbers, tensors and Complex as one Complex."""
    pairs = [both(i) for i in items]
    stack = public[np.stack]
    return pair(stack([re for re, _ in pairs]), stack([im for _, im in pairs]))


def tensor(data, requires_grad=False):
    """What adcore.tensor() makes of complex numbers: a pair of tensors."""
    if is_traced(data if isinstance(data, (list, tuple)) else (data,)):
        if requires_grad:
            raise NotDifferentiableError(
                "tensor(data, requires_grad=True) makes independent variables, but data contains "
                "tensors; leave requires_grad out to keep their dependence"
            )
        return pair(*both(data))
    data = np.asarray(data)
    halves = [np.array(x, dtype=np.float64) for x in (data.real, data.imag)]
    if requires_grad:
        z = Complex.__new__(Complex)
        z._re, z._im = _core.tensor_pair(*halves)
        return z
    return Complex(*[_core.tensor(x) for x in halves])


# ---- assignment ----


def assign(z, key, real, imag):
    """Assign to elements of either part, or of one of them if the other value is None."""
    _core.refuse_complex_part(z)
    if not z._owned:
        z._re, z._im, z._owned = _owned(z._re), _owned(z._im), True
    if real is not None:
        z._re = _assigned(z._re, key, real)
    if imag is not None:
        z._im = _assigned(z._im, key, imag)


def _owned(x):
    """A part that nobody else has: arrays may be the caller's."""
    return x.copy() if isinstance(x, np.ndarray) else x


def _assigned(x, key, value):
    """A part with other elements at `key`, mostly itself."""
    if key is ... and shape_of(x) == ():
        return value
    x = _assignable(x, value)
    x[key] = value
    return x


def _assignable(x, value):
    """A part into which a value can be assigned: constants become of its kind."""
    if type(value) is Dual and not (type(x) is Dual and x.tag >= value.tag):
        return Dual(value.tag, _assignable(x, value.value), (None,) * len(value.tangents))
    if type(value) is Tensor and type(x) is not Tensor and type(x) is not Dual:
        return _core.tensor(x)
    return x

"""Constants as torch makes them: filled tensors, ranges, random numbers; and its names of types.

Tensors are float64.  Integers and booleans are constants, and therefore NumPy arrays.
"""

import functools
import math
from _thread import _local  # threading itself takes long to import

import numpy as np

from . import _core
from ._core import Tensor

__all__ = [
    *("arange", "as_tensor", "double", "e", "empty", "eye", "float64", "from_numpy", "full"),
    *("get_default_dtype", "inf", "int32", "int64", "is_tensor", "linspace", "logspace", "long"),
    *("manual_seed", "nan", "ones", "pi", "rand", "rand_like", "randint", "randn", "randn_like"),
    *("randperm", "scalar_tensor", "set_default_dtype", "zeros"),
]

float64 = double = np.dtype(np.float64)
int64 = long = np.dtype(np.int64)
int32 = np.dtype(np.int32)
pi, e, inf, nan = math.pi, math.e, math.inf, math.nan


def is_tensor(x):
    """Whether `x` is a Tensor.

    Examples
    --------
    >>> adcore.is_tensor(adcore.tensor(1.0)), adcore.is_tensor(1.0)
    (True, False)
    """
    return type(x) is Tensor


def get_default_dtype():
    """float64, always.

    Examples
    --------
    >>> adcore.get_default_dtype()
    dtype('float64')
    """
    return float64


def set_default_dtype(dtype):
    """Accept float64, which is what tensors are, and nothing else.

    Examples
    --------
    >>> adcore.set_default_dtype(adcore.float64)
    """
    if np.dtype(dtype) != float64:
        raise TypeError(f"tensors are float64; set_default_dtype takes float64, got {dtype}")


def as_tensor(data, dtype=None, device=None):
    """`data` as a tensor; a tensor is returned as it is.

    Examples
    --------
    >>> adcore.as_tensor([1, 2])
    tensor([1., 2.])
    """
    if type(data) is Tensor and (dtype is None or np.dtype(dtype) == float64):
        return data
    return _core.tensor(data, dtype, device)


def from_numpy(array):
    """The numbers of an array as a tensor, copied.

    Examples
    --------
    >>> adcore.from_numpy(np.ones(2))
    tensor([1., 1.])
    """
    return _core.tensor(array)


def scalar_tensor(value, **options):
    """A tensor of shape (); `options` are those of zeros().

    Examples
    --------
    >>> adcore.scalar_tensor(2.0)
    tensor(2.)
    """
    return _core.tensor(float(value), **options)


def _shape(sizes):
    if len(sizes) == 1 and not isinstance(sizes[0], (int, np.integer)):
        return tuple(sizes[0])
    return sizes


def zeros(*size, dtype=None, device=None, requires_grad=False):
    """Zeros in a shape, given as numbers or as one tuple.

    Parameters
    ----------
    *size : int or one tuple of int
    dtype : dtype, optional
        float64; with an integer or boolean dtype the result is a NumPy array.
    device : optional
        "cpu".
    requires_grad : bool
        Put it on the tape as an independent variable.

    Examples
    --------
    >>> adcore.zeros(2, 3).shape, adcore.zeros((2,), requires_grad=True)
    ((2, 3), tensor([0., 0.], requires_grad=True))
    """
    return _core.tensor(np.zeros(_shape(size)), dtype, device, requires_grad)


def ones(*size, dtype=None, device=None, requires_grad=False):
    """Ones in a shape; see zeros().

    Examples
    --------
    >>> adcore.ones(2)
    tensor([1., 1.])
    """
    return _core.tensor(np.ones(_shape(size)), dtype, device, requires_grad)


def empty(*size, dtype=None, device=None, requires_grad=False):
    """Room in a shape, filled with zeros; see zeros().

    Examples
    --------
    >>> adcore.empty(2)
    tensor([0., 0.])
    """
    return zeros(*size, dtype=dtype, device=device, requires_grad=requires_grad)


def full(size, fill_value, dtype=None, device=None, requires_grad=False):
    """One number in every place of a shape; see zeros().

    Examples
    --------
    >>> adcore.full((2,), 5.0)
    tensor([5., 5.])
    """
    return _core.tensor(np.full(size, fill_value), dtype, device, requires_grad)


def eye(n, m=None, dtype=None, device=None, requires_grad=False):
    """The identity matrix; see zeros().

    Examples
    --------
    >>> adcore.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    return _core.tensor(np.eye(n, m), dtype, device, requires_grad)


def arange(start, end=None, step=1, dtype=None, device=None, requires_grad=False):
    """Numbers from `start` up to, but without, `end`, in steps; see zeros().

    Of integers, and without a dtype, it is a NumPy array of integers, which may be an index.

    Examples
    --------
    >>> adcore.arange(0.0, 1.0, 0.25)
    tensor([0.  , 0.25, 0.5 , 0.75])
    >>> adcore.arange(3)
    array([0, 1, 2])
    """
    start, end = (0, start) if end is None else (start, end)
    values = np.arange(*[_plain(v) for v in (start, end, step)])
    if dtype is None and values.dtype.kind == "i" and not requires_grad:
        return values
    return _core.tensor(values, dtype, device, requires_grad)


def linspace(start, end, steps, dtype=None, device=None, requires_grad=False):
    """`steps` numbers from `start` to `end`, both included; see zeros().

    Examples
    --------
    >>> adcore.linspace(0.0, 1.0, 3)
    tensor([0. , 0.5, 1. ])
    """
    return _core.tensor(
        np.linspace(_plain(start), _plain(end), steps), dtype, device, requires_grad
    )


def logspace(start, end, steps, base=10.0, dtype=None, device=None, requires_grad=False):
    """`base` to the powers linspace(start, end, steps).

    Examples
    --------
    >>> adcore.logspace(0.0, 2.0, 3)
    tensor([  1.,  10., 100.])
    """
    values = np.logspace(_plain(start), _plain(end), steps, base=base)
    return _core.tensor(values, dtype, device, requires_grad)


def _plain(x):
    return x.item() if type(x) is Tensor else x


# ---- random numbers ----


class _Generator(_local):
    """One generator per thread: NumPy's own are not to be shared."""

    @functools.cached_property
    def random(self):
        """Made when first needed: numpy.random is not imported before."""
        return np.random.default_rng()


_generator = _Generator()


def manual_seed(seed):
    """Begin the random numbers of this thread anew; they are NumPy's, not torch's.

    Examples
    --------
    >>> adcore.manual_seed(0)
    >>> a = adcore.randn(2)
    >>> adcore.manual_seed(0)
    >>> adcore.equal(a, adcore.randn(2))
    True
    """
    _generator.random = np.random.default_rng(seed)


def randn(*size, dtype=None, device=None, requires_grad=False):
    """Normally distributed random numbers in a shape; see zeros() and manual_seed().

    Examples
    --------
    >>> adcore.randn(2, 3).shape
    (2, 3)
    """
    values = _generator.random.standard_normal(_shape(size))
    return _core.tensor(values, dtype, device, requires_grad)


def rand(*size, dtype=None, device=None, requires_grad=False):
    """Random numbers from 0 to 1 in a shape; see zeros() and manual_seed().

    Examples
    --------
    >>> adcore.rand(2, 3).shape
    (2, 3)
    """
    return _core.tensor(_generator.random.random(_shape(size)), dtype, device, requires_grad)


def randn_like(x, dtype=None, device=None, requires_grad=False):
    """Normally distributed random numbers in the shape of `x`.

    Examples
    --------
    >>> adcore.randn_like(adcore.ones(2, 3)).shape
    (2, 3)
    """
    return randn(*x.shape, dtype=dtype, device=device, requires_grad=requires_grad)


def rand_like(x, dtype=None, device=None, requires_grad=False):
    """Random numbers from 0 to 1 in the shape of `x`.

    Examples
    --------
    >>> adcore.rand_like(adcore.ones(2, 3)).shape
    (2, 3)
    """
    return rand(*x.shape, dtype=dtype, device=device, requires_grad=requires_grad)


def randint(low, high, size=None, dtype=None, device=None):
    """Random integers from `low` up to, but without, `high`, a NumPy array.

    Examples
    --------
    >>> adcore.randint(5, 6, (2,))
    array([5, 5])
    """
    if size is None:
        low, high, size = 0, low, high
    values = _generator.random.integers(low, high, size)
    return values if dtype is None else _core.tensor(values, dtype, device)


def randperm(n):
    """The integers below `n` in random order, a NumPy array.

    Examples
    --------
    >>> sorted(adcore.randperm(3).tolist())
    [0, 1, 2]
    """
    return _generator.random.permutation(n)

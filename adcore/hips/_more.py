"""What autograd's modules of NumPy's and SciPy's names have beside these, or in place of them."""

import importlib

import numpy as np

from .. import _core
from .. import numpy as anp
from .._trees import shape_of
from .builtins import isbox
from .extend import Box


def make_diagonal(d, offset=0, axis1=0, axis2=1):
    """Matrices in the last two dimensions, with vectors in the last one of `d` as diagonals."""
    if offset != 0 or (axis1, axis2) not in ((-1, -2), (-2, -1)):
        raise NotImplementedError("make_diagonal is for offset=0 and the axes -1 and -2")
    return d[..., None] * np.eye(shape_of(d)[-1])


def where(condition, *args, **kwargs):
    """NumPy's where, here with x= and y=; of Python's own numbers and lists it gives such."""
    names = ("x", "y")[len(args) :]
    given = [*args, *[kwargs.pop(name) for name in names if name in kwargs]]
    if kwargs:
        raise TypeError(f"where() got an unexpected keyword argument {next(iter(kwargs))!r}")
    if len(given) not in (0, 2):
        raise ValueError("either both or neither of x and y should be given")
    found = anp.where(condition, *given)
    if given and isinstance(found, np.ndarray) and not any(map(_is_array, (condition, *given))):
        return found.tolist()
    return found


def _is_array(x):
    if isinstance(x, (list, tuple)):
        return any(map(_is_array, x))
    return isinstance(x, (np.ndarray, np.generic)) or isbox(x)


def _whole(kind):
    """An integer type of NumPy's that makes constants of tensors and duals."""

    def new(cls, x=0, *args):
        del cls
        return np.asarray(_core.values(x)).astype(kind)[()] if isbox(x) else kind(x, *args)

    return type(kind.__name__, (kind,), {"__new__": new, "__doc__": kind.__doc__})


def transposed(x):
    """Matrices with their rows as columns."""
    return anp.swapaxes(x, -1, -2)


def product(x, y):
    """Products of matrices."""
    return anp.einsum("...ij,...jk->...ik", x, y)


class ArrayBox(Box):
    """The class, for isinstance(), of arrays that are being differentiated."""


_NAMES = {
    "numpy": {
        "__version__": np.__version__,
        "make_diagonal": make_diagonal,
        "where": where,
        **{kind.__name__: _whole(kind) for kind in (np.int8, np.int16, np.int32, np.int64)},
    },
    "numpy.linalg": {"T": transposed, "_dot": product},
    "numpy.numpy_boxes": {"ArrayBox": ArrayBox},
    "scipy.signal": {"convolve": None},
}


def names(module):
    """{name: value} of a module."""
    found = _NAMES.get(module, {})
    if found.get("convolve", found) is None:  # not before SciPy's signal is asked for
        found["convolve"] = importlib.import_module(f"{__package__}._convolution").convolve
    return found

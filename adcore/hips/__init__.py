"""The names of HIPS autograd: ``import adcore.hips as autograd``, ``adcore.hips.numpy as np``.

Transforms take one ``argnum``, an integer or a tuple, where adcore's take ``argnums``, and return
functions of the same arguments.  Containers are Python's own, so that autograd's tuple, list, dict
and isinstance are these.
"""

import builtins as _builtins
import importlib as _importlib
import sys as _sys
import types as _types

import numpy as _plain_numpy

from .differential_operators import (
    checkpoint,
    deriv,
    egrad,
    elementwise_grad,
    grad,
    grad_and_aux,
    grad_named,
    hessian,
    hessian_tensor_product,
    hessian_vector_product,
    holomorphic_grad,
    jacobian,
    make_ggnvp,
    make_hvp,
    make_jvp,
    make_jvp_reversemode,
    make_vjp,
    multigrad_dict,
    tensor_jacobian_product,
    value_and_grad,
    vector_jacobian_product,
)

__all__ = [
    "checkpoint",
    "deriv",
    "dict",
    "egrad",
    "elementwise_grad",
    "grad",
    "grad_and_aux",
    "grad_named",
    "hessian",
    "hessian_tensor_product",
    "hessian_vector_product",
    "holomorphic_grad",
    "isinstance",
    "jacobian",
    "list",
    "make_ggnvp",
    "make_hvp",
    "make_jvp",
    "make_jvp_reversemode",
    "make_vjp",
    "multigrad_dict",
    "tensor_jacobian_product",
    "tuple",
    "value_and_grad",
    "vector_jacobian_product",
]

tuple, list, dict, isinstance = (
    _builtins.tuple,
    _builtins.list,
    _builtins.dict,
    _builtins.isinstance,
)


def _make_diagonal(d, offset=0, axis1=0, axis2=1):
    """Matrices in the last two dimensions, with vectors in the last one of `d` as diagonals."""
    if offset != 0 or (axis1, axis2) not in ((-1, -2), (-2, -1)):
        raise NotImplementedError("make_diagonal is for offset=0 and the axes -1 and -2")
    return d[..., None] * _plain_numpy.eye(d.shape[-1])


# What autograd.numpy has beside NumPy's names.
_MORE_OF_NUMPY = {"__version__": _plain_numpy.__version__, "make_diagonal": _make_diagonal}


class _Alias(_types.ModuleType):
    """A module of adcore under autograd's name; it is imported when something of it is used."""

    def __init__(self, name):
        super().__init__(f"{__name__}.{name}", f"adcore.{name} under autograd's name.")
        self._path = name.split(".")
        self.__path__ = []

    def _found(self):
        """The module, or what stands for one in a module, as a distribution of scipy.stats."""
        for n in range(len(self._path), 0, -1):
            try:
                found = _importlib.import_module(".".join(["adcore", *self._path[:n]]))
            except ModuleNotFoundError:
                continue
            for part in self._path[n:]:
                found = getattr(found, part)
            return found
        raise ImportError(f"there is no adcore.{'.'.join(self._path)}")

    def __getattr__(self, name):
        if self._path == ["numpy"] and name in _MORE_OF_NUMPY:
            return _MORE_OF_NUMPY[name]
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(self._found(), name)

    def __dir__(self):
        return dir(self._found())


for _name in (
    *("numpy", "numpy.fft", "numpy.linalg", "numpy.random", "scipy", "scipy.integrate"),
    *("scipy.linalg", "scipy.signal", "scipy.special", "scipy.stats", "scipy.stats.beta"),
    *("scipy.stats.chi2", "scipy.stats.dirichlet", "scipy.stats.gamma", "scipy.stats.norm"),
    *("scipy.stats.multivariate_normal", "scipy.stats.poisson", "scipy.stats.t"),
):
    _sys.modules[f"{__name__}.{_name}"] = _alias = _Alias(_name)
    _parent, _, _last = _name.rpartition(".")
    setattr(_sys.modules[f"{__name__}.{_parent}" if _parent else __name__], _last, _alias)
del _name, _alias, _parent, _last

"""The names of HIPS autograd: ``import adcore.hips as autograd``, ``adcore.hips.numpy as np``.

Transforms take one ``argnum``, an integer or a tuple, where adcore's take ``argnums``, and return
functions of the same arguments.  Containers are Python's own, so that autograd's tuple, list and
dict are these.  docs/hips.md tells what is different.
"""

import importlib as _importlib
import sys as _sys
import types as _types

from . import _more, builtins, core, extend, tracer, util, wrap_util
from .builtins import dict, isinstance, list, tuple
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
    "builtins",
    "checkpoint",
    "core",
    "deriv",
    "dict",
    "egrad",
    "elementwise_grad",
    "extend",
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
    "tracer",
    "tuple",
    "util",
    "value_and_grad",
    "vector_jacobian_product",
    "wrap_util",
]


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
        more = _more.names(".".join(self._path))
        if name in more:
            return more[name]
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(self._found(), name)

    def __dir__(self):
        return sorted({*dir(self._found()), *_more.names(".".join(self._path))})


for _name in (
    *("numpy", "numpy.fft", "numpy.linalg", "numpy.numpy_boxes", "numpy.random"),
    *("scipy", "scipy.integrate"),
    *("scipy.linalg", "scipy.signal", "scipy.special", "scipy.stats", "scipy.stats.beta"),
    *("scipy.stats.chi2", "scipy.stats.dirichlet", "scipy.stats.gamma", "scipy.stats.norm"),
    *("scipy.stats.multivariate_normal", "scipy.stats.poisson", "scipy.stats.t"),
):
    _sys.modules[f"{__name__}.{_name}"] = _alias = _Alias(_name)
    _parent, _, _last = _name.rpartition(".")
    setattr(_sys.modules[f"{__name__}.{_parent}" if _parent else __name__], _last, _alias)
del _name, _alias, _parent, _last

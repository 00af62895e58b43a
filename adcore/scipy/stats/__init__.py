"""scipy.stats on tensors and duals: every name of SciPy's is here, in one of three states.

- differentiable: a distribution or a function of this package;
- refused: SciPy's own for plain numbers and arrays, and an error by name for tensors;
- plain: classes, modules and the like, which take no tensors: SciPy's own.

`state(name)` tells which.
"""

import inspect

import scipy.stats as _scipy

from .._surface import absent as _absent
from .._surface import is_thing as _is_thing
from .._surface import named as _named
from .._surface import refused as _refused
from .._surface import surface as _surface
from . import _circular, _discrete, _elementary, _gamma, _multivariate, _normal, _samples
from ._distribution import Base
from ._distribution import quantile_value as _quantile_value
from ._multivariate import Multivariate

_differentiable = {}
for _module in (_normal, _gamma, _elementary, _circular, _discrete, _multivariate):
    _differentiable.update(
        {n: d for n, d in vars(_module).items() if isinstance(d, (Base, Multivariate))}
    )
_differentiable.update(
    {n: f for n, f in vars(_samples).items() if n in _scipy.__all__ and callable(f)}
)


def quantile_value(name, upper):
    """The function of special's that a saved program calls "name.ppf", or "name.isf" if `upper`."""
    distribution = _differentiable.get(name)
    if not isinstance(distribution, Base):
        raise ValueError(f"the distribution {name[:40]!r}, which is none of adcore.scipy.stats")
    return _quantile_value(distribution, upper)


class _Refused:
    """A distribution of SciPy's as it is, which takes no tensors."""

    def __init__(self, name):
        self._name, self._plain = name, getattr(_scipy, name)
        self.__doc__ = self._plain.__doc__

    def __repr__(self):
        return f"<distribution {self._name} of scipy.stats, not differentiable>"

    def __call__(self, *args, **kwargs):
        return _refused(f"scipy.stats.{self._name}", self._plain)(*args, **kwargs)

    def __getattr__(self, name):
        found = getattr(self._plain, name)
        return _refused(f"scipy.stats.{self._name}.{name}", found) if callable(found) else found


def _instance(plain):
    return not inspect.isclass(plain) and not inspect.isroutine(plain) and callable(plain)


def _refuse(name, plain):
    return _Refused(name) if _instance(plain) else _refused(f"scipy.stats.{name}", plain)


_names, state = _surface(_scipy, _differentiable, _named(_scipy, _is_thing), _refuse, kept="plain")
globals().update(_names)
__all__ = [*_names, "state"]
__getattr__ = _absent(__name__, _scipy)

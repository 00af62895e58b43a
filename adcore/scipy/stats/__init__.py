"""scipy.stats on tensors and duals: every name of SciPy's is here, in one of three states.

- differentiable: a distribution or a function of this package;
- refused: SciPy's own for plain numbers and arrays, and an error by name for tensors;
- plain: classes, modules and the like, which take no tensors: SciPy's own.

`state(name)` tells which.
"""

import functools
import inspect

import scipy.stats as _scipy

from ...errors import NotDifferentiableError
from ...rules.table import is_traced
from . import _discrete, _elementary, _gamma, _multivariate, _normal, _samples
from ._distribution import Base
from ._multivariate import Multivariate

_differentiable = {}
for _module in (_normal, _gamma, _elementary, _discrete, _multivariate):
    _differentiable.update(
        {n: d for n, d in vars(_module).items() if isinstance(d, (Base, Multivariate))}
    )
_differentiable.update(
    {n: f for n, f in vars(_samples).items() if n in _scipy.__all__ and callable(f)}
)

_REMEDY = (
    "write it with functions that are differentiable, or give it a rule by adcore.primitive, or "
    "pass x.detach().numpy() for a constant"
)


def _guarded(plain, name):
    @functools.wraps(plain)
    def function(*args, **kwargs):
        if is_traced(args) or is_traced(kwargs.values()):
            raise NotDifferentiableError(
                f"scipy.stats.{name} of a tensor has no derivative rule; {_REMEDY}"
            )
        return plain(*args, **kwargs)

    return function


class _Refused:
    """A distribution of SciPy's as it is, which takes no tensors."""

    def __init__(self, name):
        self._name, self._plain = name, getattr(_scipy, name)
        self.__doc__ = self._plain.__doc__

    def __repr__(self):
        return f"<distribution {self._name} of scipy.stats, not differentiable>"

    def __call__(self, *args, **kwargs):
        return _guarded(self._plain, self._name)(*args, **kwargs)

    def __getattr__(self, name):
        found = getattr(self._plain, name)
        return _guarded(found, f"{self._name}.{name}") if callable(found) else found


def _instance(plain):
    return not inspect.isclass(plain) and not inspect.isroutine(plain) and callable(plain)


_states = {}
for _name in _scipy.__all__:
    _plain = getattr(_scipy, _name)
    if _name in _differentiable:
        _states[_name] = "differentiable"
        globals()[_name] = _differentiable[_name]
    elif inspect.isclass(_plain) or not callable(_plain):
        _states[_name] = "plain"
        globals()[_name] = _plain
    elif _instance(_plain):
        _states[_name] = "refused"
        globals()[_name] = _Refused(_name)
    else:
        _states[_name] = "refused"
        globals()[_name] = _guarded(_plain, _name)

__all__ = [*_states, "state"]


def state(name):
    """'differentiable', 'refused' or 'plain': what a name of scipy.stats is here."""
    return _states[name]


def __getattr__(name):
    raise AttributeError(
        f"module {__name__} has no attribute {name!r}, nor has the installed scipy.stats"
    )

"""scipy.signal on tensors and duals: every name of SciPy's is here, in one of three states.

- differentiable: in the signal, and in kernels and coefficients.  Where nothing is tracked, the
  function is SciPy's own.
- constant: SciPy's own; what it returns does not vary with its arguments, or has none.
- refused: SciPy's own for plain numbers and arrays, and an error for tensors.  Designs of filters
  are among these: their coefficients are constants, of which filters are functions all the same.

`state(name)` tells which.
"""

import scipy.signal as _scipy

from .._names import refused as _refused
from . import _convolution, _filters, _peaks, _smoothing, _spectra  # noqa: F401  (they register)
from ._table import functions as _differentiable

_constant = {
    name: getattr(_scipy, name)
    for name in ("get_window", "unit_impulse", "max_len_seq", "correlation_lags", "kaiser_atten")
}
_constant.update(_peaks.functions)

# What to write instead of a function that is refused.
_REMEDIES = {
    "argrelextrema": "index with argrelmax or argrelmin",
    "find_peaks_cwt": "find_peaks is constant, and its indices pick what is differentiable",
    "tf2zpk": "roots have no rule; adcore.implicit.root finds one of them",
}
_DESIGN = (
    "designs are constants: pass plain numbers; filters are differentiable in the coefficients"
)
_DESIGNS = {
    *("bessel", "butter", "buttord", "cheb1ord", "cheb2ord", "cheby1", "cheby2", "ellip"),
    *("ellipord", "firls", "firwin", "firwin2", "firwin_2d", "gammatone", "iircomb", "iirdesign"),
    *("iirfilter", "iirnotch", "iirpeak", "remez", "savgol_coeffs", "minimum_phase"),
}

_states = {}
for _name in _scipy.__all__:
    _plain = getattr(_scipy, _name)
    if _name in _differentiable:
        _states[_name] = "differentiable"
        globals()[_name] = _differentiable[_name]
    elif _name in _constant or isinstance(_plain, type) or not callable(_plain):
        _states[_name] = "constant"
        globals()[_name] = _constant.get(_name, _plain)
    else:
        _states[_name] = "refused"
        _remedy = _DESIGN if _name in _DESIGNS else _REMEDIES.get(_name)
        globals()[_name] = _refused(f"scipy.signal.{_name}", _plain, _remedy)

__all__ = [*_states, "state"]


def state(name):
    """'differentiable', 'constant' or 'refused': what a name of scipy.signal is here."""
    return _states[name]


def __getattr__(name):
    raise AttributeError(
        f"module {__name__} has no attribute {name!r}, nor has the installed scipy.signal"
    )

"""scipy.signal on tensors and duals: every name of SciPy's is here, in one of three states.

- differentiable: in the signal, and in kernels and coefficients.  Where nothing is tracked, the
  function is SciPy's own.
- constant: SciPy's own; what it returns does not vary with its arguments, or has none.
- refused: SciPy's own for plain numbers and arrays, and an error for tensors.  Designs of filters
  are among these: their coefficients are constants, of which filters are functions all the same.

`state(name)` tells which.
"""

import scipy.signal as _scipy

from .._surface import absent as _absent
from .._surface import is_thing as _is_thing
from .._surface import named as _named
from .._surface import refused as _refused
from .._surface import surface as _surface
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


def _refuse(name, plain):
    remedy = _DESIGN if name in _DESIGNS else _REMEDIES.get(name)
    return _refused(f"scipy.signal.{name}", plain, remedy)


_names, state = _surface(
    _scipy, _differentiable, {**_named(_scipy, _is_thing), **_constant}, _refuse
)
globals().update(_names)
__all__ = [*_names, "state"]
__getattr__ = _absent(__name__, _scipy)

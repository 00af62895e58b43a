"""Where peaks are: indices, which are constant, and pick what is differentiable."""

import functools

import scipy.signal as _scipy

from ...errors import NotDifferentiableError
from ...rules.recorded import observe, observed
from ...rules.table import is_traced

functions = {}


def _indices(name):
    plain = observe(getattr(_scipy, name), f"signal.{name}")

    @functools.wraps(plain)
    def function(*args, **kwargs):
        return observed(plain, *args, **kwargs)

    functions[name] = function


for _name in ("argrelmax", "argrelmin"):
    _indices(_name)


def _peaks_alone(x, **conditions):
    """The indices that find_peaks() gives, without properties."""
    return _scipy.find_peaks(x, **conditions)[0]


observe(_peaks_alone, "signal.find_peaks")


@functools.wraps(_scipy.find_peaks)
def find_peaks(x, *conditions, **named):
    if not is_traced([x]):
        return _scipy.find_peaks(x, *conditions, **named)
    if conditions:
        raise NotDifferentiableError(
            "scipy.signal.find_peaks of a tensor takes its conditions by name"
        )
    return observed(_peaks_alone, x, **named), _Withheld()


class _Withheld(dict):
    """The properties of peaks, which would be constants although they vary."""

    def __missing__(self, name):
        raise NotDifferentiableError(
            f"find_peaks of a tensor gives no {name}, which would be a constant; compute it from "
            "the tensor with the indices, as x[peaks]"
        )


functions["find_peaks"] = find_peaks

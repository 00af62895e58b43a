"""scipy.special on tensors and duals: every name of SciPy's is here, in one of three states.

- differentiable: a function of this package, also reached by SciPy's own ufunc on tensors;
- constant: what it returns does not vary smoothly with its arguments, or has none that could be
  tensors; it is SciPy's own;
- refused: SciPy's own for plain numbers and arrays, and an error for tensors.

`state(name)` tells which.
"""

import functools

import scipy.special as _scipy

from ...rules.recorded import observe, observed
from .._surface import absent as _absent
from .._surface import named as _named
from .._surface import refused as _refused
from .._surface import surface as _surface
from . import _arrays, _bessel, _gamma, _hypergeometric, _integrals, _normal, _tails  # noqa: F401

_differentiable = {}
for _module in (_normal, _gamma, _hypergeometric, _bessel, _integrals, _arrays):
    _differentiable.update(
        {n: f for n, f in vars(_module).items() if n in _scipy.__all__ and callable(f)}
    )
_differentiable.update(_normal.rows)
_differentiable["digamma"] = _differentiable["psi"]

# Results that are piecewise constant.
_STEPS = ("gammasgn",)

# Orthogonal polynomials as objects, roots and weights, numbers and zeros by integer order: their
# arguments are not tensors.  Of tensors they are refused, all the same.
_NUMBERS = {
    *("ai_zeros", "bei_zeros", "beip_zeros", "ber_zeros", "bernoulli", "berp_zeros", "bi_zeros"),
    *("erf_zeros", "euler", "fresnel_zeros", "fresnelc_zeros", "fresnels_zeros", "jn_zeros"),
    *("jnjnp_zeros", "jnp_zeros", "jnyn_zeros", "kei_zeros", "keip_zeros", "kelvin_zeros"),
    *("ker_zeros", "kerp_zeros", "y0_zeros", "y1_zeros", "y1p_zeros", "yn_zeros", "ynp_zeros"),
    *("stirling2", "errstate", "geterr", "seterr"),
    *("SpecialFunctionError", "SpecialFunctionWarning"),
}

# What to write instead of a function that is refused.
_REMEDIES = {
    "factorial2": "write it with adcore.scipy.special.gamma",
    "factorialk": "write it with adcore.scipy.special.gamma",
    "hankel1": "it is complex; write it with jv and yv",
    "hankel2": "it is complex; write it with jv and yv",
    "hankel1e": "it is complex; write it with jv and yv",
    "hankel2e": "it is complex; write it with jv and yv",
    "h1vp": "it is complex; write it with jvp and yvp",
    "h2vp": "it is complex; write it with jvp and yvp",
    "wofz": "it is complex; of real arguments voigt_profile, dawsn and erfcx are its parts",
    "lpmv": "write it with eval_gegenbauer or eval_legendre",
}


def _refuse(name, plain):
    made = _refused(f"scipy.special.{name}", plain, _REMEDIES.get(name))
    made.__module__ = getattr(plain, "__module__", __name__)  # a ufunc has none
    return made


def _step(name):
    plain = observe(getattr(_scipy, name), f"scipy.special.{name}")

    @functools.wraps(plain)
    def function(*args, **kwargs):
        return observed(plain, *args, **kwargs)

    return function


_constant = {
    **_named(_scipy, lambda v: not callable(v)),
    **{name: getattr(_scipy, name) for name in _NUMBERS if name in _scipy.__all__},
    **{name: _step(name) for name in _STEPS},
}
_names, state = _surface(_scipy, _differentiable, _constant, _refuse)
globals().update(_names)
__all__ = [*_names, "state"]
__getattr__ = _absent(__name__, _scipy)

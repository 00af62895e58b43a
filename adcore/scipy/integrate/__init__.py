"""scipy.integrate on tensors and duals: every name of SciPy's is here, in one of three states.

- differentiable: a function of this package;
- constant: what depends on nothing that could be a tensor; it is SciPy's own;
- refused: SciPy's own for plain arguments, and an error where a tensor is among them, or in what
  functions among them close over.

`state(name)` tells which.  On plain arguments SciPy itself is called.
"""

import inspect as _inspect

import scipy.integrate as _scipy

from .._surface import named as _named
from .._surface import refuse_inside as _refuse_inside
from .._surface import surface as _surface
from . import _odeint, _quad, _sampled, _solve_ivp

_differentiable = {
    name: vars(module)[name]
    for module in (_quad, _sampled, _solve_ivp, _odeint)
    for name in _scipy.__all__
    if name in vars(module)
}
_NUMBERS = (
    *("newton_cotes", "lebedev_rule", "IntegrationWarning", "ODEintWarning"),
    *("DenseOutput", "OdeSolution", "OdeSolver"),
)
_constant = {
    **_named(_scipy, _inspect.ismodule),
    **{name: getattr(_scipy, name) for name in _NUMBERS},
}
_SOLVE = "use adcore.scipy.integrate.solve_ivp, whose solutions are differentiable"
_QUAD = "use adcore.scipy.integrate.quad or quad_vec"
_REMEDIES = {
    **dict.fromkeys(("RK23", "RK45", "DOP853", "Radau", "BDF", "LSODA"), _SOLVE),
    **dict.fromkeys(("ode", "complex_ode"), _SOLVE),
    "solve_bvp": "write the boundary conditions as equations for the initial values of solve_ivp",
    "tanhsinh": _QUAD,
    "cubature": "use adcore.scipy.integrate.nquad",
    "qmc_quad": "draw the points beforehand and take the mean of the integrand, weighted",
    "nsum": "write the sum out to where its terms vanish",
}
_names, state = _surface(_scipy, _differentiable, _constant, _refuse_inside(_scipy, _REMEDIES))
globals().update(_names)
__all__ = [*_names]


def __dir__():
    return [*__all__, "state"]

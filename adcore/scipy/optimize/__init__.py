"""scipy.optimize on tensors and duals: every name of SciPy's is here, in one of three states.

- differentiable: solutions are functions of what is tracked in a call, be it in args, in bounds or
  found by the user's functions outside of their arguments, by the implicit function theorem.  Where
  nothing is tracked, the function is SciPy's own.
- constant: SciPy's own; what it returns does not vary with its arguments, or has none.
- refused: SciPy's own for plain numbers and arrays, and an error for tensors.

`state(name)` tells which.  The solvers run in plain numbers, as in SciPy; a solution is then
brought to full accuracy by Newton's method, since a derivative is as accurate as the solution.
"""

import scipy.optimize as _scipy

from .._surface import absent as _absent
from .._surface import is_thing as _is_thing
from .._surface import named as _named
from .._surface import refused as _refused
from .._surface import surface as _surface
from . import _fits, _functions, _minima, _roots
from ._call import traced as _traced

_differentiable = {
    **_roots.functions,
    **_minima.functions,
    **_fits.functions,
    **_functions.functions,
}

_constant = {
    "linear_sum_assignment": _functions.linear_sum_assignment,
    "show_options": _scipy.show_options,
    "linprog_verbose_callback": _scipy.linprog_verbose_callback,
}

# What to write instead of a function that is refused.
_REMEDIES = {
    "approx_fprime": "adcore.grad and adcore.jacobian are exact",
    "check_grad": "adcore.testing.check_grads compares derivatives",
    "bracket": "it is a search whose steps have no derivative",
    "line_search": "it is a search whose steps have no derivative",
    "brute": "start minimize from its solution for plain numbers",
    "direct": "start minimize from its solution for plain numbers",
    "fmin_l_bfgs_b": "write minimize(..., method='L-BFGS-B')",
    "fmin_tnc": "write minimize(..., method='TNC')",
    "fmin_slsqp": "write minimize(..., method='SLSQP')",
    "fmin_cobyla": "write minimize(..., method='COBYLA')",
    "linprog": "its solution jumps from corner to corner; add a small quadratic term and minimize",
    "milp": "its solution jumps; it has no derivative",
    "quadratic_assignment": "it is a permutation, which has no derivative",
    "isotonic_regression": "write it as a minimum with constraints",
}


def _refuse(name, plain):
    return _refused(f"scipy.optimize.{name}", plain, _REMEDIES.get(name), _traced)


_names, state = _surface(
    _scipy, _differentiable, {**_named(_scipy, _is_thing), **_constant}, _refuse
)
globals().update(_names)
__all__ = [*_names, "state"]
__getattr__ = _absent(__name__, _scipy)

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

from .._names import refused as _refused
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
        globals()[_name] = _refused(
            f"scipy.optimize.{_name}", _plain, _REMEDIES.get(_name), _traced
        )

__all__ = [*_states, "state"]


def state(name):
    """'differentiable', 'constant' or 'refused': what a name of scipy.optimize is here."""
    return _states[name]


def __getattr__(name):
    raise AttributeError(
        f"module {__name__} has no attribute {name!r}, nor has the installed scipy.optimize"
    )

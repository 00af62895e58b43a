"""Test functions, in array operations that tensors take part in."""

import numpy as np
import scipy.optimize as _scipy

from ...rules.diagonals import diag
from ...rules.primitives import as_array, concatenate, sum_axes
from ...rules.recorded import observe, observed
from ._call import traced


def _or_scipys(rule):
    plain = getattr(_scipy, rule.__name__)

    def function(*args):
        return rule(*map(as_array, args)) if traced(list(args)) else plain(*args)

    function.__name__, function.__doc__ = rule.__name__, plain.__doc__
    return function


@_or_scipys
def rosen(x):
    return sum_axes(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2, (0,))


def _edges(x):
    return np.zeros(1), x[:-1], x[1:]


@_or_scipys
def rosen_der(x):
    zero, low, high = _edges(x)
    falls = 200.0 * (high - low**2)
    return concatenate([zero, falls], 0) - concatenate(
        [2.0 * low * falls + 2.0 * (1.0 - low), zero], 0
    )


def _bands(x):
    zero, low, high = _edges(x)
    beside = -400.0 * low
    own = concatenate([1200.0 * low**2 - 400.0 * high + 2.0, zero], 0)
    return own + concatenate([zero, np.full(x.shape[0] - 1, 200.0)], 0), beside


@_or_scipys
def rosen_hess(x):
    own, beside = _bands(x)
    return diag(own) + diag(beside, 1) + diag(beside, -1)


@_or_scipys
def rosen_hess_prod(x, p):
    own, beside = _bands(x)
    zero = np.zeros(1)
    return (
        own * p + concatenate([beside * p[1:], zero], 0) + concatenate([zero, beside * p[:-1]], 0)
    )


observe(_scipy.linear_sum_assignment, "optimize.linear_sum_assignment")


def linear_sum_assignment(cost_matrix, maximize=False):
    """scipy.optimize.linear_sum_assignment: indices, which are constant."""
    return observed(_scipy.linear_sum_assignment, cost_matrix, maximize=maximize)


functions = {f.__name__: f for f in (rosen, rosen_der, rosen_hess, rosen_hess_prod)}

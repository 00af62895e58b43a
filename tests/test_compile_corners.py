"""Compiled functions at the corners: what random programs and odd uses found, one test for each."""

import numpy as np
import pytest

import adcore

UNDEFINED = {
    "abs": np.abs,
    "copysign": lambda y: np.copysign(y, y),
    "max": lambda y: np.max(y) * np.ones(2),
    "sort": np.sort,
    "norm": lambda y: np.linalg.norm(y) * np.ones(2),
    "log": np.log,
    "divide": lambda y: 1.0 / y,
}


@pytest.mark.parametrize("name", UNDEFINED)
def test_a_branch_not_taken_counts_for_nothing_where_its_partials_are_nan(name):
    g = UNDEFINED[name]
    x, y = np.array([-1.0, -1.0]), np.array([np.nan, 1.0])

    def f(x, y):
        return np.sum(np.where(x > 0, g(y), x))

    compiled = adcore.compile(f)
    for found in (
        compiled.grad(x, y, argnums=1),
        compiled.hessian(x, y, argnums=1),
        compiled.hvp((x, y), (x, x))[1][1],
        compiled.jvp((x, y), (0 * x, x))[1],
        adcore.grad(f, 1)(x, y),
    ):
        assert not np.any(found)

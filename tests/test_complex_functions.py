"""Extrema, spread and error functions of complex numbers."""

import functools
import importlib
import math

import numpy as np
import pytest
import scipy.special

import adcore
from adcore.errors import NotDifferentiableError
from adcore.testing import check_grads


@pytest.mark.parametrize("function", [np.max, np.min, np.amax, np.amin, np.std])
def test_extrema_and_spread(function):
    z = np.array([[1 + 2j, 3 - 1j, 2 + 4j], [-1 + 1j, -2 - 2j, 0.5j]])
    for kwargs in ({}, {"axis": 0}, {"axis": 1, "keepdims": True}, {"axis": -1}):
        f = functools.partial(function, **kwargs)
        value = adcore.jvp(f, (z,), (z,))[0]
        np.testing.assert_allclose(value, function(z, **kwargs), rtol=1e-15)
        check_grads(f, (z,), order=2)
    check_grads(function, (2.0 + 1.0j,), order=2)


def test_extrema_in_numpys_order():
    z = np.array([1 + 2j, 1 + 3j, 1 + 3j, 0.0])
    np.testing.assert_array_equal(adcore.grad(lambda z: np.max(z).imag)(z), [0, 0.5j, 0.5j, 0])
    largest = adcore.compile(lambda z: abs(z.max()))
    assert largest(np.array([1 + 2j, 1 + 3j])) == abs(1 + 3j)
    assert largest(np.array([1 + 5j, 1 + 3j])) == abs(1 + 5j)
    assert np.isnan(adcore.jvp(np.min, (np.array([1j, np.nan]),), (np.ones(2) + 0j,))[0])
    found = adcore.jvp(np.maximum.reduce, (np.array([1j, 2j]),), (np.array([1.0, 3.0]) + 0j,))
    assert found == (2j, 3.0)
    with pytest.raises(NotDifferentiableError, match="initial"):
        adcore.grad(lambda z: abs(np.max(z, initial=0.0)))(z)


@pytest.mark.parametrize("name", ["erf", "erfc"])
def test_error_functions(name):
    f = getattr(importlib.import_module("adcore.scipy.special"), name)
    ufunc = getattr(scipy.special, name)
    z = np.array([0.3 + 0.4j, -1.0 + 0.2j, 2.0j])
    sign = 1 if name == "erf" else -1
    slope = sign * 2 / math.sqrt(math.pi) * np.exp(-(z**2))
    for g in (f, ufunc):
        value, along = adcore.jvp(g, (z,), (np.array([1.0, 1j, 2.0]),))
        np.testing.assert_allclose(value, ufunc(z), rtol=1e-15)
        np.testing.assert_allclose(along, slope * [1.0, 1j, 2.0], rtol=1e-14)
    derivative = adcore.grad(f, holomorphic=True)(0.3 + 0.4j)
    assert abs(derivative - slope[0]) < 1e-15
    check_grads(f, (z,), order=3)
    assert abs(adcore.compile(lambda z: abs(f(z)) ** 2)(z[0]) - abs(ufunc(z[0])) ** 2) < 1e-15

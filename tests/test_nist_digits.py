"""Numbers of 34 digits keep 33 of them in NumPy code, against mpmath."""

from decimal import Decimal

import mpmath
import numpy as np
import pytest

from nist_digits import Digits


def to_mpmath(number):
    return mpmath.mpf(str(number.value))


@pytest.mark.parametrize("x", ["0", "1e-20", "0.3", "-2.9", "3.25", "88.123456", "-5000.5"])
@pytest.mark.parametrize("name", ["exp", "log", "cos", "sin", "arctan"])
def test_digits_functions(name, x):
    if name == "log":
        x = str(abs(Decimal(x)) + 1)
    if name == "exp":
        x = str(Decimal(x) / 100)
    (result,) = getattr(np, name)(np.array([Digits(x)]))
    with mpmath.workdps(60):
        exact = getattr(mpmath, name.replace("arc", "a"))(mpmath.mpf(x))
        assert abs(to_mpmath(result) - exact) <= 1e-33 * abs(exact)


def test_digits_operators_with_arrays_and_floats():
    a, b = Digits("1.7"), np.array([Digits("-0.3"), Digits("2.9")])
    with mpmath.workdps(60):
        p, q = mpmath.mpf("1.7"), [mpmath.mpf("-0.3"), mpmath.mpf("2.9")]
        half = mpmath.mpf(0.1) * 5  # the float 0.1 is taken as it is
        pairs = [
            (a + b, [p + v for v in q]),
            (b - a, [v - p for v in q]),
            (a * b, [p * v for v in q]),
            (a / b, [p / v for v in q]),
            (-b, [-v for v in q]),
            (a**b, [p**v for v in q]),
            (b**-2, [v**-2 for v in q]),
            (2**b, [mpmath.mpf(2) ** v for v in q]),
            (1 - 5 * (0.1 * b), [1 - half * v for v in q]),
            (1 / b, [1 / v for v in q]),
        ]
        for got, expected in pairs:
            for number, exact in zip(got, expected, strict=True):
                assert abs(to_mpmath(number) - exact) <= 1e-32 * abs(exact)
    with pytest.raises(TypeError):
        a + "1"

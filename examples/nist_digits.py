"""Numbers of 34 decimal digits that run through ordinary NumPy code.

`np.array([Digits("0.1"), ...])` has dtype object: NumPy's arithmetic calls the operators below for
each element, and `np.exp(array)` calls each element's method `exp`.  So a model written for floats
is evaluated to 34 digits as it stands.  Made from the standard library's decimal module, hence the
same on every platform, which `np.longdouble` is not.
"""

from decimal import Context, Decimal

KEPT = Context(prec=34)
GUARDED = Context(prec=50)  # inside series, whose sums are rounded to 34 digits at the end
TWO_PI = Decimal("6.283185307179586476925286766559005768394338798750211641949889184615632812572")


class Digits:
    """A number of 34 decimal digits; the floats and integers that meet it are taken as exact."""

    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value if isinstance(value, Decimal) else Decimal(value)

    def __float__(self):
        return float(self.value)

    def __repr__(self):
        return f"Digits('{self.value}')"

    def __neg__(self):
        return Digits(self.value.copy_negate())

    def exp(self):
        """Exponential; `np.exp` of an array of these calls it, and so on."""
        return Digits(KEPT.exp(self.value))

    def log(self):
        """Natural logarithm."""
        return Digits(KEPT.ln(self.value))

    def cos(self):
        """Cosine, for arguments up to about 1e10."""
        angle = GUARDED.remainder_near(self.value, TWO_PI)
        return _series(Decimal(1), _minus_square(angle), lambda k: (1, (2 * k - 1) * 2 * k))

    def sin(self):
        """Sine, for arguments up to about 1e10."""
        angle = GUARDED.remainder_near(self.value, TWO_PI)
        return _series(angle, _minus_square(angle), lambda k: (1, 2 * k * (2 * k + 1)))

    def arctan(self):
        """Arc tangent."""
        x, halvings = self.value, 0
        while abs(x) > Decimal("0.1"):  # atan(x) = 2 atan(x / (1 + sqrt(1 + x^2)))
            root = GUARDED.sqrt(GUARDED.fma(x, x, 1))
            x, halvings = GUARDED.divide(x, GUARDED.add(root, 1)), halvings + 1
        return 2**halvings * _series(x, _minus_square(x), lambda k: (2 * k - 1, 2 * k + 1))


def _minus_square(x):
    return GUARDED.multiply(x, x).copy_negate()


def _series(first, x, ratio):
    """Sum of the terms t_0 = first, t_k = t_{k-1} x p / q with (p, q) = ratio(k)."""
    total, term, k = first, first, 0
    while term and term.adjusted() > total.adjusted() - GUARDED.prec:
        k += 1
        p, q = ratio(k)
        term = GUARDED.divide(GUARDED.multiply(GUARDED.multiply(term, x), p), q)
        total = GUARDED.add(total, term)
    return Digits(KEPT.plus(total))


def _operator(operation):
    """The methods `self o other` and `other o self`, of Digits, floats and integers."""

    def method(self, other):
        other = _decimal(other)
        return NotImplemented if other is None else Digits(operation(self.value, other))

    def reflected(self, other):
        other = _decimal(other)
        return NotImplemented if other is None else Digits(operation(other, self.value))

    return method, reflected


def _decimal(number):
    """The exact value of a number; None for arrays, whose elements NumPy will bring one by one."""
    if isinstance(number, Digits):
        return number.value
    return Decimal(number) if isinstance(number, int | float) else None


Digits.__add__, Digits.__radd__ = _operator(KEPT.add)
Digits.__sub__, Digits.__rsub__ = _operator(KEPT.subtract)
Digits.__mul__, Digits.__rmul__ = _operator(KEPT.multiply)
Digits.__truediv__, Digits.__rtruediv__ = _operator(KEPT.divide)
Digits.__pow__, Digits.__rpow__ = _operator(KEPT.power)

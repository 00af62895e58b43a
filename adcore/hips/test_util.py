"""autograd.test_util: derivatives against differences."""

import itertools

import numpy as np

from .. import testing
from .._trees import flatten, shape_of

_STEP = 1e-6  # short, as autograd's is: its users' points may be near kinks


def check_grads(f, argnum=0, modes=("fwd", "rev"), order=2):
    """A function that compares derivatives in argument number argnum with differences."""
    return testing.check_grads(f, modes=modes, order=order, argnum=argnum, step=_STEP)


def check_vjp(f, x):
    """Compare the reverse derivative with differences."""
    testing.check_grads(f, (x,), ("rev",), 1, step=_STEP)


def check_jvp(f, x):
    """Compare the forward derivative with differences."""
    testing.check_grads(f, (x,), ("fwd",), 1, step=_STEP)


def scalar_close(a, b):
    """Whether two numbers are equal to 1e-6, absolutely or relatively."""
    return abs(a - b) < 1e-6 or abs(a - b) / abs(a + b) < 1e-6


def check_equivalent(x, y):
    """Raise an AssertionError unless two containers have equal shapes and close numbers."""
    (a, structure), (b, other) = flatten(x), flatten(y)
    assert structure.key() == other.key(), f"structures differ: {x}, {y}"
    for v, w in zip(a, b, strict=True):
        assert shape_of(v) == shape_of(w), f"shapes differ: {shape_of(v)}, {shape_of(w)}"
        np.testing.assert_allclose(np.asarray(v), np.asarray(w), rtol=1e-6, atol=1e-6)


def combo_check(fun, *options, **named_options):
    """A function of lists that checks the derivatives at all combinations of their items."""

    def check(*args, **kwargs):
        named = [[(key, value) for value in values] for key, values in kwargs.items()]
        for some in itertools.product(*args):
            for pairs in itertools.product(*named):
                check_grads(fun, *options, **named_options)(*some, **dict(pairs))

    return check

"""Checks that users run on their own functions and rules."""

import numpy as np

from ._trees import flatten, shape_of, unflatten
from .transforms import jvp, vjp

_STEPS = (1e-3, 5e-4)


def _flat(tree):
    leaves, _ = flatten(tree)
    return np.concatenate([np.zeros(0), *(np.ravel(v) for v in leaves)])


def _directions(tree, rng):
    leaves, structure = flatten(tree)
    drawn = [rng.standard_normal(shape_of(v)) for v in leaves]
    return unflatten(structure, [float(v) if np.ndim(v) == 0 else v for v in drawn])


def _moved(args, direction, t):
    leaves, structure = flatten(args)
    steps, _ = flatten(direction)
    return unflatten(structure, [v + t * d for v, d in zip(leaves, steps, strict=True)])


def _difference(f, args, direction):
    """The derivative along a direction by central differences, extrapolated once."""
    found = []
    for h in _STEPS:
        ahead, behind = (
            _flat(f(*_moved(args, direction, h))),
            _flat(f(*_moved(args, direction, -h))),
        )
        found.append((ahead - behind) / (2 * h))
    return (4 * found[1] - found[0]) / 3


def _compare(what, f, got, want, atol, rtol):
    if not np.allclose(got, want, atol=atol, rtol=rtol):
        worst = int(np.argmax(np.abs(np.asarray(got) - want)))
        raise AssertionError(
            f"{what} of {getattr(f, '__name__', f)} is {np.ravel(got)[worst]!r} where differences "
            f"give {np.ravel(want)[worst]!r} (rtol={rtol}, atol={atol})"
        )


def check_grads(f, args, modes=("fwd", "rev"), order=2, atol=1e-5, rtol=1e-5, seed=0):
    """Compare derivatives of f with differences, up to an order.

    Parameters
    ----------
    f : callable
        Returns numbers, arrays or containers of them, smooth near `args`.
    args : tuple
        The point: numbers, arrays or containers.
    modes : collection of "fwd" and "rev"
        jvp, vjp, or both; each order is checked in all of them, nested.
    order : int
        The highest derivative that is checked.
    atol, rtol : float
        Agreement asked for, as numpy.allclose takes them; differences themselves are good to about
        1e-8 of the size of the values.
    seed : int
        Of the random directions.

    Raises
    ------
    AssertionError
        That says which derivative of which function, the value and the difference.

    Examples
    --------
    >>> import adcore
    >>> from adcore.testing import check_grads
    >>> check_grads(lambda x: x**3 * adcore.sin(x), (1.5,), order=3)
    """
    unknown = set(modes) - {"fwd", "rev"}
    if unknown or not modes:
        raise ValueError(f'modes must be "fwd", "rev" or both, got {modes!r}')
    rng = np.random.default_rng(seed)
    args = tuple(args)
    direction = _directions(args, rng)
    want = _difference(f, args, direction)
    weight = _directions(f(*args), rng)

    def forward(*point):
        return jvp(f, point, direction)[1]

    def reverse(*point):
        return vjp(f, *point)[1](weight)

    if "fwd" in modes:
        _compare(
            f"derivative {order} from the last, by jvp,", f, _flat(forward(*args)), want, atol, rtol
        )
    if "rev" in modes:
        got = _flat(reverse(*args)) @ _flat(direction)
        _compare(
            f"derivative {order} from the last, by vjp,", f, got, _flat(weight) @ want, atol, rtol
        )
    if order > 1:
        for mode, derivative in (("fwd", forward), ("rev", reverse)):
            if mode in modes:
                check_grads(derivative, args, modes, order - 1, atol, rtol, seed + 1)

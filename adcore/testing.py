"""Checks that users run on their own functions and rules."""

import numpy as np

from ._trees import flatten, shape_of, unflatten
from .transforms import jvp, vjp


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


def _difference(f, args, direction, step):
    """The derivative along a direction by central differences, extrapolated once."""
    found = []
    for h in (step, step / 2):
        ahead, behind = (
            _flat(f(*_moved(args, direction, h))),
            _flat(f(*_moved(args, direction, -h))),
        )
        found.append((ahead - behind) / (2 * h))
    return (4 * found[1] - found[0]) / 3


def _compare(what, name, got, want, atol, rtol):
    if not np.allclose(got, want, atol=atol, rtol=rtol):
        worst = int(np.argmax(np.abs(np.asarray(got) - want)))
        raise AssertionError(
            f"the {what} check of {name} failed: the derivative is {np.ravel(got)[worst]!r} where "
            f"differences give {np.ravel(want)[worst]!r} (rtol={rtol}, atol={atol})"
        )


def check_grads(
    f,
    args=None,
    modes=("fwd", "rev"),
    order=2,
    atol=1e-5,
    rtol=1e-5,
    seed=0,
    *,
    argnum=0,
    step=1e-3,
):
    """Compare derivatives of f with differences, up to an order.

    Parameters
    ----------
    f : callable
        Returns numbers, arrays or containers of them, smooth near `args`.
    args : tuple, optional
        The point: numbers, arrays or containers.  Without it the result is a function of the
        point, as in autograd: ``check_grads(f, modes=["fwd"], order=2)(x)``; of its arguments
        those of number `argnum` are varied, an integer or a tuple of integers.
    modes : collection of "fwd" and "rev"
        jvp, vjp, or both; each order is checked in all of them, nested.
    order : int
        The highest derivative that is checked.
    atol, rtol : float
        Agreement asked for, as numpy.allclose takes them; differences themselves are good to about
        1e-8 of the size of the values.
    seed : int
        Of the random directions.
    argnum : int or tuple of int
        See `args`.
    step : float
        Of the differences, which must not reach over a kink of f.

    Raises
    ------
    AssertionError
        That says which derivative of which function, the value and the difference.

    Examples
    --------
    >>> import adcore
    >>> from adcore.testing import check_grads
    >>> check_grads(lambda x: x**3 * adcore.sin(x), (1.5,), order=3)
    >>> check_grads(adcore.sin, modes=["rev"], order=2)(0.5)
    """
    unknown = set(modes) - {"fwd", "rev"}
    if unknown or not modes:
        raise ValueError(f'modes must be "fwd", "rev" or both, got {modes!r}')
    name = getattr(f, "__name__", type(f).__name__)
    if args is not None:
        _check(f, name, tuple(args), modes, order, atol, rtol, seed, step)
        return None
    places = (argnum,) if isinstance(argnum, int) else tuple(argnum)

    def of_the_point(*args, **kwargs):
        def varied(*some):
            every = list(args)
            for i, x in zip(places, some, strict=True):
                every[i] = x
            return f(*every, **kwargs)

        at = tuple([args[i] for i in places])
        _check(varied, name, at, modes, order, atol, rtol, seed, step)

    return of_the_point


def _check(f, name, args, modes, order, atol, rtol, seed, step):
    rng = np.random.default_rng(seed)
    direction = _directions(args, rng)
    want = _difference(f, args, direction, step)
    weight = _directions(f(*args), rng)

    def forward(point, direction):
        return jvp(f, point, direction)[1]

    def reverse(point, weight):
        return vjp(f, *point)[1](weight)

    if "fwd" in modes:
        _compare("derivative (JVP)", name, _flat(forward(args, direction)), want, atol, rtol)
    if "rev" in modes:
        got = _flat(reverse(args, weight)) @ _flat(direction)
        _compare("derivative (VJP)", name, got, _flat(weight) @ want, atol, rtol)
    if order > 1:
        options = (modes, order - 1, atol, rtol, seed + 1, step)
        if "fwd" in modes:
            _check(forward, f"jvp_{name}", (args, direction), *options)
        if "rev" in modes:
            _check(reverse, f"vjp_{name}", (args, weight), *options)

"""Random programs through compile: values bit for bit, derivatives, at points of every kind."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import adcore
from programs import array_programs, examples, flat, matrix, scalar_programs

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, math.inf, -math.inf, math.nan, 1e300, 1e-300, -2.0]


def other_points(point, rng):
    """Points near and far: of other signs and order, at kinks, with nan and infinities."""
    moved = [np.asarray(x) + rng.normal(0, 0.3, np.shape(x)) for x in point]
    mirrored = [-np.flip(np.asarray(x)) for x in point]
    whole = [np.round(rng.normal(0, 1.5, np.shape(x))) for x in point]
    special = []
    for x in point:
        x = np.array(x, dtype=float)
        x[rng.random(x.shape) < 0.5] = rng.choice(SPECIAL)
        special.append(x)
    points = [point, moved, mirrored, point, whole, special]
    return [[float(x) if np.ndim(x) == 0 else x for x in p] for p in points]


def same_bits(got, want, what):
    """Equal in every bit, where any nan is as good as another."""
    got, want = np.asarray(got, dtype=float), np.asarray(want, dtype=float)
    assert got.shape == want.shape, what
    both = np.isnan(got) & np.isnan(want)
    assert np.array_equal(
        np.where(both, 0, got).view(np.int64), np.where(both, 0, want).view(np.int64)
    ), (what, got, want)


def agree(got, want, what, digits=9):
    """Equal to so many digits of the largest number, infinities and nan in the same places."""
    got, want = np.asarray(got, dtype=float), np.asarray(want, dtype=float)
    assert got.shape == want.shape, (what, got.shape, want.shape)
    finite = np.isfinite(want)
    assert np.array_equal(np.isfinite(got), finite), (what, got, want)
    assert np.array_equal(got[~finite], want[~finite], equal_nan=True), (what, got, want)
    scale = 1 + np.max(np.abs(want[finite]), initial=0)
    error = np.abs(got[finite] / scale - want[finite] / scale)
    assert np.max(error, initial=0) <= 10.0**-digits, (what, got, want)


def leaves(tree):
    """A number, an array or a tuple of them as one vector."""
    return flat(tree) if isinstance(tree, tuple) else np.ravel(tree)


def all_numbers(tree):
    """All numbers of nested tuples, in order."""
    if isinstance(tree, tuple):
        return np.concatenate([all_numbers(part) for part in tree])
    return np.ravel(tree)


def check(program, seed, value):
    """Every way of differentiating the compiled program, at all the points, against the transforms.

    `value` is what the program is worth at plain arguments, exactly.
    """
    f = program.bind(**adcore.ops.functions)
    compiled = adcore.compile(f, reassociate=False)
    quick = adcore.compile(f)
    every = tuple(range(len(program.point)))
    rng = np.random.default_rng(seed)
    for point in other_points(program.point, rng):
        v = [rng.uniform(-1, 1, np.shape(x)) for x in point]
        v = tuple(float(u) if np.ndim(u) == 0 else u for u in v)
        with np.errstate(all="ignore"):
            try:
                want = value(f, point)
            except (ZeroDivisionError, OverflowError):
                continue  # of Python's floats, where adcore's give inf and nan
            except (ValueError, IndexError) as error:  # a mask picked another number of elements
                with pytest.raises(type(error)):
                    compiled(*point)
                continue
            same_bits(compiled(*point), want, "value")
            if not np.isfinite(want):
                continue  # the order in which terms are added up decides about inf - inf
            gradient = flat(adcore.grad(f, every)(*point))
            agree(flat(compiled.grad(*point, argnums=every)), gradient, "gradient")
            both = compiled.value_and_grad(*point, argnums=every)
            same_bits(both[0], want, "value with the gradient")
            agree(flat(both[1]), gradient, "gradient with the value")
            agree(flat(compiled.vjp(*point)[1](1.0)), gradient, "vjp")
            agree(flat(adcore.grad(compiled, every)(*point)), gradient, "gradient of compiled")
            moved, slope = compiled.jvp(tuple(point), v)
            same_bits(moved, want, "value with the tangent")
            agree(slope, adcore.jvp(f, tuple(point), v)[1], "tangent")
            agree(adcore.jvp(compiled, tuple(point), v)[1], slope, "tangent of compiled")
            if not np.all(np.isfinite(gradient)):
                continue
            slopes, product = compiled.hvp(tuple(point), v)
            agree(leaves(slopes), gradient, "gradient with the product")
            agree(leaves(product), leaves(adcore.hvp(f, tuple(point), v)[1]), "product")
            blocks = adcore.hessian(f, every)(*point)
            curvature = all_numbers(blocks)
            square = matrix(blocks, [np.size(x) for x in point])
            for c, order in ((compiled, "in order"), (quick, "in any order")):
                agree(flat(c.grad(*point, argnums=every)), gradient, f"gradient, {order}")
                found = all_numbers(c.hessian(*point, argnums=every))
                agree(found, curvature, f"Hessian, {order}")
                found = all_numbers(c.jacobian(*point, argnums=every))
                agree(found, gradient, f"Jacobian, {order}")
                found = c.hessian(*point, argnums=every, sparse=True).toarray()
                agree(found, square, f"sparse Hessian, {order}")
                found = c.jacobian(*point, argnums=every, sparse=True).toarray()
                agree(found[0], gradient, f"sparse Jacobian, {order}")


@examples(300)
@given(program=scalar_programs(), seed=st.integers(0, 10**6))
def test_scalar_programs(program, seed):
    """Values are those of plain Python on floats."""
    check(program, seed, lambda f, point: f(*point))


@examples(300)
@given(program=array_programs(), seed=st.integers(0, 10**6))
def test_array_programs(program, seed):
    """Values are those of the program run on tensors: NumPy's own sums are in another order."""

    def value(f, point):
        return f(*[adcore.tensor(x, requires_grad=True) for x in point]).item()

    check(program, seed, value)

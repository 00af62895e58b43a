"""Random programs, each differentiated in every way there is, and against mpmath; and laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import adcore
from programs import (
    SMOOTH,
    Program,
    array_programs,
    close,
    exact,
    examples,
    flat,
    moderate,
    scalar_programs,
)


@examples(400)
@given(program=scalar_programs(), seed=st.integers(0, 10**6))
def test_scalar_programs(program, seed):
    """Every mode gives one gradient and one Hessian, and mpmath the same along any direction."""
    f = program.bind(**adcore.ops.functions)
    point, n = program.point, len(program.point)
    every = tuple(range(n))
    x = np.array(point)

    def g(x):
        return f(*[x[i] for i in range(n)])

    value = float(f(*point))
    gradient = np.array(adcore.grad(f, every)(*point), dtype=float)
    hessian = np.array(adcore.hessian(f, every)(*point), dtype=float)
    scale = max(abs(value), np.max(np.abs(gradient)), np.max(np.abs(hessian)))
    identity = np.eye(n)

    def is_gradient(got, what):
        close(got, gradient, scale, what, 10)

    def is_hessian(got, what):
        close(got, hessian, scale, what, 10)

    is_gradient(adcore.grad(g)(x), "of an array")
    is_gradient(adcore.grad(g)(list(point)), "of a list")
    is_gradient(adcore.jacfwd(g)(x), "forward")
    is_gradient(adcore.jacrev(g)(x), "reverse")
    is_gradient([adcore.jvp(f, tuple(point), tuple(e))[1] for e in identity], "duals")
    is_gradient(adcore.vjp(f, *point)[1](1.0), "vjp")
    push = adcore.linearize(f, *point)[1]
    is_gradient([push(*e) for e in identity], "linearize")
    is_hessian(adcore.hessian(g)(x), "second-order sweep")
    for outer in (adcore.jacfwd, adcore.jacrev):
        for inner in (adcore.jacfwd, adcore.jacrev, adcore.grad):
            is_hessian(outer(inner(g))(x), f"{outer.__name__} of {inner.__name__}")
    is_hessian(
        [adcore.grad(lambda x, e=e: adcore.jvp(g, (x,), (e,))[1])(x) for e in identity],
        "grad of jvp",
    )
    is_hessian([adcore.jvp(adcore.grad(g), (x,), (e,))[1] for e in identity], "jvp of grad")
    is_hessian([adcore.hvp(g, (x,), (e,))[1] for e in identity], "hvp")
    is_hessian(hessian.T, "its transpose")

    rng = np.random.default_rng(seed)
    for v in [*identity, rng.uniform(-1, 1, n)]:
        want = exact(program, point, v, 3)
        third = np.max(np.abs(want))
        close(value, want[0], scale, "value")
        close(gradient @ v, want[1], scale, "first derivative against mpmath")
        close(v @ hessian @ v, want[2], scale, "second derivative against mpmath")
        series = adcore.taylor(g, x, v, 3)
        close(series * [1, 1, 2, 6], want, scale + third, "Taylor series against mpmath", 7)
        close(adcore.third(g, x, v, v) @ v, want[3], scale + third, "third against mpmath", 7)
        close(
            v @ adcore.jvp(adcore.hessian(g), (x,), (v,))[1] @ v,
            want[3],
            scale + third,
            "jvp of hessian against mpmath",
            7,
        )


@examples(200)
@given(program=scalar_programs(max_lines=5, rows=SMOOTH))
def test_nesting_to_fourth_order(program):
    """Any mixture of forward and reverse, nested four deep, is the Taylor series."""
    f = program.bind(**adcore.ops.functions)
    point = program.point

    def along(t):
        return f(*[x + t * (0.5 + i) for i, x in enumerate(point)])

    def tangent(h):
        return lambda t: adcore.jvp(h, (t,), (1.0,))[1]

    with np.errstate(all="ignore"):
        want = [adcore.derivative(along, k)(0.0) for k in range(5)]
    if not np.all(np.isfinite(want)) or np.max(np.abs(want)) > 1e6:
        return
    for mixture in range(16):
        h = along
        for order in range(1, 5):
            h = adcore.grad(h) if mixture >> (order - 1) & 1 else tangent(h)
            if mixture >> order == 0:  # each mixture of its order once
                close(h(0.0), want[order], np.max(np.abs(want)), f"order {order}, {mixture:04b}")


@examples(900)
@given(program=array_programs(), seed=st.integers(0, 10**6))
def test_array_programs(program, seed):
    """Every mode gives one gradient and one Hessian, and mpmath the same along a direction."""
    f = program.bind(**adcore.ops.functions)
    point = program.point
    every = tuple(range(len(point)))
    rng = np.random.default_rng(seed)
    v = tuple(rng.uniform(-1, 1, x.shape) for x in point)
    n = flat(point).size

    gradient = flat(adcore.grad(f, every)(*point))
    blocks = adcore.hessian(f, every)(*point)
    sizes = [x.size for x in point]
    hessian = np.block(
        [
            [b.reshape(m, k) for b, k in zip(row, sizes, strict=True)]
            for row, m in zip(blocks, sizes, strict=True)
        ]
    )
    value = float(f(*point))
    scale = max(abs(value), np.max(np.abs(gradient)), np.max(np.abs(hessian)))

    def is_gradient(got, what):
        close(flat(got), gradient, scale, what, 9)

    def is_product(got, what):
        close(flat(got), hessian @ flat(v), n * scale, what, 9)

    is_gradient(adcore.jacfwd(f, every)(*point), "forward")
    is_gradient(adcore.jacrev(f, every)(*point), "reverse")
    is_gradient(adcore.vjp(f, *point)[1](1.0), "vjp")
    is_gradient(adcore.hvp(f, tuple(point), v)[0], "hvp's gradient")
    slope = adcore.jvp(f, tuple(point), v)[1]
    close(slope, gradient @ flat(v), scale, "duals", 9)
    close(adcore.linearize(f, *point)[1](*v), slope, scale, "linearize", 9)
    close(hessian, hessian.T, scale, "symmetry", 9)
    is_product(tuple(adcore.hvp(f, tuple(point), v)[1]), "hvp")
    g = adcore.grad(f, every)
    is_product(adcore.jvp(g, tuple(point), v)[1], "jvp of grad")
    is_product(adcore.grad(lambda *x: adcore.jvp(f, x, v)[1], every)(*point), "grad of jvp")
    is_product(
        adcore.grad(lambda *x: sum(np.sum(a * b) for a, b in zip(g(*x), v, strict=True)), every)(
            *point
        ),
        "grad of grad",
    )
    is_product(adcore.vjp(g, *point)[1](v), "vjp of grad")

    want = exact(program, point, v, 2)
    close(value, want[0], scale, "value against mpmath")
    close(slope, want[1], n * scale, "first derivative against mpmath")
    close(
        flat(v) @ hessian @ flat(v), want[2], n * n * scale, "second derivative against mpmath", 7
    )
    if len(point) == 1:
        series = adcore.taylor(f, point[0], v[0], 2)
        close(series[1:] * [1, 2], want[1:], n * n * scale, "Taylor series against mpmath", 7)


# ---- laws ----


@examples(300)
@given(program=array_programs(max_lines=6), seed=st.integers(0, 10**6), a=st.integers(-3, 3))
def test_derivatives_are_linear_maps_and_transposes(program, seed, a):
    """J(a u + v) = a J u + J v, and <w, J u> = <J' w, u>, for a program with an array as result."""
    program.lines[-1] = f"return {[*program.values][-1]} * 1.0"
    f = program.bind(**adcore.ops.functions)
    point = tuple(program.point)
    rng = np.random.default_rng(seed)
    u, v = ([rng.uniform(-1, 1, x.shape) for x in point] for _ in range(2))
    y, ju = adcore.jvp(f, point, tuple(u))
    jv = adcore.jvp(f, point, tuple(v))[1]
    both = adcore.jvp(f, point, tuple(a * x + z for x, z in zip(u, v, strict=True)))[1]
    scale = np.max(np.abs(ju), initial=0) + np.max(np.abs(jv), initial=0)
    close(both, a * np.asarray(ju) + jv, scale, "linearity", 12)
    w = rng.uniform(-1, 1, np.shape(y))
    pulled = adcore.vjp(f, *point)[1](w)
    close(flat(pulled) @ flat(u), np.sum(w * ju), scale * np.size(y), "transpose", 11)


@examples(200)
@given(inner=array_programs(max_lines=5), outer=array_programs(max_lines=5))
def test_chain_rule(inner, outer):
    """D(g o h) u = Dg(h) (Dh u), in both modes, for a number h."""
    h = inner.bind(**adcore.ops.functions)
    g = outer.bind(**adcore.ops.functions)
    x, u = tuple(inner.point), tuple(np.ones_like(a) for a in inner.point)

    def scaled(t):
        return g(*[p + 1e-5 * t * np.ones_like(p) for p in outer.point])

    middle, slope = adcore.jvp(h, x, u)
    if abs(middle) > 10:  # then outer might be far from its point
        return
    _, want = adcore.jvp(scaled, (middle,), (slope,))
    _, got = adcore.jvp(lambda *x: scaled(h(*x)), x, u)
    close(got, want, abs(want), "forward", 12)
    every = tuple(range(len(x)))
    pulled = adcore.grad(lambda *x: scaled(h(*x)), every)(*x)
    close(
        flat(pulled),
        adcore.grad(scaled)(middle) * flat(adcore.grad(h, every)(*x)),
        abs(want),
        "reverse",
        11,
    )


def test_programs_print_as_they_run():
    """What is printed for a failure is Python that can be run again."""
    program = Program([1.0], {"x": 1.0})
    program.try_line("if x > 0.5:\n    {0} = x * 2\nelse:\n    {0} = x", moderate)
    program.end("return v0")
    assert repr(program) == (
        "def f(x):\n    if x > 0.5:\n        v0 = x * 2\n    else:\n"
        "        v0 = x\n    return v0\nat [1.0]"
    )
    assert program.bind()(1.0) == 2.0


def test_a_wrong_derivative_would_be_found():
    """The comparison with mpmath is not vacuous."""
    program = Program([0.7], {"x": 0.7})
    program.try_line("{} = sin(x)", moderate)
    program.end("return v0 * x")
    want = exact(program, [0.7], [1.0], 2)
    close(want[1], 0.7 * np.cos(0.7) + np.sin(0.7), 1, "first derivative", 14)
    with pytest.raises(AssertionError):
        close(want[2], -0.7 * np.sin(0.7) + np.cos(0.7), 1, "half of the second")

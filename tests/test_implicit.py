"""Solutions differentiated by the implicit function theorem, against closed forms and mpmath."""

import dataclasses
import doctest
import functools
from pathlib import Path

import mpmath
import numpy as np
import pytest

import adcore
from adcore import implicit
from adcore.errors import ConvergenceError, DomainError, NotDifferentiableError, TapeError
from adcore.implicit import fixed_point, minimize, root

grad, jvp = adcore.grad, adcore.jvp


def fwd(f):
    return lambda x: jvp(f, (x,), (1.0,))[1]


def rev(f):
    return grad(f)


# Every way to nest two, and some to nest three.
NESTS = {
    "rev": (rev,),
    "fwd": (fwd,),
    "rev-rev": (rev, rev),
    "fwd-rev": (fwd, rev),
    "rev-fwd": (rev, fwd),
    "fwd-fwd": (fwd, fwd),
    "rev-rev-rev": (rev, rev, rev),
    "fwd-fwd-fwd": (fwd, fwd, fwd),
    "fwd-rev-fwd": (fwd, rev, fwd),
    "rev-fwd-rev": (rev, fwd, rev),
    "rev-rev-fwd-fwd": (rev, rev, fwd, fwd),
}


def nested(f, transforms):
    for transform in transforms:
        f = transform(f)
    return f


# x e^x = a: Lambert's W, of which mpmath knows every derivative.
def lambert(a):
    return root(lambda x, a: x * np.exp(x) - a, 0.5, (a,))


def lambert_closed(a):
    return root(lambda x: x * np.exp(x) - a, 0.5)


def lambert_fixed(a):
    return fixed_point(lambda x, a: a * np.exp(-x), 0.5, (a,))


def lambert_minimum(a):
    return minimize(lambda x, a: (x - 1.0) * np.exp(x) - a * x, 0.5, (a,))


@pytest.mark.parametrize("nest", NESTS)
@pytest.mark.parametrize("f", [lambert, lambert_closed, lambert_fixed, lambert_minimum])
def test_lamberts_w_to_every_order(f, nest):
    order = len(NESTS[nest])
    exact = [mpmath.diff(lambda a: mpmath.lambertw(a).real, 1.3, k) for k in range(5)]
    assert f(1.3) == pytest.approx(float(exact[0]), rel=1e-15)
    found = nested(f, NESTS[nest])(1.3)
    assert found == pytest.approx(float(exact[order]), rel=1e-10)


def test_a_system_against_its_closed_form():
    """A x = b with every entry of A and b a parameter."""
    rng = np.random.default_rng(5)
    A, b, w = rng.normal(size=(4, 4)) + 4.0 * np.eye(4), rng.normal(size=4), rng.normal(size=4)

    def solve(A, b):
        return root(lambda x, A, b: A @ x - b, np.zeros(4), (A, b))

    x, inverse = np.linalg.solve(A, b), np.linalg.inv(A)
    np.testing.assert_allclose(solve(A, b), x, rtol=1e-14)
    for transform in (adcore.jacrev, adcore.jacfwd):
        by_A, by_b = transform(solve, (0, 1))(A, b)
        np.testing.assert_allclose(by_b, inverse, rtol=1e-12)
        np.testing.assert_allclose(by_A, -np.einsum("ij,k->ijk", inverse, x), rtol=1e-12)

    # w . A^{-1} b has the second derivative  sum over both orders of  w A^{-1} E A^{-1} F A^{-1} b
    left = w @ inverse
    H = adcore.hessian(lambda A: w @ solve(A, b))(A)
    expected = np.einsum("i,jk,l->ijkl", left, inverse, x)
    np.testing.assert_allclose(H, expected + expected.transpose(2, 3, 0, 1), rtol=1e-11)


def F(x, p):
    """Two equations without a closed form."""
    return np.array([1.0, 1.0]) * 0.0 + adcore.stack(
        [x[0] ** 3 + p[0] * x[1] - 1.0, np.sin(x[1]) + p[1] * x[0] * x[1] - p[2]]
    )


P = np.array([0.7, 1.1, 0.9])


@functools.cache
def F_derivatives():
    """Value, Jacobian and Hessian of the solution of F, by series of Newton's method in mpmath."""
    mpmath.mp.dps = 40

    def solve(p):
        return mpmath.findroot(
            lambda x, y: (x**3 + p[0] * y - 1, mpmath.sin(y) + p[1] * x * y - p[2]), (0.9, 0.4)
        )

    h = mpmath.mpf(10) ** -10
    p0 = [mpmath.mpf(v) for v in P.tolist()]

    def at(*steps):
        p = list(p0)
        for i, s in steps:
            p[i] += s * h
        return solve(p)

    x = at()
    J = [(at((i, 1)) - at((i, -1))) / (2 * h) for i in range(3)]
    H = [
        [
            (at((i, 1), (j, 1)) - at((i, 1), (j, -1)) - at((i, -1), (j, 1)) + at((i, -1), (j, -1)))
            / (4 * h * h)
            for j in range(3)
        ]
        for i in range(3)
    ]
    mpmath.mp.dps = 15
    return (
        np.array([float(v) for v in x]),
        np.array([[float(J[i][k]) for i in range(3)] for k in range(2)]),
        np.array([[[float(H[i][j][k]) for j in range(3)] for i in range(3)] for k in range(2)]),
    )


def solved(p):
    return root(F, np.array([0.9, 0.4]), (p,))


@pytest.mark.parametrize("outer", ["jacrev", "jacfwd"])
@pytest.mark.parametrize("inner", ["jacrev", "jacfwd"])
@pytest.mark.parametrize("linear", ["dense", "gmres"])
def test_two_equations_against_mpmath(outer, inner, linear):
    outer, inner = getattr(adcore, outer), getattr(adcore, inner)
    x, J, H = F_derivatives()

    def f(p):
        return root(F, np.array([0.9, 0.4]), (p,), linear=linear)

    np.testing.assert_allclose(f(P), x, rtol=1e-15)
    np.testing.assert_allclose(inner(f)(P), J, rtol=1e-12)
    np.testing.assert_allclose(outer(inner(f))(P), H, rtol=1e-11)


def test_compiled_solutions_are_found_anew():
    x, J, H = F_derivatives()
    f = adcore.compile(lambda p: root(F, np.array([0.9, 0.4]), (p,)))
    total = adcore.compile(lambda p: solved(p)[1] * 2.0)
    for p in (P + 0.1, P):  # the second time by replay
        np.testing.assert_allclose(f(p), solved(p), rtol=1e-15)
        np.testing.assert_allclose(f.jacobian(p), adcore.jacobian(solved)(p), rtol=1e-12)
        np.testing.assert_allclose(
            total.hessian(p), adcore.hessian(lambda p: solved(p)[1] * 2.0)(p), rtol=1e-11
        )
    np.testing.assert_allclose(f(P), x, rtol=1e-15)
    np.testing.assert_allclose(f.jacobian(P), J, rtol=1e-12)
    np.testing.assert_allclose(total.hessian(P), 2.0 * H[1], rtol=1e-11)


def test_compiled_programs_keep_nothing_of_the_solver():
    """Comparisons in the function are made in plain numbers, and leave no guards."""

    def f(x, a):
        return x * x - a if x > 0.0 else x + a

    compiled = adcore.compile(lambda a: root(f, 1.0, (a,)))
    assert compiled(4.0) == 2.0
    assert compiled(9.0) == 3.0
    assert "guard" not in str(compiled.summary())


def test_start_has_no_derivative():
    assert grad(lambda s: root(lambda x: x * x - 4.0, s))(1.0) == 0.0
    assert jvp(lambda s: root(lambda x: x * x - 4.0, s), (1.0,), (1.0,)) == (2.0, 0.0)
    found = adcore.compile(lambda s: root(lambda x: x * x - 4.0, s))
    assert (found(1.0), found(-1.0)) == (2.0, -2.0)  # found anew from another start


def test_trees_of_unknowns_and_parameters():
    def f(x, p):
        return {"u": x["u"] ** 2 - p["a"], "v": (x["v"][0] - p["b"] * x["u"],)}

    def solve(p):
        return root(f, {"u": 1.0, "v": (np.zeros(2),)}, ({**p, "name": "not a number"},))

    p = {"a": 4.0, "b": np.array([1.0, 3.0])}
    assert solve(p)["u"] == 2.0
    np.testing.assert_array_equal(solve(p)["v"][0], [2.0, 6.0])
    J = adcore.jacobian(solve)(p)
    assert J["u"]["a"] == 0.25
    np.testing.assert_allclose(J["v"][0]["a"], [0.25, 0.75])
    np.testing.assert_allclose(J["v"][0]["b"], 2.0 * np.eye(2))


# ---- what functions find outside of their arguments ----


@dataclasses.dataclass
class Model:
    a: object

    def residual(self, x):
        return x * x - self.a


class Plain:
    def __init__(self, a):
        self.a = a

    def __call__(self, x):
        return x * x - self.a


def closed_over(a):
    return lambda x: x * x - a


def nested_function(a):
    def inner(x):
        return x * x - a

    return lambda x: inner(x)


def in_containers(a):
    held = {"list": [0.0, (a,)]}
    return lambda x: x * x - held["list"][1][0]


def recursive(a):
    def f(x, n=3):
        return f(x, n - 1) if n else x * x - a

    return f


def keyword_default(a):
    def f(x, *, b=a):
        return x * x - b

    return f


def wrapped(a):
    def f(x):
        return x * x - a

    return functools.wraps(f)(lambda x: f(x))


def gradient_of(a):
    return grad(lambda x: x**3 / 3.0 - a * x)


class Slotted:
    __slots__ = ("a",)

    def __init__(self, a):
        self.a = a

    def __call__(self, x):
        return x * x - self.a


OUTSIDE = {
    "closure": closed_over,
    "nested": nested_function,
    "containers": in_containers,
    "recursive": recursive,
    "default": lambda a: lambda x, b=a: x * x - b,
    "keyword default": keyword_default,
    "partial": lambda a: functools.partial(lambda b, x: x * x - b, a),
    "partial keyword": lambda a: functools.partial(lambda x, b: x * x - b, b=a),
    "method": lambda a: Model(a).residual,
    "callable": Plain,
    "attribute": lambda a: (lambda m: lambda x: m.residual(x))(PlainModel(a)),
    "slots": Slotted,
    "wrapped": wrapped,
    "grad": gradient_of,
}


class PlainModel:
    def __init__(self, a):
        self.inner = Plain(a)

    def residual(self, x):
        return self.inner(x)


@pytest.mark.parametrize("how", OUTSIDE)
def test_tracked_values_outside_of_the_arguments(how):
    def f(a):
        return root(OUTSIDE[how](a), 1.0)

    assert f(4.0) == 2.0
    assert grad(f)(4.0) == pytest.approx(0.25, rel=1e-15)
    assert fwd(f)(4.0) == pytest.approx(0.25, rel=1e-15)
    assert grad(grad(f))(4.0) == pytest.approx(-1.0 / 32.0, rel=1e-14)
    assert fwd(grad(f))(4.0) == pytest.approx(-1.0 / 32.0, rel=1e-14)
    compiled = adcore.compile(f)
    assert [compiled(4.0), compiled(9.0), compiled.grad(9.0)] == pytest.approx(
        [2.0, 3.0, 1.0 / 6.0]
    )


OFFSET = None


def of_a_global(x):
    return x * x - OFFSET


def test_globals(monkeypatch):
    a = adcore.tensor(4.0, requires_grad=True)
    monkeypatch.setitem(globals(), "OFFSET", a)
    x = root(of_a_global, 1.0)
    x.backward()
    assert (x.item(), a.grad.item()) == (2.0, 0.25)


def test_what_cannot_be_traced_is_refused():
    class Hidden:
        a = None

        def __call__(self, x):
            return x * x - self.a

    def f(a):
        Hidden.a = a  # of the class, which no copy of an object could have otherwise
        return root(Hidden(), 1.0)

    with pytest.raises(NotDifferentiableError, match="root was given depends on a tracked tensor"):
        grad(f)(4.0)
    with pytest.raises(NotDifferentiableError, match="root was given depends on a tracked tensor"):
        fwd(f)(4.0)


def test_changed_data_are_noticed():
    """The equations are evaluated again for the derivative, and must still be the same."""
    data = np.array([4.0])
    a = adcore.tensor(1.0, requires_grad=True)
    x = root(lambda x: x * x - a * data[0], 1.0)
    data[0] = 9.0
    with pytest.raises(TapeError, match="root: what its function finds outside of its arguments"):
        x.backward()
    data[0] = 4.0
    x.backward()
    assert a.grad.item() == 1.0
    # What is passed is kept.
    a = adcore.tensor(1.0, requires_grad=True)
    x = root(lambda x, data: x * x - a * data[0], 1.0, (data,))
    data[0] = 9.0
    x.backward()
    assert a.grad.item() == 1.0


def test_functions_without_tracked_values_keep_their_cells():
    calls = 0

    def count(x):
        nonlocal calls
        calls += 1
        return x

    def f(a):
        return root(lambda x: count(x) ** 2 - a, 1.0)

    grad(f)(4.0)
    assert calls > 2


# ---- where there is no derivative ----


@pytest.mark.parametrize(
    ("F", "x0", "a"),
    [
        (lambda x, a: (x - a) ** 2, 1.0, 2.0),
        (lambda x, a: x * x - 2.0 * x + 1.0 - a, 1.1, 0.0),
        (lambda x, a: (x - 1.0) ** 3 - a, 1.1, 0.0),
        (lambda x, a: x**3 - a, 1.0, 0.0),
    ],
    ids=["square", "expanded", "cube", "cube at zero"],
)
@pytest.mark.parametrize("transform", [grad, fwd])
def test_multiple_roots_have_no_derivative(F, x0, a, transform):
    def f(a):
        return root(F, x0, (a,))

    with pytest.raises((DomainError, ConvergenceError), match="root"):
        transform(f)(a)


def test_a_singular_system_has_no_derivative():
    A = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])

    def f(b):
        return root(lambda x: A @ x - b, np.ones(3), method="lm")

    with pytest.raises(DomainError, match="root: no derivative of the solution: the Jacobian at x"):
        adcore.jacobian(f)(A @ np.ones(3))


def test_derivatives_do_not_hang_on_units():
    for unit in (1e-150, 1e-12, 1.0, 1e12, 1e100):

        def f(a, start=unit):
            return root(lambda x, a: x * x - a, start, (a,))

        a = 4.0 * unit * unit
        assert f(a) == pytest.approx(2.0 * unit, rel=1e-14)
        assert grad(f)(a) == pytest.approx(0.25 / unit, rel=1e-14)


def test_unknowns_of_very_different_size():
    """x y = p and x^2 = q y, where x is 1e-8 and y is 1e16: x = (p q)^(1/3)."""

    def f(x, p, q):
        return adcore.stack([x[0] * x[1] - p, x[0] ** 2 * 1e30 - q * x[1]])

    p, q = 1e8, 1e-2

    def solve(p):
        return root(f, np.array([0.9e-8, 1.1e16]), (p, q), method="lm", tol=1e-15)

    x = (p * q * 1e-30) ** (1.0 / 3.0)
    np.testing.assert_allclose(solve(p), [x, p / x], rtol=1e-12)
    np.testing.assert_allclose(
        adcore.jacobian(solve)(p), [x / (3.0 * p), 2.0 / (3.0 * x)], rtol=1e-10
    )
    second = adcore.jacfwd(adcore.jacrev(solve))(p)
    np.testing.assert_allclose(second, [-2.0 * x / (9.0 * p**2), -2.0 / (9.0 * x * p)], rtol=1e-9)


def test_steep_functions_are_not_taken_for_singular():
    def f(a):
        return root(lambda x, a: np.tanh(1e5 * (x - a)), 1e4 + 1e-6, (a,))

    assert grad(f)(1e4) == pytest.approx(1.0, rel=1e-12)
    assert grad(lambda a: root(lambda x: np.exp(x) - a, 99.0))(np.exp(100.0)) == pytest.approx(
        np.exp(-100.0), rel=1e-13
    )


def test_no_solution_is_an_error():
    with pytest.raises(ConvergenceError, match="root found no solution"):
        root(lambda x: x * x + 1.0, 1.0)
    with pytest.raises(ConvergenceError, match="minimize found no solution"):
        minimize(lambda x: x**3, 1.0)


def test_wrong_number_of_equations():
    with pytest.raises((ValueError, TypeError)):
        root(lambda x: x[0], np.zeros(2))


def test_linear_option_is_checked():
    with pytest.raises(ValueError, match="got 'lu'"):
        root(lambda x: x, 1.0, linear="lu")
    with pytest.raises(ConvergenceError, match="gmres did not solve"):
        adcore.jacobian(lambda b: root(lambda x: x * 0.0 + b, np.ones(2), linear="gmres"))(
            np.zeros(2)
        )


def test_no_grad_and_plain_arguments_give_plain_results():
    assert type(root(lambda x: x - 1.0, 0.0)) is float
    with adcore.no_grad():
        a = adcore.tensor(4.0, requires_grad=True)
        assert not root(lambda x: x * x - a, 1.0).requires_grad


# ---- minima ----


def test_minimum_with_bounds_by_hand():
    """(x - p)^2 + (y - q)^2 + c x y: where y is held at its least value b, x = p - c b / 2."""

    def solve(p, b):
        return minimize(
            lambda x: (x[0] - p[0]) ** 2 + (x[1] - p[1]) ** 2 + p[2] * x[0] * x[1],
            np.ones(2),
            bounds=(adcore.stack([-10.0, b]), 10.0),
        )

    p, b = np.array([1.0, -2.0, 0.5]), 0.3
    np.testing.assert_allclose(solve(p, b), [1.0 - 0.5 * 0.3 / 2.0, 0.3], rtol=1e-14)
    for transform in (adcore.jacrev, adcore.jacfwd):
        by_p, by_b = transform(solve, (0, 1))(p, b)
        np.testing.assert_allclose(by_p, [[1.0, 0.0, -0.15], [0.0, 0.0, 0.0]], atol=1e-14)
        np.testing.assert_allclose(by_b, [-0.25, 1.0], atol=1e-14)
        second = transform(transform(lambda p: solve(p, p[2])[0]))(p)  # p0 - p2^2 / 2
        np.testing.assert_allclose(second, np.diag([0.0, 0.0, -1.0]), atol=1e-13)


def test_other_bounds_hold_in_replays():
    f = adcore.compile(lambda p: minimize(lambda x: (x - p) ** 2, 0.5, bounds=(0.0, 1.0)))
    assert [f(v) for v in (0.25, 2.0, -1.0)] == pytest.approx([0.25, 1.0, 0.0], abs=1e-14)
    assert [f.grad(v) for v in (0.25, 2.0, -1.0)] == pytest.approx([1.0, 0.0, 0.0], abs=1e-14)


def test_a_bound_that_holds_by_nothing_has_no_derivative():
    with pytest.raises(DomainError, match=r"x\[0\] = 0.0 is at its bound"):
        grad(lambda p: minimize(lambda x: (x - p) ** 2, 0.0, bounds=(0.0, 1.0)))(0.0)


@pytest.mark.parametrize(
    "method", ["BFGS", "CG", "Newton-CG", "trust-exact", "L-BFGS-B", "TNC", "Nelder-Mead"]
)
def test_solvers_come_to_the_same_minimum(method):
    def f(a):
        return minimize(
            lambda x: (x[0] - a) ** 2 + 10.0 * (x[1] - x[0] ** 2) ** 2, np.ones(2), method=method
        )

    np.testing.assert_allclose(f(1.5), [1.5, 2.25], rtol=1e-13)
    np.testing.assert_allclose(adcore.jacobian(f)(1.5), [1.0, 3.0], rtol=1e-12)
    np.testing.assert_allclose(
        adcore.jacobian(adcore.jacobian(f))(1.5), [0.0, 2.0], rtol=1e-10, atol=1e-11
    )


def test_many_unknowns_without_a_matrix():
    """A chain of springs: x'' = a x^3 discretised, by products with the Hessian alone."""
    n = 60

    def energy(x, a):
        inner = np.sum((x[1:] - x[:-1]) ** 2) + x[0] ** 2 + x[-1] ** 2
        return inner + np.sum(x * x) * 0.3 + a * np.sum(x**4) - np.sum(x)

    def total(linear):
        return lambda a: np.sum(minimize(energy, np.zeros(n), (a,), linear=linear))

    assert grad(total("cg"))(0.7) == pytest.approx(grad(total("dense"))(0.7), rel=1e-9)


def test_public_names():
    assert adcore.implicit is implicit
    assert sorted(implicit.__all__) == ["fixed_point", "minimize", "root"]


def test_the_page_of_the_docs():
    page = Path(__file__).resolve().parents[1] / "docs" / "solutions.md"
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert (failed, tried > 3) == (0, True)

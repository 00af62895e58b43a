"""adcore.optimize: SciPy's solvers with exact derivatives, Newton's method, errors of fits."""

import inspect
import io
import itertools
import re

import numpy as np
import pytest
import scipy.optimize as scipys
from scipy import sparse

import adcore
from adcore import _progress
from adcore.errors import DomainError, ShapeError
from adcore.optimize import _newton, covariance, curve_fit, least_squares, minimize, root
from adcore.optimize._factor import Factor


def rosenbrock(x):
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()


def surface(n):
    """Area of a surface over an n x n grid that ends at the boundary of a saddle."""
    t = np.linspace(-1.0, 1.0, n + 2)
    edge = t[:, None] ** 2 - t**2
    edge[1:-1, 1:-1] = 0.0
    h = t[1] - t[0]

    def area(x):
        rows = np.concatenate([edge[1:-1, :1], x.reshape(n, n), edge[1:-1, -1:]], axis=1)
        z = np.concatenate([edge[:1], rows, edge[-1:]], axis=0)
        a, b = (z[1:, 1:] - z[:-1, :-1]) / h, (z[1:, :-1] - z[:-1, 1:]) / h
        return np.sqrt(1.0 + 0.5 * (a * a + b * b)).sum() * h * h

    return area


# ---- minimize ----

METHODS = ["CG", "BFGS", "Newton-CG", "L-BFGS-B", "TNC", "SLSQP", "trust-constr", "dogleg"]
METHODS += ["trust-ncg", "trust-exact", "trust-krylov", "Nelder-Mead", "Powell", "COBYQA"]


@pytest.mark.parametrize("method", METHODS)
def test_minimize_is_scipys_with_derivatives_by_hand(method):
    """The same steps, to rounding: the same counts and the same minimum."""
    x0 = np.array([0.8, 1.1, 0.9])
    ours = minimize(rosenbrock, x0, method=method)
    by_hand = {}
    if method not in ("Nelder-Mead", "Powell", "COBYQA"):
        by_hand["jac"] = scipys.rosen_der
    if method in ("Newton-CG", "trust-ncg", "trust-krylov"):
        by_hand["hessp"] = scipys.rosen_hess_prod
    if method in ("trust-constr", "dogleg", "trust-exact"):
        by_hand["hess"] = scipys.rosen_hess
    theirs = scipys.minimize(scipys.rosen, x0, method=method, **by_hand)
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-7)
    assert ours.success == theirs.success
    assert ours.nit == theirs.nit
    assert ours.nfev == theirs.nfev
    for count in ("njev", "nhev"):
        assert ours.get(count) == theirs.get(count)


def test_constraints_have_exact_derivatives():
    """Hock and Schittkowski 71 from its own start, against its published minimum."""
    constraints = [
        {"type": "ineq", "fun": lambda x, least: x[0] * x[1] * x[2] * x[3] - least, "args": (25,)},
        scipys.NonlinearConstraint(lambda x: (x**2).sum(), 40.0, 40.0),
    ]
    best = [1.0, 4.742999637, 3.821149984, 1.379408293]
    for method in ("SLSQP", "trust-constr", None):
        found = minimize(
            lambda x: x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2],
            [1.0, 5.0, 5.0, 1.0],
            method=method,
            bounds=scipys.Bounds(1.0, 5.0),
            constraints=constraints,
        )
        assert found.success
        np.testing.assert_allclose(found.x, best, rtol=1e-5)


def test_sparse_jacobians_and_hessians_reach_trust_constr():
    """Spheres of a chain: so many unknowns that constraints are sparse; the minimum is known."""
    n = 150
    chain = scipys.NonlinearConstraint(lambda x: x[:-1] ** 2 + x[1:] ** 2, 2.0, 2.0)
    p = adcore.problem(lambda x: ((x - 2.0) ** 2).sum(), chain, x0=np.full(n, 1.2))
    assert sparse.issparse(p.for_minimize()["constraints"][0].jac(p.x0))
    found = minimize(
        lambda x: ((x - 2.0) ** 2).sum(), np.full(n, 1.2), constraints=chain, method="trust-constr"
    )
    np.testing.assert_allclose(found.x, 1.0, atol=1e-6)


def test_args_are_the_functions_and_given_derivatives_are_used():
    def f(x, a, b):
        return ((x - a) ** 2).sum() + b

    found = minimize(f, [0.0, 0.0], args=(np.array([1.0, 2.0]), 3.0))
    np.testing.assert_allclose(found.x, [1.0, 2.0], atol=1e-7)
    assert found.fun == pytest.approx(3.0)
    asked = []

    def jac(x, a, b):
        asked.append((a, b))
        return 2.0 * (x - a)

    minimize(f, [0.0], args=(1.0, 3.0), jac=jac, method="trust-exact")
    assert set(asked) == {(1.0, 3.0)}
    found = minimize(lambda x: (np.asarray(x @ x), 2 * x), [1.0], jac=True)  # not recorded at all
    assert found.x == pytest.approx(0.0, abs=1e-8)
    with pytest.warns(RuntimeWarning, match="does not use"):
        minimize(f, [0.0], args=(1.0, 3.0), hess=lambda x, a, b: np.eye(1), method="BFGS")


def test_custom_methods_are_handed_all_derivatives():
    def own(fun, x0, args, **settings):
        assert args == ()
        np.testing.assert_allclose(settings["jac"](x0), scipys.rosen_der(x0))
        np.testing.assert_allclose(settings["hess"](x0), scipys.rosen_hess(x0))
        np.testing.assert_allclose(settings["hessp"](x0, x0), scipys.rosen_hess_prod(x0, x0))
        return scipys.OptimizeResult(x=x0, fun=fun(x0))

    assert minimize(rosenbrock, [1.0, 2.0, 3.0], method=own).fun == scipys.rosen([1.0, 2.0, 3.0])


def test_signatures_are_scipys_and_more():
    for ours, theirs in (
        (minimize, scipys.minimize),
        (root, scipys.root),
        (curve_fit, scipys.curve_fit),
    ):
        names = list(inspect.signature(ours).parameters)
        wanted = list(inspect.signature(theirs).parameters)
        assert [n for n in names if n in wanted] == wanted


# ---- newton-sparse ----


def test_many_unknowns_take_newtons_method_by_default():
    found = minimize(rosenbrock, np.full(2000, 0.9))
    assert found.success
    assert "n_factors" in found
    np.testing.assert_allclose(found.x, 1.0, atol=1e-6)
    assert found.nit < 60


@pytest.mark.parametrize("seed", range(5))
def test_newton_finds_minima_from_where_the_hessian_is_indefinite(seed):
    x0 = np.random.default_rng(seed).uniform(-2.0, 2.0, 30)
    assert np.linalg.eigvalsh(scipys.rosen_hess(x0))[0] < 0.0
    found = minimize(rosenbrock, x0, method="newton-sparse", options={"gtol": 1e-9})
    assert found.success
    assert np.abs(scipys.rosen_der(found.x)).max() <= 1e-9
    assert np.linalg.eigvalsh(scipys.rosen_hess(found.x))[0] > 0.0


def wood(x):
    """Colville's function of every four (More, Garbow, Hillstrom 1981, problem 14)."""
    a, b, c, d = x[0::4], x[1::4], x[2::4], x[3::4]
    first = 100.0 * (b - a**2) ** 2 + (1.0 - a) ** 2 + 90.0 * (d - c**2) ** 2 + (1.0 - c) ** 2
    return (first + 10.0 * (b + d - 2.0) ** 2 + 0.1 * (b - d) ** 2).sum()


def powell(x):
    """Powell's singular function of every four (problem 13): no curvature at the minimum."""
    a, b, c, d = x[0::4], x[1::4], x[2::4], x[3::4]
    return (
        (a + 10.0 * b) ** 2 + 5.0 * (c - d) ** 2 + (b - 2.0 * c) ** 4 + 10.0 * (a - d) ** 4
    ).sum()


def dixon(x):
    """Dixon and Price, whose minimum is 0."""
    return (x[0] - 1.0) ** 2 + (
        np.arange(2.0, len(x) + 1.0) * (2.0 * x[1:] ** 2 - x[:-1]) ** 2
    ).sum()


DRAWN = np.random.default_rng(17).normal(size=100)
# name -> (function, start, greatest value at a minimum, most steps)
HARD = {
    "rosenbrock, all -10": (rosenbrock, np.full(100, -10.0), 1e-12, 400),
    "rosenbrock, from afar": (rosenbrock, 100.0 * DRAWN, 4.0, 400),
    "rosenbrock, its start": (rosenbrock, np.tile([-1.2, 1.0], 50), 4.0, 300),
    "wood": (wood, np.tile([-3.0, -1.0, -3.0, -1.0], 25), 1e-12, 100),
    "wood, from afar": (wood, 50.0 * DRAWN, 1e-12, 200),
    "powell": (powell, np.tile([3.0, -1.0, 0.0, 1.0], 25), 1e-8, 40),
    "powell, from afar": (powell, 1e3 * DRAWN, 1e-8, 80),
    "dixon": (dixon, np.full(100, 10.0), 1.0, 40),
}


@pytest.mark.parametrize("name", HARD)
def test_newton_converges_from_hard_starts(name):
    """From where Hessians are indefinite and values are many powers of ten above the least."""
    f, x0, most, steps = HARD[name]
    found = minimize(f, x0, method="newton-sparse", tol=1e-8)
    assert found.success
    assert found.fun <= most
    assert np.abs(adcore.grad(f)(found.x)).max() <= 1e-8
    assert np.linalg.eigvalsh(adcore.hessian(f)(found.x))[0] > -1e-6
    assert found.nit <= steps


@pytest.mark.parametrize("size", [0.1, 3.0, 100.0])
def test_newton_converges_on_a_surface_from_random_heights(size):
    """The area is convex, with one minimum; far away it is flat across and steep along."""
    area, n = surface(15), 225
    want = minimize(area, np.zeros(n), method="newton-sparse", tol=1e-12)
    found = minimize(
        area, size * np.random.default_rng(3).normal(size=n), method="newton-sparse", tol=1e-12
    )
    assert found.success
    np.testing.assert_allclose(found.x, want.x, atol=1e-9)
    assert found.nit <= 60


def test_newton_keeps_factors_while_they_serve():
    """Fewer factorisations than steps, and no step solved to more than what was asked for."""
    found = minimize(surface(60), np.zeros(3600), method="newton-sparse", tol=1e-9)
    assert found.success
    assert found.n_factors <= found.nit // 2
    assert found.n_products <= 60


def test_newton_agrees_with_scipy_on_a_surface():
    area = surface(12)
    ours = minimize(area, np.zeros(144), method="newton-sparse", tol=1e-12)
    theirs = minimize(area, np.zeros(144), method="trust-exact", options={"gtol": 1e-12})
    assert ours.success
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-10)
    differences = scipys.approx_fprime(ours.x, area, 1e-6)
    np.testing.assert_allclose(differences, 0.0, atol=2e-6)
    assert np.abs(scipys.approx_fprime(np.zeros(144), area, 1e-6)).max() > 1e-3


def test_newton_is_quadratic_near_the_minimum():
    sizes = []
    minimize(
        surface(10),
        np.zeros(100),
        method="newton-sparse",
        tol=1e-14,
        callback=lambda now: sizes.append(np.abs(now.jac).max()),
    )
    late = [s for s in sizes if 1e-13 < s < 1e-3]
    assert all(b < 0.1 * a for a, b in itertools.pairwise(late))


def test_newton_of_a_quadratic_is_one_step():
    found = minimize(lambda x: ((x - 1.0) ** 2).sum() + x[0] * x[1], np.zeros(5),
                     method="newton-sparse")  # fmt: skip
    assert found.nit == 1
    np.testing.assert_allclose(found.x, [2 / 3, 2 / 3, 1.0, 1.0, 1.0], rtol=1e-14)


def test_newton_says_how_it_ended():
    x0 = np.array([-1.2, 1.0, 1.0])
    short = minimize(rosenbrock, x0, method="newton-sparse", options={"maxiter": 2})
    assert (short.status, short.success, short.nit) == (1, False, 2)

    def stop(_):
        raise StopIteration

    stopped = minimize(rosenbrock, x0, method="newton-sparse", callback=stop)
    assert (stopped.status, stopped.nit) == (99, 1)
    with np.errstate(all="ignore"):
        lost = minimize(lambda x: np.log(x).sum(), [-1.0], method="newton-sparse")
    assert (lost.status, lost.success) == (3, False)
    exact = minimize(lambda x: ((x - 1e8) ** 4).sum() + 1.0, [0.0], method="newton-sparse",
                     options={"gtol": 0.0, "maxiter": 500})  # fmt: skip
    assert exact.status in (0, 2)
    assert exact.x == pytest.approx(1e8, rel=1e-4)


def test_newton_stays_where_the_function_is_defined():
    found = minimize(
        lambda x: (x - np.log(x)).sum(), np.full(4, 3.0), method="newton-sparse", tol=1e-10
    )
    np.testing.assert_allclose(found.x, 1.0, rtol=1e-8)


def test_newton_refuses_what_it_cannot():
    for more in ({"bounds": [(0, 1)] * 3}, {"constraints": {"type": "eq", "fun": rosenbrock}}):
        with pytest.raises(ValueError, match="takes neither bounds nor constraints"):
            minimize(rosenbrock, np.ones(3), method="newton-sparse", **more)
    with pytest.raises(ValueError, match="leave out jac"):
        minimize(rosenbrock, np.ones(3), method="newton-sparse", jac=scipys.rosen_der)
    with pytest.raises(TypeError, match=r"has options gtol, .*; got 'xtol'"):
        minimize(rosenbrock, np.ones(3), method="newton-sparse", options={"xtol": 1.0})


@pytest.mark.parametrize("seed", range(20))
def test_factors_are_those_of_a_positive_definite_matrix(seed):
    """Shifted as little as needed, to a power of ten; solutions are those of the dense matrix."""
    rng = np.random.default_rng(seed)
    a = sparse.random_array((40, 40), density=0.1, rng=rng)
    a = sparse.csr_array(a + a.T + sparse.eye_array(40) * rng.uniform(-1.0, 4.0))
    a.sort_indices()
    least = np.linalg.eigvalsh(a.toarray())[0]
    factor = Factor(a)
    assert (factor.shift == 0.0) == (least > 0.0)
    assert least + factor.shift > 0.0
    assert factor.shift == 0.0 or factor.shift <= max(-20.0 * least, 2e-3 * abs(a.data).max())
    b = rng.normal(size=40)
    dense = a.toarray() + factor.shift * np.eye(40)
    np.testing.assert_allclose(dense @ factor.solve(b), b, atol=1e-8)


@pytest.mark.parametrize("seed", range(8))
def test_factors_in_single_precision(seed):
    """The same shifts; solutions to about six digits, of matrices and vectors of any size."""
    rng = np.random.default_rng(seed)
    a = sparse.random_array((40, 40), density=0.1, rng=rng)
    a = sparse.csr_array(a + a.T + sparse.eye_array(40) * rng.uniform(-1.0, 4.0))
    a.sort_indices()
    size = 10.0 ** rng.uniform(-150, 150)
    a.data *= size
    factor = Factor(a, single=True)
    assert factor.shift == pytest.approx(Factor(a).shift)
    x = rng.normal(size=40)
    dense = factor.matrix.toarray()
    small = np.linalg.cond(dense) * 1e-6 * np.abs(x).max()
    for b in (dense @ x, 1e-200 * (dense @ x), np.zeros(40)):
        found = factor.solve(b)
        assert found.dtype == np.float64
        np.testing.assert_allclose(
            found, np.linalg.solve(dense, b), atol=small * np.abs(b).max() / np.abs(dense @ x).max()
        )
    apart = Factor(sparse.csr_array(np.diag([1e-60, 1.0])), single=True)
    assert not apart.single
    np.testing.assert_allclose(apart.solve(np.ones(2)), [1e60, 1.0])


@pytest.mark.parametrize("name", ["rosenbrock, from afar", "wood", "powell, from afar"])
def test_newton_with_factors_in_single_precision(name, monkeypatch):
    """As precise as ever: they only make steps cheaper, and are given up where they do not."""
    made = []

    def factor(matrix, shift, single):
        made.append(Factor(matrix, shift, single))
        return made[-1]

    monkeypatch.setattr(_newton, "MUCH", 0.0)
    monkeypatch.setattr(_newton, "Factor", factor)
    f, x0, most, steps = HARD[name]
    found = minimize(f, x0, method="newton-sparse", tol=1e-8)
    assert found.success
    assert found.fun <= most
    assert np.abs(adcore.grad(f)(found.x)).max() <= 1e-8
    assert found.nit <= steps
    assert not made[0].single
    assert name.startswith("powell") or any(m.single for m in made)


def test_factors_of_matrices_without_a_diagonal_and_of_scales_far_apart():
    swap = sparse.csr_array([[0.0, 1.0], [1.0, 0.0]])
    assert Factor(swap).shift > 1.0
    assert Factor(sparse.csr_array((3, 3))).shift > 0.0
    assert Factor(sparse.csr_array(np.diag([1e-20, 1.0, 1e20]))).shift == 0.0


# ---- root ----


def tridiagonal(x):
    left, right = np.concatenate([[0.0], x[:-1]]), np.concatenate([x[1:], [0.0]])
    return (3.0 - 2.0 * x) * x - left - 2.0 * right + 1.0


@pytest.mark.parametrize("method", ["hybr", "lm", "krylov", "df-sane", "newton-sparse", None])
def test_root(method):
    by_differences = scipys.root(tridiagonal, -np.ones(20), tol=1e-12)
    found = root(tridiagonal, -np.ones(20), method=method, tol=1e-10)
    assert found.success
    np.testing.assert_allclose(found.x, by_differences.x, atol=1e-7)


def test_root_of_many_equations_has_a_sparse_jacobian():
    found = root(tridiagonal, -np.ones(5000))
    assert found.method == "newton-sparse"
    assert found.success
    assert np.abs(tridiagonal(found.x)).max() < 1e-12
    assert found.nit < 10


def test_root_by_newton_says_how_it_ended():
    newton = {"method": "newton-sparse"}
    assert root(lambda x: x**2 + 1.0, [1.0], **newton).status in (3, 4)
    assert root(lambda x: x * 0.0 + 1.0, [1.0], **newton).status == 3
    assert root(tridiagonal, -np.ones(5), options={"maxiter": 1}, **newton).status == 2
    with np.errstate(all="ignore"):
        assert root(lambda x: np.log(x), [-1.0], **newton).status == 5
    far = root(lambda x: np.arctan(x), [3.0], **newton)  # where full steps diverge
    assert far.success
    assert far.x == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(ShapeError, match="as many equations as unknowns, got 3 for 2"):
        root(lambda x: [x[0], x[1], x[0]], [1.0, 2.0], **newton)


# ---- fits ----

T = np.linspace(0.0, 5.0, 40)
Y = 2.0 * np.exp(-0.7 * T) + 0.3 + 0.05 * np.random.default_rng(7).normal(size=40)


def decay(t, a, k, c):
    return a * np.exp(-k * t) + c


@pytest.mark.parametrize("method", ["trf", "dogbox", "lm"])
def test_least_squares_is_scipys(method):
    ours = least_squares(lambda p: decay(T, *p) - Y, [1.0, 1.0, 0.0], method=method)
    theirs = scipys.least_squares(lambda p: decay(T, *p) - Y, [1.0, 1.0, 0.0], method=method)
    np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-6)
    np.testing.assert_allclose(ours.jac, theirs.jac, atol=1e-6)


def hessian_by_differences(f, x, h=1e-4):
    e = h * np.eye(len(x))
    return np.array(
        [
            [(f(x + a + b) - f(x + a - b) - f(x - a + b) + f(x - a - b)) / (4 * h * h) for b in e]
            for a in e
        ]
    )


def test_errors_of_least_squares_are_those_of_the_exact_hessian():
    found = least_squares(lambda p: decay(T, *p) - Y, [1.0, 1.0, 0.0], xtol=1e-12, ftol=1e-12)
    curvature = hessian_by_differences(lambda p: 0.5 * ((decay(T, *p) - Y) ** 2).sum(), found.x)
    expected = 2.0 * found.cost / (40 - 3) * np.linalg.inv(curvature)
    np.testing.assert_allclose(found.cov, expected, rtol=1e-5)
    np.testing.assert_array_equal(found.se, np.sqrt(np.diag(found.cov)))
    gauss_newton = 2.0 * found.cost / 37 * np.linalg.inv(found.jac.T @ found.jac)
    assert np.abs(found.cov / gauss_newton - 1.0).max() > 1e-3  # so that the test can tell


def test_errors_where_a_bound_holds():
    held = least_squares(
        lambda p: decay(T, *p) - Y, [1.0, 1.0, 0.5], bounds=([0, 0, 0.5], [9, 9, 9])
    )
    assert held.active_mask.tolist() == [0, 0, -1]
    free = least_squares(lambda p: decay(T, p[0], p[1], held.x[2]) - Y, [1.0, 1.0])
    np.testing.assert_allclose(held.se, [*free.se, 0.0], rtol=1e-4)


def test_errors_that_do_not_exist_are_infinite():
    flat = least_squares(lambda p: (p[0] + p[1]) * T - Y, [1.0, 1.0])
    assert np.isinf(flat.se).all()
    few = least_squares(lambda p: p - 1.0, [0.0, 0.0])
    assert np.isinf(few.se).all()
    robust = least_squares(lambda p: decay(T, *p) - Y, [1.0, 1.0, 0.0], loss="soft_l1")
    assert "se" not in robust


def test_least_squares_takes_what_scipys_takes():
    def f(p, t, shift=0.0):
        return p[0] * t - shift

    found = least_squares(f, [0.5], args=(T,), kwargs={"shift": 2.0 * T}, loss="huber")
    assert found.x == pytest.approx(2.0)
    given = least_squares(f, [0.5], args=(T,), jac=lambda p, t: t[:, None])
    assert given.x == pytest.approx(0.0, abs=1e-10)


@pytest.mark.parametrize("sigma", [None, 0.1 + 0.02 * T, 0.01 * np.exp(-abs(T[:, None] - T))])
@pytest.mark.parametrize("absolute", [False, True])
def test_curve_fit_is_scipys(sigma, absolute):
    settings = {"sigma": sigma, "absolute_sigma": absolute, "ftol": 1e-12, "xtol": 1e-12}
    best, cov = curve_fit(decay, T, Y, **settings)
    theirs, their_cov = scipys.curve_fit(decay, T, Y, **settings)
    np.testing.assert_allclose(best, theirs, rtol=1e-5)
    np.testing.assert_allclose(cov, their_cov, rtol=1e-4)
    again, exact = curve_fit(decay, T, Y, hessian="exact", **settings)
    np.testing.assert_array_equal(again, best)
    weight = np.eye(40)
    if sigma is not None:
        weight = np.linalg.inv(np.diag(sigma**2) if sigma.ndim == 1 else sigma)

    def cost(p):
        r = decay(T, *p) - Y
        return 0.5 * r @ weight @ r

    scale = 1.0 if absolute else 2.0 * cost(best) / 37
    expected = scale * np.linalg.inv(hessian_by_differences(cost, best))
    np.testing.assert_allclose(exact, expected, rtol=2e-4)


def test_curve_fit_with_bounds_nan_and_full_output():
    y = Y.copy()
    y[3] = np.nan
    ours = curve_fit(decay, T, y, nan_policy="omit", bounds=(0.0, 5.0), full_output=True)
    theirs = scipys.curve_fit(decay, T, y, nan_policy="omit", bounds=(0.0, 5.0), full_output=True)
    assert len(ours) == len(theirs) == 5
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)
    with pytest.raises(ValueError, match="needs data without nan"):
        curve_fit(decay, T, y, nan_policy="omit", hessian="exact")
    with pytest.raises(ValueError, match='must be "gauss-newton" or "exact", got \'full\''):
        curve_fit(decay, T, Y, hessian="full")


def test_covariance_of_a_likelihood():
    """Of a normal sample, in mean and standard deviation: s^2/n and s^2/(2n)."""
    data = np.random.default_rng(1).normal(2.0, 3.0, 50)

    def loss(p, x):
        return (0.5 * ((x - p[0]) / p[1]) ** 2 + np.log(p[1])).sum()

    best = np.array([data.mean(), data.std()])
    expected = np.diag([data.var() / 50, data.var() / 100])
    np.testing.assert_allclose(covariance(loss, best, (data,)), expected, rtol=1e-10, atol=1e-14)
    with pytest.raises(DomainError, match="Hessian of loss is not positive definite at x = "):
        covariance(loss, [best[0], 10.0 * best[1]], (data,))


# ---- progress ----


@pytest.mark.parametrize(
    ("solve", "text"),
    [
        (lambda: minimize(rosenbrock, np.zeros(4), progress=True), r"minimize \(BFGS\) 1 eval"),
        (
            lambda: minimize(rosenbrock, np.zeros(4), method="newton-sparse", progress=True),
            r"minimize \(newton-sparse\) step 0, value 3",
        ),
        (lambda: root(tridiagonal, -np.ones(5), progress=True), r"root \(hybr\) 1 eval.* residual"),
        (
            lambda: least_squares(lambda p: decay(T, *p) - Y, [1.0, 1.0, 0.0], progress=True),
            r"least_squares \(trf\) 1 evaluations, cost ",
        ),
    ],
)
def test_progress_is_a_line_that_goes_away(monkeypatch, solve, text):
    shown = io.StringIO()
    monkeypatch.setattr(_progress.sys, "stderr", shown)
    solve()
    assert re.search(text, shown.getvalue())
    assert shown.getvalue().endswith("\r\033[K")


def test_progress_is_silent_where_nobody_looks(monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(_progress.sys, "stderr", shown)
    minimize(rosenbrock, np.zeros(4))
    assert shown.getvalue() == ""

"""The examples with sparse derivatives, at small size, and the solvers that they share."""

import importlib

import numpy as np
import pytest
from scipy import optimize, sparse

import adcore
import bundle_adjustment
import checks
import laplace
import newton
import obstacle
import power_network
import torsion

SIZES = {
    "minimal_surface": 20,
    "obstacle": 20,
    "bratu": 20,
    "torsion": 20,
    "steering": 100,
    "power_network": 60,
    "bundle_adjustment": 5,
    "laplace": 400,
}


@pytest.mark.parametrize("name", SIZES)
def test_example_finds_what_is_known(name, capsys):
    status = importlib.import_module(name).main(["--size", str(SIZES[name])])
    printed = capsys.readouterr().out
    assert "WRONG" not in printed
    assert printed.count("  right  ") >= 2
    assert status == 0


@pytest.mark.parametrize(
    ("name", "constant", "wrong"),
    [
        ("minimal_surface", "enneper", lambda x, y: x * x - y * y),  # no minimal surface
        ("obstacle", "COPS", {(50, 25): 2.5196}),
        ("bratu", "FOLD", 6.81),
        ("torsion", "TORSION_CONSTANT", 0.13),
        ("steering", "COPS", {"size": 200, "time": 0.5545}),
        ("power_network", "jacobian_by_matrices", None),
        ("bundle_adjustment", "jacobian_by_complex_steps", None),
        ("laplace", "kalman", lambda y, p: 0.999 * KALMAN(y, p)),
    ],
)
def test_example_fails_if_it_finds_something_else(name, constant, wrong, capsys, monkeypatch):
    module = importlib.import_module(name)
    if wrong is None:  # a function whose matrix is off in one entry
        right = getattr(module, constant)

        def wrong(*arguments):
            matrix = right(*arguments)
            matrix.data[len(matrix.data) // 2] += 1e-3 * abs(matrix).max()
            return matrix

    monkeypatch.setattr(module, constant, wrong)
    assert module.main(["--size", str(SIZES[name])]) == 1
    assert "  WRONG  " in capsys.readouterr().out


KALMAN = laplace.kalman


def test_checks_take_no_nan(capsys):
    found = checks.Checks()
    found.near("a", 1.0, 1.5, 0.5)
    found.small("b", 0.0, 0.0)
    found.between("c", 2.0, 2.0, 3.0)
    assert found.failed == 0
    found.near("d", np.nan, 1.0, 1.0)
    found.small("e", np.nan, 1.0)
    found.between("f", np.nan, 0.0, 1.0)
    assert found.failed == 3
    assert capsys.readouterr().out.count("WRONG") == 3


# ---- the derivatives that the examples make by hand ---------------------------------------------


def test_hand_written_jacobians_are_those_of_dense_adcore(rng):
    network = power_network.a_network(12, rng)
    f, x = power_network.meters(network), power_network.a_state(12, rng)
    by_hand = power_network.jacobian_by_matrices(network, x).toarray()
    assert by_hand == pytest.approx(adcore.jacobian(f)(x), rel=1e-12, abs=1e-12)

    cameras, points, which = bundle_adjustment.a_scene(3, rng)
    seen, weights = rng.random((len(which[0]), 2)), rng.random(len(which[0]))
    by_steps = bundle_adjustment.jacobian_by_complex_steps(cameras, points, weights, which, seen)
    dense = adcore.jacobian(
        lambda *parts: bundle_adjustment.residuals(*parts, which, seen), argnums=(0, 1, 2)
    )(cameras, points, weights)
    dense = np.concatenate([part.reshape(3 * len(weights), -1) for part in dense], axis=1)
    assert by_steps.toarray() == pytest.approx(dense, rel=1e-12, abs=1e-12)


def test_inverse_at_the_pattern(rng):
    n = 9
    below = rng.standard_normal(n - 1)
    matrix = np.diag(4.0 + rng.random(n)) + np.diag(below, 1) + np.diag(below, -1)
    factor = np.linalg.cholesky(matrix)
    banded = np.stack([np.diag(factor), np.append(np.diag(factor, -1), 0.0)])
    inverse = np.linalg.inv(matrix)
    main, below = laplace.inverse_at_pattern(banded)
    assert main == pytest.approx(np.diag(inverse), rel=1e-12)
    assert below == pytest.approx(np.diag(inverse, -1), rel=1e-12)
    compressed = laplace.by_color(main, below)
    for i in range(n):
        for j in range(max(i - 1, 0), min(i + 2, n)):
            assert compressed[j % 3, i] == pytest.approx(inverse[i, j], rel=1e-12)


# ---- Newton's methods ---------------------------------------------------------------------------


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def derivatives_of(f):
    compiled = adcore.compile(f)
    return lambda x: compiled.value_grad_and_hessian(x, sparse=True)


def test_minimize_from_where_the_hessian_is_indefinite():
    start = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    assert np.linalg.eigvalsh(adcore.hessian(rosenbrock)(start)).min() < 0.0
    found = newton.minimize(derivatives_of(rosenbrock), start)
    assert found.x == pytest.approx(np.ones(6), rel=1e-9)
    assert found.left <= 1e-9


def test_minimize_between_bounds_as_scipy_does():
    lower, upper = np.full(5, -0.5), np.array([0.7, 0.5, 2.0, 2.0, 0.1])
    found = newton.minimize(derivatives_of(rosenbrock), np.zeros(5), lower, upper, gtol=1e-12)
    known = optimize.minimize(
        rosenbrock,
        np.zeros(5),
        jac=adcore.grad(rosenbrock),
        method="L-BFGS-B",
        bounds=list(zip(lower, upper, strict=True)),
        options={"ftol": 1e-15, "gtol": 1e-10},
    )
    assert np.any(found.x == upper)
    assert found.x == pytest.approx(known.x, abs=1e-7)


def test_what_has_no_minimum_does_not_converge():
    with pytest.raises(newton.NotConverged, match="after 30 steps"):
        newton.minimize(
            derivatives_of(lambda x: np.sum(np.exp(-x))), np.zeros(3), gtol=0.0, most=30
        )
    f = adcore.compile(lambda x: x**2 + 1.0)
    with pytest.raises((newton.NotConverged, RuntimeError)):
        newton.root(f, lambda x: f.jacobian(x, sparse=True), np.ones(2))


def test_root_and_least_squares_as_scipy_does():
    f = adcore.compile(lambda x: x**3 + np.concatenate([x[1:], x[:1]]) - 1.0)
    found = newton.root(f, lambda x: f.jacobian(x, sparse=True), np.full(4, 2.0), tolerance=1e-14)
    real = [r.real for r in np.roots([1.0, 0.0, 1.0, -1.0]) if abs(r.imag) < 1e-12]
    assert found.x == pytest.approx(np.full(4, real[0]), rel=1e-13)

    t = np.linspace(0.0, 1.0, 20)
    seen = 2.0 * np.exp(-3.0 * t) + 0.01 * np.cos(40.0 * t)
    r = adcore.compile(lambda x: x[0] * np.exp(-x[1] * t) - seen)
    found = newton.least_squares(r, lambda x: r.jacobian(x, sparse=True), np.ones(2), 1e-12)
    known = optimize.least_squares(
        r, np.ones(2), adcore.jacobian(r), xtol=1e-14, ftol=1e-14, gtol=1e-14
    )
    assert found.x == pytest.approx(known.x, rel=1e-9)


def test_closest_is_the_least_squares_solution(rng):
    matrix, right = rng.standard_normal((8, 3)), rng.standard_normal(8)
    known = np.linalg.lstsq(matrix, right, rcond=None)[0]
    assert newton.closest(sparse.csr_array(matrix), right) == pytest.approx(known, rel=1e-10)


def test_torsion_has_its_conditions_by_hand():
    """The stencil written out is the gradient that adcore finds."""
    m, twist = 6, 3.0
    x = np.random.default_rng(4).random(m * m) * torsion.distance(m)
    slope = adcore.grad(torsion.energy(m))(x, twist)
    bound = torsion.distance(m)
    left = np.max(np.abs(x - np.clip(x - slope, -bound, bound)))
    assert torsion.optimality(m, twist, x) == pytest.approx(left, rel=1e-12)


def test_obstacle_has_its_conditions_by_hand(rng):
    """The slopes written out are the gradient that adcore finds."""
    x = rng.random(5 * 8) + obstacle.table(5, 8)
    slope = adcore.grad(obstacle.area(5, 8))(x)
    left = np.max(np.abs(x - np.maximum(x - slope, obstacle.table(5, 8))))
    assert obstacle.optimality(5, 8, x) == pytest.approx(left, rel=1e-12)

"""adcore.ipopt against the real Ipopt, where cyipopt is installed: published optima, its check."""

import sys

import numpy as np
import pytest
import scipy.optimize as scipys

import adcore
from adcore.errors import NotDifferentiableError


@pytest.fixture
def ipopt():
    pytest.importorskip("cyipopt", reason="cyipopt is not installed: pip install adcore[ipopt]")
    return adcore.ipopt


def catenary(n):
    """Height of a hanging chain of n links between two points, and its constraints."""

    def links(z):
        x = np.concatenate([[0.0], z[: n - 1], [1.0]])
        y = np.concatenate([[0.0], z[n - 1 :], [0.0]])
        return (x[1:] - x[:-1]) ** 2 + (y[1:] - y[:-1]) ** 2

    def height(z):
        y = np.concatenate([[0.0], z[n - 1 :], [0.0]])
        return (y[1:] + y[:-1]).sum() / (2 * n)

    start = np.concatenate([np.linspace(0, 1, n + 1)[1:-1], -0.5 * np.ones(n - 1)])
    return height, scipys.NonlinearConstraint(links, (1.5 / n) ** 2, (1.5 / n) ** 2), start


def test_published_minimum_and_multipliers(ipopt):
    """Hock and Schittkowski 71, with the numbers that Ipopt's own documentation prints."""
    found = ipopt.minimize(
        lambda x, c: x[0] * x[3] * (x[0] + x[1] + x[2]) + c * x[2],
        [1.0, 5.0, 5.0, 1.0],
        args=(1.0,),
        bounds=[(1.0, 5.0)] * 4,
        constraints=[
            {"type": "ineq", "fun": lambda x: x[0] * x[1] * x[2] * x[3] - 25.0},
            {"type": "eq", "fun": lambda x: (x**2).sum() - 40.0},
        ],
    )
    assert found.success
    np.testing.assert_allclose(found.x, [1.0, 4.742999637, 3.821149984, 1.379408293], rtol=1e-7)
    assert found.fun == pytest.approx(17.0140171452, rel=1e-8)
    np.testing.assert_allclose(found.multipliers, [-0.552293660, 0.161468564], rtol=1e-6)
    assert found.lower_multipliers[0] == pytest.approx(1.08787121, rel=1e-6)
    np.testing.assert_allclose(found.constraints, 0.0, atol=1e-6)
    assert 5 <= found.nit == found.nhev <= 12
    assert "successfully" in found.message


def test_stationarity_of_the_lagrangian(ipopt):
    height, constraint, start = catenary(20)
    found = ipopt.minimize(height, start, constraints=constraint, tol=1e-10)
    p = adcore.problem(height, constraint, x0=start)
    assert found.success
    stationary = p.gradient(found.x) + p.jacobian(found.x).T @ found.multipliers
    np.testing.assert_allclose(stationary, 0.0, atol=1e-9)
    np.testing.assert_allclose(p.constraints(found.x), (1.5 / 20) ** 2, rtol=1e-8)
    np.testing.assert_allclose(found.jac, p.gradient(found.x))
    slsqp = scipys.minimize(method="SLSQP", options={"maxiter": 500, "ftol": 1e-12},
                            **p.for_minimize("SLSQP"))  # fmt: skip
    assert found.fun == pytest.approx(slsqp.fun, rel=1e-6)


def test_derivatives_pass_ipopts_own_check(ipopt, capfd):
    height, constraint, start = catenary(8)
    settings = {"derivative_test": "second-order", "print_level": 5, "max_iter": 3}
    ipopt.minimize(height, start + 0.01, constraints=constraint, options=settings)
    assert "No errors detected by derivative checker." in capfd.readouterr().out


def test_linear_constraints_bounds_and_none_at_all(ipopt):
    rosen = lambda x: 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2  # noqa: E731
    np.testing.assert_allclose(ipopt.minimize(rosen, [-1.2, 1.0]).x, 1.0, rtol=1e-6)
    line = scipys.LinearConstraint([[1.0, 2.0]], -np.inf, 1.0)
    found = ipopt.minimize(rosen, [-1.0, -1.0], constraints=line)
    np.testing.assert_allclose(found.x, [0.5022, 0.2489], atol=1e-4)  # as Matlab's manual has it
    found = ipopt.minimize(lambda x: x[0] + 2.0 * x[1], [1.0, 1.0], bounds=[(-3, None), (2, 7)])
    np.testing.assert_allclose(found.x, [-3.0, 2.0], atol=1e-6)


def test_how_it_ended(ipopt):
    rosen = lambda x: 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2  # noqa: E731
    short = ipopt.minimize(rosen, [-1.2, 1.0], options={"max_iter": 2})
    assert (short.success, short.nit) == (False, 2)
    assert "iterations" in short.message.lower()
    seen = []

    def stop(step, *_):
        seen.append(step)
        return step < 4

    stopped = ipopt.minimize(rosen, [-1.2, 1.0], callback=stop)
    assert not stopped.success
    assert seen == [0, 1, 2, 3, 4]
    impossible = ipopt.minimize(
        rosen, [0.0, 0.0], constraints={"type": "eq", "fun": lambda x: x[0] ** 2 + 1.0}
    )
    assert not impossible.success


def test_errors_stop_the_search_and_are_raised(ipopt):
    def fails(x):
        if x[0] > 0.5:
            raise ZeroDivisionError("of the function")
        return (x[0] - 1.0) ** 2 + x[1] ** 2

    with pytest.raises(ZeroDivisionError, match="of the function"):
        ipopt.minimize(fails, [0.0, 1.0])

    def branches(x):
        return (x[0] - 1.0) ** 2 + x[1] ** 2 + (x[0] * x[1] if x[0] > 0.5 else 0.0)

    with pytest.raises(NotDifferentiableError, match=r"the Hessian took another way than at x0"):
        ipopt.minimize(branches, [0.0, 1.0])

    def interrupted(*_):
        raise KeyError("of the callback")

    with pytest.raises(KeyError, match="of the callback"):
        ipopt.minimize(lambda x: x[0] ** 4, [1.0], callback=interrupted)


def test_unknown_options_are_named(ipopt):
    with pytest.raises(ValueError, match="Ipopt has no option max_itre = 3"):
        ipopt.minimize(lambda x: x[0] ** 2, [1.0], options={"max_itre": 3})


def test_absence_of_cyipopt_names_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cyipopt", None)
    with pytest.raises(ImportError, match=r"pip install adcore\[ipopt\]"):
        adcore.ipopt.minimize(lambda x: x[0] ** 2, [1.0])

"""solve_ivp and odeint on tensors, against closed forms and invariants."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.interpolate
import scipy.linalg

import adcore
from adcore import errors
from adcore.scipy import integrate
from adcore.scipy.integrate import odeint, solve_ivp

TIGHT = {"rtol": 1e-10, "atol": 1e-10}
METHODS = ["RK23", "RK45", "DOP853", "Radau", "BDF", "LSODA"]


def second_orders(f):
    """The Hessian of f, by each way to nest the modes."""
    return {
        "hessian": adcore.hessian(f),
        "forward over reverse": adcore.jacfwd(adcore.grad(f)),
        "reverse over forward": adcore.jacrev(adcore.jacfwd(f)),
        "forward over forward": adcore.jacfwd(adcore.jacfwd(f)),
    }


def agree(f, closed, at, rtol, atol=0.0):
    """Value, gradients and Hessians of f are those of a closed form."""
    np.testing.assert_allclose(f(at), closed(at), rtol=rtol, atol=atol)
    exact = adcore.grad(closed)(at)
    np.testing.assert_allclose(adcore.grad(f)(at), exact, rtol=rtol, atol=atol)
    np.testing.assert_allclose(adcore.jacfwd(f)(at), exact, rtol=rtol, atol=atol)
    exact = adcore.hessian(closed)(at)
    for name, hessian in second_orders(f).items():
        np.testing.assert_allclose(hessian(at), exact, rtol=rtol, atol=atol, err_msg=name)


def logistic(_t, y, r, k):
    return r * y * (1.0 - y / k)


def logistic_closed(v, t0, t1):
    r, k, y0 = v[0], v[1], v[2]
    return k / (1.0 + (k / y0 - 1.0) * np.exp(-r * (t1 - t0)))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_differentiable_to_second_order(method):
    def f(v):
        found = solve_ivp(
            logistic, (0.5, 3.0), adcore.stack([v[2]]), method, args=(v[0], v[1]), **loose
        )
        return found.y[0, -1]

    tolerance = 1e-7 if method in ("RK23", "BDF", "Radau") else 1e-9
    loose = {"rtol": tolerance, "atol": tolerance}
    agree(f, lambda v: logistic_closed(v, 0.5, 3.0), np.array([1.2, 2.0, 0.3]), rtol=2e-5)


def test_values_are_scipys():
    times = np.linspace(0.0, 3.0, 7)
    for options in ({}, {"t_eval": times}, {"method": "LSODA"}):
        theirs = scipy.integrate.solve_ivp(logistic, (0, 3), [0.3], args=(1.2, 2.0), **options)
        plain = solve_ivp(logistic, (0, 3), [0.3], args=(1.2, 2.0), **options)
        np.testing.assert_array_equal(plain.y, theirs.y)
        r = adcore.tensor(1.2, requires_grad=True)
        ours = solve_ivp(logistic, (0, 3), [0.3], args=(r, 2.0), **options)
        np.testing.assert_array_equal(ours.t, theirs.t)
        np.testing.assert_allclose(ours.y.detach().numpy(), theirs.y, rtol=1e-14)
        assert ours.keys() == theirs.keys()
        assert (ours.nfev, ours.status, ours.message) == (theirs.nfev, 0, theirs.message)
        assert ours.sol is None


def test_linear_systems_are_matrix_exponentials():
    """The gradient of w' exp(A t) y0 in A, y0 and t, by Frechet derivatives."""
    rng = np.random.default_rng(3)
    a, y0, w = rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=3)

    def f(a, y0, t):
        found = solve_ivp(lambda s, y: a @ y, (0.0, t), y0, method="DOP853", **TIGHT)
        return w @ found.y[:, -1]

    t = 0.8
    exact = scipy.linalg.expm(a * t)
    found = adcore.grad(f, (0, 1, 2))(a, y0, t)
    np.testing.assert_allclose(found[1], exact.T @ w, rtol=1e-8)
    np.testing.assert_allclose(found[2], w @ a @ exact @ y0, rtol=1e-8)
    by_a = [
        [
            w @ scipy.linalg.expm_frechet(a * t, t * np.outer(row, column), compute_expm=False) @ y0
            for column in np.eye(3)
        ]
        for row in np.eye(3)
    ]
    np.testing.assert_allclose(found[0], by_a, rtol=1e-7, atol=1e-9)
    # The second derivative in y0 is zero, in t w' A^2 exp(A t) y0.
    h = adcore.hessian(f, (1, 2))(a, y0, t)
    np.testing.assert_allclose(h[0][0], np.zeros((3, 3)), atol=1e-12)
    np.testing.assert_allclose(h[1][1], w @ a @ a @ exact @ y0, rtol=1e-7)
    np.testing.assert_allclose(h[0][1], (a @ exact).T @ w, rtol=1e-7)


def lotka_volterra(t, y, p):
    del t
    return [p[0] * y[0] - p[1] * y[0] * y[1], p[3] * y[0] * y[1] - p[2] * y[1]]


def invariant(y, p):
    return p[3] * y[0] - p[2] * np.log(y[0]) + p[1] * y[1] - p[0] * np.log(y[1])


def test_lotka_volterra_keeps_its_invariant_to_second_order():
    """V(y(t; y0, p), p) is V(y0, p) for all t: so are its derivatives in y0 and p."""
    x = np.array([1.5, 1.0, 3.0, 1.0, 4.0, 2.0])

    def late(x):
        found = solve_ivp(
            lotka_volterra,
            (0.0, 2.0),
            x[4:],
            "DOP853",
            t_eval=[2.0],
            args=(x[:4],),
            rtol=1e-9,
            atol=1e-9,
        )
        return invariant(found.y[:, 0], x[:4])

    def early(x):
        return invariant(x[4:], x[:4])

    agree(late, early, x, rtol=1e-6, atol=1e-6)


def test_derivatives_have_steps_of_their_own():
    """From y = 0, where it stays, the solver leaps; the sensitivity exp(r t) would be lost."""

    def f(v):
        return solve_ivp(lambda t, y: v[1] * y, (0.0, 5.0), adcore.stack([v[0]]), **TIGHT).y[0, -1]

    agree(f, lambda v: v[0] * np.exp(5.0 * v[1]), np.array([0.0, 1.3]), rtol=1e-7, atol=1e-6)


@pytest.mark.parametrize("method", ["Radau", "BDF", "LSODA"])
def test_stiff(method):
    """y' = -k (y - cos t), k = 1e5, whose solution forgets its start."""

    def f(v):
        found = solve_ivp(
            lambda t, y: [-v[0] * (y[0] - v[1] * np.cos(t))],
            (0.0, 2.0),
            [0.0],
            method,
            t_eval=[1.0, 2.0],
            rtol=1e-9,
            atol=1e-11,
        )
        return found.y.sum()

    def closed(v):
        k = v[0]
        return sum(v[1] * k * (k * math.cos(t) + math.sin(t)) / (1.0 + k * k) for t in (1.0, 2.0))

    # Radau goes in few steps; its interpolant between them has half of its digits.
    v = np.array([1e5, 1.5])
    np.testing.assert_allclose(f(v), closed(v), rtol=1e-5)
    exact = adcore.grad(closed)(v)
    for found in (adcore.grad(f)(v), adcore.jacfwd(f)(v)):
        np.testing.assert_allclose(found[1], exact[1], rtol=1e-5)
        np.testing.assert_allclose(found[0], exact[0], atol=1e-10)


def test_times():
    """In the ends of t_span and in t_eval, which may be tracked alone or with all else."""

    def closed(v):
        return v[3] * np.exp(-v[0] * (v[2] - v[1]))

    v = np.array([0.7, 0.4, 1.9, 2.0])

    def by_span(v):
        found = solve_ivp(lambda t, y: -v[0] * y, (v[1], v[2]), adcore.stack([v[3]]), **TIGHT)
        return found.y[0, -1]

    def by_eval(v):
        times = adcore.stack([v[2] - 0.5, v[2]])
        span = (v[1], 2.0)
        found = solve_ivp(lambda t, y: -v[0] * y, span, adcore.stack([v[3]]), t_eval=times, **TIGHT)
        return found.y[0, 1]

    def by_solution(v):
        found = solve_ivp(
            lambda t, y: -v[0] * y,
            (v[1], 2.5),
            adcore.stack([v[3]]),
            dense_output=True,
            **TIGHT,
        )
        return found.sol(v[2])[0]

    for f in (by_span, by_eval, by_solution):
        agree(f, closed, v, rtol=1e-7)


def test_time_that_the_equation_has_in_it():
    """y' = cos(w t) from u to v."""

    def f(v):
        found = solve_ivp(lambda t, y: [np.cos(v[0] * t)], (v[1], v[2]), [0.0], **TIGHT)
        return found.y[0, -1]

    def closed(v):
        return (np.sin(v[0] * v[2]) - np.sin(v[0] * v[1])) / v[0]

    agree(f, closed, np.array([1.7, 0.3, 2.2]), rtol=1e-7, atol=1e-8)


def test_backwards_in_time():
    def f(v):
        return solve_ivp(lambda t, y: -v[0] * y, (1.0, 0.0), adcore.stack([v[1]]), **TIGHT).y[0, -1]

    agree(f, lambda v: v[1] * np.exp(v[0]), np.array([0.7, 2.0]), rtol=1e-8)


def test_steps_of_the_solver_are_constants_between_the_ends():
    def f(end):
        found = solve_ivp(lambda t, y: -y, (0.0, end), [1.0])
        return found.t, found.y[0]

    t, _ = f(2.0)
    found = adcore.jacobian(f)(2.0)
    np.testing.assert_allclose(found[0], t / 2.0, atol=1e-15)
    np.testing.assert_allclose(found[1], -np.exp(-t) * t / 2.0, rtol=2e-3, atol=1e-5)


def test_dense_output():
    def f(rate, at):
        found = solve_ivp(lambda t, y: [-rate * y[0], y[0]], (0, 3), [1.0, 0.0], dense_output=True)
        return found.sol(at)

    times = np.array([0.5, 2.5, 1.0])  # in any order
    theirs = scipy.integrate.solve_ivp(
        lambda t, y: [-0.5 * y[0], y[0]], (0, 3), [1.0, 0.0], dense_output=True
    )
    ours = adcore.jacfwd(lambda r: f(r, times))(0.5)
    np.testing.assert_allclose(ours[0], -times * np.exp(-0.5 * times), rtol=1e-3)
    value = f(adcore.tensor(0.5, requires_grad=True), times).detach().numpy()
    np.testing.assert_allclose(value, theirs.sol(times), rtol=1e-14)
    assert f(adcore.tensor(0.5, requires_grad=True), 1.0).shape == (2,)
    with pytest.raises(ValueError, match="outside of what was integrated"):
        f(adcore.tensor(0.5, requires_grad=True), 4.0)


# ---- events ----


def ball(g, height, **options):
    def down(_t, y):
        return y[0]

    down.terminal, down.direction = True, -1
    return solve_ivp(
        lambda t, y: [y[1], -g],
        (0.0, 10.0),
        adcore.stack([height, 0.0]),
        events=down,
        **TIGHT,
        **options,
    )


def test_a_terminal_event_is_differentiable():
    v = np.array([9.81, 2.0])

    def fall(v):
        return np.sqrt(2.0 * v[1] / v[0])

    def speed(v):
        return -np.sqrt(2.0 * v[1] * v[0])

    agree(lambda v: ball(v[0], v[1]).t_events[0][0], fall, v, rtol=1e-8)
    agree(lambda v: ball(v[0], v[1]).t[-1], fall, v, rtol=1e-8)
    agree(lambda v: ball(v[0], v[1]).y[1, -1], speed, v, rtol=1e-8)
    agree(lambda v: ball(v[0], v[1]).y_events[0][0, 1], speed, v, rtol=1e-8)


def test_events_that_happen_again_and_again():
    """Zeros of sin(w t) at k pi / w, and of cos(w t) - 1/2; one that never happens."""

    def f(w):
        found = solve_ivp(
            lambda t, y: [w * y[1], -w * y[0]],
            (0.1, 6.0),
            adcore.stack([np.sin(0.1 * w), np.cos(0.1 * w)]),
            events=[lambda t, y: y[0], lambda t, y: y[1] - 0.5, lambda t, y: y[0] - 2.0],
            **TIGHT,
        )
        return found.t_events

    zeros, halves, never = f(2.0)
    np.testing.assert_allclose(zeros, np.arange(1, 4) * math.pi / 2, rtol=1e-8)
    assert never.shape == (0,)
    of = adcore.jacobian(f)(2.0)
    np.testing.assert_allclose(of[0], -zeros / 2.0, rtol=1e-7)
    np.testing.assert_allclose(of[1], -halves / 2.0, rtol=1e-7)
    second = adcore.jacfwd(adcore.jacrev(lambda w: f(w)[1]))(2.0)
    np.testing.assert_allclose(second, 2.0 * halves / 4.0, rtol=1e-6)


def test_times_after_a_terminal_event_are_left_out():
    v = np.array([9.81, 2.0])
    times = np.array([0.1, 0.5, 0.7])

    def heights(v):
        return ball(v[0], v[1], t_eval=times).y[0]

    expected = 2.0 - 0.5 * 9.81 * times[:2] ** 2
    np.testing.assert_allclose(heights(v), expected, rtol=1e-7)
    np.testing.assert_allclose(
        adcore.jacobian(heights)(v), np.stack([-(times[:2] ** 2) / 2, np.ones(2)], 1), rtol=1e-7
    )


# ---- how functions may be written ----


def test_what_the_equation_closes_over():
    class Growth:
        def __init__(self, rate):
            self.rate = rate

        def slope(self, _t, y):
            return self.rate * y

    def f(rate):
        return solve_ivp(Growth(rate).slope, (0.0, 1.0), [1.0], **TIGHT).y[0, -1]

    assert adcore.grad(f)(0.5) == pytest.approx(math.exp(0.5), rel=1e-8)


def test_forcing_by_functions_that_take_no_tensors():
    """A table of SciPy's at t, int(t), math.sin(t): no derivative in t is asked for."""
    t = np.linspace(0.0, 3.0, 301)
    table = scipy.interpolate.CubicSpline(t, np.sin(t))

    def f(scale):
        found = solve_ivp(
            lambda t, y: [scale * float(table(t)), scale * math.cos(t), scale**2 * int(t >= 0)],
            (0.0, 3.0),
            [0.0, 0.0, 0.0],
            t_eval=[3.0],
            **TIGHT,
        )
        return found.y[:, 0]

    exact = [1.0 - math.cos(3.0), math.sin(3.0), 6.0 * 0.7]
    np.testing.assert_allclose(adcore.jacrev(f)(0.7), exact, rtol=1e-7)
    np.testing.assert_allclose(adcore.jacfwd(f)(0.7), exact, rtol=1e-7)


def test_an_equation_that_branches():
    """A slope with a corner: -rate y down to 1/2, then -rate (3 y - 1)."""

    def f(rate):
        def slope(_t, y):
            return [-rate * y[0] if y[0] > 0.5 else -rate * (3.0 * y[0] - 1.0)]

        return solve_ivp(slope, (0.0, 2.0), [1.0], rtol=1e-9, atol=1e-9, max_step=0.02).y[0, -1]

    # After log(2) / rate: y = 1/3 + 1/6 exp(-3 (rate t - log 2)).
    decay = math.exp(-3.0 * (0.8 * 2.0 - math.log(2.0)))
    assert f(0.8) == pytest.approx(1.0 / 3.0 + decay / 6.0, rel=1e-6)
    for found in (adcore.grad(f)(0.8), adcore.jacfwd(f)(0.8)):
        assert found == pytest.approx(-decay, rel=1e-5)


def test_an_equation_that_jumps_is_integrated_in_two_parts():
    """Twice as fast from 1/2 on: with the event, the jump of the derivative is there."""

    def f(rate):
        def half(_t, y):
            return y[0] - 0.5

        half.terminal = True
        first = solve_ivp(lambda t, y: -rate * y, (0.0, 2.0), [1.0], events=half, **TIGHT)
        rest = (first.t[-1], 2.0)
        return solve_ivp(lambda t, y: -2.0 * rate * y, rest, first.y[:, -1], **TIGHT).y[0, -1]

    exact = 0.5 * math.exp(-2 * (0.8 * 2.0 - math.log(2.0)))
    assert f(0.8) == pytest.approx(exact, rel=1e-7)
    assert adcore.grad(f)(0.8) == pytest.approx(-4.0 * exact, rel=1e-7)


def test_errors_of_the_equation_are_its_own():
    def slope(_t, y, _rate):
        if np.size(y) != 7:
            raise RuntimeError("of the equation")
        return y

    with pytest.raises(RuntimeError, match="of the equation"):
        adcore.grad(lambda r: solve_ivp(slope, (0, 1), [1.0], args=(r,)).y[0, -1])(1.0)


def test_vectorized_and_tolerances_of_each_component():
    def f(v):
        def slope(_t, y):
            assert y.ndim == 2
            return np.stack([-v[0] * y[0], v[1] * y[0]])

        found = solve_ivp(
            slope, (0.0, 1.0), [1.0, 0.0], vectorized=True, rtol=1e-10, atol=[1e-10, 1e-12]
        )
        return found.y[1, -1]

    def closed(v):
        return v[1] / v[0] * (1.0 - np.exp(-v[0]))

    agree(f, closed, np.array([0.5, 3.0]), rtol=1e-7)


def test_large_and_small_parameters():
    """Absolute tolerances follow the parameter: dy/dk is 1e-9 y where k is 1e9."""
    for k in (1e9, 1e-9):

        def f(k_, k=k):
            return solve_ivp(lambda t, y: [-k_ / k * y[0]], (0, 1), [1.0], rtol=1e-9, atol=1e-9).y[
                0, -1
            ]

        assert adcore.grad(f)(k) == pytest.approx(-math.exp(-1.0) / k, rel=1e-6)


# ---- odeint ----


def test_odeint():
    times = np.array([0.5, 1.0, 3.0])

    def f(v):
        found = adcore.odeint(
            lambda y, t, r: r * y * (1.0 - y / v[1]),
            adcore.stack([v[2]]),
            times,
            args=(v[0],),
            rtol=1e-10,
            atol=1e-10,
        )
        assert found.shape == (3, 1)
        return found[1, 0] + found[2, 0]

    def closed(v):
        return logistic_closed(v, 0.5, 1.0) + logistic_closed(v, 0.5, 3.0)

    agree(f, closed, np.array([1.2, 2.0, 0.3]), rtol=1e-6)


def test_odeint_has_scipys_values_and_options():
    def slope(_t, y):
        return [-0.7 * y[0]]

    def jacobian(_t, _y):
        return [[-0.7]]

    t = np.linspace(0.0, 2.0, 5)
    expected = scipy.integrate.odeint(slope, [1.0], t, tfirst=True, Dfun=jacobian)
    y0 = adcore.tensor([1.0], requires_grad=True)
    np.testing.assert_array_equal(
        odeint(slope, [1.0], t, tfirst=True), odeint(slope, [1.0], t, tfirst=True)
    )
    found, info = odeint(slope, y0, t, tfirst=True, Dfun=jacobian, full_output=True)
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-14)
    assert info["message"] == "Integration successful."


def test_odeint_in_times():
    def f(v):
        return odeint(lambda y, t: -v[0] * y, [2.0], v[1:], rtol=1e-11, atol=1e-11)[:, 0].sum()

    def closed(v):
        return 2.0 + 2.0 * np.exp(-v[0] * (v[2] - v[1])) + 2.0 * np.exp(-v[0] * (v[3] - v[1]))

    agree(f, closed, np.array([0.7, 0.2, 1.0, 2.0]), rtol=1e-7, atol=1e-9)


# ---- compiled ----


def test_compiled_steps_are_found_anew():
    """A rate a hundred times larger, with the steps of the first recording, would blow up."""

    def f(rate, y0):
        return solve_ivp(lambda t, y: -rate * y, (0.0, 1.0), adcore.stack([y0]), **TIGHT).y[0, -1]

    compiled = adcore.compile(f)
    for rate, y0 in ((0.5, 1.0), (50.0, 2.0), (0.01, -1.0)):
        exact = y0 * math.exp(-rate)
        assert compiled(rate, y0) == pytest.approx(exact, rel=1e-6, abs=1e-9)
        np.testing.assert_allclose(
            compiled.grad(rate, y0, argnums=(0, 1)), (-exact, exact / y0), rtol=1e-6, atol=1e-8
        )
        np.testing.assert_allclose(
            compiled.hessian(rate, y0, argnums=(0, 1)),
            [[exact, -exact / y0], [-exact / y0, 0.0]],
            rtol=1e-5,
            atol=1e-7,
        )


def test_compiled_events_are_found_anew():
    def f(g, height):
        found = ball(g, height)
        return found.t[-1], found.y[1, -1], found.t_events[0]

    compiled = adcore.compile(f)
    for g, height in ((9.81, 2.0), (1.62, 10.0)):
        t = math.sqrt(2 * height / g)
        found = compiled(g, height)
        np.testing.assert_allclose([found[0], found[1], found[2][0]], [t, -g * t, t], rtol=1e-8)
        by_g = compiled.jacobian(g, height)
        np.testing.assert_allclose(by_g[0], -t / g / 2, rtol=1e-7)
        np.testing.assert_allclose(by_g[1], -t / 2, rtol=1e-7)


def test_compiled_refuses_events_that_happen_more_often():
    def f(w):
        found = solve_ivp(
            lambda t, y: [w * y[1], -w * y[0]],
            (0.1, 6.0),
            [0.1, 1.0],
            events=lambda t, y: y[0],
            **TIGHT,
        )
        return found.t_events[0]

    compiled = adcore.compile(f)
    assert compiled(2.0).shape == (3,)
    with pytest.raises(errors.ShapeError, match="event of solve_ivp"):
        compiled(4.0)


# ---- errors ----


def test_errors():
    x = adcore.tensor(1.0, requires_grad=True)
    with pytest.raises(errors.NotDifferentiableError, match="among its options"):
        solve_ivp(lambda t, y: y, (0, 1), [1.0], rtol=x)
    with pytest.raises(errors.NotDifferentiableError, match="among its options"):
        odeint(lambda y, t: y, [1.0], [0.0, 1.0], rtol=x)
    with pytest.raises(errors.ShapeError, match="one dimension"):
        solve_ivp(lambda t, y: y, (0, 1), x * np.ones((1, 1)))
    with pytest.raises(errors.ShapeError, match="vector of times"):
        odeint(lambda y, t: y, adcore.stack([x]), 1.0)
    hidden = iter([x] * 1000)
    with pytest.raises(errors.NotDifferentiableError, match="pass it through args"):
        solve_ivp(lambda t, y: next(hidden) * y, (0, 1), adcore.stack([x]))


def test_names():
    assert adcore.odeint is not None
    assert integrate.state("solve_ivp") == integrate.state("odeint") == "differentiable"

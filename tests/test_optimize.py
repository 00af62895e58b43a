"""adcore.scipy.optimize: values against SciPy's, derivatives against closed forms, both modes."""

import functools
import inspect

import numpy as np
import pytest
import scipy.optimize as plain

import adcore
import adcore.scipy.optimize as opt
from adcore.errors import ConvergenceError, DomainError, NotDifferentiableError

grad = adcore.grad


def fwd(f):
    return lambda x: adcore.jvp(f, (x,), (1.0,))[1]


def check(f, x, value, first, second, rtol=1e-10):
    """A function of one number: value and derivatives in both modes, and compiled."""
    assert f(x) == pytest.approx(value, rel=1e-2)  # SciPy's own, to its tolerance
    for inner in (grad, fwd):
        assert inner(f)(x) == pytest.approx(first, rel=rtol, abs=rtol)
        for outer in (grad, fwd):
            assert outer(inner(f))(x) == pytest.approx(second, rel=rtol, abs=rtol)
    compiled = adcore.compile(f)
    compiled(x * 1.01)
    compiled.grad(x * 1.01)
    assert compiled(x) == pytest.approx(value, rel=1e-9, abs=1e-10)  # by replay, of other numbers
    assert compiled.grad(x) == pytest.approx(first, rel=rtol, abs=rtol)
    assert compiled.hessian(x) == pytest.approx(second, rel=rtol, abs=rtol)


# ---- names ----


def test_every_name_has_a_state():
    names = {n for n in dir(plain) if not n.startswith("_")} & set(plain.__all__)
    assert names == set(opt.__all__) - {"state"}
    for name in names:
        assert opt.state(name) in ("differentiable", "constant", "refused")
        assert hasattr(opt, name)


@pytest.mark.parametrize("name", [n for n in plain.__all__ if opt.state(n) == "refused"])
def test_refused_names_say_so(name):
    x = adcore.tensor(np.ones(2), requires_grad=True)
    with pytest.raises(NotDifferentiableError, match=f"scipy.optimize.{name} of a tensor has no"):
        getattr(opt, name)(x)
    with pytest.raises(NotDifferentiableError, match=f"scipy.optimize.{name} of a tensor has no"):
        getattr(opt, name)(lambda v: v - x)


@pytest.mark.parametrize("name", [n for n in plain.__all__ if opt.state(n) == "differentiable"])
def test_signatures_are_scipys(name):
    assert inspect.signature(getattr(opt, name)) == inspect.signature(getattr(plain, name)) or (
        name.startswith("rosen")
    )


def test_plain_calls_are_scipys():
    """With nothing tracked all is SciPy's own, bit by bit."""
    ours = opt.minimize(lambda x: ((x - 1.0) ** 4).sum(), [0.0, 3.0])
    theirs = plain.minimize(lambda x: ((x - 1.0) ** 4).sum(), [0.0, 3.0])
    assert type(ours) is plain.OptimizeResult
    np.testing.assert_array_equal(ours.x, theirs.x)
    np.testing.assert_array_equal(ours.hess_inv, theirs.hess_inv)
    assert opt.brentq(np.cos, 1.0, 2.0) == plain.brentq(np.cos, 1.0, 2.0)


# ---- roots: x^3 + x = a, at a = 10 where x = 2 ----

CUBIC = (10.0, 2.0, 1.0 / 13.0, -12.0 / 13.0**3)  # x' = 1/(3x^2+1), x'' = -6x x'^3


def cubic(x, a):
    return x**3 + x - a


ROOTS = {
    **{
        name: functools.partial(
            lambda name, a: getattr(opt, name)(cubic, 0.0, 5.0, args=(a,)), name
        )
        for name in ("bisect", "brenth", "brentq", "ridder", "toms748")
    },
    "brentq closure": lambda a: opt.brentq(lambda x: cubic(x, a), 0.0, 5.0),
    "brentq bracket": lambda a: opt.brentq(lambda x: cubic(x, a), 0.0, a),
    "brentq full": lambda a: opt.brentq(cubic, 0.0, 5.0, (a,), full_output=True)[0],
    "root_scalar": lambda a: opt.root_scalar(cubic, args=(a,), bracket=[0.0, 5.0]).root,
    "root_scalar newton": lambda a: (
        opt.root_scalar(cubic, args=a, fprime=lambda x, a: 3.0 * x * x + 1.0, x0=1.0).root
    ),
    "root_scalar both": lambda a: (
        opt.root_scalar(lambda x: (cubic(x, a), 3.0 * x * x + 1.0), fprime=True, x0=1.0).root
    ),
    "root_scalar secant": lambda a: opt.root_scalar(cubic, args=a, x0=1.0, x1=3.0).root,
    "newton": lambda a: opt.newton(cubic, 1.0, args=(a,)),
    "newton full": lambda a: opt.newton(cubic, 1.0, args=(a,), full_output=True)[0],
    "newton array": lambda a: opt.newton(cubic, np.array([1.0, 1.5]), args=(a,))[1],
    "fsolve": lambda a: opt.fsolve(cubic, 1.0, a)[0],
    "root": lambda a: opt.root(cubic, 1.0, a).x[0],
    "root jac": lambda a: opt.root(cubic, [1.0], a, jac=lambda x, a: np.diag(3 * x * x + 1)).x[0],
    "root both": lambda a: opt.root(
        lambda x: (x**3 + x - a, np.diag(3 * x * x + 1)), [1.0], jac=True
    ).x[0],
    "root fun": lambda a: opt.root(cubic, 1.0, a).fun[0] + opt.root(cubic, 1.0, a).x[0],
    "root lm": lambda a: opt.root(cubic, [1.0], a, method="lm").x[0],
    "root krylov": lambda a: opt.root(cubic, 1.0, a, method="krylov").x,
    "root df-sane": lambda a: opt.root(cubic, [1.9], a, method="df-sane").x[0],
    "fixed_point": lambda a: opt.fixed_point(lambda x, a: (a - x) ** (1.0 / 3.0), 1.0, (a,)),
    "broyden1": lambda a: opt.broyden1(lambda x: cubic(x, a), 1.9),
    "newton_krylov": lambda a: opt.newton_krylov(lambda x: cubic(x, a), np.array([1.0]))[0],
    "anderson": lambda a: opt.anderson(lambda x: cubic(x, a), np.array([1.9]))[0],
}


@pytest.mark.parametrize("name", ROOTS)
def test_roots(name):
    check(ROOTS[name], *CUBIC)


def test_results_of_roots():
    def f(a):
        found = opt.root_scalar(cubic, args=(a,), bracket=[0.0, 5.0])
        assert found.converged
        assert found.iterations > 2
        assert found["flag"] == "converged"
        return found.root

    grad(f)(10.0)


def test_a_bracket_without_a_root():
    with pytest.raises(ValueError, match="different signs"):
        grad(lambda a: opt.brentq(cubic, 3.0, 5.0, (a,)))(10.0)
    with pytest.raises(ConvergenceError, match="bisect found no solution"):
        grad(lambda a: opt.bisect(cubic, 0.0, 5.0, (a,), maxiter=2))(10.0)
    with pytest.raises(ConvergenceError, match="fsolve found no solution"):
        grad(lambda a: opt.fsolve(lambda x: x * x + a, 1.0)[0])(10.0)


def test_multiple_roots():
    with pytest.raises(DomainError, match="brentq: no derivative of the solution"):
        grad(lambda a: opt.brentq(lambda x: (x - a) ** 3, 0.0, 4.0))(1.7)


def test_tolerances_are_no_parameters():
    with pytest.raises(NotDifferentiableError, match="brentq of a tensor as xtol"):
        grad(lambda a: opt.brentq(np.cos, 1.0, 2.0, xtol=a))(1e-6)


# ---- minima: of x^4/4 + x^2/2 - a x, the same x ----


def quartic(x, a):
    return x**4 / 4.0 + x * x / 2.0 - a * x


def vector(x, a):
    return quartic(x[0], a) + 2.0 * (x[1] - a) ** 2


def slope(x, a):
    return adcore.stack([x[0] ** 3 + x[0] - a, 4.0 * (x[1] - a)])


METHODS = [
    *("Nelder-Mead", "Powell", "CG", "BFGS", "L-BFGS-B", "TNC", "COBYLA", "SLSQP", "trust-constr"),
    "COBYQA",
]

MINIMA = {
    **{
        method: functools.partial(
            lambda method, a: opt.minimize(vector, [1.0, 1.0], a, method=method).x[0], method
        )
        for method in METHODS
    },
    "jac": lambda a: opt.minimize(vector, np.ones(2), (a,), jac=slope).x[0],
    "jac=True": lambda a: opt.minimize(
        lambda x: (vector(x, a), slope(x, a)), np.ones(2), jac=True
    ).x[0],
    "minimize_scalar": lambda a: opt.minimize_scalar(quartic, args=(a,)).x,
    "golden": lambda a: opt.minimize_scalar(lambda x: quartic(x, a), method="golden").x,
    "bounded": lambda a: opt.minimize_scalar(quartic, bounds=(0.0, 9.0), args=(a,)).x,
    "brent": lambda a: opt.brent(quartic, (a,), (1.0, 3.0)),
    "golden of old": lambda a: opt.golden(quartic, (a,), (1.0, 3.0)),
    "fminbound": lambda a: opt.fminbound(quartic, 0.0, 9.0, (a,)),
    "fmin": lambda a: opt.fmin(vector, [1.0, 1.0], (a,), disp=0)[0],
    "fmin_powell": lambda a: opt.fmin_powell(vector, [1.0, 1.0], (a,), disp=0)[0],
    "fmin_bfgs": lambda a: opt.fmin_bfgs(vector, [1.0, 1.0], args=(a,), disp=0)[0],
    "fmin_cg": lambda a: opt.fmin_cg(vector, [1.0, 1.0], slope, (a,), disp=0)[0],
    "fmin_ncg": lambda a: opt.fmin_ncg(vector, [1.0, 1.0], slope, args=(a,), disp=0)[0],
    "dual_annealing": lambda a: opt.dual_annealing(
        vector, [(-20.0, 20.0)] * 2, (a,), maxiter=20, rng=1
    ).x[0],
    "differential_evolution": lambda a: opt.differential_evolution(
        vector, [(-20.0, 20.0)] * 2, (a,), rng=1, tol=1e-3
    ).x[0],
    "shgo": lambda a: opt.shgo(vector, [(-20.0, 20.0)] * 2, (a,)).x[0],
    "basinhopping": lambda a: opt.basinhopping(
        lambda x: vector(x, a), [1.0, 1.0], niter=2, rng=1
    ).x[0],
}


@pytest.mark.filterwarnings("ignore:delta_grad == 0.0")
@pytest.mark.filterwarnings("ignore:Method .* does not use:RuntimeWarning")
@pytest.mark.parametrize("name", MINIMA)
def test_minima(name):
    check(MINIMA[name], *CUBIC)


def test_the_least_value_by_the_envelope():
    """d min f / da = f_a at the minimum, -x - 4 (y - a) = -x; and its derivative, -x'."""

    def least(a):
        return opt.minimize(vector, [1.0, 1.0], (a,)).fun

    a, x, dx, _ = CUBIC
    check(least, a, quartic(x, a), -x, -dx)


def test_results_withhold_what_has_no_derivative():
    def f(a):
        found = opt.minimize(vector, [1.0, 1.0], (a,))
        assert found.success
        assert found.nit > 1
        assert not hasattr(found, "hess_inv")
        with pytest.raises(NotDifferentiableError, match="result's hess_inv has no derivative"):
            found.hess_inv  # noqa: B018  (the look-up is what is tested)
        with pytest.raises(NotDifferentiableError, match="result's hess_inv has no derivative"):
            found["hess_inv"]
        with pytest.raises(AttributeError):
            found.nothing  # noqa: B018  (the look-up is what is tested)
        with pytest.raises(KeyError):
            found["nothing"]
        return found.fun

    grad(f)(10.0)


def test_counts_are_withheld_from_programs():
    def f(a):
        return opt.minimize(vector, [1.0, 1.0], (a,)).nit * a

    with pytest.raises(NotDifferentiableError, match="nit"):
        adcore.compile(f)(10.0)


def test_not_converged_is_an_error():
    with pytest.raises(ConvergenceError, match=r"minimize found no solution.*[Mm]aximum number"):
        grad(lambda a: opt.minimize(vector, [1.0, 1.0], (a,), options={"maxiter": 1}).x[0])(10.0)
    with pytest.raises(ConvergenceError, match="least_squares found no solution"):
        grad(lambda a: opt.least_squares(lambda x: np.exp(x) - a, [9.0], max_nfev=2).x[0])(10.0)


# ---- bounds and constraints ----


def test_bounds_that_hold_and_move():
    """The unconstrained minimum of x^2 + x y + y^2 - x - y is (1/3, 1/3)."""

    def f(x):
        return x[0] ** 2 + x[0] * x[1] + x[1] ** 2 - x[0] - x[1]

    def solve(b):
        return opt.minimize(f, [1.0, 1.0], bounds=[(None, None), (b, None)]).x

    # Held: x = (1 - b) / 2.  Not held: both 1/3.
    np.testing.assert_allclose(adcore.jacobian(solve)(0.5), [-0.5, 1.0], rtol=1e-12)
    np.testing.assert_allclose(adcore.jacfwd(solve)(0.5), [-0.5, 1.0], rtol=1e-12)
    np.testing.assert_allclose(adcore.jacobian(solve)(0.2), [0.0, 0.0], atol=1e-12)
    assert grad(grad(lambda b: solve(b)[0] ** 2))(0.5) == pytest.approx(0.5, rel=1e-12)
    compiled = adcore.compile(lambda b: solve(b)[0])
    assert [compiled.grad(b) for b in (0.5, 0.2, 0.7)] == pytest.approx([-0.5, 0.0, -0.5])


@pytest.mark.parametrize("bounds", [[(0.5, 2.0)] * 2, plain.Bounds(0.5, 2.0)])
@pytest.mark.parametrize("method", ["L-BFGS-B", "TNC", "SLSQP", "trust-constr", "Nelder-Mead"])
def test_solvers_with_constant_bounds(method, bounds):
    def solve(a):
        def f(x):
            return (x[0] - a) ** 2 + (x[1] - 1.0) ** 2 + 0.5 * x[0] * x[1]

        return opt.minimize(f, [1.0, 1.0], method=method, bounds=bounds).x

    # x is held at 0.5, y = 1 - x / 4; and at a = 1.5 neither is.
    np.testing.assert_allclose(solve(0.1), [0.5, 0.875], rtol=1e-4)
    np.testing.assert_allclose(adcore.jacobian(solve)(0.1), [0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(adcore.jacobian(solve)(1.5), np.array([4.0, -1.0]) / 3.75, rtol=1e-9)


def test_a_scalar_minimum_at_its_bound():
    def f(b):
        return opt.minimize_scalar(lambda x: x * x, bounds=(b, 4.0), method="bounded").x

    check(lambda b: f(b) ** 2, 1.0, 1.0, 2.0, 2.0)


CONSTRAINED = {
    "eq": lambda a: {"type": "eq", "fun": lambda x, a: x[0] + 2.0 * x[1] - a, "args": (a,)},
    "eq closure": lambda a: [{"type": "eq", "fun": lambda x: x[0] + 2.0 * x[1] - a}],
    "ineq": lambda a: {"type": "ineq", "fun": lambda x: x[0] + 2.0 * x[1] - a},
    "two": lambda a: [
        {"type": "ineq", "fun": lambda x: x[0] + 2.0 * x[1] - a},
        {"type": "ineq", "fun": lambda x: np.array([7.0, 7.0]) - x[:1]},
    ],
    "nonlinear": lambda a: plain.NonlinearConstraint(lambda x: x[0] + 2.0 * x[1] - a, 0.0, np.inf),
}


@pytest.mark.filterwarnings("ignore:delta_grad == 0.0")
@pytest.mark.parametrize("method", ["SLSQP", "trust-constr", "COBYLA", "COBYQA"])
@pytest.mark.parametrize("name", CONSTRAINED)
def test_constraints_by_hand(name, method):
    """The point of x + 2 y >= a nearest to 0 is (a, 2 a) / 5; the least distance^2 a^2 / 5."""

    def solve(a):
        return opt.minimize(
            lambda x: x[0] ** 2 + x[1] ** 2,
            [3.0, 1.0],
            method=method,
            constraints=CONSTRAINED[name](a),
        )

    np.testing.assert_allclose(solve(2.0).x, [0.4, 0.8], rtol=1e-2)
    np.testing.assert_allclose(adcore.jacobian(lambda a: solve(a).x)(2.0), [0.2, 0.4], rtol=1e-9)
    np.testing.assert_allclose(adcore.jacfwd(lambda a: solve(a).x)(2.0), [0.2, 0.4], rtol=1e-9)
    assert grad(lambda a: solve(a).fun)(2.0) == pytest.approx(0.8, rel=1e-9)
    assert grad(grad(lambda a: solve(a).fun))(2.0) == pytest.approx(0.4, rel=1e-9)


def test_curved_constraints():
    """The least x + y on x^2 + y^2 = r is -sqrt(2 r); where y >= b holds, x = -sqrt(r - b^2)."""

    def solve(r, b):
        return opt.minimize(
            lambda x: x[0] + x[1],
            [-1.0, 0.0],
            bounds=[(None, None), (b, None)],
            constraints={"type": "eq", "fun": lambda x: x[0] ** 2 + x[1] ** 2 - r},
        ).fun

    assert grad(solve)(2.0, -5.0) == pytest.approx(-0.5, rel=1e-9)
    assert grad(grad(solve))(2.0, -5.0) == pytest.approx(1.0 / 8.0, rel=1e-8)
    x = np.sqrt(2.0 - 0.25)
    assert grad(solve, 1)(2.0, -0.5) == pytest.approx(-0.5 / x + 1.0, rel=1e-9)
    assert grad(grad(solve, 1), 1)(2.0, -0.5) == pytest.approx(2.0 / x**3, rel=1e-8)
    assert grad(grad(solve), 1)(2.0, -0.5) == pytest.approx(0.5 * 0.5 / x**3, rel=1e-8)


def test_linear_constraints():
    def solve(a):
        return opt.minimize(
            lambda x: (x[0] - a) ** 2 + (x[1] - a) ** 2,
            [0.0, 0.0],
            constraints=[
                plain.LinearConstraint([[1.0, 1.0]], 1.0, 1.0),
                plain.LinearConstraint([1.0, 0.0], -9.0, 9.0),
            ],
        ).x

    # x + y = 1 holds, by symmetry at 1/2, wherever a is.
    np.testing.assert_allclose(adcore.jacobian(solve)(0.3), [0.0, 0.0], atol=1e-12)


def test_a_constraint_that_touches_has_no_derivative():
    with pytest.raises(DomainError, match="inequality 0 of the constraints touches"):
        grad(
            lambda a: (
                opt.minimize(
                    lambda x: (x[0] - 1.0) ** 2 + (x[1] - 1.0) ** 2,
                    [1.0, 1.0],
                    constraints={"type": "ineq", "fun": lambda x: x[0] - a},
                ).fun
            )
        )(1.0)


# ---- least squares ----

T = np.linspace(0.0, 2.0, 12)
rng = np.random.default_rng(11)
Y = 1.5 * np.exp(-0.7 * T) + 0.02 * rng.normal(size=12)


def decay(t, a, k):
    return a * np.exp(-k * t)


@functools.cache
def fitted():
    """Parameters and their Jacobian in the data, by hand: H dp = J' dy with the full H."""
    p = plain.curve_fit(decay, T, Y, (1.0, 1.0), ftol=1e-15, xtol=1e-15)[0]
    for _ in range(5):
        J, H = _pieces(p, Y)
        p = p - np.linalg.solve(H, J.T @ (decay(T, *p) - Y))
    J, H = _pieces(p, Y)
    return p, np.linalg.solve(H, J.T)


def _pieces(p, y):
    a, k = p
    e = np.exp(-k * T)
    J = np.stack([e, -a * T * e], axis=1)
    r = a * e - y
    second = np.array([[0.0 * T, -T * e], [-T * e, a * T * T * e]])
    return J, J.T @ J + second @ r


FITS = {
    "least_squares": lambda y: opt.least_squares(lambda p: decay(T, *p) - y, (1.0, 1.0)).x,
    "lm": lambda y: (
        opt.least_squares(
            lambda p, y: decay(T, p[0], p[1]) - y, np.ones(2), method="lm", args=(y,)
        ).x
    ),
    "wide bounds": lambda y: (
        opt.least_squares(lambda p: decay(T, *p) - y, (1.0, 1.0), bounds=(0.0, [9.0, 9.0])).x
    ),
    "leastsq": lambda y: opt.leastsq(lambda p, y: decay(T, *p) - y, (1.0, 1.0), (y,))[0],
    "curve_fit": lambda y: opt.curve_fit(decay, T, y)[0],
    "p0, sigma": lambda y: opt.curve_fit(decay, T, y, (1.0, 1.0), sigma=np.full(12, 2.0))[0],
    "covariance": lambda y: opt.curve_fit(decay, T, y, sigma=0.5 * np.eye(12))[0],
    "bounds": lambda y: opt.curve_fit(decay, T, y, bounds=(0.0, np.inf))[0],
}


@pytest.mark.parametrize("name", FITS)
def test_fits(name):
    f = FITS[name]
    p, J = fitted()
    np.testing.assert_allclose(f(Y), p, rtol=1e-6)
    np.testing.assert_allclose(adcore.jacrev(f)(Y), J, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(adcore.jacfwd(f)(Y), J, rtol=1e-9, atol=1e-11)
    v = np.cos(np.arange(12.0))
    h = 1e-5
    second = (adcore.jacrev(f)(Y + h * v) - adcore.jacrev(f)(Y - h * v)) / (2 * h)
    for outer in (adcore.jacrev, adcore.jacfwd):
        found = outer(lambda s: adcore.jacrev(f)(Y + s * v))(0.0)
        np.testing.assert_allclose(found, second, rtol=1e-6, atol=1e-8)


def minimum_by_hand(y):
    """The fit of decay() by Newton's method: parameters, Jacobian and residuals."""
    p = fitted()[0]
    for _ in range(6):
        J, H = _pieces(p, y)
        p = p - np.linalg.solve(H, J.T @ (decay(T, *p) - y))
    return p, _pieces(p, y)[0], decay(T, *p) - y


@pytest.mark.parametrize("absolute", [False, True])
def test_covariance_of_a_fit(absolute):
    """(J' J)^-1, times the mean of squares unless sigma is absolute."""

    def by_hand(y):
        _, J, r = minimum_by_hand(y)
        return np.linalg.inv(J.T @ J) * (1.0 if absolute else r @ r / 10.0)

    def f(y):
        return opt.curve_fit(decay, T, y, sigma=np.ones(12), absolute_sigma=absolute)[1]

    v, h = np.sin(np.arange(12.0)), 1e-5
    value, tangent = adcore.jvp(f, (Y,), (v,))
    np.testing.assert_allclose(value, by_hand(Y), rtol=1e-10)
    np.testing.assert_allclose(value, f(Y), rtol=1e-4)  # SciPy's is of the step before the last
    expected = (by_hand(Y + h * v) - by_hand(Y - h * v)) / (2.0 * h)
    np.testing.assert_allclose(tangent, expected, rtol=1e-6)
    g = grad(lambda y: f(y)[0, 1])(Y)
    assert g @ v == pytest.approx(tangent[0, 1], rel=1e-11)
    second = grad(lambda s: grad(lambda y: f(y)[0, 1])(Y + s * v) @ v)(0.0)
    C = [by_hand(Y + k * 1e-3 * v)[0, 1] for k in (-1, 0, 1)]
    assert second == pytest.approx((C[0] - 2.0 * C[1] + C[2]) / 1e-6, rel=1e-4)


@pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy", "arctan"])
def test_robust_losses(loss):
    """Cost and minimum are SciPy's; the derivative is that of the minimum."""
    y = Y.copy()
    y[3] += 1.0

    def solve(y):
        return opt.least_squares(lambda p: decay(T, *p) - y, (1.0, 1.0), loss=loss, f_scale=0.1)

    tight = functools.partial(
        plain.least_squares, loss=loss, f_scale=0.1, xtol=1e-15, ftol=1e-15, gtol=1e-13
    )
    theirs = tight(lambda p: decay(T, *p) - y, (1.0, 1.0))
    value, push = adcore.linearize(lambda y: (solve(y).x, solve(y).cost), y)
    np.testing.assert_allclose(value[0], theirs.x, rtol=1e-6)
    assert value[1] == pytest.approx(theirs.cost, rel=1e-12)
    v, h = np.cos(np.arange(12.0)), 1e-4
    low, high = (tight(lambda p, s=s: decay(T, *p) - y - s * v, theirs.x) for s in (-h, h))
    np.testing.assert_allclose(push(v)[0], (high.x - low.x) / (2 * h), rtol=1e-3, atol=1e-5)
    assert push(v)[1] == pytest.approx((high.cost - low.cost) / (2 * h), rel=1e-5, abs=1e-9)


def test_parts_of_least_squares():
    def f(y):
        found = opt.least_squares(lambda p: decay(T, *p) - y, (1.0, 1.0))
        with pytest.raises(NotDifferentiableError, match="result's optimality"):
            found.optimality  # noqa: B018  (the look-up is what is tested)
        return (found.jac**2).sum() + found.cost + found["fun"].sum()

    h, v = 1e-6, np.cos(np.arange(12.0))
    assert grad(f)(Y) @ v == pytest.approx(
        (f_plain(Y + h * v) - f_plain(Y - h * v)) / (2 * h), 1e-6
    )


def f_plain(y):
    _, J, r = minimum_by_hand(y)
    return (J**2).sum() + 0.5 * r @ r + r.sum()


def test_linear_least_squares():
    A, b = rng.normal(size=(6, 3)), rng.normal(size=6)
    exact = np.linalg.pinv(A)
    for transform in (adcore.jacrev, adcore.jacfwd):
        by_b = transform(lambda b: opt.lsq_linear(A, b).x)(b)
        np.testing.assert_allclose(by_b, exact, rtol=1e-10, atol=1e-12)
        # d pinv(A) b, by the normal equations
        dA = rng.normal(size=(6, 3))
        x = exact @ b
        expected = np.linalg.solve(A.T @ A, dA.T @ (b - A @ x) - A.T @ (dA @ x))
        by_A = transform(lambda A: opt.lsq_linear(A, b).x)(A)
        np.testing.assert_allclose((by_A * dA).sum((1, 2)), expected, rtol=1e-9)
    # The least cost is b' P b / 2 with a projector P.
    P = np.eye(6) - A @ exact
    H = adcore.hessian(lambda b: opt.lsq_linear(A, b).cost)(b)
    np.testing.assert_allclose(H, P, rtol=1e-9, atol=1e-11)


def test_nonnegative_least_squares():
    A = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [1.0, 1.0, 0.0], [0.3, 0.1, 2.0]])
    b = A @ np.array([1.0, -0.7, 0.5]) + 0.1
    x, size = plain.nnls(A, b)
    free = x > 0.0
    assert free.tolist() == [True, False, True]
    np.testing.assert_allclose(opt.nnls(A, b)[0], x)
    J = np.zeros((3, 4))
    J[free] = np.linalg.pinv(A[:, free])
    np.testing.assert_allclose(adcore.jacobian(lambda b: opt.nnls(A, b)[0])(b), J, atol=1e-12)
    np.testing.assert_allclose(adcore.jacfwd(lambda b: opt.nnls(A, b)[0])(b), J, atol=1e-12)
    g = grad(lambda b: opt.nnls(A, b)[1])(b)
    np.testing.assert_allclose(g, (b - A @ x) / size, rtol=1e-9)


# ---- the rest ----


def test_rosen_and_its_derivatives():
    x, p = rng.normal(size=5), rng.normal(size=5)
    assert adcore.value_and_grad(opt.rosen)(x)[0] == pytest.approx(plain.rosen(x), rel=1e-14)
    np.testing.assert_allclose(grad(opt.rosen)(x), plain.rosen_der(x), rtol=1e-12)
    np.testing.assert_allclose(adcore.jacobian(opt.rosen_der)(x), plain.rosen_hess(x), rtol=1e-12)
    J, H = (
        adcore.jacobian(lambda x: opt.rosen_hess_prod(x, p))(x),
        adcore.jacobian(opt.rosen_hess)(x),
    )
    np.testing.assert_allclose(J, np.einsum("ijk,j->ik", H, p), rtol=1e-11, atol=1e-11)
    value = adcore.jvp(lambda x: (opt.rosen_hess(x), opt.rosen_der(x)), (x,), (p,))[0]
    np.testing.assert_allclose(value[0], plain.rosen_hess(x), rtol=1e-13)
    np.testing.assert_allclose(value[1], plain.rosen_der(x), rtol=1e-12)
    np.testing.assert_allclose(
        adcore.jvp(lambda x: opt.rosen_hess_prod(x, p), (x,), (p,))[0],
        plain.rosen_hess_prod(x, p),
        rtol=1e-12,
    )
    assert opt.rosen([1.0, 2.0]) == plain.rosen([1.0, 2.0])


def test_an_assignment_is_constant():
    C = np.array([[4.0, 1.0, 3.0], [2.0, 0.0, 5.0], [3.0, 2.0, 2.0]])

    def least(C):
        rows, columns = opt.linear_sum_assignment(C)
        return C[rows, columns].sum()

    assert least(C) == 5.0
    expected = np.zeros((3, 3))
    expected[[0, 1, 2], [1, 0, 2]] = 1.0
    np.testing.assert_array_equal(grad(least)(C), expected)
    compiled = adcore.compile(least)
    assert [compiled(C), compiled(C[::-1].copy()), compiled(C.T.copy())] == [5.0, 5.0, 5.0]


def test_args_may_be_anything_that_scipy_takes():
    def f(x, mode, a):
        return cubic(x, a) if mode == "up" else -cubic(x, a)

    assert grad(lambda a: opt.brentq(f, 0.0, 5.0, ("up", a)))(10.0) == pytest.approx(1 / 13)
    assert grad(lambda a: opt.brentq(f, 0.0, 5.0, ("down", a)))(10.0) == pytest.approx(1 / 13)


def test_solutions_inside_of_solutions():
    """The outer root is of a function that is itself a root: x with w(x) = a, w e^w = x."""

    def w(x):
        return opt.brentq(lambda w: w * np.exp(w) - x, 0.0, 5.0)

    def f(a):
        return opt.newton(lambda x: w(x) - a, 2.0)

    check(f, 1.1, 1.1 * np.exp(1.1), 2.1 * np.exp(1.1), 3.1 * np.exp(1.1), rtol=1e-9)

"""scipy.special: every name's state, and first and second derivatives against mpmath.

The truth, and where it is looked at, is in special_cases.py.  A name without an entry there fails.

"""

import functools
import math
import subprocess
import sys

import mpmath
import numpy as np
import pytest
import scipy.special as sp
from mpmath import mp, mpf

import adcore
import adcore.scipy.special as special
import special_cases
from adcore import _core
from adcore.errors import NotDifferentiableError
from adcore.scipy.special._function import find, functions

NAMES = [n for n in dir(sp) if not n.startswith("_") and n in sp.__all__]
CASES = [
    pytest.param(name, case, id=f"{name}{i or ''}")
    for name, cases in special_cases.CASES.items()
    for i, case in enumerate(cases)
]


# ---- the list of names is SciPy's ----------------------------------------------------------------


def test_every_name_of_scipy_has_a_state():
    states = {name: special.state(name) for name in sp.__all__}
    assert set(states.values()) == {"differentiable", "constant", "refused"}
    for name in sp.__all__:
        assert hasattr(special, name), name
    assert set(special.__all__) == {*sp.__all__, "state"}


@pytest.mark.parametrize("name", [n for n in NAMES if special.state(n) == "differentiable"])
def test_differentiable_name_has_an_oracle(name):
    assert name in special_cases.CASES or name in special_cases.OF_ARRAYS, (
        f"no oracle for {name}; add an entry to tests/special_cases.py"
    )


def test_no_oracle_without_a_name():
    known = {n for n in NAMES if special.state(n) == "differentiable"}
    assert {*special_cases.CASES, *special_cases.OF_ARRAYS} <= known


def test_every_argument_of_a_function_varies_or_is_refused():
    """No rule is left out of the tests: a partial that is a function is looked at in a case."""
    for name, cases in special_cases.CASES.items():
        function = getattr(special, name)
        for i, rule in enumerate(getattr(function, "partials", ())):
            looked_at = any(i in case.vary for case in cases)
            assert looked_at == (not isinstance(rule, str)), f"{name}, argument {i}"


@pytest.mark.parametrize("name", [n for n in NAMES if special.state(n) == "refused"])
def test_refused_name_says_so(name):
    with pytest.raises(NotDifferentiableError, match=rf"scipy.special.{name} of a tensor has no"):
        adcore.grad(lambda x: getattr(special, name)(x))(0.5)


@pytest.mark.parametrize("name", [n for n in NAMES if isinstance(getattr(sp, n), np.ufunc)])
def test_ufuncs_of_tensors_never_drop_a_dependence(name):
    """SciPy's ufunc itself, on a tracked tensor: a tensor, a constant, or an error."""
    ufunc = getattr(sp, name)
    x = adcore.tensor([1.0, 2.0], requires_grad=True)
    try:
        y = ufunc(*[x] * ufunc.nin)
    except NotDifferentiableError:
        return
    if special.state(name) == "constant":
        return
    assert special.state(name) == "differentiable"
    parts = y if isinstance(y, tuple) else (y,)
    assert len(parts) == ufunc.nout
    assert all(isinstance(part, adcore.Tensor) for part in parts)


def test_constants_pass_through():
    assert special.bernoulli(3).tolist() == sp.bernoulli(3).tolist()
    assert special.kolmogorov(0.5) == sp.kolmogorov(0.5)
    assert special.wofz(1j) == sp.wofz(1j)
    signs = special.gammasgn(adcore.tensor([0.5, -0.5], requires_grad=True))
    assert np.asarray(signs).tolist() == [1.0, -1.0]


def test_functions_of_scipys_that_call_ufuncs():
    """Some of SciPy's Python functions do nothing but call ufuncs, and so take tensors."""
    assert adcore.grad(lambda x: sp.zeta(x, 2.0))(3.0) == adcore.grad(special.zeta)(3.0, 2.0)
    assert adcore.grad(lambda x: sp.zeta(x))(3.0) == adcore.grad(special.zeta)(3.0)
    assert adcore.grad(lambda x: sp.jvp(1.5, x))(3.0) == pytest.approx(sp.jvp(1.5, 3.0, 2))
    assert adcore.grad(lambda x: sp.lambertw(x))(0.0) == 1.0
    with pytest.raises(ValueError, match="real branches k = 0 and -1, got k = 2"):
        adcore.grad(lambda x: special.lambertw(x, 2))(0.5)


def test_missing_name():
    with pytest.raises(AttributeError, match=r"'nothing', nor has the installed scipy\.special"):
        special.nothing  # noqa: B018


def test_parts_of_adcore_scipy():
    assert adcore.scipy.special is special
    assert "special" in dir(adcore.scipy)
    with pytest.raises(AttributeError, match=r"it has .*special"):
        adcore.scipy.nothing  # noqa: B018


def test_ufunc_is_found_without_importing_the_surface():
    code = (
        "import adcore, scipy.special as sp, sys; assert 'adcore.scipy.special' not in sys.modules;"
        "print(adcore.grad(lambda x: sp.ndtr(x))(0.0))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(run.stdout) == pytest.approx(1 / math.sqrt(2 * math.pi), rel=1e-15)


# ---- value, gradient and Hessian -----------------------------------------------------------------


@functools.cache
def truth(name, index, point):
    return special_cases.partials(special_cases.CASES[name][index], point)


def function_of_vector(name, case, point):
    """The case's function of a vector of the arguments that vary."""
    function = getattr(special, name)

    def f(v):
        args = list(point)
        for j, i in enumerate(case.vary):
            args[i] = v[j]
        y = function(*args, **case.fixed)
        return y if case.index is None else y[case.index]

    return f


def expect(got, true, tolerance, what):
    scale = max(abs(true), mpf(10) ** -30)
    error = abs(mpf(float(got)) - true) / scale if math.isfinite(got) else math.inf
    assert error <= tolerance, f"{what}: {got}, {float(error):.3g} off from {mp.nstr(true, 17)}"


def expect_value(got, scipys, true, what):
    """SciPy's to 4 ulp, or else nearer to the truth than SciPy's is."""
    allowed = max(4 * np.spacing(abs(scipys)), float(abs(mpf(scipys) - true)))
    assert abs(got - scipys) <= 4 * np.spacing(abs(scipys)) or abs(mpf(got) - true) <= allowed, (
        f"{what}: {got!r}, where SciPy has {scipys!r}, and true is {mp.nstr(true, 20)}"
    )


def expect_all(true, tolerance, gradient, hessian, what):
    for orders, value in true.items():
        at = [i for i, order in enumerate(orders) for _ in range(order)]
        if len(at) == 1:
            expect(gradient[at[0]], value, tolerance, f"{what}, derivative {orders}")
        elif len(at) == 2 and hessian is not None:
            expect(hessian[at[0], at[1]], value, tolerance, f"{what}, derivative {orders}")
            expect(hessian[at[1], at[0]], value, tolerance, f"{what}, derivative {orders}")


@pytest.mark.parametrize(("name", "case"), CASES)
def test_value_gradient_and_hessian(name, case):
    """In reverse mode and in forward mode, and forward over reverse, at every point."""
    index = special_cases.CASES[name].index(case)
    for point in case.points:
        true = truth(name, index, point)
        f = function_of_vector(name, case, point)
        v = np.array([point[i] for i in case.vary], dtype=float)
        what = f"{name} at {point}"
        value = f([float(x) for x in v])
        if not case.slope:
            expect(np.real(value), true[(0,) * len(v)], 1e-7, f"{what}, its value")
        tracked, gradient = adcore.value_and_grad(f)(v)
        if not case.slope:
            expect_value(tracked, float(np.real(value)), true[(0,) * len(v)], what)
        expect_all(true, case.tolerance, gradient, adcore.hessian(f)(v), f"{what}, reverse")
        expect_all(true, case.tolerance, adcore.jacfwd(f)(v), None, f"{what}, forward")
        for i, unit in enumerate(np.eye(len(v))):
            along = adcore.jvp(adcore.jacfwd(f), (v,), (unit,))[1]
            for j in range(len(v)):
                orders = tuple((k == i) + (k == j) for k in range(len(v)))
                expect(along[j], true[orders], case.tolerance, f"{what}, forward {orders}")


@pytest.mark.parametrize(("name", "case"), CASES)
def test_compiled(name, case):
    """Recorded at one point and replayed at another, on arrays of points."""
    index = special_cases.CASES[name].index(case)
    first, last = case.points[0], case.points[-1]
    others = [i for i in range(len(first)) if i not in case.vary]
    if any(first[i] != last[i] for i in others):
        last = first
    f = adcore.compile(function_of_vector(name, case, first))
    v, w = (np.array([p[i] for i in case.vary], dtype=float) for p in (first, last))
    f.grad(v)
    f.hessian(v)
    true = truth(name, index, last)
    expect_all(true, case.tolerance, f.grad(w), f.hessian(w), f"{name} at {last}, compiled")


# ---- functions of arrays -------------------------------------------------------------------------

X = np.array([[0.3, -1.2, 0.3], [2.0, 0.5, -0.7]])
B = np.array([[1.0, 2.0, 0.5], [0.25, 0.0, 3.0]])


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1)])
def test_logsumexp(axis):
    for b in (None, B):
        for keepdims in (False, True):
            f = functools.partial(special.logsumexp, axis=axis, b=b, keepdims=keepdims)
            weights = 1.0 if b is None else b
            plain = np.log(np.sum(weights * np.exp(X), axis=axis, keepdims=keepdims))
            np.testing.assert_allclose(adcore.vjp(f, X)[0], plain, rtol=1e-14)
            exact = np.exp(X) * weights / np.sum(weights * np.exp(X), axis=axis, keepdims=True)
            np.testing.assert_allclose(adcore.grad(lambda x: f(x).sum())(X), exact, rtol=1e-14)  # noqa: B023
    adcore.testing.check_grads(lambda x: special.logsumexp(x, axis=axis), (X,), order=2)


def test_logsumexp_keeps_small_terms():
    x = np.array([0.0, -50.0, -60.0])
    value, gradient = adcore.value_and_grad(special.logsumexp)(x)
    assert value == pytest.approx(sp.logsumexp(x), rel=1e-15, abs=0)
    assert value == pytest.approx(math.exp(-50) + math.exp(-60), rel=1e-14, abs=0)
    np.testing.assert_allclose(gradient, np.exp(x), rtol=1e-14)


def test_logsumexp_of_infinities():
    x = np.array([-math.inf, 1.0, 2.0])
    value, gradient = adcore.value_and_grad(special.logsumexp)(x)
    assert value == pytest.approx(sp.logsumexp(x), rel=1e-15)
    np.testing.assert_allclose(gradient, [0.0, *sp.softmax(x[1:])], rtol=1e-15)
    np.testing.assert_array_equal(adcore.hessian(special.logsumexp)(x)[0], 0.0)
    assert adcore.vjp(special.logsumexp, np.full(3, -math.inf))[0] == -math.inf
    assert adcore.vjp(special.logsumexp, np.array([math.inf, 1.0]))[0] == math.inf


def test_logsumexp_with_signs():
    b = np.array([1.0, -2.0])
    x = np.array([0.5, 1.5])
    total = np.sum(b * np.exp(x))

    def f(x):
        value, sign = special.logsumexp(x, b=b, return_sign=True)
        return value * sign

    assert adcore.vjp(f, x)[0] == pytest.approx(-math.log(-total), rel=1e-14)
    np.testing.assert_allclose(adcore.grad(f)(x), -b * np.exp(x) / total, rtol=1e-14)


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_softmax_and_log_softmax(axis):
    for name in ("softmax", "log_softmax"):
        f, plain = getattr(special, name), getattr(sp, name)
        np.testing.assert_allclose(f(X, axis), plain(X, axis), rtol=1e-15)
        np.testing.assert_allclose(
            adcore.vjp(lambda x: f(x, axis), X)[0],  # noqa: B023
            plain(X, axis),
            rtol=1e-14,
        )
        adcore.testing.check_grads(lambda x: f(x, axis), (X,), order=2)  # noqa: B023


def test_multigammaln():
    assert adcore.vjp(lambda a: special.multigammaln(a, 3), 2.5)[0] == pytest.approx(
        sp.multigammaln(2.5, 3), rel=1e-15
    )
    exact = sum(sp.digamma(2.5 - 0.5 * j) for j in range(3))
    assert adcore.grad(lambda a: special.multigammaln(a, 3))(2.5) == pytest.approx(exact, rel=1e-14)
    with pytest.raises(ValueError, match="not met"):
        adcore.grad(lambda a: special.multigammaln(a, 3))(0.5)
    with pytest.raises(ValueError, match="positive integer"):
        adcore.grad(lambda a: special.multigammaln(a, 1.5))(2.5)


# ---- what goes in, what comes out ----------------------------------------------------------------


def test_plain_numbers_and_arrays():
    assert type(special.gammainc(2.0, 0.5)) is float
    assert type(special.jv(2, 0.5)) is float
    assert special.gammainc([1, 2], [0.5, 0.6]).tolist() == sp.gammainc([1, 2], [0.5, 0.6]).tolist()
    out = np.empty(2)
    assert special.ndtr(np.array([0.0, 1.0]), out=out) is out
    assert special.gamma(1j) == sp.gamma(1j)
    assert special.jv(np.empty((0, 3)), 1.0).shape == (0, 3)
    x = adcore.tensor([0.5, 1.0])
    assert isinstance(special.ndtr(x), adcore.Tensor)
    assert not special.ndtr(x).requires_grad


def test_broadcasting():
    a = np.array([[0.5], [2.0]])
    x = np.array([0.3, 1.0, 4.0])

    def f(a, x):
        return special.gammainc(a, x)

    value, pull = adcore.vjp(f, a, x)
    np.testing.assert_array_equal(value, sp.gammainc(a, x))
    by_a, by_x = pull(np.ones((2, 3)))
    assert by_a.shape == a.shape
    assert by_x.shape == x.shape
    for i in range(2):
        exact = sum(adcore.grad(f, 0)(a[i, 0], x[j]) for j in range(3))
        assert by_a[i, 0] == pytest.approx(exact, rel=1e-14)
    tangent = adcore.jvp(f, (a, x), (np.ones_like(a), np.zeros_like(x)))[1]
    assert tangent.shape == (2, 3)
    np.testing.assert_allclose(tangent.sum(1), by_a[:, 0], rtol=1e-14)
    scalar = adcore.jvp(lambda a: special.gammainc(a, np.full((2, 2), 0.4)), (0.5,), (1.0,))[1]
    assert scalar.shape == (2, 2)


def test_lists_and_empty_arrays():
    g = adcore.grad(lambda x: special.beta([x, 2.0], x).sum())(1.5)
    assert g == pytest.approx(
        adcore.grad(lambda x: special.beta(x, x) + special.beta(2.0, x))(1.5), rel=1e-14
    )
    empty = np.zeros((0, 2))
    assert adcore.grad(lambda v: special.jv(v, 2.0).sum())(empty).shape == (0, 2)


def test_infinite_and_missing_arguments_and_those_out_of_the_domain():
    """nan where SciPy's value is, also where a formula for the derivative would go on."""
    for f, x in [
        (special.logit, 2.0),
        (special.ndtri, 1.5),
        (special.erfcinv, 3.0),
        (lambda x: special.gammainc(2.0, x), -1.0),
        (lambda a: special.gammainc(a, 1.0), -1.0),
        (lambda x: special.betainc(2.0, 3.0, x), 1.5),
        (lambda v: special.jv(v, -1.0), 0.5),
        (lambda x: special.kv(1.5, x), -1.0),
        (lambda p: special.betaincinv(2.0, 3.0, p), 1.5),
        (lambda s: special.zeta(s, 2.0), 0.5),
        (special.lambertw, -0.4),
        (special.j0, math.nan),
    ]:
        assert math.isnan(np.real(f(x))) or f is special.lambertw  # which is complex there
        assert math.isnan(adcore.grad(f)(x))
        assert math.isnan(adcore.grad(adcore.grad(f))(x))


def test_ends_of_the_domain():
    """The derivative of a power at 0 is that of the power."""
    f = functools.partial(special.gammainc, 2.0)  # 1 - (1 + x) exp(-x)
    assert adcore.grad(f)(0.0) == 0.0
    assert adcore.grad(adcore.grad(f))(0.0) == 1.0
    g = functools.partial(special.betainc, 2.0, 1.0)  # x^2
    assert [adcore.grad(g)(x) for x in (0.0, 1.0)] == pytest.approx([0.0, 2.0])
    assert adcore.grad(adcore.grad(g))(0.0) == pytest.approx(2.0)


def test_zero_adjoints_hide_what_is_not_finite():
    x = np.array([0.5, 2.0])
    f = adcore.grad(lambda x: adcore.where(x < 1, special.logit(x), x).sum())
    np.testing.assert_allclose(f(x), [4.0, 1.0])


def test_beyond_the_orders_that_there_are():
    f = lambda a: special.betainc(a, 2.0, 0.3)  # noqa: E731
    for _ in range(4):
        f = adcore.grad(f)
    assert math.isfinite(f(1.5))
    with pytest.raises(NotDifferentiableError, match="go to order 4"):
        adcore.grad(f)(1.5)


def test_what_is_lost_is_refused():
    """Nine digits or an error: Bessel functions far out, where the phase is lost."""
    with pytest.raises(NotDifferentiableError, match=r"jv at .* cannot be computed to nine digits"):
        adcore.grad(lambda v: special.jv(v, 1e12))(0.5)


@pytest.mark.parametrize("name", ["kn", "yn", "expn", "spherical_jn", "eval_legendre"])
def test_integer_arguments_are_refused(name):
    with pytest.raises(NotDifferentiableError, match="argument 0: it is an integer"):
        adcore.grad(lambda n: getattr(special, name)(n, 0.5))(2.0)


@pytest.mark.parametrize("name", ["bdtr", "pdtr", "nbdtri"])
def test_counts_that_scipy_rounds_are_refused(name):
    n = 2 if name == "pdtr" else 3
    with pytest.raises(NotDifferentiableError, match=f"{name} rounds the count k down"):
        adcore.grad(lambda k: getattr(special, name)(k, *[0.5] * (n - 1)))(2.0)


def test_options_of_ufuncs_are_refused():
    x = adcore.tensor([0.5], requires_grad=True)
    for call in (lambda: sp.ndtr(x, out=np.empty(1)), lambda: special.ndtr(x, out=np.empty(1))):
        with pytest.raises(NotDifferentiableError, match="out="):
            call()
    with pytest.raises(TypeError, match="takes 2 arguments, got 1"):
        special.jv(x)
    with pytest.raises(NotDifferentiableError, match="complex128"):
        special.jv(x, np.array([1j]))


def test_at_zero():
    assert adcore.grad(special.j1)(0.0) == 0.5
    assert adcore.grad(adcore.grad(special.j0))(0.0) == -0.5
    assert adcore.grad(special.rgamma)(0.0) == 1.0
    assert adcore.grad(special.i0e)(0.0) == pytest.approx(0.0)
    assert adcore.grad(lambda x: special.lambertw(x))(0.0) == 1.0
    hessian = adcore.hessian(lambda v: special.stdtr(v[0], v[1]))(np.array([3.0, 0.0]))
    assert hessian[0, 1] == pytest.approx(hessian[1, 0], rel=1e-14)
    slope = adcore.grad(lambda df: adcore.grad(lambda t: special.stdtr(df, t))(0.0))(3.0)
    assert hessian[0, 1] == pytest.approx(slope, rel=1e-13)
    assert slope > 0


@pytest.mark.parametrize("v", [0.0, 1e-9, 1e-3])
def test_modified_bessel_functions_near_order_zero(v):
    """The odd derivatives of I in the order are small there, and right all the same."""
    for x in (0.5, 5.0, 14.0, 16.0, 30.0):
        with mp.workdps(80):
            exact = mp.diff(lambda v: mp.besseli(v, mpf(x)), mpf(v), h=mpf(10) ** -25)  # noqa: B023
        got = adcore.grad(lambda v: special.iv(v, x))(v)  # noqa: B023
        expect(got, exact, 1e-9, f"dI/dv at v = {v}, x = {x}")


# ---- identities ----------------------------------------------------------------------------------


def test_wronskian_of_bessel_functions_in_all_orders():
    """J_v(x) Y_v'(x) - J_v'(x) Y_v(x) = 2 / (pi x): its derivatives in v vanish, to the third."""

    def wronskian(v, x):
        def slope(f):
            return 0.5 * (f(v - 1.0, x) - f(v + 1.0, x))

        return special.jv(v, x) * slope(special.yv) - slope(special.jv) * special.yv(v, x)

    f = wronskian
    for order in range(4):
        for v, x in [(0.3, 1.1), (2.6, 2.5), (7.2, 7.9), (20.3, 25.0)]:
            exact = 2 / (math.pi * x) if order == 0 else 0.0
            scale = 10.0**order * special.jv(v, x) * special.yv(v, x)
            assert f(v, x) == pytest.approx(exact, abs=1e-10 * max(1, abs(scale)))
        f = adcore.grad(f)


def test_kernels_are_reached_by_name():
    with pytest.raises(ValueError, match="no function nothing of 1 orders"):
        _core.special("nothing", (1,), 0.5)
    with pytest.raises(ValueError, match="no function jv of 2 orders and 2 arguments"):
        _core.special("jv", (1, 1), 0.5, 0.5)


def test_saved_and_loaded(tmp_path):
    """Also a member of a family that the loading process has not yet met."""

    def f(a, x):
        return (special.betainc(a, 2.0, x) * special.jv(a, x) + special.gammasgn(x)).sum()

    compiled = adcore.compile(f)
    a, x = np.array([0.5, 1.5]), np.array([0.3, 0.4])
    gradient, hessian = compiled.grad(a, x), compiled.hessian(a, x)
    compiled.save(tmp_path / "f.adf")
    code = (
        "import sys, adcore, numpy as np; f = adcore.load(sys.argv[1])\n"
        "a, x = np.array([0.5, 1.5]), np.array([0.3, 0.4])\n"
        "print([*f.grad(a, x), *f.hessian(a, x).ravel()])"
    )
    command = [
        sys.executable,
        "-c",
        code.replace("[*f", "*map(float, [*f").replace("()])", "()]))"),
    ]
    run = subprocess.run(
        [*command, str(tmp_path / "f.adf")], capture_output=True, text=True, check=True
    )
    found = [float(word) for word in run.stdout.split()]
    np.testing.assert_array_equal(found, [*gradient, *hessian.ravel()])


@pytest.mark.parametrize("name", ["nothing", "jv[9]", "jv[1, 1]", "jv[x]", "kve[1, 99]", "jv[]"])
def test_names_that_a_file_may_not_hold(name):
    with pytest.raises(ValueError, match=r"none of adcore\.scipy\.special"):
        find(name)
    assert find("jv[2]") is find("jv[2]")


def test_functions_have_names():
    assert repr(special.owens_t) == "<function owens_t of adcore.scipy.special>"
    assert all(functions[name].name == name for name in functions)
    assert special.erf.__name__ == "erf"


@pytest.mark.parametrize("n", [1, 10, 5000])
def test_recorded_values_are_scipys_whatever_the_layout(n):
    """SciPy's inner loop is called on what lies side by side; the rest goes through its ufunc."""
    rng = np.random.default_rng(n)
    a, x = rng.uniform(0.5, 3.0, (2, n))
    both = rng.uniform(0.5, 3.0, (n, 2))
    ta = adcore.tensor(a, requires_grad=True)
    for other in (x, 1.5, both[:, 0], both[:3, :1]):
        found = special.gammainc(ta, other)
        np.testing.assert_array_equal(found.detach().numpy(), sp.gammainc(a, other))
        assert found.shape == sp.gammainc(a, other).shape


def test_recorded_calls_raise_what_scipy_raises():
    x = adcore.tensor(np.array([0.5, -1.0]), requires_grad=True)
    with sp.errstate(all="raise"):
        with pytest.raises(sp.SpecialFunctionError, match="domain"):
            special.spence(x)
        assert np.isfinite(special.spence(x[:1]).item())


# ---- calls that are recorded by the loops of ufuncs ----


def test_loops_reach_operands_of_any_layout():
    x, y = np.random.default_rng(6).uniform(0.5, 2.0, (2, 4, 6))

    def parts(f, x, y):
        yield f(x.T, y.T)
        yield f(x[1, ::2], y[::-1][0, ::2])
        yield f(x[2, 3], y)
        yield f(x, 2)
        yield f(x[:, :1], y[0])
        yield f(x, y[0, 0])

    tracked = [adcore.tensor(v, requires_grad=True) for v in (x, y)]
    for mine, theirs in zip(
        parts(special.gammainc, *tracked), parts(sp.gammainc, x, y), strict=True
    ):
        np.testing.assert_array_equal(mine.detach().numpy(), theirs)
    gradient = adcore.grad(lambda x, y: adcore.sum(sum(p.sum() for p in parts(sp.beta, x, y))))
    step = 1e-6 * np.cos(np.arange(24.0).reshape(4, 6))
    ends = [sum(p.sum() for p in parts(sp.beta, x + h * step, y)) for h in (1, -1)]
    assert (gradient(x, y) * step).sum() == pytest.approx((ends[0] - ends[1]) / 2, rel=1e-7)


def test_a_constant_beside_an_operand_is_kept():
    x, c = np.array([0.5, 1.5]), np.array([1.0, 2.0])
    t = adcore.tensor(x, requires_grad=True)
    y = special.gammainc(c, t).sum()
    c[:] = 50.0
    y.backward()
    expected = adcore.grad(lambda x: special.gammainc(np.array([1.0, 2.0]), x).sum())(x)
    np.testing.assert_array_equal(t.grad.numpy(), expected)


@pytest.mark.parametrize("name", ["eval_legendre", "eval_hermite", "yn", "expn"])
def test_integers_take_the_loop_that_scipy_takes(name):
    x = np.linspace(0.3, 0.9, 7)
    t = adcore.tensor(x, requires_grad=True)
    for n in (0, 3):
        mine = getattr(special, name)(n, t).detach().numpy()
        np.testing.assert_array_equal(mine, getattr(sp, name)(n, x))


def test_several_results_are_one_call():
    def f(x):
        ai, aip, bi, bip = special.airy(x)
        return (ai * bip - aip * bi * x).sum()  # ai bip - aip bi = 1 / pi

    x = np.array([0.3, 1.2])
    ai, aip, bi, bip = sp.airy(x)
    slope = -aip * bi + (1.0 - x) * (aip * bip + x * ai * bi)
    np.testing.assert_allclose(adcore.grad(f)(x), slope, rtol=1e-13)
    np.testing.assert_allclose(adcore.jacfwd(adcore.grad(f))(x), adcore.hessian(f)(x), rtol=1e-12)
    compiled = adcore.compile(f)
    np.testing.assert_allclose(compiled.hessian(x), adcore.hessian(f)(x), rtol=1e-12)
    assert len(special.airy(adcore.tensor(0.5, requires_grad=True))) == 4


def test_counts_that_are_not_whole_are_not_truncated():
    t = adcore.tensor([0.3, 0.6], requires_grad=True)
    p = np.array([0.3, 0.6])
    found = special.nbdtr(2, 2.5, t).detach().numpy()
    np.testing.assert_allclose(found, sp.betainc(2.5, 3.0, p), rtol=1e-14)
    np.testing.assert_array_equal(special.nbdtr(2, 2, t).detach().numpy(), sp.nbdtr(2, 2, p))


def test_a_loop_that_raises_records_nothing():
    x = adcore.tensor([0.5, -1.0], requires_grad=True)
    before = adcore._core.tape_stats()
    with sp.errstate(all="raise"), pytest.raises(sp.SpecialFunctionError):
        special.gammainc(2.0, x)
    assert adcore._core.tape_stats() == before
    special.gammainc(2.0, x * x).sum().backward()
    np.testing.assert_allclose(
        x.grad.numpy(), 2 * x.detach().numpy() * np.array([0.25, 1.0]) * np.exp([-0.25, -1.0])
    )


def _beta_moment(a, b, r):
    """1 / (x^a y^(b-1)) times the incomplete beta function of x = r / (1 + r), y = 1 - x."""
    x = mpf(r) / (1 + mpf(r))
    return (1 - x) / a * mpmath.hyp2f1(a + b, 1, a + 1, x)


TAIL_MOMENTS = {
    "gamma_lower": lambda a, x: mpmath.gammainc(a, 0, x) * mpmath.exp(x) * mpf(x) ** -a,
    "gamma_upper": lambda a, x: mpmath.gammainc(a, x) * mpmath.exp(x) * mpf(x) ** -a,
    "beta_lower": _beta_moment,
}


@pytest.mark.parametrize(
    ("name", "args"),
    [
        *[
            ("gamma_lower", (a, x * (a + 1)))
            for a in (0.05, 3.5, 900.0)
            for x in (1e-9, 0.49, 0.51)
        ],
        *[("gamma_upper", (a, 2 * a + x)) for a in (0.05, 3.5, 200.0) for x in (29.5, 30.5, 700.0)],
        *[
            ("beta_lower", (a, b, r * a / b))
            for a, b in ((0.05, 0.5), (4.0, 0.25), (3.0, 250.0), (400.0, 300.0))
            for r in (1e-30, 0.3, 0.45, 0.6)
        ],
    ],
)
def test_tails_on_both_sides_of_series_and_quadrature(name, args):
    """What logarithms of tails are made of, against mpmath."""
    with mpmath.workdps(40):
        true = TAIL_MOMENTS[name](*map(mpf, args))
    orders = (0,) * len(args)
    assert abs(_core.special(name, orders, *args) / true - 1) < 2e-14


@pytest.mark.parametrize(
    ("name", "row", "points"),
    [
        (
            "gamma",
            adcore.gamma,
            [0.0, -0.0, -1.0, math.inf, -math.inf, math.nan, 171.6, 172.0, 5.0],
        ),
        ("ndtri", adcore.ndtri, [0.0, 1.0, 0.5, 5e-324, math.nan, -0.1, 1.1]),
        ("erfcinv", adcore.erfcinv, [0.0, 2.0, 1.0, 1e-300, math.nan, -0.1, 2.1]),
        ("erfinv", adcore.erfinv, [1.0, -1.0, 0.0, 1e-310, math.nan, 1.1]),
        ("erfcx", special.erfcx, [-30.0, math.inf, -math.inf, 1e300, math.nan]),
        ("log_ndtr", adcore.log_ndtr, [-math.inf, math.inf, -1e200, math.nan]),
    ],
)
def test_ends_of_domains_alone_and_in_vectors(name, row, points):
    x = adcore.tensor(points, requires_grad=True)
    theirs = getattr(sp, name)(np.array(points))
    np.testing.assert_allclose(row(x).detach().numpy(), theirs, rtol=1e-13)
    alone = [row(v).item() for v in x]
    np.testing.assert_array_equal(row(x).detach().numpy(), alone)

"""scipy.stats: every name's state; values against SciPy; derivatives against mpmath at 50 digits.

The truth about distributions of one variable, and where it is looked at, is in stats_cases.py.
"""

import functools
import math
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats as sp
from mpmath import mp, mpf

import adcore
import adcore.scipy.stats as stats
import special_cases
import stats_cases
from adcore.errors import NotDifferentiableError
from adcore.testing import check_grads

LOC, SCALE = 0.25, 1.5
ONE_VARIABLE = [
    n
    for n in sp.__all__
    if stats.state(n) == "differentiable"
    and isinstance(getattr(sp, n), sp.rv_continuous | sp.rv_discrete)
]
NO_QUANTILE = {"vonmises"}
QUANTILES = [n for n in stats_cases.CONTINUOUS if n not in NO_QUANTILE]


def tracked(*values):
    return [adcore.tensor(v, requires_grad=True) for v in values]


# ---- names ---------------------------------------------------------------------------------------


def test_every_name_of_scipy_has_a_state():
    assert {stats.state(n) for n in sp.__all__} == {"differentiable", "refused", "plain"}
    for name in sp.__all__:
        assert hasattr(stats, name), name
    assert set(stats.__all__) == {*sp.__all__, "state"}


@pytest.mark.parametrize("name", ONE_VARIABLE)
def test_distribution_has_an_oracle(name):
    if name == "hypergeom":  # nothing of it can be differentiated
        return
    assert name in stats_cases.CONTINUOUS or name in stats_cases.DISCRETE, (
        f"no oracle for {name}; add an entry to tests/stats_cases.py"
    )


@pytest.mark.parametrize("name", [n for n in sp.__all__ if stats.state(n) == "refused"])
def test_refused_name_says_so(name):
    x = adcore.tensor([1.0, 2.0], requires_grad=True)
    found = getattr(stats, name)
    with pytest.raises(NotDifferentiableError, match=rf"scipy.stats.{name}.* of a tensor has no"):
        found(x)


def test_refused_distributions_pass_through_and_refuse_by_method():
    assert stats.nct.pdf(0.5, 3.0, 1.0) == sp.nct.pdf(0.5, 3.0, 1.0)
    assert stats.argus(1.0).cdf(0.5) == sp.argus(1.0).cdf(0.5)
    with pytest.raises(NotDifferentiableError, match=r"scipy\.stats\.nct\.logpdf of a tensor"):
        adcore.grad(lambda x: stats.nct.logpdf(x, 3.0, 1.0))(0.5)


def test_missing_name():
    with pytest.raises(AttributeError, match=r"'nothing', nor has the installed scipy\.stats"):
        stats.nothing  # noqa: B018


def test_adcore_scipy_does_not_import_it():
    code = (
        "import adcore.scipy, sys; assert 'scipy.stats' not in sys.modules;"
        "adcore.scipy.stats; assert 'scipy.stats' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- distributions of one variable, against mpmath -----------------------------------------------


def shapes_of(name):
    return getattr(stats, name).shapes


def point_of(point):
    return tuple(map(float, point)) if isinstance(point, tuple) else (float(point),)


def oracle(name, method):
    """The method of (x, *shapes, loc, scale), or of (k, *shapes), in mpmath."""
    discrete = name in stats_cases.DISCRETE
    truth = (stats_cases.DISCRETE if discrete else stats_cases.CONTINUOUS)[name]

    def continuous(x, *rest):
        *shapes, loc, scale = rest
        y = (x - loc) / scale
        if method == "logpdf":
            return truth.logpdf(y, *shapes) - mp.log(scale)
        return mp.log((truth.cdf if method == "logcdf" else truth.sf)(y, *shapes))

    def on_numbers(k, *shapes):
        if method == "logpmf":
            return truth.logpdf(k, *shapes)
        return mp.log((truth.cdf if method == "logcdf" else truth.sf)(k, *shapes))

    return on_numbers if discrete else continuous


def expect_derivatives(f, v, case, point, what):
    """Value, gradient and Hessian, forward and reverse, of f at v: as in mpmath."""
    # Probabilities far below 1 are differences in mpmath too.
    true = special_cases.partials(case, point, digits=20 if what.startswith("skew") else 50)
    value = float(adcore.value_and_grad(f)(v)[0])  # of plain numbers it is SciPy's
    gradient, forward, hessian = adcore.grad(f)(v), adcore.jacfwd(f)(v), adcore.hessian(f)(v)
    twice = adcore.jacfwd(adcore.jacfwd(f))(v)
    compiled = adcore.compile(f)
    replayed, replayed_twice = compiled.grad(v), compiled.hessian(v)
    largest = [max(abs(t) for o, t in true.items() if sum(o) == k) for k in range(3)]
    for orders, exact in true.items():
        at = tuple(i for i, order in enumerate(orders) for _ in range(order))
        found = [[value], [gradient, forward, replayed], [hessian, twice, replayed_twice]]
        for part in found[len(at)]:
            got = float(part[at] if at else part)
            allowed = 1e-9 * abs(exact) + 1e-13 * max(1, largest[len(at)])
            assert abs(mpf(got) - exact) <= allowed, (
                f"{what}, derivative {orders}: {got!r}, true is {mp.nstr(exact, 17)}"
            )


@functools.cache
def cases_of(name):
    table = stats_cases.CONTINUOUS if name in stats_cases.CONTINUOUS else stats_cases.DISCRETE
    return [point_of(p) for p in table[name].points]


@pytest.mark.parametrize("method", ["logpdf", "logcdf", "logsf"])
@pytest.mark.parametrize("name", [n for n in stats_cases.CONTINUOUS if n != "reciprocal"])
def test_continuous_derivatives(name, method):
    """In the argument, the shapes, the location and the scale."""
    distribution = getattr(stats, name)
    for y, *shapes in cases_of(name):
        n = 1 + len(shapes)
        near = abs(y) < 1e-6  # to zero, which a step in the location would leave
        point = (y, *shapes, 0.0, SCALE) if near else (y * SCALE + LOC, *shapes, LOC, SCALE)
        vary = (*range(n), n + 1) if near else tuple(range(n + 2))
        case = special_cases.Case(oracle(name, method), [point], vary=vary)

        def f(v, near=near, n=n):
            *first, scale = [v[i] for i in range(n + 1 if near else n + 2)]
            return getattr(distribution, method)(*first, *([0.0] if near else []), scale)

        v = np.array([point[i] for i in vary])
        expect_derivatives(f, v, case, point, f"{name}.{method} at {point}")


@pytest.mark.parametrize("method", ["logpmf", "logcdf", "logsf"])
@pytest.mark.parametrize("name", list(stats_cases.DISCRETE))
def test_discrete_derivatives(name, method):
    distribution = getattr(stats, name)
    counts = [1 + i for i, s in enumerate(shapes_of(name)) if s in distribution.counts]
    for point in cases_of(name):
        vary = tuple(i for i in range(1, len(point)) if i not in counts)
        case = special_cases.Case(oracle(name, method), [point], vary=vary)

        def f(v, point=point, vary=vary):
            args = list(point)
            for j, i in enumerate(vary):
                args[i] = v[j]
            return getattr(distribution, method)(*args)

        v = np.array([point[i] for i in vary])
        expect_derivatives(f, v, case, point, f"{name}.{method} at {point}")


@pytest.mark.parametrize("name", QUANTILES)
def test_quantiles_invert_the_distribution(name):
    """cdf(ppf(q)) = q and sf(isf(q)) = q, to the second order in q and the parameters."""
    distribution = getattr(stats, name)
    shapes = stats_cases.CONTINUOUS[name].quantile
    for there, back in (("ppf", "cdf"), ("isf", "sf")):
        for q in (1e-6, 0.125, 0.75):
            v = np.array([q, *shapes, LOC, SCALE])
            n = len(v)

            def inverted(v, there=there, back=back, n=n):
                rest = [v[i] for i in range(1, n)]
                return getattr(distribution, back)(getattr(distribution, there)(v[0], *rest), *rest)

            def quantile(v, there=there, n=n):
                return getattr(distribution, there)(*[v[i] for i in range(n)])

            tracked_value = float(adcore.value_and_grad(quantile)(v)[0])
            assert tracked_value == pytest.approx(quantile(list(v)), rel=1e-11, abs=1e-13)
            slope = np.eye(n)[0]
            sizes = np.abs(v) + (np.abs(v) == 0)
            for gradient in (adcore.grad(inverted)(v), adcore.jacfwd(inverted)(v)):
                assert np.max(np.abs(gradient - slope) * sizes) <= 1e-10 * max(q, 1e-2)
            bent = adcore.hessian(inverted)(v) * np.outer(sizes, sizes)
            assert np.max(np.abs(bent)) <= 1e-8, f"{name}.{there} at {q}: {bent}"


METHODS = ("logpdf", "pdf", "logcdf", "cdf", "logsf", "sf")


@pytest.mark.parametrize("name", list(stats_cases.CONTINUOUS))
def test_continuous_values_are_scipys(name):
    """Of tracked parameters, within SciPy's accuracy, where SciPy's logarithms do not underflow."""
    mine, theirs = getattr(stats, name), getattr(sp, name)
    shapes = stats_cases.CONTINUOUS[name].points[0]
    shapes = point_of(shapes)[1:] if name not in ("truncnorm",) else (-1.0, 2.0)
    x = theirs.ppf([0.01, 0.3, 0.6, 0.95], *shapes, LOC, SCALE)
    for method in METHODS:
        value = getattr(mine, method)(x, *tracked(*shapes, LOC, SCALE))
        assert value.shape == x.shape
        expected = getattr(theirs, method)(x, *shapes, LOC, SCALE)
        np.testing.assert_allclose(value.detach().numpy(), expected, rtol=2e-13, atol=1e-15)
        plain = getattr(mine, method)(x, *shapes, LOC, SCALE)
        assert np.array_equal(plain, expected)


@pytest.mark.parametrize("name", list(stats_cases.CONTINUOUS))
def test_moments_and_entropy(name):
    mine, theirs = getattr(stats, name), getattr(sp, name)
    shapes = {"pareto": (6.5,), "invgamma": (6.5,), "f": (5.0, 9.0)}.get(name)
    shapes = (
        shapes or stats_cases.CONTINUOUS[name].quantile or ((2.0,) if name in NO_QUANTILE else ())
    )
    parameters = tracked(*shapes, LOC, SCALE)
    looked_at = 0
    for method in ("mean", "var", "std", "entropy"):
        expected = getattr(theirs, method)(*shapes, LOC, SCALE)
        if not hasattr(mine, {"std": "var"}.get(method, method) + "_"):
            with pytest.raises(NotDifferentiableError, match=rf"\.{name}\.{method} of tensors"):
                getattr(mine, method)(*parameters)
            continue
        value = getattr(mine, method)(*parameters)
        looked_at += 1
        assert value.item() == pytest.approx(expected, rel=1e-10), method
    assert looked_at
    if hasattr(mine, "kurtosis_"):
        found = mine.stats(*parameters, moments="mvsk")
        expected = theirs.stats(*shapes, LOC, SCALE, moments="mvsk")
        got = [np.asarray(getattr(v, "detach", lambda v=v: v)()) for v in found]
        got = [float(g) for g in got]
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", list(stats_cases.DISCRETE))
def test_discrete_values_and_moments(name):
    mine, theirs = getattr(stats, name), getattr(sp, name)
    shapes = point_of(stats_cases.DISCRETE[name].points[0])[1:]
    counts = [s in mine.counts for s in mine.shapes]
    given = [s if c else tracked(s)[0] for s, c in zip(shapes, counts, strict=True)]
    k = np.array([-2.0, -0.5, 0.0, 1.0, 2.0, 2.5, 40.0])
    for method in ("logpmf", "pmf", "logcdf", "cdf", "logsf", "sf"):
        value = getattr(mine, method)(k, *given).detach().numpy()
        with np.errstate(all="ignore"):
            expected = getattr(theirs, method)(k, *shapes)
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-15, err_msg=method)
    for method in ("mean", "var", "std"):
        value = getattr(mine, method)(*given).item()
        assert value == pytest.approx(getattr(theirs, method)(*shapes), rel=1e-12)
    with pytest.raises(NotDifferentiableError, match="jump"):
        mine.ppf(0.5, *given)


# ---- arguments, edges, shapes --------------------------------------------------------------------


def test_counts_cannot_be_differentiated():
    with pytest.raises(NotDifferentiableError, match="whole numbers has no derivative"):
        adcore.grad(lambda k: stats.poisson.logpmf(k, 2.0))(3.0)
    with pytest.raises(NotDifferentiableError, match="whole numbers has no derivative"):
        adcore.grad(lambda n: stats.binom.logpmf(3.0, n, 0.5))(10.0)
    assert stats.hypergeom.pmf(2, 20, 7, 12) == sp.hypergeom.pmf(2, 20, 7, 12)
    with pytest.raises(NotDifferentiableError, match="its parameters count"):
        stats.hypergeom.pmf(2, *tracked(20.0), 7, 12)


@pytest.mark.parametrize(
    ("name", "shapes", "x"),
    [
        ("expon", (), [-1.0]),
        ("gamma", (2.5,), [-1.0, 0.0]),
        ("beta", (2.0, 3.0), [-1.0, 2.0]),
        ("uniform", (), [-1.0, 2.0]),
        ("lognorm", (0.5,), [-1.0, 0.0]),
        ("pareto", (2.0,), [0.5]),
        ("truncnorm", (-1.0, 2.0), [-1.5, 2.5]),
        ("triang", (0.25,), [-1.0, 2.0]),
        ("weibull_max", (2.0,), [1.0]),
        ("genextreme", (0.5,), [3.0]),
        ("loguniform", (1.0, 2.0), [0.5, 3.0]),
        ("invgamma", (2.0,), [-1.0, 0.0]),
    ],
)
def test_outside_of_the_support(name, shapes, x):
    """Densities are 0, distribution functions 0 or 1; all derivatives are 0."""
    mine, theirs = getattr(stats, name), getattr(sp, name)
    for at in x:
        v = np.array([at, *shapes])
        for method in METHODS:

            def f(v, method=method):
                return getattr(mine, method)(*[v[i] for i in range(1 + len(shapes))])

            value, gradient = adcore.value_and_grad(f)(v)
            assert value == getattr(theirs, method)(at, *shapes)
            if at == 0.0 and name == "gamma":  # an end of the support, not outside
                continue
            zero = np.zeros_like(v)
            assert np.array_equal(gradient, zero)
            assert np.array_equal(adcore.jacfwd(f)(v), zero)
            assert not adcore.hessian(f)(v).any()
            assert np.array_equal(adcore.compile(f).grad(v), zero)


def test_ends_of_the_support_are_those_of_the_formula():
    assert adcore.grad(lambda x: stats.expon.logpdf(x))(0.0) == -1.0
    assert adcore.grad(lambda x: stats.beta.pdf(x, 1.0, 3.0))(0.0) == pytest.approx(-6.0)
    assert stats.gamma.logpdf(0.0, *tracked(1.0)).item() == 0.0
    ends = stats.uniform.support(*tracked(1.0, 2.0))
    assert [float(end.detach()) for end in ends] == [1.0, 3.0]


def test_invalid_parameters_are_nan():
    x = np.array([0.5, 1.0])
    scale = adcore.tensor([-1.0, 2.0], requires_grad=True)
    value = stats.norm.logpdf(x, 0.0, scale).detach().numpy()
    assert np.isnan(value[0])
    assert value[1] == pytest.approx(sp.norm.logpdf(1.0, 0.0, 2.0))
    assert math.isnan(stats.gamma.cdf(1.0, *tracked(-1.0)).item())
    assert math.isnan(stats.binom.logpmf(1, 2.5, *tracked(0.5)).item())
    assert math.isnan(stats.norm.ppf(*tracked(1.5)).item())
    assert stats.norm.ppf(*tracked(0.0)).item() == -math.inf
    assert math.isnan(stats.expon.logpdf(*tracked(math.nan)).item())


def test_broadcasting_and_keywords():
    x, s = np.linspace(0.5, 2.0, 4), np.array([[0.5], [1.0], [2.0]])
    value = stats.lognorm.logpdf(x, s=adcore.tensor(s, requires_grad=True), scale=2.0)
    expected = sp.lognorm.logpdf(x, s=s, scale=2.0)
    np.testing.assert_allclose(value.detach().numpy(), expected, rtol=1e-13)
    assert stats.uniform.logpdf(0.5, adcore.tensor(np.zeros((2, 1)))).shape == (2, 1)
    assert stats.norm.mean(adcore.tensor(np.zeros(3)), np.ones((2, 1))).shape == (2, 3)
    assert stats.norm.logpdf(adcore.tensor(np.zeros((0, 3)))).shape == (0, 3)
    for args, kwargs, text in [
        ((0.5,), {}, "lacks the parameter 'a'"),
        ((0.5, 1.0), {"a": 1.0}, "multiple values for parameter 'a'"),
        ((0.5, 1.0), {"b": 1.0}, "unexpected parameter 'b'"),
        ((0.5, 1.0, 2.0, 3.0, 4.0), {}, "takes 3 parameters"),
    ]:
        with pytest.raises(TypeError, match=text):
            stats.gamma.logpdf(adcore.tensor(args[0]), *args[1:], **kwargs)


def test_frozen_distributions():
    loc, scale = tracked(0.5, 2.0)
    frozen = stats.norm(loc, scale=scale)
    x = np.array([0.25, 3.0])
    plain = sp.norm(0.5, 2.0)
    np.testing.assert_allclose(frozen.logpdf(x).detach().numpy(), plain.logpdf(x), rtol=1e-14)
    assert frozen.mean().item() == 0.5
    assert frozen.std().item() == 2.0
    assert frozen.entropy().item() == pytest.approx(sp.norm(0.5, 2.0).entropy())
    low, high = frozen.interval(0.9)
    assert [low.item(), high.item()] == pytest.approx(sp.norm(0.5, 2.0).interval(0.9))
    sample = stats.norm(0.5, 2.0).rvs(3, random_state=1)
    assert np.array_equal(sample, plain.rvs(3, random_state=1))
    with pytest.raises(NotDifferentiableError, match=r"norm\.rvs of tensors: a sample"):
        frozen.rvs(3)
    grad = adcore.grad(lambda m: stats.norm(m, 2.0).logpdf(1.0))(0.0)
    assert grad == pytest.approx(0.25)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        frozen.nothing  # noqa: B018


def test_the_circle_is_gone_round():
    """Each turn adds 1 to the distribution function of von Mises, and no more."""
    y = np.array([-9.0, -3.1, 0.0, 0.5, 3.2, 7.0, 13.0])
    for kappa in (0.0, 0.5, 20.0):
        found = stats.vonmises.cdf(*tracked(y, kappa)).detach().numpy()
        np.testing.assert_allclose(found, sp.vonmises.cdf(y, kappa), rtol=1e-13, atol=1e-13)
        around = adcore.vjp(lambda k, y=y: stats.vonmises.cdf(y + 2 * math.pi, k), kappa)[0]
        np.testing.assert_allclose(around, found + 1.0, rtol=1e-13, atol=1e-13)
        slope = adcore.jacobian(lambda k, y=y: stats.vonmises.cdf(y + 2 * math.pi, k))(kappa)
        expected = adcore.jacobian(lambda k, y=y: stats.vonmises.cdf(y, k))(kappa)
        np.testing.assert_allclose(slope, expected, atol=1e-14)


def test_logarithms_of_what_is_near_1_keep_their_digits():
    """Where a distribution function is 1e-8, and so the logarithm of the survival function."""
    for name, shapes, y in [("halfnorm", (), 1e-8), ("loguniform", (0.5, 4.0), 0.5 + 1e-9)]:
        cdf = getattr(sp, name).cdf(y, *shapes)
        found = getattr(stats, name).logsf(*tracked(y, *shapes)).item()
        assert found == pytest.approx(-cdf - cdf * cdf / 2, rel=1e-13 if not shapes else 1e-7)


def test_what_takes_numbers_alone():
    x = tracked([0.5, 1.0])[0]
    for method, text in [("rvs", "a sample"), ("fit", "likelihood"), ("moment", "use mean")]:
        with pytest.raises(NotDifferentiableError, match=rf"norm\.{method} of tensors: .*{text}"):
            getattr(stats.norm, method)(x)
    theta = [0.5, 2.0]
    nnlf = stats.norm.nnlf(tracked(*theta), np.array([0.5, 1.0])).item()
    assert nnlf == pytest.approx(stats.norm.nnlf(theta, np.array([0.5, 1.0])))
    with pytest.raises(NotDifferentiableError, match=r"vonmises\.ppf of tensors is not in closed"):
        stats.vonmises.ppf(0.5, *tracked(2.0))


@pytest.mark.parametrize(
    ("name", "shapes", "x"),
    [
        ("gamma", (2.5,), [1e-60, 0.5, 3.0, 2000.0]),
        ("beta", (6.0, 3.0), [1e-60, 0.25, 0.75, 0.9375]),
        ("t", (10.0,), [-1e40, -6.0, -0.5, 0.5, 6.0, 1e40]),
        ("f", (12.0, 7.0), [1e-60, 0.5, 2.0, 1e30]),
        ("exponnorm", (1.5,), [-9.0, 0.25, 0.75, 9.0]),
        ("skewnorm", (1.5,), [-5.0, 0.25, 0.75, 6.0]),
        ("truncnorm", (-3.0, 30.0), [-2.75, 0.5, 20.0]),
    ],
)
def test_arrays_of_tails_and_middles_are_as_numbers(name, shapes, x):
    """Whichever form an element takes, the others do not disturb it."""
    x = np.array(x)
    for method in METHODS:
        function = getattr(getattr(stats, name), method)

        def total(x, *shapes, function=function):
            return adcore.sum(function(x, *shapes))

        found = adcore.grad(total)(x, *shapes), adcore.compile(total).grad(x, *shapes)
        each = np.array([adcore.grad(function)(float(v), *shapes) for v in x])
        for gradient in found:
            np.testing.assert_allclose(gradient, each, rtol=1e-12)
        bent = np.diag(adcore.hessian(total)(x, *shapes))
        each = [adcore.grad(adcore.grad(function))(float(v), *shapes) for v in x]
        np.testing.assert_allclose(bent, each, rtol=1e-9)


def test_third_derivatives_of_the_tails():
    """Beyond the second order: of logarithms of tails, against mpmath."""
    for f, true, at in [
        (lambda a: stats.gamma.logsf(50.0, a), lambda a: special_cases.gammaincc(a, 50), 2.5),
        (lambda x: stats.t.logcdf(x, 3.5), lambda x: stats_cases.student(x, mpf(3.5)), -20.0),
        (
            lambda b: stats.beta.logcdf(0.0625, 3.0, b),
            lambda b: special_cases.betainc(mpf(3), b, mpf(0.0625)),
            2.0,
        ),
    ]:
        with mp.workdps(60):
            expected = mp.diff(lambda x, true=true: mp.log(true(x)), mpf(at), 3, h=mpf(10) ** -12)
        third = adcore.grad(adcore.grad(adcore.grad(f)))(at)
        assert third == pytest.approx(float(expected), rel=1e-8)


# ---- vectors and matrices ------------------------------------------------------------------------

_RNG = np.random.default_rng(20)
X, MU = _RNG.normal(size=(4, 3)), _RNG.normal(size=3)
SPD3 = (lambda a: a @ a.T + 3 * np.eye(3))(_RNG.normal(size=(3, 3)))
SPD2 = (lambda a: a @ a.T + 2 * np.eye(2))(_RNG.normal(size=(2, 2)))
W = sp.wishart(6, SPD3).rvs(random_state=2)
MULTIVARIATE = {
    "multivariate_normal": ("logpdf", (X, MU, SPD3)),
    "multivariate_t": ("logpdf", (X, MU, SPD3, 4.5)),
    "wishart": ("logpdf", (W, 6.5, SPD3)),
    "invwishart": ("logpdf", (W, 6.5, SPD3)),
    "matrix_normal": ("logpdf", (_RNG.normal(size=(2, 3)), np.zeros((2, 3)), SPD2, SPD3)),
    "dirichlet": ("logpdf", (np.array([0.25, 0.5]), np.array([1.5, 2.0, 3.0]))),
}


@pytest.mark.parametrize("name", list(MULTIVARIATE))
def test_multivariate(name):
    """Values against SciPy, both modes against each other and differences, replays, the pdf."""
    method, args = MULTIVARIATE[name]
    mine, theirs = getattr(stats, name), getattr(sp, name)
    expected = getattr(theirs, method)(*args)
    value = getattr(mine, method)(*tracked(*args)).detach().numpy()
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(
        mine(*tracked(*args[1:])).pdf(args[0]).detach().numpy(), np.exp(expected), rtol=1e-11
    )

    def f(*parts):  # matrices stay symmetric
        square = [np.ndim(p) == 2 and np.shape(p)[0] == np.shape(p)[1] for p in args]
        parts = [0.5 * (p + p.T) if s else p for p, s in zip(parts, square, strict=True)]
        return adcore.sum(getattr(mine, method)(*parts))

    check_grads(f, args, order=2)
    for i, gradient in enumerate(adcore.grad(f, argnums=tuple(range(len(args))))(*args)):
        replayed = adcore.compile(lambda p, i=i: f(*args[:i], p, *args[i + 1 :])).grad(args[i])
        np.testing.assert_allclose(gradient, replayed, rtol=1e-9, atol=1e-11)
    assert np.array_equal(getattr(mine, method)(*args), expected)


def test_gradient_of_the_normal_is_the_closed_form():
    gradient = adcore.grad(lambda s: stats.multivariate_normal.logpdf(X[0], MU, s))(SPD3)
    solved = np.linalg.solve(SPD3, X[0] - MU)
    expected = 0.5 * (np.outer(solved, solved) - np.linalg.inv(SPD3))
    np.testing.assert_allclose(0.5 * (gradient + gradient.T), expected, rtol=1e-10)
    entropy = stats.multivariate_normal.entropy(MU, *tracked(SPD3)).item()
    assert entropy == pytest.approx(sp.multivariate_normal.entropy(MU, SPD3))


def test_multivariate_arguments():
    one = stats.multivariate_normal.logpdf(np.array([0.5, 1.0]), *tracked(0.25, 2.0))
    expected = sp.norm.logpdf([0.5, 1.0], 0.25, math.sqrt(2.0))
    np.testing.assert_allclose(one.detach().numpy(), expected, rtol=1e-14)
    diagonal = stats.multivariate_normal.logpdf(X, MU, *tracked(np.array([1.0, 2.0, 3.0])))
    expected = sp.multivariate_normal.logpdf(X, MU, np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(diagonal.detach().numpy(), expected, rtol=1e-13)
    found = stats.multivariate_normal.logpdf(X, MU, *tracked(SPD3), allow_singular=True)
    np.testing.assert_allclose(found.detach().numpy(), sp.multivariate_normal.logpdf(X, MU, SPD3))
    with pytest.raises(NotDifferentiableError, match="allow_singular=True where cov is a constant"):
        stats.multivariate_normal.logpdf(X, MU, *tracked(np.ones((3, 3))), allow_singular=True)
    with pytest.raises(NotDifferentiableError, match=r"multivariate_normal\.cdf of tensors"):
        stats.multivariate_normal.cdf(X, *tracked(MU), SPD3)
    with pytest.raises(TypeError, match="takes mean, cov, allow_singular"):
        stats.multivariate_normal.logpdf(X, *tracked(MU), nothing=1.0)


def test_multinomial_and_dirichlet():
    n, p, k = 10, np.array([0.25, 0.25, 0.5]), np.array([2.0, 3.0, 5.0])
    value = stats.multinomial.logpmf(k, n, *tracked(p)).item()
    assert value == pytest.approx(sp.multinomial.logpmf(k, n, p), rel=1e-13)
    gradient = adcore.grad(lambda p: stats.multinomial.logpmf(k, n, p))(p)
    np.testing.assert_allclose(gradient, [8.0 - 10.0, 12.0 - 10.0, 0.0], atol=1e-12)
    assert stats.multinomial.logpmf(k + 1.0, n, *tracked(p)).item() == -math.inf
    alpha = np.array([1.5, 2.0, 3.0])
    for method in ("mean", "var", "entropy"):
        value = getattr(stats.dirichlet, method)(*tracked(alpha)).detach().numpy()
        np.testing.assert_allclose(value, getattr(sp.dirichlet, method)(alpha), rtol=1e-12)


# ---- functions of samples ------------------------------------------------------------------------

A = np.abs(_RNG.normal(size=(5, 3))) + 0.1
SAMPLES = {
    "skew": [((A,), {}), ((A,), {"axis": None, "bias": False})],
    "kurtosis": [((A,), {}), ((A,), {"axis": 1}), ((A,), {"bias": False, "fisher": False})],
    "moment": [((A,), {"order": 3}), ((A,), {"order": 1})],
    "gmean": [((A,), {}), ((A,), {"weights": np.arange(1.0, 6.0)[:, None] + 0 * A})],
    "hmean": [((A,), {"axis": None})],
    "pmean": [((A, 1.75), {})],
    "sem": [((A,), {}), ((A, None), {"ddof": 0})],
    "variation": [((A,), {"ddof": 1})],
    "zscore": [((A,), {}), ((A,), {"axis": None, "ddof": 1})],
    "zmap": [((A[:2], A), {})],
    "gzscore": [((A,), {})],
    "gstd": [((A,), {})],
    "iqr": [((A,), {}), ((A, 0, (10, 80)), {"scale": "normal"})],
    "entropy": [((A,), {"base": 2}), ((A, A[::-1]), {})],
    "boxcox": [((A[:, 0], 0.25), {})],
    "boxcox_llf": [((0.25, A[:, 0]), {}), ((0.0, A[:, 0]), {})],
    "pearsonr": [((A[:, 0], A[:, 1]), {})],
    "gaussian_kde": [],
}


def test_functions_of_samples_are_all_looked_at():
    distributions = {*stats_cases.CONTINUOUS, *stats_cases.DISCRETE, *MULTIVARIATE}
    distributions |= {"hypergeom", "multinomial"}
    known = {n for n in sp.__all__ if stats.state(n) == "differentiable"}
    assert known == distributions | set(SAMPLES)


@pytest.mark.parametrize("name", [n for n in SAMPLES if SAMPLES[n]])
def test_functions_of_samples(name):
    for args, kwargs in SAMPLES[name]:
        sizes = [i for i, a in enumerate(args) if isinstance(a, float | np.ndarray)]

        def f(*parts, args=args, kwargs=kwargs, sizes=sizes):
            given = list(args)
            for i, part in zip(sizes, parts, strict=True):
                given[i] = part
            out = getattr(stats, name)(*given, **kwargs)
            return out.statistic if name == "pearsonr" else out

        given = [args[i] for i in sizes]
        expected = getattr(sp, name)(*args, **kwargs)
        expected = expected.statistic if name == "pearsonr" else expected
        np.testing.assert_allclose(
            f(*tracked(*given)).detach().numpy(), expected, rtol=1e-12, atol=1e-14
        )
        check_grads(f, given, order=2)
    option = {"boxcox": "alpha", "pearsonr": "method"}.get(name, "nan_policy")
    with pytest.raises(NotDifferentiableError, match="takes no other"):
        getattr(stats, name)(*tracked(*given), **{option: "omit"})


def test_boxcox_fits_nothing_to_tensors():
    with pytest.raises(NotDifferentiableError, match="maximise boxcox_llf"):
        stats.boxcox(*tracked(A[:, 0]))


def test_kernel_density_estimate():
    points, data = _RNG.normal(size=(2, 3)), _RNG.normal(size=(2, 7))
    weighted = {"bw_method": 0.5, "weights": np.arange(1.0, 8.0)}
    for options in ({}, {"bw_method": "silverman"}, weighted):
        expected = sp.gaussian_kde(data, **options)
        for method in ("logpdf", "evaluate"):

            def f(p, d, options=options, method=method):
                return getattr(stats.gaussian_kde(d, **options), method)(p)

            value = f(*tracked(points, data)).detach().numpy()
            np.testing.assert_allclose(value, getattr(expected, method)(points), rtol=1e-11)
            check_grads(f, (points, data), order=2)
    plain = stats.gaussian_kde(data)
    assert plain.factor == sp.gaussian_kde(data).factor
    assert np.array_equal(plain(points), sp.gaussian_kde(data)(points))
    with pytest.raises(NotDifferentiableError, match=r"gaussian_kde\.resample of tensors"):
        stats.gaussian_kde(*tracked(data)).resample(3)


def test_normal_with_a_constant_singular_covariance():
    basis = np.array([[1.0, 0.5], [0.0, 2.0], [1.0, -1.0]])
    cov, mean = basis @ basis.T, np.array([0.1, 0.2, 0.3])
    points = mean + np.array([[0.3, 0.4], [1.0, -2.0]]) @ basis.T
    off = points + np.linalg.svd(basis)[0][:, 2]

    def density(x, mean):
        return stats.multivariate_normal.logpdf(x, mean, cov, allow_singular=True)

    for x in (points, off, points[0]):
        value = adcore.vjp(density, x, mean)[0]
        expected = sp.multivariate_normal.logpdf(x, mean, cov, allow_singular=True)
        np.testing.assert_allclose(value, expected, rtol=1e-13)
    assert np.all(np.isneginf(adcore.vjp(density, off, mean)[0]))
    inverse = np.linalg.pinv(cov)
    by_x, by_mean = adcore.grad(density, (0, 1))(points[0], mean)
    np.testing.assert_allclose(by_x, -inverse @ (points[0] - mean), rtol=1e-12)
    np.testing.assert_allclose(by_mean, inverse @ (points[0] - mean), rtol=1e-12)
    np.testing.assert_allclose(adcore.hessian(density)(points[0], mean), -inverse, atol=1e-12)
    with pytest.raises(ValueError, match="positive semidefinite"):
        adcore.grad(lambda x: stats.multivariate_normal.logpdf(x, mean, -cov, True))(points[0])

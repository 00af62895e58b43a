"""adcore.numpy.random: NumPy's numbers, and how they move with the parameters."""

import mpmath
import numpy as np
import pytest

import adcore
import adcore.numpy as anp
from adcore.errors import NotDifferentiableError

# name -> (parameters, the derivatives of a sample x in each by closed form, or None)
LOCATED = {
    "normal": ((0.3, 1.7), lambda x, m, s: (1.0, (x - m) / s)),
    "laplace": ((0.3, 1.7), lambda x, m, s: (1.0, (x - m) / s)),
    "logistic": ((0.3, 1.7), lambda x, m, s: (1.0, (x - m) / s)),
    "gumbel": ((0.3, 1.7), lambda x, m, s: (1.0, (x - m) / s)),
    "lognormal": ((0.3, 0.7), lambda x, m, s: (x, x * (np.log(x) - m) / s)),
    "uniform": ((0.3, 1.7), lambda x, a, b: ((b - x) / (b - a), (x - a) / (b - a))),
    "exponential": ((1.7,), lambda x, s: (x / s,)),
    "rayleigh": ((1.7,), lambda x, s: (x / s,)),
    "weibull": ((1.7,), lambda x, a: (-x * np.log(x) / a,)),
    "pareto": ((1.7,), lambda x, a: (-(1 + x) * np.log1p(x) / a,)),
    "power": ((1.7,), lambda x, a: (-x * np.log(x) / a,)),
}


def _gamma_cdf(x, a):
    return mpmath.gammainc(a, 0, x, regularized=True)


def _beta_cdf(x, a, b):
    return mpmath.betainc(a, b, 0, x, regularized=True)


def _t_cdf(x, n):
    half = mpmath.betainc(n / 2, mpmath.mpf(1) / 2, 0, n / (n + x * x), regularized=True) / 2
    return half if x < 0 else 1 - half


def _triangular_cdf(x, a, c, b):
    return (x - a) ** 2 / ((b - a) * (c - a)) if x < c else 1 - (b - x) ** 2 / ((b - a) * (b - c))


# name -> (parameters, the distribution function): a sample moves so that it stays the same.
BY_DISTRIBUTION = {
    "standard_gamma": ((1.7,), _gamma_cdf),
    "gamma": ((0.6, 1.3), lambda x, a, s: _gamma_cdf(x / s, a)),
    "chisquare": ((3.4,), lambda x, n: _gamma_cdf(x / 2, n / 2)),
    "beta": ((1.7, 0.8), _beta_cdf),
    "standard_t": ((3.5,), _t_cdf),
    "f": ((3.5, 6.0), lambda x, m, n: _beta_cdf(m * x / (m * x + n), m / 2, n / 2)),
    "triangular": ((0.1, 0.7, 1.9), _triangular_cdf),
}
NAMES = [*LOCATED, *BY_DISTRIBUTION]


def parameters(name):
    return {**LOCATED, **BY_DISTRIBUTION}[name][0]


SOURCES = {
    "Generator": (lambda: anp.random.default_rng(7), lambda: np.random.default_rng(7)),
    "RandomState": (lambda: anp.random.RandomState(7), lambda: np.random.RandomState(7)),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", NAMES)
def test_numbers_are_numpys(name, source):
    ours, plain = (make() for make in SOURCES[source])
    p = parameters(name)
    want = [getattr(plain, name)(*p, size=(2, 3)), getattr(plain, name)(*p)]
    got = [getattr(ours, name)(*p, size=(2, 3)), getattr(ours, name)(*p)]
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)
    ours = SOURCES[source][0]()
    tensors = [adcore.tensor(v, requires_grad=True) for v in p]
    for size, b in zip(((2, 3), None), want, strict=True):
        x = getattr(ours, name)(*tensors, size=size)
        assert x.requires_grad
        np.testing.assert_allclose(x.detach().numpy(), b, rtol=1e-13, atol=1e-15)
    assert ours.random() == plain.random()  # the streams are at the same place


def derivatives(name, k, order=1):
    """(sample, jacobian of it or hessian) in the k-th parameter."""
    p = list(parameters(name))

    def sample(v):
        q = [*p[:k], v, *p[k + 1 :]]
        return getattr(anp.random.default_rng(11), name)(*q, size=4)

    found = adcore.jacfwd(sample) if order == 1 else adcore.jacfwd(adcore.jacrev(sample))
    return sample(p[k]), found(p[k]), adcore.jacrev(sample)(p[k])


@pytest.mark.parametrize("name", LOCATED)
def test_derivatives_by_closed_form(name):
    p, moves = LOCATED[name]
    for k in range(len(p)):
        x, forward, reverse = derivatives(name, k)
        np.testing.assert_allclose(forward, moves(x, *p)[k] * np.ones(4), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(reverse, forward, rtol=1e-13)


def implicit(cdf, x, p, k):
    """(dx/dp, d2x/dp2) at constant cdf(x, p), by mpmath."""
    with mpmath.workdps(40):
        at = (mpmath.mpf(float(x)), mpmath.mpf(p[k]))
        rest = [mpmath.mpf(v) for v in p]

        def f(x, v):
            return cdf(x, *rest[:k], v, *rest[k + 1 :])

        fx, fp, fxx, fxp, fpp = (
            mpmath.diff(f, at, n) for n in ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
        )
        first = -fp / fx
        second = -(fpp + 2 * fxp * first + fxx * first**2) / fx
        return float(first), float(second)


@pytest.mark.parametrize("name", BY_DISTRIBUTION)
def test_derivatives_by_the_distribution(name):
    p, cdf = BY_DISTRIBUTION[name]
    for k in range(len(p)):
        x, forward, reverse = derivatives(name, k)
        second = derivatives(name, k, 2)[1]
        want = [implicit(cdf, v, p, k) for v in x]
        np.testing.assert_allclose(forward, [w[0] for w in want], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(reverse, forward, rtol=1e-12)
        np.testing.assert_allclose(second, [w[1] for w in want], rtol=1e-8, atol=1e-10)


def test_parameters_broadcast():
    scale = np.array([[1.0], [2.0]])

    def total(loc):
        return anp.sum(anp.random.default_rng(3).normal(loc, scale) ** 2)

    loc = np.array([0.5, 1.0, 2.0])
    x = np.random.default_rng(3).normal(loc, scale)
    assert x.shape == (2, 3)
    np.testing.assert_allclose(adcore.grad(total)(loc), 2 * x.sum(0), rtol=1e-13)
    with pytest.raises(ValueError, match=r"shape \(3,\) do not broadcast .* \(2,\)"):
        anp.random.default_rng(3).normal(adcore.tensor(loc), 1.0, size=2)


def test_dirichlet():
    alpha = np.array([0.7, 1.2, 3.0])
    want = np.random.default_rng(5).dirichlet(alpha, size=2)
    jacobian = adcore.jacobian(lambda a: anp.random.default_rng(5).dirichlet(a, size=2))(alpha)
    np.testing.assert_allclose(jacobian.sum(1), 0, atol=1e-14)  # the sum is 1
    got = anp.random.default_rng(5).dirichlet(adcore.tensor(alpha), size=2)
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-13)
    with pytest.raises(NotDifferentiableError, match=r"alpha of 0\.1 or more"):
        anp.random.default_rng(5).dirichlet(adcore.tensor([0.01, 0.05]))


def test_multivariate_normal():
    cov = np.array([[2.0, 0.3], [0.3, 1.0]])
    mean = np.array([1.0, 2.0])
    want = np.random.default_rng(5).multivariate_normal(mean, cov, size=3)
    draw = lambda m: anp.random.default_rng(5).multivariate_normal(m, cov, size=3)  # noqa: E731
    np.testing.assert_array_equal(adcore.jacobian(draw)(mean), np.tile(np.eye(2), (3, 1, 1)))
    np.testing.assert_allclose(draw(adcore.tensor(mean)).numpy(), want, rtol=1e-14)
    with pytest.raises(NotDifferentiableError, match="pass method='cholesky'"):
        anp.random.default_rng(5).multivariate_normal(mean, adcore.tensor(cov))
    want = np.random.default_rng(5).multivariate_normal(mean, cov, 3, method="cholesky")

    def of_cov(c):
        return anp.random.default_rng(5).multivariate_normal(mean, c, 3, method="cholesky")

    np.testing.assert_allclose(adcore.vjp(of_cov, cov)[0], want, rtol=1e-13)
    # Along the covariance itself its Cholesky factor grows by half of itself.
    tangent = adcore.jvp(of_cov, (cov,), (cov,))[1]
    np.testing.assert_allclose(tangent, 0.5 * (want - mean), rtol=1e-13)


REFUSED = ["poisson", "binomial", "vonmises", "wald", "noncentral_chisquare", "zipf"]


@pytest.mark.parametrize("name", REFUSED)
def test_others_refuse_tensors(name):
    p = adcore.tensor(2.0, requires_grad=True)
    args = {"binomial": (5, p), "vonmises": (0.0, p), "wald": (1.0, p)}.get(name, (p, 1.0))
    args = (p,) if name in ("poisson", "zipf") else args
    with pytest.raises(NotDifferentiableError, match=f"{name} has no derivative; "):
        getattr(anp.random.default_rng(1), name)(*args)
    with pytest.raises(NotDifferentiableError, match=f"{name} has no derivative; "):
        getattr(anp.random, name)(*args)


def test_bad_parameters_raise_as_numpys_do():
    rng = anp.random.default_rng(1)
    for name, args in {
        "normal": (0.0, adcore.tensor(-1.0)),
        "gamma": (adcore.tensor(-1.0),),
        "exponential": (adcore.tensor(-1.0),),
        "pareto": (adcore.tensor(0.0),),
        "beta": (adcore.tensor(-1.0), 1.0),
        "triangular": (0.0, adcore.tensor(2.0), 1.0),
    }.items():
        with pytest.raises(ValueError, match=r"<|positive|>"):
            getattr(rng, name)(*args)


def test_a_uniform_range_is_checked_as_numpy_does():
    p = adcore.tensor([2.0, 0.0], requires_grad=True)
    for low, high in ((p, 1.0), (p, [3.0, np.inf]), (p, np.nan), (p, p)):
        plain = [v.detach().numpy() if isinstance(v, adcore.Tensor) else v for v in (low, high)]
        for make in SOURCES.values():
            ours, numpys = (m() for m in make)
            try:
                want = numpys.uniform(*plain)
            except (ValueError, OverflowError) as error:
                with pytest.raises(type(error)):
                    ours.uniform(low, high)
            else:
                np.testing.assert_allclose(ours.uniform(low, high).detach().numpy(), want)


@pytest.mark.parametrize("name", BY_DISTRIBUTION)
def test_samples_in_all_modes(name):
    """Reverse against forward, of first and second order, with one parameter broadcast."""
    p = [np.array([v, 1.2 * v]) if i == 0 else v for i, v in enumerate(parameters(name))]
    v = [np.array([0.3, -0.2]) if i == 0 else 0.7 for i in range(len(p))]
    every = tuple(range(len(p)))

    def f(*p):
        return anp.sum(getattr(anp.random.default_rng(3), name)(*p, size=(4, 2)) ** 2)

    def pair(a, b):
        return sum(anp.sum(x * y) for x, y in zip(a, b, strict=True))

    grads = adcore.grad(f, every)
    assert adcore.jvp(f, p, v)[1] == pytest.approx(pair(grads(*p), v), rel=1e-12)
    back = adcore.grad(lambda *p: pair(grads(*p), v), every)(*p)
    forward = adcore.jvp(grads, p, v)[1]
    for a, b in zip(back, forward, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


def test_module_functions_go_on_with_numpys_state():
    np.random.seed(3)  # noqa: NPY002
    want = np.random.normal(0.0, 2.0, 3)  # noqa: NPY002
    anp.random.seed(3)
    np.testing.assert_array_equal(anp.random.normal(0.0, 2.0, 3), want)
    anp.random.seed(3)
    got = adcore.grad(lambda s: anp.sum(anp.random.normal(0.0, s, 3)))(2.0)
    np.testing.assert_allclose(got, want.sum() / 2.0, rtol=1e-14)
    assert isinstance(anp.random.default_rng(1), np.random.Generator)
    assert all(type(g) is anp.random.Generator for g in anp.random.default_rng(1).spawn(2))


def test_drawing_in_a_compiled_function_is_an_error():
    rng = anp.random.default_rng(1)
    for draw in (rng.normal, anp.random.standard_normal, lambda: rng.integers(5)):
        f = adcore.compile(lambda x, draw=draw: x * draw())
        with pytest.raises(NotDifferentiableError, match="pass them as an argument"):
            f(1.0)

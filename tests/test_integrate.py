"""scipy.integrate on tensors: values are SciPy's, derivatives closed forms or identities."""

import functools
import math
import threading

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.special

import adcore
from adcore import errors
from adcore.scipy import integrate
from adcore.testing import check_grads

ORDERS = {
    "reverse": lambda f: (adcore.grad(f), adcore.grad(adcore.grad(f))),
    "forward": lambda f: (adcore.jacfwd(f), adcore.jacfwd(adcore.jacfwd(f))),
    "forward over reverse": lambda f: (adcore.grad(f), adcore.jacfwd(adcore.grad(f))),
    "reverse over forward": lambda f: (adcore.jacfwd(f), adcore.grad(adcore.jacfwd(f))),
}
modes = pytest.mark.parametrize("mode", ORDERS)


def holds(f, at, first, second, rtol=1e-9, atol=1e-9, mode=None):
    """First and second derivatives of a function of one number."""
    for name in [mode] if mode else ORDERS:
        one, two = ORDERS[name](f)
        np.testing.assert_allclose(one(at), first, rtol=rtol, atol=atol, err_msg=name)
        np.testing.assert_allclose(two(at), second, rtol=rtol, atol=atol, err_msg=name)


# ---- names ----


def test_every_name_has_a_state():
    differentiable = {
        *("quad", "dblquad", "tplquad", "nquad", "quad_vec", "fixed_quad", "trapezoid", "romb"),
        *("cumulative_trapezoid", "simpson", "cumulative_simpson", "solve_ivp", "odeint"),
    }
    states = {name: integrate.state(name) for name in scipy.integrate.__all__}
    assert {n for n, s in states.items() if s == "differentiable"} == differentiable
    assert set(states) == set(integrate.__all__)
    assert all(hasattr(integrate, name) for name in states)


def arguments_of(x):
    """Arguments with a tensor among them, whatever the function takes."""
    return (lambda *_: x, 0.0, [1.0], 1.0)


@pytest.mark.parametrize(
    "name", [n for n in scipy.integrate.__all__ if integrate.state(n) == "refused"]
)
def test_what_is_refused_names_itself(name):
    x = adcore.tensor(1.0, requires_grad=True)
    with pytest.raises(errors.NotDifferentiableError, match=rf"scipy\.integrate\.{name} of a"):
        getattr(integrate, name)(*arguments_of(x))


def test_what_is_refused_serves_plain_arguments():
    solver = integrate.RK45(lambda t, y: -y, 0.0, [1.0], 1.0)
    solver.step()
    assert isinstance(solver, scipy.integrate.RK45)
    assert integrate.tanhsinh(np.exp, 0.0, 1.0).integral == pytest.approx(math.e - 1)


# ---- quad ----


def gauss(x, k):
    return np.exp(-k * x * x)


def test_quad_of_plain_arguments_is_scipys():
    assert integrate.quad(gauss, 0.0, 2.0, (1.5,)) == scipy.integrate.quad(gauss, 0.0, 2.0, (1.5,))
    ours = integrate.quad(gauss, 0.0, 2.0, 1.5, full_output=1)
    theirs = scipy.integrate.quad(gauss, 0.0, 2.0, 1.5, full_output=1)
    assert ours[:2] == theirs[:2]
    assert ours[2]["neval"] == theirs[2]["neval"]


def test_quad_of_tensors_has_scipys_value_and_error():
    k = adcore.tensor(1.5, requires_grad=True)
    value, error = integrate.quad(gauss, 0.0, np.inf, (k,))
    assert (value.item(), error) == scipy.integrate.quad(gauss, 0.0, np.inf, (1.5,))
    *_, info = integrate.quad(gauss, 0.0, 2.0, (k,), full_output=1)
    assert info["neval"] == 21


@modes
def test_quad_in_a_parameter_over_the_line(mode):
    k = 1.5
    holds(
        lambda k: integrate.quad(gauss, -np.inf, np.inf, (k,))[0],
        k,
        -0.5 * math.sqrt(math.pi) * k**-1.5,
        0.75 * math.sqrt(math.pi) * k**-2.5,
        mode=mode,
    )


@modes
def test_quad_in_its_limits(mode):
    """The integral of exp(x) from u to u^2, by Leibniz."""
    u = 1.3
    e = math.exp
    holds(
        lambda u: integrate.quad(np.exp, u, u * u)[0],
        u,
        2 * u * e(u * u) - e(u),
        (2 + 4 * u * u) * e(u * u) - e(u),
        mode=mode,
    )


def test_quad_in_limits_and_parameters_at_once():
    """The integral of x^p from a to b has closed derivatives of all kinds."""

    def of(v):
        return integrate.quad(lambda x, p: x**p, v[0], v[1], args=(v[2],))[0]

    def closed(v):
        return (v[1] ** (v[2] + 1) - v[0] ** (v[2] + 1)) / (v[2] + 1)

    v = np.array([0.5, 2.0, 1.7])
    np.testing.assert_allclose(adcore.grad(of)(v), adcore.grad(closed)(v), rtol=1e-10)
    np.testing.assert_allclose(adcore.jacfwd(of)(v), adcore.grad(closed)(v), rtol=1e-10)
    h = adcore.hessian(closed)(v)
    np.testing.assert_allclose(adcore.hessian(of)(v), h, rtol=1e-9)
    np.testing.assert_allclose(adcore.jacfwd(adcore.grad(of))(v), h, rtol=1e-9)
    np.testing.assert_allclose(adcore.jacrev(adcore.jacfwd(of))(v), h, rtol=1e-9)


@modes
def test_quad_with_a_singularity_at_an_end(mode):
    """What is hard about x^a log(x)^2 is left to QUADPACK: no fixed sum would integrate it."""
    a = -0.5
    holds(
        lambda a: integrate.quad(lambda x: x**a, 0.0, 1.0)[0],
        a,
        -((a + 1) ** -2),
        2 * (a + 1) ** -3,
        rtol=1e-7,
        mode=mode,
    )


def test_quad_where_the_derivative_is_harder_than_the_value():
    """At rate 0 the integrand is 1, which one panel integrates; its derivative has a corner."""

    def f(rate):
        return integrate.quad(lambda x: np.exp(-rate * abs(x - 0.3)), 0.0, 1.0)[0]

    first = -(0.3**2 + 0.7**2) / 2
    second = (0.3**3 + 0.7**3) / 3
    holds(f, 0.0, first, second, rtol=1e-8)


def test_quad_third_derivative():
    def line(k):
        return integrate.quad(gauss, -np.inf, np.inf, (k,))[0]

    third = adcore.grad(adcore.grad(adcore.grad(line)))
    assert third(1.5) == pytest.approx(-1.875 * math.sqrt(math.pi) * 1.5**-3.5, rel=1e-9)


class Model:
    def __init__(self, rate):
        self.rate = rate

    def density(self, x):
        return self.rate * np.exp(-self.rate * x)

    def __call__(self, x):
        return self.density(x)


def scaled(scale, x):
    return scale * x


def with_default(rate):
    def f(x, rate=rate):
        return np.exp(-rate * x)

    return f


def nested_closure(rate):
    def inner(x):
        return np.exp(-rate * x)

    return lambda x: inner(x)


def counting(rate):
    """A function that writes to its own closure goes on doing so."""
    calls = 0

    def f(x):
        nonlocal calls
        calls += 1
        return np.exp(-rate * x) + 0.0 * calls

    return f


def recursive(rate):
    def f(x, depth=2):
        return f(x, depth - 1) if depth else np.exp(-rate * x)

    return f


GLOBAL = None


def of_global(x):
    return np.exp(-GLOBAL * x)


DECAY = {
    "closure": lambda rate: lambda x: np.exp(-rate * x),
    "nested closure": nested_closure,
    "recursive": recursive,
    "default": with_default,
    "writes to its closure": counting,
    "dict": lambda rate: (lambda given: lambda x: np.exp(-given["rates"][0] * x))(
        {"rates": [rate]}
    ),
    "array": lambda rate: (lambda v: lambda x: np.exp(-v[1] * x))(adcore.stack([0.0, rate])),
    "partial": lambda rate: functools.partial(lambda k, x: np.exp(-k * x), rate),
    "partial keyword": lambda rate: functools.partial(lambda x, k: np.exp(-k * x), k=rate),
    "composed": lambda rate: lambda x: np.exp(-functools.partial(scaled, rate)(x)),
    "transform": lambda rate: adcore.grad(lambda x: -np.exp(-rate * x) / rate),
}


@pytest.mark.parametrize("kind", DECAY)
def test_quad_sees_what_the_integrand_closes_over(kind):
    """The integral of exp(-rate x) over [0, inf) is 1 / rate."""
    rate = 1.7

    def f(rate):
        return integrate.quad(DECAY[kind](rate), 0.0, np.inf)[0]

    holds(f, rate, -(rate**-2), 2 * rate**-3, rtol=1e-8)


def test_quad_of_methods_and_callable_objects():
    """The integral of the density up to 1 is 1 - exp(-rate)."""
    for integrand in (lambda rate: Model(rate).density, Model, Slotted):
        holds(
            lambda rate, g=integrand: integrate.quad(g(rate), 0.0, 1.0)[0],
            0.7,
            math.exp(-0.7),
            -math.exp(-0.7),
        )


def test_quad_sees_globals():
    def f(rate):
        global GLOBAL
        GLOBAL = rate
        try:
            return integrate.quad(of_global, 0.0, np.inf)[0]
        finally:
            GLOBAL = None

    holds(f, 1.7, -(1.7**-2), 2 * 1.7**-3, rtol=1e-8)


class Slotted:
    __slots__ = ("rate",)

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, x):
        return self.rate * np.exp(-self.rate * x)


def test_quad_refuses_what_it_cannot_find():
    def f(rate):
        hidden = iter([rate] * 1000)
        return integrate.quad(lambda x, k: np.exp(-next(hidden) * k * x), 0.0, 1.0, (rate,))[0]

    with pytest.raises(errors.NotDifferentiableError, match="pass it through args"):
        adcore.grad(f)(1.0)


def test_quad_of_an_integrand_that_needs_plain_variables():
    """int(x), or a table of SciPy's, does not take tensors, and need not."""
    table = scipy.integrate.cumulative_trapezoid(np.ones(5), initial=0)

    def f(rate):
        return integrate.quad(lambda x: rate * table[int(x)] + rate**2, 0.0, 4.0, points=[1, 2, 3])[
            0
        ]

    holds(f, 0.5, 6.0 + 4.0, 8.0)


@pytest.mark.parametrize("weight", ["cos", "sin", "cauchy"])
def test_quad_with_a_weight(weight):
    wvar = {"cos": 3.0, "sin": 3.0, "cauchy": 5.0}[weight]
    of = {"cos": np.cos, "sin": np.sin}

    def weighted(a, b, k):
        return integrate.quad(gauss, a, b, (k,), weight=weight, wvar=wvar)[0]

    def written_out(a, b, k):
        def f(x, k):
            return gauss(x, k) * (of[weight](wvar * x) if weight in of else 1.0 / (x - wvar))

        return integrate.quad(f, a, b, (k,))[0]

    at, every = (0.2, 1.5, 0.8), (0, 1, 2)
    np.testing.assert_allclose(weighted(*at), written_out(*at), rtol=1e-12)
    for transform in (adcore.grad, adcore.jacfwd, adcore.hessian):
        np.testing.assert_allclose(
            transform(weighted, every)(*at), transform(written_out, every)(*at), rtol=1e-9
        )


def test_quad_with_a_weight_singular_at_its_ends():
    """The beta function by its weight: in parameters of the integrand, but not in limits."""

    def beta(k, b=1.0):
        return integrate.quad(lambda x: np.exp(-k * x), 0.0, b, weight="alg", wvar=(-0.5, 0.0))[0]

    root = math.sqrt
    exact = root(math.pi) * math.erf(1.0)
    assert beta(1.0) == pytest.approx(exact, rel=1e-10)
    # d/dk of sqrt(pi / k) erf(sqrt(k))
    assert adcore.grad(beta)(1.0) == pytest.approx(-0.5 * exact + math.exp(-1.0), rel=1e-9)
    with pytest.raises(errors.NotDifferentiableError, match="singular at the limits"):
        adcore.grad(beta, 1)(1.0, 1.0)


def test_quad_refuses_what_has_no_derivative():
    x = adcore.tensor(1.0, requires_grad=True)
    with pytest.raises(errors.NotDifferentiableError, match="wvar"):
        integrate.quad(np.exp, 0.0, 1.0, weight="cos", wvar=x)
    with pytest.raises(errors.NotDifferentiableError, match="complex_func"):
        integrate.quad(np.exp, 0.0, x, complex_func=True)


def test_quad_small_and_large_parameters_keep_their_digits():
    """Absolute tolerances follow the size of a derivative: 1e-8 would be all of it here."""
    for rate in (1e7, 1e-7):

        def f(scale, rate=rate):
            return integrate.quad(lambda x: np.exp(-((x / scale) ** 2) * rate), 0.0, 1.0)[0]

        scale = math.sqrt(rate)  # so that the integrand is exp(-x^2)
        found = adcore.grad(f)(scale)
        exact = (math.sqrt(math.pi) / 2 * math.erf(1.0) - math.exp(-1.0)) / scale
        assert found == pytest.approx(exact, rel=1e-9)


def test_quad_compiled_is_adaptive_at_every_call():
    """A peak that moves: the nodes of one call would miss it in the next."""

    def f(center, width):
        return integrate.quad(lambda x: np.exp(-(((x - center) / width) ** 2)), -10.0, 10.0)[0]

    compiled = adcore.compile(f)
    for center, width in ((0.0, 1.0), (3.3, 0.1), (-7.1, 0.05)):
        exact = math.sqrt(math.pi) * width
        assert compiled(center, width) == f(center, width)
        assert compiled(center, width) == pytest.approx(exact, rel=1e-8)
        np.testing.assert_allclose(
            compiled.grad(center, width, argnums=(0, 1)), (0.0, math.sqrt(math.pi)), atol=1e-7
        )
        h = compiled.hessian(center, width, argnums=(0, 1))
        np.testing.assert_allclose(h, np.zeros((2, 2)), atol=1e-5)


def test_quad_compiled_with_limits_that_become_infinite():
    compiled = adcore.compile(lambda b, k: integrate.quad(gauss, 0.0, b, (k,))[0])
    for b in (1.0, math.inf, 2.0):
        exact = 0.5 * math.sqrt(math.pi / 1.5) * math.erf(math.sqrt(1.5) * b)
        slope = math.exp(-1.5 * b * b)
        assert compiled(b, 1.5) == pytest.approx(exact, rel=1e-9)
        by_k = -exact / 3.0 + (0.0 if b == math.inf else b * slope / 3.0)
        np.testing.assert_allclose(compiled.grad(b, 1.5, argnums=(0, 1)), (slope, by_k), rtol=1e-8)


def test_quad_compiled_as_the_first_thing_in_a_thread():
    """The thread gets its own tape while a program is recorded, and keeps it."""

    def f(k):
        return integrate.quad(
            lambda x: integrate.quad(lambda y: np.exp(-k * x * y), 0, 1)[0], 0, 1
        )[0]

    def work():
        compiled = adcore.compile(f)
        found.append((compiled(1.0), compiled.grad(1.0)))
        x = adcore.tensor(1.0, requires_grad=True)
        (x * compiled(1.0)).backward()
        found.append(x.grad.item())

    found = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(f(1.0), pytest.approx(adcore.grad(f)(1.0))), f(1.0)]


def test_quad_where_a_break_point_is_tracked():
    """Where an integrand has a corner, or a jump, that moves, the integral's derivatives see it."""

    def corner(c):
        return integrate.quad(lambda x: abs(x - c), 0.0, 1.0, points=[c])[0]

    holds(corner, 0.3, 2 * 0.3 - 1.0, 2.0)

    def jump(c):
        def f(x):
            return c * x if x < c else x**2

        return integrate.quad(f, 0.0, 1.0, points=[c])[0]

    # c^3 / 2 + (1 - c^3) / 3
    holds(jump, 0.3, 0.5 * 0.3**2, 0.3)

    def twice(c):
        return integrate.quad_vec(lambda x: abs(x - c) * np.ones(2), 0.0, 1.0, points=[c])[0].sum()

    holds(twice, 0.3, 2 * (2 * 0.3 - 1.0), 4.0, rtol=1e-6)
    compiled = adcore.compile(corner)
    for c in (0.3, 0.9, 0.01):
        assert compiled.hessian(c) == pytest.approx(2.0, rel=1e-9)


def test_quad_refuses_what_cannot_be_made_anew():
    with pytest.raises(errors.NotDifferentiableError, match=r"lru_cache_wrapper.*through args"):
        adcore.grad(
            lambda k: integrate.quad(functools.lru_cache(lambda x: np.exp(-k * x)), 0.0, 1.0)[0]
        )(1.0)


def test_loops_over_quad_take_constant_memory():
    x = adcore.tensor(2.0, requires_grad=True)

    def step():
        (integrate.quad(lambda t: np.exp(-x * t), 0.0, 1.0)[0] * x).backward()

    sizes = []
    for _ in range(3):
        for _ in range(400):
            step()
        sizes.append(adcore._core.tape_stats()["bytes"])
    assert sizes[2] <= 2 * sizes[0]


# ---- more dimensions ----


def test_dblquad_over_a_region_that_moves():
    """The integral of y exp(k x) over 0 < y < s x, 0 < x < 1."""

    def f(v):
        k, s = v[0], v[1]
        return integrate.dblquad(lambda y, x: y * np.exp(k * x), 0.0, 1.0, 0.0, lambda x: s * x)[0]

    def closed(v):
        k, s = v[0], v[1]
        e = np.exp(k)
        return s**2 / 2 * (e / k - 2 * e / k**2 + 2 * (e - 1.0) / k**3)

    v = np.array([0.7, 1.3])
    plain = scipy.integrate.dblquad(
        lambda y, x: y * np.exp(0.7 * x), 0.0, 1.0, 0.0, lambda x: 1.3 * x
    )
    assert f(v) == plain[0]
    np.testing.assert_allclose(adcore.grad(f)(v), adcore.grad(closed)(v), rtol=1e-9)
    np.testing.assert_allclose(adcore.jacfwd(f)(v), adcore.grad(closed)(v), rtol=1e-9)
    np.testing.assert_allclose(adcore.hessian(f)(v), adcore.hessian(closed)(v), rtol=1e-8)


def test_tplquad_and_nquad():
    """The integral of x + 2 y + 3 z over a simplex of side s is s^4 / 4; SciPy's order of args."""

    def f(s, k):
        return integrate.tplquad(
            lambda z, y, x, k: k * (x + 2 * y + 3 * z),
            *(0.0, s, 0.0, lambda x: s - x, 0.0, lambda x, y: s - x - y),
            args=(k,),
        )[0]

    assert f(1.0, 2.0) == pytest.approx(0.5, rel=1e-12)
    np.testing.assert_allclose(adcore.grad(f, (0, 1))(1.5, 2.0), (2 * 1.5**3, 1.5**4 / 4))
    np.testing.assert_allclose(adcore.jacfwd(f, (0, 1))(1.5, 2.0), (2 * 1.5**3, 1.5**4 / 4))

    def g(s):
        ranges = [lambda y, k: (0.0, k * y), (0.0, s)]
        return integrate.nquad(lambda x, y, k: x * y * k, ranges, args=(s,), opts={"limit": 60})[0]

    # s^3 / 2 times the integral of y^3 up to s
    holds(g, 1.2, 7 / 8 * 1.2**6, 42 / 8 * 1.2**5, mode="forward over reverse")


def test_quad_vec():
    powers = np.arange(4.0)

    def f(v):
        return integrate.quad_vec(lambda x: np.exp(-v[0] * x) * x**powers, 0.0, v[1])[0]

    def closed(v):
        k, b = v[0], v[1]
        upper = [adcore.scipy.special.gammainc(n + 1.0, k * b) * math.gamma(n + 1) for n in powers]
        return adcore.stack([u / k ** (n + 1) for n, u in zip(powers, upper, strict=True)])

    v = np.array([0.9, 2.0])
    theirs = scipy.integrate.quad_vec(lambda x: np.exp(-0.9 * x) * x**powers, 0.0, 2.0)[0]
    np.testing.assert_array_equal(f(v), theirs)
    np.testing.assert_allclose(f(v), closed(v), rtol=1e-9)
    for transform in (adcore.jacrev, adcore.jacfwd):
        np.testing.assert_allclose(transform(f)(v), transform(closed)(v), rtol=1e-7)
    np.testing.assert_allclose(
        adcore.hessian(lambda v: f(v).sum())(v),
        adcore.hessian(lambda v: closed(v).sum())(v),
        rtol=1e-6,
    )


def test_fixed_quad():
    def f(a, b, k):
        return integrate.fixed_quad(lambda x: np.exp(-k * x), a, b, n=6)[0]

    assert f(0.0, 1.0, 2.0) == scipy.integrate.fixed_quad(lambda x: np.exp(-2 * x), 0, 1, n=6)[0]
    check_grads(f, (0.1, 1.2, 0.8), order=2)


# ---- samples ----

SAMPLED = {
    "trapezoid": [{}],
    "cumulative_trapezoid": [{}, {"initial": 0}],
    "simpson": [{}],
    "cumulative_simpson": [{}, {"initial": 0.5}],
}


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8, 9])
@pytest.mark.parametrize("name", SAMPLED)
def test_samples_have_scipys_values(name, n):
    rng = np.random.default_rng(n)
    y, x = rng.normal(size=(3, n)), np.cumsum(rng.uniform(0.5, 1.0, size=(3, n)), axis=1)
    ours, theirs = getattr(integrate, name), getattr(scipy.integrate, name)
    for options in SAMPLED[name]:
        for spaced in ({}, {"dx": 0.3}, {"x": x[0]}, {"x": x}):
            found = ours(adcore.tensor(y, requires_grad=True), **spaced, **options)
            expected = theirs(y, **spaced, **options)
            assert found.shape == expected.shape
            np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-14, atol=1e-14)
            if spaced.get("x") is x:
                spaced = {"x": x.T}
            found = ours(adcore.tensor(y.T.copy(), requires_grad=True), axis=0, **spaced, **options)
            expected = theirs(y.T, axis=0, **spaced, **options)
            np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("n", [2, 5, 6])
@pytest.mark.parametrize("name", SAMPLED)
def test_samples_are_differentiable_in_values_and_places(name, n):
    rng = np.random.default_rng(n)
    y, x = rng.normal(size=n), np.cumsum(rng.uniform(0.5, 1.0, size=n))
    f = getattr(integrate, name)
    check_grads(lambda y, x: f(y, x=x), (y, x), order=2)
    check_grads(lambda y, d: f(y, dx=d), (y, 0.3), order=2)


def test_simpson_with_samples_at_one_place():
    y, x = np.arange(6.0) ** 2, np.array([0.0, 1.0, 1.0, 2.0, 3.0, 4.0])
    found = integrate.simpson(adcore.tensor(y, requires_grad=True), x=x)
    assert found.item() == pytest.approx(scipy.integrate.simpson(y, x=x), rel=1e-14)


@pytest.mark.parametrize("n", [2, 3, 5, 17])
def test_romb(n):
    y = np.random.default_rng(n).normal(size=(n, 2))
    found = integrate.romb(adcore.tensor(y, requires_grad=True), dx=0.3, axis=0)
    expected = scipy.integrate.romb(y, dx=0.3, axis=0)
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-14)
    check_grads(lambda y, d: integrate.romb(y, d), (y[:, 0], 0.3), order=2)


def test_samples_are_checked_as_scipy_does():
    y = adcore.tensor(np.ones(4), requires_grad=True)
    with pytest.raises(ValueError, match="power of 2"):
        integrate.romb(y)
    with pytest.raises(ValueError, match="length of x"):
        integrate.simpson(y, x=np.arange(3.0))
    with pytest.raises(ValueError, match="strictly increasing"):
        integrate.cumulative_simpson(y, x=np.array([0.0, 1.0, 1.0, 2.0]))
    with pytest.raises(ValueError, match="initial"):
        integrate.cumulative_trapezoid(y, initial=1.0)


@pytest.mark.parametrize(("shape", "axis"), [((0, 4), 1), ((5, 0), 0)])
def test_cumulative_simpson_of_no_rows(shape, axis):
    found = integrate.cumulative_simpson(
        adcore.tensor(np.zeros(shape), requires_grad=True), axis=axis
    )
    assert found.shape == scipy.integrate.cumulative_simpson(np.zeros(shape), axis=axis).shape

"""Linear algebra: values against NumPy's and SciPy's, derivatives against differences in 60 digits.

Functions and oracles are those of linalg_cases.py.
"""

import inspect
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import mpmath as mp
import numpy as np
import pytest
import scipy.linalg

import adcore
import adcore.numpy as anp
import adcore.scipy.linalg as asl
from adcore import _core
from adcore.errors import DegenerateError, DomainError, LinAlgError, NotDifferentiableError
from adcore.testing import check_grads
from linalg_cases import (
    CASES,
    case,
    differences,
    dot,
    matrix_function,
    mp_norm,
    rng_of,
    spd,
    squared,
    to_mp,
)

DIGITS = 60


@pytest.fixture(autouse=True)
def _digits():
    with mp.workdps(DIGITS):
        yield


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    x, f, f_mp, u, v = case(name)
    assert np.ptp(x) > 0
    value, first, second = differences(f_mp, x, u, v)
    close = {"rtol": 1e-9, "atol": 1e-10 * (1 + abs(second))}
    np.testing.assert_allclose(f(x), value, rtol=1e-11)
    np.testing.assert_allclose(np.sum(adcore.grad(f)(x) * u), first, **close)
    np.testing.assert_allclose(adcore.jvp(f, (x,), (u,))[1], first, **close)
    h = adcore.hessian(f)(x)
    np.testing.assert_allclose(np.einsum("ijkl,ij,kl", h, u, v), second, **close)
    np.testing.assert_allclose(h, np.transpose(h, (2, 3, 0, 1)), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(np.sum(adcore.hvp(f, (x,), (u,))[1] * v), second, **close)
    # forward over forward, and reverse over reverse
    twice = adcore.jvp(lambda x: adcore.jvp(f, (x,), (u,))[1], (x,), (v,))[1]
    np.testing.assert_allclose(twice, second, **close)
    back = adcore.grad(lambda x: np.sum(adcore.grad(f)(x) * u))(x)
    np.testing.assert_allclose(np.sum(back * v), second, **close)


@pytest.mark.parametrize("name", CASES)
def test_compiled(name, tmp_path):
    x, f, _, u, _ = case(name)
    g = adcore.compile(f)
    for at in (x, x + 0.01 * u):
        np.testing.assert_allclose(g(at), f(at), rtol=1e-12)
        np.testing.assert_allclose(g.grad(at), adcore.grad(f)(at), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(g.hessian(at), adcore.hessian(f)(at), rtol=1e-8, atol=1e-8)
    g.save(tmp_path / "program")
    loaded = adcore.load(tmp_path / "program")
    np.testing.assert_array_equal(loaded.grad(at), g.grad(at))
    np.testing.assert_array_equal(loaded.hessian(at), g.hessian(at))


# ---- batches, broadcasting, layout, nothing ----

BATCHED = {
    "solve": lambda a: np.linalg.solve(a, a[..., :1]),
    "solve vector": lambda a: np.linalg.solve(a, np.arange(3.0)),
    "inv": np.linalg.inv,
    "det": np.linalg.det,
    "slogdet": lambda a: np.linalg.slogdet(a).logabsdet,
    "sign": lambda a: np.linalg.slogdet(a).sign,
    "cholesky": lambda a: np.linalg.cholesky(a @ np.swapaxes(a, -1, -2)),
    "qr": lambda a: np.linalg.qr(a).R,
    "eigvalsh": np.linalg.eigvalsh,
    "eigh": lambda a: np.linalg.eigh(a).eigenvectors,
    "eigvals": lambda a: np.linalg.eigvals(np.linalg.matrix_power(a + a.mT, 1)),
    "svdvals": lambda a: np.linalg.svdvals(a[..., :2]),
    "svd": lambda a: np.abs(np.linalg.svd(a)[0]),
    "pinv": lambda a: np.linalg.pinv(a[..., :2, :]),
    "matrix_power": lambda a: np.linalg.matrix_power(a, -3),
    "norm": lambda a: np.linalg.norm(a, "nuc", axis=(-2, -1)),
    "norm axes": lambda a: np.linalg.norm(a, 2, axis=(-1, 0), keepdims=True),
    "matrix_norm": lambda a: np.linalg.matrix_norm(a, ord=-2),
    "cond": np.linalg.cond,
}


@pytest.mark.parametrize("name", BATCHED)
def test_batches(name):
    function = BATCHED[name]
    rng = rng_of(name)
    a = (rng.normal(size=(2, 3, 4, 3)) + 3 * np.eye(4, 3)).swapaxes(-1, -2)[..., :3]
    assert not a.flags.c_contiguous
    want = function(a)
    w = rng.normal(size=want.shape)
    got = function(adcore.tensor(a, requires_grad=True))
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=1e-11, atol=1e-12)

    def f(a):
        return np.sum(w * function(a))

    g = adcore.grad(f)(a)
    u = rng.normal(size=a.shape)
    np.testing.assert_allclose(np.sum(g * u), adcore.jvp(f, (a,), (u,))[1], rtol=1e-9, atol=1e-9)
    if "axes" not in name:  # each matrix is for itself
        one = adcore.grad(lambda x: np.sum(w[1, 2] * function(x)))(a[1, 2])
        np.testing.assert_allclose(g[1, 2], one, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    ("a_shape", "b_shape"),
    [((3, 3), (5, 3, 2)), ((4, 1, 3, 3), (5, 3, 2)), ((4, 3, 3), (3,)), ((5, 3, 3), (3, 2))],
)
def test_solve_broadcasts(a_shape, b_shape):
    rng = rng_of("broadcast")
    a = rng.normal(size=a_shape) + 4 * np.eye(3)
    b = rng.normal(size=b_shape)
    want = np.linalg.solve(a, b)
    got = np.linalg.solve(adcore.tensor(a, requires_grad=True), adcore.tensor(b))
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=1e-12)
    w = rng.normal(size=want.shape)
    ga, gb = adcore.grad(lambda a, b: np.sum(w * np.linalg.solve(a, b)), argnums=(0, 1))(a, b)
    v = np.linalg.solve(np.swapaxes(a, -1, -2), w[..., None] if b.ndim == 1 else w)
    x = want[..., None] if b.ndim == 1 else want
    full = -v @ np.swapaxes(x, -1, -2)
    np.testing.assert_allclose(ga, _summed(full, a.shape), rtol=1e-11)
    np.testing.assert_allclose(gb, _summed(v[..., 0] if b.ndim == 1 else v, b.shape), rtol=1e-11)


def _summed(x, shape):
    while x.ndim > len(shape):
        x = x.sum(axis=0)
    for d, n in enumerate(shape):
        if n == 1 and x.shape[d] != 1:
            x = x.sum(axis=d, keepdims=True)
    return x


@pytest.mark.parametrize("shape", [(0, 0), (0, 3, 3), (1, 1)])
@pytest.mark.parametrize("name", ["inv", "det", "cholesky", "eigvalsh", "svdvals", "pinv", "qr"])
def test_small_and_empty(name, shape):
    function = getattr(np.linalg, name)
    x = np.full(shape, 2.0)
    got, want = function(adcore.tensor(x, requires_grad=True)), function(x)
    if name == "qr":
        got, want = got.Q @ got.R, want.Q @ want.R
    np.testing.assert_allclose(got.detach().numpy(), want)
    g = adcore.grad(lambda x: np.sum(function(x) if name != "qr" else function(x).R))(x)
    assert g.shape == shape
    if shape == (1, 1):
        known = {"inv": -0.25, "cholesky": 0.5 / np.sqrt(2.0), "pinv": -0.25}
        np.testing.assert_allclose(g, [[known.get(name, 1.0)]])


def test_results_have_the_types_of_numpy():
    a = adcore.tensor(np.diag([1.0, 2.0]), requires_grad=True)
    for name in ("eigh", "svd", "qr", "slogdet", "eig"):
        function = getattr(np.linalg, name)
        assert type(function(a)) is type(function(np.eye(2)))
    assert anp.linalg.inv is not np.linalg.inv
    np.testing.assert_allclose(
        anp.linalg.inv([[a[0, 0], 0.0], [0.0, 4.0]]).detach().numpy(), np.diag([1.0, 0.25])
    )
    assert type(anp.linalg.inv(np.eye(2))) is np.ndarray
    x, residuals, rank, s = np.linalg.lstsq(a, np.ones(2))
    assert rank == 2
    assert residuals.shape == (0,)
    assert np.linalg.matrix_rank(a) == 2
    np.testing.assert_allclose((x * s).detach().numpy(), [2.0, 0.5])


def test_every_function_has_a_case(monkeypatch):
    used = set()

    def noted(function, rule):
        def call(*args, **kwargs):
            used.add(function)
            return rule(*args, **kwargs)

        return call

    functions = {getattr(np.linalg, name) for name in np.linalg.__all__} - {np.linalg.LinAlgError}
    assert functions <= set(_core.ARRAY_FUNCTIONS)
    for function in functions:
        monkeypatch.setitem(
            _core.ARRAY_FUNCTIONS, function, noted(function, _core.ARRAY_FUNCTIONS[function])
        )
    x = rng_of("any").normal(size=(4, 4)) + 3 * np.eye(4)
    for shape, function, *_ in CASES.values():
        function(adcore.tensor(x[: shape[0], : shape[1]], requires_grad=True))
    for function in BATCHED.values():
        function(adcore.tensor(np.stack([x[:3, :3]] * 3), requires_grad=True))
    elsewhere = {
        "diagonal",
        "trace",
        "matrix_transpose",
        "vecdot",
        "vector_norm",
        "matmul",
        "outer",
    }
    elsewhere |= {"tensordot", "cross", "matrix_rank"}
    assert {f.__name__ for f in functions - used} <= elsewhere


# ---- determinants of singular matrices ----


@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
def test_det_of_any_rank(rank):
    rng = rng_of(f"rank {rank}")
    a = rng.normal(size=(4, rank)) @ rng.normal(size=(rank, 4))
    u, v = rng.normal(size=(2, 4, 4))
    _, first, second = differences(mp.det, a, u, v)
    for f in (np.linalg.det, adcore.compile(np.linalg.det)):
        g = f.grad(a) if f is not np.linalg.det else adcore.grad(f)(a)
        h = f.hessian(a) if f is not np.linalg.det else adcore.hessian(f)(a)
        np.testing.assert_allclose(np.sum(g * u), first, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(np.einsum("ijkl,ij,kl", h, u, v), second, rtol=1e-9, atol=1e-12)


# ---- equal eigenvalues ----


def orthogonal(n):
    return np.linalg.qr(rng_of("orthogonal").normal(size=(n, n)))[0]


Q4 = orthogonal(4)
TIED = {
    "identity": np.eye(4),
    "two pairs": Q4 @ np.diag([1.0, 1.0, 3.0, 3.0]) @ Q4.T,
    "one pair": Q4 @ np.diag([0.5, 2.0, 2.0, 3.0]) @ Q4.T,
    "jitter": Q4[:, :2] @ Q4[:, :2].T + 1e-8 * np.eye(4),
    "small": Q4 @ np.diag([1e-8, 2e-8, 1.0, 1.0]) @ Q4.T,
    "nearly": Q4 @ np.diag([1.0, 1.0 + 1e-13, 2.0, 2.0 + 1e-11]) @ Q4.T,
    "almost": Q4 @ np.diag([1.0, 1.0 + 1e-9, 2.0, 2.0 + 1e-6]) @ Q4.T,
}
SPECTRAL = {
    "exp": (lambda w: np.sum(np.exp(w)), mp.exp),
    "logdet": (lambda w: np.sum(np.log(w)), mp.log),
    "root": (lambda w: np.sum(np.sqrt(w)), mp.sqrt),
    "cube": (lambda w: np.sum(w**3), lambda x: x**3),
}


@pytest.mark.parametrize("name", SPECTRAL)
@pytest.mark.parametrize("at", TIED)
@pytest.mark.parametrize("how", ["eager", "compiled", "hvp"])
def test_spectral_sums_at_equal_eigenvalues(name, at, how):
    of_values, one = SPECTRAL[name]
    a = (TIED[at] + TIED[at].T) / 2
    rng = rng_of(name + at)
    u, v = ((x + x.T) / 2 for x in rng.normal(size=(2, 4, 4)))

    def f(a):
        return of_values(np.linalg.eigvalsh(a))

    _, first, second = differences(
        lambda x: mp.fsum(one(w) for w in mp.eigsy(x, eigvals_only=True)), a, u, v
    )
    c = adcore.compile(f)
    g = (c.grad if how == "compiled" else adcore.grad(f))(a)
    # what is as small as 1e-8 of the largest is known to as many digits
    ill = 1e-6 if at in ("jitter", "small") else 0.0
    np.testing.assert_allclose(np.sum(g * u), first, rtol=max(1e-12, ill))
    if how == "hvp":
        found = np.sum(adcore.hvp(f, (a,), (u,))[1] * v)
    else:
        h = (c.hessian if how == "compiled" else adcore.hessian(f))(a)
        found = np.einsum("ijkl,ij,kl", h, u, v)
    np.testing.assert_allclose(
        found, second, rtol=max(ill, 1e-7 if at in ("almost", "nearly") else 1e-10)
    )


@pytest.mark.parametrize("at", ["identity", "two pairs", "one pair"])
@pytest.mark.parametrize("name", ["sqrtm", "logm", "expm"])
def test_matrix_functions_at_equal_eigenvalues(name, at):
    a = TIED[at]
    rng = rng_of(name)
    u, v = ((x + x.T) / 2 for x in rng.normal(size=(2, 4, 4)))
    w = rng.normal(size=(4, 4))
    of = {"sqrtm": mp.sqrt, "logm": mp.log, "expm": mp.exp}[name]
    function = getattr(asl, name)

    def f(a):
        return np.sum(w * function(a))

    a = (a + a.T) / 2
    _, first, second = differences(lambda x: dot(w, matrix_function(x, of)), a, u, v)
    np.testing.assert_allclose(np.sum(adcore.grad(f)(a) * u), first, rtol=1e-9)
    h = adcore.hessian(f)(a)
    np.testing.assert_allclose(np.einsum("ijkl,ij,kl", h, u, v), second, rtol=1e-8)


def test_nuclear_norm_and_frobenius_at_equal_singular_values():
    a = Q4[:, :3] * 2.0  # all three are 2
    u, v = rng_of("nuclear").normal(size=(2, 4, 3))
    for f, f_mp in (
        (lambda a: np.linalg.norm(a, "nuc"), lambda a: mp_norm(a, "nuc")),
        (lambda a: np.sum(np.linalg.svdvals(a) ** 2), lambda a: dot(np.ones((4, 3)), squared(a))),
    ):
        _, first, second = differences(f_mp, a, u, v)
        np.testing.assert_allclose(np.sum(adcore.grad(f)(a) * u), first, rtol=1e-12)
        h = adcore.hessian(f)(a)
        np.testing.assert_allclose(np.einsum("ijkl,ij,kl", h, u, v), second, rtol=1e-10)
    # ... and of rank 1, where the sum of squares is smooth and the nuclear norm is not
    b = np.outer(np.arange(1.0, 5.0), [1.0, 2.0, 3.0])
    h = adcore.hessian(lambda a: np.sum(np.linalg.svdvals(a) ** 2))(b)
    np.testing.assert_allclose(h.reshape(12, 12), 2.0 * np.eye(12), atol=1e-12)
    with pytest.raises(DegenerateError):
        adcore.grad(lambda a: np.linalg.norm(a, "nuc"))(b)


W4 = rng_of("w").normal(size=(4, 4))
CHOICES = {
    "vectors": lambda a: np.sum(W4 * np.linalg.eigh(a).eigenvectors),
    "logarithm by hand": lambda a: _by_hand(a, np.log),
    "power by hand": lambda a: _by_hand(a, lambda w: w**1.5),
    "greatest": lambda a: np.linalg.eigvalsh(a)[-1],
    "weighted": lambda a: np.sum(np.arange(4.0) * np.linalg.eigvalsh(a)),
    "singular vectors": lambda a: np.sum(W4 * np.linalg.svd(a)[0]),
    "spectral norm": lambda a: np.linalg.norm(a, 2),
}


def _by_hand(a, of):
    w, v = np.linalg.eigh(a)
    return np.sum(W4 * ((v * of(w)) @ v.T))


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("compiled", [False, True])
def test_choices_among_equal_eigenvalues_raise(name, compiled):
    f = CHOICES[name]
    g = adcore.compile(f)
    for d in (g.grad, g.hessian) if compiled else (adcore.grad(f), adcore.hessian(f)):
        with pytest.raises(DegenerateError, match="equal eigenvalues or singular values"):
            d(np.eye(4))


def test_unused_vectors_of_equal_eigenvalues_are_no_error():
    def f(a):
        w, v = np.linalg.eigh(a)
        assert v.shape == (4, 4)
        return np.sum(np.exp(w))

    np.testing.assert_allclose(adcore.grad(f)(np.eye(4)), np.e * np.eye(4), atol=1e-14)
    np.testing.assert_allclose(adcore.jvp(f, (np.eye(4),), (np.eye(4),))[1], 4 * np.e)
    assert np.isfinite(adcore.hessian(f)(np.eye(4))).all()


def test_vectors_of_equal_eigenvalues_in_forward_mode_are_nan():
    f = CHOICES["vectors"]
    assert np.isnan(adcore.jvp(f, (np.eye(4),), (W4,))[1])


def test_third_derivatives():
    rng = rng_of("third")
    a, u = spd(rng.normal(size=(3, 3))), spd(rng.normal(size=(3, 3)))

    def f(t, a):
        return np.linalg.slogdet(a + t * u)[1] + np.linalg.det(a + t * u)

    def on_line(t):
        x = to_mp(a) + t * to_mp(u)
        return mp.log(mp.det(x)) + mp.det(x)

    third = adcore.grad(adcore.grad(adcore.grad(f)))(0.0, a)
    np.testing.assert_allclose(third, float(mp.diff(on_line, 0, 3)), rtol=1e-9)

    def g(t):
        return np.sum(np.exp(np.linalg.eigvalsh(a + t * u)))

    def g_mp(t):
        return mp.fsum(mp.exp(w) for w in mp.eigsy(to_mp(a) + t * to_mp(u), eigvals_only=True))

    want = float(mp.diff(g_mp, 0, 3))
    np.testing.assert_allclose(adcore.grad(adcore.grad(adcore.grad(g)))(0.0), want, rtol=1e-9)
    with pytest.raises(DegenerateError):
        _third_of_tied()


def _third_of_tied():
    x = rng_of("tied").normal(size=(4, 4))

    def f(t):
        return np.sum(np.exp(np.linalg.eigvalsh(np.eye(4) + t * (x + x.T))))

    return adcore.jvp(
        lambda t: adcore.jvp(lambda t: adcore.grad(f)(t), (t,), (1.0,))[1], (0.0,), (1.0,)
    )[1]


# ---- only what is read is differentiated ----


def test_triangles_that_are_not_read_have_no_derivative():
    a = spd(rng_of("triangle").normal(size=(3, 3)))
    above = np.triu(np.ones((3, 3)), 1) == 1
    for f in (np.linalg.cholesky, np.linalg.eigvalsh):
        g = adcore.grad(lambda a, f=f: np.sum(f(a)))(a)
        assert np.all(g[above] == 0)
        assert np.all(g[above.T] != 0)
    g = adcore.grad(lambda a: np.sum(np.linalg.eigvalsh(a, "U") ** 2))(a)
    assert np.all(g[above.T] == 0)
    g = adcore.grad(lambda a: np.sum(asl.solve_triangular(a, np.ones(3), lower=True)))(a)
    assert np.all(g[above] == 0)


def test_check_finite_is_asked_at_every_replay():
    """SciPy's check of what is passed, and its absence: then LAPACK's nan is what comes back."""
    b = np.ones(2)
    compiled = adcore.compile(lambda a: asl.solve(a, b))
    unchecked = adcore.compile(lambda a: asl.solve(a, b, check_finite=False))
    for a in (np.eye(2), np.diag([2.0, 4.0])):
        np.testing.assert_array_equal(compiled(a), b / np.diag(a))
        unchecked(a)
    for bad in (np.nan, np.inf):
        a = np.diag([2.0, bad])
        for call in (compiled, compiled.jacobian):
            with pytest.raises(ValueError, match="must not contain infs or NaNs"):
                call(a)
        assert not np.isfinite(unchecked(a)).all() or bad == np.inf
    np.testing.assert_array_equal(compiled(2.0 * np.eye(2)), [0.5, 0.5])


def test_scipys_functions_of_complex_arrays_are_refused_by_name():
    for name in ("solve", "qr", "expm"):
        args = (np.eye(2), np.ones(2))[: 2 if name == "solve" else 1]
        with pytest.raises(NotDifferentiableError, match=rf"scipy\.linalg\.{name} of a complex"):
            adcore.vjp(lambda t, n=name, a=args: getattr(asl, n)(a[0] * (t + 1j), *a[1:]), 1.0)


# ---- errors ----


ERRORS = {
    "singular": (lambda a: np.linalg.inv(a - a), LinAlgError, "singular matrix"),
    "not positive": (lambda a: np.linalg.cholesky(-a), LinAlgError, "not positive definite"),
    "complex log": (lambda a: asl.logm(-a), DomainError, "logm of a matrix .* is complex"),
    "nan": (lambda a: np.linalg.svdvals(a * np.nan), LinAlgError, "did not converge"),
    "not square": (
        lambda a: np.linalg.inv(a[:1]),
        np.linalg.LinAlgError,
        r"inv takes square matrices, got shape \(1, 2\)",
    ),
    "vector": (lambda a: np.linalg.det(a[0]), np.linalg.LinAlgError, r"shape \(2,\)"),
    "rows": (
        lambda a: np.linalg.solve(a, np.ones(3)),
        ValueError,
        r"needs b with 2 rows, got shape \(3,\)",
    ),
    "qr mode": (lambda a: np.linalg.qr(a, "raw"), NotDifferentiableError, "got 'raw'"),
    "qr complete": (
        lambda a: np.linalg.qr(a[:, :1], "complete"),
        NotDifferentiableError,
        "use mode='reduced'",
    ),
    "UPLO": (lambda a: np.linalg.eigh(a, "X"), ValueError, "UPLO is 'L' or 'U', got 'X'"),
    "power": (lambda a: np.linalg.matrix_power(a, 0.5), TypeError, "integers, got 0.5"),
    "scipy other": (asl.schur, NotDifferentiableError, "scipy.linalg.schur of a tensor has no"),
    "scipy pivoting": (
        lambda a: asl.qr(a, pivoting=True),
        NotDifferentiableError,
        "does not take pivoting=",
    ),
    "scipy full": (lambda a: asl.qr(a[:, :1]), NotDifferentiableError, "use mode='economic'"),
    "scipy assume": (
        lambda a: asl.solve(a, np.ones(2), assume_a="tridiagonal"),
        NotDifferentiableError,
        "assume_a='tridiagonal'; solve_banded",
    ),
    "scipy finite": (lambda a: asl.inv(a * np.inf), ValueError, "infs or NaNs"),
    "banded": (
        lambda a: asl.solve_banded((1, 1), a, np.ones(2)),
        ValueError,
        r"\(1, 1\) are 3 diagonals, and ab has 2 rows",
    ),
    "not definite band": (
        lambda a: asl.solveh_banded(-a, np.ones(2)),
        LinAlgError,
        "not positive definite",
    ),
}


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    f, kind, text = ERRORS[name]
    with pytest.raises(kind, match=text):
        f(adcore.tensor(np.diag([1.0, 2.0]) + 0.1, requires_grad=True))


def test_a_process_that_knows_no_rules_yet_derives_what_it_loads(tmp_path):
    a = spd(rng_of("loaded").normal(size=(3, 3)))
    f = adcore.compile(
        lambda a: np.sum(np.exp(np.linalg.eigvalsh(a))) + np.linalg.det(a) * np.cumprod(a[0])[2]
    )
    f(a)
    f.save(tmp_path / "f")
    np.save(tmp_path / "a", a)
    np.save(tmp_path / "want", f.hessian(a))
    program = (
        "import sys, numpy as np, adcore; f = adcore.load(sys.argv[1] + '/f');"
        "assert 'adcore.rules.kernels' not in sys.modules and 'scipy' not in sys.modules;"
        "a, want = (np.load(f'{sys.argv[1]}/{name}.npy') for name in ('a', 'want'));"
        "np.testing.assert_allclose(f.hessian(a), want, rtol=1e-12)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)


def test_errors_in_replays():
    f = adcore.compile(lambda a: np.sum(np.linalg.inv(a)))
    assert f(np.eye(3)) == 3.0
    with pytest.raises(LinAlgError, match="singular matrix"):
        f(np.zeros((3, 3)))
    assert f(2.0 * np.eye(3)) == 1.5
    with pytest.raises(adcore.errors.TapeError, match=r"linear algebra \(lu\) cannot be .* as C"):
        f.to_c()


def test_plain_arguments_are_scipys():
    a = spd(rng_of("plain").normal(size=(3, 3)))
    for name in ("inv", "det", "expm", "cholesky", "schur", "svdvals"):
        want = getattr(scipy.linalg, name)(a)
        np.testing.assert_array_equal(getattr(asl, name)(a), want)


S3 = spd(rng_of("S3").normal(size=(3, 3)))
SCIPY = {
    "solve_discrete_lyapunov": lambda m, a: m.solve_discrete_lyapunov(0.1 * a, S3),
    "bilinear": lambda m, a: m.solve_discrete_lyapunov(0.1 * a, S3, method="bilinear"),
    "solve_lyapunov": lambda m, a: m.solve_lyapunov(a @ a.T, S3),
    "solve_toeplitz": lambda m, a: m.solve_toeplitz((a[0] + [9.0, 0.0, 0.0], a[1]), a[2]),
    "solve diagonal": lambda m, a: m.solve(a * np.eye(3), a[0], assume_a="diagonal"),
    "solve lower": lambda m, a: m.solve(np.tril(a), S3, assume_a="lower triangular"),
    "solve upper": lambda m, a: m.solve(np.triu(a), S3, assume_a="upper triangular"),
    "inv pos": lambda m, a: m.inv(a @ a.T + np.eye(3), assume_a="pos"),
    "cho_solve upper": lambda m, a: m.cho_solve((np.triu(a), False), a[0]),
    "cho_solve lower": lambda m, a: m.cho_solve((np.tril(a), True), a),
    "cholesky": lambda m, a: m.cholesky(a @ a.T + S3),
    "lu p": lambda m, a: m.lu(a)[0] @ m.lu(a)[1] @ m.lu(a)[2],
    "lu permuted": lambda m, a: m.lu(a[::-1], permute_l=True)[0],
    "lu_solve plain": lambda m, a: m.lu_solve(scipy.linalg.lu_factor(S3), a, trans=1),
    "qr": lambda m, a: m.qr(a[:, :2], mode="economic")[1],
    "qr r": lambda m, a: m.qr(a[:, :2], mode="r")[0],
    "eigh 2": lambda m, a: m.eigh(a @ a.T, S3, type=2, eigvals_only=True),
    "eigh 3": lambda m, a: m.eigh(a @ a.T, S3, type=3, subset_by_index=[1, 2])[1] ** 2,
    "eigh 1": lambda m, a: m.eigh(a @ a.T, S3, lower=False)[1] ** 2,
    "eigvalsh": lambda m, a: m.eigvalsh(a @ a.T, lower=False),
    "eig": lambda m, a: np.real(m.eig(np.diag([1.0, 4.0, 9.0]) + 0.1 * a)[1]) ** 2,
    "svd": lambda m, a: m.svd(a, full_matrices=False)[0] ** 2,
    "svdvals": lambda m, a: m.svdvals(a[:2]),
    "norm": lambda m, a: m.norm(a, "nuc") + m.norm(a[0], 3),
    "lstsq": lambda m, a: m.lstsq(a[:, :2], S3)[0],
    "pinv": lambda m, a: m.pinv(a[:2]),
    "polar": lambda m, a: m.polar(a, side="left")[1],
    "toeplitz": lambda m, a: m.toeplitz(a[0]) @ m.toeplitz(a[0], a[1]),
    "hankel": lambda m, a: m.hankel(a[0]) @ m.hankel(a[0], a[1]),
    "circulant": lambda m, a: m.circulant(a[0]) @ a,
    "companion": lambda m, a: m.companion(a[0]),
    "khatri_rao": lambda m, a: m.khatri_rao(a, a[:2]),
    "block_diag": lambda m, a: m.block_diag(a, a[0], 1.0),
}


@pytest.mark.parametrize("name", SCIPY)
def test_values_are_scipys(name):
    function = SCIPY[name]
    a = rng_of(name).normal(size=(3, 3)) + 3 * np.eye(3)
    want = function(scipy.linalg, a)
    got = function(asl, adcore.tensor(a, requires_grad=True))
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=1e-10, atol=1e-12)
    check_grads(lambda a: function(asl, a), (a,), order=2, rtol=1e-4, atol=1e-4)


def test_signatures_are_scipys():
    for name, function in asl._rules.items():
        if name != "eigvalsh":  # hands its options on to eigh
            want = list(inspect.signature(getattr(scipy.linalg, name)).parameters)
            assert list(inspect.signature(function).parameters) == want, name


def test_rows_and_threads():
    f = adcore.compile(lambda a: np.linalg.slogdet(a)[1] + np.sum(np.linalg.inv(a)))
    rows = rng_of("rows").normal(size=(40, 3, 3)) + 4 * np.eye(3)
    want = [f(a) for a in rows]
    np.testing.assert_allclose(f.map(rows), want, rtol=1e-13)
    gradient = adcore.grad(lambda a: np.linalg.slogdet(a)[1] + np.sum(np.linalg.inv(a)))
    f.grad(rows[0])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(f.grad, rows))
    np.testing.assert_allclose(found, [gradient(a) for a in rows], rtol=1e-10, atol=1e-12)


def test_log_likelihood():
    """The gradient of a Gaussian's in its covariance and mean, in closed form."""
    rng = rng_of("likelihood")
    s, m, x = spd(rng.normal(size=(5, 5))), rng.normal(size=5), rng.normal(size=5)

    def f(s, m):
        r = x - m
        return -0.5 * (np.linalg.slogdet(s)[1] + r @ np.linalg.solve(s, r))

    gs, gm = adcore.grad(f, argnums=(0, 1))(s, m)
    inverse = np.linalg.inv(s)
    e = inverse @ (x - m)
    np.testing.assert_allclose(gs, -0.5 * (inverse.T - np.outer(e, e)), rtol=1e-10)
    np.testing.assert_allclose(gm, e, rtol=1e-10)
    h = adcore.hessian(f, argnums=1)(s, m)
    np.testing.assert_allclose(h, -inverse, rtol=1e-10)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (2, 6), (2, 3, 5)])
def test_vectors_left_over_do_no_harm(shape):
    a = rng_of("left over").normal(size=shape)

    def thin(a):
        return tuple(np.linalg.svd(a, full_matrices=False))

    check_grads(thin, (a,), order=2)
    check_grads(lambda a: thin(a)[1], (a,), order=3)
    m, n = shape[-2:]
    if a.ndim == 2:

        def shown(a):
            u, _, vt = np.linalg.svd(a)
            return np.sum(vt[-1] if m < n else u[:, -1])

        with pytest.raises(DegenerateError):
            adcore.grad(shown)(a)
        assert np.isnan(adcore.jvp(shown, (a,), (a,))[1])


@pytest.mark.parametrize("shape", [(70, 2), (2, 70)])
def test_singular_values_of_matrices_far_from_square(shape):
    """Fourth powers of them sum to the square of the Gram matrix's norm."""
    rng = np.random.default_rng(5)
    a, u, v = rng.normal(size=(3, *shape))

    def by_values(a):
        return np.sum(np.linalg.svdvals(a) ** 4)

    def by_products(a):
        return np.sum((a @ a.T) ** 2)

    for f in (by_values, adcore.compile(by_values)):
        np.testing.assert_allclose(adcore.grad(f)(a), adcore.grad(by_products)(a), rtol=1e-9)
        moved, want = (adcore.hvp(g, (a,), (u,))[1] for g in (f, by_products))
        np.testing.assert_allclose(moved, want, rtol=1e-8, atol=1e-8 * abs(want).max())
    twice, want = (
        adcore.jvp(lambda x, g=g: adcore.jvp(g, (x,), (u,))[1], (a,), (v,))[1]
        for g in (by_values, by_products)
    )
    np.testing.assert_allclose(twice, want, rtol=1e-9)


@pytest.mark.parametrize("n", [1, 9, 40])
@pytest.mark.parametrize("name", ["toeplitz", "hankel", "circulant"])
def test_elements_that_are_there_many_times(name, n):
    """They are views; an index list has the same elements."""
    rng = np.random.default_rng(n)
    x, u, v = rng.normal(size=(3, n))
    weights = rng.normal(size=(n, n))
    made = getattr(scipy.linalg, name)
    places = made(np.arange(n)).astype(int)
    there = made(np.ones(n))  # hankel has zeros too

    def f(c):
        return np.sum(np.sin(getattr(asl, name)(c)) * weights)

    def by_list(c):
        return np.sum(np.sin(c[places]) * (there * weights))

    for g in (f, adcore.compile(f)):
        np.testing.assert_allclose(adcore.grad(g)(x), adcore.grad(by_list)(x), rtol=1e-12)
        moved, want = (adcore.hvp(h, (x,), (u,))[1] for h in (g, by_list))
        np.testing.assert_allclose(moved, want, rtol=1e-12)
    np.testing.assert_allclose(adcore.hessian(f)(x), adcore.hessian(by_list)(x), atol=1e-12)
    sparse = adcore.sparse.hessian(f)(x)
    np.testing.assert_allclose(sparse.toarray(), adcore.hessian(by_list)(x), atol=1e-12)
    for got, want in zip(*(adcore.taylor(h, x, v, 3) for h in (f, by_list)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9)


def test_zeros_of_either_sign_are_equal_eigenvalues():
    a = np.diag([-0.0, -0.0, 1.0])
    with pytest.raises(DegenerateError):
        adcore.grad(lambda a: np.linalg.eigh(a)[1][0, 0])(a)
    assert np.isnan(adcore.jvp(lambda a: np.linalg.eigh(a)[1][0, 0], (a,), (a + 1.0,))[1])
    rank = np.zeros((3, 3))
    with pytest.raises(DegenerateError):
        adcore.grad(lambda a: np.linalg.svd(a)[0][0, 0])(rank)


@pytest.mark.parametrize("uplo", ["L", "U"])
def test_eigenvectors_have_numpys_signs(uplo):
    for n in range(2, 9):
        a = rng_of(str(n)).normal(size=(n, n))
        seen = adcore.jvp(lambda a: np.linalg.eigh(a, uplo), (a,), (a,))[0]
        np.testing.assert_array_equal(seen[1], np.linalg.eigh(a, uplo)[1])
        # signs may change along the way that differences take
        check_grads(lambda a: np.linalg.eigh(a, uplo)[1] ** 2, (a,), order=1, step=1e-4)


def test_roots_that_are_complex():
    rng = rng_of("complex root")
    a = rng.normal(size=(3, 3))
    for b in (a + a.T, a - 3 * np.eye(3), -spd(a)):
        root, along = adcore.jvp(asl.sqrtm, (b,), (b,))
        assert np.iscomplexobj(root)
        np.testing.assert_allclose(root @ root, b, atol=1e-12)
        np.testing.assert_allclose(along, root / 2, atol=1e-12)  # the root of t b is t**0.5 root
        check_grads(asl.sqrtm, (b,), order=2)
    check_grads(lambda z: abs(asl.sqrtm(z)) ** 2, (a + 1j * a.T,), order=2)
    with pytest.raises(NotDifferentiableError, match=r"takes one matrix, got shape \(2, 3, 3\)"):
        adcore.jvp(asl.sqrtm, (np.stack([-spd(a)] * 2),), (np.stack([a] * 2),))

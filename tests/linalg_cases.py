"""Functions of linear algebra, written once in NumPy or SciPy and once in mpmath.

The oracle knows no rule: derivatives along random directions are differences of steps so small that
half of the digits are left.
"""

import mpmath as mp
import numpy as np

import adcore.scipy.linalg as asl


def rng_of(name):
    return np.random.default_rng([ord(c) for c in name])


def to_mp(a):
    return mp.matrix(np.atleast_2d(a).tolist())


def dot(w, a):
    """The sum of w * a, of an mpmath matrix or number."""
    if not isinstance(a, mp.matrix):
        return float(np.ravel(w)[0]) * a
    w = np.reshape(w, (a.rows, a.cols))
    return mp.fsum(w[i, j] * a[i, j] for i in range(a.rows) for j in range(a.cols))


def squared(a):
    return a.apply(lambda x: x * x)


def spd(a):
    """A positive definite matrix of any."""
    return a @ a.T + np.eye(len(a)) if not isinstance(a, mp.matrix) else a * a.T + mp.eye(a.rows)


def first_columns(a, n):
    return a[:, :n]


def mp_svd(a):
    """U, s, V^T with s descending."""
    u, s, vt = mp.svd_r(a)
    order = sorted(range(len(s)), key=lambda i: -s[i])
    take = mp.matrix(len(s), len(s))
    for to, i in enumerate(order):
        take[i, to] = 1
    return u * take, mp.matrix([s[i] for i in order]), take.T * vt


def mp_eig_of_any(a):
    """Of real eigenvalues: (values, vectors of length 1)."""
    values, vectors = mp.eig(a)
    n = a.rows
    out = mp.matrix(n, n)
    for j in range(n):
        size = mp.sqrt(mp.fsum(mp.re(vectors[i, j]) ** 2 for i in range(n)))
        for i in range(n):
            out[i, j] = mp.re(vectors[i, j]) / size
    return [mp.re(v) for v in values], out


def mp_pinv(a):
    return (a.T * a) ** -1 * a.T if a.rows >= a.cols else a.T * (a * a.T) ** -1


def mp_norm(a, order):
    s = mp_svd(a)[1]
    return mp.fsum(s) if order == "nuc" else s[0] if order == 2 else s[len(s) - 1]


def one_norm(a):
    return max(mp.fsum(abs(a[i, j]) for i in range(a.rows)) for j in range(a.cols))


def labelled(w, v, of):
    """Squares of eigenvectors, weighted by a function of their eigenvalues."""
    return mp.fsum(of(w[j]) * (i + 1) * v[i, j] ** 2 for j in range(v.cols) for i in range(v.rows))


def dense_of_band(band, below, above):
    n = band.cols
    a = mp.matrix(n, n)
    for r in range(below + above + 1):
        for j in range(n):
            i = r - above + j
            if 0 <= i < n:
                a[i, j] = band[r, j]
    return a


def mp_sylvester(a, b, q):
    m, n = a.rows, b.rows
    system = mp.matrix(m * n, m * n)
    for i in range(m):
        for j in range(n):
            for k in range(m):
                system[i * n + j, k * n + j] += a[i, k]
            for k in range(n):
                system[i * n + j, i * n + k] += b[k, j]
    x = mp.lu_solve(system, mp.matrix([q[i, j] for i in range(m) for j in range(n)]))
    out = mp.matrix(m, n)
    for i in range(m):
        for j in range(n):
            out[i, j] = x[i * n + j]
    return out


def mp_polar(a):
    """U above P, A = U P."""
    u, s, vt = mp_svd(a)
    u, p = u * vt, vt.T * mp.diag(list(s)) * vt
    return mp.matrix(u.tolist() + p.tolist())


def lower_of(a):
    return mp.matrix([[a[i, j] * (i >= j) for j in range(a.cols)] for i in range(a.rows)])


def lu_product(a):
    """L U of both in one matrix."""
    below = lower_of(a)
    above = a - below
    for i in range(a.rows):
        above[i, i], below[i, i] = a[i, i], 1
    return below * above


def mp_lu(a):
    """L, U of P A, P as partial pivoting has it."""
    n = a.rows
    a = a.copy()
    for k in range(n):
        best = max(range(k, n), key=lambda i: abs(a[i, k]))
        for j in range(n):
            a[k, j], a[best, j] = a[best, j], a[k, j]
        for i in range(k + 1, n):
            a[i, k] /= a[k, k]
            for j in range(k + 1, n):
                a[i, j] -= a[i, k] * a[k, j]
    return a


B = rng_of("B").normal(size=(3, 2))
C = rng_of("C").normal(size=(3, 3)) + 4 * np.eye(3)
D = np.array([[4.0, 1.0, 0.5], [1.0, 5.0, 0.3], [0.5, 0.3, 6.0]])
BAND = np.array([[0.3, 0.2, 0.5, 0.1], [4.0, 5.0, 6.0, 5.0], [0.7, -0.4, 0.6, 0.2]])


def real_eigenvalues(a):
    """A matrix with eigenvalues near 0, 2, 4, not symmetric."""
    if isinstance(a, mp.matrix):
        return mp.diag([0, 2, 4]) + a * mp.mpf("0.1")
    return np.diag([0.0, 2.0, 4.0]) + 0.1 * a


def banded(x, small=0.1):
    """Diagonals of a well-conditioned matrix."""
    return BAND + small * x if not isinstance(x, mp.matrix) else to_mp(BAND) + mp.mpf(small) * x


def definite_band(x):
    """Two diagonals of a positive definite matrix, the upper first."""
    if isinstance(x, mp.matrix):
        return to_mp(BAND[:2]) + mp.mpf(0.1) * x
    return BAND[:2] + 0.1 * x


def dense_of_definite(band):
    a = dense_of_band(band, 0, 1)
    return a + a.T - mp.diag([a[i, i] for i in range(a.rows)])


def first_row(f):
    return mp.matrix([[f(i) for i in range(4)]])


# name: (shape, function of an array, the same in mpmath)
CASES = {
    "solve": ((3, 3), lambda a: np.linalg.solve(a, B), lambda a: a**-1 * to_mp(B)),
    "solve b": ((3, 2), lambda b: np.linalg.solve(C, b), lambda b: to_mp(C) ** -1 * b),
    "solve both": (
        (3, 3),
        lambda a: np.linalg.solve(a, a.T @ a[0]),
        lambda a: a**-1 * (a.T * a[0, :].T),
    ),
    "inv": ((3, 3), np.linalg.inv, lambda a: a**-1),
    "det": ((4, 4), np.linalg.det, mp.det),
    "slogdet": ((3, 3), lambda a: np.linalg.slogdet(a)[1], lambda a: mp.log(abs(mp.det(a)))),
    "cholesky": ((3, 3), lambda a: np.linalg.cholesky(spd(a)), lambda a: mp.cholesky(spd(a))),
    "cholesky upper": (
        (3, 3),
        lambda a: np.linalg.cholesky(spd(a), upper=True),
        lambda a: mp.cholesky(spd(a)).T,
    ),
    "qr q": ((4, 3), lambda a: np.linalg.qr(a)[0] ** 2, lambda a: squared(mp.qr(a, "skinny")[0])),
    "qr r": ((4, 3), lambda a: np.linalg.qr(a)[1] ** 2, lambda a: squared(mp.qr(a, "skinny")[1])),
    "qr mode r": ((3, 3), lambda a: np.linalg.qr(a, "r") ** 2, lambda a: squared(mp.qr(a)[1])),
    "qr wide": (
        (2, 3),
        lambda a: np.linalg.qr(a).R ** 2,
        lambda a: squared(mp.qr(a[:, :2])[0].T * a),
    ),
    "eigvalsh": (
        (3, 3),
        lambda a: np.linalg.eigvalsh(spd(a)),
        lambda a: mp.eigsy(spd(a), eigvals_only=True),
    ),
    "eigh": (
        (3, 3),
        lambda a: np.linalg.eigh(spd(a)).eigenvectors ** 2,
        lambda a: squared(mp.eigsy(spd(a))[1]),
    ),
    "eigh upper": (
        (3, 3),
        lambda a: np.linalg.eigh(a, "U").eigenvalues,
        lambda a: mp.eigsy(
            mp.matrix(3, 3)
            + mp.matrix([[a[min(i, j), max(i, j)] for j in range(3)] for i in range(3)]),
            eigvals_only=True,
        ),
    ),
    "eigvalsh upper": (
        (3, 3),
        lambda a: np.linalg.eigvalsh(a, "U"),
        lambda a: mp.eigsy(
            mp.matrix([[a[min(i, j), max(i, j)] for j in range(3)] for i in range(3)]),
            eigvals_only=True,
        ),
    ),
    "eigvals": (
        (3, 3),
        lambda a: np.sum(np.linalg.eigvals(real_eigenvalues(a)) ** 3),
        lambda a: mp.fsum(v**3 for v in mp_eig_of_any(real_eigenvalues(a))[0]),
    ),
    "eig": (
        (3, 3),
        lambda a: _labelled_eig(real_eigenvalues(a)),
        lambda a: labelled(*mp_eig_of_any(real_eigenvalues(a)), mp.exp),
    ),
    "svdvals": ((4, 3), np.linalg.svdvals, lambda a: mp_svd(a)[1]),
    "svdvals wide": ((2, 3), np.linalg.svdvals, lambda a: mp_svd(a)[1]),
    "svd u": (
        (4, 3),
        lambda a: np.linalg.svd(a, full_matrices=False).U ** 2,
        lambda a: squared(mp_svd(a)[0]),
    ),
    "svd vt": ((3, 3), lambda a: np.linalg.svd(a)[2] ** 2, lambda a: squared(mp_svd(a)[2])),
    "svd hermitian": (
        (3, 3),
        lambda a: np.linalg.svd(spd(a), hermitian=True).S,
        lambda a: mp_svd(spd(a))[1],
    ),
    "norm nuc": ((3, 4), lambda a: np.linalg.norm(a, "nuc"), lambda a: mp_norm(a, "nuc")),
    "norm 2": ((3, 4), lambda a: np.linalg.norm(a, 2), lambda a: mp_norm(a, 2)),
    "norm -2": ((3, 4), lambda a: np.linalg.norm(a, -2), lambda a: mp_norm(a, -2)),
    "cond": (
        (3, 3),
        np.linalg.cond,
        lambda a: mp_norm(a, 2) / mp_norm(a, -2),
    ),
    "cond 1": (
        (3, 3),
        lambda a: np.linalg.cond(a, 1),
        lambda a: one_norm(a) * one_norm(a**-1),
    ),
    "pinv": ((4, 2), np.linalg.pinv, mp_pinv),
    "pinv wide": ((2, 4), np.linalg.pinv, mp_pinv),
    "lstsq": ((3, 2), lambda a: np.linalg.lstsq(a, B)[0], lambda a: mp_pinv(a) * to_mp(B)),
    "lstsq wide": ((3, 4), lambda a: np.linalg.lstsq(a, B)[0], lambda a: mp_pinv(a) * to_mp(B)),
    "lstsq residuals": (
        (3, 2),
        lambda a: np.linalg.lstsq(a, B[:, 0])[1],
        lambda a: mp.matrix(
            [mp.norm(to_mp(B)[:, 0] - a * (mp_pinv(a) * to_mp(B)[:, 0])) ** 2]
        ),
    ),
    "matrix_power": ((3, 3), lambda a: np.linalg.matrix_power(a, 5), lambda a: a**5),
    "matrix_power negative": ((3, 3), lambda a: np.linalg.matrix_power(a, -2), lambda a: a**-2),
    "multi_dot": (
        (3, 3),
        lambda a: np.linalg.multi_dot([B[:, 0], a, a.T, a, B]),
        lambda a: to_mp(B)[:, 0].T * a * a.T * a * to_mp(B),
    ),
    "tensorinv": (
        (4, 4),
        lambda a: np.linalg.tensorinv(a.reshape(2, 2, 4), 2).reshape(4, 4),
        lambda a: a**-1,
    ),
    "tensorsolve": (
        (4, 4),
        lambda a: np.linalg.tensorsolve(a.reshape(2, 2, 2, 2), np.eye(2)).reshape(-1),
        lambda a: a**-1 * mp.matrix([1, 0, 0, 1]),
    ),
    "scipy solve pos": (
        (3, 3),
        lambda a: asl.solve(spd(a), B, assume_a="pos"),
        lambda a: spd(a) ** -1 * to_mp(B),
    ),
    "scipy solve sym": (
        (3, 3),
        lambda a: asl.solve(spd(a), B, assume_a="sym", lower=True),
        lambda a: spd(a) ** -1 * to_mp(B),
    ),
    "scipy solve transposed": (
        (3, 3),
        lambda a: asl.solve(a, B, transposed=True),
        lambda a: a.T**-1 * to_mp(B),
    ),
    "solve_triangular": (
        (3, 3),
        lambda a: asl.solve_triangular(a, B, lower=True),
        lambda a: mp.matrix([[a[i, j] * (i >= j) for j in range(3)] for i in range(3)]) ** -1
        * to_mp(B),
    ),
    "solve_triangular T unit": (
        (3, 3),
        lambda a: asl.solve_triangular(a, B, trans="T", unit_diagonal=True),
        lambda a: mp.matrix(
            [[1 if i == j else a[j, i] * (i > j) for j in range(3)] for i in range(3)]
        )
        ** -1
        * to_mp(B),
    ),
    "cho_solve": (
        (3, 3),
        lambda a: asl.cho_solve(asl.cho_factor(spd(a)), B),
        lambda a: spd(a) ** -1 * to_mp(B),
    ),
    "cho_solve of a factor": (
        (3, 3),
        lambda a: asl.cho_solve((a, True), B),
        lambda a: (lambda t: (t * t.T) ** -1 * to_mp(B))(lower_of(a)),
    ),
    "cho_solve of an upper factor": (
        (3, 3),
        lambda a: asl.cho_solve((a.T, False), a[:, :2]),
        lambda a: (lambda t: (t * t.T) ** -1 * a[:, :2])(lower_of(a)),
    ),
    "lu_solve of factors": (
        (3, 3),
        lambda a: asl.lu_solve((a, [1, 2, 2]), a[:, :2]),
        lambda a: lu_product(a) ** -1 * _rows(a[:, :2], [1, 2, 0]),
    ),
    "lu_solve of factors T": (
        (3, 3),
        lambda a: asl.lu_solve((a, [1, 2, 2]), a[:, :2], trans=1),
        lambda a: _rows(lu_product(a).T ** -1 * a[:, :2], [2, 0, 1]),
    ),
    "lstsq values": (
        (4, 3),
        lambda a: np.linalg.lstsq(a, a[:, 0])[3],
        lambda a: mp_svd(a)[1],
    ),
    "polar of a tall matrix": (
        (4, 2),
        lambda a: np.concatenate(asl.polar(a)),
        lambda a: mp_polar(a),
    ),
    "lu": ((3, 3), lambda a: asl.lu(a)[1] + asl.lu(a)[2] - np.eye(3), mp_lu),
    "lu_solve": (
        (3, 3),
        lambda a: asl.lu_solve(asl.lu_factor(a), B),
        lambda a: a**-1 * to_mp(B),
    ),
    "lu_solve T": (
        (3, 3),
        lambda a: asl.lu_solve(asl.lu_factor(a), B, trans=1),
        lambda a: a.T**-1 * to_mp(B),
    ),
    "solve_banded": (
        (3, 4),
        lambda x: asl.solve_banded((1, 1), banded(x), np.arange(1.0, 5.0)),
        lambda x: dense_of_band(banded(x), 1, 1) ** -1 * mp.matrix([1, 2, 3, 4]),
    ),
    "solve_banded uneven": (
        (3, 4),
        lambda x: asl.solve_banded((2, 0), banded(x)[[1, 0, 2]], np.arange(1.0, 5.0)),
        lambda x: dense_of_band(_rows(banded(x), [1, 0, 2]), 2, 0) ** -1 * mp.matrix([1, 2, 3, 4]),
    ),
    "solveh_banded": (
        (2, 4),
        lambda x: asl.solveh_banded(definite_band(x), np.arange(1.0, 5.0)),
        lambda x: dense_of_definite(definite_band(x)) ** -1 * mp.matrix([1, 2, 3, 4]),
    ),
    "solveh_banded lower": (
        (2, 4),
        lambda x: asl.solveh_banded(definite_band(x)[::-1], np.arange(1.0, 5.0), lower=True),
        lambda x: _of_lower(_rows(definite_band(x), [1, 0])) ** -1 * mp.matrix([1, 2, 3, 4]),
    ),
    "expm": ((3, 3), asl.expm, lambda a: mp.expm(a, method="taylor")),
    "expm large": ((3, 3), lambda a: asl.expm(5.0 * a), lambda a: mp.expm(5 * a, method="taylor")),
    "sqrtm": ((3, 3), lambda a: asl.sqrtm(spd(a)), lambda a: matrix_function(spd(a), mp.sqrt)),
    "logm": ((3, 3), lambda a: asl.logm(spd(a)), lambda a: matrix_function(spd(a), mp.log)),
    "polar": (
        (3, 3),
        lambda a: asl.polar(a)[0],
        lambda a: a * matrix_function(a.T * a, lambda x: 1 / mp.sqrt(x)),
    ),
    "solve_sylvester": (
        (3, 3),
        lambda a: asl.solve_sylvester(spd(a), C[:2, :2] @ C[:2, :2].T, a[:, :2]),
        lambda a: mp_sylvester(spd(a), to_mp(C[:2, :2] @ C[:2, :2].T), a[:, :2]),
    ),
    "solve_continuous_lyapunov": (
        (3, 3),
        lambda a: asl.solve_continuous_lyapunov(spd(a), a),
        lambda a: mp_sylvester(spd(a), spd(a).T, a),
    ),
    "eigh of two": (
        (3, 3),
        lambda a: asl.eigh(spd(a), D)[0],
        lambda a: mp.eigsy(_reduced(spd(a), to_mp(D)), eigvals_only=True),
    ),
    "toeplitz": (
        (3, 3),
        lambda a: asl.toeplitz(a[0], a[1]),
        lambda a: mp.matrix([[a[0, i - j] if i >= j else a[1, j - i] for j in range(3)]
                             for i in range(3)]),
    ),
    "block_diag": (
        (2, 2),
        lambda a: asl.block_diag(a, a[0] ** 2),
        lambda a: mp.matrix([[a[0, 0], a[0, 1], 0, 0], [a[1, 0], a[1, 1], 0, 0],
                             [0, 0, a[0, 0] ** 2, a[0, 1] ** 2]]),
    ),
}  # fmt: skip


def _labelled_eig(a):
    w, v = np.linalg.eig(a)
    weights = np.arange(1.0, len(a) + 1)[:, None]
    return np.sum(np.exp(w) * weights * v**2)


def _rows(a, order):
    return mp.matrix([[a[i, j] for j in range(a.cols)] for i in order])


def _of_lower(band):
    a = dense_of_band(band, 1, 0)
    return a + a.T - mp.diag([a[i, i] for i in range(a.rows)])


def matrix_function(a, of):
    """A function of a symmetric matrix."""
    w, v = mp.eigsy(a)
    return v * mp.diag([of(x) for x in w]) * v.T


def _reduced(a, b):
    inverse = mp.cholesky(b) ** -1
    return inverse * a * inverse.T


def case(name):
    """(x, f(x) -> number, the same in mpmath, two directions)."""
    shape, function, oracle = CASES[name]
    rng = rng_of(name)
    x = rng.normal(size=shape) + 2.0 * np.eye(*shape)
    w = rng.normal(size=np.shape(_numbers(function, x)))

    def f(x):
        return np.sum(w * function(x))

    def f_mp(x):
        return dot(w, oracle(x))

    return x, f, f_mp, rng.normal(size=shape), rng.normal(size=shape)


def _numbers(function, x):
    return np.asarray(function(x))


def differences(f_mp, x, u, v):
    """(f, derivative along u, second along u and v)."""
    h = mp.mpf(10) ** -15
    x, u, v = to_mp(x), to_mp(u), to_mp(v)
    first = (f_mp(x + h * u) - f_mp(x - h * u)) / (2 * h)
    corners = [s * t * f_mp(x + h * (s * u + t * v)) for s in (1, -1) for t in (1, -1)]
    return float(f_mp(x)), float(first), float(mp.fsum(corners) / (4 * h * h))

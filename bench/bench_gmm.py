"""Gradient of a Gaussian mixture's log-likelihood: 1000 points, 10 dimensions, 25 components.

The mixture has full covariances, each given by a triangular factor of its inverse; 1650 parameters
that matter.  Array code beside the gradient by hand in NumPy: recorded afresh at every call, and
compiled, as the objective of ADBench.
"""

import math
import sys

import numpy as np
import scipy.special

import adcore
import common
import compare
import compare_compiled

POINTS, DIMENSIONS, COMPONENTS = 1000, 10, 25
LIMIT_MS = 1.0
# Of the compiled objective against jax.jit, and what the latter measured once: milliseconds.
JAX_LIMIT, JAX_MS = 0.8, 1.2


def problem():
    """Points of shape (N, d), and a flat vector of parameters."""
    rng = np.random.default_rng(1)
    n_parameters = COMPONENTS * (1 + 2 * DIMENSIONS + DIMENSIONS * DIMENSIONS)
    return rng.normal(size=(POINTS, DIMENSIONS)), 0.3 * rng.normal(size=n_parameters)


def unpack(p):
    """Log-weights (K,), means (K, d), log-diagonals (K, d) and triangles (K, d, d), cut from p.

    Of the triangles only what is below the diagonal is used.
    """
    k, d = COMPONENTS, DIMENSIONS
    ends = np.cumsum([0, k, k * d, k * d, k * d * d])
    shapes = [(k,), (k, d), (k, d), (k, d, d)]
    pieces = zip(ends[:-1], ends[1:], shapes, strict=True)
    return [p[int(start) : int(end)].reshape(shape) for start, end, shape in pieces]


def log_likelihood(np, x, p):
    """Log-likelihood up to a constant, by the functions of a NumPy-like module."""
    k, d = COMPONENTS, DIMENSIONS
    x, eye = np.asarray(x), np.asarray(EYE)
    weights, means, log_diagonals, triangles = unpack(p)
    factors = np.tril(triangles, -1) + np.exp(log_diagonals)[:, None, :] * eye
    offsets = (factors * means[:, None, :]).sum(2)
    y = x @ factors.reshape(k * d, d).T - offsets.reshape(k * d)
    inner = weights + log_diagonals.sum(1) - 0.5 * (y * y).reshape(POINTS, k, d).sum(2)
    return np.log(np.exp(inner).sum(1)).sum() - POINTS * np.log(np.exp(weights).sum())


def by_hand(x, p):
    """Value and gradient written by hand in NumPy."""
    k, d = COMPONENTS, DIMENSIONS
    weights, means, log_diagonals, triangles = unpack(p)
    diagonals = np.exp(log_diagonals)
    factors = np.tril(triangles, -1) + diagonals[:, None, :] * EYE
    offsets = (factors * means[:, None, :]).sum(2)
    y = x @ factors.reshape(k * d, d).T - offsets.reshape(k * d)
    inner = weights + log_diagonals.sum(1) - 0.5 * (y * y).reshape(POINTS, k, d).sum(2)
    shares = np.exp(inner)
    totals = shares.sum(1)
    prior = np.exp(weights)
    value = np.log(totals).sum() - POINTS * np.log(prior.sum())

    shares /= totals[:, None]
    mass = shares.sum(0)
    ybar = (y.reshape(POINTS, k, d) * -shares[:, :, None]).reshape(POINTS, k * d)
    offsets_bar = -ybar.sum(0).reshape(k, d)
    factors_bar = (ybar.T @ x).reshape(k, d, d) + offsets_bar[:, :, None] * means[:, None, :]
    means_bar = (factors * offsets_bar[:, :, None]).sum(1)
    log_diagonals_bar = mass[:, None] + diagonals * np.diagonal(factors_bar, axis1=1, axis2=2)
    weights_bar = mass - POINTS * prior / prior.sum()
    pieces = [weights_bar, means_bar, log_diagonals_bar, np.tril(factors_bar, -1)]
    return value, np.concatenate([piece.ravel() for piece in pieces])


EYE = np.eye(DIMENSIONS)

# The objective of ADBench (Srajer, Kukelova and Fitzgibbon, 2018): triangles packed by rows, sums
# of exponentials taken about their largest term, and a Wishart prior.
GAMMA, M = 1.0, 0
ROW, COLUMN = np.tril_indices(DIMENSIONS, -1)
N_BELOW = len(ROW)
BELOW = np.tril(np.ones((DIMENSIONS, DIMENSIONS)), -1)
PLACE = np.zeros((DIMENSIONS, DIMENSIONS), dtype=int)
PLACE[ROW, COLUMN] = DIMENSIONS + np.arange(N_BELOW)


def packed_problem():
    """Points of shape (N, d), and a flat vector of 1650 parameters."""
    rng = np.random.default_rng(5)
    n_parameters = COMPONENTS * (1 + 2 * DIMENSIONS + N_BELOW)
    return rng.normal(size=(POINTS, DIMENSIONS)), 0.3 * rng.normal(size=n_parameters)


def unpack_packed(p):
    """Log-weights (K,), means (K, d), and log-diagonals with what is below them (K, d + ...)."""
    k, d = COMPONENTS, DIMENSIONS
    return p[:k], p[k : k + k * d].reshape(k, d), p[k + k * d :].reshape(k, d + N_BELOW)


def log_sum_exp(np, x):
    """log(sum(exp(x))) along the last axis, for any size of x."""
    largest = np.amax(x, -1)
    return largest + np.log(np.exp(x - largest[..., None]).sum(-1))


def constant():
    """What does not depend on the parameters."""
    n = DIMENSIONS + M + 1
    log_gammas = scipy.special.multigammaln(0.5 * n, DIMENSIONS)
    wishart = n * DIMENSIONS * math.log(GAMMA / math.sqrt(2.0)) - log_gammas
    return -0.5 * POINTS * DIMENSIONS * math.log(2.0 * math.pi) - COMPONENTS * wishart


def objective(np, x, p):
    """ADBench's objective, by the functions of a NumPy-like module."""
    k, d = COMPONENTS, DIMENSIONS
    x, below, eye = np.asarray(x), np.asarray(BELOW), np.asarray(EYE)
    weights, means, packed = unpack_packed(p)
    log_diagonals = packed[:, :d]
    diagonals = np.exp(log_diagonals)
    factors = packed[:, PLACE] * below + diagonals[:, None, :] * eye
    offsets = (factors * means[:, None, :]).sum(2)
    y = x @ factors.reshape(k * d, d).T - offsets.reshape(k * d)
    inner = weights + log_diagonals.sum(1) - 0.5 * (y * y).reshape(POINTS, k, d).sum(2)
    squares = (diagonals**2).sum() + (packed[:, d:] ** 2).sum()
    prior = 0.5 * GAMMA**2 * squares - M * log_diagonals.sum()
    fit = log_sum_exp(np, inner).sum() - POINTS * log_sum_exp(np, weights)
    return fit + prior + constant()


def objective_by_hand(x, p):
    """Its value and gradient, written by hand in NumPy."""
    k, d = COMPONENTS, DIMENSIONS
    weights, means, packed = unpack_packed(p)
    log_diagonals, triangles = packed[:, :d], packed[:, d:]
    diagonals = np.exp(log_diagonals)
    factors = np.zeros((k, d, d))
    factors[:, ROW, COLUMN] = triangles
    factors[:, np.arange(d), np.arange(d)] = diagonals
    offsets = (factors @ means[:, :, None])[:, :, 0]
    y = x @ factors.reshape(k * d, d).T
    y -= offsets.reshape(k * d)
    cubes = y.reshape(POINTS, k, d)
    inner = weights + log_diagonals.sum(1) - 0.5 * np.einsum("nkd,nkd->nk", cubes, cubes)
    largest = inner.max(1)
    shares = np.exp(inner - largest[:, None])
    totals = shares.sum(1)
    top = weights.max()
    prior = np.exp(weights - top)
    fit = (largest + np.log(totals)).sum() - POINTS * (top + np.log(prior.sum()))
    squares = (diagonals**2).sum() + (triangles**2).sum()
    value = fit + 0.5 * GAMMA**2 * squares - M * log_diagonals.sum() + constant()

    shares /= totals[:, None]
    mass = shares.sum(0)
    cubes *= -shares[:, :, None]
    offsets_bar = -y.sum(0).reshape(k, d)
    factors_bar = (y.T @ x).reshape(k, d, d) + offsets_bar[:, :, None] * means[:, None, :]
    means_bar = (factors * offsets_bar[:, :, None]).sum(1)
    packed_bar = np.empty_like(packed)
    packed_bar[:, :d] = diagonals * (
        np.diagonal(factors_bar, axis1=1, axis2=2) + GAMMA**2 * diagonals
    )
    packed_bar[:, :d] += mass[:, None] - M
    packed_bar[:, d:] = factors_bar[:, ROW, COLUMN] + GAMMA**2 * triangles
    weights_bar = mass - POINTS * prior / prior.sum()
    return value, np.concatenate([weights_bar, means_bar.ravel(), packed_bar.ravel()])


def recorded(report, turns):
    """Gradient of the log-likelihood, recorded afresh."""
    x, p = problem()
    transform = adcore.value_and_grad(lambda q: log_likelihood(np, x, q))
    candidates = {
        "NumPy by hand": lambda: by_hand(x, p),
        "adcore": lambda: transform(p),
        **compare.array_gradient(lambda np, q: log_likelihood(np, x, q), p),
    }
    work = f"Gaussian mixture, N = {POINTS}, d = {DIMENSIONS}, K = {COMPONENTS}: gradient"
    expected = by_hand(x, p)
    seconds = report.check_and_compare(work, candidates, expected, "NumPy by hand", turns=turns)
    report.add(work, "adcore", [1e3 * s for s in seconds["adcore"]], "ms", LIMIT_MS)


def replayed(report, turns):
    """Value and gradient of ADBench's objective, compiled."""
    x, p = packed_problem()
    compiled = adcore.compile(lambda q: objective(np, x, q))
    candidates = {
        "NumPy by hand": lambda: objective_by_hand(x, p),
        "adcore": lambda: compiled.value_and_grad(p),
    }
    work = f"ADBench's mixture, N = {POINTS}, d = {DIMENSIONS}, K = {COMPONENTS}: replayed"
    builders = compare_compiled.array_gradient(lambda np, q: objective(np, x, q), p)
    candidates |= common.built(report, work, builders)
    candidates |= compare.array_gradient(lambda np, q: objective(np, x, q), p)
    expected = objective_by_hand(x, p)
    seconds = report.check_and_compare(work, candidates, expected, "NumPy by hand", turns=turns)
    if "jax.jit" in seconds:
        ratio = common.ratios(seconds, "adcore", "jax.jit")
        report.add(work, "adcore / jax.jit", ratio, "x", JAX_LIMIT)
    else:
        note = f"({JAX_LIMIT:g} times what jax.jit measured once)"
        milliseconds = [1e3 * s for s in seconds["adcore"]]
        report.add(work, "adcore", milliseconds, "ms", JAX_LIMIT * JAX_MS, note)


WORKS = [recorded, replayed]


def main():
    """Print the report."""
    return common.run("gmm", WORKS, __doc__)


if __name__ == "__main__":
    sys.exit(main())

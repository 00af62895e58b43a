"""Gradient of a Gaussian mixture's log-likelihood: 1000 points, 10 dimensions, 25 components.

The mixture has full covariances, each given by a triangular factor of its inverse; 1650 parameters
that matter.  Array code, recorded afresh at every call, beside the gradient by hand in NumPy.
"""

import sys

import numpy as np

import adcore
import common
import compare

POINTS, DIMENSIONS, COMPONENTS = 1000, 10, 25
LIMIT_MS = 1.0


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


def main():
    """Print the report."""
    options = common.arguments(__doc__)
    report = common.Report("gmm")
    x, p = problem()
    transform = adcore.value_and_grad(lambda q: log_likelihood(np, x, q))
    candidates = {
        "NumPy by hand": lambda: by_hand(x, p),
        "adcore": lambda: transform(p),
        **compare.array_gradient(lambda np, q: log_likelihood(np, x, q), p),
    }
    work = f"Gaussian mixture, N = {POINTS}, d = {DIMENSIONS}, K = {COMPONENTS}: gradient"
    value, gradient = by_hand(x, p)
    for name, call in candidates.items():
        got_value, got_gradient = call()
        common.agree(got_value, value, 1e-10, f"{work}, {name}")
        common.agree(got_gradient, gradient, 1e-10, f"{work}, {name}")
    seconds = report.compare(work, candidates, "NumPy by hand", turns=5 if options.quick else 21)
    report.add(work, "adcore", [1e3 * s for s in seconds["adcore"]], "ms", LIMIT_MS)
    return report.finish(options.check)


if __name__ == "__main__":
    sys.exit(main())

"""A Gaussian log-likelihood, log det S + r' S^-1 r: gradient in S and r, Hessian in weights in S.

Against the same derivatives by hand in NumPy, and against the value alone.
"""

import sys
from functools import partial

import numpy as np

import adcore
import common

PARAMETERS = 10
GRADIENT_LIMIT = 4.0  # times the value, at 500 x 500


def problem(n):
    """(S, r, matrices that S is a sum of)."""
    rng = np.random.default_rng(1)
    parts = rng.normal(size=(PARAMETERS, n, n)) / np.sqrt(n)
    parts = parts @ np.swapaxes(parts, 1, 2) + np.eye(n)
    return parts.sum(axis=0), rng.normal(size=n), parts


def likelihood(s, r):
    """Twice the negative log-likelihood, up to a constant."""
    return np.linalg.slogdet(s)[1] + r @ np.linalg.solve(s, r)


def gradient_by_hand(s, r):
    """Value, and gradient in both."""
    inverse = np.linalg.inv(s)
    e = inverse @ r
    value = np.linalg.slogdet(s)[1] + r @ e
    return value, (inverse.T - np.outer(inverse.T @ r, e), e + inverse.T @ r)


def hessian_by_hand(parts, r, theta):
    """Hessian in the weights of the parts, which are symmetric."""
    inverse = np.linalg.inv(np.tensordot(theta, parts, 1))
    e = inverse @ r
    moved = inverse @ parts
    flat = moved.reshape(len(parts), -1)
    rows = parts @ e
    return 2.0 * rows @ inverse @ rows.T - flat @ np.swapaxes(moved, 1, 2).reshape(flat.shape).T


def gradient(report, turns):
    """Value and gradient in all elements of S and r."""
    for n in (10, 100, 500):
        s, r, _ = problem(n)
        transform = adcore.value_and_grad(likelihood, argnums=(0, 1))
        compiled = adcore.compile(likelihood).value_and_grad
        value, (gs, gr) = gradient_by_hand(s, r)
        work = f"gradient of logdet + solve, {n} x {n}"
        for name, call in {
            "recorded": transform,
            "compiled": partial(compiled, argnums=(0, 1)),
        }.items():
            got = call(s, r)
            common.agree_all([got[0], *got[1]], [value, gs, gr], 1e-9, f"{work}, {name}")
        candidates = {
            "NumPy, value only": lambda s=s, r=r: likelihood(s, r),
            "NumPy by hand": lambda s=s, r=r: gradient_by_hand(s, r),
            "adcore": lambda s=s, r=r, f=transform: f(s, r),
            "adcore, compiled": lambda s=s, r=r, f=compiled: f(s, r, argnums=(0, 1)),
        }
        limits = (
            {"adcore": GRADIENT_LIMIT, "adcore, compiled": GRADIENT_LIMIT} if n == 500 else None
        )
        report.compare(work, candidates, "NumPy, value only", limits, turns=turns)


def hessian(report, turns):
    """Hessian in ten weights of the matrices that S is a sum of."""
    for n in (10, 100):
        _, r, parts = problem(n)
        theta = np.linspace(1.0, 2.0, PARAMETERS)

        def f(theta, r=r, parts=parts):
            return likelihood(np.tensordot(theta, parts, 1), r)

        work = f"Hessian in {PARAMETERS} parameters of a {n} x {n} matrix"
        transform, compiled = adcore.hessian(f), adcore.compile(f).hessian
        want = hessian_by_hand(parts, r, theta)
        candidates = {
            "NumPy, value only": lambda f=f, t=theta: f(t),
            "NumPy by hand": lambda r=r, p=parts, t=theta: hessian_by_hand(p, r, t),
            "adcore": lambda f=transform, t=theta: f(t),
            "adcore, compiled": lambda f=compiled, t=theta: f(t),
        }
        for name in ("adcore", "adcore, compiled"):
            common.agree(candidates[name](), want, 1e-9, f"{work}, {name}")
        report.compare(work, candidates, "NumPy by hand", turns=turns)


WORKS = (gradient, hessian)


def main():
    """Print the report."""
    return common.run("linalg", WORKS, __doc__)


if __name__ == "__main__":
    sys.exit(main())

"""Newton's method with sparse factorisations, for functions that tell their sparse derivatives."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu


@dataclass
class Solution:
    """Where a method ended, after how many steps, and what is left of the gradient or residual."""

    x: np.ndarray
    n_steps: int
    left: float


class NotConverged(ArithmeticError):
    """The method has used up its steps, or found none that improves."""


def minimize(value_grad_and_hessian, x, lower=-np.inf, upper=np.inf, gtol=1e-9, most=200):
    """A minimum between bounds, by a projected Newton method (Bertsekas 1982).

    A variable at a bound stays there while the gradient presses it against it; the others take a
    Newton step, which is shortened until the function falls.  Where the Hessian is not positive
    definite it is shifted until the step goes downhill.
    """
    lower, upper = np.broadcast_to(lower, x.shape), np.broadcast_to(upper, x.shape)
    x = np.clip(x, lower, upper)
    value, slope, curvature = value_grad_and_hessian(x)
    for n_steps in range(most + 1):
        left = np.max(np.abs(x - np.clip(x - slope, lower, upper)))
        if left <= gtol:
            return Solution(x, n_steps, float(left))
        free = np.flatnonzero(~(((x <= lower) & (slope > 0)) | ((x >= upper) & (slope < 0))))
        step = np.zeros_like(x)
        step[free] = _downhill(curvature[free][:, free], slope[free])
        length = 1.0
        while True:
            trial = np.clip(x + length * step, lower, upper)
            found = value_grad_and_hessian(trial)
            expected = slope @ (trial - x)
            # once the decrease drowns in rounding, the gradient is what tells
            rounding = 1e-14 * abs(value)
            if found[0] <= value + 1e-4 * expected + rounding:
                break
            length *= 0.5
            if length < 1e-10:
                raise NotConverged(f"no descent after {n_steps} steps, {left:.1e} left")
        x, (value, slope, curvature) = trial, found
    raise NotConverged(f"{left:.1e} left after {most} steps")


def _downhill(matrix, slope):
    """The Newton step for a sparse matrix, shifted if it must be."""
    size = abs(matrix.diagonal()).max(initial=1e-300)
    shift = 0.0
    for _ in range(60):
        shifted = (
            (matrix + shift * sparse.eye_array(len(slope))).tocsc() if shift else matrix.tocsc()
        )
        try:
            step = -splu(shifted).solve(slope)
        except RuntimeError:  # singular
            step = np.full_like(slope, np.nan)
        if slope @ step < -1e-12 * np.linalg.norm(slope) * np.linalg.norm(step):
            return step
        shift = max(10.0 * shift, 1e-8 * size)
    raise NotConverged("no shift makes the Newton step go downhill")


def root(residual, jacobian, x, tolerance=1e-10, most=100):
    """Where as many equations as unknowns hold, by Newton steps halved until they improve."""
    r = residual(x)
    for n_steps in range(most + 1):
        left = np.max(np.abs(r))
        if left <= tolerance:
            return Solution(x, n_steps, float(left))
        step = -splu(jacobian(x).tocsc()).solve(r)
        length = 1.0
        while True:
            trial = x + length * step
            found = residual(trial)
            if np.linalg.norm(found) < np.linalg.norm(r):
                break
            length *= 0.5
            if length < 1e-10:
                raise NotConverged(f"no step improves after {n_steps}, {left:.1e} left")
        x, r = trial, found
    raise NotConverged(f"{left:.1e} left after {most} steps")


def least_squares(residual, jacobian, x, tolerance=1e-8, enough=0.0, most=100):
    """A minimum of half the sum of squares (Levenberg and Marquardt, damping as Nielsen 1999).

    `left` is the largest cosine between the residual and a column of the Jacobian; a sum of squares
    of `enough` ends it too.
    """
    r, j = residual(x), jacobian(x)
    damping, growth = 1e-4, 2.0
    for n_steps in range(most + 1):
        slope = j.T @ r
        normal = (j.T @ j).tocsc()
        square = normal.diagonal()
        left = np.max(np.abs(slope) / np.sqrt(np.maximum(square, 1e-300))) / np.linalg.norm(r)
        if left <= tolerance or r @ r <= enough:
            return Solution(x, n_steps, float(left))
        while True:
            weight = sparse.diags_array(damping * np.maximum(square, 1e-12))
            step = -splu((normal + weight).tocsc()).solve(slope)
            trial = x + step
            found = residual(trial)
            predicted = -(slope @ step) - 0.5 * step @ (normal @ step)
            gain = 0.5 * (r @ r - found @ found)
            if gain > 0.0:
                break
            if np.linalg.norm(step) <= 1e-14 * np.linalg.norm(x):
                raise NotConverged(f"no step improves after {n_steps}, {left:.1e} left")
            damping, growth = damping * growth, 2.0 * growth
        damping *= max(1.0 / 3.0, 1.0 - (2.0 * gain / predicted - 1.0) ** 3)
        growth = 2.0
        x, r, j = trial, found, jacobian(trial)
    raise NotConverged(f"{left:.1e} left after {most} steps")


def closest(matrix, right):
    """The x with the least norm of matrix @ x - right, the columns being independent."""
    m, n = matrix.shape
    augmented = sparse.block_array([[sparse.eye_array(m), matrix], [matrix.T, None]], format="csc")
    return splu(augmented).solve(np.concatenate([right, np.zeros(n)]))[m:]

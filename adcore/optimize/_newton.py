"""Newton's method in a trust region, for many unknowns and a sparse Hessian.

Each step is made by conjugate gradients, stopped where they leave the trust region or meet negative
curvature (Steihaug 1983), with sparse factors of the Hessian of this or an earlier step as their
preconditioner: with those of this Hessian the first iteration is Newton's step.  Factors are kept
while iterations with them take less time than new ones, and steps end inside of the trust region.
Lengths are measured by the matrix that was factorised.
"""

import numpy as np
from scipy.optimize import OptimizeResult

from ._factor import Factor

EPS = float(np.finfo(float).eps)
# Gains, relative to the model's, below and above which the trust region becomes smaller or larger.
LOW, HIGH = 0.25, 0.75
MOST_ITERATIONS = 500  # of conjugate gradients
MUCH = 20.0  # iterations: factors that take longer are made in single precision, if that will do,
SINGLE = 0.6  # which takes so much of the time
FEW_ITERATIONS = 8  # of them, from which on it can be told how many there will be
PESSIMISM = 1.5  # of that: they become faster as they go
FLOOR = 0.01  # of the gradient that is asked for: what is left of it by a step need not be less
MESSAGES = {
    0: "Optimization terminated successfully.",
    1: "Maximum number of iterations has been exceeded.",
    2: "No step lowers the function any more, to the precision of its values.",
    3: "The function or a derivative is not finite at the starting point.",
    99: "Stopped by the callback.",
}
OPTIONS = ("gtol", "maxiter", "initial_trust_radius", "max_trust_radius", "eta", "disp")


def newton(function, x0, *, callback=None, progress=None, **options):
    """A minimum of a _evaluated.Scalar, as scipy.optimize.minimize returns it.

    `callback` is called with an OptimizeResult (x, fun, jac) after each step, and stops the search
    by StopIteration; `progress` with a text.
    """
    unknown = set(options) - set(OPTIONS)
    if unknown:
        raise TypeError(f"newton-sparse has options {', '.join(OPTIONS)}; got {unknown.pop()!r}")
    search = _Search(function, x0, **{k: v for k, v in options.items() if k != "disp"})
    status = None if np.isfinite(search.f) and np.isfinite(search.g).all() else 3
    while status is None:
        status = search.step()
        if progress is not None:
            progress(search.said())
        if callback is not None and status is None:
            now = OptimizeResult(x=search.x.copy(), fun=search.f, jac=search.g.copy())
            try:
                callback(now)
            except StopIteration:
                status = 99
    result = search.result(status)
    if options.get("disp"):
        print(f"{result.message}\n{search.said()}")
    return result


class _Search:
    """Where the search is, and what it knows there."""

    def __init__(
        self,
        function,
        x0,
        gtol=1e-5,
        maxiter=None,
        initial_trust_radius=None,
        max_trust_radius=np.inf,
        eta=1e-4,
    ):
        self.function, self.x = function, np.array(x0, dtype=np.float64)
        self.gtol, self.eta = gtol, eta
        self.maxiter = 200 * self.x.size if maxiter is None else maxiter
        self.radius, self.most = initial_trust_radius, max_trust_radius
        self.f, self.g = function.value(self.x), function.gradient(self.x)
        self.hessian = None
        self.factor = self.last = None  # and the step that led here
        self.fresh = self.stale = False  # whether they are of this Hessian; past their use
        self.single = True  # whether factors in single precision serve
        self.scale = 0.0  # the largest square of a gradient's length
        self.n_steps = self.n_factors = self.n_products = 0

    def said(self):
        """Where it is, in words."""
        size = np.abs(self.g).max(initial=0.0)
        return f"step {self.n_steps}, value {self.f:.8g}, gradient {size:.2g}"

    def result(self, status):
        """As SciPy returns it."""
        counts = self.function.counts
        return OptimizeResult(
            x=self.x,
            fun=self.f,
            jac=self.g,
            nit=self.n_steps,
            nfev=counts["value"],
            njev=counts["gradient"],
            nhev=counts["hessian"],
            n_factors=self.n_factors,
            n_products=self.n_products,
            status=status,
            success=status == 0,
            message=MESSAGES[status],
        )

    def step(self):
        """Go one step, or lower the trust region; returns the status where the search is over."""
        size = np.abs(self.g).max()
        if size <= self.gtol:
            return 0
        if self.n_steps >= self.maxiter:
            return 1
        if self.hessian is None:
            self.hessian = self.function.sparse_hessian(self.x)
            self.fresh = False
            if self.factor is None or self.stale:
                self._factorise()
        found = self._direction()
        while found is None:  # not with these factors
            self._factorise()
            found = self._direction()
        p, model, length, at_edge = found
        x = self.x + p
        if np.array_equal(x, self.x):
            return 2
        f = self.function.value(x)
        slack = 10.0 * EPS * abs(self.f)  # what the values are good for
        gain = (self.f - f + slack) / (slack - model)
        if not gain >= LOW:  # with a nan too
            self.radius = LOW * length
        elif gain > HIGH and at_edge:
            self.radius = min(2.0 * length, self.most)
        # Where factors of an earlier Hessian are in the way, lengths by this one say more.
        poor = not gain >= LOW or (at_edge and not gain > HIGH)
        self.stale |= poor and not self.fresh
        if not gain > self.eta:
            if self.stale and not self.fresh:
                self._factorise()
            return None
        g = self.function.gradient(x)
        if -model <= slack and np.abs(g).max() >= size:
            return 2
        if not np.isfinite(g).all():
            self.radius = LOW * length
            return None
        self.x, self.f, self.g, self.hessian, self.last = x, f, g, None, p
        self.n_steps += 1
        return None

    def _factorise(self):
        """Factors of the Hessian here, and the trust region in the lengths that they give."""
        p, shift, length, single = self.last, 0.0, None, False
        if self.factor is not None:
            shift = 0.01 * self.factor.shift
            single = self._in_single()
            length = None if p is None else np.sqrt(p @ (self.factor.matrix @ p))
            self.factor = None  # first: two of them are too much memory
        self.factor = Factor(self.hessian, shift, single)
        self.n_factors += 1
        self.fresh, self.stale = True, False
        if length:
            self.radius *= np.sqrt(p @ (self.factor.matrix @ p)) / length

    def _in_single(self):
        """Whether the next factors are made in single precision."""
        return self.single and self.factor.ratio > MUCH

    def _direction(self):
        """(step, change of the model, length, whether it ends at the edge of the trust region).

        None if conjugate gradients would still take longer than to factorise anew, as they go.
        """
        p, r = np.zeros_like(self.g), self.g.copy()
        z = self.factor.solve(r)
        d = -z
        rz = r @ z
        if self.radius is None:
            self.radius = min(np.sqrt(rz), self.most)
        self.scale = max(self.scale, rz)
        start, goal = rz, rz * min(0.01, np.sqrt(rz / self.scale))
        most = 2.0 + self.factor.ratio * (SINGLE if self._in_single() else 1.0)
        # Squares of lengths and products of p and d as the matrix of the factors measures them.
        pp, pd, dd = 0.0, 0.0, rz
        model, n = 0.0, 0
        while True:
            n += 1
            self.stale |= n > most
            if n > MOST_ITERATIONS:
                return p, model, np.sqrt(pp), False
            if n > FEW_ITERATIONS and self.fresh and self.factor.single:
                self.single = False
                return None
            if n > FEW_ITERATIONS and not self.fresh:
                left = (n - 1) * np.log(rz / goal) / max(np.log(start / rz), EPS)
                if left > PESSIMISM * most:
                    return None
            hd = self.hessian @ d
            self.n_products += 1
            curvature = d @ hd
            a = rz / curvature if curvature > 0.0 else np.inf
            longer = pp + 2.0 * a * pd + a * a * dd
            if not longer <= (1.0 + 1e-8) * self.radius**2:
                self.stale |= curvature <= 0.0
                a = (-pd + np.sqrt(pd * pd + dd * (self.radius**2 - pp))) / dd
                model += a * (r @ d) + 0.5 * a * a * curvature
                return p + a * d, model, self.radius, True
            model += a * (r @ d) + 0.5 * a * a * curvature
            p += a * d
            r += a * hd
            pp = longer
            z = self.factor.solve(r)
            following = r @ z
            if following <= goal or np.abs(r).max() <= FLOOR * self.gtol:
                edge = np.sqrt(pp) >= 0.99 * self.radius
                return p, model, np.sqrt(pp), edge
            b = following / rz
            pd = b * (pd + a * dd)
            dd = following + b * b * dd
            rz = following
            d = b * d - z

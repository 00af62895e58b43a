"""A hierarchical model with ten thousand random effects, by Laplace's approximation.

    python examples/laplace.py [--size 10000]

Counts y_t are Poisson with the logarithmic rate mu + u_t; the effects u_t follow each other as
u_t = rho u_{t-1} + sigma e_t.  The three parameters maximise the marginal likelihood, for which the
effects are integrated out: about their mode the logarithm of the joint density is taken as
quadratic,

    log L  =  -h(u) + n/2 log(2 pi) - 1/2 log det H,      h = -log p(y, u),  H = h'' at the mode u,

and the mode is found by Newton's method with the sparse Hessian.  The exact gradient of log L has
third derivatives of h in it: those of the sum of H times the entries of its inverse at H's pattern,
which adcore takes as products with three directions, one per colour of a tridiagonal matrix.

For Gaussian observations the approximation is exact, and Kalman's filter tells the likelihood:
both, and the gradient, are held against it.

References: H. J. Skaug and D. A. Fournier, Automatic approximation of the marginal likelihood in
non-Gaussian hierarchical models, Comput. Stat. Data Anal. 51, 2006; K. Takahashi, J. Fagan and
M.-S. Chin, Formation of a sparse bus impedance matrix, 8th PICA conference, 1973.
"""

import sys

import numpy as np
from scipy import linalg, optimize, special

import adcore
import newton
from checks import Checks, size_given

TRUTH = np.array([1.0, np.log(0.3), np.arctanh(0.9)])  # mu, log sigma, artanh rho
LOG_2PI = np.log(2.0 * np.pi)
N_COLORS = 3  # of a tridiagonal matrix


def poisson(y, rate):
    """-log p of counts with logarithmic rates."""
    return np.sum(np.exp(rate) - y * rate) + np.sum(special.gammaln(y + 1.0))


def gaussian(y, mean):
    """-log p of observations with variance 1."""
    return 0.5 * np.sum((y - mean) ** 2) + 0.5 * LOG_2PI * len(y)


class Model:
    """The marginal likelihood of observations whose `family` is one of the functions above."""

    def __init__(self, y, family):
        self.y, self.family, self.n = y, family, len(y)
        self.joint = adcore.compile(self._joint)
        self.half_trace = adcore.compile(self._half_trace)
        self.along = adcore.compile(self._along)
        self.mode = np.zeros(self.n)  # where the last search ended
        self.n_modes = 0

    def _joint(self, u, parameters):
        """-log p(y, u), in whose Hessian u_t meets its two neighbours."""
        mu, log_sigma, rho = parameters[0], parameters[1], np.tanh(parameters[2])
        steps = np.sum((u[1:] - rho * u[:-1]) ** 2) + (1.0 - rho * rho) * u[0] ** 2
        prior = (
            0.5 * steps * np.exp(-2.0 * log_sigma)
            + self.n * (log_sigma + 0.5 * LOG_2PI)
            - 0.5 * np.log(1.0 - rho * rho)
        )
        return prior + self.family(self.y, mu + u)

    def _half_trace(self, u, parameters, inverse):
        """Half the sum of H times `inverse`, (3, n), entry by entry: see `by_color`."""
        total = 0.0
        for color in range(N_COLORS):
            group = (np.arange(self.n) % N_COLORS == color).astype(float)
            _, product = adcore.hvp(lambda u: self._joint(u, parameters), (u,), (group,))
            total = total + np.sum(inverse[color] * product)
        return 0.5 * total

    def _along(self, u, parameters, w):
        """The derivative of -log p(y, u) along w."""
        return adcore.jvp(lambda u: self._joint(u, parameters), (u,), (w,))[1]

    def value_and_grad(self, parameters):
        """-log L, and its gradient in the parameters."""
        found = newton.minimize(
            lambda u: self.joint.value_grad_and_hessian(u, parameters, sparse=True),
            self.mode,
            gtol=1e-10 * self.n**0.5,
        )
        self.mode, self.n_modes = found.x, self.n_modes + 1
        hessian = self.joint.hessian(self.mode, parameters, sparse=True)
        factor = linalg.cholesky_banded(banded(hessian), lower=True)
        value = (
            float(self.joint(self.mode, parameters))
            + np.sum(np.log(factor[0]))
            - 0.5 * self.n * LOG_2PI
        )
        # With u at the mode, d/dp [h + 1/2 log det H] = h_p + t_p - h_pu inv(H) t_u, where t is
        # half the sum of H times inv(H), the latter held fixed.
        inverse = by_color(*inverse_at_pattern(factor))
        by_mode, by_parameters = self.half_trace.grad(
            self.mode, parameters, inverse, argnums=(0, 1)
        )
        w = linalg.cho_solve_banded((factor, True), by_mode)
        grad = self.joint.grad(self.mode, parameters, argnums=1) + by_parameters
        return value, grad - self.along.grad(self.mode, parameters, w, argnums=1)


def banded(matrix):
    """The lower two diagonals of a tridiagonal matrix, as LAPACK's banded solvers take them."""
    return np.stack([matrix.diagonal(), np.append(matrix.diagonal(-1), 0.0)])


def inverse_at_pattern(factor):
    """The diagonal of the inverse of L L', and the one below it, from the banded L."""
    ratio = np.append(-factor[1, :-1] / factor[0, :-1], 0.0).tolist()
    own = (factor[0] ** -2.0).tolist()
    main, below = own.copy(), [0.0] * len(own)
    for i in range(len(own) - 2, -1, -1):
        below[i] = ratio[i] * main[i + 1]
        main[i] = own[i] + ratio[i] * below[i]
    return np.array(main), np.array(below[:-1])


def by_color(main, below):
    """A symmetric tridiagonal matrix as (3, n): row c has of each row the entry in colour c."""
    i, n = np.arange(len(main)), len(main)
    compressed = np.zeros((N_COLORS, n))
    compressed[i % N_COLORS, i] = main
    compressed[i[:-1] % N_COLORS, i[1:]] = below
    compressed[i[1:] % N_COLORS, i[:-1]] = below
    return compressed


def kalman(y, parameters):
    """-log L of Gaussian observations of variance 1, by Kalman's filter."""
    mu, variance, rho = parameters[0], np.exp(2.0 * parameters[1]), np.tanh(parameters[2])
    mean, spread, total = 0.0, variance / (1.0 - rho * rho), 0.0
    for seen in y.tolist():
        off, scale = seen - mu - mean, spread + 1.0
        total = total + 0.5 * (off * off / scale + np.log(scale) + LOG_2PI)
        gain = spread / scale
        mean, spread = rho * (mean + gain * off), rho * rho * (1.0 - gain) * spread + variance
    return total


def effects(n, rng):
    """Random effects with the true parameters."""
    sigma, rho = np.exp(TRUTH[1]), np.tanh(TRUTH[2])
    u = sigma * rng.standard_normal(n)
    u[0] /= np.sqrt(1.0 - rho * rho)
    for t in range(1, n):
        u[t] += rho * u[t - 1]
    return u


def main(arguments=None):
    """Check the likelihood where it is known, and fit counts; print the checks; the exit status."""
    n = size_given(__doc__.partition("\n")[0], 10_000, "random effects", arguments)
    rng, checks = np.random.default_rng(12), Checks()
    u, guess = effects(n, rng), np.array([0.5, 0.0, 1.0])

    y = TRUTH[0] + u + rng.standard_normal(n)
    value, grad = Model(y, gaussian).value_and_grad(guess)
    known, known_grad = adcore.value_and_grad(lambda p: kalman(y, p))(guess)
    print(f"{n} Gaussian observations: -log L {value:.8f}")
    checks.near("-log L by Kalman's filter", value, known, 1e-11 * abs(known))
    checks.small("difference of the gradients", np.max(np.abs(grad / known_grad - 1.0)), 1e-9)

    model = Model(rng.poisson(np.exp(TRUTH[0] + u)).astype(float), poisson)
    grad = model.value_and_grad(guess)[1]
    step = 1e-4
    difference = [
        (model.value_and_grad(guess + e)[0] - model.value_and_grad(guess - e)[0]) / (2.0 * step)
        for e in step * np.eye(3)
    ]
    print(f"{n} counts:")
    error = np.max(np.abs(grad - difference)) / np.max(np.abs(grad))
    checks.small("difference of the gradient from central differences", error, 1e-5)
    scaled = optimize.minimize(
        lambda p: [part / n for part in model.value_and_grad(p)],
        guess,
        jac=True,
        method="BFGS",
        options={"gtol": 1e-8},
    )
    fitted = scaled.x
    curvature = [
        (model.value_and_grad(fitted + e)[1] - model.value_and_grad(fitted - e)[1]) / (2.0 * step)
        for e in step * np.eye(3)
    ]
    errors = np.sqrt(np.diag(np.linalg.inv(curvature)))
    print(f"  fitted in {scaled.nit} iterations, modes searched {model.n_modes} times in all")
    names = "mu", "log sigma", "artanh rho"
    for name, got, error, true in zip(names, fitted, errors, TRUTH, strict=True):
        print(f"  {name} {got:.4f}, standard error {error:.4f}, true {true:.4f}")
    # Twice the logarithm of the likelihood ratio has a chi-square distribution with 3 degrees of
    # freedom, of which one in ten thousand is above the limit.
    ratio = 2.0 * (model.value_and_grad(TRUTH)[0] - model.value_and_grad(fitted)[0])
    checks.between("twice the log likelihood above that of the truth", ratio, 0.0, 21.1)
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())

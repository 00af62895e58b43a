"""norm.logpdf on 10 and on 1e6 elements: SciPy's, the formula in NumPy, and adcore's.

`constants` calls SciPy; `tracked` computes and records, its location and scale being tensors;
`value and gradient` is in both of them; `replayed` is that of a compiled function.  The ratios are
to the formula in NumPy.
"""

import sys

import numpy as np
import scipy.stats as sp

import adcore
import adcore.scipy.stats as stats
import common

LOC, SCALE = 0.25, 1.5


def formula(x, loc, scale):
    """The logarithm of the normal density in NumPy."""
    y = (x - loc) / scale
    return -0.5 * y * y - 0.5 * np.log(2 * np.pi) - np.log(scale)


def candidates(n):
    """The calls to be compared, by name."""
    x = np.random.default_rng(0).normal(size=n)
    theta = np.array([LOC, SCALE])
    loc, scale = (adcore.tensor(v, requires_grad=True) for v in theta)

    def total(theta):
        return adcore.sum(stats.norm.logpdf(x, theta[0], theta[1]))

    gradient = adcore.value_and_grad(total)
    compiled = adcore.compile(total)
    expected = sp.norm.logpdf(x, LOC, SCALE)
    y = (x - LOC) / SCALE
    exact = np.array([np.sum(y), np.sum(y * y - 1)]) / SCALE
    tracked = stats.norm.logpdf(x, loc, scale).detach().numpy()
    common.agree(tracked, expected, 1e-13, f"tracked, {n}")
    common.agree(gradient(theta)[1], exact, 1e-9, f"gradient, {n}")
    common.agree(compiled.value_and_grad(theta)[1], exact, 1e-9, f"replayed, {n}")
    return {
        "formula in NumPy": lambda: formula(x, LOC, SCALE),
        "SciPy": lambda: sp.norm.logpdf(x, LOC, SCALE),
        "constants": lambda: stats.norm.logpdf(x, LOC, SCALE),
        "tracked": lambda: stats.norm.logpdf(x, loc, scale),
        "value and gradient": lambda: gradient(theta),
        "replayed": lambda: compiled.value_and_grad(theta),
    }


def main():
    """Print the report."""
    options = common.arguments(__doc__)
    report = common.Report("stats")
    for n in (10, 1_000_000):
        work = f"norm.logpdf, {n} elements"
        samples = common.interleaved(candidates(n), 5 if options.quick else 21)
        for name, seconds in samples.items():
            report.add(work, name, [1e6 * s for s in seconds], "us")
            report.add(work, name, common.ratios(samples, name, "formula in NumPy"), "x")
    return report.finish(options.check)


if __name__ == "__main__":
    sys.exit(main())

"""Complex numbers and Fourier transforms: values beside NumPy's, and gradients of real functions.

The value of a recorded call is timed on 10 elements and on a million; the gradient is of the sum of
squared moduli of the result.
"""

import sys

import numpy as np

import adcore
import common

SIZES = (10, 1_000_000)
CALLS = {
    "add": lambda z: z + z,
    "multiply": lambda z: z * z.conj(),
    "divide": lambda z: 1.0 / z,
    "abs": np.abs,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "power": lambda z: z**1.5,
    "sum": np.sum,
    "fft": np.fft.fft,
    "rfft": lambda z: np.fft.rfft(z.real),
}


def energy(call):
    """The sum of squared moduli."""
    return lambda z: np.sum(np.abs(call(z)) ** 2)


def main():
    """Print the report."""
    options = common.arguments(__doc__)
    report = common.Report("complex")
    rng = np.random.default_rng(0)
    for name, call in CALLS.items():
        if options.only not in name:
            continue
        for n in SIZES:
            z = rng.normal(size=n) + 1j * rng.normal(size=n)
            pair = adcore.tensor(z, requires_grad=True)
            gradient = adcore.grad(energy(call))
            check(call, z, pair, gradient)
            candidates = {
                "NumPy": lambda call=call, z=z: call(z),
                "recorded": lambda call=call, pair=pair: call(pair),
                "gradient": lambda gradient=gradient, z=z: gradient(z),
            }
            report.compare(f"{name}, {n}", candidates, "NumPy", turns=3 if options.quick else 11)
    return report.finish(options.check)


def check(call, z, pair, gradient):
    """Compare the value with NumPy's, the gradient along a direction with differences."""
    value = call(pair).detach().numpy()
    assert np.allclose(value, call(z), rtol=1e-12, atol=1e-12)
    direction, h = z / np.linalg.norm(z), 1e-5
    f = energy(call)
    difference = (f(z + h * direction) - f(z - h * direction)) / (2 * h)
    common.agree(np.vdot(gradient(z), direction).real, difference, 1e-4, "the gradient")


if __name__ == "__main__":
    sys.exit(main())

"""Complex numbers and Fourier transforms: values beside NumPy's, and gradients of real functions.

The value of a recorded call is timed on 10 elements and on a million; the gradient is of the sum of
squared moduli of the result.
"""

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
            assert np.allclose(call(pair).detach().numpy(), call(z))
            plain = report.time(f"{name} {n} numpy", lambda: call(z), unit="us")
            report.time(f"{name} {n}", lambda: call(pair), unit="us", beside=plain)
            gradient = adcore.grad(energy(call))
            report.time(f"{name} {n} gradient", lambda: gradient(z), unit="us", beside=plain)
    report.finish()


if __name__ == "__main__":
    main()

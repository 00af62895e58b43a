"""Complex numbers and Fourier transforms: what a recorded call costs beside NumPy's own.

Of 10 elements, where the limit is NumPy's call and 1 us, and of 200 000 (matrices: 300 x 300),
where it is 1.2 times NumPy's and 1 us.  Then gradients of the sum of squared moduli of some
results, which have no limit.
"""

import sys
import warnings

import numpy as np

import adcore
import common

MORE_MICROSECONDS, TIMES = 1.0, 1.2

# Calls of a vector z.
ARITHMETIC = {
    "z + z": lambda z: z + z,
    "z - 1.5": lambda z: z - 1.5,
    "z * z": lambda z: z * z,
    "2j * z": lambda z: 2j * z,
    "z / z": lambda z: z / z,
    "1 / z": lambda z: 1.0 / z,
    "-z": lambda z: -z,
    "z ** 2": lambda z: z**2,
    "z ** 3": lambda z: z**3,
    "z ** 1.5": lambda z: z**1.5,
    "abs": abs,
    "z.conj()": lambda z: z.conj(),
    "z.real": lambda z: z.real,
    "z[3:7]": lambda z: z[3:7],
}
UFUNCS = (
    *("conjugate", "absolute", "square", "reciprocal", "sign", "sqrt", "exp", "exp2", "expm1"),
    *("log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh"),
    *("cosh", "tanh", "arcsinh", "arccosh", "arctanh"),
)
ARRAYS = {
    "sum": np.sum,
    "mean": np.mean,
    "prod": lambda z: np.prod(z[:10]),
    "cumsum": np.cumsum,
    "angle": np.angle,
    "reshape": lambda z: np.reshape(z, (2, -1)),
    "transpose": lambda z: np.transpose(z.reshape(2, -1)),
    "concatenate": lambda z: np.concatenate([z, z]),
    "stack": lambda z: np.stack([z, z]),
    "where": lambda z: np.where(PLACES[z.size], z, 0.0),
    "diff": np.diff,
    "roll": lambda z: np.roll(z, 2),
    "vdot": lambda z: np.vdot(z, z),
    "dot": lambda z: np.dot(z, z),
    "outer": lambda z: np.outer(z[:300], z[:300]),
    "var": np.var,
    "linalg.norm": np.linalg.norm,
}
# Calls of a matrix m.
MATRICES = {
    "m @ m": lambda m: m @ m,
    "m @ v": lambda m: m @ m[0],
    "einsum": lambda m: np.einsum("ij,jk->ik", m, m),
    "trace": np.trace,
    "linalg.solve": lambda m: np.linalg.solve(m, m[0]),
    "linalg.inv": np.linalg.inv,
    "linalg.det": lambda m: np.linalg.det(m[:30, :30]),
}
TRANSFORMS = (
    *("fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fft2", "ifft2", "rfft2", "irfft2"),
    *("fftn", "ifftn", "rfftn", "irfftn", "fftshift", "ifftshift"),
)
OF_REAL = {"rfft", "ihfft", "rfft2", "rfftn"}
SIZES = {"small": (10, 3, (2, 5)), "large": (200_000, 300, (400, 500))}
PLACES = {n: np.arange(n) % 3 > 0 for n, _, _ in SIZES.values()}
GRADIENTS = {
    "exp": np.exp,
    "z * z": lambda z: z * z,
    "sqrt": np.sqrt,
    "sum": np.sum,
    "fft": np.fft.fft,
}


def complex_normal(rng, shape):
    """Numbers of which the parts are between 0.3 and 3, away from branch points."""
    parts = rng.uniform(0.3, 3.0, (2, *shape))
    return parts[0] + 1j * parts[1]


def calls(size):
    """(group, name, function, NumPy's argument) of every call."""
    n, order, shape = SIZES[size]
    rng = np.random.default_rng(n)
    z = complex_normal(rng, (n,))
    m = complex_normal(rng, (order, order)) + order * np.eye(order)
    rows = complex_normal(rng, shape)
    for name, f in ARITHMETIC.items():
        yield "arithmetic", name, f, z
    for name in UFUNCS:
        yield "ufunc", name, getattr(np, name), z
    for name, f in ARRAYS.items():
        yield "array", name, f, z
    for name, f in MATRICES.items():
        yield "matrix", name, f, m
    for name in TRANSFORMS:
        argument = rows if "2" in name or name.endswith("n") else z
        argument = argument.real.copy() if name in OF_REAL else argument
        yield "fft", f"fft.{name}", getattr(np.fft, name), argument
    for name in ("fft", "ifft"):
        yield "fft", f"fft.{name} of real", getattr(np.fft, name), z.real.copy()


def numbers(x):
    """A result, which may be recorded, as NumPy's array."""
    return x.detach().numpy() if hasattr(x, "detach") else x


def measure(report, size, group, name, function, argument, turns):
    """Add the row of a call: how much longer, or how many times as long, as NumPy."""
    tensor = adcore.tensor(argument, requires_grad=True)
    got, want = np.asarray(numbers(function(tensor))), np.asarray(function(argument))
    for part in ("real", "imag") if want.dtype.kind == "c" else ("real",):
        scale = max(np.max(abs(want)), 1e-300)
        common.agree(getattr(got, part) / scale, getattr(want, part) / scale, 1e-9, name)
    candidates = {"numpy": lambda: function(argument), "adcore": lambda: function(tensor)}
    seconds = common.interleaved(candidates, turns, 0.002)
    work = f"{group}: {name}"
    if size == "large":
        less = [s - 1e-6 * MORE_MICROSECONDS for s in seconds["adcore"]]
        figure = common.ratios({**seconds, "adcore": less}, "adcore", "numpy")
        report.add(work, "large: (adcore - 1 us) / numpy", figure, "x", TIMES)
        return
    more = [1e6 * (a - b) for a, b in zip(seconds["adcore"], seconds["numpy"], strict=True)]
    note = f"numpy {1e6 * np.median(seconds['numpy']):.3g} us"
    report.add(work, "small: adcore - numpy", more, "us", MORE_MICROSECONDS, note)


def energy(call):
    """The sum of squared moduli."""
    return lambda z: np.sum(np.abs(call(z)) ** 2)


def gradients(report, size, turns):
    """Gradients beside the values, checked by differences along a direction."""
    n = SIZES[size][0]
    z = complex_normal(np.random.default_rng(n), (n,)) / 3.0
    for name, call in GRADIENTS.items():
        f = energy(call)
        gradient = adcore.grad(f)
        direction, h = z / np.linalg.norm(z), 1e-5
        difference = (f(z + h * direction) - f(z - h * direction)) / (2 * h)
        common.agree(np.vdot(gradient(z), direction).real, difference, 1e-4, "the gradient")
        candidates = {
            "NumPy, value": lambda call=call: call(z),
            "gradient of the energy": lambda gradient=gradient: gradient(z),
        }
        report.compare(f"gradient: {name}, {n}", candidates, "NumPy, value", turns=turns)


def main():
    """Print the report."""
    options = common.arguments(__doc__)
    report = common.Report("complex")
    warnings.simplefilter("ignore")
    turns = 3 if options.quick else 11
    for size in SIZES:
        for group, name, function, argument in calls(size):
            if options.only in f"{group}: {name}":
                measure(report, size, group, name, function, argument, turns)
        if options.only in "gradient":
            gradients(report, size, turns)
    return report.finish(options.check)


if __name__ == "__main__":
    sys.exit(main())

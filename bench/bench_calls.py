"""What one recorded call costs on ten elements: functions whose rules are not rows of the op table.

Recorded afresh, the tensors are there already.  A call may cost one microsecond more than the plain
call of NumPy or SciPy on arrays; the gradient of its sum has no limit, and stands beside the same
for a row of the table, which is what recording, sweep and transform cost by themselves.
"""

import sys

import numpy as np
import scipy.special as sp

import adcore
import common

LIMIT_US = 1.0  # above the plain call
RNG = np.random.default_rng(4)
X, Y = RNG.uniform(0.5, 2.0, (2, 10))
MATRIX = RNG.normal(size=(3, 3)) + 4.0 * np.eye(3)
STEP = 1e-6  # of the difference that gradients are compared with

CALLS = {
    "np.sin": (np.sin, (X,)),
    "sp.ndtr": (sp.ndtr, (X,)),
    "sp.beta": (sp.beta, (X, Y)),
    "sp.gammainc": (sp.gammainc, (X, Y)),
    "np.linalg.solve, 3 x 3": (np.linalg.solve, (MATRIX, X[:3])),
    "np.linalg.cholesky, 3 x 3": (np.linalg.cholesky, (MATRIX @ MATRIX.T,)),
    "np.sort": (np.sort, (X,)),
    "np.median": (np.median, (X,)),
    "np.fft.fft": (np.fft.fft, (X,)),
}


def parts(y):
    """The numbers of a result: of a complex one those of both parts."""
    found = (y.real, y.imag) if adcore.iscomplexobj(y) else (y,)
    return [v.detach().numpy() if isinstance(v, adcore.Tensor) else v for v in found]


def recorded(report, turns):
    """A recorded call beside the plain one."""
    for name, (function, args) in CALLS.items():
        tensors = [adcore.tensor(v, requires_grad=True) for v in args]
        common.agree_all(parts(function(*tensors)), parts(function(*args)), 1e-12, name)
        candidates = {
            "NumPy or SciPy": lambda f=function, a=args: f(*a),
            "recorded": lambda f=function, a=tensors: f(*a),
        }
        seconds = report.compare(f"{name}, recorded", candidates, "NumPy or SciPy", turns=turns)
        pairs = zip(seconds["recorded"], seconds["NumPy or SciPy"], strict=True)
        report.add(
            f"{name}, recorded", "above it", [1e6 * (a - b) for a, b in pairs], "us", LIMIT_US
        )


def gradients(report, turns):
    """The gradient of the sum in all arguments."""
    for name, (function, args) in CALLS.items():

        def total(*args, function=function):
            y = function(*args)
            return (y.real + 2.0 * y.imag).sum() if adcore.iscomplexobj(y) else y.sum()

        transform = adcore.grad(total, argnums=tuple(range(len(args))))
        slope = sum(float(g.sum()) for g in transform(*args))
        high, low = (float(total(*[v + h for v in args])) for h in (STEP, -STEP))
        common.agree(slope, (high - low) / (2.0 * STEP), 1e-6, f"{name}, gradient")
        samples = common.interleaved({name: lambda t=transform, a=args: t(*a)}, turns)[name]
        report.add("gradient of the sum, afresh", name, [1e6 * s for s in samples], "us")


WORKS = (recorded, gradients)


def main():
    """Print the report."""
    return common.run("calls", WORKS, __doc__)


if __name__ == "__main__":
    sys.exit(main())

"""Every row of the op table over 1000 elements: its value, and value and gradient of its sum.

The value stands beside the NumPy or SciPy function that the row names, where there is one.  There
are no limits here: this is where to look when an op is slow.
"""

import sys

import numpy as np
import scipy.special

import adcore
import common

sys.path.insert(0, str(common.ROOT / "tests"))
import oracles

ELEMENTS = 1000
PARAMETER = 2  # of FAMILY rows


def public_ops():
    """Rows that are functions."""
    return [op for op in adcore.OPS if not op.hidden]


def case(op):
    """Arguments in the middle of the domain, where the row is smooth, and the call without them."""
    rng = np.random.default_rng(op.code)
    arrays = []
    for lo, hi in op.domain:
        low = max(lo, -2.0)
        high = min(hi, low + 4.0)
        margin = 0.1 * (high - low)
        arrays.append(rng.uniform(low + margin, high - margin, ELEMENTS))
    if op.family:
        return arrays, lambda *args: op.function(PARAMETER, *args)
    return arrays, op.function


def peer(op):
    """The function of NumPy or SciPy that the row names, or None."""
    function = getattr(np, op.ufunc, None) or getattr(scipy.special, op.ufunc, None)
    if op.family:
        takes_parameter = getattr(function, "nin", 0) == 1 + op.n_args
        return (lambda x: function(PARAMETER, x)) if takes_parameter else None
    return function


def main():
    """Print the report."""
    options = common.arguments(__doc__)
    report = common.Report("ops")
    for op in public_ops():
        if options.only not in op.name:
            continue
        arrays, call = case(op)
        transform = adcore.value_and_grad(
            lambda *args, call=call: call(*args).sum(), argnums=tuple(range(op.n_args))
        )
        check(op, arrays, call, transform)
        candidates = {
            "value": lambda call=call, arrays=arrays: call(*arrays),
            "value and gradient": lambda transform=transform, arrays=arrays: transform(*arrays),
        }
        function = peer(op)
        if function is not None:
            common.agree(call(*arrays), function(*arrays), 1e-13, f"{op.name}, its value")
            candidates["NumPy or SciPy"] = lambda f=function, arrays=arrays: f(*arrays)
        seconds = common.interleaved(candidates, turns=3 if options.quick else 11)
        for name, samples in seconds.items():
            per_element = [1e9 * sample / ELEMENTS for sample in samples]
            report.add(op.name, name, per_element, "ns")
    return report.finish(options.check)


def check(op, arrays, call, transform):
    """Compare the first partial derivatives of the first element with mpmath."""
    point = [float(array[0]) for array in arrays]
    exact_args = [PARAMETER, *point] if op.family else point
    value, gradients = transform(*arrays)
    common.agree(value, np.sum(call(*arrays)), 1e-12, f"{op.name}, the sum")
    for i, gradient in enumerate(gradients):
        orders = tuple(int(i == j) for j in range(op.n_args))
        exact = float(oracles.derivative(op.name, orders, exact_args))
        common.agree(gradient[0], exact, 1e-12, f"{op.name}, argument {i}")


if __name__ == "__main__":
    sys.exit(main())

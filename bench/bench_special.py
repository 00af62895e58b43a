"""Functions of adcore.scipy.special: seconds per element beside SciPy's value, and errors.

Errors are those of the first and second derivatives in all arguments, relative to mpmath's, at
points drawn from the domains in tests/special_cases.py.  Where a derivative passes through zero it
is not looked at: below a millionth of the largest of its order, every argument brought to its own
size.  Nor is a value that has rounded to 1, whose complement is another function's tail.
"""

import sys

import numpy as np
import scipy.special as sp

import adcore
import adcore.scipy.special as special
import common
from adcore.errors import NotDifferentiableError

sys.path.insert(0, str(common.ROOT / "tests"))
import special_cases

ELEMENTS = 1000
LIMIT = 1e-9


def names(options):
    """Names with a domain that the options ask for."""
    return [name for name in special_cases.DOMAINS if options.only in name]


def function_of_vector(name, point):
    """The function of a vector of the arguments that vary."""
    vary = special_cases.CASES[name][0].vary

    def f(v):
        args = list(point)
        for j, i in enumerate(vary):
            args[i] = v[j]
        return getattr(special, name)(*args)

    return f


def errors_at(name, point):
    """(largest relative error of a derivative, its orders), or None if there is nothing to see."""
    case = special_cases.CASES[name][0]
    value = getattr(sp, name)(*point)
    if not 1e-250 < abs(value) < 1e250 or abs(value - 1) < 1e-14:
        return None
    true = special_cases.partials(case, point)
    v = np.array([point[i] for i in case.vary], dtype=float)
    f = function_of_vector(name, point)
    gradient, hessian = adcore.grad(f)(v), adcore.hessian(f)(v)
    sizes = {
        k: d * np.prod([abs(x) ** n for x, n in zip(v, k, strict=True)]) for k, d in true.items()
    }
    worst = (0.0, None)
    for orders, exact in true.items():
        at = [i for i, n in enumerate(orders) for _ in range(n)]
        if not at or abs(sizes[orders]) < 1e-6 * max(
            abs(s) for k, s in sizes.items() if sum(k) == len(at)
        ):
            continue
        got = gradient[at[0]] if len(at) == 1 else hessian[at[0], at[1]]
        error = float(abs(got - exact) / abs(exact)) if np.isfinite(got) else np.inf
        worst = max(worst, (error, orders), key=lambda pair: pair[0])
    return worst


def measure_errors(report, name, count):
    """The median and the largest error over `count` points."""
    rng = np.random.default_rng(len(name) + 7 * count)
    found, refused = [], 0
    for _ in range(count):
        point = special_cases.draw(name, rng)
        try:
            error = errors_at(name, point)
        except NotDifferentiableError:
            refused += 1
            continue
        if error is not None:
            found.append((error[0], point, error[1]))
    if not found:
        return
    size, point, orders = max(found, key=lambda f: f[0])
    where = ", ".join(f"{x:.4g}" for x in point)
    note = f"{len(found)} points, worst at ({where}), orders {orders}"
    note += f"; {refused} refused" if refused else ""
    report.add(name, "largest relative error", size, "", LIMIT, note)


def measure_time(report, name, turns):
    """The value beside SciPy's, and value and gradient in all arguments that vary."""
    case = special_cases.CASES[name][0]
    rng = np.random.default_rng(1)
    args = [np.full(ELEMENTS, float(x)) for x in case.points[len(case.points) // 2]]
    for i in case.vary:
        args[i] = args[i] * rng.uniform(0.98, 1.0, ELEMENTS)
    function, plain = getattr(special, name), getattr(sp, name)
    transform = adcore.value_and_grad(lambda *a: function(*a).sum(), argnums=case.vary)
    candidates = {
        "SciPy, value only": lambda: plain(*args),
        "value": lambda: function(*args),
        "value and gradient": lambda: transform(*args),
    }
    for candidate, samples in common.interleaved(candidates, turns).items():
        report.add(name, candidate, [1e9 * s / ELEMENTS for s in samples], "ns")


def main():
    """Print the report."""
    options = common.arguments(__doc__)
    report = common.Report("special")
    for name in names(options):
        measure_time(report, name, 3 if options.quick else 11)
        measure_errors(report, name, 10 if options.quick else 60)
    return report.finish(options.check)


if __name__ == "__main__":
    sys.exit(main())

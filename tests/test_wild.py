"""Wild random programs, compiled and run by Python: values and derivatives at all sorts of points.

The text of what fails is printed.  A longer run: ADCORE_WILD=5000 pytest tests/test_wild.py
"""

import os
import re

import numpy as np
import pytest

import adcore
from wild_programs import Drawn, flat

N_PROGRAMS = int(os.environ.get("ADCORE_WILD", "80"))
N_PARTS = 4
EVERY = (0, 1, 2, 3)
ROOT = re.compile("norm|std|hypot")
COMPLEX = re.compile("1j|[.]imag|[.]real|fft")


def outcome(f, *args, **options):
    """(result, type of what was raised)."""
    try:
        return f(*args, **options), None
    except Exception as error:
        return None, type(error)


def agree(got, want, scale=1.0, digits=8):
    """Whether numbers are equal to so many digits of the largest, or both are not numbers."""
    got, want = flat(got), flat(want)
    if len(got) != len(want):
        return False
    numbers = [np.asarray(w, dtype=float) for w in want if not isinstance(w, str)]
    scale = max([scale, *(np.max(np.abs(w[np.isfinite(w)]), initial=0.0) for w in numbers)])
    for g, w in zip(got, want, strict=True):
        if isinstance(w, str):
            if g != w:
                return False
            continue
        g, w = np.asarray(g, dtype=float), np.asarray(w, dtype=float)
        if g.shape != w.shape or np.any(np.isfinite(g) != np.isfinite(w)):
            return False
        finite = np.isfinite(w)
        if not np.array_equal(g[~finite], w[~finite], equal_nan=True):
            return False
        if np.any(np.abs(g[finite] / scale - w[finite] / scale) > 10.0**-digits):
            return False
    return True


def all_finite(tree):
    return all(np.all(np.isfinite(leaf)) for leaf in flat(tree))


def check(drawn, point, compiled, quick, parts):
    """All that is asked of a compiled function, at one point."""
    plain = [np.copy(p)[()] if np.ndim(p) else np.float64(p) for p in point]
    want, raised = outcome(drawn.scalar, *plain)
    if COMPLEX.search(drawn.text) and not all_finite(point):
        return  # a pair of real numbers has no rules of its own for infinities
    value, refused = outcome(compiled, *point)
    if raised is not None:
        assert refused is not None, "an error that NumPy raises is lost"
        return
    if refused is not None:
        # a mask that is a constant to Python is a tensor of the recording, which takes no out=
        assert issubclass(refused, (TypeError, ValueError, RuntimeError))
        return
    assert agree(value, want, digits=9), ("value", value, want)
    assert agree(parts(*point), drawn.parts(*plain), digits=9), "several results"
    if not np.isfinite(want):
        return
    gradient, refused = outcome(adcore.grad(drawn.scalar, EVERY), *point)
    if refused is not None or not all_finite(gradient):
        return
    rng = np.random.default_rng(drawn.seed)
    v = tuple([rng.uniform(-1, 1, np.shape(p)) if np.ndim(p) else rng.uniform() for p in point])
    scale = max([1.0, *(np.max(np.abs(g)) for g in flat(gradient))])
    for c in (compiled, quick):
        assert agree(c.grad(*point, argnums=EVERY), gradient), "gradient"
        assert agree(c.value_and_grad(*point, argnums=EVERY), (want, gradient)), "with the value"
    slope = sum(np.sum(np.asarray(g) * t) for g, t in zip(gradient, v, strict=True))
    tangent = compiled.jvp(tuple(point), v)[1]
    if np.isfinite(tangent) or np.isfinite(adcore.jvp(drawn.scalar, tuple(point), v)[1]):
        # else a slope that is nan is times 0, which only a reverse sweep leaves out
        assert agree(tangent, slope, scale), "tangent"
    assert agree(compiled.vjp(*point)[1](0.5), [0.5 * np.asarray(g) for g in gradient]), "vjp"
    assert agree(adcore.grad(compiled, EVERY)(*point), gradient), "gradient of the compiled"
    curvature, refused = outcome(adcore.hessian(drawn.scalar, EVERY), *point)
    if refused is not None or not all_finite(curvature):
        return
    size = max([scale, *(np.max(np.abs(h)) for h in flat(curvature))])
    for c in (compiled, quick):
        found = c.value_grad_and_hessian(*point, argnums=EVERY)
        if not all_finite(found) and ROOT.search(drawn.text):
            return  # of a root at zero that stands still, as below
        assert agree(found, (want, gradient, curvature), digits=7), "Hessian"
    product = [
        sum(np.tensordot(h, t, np.ndim(t)) for h, t in zip(row, v, strict=True))
        for row in curvature
    ]
    found = compiled.hvp(tuple(point), v)
    if not all_finite(found) and ROOT.search(drawn.text):
        return  # of a root at zero that stands still the product may be nan, the Hessian 0
    assert agree(found, (gradient, product), size, 6), "product"


@pytest.mark.parametrize("part", range(N_PARTS))
def test_compiled_is_python(part):
    for seed in range(part * N_PROGRAMS // N_PARTS, (part + 1) * N_PROGRAMS // N_PARTS):
        drawn = Drawn(seed)
        compiled = adcore.compile(drawn.scalar, reassociate=False, max_paths=[3, 64][seed % 2])
        quick, parts = adcore.compile(drawn.scalar), adcore.compile(drawn.parts)
        for point in drawn.points(6):
            with np.errstate(all="ignore"):
                try:
                    check(drawn, point, compiled, quick, parts)
                except Exception as error:
                    raise AssertionError(f"seed {seed}\n{drawn.text}\nat {point!r}") from error

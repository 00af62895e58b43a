"""Derivatives of holomorphic functions, from those of the real and imaginary parts.

With f = u + i v and z = a + i b, f' = du/da - i du/db; and because du/da = dv/db and du/db = -dv/da
for holomorphic functions alone (Cauchy and Riemann), both are found, and compared.
"""

import numpy as np

from . import _core
from ._recording import name_of
from ._trees import complex_parts, flatten_values
from .errors import NotDifferentiableError

_TOLERANCE = 1e-6  # of the derivative; what is not holomorphic mostly misses it by far


def derivatives(r, output, derive, rows=False):
    """For each complex number or array of an output: the derivative, in the arguments' structure.

    `derive` is what Recording.each() takes, as are `rows`.
    """
    leaves, structure = flatten_values(output)
    name = name_of(r.f)
    if r.numbers or not all(complex_parts(r.structure)):
        raise NotDifferentiableError(
            f"holomorphic=True differentiates by complex numbers, but arguments of {name} are "
            "real; pass complex ones, or leave holomorphic out"
        )
    if not all(complex_parts(structure)):
        raise NotDifferentiableError(
            f"holomorphic=True needs complex results, but {name} returned real ones; a real "
            "function that is not constant is not holomorphic: leave holomorphic out"
        )
    found = []
    for u, v in zip(leaves[::2], leaves[1::2], strict=True):
        by_u, by_v = r.each(u, derive, rows), r.each(v, derive, rows)
        _check(name, by_u, by_v)
        found.append(r.tree([0.0 - d if k % 2 else d for k, d in enumerate(by_u)]))
    return found, structure


def _check(name, by_u, by_v):
    """Refuse derivatives of the parts that are not those of a holomorphic function."""
    for k in range(0, len(by_u), 2):
        ua, ub, va, vb = (np.asarray(_core.values(d)) for d in (*by_u[k : k + 2], *by_v[k : k + 2]))
        error = abs(ua - vb) + abs(ub + va)
        scale = np.max(abs(ua) + abs(ub) + abs(va) + abs(vb), initial=0.0)
        if np.isfinite(scale) and np.any(error > _TOLERANCE * scale):
            raise NotDifferentiableError(
                f"{name} is not holomorphic: its derivatives along the real and the imaginary axis "
                f"differ by {np.max(error):.3g}; leave holomorphic out, or take real arguments, as "
                "in lambda a, b: f(a + 1j * b)"
            )

"""Every differentiable name of adcore.numpy: what a call of a tensor costs beside NumPy's own.

Recorded afresh at every call, of 10 elements, where the limit is NumPy's call and 1 us, and of
many, where it is 1.2 times NumPy's and 1 us, as NumPy's views take less than that.
"""

import sys
import types
import warnings

import numpy as np

import adcore
import adcore.numpy as anp
import common
from adcore.numpy import _states

# Calls of a vector and of a matrix.  Other functions are called of the vector alone, ufuncs of as
# many vectors as they take.
OF_VECTORS = {
    "fromiter": lambda np, v: np.fromiter(iter(v[:10]), float),
    "full": lambda np, v: np.full(v.shape, v),
    "acosh": lambda np, v: np.acosh(v + 1.0),
    "append": lambda np, v: np.append(v, v),
    "array": lambda np, v: np.array([v, v]),
    "array_split": lambda np, v: np.array_split(v, 2)[0],
    "astype": lambda np, v: np.astype(v, float),
    "atleast_3d": lambda np, v: np.atleast_3d(v),
    "bincount": lambda np, v: np.bincount(PLACES[v.size], weights=v),
    "block": lambda np, v: np.block([v, v]),
    "broadcast_arrays": lambda np, v: np.broadcast_arrays(v, 1.0)[0],
    "broadcast_to": lambda np, v: np.broadcast_to(v, (2, v.size)),
    "c_": lambda np, v: np.c_[v, v],
    "choose": lambda np, v: np.choose(PLACES[v.size] % 2, [v, v]),
    "clip": lambda np, v: np.clip(v, 0.2, 0.7),
    "column_stack": lambda np, v: np.column_stack([v, v]),
    "compress": lambda np, v: np.compress(PLACES[v.size] > 1, v),
    "concat": lambda np, v: np.concat([v, v]),
    "concatenate": lambda np, v: np.concatenate([v, v]),
    "convolve": lambda np, v: np.convolve(v, v[:5]),
    "copyto": lambda np, v: np.copyto(v.copy(), v),
    "correlate": lambda np, v: np.correlate(v, v[:5]),
    "delete": lambda np, v: np.delete(v, [1, 2]),
    "diagflat": lambda np, v: np.diagflat(v[:10]),
    "divmod": lambda np, v: np.divmod(v, 0.3)[0],
    "dstack": lambda np, v: np.dstack([v, v]),
    "empty_like": lambda np, v: np.empty_like(v).shape,
    "expand_dims": lambda np, v: np.expand_dims(v, 0),
    "extract": lambda np, v: np.extract(PLACES[v.size] > 1, v),
    "float_power": lambda np, v: np.float_power(v, 2.5),
    "frexp": lambda np, v: np.frexp(v)[0],
    "full_like": lambda np, v: np.full_like(v, 2.0),
    "geomspace": lambda np, v: np.geomspace(v[0], v[1], v.size),
    "heaviside": lambda np, v: np.heaviside(v, 0.5),
    "histogram": lambda np, v: np.histogram(PLACES[v.size], 5, weights=v)[0],
    "histogram2d": lambda np, v: np.histogram2d(PLACES[v.size], PLACES[v.size], 5, weights=v)[0],
    "histogramdd": lambda np, v: np.histogramdd(PLACES[v.size][:, None], 5, weights=v)[0],
    "hsplit": lambda np, v: np.hsplit(v, 2)[0],
    "hstack": lambda np, v: np.hstack([v, v]),
    "inner": lambda np, v: np.inner(v, v),
    "insert": lambda np, v: np.insert(v, 1, 2.0),
    "interp": lambda np, v: np.interp(v, [0.0, 0.3, 0.7, 1.0], [0.0, 1.0, 3.0, 2.0]),
    "intersect1d": lambda np, v: np.intersect1d(v, v[:5]),
    "ix_": lambda np, v: np.ix_(v, v)[0],
    "kaiser": lambda np, v: np.kaiser(v.size, v[0]),
    "kron": lambda np, v: np.kron(v, [1.0, 2.0]),
    "ldexp": lambda np, v: np.ldexp(v, 2),
    "linspace": lambda np, v: np.linspace(v[0], v[1], v.size),
    "logspace": lambda np, v: np.logspace(v[0], v[1], v.size),
    "meshgrid": lambda np, v: np.meshgrid(v[:100], v[:100])[0],
    "modf": lambda np, v: np.modf(v)[0],
    "nanpercentile": lambda np, v: np.nanpercentile(v, 30),
    "nanquantile": lambda np, v: np.nanquantile(v, 0.3),
    "outer": lambda np, v: np.outer(v[:1000], v[:1000]),
    "pad": lambda np, v: np.pad(v, 2),
    "partition": lambda np, v: np.partition(v, 3)[3],
    "percentile": lambda np, v: np.percentile(v, 30),
    "piecewise": lambda np, v: np.piecewise(v, [PLACES[v.size] > 1], [np.sin, 0.0]),
    "place": lambda np, v: np.place(v.copy(), PLACES[v.size] > 1, [1.0]),
    "poly": lambda np, v: np.poly(v[:10]),
    "polyadd": lambda np, v: np.polyadd(v, v),
    "polydiv": lambda np, v: np.polydiv(v[:10], v[:5])[0],
    "polyfit": lambda np, v: np.polyfit(np.arange(v.size), v, 2),
    "polymul": lambda np, v: np.polymul(v, v[:5]),
    "polysub": lambda np, v: np.polysub(v, v),
    "polyval": lambda np, v: np.polyval([1.0, 2.0, 3.0], v),
    "put": lambda np, v: np.put(v.copy(), [1, 2], 0.0),
    "put_along_axis": lambda np, v: np.put_along_axis(v.copy(), np.array([1]), 0.0, 0),
    "putmask": lambda np, v: np.putmask(v.copy(), PLACES[v.size] > 1, 0.0),
    "quantile": lambda np, v: np.quantile(v, 0.3),
    "r_": lambda np, v: np.r_[v, v],
    "repeat": lambda np, v: np.repeat(v, 2),
    "reshape": lambda np, v: np.reshape(v, (2, -1)),
    "resize": lambda np, v: np.resize(v, (2, v.size)),
    "roll": lambda np, v: np.roll(v, 2),
    "roots": lambda np, v: np.roots(np.poly(v[:5])),
    "select": lambda np, v: np.select([PLACES[v.size] > 1], [v], 0.0),
    "setdiff1d": lambda np, v: np.setdiff1d(v, v[:5]),
    "setxor1d": lambda np, v: np.setxor1d(v, v[:5]),
    "split": lambda np, v: np.split(v, 2)[0],
    "stack": lambda np, v: np.stack([v, v]),
    "take": lambda np, v: np.take(v, PLACES[v.size]),
    "take_along_axis": lambda np, v: np.take_along_axis(v, PLACES[v.size], 0),
    "tile": lambda np, v: np.tile(v, 2),
    "union1d": lambda np, v: np.union1d(v, v[:5]),
    "vander": lambda np, v: np.vander(v, 3),
    "vdot": lambda np, v: np.vdot(v, v),
    "vectorize": lambda np, v: np.vectorize(lambda a: a * a)(v[:10]),
    "vstack": lambda np, v: np.vstack([v, v]),
    "where": lambda np, v: np.where(PLACES[v.size] > 1, v, 0.0),
}
OF_MATRICES = {
    "apply_along_axis": lambda np, m: np.apply_along_axis(np.sum, 0, m[:, :20]),
    "apply_over_axes": lambda np, m: np.apply_over_axes(np.sum, m, [0]),
    "corrcoef": lambda np, m: np.corrcoef(m[:2]),
    "cov": lambda np, m: np.cov(m[:2]),
    "cross": lambda np, m: np.cross(m[:, :3], m[:, :3]),
    "diag": lambda np, m: np.diag(m),
    "diagonal": lambda np, m: np.diagonal(m),
    "dot": lambda np, m: np.dot(m, m.T),
    "dsplit": lambda np, m: np.dsplit(m.reshape(1, *m.shape), [1])[0],
    "einsum": lambda np, m: np.einsum("ij,kj->ik", m, m),
    "fill_diagonal": lambda np, m: np.fill_diagonal(m.copy(), 0.0),
    "fliplr": lambda np, m: np.fliplr(m),
    "flipud": lambda np, m: np.flipud(m),
    "matmul": lambda np, m: np.matmul(m, m.T),
    "matrix_transpose": lambda np, m: np.matrix_transpose(m),
    "matvec": lambda np, m: np.matvec(m, m[0]),
    "moveaxis": lambda np, m: np.moveaxis(m, 0, 1),
    "permute_dims": lambda np, m: np.permute_dims(m, (1, 0)),
    "rollaxis": lambda np, m: np.rollaxis(m, 1),
    "rot90": lambda np, m: np.rot90(m),
    "swapaxes": lambda np, m: np.swapaxes(m, 0, 1),
    "tensordot": lambda np, m: np.tensordot(m, m),
    "trace": lambda np, m: np.trace(m),
    "tril": lambda np, m: np.tril(m),
    "triu": lambda np, m: np.triu(m),
    "unstack": lambda np, m: np.unstack(m)[0],
    "vecdot": lambda np, m: np.vecdot(m, m),
    "vecmat": lambda np, m: np.vecmat(m[:, 0], m),
    "vsplit": lambda np, m: np.vsplit(m, [1])[0],
}
SIZES = {"small": (10, (2, 5)), "large": (200_000, (400, 500))}
PLACES = {n: np.arange(n) % 7 for n, _ in SIZES.values()}


def names():
    """The differentiable names, one of each group of aliases, without the deprecated row_stack."""
    seen = {}
    for name in _states.names():
        found = getattr(np, name)
        if _states.state(name) == "differentiable" and not isinstance(found, types.ModuleType):
            seen.setdefault(id(found), name)
    return [name for name in seen.values() if name != "row_stack"]


def call_of(name):
    """The call of a name: a function of a namespace, a vector and a matrix."""
    if name in OF_VECTORS:
        return lambda np, v, _: OF_VECTORS[name](np, v)
    if name in OF_MATRICES:
        return lambda np, _, m: OF_MATRICES[name](np, m)
    arguments = getattr(np, name).nin if isinstance(getattr(np, name), np.ufunc) else 1

    def call(np, v, _):
        return getattr(np, name)(*[v] * arguments)

    return call


def point(size):
    """A vector and a matrix of numbers between 0.1 and 0.9, all different."""
    n, shape = SIZES[size]
    rng = np.random.default_rng(n)
    return (rng.permutation(n) + 0.5) / n * 0.8 + 0.1, rng.uniform(0.1, 0.9, shape)


def measure(report, name, size, turns):
    """Add the row of a name: how much longer, or how many times as long, as NumPy."""
    call = call_of(name)
    v, m = point(size)
    tv, tm = adcore.tensor(v, requires_grad=True), adcore.tensor(m, requires_grad=True)
    common.beside_plain(
        report, name, size, lambda: call(np, v, m), lambda: call(anp, tv, tm), turns
    )


def main():
    """Print the report."""
    options = common.arguments(__doc__)
    report = common.Report("numpy")
    warnings.simplefilter("ignore")  # of NumPy, on its deprecated names
    for name in names():
        if options.only in name:
            for size in SIZES:
                measure(report, name, size, 3 if options.quick else 11)
    return report.finish(options.check)


if __name__ == "__main__":
    sys.exit(main())

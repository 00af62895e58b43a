"""Calls of adcore.numpy's functions: shapes of the arguments, and what to do with them.

Marked "real": there is no complex version in NumPy, or it means something else.  Marked "ours":
NumPy's own function cannot be called of tensors.  Marked "guarded": a compiled function records
anew where other numbers lead another way, as where shapes hang on them.
"""

import warnings

import adcore.numpy as np

NAN = float("nan")


def some_nan(x):
    """`x` of shape (3, 4) with nan in places that do not depend on it."""
    return np.where(np.array([[1, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]], dtype=bool), NAN, x)


def changed(change):
    """A function that copies its first argument, changes the copy, and returns it."""

    def function(x, *args):
        y = x * 1.0
        change(y, *args)
        return y

    return function


LEFT = [[True, False, True, True], [False, True, True, True], [True, True, True, False]]

CASES = {
    # creation
    "array": ([(3,)], lambda x: np.array([[x[0], 2.0], [x[1] * x[2], x[0]]]), "ours"),
    "array of rows": ([(3,), (3,)], lambda x, y: np.array([x, y * y], ndmin=3), "ours"),
    "array copy": ([(3,)], lambda x: np.array(x) * np.array(x, copy=False), "ours"),
    "asarray": ([(3,)], lambda x: np.asarray([x[0], x[1]]) * np.asarray(x)[1:], "ours"),
    "asanyarray": ([(3,)], lambda x: np.asanyarray((x[0], x[1])), "ours"),
    "ascontiguousarray": ([(3,)], lambda x: np.ascontiguousarray(x[0]) * x, "ours"),
    "asfortranarray": ([(3, 2)], lambda x: np.asfortranarray(x.T) ** 2, "ours"),
    "asarray_chkfinite": ([(3,)], lambda x: np.asarray_chkfinite([x[0], x[2]]), "ours", "guarded"),
    "require": ([(3,)], lambda x: np.require(x, requirements="C") * x, "ours"),
    "astype": ([(3,)], lambda x: np.astype(x, float) ** 2, "real"),
    "fromiter": ([(3,)], lambda x: np.fromiter((v * v for v in x), float), "real", "ours"),
    "full": ([(), (3,)], lambda x, y: np.full((2, 3), x) * np.full((2, 3), y), "ours"),
    "linspace": ([(), ()], lambda x, y: np.linspace(x, y, 5) * np.linspace(x, 2.0, 5, False)),
    "linspace arrays": ([(2,), (3, 1)], lambda x, y: np.linspace(x, y, 4, axis=-1)),
    "linspace step": ([(), ()], lambda x, y: np.linspace(x, y, 4, retstep=True)[1]),
    "linspace one": ([(), ()], lambda x, y: np.linspace(x, y, 1) * x * y),
    "logspace": ([(), ()], lambda x, y: np.logspace(x, y, 4) * np.logspace(0.0, y, 4, base=x + 2)),
    "geomspace": ([(), ()], lambda x, y: np.geomspace(x, y, 4) * np.geomspace(-x, -y, 4, False)),
    "meshgrid": ([(2,), (3,)], lambda x, y: np.multiply(*np.meshgrid(x, y))),
    "meshgrid ij": (
        [(2,), (3,), (2,)],
        lambda x, y, z: sum(np.meshgrid(x, y * y, z, indexing="ij", sparse=True)),
    ),
    "ix_": ([(2,), (3,)], lambda x, y: np.multiply(*np.ix_(x, y)), "real"),
    "vander": ([(3,)], lambda x: np.vander(x) * np.vander(x, 3, increasing=True)),
    "vander one": ([(3,)], lambda x: np.vander(x, 1) * np.vander(x, 2)),
    "kaiser": ([()], lambda x: np.kaiser(5, x * 3), "real", "ours"),
    "r_": ([(3,), ()], lambda x, y: np.r_[x, y, 1.0, x[1:]] * np.r_[0:4, x, y][:7], "ours"),
    "c_": ([(3,), (3, 2)], lambda x, y: np.c_[x, y, x], "ours"),
    "real": ([(3,)], lambda x: np.real(x) ** 2 + np.imag(x) + np.real_if_close(x), "real"),
    "angle": ([(3,)], lambda x: np.angle(x - 0.5) + x + np.angle(-x, deg=True), "real"),
    # elements
    "dsplit": ([(2, 1, 4)], lambda x: np.dsplit(x, 2)[1] * np.dsplit(x, [1, 3])[1]),
    "unstack": ([(3, 2)], lambda x: np.unstack(x)[1] * np.unstack(x, axis=1)[0][:2]),
    "rollaxis": ([(2, 3, 4)], lambda x: np.rollaxis(x, 2) * np.rollaxis(x, -1, 0)),
    "rollaxis on": (
        [(2, 3, 4)],
        lambda x: np.rollaxis(x, 0, 3) * np.rollaxis(x, -1, 1)[:1, :, :1].sum(),
    ),
    "resize": ([(2, 3)], lambda x: np.resize(x, (4, 4)) * np.resize(x, (2, 2)).sum()),
    "trim_zeros": (
        [(3,)],
        lambda x: np.trim_zeros(np.concatenate([[0.0, 0.0], x, [0.0]])) ** 2,
        "guarded",
    ),
    "trim_zeros back": (
        [(3,)],
        lambda x: np.trim_zeros(np.concatenate([[0.0], x, [0.0]]), "b"),
        "guarded",
    ),
    "insert": ([(4,), (2,)], lambda x, y: np.insert(x, [1, 3], y) * np.insert(x, 2, y)),
    "insert axis": ([(2, 3), (2,)], lambda x, y: np.insert(x, 1, y, axis=1) ** 2),
    "insert rows": ([(2, 3), (2, 3)], lambda x, y: np.insert(x, [0, 2], y, axis=0)),
    "insert at one": ([(2, 3), (2, 2)], lambda x, y: np.insert(x, [1], y, axis=1)),
    "insert at a number": ([(2, 3), (2, 2)], lambda x, y: np.insert(x, 1, y, axis=1)),
    "insert number": ([(2, 3), ()], lambda x, y: np.insert(x, slice(0, 2), y, axis=0)),
    "choose": ([(3,), ()], lambda x, y: np.choose([0, 2, 1], [x, y, x * y])),
    "choose wrap": ([(2, 3)], lambda x: np.choose([0, 3, 1], x, mode="wrap")),
    "piecewise": (
        [(5,)],
        lambda x: np.piecewise(x, [x < 0.3, x > 0.6], [lambda v: v * v, 2.0, lambda v: v**3]),
        "real",
        "guarded",
    ),
    "copyto": ([(3, 4), (4,)], changed(lambda y, v: np.copyto(y, v, where=LEFT))),
    "copyto all": ([(3, 4), (4,)], changed(lambda y, v: np.copyto(y, v * v))),
    "putmask": ([(3, 4), (5,)], changed(lambda y, v: np.putmask(y, LEFT, v))),
    "place": ([(3, 4), (3,)], changed(lambda y, v: np.place(y, LEFT, v))),
    "put": ([(3, 4), (3,)], changed(lambda y, v: np.put(y, [1, -1, 5, 1], v))),
    "put_along_axis": (
        [(3, 4), (3, 1)],
        changed(lambda y, v: np.put_along_axis(y, np.array([[0], [3], [2]]), v, 1)),
    ),
    "fill_diagonal": ([(4, 3), (3,)], changed(lambda y, v: np.fill_diagonal(y, v))),
    "fill_diagonal wrap": ([(7, 3), ()], changed(lambda y, v: np.fill_diagonal(y, v, wrap=True))),
    "fill_diagonal cube": ([(2, 2, 2), ()], changed(lambda y, v: np.fill_diagonal(y, v))),
    "apply_along_axis": (
        [(2, 3, 4)],
        lambda x: np.apply_along_axis(lambda v: np.outer(v, v[:2]), 1, x),
    ),
    "apply_along_axis to numbers": (
        [(2, 3)],
        lambda x: np.apply_along_axis(lambda v: np.sum(v * v), 0, x),
    ),
    "apply_over_axes": ([(2, 3, 4)], lambda x: np.apply_over_axes(np.sum, x * x, [0, -1])),
    "vectorize": ([(3,), (2, 1)], lambda x, y: np.vectorize(lambda a, b: a * b + a)(x, y), "ours"),
    "copy": ([(3,)], lambda x: np.copy(x) ** 2),
    "zeros_like": (
        [(3,)],
        lambda x: (
            np.ones_like(x) * x
            + np.zeros_like(x)
            + np.full_like(x, x[0])
            + 0 * np.empty_like(x * 0).size
        ),
        "real",
    ),
    "conj": ([(3,)], lambda x: np.conj(x) * np.conjugate(x), "real"),
    "ldexp": ([(3,)], lambda x: np.ldexp(x, [1, 0, -3]) ** 2, "real"),
    "matvec": ([(2, 3), (3,)], lambda a, x: np.matvec(a, x) * np.vecmat(x[:2], a)[:2], "real"),
    "vstack": ([(3,), (2, 3)], lambda x, y: np.vstack([x, y]) ** 2),
    # sets: rearrangements
    "unique": (
        [(6,)],
        lambda x: np.unique(np.concatenate([x, x[:2]])) * np.unique(x),
        "real",
        "guarded",
    ),
    "unique and more": (
        [(2, 3)],
        lambda x: (
            np.unique(x)[np.unique(x, return_inverse=True)[1]]
            * np.unique(x, True, True, True)[3].reshape(2, 3)
        ),
        "real",
        "guarded",
    ),
    "unique axis": ([(3, 2)], lambda x: np.unique(x, axis=0) ** 2, "real", "guarded"),
    "unique_all": (
        [(4,)],
        lambda x: np.unique_all(x).values * np.unique_counts(x).counts,
        "real",
        "guarded",
    ),
    "unique_values": (
        [(4,)],
        lambda x: np.unique_values(x).sum() * np.unique_inverse(x).values,
        "real",
        "guarded",
    ),
    "union1d": ([(3,), (2,)], lambda x, y: np.union1d(x, y) ** 2, "real", "guarded"),
    "intersect1d": (
        [(3,), (2,)],
        lambda x, y: np.intersect1d(np.concatenate([x, y]), x) ** 2,
        "real",
        "guarded",
    ),
    "setdiff1d": (
        [(3,), (2,)],
        lambda x, y: np.setdiff1d(np.concatenate([x, y]), y) ** 2,
        "real",
        "guarded",
    ),
    "setxor1d": (
        [(3,), (2,)],
        lambda x, y: np.setxor1d(np.concatenate([x, y]), x),
        "real",
        "guarded",
    ),
    # reductions
    "sum where": ([(3, 4)], lambda x: np.sum(x, axis=0, where=LEFT, initial=2.0) ** 2),
    "sum initial": ([(3, 4)], lambda x: np.sum(x, initial=1.0) * x.sum(1, where=LEFT)),
    "prod where": ([(3, 4)], lambda x: np.prod(x, axis=1, where=LEFT, initial=3.0)),
    "mean where": (
        [(3, 4)],
        lambda x: np.mean(x, 1, where=LEFT) * x.mean(where=LEFT, keepdims=True)[0, 0],
    ),
    "var where": ([(3, 4)], lambda x: np.var(x, 1, where=LEFT, ddof=1), "real"),
    "std where": ([(3, 4)], lambda x: np.std(x, 0, where=LEFT, keepdims=True), "real"),
    "max where": (
        [(3, 4)],
        lambda x: np.max(x, 0, where=LEFT, initial=0.1) * np.min(x, 0, where=LEFT, initial=0.9),
        "real",
    ),
    "nansum": ([(3, 4)], lambda x: np.nansum(some_nan(x), 0) * np.nansum(some_nan(x))),
    "nanprod": ([(3, 4)], lambda x: np.nanprod(some_nan(x), 0)),
    "nancumsum": ([(3, 4)], lambda x: np.nancumsum(some_nan(x), 1) * np.nancumsum(some_nan(x))[2]),
    "nancumprod": ([(3, 4)], lambda x: np.nancumprod(some_nan(x), 1)),
    "nanmean": ([(3, 4)], lambda x: np.nanmean(some_nan(x), 0) * np.nanmean(some_nan(x), 1)[2]),
    "nanmean where": ([(3, 4)], lambda x: np.nanmean(some_nan(x), 1, where=LEFT, keepdims=True)),
    "nanvar": (
        [(3, 4)],
        lambda x: np.nanvar(some_nan(x), 1, ddof=1) * np.nanvar(some_nan(x)),
        "real",
    ),
    "nanstd": (
        [(3, 4)],
        lambda x: np.nanstd(some_nan(x), 1) * np.nanstd(some_nan(x), keepdims=True)[0],
        "real",
    ),
    "nanmax": ([(3, 4)], lambda x: np.nanmax(some_nan(x), 0) * np.nanmax(some_nan(x)), "real"),
    "nanmin": ([(3, 4)], lambda x: np.nanmin(some_nan(x), 1, keepdims=True) ** 2, "real"),
    "no nan": (
        [(3, 4)],
        lambda x: (
            np.nanmean(x, 0)[:3] * np.nanvar(x, 1, ddof=1) * np.nanmedian(x, 1)
            + np.nanmax(x, 1) * np.nanstd(x, 1)
            + np.nanpercentile(x, 40, axis=1)
        ),
        "real",
        "guarded",
    ),
    "cumulative_sum": ([(3, 4)], lambda x: np.cumulative_sum(x, axis=1, include_initial=True) ** 2),
    "cumulative_prod": (
        [(4,)],
        lambda x: np.cumulative_prod(x) * np.cumulative_prod(x, include_initial=True)[1:],
    ),
    "nanmedian": (
        [(3, 4)],
        lambda x: np.nanmedian(some_nan(x), 1) * np.nanmedian(some_nan(x), 0, keepdims=True)[0, :3],
        "real",
        "guarded",
    ),
    "nanquantile": (
        [(3, 4)],
        lambda x: np.nanquantile(some_nan(x), [0.1, 0.5], axis=1),
        "real",
        "guarded",
    ),
    "nanpercentile": (
        [(3, 4)],
        lambda x: np.nanpercentile(some_nan(x), 30, method="hazen"),
        "real",
        "guarded",
    ),
    "quantile weights": (
        [(3, 5)],
        lambda x: (
            np.quantile(
                x, [0.2, 0.5, 1.0], 1, method="inverted_cdf", weights=[1.0, 2.0, 0.5, 1.0, 3.0]
            )
            ** 2
        ),
        "real",
        "guarded",
    ),
    # polynomials
    "polyval": ([(4,), (2, 3)], lambda p, x: np.polyval(p, x) * np.polyval([2.0, 1.0], x)),
    "polyadd": ([(4,), (2,)], lambda p, q: np.polyadd(p, q) * np.polysub(q, p)),
    "polymul": ([(4,), (2,)], lambda p, q: np.polymul(p, q)),
    "polydiv": (
        [(4,), (2,)],
        lambda p, q: np.concatenate(np.polydiv(p, q + 0.5)),
        "real",
        "guarded",
    ),
    "polyder": ([(5,)], lambda p: np.polyder(p)[1:] * np.polyder(p, 2)),
    "polyint": ([(3,), (2,)], lambda p, k: np.polyint(p, 2, k) ** 2 * np.polyint(p).sum()),
    "poly": ([(4,)], lambda r: np.poly(r)),
    "roots": (
        [(3,)],
        lambda r: np.roots(np.poly(r * 5) * np.sum(r)) ** 2 * np.array([1.0, 2.0, 3.0]),
        "real",
    ),
    "roots at zero": (
        [()],
        lambda p: np.roots(np.array([1.0, 1.0, 0.0, 0.0]) * p - p * np.array([0.0, 2.0, 0.0, 0.0])),
        "real",
        "guarded",
    ),
    "polyfit": ([(7,)], lambda y: np.polyfit([0.0, 0.4, 1.0, 2.0, 2.5, 3.0, 4.0], y, 3)),
    "polyfit weights": (
        [(7, 2)],
        lambda y: np.polyfit([0.0, 0.4, 1, 2, 2.5, 3, 4], y, 2, w=[1, 2, 1, 1, 3, 1, 1.0]),
    ),
    "polyfit cov": (
        [(7,)],
        lambda y: np.polyfit([0.0, 0.4, 1, 2, 2.5, 3, 4], y, 2, cov=True)[1],
        "real",
    ),
    # calculus
    "convolve": (
        [(5,), (3,)],
        lambda a, b: (
            np.convolve(a, b)[:5] * np.convolve(b, a, "same") * np.convolve(a, b, "valid")[0]
        ),
    ),
    "correlate": (
        [(5,), (2,)],
        lambda a, b: (
            np.correlate(a, b, "same")
            * np.correlate(b, a, "same")
            * np.correlate(a, b, "full")[1:]
            * np.correlate(b, a)[:1]
        ),
        "real",
    ),
    "ediff1d": ([(2, 3), ()], lambda x, y: np.ediff1d(x, to_end=[y, 2.0], to_begin=y) ** 2),
    "gradient": ([(4,), ()], lambda f, h: np.gradient(f) * np.gradient(f, h, edge_order=2)),
    "gradient axes": (
        [(3, 4), (3,), (4,)],
        lambda f, x, y: np.multiply(*np.gradient(f, np.cumsum(x), np.cumsum(y), edge_order=2)),
    ),
    "gradient axis": ([(3, 4), (4,)], lambda f, x: np.gradient(f, np.cumsum(x + 0.2), axis=1)),
    "interp": (
        [(4,), (3,), (3,)],
        lambda x, p, f: np.interp(x * 3 - 0.5, np.cumsum(p), f),
        "real",
    ),
    "interp ends": (
        [(4,), (3,), ()],
        lambda x, f, e: np.interp(x * 3 - 0.5, [0.2, 0.5, 1.0], f, left=e, right=2 * e),
        "real",
    ),
    "interp period": (
        [(4,), (3,), (3,)],
        lambda x, p, f: np.interp(x * 9, p * 2, f, period=2.0),
        "real",
    ),
    "interp grid": ([(2, 3)], lambda x: np.interp(x, [0.0, 0.4, 1.0], [1.0, 3.0, 2.0]), "real"),
    "unwrap": ([(2, 5)], lambda x: np.unwrap(x * 9) * np.unwrap(x * 8, axis=0), "real"),
    "unwrap period": (
        [(5,), ()],
        lambda x, p: np.unwrap(x * 8, period=p + 1.0, discont=1.2),
        "real",
    ),
    "i0": ([(4,)], lambda x: np.i0(x * 4), "real"),
    "fix": ([(4,)], lambda x: np.fix(x * 4 - 2) * x, "real"),
    "cov": (
        [(3, 5)],
        lambda x: np.cov(x) + np.cov(x, bias=True) * np.cov(x, rowvar=False)[0, 1],
        "real",
    ),
    "cov of two": ([(5,), (5,)], lambda x, y: np.cov(x, y, ddof=0) * np.cov(x), "real"),
    "cov weights": (
        [(2, 5), (5,)],
        lambda x, w: (
            np.cov(x, aweights=w, fweights=[1, 2, 1, 3, 1]) * np.cov(x, fweights=[1, 2, 1, 3, 1])
        ),
        "real",
    ),
    "corrcoef": ([(3, 5), (5,)], lambda x, y: np.corrcoef(x) * np.corrcoef(x[0], y)[0, 1], "real"),
    "histogram2d": (
        [(5,)],
        lambda w: np.histogram2d([0, 1, 2, 1, 0.5], [3, 1, 0, 1, 2], [2, 3], weights=w)[0],
        "real",
    ),
    "histogramdd": (
        [(5,)],
        lambda w: np.histogramdd(
            np.array([[0.0, 1], [1, 1], [2, 0], [1, 1], [0.5, 2]]),
            [[0, 1, 1.5], 2],
            weights=w,
            density=True,
        )[0],
        "real",
    ),
    # ufuncs
    "frexp": ([(4,)], lambda x: np.frexp(x * 9)[0] * x, "real"),
    "reduce": (
        [(3, 4)],
        lambda x: (
            np.divide.reduce(x)
            * np.subtract.reduce(x, keepdims=True)
            * np.add.reduce(x, 0, where=LEFT, initial=1.0)
        ),
    ),
    "accumulate": ([(3, 4)], lambda x: np.subtract.accumulate(x) * np.divide.accumulate(x, axis=1)),
    "reduceat": ([(3, 5)], lambda x: np.add.reduceat(x, [0, 3, 1], axis=1) ** 2),
    "at": (
        [(4,), (3,)],
        changed(lambda y, v: (np.add.at(y, [0, 0, 2], v), np.multiply.at(y, [1, 1, 3], v))),
    ),
    "out": ([(3, 4)], changed(lambda y: np.multiply(y, y, out=y))),
    "where and out": ([(3, 4)], changed(lambda y: np.exp(y, out=y, where=LEFT))),
}

# Names that only some versions of NumPy have.
if hasattr(np, "row_stack"):

    def _row_stack(*rows):
        with warnings.catch_warnings():  # it is deprecated
            warnings.simplefilter("ignore")
            return np.row_stack(rows) ** 2

    CASES["row_stack"] = ([(3,), (2, 3)], _row_stack)


def _methods(name, whole):
    places = [0.0, 0.25, 0.37, 0.5, 0.8, 1.0] * 1
    for method in (
        *("inverted_cdf", "averaged_inverted_cdf", "closest_observation", "hazen", "weibull"),
        *("interpolated_inverted_cdf", "linear", "median_unbiased", "normal_unbiased", "lower"),
        *("higher", "midpoint", "nearest"),
    ):
        q = [p * whole for p in places]
        CASES[f"{name} {method}"] = (
            [(2, 6)],
            lambda x, q=q, method=method: getattr(np, name)(x, q, axis=1, method=method) ** 2,
            "real",
        )


_methods("quantile", 1.0)
_methods("percentile", 100.0)

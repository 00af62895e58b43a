"""Array functions against NumPy: values, and first and second derivatives in all modes.

First derivatives are compared with a complex step through NumPy's own function, which is exact to
rounding, or with central differences where NumPy has no complex version; second derivatives with
differences of first ones, and between the modes.
"""

import numpy as np
import pytest

import adcore
from adcore import _core

# Shapes of the arguments, and f.  Marked "real": f has no complex version in NumPy.
CASES = {
    # shapes
    "reshape": ([(2, 6)], lambda x: np.reshape(x, (3, -1))),
    "reshape method": ([(2, 6)], lambda x: x.reshape(4, 3) * x.reshape((4, 3))),
    "reshape of transpose": ([(3, 4)], lambda x: x.T.reshape(2, 6)),
    "ravel": ([(2, 3)], lambda x: np.ravel(x) * x.flatten()),
    "transpose": ([(2, 3, 4)], lambda x: np.transpose(x, (2, 0, 1)) + x.transpose(2, 0, 1)),
    "transpose all": ([(2, 3, 4)], lambda x: np.transpose(x) * x.T * x.transpose()),
    "moveaxis": ([(2, 3, 4)], lambda x: np.moveaxis(x, [0, -1], [-1, 0])),
    "swapaxes": ([(2, 3, 4)], lambda x: np.swapaxes(x, 0, -1)),
    "squeeze": ([(1, 3, 1)], lambda x: np.squeeze(x)),
    "squeeze axis": ([(1, 3, 1)], lambda x: np.squeeze(x, axis=-1)),
    "expand_dims": ([(2, 3)], lambda x: np.expand_dims(x, (0, -1))),
    "broadcast_to": ([(3, 1)], lambda x: np.broadcast_to(x, (2, 3, 4))),
    "broadcast_arrays": ([(3, 1), (4,)], lambda x, y: np.multiply(*np.broadcast_arrays(x, y))),
    "atleast": ([(3,)], lambda x: np.atleast_3d(x) * np.atleast_2d(x) * np.atleast_1d(x)),
    # joining
    "concatenate": ([(2, 3), (1, 3)], lambda x, y: np.concatenate([x, y, x])),
    "concatenate axis": ([(2, 3), (2, 1)], lambda x, y: np.concatenate((x, np.ones((2, 2)), y), 1)),
    "concatenate flat": ([(2, 3), (2,)], lambda x, y: np.concatenate([x, y], axis=None)),
    "hstack": ([(3,), (2,)], lambda x, y: np.hstack([x, y])),
    "hstack matrices": ([(2, 3), (2, 2)], lambda x, y: np.hstack([x, y])),
    "vstack": ([(3,), (2, 3)], lambda x, y: np.vstack([x, y])),
    "dstack": ([(3,), (3,)], lambda x, y: np.dstack([x, y])),
    "column_stack": ([(3,), (3, 2)], lambda x, y: np.column_stack([x, y])),
    "stack": ([(2, 3), (2, 3)], lambda x, y: np.stack([x, y * y, x], axis=1)),
    "stack end": ([(2, 3), (2, 3)], lambda x, y: np.stack([x, y], axis=-1)),
    "stack scalars": ([(3,)], lambda x: np.stack([x[0], x[1] * x[2], 2.0, x[0]])),
    "append": ([(3,), (2,)], lambda x, y: np.append(x, y)),
    "block": ([(2, 2), (2,)], lambda x, y: np.block([[x, np.ones((2, 1))], [y, 3.0]])),
    # parts
    "split": ([(6, 2)], lambda x: np.split(x, 3)[1] * np.split(x, [1, 3])[1]),
    "array_split": (
        [(2, 7)],
        lambda x: np.array_split(x, 3, axis=1)[0] * np.hsplit(x, [4, 6])[2][:, :1],
    ),
    "flip": ([(2, 3)], lambda x: np.flip(x) * np.flip(x, 0) * np.fliplr(x) * np.flipud(x)),
    "rot90": ([(2, 3)], lambda x: np.rot90(x) * np.rot90(x, 3) * np.rot90(x, 5)),
    "rot90 twice": ([(2, 3)], lambda x: np.rot90(x, 2) * np.rot90(x, 4)),
    "roll": ([(5,)], lambda x: np.roll(x, 2) * np.roll(x, -7)),
    "roll axes": ([(3, 4)], lambda x: np.roll(x, (1, -1), axis=(0, 1)) * np.roll(x, 3)),
    "take": ([(3, 4)], lambda x: np.take(x, [[0, 11], [5, -1]]) * x.take([1, 2], mode="wrap")),
    "take axis": ([(3, 4)], lambda x: np.take(x, [2, 0, 2], axis=0)),
    "take_along_axis": ([(3, 4)], lambda x: np.take_along_axis(x, np.array([[0], [3], [3]]), 1)),
    "compress": ([(3, 4)], lambda x: np.compress([True, False, True], x, axis=0)),
    "delete": ([(5,)], lambda x: np.delete(x, [1, 3])),
    "repeat": ([(2, 3)], lambda x: np.repeat(x, 2) * np.repeat(x, 2, axis=1).ravel()),
    "repeat uneven": ([(3, 2)], lambda x: np.repeat(x, [0, 2, 1], axis=0)),
    "tile": ([(2, 3)], lambda x: np.tile(x, 2)),
    "tile more": ([(3,)], lambda x: np.tile(x, (2, 1, 2))),
    "pad": ([(2, 3)], lambda x: np.pad(x, ((1, 0), (0, 2)), constant_values=((1, 2), (3, 4)))),
    "pad edge": ([(2, 3)], lambda x: np.pad(x, 2, mode="edge")),
    "pad reflect": ([(3, 4)], lambda x: np.pad(x, (1, 2), mode="reflect")),
    "pad symmetric": ([(3,)], lambda x: np.pad(x, (2, 5), mode="symmetric")),
    "pad wrap": ([(3,)], lambda x: np.pad(x, (4, 2), mode="wrap")),
    "diag": ([(3, 4)], lambda x: np.diag(x) * np.diag(x, 1) * np.diagonal(x, -0)),
    "diag below": ([(4, 3)], lambda x: np.diag(x, -2)),
    "diag outside": ([(2, 3)], lambda x: np.diag(x, 5)),
    "diag of vector": ([(3,)], lambda x: np.diag(x, 1) + np.diag(x, -1) + np.diagflat(x, 1)),
    "diagonal axes": ([(2, 3, 4)], lambda x: np.diagonal(x, 1, 2, 0)),
    "tril": ([(3, 4)], lambda x: np.tril(x, 1) - np.triu(x) * np.tril(x)),
    "triu": ([(2, 3, 3)], lambda x: np.triu(x, -1)),
    # sums and products
    "sum": ([(2, 3)], lambda x: np.sum(x) * x.sum(axis=0)),
    "sum axes": ([(2, 3, 4)], lambda x: x.sum((0, -1)) * np.sum(x, axis=(0, 2), keepdims=True)),
    "mean": ([(2, 3)], lambda x: x.mean() * np.mean(x, 1) * np.mean(x, axis=(0, 1))),
    "average": ([(2, 3), (3,)], lambda x, w: np.average(x, axis=1, weights=w)),
    "average full": ([(2, 3), (2, 3)], lambda x, w: np.average(x, weights=w)),
    "prod": ([(2, 3)], lambda x: x.prod() * np.prod(x, axis=1, keepdims=True)),
    "prod many": ([(2, 7, 3)], lambda x: np.prod(x, axis=(0, 1))),
    "cumsum": ([(2, 3)], lambda x: np.cumsum(x) * x.cumsum()),
    "cumsum axis": ([(3, 2, 4)], lambda x: np.cumsum(x, axis=0) * x.cumsum(-1) * x.cumsum(1)),
    "cumprod": ([(7,)], lambda x: np.cumprod(x)),
    "cumprod axis": ([(5, 2)], lambda x: np.cumprod(x, axis=0)),
    "max": ([(3, 4)], lambda x: np.max(x) * x.max(0)),
    "min": ([(3, 4)], lambda x: np.min(x, axis=1, keepdims=True) * np.amin(x) * np.amax(x)),
    "max of transpose": ([(3, 4, 2)], lambda x: np.transpose(x).max(axis=(0, 2))),
    "ptp": ([(3, 4)], lambda x: np.ptp(x, axis=1)),
    "var": ([(3, 4)], lambda x: np.var(x) * np.var(x, axis=0, ddof=1), "real"),
    "std": ([(3, 4)], lambda x: np.std(x) * x.std(axis=1, ddof=1, keepdims=True), "real"),
    "diff": ([(3, 5)], lambda x: np.diff(x) * np.diff(x, axis=0, prepend=1.0)[:, 1:]),
    "diff twice": ([(6,)], lambda x: np.diff(x, 2)),
    "trapezoid": ([(3, 5), (5,)], lambda y, x: np.trapezoid(y, x) + np.trapezoid(y, dx=0.1)),
    # norms
    "norm": ([(3, 4)], lambda x: np.linalg.norm(x) * np.linalg.norm(x, axis=1), "real"),
    "norm fro": ([(3, 4)], lambda x: np.linalg.norm(x, "fro", keepdims=True), "real"),
    "norm orders": (
        [(4,)],
        lambda x: np.stack([np.linalg.norm(x, p) for p in (1, 2, 3, 1.5, np.inf, -np.inf, -1)]),
        "real",
    ),
    "norm axis": ([(3, 4)], lambda x: np.linalg.norm(x, 3, axis=0, keepdims=True), "real"),
    "matrix norms": (
        [(2, 3, 4)],
        lambda x: np.stack(
            [np.linalg.norm(x, p, axis=(0, 2)) for p in (1, -1, np.inf, -np.inf, "fro")]
        ),
        "real",
    ),
    "matrix norms other order": (
        [(2, 3, 4)],
        lambda x: np.linalg.norm(x, 1, axis=(2, 0)) * np.linalg.norm(x, np.inf, axis=(-1, 1))[:1],
        "real",
    ),
    # products
    "matmul": ([(2, 3), (3, 4)], lambda a, b: a @ b),
    "matmul batched": ([(5, 2, 3), (3, 4)], lambda a, b: np.matmul(a, b)),
    "matmul broadcast": ([(4, 1, 2, 3), (5, 3, 1)], lambda a, b: a @ b),
    "matmul vector": ([(2, 3), (3,)], lambda a, b: a @ b),
    "matmul vector left": ([(3,), (4, 3, 2)], lambda a, b: a @ b),
    "matmul vectors": ([(3,), (3,)], lambda a, b: a @ b * (a @ np.ones(3)) * (np.ones(3) @ b)),
    "matmul constant": ([(3, 2)], lambda a: np.ones((2, 3)) @ a @ np.ones((2, 2))),
    "matmul itself": ([(3, 3)], lambda a: a @ a.T @ a),
    "dot": ([(2, 3), (3, 4)], lambda a, b: np.dot(a, b)),
    "dot vectors": ([(3,), (3,)], lambda a, b: np.dot(a, b) * a.dot(b)),
    "dot many": ([(2, 3, 4), (5, 4, 2)], lambda a, b: np.dot(a, b)),
    "dot scalar": ([(), (3,)], lambda a, b: np.dot(a, b)),
    "inner": ([(2, 3), (4, 3)], lambda a, b: np.inner(a, b)),
    "vdot": ([(2, 3), (3, 2)], lambda a, b: np.vdot(a, b), "real"),
    "outer": ([(2, 3), (4,)], lambda a, b: np.outer(a, b)),
    "tensordot": ([(2, 3, 4), (4, 3, 5)], lambda a, b: np.tensordot(a, b, axes=([1, 2], [1, 0]))),
    "tensordot number": (
        [(2, 3), (2, 3)],
        lambda a, b: np.tensordot(a, b) * np.tensordot(a[0], b[0], 0),
    ),
    "kron": ([(2, 3), (3, 1)], lambda a, b: np.kron(a, b)),
    "kron dims": ([(2,), (3, 2)], lambda a, b: np.kron(a, b)),
    "trace": ([(3, 4)], lambda x: np.trace(x) * np.trace(x, 1)),
    "trace axes": ([(2, 3, 4)], lambda x: np.trace(x, axis1=2, axis2=0)),
    "cross": ([(4, 3), (3,)], lambda a, b: np.cross(a, b)),
    # einsum
    "einsum matmul": ([(2, 3), (3, 4)], lambda a, b: np.einsum("ij,jk", a, b)),
    "einsum batch": ([(5, 2, 3), (5, 3, 4)], lambda a, b: np.einsum("bij,bjk->bki", a, b)),
    "einsum rows": ([(4, 3), (4, 3)], lambda a, b: np.einsum("ij,ij->i", a, b)),
    "einsum all": ([(4, 3), (4, 3)], lambda a, b: np.einsum("ij,ij->", a, b)),
    "einsum outer": ([(2,), (3, 4)], lambda a, b: np.einsum("i,jk->kij", a, b)),
    "einsum diagonal": ([(3, 3, 2)], lambda a: np.einsum("iij->ji", a)),
    "einsum trace": ([(3, 3)], lambda a: np.einsum("ii", a)),
    "einsum triple": ([(3, 3, 3, 2)], lambda a: np.einsum("iiij->ij", a)),
    "einsum implicit": ([(2, 3)], lambda a: np.einsum("ba", a)),
    "einsum three": ([(2, 3), (3, 4), (4, 2)], lambda a, b, c: np.einsum("ij,jk,ki->i", a, b, c)),
    "einsum bilinear": ([(3,), (3, 4), (4,)], lambda a, b, c: np.einsum("i,ij,j", a, b, c)),
    "einsum dots": ([(2, 3, 4), (4, 3)], lambda a, b: np.einsum("...ij,ji->...", a, b)),
    "einsum dots implicit": ([(2, 3), (5, 2, 3)], lambda a, b: np.einsum("...j,...j", a, b)),
    "einsum stretched": ([(2, 1), (3, 4)], lambda a, b: np.einsum("ij,jk->ik", a, b)),
    "einsum lists": ([(2, 3), (3, 4)], lambda a, b: np.einsum(a, [0, 1], b, [1, 2], [2, 0])),
    "einsum constant": (
        [(3,)],
        lambda a: np.einsum("i,ij,j->", a, np.arange(9.0).reshape(3, 3), a),
    ),
    # choices
    "where": ([(2, 3), (3,)], lambda x, y: np.where(np.array([True, False, True]), x, y)),
    "where number": ([(2, 3)], lambda x: np.where(x > 0.5, x * x, 2.0)),
    "select": ([(5,)], lambda x: np.select([x > 0.6, x > 0.3], [x * x, 2 * x], x**3)),
    "clip": ([(6,)], lambda x: np.clip(x, 0.2, 0.7) * x.clip(None, 0.5), "real"),
    "clip one side": ([(6,)], lambda x: np.clip(x, 0.4, None) * np.clip(x, min=0.2), "real"),
    "clip bounds": ([(6,), (6,)], lambda x, y: np.clip(x, y * 0.5, y), "real"),
    "sort": ([(3, 4)], lambda x: np.sort(x) * np.sort(x, axis=0) * np.sort(x, None).reshape(3, 4)),
    "extract": ([(2, 3)], lambda x: np.extract([[1, 0, 1], [0, 0, 1]], x)),
    "nan_to_num": (
        [(3,)],
        lambda x: np.nan_to_num(x * np.array([1.0, np.inf, 2.0]), posinf=5.0),
        "real",
    ),
    "round": ([(3,)], lambda x: np.round(x, 1) * x, "real"),
    # ufuncs beyond the table, and their methods
    "add.reduce": ([(2, 3)], lambda x: np.add.reduce(x) * np.add.reduce(x, axis=None)),
    "multiply.reduce": ([(3, 2)], lambda x: np.multiply.reduce(x, axis=1, keepdims=True)),
    "maximum.reduce": ([(3, 2)], lambda x: np.maximum.reduce(x) * np.minimum.reduce(x, axis=0)),
    "accumulate": ([(5, 2)], lambda x: np.add.accumulate(x) * np.multiply.accumulate(x, axis=1)),
    "maximum.accumulate": ([(9,)], lambda x: np.maximum.accumulate(x) * np.minimum.accumulate(x)),
    "outer ufunc": ([(2, 3), (4,)], lambda x, y: np.multiply.outer(x, y) + np.subtract.outer(x, y)),
    "floor_divide": ([(4,)], lambda x: np.floor_divide(x * 5, 0.7) * x + x * 9 // 1, "real"),
    "divmod": ([(4,)], lambda x: np.stack(np.divmod(x * 5, 0.7)), "real"),
    "modf": ([(4,)], lambda x: np.stack(np.modf(x * 9)) * x, "real"),
    "positive": ([(4,)], lambda x: np.positive(x) * np.fabs(-x), "real"),
    "radians": ([(4,)], lambda x: np.radians(x) + np.degrees(x), "real"),
    "float_power": ([(4,)], lambda x: np.float_power(x, 2.5)),
    "heaviside": ([(4,)], lambda x: np.heaviside(x - 0.5, 0.5) * x, "real"),
    "vecdot": ([(2, 3), (3,)], lambda x, y: np.vecdot(x, y), "real"),
    "sinc": ([(4,)], lambda x: np.sinc(x), "real"),
}


def leaves_of(name):
    """Random arguments: distinct, between 0.05 and 0.95."""
    rng = np.random.default_rng(sum(map(ord, name)))
    shapes = CASES[name][0]
    total = sum(int(np.prod(s)) for s in shapes)
    numbers = (rng.permutation(total) + rng.uniform(0.2, 0.8, total)) / total * 0.9 + 0.05
    parts = np.split(numbers, np.cumsum([int(np.prod(s)) for s in shapes])[:-1])
    return [p.reshape(s) if s else float(p[0]) for p, s in zip(parts, shapes, strict=True)]


def directions(leaves, seed):
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, np.shape(leaf)) for leaf in leaves]


def pushed(f, leaves, step):
    """The derivative of f along `step` by NumPy alone, and its accuracy."""
    h = 1e-6
    up = f(*[x + h * v for x, v in zip(leaves, step, strict=True)])
    down = f(*[x - h * v for x, v in zip(leaves, step, strict=True)])
    return (up - down) / (2 * h)


def record(f, leaves):
    flat, inputs = _core.lift(leaves)
    out = f(*inputs)
    assert type(out) is adcore.Tensor
    return flat, out


def gradient_of(f, leaves, weights):
    flat, out = record(f, leaves)
    return _core.sweep_reverse([out], [weights[..., None]], [flat])[0][:, 0]


@pytest.mark.parametrize("name", CASES)
def test_value(name):
    f = CASES[name][1]
    leaves = leaves_of(name)
    out = record(f, leaves)[1].detach()
    truth = f(*leaves)
    assert out.shape == np.shape(truth)
    np.testing.assert_allclose(np.asarray(out), truth, rtol=4e-15, atol=1e-15)


@pytest.mark.parametrize("name", CASES)
def test_constant_tensor(name):
    """On constants the functions give constants, of the same values."""
    f = CASES[name][1]
    leaves = leaves_of(name)
    out = f(*[adcore.tensor(leaf) for leaf in leaves])
    assert type(out) is adcore.Tensor
    assert not out.requires_grad
    np.testing.assert_allclose(out.numpy(), f(*leaves), rtol=4e-15, atol=1e-15)


@pytest.mark.parametrize("name", CASES)
def test_first_derivative(name):
    _, f, *marks = CASES[name]
    leaves = leaves_of(name)
    flat, out = record(f, leaves)
    step = directions(leaves, 1)
    flat_step = np.concatenate([np.ravel(v) for v in step])
    if "real" in marks:
        truth, tolerance = pushed(f, leaves, step), 2e-8
    else:
        h = 1e-30
        truth = np.imag(f(*[x + 1j * h * v for x, v in zip(leaves, step, strict=True)])) / h
        tolerance = 1e-13
    forward = _core.sweep_forward([flat], [flat_step[:, None]], [out])[0][..., 0]
    np.testing.assert_allclose(forward, truth, rtol=tolerance, atol=tolerance)
    emitted = _core.emit_forward([flat], [flat_step], [out])[0]
    np.testing.assert_allclose(np.asarray(emitted.detach()), forward, rtol=1e-13, atol=1e-14)

    weights = np.random.default_rng(2).uniform(-1, 1, out.shape)
    reverse = _core.sweep_reverse([out], [weights[..., None]], [flat])[0][:, 0]
    np.testing.assert_allclose(
        reverse @ flat_step, np.sum(weights * forward), rtol=1e-12, atol=1e-14
    )
    emitted = _core.emit_reverse([out], [weights], [flat])[0]
    np.testing.assert_allclose(np.asarray(emitted.detach()), reverse, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", CASES)
def test_second_derivative(name):
    f = CASES[name][1]
    leaves = leaves_of(name)
    flat, out = record(f, leaves)
    weights = np.random.default_rng(3).uniform(-1, 1, out.shape)
    # Of sin(f) rather than f: most of the functions here are linear.
    scalar = (weights * adcore.sin(out)).sum()
    step = directions(leaves, 4)
    flat_step = np.concatenate([np.ravel(v) for v in step])

    def gradient(sign):
        moved = [x + sign * 1e-6 * v for x, v in zip(leaves, step, strict=True)]
        return gradient_of(
            lambda *a: adcore.sin(f(*a)),
            [float(m) if np.ndim(m) == 0 else m for m in moved],
            weights,
        )

    truth = (gradient(1) - gradient(-1)) / 2e-6
    swept = _core.sweep_second(scalar, flat, flat_step[:, None])[1][:, 0]
    scale = max(1.0, np.max(np.abs(truth), initial=0.0))
    np.testing.assert_allclose(swept, truth, rtol=1e-6, atol=1e-7 * scale)

    first = _core.emit_reverse([scalar], [None], [flat])[0]
    if not first.requires_grad:
        assert not swept.any()
        return
    for emitted in (
        _core.emit_reverse([(first * flat_step).sum()], [None], [flat])[0],
        _core.emit_forward([flat], [flat_step], [first])[0],
    ):
        np.testing.assert_allclose(
            np.asarray(emitted.detach()), swept, rtol=1e-11, atol=1e-13 * scale
        )


@pytest.mark.parametrize("name", CASES)
def test_duals(name):
    """Duals of arrays, duals of duals, and duals of tensors."""
    f = CASES[name][1]
    leaves = leaves_of(name)
    flat, out = record(f, leaves)
    steps = [directions(leaves, seed) for seed in (5, 6)]
    both = np.stack([np.concatenate([np.ravel(v) for v in step]) for step in steps], axis=-1)
    truth = _core.sweep_forward([flat], [both], [out], 2)[0]
    tag = _core.new_tag()
    duals = [_core.Dual(tag, x, (u, None, v)) for x, u, v in zip(leaves, *steps, strict=True)]
    y = f(*duals)
    assert type(y) is _core.Dual
    assert y.tag == tag
    np.testing.assert_allclose(y.value, np.asarray(out.detach()), rtol=1e-14, atol=1e-15)
    for j, lane in ((0, 0), (2, 1)):
        tangent = 0.0 if y.tangents[j] is None else y.tangents[j]
        np.testing.assert_allclose(tangent, truth[..., lane], rtol=1e-12, atol=1e-13)
    assert y.tangents[1] is None or not np.any(y.tangents[1])

    # The second derivative along two directions, by nesting.
    flat, tensors = _core.lift(leaves)
    outer = _core.new_tag()
    inner = _core.new_tag()
    over_arrays = [_core.Dual(outer, x, (u,)) for x, u in zip(leaves, steps[0], strict=True)]
    nested = adcore.sin(
        f(*[_core.Dual(inner, x, (v,)) for x, v in zip(over_arrays, steps[1], strict=True)])
    )
    over_tensors = [_core.Dual(inner, x, (v,)) for x, v in zip(tensors, steps[1], strict=True)]
    first = adcore.sin(f(*over_tensors)).tangents[0]
    truth = _core.sweep_forward([flat], [both[:, :1]], [first])[0][..., 0]
    found = nested.tangents[0]
    found = found.tangents[0] if type(found) is _core.Dual else None
    np.testing.assert_allclose(0.0 if found is None else found, truth, rtol=1e-11, atol=1e-12)

"""Complex arrays of which both parts are in one instruction: recorded once for both, or by loops.

Values are NumPy's; derivatives are those of the same function of parts that lie apart, which takes
the other way, and of differences.
"""

import operator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import adcore
from adcore import _core
from adcore.complexes import Complex
from adcore.errors import NotDifferentiableError, ShapeError, TapeError

MASK = np.array([[True, False, True, True], [False, False, True, True], [True, True, False, True]])
CALLS = {
    "reshape": lambda z: z.reshape(2, -1) * z[0, 0],
    "transpose": lambda z: np.transpose(z) @ z,
    "sum": np.sum,
    "sum along": lambda z: np.sum(z, 1) * z[:, 0],
    "trace": np.trace,
    "cumsum": lambda z: np.cumsum(z[0] * z[1]),
    "diff": lambda z: np.diff(z) * z[:, 1:],
    "norm": np.linalg.norm,
    "concatenate": lambda z: np.concatenate([z, z * z], 1),
    "concatenate all": lambda z: np.concatenate([z, z * z], None),
    "stack": lambda z: np.stack([z, z * z], -1),
    "roll": lambda z: np.roll(z[0], 3) * z[0],
    "roll along": lambda z: np.roll(z, -1, 1) * z,
    "where": lambda z: np.where(MASK, z * z, 0.0),
    "where a row": lambda z: np.where(MASK[0], z, 2 - 1j) * z,
    "where both": lambda z: np.where(MASK, z * z, -z),
    "sums": lambda z: (z + z * z) - z[:1],
    "multiples": lambda z: (2.0 * (-z) / 3.0) * z.conj(),
    "dot": lambda z: np.dot(z[0], z[1]),
    "vdot": lambda z: np.vdot(z[0], z[1] * z[2]),
    "m @ v": lambda z: z @ z[0],
    "m @ v strided": lambda z: z[:, ::2] @ z[0, :2],
    "v @ m": lambda z: z[:, 0] @ z,
    "m @ m": lambda z: z @ np.transpose(z),
    "stacks @ m": lambda z: np.stack([z, z * z]) @ np.transpose(z),
    "stacks @ v": lambda z: np.stack([z, z * z]) @ z[0],
    "outer": lambda z: np.outer(z[0], z[:, 1]),
    "einsum": lambda z: np.einsum("ij,jk->ik", z, z.reshape(4, 3)),
    "einsum of a transpose": lambda z: np.einsum("ij,kj->ik", z, z),
    "prod of ten": lambda z: np.prod(z.reshape(12)[:10]),
    "prod of seven": lambda z: np.prod(z.reshape(12)[:7]),
    "solve": lambda z: np.linalg.solve(z[:, :3], z[:, 3]),
    "solve of many": lambda z: np.linalg.solve(z[:, :3], z[:, 1:]),
    "inv": lambda z: np.linalg.inv(z[:, 1:]),
    "det": lambda z: np.linalg.det(z[:, :3]),
    "log1p": lambda z: np.log1p(z * 0.2) * np.log1p(z),
    "quotients": lambda z: np.reciprocal(z) + z[:1] / z,
}


@pytest.fixture
def z(rng):
    return rng.normal(size=(3, 4)) + 1j * rng.normal(size=(3, 4))


def energy(call):
    return lambda z: np.sum(np.abs(call(z) + 0.5) ** 4)


def apart(call):
    """The same of an argument whose parts are results of two instructions."""
    return lambda z: call(Complex(z.real * 1.0, z.imag * 1.0))


@pytest.mark.parametrize("name", CALLS)
def test_both_parts_at_once_as_each_by_itself(name, z):
    call = CALLS[name]
    got = call(adcore.tensor(z, requires_grad=True)).detach()
    got = got.numpy() if hasattr(got, "numpy") else np.asarray(got)
    assert np.allclose(got, call(z), rtol=1e-13, atol=1e-13)
    f, g = energy(call), energy(apart(call))
    gradient = adcore.grad(f)(z)
    scale = np.max(np.abs(gradient))
    assert np.allclose(gradient, adcore.grad(g)(z), atol=1e-11 * scale)
    v = z[::-1] * 1j
    h = 1e-6
    slope = (f(z + h * v) - f(z - h * v)) / (2 * h)
    assert np.vdot(gradient, v).real == pytest.approx(slope, rel=1e-6, abs=1e-7 * scale)
    along = np.vdot(gradient, v).real
    assert adcore.jvp(f, (z,), (v,))[1] == pytest.approx(along, abs=1e-9 * scale)
    bent = adcore.hvp(f, (z,), (v,))[1]
    difference = (adcore.grad(f)(z + h * v) - adcore.grad(f)(z - h * v)) / (2 * h)
    assert np.allclose(bent, difference, rtol=1e-5, atol=1e-6 * np.max(np.abs(bent)))
    twice = adcore.grad(lambda z: np.vdot(v, adcore.grad(f)(z)).real)(z)
    assert np.allclose(twice, bent, atol=1e-9 * np.max(np.abs(bent)))
    compiled = adcore.compile(f)
    compiled(z + 0.01 * v)
    assert np.allclose(compiled.grad(z), gradient, atol=1e-10 * scale)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        *((name, 1) for name in ("sum", "trace", "diff", "norm", "roll along", "where")),
        *((name, 1) for name in ("solve", "inv", "det")),
        *((name, 2) for name in ("dot", "m @ v", "v @ m", "m @ m")),
        ("where both", 3),
        ("outer", 1),
        ("prod of ten", 4),
    ],
)
def test_few_instructions(name, most, z):
    call = {
        "diff": np.diff,
        "roll along": lambda z: np.roll(z, -1, 1),
        "where": lambda z: np.where(MASK, z, 0.0),
    }.get(name, CALLS[name])
    tensor = adcore.tensor(z, requires_grad=True)
    before = _core.tape_stats()["instructions"]
    result = call(tensor)
    assert _core.tape_stats()["instructions"] - before <= most
    del result


def test_large_arrays(rng):
    """Products by BLAS of complex numbers, long sums by two columns, large masks."""
    a = rng.normal(size=(2, 64, 71)) @ np.ones((71, 64)) * 0.01
    m = rng.normal(size=(64, 64)) + 1j * a[0]
    tensor = adcore.tensor(m, requires_grad=True)
    for call in (
        lambda m: m @ m,
        lambda m: m @ (m * m),
        lambda m: m[:13] @ m[0],
        lambda m: np.vdot(m[1], m[3]),
        lambda m: np.where(np.arange(4096.0).reshape(64, 64) % 3, m, 1.0),
    ):
        assert np.allclose(call(tensor).detach().numpy(), call(m), rtol=1e-12, atol=1e-11)
    f = energy(lambda m: m @ (m * m))
    gradient, v = adcore.grad(f)(m), m[::-1]
    assert np.allclose(gradient, adcore.grad(energy(apart(lambda m: m @ (m * m))))(m))
    assert adcore.jvp(f, (m,), (v,))[1] == pytest.approx(np.vdot(gradient, v).real, rel=1e-9)
    for turn in range(3):  # masks of one size, one of them given twice and one of them changed
        mask = np.arange(4096).reshape(64, 64) % (3 - turn % 2) > 0
        for _ in range(2):
            assert np.array_equal(
                np.where(mask, tensor, 0.0).detach().numpy(), np.where(mask, m, 0.0)
            )
            mask[0, :5] = ~mask[0, :5]


def test_singular_matrices_are_said_to_be():
    twice = adcore.tensor(np.ones((2, 2)) * 1j, requires_grad=True)
    for call in (np.linalg.inv, lambda a: np.linalg.solve(a, a[0])):
        with pytest.raises(np.linalg.LinAlgError, match="Singular"):
            call(twice)
    assert np.linalg.det(twice).detach() == 0


def test_products_at_zeros_and_of_one():
    for z in ([0.0, 1j, 2.0], [0.0, 0.0, 1 + 1j]):
        gradient = adcore.grad(np.prod, holomorphic=True)(np.array(z, dtype=complex))
        wanted = [np.prod(np.delete(z, i)) for i in range(3)]
        assert np.allclose(gradient, wanted, atol=1e-15)
    one = adcore.tensor(np.array([2j]), requires_grad=True)
    assert np.prod(one).detach().item() == 2j


def test_hooks_on_a_part_see_its_adjoint_alone():
    z = adcore.tensor(np.array([1 + 2j, 3 - 1j]), requires_grad=True)
    seen = []
    z.imag.register_hook(lambda g: seen.append(g.tolist()))
    np.sum(z.real * 3.0 + z.imag * np.array([5.0, 7.0])).backward()
    assert seen == [[5.0, 7.0]]
    assert np.array_equal(z.grad, [3 + 5j, 3 + 7j])


def test_shapes_that_do_not_fit(z):
    z = adcore.tensor(z, requires_grad=True)
    for call in (
        lambda: z @ z,
        lambda: z + z[:, :2],
        lambda: z * z[:, :2],
        lambda: np.concatenate([z, z[0]]),
        lambda: np.where(MASK[:, :2], z, 0.0),
        lambda: z.reshape(5, 2),
        lambda: np.linalg.solve(z[:, :3], z[0]),
    ):
        with pytest.raises(ValueError, match=r"shape|fit|mismatch|dimension"):
            call()


# ---- assignments: what NumPy does, or an error ---------------------------------------------------


def scaled_rows(z):
    for row in z:
        row *= 2


def of_a_name(z):
    row = z[0]
    row += 1


def after_an_assignment(z):
    row = z[0]
    z[1] = 3.0
    row[0] = 5.0


# What NumPy does to the whole through a part of it would be lost here.
LOST = {
    "z[0][1] = y": lambda z: operator.setitem(z[0], 1, 5j),
    "z.T[0] = y": lambda z: operator.setitem(z.T, 0, 5j),
    "np.transpose(z)[0] = y": lambda z: operator.setitem(np.transpose(z), 0, 5j),
    "z.swapaxes(0, 1)[0] = y": lambda z: operator.setitem(z.swapaxes(0, 1), 0, 5j),
    "z.reshape(-1)[0] = y": lambda z: operator.setitem(z.reshape(-1), 0, 5j),
    "z.ravel()[0] = y": lambda z: operator.setitem(z.ravel(), 0, 5j),
    "z[..., None][0] = y": lambda z: operator.setitem(z[..., None], 0, 5j),
    "np.split(z)[0][0] = y": lambda z: operator.setitem(np.split(z, 3)[0], 0, 5j),
    "z[1:][1:][0] = y": lambda z: operator.setitem(z[1:][1:], 0, 5j),
    "z[0].real[1] = y": lambda z: operator.setitem(z[0].real, 1, 5.0),
    "z.T.imag[1] = y": lambda z: operator.setitem(z.T.imag, 1, 5.0),
    "z[0].imag = y": lambda z: setattr(z[0], "imag", 5.0),
    "a row of an iteration": scaled_rows,
    "a row with a name": of_a_name,
    "a row after another": after_an_assignment,
}
REFUSED = {
    "copyto": lambda z: np.copyto(z[0], 9.0),
    "put": lambda z: np.put(z[0], [1], 5.0),
    "out": lambda z: np.multiply(z[0], 2.0, out=z[0]),
    "at": lambda z: np.add.at(z[0], [0, 0], 1.0),
    "fill_diagonal": lambda z: np.fill_diagonal(z[:2, :2], 0.0),
}
START = np.arange(9.0).reshape(3, 3) / 4 + 1j
RUNS = {
    "reverse": lambda f, x: adcore.value_and_grad(f)(x)[0],
    "forward": lambda f, x: adcore.jvp(f, (x,), (np.ones_like(x),))[0],
    "compiled": lambda f, x: adcore.compile(f)(x),
}


def changed(change):
    """A real function of a complex array to which something is done."""

    def f(x):
        z = x * 1j
        change(z)
        return (abs(z) ** 2 * (z.real + 2.0)).sum()

    return f


@pytest.mark.parametrize("way", RUNS)
@pytest.mark.parametrize("change", LOST)
def test_a_part_of_what_is_in_use_is_not_changed(change, way):
    with pytest.raises(TapeError, match=r"changed in place that is a part .*\.copy\(\)"):
        RUNS[way](changed(LOST[change]), START)


@pytest.mark.parametrize("change", REFUSED)
def test_what_changes_no_complex_array_says_so(change):
    with pytest.raises(NotDifferentiableError, match="complex array"):
        adcore.grad(changed(REFUSED[change]))(START)


def kept(z):
    z[1:] += z[:-1]
    z[0, 1:] *= 2.0j
    z[:, 0] -= z[:, 1]


def by_operators(z):
    same = z
    z += 1j
    z -= z.T
    z *= same
    z /= 2.0
    z **= 2
    z @= same


def by_parts(z):
    real = z.real
    real[0] = 5.0
    z.imag += 1.0
    z[1] = 4j
    real[2] *= 3.0
    z.real[:, 1] = z.imag[:, 0]
    z.imag = z.real[0]


def own_rows(z):
    row = z[0].copy()
    row[1] = 5.0
    picked = z[[0, 1]]
    picked[0] = 7j
    flat = z.flatten()
    flat[0] = 3.0
    for other in (+z, -z, np.conj(z), z * 1.0, z + 0, np.conj(z[0])):
        other[0] = 5.0
        other.real[0] = 1.0
        other.imag += 4.0
    z[2] = row + picked[0] + flat[:3]


def renamed(z):
    part = z[1:] * 1
    part = part[:, 1:].T
    part[0] = 2.0
    part *= 3j
    z[0, 1:] = part[:, 0]


@pytest.mark.parametrize("way", RUNS)
@pytest.mark.parametrize("change", [kept, by_operators, by_parts, own_rows, renamed])
def test_assignments_do_what_numpys_do(change, way):
    f = changed(change)
    assert RUNS[way](f, START) == pytest.approx(f(START), rel=1e-13)


@pytest.mark.parametrize("change", [kept, by_operators, by_parts, own_rows, renamed])
def test_derivatives_of_assignments(change):
    f = changed(change)
    along = np.cos(START.real) + 0.5j
    slope = adcore.jvp(f, (START,), (along,))[1]
    assert slope == pytest.approx((adcore.grad(f)(START) * along.conj()).sum().real, rel=1e-12)
    assert slope == pytest.approx((f(START + 1e-6 * along) - f(START - 1e-6 * along)) / 2e-6, 1e-6)


def test_changes_in_place_of_leaves_and_other_shapes():
    z = adcore.tensor(START, requires_grad=True)
    with pytest.raises(TapeError, match="leaf"):
        z *= 2.0
    with adcore.no_grad():
        z -= 0.5 * START
    assert z.requires_grad
    assert np.array_equal(z.detach().numpy(), 0.5 * START)
    (abs(z) ** 2).sum().backward()
    assert np.allclose(z.grad, START)
    w = adcore.tensor(START, requires_grad=True) * 1.0
    same = w  # so that the whole is left to see it
    with pytest.raises(ShapeError, match="in place"):
        w += np.ones((2, 3, 3))
    with pytest.raises(ShapeError, match="in place"):
        w @= np.ones(3)
    assert same is w


def first_calls(name):
    """A call that is the first one of a tape on which no sweep has been yet."""
    z = adcore.tensor(START + np.eye(3), requires_grad=True)
    return (
        {
            "where": lambda: np.where(MASK[:, :3], z, 0.0),
            "inv": lambda: np.linalg.inv(z),
            "solve": lambda: np.linalg.solve(z, z),
            "det": lambda: np.linalg.det(z),
        }[name]()
        .detach()
        .numpy()
    )


@pytest.mark.parametrize("name", ["where", "inv", "solve", "det"])
def test_calls_on_a_fresh_tape(name):
    with ThreadPoolExecutor(1) as thread:  # whose tape is its own
        found = thread.submit(first_calls, name).result()
    z = START + np.eye(3)
    want = {
        "where": np.where(MASK[:, :3], z, 0.0),
        "inv": np.linalg.inv(z),
        "solve": np.eye(3),
        "det": np.linalg.det(z),
    }[name]
    np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-12)

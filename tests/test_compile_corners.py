"""Compiled functions at the corners: what random programs and odd uses found, one test for each."""

import numpy as np
import pytest

import adcore
from adcore import errors

UNDEFINED = {
    "abs": np.abs,
    "copysign": lambda y: np.copysign(y, y),
    "max": lambda y: np.max(y) * np.ones(2),
    "sort": np.sort,
    "norm": lambda y: np.linalg.norm(y) * np.ones(2),
    "log": np.log,
    "divide": lambda y: 1.0 / y,
}


@pytest.mark.parametrize("name", UNDEFINED)
def test_a_branch_not_taken_counts_for_nothing_where_its_partials_are_nan(name):
    g = UNDEFINED[name]
    x, y = np.array([-1.0, -1.0]), np.array([np.nan, 1.0])

    def f(x, y):
        return np.sum(np.where(x > 0, g(y), x))

    compiled = adcore.compile(f)
    for found in (
        compiled.grad(x, y, argnums=1),
        compiled.hessian(x, y, argnums=1),
        compiled.hvp((x, y), (x, x))[1][1],
        compiled.jvp((x, y), (0 * x, x))[1],
        adcore.grad(f, 1)(x, y),
    ):
        assert not np.any(found)


MASKED = np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False])
USES = {
    "product": lambda x, y: (x * y).sum(),
    "power": lambda x, y: (x**y).sum(),
    "comparison": lambda x, y: (x * (x > y)).sum(),
    "where": lambda x, y: np.where(x > 0, x, y).sum(),
    "matmul": lambda x, y: x @ y,
    "einsum": lambda x, y: np.einsum("i,i->", x, y),
    "concatenate": lambda x, y: np.concatenate([x, y]).sum(),
    "ufunc": lambda x, y: np.logaddexp(y, x).sum(),
    "tensor": lambda x, y: (x * adcore.tensor(y)).sum(),
}


@pytest.mark.parametrize("name", USES)
def test_a_mask_is_not_dropped_without_a_word(name):
    """NumPy would leave elements out; of the numbers alone the result would be another."""
    x = np.ones(3)

    def f(x):
        return USES[name](x, MASKED)

    for run in (adcore.grad(f), adcore.compile(f), lambda x: adcore.jvp(f, (x,), (x,))):
        with pytest.raises(TypeError, match=r"a MaskedArray has arithmetic of its own.*filled"):
            run(x)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_arguments_with_arithmetic_of_their_own():
    f = adcore.compile(lambda x: (x * x).sum())
    with pytest.raises(TypeError, match="a MaskedArray has arithmetic of its own"):
        f(MASKED)
    with pytest.raises(TypeError, match="a matrix has arithmetic of its own"):
        f(np.asmatrix(np.eye(2)))
    with pytest.raises(TypeError, match="a matrix has arithmetic of its own"):
        adcore.grad(lambda x: (x * np.asmatrix(np.eye(2))).sum())(np.ones(2))


def test_views_that_only_have_another_name_are_arrays():
    class Named(np.ndarray):
        pass

    f = adcore.compile(lambda x: (x * x).sum())
    x = np.arange(3.0)
    assert f(x.view(Named)) == f(x)
    assert adcore.grad(lambda y: (x.view(Named) * y).sum())(x).tolist() == [0.0, 1.0, 2.0]


def test_assigning_a_dual_to_an_element_of_a_tensor_says_what_to_write():
    def f(x):
        y = adcore.zeros(2)
        y[0] = x * x
        return y[0]

    with pytest.raises(TypeError, match=r"shape \(2,\) was assigned a dual.*zeros_like.*stack"):
        adcore.jvp(f, (3.0,), (1.0,))
    assert adcore.grad(f)(3.0) == adcore.compile(f).jvp((3.0,), (1.0,))[1] == 6.0


class Box:
    def __init__(self, content):
        self.content = content


@pytest.mark.parametrize(
    "wrap",
    [Box, lambda x: {x}, lambda x: lambda: x, lambda x: (t for t in x), lambda x: Box([x > 0])],
    ids=["instance", "set", "function", "generator", "mask"],
)
def test_a_result_that_hides_a_tensor_is_refused(wrap):
    with pytest.raises(errors.NotDifferentiableError, match="with a tensor inside, which a replay"):
        adcore.compile(lambda x: [x, wrap(x * 2.0)])(np.ones(2))


def test_a_result_may_hold_other_objects():
    box = Box(adcore.tensor([1.0]))
    f = adcore.compile(lambda x: (2.0 * x, box, Box, np.sin, pytest, lambda: 1.0))
    for x in (1.0, 3.0):
        assert f(x)[0] == 2.0 * x
        assert f(x)[1:4] == (box, Box, np.sin)


def test_kinds_of_arguments_are_let_go_of(monkeypatch):
    f = adcore.compile(lambda x, n: x * n)
    monkeypatch.setattr(type(f), "MOST_KINDS", 5)
    for n in range(5):
        assert f(2.0, n) == 2.0 * n
    f(2.0, 0)
    with pytest.warns(RuntimeWarning, match="more than 5 kinds of arguments.*as floats") as caught:
        assert [f(2.0, n) for n in range(5, 9)] == [10.0, 12.0, 14.0, 16.0]
    assert len(caught) == 1
    assert caught[0].filename == __file__
    kept = {key[-1][1][1][1] for key in f._by_key}
    assert kept == {0, 5, 6, 7, 8}
    assert f.grad(3.0, 1) == 1.0


def test_a_loaded_function_keeps_its_kinds(monkeypatch, tmp_path):
    f = adcore.compile(lambda x, n: x * n)
    for n in range(4):
        f(2.0, n)
    f.save(tmp_path / "f.adcore")
    monkeypatch.setattr(type(f), "MOST_KINDS", 2)
    g = adcore.load(tmp_path / "f.adcore")
    for n in range(4, 9):
        with pytest.raises(errors.NotRecordedError):
            g(2.0, n)
    assert [g(2.0, n) for n in range(4)] == [0.0, 2.0, 4.0, 6.0]


def test_a_function_that_does_not_settle_may_still_take_values_out():
    """It is run by Python at last, but on what it was recorded on: x.item(), x.detach()."""
    f = adcore.compile(lambda x, y: x * x.item() + y[0].detach() * y[1])
    with pytest.warns(RuntimeWarning, match="is recorded anew at every call"):
        found = [f(float(k), [2.0, 3.0]) for k in range(300)]
    assert found == [k * k + 6.0 for k in range(300)]
    assert f.grad(7.0, [2.0, 3.0]) == 7.0

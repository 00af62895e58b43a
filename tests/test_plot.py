"""adcore.plot: what is drawn is what was given."""

import builtins
import subprocess
import sys

import numpy as np
import pytest
from scipy import optimize, sparse

import adcore

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot  # noqa: E402


@pytest.fixture(autouse=True)
def figures_closed():
    yield
    pyplot.close("all")


def drawn(ax):
    """The one image on some axes: its numbers, and where it shows nothing."""
    (image,) = ax.images
    return image.get_array()


def colours(ax):
    """The colour of each cell of the image, (rows, columns, 4)."""
    (image,) = ax.images
    return image.to_rgba(image.get_array())


def an_arrow(n):
    arrow = np.eye(n)
    arrow[0] = arrow[:, 0] = 1.0
    return arrow


@pytest.mark.parametrize("form", ["dense", "csr", "csc", "coo", "pattern"])
def test_spy_draws_a_cell_per_entry(form, rng):
    dense = (rng.random((7, 12)) < 0.3).astype(float)
    csr = sparse.csr_array(dense)
    matrix = {
        "dense": dense,
        "csr": csr,
        "csc": csr.tocsc(),
        "coo": csr.tocoo(),
        "pattern": (csr.indptr, csr.indices, csr.shape),
    }[form]
    ax = adcore.plot.spy(matrix)
    image = drawn(ax)
    assert np.array_equal(image.filled(0.0), dense)
    assert np.array_equal(np.ma.getmaskarray(image), dense == 0.0)
    assert ax.get_title() == f"7 × 12, {csr.nnz} entries"
    assert ax.images[0].get_extent() == [-0.5, 11.5, 6.5, -0.5]  # cells around their indices


def test_spy_draws_stored_zeros():
    matrix = sparse.csr_array((np.array([1.0, 0.0]), np.array([0, 2]), np.array([0, 1, 2])))
    assert np.array_equal(drawn(adcore.plot.spy(matrix)).mask, [[0, 1, 1], [1, 1, 0]])


@pytest.mark.parametrize("axis", ["columns", "rows"])
def test_spy_colours_entries_by_group(axis):
    arrow, groups = an_arrow(5), np.array([2, 0, 0, 1, -1])
    ax = adcore.plot.spy(arrow, groups, axis=axis)
    of_entry = np.broadcast_to(groups if axis == "columns" else groups[:, None], (5, 5))
    assert np.array_equal(drawn(ax).filled(-9), np.where(arrow != 0.0, of_entry, -9))
    assert ax.get_title() == "5 × 5, 13 entries, 3 groups"
    shades = colours(ax)
    seen = {group: shades[(arrow != 0.0) & (of_entry == group)] for group in (-1, 0, 1, 2)}
    assert all(np.ptp(shade, axis=0).max() == 0.0 for shade in seen.values())
    assert len({tuple(shade[0]) for shade in seen.values()}) == 4
    red, green, blue, _ = seen[-1][0]
    assert red == green == blue  # grey: in no group


@pytest.mark.parametrize("n_groups", [10, 20, 64])
def test_spy_tells_groups_apart(n_groups):
    ax = adcore.plot.spy(np.eye(n_groups), np.arange(n_groups))
    shades = colours(ax)[np.arange(n_groups), np.arange(n_groups)]
    assert len(np.unique(shades, axis=0)) == n_groups


def test_spy_draws_large_matrices_in_cells():
    n = 10_500
    ax = adcore.plot.spy(sparse.eye_array(n, format="csr"))
    image = drawn(ax)
    assert image.shape == (1000, 1000)
    assert np.array_equal(np.ma.getmaskarray(image), ~np.eye(1000, dtype=bool))
    size = np.bincount(np.arange(n) * 1000 // n)  # 10 or 11 rows a cell, of one entry each
    assert np.allclose(np.diagonal(image), 1.0 / size)
    # one entry among 110 columns is still seen, as grey as its share is small
    assert colours(ax)[0, 0, 0] < 0.9
    ax = adcore.plot.spy(sparse.eye_array(n, format="csr"), np.arange(n) // (n // 2))
    assert np.array_equal(np.diagonal(drawn(ax)), np.repeat([0, 1], 500))


def test_spy_draws_where_it_is_told_and_what_is_empty():
    _, axes = pyplot.subplots(1, 2)
    assert adcore.plot.spy(np.zeros((3, 4)), ax=axes[1]) is axes[1]
    assert drawn(axes[1]).mask.all()
    assert not axes[0].images
    ax = adcore.plot.spy(sparse.csr_array((0, 3)))
    assert ax.get_title() == "0 × 3, 0 entries"


def test_spy_refuses_what_does_not_fit():
    with pytest.raises(adcore.errors.ShapeError, match=r"colors is of shape \(4,\), for 5 columns"):
        adcore.plot.spy(np.ones((4, 5)), np.zeros(4, int))
    with pytest.raises(TypeError, match="integers, not float64"):
        adcore.plot.spy(np.eye(3), np.zeros(3))
    with pytest.raises(ValueError, match="'columns' or 'rows', not 0"):
        adcore.plot.spy(np.eye(3), np.zeros(3, int), axis=0)
    with pytest.raises(adcore.errors.ShapeError, match="two axes"):
        adcore.plot.spy(np.ones(3))
    assert not pyplot.get_fignums()  # refused before a figure is made


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


def test_convergence_draws_values_above_the_least():
    ax = adcore.plot.convergence([5.0, 3.0, 2.5, 2.0])
    (line,) = ax.lines
    assert np.array_equal(line.get_xdata(), [1, 2, 3, 4])
    assert np.array_equal(line.get_ydata(), [3.0, 1.0, 0.5, np.nan], equal_nan=True)
    assert ax.get_yscale() == "log"
    adcore.plot.convergence(np.array([5.0, 3.0]), least=1.0, label="other", ax=ax)
    assert np.array_equal(lines(ax)["other: objective above 1"].get_ydata(), [4.0, 2.0])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(lines(ax))


def f(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


@pytest.mark.parametrize("method", ["BFGS", "trust-exact", "Newton-CG", "L-BFGS-B", "trust-constr"])
def test_history_keeps_the_iterations_of_scipy(method):
    gradient, seen = adcore.grad(f), []

    def callback(intermediate_result):
        seen.append(np.copy(intermediate_result.x))
        history(intermediate_result)

    history = adcore.plot.History(gradient)
    hessian = adcore.hessian(f) if method.startswith(("trust", "Newton")) else None
    result = optimize.minimize(
        f, np.full(4, -0.5), jac=gradient, hess=hessian, method=method, callback=callback
    )
    assert history.values == pytest.approx([f(x) for x in seen], rel=1e-12)
    assert history.gradient_norms == pytest.approx([np.abs(gradient(x)).max() for x in seen])
    assert history.values[-1] == result.fun
    result.history = history
    ax = adcore.plot.convergence(result, least=0.0)
    objective, slope = ax.lines
    assert np.array_equal(objective.get_ydata(), history.values)
    assert np.array_equal(slope.get_ydata(), history.gradient_norms)


def test_history_without_gradients_draws_one_line():
    history = adcore.plot.History()
    optimize.minimize(f, np.zeros(3), jac=adcore.grad(f), method="L-BFGS-B", callback=history)
    assert history.gradient_norms == []
    assert len(adcore.plot.convergence(history).lines) == 1


def test_convergence_refuses_what_is_no_history():
    for history in ([], np.zeros((2, 2)), 1.0):
        with pytest.raises(adcore.errors.ShapeError, match="one number per iteration"):
            adcore.plot.convergence(history)
    history = adcore.plot.History()
    history.values, history.gradient_norms = [2.0, 1.0], [1.0]
    with pytest.raises(adcore.errors.ShapeError, match="2 values and 1 gradient norms"):
        adcore.plot.convergence(history)


@pytest.mark.parametrize(
    "draw", [lambda: adcore.plot.spy(np.eye(2)), lambda: adcore.plot.convergence([1.0])]
)
def test_without_matplotlib_it_says_what_to_install(draw, monkeypatch):
    real = builtins.__import__

    def no_matplotlib(name, *arguments):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", no_matplotlib)
    with pytest.raises(ImportError, match=r"pip install adcore\[plot\]"):
        draw()


def test_import_leaves_matplotlib_alone():
    code = "import sys, adcore.plot; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)

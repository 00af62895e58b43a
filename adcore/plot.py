"""Pictures by matplotlib: sparsity patterns with their coloured groups, and how a solver got on.

matplotlib is imported when something is drawn: `pip install adcore[plot]`.
"""

import numpy as np
from scipy import sparse

from .errors import ShapeError

MOST_CELLS = 1000  # rows and columns of a picture; more of the matrix are drawn together
_NO_GROUP = "#b0b0b0"

__all__ = ["History", "convergence", "spy"]


def spy(matrix, colors=None, *, axis="columns", ax=None):
    """Draw where a sparse matrix has entries, in the colour of the group that finds them.

    Columns (or rows) of one group share no row (column), so that one product with the matrix finds
    all their entries: as many groups, as many products.

    Parameters
    ----------
    matrix : sparse or dense array, or (indptr, indices, shape)
        What is stored counts, whatever its value; of a dense array, what is not zero.
    colors : array of int, optional
        The group of each column: shape (n_columns,).  One below 0 is in no group, and grey.
    axis : {"columns", "rows"}
        What `colors` has a group for.
    ax : matplotlib.axes.Axes, optional
        Where to draw; left out, in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        With one image.  Of a matrix of more than 1000 rows or columns a cell stands for several:
        grey tells how full it is, and a colour is that of one of its entries.

    Raises
    ------
    ShapeError
        If there are not as many groups as columns, or rows.

    Examples
    --------
    >>> arrow = np.eye(5)
    >>> arrow[0] = arrow[:, 0] = 1.0
    >>> ax = adcore.plot.spy(arrow, colors=[0, 1, 1, 1, 1])
    >>> ax.get_title()
    '5 × 5, 13 entries, 2 groups'
    """
    if axis not in ("columns", "rows"):
        raise ValueError(f"axis is 'columns' or 'rows', not {axis!r}")
    rows, columns, shape = _entries(matrix)
    groups = None if colors is None else _groups(colors, shape, axis)
    ax = _axes(ax)
    title = f"{shape[0]} \N{MULTIPLICATION SIGN} {shape[1]}, {len(rows)} entries"
    cells = tuple(min(n, MOST_CELLS) for n in shape)
    at = tuple(
        index * n_cells // max(n, 1)
        for index, n, n_cells in zip((rows, columns), shape, cells, strict=True)
    )
    # left, right, bottom, top: an entry's cell is around its indices
    extent = (-0.5, max(shape[1], 1) - 0.5, max(shape[0], 1) - 0.5, -0.5)
    if groups is None:
        _draw_share(ax, at, cells, shape, extent)
    else:
        n_groups = len(np.unique(groups[groups >= 0]))
        _draw_groups(ax, at, cells, groups[columns if axis == "columns" else rows], extent)
        title += f", {n_groups} group" + "s" * (n_groups != 1)
    ax.set(title=title, xlabel="column", ylabel="row")
    return ax


def _entries(matrix):
    """Rows and columns of the entries of a matrix, as int64, and its shape."""
    if isinstance(matrix, tuple) and len(matrix) == 3:
        indptr, indices, shape = matrix
        rows = np.repeat(np.arange(shape[0]), np.diff(indptr))
        return rows, np.asarray(indices, dtype=np.int64), tuple(shape)
    if sparse.issparse(matrix):
        matrix = matrix.tocoo()
        rows, columns = matrix.row, matrix.col
    else:
        matrix = np.asarray(matrix)
        if matrix.ndim != 2:
            raise ShapeError(f"a matrix has two axes, not the shape {matrix.shape}")
        rows, columns = np.nonzero(matrix)
    return rows.astype(np.int64), columns.astype(np.int64), matrix.shape


def _groups(colors, shape, axis):
    groups = np.asarray(colors)
    n = shape[1] if axis == "columns" else shape[0]
    if groups.shape != (n,):
        raise ShapeError(f"colors is of shape {groups.shape}, for {n} {axis}")
    if not np.issubdtype(groups.dtype, np.integer):
        raise TypeError(f"the groups in colors are integers, not {groups.dtype}")
    return groups


def _draw_share(ax, at, cells, shape, extent):
    """An image of how full each cell is, where it is not empty: one entry in a large cell shows."""
    count = np.zeros(cells)
    np.add.at(count, at, 1.0)
    size = [
        np.bincount(np.arange(n) * k // n, minlength=k) for n, k in zip(shape, cells, strict=True)
    ]
    share = np.ma.masked_equal(count / np.maximum(np.outer(*size), 1), 0.0)
    # From a light grey on: the palest cell is still told from the paper.
    ax.imshow(share, cmap="Greys", vmin=-0.5, vmax=1.0, extent=extent, interpolation="none")


def _draw_groups(ax, at, cells, groups, extent):
    """An image of the groups, numbered as they are given; what is in none is grey."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    image = np.ma.masked_all(cells, dtype=np.int64)
    image[at] = np.maximum(groups, -1)
    n = int(groups.max(initial=-1)) + 1
    # Twenty colours are told apart; beyond, shades of a rainbow, neighbours far from each other.
    if n <= 20:
        listed = [colormaps["tab10" if n <= 10 else "tab20"](k) for k in range(n)]
    else:
        listed = [colormaps["hsv"](k * 0.6180339887498949 % 1.0) for k in range(n)]
    shades = ListedColormap([_NO_GROUP, *listed])
    ax.imshow(image, cmap=shades, vmin=-1.5, vmax=n - 0.5, extent=extent, interpolation="none")


class History:
    """Keeps how a solver gets on: a `callback` for those of scipy.optimize.

    Parameters
    ----------
    gradient : callable, optional
        Of x: called once per iteration, if the solver does not tell the gradient itself, as
        trust-constr does.

    Attributes
    ----------
    values : list of float
        The objective after each iteration.
    gradient_norms : list of float
        The largest entry of its gradient, in absolute value; empty where it is not known.

    Examples
    --------
    >>> from scipy.optimize import minimize
    >>> def f(x):
    ...     return np.sum((x - 1.0) ** 4 + x**2)
    >>> history = adcore.plot.History(gradient=adcore.grad(f))
    >>> result = minimize(f, np.zeros(2), jac=adcore.grad(f), method="BFGS", callback=history)
    >>> len(history.values) == len(history.gradient_norms) == result.nit
    True
    """

    def __init__(self, gradient=None):
        self.gradient = gradient
        self.values, self.gradient_norms = [], []

    def __call__(self, intermediate_result):
        """Keep one iteration; SciPy calls it by the name of the argument."""
        self.values.append(float(intermediate_result.fun))
        slope = getattr(intermediate_result, "grad", None)
        if slope is None:
            slope = getattr(intermediate_result, "jac", None)
        if slope is None and self.gradient is not None:
            slope = self.gradient(intermediate_result.x)
        if slope is not None:
            self.gradient_norms.append(float(np.max(np.abs(slope), initial=0.0)))


def convergence(history, *, least=None, label=None, ax=None):
    """Draw the objective above its least value, and the gradient, by iteration and logarithmically.

    Parameters
    ----------
    history : sequence of float, History, or a result with either as its attribute `history`
        The objective after each iteration; a History adds the norms of the gradient.
    least : float, optional
        The value that is approached, if it is known; left out, the least in the history.
    label : str, optional
        What stands in the legend before the names of the lines.
    ax : matplotlib.axes.Axes, optional
        Where to draw; left out, in a new figure.  Runs drawn one after the other are compared.

    Returns
    -------
    matplotlib.axes.Axes
        With a line per quantity; an iteration at the least value, or of gradient zero, has no
        point.

    Examples
    --------
    >>> ax = adcore.plot.convergence([8.0, 2.0, 1.25, 1.0])
    >>> ax.lines[0].get_ydata()
    array([7.  , 1.  , 0.25,  nan])
    """
    history = getattr(history, "history", history)
    if isinstance(history, History):
        values, norms = history.values, history.gradient_norms
    else:
        values, norms = history, ()
    values, norms = np.asarray(values, dtype=float), np.asarray(norms, dtype=float)
    if values.ndim != 1 or not len(values):
        raise ShapeError(f"a history is one number per iteration, not of shape {values.shape}")
    if len(norms) not in (0, len(values)):
        raise ShapeError(f"a history of {len(values)} values and {len(norms)} gradient norms")
    ax = _axes(ax)
    before = f"{label}: " if label else ""
    above = values - (np.nanmin(values) if least is None else least)
    _line(ax, above, f"{before}objective above {'its least' if least is None else f'{least:g}'}")
    if len(norms):
        _line(ax, norms, f"{before}gradient", linestyle="--")
    ax.set(yscale="log", xlabel="iteration")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend()
    return ax


def _line(ax, y, label, **style):
    """One quantity by iteration, from 1 on; a logarithm has no place for what is not above 0."""
    y = np.where(y > 0.0, y, np.nan)
    ax.plot(np.arange(1, len(y) + 1), y, marker=".", label=label, **style)


def _axes(ax):
    """The axes to draw in: those given, or those of a new figure."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("adcore.plot needs matplotlib: pip install adcore[plot]") from error
    return pyplot.subplots(layout="constrained")[1]

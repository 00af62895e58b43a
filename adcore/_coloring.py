"""Colourings of sparse matrices: few products that tell every entry.

Knows nothing of functions and their derivatives: a pattern goes in, colours and directions come
out, and products with the directions are turned into the matrix.
"""

import functools

import numpy as np
from scipy import sparse

from . import _core
from .errors import ShapeError

METHODS = ("columns", "rows", "bicolor", "star", "acyclic")
ORDERS = tuple(_core.COLOR_ORDERS)


def color(pattern, method="star", order="natural"):
    """Colour a sparse matrix, so that one product for each colour tells all entries.

    Colours are given greedily, in the order that is asked for: the fewest are not promised.

    Parameters
    ----------
    pattern : (m, n) scipy.sparse matrix or array, or array
        Where entries may be: those that a sparse matrix stores, zeros included, or those of an
        array that are not 0.
    method : {"star", "acyclic", "columns", "rows", "bicolor"}
        Of matrices with symmetric values: "star", each entry is read from a product; "acyclic",
        some are found from others by subtraction: fewer colours, and a little less accurate.
        Of any matrix: "columns", no two columns of a colour share a row; "rows" likewise;
        "bicolor", some entries are read from products with columns and some from products with
        rows: for matrices with dense rows and dense columns both.
    order : {"natural", "largest-first", "smallest-last", "incidence-degree"}
        Which is coloured first.  Degrees are those of the graph of the symmetric matrix, of columns
        (or rows) that share a row (or column), or of the bipartite graph.

    Returns
    -------
    Coloring

    Raises
    ------
    ShapeError
        If the pattern is no matrix, or for "star" and "acyclic" not square.
    ValueError
        If a method or an order is not known, or for "star" and "acyclic" the pattern is not
        symmetric.

    Notes
    -----
    Time is that of the entries times the number of colours, but for "columns" ("rows") that of the
    entries times the length of their rows (columns).

    "star" and "acyclic" are those of Gebremedhin, Tarafdar, Manne, Pothen, New acyclic and star
    coloring algorithms with application to computing Hessians, SIAM J. Sci. Comput. 29 (2007); the
    others, and the orders, are described in Gebremedhin, Manne, Pothen, What color is your
    Jacobian?, SIAM Rev. 47 (2005).  "bicolor" settles by which product an entry is read as in
    Coleman and Verma, SIAM J. Sci. Comput. 19 (1998).

    Examples
    --------
    >>> import adcore, numpy as np
    >>> a = np.array([[4.0, 1.0, 2.0, 3.0], [1, 5, 0, 0], [2, 0, 6, 0], [3, 0, 0, 7]])
    >>> coloring = adcore.sparse.color(a)
    >>> coloring.n_colors, coloring.colors.tolist()
    (2, [0, 1, 1, 1])
    >>> bool((coloring.recover(a @ coloring.seed()).toarray() == a).all())
    True
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    if order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, not {order!r}")
    return Coloring(_csr(pattern), method, order)


def _csr(pattern):
    """The pattern as a canonical CSR array of truths."""
    if not sparse.issparse(pattern):
        pattern = np.asarray(pattern) != 0
    if pattern.ndim != 2:
        raise ShapeError(f"a pattern is a matrix, not an array of {pattern.ndim} dimensions")
    if max(pattern.shape) >= np.iinfo(np.int32).max:
        raise ShapeError(f"a pattern of shape {pattern.shape} has too many rows or columns")
    found = sparse.csr_array(pattern)
    truths = np.ones(found.indices.size, bool)
    found = sparse.csr_array((truths, found.indices, found.indptr), found.shape, copy=True)
    found.sum_duplicates()
    return found


def _arrays(csr):
    """What the core takes for a pattern."""
    start = np.ascontiguousarray(csr.indptr, np.int64)
    return start, np.ascontiguousarray(csr.indices, np.int32), csr.shape[1]


def _seed(colors, n_colors, as_sparse):
    """(number of lines, n_colors), ones where a line has a colour."""
    lines = np.flatnonzero(colors >= 0)
    if as_sparse:
        ones = np.ones(lines.size)
        return sparse.csr_array((ones, (lines, colors[lines])), (colors.size, n_colors))
    out = np.zeros((colors.size, n_colors))
    out[lines, colors[lines]] = 1
    return out


def _numbers(compressed, shape):
    """A product as an array, of the shape that it must have."""
    out = compressed.toarray() if sparse.issparse(compressed) else np.asarray(compressed)
    if out.shape != shape:
        raise ShapeError(f"the products must have shape {shape}, not {out.shape}")
    return out


class Coloring:
    """Colours of a matrix of shape (m, n): made by color().

    Attributes
    ----------
    method, order : str
    shape : (m, n)
    n_colors : int
    colors : int32 array, not to be written to
        Of columns, (n,); method "rows": of rows, (m,).  Method "bicolor": of rows and then columns,
        (m + n,), the colours of columns after those of rows, and -1 where there is none.
    """

    def __init__(self, pattern, method, order):
        self.method, self.order, self.shape = method, order, pattern.shape
        self._pattern = _arrays(pattern)
        if method in ("star", "acyclic"):
            m, n = self.shape
            if m != n:
                raise ShapeError(f"a symmetric pattern is square, not of shape {self.shape}")
            if not _core.pattern_is_symmetric(self._pattern):
                raise ValueError(f"the pattern is not symmetric, as method={method!r} needs")
        if method == "bicolor":
            self._rows, self._columns, p, q = _core.color_both(self._pattern, order)
            self._n = p, q
            self.n_colors = p + q
            moved = np.where(self._columns < 0, -1, self._columns + p)
            self.colors = np.concatenate([self._rows, moved]).astype(np.int32, copy=False)
        else:
            lines = _arrays(pattern.T.tocsr()) if method == "rows" else self._pattern
            kind = "columns" if method == "rows" else method
            self.colors, self.n_colors = _core.color_lines(lines, kind, order)
        self.colors.flags.writeable = False

    def __repr__(self):
        return f"<Coloring of shape {self.shape}: {self.n_colors} colors, method={self.method!r}>"

    def seed(self, sparse=False):
        """The directions: zeros and ones, a column for each colour.

        Parameters
        ----------
        sparse : bool
            Give scipy.sparse.csr_array instead of arrays.

        Returns
        -------
        (n, n_colors) array
            To be multiplied by: what is needed is ``a @ seed``.  Method "rows": (m, n_colors), for
            ``seed.T @ a``.  Method "bicolor": a pair, (m, p) of rows and (n, q) of columns, of
            p + q = n_colors.
        """
        if self.method == "bicolor":
            p, q = self._n
            return _seed(self._rows, p, sparse), _seed(self._columns, q, sparse)
        return _seed(self.colors, self.n_colors, sparse)

    def recover(self, compressed):
        """The matrix, from its products with the seed.

        Parameters
        ----------
        compressed : (m, n_colors) array, or sparse matrix
            ``a @ seed``.  Method "rows": ``seed.T @ a``, (n_colors, n).  Method "bicolor": the pair
            ``(rows.T @ a, a @ columns)`` of (p, n) and (m, q).

        Returns
        -------
        (m, n) scipy.sparse.csr_array
            With the entries of the pattern, those that are 0 included.

        Raises
        ------
        ShapeError
            If the products have another shape.

        Notes
        -----
        Entries outside of the pattern are taken to be 0: where they are not, what is recovered is
        wrong, which cannot be seen from the products.
        """
        start, column, _ = self._pattern
        m, n = self.shape
        if self.method == "bicolor":
            data = self._from_both(*compressed)
        elif self.method == "rows":
            data = _numbers(compressed, (self.n_colors, n))[self.colors[self._row], column]
        else:
            lanes = _numbers(compressed, (m, self.n_colors))
            if self.method == "columns":
                data = lanes[self._row, self.colors[column]]
            elif self.method == "star":
                data = lanes[self._where]
            else:
                data = self._substituted(lanes)
        return sparse.csr_array((data, column.copy(), start.copy()), self.shape)

    @functools.cached_property
    def _row(self):
        """The row of each entry."""
        start, _, _ = self._pattern
        return np.repeat(np.arange(self.shape[0], dtype=np.int32), np.diff(start))

    @functools.cached_property
    def _where(self):
        """Where each entry is read, or in which steps they are found."""
        if self.method == "star":
            return _core.recover_star(self._pattern, self.colors)
        if self.method == "acyclic":
            return _core.recover_acyclic(self._pattern, self.colors)
        lane = _core.recover_bicolor(self._pattern, self._rows, self._columns)
        of_row, of_column = np.flatnonzero(lane < 0), np.flatnonzero(lane >= 0)
        _, column, _ = self._pattern
        return (
            (of_row, -1 - lane[of_row], column[of_row]),
            (of_column, self._row[of_column], lane[of_column]),
        )

    def _from_both(self, by_rows, by_columns):
        p, q = self._n
        by_rows = _numbers(by_rows, (p, self.shape[1]))
        by_columns = _numbers(by_columns, (self.shape[0], q))
        (of_row, *at_row), (of_column, *at_column) = self._where
        out = np.empty(of_row.size + of_column.size, np.result_type(by_rows, by_columns))
        out[of_row] = by_rows[tuple(at_row)]
        out[of_column] = by_columns[tuple(at_column)]
        return out

    def _substituted(self, lanes):
        if np.iscomplexobj(lanes):
            return self._substituted(lanes.real) + 1j * self._substituted(lanes.imag)
        lanes = np.array(lanes, np.float64, order="C")
        return _core.substitute(self._pattern, self.colors, self._where, lanes)

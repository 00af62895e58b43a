"""Sparse Hessians and Jacobians of ordinary Python code, as scipy.sparse arrays.

No pattern is asked for: where a matrix has entries is found on what the function recorded, and
columns that share no row are found together.  See docs/sparse.md.
"""

import functools
import math
from typing import NamedTuple

from scipy import sparse as _scipy

from . import _edges, _sparse
from ._coloring import color as color
from ._recording import Recording
from .compile import compile as _compile
from .errors import NotDifferentiableError

_METHODS = ("auto", "dense", "colored", "edges")

# What the ways to a Hessian cost, in units of one edge that is pushed, about 15 ns.
_SWEEP = 1.5  # a number on the tape that eight columns of a dense Hessian are carried through
_FEW = 30_000  # of these units: what is dearer is looked at more closely
_FITS = 2**27  # numbers that a dense matrix may have before it is not thought of


class Info(NamedTuple):
    """How a sparse matrix was found.

    Attributes
    ----------
    method : str
        "dense", "colored" or "edges"; of a Jacobian "dense", "columns", "rows" or "bicolor".
    reason : str
        Why it was taken, in words.
    cost : dict
        Of a Hessian by "auto": what was counted on the tape, its `slots`, the `operands` they have,
        those that are `curved`, and the estimates `dense` and `most`: how many edges could be
        pushed in the time of the dense Hessian, and how many were allowed.  Of a Jacobian by
        colours: how many directions of `columns` and of `rows` there are.
    """

    method: str
    reason: str
    cost: dict


def hessian(f, argnums=0, method="auto", info=False):
    """The second derivatives of a function of one real output, as a sparse matrix.

    Rows and columns are the elements of the arguments, one argument or leaf after the other, each
    in C order.  To find many Hessians of one function use ``adcore.compile(f).hessian(x,
    sparse=True)``, which finds pattern and colours once.

    Parameters
    ----------
    f : callable
    argnums : int or tuple of int
        The positional arguments to differentiate with respect to.
    method : "auto", "dense", "colored" or "edges"
        How: "edges" pushes second derivatives through the recording, in one sweep; "colored" finds
        where there may be entries wherever `f` goes the way that it went, and then columns that
        share no row together, so that entries which happen to be 0 are there, as zeros; "dense"
        finds all columns.  The entries of "edges" and "dense" are those that are not 0.  "auto"
        takes what is likely to take least time: "dense" where that is next to nothing or the matrix
        turns out to be dense, "edges" else, and "colored" where edges cannot be pushed: through
        linear algebra, rules in Python, and points where a norm is 0 or second derivatives are nan.
    info : bool
        Whether to return an Info beside the matrix.

    Returns
    -------
    callable
        Of the arguments of `f`; it gives a scipy.sparse.csr_array of shape (n, n), symmetric,
        columns ascending; with `info` a pair of it and an Info.

    Raises
    ------
    ShapeError
        If `f` returns anything but one real number.
    NotDifferentiableError
        For "edges", where they cannot be pushed.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> f = lambda x: ((x[1:] - x[:-1] ** 2) ** 2).sum()
    >>> adcore.sparse.hessian(f)(np.array([1.0, 2.0, 3.0])).toarray()
    array([[ 4., -4.,  0.],
           [-4., 38., -8.],
           [ 0., -8.,  2.]])

    References
    ----------
    Gower and Mello, Optim. Methods Softw. 27 (2012) 251, of edge-pushing.  Gebremedhin, Manne and
    Pothen, SIAM Review 47 (2005) 629, of colouring.
    """
    if method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(_METHODS)}, got {method!r}")

    @functools.wraps(f)
    def hessian_f(*args, **kwargs):
        found, how = _HESSIANS[method](f, argnums, args, kwargs)
        return (found, how) if info else found

    return hessian_f


def _colored(f, argnums, args, kwargs, reason="as it was asked for", cost=None):
    found = _compile(f)._sparse("hessian", argnums, args, kwargs, way="_in_lanes")
    return found, Info("colored", reason, cost or {})


def _recorded(f, argnums, args, kwargs):
    r = Recording(f, args, kwargs, argnums, curved=True)
    if r.nested:
        raise NotDifferentiableError(
            "a sparse matrix holds numbers, so it cannot be made inside another derivative or "
            "while a function is compiled; take adcore.hessian there"
        )
    return r


def _dense(f, argnums, args, kwargs):
    r = _recorded(f, argnums, args, kwargs)
    return _scipy.csr_array(_sparse.dense_hessian(r)[2]), Info("dense", "as it was asked for", {})


def _by_edges(f, argnums, args, kwargs):
    found = _edges.pushed(_recorded(f, argnums, args, kwargs))
    if found is None:
        raise NotDifferentiableError(
            "edges cannot be pushed through linear algebra, rules and hooks in Python, or where a "
            'norm is 0 or a second derivative is nan or out of range; leave out method="edges"'
        )
    return found[1], Info("edges", "as it was asked for", {})


def _chosen(f, argnums, args, kwargs):
    """The Hessian by the way that is likely to take least time."""
    r = _recorded(f, argnums, args, kwargs)
    cost = _edges.edge_cost(r)
    n = sum(map(math.prod, r.shapes))
    cost["dense"] = dense = _SWEEP * cost["slots"] * -(-n // 8)
    fits = n * n <= _FITS
    if n <= 64 and dense <= _FEW:
        return _scipy.csr_array(_sparse.dense_hessian(r)[2]), Info("dense", "it is small", cost)
    cost["most"] = most = int(2 * dense) if fits else 2**62
    found = _edges.pushed(r, most) if cost["known"] else None
    if found is not None:
        return found[1], Info("edges", "one sweep over the recording is the least work", cost)
    if cost["known"] and fits:
        pattern = _compile(f)._pattern(args, kwargs, argnums, True, False)
        if pattern.nnz > n * n // 4:
            return _scipy.csr_array(_sparse.dense_hessian(r)[2]), Info(
                "dense", "more than a quarter of its entries are not 0", cost
            )
    reason = "edges cannot be pushed through all that was recorded, or would be more work"
    return _colored(f, argnums, args, kwargs, reason, cost)


_HESSIANS = {"auto": _chosen, "dense": _dense, "colored": _colored, "edges": _by_edges}


_JACOBIANS = {
    "auto": "",
    "colored": "",
    "columns": "_columns",
    "rows": "_rows",
    "bicolor": "_bicolor",
}


def jacobian(f, argnums=0, method="auto", info=False):
    """The first derivatives of a function, as a sparse matrix.

    Rows are elements of what the function returns, one array after the other, and columns those of
    the arguments; as hessian() has them.

    Parameters
    ----------
    f : callable
        Of arguments and results that are numbers, arrays or nested containers of them.
    argnums : int or tuple of int
    method : {"auto", "dense", "colored", "columns", "rows", "bicolor"}
        "columns" finds columns that share no row together, by forward sweeps; "rows" finds rows
        that share no column together, by reverse sweeps; "bicolor" finds some of the entries by
        columns and the others by rows, unless one of these alone takes fewer directions.
        "colored" takes what is likely to take least time of the three, and "auto" is the same.
    info : bool
        Whether to return an Info beside the matrix.

    Returns
    -------
    callable
        Of the arguments of `f`; it gives a scipy.sparse.csr_array of shape (m, n); with `info` a
        pair of it and an Info.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> adcore.sparse.jacobian(lambda x: x[1:] * x[:-1])(np.array([1.0, 2.0, 3.0])).toarray()
    array([[2., 1., 0.],
           [0., 3., 2.]])

    A dense row and a dense column:

    >>> f = lambda x: np.concatenate([x**2 * x[0], [x.sum()]])
    >>> matrix, how = adcore.sparse.jacobian(f, info=True)(np.linspace(1.0, 2.0, 10_000))
    >>> matrix.nnz, how.method, how.cost
    (29999, 'bicolor', {'columns': 2, 'rows': 1})
    """
    if method != "dense" and method not in _JACOBIANS:
        raise ValueError(f"method must be dense, {', '.join(_JACOBIANS)}, got {method!r}")

    @functools.wraps(f)
    def jacobian_f(*args, **kwargs):
        if method == "dense":
            found = _scipy.csr_array(_sparse.jacobian_in_python(f, argnums, args, kwargs))
            return (found, Info("dense", "as it was asked for", {})) if info else found
        compiled, way = _compile(f), _JACOBIANS[method]
        found = compiled._sparse("jacobian", argnums, args, kwargs, way=way)
        if not info:
            return found
        return found, _told(compiled._directions_of(args, kwargs, argnums, way), way)

    return jacobian_f


def _told(directions, way):
    """How a Jacobian was found, from how many directions it took."""
    if directions is None:
        return Info("dense", "the function does not settle, so that Python must run it", {})
    columns, rows = directions
    method = "bicolor" if columns and rows else "rows" if rows else "columns"
    reasons = {
        "columns": "directions of columns alone are the least work",
        "rows": "directions of rows alone are fewer",
        "bicolor": "there are long rows and long columns, and directions of both are fewer by far",
    }
    reason = "as it was asked for" if way.endswith(method) else reasons[method]
    return Info(method, reason, {"columns": columns, "rows": rows})


def hessian_pattern(f, argnums=0, local=False):
    """Where the Hessian of a function may have entries.

    The pattern is that of the second derivatives of any combination of the elements of the result.

    Parameters
    ----------
    f : callable
    argnums : int or tuple of int
    local : bool
        Whether branches that ``where``, ``maximum`` and their like do not take at these arguments
        are left out; else the pattern holds for all arguments for which the function goes the same
        way.

    Returns
    -------
    callable
        Of the arguments of `f`; it gives a scipy.sparse.csr_array of truths, of shape (n, n).

    Examples
    --------
    >>> import adcore, numpy as np
    >>> adcore.sparse.hessian_pattern(lambda x: x[0] * x[1] + x[2])(np.ones(3)).toarray()
    array([[False,  True, False],
           [ True, False, False],
           [False, False, False]])
    """
    return _pattern(f, argnums, True, local)


def jacobian_pattern(f, argnums=0, local=False):
    """Where the Jacobian of a function may have entries; as hessian_pattern().

    Examples
    --------
    >>> import adcore, numpy as np
    >>> adcore.sparse.jacobian_pattern(lambda x: x[:2] * x[2])(np.ones(3)).toarray()
    array([[ True, False,  True],
           [False,  True,  True]])
    """
    return _pattern(f, argnums, False, local)


def _pattern(f, argnums, second, local):
    @functools.wraps(f)
    def pattern_f(*args, **kwargs):
        return _compile(f)._pattern(args, kwargs, argnums, second, local)

    return pattern_f

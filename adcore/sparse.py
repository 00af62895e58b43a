"""Sparse Hessians and Jacobians of ordinary Python code, as scipy.sparse arrays.

No pattern is asked for: where a matrix has entries is found on what the function recorded, and
columns that share no row are found together.  See docs/sparse.md.
"""

import functools
from typing import NamedTuple

from scipy import sparse as _scipy

from . import _sparse
from .compile import compile as _compile

METHODS = ("auto", "dense", "colored")


class Info(NamedTuple):
    """How a sparse matrix was found: see hessian()."""

    method: str
    reason: str
    n_entries: int
    n_colors: int


def hessian(f, argnums=0, method="auto"):
    """The second derivatives of a function of one real output, as a sparse matrix.

    Rows and columns are the elements of the arguments, one argument or leaf after the other, each
    in C order.  Entries are those that the function may have wherever it goes the way that it went:
    those that happen to be 0 are there, as zeros.  To find many Hessians of one function, use
    ``adcore.compile(f).hessian(x, sparse=True)``, which finds the pattern once.

    Parameters
    ----------
    f : callable
    argnums : int or tuple of int
        The positional arguments to differentiate with respect to.
    method : "auto", "dense" or "colored"
        How: "dense" finds all columns; "colored" finds the pattern, and then columns that share no
        row together; "auto" takes the one that is likely to take less time.

    Returns
    -------
    callable
        Of the arguments of `f`; it gives a scipy.sparse.csr_array of shape (n, n).

    Examples
    --------
    >>> import adcore, numpy as np
    >>> f = lambda x: ((x[1:] - x[:-1] ** 2) ** 2).sum()
    >>> adcore.sparse.hessian(f)(np.array([1.0, 2.0, 3.0])).toarray()
    array([[ 4., -4.,  0.],
           [-4., 38., -8.],
           [ 0., -8.,  2.]])
    """
    _check_method(method)

    @functools.wraps(f)
    def hessian_f(*args, **kwargs):
        if method == "dense":
            return _scipy.csr_array(_sparse.hessian_in_python(f, argnums, args, kwargs)[2])
        return _compile(f).hessian(*args, argnums=argnums, sparse=True, **kwargs)

    return hessian_f


def jacobian(f, argnums=0, method="auto"):
    """The first derivatives of a function, as a sparse matrix.

    Rows are elements of what the function returns, one array after the other, and columns those of
    the arguments; as hessian() has them.

    Parameters
    ----------
    f : callable
        Of arguments and results that are numbers, arrays or nested containers of them.
    argnums : int or tuple of int
    method : "auto", "dense" or "colored"

    Returns
    -------
    callable
        Of the arguments of `f`; it gives a scipy.sparse.csr_array of shape (m, n).

    Examples
    --------
    >>> import adcore, numpy as np
    >>> adcore.sparse.jacobian(lambda x: x[1:] * x[:-1])(np.array([1.0, 2.0, 3.0])).toarray()
    array([[2., 1., 0.],
           [0., 3., 2.]])
    """
    _check_method(method)

    @functools.wraps(f)
    def jacobian_f(*args, **kwargs):
        if method == "dense":
            return _scipy.csr_array(_sparse.jacobian_in_python(f, argnums, args, kwargs))
        return _compile(f).jacobian(*args, argnums=argnums, sparse=True, **kwargs)

    return jacobian_f


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


def _check_method(method):
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")


def _pattern(f, argnums, second, local):
    @functools.wraps(f)
    def pattern_f(*args, **kwargs):
        return _compile(f)._pattern(args, kwargs, argnums, second, local)

    return pattern_f

"""Functions of one variable and parameters, and the functions that their derivatives are.

An integrand or the right-hand side of an equation is a *binding*: bind(theta), theta a list of
parameters, is a function of the variables alone.  Its derivatives in the parameters are bindings
again, of more parameters, so that whatever integrates a binding integrates those, to any order.
"""

import math

import numpy as np

from ... import _calls, _captured, _core
from ..._core import Dual, Tensor
from ...compile import compile as compiled
from ...rules.primitives import as_array, below, concatenate, reshape, values
from ...transforms import jacfwd, jvp, vjp
from .._leaves import leaf


def binding(function, args):
    """(leaves, bind) of a function of SciPy's kind: bind(leaves)(*x) is function(*x, *args)."""
    leaves, recipe = binding_of((function, args))

    def bind(theta):
        f, rest = recipe(theta)
        return lambda *x: f(*x, *rest)

    return leaves, bind


def binding_of(tree):
    """(leaves, recipe) of anything with functions in it: see _captured.py."""
    leaves, recipe = _captured.captured(tree)
    return [leaf(v, "a parameter") for v in leaves], recipe


def flat(x):
    """Anything array-like with one dimension."""
    return reshape(as_array(x), (-1,))


def joined(parts):
    """One vector of the elements of all parts, which may be lists of tensors."""
    parts = [flat(p) for p in parts]
    return concatenate(parts, 0) if parts else np.empty(0)


def split(x, shapes):
    """A vector cut into arrays of the given shapes; numbers where a shape is ()."""
    out, at = [], 0
    for shape in shapes:
        size = math.prod(shape)
        out.append(reshape(x[at : at + size], shape) if shape else x[at])
        at += size
    return out


def total(x):
    """The sum of all elements."""
    return x.sum() if hasattr(x, "sum") else float(np.sum(x))


def constant(x):
    """Numbers that no derivative sees; while a program is recorded, they stay its data."""
    x = below(x)
    if type(x) is not Tensor:
        return x
    return x.detach() if _core.is_compiling() else values(x)


def numbers(x):
    """The numbers of anything, a float or an array, without a guard on them: for hints alone."""
    while type(x) is Dual:
        x = x.value
    x = _calls.plain(x)
    return x if np.ndim(x) else float(x)


# ---- derivatives of bindings ----


def tangent(bind, moved, n):
    """The derivative along a direction: a binding of theta and the tangents of those in `moved`.

    `n` is how many parameters bind() takes; `moved` are indices of those with a tangent.
    """

    def bind_tangent(theta):
        theta, directions = list(theta[:n]), theta[n:]

        def function(*x):
            def at(*chosen):
                full = list(theta)
                for i, v in zip(moved, chosen, strict=True):
                    full[i] = v
                return as_array(bind(full)(*x))

            primals = tuple(theta[i] for i in moved)
            return jvp(at, primals, tuple(directions))[1]

        return function

    return bind_tangent


def adjoint(bind, wanted, n):
    """Adjoints of the `wanted` parameters, one vector: a binding of theta and that of the value."""

    def bind_adjoint(theta):
        theta, ct = list(theta[:n]), theta[n]

        def function(*x):
            def at(*chosen):
                full = list(theta)
                for i, v in zip(wanted, chosen, strict=True):
                    full[i] = v
                return as_array(bind(full)(*x))

            return joined(vjp(at, *[theta[i] for i in wanted])[1](ct))

        return function

    return bind_adjoint


class Fast:
    """A binding as a function of plain variables and parameters, compiled if that can be.

    It cannot if the function does with its variables what tensors do not allow, such as int(t);
    that does not matter where no derivative in that variable is asked for.
    """

    def __init__(self, bind, n_variables):
        def function(*given):
            return bind(list(given[n_variables:]))(*given[:n_variables])

        self.bind, self.last, self.program = bind, n_variables - 1, compiled(function)

    def __call__(self, theta):
        """bind(theta), with an attribute `jacobian`: the derivative in the last variable."""
        theta = list(theta)

        def function(*x):
            if self.program is not None:
                try:
                    return self.program(*x, *theta)
                except Exception:  # if it is the function's own, it is raised again below
                    self.program = None
            return values(self.bind(theta)(*x))

        def jacobian(*x):
            if self.program is not None:
                return self.program.jacobian(*x, *theta, argnums=self.last)
            return jacfwd(lambda last: self.bind(theta)(*x[:-1], last))(x[-1])

        function.jacobian = jacobian
        return function


# ---- how large a change in a parameter is ----


def unit(parameter, direction=None):
    """How a derivative in a parameter, or along a direction of it, compares with the function.

    For a large parameter a derivative is that much smaller than the function, and its absolute
    tolerance has to be, too.  Never more than 1 for a derivative in the parameter itself.
    """
    scale = 1.0 / np.maximum(1.0, np.abs(parameter))
    if direction is None:
        return scale
    return float(np.max(np.abs(direction) * scale, initial=0.0))


def along(parameters, directions):
    """The same along a direction of several parameters; 1 if the direction is nothing."""
    found = max([unit(p, d) for p, d in zip(parameters, directions, strict=True)], default=0.0)
    return found if 0.0 < found < math.inf else 1.0

"""Transforms: functions of functions that differentiate.

A transform makes independent variables of its function's arguments, runs the function once, and
takes derivatives of what was recorded.  Where nothing outside depends on the result it does so in
numbers; inside another transform it records the derivative, so that it can be differentiated
again.  Arguments may be numbers, arrays, and nested lists, tuples, dicts, named tuples and
dataclasses of them.
"""

import functools
import math
import operator

import numpy as np

from . import _core
from ._core import Dual, Tensor
from ._trees import FLOATS, flatten_values, is_number, same_leaves, shape_of, unflatten
from .errors import NotDifferentiableError, ShapeError

# ---- recording ----


def _name(f):
    return getattr(f, "__name__", type(f).__name__)


def _as_number(leaf, what):
    """A leaf as a float, a float64 array, a Tensor or a Dual."""
    kind = type(leaf)
    if kind is float or kind is Tensor or kind is Dual:
        return leaf
    if kind is np.ndarray:
        if leaf.dtype == np.float64:
            return leaf
        if leaf.dtype.kind in "iuf":
            return leaf.astype(np.float64)
        if leaf.dtype.kind == "O" and leaf.size and isinstance(leaf.flat[0], Tensor):
            raise NotDifferentiableError(
                f"{what} is an object array of tensors; build it with adcore.stack instead"
            )
    elif is_number(leaf) or (isinstance(leaf, np.generic) and leaf.dtype.kind in "iuf"):
        return float(leaf)
    described = f"an array of dtype {leaf.dtype}" if kind is np.ndarray else f"a {kind.__name__}"
    raise NotDifferentiableError(
        f"{what} is {described}, which has no derivative; pass numbers or float arrays, and other "
        "arguments outside argnums"
    )


def _base(leaf):
    """What lies below the duals of a leaf."""
    while type(leaf) is Dual:
        leaf = leaf.value
    return leaf


def _plain_base(base):
    """The numbers of a base, as a float or an array."""
    if type(base) is Tensor:
        base = base.detach()
        return base.item() if base.ndim == 0 else base.numpy()
    return base


def _argnums(argnums):
    """`argnums` as an int or a tuple of them."""
    if type(argnums) is int:
        return argnums
    try:
        if isinstance(argnums, (tuple, list)):
            return tuple([operator.index(i) for i in argnums])
        return operator.index(argnums)
    except TypeError:
        raise TypeError(
            f"argnums must be an integer or a tuple of integers, got {argnums!r}"
        ) from None


def _pair(output, f):
    """What a function returned, checked to be a value and something beside."""
    if type(output) is not tuple or len(output) != 2:
        got = f"a tuple of {len(output)}" if type(output) is tuple else type(output).__name__
        raise TypeError(f"has_aux=True needs {_name(f)} to return a pair (value, aux), got {got}")
    return output


def _rebased(leaf, base):
    """The leaf with another bottom: its duals stay on top."""
    if type(leaf) is Dual:
        return Dual(leaf.tag, _rebased(leaf.value, base), leaf.tangents)
    return base


class _Recording:
    """One run of a function: its variables, its output, and whether others depend on it.

    `variables` are the tensors to differentiate with respect to, one per leaf of the chosen
    arguments; `flat` is all of them as one vector if they are numbers.
    """

    def __init__(self, f, args, kwargs, argnums, has_aux=False):
        self.f, self.has_aux = f, has_aux
        chosen = (argnums,) if isinstance(argnums, int) else argnums
        for i in chosen:
            if not -len(args) <= i < len(args):
                raise TypeError(
                    f"argnums={argnums} asks for argument {i} of {_name(f)}, which was called with "
                    f"{len(args)} positional arguments; pass what is differentiated by position"
                )
        chosen = tuple([i % len(args) for i in chosen])
        if len(chosen) > 1 and len(set(chosen)) < len(chosen):
            raise ValueError(
                f"argnums={argnums} names an argument of {_name(f)} twice, which was called with "
                f"{len(args)} positional arguments; name each once"
            )
        self.recording = _core.is_recording()  # if off, outside: what is around is constant
        picked = args[chosen[0]] if isinstance(argnums, int) else tuple(args[i] for i in chosen)
        lifted = _core.lift_floats(picked) if type(picked) is list and picked else None
        self.numbers = lifted is not None  # the commonest tree of all is kept cheap
        if self.numbers:
            self.tracked = False
            self.structure = FLOATS
            self.flat, self.variables = lifted
            given = self.variables
        else:
            leaves, self.structure = flatten_values(picked)
            if not leaves:
                raise ShapeError(
                    f"the arguments {argnums} of {_name(f)} hold no numbers to "
                    "differentiate with respect to"
                )
            given = self.lift([_as_number(v, f"an argument of {_name(f)}") for v in leaves])
        given = unflatten(self.structure, given)
        full = list(args)
        for i, value in zip(chosen, (given,) if isinstance(argnums, int) else given, strict=True):
            full[i] = value
        if self.recording:
            self.output = f(*full, **kwargs)
        else:
            _core.set_recording(True)
            try:
                self.output = f(*full, **kwargs)
            finally:
                _core.set_recording(False)
        self.aux = None
        if has_aux:
            self.output, self.aux = _pair(self.output, f)
        self.nested = self.recording and (self.tracked or _core.reads_outside(self.flat))

    def lift(self, leaves):
        """Make the variables, and return them under the duals of the leaves."""
        bases = [_base(v) for v in leaves]
        self.tracked = self.recording and any(type(b) is Tensor and b.requires_grad for b in bases)
        if not self.tracked:
            self.flat, self.variables = _core.lift([_plain_base(b) for b in bases])
        else:
            self.flat = None
            self.variables = [
                _core.renew(b) if type(b) is Tensor else _core.lift([b])[1][0] for b in bases
            ]
        # The function gets handles of its own: it may assign to their elements.
        given = [t.clone() if t.ndim else t for t in self.variables]
        return [_rebased(v, t) for v, t in zip(leaves, given, strict=True)]

    @functools.cached_property
    def shapes(self):
        """The shape of each variable."""
        return [()] * len(self.variables) if self.numbers else [v.shape for v in self.variables]

    # -- results --

    def plain(self, x, directions=()):
        """A value as the caller should see it: a number or an array, unless it depends on others.

        `directions` are seeds it was computed from, which may be tracked although nothing else is.
        """
        nested = self.nested or any(map(_tracked, directions))
        if type(x) is Dual:
            return Dual(x.tag, *self._plain_parts(x, directions))
        if type(x) is Tensor and not (nested and x.requires_grad):
            x = x.detach()
            return x.item() if x.ndim == 0 else x.numpy()
        return x

    def _plain_parts(self, x, directions):
        return self.plain(x.value, directions), tuple(
            [None if t is None else self.plain(t, directions) for t in x.tangents]
        )

    def plain_tree(self, tree):
        """The same for all leaves of a tree."""
        leaves, structure = flatten_values(tree)
        return unflatten(structure, [self.plain(v) for v in leaves])

    def with_aux(self, result):
        """The result, or the pair of it and what the function returned beside its value."""
        return (result, self.plain_tree(self.aux)) if self.has_aux else result

    def tree(self, per_leaf):
        """One result per variable, in the structure of the arguments."""
        return unflatten(self.structure, per_leaf)

    def split(self, flat, axis=0):
        """A flat array over all variables, cut into one per variable, in its shape."""
        if self.numbers and flat.ndim == 1:
            return flat.tolist()
        out, at = [], 0
        for shape in self.shapes:
            size = math.prod(shape)
            part = flat[(slice(None),) * axis + (slice(at, at + size),)]
            part = part.reshape(flat.shape[:axis] + shape + flat.shape[axis + 1 :])
            out.append(float(part) if part.ndim == 0 else part)
            at += size
        return out

    def scalar(self, transform, instead):
        """The output, checked to be one real number."""
        y = self.output
        known = type(y) in (Tensor, Dual) or _real(y)
        if not known or shape_of(y) != ():
            shape = (
                f"shape {shape_of(y)}"
                if type(y) in (Tensor, Dual, np.ndarray)
                else f"a {type(y).__name__}"
            )
            raise ShapeError(
                f"{transform} needs a function with one real output, but {_name(self.f)} returned "
                f"{shape}. Use {instead}, or return a scalar such as y.sum()."
            )
        return y

    def each(self, y, derive, rows=False):
        """`derive` of each tensor below the duals of an output, put back under the duals.

        `derive` gives one result per variable, in its shape; or, with `rows`, in the output's shape
        followed by the variable's.
        """
        if y is None:  # a zero tangent
            return [None] * len(self.variables)
        if type(y) is Dual:
            parts = [self.each(c, derive, rows) for c in (y.value, *y.tangents)]
            return [Dual(y.tag, p[0], tuple(p[1:])) for p in zip(*parts, strict=True)]
        if type(y) is Tensor and y.requires_grad:
            return derive(y)
        return [_zeros(shape_of(y) + s if rows else s) for s in self.shapes]

    def each_with(self, y, seeds, derive):
        """`derive(tensor, seeds)`, bilinear in an output and seeds that may have duals on top.

        The product rule takes one level of duals off both at a time, the youngest first.
        """
        tags = [c.tag for c in (y, *seeds) if type(c) is Dual]
        if not tags:
            return derive(y, seeds) if type(y) is Tensor and y.requires_grad else None
        tag = max(tags)
        y_value, y_tangents = _at_level(y, tag)
        values, tangents = zip(*(_at_level(c, tag) for c in seeds), strict=True)
        value = self.each_with(y_value, values, derive)
        found = []
        for lane in range(max(len(t) for t in (y_tangents, *tangents))):
            part = None
            if y_tangents and y_tangents[lane] is not None:
                part = self.each_with(y_tangents[lane], values, derive)
            moved = [
                t[lane] if t and t[lane] is not None else _zeros(shape_of(v))
                for t, v in zip(tangents, values, strict=True)
            ]
            other = self.each_with(y_value, moved, derive)
            if part is not None and other is not None:
                part = [a + b for a, b in zip(part, other, strict=True)]
            found.append(other if part is None else part)
        n = next((len(p) for p in (value, *found) if p is not None), 0)
        if n == 0:
            return None
        value = value or [v * 0.0 for v in next(p for p in found if p is not None)]
        return [
            Dual(tag, value[i], tuple(None if p is None else p[i] for p in found)) for i in range(n)
        ]

    # -- first derivatives --

    def gradient(self, y):
        """The derivatives of a scalar, one per variable: arrays, or tensors if nested."""
        if not self.nested:
            return self.split(_core.gradient(y, self.flat))
        return [self.plain(g) for g in _core.emit_reverse([y], [None], self.variables)]

    def pull(self, y, seed):
        """The derivatives of <seed, y>, one per variable."""
        if not self.nested and not _tracked(seed):
            found = _core.sweep_reverse([y], [np.reshape(seed, (*y.shape, 1))], self.variables)
            return [_number(g[..., 0]) for g in found]
        return [self.plain(g, [seed]) for g in _core.emit_reverse([y], [seed], self.variables)]

    def rows(self, y):
        """All derivatives of an output, one array of shape y.shape + variable.shape each."""
        lanes = _core_lanes()
        size = y.size
        found = [np.zeros((size, math.prod(s))) for s in self.shapes]
        if not self.nested:
            for start in range(0, size, lanes):
                m = min(lanes, size - start)
                seed = np.zeros((size, m))
                seed[np.arange(start, start + m), np.arange(m)] = 1.0
                parts = _core.sweep_reverse([y], [seed], self.variables, m)
                for out, part in zip(found, parts, strict=True):
                    out[start : start + m] = part.reshape(-1, m).T
            return [
                _number(a.reshape(y.shape + s)) for a, s in zip(found, self.shapes, strict=True)
            ]
        flat = y.reshape(-1)
        per_row = [_core.emit_reverse([flat[i]], [None], self.variables) for i in range(size)]
        return self.stacked(per_row, lambda s: y.shape + s)

    def columns(self, y):
        """The same by forward mode."""
        lanes = _core_lanes()
        sizes = [math.prod(s) for s in self.shapes]
        if not self.nested:
            n = sum(sizes)
            found = np.zeros((y.size, n))
            for start in range(0, n, lanes):
                m = min(lanes, n - start)
                seed = np.zeros((n, m))
                seed[np.arange(start, start + m), np.arange(m)] = 1.0
                (part,) = _core.sweep_forward([self.flat], [seed], [y], m)
                found[:, start : start + m] = part.reshape(-1, m)
            return [
                _number(np.reshape(part, y.shape + s))
                for part, s in zip(
                    np.split(found, np.cumsum(sizes)[:-1], axis=1), self.shapes, strict=True
                )
            ]
        out = []
        for k, (variable, size) in enumerate(zip(self.variables, sizes, strict=True)):
            found = []
            for j in range(size):
                seed = np.zeros(size)
                seed[j] = 1.0
                seeds = [np.zeros(s) for s in self.shapes]
                seeds[k] = seed.reshape(variable.shape)
                found.append(_core.emit_forward(self.variables, seeds, [y])[0])
            out.append(self.plain(_stack(found, y.shape, self.shapes[k])))
        return out

    def stacked(self, per_row, shape):
        """Rows of derivatives, one list per row, as one tensor per variable."""
        out = []
        for k, s in enumerate(self.shapes):
            whole = [row[k].reshape((1, *s)) for row in per_row]
            joined = _core.concatenate(whole, 0) if whole else np.zeros((0, *s))
            out.append(self.plain(_core.reshape(joined, shape(s))))
        return out

    # -- second derivatives --

    def curvature(self, y, memory=None):
        """(gradients, Hessian blocks[i][j]) of a scalar."""
        if not self.nested and not _core.has_calls(self.flat):
            lanes = _core_lanes()
            if memory is not None:
                slots = _core.tape_stats()["slots"]
                lanes = int(max(1, min(lanes, (memory / (8 * max(slots, 1)) - 1) // 2)))
            g, h = _core.dense_hessian(y, self.flat, lanes)
            return self.split(g), [
                self.split(row, axis=len(s))
                for row, s in zip(self.split(h), self.shapes, strict=True)
            ]
        g = _core.emit_reverse([y], [None], self.variables)
        # where eigenvalues are equal their second derivatives are known in forward mode only
        derivatives = self.columns if _core.has_kernels(self.flat) else self.rows
        blocks = []
        for part in g:
            if part.requires_grad:
                blocks.append(derivatives(part))
            else:
                blocks.append([_zeros(part.shape + s) for s in self.shapes])
        return [self.plain(part) for part in g], blocks

    def product(self, y, direction):
        """(gradients, Hessian times direction) of a scalar, one per variable each."""
        if not self.nested and not _core.has_calls(self.flat) and not any(map(_tracked, direction)):
            v = np.concatenate([np.reshape(d, -1) for d in direction])[:, None]
            g, hv = _core.sweep_second(y, self.flat, v)
            return self.split(g), self.split(hv[:, 0])
        g = _core.emit_reverse([y], [None], self.variables)
        tracked = [(part, d) for part, d in zip(g, direction, strict=True) if part.requires_grad]
        if not tracked:
            return [self.plain(p) for p in g], [_zeros(s) for s in self.shapes]
        if _core.has_kernels(self.flat):  # as above
            return [self.plain(p) for p in g], self.moved_along(g, direction)
        if not self.nested and not any(map(_tracked, direction)):
            found = _core.sweep_reverse(
                [p for p, _ in tracked],
                [np.reshape(d, (*p.shape, 1)) for p, d in tracked],
                self.variables,
            )
            return [self.plain(p) for p in g], [_number(h[..., 0]) for h in found]
        found = _core.emit_reverse([p for p, _ in tracked], [d for _, d in tracked], self.variables)
        return [self.plain(p) for p in g], [self.plain(h, direction) for h in found]

    def moved_along(self, parts, direction):
        """The tangents of some tensors when the variables move in a direction."""
        if not self.nested and not any(map(_tracked, direction)):
            v = np.concatenate([np.reshape(d, -1) for d in direction])[:, None]
            tracked = [p for p in parts if p.requires_grad]
            found = iter(_core.sweep_forward([self.flat], [v], tracked))
            return [
                _number(next(found)[..., 0]) if p.requires_grad else _zeros(p.shape) for p in parts
            ]
        found = _core.emit_forward(self.variables, list(direction), list(parts))
        return [self.plain(h, direction) for h in found]


def _at_level(c, tag):
    """(value, tangents) at the level of a tag; no tangents for what is constant there."""
    return (c.value, c.tangents) if type(c) is Dual and c.tag == tag else (c, ())


def _core_lanes():
    return 8


def _tracked(x):
    return type(x) is Dual or (type(x) is Tensor and x.requires_grad)


def _real(y):
    return (
        isinstance(y, float)
        or is_number(y)
        or (isinstance(y, (np.generic, np.ndarray)) and y.dtype.kind in "fiu")
    )


def _number(a):
    return float(a) if np.ndim(a) == 0 else a


def _zeros(shape):
    return np.zeros(shape) if shape else 0.0


def _stack(parts, out_shape, in_shape):
    """Columns, each of out_shape, as one tensor of out_shape + in_shape."""
    if not parts:
        return np.zeros(out_shape + in_shape)
    joined = _core.concatenate([p.reshape((*out_shape, 1)) for p in parts], len(out_shape))
    return _core.reshape(joined, out_shape + in_shape)


def stop_gradient(x):
    """The numbers in `x`, constants from here on, in the same container.

    Examples
    --------
    >>> import adcore
    >>> adcore.grad(lambda x: x * adcore.stop_gradient(x))(3.0)
    3.0
    """
    leaves, structure = flatten_values(x)
    bases = [_base(v) for v in leaves]
    return unflatten(
        structure, [_plain_base(b.detach()) if type(b) is Tensor else b for b in bases]
    )


def _check_callable(f, name):
    if not callable(f):
        raise TypeError(
            f"{name} takes a function, got a {type(f).__name__}; write {name}(f)(x), or "
            "adcore.autograd.grad(y, x) for derivatives of tensors"
        )


def _wraps(f, name):
    _check_callable(f, name)

    def decorate(g):
        g = functools.wraps(f, updated=())(g) if hasattr(f, "__name__") else g
        g.__name__ = f"{name}({_name(f)})"
        return g

    return decorate


# ---- reverse mode ----


def value_and_grad(f, argnums=0, has_aux=False):
    """A function that returns f's value and its gradient.

    Parameters
    ----------
    f : callable
        Returns one real number; with `has_aux` a pair (number, anything).
    argnums : int or tuple of int
        The positional arguments to differentiate with respect to.

    Returns
    -------
    callable
        Called as f, gives (value, gradient); the gradient has the structure and shapes of the
        argument, and is a tuple if `argnums` is one.  With `has_aux`: ((value, aux), gradient).

    Raises
    ------
    ShapeError
        If f returns anything but one real number.

    Examples
    --------
    >>> import adcore
    >>> adcore.value_and_grad(lambda x: x[0] * x[1])([2.0, 3.0])
    (6.0, [3.0, 2.0])

    References
    ----------
    Griewank and Walther, Evaluating Derivatives, 2nd ed., ch. 3.
    """
    argnums = _argnums(argnums)

    @_wraps(f, "value_and_grad")
    def value_and_grad_f(*args, **kwargs):
        r = _Recording(f, args, kwargs, argnums, has_aux)
        y = r.scalar("grad", f"jacobian({_name(f)})")
        g = r.tree(r.each(y, r.gradient))
        value = r.plain(y) if type(y) in (Tensor, Dual) else float(y)
        return ((value, r.plain_tree(r.aux)), g) if has_aux else (value, g)

    return value_and_grad_f


def grad(f, argnums=0, has_aux=False):
    """A function that returns the gradient of f; see value_and_grad().

    Examples
    --------
    >>> import adcore
    >>> adcore.grad(lambda x: x**3)(2.0)
    12.0
    >>> adcore.grad(adcore.grad(lambda x: x**3))(2.0)
    12.0
    """
    _check_callable(f, "grad")
    both = value_and_grad(f, argnums, has_aux)

    @_wraps(f, "grad")
    def grad_f(*args, **kwargs):
        value, g = both(*args, **kwargs)
        return (g, value[1]) if has_aux else g

    return grad_f


def elementwise_grad(f, argnums=0, has_aux=False):
    """The derivative of a function that acts on each element alone, for all elements at once.

    It is the gradient of the sum of f's results: each element's own derivative, if each result
    depends on the element in its place only.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> adcore.elementwise_grad(np.sin)(np.array([0.0, np.pi]))
    array([ 1., -1.])
    """
    argnums = _argnums(argnums)

    @_wraps(f, "elementwise_grad")
    def elementwise_grad_f(*args, **kwargs):
        r = _Recording(f, args, kwargs, argnums, has_aux)
        if not (type(r.output) in (Tensor, Dual) or _real(r.output)):
            raise NotDifferentiableError(
                f"elementwise_grad needs a number or an array from {_name(f)}, got a "
                f"{type(r.output).__name__}; use jacobian({_name(f)})"
            )
        return r.with_aux(r.tree(r.each(r.output, lambda y: r.pull(y, np.ones(y.shape)))))

    return elementwise_grad_f


def vjp(f, *primals, has_aux=False):
    """The value of f and the function that maps a cotangent of it to cotangents of the arguments.

    Parameters
    ----------
    f : callable
    *primals
        Its arguments; all are differentiated.

    Returns
    -------
    (value, function)
        ``function(ct)``, ct in the structure and shapes of the value, gives a tuple with one entry
        per argument, each in the argument's structure: ct times the Jacobian.  It may be called
        any number of times.  With `has_aux`: (value, function, aux).

    Examples
    --------
    >>> import adcore, numpy as np
    >>> y, back = adcore.vjp(np.sin, 0.0)
    >>> back(2.0)
    (2.0,)
    """
    r = _Recording(f, primals, {}, tuple(range(len(primals))), has_aux)
    outputs, structure = flatten_values(r.output)

    def pullback(ct):
        seeds = same_leaves("the cotangent", ct, len(outputs), [shape_of(y) for y in outputs])
        total = None
        for y, s in zip(outputs, seeds, strict=True):
            seed = s if _tracked(s) else np.asarray(s, dtype=np.float64)
            part = r.each_with(y, [seed], lambda t, seeds: r.pull(t, seeds[0]))
            if part is not None:
                total = part if total is None else [a + b for a, b in zip(total, part, strict=True)]
        if total is None:
            total = [_zeros(shape) for shape in r.shapes]
        return r.tree(total)

    value = unflatten(structure, [r.plain(y) for y in outputs])
    return (value, pullback, r.plain_tree(r.aux)) if has_aux else (value, pullback)


# ---- forward mode ----


def tangents_of(primals, tangents, transform):
    """(leaves, directions, structure) of primals and of tangents that go with them."""
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError(
            f"{transform} takes tuples: {transform}(f, (x,), (v,)), got "
            f"{type(primals).__name__} and {type(tangents).__name__}"
        )
    leaves, structure = flatten_values(tuple(primals))
    leaves = [_as_number(v, "a primal") for v in leaves]
    directions = same_leaves(
        "the tangent", tuple(tangents), len(leaves), [shape_of(v) for v in leaves]
    )
    directions = [_as_number(v, "a tangent") for v in directions]
    return leaves, directions, structure


def jvp(f, primals, tangents, has_aux=False):
    """The value of f and its derivative along a direction, by dual numbers: no tape, O(1) memory.

    Parameters
    ----------
    f : callable
    primals, tangents : tuple
        The arguments, and the direction in the same structure and shapes; not normalised.

    Returns
    -------
    (value, tangent)
        The tangent is the Jacobian times the direction, in the structure of the value.
        With `has_aux`: (value, tangent, aux).

    Examples
    --------
    >>> import adcore
    >>> adcore.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))
    (6.0, 3.0)

    References
    ----------
    Griewank and Walther, Evaluating Derivatives, 2nd ed., sec. 3.1.
    """
    leaves, directions, structure = tangents_of(primals, tangents, "jvp")
    tag = _core.new_tag()
    duals = [Dual(tag, x, (v,)) for x, v in zip(leaves, directions, strict=True)]
    out = f(*unflatten(structure, duals))
    aux = None
    if has_aux:
        out, aux = _pair(out, f)
        aux_leaves, aux_structure = flatten_values(aux)
        aux = unflatten(aux_structure, [_split_dual(v, tag)[0] for v in aux_leaves])
    outputs, out_structure = flatten_values(out)
    pairs = [_split_dual(y, tag) for y in outputs]
    value = unflatten(out_structure, [p[0] for p in pairs])
    tangent = unflatten(out_structure, [p[1] for p in pairs])
    return (value, tangent, aux) if has_aux else (value, tangent)


def _split_dual(y, tag):
    """(value, tangent) of an output at the level of a tag."""
    if type(y) is Dual and y.tag == tag:
        t = y.tangents[0]
        return y.value, _zeros(shape_of(y.value)) if t is None else t
    if type(y) is Tensor and not y.requires_grad:
        y = _plain_base(y)
    return y, _zeros(shape_of(y))


def linearize(f, *primals, has_aux=False):
    """The value of f and the function that maps a tangent of the arguments to the value's.

    f runs once; the linear map may then be applied any number of times.  With `has_aux`, f returns
    a pair (value, aux), and so does linearize: (value, function, aux).

    Examples
    --------
    >>> import adcore
    >>> y, push = adcore.linearize(lambda x: x**2, 3.0)
    >>> push(1.0), push(2.0)
    (6.0, 12.0)
    """
    r = _Recording(f, primals, {}, tuple(range(len(primals))), has_aux)
    outputs, structure = flatten_values(r.output)

    def pushforward(*tangents):
        seeds = same_leaves("the tangent", tuple(tangents), len(r.variables), r.shapes)

        def push(y, seeds):
            if r.nested or any(map(_tracked, seeds)):
                return [r.plain(_core.emit_forward(r.variables, list(seeds), [y])[0], seeds)]
            flat = np.concatenate([np.reshape(s, -1) for s in seeds])
            return [_number(_core.sweep_forward([r.flat], [flat[:, None]], [y])[0][..., 0])]

        pushed = [r.each_with(y, seeds, push) for y in outputs]
        return unflatten(
            structure,
            [
                _zeros(shape_of(y)) if p is None else p[0]
                for y, p in zip(outputs, pushed, strict=True)
            ],
        )

    value = unflatten(structure, [r.plain(y) for y in outputs])
    return (value, pushforward, r.plain_tree(r.aux)) if has_aux else (value, pushforward)


# ---- Jacobians ----


def _jacobian(f, argnums, has_aux, choose, name):
    argnums = _argnums(argnums)

    @_wraps(f, name)
    def jacobian_f(*args, **kwargs):
        r = _Recording(f, args, kwargs, argnums, has_aux)
        outputs, structure = flatten_values(r.output)
        blocks = []
        for y in outputs:
            if not (type(y) in (Tensor, Dual) or _real(y)):
                raise NotDifferentiableError(
                    f"{name} needs real numbers or arrays from {_name(f)}, got a {type(y).__name__}"
                )
            blocks.append(r.tree(r.each(y, lambda t: choose(r, t)(t), rows=True)))
        return r.with_aux(unflatten(structure, blocks))

    return jacobian_f


def jacrev(f, argnums=0, has_aux=False):
    """The Jacobian by reverse mode: one sweep for every eight outputs; see jacobian().

    Examples
    --------
    >>> import adcore, numpy as np
    >>> adcore.jacrev(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    return _jacobian(f, argnums, has_aux, lambda r, _: r.rows, "jacrev")


def jacfwd(f, argnums=0, has_aux=False):
    """The Jacobian by forward mode: one sweep for every eight inputs; see jacobian().

    Examples
    --------
    >>> import adcore, numpy as np
    >>> adcore.jacfwd(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    return _jacobian(f, argnums, has_aux, lambda r, _: r.columns, "jacfwd")


def jacobian(f, argnums=0, mode="auto", has_aux=False):
    """A function that returns the Jacobian of f.

    Parameters
    ----------
    f : callable
        Returns numbers, arrays, or containers of them.
    argnums : int or tuple of int
    mode : "auto", "fwd" or "rev"
        Forward mode costs by the number of inputs, reverse by that of outputs; "auto" takes the
        smaller, forward at equal shapes.
    has_aux : bool
        f returns a pair (value, aux), and so does the result: (Jacobian, aux).

    Returns
    -------
    callable
        Called as f.  For an array output of shape S and an array argument of shape T the result
        has shape S + T; containers nest, the output's outside.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> adcore.jacobian(lambda x: np.array([2.0, 3.0]) * x[0])(np.array([1.0, 1.0]))
    array([[2., 0.],
           [3., 0.]])
    """
    if mode not in ("auto", "fwd", "rev"):
        raise ValueError(f'mode must be "auto", "fwd" or "rev", got {mode!r}')

    def choose(r, y):
        forward = mode == "fwd" or (mode == "auto" and sum(v.size for v in r.variables) <= y.size)
        return r.columns if forward else r.rows

    return _jacobian(f, argnums, has_aux, choose, "jacobian")


# ---- Hessians ----


def value_grad_and_hessian(f, argnums=0, memory=None, has_aux=False):
    """A function that returns value, gradient and Hessian of f from one recording.

    See hessian() for the parameters and the shape.  With `has_aux`: ((value, aux), gradient,
    Hessian).

    Examples
    --------
    >>> import adcore, numpy as np
    >>> adcore.value_grad_and_hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    (2.0, array([4., 1.]), array([[4., 2.],
           [2., 0.]]))
    """
    argnums = _argnums(argnums)
    if memory is not None and not (is_number(memory) and memory >= 0):
        raise ValueError(f"memory is a number of bytes, or None for no limit, got {memory!r}")

    @_wraps(f, "value_grad_and_hessian")
    def value_grad_and_hessian_f(*args, **kwargs):
        r = _Recording(f, args, kwargs, argnums, has_aux)
        y = r.scalar("hessian", f"jacobian(jacobian({_name(f)}))")
        pairs = _curvature_under_duals(r, y, memory)
        gradients = r.tree([p[0] for p in pairs])
        blocks = r.tree([r.tree(p[1]) for p in pairs])
        value = r.plain(y) if type(y) in (Tensor, Dual) else float(y)
        return r.with_aux(value), gradients, blocks

    return value_grad_and_hessian_f


def _curvature_under_duals(r, y, memory):
    """For each variable (gradient, Hessian blocks), below the duals of y."""
    if type(y) is Dual:
        parts = [_curvature_under_duals(r, c, memory) for c in (y.value, *y.tangents)]

        def dual(values):
            return Dual(y.tag, values[0], tuple(values[1:]))

        return [
            (
                dual([p[i][0] for p in parts]),
                [dual([p[i][1][j] for p in parts]) for j in range(len(r.variables))],
            )
            for i in range(len(r.variables))
        ]
    if type(y) is Tensor and y.requires_grad:
        return list(zip(*r.curvature(y, memory), strict=True))
    if y is None:  # a zero tangent
        return [(None, [None] * len(r.shapes)) for _ in r.shapes]
    return [(_zeros(s), [_zeros(s + t) for t in r.shapes]) for s in r.shapes]


def hessian(f, argnums=0, memory=None, has_aux=False):
    """A function that returns the Hessian of f.

    f is recorded once; forward-over-reverse sweeps then give eight columns at a time.

    Parameters
    ----------
    f : callable
        Returns one real number.
    argnums : int or tuple of int
    memory : int, optional
        Bytes that the sweeps may take beside the tape; fewer columns at a time are then done.
    has_aux : bool
        f returns a pair (number, aux), and so does the result: (Hessian, aux).

    Returns
    -------
    callable
        Called as f.  For an array argument of shape S the result has shape S + S, float64 and
        symmetric to rounding; for containers it nests twice.

    Raises
    ------
    ShapeError
        If f returns anything but one real number.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> adcore.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])

    References
    ----------
    Griewank and Walther, Evaluating Derivatives, 2nd ed., ch. 5.
    """
    _check_callable(f, "hessian")
    everything = value_grad_and_hessian(f, argnums, memory, has_aux)

    @_wraps(f, "hessian")
    def hessian_f(*args, **kwargs):
        value, _, blocks = everything(*args, **kwargs)
        return (blocks, value[1]) if has_aux else blocks

    return hessian_f


def hvp(f, primals, tangents, has_aux=False):
    """The gradient of f and its Hessian times a direction, without the Hessian.

    Parameters
    ----------
    f : callable
        Returns one real number; all its arguments are differentiated.
    primals, tangents : tuple
        The arguments, and the direction in the same structure and shapes; not normalised.

    Returns
    -------
    (gradient, product)
        Each in the structure of the only argument, or a tuple for several.  With `has_aux`:
        (gradient, product, aux).

    Examples
    --------
    >>> import adcore, numpy as np
    >>> adcore.hvp(lambda x: x[0] ** 2 * x[1], (np.array([1.0, 2.0]),), (np.array([1.0, 0.0]),))
    (array([4., 1.]), array([4., 2.]))
    """
    _, directions, _ = tangents_of(primals, tangents, "hvp")
    r = _Recording(f, tuple(primals), {}, tuple(range(len(primals))), has_aux)
    y = r.scalar("hvp", f"jvp(jacobian({_name(f)}), ...)")

    if type(y) is Tensor and y.requires_grad and not any(type(d) is Dual for d in directions):
        found = r.product(y, directions)
    else:
        product = r.each_with(y, directions, lambda t, seeds: r.product(t, seeds)[1])
        found = r.each(y, r.gradient), product or [_zeros(shape) for shape in r.shapes]
    results = [r.tree(part) for part in found]
    found = tuple(t[0] if len(primals) == 1 else t for t in results)
    return (*found, r.plain_tree(r.aux)) if has_aux else found

"""One run of a function under a transform, and the derivatives of what it recorded."""

import functools
import math

import numpy as np

from . import _core
from ._core import Dual, Tensor, is_complex
from ._trees import FLOATS, flatten_values, is_number, is_tracked, shape_of, unflatten
from .errors import NotDifferentiableError, ShapeError


def name_of(f):
    return getattr(f, "__name__", type(f).__name__)


def as_number(leaf, what):
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


def base_of(leaf):
    """What lies below the duals of a leaf."""
    while type(leaf) is Dual:
        leaf = leaf.value
    return leaf


def plain_base(base):
    """The numbers of a base, as a float or an array."""
    if type(base) is Tensor:
        base = base.detach()
        return base.item() if base.ndim == 0 else base.numpy()
    return base


def pair(output, f):
    """What a function returned, checked to be a value and something beside."""
    if type(output) is not tuple or len(output) != 2:
        got = f"a tuple of {len(output)}" if type(output) is tuple else type(output).__name__
        raise TypeError(f"has_aux=True needs {name_of(f)} to return a pair (value, aux), got {got}")
    return output


def _rebased(leaf, base):
    """The leaf with another bottom: its duals stay on top."""
    if type(leaf) is Dual:
        return Dual(leaf.tag, _rebased(leaf.value, base), leaf.tangents)
    return base


class Recording:
    """One run of a function: its variables, its output, and whether others depend on it.

    `variables` are the tensors to differentiate with respect to, one per leaf of the chosen
    arguments; `flat` is all of them as one vector if they are numbers.  `curved`: more than first
    derivatives are wanted.
    """

    def __init__(self, f, args, kwargs, argnums, has_aux=False, curved=False):
        self.f, self.has_aux = f, has_aux
        chosen = (argnums,) if isinstance(argnums, int) else argnums
        for i in chosen:
            if not -len(args) <= i < len(args):
                raise TypeError(
                    f"argnums={argnums} asks for argument {i} of {name_of(f)}, which was called "
                    f"with {len(args)} positional arguments; pass what is differentiated by "
                    "position"
                )
        chosen = tuple([i % len(args) for i in chosen])
        if len(chosen) > 1 and len(set(chosen)) < len(chosen):
            raise ValueError(
                f"argnums={argnums} names an argument of {name_of(f)} twice, which was called with "
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
                    f"the arguments {argnums} of {name_of(f)} hold no numbers to "
                    "differentiate with respect to"
                )
            given = self.lift([as_number(v, f"an argument of {name_of(f)}") for v in leaves])
        given = unflatten(self.structure, given)
        full = list(args)
        for i, value in zip(chosen, (given,) if isinstance(argnums, int) else given, strict=True):
            full[i] = value
        was = _core.set_recording(True)
        rows = _core.set_rows(curved or self.tracked or _core.is_recording_rows())
        try:
            self.output = f(*full, **kwargs)
        finally:
            _core.set_recording(was)
            _core.set_rows(rows)
        self.aux = None
        if has_aux:
            self.output, self.aux = pair(self.output, f)
        self.nested = self.recording and (self.tracked or _core.reads_outside(self.flat))

    def lift(self, leaves):
        """Make the variables, and return them under the duals of the leaves."""
        bases = [base_of(v) for v in leaves]
        self.tracked = self.recording and any(type(b) is Tensor and b.requires_grad for b in bases)
        if not self.tracked:
            self.flat, self.variables = _core.lift([plain_base(b) for b in bases])
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
        nested = self.nested or any(map(is_tracked, directions))
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
        if is_complex(y):
            raise NotDifferentiableError(
                f"{transform} needs a function with one real output, but {name_of(self.f)} "
                "returned a complex one. Return a real number such as abs(y) ** 2 or y.real, or "
                "pass holomorphic=True if the function is holomorphic."
            )
        known = type(y) in (Tensor, Dual) or is_real(y)
        if not known or shape_of(y) != ():
            shape = (
                f"shape {shape_of(y)}"
                if type(y) in (Tensor, Dual, np.ndarray)
                else f"a {type(y).__name__}"
            )
            raise ShapeError(
                f"{transform} needs a function with one real output, but {name_of(self.f)} "
                f"returned {shape}. Use {instead}, or return a scalar such as y.sum()."
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
        return [zeros(shape_of(y) + s if rows else s) for s in self.shapes]

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
                t[lane] if t and t[lane] is not None else zeros(shape_of(v))
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
        if not self.nested and not is_tracked(seed):
            found = _core.sweep_reverse([y], [np.reshape(seed, (*y.shape, 1))], self.variables)
            return [number(g[..., 0]) for g in found]
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
            return [number(a.reshape(y.shape + s)) for a, s in zip(found, self.shapes, strict=True)]
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
                number(np.reshape(part, y.shape + s))
                for part, s in zip(
                    np.split(found, np.cumsum(sizes)[:-1], axis=1), self.shapes, strict=True
                )
            ]
        if _core.has_zero_norms(self.variables):  # reverse emission knows what comes after them
            return self.rows(y)
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
        if not self.nested and not _core.needs_emission(self.flat):
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
        derivatives = self.columns if self.has_kernels() else self.rows
        blocks = []
        for part in g:
            if part.requires_grad:
                blocks.append(derivatives(part))
            else:
                blocks.append([zeros(part.shape + s) for s in self.shapes])
        return [self.plain(part) for part in g], blocks

    def product(self, y, direction):
        """(gradients, Hessian times direction) of a scalar, one per variable each."""
        if (
            not self.nested
            and not _core.needs_emission(self.flat)
            and not any(map(is_tracked, direction))
        ):
            v = np.concatenate([np.reshape(d, -1) for d in direction])[:, None]
            g, hv = _core.sweep_second(y, self.flat, v)
            return self.split(g), self.split(hv[:, 0])
        g = _core.emit_reverse([y], [None], self.variables)
        tracked = [(part, d) for part, d in zip(g, direction, strict=True) if part.requires_grad]
        if not tracked:
            return [self.plain(p) for p in g], [zeros(s) for s in self.shapes]
        if self.has_kernels():  # as above
            return [self.plain(p) for p in g], self.moved_along(g, direction)
        if not self.nested and not any(map(is_tracked, direction)):
            found = _core.sweep_reverse(
                [p for p, _ in tracked],
                [np.reshape(d, (*p.shape, 1)) for p, d in tracked],
                self.variables,
            )
            return [self.plain(p) for p in g], [number(h[..., 0]) for h in found]
        found = _core.emit_reverse([p for p, _ in tracked], [d for _, d in tracked], self.variables)
        return [self.plain(p) for p in g], [self.plain(h, direction) for h in found]

    def has_kernels(self):
        """Whether there is linear algebra.

        Variables without one vector of them are themselves derived from others: what is of third
        order then does not exist where the way would matter.
        """
        return self.flat is not None and _core.has_kernels(self.flat)

    def moved_along(self, parts, direction):
        """The tangents of some tensors when the variables move in a direction."""
        if not self.nested and not any(map(is_tracked, direction)):
            v = np.concatenate([np.reshape(d, -1) for d in direction])[:, None]
            tracked = [p for p in parts if p.requires_grad]
            found = iter(_core.sweep_forward([self.flat], [v], tracked))
            return [
                number(next(found)[..., 0]) if p.requires_grad else zeros(p.shape) for p in parts
            ]
        found = _core.emit_forward(self.variables, list(direction), list(parts))
        return [self.plain(h, direction) for h in found]


def _at_level(c, tag):
    """(value, tangents) at the level of a tag; no tangents for what is constant there."""
    return (c.value, c.tangents) if type(c) is Dual and c.tag == tag else (c, ())


def _core_lanes():
    return 8


def is_real(y):
    return (
        isinstance(y, float)
        or is_number(y)
        or (isinstance(y, (np.generic, np.ndarray)) and y.dtype.kind in "fiu")
    )


def number(a):
    return float(a) if np.ndim(a) == 0 else a


def zeros(shape):
    return np.zeros(shape) if shape else 0.0


def _stack(parts, out_shape, in_shape):
    """Columns, each of out_shape, as one tensor of out_shape + in_shape."""
    if not parts:
        return np.zeros(out_shape + in_shape)
    joined = _core.concatenate([p.reshape((*out_shape, 1)) for p in parts], len(out_shape))
    return _core.reshape(joined, out_shape + in_shape)

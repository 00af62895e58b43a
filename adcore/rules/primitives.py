"""The few operations that array functions are made of, on arrays, Tensors and Duals alike.

Elementwise functions are in adcore.ops, and indexing is x[key].  Everything that an array function
does to a tensor goes through one of these, so that its derivatives of every order and in both
modes follow.  On a Dual, a linear operation is applied to the value and to each tangent.
"""

import numpy as np

from .. import _core
from ..errors import ShapeError
from .table import Dual, Tensor, is_traced


def shape_of(x):
    """The shape of anything array-like."""
    return x.shape if hasattr(x, "shape") else np.shape(x)


def as_array(x):
    """`x` as something with a shape: tensors as they are, lists of tensors joined."""
    if type(x) is Tensor or type(x) is Dual or type(x) is np.ndarray:
        return x
    if isinstance(x, (list, tuple)) and is_traced(x):
        return stack_nested(x)
    return np.asarray(_core.refuse_subclass(x) if isinstance(x, np.ndarray) else x)


def as_vector(name, x):
    """A number or a vector as a vector; a ShapeError says that `name` takes no more."""
    x = as_array(x)
    if x.ndim == 0:
        return reshape(x, (1,))
    if x.ndim > 1:
        raise ShapeError(f"{name} takes vectors, got shape {x.shape}")
    return x


# ---- linear operations ----

axis_of = _core.axis_of  # axis_of(axis, ndim)
axes_of = _core.axes_of  # axes_of(axis, ndim)
reshape = _core.reshape  # reshape(x, shape)
transpose = _core.transpose  # transpose(x, axes)
broadcast_to = _core.broadcast_to  # broadcast_to(x, shape)
diagonal = _core.diagonal  # diagonal(x, offset, axis1, axis2), axes not negative
values = _core.values


def below(x):
    """What is below duals: the numbers; while a program is recorded, a tensor of them."""
    if not _core.is_compiling():
        return values(x)
    while type(x) is Dual:
        x = x.value
    return x


def sum_axes(x, axes, keepdims=False):
    """The sum of `x` over the tuple `axes`, none negative; None is all."""
    if type(x) is Tensor:
        return _core.sum_axes(x, axes, keepdims)
    if type(x) is Dual:
        return _core.map_dual(x, lambda part: sum_axes(part, axes, keepdims))
    return np.sum(x, axis=axes, keepdims=keepdims)


def summed_to(x, shape):
    """The transpose of broadcasting: `x` summed to `shape`."""
    have = shape_of(x)
    if have == shape:
        return x
    new = len(have) - len(shape)
    axes = [i for i, n in enumerate(have) if i < new or n != shape[i - new]]
    return reshape(sum_axes(x, tuple(axes)), shape)


def cumsum_last(x):
    """Running sums along the last dimension."""
    if type(x) is Tensor:
        return _core.cumsum_last(x)
    if type(x) is Dual:
        return _core.map_dual(x, cumsum_last)
    return np.cumsum(x, axis=-1)


_CUMPROD = _core.kernel_extra(_core.KERNELS["cumprod"][0])


def cumprod_last(x):
    """Running products along the last dimension."""
    if type(x) is Tensor:
        return _core.record_kernel(_CUMPROD, 0.0, [x])
    if type(x) is Dual:
        from .sequences import cumprod  # when first needed

        return cumprod(x)
    return np.cumprod(x, axis=-1)


def outermost(parts):
    """The greatest tag of the Duals among `parts`; None if there is no Dual."""
    return max([p.tag for p in parts if type(p) is Dual], default=None)


def linear_in_all(function, parts):
    """`function` of a list, linear in all of it together, on Duals among the `parts`."""
    tag = outermost(parts)
    rows = [p.tangents if type(p) is Dual and p.tag == tag else None for p in parts]
    value = function([p if row is None else p.value for p, row in zip(parts, rows, strict=True)])
    n = max([len(row) for row in rows if row is not None])
    tangents = []
    for lane in range(n):
        moves = [None if row is None else row[lane] for row in rows]
        if all(m is None for m in moves):
            tangents.append(None)
            continue
        moves = [zeros(p) if m is None else m for p, m in zip(parts, moves, strict=True)]
        tangents.append(function(moves))
    return Dual(tag, value, tuple(tangents))


def zeros(x):
    """Zeros in the shape of `x`, a float or an array."""
    shape = shape_of(x)
    return np.zeros(shape) if shape else 0.0


def concatenate(parts, axis):
    """Arrays joined along `axis`, not negative, in which alone their shapes differ."""
    for part in parts:
        if type(part) is Dual:
            return linear_in_all(lambda some: concatenate(some, axis), parts)
    for part in parts:
        if type(part) is Tensor:
            return _core.concatenate(parts, axis)
    return np.concatenate(parts, axis)


def gather(items, shape):
    """Scalars, in C order, as one array of the given shape."""
    for item in items:
        if type(item) is Dual:
            return linear_in_all(lambda some: gather(some, shape), items)
    for item in items:
        if type(item) is Tensor:
            return _core.gather(items, shape)
    return np.reshape(items, shape)


def stack_nested(data):
    """Nested lists and tuples of numbers, arrays, tensors and duals as one array.

    Examples
    --------
    >>> adcore.grad(lambda x: adcore.stack_nested([[x, x**2], [1.0, 0.0]])[0, 1])(3.0)
    6.0
    """
    joined = _core.join(data, "stack")
    if joined is not NotImplemented:
        return joined
    leaves = []
    shape = _flatten(data, leaves)
    if shape is not None:
        return gather([plain_scalar(x) for x in leaves], shape)
    parts = [as_array(item) for item in data]
    inner = common_shape("a nested list", parts)
    return concatenate([reshape(part, (1, *inner)) for part in parts], 0)


def common_shape(name, items):
    """The one shape that all items have."""
    shapes = {shape_of(item) for item in items}
    if len(shapes) > 1:
        raise ShapeError(f"{name} needs elements of one shape, got {sorted(shapes)}")
    return shapes.pop() if shapes else ()


def plain_scalar(x):
    """A scalar as a Tensor, a Dual or a float."""
    return x if type(x) is Tensor or type(x) is Dual else float(x)


def _flatten(data, leaves):
    """Append the scalars of nested lists to `leaves`; the shape of the nesting, None if uneven."""
    if not isinstance(data, (list, tuple)):
        leaves.append(data)
        return () if shape_of(data) == () else None
    shapes = {_flatten(item, leaves) for item in data}
    if len(shapes) > 1 or None in shapes:
        return None
    return (len(data), *(shapes.pop() if shapes else ()))


# ---- products, extrema ----


def matmul(a, b):
    """The matrix product of operands of one dimension or more."""
    if type(a) is Dual or type(b) is Dual:
        return _matmul_dual(a, b)
    if type(a) is Tensor or type(b) is Tensor:
        return _core.matmul(a, b)
    return np.matmul(a, b)


def _matmul_dual(a, b):
    tag = outermost([a, b])
    a_value, a_tangents = _split(a, tag)
    b_value, b_tangents = _split(b, tag)
    tangents = []
    for lane in range(max(len(a_tangents), len(b_tangents))):
        terms = []
        if a_tangents and a_tangents[lane] is not None:
            terms.append(matmul(a_tangents[lane], b_value))
        if b_tangents and b_tangents[lane] is not None:
            terms.append(matmul(a_value, b_tangents[lane]))
        tangents.append(terms[0] + terms[1] if len(terms) == 2 else terms[0] if terms else None)
    return Dual(tag, matmul(a_value, b_value), tuple(tangents))


def _split(x, tag):
    if type(x) is Dual and x.tag == tag:
        return x.value, x.tangents
    return x, ()


def extremum_last(x, least=False):
    """The maximum, or the minimum, over the last dimension; ties share the derivative evenly."""
    if type(x) is Tensor:
        return _core.extremum_last(x, least)
    if type(x) is Dual:
        numbers = below(x)
        best = np.min(numbers, -1, keepdims=True) if least else np.max(numbers, -1, keepdims=True)
        weights = (numbers == best) | np.isnan(numbers)
        weights = weights / np.sum(weights, axis=-1, keepdims=True)
        last = (numbers.ndim - 1,)
        tangents = [
            None if t is None else sum_axes(_core.apply("gate", weights, t), last)
            for t in x.tangents
        ]
        return Dual(x.tag, extremum_last(x.value, least), tuple(tangents))
    return np.min(x, axis=-1) if least else np.max(x, axis=-1)


def norm_last(x):
    """The Euclidean norm over the last dimension: derivative 0 at zero, its square smooth."""
    if type(x) is Tensor:
        return _core.norm_last(x)
    if type(x) is Dual:
        last = (len(x.shape) - 1,)
        size = norm_last(x.value)
        unit = _core.apply("div0", x.value, reshape(size, (*shape_of(size), 1)))
        tangents = [
            None if t is None else sum_axes(_core.apply("flow", t, unit), last) for t in x.tangents
        ]
        if type(x.value) is Tensor and not _core.is_compiling():
            moves = [None if t is None else np.any(below(t) != 0, axis=-1) for t in x.tangents]
            tangents = [_core.unsure(r, [m], size) for r, m in zip(tangents, moves, strict=True)]
        return _core.norm_dual(Dual(x.tag, size, tuple(tangents)), sum_axes(x * x, last))
    return np.sqrt(np.sum(x * x, axis=-1))


_core.add_methods({"stack_nested": stack_nested})

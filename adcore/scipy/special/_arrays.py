"""Functions of whole arrays: logsumexp, softmax, log_softmax."""

import numpy as np

from ... import _core, ops
from ...rules import functions as array_functions
from ...rules.choices import where
from ...rules.primitives import as_array, axes_of, reshape, shape_of, sum_axes
from ._function import composed


def _largest(a, axes):
    """The largest elements along the axes, kept, which count as constants."""
    fixed = _core.apply("stop", a)
    return array_functions["max"](fixed, axis=axes, keepdims=True), fixed


def _finite(top):
    return where(ops.abs(top) < np.inf, top, 0.0)


@composed("logsumexp")
def logsumexp(a, axis=None, b=None, keepdims=False, return_sign=False):
    """scipy.special.logsumexp, also of tensors.

    The largest terms are counted apart, so that the logarithm keeps the digits of the others.
    """
    a = as_array(a)
    if b is not None:
        b = as_array(b)
        shape = np.broadcast_shapes(shape_of(a), shape_of(b))
        a, b = (array_functions["broadcast_to"](v, shape) for v in (a, b))
        a = where(b == 0.0, -np.inf, a)
    axes = axes_of(axis, len(shape_of(a)))
    top, fixed = _largest(a, axes)
    largest = _core.apply("equal", fixed, top)
    top = _finite(top)
    sign = None
    if b is None:
        count = sum_axes(largest, axes, True)
        rest = _core.apply("where", largest, ops.expm1(a - top), ops.exp(a - top))
        rest = sum_axes(rest, axes, True)
        found = count > 0.0
        some = where(found, count, 1.0)
        out = where(found, ops.log(some) + ops.log1p(rest / some), ops.log(where(found, 1.0, rest)))
        out = out + top
        if return_sign:
            sign = where(out > -np.inf, 1.0, 0.0)
    else:
        total = sum_axes(b * ops.exp(a - top), axes, True)
        if return_sign:
            sign = ops.sign(total)
            total = ops.abs(total)
        out = ops.log(total) + top
    if not keepdims:
        kept = tuple(n for i, n in enumerate(shape_of(out)) if i not in axes)
        out, sign = (None if v is None else reshape(v, kept) for v in (out, sign))
    return (out, sign) if return_sign else out


@composed("log_softmax")
def log_softmax(x, axis=None):
    """scipy.special.log_softmax, also of tensors."""
    x = as_array(x)
    axes = axes_of(axis, len(shape_of(x)))
    moved = x - _finite(_largest(x, axes)[0])
    return moved - ops.log(sum_axes(ops.exp(moved), axes, True))


@composed("softmax")
def softmax(x, axis=None):
    """scipy.special.softmax, also of tensors."""
    return ops.exp(log_softmax(x, axis))

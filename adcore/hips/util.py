"""What of autograd.util others use."""

import warnings

from .test_util import check_grads

__all__ = ["func", "quick_grad_check", "subval", "subvals"]


def subvals(x, ivs):
    """A tuple of x's items, with v in place of number i for each (i, v)."""
    items = list(x)
    for i, v in ivs:
        items[i] = v
    return tuple(items)


def subval(x, i, v):
    """The same for one item."""
    return subvals(x, [(i, v)])


def func(f):
    """The function itself, as a method taken from its class is."""
    return f


def quick_grad_check(
    fun,
    arg0,
    extra_args=(),
    kwargs=None,
    verbose=True,
    eps=1e-4,
    rtol=1e-4,
    atol=1e-6,
    rs=None,
):
    """Compare the gradient in the first argument with differences: autograd's old check_grads.

    Only `fun`, `arg0`, `extra_args` and `kwargs` make a difference, as in autograd.
    """
    del verbose, eps, rtol, atol, rs
    warnings.warn(
        "quick_grad_check is deprecated; write check_grads(fun, modes=['rev'], order=1)(x)",
        DeprecationWarning,
        stacklevel=2,
    )
    check_grads(lambda x: fun(x, *extra_args, **(kwargs or {})), modes=["rev"], order=1)(arg0)

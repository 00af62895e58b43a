"""autograd.misc: flattening, optimizers, fixed points."""

import functools

from ...compile import compile
from .flatten import flatten

__all__ = ["const_graph", "flatten"]


def const_graph(fun, *args, **kwargs):
    """A function fun(*args, x, **kwargs) of the rest of the arguments, recorded once: compile().

    Where autograd repeats the operations of the first call whatever the arguments are, it is
    recorded again where it takes another way.
    """
    return compile(functools.partial(fun, *args, **kwargs))

"""autograd.misc: flattening, optimizers, fixed points."""

from .flatten import flatten

__all__ = ["const_graph", "flatten"]


def const_graph(fun, *args, **kwargs):
    """A function fun(*args, x, **kwargs) of the rest of the arguments.

    In autograd it repeats the operations of its first call; here they are carried out anew.
    """

    def rest(*more):
        return fun(*args, *more, **kwargs)

    return rest

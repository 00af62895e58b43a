"""Derivatives of functions of tensors, as torch.autograd.functional spells them.

Each takes a function of tensors and its inputs, a tensor or a tuple of them, and returns tensors.
They are constants, unless create_graph is true: then they depend on the inputs, and on what else
the function uses.  `strict`, `vectorize` and the strategies are accepted and have no effect: what
is independent has derivative zero, and the cheaper mode is chosen.
"""

import numpy as np

from .. import _core, transforms
from .._core import Tensor
from .._trees import flatten, unflatten
from ..errors import ShapeError


class _Call:
    """A function and its inputs, as the transforms want them."""

    def __init__(self, func, inputs, create_graph):
        self.single = type(inputs) is Tensor
        self.func = func
        self.inputs = (inputs,) if self.single else tuple(inputs)
        for i, x in enumerate(self.inputs):
            if type(x) is not Tensor:
                raise TypeError(
                    f"inputs must be a tensor or a tuple of tensors, got a {type(x).__name__} in "
                    f"place {i}; make it one with adcore.tensor(...)"
                )
        self.create_graph = create_graph
        self.given = self.inputs if create_graph else tuple(x.detach() for x in self.inputs)
        self.everything = tuple(range(len(self.inputs)))
        self.output = None

    def __call__(self, *inputs):
        """The function; its output is remembered."""
        self.output = self.func(*inputs)
        return self.output

    def scalar(self, *inputs):
        """The function, whose output must be one number."""
        output = self(*inputs)
        if type(output) is not Tensor or output.size != 1:
            shape = output.shape if type(output) is Tensor else f"of a {type(output).__name__}"
            raise ShapeError(
                f"the function must return a tensor of one element, got shape {shape}; use "
                "jacobian, or return a scalar such as y.sum()"
            )
        return output.reshape(())

    def directions(self, v, like, what):
        """A tuple of seeds, one per tensor of `like`."""
        if v is None:
            if len(like) != 1 or like[0].size != 1:
                raise ShapeError(
                    f"v may only be left out for a single {what} of one element; pass a tensor in "
                    f"the shape of each {what}"
                )
            return (np.ones(like[0].shape) if like[0].ndim else 1.0,)
        v = (v,) if not isinstance(v, (tuple, list)) else tuple(v)
        shapes = [np.shape(d.detach().numpy() if type(d) is Tensor else d) for d in v]
        if shapes != [x.shape for x in like]:
            raise ShapeError(
                f"v has shapes {shapes}, the {what}s have {[x.shape for x in like]}; they must be "
                "the same"
            )
        return tuple(d if self.create_graph or type(d) is not Tensor else d.detach() for d in v)

    def result(self, tree):
        """A tree of derivatives with tensors for its leaves, constants unless create_graph."""
        leaves, structure = flatten(tree)
        leaves = [x if type(x) is Tensor else _core.tensor(x) for x in leaves]
        if not self.create_graph:
            leaves = [x.detach() for x in leaves]
        return unflatten(structure, leaves)

    def per_input(self, found):
        """One result per input, alone if the input was."""
        return self.result(found[0] if self.single else tuple(found))


def jacobian(
    func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"
):
    """The Jacobian: a tensor of the output's shape followed by the input's.

    A tuple per output of a tuple per input, where they are tuples.

    Examples
    --------
    >>> import adcore
    >>> x = adcore.tensor([1.0, 2.0])
    >>> adcore.autograd.functional.jacobian(lambda x: x * x, x)
    tensor([[2., 0.],
            [0., 4.]])
    """
    del strict, vectorize, strategy
    call = _Call(func, inputs, create_graph)
    argnums = 0 if call.single else call.everything
    return call.result(transforms.jacobian(call, argnums)(*call.given))


def hessian(
    func,
    inputs,
    create_graph=False,
    strict=False,
    vectorize=False,
    outer_jacobian_strategy="reverse-mode",
):
    """The Hessian of a function with one real output: a tensor of the input's shape twice.

    A tuple of tuples where inputs are a tuple.

    Examples
    --------
    >>> import adcore
    >>> x = adcore.tensor([1.0, 2.0])
    >>> adcore.autograd.functional.hessian(lambda x: x[0] ** 2 * x[1], x)
    tensor([[4., 2.],
            [2., 0.]])
    """
    del strict, vectorize, outer_jacobian_strategy
    call = _Call(func, inputs, create_graph)
    argnums = 0 if call.single else call.everything
    return call.result(transforms.hessian(call.scalar, argnums)(*call.given))


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """(output, v times the Jacobian), v in the shape of the output.

    Examples
    --------
    >>> import adcore
    >>> x = adcore.tensor([1.0, 2.0])
    >>> adcore.autograd.functional.vjp(lambda x: x * x, x, adcore.tensor([1.0, 1.0]))
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    del strict
    call = _Call(func, inputs, create_graph)
    _, pullback = transforms.vjp(call, *call.given)
    outputs, structure = flatten(call.output)
    ct = unflatten(structure, call.directions(v, outputs, "output"))
    return call.result(call.output), call.per_input(pullback(ct))


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """(output, the Jacobian times v), v in the shape of the inputs.

    Examples
    --------
    >>> import adcore
    >>> x = adcore.tensor([1.0, 2.0])
    >>> adcore.autograd.functional.jvp(lambda x: x * x, x, adcore.tensor([1.0, 1.0]))
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    del strict
    call = _Call(func, inputs, create_graph)
    directions = call.directions(v, call.inputs, "input")
    _, pushforward = transforms.linearize(call, *call.given)
    return call.result(call.output), call.result(pushforward(*directions))


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """(output, the Hessian times v) of a function with one real output, without the Hessian.

    Examples
    --------
    >>> import adcore
    >>> x = adcore.tensor([1.0, 2.0])
    >>> adcore.autograd.functional.hvp(lambda x: (x**3).sum(), x, adcore.tensor([1.0, 1.0]))
    (tensor(9.), tensor([ 6., 12.]))
    """
    del strict
    call = _Call(func, inputs, create_graph)
    directions = call.directions(v, call.inputs, "input")
    _, found = transforms.hvp(call.scalar, call.given, directions)
    return call.result(call.output), call.per_input([found] if len(directions) == 1 else found)


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """(output, v times the Hessian): as hvp(), since Hessians are symmetric.

    Examples
    --------
    >>> import adcore
    >>> x, v = adcore.tensor([1.0, 2.0]), adcore.tensor([1.0, 0.0])
    >>> adcore.autograd.functional.vhp(lambda x: (x**3).sum(), x, v)[1]
    tensor([6., 0.])
    """
    return hvp(func, inputs, v, create_graph, strict)

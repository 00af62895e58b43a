"""autograd.Function: a function with a backward rule of its own, as torch spells it."""

import functools

import numpy as np

from .. import _core
from .._calls import call
from .._core import Dual, Tensor
from .._trees import flatten
from ..errors import NotDifferentiableError, ShapeError


class Context:
    """What forward and backward share: ``ctx``.

    Attributes
    ----------
    saved_tensors : tuple
        What save_for_backward() was given.
    needs_input_grad : tuple of bool
        For each argument of forward, whether its gradient is asked for.

    Examples
    --------
    >>> import adcore
    >>> class Scale(adcore.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x, factor):
    ...         ctx.factor = factor
    ...         return x * factor
    ...
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         return grad * ctx.factor, None
    >>> adcore.grad(lambda x: Scale.apply(x, 5.0))(2.0)
    5.0
    """

    def __init__(self):
        self._saved = ()
        self._materialize = True
        self._without_gradient = ()
        self.needs_input_grad = ()

    def save_for_backward(self, *tensors):
        """Keep tensors for backward; inputs and outputs stay differentiable there."""
        self._saved = tensors

    @property
    def saved_tensors(self):
        """What save_for_backward() was given, a tuple."""
        return self._saved

    def mark_non_differentiable(self, *outputs):
        """Make these outputs constants."""
        self._without_gradient = outputs

    def set_materialize_grads(self, value):
        """Whether backward gets zeros (True) or None for outputs that nothing depends on."""
        self._materialize = bool(value)

    def mark_dirty(self, *tensors):
        """Refused: forward may not change its arguments in place."""
        del tensors
        raise NotDifferentiableError(
            "mark_dirty: a Function that changes its arguments in place is not supported; return "
            "new tensors instead"
        )


class Function:
    """A function with a backward rule.

    Write a subclass with static methods ``forward(ctx, *args)`` and ``backward(ctx, *grads)``, or
    ``forward(*args)`` and ``setup_context(ctx, inputs, output)``, and use it by ``apply(*args)``.
    backward gets a gradient per output and returns one per argument, None for zero.  A static
    method ``jvp(ctx, *tangents)`` is used in forward mode if there is one; otherwise backward is
    transposed.

    forward is run on constants.  To differentiate backward, it is run again on tracked tensors, so
    that what it leaves in ctx depends on them; backward must then be written with adcore's or
    NumPy's functions.

    Examples
    --------
    >>> import adcore
    >>> class Square(adcore.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x
    ...
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         (x,) = ctx.saved_tensors
    ...         return 2.0 * x * grad
    >>> x = adcore.tensor(3.0, requires_grad=True)
    >>> adcore.autograd.grad(Square.apply(x), x)
    (tensor(6.),)
    """

    @staticmethod
    def forward(*args):
        """Compute the output."""
        raise NotImplementedError("a Function needs a static method forward(ctx, *args)")

    @classmethod
    def apply(cls, *args):
        """The output of forward, differentiable by backward."""
        places = [i for i, a in enumerate(args) if type(a) in (Tensor, Dual)]
        definition = _FunctionDefinition(cls, args, places)
        output = call(definition, [args[i] for i in places])
        if not definition.constants:
            return output
        parts = flatten(output)[0]
        parts = [y.detach() if i in definition.constants else y for i, y in enumerate(parts)]
        return type(output)(parts) if isinstance(output, (tuple, list)) else parts[0]


class _FunctionDefinition:
    """One application; its leaves are the tensors among the arguments."""

    def __init__(self, function, args, places):
        self.function, self.places = function, places
        self.others = [None if i in places else a for i, a in enumerate(args)]
        tracked = [type(a) is Dual or (type(a) is Tensor and a.requires_grad) for a in args]
        self.needs_input_grad = tuple(tracked)
        self.name = function.__name__
        self.remedy = f"write a static method {self.name}.backward(ctx, *grads)"
        self.constants = ()
        if not hasattr(function, "backward"):
            self.pull = None
        if not hasattr(function, "jvp"):
            self.push = None

    def rule(self, mode):
        method = "jvp" if mode == "forward" and self.push else "backward"
        return f"{self.name}.{method}, or what forward saves for it,"

    # -- forward --

    def forward(self, leaves):
        """(output, ctx, inputs) of the user's forward."""
        args = list(self.others)
        for i, leaf in zip(self.places, leaves, strict=True):
            args[i] = leaf if type(leaf) is Dual else _tensor(leaf)
        ctx = Context()
        ctx.needs_input_grad = self.needs_input_grad
        if hasattr(self.function, "setup_context"):
            output = self.function.forward(*args)
            self.function.setup_context(ctx, tuple(args), output)
        else:
            output = self.function.forward(ctx, *args)
        return output, ctx, args

    def value(self, leaves):
        output, _, _ = self.forward(leaves)
        return _each(_tensor, output)

    def run(self, leaves):
        was = _core.set_recording(False)
        try:
            output, ctx, _ = self.forward(leaves)
        finally:
            _core.set_recording(was)
        parts = _outputs(self.name, output)
        marked = ctx._without_gradient
        self.constants = [i for i, y in enumerate(parts) if any(y is m for m in marked)]
        return output, ctx

    def context(self, leaves, output, saved):
        """Ctx for the rules: from the numbers, or from forward run again on tensors."""
        if saved is not None:
            return saved
        again, ctx, args = self.forward(leaves)
        known = [(a, a) for a in args if type(a) in (Tensor, Dual)]
        known += zip(_outputs(self.name, again), flatten(output)[0], strict=True)
        tensors = []
        for t in ctx.saved_tensors:
            same = [stands_for for x, stands_for in known if x is t]
            if same:
                t = same[-1]
            elif type(t) is Tensor and not t.requires_grad:
                raise NotDifferentiableError(
                    f"{self.name}.forward saved a tensor of shape {t.shape} that is neither an "
                    "input nor an output nor computed from them by adcore, so its derivative would "
                    "be lost; save inputs and outputs, and constants as attributes of ctx"
                )
            tensors.append(t)
        ctx._saved = tuple(tensors)
        return ctx

    # -- rules --

    def pull(self, leaves, output, saved, ct, wanted):
        ctx = self.context(leaves, output, saved)
        grads = [
            None if not ctx._materialize and type(g) is not Tensor and not np.any(g) else _tensor(g)
            for g in ct
        ]
        found = self.function.backward(ctx, *grads)
        found = list(found) if isinstance(found, (tuple, list)) else [found]
        n = len(self.others)
        if len(found) < n or any(g is not None for g in found[n:]):
            raise ShapeError(
                f"{self.name}.backward returned {len(found)} gradients where forward has {n} "
                "arguments; return one for each, None for those without"
            )
        return [found[self.places[i]] for i in wanted]

    def push(self, leaves, output, saved, tangents):
        ctx = self.context(leaves, output, saved)
        given = [None] * len(self.others)
        for i, t in zip(self.places, tangents, strict=True):
            given[i] = None if t is None else _tensor(t)
        found = self.function.jvp(ctx, *given)
        return list(found) if isinstance(found, (tuple, list)) else [found]


def _tensor(x):
    """Anything but a Dual as a Tensor."""
    return x if type(x) in (Tensor, Dual) else _core.tensor(x)


def _outputs(name, output):
    parts = list(output) if isinstance(output, (tuple, list)) else [output]
    for y in parts:
        if type(y) not in (Tensor, Dual):
            raise TypeError(
                f"{name}.forward must return tensors, got a {type(y).__name__}; make it one with "
                "adcore.tensor(...)"
            )
    return parts


def _each(function, output):
    if isinstance(output, (tuple, list)):
        return type(output)(function(y) for y in output)
    return function(output)


def once_differentiable(backward):
    """Decorate a backward that is not written in adcore: asking for its derivative is an error.

    backward is then called with constants only.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> class Sine(adcore.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.slope = np.cos(x.numpy())
    ...         return adcore.tensor(np.sin(x.numpy()))
    ...
    ...     @staticmethod
    ...     @adcore.autograd.function.once_differentiable
    ...     def backward(ctx, grad):
    ...         return grad * ctx.slope
    >>> adcore.grad(Sine.apply)(0.0)
    1.0
    """

    @functools.wraps(backward)
    def checked(ctx, *grads):
        if any(type(g) is Tensor and g.requires_grad for g in grads):
            raise NotDifferentiableError(
                f"{backward.__qualname__} is marked once_differentiable; write it with adcore's "
                "or NumPy's functions and take the mark away to differentiate it again"
            )
        return backward(ctx, *grads)

    return checked

"""grad() and backward() of tensors, and the switches that turn recording on and off.

Without create_graph the derivative is a numeric sweep and the results are constants; with it the
derivative is recorded, and its results can be differentiated again.  The tape keeps its values, so
that retain_graph is never needed and is accepted for the sake of old scripts.
"""

import functools
from collections.abc import Iterable

import numpy as np

from .. import _core
from .._core import Tensor
from ..errors import NotDifferentiableError, ShapeError, TapeError

# ---- arguments ----


def _tensors(what, given):
    """A tensor, or a sequence of them, as a list."""
    tensors = list(given) if isinstance(given, Iterable) and type(given) is not Tensor else [given]
    for i, t in enumerate(tensors):
        if type(t) is not Tensor:
            raise TypeError(
                f"{what} must be tensors, got a {type(t).__name__} in place {i}; make "
                "it one with adcore.tensor(data, requires_grad=True)"
            )
    if not tensors:
        raise ShapeError(f"{what} is empty; pass at least one tensor")
    return tensors


def _tracked(what, given):
    """The same, each of them on the tape."""
    tensors = _tensors(what, given)
    for i, t in enumerate(tensors):
        if not t.requires_grad:
            raise TapeError(
                f"{what}: the tensor of shape {t.shape} in place {i} is a constant, so nothing "
                "can be differentiated with respect to it or through it; make the variables with "
                "requires_grad=True, and compute with them outside of no_grad()"
            )
    return tensors


def _seeds(outputs, given, what, lead=()):
    """One seed per output, checked; None, for a single number, is one.

    `lead` is a shape that each seed has before its output's own.
    """
    if given is None:
        given = [None] * len(outputs)
    elif not isinstance(given, (list, tuple)) or _is_seed(given, outputs):
        given = [given]
    if len(given) != len(outputs):
        raise ShapeError(
            f"{what} has {len(given)} entries where {len(outputs)} are expected, one "
            "for each output"
        )
    seeds = []
    for i, (y, seed) in enumerate(zip(outputs, given, strict=True)):
        if seed is None:
            if y.size != 1:
                raise ShapeError(
                    f"the gradient of a tensor of shape {y.shape} (output {i}) is not defined "
                    f"without a direction; pass {what} in that shape, or differentiate a number "
                    "such as y.sum()"
                )
            seed = np.ones(y.shape)
        elif type(seed) is not Tensor:
            seed = np.asarray(seed, dtype=np.float64)
        if seed.shape != lead + y.shape:
            raise ShapeError(
                f"{what} has shape {seed.shape} for output {i}, which has shape "
                f"{y.shape}; expected {lead + y.shape}"
            )
        seeds.append(seed)
    return seeds


def _is_seed(given, outputs):
    """Whether these are the nested numbers of one seed, rather than a list of seeds."""
    if len(outputs) > 1 or any(type(g) is Tensor or g is None for g in given):
        return False
    return np.shape(given) == outputs[0].shape


def _numbers(x):
    return np.asarray(x.detach().numpy() if type(x) is Tensor else x)


# ---- derivatives ----


def _adjoints(outputs, seeds, inputs, create_graph):
    """The adjoints of the inputs, one Tensor each: constants, or recorded."""
    if create_graph:
        return _core.emit_reverse(outputs, seeds, inputs)
    found = _core.sweep_reverse(outputs, [_numbers(s)[..., None] for s in seeds], inputs)
    return [_core.constant(g[..., 0]) for g in found]


def grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph=None,
    create_graph=False,
    only_inputs=True,
    allow_unused=None,
    is_grads_batched=False,
    materialize_grads=False,
):
    """The derivatives of outputs with respect to inputs, summed over the outputs.

    Parameters
    ----------
    outputs, inputs : Tensor or sequence of Tensor
        Inputs may be leaves or anything computed from them; a view, such as x[0], stands for its
        elements wherever they are used.
    grad_outputs : Tensor, array or sequence of them, optional
        The direction for each output, in its shape; may be left out, or be None, for an output of
        one element, and then is 1.
    retain_graph, only_inputs : ignored
        The tape stays as it is until the tensors on it are dropped.
    create_graph : bool
        Record the derivative, so that it can be differentiated again.
    allow_unused : bool
        Give None for an input that no output depends on; False by default, unless
        `materialize_grads`.
    is_grads_batched : bool
        `grad_outputs` has one more dimension in front, and so have the results.
    materialize_grads : bool
        Give zeros for an input that no output depends on.

    Returns
    -------
    tuple of Tensor
        One per input, in its shape: constants, unless `create_graph`.

    Raises
    ------
    TapeError
        If an input is not used, or an output or input is a constant.
    ShapeError
        If an output has more than one element and no direction, or the direction's shape differs.

    Examples
    --------
    >>> import adcore
    >>> x = adcore.tensor([1.0, 2.0], requires_grad=True)
    >>> adcore.autograd.grad((x**3).sum(), x)
    (tensor([ 3., 12.]),)
    """
    del retain_graph, only_inputs
    if allow_unused is False and materialize_grads:
        raise ValueError(
            "materialize_grads=True gives zeros for unused inputs, so allow_unused "
            "cannot be False; leave it out"
        )
    allow_unused = materialize_grads if allow_unused is None else allow_unused
    if _core.is_complex((outputs, inputs)) and not is_grads_batched:
        found = _by_parts(outputs, inputs, grad_outputs, create_graph, materialize_grads)
        unused = [i for i, g in enumerate(found) if g is None]
        if unused and not allow_unused:
            raise _unused(unused[0], inputs)
        return found
    outputs = _tracked("outputs", outputs)
    inputs = _tracked("inputs", inputs)
    if is_grads_batched:
        found = _batched(outputs, grad_outputs, inputs, create_graph)
    else:
        seeds = _seeds(outputs, grad_outputs, "grad_outputs")
        found = _adjoints(outputs, seeds, inputs, create_graph)
    if materialize_grads or all(g.requires_grad for g in found):
        return tuple(found)
    used = _core.depends(outputs, inputs)
    if not all(used):
        if not allow_unused:
            raise _unused(used.index(False), inputs)
        found = [g if u else None for g, u in zip(found, used, strict=True)]
    return tuple(found)


def _unused(i, inputs):
    shape = (inputs[i] if isinstance(inputs, (list, tuple)) else inputs).shape
    return TapeError(
        f"no output depends on input {i}, of shape {shape}; use it in the computation, or pass "
        "allow_unused=True to get None for it (materialize_grads=True for zeros)"
    )


def _by_parts(outputs, inputs, grad_outputs, create_graph, materialize_grads):
    """grad() with complex numbers, each as its two parts; None where no output depends on it."""
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    inputs = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    seeds = grad_outputs if isinstance(grad_outputs, (list, tuple)) else [grad_outputs]
    seeds = list(seeds) if len(seeds) == len(outputs) else [None] * len(outputs)
    for i, (y, seed) in enumerate(zip(outputs, seeds, strict=True)):
        if _core.is_complex(y):
            if seed is None:
                raise NotDifferentiableError(
                    f"the gradient of a complex output ({i}) is not defined without a direction; "
                    "pass grad_outputs, or differentiate a real number such as abs(y) ** 2"
                )
            outputs[i] = (y.real * np.real(seed) + y.imag * np.imag(seed)).sum()
            seeds[i] = None
    split = [[x.real, x.imag] if _core.is_complex(x) else [x] for x in inputs]
    found = iter(
        grad(
            outputs,
            [part for parts in split for part in parts],
            seeds,
            create_graph=create_graph,
            allow_unused=None if materialize_grads else True,
            materialize_grads=materialize_grads,
        )
    )
    pairs = [(x, [next(found) for _ in parts]) for x, parts in zip(inputs, split, strict=True)]
    return tuple([_joined(parts, x) for x, parts in pairs])


def _joined(parts, x):
    if len(parts) == 1 or (parts[0] is None and parts[1] is None):
        return parts[0]
    return _core.complex_pair(*[np.zeros(x.shape)[()] if p is None else p for p in parts])


def _batched(outputs, given, inputs, create_graph):
    """grad() for a batch of directions, the first dimension of each."""
    if given is None:
        raise ShapeError("is_grads_batched=True needs grad_outputs with a dimension in front")
    given = [given] if type(given) in (Tensor, np.ndarray) else list(given)
    if any(g is None for g in given):
        raise ShapeError("is_grads_batched=True needs an entry of grad_outputs for each output")
    lead = np.shape(_numbers(given[0]))[:1]
    seeds = _seeds(outputs, given, "grad_outputs", lead)
    if create_graph:
        rows = [_core.emit_reverse(outputs, [s[i] for s in seeds], inputs) for i in range(*lead)]
        return [
            _core.reshape(
                _core.concatenate([r[k].reshape((1, *x.shape)) for r in rows], 0), lead + x.shape
            )
            for k, x in enumerate(inputs)
        ]
    lanes = [np.moveaxis(_numbers(s), 0, -1) for s in seeds]
    found = _core.sweep_reverse(outputs, lanes, inputs, *lead)
    return [_core.constant(np.ascontiguousarray(np.moveaxis(g, -1, 0))) for g in found]


def backward(
    tensors,
    grad_tensors=None,
    retain_graph=None,
    create_graph=False,
    inputs=None,
):
    """Add the derivatives of `tensors` to .grad of the leaves they depend on.

    Leaves are tensors made with requires_grad=True; those with retain_grad() get theirs too.  Set
    ``x.grad = None`` to begin anew.

    Parameters
    ----------
    tensors : Tensor or sequence of Tensor
    grad_tensors : Tensor, array or sequence of them, optional
        The direction for each, as grad()'s grad_outputs.
    retain_graph : ignored
    create_graph : bool
        Leave gradients that can be differentiated again.
    inputs : Tensor or sequence of Tensor, optional
        Only these get a gradient.

    Examples
    --------
    >>> import adcore
    >>> x = adcore.tensor([1.0, 2.0], requires_grad=True)
    >>> adcore.autograd.backward([x.sum(), (x * x).sum()])
    >>> x.grad
    tensor([3., 5.])
    """
    del retain_graph
    outputs = _tracked("tensors", tensors)
    seeds = _seeds(outputs, grad_tensors, "grad_tensors")
    into = _core.leaves_below(outputs) if inputs is None else _tracked("inputs", inputs)
    if not into:
        return
    found = _adjoints(outputs, seeds, into, create_graph)
    if inputs is None:
        reached = [g.requires_grad or _numbers(g).any() for g in found]
        if not all(reached):
            reached = _core.depends(outputs, into)
        pairs = [p for p, r in zip(zip(into, found, strict=True), reached, strict=True) if r]
    else:
        pairs = zip(into, found, strict=True)
    for x, g in pairs:
        x.grad = g if x.grad is None else x.grad + g


def _backward_method(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
    """Add the derivatives of this tensor to .grad of the leaves; see autograd.backward().

    `gradient` is the direction, in the tensor's shape; it may be left out for one element.
    """
    backward([self], None if gradient is None else [gradient], retain_graph, create_graph, inputs)


_backward_method.__name__ = "backward"
_core.add_methods({"backward": _backward_method})


# ---- recording on and off ----


class set_grad_enabled:
    """Turn recording on or off: at once, until the end of a with block if used as one.

    Examples
    --------
    >>> import adcore
    >>> x = adcore.tensor(2.0, requires_grad=True)
    >>> with adcore.set_grad_enabled(False):
    ...     y = x * x
    >>> y.requires_grad
    False
    """

    def __init__(self, mode):
        self.mode = bool(mode)
        self._before = [_core.set_recording(self.mode)]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        _core.set_recording(self._before.pop())

    def __call__(self, function):
        """Decorate a function: recording is on or off while it runs."""
        _core.set_recording(self._before.pop())
        return _with_recording(function, self.mode)


def _with_recording(function, mode):
    @functools.wraps(function)
    def decorated(*args, **kwargs):
        before = _core.set_recording(mode)
        try:
            return function(*args, **kwargs)
        finally:
            _core.set_recording(before)

    return decorated


class _Switch:
    """A context manager and decorator that records, or does not; may be entered again inside."""

    mode: bool

    def __new__(cls, function=None):
        self = super().__new__(cls)
        self._before = []
        return self if function is None else _with_recording(function, cls.mode)

    def __enter__(self):
        self._before.append(_core.set_recording(self.mode))

    def __exit__(self, *error):
        _core.set_recording(self._before.pop())

    def __call__(self, function):
        """Decorate a function."""
        return _with_recording(function, self.mode)


class no_grad(_Switch):
    """Record nothing: results of tracked tensors are constants.  Also a decorator.

    Examples
    --------
    >>> import adcore
    >>> x = adcore.tensor(2.0, requires_grad=True)
    >>> with adcore.no_grad():
    ...     y = x * x
    >>> y.requires_grad
    False
    """

    mode = False


class enable_grad(_Switch):
    """Record again, inside of no_grad().  Also a decorator.

    Examples
    --------
    >>> import adcore
    >>> x = adcore.tensor(2.0, requires_grad=True)
    >>> with adcore.no_grad(), adcore.enable_grad():
    ...     y = x * x
    >>> y.requires_grad
    True
    """

    mode = True


def is_grad_enabled():
    """Whether recording is on, on this thread.

    Examples
    --------
    >>> import adcore
    >>> with adcore.no_grad():
    ...     adcore.is_grad_enabled()
    False
    """
    return _core.is_recording()

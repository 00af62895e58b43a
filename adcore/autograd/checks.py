"""gradcheck and gradgradcheck: derivatives against differences."""

import numpy as np

from .. import _core
from .._core import Tensor
from ..errors import ADError
from .engine import grad


class GradcheckError(ADError, RuntimeError):
    """A derivative that differs from its differences."""


def _tuple(x):
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def _leaves(inputs, changed=None):
    """The inputs anew, as leaves where they are tracked; one of them with other numbers."""
    out = []
    for i, x in enumerate(inputs):
        if type(x) is Tensor:
            numbers = changed[1] if changed and changed[0] == i else x.detach()
            x = _core.tensor(numbers, requires_grad=x.requires_grad)
        out.append(x)
    return out


def _values(func, inputs, changed):
    return [np.array(y.detach().numpy()) for y in _tuple(func(*_leaves(inputs, changed)))]


def _differences(func, inputs, i, eps):
    """Central differences of each output by input i, shape (input size, output size)."""
    at = inputs[i].detach().numpy()
    rows = []
    for j in range(at.size):
        step = eps * max(1.0, abs(at.flat[j]))
        ends = []
        for sign in (1.0, -1.0):
            x = at.copy()
            x.flat[j] += sign * step
            ends.append((x.flat[j], _values(func, inputs, (i, x))))
        (up, above), (down, below) = ends
        rows.append([np.ravel(a - b) / (up - down) for a, b in zip(above, below, strict=True)])
    return [np.array(column) for column in zip(*rows, strict=True)]


def _derivatives(func, inputs, i, forward):
    """The derivative of each output by input i, shape (input size, output size)."""
    leaves = _leaves(inputs)
    x = leaves[i]
    out = []
    for y in _tuple(func(*leaves)):
        if not y.requires_grad:
            out.append(np.zeros((x.size, y.size)))
        elif forward:
            columns = []
            for j in range(x.size):
                v = np.zeros(x.shape)
                v.flat[j] = 1.0
                columns.append(_core.emit_forward([x], [v], [y])[0].detach().numpy().ravel())
            out.append(np.reshape(columns, (x.size, y.size)))
        else:
            unit = np.eye(y.size).reshape((y.size, *y.shape))
            (rows,) = grad(y, x, _core.tensor(unit), is_grads_batched=True, materialize_grads=True)
            out.append(rows.numpy().reshape(y.size, x.size).T)
    return out


def gradcheck(
    func,
    inputs,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    raise_exception=True,
    check_forward_ad=False,
    check_backward_ad=True,
    **others,
):
    """Whether the derivatives of a function agree with central differences.

    Parameters
    ----------
    func : callable, of tensors, returns a tensor or a tuple of them
    inputs : Tensor or tuple
        Those with requires_grad are checked.
    eps : float
        The step of the differences, times abs(x) where that is above 1.
    atol, rtol : float
        An element passes if it differs by no more than atol + rtol * abs(difference quotient).
    raise_exception : bool
        Raise for a derivative that is wrong, rather than return False.
    check_forward_ad, check_backward_ad : bool
        The modes to check.
    **others
        torch's further options are accepted and have no effect.

    Returns
    -------
    bool

    Raises
    ------
    GradcheckError
        If a derivative is wrong: which one, the differences, and what was computed.

    Examples
    --------
    >>> import adcore
    >>> x = adcore.tensor([0.5, 2.0], requires_grad=True)
    >>> adcore.autograd.gradcheck(lambda x: adcore.sin(x) * x, x)
    True
    """
    _accept(others, "gradcheck")
    inputs = _tuple(inputs)
    checked = [i for i, x in enumerate(inputs) if type(x) is Tensor and x.requires_grad]
    if not checked:
        raise ValueError(
            "gradcheck needs an input with requires_grad=True, none of the "
            f"{len(inputs)} inputs has it"
        )
    modes = [("backward", False)] * check_backward_ad + [("forward", True)] * check_forward_ad
    for i in checked:
        expected = _differences(func, inputs, i, eps)
        for name, forward in modes:
            for k, found in enumerate(_derivatives(func, inputs, i, forward)):
                if np.allclose(found, expected[k], rtol, atol, equal_nan=True):
                    continue
                if not raise_exception:
                    return False
                raise GradcheckError(
                    f"the derivative of output {k} by input {i}, in {name} mode, differs from its "
                    f"differences:\ndifferences:\n{expected[k]}\n{name} mode:\n{found}\n(a row for "
                    "each element of the input, a column for each of the output)"
                )
    return True


_KNOWN = {
    *("nondet_tol", "check_undefined_grad", "check_grad_dtypes", "check_batched_grad"),
    *("check_batched_forward_grad", "fast_mode", "masked", "gen_non_contig_grad_outputs"),
}


def _accept(options, name):
    for option in options:
        if option not in _KNOWN:
            raise TypeError(f"{name}() got an unexpected keyword argument {option!r}")


def gradgradcheck(
    func,
    inputs,
    grad_outputs=None,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    raise_exception=True,
    check_fwd_over_rev=False,
    check_rev_over_rev=True,
    **others,
):
    """Whether the second derivatives of a function agree with differences of the first.

    Parameters
    ----------
    func, inputs, eps, atol, rtol, raise_exception, **others
        As in gradcheck().
    grad_outputs : Tensor or sequence of them, optional
        The direction for each output; random numbers, always the same, by default.
    check_fwd_over_rev, check_rev_over_rev : bool
        The modes to check.

    Examples
    --------
    >>> import adcore
    >>> x = adcore.tensor([0.5, 2.0], requires_grad=True)
    >>> adcore.autograd.gradgradcheck(lambda x: adcore.sin(x) * x, x)
    True
    """
    inputs = _tuple(inputs)
    n = len(inputs)
    if grad_outputs is None:
        rng = np.random.default_rng(0)
        outputs = [y for y in _tuple(func(*_leaves(inputs))) if y.requires_grad]
        grad_outputs = [
            _core.tensor(rng.uniform(0.5, 1.5, y.shape), requires_grad=True) for y in outputs
        ]

    def gradient(*args):
        given, directions = args[:n], args[n:]
        varying = [x for x in given if type(x) is Tensor and x.requires_grad]
        outputs = [y for y in _tuple(func(*given)) if y.requires_grad]
        return grad(outputs, varying, list(directions), create_graph=True, materialize_grads=True)

    return gradcheck(
        gradient,
        (*inputs, *_tuple(grad_outputs)),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        **others,
    )

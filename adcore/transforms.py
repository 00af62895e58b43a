"""Transforms: functions of functions that differentiate.

A transform makes independent variables of its function's arguments, runs the function once, and
takes derivatives of what was recorded.  Where nothing outside depends on the result it does so in
numbers; inside another transform it records the derivative, so that it can be differentiated
again.  Arguments may be numbers, arrays, and nested lists, tuples, dicts, named tuples and
dataclasses of them.
"""

import functools
import importlib
import operator

import numpy as np

from . import _core, _holomorphic
from ._core import Dual, Tensor
from ._recording import (
    Recording,
    as_number,
    base_of,
    is_real,
    name_of,
    number,
    pair,
    plain_base,
    zeros,
)
from ._trees import (
    flatten_values,
    is_number,
    is_tracked,
    same_leaves,
    shape_of,
    unflatten,
    with_numbers,
)
from .errors import NotDifferentiableError, ShapeError


def stop_gradient(x):
    """The numbers in `x`, constants from here on, in the same container.

    Examples
    --------
    >>> import adcore
    >>> adcore.grad(lambda x: x * adcore.stop_gradient(x))(3.0)
    3.0
    """
    leaves, structure = flatten_values(x)
    bases = [base_of(v) for v in leaves]
    return unflatten(structure, [plain_base(b.detach()) if type(b) is Tensor else b for b in bases])


# ---- what they take ----


def _argnums(argnums):
    """`argnums` as an int or a tuple of them."""
    if type(argnums) is int:
        return argnums
    try:
        if isinstance(argnums, (tuple, list)):
            return tuple([operator.index(i) for i in argnums])
        return operator.index(argnums)
    except TypeError:
        raise TypeError(
            f"argnums must be an integer or a tuple of integers, got {argnums!r}"
        ) from None


def _check_callable(f, name):
    if not callable(f):
        raise TypeError(
            f"{name} takes a function, got a {type(f).__name__}; write {name}(f)(x), or "
            "adcore.autograd.grad(y, x) for derivatives of tensors"
        )


def _wraps(f, name):
    _check_callable(f, name)

    def decorate(g):
        g = functools.wraps(f, updated=())(g) if hasattr(f, "__name__") else g
        g.__name__ = f"{name}({name_of(f)})"
        return g

    return decorate


# ---- reverse mode ----


def value_and_grad(f, argnums=0, has_aux=False, holomorphic=False):
    """A function that returns f's value and its gradient.

    Parameters
    ----------
    f : callable
        Returns one real number; with `has_aux` a pair (number, anything).
    argnums : int or tuple of int
        The positional arguments to differentiate with respect to.
    holomorphic : bool
        f is a holomorphic function of complex numbers that returns one, and the derivative is f'.

    Returns
    -------
    callable
        Called as f, gives (value, gradient); the gradient has the structure and shapes of the
        argument, and is a tuple if `argnums` is one.  With `has_aux`: ((value, aux), gradient).
        By a complex number a + i b it is df/da + i df/db, the direction of steepest ascent.

    Raises
    ------
    ShapeError
        If f returns anything but one real number.

    Examples
    --------
    >>> import adcore
    >>> adcore.value_and_grad(lambda x: x[0] * x[1])([2.0, 3.0])
    (6.0, [3.0, 2.0])

    References
    ----------
    Griewank and Walther, Evaluating Derivatives, 2nd ed., ch. 3.
    """
    argnums = _argnums(argnums)

    @_wraps(f, "value_and_grad")
    def value_and_grad_f(*args, **kwargs):
        r = Recording(f, args, kwargs, argnums, has_aux)
        if holomorphic:
            return _holomorphic_gradient(r)
        y = r.scalar("grad", f"jacobian({name_of(f)})")
        g = r.tree(r.each(y, r.gradient))
        value = r.plain(y) if type(y) in (Tensor, Dual) else float(y)
        return ((value, r.plain_tree(r.aux)), g) if has_aux else (value, g)

    return value_and_grad_f


def _holomorphic_gradient(r):
    """(value, f') of a holomorphic function that returned one number."""
    if shape_of(r.output) != ():
        raise ShapeError(
            f"grad needs a function with one output, but {name_of(r.f)} returned shape "
            f"{shape_of(r.output)}. Use jacobian({name_of(r.f)}, holomorphic=True)."
        )
    (g,), _ = _holomorphic.derivatives(r, r.output, r.gradient)
    return r.with_aux(r.plain_tree(r.output)), g


def grad(f, argnums=0, has_aux=False, holomorphic=False):
    """A function that returns the gradient of f; see value_and_grad().

    Examples
    --------
    >>> import adcore
    >>> adcore.grad(lambda x: x**3)(2.0)
    12.0
    >>> adcore.grad(adcore.grad(lambda x: x**3))(2.0)
    12.0
    """
    _check_callable(f, "grad")
    both = value_and_grad(f, argnums, has_aux, holomorphic)

    @_wraps(f, "grad")
    def grad_f(*args, **kwargs):
        value, g = both(*args, **kwargs)
        return (g, value[1]) if has_aux else g

    return grad_f


def elementwise_grad(f, argnums=0, has_aux=False, holomorphic=False):
    """The derivative of a function that acts on each element alone, for all elements at once.

    It is the gradient of the sum of f's results: each element's own derivative, if each result
    depends on the element in its place only.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> adcore.elementwise_grad(np.sin)(np.array([0.0, np.pi]))
    array([ 1., -1.])
    """
    argnums = _argnums(argnums)

    @_wraps(f, "elementwise_grad")
    def elementwise_grad_f(*args, **kwargs):
        r = Recording(f, args, kwargs, argnums, has_aux)

        def pull(y):
            return r.pull(y, np.ones(y.shape))

        if holomorphic:
            (found,), _ = _holomorphic.derivatives(r, r.output, pull)
            return r.with_aux(found)
        if not (type(r.output) in (Tensor, Dual) or is_real(r.output)):
            raise NotDifferentiableError(
                f"elementwise_grad needs a number or an array from {name_of(f)}, got a "
                f"{type(r.output).__name__}; use jacobian({name_of(f)})"
            )
        return r.with_aux(r.tree(r.each(r.output, pull)))

    return elementwise_grad_f


def vjp(f, *primals, has_aux=False):
    """The value of f and the function that maps a cotangent of it to cotangents of the arguments.

    Parameters
    ----------
    f : callable
    *primals
        Its arguments; all are differentiated.

    Returns
    -------
    (value, function)
        ``function(ct)``, ct in the structure and shapes of the value, gives a tuple with one entry
        per argument, each in the argument's structure: ct times the Jacobian.  It may be called
        any number of times.  With `has_aux`: (value, function, aux).

    Examples
    --------
    >>> import adcore, numpy as np
    >>> y, back = adcore.vjp(np.sin, 0.0)
    >>> back(2.0)
    (2.0,)
    """
    r = Recording(f, primals, {}, tuple(range(len(primals))), has_aux)
    outputs, structure = flatten_values(r.output)

    def pullback(ct):
        seeds = same_leaves("the cotangent", ct, len(outputs), [shape_of(y) for y in outputs])
        total = None
        for y, s in zip(outputs, seeds, strict=True):
            seed = s if is_tracked(s) else np.asarray(s, dtype=np.float64)
            part = r.each_with(y, [seed], lambda t, seeds: r.pull(t, seeds[0]))
            if part is not None:
                total = part if total is None else [a + b for a, b in zip(total, part, strict=True)]
        if total is None:
            total = [zeros(shape) for shape in r.shapes]
        return r.tree(total)

    value = unflatten(structure, [r.plain(y) for y in outputs])
    return (value, pullback, r.plain_tree(r.aux)) if has_aux else (value, pullback)


# ---- forward mode ----


def tangents_of(primals, tangents, transform):
    """(leaves, directions, structure) of primals and of tangents that go with them."""
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError(
            f"{transform} takes tuples: {transform}(f, (x,), (v,)), got "
            f"{type(primals).__name__} and {type(tangents).__name__}"
        )
    leaves, structure = flatten_values(tuple(primals))
    leaves = [as_number(v, "a primal") for v in leaves]
    directions = same_leaves(
        "the tangent", tuple(tangents), len(leaves), [shape_of(v) for v in leaves]
    )
    directions = [as_number(v, "a tangent") for v in directions]
    return leaves, directions, structure


def jvp(f, primals, tangents, has_aux=False):
    """The value of f and its derivative along a direction, by dual numbers: no tape, O(1) memory.

    Parameters
    ----------
    f : callable
    primals, tangents : tuple
        The arguments, and the direction in the same structure and shapes; not normalised.

    Returns
    -------
    (value, tangent)
        The tangent is the Jacobian times the direction, in the structure of the value.
        With `has_aux`: (value, tangent, aux).

    Examples
    --------
    >>> import adcore
    >>> adcore.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))
    (6.0, 3.0)

    References
    ----------
    Griewank and Walther, Evaluating Derivatives, 2nd ed., sec. 3.1.
    """
    leaves, directions, structure = tangents_of(primals, tangents, "jvp")
    tag = _core.new_tag()
    duals = [Dual(tag, x, (v,)) for x, v in zip(leaves, directions, strict=True)]
    mark = _core.recorded()
    out = f(*unflatten(structure, duals))
    if _core.norms_since(mark):  # duals do not know what comes after a norm, recordings do
        value, push, *rest = linearize(f, *primals, has_aux=has_aux)
        return (value, push(*tangents), *rest)
    aux = None
    if has_aux:
        out, aux = pair(out, f)
        aux_leaves, aux_structure = flatten_values(aux)
        aux = unflatten(aux_structure, [_split_dual(v, tag)[0] for v in aux_leaves])
    outputs, out_structure = flatten_values(out)
    pairs = [_split_dual(y, tag) for y in outputs]
    value = unflatten(out_structure, [p[0] for p in pairs])
    tangent = unflatten(out_structure, [p[1] for p in pairs])
    return (value, tangent, aux) if has_aux else (value, tangent)


def _split_dual(y, tag):
    """(value, tangent) of an output at the level of a tag."""
    if type(y) is Dual and y.tag == tag:
        t = y.tangents[0]
        return y.value, zeros(shape_of(y.value)) if t is None else t
    if type(y) is Tensor and not y.requires_grad:
        y = plain_base(y)
    return y, zeros(shape_of(y))


def linearize(f, *primals, has_aux=False):
    """The value of f and the function that maps a tangent of the arguments to the value's.

    f runs once; the linear map may then be applied any number of times.  With `has_aux`, f returns
    a pair (value, aux), and so does linearize: (value, function, aux).

    Examples
    --------
    >>> import adcore
    >>> y, push = adcore.linearize(lambda x: x**2, 3.0)
    >>> push(1.0), push(2.0)
    (6.0, 12.0)
    """
    r = Recording(f, primals, {}, tuple(range(len(primals))), has_aux)
    outputs, structure = flatten_values(r.output)

    def pushforward(*tangents):
        seeds = same_leaves("the tangent", tuple(tangents), len(r.variables), r.shapes)

        def push(y, seeds):
            if r.nested or any(map(is_tracked, seeds)):
                return [r.plain(_core.emit_forward(r.variables, list(seeds), [y])[0], seeds)]
            flat = np.concatenate([np.reshape(s, -1) for s in seeds])
            return [number(_core.sweep_forward([r.flat], [flat[:, None]], [y])[0][..., 0])]

        pushed = [r.each_with(y, seeds, push) for y in outputs]
        return unflatten(
            structure,
            [
                zeros(shape_of(y)) if p is None else p[0]
                for y, p in zip(outputs, pushed, strict=True)
            ],
        )

    value = unflatten(structure, [r.plain(y) for y in outputs])
    return (value, pushforward, r.plain_tree(r.aux)) if has_aux else (value, pushforward)


# ---- Jacobians ----


def _jacobian(f, argnums, has_aux, holomorphic, choose, name):
    argnums = _argnums(argnums)

    @_wraps(f, name)
    def jacobian_f(*args, **kwargs):
        r = Recording(f, args, kwargs, argnums, has_aux)
        if holomorphic:
            blocks, structure = _holomorphic.derivatives(
                r, r.output, lambda t: choose(r, t)(t), rows=True
            )
            return r.with_aux(with_numbers(structure, blocks))
        outputs, structure = flatten_values(r.output)
        blocks = []
        for y in outputs:
            if not (type(y) in (Tensor, Dual) or is_real(y)):
                raise NotDifferentiableError(
                    f"{name} needs real numbers or arrays from {name_of(f)}, got a "
                    f"{type(y).__name__}"
                )
            blocks.append(r.tree(r.each(y, lambda t: choose(r, t)(t), rows=True)))
        return r.with_aux(unflatten(structure, blocks))

    return jacobian_f


def jacrev(f, argnums=0, has_aux=False, holomorphic=False):
    """The Jacobian by reverse mode: one sweep for every eight outputs; see jacobian().

    Examples
    --------
    >>> import adcore, numpy as np
    >>> adcore.jacrev(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    return _jacobian(f, argnums, has_aux, holomorphic, lambda r, _: r.rows, "jacrev")


def jacfwd(f, argnums=0, has_aux=False, holomorphic=False):
    """The Jacobian by forward mode: one sweep for every eight inputs; see jacobian().

    Examples
    --------
    >>> import adcore, numpy as np
    >>> adcore.jacfwd(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    return _jacobian(f, argnums, has_aux, holomorphic, lambda r, _: r.columns, "jacfwd")


def jacobian(f, argnums=0, mode="auto", has_aux=False, holomorphic=False):
    """A function that returns the Jacobian of f.

    Parameters
    ----------
    f : callable
        Returns numbers, arrays, or containers of them.
    argnums : int or tuple of int
    mode : "auto", "fwd" or "rev"
        Forward mode costs by the number of inputs, reverse by that of outputs; "auto" takes the
        smaller, forward at equal shapes.
    has_aux : bool
        f returns a pair (value, aux), and so does the result: (Jacobian, aux).
    holomorphic : bool
        f is a holomorphic function of complex numbers; the result is complex.  If it is not, real
        results of complex arguments give d/da + i d/db, complex results of real arguments their
        complex derivatives, and complex of complex an error.

    Returns
    -------
    callable
        Called as f.  For an array output of shape S and an array argument of shape T the result
        has shape S + T; containers nest, the output's outside.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> adcore.jacobian(lambda x: np.array([2.0, 3.0]) * x[0])(np.array([1.0, 1.0]))
    array([[2., 0.],
           [3., 0.]])
    """
    if mode not in ("auto", "fwd", "rev"):
        raise ValueError(f'mode must be "auto", "fwd" or "rev", got {mode!r}')

    def choose(r, y):
        forward = mode == "fwd" or (mode == "auto" and sum(v.size for v in r.variables) <= y.size)
        return r.columns if forward else r.rows

    return _jacobian(f, argnums, has_aux, holomorphic, choose, "jacobian")


# ---- Hessians ----


def value_grad_and_hessian(f, argnums=0, memory=None, has_aux=False):
    """A function that returns value, gradient and Hessian of f from one recording.

    See hessian() for the parameters and the shape.  With `has_aux`: ((value, aux), gradient,
    Hessian).

    Examples
    --------
    >>> import adcore, numpy as np
    >>> adcore.value_grad_and_hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    (2.0, array([4., 1.]), array([[4., 2.],
           [2., 0.]]))
    """
    argnums = _argnums(argnums)
    if memory is not None and not (is_number(memory) and memory >= 0):
        raise ValueError(f"memory is a number of bytes, or None for no limit, got {memory!r}")

    @_wraps(f, "value_grad_and_hessian")
    def value_grad_and_hessian_f(*args, **kwargs):
        r = Recording(f, args, kwargs, argnums, has_aux, curved=True)
        y = r.scalar("hessian", f"jacobian(jacobian({name_of(f)}))")
        pairs = _curvature_under_duals(r, y, memory)
        gradients = r.tree([p[0] for p in pairs])
        blocks = r.tree([r.tree(p[1]) for p in pairs])
        value = r.plain(y) if type(y) in (Tensor, Dual) else float(y)
        return r.with_aux(value), gradients, blocks

    return value_grad_and_hessian_f


def _curvature_under_duals(r, y, memory):
    """For each variable (gradient, Hessian blocks), below the duals of y."""
    if type(y) is Dual:
        parts = [_curvature_under_duals(r, c, memory) for c in (y.value, *y.tangents)]

        def dual(values):
            return Dual(y.tag, values[0], tuple(values[1:]))

        return [
            (
                dual([p[i][0] for p in parts]),
                [dual([p[i][1][j] for p in parts]) for j in range(len(r.variables))],
            )
            for i in range(len(r.variables))
        ]
    if type(y) is Tensor and y.requires_grad:
        return list(zip(*r.curvature(y, memory), strict=True))
    if y is None:  # a zero tangent
        return [(None, [None] * len(r.shapes)) for _ in r.shapes]
    return [(zeros(s), [zeros(s + t) for t in r.shapes]) for s in r.shapes]


def hessian(f, argnums=0, memory=None, has_aux=False, holomorphic=False, sparse=False):
    """A function that returns the Hessian of f.

    f is recorded once; forward-over-reverse sweeps then give eight columns at a time.

    Parameters
    ----------
    f : callable
        Returns one real number.
    argnums : int or tuple of int
    memory : int, optional
        Bytes that the sweeps may take beside the tape; fewer columns at a time are then done.
    has_aux : bool
        f returns a pair (number, aux), and so does the result: (Hessian, aux).
    holomorphic : bool
        f is a holomorphic function of complex numbers that returns one.
    sparse : bool
        The result is a scipy.sparse.csr_array, as adcore.sparse.hessian() gives it; the options
        above are not taken then.

    Returns
    -------
    callable
        Called as f.  For an array argument of shape S the result has shape S + S, float64 and
        symmetric to rounding; for containers it nests twice.

    Raises
    ------
    ShapeError
        If f returns anything but one real number.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> adcore.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])

    References
    ----------
    Griewank and Walther, Evaluating Derivatives, 2nd ed., ch. 5.
    """
    _check_callable(f, "hessian")
    if sparse:
        if memory is not None or has_aux or holomorphic:
            raise TypeError("hessian(sparse=True) takes no memory, has_aux or holomorphic")
        return importlib.import_module(".sparse", __package__).hessian(f, argnums)
    if holomorphic:
        slope = grad(f, argnums, has_aux, holomorphic=True)
        return jacobian(slope, argnums, "auto", has_aux, holomorphic=True)
    everything = value_grad_and_hessian(f, argnums, memory, has_aux)

    @_wraps(f, "hessian")
    def hessian_f(*args, **kwargs):
        value, _, blocks = everything(*args, **kwargs)
        return (blocks, value[1]) if has_aux else blocks

    return hessian_f


def hvp(f, primals, tangents, has_aux=False):
    """The gradient of f and its Hessian times a direction, without the Hessian.

    Parameters
    ----------
    f : callable
        Returns one real number; all its arguments are differentiated.
    primals, tangents : tuple
        The arguments, and the direction in the same structure and shapes; not normalised.

    Returns
    -------
    (gradient, product)
        Each in the structure of the only argument, or a tuple for several.  With `has_aux`:
        (gradient, product, aux).

    Examples
    --------
    >>> import adcore, numpy as np
    >>> adcore.hvp(lambda x: x[0] ** 2 * x[1], (np.array([1.0, 2.0]),), (np.array([1.0, 0.0]),))
    (array([4., 1.]), array([4., 2.]))
    """
    _, directions, _ = tangents_of(primals, tangents, "hvp")
    r = Recording(f, tuple(primals), {}, tuple(range(len(primals))), has_aux, curved=True)
    y = r.scalar("hvp", f"jvp(jacobian({name_of(f)}), ...)")

    if type(y) is Tensor and y.requires_grad and not any(type(d) is Dual for d in directions):
        found = r.product(y, directions)
    else:
        product = r.each_with(y, directions, lambda t, seeds: r.product(t, seeds)[1])
        found = r.each(y, r.gradient), product or [zeros(shape) for shape in r.shapes]
    results = [r.tree(part) for part in found]
    found = tuple(t[0] if len(primals) == 1 else t for t in results)
    return (*found, r.plain_tree(r.aux)) if has_aux else found

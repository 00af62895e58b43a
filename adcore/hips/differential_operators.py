"""autograd's transforms, by adcore's."""

import functools
import inspect

import numpy as np

from .. import _calls, transforms
from .. import numpy as anp
from .._trees import complex_parts, flatten, shape_of, unflatten
from ..errors import NotDifferentiableError


def unary_to_nary(operator):
    """An operator (f of one argument, the argument) as one (f, argnum) of all arguments."""
    name = _name(operator)

    @functools.wraps(operator)
    def nary(fun, argnum=0, *options, **named_options):
        if not isinstance(argnum, (int, tuple, list)):
            raise TypeError(f"argnum must be an integer or a tuple of integers, got {argnum!r}")

        @functools.wraps(fun, updated=())
        def of_all(*args, **kwargs):
            one = isinstance(argnum, int)

            @functools.wraps(fun, updated=())
            def of_one(x):
                all_args = list(args)
                for i, v in [(argnum, x)] if one else zip(argnum, x, strict=True):
                    all_args[i] = v
                return fun(*all_args, **kwargs)

            x = args[argnum] if one else tuple([args[i] for i in argnum])
            return operator(of_one, x, *options, **named_options)

        of_all.__name__ = f"{name}_of_{_name(fun)}_wrt_argnum_{argnum}"
        of_all.__doc__ = (
            f"    {name} of function {_name(fun)} with respect to its argument number {argnum}.\n\n"
            f"    It takes the arguments of {_name(fun)}.\n"
        )
        return of_all

    nary.__doc__ = f"\n    Returns a function which gives: {operator.__doc__}\n"
    return nary


def _name(fun):
    return getattr(fun, "__name__", type(fun).__name__)


def conjugated(tree):
    """The conjugates of the complex numbers in a tree.

    autograd's derivative by a + i b is df/da - i df/db, where adcore's has + as PyTorch's has: so
    autograd's products of a cotangent and a Jacobian are the conjugates of adcore's, of conjugates.
    """
    leaves, structure = flatten(tree)
    parts = complex_parts(structure)
    if not any(parts):
        return tree
    imaginary = False  # whether a leaf that is a part is an imaginary one: they alternate
    for i, is_part in enumerate(parts):
        if is_part and imaginary:
            leaves[i] = -leaves[i]
        imaginary = is_part and not imaginary
    return unflatten(structure, leaves)


def _vjp(fun, x):
    value, back = transforms.vjp(fun, x)
    return (lambda g: conjugated(back(conjugated(g))[0])), value


def _of_real_numbers(what, fun, y):
    """Refuse complex results."""
    if any(complex_parts(flatten(y)[1])):
        raise NotDifferentiableError(
            f"{what} needs real numbers from {_name(fun)}, which returned complex ones; use "
            "holomorphic_grad, or differentiate the real and the imaginary part"
        )


def _of_one_number(what, fun, y):
    """Refuse a result that is not one real number, in a shape of any dimensions."""
    _of_real_numbers(what, fun, y)
    if isinstance(y, (bool, np.bool_)):
        raise NotDifferentiableError(f"{what} needs a number from {_name(fun)}, got the truth {y}")
    if shape_of(y) != () and int(np.prod(shape_of(y))) != 1:
        raise NotDifferentiableError(
            f"{what} needs one number from {_name(fun)}, got shape {shape_of(y)}; use jacobian or "
            "elementwise_grad"
        )


def _ones(y):
    """Ones in the structure and shapes of `y`."""
    leaves, structure = flatten(y)
    ones = [np.ones(shape_of(v)) if shape_of(v) else 1.0 for v in leaves]
    return unflatten(structure, ones)


@unary_to_nary
def make_vjp(fun, x):
    """(vjp, value): vjp(g) is g times the Jacobian in argument number argnum."""
    return _vjp(fun, x)


@unary_to_nary
def make_jvp(fun, x):
    """A function v -> (value, the Jacobian in argument number argnum times v)."""
    return lambda v: transforms.jvp(fun, (x,), (v,))


@unary_to_nary
def value_and_grad(fun, x):
    """(value, gradient) of a function of one number, in argument number argnum."""
    back, y = _vjp(fun, x)
    _of_one_number("value_and_grad", fun, y)
    return y, back(_ones(y))


@unary_to_nary
def grad(fun, x):
    """The gradient of a function of one number, in argument number argnum."""
    if not flatten(x)[0]:  # an empty container is its own gradient
        fun(x)
        return x
    back, y = _vjp(fun, x)
    _of_one_number("grad", fun, y)
    return back(_ones(y))


@unary_to_nary
def elementwise_grad(fun, x):
    """The gradient of the sum of the results: of each its own, if they depend on one element."""
    back, y = _vjp(fun, x)
    _of_real_numbers("elementwise_grad", fun, y)
    return back(_ones(y))


egrad = elementwise_grad


@unary_to_nary
def deriv(fun, x):
    """The derivative along ones."""
    return transforms.jvp(fun, (x,), (_ones(x),))[1]


@unary_to_nary
def jacobian(fun, x):
    """The Jacobian, of shape (*result, *argument)."""
    found = transforms.jacobian(fun)(x)
    return conjugated(found) if any(complex_parts(flatten(x)[1])) else found


@unary_to_nary
def hessian(fun, x):
    """The Jacobian of the Jacobian."""
    return transforms.jacfwd(transforms.jacrev(fun))(x)


@unary_to_nary
def holomorphic_grad(fun, x):
    """The derivative of a holomorphic function of complex numbers; others are refused."""
    return transforms.grad(fun, holomorphic=True)(x)


def grad_named(fun, argname):
    """The gradient in the argument of a name."""
    return grad(fun, list(inspect.signature(fun).parameters).index(argname))


@unary_to_nary
def make_hvp(fun, x):
    """(hvp, gradient): hvp(v) is the Hessian times v."""
    return _vjp(grad(fun), x)


def hessian_tensor_product(fun, argnum=0):
    """A function (*args, v) that gives the Hessian in argument number argnum times v."""

    def product(*args, **kwargs):
        *args, v = args

        def along(x):
            return grad(fun, argnum)(*args[:argnum], x, *args[argnum + 1 :], **kwargs)

        return transforms.jvp(along, (args[argnum],), (v,))[1]

    return product


hessian_vector_product = hessian_tensor_product


def tensor_jacobian_product(fun, argnum=0):
    """A function (*args, v) that gives v times the Jacobian in argument number argnum."""

    def product(*args, **kwargs):
        *args, v = args

        def contracted(*args, **kwargs):
            return anp.tensordot(v, fun(*args, **kwargs), axes=np.ndim(v))

        return jacobian(contracted, argnum)(*args, **kwargs)

    return product


vector_jacobian_product = tensor_jacobian_product


@unary_to_nary
def make_jvp_reversemode(fun, x):
    """A function v -> the Jacobian times v."""
    return lambda v: transforms.jvp(fun, (x,), (v,))[1]


def _half_square(x):
    return 0.5 * anp.sum(x * x, axis=-1)


def make_ggnvp(f, g=_half_square, f_argnum=0):
    """A function of f's arguments: v -> J' H J v, J of f and H the Hessian of g at its result."""

    @unary_to_nary
    def of_one(f, x):
        back, y = _vjp(f, x)

        def product(v):
            pushed = transforms.jvp(f, (x,), (v,))[1]
            return back(transforms.jvp(grad(g), (y,), (pushed,))[1])

        return product

    return of_one(f, f_argnum)


@unary_to_nary
def grad_and_aux(fun, x):
    """(gradient of the first result, the second) of a function of two results."""
    y, back, aux = transforms.vjp(fun, x, has_aux=True)
    _of_one_number("grad_and_aux", fun, y)
    return conjugated(back(_ones(y))[0]), aux


def multigrad_dict(fun):
    """A function of the same arguments that gives {name of an argument: gradient in it}."""
    signature = inspect.signature(fun)

    @functools.wraps(fun)
    def gradients(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        names = [*bound.arguments]

        def of_values(values):
            again = inspect.BoundArguments(signature, dict(zip(names, values, strict=True)))
            return fun(*again.args, **again.kwargs)

        found = grad(of_values)(tuple(bound.arguments.values()))
        return dict(zip(names, found, strict=True))

    return gradients


# ---- memory ----


class _Checkpoint:
    """A call of which the derivative computes everything again, so that nothing is kept of it."""

    remedy = "it has one"

    def __init__(self, fun, structure):
        self.fun, self.structure, self.name = fun, structure, _name(fun)

    def rule(self, mode):
        """The name of a rule, for errors."""
        return f"the {mode} derivative of {self.name}"

    def of_leaves(self, *leaves):
        """The function of flat arguments."""
        args, kwargs = unflatten(self.structure, leaves)
        return self.fun(*args, **kwargs)

    def value(self, leaves):
        """The value of plain leaves."""
        return self.of_leaves(*leaves)

    def run(self, leaves):
        """(value, nothing)."""
        return self.of_leaves(*leaves), None

    def pull(self, leaves, output, saved, ct, wanted):
        """Adjoints by a recording made for it."""
        del saved
        some = self._of(leaves, wanted)
        _, structure = flatten(output)
        zeros = [0.0 * v if c is None else c for c, v in zip(ct, flatten(output)[0], strict=True)]
        return list(
            transforms.vjp(some, *[leaves[i] for i in wanted])[1](unflatten(structure, zeros))
        )

    def push(self, leaves, output, saved, tangents):
        """Tangents by duals."""
        del output, saved
        wanted = [i for i, t in enumerate(tangents) if t is not None]
        some = self._of(leaves, wanted)
        found = transforms.jvp(some, [leaves[i] for i in wanted], [tangents[i] for i in wanted])[1]
        return flatten(found)[0]

    def _of(self, leaves, wanted):
        def some(*x):
            everything = list(leaves)
            for i, v in zip(wanted, x, strict=True):
                everything[i] = v
            return self.of_leaves(*everything)

        return some


def checkpoint(fun):
    """A function that keeps no intermediate results: its derivative computes them again."""

    @functools.wraps(fun)
    def checkpointed(*args, **kwargs):
        leaves, structure = flatten((list(args), kwargs))
        return _calls.call(_Checkpoint(fun, structure), leaves)

    return checkpointed

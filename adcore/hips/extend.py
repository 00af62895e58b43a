"""autograd's way to give functions derivative rules: primitive, defvjp, defjvp."""

import functools
import warnings

from .. import _calls
from .._trees import flatten, shape_of, unflatten
from ..transforms import stop_gradient
from .builtins import isbox
from .differential_operators import conjugated
from .vspaces import VSpace, vspace

__all__ = [
    "Box",
    "VSpace",
    "def_linear",
    "defjvp",
    "defjvp_argnum",
    "defjvp_argnums",
    "defvjp",
    "defvjp_argnum",
    "defvjp_argnums",
    "getval",
    "isbox",
    "notrace_primitive",
    "primitive",
    "primitive_jvps",
    "primitive_vjps",
    "register_notrace",
    "vspace",
]

# The rules of primitives: vjps[fun](argnums, ans, args, kwargs)(g), and
# jvps[fun](argnums, gs, ans, args, kwargs).
primitive_vjps, primitive_jvps = {}, {}


class primitive:
    """A function with rules to come by defvjp or defjvp; it is called of plain numbers."""

    def __init__(self, fun):
        functools.update_wrapper(self, fun, updated=())
        self.fun = fun

    def __get__(self, instance, owner=None):
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args, **kwargs):
        """The value, which stays differentiable in the positional arguments."""
        leaves, structure = flatten(list(args))
        return _calls.call(_Call(self, structure, kwargs), leaves)

    # -- autograd's old ways --

    def defgrad(self, maker, argnum=0):
        """defvjp(self, maker, argnums=(argnum,)), which leaves other rules as they are."""
        self._add(argnum, maker, "defgrad")

    def defvjp(self, rule, argnum=0):
        """The rule(g, ans, the vector spaces of the argument and of g, *args, **kwargs) of one."""

        def maker(ans, *args, **kwargs):
            return lambda g: rule(g, ans, vspace(args[argnum]), vspace(g), *args, **kwargs)

        self._add(argnum, maker, "defvjp")

    def defvjp_is_zero(self, argnums=(0,)):
        """Say that the derivatives in some arguments are zero."""
        for argnum in argnums:
            self._add(argnum, None, "defvjp_is_zero")

    def _add(self, argnum, maker, name):
        warnings.warn(
            f"the method {name} is deprecated; write defvjp({self.__name__}, ...)",
            DeprecationWarning,
            stacklevel=3,
        )
        self._makers = {**getattr(self, "_makers", {}), argnum: maker}
        defvjp(self, *self._makers.values(), argnums=tuple(self._makers))


class _Call:
    """The definition of a call of a primitive."""

    def __init__(self, function, structure, kwargs):
        self.function, self.structure, self.kwargs = function, structure, kwargs
        self.name = getattr(function.fun, "__name__", "a primitive")
        if function not in primitive_vjps:
            self.pull = None
        if function not in primitive_jvps:
            self.push = None

    remedy = "give it one by defvjp or defjvp"

    def rule(self, mode):
        """The name of a rule, for errors."""
        return f"the {mode} rule of {self.name}"

    def value(self, leaves):
        """The value of plain leaves."""
        return self.function.fun(*unflatten(self.structure, leaves), **self.kwargs)

    def run(self, leaves):
        """(value, nothing)."""
        return self.value(leaves), None

    def _places(self, args):
        """For each leaf the number of its argument."""
        return [i for i, a in enumerate(args) for _ in flatten(a)[0]]

    def pull(self, leaves, output, saved, ct, wanted):
        """Adjoints by what defvjp was told."""
        del saved
        args = unflatten(self.structure, leaves)
        places = self._places(args)
        argnums = sorted({places[i] for i in wanted})
        g = conjugated(unflatten(flatten(output)[1], ct))
        found = primitive_vjps[self.function](argnums, output, args, self.kwargs)(g)
        by_leaf = {}
        for argnum, adjoint in zip(argnums, found, strict=True):
            at = [i for i, p in enumerate(places) if p == argnum]
            parts = [None] * len(at) if adjoint is None else flatten(conjugated(adjoint))[0]
            by_leaf.update(zip(at, parts, strict=True))
        return [_shaped(by_leaf[i], shape_of(leaves[i])) for i in wanted]

    def push(self, leaves, output, saved, tangents):
        """Tangents by what defjvp was told."""
        del saved
        args = unflatten(self.structure, leaves)
        places = self._places(args)
        argnums = sorted({p for p, t in zip(places, tangents, strict=True) if t is not None})
        along = []
        for n in argnums:
            parts = [
                0.0 * v if t is None else t
                for p, t, v in zip(places, tangents, leaves, strict=True)
                if p == n
            ]
            along.append(unflatten(flatten(args[n])[1], parts))
        found = primitive_jvps[self.function](argnums, along, output, args, self.kwargs)
        shapes = [shape_of(v) for v in flatten(output)[0]]
        if found is None:
            return [None] * len(shapes)
        return [_shaped(v, s) for v, s in zip(flatten(found)[0], shapes, strict=True)]


def _shaped(x, shape):
    """An adjoint of one element in the shape that it is for."""
    if x is None or shape_of(x) == shape or len(shape) + len(shape_of(x)) == 0:
        return x
    return x.reshape(shape) if hasattr(x, "reshape") and x.size == 1 else x


def _of(fun):
    if not isinstance(fun, primitive):
        name = getattr(fun, "__name__", fun)
        raise TypeError(
            f"rules are for functions made by primitive; {name} is none: write {name} = "
            f"primitive({name}) first"
        )
    return fun


def defvjp_argnums(fun, maker):
    """Give a primitive its reverse rules: maker(argnums, ans, args, kwargs)(g) for all at once."""
    primitive_vjps[_of(fun)] = maker


def defvjp_argnum(fun, maker):
    """Give a primitive its reverse rules: maker(argnum, ans, args, kwargs)(g) for each."""

    def all_of_them(argnums, ans, args, kwargs):
        back = [maker(n, ans, args, kwargs) for n in argnums]
        return lambda g: [b(g) for b in back]

    defvjp_argnums(fun, all_of_them)


def _by_number(fun, rules, argnums, mode):
    known = dict(zip(range(len(rules)) if argnums is None else argnums, rules, strict=False))

    def rule_of(n):
        if n not in known:
            raise _calls.missing(
                f"{getattr(fun.fun, '__name__', 'a primitive')} has no {mode} rule for argument "
                f"{n}; give it one, or None for a derivative of zero"
            )
        return known[n]

    return rule_of


def defvjp(fun, *makers, argnums=None):
    """Give a primitive its reverse rules: makers[i](ans, *args, **kwargs)(g), None for zero."""
    maker_of = _by_number(_of(fun), makers, argnums, "reverse")

    def maker(n, ans, args, kwargs):
        found = maker_of(n)
        return (lambda _: None) if found is None else found(ans, *args, **kwargs)

    defvjp_argnum(fun, maker)


def defjvp_argnums(fun, rule):
    """Give a primitive its forward rules: rule(argnums, gs, ans, args, kwargs) for all at once."""
    primitive_jvps[_of(fun)] = rule


def defjvp_argnum(fun, rule):
    """Give a primitive its forward rules: rule(argnum, g, ans, args, kwargs), which are added."""

    def all_of_them(argnums, gs, ans, args, kwargs):
        terms = [rule(n, g, ans, args, kwargs) for n, g in zip(argnums, gs, strict=True)]
        terms = [t for t in terms if t is not None]
        return functools.reduce(_added, terms) if terms else None

    defjvp_argnums(fun, all_of_them)


def _added(a, b):
    """The sum of two containers of numbers."""
    leaves, structure = flatten(a)
    return unflatten(structure, [x + y for x, y in zip(leaves, flatten(b)[0], strict=True)])


def defjvp(fun, *rules, argnums=None):
    """Give a primitive its forward rules: rules[i](g, ans, *args, **kwargs), None for zero.

    "same" stands for the function itself with g in place of the argument.
    """
    rule_of = _by_number(_of(fun), rules, argnums, "forward")

    def rule(n, g, ans, args, kwargs):
        found = rule_of(n)
        if found is None:
            return None
        if found == "same":
            return fun(*args[:n], g, *args[n + 1 :], **kwargs)
        return found(g, ans, *args, **kwargs)

    defjvp_argnum(fun, rule)


def def_linear(fun):
    """Say that a primitive is linear in each argument."""
    defjvp_argnum(fun, lambda n, g, _, args, kwargs: fun(*args[:n], g, *args[n + 1 :], **kwargs))


def notrace_primitive(fun):
    """A function whose results are constants."""

    @functools.wraps(fun)
    def constant(*args, **kwargs):
        args, kwargs = stop_gradient((list(args), kwargs))
        return fun(*args, **kwargs)

    constant.notrace = True
    return constant


class _IsBox(type):
    def __instancecheck__(cls, instance):
        return isbox(instance)


class Box(metaclass=_IsBox):
    """The class, for isinstance(), of whatever isbox() is true of."""


def register_notrace(trace_type, fun):
    """Say that the results of a function are constants; notrace_primitive has said so before."""
    del trace_type
    if not hasattr(fun, "notrace"):
        raise TypeError(
            f"{getattr(fun, '__name__', fun)} is not made by notrace_primitive, and results of "
            "others are no constants in one mode alone"
        )


def getval(x):
    """The numbers in `x`, constants from here on."""
    return stop_gradient(x)

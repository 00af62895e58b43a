"""Functions with derivative rules of the user's: custom_vjp, custom_jvp and primitive.

A rule written in adcore's operations is differentiated like any other code: it holds in both modes
and at every order.  One rule is enough, the other mode is its transpose.
"""

import functools
import inspect
import operator

import numpy as np

from ._calls import call, missing, transposed_pull, transposed_push
from ._trees import flatten, is_tracked, shape_of, unflatten
from .errors import NotDifferentiableError, ShapeError


def _name(f):
    return getattr(f, "__name__", type(f).__name__)


def _positional(f, args, kwargs):
    """All arguments by position, defaults included."""
    if not kwargs:
        return args
    bound = inspect.signature(f).bind(*args, **kwargs)
    bound.apply_defaults()
    if bound.kwargs:
        raise TypeError(
            f"{_name(f)} has keyword-only arguments {sorted(bound.kwargs)}, which a "
            "derivative rule is not passed; make them positional"
        )
    return bound.args


def _integers(argnums):
    """nondiff_argnums as a tuple: an integer or a sequence of them."""
    try:
        given = argnums if isinstance(argnums, (tuple, list, range)) else (argnums,)
        return tuple([operator.index(i) for i in given])
    except TypeError:
        raise TypeError(f"nondiff_argnums must be integers, got {argnums!r}") from None


def _check_rule(rule, what, f, none=False):
    """A rule must be a function, or where `none`, None for a zero derivative."""
    if not (callable(rule) or (none and rule is None)):
        raise TypeError(
            f"{what} of {_name(f)} must be a function{', or None for zero' if none else ''}, got a "
            f"{type(rule).__name__}"
        )
    return rule


class _Custom:
    """What custom_vjp and custom_jvp share: a function, and which arguments have no derivative."""

    def __init__(self, f, nondiff_argnums=()):
        if not callable(f):
            raise TypeError(f"{type(self).__name__} takes a function, got a {type(f).__name__}")
        self.f = f
        self.nondiff_argnums = _integers(nondiff_argnums)
        functools.update_wrapper(self, f, updated=())

    def __get__(self, instance, owner=None):
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args, **kwargs):
        args = _positional(self.f, args, kwargs)
        for i in self.nondiff_argnums:
            if not -len(args) <= i < len(args):
                raise TypeError(
                    f"nondiff_argnums of {_name(self.f)} names argument {i}, but it was called "
                    f"with {len(args)} arguments"
                )
        static = {i % len(args) for i in self.nondiff_argnums}
        for i in static:
            if any(is_tracked(leaf) for leaf in flatten(args[i])[0]):
                raise NotDifferentiableError(
                    f"argument {i} of {_name(self.f)} is among its nondiff_argnums, but is being "
                    "differentiated here; take it out of nondiff_argnums and give it a rule, or "
                    "pass x.detach() or adcore.stop_gradient(x)"
                )
        leaves, structure = flatten(tuple(a for i, a in enumerate(args) if i not in static))
        fixed = [(i, args[i]) for i in sorted(static)]
        return call(self.definition(self, fixed, structure), leaves)


class _Definition:
    """One call of a custom function."""

    pull = push = None

    def __init__(self, custom, fixed, structure):
        self.custom, self.fixed, self.structure = custom, fixed, structure
        self.name = _name(custom.f)

    def arguments(self, leaves):
        """The arguments that are differentiated, in their structures."""
        return list(unflatten(self.structure, leaves))

    def all_arguments(self, leaves):
        """All arguments in their places."""
        args = self.arguments(leaves)
        for i, a in self.fixed:
            args.insert(i, a)
        return args

    def static(self):
        """The arguments that are not differentiated."""
        return [a for _, a in self.fixed]

    def value(self, leaves):
        """The function alone."""
        return self.custom.f(*self.all_arguments(leaves))


class _VJPDefinition(_Definition):
    @property
    def remedy(self):
        return f"write {self.name}.defvjp(fwd, bwd), fwd returning (output, residuals)"

    def rule(self, mode):
        del mode
        return f"the rule bwd of {self.name}, or the residuals of its fwd,"

    def forward(self, leaves):
        """What fwd returns: (output, residuals)."""
        if self.custom.fwd is None:
            raise missing(f"{self.name} has no derivative rule; {self.remedy}")
        pair = self.custom.fwd(*self.all_arguments(leaves))
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(
                f"fwd of {self.name} must return a pair (output, residuals), got a "
                f"{type(pair).__name__}"
            )
        return pair

    def run(self, leaves):
        output, residuals = self.forward(leaves)
        return output, [residuals]

    def pull(self, leaves, output, saved, ct, wanted):
        (residuals,) = saved or [self.forward(leaves)[1]]
        ct = unflatten(flatten(output)[1], ct)
        found = self.custom.bwd(*self.static(), residuals, ct)
        args = self.arguments(leaves)
        if len(args) == 1 and not isinstance(found, (tuple, list)):
            found = (found,)
        if not isinstance(found, (tuple, list)) or len(found) != len(args):
            got = len(found) if isinstance(found, (tuple, list)) else f"a {type(found).__name__}"
            raise ShapeError(
                f"bwd of {self.name} must return a tuple with one entry for each of "
                f"its {len(args)} differentiated arguments, got {got}"
            )
        adjoints = []
        for i, (arg, adjoint) in enumerate(zip(args, found, strict=True)):
            n = len(flatten(arg)[0])
            parts = [None] * n if adjoint is None else flatten(adjoint)[0]
            if len(parts) != n:
                raise ShapeError(
                    f"bwd of {self.name} returned {len(parts)} leaves for argument "
                    f"{i}, which has {n}"
                )
            adjoints.extend(parts)
        return [adjoints[i] for i in wanted]


class custom_vjp(_Custom):
    """A function with a reverse rule of your own.

    Parameters
    ----------
    f : callable
        Of positional arguments: numbers, arrays, or containers of them; so its results.
    nondiff_argnums : int or sequence of int
        Arguments without a derivative, of any type.

    Then ``f.defvjp(fwd, bwd)``: ``fwd`` is called as f and returns (output, residuals);
    ``bwd(residuals, ct)`` returns a tuple, one adjoint per argument, None for zero.  The arguments
    of `nondiff_argnums` come before residuals in bwd.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> @adcore.custom_vjp
    ... def log1pexp(x):
    ...     return np.log(1.0 + np.exp(x))
    >>> log1pexp.defvjp(lambda x: (log1pexp(x), x), lambda x, ct: (ct / (1.0 + np.exp(-x)),))
    >>> adcore.grad(log1pexp)(100.0)
    1.0
    >>> adcore.grad(adcore.grad(log1pexp))(0.0)
    0.25
    """

    definition = _VJPDefinition
    fwd = bwd = None

    def defvjp(self, fwd, bwd):
        """Set the rule: fwd(*args) -> (output, residuals), bwd(residuals, ct) -> adjoints."""
        self.fwd = _check_rule(fwd, "fwd", self.f)
        self.bwd = _check_rule(bwd, "bwd", self.f)


class _JVPDefinition(_Definition):
    @property
    def remedy(self):
        return (
            f"write @{self.name}.defjvp above a function (primals, tangents) -> (output, "
            "tangent of the output)"
        )

    def rule(self, mode):
        del mode
        return f"the rule jvp of {self.name}"

    def run(self, leaves):
        return self.value(leaves), None

    def push(self, leaves, output, saved, tangents):
        del saved
        if self.custom.jvp is None:
            raise missing(f"{self.name} has no derivative rule; {self.remedy}")
        tangents = [
            np.zeros(shape_of(v)) if t is None else t for v, t in zip(leaves, tangents, strict=True)
        ]
        tangents = [t if shape_of(t) else _scalar(t) for t in tangents]
        out = self.custom.jvp(
            *self.static(), tuple(self.arguments(leaves)), tuple(self.arguments(tangents))
        )
        if not isinstance(out, tuple) or len(out) != 2:
            raise TypeError(
                f"the rule jvp of {self.name} must return a pair (output, tangent), "
                f"got a {type(out).__name__}"
            )
        found = flatten(out[1])[0]
        n = len(flatten(output)[0])
        if len(found) != n:
            raise ShapeError(
                f"the rule jvp of {self.name} returned a tangent with {len(found)} "
                f"leaves, its output has {n}"
            )
        return found


def _scalar(t):
    return float(t) if isinstance(t, np.ndarray) else t


class custom_jvp(_Custom):
    """A function with a forward rule of your own.

    Parameters
    ----------
    f : callable
        Of positional arguments: numbers, arrays, or containers of them; so its results.
    nondiff_argnums : int or sequence of int
        Arguments without a derivative, of any type.

    Then ``f.defjvp(rule)``: ``rule(primals, tangents)``, each a tuple with one entry per argument,
    returns (output, tangent).  The arguments of `nondiff_argnums` come before.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> @adcore.custom_jvp
    ... def cube(x):
    ...     return x**3
    >>> @cube.defjvp
    ... def cube_jvp(primals, tangents):
    ...     (x,), (v,) = primals, tangents
    ...     return cube(x), 3.0 * x**2 * v
    >>> adcore.grad(cube)(2.0), adcore.grad(adcore.grad(cube))(2.0)
    (12.0, 12.0)
    """

    definition = _JVPDefinition
    jvp = None

    def defjvp(self, rule):
        """Set the rule: rule(primals, tangents) -> (output, tangent); a decorator."""
        self.jvp = _check_rule(rule, "the rule jvp", self.f)
        return rule

    def defjvps(self, *rules):
        """Set a rule per argument: rule(tangent, output, *args) -> tangent, None for zero."""

        def jvp(*given):
            *static, primals, tangents = given
            if static:
                raise TypeError("defjvps cannot be used with nondiff_argnums; use defjvp")
            output = self(*primals)
            terms = [r(t, output, *primals) for r, t in zip(rules, tangents, strict=True) if r]
            return output, sum(terms[1:], terms[0]) if terms else np.zeros(shape_of(output))

        self.jvp = jvp


# ---- primitives ----


class _PrimitiveDefinition:
    """One call of a primitive."""

    remedy = ""

    def __init__(self, primitive, kwargs):
        self.primitive, self.kwargs = primitive, kwargs
        self.name = _name(primitive.f)

    def rule(self, mode):
        return f"the {'jvp' if mode == 'forward' else 'vjp'} of {self.name}"

    def value(self, leaves):
        return self.primitive.f(*leaves, **self.kwargs)

    def run(self, leaves):
        return self.value(leaves), None

    def missing(self, i):
        return missing(
            f"{self.name} has no derivative rule for argument {i}; write "
            f"{self.name}.defvjp(rule, argnums=[{i}]), rule(output, *args) returning a function "
            f"from ct to the adjoint, or {self.name}.defjvp(rule, argnums=[{i}]), "
            "rule(tangent, output, *args) returning the tangent"
        )

    def pull(self, leaves, output, saved, ct, wanted):
        _, structure = flatten(output)
        found = []
        for i in wanted:
            if i in self.primitive.vjps:
                maker = self.primitive.vjps[i]
                back = maker and maker(output, *leaves, **self.kwargs)
                if maker and not callable(back):
                    raise TypeError(
                        f"the vjp of {self.name} for argument {i} must return a function from ct "
                        f"to the adjoint, got a {type(back).__name__}"
                    )
                found.append(back and back(unflatten(structure, ct)))
            elif i in self.primitive.jvps:
                found += transposed_push(self, leaves, output, saved, ct, [i])
            else:
                raise self.missing(i)
        return found

    def push(self, leaves, output, saved, tangents):
        total = None
        for i, t in enumerate(tangents):
            if t is None:
                continue
            if i in self.primitive.jvps:
                rule = self.primitive.jvps[i]
                part = rule and flatten(rule(t, output, *leaves, **self.kwargs))[0]
            elif i in self.primitive.vjps:
                only = [None] * len(tangents)
                only[i] = t
                part = transposed_pull(self, leaves, output, saved, only)
            else:
                raise self.missing(i)
            if part is not None:
                total = part if total is None else [a + b for a, b in zip(total, part, strict=True)]
        return [None] * len(flatten(output)[0]) if total is None else total


class _Primitive:
    """What primitive() returns."""

    def __init__(self, f, vjp, jvp):
        if not callable(f):
            raise TypeError(f"primitive takes a function, got a {type(f).__name__}")
        self.f = f
        self.vjps, self.jvps = {}, {}
        functools.update_wrapper(self, f, updated=())
        if vjp is not None:
            self.defvjp(*(vjp if isinstance(vjp, (tuple, list)) else (vjp,)))
        if jvp is not None:
            self.defjvp(*(jvp if isinstance(jvp, (tuple, list)) else (jvp,)))

    def defvjp(self, *rules, argnums=None):
        """Set reverse rules, one per argument: (output, *args) -> (ct -> adjoint)."""
        argnums = range(len(rules)) if argnums is None else argnums
        rules = [_check_rule(rule, "a vjp", self.f, none=True) for rule in rules]
        self.vjps.update(zip(argnums, rules, strict=True))

    def defjvp(self, *rules, argnums=None):
        """Set forward rules, one per argument: (tangent, output, *args) -> tangent."""
        argnums = range(len(rules)) if argnums is None else argnums
        rules = [_check_rule(rule, "a jvp", self.f, none=True) for rule in rules]
        self.jvps.update(zip(argnums, rules, strict=True))

    def __get__(self, instance, owner=None):
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args, **kwargs):
        return call(_PrimitiveDefinition(self, kwargs), list(args))


def primitive(f=None, vjp=None, jvp=None):
    """A black-box function of numbers and arrays, made differentiable by rules.

    Parameters
    ----------
    f : callable
        Called with plain numbers and arrays only; may use any library.  Keyword arguments are
        passed on, to the rules too, and are not differentiated.
    vjp : callable or sequence of them, one per argument
        ``rule(output, *args)`` returns a function from ct, of the output's shape, to the adjoint of
        that argument, of its shape.  None: the derivative is zero.
    jvp : callable or sequence of them, one per argument
        ``rule(tangent, output, *args)`` returns the tangent of the output that is due to that
        argument.  None: the derivative is zero.

    Either is enough.  Rules may be set later, by ``f.defvjp(*rules, argnums=None)`` and
    ``f.defjvp(*rules, argnums=None)``; without `f` this is a decorator.

    Returns
    -------
    callable

    Examples
    --------
    >>> import adcore, numpy as np, math
    >>> erf = adcore.primitive(
    ...     math.erf, vjp=lambda y, x: lambda ct: ct * 2.0 / np.sqrt(np.pi) * np.exp(-x * x)
    ... )
    >>> adcore.grad(adcore.grad(erf))(1.0) == -2.0 * adcore.grad(erf)(1.0)
    True
    """
    if f is None:
        return lambda f: _Primitive(f, vjp, jvp)
    return _Primitive(f, vjp, jvp)

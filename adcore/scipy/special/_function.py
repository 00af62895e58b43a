"""What a function of scipy.special is here: SciPy's value, and a partial derivative per argument.

A partial is a function (y, *args) of the value and the arguments, written in adcore's operations
and in other functions of this package, so that it can itself be differentiated; or None where the
derivative is zero; or a text that says why there is none.
"""

import functools
import inspect
import math
import re
from dataclasses import dataclass

import numpy as np
import scipy.special as sp

from ... import _calls, _core
from ..._named import Named
from ..._trees import flatten, shape_of
from ...rules import ufuncs
from ...rules.primitives import broadcast_to, summed_to, values
from ...rules.table import is_traced, refuse
from .._leaves import leaf
from .._surface import with_plain
from .._valued import ByOperations

functions = {}  # name -> Function
families = {}  # name -> Family, whose members join the functions when they are first needed

MOST_X = 64  # the highest order in an argument whose orders are not bounded otherwise


def find(name):
    """The Function of a name, a ValueError if there is none.

    It may be a member of a family, "jv[2]", or a quantile of a distribution, "t.ppf".
    """
    if name in functions:
        return functions[name]
    distribution, _, method = name.partition(".")
    if method:
        from .. import stats  # which imports this module, and has functions of its own
    if name in functions:
        return functions[name]
    if name in families:
        return families[name].member(*[0] * families[name].n_orders)
    family, _, orders = name.removesuffix("]").partition("[")
    if family in families and re.fullmatch(r"[0-9]{1,2}(, [0-9]{1,2})*", orders):
        orders = tuple(int(n) for n in orders.split(", "))
        if families[family].has(orders) and any(orders) and max(orders) <= MOST_X:
            return families[family].member(*orders)
    if method in ("ppf", "isf"):
        return stats.quantile_value(distribution, method == "isf")
    raise ValueError(f"the function {name[:40]!r}, which is none of adcore.scipy.special")


INTEGER = "it is an integer, and the function does not vary smoothly with it"


class Function(_core.ElementwiseFunction):
    """An elementwise function of numbers, arrays, tensors and duals.

    Parameters
    ----------
    name : str
        Also what a saved program knows it by.
    value : callable
        Of floats and float64 arrays; a ufunc, or like one.
    partials : sequence of callable, None or str
        One per argument; see the top of this file.
    plain : callable
        What is called if there is no tensor among the arguments; `value` if left out.
    ufunc : ufunc
        Whose loops give `value`, if it is no ufunc itself: of integers first, and not of doubles.
    """

    def __init__(self, name, value, partials, plain=None, ufunc=None):
        of_doubles = ufunc is None
        super().__init__(value, plain or value, len(partials), ufunc or value, None, of_doubles)
        self.name = self.__name__ = name
        self.partials = partials
        self.__doc__ = f"scipy.special.{name}, also of tensors and duals."
        functions[name] = self
        self.definition = _Elementwise(name)

    def __repr__(self):
        return f"<function {self.name} of adcore.scipy.special>"

    def call_others(self, *args, **kwargs):
        """The value of any arguments, as floats, arrays, tensors or duals."""
        if not is_traced(args):
            return as_float(self.plain(*args, **kwargs))
        if kwargs:
            if kwargs.get("where") is True:
                del kwargs["where"]
            refuse(self.name, **kwargs)
        if len(args) != len(self.partials):
            raise TypeError(f"{self.name} takes {len(self.partials)} arguments, got {len(args)}")
        return _calls.call(self.definition, [leaf(a) for a in args])

    def partial(self, i, output, leaves):
        """The derivative with respect to argument i, or None if it is zero everywhere."""
        rule = self.partials[i]
        if isinstance(rule, str):
            raise _calls.missing(
                f"scipy.special.{self.name} has no derivative with respect to argument {i}: {rule}"
            )
        if rule is None:
            return None
        try:
            found = rule(output, *leaves)
        except ArithmeticError:  # of Python's floats, which have neither 1/0 nor exp(1000)
            leaves = [np.float64(v) if type(v) is float else v for v in leaves]
            with np.errstate(all="ignore"):
                found = as_float(rule(output, *leaves))
        return in_domain(found, output)


@dataclass
class _Elementwise(Named, saved_as="scipy.special"):
    """The definition of a call of a Function: what _calls.py asks of it."""

    function: str

    remedy = "pass x.detach() for a constant"
    elementwise = True

    def __post_init__(self):
        self.found = find(self.function)
        self.compute = self.found.compute

    @property
    def name(self):
        return self.function

    def value(self, leaves):
        """The value of plain leaves."""
        return as_float(self.compute(*leaves))

    def run(self, leaves):
        """(value, nothing kept for the derivatives) of plain leaves."""
        return as_float(self.compute(*leaves)), None

    def pull(self, leaves, output, saved, ct, wanted):
        """Adjoints of the wanted leaves."""
        del saved
        found = []
        for i in wanted:
            partial = None if ct[0] is None else self.found.partial(i, output, leaves)
            if partial is not None:
                partial = summed_to(_core.apply("mul0", ct[0], partial), shape_of(leaves[i]))
            found.append(partial)
        return found

    def push(self, leaves, output, saved, tangents):
        """The tangent of the value."""
        del saved
        total = None
        for i, tangent in enumerate(tangents):
            partial = None if tangent is None else self.found.partial(i, output, leaves)
            if partial is not None:
                term = _core.apply("flow", tangent, partial)
                total = term if total is None else total + term
        shape = shape_of(output)
        if total is not None and shape_of(total) != shape:
            total = broadcast_to(total, shape)
        return [total]


class Outputs(_core.ElementwiseFunction):
    """A ufunc of several results, recorded as one call; each of them is a Function too."""

    def __init__(self, ufunc, parts):
        structure = flatten((0.0,) * len(parts))[1]
        super().__init__(None, ufunc, ufunc.nin, ufunc, structure)
        self.__name__, self.parts = ufunc.__name__, parts
        self.definition = _Several(ufunc.__name__, parts)

    def call_others(self, *args, **kwargs):
        """The results for any arguments, one after the other."""
        if not is_traced(args):
            return self.plain(*args, **kwargs)
        return tuple([part(*args, **kwargs) for part in self.parts])


class _Several(Named):
    """The definition of a call of Outputs."""

    remedy = _Elementwise.remedy
    elementwise = True

    def __init__(self, name, parts):
        self.name, self.parts = name, parts

    def pull(self, leaves, output, saved, ct, wanted):
        """Adjoints of the wanted leaves: the sums of those that the results give."""
        found = [None] * len(wanted)
        for part, y, g in zip(self.parts, output, ct, strict=True):
            one = part.definition.pull(leaves, y, saved, [g], wanted)
            found = [total(*both) for both in zip(found, one, strict=True)]
        return found

    def push(self, leaves, output, saved, tangents):
        """The tangents of the results."""
        pairs = zip(self.parts, output, strict=True)
        return [part.definition.push(leaves, y, saved, tangents)[0] for part, y in pairs]


class Valued(_core.ElementwiseFunction):
    """A function in adcore's operations whose value is a ufunc's.

    Recorded afresh it is one call, and only its derivatives are those of the operations.  In a
    compiled function, and wherever the loop of the ufunc does not reach, it is the operations.
    """

    def __init__(self, ufunc, rule, otherwise, of_doubles):
        super().__init__(None, otherwise, ufunc.nin, ufunc, None, of_doubles)
        self.definition = ByOperations(ufunc.__name__, rule)
        functools.update_wrapper(self, otherwise)

    def call_others(self, *args, **kwargs):
        """The operations, or SciPy's own function of plain arguments."""
        return self.plain(*args, **kwargs)


def total(a, b):
    """The sum of what is not None."""
    return a if b is None else b if a is None else a + b


def in_domain(partial, value):
    """The partial, and nan where the value is, although a formula may go on outside the domain."""
    if not _core.is_compiling() and not _core.has_nan(values(value)):
        return partial
    return partial * _core.apply("where", _core.apply("equal", value, value), 1.0, math.nan)


def holds(condition):
    """Whether plain truths all hold, so that what is for the others need not be computed."""
    kind = type(condition)
    if kind is np.ndarray:
        return bool(condition.all())
    return (kind is np.bool_ or kind is bool) and bool(condition)


def as_float(x):
    """A NumPy number, or an array without dimensions, as a Python float."""
    if type(x) is np.ndarray and x.ndim:
        return x
    if isinstance(x, np.floating) or (
        isinstance(x, np.ndarray) and x.ndim == 0 and x.dtype == float
    ):
        return float(x)
    return x


class Family:
    """Functions f(orders), each a derivative of one function in its parameters.

    ``kernel.value(orders)`` computes the derivative of the given orders, ``partials(family,
    orders)`` are those of a member; `most` is the highest total order in the first `parameters`
    of the arguments, or in all of them, that the kernel computes.
    """

    def __init__(self, name, kernel, partials, most, n_orders=1, parameters=None):
        self.name, self.kernel, self.partials, self.most = name, kernel, partials, most
        self.n_orders, self.parameters = n_orders, parameters
        self.member = functools.cache(self._member)
        families[name] = self

    def _member(self, *orders):
        name = f"{self.name}{list(orders)}" if any(orders) else self.name
        return Function(name, self.kernel.value(orders), self.partials(self, orders))

    def has(self, orders):
        """Whether there is a member of these orders."""
        return len(orders) == self.n_orders and sum(orders[: self.parameters]) <= self.most

    def raised(self, orders, i):
        """The partial with respect to parameter i: the member of one order more."""
        up = tuple(n + (i == j) for j, n in enumerate(orders))
        if not self.has(up):
            return f"derivatives in its parameters go to order {self.most}"
        return lambda y, *args: self.member(*up)(*args)


class Kernel:
    """The value by SciPy, derivatives in the parameters by a C function of the core.

    ``given(*args)`` are numbers that the C function takes after the arguments.
    """

    def __init__(self, name, ufunc, given=None, sign=1.0):
        self.name, self.ufunc, self.given, self.sign = name, ufunc, given, sign

    def __call__(self, orders, *args):
        more = self.given(*args) if self.given else ()
        return self.sign * _core.special(self.name, orders, *args, *more)

    def value(self, orders):
        """What computes a derivative: of no order it is SciPy's own function, with all it takes."""
        return functools.partial(self, orders) if any(orders) else self.ufunc


class CKernel:
    """Values and derivatives by a C function of the core."""

    def __init__(self, name):
        self.name = name

    def value(self, orders):
        """What computes a derivative."""
        return functools.partial(_core.special, self.name, orders)


# ---- how functions are reached ----


def define(name, *partials, value=None):
    """The Function for the ufunc of SciPy's of that name, which finds it too.

    A `value` is what the ufunc gives if its first argument is made an integer.
    """
    ufunc = getattr(sp, name)
    function = Function(name, value or ufunc, partials, plain=ufunc, ufunc=value and ufunc)
    register(ufunc, function)
    return function


def outputs(name, *rules):
    """The functions of a ufunc with several results; rules[i] are the partials of result i."""
    ufunc = getattr(sp, name)
    parts = []
    for i, partials in enumerate(rules):

        def value(*args, i=i):
            return ufunc(*args)[i]

        parts.append(Function(f"{name}[{i}]", value, partials))

    function = Outputs(ufunc, parts)
    function.__doc__ = f"scipy.special.{name}, also of tensors."
    register(ufunc, function)
    return function, parts


def register(ufunc, function):
    """Let a ufunc of SciPy's mean `function` on tensors and duals."""
    if isinstance(ufunc, np.ufunc):
        ufuncs.RULES[ufunc] = function


def composed(name, valued=False):
    """Register a function that is written in adcore's operations, for tensors and duals only.

    It is recorded as one call if it is `valued`, by the ufunc: see Valued.  "of integers" says that
    the ufunc wants some arguments to be integers, and complains of floats.
    """

    def decorate(rule):
        ufunc = getattr(sp, name)
        options = inspect.signature(rule).parameters

        @functools.wraps(rule)
        def checked(*args, **kwargs):
            if kwargs:
                refuse(name, **{k: v for k, v in kwargs.items() if k not in options})
            return rule(*args, **kwargs)

        @functools.wraps(ufunc)
        def plain(*args, **kwargs):
            return as_float(ufunc(*args, **kwargs))

        doc = rule.__doc__ or f"scipy.special.{name}, also of tensors and duals."
        function = with_plain(checked, plain, doc)
        if valued:
            function = Valued(ufunc, rule, function, of_doubles=valued != "of integers")
        else:
            function = functools.update_wrapper(_core.RowFunction(rule, function), function)
        register(ufunc, function)
        return function

    return decorate

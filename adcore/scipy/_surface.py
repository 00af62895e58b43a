"""Every name of a part of SciPy, in one of three states: differentiable, constant or refused."""

import functools
import inspect

from .._captured import captured
from ..errors import NotDifferentiableError
from ..rules.table import is_traced

GENERAL = (
    "write it with functions that are differentiable, or give it a rule by adcore.primitive, or "
    "pass x.detach().numpy() for a constant"
)


def surface(part, differentiable, constant, refuse, kept="constant"):
    """(names, state) of a part of SciPy: what it has, and a function that tells their states.

    Parameters
    ----------
    part : module
        SciPy's.
    differentiable : dict
        Name -> what takes tensors.
    constant : dict
        Name -> what depends on nothing that could be a tensor.
    refuse : (name, plain) -> object
        What stands for SciPy's own under all other names: refused(), mostly.
    kept : str
        What the state of `constant` is called.
    """
    names, states = {}, {}
    for name in part.__all__:
        if name in differentiable:
            names[name], states[name] = differentiable[name], "differentiable"
        elif name in constant:
            names[name], states[name] = constant[name], kept
        else:
            names[name], states[name] = refuse(name, getattr(part, name)), "refused"

    def state(name):
        """What a name of SciPy's is for tensors: the package's docstring has the states."""
        return states[name]

    return names, state


def named(part, keep):
    """Name -> what it is, of what `keep` is true of in a part of SciPy."""
    found = {name: getattr(part, name) for name in part.__all__}
    return {name: v for name, v in found.items() if keep(v)}


def is_thing(v):
    """Whether something is no function: a class, a module, a number."""
    return isinstance(v, type) or not callable(v)


def with_plain(rule, plain, doc=None):
    """`rule` where there is a tensor or a dual among the arguments, else `plain`, SciPy's own.

    It has the name of `plain`, and its docstring unless another is given.
    """

    @functools.wraps(rule)
    def function(*args, **kwargs):
        if is_traced(args) or (kwargs and is_traced(kwargs.values())):
            return rule(*args, **kwargs)
        return plain(*args, **kwargs)

    function.__name__ = function.__qualname__ = plain.__name__
    function.__doc__ = doc or plain.__doc__
    return function


def refused(name, plain, remedy=None, traced=is_traced):
    """SciPy's own for plain arguments, and an error for tensors."""

    def check(args, kwargs):
        if traced(args) or traced(tuple(kwargs.values())):
            raise NotDifferentiableError(
                f"{name} of a tensor has no derivative rule; {remedy or GENERAL}"
            )

    if inspect.isclass(plain):

        def __init__(self, *args, **kwargs):
            check(args, kwargs)
            plain.__init__(self, *args, **kwargs)

        body = {"__init__": functools.wraps(plain.__init__)(__init__), "__doc__": plain.__doc__}
        return type(plain.__name__, (plain,), body)

    @functools.wraps(plain)
    def function(*args, **kwargs):
        check(args, kwargs)
        return plain(*args, **kwargs)

    return function


def refuse_inside(part, remedies):
    """What surface() asks, of a part whose functions may find tensors in what they are given."""

    def refuse(name, plain):
        made = refused(f"{part.__name__}.{name}", plain, remedies.get(name), _reached)
        made.__module__ = f"adcore.{part.__name__}"
        return made

    return refuse


def _reached(items):
    return captured(items)[0]


def absent(module, part):
    """A module's __getattr__: the error for a name that SciPy has not."""

    def __getattr__(name):
        raise AttributeError(
            f"module {module} has no attribute {name!r}, nor has the installed {part.__name__}"
        )

    return __getattr__

"""Every name of a part of SciPy, in one of three states: differentiable, constant or refused."""

import functools
import inspect
import types

from .._captured import captured
from ..errors import NotDifferentiableError

GENERAL = (
    "write it with functions that are differentiable, or give it a rule by adcore.primitive, or "
    "pass x.detach().numpy() for a constant"
)


def surface(part, differentiable, constant, remedies):
    """(names, state) of a part of SciPy: what it has, and a function that tells their states.

    Parameters
    ----------
    part : module
        SciPy's.
    differentiable : dict
        Name -> what takes tensors.
    constant : set of str
        Names of what depends on nothing that could be a tensor: SciPy's own.
    remedies : dict
        Name -> what to write instead, of what takes no tensors.
    """
    names, states = {}, {}
    for name in part.__all__:
        plain = getattr(part, name)
        if name in differentiable:
            names[name], states[name] = differentiable[name], "differentiable"
        elif name in constant or isinstance(plain, types.ModuleType):
            names[name], states[name] = plain, "constant"
        else:
            names[name] = refused(part, name, remedies.get(name, GENERAL))
            states[name] = "refused"

    def state(name):
        """Whether a name of SciPy's is "differentiable", "constant" or "refused" for tensors."""
        return states[name]

    return names, state


def refused(part, name, remedy):
    """SciPy's own for plain arguments, and an error for tensors."""
    plain = getattr(part, name)

    def check(args, kwargs):
        if captured((args, kwargs))[0]:
            raise NotDifferentiableError(
                f"{part.__name__}.{name} of a tensor has no derivative rule; {remedy}"
            )

    if inspect.isclass(plain):

        def __init__(self, *args, **kwargs):
            check(args, kwargs)
            plain.__init__(self, *args, **kwargs)

        body = {"__init__": functools.wraps(plain.__init__)(__init__), "__doc__": plain.__doc__}
        made = type(name, (plain,), body)
        made.__module__ = f"adcore.{part.__name__}"
        return made

    @functools.wraps(plain)
    def function(*args, **kwargs):
        check(args, kwargs)
        return plain(*args, **kwargs)

    function.__module__ = f"adcore.{part.__name__}"
    return function

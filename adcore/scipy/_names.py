"""What the names of a part of SciPy's are that have no rule."""

import functools

from ..errors import NotDifferentiableError
from ..rules.table import is_traced

GENERAL = (
    "write it with functions that are differentiable, or give it a rule by adcore.primitive, or "
    "pass x.detach().numpy() for a constant"
)


def refused(name, plain, remedy=None, traced=is_traced):
    """SciPy's own function for plain arguments, and an error for tensors."""

    @functools.wraps(plain)
    def function(*args, **kwargs):
        if traced(args) or traced(list(kwargs.values())):
            raise NotDifferentiableError(
                f"{name} of a tensor has no derivative rule; {remedy or GENERAL}"
            )
        return plain(*args, **kwargs)

    return function

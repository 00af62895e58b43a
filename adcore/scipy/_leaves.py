"""Arguments of SciPy's functions that may be tracked, as what adcore's rules take."""

import numpy as np

from ..errors import NotDifferentiableError
from ..rules.primitives import as_array
from ..rules.table import Dual, Tensor


def array(x, what):
    """A Tensor or a Dual as it is, all else as a float64 array that nobody else has.

    `what` is what an error calls it.
    """
    x = as_array(x)
    if type(x) is Tensor or type(x) is Dual:
        return x
    if x.dtype.kind not in "biuf":
        raise NotDifferentiableError(
            f"{what} of dtype {x.dtype} cannot stand beside tensors here: it must be real, convert "
            "it to float64"
        )
    return x.astype(np.float64)


def leaf(x, what="an argument"):
    """The same, and a float where an array would have no dimension."""
    if type(x) is Tensor or type(x) is Dual or type(x) is float:
        return x
    x = array(x, what)
    return x if type(x) is Tensor or type(x) is Dual or x.ndim else float(x)

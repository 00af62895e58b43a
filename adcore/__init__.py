"""Exact gradients, Jacobians and Hessians of ordinary Python and NumPy code."""

from ._core import OPS as OPS
from ._core import Tensor as Tensor
from ._core import tensor as tensor
from .ops import *  # noqa: F403  (one function per row of the op table)

"""Exact gradients, Jacobians and Hessians of ordinary Python and NumPy code."""

# ruff: noqa: E402
import gc as _gc

# What an import makes stays, and looking through it for garbage is a tenth of the import's time.
_collects = _gc.isenabled()
_gc.disable()

from . import autograd as autograd
from . import errors as errors
from ._core import OPS as OPS
from ._core import Dual as Dual
from ._core import Tensor as Tensor
from ._core import tensor as tensor
from .autograd import enable_grad as enable_grad
from .autograd import is_grad_enabled as is_grad_enabled
from .autograd import no_grad as no_grad
from .autograd import set_grad_enabled as set_grad_enabled
from .compile import compile as compile
from .compile import load as load
from .creation import *  # noqa: F403  (constants, ranges, random numbers, as torch names them)
from .custom import custom_jvp as custom_jvp
from .custom import custom_vjp as custom_vjp
from .custom import primitive as primitive
from .ode import odeint as odeint
from .ops import *  # noqa: F403  (one function per row of the op table)
from .rules import *  # noqa: F403  (the array functions, under NumPy's names)
from .spellings import *  # noqa: F403  (the same as torch spells them)
from .spellings import missing as __getattr__  # noqa: F401  (what to write instead)
from .taylor import derivative as derivative
from .taylor import taylor as taylor
from .taylor import third as third
from .transforms import elementwise_grad as elementwise_grad
from .transforms import grad as grad
from .transforms import hessian as hessian
from .transforms import hvp as hvp
from .transforms import jacfwd as jacfwd
from .transforms import jacobian as jacobian
from .transforms import jacrev as jacrev
from .transforms import jvp as jvp
from .transforms import linearize as linearize
from .transforms import stop_gradient as stop_gradient
from .transforms import value_and_grad as value_and_grad
from .transforms import value_grad_and_hessian as value_grad_and_hessian
from .transforms import vjp as vjp

if _collects:
    if not _gc.get_freeze_count():
        _gc.freeze()
        _gc.unfreeze()  # into the oldest generation, unseen
    _gc.enable()

__version__ = "0.1.0"

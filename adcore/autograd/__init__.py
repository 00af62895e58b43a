"""Derivatives of tensors, as torch.autograd spells them."""

from .engine import backward as backward
from .engine import enable_grad as enable_grad
from .engine import grad as grad
from .engine import is_grad_enabled as is_grad_enabled
from .engine import no_grad as no_grad
from .engine import set_grad_enabled as set_grad_enabled

__all__ = [
    "backward",
    "enable_grad",
    "grad",
    "is_grad_enabled",
    "no_grad",
    "set_grad_enabled",
]

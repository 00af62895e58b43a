"""Derivatives of tensors, as torch.autograd spells them."""

from . import function as function
from . import functional as functional
from .checks import GradcheckError as GradcheckError
from .checks import gradcheck as gradcheck
from .checks import gradgradcheck as gradgradcheck
from .engine import backward as backward
from .engine import enable_grad as enable_grad
from .engine import grad as grad
from .engine import is_grad_enabled as is_grad_enabled
from .engine import no_grad as no_grad
from .engine import set_grad_enabled as set_grad_enabled
from .function import Function as Function

"""What of autograd.wrap_util others use."""

from .differential_operators import unary_to_nary

__all__ = ["unary_to_nary"]

"""What of autograd.tracer others use."""

from .extend import getval, isbox, notrace_primitive, primitive

__all__ = ["getval", "isbox", "notrace_primitive", "primitive"]

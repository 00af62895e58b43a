"""What of autograd.tracer others use."""

from .builtins import isbox
from .extend import Box, getval, notrace_primitive, primitive, register_notrace

__all__ = ["Box", "getval", "isbox", "notrace_primitive", "primitive", "register_notrace"]

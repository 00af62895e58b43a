"""References to Python functions, by which a pickle names the code that it was recorded from."""

import importlib

from . import _core


def reference_to(f):
    """(module, qualified name, fingerprint) of a function that importing finds; else None."""
    module, name = getattr(f, "__module__", None), getattr(f, "__qualname__", None)
    if module is None or name is None or _found(module, name) is not f:
        return None
    return module, name, _fingerprint(f)


def found_again(reference):
    """The function of a reference_to(); None where it is not found, or its code has changed."""
    if reference is None:
        return None
    module, name, fingerprint = reference
    f = _found(module, name)
    return None if f is None or _fingerprint(f) != fingerprint else f


def _found(module, name):
    """What stands under a name in a module, compiled or not; None if there is no such thing."""
    try:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return None
    return found.f if isinstance(found, _core.Called) else found


def _fingerprint(f):
    """A number that tells a function's code from other code; of whatever has none, 0."""

    def parts(code):
        return code.co_code, code.co_names, code.co_varnames, [*map(constant, code.co_consts)]

    def constant(c):
        if isinstance(c, frozenset):
            return sorted(map(repr, c))  # which has no order that outlives a process
        return parts(c) if hasattr(c, "co_code") else repr(c)

    code = getattr(f, "__code__", None)
    return 0 if code is None else _core.crc64(repr(parts(code)).encode())

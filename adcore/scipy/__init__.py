"""SciPy's functions on numbers, arrays, tensors and duals, in modules called as SciPy's."""

import importlib

_SUBMODULES = ("linalg",)


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(_SUBMODULES)

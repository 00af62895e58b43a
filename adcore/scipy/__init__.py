"""SciPy's functions on tensors and duals; a part is imported when it is first used."""

import importlib

_PARTS = ("integrate", "interpolate", "linalg", "optimize", "signal", "special", "stats")


def __getattr__(name):
    if name in _PARTS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__} has no attribute {name!r}; it has {', '.join(_PARTS)}")


def __dir__():
    return [*globals(), *_PARTS]

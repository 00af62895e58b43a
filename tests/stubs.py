"""The stub files of what is made at run time, written from the live package.

`make stubs` writes them; test_project.py holds them against what this module would write.  Names
and arguments are told, of types only what the table knows.
"""

import inspect
import re
from pathlib import Path

from adcore import _core, ops, rules

ROOT = Path(__file__).resolve().parents[1]
HEAD = '"""{} Written by `make stubs`."""\n\n'

# What Python looks for on a type, as far as it is the same in every version of Python.
OPERATOR = re.compile(
    "__([ri]?(add|sub|mul|matmul|truediv|floordiv|mod|divmod|pow)|neg|pos|abs|eq|ne|lt|le|gt|ge|hash"
    "|bool|int|float|complex|index|len|iter|contains|getitem|setitem|delitem|enter|exit|copy"
    "|deepcopy|array|array_ufunc|array_function)__"
)

# A row's function by the number of its arguments: what goes in tells what comes out.
PROTOCOLS = """
Array = NDArray[np.float64]

class _Unary(Protocol):
    @overload
    def __call__(self, x: float, /) -> float: ...
    @overload
    def __call__(self, x: Tensor, /) -> Tensor: ...
    @overload
    def __call__(self, x: Dual, /) -> Dual: ...
    @overload
    def __call__(self, x: ArrayLike, /) -> Array: ...

class _Family(Protocol):
    @overload
    def __call__(self, n: int, x: float, /) -> float: ...
    @overload
    def __call__(self, n: int, x: Tensor, /) -> Tensor: ...
    @overload
    def __call__(self, n: int, x: Dual, /) -> Dual: ...
    @overload
    def __call__(self, n: int, x: ArrayLike, /) -> Array: ...

class _Binary(Protocol):
    def __call__(self, x: Any, z: Any, /) -> Any: ...

class _Ternary(Protocol):
    def __call__(self, x: Any, z: Any, w: Any, /) -> Any: ...

"""


def ops_stub():
    """adcore/ops.pyi: a line for each public row."""
    lines = [HEAD.format("A function for each row of the op table.")]
    lines += ["from typing import Any, Protocol, overload\n\n", "import numpy as np\n"]
    lines += [
        "from numpy.typing import ArrayLike, NDArray\n\n",
        "from ._core import Dual, Tensor\n",
    ]
    lines.append(PROTOCOLS)
    for op in _core.OPS:
        if not op.hidden:
            kind = "_Family" if op.family else ("_Unary", "_Binary", "_Ternary")[op.n_args - 1]
            lines.append(f"{op.name}: {kind}\n")
    lines += ["\nfunctions: dict[str, Any]\n", exported(ops)]
    return "".join(lines)


def exported(module):
    """The line of __all__, which a type checker reads."""
    return f"\n__all__ = {module.__all__}\n"


def rules_stub():
    """adcore/rules/__init__.pyi: the array functions."""
    lines = [HEAD.format("The array functions."), "from typing import Any\n\n"]
    lines += [function_stub(name, getattr(rules, name)) for name in rules.__all__]
    lines.append(exported(rules))
    return "".join(lines)


def core_stub():
    """adcore/_core.pyi: the binding's classes, functions and tables."""
    lines = [HEAD.format("Tape, Tensor, Dual, OPS and the derivatives of what was recorded.")]
    lines.append("from typing import Any\n\n")
    for name, item in sorted(vars(_core).items()):
        home = getattr(item, "__module__", None)
        if name.startswith("_") or (home is not None and home != _core.__name__):
            continue
        if isinstance(item, type):
            lines.append(class_stub(name, item))
        elif callable(item):
            lines.append(function_stub(name, item))
        elif isinstance(item, (dict, tuple)):
            lines.append(f"{name}: {type(item).__name__}\n")
    return "".join(lines)


def class_stub(name, cls):
    """Methods and attributes of a class, its own and those that it was given."""
    lines = [f"\nclass {name}:\n"]
    lines.append("    def __init__(self, *args: Any, **kwargs: Any) -> None: ...\n")
    for member, item in sorted(vars(cls).items()):
        if member.startswith("__"):
            if OPERATOR.fullmatch(member):
                lines.append(f"    def {member}(self, *args: Any) -> Any: ...\n")
        elif callable(item):
            lines.append("    " + function_stub(member, item, method=True))
        else:
            lines.append(f"    @property\n    def {member}(self) -> Any: ...\n")
    return "".join(lines) + "\n"


def function_stub(name, function, method=False):
    """One line: the signature with every type open; NumPy's own, which may change, is not told."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        signature = None
    if signature is None or function.__module__.startswith("numpy"):
        return f"def {name}({'self, ' if method else ''}*args: Any, **kwargs: Any) -> Any: ...\n"
    words, keyword_only, positional_only = [], False, False
    for i, parameter in enumerate(signature.parameters.values()):
        if positional_only and parameter.kind != parameter.POSITIONAL_ONLY:
            words.append("/")
        positional_only = parameter.kind == parameter.POSITIONAL_ONLY
        if parameter.kind == parameter.KEYWORD_ONLY and not keyword_only:
            words.append("*")
        keyword_only |= parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        default = "" if parameter.default is parameter.empty else " = ..."
        text = "self" if method and i == 0 else f"{star}{parameter.name}: Any{default}"
        words.append(text)
    if positional_only:
        words.append("/")
    return f"def {name}({', '.join(words)}) -> Any: ...\n"


STUBS = {
    "adcore/_core.pyi": core_stub,
    "adcore/ops.pyi": ops_stub,
    "adcore/rules/__init__.pyi": rules_stub,
}

if __name__ == "__main__":
    for path, stub in STUBS.items():
        (ROOT / path).write_text(stub())

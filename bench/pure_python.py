"""Automatic differentiation in plain Python: the baseline that adcore is measured against.

Written to be as fast as this can honestly be made without leaving the interpreter:

gradient(f, x)             reverse mode: a tape of first partials, one sweep
gradient_by_duals(f, x)    forward mode: a dual number, one run of f per input
hessian(f, x)              forward over reverse: one recording of first and second partials, then
                           one forward and one reverse sweep per input

`f` takes a list of n numbers and returns one number; it calls the functions of this module
(`exp`, `sin`, `arctan` ..., named as in NumPy), which also accept floats.  `rebind(f)` lets a
function written with `np.exp` run here as it stands.

The methods of the number classes are generated from two tables of rules, as the standard
library's namedtuple does: the expressions stand inline, so that a rule costs no call of its own.
"""

import math  # noqa: F401  (the generated methods use it)
import sys
import types
from math import pi  # noqa: F401  (np.pi to a function that was rebound)

# x is the argument, y the value, d the first derivative.
#          value           first                       second
UNARY = {
    "neg":    ("-x",            "-1.0",                     "0.0"),
    "exp":    ("math.exp(x)",   "y",                        "y"),
    "expm1":  ("math.expm1(x)", "y + 1.0",                  "d"),
    "log":    ("math.log(x)",   "1.0 / x",                  "-d * d"),
    "log1p":  ("math.log1p(x)", "1.0 / (1.0 + x)",          "-d * d"),
    "sqrt":   ("math.sqrt(x)",  "0.5 / y",                  "-0.5 * d / x"),
    "sin":    ("math.sin(x)",   "math.cos(x)",              "-y"),
    "cos":    ("math.cos(x)",   "-math.sin(x)",             "-y"),
    "tan":    ("math.tan(x)",   "1.0 + y * y",              "2.0 * y * d"),
    "arcsin": ("math.asin(x)",  "1.0 / math.sqrt(1.0 - x * x)",  "x * d * d * d"),
    "arccos": ("math.acos(x)",  "-1.0 / math.sqrt(1.0 - x * x)", "x * d * d * d"),
    "arctan": ("math.atan(x)",  "1.0 / (1.0 + x * x)",      "-2.0 * x * d * d"),
    "sinh":   ("math.sinh(x)",  "math.cosh(x)",             "y"),
    "cosh":   ("math.cosh(x)",  "math.sinh(x)",             "y"),
    "tanh":   ("math.tanh(x)",  "1.0 - y * y",              "-2.0 * y * d"),
}  # fmt: skip

# x and z are the arguments, y the value, dx and dz the first partials.  In the second row of pow
# the conditions keep 0.0 ** negative from being evaluated where its factor is zero.
#            value     dx        dz      dxx    dxz          dzz
BINARY = {
    "add":     ("x + z",  "1.0",     "1.0",     "0.0", "0.0",       "0.0"),
    "sub":     ("x - z",  "1.0",     "-1.0",    "0.0", "0.0",       "0.0"),
    "mul":     ("x * z",  "z",       "x",       "0.0", "1.0",       "0.0"),
    "truediv": ("x / z",  "1.0 / z", "-y / z",  "0.0", "-1.0 / (z * z)", "2.0 * y / (z * z)"),
    "pow":     ("x ** z", "z * x ** (z - 1) if z else 0.0",
                          "y * math.log(x)",
                          "z * (z - 1) * x ** (z - 2) if z not in (0, 1) else 0.0",
                          "x ** (z - 1) * (1.0 + z * math.log(x))",
                          "y * math.log(x) ** 2"),
}  # fmt: skip


class Number:
    """What `exp` and the others recognise; the rest comes from the tables."""

    __slots__ = ()


class Dual(Number):
    """value + tangent * epsilon, epsilon**2 = 0."""

    __slots__ = ("tangent", "value")

    def __init__(self, value, tangent):
        self.value = value
        self.tangent = tangent


class Var(Number):
    """A value on a tape whose rows are (a, dy/da) or (a, dy/da, b, dy/db), a and b being rows."""

    __slots__ = ("index", "tape", "value")

    def __init__(self, value, index, tape):
        self.value = value
        self.index = index
        self.tape = tape


class CurvedVar(Var):
    """A value on a tape whose rows go on with the second partials.

    (a, dy/da, d2y/daa) or (a, dy/da, b, dy/db, d2y/daa, d2y/dab, d2y/dbb).
    """

    __slots__ = ()


def _product(factor, name):
    """The text of factor * name, with nothing to multiply where factor is 1 or -1."""
    return {"1.0": name, "-1.0": f"-{name}"}.get(factor, f"({factor}) * {name}")


def _dual_result(first, second, a="self", b="other"):  # noqa: ARG001  (one signature for all)
    terms = [_product(d, f"{v}.tangent") for d, v in zip(first, (a, b), strict=False)]
    return [f"return Dual(y, {' + '.join(terms)})"]


def _tape_result(cls, partials, a="self", b="other"):
    indexed = [f"{v}.index, {d}" for d, v in zip(partials[0], (a, b), strict=False)]
    return [
        f"tape = {a}.tape",
        f"tape.append(({', '.join(indexed + partials[1])}))",
        f"return {cls}(y, len(tape) - 1, tape)",
    ]


def _var_result(first, second, a="self", b="other"):  # noqa: ARG001
    return _tape_result("Var", (first, []), a, b)


def _curved_result(first, second, a="self", b="other"):
    return _tape_result("CurvedVar", (first, list(second)), a, b)


def _method(name, signature, lines):
    return "\n    ".join([f"def {name}({signature}):", *lines])


def _methods(cls, result):
    """Source of every method of `cls`, by name; `result` writes the lines that make the result."""
    for name, (value, first, second) in UNARY.items():
        lines = ["x = self.value", f"y = {value}", f"d = {first}"]
        method = "__neg__" if name == "neg" else name
        yield method, _method(method, "self", lines + result(["d"], [second]))
    for name, (value, dx, dz, dxx, dxz, dzz) in BINARY.items():
        both = [
            f"if type(other) is {cls}:",
            *("    " + line for line in ["x = self.value", "z = other.value", f"y = {value}"]),
            *("    " + line for line in result([dx, dz], [dxx, dxz, dzz])),
        ]
        left = ["x = self.value", "z = other", f"y = {value}", *result([dx], [dxx])]
        yield f"__{name}__", _method(f"__{name}__", "self, other", both + left)
        right = ["z = self.value", "x = other", f"y = {value}", *result([dz], [dzz])]
        yield f"__r{name}__", _method(f"__r{name}__", "self, other", right)


def _define(source, name):
    """The function that `source` defines under `name`, with this module's names as its globals."""
    namespace = {}
    exec(source, globals(), namespace)
    return namespace[name]


def _generate():
    results = {Dual: _dual_result, Var: _var_result, CurvedVar: _curved_result}
    for cls, result in results.items():
        for name, source in _methods(cls.__name__, result):
            setattr(cls, name, _define(source, name))
    for name, (value, _, _) in UNARY.items():
        source = f"return x.{name}() if isinstance(x, Number) else {value}"
        if name != "neg":
            globals()[name] = _define(_method(name, "x", [source]), name)


_generate()


def gradient(f, x):
    """Value and gradient of `f` at the floats `x`, by one recording and one reverse sweep."""
    n = len(x)
    tape = [None] * n  # the inputs
    y = f([Var(value, index, tape) for index, value in enumerate(x)])
    if not isinstance(y, Var):  # f is constant
        return y, [0.0] * n
    adjoint = [0.0] * len(tape)
    adjoint[y.index] = 1.0
    for index in range(y.index, n - 1, -1):
        row = tape[index]
        ybar = adjoint[index]
        if len(row) == 2:
            a, da = row
            adjoint[a] += ybar * da
        else:
            a, da, b, db = row
            adjoint[a] += ybar * da
            adjoint[b] += ybar * db
    return y.value, adjoint[:n]


def gradient_by_duals(f, x):
    """Value and gradient of `f` at the floats `x`, by one run of `f` on duals per input."""
    n = len(x)
    slopes = []
    for i in range(n):
        y = f([Dual(x[j], 1.0 if j == i else 0.0) for j in range(n)])
        if not isinstance(y, Dual):  # f is constant
            return y, [0.0] * n
        slopes.append(y.tangent)
    return y.value, slopes


def hessian(f, x):
    """Value, gradient and Hessian (n rows of n) of `f` at the floats `x`."""
    n = len(x)
    tape = [None] * n
    y = f([CurvedVar(value, index, tape) for index, value in enumerate(x)])
    if not isinstance(y, CurvedVar):  # f is constant
        return y, [0.0] * n, [[0.0] * n for _ in range(n)]
    del tape[y.index + 1 :]

    adjoint = [0.0] * len(tape)
    adjoint[y.index] = 1.0
    for index in range(y.index, n - 1, -1):
        row = tape[index]
        ybar = adjoint[index]
        if len(row) == 3:
            adjoint[row[0]] += ybar * row[1]
        else:
            adjoint[row[0]] += ybar * row[1]
            adjoint[row[2]] += ybar * row[3]
    return y.value, adjoint[:n], [_hessian_row(tape, adjoint, n, i) for i in range(n)]


def _hessian_row(tape, adjoint, n, i):
    """The derivative of the adjoints of the n inputs along input i."""
    tangent = [0.0] * n
    tangent[i] = 1.0
    append = tangent.append
    for row in tape[n:]:
        if len(row) == 3:
            append(row[1] * tangent[row[0]])
        else:
            append(row[1] * tangent[row[0]] + row[3] * tangent[row[2]])
    slope = [0.0] * len(tape)  # of the adjoints
    for index in range(len(tape) - 1, n - 1, -1):
        row = tape[index]
        ybar = adjoint[index]
        ybardot = slope[index]
        if len(row) == 3:
            a, da, daa = row
            slope[a] += ybardot * da + ybar * daa * tangent[a]
        else:
            a, da, b, db, daa, dab, dbb = row
            adot = tangent[a]
            bdot = tangent[b]
            slope[a] += ybardot * da + ybar * (daa * adot + dab * bdot)
            slope[b] += ybardot * db + ybar * (dab * adot + dbb * bdot)
    return slope[:n]


def rebind(function):
    """A copy of `function` in which the global name `np` means this module."""
    names = {**function.__globals__, "np": sys.modules[__name__]}
    copy = types.FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy

"""The same works written by hand, in C and in NumPy: what adcore's replay is measured against.

The C files of this folder are compiled by the system compiler, as a user would who wants speed:
`-O3 -march=native`, nothing that changes results.  They are built into build/bench, again only if
a file or the command has changed.
"""

import ctypes
import hashlib
import os
import shlex
import subprocess
from pathlib import Path

import numpy as np

from common import ROOT

FOLDER = Path(__file__).resolve().parent
COMMAND = [*shlex.split(os.environ.get("CC", "gcc")), "-O3", "-march=native", "-fPIC", "-shared"]


class InC:
    """A function in C that does its work many times per call.

    The call from Python costs as much as a thousand numbers do in C: it is made once for `times`
    works, which common.interleaved() divides by.
    """

    def __init__(self, function, times, *arguments, result):
        """Arguments are arrays of float64, ints (size_t) and floats; `result` is the last of them.

        Two arrays, given as a tuple, are two arguments of the function.
        """
        self.times = times
        self.result = result
        self._kept = arguments  # the pointers below do not keep the arrays alive
        self._function = function
        results = result if isinstance(result, tuple) else (result,)
        self._arguments = [_as_c(argument) for argument in (times, *arguments, *results)]

    def __call__(self):
        """Do the work `times` times."""
        self._function(*self._arguments)


def _as_c(argument):
    if isinstance(argument, np.ndarray):
        if argument.dtype != np.float64 or not argument.flags.c_contiguous:
            raise TypeError("the functions in C take contiguous arrays of float64")
        return argument.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
    return ctypes.c_double(argument) if isinstance(argument, float) else ctypes.c_size_t(argument)


def library(name):
    """The shared library made of `name`.c."""
    source = FOLDER / f"{name}.c"
    key = hashlib.sha256(source.read_bytes() + repr(COMMAND).encode() + _processor()).hexdigest()
    target = ROOT / "build" / "bench" / f"{name}-{key[:16]}.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(f".{os.getpid()}")
        subprocess.run([*COMMAND, str(source), "-o", str(part), "-lm"], check=True)
        part.replace(target)
    return ctypes.CDLL(str(target))


def _processor():
    """What -march=native depends on, as far as it is known: a build folder may travel."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_bytes().splitlines() if cpuinfo.exists() else []
    return b"".join(line for line in lines if line.startswith(b"flags"))


def rosenbrock_gradient(x, reassociated=False):
    """Value and gradient of the chained Rosenbrock function; if asked, with its sum in lanes."""
    name = "rosenbrock_gradient_reassociated" if reassociated else "rosenbrock_gradient"
    function = getattr(library("rosenbrock"), name)
    times = max(1, 1_000_000 // len(x))
    return InC(function, times, len(x), x, result=(np.empty(()), np.empty_like(x)))


def rosenbrock_hessian(x):
    """Dense Hessian of the same."""
    n = len(x)
    return InC(library("rosenbrock").rosenbrock_hessian, 2000, n, x, result=np.zeros((n, n)))


def rosenbrock_hessian_entries(x):
    """The entries of the same as a CSR matrix of three diagonals."""
    n = len(x)
    function, times = library("rosenbrock").rosenbrock_hessian_entries, max(1, 1_000_000 // n)
    return InC(function, times, n, x, result=np.empty(3 * n - 2))


def surface_hessian_entries(x):
    """Those of the Hessian of sparse_problems.minimal_surface(), nine a row inside."""
    m = round(len(x) ** 0.5)
    function, work = library("minimal_surface").surface_hessian_entries, np.empty(6 * (m + 1))
    return InC(function, 1, m, x, work, result=np.empty((3 * m - 2) ** 2))


def lotka_volterra_gradient(p, step, forward=False):
    """Value and gradient of problems.lotka_volterra(), by adjoints or by tangents."""
    name = "lotka_volterra_gradient_forward" if forward else "lotka_volterra_gradient"
    function = getattr(library("lotka_volterra"), name)
    return InC(function, 20, p, step, result=(np.empty(()), np.empty(6)))


def lotka_volterra_hessian(p, step):
    """Hessian of the same."""
    function = library("lotka_volterra").lotka_volterra_hessian
    return InC(function, 20, p, step, result=np.empty((6, 6)))


def rows_gradient(rows):
    """Gradients of problems.of_row() at the rows of a matrix."""
    return InC(library("rows").rows_gradient, 1, len(rows), rows, result=np.empty_like(rows))

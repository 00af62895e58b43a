"""Programs as machine code: built by the system's C compiler, kept on disk, loaded."""

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

from . import _c_source, _core
from .errors import TapeError

# As the core itself is built, so that results agree; -fno-trapping-math lets choices be vectorised.
FLAGS = ("-std=c99", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off")
SHARED = ("-shared", "-fPIC")
_COMPILERS = ("cc", "gcc", "clang")
_lock = threading.Lock()


class NativeError(RuntimeError):
    """Why there is no machine code."""


def use(program):
    """Let a program run as machine code; the reason if it cannot, or None.  Asked for once."""
    with _lock:
        if program.backend is None:
            try:
                _attach(program)
                program.backend = ("c", None)
            except (NativeError, TapeError) as error:
                program.backend = ("interpreter", str(error))
        return program.backend[1]


def _attach(program):
    text, n_work, ops = _core.program_as_c(program, "program")
    prototype = "int program(const double *const *, double *const *, double *);\n"
    library = load("\n".join([_c_source.helpers(ops), prototype, text]))
    address = ctypes.cast(library.program, ctypes.c_void_p).value
    program.use_native(address, n_work, library)


def load(source):
    """The library of a C file, built unless it is in the cache."""
    path = built(source)
    try:
        return ctypes.CDLL(str(path))
    except OSError:
        path.unlink(missing_ok=True)  # of another machine, or damaged
        return ctypes.CDLL(str(built(source)))


def built(source):
    """The path of the library of a C file.

    It is named after all that goes into it, and put in place in one step: other processes may do
    the same at the same time.
    """
    command, identity = compiler()
    key = hashlib.sha256("\0".join([source, *identity]).encode()).hexdigest()
    folder = cache_folder()
    path = folder / f"{key[:40]}.so"
    if path.exists():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as own:
            file, library = Path(own, "program.c"), Path(own, "program.so")
            file.write_text(source)
            _run([*command, *FLAGS, *SHARED, "-o", str(library), str(file), "-lm"])
            os.replace(library, path)
    except OSError as error:
        raise NativeError(f"{folder} cannot be written: {error}") from error
    return path


def cache_folder():
    """Where libraries are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "adcore")


def compiler():
    """(command, what tells it from others) of the C compiler: $CC, or the first there is."""
    return _compiler(os.environ.get("CC", ""), os.environ.get("PATH", ""))


@functools.lru_cache
def _compiler(wanted, path):
    candidates = [wanted.split()] if wanted.strip() else [[c] for c in _COMPILERS]
    for candidate in candidates:
        if shutil.which(candidate[0], path=path):
            command = [*candidate, "-march=native"]
            try:
                _run([*command, "-x", "c", "-fsyntax-only", os.devnull])
            except NativeError:
                command = candidate
            version = _run([*candidate, "--version"])
            return command, (*command, *FLAGS, version, platform.machine(), _processor())
    names = wanted.split()[0] if wanted.strip() else ", ".join(_COMPILERS)
    raise NativeError(f"no C compiler was found ({names}); install one, or set CC")


def _processor():
    """What the compiler may have made use of in this processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    told = ("flags", "Features", "model name", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(told)}))


def _run(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NativeError(f"{command[0]} cannot be run: {error}") from error
    if done.returncode:
        first = (done.stderr or done.stdout).strip().splitlines()[:3]
        raise NativeError(f"{command[0]} failed: {' '.join(first)}")
    return done.stdout

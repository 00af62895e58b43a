"""Programs as machine code: built by the system's C compiler, kept on disk, loaded."""

import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from . import _c_source, _core
from .errors import TapeError

# As the core itself is built, so that results agree; -fno-trapping-math lets choices be vectorised.
FLAGS = ("-std=c99", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off")
SHARED = ("-shared", "-fPIC")
_COMPILERS = ("cc", "gcc", "clang")
CACHE_BYTES = 1 << 28  # of libraries that are kept
# Functions of 1024 statements each, of which one takes a compiler 0.2 to 0.7 s, however many
# there are: it is the time alone that limits them.
MOST_PARTS = 50
ABANDONED = 86400.0  # seconds after which a build has failed
_lock = threading.Lock()


class NativeError(RuntimeError):
    """Why there is no machine code."""


def use(program):
    """Let a Program or a RowMap run as machine code; the reason if it cannot, or None.

    The compiler is asked once.
    """
    with _lock:
        if program.backend is None:
            try:
                _attach(program)
                program.backend = ("c", None)
            except (NativeError, TapeError) as error:
                program.backend = ("interpreter", str(error))
        return program.backend[1]


def _attach(program):
    written = program.as_c("program")
    if written is None:  # rows that are run by a program, one by one
        return
    text, n_work, ops = written
    parts = text.count("AD_APART static ")
    if parts > MOST_PARTS:
        raise NativeError(
            f"it has some {parts * 1024} steps that do not repeat themselves, "
            f"for which a compiler takes minutes; the limit is {MOST_PARTS * 1024}.  Steps alike "
            "are rolled up: loops whose rounds do the same, and arrays, count once"
        )
    prototype = "int program(const double *const *, double *const *, double *);\n"
    library = load("\n".join([_c_source.helpers(ops, loops=True), prototype, text]))
    try:
        for name, addresses in _core.loops_of(ops).items():
            (ctypes.c_void_p * 2).in_dll(library, f"ad_loop_{name}")[:] = addresses
        address = ctypes.cast(library.program, ctypes.c_void_p).value
    except (AttributeError, ValueError) as error:
        raise NativeError(f"{compiler()[0][0]} made no function: {error}") from error
    program.use_native(address, n_work, library)


def load(source):
    """The library of a C file, built unless it is in the cache.

    Where the cache cannot be written, the library is built in a folder of its own, which is gone
    once it is loaded.
    """
    command, identity = compiler()
    key = hashlib.sha256("\0".join([source, *identity]).encode()).hexdigest()[:40]
    try:
        folder = cache_folder()
        path = _kept(source, command, folder, key)
        try:
            return ctypes.CDLL(str(path))
        except OSError:
            path.unlink(missing_ok=True)  # of another machine, damaged, or just dropped
            path = _kept(source, command, folder, key)
    except OSError:
        with tempfile.TemporaryDirectory(prefix="adcore-") as own:
            return _opened(_built(source, command, own))
    return _opened(path)


def _opened(path):
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise NativeError(f"what {compiler()[0][0]} made cannot be loaded: {error}") from error


def _kept(source, command, folder, key):
    """The path of a library in the cache.

    It is named after all that goes into it, and put in place in one step: other processes may do
    the same at the same time.
    """
    path = folder / f"{key}.so"
    if path.exists():
        with contextlib.suppress(OSError):
            os.utime(path)  # it was of use
        return path
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as own:
        os.replace(_built(source, command, own), path)
    _drop_old(folder, path)
    return path


def _built(source, command, folder):
    file, library = Path(folder, "program.c"), Path(folder, "program.so")
    file.write_text(source)
    _run([*command, *FLAGS, *SHARED, "-o", str(library), str(file), "-lm"])
    return library


def _drop_old(folder, new):
    """Keep the cache below CACHE_BYTES: libraries of no use for longest go first.

    Those that are loaded stay in memory; a process that comes too late builds its own again.
    """
    found, now = [], time.time()
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            with contextlib.suppress(OSError):
                status = path.stat()
                if path.suffix == ".so":
                    found.append((status.st_mtime, status.st_size, path))
                elif path.name.startswith("tmp") and now - status.st_mtime > ABANDONED:
                    shutil.rmtree(path, ignore_errors=True)  # of a process that was killed
    left = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if left <= CACHE_BYTES:
            break
        if path != new:
            with contextlib.suppress(OSError):
                path.unlink()
            left -= size


def cache_folder():
    """Where libraries are kept."""
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(base, "adcore") if base else Path(os.path.expanduser("~"), ".cache", "adcore")


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

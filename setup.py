"""Build of the one extension, adcore._core; everything else is in pyproject.toml."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from glob import glob

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# No -march=native: kernels choose their vector width at run time.  No -ffast-math: nan, inf and
# signed zero are part of the results.  No contraction: the same digits from every compiler.
# For the debugger lines alone: Python's own -g doubles the library and takes a third longer to
# compile.
GCC_FLAGS = [
    "-std=c11",
    "-O3",
    "-g1",
    "-fno-math-errno",
    "-ffp-contract=off",
    "-fvisibility=hidden",
]
MSVC_FLAGS = ["/std:c11", "/O2", "/fp:precise"]

# Sources that the package carries as texts: they are part of the C that it writes.
C_TEXTS = [
    "ad_c_runtime.h",
    "ad_elementary.h",
    "ad_gamma.h",
    "ad_normal.h",
    "ad_special.h",
    "ad_special.c",
]


class Build(build_ext):
    """build_ext with the flags of the compiler at hand, compiling on all cores."""

    def build_extensions(self):
        """Set the flags, and let the compiler object compile its files side by side.

        With --debug nothing is optimised: it builds in a fraction of the time.
        """
        flags = MSVC_FLAGS if self.compiler.compiler_type == "msvc" else GCC_FLAGS
        if self.debug:
            flags = [{"-O3": "-O0", "-g1": "-g", "/O2": "/Od"}.get(flag, flag) for flag in flags]
        for extension in self.extensions:
            extension.extra_compile_args = flags
        compile_in_order = self.compiler.compile

        def compile_at_once(sources, *args, **kwargs):
            def compile_one(source):
                return compile_in_order([source], *args, **kwargs)

            with ThreadPoolExecutor(os.cpu_count()) as pool:
                return [name for names in pool.map(compile_one, sources) for name in names]

        self.compiler.compile = compile_at_once
        super().build_extensions()
        if not self.inplace:
            folder = os.path.join(self.build_lib, "adcore", "_c_texts")
            os.makedirs(folder, exist_ok=True)
            for name in C_TEXTS:
                shutil.copy(os.path.join("src_c", name), folder)


core = Extension(
    "adcore._core",
    sources=["adcore/_core.pyx", *sorted(glob("src_c/*.c"))],
    depends=[
        name
        for pattern in ("src_c/*.h", "src_c/*.def", "adcore/*.pxd", "adcore/*.pxi")
        for name in sorted(glob(pattern))
    ],
    include_dirs=["src_c", numpy.get_include()],
    define_macros=[
        ("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION"),
        ("NPY_TARGET_VERSION", "NPY_1_22_API_VERSION"),  # that of PyDataMem_SetHandler()
    ],
)

setup(
    ext_modules=cythonize([core], language_level=3),
    cmdclass={"build_ext": Build},
)

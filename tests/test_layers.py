"""Imports and includes point one way.  The graph is written once, here.

C: a file includes only its own header and modules earlier in C_ORDER.  Python: a module imports
only what PYTHON_MAY_IMPORT names, wherever in the file the import stands.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Modules of src_c, each standing for its .c, .h and .def; a file uses only those before its own.
C_ORDER = [
    "ad_base",
    "ad_status",
    "ad_elementary",
    "ad_gamma",
    "ad_normal",
    "ad_special",
    "ad_jet",
    "ad_quadrature",
    "ad_special_gamma",
    "ad_special_student",
    "ad_special_tails",
    "ad_special_bessel",
    "ad_special_hyper",
    "ad_functions",
    "ad_ops",
    "ad_point",
    "ad_point_value",
    "ad_numbers",
    "ad_dual",
    "ad_steps",
    "ad_series",
    "ad_view",
    "ad_blocks",
    "ad_linalg",
    "ad_lapack",
    "ad_sequence",
    "ad_kernel",
    "ad_kernel_parts",
    "ad_kernel_solve",
    "ad_kernel_det",
    "ad_kernel_spectral",
    "ad_kernel_dense",
    "ad_kernel_run",
    "ad_work",
    "ad_sort",
    "ad_index",
    "ad_tape",
    "ad_record",
    "ad_handle",
    "ad_draw",
    "ad_compact",
    "ad_lanes",
    "ad_gather",
    "ad_compute",
    "ad_product",
    "ad_norm",
    "ad_sweep_array",
    "ad_sweep",
    "ad_formula",
    "ad_taylor",
    "ad_emit_algebra",
    "ad_emit_terms",
    "ad_emit_tangent",
    "ad_emit_forward",
    "ad_adjoints",
    "ad_emit_norm",
    "ad_emit",
    "ad_through",
    "ad_push_terms",
    "ad_push",
    "ad_emit_along",
    "ad_program",
    "ad_check",
    "ad_io",
    "ad_io_read",
    "ad_rewrite",
    "ad_simplify",
    "ad_common",
    "ad_sums",
    "ad_level",
    "ad_vector",
    "ad_reroll",
    "ad_unroll",
    "ad_optimise",
    "ad_overlap",
    "ad_group",
    "ad_fuse",
    "ad_words",
    "ad_lower",
    "ad_moves",
    "ad_ahead",
    "ad_plan",
    "ad_frame",
    "ad_run_words",
    "ad_run",
    "ad_batch",
    "ad_map",
    "ad_profile",
    "ad_look",
    "ad_c_runtime",
    "ad_c_text",
    "ad_c_roll",
    "ad_c_write",
    "ad_c_statements",
    "ad_c_values",
    "ad_c_run",
    "ad_c_group",
    "ad_to_c",
    "ad_entries",
    "ad_derivation",
    "ad_derive",
    "ad_pattern",
    "ad_sets",
    "ad_buckets",
    "ad_order",
    "ad_color",
    "ad_bicolor",
    "ad_recover",
    "ad_facts",
    "ad_depend_rows",
    "ad_depend",
    "ad_edge_pool",
    "ad_edge_sweep",
    "ad_edge_elements",
    "ad_edge_array",
    "ad_edge",
    "ad_jacobian_bicolor",
    "ad_pushed",
    "ad_jacobian",
]
C_STANDARD = {
    *("assert.h", "errno.h", "fenv.h", "float.h", "inttypes.h", "limits.h", "math.h", "stdalign.h"),
    *("stdarg.h", "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h"),
    *("string.h", "tgmath.h", "threads.h", "time.h"),
}

EVERYTHING = "every module below adcore"
LOW = {"_core", "errors", "_trees"}
BASE = LOW | {"ops", "rules"}
# Module of adcore (a package stands for all its files): what it may import.
PYTHON_MAY_IMPORT = {
    "__init__": EVERYTHING,
    "errors": set(),
    "_core": {"errors"},
    "_trees": {"_core", "errors"},
    "ops": {"_core", "errors"},
    "_recording": LOW,
    "_edges": LOW | {"_recording"},
    "_holomorphic": LOW | {"_recording"},
    "transforms": LOW | {"_recording", "_holomorphic"},
    "_data": {"_trees", "errors"},
    "_named": {"_data", "_trees", "errors"},
    "_calls": LOW | {"_named", "transforms"},
    "rules": BASE | {"_calls", "_named"},
    "complexes": BASE | {"_calls", "_named"},
    "creation": BASE,
    "spellings": BASE | {"creation"},
    "taylor": BASE | {"_named", "transforms"},
    "_captured": {"_core", "errors"},
    "_implicit": BASE | {"_calls", "_captured", "_named", "transforms"},
    "_minima": BASE | {"_implicit", "transforms"},
    "implicit": BASE | {"_implicit", "_minima", "transforms"},
    "custom": BASE | {"transforms", "_calls"},
    "_progress": set(),
    "_snapshot": {"_core"},
    "_arguments": BASE | {"_snapshot"},
    "_paths": BASE | {"_arguments", "_files"},
    "_map": BASE | {"_arguments", "_progress"},
    "_files": {"_core", "_data", "_snapshot", "errors"},
    "_look": BASE,
    "_summary": BASE | {"_look"},
    "_profile": BASE | {"_look"},
    "_plot": BASE | {"_look"},
    "_c_source": {"_core", "errors"},
    "_native": {"_core", "_c_source", "errors"},
    "_code_reference": {"_core"},
    "_coloring": {"_core", "errors"},
    "_replayed": BASE | {"_arguments", "_paths", "_files", "_native"},
    "_sparse": {"_trees", "_recording"},
    "_derivatives": BASE | {"transforms", "_arguments", "_replayed", "_sparse"},
    "_compiled_call": BASE | {"_arguments", "_calls"},
    "compile": BASE
    | {"_calls", "_replayed", "_derivatives", "_compiled_call", "_snapshot"}
    | {
        "_c_source",
        "_code_reference",
        "_data",
        "_files",
        "_look",
        "_map",
        "_plot",
        "_profile",
        "_summary",
    },
    "autograd": BASE | {"transforms", "_calls"},
    "numpy": BASE | {"_calls", "_named", "complexes", "scipy", "transforms"},
    "scipy": BASE
    | {"_calls", "_captured", "_implicit", "_minima", "_named", "_recording"}
    | {"compile", "complexes", "transforms"},
    "_evaluated": BASE | {"_implicit", "_sparse", "compile"},
    "_problem": BASE | {"_evaluated", "_implicit", "compile"},
    "optimize": {"_evaluated", "_problem", "_progress", "errors"},
    "ipopt": {"_problem", "_progress"},
    "ode": {"scipy"},
    "hips": BASE | {"_calls", "compile", "numpy", "scipy", "testing", "transforms"},
    "sparse": {"_coloring", "_edges", "_sparse", "_recording", "compile", "errors"},
    "testing": BASE | {"transforms", "taylor"},
    "plot": {"errors"},
}


def c_files():
    return sorted(
        file for file in (ROOT / "src_c").iterdir() if file.suffix in (".c", ".h", ".def")
    )


def python_files():
    return sorted((ROOT / "adcore").rglob("*.py"))


def relative(file):
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("file", c_files(), ids=relative)
def test_c_includes_point_up_the_list(file):
    assert file.stem in C_ORDER, f"{file.name} is in no layer: add {file.stem} to C_ORDER"
    earlier = C_ORDER[: C_ORDER.index(file.stem) + 1]
    includes = re.findall(r'^\s*#\s*include\s*(["<])([^">]+)[">]', file.read_text(), re.MULTILINE)
    for bracket, name in includes:
        if bracket == "<":
            assert name in C_STANDARD, f"{file.name} includes <{name}>, which is not standard C"
        else:
            assert Path(name).stem in earlier, f"{file.name} may not include {name}"


def test_the_core_is_declared_to_cython_once():
    """`cdef extern from` a header of ours stands in _core.pxd and nowhere else."""
    for end in ("pyx", "pxd", "pxi"):
        for file in (ROOT / "adcore").rglob(f"*.{end}"):
            named = re.findall(r'cdef\s+extern\s+from\s+"([^"]+)"', file.read_text())
            ours = {name for name in named if (ROOT / "src_c" / name).exists()}
            assert bool(ours) == (file.name == "_core.pxd"), f"{file.name} declares {ours}"


def imported_modules(file):
    """Modules of adcore that a file imports: 'ops', 'rules', ...; '' is adcore itself."""
    package = ["adcore", *file.relative_to(ROOT / "adcore").parts[:-1]]
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            targets = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            base = base + (node.module.split(".") if node.module else [])
            # `from . import ops` names a module, `from .ops import sin` does not.
            targets = [base if len(base) > 1 else [*base, alias.name] for alias in node.names]
        else:
            continue
        for target in targets:
            if target[0] == "adcore":
                yield node.lineno, target[1] if len(target) > 1 else ""


@pytest.mark.parametrize("file", python_files(), ids=relative)
def test_python_imports_point_up_the_list(file):
    module = file.relative_to(ROOT / "adcore").parts[0].removesuffix(".py")
    assert module in PYTHON_MAY_IMPORT, f"{module} is in no layer: add it to PYTHON_MAY_IMPORT"
    allowed = PYTHON_MAY_IMPORT[module]
    for line, imported in imported_modules(file):
        where = f"{relative(file)}:{line}"
        if allowed != EVERYTHING:
            assert imported in allowed | {module}, f"{where} may not import {imported or 'adcore'}"


def test_import_of_adcore_leaves_scipy_and_the_extras_alone():
    """SciPy's parts and optional packages are imported when first needed."""
    code = "import sys, adcore; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"scipy", "matplotlib", "dask", "cyipopt", "torch", "jax", "autograd"}
    assert not heavy & set(run.stdout.split())


def test_layer_lists_name_only_what_exists():
    """A name that stands for no file is a list that was not kept."""
    assert [name for name in C_ORDER if name not in {file.stem for file in c_files()}] == []
    modules = {
        file.relative_to(ROOT / "adcore").parts[0].removesuffix(".py") for file in python_files()
    }
    assert {name for name in PYTHON_MAY_IMPORT if name not in modules | {"_core"}} == set()

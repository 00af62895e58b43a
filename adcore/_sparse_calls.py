"""Sparse derivatives of a compiled function at a vector: a stand-in for the public form."""

import numpy as np
from scipy import sparse

from ._sparse import Template

_templates = {}


def _sparse(compiled, kind, args):
    arguments = compiled._arguments(args, {}, 0)
    wanted = arguments.wanted(0)
    path, arrays = compiled._replay(arguments, lambda path: path.program.derived(kind, wanted))
    if arrays is None:
        return None
    program = path.program.derived(kind, wanted)
    key = id(program)
    if key not in _templates:
        _templates[key] = program, Template(program.pattern)
    return _templates[key][1](arrays[-1])


def sparse_hessian(compiled, *args):
    found = _sparse(compiled, "sparse_hessian", args)
    n = np.size(args[0])
    return sparse.csr_array((n, n)) if found is None else found


def sparse_jacobian(compiled, *args):
    found = _sparse(compiled, "sparse_jacobian", args)
    if found is None:
        return sparse.csr_array((np.size(compiled(*args)), np.size(args[0])))
    return found

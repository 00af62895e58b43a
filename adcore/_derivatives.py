"""The derivatives of compiled functions: programs derived from those of the paths."""

import numpy as np

from . import _core, transforms
from ._arguments import Arguments, Leaf, plain, traced
from ._replayed import Replayed
from ._trees import filled, flatten, same_leaves, shape_of, unflatten
from .errors import NotDifferentiableError, ShapeError

# The kinds of sparse programs.
_SPARSE = {
    "hessian": "sparse_hessian",
    "value_grad_and_hessian": "value_grad_and_sparse_hessian",
    "jacobian": "sparse_jacobian",
}


class Differentiable(Replayed):
    """A recorded function with methods for its derivatives."""

    def __init__(self, f, reassociate, max_paths, backend=None, name=""):
        super().__init__(f, reassociate, max_paths, backend, name)
        self._entries = {}
        for name in ("grad", "value_and_grad", "hessian", "value_grad_and_hessian", "jacobian"):
            entry = self._entries[name] = _core.Entry(getattr(self, name))
            if name not in ("grad", "value_and_grad"):
                entry.sparse = _core.Entry(None)
            setattr(self, name, _core.entry_function(entry))  # goes before the method

    def _prime(self, entry, arguments, program, valued):
        """Let further calls with arguments of this kind take the short way."""
        plain = not self._owner and not arguments.names
        if plain and all(type(tree) is Leaf for tree in arguments.trees):
            kinds = ["float" if k == () else k for k in arguments.key[2]]
            entry.prime(program, kinds, valued)

    def grad(self, *args, argnums=0, out=None, **kwargs):
        """As adcore.grad(f, argnums)(*args)."""
        return self._gradient("grad", argnums, args, kwargs, out)

    def value_and_grad(self, *args, argnums=0, out=None, **kwargs):
        """As adcore.value_and_grad(f, argnums)(*args); `out` takes the gradient."""
        return self._gradient("value_and_grad", argnums, args, kwargs, out)

    def hessian(self, *args, argnums=0, out=None, sparse=False, **kwargs):
        """As adcore.hessian(f, argnums)(*args).

        With ``sparse=True`` a scipy.sparse.csr_array, as adcore.sparse.hessian(f, argnums)(*args):
        where it has entries is found once, and the index arrays of all of them are the same, which
        cannot be written to.  `out` then takes the entries, an array of one dimension, which is
        the matrix' ``data``.
        """
        if sparse:
            return self._sparse("hessian", argnums, args, kwargs, out)
        return self._curvature("hessian", argnums, args, kwargs, out)

    def value_grad_and_hessian(self, *args, argnums=0, out=None, sparse=False, **kwargs):
        """As adcore.value_grad_and_hessian(f, argnums)(*args); `out` takes the Hessian.

        With ``sparse=True`` that is as hessian() gives it.
        """
        if sparse:
            return self._sparse("value_grad_and_hessian", argnums, args, kwargs, out)
        return self._curvature("value_grad_and_hessian", argnums, args, kwargs, out)

    def _gradient(self, transform, argnums, args, kwargs, out):
        arguments = self._arguments(args, kwargs, argnums)
        if arguments is None:
            found = getattr(transforms, transform)(self, argnums)(*args, **kwargs)
            return _last_filled(out, found, transform == "grad")
        wanted = arguments.wanted(argnums)
        path, arrays = self._replay(arguments, self._scalar("grad", transform, wanted), out=out)
        if path is None:
            found = getattr(transforms, transform)(self._in_python, argnums)(*args, **kwargs)
            return _last_filled(out, found, transform == "grad")
        if arrays is not None and argnums == 0:
            program = path.program.derived(transform, wanted)
            self._prime(self._entries[transform], arguments, program, True)
        value, arrays = self._value_apart(path, arrays, transform == "value_and_grad")
        if arrays is None:
            arrays = [np.zeros(arguments.inputs[k].shape) for k in wanted]
        found = {k: plain(a) for k, a in zip(wanted, arrays, strict=True)}
        gradient = filled(out, arguments.tree(argnums, found))
        return gradient if transform == "grad" else (value, gradient)

    def _curvature(self, transform, argnums, args, kwargs, out):
        arguments = self._arguments(args, kwargs, argnums)
        if arguments is None:
            found = getattr(transforms, transform)(self, argnums)(*args, **kwargs)
            return _last_filled(out, found, transform == "hessian")
        wanted = arguments.wanted(argnums)
        n, all_of_it = len(wanted), transform == "value_grad_and_hessian"
        path, arrays = self._replay(arguments, self._scalar("hessian", transform, wanted), out=out)
        if path is None:
            found = getattr(transforms, transform)(self._in_python, argnums)(*args, **kwargs)
            return _last_filled(out, found, transform == "hessian")
        if arrays is not None and argnums == 0:
            program = path.program.derived(transform, wanted)
            self._prime(self._entries[transform], arguments, program, True)
        value, arrays = self._value_apart(path, arrays, all_of_it)
        shapes = [arguments.inputs[k].shape for k in wanted]
        if arrays is None:
            arrays = [np.zeros(s) for s in shapes] if all_of_it else []
            arrays += [np.zeros(s + t) for s in shapes for t in shapes]
        blocks = iter(arrays[n:] if all_of_it else arrays)
        blocks = {i: {j: next(blocks) for j in wanted} for i in wanted}
        curvature = filled(out, arguments.twice(argnums, blocks))
        if not all_of_it:
            return curvature
        found = {k: plain(a) for k, a in zip(wanted, arrays[:n], strict=True)}
        return value, arguments.tree(argnums, found), curvature

    def _value_apart(self, path, arrays, kept):
        """(value, other arrays) of a program that keeps the value first; value None if not."""
        if not kept:
            return None, arrays
        if arrays is None:
            return float(path.where[0][1]), None
        return float(arrays[0]), arrays[1:]

    def _scalar(self, name, kind, wanted):
        """The derivation of a function that must return one real number."""
        instead = "jacobian" if name == "grad" else "jacobian of grad"

        def derive(path):
            path.check_scalar(name, f"{self.name}.{instead}")
            return path.program.derived(kind, wanted)

        return derive

    def hvp(self, primals, tangents, out=None):
        """As adcore.hvp(f, primals, tangents): (gradient, product); `out` takes the product."""
        leaves, argnums = _directions("hvp", primals, tangents)
        arguments = self._arguments(primals, {}, argnums)
        if arguments is None or traced(leaves):
            return _last_filled(out, transforms.hvp(self, primals, tangents), False)
        wanted = arguments.wanted(argnums)

        def derive(path):
            path.check_scalar("hvp", f"jvp of {self.name}.jacobian")
            gradient = path.program.derived("grad", wanted)
            return gradient.derived("value_and_jvp", wanted)

        seeds = Arguments(self.name, tangents, {}, set(argnums)).inputs
        _expect_shapes(seeds, arguments, wanted)
        path, arrays = self._replay(arguments, derive, seeds)
        if path is None:
            return _last_filled(out, transforms.hvp(self._in_python, primals, tangents), False)
        if arrays is None:
            arrays = [np.zeros(arguments.inputs[k].shape) for k in wanted] * 2
        n = len(wanted)
        parts = []
        for half in (arrays[:n], arrays[n:]):
            found = {k: plain(a) for k, a in zip(wanted, half, strict=True)}
            parts.append(arguments.tree(argnums[0] if len(argnums) == 1 else argnums, found))
        return parts[0], filled(out, parts[1])

    def jvp(self, primals, tangents):
        """As adcore.jvp(f, primals, tangents): (value, tangent)."""
        leaves, argnums = _directions("jvp", primals, tangents)
        arguments = self._arguments(primals, {}, argnums)
        if arguments is None or traced(leaves):
            return transforms.jvp(self, primals, tangents)
        wanted = arguments.wanted(argnums)
        seeds = Arguments(self.name, tangents, {}, set(argnums)).inputs
        _expect_shapes(seeds, arguments, wanted)
        path, arrays = self._replay(
            arguments, lambda path: path.program.derived("value_and_jvp", wanted), seeds
        )
        if path is None:
            return transforms.jvp(self._in_python, primals, tangents)
        if arrays is None:
            return path.output([]), path.output([], zero=True)
        n = len(path.program.output_shapes)
        return path.output(arrays[:n]), path.output(arrays[n:], zero=True)

    def vjp(self, *primals):
        """As adcore.vjp(f, *primals): (value, pullback)."""
        argnums = tuple(range(len(primals)))
        arguments = self._arguments(primals, {}, argnums)
        if arguments is None:
            return transforms.vjp(self, *primals)
        wanted = arguments.wanted(argnums)
        path, arrays = self._replay(arguments)
        if path is None:
            return transforms.vjp(self._in_python, *primals)
        value = path.output(arrays)
        copies = arguments.replaced([a.copy() for a in arguments.inputs])

        def pullback(ct):
            shapes = [shape_of(v) for v in flatten(value)[0]]
            given = same_leaves("the cotangent", ct, len(shapes), shapes)
            if traced(given):
                return transforms.vjp(self, *primals)[1](ct)
            seeds = [
                np.ascontiguousarray(c, np.float64).reshape(s)
                for c, s, (varies, _) in zip(given, shapes, path.where, strict=True)
                if varies
            ]
            _, found = self._replay(copies, lambda p: p.program.derived("vjp", wanted), seeds)
            if found is None:
                found = [np.zeros(copies.inputs[k].shape) for k in wanted]
            found = {k: plain(a) for k, a in zip(wanted, found, strict=True)}
            return arguments.tree(argnums, found)

        return value, pullback

    def _sparse(self, transform, argnums, args, kwargs, out=None, way=""):
        """A sparse matrix over all elements of the arguments, one argument after the other.

        `way` is "_columns", "_rows" or "_bicolor" where a Jacobian is to be found so, "_in_lanes"
        where a Hessian is not to be found by edges.
        """
        from . import _sparse  # when first needed, as scipy.sparse takes long to import

        arguments = self._arguments(args, kwargs, argnums)
        if arguments is None:
            raise NotDifferentiableError(
                f"{self.name}.{transform}(sparse=True) was called under another transform or "
                "while a function is compiled, and a sparse matrix holds numbers alone; leave "
                "sparse=True out there"
            )
        wanted = arguments.wanted(argnums)
        kind = _SPARSE[transform] + way
        if transform == "jacobian":

            def derive(path):
                return path.program.derived(kind, wanted)

        else:
            derive = self._scalar("hessian", kind, wanted)
        path, arrays = self._replay(arguments, derive, out=out)
        if path is None:
            found = _sparse.once(self._in_python, transform, argnums, args, kwargs)
            return _last_filled(out, found, transform != "value_grad_and_hessian")
        n_columns = sum([arguments.inputs[k].size for k in wanted])
        if arrays is None:
            n_rows = path.size if transform == "jacobian" else n_columns
            matrix = _sparse.empty((n_rows, n_columns))
        else:
            program = derive(path)
            if program.template is None:
                program.template = _sparse.Template(program.pattern)
            data = arrays[-1]
            if out is not None and data is not out:
                data = filled(out, data)
            matrix = program.template(data)
            if transform == "jacobian":
                matrix = _sparse.rows_of(matrix, path)
            if argnums == 0 and not way and (transform != "jacobian" or path.in_order):
                self._prime(self._entries[transform].sparse, arguments, program, True)
        if transform != "value_grad_and_hessian":
            return matrix
        value, arrays = self._value_apart(path, arrays, True)
        if arrays is None:
            arrays = [np.zeros(arguments.inputs[k].shape) for k in wanted]
        found = {k: plain(a) for k, a in zip(wanted, arrays[: len(wanted)], strict=True)}
        return value, arguments.tree(argnums, found), matrix

    def _directions_of(self, args, kwargs, argnums, way):
        """How many (columns, rows) a sparse Jacobian takes together; None if Python runs it."""
        arguments = self._arguments(args, kwargs, argnums)
        path, _ = self._replay(arguments)
        if path is None:
            return None
        if not path.varies:
            return 0, 0
        kind = _SPARSE["jacobian"] + way
        return path.program.derived(kind, arguments.wanted(argnums)).directions

    def _pattern(self, args, kwargs, argnums, second, local):
        """Where the Jacobian, or the Hessian of any combination of the results, has entries."""
        from . import _sparse  # when first needed

        arguments = self._arguments(args, kwargs, argnums)
        if arguments is None:
            raise NotDifferentiableError("patterns are of numbers, not of what is being traced")
        wanted = arguments.wanted(argnums)
        n_columns = sum([arguments.inputs[k].size for k in wanted])
        path, _ = self._replay(arguments)
        n_rows = n_columns if second else path.size
        if not path.varies:
            return _sparse.empty((n_rows, n_columns)).astype(bool)
        pattern = path.program.depends(wanted, second, arguments.inputs if local else None)
        if pattern is None:
            raise MemoryError(f"the pattern of {self.name} has too many entries")
        matrix = _sparse.pattern_matrix(pattern)
        return matrix if second else _sparse.rows_of(matrix, path)

    def jacobian(self, *args, argnums=0, out=None, sparse=False, **kwargs):
        """As adcore.jacobian(f, argnums)(*args).

        With ``sparse=True`` a scipy.sparse.csr_array, as hessian() gives it: rows are elements of
        the result, one array after the other, and columns those of the arguments.
        """
        if sparse:
            return self._sparse("jacobian", argnums, args, kwargs, out)
        arguments = self._arguments(args, kwargs, argnums)
        if arguments is None:
            return filled(out, transforms.jacobian(self, argnums)(*args, **kwargs))
        wanted = arguments.wanted(argnums)
        path, arrays = self._replay(
            arguments, lambda path: path.program.derived("jacobian", wanted)
        )
        if path is None:
            return filled(out, transforms.jacobian(self._in_python, argnums)(*args, **kwargs))
        blocks = iter(arrays or ())
        leaves = []
        for varies, v in path.where:
            shape = path.program.output_shapes[v] if varies else shape_of(v)
            found = {
                k: plain(next(blocks) if varies else np.zeros(shape + arguments.inputs[k].shape))
                for k in wanted
            }
            leaves.append(arguments.tree(argnums, found))
        return filled(out, unflatten(path.structure, leaves))


def _last_filled(out, found, alone):
    """What a transform returned: the result alone, or after others, copied into `out`."""
    if out is None or alone:
        return filled(out, found)
    return (*found[:-1], filled(out, found[-1]))


def _directions(name, primals, tangents):
    """(all leaves, the numbers of the arguments)."""
    leaves, directions, _ = transforms.tangents_of(primals, tangents, name)
    return [*leaves, *directions], tuple(range(len(primals)))


def _expect_shapes(seeds, arguments, wanted):
    given, expected = [s.shape for s in seeds], [arguments.inputs[k].shape for k in wanted]
    if given != expected:
        raise ShapeError(f"the tangents have shapes {given} where {expected} are expected")

"""The derivatives of compiled functions: programs derived from those of the paths."""

import numpy as np

from . import _core, transforms
from ._arguments import Arguments, Leaf, plain, traced
from ._replayed import Replayed
from ._trees import filled, flatten, same_leaves, shape_of, unflatten
from .errors import ShapeError


class Differentiable(Replayed):
    """A recorded function with methods for its derivatives."""

    def __init__(self, f, reassociate, max_paths, backend=None, name=""):
        super().__init__(f, reassociate, max_paths, backend, name)
        self._entries = {}
        for name in ("grad", "value_and_grad", "hessian", "value_grad_and_hessian"):
            self._entries[name] = _core.Entry(getattr(self, name))
            setattr(self, name, _core.entry_function(self._entries[name]))  # goes before the method

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

    def hessian(self, *args, argnums=0, out=None, **kwargs):
        """As adcore.hessian(f, argnums)(*args)."""
        return self._curvature("hessian", argnums, args, kwargs, out)

    def value_grad_and_hessian(self, *args, argnums=0, out=None, **kwargs):
        """As adcore.value_grad_and_hessian(f, argnums)(*args); `out` takes the Hessian."""
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

    def jacobian(self, *args, argnums=0, out=None, **kwargs):
        """As adcore.jacobian(f, argnums)(*args)."""
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

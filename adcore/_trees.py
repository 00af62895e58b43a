"""Nested containers: lists, tuples, dicts, named tuples and dataclasses, to leaves and back."""

import collections
import itertools
import numbers

import numpy as np

from ._core import Dual, Tensor, complex_pair, is_complex
from .errors import NotDifferentiableError, ShapeError


class Leaf:
    """The structure of anything that is not a container."""

    def build(self, leaves):
        """The next leaf."""
        return next(leaves)

    def key(self):
        """Something hashable that is equal for equal structures alone."""
        return None


class Node:
    """The structure of one container: what its parts are, and how to put them together."""

    def __init__(self, kind, keys, parts):
        self.kind, self.keys, self.parts = kind, keys, parts

    def build(self, leaves):
        """The container with the next leaves in it."""
        values = [part.build(leaves) for part in self.parts]
        if self.kind is list or self.kind is tuple:
            return self.kind(values)
        if issubclass(self.kind, collections.defaultdict):
            return self.kind(self.default_factory, zip(self.keys, values, strict=True))
        if issubclass(self.kind, dict):
            return self.kind(zip(self.keys, values, strict=True))
        if hasattr(self.kind, "_fields"):
            return self.kind(*values)
        out = object.__new__(self.kind)
        for key, value in zip(self.keys, values, strict=True):
            object.__setattr__(out, key, value)
        return out

    def key(self):
        """Something hashable that is equal for equal structures alone."""
        keys = None if self.keys is None else tuple(self.keys)
        return (self.kind, keys, *[part.key() for part in self.parts])


class Nothing:
    """The structure of None where it counts as a container without leaves."""

    def build(self, leaves):
        """None, and no leaf taken."""


class Floats:
    """The structure of a flat list of floats, which unflatten() copies and nothing more."""


class Run:
    """The structure of a list or a tuple of nothing but leaves."""

    def __init__(self, kind, n):
        self.kind, self.n = kind, n

    def build(self, leaves):
        """The container with the next leaves in it."""
        return self.kind(itertools.islice(leaves, self.n))

    def key(self):
        """Something hashable that is equal for equal structures alone."""
        return (self.kind, self.n)


class Pair:
    """The structure of complex numbers: two leaves, the real and the imaginary part."""

    def build(self, leaves):
        """The complex number or array with the next leaves as its parts.

        Where these are containers, as derivatives of the two parts are, one of complex numbers.
        """
        real, imag = next(leaves), next(leaves)
        if real is None and imag is None:
            return None
        if {type(real), type(imag)} <= LEAF_TYPES and not is_complex((real, imag)):
            return complex_pair(real, imag)
        (reals, structure), (imags, other) = flatten(real), flatten(imag)
        if any(complex_parts(structure)) or any(complex_parts(other)):
            raise NotDifferentiableError(
                "the derivatives of complex numbers by complex numbers are four, not one complex "
                "number: pass holomorphic=True if the function is holomorphic, or differentiate by "
                "real numbers, as in lambda a, b: f(a + 1j * b)"
            )
        return structure.build(map(_pair, reals, imags))

    def key(self):
        """Something hashable that is equal for equal structures alone."""
        return (complex,)


def _pair(real, imag):
    """The complex number of two parts, of which None is zero."""
    return complex_pair(0.0 if real is None else real, 0.0 if imag is None else imag)


# The commonest leaves, told by their type alone.
LEAF_TYPES = frozenset((float, int, np.float64, np.ndarray, Tensor, Dual))
_LEAF = Leaf()
_NOTHING = Nothing()
FLOATS = Floats()
PAIR = Pair()


def flatten(tree, none=_LEAF):
    """(leaves, structure); ``structure.build(iter(leaves))`` is the tree again.

    None is a leaf, as it is among derivatives, where it stands for zero.
    """
    leaves = []
    structure = _walk(tree, leaves, none)
    return leaves, structure


def complex_parts(structure):
    """For each leaf whether it is a part of a complex number."""
    if type(structure) is Node:
        return [found for part in structure.parts for found in complex_parts(part)]
    if type(structure) is Pair:
        return [True, True]
    return [False] * (structure.n if type(structure) is Run else type(structure) is Leaf)


def flatten_values(tree):
    """The same of arguments and results, in which None is a container without leaves."""
    return flatten(tree, _NOTHING)


def _walk(tree, leaves, none):
    kind = type(tree)
    keys = None
    if kind in LEAF_TYPES:
        if kind is np.ndarray and tree.dtype.kind == "c":
            return _split(tree, leaves)
        leaves.append(tree)
        return _LEAF
    if kind is list or kind is tuple:
        kinds = set(map(type, tree))
        if kinds <= LEAF_TYPES and not (np.ndarray in kinds and any(map(is_complex, tree))):
            leaves.extend(tree)
            return Run(kind, len(tree))
        values = tree
    elif isinstance(tree, dict):
        keys, values = list(tree), list(tree.values())
    elif isinstance(tree, tuple) and hasattr(kind, "_fields"):
        values = tree
    elif hasattr(kind, "__dataclass_fields__"):
        keys = list(kind.__dataclass_fields__)
        values = [getattr(tree, key) for key in keys]
    elif tree is None and none is _NOTHING:
        return _NOTHING
    elif is_complex(tree):
        return _split(tree, leaves)
    else:
        leaves.append(tree)
        return _LEAF
    node = Node(kind, keys, [_walk(v, leaves, none) for v in values])
    if isinstance(tree, collections.defaultdict):
        node.default_factory = tree.default_factory
    return node


def _split(x, leaves):
    """Append the parts of complex numbers."""
    leaves.extend((x.real.copy(), x.imag.copy()) if isinstance(x, np.ndarray) else (x.real, x.imag))
    return PAIR


def unflatten(structure, leaves):
    """The tree of the given structure with `leaves` in it."""
    if structure is FLOATS:
        return leaves[:]
    return structure.build(iter(leaves))


def with_numbers(structure, trees):
    """The tree of the given structure with one of `trees` in place of each complex number."""
    return unflatten(_numbers(structure), trees)


def _numbers(structure):
    if type(structure) is Node:
        node = Node(structure.kind, structure.keys, [_numbers(p) for p in structure.parts])
        vars(node).update({k: v for k, v in vars(structure).items() if k not in vars(node)})
        return node
    return _LEAF if type(structure) is Pair else structure


def same_leaves(what, tree, count, shapes):
    """The leaves of `tree`, checked to be as many, and of the shapes, as those it goes with."""
    leaves, _ = flatten_values(tree)
    if len(leaves) != count:
        raise ShapeError(
            f"{what} has {len(leaves)} leaves where {count} are expected; give it the "
            "structure of what it belongs to (a complex number has two leaves: its parts)"
        )
    for leaf, shape in zip(leaves, shapes, strict=True):
        if shape_of(leaf) != shape:
            raise ShapeError(
                f"{what} has a leaf of shape {shape_of(leaf)} where {shape} is expected"
            )
    return leaves


def filled(out, found):
    """`found`, copied into `out` if that is given: arrays in the same structure."""
    if out is None:
        return found
    leaves, _ = flatten(out)
    values, _ = flatten(found)
    if [shape_of(v) for v in leaves] != [shape_of(v) for v in values]:
        raise ShapeError(
            f"out holds arrays of shapes {[shape_of(v) for v in leaves]}; the result has "
            f"{[shape_of(v) for v in values]}"
        )
    for to, value in zip(leaves, values, strict=True):
        if not isinstance(to, np.ndarray):
            raise TypeError(f"out must hold arrays to write into, not a {type(to).__name__}")
        if to is not value:
            to[...] = value
    return out


def shape_of(x):
    """The shape of a number, an array, a Tensor or a Dual."""
    if type(x) is float:
        return ()
    shape = getattr(x, "shape", None)
    return np.shape(x) if shape is None else tuple(shape)


def is_tracked(x):
    """Whether a derivative may be taken through `x`: a dual, or a tensor on a tape."""
    return type(x) is Dual or (type(x) is Tensor and x.requires_grad)


def is_number(leaf):
    """Tell if the leaf is a real number of Python's or NumPy's."""
    return isinstance(leaf, numbers.Real) and not isinstance(leaf, bool)

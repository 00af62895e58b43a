"""einsum: any subscripts, through diagonals, transposes and matrix products.

What is to be done follows from subscripts and shapes alone, so it is planned once and remembered.
A plan is a list of steps; the parts they work on are the operands and the results of the steps
before, and the last part is the result.

A term is a list of labels, one per dimension of a part; the dimensions of an ellipsis are -1, -2,
... from the right.
"""

import functools
import itertools
import math

import numpy as np

from ..errors import ShapeError
from .diagonals import diagonal
from .primitives import as_array, matmul, reshape, sum_axes, transpose
from .table import array_function, refuse


@array_function(np.einsum)
def einsum(*operands, out=None, optimize=None, **others):
    """Sums of products by the Einstein convention, as numpy.einsum.

    Examples
    --------
    >>> adcore.einsum("ij,j->i", np.array([[1.0, 2.0], [3.0, 4.0]]), np.ones(2))
    array([3., 7.])
    >>> adcore.hessian(lambda x: adcore.einsum("i,ij,j", x, np.diag([1.0, 3.0]), x))(np.ones(2))
    array([[2., 0.],
           [0., 6.]])
    """
    if out is not None or others:
        others.pop("order", None)
        refuse("einsum", out=out, **others)
    text, arrays = _as_text(operands)
    parts = [as_array(x) for x in arrays]
    for indices, function in _plan(text, tuple([x.shape for x in parts])):
        parts.append(function(*[parts[i] for i in indices]))
    return parts[-1]


def _as_text(operands):
    """The subscripts as text, from either way of calling, and the operands."""
    if isinstance(operands[0], str):
        return operands[0], operands[1:]
    n = len(operands) // 2
    lists = [*operands[1 : 2 * n : 2], *operands[2 * n :]]
    terms = ["".join(["..." if k is Ellipsis else _letter(k) for k in one]) for one in lists]
    text = ",".join(terms[:n])
    return (f"{text}->{terms[n]}" if len(terms) > n else text), operands[: 2 * n : 2]


def _letter(k):
    return chr(ord("A") + k) if k < 26 else chr(ord("a") + k - 26)


# ---- subscripts ----


def _parse(text, shapes):
    """The terms of the operands and of the result."""
    left, arrow, right = text.replace(" ", "").partition("->")
    parts = left.split(",")
    if len(parts) != len(shapes):
        raise ValueError(f"einsum: {text!r} has {len(parts)} terms, got {len(shapes)} operands")
    terms = [_labels(part, len(shape), text) for part, shape in zip(parts, shapes, strict=True)]
    every = list(itertools.chain(*terms))
    dots = sorted({label for label in every if isinstance(label, int)})
    if not arrow:  # the ellipsis, then what occurs once, in alphabetical order
        once = [n for n in set(every) if not isinstance(n, int) and every.count(n) == 1]
        return terms, dots + sorted(once)
    n_dots = len(dots) if "..." in right else 0
    target = _labels(right, len(right.replace("...", "")) + n_dots, text)
    for label in target:
        if label not in every or target.count(label) > 1:
            raise ValueError(
                f"einsum: {label!r} in the result of {text!r} must be there once, and in a term"
            )
    return terms, target


def _labels(part, ndim, text):
    before, dots, after = part.partition("...")
    missing = ndim - len(before) - len(after)
    if not all(c.isalpha() for c in before + after) or missing < 0 or (missing and not dots):
        raise ValueError(f"einsum: the term {part!r} of {text!r} does not fit {ndim} dimensions")
    return [*before, *range(-missing, 0), *after]


def _sizes(terms, shapes, text):
    """The length of each label's dimensions; those of length 1 are stretched to the others."""
    sizes = {}
    for label, n in zip(itertools.chain(*terms), itertools.chain(*shapes), strict=True):
        known = sizes.setdefault(label, n)
        if known == 1:
            sizes[label] = n
        elif n not in (1, known):
            name = "..." if isinstance(label, int) else label
            raise ShapeError(
                f"einsum: {name!r} of {text!r} is {known} long in one place and {n} in another"
            )
    return sizes


# ---- plans ----


@functools.lru_cache(maxsize=256)
def _plan(text, shapes):
    """The steps for operands of these shapes: (indices of the parts it takes, function)."""
    terms, target = _parse(text, shapes)
    plan = _Plan(terms, _sizes(terms, shapes, text))
    parts = [plan.tidied(i, shape) for i, shape in enumerate(shapes)]
    while len(parts) > 1:
        i, j = plan.cheapest_pair(parts, target)
        others = [part for part in parts if part not in (i, j)]
        parts = [*others, plan.contracted(i, j, plan.labels(others).union(target))]
    last = plan.summed(parts[0], set(target))
    plan.arranged(last, target)
    return plan.steps


class _Plan:
    """Steps as they are added; parts are told by their index."""

    def __init__(self, terms, sizes):
        self.terms = [*terms]
        self.sizes = sizes
        self.steps = []

    def add(self, indices, term, function):
        """Add a step that makes a part with the given term; returns its index."""
        self.steps.append((indices, function))
        self.terms.append(term)
        return len(self.terms) - 1

    def shape(self, labels):
        return tuple([self.sizes[label] for label in labels])

    def labels(self, parts):
        return {label for part in parts for label in self.terms[part]}

    def tidied(self, part, shape):
        """A part without repeated labels, and without dimensions of 1 that others stretch."""
        term = self.terms[part]
        for label in dict.fromkeys(term):
            while term.count(label) > 1:
                i = term.index(label)
                j = term.index(label, i + 1)
                if shape[i] != shape[j]:
                    raise ShapeError(
                        f"einsum: {label!r} names dimensions of {shape[i]} and "
                        f"{shape[j]} elements of one operand"
                    )
                rest = [d for d in range(len(term)) if d not in (i, j)]
                shape = (*[shape[d] for d in rest], shape[i])
                term = [*[term[d] for d in rest], label]
                part = self.add((part,), term, lambda x, i=i, j=j: diagonal(x, 0, i, j))
        kept = [label for label, n in zip(term, shape, strict=True) if n == self.sizes[label]]
        if kept == term:
            return part
        return self.add((part,), kept, lambda x: reshape(x, self.shape(kept)))

    def summed(self, part, needed):
        """A part without the labels that nobody needs."""
        term = self.terms[part]
        gone = tuple([d for d, label in enumerate(term) if label not in needed])
        if not gone:
            return part
        kept = [label for label in term if label in needed]
        return self.add((part,), kept, lambda x: sum_axes(x, gone))

    def arranged(self, part, order, shape=None):
        """A part with its labels in the given order, then in another shape."""
        term = self.terms[part]
        if term != order:
            axes = tuple([term.index(label) for label in order])
            part = self.add((part,), order, lambda x: transpose(x, axes))
        if shape is not None and shape != self.shape(order):
            part = self.add((part,), order, lambda x: reshape(x, shape))
        return part

    def cheapest_pair(self, parts, target):
        """The pair whose product is smallest compared with its factors."""
        if len(parts) == 2:
            return parts

        def growth(pair):
            needed = self.labels([p for p in parts if p not in pair]).union(target)
            out = self.labels(pair) & needed
            return math.prod(self.shape(out)) - sum(
                math.prod(self.shape(self.terms[p])) for p in pair
            )

        return min(itertools.combinations(parts, 2), key=growth)

    def contracted(self, a, b, needed):
        """The product of two parts, summed over the labels that are not needed any more."""
        a = self.summed(a, needed.union(self.terms[b]))
        b = self.summed(b, needed.union(self.terms[a]))
        shared = [n for n in self.terms[a] if n in self.terms[b]]
        batch = [n for n in shared if n in needed]
        gone = [n for n in shared if n not in needed]
        rows = [n for n in self.terms[a] if n not in shared]
        columns = [n for n in self.terms[b] if n not in shared]
        lead, term = self.shape(batch), batch + rows + columns
        if not gone:
            stretched = (1,) * len(columns)
            left = self.arranged(a, batch + rows, (*lead, *self.shape(rows), *stretched))
            right = self.arranged(
                b, batch + columns, (*lead, *(1,) * len(rows), *self.shape(columns))
            )
            return self.add((left, right), term, lambda x, y: x * y)
        if batch and not rows and not columns:
            right = self.arranged(b, self.terms[a])
            product = self.add((a, right), self.terms[a], lambda x, y: x * y)
            return self.arranged(self.summed(product, set(batch)), term)
        m, k, n = (math.prod(self.shape(some)) for some in (rows, gone, columns))
        left = self.arranged(a, batch + rows + gone, (*lead, m, k))
        right = self.arranged(b, batch + gone + columns, (*lead, k, n))
        product = self.add((left, right), term, matmul)
        if (*lead, m, n) == self.shape(term):
            return product
        return self.add((product,), term, lambda x: reshape(x, self.shape(term)))

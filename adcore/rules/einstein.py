"""einsum: any subscripts, through diagonals, transposes and matrix products."""

import itertools
import math

import numpy as np

from ..errors import ShapeError
from .primitives import as_array, matmul, reshape, sum_axes
from .products import ordered
from .shapes import diagonal
from .table import array_function, refuse


@array_function(np.einsum)
def einsum(*operands, out=None, optimize=None, **others):
    """Sums of products by the Einstein convention, as numpy.einsum.

    A term is a list of labels, one per dimension; those that are not in the result are summed.
    """
    if out is not None or others:
        others.pop("order", None)
        refuse("einsum", out=out, **others)
    terms, arrays, target = _parse(operands)
    sizes = _sizes(terms, arrays)
    if target is None:
        target = _implicit_target(terms)
    for label in target:
        if label not in sizes or target.count(label) > 1:
            raise ValueError(
                f"einsum: the result needs each of its labels once, and a term that "
                f"has it; see {_name(label)!r}"
            )
    parts = [_tidy(x, term, sizes) for x, term in zip(arrays, terms, strict=True)]
    while len(parts) > 1:
        i, j = _cheapest_pair(parts, sizes, target)
        others = [part for k, part in enumerate(parts) if k not in (i, j)]
        needed = set(target).union(*[labels for _, labels in others])
        parts = [*others, _contract(*parts[i], *parts[j], needed)]
    x, labels = _sum_others(*parts[0], set(target))
    return ordered(x, tuple([labels.index(label) for label in target]))


def _name(label):
    return "..." if isinstance(label, int) else label


def _parse(operands):
    """Lists of labels of the operands, the operands, and the labels of the result or None."""
    if not isinstance(operands[0], str):
        return _parse_lists(operands)
    text, *arrays = operands
    arrays = [as_array(x) for x in arrays]
    left, arrow, right = text.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(arrays):
        raise ValueError(f"einsum: {text!r} has {len(terms)} terms, got {len(arrays)} operands")
    labels = [_labels(term, x.ndim, text) for term, x in zip(terms, arrays, strict=True)]
    if not arrow:
        return labels, arrays, None
    return labels, arrays, _labels(right, _target_ndim(right, labels), text)


def _target_ndim(right, terms):
    """How many dimensions a result has whose ellipsis is the longest among the operands'."""
    longest = max([sum([isinstance(n, int) for n in term]) for term in terms], default=0)
    return len(right) - 3 + longest if "..." in right else len(right)


def _labels(term, ndim, text):
    """The labels of a term; the dimensions of an ellipsis are -1, -2, ... from the right."""
    before, dots, after = term.partition("...")
    missing = ndim - len(before) - len(after)
    if not all(c.isalpha() for c in before + after) or missing < 0 or (missing and not dots):
        raise ValueError(f"einsum: the term {term!r} of {text!r} does not fit {ndim} dimensions")
    return [*before, *range(-missing, 0), *after]


def _parse_lists(operands):
    """The other way of calling: operand, list of numbers, operand, list, ..., result's list."""
    arrays = [as_array(x) for x in operands[0 : len(operands) // 2 * 2 : 2]]
    lists = [*operands[1::2]]
    if len(operands) % 2:
        lists.append(operands[-1])
    text = ",".join("".join("..." if n is Ellipsis else chr(97 + n) for n in one) for one in lists)
    if len(operands) % 2:
        left, _, right = text.rpartition(",")
        text = f"{left}->{right}"
    return _parse((text, *arrays))


def _implicit_target(terms):
    """The ellipsis, then the labels that occur once, in alphabetical order."""
    every = list(itertools.chain(*terms))
    dots = sorted({label for label in every if isinstance(label, int)})
    return dots + sorted([n for n in set(every) if not isinstance(n, int) and every.count(n) == 1])


def _sizes(terms, arrays):
    sizes = {}
    for term, x in zip(terms, arrays, strict=True):
        for label, n in zip(term, x.shape, strict=True):
            if sizes.setdefault(label, n) != n:
                if n != 1 and sizes[label] != 1:
                    raise ShapeError(
                        f"einsum: label {_name(label)!r} is {sizes[label]} long in one place and "
                        f"{n} in another"
                    )
                sizes[label] = max(n, sizes[label]) if n and sizes[label] else 0
    return sizes


def _tidy(x, labels, sizes):
    """An operand without repeated labels, and without dimensions of 1 that others stretch."""
    labels = list(labels)
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            i = labels.index(label)
            j = labels.index(label, i + 1)
            if x.shape[i] != x.shape[j]:
                raise ShapeError(
                    f"einsum: {label!r} names dimensions of {x.shape[i]} and "
                    f"{x.shape[j]} elements of one operand"
                )
            x = diagonal(x, 0, i, j)
            labels = [n for d, n in enumerate(labels) if d not in (i, j)] + [label]
    shape = x.shape
    kept = [d for d, label in enumerate(labels) if shape[d] == sizes[label]]
    if len(kept) < len(labels):
        x = reshape(x, tuple([shape[d] for d in kept]))
        labels = [labels[d] for d in kept]
    return x, labels


def _cheapest_pair(parts, sizes, target):
    """The pair whose product is smallest compared with its factors."""
    if len(parts) == 2:
        return 0, 1
    best = None
    for i, j in itertools.combinations(range(len(parts)), 2):
        rest = [labels for k, (_, labels) in enumerate(parts) if k not in (i, j)]
        needed = set(target).union(*rest)
        a, b = set(parts[i][1]), set(parts[j][1])
        growth = _volume((a | b) & needed, sizes) - _volume(a, sizes) - _volume(b, sizes)
        if best is None or growth < best[0]:
            best = growth, i, j
    return best[1:]


def _volume(labels, sizes):
    return math.prod([sizes[label] for label in labels])


def _sum_others(x, labels, needed):
    """Sum over the labels that nobody needs."""
    gone = tuple([d for d, label in enumerate(labels) if label not in needed])
    if not gone:
        return x, labels
    return sum_axes(x, gone), [label for label in labels if label in needed]


def _contract(a, labels_a, b, labels_b, needed):
    """The product of two operands, summed over the labels that are not needed any more."""
    a, labels_a = _sum_others(a, labels_a, needed.union(labels_b))
    b, labels_b = _sum_others(b, labels_b, needed.union(labels_a))
    batch = [n for n in labels_a if n in labels_b and n in needed]
    summed = [n for n in labels_a if n in labels_b and n not in needed]
    free_a = [n for n in labels_a if n not in labels_b]
    free_b = [n for n in labels_b if n not in labels_a]
    a = ordered(a, tuple([labels_a.index(n) for n in batch + free_a + summed]))
    b = ordered(b, tuple([labels_b.index(n) for n in batch + summed + free_b]))
    lead = a.shape[: len(batch)]
    rows = a.shape[len(batch) : len(batch) + len(free_a)]
    columns = b.shape[len(batch) + len(summed) :]
    labels = batch + free_a + free_b
    if not summed:
        return reshape(a, (*lead, *rows, *[1] * len(columns))) * reshape(
            b, (*lead, *[1] * len(rows), *columns)
        ), labels
    if batch and not free_a and not free_b:
        return sum_axes(a * b, tuple(range(len(batch), a.ndim))), labels
    k = math.prod(b.shape[len(batch) : len(batch) + len(summed)])
    left = reshape(a, (*lead, math.prod(rows), k))
    right = reshape(b, (*lead, k, math.prod(columns)))
    return reshape(matmul(left, right), (*lead, *rows, *columns)), labels

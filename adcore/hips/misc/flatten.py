"""Containers of numbers as one vector, and back."""

import functools

import numpy as np

from ... import numpy as anp
from ..._trees import flatten as _leaves
from ..._trees import shape_of, unflatten


def flatten(value):
    """(all numbers in one vector, a function that makes of such a vector the container again)."""
    leaves, structure = _leaves(value)
    shapes = [shape_of(v) for v in leaves]
    ends = np.cumsum([int(np.prod(s)) for s in shapes])
    parts = [
        anp.ravel(v) if s else anp.reshape(v, (1,)) for v, s in zip(leaves, shapes, strict=True)
    ]
    vector = anp.concatenate(parts) if parts else np.zeros(0)

    def back(vector):
        cut = anp.split(vector, ends[:-1]) if shapes else []
        parts = [anp.reshape(v, s) if s else v[0] for v, s in zip(cut, shapes, strict=True)]
        return unflatten(structure, parts)

    return vector, back


def flatten_func(func, example):
    """(func of one vector, a function from vectors to containers, the vector of an example)."""
    vector, back = flatten(example)

    @functools.wraps(func)
    def flat(vector, *args, **kwargs):
        return flatten(func(back(vector), *args, **kwargs))[0]

    return flat, back, vector

"""The vector space of a number, an array or a container of them, as autograd.extend.vspace."""

import itertools

import numpy as np

from .. import numpy as anp
from .._trees import Pair, flatten, shape_of, unflatten
from .differential_operators import conjugated


class VSpace:
    """Everything of the structure and the shapes of a value; a complex number has two dimensions.

    Functions of elements are differentiable.
    """

    def __init__(self, value):
        leaves, self._structure = flatten(value)
        self._shapes = [shape_of(v) for v in leaves]
        self.iscomplex = type(self._structure) is Pair

    @property
    def size(self):
        """The number of dimensions."""
        return sum(int(np.prod(s)) for s in self._shapes)

    @property
    def shape(self):
        """The shape of a number or an array."""
        if len(self._shapes) != 1 + self.iscomplex:
            raise AttributeError("the vector space of a container has no shape")
        return self._shapes[0]

    def __eq__(self, other):
        if not isinstance(other, VSpace):
            return NotImplemented
        key, other_key = self._structure.key(), other._structure.key()
        return key == other_key and self._shapes == other._shapes

    def __hash__(self):
        return hash((self._structure.key(), *self._shapes))

    def __repr__(self):
        return f"VSpace({self.zeros()!r})"

    # -- elements --

    def _made(self, of_shape):
        arrays = [of_shape(s) for s in self._shapes]
        parts = [float(a) if s == () else a for a, s in zip(arrays, self._shapes, strict=True)]
        return unflatten(self._structure, parts)

    def zeros(self):
        """The element 0."""
        return self._made(np.zeros)

    def ones(self):
        """The sum of the standard basis."""
        return self._made(np.ones)

    def randn(self):
        """Normal random numbers of numpy.random."""
        return self._made(lambda shape: np.random.randn(*shape))  # noqa: NPY002 (seeded by users)

    def standard_basis(self):
        """The elements with a 1 in one place and else 0."""
        for hot in range(self.size):
            count = itertools.count()
            yield self._made(
                lambda shape, count=count, hot=hot: np.array(
                    [float(next(count) == hot) for _ in range(int(np.prod(shape)))]
                ).reshape(shape)
            )

    # -- functions of elements --

    def _each(self, function, *elements):
        leaves = [flatten(e)[0] for e in elements]
        return unflatten(self._structure, [function(*some) for some in zip(*leaves, strict=True)])

    def add(self, x, y):
        """The sum."""
        return self._each(lambda a, b: a + b, x, y)

    mut_add = add

    def scalar_mul(self, x, a):
        """The element times a real number."""
        return self._each(lambda v: v * a, x)

    def inner_prod(self, x, y):
        """The sum of products; of complex numbers, of real and of imaginary parts."""
        pairs = zip(flatten(x)[0], flatten(y)[0], strict=True)
        return sum([anp.sum(a * b) for a, b in pairs], 0.0)

    def covector(self, x):
        """The conjugate."""
        return conjugated(x)


def vspace(value):
    """The vector space of a value."""
    return VSpace(value)

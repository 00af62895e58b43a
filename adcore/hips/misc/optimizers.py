"""Stochastic gradient methods: functions (gradient(x, i), x) -> x, of containers of numbers."""

import functools

import numpy as np

from .flatten import flatten


def _of_vectors(method):
    @functools.wraps(method)
    def optimize(grad, x0, callback=None, *args, **kwargs):
        x, back = flatten(x0)

        def slope(x, i):
            return flatten(grad(back(x), i))[0]

        def report(x, i, g):
            if callback is not None:
                callback(back(x), i, back(g))

        return back(method(slope, x, report, *args, **kwargs))

    return optimize


@_of_vectors
def sgd(grad, x, callback=None, num_iters=200, step_size=0.1, mass=0.9):
    """Gradient descent with momentum."""
    velocity = np.zeros(len(x))
    for i in range(num_iters):
        g = grad(x, i)
        callback(x, i, g)
        velocity = mass * velocity - (1.0 - mass) * g
        x = x + step_size * velocity
    return x


@_of_vectors
def rmsprop(grad, x, callback=None, num_iters=100, step_size=0.1, gamma=0.9, eps=1e-8):
    """Root mean square propagation, Tieleman and Hinton (2012)."""
    mean_square = np.ones(len(x))
    for i in range(num_iters):
        g = grad(x, i)
        callback(x, i, g)
        mean_square = mean_square * gamma + g**2 * (1 - gamma)
        x = x - step_size * g / (np.sqrt(mean_square) + eps)
    return x


@_of_vectors
def adam(grad, x, callback=None, num_iters=100, step_size=0.001, b1=0.9, b2=0.999, eps=1e-8):
    """Adam, Kingma and Ba (2015)."""
    m, v = np.zeros(len(x)), np.zeros(len(x))
    for i in range(num_iters):
        g = grad(x, i)
        callback(x, i, g)
        m = (1 - b1) * g + b1 * m
        v = (1 - b2) * g**2 + b2 * v
        x = x - step_size * (m / (1 - b1 ** (i + 1))) / (np.sqrt(v / (1 - b2 ** (i + 1))) + eps)
    return x

"""The functions that are differentiated by more than one script, with their closed forms.

Functions that need more than arithmetic and indexing take the NumPy-like module `np` first.
"""

import numpy as np

LOOP_OPS = 8  # arithmetic operations per turn of the loop in rosenbrock()


def rosenbrock(x):
    """Chained Rosenbrock function as a scalar loop, for whatever can be indexed."""
    total = 0.0
    for i in range(len(x) - 1):
        t = x[i + 1] - x[i] * x[i]
        u = 1.0 - x[i]
        total = total + 100.0 * t * t + u * u
    return total


def rosenbrock_sliced(np, x):
    """The same function as array code, for arrays of any package."""
    t = x[1:] - x[:-1] * x[:-1]
    u = 1.0 - x[:-1]
    return np.sum(100.0 * t * t + u * u)


def rosenbrock_gradient(x):
    """Closed form of its gradient."""
    t = x[1:] - x[:-1] ** 2
    gradient = np.zeros_like(x)
    gradient[:-1] = -400.0 * t * x[:-1] - 2.0 * (1.0 - x[:-1])
    gradient[1:] += 200.0 * t
    return gradient


def rosenbrock_value_and_gradient(x):
    """Both, by NumPy expressions that share what they can."""
    head = x[:-1]
    t = x[1:] - head * head
    u = 1.0 - head
    gradient = np.empty_like(x)
    np.multiply(t, head, out=gradient[:-1])
    gradient[:-1] *= -400.0
    gradient[:-1] -= 2.0 * u
    gradient[-1] = 0.0
    gradient[1:] += 200.0 * t
    return 100.0 * (t @ t) + u @ u, gradient


def rosenbrock_hessian(x):
    """Closed form of its Hessian."""
    hessian = np.zeros((len(x), len(x)))
    i = np.arange(len(x) - 1)
    hessian[i, i] = 1200.0 * x[:-1] ** 2 - 400.0 * x[1:] + 2.0
    hessian[i + 1, i + 1] += 200.0
    hessian[i, i + 1] = hessian[i + 1, i] = -400.0 * x[:-1]
    return hessian


def rosenbrock_hvp(x, v):
    """Closed form of its Hessian times `v`."""
    hv = np.zeros_like(x)
    hv[:-1] = (1200.0 * x[:-1] ** 2 - 400.0 * x[1:] + 2.0) * v[:-1] - 400.0 * x[:-1] * v[1:]
    hv[1:] += 200.0 * v[1:] - 400.0 * x[:-1] * v[:-1]
    return hv


LOTKA_VOLTERRA_STEP = 0.01  # of 1000 steps
LOTKA_VOLTERRA_INPUTS = (1.0, 0.5, 1.5, 1.0, 3.0, 1.0)


def lotka_volterra(p):
    """1000 Runge-Kutta steps of two equations from p[:2] with parameters p[2:], 50 ops each.

    The sum of squares of where they lead, as a scalar loop.
    """
    u, v, a, b, c, d = p[0], p[1], p[2], p[3], p[4], p[5]
    half, sixth = LOTKA_VOLTERRA_STEP / 2.0, LOTKA_VOLTERRA_STEP / 6.0
    for _ in range(1000):
        ku1, kv1 = u * (a - b * v), v * (d * u - c)
        x, y = u + half * ku1, v + half * kv1
        ku2, kv2 = x * (a - b * y), y * (d * x - c)
        x, y = u + half * ku2, v + half * kv2
        ku3, kv3 = x * (a - b * y), y * (d * x - c)
        x, y = u + LOTKA_VOLTERRA_STEP * ku3, v + LOTKA_VOLTERRA_STEP * kv3
        ku4, kv4 = x * (a - b * y), y * (d * x - c)
        u = u + sixth * (ku1 + 2.0 * ku2 + 2.0 * ku3 + ku4)
        v = v + sixth * (kv1 + 2.0 * kv2 + 2.0 * kv3 + kv4)
    return u * u + v * v


def of_row(np, row):
    """A function of three inputs in 20 operations; a row of numbers, or of columns."""
    x, y, z = row[0], row[1], row[2]
    u = x * y + np.sin(z)
    f = np.exp(-(u * u)) * np.sqrt(1.0 + x * x + y * y)
    return f + np.log(1.0 + z * z) + x / y - 0.5 * z


def of_row_gradient(columns):
    """Its gradient, by NumPy expressions on three arrays: a list of three arrays."""
    x, y, z = columns
    u = x * y + np.sin(z)
    bell = np.exp(-(u * u))
    root = np.sqrt(1.0 + x * x + y * y)
    ubar = -2.0 * u * bell * root
    slope, inverse = bell / root, 1.0 / y
    return [
        ubar * y + slope * x + inverse,
        ubar * x + slope * y - x * inverse * inverse,
        ubar * np.cos(z) + 2.0 * z / (1.0 + z * z) - 0.5,
    ]


def logistic_loss(np, data, labels, w):
    """Negative log-likelihood of logistic regression, labels being 0 and 1."""
    z = data @ w
    return (np.log1p(np.exp(z)) - labels * z).sum()


def logistic_hessian(data, w):
    """Closed form of its Hessian."""
    p = 1.0 / (1.0 + np.exp(-(data @ w)))
    return data.T @ (data * (p * (1.0 - p))[:, None])


def logistic_hessian_symmetric(data, w):
    """The same with half the work: of a matrix times its own transpose BLAS makes one triangle."""
    p = 1.0 / (1.0 + np.exp(-(data @ w)))
    scaled = data * np.sqrt(p * (1.0 - p))[:, None]
    return scaled.T @ scaled


def network_loss(np, parameters, x, y):
    """Mean square of what a network of tanh layers is off; weights and biases in turn."""
    for weights, bias in zip(parameters[::2], parameters[1::2], strict=True):
        x = np.tanh(x @ weights + bias)
    return ((x - y) ** 2).mean()


def network_hvp(parameters, tangents, x, y):
    """Its Hessian times `tangents`, by hand: a list like `parameters`."""
    layers, xdot = [], np.zeros_like(x)
    pairs = zip(parameters[::2], tangents[::2], tangents[1::2], parameters[1::2], strict=True)
    for weights, weights_dot, bias_dot, bias in pairs:
        out = np.tanh(x @ weights + bias)
        slope = 1.0 - out * out
        out_dot = (xdot @ weights + x @ weights_dot + bias_dot) * slope
        layers.append((x, xdot, weights, weights_dot, out, out_dot, slope))
        x, xdot = out, out_dot
    bar, bar_dot = (x - y) * (2.0 / x.size), xdot * (2.0 / x.size)
    product = []
    for before, before_dot, weights, weights_dot, out, out_dot, slope in reversed(layers):
        bar_dot = bar_dot * slope - 2.0 * bar * out * out_dot
        bar = bar * slope
        product += [bar_dot.sum(0), before_dot.T @ bar + before.T @ bar_dot]
        bar, bar_dot = bar @ weights.T, bar_dot @ weights.T + bar @ weights_dot.T
    return product[::-1]

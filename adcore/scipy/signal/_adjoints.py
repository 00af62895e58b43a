"""Adjoints of calls that were recorded whole, in plain numbers: transposes by SciPy's own code.

What `adjoints` of a rule are is said in _valued.py: of (ct, given, output, names) one for each
name, or None where those of the operations will do.
"""

import functools
import math

import numpy as np
import scipy.signal as _scipy


def of(name):
    """The rule's adjoints, made of function(ct, **given), the one of this argument."""

    def decorate(function):
        @functools.wraps(function)
        def adjoints(ct, given, output, names):
            del output
            if names != [name]:
                return None
            found = function(ct, **given)
            return None if found is None else [found]

        return adjoints

    return decorate


def in_signal(name, *without):
    """Whether a rule is linear in an argument: in this one, if those named `without` are None."""

    def linear(argument, given):
        return argument == name and all(given.get(other) is None for other in without)

    return linear


def scattered(g, places, n):
    """The transpose of x -> x[..., places], with x of n elements along its last axis."""
    rows = g.reshape(math.prod(g.shape[:-1]), g.shape[-1])
    out = np.empty((len(rows), n))
    for row, into in zip(rows, out, strict=True):
        into[:] = np.bincount(places, row, n)
    return out.reshape(*g.shape[:-1], n)


def embedded(g, length, start):
    """The transpose of x -> x[..., start : start + n], x of this length."""
    out = np.zeros((*g.shape[:-1], length))
    out[..., start : start + g.shape[-1]] = g
    return out


# ---- filters ----


def steadily_back(sections, states, g):
    """The transpose of sections in a row, each beginning in its state times the first element.

    It is that of the signal turned around, as the next filter in the other direction takes it.
    """
    first = 0.0
    for (b, a), state in zip(reversed(sections), reversed(states), strict=True):
        k = len(state)
        if k:
            w = _scipy.lfilter([1.0], a, g)[..., : -k - 1 : -1]
            first = first + w @ state[: w.shape[-1]]
        g = _scipy.lfilter(b, a, g)
    g[..., -1] += first
    return g[..., ::-1]


def ends_taken_back(g, edge, kind):
    """The transpose of with_ends() of _filters.py."""
    if edge == 0:
        return g
    low, out, high = g[..., :edge], g[..., edge:-edge].copy(), g[..., -edge:]
    if kind in ("even", "odd"):
        sign = 1.0 if kind == "even" else -1.0
        out[..., edge:0:-1] += sign * low
        out[..., -2 : -(edge + 2) : -1] += sign * high
    if kind != "even":
        share = 1.0 if kind == "constant" else 2.0
        out[..., 0] += share * low.sum(-1)
        out[..., -1] += share * high.sum(-1)
    return out


# ---- filters that do not feed back ----


def upfirdn_back(g, h, n, up, down):
    """The transpose of y -> upfirdn(h, y, up, down) along the last axis, of n elements."""
    taps = len(h)
    # The first output that counts is one of those that stay if there are zeros before h.
    before = -(taps - 1) % up
    start = (before + taps - 1) // up
    z = _scipy.upfirdn(np.concatenate([np.zeros(before), h[::-1]]), g, down, up)
    z = z[..., start : start + n]
    return z if z.shape[-1] == n else embedded(z, n, 0)


# ---- order statistics ----

# Windows with no more elements in all are looked at together, others one place of theirs at a time.
_FEW = 2048


@functools.lru_cache(32)
def _windows(shape, sizes, inside):
    """(the shape of an array with room beyond its edges, its middle, places in windows and first).

    Of the window around each element, the `inside` ones of its places, as steps from the first,
    which are arrays of places in the wider array.
    """
    wide = tuple([n + k - 1 for n, k in zip(shape, sizes, strict=True)])
    middle = tuple([slice(k // 2, k // 2 + n) for n, k in zip(shape, sizes, strict=True)])
    strides = [math.prod(wide[d + 1 :]) for d in range(len(wide))]
    offsets = np.unravel_index(inside, sizes)
    steps = sum(i * stride for i, stride in zip(offsets, strides, strict=True))
    first = sum(
        np.arange(n).reshape(-1, *[1] * (len(shape) - 1 - d)) * stride
        for d, (n, stride) in enumerate(zip(shape, strides, strict=True))
    )
    return wide, middle, steps, first


def _picked(elements, windows, rank):
    """The place of the element of a rank in each window; of equal ones the first is the lower."""
    order = elements[windows].argsort(-1, kind="stable")[:, rank]
    return windows[np.arange(len(windows)), order]


def ranked_back(ct, x, sizes, inside, rank, picked):
    """The adjoint of x, of which those of a rank in the window around each element were picked.

    `inside` are the places in a window of these sizes that count; beyond the edges of x are zeros.
    None where there are nans.
    """
    if np.isnan(x).any():
        return None
    shape, middle, steps, first = _windows(x.shape, sizes, inside)
    wide = np.zeros(shape)
    wide[middle] = x
    if x.size * len(inside) <= _FEW:
        found = _picked(wide.reshape(-1), first.reshape(-1, 1) + steps, rank)
    else:
        found, count = np.zeros(x.shape, np.intp), np.zeros(x.shape, np.intp)
        for step, *offset in zip(steps, *np.unravel_index(inside, sizes), strict=True):
            part = tuple([slice(i, i + n) for i, n in zip(offset, x.shape, strict=True)])
            same = wide[part] == picked
            count += same
            np.putmask(found, same, step)
        found += first
        unclear = count != 1
        if unclear.any():
            found[unclear] = _picked(wide.reshape(-1), first[unclear][:, None] + steps, rank)
    out = np.bincount(found.reshape(-1), ct.reshape(-1), wide.size)
    return out.reshape(shape)[middle]

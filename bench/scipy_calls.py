"""Calls of scipy.integrate, interpolate and signal, and of numpy.random: what bench_scipy.py times.

Each part yields Case after Case.  Calls of arrays are small and large; what calls a function of the
user's back is timed whole, as it is the user's function that takes the time.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.integrate
import scipy.interpolate
import scipy.optimize
import scipy.signal
import scipy.sparse.linalg

import adcore
import adcore.numpy.random
import adcore.scipy.integrate
import adcore.scipy.interpolate
import adcore.scipy.optimize
import adcore.scipy.signal

RNG = np.random.default_rng(7)
ELEMENTS = {"small": 10, "large": 5_000}


class Case(NamedTuple):
    """A call of SciPy's, the same of adcore's, and their arguments."""

    name: str
    size: str  # "small", "large", or "whole"
    theirs: Callable
    ours: Callable
    args: tuple
    vary: tuple = (0,)  # indices of the arguments that are tensors in the call of adcore's
    start: Callable = lambda: None  # called before results are compared


def bound(call, namespace, given=None):
    """A call with its namespace, of arguments that `given` names."""
    if given is None:
        return lambda *args: call(namespace, *args)
    return lambda *args: call(namespace, given(*args))


# ---- scipy.integrate: calls of samples y at places x ----


class Samples(NamedTuple):
    """Values at places that increase."""

    y: object
    x: object


OF_SAMPLES = {
    "trapezoid": lambda sp, m: sp.trapezoid(m.y),
    "trapezoid, x": lambda sp, m: sp.trapezoid(m.y, m.x),
    "trapezoid, dx": lambda sp, m: sp.trapezoid(m.y, dx=0.1),
    "cumulative_trapezoid": lambda sp, m: sp.cumulative_trapezoid(m.y),
    "cumulative_trapezoid, x": lambda sp, m: sp.cumulative_trapezoid(m.y, m.x, initial=0),
    "simpson": lambda sp, m: sp.simpson(m.y),
    "simpson, x": lambda sp, m: sp.simpson(m.y, m.x),
    "simpson, odd": lambda sp, m: sp.simpson(m.y[1:], m.x[1:]),
    "cumulative_simpson": lambda sp, m: sp.cumulative_simpson(m.y),
    "cumulative_simpson, x": lambda sp, m: sp.cumulative_simpson(m.y, x=m.x, initial=0),
    "romb": lambda sp, m: sp.romb(m.y[: 1 + (1 << (len(m.x) - 1).bit_length() - 1)]),
}


def of_integrate():
    """Rules of quadrature of samples: y tracked, and for those of x, x as well."""
    for size, n in ELEMENTS.items():
        args = RNG.normal(size=n), np.cumsum(RNG.uniform(0.5, 1.5, n))
        for name, call in OF_SAMPLES.items():
            theirs = bound(call, scipy.integrate, Samples)
            ours = bound(call, adcore.scipy.integrate, Samples)
            yield Case(f"integrate.{name}", size, theirs, ours, args)
            if ", x" in name:
                yield Case(f"integrate.{name} tracked", size, theirs, ours, args, (0, 1))


# ---- scipy.interpolate: an interpolant made of data, and called at places ----

OF_NODES = {
    "CubicSpline": lambda sp, y, x: sp.CubicSpline(x, y),
    "CubicSpline, natural": lambda sp, y, x: sp.CubicSpline(x, y, bc_type="natural"),
    "PchipInterpolator": lambda sp, y, x: sp.PchipInterpolator(x, y),
    "Akima1DInterpolator": lambda sp, y, x: sp.Akima1DInterpolator(x, y),
    "CubicHermiteSpline": lambda sp, y, x: sp.CubicHermiteSpline(x, y, y),
    "make_interp_spline": lambda sp, y, x: sp.make_interp_spline(x, y),
    "make_interp_spline, linear": lambda sp, y, x: sp.make_interp_spline(x, y, k=1),
    "interp1d": lambda sp, y, x: sp.interp1d(x, y),
    "interp1d, cubic": lambda sp, y, x: sp.interp1d(x, y, kind="cubic"),
    "RegularGridInterpolator": lambda sp, y, x: sp.RegularGridInterpolator((x,), y),
    "RegularGridInterpolator, cubic": lambda sp, y, x: sp.RegularGridInterpolator(
        (x,), y, method="cubic", solver=scipy.sparse.linalg.spsolve
    ),
}
# Of few nodes, whatever the number of places: the polynomials' degree, or a square of it.
OF_FEW_NODES = {
    "BarycentricInterpolator": lambda sp, y, x: sp.BarycentricInterpolator(x, y),
    "KroghInterpolator": lambda sp, y, x: sp.KroghInterpolator(x, y),
    "RBFInterpolator": lambda sp, y, x: sp.RBFInterpolator(x[:, None], y),
    "RegularGridInterpolator, 2-D": lambda sp, y, x: sp.RegularGridInterpolator(
        (x, x), y[:, None] * x
    ),
}


def parts_of(made):
    """The numbers that an interpolant is made of."""
    for name in ("yi", "_values", "values", "c", "y"):
        if hasattr(made, name):
            return getattr(made, name)
    return None


def of_interpolate():
    """Making of tracked data; at numbers of tracked data; at tracked places of plain data."""
    theirs, ours = scipy.interpolate, adcore.scipy.interpolate
    for size, n in ELEMENTS.items():
        for name, make in {**OF_NODES, **OF_FEW_NODES}.items():
            nodes = 10 if name in OF_FEW_NODES else n
            x = np.cumsum(RNG.uniform(0.5, 1.5, nodes))
            y = RNG.normal(size=nodes)
            at = RNG.uniform(x[0], x[-1], n)
            if "RBF" in name:
                at = at[:, None]
            if "2-D" in name:
                at = np.stack([at, at], 1)
            label = f"interpolate.{name}"
            if name in OF_NODES or size == "small":
                yield Case(
                    f"{label}, make", size, whole(make, theirs), whole(make, ours), (y, x), (0,)
                )
            tracked = make(ours, adcore.tensor(y, requires_grad=True), x)
            plain, plain_ours = make(theirs, y, x), make(ours, y, x)
            yield Case(f"{label}, call of tracked data", size, plain, tracked, (at,), ())
            yield Case(f"{label}, call at tracked places", size, plain, plain_ours, (at,), (0,))


def whole(make, namespace):
    """What an interpolant is made of, as something to compare."""
    return lambda y, x: parts_of(make(namespace, y, x))


# ---- scipy.signal ----

_B, _A = scipy.signal.butter(3, 0.2)
_SOS = scipy.signal.butter(4, 0.2, output="sos")
_TAPS = np.hanning(7)[1:-1]


OF_SIGNALS = {
    "convolve": lambda sp, v: sp.convolve(v, _TAPS),
    "convolve, same": lambda sp, v: sp.convolve(v, _TAPS, mode="same"),
    "convolve, valid": lambda sp, v: sp.convolve(v, _TAPS, mode="valid"),
    "fftconvolve": lambda sp, v: sp.fftconvolve(v, _TAPS),
    "oaconvolve": lambda sp, v: sp.oaconvolve(v, _TAPS),
    "correlate": lambda sp, v: sp.correlate(v, _TAPS),
    "convolve2d": lambda sp, v: sp.convolve2d(v.reshape(5, -1), np.ones((3, 2))),
    "correlate2d": lambda sp, v: sp.correlate2d(v.reshape(5, -1), np.ones((3, 2)), mode="same"),
    "lfilter": lambda sp, v: sp.lfilter(_B, _A, v),
    "lfilter, fir": lambda sp, v: sp.lfilter(_TAPS, [1.0], v),
    "lfilter, zi": lambda sp, v: sp.lfilter(_B, _A, v, zi=np.ones(3))[0],
    "filtfilt": lambda sp, v: sp.filtfilt(_B, _A, v, padlen=6),
    "sosfilt": lambda sp, v: sp.sosfilt(_SOS, v),
    "sosfiltfilt": lambda sp, v: sp.sosfiltfilt(_SOS, v, padlen=6),
    "deconvolve": lambda sp, v: sp.deconvolve(v, [1.0, 0.5])[0],
    "detrend": lambda sp, v: sp.detrend(v),
    "detrend, constant": lambda sp, v: sp.detrend(v, type="constant"),
    "savgol_filter": lambda sp, v: sp.savgol_filter(v, 5, 2),
    "savgol_filter, nearest": lambda sp, v: sp.savgol_filter(v, 5, 2, mode="nearest"),
    "medfilt": lambda sp, v: sp.medfilt(v),
    "wiener": lambda sp, v: sp.wiener(v),
    "order_filter": lambda sp, v: sp.order_filter(v, np.ones(3), 1),
    "upfirdn": lambda sp, v: sp.upfirdn(_TAPS, v, 2, 3),
    "resample": lambda sp, v: sp.resample(v, v.shape[0] // 2),
    "resample_poly": lambda sp, v: sp.resample_poly(v, 2, 3),
    "decimate": lambda sp, v: sp.decimate(v, 2, n=1),
    "hilbert": lambda sp, v: abs(sp.hilbert(v)),
    "periodogram": lambda sp, v: sp.periodogram(v)[1],
    "welch": lambda sp, v: sp.welch(v, nperseg=8)[1],
    "csd": lambda sp, v: abs(sp.csd(v, v, nperseg=8)[1]),
    "coherence": lambda sp, v: sp.coherence(v, v, nperseg=8)[1],
    "stft": lambda sp, v: abs(sp.stft(v, nperseg=8)[2]),
    "spectrogram": lambda sp, v: sp.spectrogram(v, nperseg=8)[2],
}


class Filter(NamedTuple):
    """Coefficients, and a signal."""

    b: object
    a: object
    v: object


OF_COEFFICIENTS = {
    "lfilter, tracked coefficients": lambda sp, m: sp.lfilter(m.b, m.a, m.v),
    "lfilter_zi": lambda sp, m: sp.lfilter_zi(m.b, m.a),
    "lfiltic": lambda sp, m: sp.lfiltic(m.b, m.a, [1.0, 2.0]),
    "freqz": lambda sp, m: abs(sp.freqz(m.b, m.a, worN=len(m.v))[1]),
    "freqz_sos": lambda sp, m: abs(sp.freqz_sos(np.concat([m.b[:3], m.a[:3]])[None], len(m.v))[1]),
    "convolve, tracked kernel": lambda sp, m: sp.convolve(m.v, m.b),
}


def of_signal():
    """Of a tracked signal, with plain coefficients; and of tracked coefficients."""
    theirs, ours = scipy.signal, adcore.scipy.signal
    for size, n in ELEMENTS.items():
        v = np.cumsum(RNG.normal(size=n))
        for name, call in OF_SIGNALS.items():
            yield Case(f"signal.{name}", size, bound(call, theirs), bound(call, ours), (v,))
        for name, call in OF_COEFFICIENTS.items():
            calls = bound(call, theirs, Filter), bound(call, ours, Filter)
            yield Case(f"signal.{name}", size, *calls, (_B, _A, v), (0, 1))


# ---- numpy.random ----

OF_PARAMETERS = {
    "normal": (0.5, 1.5),
    "laplace": (0.5, 1.5),
    "logistic": (0.5, 1.5),
    "gumbel": (0.5, 1.5),
    "lognormal": (0.5, 0.3),
    "uniform": (0.5, 1.5),
    "exponential": (1.5,),
    "rayleigh": (1.5,),
    "weibull": (1.5,),
    "pareto": (1.5,),
    "power": (1.5,),
    "triangular": (0.5, 1.0, 2.5),
    "standard_gamma": (1.5,),
    "gamma": (1.5, 0.7),
    "chisquare": (1.5,),
    "beta": (1.5, 2.5),
    "standard_t": (4.5,),
    "f": (4.5, 5.5),
}


def of_random():
    """Samples, by methods of a generator, of tracked parameters."""
    for size, n in ELEMENTS.items():
        for name, parameters in OF_PARAMETERS.items():
            generators = np.random.default_rng(3), adcore.numpy.random.default_rng(3)
            calls = [drawing(getattr(g, name), n) for g in generators]
            vary = tuple(range(len(parameters)))
            state = generators[0].bit_generator.state

            def start(generators=generators, state=state):
                for generator in generators:
                    generator.bit_generator.state = state

            yield Case(f"random.Generator.{name}", size, *calls, parameters, vary, start)


def drawing(method, n):
    """So many samples of parameters."""
    return lambda *parameters: method(*parameters, size=n)


# ---- what calls a function of the user's back ----

_T = np.linspace(0.0, 2.0, 20)


def _decay(t, y, k):
    del t
    return -k * y


def _cubic(x, p):
    return x * x * x - p


def _curve(t, a, b):
    return a * np.exp(-b * t)


def _valley(x, p):
    return (p - x[0]) ** 2 + 5.0 * (x[1] - x[0] ** 2) ** 2


OF_FUNCTIONS = {
    "integrate.fixed_quad": lambda sp, p: sp.integrate.fixed_quad(
        lambda x: np.exp(-p * x), 0.0, 1.0
    )[0],
    "integrate.quad": lambda sp, p: sp.integrate.quad(lambda x: np.exp(-p * x), 0.0, 1.0)[0],
    "integrate.quad_vec": lambda sp, p: sp.integrate.quad_vec(lambda x: np.exp(-p * x), 0.0, 1.0)[
        0
    ],
    "integrate.solve_ivp": lambda sp, p: sp.integrate.solve_ivp(
        _decay, (0.0, 2.0), [1.0], args=(p,), rtol=1e-6, atol=1e-9
    ).y[0, -1],
    "integrate.odeint": lambda sp, p: sp.integrate.odeint(
        _decay, [1.0], [0.0, 1.0, 2.0], args=(p,), tfirst=True
    ),
    "optimize.brentq": lambda sp, p: sp.optimize.brentq(_cubic, 0.1, 3.0, args=(p,)),
    "optimize.newton": lambda sp, p: sp.optimize.newton(_cubic, 1.2, args=(p,)),
    "optimize.root": lambda sp, p: sp.optimize.root(_cubic, [1.2], args=(p,)).x,
    "optimize.fsolve": lambda sp, p: sp.optimize.fsolve(_cubic, [1.2], args=(p,)),
    "optimize.fixed_point": lambda sp, p: sp.optimize.fixed_point(
        lambda x, p: np.cos(p * x), 0.7, args=(p,)
    ),
    "optimize.minimize": lambda sp, p: sp.optimize.minimize(_valley, [0.9, 0.9], args=(p,)).x,
    "optimize.minimize_scalar": lambda sp, p: (
        sp.optimize.minimize_scalar(lambda x, p: (x * x - p) ** 2 + x, args=(p,)).x
    ),
    "optimize.curve_fit": lambda sp, p: sp.optimize.curve_fit(
        _curve, _T, p * np.exp(-_T) + 0.01 * np.sin(9.0 * _T)
    )[0],
    "optimize.least_squares": lambda sp, p: (
        sp.optimize.least_squares(
            lambda x, p: _curve(_T, *x) - p * np.exp(-_T), [1.0, 0.5], args=(p,)
        ).x
    ),
}


def of_solvers():
    """Solvers of a function that holds a tracked parameter, once for each call."""
    for name, call in OF_FUNCTIONS.items():
        theirs, ours = bound(call, scipy), bound(call, adcore.scipy)
        yield Case(name, "whole", theirs, ours, (1.3,))


PARTS = (of_integrate, of_interpolate, of_signal, of_random, of_solvers)

"""adcore.odeint: what adcore.scipy.integrate.odeint is, without SciPy imported beforehand."""


def odeint(func, y0, t, args=(), **options):
    """The solution of y' = func(y, t, *args), as scipy.integrate.odeint, differentiable.

    Derivatives, to any order and in both modes, in y0, t, args and in what func closes over; see
    adcore.scipy.integrate.odeint, and solve_ivp beside it for other methods and for events.

    Examples
    --------
    >>> import adcore, numpy as np
    >>> def end(rate):
    ...     return adcore.odeint(lambda y, t: -rate * y, [2.0], [0.0, 1.0])[-1, 0]
    >>> bool(abs(adcore.grad(end)(0.5) + 2.0 * np.exp(-0.5)) < 1e-6)
    True
    """
    from .scipy.integrate import odeint  # when first needed: SciPy takes its time to import

    return odeint(func, y0, t, args, **options)

"""The same works by other packages, where they are installed.

Each function returns a dict from package name to a callable without arguments that does the whole
work, conversion of the NumPy input included, in float64 on the CPU.  Nothing is compiled ahead: the
question is what an ordinary call costs.  compare_compiled.py asks the other one.  jax is left out
of the scalar loops, which its eager mode takes minutes for, and HIPS autograd out of derivatives
above order 4.
"""

from importlib.util import find_spec

import numpy as np

PACKAGES = ("torch", "jax", "autograd", "xad", "hyperjet", "casadi", "heyoka", "numba")


def installed():
    """Names of the packages that can be compared."""
    return [name for name in PACKAGES if find_spec(name) is not None]


def load_torch():
    """The module, set to float64 and one thread."""
    import torch

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    return torch


def load_jax():
    """The module, set to float64."""
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax


def _autograd():
    import autograd
    import autograd.numpy

    return autograd


def _torch_gradient(torch, f, x):
    leaf = torch.tensor(x, requires_grad=True)
    y = f(leaf)
    y.backward()
    return y.item(), leaf.grad.numpy()


def gradient(f, x):
    """Value and gradient of `f(x)`, a scalar loop that needs only arithmetic and indexing."""
    calls = {}
    if "torch" in installed():
        torch = load_torch()
        calls["torch"] = lambda: _torch_gradient(torch, f, x)
    if "autograd" in installed():
        calls["autograd"] = lambda: _autograd().value_and_grad(f)(np.array(x))
    if "xad" in installed():
        from xad import adj_1st

        def by_xad():
            with adj_1st.Tape() as tape:
                leaves = [adj_1st.Real(value) for value in x.tolist()]
                tape.registerInputs(leaves)
                tape.newRecording()
                y = f(leaves)
                tape.registerOutput(y)
                y.derivative = 1.0
                tape.computeAdjoints()
                return y.value, np.array([leaf.derivative for leaf in leaves])

        calls["XAD"] = by_xad
    return calls


def array_gradient(f, x):
    """Value and gradient of `f(np, x)`, `np` being the NumPy-like module of the package."""
    calls = {}
    if "torch" in installed():
        torch = load_torch()
        calls["torch"] = lambda: _torch_gradient(torch, lambda v: f(torch, v), x)
    if "jax" in installed():
        jax = load_jax()

        def by_jax():
            y, g = jax.value_and_grad(lambda v: f(jax.numpy, v))(x)
            return float(y), np.asarray(g)

        calls["jax"] = by_jax
    if "autograd" in installed():
        autograd = _autograd()
        calls["autograd"] = lambda: autograd.value_and_grad(lambda v: f(autograd.numpy, v))(x)
    return calls


def hessian(f, x):
    """Dense Hessian of `f(x)`, a scalar loop that needs only arithmetic and indexing."""
    calls = {}
    if "torch" in installed():
        torch = load_torch()
        calls["torch"] = lambda: torch.autograd.functional.hessian(f, torch.tensor(x)).numpy()
    if "autograd" in installed():
        calls["autograd"] = lambda: _autograd().hessian(f)(np.array(x))
    if "hyperjet" in installed():
        import hyperjet

        calls["hyperjet"] = lambda: f(hyperjet.DDScalar.variables(x.tolist())).hm()
    return calls


def derivative(f, x, order):
    """The derivative of order `order` of `f(numpy_like, x)` at the float `x`, by nesting."""
    calls = {}
    if "torch" in installed():
        torch = load_torch()

        def by_torch():
            leaf = torch.tensor(x, requires_grad=True)
            y = f(torch, leaf)
            for _ in range(order):
                (y,) = torch.autograd.grad(y, leaf, create_graph=True)
            return y.item()

        calls["torch"] = by_torch
    if "autograd" in installed() and order <= 4:
        autograd = _autograd()

        def by_autograd():
            def nested(v):
                return f(autograd.numpy, v)

            for _ in range(order):
                nested = autograd.grad(nested)
            return nested(x)

        calls["autograd"] = by_autograd
    return calls

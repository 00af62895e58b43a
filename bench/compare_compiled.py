"""The same works by packages that compile or record beforehand, where they are installed.

CasADi (its interpreter, called through buffers), heyoka (LLVM), jax.jit, numba, and torch, which
is called as it stands.  Each function returns a dict from the package's name to a function that
builds, and that returns a callable without arguments that does the whole work: building is timed
apart.  NumPy arrays go in and come out, except for CasADi and heyoka, which read and write given
arrays: those stand in the callable's attribute `result`.  Everything is float64 and on one thread.
"""

from functools import partial

import numpy as np

from compare import installed, load_jax, load_torch

# Arithmetic operations of the longest loop that each package is given.  Building 8000 takes heyoka
# half a second and jax a minute, 800 000 takes CasADi 15 s; the first two grow faster than it.
LONGEST_LOOP = {"CasADi": 1_000_000, "heyoka": 10_000, "jax.jit": 10_000}
# heyoka's compact mode compiles loops, without which long programs take hours and short ones less.
COMPACT_FROM = 1000


def _casadi_call(casadi, symbols, outputs, x, result):
    """A call through buffers that fills the arrays of `result`, flat and non-zeros only."""
    function = casadi.Function("f", [symbols], outputs)
    buffer, run = function.buffer()
    buffer.set_arg(0, memoryview(x))
    for i, array in enumerate(result if isinstance(result, tuple) else (result,)):
        buffer.set_res(i, memoryview(array.reshape(-1)))
    call = partial(run)
    call.result = result
    call.buffer = buffer  # the run needs it, and nobody else keeps it
    return call


def _heyoka_call(heyoka, symbols, outputs, x, result, flat, ops):
    """A call that fills the array `flat`, of which `result` is made of views."""
    compiled = heyoka.cfunc(outputs, vars=symbols, compact_mode=ops >= COMPACT_FROM)
    call = partial(compiled, x, outputs=flat)
    call.result = result
    return call


def loop_gradient(f, x, ops):
    """Value and gradient of `f(x)`, a scalar loop of `ops` operations on what can be indexed."""
    n, builders = len(x), {}
    if "casadi" in installed():
        import casadi

        def by_casadi():
            symbols = casadi.SX.sym("x", n)
            y = f(casadi.vertsplit(symbols))
            outputs = [y, casadi.gradient(y, symbols)]
            return _casadi_call(casadi, symbols, outputs, x, (np.empty(()), np.empty(n)))

        builders["CasADi"] = by_casadi
    if "heyoka" in installed():
        import heyoka

        def by_heyoka():
            symbols = heyoka.make_vars(*(f"x{i:06d}" for i in range(n)))
            y = f(symbols)
            gradient = heyoka.diff_tensors([y], diff_args=symbols, diff_order=1).gradient
            flat = np.empty(n + 1)
            result = (flat[:1].reshape(()), flat[1:])
            return _heyoka_call(heyoka, symbols, [y, *gradient], x, result, flat, ops)

        builders["heyoka"] = by_heyoka
    if "jax" in installed():
        builders["jax.jit"] = lambda: _jax_value_and_gradient(f, x)
    return _short_enough(builders, ops)


def _short_enough(builders, ops):
    return {name: b for name, b in builders.items() if ops <= LONGEST_LOOP[name]}


def _jax_value_and_gradient(f, x):
    jax = load_jax()
    compiled = jax.jit(jax.value_and_grad(f))

    def call():
        y, g = compiled(x)
        return float(y), np.asarray(g)

    call()
    return call


def array_gradient(f, x):
    """Value and gradient of `f(np, x)`, `np` being the NumPy-like module of the package."""
    if "jax" not in installed():
        return {}
    jax = load_jax()
    return {"jax.jit": lambda: _jax_value_and_gradient(lambda v: f(jax.numpy, v), x)}


def _casadi_hessian(f, x, dense):
    import casadi

    symbols = casadi.SX.sym("x", len(x))
    hessian, _ = casadi.hessian(f(casadi.vertsplit(symbols)), symbols)
    output = casadi.densify(hessian) if dense else hessian
    result = np.empty((len(x), len(x)) if dense else output.nnz())
    return _casadi_call(casadi, symbols, [output], x, result)


def loop_hessian_nonzeros(f, x):
    """Hessian of the same by CasADi: only what is not zero, by columns."""
    return (
        {"CasADi, non-zeros": lambda: _casadi_hessian(f, x, False)}
        if "casadi" in installed()
        else {}
    )


class _CasADiArrays:
    """As much of NumPy as the functions below need, for CasADi's matrix expressions.

    Its matrices are stored by columns: what is reshaped here is the transpose, which is all the
    same to the functions that are given.
    """

    @staticmethod
    def reshape(x, shape):
        import casadi

        return casadi.reshape(x, *shape)

    @staticmethod
    def sqrt(x):
        import casadi

        return casadi.sqrt(x)

    @staticmethod
    def sum(x):
        import casadi

        return casadi.sum1(casadi.sum2(x))


def array_hessian_nonzeros(f, x):
    """Hessian of `f(np, x)` by CasADi's matrix expressions: only what is not zero, by columns."""
    if "casadi" not in installed():
        return {}
    import casadi

    def by_casadi():
        symbols = casadi.MX.sym("x", len(x))
        hessian, _ = casadi.hessian(f(_CasADiArrays, symbols), symbols)
        return _casadi_call(casadi, symbols, [hessian], x, np.empty(hessian.nnz()))

    return {"CasADi, non-zeros": by_casadi}


def loop_hessian(f, x, ops):
    """Dense Hessian of `f(x)`, a scalar loop of `ops` operations on what can be indexed."""
    n, builders = len(x), {}
    if "casadi" in installed():
        builders["CasADi"] = lambda: _casadi_hessian(f, x, True)
    if "heyoka" in installed():
        import heyoka

        def by_heyoka():
            symbols = heyoka.make_vars(*(f"x{i:06d}" for i in range(n)))
            tensors = heyoka.diff_tensors([f(symbols)], diff_args=symbols, diff_order=2)
            flat = np.empty(n * n)
            outputs = list(tensors.hessian(0).ravel())
            return _heyoka_call(heyoka, symbols, outputs, x, flat.reshape(n, n), flat, ops)

        builders["heyoka"] = by_heyoka
    if "jax" in installed():
        builders["jax.jit"] = lambda: _jax_call(f, x, "hessian")
    return _short_enough(builders, ops)


def _jax_call(f, x, transform):
    jax = load_jax()
    compiled = jax.jit(getattr(jax, transform)(f))
    np.asarray(compiled(x))
    return lambda: np.asarray(compiled(x))


def array_hessian(f, x):
    """Dense Hessian of `f(np, x)`."""
    builders = {}
    if "jax" in installed():
        jax = load_jax()
        builders["jax.jit"] = lambda: _jax_call(lambda v: f(jax.numpy, v), x, "hessian")
    if "torch" in installed():
        torch = load_torch()

        def by_torch():
            def call():
                hessian = torch.autograd.functional.hessian
                return hessian(lambda v: f(torch, v), torch.from_numpy(x)).numpy()

            return call

        builders["torch"] = by_torch
    return builders


def hvp(f, x, v):
    """Hessian of `f(np, x)` times `v`, x and v being arrays or lists of arrays."""
    builders, listed = {}, isinstance(x, list)
    if "jax" in installed():
        jax = load_jax()

        def by_jax():
            @jax.jit
            def product(x, v):
                return jax.jvp(jax.grad(lambda x: f(jax.numpy, x)), (x,), (v,))[1]

            def call():
                return jax.tree.map(np.asarray, product(x, v))

            call()
            return call

        builders["jax.jit"] = by_jax
    if "torch" in installed():
        torch = load_torch()

        def leaves(arrays):
            return [torch.from_numpy(a) for a in (arrays if listed else [arrays])]

        def by_torch():
            def call():
                xs = [leaf.requires_grad_() for leaf in leaves(x)]
                y = f(torch, xs if listed else xs[0])
                gradients = torch.autograd.grad(y, xs, create_graph=True)
                # Reverse over reverse, which is the fastest way here.
                products = torch.autograd.grad(gradients, xs, leaves(v))
                arrays = [product.numpy() for product in products]
                return arrays if listed else arrays[0]

            return call

        builders["torch"] = by_torch
    return builders


def row_gradients(f, rows):
    """Gradient of `f(np, row)` at each row of a matrix."""
    if "jax" not in installed():
        return {}
    jax = load_jax()

    def by_jax():
        gradient = jax.grad(lambda row: f(jax.numpy, row))
        compiled = jax.jit(jax.vmap(gradient))
        np.asarray(compiled(rows))
        return lambda: np.asarray(compiled(rows))

    return {"jax.jit": by_jax}


def rosenbrock_2_by_numba():
    """Gradient and Hessian of the Rosenbrock function of two variables, by formula.

    A dict of the two functions, each from an array to an array; empty without numba.
    """
    if "numba" not in installed():
        return {}
    import numba

    def gradient(x):
        g = np.empty(2)
        t = x[1] - x[0] * x[0]
        g[0] = -400.0 * t * x[0] - 2.0 * (1.0 - x[0])
        g[1] = 200.0 * t
        return g

    def hessian(x):
        h = np.empty((2, 2))
        h[0, 0] = 1200.0 * x[0] * x[0] - 400.0 * x[1] + 2.0
        h[0, 1] = h[1, 0] = -400.0 * x[0]
        h[1, 1] = 200.0
        return h

    return {"gradient": numba.njit(gradient), "hessian": numba.njit(hessian)}

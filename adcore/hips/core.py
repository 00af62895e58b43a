"""What of autograd.core others use."""

__all__ = [
    *("def_linear", "defjvp", "defjvp_argnum", "defjvp_argnums", "defvjp", "defvjp_argnum"),
    *("defvjp_argnums", "make_jvp", "make_vjp", "primitive"),
]


def make_jvp(fun, x):
    """A function v -> (value, the Jacobian times v)."""
    from ..transforms import jvp

    return lambda v: jvp(fun, (x,), (v,))

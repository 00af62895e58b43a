"""Fixed points, differentiable in the parameters of the function."""

from ... import transforms
from ..extend import defvjp, primitive


@primitive
def fixed_point(f, a, x0, distance, tol):
    """The x with f(a)(x) = x, by iteration from x0 until steps are shorter than tol."""
    step = f(a)
    last, x = x0, step(x0)
    while distance(x, last) > tol:
        last, x = x, step(x)
    return x


def _move(ans, f, a, x0, distance, tol):
    """J' g for da, by the fixed point of u = g + u df/dx: the adjoint of the iteration."""

    def back(g):
        _, pull_x = transforms.vjp(f(a), ans)
        u = fixed_point(lambda g: lambda u: g + pull_x(u)[0], g, 0.0 * x0, distance, tol)
        return transforms.vjp(lambda a: f(a)(ans), a)[1](u)[0]

    return back


defvjp(fixed_point, None, _move, None, None, None)

"""scipy.interpolate on tensors: values are SciPy's, derivatives SciPy's own and identities.

In the argument, derivatives are SciPy's derivative(); in the values, of interpolants linear in
them, SciPy's interpolants of unit vectors; in the nodes, differences and that nothing changes
where nodes and argument move together.
"""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import scipy.interpolate
import scipy.sparse.linalg

import adcore
from adcore import errors
from adcore.scipy import integrate, interpolate
from adcore.testing import check_grads

RNG = np.random.default_rng(1)
X = np.array([0.0, 0.4, 1.3, 1.9, 2.8, 3.2, 4.0])
Y = RNG.normal(size=(7, 2))
AT = np.array([0.0, 0.2, 1.3, 2.5, 3.9, 4.0, 3.2])  # at both ends, at nodes, between
INSIDE = np.array([0.2, 1.0, 2.5, 3.9])
OUTSIDE = np.array([-1.0, -0.01, 4.01, 6.0])
AROUND = np.concatenate([AT, OUTSIDE])


def tensor(x):
    return adcore.tensor(np.asarray(x, float), requires_grad=True)


def plain(x):
    return x.detach().numpy() if isinstance(x, adcore.Tensor) else np.asarray(x)


def spline(bc_type):
    return lambda module, x, y: module.CubicSpline(x, y, bc_type=bc_type)


def interp_spline(k, bc_type=None):
    return lambda module, x, y: module.make_interp_spline(x, y, k, bc_type=bc_type)


def interp1d(kind):
    def make(module, x, y):
        return module.interp1d(x, y, kind, axis=0, bounds_error=False, fill_value=(-5.0, 5.0))

    return make


# name -> (module, x, y) -> interpolant: linear in y
LINEAR = {
    "CubicSpline not-a-knot": spline("not-a-knot"),
    "CubicSpline natural": spline("natural"),
    "CubicSpline clamped": spline("clamped"),
    "CubicSpline mixed": spline(("not-a-knot", "natural")),
    "spline of degree 1": interp_spline(1),
    "spline of degree 2": interp_spline(2),
    "spline of degree 3": interp_spline(3),
    "spline of degree 3 natural": interp_spline(3, "natural"),
    "spline of degree 5": interp_spline(5),
    "Krogh": lambda module, x, y: module.KroghInterpolator(x, y),
    "barycentric": lambda module, x, y: module.BarycentricInterpolator(x, y, rng=0),
    "interp1d linear": interp1d("linear"),
    "interp1d slinear": interp1d("slinear"),
    "interp1d quadratic": interp1d("quadratic"),
    "interp1d cubic": interp1d("cubic"),
}
OTHERS = {
    "pchip": lambda module, x, y: module.PchipInterpolator(x, y),
    "Akima": lambda module, x, y: module.Akima1DInterpolator(x, y),
    "makima": lambda module, x, y: module.Akima1DInterpolator(
        x, y, method="makima", extrapolate=True
    ),
}
STEPS = {kind: interp1d(kind) for kind in ("nearest", "nearest-up", "previous", "next", "zero")}
SMOOTH = {**LINEAR, **OTHERS}
every = pytest.mark.parametrize("name", [*SMOOTH, *STEPS])
smooth = pytest.mark.parametrize("name", SMOOTH)
linear = pytest.mark.parametrize("name", LINEAR)


def make(name):
    return {**SMOOTH, **STEPS}[name]


# ---- names ----


def test_every_name_has_a_state():
    asked_for = {
        *("CubicSpline", "PchipInterpolator", "Akima1DInterpolator", "make_interp_spline"),
        *("BSpline", "PPoly", "splev", "RegularGridInterpolator", "interp1d", "interpn"),
        *("BarycentricInterpolator", "KroghInterpolator", "RBFInterpolator"),
    }
    states = {name: interpolate.state(name) for name in scipy.interpolate.__all__}
    assert asked_for <= {n for n, s in states.items() if s == "differentiable"}
    assert set(states) == set(interpolate.__all__)
    for name, state in states.items():
        if state == "differentiable" and isinstance(getattr(scipy.interpolate, name), type):
            assert issubclass(getattr(interpolate, name), getattr(scipy.interpolate, name))


@pytest.mark.parametrize(
    "name", [n for n in scipy.interpolate.__all__ if interpolate.state(n) == "refused"]
)
def test_what_is_refused_names_itself(name):
    with pytest.raises(errors.NotDifferentiableError, match=rf"interpolate\.{name} of a tensor"):
        getattr(interpolate, name)(X, tensor(X))


def test_what_is_refused_serves_plain_arguments():
    ours, theirs = (m.UnivariateSpline(X, Y[:, 0], s=0.1) for m in (interpolate, scipy.interpolate))
    np.testing.assert_array_equal(ours(AT), theirs(AT))
    np.testing.assert_array_equal(
        interpolate.splrep(X, Y[:, 0])[1], scipy.interpolate.splrep(X, Y[:, 0])[1]
    )


# ---- one dimension: values ----


@every
def test_values_are_scipys(name):
    theirs = make(name)(scipy.interpolate, X, Y)
    expected = theirs(AROUND)
    np.testing.assert_array_equal(make(name)(interpolate, X, Y)(AROUND), expected)
    for x, y, at in itertools.product((X, tensor(X)), (Y, tensor(Y)), (AROUND, tensor(AROUND))):
        found = plain(make(name)(interpolate, x, y)(at))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@every
def test_shapes(name):
    theirs = make(name)(scipy.interpolate, X, Y)
    for y, module in ((tensor(Y), interpolate), (Y, interpolate)):
        ours = make(name)(module, X, y)
        for at in (1.1, np.float64(1.1), np.empty(0), INSIDE.reshape(2, 2), INSIDE[::2]):
            found = ours(tensor(at)) if module is interpolate else ours(at)
            assert found.shape == theirs(at).shape
            np.testing.assert_allclose(plain(found), theirs(at), rtol=1e-10, atol=1e-10)
    ours, theirs = (
        make(name)(m, X, y)(INSIDE)
        for m, y in ((interpolate, tensor(Y[:, 0])), (scipy.interpolate, Y[:, 0]))
    )
    np.testing.assert_allclose(plain(ours), theirs, rtol=1e-10, atol=1e-10)
    empty = np.empty((7, 0))
    if name not in ("Krogh", "barycentric", "Akima", "makima") and "interp1d" not in name:
        assert make(name)(interpolate, tensor(X), empty)(INSIDE).shape == (4, 0)


@pytest.mark.parametrize(
    "kind", ["CubicSpline", "PchipInterpolator", "Akima1DInterpolator", "KroghInterpolator",
             "BarycentricInterpolator", "make_interp_spline", "interp1d"]
)  # fmt: skip
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_axes(kind, axis):
    y = RNG.normal(size=(7, 7, 3)) if axis >= 0 else RNG.normal(size=(2, 3, 7))
    theirs, ours = (
        getattr(m, kind)(X, v, axis=axis)
        for m, v in ((scipy.interpolate, y), (interpolate, tensor(y)))
    )
    for at in (1.1, INSIDE, INSIDE.reshape(2, 2)):
        np.testing.assert_allclose(plain(ours(at)), theirs(at), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
@pytest.mark.parametrize("bc_type", ["not-a-knot", "natural", "clamped", "periodic", "values"])
def test_cubic_splines_of_few_points(n, bc_type):
    x = X[:n] * 4.0 / X[n - 1]
    y = Y[:n].copy()
    given = bc_type
    if bc_type == "periodic":
        y[-1] = y[0]
    if bc_type == "values":
        given = ((1, np.array([0.5, 1.0])), (2, np.array([-0.3, 0.1])))
    theirs = scipy.interpolate.CubicSpline(x, y, bc_type=given)
    ours = interpolate.CubicSpline(tensor(x), tensor(y), bc_type=given)
    for nu in range(5):
        np.testing.assert_allclose(plain(ours(AROUND, nu)), theirs(AROUND, nu), atol=1e-9)
    if bc_type == "values":
        values = [v for _, v in given]
        check_grads(
            lambda a, b: interpolate.CubicSpline(x, y, bc_type=((1, a), (2, b)))(INSIDE),
            values,
            order=2,
        )
    if bc_type == "periodic" and n > 2:

        def closed(x, y):
            return interpolate.CubicSpline(x, adcore.concatenate([y, y[:1]]), bc_type=bc_type)

        check_grads(lambda x, y, at: closed(x, y)(at), (x, y[:-1, 0], OUTSIDE), order=2)


# ---- one dimension: derivatives ----


@smooth
def test_derivatives_in_the_argument_are_scipys(name):
    """Of first and second order, in both modes, at nodes too."""
    theirs = make(name)(scipy.interpolate, X, Y[:, 0])
    if name.startswith("interp1d"):
        degree = {"linear": 1, "slinear": 1, "quadratic": 2, "cubic": 3}[name.split()[1]]
        theirs = scipy.interpolate.make_interp_spline(X, Y[:, 0], degree)
    if hasattr(theirs, "derivatives"):
        first, second = theirs.derivative(INSIDE), theirs.derivative(INSIDE, 2)
    else:
        first, second = theirs(INSIDE, 1), theirs(INSIDE, 2)

    for data in ((X, Y[:, 0]), (X, tensor(Y[:, 0]))):

        def f(at, data=data):
            return make(name)(interpolate, *data)(at)

        if data[1] is Y[:, 0]:
            for transform in (adcore.elementwise_grad,):
                np.testing.assert_allclose(transform(f)(INSIDE), first, rtol=1e-8, atol=1e-8)
                found = transform(transform(f))(INSIDE)
                np.testing.assert_allclose(found, second, rtol=1e-8, atol=1e-8)
        tangent = adcore.jvp(f, (INSIDE,), (np.ones(4),))[1]
        np.testing.assert_allclose(plain(tangent), first, rtol=1e-8, atol=1e-8)


@linear
def test_derivatives_in_the_values_are_interpolants_of_unit_vectors(name):
    interpolant = make(name)

    def f(y):
        return interpolant(interpolate, X, y)(AT)

    basis = np.stack([interpolant(scipy.interpolate, X, e)(AT) for e in np.eye(7)], axis=1)
    np.testing.assert_allclose(adcore.jacrev(f)(Y[:, 0]), basis, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(adcore.jacfwd(f)(Y[:, 0]), basis, rtol=1e-9, atol=1e-9)
    h = adcore.hessian(lambda y: f(y).sum())(Y[:, 0])
    np.testing.assert_allclose(h, np.zeros((7, 7)), atol=1e-12)


@smooth
def test_derivatives_in_everything(name):
    def f(x, y, at):
        return make(name)(interpolate, x, y)(at)

    check_grads(f, (X, Y[:, 0], INSIDE), order=2)
    check_grads(f, (X, Y[:, 0], INSIDE), order=2, seed=7)


@smooth
def test_nothing_changes_where_all_moves_together(name):
    """Of nodes and argument moved by s, and stretched by 1 + r, the interpolant is the same."""

    def f(v):
        x, at = ((1.0 + v[1]) * (z + v[0]) for z in (X, INSIDE))
        return make(name)(interpolate, x, Y[:, 0])(at)

    zero = np.zeros(2)
    for transform in (adcore.jacrev, adcore.jacfwd):
        np.testing.assert_allclose(transform(f)(zero), 0.0, atol=1e-9)
    np.testing.assert_allclose(adcore.hessian(lambda v: f(v).sum())(zero), 0.0, atol=1e-8)


@pytest.mark.parametrize("name", STEPS)
def test_steps_vary_with_the_values_alone(name):
    def f(x, y, at):
        return make(name)(interpolate, x, y)(at)

    found = adcore.jacobian(f, (0, 1, 2))(X, Y[:, 0], INSIDE)
    basis = np.stack([make(name)(scipy.interpolate, X, e)(INSIDE) for e in np.eye(7)], axis=1)
    np.testing.assert_array_equal(found[0], 0.0)
    np.testing.assert_allclose(found[1], basis, atol=1e-14)
    np.testing.assert_array_equal(found[2], 0.0)


@every
def test_compiled_places_are_found_anew(name):
    def f(x, y, at):
        return (make(name)(interpolate, x, y)(at) ** 2).sum()

    compiled = adcore.compile(f)
    args = (X, Y[:, 0], INSIDE)
    others = (2.0 * X + X**2, -2.0 * Y[:, 0], np.array([23.0, 0.3, 11.0, 7.7]))
    for given in (args, others, args):
        np.testing.assert_allclose(compiled(*given), f(*given), rtol=1e-9)
        found = compiled.grad(*given, argnums=(0, 1, 2))
        for a, b in zip(found, adcore.grad(f, (0, 1, 2))(*given), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8)


# ---- piecewise polynomials and B-splines as objects ----


@pytest.mark.parametrize("kind", ["CubicSpline", "make_interp_spline"])
@pytest.mark.parametrize("extrapolate", [True, False, "periodic"])
def test_derivatives_antiderivatives_and_integrals(kind, extrapolate):
    theirs = getattr(scipy.interpolate, kind)(X, Y)
    limits = [(0.1, 3.3), (3.3, 0.1), (0.0, 4.0), (1.0, 1.0)]
    limits += [(-1.0, 7.0), (-9.0, -2.0), (2.0, 14.5)] if extrapolate else []
    for ours in (
        getattr(interpolate, kind)(X, tensor(Y)),
        getattr(interpolate, kind)(tensor(X), tensor(Y)),
        getattr(interpolate, kind)(X, Y),
    ):
        for nu in (1, 2):
            for method in ("derivative", "antiderivative"):
                found = getattr(ours, method)(nu)
                np.testing.assert_allclose(
                    plain(found(tensor(AROUND), extrapolate=extrapolate)),
                    getattr(theirs, method)(nu)(AROUND, extrapolate=extrapolate),
                    rtol=1e-8,
                    atol=1e-8,
                )
        for a, b in limits:
            np.testing.assert_allclose(
                plain(ours.integrate(tensor(a), b, extrapolate)),
                theirs.integrate(a, b, extrapolate),
                rtol=1e-9,
                atol=1e-9,
            )


@pytest.mark.parametrize("kind", ["CubicSpline", "make_interp_spline"])
def test_integrals_are_differentiable(kind):
    def f(x, y, a, b):
        return getattr(interpolate, kind)(x, y).integrate(a, b)

    check_grads(f, (X, Y[:, 0], 0.3, 3.4), order=2)
    spline = getattr(scipy.interpolate, kind)(X, Y[:, 0])
    found = adcore.grad(f, (2, 3))(X, Y[:, 0], 0.3, 3.4)
    np.testing.assert_allclose(found, (-spline(0.3), spline(3.4)), rtol=1e-9)


def test_ppoly_in_coefficients_and_break_points():
    c, x = RNG.normal(size=(4, 3, 2)), np.array([0.0, 1.0, 2.5, 3.0])
    for knots in (x, x[::-1].copy()):
        theirs = scipy.interpolate.PPoly(c, knots)
        ours = interpolate.PPoly(tensor(c), knots)
        np.testing.assert_allclose(plain(ours(AROUND)), theirs(AROUND), rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(
            plain(ours(AROUND, 2)), theirs(AROUND, 2), rtol=1e-13, atol=1e-13
        )
    check_grads(
        lambda c, x, at: interpolate.PPoly(c, x)(at), (c, x, np.array([0.3, 1.7, 2.6])), order=2
    )
    turned = interpolate.PPoly(tensor(np.moveaxis(c, (0, 1), (1, 2))), x, axis=1)
    np.testing.assert_allclose(
        plain(turned(AT)),
        scipy.interpolate.PPoly(np.moveaxis(c, (0, 1), (1, 2)), x, axis=1)(AT),
        rtol=1e-13,
        atol=1e-13,
    )
    assert ours.derivative(9)(1.0).shape == (2,)
    with pytest.raises(errors.NotDifferentiableError, match="Newton"):
        ours.roots()
    assert len(interpolate.PPoly(c[..., 0], x).roots()) == len(
        scipy.interpolate.PPoly(c[..., 0], x).roots()
    )


def test_bspline_in_knots_and_coefficients():
    t = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 2.5, 4.0, 4.0, 4.0, 4.0])
    c = RNG.normal(size=6)
    theirs = scipy.interpolate.BSpline(t, c, 3)
    for ours in (interpolate.BSpline(t, tensor(c), 3), interpolate.BSpline(tensor(t), c, 3)):
        for nu in range(5):
            found = ours(AROUND, nu)
            np.testing.assert_allclose(plain(found), theirs(AROUND, nu), rtol=1e-12, atol=1e-12)

    def f(inner, c, at):
        t = adcore.concatenate([np.zeros(4), inner, np.full(4, 4.0)])
        return interpolate.BSpline(t, c, 3)(at)

    check_grads(f, (t[4:6], c, np.array([0.2, 1.1, 2.2, 3.9])), order=2)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_splrep(k):
    expected = scipy.interpolate.splrep(X, Y[:, 0], k=k)
    for x, y in ((X, tensor(Y[:, 0])), (tensor(X), tensor(Y[:, 0])), (X, Y[:, 0])):
        found = interpolate.splrep(x, y, k=k)
        assert found[2] == k
        for a, b in zip(found[:2], expected[:2], strict=True):
            np.testing.assert_allclose(plain(a), b, rtol=1e-10, atol=1e-10)
    check_grads(
        lambda x, y, at: interpolate.splev(at, interpolate.splrep(x, y, k=k)),
        (X, Y[:, 0], INSIDE),
        order=2,
    )
    with pytest.raises(errors.NotDifferentiableError, match="takes no s;"):
        interpolate.splrep(X, tensor(Y[:, 0]), s=0.5)


def test_fitpack():
    tck = scipy.interpolate.splrep(X, Y[:, 0])
    t, c, k = tck
    for der, ext in itertools.product(range(4), (0, 1, 3)):
        found = interpolate.splev(tensor(AROUND), tck, der, ext)
        expected = scipy.interpolate.splev(AROUND, tck, der, ext)
        np.testing.assert_allclose(plain(found), expected, rtol=1e-10, atol=1e-10)
    with pytest.raises(ValueError, match="not in the domain"):
        interpolate.splev(tensor(AROUND), tck, 0, 2)
    check_grads(lambda c, at: interpolate.splev(at, (t, c, k)), (c, INSIDE), order=2)
    check_grads(lambda c, a, b: interpolate.splint(a, b, (t, c, k)), (c, 0.3, 3.1), order=2)
    for name in ("splder", "splantider"):
        for ours, theirs in zip(
            getattr(interpolate, name)((t, tensor(c), k), 2),
            getattr(scipy.interpolate, name)(tck, 2),
            strict=True,
        ):
            np.testing.assert_allclose(plain(ours), theirs, rtol=1e-12, atol=1e-12)


def test_krogh_with_derivatives_among_the_data():
    x, y = np.array([0.0, 0.0, 1.0, 1.0, 1.0, 2.0]), RNG.normal(size=6)
    theirs = scipy.interpolate.KroghInterpolator(x, y)
    ours = interpolate.KroghInterpolator(x, tensor(y))
    np.testing.assert_allclose(plain(ours(AROUND)), theirs(AROUND), rtol=1e-10)
    np.testing.assert_allclose(
        plain(ours.derivatives(AT, 4)), theirs.derivatives(AT, 4), rtol=1e-9, atol=1e-9
    )


def test_barycentric_of_many_nodes():
    """Newton's form in Leja's order is stable, as the barycentric formula is."""
    x = np.cos(np.pi * np.arange(41) / 40)
    y = 1.0 / (1.0 + 4.0 * x * x)
    at = np.linspace(-1.0, 1.0, 60)
    ours = interpolate.BarycentricInterpolator(x, tensor(y))(at)
    theirs = scipy.interpolate.BarycentricInterpolator(x, y)(at)
    np.testing.assert_allclose(plain(ours), theirs, rtol=1e-12)


def test_interpolants_within_integrals_and_equations():
    """Functions that close over an interpolant of tensors close over its tensors."""

    def f(y):
        spline = interpolate.CubicSpline(X, y)
        return integrate.quad(lambda x: spline(x), 0.0, 4.0, points=X[1:-1])[0]

    def g(y):
        spline = interpolate.make_interp_spline(X, y)
        found = integrate.solve_ivp(
            lambda t, z: [spline(t)], (0.0, 4.0), [0.0], rtol=1e-10, atol=1e-10, max_step=0.5
        )
        return found.y[0, -1]

    exact = [scipy.interpolate.CubicSpline(X, e).integrate(0.0, 4.0) for e in np.eye(7)]
    np.testing.assert_allclose(adcore.grad(f)(Y[:, 0]), exact, rtol=1e-9)
    np.testing.assert_allclose(adcore.grad(g)(Y[:, 0]), exact, rtol=1e-7)


def test_outside_of_the_nodes():
    nowhere = interpolate.CubicSpline(X, tensor(Y[:, 0]), extrapolate=False)
    assert np.isnan(plain(nowhere(OUTSIDE))).all()
    filled = interpolate.interp1d(X, tensor(Y[:, 0]), bounds_error=False, fill_value=(1.0, 2.0))
    np.testing.assert_array_equal(plain(filled(OUTSIDE)), [1.0, 1.0, 2.0, 2.0])
    strict = interpolate.interp1d(X, tensor(Y[:, 0]))
    with pytest.raises(ValueError, match="above the interpolation range"):
        strict(OUTSIDE[2:])
    for kind in ("linear", "nearest", "previous", "next", "cubic"):
        theirs, ours = (
            m.interp1d(X, y, kind, fill_value="extrapolate")(OUTSIDE)
            for m, y in ((scipy.interpolate, Y[:, 0]), (interpolate, tensor(Y[:, 0])))
        )
        np.testing.assert_allclose(plain(ours), theirs, rtol=1e-9)


def test_nodes_out_of_order():
    order = RNG.permutation(7)
    for kind in ("linear", "cubic", "nearest"):
        theirs = scipy.interpolate.interp1d(X[order], Y[order, 0], kind)(INSIDE)
        ours = interpolate.interp1d(tensor(X[order]), tensor(Y[order, 0]), kind)(INSIDE)
        np.testing.assert_allclose(plain(ours), theirs, rtol=1e-10)
    basis = np.stack([scipy.interpolate.interp1d(X, e)(INSIDE) for e in np.eye(7)[order]], axis=1)
    found = adcore.jacrev(lambda y: interpolate.interp1d(X[order], y)(INSIDE))(Y[order, 0])
    np.testing.assert_allclose(found, basis, rtol=1e-12)


def test_arguments_are_checked_as_scipy_does():
    y = tensor(Y[:, 0])
    with pytest.raises(ValueError, match="strictly increasing"):
        interpolate.CubicSpline(X[::-1], y)
    with pytest.raises(ValueError, match="doesn't match"):
        interpolate.PchipInterpolator(X[1:], y)
    with pytest.raises(ValueError, match="identical"):
        interpolate.CubicSpline(X, y, bc_type="periodic")
    with pytest.raises(ValueError, match="bc_type=other"):
        interpolate.CubicSpline(X, y, bc_type="other")
    with pytest.raises(ValueError, match="number of derivatives"):
        interpolate.make_interp_spline(X, y, t=np.r_[[0.0] * 5, X[1:-1], [4.0] * 5])
    with pytest.raises(ValueError, match="can't be equal"):
        interpolate.KroghInterpolator(np.r_[0.0, 1.0, 0.0], y[:3])
    with pytest.raises(errors.NotDifferentiableError, match="periodic"):
        interpolate.make_interp_spline(X, y, bc_type="periodic")
    with pytest.raises(errors.NotDifferentiableError, match="complex"):
        interpolate.CubicSpline(X + 0j, y)


def test_a_compiled_interpolant_is_saved(tmp_path):
    """And loaded by a process that has not imported this package."""
    compiled = adcore.compile(lambda x, y, at: interpolate.CubicSpline(x, y)(at).sum())
    expected = compiled(X, Y[:, 0], INSIDE)
    compiled.save(tmp_path / "spline.adcore")
    code = (
        "import sys, adcore, numpy as np; f = adcore.load(sys.argv[1]);"
        f"args = [np.array(v) for v in {[X.tolist(), Y[:, 0].tolist(), INSIDE.tolist()]}];"
        "print(f(*args), f.grad(*args)[0])"
    )
    run = [sys.executable, "-c", code, str(tmp_path / "spline.adcore")]
    found = subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
    assert float(found[0]) == expected
    assert float(found[1]) == pytest.approx(compiled.grad(X, Y[:, 0], INSIDE)[0], rel=1e-12)


# ---- grids ----

GRID = [np.cumsum(RNG.uniform(0.5, 1.0, size=n)) for n in (7, 6)]
VALUES = RNG.normal(size=(7, 6, 2))
PLACES = np.stack([RNG.uniform(p[0], p[-1], size=(4, 3)) for p in GRID], axis=-1)
PLACES[0] = [[GRID[0][2], GRID[1][3]], [p[-1] for p in GRID], [p[0] for p in GRID]]
METHODS = ["linear", "nearest", "slinear", "cubic", "quintic"]


def exact(method):
    """SciPy's default solver of splines is iterative, and has four digits here."""
    return {"solver": scipy.sparse.linalg.spsolve} if method in ("cubic", "quintic") else {}


@pytest.mark.parametrize("method", METHODS)
def test_grid_values_are_scipys(method):
    theirs = scipy.interpolate.RegularGridInterpolator(GRID, VALUES, method, **exact(method))
    expected = theirs(PLACES)
    tensors = [tensor(p) for p in GRID]
    for ours in (
        interpolate.RegularGridInterpolator(GRID, tensor(VALUES), method),
        interpolate.RegularGridInterpolator(tensors, tensor(VALUES), method),
        interpolate.RegularGridInterpolator(tensors, VALUES, method),
        interpolate.RegularGridInterpolator(GRID, VALUES, method, **exact(method)),
    ):
        for at in (tensor(PLACES), (tensor(PLACES[..., 0]), PLACES[..., 1])):
            np.testing.assert_allclose(plain(ours(at)), expected, rtol=1e-9, atol=1e-9)
        assert ours(tensor(PLACES[0, 0])).shape == theirs(PLACES[0, 0]).shape
        assert ours(tensor(np.empty((0, 2)))).shape == (0, 2)
    if method in ("slinear", "cubic"):
        np.testing.assert_allclose(
            plain(ours(tensor(PLACES[1:]), nu=(1, 0))),
            theirs(PLACES[1:], nu=(1, 0)),
            rtol=1e-8,
            atol=1e-8,
        )
    turned = [GRID[0][::-1].copy(), GRID[1]]
    found = interpolate.interpn(turned, tensor(VALUES[::-1].copy()), PLACES, method)
    np.testing.assert_allclose(plain(found), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_outside_of_the_grid(method):
    beyond = np.array(
        [[GRID[0][-1] + 1.0, 2.0], [2.0, GRID[1][0] - 0.1], [np.nan, 2.0], [2.0, 2.0]]
    )
    for fill_value in (None, 3.0):
        options = {"bounds_error": False, "fill_value": fill_value}
        theirs = scipy.interpolate.RegularGridInterpolator(
            GRID, VALUES, method, **options, **exact(method)
        )
        ours = interpolate.RegularGridInterpolator(GRID, tensor(VALUES), method, **options)
        np.testing.assert_allclose(plain(ours(beyond)), theirs(beyond), rtol=1e-8)
    strict = interpolate.RegularGridInterpolator(GRID, tensor(VALUES), method)
    with pytest.raises(ValueError, match="out of bounds in dimension 0"):
        strict(beyond[:1])


@pytest.mark.parametrize("method", ["linear", "slinear", "cubic"])
def test_grid_derivatives_in_everything(method):
    """Differences of the gradient, which itself is found on tensors alone, so directly solved."""
    at = PLACES[1:, 0]
    flat = np.concatenate([*GRID, VALUES[..., 0].ravel(), at.ravel()])

    def f(z):
        grid = (z[:7], z[7:13])
        made = interpolate.RegularGridInterpolator(grid, z[13:55].reshape(7, 6), method)
        return made(z[55:].reshape(3, 2)).sum()

    direction = RNG.normal(size=flat.size)
    value = [plain(f(tensor(flat + h * direction))) for h in (1e-5, -1e-5)]
    g, h = adcore.grad(f)(flat), adcore.hessian(f)(flat)
    np.testing.assert_allclose(g @ direction, (value[0] - value[1]) / 2e-5, rtol=1e-7)
    np.testing.assert_allclose(adcore.jacfwd(f)(flat), g, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(adcore.jacfwd(adcore.jacfwd(f))(flat), h, rtol=1e-9, atol=1e-9)
    moved = [adcore.grad(f)(flat + s * direction) for s in (1e-5, -1e-5)]
    np.testing.assert_allclose(h @ direction, (moved[0] - moved[1]) / 2e-5, rtol=1e-5, atol=1e-6)
    compiled = adcore.compile(f)
    compiled(flat)
    others = flat.copy()
    others[55:] = PLACES[1:, 1].ravel()
    np.testing.assert_allclose(compiled.grad(others), adcore.grad(f)(others), rtol=1e-9, atol=1e-9)


def test_grid_refusals():
    made = interpolate.RegularGridInterpolator(GRID, tensor(VALUES), "pchip")
    with pytest.raises(errors.NotDifferentiableError, match="no method 'pchip'"):
        made(PLACES)
    with pytest.raises(errors.NotDifferentiableError, match="splinef2d"):
        interpolate.interpn(GRID, tensor(VALUES[..., 0]), PLACES, "splinef2d")
    with pytest.raises(ValueError, match="strictly ascending or descending"):
        interpolate.RegularGridInterpolator([np.array([0.0, 2.0, 1.0]), X], tensor(np.ones((3, 7))))


# ---- scattered data ----

KERNELS = ["linear", "thin_plate_spline", "cubic", "quintic", "multiquadric"]
KERNELS += ["inverse_multiquadric", "inverse_quadratic", "gaussian"]


@pytest.mark.parametrize("kernel", KERNELS)
def test_radial_basis_functions(kernel):
    rng = np.random.default_rng(5)
    y, d, at = rng.normal(size=(9, 2)), rng.normal(size=(9, 2)), rng.normal(size=(4, 2))
    options = {"kernel": kernel, "epsilon": 1.3, "smoothing": 0.1}
    theirs = scipy.interpolate.RBFInterpolator(y, d, **options)
    for a, b in ((y, tensor(d)), (tensor(y), d), (y, d)):
        ours = interpolate.RBFInterpolator(a, b, **options)
        for places in (at, y):
            np.testing.assert_allclose(plain(ours(tensor(places))), theirs(places), rtol=1e-8)

    def f(y, d, at, smoothing, epsilon):
        made = interpolate.RBFInterpolator(
            y, d, kernel=kernel, smoothing=smoothing, epsilon=epsilon
        )
        return made(at).sum()

    check_grads(f, (y, d, at, 0.1, 1.3), order=2)


def test_radial_basis_functions_at_the_data():
    """A thin plate is smooth once at its centres, and not twice: no number for what is not."""
    rng = np.random.default_rng(5)
    y, d = rng.normal(size=(9, 2)), rng.normal(size=9)
    made = interpolate.RBFInterpolator(y, d)
    gradient = adcore.grad(lambda at: made(at[None])[0])
    close = [gradient(y[0] + h * np.ones(2)) for h in (1e-7, -1e-7)]
    np.testing.assert_allclose(gradient(y[0]), np.mean(close, axis=0), atol=1e-5)
    assert np.isnan(adcore.hessian(lambda at: made(at[None])[0])(y[0])).any()
    smooth = interpolate.RBFInterpolator(y, d, kernel="gaussian", epsilon=1.0)
    assert np.isfinite(adcore.hessian(lambda at: smooth(at[None])[0])(y[0])).all()
    with pytest.raises(errors.NotDifferentiableError, match="neighbors"):
        interpolate.RBFInterpolator(y, tensor(d), neighbors=4)


@pytest.mark.parametrize("method", ["linear", "cubic"])
def test_a_first_call_that_is_not_recorded(method):
    """What a grid keeps from a call under no_grad() is no constant in the calls after it."""
    y = adcore.tensor(np.sin(np.arange(6.0)), requires_grad=True)
    f = interpolate.RegularGridInterpolator((np.arange(6.0),), y, method)
    at = np.array([[1.3], [3.8]])
    with adcore.no_grad():
        f(at)
    (found,) = adcore.autograd.grad(f(at).sum() + y.sum(), y)
    theirs = scipy.interpolate.RegularGridInterpolator
    solver = {} if method == "linear" else {"solver": scipy.sparse.linalg.spsolve}
    expected = [theirs((np.arange(6.0),), e, method, **solver)(at).sum() for e in np.eye(6)]
    np.testing.assert_allclose(found, 1.0 + np.array(expected), rtol=1e-10, atol=1e-12)


def test_places_changed_after_a_call():
    """An interpolant keeps the places of a call as they were."""
    at, spline = np.array([0.3, 2.6]), interpolate.CubicSpline
    y = adcore.tensor(np.sin(np.arange(6.0)), requires_grad=True)
    value = (spline(np.arange(6.0), y)(at) ** 2).sum()
    at[:] = 4.5
    (found,) = adcore.autograd.grad(value, y)
    expected = adcore.grad(lambda y: (spline(np.arange(6.0), y)(np.array([0.3, 2.6])) ** 2).sum())
    np.testing.assert_allclose(found, expected(np.sin(np.arange(6.0))), rtol=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        lambda y: interpolate.interp1d(np.arange(6.0), y),
        lambda y: interpolate.interp1d(np.arange(6.0), y, "cubic"),
        lambda y: interpolate.CubicSpline(np.arange(6.0), y),
        lambda y: interpolate.make_interp_spline(np.arange(6.0), y),
        lambda y: interpolate.RegularGridInterpolator((np.arange(6.0),), y),
        lambda y: interpolate.RegularGridInterpolator((np.arange(6.0),), y, "cubic"),
    ],
)
def test_an_integral_of_an_interpolant_replayed(make):
    """Of other data than it was recorded with: the integrand closes over copies of the object."""

    def f(y):
        curve = make(y)
        return integrate.quad(lambda t: adcore.reshape(curve(np.array([t])), ()) ** 2, 1.2, 1.9)[0]

    compiled = adcore.compile(f)
    y = np.cos(np.arange(6.0))
    compiled.value_and_grad(np.sin(np.arange(6.0)))
    value, gradient = compiled.value_and_grad(y)
    assert value == pytest.approx(f(y), rel=1e-7)
    np.testing.assert_allclose(gradient, adcore.grad(f)(y), rtol=1e-6, atol=1e-8)
    h = 1e-4
    expected = [(f(y + h * e) - f(y - h * e)) / (2.0 * h) for e in np.eye(6)]
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)

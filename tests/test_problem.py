"""adcore.problem: derivatives against closed forms, solvers' callbacks, what is computed once."""

import numpy as np
import pytest
import scipy.optimize as scipys
from scipy import sparse

import adcore
from adcore.errors import NotDifferentiableError, ShapeError

# Hock and Schittkowski, problem 71.
START = np.array([1.0, 5.0, 5.0, 1.0])
BEST = np.array([1.0, 4.742999637, 3.821149984, 1.379408293])


def objective(x):
    return x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]


def product(x):
    return x[0] * x[1] * x[2] * x[3]


def squares(x):
    return (x**2).sum()


def hs71(**more):
    constraints = [
        scipys.NonlinearConstraint(product, 25.0, np.inf),
        {"type": "eq", "fun": lambda x, total: squares(x) - total, "args": (40.0,)},
    ]
    return adcore.problem(objective, constraints, [(1.0, 5.0)] * 4, START, **more)


def lagrangian_hessian(x, sigma, lam):
    """Of problem 71, by hand."""
    a, b, c, d = x
    f = np.array([[2 * d, d, d, 2 * a + b + c], [d, 0, 0, a], [d, 0, 0, a], [0, a, a, 0]])
    f[3, 0] = f[0, 3]
    g = np.array(
        [
            [0, c * d, b * d, b * c],
            [c * d, 0, a * d, a * c],
            [b * d, a * d, 0, a * b],
            [b * c, a * c, a * b, 0],
        ]
    )
    return sigma * f + lam[0] * g + lam[1] * 2.0 * np.eye(4)


def test_plain_functions_are_those_of_the_closed_forms():
    p = hs71()
    x, lam = np.array([1.5, 2.0, 3.0, 0.5]), np.array([0.3, -0.7])
    a, b, c, d = x
    assert (p.n, p.m) == (4, 2)
    assert p.value(x) == objective(x)
    gradient = [d * (2 * a + b + c), a * d, a * d + 1, a * (a + b + c)]
    np.testing.assert_allclose(p.gradient(x), gradient, rtol=1e-15)
    np.testing.assert_allclose(p.constraints(x), [product(x), squares(x) - 40.0], rtol=1e-15)
    jacobian = p.jacobian(x)
    assert isinstance(jacobian, sparse.csr_array)
    np.testing.assert_allclose(jacobian.toarray(), [product(x) / x, 2 * x], rtol=1e-15)
    for sigma in (1.0, 0.0, -2.5):
        expected = lagrangian_hessian(x, sigma, lam)
        np.testing.assert_allclose(p.hessian(x, lam, sigma).toarray(), expected, atol=1e-14)
        product_with = p.hvp(x, [1.0, 2.0, 3.0, 4.0], lam, sigma)
        np.testing.assert_allclose(product_with, expected @ [1, 2, 3, 4], atol=1e-13)
    expected = lagrangian_hessian(x, 1.0, [0.0, 0.0])
    np.testing.assert_allclose(p.hessian(x).toarray(), expected, atol=1e-14)
    np.testing.assert_allclose(p.hvp(x, np.ones(4)), expected.sum(1), atol=1e-14)
    np.testing.assert_array_equal(p.constraint_lower, [25.0, 0.0])
    np.testing.assert_array_equal(p.constraint_upper, [np.inf, 0.0])


def test_linear_constraints_are_their_matrix():
    matrix = sparse.csr_array([[1.0, 0.0, -1.0], [0.0, 2.0, 0.0]])
    linear = scipys.LinearConstraint(matrix, [0.0, -np.inf], 3.0)
    curved = scipys.NonlinearConstraint(lambda x: x[1:] ** 3, -1.0, 1.0)
    p = adcore.problem(lambda x: (x**4).sum(), [curved, linear], x0=[1.0, 2.0, 3.0])
    x = np.array([0.5, -1.0, 2.0])
    np.testing.assert_allclose(p.constraints(x), [-1.0, 8.0, -1.5, -2.0])
    expected = np.vstack([[[0, 3.0, 0], [0, 0, 12.0]], matrix.toarray()])
    np.testing.assert_allclose(p.jacobian(x).toarray(), expected)
    assert p.jacobian(x).indices is p.jacobian(2 * x).indices
    found = p.hessian(x, [2.0, 3.0, 5.0, 7.0], 0.5).toarray()
    np.testing.assert_allclose(found, np.diag(6 * x**2 + [0, -12.0, 36.0]))
    only = adcore.problem(lambda x: (x**4).sum(), linear, x0=x)
    np.testing.assert_allclose(only.hessian(x, [1.0, 1.0], 2.0).toarray(), np.diag(24 * x**2))


def test_linear_objective_has_an_empty_hessian():
    p = adcore.problem(lambda x: 2.0 * x[0] - x[1], x0=[1.0, 2.0])
    assert p.hessian([1.0, 2.0]).nnz == 0
    np.testing.assert_array_equal(p.for_ipopt().hessianstructure(), np.zeros((2, 0)))


# ---- what is computed once ----


def counted(p):
    return p.objective.counts["value"], p.objective.counts["gradient"]


def test_value_and_gradient_at_one_point_are_computed_once():
    p = adcore.problem(lambda x: (x**2).sum(), x0=np.ones(3))
    x = np.arange(3.0)
    assert p.value(x) == 5.0
    p.gradient(x)
    p.gradient(x.copy())
    assert p.value(list(x)) == 5.0
    assert counted(p) == (1, 1)


def test_points_changed_in_place_are_other_points():
    p = adcore.problem(lambda x: (x**2).sum(), x0=np.ones(3))
    x = np.arange(3.0)
    first = p.gradient(x)
    x += 1.0
    np.testing.assert_array_equal(p.gradient(x), 2 * x)
    np.testing.assert_array_equal(first, [0.0, 2.0, 4.0])
    assert p.value(x) == 14.0


def test_results_changed_in_place_leave_what_is_kept_alone():
    p = adcore.problem(squares, {"type": "eq", "fun": lambda x: x**2}, x0=np.ones(3))
    x = np.arange(3.0)
    for call in (p.gradient, p.constraints, p.residuals, p.objective.hessian):
        expected = call(x).copy()
        call(x)[:] = 7.0
        np.testing.assert_array_equal(call(x), expected)


def test_zeros_of_both_signs_and_nan_are_told_apart():
    p = adcore.problem(lambda x: (1.0 / x).sum(), x0=[1.0])
    with np.errstate(divide="ignore"):
        assert p.value([0.0]) == np.inf
        assert p.value([-0.0]) == -np.inf
    assert np.isnan(p.value([np.nan]))
    assert np.isnan(p.value([np.nan]))


def test_gradients_are_left_out_where_nobody_asks_for_them():
    p = adcore.problem(lambda x: (x**2).sum(), x0=np.ones(2))
    for i in range(10):
        p.value([i, 1.0])
    assert counted(p) == (10, 1)
    p.gradient([3.0, 4.0])
    assert p.value([5.0, 6.0]) == 61.0
    assert counted(p) == (11, 3)
    np.testing.assert_array_equal(p.gradient([5.0, 6.0]), [10.0, 12.0])
    assert counted(p) == (11, 3)


# ---- solvers ----


@pytest.mark.parametrize("method", ["trust-constr", "SLSQP", "COBYQA"])
def test_scipys_minimize(method):
    found = scipys.minimize(method=method, **hs71().for_minimize(method))
    np.testing.assert_allclose(found.x, BEST, rtol=2e-4)


@pytest.mark.parametrize(
    "method",
    [
        *("CG", "BFGS", "L-BFGS-B", "TNC", "Newton-CG", "trust-ncg", "trust-krylov", "dogleg"),
        *("trust-exact", "Nelder-Mead"),
    ],
)
def test_arguments_of_each_method_are_taken_without_a_warning(method):
    p = adcore.problem(lambda x: ((x - 1.0) ** 4 + (x - 1.0) ** 2).sum(), x0=np.zeros(3))
    found = scipys.minimize(method=method, **p.for_minimize(method))
    np.testing.assert_allclose(found.x, 1.0, atol=1e-3)


def test_scipys_least_squares_and_root():
    def tridiagonal(x):  # Broyden's
        left, right = np.concatenate([[0.0], x[:-1]]), np.concatenate([x[1:], [0.0]])
        return (3.0 - 2.0 * x) * x - left - 2.0 * right + 1.0

    p = adcore.problem(tridiagonal, x0=-np.ones(30))
    by_differences = scipys.root(tridiagonal, -np.ones(30))
    np.testing.assert_allclose(scipys.root(**p.for_root()).x, by_differences.x, rtol=1e-6)
    for wanted in (True, False, None):
        settings = p.for_least_squares(wanted)
        assert sparse.issparse(settings["jac"](p.x0)) == bool(wanted)
        found = scipys.least_squares(xtol=1e-12, **settings)
        np.testing.assert_allclose(found.x, by_differences.x, rtol=1e-6)
    pattern = p.sparsity().toarray()
    i, j = np.indices((30, 30))
    np.testing.assert_array_equal(pattern, abs(i - j) <= 1)


def test_large_sparse_jacobians_are_sparse_by_themselves():
    p = adcore.problem(lambda x: x**3 - 1.0, x0=np.full(1500, 2.0))
    settings = p.for_least_squares()
    assert sparse.issparse(settings["jac"](p.x0))
    np.testing.assert_allclose(scipys.least_squares(**settings).x, 1.0, rtol=1e-6)


def test_callbacks_of_ipopt_are_the_entries_of_their_structures():
    p = hs71()
    calls = p.for_ipopt()
    x, lam = np.array([1.5, 2.0, 3.0, 0.5]), np.array([0.3, -0.7])
    for structure, data, full in (
        (calls.jacobianstructure(), calls.jacobian(x), p.jacobian(x).toarray()),
        (
            calls.hessianstructure(),
            calls.hessian(x, lam, 0.5),
            np.tril(lagrangian_hessian(x, 0.5, lam)),
        ),
    ):
        out = np.zeros_like(full)
        np.add.at(out, structure, data)
        np.testing.assert_allclose(out, full, atol=1e-14)


def test_ways_with_other_patterns_are_put_in_their_places_or_refused():
    def branching(x):
        return x[0] * x[1] * x[2] + (x**2).sum() if x[0] > 0 else (x**2).sum() + x[0] * x[2]

    x = np.array([1.0, 2.0, 3.0])
    calls = adcore.problem(branching, x0=x).for_ipopt()
    rows, columns = calls.hessianstructure()
    out = np.zeros((3, 3))
    out[rows, columns] = calls.hessian(-x, np.zeros(0), 1.0)
    np.testing.assert_allclose(out, [[2, 0, 0], [0, 2, 0], [1, 0, 2]])
    narrow = adcore.problem(branching, x0=-x).for_ipopt()
    with pytest.raises(NotDifferentiableError, match=r"an entry at \(1, 0\) that its pattern"):
        narrow.hessian(x, np.zeros(0), 1.0)


# ---- what is refused ----


def test_bad_input_is_named():
    def f(x):
        return (x**2).sum()

    with pytest.raises(TypeError, match="needs a function to minimise, got 3"):
        adcore.problem(3, x0=[1.0])
    with pytest.raises(TypeError, match="needs x0"):
        adcore.problem(f)
    with pytest.raises(ShapeError, match="x0 is empty"):
        adcore.problem(f, x0=[])
    with pytest.raises(TypeError, match="x0 must be a vector of real numbers, got 'a'"):
        adcore.problem(f, x0="a")
    with pytest.raises(ShapeError, match=r"bounds must be 2 pairs .*got \[\(0, 1\)\]"):
        adcore.problem(f, bounds=[(0, 1)], x0=[1.0, 2.0])
    with pytest.raises(ValueError, match=r"bounds of x\[1\] exclude each other: 3.0 > 2.0"):
        adcore.problem(f, bounds=[(0, 1), (3, 2)], x0=[1.0, 2.0])
    with pytest.raises(TypeError, match="a constraint must be a NonlinearConstraint"):
        adcore.problem(f, constraints=f, x0=[1.0])
    with pytest.raises(ValueError, match='must be "eq" or "ineq", got \'equal\''):
        adcore.problem(f, {"type": "equal", "fun": f}, x0=[1.0])
    with pytest.raises(TypeError, match='under "fun", got None'):
        adcore.problem(f, {"type": "eq"}, x0=[1.0])
    with pytest.raises(ShapeError, match=r"shape \(1, 3\) where there are 2 unknowns"):
        adcore.problem(f, scipys.LinearConstraint([[1.0, 2.0, 3.0]]), x0=[1.0, 2.0])
    with pytest.raises(ShapeError, match=r"lb of a constraint has shape \(3,\) where it has 2"):
        adcore.problem(f, scipys.NonlinearConstraint(lambda x: x, [1, 2, 3], 4), x0=[1.0, 2.0])
    p = adcore.problem(f, scipys.NonlinearConstraint(f, 0, 4), x0=[1.0, 2.0])
    with pytest.raises(ShapeError, match="x has 3 numbers where f has 2 unknowns"):
        p.value([1.0, 2.0, 3.0])
    with pytest.raises(ShapeError, match="2 multipliers were given for 1 constraints"):
        p.hessian([1.0, 2.0], [1.0, 2.0])
    for call in (p.for_least_squares, p.for_root):
        with pytest.raises(TypeError, match="takes no constraints"):
            call()
    with pytest.raises(ShapeError, match=r"must return one number, but returned shape \(2,\)"):
        adcore.problem(lambda x: x**2, x0=[1.0, 2.0]).value([1.0, 2.0])

"""Every array function in a compiled function: what depends on values is found anew by a replay."""

import numpy as np
import pytest

import adcore
from adcore import _core, _trees, spellings
from adcore.rules import choices, ufuncs
from array_cases import CASES, leaves_of


def points(leaves, rng):
    """Arguments as they are, and with other signs, another order, zeros and ties, and nan."""
    return [
        leaves,
        [-np.flip(x) for x in leaves],
        [rng.normal(0, 1, np.shape(x)) for x in leaves],
        [np.round(rng.normal(0, 1, np.shape(x))) for x in leaves],
        [np.zeros(np.shape(x)) for x in leaves],
        [np.where(rng.random(np.shape(x)) < 0.3, np.nan, x) for x in leaves],
        leaves,
    ]


def recorded(f, leaves):
    """The value of f on tensors, and the gradient of what weighs() makes of it."""
    _, inputs = _core.lift(leaves)
    out = f(*inputs)
    return _core.peek(out)


def guards(compiled):
    """Of the first path of a function that was called with arguments of one kind."""
    (paths,) = compiled._by_key.values()
    return paths.root.program.guards


def weighed(f):
    """A number that depends on all that f returns, and not linearly."""

    def g(*args):
        y = f(*args)
        return (adcore.sin(y) * np.cos(np.arange(float(np.size(y)))).reshape(np.shape(y))).sum()

    return g


@pytest.mark.parametrize("name", CASES)
def test_cases(name):
    """The value and the gradient at other points, bit for bit; and nothing needs a guard."""
    f = CASES[name][1]
    compiled, number = adcore.compile(f, reassociate=False), adcore.compile(weighed(f))
    leaves = leaves_of(name)
    every = tuple(range(len(leaves)))
    with np.errstate(all="ignore"):
        for at in points(leaves, np.random.default_rng(1)):
            at = [float(x) if np.ndim(x) == 0 else np.array(x) for x in at]
            want = recorded(f, at)
            got = compiled(*at)
            assert np.shape(got) == np.shape(want)
            assert np.array_equal(got, want, equal_nan=True)
            if not np.isfinite(want).all():
                continue
            want = adcore.grad(weighed(f), every)(*at)
            for a, b in zip(number.grad(*at, argnums=every), want, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
    assert guards(compiled) == []


@pytest.mark.parametrize("op", [op for op in adcore.OPS if not op.hidden], ids=lambda op: op.name)
def test_rows(op):
    """Every row of the op table, on arrays and on numbers."""
    first = (2,) if op.family else ()

    def f(*args):
        return op.function(*first, *args)

    compiled, number = adcore.compile(f), adcore.compile(weighed(f))
    leaves = [np.array([0.3, 0.7, 0.45, 0.6]) + 0.01 * k for k in range(op.n_args)]
    every = tuple(range(len(leaves)))
    with np.errstate(all="ignore"):
        for at in points(leaves, np.random.default_rng(2)):
            at = [np.array(x) for x in at]
            for args in (at, [float(x[0]) for x in at]):
                assert np.array_equal(compiled(*args), recorded(f, args), equal_nan=True)
            want = adcore.grad(weighed(f), every)(*at)
            for a, b in zip(number.grad(*at, argnums=every), want, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
    assert all(path.guards == [] for path in programs(compiled))


def programs(compiled):
    return [kind.root.program for kind in compiled._by_key.values()]


# What NumPy's functions without derivatives are called with; x has three distinct elements.
CONSTANT_CALLS = {
    np.argpartition: lambda x: np.argpartition(x, 1)[1],
    np.searchsorted: lambda x: np.searchsorted([-0.5, 0.5], x),
    np.digitize: lambda x: np.digitize(x, [-1.0, 1.0]),
    np.lexsort: lambda x: np.lexsort((x, np.abs(x))),
    np.isclose: lambda x: np.isclose(x, 1.0),
    np.allclose: lambda x: np.allclose(x, np.abs(x)),
    np.array_equal: lambda x: np.array_equal(x, np.abs(x)),
    np.array_equiv: lambda x: np.array_equiv(x, np.abs(x)),
    np.isin: lambda x: np.isin(x, [0.0, 1.0]),
    np.result_type: lambda x: str(np.result_type(x)),
    np.shares_memory: lambda x: np.shares_memory(x, np.ones(3)),
    np.may_share_memory: lambda x: np.may_share_memory(x, np.ones(3)),
    np.histogram_bin_edges: lambda x: np.histogram_bin_edges(x, 3),
}
# These hang on values in no way that can be guarded but by all of them.
ON_ALL_VALUES = {np.array2string, np.array_repr, np.array_str}


@pytest.mark.parametrize("function", choices.CONSTANT, ids=lambda f: f.__name__)
def test_functions_without_a_derivative(function):
    """Of other values, and with guards for what Python saw alone."""
    call = CONSTANT_CALLS.get(function, function)

    def f(x):
        return call(x), x * 2.0

    if function in ON_ALL_VALUES:

        def call(x):
            return str(getattr(x, "shape", None)) + str(len(function(x)) > 5)

    compiled = adcore.compile(f)
    for x in ([0.5, -1.0, 2.0], [-0.5, 1.0, 0.0], [0.0, 0.0, 0.0], [3.0, -0.25, 0.5]):
        x = np.array(x)
        got, want = compiled(x), f(x)
        assert np.array_equal(got[1], want[1])
        parts = zip(_trees.flatten(got[0])[0], _trees.flatten(want[0])[0], strict=True)
        assert all(np.array_equal(a, b) for a, b in parts)
    seen = [numbers for *_, numbers in guards(compiled)]
    if function not in ON_ALL_VALUES:
        assert not any(np.array_equal(numbers, [0.5, -1.0, 2.0]) for numbers in seen)
    if function in SHAPES:
        assert seen == []


SHAPES = {
    *(np.shape, np.size, np.ndim, np.result_type, np.shares_memory, np.may_share_memory),
    *(np.iscomplexobj, np.isrealobj),
}


@pytest.mark.parametrize("name", sorted(ufuncs.CONSTANT))
def test_ufuncs_without_a_derivative(name):
    """Truths stay data."""
    ufunc = getattr(np, name)

    def f(x, y):
        found = ufunc(x) if ufunc.nin == 1 else ufunc(x, y)
        return np.where(found, x * y, x) if name != "spacing" else found

    compiled = adcore.compile(f)
    y = np.array([0.5, 0.0, 1.0])
    for x in ([0.5, -1.0, 2.0], [-0.5, 0.0, 1.0], [np.nan, np.inf, -0.0]):
        with np.errstate(invalid="ignore"):
            assert np.array_equal(compiled(np.array(x), y), f(np.array(x), y), equal_nan=True)
    assert name == "spacing" or guards(compiled) == []


# torch's spellings, of x with two rows of three.
SPELLINGS = {
    "addcdiv": lambda x: adcore.addcdiv(x, x, 2.0 + x * x),
    "addcmul": lambda x: adcore.addcmul(x, x, x, value=2.0),
    "amax": lambda x: adcore.amax(x, dim=0),
    "amin": lambda x: adcore.amin(x, dim=1),
    "all": lambda x: adcore.all(x, dim=0) * x,
    "any": lambda x: adcore.any(x, dim=0) * x,
    "argmax": lambda x: adcore.argmax(x, dim=1).sum() * x,
    "argmin": lambda x: adcore.argmin(x, dim=1).sum() * x,
    "argsort": lambda x: adcore.argsort(x, dim=1)[:, 0].sum() * x,
    "arctan2": lambda x: adcore.arctan2(x, 1.0 + x * x),
    "bmm": lambda x: adcore.bmm(x.reshape(1, 2, 3), x.reshape(1, 3, 2)),
    "cat": lambda x: adcore.cat([x, x], dim=1),
    "chunk": lambda x: adcore.chunk(x, 2, dim=1)[0],
    "clamp": lambda x: adcore.clamp(x, -0.5, 0.5),
    "concat": lambda x: adcore.concat([x, x]),
    "concatenate": lambda x: adcore.concatenate([x, x], dim=1),
    "count_nonzero": lambda x: adcore.count_nonzero(x) * x,
    "cross": lambda x: adcore.cross(x, x[::-1], dim=1),
    "cumprod": lambda x: adcore.cumprod(x, dim=1),
    "cumsum": lambda x: adcore.cumsum(x, dim=1),
    "diff": lambda x: adcore.diff(x, dim=0),
    "divide": lambda x: adcore.divide(x, 2.0),
    "equal": lambda x: x * 2 if adcore.equal(x, np.abs(x)) else x,
    "flip": lambda x: adcore.flip(x, dims=(0,)),
    "gather": lambda x: adcore.gather(x, 1, np.array([[1], [0]])),
    "ger": lambda x: adcore.ger(x[0], x[1]),
    "index_select": lambda x: adcore.index_select(x, 1, [2, 0]),
    "isfinite": lambda x: adcore.where(adcore.isfinite(x), x, 0.0),
    "isinf": lambda x: adcore.where(adcore.isinf(x), 1.0, x),
    "isnan": lambda x: adcore.where(adcore.isnan(x), 1.0, x),
    "lerp": lambda x: adcore.lerp(x, x * x, 0.3),
    "log_softmax": lambda x: adcore.log_softmax(x, dim=1),
    "logsumexp": lambda x: adcore.logsumexp(x, dim=1),
    "masked_fill": lambda x: adcore.masked_fill(x, x > 0, 2.0),
    "masked_select": lambda x: adcore.masked_select(x, x > 0),
    "max": lambda x: adcore.max(x, dim=1)[0] * adcore.max(x, dim=1)[1],
    "mean": lambda x: adcore.mean(x, dim=1),
    "min": lambda x: adcore.min(x, dim=1, keepdim=True).values,
    "mm": lambda x: adcore.mm(x, x.T),
    "movedim": lambda x: adcore.movedim(x, 0, 1),
    "multiply": lambda x: adcore.multiply(x, x),
    "mv": lambda x: adcore.mv(x, x[0]),
    "norm": lambda x: adcore.norm(x, dim=1),
    "numel": lambda x: adcore.numel(x) * x if hasattr(x, "numel") else x.size * x,
    "permute": lambda x: adcore.permute(x, (1, 0)),
    "prod": lambda x: adcore.prod(x, dim=1),
    "roll": lambda x: adcore.roll(x, 1, dims=1),
    "softmax": lambda x: adcore.softmax(x, dim=1),
    "sort": lambda x: adcore.sort(x, dim=1, descending=True).values,
    "split": lambda x: adcore.split(x, 2, dim=1)[0],
    "squeeze": lambda x: adcore.squeeze(x[:1], dim=0),
    "stack": lambda x: adcore.stack([x, x], dim=1),
    "std": lambda x: adcore.std(x, dim=1),
    "subtract": lambda x: adcore.subtract(x, 1.0),
    "sum": lambda x: adcore.sum(x, dim=1),
    "swapdims": lambda x: adcore.swapdims(x, 0, 1),
    "t": lambda x: adcore.t(x),
    "transpose": lambda x: adcore.transpose(x, dim0=0, dim1=1),
    "trapezoid": lambda x: adcore.trapezoid(x, dim=1),
    "true_divide": lambda x: adcore.true_divide(x, 3.0),
    "unbind": lambda x: adcore.unbind(x)[1],
    "unsqueeze": lambda x: adcore.unsqueeze(x, 1),
    "var": lambda x: adcore.var(x, dim=1, unbiased=True),
}
# The remaining ones take one array.


@pytest.mark.parametrize("name", sorted(spellings.functions))
def test_spellings(name):
    f = SPELLINGS.get(name, getattr(adcore, name))
    compiled = adcore.compile(lambda x: f(x) * 1.0)
    number = adcore.compile(weighed(f))
    leaves = [np.array([[0.5, 0.1, 0.9], [0.3, 0.8, 0.2]])]
    with np.errstate(all="ignore"):
        for (x,) in points(leaves, np.random.default_rng(3)):
            want = recorded(lambda x: f(x) * 1.0, [np.array(x)])
            assert np.array_equal(compiled(x), want, equal_nan=True)
            if not np.isfinite(want).all():
                continue
            want = adcore.grad(weighed(f))(x)
            np.testing.assert_allclose(number.grad(x), want, rtol=1e-12, atol=1e-13)


SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 5e-324, -5e-324])


@pytest.mark.parametrize("backend", [None, "c"])
@pytest.mark.parametrize("n", [1, 5, 8, 9, 81, 700])
@pytest.mark.parametrize("name", ["maximum", "minimum", "fmax", "fmin"])
def test_zeros_and_nan_of_extrema(name, n, backend):
    """As NumPy's, with the sign of zero: scalars, short vectors, long ones, and one number for all.

    Of two zeros NumPy's fmax is now the first, now the second, by their places in the array.
    """
    f = getattr(np, name)
    rng = np.random.default_rng(n)
    x, z = (rng.choice(SPECIAL, n) for _ in range(2))
    if n >= SPECIAL.size**2:
        x[: SPECIAL.size**2], z[: SPECIAL.size**2] = (
            a.ravel() for a in np.meshgrid(*[SPECIAL] * 2)
        )

    def pairwise(x, z):
        return np.array([f(float(a), float(b)) for a, b in np.broadcast(x, z)])

    compiled = adcore.compile(f, backend=backend)
    for a, b in [(x, z), (z, x), (x, z[0]), (x[0], z), (z[::-1], x)]:
        want = pairwise(a, b) if np.ndim(a) or np.ndim(b) else f(a, b)
        number = ~np.isnan(want)
        for got in (compiled(a, b), adcore.vjp(f, a, b)[0]):
            np.testing.assert_array_equal(got, want)
            if name in ("maximum", "minimum"):
                np.testing.assert_array_equal(np.signbit(got)[number], np.signbit(want)[number])


def test_array_compared_with_a_scalar_of_a_recording():
    """NumPy asks the tensor, which must not ask NumPy again; either way round, and replayed."""
    q = np.array([0.25, 0.5])
    for f in (lambda c: (q * (q < c)).sum() * c, lambda c: (q * (c >= q)).sum() * c):
        compiled = adcore.compile(f)
        for c in (0.375, 0.75, 0.125):
            assert float(compiled(c)) == float(f(c))

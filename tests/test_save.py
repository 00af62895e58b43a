"""Compiled functions in files: what comes back is what was saved, or an error that names the field.

Values and derivatives of a function that was loaded are compared bit by bit with those of the one
that was saved.  Files are damaged in every way there is, with and without a checksum that fits.
"""

import collections
import copy
import dataclasses
import importlib
import json
import multiprocessing
import pickle
import struct
import subprocess
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

import adcore
from adcore import _core, _files, _named
from adcore._arguments import Arguments
from adcore._trees import flatten
from adcore.compile import _from_bytes
from adcore.errors import ADError, FormatError, NotRecordedError, TapeError
from adcore.rules import recorded
from adcore.scipy import integrate, interpolate, optimize, signal, special, stats


def saved(f, tmp_path):
    """(the bytes that f.save() writes, the function that adcore.load() makes of them)."""
    path = tmp_path / "f.adcore"
    f.save(path)
    return path.read_bytes(), adcore.load(path)


def bits(tree):
    """Shape and bits of every number in a result, and its structure."""
    leaves, structure = flatten(tree)
    arrays = [np.asarray(v) for v in leaves]
    return structure.key(), [
        (a.shape, a.dtype.str, repr(v) if a.dtype == object else a.tobytes())
        for v, a in zip(leaves, arrays, strict=True)
    ]


# ---- values and derivatives ----


def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return total


def of_arrays(x):
    a = np.outer(x, np.sin(x)) + np.eye(len(x))
    return (a @ a).sum() + np.cumsum(np.exp(x)).sum() + np.max(x) * np.linalg.norm(x)


def of_branches(x):
    if x[0] > 0.2:
        return np.sum(x**3) * x[x > 0.1].sum()
    return np.prod(np.cos(x))


SCALAR = [rosenbrock, of_arrays, of_branches]
X = np.array([0.3, -0.7, 1.9, 0.4])
V = np.array([1.0, -0.25, 0.5, 3.0])


def pulled(f, x, ct):
    value, pullback = f.vjp(x)
    return value, pullback(ct)


DERIVATIVES = {
    "value": lambda f, x: f(x),
    "grad": lambda f, x: f.grad(x),
    "value_and_grad": lambda f, x: f.value_and_grad(x),
    "hessian": lambda f, x: f.hessian(x),
    "value_grad_and_hessian": lambda f, x: f.value_grad_and_hessian(x),
    "hvp": lambda f, x: f.hvp((x,), (V,)),
    "jvp": lambda f, x: f.jvp((x,), (V,)),
    "vjp": lambda f, x: pulled(f, x, 2.0),
    "jacobian": lambda f, x: f.jacobian(x),
    "adcore.grad": lambda f, x: adcore.grad(f)(x),
    "adcore.hessian": lambda f, x: adcore.hessian(f)(x),
    "adcore.hvp": lambda f, x: adcore.hvp(f, (x,), (V,)),
    "adcore.jacfwd": lambda f, x: adcore.jacfwd(f)(x),
}


@pytest.mark.parametrize("what", DERIVATIVES)
@pytest.mark.parametrize("f", SCALAR, ids=lambda f: f.__name__)
def test_values_and_derivatives_come_back_bit_by_bit(f, what, tmp_path):
    compiled = adcore.compile(f)
    compiled(X)
    _, loaded = saved(compiled, tmp_path)
    assert loaded.f is None
    derivative = DERIVATIVES[what]
    assert bits(derivative(loaded, X)) == bits(derivative(compiled, X))
    np.testing.assert_allclose(loaded(X), f(X), rtol=1e-14)


def test_a_derivative_of_a_loaded_function_is_that_of_the_formula(tmp_path):
    compiled = adcore.compile(lambda x: (x**3).sum())
    compiled(X)
    _, loaded = saved(compiled, tmp_path)
    np.testing.assert_allclose(loaded.hessian(X), np.diag(6 * X), rtol=1e-15)
    np.testing.assert_allclose(adcore.grad(lambda x: loaded.hvp((x,), (V,))[1].sum())(X), 6 * V)


def test_numbers_of_every_kind_are_one_kind_of_argument():
    ran = []
    compiled = adcore.compile(lambda x: ran.append(x) or x * 2.0)
    for x in (1.0, np.float64(1.0), np.float32(1.0), np.array(1.0), adcore.tensor(1.0)):
        assert compiled(x) == 2.0
    assert adcore.grad(compiled)(1.0) == adcore.derivative(compiled)(1.0) == compiled.grad(1) == 2.0
    assert len(ran) == 1


def test_lists_in_lists_stay_apart(tmp_path):
    compiled = adcore.compile(lambda x: x[1][0] * x[0][1])
    assert compiled([[1.0, 2.0], [3.0, 4.0]]) == 6.0
    _, loaded = saved(compiled, tmp_path)
    assert loaded([[1.0, 5.0], [3.0, 4.0]]) == 15.0
    assert loaded.grad([[1.0, 2.0], [3.0, 4.0]]) == [[0.0, 3.0], [2.0, 0.0]]


def test_a_list_of_numbers_is_differentiated_from_the_outside(tmp_path):
    compiled = adcore.compile(lambda x: x[0] * x[1] ** 2)
    compiled([1.0, 2.0])
    _, loaded = saved(compiled, tmp_path)
    assert loaded.grad([1.0, 2.0]) == [4.0, 4.0]
    assert adcore.grad(loaded)([1.0, 2.0]) == [4.0, 4.0]
    assert adcore.jacfwd(loaded)([1.0, 2.0]) == [4.0, 4.0]
    assert adcore.hessian(loaded)([1.0, 2.0]) == [[0.0, 4.0], [4.0, 2.0]]


def test_a_loaded_function_is_part_of_another_that_is_compiled(tmp_path):
    inner = adcore.compile(lambda x: np.sum(np.sin(x) ** 2))
    inner(X)
    _, loaded = saved(inner, tmp_path)
    outer = adcore.compile(lambda x: 3.0 * loaded(2.0 * x))
    np.testing.assert_allclose(outer.grad(X), 6.0 * np.sin(4.0 * X), rtol=1e-14)
    np.testing.assert_allclose(outer.grad(V), 6.0 * np.sin(4.0 * V), rtol=1e-14, atol=1e-14)


def test_sums_keep_their_order_where_they_did(tmp_path):
    x = [1e16, 1.0, -1e16, 3.0] * 20
    for reassociate in (True, False):
        compiled = adcore.compile(lambda x: sum(v * v for v in x), reassociate=reassociate)
        value = compiled(x)
        _, loaded = saved(compiled, tmp_path)
        assert bits(loaded(x)) == bits(value)
        assert loaded.reassociate is reassociate
        assert bits(loaded.hvp((x,), (x,))) == bits(compiled.hvp((x,), (x,)))


# ---- kinds of arguments, and what is not a number ----

CONSTANTS = [
    *(None, True, False, 0, -1, 127, 128, -128, -129, 2**70, -(2**70)),
    *("", "a text", "\u00e9\u4e2d\0\U0001f600", b"", b"\0\xff"),
    *(np.int32(-5), np.uint64(2**63), np.bool_(True), 2.5 - 0.0j),
    np.arange(6, dtype=np.int16).reshape(2, 3),
    np.array([[True, False]]),
    np.array(["ab", "\u4e2d"]),
    np.array([b"ab", b"c"]),
    np.zeros((0, 3), dtype=np.uint8),
]


@pytest.mark.parametrize("constant", CONSTANTS, ids=repr)
def test_constants_among_arguments_tell_recordings_apart(constant, tmp_path):
    def f(x, c):
        return 2.0 * x if c is not None and np.array_equal(c, constant) else x, c

    compiled = adcore.compile(f)
    expected = compiled(1.5, constant)
    _, loaded = saved(compiled, tmp_path)
    assert bits(loaded(1.5, copy.deepcopy(constant))[0]) == bits(expected[0])
    back = loaded(1.5, constant)[1]
    assert type(back) is type(constant)
    assert np.array_equal(back, constant)
    with pytest.raises(NotRecordedError, match="not for"):
        loaded(1.5, "another")


def test_constant_results_come_back_as_they_were(tmp_path):
    constants = [
        *(
            -0.0,
            1.5,
            np.inf,
            np.float64(2.5),
            np.float32(0.1),
            complex(-0.0, 3.0),
            np.complex128(1j),
        ),
        np.array([-0.0, np.nan, 1.0]),
        np.float32([[1.0], [2.0]]),
        np.array(3.5),
        np.zeros((2, 0)),
        *CONSTANTS,
    ]
    compiled = adcore.compile(lambda x: [x, *constants])
    compiled(1.0)
    _, loaded = saved(compiled, tmp_path)
    found = loaded(4.0)
    assert found[0] == 4.0
    for a, b in zip(found[1:], compiled(4.0)[1:], strict=True):
        assert type(a) is type(b)
        assert bits(a) == bits(b)
    found[8][:] = 7.0  # an array of one's own
    assert bits(loaded(4.0)[8]) == bits(np.array([-0.0, np.nan, 1.0]))


def test_containers_of_all_kinds_among_arguments_and_results(tmp_path):
    def f(a, b, *, scale, flag=False):
        total = a["x"] * b[0][1] * scale + b[1]["k"][0].sum()
        return {"total": total, "parts": [a["x"], (b[1]["k"][0] * 2.0, "unit")], 7: ([], {})}, flag

    a, b = {"x": 2.0, "n": 3}, ((1.0, 4.0), {"k": [np.ones((2, 2))], "none": None})
    compiled = adcore.compile(f)
    expected = compiled(a, b, scale=0.5)
    compiled(a, b, scale=0.5, flag=True)
    _, loaded = saved(compiled, tmp_path)
    assert bits(loaded(a, b, scale=0.5)) == bits(expected)
    assert loaded(a, b, scale=0.5, flag=True)[1] is True
    argnums = (0, 1)
    a, b = {"x": 2.0}, ((1.0, 4.0), {"k": [np.ones((2, 2))]})
    compiled = adcore.compile(lambda a, b: f(a, b, scale=0.5)[0]["total"])
    compiled(a, b)
    _, loaded = saved(compiled, tmp_path)
    assert bits(loaded.grad(a, b, argnums=argnums)) == bits(compiled.grad(a, b, argnums=argnums))


def test_every_path_and_every_shape_is_kept(tmp_path):
    def f(x):
        out = 0.0
        for v in x:
            out += v**2 if v > 0.0 else np.sin(v)
        return out

    compiled = adcore.compile(f)
    rng = np.random.default_rng(5)
    calls = [rng.standard_normal(n) for n in (3, 3, 4) for _ in range(8)]
    expected = [bits(compiled.value_and_grad(x)) for x in calls]
    data, loaded = saved(compiled, tmp_path)
    assert repr(loaded) == repr(compiled)
    assert [bits(loaded.value_and_grad(x)) for x in reversed(calls)] == expected[::-1]
    assert saved(loaded, tmp_path)[0] == data  # equal functions, equal bytes


def test_what_was_saved_last_is_all_there_is(tmp_path):
    compiled = adcore.compile(of_branches, max_paths=3)
    for x in (X, -X, X + 1.0, np.abs(X)):
        compiled(x)
    _, loaded = saved(compiled, tmp_path)
    assert loaded.max_paths == 3
    assert repr(loaded) == "<compiled of_branches, 3 paths>"


# ---- ways that were not saved ----


def test_a_guard_that_fails_names_the_line(tmp_path):
    compiled = adcore.compile(of_branches)
    compiled(X)
    _, loaded = saved(compiled, tmp_path)
    line = of_branches.__code__.co_firstlineno + 1
    truth = (
        rf"of_branches .*the comparison at .*test_save\.py:{line} in of_branches was True when it "
        r"was recorded and is False now; .*adcore\.load\(path, f\)"
    )
    mask = rf"element 1 of the mask at .*test_save\.py:{line + 1} .* was False .* is True now"
    for call in (loaded, loaded.grad, loaded.hessian, adcore.grad(loaded)):
        with pytest.raises(NotRecordedError, match=truth):
            call(-X)
        with pytest.raises(NotRecordedError, match=mask):
            call(np.abs(X))
    assert loaded(X) == compiled(X)

    taken = adcore.compile(lambda x: x * x.item())
    taken(2.0)
    _, loaded = saved(taken, tmp_path)
    with pytest.raises(
        NotRecordedError, match=r"the value taken out at .* was 2\.0 .* is 3\.0 now"
    ):
        loaded(3.0)


def test_arguments_that_were_not_saved_are_shown(tmp_path):
    compiled = adcore.compile(lambda x, n: (x**n).sum())
    compiled(X, 2)
    compiled(X, n=3)
    _, loaded = saved(compiled, tmp_path)
    with pytest.raises(
        NotRecordedError, match=r"\(array of shape \(4,\), n=3\), not for \(.*, 5\)"
    ):
        loaded(X, 5)
    with pytest.raises(NotRecordedError, match=r"not for \(list of 2 floats, 2\)"):
        loaded([1.0, 2.0], 2)
    with pytest.raises(LookupError):
        loaded.grad(X[:2], 2)
    assert loaded(X, 2) == compiled(X, 2)


def test_other_paths_are_recorded_with_the_function(tmp_path):
    compiled = adcore.compile(of_branches)
    compiled(X)
    compiled.save(tmp_path / "f")
    ran = []

    def f(x):
        ran.append(x)
        return of_branches(x)

    loaded = adcore.load(tmp_path / "f", f)
    loaded(X)
    assert ran == []
    assert loaded(-X) == compiled(-X)
    assert len(ran) == 1
    assert repr(loaded) == "<compiled f, 2 paths>"
    with pytest.raises(TypeError, match="function or None"):
        adcore.load(tmp_path / "f", 3)


# ---- what no file can hold ----

Pair = collections.namedtuple("Pair", "a b")


@dataclasses.dataclass
class Point:
    a: float
    b: float


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (Pair(1.0, 2.0), r"argument 0: a test_save\.Pair; .* dict"),
        (Point(1.0, 2.0), r"argument 0: a test_save\.Point; .* dict"),
        (collections.OrderedDict(a=1.0), r"argument 0: a collections\.OrderedDict"),
        ([1.0, len], r"argument 0 leaf 1: a builtins\.builtin_function_or_method"),
        (Text("a"), r"argument 0 leaf 0: a test_save\.Text"),
        ("\ud800", "not Unicode"),
        ({(1, 2): 1.0}, r"argument 0: a dict with the key \(1, 2\)"),
        (np.array([1, 2], dtype=np.dtype(np.int32).newbyteorder()), "byte order"),
    ],
    ids=repr,
)
def test_arguments_and_results_that_are_not_data_are_refused(argument, message, tmp_path):
    compiled = adcore.compile(lambda x, c: x)
    compiled(argument, 0.0) if not isinstance(argument, (str, np.ndarray)) else compiled(
        argument, 0
    )
    with pytest.raises(FormatError, match=f"<lambda> cannot be saved: kind 0 .*{message}"):
        compiled.save(tmp_path / "f")
    assert not (tmp_path / "f").exists()
    compiled = adcore.compile(lambda x: (x, argument))
    compiled(1.0)
    with pytest.raises(FormatError, match=r"cannot be saved: kind 0 path 0"):
        compiled.save(tmp_path / "f")


def test_containers_nested_beyond_measure_are_refused(tmp_path):
    def nested(depth):
        x = 1.0
        for _ in range(depth):
            x = [x]
        return x

    compiled = adcore.compile(lambda x: 2.0)
    compiled(nested(64))
    saved(compiled, tmp_path)
    compiled(nested(100))
    with pytest.raises(FormatError, match="nested more than 64 deep"):
        compiled.save(tmp_path / "f")


@adcore.custom_vjp
def with_rule(x):
    return x**2


with_rule.defvjp(lambda x: (x**2, x), lambda x, ct: (2.0 * x * ct,))


def uses_rule(x):
    return with_rule(x).sum()


def test_a_rule_in_python_is_refused_by_line(tmp_path):
    compiled = adcore.compile(uses_rule)
    compiled(X)
    line = uses_rule.__code__.co_firstlineno + 1
    where = rf"uses_rule cannot be saved: .*test_save\.py:{line} in .*: with_rule is a Python"
    with pytest.raises(FormatError, match=where):
        compiled.save(tmp_path / "f")
    with pytest.raises(FormatError, match="nothing to save"):
        adcore.compile(uses_rule).save(tmp_path / "f")


CALLING_BACK = {
    "root": lambda x: adcore.implicit.root(lambda y, x: y**3 - x, X, (x,)),
    "brentq": lambda x: optimize.brentq(lambda y: y**3 - x[0], 0.0, 9.0),
    "minimize": lambda x: optimize.minimize(lambda y: ((y - x) ** 2).sum(), X).x,
    "quad": lambda x: integrate.quad(lambda t: t * x[0], 0.0, 1.0)[0],
    "solve_ivp": lambda x: integrate.solve_ivp(lambda t, y: -x[0] * y, (0.0, 1.0), [1.0]).y,
    "odeint": lambda x: integrate.odeint(lambda y, t: -x[0] * y, [1.0], [0.0, 1.0]),
}


@pytest.mark.parametrize("name", CALLING_BACK)
def test_solvers_that_call_back_are_refused(name, tmp_path):
    compiled = adcore.compile(lambda x: np.sum(CALLING_BACK[name](x)))
    compiled(X)
    why = f"test_save\\.py:[0-9]+ .*{name} calls a Python function at every replay, .*pickle"
    with pytest.raises(FormatError, match=why):
        compiled.save(tmp_path / "f")
    with pytest.raises(TapeError, match=f"{name} .*cannot be written as C: .*test_save"):
        compiled.to_c()


# ---- other processes ----


def test_a_process_that_has_only_the_file_and_adcore(tmp_path):
    compiled = adcore.compile(of_branches)
    compiled(X), compiled(-X)
    compiled.save(tmp_path / "f.adcore")
    code = """
import json, sys, numpy as np, adcore
path, *xs = json.loads(sys.argv[1])
f = adcore.load(path)
out = []
for x in xs:
    x = np.array([float.fromhex(v) for v in x])
    product = f.hvp((x,), (x,))[1]
    out.append([np.asarray(a).tobytes().hex() for a in (f(x), f.grad(x), f.hessian(x), product)])
assert "test_save" not in sys.modules
print(json.dumps(out))
"""
    given = json.dumps([str(tmp_path / "f.adcore"), *[[v.hex() for v in x] for x in (X, -X)]])
    run = [sys.executable, "-c", code, given]
    out = subprocess.run(run, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    for x, found in zip((X, -X), json.loads(out), strict=True):
        expected = compiled(x), compiled.grad(x), compiled.hessian(x), compiled.hvp((x,), (x,))[1]
        assert found == [np.asarray(a).tobytes().hex() for a in expected]


NAMED = {
    "special": lambda x: special.gammainc(x, 1.5) + special.jv(x, 2.0) + special.lambertw(x),
    "special in parts": lambda x: special.spherical_jn(2, x) + special.airy(x)[0],
    "a step of special's": lambda x: x * special.gammasgn(x),
    "quantiles": lambda x: stats.t.ppf(0.3, 3.0 + x) + stats.gamma.isf(0.2, x),
    "linalg.sqrtm": lambda x: adcore.scipy.linalg.sqrtm(np.diag(x) + 2.0),
    "fft": lambda x: np.abs(np.fft.rfft(x)),
    "complex": lambda x: np.real(np.linalg.inv(np.diag(x) + 0.5j)),
    "convolve": lambda x: np.convolve(x, x),
    "roots": lambda x: np.roots([1.0, -3.0 - x[0], 1.0]),
    "complex roots": lambda x: np.abs(np.roots([1.0, -x[0], 1.0 + x[1]]) - 2.0),
    "signal": lambda x: signal.lfilter([1.0, x[0]], [1.0, 0.3], signal.fftconvolve(x, x)),
    "peaks": lambda x: x * signal.argrelmax(x)[0][0],
    "interpolate": lambda x: interpolate.CubicSpline([0.0, 0.4, 1.0, 2.0], x + 1.0)(0.6),
    "optimize": lambda x: optimize.linear_sum_assignment(np.outer(x, x))[1] * x,
}
X_NAMED = np.array([0.4, 1.3, 0.9, 0.2])


@pytest.mark.parametrize("name", NAMED)
def test_a_process_finds_all_that_a_file_names(name, tmp_path):
    """Although it has imported nothing but adcore; it imports modules of adcore's alone."""
    compiled = adcore.compile(lambda x: (NAMED[name](x) ** 2).sum())
    value, gradient = compiled(X_NAMED), compiled.grad(X_NAMED)
    compiled.save(tmp_path / "f.adcore")
    code = """
import sys, numpy as np, adcore
assert not any(m.startswith("adcore.scipy") for m in sys.modules)
f = adcore.load(sys.argv[1])
print(f(np.array(eval(sys.argv[2]))).hex())
np.save(sys.argv[1], f.grad(np.array(eval(sys.argv[2]))))
"""
    run = [sys.executable, "-c", code, str(tmp_path / "f.adcore"), repr(X_NAMED.tolist())]
    out = subprocess.run(run, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (out.stdout, out.stderr) == (f"{value.hex()}\n", "")
    np.testing.assert_array_equal(np.load(tmp_path / "f.adcore.npy"), gradient)


def test_owners_are_modules_of_adcore_that_register_such_names():
    for word, modules in _named.OWNERS.items():
        for module in modules:
            assert module.startswith("adcore.")
            importlib.import_module(module)
        names = [*_named.registered, *recorded.observable]
        assert any(name.partition(".")[0] == word for name in names), word
    # Those that are registered elsewhere, or by adcore itself, have no word that is an owner's.
    lone = {n for n in _named.registered if n.partition(".")[0] not in _named.OWNERS}
    assert lone == {"observed"}


@adcore.compile
def decorated(x):
    return np.sum(np.sin(x)) if x[0] > 0.0 else np.sum(x**2)


def used_elsewhere(f, x):
    return f.f is not None, repr(f), f(x), f.grad(x)


def test_pickles_go_to_processes_that_are_spawned():
    decorated(X)
    nameless = adcore.compile(lambda x: np.sum(np.exp(x)))
    nameless(X)
    rule = adcore.compile(uses_rule)
    rule(X)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = list(
            pool.map(used_elsewhere, [decorated, nameless, rule, decorated], [X, X, X, -X])
        )
    assert found[0][:2] == (True, "<compiled decorated, 1 path>")
    assert found[1][:2] == (False, "<compiled <lambda>, 1 path>")
    assert found[2][:2] == (True, "<compiled uses_rule, 0 paths>")  # is recorded there
    for f, x, (_, _, value, gradient) in zip(
        [decorated, nameless, rule, decorated], [X, X, X, -X], found, strict=True
    ):
        assert bits((value, gradient)) == bits((f(x), f.grad(x)))


def test_a_pickle_finds_its_function_only_if_it_is_the_same(monkeypatch):
    compiled = adcore.compile(of_branches)
    compiled(X)
    data = pickle.dumps(compiled)
    assert pickle.loads(data).f is of_branches
    for other in (lambda x: x, None, rosenbrock):
        monkeypatch.setattr(sys.modules[__name__], "of_branches", other)
        assert pickle.loads(data).f is None
    monkeypatch.delattr(sys.modules[__name__], "of_branches")
    found = pickle.loads(data)
    assert found.f is None
    assert found(X) == compiled(X)
    with pytest.raises(NotRecordedError):
        found(-X)
    local = adcore.compile(lambda x: with_rule(x))
    local(1.0)
    with pytest.raises(FormatError, match="cannot be saved"):
        pickle.dumps(local)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_share_what_is_recorded_and_nothing_else(copied):
    compiled = adcore.compile(uses_rule, max_paths=5, reassociate=False)
    compiled(X)
    other = copied(compiled)
    assert (other.f, other.max_paths, other.reassociate) == (uses_rule, 5, False)
    assert bits(other.grad(X)) == bits(compiled.grad(X))
    other(X[:2])
    assert (repr(compiled), repr(other)) == (
        "<compiled uses_rule, 1 path>",
        "<compiled uses_rule, 2 paths>",
    )


def test_a_function_of_an_object_that_holds_it_is_copied_with_the_object():
    class Model:
        def __init__(self):
            self.scale = 2.0
            self.f = adcore.compile(self.value)

        def value(self, x):
            return self.scale * x

    model = Model()
    model.f(1.0)
    for other in (copy.deepcopy(model), copy.deepcopy(model.f).__self__):
        assert other.f.__self__ is other
        assert other.f(3.0) == 6.0


# ---- the format ----


def u32(*values):
    return struct.pack(f"<{len(values)}I", *values)


def u64(*values):
    return struct.pack(f"<{len(values)}Q", *values)


def text(value):
    return u64(len(value.encode())) + value.encode()


def sealed(body, version=2, magic=b"\x89ADF\r\n\x1a\n"):
    data = magic + u64(version, 24 + len(body) + 8) + body
    return data + u64(_core.crc64(data))


def example():
    def f(x, options):
        if x[0] > options["n"] / 200:
            return x.sum(), -1
        return {"a": [x[0] * x[1], 2.5, np.int16([3, 4])]}

    compiled = adcore.compile(f)
    compiled(np.array([1.0, 2.0]), {"n": 300})
    compiled(np.array([2.0, 2.0]), {"n": 300})
    return compiled


def test_a_whole_file_byte_by_byte(tmp_path):
    compiled = example()
    data, _ = saved(compiled, tmp_path)
    ((_, paths),) = compiled._kinds()
    programs = [p.program.to_bytes() for p in paths]
    key = u64(2, 0)  # arguments by position and by name
    key += u32(0) + u32(1) + u64(2)  # an array of one dimension, 2 long
    key += u32(3) + u32(5) + u64(1) + u32(6) + text("n") + u32(0)  # a tree: a dict with one leaf
    key += u32(1) + u32(3) + u64(2) + b"\x2c\x01"  # a constant: the whole number 300
    first = u64(0) + u32(5) + u64(1) + u32(6) + text("a") + u32(1) + u64(3)  # {"a": [., ., .]}
    first += u32(0)
    first += u32(1) + u32(4) + struct.pack("<d", 2.5)
    first += u32(1) + u32(8) + text("i2") + u32(1) + u64(2) + b"\x03\x00\x04\x00"
    first += u64(len(programs[0])) + programs[0]
    second = (
        u64(1) + u64(0) + u64(1) + struct.pack("<d", 1.0)
    )  # from path 0 by guard 0, which saw 1
    second += u32(2) + u64(2) + u32(0) + u32(1) + u32(3) + u64(1) + b"\xff"
    second += u64(len(programs[1])) + programs[1]
    body = text("f") + u32(1) + u64(64) + u64(1) + key + u64(2) + first + second
    assert data == sealed(body)
    assert programs[0][:8] == b"\x89ADC\r\n\x1a\n"


MINIMAL = text("f") + u32(1) + u64(64)


def one_kind(key, n_paths=1, rest=b""):
    return sealed(MINIMAL + u64(1) + key + u64(n_paths) + rest + b"\0" * 32)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "`magic`, byte 0: expected 8 bytes, found 0"),
        (b"\x89ADC\r\n\x1a\n" + b"\0" * 40, "`magic`"),
        (sealed(MINIMAL + u64(0), version=3), "`version`, byte 8: expected 2, .*, found 3"),
        (sealed(MINIMAL + u64(0), version=1 << 56), "`version`"),  # of the other endianness
        (sealed(MINIMAL + u64(0))[:-1], "`size`, byte 16: expected 60.*, found 61"),
        (sealed(MINIMAL + u64(0))[:-1] + b"\0", "`checksum`"),
        (sealed(u64(5) + b"f"), "`name`.*at most 1"),
        (sealed(text("f")[:-1] + b"\xff" + u32(1) + u64(64, 0)), "`name`.*UTF-8"),
        (sealed(text("f") + u32(2) + u64(64, 0)), "`reassociate`.*0 to 1, found 2"),
        (sealed(text("f") + u32(1) + u64(1, 0)), "`most paths`.*2 to"),
        (sealed(MINIMAL + u64(0, 0)), "`end`.*8 bytes more"),
        (sealed(MINIMAL + u64(2**40)), "`kinds`"),
        (one_kind(u64(2**31)), "`kind 0 positional arguments`"),
        (one_kind(u64(0, 2) + text("a") + text("a")), "`kind 0 keyword 1`"),
        (one_kind(u64(1, 0) + u32(4)), "`kind 0 argument 0 tag`"),
        (one_kind(u64(1, 0) + u32(0, 17)), "`kind 0 argument 0 shape dimensions`"),
        (one_kind(u64(1, 0) + u32(0, 2) + u64(2**30, 4)), "`kind 0 argument 0 shape`.*elements"),
        (one_kind(u64(1, 0) + u32(1) + u64(0)), "`kind 0 argument 0 floats`"),
        (one_kind(u64(1, 0) + u32(3, 7)), "`kind 0 argument 0 structure tag`"),
        (one_kind(u64(1, 0) + u32(3, 1) + u64(2**30)), "`kind 0 argument 0 structure leaves`"),
        (one_kind(u64(1, 0) + u32(3) + (u32(3) + u64(1)) * 66), "in one another, found more"),
        (one_kind(u64(1, 0) + u32(3, 5) + u64(1) + u32(4) + b"\0" * 8), "part 0 key`.*text"),
        (
            one_kind(u64(1, 0) + u32(3, 5) + u64(2) + (u32(6) + text("a") + u32(0)) * 2),
            "structure keys`.*twice",
        ),
        (one_kind(u64(1, 0) + u32(3, 0, 1, 3) + u64(2) + b"\1\0"), "leaf 0 whole number`.*1 bytes"),
        (one_kind(u64(1, 0) + u32(3, 0, 1, 9) + text("O8") + u64(0)), "leaf 0 element type`"),
        (one_kind(u64(1, 0) + u32(3, 0, 1, 9) + text("b1") + b"\2"), "leaf 0 elements`.*truths"),
        (one_kind(u64(1, 0) + u32(3, 0, 1, 8) + text("U1") + u32(0) + u32(1 << 21)), "Unicode"),
        (one_kind(u64(1, 0) + u32(0, 0), n_paths=0), "`kind 0 paths`.*1 to"),
        (one_kind(u64(1, 0) + u32(0, 0), rest=u64(1)), "`kind 0 path 0 parent`.*0 to 0"),
        (
            one_kind(u64(1, 0) + u32(0, 0), rest=u64(0) + u32(0, 0) + u64(3)),
            "path 0 program`, from byte 109 on: .*`header`",
        ),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_a_field_that_is_not_in_order_is_named(data, message):
    with pytest.raises(FormatError, match=message):
        _files.read(data)


def test_programs_must_fit_the_arguments_the_results_and_the_guards(tmp_path):
    function = _files.read(saved(example(), tmp_path)[0])
    key, paths = function.kinds[0]

    def refused(message, *changed, key=key):
        function.kinds = [(key, list(changed))]
        with pytest.raises(FormatError, match=message):
            _files.read(_files.write(function))

    first, second = paths
    change = dataclasses.replace
    refused("path 0 program inputs", *paths, key=(2, (), ((3,), key[2][1])))
    refused("path 0 program inputs", *paths, key=(1, (), ((),)))
    refused(
        "path 0 program outputs`.*2, as", change(first, where=[(True, 0), (True, 1), (False, 1)])
    )
    refused("path 1 guard`.*0 to 0, found 1", first, change(second, link=(1, second.link[1])))
    refused("path 1 outcome`.*1 to 1, found 2", first, change(second, link=(0, bytes(16))))
    refused("path 1 parent`.*1 to 1, found 2", first, change(second, parent=1))
    refused("path 1 parent`.*1 to 1, found 0", first, change(first))
    refused("path 2 parent`.*of its own", first, second, second)
    lone = change(second, parent=1, link=(0, bytes(8)))
    refused("path 2 (guard|outcome)`", first, second, change(lone, link=(7, bytes(8))))
    function.kinds = [(key, paths), (key, paths)]
    with pytest.raises(FormatError, match=r"field `kind 1`.*the same"):
        _files.read(_files.write(function))
    assert function.kinds[0][1][0].program.input_shapes == [(2,)]


def spans(data, function):
    """Where programs stand in a file: (start, end) of each."""
    found, at = [], 0
    for _, paths in function.kinds:
        for path in paths:
            inner = path.program.to_bytes()
            at = data.index(inner, at)
            found.append((at, at + len(inner)))
            at += len(inner)
    return found


def resealed(data, programs):
    """The file with checksums that fit, those of the programs in it too."""
    data = bytearray(data)
    for start, end in programs:
        if end <= len(data) - 8:
            data[end - 8 : end] = u64(_core.crc64(bytes(data[start : end - 8])))
    data[16:24] = u64(len(data))
    data[-8:] = u64(_core.crc64(bytes(data[:-8])))
    return bytes(data)


def refused_or_read(data):
    """The function in the bytes, or None if they are refused; nothing else may come of them."""
    try:
        return _files.read(data)
    except FormatError:
        return None


def test_every_truncation_and_every_bit_is_noticed(tmp_path):
    data, _ = saved(example(), tmp_path)
    for n in range(len(data)):
        assert refused_or_read(data[:n]) is None
    for at in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            assert refused_or_read(bytes(changed)) is None, (at, bit)


def call_of(key, rng):
    """(args, kwargs) that have this key."""

    def leaf(k):
        if all(type(n) is int for n in k):
            return rng.standard_normal(k)
        return np.ndarray(k[1], k[0], buffer=k[2]) if isinstance(k[0], str) else k[1]

    def tree(k, leaves):
        if k is None:
            return next(leaves)
        if k[0] is not dict and len(k) == 2 and type(k[1]) is int:
            return k[0](next(leaves) for _ in range(k[1]))
        parts = [tree(part, leaves) for part in k[2:]]
        return dict(zip(k[1], parts, strict=True)) if k[0] is dict else k[0](parts)

    n_args, names, kinds = key
    built = []
    for kind in kinds:
        if all(type(n) is int for n in kind):
            built.append(rng.standard_normal(kind))
        elif isinstance(kind[0], type):
            built.append(kind[0](rng.standard_normal(kind[1]).tolist()))
        else:
            built.append(tree(kind[0], map(leaf, kind[1:])))
    return built[:n_args], dict(zip(names, built[n_args:], strict=True))


def checked_use(data, function, rng):
    """A file that was not refused: it is called, and saved again the same."""
    again = _files.write(function)
    assert _files.write(_files.read(again)) == again
    loaded = _from_bytes(data, None)
    for key, _ in function.kinds:
        args, kwargs = call_of(key, rng)
        try:
            loaded(*args, **kwargs)
            if args and isinstance(args[0], np.ndarray):
                loaded.jacobian(*args, **kwargs)
        except NotRecordedError:
            continue


def fuzzed_files(tmp_path):
    two = adcore.compile(lambda a, b, flag=None: {"v": [a * b["k"][0], "t", (flag, np.eye(2))]})
    two(2.0, {"k": (3.0, 1)}, flag=np.array([True]))
    two(np.ones(2), {"k": (3.0, b"z")})
    branches = adcore.compile(of_branches)
    for x in (X, -X, np.abs(X)):
        branches(x)
    typed = adcore.compile(lambda x: (np.argsort(x), x > 0, x * np.searchsorted([0.0, 1.0], x)))
    typed(X)
    return [saved(f, tmp_path)[0] for f in (example(), two, branches, typed)]


def test_every_bit_under_a_checksum_that_fits_is_refused_or_harmless(tmp_path):
    data, _ = saved(example(), tmp_path)
    programs = spans(data, _files.read(data))
    outside = [i for i in range(24, len(data) - 8) if not any(a <= i < b for a, b in programs)]
    rng = np.random.default_rng(11)
    n_read = 0
    for at in outside:
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            function = refused_or_read(resealed(changed, []))
            if function is not None:
                n_read += 1
                checked_use(resealed(changed, []), function, rng)
    assert 0 < n_read < 8 * len(outside) / 2  # names and constants may be any


def test_hostile_files_are_refused_or_harmless(tmp_path):
    rng = np.random.default_rng(3)
    n_read = 0
    words = [0, 1, 2, 3, 7, 255, 2**31 - 17, 2**31, 2**32 - 1, 2**48, 2**63 - 1, 2**63, 2**64 - 1]
    for data in fuzzed_files(tmp_path):
        programs = spans(data, _files.read(data))
        for _ in range(3000):
            changed = bytearray(data)
            touched = False
            for _ in range(rng.integers(1, 4)):
                at = int(rng.integers(24, len(data) - 16))
                touched |= any(a <= at + 7 and at < b for a, b in programs)
                way = rng.integers(4)
                if way == 0:
                    changed[at] = int(rng.integers(256))
                elif way == 1:
                    changed[at : at + 8] = u64(words[rng.integers(len(words))])
                elif way == 2:
                    changed[at : at + 4] = u32(words[rng.integers(len(words))] % 2**32)
                else:
                    other = int(rng.integers(24, len(data) - 16))
                    changed[at : at + 8] = data[other : other + 8]
            changed = resealed(changed, programs)
            function = refused_or_read(changed)
            if function is not None:
                n_read += 1
                if not touched:  # what programs do is for test_io.c, which runs them in bounds
                    checked_use(changed, function, rng)
        for _ in range(500):  # parts cut out, or put in twice
            a, b = sorted(int(v) for v in rng.integers(24, len(data) - 8, 2))
            changed = data[:a] + data[b:] if rng.integers(2) else data[:b] + data[a:]
            refused_or_read(resealed(changed, []))
    assert n_read > 100


RULES = {
    "sorted places": lambda x: x * np.searchsorted(np.array([0.0, 1.0]), x, side="right"),
    "two leaves": lambda x: x * np.isin(x, [0.0, 1.0]) + np.lexsort((x, x**2)),
    "keywords": lambda x: np.partition(x, 1, kind="introselect") * 2.0,
}


def test_rules_that_are_not_in_order_are_named():
    """Each field of a rule by itself: whatever it says, it is refused or can be run."""

    def of(name=None, parameters=None, leaves=None, output=None, extra=b""):
        name = text("observed") if name is None else name
        if parameters is None:
            parameters = u64(3) + text("function") + u32(6) + text("lexsort")
            parameters += text("structure") + u32(11) + structure
            parameters += text("casts") + u32(10) + u64(1) + u32(6) + text("")
        leaves = u64(1) + u32(0) if leaves is None else leaves
        output = u32(0) + u32(1) + u64(3) if output is None else output
        return name + parameters + leaves + output + extra

    structure = u32(4) + u64(2) + u32(1) + u64(1) + u32(5) + u64(0)
    function = text("function") + u32(6)
    definition, numbers, tracked, tree, shapes = _named.from_bytes(of(), 3, [(3,)])
    assert (definition.name, tracked, shapes) == ("lexsort", [0], [(3,)])
    assert _named.to_bytes(definition, numbers, tracked, tree, shapes) == of()
    wrong = [
        (of(name=text("os.system")), "rule, name: .*adcore's, found 'os.system'"),
        (of(name=text("numpy.lexsort")), "rule, name"),
        (of(parameters=u64(0)), "rule observed, parameters: .*found no casts, function, structure"),
        (of(parameters=u64(1) + text("mode") + u32(0)), "parameters: .*found 'mode'"),
        (of(parameters=u64(1) + text("function") + u32(3) + u64(1) + b"\1"), "expected str"),
        (of(parameters=u64(1) + text("casts") + u32(0)), "parameter casts: .*tuple, .*NoneType"),
        (of(parameters=u64(1) + text("casts") + u32(12)), "parameter casts parameter tag: .*11"),
        (of(parameters=u64(1) + text("casts") + (u32(10) + u64(1)) * 70), "tuples in one another"),
        (of(parameters=u64(2) + (function + text("sort")) * 2), "parameters: .*'function'"),
        (of().replace(text("lexsort"), text("fromfile")), "the function 'fromfile', which is none"),
        (of().replace(text("lexsort"), text("os.abort")), "the function 'os.abort'"),
        (of().replace(u32(6) + text("") + u64(1), u32(6) + text("O") + u64(1)), "other types"),
        (of(leaves=u64(2) + u32(0, 0)), "leaves: expected 1 operands, found 2"),
        (of(leaves=u64(1) + u32(1, 0)), "leaves: expected 1 operands, found 0"),
        (of(leaves=u64(1) + u32(2)), "leaf 0 tag"),
        (of(output=u32(0) + u32(1) + u64(4)), "output shapes: .*3 elements"),
        (of(output=u32(0) + u32(17)), "output shape dimensions"),
        (of(extra=b"\0"), "end: .*1 bytes"),
    ]
    for data, message in wrong:
        with pytest.raises(FormatError, match=message):
            _named.from_bytes(data, 3, [(3,)])
    for n in range(len(of())):
        with pytest.raises(FormatError):
            _named.from_bytes(of()[:n], 3, [(3,)])


@pytest.mark.parametrize("name", RULES)
def test_hostile_rules_are_refused_or_harmless(name, tmp_path):
    """Whatever stands in a rule, it is refused, or gives numbers of its shapes, or an error."""
    compiled = adcore.compile(lambda x: (RULES[name](x) * x).sum())
    compiled(X)
    data, _ = saved(compiled, tmp_path)
    programs = spans(data, _files.read(data))
    first = data.index(text("observed"))
    last = data.index(u64(len(X)) + X.tobytes(), first)  # the point, behind the instructions
    rng = np.random.default_rng(5)
    n_read = n_run = 0
    for _ in range(600):
        changed = bytearray(data)
        for _ in range(rng.integers(1, 3)):
            at = int(rng.integers(first, last))
            if rng.integers(2):
                changed[at] = int(rng.integers(256))
            else:
                changed[at : at + 4] = u32(int(rng.integers(13)))
        changed = resealed(changed, programs)
        function = refused_or_read(changed)
        if function is None:
            continue
        n_read += 1
        again = _files.write(function)
        assert _files.write(_files.read(again)) == again
        loaded = _from_bytes(changed, None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                assert isinstance(loaded(X), float)
                assert loaded.grad(X).shape == X.shape
                n_run += 1
            except (ADError, TypeError, ValueError, IndexError, ArithmeticError):
                continue  # NumPy's own errors, of arguments that mean nothing
    assert n_read >= 3
    assert n_run >= 1


def test_a_message_names_the_field_of_a_rule_within_a_file(tmp_path):
    compiled = adcore.compile(RULES["sorted places"])
    compiled(X)
    data, _ = saved(compiled, tmp_path)
    programs = spans(data, _files.read(data))
    changed = resealed(data.replace(b"searchsorted", b"searchsordid"), programs)
    message = r"`kind 0 path 0 program`.*`instruction \d+ rule`, byte \d+: .*rule observed, .*did'"
    with pytest.raises(FormatError, match=message):
        _files.read(changed)


def test_kinds_are_keys_of_the_calls_they_stand_for(tmp_path):
    """The key that is read is the one that Arguments makes."""
    for data in fuzzed_files(tmp_path):
        for key, _ in _files.read(data).kinds:
            args, kwargs = call_of(key, np.random.default_rng(0))
            assert Arguments("f", args, kwargs).key == key


# ---- decisions of the rules of derivatives ----


def gamma_and_branch(x):
    y = 2.0 if x > 2.0 else 1.0
    return special.rgamma(x) * y


def test_what_rules_of_derivatives_decide(tmp_path):
    """1 / gamma has two formulas for its slope: a guard that only the gradient's program has."""
    f = adcore.compile(special.rgamma)
    points = (0.3, -1.3, 0.6, -0.2, 1.5)
    want = [adcore.grad(special.rgamma)(x) for x in points]
    assert [f.grad(x) for x in points] == pytest.approx(want, rel=1e-14)
    assert "rule of a derivative" in str(f.summary())
    _, loaded = saved(f, tmp_path)
    assert [loaded(x) for x in points] == [f(x) for x in points]
    assert loaded.grad(points[0]) == pytest.approx(want[0], rel=1e-14)
    with pytest.raises(NotRecordedError, match="the comparison"):
        loaded.grad(1.5)  # with the formula that the first point does not take


def test_guards_of_the_value_keep_their_places(tmp_path):
    f = adcore.compile(gamma_and_branch)
    points = (0.3, -1.3, 2.5, 0.6, 3.5)
    want = [adcore.grad(gamma_and_branch)(x) for x in points]
    assert [f.grad(x) for x in points] == pytest.approx(want, rel=1e-14)
    (paths,) = f._by_key.values()
    root = paths.root.program
    derived = root.derived("grad", (0,))
    assert len(derived.guards) > len(root.guards) > 0
    for a, b in zip(root.guards, derived.guards, strict=False):
        assert a[:4] == b[:4]
    _, loaded = saved(f, tmp_path)
    assert [loaded(x) for x in points] == [f(x) for x in points]
    assert loaded.grad(2.5) == f.grad(2.5)

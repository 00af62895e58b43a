"""Programs as C: the text, compiled with warnings as errors and called; and backend="c"."""

import ctypes
import os
import subprocess
import sys
import tempfile
import textwrap
import time
import warnings

import numpy as np
import pytest
from hypothesis import given

import adcore
from adcore import _core, _native
from adcore.errors import TapeError
from test_properties import array_programs, examples, scalar_programs

STRICT = (
    "-std=c99",
    "-pedantic",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-O2",
    "-fno-math-errno",
    "-ffp-contract=off",
)


def have_compiler():
    try:
        _native.compiler()
    except _native.NativeError:
        return False
    return True


pytestmark = pytest.mark.skipif(not have_compiler(), reason="there is no C compiler")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of libraries of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "adcore"


def built(written, folder):
    """The library of a CSource."""
    source, header = written.write(folder)
    assert header.name in {f"{written.name}.h"}
    library = folder / f"{written.name}.so"
    command, _ = _native.compiler()
    subprocess.run(
        [*command, *STRICT, "-shared", "-fPIC", "-o", str(library), str(source), "-lm"], check=True
    )
    # the header stands alone, in C and for C++
    subprocess.run([*command, *STRICT, "-fsyntax-only", "-x", "c", str(header)], check=True)
    return ctypes.CDLL(str(library))


def work_of(written, function):
    """What the header says of the doubles that a function works in."""
    return int(written.header.split(f"{function.upper()}_WORK = ")[1].split()[0])


def called(written, library, what, inputs, shapes):
    """(what the function returns, arrays of its outputs)."""
    name = written.functions[what]
    outputs = [np.full(s, np.nan) for s in shapes]
    work = np.full(work_of(written, name), 1e300)
    pointer = ctypes.c_void_p
    given = (pointer * len(inputs))(*[a.ctypes.data for a in inputs])
    found = (pointer * len(outputs))(*[a.ctypes.data for a in outputs])
    failed = getattr(library, name)(given, found, pointer(work.ctypes.data))
    return failed, outputs


def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return total


def steps_of(n):
    """n Runge-Kutta steps of a pendulum with friction."""

    def pendulum(p):
        angle, speed, friction = p[0], p[1], p[2]

        def slope(a, s):
            return s, -adcore.sin(a) - friction * s

        for _ in range(n):
            a1, s1 = slope(angle, speed)
            a2, s2 = slope(angle + 0.005 * a1, speed + 0.005 * s1)
            a3, s3 = slope(angle + 0.005 * a2, speed + 0.005 * s2)
            a4, s4 = slope(angle + 0.01 * a3, speed + 0.01 * s3)
            angle = angle + (a1 + 2.0 * a2 + 2.0 * a3 + a4) * (0.01 / 6.0)
            speed = speed + (s1 + 2.0 * s2 + 2.0 * s3 + s4) * (0.01 / 6.0)
        return angle * angle + speed * speed

    return pendulum


def mixed(x):
    """Products, running sums, norms, extrema, rows, scattered additions and special functions."""
    a = x.reshape(4, 5)
    b = np.tanh(a @ a.T) + np.cumsum(a, axis=1).sum(axis=1)
    c = np.maximum(a[:, ::2], 0.1) * np.linalg.norm(a, axis=1)[:, None]
    picked = x[[0, 3, 3, 7]] ** 2
    special = (picked * adcore.lgamma(1.5 + picked)).sum() + adcore.erfinv(x[2] / 9)
    return b.sum() + c.sum() + a.max() + special


def ordered(x):
    """Orders and places: sorting, gathering along both axes, counting, adding at places."""
    a = x.reshape(4, 5)
    rows = a[np.argsort(a[:, 1])] * np.sort(a, axis=0)
    b = np.take_along_axis(a**2, np.argsort(a, axis=1), 1)
    counted = np.bincount(np.argmax(a, axis=0), weights=a[1] ** 2, minlength=4)
    middle = np.median(x) * x[np.argmax(x)] + np.quantile(x, 0.3)
    shifted = x[np.argsort(x) - 3] * np.arange(20.0)
    weights = np.arange(20.0).reshape(4, 5)
    return (rows * b * weights).sum() + (counted**2).sum() + middle + shifted @ x


# ---- the text ----


@pytest.mark.parametrize("f", [rosenbrock, steps_of(20), mixed, ordered])
def test_written_value_and_derivatives(f, tmp_path, rng):
    n = 3 if f.__name__ == "pendulum" else 20
    x, v = rng.uniform(0.2, 0.9, n), rng.uniform(-1, 1, n)
    compiled = adcore.compile(f)
    written = compiled.to_c(x, derivatives=("value", "gradient", "hvp", "hessian"), name="try_it")
    assert list(written.functions) == ["value", "gradient", "hvp", "hessian"]
    library = built(written, tmp_path)
    failed, (value,) = called(written, library, "value", [x], [()])
    assert failed == -1
    np.testing.assert_allclose(value, float(f(x)), rtol=1e-13)
    failed, (gradient,) = called(written, library, "gradient", [x], [(n,)])
    assert failed == -1
    np.testing.assert_allclose(gradient, adcore.grad(f)(x), rtol=1e-11, atol=1e-13)
    failed, (product,) = called(written, library, "hvp", [x, v], [(n,)])
    assert failed == -1
    expected = adcore.hvp(f, (x,), (v,))[1]
    np.testing.assert_allclose(product, expected, rtol=1e-10, atol=1e-12)
    failed, (hessian,) = called(written, library, "hessian", [x], [(n, n)])
    assert failed == -1
    np.testing.assert_allclose(hessian @ v, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "op", [o for o in adcore.OPS if not o.hidden and not o.family], ids=lambda o: o.name
)
def test_every_op_and_its_derivative_by_the_c_backend(op):
    def f(*args):
        return adcore.ops.functions[op.name](*args).sum()

    args = []
    for low, high in op.domain:
        low, high = max(low, -2.0), min(high, 3.0)
        args.append(np.linspace(low + 0.05 * (high - low), high - 0.05 * (high - low), 23))
    argnums = tuple(range(len(args)))
    native, plain = adcore.compile(f, backend="c"), adcore.compile(f)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value, gradient = native.value_and_grad(*args, argnums=argnums)
    expected, expected_gradient = plain.value_and_grad(*args, argnums=argnums)
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    for a, b in zip(gradient, expected_gradient, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


def constants_left_out(source):
    """The text without its tables."""
    lines, inside = [], False
    for line in source.splitlines():
        inside = inside or line.startswith("static const")
        if not inside:
            lines.append(line)
        inside = inside and not line.endswith("};")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("few", "many"),
    [
        ((rosenbrock, 100), (rosenbrock, 10_000)),
        ((steps_of(100), 3), (steps_of(1000), 3)),
    ],
    ids=["elements", "steps"],
)
def test_length_does_not_grow(few, many):
    lengths = []
    for f, n in (few, many):
        written = adcore.compile(f).to_c(np.linspace(0.1, 0.9, n))
        lengths.append(len(constants_left_out(written.source)))
    assert lengths[1] < 1.05 * lengths[0]


def test_guard_is_returned(tmp_path):
    @adcore.compile
    def f(x):
        return x[0] * x[1] if x[0] > x[1] else x[0] + x[1]

    x = np.array([2.0, 1.0])
    written = f.to_c(x)
    library = built(written, tmp_path)
    assert "decision 0: truth at test_to_c.py:" in written.header
    assert called(written, library, "value", [x], [()]) == (-1, [np.array(2.0)])
    assert called(written, library, "value", [x[::-1].copy()], [()])[0] == 0


def test_to_c_without_arguments():
    f = adcore.compile(rosenbrock)
    with pytest.raises(TypeError, match="to_c of rosenbrock needs arguments to go by: 0 ways"):
        f.to_c()
    f(np.array([0.1, 0.2]))
    assert f.to_c(name="any name!").functions["gradient"] == "any_name__gradient"
    with pytest.raises(ValueError, match="got 'thirds'"):
        f.to_c(derivatives=("thirds",))


def doubled(x):
    return 2.0 * x


def rule_of(x):
    f = adcore.custom_vjp(doubled)
    f.defvjp(lambda x: (doubled(x), None), lambda _, g: (2.0 * g,))
    return f(x).sum()


def places(x):
    return x * np.searchsorted([0.0, 1.0], x)


def functions_of_numbers(x, y):
    s = x[0]
    for i in range(5):
        s = np.sin(s + y) * np.exp(-s) + np.log1p(x[i] * x[i])
    return s + np.tan(y)


def functions_of_arrays(x, y):
    u = np.exp(np.sin(x)) + np.arctan2(x, y) * np.cos(x)
    return np.log1p(u * u) * x + np.tanh(x[::-1]) * np.power(1.5, x), np.sin(x)


@pytest.mark.parametrize("n", [7, 300])
@pytest.mark.parametrize("f", [functions_of_numbers, functions_of_arrays])
def test_the_c_backend_has_the_bits_of_plain_python(f, n, rng):
    compiled = adcore.compile(f, backend="c")
    compiled(np.ones(n), 1.0)
    for _ in range(3):
        x, y = rng.normal(size=n), rng.uniform(0.5, 1.5)
        found, want = compiled(x, y), f(x, y)
        assert np.asarray(found).tobytes() == np.asarray(want).tobytes()


@pytest.mark.parametrize("n", [1, 15, 16, 17, 31, 33, 70, 700])
def test_orders_with_ties_and_nan(tmp_path, rng, n):
    written = adcore.compile(lambda x: np.argsort(x)).to_c(
        np.ones((3, n)), derivatives=("value",), name="order"
    )
    assert "outputs[0]: whole numbers" in written.header
    library = built(written, tmp_path)
    for _ in range(20):
        x = rng.choice([0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf], (3, n))
        x[0] = rng.normal(size=n)
        failed, (found,) = called(written, library, "value", [x], [(3, n)])
        assert failed == -1
        assert np.array_equal(found, np.argsort(x, axis=1, kind="stable"))


def test_an_index_out_of_bounds_is_a_decision(tmp_path):
    written = adcore.compile(lambda x: x[(x > 0).sum()]).to_c(
        np.array([1.0, -1.0]), derivatives=("value",), name="at"
    )
    library = built(written, tmp_path)
    assert called(written, library, "value", [np.array([1.0, -1.0])], [()]) == (-1, [-1.0])
    assert called(written, library, "value", [np.array([1.0, 1.0])], [()])[0] == 0


def test_rules_cannot_be_written():
    with pytest.raises(TapeError, match=r"cannot be written as C: .*test_to_c\.py:\d+ in"):
        adcore.compile(rule_of).to_c(np.ones(3), derivatives=("value",))
    with pytest.raises(TapeError, match=r"searchsorted .* as C: .*test_to_c\.py:\d+ in places"):
        adcore.compile(places).to_c(np.ones(3), derivatives=("value",))
    with pytest.warns(RuntimeWarning, match=r"rule_of with backend=.c. is run by the interpreter"):
        assert adcore.compile(rule_of, backend="c")(np.ones(3)) == 6.0


# ---- backend="c" ----


@pytest.mark.parametrize("f", [rosenbrock, steps_of(50), mixed, ordered])
def test_backend_agrees_with_the_interpreter(f, rng):
    x = rng.uniform(0.2, 0.9, 3 if f.__name__ == "pendulum" else 20)
    v = rng.uniform(-1, 1, len(x))
    native, plain = adcore.compile(f, backend="c"), adcore.compile(f)
    for _ in range(3):
        a, b = native.value_and_grad(x), plain.value_and_grad(x)
        np.testing.assert_allclose(a[0], b[0], rtol=1e-14)
        np.testing.assert_allclose(a[1], b[1], rtol=1e-12, atol=1e-14)
        for c, d in zip(native.hvp((x,), (v,)), plain.hvp((x,), (v,)), strict=True):
            np.testing.assert_allclose(c, d, rtol=1e-11, atol=1e-13)
        x = x + 0.01


def test_where_no_function_of_the_library_is_called_the_bits_agree(rng):
    x = rng.uniform(-1, 1, 3000)
    value, gradient = adcore.compile(rosenbrock, backend="c").value_and_grad(x)
    expected = adcore.compile(rosenbrock).value_and_grad(x)
    assert value == expected[0]
    assert (gradient == expected[1]).all()


def test_branches_are_found_by_the_backend():
    @adcore.compile(backend="c")
    def f(x):
        if x[0] > 1.0:
            return x[0] ** 3 * x[1]
        return adcore.sin(x[0]) + x[1]

    for a in (0.5, 2.0, 0.25, 3.0):
        x = np.array([a, 0.7])
        expected = a**3 * 0.7 if a > 1 else np.sin(a) + 0.7
        np.testing.assert_allclose(f(x), expected, rtol=1e-15)
        expected = [3 * a * a * 0.7, a**3] if a > 1 else [np.cos(a), 1.0]
        np.testing.assert_allclose(f.grad(x), expected, rtol=1e-15)


def test_libraries_are_kept(cache, monkeypatch):
    x = np.linspace(0, 1, 7)
    adcore.compile(rosenbrock, backend="c")(x)
    (library,) = cache.iterdir()
    monkeypatch.setattr(_native, "_run", None)  # no compiler can be run any more
    assert adcore.compile(rosenbrock, backend="c")(x) == adcore.compile(rosenbrock)(x)
    assert list(cache.iterdir()) == [library]


def test_a_damaged_library_is_built_again(cache):
    source = "int program(void) { return 7; }\n"
    script = f"from adcore import _native; print(_native.load({source!r}).program())"
    for content in (None, b"no library", b""):
        if content is not None:
            (library,) = cache.iterdir()
            library.write_bytes(content)
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert done.stdout == "7\n"
    assert _native.load(source).program() == 7  # what is there now is good


def test_without_a_cache_libraries_are_built_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    x = np.array([0.5, 1.0, 0.25])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f = adcore.compile(rosenbrock, backend="c")
        np.testing.assert_array_equal(f.grad(x), adcore.compile(rosenbrock).grad(x))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]  # nothing is left behind


@pytest.mark.parametrize("body", ["exit 0", '[ -z "$out" ] || echo broken > $out'])
def test_a_compiler_that_makes_nothing_of_use_is_told(tmp_path, monkeypatch, body):
    compiler = tmp_path / "mycc"
    compiler.write_text(
        '#!/bin/sh\nwhile [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done\n' + body + "\n"
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    x = np.array([0.5, 1.0])
    with pytest.warns(RuntimeWarning, match="run by the interpreter: what .*mycc made cannot be"):
        value = adcore.compile(rosenbrock, backend="c")(x)
    assert value == adcore.compile(rosenbrock)(x)


def test_a_library_without_the_function_is_told(monkeypatch):
    monkeypatch.setattr(_native, "load", lambda source: ctypes.CDLL(None))
    x = np.array([0.5, 1.0])
    with pytest.warns(RuntimeWarning, match="run by the interpreter: .* made no function"):
        assert adcore.compile(rosenbrock, backend="c")(x) == adcore.compile(rosenbrock)(x)


def test_the_cache_does_not_grow_for_ever(cache, monkeypatch):
    sources = [f"int program(void) {{ return {k}; }}\n" for k in range(4)]
    names = []
    for age, source in zip((100, 300, 200), sources, strict=False):
        before = set(cache.iterdir()) if cache.exists() else set()
        _native.load(source)
        (path,) = set(cache.iterdir()) - before
        os.utime(path, (time.time() - age,) * 2)
        names.append(path)
    abandoned = cache / "tmpabandoned"
    abandoned.mkdir()
    os.utime(abandoned, (time.time() - 2 * _native.ABANDONED,) * 2)
    monkeypatch.setattr(_native, "CACHE_BYTES", 2 * names[0].stat().st_size)
    _native.load(sources[1])  # of use again: the one of source 2 is the oldest now
    _native.load(sources[3])
    assert [path.exists() for path in names] == [False, True, False]
    assert not abandoned.exists()
    assert _native.load(sources[2]).program() == 2


def test_the_processor_is_part_of_a_librarys_name(cache, monkeypatch):
    source = "int program(void) { return 7; }\n"
    _native.load(source)
    command, identity = _native.compiler()
    assert _native._processor() in identity
    monkeypatch.setattr(_native, "compiler", lambda: (command, (*identity[:-1], "flags: other")))
    _native.load(source)
    assert len(list(cache.iterdir())) == 2


# ---- rows ----

ROW_METHODS = {"value": "__call__", "gradient": "grad", "hessian": "hessian"}


def of_arithmetic(r):
    u = r[0] * r[1] + r[2] * r[2]
    f = u * u * r[0] + r[1] / (1 + r[0] * r[0])
    return f * f + u * r[2] - r[0] * r[1] * r[2]


def of_functions(r):
    return np.sin(r[0] * r[1]) + np.exp(-r[2]) * np.sqrt(1 + r[0] * r[0])


def of_sums(r):
    return (np.sin(r) * r).sum() ** 2


def of_zeros(r):
    return (r[0] - 1.0) ** 3 * r[1] / (1.0 + abs(r[2])) + (r * 0.0).sum()


@pytest.mark.parametrize("f", [of_arithmetic, of_functions, of_sums, of_zeros])
@pytest.mark.parametrize("derivative", list(ROW_METHODS))
def test_rows_have_the_bits_of_one_call(f, derivative, rng, monkeypatch):
    maps, by_rows = [], _core.by_rows
    monkeypatch.setattr(_core, "by_rows", lambda *a: maps.append(by_rows(*a)) or maps[-1])
    rows = rng.uniform(0.2, 1.5, (1500, 3))
    rows[::7, 0], rows[::11, 2] = 1.0, 0.0
    native, plain = adcore.compile(f, backend="c"), adcore.compile(f)
    found = native.map(rows, derivative=derivative, threads=1)
    assert [(made.backend, made.lanes > 1) for made in maps] == [(("c", None), True)]
    np.testing.assert_array_equal(native.map(rows, derivative=derivative, threads=3), found)
    np.testing.assert_array_equal(native.map(rows[:5], derivative=derivative), found[:5])
    np.testing.assert_array_equal(native.map(np.asfortranarray(rows), derivative=derivative), found)
    one = getattr(native, ROW_METHODS[derivative])
    for r in (0, 7, 700, 1499):
        np.testing.assert_array_equal(one(rows[r]), found[r])
    expected = plain.map(rows, derivative=derivative, threads=1)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


def test_rows_that_branch_are_found(rng):
    def f(r):
        return r[0] ** 3 if r[0] > r[1] else np.sin(r[1]) * r[0]

    rows = rng.uniform(-1, 1, (700, 2))
    found = adcore.compile(f, backend="c").map(rows, derivative="gradient")
    x, y = rows.T
    expected = np.where(x > y, [3 * x * x, 0 * x], [np.sin(y), x * np.cos(y)]).T
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15)


def test_rows_without_a_compiler_are_run_by_the_interpreter(monkeypatch, rng):
    monkeypatch.setenv("CC", "false")
    rows = rng.uniform(0.2, 1.5, (300, 3))
    with pytest.warns(RuntimeWarning, match="interpreter: false failed"):
        found = adcore.compile(of_functions, backend="c").map(rows)
    np.testing.assert_array_equal(found, adcore.compile(of_functions).map(rows))


def test_without_a_compiler_the_interpreter_serves(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    f = adcore.compile(rosenbrock, backend="c")
    x = np.array([0.5, 1.0, 0.25])
    with pytest.warns(RuntimeWarning, match="no C compiler was found .cc, gcc, clang.*set CC"):
        value = f(x)
    assert value == adcore.compile(rosenbrock)(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once is enough
        np.testing.assert_array_equal(f.grad(x), adcore.compile(rosenbrock).grad(x))


def test_a_compiler_that_fails_is_quoted(monkeypatch):
    monkeypatch.setenv("CC", "false")
    with pytest.warns(RuntimeWarning, match="interpreter: false failed"):
        adcore.compile(rosenbrock, backend="c")(np.array([0.5, 1.0]))


def of_many_steps(x):
    """1300 steps that do not repeat themselves, without sums."""
    state, values = 1, [x[0], x[1], x[2]]
    for _ in range(1300):
        state = (state * 1103515245 + 12345) % 2**31
        a, b, op = values[-1 - state // 64 % 3], values[-1 - state // 512 % 3], state // 4096 % 4
        values.append((a * 0.5 - b, a * b, np.sin(a), a / (2 + b * b))[op])
    return values[-1]


def test_long_rows_of_statements_are_cut(tmp_path, monkeypatch):
    x = np.array([0.3, 0.7, 0.2])
    plain = adcore.compile(of_many_steps)
    written = plain.to_c(x, derivatives=("value",), name="many")
    assert written.source.count("AD_APART static ") == 2
    run = built(written, tmp_path).many_value
    (program,) = {path.program for path in plain._by_key[next(iter(plain._by_key))].listed()}
    out = np.empty(())
    work = np.empty(program.as_c("many")[1] + 1)
    pointers = [ctypes.c_void_p * 1] * 2
    inputs, outputs = pointers[0](x.ctypes.data), pointers[1](out.ctypes.data)
    assert run(inputs, outputs, ctypes.c_void_p(work.ctypes.data)) == -1
    np.testing.assert_allclose(out, of_many_steps(x), rtol=1e-13)
    monkeypatch.setattr(_native, "MOST_PARTS", 1)
    with pytest.warns(RuntimeWarning, match="by the interpreter: .* do not repeat themselves"):
        assert adcore.compile(of_many_steps, backend="c")(x) == plain(x)


def test_other_backends_are_refused():
    with pytest.raises(ValueError, match=r"backend must be None or .c., got 'fortran'"):
        adcore.compile(rosenbrock, backend="fortran")


def test_processes_build_the_same_at_the_same_time(cache):
    script = textwrap.dedent("""
        import adcore, numpy as np
        f = adcore.compile(lambda x: (x * np.sin(x)).sum() + x[0] ** 2, backend="c")
        print(repr(float(f(np.linspace(0, 1, 50)))))
    """)
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
        )
        for _ in range(3)
    ]
    found = [run.communicate() for run in runs]
    assert [error for _, error in found] == [""] * 3
    assert len({value for value, _ in found}) == 1
    assert [path.suffix for path in cache.iterdir()] == [".so"]


# ---- random programs ----


def same_by_c(program):
    f, point = program.bind(**adcore.ops.functions), program.point
    plain, native = adcore.compile(f), adcore.compile(f, backend="c")
    argnums = tuple(range(len(point)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(native(*point), plain(*point), rtol=1e-12, atol=1e-13)
        if np.ndim(plain(*point)) == 0:
            found = native.grad(*point, argnums=argnums)
            expected = plain.grad(*point, argnums=argnums)
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@given(scalar_programs())
@examples(12)
def test_scalar_programs(program):
    same_by_c(program)


@given(array_programs())
@examples(12)
def test_array_programs(program):
    same_by_c(program)

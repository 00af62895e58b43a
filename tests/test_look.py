"""What a user can see of a compiled function: summaries, profiles and pictures."""

import inspect
import re
import shutil
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import adcore
from adcore.errors import ShapeError, TapeError

X = np.linspace(0.5, 1.5, 200)

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's dot is not there")


def line_of(f, text):
    """(file, line) of the one line of a function that holds `text`."""
    lines, first = inspect.getsourcelines(f)
    found = [first + i for i, line in enumerate(lines) if text in line]
    assert len(found) == 1
    return inspect.getsourcefile(f), found[0]


def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return total


def branching(x, a):
    if a > 0.0:  # guarded
        return (x * a).sum()
    if (x > 1.0)[3]:
        return x.sum() - a
    return x.sum() + a


def orbit(y):
    a, b = y
    for _ in range(100):
        da = a * (1.0 - b)
        db = b * (adcore.exp(0.5 * a) - 1.0)  # costly
        a = a + 0.01 * da
        b = b + 0.001 * db
    return a * b


# ---- summaries ----


def test_summary_says_that_nothing_is_recorded():
    f = adcore.compile(rosenbrock)
    found = f.summary()
    assert found.kinds == []
    assert "compiled rosenbrock: not recorded yet" in str(found)
    assert repr(found) == str(found)


def test_summary_of_a_loop():
    f = adcore.compile(rosenbrock)
    f(X)
    f.grad(X)
    [kind] = f.summary().kinds
    [path] = kind.paths
    assert (kind.arguments, kind.recorded, kind.settled) == ("array (200,)", 1, True)
    assert path.guards == []
    value, grad = path.programs
    assert (value.name, grad.name) == ("value", "grad by input 0")
    assert value.input_shapes == grad.input_shapes == grad.output_shapes == [(200,)]
    assert value.output_shapes == [()]
    # eight scalar instructions in each turn of the loop, all but the first addition wanted
    assert value.passes[0].before[0] > 199 * 7
    assert [p.after for p in value.passes[:-1]] == [p.before for p in value.passes[1:]]
    assert value.passes[-1].after[0] == value.instructions < 20
    assert any(p.name == "re-rolling" and p.before[0] > 50 * p.after[0] for p in value.passes)
    assert value.rolled > 199 * 6
    assert 1 <= value.vectors <= 12
    # the squares of differences, and the sum of all terms
    assert value.ops["square"][1] >= 1
    assert value.ops["square"][2] >= 2 * 199
    assert sum(value.left.values()) == sum(value.scalars_at.values()) == 0
    assert value.steps["groups"] >= 1
    assert value.steps["elements"] >= 199
    assert all(n > 0 for n in value.nbytes.values())
    text = str(f.summary())
    for part in (
        "re-rolling",
        "re-rolled: 1 ",
        "plan: ",
        "memory: plan ",
        "grad by input 0: (200,)",
    ):
        assert part in text


def test_summary_tells_why_and_where_scalars_are_left():
    f = adcore.compile(orbit)
    f([1.0, 0.5])
    [program] = f.summary().kinds[0].paths[0].programs
    assert program.left
    assert sum(program.left.values()) == sum(scalars for scalars, _, _ in program.ops.values())
    assert sum(program.scalars_at.values()) == sum(program.left.values())
    assert program.scalars_at[line_of(orbit, "# costly")] >= 300
    [reason] = program.left
    n = f"{program.left[reason]:,}".replace(",", " ")
    assert f"not re-rolled: {n} scalars: {reason}" in str(f.summary())
    assert "scalars at: " in str(f.summary())


def test_summary_shows_guards_and_paths():
    f = adcore.compile(branching)
    f(X, 2.0)
    f(X, 3.0)
    f(X, -1.0)
    f(X[::-1].copy(), -1.0)
    f(X[:10], 1.0)
    by_shape = {kind.arguments: kind for kind in f.summary().kinds}
    assert set(by_shape) == {"array (200,), float", "array (10,), float"}
    kind = by_shape["array (200,), float"]
    assert kind.recorded == len(kind.paths) == 3
    file, line = line_of(branching, "# guarded")
    for path in kind.paths:
        guard = path.guards[0]
        assert (guard.kind, guard.file, guard.line) == ("truth", file, line)
        assert guard.function.endswith("branching")
    assert [bool(p.guards[0].expected[0]) for p in kind.paths] == [True, False, False]
    assert [len(p.guards) for p in kind.paths] == [1, 2, 2]
    assert kind.paths[0].where == "the first that was taken"
    assert re.fullmatch(rf"where \S*test_look.py:{line} sees truth, False", kind.paths[1].where)
    assert re.search(
        rf"guard 0: \S*test_look.py:{line} in branching: truth, True", str(f.summary())
    )


def test_summary_counts_recordings_of_paths_that_were_dropped():
    f = adcore.compile(lambda x: x * float(np.floor(x.item())), max_paths=2)
    for x in (1.5, 2.5, 3.5, 4.5):
        f(np.array(x))
    [kind] = f.summary().kinds
    assert kind.recorded == 4
    assert len(kind.paths) == 2
    assert kind.paths[0].guards[0].kind == "value"


def test_summary_of_a_function_that_does_not_settle():
    f = adcore.compile(lambda x: x * x[0].item())
    f(np.ones(1))
    assert f.summary().kinds[0].settled
    with pytest.warns(RuntimeWarning, match="recorded anew"):
        list(map(f, np.linspace(-1.0, 1.0, 200).reshape(200, 1)))
    [kind] = f.summary().kinds
    assert not kind.settled
    assert "run by Python at every call" in str(f.summary())
    with pytest.raises(TapeError, match="does not settle"):
        f.profile(np.ones(1))


def test_summary_names_arguments_of_every_kind():
    def f(tree, n, values, scale=1.0):
        return tree["a"] * n + values[0] * scale

    g = adcore.compile(f)
    g({"a": 2.0}, 3, [1.0, 2.0], scale=np.float64(2.0))
    [kind] = g.summary().kinds
    assert kind.arguments == "container of float, 3, list of 2 floats, scale=float"


def test_summary_follows_derivatives_of_derivatives():
    f = adcore.compile(rosenbrock)
    f.hvp((X,), (X,))
    names = [p.name for p in f.summary().kinds[0].paths[0].programs]
    assert names == ["value", "grad by input 0", "value_and_jvp of grad by input 0 by input 0"]


# ---- profiles ----


def check_sums(profile):
    for k, timing in enumerate(profile.timings):
        assert timing.seconds > 0
        total = timing.ends + sum(line.seconds[k] for line in profile.lines)
        assert total == pytest.approx(timing.seconds, rel=1e-9)


def test_profile_adds_up_and_names_the_lines():
    f = adcore.compile(rosenbrock)
    found = f.profile(X, repeat=20)
    check_sums(found)
    assert [t.name for t in found.timings] == ["value", "value_and_grad"]
    assert [t.rounds for t in found.timings] == [20, 20]
    file, line = line_of(rosenbrock, "total +=")
    first = found.lines[0]
    assert (first.file, first.line) == (file, line)
    assert first.source == "total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2"
    assert first.function.endswith("rosenbrock")
    # all that it computes is on that line, adjoints that are added up included
    assert all(
        t > 0.5 * timing.seconds for t, timing in zip(first.seconds, found.timings, strict=True)
    )
    assert all(found.lines[0].file == file for line in found.lines)
    text = str(found)
    assert first.source in text
    assert "value_and_grad" in text
    assert "(inputs read, guards checked, outputs written)" in text


def test_profile_finds_the_costly_line_of_scalars():
    f = adcore.compile(orbit)
    found = f.profile([1.0, 0.5], derivative="grad", repeat=50)
    check_sums(found)
    assert (found.lines[0].file, found.lines[0].line) == line_of(orbit, "# costly")
    times = {line.source.partition("  #")[0]: line.seconds[0] for line in found.lines}
    costly = times["db = b * (adcore.exp(0.5 * a) - 1.0)"]
    others = [t for text, t in times.items() if text.startswith(("da =", "a =", "b ="))]
    assert len(others) == 3
    # three cheap ops and an exponential against two cheap ops
    assert costly > 1.5 * max(others)
    assert max(others) < 4 * min(others)


def test_profile_shares_a_group_by_the_work_of_its_lines():
    @adcore.compile
    def f(x):
        y = adcore.sin(adcore.exp(adcore.sin(x)))  # costly
        z = x + 1.0  # cheap
        return y * z

    x = np.linspace(0.0, 1.0, 50_000)
    found = f.profile(x, derivative=(), repeat=10)
    check_sums(found)
    assert len(found.timings) == 1
    times = {line.source.partition("  # ")[2]: line.seconds[0] for line in found.lines}
    assert times["costly"] > 5 * times["cheap"] > 0


def test_profile_of_a_single_is_that_of_its_line():
    @adcore.compile
    def f(a, w):
        z = a @ w  # product
        return z.sum()

    rng = np.random.default_rng(0)
    found = f.profile(rng.random((400, 300)), rng.random((300, 100)), argnums=1, repeat=3)
    check_sums(found)
    assert found.lines[0].source == "z = a @ w  # product"
    assert found.lines[0].seconds[0] > 0.8 * found.timings[0].seconds


def test_profile_is_near_the_time_of_a_call():
    """The time of a run is what a call takes, but for what Python does around it."""
    f = adcore.compile(lambda x: adcore.sin(adcore.exp(x)).sum())
    x = np.linspace(0.0, 1.0, 100_000)
    f(x)
    inside = f.profile(x, derivative=(), repeat=20).timings[0].seconds
    calls = []
    for _ in range(20):
        start = time.perf_counter()
        f(x)
        calls.append(time.perf_counter() - start)
    assert 0.3 * min(calls) < inside < 2 * min(calls)


@pytest.mark.parametrize(
    "derivative",
    [
        "grad",
        "value_and_grad",
        "hessian",
        "value_grad_and_hessian",
        "jacobian",
        "jvp",
        "vjp",
        "hvp",
    ],
)
def test_profile_and_plot_of_every_derivative(derivative):
    f = adcore.compile(rosenbrock)
    found = f.profile(X[:8], derivative=derivative, repeat=3)
    check_sums(found)
    assert found.timings[1].name == derivative
    assert f.plot(args=(X[:8],), derivative=derivative).startswith("digraph")


def test_profile_of_results_that_are_no_number_is_that_of_vjp():
    f = adcore.compile(lambda x: (x * x, x.sum()))
    assert [t.name for t in f.profile(X, repeat=3).timings] == ["value", "vjp"]
    with pytest.raises(ShapeError, match=r"returned a container"):
        f.profile(X, derivative="grad")


def test_profile_of_a_constant_has_no_derivative():
    f = adcore.compile(lambda x: 3.0)
    found = f.profile(X, repeat=3)
    assert [t.name for t in found.timings] == ["value"]
    assert found.lines == ()
    check_sums(found)


def test_profile_leaves_results_as_they_were():
    f = adcore.compile(orbit)
    before = f([1.0, 0.5]), f.grad([1.0, 0.5])
    f.profile([0.3, 0.9], repeat=3)
    assert (f([1.0, 0.5]), f.grad([1.0, 0.5])) == before


def test_profile_checks_what_it_is_given():
    f = adcore.compile(rosenbrock)
    with pytest.raises(ValueError, match=r"derivative is one of grad, .* not 'gradient'"):
        f.profile(X, derivative="gradient")
    with pytest.raises(ValueError, match="at least 1; not 0"):
        f.profile(X, repeat=0)
    with pytest.raises(TypeError, match="plain numbers and arrays"):
        adcore.grad(lambda x: f.profile(x) and 0.0)(X)


def test_profile_of_a_rule_in_python():
    @adcore.custom_vjp
    def slow(x):
        time.sleep(0.002)
        return x * x

    slow.defvjp(lambda x: (slow(x), x), lambda x, g: (2.0 * x * g,))

    @adcore.compile
    def f(x):
        y = slow(x)  # called
        return y.sum()

    found = f.profile(X, derivative=(), repeat=3)
    check_sums(found)
    assert found.lines[0].source == "y = slow(x)  # called"
    assert found.timings[0].seconds > 0.002


# ---- pictures ----


def edges(text):
    return re.findall(r"^  (n\d+) -> (n\d+)", text, re.MULTILINE)


def labels(text):
    return dict(re.findall(r'^  (n\d+) \[label="((?:[^"\\]|\\.)*)"', text, re.MULTILINE))


def test_plot_is_the_graph_of_the_program():
    @adcore.compile
    def f(x, y):
        return adcore.sin(x) * y

    with pytest.raises(TapeError, match="not recorded yet"):
        f.plot()
    f(X, 2.0)
    text = f.plot()
    assert isinstance(text, str)
    assert text.nodes == "instruction"
    names = {label.split("\\n")[0]: node for node, label in labels(text).items()}
    sin, mul = "sin \N{MULTIPLICATION SIGN}200", "mul \N{MULTIPLICATION SIGN}200"
    assert set(names) == {"input 0", "input 1", sin, mul, "output 0"}
    assert sorted(edges(text)) == sorted(
        [
            (names["input 0"], names[sin]),
            (names[sin], names[mul]),
            (names["input 1"], names[mul]),
            (names[mul], names["output 0"]),
        ]
    )
    assert "test_look.py" in labels(text)[names[sin]]


def test_plot_shows_guards_and_quotes_what_it_must():
    f = adcore.compile(branching)
    f(X, 2.0)
    text = f.plot()
    [guard] = [node for node, label in labels(text).items() if label.startswith("truth, True")]
    assert any(to == guard for _, to in edges(text))
    namespace = {}
    code = 'def g(x):\n    return x * {"a\\\\": 2.0}["a\\\\"]\n'
    exec(compile(code, 'a "file" \\ of.py', "exec"), namespace)
    g = adcore.compile(namespace["g"])
    g(X)
    assert r"a \"file\" \\ of.py:2" in g.plot()


def test_plot_folds_large_programs_by_line():
    f = adcore.compile(orbit)
    f([1.0, 0.5])
    text = f.plot()
    assert text.nodes == "line"
    found = labels(text)
    assert len(found) < 12
    [costly] = [label for label in found.values() if "db = b * (adcore.exp(" in label]
    assert f"test_look.py:{line_of(orbit, '# costly')[1]}" in costly
    assert "exp 100" in costly
    assert all(a != b for a, b in edges(text))


def test_plot_folds_by_function_what_has_many_lines(tmp_path):
    body = "\n".join(f"    a, b = 0.5 * a + {k}.0 * b, a * b" for k in range(400))
    file = tmp_path / "many.py"
    file.write_text(f"def many(x):\n    a, b = x\n{body}\n    return a * b\n")
    namespace = {}
    exec(compile(file.read_text(), str(file), "exec"), namespace)
    f = adcore.compile(namespace["many"])
    f([0.25, 0.5])
    text = f.plot()
    assert text.nodes == "function"
    assert any(label.startswith("many\\n") for label in labels(text).values())


def test_plot_writes_by_suffix(tmp_path):
    f = adcore.compile(orbit)
    f([1.0, 0.5])
    text = f.plot(tmp_path / "f.dot")
    assert (tmp_path / "f.dot").read_text(encoding="utf-8") == text
    with pytest.raises(ValueError, match=r"written as .*\.svg.*, not as 'f.jpeg'"):
        f.plot(tmp_path / "f.jpeg")
    with pytest.raises(TypeError, match="needs args"):
        f.plot(derivative="grad")


def test_plot_without_graphviz_says_what_to_install(tmp_path, monkeypatch):
    f = adcore.compile(orbit)
    f([1.0, 0.5])
    monkeypatch.setenv("PATH", str(tmp_path))
    text = f.plot(str(tmp_path / "f.gv"))
    assert (tmp_path / "f.gv").read_text(encoding="utf-8") == text
    assert text._repr_svg_() is None
    for end in ("svg", "png", "pdf"):
        with pytest.raises(FileNotFoundError, match="install the package graphviz"):
            f.plot(tmp_path / f"f.{end}")


@needs_dot
@pytest.mark.parametrize("f", [rosenbrock, branching, orbit])
def test_plot_is_drawn(f, tmp_path):
    g = adcore.compile(f)
    args = {"rosenbrock": (X,), "branching": (X, 1.0), "orbit": ([1.0, 0.5],)}[f.__name__]
    text = g.plot(tmp_path / "f.png", args=args)
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")
    svg = text._repr_svg_()
    assert svg.count('class="node"') == len(labels(text))
    assert svg.count('class="edge"') == len(edges(text))


def test_looking_leaves_graphviz_alone():
    """Nothing of it is looked for before a picture is drawn."""
    code = textwrap.dedent("""
        import shutil, subprocess
        shutil.which = subprocess.run = None
        import adcore
        f = adcore.compile(lambda x: x * x)
        f(2.0), str(f.summary()), str(f.profile(2.0, repeat=3)), str(f.plot())
    """)
    subprocess.run([sys.executable, "-c", code], check=True)

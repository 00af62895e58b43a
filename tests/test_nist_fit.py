"""The demo: fits to the last certified digit, and everything it prints, draws and returns."""

import io
import json
import sys

import numpy as np
import pytest

import nist_fit
import nist_models

PROBLEMS = {problem.name: problem for problem in nist_models.load_all()}


@pytest.mark.parametrize("start", [1, 2])
@pytest.mark.parametrize("name", PROBLEMS)
def test_fit_reaches_the_certified_values(name, start):
    problem = PROBLEMS[name]
    found = nist_fit.fit(problem, problem.starts[start - 1])
    digits = nist_fit.score(problem, found)
    assert {kind: round(value, 1) for kind, value in digits.items() if value < 10} == {}
    assert found.deviations == pytest.approx(np.linalg.norm(found.root, axis=1), rel=1e-12)


def test_hessian_of_plain_python_agrees():
    problem = PROBLEMS["Nelson"]  # the only one with two predictors
    times = nist_fit.time_hessians(problem, problem.starts[0])
    assert all(second > 0 for second in times)


def test_hessian_of_plain_python_that_differs_stops_the_demo(monkeypatch):
    problem = PROBLEMS["Misra1a"]
    double = nist_fit.half_rss_in_python(PROBLEMS["Misra1b"])
    monkeypatch.setattr(nist_fit, "half_rss_in_python", lambda _: double)
    with pytest.raises(AssertionError, match="Misra1a: the Hessians differ"):
        nist_fit.time_hessians(problem, problem.parameters)


@pytest.mark.parametrize(
    ("value", "digits"),
    [([1.0, 2.0], 11), ([1.001, 2.0], 3), ([1.0, -2.0], 0), ([np.nan, 2.0], 0)],
)
def test_correct_digits(value, digits):
    assert nist_fit.correct_digits(value, np.array([1.0, 2.0])) == pytest.approx(digits)


def test_band_is_the_variance_of_the_curve():
    """For a straight line the band has a closed form."""
    problem = PROBLEMS["Misra1a"]
    line = nist_models.Problem(
        "line", lambda b, x: b[0] + b[1] * x, problem.observations, False, *[np.ones(2)] * 3, 1, 1
    )
    found = nist_fit.fit(line, [1.0, 1.0])
    y, x = line.read()
    slope, offset = np.polyfit(x, y, 1)
    assert found.parameters == pytest.approx([offset, slope], rel=1e-11)
    n, mean = len(x), x.mean()
    at = np.array([0.0, mean, 1000.0])
    variance = found.rss / (n - 2) * (1 / n + (at - mean) ** 2 / np.sum((x - mean) ** 2))
    curve, half_width = nist_fit.band(line, found, at)
    assert curve == pytest.approx(offset + slope * at, rel=1e-11)
    assert half_width == pytest.approx(2.1788128296634177 * np.sqrt(variance), rel=1e-9)  # t, 12


def test_demo_prints_writes_and_succeeds(capsys, tmp_path):
    assert nist_fit.main(["Misra1a", "DanWood", "--json", str(tmp_path / "table.json")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith(("Misra1a ", "DanWood ")) for line in lines) == 4
    assert any(line.startswith("4 fits in ") and line.endswith(", 0 fall short") for line in lines)
    rows = json.loads((tmp_path / "table.json").read_text())
    assert [(row["problem"], row["start"]) for row in rows] == [
        ("Misra1a", 1), ("Misra1a", 2), ("DanWood", 1), ("DanWood", 2)
    ]  # fmt: skip
    assert all(row["digits"]["deviations"] > 10 for row in rows)


@pytest.mark.parametrize("kind", nist_fit.LIMITS)
def test_demo_fails_if_digits_are_missing(kind, capsys, monkeypatch):
    monkeypatch.setitem(nist_fit.LIMITS, kind, 12.0)
    assert nist_fit.main(["Misra1a"]) == 1
    assert "2 fall short: Misra1a start 1, Misra1a start 2" in capsys.readouterr().out


def test_demo_fails_if_a_fit_does(capsys, monkeypatch):
    def no_fit(*_):
        raise np.linalg.LinAlgError("not a minimum")

    monkeypatch.setattr(nist_fit, "fit", no_fit)
    assert nist_fit.main(["Misra1a"]) == 1
    assert "no fit: not a minimum" in capsys.readouterr().out


def test_picture(capsys, tmp_path):
    pytest.importorskip("matplotlib")
    file = tmp_path / "new" / "fits.png"
    assert nist_fit.main(["Misra1a", "Nelson", "--plot", str(file)]) == 0
    assert file.read_bytes().startswith(b"\x89PNG")
    assert f"written: {file}" in capsys.readouterr().out


def test_picture_without_matplotlib_says_what_to_install(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert nist_fit.main(["Misra1a", "--plot", str(tmp_path / "fits.png")]) == 0
    assert "pip install adcore[plot]" in capsys.readouterr().out


def test_progress_is_drawn_on_a_terminal_only(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        progress = nist_fit.Progress(4)
        progress.done = 1
        progress.show("Rat42")
        bar = "[" + "#" * 10 + "." * 30 + "] 1/4 Rat42"
        assert (bar in stream.getvalue()) == stream.isatty()

"""The NIST problems: the files are read whole, and the models are those of the files."""

from decimal import Decimal

import numpy as np
import pytest

import nist_models

PROBLEMS = {problem.name: problem for problem in nist_models.load_all()}


def test_every_file_has_a_model_and_every_model_a_file():
    assert len(PROBLEMS) == 27
    assert set(PROBLEMS) == set(nist_models.MODELS)


@pytest.mark.parametrize("name", PROBLEMS)
def test_certified_values_belong_together(name):
    """The model at the certified parameters gives the certified sum: parser and model are right."""
    problem = PROBLEMS[name]
    rss = np.sum(problem.residuals()(problem.parameters) ** 2)
    if name == "Lanczos1":  # 1.4e-25: below what the 11 digits of its parameters can give
        assert rss < 1e-20
    else:
        assert rss == pytest.approx(problem.rss, rel=1e-9)
    deviation = np.sqrt(problem.rss / problem.degrees_of_freedom)
    assert deviation == pytest.approx(problem.residual_deviation, rel=1e-10)


def test_fields_of_one_file():
    problem = PROBLEMS["Bennett5"]
    assert problem.starts.tolist() == [[-2000, 50, 0.8], [-1500, 45, 0.85]]
    assert problem.parameters.tolist() == [-2523.5058043, 46.736564644, 0.93218483193]
    assert problem.deviations.tolist() == [297.15175411, 1.2448871856, 0.020272299378]
    assert problem.rss == 5.2404744073e-04
    assert problem.degrees_of_freedom == 151
    assert problem.observations[0] == ("-34.834702E0", "7.447168E0")
    y, x = problem.read()
    assert (y.shape, x.shape, y[0], x[-1]) == ((154,), (154,), -34.834702, 12.27224)


def test_response_modelled_as_a_logarithm_of_two_predictors():
    problem = PROBLEMS["Nelson"]
    y, (time, temperature) = problem.read()
    assert [p.name for p in PROBLEMS.values() if p.log_response] == ["Nelson"]
    assert (y[0], time[-1], temperature[-1]) == (np.log(15.0), 64.0, 275.0)


def test_data_are_read_as_any_number():
    y, x = PROBLEMS["Lanczos1"].read(Decimal)
    assert (y[0], x[1]) == (Decimal("2.5134"), Decimal("0.05"))
    assert y[23] == Decimal("6.239312536719E-02")  # not the float nearest to it


def test_a_file_cut_short_is_refused(tmp_path):
    lines = (nist_models.FOLDER / "Rat42.dat").read_text().splitlines()
    (tmp_path / "Rat42.dat").write_text("\n".join(lines[:-2]))
    with pytest.raises(ValueError, match=r"Rat42\.dat states 9 observations, but 7 were read"):
        nist_models.load("Rat42", tmp_path)


def test_a_file_without_its_header_is_refused(tmp_path):
    lines = (nist_models.FOLDER / "Rat42.dat").read_text().splitlines()
    (tmp_path / "Rat42.dat").write_text("\n".join(lines[40:]))
    with pytest.raises(ValueError, match="no line 'Starting Values"):
        nist_models.load("Rat42", tmp_path)

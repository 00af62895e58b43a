"""The 27 NIST reference problems of nonlinear regression: their files and their models.

Each model is an ordinary NumPy function `model(b, x)` of the parameters and the predictor, written
as the problem's file states it.  Nothing here knows about differentiation: the same functions run
on floats, arrays, tracked tensors and arrays of any number class.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "nist"

MODELS = {}  # problem name -> model(b, x)


def model_of(*names):
    """Enter the decorated function as the model of the problems `names`."""

    def enter(model):
        MODELS.update(dict.fromkeys(names, model))
        return model

    return enter


@model_of("Bennett5")
def shifted_power(b, x):
    """Magnetisation of a superconductor against log(minutes)."""
    return b[0] * (b[1] + x) ** (-1 / b[2])


@model_of("BoxBOD", "Misra1a")
def saturating_exponential(b, x):
    """Oxygen demand against days; volume adsorbed against pressure."""
    return b[0] * (1 - np.exp(-b[1] * x))


@model_of("Chwirut1", "Chwirut2")
def damped_hyperbola(b, x):
    """Ultrasonic response against distance in metal."""
    return np.exp(-b[0] * x) / (b[1] + b[2] * x)


@model_of("DanWood")
def power(b, x):
    """Energy radiated by a carbon filament against its temperature."""
    return b[0] * x ** b[1]


@model_of("ENSO")
def three_cycles(b, x):
    """Air pressure difference between Easter Island and Darwin against months."""
    year, nino, southern = 2 * np.pi * x / 12, 2 * np.pi * x / b[3], 2 * np.pi * x / b[6]
    return (
        b[0]
        + b[1] * np.cos(year) + b[2] * np.sin(year)
        + b[4] * np.cos(nino) + b[5] * np.sin(nino)
        + b[7] * np.cos(southern) + b[8] * np.sin(southern)
    )  # fmt: skip


@model_of("Eckerle4")
def bell(b, x):
    """Transmittance against wavelength."""
    return b[0] / b[1] * np.exp(-0.5 * ((x - b[2]) / b[1]) ** 2)


@model_of("Gauss1", "Gauss2", "Gauss3")
def two_bells_on_exponential(b, x):
    """Two Gaussians on a decaying baseline."""
    return (
        b[0] * np.exp(-b[1] * x)
        + b[2] * np.exp(-((x - b[3]) ** 2) / b[4] ** 2)
        + b[5] * np.exp(-((x - b[6]) ** 2) / b[7] ** 2)
    )


@model_of("Hahn1", "Thurber")
def cubic_over_cubic(b, x):
    """Thermal expansion of copper against kelvin; electron mobility against log(density)."""
    return (b[0] + b[1] * x + b[2] * x**2 + b[3] * x**3) / (
        1 + b[4] * x + b[5] * x**2 + b[6] * x**3
    )


@model_of("Kirby2")
def quadratic_over_quadratic(b, x):
    """Scanning electron microscope line width standards."""
    return (b[0] + b[1] * x + b[2] * x**2) / (1 + b[3] * x + b[4] * x**2)


@model_of("Lanczos1", "Lanczos2", "Lanczos3")
def three_exponentials(b, x):
    """A sum of decays, nearly degenerate."""
    return b[0] * np.exp(-b[1] * x) + b[2] * np.exp(-b[3] * x) + b[4] * np.exp(-b[5] * x)


@model_of("MGH09")
def kowalik_osborne(b, x):
    """Rate of an enzyme reaction."""
    return b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3])


@model_of("MGH10")
def thermistor(b, x):
    """Resistance of a thermistor against temperature."""
    return b[0] * np.exp(b[1] / (x + b[2]))


@model_of("MGH17")
def constant_and_two_exponentials(b, x):
    """Two decays above a constant."""
    return b[0] + b[1] * np.exp(-x * b[3]) + b[2] * np.exp(-x * b[4])


@model_of("Misra1b")
def saturating_square(b, x):
    """Volume adsorbed against pressure."""
    return b[0] * (1 - (1 + b[1] * x / 2) ** -2)


@model_of("Misra1c")
def saturating_root(b, x):
    """Volume adsorbed against pressure."""
    return b[0] * (1 - (1 + 2 * b[1] * x) ** -0.5)


@model_of("Misra1d")
def saturating_hyperbola(b, x):
    """Volume adsorbed against pressure."""
    return b[0] * b[1] * x * (1 + b[1] * x) ** -1


@model_of("Nelson")
def log_of_breakdown(b, x):
    """log(breakdown strength) against weeks and degrees Celsius."""
    time, temperature = x
    return b[0] - b[1] * time * np.exp(-b[2] * temperature)


@model_of("Rat42")
def logistic_growth(b, x):
    """Pasture yield against growing time."""
    return b[0] / (1 + np.exp(b[1] - b[2] * x))


@model_of("Rat43")
def richards_growth(b, x):
    """Dry weight of onions against growing time."""
    return b[0] / (1 + np.exp(b[1] - b[2] * x)) ** (1 / b[3])


@model_of("Roszman1")
def arctangent_step(b, x):
    """Quantum defects of iodine atoms against energy."""
    return b[0] - b[1] * x - np.arctan(b[2] / (x - b[3])) / np.pi


@dataclass(frozen=True)
class Problem:
    """One problem: n observations of a response, a model with p parameters, the certified fit."""

    name: str
    model: object  # model(b, x), from MODELS
    observations: tuple  # n rows (y, x) or (y, x1, x2) of decimal strings, as in the file
    log_response: bool  # the model describes log(y)
    starts: np.ndarray  # (2, p)
    parameters: np.ndarray  # (p,) certified, 11 digits
    deviations: np.ndarray  # (p,) certified standard deviations of the parameters, 11 digits
    rss: float  # certified residual sum of squares
    residual_deviation: float  # certified: sqrt(rss / degrees_of_freedom)

    @property
    def degrees_of_freedom(self):
        """Counted, n - p, because Rat43.dat states 9 where its own residual deviation says 11."""
        return len(self.observations) - len(self.parameters)

    @property
    def n_predictors(self):
        """1, or 2 for Nelson."""
        return len(self.observations[0]) - 1

    def read(self, number=float):
        """Response (n,) and predictor ((n,), or a pair of them), every value made by `number`.

        `number=float` gives float64 arrays; any other class gives arrays of its instances.
        """
        dtype = float if number is float else object
        columns = [
            np.array([number(text) for text in column], dtype=dtype)
            for column in zip(*self.observations, strict=True)
        ]
        y = np.log(columns[0]) if self.log_response else columns[0]
        return y, columns[1] if self.n_predictors == 1 else tuple(columns[1:])

    def residuals(self, number=float):
        """The function b -> y - model(b, x), with the data read by `number`."""
        y, x = self.read(number)
        return lambda b: y - self.model(b, x)


_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_PARAMETER = re.compile(rf"\s*b(\d+) =\s+({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s*$")


def _line_range(lines, label):
    """Slice of the lines that the header gives as '<label> (lines i to j)', counted from 1."""
    for line in lines[:60]:
        found = re.search(rf"{label}\s+\(lines\s+(\d+)\s+to\s+(\d+)\s*\)", line)
        if found:
            return slice(int(found[1]) - 1, int(found[2]))
    raise ValueError(f"the header has no line '{label} (lines ... to ...)'")


def _field(lines, label):
    """The number after '<label>:'."""
    for line in lines[:60]:
        if line.startswith(label + ":"):
            return float(line.split(":")[1])
    raise ValueError(f"the header has no line '{label}:'")


def load(name, folder=FOLDER):
    """The problem in the file `folder/name.dat`."""
    lines = (Path(folder) / f"{name}.dat").read_text(encoding="ascii").splitlines()
    rows = [_PARAMETER.match(line) for line in lines[_line_range(lines, "Starting Values")]]
    table = np.array([[float(text) for text in row.groups()] for row in rows if row])
    observations = tuple(tuple(line.split()) for line in lines[_line_range(lines, "Data")])
    problem = Problem(
        name=name,
        model=MODELS[name],
        observations=observations,
        log_response=any(line.lstrip().startswith("log[y]") for line in lines[:60]),
        starts=table[:, 1:3].T,
        parameters=table[:, 3],
        deviations=table[:, 4],
        rss=_field(lines, "Residual Sum of Squares"),
        residual_deviation=_field(lines, "Residual Standard Deviation"),
    )
    n_observations = int(_field(lines, "Number of Observations"))
    if len(observations) != n_observations:
        raise ValueError(
            f"{name}.dat states {n_observations} observations, but {len(observations)} were read"
        )
    return problem


def load_all(folder=FOLDER):
    """All problems of the folder, by name."""
    return [load(path.stem, folder) for path in sorted(Path(folder).glob("*.dat"))]

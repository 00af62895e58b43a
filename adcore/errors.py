"""What adcore raises.  Each class is also the built-in that fits, so either may be caught."""

import numpy as np


class ADError(Exception):
    """The parent of all errors of adcore's own."""


class ShapeError(ADError, ValueError):
    """Shapes that do not fit together, or not the operation."""


class DomainError(ADError, ValueError):
    """A value outside of where the operation or its derivative is defined."""


class DegenerateError(ADError, ValueError):
    """A derivative that depends on the choice among the vectors of equal eigenvalues."""


class LinAlgError(ADError, np.linalg.LinAlgError):
    """A matrix that has no inverse, no Cholesky factor or no eigenvalues: NumPy's LinAlgError."""


class TapeError(ADError, RuntimeError):
    """A tensor used where its tape does not allow it: another thread, a changed constant."""


class ConvergenceError(ADError, RuntimeError):
    """An iteration that did not come to its end, so that there is nothing to differentiate."""


class NotDifferentiableError(ADError, TypeError):
    """A tracked value used where its dependence would be lost."""


class NoRuleError(NotDifferentiableError, NotImplementedError):
    """A function that was given no derivative rule, in the mode that is asked for."""


class FormatError(ADError, ValueError):
    """A file of a program that is not in order, or a program that no file can hold."""


class NotRecordedError(ADError, LookupError):
    """A function loaded without its Python code, called in a way that it was not saved for."""

"""SciPy's minimize, least_squares, root and curve_fit with exact derivatives filled in.

Signatures and results are SciPy's; where a derivative is left out it is exact instead of made of
differences.  Solutions are plain numbers: those that are to be differentiated in turn, by what the
problem depends on, come from adcore.scipy.optimize and adcore.implicit.
"""

from ._fits import covariance as covariance
from ._fits import curve_fit as curve_fit
from ._fits import least_squares as least_squares
from ._minimize import minimize as minimize
from ._root import root as root

__all__ = ["covariance", "curve_fit", "least_squares", "minimize", "root"]

"""scipy.interpolate on tensors and duals: every name of SciPy's is here, in one of three states.

- differentiable: a class or a function of this package, a subclass of SciPy's where it is a class,
  in the data, in the nodes and in the argument;
- constant: what depends on nothing that could be a tensor; it is SciPy's own;
- refused: SciPy's own for plain arguments, and an error where a tensor is among them.

`state(name)` tells which.  On plain data SciPy itself interpolates, and plain arguments are left to
it; a tensor may still be asked for at any time.
"""

import inspect as _inspect

import scipy.interpolate as _scipy

from .._surface import named as _named
from .._surface import refuse_inside as _refuse_inside
from .._surface import surface as _surface
from . import _bsplines, _cubic, _grid, _interp1d, _piecewise, _polynomials, _rbf

_differentiable = {
    name: vars(module)[name]
    for module in (_bsplines, _cubic, _grid, _interp1d, _piecewise, _polynomials, _rbf)
    for name in _scipy.__all__
    if name in vars(module)
}
_GRID = "use adcore.scipy.interpolate.RegularGridInterpolator"
_SPLINE = "use adcore.scipy.interpolate.make_interp_spline or CubicSpline"
_SMOOTHING = (
    "its knots follow from the data; choose them, and solve the normal equations of "
    "BSpline.design_matrix"
)
_SCATTERED = "use adcore.scipy.interpolate.RBFInterpolator"
_REMEDIES = {
    **dict.fromkeys(("RectBivariateSpline", "NdBSpline", "NdPPoly", "bisplrep", "bisplev"), _GRID),
    **dict.fromkeys(("interp2d", "BivariateSpline", "SmoothBivariateSpline"), _GRID),
    **dict.fromkeys(("InterpolatedUnivariateSpline", "splprep", "lagrange"), _SPLINE),
    **dict.fromkeys(("BPoly", "insert", "sproot", "spalde", "pade"), _SPLINE),
    **dict.fromkeys(("FloaterHormannInterpolator", "AAA"), _SPLINE),
    **dict.fromkeys(("make_lsq_spline", "LSQUnivariateSpline", "UnivariateSpline"), _SMOOTHING),
    **dict.fromkeys(("make_smoothing_spline", "make_splrep", "make_splprep"), _SMOOTHING),
    **dict.fromkeys(("Rbf", "griddata", "LinearNDInterpolator"), _SCATTERED),
    **dict.fromkeys(("NearestNDInterpolator", "CloughTocher2DInterpolator"), _SCATTERED),
}
_names, state = _surface(
    _scipy,
    _differentiable,
    _named(_scipy, _inspect.ismodule),
    _refuse_inside(_scipy, _REMEDIES),
)
globals().update(_names)
__all__ = [*_names]


def __dir__():
    return [*__all__, "state"]

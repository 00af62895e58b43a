"""A function for each row of the op table. Written by `make stubs`."""

from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._core import Dual, Tensor

Array = NDArray[np.float64]

class _Unary(Protocol):
    @overload
    def __call__(self, x: float, /) -> float: ...
    @overload
    def __call__(self, x: Tensor, /) -> Tensor: ...
    @overload
    def __call__(self, x: Dual, /) -> Dual: ...
    @overload
    def __call__(self, x: ArrayLike, /) -> Array: ...

class _Family(Protocol):
    @overload
    def __call__(self, n: int, x: float, /) -> float: ...
    @overload
    def __call__(self, n: int, x: Tensor, /) -> Tensor: ...
    @overload
    def __call__(self, n: int, x: Dual, /) -> Dual: ...
    @overload
    def __call__(self, n: int, x: ArrayLike, /) -> Array: ...

class _Binary(Protocol):
    def __call__(self, x: Any, z: Any, /) -> Any: ...

class _Ternary(Protocol):
    def __call__(self, x: Any, z: Any, w: Any, /) -> Any: ...

neg: _Unary
abs: _Unary
sign: _Unary
floor: _Unary
ceil: _Unary
trunc: _Unary
rint: _Unary
square: _Unary
reciprocal: _Unary
sqrt: _Unary
cbrt: _Unary
exp: _Unary
exp2: _Unary
expm1: _Unary
log: _Unary
log2: _Unary
log10: _Unary
log1p: _Unary
sin: _Unary
cos: _Unary
tan: _Unary
asin: _Unary
acos: _Unary
atan: _Unary
sinh: _Unary
cosh: _Unary
tanh: _Unary
asinh: _Unary
acosh: _Unary
atanh: _Unary
deg2rad: _Unary
rad2deg: _Unary
erf: _Unary
erfc: _Unary
erfinv: _Unary
erfcinv: _Unary
ndtr: _Unary
ndtri: _Unary
gamma: _Unary
lgamma: _Unary
digamma: _Unary
logistic: _Unary
softplus: _Unary
logit: _Unary
log_expit: _Unary
cosm1: _Unary
log_ndtr: _Unary
entr: _Unary
powi: _Family
polygamma: _Family
sinc: _Family
mills: _Family
erfcx: _Family
add: _Binary
sub: _Binary
mul: _Binary
div: _Binary
pow: _Binary
atan2: _Binary
hypot: _Binary
maximum: _Binary
minimum: _Binary
fmax: _Binary
fmin: _Binary
fmod: _Binary
remainder: _Binary
floor_divide: _Binary
copysign: _Binary
heaviside: _Binary
logaddexp: _Binary
logaddexp2: _Binary
xlogy: _Binary
xlog1py: _Binary
where: _Ternary
clip: _Ternary
fma: _Ternary

functions: dict[str, Any]

__all__ = ['neg', 'abs', 'sign', 'floor', 'ceil', 'trunc', 'rint', 'square', 'reciprocal', 'sqrt', 'cbrt', 'exp', 'exp2', 'expm1', 'log', 'log2', 'log10', 'log1p', 'sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'sinh', 'cosh', 'tanh', 'asinh', 'acosh', 'atanh', 'deg2rad', 'rad2deg', 'erf', 'erfc', 'erfinv', 'erfcinv', 'ndtr', 'ndtri', 'gamma', 'lgamma', 'digamma', 'logistic', 'softplus', 'logit', 'log_expit', 'cosm1', 'log_ndtr', 'entr', 'powi', 'polygamma', 'sinc', 'mills', 'erfcx', 'add', 'sub', 'mul', 'div', 'pow', 'atan2', 'hypot', 'maximum', 'minimum', 'fmax', 'fmin', 'fmod', 'remainder', 'floor_divide', 'copysign', 'heaviside', 'logaddexp', 'logaddexp2', 'xlogy', 'xlog1py', 'where', 'clip', 'fma']

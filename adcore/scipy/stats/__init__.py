"""scipy.stats on tensors and duals."""
from ._normal import *
from ._gamma import *
from ._elementary import *
from ._discrete import *

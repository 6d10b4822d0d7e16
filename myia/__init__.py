"""Automatic differentiation of plain Python and NumPy, by source transformation."""

from myia._runtime import Array, asarray, from_dlpack
from myia.api import Gradient, explain, grad, value_and_grad
from myia.errors import MyiaError
from myia.manual import checkpoint
from myia.optimise import ALL as OPTIMISATIONS
from myia.runtime.tracing import profile

__all__ = [
    "OPTIMISATIONS", "Array", "Gradient", "MyiaError", "asarray", "checkpoint", "explain", "from_dlpack",
    "grad", "profile", "value_and_grad",
]  # fmt: skip
__version__ = "0.1.0"

"""Automatic differentiation of plain Python and NumPy, by source transformation."""

from myia.api import Gradient, explain, grad, value_and_grad
from myia.errors import MyiaError

__all__ = ["Gradient", "MyiaError", "explain", "grad", "value_and_grad"]
__version__ = "0.1.0"

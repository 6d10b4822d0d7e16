"""Contributions added to an adjoint in place, in one pass over memory where there is a kernel.

`x_into(out, ...)` is `out += x(...)` and gives `out`; the cotangent and the operands are those of `x` in
`elementwise.py`. An Array of another dtype or shape, and an ndarray, are added to by NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from myia._runtime import host
from myia.runtime.elementwise import (
    fmax_adjoint,
    fmin_adjoint,
    maximum_adjoint,
    minimum_adjoint,
    quotient,
    tanh_adjoint,
    times,
)

__all__ = [
    "add_into", "fmax_adjoint_into", "fmin_adjoint_into", "maximum_adjoint_into", "minimum_adjoint_into",
    "multiply_add", "multiply_subtract", "quotient_into", "subtract_into", "tanh_adjoint_into", "times_into",
]  # fmt: skip


def add_into(out: Any, a: Any) -> Any:
    """`out += a`."""
    out += a
    return out


def subtract_into(out: Any, a: Any) -> Any:
    """`out -= a`."""
    out -= a
    return out


def multiply_add(out: Any, a: Any, b: Any) -> Any:
    """`out += a * b`, rounded twice."""
    out += np.multiply(a, b)
    return out


def multiply_subtract(out: Any, a: Any, b: Any) -> Any:
    """`out -= a * b`, rounded twice."""
    out -= np.multiply(a, b)
    return out


def _adding(contribution: Callable[..., Any]) -> Callable[..., Any]:
    on_host = host(contribution)

    def into(out: Any, *operands: Any) -> Any:
        out += on_host(*operands)
        return out

    into.__name__ = into.__qualname__ = f"{contribution.__name__}_into"
    into.__doc__ = f"`out += {contribution.__name__}(...)`."
    return into


times_into = _adding(times)
quotient_into = _adding(quotient)
tanh_adjoint_into = _adding(tanh_adjoint)
maximum_adjoint_into = _adding(maximum_adjoint)
minimum_adjoint_into = _adding(minimum_adjoint)
fmax_adjoint_into = _adding(fmax_adjoint)
fmin_adjoint_into = _adding(fmin_adjoint)

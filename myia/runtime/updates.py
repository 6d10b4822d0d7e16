"""Writing in place: what the forward sweep calls, and how the reverse sweep reads what was overwritten."""

from __future__ import annotations

from operator import (
    iadd,
    iand,
    ifloordiv,
    ilshift,
    imatmul,
    imod,
    imul,
    ior,
    ipow,
    irshift,
    isub,
    itruediv,
    ixor,
)
from typing import Any

import numpy as np

from myia._runtime import shares, take_at
from myia.errors import UnsupportedMutation
from myia.runtime.native import ARRAYS

__all__ = [
    "array_only", "castable", "copied_at", "detached", "iadd", "iand", "ifloordiv", "ilshift", "imatmul",
    "imod", "imul", "ior", "ipow", "irshift", "isub", "itruediv", "ixor", "new", "shares", "take_at",
]  # fmt: skip


def array_only(x: Any) -> None:
    """Check that a method called with `out=` is NumPy's. Raises UnsupportedMutation."""
    if not isinstance(x, ARRAYS) or (isinstance(x, np.ndarray) and type(x) is not np.ndarray):
        raise UnsupportedMutation(
            f"a method of a {type(x).__name__} is given out=",
            reason="only those of arrays are known to write their result there",
            remedy="assign the result",
        )


def castable(value: Any, out: Any) -> None:
    """Check that NumPy would write `value` into `out`, given as `out=`: only to a type of the same kind.

    Raises TypeError, as NumPy does.
    """
    if not isinstance(out, ARRAYS):
        raise TypeError("return arrays must be of ArrayType")
    found = np.result_type(value) if not isinstance(value, ARRAYS) else value.dtype
    if not np.can_cast(found, out.dtype, "same_kind"):
        raise TypeError(f"Cannot cast output from {found!r} to {out.dtype!r} with casting rule 'same_kind'")


def copied_at(x: Any, index: Any) -> Any:
    """The elements of an array that `index` selects, in memory of their own."""
    part = x[index]
    return part.copy() if isinstance(part, ARRAYS) and shares(part, x) else part


def detached(x: Any) -> Any:
    """A number as it is; an array in memory of its own, which later writes do not reach."""
    return x.copy() if isinstance(x, ARRAYS) else x


def new(cls: Any) -> Any:
    """An object of a class, before its `__init__`."""
    return cls.__new__(cls)

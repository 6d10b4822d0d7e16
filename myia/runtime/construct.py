"""Making arrays of numbers and of other arrays, and converting them; with their adjoints."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import (
    array,
    asanyarray,
    asarray,
    ascontiguousarray,
    asfortranarray,
    copy,
    full,
    full_like,
    meshgrid,
)

from myia.errors import MissingRule
from myia.runtime.adjoints import unbroadcast, zeros_like

__all__ = [
    "array",
    "array_astype",
    "array_copy",
    "array_item",
    "array_tolist",
    "asanyarray",
    "asarray",
    "ascontiguousarray",
    "asfortranarray",
    "astype_back",
    "copy",
    "elements_back",
    "fill_back",
    "full",
    "full_like",
    "item_back",
    "meshgrid",
    "meshgrid_backward",
    "nested_back",
    "tolist_back",
    "typed",
]

array_astype = np.ndarray.astype
array_copy = np.ndarray.copy
array_item = np.ndarray.item
array_tolist = np.ndarray.tolist


def typed(g: Any, x: Any) -> Any:
    """The adjoint `g` of a scalar result as an array; a Python number takes the dtype of the array `x`."""
    if isinstance(g, np.ndarray):
        return g
    if isinstance(g, np.generic):
        return np.asarray(g)
    dtype = np.asarray(x).dtype
    return np.asarray(g, dtype if dtype.kind == "f" else None)


def nested_back(g: Any, x: Any) -> Any:
    """The adjoint of `x`, an array, a number or nested lists of them, of which an array was made.

    `g` may have more leading axes, of size 1 (`ndmin`). Its dtype becomes that of each array in `x`; of
    an integer, the adjoint is zero if `g` comes from an array of integers.
    """
    if isinstance(x, np.ndarray):
        return astype_back(g, x)
    if isinstance(x, (list, tuple)):
        if isinstance(g, np.ndarray) and g.ndim:
            shape = np.shape(x)
            if g.shape != shape:
                g = g.reshape(shape)
            if len(shape) == 1 and all(isinstance(item, (float, int)) for item in x):
                return g.tolist()
            return [nested_back(part, item) for part, item in zip(g, x, strict=True)]
        return zeros_like(x)
    if isinstance(g, np.ndarray):
        return g.item() if g.dtype.kind == "f" else 0.0
    return g


def astype_back(g: Any, x: Any) -> Any:
    """The adjoint of the array `x` that was converted: `g` in the shape and dtype of `x`.

    A float converted to an integer is a step function: `g` is then zero.
    """
    if not isinstance(g, np.ndarray):
        return np.full(x.shape, g, x.dtype if x.dtype.kind == "f" else None)
    if x.dtype.kind == "f" and g.dtype != x.dtype:
        g = g.astype(x.dtype)
    return g if g.shape == x.shape else g.reshape(x.shape)


def fill_back(g: Any, fill_value: Any) -> Any:
    """The adjoint of what an array was filled with: the sum over all it was broadcast to."""
    if isinstance(fill_value, (list, tuple)):
        return unbroadcast(g, np.asarray(fill_value))
    return unbroadcast(g, fill_value)


def item_back(g: Any, x: Any, index: tuple[Any, ...]) -> Any:
    """The adjoint of the array `x` of which `x.item(*index)` was taken: `g` there, zero elsewhere."""
    d_x = zeros_like(x)
    if not index:
        d_x[...] = g
    elif len(index) == 1 and not isinstance(index[0], tuple):
        d_x[np.unravel_index(range(x.size)[index[0]], x.shape)] = g
    else:
        d_x[index[0] if len(index) == 1 else index] = g
    return d_x


def tolist_back(g: Any, x: Any) -> Any:
    """The adjoint of the array `x` of which nested lists were made; parts of `g` may be 0.0."""
    if not isinstance(g, (list, tuple)):
        return np.full(x.shape, g, x.dtype)
    d_x = zeros_like(x)
    for k, part in enumerate(g):
        d_x[k] = tolist_back(part, x[k]) if x.ndim > 1 else part
    return d_x


def elements_back(g: Any, x: Any) -> Any:
    """The adjoint of `x` of which `list(x)` or `tuple(x)` was made; parts of `g` may be 0.0."""
    if isinstance(x, (list, tuple)):
        return list(g)
    if isinstance(x, dict):  # its keys, which have no derivative
        return zeros_like(x)
    if isinstance(x, np.ndarray):
        d_x = zeros_like(x)
        for k, part in enumerate(g):
            d_x[k] = part
        return d_x
    raise MissingRule(
        f"a list or tuple is made of a {type(x).__name__}",
        reason="its elements cannot be walked over a second time",
        remedy="make it of a list, a tuple or an array",
    )


def meshgrid_backward(g: Any, xi: Any, indexing: str) -> list[Any]:
    """The adjoint of each vector: the sum of its grid's adjoint over the other axes."""
    adjoints = []
    for k, (part, x) in enumerate(zip(g, xi, strict=True)):
        shape = np.shape(x)
        if not isinstance(part, np.ndarray):
            adjoints.append(np.full(shape, part))
            continue
        own = 1 - k if indexing == "xy" and k < 2 and len(xi) > 1 else k
        adjoints.append(part.sum(axis=tuple(a for a in range(part.ndim) if a != own)).reshape(shape))
    return adjoints

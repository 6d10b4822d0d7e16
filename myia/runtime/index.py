"""Reading elements: the adjoint of what was read is added where it was read from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import (
    choose,
    compress,
    diag,
    diagflat,
    diagonal,
    extract,
    select,
    take,
    take_along_axis,
    tril,
    triu,
)

from myia.runtime.adjoints import unbroadcast
from myia.runtime.construct import typed

diagonal_sum = np.trace  # `rt.trace` is the dispatcher's

__all__ = [
    "choose",
    "choose_backward",
    "compress",
    "compress_backward",
    "diag",
    "diag_backward",
    "diagflat",
    "diagflat_backward",
    "diagonal",
    "diagonal_backward",
    "diagonal_sum",
    "extract",
    "extract_backward",
    "select",
    "select_backward",
    "select_default_backward",
    "take",
    "take_along_axis",
    "take_along_axis_backward",
    "take_backward",
    "trace_backward",
    "tril",
    "triu",
]


def take_backward(g: Any, a: Any, indices: Any, axis: int | None, mode: str) -> Any:
    """The adjoint of `a` in `np.take(a, indices, axis, mode=mode)`; repeated indices add up."""
    shape = np.shape(a)
    g = typed(g, a)
    d_a = np.zeros(shape, g.dtype)
    along = d_a.reshape(-1) if axis is None else np.moveaxis(d_a, axis, 0)  # both are views
    size = along.shape[0]
    picked = np.asarray(indices)
    if mode == "clip":
        picked = np.clip(picked, 0, size - 1)
    elif mode == "wrap":
        picked = picked % size
    if axis is not None:
        axis %= len(shape)
        order = (*range(axis, axis + picked.ndim), *range(axis), *range(axis + picked.ndim, np.ndim(g)))
        g = np.transpose(g, order)
    np.add.at(along, picked, g)
    return d_a


def take_along_axis_backward(g: Any, arr: Any, indices: Any, axis: int | None) -> Any:
    """The adjoint of `arr` in `np.take_along_axis(arr, indices, axis)`; repeated indices add up."""
    shape = np.shape(arr)
    d_arr = np.zeros(shape, g.dtype)
    along = d_arr.reshape(-1) if axis is None else d_arr
    axis = 0 if axis is None else axis % along.ndim
    rank = along.ndim
    grid = []
    for k in range(rank):
        if k == axis:
            grid.append(indices)
        else:
            # Where `indices` was broadcast it reads every element along k; where `arr` was, its only one.
            size = along.shape[k]
            grid.append(np.arange(size).reshape([-1 if j == k else 1 for j in range(rank)]))
    np.add.at(along, tuple(grid), g)
    return d_arr


def compress_backward(g: Any, condition: Any, a: Any, axis: int | None) -> Any:
    """The adjoint of `a` in `np.compress(condition, a, axis)`: zero where the condition is false."""
    d_a = np.zeros(np.shape(a), g.dtype)
    along = d_a.reshape(-1) if axis is None else np.moveaxis(d_a, axis, 0)
    along[np.flatnonzero(condition)] = g if axis is None else np.moveaxis(g, axis, 0)
    return d_a


def extract_backward(g: Any, condition: Any, arr: Any) -> Any:
    """The adjoint of `arr` in `np.extract(condition, arr)`: zero where the condition is false."""
    d_arr = np.zeros(np.shape(arr), g.dtype)
    d_arr.reshape(-1)[np.flatnonzero(condition)] = g
    return d_arr


# -- choosing --------------------------------------------------------------------------------------


def choose_backward(g: Any, a: Any, choices: Any, mode: str) -> Any:
    """The adjoint of every choice of `np.choose(a, choices)`: `g` where it was chosen."""
    index = np.asarray(a)
    if mode == "clip":
        index = np.clip(index, 0, len(choices) - 1)
    elif mode == "wrap":
        index = index % len(choices)
    parts = [unbroadcast(np.where(index == k, g, 0), np.asarray(x)) for k, x in enumerate(choices)]
    return np.stack(parts) if isinstance(choices, np.ndarray) else parts


def select_backward(g: Any, conditions: Any, choices: Any) -> Any:
    """The adjoint of every choice of `np.select`: `g` where its condition is the first that holds."""
    parts: list[Any] = []
    open_yet: Any = True
    for condition, x in zip(conditions, choices, strict=True):
        parts.append(unbroadcast(np.where(open_yet & np.asarray(condition), g, 0), np.asarray(x)))
        open_yet = open_yet & ~np.asarray(condition)
    return np.stack(parts) if isinstance(choices, np.ndarray) else parts


def select_default_backward(g: Any, conditions: Any, default: Any) -> Any:
    """The adjoint of the default of `np.select`: `g` where no condition holds."""
    open_yet: Any = True
    for condition in conditions:
        open_yet = open_yet & ~np.asarray(condition)
    return unbroadcast(np.where(open_yet, g, 0), default)


# -- diagonals -------------------------------------------------------------------------------------


def diagonal_backward(g: Any, a: Any, offset: int, axis1: int, axis2: int) -> Any:
    """The adjoint of `a` in `np.diagonal(a, offset, axis1, axis2)`: zero off the diagonal."""
    d_a = np.zeros(np.shape(a), g.dtype)
    view = np.diagonal(d_a, offset, axis1, axis2)
    view.flags.writeable = True  # NumPy's diagonal is a view that is only marked read-only
    view[...] = g
    return d_a


def trace_backward(g: Any, a: Any, offset: int, axis1: int, axis2: int) -> Any:
    """The adjoint of `a` in `np.trace(a, offset, axis1, axis2)`: `g` on the diagonal."""
    g = typed(g, a)
    d_a = np.zeros(np.shape(a), g.dtype)
    view = np.diagonal(d_a, offset, axis1, axis2)
    view.flags.writeable = True
    view[...] = g[..., None]
    return d_a


def diag_backward(g: Any, v: Any, k: int) -> Any:
    """The adjoint of `v` in `np.diag(v, k)`: a vector's is the diagonal of `g`, a matrix's the reverse."""
    if np.ndim(v) == 1:
        return np.diagonal(g, k)
    return diagonal_backward(g, v, k, 0, 1)


def diagflat_backward(g: Any, v: Any, k: int) -> Any:
    """The adjoint of `v` in `np.diagflat(v, k)`."""
    return np.diagonal(g, k).reshape(np.shape(v))

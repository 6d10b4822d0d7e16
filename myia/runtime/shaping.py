"""Operations that only move elements, and their adjoints, which move them back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import (
    array_split,
    atleast_1d,
    atleast_2d,
    atleast_3d,
    broadcast_arrays,
    broadcast_to,
    column_stack,
    concatenate,
    delete,
    dsplit,
    dstack,
    expand_dims,
    flip,
    fliplr,
    flipud,
    hsplit,
    hstack,
    matrix_transpose,
    moveaxis,
    pad,
    ravel,
    repeat,
    reshape,
    roll,
    rollaxis,
    rot90,
    split,
    squeeze,
    stack,
    swapaxes,
    tile,
    transpose,
    vsplit,
    vstack,
)

from myia.errors import MissingRule
from myia.runtime.adjoints import unbroadcast

__all__ = [
    "array_append",
    "array_flatten",
    "array_insert",
    "array_reshape",
    "array_split",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_arrays",
    "broadcast_to",
    "column_stack",
    "concatenate",
    "concatenate_backward",
    "delete",
    "delete_backward",
    "dsplit",
    "dstack",
    "expand_dims",
    "flip",
    "fliplr",
    "flipud",
    "hsplit",
    "hstack",
    "hstack_axis",
    "insert_array_backward",
    "insert_values_backward",
    "linalg_matrix_transpose",
    "matrix_transpose",
    "moveaxis",
    "pad",
    "pad_array_backward",
    "pad_constant_backward",
    "ravel",
    "repeat",
    "repeat_backward",
    "reshape",
    "reshape_back",
    "roll",
    "roll_back",
    "rollaxis",
    "rollaxis_back",
    "rot90",
    "rot90_back",
    "split",
    "split_backward",
    "squeeze",
    "stack",
    "stack_backward",
    "swapaxes",
    "tile",
    "tile_backward",
    "transpose",
    "transpose_back",
    "unbroadcast_each",
    "vsplit",
    "vstack",
]

array_append = np.append
array_flatten = np.ndarray.flatten
array_insert = np.insert
array_reshape = np.ndarray.reshape
linalg_matrix_transpose = np.linalg.matrix_transpose


def reshape_back(g: Any, x: Any, order: str = "C") -> Any:
    """The adjoint `g` of `x` reshaped, in the shape of `x`. Raises MissingRule for order "K"."""
    if order == "C":
        if isinstance(x, np.ndarray) and isinstance(g, np.ndarray):
            return g.reshape(x.shape)
        return np.reshape(g, np.shape(x))
    if order == "A":
        order = "F" if isinstance(x, np.ndarray) and x.flags.fnc else "C"
    if order not in ("C", "F"):
        raise MissingRule(
            f"elements are read in the order {order!r}",
            reason="the order in memory is not that of the adjoint",
            remedy="use the order 'C' or 'F'",
        )
    return np.reshape(g, np.shape(x), order=order)  # type: ignore[call-overload]


def transpose_back(g: Any, axes: Any) -> Any:
    """Undo `np.transpose(x, axes)`, or `x.transpose(*axes)` if `axes` came from there."""
    if axes is None:
        return np.transpose(g)
    if isinstance(axes, (list, tuple)):
        if not axes or axes == (None,):
            return np.transpose(g)
        if isinstance(axes[0], (list, tuple)):  # x.transpose((1, 0))
            axes = axes[0]
    rank = len(axes)
    inverse = [0] * rank
    for position, axis in enumerate(axes):
        inverse[axis % rank] = position
    return np.transpose(g, inverse)


def rollaxis_back(g: Any, axis: int, start: int) -> Any:
    """Undo `np.rollaxis(x, axis, start)`."""
    rank = np.ndim(g)
    axis %= rank
    if start < 0:
        start += rank
    return np.moveaxis(g, start - 1 if axis < start else start, axis)


def unbroadcast_each(g: Sequence[Any], arrays: Sequence[Any]) -> list[Any]:
    """The adjoints of arrays that were broadcast against each other."""
    return [unbroadcast(_adjoint_or_zero(part, x), _array(x)) for part, x in zip(g, arrays, strict=True)]


def _adjoint_or_zero(g: Any, x: Any) -> Any:
    """`g`, or zeros in the shape of `x` if `g` is the 0.0 of a part that was never contributed to."""
    return g if isinstance(g, np.ndarray) else np.full(np.shape(x), g)


def _array(x: Any) -> Any:
    return x if isinstance(x, np.ndarray) else np.asarray(x)


# -- joining ---------------------------------------------------------------------------------------


def concatenate_backward(g: Any, arrays: Any, axis: int | None, rank: int = 0) -> Any:
    """The parts of `g` that belong to the joined arrays, each in its array's shape.

    `arrays`: a list or tuple (gives a list) or an array (gives an array). `rank`: arrays of a smaller
    rank were raised to it first, by `np.atleast_1d` and so on. `axis` None: the arrays were flattened.
    """
    if rank == 0 and axis is not None:
        axis %= g.ndim
        start = 0
        parts: list[Any] = []
        leading = (slice(None),) * axis
        for x in arrays:
            stop = start + (x.shape if isinstance(x, np.ndarray) else np.shape(x))[axis]
            parts.append(g[(*leading, slice(start, stop))])
            start = stop
        return np.stack(parts) if isinstance(arrays, np.ndarray) and parts else parts
    parts = []
    start = 0
    for x in arrays:
        shape = np.shape(x)
        size = math.prod(shape) if axis is None else _raised(shape, rank)[axis]
        if axis is None:
            part = g[start : start + size]
        else:
            part = g[(slice(None),) * axis + (slice(start, start + size),)]
        parts.append(part.reshape(shape) if shape else part.item())
        start += size
    return np.stack(parts) if isinstance(arrays, np.ndarray) and parts else parts


def hstack_axis(x: Any) -> int:
    """The axis that `np.hstack` joins, and `np.hsplit` splits, to make or take the array `x`."""
    return 0 if np.ndim(x) == 1 else 1


def _raised(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """The shape that `np.atleast_1d`, `np.atleast_2d` or `np.atleast_3d` gives an array."""
    if len(shape) >= rank:
        return shape
    match rank, len(shape):
        case 2, 1:
            return (1, *shape)
        case 3, 1:
            return (1, *shape, 1)
        case 3, 2:
            return (*shape, 1)
        case _:
            return (1,) * rank


def stack_backward(g: Any, arrays: Any, axis: int, rank: int = 0) -> Any:
    """The parts of `g` that belong to stacked arrays.

    `rank` 2 means `np.column_stack`: vectors are the columns, matrices are joined along axis 1.
    """
    if rank:
        parts, start = [], 0
        for x in arrays:
            shape = np.shape(x)
            size = shape[1] if len(shape) > 1 else 1
            part = g[:, start : start + size]
            parts.append(part.reshape(shape) if shape else part.item())
            start += size
        return np.stack(parts) if isinstance(arrays, np.ndarray) and parts else parts
    if axis:
        g = np.moveaxis(g, axis, 0)
    if isinstance(arrays, np.ndarray):
        return g
    return g.tolist() if g.ndim == 1 else list(g)


def split_backward(g: Sequence[Any], parts: Sequence[Any], axis: int) -> Any:
    """The adjoint of an array that was split into `parts`: theirs, joined."""
    return np.concatenate([_adjoint_or_zero(p, x) for p, x in zip(g, parts, strict=True)], axis)


# -- repeating -------------------------------------------------------------------------------------


def tile_backward(g: Any, x: Any, reps: Any) -> Any:
    """The adjoint of `x` in `np.tile(x, reps)`: the sum of the copies."""
    shape = np.shape(x)
    counts = tuple(reps) if np.ndim(reps) else (int(reps),)
    rank = max(len(shape), len(counts))
    counts = (1,) * (rank - len(counts)) + counts
    padded = (1,) * (rank - len(shape)) + shape
    blocks = [size for pair in zip(counts, padded, strict=True) for size in pair]
    return np.reshape(g, blocks).sum(axis=tuple(range(0, 2 * rank, 2))).reshape(shape)


def repeat_backward(g: Any, x: Any, repeats: Any, axis: int | None) -> Any:
    """The adjoint of `x` in `np.repeat(x, repeats, axis)`: the sum over each element's copies."""
    shape = np.shape(x)
    folded = shape if axis is not None else (math.prod(shape),)
    axis = 0 if axis is None else axis % len(shape)
    counts = np.ravel(repeats)
    if counts.size == 1:
        blocks = (*folded[: axis + 1], int(counts[0]), *folded[axis + 1 :])
        return g.reshape(blocks).sum(axis=axis + 1).reshape(shape)
    # Each element's copies are contiguous; `reduceat` cannot sum none, so elements with no copy are left out.
    d_x = np.zeros(folded, g.dtype)
    present = np.flatnonzero(counts)
    if present.size:
        starts = (np.cumsum(counts) - counts)[present]
        d_x[(slice(None),) * axis + (present,)] = np.add.reduceat(g, starts, axis=axis)
    return d_x.reshape(shape)


# -- turning ---------------------------------------------------------------------------------------


def roll_back(g: Any, shift: Any, axis: Any) -> Any:
    """Undo `np.roll(x, shift, axis)`."""
    return np.roll(g, np.negative(shift), axis)


def rot90_back(g: Any, k: int, axes: Any) -> Any:
    """Undo `np.rot90(m, k, axes)`."""
    return np.rot90(g, -k, axes)


# -- padding, inserting, deleting ------------------------------------------------------------------


def pad_array_backward(g: Any, x: Any, pad_width: Any, mode: Any, reflect_type: str) -> Any:
    """The adjoint of `x` in `np.pad(x, pad_width, mode)`.

    Where the padding copies elements of `x`, positions padded the same way tell which: the adjoint is
    summed over an element's copies. Raises MissingRule for modes that compute new values.
    """
    shape = np.shape(x)
    if mode == "constant":
        pairs = _pad_pairs(pad_width, len(shape))
        return g[tuple(slice(before, before + n) for (before, _), n in zip(pairs, shape, strict=True))]
    if mode not in ("edge", "reflect", "symmetric", "wrap") or reflect_type != "even":
        described = mode if reflect_type == "even" else f"{mode}, reflect_type={reflect_type}"
        raise MissingRule(
            f"np.pad with the mode {described!s} has no derivative rule",
            reason="its padding is computed from the array, not copied from it",
            remedy="use constant, edge, reflect, symmetric or wrap",
        )
    d_x = np.zeros(math.prod(shape), g.dtype)
    positions = np.arange(d_x.size).reshape(shape)
    np.add.at(d_x, np.pad(positions, pad_width, mode).ravel(), g.ravel())
    return d_x.reshape(shape)


def pad_constant_backward(g: Any, pad_width: Any, value: Any) -> Any:
    """The adjoint of the constant in `np.pad(x, pad_width, constant_values=value)`, one for all sides."""
    if np.size(value) != 1:
        raise MissingRule(
            "np.pad with several constants that the gradient depends on",
            reason="only one constant for all sides has a derivative rule",
            remedy="join the pieces with np.concatenate",
        )
    inside = tuple(
        slice(before, n - after)
        for (before, after), n in zip(_pad_pairs(pad_width, g.ndim), g.shape, strict=True)
    )
    border = np.ones(g.shape, bool)
    border[inside] = False
    total = g[border].sum()
    return total if isinstance(value, (int, float)) else np.full(np.shape(value), total)


def _pad_pairs(pad_width: Any, rank: int) -> list[list[int]]:
    """The numbers of elements before and after, for each axis."""
    if isinstance(pad_width, dict):
        pairs = np.zeros((rank, 2), int)
        for axis, pair in pad_width.items():
            pairs[axis] = pair
    else:
        pairs = np.broadcast_to(np.asarray(pad_width).astype(int), (rank, 2))
    return [[int(before), int(after)] for before, after in pairs]


def insert_array_backward(g: Any, arr: Any, obj: Any, values: Any, axis: int | None) -> Any:
    """The adjoint of `arr` in `np.insert(arr, obj, values, axis)`: the elements that were not inserted."""
    inserted = np.insert(np.zeros(np.shape(arr), bool), obj, np.ones(np.shape(values), bool), axis)
    return g[~inserted].reshape(np.shape(arr))


def insert_values_backward(g: Any, arr: Any, obj: Any, values: Any, axis: int | None) -> Any:
    """The adjoint of `values`: positions inserted the same way tell where each element went."""
    numbers = np.arange(1, np.size(values) + 1).reshape(np.shape(values))
    placed = np.insert(np.zeros(np.shape(arr), int), obj, numbers, axis)
    d_values = np.zeros(np.size(values) + 1, g.dtype)
    np.add.at(d_values, placed.ravel(), g.ravel())
    return d_values[1:].reshape(np.shape(values))


def delete_backward(g: Any, arr: Any, obj: Any, axis: int | None) -> Any:
    """The adjoint of `arr` in `np.delete(arr, obj, axis)`: zero at the elements that were deleted."""
    positions = np.arange(np.size(arr)).reshape(np.shape(arr))
    d_arr = np.zeros(positions.size, g.dtype)
    d_arr[np.delete(positions, obj, axis)] = g
    return d_arr.reshape(positions.shape)

"""Sorting: the backprop puts each element's adjoint back where the element came from."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import partition, percentile, quantile, sort

from myia.errors import MissingRule
from myia.runtime.adjoints import unbroadcast, zeros_like
from myia.runtime.construct import typed

__all__ = [
    "builtin_sorted",
    "partition",
    "percentile",
    "quantile",
    "quantile_backward",
    "quantile_level_backward",
    "sort",
    "sort_backward",
    "sorted_backward",
]

builtin_sorted = builtins.sorted


def sort_backward(g: Any, y: Any, a: Any, axis: int | None) -> Any:
    """The adjoint of `a`, of which `y` has the same elements along `axis` in another order.

    Both are sorted, so that it does not matter how `y` was ordered; equal elements may be exchanged.
    """
    shape = np.shape(a)
    if axis is None:
        flat = np.ravel(a)
        return sort_backward(g, y, flat, 0).reshape(shape)
    a = np.asarray(a)
    d_a = np.empty(shape, g.dtype)
    from_result = np.argsort(y, axis=axis, kind="stable")
    from_operand = np.argsort(a, axis=axis, kind="stable")
    np.put_along_axis(d_a, from_operand, np.take_along_axis(g, from_result, axis), axis)
    return d_a


def sorted_backward(g: Any, xs: Any, reverse: bool) -> Any:
    """The adjoint of `xs` in `sorted(xs, reverse=reverse)`, a list, or an array for an array."""
    if not isinstance(xs, (list, tuple, np.ndarray)):
        if isinstance(xs, Mapping):
            return zeros_like(xs)  # the keys were sorted
        raise MissingRule(
            f"sorted() of a {type(xs).__name__}",
            reason="its elements cannot be walked over a second time",
            remedy="sort a list, a tuple or an array",
        )
    order = builtins.sorted(range(len(xs)), key=xs.__getitem__, reverse=reverse)
    d_xs = zeros_like(xs)
    for position, part in zip(order, g, strict=True):
        d_xs[position] = part
    return d_xs


def quantile_backward(g: Any, a: Any, q: Any, axis: Any, keepdims: bool, scale: float) -> Any:
    """The adjoint of `a` in `np.quantile(a, q / scale)`, linear between the two nearest order statistics.

    With h = q (n - 1), the value is (1 - t) a_(floor h) + t a_(floor h + 1), t the fraction of h.
    """
    a = np.asarray(a)
    rows, back = _in_rows(a, axis)
    order = np.argsort(rows, axis=-1, kind="stable")
    lower, upper, fraction = _between(q, rows.shape[-1], scale)
    levels = np.ndim(q)
    g = np.reshape(typed(g, a), (*np.shape(q), *rows.shape[:-1]))
    d_rows = np.zeros(rows.shape, g.dtype)
    for level in np.ndindex(np.shape(q)) if levels else [()]:
        t = fraction[level].astype(g.dtype)
        for position, weight in ((lower[level], 1 - t), (upper[level], t)):
            where = order[..., position, None]
            before = np.take_along_axis(d_rows, where, -1)
            np.put_along_axis(d_rows, where, before + weight * g[level][..., None], -1)
    return back(d_rows)


def quantile_level_backward(g: Any, a: Any, q: Any, axis: Any, keepdims: bool, scale: float) -> Any:
    """The adjoint of `q` in `np.quantile(a, q / scale)`: the slope between the nearest order statistics."""
    rows, _ = _in_rows(np.asarray(a), axis)
    n = rows.shape[-1]
    rows = np.sort(rows, axis=-1)
    lower, upper, _ = _between(q, n, scale)
    slopes = (rows[..., upper] - rows[..., lower]) * ((n - 1) / scale)
    # The axes of `q` come last in `slopes` and first in `g`.
    others = rows.ndim - 1
    slopes = np.moveaxis(slopes, range(others), range(slopes.ndim - others, slopes.ndim))
    d_q = (np.reshape(g, slopes.shape) * slopes).sum(axis=tuple(range(np.ndim(q), slopes.ndim)))
    return d_q if np.ndim(q) else unbroadcast(d_q, q)


def _between(q: Any, n: int, scale: float) -> tuple[Any, Any, Any]:
    """The positions of the order statistics on both sides of each level, and the fraction between."""
    position = np.asarray(q, np.float64) / scale * (n - 1)
    lower = np.clip(np.floor(position), 0, n - 1).astype(np.intp)
    upper = np.minimum(lower + 1, n - 1)
    return lower, upper, position - lower


def _in_rows(a: Any, axis: Any) -> tuple[Any, Any]:
    """`a` with the axes of the quantile joined to one, the last, and the way back."""
    if axis is None:
        return a.reshape(-1), lambda d: d.reshape(a.shape)
    axes = tuple(k % a.ndim for k in (axis if isinstance(axis, (tuple, list)) else (axis,)))
    last = tuple(range(-len(axes), 0))
    moved = np.moveaxis(a, axes, last)
    rows = moved.reshape(*moved.shape[: moved.ndim - len(axes)], -1)
    return rows, lambda d: np.moveaxis(d.reshape(moved.shape), last, axes)

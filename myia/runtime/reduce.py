"""Reductions, running sums and products, and what their backprops need.

`g` is the cotangent of the result. Every helper returns a contribution of the shape and dtype of its
parameter; for a list or tuple of numbers (or of arrays) that is a list of its structure.
Conventions at ties: docs/conventions.md.
"""

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import (
    average,
    convolve,
    cumprod,
    cumsum,
    diff,
    ediff1d,
    gradient,
    interp,
    linspace,
    max,
    mean,
    median,
    min,
    nanmax,
    nanmean,
    nanmin,
    nanprod,
    nanstd,
    nansum,
    nanvar,
    prod,
    ptp,
    std,
    sum,
    trapezoid,
    var,
)

from myia.errors import NotDifferentiable
from myia.runtime.adjoints import unbroadcast
from myia.runtime.adjoints import zeros_like as zero_adjoint
from myia.runtime.elementwise import ratio, times

__all__ = [
    "average", "convolve", "cumprod", "cumsum", "diff", "ediff1d", "gradient", "interp", "linspace", "max",
    "mean", "median", "min", "nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum", "nanvar", "prod",
    "ptp", "std", "sum", "trapezoid", "var",
    # backprops
    "average_adjoint", "average_weights_adjoint", "convolve_adjoint", "cumprod_adjoint", "cumsum_adjoint",
    "diff_adjoint", "dist_adjoint", "ediff1d_adjoint", "extremum_adjoint", "gradient_adjoint",
    "hypot_adjoint", "interp_adjoint", "interp_nodes_adjoint", "interp_values_adjoint", "largest_adjoint",
    "linspace_start_adjoint", "linspace_stop_adjoint", "median_adjoint", "nan_extremum_adjoint",
    "nanmean_adjoint", "nanprod_adjoint", "nanstd_adjoint", "nansum_adjoint", "nanvar_adjoint",
    "prod_adjoint", "prod_of_items_adjoint", "ptp_adjoint", "refuse_spacing", "share", "smallest_adjoint",
    "spread", "spread_mean", "std_adjoint", "sum_of_items_adjoint", "sumprod_adjoint", "trapezoid_adjoint",
    "trapezoid_nodes_adjoint", "trapezoid_step_adjoint", "var_adjoint",
]  # fmt: skip

Axis = int | tuple[int, ...] | None

# -- shapes of reductions -------------------------------------------------------------------------


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """The reduced axes, counted from 0."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(operator.index(k) % ndim for k in (axis if isinstance(axis, tuple) else (axis,)))


def _kept(g: Any, shape: tuple[int, ...], axis: Axis, keepdims: bool) -> Any:
    """`g`, or another value of the result's shape, with the reduced axes put back with size 1."""
    if keepdims or not shape:
        return g
    if axis is None:
        return np.reshape(g, (1,) * len(shape))
    axes = _axes(axis, len(shape))
    return np.reshape(g, [1 if k in axes else size for k, size in enumerate(shape)])


def _count(shape: tuple[int, ...], axis: Axis) -> int:
    """How many elements are reduced to one."""
    return math.prod(shape[k] for k in _axes(axis, len(shape)))


def _as_given(contribution: Any, a: Any) -> Any:
    """A contribution in the dtype of `a`, and in its structure if `a` is a list, tuple or number."""
    if isinstance(a, np.ndarray):
        if contribution.dtype != a.dtype and a.dtype.kind == "f":
            return contribution.astype(a.dtype)
        return contribution
    if isinstance(a, (list, tuple)):
        return [_as_given(part, item) for part, item in zip(contribution, a, strict=True)]
    return contribution[()] if isinstance(contribution, np.ndarray) else contribution


def _rows(a: Any, axis: Axis) -> tuple[Any, tuple[int, ...]]:
    """`a` with the reduced axes last and flattened into one, and the order of axes that does it."""
    axes = _axes(axis, a.ndim)
    order = tuple(k for k in range(a.ndim) if k not in axes) + axes
    kept = tuple(a.shape[k] for k in range(a.ndim) if k not in axes)
    return a.transpose(order).reshape(*kept, _count(a.shape, axis)), order


def _from_rows(rows: Any, a: Any, order: tuple[int, ...]) -> Any:
    """The inverse of `_rows`: rows back in the shape of `a`."""
    if not order:
        return rows.reshape(())
    return rows.reshape([a.shape[k] for k in order]).transpose(np.argsort(order))


def _per_row(g: Any, rows: Any) -> Any:
    return np.reshape(g, (*rows.shape[:-1], 1))


# -- sums and means ----------------------------------------------------------------------------------


def spread(g: Any, a: Any, axis: Axis, keepdims: bool) -> Any:
    """The contribution of `sum`: `g` to every element."""
    given = a
    if not isinstance(a, np.ndarray):
        a = np.asarray(a)
    contribution = np.empty(a.shape, a.dtype if a.dtype.kind == "f" else float)
    if axis is None:
        contribution.fill(g.item() if keepdims and isinstance(g, np.ndarray) else g)
    else:
        contribution[...] = _kept(g, a.shape, axis, keepdims)
    return contribution if given is a else _as_given(contribution, given)


def spread_mean(g: Any, a: Any, axis: Axis, keepdims: bool) -> Any:
    """The contribution of `mean`: an equal part of `g` to every element."""
    count = _count(np.shape(a), axis)
    return spread(g / count if count else g, a, axis, keepdims)


def share(g: Any, a: Any) -> Any:
    """The part of `g` that the mean of `a` gives to each element; `g` itself if there is none."""
    count = _count(np.shape(a), None)
    return g / count if count else g


def _spread_weights(weights: Any, shape: tuple[int, ...], axis: Axis) -> Any:
    """The weights of `average` in a shape that broadcasts with the array."""
    weights = np.asarray(weights)
    if weights.shape == shape:
        return weights
    axes = _axes(axis, len(shape))
    weights = weights.transpose(np.argsort(axes))  # its axes follow the order in which `axis` names them
    return weights.reshape([size if k in axes else 1 for k, size in enumerate(shape)])


def average_adjoint(g: Any, a: Any, axis: Axis, weights: Any, keepdims: bool) -> Any:
    """The contribution of `average` to its array: g w / sum(w)."""
    if weights is None:
        return spread_mean(g, a, axis, keepdims)
    shape = np.shape(a)
    w = np.broadcast_to(_spread_weights(weights, shape, axis), shape)
    total = np.sum(w, axis=_axes(axis, len(shape)), keepdims=True)
    return _as_given(_kept(g, shape, axis, keepdims) * (w / total), a)


def average_weights_adjoint(g: Any, y: Any, a: Any, axis: Axis, weights: Any, keepdims: bool) -> Any:
    """The contribution of `average` to its weights: g (a - y) / sum(w)."""
    array = np.asarray(a)
    shape = array.shape
    w = _spread_weights(weights, shape, axis)
    axes = _axes(axis, len(shape))
    total = np.sum(np.broadcast_to(w, shape), axis=axes, keepdims=True)
    per_element = _kept(g, shape, axis, keepdims) * ((array - _kept(y, shape, axis, keepdims)) / total)
    summed = unbroadcast(per_element, w)
    if np.shape(weights) != shape:
        summed = summed.reshape([shape[k] for k in builtins.sorted(axes)]).transpose(
            np.argsort(np.argsort(axes))
        )
    return _as_given(summed, weights)


def var_adjoint(g: Any, a: Any, axis: Axis, ddof: float, keepdims: bool) -> Any:
    """The contribution of `var`: 2 g (a - mean) / (n - ddof)."""
    array = np.asarray(a)
    divisor = _count(array.shape, axis) - ddof
    slope = _deviation(array, axis) * (2.0 / divisor if divisor > 0 else math.nan)
    return _as_given(times(_kept(g, array.shape, axis, keepdims), slope), a)


def std_adjoint(g: Any, y: Any, a: Any, axis: Axis, ddof: float, keepdims: bool) -> Any:
    """The contribution of `std`: g (a - mean) / ((n - ddof) std), 0 where `std` is 0."""
    array = np.asarray(a)
    divisor = _count(array.shape, axis) - ddof
    scale = _kept(ratio(g, y * divisor), array.shape, axis, keepdims)
    return _as_given(
        times(scale, _deviation(array, axis) if divisor > 0 else np.full(array.shape, np.nan)), a
    )


def _deviation(a: Any, axis: Axis) -> Any:
    if not a.size:
        return np.zeros(a.shape)
    return a - np.mean(a, axis=axis, keepdims=True)


def sum_of_items_adjoint(g: Any, iterable: Any) -> Any:
    """The contribution of Python's `sum` to its items."""
    if isinstance(iterable, np.ndarray):
        return spread(g, iterable, 0, False)
    if isinstance(iterable, (list, tuple)):
        return [unbroadcast(g, item) for item in iterable]
    raise NotDifferentiable(
        f"sum over a {type(iterable).__name__}",
        reason="the derivative of each item needs a place in a list, a tuple or an array",
        remedy="make it a list first, as in sum(list(values))",
    )


def sumprod_adjoint(g: Any, p: Any, q: Any) -> Any:
    """The contribution of `math.sumprod(p, q)` to `p`."""
    return _numbers([g * other for other in q], p)


def _numbers(parts: list[Any], given: Any) -> Any:
    return np.array(parts, given.dtype) if isinstance(given, np.ndarray) else parts


# -- sums that leave out NaNs ----------------------------------------------------------------------


def nansum_adjoint(g: Any, a: Any, axis: Axis, keepdims: bool) -> Any:
    """The contribution of `nansum`: `g`, and 0 to the NaNs."""
    array = np.asarray(a)
    return _as_given(np.where(np.isnan(array), 0.0, spread(g, array, axis, keepdims)), a)


def nanmean_adjoint(g: Any, a: Any, axis: Axis, keepdims: bool) -> Any:
    """The contribution of `nanmean`: an equal part of `g` to all that are not NaN."""
    array = np.asarray(a)
    count = np.count_nonzero(~np.isnan(array), axis=_axes(axis, array.ndim), keepdims=True)
    part = ratio(_kept(g, array.shape, axis, keepdims), np.asarray(count, array.dtype))
    return _as_given(np.where(np.isnan(array), 0.0, part), a)


def nanvar_adjoint(g: Any, a: Any, axis: Axis, ddof: float, keepdims: bool) -> Any:
    """The contribution of `nanvar`, 0 to the NaNs."""
    array = np.asarray(a)
    deviation, divisor = _nan_deviation(array, axis, ddof)
    return _as_given(_kept(g, array.shape, axis, keepdims) * ratio(2.0 * deviation, divisor), a)


def nanstd_adjoint(g: Any, y: Any, a: Any, axis: Axis, ddof: float, keepdims: bool) -> Any:
    """The contribution of `nanstd`, 0 to the NaNs and where the deviation is 0."""
    array = np.asarray(a)
    deviation, divisor = _nan_deviation(array, axis, ddof)
    scale = ratio(_kept(g, array.shape, axis, keepdims), _kept(y, array.shape, axis, keepdims) * divisor)
    return _as_given(np.where(np.isnan(array), 0.0, scale * deviation), a)


def _nan_deviation(a: Any, axis: Axis, ddof: float) -> tuple[Any, Any]:
    axes = _axes(axis, a.ndim)
    missing = np.isnan(a)
    count = np.asarray(np.count_nonzero(~missing, axis=axes, keepdims=True), a.dtype)
    mean = ratio(np.sum(np.where(missing, 0.0, a), axis=axes, keepdims=True), count)
    return np.where(missing, 0.0, a - mean), np.asarray(np.maximum(count - ddof, 0), a.dtype)


# -- products ------------------------------------------------------------------------------------------


def prod_adjoint(g: Any, a: Any, axis: Axis, keepdims: bool) -> Any:
    """The contribution of `prod`: `g` times the product of the others, exact with zeros."""
    array = np.asarray(a)
    rows, order = _rows(array, axis)
    return _as_given(_from_rows(times(_per_row(g, rows), _product_of_others(rows)), array, order), a)


def nanprod_adjoint(g: Any, a: Any, axis: Axis, keepdims: bool) -> Any:
    """The contribution of `nanprod`: NaNs count as 1 and get 0."""
    array = np.asarray(a)
    missing = np.isnan(array)
    filled = np.where(missing, np.ones((), array.dtype), array)
    return _as_given(np.where(missing, 0.0, prod_adjoint(g, filled, axis, keepdims)), a)


def _product_of_others(rows: Any) -> Any:
    """For each element the product of the others in its row: those before times those after.

    Dividing the whole product by the element would fail at zeros, and where the product under- or
    overflows.
    """
    before = np.ones_like(rows)
    after = np.ones_like(rows)
    np.cumprod(rows[..., :-1], axis=-1, out=before[..., 1:])
    np.cumprod(rows[..., :0:-1], axis=-1, out=after[..., -2::-1])
    before *= after
    return before


def prod_of_items_adjoint(g: Any, iterable: Any, start: Any) -> Any:
    """The contribution of `math.prod` to its items."""
    after = [1.0]
    for item in reversed(iterable):
        after.append(after[-1] * item)
    parts = []
    before = g * start
    for k, item in enumerate(iterable):
        parts.append(before * after[len(iterable) - 1 - k])
        before = before * item
    return _numbers(parts, iterable)


# -- the largest, the smallest, the middle -----------------------------------------------------------


def extremum_adjoint(g: Any, y: Any, a: Any, axis: Axis, keepdims: bool) -> Any:
    """The contribution of `max` or `min`: `g` in equal parts to the elements equal to the result.

    NaN to all elements of a reduction that met a NaN.
    """
    array = np.asarray(a)
    y = _kept(y, array.shape, axis, keepdims)
    contribution = _share(g, array == y, array, axis, keepdims)
    undefined = np.isnan(y)
    if np.any(undefined):
        undefined = undefined & np.not_equal(_kept(g, array.shape, axis, keepdims), 0.0)
        contribution = np.where(undefined, np.full((), np.nan, contribution.dtype), contribution)
    return _as_given(contribution, a)


def nan_extremum_adjoint(g: Any, y: Any, a: Any, axis: Axis, keepdims: bool) -> Any:
    """The contribution of `nanmax` or `nanmin`: as `max`, and 0 to NaNs."""
    array = np.asarray(a)
    chosen = array == _kept(y, array.shape, axis, keepdims)
    return _as_given(_share(g, chosen, array, axis, keepdims), a)


def ptp_adjoint(g: Any, a: Any, axis: Axis, keepdims: bool) -> Any:
    """The contribution of `ptp`, the largest less the smallest."""
    array = np.asarray(a)
    largest = np.max(array, axis=axis, keepdims=keepdims)
    smallest = np.min(array, axis=axis, keepdims=keepdims)
    return _as_given(
        extremum_adjoint(g, largest, array, axis, keepdims)
        - extremum_adjoint(g, smallest, array, axis, keepdims),
        a,
    )


def _share(g: Any, chosen: Any, a: Any, axis: Axis, keepdims: bool) -> Any:
    """`g` in equal parts to the chosen elements of each reduction; 0 to the others."""
    dtype = a.dtype if a.dtype.kind == "f" else np.dtype(float)
    if axis is None and not keepdims:
        return np.where(chosen, dtype.type(g / (np.count_nonzero(chosen) or 1)), np.zeros((), dtype))
    count = np.sum(chosen, axis=_axes(axis, a.ndim), keepdims=True, dtype=dtype)
    part = _kept(g, a.shape, axis, keepdims) / np.maximum(count, 1)
    return np.where(chosen, part, np.zeros((), dtype))


def median_adjoint(g: Any, a: Any, axis: Axis, keepdims: bool) -> Any:
    """The contribution of `median`: half of `g` to each of the two middle values (all, if they are one).

    A value that several elements have is shared equally among them; NaN where the median is NaN.
    """
    array = np.asarray(a)
    rows, order = _rows(array, axis)
    count = rows.shape[-1]
    if not count:
        return zero_adjoint(a)
    ordered = np.sort(rows, axis=-1)  # NaNs last
    half = 0.5 * _per_row(g, rows)
    contribution = np.zeros(rows.shape, rows.dtype if rows.dtype.kind == "f" else float)
    for middle in ((count - 1) // 2, count // 2):
        chosen = rows == ordered[..., middle : middle + 1]
        contribution += _share(half, chosen, rows, -1, True)
    undefined = np.isnan(ordered[..., -1:])
    if np.any(undefined):
        undefined = undefined & np.not_equal(half, 0.0)
        contribution = np.where(undefined, np.full((), np.nan, contribution.dtype), contribution)
    return _as_given(_from_rows(contribution, array, order), a)


def largest_adjoint(g: Any, values: tuple[Any, ...]) -> list[Any]:
    """The contribution of Python's `max`: all to the one it returns, the first of equals."""
    return _to_chosen(g, values, builtins.max)


def smallest_adjoint(g: Any, values: tuple[Any, ...]) -> list[Any]:
    """The contribution of Python's `min`: all to the one it returns, the first of equals."""
    return _to_chosen(g, values, builtins.min)


def _to_chosen(g: Any, values: tuple[Any, ...], choose: Any) -> list[Any]:
    candidates: Sequence[Any] = values[0] if len(values) == 1 else values
    adjoints = zero_adjoint(candidates)
    k = choose(range(len(candidates)), key=candidates.__getitem__)
    adjoints[k] = g
    return [adjoints] if len(values) == 1 else adjoints


# -- running sums and products ----------------------------------------------------------------------


def cumsum_adjoint(g: Any, a: Any, axis: int | None) -> Any:
    """The contribution of `cumsum`: the sum of `g` from each element on."""
    array = np.asarray(a)
    if axis is None:
        contribution = np.cumsum(g[::-1])[::-1].reshape(array.shape)
    else:
        contribution = np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis)
    return _as_given(contribution, a)


def cumprod_adjoint(g: Any, a: Any, axis: int | None) -> Any:
    """The contribution of `cumprod`, exact with zeros.

    With s[j] = g[j] + a[j+1] s[j+1], the sum over k >= j of g[k] times the product of a over
    j < i <= k, the contribution is s[j] times the product of the elements before j.
    """
    array = np.asarray(a)
    if axis is None:
        sequence, cotangent = array.reshape(-1), np.reshape(g, -1)
    else:
        sequence, cotangent = np.moveaxis(array, axis, 0), np.moveaxis(g, axis, 0)
    contribution = np.empty(sequence.shape, np.result_type(sequence, cotangent))
    contribution[:1] = 1.0
    np.cumprod(sequence[:-1], axis=0, out=contribution[1:])
    s: Any = 0.0
    following: Any = 0.0
    for j in range(len(sequence) - 1, -1, -1):
        s = cotangent[j] + following * s
        contribution[j] *= s
        following = sequence[j]
    contribution = contribution.reshape(array.shape) if axis is None else np.moveaxis(contribution, 0, axis)
    return _as_given(contribution, a)


# -- differences --------------------------------------------------------------------------------------


def _ends(ndim: int, axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The indices of all but the last and of all but the first along an axis."""
    before = [slice(None)] * ndim
    after = [slice(None)] * ndim
    before[axis] = slice(None, -1)
    after[axis] = slice(1, None)
    return tuple(before), tuple(after)


def diff_adjoint(g: Any, a: Any, n: int, axis: int) -> Any:
    """The contribution of the `n`-th difference."""
    array = np.asarray(a)
    if not g.size:
        return zero_adjoint(a)
    before, after = _ends(array.ndim, axis)
    for _ in range(n):
        shape = list(g.shape)
        shape[axis] += 1
        contribution = np.zeros(shape, g.dtype)
        contribution[after] = g
        contribution[before] -= g
        g = contribution
    return _as_given(g, a)


def ediff1d_adjoint(g: Any, ary: Any) -> Any:
    """The contribution of the differences of the flattened array."""
    flat = np.asarray(ary).reshape(-1)
    return _as_given(diff_adjoint(g, flat, 1, 0).reshape(np.shape(ary)), ary)


def gradient_adjoint(g: Any, f: Any, spacing: tuple[Any, ...], axis: Axis, edge_order: int) -> Any:
    """The contribution of `np.gradient`, which is linear in `f`, for every kind of spacing it takes."""
    array = np.asarray(f)
    axes = _axes(axis, array.ndim)
    cotangents = g if isinstance(g, (list, tuple)) else [g]
    steps = spacing if len(spacing) > 1 else (spacing or (1.0,)) * len(axes)
    contribution = np.zeros(array.shape, array.dtype)
    for k, step, cotangent in zip(axes, steps, cotangents, strict=True):
        if isinstance(cotangent, np.ndarray):  # 0.0 for a component that nothing depends on
            along = np.moveaxis(contribution, k, -1)
            along += _stencil_adjoint(np.moveaxis(cotangent, k, -1), step, edge_order)
    return _as_given(contribution, f)


def _stencil_adjoint(g: Any, step: Any, edge_order: int) -> Any:
    """The transpose of `np.gradient` along the last axis.

    An element of the result reads elements at most two places away, so five probes, each with ones
    five apart, show every coefficient (Curtis, Powell & Reid 1974).
    """
    count = g.shape[-1]
    places = np.arange(count)
    differences: Any = np.gradient  # its stub wants a literal edge_order
    slopes = [differences((places % 5 == k).astype(float), step, edge_order=edge_order) for k in range(5)]
    transposed = np.zeros(g.shape, g.dtype)
    for offset in range(-2, 3):
        rows = places[np.maximum(0, -offset) : count - np.maximum(0, offset)]
        coefficients = np.array(slopes)[(rows + offset) % 5, rows].astype(g.dtype)
        transposed[..., rows + offset] += g[..., rows] * coefficients
    return transposed


def refuse_spacing() -> Any:
    """The spacing of `np.gradient` is not differentiated."""
    raise NotDifferentiable(
        "the gradient depends on the spacing given to np.gradient",
        reason="np.gradient has a rule for its array only",
        remedy="write the differences out, as in (f[2:] - f[:-2]) / (x[2:] - x[:-2])",
    )


# -- integrals, convolution, interpolation --------------------------------------------------------------


def _steps(y: Any, x: Any, dx: Any, axis: int) -> Any:
    """The widths of the intervals of `trapezoid`, in a shape that broadcasts."""
    if x is None:
        return dx
    x = np.asarray(x)
    if x.ndim != 1:
        return np.diff(x, axis=axis)
    shape = [1] * y.ndim
    shape[axis] = len(x) - 1
    return np.diff(x).reshape(shape)


def trapezoid_adjoint(g: Any, y: Any, x: Any, dx: Any, axis: int) -> Any:
    """The contribution of `trapezoid` to the values: half of each interval's width to both its ends."""
    array = np.asarray(y)
    before, after = _ends(array.ndim, axis)
    halves = _kept(g, array.shape, axis, False) * (0.5 * _steps(array, x, dx, axis))
    contribution = np.zeros(array.shape, array.dtype)
    contribution[before] += halves
    contribution[after] += halves
    return _as_given(contribution, y)


def _mean_heights(g: Any, y: Any, axis: int) -> Any:
    array = np.asarray(y)
    before, after = _ends(array.ndim, axis)
    return _kept(g, array.shape, axis, False) * (0.5 * (array[before] + array[after]))


def trapezoid_nodes_adjoint(g: Any, y: Any, x: Any, axis: int) -> Any:
    """The contribution of `trapezoid` to the nodes."""
    heights = _mean_heights(g, y, axis)
    if np.ndim(x) == 1:
        heights = np.moveaxis(heights, axis, -1).reshape(-1, heights.shape[axis]).sum(axis=0)
        return diff_adjoint(heights, x, 1, 0)
    return diff_adjoint(heights, x, 1, axis)


def trapezoid_step_adjoint(g: Any, y: Any, x: Any, dx: Any, axis: int) -> Any:
    """The contribution of `trapezoid` to a uniform width, which nodes override."""
    if x is not None:
        return zero_adjoint(dx)
    return _as_given(np.asarray(unbroadcast(_mean_heights(g, y, axis), dx)), dx)


def convolve_adjoint(g: Any, a: Any, v: Any, mode: str) -> Any:
    """The contribution of `convolve(a, v)` to `a`: the cotangent correlated with `v`."""
    array, kernel = np.asarray(a), np.asarray(v)
    shorter, longer = builtins.sorted((len(array), len(kernel)))
    whole = np.zeros(shorter + longer - 1, g.dtype)
    start = {"full": 0, "same": (shorter - 1) // 2, "valid": shorter - 1}[mode]
    whole[start : start + len(g)] = g
    return _as_given(np.convolve(whole, kernel[::-1], "full")[len(kernel) - 1 :][: len(array)], a)


def _interval(x: Any, xp: Any) -> tuple[Any, Any, Any, Any]:
    """For each `x` its interval of nodes, where in it (0 to 1), its width, and whether it is inside.

    At a node the interval to its right counts, at the last node the one to its left.
    """
    x, xp = np.asarray(x), np.asarray(xp)
    last = np.maximum(len(xp) - 2, 0)
    left = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, last)
    right = np.minimum(left + 1, len(xp) - 1)
    inside = (x >= xp[0]) & (x <= xp[-1]) & (right > left)
    width = np.where(inside, xp[right] - xp[left], 1.0)
    place = np.clip(np.where(inside, (x - xp[left]) / width, np.where(x < xp[0], 0.0, 1.0)), 0.0, 1.0)
    return left, place, width, inside


def _interp_slope(x: Any, xp: Any, fp: Any) -> tuple[Any, Any, Any]:
    left, place, width, inside = _interval(x, xp)
    fp = np.asarray(fp)
    rise = fp[np.minimum(left + 1, len(fp) - 1)] - fp[left]
    return left, place, np.where(inside, rise / width, 0.0)


def interp_adjoint(g: Any, x: Any, xp: Any, fp: Any) -> Any:
    """The contribution of `interp` to the points: the slope of their interval, 0 outside."""
    _, _, slope = _interp_slope(x, xp, fp)
    return _as_given(np.asarray(g * slope), x)


def interp_nodes_adjoint(g: Any, x: Any, xp: Any, fp: Any) -> Any:
    """The contribution of `interp` to the nodes."""
    left, place, slope = _interp_slope(x, xp, fp)
    return _as_given(_to_nodes(-g * slope, left, place, len(xp)), xp)


def interp_values_adjoint(g: Any, x: Any, xp: Any, fp: Any) -> Any:
    """The contribution of `interp` to the values at the nodes."""
    left, place, _, _ = _interval(x, xp)
    return _as_given(_to_nodes(g, left, place, len(xp)), fp)


def _to_nodes(g: Any, left: Any, place: Any, count: int) -> Any:
    """The sum over points of `g`, parted between the two nodes of their interval."""
    to_left, to_right = np.ravel(g * (1.0 - place)), np.ravel(g * place)
    left = np.ravel(left)
    right = np.minimum(left + 1, count - 1)
    return np.bincount(left, to_left, minlength=count) + np.bincount(right, to_right, minlength=count)


def linspace_start_adjoint(g: Any, start: Any, num: int, endpoint: bool) -> Any:
    """The contribution of `linspace` to its start."""
    places = _places(g, num, endpoint)
    return unbroadcast(np.sum(g * (1.0 - places), axis=0), start)


def linspace_stop_adjoint(g: Any, stop: Any, num: int, endpoint: bool) -> Any:
    """The contribution of `linspace` to its stop."""
    return unbroadcast(np.sum(g * _places(g, num, endpoint), axis=0), stop)


def _places(g: Any, num: int, endpoint: bool) -> Any:
    """Where on the way from start to stop each point lies."""
    intervals = builtins.max(num - 1 if endpoint else num, 1)
    return (np.arange(num) / intervals).reshape((num,) + (1,) * (g.ndim - 1)).astype(g.dtype)


# -- scalars of `math` --------------------------------------------------------------------------------


def hypot_adjoint(g: Any, y: float, coordinates: tuple[Any, ...]) -> list[Any]:
    """The contribution of `math.hypot` to its coordinates; 0 at the origin."""
    return [unbroadcast(g * (x / y) if y else 0.0, x) for x in coordinates]


def dist_adjoint(g: Any, y: float, p: Any, q: Any) -> Any:
    """The contribution of `math.dist(p, q)` to `p`; 0 where the two points are one."""
    return _numbers([g * ((a - b) / y) if y else 0.0 for a, b in zip(p, q, strict=True)], p)

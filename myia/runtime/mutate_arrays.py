"""Writes into arrays: each function runs one, and gives its value and what takes it back.

All but a few are stores: an index says which elements are overwritten. These are saved, and in reverse their
adjoints are taken out of the shadow, given to what was stored, and the elements put back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from myia._runtime import shares, take_at
from myia.errors import MissingRule, NotDifferentiable
from myia.runtime.adjoints import sum_to
from myia.runtime.mutate_lists import Back, Mutation, Table, refused
from myia.runtime.native import ARRAYS
from myia.runtime.shadows import Shadows, is_number, is_real_array, is_record

Giver = Callable[[Table, Any], float]
"""Hands the cotangent of the elements to what was stored in them; its adjoint if that is a number."""


def copied_at(x: Any, index: Any) -> Any:
    """The elements of an array that `index` selects, in memory of their own."""
    part = x[index]
    return part.copy() if shares(part, x) else part


def kept_index(index: Any) -> Any:
    """An index that stays as it is when the program writes into the arrays or lists that it was made of."""
    if isinstance(index, tuple):
        return tuple(map(kept_index, index))
    if isinstance(index, list):
        return list(map(kept_index, index))
    return index.copy() if isinstance(index, ARRAYS) else index


def _store(
    owner: Any, index: Any, write: Callable[[], Any], name: str, give: Giver, value: Any = None
) -> Mutation:
    """Run `write`, which overwrites the elements of `owner` that `index` selects with the operand `name`."""
    index = kept_index(index)
    old = copied_at(owner, index)
    write()

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        if isinstance(shadows, Shadows) and owner.dtype.kind in "cOV" and _is_float(value):
            raise NotDifferentiable(
                f"a value that the gradient depends on is stored in an array of {owner.dtype}",
                reason="derivatives of complex numbers, and inside objects and records, are not followed",
                remedy="keep the numbers in float arrays, or in lists and dictionaries",
            )
        if not isinstance(shadows, Shadows) or not is_real_array(owner):
            owner[index] = old
            return {}
        g = take_at(shadows.of(owner), index)
        owner[index] = old
        return {name: give(shadows, g)}

    return None, back


def _is_float(value: Any) -> bool:
    return isinstance(value, (float, np.floating)) or (isinstance(value, ARRAYS) and value.dtype.kind == "f")


def summed(g: Any, shape: tuple[int, ...]) -> Any:
    """The cotangent of a stored array of this shape, from that of the elements that it was broadcast over."""
    if not shape:
        return g.sum() if isinstance(g, ARRAYS) else g
    total = sum_to(g, shape[max(0, len(shape) - np.ndim(g)) :])
    return total if np.shape(total) == shape else np.reshape(total, shape)


def _broadcast(value: Any) -> Giver:
    if is_record(value):
        raise refused(
            f"a {type(value).__name__} is written into an array",
            "the reverse sweep has to know which numbers of it were",
            "write a number or an array",
        )

    def give(shadows: Table, g: Any) -> float:
        if is_number(value):
            return shadows.give(value, g)
        # A list of arrays has the shape of the array that NumPy made of it.
        return shadows.give(value, summed(g, np.shape(value)))

    return give


def _picked(value: Any, picks: Any) -> Giver:
    """As `_broadcast`, where the element k of what was written is the element picks[k] of the value."""

    def give(shadows: Table, g: Any) -> float:
        if is_number(value):
            return shadows.give(value, g)
        total = np.zeros(np.shape(value))
        np.add.at(total.reshape(-1), picks, np.asarray(g).reshape(-1))
        return shadows.give(value, total)

    return give


def set_item(owner: Any, index: Any, value: Any) -> Mutation:
    def write() -> None:
        owner[index] = value

    return _store(owner, index, write, "value", _broadcast(value), value)


def fill(owner: Any, value: Any) -> Mutation:
    return _store(owner, ..., lambda: owner.fill(value), "value", _broadcast(value))


def _at_flat(shape: tuple[int, ...], positions: Any) -> Any:
    """The index of elements given by their positions in C order."""
    return np.unravel_index(positions, shape) if shape else ...


def _unchanged(write: Callable[[], Any]) -> Mutation:
    """What writes nothing, or raises."""
    write()
    return None, lambda shadows, d_value: {}


def put(a: Any, ind: Any, v: Any, mode: Any = "raise") -> Mutation:
    """`np.put`: by positions in C order, the values repeated as often as needed."""

    def write() -> None:
        np.put(a, ind, v, mode=mode)

    positions, count = np.asarray(ind).reshape(-1), np.size(v)
    if not isinstance(a, ARRAYS) or not (count and positions.size and a.size):
        return _unchanged(write)
    if mode == "clip":
        positions = np.clip(positions, 0, a.size - 1)
    else:
        if mode == "raise" and not np.all((-a.size <= positions) & (positions < a.size)):
            return _unchanged(write)
        positions = positions % a.size
    picks = np.arange(positions.size) % count
    if not a.ndim:
        picks = picks[-1:]  # the last value stays
    return _store(a, _at_flat(a.shape, positions), write, "v", _picked(v, picks))


def put_method(owner: Any, indices: Any, values: Any, mode: str = "raise") -> Mutation:
    _, back = put(owner, indices, values, mode)

    def named(shadows: Table, d_value: Any) -> dict[str, Any]:
        return {"values": back(shadows, d_value).get("v", 0.0)}

    return None, named


def place(arr: Any, mask: Any, vals: Any) -> Mutation:
    """`np.place`: where the mask holds, the first values in their order."""

    def write() -> None:
        np.place(arr, mask, vals)

    holds = np.array(mask, bool)
    if not isinstance(arr, ARRAYS) or holds.size != arr.size or not np.size(vals):
        return _unchanged(write)
    picks = np.arange(np.count_nonzero(holds)) % np.size(vals)
    return _store(arr, holds.reshape(arr.shape), write, "vals", _picked(vals, picks))


def put_mask(a: Any, mask: Any, values: Any) -> Mutation:
    """`np.putmask`: where the mask holds, the value at the same position."""

    def write() -> None:
        np.putmask(a, mask, values)

    holds = np.array(mask, bool)
    if not isinstance(a, ARRAYS) or holds.size != a.size or not np.size(values):
        return _unchanged(write)
    picks = np.flatnonzero(holds) % np.size(values)
    return _store(a, holds.reshape(a.shape), write, "values", _picked(values, picks))


def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> Mutation:
    """`np.fill_diagonal`: of a tall matrix again and again if `wrap`; values are repeated as needed."""

    def write() -> None:
        np.fill_diagonal(a, val, wrap)

    if not isinstance(a, ARRAYS) or a.ndim < 2:
        return _unchanged(write)
    if a.ndim == 2:
        positions = np.arange(a.size)[: None if wrap else a.shape[1] ** 2 : a.shape[1] + 1]
    else:
        positions = np.arange(a.size)[:: 1 + int(np.cumprod(a.shape[:-1]).sum())]
    picks = np.arange(positions.size) % max(1, np.size(val))
    return _store(a, _at_flat(a.shape, positions), write, "val", _picked(val, picks))


def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None) -> Mutation:
    def write() -> None:
        np.put_along_axis(arr, indices, values, axis)

    picked = np.asarray(indices)
    if axis is None:
        index = _at_flat(arr.shape, picked % arr.size)
    elif picked.ndim != arr.ndim or not -arr.ndim <= axis < arr.ndim:
        return _unchanged(write)
    else:
        axis %= arr.ndim
        index = tuple(
            picked
            if k == axis
            else np.arange(arr.shape[k]).reshape([-1 if j == k else 1 for j in range(arr.ndim)])
            for k in range(arr.ndim)
        )
    return _store(arr, index, write, "values", _broadcast(values))


def copy_to(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> Mutation:
    def write() -> None:
        np.copyto(dst, src, casting=casting, where=where)

    if not isinstance(dst, ARRAYS):
        return _unchanged(write)
    if where is True:
        return _store(dst, ..., write, "src", _broadcast(src))
    holds = np.broadcast_to(np.asarray(where), dst.shape)

    def give(shadows: Table, g: Any) -> float:
        whole = np.zeros(dst.shape, dst.dtype)
        whole[holds] = g
        return _broadcast(src)(shadows, whole)

    holds = holds.copy()
    return _store(dst, holds, write, "src", give)


# -- ufuncs at indices --------------------------------------------------------------------------------


_SIGNS: dict[np.ufunc, float] = {np.add: 1.0, np.subtract: -1.0}


def at(ufunc: np.ufunc, a: Any, indices: Any, b: Any = None) -> Mutation:
    """`ufunc.at(a, indices, b)`. In reverse, raises MissingRule for all but add and subtract."""
    indices = kept_index(indices)
    old = copied_at(a, indices)
    ufunc.at(a, indices, *(() if ufunc.nin == 1 else (b,)))
    sign = _SIGNS.get(ufunc)

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        a[indices] = old
        if not isinstance(shadows, Shadows) or not is_real_array(a):
            return {}
        if sign is None:
            raise MissingRule(
                f"np.{ufunc.__name__}.at has no derivative rule",
                reason="the gradient depends on what it writes",
                remedy="write a loop, y[i] = f(y[i], z), or use np.add.at",
            )
        # The old elements count once for each time that they are part of a sum: their adjoint stays.
        g = copied_at(shadows.of(a), indices)
        return {"b": _broadcast(b)(shadows, g if sign > 0 else -g)}

    return None, back


# -- permutations -------------------------------------------------------------------------------------


def _reordered(owner: Any, axis: int, old: Any) -> Back:
    """The elements were moved along an axis; which came from where is found by their ranks."""

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        if isinstance(shadows, Shadows) and is_real_array(owner):
            before = np.asarray(old)
            source = np.argsort(before, axis, kind="stable")
            target = np.argsort(np.asarray(owner), axis, kind="stable")
            d_owner = shadows.of(owner)
            g = np.asarray(take_at(d_owner, ...))
            d_before = np.empty_like(g)
            np.put_along_axis(d_before, source, np.take_along_axis(g, target, axis), axis)
            d_owner[...] = d_before
        owner[...] = old
        return {}

    return back


def _no_fields(order: Any) -> None:
    if order is not None:
        raise refused("an array is sorted by fields", "records have no derivatives", "sort a plain array")


def sort(owner: Any, axis: int = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Mutation:
    _no_fields(order)
    old = owner.copy()
    owner.sort(axis=axis, **({"kind": kind} if stable is None else {"stable": stable}))
    return None, _reordered(owner, axis, old)


def partition(owner: Any, kth: Any, axis: int = -1, kind: str = "introselect", order: Any = None) -> Mutation:
    _no_fields(order)
    old = owner.copy()
    owner.partition(kth, axis=axis, kind=kind)
    return None, _reordered(owner, axis, old)


def shuffle(shuffler: Callable[..., None], x: Any, axis: int = 0) -> Mutation:
    """What is drawn depends on the shape alone: positions are shuffled, and the elements moved likewise."""
    if not x.ndim or not -x.ndim <= axis < x.ndim:
        return _unchanged(lambda: shuffler(x, **({"axis": axis} if axis else {})))
    axis %= x.ndim
    order = np.arange(x.shape[axis]).reshape([-1] + [1] * (x.ndim - 1))
    shuffler(order)
    order = order.reshape(-1)
    every = (slice(None),) * axis
    x[...] = x[(*every, order)]

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        inverse = np.argsort(order)
        x[...] = x[(*every, inverse)]
        if isinstance(shadows, Shadows) and is_real_array(x):
            d_x = shadows.of(x)
            d_x[...] = d_x[(*every, inverse)]
        return {}

    return None, back


METHODS: dict[str, Callable[..., Mutation]] = {
    "__setitem__": set_item, "fill": fill, "partition": partition, "put": put_method, "sort": sort,
}  # fmt: skip

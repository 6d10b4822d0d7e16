"""Writes into lists: each function runs one, and gives its value and what takes it back.

Two ideas serve all of them. A *splice* puts items in the place of others; a *permutation* moves items. Slots,
the adjoints of the numbers, move with their items.
"""

from __future__ import annotations

import bisect
import itertools
import operator
from collections import deque
from collections.abc import Callable, KeysView
from typing import Any

from myia.errors import UnsupportedMutation
from myia.runtime.native import ARRAYS
from myia.runtime.shadows import SEQUENCES, Inactive, Shadows

Table = Shadows | Inactive
Back = Callable[[Table, Any], dict[str, Any]]
"""Takes a write back: from the number adjoint of its value to those of its operands, by name."""
Mutation = tuple[Any, Back]

_COPIED_FROM = (*SEQUENCES, *ARRAYS, dict, set, frozenset, str, bytes, range, KeysView)


def refused(what: str, reason: str, remedy: str) -> UnsupportedMutation:
    """The refusal of a write."""
    return UnsupportedMutation(what, reason=reason, remedy=remedy)


def copied_items(source: Any) -> Any:
    """`source`, whose items will be copied. Raises UnsupportedMutation if they cannot be had twice."""
    if isinstance(source, _COPIED_FROM) or not (
        hasattr(source, "__iter__") or hasattr(source, "__getitem__")
    ):
        return source
    raise refused(
        f"the items of a {type(source).__name__} are put into a container",
        "the reverse sweep has to know where each of them came from",
        "make a list of it first",
    )


# -- splices ------------------------------------------------------------------------------------------


def _splice_back(shadows: Table, owner: list[Any], start: int, stop: int, old: list[Any]) -> list[float]:
    """Put `old` back in the place of the items from `start` to `stop`; the adjoints of these items."""
    taken = [shadows.take_slot(owner, k) for k in range(start, stop)]
    shift = len(old) - (stop - start)
    if shift and stop < len(owner):
        shadows.move_slots(owner, lambda k: k + shift if k >= stop else k)
    owner[start:stop] = old
    return taken


def set_item(owner: list[Any], index: Any, value: Any) -> Mutation:
    if isinstance(index, slice):
        return _set_slice(owner, index, value)
    position = operator.index(index)
    old = owner[position]
    owner[position] = value
    if position < 0:
        position += len(owner)

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        owner[position] = old
        return {"value": shadows.take_slot(owner, position)}

    return None, back


def _set_slice(owner: list[Any], index: slice, value: Any) -> Mutation:
    places = range(*index.indices(len(owner)))
    size, old = len(owner), owner[index]
    owner[index] = copied_items(value)
    if places.step == 1:
        stop = places.start + len(owner) - size + len(old)

        def back(shadows: Table, d_value: Any) -> dict[str, Any]:
            taken = _splice_back(shadows, owner, places.start, stop, old)
            shadows.give_items(value, taken)
            return {}

        return None, back

    def back_apart(shadows: Table, d_value: Any) -> dict[str, Any]:
        taken = [shadows.take_slot(owner, k) for k in places]
        owner[index] = old
        shadows.give_items(value, taken)
        return {}

    return None, back_apart


def delete_item(owner: list[Any], index: Any) -> Mutation:
    if not isinstance(index, slice):
        position = operator.index(index)
        old, size = owner[position], len(owner)
        del owner[position]
        return _removed(owner, position + size if position < 0 else position, old, None)
    places = sorted(range(*index.indices(len(owner))))
    kept = sorted(set(range(len(owner))) - set(places))
    items = [owner[k] for k in places]
    del owner[index]

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        shadows.move_slots(owner, kept.__getitem__)
        for k, item in zip(places, items, strict=True):
            owner.insert(k, item)
        return {}

    return None, back


def _removed(owner: list[Any], position: int, item: Any, value: Any) -> Mutation:
    """The item at `position` was taken out; `value` is what the statement gives."""

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        _splice_back(shadows, owner, position, position, [item])
        shadows.add_slot(owner, position, d_value)
        return {}

    return value, back


def pop(owner: list[Any], index: Any = -1) -> Mutation:
    size = len(owner)
    item = owner.pop(index)
    position = operator.index(index)
    return _removed(owner, position + size if position < 0 else position, item, item)


def remove(owner: list[Any], value: Any) -> Mutation:
    try:
        position = owner.index(value)
    except ValueError:
        owner.remove(value)  # raises what Python says then
        raise
    return _removed(owner, position, owner.pop(position), None)


def insert(owner: list[Any], index: Any, value: Any) -> Mutation:
    size, position = len(owner), operator.index(index)
    owner.insert(position, value)
    position = max(0, position + size) if position < 0 else min(position, size)

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        (g,) = _splice_back(shadows, owner, position, position + 1, [])
        return {"value": g}

    return None, back


def append(owner: list[Any], value: Any) -> Mutation:
    owner.append(value)

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        owner.pop()
        return {"value": shadows.take_slot(owner, len(owner))}

    return None, back


def extend(owner: list[Any], values: Any) -> Mutation:
    size = len(owner)
    owner.extend(copied_items(values))
    stop = len(owner)

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        shadows.give_items(values, _splice_back(shadows, owner, size, stop, []))
        return {}

    return None, back


def clear(owner: list[Any]) -> Mutation:
    old = owner.copy()
    owner.clear()

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        owner[:] = old
        return {}

    return None, back


def repeat(owner: list[Any], count: Any) -> Mutation:
    """`owner *= count`."""
    size = len(owner)
    old = owner.copy() if operator.index(count) < 1 else None
    owner *= operator.index(count)

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        if old is not None:
            owner[:] = old
            return {}
        for k, g in enumerate(_splice_back(shadows, owner, size, len(owner), [])):
            shadows.add_slot(owner, k % size, g)
        return {}

    return owner, back


# -- permutations -------------------------------------------------------------------------------------


def _permute(owner: list[Any], order: list[int]) -> Mutation:
    """Put the item `order[k]` at position k."""
    owner[:] = [owner[k] for k in order]

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        shadows.move_slots(owner, order.__getitem__)
        now = owner.copy()
        for k, item in zip(order, now, strict=True):
            owner[k] = item
        return {}

    return None, back


def reverse(owner: list[Any] | deque[Any]) -> Mutation:
    owner.reverse()

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        owner.reverse()
        shadows.move_slots(owner, lambda k: len(owner) - 1 - k)
        return {}

    return None, back


def sort(owner: list[Any], *, key: Any = None, reverse: Any = False) -> Mutation:
    keys = owner if key is None else list(map(key, owner))
    # The keys are compared as list.sort compares them, in the same order.
    return _permute(owner, sorted(range(len(owner)), key=keys.__getitem__, reverse=reverse))


def shuffle(shuffler: Callable[[Any], None], owner: list[Any]) -> Mutation:
    """What is drawn depends on the length alone: positions are shuffled, and the items moved likewise."""
    order = list(range(len(owner)))
    shuffler(order)
    return _permute(owner, order)


# -- heaps: permutations along a path (heapq.py of the standard library, which the C module repeats) ---


def _rotate(items: list[Any], path: list[int]) -> None:
    """Move the item at path[0] to the end of the path, each other one place towards its beginning."""
    first = items[path[0]]
    for to, start in itertools.pairwise(path):
        items[to] = items[start]
    items[path[-1]] = first


def _rotated(heap: list[Any], path: list[int]) -> Back:
    _rotate(heap, path)
    before = dict(zip(path, [*path[1:], path[0]], strict=True))

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        _rotate(heap, path[::-1])
        shadows.move_slots(heap, lambda k: before.get(k, k))
        return {}

    return back


def _sift_down(heap: list[Any], start: int, position: int) -> Back:
    """Move the item at `position` towards the root, past greater ones, at most to `start`."""
    item, path = heap[position], [position]
    while position > start:
        parent = (position - 1) >> 1
        if not item < heap[parent]:
            break
        path.append(position := parent)
    return _rotated(heap, path)


def _sift_up(heap: list[Any], position: int) -> list[Back]:
    """Move the item at `position` down to a leaf, then back to where it belongs."""
    start, end, path = position, len(heap), [position]
    child = 2 * position + 1
    while child < end:
        right = child + 1
        if right < end and not heap[child] < heap[right]:
            child = right
        path.append(child)
        child = 2 * child + 1
    return [_rotated(heap, path), _sift_down(heap, start, path[-1])]


def _all_back(backs: list[Back]) -> Back:
    """Take several writes back, the last one first; the adjoint of the value belongs to the first."""

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for one in reversed(backs):
            found |= one(shadows, d_value)
        return found

    return back


def heap_push(heap: list[Any], item: Any) -> Mutation:
    _, pushed = append(heap, item)

    def named(shadows: Table, d_value: Any) -> dict[str, Any]:
        return {"item": pushed(shadows, d_value)["value"]}

    return None, _all_back([named, _sift_down(heap, 0, len(heap) - 1)])


def heap_pop(heap: list[Any]) -> Mutation:
    last, popped = pop(heap)
    if not heap:
        return last, popped
    value = heap[0]
    _, replaced = set_item(heap, 0, last)
    moved = _sift_up(heap, 0)

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        for one in reversed(moved):
            one(shadows, 0.0)
        d_last = replaced(shadows, 0.0)["value"]
        shadows.add_slot(heap, 0, d_value)
        return popped(shadows, d_last)

    return value, back


def heapify(heap: list[Any]) -> Mutation:
    backs = [back for k in reversed(range(len(heap) // 2)) for back in _sift_up(heap, k)]
    return None, _all_back(backs)


def _insort(place: Callable[..., int]) -> Callable[..., Mutation]:
    def insort(a: list[Any], x: Any, lo: int = 0, hi: int | None = None, *, key: Any = None) -> Mutation:
        position = place(a, x if key is None else key(x), lo, hi, key=key)
        _, inserted = insert(a, position, x)

        def back(shadows: Table, d_value: Any) -> dict[str, Any]:
            return {"x": inserted(shadows, d_value)["value"]}

        return None, back

    return insort


insort_left = _insort(bisect.bisect_left)
insort_right = _insort(bisect.bisect_right)

METHODS: dict[str, Callable[..., Mutation]] = {
    "__setitem__": set_item, "__delitem__": delete_item, "append": append, "clear": clear, "extend": extend,
    "insert": insert, "pop": pop, "remove": remove, "reverse": reverse, "sort": sort,
}  # fmt: skip

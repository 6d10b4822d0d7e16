"""Writes into dictionaries, sets and deques: each function runs one, and gives its value and its undoing.

Numbers in sets have no adjoints: a set is only taken back.
"""

from __future__ import annotations

import operator
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any

from myia.errors import UnsupportedMutation
from myia.runtime.mutate_lists import Mutation, Table, copied_items, refused, reverse
from myia.runtime.shadows import is_number

Dict = dict[Any, Any]


# -- dictionaries -------------------------------------------------------------------------------------


def set_item(owner: Dict, index: Any, value: Any) -> Mutation:
    known = index in owner
    old = owner[index] if known else None
    owner[index] = value

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        if known:
            owner[index] = old
        else:
            del owner[index]
        return {"value": shadows.take_slot(owner, index)}

    return None, back


def _take_out(owner: Dict, key: Any) -> Callable[[], None]:
    """Take out an entry; what puts it back where it was, under the key that it had."""
    following: list[Any] = []
    for own in reversed(owner):  # what was put in last is seldom far
        if own is key or own == key:
            break
        following.append(own)
    item = owner.pop(key)

    def put_back() -> None:
        after = [(later, owner.pop(later)) for later in reversed(following)]
        owner[own] = item
        owner.update(after)

    return put_back


def delete_item(owner: Dict, index: Any) -> Mutation:
    owner[index]  # raises what `del` would
    put_back = _take_out(owner, index)

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        put_back()
        return {}

    return None, back


def pop(owner: Dict, key: Any, *default: Any) -> Mutation:
    if key not in owner:
        return owner.pop(key, *default), lambda shadows, d_value: {"default": d_value}
    item = owner[key]
    put_back = _take_out(owner, key)

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        put_back()
        if is_number(item):
            shadows.add_slot(owner, key, d_value)
        return {}

    return item, back


def pop_item(owner: Dict) -> Mutation:
    pair = owner.popitem()
    key, item = pair

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        owner[key] = item
        if is_number(item):  # its adjoint is with the pair, which this statement made
            shadows.add_slot(owner, key, shadows.take_slot(pair, 1))
        return {}

    return pair, back


def set_default(owner: Dict, key: Any, default: Any = None) -> Mutation:
    known = key in owner
    value = owner.setdefault(key, default)

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        if known:
            if is_number(value):
                shadows.add_slot(owner, key, d_value)
            return {}
        del owner[key]
        return {"default": shadows.take_slot(owner, key) + (d_value if is_number(value) else 0.0)}

    return value, back


def _unknown_source(other: Any) -> UnsupportedMutation:
    return refused(
        f"a dictionary is updated from a {type(other).__name__} of neither keys and values nor pairs",
        "the reverse sweep has to know where each value came from",
        "make a dictionary of it first",
    )


def update(owner: Dict, other: Any = (), /, **named: Any) -> Mutation:
    """`owner.update(other, **named)`. Raises UnsupportedMutation unless from a dictionary or pairs."""
    if isinstance(other, Mapping):
        if not isinstance(other, dict):
            raise _unknown_source(other)
        entries = [(other, key, key) for key in other]
    else:
        pairs = list(copied_items(other))
        if not all(isinstance(pair, (tuple, list)) for pair in pairs):
            raise _unknown_source(pairs)
        entries = [(pair, 1, pair[0]) for pair in pairs]
    keys = {key: None for _, _, key in entries} | dict.fromkeys(named)
    old = {key: owner[key] for key in keys if key in owner}
    new = [key for key in keys if key not in owner]
    owner.update(other, **named)

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        taken = {key: shadows.take_slot(owner, key) for key in keys}
        for key in new:
            del owner[key]
        owner.update(old)
        given = {key: taken.pop(key) for key in named}
        for source, place, key in reversed(entries):  # of two values for a key the last one stayed
            g = taken.pop(key, 0.0)
            if source is not owner:
                shadows.add_slot(source, place, g)
            else:
                shadows.add_slot(owner, key, g)
        return given

    return None, back


def merge(owner: Dict, other: Any) -> Mutation:
    """`owner |= other`."""
    _, back = update(owner, other)
    return owner, back


def clear(owner: Dict) -> Mutation:
    old = dict(owner)
    owner.clear()

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        owner.update(old)
        return {}

    return None, back


METHODS: dict[str, Callable[..., Mutation]] = {
    "__setitem__": set_item, "__delitem__": delete_item, "clear": clear, "pop": pop, "popitem": pop_item,
    "setdefault": set_default, "update": update,
}  # fmt: skip
DICTS = (dict, defaultdict)


# -- sets ---------------------------------------------------------------------------------------------


def add(owner: set[Any], element: Any) -> Mutation:
    size = len(owner)
    owner.add(element)
    fresh = len(owner) > size

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        if fresh:
            owner.discard(element)
        return {}

    return None, back


def _on_set(name: str) -> Callable[..., Mutation]:
    method = getattr(set, name)

    def change(owner: set[Any], *others: Any) -> Mutation:
        old = owner.copy()
        value = method(owner, *others)

        def back(shadows: Table, d_value: Any) -> dict[str, Any]:
            owner.clear()
            owner.update(old)
            if value is not owner:  # of pop
                shadows.give_items({value}, [d_value])  # raises for a number that matters
            return {}

        return value, back

    return change


SET_METHODS: dict[str, Callable[..., Mutation]] = {"add": add} | {
    name: _on_set(name)
    for name in (
        "clear", "difference_update", "discard", "intersection_update", "pop", "remove",
        "symmetric_difference_update", "update", "__iand__", "__ior__", "__isub__", "__ixor__",
    )
}  # fmt: skip


# -- deques -------------------------------------------------------------------------------------------


def _push(owner: deque[Any], items: Any, left: bool) -> Callable[[Table], list[float]]:
    """Put items at one end, one after the other; a bounded deque drops what is then at the other end.

    What takes that back gives the adjoints of the items.
    """
    items = list(items)
    size, bound = len(owner), owner.maxlen
    stays = len(items) if bound is None else min(len(items), bound)
    dropped = 0 if bound is None else min(size, max(0, size + len(items) - bound))
    kept = size - dropped
    if left:
        old = [owner[k] for k in range(kept, size)]
        owner.extendleft(items)
    else:
        old = [owner[k] for k in range(dropped)]
        owner.extend(items)

    def back(shadows: Table) -> list[float]:
        places = range(stays - 1, -1, -1) if left else range(kept, kept + stays)
        taken = [shadows.take_slot(owner, k) for k in places]
        for _ in range(stays):
            owner.popleft() if left else owner.pop()
        if left:
            shadows.move_slots(owner, lambda k: k - stays)
            owner.extend(old)
        else:
            shadows.move_slots(owner, lambda k: k + dropped)
            owner.extendleft(reversed(old))
        return [0.0] * (len(items) - stays) + taken

    return back


def _one(left: bool) -> Callable[..., Mutation]:
    def append(owner: deque[Any], value: Any) -> Mutation:
        back = _push(owner, [value], left)
        return None, lambda shadows, d_value: {"value": back(shadows)[0]}

    return append


def _many(left: bool) -> Callable[..., Mutation]:
    def extend(owner: deque[Any], values: Any) -> Mutation:
        back = _push(owner, copied_items(values), left)

        def given(shadows: Table, d_value: Any) -> dict[str, Any]:
            shadows.give_items(values, back(shadows))
            return {}

        return None, given

    return extend


def _take(left: bool) -> Callable[..., Mutation]:
    def pop(owner: deque[Any]) -> Mutation:
        item = owner.popleft() if left else owner.pop()

        def back(shadows: Table, d_value: Any) -> dict[str, Any]:
            if left:
                owner.appendleft(item)
                shadows.move_slots(owner, lambda k: k + 1)
            else:
                owner.append(item)
            if is_number(item):
                shadows.add_slot(owner, 0 if left else len(owner) - 1, d_value)
            return {}

        return item, back

    return pop


def rotate(owner: deque[Any], n: Any = 1) -> Mutation:
    owner.rotate(n)

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        owner.rotate(-n)
        shadows.move_slots(owner, lambda k: (k - n) % len(owner))
        return {}

    return None, back


def clear_deque(owner: deque[Any]) -> Mutation:
    old = list(owner)
    owner.clear()

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        owner.extend(old)
        return {}

    return None, back


def set_deque_item(owner: deque[Any], index: Any, value: Any) -> Mutation:
    position = operator.index(index)
    old = owner[index]
    owner[index] = value
    if position < 0:
        position += len(owner)

    def back(shadows: Table, d_value: Any) -> dict[str, Any]:
        owner[position] = old
        return {"value": shadows.take_slot(owner, position)}

    return None, back


DEQUE_METHODS: dict[str, Callable[..., Mutation]] = {
    "__setitem__": set_deque_item, "append": _one(False), "appendleft": _one(True), "clear": clear_deque,
    "extend": _many(False), "extendleft": _many(True), "pop": _take(False), "popleft": _take(True),
    "reverse": reverse, "rotate": rotate,
}  # fmt: skip

"""What the normal form needs of lists, tuples and dictionaries."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping
from types import GeneratorType
from typing import Any

import numpy as np

from myia.errors import MissingRule, UnsupportedMutation, UnsupportedSyntax
from myia.runtime.adjoints import zeros_like
from myia.runtime.native import ARRAYS

__all__ = [
    "append",
    "as_list",
    "as_tuple",
    "builtin_len",
    "builtin_range",
    "builtin_set",
    "builtin_slice",
    "built",
    "copied_table_adjoint",
    "include",
    "insert",
    "get_adjoint",
    "items",
    "items_adjoint",
    "keys",
    "merged",
    "merged_adjoint",
    "owned",
    "plain",
    "popped",
    "sequence",
    "shortest",
    "unpacked",
    "unpacked_at_least",
    "values",
    "values_adjoint",
    "walked",
    "without_last",
]

builtin_len = builtins.len
builtin_range = builtins.range
builtin_set = builtins.set
builtin_slice = builtins.slice


def sequence(x: Any) -> Any:
    """`x` as something with a length and positions, to be walked over: itself, or a list of it.

    Raises UnsupportedSyntax for a generator, whose values the reverse sweep could not have again.
    """
    if isinstance(x, (list, tuple, *ARRAYS, range, str)):
        return x
    if isinstance(x, (GeneratorType, Iterator)):
        raise UnsupportedSyntax(
            f"a {type(x).__name__} is walked over",
            reason="its values are produced on demand, and the reverse sweep needs them again",
            remedy="make a list of it before the differentiated function",
        )
    return list(x)


def walked(x: Any, count: int) -> None:
    """The end of a loop over `x`. Raises UnsupportedMutation if it has grown: Python would have gone on."""
    if len(x) > count:
        raise UnsupportedMutation(
            "a list grows while it is walked over",
            reason="how often the loop runs is fixed when it begins, so that it can be reversed",
            remedy="write it with while and a position",
        )


def keys(table: Any) -> list[Any]:
    """The keys of a dictionary, in its order."""
    if not isinstance(table, Mapping):
        raise UnsupportedSyntax(
            f"items(), keys() or values() of a {type(table).__name__}",
            reason="only those of a dictionary are known to leave it unchanged",
            remedy="loop over a list",
        )
    return list(table)


def values(table: Any) -> list[Any]:
    """The values of a dictionary, in its order."""
    return [table[key] for key in keys(table)]


def items(table: Any) -> list[tuple[Any, Any]]:
    """The keys and values of a dictionary, in its order."""
    return [(key, table[key]) for key in keys(table)]


def values_adjoint(g: Any, table: Any) -> dict[Any, Any]:
    return dict(zip(table, g, strict=True))


def items_adjoint(g: Any, table: Any) -> dict[Any, Any]:
    pairs = zip(table, g, strict=True)
    return {key: pair[1] if isinstance(pair, (list, tuple)) else 0.0 for key, pair in pairs}


def get_adjoint(g: Any, table: Any, key: Any) -> dict[Any, Any]:
    """The adjoint of a dictionary from that of `table.get(key)`."""
    return {k: g if k == key else zeros_like(value) for k, value in table.items()}


def copied_table_adjoint(g: Any, x: Any) -> Any:
    """The adjoint of `x` in `dict(x)`. Raises MissingRule for a sequence of pairs."""
    if isinstance(x, Mapping):
        return g
    raise MissingRule(
        "dict() of pairs has no derivative rule",
        reason="the gradient depends on the values in the pairs",
        remedy="write a dictionary comprehension, {key: value for key, value in pairs}",
    )


def merged(table: dict[Any, Any], other: dict[Any, Any]) -> dict[Any, Any]:
    """A new dictionary with the entries of both; `other` wins."""
    return {**table, **other}


def merged_adjoint(g: dict[Any, Any], table: dict[Any, Any], winner: dict[Any, Any] | None) -> dict[Any, Any]:
    """The adjoint of `table` from that of the merged dictionary; entries `winner` replaced get zero."""
    return {
        key: zeros_like(value) if winner is not None and key in winner else g[key]
        for key, value in table.items()
    }


def shortest(*lengths: int) -> int:
    return min(lengths)


def as_list(x: Any) -> list[Any]:
    """The elements of a sequence, in a list of its own."""
    return list(sequence(x))


def as_tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x)


def unpacked(x: Any, count: int) -> Any:
    """`x`, checked to have `count` elements; raises what Python raises for `a, b = x`."""
    x = keys(x) if isinstance(x, Mapping) else sequence(x)
    if len(x) > count:
        raise ValueError(f"too many values to unpack (expected {count})")
    if len(x) < count:
        raise ValueError(f"not enough values to unpack (expected {count}, got {len(x)})")
    return x


def unpacked_at_least(x: Any, count: int) -> list[Any]:
    """The elements of `x` in a list, checked to be at least `count`, for `a, *b = x`."""
    elements = keys(x) if isinstance(x, Mapping) else as_list(x)
    if len(elements) < count:
        raise ValueError(f"not enough values to unpack (expected at least {count}, got {len(elements)})")
    return elements


def plain(*operands: Any) -> None:
    """Check that operators on the operands mean what the derivative rules say.

    Raises MissingRule for an object of a class with operators of its own, subclasses of ndarray included.
    """
    for x in operands:
        kind = type(x)
        if kind not in _PLAIN and not isinstance(x, (np.generic, int, float)):
            raise MissingRule(
                f"an operator of {kind.__module__}.{kind.__qualname__}",
                reason="the gradient depends on its result, and its class may define it in its own way",
                remedy="compute with floats and arrays, or convert the object with np.asarray",
            )


_PLAIN = frozenset({float, int, bool, *ARRAYS, list, tuple, dict, str, type(None), complex, range})


def append(items: list[Any], item: Any) -> list[Any]:
    """Append in place: only for a list under construction, that nothing else refers to."""
    items.append(item)
    return items


def insert(table: dict[Any, Any], key: Any, value: Any) -> dict[Any, Any]:
    """Insert in place: only for a dictionary under construction."""
    table[key] = value
    return table


def include(members: set[Any], member: Any) -> set[Any]:
    """Add in place: only for a set under construction."""
    members.add(member)
    return members


def built(x: Any) -> Any:
    """The container, now complete."""
    return x


def owned(d_x: Any) -> Any:
    """A container of adjoints that may be taken apart: a copy, the elements shared."""
    return list(d_x) if isinstance(d_x, (list, tuple)) else dict(d_x)


def without_last(d_items: list[Any]) -> list[Any]:
    """The adjoint of a list before its last `append`, in place."""
    d_items.pop()
    return d_items


def popped(d_table: dict[Any, Any], key: Any, value: Any) -> Any:
    """Take out the adjoint of the value last inserted under `key`; zero if another replaced it."""
    return d_table.pop(key) if key in d_table else zeros_like(value)

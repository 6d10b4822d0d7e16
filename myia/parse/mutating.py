"""The functions and methods of Python and NumPy that write into a receiver or an argument.

`runtime/mutators.py` runs them and takes them back. What is in `NEVER` is refused: it changes what the
types say (a shape, a flag), or something that cannot be taken back.
"""

from __future__ import annotations

import bisect
import heapq
import operator
from typing import Any

import numpy as np

_LIST = frozenset({"append", "insert", "extend", "remove", "pop", "clear", "sort", "reverse"})
_DICT = frozenset({"update", "setdefault", "pop", "popitem", "clear"})
_ARRAY = frozenset({"fill", "sort", "partition", "put", "itemset"})
_SET = frozenset({"add", "discard", "remove", "pop", "clear", "update"})
_DEQUE = frozenset({"append", "appendleft", "extend", "extendleft", "pop", "popleft", "rotate", "clear"})
_ITEMS = frozenset({"__setitem__", "__delitem__"})

METHODS_OF: dict[str, frozenset[str]] = {
    "list": _LIST | _ITEMS,
    "dict": _DICT | _ITEMS,
    "array": _ARRAY | {"__setitem__"},
    "any": _LIST | _DICT | _ARRAY | _SET | _DEQUE | _ITEMS,
}
"""The methods that write into their receiver, by what is known of that."""

NEVER = frozenset(
    {
        "resize", "setfield", "setflags", "byteswap", "__iadd__", "__isub__", "__imul__", "__imatmul__",
        "__itruediv__", "__ifloordiv__", "__imod__", "__ipow__", "__iand__", "__ior__", "__ixor__",
        "__ilshift__", "__irshift__", "__setattr__", "__delattr__", "shuffle",
    }
)  # fmt: skip

UPDATES: dict[Any, Any] = {
    operator.iadd: operator.add, operator.isub: operator.sub, operator.imul: operator.mul,
    operator.itruediv: operator.truediv, operator.ipow: operator.pow, operator.imatmul: operator.matmul,
    operator.ifloordiv: operator.floordiv, operator.imod: operator.mod, operator.iand: operator.and_,
    operator.ior: operator.or_, operator.ixor: operator.xor, operator.ilshift: operator.lshift,
    operator.irshift: operator.rshift,
}  # fmt: skip
"""In-place operators, each with the operator that makes a new value."""

FUNCTIONS: frozenset[Any] = frozenset(
    {
        np.copyto, np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis,
        heapq.heappush, heapq.heappop, heapq.heapify, bisect.insort, bisect.insort_right,
        bisect.insort_left, operator.setitem,
    }
)  # fmt: skip
"""Functions that write into their first argument."""

RANDOM = {"random": 2, "standard_normal": 2, "standard_exponential": 3, "standard_gamma": 3}
"""Methods of NumPy's random generators, with the position of `out`."""


def writes(function: Any) -> bool:
    """Whether a known callable is one of these: a function, or `list.append` taken from its class."""
    if getattr(function, "__objclass__", None) in (list, dict, set, np.ndarray):
        return function.__name__ in METHODS_OF["any"]
    try:
        return function in FUNCTIONS
    except TypeError:
        return False


def is_update(function: Any) -> bool:
    """Whether a known callable is an in-place operator."""
    try:
        return function in UPDATES
    except TypeError:
        return False

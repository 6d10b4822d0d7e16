"""Private copies of the arguments that a function writes into: the caller's own are never changed.

What is reached twice inside an argument is copied once, and views that overlap stay views of one memory: the
program sees the same aliases in the copies.
"""

from __future__ import annotations

import copy
import ctypes
import functools
import inspect
from collections import deque
from collections.abc import Callable, Iterable
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from myia import _runtime
from myia.errors import UnsupportedMutation
from myia.runtime.native import ARRAYS, Array
from myia.runtime.shadows import SEQUENCES, attributes_of, entries_of, is_record

__all__ = ["own", "private"]

_MUTABLE = (list, dict, set, deque)
_NAMED = (type, ModuleType, FunctionType)
"""What belongs to all who know its name."""


def private(
    values: tuple[Any, ...],
    names: tuple[str, ...],
    written: tuple[bool, ...],
    donated: tuple[bool, ...] | None = None,
    outside: Callable[[], Iterable[tuple[str, Any]]] | None = None,
) -> tuple[Any, ...]:
    """The arguments, with copies in the place of those that are written and not donated.

    An Array gives an Array, in C order unless it is contiguous in Fortran's. `outside` gives, with their
    names, what called functions read that is not their own. Raises UnsupportedMutation if a written argument
    shares memory, a container or an object with another argument or with one of those, or holds what cannot
    be copied.
    """
    others = [] if outside is None else list(outside())
    found = [_Contents(value) for value in (*values, *(value for _, value in others))]
    _refuse_shared(found, (*names, *(name for name, _ in others)), (*written, *(False for _ in others)))
    for name, contents, on in zip(names, found, written, strict=False):
        if on and any(isinstance(x, np.ndarray) and x.dtype.hasobject for x in contents.arrays):
            raise UnsupportedMutation(
                f"{name!r}, which is written, holds an array of Python objects",
                reason="what is in it would be written too, and is not followed there",
                remedy="keep arrays in lists, tuples or dictionaries",
            )
    copied = [on and not (donated and donated[k]) for k, on in enumerate(written)]
    if not any(copied):
        return values
    copies = _Copies([array for k, on in enumerate(copied) if on for array in found[k].arrays])
    return tuple(copies.of(value) if on else value for value, on in zip(values, copied, strict=True))


def own(x: Any, name: str) -> None:
    """Raise UnsupportedMutation if `x.name`, which is written, is not the object's own, or not followed.

    What a class, a module or a function holds is seen by all, and a gradient must leave no trace there.
    """
    if isinstance(x, ARRAYS):
        if name in ("base", "flat", "data", "ctypes", "imag"):
            raise UnsupportedMutation(
                f"memory of an array is written through its attribute {name!r}",
                reason="which elements that writes is not followed",
                remedy="index the array itself",
            )
        return
    shared = isinstance(x, _NAMED)
    if not shared:
        found = inspect.getattr_static(type(x), name, None)
        shared = name not in getattr(x, "__dict__", ()) and not hasattr(type(found), "__get__")
    if shared and isinstance(getattr(x, name), (*_MUTABLE, *ARRAYS)):
        raise UnsupportedMutation(
            f"{name!r} of {x.__name__ if isinstance(x, _NAMED) else type(x).__name__} is written in place",
            reason="it belongs to a class, a module or a function, and a gradient must leave no trace there",
            remedy="set it on the object, in __init__",
        )


class _Contents:
    """The arrays, containers and objects that are reached from a value."""

    def __init__(self, value: Any) -> None:
        self.arrays: list[Any] = []
        self.changeable: dict[int, Any] = {}
        seen: dict[int, Any] = {}
        pending = [value]
        while pending:
            x = pending.pop()
            if isinstance(x, ARRAYS):
                if id(x) not in seen:
                    seen[id(x)] = x
                    self.arrays.append(x)
                continue
            parts = entries_of(x)
            if parts is None and not isinstance(x, set):
                continue
            if id(x) in seen:
                continue
            seen[id(x)] = x
            if isinstance(x, _MUTABLE) or is_record(x):
                self.changeable[id(x)] = x
            pending += list(x) if parts is None else [item for _, item in parts]
            if is_record(x):  # what its class holds for all objects
                pending += [
                    v
                    for c in type(x).__mro__
                    for v in vars(c).values()
                    if isinstance(v, (*ARRAYS, *_MUTABLE))
                ]


_HOLDING = (BaseException, functools.partial)


# -- what is shared -----------------------------------------------------------------------------------


def _refuse_shared(found: list[_Contents], names: tuple[str, ...], written: tuple[bool, ...]) -> None:
    owners: dict[int, int] = {}
    for k, contents in enumerate(found):
        for identity in contents.changeable:
            first = owners.setdefault(identity, k)
            if first != k and (written[first] or written[k]):
                raise _shared(names, written, first, k)
    if sum(bool(contents.arrays) for contents in found) < 2:
        return
    spans = [(*_extent(array), k, array) for k, contents in enumerate(found) for array in contents.arrays]
    spans.sort(key=lambda span: span[0])
    open_yet: list[tuple[int, int, int, Any]] = []
    for low, high, k, array in spans:
        open_yet = [span for span in open_yet if span[1] > low]
        for _, _, other, earlier in open_yet:
            if other != k and (written[other] or written[k]) and _overlap(earlier, array):
                raise _shared(names, written, *sorted((other, k)))
        open_yet.append((low, high, k, array))


def _overlap(a: Any, b: Any) -> bool:
    bound: Any = 1_000_000  # the exact answer may take exponential time
    try:
        return bool(np.shares_memory(np.asarray(a), np.asarray(b), max_work=bound))
    except np.exceptions.TooHardError:
        return True


def _shared(
    names: tuple[str, ...], written: tuple[bool, ...], first: int, second: int
) -> UnsupportedMutation:
    a, b = names[first], names[second]
    return UnsupportedMutation(
        f"{a!r} and {b!r} share memory, and {(a if written[first] else b)!r} is written",
        reason="a write through one of them changes the other, so neither has a derivative of its own",
        remedy="pass a copy of one of them",
    )


# -- copies -------------------------------------------------------------------------------------------


def _extent(array: Any) -> tuple[int, int]:
    """The addresses of the first byte of an array and of the one after its last."""
    low, high = np.lib.array_utils.byte_bounds(np.asarray(array))
    return int(low), int(high) if array.size else int(low)


def _may_overlap_itself(array: Any) -> bool:
    """Whether two elements may lie at one address: each axis has to step over all that the smaller span."""
    reach = int(array.itemsize)
    if array.ndim == 1:
        return bool(array.shape[0] > 1 and abs(array.strides[0]) < reach)
    axes = zip(array.strides, array.shape, strict=True)
    for stride, count in sorted((abs(stride), count) for stride, count in axes if count > 1):
        if stride < reach:
            return True
        reach += stride * (count - 1)
    return False


class _Copies:
    """The copies of what some arguments hold: one for each array, container and object."""

    def __init__(self, arrays: list[Any]) -> None:
        self._known: dict[int, tuple[Any, Any]] = {}  # with the original, whose identity must last
        distinct = list({id(array): array for array in arrays}.values())
        if len(distinct) == 1 and not _may_overlap_itself(distinct[0]):
            return  # nothing to keep together
        spans = sorted(((*_extent(array), array) for array in distinct), key=lambda span: span[0])
        group: list[tuple[int, int, Any]] = []
        for span in spans:
            if group and span[0] >= max(high for _, high, _ in group):
                self._together(group)
                group = []
            group.append(span)
        self._together(group)

    def _together(self, group: list[tuple[int, int, Any]]) -> None:
        """Copy the memory that overlapping arrays span once, and make the same views of the copy."""
        alone = len(group) == 1 and not _may_overlap_itself(group[0][2])
        if not group or alone:
            return
        repeating = [array for _, _, array in group if _runtime.overlaps_itself(array)]
        if repeating and (len(group) > 1 or np.asarray(group[0][2]).flags.writeable):
            raise UnsupportedMutation(
                "an argument that is written has several elements in one place",
                reason="a write to one of them changes the others, so they have no derivatives of their own",
                remedy="pass a copy of it",
            )
        if repeating:
            return  # a broadcast view, which nobody writes: its copy has a place for each element
        start, stop = group[0][0], max(high for _, high, _ in group)
        skew = start % 64  # elements stay as aligned as they were
        memory = np.empty(stop - start + skew + 64, np.uint8)
        offset = (skew - memory.ctypes.data) % 64
        ctypes.memmove(memory.ctypes.data + offset, start, stop - start)
        for _, _, array in group:
            plain = np.asarray(array)
            made = np.ndarray(
                plain.shape,
                plain.dtype,
                memory,
                offset + plain.__array_interface__["data"][0] - start,
                plain.strides,
            )
            made.flags.writeable = plain.flags.writeable
            self._known[id(array)] = (array, _runtime.asarray(made) if isinstance(array, Array) else made)

    def of(self, x: Any) -> Any:
        """The copy of a value. Numbers, functions and the like are themselves."""
        if id(x) in self._known:
            return self._known[id(x)][1]
        if isinstance(x, ARRAYS):
            flags = np.asarray(x).flags
            made = x.copy("F") if flags.fnc else x.copy()
            if not flags.writeable:
                made = _read_only(made)
            return self._kept(x, made)
        if isinstance(x, tuple):
            items = [self.of(item) for item in x]
            if all(item is old for item, old in zip(items, x, strict=True)):
                return x
            return self._kept(x, tuple.__new__(type(x), items))
        if isinstance(x, (*SEQUENCES, dict, set)) and _hidden(x):
            raise _not_copied(x)
        if isinstance(x, SEQUENCES):
            # Known before its items are: it may hold itself.
            fresh = self._kept(x, copy.copy(x))
            fresh.clear()
            fresh.extend(self.of(item) for item in x)
            return fresh
        if isinstance(x, dict):
            table = self._kept(x, copy.copy(x))
            for key, item in x.items():
                table[key] = self.of(item)
            return table
        if isinstance(x, set):
            return self._kept(x, copy.copy(x))
        if is_record(x):
            thing = self._kept(x, _copy_of(x))
            for name, item in attributes_of(x).items():
                object.__setattr__(thing, name, self.of(item))
            return thing
        if not isinstance(x, _NAMED) and _hidden(x):
            raise _not_copied(x)
        return x

    def _kept(self, x: Any, made: Any) -> Any:
        self._known[id(x)] = (x, made)
        return made


def _copy_of(x: Any) -> Any:
    """A shallow copy of an object. Raises UnsupportedMutation if its class has none."""
    try:
        made = copy.copy(x)
    except (TypeError, ValueError, AttributeError, NotImplementedError, copy.Error) as error:
        raise _not_copied(x) from error
    if made is x:  # a class may say that its objects are not to be copied
        raise _not_copied(x)
    return made


def _hidden(x: Any) -> bool:
    """Whether a value holds what may be written, in attributes that are not copied with it."""
    held = [*getattr(x, "args", ()), *getattr(x, "keywords", {}).values()] if isinstance(x, _HOLDING) else []
    held += getattr(x, "__dict__", {}).values()
    return any(isinstance(v, (*ARRAYS, *_MUTABLE)) or is_record(v) for v in held)


def _not_copied(x: Any) -> UnsupportedMutation:
    return UnsupportedMutation(
        f"an argument that is written holds an object of class {type(x).__name__}, which cannot be copied",
        reason="the caller's own must stay as it is",
        remedy="use lists, tuples, dictionaries, or objects of plain classes",
    )


def _read_only(x: Any) -> Any:
    """Writing into it raises, as it would into the argument."""
    plain = np.asarray(x)
    plain.flags.writeable = False
    return _runtime.asarray(plain) if isinstance(x, Array) else plain

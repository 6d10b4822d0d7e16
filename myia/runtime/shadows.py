"""Shadows: the adjoints of what may be written in place, or reached under several names.

An array's shadow is memory of the size of its storage; a view's shadow is the same view of that. Numbers in a
list, tuple, dictionary or object have a slot in a table of the container, found by its identity; items that
are arrays or containers have shadows of their own, and their slots stay empty. Numbers alone are values:
their adjoints are local variables of the emitted code.

>>> import numpy as np
>>> shadows, y, items = Shadows(), np.ones(3), [2.0, np.ones(2)]
>>> shadows.add(y[1:], 0.0, np.array([5.0, 6.0]))
0.0
>>> shadows.add(items, 0.0, [7.0, np.array([8.0, 9.0])])
0.0
>>> shadows.tree((y, items))
[array([0., 5., 6.]), [7.0, array([8., 9.])]]
"""

from __future__ import annotations

import enum
import functools
import inspect
import random
from collections import deque
from collections.abc import Callable, Iterator
from types import FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

import numpy as np

from myia import _runtime
from myia._runtime import shares, take_at
from myia.errors import MissingRule, NotDifferentiable
from myia.runtime.adjoints import add_at
from myia.runtime.native import ARRAYS

__all__ = ["Shadows"]


# -- kinds of values --------------------------------------------------------------------------------

SEQUENCES = (list, tuple, deque)
"""The containers of items by position."""

_OPAQUE = (type, ModuleType, FunctionType, MethodType, enum.Enum, BaseException, random.Random)
_VALUES = (float, int, complex, str, bytes, np.generic, type(None))
_HEAP_TYPE = 1 << 9
_QUICK = frozenset({float, int, bool, str, type(None), np.float64, np.float32, np.int64, np.bool_})
"""The kinds of most numbers, known without asking further."""


def is_record(x: Any) -> bool:
    """Whether a value is a container of attributes: an object of a class written in Python."""
    kind: Any = type(x)
    return _has_attributes(kind)


@functools.lru_cache(maxsize=4096)
def _has_attributes(kind: Any) -> bool:
    if issubclass(kind, (*_OPAQUE, *_VALUES, *SEQUENCES, *ARRAYS, dict, set, frozenset)):
        return False
    return bool(kind.__flags__ & _HEAP_TYPE) and bool(kind.__dictoffset__ or _slot_names(kind))


@functools.lru_cache(maxsize=4096)
def _slot_names(kind: Any) -> tuple[str, ...]:
    """The attributes that `__slots__` of a class and its bases name."""
    return tuple(
        name
        for base in reversed(kind.__mro__)
        if "__slots__" in vars(base)
        for name, member in vars(base).items()
        if isinstance(member, MemberDescriptorType)
    )


def attributes_of(x: Any) -> dict[str, Any]:
    """The attributes that an object itself holds, by name."""
    kind: Any = type(x)
    slots = {name: getattr(x, name) for name in _slot_names(kind) if hasattr(x, name)}
    return {**slots, **getattr(x, "__dict__", {})}


def holds_attribute(x: Any, name: str) -> bool:
    """Whether an object itself holds an attribute: not its class, and not by computing it."""
    kind: Any = type(x)
    return name in getattr(x, "__dict__", ()) or name in _slot_names(kind)


def entries_of(x: Any) -> Iterator[tuple[Any, Any]] | None:
    """The keys and parts of a container: positions, keys, or names of attributes. None for anything else."""
    if isinstance(x, (*_VALUES, *ARRAYS)):
        return None
    if isinstance(x, SEQUENCES):
        return enumerate(x)
    if isinstance(x, dict):
        return iter(x.items())
    return iter(attributes_of(x).items()) if is_record(x) else None


def is_number(x: Any) -> bool:
    """Whether the adjoint of `x` is a number: of all that is no array and no container."""
    return (
        type(x) in _QUICK
        or isinstance(x, _VALUES)
        or not (isinstance(x, (*ARRAYS, *SEQUENCES, dict)) or is_record(x))
    )


def is_real_array(x: Any) -> bool:
    """Whether `x` is an array that has a shadow."""
    return isinstance(x, ARRAYS) and x.dtype.kind == "f"


class Slots(dict[Any, float]):
    """The adjoints of the numbers in one container, by position, key or name; what is missing is zero."""

    def __missing__(self, key: Any) -> float:
        return 0.0


class Shadows(_runtime.Shadows):
    """The shadows of one call: of storages (`of`, `take`, `has`), and of what is in containers."""

    def __init__(self) -> None:
        super().__init__()
        # The containers are kept: the identity of one that is gone could come back as another's.
        self._slots: dict[int, tuple[Any, Slots]] = {}

    # -- slots --------------------------------------------------------------------------------------

    def slots(self, container: Any) -> Slots:
        """The adjoints of the numbers in a container, to be read and changed; missing ones are zero."""
        found = self._slots.get(id(container))
        if found is None:
            found = self._slots[id(container)] = (container, Slots())
        return found[1]

    def has_slots(self, container: Any) -> bool:
        """Whether a number in the container has an adjoint."""
        found = self._slots.get(id(container))
        return found is not None and bool(found[1])

    def forget(self, container: Any) -> None:
        """Let go of the slots of a container."""
        self._slots.pop(id(container), None)

    def add_slot(self, container: Any, key: Any, g: Any) -> None:
        """Add to the adjoint of the number under a key of a container."""
        if type(g) is float:
            if g != 0.0:
                slots = self.slots(container)
                slots[key] = slots[key] + g
        elif (part := number_of(g)) != 0.0:
            slots = self.slots(container)
            slots[key] = slots[key] + part

    def take_slot(self, container: Any, key: Any) -> float:
        """The adjoint of the number under a key, which is zero then: the number was just put there."""
        found = self._slots.get(id(container))
        return 0.0 if found is None else found[1].pop(key, 0.0)

    def move_slots(self, container: Any, before: Callable[[Any], Any]) -> None:
        """Move every slot from its key now to the key that its number had before."""
        found = self._slots.get(id(container))
        if found is not None and found[1]:
            moved = Slots({before(key): g for key, g in found[1].items()})
            self._slots[id(container)] = (container, moved)

    # -- contributions ------------------------------------------------------------------------------

    def add(self, x: Any, d_x: Any, g: Any) -> Any:
        """Add the cotangent `g` to the adjoint of `x`; `d_x` is the adjoint of `x` if that is a number.

        `g` is a number for a number; an array, a number or nested lists of them for an array; for a container
        a list, an array or a dictionary of its parts' cotangents, where 0.0 and what is missing is nothing.
        Returns what `d_x` is then.
        """
        if isinstance(x, ARRAYS):
            if not _is_nothing(g) and x.dtype.kind in "fc":  # of() refuses a complex array
                shadow = self.of(x)
                shadow += np.asarray(g) if isinstance(g, (list, tuple)) else g
            return d_x
        if isinstance(x, SEQUENCES):
            if isinstance(g, (list, tuple)) or (isinstance(g, ARRAYS) and g.ndim):
                for key, (item, part) in enumerate(zip(x, g, strict=True)):
                    self._add_part(x, key, item, part)
            return d_x
        if isinstance(g, dict):
            for key, item in entries_of(x) or ():
                if key in g:
                    self._add_part(x, key, item, g[key])
            return d_x
        if isinstance(g, (list, tuple)) or not is_number(x) or isinstance(x, (str, bytes)):
            return d_x
        return d_x + g

    def _add_part(self, owner: Any, key: Any, item: Any, g: Any) -> None:
        if is_number(item):
            self.add_slot(owner, key, g)
        elif not _is_nothing(g):
            self.add(item, 0.0, g)

    def give(self, x: Any, g: Any) -> float:
        """Add the cotangent `g` to the adjoint of an operand; what is added if that is a number, else 0.0."""
        if not is_number(x):
            self.add(x, 0.0, g)
            return 0.0
        return number_of(g)

    def give_items(self, source: Any, g: list[float]) -> None:
        """Add cotangents to the numbers that were copied from `source`, in the order in which it gives them.

        Raises MissingRule for numbers of a set or of a dictionary's keys, which have no adjoints.
        """
        if isinstance(source, ARRAYS):
            if source.ndim == 1:  # otherwise the items were views
                self.add(source, 0.0, g)
        elif isinstance(source, SEQUENCES):
            self.add(source, 0.0, g)
        elif any(g) and any(isinstance(item, (float, np.floating)) for item in source):
            raise MissingRule(
                f"numbers are copied from a {type(source).__name__}",
                reason="the gradient depends on them, and they have no adjoints there",
                remedy="keep them in a list",
            )

    def item(self, owner: Any, key: Any, value: Any, d_value: Any) -> None:
        """The reverse of `value = owner[key]`, where only the run knows what they are.

        `d_value` is the adjoint of the value if that is a number.
        """
        if isinstance(owner, ARRAYS):
            if owner.dtype.kind != "f":
                return
            if isinstance(value, ARRAYS):
                if not shares(value, owner):  # a copy of the elements
                    add_at(self.of(owner), key, self.take(value))
            elif not _is_nothing(d_value):
                add_at(self.of(owner), key, d_value)
        elif isinstance(owner, SEQUENCES):
            if isinstance(key, slice):
                if value is not owner:  # a tuple is its own slice t[:]
                    self._part_of(owner, range(*key.indices(len(owner))), value)
            elif is_number(value):
                position = key.__index__()
                self.add_slot(owner, position + len(owner) if position < 0 else position, d_value)
        elif isinstance(owner, dict) and is_number(value):
            self.add_slot(owner, key, d_value)
        elif isinstance(owner, np.floating):
            raise MissingRule(
                "an index of a single number",
                reason="the gradient depends on it, and what it gives is the number itself or a new array",
                remedy="leave the index out, or make an array with np.array or reshape",
            )

    def _part_of(self, owner: Any, positions: range, value: Any) -> None:
        """Move the slots of a slice, which was a container of its own, to where its items came from."""
        if self.has_slots(value):
            for key, g in self.slots(value).items():
                self.add_slot(owner, positions[key], g)
        self.forget(value)

    def attribute(self, owner: Any, name: str, value: Any, d_value: Any) -> None:
        """The reverse of `value = owner.name`, where only the run knows what they are.

        Raises MissingRule for an attribute that a property computes.
        """
        if isinstance(inspect.getattr_static(type(owner), name, None), property) and is_record(owner):
            raise MissingRule(
                f"the property {name!r} of a {type(owner).__name__}",
                reason="the gradient depends on what it computes, and the type of its object is not known",
                remedy="call a function instead, or keep the value in an attribute",
            )
        if isinstance(owner, ARRAYS) or not is_number(value):
            return  # a view, a shape, or a reference
        if isinstance(owner, tuple):
            fields = getattr(owner, "_fields", ())
            if name in fields:
                self.add_slot(owner, fields.index(name), d_value)
        elif is_record(owner) and holds_attribute(owner, name):
            self.add_slot(owner, name, d_value)

    # -- reading adjoints off -----------------------------------------------------------------------

    def cotangent(self, y: Any, d_y: Any, operands: tuple[Any, ...] = ()) -> Any:
        """The cotangent of a value that the statement being reversed has made.

        A number's is `d_y`. Of what is one of the operands, or in one of them, or shares memory with an array
        there, it is 0.0: the shadow is theirs already. Otherwise an array's shadow is taken out of the table,
        and so are the slots of a container, whose cotangent is a list or a dictionary of those of its parts.
        """
        if is_number(y):
            return d_y
        if any(y is x or shares(y, x) for x in operands):
            return 0.0
        reached = _Reached(operands)
        if reached.holds(y):
            return 0.0
        if isinstance(y, ARRAYS):
            return self.take(y)
        made: list[Any] = []
        tree = self._taken_apart(y, reached, made)
        for array in made:
            self.take(array)
        return tree

    def _taken_apart(self, y: Any, reached: _Reached, made: list[Any]) -> Any:
        if isinstance(y, ARRAYS):
            if y.dtype.kind == "c":
                return 0.0  # it never has a shadow
            if y.dtype.kind == "f":
                made.append(y)
            # Parts may be views of one memory (np.split), or one array twice: each element is given once.
            return take_at(self.of(y), ...)
        reached.add(y)  # also against a container in itself
        slots = self._slots.pop(id(y), (None, Slots()))[1]
        parts = {
            key: slots[key]
            if is_number(item)
            else 0.0
            if reached.holds(item)
            else self._taken_apart(item, reached, made)
            for key, item in entries_of(y) or ()
        }
        return list(parts.values()) if isinstance(y, SEQUENCES) else parts

    def tree(self, x: Any, d_x: Any = 0.0) -> Any:
        """The adjoint of an argument when the reverse sweep has ended, as `adjoints.like` takes it.

        `d_x` is the adjoint of the argument if that is a number.
        """
        return d_x if is_number(x) else self._tree(x, set())

    def ended(self, container: Any) -> Slots:
        """Take out the slots of a container when the reverse sweep passes the statement that made it."""
        return self._slots.pop(id(container), (None, Slots()))[1]

    def _tree(self, x: Any, above: set[int]) -> Any:
        if isinstance(x, ARRAYS):
            if x.dtype.kind == "c":
                return 0.0
            # In a container one array may stand twice: each element's adjoint is given once, where it stands
            # first.
            return take_at(self.of(x), ...) if above and x.dtype.kind == "f" else self.of(x)
        if is_number(x) or id(x) in above:  # a container in itself has no tree
            return 0.0
        slots = self._slots.get(id(x), (None, Slots()))[1]
        above.add(id(x))
        parts = {
            key: slots[key] if is_number(item) else self._tree(item, above)
            for key, item in entries_of(x) or ()
        }
        above.discard(id(x))
        return list(parts.values()) if isinstance(x, SEQUENCES) else parts


class Inactive:
    """In the place of a table where nothing is active: there are no adjoints, only values are taken back."""

    def take_slot(self, container: Any, key: Any) -> float:
        return 0.0

    def move_slots(self, container: Any, before: Callable[[Any], Any]) -> None:
        return

    def add_slot(self, container: Any, key: Any, g: Any) -> None:
        return

    def give(self, x: Any, g: Any) -> float:
        return 0.0

    def give_items(self, source: Any, g: list[float]) -> None:
        return

    def item(self, owner: Any, key: Any, value: Any, d_value: Any) -> None:
        return


class _Reached:
    """The containers and arrays that can be reached from some values."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        self._known: dict[int, Any] = {}
        self._arrays: list[Any] = []
        pending = list(values)
        while pending:
            x = pending.pop()
            if type(x) in _QUICK or id(x) in self._known:
                continue
            self._known[id(x)] = x
            if isinstance(x, ARRAYS):
                self._arrays.append(x)
            else:
                pending += _held_by(x)

    def add(self, x: Any) -> None:
        self._known[id(x)] = x

    def holds(self, x: Any) -> bool:
        if id(x) in self._known:
            return True
        return isinstance(x, ARRAYS) and any(shares(x, array) for array in self._arrays)


def _held_by(x: Any) -> list[Any]:
    if isinstance(x, FunctionType):
        return [cell.cell_contents for cell in x.__closure__ or () if _is_set(cell)]
    if isinstance(x, MethodType):
        return [x.__self__, x.__func__]
    if isinstance(x, (set, frozenset)):
        return list(x)
    return [item for _, item in entries_of(x) or ()]


def _is_set(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def _is_nothing(g: Any) -> bool:
    return isinstance(g, float) and g == 0.0


def number_of(g: Any) -> float:
    """A cotangent of one number as a Python float, so that a single-precision part does not round the sum.

    Raises NotDifferentiable for a complex one.
    """
    if isinstance(g, (list, tuple, dict)):
        return 0.0  # of a string's letters, and the like
    if np.iscomplexobj(g):
        raise NotDifferentiable(
            "the adjoint of a number in a container came out complex",
            reason="the result depends on it through complex values, which have no rules yet",
            remedy="compute with the real and the imaginary part as two real numbers",
        )
    return float(g.sum() if isinstance(g, ARRAYS) else g)

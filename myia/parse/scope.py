"""Names to objects: globals, closure cells and builtins of a live function.

What the compiler resolved at compile time it must notice changing: every look-up of a callable, a
module or a class is kept as a guard on its identity, every look-up of data as a guard on its type.
Data itself is read again at each call.
"""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import CellType, FunctionType, ModuleType
from typing import Any

_MISSING = object()


def is_constant(value: Any) -> bool:
    """Whether a name bound to `value` is resolved once: modules, classes, functions, callables."""
    return isinstance(value, ModuleType) or callable(value)


@dataclass(frozen=True, eq=False)
class Origin:
    """Where a free name lives: a closure cell, or the globals of its function and the builtins."""

    name: str
    cell: CellType | None
    names: Mapping[str, Any]

    def load(self) -> Any:
        """The value now; `MISSING` if the name is not bound."""
        if self.cell is not None:
            try:
                return self.cell.cell_contents
            except ValueError:
                return MISSING
        value = self.names.get(self.name, MISSING)
        return getattr(builtins, self.name, MISSING) if value is MISSING else value


MISSING = _MISSING


@dataclass
class Scope:
    """The names a function can see beyond its own."""

    function: FunctionType
    cells: dict[str, CellType] = field(init=False)

    def __post_init__(self) -> None:
        names = self.function.__code__.co_freevars
        self.cells = dict(zip(names, self.function.__closure__ or (), strict=True))

    def origin(self, name: str) -> Origin:
        return Origin(name, self.cells.get(name), self.function.__globals__)


def static_attribute(owner: Any, name: str) -> Any:
    """`owner.name` for a module or a class, without running any code of the user's."""
    value = inspect.getattr_static(owner, name, MISSING)
    if isinstance(value, (staticmethod, classmethod, property)) or value is MISSING:
        return getattr(owner, name, MISSING)
    return value if isinstance(owner, ModuleType) or callable(value) else getattr(owner, name, MISSING)

"""Load emitted text as a module that debuggers can show and tracebacks can be followed through."""

from __future__ import annotations

import io
import itertools
import linecache
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_loaded: dict[str, LoadedModule] = {}
_numbers = itertools.count(1)


@dataclass(frozen=True, eq=False)
class LoadedModule:
    """Emitted text under the file name `<myia ...>`, with the user's place for each of its lines."""

    filename: str
    text: str
    origins: dict[int, tuple[str, int]]
    namespace: dict[str, Any]
    chains: frozenset[str] = frozenset()
    """The functions that stand for several lines of the user's: their calls are no place of their own."""

    def __getitem__(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = self.namespace[name]
        return function


def load(
    name: str,
    text: str,
    origins: dict[int, tuple[str, int]],
    namespace: dict[str, Any],
    chains: frozenset[str] = frozenset(),
) -> LoadedModule:
    """Execute emitted text in a namespace of its own."""
    filename = f"<myia {name} {next(_numbers)}>"
    # Not `splitlines`: a comment may quote a form feed, which ends no line of Python.
    linecache.cache[filename] = (len(text), None, io.StringIO(text).readlines(), filename)
    namespace["__name__"] = f"myia.emitted.{name}"
    exec(compile(text, filename, "exec"), namespace)  # noqa: S102 - our own text
    module = _loaded[filename] = LoadedModule(filename, text, origins, namespace, chains)
    return module


def user_place(filename: str, line: int) -> tuple[str, int] | None:
    """The user's file and line for a line of emitted text."""
    module = _loaded.get(filename)
    return None if module is None else module.origins.get(line)


def place_note(place: tuple[str, int], kernel: str) -> str:
    """The note on the failure of a kernel, which runs later than its line: the line, the user's if known."""
    filename, line = user_place(*place) or place
    return f"in {filename}:{line}: {linecache.getline(filename, line).strip()} (the kernel {kernel})"


def annotate(error: BaseException) -> None:
    """Note the user's lines that an exception passed through inside emitted code."""
    places: list[tuple[str, int]] = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        place = user_place(code.co_filename, traceback.tb_lineno)
        if place is not None:
            if places and code.co_name in _loaded[code.co_filename].chains:
                places.pop()
            places.append(place)
        traceback = traceback.tb_next
    noted = getattr(error, "__notes__", [])
    for filename, line in places[-8:]:
        note = f"in {filename}:{line}: {linecache.getline(filename, line).strip()}"
        if note not in noted:
            error.add_note(note)
            noted = getattr(error, "__notes__", [])

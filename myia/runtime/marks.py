"""In a debug build: what a reverse sweep will read is marked until it has, and writing to it raises."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from myia._runtime import Array, enforces_marks

__all__ = ["marked", "unmarked"]

_of_thread = threading.local()


def marked(x: Any) -> Any:
    """Mark an Array that is kept for the reverse sweep; gives it."""
    kept = getattr(_of_thread, "kept", None)
    if kept is not None and isinstance(x, Array):
        x.mark_read()
        kept.setdefault(id(x), []).append(x)  # held, so that its identity stays its own
    return x


def unmarked(x: Any) -> Any:
    """The reverse sweep has no more use for what was kept; gives it."""
    kept = getattr(_of_thread, "kept", None) or {}
    if kept.get(id(x)):
        kept[id(x)].pop().unmark_read()
    return x


@contextmanager
def call() -> Iterator[None]:
    """A call of a gradient: what is still marked is unmarked at its end."""
    if not enforces_marks():
        yield
        return
    outer = getattr(_of_thread, "kept", None)
    _of_thread.kept = kept = dict[int, list[Array]]()
    try:
        yield
    finally:
        _of_thread.kept = outer
        for arrays in kept.values():
            for x in arrays:
                x.unmark_read()

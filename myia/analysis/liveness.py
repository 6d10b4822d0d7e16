"""Liveness: which variables are still read, after each statement of emitted code."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from dataclasses import dataclass

from myia.analysis.dataflow import BackwardFlow
from myia.parse.program import names_read, names_written

Names = frozenset[str]


@dataclass(frozen=True)
class Liveness:
    """`after[s]`: the variables that are read after statement `s`, before they are bound anew.

    `pinned`: those that a nested function reads when it is called, which may be at any time.
    """

    after: Mapping[ast.stmt, Names]
    pinned: Names

    def dead_after(self, s: ast.stmt, name: str) -> bool:
        """Whether nothing reads what a variable holds now, once `s` has run."""
        if name in self.pinned:
            return False
        return name not in self.after[s] or name in all_written(s)


def liveness(block: list[ast.stmt], pinned: Names | None = None) -> Liveness:
    """Of the whole body of a function; `pinned`, if it is known already."""

    def transfer(s: ast.stmt, after: Names) -> Names:
        if isinstance(s, ast.Return):
            after = frozenset()
        return after.difference(all_written(s)) | all_read(s)

    def join(a: Names, b: Names) -> Names:
        return a | b

    flow = BackwardFlow(transfer, join)
    flow.block(block, frozenset())
    return Liveness(flow.after, pinned_in(block) if pinned is None else pinned)


@functools.lru_cache(maxsize=4096)
def all_read(s: ast.stmt) -> Names:
    """The names a statement reads; of `x += y`, `x` too."""
    read = names_read(s)
    if isinstance(s, ast.AugAssign):
        read = read | {n.id for n in ast.walk(s.target) if isinstance(n, ast.Name)}
    return frozenset(read)


@functools.lru_cache(maxsize=4096)
def all_written(s: ast.stmt) -> tuple[str, ...]:
    """The names a statement binds."""
    return tuple(names_written(s))


def pinned_in(block: list[ast.stmt]) -> Names:
    """What functions inside a function read."""
    closures = (ast.FunctionDef, ast.Lambda, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)
    inner = [n for s in block for n in ast.walk(s) if isinstance(n, closures)]
    return frozenset(n.id for node in inner for n in ast.walk(node) if isinstance(n, ast.Name))

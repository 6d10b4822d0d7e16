"""To be recorded (TBR): which values the forward sweep saves before it overwrites them.

The reverse sweep passes the points of the program backwards, and at each the variables its code reads
must have the values they had there. A value is saved only if some reverse code still to run reads it
and an assignment overwrites it: `needed` holds, at each point, the variables whose present value the
reverse code of the statements already passed reads. An assignment to a needed variable saves it, and
its reversal restores it. (Hascoet & Pascual 2013, "The Tapenade automatic differentiation tool", 4.2.)

In straight-line code each assignment has a name of its own (`webs.py`), so nothing is overwritten.

The elements of arrays that are written in place count as one more variable for each class of aliases, its
*content*. A store overwrites some of it, never all: the content stays needed.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from myia.analysis.dataflow import ForwardFlow
from myia.parse.program import names_read, names_written

Needed = frozenset[str]


@dataclass(frozen=True)
class Records:
    """`saves[s]`: the variables saved before statement `s`; `needed`: at the end of the sweep."""

    saves: dict[ast.stmt, tuple[str, ...]]
    needed: Needed


def content(representative: str) -> str:
    """The name of the content of a class of aliases; no variable has such a name."""
    return f"*{representative}"


def to_be_recorded(
    sweep: list[ast.stmt],
    reads: Mapping[ast.stmt, frozenset[str]],
    overwrites: Mapping[ast.stmt, str] | None = None,
    needed_at_start: Needed = frozenset(),
    whole: Mapping[ast.stmt, Needed] | None = None,
) -> Records:
    """The saves of a forward sweep; `reads[s]`: what the reverse code of `s` reads.

    `overwrites[s]`: the content of which `s` writes some elements; `needed_at_start`: what the reverse
    sweep must leave as it was before the forward sweep. `whole`: loops that are reversed from snapshots, with
    all variables and contents they write: each is one statement to what is around it, and what is in it needs
    only what its own iteration had.

    A name both read by the reverse code and bound by `s` means the value after `s`, unless `s` itself
    reads it, when it means the value before.
    """
    saves: dict[ast.stmt, set[str]] = {}
    partly = overwrites or {}
    loops = whole or {}

    def transfer(s: ast.stmt, needed: Needed) -> Needed:
        read = reads.get(s, frozenset())
        if s in loops:
            if overwritten := needed & loops[s]:
                saves.setdefault(s, set()).update(overwritten)
            return needed - loops[s] | read
        written = set(names_written(s))
        if isinstance(s, ast.For):
            return needed - written  # the reversed loop binds its target itself
        after = written & read - names_read(s)
        before = needed | (read - after)
        if overwritten := before & (written | {partly[s]} if s in partly else written):
            saves.setdefault(s, set()).update(overwritten)
        return before - written | after

    def join(a: Needed, b: Needed) -> Needed:
        return a | b

    end = _Flow(transfer, join, loops.keys()).block(sweep, needed_at_start)
    for loop in loops:
        assert isinstance(loop, (ast.For, ast.While))
        _Flow(transfer, join, loops.keys()).block(loop.body, frozenset())
    return Records({s: tuple(sorted(names)) for s, names in saves.items()}, end or frozenset())


class _Flow(ForwardFlow[Needed]):
    """Does not look into some loops."""

    def __init__(self, transfer: Any, join: Any, simple: Collection[ast.stmt]) -> None:
        super().__init__(transfer, join)
        self._simple = simple
        self._breaks.append([])  # of a loop whose body is looked at alone

    def _statement(self, statement: ast.stmt, state: Needed) -> Needed | None:
        if statement in self._simple:
            return self.transfer(statement, state)
        return super()._statement(statement, state)


def assigned_before(
    sweep: list[ast.stmt], arguments: frozenset[str]
) -> tuple[dict[ast.stmt, Needed], Needed | None]:
    """The variables certainly bound before each statement, and at the end."""

    def transfer(s: ast.stmt, bound: Needed) -> Needed:
        return bound.union(names_written(s))

    def join(a: Needed, b: Needed) -> Needed:
        return a & b

    flow = ForwardFlow(transfer, join)
    end = flow.block(sweep, arguments)
    return flow.before, end

"""Run a function once, a statement at a time, and note what each takes and makes.

Values are let go of after their last use, so this holds no more than the function itself does. With what the
reverse code of each statement reads, that gives the model of a gradient (`model.py`).
"""

from __future__ import annotations

import ast
import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

import numpy as np

from myia._runtime import begin_stretch, end_stretch, enter, memory_of, memory_stats, wait_all
from myia.plan.model import Item, Model
from myia.runtime.native import ARRAYS


@dataclass(frozen=True)
class Unit:
    """A statement of the function's body, with what is known of it before it is run.

    `code`: to run it; `reads`, `writes`: variables; `needs`: those that its reverse code reads; `calls`: it
    calls functions that keep values of their own; `repeatable`: it may be part of a block.
    """

    code: CodeType | None
    reads: frozenset[str]
    writes: tuple[str, ...]
    needs: frozenset[str]
    reversed: bool
    calls: bool
    repeatable: bool


@dataclass(frozen=True)
class Body:
    """The units of a function, ready to be measured.

    `active`: the variables with adjoints, with `selected` those of the arguments whose adjoints are wanted.
    """

    units: tuple[Unit, ...]
    arguments: tuple[str, ...]
    values: Mapping[str, Any]
    """The globals of the code."""
    loads: CodeType
    """Reads the data that the function finds outside."""
    active: frozenset[str]
    selected: frozenset[str]
    result: str
    copies: bool
    """Whether the function writes into its arguments."""
    captured: frozenset[str] = frozenset()
    """The variables that nested functions read."""
    quiet: bool = True
    """Whether nobody can tell if it was run once or twice."""


@dataclass
class _Storage:
    size: int
    made: int
    read: set[int] = field(default_factory=set)
    needed: set[int] = field(default_factory=set)


def measured(body: Body, arguments: Sequence[Any]) -> Model:
    """The model of a gradient for these arguments."""
    return _Run(body).model(arguments)


@dataclass
class _Run:
    body: Body
    storages: list[_Storage] = field(default_factory=list)
    live: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By address: the storage that is there, and how many variables hold it."""
    held: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """The addresses that each variable holds."""
    stores: dict[str, set[int]] = field(default_factory=dict)
    """The storages that each variable had."""
    sizes: dict[str, int] = field(default_factory=dict)

    def model(self, arguments: Sequence[Any]) -> Model:
        units, count = self.body.units, len(self.body.units)
        if self.body.copies:
            arguments = copy.deepcopy(tuple(arguments))
        variables = dict(zip(self.body.arguments, enter(tuple(arguments)), strict=True))
        for name, value in variables.items():
            self.bind(name, value, -1)
        state = np.random.get_state()
        table = {**self.body.values, **variables}
        seconds, work, own = [0.0] * count, [0] * count, [0] * count
        try:
            before = set(table)
            exec(self.body.loads, table)  # noqa: S102 - the compiler's own code
            for name in table.keys() - before:
                self.bind(name, table[name], -1)
            ends = self.ends()
            for u, unit in enumerate(units):
                seconds[u], work[u], allocated = _timed(unit.code, table)
                made = sum(self.bind(name, table[name], u) for name in unit.writes if name in table)
                if unit.calls and unit.reversed:
                    own[u] = max(allocated - made, 0)
                for name in ends.get(u, ()):
                    if table.pop(name, None) is not None:
                        self.release(name)
        finally:
            np.random.set_state(state)
        for u, unit in enumerate(units):
            for names, to in ((unit.reads, "read"), (unit.needs, "needed")):
                for name in names:
                    for k in self.stores.get(name, ()):
                        getattr(self.storages[k], to).add(u)
        items = [
            Item(s.made, s.size, tuple(sorted(q for q in s.read if q > s.made)), tuple(sorted(s.needed)))
            for s in self.storages
            if s.made >= 0 and s.size
        ]
        items += [Item(u, size, (), (u,)) for u, size in enumerate(own) if size]
        adjoints, back = self.adjoints(work, own)
        return Model(
            tuple(items),
            tuple(seconds),
            tuple(work),
            tuple(adjoints),
            tuple(back),
            tuple(unit.repeatable for unit in units),
        )

    def ends(self) -> dict[int, list[str]]:
        """The variables that no unit reads after each."""
        last: dict[str, int] = {}
        for u, unit in enumerate(self.body.units):
            for name in (*unit.reads, *unit.writes):
                last[name] = u
        found: dict[int, list[str]] = {}
        for name, u in last.items():
            if name not in self.body.values and name not in self.body.captured:
                found.setdefault(u, []).append(name)
        return found

    def bind(self, name: str, value: Any, made: int) -> int:
        """Note the storages of a variable; gives the bytes of those that are new."""
        self.release(name)
        new, self.sizes[name] = 0, sum(int(x.nbytes) for x in _arrays(value))
        addresses = []
        for x in _arrays(value):
            address, size = _storage_of(x)
            if address not in self.live:
                self.storages.append(_Storage(size, made))
                self.live[address] = len(self.storages) - 1, 0
                new += size
            storage, count = self.live[address]
            self.live[address] = storage, count + 1
            self.stores.setdefault(name, set()).add(storage)
            addresses.append(address)
        self.held[name] = tuple(addresses)
        return new

    def release(self, name: str) -> None:
        for address in self.held.pop(name, ()):
            storage, count = self.live[address]
            if count > 1:
                self.live[address] = storage, count - 1
            else:
                del self.live[address]

    def adjoints(self, work: list[int], own: list[int]) -> tuple[list[int], list[int]]:
        """The bytes of adjoints before each unit is reversed, and what its reversal takes beside them."""
        units, count = self.body.units, len(self.body.units)
        first: dict[str, int] = dict.fromkeys(self.body.arguments, -1)
        last: dict[str, int] = {self.body.result: count}
        for u, unit in enumerate(units):
            for name in unit.writes:
                first.setdefault(name, u)
            for name in unit.reads:
                last[name] = max(u, last.get(name, 0))
        there, born = [0] * (count + 1), [0] * (count + 1)
        for name in self.body.active:
            if name not in last or (first.get(name) == -1 and name not in self.body.selected):
                continue
            start, size = first.get(name, -1), self.sizes.get(name, 0)
            born[last[name]] += size
            for u in range(max(start, 0), min(last[name], count)):
                there[u] += size
        back = []
        for u, unit in enumerate(units):
            if not unit.reversed:
                back.append(0)
                continue
            largest = max((self.sizes.get(n, 0) for n in (*unit.reads, *unit.writes)), default=0)
            # Its temporaries, and what a chain that is run in one pass holds at once.
            back.append(born[u] + 4 * largest + (work[u] if unit.calls else 0))
        return there[:count], back


def _timed(code: CodeType | None, table: dict[str, Any]) -> tuple[float, int, int]:
    """The seconds that some code takes, the bytes beside what was live, and those it allocated in all."""
    if code is None:
        return 0.0, 0, 0
    wait_all()
    before = memory_stats()
    around = begin_stretch()
    started = time.perf_counter()
    exec(code, table)  # noqa: S102 - the compiler's own code
    wait_all()
    elapsed = time.perf_counter() - started
    peak = end_stretch(around)
    after = memory_stats()
    return (
        elapsed,
        max(int(peak) - int(before["live"]), 0),
        int(after["allocated"]) - int(before["allocated"]),
    )


def _arrays(value: Any) -> Iterator[Any]:
    if isinstance(value, ARRAYS):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _arrays(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _arrays(item)


def _storage_of(x: Any) -> tuple[int, int]:
    """The address and the bytes of the memory that an array is all or a part of."""
    found = memory_of(x)
    if found is None:
        while isinstance(x.base, np.ndarray):
            x = x.base
        found = int(x.__array_interface__["data"][0]), int(x.nbytes)
    return found


def compiled(statements: list[ast.stmt], filename: str) -> CodeType:
    """Code that runs some statements."""
    return compile(ast.fix_missing_locations(ast.Module(statements, [])), filename, "exec")

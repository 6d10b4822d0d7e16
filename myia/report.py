"""What a gradient keeps for its reverse sweep: where, how many bytes, and why."""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from myia._runtime import memory_of
from myia.plot import Samples, Trace, draw
from myia.runtime.dynamic import UNBOUND
from myia.runtime.native import ARRAYS
from myia.runtime.snapshots import LoopReport


@dataclass(frozen=True)
class Site:
    """A place of the program, or of its reverse sweep, that does something with the memory of a value.

    `what`: the variable; `elements`: only those of its elements that a write overwrites; `filename`, `line`,
    `text`: the statement that overwrites or makes it; `readers`: the lines whose backprops read it. `kind`:
    "saved" for the reverse sweep, "freed" at its last use, "reused" by the result that is computed there, or
    "recomputed".
    """

    function: str
    what: str
    elements: bool
    pushed: bool
    filename: str
    line: int
    text: str
    readers: tuple[int, ...]
    kind: str = "saved"

    @property
    def why(self) -> str:
        if self.kind != "saved":
            return _WHY[self.kind]
        if not self.readers:
            reason = "restored for the caller" if self.elements else "read by the reverse sweep"
            return f"overwritten here, {reason}" if self.pushed else reason
        several = "s" if len(self.readers) > 1 else ""
        reader = f"the backprop{several} of line{several} {', '.join(map(str, self.readers))}"
        return f"overwritten here, read by {reader}" if self.pushed else f"read by {reader}"


_WHY = {
    "freed": "its last use",
    "reused": "the result takes its memory",
    "recomputed": "cheaper than keeping it",
}


@dataclass
class Kept:
    """What a site did in one run: how often, and with how many bytes altogether."""

    site: Site
    times: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class RunAgain:
    """Lines that a plan runs again in the reverse sweep.

    `spared`: the bytes that need not be kept; `seconds`: what it takes, as measured once.
    """

    filename: str
    first: int
    last: int
    spared: int
    seconds: float


@dataclass
class MemoryReport:
    """What a gradient did with memory in one run. Prints as a table.

    `rows`: a `Kept` for each site of what is saved for the reverse sweep, the largest first; `others`: for
    what is let go of early, for memory that a result takes over from a dead operand, and for what is computed
    again; `bytes`: the sum of what is saved, in bytes; `peak`: the most memory that the runtime's arrays took
    at once, in bytes, the results included, the arguments not. With a budget, `budget` is its number of
    bytes, None for the least, and `loops` tells of each loop that is reversed from snapshots, by the user's
    file and line, and `blocks` of the lines that are run again by a plan. `trace` is memory over time: pairs
    of seconds and of the most bytes since the pair before.
    """

    name: str
    rows: list[Kept]
    peak: int
    budget: int | None = None
    loops: dict[tuple[str, int], LoopReport] = field(default_factory=dict)
    blocks: list[RunAgain] = field(default_factory=list)
    trace: Samples = field(default_factory=list, repr=False)
    others: list[Kept] = field(init=False)
    bytes: int = field(init=False)

    def __post_init__(self) -> None:
        ordered = sorted(self.rows, key=lambda row: (-row.bytes, row.site.line, row.site.what))
        self.rows = [row for row in ordered if row.site.kind == "saved"]
        self.others = _by_line([row for row in ordered if row.site.kind != "saved" and row.bytes])
        self.bytes = sum(row.bytes for row in self.rows)

    def __str__(self) -> str:
        title = f"{self.name} keeps {_size(self.bytes)} for its reverse sweep; peak {_size(self.peak)}"
        if self.loops or self.blocks:  # what an iteration saves is gone when it has been reversed
            most = "the least there can be" if self.budget is None else f"a budget of {_size(self.budget)}"
            title = f"{self.name} with {most}: peak {_size(self.peak)}"
        tables = [title]
        if self.rows:
            tables += _table(
                ("line", "what", "times", "bytes", "each", "why", "statement"),
                [(str(r.site.line), _what(r.site), *_counts(r), r.site.why, r.site.text) for r in self.rows],
            )
        if self.others:
            tables += [
                "beside that, by line:",
                *_table(
                    ("line", "what", "times", "bytes", "each", "is", "statement"),
                    [
                        (str(r.site.line), r.site.what, *_counts(r), r.site.kind, r.site.text)
                        for r in self.others
                    ],
                ),
            ]
        if self.loops:
            head = (
                "line",
                "loop",
                "runs",
                "iterations",
                "run again",
                "snapshots",
                "of bytes",
                "one back",
                "planned",
                "on disk",
            )
            tables += [
                "loops that are reversed from snapshots:",
                *_table(head, [_loop(*x) for x in self.loops.items()]),
            ]
        if self.blocks:
            titles = ("lines", "begin with", "not kept", "milliseconds")
            tables += ["run again in the reverse sweep:", *_table(titles, [_again(b) for b in self.blocks])]
        return "\n".join(tables) + "\n"

    __repr__ = __str__

    def plot(self, path: str | os.PathLike[str], *more: MemoryReport) -> None:
        """Write a PNG of memory over time, this run's and those of other reports, to compare budgets.

        Raises MissingPackage without matplotlib, which `pip install 'myia[plot]'` brings.
        """
        draw(path, [(r._label(), r.trace, r.budget) for r in (self, *more)])

    def _label(self) -> str:
        if self.budget is None:
            given = "the least" if self.loops else "no budget"
        else:
            given = _size(self.budget)
        return f"{self.name}, {given}: peak {_size(self.peak)}"


def _by_line(rows: list[Kept]) -> list[Kept]:
    """One row for each line and kind of what is done there."""
    found: dict[tuple[str, str, int, str], Kept] = {}
    names: dict[tuple[str, str, int, str], dict[str, None]] = {}

    def place(row: Kept) -> tuple[str, str, int, str]:
        return row.site.function, row.site.filename, row.site.line, row.site.kind

    for row in sorted(rows, key=lambda row: (*place(row), row.site.what)):
        key = place(row)
        names.setdefault(key, {})[row.site.what] = None
        joined = found.setdefault(key, Kept(row.site))
        joined.times += row.times
        joined.bytes += row.bytes
    return [
        Kept(replace(row.site, what=", ".join(names[key])), row.times, row.bytes)
        for key, row in found.items()
    ]


def _what(site: Site) -> str:
    return f"elements of {site.what}" if site.elements else site.what


def _counts(row: Kept) -> tuple[str, str, str]:
    return str(row.times), str(row.bytes), str(row.bytes // row.times if row.times else 0)


def _loop(place: tuple[str, int], found: LoopReport) -> tuple[str, ...]:
    filename, line = place
    counts = (found.runs, found.steps, found.advanced, found.snapshots, found.state, found.turn)
    text = linecache.getline(filename, line).strip()
    on_disk = f"{found.filed} of {_size(found.file_bytes // found.filed)}" if found.filed else "none"
    return (str(line), text, *map(str, counts), _size(found.planned), on_disk)


def _again(block: RunAgain) -> tuple[str, ...]:
    text = linecache.getline(block.filename, block.first).strip()
    lines = str(block.first) if block.first == block.last else f"{block.first}-{block.last}"
    return lines, text, _size(block.spared), f"{block.seconds * 1e3:.1f}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Lines with columns that stand below one another, numbers to the right; the last is as long as it is."""
    lines = [head, *rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head) - 1)]
    right = (True, False, True, True, True, *([len(head) > 7] * len(head)))
    made = []
    for line in lines:
        cells = [
            cell.rjust(w) if at_right else cell.ljust(w)
            for cell, w, at_right in zip(line, widths, right, strict=False)
        ]
        made.append("  ".join([*cells, line[-1]]).rstrip())
    return made


def _size(count: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 10_000:
            return f"{count} {unit}"
        count //= 1000
    return f"{count} GB"


class Recorder:
    """Counts what an instrumented gradient keeps.

    Memory kept twice is counted where it is met first, unless it must be let go of meanwhile (`holds`).
    """

    def __init__(self, holds: bool = True) -> None:
        self.holds = holds
        self.trace: Trace | None = None
        self.sites: list[Site] = []
        self.kept: dict[int, Kept] = {}
        self._seen: dict[int, Any] = {}
        self._dead = 0

    def site(self, site: Site) -> int:
        """The number of a new site."""
        self.sites.append(site)
        return len(self.sites) - 1

    def stack(self, number: int) -> list[Any]:
        """A list that counts what is appended."""
        return _CountingList(self, number)

    def keep(self, numbers: Iterable[int], values: Iterable[Any]) -> None:
        """Count values that variables hold at the end of the forward sweep."""
        for number, value in zip(numbers, values, strict=True):
            if value is not UNBOUND:
                self.count(number, value)

    def count(self, number: int, value: Any) -> None:
        row = self.kept.setdefault(number, Kept(self.sites[number]))
        row.times += 1
        row.bytes += self.size(value)
        if self.trace is not None:
            self.trace.sample()

    def freed(self, number: int, value: Any) -> None:
        """A variable is let go of: counted if it is an array with memory that nothing else keeps."""
        if id(value) != self._dead and isinstance(value, ARRAYS) and _owns(value):
            self._note(number, value)

    def computed(self, number: int, value: Any) -> None:
        """A value was computed again."""
        if isinstance(value, ARRAYS):
            self._note(number, value)

    def reusing(self, identity: int) -> None:
        """The array of this identity is dead, and a result may take its memory."""
        self._dead = identity

    def reused(self, number: int, result: Any) -> None:
        """The result: whether it is that array."""
        if id(result) == self._dead:
            self._note(number, result)
        else:
            self._dead = 0

    def _note(self, number: int, value: Any) -> None:
        row = self.kept.setdefault(number, Kept(self.sites[number]))
        row.times += 1
        row.bytes += value.nbytes
        if self.trace is not None:
            self.trace.sample()

    def given(self, arguments: Iterable[Any]) -> None:
        """What the caller holds anyway is not counted."""
        for value in arguments:
            self.size(value)

    def size(self, value: Any) -> int:
        """The bytes of a value that were not counted before."""
        if isinstance(value, ARRAYS):
            # A view keeps all of the memory that it is a view of.
            whole = memory_of(value)
            if whole is None:
                while isinstance(value.base, np.ndarray):
                    value = value.base
                whole = value.__array_interface__["data"][0], value.nbytes
            if whole[0] in self._seen:
                return 0
            self._hold(whole[0], value)
            return whole[1]
        if id(value) in self._seen:
            return 0
        if isinstance(value, (list, tuple, dict)):
            self._hold(id(value), value)
            items = value.values() if isinstance(value, dict) else value
            return sys.getsizeof(value) + sum(map(self.size, items))
        if isinstance(value, (float, complex, np.generic)):
            self._hold(id(value), value)
            return sys.getsizeof(value)
        return 0

    def _hold(self, number: int, value: Any) -> None:
        """Remember what was counted; it is kept, so that the number is not given to another."""
        if self.holds:
            self._seen[number] = value


def _owns(array: Any) -> bool:
    """Whether an array is all of its memory, and no view of another's."""
    whole = memory_of(array)
    return array.base is None if whole is None else whole[1] == array.nbytes


class _CountingList(list[Any]):
    def __init__(self, recorder: Recorder, number: int) -> None:
        super().__init__()
        self.recorder, self.number = recorder, number

    def append(self, value: Any) -> None:
        self.recorder.count(self.number, value)
        super().append(value)

"""What a gradient keeps for its reverse sweep: where, how many bytes, and why."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from myia._runtime import memory_of
from myia.runtime.native import ARRAYS


@dataclass(frozen=True)
class Site:
    """A place of the program that keeps a value.

    `what`: the variable; `elements`: only those of its elements that a write overwrites; `line`, `text`: the
    statement that overwrites or makes it; `readers`: the lines whose backprops read it.
    """

    function: str
    what: str
    elements: bool
    pushed: bool
    line: int
    text: str
    readers: tuple[int, ...]

    @property
    def why(self) -> str:
        if not self.readers:
            return "overwritten here, restored for the caller" if self.pushed else "read by the reverse sweep"
        several = "s" if len(self.readers) > 1 else ""
        reader = f"the backprop{several} of line{several} {', '.join(map(str, self.readers))}"
        return f"overwritten here, read by {reader}" if self.pushed else f"read by {reader}"


@dataclass
class Kept:
    """What a site kept in one run: how often, and how many bytes altogether."""

    site: Site
    times: int = 0
    bytes: int = 0


@dataclass
class MemoryReport:
    """What a gradient kept in one run. Prints as a table.

    `rows`: a `Kept` for each site, the largest first; `bytes`: the sum, in bytes; `peak`: the most memory
    that the runtime's arrays took at once, in bytes, the results included, the arguments not.
    """

    name: str
    rows: list[Kept]
    peak: int
    bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.rows = sorted(self.rows, key=lambda row: (-row.bytes, row.site.line, row.site.what))
        self.bytes = sum(row.bytes for row in self.rows)

    def __str__(self) -> str:
        title = f"{self.name} keeps {_size(self.bytes)} for its reverse sweep; peak {_size(self.peak)}"
        if not self.rows:
            return f"{title}\n"
        lines = [("line", "what", "times", "bytes", "each", "why", "statement")]
        for row in self.rows:
            site = row.site
            what = f"elements of {site.what}" if site.elements else site.what
            each = row.bytes // row.times if row.times else 0
            lines.append(
                (str(site.line), what, str(row.times), str(row.bytes), str(each), site.why, site.text)
            )
        widths = [max(len(line[k]) for line in lines) for k in range(6)]
        right = (True, False, True, True, True, False)
        table = []
        for line in lines:
            cells = [
                cell.rjust(w) if at_right else cell.ljust(w)
                for cell, w, at_right in zip(line, widths, right, strict=False)
            ]
            table.append("  ".join([*cells, line[6]]).rstrip())
        return "\n".join([title, *table]) + "\n"

    __repr__ = __str__


def _size(count: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 10_000:
            return f"{count} {unit}"
        count //= 1000
    return f"{count} GB"


class Recorder:
    """Counts what an instrumented gradient keeps; memory kept twice is counted where it is met first."""

    def __init__(self) -> None:
        self.sites: list[Site] = []
        self.kept: dict[int, Kept] = {}
        self._seen: dict[int, Any] = {}

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
            self.count(number, value)

    def count(self, number: int, value: Any) -> None:
        row = self.kept.setdefault(number, Kept(self.sites[number]))
        row.times += 1
        row.bytes += self.size(value)

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
            self._seen[whole[0]] = value  # kept, so that the number is not given to another
            return whole[1]
        if id(value) in self._seen:
            return 0
        if isinstance(value, (list, tuple, dict)):
            self._seen[id(value)] = value
            items = value.values() if isinstance(value, dict) else value
            return sys.getsizeof(value) + sum(map(self.size, items))
        if isinstance(value, (float, complex, np.generic)):
            self._seen[id(value)] = value
            return sys.getsizeof(value)
        return 0


class _CountingList(list[Any]):
    def __init__(self, recorder: Recorder, number: int) -> None:
        super().__init__()
        self.recorder, self.number = recorder, number

    def append(self, value: Any) -> None:
        self.recorder.count(self.number, value)
        super().append(value)

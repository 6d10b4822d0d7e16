"""Loops that are reversed from snapshots of their state, so that a gradient keeps a budget of memory.

The first sweep runs the loop and keeps its state before some of the iterations. The reverse sweep goes back
to the nearest snapshot, runs the loop from there to the iteration it has to reverse, keeping states on the
way where there is room again, and runs that iteration once more with all that its reversal reads.

    plan = rt.checkpoints(range(n))                 for at, stop in plan.reversed():
    for k in range(n):                                  (h,) = plan.state()
        plan.head((h,))                                 for k in range(n)[at:stop]:
        h = step(h, k)                                      plan.head((h,))
    plan.end()                                              h = step(h, k)
                                                        ...    # iteration `stop`, forwards and back

How many snapshots there is room for is measured: what is live when the loop begins, the size of a state, and
what the first iteration allocates. Which states they hold is decided in `schedule.py`.

If there is a folder for it, what memory has no room for goes there, on two levels (as in Stumm & Walther
2009, "MultiStage approaches for optimal offline checkpointing"; for a disk that is never full: Aupy,
Herrmann, Hovland & Robert 2016, "Optimal multistage algorithm for adjoint computation"). With s snapshots in
memory there is a file every s + 1 iterations, since s snapshots reverse C(s + 1, s) steps with none run again
more than once. Where the number of iterations is known, the last s states stay in memory.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil, log2
from typing import Any

from myia._runtime import (
    begin_stretch,
    end_stretch,
    in_flight_bound,
    inline_limit,
    memory_of,
    memory_stats,
    set_in_flight_bound,
    set_inline_limit,
    wait_all,
)
from myia.errors import MemoryBudget, UnknownArgument
from myia.runtime.disk import MOST_PENDING, Filed, Files, Folder, arrays_in, folder_of, identity, part_of
from myia.runtime.native import ARRAYS
from myia.runtime.products import most_collected
from myia.runtime.schedule import Thinning, positions

__all__ = ["checkpoints"]

_UNLIMITED = 1 << 62
"""The budget where none was given, in bytes."""

_HEADER = 128
"""The bytes that an array of the runtime takes beside its elements: `runtime/storage/storage.cpp`."""


# -- the budget of a call ------------------------------------------------------------------------------


Place = tuple[str, int]
"""The emitted file and line where a loop's snapshots are made."""

Turns = dict[tuple[Place, int], int]
"""The bytes that reversing one iteration of a loop took, by the size of its state."""


@dataclass
class LoopReport:
    """What a loop did in one call.

    `runs`: how often it ran; `steps`: its iterations in all, `advanced`: those run again on the way to
    another; `snapshots`: the most at once; `state`, `turn`: bytes of one, and of reversing an iteration;
    `planned`: the peak that was planned for, in bytes; `filed`: states that went to files, `file_bytes`: the
    bytes of those.
    """

    runs: int = 0
    steps: int = 0
    advanced: int = 0
    snapshots: int = 0
    state: int = 0
    turn: int = 0
    planned: int = 0
    filed: int = 0
    file_bytes: int = 0


@dataclass
class Budget:
    """What one call of a gradient may take.

    `bytes`: the most that the runtime's arrays may be at once, beside those that were there before; None for
    the least that does not repeat iterations more often than needed. `turns`: what reversing one iteration of
    a loop took in earlier calls, by place and size of the state. `disk`: the folder for what memory has no
    room for.
    """

    bytes: int | None
    turns: Turns = field(default_factory=dict)
    disk: str | None = None
    files: Files | None = None
    base: int = 0
    loops: dict[Place, LoopReport] = field(default_factory=dict)
    inner: int = 0
    """Bytes that loops inside an iteration allocated, and that reversing it does not hold at once."""
    watch: Callable[[], None] | None = None
    """Called at the head and at the turn of each iteration, for a report."""
    plans: list[Checkpoints] = field(default_factory=list)
    """The loops that have snapshots now, in the order in which they began."""

    def used(self) -> int:
        return int(memory_stats()["live"]) - self.base

    def gives_up(self, taker: Checkpoints) -> bool:
        """Another loop, that with the most snapshots, lets go of one; False if there are none."""
        able = [plan for plan in self.plans if plan is not taker and plan.can_give_up()]
        if able:
            max(able, key=lambda plan: len(plan.kept)).give_up()
        return bool(able)


_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}


def memory_budget(given: int | float | str | None, disk: Folder = None) -> Budgets | None:
    """What makes the budget of a call, from what the user asked for. Raises UnknownArgument."""
    folder = folder_of(disk, given)
    if given is None:
        return None
    if given == "minimal":
        return lambda turns: Budget(None, turns, folder)
    if isinstance(given, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([kmg]?i?b)\s*", given, re.IGNORECASE)
        if match is not None and match[2].lower() in _UNITS:
            most = int(float(match[1]) * _UNITS[match[2].lower()])
            return lambda turns: Budget(most, turns, folder)
    elif isinstance(given, float) and 0.0 < given <= 1.0:
        return lambda turns: Budget(int(given * _free_memory()), turns, folder)
    elif isinstance(given, int) and not isinstance(given, bool) and given > 0:
        return lambda turns: Budget(given, turns, folder)
    raise UnknownArgument(
        f"memory={given!r} is no amount of memory",
        reason="it is the most that the arrays of a gradient may take",
        remedy='give "500 MB", a number of bytes, a part of the free memory such as 0.5, or "minimal"',
    )


def _free_memory() -> int:
    """The bytes that may be allocated now without swapping, by what Linux says; else all there are."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) << 10
    except OSError:
        pass
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


_current = threading.local()


Budgets = Callable[[Turns], Budget]
"""Makes the budget of a call, given what was measured in earlier ones."""


_HANDED_OUT = 4
"""Within a budget, an operation is handed out that is so many times as long as one that is otherwise."""


class _Ahead:
    """While any call keeps a budget, work waits until what was handed out before is done: the memory of what
    is pending would come on top. Large operations are still divided over the workers; others are not handed
    out at all, since to wait for a worker takes longer than what two of them save."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0
        self._before = 0, 0

    @contextmanager
    def of_nothing(self) -> Iterator[None]:
        with self._lock:
            if not self._calls:
                self._before = in_flight_bound(), inline_limit()
                set_in_flight_bound(1)
                set_inline_limit(_HANDED_OUT * self._before[1])
            self._calls += 1
        try:
            yield
        finally:
            with self._lock:
                self._calls -= 1
                if not self._calls:
                    set_in_flight_bound(self._before[0])
                    set_inline_limit(self._before[1])


_ahead = _Ahead()


@contextmanager
def budget(given: Budget) -> Iterator[Budget]:
    """The budget of the loops that run inside."""
    before = getattr(_current, "budget", None)
    given.base = int(memory_stats()["live"])
    given.loops.clear()
    given.files = None if given.disk is None else Files(given.disk)
    _current.budget = given
    try:
        with _ahead.of_nothing():
            yield given
    finally:
        _current.budget = before
        given.plans.clear()
        if given.files is not None:
            given.files.close()


# -- one loop ----------------------------------------------------------------------------------------------


def checkpoints(
    walk: range | None,
    adjoints: tuple[Any, ...] = (),
    sums: tuple[Any, ...] = (),
    stores: int = 0,
    share: int = 1,
    rewinds: bool = False,
    fixed: bool = False,
) -> Checkpoints:
    """The snapshots of a loop that begins.

    `walk`: what it runs over, None if the number of its iterations is not known; `adjoints`: values of the
    program whose adjoints the reverse sweep holds while it passes the loop; `sums`: those that collect
    outer products; `stores`: how many statements save elements they write over; `share`: how many loops, this
    and later ones, share the memory that is left; `rewinds`: whether arrays that are written in place must be
    what they were before the loop once it is reversed; `fixed`: whether arrays of the state must stay the
    objects they are, since their memory says which adjoint is theirs.
    """
    given = getattr(_current, "budget", None) or Budget(_UNLIMITED)
    frame = sys._getframe(1)
    place = frame.f_code.co_filename, frame.f_lineno
    count = None if walk is None else len(walk)
    held = sum(map(_size, adjoints)) + sum(map(most_collected, sums))
    return Checkpoints(given, place, count, held, stores, share, rewinds, fixed)


@dataclass(eq=False)
class _Snapshot:
    values: tuple[Any, ...]
    contents: list[tuple[Any, Any]]
    """Arrays that are written in place, each with a copy of its elements."""


@dataclass(eq=False)
class Checkpoints:
    """The snapshots of one loop; see the module."""

    budget: Budget
    place: Place
    count: int | None
    adjoints: int
    stores: int
    share: int
    rewinds: bool
    fixed: bool = False
    steps: int = 0
    most: int = 1
    """How many snapshots there may be at once."""
    advanced: int = 0
    """Iterations run again on the way to one that is reversed."""
    turn_bytes: int = 0
    """The bytes that reversing one iteration takes, as expected before and measured then."""
    kept: dict[int, _Snapshot] = field(default_factory=dict)
    filed: list[tuple[int, list[Any], Filed]] = field(default_factory=list)
    """The states that are in files, in order: the step, the arrays that are written into, the file."""
    largest: int = 0
    planned: int = 0
    _files: Files | None = None
    """Where states go that memory has no room for; None as long as there is room."""
    _filed_count: int = 0
    _filed_bytes: int = 0
    _at: int = 0
    _first_sweep: bool = True
    _reversing: bool = False
    _planned: set[int] = field(default_factory=set)
    _order: list[int] = field(default_factory=list)
    """The steps of `kept`, in order, in the reverse sweep."""
    _thinning: Thinning | None = None
    _state_bytes: int = 0
    _started: tuple[int, int, int, int] = (0, 0, 0, 0)
    _log: list[Any] = field(default_factory=list)
    _noted: int = 0
    _noted_before: int = 0
    _each: int = 0
    _expected: int = 0
    """The bytes noted: now, when the iteration began, in one at most, and those there is room for."""
    _marks: list[int] = field(default_factory=list)
    _cursor: int = 0

    # -- the first sweep, and advancing -----------------------------------------------------------------

    def head(self, values: tuple[Any, ...], arrays: tuple[Any, ...] = ()) -> None:
        """An iteration begins; `values`: the state, by variable; `arrays`: those written in place."""
        at = self._at
        self._at = at + 1
        if self._is_limited():
            wait_all()  # or arrays of the next iteration would be there beside those of this one
        if self.budget.watch is not None:
            self.budget.watch()
        if not self._first_sweep:
            if at in self._planned:
                self._keep(at, values, arrays)
            return
        self._marks.append(len(self._log))
        if at == 0:
            self._begin(values, arrays)
            return
        if at == 1:
            self._measure()
        elif self._noted > self._noted_before:
            self._make_room()
        if self._files is not None:
            self._head_on_disk(self._files, at, values, arrays)
        elif self._thinning is not None:
            self._thin(at, values, arrays)
        elif at in self._planned and len(self.kept) < self.most:
            self._keep(at, values, arrays)

    def _thin(self, at: int, values: tuple[Any, ...], arrays: tuple[Any, ...]) -> None:
        assert self._thinning is not None
        if len(self.kept) == self.most and (files := self._can_file()) is not None:
            self._go_to_disk(files)
            return
        dropped = self._thinning.dropped(at)
        if dropped != at:
            if dropped is not None:
                del self.kept[dropped]
            self._keep(at, values, arrays)

    def _make_room(self) -> None:
        """More was noted than expected: it takes the place of snapshots. May raise MemoryBudget."""
        self._each = max(self._each, self._noted - self._noted_before)
        self._noted_before = self._noted
        while self._noted + self._each > self._expected and self._is_limited():
            if self.most == 1:
                raise self._refusal(self._needed() + self._noted + self._each - self._expected)
            self.most -= 1
            self._expected += self._state_bytes
            if self._thinning is not None and self._files is None and len(self.kept) > self.most:
                del self.kept[self._thinning.shrink()]
            elif len(self.kept) > self.most:
                del self.kept[next(reversed(self.kept))]

    def end(self, steps: int | None = None) -> None:
        """The loop has ended; `steps`: how many of its iterations are to be reversed."""
        self.steps = self._at if steps is None else steps
        if self._at == 1 and self._is_limited():  # only one iteration began: it was not measured yet
            self._measure()
        self._first_sweep = False
        for at in [at for at in self.kept if at >= self.steps]:
            del self.kept[at]
        if self._files is not None:
            self._files.wait()
            while self.filed and self.filed[-1][0] >= self.steps:
                self._files.drop(self.filed.pop()[-1])
        self._order = list(self.kept)

    def _begin(self, values: tuple[Any, ...], arrays: tuple[Any, ...]) -> None:
        self._keep(0, values, arrays)
        self._state_bytes = max(self._size_of(0), 1)
        if not self._is_limited():
            return
        self.budget.plans.append(self)
        wait_all()
        now = memory_stats()
        self._started = int(now["live"]), int(now["allocated"]), begin_stretch(), self.budget.inner
        self.budget.inner = 0

    def _is_limited(self) -> bool:
        """Whether there is a number of bytes to keep to."""
        return self.budget.bytes not in (None, _UNLIMITED)

    def _measure(self) -> None:
        """After the first iteration: how many snapshots there is room for."""
        if not self._is_limited():
            self.most = self._room()
            self._choose()
            return
        wait_all()
        live, allocated, around, inner = self._started
        peak = end_stretch(around)
        now = memory_stats()
        made = int(now["allocated"]) - allocated
        # All that an iteration allocates may be held by its reversal at once, and adjoints beside it.
        expected = made - self.budget.inner + 2 * max(peak - live - self.budget.inner, 0)
        expected += self.stores * self._state_bytes
        self.budget.inner = inner + made
        self.turn_bytes = self.budget.turns.get(self._key(), expected)
        self.most = self._room()
        self._choose()

    def _choose(self) -> None:
        """Which states to keep in the first sweep."""
        if self.count is not None and self.most < self.count and (files := self._can_file()) is not None:
            self._go_to_disk(files)
        elif self.count is None:
            self._thinning = Thinning(self.most)
        else:
            self._planned = set(positions(0, self.count, self.most)) - {0}

    def _room(self) -> int:
        """How many snapshots there may be. Raises MemoryBudget if there is no room for the first."""
        limit = self.budget.bytes
        if limit is None:
            return 1 + ceil(log2(self.count or 1024))
        if limit == _UNLIMITED:
            return limit
        self._each = self._noted_before = self._noted
        self._expected = self._noted * (2 if self.count is None else self.count)
        needed = self._needed()
        while needed > limit and self.budget.gives_up(self):
            needed = self._needed()
        if needed > limit:
            raise self._refusal(needed)
        more = (limit - needed) // self.share // self._state_bytes
        if self.count is not None:
            more = min(more, self.count - 1)
        self.planned = needed + more * self._state_bytes
        return 1 + more

    def _needed(self) -> int:
        """The bytes that the loop needs with one snapshot only, with what is held beside it."""
        # Beside the snapshot at the start there is the state of now, and that of the step before.
        held = self.budget.used() - (len(self.kept) - 2) * self._state_bytes + self._expected - self._noted
        return held + self.turn_bytes + self.adjoints

    def _refusal(self, needed: int) -> MemoryBudget:
        turn = self.turn_bytes + self.adjoints
        return MemoryBudget(
            f"the gradient cannot do with {spelled(self.budget.bytes or 0)}",
            reason=f"{spelled(needed - turn)} are held when this loop is reversed, and one iteration of it"
            f" takes {spelled(turn)}",
            remedy=f"give it {spelled(needed, up=True)} or more",
        )

    def _key(self) -> tuple[Place, int]:
        return self.place, self._state_bytes

    def _keep(self, at: int, values: tuple[Any, ...], arrays: tuple[Any, ...]) -> None:
        copies = [(x, x.copy()) for x in _distinct(arrays)] if arrays else []
        self.kept[at] = _Snapshot(values, copies)
        self._order.append(at)
        self.largest = max(self.largest, len(self.kept))

    def _size_of(self, at: int) -> int:
        snapshot = self.kept[at]
        written = {id(x) for x, _ in snapshot.contents}
        values = sum(_size(v) for v in snapshot.values if id(v) not in written)
        return values + sum(_size(copy) for _, copy in snapshot.contents)

    # -- on disk ------------------------------------------------------------------------------------------

    def _can_file(self) -> Files | None:
        """The files of the call, if the state is of arrays that can go there."""
        files = self.budget.files
        if files is None or self.fixed:
            return None
        first = self.kept[0]
        arrays = [*arrays_in(first.values), *(copy for _, copy in first.contents)]
        return files if arrays and all(part_of(x) is not None for x in arrays) else None

    def _go_to_disk(self, files: Files) -> None:
        """From now on states go to files; so does the first, and the others in memory are let go of."""
        self._files = files
        first = self.kept[0]
        self.kept.clear()
        self._file(files, 0, first)

    def _head_on_disk(self, files: Files, at: int, values: tuple[Any, ...], arrays: tuple[Any, ...]) -> None:
        if self.count is not None and at >= self.count - self.most:
            if len(self.kept) < self.most:
                files.wait(self.most - len(self.kept) - 1)
                self._keep(at, values, arrays)
        elif at - self.filed[-1][0] > self.most:
            most = min(self.most, MOST_PENDING)
            files.wait(most - 1)
            distinct = _distinct(arrays) if arrays else []
            # With room for one state, the arrays themselves are written before the program goes on.
            copies = [(x, x if most == 1 and part_of(x) is not None else x.copy()) for x in distinct]
            self._file(files, at, _Snapshot(values, copies))
            if most == 1:
                files.wait()

    def _file(self, files: Files, at: int, snapshot: _Snapshot) -> None:
        written = [x for x, _ in snapshot.contents]
        filed = files.put(
            snapshot.values, set(map(identity, written)), [copy for _, copy in snapshot.contents]
        )
        self.filed.append((at, written, filed))
        self._filed_count += 1
        self._filed_bytes += filed.bytes

    def _load(self) -> None:
        """Take the last state from its file into memory."""
        assert self._files is not None
        at, written, filed = self.filed.pop()
        values, copies = self._files.take(filed)
        self.kept[at] = _Snapshot(values, [*zip(written, copies, strict=True)])
        self._order.append(at)
        self.largest = max(self.largest, 1)

    # -- what other loops need --------------------------------------------------------------------------

    def can_give_up(self) -> bool:
        return not self._first_sweep and len(self.kept) > 1

    def give_up(self) -> None:
        """Let go of the last snapshot; if the loop is being reversed, its place is given up for good."""
        del self.kept[self._order.pop()]
        if self._reversing:
            self.most = len(self.kept)

    # -- the reverse sweep ------------------------------------------------------------------------------

    def reversed(self) -> Iterator[tuple[int, int]]:
        """For each iteration, the last first: from where the loop is run again, and the iteration itself."""
        self._reversing = True
        for step in range(self.steps - 1, -1, -1):
            wait_all()  # or this would begin beside the reversal of the iteration before, and take memory too
            if not self._order:
                self._load()
            at = self._order[-1]
            self._plan(at, step)
            self._at, self._cursor = at, self._marks[at]
            self._restore(self.kept[at])
            self.advanced += step - at
            yield at, step
            if step == self.steps - 1 and self._is_limited():
                self._end_turn()
            if self._order and self._order[-1] == step and (step or not self.rewinds):
                del self.kept[self._order.pop()]
            del self._log[self._marks[step] :]
        if self.rewinds and self.steps:
            self._restore(self.kept.pop(0))
        self._report()

    def _report(self) -> None:
        self._close()
        found = self.budget.loops.setdefault(self.place, LoopReport())
        found.runs += 1
        found.steps += self.steps
        found.advanced += self.advanced
        found.snapshots = max(found.snapshots, self.largest)
        found.state = max(found.state, self._state_bytes)
        found.turn = max(found.turn, self.turn_bytes)
        found.planned = max(found.planned, self.planned)
        found.filed += self._filed_count
        found.file_bytes += self._filed_bytes

    def _close(self) -> None:
        if self in self.budget.plans:
            self.budget.plans.remove(self)

    def _plan(self, at: int, step: int) -> None:
        """Which states to keep on the way from `at` to `step`."""
        free = self.most - len(self.kept)
        self._planned = set(positions(at, step, free + 1)) - {at} if step - at > 1 and free > 0 else set()

    def turn(self) -> None:
        """The iteration that is reversed begins; the first one is measured."""
        if self.budget.watch is not None:
            self.budget.watch()
        if self._at == self.steps - 1 and self._is_limited():
            wait_all()
            self._started = (int(memory_stats()["live"]), 0, begin_stretch(), 0)

    def _end_turn(self) -> None:
        """What reversing an iteration took, adjoints that stay left out: the next call can plan with it.

        This one keeps to its plan, or else less memory asked could mean more memory used.
        """
        wait_all()
        live, _, around, _ = self._started
        self.turn_bytes = self.budget.turns[self._key()] = end_stretch(around) - live

    def state(self) -> tuple[Any, ...]:
        """The variables as they were where the loop is run again from."""
        return self.kept[self._at].values

    def _restore(self, snapshot: _Snapshot) -> None:
        for x, copy in snapshot.contents:
            x[...] = copy

    # -- blocks that the user made a checkpoint of ----------------------------------------------------

    def again(self) -> tuple[Any, ...]:
        """The block is run again, and reversed at once; the variables as they were before it."""
        wait_all()
        self._close()
        self._at = self._cursor = 0
        snapshot = self.kept[0]
        if not self.rewinds:
            self.kept.clear()
        self._restore(snapshot)
        return snapshot.values

    def rewind(self) -> None:
        """The block has been reversed: arrays are what they were before it."""
        self._restore(self.kept.pop(0))

    # -- what is not done again -------------------------------------------------------------------------

    def record(self, value: Any) -> Any:
        """Note a value that would be another one if it were computed again; gives it."""
        self._log.append(value.copy() if isinstance(value, ARRAYS) else value)
        self._noted += _size(value)
        return value

    def replay(self) -> Any:
        """The value that was noted at this place of the iteration."""
        value = self._log[self._cursor]
        self._cursor += 1
        return value.copy() if isinstance(value, ARRAYS) else value


def _distinct(arrays: tuple[Any, ...]) -> list[Any]:
    """Arrays without those whose memory another one of them has all of."""
    found: dict[Any, Any] = {}
    others = []
    for x in arrays:
        if not isinstance(x, ARRAYS):
            continue
        memory = memory_of(x) or (id(x), x.nbytes)
        if memory[1] == x.nbytes:
            found.setdefault(memory[0], x)
        else:
            others.append((memory[0], x))
    return [*found.values(), *(x for key, x in others if key not in found)]


def _size(value: Any) -> int:
    """The bytes that the arrays in a value take."""
    if isinstance(value, ARRAYS):
        return int(value.nbytes) + _HEADER
    if isinstance(value, (list, tuple)):
        return sum(map(_size, value))
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return 0


def spelled(count: int, up: bool = False) -> str:
    """A number of bytes for people, in units that `memory=` takes; `up`: not less than it is."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= 10 * size:
            return f"{ceil(count / size) if up else count // size} {unit}"
    return f"{count} bytes"

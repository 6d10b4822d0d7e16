"""What the dispatcher did and when: as a trace for a browser, and as a table."""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from myia import _runtime
from myia.codegen.load import user_place

__all__ = ["Profile", "Run", "profile", "trace"]

_CALLER = -1


@dataclass(frozen=True)
class Run:
    """One part of a kernel on a worker, or a wait of a thread that needed a result (`worker` is -1).

    Times are seconds of one steady clock: when the kernel was submitted, when its operands were there, when
    this part began and ended.
    """

    name: str
    place: tuple[str, int] | None
    worker: int
    part: int
    parts: int
    task: int
    submitted: float
    ready: float
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.begin

    @property
    def line(self) -> str:
        """The user's line that submitted it, "model.py:12"; empty if it is not known."""
        return f"{os.path.basename(self.place[0])}:{self.place[1]}" if self.place else ""


def _stopped() -> list[Run]:
    runs = []
    for name, place, worker, part, parts, task, *times in _runtime.stop_trace():
        if place is not None:
            place = user_place(*place) or place
        runs.append(Run(name, place, worker, part, parts, task, *(t * 1e-9 for t in times)))
    return runs


@contextmanager
def trace(path: str | os.PathLike[str]) -> Iterator[None]:
    """Record what the dispatcher does inside the `with`, and write it to `path` at the end.

    The file is JSON in Chrome's trace format, which chrome://tracing and ui.perfetto.dev show: a row for each
    worker and one for the waits, and for each kernel its name, the user's line, and how long after its
    submission its operands were ready and it began. Work that is done at once in the caller (small kernels)
    does not appear. Traces do not nest.
    """
    _runtime.start_trace()
    try:
        yield
    finally:
        _runtime.wait_all()
        Path(path).write_text(json.dumps({"traceEvents": list(_events(_stopped()))}), encoding="utf-8")


def _events(runs: list[Run]) -> Iterator[dict[str, Any]]:
    for worker in sorted({run.worker for run in runs}):
        name = f"worker {worker}" if worker >= 0 else "waits" if worker == _CALLER else "at once"
        yield {"ph": "M", "name": "thread_name", "pid": 1, "tid": worker, "args": {"name": name}}
    for run in runs:
        yield {
            "ph": "X",
            "name": run.name,
            "cat": "wait" if run.worker == _CALLER else "kernel",
            "pid": 1,
            "tid": run.worker,
            "ts": run.begin * 1e6,
            "dur": run.seconds * 1e6,
            "args": {
                "line": run.line,
                "task": run.task,
                "part": f"{run.part + 1} of {run.parts}",
                "ready after us": round((run.ready - run.submitted) * 1e6, 3),
                "begun after us": round((run.begin - run.submitted) * 1e6, 3),
            },
        }


class Profile:
    """What `profile()` measured; `str` of it is the table.

    `elapsed`, `busy` (of all workers together) and `waiting` (of threads that needed a result) are in
    seconds; `parallelism` is how many workers were busy on average while any was.
    """

    def __init__(self, runs: list[Run], elapsed: float, counts: tuple[int, int]) -> None:
        self.runs = [run for run in runs if run.worker != _CALLER]
        self.elapsed = elapsed
        self.submitted, self.failed = counts
        self.waiting = sum(run.seconds for run in runs if run.worker == _CALLER)
        self.busy = sum(run.seconds for run in self.runs)
        self.parallelism = self.busy / active if (active := _covered(self.runs)) else 0.0

    def rows(self) -> list[tuple[str, str, int, float]]:
        """Kernel, user's line, number of times, seconds; the slowest first."""
        seconds: dict[tuple[str, str], float] = defaultdict(float)
        tasks: dict[tuple[str, str], set[int]] = defaultdict(set)
        for run in self.runs:
            seconds[run.name, run.line] += run.seconds
            tasks[run.name, run.line].add(run.task)
        ordered = sorted(seconds, key=lambda key: -seconds[key])
        return [(*key, len(tasks[key]), seconds[key]) for key in ordered]

    def __str__(self) -> str:
        lines = [f"{'kernel':<20} {'line':<24} {'times':>7} {'seconds':>9} {'share':>6}"]
        for name, line, times, seconds in self.rows()[:20]:
            lines.append(f"{name:<20} {line:<24} {times:>7} {seconds:>9.4f} {seconds / self.busy:>6.1%}")
        lines.append(
            f"{self.submitted} kernels in {self.elapsed:.4f} s: workers busy {self.busy:.4f} s, "
            f"parallelism {self.parallelism:.2f}, waited {self.waiting:.4f} s"
        )
        return "\n".join(lines)


def _covered(runs: list[Run]) -> float:
    """The time in which at least one of the runs was going on."""
    total, until = 0.0, float("-inf")
    for run in sorted(runs, key=lambda run: run.begin):
        total += max(0.0, run.end - max(run.begin, until))
        until = max(until, run.end)
    return total


@contextmanager
def profile(file: TextIO | None = None) -> Iterator[list[Profile]]:
    """Print which kernels took the time inside the `with`: by name and user's line, the slowest first.

    With them how long threads waited for results, and how many workers were busy on average. Goes to `file`,
    standard output by default. The list that the `with` binds holds the Profile at the end. Small kernels,
    which the caller runs himself, are not in it.
    """
    found: list[Profile] = []
    before = _runtime.counts()
    _runtime.start_trace()
    began = _runtime.clock()
    try:
        yield found
    finally:
        _runtime.wait_all()
        elapsed = _runtime.clock() - began
        after = _runtime.counts()
        counted = after["submitted"] - before["submitted"], after["failed"] - before["failed"]
        found.append(Profile(_stopped(), elapsed, counted))
        print(found[0], file=file or sys.stdout)
